/**
 * Trees that are made when looked at (procfs, sysfs, /proc/sys) as inodes: the machine's side of src/kernel/core/kernfs.
 * Nodes of the machine itself may depend on who looks (`/proc/self`, `/proc/net`).
 */
import type { KernfsFile, KernfsLink } from '../../kernel/core/kernfs.ts'
import { Errno, SysError } from '../../uapi/errno.ts'
import {
  type Dirent,
  O_ACCMODE,
  O_RDONLY,
  O_WRONLY,
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

/** A directory whose contents may depend on the process that looks. */
export interface ViewDir {
  readonly kind: 'dir'
  readonly mode: number
  /** who it belongs to, for /proc/PID */
  readonly owner?: { readonly uid: number; readonly gid: number }
  list(task: Task): Iterable<string>
  lookup(name: string, task: Task): ViewNode | undefined
}

/** A link that leads to the file itself, whatever its text says (`/proc/PID/fd/1`). */
export interface MagicLink {
  readonly kind: 'magic'
  /** undefined where there is nothing to point to: reading it fails with ENOENT */
  readonly target: string | undefined
  /** @returns undefined where the text is to be followed after all */
  follow(): Path | undefined
  readonly mode?: number
}

/** Any node of such a tree; the kernel's own nodes are among them. */
export type ViewNode = ViewDir | KernfsFile | KernfsLink | MagicLink

/** How a file system of this kind answers what it does not allow. */
export interface ViewPolicy {
  /** st_size of files */
  readonly fileSize: number
  /** permission bits bind root too, as for sysctls and sysfs attributes */
  readonly strictModes: boolean
  /** removing and renaming entries */
  readonly changeErrno: number
  /** making directories and links */
  readonly createErrno: number
  /** making files by open(2) */
  readonly createFileErrno: number
}

const EMPTY = new Uint8Array(0)

/** @returns the bytes of a node's text: one a character where it is binary or ASCII, else UTF-8 */
function textBytes(text: string): Uint8Array {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return new TextEncoder().encode(text)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/** @returns an inode number that a path always has */
function hashIno(parent: number, name: string): number {
  let hash = parent | 0
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash >>> 0 || 1
}

function modeOf(node: ViewNode): number {
  switch (node.kind) {
    case 'dir':
      return S_IFDIR | node.mode
    case 'file':
      return S_IFREG | node.mode
    case 'link':
      return S_IFLNK | 0o777
    case 'magic':
      return S_IFLNK | (node.mode ?? 0o777)
  }
}

/** A file of such a tree. */
export class ViewInode extends Inode {
  readonly node: ViewNode
  readonly policy: ViewPolicy

  constructor(fs: FileSystem, node: ViewNode, ino: number, policy: ViewPolicy) {
    super(fs, ino, modeOf(node))
    this.node = node
    this.policy = policy
    if (node.kind === 'dir') {
      this.nlink = 2
      if (node.owner !== undefined) {
        this.uid = node.owner.uid
        this.gid = node.owner.gid
      }
    }
  }

  override get size(): number {
    if (this.node.kind === 'file') return this.policy.fileSize
    return 0
  }

  override lookup(name: string, task: Task): Inode | undefined {
    const { node } = this
    if (node.kind !== 'dir') throw new SysError(Errno.ENOTDIR)
    const child = node.lookup(name, task)
    return child === undefined ? undefined : this.child(child, name)
  }

  /** @returns the inode of an entry */
  protected child(node: ViewNode, name: string): Inode {
    return new ViewInode(this.fs, node, this.childIno(name), this.policy)
  }

  /** @returns the inode number of an entry */
  protected childIno(name: string): number {
    return hashIno(this.ino, name)
  }

  override list(task: Task): Dirent[] {
    const { node } = this
    if (node.kind !== 'dir') throw new SysError(Errno.ENOTDIR)
    const entries: Dirent[] = []
    for (const name of node.list(task)) {
      const child = node.lookup(name, task)
      if (child !== undefined) entries.push({ name, type: modeOf(child) & 0o170000 })
    }
    return entries
  }

  override readlink(): string {
    const { node } = this
    if (node.kind !== 'link' && node.kind !== 'magic') throw new SysError(Errno.EINVAL)
    if (node.target === undefined) throw new SysError(Errno.ENOENT)
    return node.target
  }

  override follow(): Path | undefined {
    return this.node.kind === 'magic' ? this.node.follow() : undefined
  }

  override open(flags: number, _task: Task, path: Path): OpenFile {
    const { node } = this
    if (node.kind === 'dir') return new DirectoryFile(flags, path)
    if (node.kind !== 'file') throw new SysError(Errno.ELOOP)
    const access = flags & O_ACCMODE
    if (this.policy.strictModes) {
      if (access !== O_RDONLY && (node.mode & 0o222) === 0) throw new SysError(Errno.EACCES)
      if (access !== O_WRONLY && (node.mode & 0o444) === 0) throw new SysError(Errno.EACCES)
    }
    return new ViewFile(flags, this, node, path)
  }

  override truncate(): void {}

  override create(_name: string, mode: number): Inode {
    throw new SysError((mode & S_IFMT) === S_IFREG ? this.policy.createFileErrno : this.policy.createErrno)
  }

  override symlink(): void {
    throw new SysError(this.policy.createErrno)
  }

  override link(): void {
    throw new SysError(this.policy.changeErrno)
  }

  override unlink(): void {
    throw new SysError(this.policy.changeErrno)
  }

  override rmdir(): void {
    throw new SysError(this.policy.changeErrno)
  }

  override rename(): void {
    throw new SysError(this.policy.changeErrno)
  }
}

/** An open file: its text is made by the first read, and again after going back to the start (seq_file). */
class ViewFile extends SeekableFile {
  private readonly inode: ViewInode
  private readonly node: KernfsFile
  private readonly path: Path
  private bytes: Uint8Array | undefined

  constructor(flags: number, inode: ViewInode, node: KernfsFile, path: Path) {
    super(flags)
    this.inode = inode
    this.node = node
    this.path = path
  }

  override get link(): string {
    return this.path.text
  }

  override stat(): Stat {
    return this.inode.stat()
  }

  protected override length(): number {
    return this.inode.size
  }

  override read(_task: Task, max: number): Uint8Array | number {
    if (this.offset === 0 || this.bytes === undefined) {
      if (this.node.read === undefined) return -Errno.EIO
      const text = this.node.read()
      if (typeof text === 'number') return text
      this.bytes = textBytes(text)
    }
    if (this.offset >= this.bytes.length) return EMPTY
    const data = this.bytes.subarray(this.offset, this.offset + max)
    this.offset += data.length
    return data
  }

  override write(_task: Task, data: Uint8Array): number {
    if (this.node.write === undefined) return -Errno.EIO
    let text = ''
    for (const byte of data) text += String.fromCharCode(byte)
    const taken = this.node.write(text)
    if (taken > 0) this.offset += taken
    return taken
  }

  override truncate(): void {}

  override reopen(flags: number, task: Task): OpenFile {
    return this.inode.open(flags, task, this.path)
  }
}
