/**
 * Mounts: which file system lies over which directory or file, in each mount namespace. Mounts of one peer group tell
 * each other of what is mounted below them, and their slaves too: see mount_namespaces(7) and the kernel document
 * "Shared Subtrees".
 */
import { NumberPool } from '../../kernel/core/number_pool.ts'
import { Errno, SysError } from '../../uapi/errno.ts'
import type { Inode } from './inode.ts'
import { NsfsInode } from './nsfs.ts'
import { Path } from './path.ts'
import type { SuperBlock } from './superblock.ts'

/** Mounts that propagate to each other. */
export interface PeerGroup {
  readonly id: number
  readonly members: Set<Mount>
  /** mounts that receive from the group and give nothing back */
  readonly slaves: Set<Mount>
}

/** One mount, `struct mount`. */
export class Mount {
  readonly id: number
  readonly ns: MountNamespace
  parent: Mount | null
  /** what is seen there */
  readonly root: Inode
  /** path of `root` within its file system, as mountinfo(5) shows it */
  readonly rootPath: string
  /** what was mounted, the first field of /proc/mounts */
  readonly source: string
  readonly sb: SuperBlock
  /** this place may not be written to, whatever the file system allows */
  readOnly: boolean
  /** further options of this place, such as `relatime` */
  options: readonly string[]
  /** absolute path of the mount point */
  target: string
  /** what it covers; null for the root */
  covered: Inode | null
  /** the group it shares mounts with */
  peers: PeerGroup | undefined
  /** the group it receives mounts from */
  master: PeerGroup | undefined
  /** belongs to what came before the root file system: nothing shows or reaches it */
  readonly hidden: boolean

  constructor(
    id: number,
    ns: MountNamespace,
    parent: Mount | null,
    spec: MountSpec,
    covered: Inode | null,
    target: string,
  ) {
    this.id = id
    this.ns = ns
    this.parent = parent
    this.root = spec.root ?? spec.sb.root
    this.rootPath = spec.rootPath ?? '/'
    this.source = spec.source
    this.sb = spec.sb
    this.readOnly = spec.readOnly ?? false
    this.options = spec.options ?? ['relatime']
    this.covered = covered
    this.target = target
    this.hidden = spec.hidden ?? false
  }

  get fstype(): string {
    return this.sb.fs.type
  }

  /** @returns whether files here cannot be changed */
  get writeProtected(): boolean {
    return this.readOnly || this.sb.readOnly
  }

  /** mount options in the form of mountinfo(5) */
  get optionText(): string {
    return [this.readOnly ? 'ro' : 'rw', ...this.options].join(',')
  }

  /** options of the file system in the form of mountinfo(5) */
  get superText(): string {
    return [this.sb.readOnly ? 'ro' : 'rw', ...this.sb.options].join(',')
  }
}

/** How a mount is described to `MountTable.add`. */
export interface MountSpec {
  readonly sb: SuperBlock
  readonly source: string
  /** what is seen there: the file system's root where absent */
  readonly root?: Inode
  readonly rootPath?: string
  readonly readOnly?: boolean
  readonly options?: readonly string[]
  /** its number; the lowest free one where absent */
  readonly id?: number
  readonly hidden?: boolean
}

/** A mount namespace: the tree that its processes see. */
export class MountNamespace {
  /** inode number of its nsfs file, as in `mnt:[4026531841]` */
  readonly ino: number
  /** oldest first; a copied tree's in the order of the tree */
  readonly mounts: Mount[] = []
  /** the root file system's mount */
  rootMount!: Mount
  private readonly table: MountTable
  private readonly release: ((ino: number) => void) | undefined
  private refs = 1

  /** @param release called with its number when its last user has gone */
  constructor(table: MountTable, ino: number, release?: (ino: number) => void) {
    this.table = table
    this.ino = ino
    this.release = release
  }

  /** the root of the tree */
  get root(): Path {
    return new Path(this.rootMount, this.rootMount.root, null, '')
  }

