/** Mounts: which file system lies over which directory or file. One table for the machine. */

import { Errno, SysError } from '../../uapi/errno.ts'
import type { Inode } from './inode.ts'
import { NsfsInode } from './nsfs.ts'
import { Path } from './path.ts'

/** One mount. */
export interface Mount {
  readonly id: number
  readonly parent: Mount | null
  /** what is seen there */
  readonly root: Inode
  /** path of `root` within its file system, as mountinfo(5) shows it */
  readonly rootPath: string
  /** what was mounted, the first field of /proc/mounts */
  readonly source: string
  readonly fstype: string
  /** mount options and those of the file system, `rw,relatime` */
  readonly options: string
  readonly superOptions: string
  /** absolute path of the mount point */
  readonly target: string
  /** what it covers; null for the root */
  readonly covered: Inode | null
}

/** How a mount is described to `MountTable.add`. */
export interface MountSpec {
  readonly root: Inode
  readonly source: string
  readonly options?: string
  readonly superOptions?: string
  readonly rootPath?: string
  /** its number, which is also its place in the table; the next free one where absent */
  readonly id?: number
}

/** The mount table. */
export class MountTable {
  /** by number */
  private mounts: Mount[] = []
  /** mounts by the inode they cover; which of them counts depends on the mount it was reached through */
  private readonly over = new Map<Inode, Mount[]>()
  private nextId = 22
  private rootMount: Mount | undefined

  /** Mounts the root file system. */
  mountRoot(spec: MountSpec): void {
    this.rootMount = this.make(spec, null, '/', null)
    this.enter(this.rootMount)
  }

  /** the root of the tree */
  get root(): Path {
    return new Path(this.rootMount!, this.rootMount!.root, null, '')
  }

  private enter(mount: Mount): void {
    const at = this.mounts.findIndex(other => other.id > mount.id)
    if (at < 0) this.mounts.push(mount)
    else this.mounts.splice(at, 0, mount)
  }

  /** @returns all mounts, by number: oldest first */
  list(): readonly Mount[] {
    return this.mounts
  }

  /** Lays a file system, or a file, over the place `at`. A namespace's file keeps the namespace alive. */
  add(at: Path, spec: MountSpec): Mount {
    const mount = this.make(spec, at.mount, at.text, at.inode)
    this.enter(mount)
    const over = this.over.get(at.inode)
    if (over === undefined) this.over.set(at.inode, [mount])
    else over.push(mount)
    if (spec.root instanceof NsfsInode) spec.root.net.get()
    return mount
  }

  /** Takes away the topmost mount at `at`, whose root `at` is. EINVAL where nothing is mounted, EBUSY for mounts above. */
  remove(at: Path): void {
    const { mount } = at
    if (mount.root !== at.inode || mount.covered === null) throw new SysError(Errno.EINVAL)
    if (this.mounts.some(other => other.parent === mount)) throw new SysError(Errno.EBUSY)
    this.mounts = this.mounts.filter(other => other !== mount)
    const rest = this.over.get(mount.covered)!.filter(other => other !== mount)
    if (rest.length === 0) this.over.delete(mount.covered)
    else this.over.set(mount.covered, rest)
    if (mount.root instanceof NsfsInode) mount.root.net.put()
  }

  /** @returns whether something is mounted over an inode, by whatever way it was reached */
  covers(inode: Inode): boolean {
    return this.over.has(inode)
  }

  /** @returns what is seen at a place: the root of the topmost mount over it, or the inode itself */
  cross(mount: Mount, inode: Inode, parent: Path | null, name: string): Path {
    if (this.over.size === 0) return new Path(mount, inode, parent, name)
    for (;;) {
      const over = this.over.get(inode)?.findLast(candidate => candidate.parent === mount)
      if (over === undefined) return new Path(mount, inode, parent, name)
      mount = over
      inode = over.root
    }
  }

  private make(spec: MountSpec, parent: Mount | null, target: string, covered: Inode | null): Mount {
    const id = spec.id ?? this.nextId
    this.nextId = Math.max(this.nextId, id + 1)
    return {
      id,
      parent,
      root: spec.root,
      rootPath: spec.rootPath ?? '/',
      source: spec.source,
      fstype: spec.root.fs.type,
      options: spec.options ?? 'rw,relatime',
      superOptions: spec.superOptions ?? 'rw',
      target,
      covered,
    }
  }
}
