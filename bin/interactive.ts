/** The interactive shell on the host's terminal, with virtual time in step with the wall. */
import { Signal } from '../src/uapi/signal.ts'
import { complete } from './complete.ts'
import { FrontEnd } from './front_end.ts'
import { History } from './history.ts'
import type { BootOptions } from './options.ts'
import { boot, exitStatus, LOGIN_ENVIRONMENT, limited } from './run.ts'

/** Runs the interactive shell. @param fast virtual time runs free @returns its exit status */
export async function interactive(options: BootOptions, fast: boolean): Promise<number> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    const { runStdin } = await import('./run.ts')
    return runStdin(options)
  }
  const machine = boot(options)
  const history = new History()
  const frontEnd = new FrontEnd(process.stdin, process.stdout, history, (line, editing) =>
    complete(machine, tty.foreground, line, editing),
  )
  const { tty, open } = machine.createTty(frontEnd)
  const shell = machine.spawn({
    argv: ['bash', '-i'],
    env: new Map([...LOGIN_ENVIRONMENT, ['TERM', process.env.TERM ?? 'xterm']]),
    cwd: '/root',
    stdin: open(),
    stdout: open(),
    stderr: open(),
    tty,
  })
  frontEnd.start(tty)
  if (!fast) machine.scheduler.setRealTime(true)
  // a terminal that goes away hangs up; others ask for an end
  const hangUp = (): void => shell.kill(Signal.SIGHUP)
  process.on('SIGHUP', hangUp).on('SIGTERM', hangUp)
  try {
    return exitStatus(await limited(machine, options, shell.exited))
  } finally {
    process.off('SIGHUP', hangUp).off('SIGTERM', hangUp)
    frontEnd.stop()
  }
}
