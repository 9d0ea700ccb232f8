/**
 * rtnetlink inside the kernel: handlers by family and message type, dumps, notifications to multicast groups.
 * Subsystems register here what rtnetlink(7) lets user space ask of them.
 */
import { Errno } from '../../uapi/errno.ts'
import { NetlinkError, type NetlinkSocket, NLM_F_DUMP } from '../../uapi/netlink.ts'
import type { RtMessage } from '../../uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../uapi/socket.ts'
import type { Net } from './net_namespace.ts'
import type { Cred } from './socket.ts'
import { WaitQueue } from './wait.ts'

/** Where a handler leaves its extended-ack text (`NL_SET_ERR_MSG`). */
export class NetlinkExtAck {
  msg: string | undefined

  /** Sets the text and hands the error number back, so that `return extack.fail(-Errno.EINVAL, '…')` reads well. */
  fail(errno: number, msg: string): number {
    this.msg = msg
    return errno
  }
}

/** Who asks, and from where. */
export interface RtnlContext {
  readonly net: Net
  readonly cred: Cred
  readonly extack: NetlinkExtAck
  /** the descriptors' namespaces that messages name: IFLA_NET_NS_FD and the like, resolved by the system call layer */
  netByFd(fd: number): Net | undefined
  /** the namespace of a process */
  netByPid(pid: number): Net | undefined
}

/** Answers one message. @returns a negative error, 0, or the answer's messages */
export type RtnlDoit = (ctx: RtnlContext, msg: RtMessage) => number | RtMessage[]
/** Lists. @returns a negative error or the messages in the kernel's order */
export type RtnlDumpit = (ctx: RtnlContext, msg: RtMessage) => number | RtMessage[]

/** The kernel's rtnetlink registry and its listeners. */
export class Rtnetlink {
  private readonly handlers = new Map<number, { doit?: RtnlDoit; dumpit?: RtnlDumpit }>()
  private readonly listeners = new Set<RtnlSocket>()

  /** Registers what answers `type` messages of `family` (AF_UNSPEC: families without a handler of their own). */
  register(family: number, type: number, handler: { doit?: RtnlDoit; dumpit?: RtnlDumpit }): void {
    const key = (family << 8) | type
    this.handlers.set(key, { ...this.handlers.get(key), ...handler })
  }

  /** @returns the handlers of exactly this family and type */
  lookup(family: number, type: number): { doit?: RtnlDoit; dumpit?: RtnlDumpit } | undefined {
    return this.handlers.get((family << 8) | type)
  }

  /** Handles one request (rtnetlink_rcv_msg). @returns the answer's messages; throws NetlinkError */
  request(ctx: RtnlContext, msg: RtMessage): RtMessage[] {
    const family = 'family' in msg ? msg.family : AF_UNSPEC
    const dump = (msg.type & 3) === 2 && (msg.flags & NLM_F_DUMP) === NLM_F_DUMP
    let handler = this.lookup(family, msg.type)
    if ((dump ? handler?.dumpit : handler?.doit) === undefined) handler = this.lookup(AF_UNSPEC, msg.type)
    const fn = dump ? handler?.dumpit : handler?.doit
    if (fn === undefined) throw new NetlinkError(Errno.EOPNOTSUPP)
    const result = fn(ctx, msg)
    if (typeof result !== 'number') return result
    if (result < 0) throw new NetlinkError(-result, ctx.extack.msg)
    return []
  }

  /** Tells the listeners of a group about a change (rtnl_notify). `make` runs only where somebody listens. */
  notify(net: Net, group: number, make: () => RtMessage): void {
    if (this.listeners.size === 0) return
    for (const socket of this.listeners) socket.deliver(net, group, make)
  }

  /** Opens a socket. */
  open(ctx: Omit<RtnlContext, 'extack'>): RtnlSocket {
    return new RtnlSocket(this, ctx)
  }

  /** Used by RtnlSocket. */
  listen(socket: RtnlSocket, on: boolean): void {
    if (on) this.listeners.add(socket)
    else this.listeners.delete(socket)
  }
}

/** A kernel-side netlink socket; the machine gives programs a `NetlinkSocket` over it. */
export class RtnlSocket implements Omit<NetlinkSocket, 'receive'> {
  readonly wq = new WaitQueue()
  private readonly groups = new Set<number>()
  private readonly queue: RtMessage[] = []
  private allNsid = false
  private readonly rtnl: Rtnetlink
  private readonly ctx: Omit<RtnlContext, 'extack'>

  /** Used by Rtnetlink. */
  constructor(rtnl: Rtnetlink, ctx: Omit<RtnlContext, 'extack'>) {
    this.rtnl = rtnl
    this.ctx = ctx
  }

  /** The namespace the socket was opened in. */
  get net(): Net {
    return this.ctx.net
  }

  request(msg: RtMessage): RtMessage[] {
    return this.rtnl.request({ ...this.ctx, extack: new NetlinkExtAck() }, msg)
  }

  subscribe(...groups: number[]): void {
    for (const group of groups) this.groups.add(group)
    this.rtnl.listen(this, true)
  }

  listenAllNsid(): void {
    this.allNsid = true
  }

  close(): void {
    this.rtnl.listen(this, false)
  }

  /** Used by Rtnetlink: queues a notification if this socket wants it. */
  deliver(net: Net, group: number, make: () => RtMessage): void {
    if (!this.groups.has(group)) return
    if (net === this.ctx.net) this.queue.push(make())
    else {
      const nsid = this.allNsid ? this.ctx.net.nsids.get(net) : undefined
      if (nsid === undefined) return
      this.queue.push({ ...make(), nsid } as RtMessage)
    }
    this.wq.wake()
  }

  /** @returns the next notification, or undefined: wait on `wq` */
  next(): RtMessage | undefined {
    return this.queue.shift()
  }
}
