/** ICMPv6 sockets for echo, see icmp(7), "ping_group_range": unprivileged ping. The port is the echo identifier. */
import { Errno } from '../../uapi/errno.ts'
import {
  AF_INET6,
  IPPROTO_ICMPV6,
  MSG_CONFIRM,
  MSG_ERRQUEUE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  type ReceivedMessage,
  type SendControl,
  SOCK_DGRAM,
  SOL_IP,
  SOL_IPV6,
  type Sockaddr,
} from '../../uapi/socket.ts'
import type { DropReason } from '../core/dropreason.ts'
import { l3mdevMasterIfindexByIndex } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { type OptionResult, TCP_ESTABLISHED } from '../core/sock.ts'
import type { Cred, OptionValue } from '../core/socket.ts'
import { InetSock } from '../ipv4/inet_sock.ts'
import {
  addrAny,
  addrEqualAt,
  addrType,
  type In6Addr,
  IPV6_ADDR_ANY,
  IPV6_ADDR_MAPPED,
  IPV6_ADDR_UNICAST,
  needsScopeId,
} from './addr.ts'
import { csumFold, csumPartial, csumPseudo } from './checksum.ts'
import {
  Ipcm6Cookie,
  ip6DatagramConnect,
  ip6DatagramDisconnect,
  ip6DatagramDstUpdate,
  ip6DatagramRecvCtl,
  ipv6IcmpError,
  ipv6RecvError,
} from './datagram6.ts'
import { Flowi6 } from './flowi6.ts'
import { icmpv6ErrConvert, ip6UpdatePmtuFor } from './icmp.ts'
import { ICMP_HLEN } from './icmp_build.ts'
import { ICMPV6_ECHO_REQUEST, ICMPV6_PKT_TOOBIG } from './icmp_send.ts'
import { ipv6ChkAddr } from './inet6_addr.ts'
import { inet6ResetSaddr, ipv6CanNonlocalBind } from './inet6_bind.ts'
import { get16, OFF_DADDR, OFF_SADDR, put16 } from './ip6.ts'
import { fl6FreeSocklist } from './ip6_flowlabel.ts'
import { ip6ConfirmNeigh, ip6DstLookup } from './ip6_lookup.ts'
import { ip6MakeSkb, ip6SendSkb } from './ip6_make_skb.ts'
import { inet6Iif, inet6Sdif } from './ip6cb.ts'
import { ipv6Getsockopt, ipv6Setsockopt } from './ipv6_sockglue.ts'
import { ipv6SockMcClose } from './mc_sock.ts'
import { NDISC_REDIRECT } from './ndisc_msg.ts'
import { ip6Redirect } from './ndisc_redirect.ts'
import { IPV6_PMTUDISC_DONT, Ipv6Pinfo, ifaceScopeId, inet6Name, socketOif } from './pinfo.ts'
import { ICMP6_MIB_OUTERRORS, icmp6CountOut, icmp6Inc } from './snmp.ts'

/** An extended echo request (RFC 8335). */
const ICMPV6_EXT_ECHO_REQUEST = 160
/** An error that is none (EREMOTEIO): a redirect, for sockets that want to see everything. */
const EREMOTEIO = 121

/** The ping sockets of a namespace, by identifier, and the last identifier given out. */
class Ping6Table {
  readonly byIdent = new Map<number, Ping6Sock[]>()
  rover = 0
}

const key = pernetKey<Ping6Table>('ping6')

/** Makes a namespace's empty table. */
export function ping6NetInit(net: Net): void {
  const table = new Ping6Table()
  table.rover = net.kernel.random.below(0x10000)
  net.set(key, table)
}

/** @returns the ping sockets of a namespace, by identifier */
export function ping6Sockets(net: Net): ReadonlyMap<number, readonly Ping6Sock[]> {
  return net.at(key).byIdent
}

const ipc = new Ipcm6Cookie()
const flow = new Flowi6()

function nothing(): void {}

/** A ping socket. */
export class Ping6Sock extends InetSock {
  readonly pinet6 = new Ipv6Pinfo()
  override v6RcvSaddr: Uint8Array = new Uint8Array(16)

  constructor(net: Net, cred: Cred) {
    super(net, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, cred, 'PINGv6')
  }

  protected destroy(): void {
    this.unhash()
    ipv6SockMcClose(this)
    fl6FreeSocklist(this)
  }

  private unhash(): void {
    if (this.num === 0) return
    const { byIdent } = this.net.at(key)
    const list = byIdent.get(this.num)!
    list.splice(list.indexOf(this), 1)
    if (list.length === 0) byIdent.delete(this.num)
    this.num = this.sport = 0
    this.inuseAdd(-1)
  }

