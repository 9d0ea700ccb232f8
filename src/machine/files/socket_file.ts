/** Sockets as files: what a descriptor of socket(2) points to. */
import type { Socket } from '../../kernel/core/socket.ts'
import type { WaitQueue } from '../../kernel/core/wait.ts'
import { Errno, SysError } from '../../uapi/errno.ts'
import { O_RDWR, S_IFSOCK, type Stat } from '../../uapi/fs.ts'
import type { TmpSocket } from '../fs/tmpfs.ts'
import type { Task } from '../task.ts'
import { OpenFile } from './open_file.ts'

/** Device number of sockfs. */
const SOCKFS_DEV = 8

function socketStat(ino: number): Stat {
  return { dev: SOCKFS_DEV, ino, mode: S_IFSOCK | 0o777, nlink: 1, uid: 0, gid: 0, size: 0, mtime: 0 }
}

/** An open socket of any family but netlink. */
export class SocketFile extends OpenFile {
  readonly socket: Socket
  /** the file that bind(2) of a unix socket made */
  node: TmpSocket | undefined

  constructor(flags: number, socket: Socket) {
    super(flags | O_RDWR)
    this.socket = socket
  }

  override get wq(): WaitQueue {
    return this.socket.wq
  }

  override get link(): string {
    return `socket:[${this.socket.ino}]`
  }

  override stat(): Stat {
    return socketStat(this.socket.ino)
  }

  override read(_task: Task, max: number): Uint8Array | number {
    const message = this.socket.recvmsg(max, 0)
    if (typeof message === 'number') return message
    return message.data
  }

  override write(_task: Task, data: Uint8Array): number {
    return this.socket.sendmsg(data, 0, undefined, undefined)
  }

  override poll(): number {
    return this.socket.poll()
  }

  override reopen(): never {
    throw new SysError(Errno.ENXIO)
  }

  protected override release(): void {
    if (this.node !== undefined) this.node.address = ''
    this.socket.release()
  }
}

/** The kernel's side of an open netlink socket, of any family. */
export interface NetlinkEndpoint {
  readonly wq: WaitQueue
  close(): void
}

/** An open netlink socket. */
export class NetlinkFile extends OpenFile {
  private readonly endpoint: NetlinkEndpoint
  private readonly ino: number

  constructor(endpoint: NetlinkEndpoint, ino: number) {
    super(O_RDWR)
    this.endpoint = endpoint
    this.ino = ino
  }

  override get wq(): WaitQueue {
    return this.endpoint.wq
  }

  override get link(): string {
    return `socket:[${this.ino}]`
  }

  override stat(): Stat {
    return socketStat(this.ino)
  }

  override reopen(): never {
    throw new SysError(Errno.ENXIO)
  }

  protected override release(): void {
    this.endpoint.close()
  }
}
