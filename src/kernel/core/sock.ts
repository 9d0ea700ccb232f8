/**
 * `struct sock`: what sockets of every family have in common — buffers accounted in true sizes, receive and error
 * queues, pending errors, the options of socket(7) at SOL_SOCKET. A family's socket class extends it.
 */
import { Errno } from '../../uapi/errno.ts'
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../uapi/fs.ts'
import { IFNAMSIZ } from '../../uapi/if.ts'
import {
  type AncillaryData,
  type ReceivedMessage,
  type SendControl,
  SHUT_RD,
  SHUT_WR,
  SO_ACCEPTCONN,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SO_DOMAIN,
  SO_DONTROUTE,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_MARK,
  SO_PRIORITY,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVTIMEO,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_SNDTIMEO,
  SO_TIMESTAMP,
  SO_TYPE,
  SOL_SOCKET,
  type Sockaddr,
  type SockExtendedErr,
} from '../../uapi/socket.ts'
import type { DropReason } from './dropreason.ts'
import type { DstEntry } from './dst.ts'
import { l3mdevMasterIfindexByIndex } from './l3mdev.ts'
import { type Net, pernetKey } from './net_namespace.ts'
import { type SkBuff, type SkbOwner, SkbQueue } from './skbuff.ts'
import type { Cred, OptionValue, Socket } from './socket.ts'
import { coreGlobals } from './sysctl_net_core.ts'
import { WaitQueue } from './wait.ts'

/** Further options at SOL_SOCKET that only old or rare programs use. */
const SO_DEBUG = 1
const SO_NO_CHECK = 11
const SO_PASSCRED = 16
const SO_RCVLOWAT = 18
const SO_SNDLOWAT = 19
const SO_RXQ_OVFL = 40

/** Smallest buffers, bytes of true size. */
const SOCK_MIN_SNDBUF = 4608
const SOCK_MIN_RCVBUF = 2304

/** Bits of `Sock.shutdownMask`. */
export const RCV_SHUTDOWN = 1
export const SEND_SHUTDOWN = 2
export const SHUTDOWN_MASK = 3

/** Values of `Sock.state`: those of TCP, of which datagram sockets use two. */
export const TCP_ESTABLISHED = 1
export const TCP_SYN_SENT = 2
export const TCP_SYN_RECV = 3
export const TCP_FIN_WAIT1 = 4
export const TCP_FIN_WAIT2 = 5
export const TCP_TIME_WAIT = 6
export const TCP_CLOSE = 7
export const TCP_CLOSE_WAIT = 8
export const TCP_LAST_ACK = 9
export const TCP_LISTEN = 10
export const TCP_CLOSING = 11
export const TCP_NEW_SYN_RECV = 12

/** What a failed getsockopt gives. */
export type OptionResult = number | Uint8Array | string | { readonly errno: number }

/** What a namespace counts: sockets by protocol, for /proc/net/sockstat. */
export class SocketCounts {
  /** all sockets that user space holds */
  used = 0
  /** in use by protocol name (sock_prot_inuse) */
  readonly inuse = new Map<string, number>()
}

/** Names a namespace's counts. */
export const socketCountsKey = pernetKey<SocketCounts>('sockets')

/** @returns a namespace's counts, made on first use */
export function socketCounts(net: Net): SocketCounts {
  let counts = net.at(socketCountsKey) as SocketCounts | undefined
  if (counts === undefined) {
    counts = new SocketCounts()
    net.set(socketCountsKey, counts)
  }
  return counts
}

/** An error that waits in an error queue, with the packet it is about (`sock_exterr_skb`). */
export interface QueuedError {
  readonly err: SockExtendedErr
  /** what recvmsg gives as the address: where the packet was sent to */
  readonly to: Sockaddr | undefined
  /** bytes of the packet's payload, copied */
  readonly data: Uint8Array
  /** what else the socket asked to know of the ICMP message (its TTL and the like) */
  readonly control: AncillaryData
  /** what it is charged, bytes */
  readonly truesize: number
}

function isIcmpError(error: QueuedError): boolean {
  return error.err.origin === 'icmp' || error.err.origin === 'icmp6'
}

