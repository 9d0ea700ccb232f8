/** ICMP sockets for echo, see icmp(7), "ping_group_range": unprivileged ping. The port is the echo identifier. */
import { Errno } from '../../uapi/errno.ts'
import { RTN_BROADCAST, RTN_LOCAL, RTN_MULTICAST } from '../../uapi/rtnetlink.ts'
import {
  AF_INET,
  IP_PMTUDISC_DONT,
  IPPROTO_ICMP,
  MSG_CONFIRM,
  MSG_DONTROUTE,
  MSG_ERRQUEUE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  type ReceivedMessage,
  type SendControl,
  SOCK_DGRAM,
  type Sockaddr,
} from '../../uapi/socket.ts'
import type { DropReason } from '../core/dropreason.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { TCP_ESTABLISHED } from '../core/sock.ts'
import type { Cred } from '../core/socket.ts'
import { ipComputeCsum } from './checksum.ts'
import { Flowi4 } from './flow.ts'
import { icmpOutCount } from './icmp.ts'
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ERR_CONVERT,
  ICMP_EXT_ECHO,
  ICMP_FRAG_NEEDED,
  ICMP_HLEN,
  ICMP_PARAMETERPROB,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  NR_ICMP_UNREACH,
} from './icmp_types.ts'
import { ipMcDropSocket } from './igmp_sock.ts'
import { ipv4IsMulticast } from './in_device.ts'
import {
  datagramDisconnect,
  flowInit,
  inetCanNonlocalBind,
  inetSkAddrType,
  ip4DatagramConnect,
  RTO_ONLINK,
  sendDevice,
} from './inet_bind.ts'
import { END_OF_FILE, InetSock, sockaddrIn } from './inet_sock.ts'
import { get16, get32, OFF_DADDR, OFF_SADDR, put16 } from './ip.ts'
import { ipMakeSkb } from './ip_make_skb.ts'
import { ipSendSkb, ipv4ConfirmNeigh } from './ip_output.ts'
import { inetSdif, ipCmsgRecv, ipIcmpError, ipRecvError, ipv4PktinfoPrepare } from './ip_sockglue.ts'
import { IpcmCookie } from './ipcm.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { ipRouteOutputKey, ipv4Redirect, ipv4UpdatePmtu } from './route.ts'
import { RTCF_BROADCAST } from './rtable.ts'
import { IPSTATS_MIB_OUTNOROUTES, ipInc } from './snmp.ts'

/** Some error, for what is none but that ping wants to see (EREMOTEIO). */
const EREMOTEIO = 121

/** The ping sockets of a namespace, by identifier, and the last identifier given out. */
class PingTable {
  readonly byIdent = new Map<number, PingSock[]>()
  rover = 0
}

const pingKey = pernetKey<PingTable>('ping')

/** Makes a namespace's empty table. */
export function pingNetInit(net: Net): void {
  const table = new PingTable()
  table.rover = net.kernel.random.below(0x10000)
  net.set(pingKey, table)
}

/** @returns the ping sockets of a namespace, by identifier */
export function pingSockets(net: Net): Map<number, PingSock[]> {
  return net.at(pingKey).byIdent
}

/** @returns whether somebody may open ping sockets: one of its groups is in ping_group_range (ping_init_sock) */
export function pingAllowed(net: Net, cred: Cred): boolean {
  const [low, high] = net.at(ipv4Key).pingGroupRange
  return low <= cred.gid && cred.gid <= high
}

/** @returns whether a message may be sent by such sockets (ping_supported) */
function supported(type: number, code: number): boolean {
  return (type === ICMP_ECHO || type === ICMP_EXT_ECHO) && code === 0
}

const ipc = new IpcmCookie()
const flow = new Flowi4()

/** A ping socket. */
export class PingSock extends InetSock {
  constructor(net: Net, cred: Cred) {
    super(net, AF_INET, SOCK_DGRAM, IPPROTO_ICMP, cred, 'PING')
  }

  protected destroy(): void {
    this.unhash()
    ipMcDropSocket(this)
  }

  private unhash(): void {
    if (this.num === 0) return
    const { byIdent } = this.net.at(pingKey)
    const list = byIdent.get(this.num)!
    list.splice(list.indexOf(this), 1)
    if (list.length === 0) byIdent.delete(this.num)
    this.num = this.sport = 0
    this.inuseAdd(-1)
  }