  /** Takes an identifier, any free one for 0 (ping_get_port). */
  private getPort(ident: number): boolean {
    const table = this.net.at(key)
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

  override getsockname(): Sockaddr | number {
    return inet6Name(this, false)
  }

  override getpeername(): Sockaddr | number {
    return inet6Name(this, true)
  }

  /** ping_bind */
  bind(address: Sockaddr): number {
    if (address.family !== AF_INET6) return -Errno.EAFNOSUPPORT
    const { addr, port } = address
    const err = this.checkBindAddr(addr, address.scopeId ?? 0)
    if (err < 0) return err
    if (this.num !== 0) return -Errno.EINVAL
    this.v6RcvSaddr = addr.slice()
    this.pinet6.saddr.set(addr)
    if (!this.getPort(port)) {
      inet6ResetSaddr(this)
      return -Errno.EADDRINUSE
    }
    if (!addrAny(addr)) this.bindAddrLocked = true
    if (port !== 0) this.bindPortLocked = true
    this.sport = this.num
    this.dport = 0
    this.dstCache = null
    return 0
  }

  private checkBindAddr(addr: In6Addr, scopeId: number): number {
    const type = addrType(addr)
    const scoped = needsScopeId(type)
    if ((type !== IPV6_ADDR_ANY && (type & IPV6_ADDR_UNICAST) === 0) || (scoped && scopeId === 0)) return -Errno.EINVAL
    let dev: NetDevice | undefined
    const ifindex = scopeId !== 0 ? scopeId : this.boundDevIf
    if (ifindex !== 0) {
      dev = this.net.devByIndex(ifindex)
      if (dev === undefined) return -Errno.ENODEV
    }
    const own = type === IPV6_ADDR_ANY || ipv6ChkAddr(this.net, addr, dev, scoped)
    if (!own && !ipv6CanNonlocalBind(this)) return -Errno.EADDRNOTAVAIL
    if (scoped) this.boundDevIf = scopeId
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
    if ((address.family as number) === 0) return ip6DatagramDisconnect(this, () => this.unhash(), nothing)
    if (!this.autobind()) return -Errno.EAGAIN
    return ip6DatagramConnect(this, address, undefined, nothing)
  }

  override setsockopt(level: number, option: number, value: OptionValue): number {
    if (level === SOL_IPV6 || level === SOL_IP) return ipv6Setsockopt(this, level, option, value)
    return super.setsockopt(level, option, value)
  }

  override getsockopt(level: number, option: number): OptionResult {
    if (level === SOL_IPV6 || level === SOL_IP) return ipv6Getsockopt(this, level, option)
    return super.getsockopt(level, option)
  }

  /** ping_v6_sendmsg: `data` begins with an ICMPv6 header whose identifier and checksum the kernel fills in. */
  sendmsg(data: Uint8Array, flags: number, to: Sockaddr | undefined, control: SendControl | undefined): number {
    if (!this.autobind()) return -Errno.EAGAIN
    if (data.length > 0xffff) return -Errno.EMSGSIZE
    if (data.length < ICMP_HLEN) return -Errno.EINVAL
    if ((flags & MSG_OOB) !== 0) return -Errno.EOPNOTSUPP
    const type = data[0]!
    if ((type !== ICMPV6_ECHO_REQUEST && type !== ICMPV6_EXT_ECHO_REQUEST) || data[1] !== 0) return -Errno.EINVAL
    const np = this.pinet6
    const fl6 = flow.clear()
    const rc = this.destination(fl6, to)
    if (rc < 0) return rc
    ipc.init(this)
    if (control !== undefined) {
      const err = ipc.send(this, control, fl6)
      if (err < 0) return err
    }
    fl6.proto = IPPROTO_ICMPV6
    if (addrAny(fl6.saddr)) fl6.saddr.set(np.saddr)
    fl6.mark = this.mark
    fl6.uid = this.cred.uid
    fl6.sport = type
    fl6.dport = 0
    fl6.flowlabel = (ipc.tclass < 0 ? np.tclass : ipc.tclass) << 20
    const dst = ip6DstLookup(this.net, { boundIf: this.boundDevIf, srcprefs: np.srcprefs }, fl6)
    if (typeof dst === 'number') return dst
    if ((flags & MSG_CONFIRM) !== 0) ip6ConfirmNeigh(dst, fl6.daddr)
    const { length } = data
    const skb = ip6MakeSkb(this, fl6, dst, length, ICMP_HLEN, ipc)
    if (typeof skb === 'number') {
      icmp6Inc(this.net, dst.idev?.stats, ICMP6_MIB_OUTERRORS)
      return skb
    }
    const { buf, transportHeader: at } = skb
    buf.set(data, at)
    put16(buf, at + 2, 0)
    put16(buf, at + 4, this.sport)
    const sum = csumPseudo(buf, skb.networkHeader + OFF_SADDR, IPPROTO_ICMPV6, length)
    put16(buf, at + 2, csumFold(csumPartial(buf, at, length, sum)))
    icmp6CountOut(this.net, dst.idev?.stats, type)
    const sent = ip6SendSkb(skb)
    return sent < 0 ? sent : length
  }

  /** Fills in where a message goes. @returns 0 or a negative error */
  private destination(fl6: Flowi6, to: Sockaddr | undefined): number {
    const np = this.pinet6
    let oif = 0
    if (to === undefined) {
      if (this.state !== TCP_ESTABLISHED) return -Errno.EDESTADDRREQ
      fl6.daddr.set(np.daddr)
    } else {
      if (to.family !== AF_INET6) return -Errno.EAFNOSUPPORT
      fl6.daddr.set(to.addr)
      if (needsScopeId(addrType(to.addr))) oif = to.scopeId ?? 0
    }
    if (oif === 0) oif = this.boundDevIf
    fl6.oif = oif === 0 ? np.stickyIfindex : oif
    socketOif(np, fl6)
    const type = addrType(fl6.daddr)
    const bound = this.boundDevIf
    const elsewhere =
      fl6.oif !== 0 && bound !== 0 && fl6.oif !== bound && l3mdevMasterIfindexByIndex(this.net, fl6.oif) !== bound
    if ((needsScopeId(type) && fl6.oif === 0) || (type & IPV6_ADDR_MAPPED) !== 0 || elsewhere) return -Errno.EINVAL
    return 0
  }

  /** ping_recvmsg */
  recvmsg(max: number, flags: number): ReceivedMessage | number {
    if ((flags & MSG_OOB) !== 0) return -Errno.EOPNOTSUPP
    if ((flags & MSG_ERRQUEUE) !== 0) return ipv6RecvError(this, max)
    const peek = (flags & MSG_PEEK) !== 0
    const skb = this.recvSkb(peek)
    if (typeof skb === 'number') return skb
    const { buf, data, tail, networkHeader: nh } = skb
    const length = tail - data
    const copied = Math.min(length, max)
    const addr = buf.slice(nh + OFF_SADDR, nh + OFF_SADDR + 16)
    const message: ReceivedMessage = {
      data: buf.slice(data, data + copied),
      length,
      flags: copied < length ? MSG_TRUNC : 0,
      from: { family: AF_INET6, addr, port: 0, flowinfo: 0, scopeId: ifaceScopeId(addr, inet6Iif(skb)) },
      control: ip6DatagramRecvCtl(this, skb),
    }
    if (!peek) skb.consume()
    return message
  }

  /** @returns whether an answer sent to an address is for this socket (ping_lookup) */
  matches(buf: Uint8Array, local: number, dif: number, sdif: number): boolean {
    if (!addrAny(this.v6RcvSaddr) && !addrEqualAt(buf, local, this.v6RcvSaddr)) return false
    const bound = this.boundDevIf
    return bound === 0 || bound === dif || bound === sdif
  }
}

function lookup(skb: SkBuff, ident: number, local: number): Ping6Sock | undefined {
  const list = skb.dev!.net.at(key).byIdent.get(ident)
  return list?.find(sk => sk.matches(skb.buf, local, inet6Iif(skb), inet6Sdif(skb)))
}

/** An echo reply: the socket that asked gets a copy (ping_rcv). @returns why nobody got it, undefined where one did */
export function pingRcv6(skb: SkBuff): DropReason | undefined {
  const at = skb.transportHeader
  const sk = lookup(skb, get16(skb.buf, at + 4), skb.networkHeader + OFF_DADDR)
  if (sk === undefined) return 'NO_SOCKET'
  const copy = skb.clone()
  if (sk.queueRcvSkb(copy)) return undefined
  copy.free('ping_queue_rcv_skb', 'SOCKET_RCVBUFF')
  return 'SOCKET_RCVBUFF'
}

/** An error about an echo request; `skb.data` stands at its header (ping_err). */
export function pingErr6(skb: SkBuff, type: number, code: number, offset: number, info: number): void {
  const { buf, data, tail } = skb
  const inner = data + offset
  if (inner + ICMP_HLEN > tail) return
  const sk = lookup(skb, get16(buf, inner + 4), data + OFF_SADDR)
  if (sk === undefined) return
  const np = sk.pinet6
  let { errno, hard } = icmpv6ErrConvert(type, code)
  if (type === ICMPV6_PKT_TOOBIG) {
    ip6UpdatePmtuFor(skb, info, sk.boundDevIf)
    if (sk.dstCache?.obsolete === true) ip6DatagramDstUpdate(sk, false, nothing)
    if (np.pmtudisc === IPV6_PMTUDISC_DONT) return
    errno = Errno.EMSGSIZE
    hard = true
  } else if (type === NDISC_REDIRECT) {
    ip6Redirect(skb)
    errno = EREMOTEIO
  }
  if (np.recverr) ipv6IcmpError(sk, skb, errno, 0, info, inner)
  else if (!hard || sk.state !== TCP_ESTABLISHED) return
  sk.err = errno
  sk.errorReport()
}