/** @returns a truth value as an option shows it */
function flag(on: boolean): number {
  return on ? 1 : 0
}

/** @returns an option's number; options given as text are none */
export function optionNumber(value: OptionValue): number | undefined {
  if (typeof value === 'number') return value | 0
  if (value instanceof Uint8Array) {
    if (value.length < 1) return undefined
    if (value.length < 4) return value[0]!
    return value[0]! | (value[1]! << 8) | (value[2]! << 16) | (value[3]! << 24)
  }
  return undefined
}

/** A socket of any family. */
export abstract class Sock implements Socket, SkbOwner {
  net: Net
  readonly domain: number
  readonly type: number
  readonly protocol: number
  readonly ino: number
  readonly wq = new WaitQueue()
  readonly cred: Cred
  /** the kernel's own: no process holds it, and it does not keep its namespace alive */
  readonly kern: boolean
  /** name of its protocol (`proto.name`), such as `UDP` */
  readonly protoName: string
  /** ns; 0 for ever */
  rcvtimeo = 0
  sndtimeo = 0
  /** TCP_… */
  state = TCP_CLOSE
  /** RCV_SHUTDOWN, SEND_SHUTDOWN */
  shutdownMask = 0
  /** the last descriptor is closed */
  dead = false
  /** buffer limits and what is in use, bytes of true size */
  rcvbuf: number
  sndbuf: number
  rmemAlloc = 0
  wmemAlloc = 0
  /** the limits were set by the program: TCP leaves them alone (SOCK_RCVBUF_LOCK, SOCK_SNDBUF_LOCK) */
  rcvbufLocked = false
  sndbufLocked = false
  readonly receiveQueue = new SkbQueue()
  readonly errorQueue: QueuedError[] = []
  /** pending error, positive; given once */
  err = 0
  /** an error that is not fatal and is only shown */
  errSoft = 0
  /** packets that found no room */
  drops = 0
  /** index of the device it is bound to, 0 none */
  boundDevIf = 0
  mark = 0
  priority = 0
  reuse = false
  reuseport = false
  broadcast = false
  /** SO_DONTROUTE */
  localroute = false
  keepopen = false
  noCheckTx = false
  timestamp = false
  lingerOn = false
  /** seconds */
  lingerTime = 0
  rcvlowat = 1
  /** the route of a connected socket; stale where `dst.obsolete` */
  dstCache: DstEntry | null = null

  constructor(net: Net, domain: number, type: number, protocol: number, cred: Cred, protoName: string) {
    this.kern = cred.pid === 0
    this.net = this.kern ? net : net.get()
    this.domain = domain
    this.type = type
    this.protocol = protocol
    this.cred = cred
    this.protoName = protoName
    this.ino = net.kernel.nextSockIno()
    const globals = coreGlobals(net.kernel)
    this.rcvbuf = globals.rmemDefault
    this.sndbuf = globals.wmemDefault
    if (!this.kern) socketCounts(net).used++
  }

  abstract bind(address: Sockaddr): number
  abstract connect(address: Sockaddr): number
  abstract sendmsg(data: Uint8Array, flags: number, to: Sockaddr | undefined, control: SendControl | undefined): number
  abstract recvmsg(max: number, flags: number): ReceivedMessage | number
  abstract getsockname(): Sockaddr | number
  abstract getpeername(): Sockaddr | number

  listen(_backlog: number): number {
    return -Errno.EOPNOTSUPP
  }

  accept(): Socket | number {
    return -Errno.EOPNOTSUPP
  }

  /** @returns whether the owner has a capability over the network: it is root */
  get nsCapable(): boolean {
    return this.cred.uid === 0
  }

  /** Counts the socket in or out as one of its protocol in use (sock_prot_inuse_add). */
  inuseAdd(n: 1 | -1): void {
    const { inuse } = socketCounts(this.net)
    inuse.set(this.protoName, (inuse.get(this.protoName) ?? 0) + n)
  }

  // queues and accounting

  /** A packet it sent has been freed (sock_wfree). */
  skbFreed(truesize: number): void {
    const full = this.wmemAlloc
    this.wmemAlloc = full - truesize
    if (full * 2 >= this.sndbuf && this.wmemAlloc * 2 < this.sndbuf) this.wq.wake()
  }

