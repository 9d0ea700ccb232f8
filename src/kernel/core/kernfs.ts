/**
 * Files that are views of kernel state: what procfs, sysfs and /proc/sys are made of.
 * A node holds no text: it makes it when read, from the state as it is then. The machine mounts the trees.
 */

/** A file: its text on reading, and what writing does. */
export interface KernfsFile {
  readonly kind: 'file'
  /** permission bits, such as 0o644 */
  readonly mode: number
  /** @returns the whole text (latin-1 where it is binary), or a negative error number */
  read?(): string | number
  /** @param text what one write(2) call brought @returns bytes taken, or a negative error number */
  write?(text: string): number
}

/** A directory: its entries in the order the kernel lists them. */
export interface KernfsDir {
  readonly kind: 'dir'
  readonly mode: number
  list(): Iterable<string>
  lookup(name: string): KernfsNode | undefined
}

/** A symbolic link. */
export interface KernfsLink {
  readonly kind: 'link'
  readonly target: string
}

export type KernfsNode = KernfsFile | KernfsDir | KernfsLink

/** A read-only file whose text a function makes. */
export function kernfsText(read: () => string | number, mode = 0o444): KernfsFile {
  return { kind: 'file', mode, read }
}

/** A directory that holds registered nodes; `sorted` lists by name, else in order of registration. */
export class KernfsTable implements KernfsDir {
  readonly kind = 'dir'
  readonly mode: number
  private readonly nodes = new Map<string, KernfsNode>()
  private readonly sorted: boolean

  constructor(sorted = false, mode = 0o555) {
    this.sorted = sorted
    this.mode = mode
  }

  list(): Iterable<string> {
    return this.sorted ? [...this.nodes.keys()].sort() : this.nodes.keys()
  }

  lookup(name: string): KernfsNode | undefined {
    return this.nodes.get(name)
  }

  /** Registers a node, in place of one of the same name. */
  set(name: string, node: KernfsNode): void {
    this.nodes.set(name, node)
  }

  /** Takes a node out. */
  delete(name: string): void {
    this.nodes.delete(name)
  }

  /** @returns the directory `name`, made where it is missing */
  dir(name: string, sorted = this.sorted): KernfsTable {
    let node = this.nodes.get(name)
    if (!(node instanceof KernfsTable)) {
      node = new KernfsTable(sorted, this.mode)
      this.nodes.set(name, node)
    }
    return node as KernfsTable
  }
}
