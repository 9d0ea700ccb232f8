/**
 * The virtual file system: finding files by path, and the operations on names. Paths are resolved component by
 * component through symbolic links and mounts, as in path_resolution(7).
 */
import { Errno, SysError } from '../../uapi/errno.ts'
import {
  type Dirent,
  O_ACCMODE,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFREG,
} from '../../uapi/fs.ts'
import type { OpenFile } from '../files/open_file.ts'
import type { Task } from '../task.ts'
import { type Inode, MAY_EXEC, MAY_READ, MAY_WRITE, permitted } from './inode.ts'
import { type Mount, MountTable } from './mount.ts'
import type { Path } from './path.ts'

/** Symbolic links followed in one resolution at most. */
const MAX_LINKS = 40
const NAME_MAX = 255
const PATH_MAX = 4096

/** Where a name is or would be: its directory, and the file if it exists. */
export interface Entry {
  readonly dir: Path
  readonly name: string
  readonly path: Path | undefined
  /** the path ended in a slash: it must be a directory */
  readonly slash: boolean
}

export class Vfs {
  readonly mounts = new MountTable()

  /** Finds a file. Throws what the resolution fails with, ENOENT mostly. @param follow also a last symbolic link */
  resolve(task: Task, text: string, follow = true): Path {
    const found = this.find(task, text, follow)
    if (typeof found === 'number') throw new SysError(-found)
    return found
  }

  /** The same without throwing. @returns the file, or a negative error number */
  find(task: Task, text: string, follow = true): Path | number {
    if (text === '') return -Errno.ENOENT
    if (text.length >= PATH_MAX) return -Errno.ENAMETOOLONG
    return this.walk(task, text.startsWith('/') ? task.mnt.root : task.cwd, text, follow, 0)
  }

  private walk(task: Task, from: Path, text: string, follow: boolean, links: number): Path | number {
    const parts = text.split('/')
    const slash = text.endsWith('/')
    let last = parts.length - 1
    while (last >= 0 && parts[last] === '') last--
    let at = from
    for (let i = 0; i <= last; i++) {
      const part = parts[i]!
      if (part === '' || part === '.') continue
      const next = this.step(task, at, part)
      if (typeof next === 'number') return next
      at = next
      if (at.inode.isSymlink && (i < last || follow || slash)) {
        if (++links > MAX_LINKS) return -Errno.ELOOP
        const target = this.followLink(task, at, links)
        if (typeof target === 'number') return target
        at = target
      }
    }
    if (slash && !at.inode.isDirectory) return -Errno.ENOTDIR
    return at
  }

  /** One component. @returns the place, symbolic links not followed, or a negative error number */
  private step(task: Task, at: Path, name: string): Path | number {
    const { inode } = at
    if (!inode.isDirectory) return -Errno.ENOTDIR
    if (!permitted(inode, task.uid, task.gid, MAY_EXEC)) return -Errno.EACCES
    if (name === '..') return at.parent ?? at
    if (name.length > NAME_MAX) return -Errno.ENAMETOOLONG
    const child = inode.lookup(name, task)
    return child === undefined ? -Errno.ENOENT : this.mounts.cross(at.mount, child, at, name)
  }

  private followLink(task: Task, link: Path, links: number): Path | number {
    const magic = link.inode.follow(task)
    if (magic !== undefined) return magic
    const target = link.inode.readlink(task)
    if (target === '') return -Errno.ENOENT
    return this.walk(task, target.startsWith('/') ? task.mnt.root : link.parent!, target, true, links)
  }

  /** Finds where a name is or would be; the last component is not followed. */
  entry(task: Task, text: string): Entry {
    const trimmed = text.replace(/\/+$/, '')
    if (text === '') throw new SysError(Errno.ENOENT)
    const cut = trimmed.lastIndexOf('/')
    const name = trimmed.slice(cut + 1)
    if (trimmed === '') {
      const { root } = task.mnt
      return { dir: root, name: '', path: root, slash: true }
    }
    const dir = cut < 0 ? task.cwd : this.resolve(task, cut === 0 ? '/' : trimmed.slice(0, cut))
    if (!dir.inode.isDirectory) throw new SysError(Errno.ENOTDIR)
    const path = name === '.' ? dir : this.step(task, dir, name)
    if (typeof path === 'number' && path !== -Errno.ENOENT) throw new SysError(-path)
    return { dir, name, path: typeof path === 'number' ? undefined : path, slash: trimmed !== text }
  }

