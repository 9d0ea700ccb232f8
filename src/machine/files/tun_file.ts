/** An open /dev/net/tun: the process's end of a tun(4) device. */

import type { WaitQueue } from '../../kernel/core/wait.ts'
import { TunFile } from '../../kernel/drivers/tun.ts'
import { POLLIN, POLLOUT, type Stat } from '../../uapi/fs.ts'
import type { IoctlRequest } from '../../uapi/ioctl.ts'
import type { Inode } from '../fs/inode.ts'
import type { Path } from '../fs/path.ts'
import type { Task } from '../task.ts'
import { OpenFile } from './open_file.ts'

/** Packets go out by `read` and come in by `write`, one a call. */
export class TunDeviceFile extends OpenFile {
  private readonly tun: TunFile
  private readonly inode: Inode
  private readonly path: Path

  constructor(flags: number, task: Task, inode: Inode, path: Path) {
    super(flags)
    this.tun = new TunFile(task.net)
    this.inode = inode
    this.path = path
  }

  override get wq(): WaitQueue {
    return this.tun.wq
  }

  override get link(): string {
    return this.path.text
  }

  override stat(): Stat {
    return this.inode.stat()
  }

  override read(_task: Task, max: number): Uint8Array | number {
    const packet = this.tun.read()
    return typeof packet === 'number' ? packet : packet.subarray(0, max)
  }

  override write(_task: Task, data: Uint8Array): number {
    return this.tun.write(data)
  }

  override poll(): number {
    return POLLOUT | (this.tun.queue.qlen > 0 ? POLLIN : 0)
  }

  override ioctl(request: IoctlRequest): number {
    return this.tun.ioctl(request)
  }

  protected override release(): void {
    this.tun.close()
  }
}
