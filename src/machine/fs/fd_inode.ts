/** What /proc/PID/fd/N leads to: the open file itself, with or without a name that still exists. */
import type { Stat } from '../../uapi/fs.ts'
import type { OpenFile } from '../files/open_file.ts'
import type { Task } from '../task.ts'
import { type FileSystem, Inode } from './inode.ts'

export class OpenFileInode extends Inode {
  private readonly file: OpenFile

  constructor(fs: FileSystem, file: OpenFile) {
    const { ino, mode, mtime } = file.stat()
    super(fs, ino, mode, mtime)
    this.file = file
  }

  override get size(): number {
    return this.file.stat().size
  }

  override stat(): Stat {
    return this.file.stat()
  }

  override open(flags: number, task: Task): OpenFile {
    return this.file.reopen(flags, task)
  }

  override truncate(length: number): void {
    this.file.truncate(length)
  }
}