  /** Charges a packet that is being sent to the socket (skb_set_owner_w). */
  setOwnerW(skb: SkBuff): void {
    skb.setOwner(this)
    this.wmemAlloc += skb.truesize
  }

  /** @returns whether more may be sent (sock_writeable) */
  get writeable(): boolean {
    return this.wmemAlloc * 2 < this.sndbuf
  }

  /** @returns 0 where a packet may be allocated now, else what sending gives: a pending error, -EPIPE, -EAGAIN (sock_alloc_send_skb) */
  mayAllocSend(): number {
    if (this.err !== 0) return this.takeError()
    if ((this.shutdownMask & SEND_SHUTDOWN) !== 0) return -Errno.EPIPE
    return this.wmemAlloc < this.sndbuf ? 0 : -Errno.EAGAIN
  }

  /**
   * Appends a packet to the receive queue and wakes readers (sock_queue_rcv_skb).
   * @returns false where there was no room: the packet is still the caller's
   */
  queueRcvSkb(skb: SkBuff): boolean {
    if (this.rmemAlloc >= this.rcvbuf) {
      this.drops++
      return false
    }
    this.chargeRcv(skb)
    return true
  }

  /** The same without looking at the limit. */
  chargeRcv(skb: SkBuff): void {
    skb.orphan()
    skb.dstDrop()
    this.rmemAlloc += skb.truesize
    this.receiveQueue.enqueue(skb)
    if (!this.dead) this.wq.wake()
  }

  /**
   * Takes the next packet out of the receive queue (skb_recv_datagram).
   * @param peek leave it there @returns -EAGAIN where there is none, 0 at the end of a socket that was shut down, an error
   */
  recvSkb(peek: boolean): SkBuff | number {
    if (this.err !== 0) return this.takeError()
    const skb = this.receiveQueue.peek()
    if (skb === null) return (this.shutdownMask & RCV_SHUTDOWN) !== 0 ? 0 : -Errno.EAGAIN
    if (!peek) {
      this.receiveQueue.dequeue()
      this.rmemAlloc -= skb.truesize
    }
    return skb
  }

  /** Appends to the error queue and wakes (sock_queue_err_skb). @returns false where the receive buffer is full */
  queueError(error: QueuedError): boolean {
    if (this.rmemAlloc + error.truesize >= this.rcvbuf) return false
    this.rmemAlloc += error.truesize
    this.errorQueue.push(error)
    this.errorReport()
    return true
  }

  /** Takes the oldest error out; the pending error is then that of the next (sock_dequeue_err_skb). */
  dequeueError(): QueuedError | undefined {
    const error = this.errorQueue.shift()
    if (error === undefined) return undefined
    this.rmemAlloc -= error.truesize
    const next = this.errorQueue[0]
    if (next !== undefined && isIcmpError(next)) this.err = next.err.errno
    else if (isIcmpError(error)) this.err = 0
    if (next !== undefined) this.errorReport()
    return error
  }

  /** Forgets the errors that wait. */
  purgeErrors(): void {
    for (const error of this.errorQueue) this.rmemAlloc -= error.truesize
    this.errorQueue.length = 0
  }

  /** @returns the pending error as a negative number, and forgets it (sock_error) */
  takeError(): number {
    const { err } = this
    this.err = 0
    return -err
  }

  /** Wakes whoever waits: there is an error to see (sk_error_report). */
  errorReport(): void {
    if (!this.dead) this.wq.wake()
  }

  /** Drops what waits in the receive queue. */
  purgeQueues(location: string, reason?: DropReason): void {
    for (let skb = this.receiveQueue.dequeue(); skb !== null; skb = this.receiveQueue.dequeue()) {
      this.rmemAlloc -= skb.truesize
      skb.free(location, reason)
    }
    this.purgeErrors()
  }

  /** Events that hold now (datagram_poll). */
  poll(): number {
    let mask = 0
    if (this.err !== 0 || this.errorQueue.length > 0) mask |= POLLERR
    if (this.shutdownMask === SHUTDOWN_MASK) mask |= POLLHUP
    if ((this.shutdownMask & RCV_SHUTDOWN) !== 0 || this.receiveQueue.qlen > 0) mask |= POLLIN
    if (this.writeable) mask |= POLLOUT
    return mask
  }

