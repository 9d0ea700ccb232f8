/** Files as system calls see them: open(2) flags, stat(2) results, directory entries. */

/** Flags of open(2), x86-64 values. */
export const O_RDONLY = 0o0
export const O_WRONLY = 0o1
export const O_RDWR = 0o2
export const O_ACCMODE = 0o3
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_TRUNC = 0o1000
export const O_APPEND = 0o2000
export const O_NONBLOCK = 0o4000
export const O_DIRECTORY = 0o200000
export const O_CLOEXEC = 0o2000000

/** File type bits of `Stat.mode`, see inode(7). */
export const S_IFMT = 0o170000
export const S_IFSOCK = 0o140000
export const S_IFLNK = 0o120000
export const S_IFREG = 0o100000
export const S_IFBLK = 0o060000
export const S_IFDIR = 0o040000
export const S_IFCHR = 0o020000
export const S_IFIFO = 0o010000

/** What stat(2) tells of a file. */
export interface Stat {
  readonly dev: number
  readonly ino: number
  /** type and permission bits */
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  /** bytes */
  readonly size: number
  /** modification time, ns since the epoch */
  readonly mtime: number
}

/** One entry of a directory, as getdents(2) gives it. */
export interface Dirent {
  readonly name: string
  /** file type bits, as in `Stat.mode & S_IFMT` */
  readonly type: number
}

/** Events of poll(2). */
export const POLLIN = 0x1
export const POLLOUT = 0x4
export const POLLERR = 0x8
export const POLLHUP = 0x10
