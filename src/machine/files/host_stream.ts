/** The host's streams as files of the machine: standard input that arrives at any time, output that a function takes. */
import { WaitQueue } from '../../kernel/core/wait.ts'
import { Errno } from '../../uapi/errno.ts'
import { O_RDONLY, O_WRONLY, POLLERR, POLLHUP, POLLIN, POLLOUT, S_IFIFO, type Stat } from '../../uapi/fs.ts'
import type { Scheduler } from '../scheduler.ts'
import type { Task } from '../task.ts'
import { OpenFile } from './open_file.ts'

const EMPTY = new Uint8Array(0)

/** Tells the scheduler that a process waits for the host, during which virtual time stands still. */
class HeldWaitQueue extends WaitQueue {
  private readonly scheduler: Scheduler

  constructor(scheduler: Scheduler) {
    super()
    this.scheduler = scheduler
  }

  override add(...args: Parameters<WaitQueue['add']>): void {
    super.add(...args)
    this.scheduler.heldInputs++
    this.scheduler.awaitedInputs++
  }

  override remove(...args: Parameters<WaitQueue['remove']>): void {
    super.remove(...args)
    this.scheduler.heldInputs--
    this.scheduler.awaitedInputs--
  }
}

function pipeStat(ino: number): Stat {
  return { dev: 13, ino, mode: S_IFIFO | 0o600, nlink: 1, uid: 0, gid: 0, size: 0, mtime: 0 }
}

/** A pipe that the host fills. */
export class HostInput extends OpenFile {
  private readonly waiters: WaitQueue
  private readonly scheduler: Scheduler
  private readonly ino: number
  private readonly chunks: Uint8Array[] = []
  private ended = false

  constructor(scheduler: Scheduler, ino: number) {
    super(O_RDONLY)
    this.scheduler = scheduler
    this.ino = ino
    this.waiters = new HeldWaitQueue(scheduler)
  }

  override get wq(): WaitQueue {
    return this.waiters
  }

  /** More input. */
  push(data: Uint8Array): void {
    if (data.length > 0) this.chunks.push(data)
    this.waiters.wake()
    this.scheduler.kick()
  }

  /** No more will come. */
  end(): void {
    this.ended = true
    this.waiters.wake()
    this.scheduler.kick()
  }

  override get link(): string {
    return `pipe:[${this.ino}]`
  }

  override stat(): Stat {
    return pipeStat(this.ino)
  }

  override read(_task: Task, max: number): Uint8Array | number {
    const first = this.chunks[0]
    if (first === undefined) return this.ended ? EMPTY : -Errno.EAGAIN
    if (first.length <= max) return this.chunks.shift()!
    this.chunks[0] = first.subarray(max)
    return first.subarray(0, max)
  }

  override poll(): number {
    return (this.chunks.length > 0 ? POLLIN : 0) | (this.ended ? POLLHUP : 0)
  }
}

/** A pipe that the host empties: `sink` gets every write. */
export class HostOutput extends OpenFile {
  private readonly ino: number
  private readonly sink: (data: Uint8Array) => void
  private readonly waiters: WaitQueue
  private readonly scheduler: Scheduler
  private full = false
  private broken = false

  constructor(scheduler: Scheduler, ino: number, sink: (data: Uint8Array) => void) {
    super(O_WRONLY)
    this.scheduler = scheduler
    this.ino = ino
    this.sink = sink
    this.waiters = new HeldWaitQueue(scheduler)
  }

  override get wq(): WaitQueue {
    return this.waiters
  }

  /** Makes writers wait, or go on: the host's reader is slower than they. */
  hold(on: boolean): void {
    this.full = on
    if (on) return
    this.waiters.wake()
    this.scheduler.kick()
  }

  /** Nobody reads any more: writers get EPIPE. */
  break(): void {
    this.broken = true
    this.hold(false)
  }

  override get link(): string {
    return `pipe:[${this.ino}]`
  }

  override stat(): Stat {
    return pipeStat(this.ino)
  }

  override write(_task: Task, data: Uint8Array): number {
    if (this.broken) return -Errno.EPIPE
    if (this.full) return -Errno.EAGAIN
    this.sink(data)
    return data.length
  }

  override poll(): number {
    return this.broken ? POLLOUT | POLLERR : this.full ? 0 : POLLOUT
  }
}
