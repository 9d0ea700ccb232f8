/** timeout(1) */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import type { Process, Program, WaitStatus } from '../../src/uapi/process.ts'
import { Signal, signalName, signalNumber } from '../../src/uapi/signal.ts'
import { COMMON_OPTIONS, helpTail, parseDuration, quote, usageError, versionText } from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'
import { execCommand } from '../lib/run.ts'

const HELP = `Usage: timeout [OPTION] DURATION COMMAND [ARG]...
  or:  timeout [OPTION]
Start COMMAND, and kill it if still running after DURATION.

Mandatory arguments to long options are mandatory for short options too.
      --preserve-status
                 exit with the same status as COMMAND, even when the
                   command times out
      --foreground
                 when not running timeout directly from a shell prompt,
                   allow COMMAND to read from the TTY and get TTY signals;
                   in this mode, children of COMMAND will not be timed out
  -k, --kill-after=DURATION
                 also send a KILL signal if COMMAND is still running
                   this long after the initial signal was sent
  -s, --signal=SIGNAL
                 specify the signal to be sent on timeout;
                   SIGNAL may be a name like 'HUP' or a number;
                   see 'kill -l' for a list of signals
  -v, --verbose  diagnose to stderr any signal sent upon timeout
      --help        display this help and exit
      --version     output version information and exit

DURATION is a floating point number with an optional suffix:
's' for seconds (the default), 'm' for minutes, 'h' for hours or 'd' for days.
A duration of 0 disables the associated timeout.

Upon timeout, send the TERM signal to COMMAND, if no other SIGNAL specified.
The TERM signal kills any process that does not block or catch that signal.
It may be necessary to use the KILL signal, since this signal can't be caught.

EXIT status:
  124  if COMMAND times out, and --preserve-status is not specified
  125  if the timeout command itself fails
  126  if COMMAND is found but cannot be invoked
  127  if COMMAND cannot be found
  137  if COMMAND (or timeout itself) is sent the KILL (9) signal (128+9)
  -    the exit status of COMMAND otherwise
${helpTail('timeout')}`

const OPTIONS = [
  ...COMMON_OPTIONS,
  { key: 'preserve', long: 'preserve-status' },
  { key: 'foreground', long: 'foreground' },
  { key: 'killAfter', short: 'k', long: 'kill-after', arg: 'required' },
  { key: 'signal', short: 's', long: 'signal', arg: 'required' },
  { key: 'verbose', short: 'v', long: 'verbose' },
] as const

const EXIT_TIMEDOUT = 124
const EXIT_CANCELED = 125
/** Signals that timeout passes on to the command. */
const PASSED_ON = [Signal.SIGINT, Signal.SIGQUIT, Signal.SIGHUP, Signal.SIGTERM]

/** What the command line asks for; times in ns, 0 for none. */
interface Request {
  signal: number
  killAfter: number
  duration: number
  foreground: boolean
  preserve: boolean
  verbose: boolean
  command: string[]
}

/** @returns what is asked for, or a status after help or a message */
function parse(proc: Process): Request | number {
  const name = proc.argv[0] ?? ''
  const request: Request = {
    signal: Signal.SIGTERM,
    killAfter: 0,
    duration: 0,
    foreground: false,
    preserve: false,
    verbose: false,
    command: [],
  }
  const badTime = (text: string): number =>
    usageError(proc, `${name}: invalid time interval ${quote(text)}`, EXIT_CANCELED)
  const opts = new Getopt(proc.argv, OPTIONS, true)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return usageError(proc, found.error, EXIT_CANCELED)
    switch (found.key) {
      case 'help':
      case 'version':
        proc.stdout.write(found.key === 'help' ? HELP : versionText('timeout', 'Padraig Brady'))
        return 0
      case 'preserve':
        request.preserve = true
        break
      case 'foreground':
        request.foreground = true
        break
      case 'verbose':
        request.verbose = true
        break
      case 'killAfter': {
        const ns = parseDuration(found.value!)
        if (ns === undefined) return badTime(found.value!)
        request.killAfter = ns
        break
      }
      case 'signal': {
        const number = signalNumber(found.value!)
        if (number === undefined)
          return usageError(proc, `${name}: ${quote(found.value!)}: invalid signal`, EXIT_CANCELED)
        request.signal = number
      }
    }
  }
  const [duration, ...command] = opts.operands
  if (duration === undefined || command.length === 0) return usageError(proc, undefined, EXIT_CANCELED)
  const ns = parseDuration(duration)
  if (ns === undefined) return badTime(duration)
  return { ...request, duration: ns, command }
}

