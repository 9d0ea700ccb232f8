/**
 * Where a file is: an inode, the mount it was reached through, and the way there. `..` and getcwd(2) need the way;
 * a chain of these stands for it, as dentries do in Linux.
 */
import type { Inode } from './inode.ts'
import type { Mount } from './mount.ts'

/** A place in the tree. Immutable. */
export class Path {
  readonly mount: Mount
  readonly inode: Inode
  /** the directory above, null for the root */
  readonly parent: Path | null
  readonly name: string

  constructor(mount: Mount, inode: Inode, parent: Path | null, name: string) {
    this.mount = mount
    this.inode = inode
    this.parent = parent
    this.name = name
  }

  /** the absolute path */
  get text(): string {
    if (this.parent === null) return '/'
    let text = ''
    for (let at: Path = this; at.parent !== null; at = at.parent) text = `/${at.name}${text}`
    return text
  }
}
