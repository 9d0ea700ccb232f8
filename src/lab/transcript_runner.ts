/**
 * Runs a script as the recorder of the reference machine does (test/reference/driver): one bash evaluates line after
 * line, with nothing on standard input and each line's output and errors in files of their own.
 */
import { Timer } from '../kernel/core/clock.ts'
import type { Machine } from '../machine/machine.ts'
import { Deadlock } from '../machine/scheduler.ts'
import { ExitJump } from '../shell/control.ts'
import { Shell } from '../shell/shell.ts'
import { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from '../uapi/fs.ts'
import type { Process } from '../uapi/process.ts'
import { formatStep, scriptCommands } from './transcript.ts'

/** The script that the shell takes itself to be run by, and the line of its `eval`: messages show them. */
const DRIVER = '/reference/driver'
const EVAL_LINE = 15

const STDOUT = '/tmp/stdout'
const STDERR = '/tmp/stderr'

/** How long one step may take, ns of virtual time: a script whose step takes longer is ended there, as the recorder does. */
const STEP_LIMIT = 100e9

class OutOfTime extends Error {}

/** Environment of the recorder's shell. */
const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['HOME', '/root'],
  ['LC_ALL', 'C'],
  ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ['TERM', 'dumb'],
  ['TZ', 'UTC'],
]

/** Puts a file in the place of a descriptor. */
function redirect(proc: Process, fd: number, path: string, flags: number): void {
  const opened = proc.open(path, flags, 0o644)
  if (opened === fd) return
  proc.dup2(opened, fd)
  proc.close(opened)
}

/** Evaluates one line with its streams in files. @returns the status, and whether the line ended the shell */
async function evaluate(shell: Shell, proc: Process, command: string): Promise<{ status: number; ended: boolean }> {
  const saved = [0, 1, 2].map(fd => proc.dup(fd, 100))
  redirect(proc, 0, '/dev/null', O_RDONLY)
  redirect(proc, 1, STDOUT, O_WRONLY | O_CREAT | O_TRUNC)
  redirect(proc, 2, STDERR, O_WRONLY | O_CREAT | O_TRUNC)
  try {
    return { status: await shell.evalLine(command), ended: false }
  } catch (error) {
    if (error instanceof ExitJump) return { status: error.status, ended: true }
    throw error
  } finally {
    saved.forEach((copy, fd) => {
      proc.dup2(copy, fd)
      proc.close(copy)
    })
  }
}

/**
 * Runs a script on a machine.
 * @param step gets the lines of each step as it ends
 */
export async function transcriptOf(machine: Machine, script: string, step: (lines: string) => void): Promise<void> {
  const { clock } = machine.kernel
  const limit = new Timer(() => machine.scheduler.abort(new OutOfTime()))
  const running = machine.spawn({
    argv: ['bash', DRIVER],
    env: new Map(ENVIRONMENT),
    cwd: '/tmp',
    main: async proc => {
      const shell = new Shell(proc, { name0: DRIVER, kind: 'script', lineBase: EVAL_LINE })
      for (const command of scriptCommands(script)) {
        clock.mod(limit, clock.now + STEP_LIMIT)
        const { status, ended } = await evaluate(shell, proc, command)
        // a line that ends the shell ends the recording, before anything is written about it
        if (ended) return status
        const decoder = new TextDecoder()
        step(
          formatStep({
            command,
            stdout: decoder.decode(proc.readFile(STDOUT)),
            stderr: decoder.decode(proc.readFile(STDERR)),
            status,
          }),
        )
      }
      return 0
    },
  })
  try {
    await machine.run(running.exited)
  } catch (error) {
    // a step that never ends: what came before it is the transcript
    if (!(error instanceof Deadlock || error instanceof OutOfTime)) throw error
  } finally {
    clock.del(limit)
  }
}
