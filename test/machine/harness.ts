/** Runs small programs on a machine and gathers what they print. */
import { Machine, type MachineOptions, type SpawnOptions } from '../../src/machine/machine.ts'
import type { Process, Program, ProgramFile, WaitStatus } from '../../src/uapi/process.ts'

/** What a run left behind. */
export interface Outcome {
  readonly machine: Machine
  readonly status: WaitStatus
  readonly stdout: string
  readonly stderr: string
}

/** @returns a machine without programs, or with the given ones */
export function machine(options: Partial<MachineOptions> = {}): Machine {
  return new Machine({ programs: [], profile: 'bare', seed: 1, ...options })
}

/** Runs `main` as a process to its end. */
export async function run(
  main: Program,
  options: { readonly on?: Machine; readonly spawn?: Partial<SpawnOptions> } = {},
): Promise<Outcome> {
  const on = options.on ?? machine()
  const decoder = { out: new TextDecoder(), err: new TextDecoder() }
  let stdout = ''
  let stderr = ''
  const running = on.spawn({
    argv: ['test'],
    main,
    stdout: on.hostOutput(data => {
      stdout += decoder.out.decode(data, { stream: true })
    }),
    stderr: on.hostOutput(data => {
      stderr += decoder.err.decode(data, { stream: true })
    }),
    ...options.spawn,
  })
  const status = await on.run(running.exited)
  return { machine: on, status, stdout, stderr }
}

/** Makes a program file of a function. */
export function program(path: string, main: Program, links: readonly string[] = []): ProgramFile {
  return { path, links, load: () => Promise.resolve(main) }
}

/** @returns a file's text */
export function text(proc: Process, path: string): string {
  return new TextDecoder().decode(proc.readFile(path))
}

/** @returns the errno that a call fails with, 0 where it succeeds */
export function errnoOf(call: () => unknown): number {
  try {
    call()
    return 0
  } catch (error) {
    return (error as { errno: number }).errno
  }
}

/** The same for calls that return promises. */
export async function rejection(call: Promise<unknown>): Promise<number> {
  try {
    await call
    return 0
  } catch (error) {
    return (error as { errno: number }).errno
  }
}
