/** Traps, and signals that came and wait for the command being run to finish. */
import { Signal, signalName, signalNumber } from '../uapi/signal.ts'
import { ExitJump } from './control.ts'
import type { Shell } from './shell.ts'

/** What a trap is set on: a signal's number, or one of the shell's own events. */
export type TrapKey = number | 'EXIT' | 'ERR' | 'DEBUG' | 'RETURN'

/** Signals that end a process and let an EXIT trap run first. */
const TERMINATING = [
  Signal.SIGHUP,
  Signal.SIGINT,
  Signal.SIGILL,
  Signal.SIGTRAP,
  Signal.SIGABRT,
  Signal.SIGFPE,
  Signal.SIGBUS,
  Signal.SIGSEGV,
  Signal.SIGSYS,
  Signal.SIGPIPE,
  Signal.SIGALRM,
  Signal.SIGTERM,
  Signal.SIGXCPU,
  Signal.SIGXFSZ,
  Signal.SIGVTALRM,
  Signal.SIGUSR1,
  Signal.SIGUSR2,
]

/** @returns what a word names: a signal by number or name, or an event; undefined for nothing */
export function trapKey(word: string): TrapKey | undefined {
  const name = word.toUpperCase().replace(/^SIG/, '')
  if (name === 'EXIT' || word === '0') return 'EXIT'
  if (name === 'ERR' || name === 'DEBUG' || name === 'RETURN') return name
  const number = signalNumber(word)
  if (number === undefined || number < 1 || signalName(number) === undefined) return undefined
  return number
}

/** @returns a key as `trap -p` shows it */
export function keyName(key: TrapKey): string {
  return typeof key === 'number' ? `SIG${signalName(key) ?? key}` : key
}

export class Traps {
  private commands = new Map<TrapKey, string>()
  /** what a subshell lists until it sets a trap itself: its parent's */
  private shown: Map<TrapKey, string> | undefined
  /** signals whose traps have not run yet */
  private readonly pending: number[] = []
  /** a signal that ends the shell once its EXIT trap has run */
  private fatal: number | undefined
  /** Ctrl-C in an interactive shell */
  interrupted = false
  private readonly running = new Set<TrapKey>()
  /** signals ignored when the shell started: they stay so */
  private readonly hardIgnored = new Set<number>()

  fork(): Traps {
    const copy = new Traps()
    copy.shown = new Map(this.shown ?? this.commands)
    copy.commands = new Map(this.commands)
    return copy
  }

  /** In a new child: only what is ignored, and what the options hand down, stays. */
  resetInChild(sh: Shell): void {
    const kept = new Map<TrapKey, string>()
    for (const [key, command] of this.commands) {
      if (typeof key === 'number' && command === '') kept.set(key, command)
      if (key === 'ERR' && sh.options.on('errtrace')) kept.set(key, command)
      if ((key === 'DEBUG' || key === 'RETURN') && sh.options.on('functrace')) kept.set(key, command)
    }
    this.commands = kept
  }

  /** Sets a trap; '' ignores, undefined resets. */
  set(sh: Shell, key: TrapKey, command: string | undefined): void {
    this.shown = undefined
    if (typeof key === 'number' && this.hardIgnored.has(key)) return
    if (command === undefined) this.commands.delete(key)
    else this.commands.set(key, command)
    this.install(sh, key)
  }

  private install(sh: Shell, key: TrapKey): void {
    if (key === 'EXIT') {
      for (const signal of TERMINATING) if (!this.commands.has(signal)) this.handler(sh, signal)
      return
    }
    if (typeof key === 'number' && key !== Signal.SIGKILL && key !== Signal.SIGSTOP) this.handler(sh, key)
  }

  private handler(sh: Shell, signal: number): void {
    const command = this.commands.get(signal)
    if (command !== undefined) {
      sh.proc.signal(signal, command === '' ? 'ignore' : () => this.pending.push(signal))
    } else if (sh.interactive && signal === Signal.SIGINT) {
      sh.proc.signal(signal, () => {
        this.interrupted = true
      })
    } else if (sh.interactive && (signal === Signal.SIGTERM || signal === Signal.SIGQUIT))
      sh.proc.signal(signal, 'ignore')
    else if (this.commands.has('EXIT') && (TERMINATING as readonly number[]).includes(signal)) {
      sh.proc.signal(signal, () => {
        this.fatal = signal
      })
    } else sh.proc.signal(signal, 'default')
  }

  /** Signals the parent left ignored cannot be trapped. */
  ignoreFromStart(signal: number): void {
    this.hardIgnored.add(signal)
  }

  get(key: TrapKey): string | undefined {
    return this.commands.get(key)
  }

