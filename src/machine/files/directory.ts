/** An open directory. */
import { Errno } from '../../uapi/errno.ts'
import type { Stat } from '../../uapi/fs.ts'
import type { Path } from '../fs/path.ts'
import { OpenFile } from './open_file.ts'

export class DirectoryFile extends OpenFile {
  readonly path: Path

  constructor(flags: number, path: Path) {
    super(flags)
    this.path = path
  }

  override get link(): string {
    return this.path.text
  }

  override stat(): Stat {
    return this.path.inode.stat()
  }

  override read(): number {
    return -Errno.EISDIR
  }

  override write(): number {
    return -Errno.EBADF
  }
}