  /** @returns its mounts as /proc shows them */
  list(): Mount[] {
    return this.mounts.filter(mount => !mount.hidden)
  }

  /** One more user: a process or an open nsfs file. */
  get(): this {
    this.refs++
    return this
  }

  /** One less; with the last its mounts go. */
  put(): void {
    if (--this.refs > 0) return
    this.table.dissolve(this)
    this.release?.(this.ino)
  }
}

/** All mounts of a machine. */
export class MountTable {
  /** mounts by the inode they cover; which of them counts depends on the mount it was reached through */
  private readonly over = new Map<Inode, Mount[]>()
  private readonly ids = new NumberPool(1)
  private readonly groups = new NumberPool(1)

  /** Marks mount numbers as used by what is not modelled. */
  reserveIds(upTo: number): void {
    for (let id = 1; id <= upTo; id++) this.ids.take(id)
  }

  /** Makes a mount that lies over nothing: the root of a tree, or what is hidden. */
  addRoot(ns: MountNamespace, parent: Mount | null, spec: MountSpec): Mount {
    const mount = this.make(ns, parent, spec, null, '/')
    if (!mount.hidden) ns.rootMount = mount
    return mount
  }

  /** Lays a file system, or a file, over the place `at`, and over the same place of every mount that shares it. */
  add(at: Path, spec: MountSpec): Mount {
    const mount = this.make(at.mount.ns, at.mount, spec, at.inode, at.text)
    this.propagate(mount, at.mount)
    return mount
  }

  /**
   * Shows a file or directory of `from` at `at`, the mounts below it too where `recursive`. The new mount is a peer of
   * the one it is taken from where that is shared.
   */
  bind(from: Path, at: Path, recursive: boolean): Mount {
    const { mount } = from
    const nsfs = from.inode instanceof NsfsInode
    const bound = this.make(
      at.mount.ns,
      at.mount,
      {
        sb: mount.sb,
        root: from.inode,
        rootPath: nsfs ? from.inode.text : pathInFs(from),
        source: mount.source,
        readOnly: mount.readOnly,
        options: mount.options,
      },
      at.inode,
      at.text,
    )
    this.join(bound, mount.peers)
    if (mount.peers === undefined && mount.master !== undefined) this.follow(bound, mount.master)
    if (recursive) {
      const below = mount.ns.mounts.filter(child => child !== bound && child.parent === mount && isBelow(child, from))
      const children = childrenOf(mount.ns)
      for (const child of below) {
        const target = `${at.text}${child.target.slice(from.text === '/' ? 0 : from.text.length)}`
        this.copyTree(child, children, at.mount.ns, bound, new Map(), target)
      }
    }
    this.propagate(bound, at.mount)
    return bound
  }

  /** Moves a mount with all that is mounted below it. EINVAL where `from` is no mount, its parent is shared, or `at` is inside */
  move(from: Path, at: Path): void {
    const { mount } = from
    if (mount.root !== from.inode || mount.covered === null || mount.parent?.peers !== undefined)
      throw new SysError(Errno.EINVAL)
    for (let above: Mount | null = at.mount; above !== null; above = above.parent)
      if (above === mount) throw new SysError(Errno.ELOOP)
    this.uncover(mount)
    const old = mount.target
    for (const each of subtree(mount)) each.target = at.text + each.target.slice(old.length)
    mount.parent = at.mount
    mount.covered = at.inode
    this.cover(mount)
    this.propagate(mount, at.mount)
  }

  /** @returns whether another mount lies on one, in whatever place */
  hasChildren(mount: Mount): boolean {
    return mount.ns.mounts.some(other => other.parent === mount)
  }

  /** Takes a mount away with all that lies on it, and what it was propagated to. */
  remove(mount: Mount): void {
    const { parent, covered, root } = mount
    const copies: Mount[] = []
    if (parent !== null && covered !== null)
      for (const receiver of receivers(parent)) {
        const copy = this.over.get(covered)?.findLast(other => other.parent === receiver && other.root === root)
        if (copy !== undefined) copies.push(copy)
      }
    for (const each of [mount, ...copies]) for (const gone of subtree(each).reverse()) this.drop(gone)
  }