  /** @returns traps as listed, in the order of signal numbers */
  list(): [TrapKey, string][] {
    const order = (key: TrapKey): number =>
      key === 'EXIT' ? 0 : typeof key === 'number' ? key : key === 'DEBUG' ? 65 : key === 'ERR' ? 66 : 67
    return [...(this.shown ?? this.commands)].sort(([a], [b]) => order(a) - order(b))
  }

  /**
   * Puts off the end that Ctrl-C means for a script while a command in the foreground runs: the signal is the command's.
   * @returns a function for afterwards, which tells whether it came
   */
  deferInterrupt(sh: Shell): () => boolean {
    if (sh.interactive || this.commands.has(Signal.SIGINT) || this.commands.has('EXIT')) return () => false
    let came = false
    const before = sh.proc.signal(Signal.SIGINT, () => {
      came = true
    })
    if (before !== 'default') {
      sh.proc.signal(Signal.SIGINT, before)
      return () => false
    }
    return () => {
      if (!this.commands.has(Signal.SIGINT)) sh.proc.signal(Signal.SIGINT, 'default')
      return came
    }
  }

  /** @returns whether something waits to be run between two commands */
  get waiting(): boolean {
    return this.pending.length > 0 || this.fatal !== undefined
  }

  /** @returns a signal whose trap waits, for `wait`, which it interrupts */
  get pendingSignal(): number | undefined {
    return this.pending[0]
  }

  /** A signal that comes to a child that ends counts for the CHLD trap. */
  childEnded(): void {
    if (this.commands.has(Signal.SIGCHLD) && this.commands.get(Signal.SIGCHLD) !== '') {
      if (!this.pending.includes(Signal.SIGCHLD)) this.pending.push(Signal.SIGCHLD)
    }
  }

  /** Runs traps of signals that came. */
  async runPending(sh: Shell): Promise<void> {
    if (this.fatal !== undefined) {
      const signal = this.fatal
      this.fatal = undefined
      sh.lastStatus = 128 + signal
      await this.runExit(sh)
      sh.proc.signal(signal, 'default')
      sh.proc.kill(sh.proc.pid, signal)
      throw new ExitJump(128 + signal)
    }
    while (this.pending.length > 0) {
      const signal = this.pending.shift()!
      const command = this.commands.get(signal)
      if (command !== undefined && command !== '') await this.run(sh, signal, command)
    }
  }

  /** Runs the commands of a trap; $? is afterwards what it was. */
  private async run(sh: Shell, key: TrapKey, command: string): Promise<void> {
    const { lastStatus, line } = sh
    const pipestatus = sh.vars.elements('PIPESTATUS')?.values
    this.running.add(key)
    try {
      await sh.run(command, {
        line: key === 'ERR' || key === 'DEBUG' || key === 'RETURN' ? line : 1,
        label: key === 'EXIT' ? 'exit trap' : key === 'ERR' ? 'error trap' : key === 'DEBUG' ? 'debug trap' : 'trap',
      })
    } finally {
      this.running.delete(key)
    }
    sh.lastStatus = lastStatus
    sh.line = line
    if (pipestatus !== undefined) sh.vars.assign('PIPESTATUS', [...pipestatus])
  }

  /** The ERR trap, for a command that failed. */
  async runError(sh: Shell): Promise<void> {
    const command = this.commands.get('ERR')
    if (command === undefined || command === '' || this.running.has('ERR')) return
    if (sh.frames.some(frame => frame.kind === 'function') && !sh.options.on('errtrace')) return
    await this.run(sh, 'ERR', command)
  }

  /** The DEBUG trap, before a command. */
  async runDebug(sh: Shell): Promise<void> {
    const command = this.commands.get('DEBUG')
    if (command === undefined || command === '' || this.running.has('DEBUG')) return
    if (sh.frames.some(frame => frame.kind === 'function') && !sh.options.on('functrace')) return
    await this.run(sh, 'DEBUG', command)
  }

  /** The RETURN trap, after a sourced file, or a function where functrace is on. */
  async runReturn(sh: Shell, kind: 'function' | 'source'): Promise<void> {
    const command = this.commands.get('RETURN')
    if (command === undefined || command === '' || this.running.has('RETURN')) return
    if (kind === 'function' && !sh.options.on('functrace')) return
    await this.run(sh, 'RETURN', command)
  }

  /** The EXIT trap, once. Its own `exit` decides the status. */
  async runExit(sh: Shell): Promise<void> {
    const command = this.commands.get('EXIT')
    if (command === undefined) return
    this.commands.delete('EXIT')
    if (command === '') return
    const { lastStatus } = sh
    sh.frames = []
    await sh.run(command, { label: 'exit trap' })
    sh.lastStatus = lastStatus
  }

  /** @returns whether a trap is being run: its commands do not become BASH_COMMAND */
  get active(): boolean {
    return this.running.size > 0
  }
}
