/**
 * Open file descriptions: what descriptors point to, `struct file`. Several descriptors, of several processes, may
 * share one; the last to close it releases it.
 */
import type { WaitQueue } from '../../kernel/core/wait.ts'
import { Errno, SysError } from '../../uapi/errno.ts'
import { O_ACCMODE, O_APPEND, O_NONBLOCK, O_RDONLY, O_WRONLY, POLLIN, POLLOUT, type Stat } from '../../uapi/fs.ts'
import type { IoctlRequest } from '../../uapi/ioctl.ts'
import type { Mount } from '../fs/mount.ts'
import type { Task } from '../task.ts'

/** Where `lseek` counts from. */
export type Whence = 'set' | 'cur' | 'end'

/** An open file of any kind. Reads and writes never block: they answer -EAGAIN, and the caller waits on `wq`. */
export abstract class OpenFile {
  /** open(2) flags it was opened with */
  flags: number
  /** where it was opened: a mount in use is not taken away */
  mount: Mount | undefined
  private refs = 1

  constructor(flags: number) {
    this.flags = flags
  }

  /** where to wait for `poll` to change; undefined for files that are always ready */
  get wq(): WaitQueue | undefined {
    return undefined
  }

  get readable(): boolean {
    return (this.flags & O_ACCMODE) !== O_WRONLY
  }

  get writable(): boolean {
    return (this.flags & O_ACCMODE) !== O_RDONLY
  }

  get nonblocking(): boolean {
    return (this.flags & O_NONBLOCK) !== 0
  }

  get append(): boolean {
    return (this.flags & O_APPEND) !== 0
  }

  /** what /proc/PID/fd/N points to: a path, or `pipe:[12]` */
  abstract get link(): string

  abstract stat(): Stat

  /** @returns at most `max` bytes, none at the end of file, or a negative error number */
  read(_task: Task, _max: number): Uint8Array | number {
    return -Errno.EINVAL
  }

  /** @returns bytes taken, or a negative error number */
  write(_task: Task, _data: Uint8Array): number {
    return -Errno.EINVAL
  }

  /** @returns the events of poll(2) that hold now */
  poll(): number {
    return POLLIN | POLLOUT
  }

  /** @returns the new offset */
  seek(_offset: number, _whence: Whence): number {
    throw new SysError(Errno.ESPIPE)
  }

  truncate(_length: number): void {
    throw new SysError(Errno.EINVAL)
  }

  /** Answers a request of ioctl(2). @returns 0 or a negative error number, -ENOTTY where the file does not know it */
  ioctl(_request: IoctlRequest): number {
    return -Errno.ENOTTY
  }

  /**
   * Opens the same file anew, as opening /proc/PID/fd/N does. Files that cannot be opened twice are shared.
   * Throws ENXIO for sockets.
   */
  reopen(_flags: number, _task: Task): OpenFile {
    return this.get()
  }

  /** One more descriptor. */
  get(): this {
    this.refs++
    return this
  }

  /** One descriptor less. */
  put(): void {
    if (--this.refs === 0) this.release()
  }

  /** the last descriptor was closed */
  protected release(): void {}
}

/** An open file with an offset over some store of bytes. */
export abstract class SeekableFile extends OpenFile {
  protected offset = 0

  /** bytes in the file now */
  protected abstract length(): number

  override seek(offset: number, whence: Whence): number {
    const base = whence === 'set' ? 0 : whence === 'cur' ? this.offset : this.length()
    if (base + offset < 0) throw new SysError(Errno.EINVAL)
    this.offset = base + offset
    return this.offset
  }
}