  /** open(2). */
  open(task: Task, text: string, flags: number, mode: number): OpenFile {
    let path: Path
    let created = false
    if ((flags & O_CREAT) !== 0) {
      const entry = this.entry(task, text)
      if (entry.path !== undefined && (flags & O_EXCL) !== 0) throw new SysError(Errno.EEXIST)
      if (entry.path === undefined) {
        if (entry.slash) throw new SysError(Errno.EISDIR)
        path = this.create(task, entry, S_IFREG | (mode & 0o7777 & ~task.umask))
        created = true
      } else path = entry.path.inode.isSymlink ? this.openThroughLink(task, entry.path, flags, mode) : entry.path
    } else path = this.resolve(task, text)
    const { inode } = path
    const access = flags & O_ACCMODE
    if (inode.isDirectory && (access !== O_RDONLY || (flags & O_CREAT) !== 0)) throw new SysError(Errno.EISDIR)
    if (!inode.isDirectory && (flags & O_DIRECTORY) !== 0) throw new SysError(Errno.ENOTDIR)
    if (!created) {
      const mask = (access === O_WRONLY ? 0 : MAY_READ) | (access === O_RDONLY ? 0 : MAY_WRITE)
      if (!permitted(inode, task.uid, task.gid, mask)) throw new SysError(Errno.EACCES)
      if (access !== O_RDONLY && path.mount.writeProtected && !isSpecial(inode)) throw new SysError(Errno.EROFS)
    }
    const file = inode.open(flags, task, path)
    file.mount ??= path.mount
    if ((flags & O_TRUNC) !== 0 && !created && access !== O_RDONLY && inode.type === S_IFREG) inode.truncate(0)
    return file
  }

  /** O_CREAT through a dangling link makes the file it points to. */
  private openThroughLink(task: Task, link: Path, flags: number, mode: number): Path {
    const target = this.walk(task, link.parent!, link.name, true, 0)
    if (typeof target !== 'number') return target
    if (target !== -Errno.ENOENT || (flags & O_EXCL) !== 0) throw new SysError(-target)
    const text = link.inode.readlink(task)
    const entry = this.entry(task, text.startsWith('/') ? text : `${link.parent!.text}/${text}`)
    if (entry.path?.inode.isSymlink === true) return this.openThroughLink(task, entry.path, flags, mode)
    return this.create(task, entry, S_IFREG | (mode & 0o7777 & ~task.umask))
  }

  /** Makes a file that does not exist yet. @param mode type and permission bits, the umask already applied */
  create(task: Task, entry: Entry, mode: number): Path {
    const { dir, name } = entry
    this.writable(task, dir)
    if (name.length > NAME_MAX) throw new SysError(Errno.ENAMETOOLONG)
    const inode = dir.inode.create(name, mode, task)
    return this.mounts.cross(dir.mount, inode, dir, name)
  }

  /** Checks that entries of a directory may be changed. */
  private writable(task: Task, dir: Path): void {
    if (dir.mount.writeProtected) throw new SysError(Errno.EROFS)
    if (!permitted(dir.inode, task.uid, task.gid, MAY_WRITE | MAY_EXEC)) throw new SysError(Errno.EACCES)
  }

  mkdir(task: Task, text: string, mode: number): void {
    const entry = this.entry(task, text)
    if (entry.path !== undefined) throw new SysError(Errno.EEXIST)
    this.create(task, entry, S_IFDIR | (mode & 0o7777 & ~task.umask))
  }

  /** Makes a fifo, socket or device file. EEXIST */
  mknod(task: Task, text: string, mode: number): Inode {
    const entry = this.entry(task, text)
    if (entry.path !== undefined) throw new SysError(Errno.EEXIST)
    return this.create(task, entry, mode & ~(task.umask & 0o777)).inode
  }

  rmdir(task: Task, text: string): void {
    const { dir, name, path } = this.entry(task, text)
    if (path === undefined) throw new SysError(Errno.ENOENT)
    if (name === '.') throw new SysError(Errno.EINVAL)
    if (name === '..') throw new SysError(Errno.ENOTEMPTY)
    if (!path.inode.isDirectory) throw new SysError(Errno.ENOTDIR)
    if (this.isMountPoint(path) || path.parent === null) throw new SysError(Errno.EBUSY)
    this.writable(task, dir)
    dir.inode.rmdir(name, path.inode)
    this.mounts.detachFrom(path.inode)
  }

