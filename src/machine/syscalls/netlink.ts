/** Netlink sockets: the kernel's endpoint with a blocking `receive`. */
import type { RtnlSocket } from '../../kernel/core/rtnetlink.ts'
import { Errno, SysError } from '../../uapi/errno.ts'
import { NETLINK_ROUTE, type NetlinkFamily, type NetlinkSocket } from '../../uapi/netlink.ts'
import type { RtMessage } from '../../uapi/rtnetlink.ts'
import { COST } from '../costs.ts'
import { NetlinkFile } from '../files/socket_file.ts'
import { NsFile } from '../fs/nsfs.ts'
import { SIGNALED, type Task } from '../task.ts'

/** Opens a netlink socket in the process's namespace. EPROTONOSUPPORT for a family the kernel has not. */
export function netlink(task: Task, family: NetlinkFamily): NetlinkSocket {
  task.enter(COST.socketOpen)
  if (family !== NETLINK_ROUTE) throw new SysError(Errno.EPROTONOSUPPORT)
  const { kernel, processes } = task.machine
  const socket = kernel.netlinkRoute({
    net: task.net,
    cred: task.cred,
    netByFd: fd => {
      const file = task.files.peek(fd)
      return file instanceof NsFile && file.ns.kind === 'net' ? file.ns.of : undefined
    },
    netByPid: pid => {
      const target = processes.get(pid)
      return target === undefined || target.ended !== undefined ? undefined : target.net
    },
  })
  return new TaskNetlink(task, socket)
}

/** What a program holds. Its descriptor closes it when the process ends. */
class TaskNetlink implements NetlinkSocket {
  private readonly task: Task
  private readonly socket: RtnlSocket
  private readonly fd: number

  constructor(task: Task, socket: RtnlSocket) {
    this.task = task
    this.socket = socket
    this.fd = task.files.install(new NetlinkFile(socket, task.machine.kernel.nextSockIno()))
  }

  request(message: RtMessage): RtMessage[] {
    this.task.enter(COST.netlink)
    return this.socket.request(message)
  }

  subscribe(...groups: number[]): void {
    this.task.enter(COST.trivial)
    this.socket.subscribe(...groups)
  }

  listenAllNsid(): void {
    this.task.enter(COST.trivial)
    this.socket.listenAllNsid()
  }

  async receive(): Promise<RtMessage> {
    const turn = this.task.preempt()
    if (turn !== undefined) await turn
    this.task.enter(COST.socket)
    for (;;) {
      const message = this.socket.next()
      if (message !== undefined) return message
      if ((await this.task.wait([this.socket.wq], Number.POSITIVE_INFINITY, 'recvmsg')) === SIGNALED)
        throw new SysError(Errno.EINTR)
    }
  }

  close(): void {
    if (this.task.files.peek(this.fd) instanceof NetlinkFile) this.task.files.close(this.fd)
  }
}