export const main: Program = async proc => {
  const request = parse(proc)
  if (typeof request === 'number') return request
  const name = proc.argv[0] ?? ''
  if (!request.foreground) leadGroup(proc)
  proc.signal(Signal.SIGTTIN, 'ignore')
  proc.signal(Signal.SIGTTOU, 'ignore')
  let childChanged = false
  const arrived: number[] = []
  proc.signal(Signal.SIGCHLD, () => {
    childChanged = true
  })
  for (const signal of new Set([...PASSED_ON, request.signal]))
    if (signal > 0 && signal !== Signal.SIGKILL && signal !== Signal.SIGSTOP)
      proc.signal(signal, number => arrived.push(number))
  const { command } = request
  const child = proc.fork(async inner => {
    inner.signal(Signal.SIGTTIN, 'default')
    inner.signal(Signal.SIGTTOU, 'default')
    return execCommand(inner, command, reason => `${name}: failed to run command ${quote(command[0]!)}: ${reason}\n`)
  })
  const watch = new Watch(proc, request, child)
  for (;;) {
    childChanged = false
    const status = await proc.waitpid(child, { nohang: true })
    if (status !== undefined) return watch.finish(status)
    const signal = arrived.shift()
    if (signal !== undefined) watch.send(signal)
    else if (proc.monotonic() >= watch.deadline) watch.expire()
    else if (!childChanged) await proc.pause(watch.deadline - proc.monotonic())
  }
}

/** Becomes the leader of a group of its own; the leader of a session is one already. */
function leadGroup(proc: Process): void {
  try {
    proc.setpgid(0, 0)
  } catch (error) {
    if (!isSysError(error, Errno.EPERM)) throw error
  }
}

/** The command while it runs: its time limit, and what was done about it. */
class Watch {
  deadline: number
  private readonly proc: Process
  private readonly request: Request
  private readonly child: number
  private signal: number
  private killAfter: number
  private timedOut = false

  constructor(proc: Process, request: Request, child: number) {
    this.proc = proc
    this.request = request
    this.child = child
    this.signal = request.signal
    this.killAfter = request.killAfter
    this.deadline = this.after(request.duration)
  }

  private after(ns: number): number {
    return ns === 0 ? Number.POSITIVE_INFINITY : this.proc.monotonic() + ns
  }

  /** The time is over. */
  expire(): void {
    this.deadline = Number.POSITIVE_INFINITY
    this.timedOut = true
    this.send(this.signal)
  }

  /** Sends a signal to the command and its group, and sets the time for the last one. */
  send(signal: number): void {
    const { proc, request } = this
    if (this.killAfter !== 0) {
      this.signal = Signal.SIGKILL
      this.deadline = this.after(this.killAfter)
      this.killAfter = 0
    }
    if (request.verbose)
      proc.stderr.write(
        `${proc.argv[0]}: sending signal ${signalName(signal) ?? signal} to command ${quote(request.command[0]!)}\n`,
      )
    proc.kill(this.child, signal)
    if (request.foreground) return
    this.group(signal)
    if (signal === Signal.SIGKILL || signal === Signal.SIGCONT) return
    proc.kill(this.child, Signal.SIGCONT)
    this.group(Signal.SIGCONT)
  }

  /** Signals the whole group, itself left out as far as a process can. */
  private group(signal: number): void {
    if (signal !== 0 && signal !== Signal.SIGKILL && signal !== Signal.SIGSTOP) this.proc.signal(signal, 'ignore')
    this.proc.kill(0, signal)
  }

  /** @returns the exit status; a command that was killed by another's signal is followed by dying of it as well */
  finish(status: WaitStatus): number {
    const { proc, request } = this
    let { preserve } = request
    let code = 0
    if (status.kind === 'exited') code = status.status
    else if (status.kind === 'signaled') {
      code = 128 + status.signal
      if (!this.timedOut) {
        if (status.signal !== Signal.SIGKILL) proc.signal(status.signal, 'default')
        proc.kill(proc.pid, status.signal)
      } else if (status.signal === Signal.SIGKILL) preserve = true
    }
    return this.timedOut && !preserve ? EXIT_TIMEDOUT : code
  }
}
