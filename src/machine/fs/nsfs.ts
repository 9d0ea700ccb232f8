/** nsfs: the files that stand for namespaces. Opening or mounting one keeps its namespace alive. */
import type { Net } from '../../kernel/core/net_namespace.ts'
import { Errno } from '../../uapi/errno.ts'
import { S_IFREG, type Stat } from '../../uapi/fs.ts'
import { OpenFile } from '../files/open_file.ts'
import { type FileSystem, Inode } from './inode.ts'
import type { MountNamespace } from './mount.ts'

/** A namespace of a kind that processes can differ in, by the word that its file is named by. */
export type Namespace =
  | { readonly kind: 'net'; readonly of: Net }
  | { readonly kind: 'mnt'; readonly of: MountNamespace }

/** The file of a namespace. */
export class NsfsInode extends Inode {
  readonly ns: Namespace

  constructor(fs: FileSystem, ns: Namespace) {
    super(fs, ns.of.ino, S_IFREG | 0o444)
    this.ns = ns
  }

  /** the namespace itself, to be kept alive */
  get namespace(): { get(): unknown; put(): void } {
    return this.ns.of
  }

  /** its name, as in `net:[4026531840]` */
  get text(): string {
    return `${this.ns.kind}:[${this.ino}]`
  }

  override open(flags: number): OpenFile {
    return new NsFile(flags, this)
  }
}

/** An open namespace file: what setns(2) takes. */
export class NsFile extends OpenFile {
  readonly inode: NsfsInode

  constructor(flags: number, inode: NsfsInode) {
    super(flags)
    this.inode = inode
    inode.namespace.get()
  }

  get ns(): Namespace {
    return this.inode.ns
  }

  override get link(): string {
    return this.inode.text
  }

  override stat(): Stat {
    return this.inode.stat()
  }

  override read(): number {
    return -Errno.EINVAL
  }

  protected override release(): void {
    this.inode.namespace.put()
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
