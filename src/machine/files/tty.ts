/**
 * Terminals: the line discipline between a front end (the host's terminal, or a test) and the processes of a session.
 * See termios(3): canonical input with erase and kill, echo, and the characters that send signals.
 */
import { WaitQueue } from '../../kernel/core/wait.ts'
import { Errno } from '../../uapi/errno.ts'
import { POLLIN, POLLOUT, S_IFCHR, type Stat } from '../../uapi/fs.ts'
import type { LineEditing } from '../../uapi/process.ts'
import { Signal } from '../../uapi/signal.ts'
import { concat } from '../bytes.ts'
import type { Machine } from '../machine.ts'
import { isOrphaned, signalGroup } from '../signals.ts'
import type { Task } from '../task.ts'
import { OpenFile } from './open_file.ts'

/** What a front end gives a terminal. */
export interface TtyFrontEnd {
  /** Shows output, after output processing. */
  output(data: Uint8Array): void
  /** Called when a process begins to wait for input and none is there: the time to read a line from the user. */
  waiting?(): void
  /**
   * Lets the user edit a line and gives it to `inputLine`, or `inputEnd`, or a signal's key to `input`.
   * @param typed what has been typed already
   */
  edit?(typed: Uint8Array, editing: LineEditing): void
  /** Nobody reads the line any more. */
  endEdit?(): void
}

/** The settings of termios(3) that exist. */
export interface Termios {
  /** line by line, with editing; else byte by byte */
  canonical: boolean
  /** input is shown */
  echo: boolean
  /** Ctrl-C, Ctrl-Z and Ctrl-\ send signals */
  signals: boolean
  /** output: a newline becomes carriage return and newline */
  crlf: boolean
}

const CTRL_C = 3
const CTRL_D = 4
const BACKSPACE = 8
const NEWLINE = 10
const RETURN = 13
const CTRL_U = 21
const CTRL_W = 23
const CTRL_Z = 26
const CTRL_BACKSLASH = 28
const DELETE = 127
const ERASE = new Uint8Array([8, 32, 8])
const EMPTY = new Uint8Array(0)

/** Counts who waits for the terminal, so that the scheduler knows that input may come. */
class TtyWaitQueue extends WaitQueue {
  private readonly tty: Tty
  private waiters = 0

  constructor(tty: Tty) {
    super()
    this.tty = tty
  }

  override add(...args: Parameters<WaitQueue['add']>): void {
    super.add(...args)
    if (this.waiters++ === 0) this.tty.awaited(true)
  }

  override remove(...args: Parameters<WaitQueue['remove']>): void {
    super.remove(...args)
    if (--this.waiters === 0) this.tty.awaited(false)
  }
}

/** A terminal. */
export class Tty {
  /** its device file */
  readonly path: string
  readonly rdev: number
  readonly termios: Termios = { canonical: true, echo: true, signals: true, crlf: false }
  rows = 24
  columns = 80
  /** the process group that the keyboard's signals go to, and that may read */
  foreground = 0
  /** the session that this is the controlling terminal of */
  session: number | undefined
  readonly wq: WaitQueue
  private readonly machine: Machine
  private readonly frontEnd: TtyFrontEnd
  /** input ready to be read, line by line in canonical mode; an empty one is an end of file */
  private readonly ready: Uint8Array[] = []
  private line: number[] = []

  constructor(machine: Machine, path: string, rdev: number, frontEnd: TtyFrontEnd) {
    this.machine = machine
    this.path = path
    this.rdev = rdev
    this.frontEnd = frontEnd
    this.wq = new TtyWaitQueue(this)
  }

  /** Used by its wait queue. */
  awaited(on: boolean): void {
    this.machine.scheduler.awaitedInputs += on ? 1 : -1
    if (on) this.frontEnd.waiting?.()
  }

  /** Keys pressed by the user. */
  input(data: Uint8Array): void {
    for (const byte of data) this.key(byte)
    this.machine.scheduler.kick()
  }

  /** A line that the front end has already edited and shown; the newline is added. */
  inputLine(line: string): void {
    this.accept(new TextEncoder().encode(`${line}\n`))
    this.machine.scheduler.kick()
  }

  /** The end of input: what Ctrl-D on an empty line means. */
  inputEnd(): void {
    this.accept(EMPTY)
    this.machine.scheduler.kick()
  }

  /** A process wants a line that the user can edit. What has been typed ahead is the beginning of it. */
  beginEdit(editing: LineEditing): void {
    if (this.frontEnd.edit === undefined || !this.termios.canonical) return
    const typed = [...this.ready.splice(0), Uint8Array.from(this.line)]
    this.line = []
    this.frontEnd.edit(concat(typed), editing)
  }