  shutdown(how: number): number {
    if (how < SHUT_RD || how > 2) return -Errno.EINVAL
    this.shutdownMask |= how === SHUT_RD ? RCV_SHUTDOWN : how === SHUT_WR ? SEND_SHUTDOWN : SHUTDOWN_MASK
    this.wq.wake()
    return 0
  }

  /** The last descriptor is closed: leaves the tables, drops what waits (sk_common_release). */
  release(): void {
    if (this.dead) return
    this.dead = true
    this.shutdownMask = SHUTDOWN_MASK
    this.destroy()
    this.purgeQueues('sk_common_release')
    this.dstCache = null
    if (this.kern) return
    socketCounts(this.net).used--
    this.net.put()
  }

  /** Leaves the protocol's tables; called once. */
  protected abstract destroy(): void

  // options

  /** Sets an option at SOL_SOCKET (sock_setsockopt). Families handle their own levels before. */
  setsockopt(level: number, option: number, value: OptionValue): number {
    if (level !== SOL_SOCKET) return -Errno.ENOPROTOOPT
    if (option === SO_BINDTODEVICE) return this.bindToDevice(value)
    if (option === SO_LINGER) {
      if (typeof value !== 'object' || value instanceof Uint8Array || value.kind !== 'linger') return -Errno.EINVAL
      this.lingerOn = value.on
      if (value.on) this.lingerTime = value.seconds
      return 0
    }
    if (option === SO_RCVTIMEO || option === SO_SNDTIMEO) return this.setTimeout(option, value)
    const number = optionNumber(value)
    if (number === undefined) return -Errno.EINVAL
    return this.setNumber(option, number)
  }

  private setNumber(option: number, number: number): number {
    const on = number !== 0
    switch (option) {
      case SO_DEBUG:
        return on && !this.nsCapable ? -Errno.EACCES : 0
      case SO_REUSEADDR:
        this.reuse = on
        return 0
      case SO_REUSEPORT:
        this.reuseport = on
        return 0
      case SO_DONTROUTE:
        this.localroute = on
        this.dstCache = null
        return 0
      case SO_BROADCAST:
        this.broadcast = on
        return 0
      case SO_KEEPALIVE:
        this.keepopen = on
        this.keepaliveChanged(on)
        return 0
      case SO_TIMESTAMP:
        this.timestamp = on
        return 0
      case SO_NO_CHECK:
        this.noCheckTx = on
        return 0
      case SO_PRIORITY:
        if ((number < 0 || number > 6) && !this.nsCapable) return -Errno.EPERM
        this.priority = number
        return 0
      case SO_MARK:
        if (!this.nsCapable) return -Errno.EPERM
        if (number !== this.mark) {
          this.mark = number >>> 0
          this.dstCache = null
        }
        return 0
      case SO_SNDBUF:
      case SO_SNDBUFFORCE:
      case SO_RCVBUF:
      case SO_RCVBUFFORCE:
        return this.setBuffer(option, number)
      case SO_RCVLOWAT:
        this.rcvlowat = number < 0 ? 0x7fffffff : number || 1
        return 0
      default:
        return -Errno.ENOPROTOOPT
    }
  }

  /** TCP starts and stops its keepalive timer. */
  protected keepaliveChanged(_on: boolean): void {}

  /** A program asks for half of what it gets: the rest is for the packets' overhead. */
  private setBuffer(option: number, bytes: number): number {
    const force = option === SO_SNDBUFFORCE || option === SO_RCVBUFFORCE
    if (force && !this.nsCapable) return -Errno.EPERM
    const { rmemMax, wmemMax } = coreGlobals(this.net.kernel)
    const send = option === SO_SNDBUF || option === SO_SNDBUFFORCE
    const max = force ? 0x7fffffff : send ? wmemMax : rmemMax
    // a negative number is a large one to the comparison without a sign; forced ones are cut at 0
    const wanted = bytes < 0 ? (force ? 0 : max) : Math.min(bytes, max)
    const size = Math.min(wanted, 0x7fffffff / 2) * 2
    if (send) {
      this.sndbufLocked = true
      this.sndbuf = Math.max(size, SOCK_MIN_SNDBUF)
      this.wq.wake()
    } else {
      this.rcvbufLocked = true
      this.rcvbuf = Math.max(size, SOCK_MIN_RCVBUF)
    }
    return 0
  }

