/**
 * Host folders: a folder of the host seen in the machine, read-only unless asked otherwise. Nothing else of the host can
 * be reached: names are looked up one by one without following symbolic links, which the machine follows itself, in its
 * own tree; and a directory is checked to be inside the folder still before anything in it is touched.
 */
import * as fs from 'node:fs'
import * as nodePath from 'node:path'
import { Errno, type ErrnoName, SysError } from '../../uapi/errno.ts'
import {
  type Dirent,
  O_ACCMODE,
  O_APPEND,
  O_RDONLY,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Stat,
} from '../../uapi/fs.ts'
import { DirectoryFile } from '../files/directory.ts'
import { type OpenFile, SeekableFile } from '../files/open_file.ts'
import type { Task } from '../task.ts'
import { type FileSystem, Inode } from './inode.ts'
import type { Path } from './path.ts'

/** Runs a call of the host; its errors become the machine's. */
function host<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === undefined) throw error
    throw new SysError(Errno[code as ErrnoName] ?? Errno.EIO, code)
  }
}

/** A host folder as a file system. */
export class HostFolder implements FileSystem {
  readonly type = '9p'
  readonly dev: number
  readonly now: () => number
  readonly writable: boolean
  readonly root: HostInode
  private readonly top: string

  /** @param folder path on the host; throws where it is no directory */
  constructor(dev: number, now: () => number, folder: string, writable: boolean) {
    this.dev = dev
    this.now = now
    this.writable = writable
    this.top = fs.realpathSync(folder)
    if (!fs.statSync(this.top).isDirectory()) throw new SysError(Errno.ENOTDIR)
    this.root = new HostInode(this, this.top, fs.lstatSync(this.top, { bigint: false }))
  }

  /** Throws EACCES where a directory's real place is outside the folder: a component has become a symbolic link. */
  confine(directory: string): void {
    const real = host(() => fs.realpathSync(directory))
    if (real !== this.top && !real.startsWith(this.top + nodePath.sep)) throw new SysError(Errno.EACCES)
  }

  /** @returns the inode of a host path, or undefined where there is none; devices and sockets are not shown */
  inode(path: string): HostInode | undefined {
    this.confine(nodePath.dirname(path))
    let stats: fs.Stats
    try {
      stats = fs.lstatSync(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      return host(() => {
        throw error
      })
    }
    return stats.isFile() || stats.isDirectory() || stats.isSymbolicLink()
      ? new HostInode(this, path, stats)
      : undefined
  }

  /** Throws EROFS where the folder was mounted read-only. */
  change(): void {
    if (!this.writable) throw new SysError(Errno.EROFS)
  }
}

/** A file of the folder. It belongs to root in the machine, whoever owns it on the host. */
export class HostInode extends Inode {
  declare readonly fs: HostFolder
  /** path on the host */
  readonly path: string
  private readonly bytes: number

  constructor(folder: HostFolder, path: string, stats: fs.Stats) {
    const type = stats.isDirectory() ? S_IFDIR : stats.isSymbolicLink() ? S_IFLNK : S_IFREG
    super(folder, stats.ino, type | (stats.mode & 0o777), Math.round(stats.mtimeMs * 1e6))
    this.path = path
    this.nlink = stats.nlink
    this.bytes = stats.size
  }

  override get size(): number {
    return this.bytes
  }

  private entry(name: string): string {
    this.fs.confine(this.path)
    return nodePath.join(this.path, name)
  }

  override lookup(name: string): Inode | undefined {
    return this.fs.inode(this.entry(name))
  }

  override list(): Dirent[] {
    this.fs.confine(this.path)
    const entries: Dirent[] = []
    for (const entry of host(() => fs.readdirSync(this.path, { withFileTypes: true }))) {
      const type = entry.isDirectory() ? S_IFDIR : entry.isSymbolicLink() ? S_IFLNK : entry.isFile() ? S_IFREG : 0
      if (type !== 0) entries.push({ name: entry.name, type })
    }
    return entries
  }