  /** It does not want it any more. */
  endEdit(): void {
    this.frontEnd.endEdit?.()
  }

  /** The window has another size now. */
  resize(rows: number, columns: number): void {
    this.rows = rows
    this.columns = columns
    this.signal(Signal.SIGWINCH)
    this.machine.scheduler.kick()
  }

  /** Sends a signal to the foreground group, as a key does. */
  signal(signal: number): void {
    signalGroup(this.machine.processes.group(this.foreground), signal)
  }

  private key(byte: number): void {
    const { termios } = this
    if (termios.signals) {
      const signal =
        byte === CTRL_C
          ? Signal.SIGINT
          : byte === CTRL_Z
            ? Signal.SIGTSTP
            : byte === CTRL_BACKSLASH
              ? Signal.SIGQUIT
              : 0
      if (signal !== 0) {
        this.line = []
        this.ready.length = 0
        this.echo([94, byte + 64])
        this.signal(signal)
        return
      }
    }
    if (!termios.canonical) {
      this.echo([byte])
      this.accept(Uint8Array.of(byte))
      return
    }
    switch (byte) {
      case CTRL_D:
        this.accept(Uint8Array.from(this.line))
        this.line = []
        return
      case RETURN:
      case NEWLINE:
        this.line.push(NEWLINE)
        this.echo([NEWLINE])
        this.accept(Uint8Array.from(this.line))
        this.line = []
        return
      case BACKSPACE:
      case DELETE:
        this.erase(1)
        return
      case CTRL_U:
        this.erase(this.line.length)
        return
      case CTRL_W:
        while (this.line.at(-1) === 32) this.erase(1)
        while (this.line.length > 0 && this.line.at(-1) !== 32) this.erase(1)
        return
      default:
        this.line.push(byte)
        this.echo([byte])
    }
  }

  /** Takes back characters of the line, whole UTF-8 sequences each. */
  private erase(count: number): void {
    while (count-- > 0 && this.line.length > 0) {
      let byte = this.line.pop()!
      while ((byte & 0xc0) === 0x80 && this.line.length > 0) byte = this.line.pop()!
      if (this.termios.echo) this.frontEnd.output(ERASE)
    }
  }

  private echo(bytes: readonly number[]): void {
    if (this.termios.echo) this.write(Uint8Array.from(bytes))
  }

  private accept(data: Uint8Array): void {
    this.ready.push(data)
    this.wq.wake()
  }

  /** Output of a process. */
  write(data: Uint8Array): void {
    if (!this.termios.crlf || !data.includes(NEWLINE)) {
      this.frontEnd.output(data)
      return
    }
    const out: number[] = []
    for (const byte of data) {
      if (byte === NEWLINE) out.push(RETURN)
      out.push(byte)
    }
    this.frontEnd.output(Uint8Array.from(out))
  }

  /** @returns input, or undefined where none is there yet */
  read(max: number): Uint8Array | undefined {
    const first = this.ready[0]
    if (first === undefined) return undefined
    if (first.length <= max) return this.ready.shift()!
    this.ready[0] = first.subarray(max)
    return first.subarray(0, max)
  }

  get hasInput(): boolean {
    return this.ready.length > 0
  }

  stat(): Stat {
    return {
      dev: 21,
      ino: 3,
      mode: S_IFCHR | 0o620,
      nlink: 1,
      uid: 0,
      gid: 5,
      size: 0,
      mtime: this.machine.kernel.realtime,
    }
  }
}

/** An open terminal. */
export class TtyFile extends OpenFile {
  readonly tty: Tty

  constructor(flags: number, tty: Tty) {
    super(flags)
    this.tty = tty
  }

  override get wq(): WaitQueue {
    return this.tty.wq
  }

  override get link(): string {
    return this.tty.path
  }

  override stat(): Stat {
    return this.tty.stat()
  }

  override read(task: Task, max: number): Uint8Array | number {
    const { tty } = this
    if (task.tty === tty && task.pgid !== tty.foreground) {
      const group = task.machine.processes.group(task.pgid)
      if (task.handlers.get(Signal.SIGTTIN) === 'ignore' || isOrphaned(group)) return -Errno.EIO
      signalGroup(group, Signal.SIGTTIN)
      return -Errno.EAGAIN
    }
    return tty.read(max) ?? -Errno.EAGAIN
  }

  override write(_task: Task, data: Uint8Array): number {
    this.tty.write(data)
    return data.length
  }

  override poll(): number {
    return POLLOUT | (this.tty.hasInput ? POLLIN : 0)
  }
}