  /** Takes away every mount over an inode that is removed: those of other namespaces. */
  detachFrom(inode: Inode): void {
    for (const mount of [...(this.over.get(inode) ?? [])]) for (const gone of subtree(mount).reverse()) this.drop(gone)
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

  /**
   * Copies a namespace (copy_mnt_ns). Shared mounts are peers of their copies.
   * @returns the copy, and for a place in the old tree the same place in the new one
   */
  copy(
    ns: MountNamespace,
    ino: number,
    release?: (ino: number) => void,
  ): { readonly ns: MountNamespace; readonly moved: (path: Path) => Path } {
    const copy = new MountNamespace(this, ino, release)
    const map = new Map<Mount, Mount>()
    const top = ns.mounts.find(mount => mount.parent === null)!
    this.copyTree(top, childrenOf(ns), copy, null, map)
    copy.rootMount = map.get(ns.rootMount)!
    const moved = (path: Path): Path =>
      new Path(
        map.get(path.mount) ?? path.mount,
        path.inode,
        path.parent === null ? null : moved(path.parent),
        path.name,
      )
    return { ns: copy, moved }
  }

  /** Used by MountNamespace: its last user has gone. */
  dissolve(ns: MountNamespace): void {
    for (const mount of [...ns.mounts].reverse()) this.drop(mount)
  }

  /** Makes a mount share what is mounted below it. */
  makeShared(mount: Mount): void {
    if (mount.peers === undefined) this.join(mount, this.newGroup())
  }

  /** Makes it only receive: from the peers it had, or from those it received from before. */
  makeSlave(mount: Mount): void {
    const group = mount.peers
    if (group === undefined) return
    group.members.delete(mount)
    mount.peers = undefined
    if (group.members.size > 0) this.follow(mount, group)
    else this.endGroup(group, mount.master)
  }

  /** Makes it neither share nor receive. */
  makePrivate(mount: Mount): void {
    this.makeSlave(mount)
    mount.master?.slaves.delete(mount)
    mount.master = undefined
  }

  private make(
    ns: MountNamespace,
    parent: Mount | null,
    spec: MountSpec,
    covered: Inode | null,
    target: string,
  ): Mount {
    const id = spec.id === undefined ? this.ids.allocate() : this.ids.take(spec.id)
    const mount = new Mount(id, ns, parent, spec, covered, target)
    mount.sb.get()
    if (mount.root instanceof NsfsInode) mount.root.namespace.get()
    ns.mounts.push(mount)
    this.cover(mount)
    return mount
  }

  private cover(mount: Mount): void {
    if (mount.covered === null) return
    const over = this.over.get(mount.covered)
    if (over === undefined) this.over.set(mount.covered, [mount])
    else over.push(mount)
  }

  private uncover(mount: Mount): void {
    if (mount.covered === null) return
    const rest = this.over.get(mount.covered)!.filter(other => other !== mount)
    if (rest.length === 0) this.over.delete(mount.covered)
    else this.over.set(mount.covered, rest)
  }

  /** Takes one mount away, whatever lies on it. */
  private drop(mount: Mount): void {
    const { mounts } = mount.ns
    const i = mounts.indexOf(mount)
    if (i < 0) return
    mounts.splice(i, 1)
    this.uncover(mount)
    this.makePrivate(mount)
    this.ids.free(mount.id)
    mount.sb.put()
    if (mount.root instanceof NsfsInode) mount.root.namespace.put()
  }

  /** Copies a mount with all below it (copy_tree). */
  private copyTree(
    mount: Mount,
    children: ReadonlyMap<Mount, readonly Mount[]>,
    ns: MountNamespace,
    parent: Mount | null,
    map: Map<Mount, Mount>,
    target = mount.target,
  ): Mount {
    const copy = this.make(ns, parent, { ...specOf(mount), hidden: mount.hidden }, mount.covered, target)
    map.set(mount, copy)
    this.join(copy, mount.peers)
    if (mount.master !== undefined) this.follow(copy, mount.master)
    for (const child of children.get(mount) ?? [])
      this.copyTree(child, children, ns, copy, map, target + child.target.slice(mount.target.length))
    return copy
  }

  /** Repeats a new mount below everything that shares with its parent (propagate_mnt). */
  private propagate(mount: Mount, parent: Mount): void {
    if (parent.peers === undefined) return
    this.makeShared(mount)
    this.spread(mount, parent)
  }

  private spread(model: Mount, parent: Mount): void {
    const group = parent.peers!
    const shared = model.peers!
    const repeat = (under: Mount): Mount => {
      const target = under.target + model.target.slice(parent.target.length)
      return this.make(under.ns, under, specOf(model), model.covered, target)
    }
    for (const peer of group.members) if (peer !== parent) this.join(repeat(peer), shared)
    for (const slave of group.slaves) {
      const copy = repeat(slave)
      this.follow(copy, shared)
      if (slave.peers === undefined) continue
      this.makeShared(copy)
      this.spread(copy, slave)
    }
  }

  private newGroup(): PeerGroup {
    return { id: this.groups.allocate(), members: new Set(), slaves: new Set() }
  }

  private join(mount: Mount, group: PeerGroup | undefined): void {
    if (group === undefined) return
    mount.peers = group
    group.members.add(mount)
  }

  private follow(mount: Mount, group: PeerGroup): void {
    mount.master?.slaves.delete(mount)
    mount.master = group
    group.slaves.add(mount)
  }

  /** A group without members: its slaves go over to the group above. */
  private endGroup(group: PeerGroup, above: PeerGroup | undefined): void {
    for (const slave of group.slaves) {
      slave.master = undefined
      if (above !== undefined) this.follow(slave, above)
    }
    this.groups.free(group.id)
  }
}

/** @returns what describes a mount like this one */
function specOf(mount: Mount): MountSpec {
  const { sb, source, root, rootPath, readOnly, options } = mount
  return { sb, source, root, rootPath, readOnly, options }
}

/** @returns the mounts of a namespace by the mount they lie on */
function childrenOf(ns: MountNamespace): Map<Mount, Mount[]> {
  const children = new Map<Mount, Mount[]>()
  for (const mount of ns.mounts) {
    if (mount.parent === null) continue
    const siblings = children.get(mount.parent)
    if (siblings === undefined) children.set(mount.parent, [mount])
    else siblings.push(mount)
  }
  return children
}

/** @returns a mount and everything mounted on it, it first */
function subtree(mount: Mount): Mount[] {
  const found = [mount]
  for (const each of found) found.push(...mount.ns.mounts.filter(child => child.parent === each))
  return found
}

/** @returns every mount that receives what is mounted below one */
function receivers(mount: Mount): Mount[] {
  const found = new Set<Mount>()
  const visit = (group: PeerGroup | undefined): void => {
    if (group === undefined) return
    for (const member of group.members) found.add(member)
    for (const slave of group.slaves) {
      if (found.has(slave)) continue
      found.add(slave)
      visit(slave.peers)
    }
  }
  visit(mount.peers)
  found.delete(mount)
  return [...found]
}

/** @returns whether a mount lies at or below a place of its parent */
function isBelow(mount: Mount, place: Path): boolean {
  const { text } = place
  return place.inode === place.mount.root || mount.target === text || mount.target.startsWith(`${text}/`)
}

/** @returns the path of a place within its file system */
export function pathInFs(place: Path): string {
  let text = ''
  for (let at: Path | null = place; at !== null && at.inode !== place.mount.root; at = at.parent)
    text = `/${at.name}${text}`
  const { rootPath } = place.mount
  return rootPath === '/' ? text || '/' : rootPath + text
}