  /** Takes an identifier, any free one for 0 (ping_get_port). */
  private getPort(ident: number): boolean {
    const table = this.net.at(pingKey)
    if (ident === 0) {
      for (let i = 0; i < 0xffff && ident === 0; i++) {
        table.rover = (table.rover + 1) & 0xffff || 1
        if (!table.byIdent.has(table.rover)) ident = table.rover
      }
      if (ident === 0) return false
    } else if (table.byIdent.get(ident)?.some(other => !other.reuse || !this.reuse) === true) return false
    const list = table.byIdent.get(ident)
    if (list === undefined) table.byIdent.set(ident, [this])
    else list.unshift(this)
    this.num = ident
    this.inuseAdd(1)
    return true
  }

  bind(address: Sockaddr): number {
    const given = sockaddrIn(address)
    if (typeof given === 'number') return given
    const { addr, port } = given
    if (addr !== 0) {
      const type = inetSkAddrType(this, addr)
      if (type === RTN_MULTICAST || type === RTN_BROADCAST || (type !== RTN_LOCAL && !inetCanNonlocalBind(this)))
        return -Errno.EADDRNOTAVAIL
    }
    if (this.num !== 0) return -Errno.EINVAL
    this.rcvSaddr = this.saddr = addr
    if (!this.getPort(port)) {
      this.rcvSaddr = this.saddr = 0
      return -Errno.EADDRINUSE
    }
    if (addr !== 0) this.bindAddrLocked = true
    if (port !== 0) this.bindPortLocked = true
    this.sport = this.num
    this.daddr = this.dport = 0
    this.dstCache = null
    return 0
  }

  /** @returns whether the socket has an identifier now (inet_autobind) */
  private autobind(): boolean {
    if (this.num !== 0) return true
    if (!this.getPort(0)) return false
    this.sport = this.num
    return true
  }

  connect(address: Sockaddr): number {
    if ((address.family as number) === 0)
      return datagramDisconnect(
        this,
        () => this.unhash(),
        () => {},
      )
    if (!this.autobind()) return -Errno.EAGAIN
    const to = sockaddrIn(address)
    return typeof to === 'number' ? to : ip4DatagramConnect(this, to, () => {})
  }

  /** ping_v4_sendmsg: `data` begins with an ICMP header whose identifier and checksum the kernel fills in. */
  sendmsg(data: Uint8Array, flags: number, to: Sockaddr | undefined, control: SendControl | undefined): number {
    if (!this.autobind()) return -Errno.EAGAIN
    if (data.length > 0xffff) return -Errno.EMSGSIZE
    if (data.length < ICMP_HLEN) return -Errno.EINVAL
    if ((flags & MSG_OOB) !== 0) return -Errno.EOPNOTSUPP
    const type = data[0]!
    if (!supported(type, data[1]!)) return -Errno.EINVAL
    let { daddr } = this
    if (to !== undefined) {
      const given = sockaddrIn(to)
      if (typeof given === 'number') return given
      daddr = given.addr
    } else if (this.state !== TCP_ESTABLISHED) return -Errno.EDESTADDRREQ
    ipc.init(this)
    if (control !== undefined) {
      const rc = ipc.send(control)
      if (rc < 0) return rc
    }
    ipc.opt = this.opt
    let saddr = ipc.addr
    ipc.addr = daddr
    let faddr = daddr
    if (ipc.opt !== null && ipc.opt.srr !== 0) {
      if (daddr === 0) return -Errno.EINVAL
      faddr = ipc.opt.faddr
    }
    let tos = ipc.rtTos(this)
    if (this.localroute || (flags & MSG_DONTROUTE) !== 0 || ipc.opt?.isStrictroute === true) tos |= RTO_ONLINK
    if (ipv4IsMulticast(daddr) && saddr === 0) saddr = this.mcAddr
    const oif = sendDevice(this, ipc.oif, daddr)
    const fl4 = flowInit(flow, this, oif, ipc.mark, tos, IPPROTO_ICMP, faddr, saddr, 0, 0)
    fl4.icmpType = type
    fl4.icmpCode = data[1]!
    const rt = ipRouteOutputKey(this.net, fl4)
    if (typeof rt === 'number') {
      if (rt === -Errno.ENETUNREACH) ipInc(this.net, IPSTATS_MIB_OUTNOROUTES)
      return rt
    }
    if ((rt.rtFlags & RTCF_BROADCAST) !== 0 && !this.broadcast) return -Errno.EACCES
    if ((flags & MSG_CONFIRM) !== 0) ipv4ConfirmNeigh(rt, fl4.daddr)
    if (ipc.addr === 0) ipc.addr = fl4.daddr
    const skb = ipMakeSkb(this, fl4.saddr, fl4.daddr, rt, IPPROTO_ICMP, data.length, 0, ipc)
    if (typeof skb === 'number') return skb
    const { buf, transportHeader: at } = skb
    buf.set(data, at)
    put16(buf, at + 2, 0)
    put16(buf, at + 4, this.sport)
    put16(buf, at + 2, ipComputeCsum(buf, at, data.length))
    icmpOutCount(this.net, type)
    const rc = ipSendSkb(skb)
    return rc < 0 ? rc : data.length
  }

