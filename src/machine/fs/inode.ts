/**
 * Inodes: the files of the machine, whatever file system they belong to. Operations throw SysError; those that a kind
 * of file does not have answer as Linux does.
 */
import { Errno, SysError } from '../../uapi/errno.ts'
import { type Dirent, S_IFDIR, S_IFLNK, S_IFMT, type Stat } from '../../uapi/fs.ts'
import type { OpenFile } from '../files/open_file.ts'
import type { Task } from '../task.ts'
import type { Path } from './path.ts'

/** A mounted or mountable file system. */
export interface FileSystem {
  /** as /proc/filesystems names it */
  readonly type: string
  /** device number, `st_dev` */
  readonly dev: number
  /** wall time now, ns since the epoch */
  now(): number
}

/** A file of any kind. */
export abstract class Inode {
  readonly fs: FileSystem
  readonly ino: number
  /** type and permission bits */
  mode: number
  uid = 0
  gid = 0
  nlink = 1
  /** modification time, ns since the epoch */
  mtime: number

  constructor(fs: FileSystem, ino: number, mode: number, mtime = fs.now()) {
    this.fs = fs
    this.ino = ino
    this.mode = mode
    this.mtime = mtime
  }

  get type(): number {
    return this.mode & S_IFMT
  }

  get isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR
  }

  get isSymlink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK
  }

  /** bytes, as stat(2) shows them */
  get size(): number {
    return 0
  }

  stat(): Stat {
    return {
      dev: this.fs.dev,
      ino: this.ino,
      mode: this.mode,
      nlink: this.nlink,
      uid: this.uid,
      gid: this.gid,
      size: this.size,
      mtime: this.mtime,
    }
  }

  /** Directories: @returns the entry, or undefined */
  lookup(_name: string, _task: Task): Inode | undefined {
    throw new SysError(Errno.ENOTDIR)
  }

  /** Directories: entries without `.` and `..`. */
  list(_task: Task): Dirent[] {
    throw new SysError(Errno.ENOTDIR)
  }

  /** Symbolic links: where it points. */
  readlink(_task: Task): string {
    throw new SysError(Errno.EINVAL)
  }

  /** Magic links (/proc/PID/fd/N, ns/net): the file itself, past any path. @returns undefined for ordinary links */
  follow(_task: Task): Path | undefined {
    return undefined
  }

  /** Opens it. @param path where it was found */
  abstract open(flags: number, task: Task, path: Path): OpenFile

  /** Directories: makes an entry; `mode` has the file type. The name is known to be free. */
  create(_name: string, _mode: number, _task: Task): Inode {
    throw new SysError(Errno.EPERM)
  }

  symlink(_name: string, _target: string, _task: Task): void {
    throw new SysError(Errno.EPERM)
  }

  link(_name: string, _inode: Inode): void {
    throw new SysError(Errno.EPERM)
  }

  /** Directories: takes out an entry that is no directory. */
  unlink(_name: string, _inode: Inode): void {
    throw new SysError(Errno.EPERM)
  }

  /** Directories: takes out an empty directory. */
  rmdir(_name: string, _inode: Inode): void {
    throw new SysError(Errno.EPERM)
  }

  /** Directories: moves an entry of this directory to `to`, in place of `replaced`. Both are of one file system. */
  rename(_name: string, _inode: Inode, _to: Inode, _toName: string, _replaced: Inode | undefined): void {
    throw new SysError(Errno.EPERM)
  }

  chmod(mode: number): void {
    this.mode = (this.mode & S_IFMT) | (mode & 0o7777)
  }

  utimes(mtime: number): void {
    this.mtime = mtime
  }

  /** Regular files: cuts or extends. */
  truncate(_length: number): void {
    throw new SysError(Errno.EINVAL)
  }
}

/** Bits of access(2). */
export const MAY_EXEC = 1
export const MAY_WRITE = 2
export const MAY_READ = 4

/** @returns whether the permission bits let a process do this: root may all but execute what nobody may */
export function permitted(inode: Inode, uid: number, gid: number, mask: number): boolean {
  if (uid === 0) return (mask & MAY_EXEC) === 0 || inode.isDirectory || (inode.mode & 0o111) !== 0
  const shift = inode.uid === uid ? 6 : inode.gid === gid ? 3 : 0
  return ((inode.mode >> shift) & 7 & mask) === mask
}

/** Read-only file systems that nothing can be added to (procfs, sysfs) answer so. */
export function refuse(errno: number): never {
  throw new SysError(errno)
}