  override readlink(): string {
    return host(() => fs.readlinkSync(this.path))
  }

  override open(flags: number, _task: Task, path: Path): OpenFile {
    if (this.isDirectory) return new DirectoryFile(flags, path)
    if ((flags & O_ACCMODE) !== O_RDONLY) this.fs.change()
    this.fs.confine(nodePath.dirname(this.path))
    return new HostFile(flags, this, path)
  }

  override create(name: string, mode: number): Inode {
    this.fs.change()
    const path = this.entry(name)
    const permissions = mode & 0o777
    if ((mode & S_IFMT) === S_IFDIR) host(() => fs.mkdirSync(path, permissions))
    else if ((mode & S_IFMT) === S_IFREG) host(() => fs.closeSync(fs.openSync(path, 'wx', permissions)))
    else throw new SysError(Errno.EPERM)
    return this.fs.inode(path)!
  }

  override symlink(name: string, target: string): void {
    this.fs.change()
    host(() => fs.symlinkSync(target, this.entry(name)))
  }

  override link(name: string, inode: Inode): void {
    this.fs.change()
    host(() => fs.linkSync((inode as HostInode).path, this.entry(name)))
  }

  override unlink(name: string): void {
    this.fs.change()
    host(() => fs.unlinkSync(this.entry(name)))
  }

  override rmdir(name: string): void {
    this.fs.change()
    host(() => fs.rmdirSync(this.entry(name)))
  }

  override rename(name: string, _inode: Inode, to: Inode, toName: string): void {
    this.fs.change()
    host(() => fs.renameSync(this.entry(name), (to as HostInode).entry(toName)))
  }

  override chmod(mode: number): void {
    this.fs.change()
    if (this.isSymlink) return
    this.fs.confine(nodePath.dirname(this.path))
    host(() => fs.chmodSync(this.path, mode & 0o777))
  }

  override utimes(mtime: number): void {
    this.fs.change()
    this.fs.confine(nodePath.dirname(this.path))
    host(() => fs.lutimesSync(this.path, mtime / 1e9, mtime / 1e9))
  }

  override truncate(length: number): void {
    this.fs.change()
    this.fs.confine(nodePath.dirname(this.path))
    const fd = host(() => fs.openSync(this.path, fs.constants.O_WRONLY | fs.constants.O_NOFOLLOW))
    try {
      host(() => fs.ftruncateSync(fd, length))
    } finally {
      fs.closeSync(fd)
    }
  }
}

/** An open file of the folder. */
class HostFile extends SeekableFile {
  private readonly inode: HostInode
  private readonly path: Path
  private readonly fd: number

  constructor(flags: number, inode: HostInode, path: Path) {
    super(flags)
    this.inode = inode
    this.path = path
    this.fd = host(() => fs.openSync(inode.path, (flags & (O_ACCMODE | O_APPEND)) | fs.constants.O_NOFOLLOW))
  }

  override get link(): string {
    return this.path.text
  }

  override stat(): Stat {
    const stats = host(() => fs.fstatSync(this.fd))
    return { ...this.inode.stat(), size: stats.size, mtime: Math.round(stats.mtimeMs * 1e6) }
  }

  protected override length(): number {
    return host(() => fs.fstatSync(this.fd)).size
  }

  override read(_task: Task, max: number): Uint8Array {
    const buffer = new Uint8Array(Math.min(max, 1 << 20))
    const count = host(() => fs.readSync(this.fd, buffer, 0, buffer.length, this.offset))
    this.offset += count
    return buffer.subarray(0, count)
  }

  override write(_task: Task, data: Uint8Array): number {
    const count = host(() => fs.writeSync(this.fd, data, 0, data.length, this.append ? null : this.offset))
    this.offset = this.append ? this.length() : this.offset + count
    return count
  }

  override truncate(length: number): void {
    host(() => fs.ftruncateSync(this.fd, length))
  }

  protected override release(): void {
    fs.closeSync(this.fd)
  }
}