  /** ping_recvmsg */
  recvmsg(max: number, flags: number): ReceivedMessage | number {
    if ((flags & MSG_OOB) !== 0) return -Errno.EOPNOTSUPP
    if ((flags & MSG_ERRQUEUE) !== 0) return ipRecvError(this, max)
    const peek = (flags & MSG_PEEK) !== 0
    const skb = this.recvSkb(peek)
    if (typeof skb === 'number') return skb === 0 ? END_OF_FILE : skb
    const { buf, data, tail, networkHeader } = skb
    const length = tail - data
    const copied = Math.min(length, max)
    const message: ReceivedMessage = {
      data: buf.slice(data, data + copied),
      length,
      flags: copied < length ? MSG_TRUNC : 0,
      from: { family: AF_INET, addr: get32(buf, networkHeader + OFF_SADDR), port: 0 },
      control: ipCmsgRecv(this, skb),
    }
    if (!peek) skb.consume()
    return message
  }
}

/** Finds the socket of an identifier (ping_lookup). */
function lookup(skb: SkBuff, ident: number): PingSock | undefined {
  const dev = skb.dev!
  const list = dev.net.at(pingKey).byIdent.get(ident)
  if (list === undefined) return undefined
  const daddr = get32(skb.buf, skb.networkHeader + OFF_DADDR)
  for (const sk of list) {
    if (sk.rcvSaddr !== 0 && sk.rcvSaddr !== daddr) continue
    if (sk.boundDevIf !== 0 && sk.boundDevIf !== dev.ifindex && sk.boundDevIf !== inetSdif(skb)) continue
    return sk
  }
  return undefined
}

/** Gives an echo reply to its socket (ping_rcv). @returns why it is dropped, undefined where a socket has it */
export function pingRcv(skb: SkBuff): DropReason | undefined {
  skb.data = skb.transportHeader
  const sk = lookup(skb, get16(skb.buf, skb.transportHeader + 4))
  if (sk === undefined) return 'NO_SOCKET'
  const copy = skb.clone()
  ipv4PktinfoPrepare(sk, copy)
  if (sk.queueRcvSkb(copy)) return undefined
  copy.free('ping_queue_rcv_skb', 'SOCKET_RCVBUFF')
  return 'SOCKET_RCVBUFF'
}

/** An ICMP error about an echo request (ping_err). @param offset length of the quoted IPv4 header; `data` is at it */
export function pingErr(skb: SkBuff, offset: number, info: number): void {
  const { buf, data, transportHeader: icmph } = skb
  const inner = data + offset
  if (!supported(buf[inner]!, buf[inner + 1]!)) return
  const sk = lookup(skb, get16(buf, inner + 4))
  if (sk === undefined) return
  const type = buf[icmph]!
  const code = buf[icmph + 1]!
  let errno: number = Errno.EHOSTUNREACH
  let hard = false
  if (type === ICMP_SOURCE_QUENCH) errno = EREMOTEIO
  else if (type === ICMP_PARAMETERPROB) {
    errno = Errno.EPROTO
    hard = true
  } else if (type === ICMP_DEST_UNREACH) {
    if (code === ICMP_FRAG_NEEDED) {
      ipv4UpdatePmtu(skb, sk.net, info, sk.boundDevIf, IPPROTO_ICMP)
      if (sk.pmtudisc === IP_PMTUDISC_DONT) return
      errno = Errno.EMSGSIZE
      hard = true
    } else if (code <= NR_ICMP_UNREACH) {
      errno = ICMP_ERR_CONVERT[code]!.errno
      hard = ICMP_ERR_CONVERT[code]!.fatal
    }
  } else if (type === ICMP_REDIRECT) {
    ipv4Redirect(skb, sk.net, sk.boundDevIf, IPPROTO_ICMP)
    errno = EREMOTEIO
  }
  if (sk.recverr) ipIcmpError(sk, skb, errno, 0, info, inner)
  else if (!hard || sk.state !== TCP_ESTABLISHED) return
  sk.err = errno
  sk.errorReport()
}
