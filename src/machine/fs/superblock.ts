/** Mounted file systems, `struct super_block`: what every mount of one shares. */
import type { FileSystem, Inode } from './inode.ts'

/** A file system in use. */
export class SuperBlock {
  readonly fs: FileSystem
  readonly root: Inode
  /** no mount of it may be written to */
  readOnly: boolean
  /** options of the file system itself, as /proc/mounts shows them */
  options: readonly string[]
  private mounts = 0
  private readonly release: (() => void) | undefined

  /** @param release called when its last mount has gone */
  constructor(root: Inode, options: { readOnly?: boolean; options?: readonly string[]; release?: () => void } = {}) {
    this.fs = root.fs
    this.root = root
    this.readOnly = options.readOnly ?? false
    this.options = options.options ?? []
    this.release = options.release
  }

  /** One more mount. */
  get(): this {
    this.mounts++
    return this
  }

  /** One mount less. */
  put(): void {
    if (--this.mounts === 0) this.release?.()
  }
}