  /** SO_RCVTIMEO and SO_SNDTIMEO take ns. */
  private setTimeout(option: number, value: OptionValue): number {
    if (typeof value !== 'number') return -Errno.EINVAL
    const timeout = value < 0 ? 0 : value
    if (option === SO_RCVTIMEO) this.rcvtimeo = timeout
    else this.sndtimeo = timeout
    return 0
  }

  private bindToDevice(value: OptionValue): number {
    let name: string
    if (typeof value === 'string') name = value
    else if (value instanceof Uint8Array) name = String.fromCharCode(...value).split('\0')[0]!
    else return -Errno.EINVAL
    // only a bound socket needs a privilege to be bound again
    if (this.boundDevIf !== 0 && !this.nsCapable) return -Errno.EPERM
    let index = 0
    if (name !== '') {
      const dev = this.net.devByName(name.slice(0, IFNAMSIZ - 1))
      if (dev === undefined) return -Errno.ENODEV
      index = dev.ifindex
    }
    this.boundDevIf = index
    this.dstCache = null
    this.rehash()
    return 0
  }

  /** What the protocol's tables find it by has changed. */
  protected rehash(): void {}

  /** Reads an option at SOL_SOCKET (sock_getsockopt). */
  getsockopt(level: number, option: number): OptionResult {
    if (level !== SOL_SOCKET) return { errno: Errno.ENOPROTOOPT }
    switch (option) {
      case SO_DEBUG:
      case SO_PASSCRED:
      case SO_RXQ_OVFL:
        return 0
      case SO_TYPE:
        return this.type
      case SO_PROTOCOL:
        return this.protocol
      case SO_DOMAIN:
        return this.domain
      case SO_ERROR: {
        const { err } = this
        if (err !== 0) {
          this.err = 0
          return err
        }
        const soft = this.errSoft
        this.errSoft = 0
        return soft
      }
      case SO_REUSEADDR:
        return flag(this.reuse)
      case SO_REUSEPORT:
        return flag(this.reuseport)
      case SO_DONTROUTE:
        return flag(this.localroute)
      case SO_BROADCAST:
        return flag(this.broadcast)
      case SO_KEEPALIVE:
        return flag(this.keepopen)
      case SO_TIMESTAMP:
        return flag(this.timestamp)
      case SO_NO_CHECK:
        return flag(this.noCheckTx)
      case SO_SNDBUF:
        return this.sndbuf
      case SO_RCVBUF:
        return this.rcvbuf
      case SO_PRIORITY:
        return this.priority
      case SO_MARK:
        return this.mark
      case SO_LINGER:
        return this.lingerOn ? this.lingerTime : 0
      case SO_RCVTIMEO:
        return this.rcvtimeo
      case SO_SNDTIMEO:
        return this.sndtimeo
      case SO_RCVLOWAT:
        return this.rcvlowat
      case SO_SNDLOWAT:
        return 1
      case SO_ACCEPTCONN:
        return flag(this.state === TCP_LISTEN)
      case SO_BINDTODEVICE:
        return this.boundDevIf === 0 ? '' : (this.net.devByIndex(this.boundDevIf)?.name ?? '')
      default:
        return { errno: Errno.ENOPROTOOPT }
    }
  }

  /**
   * Whether a packet that came in by a device is for this socket as far as its device goes (inet_sk_bound_dev_eq).
   * @param acceptAll sockets bound to no device take packets of every L3 domain (the *_l3mdev_accept sysctls)
   */
  boundDevEq(acceptAll: boolean, dif: number, sdif: number): boolean {
    const bound = this.boundDevIf
    if (bound === 0) return sdif === 0 || acceptAll
    return bound === dif || bound === sdif
  }

  /** @returns index of the L3 master of the device it is bound to */
  get l3mdev(): number {
    return l3mdevMasterIfindexByIndex(this.net, this.boundDevIf)
  }
}
