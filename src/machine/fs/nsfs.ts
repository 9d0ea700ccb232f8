/** nsfs: the files that stand for namespaces. Opening or mounting one keeps its namespace alive. */
import type { Net } from '../../kernel/core/net_namespace.ts'
import { Errno } from '../../uapi/errno.ts'
import { S_IFREG, type Stat } from '../../uapi/fs.ts'
import { OpenFile } from '../files/open_file.ts'
import { type FileSystem, Inode } from './inode.ts'

/** The file of a network namespace. */
export class NsfsInode extends Inode {
  readonly net: Net

  constructor(fs: FileSystem, net: Net) {
    super(fs, net.ino, S_IFREG | 0o444)
    this.net = net
  }

  override open(flags: number): OpenFile {
    return new NsFile(flags, this)
  }
}

/** An open namespace file: what setns(2) takes. */
export class NsFile extends OpenFile {
  readonly net: Net
  private readonly inode: NsfsInode

  constructor(flags: number, inode: NsfsInode) {
    super(flags)
    this.inode = inode
    this.net = inode.net.get()
  }

  override get link(): string {
    return `net:[${this.net.ino}]`
  }

  override stat(): Stat {
    return this.inode.stat()
  }

  override read(): number {
    return -Errno.EINVAL
  }

  protected override release(): void {
    this.net.put()
  }
}

/** The file of a namespace that every process shares: there is one of each kind. */
export class SharedNsInode extends Inode {
  private readonly kind: string

  /** @param kind as in `uts:[4026531838]` */
  constructor(fs: FileSystem, kind: string, ino: number) {
    super(fs, ino, S_IFREG | 0o444)
    this.kind = kind
  }

  override open(flags: number): OpenFile {
    return new SharedNsFile(flags, this, `${this.kind}:[${this.ino}]`)
  }
}

class SharedNsFile extends OpenFile {
  private readonly inode: SharedNsInode
  private readonly name: string

  constructor(flags: number, inode: SharedNsInode, name: string) {
    super(flags)
    this.inode = inode
    this.name = name
  }

  override get link(): string {
    return this.name
  }

  override stat(): Stat {
    return this.inode.stat()
  }
}
