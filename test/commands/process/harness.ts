/** Runs one tool on a machine and gathers what it answers. */
import { PROGRAMS } from '../../../commands/registry.ts'
import type { Machine } from '../../../src/machine/machine.ts'
import type { Process } from '../../../src/uapi/process.ts'
import { machine, run } from '../../machine/harness.ts'

/** What a tool answered. */
export interface Answer {
  readonly stdout: string
  readonly stderr: string
  /** 128 and the signal where it was killed */
  readonly status: number
}

/** @returns a machine with every tool */
export function toolMachine(): Machine {
  return machine({ programs: PROGRAMS })
}

const ENV = new Map([
  ['HOME', '/root'],
  ['LC_ALL', 'C'],
  ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
])

/** Runs a command as a child of a process in /tmp, after `before` has been done there. */
export async function tool(
  argv: readonly string[],
  options: { readonly on?: Machine; readonly before?: (proc: Process) => void | Promise<void> } = {},
): Promise<Answer> {
  let status = -1
  const { stdout, stderr } = await run(
    async proc => {
      await options.before?.(proc)
      const ended = await proc.waitpid(proc.fork(child => child.exec(argv[0]!, argv)))
      status = ended?.kind === 'exited' ? ended.status : ended?.kind === 'signaled' ? 128 + ended.signal : -1
      return 0
    },
    { on: options.on ?? toolMachine(), spawn: { cwd: '/tmp', env: ENV } },
  )
  return { stdout, stderr, status }
}
