/** Runs without a terminal: `linnet -c`, `linnet run`, and transcripts. */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { scriptMachine } from '../src/lab/transcript.ts'
import { transcriptOf } from '../src/lab/transcript_runner.ts'
import type { Machine } from '../src/machine/machine.ts'
import { Deadlock } from '../src/machine/scheduler.ts'
import { O_CREAT, O_TRUNC, O_WRONLY } from '../src/uapi/fs.ts'
import type { WaitStatus } from '../src/uapi/process.ts'
import { Signal } from '../src/uapi/signal.ts'
import { bootMachine } from './boot.ts'
import { UsageError } from './errors.ts'
import { hostOutput } from './host_output.ts'
import { type BootOptions, parseMount } from './options.ts'

/** Status of a run that --timeout ended, as timeout(1) has it. */
const EX_TIMEOUT = 124

/** The longest time a timer of Node can wait, ms. */
const MAX_TIMER = 2 ** 31 - 1

/** Environment of a shell that somebody starts, as a login on the reference machine has it. */
export const LOGIN_ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['HOME', '/root'],
  ['LC_ALL', 'C'],
  ['LOGNAME', 'root'],
  ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ['SHELL', '/bin/bash'],
  ['TERM', 'dumb'],
  ['TZ', 'UTC'],
  ['USER', 'root'],
]

/** Boots the machine that the options describe. */
export function boot(options: BootOptions, machine: 'bare' | 'nic' = options.machine ?? 'bare'): Machine {
  const mounts = (options.mount ?? []).map(parseMount)
  const booted = bootMachine({ profile: machine, seed: options.seed ?? 1, conveniences: true })
  if (process.env.LINNET_DEBUG !== undefined)
    booted.onCrash = (comm, error) => {
      process.stderr.write(`${comm}: ${error instanceof Error ? error.stack : String(error)}\n`)
    }
  for (const { host, dir, writable } of mounts) booted.mountHostFolder(host, dir, writable)
  return booted
}

/** @returns a shell's exit status for how a process ended */
export function exitStatus(status: WaitStatus | undefined): number {
  if (status === undefined) return EX_TIMEOUT
  return status.kind === 'exited' ? status.status : status.kind === 'signaled' ? 128 + status.signal : 0
}

/** Starts bash over the host's standard streams and waits for it. */
async function bash(machine: Machine, argv: readonly string[], options: BootOptions): Promise<number> {
  const stdin = machine.hostInput()
  const running = machine.spawn({
    argv: ['bash', ...argv],
    env: new Map(LOGIN_ENVIRONMENT),
    cwd: '/root',
    stdin,
    stdout: hostOutput(machine, process.stdout),
    stderr: hostOutput(machine, process.stderr),
  })
  const onData = (data: Buffer): void => stdin.push(data)
  const onEnd = (): void => stdin.end()
  let interrupts = 0
  const interrupt = (): void => {
    interrupts++
    running.kill(interrupts < 3 ? Signal.SIGINT : Signal.SIGKILL)
  }
  if (process.stdin.isTTY) stdin.end()
  else process.stdin.on('data', onData).on('end', onEnd)
  process.on('SIGINT', interrupt)
  try {
    return exitStatus(await limited(machine, options, running.exited))
  } finally {
    process.off('SIGINT', interrupt)
    process.stdin.off('data', onData).off('end', onEnd).pause()
    process.stdin.unref?.()
  }
}

/**
 * Runs the machine until a promise settles, under --timeout.
 * @returns its value, undefined where the time was over or nothing could happen any more, which has been said
 */
export async function limited<T>(machine: Machine, options: BootOptions, until: Promise<T>): Promise<T | undefined> {
  const { timeout } = options
  const limit =
    timeout === undefined
      ? undefined
      : setTimeout(() => machine.scheduler.abort(new TimedOut(timeout)), Math.min(timeout * 1000, MAX_TIMER))
  try {
    return await machine.run(until)
  } catch (error) {
    if (!(error instanceof TimedOut) && !(error instanceof Deadlock)) throw error
    const message = error instanceof Deadlock ? `nothing can happen any more: ${error.message}` : error.message
    process.stderr.write(`linnet: ${message}\n`)
    return undefined
  } finally {
    clearTimeout(limit)
  }
}

/** The limit of --timeout was reached. */
class TimedOut extends Error {
  constructor(seconds: number) {
    super(`stopped after ${seconds} s (--timeout)`)
  }
}

/** `linnet -c 'commands' [name args…]` @returns the exit status */
export async function runCommands(commands: string, args: readonly string[], options: BootOptions): Promise<number> {
  return bash(boot(options), ['-c', commands, ...args], options)
}

/** Commands from a pipe or file on standard input, as `bash` reads them. @returns the exit status */
export async function runStdin(options: BootOptions): Promise<number> {
  return bash(boot(options), ['-s'], options)
}

/** Reads a script of the host. @throws UsageError */
function readScript(script: string): Uint8Array {
  try {
    return readFileSync(script === '-' ? 0 : script)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const why =
      code === 'ENOENT'
        ? 'No such file or directory'
        : code === 'EISDIR'
          ? 'Is a directory'
          : code === 'EACCES'
            ? 'Permission denied'
            : String(code)
    throw new UsageError(`${script}: ${why}`)
  }
}

/** `linnet run SCRIPT [ARGS]` @returns the script's exit status */
export async function runScript(script: string, args: readonly string[], options: BootOptions): Promise<number> {
  const bytes = readScript(script)
  const asked = scriptMachine(new TextDecoder().decode(bytes.subarray(0, 4096)))
  const machine = boot(options, options.machine ?? asked)
  // in the machine it lies in the directory that the shell starts in
  const name = script === '-' ? 'stdin.sh' : basename(script)
  const file = machine.vfs.open(machine.host, `/root/${name}`, O_WRONLY | O_CREAT | O_TRUNC, 0o755)
  file.write(machine.host, bytes)
  file.put()
  return bash(machine, [script.startsWith('./') ? `./${name}` : name, ...args], options)
}

/** `linnet run --transcript SCRIPT` @returns 0: the statuses are in the transcript */
export async function runTranscript(script: string, options: BootOptions): Promise<number> {
  const text = new TextDecoder().decode(readScript(script))
  const machine = boot(options, options.machine ?? scriptMachine(text))
  const done = transcriptOf(machine, text, step => process.stdout.write(step)).then(() => 0)
  return (await limited(machine, options, done)) ?? EX_TIMEOUT
}
