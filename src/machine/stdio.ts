/**
 * Standard streams as the C library keeps them: output is collected, and written out at each line on a terminal, when
 * it has grown large elsewhere, at once on standard error, and at exit; input is read ahead.
 */
import { Errno, SysError } from '../uapi/errno.ts'
import type { InputStream, OutputStream } from '../uapi/process.ts'
import { Signal } from '../uapi/signal.ts'
import { concat } from './bytes.ts'
import { COST } from './costs.ts'
import { TtyFile } from './files/tty.ts'
import { sendSignal } from './signals.ts'
import { ProcessGone, type Task } from './task.ts'

/** Bytes collected before they are written out: st_blksize of pipes and files. */
const BUFFER_SIZE = 4096
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** A buffered output stream of a process. */
export class Output implements OutputStream {
  readonly fd: number
  private readonly task: Task
  private readonly unbuffered: boolean
  private text = ''
  private chunks: Uint8Array[] = []
  private size = 0
  private error: SysError | undefined

  constructor(task: Task, fd: number, unbuffered: boolean) {
    this.task = task
    this.fd = fd
    this.unbuffered = unbuffered
  }

  write(data: string | Uint8Array): void {
    if (this.task.gone) throw new ProcessGone()
    if (data.length === 0) return
    let newline: boolean
    if (typeof data === 'string') {
      this.text += data
      newline = data.includes('\n')
    } else {
      this.sealText()
      this.chunks.push(data.slice())
      newline = data.includes(10)
    }
    this.size += data.length
    if (this.unbuffered || this.size >= BUFFER_SIZE || (newline && this.onTerminal)) {
      this.drain()
      if (this.task.gone) throw new ProcessGone()
    }
  }

  async flush(): Promise<void> {
    await this.task.preempt()
    if (this.task.gone) throw new ProcessGone()
    if (!this.drain()) await this.drainBlocking()
    const { error } = this
    this.error = undefined
    if (error !== undefined) throw error
  }

  private get onTerminal(): boolean {
    return this.task.files.peek(this.fd) instanceof TtyFile
  }

  private sealText(): void {
    if (this.text === '') return
    this.chunks.push(encoder.encode(this.text))
    this.text = ''
  }

  /** Writes out what can be written without blocking. @returns whether nothing is left */
  drain(): boolean {
    if (this.size === 0) return true
    this.sealText()
    const { task } = this
    const file = task.files.peek(this.fd)
    if (file?.writable !== true) {
      this.fail(Errno.EBADF)
      return true
    }
    while (this.chunks.length > 0) {
      const chunk = this.chunks[0]!
      task.charge(COST.io + chunk.length * COST.byte)
      const taken = file.write(task, chunk)
      if (taken === -Errno.EAGAIN) return false
      if (taken < 0) {
        this.fail(-taken)
        return true
      }
      if (taken === chunk.length) this.chunks.shift()
      else this.chunks[0] = chunk.subarray(taken)
    }
    this.size = 0
    return true
  }

  /** Writes everything out, waiting while a pipe is full. */
  async drainBlocking(): Promise<void> {
    const { task } = this
    while (!this.drain()) {
      const { wq } = task.files.get(this.fd)
      await task.wait(wq === undefined ? [] : [wq], Number.POSITIVE_INFINITY, 'pipe_write')
    }
  }

  /** Output has nowhere to go: it is lost, and the next flush says why. */
  private fail(errno: number): void {
    this.chunks = []
    this.text = ''
    this.size = 0
    this.error = new SysError(errno)
    if (errno === Errno.EPIPE) sendSignal(this.task, Signal.SIGPIPE)
  }
}

/** A buffered input stream of a process. */
export class Input implements InputStream {
  readonly fd: number
  private readonly task: Task
  private buffer: Uint8Array = new Uint8Array(0)
  private ended = false

  constructor(task: Task, fd: number) {
    this.task = task
    this.fd = fd
  }

  async readLine(): Promise<string | undefined> {
    let searched = 0
    for (;;) {
      const end = this.buffer.indexOf(10, searched)
      if (end >= 0) {
        const line = decoder.decode(this.buffer.subarray(0, end))
        this.buffer = this.buffer.subarray(end + 1)
        return line
      }
      searched = this.buffer.length
      if (!(await this.fill())) {
        if (searched === 0) return undefined
        const rest = decoder.decode(this.buffer)
        this.buffer = new Uint8Array(0)
        return rest
      }
    }
  }

  async readAll(): Promise<Uint8Array> {
    const chunks = [this.buffer]
    this.buffer = new Uint8Array(0)
    while (await this.fill()) {
      chunks.push(this.buffer)
      this.buffer = new Uint8Array(0)
    }
    return concat(chunks)
  }

  /** Reads on. @returns false at the end of the file */
  private async fill(): Promise<boolean> {
    if (this.ended) {
      this.ended = false
      return false
    }
    const data = await this.task.user.read(this.fd, 65_536)
    if (data.length === 0) {
      if (this.buffer.length > 0) this.ended = true
      return false
    }
    this.buffer = this.buffer.length === 0 ? data : concat([this.buffer, data])
    return true
  }
}

/** The three standard streams. */
export interface Stdio {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
}

/** Makes the streams that a program starts with. */
export function makeStdio(task: Task): Stdio {
  return { stdin: new Input(task, 0), stdout: new Output(task, 1, false), stderr: new Output(task, 2, true) }
}
