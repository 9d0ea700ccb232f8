/**
 * tmpfs: files in memory. The root file system, /tmp, /run and /dev are of this kind.
 * Contents that come with the machine (seed files, programs) are decoded when first read.
 */
import { Errno, SysError } from '../../uapi/errno.ts'
import {
  type Dirent,
  O_ACCMODE,
  O_RDONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
} from '../../uapi/fs.ts'
import { openDevice } from '../files/devices.ts'
import { DirectoryFile } from '../files/directory.ts'
import { type OpenFile, SeekableFile } from '../files/open_file.ts'
import { openPipe, Pipe } from '../files/pipe.ts'
import type { Task } from '../task.ts'
import { type FileSystem, Inode } from './inode.ts'
import type { Path } from './path.ts'

const EMPTY = new Uint8Array(0)
const encoder = new TextEncoder()
/** Size of one directory entry in a directory's st_size. */
const DIRENT_SIZE = 20

/** One in-memory file system. */
export class Tmpfs implements FileSystem {
  readonly type: string
  readonly dev: number
  readonly now: () => number
  readonly root: TmpDirectory
  private ino = 0

  /** @param mode permission bits of its root */
  constructor(dev: number, now: () => number, mode = 0o755, type = 'tmpfs') {
    this.dev = dev
    this.now = now
    this.type = type
    this.root = new TmpDirectory(this, S_IFDIR | mode)
  }

  /** @returns the next inode number */
  nextIno(): number {
    return ++this.ino
  }

  /** Makes an inode of the kind its mode says. */
  make(mode: number, rdev = 0): Inode {
    switch (mode & 0o170000) {
      case S_IFDIR:
        return new TmpDirectory(this, mode)
      case S_IFIFO:
        return new TmpFifo(this, mode)
      case S_IFCHR:
      case S_IFBLK:
        return new TmpDevice(this, mode, rdev)
      case S_IFSOCK:
        return new TmpSocket(this, mode)
      default:
        return new TmpFile(this, mode)
    }
  }
}

/** A directory: its entries by name. */
export class TmpDirectory extends Inode {
  declare readonly fs: Tmpfs
  readonly entries = new Map<string, Inode>()

  constructor(fs: Tmpfs, mode: number) {
    super(fs, fs.nextIno(), mode)
    this.nlink = 2
  }

  override get size(): number {
    return (this.entries.size + 2) * DIRENT_SIZE
  }

  override lookup(name: string): Inode | undefined {
    return this.entries.get(name)
  }

  /** Newest first, as tmpfs lists. */
  override list(): Dirent[] {
    const entries: Dirent[] = []
    for (const [name, inode] of this.entries) entries.push({ name, type: inode.type })
    return entries.reverse()
  }

  override open(flags: number, _task: Task, path: Path): OpenFile {
    if ((flags & O_ACCMODE) !== O_RDONLY) throw new SysError(Errno.EISDIR)
    return new DirectoryFile(flags, path)
  }

  /** Enters an inode made elsewhere: while the machine is set up, and for links. */
  enter(name: string, inode: Inode): void {
    this.entries.set(name, inode)
    if (inode.isDirectory) this.nlink++
    this.mtime = this.fs.now()
  }

  override create(name: string, mode: number, task: Task): Inode {
    const inode = this.fs.make(mode)
    inode.uid = task.uid
    inode.gid = task.gid
    this.enter(name, inode)
    return inode
  }

  override symlink(name: string, target: string): void {
    this.enter(name, new TmpSymlink(this.fs, target))
  }

  override link(name: string, inode: Inode): void {
    inode.nlink++
    this.enter(name, inode)
  }

  override unlink(name: string, inode: Inode): void {
    this.entries.delete(name)
    inode.nlink--
    this.mtime = this.fs.now()
  }

  override rmdir(name: string, inode: Inode): void {
    if ((inode as TmpDirectory).entries.size > 0) throw new SysError(Errno.ENOTEMPTY)
    this.entries.delete(name)
    this.nlink--
    inode.nlink = 0
    this.mtime = this.fs.now()
  }

  override rename(name: string, inode: Inode, to: Inode, toName: string, replaced: Inode | undefined): void {
    const target = to as TmpDirectory
    if (replaced?.isDirectory === true) target.rmdir(toName, replaced)
    else if (replaced !== undefined) target.unlink(toName, replaced)
    this.entries.delete(name)
    if (inode.isDirectory) this.nlink--
    this.mtime = this.fs.now()
    target.enter(toName, inode)
  }
}

