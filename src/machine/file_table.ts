/** The descriptors of a process, `files_struct`. */
import { Errno, SysError } from '../uapi/errno.ts'
import type { OpenFile } from './files/open_file.ts'

/** Descriptors a process may have (RLIMIT_NOFILE). */
const NOFILE = 1024

export class FileTable {
  private readonly files: (OpenFile | undefined)[] = []
  private readonly cloexec = new Set<number>()

  /** @returns the open file; EBADF */
  get(fd: number): OpenFile {
    const file = this.files[fd]
    if (file === undefined) throw new SysError(Errno.EBADF)
    return file
  }

  /** @returns the open file, or undefined */
  peek(fd: number): OpenFile | undefined {
    return this.files[fd]
  }

  /** Gives a file the lowest free descriptor from `atLeast` on, taking over the caller's reference. EMFILE */
  install(file: OpenFile, atLeast = 0, cloexec = false): number {
    let fd = atLeast
    while (this.files[fd] !== undefined) fd++
    if (fd >= NOFILE) {
      file.put()
      throw new SysError(atLeast >= NOFILE ? Errno.EINVAL : Errno.EMFILE)
    }
    this.files[fd] = file
    if (cloexec) this.cloexec.add(fd)
    return fd
  }

  /** Gives a file a certain descriptor, closing what was there. */
  set(fd: number, file: OpenFile): void {
    if (fd < 0 || fd >= NOFILE) throw new SysError(Errno.EBADF)
    const old = this.files[fd]
    this.files[fd] = file
    this.cloexec.delete(fd)
    old?.put()
  }

  close(fd: number): void {
    const file = this.get(fd)
    this.files[fd] = undefined
    this.cloexec.delete(fd)
    file.put()
  }

  /** open descriptors, ascending */
  list(): number[] {
    const fds: number[] = []
    for (let fd = 0; fd < this.files.length; fd++) if (this.files[fd] !== undefined) fds.push(fd)
    return fds
  }

  /** @returns the table of a forked child: the same, or what `fds` (child's number to parent's) names. EBADF */
  clone(fds?: ReadonlyMap<number, number>): FileTable {
    const copy = new FileTable()
    if (fds === undefined)
      for (const fd of this.list()) {
        copy.set(fd, this.files[fd]!.get())
        if (this.cloexec.has(fd)) copy.cloexec.add(fd)
      }
    else for (const [to, from] of fds) copy.set(to, this.get(from).get())
    return copy
  }

  /** Closes what does not survive exec. */
  closeOnExec(): void {
    for (const fd of [...this.cloexec]) this.close(fd)
  }

  closeAll(): void {
    for (const fd of this.list()) this.close(fd)
  }
}