  unlink(task: Task, text: string): void {
    const { dir, name, path, slash } = this.entry(task, text)
    if (path === undefined) throw new SysError(Errno.ENOENT)
    if (path.inode.isDirectory) throw new SysError(Errno.EISDIR)
    if (slash) throw new SysError(Errno.ENOTDIR)
    if (this.isMountPoint(path)) throw new SysError(Errno.EBUSY)
    this.writable(task, dir)
    dir.inode.unlink(name, path.inode)
    this.mounts.detachFrom(path.inode)
  }

  rename(task: Task, fromText: string, toText: string): void {
    const from = this.entry(task, fromText)
    const to = this.entry(task, toText)
    if (from.path === undefined) throw new SysError(Errno.ENOENT)
    const { inode } = from.path
    if (from.dir.mount !== to.dir.mount) throw new SysError(Errno.EXDEV)
    if (this.isMountPoint(from.path) || (to.path !== undefined && this.isMountPoint(to.path)))
      throw new SysError(Errno.EBUSY)
    if (!inode.isDirectory && (from.slash || to.slash)) throw new SysError(Errno.ENOTDIR)
    if (to.path !== undefined) {
      if (to.path.inode === inode) return
      if (to.path.inode.isDirectory && !inode.isDirectory) throw new SysError(Errno.EISDIR)
      if (!to.path.inode.isDirectory && inode.isDirectory) throw new SysError(Errno.ENOTDIR)
    }
    if (inode.isDirectory)
      for (let at: Path | null = to.dir; at !== null; at = at.parent)
        if (at.inode === inode) throw new SysError(Errno.EINVAL)
    this.writable(task, from.dir)
    this.writable(task, to.dir)
    from.dir.inode.rename(from.name, inode, to.dir.inode, to.name, to.path?.inode)
  }

  link(task: Task, fromText: string, toText: string): void {
    const from = this.resolve(task, fromText, false)
    const to = this.entry(task, toText)
    if (to.path !== undefined) throw new SysError(Errno.EEXIST)
    if (from.inode.isDirectory) throw new SysError(Errno.EPERM)
    if (from.mount !== to.dir.mount) throw new SysError(Errno.EXDEV)
    this.writable(task, to.dir)
    to.dir.inode.link(to.name, from.inode)
  }

  symlink(task: Task, target: string, text: string): void {
    if (target === '') throw new SysError(Errno.ENOENT)
    const entry = this.entry(task, text)
    if (entry.path !== undefined) throw new SysError(Errno.EEXIST)
    if (entry.slash) throw new SysError(Errno.ENOENT)
    this.writable(task, entry.dir)
    entry.dir.inode.symlink(entry.name, target, task)
  }

  readlink(task: Task, text: string): string {
    const { inode } = this.resolve(task, text, false)
    if (!inode.isSymlink) throw new SysError(Errno.EINVAL)
    return inode.readlink(task)
  }

  readdir(task: Task, text: string): Dirent[] {
    const { inode } = this.resolve(task, text)
    if (!inode.isDirectory) throw new SysError(Errno.ENOTDIR)
    if (!permitted(inode, task.uid, task.gid, MAY_READ)) throw new SysError(Errno.EACCES)
    return inode.list(task)
  }

  chmod(task: Task, text: string, mode: number): void {
    const path = this.resolve(task, text)
    this.owned(task, path)
    path.inode.chmod(mode)
  }

  utimes(task: Task, text: string, mtime: number): void {
    const path = this.resolve(task, text)
    this.owned(task, path)
    path.inode.utimes(mtime)
  }

  private owned(task: Task, path: Path): void {
    if (path.mount.writeProtected) throw new SysError(Errno.EROFS)
    if (task.uid !== 0 && task.uid !== path.inode.uid) throw new SysError(Errno.EPERM)
  }

  /** @returns the mount whose root a path is, or undefined */
  mountAt(path: Path): Mount | undefined {
    return path.inode === path.mount.root ? path.mount : undefined
  }

  private isMountPoint(path: Path): boolean {
    return path.inode === path.mount.root && path.mount.covered !== null
  }
}

/** @returns whether writing to it does not change its file system */
function isSpecial(inode: Inode): boolean {
  return inode.type === S_IFCHR || inode.type === S_IFBLK || inode.type === S_IFIFO
}
