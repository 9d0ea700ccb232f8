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
