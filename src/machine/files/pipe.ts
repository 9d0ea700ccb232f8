/** Pipes and named pipes, see pipe(7): 64 KiB, small writes whole, EPIPE when nobody reads. */
import { WaitQueue } from '../../kernel/core/wait.ts'
import { Errno } from '../../uapi/errno.ts'
import { O_ACCMODE, O_RDONLY, O_WRONLY, POLLERR, POLLHUP, POLLIN, POLLOUT, S_IFIFO, type Stat } from '../../uapi/fs.ts'
import type { Task } from '../task.ts'
import { OpenFile } from './open_file.ts'

/** Bytes a pipe holds. */
export const PIPE_SIZE = 65_536
/** Writes of up to this many bytes are atomic. */
const PIPE_BUF = 4096
const EMPTY = new Uint8Array(0)
/** Device number of pipefs. */
const PIPEFS_DEV = 13

/** The buffer between readers and writers. */
export class Pipe {
  readonly ino: number
  readonly dev: number
  readonly wq = new WaitQueue()
  readers = 0
  writers = 0
  /** ever opened since the other side came: a named pipe waits for its first peer instead of ending at once */
  readersSeen = 0
  writersSeen = 0
  private chunks: Uint8Array[] = []
  /** the first chunk still in use, and where reading goes on in it */
  private first = 0
  private head = 0
  /** bytes waiting to be read */
  length = 0

  constructor(ino: number, dev = PIPEFS_DEV) {
    this.ino = ino
    this.dev = dev
  }

  /** Takes as much as fits. @returns bytes taken, 0 where it is full */
  push(data: Uint8Array): number {
    const room = PIPE_SIZE - this.length
    if (room === 0 || (data.length <= PIPE_BUF && room < data.length)) return 0
    const taken = Math.min(room, data.length)
    this.chunks.push(data.slice(0, taken))
    this.length += taken
    this.wq.wake()
    return taken
  }

  /** Takes out at most `max` bytes. */
  shift(max: number): Uint8Array {
    const wanted = Math.min(max, this.length)
    if (wanted === 0) return EMPTY
    this.length -= wanted
    let chunk = this.chunks[this.first]!
    let result: Uint8Array
    if (chunk.length - this.head >= wanted) {
      result = chunk.subarray(this.head, this.head + wanted)
      this.head += wanted
    } else {
      result = new Uint8Array(wanted)
      for (let filled = 0; filled < wanted; ) {
        const part = chunk.subarray(this.head, this.head + wanted - filled)
        result.set(part, filled)
        filled += part.length
        this.head += part.length
        if (this.head === chunk.length && filled < wanted) {
          chunk = this.chunks[++this.first]!
          this.head = 0
        }
      }
    }
    if (this.head === chunk.length) {
      this.first++
      this.head = 0
    }
    if (this.first > 256 && this.first * 2 > this.chunks.length) {
      this.chunks = this.chunks.slice(this.first)
      this.first = 0
    }
    this.wq.wake()
    return result
  }

  /** Forgets what nobody can read any more. */
  clear(): void {
    this.chunks = []
    this.first = 0
    this.head = 0
    this.length = 0
  }

  stat(): Stat {
    return { dev: this.dev, ino: this.ino, mode: S_IFIFO | 0o600, nlink: 1, uid: 0, gid: 0, size: 0, mtime: 0 }
  }
}

abstract class PipeEnd extends OpenFile {
  readonly pipe: Pipe
  private readonly name: string | undefined

  /** @param name the path of a named pipe */
  constructor(flags: number, pipe: Pipe, name: string | undefined) {
    super(flags)
    this.pipe = pipe
    this.name = name
  }

  override get wq(): WaitQueue {
    return this.pipe.wq
  }

  override get link(): string {
    return this.name ?? `pipe:[${this.pipe.ino}]`
  }

  override stat(): Stat {
    return this.pipe.stat()
  }

  override reopen(flags: number): OpenFile {
    return openPipe(this.pipe, flags, this.name)
  }
}

/** Opens a pipe for what the flags say. */
export function openPipe(pipe: Pipe, flags: number, name?: string): OpenFile {
  const access = flags & O_ACCMODE
  if (access === O_RDONLY) return new PipeReader(flags, pipe, name)
  return access === O_WRONLY ? new PipeWriter(flags, pipe, name) : new PipeDuplex(flags, pipe, name)
}

/** The read end. */
export class PipeReader extends PipeEnd {
  private readonly seen: number

  constructor(flags: number, pipe: Pipe, name?: string) {
    super(flags, pipe, name)
    pipe.readers++
    pipe.readersSeen++
    // a writer that came and went before the first reader counts: open(2) would have held it until now
    this.seen = pipe.readersSeen === 1 ? 0 : pipe.writersSeen - pipe.writers
    pipe.wq.wake()
  }

  /** no writer is left, and there was one */
  private get ended(): boolean {
    return this.pipe.writers === 0 && this.pipe.writersSeen > this.seen
  }

  override read(_task: Task, max: number): Uint8Array | number {
    if (this.pipe.length > 0) return this.pipe.shift(max)
    return this.ended ? EMPTY : -Errno.EAGAIN
  }

  override write(): number {
    return -Errno.EBADF
  }

  override poll(): number {
    return (this.pipe.length > 0 ? POLLIN : 0) | (this.ended ? POLLHUP : 0)
  }

  protected override release(): void {
    this.pipe.readers--
    if (this.pipe.readers === 0) this.pipe.clear()
    this.pipe.wq.wake()
  }
}

/** The write end. */
export class PipeWriter extends PipeEnd {
  private readonly seen: number

  constructor(flags: number, pipe: Pipe, name?: string) {
    super(flags, pipe, name)
    this.seen = pipe.readersSeen - pipe.readers
    pipe.writers++
    pipe.writersSeen++
    pipe.wq.wake()
  }

  private get broken(): boolean {
    return this.pipe.readers === 0 && this.pipe.readersSeen > this.seen
  }

  override write(_task: Task, data: Uint8Array): number {
    if (this.broken) return -Errno.EPIPE
    if (this.pipe.readers === 0) return -Errno.EAGAIN
    const taken = this.pipe.push(data)
    return taken === 0 && data.length > 0 ? -Errno.EAGAIN : taken
  }

  override read(): number {
    return -Errno.EBADF
  }

  override poll(): number {
    if (this.broken) return POLLOUT | POLLERR
    return PIPE_SIZE - this.pipe.length >= PIPE_BUF ? POLLOUT : 0
  }

  protected override release(): void {
    this.pipe.writers--
    this.pipe.wq.wake()
  }
}

/** A named pipe opened for both: it never ends and never breaks. */
export class PipeDuplex extends PipeEnd {
  private readonly reader: PipeReader
  private readonly writer: PipeWriter

  constructor(flags: number, pipe: Pipe, name?: string) {
    super(flags, pipe, name)
    this.reader = new PipeReader(flags, pipe, name)
    this.writer = new PipeWriter(flags, pipe, name)
  }

  override read(task: Task, max: number): Uint8Array | number {
    return this.reader.read(task, max)
  }

  override write(task: Task, data: Uint8Array): number {
    return this.writer.write(task, data)
  }

  override poll(): number {
    return this.reader.poll() | this.writer.poll()
  }

  protected override release(): void {
    this.reader.put()
    this.writer.put()
  }
}