/** A regular file. */
export class TmpFile extends Inode {
  private bytes: Uint8Array = EMPTY
  private used = 0
  private lazy: (() => string | Uint8Array) | undefined

  constructor(fs: Tmpfs, mode: number) {
    super(fs, fs.nextIno(), mode | S_IFREG)
  }

  /** Sets contents that are made when first needed. */
  fill(lazy: () => string | Uint8Array): this {
    this.lazy = lazy
    return this
  }

  private load(): void {
    const lazy = this.lazy
    if (lazy === undefined) return
    this.lazy = undefined
    const data = lazy()
    this.bytes = typeof data === 'string' ? encoder.encode(data) : data
    this.used = this.bytes.length
  }

  override get size(): number {
    this.load()
    return this.used
  }

  /** @returns a copy of at most `max` bytes from `offset` on */
  readAt(offset: number, max: number): Uint8Array {
    this.load()
    if (offset >= this.used) return EMPTY
    return this.bytes.slice(offset, Math.min(this.used, offset + max))
  }

  /** Writes at an offset; a hole before it reads as zeros. */
  writeAt(offset: number, data: Uint8Array): void {
    this.load()
    const end = offset + data.length
    this.reserve(end)
    this.bytes.set(data, offset)
    if (end > this.used) this.used = end
    this.mtime = this.fs.now()
  }

  override truncate(length: number): void {
    if (length === 0) {
      this.lazy = undefined
      this.bytes = EMPTY
    } else {
      this.load()
      this.reserve(length)
      if (length < this.used) this.bytes.fill(0, length, this.used)
    }
    this.used = length
    this.mtime = this.fs.now()
  }

  private reserve(length: number): void {
    if (length <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(length, this.bytes.length * 2, 64))
    grown.set(this.bytes.subarray(0, this.used))
    this.bytes = grown
  }

  override open(flags: number, _task: Task, path: Path): OpenFile {
    return new RegularFile(flags, this, path)
  }
}

/** An open regular file. */
export class RegularFile extends SeekableFile {
  readonly inode: TmpFile
  private readonly path: Path

  constructor(flags: number, inode: TmpFile, path: Path) {
    super(flags)
    this.inode = inode
    this.path = path
  }

  override get link(): string {
    return this.inode.nlink === 0 ? `${this.path.text} (deleted)` : this.path.text
  }

  override stat() {
    return this.inode.stat()
  }

  protected override length(): number {
    return this.inode.size
  }

  override read(_task: Task, max: number): Uint8Array {
    const data = this.inode.readAt(this.offset, max)
    this.offset += data.length
    return data
  }

  override write(_task: Task, data: Uint8Array): number {
    if (this.append) this.offset = this.inode.size
    this.inode.writeAt(this.offset, data)
    this.offset += data.length
    return data.length
  }

  override truncate(length: number): void {
    this.inode.truncate(length)
  }

  override reopen(flags: number): OpenFile {
    return new RegularFile(flags, this.inode, this.path)
  }
}

/** A symbolic link. */
export class TmpSymlink extends Inode {
  private readonly target: string

  constructor(fs: Tmpfs, target: string) {
    super(fs, fs.nextIno(), S_IFLNK | 0o777)
    this.target = target
  }

  override get size(): number {
    return encoder.encode(this.target).length
  }

  override readlink(): string {
    return this.target
  }

  override open(): OpenFile {
    throw new SysError(Errno.ELOOP)
  }

  override chmod(): void {}
}

/** A named pipe: one pipe shared by all who open it. */
export class TmpFifo extends Inode {
  private readonly pipe: Pipe

  constructor(fs: Tmpfs, mode: number) {
    super(fs, fs.nextIno(), mode)
    this.pipe = new Pipe(this.ino, fs.dev)
  }

  override open(flags: number, _task: Task, path: Path): OpenFile {
    return openPipe(this.pipe, flags, path.text)
  }
}

/** A device node. */
export class TmpDevice extends Inode {
  /** major * 256 + minor */
  readonly rdev: number

  constructor(fs: Tmpfs, mode: number, rdev: number) {
    super(fs, fs.nextIno(), mode)
    this.rdev = rdev
  }

  override open(flags: number, task: Task, path: Path): OpenFile {
    return openDevice(this, flags, task, path)
  }
}

/** What bind(2) of a unix socket leaves in the file system. */
export class TmpSocket extends Inode {
  /** the address the socket was bound to, as the kernel knows it; empty once it is closed */
  address = ''

  constructor(fs: Tmpfs, mode: number) {
    super(fs, fs.nextIno(), mode)
  }

  override open(): OpenFile {
    throw new SysError(Errno.ENXIO)
  }
}
