/** Raw sockets of IPv6, see ipv6(7) and RFC 3542 §3: packets of a next header, without the IPv6 header. */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IPV6 } from '../../uapi/if.ts'
import {
  AF_INET6,
  ICMPV6_FILTER,
  IPPROTO_ICMPV6,
  IPPROTO_RAW,
  IPPROTO_UDP,
  IPV6_CHECKSUM,
  MSG_CONFIRM,
  MSG_ERRQUEUE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  type ReceivedMessage,
  type SendControl,
  SOCK_RAW,
  SOL_ICMPV6,
  SOL_IPV6,
  SOL_RAW,
  type Sockaddr,
} from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import { NET_XMIT_CN } from '../core/net_xmit.ts'
import { CHECKSUM_UNNECESSARY, type SkBuff } from '../core/skbuff.ts'
import { type OptionResult, optionNumber, TCP_CLOSE, TCP_ESTABLISHED } from '../core/sock.ts'
import type { Cred, OptionValue } from '../core/socket.ts'
import { skbTruesize } from '../core/truesize.ts'
import { InetSock } from '../ipv4/inet_sock.ts'
import { ipv4Key } from '../ipv4/netns_ipv4.ts'
import {
  addrAny,
  addrEqualAt,
  addrType,
  IN6ADDR_LOOPBACK,
  IPV6_ADDR_ANY,
  IPV6_ADDR_MAPPED,
  IPV6_ADDR_MULTICAST,
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
  ipv6LocalError,
  ipv6RecvError,
} from './datagram6.ts'
import { FLOWI_FLAG_KNOWN_NH, Flowi6 } from './flowi6.ts'
import { icmpv6ErrConvert, ip6UpdatePmtuFor } from './icmp.ts'
import { ICMPV6_PKT_TOOBIG } from './icmp_send.ts'
import { checkBindAddr } from './inet6_bind.ts'
import { IPV6_HLEN, OFF_SADDR, put16 } from './ip6.ts'
import { fl6FreeSocklist, flowlabelAllowed, IPV6_FLOWINFO_MASK } from './ip6_flowlabel.ts'
import { ip6ConfirmNeigh, ip6DstLookup } from './ip6_lookup.ts'
import { ip6MakeSkb, ip6SendSkb, sockCbFlags6 } from './ip6_make_skb.ts'
import { dstOutput } from './ip6_output.ts'
import { inet6Iif } from './ip6cb.ts'
import { ipv6Getsockopt, ipv6Setsockopt } from './ipv6_sockglue.ts'
import { ipv6SockMcClose } from './mc_sock.ts'
import { NDISC_REDIRECT } from './ndisc_msg.ts'
import { ip6Redirect } from './ndisc_redirect.ts'
import { NF_INET_LOCAL_OUT, nfHook6 } from './netfilter6.ts'
import {
  IPV6_PMTUDISC_DO,
  Ipv6Pinfo,
  ifaceScopeId,
  inet6McCheck,
  inet6Name,
  LOOPBACK4_IPV6,
  socketOif,
} from './pinfo.ts'
import { raw6Hash, raw6Unhash } from './raw_deliver.ts'
import type { Rt6Info } from './rt6_info.ts'
import {
  IPSTATS_MIB_OUTDISCARDS,
  IPSTATS_MIB_OUTOCTETS,
  IPSTATS_MIB_OUTPKTS,
  icmp6CountOut,
  ip6CountPacket,
  ip6Inc,
} from './snmp.ts'

const IPV6_HDRINCL = 36
/** Mobility headers (RFC 6275) have their checksum at a place of their own. */
const IPPROTO_MH = 135
const ICMPV6_FILTER_LENGTH = 32

const ipc = new Ipcm6Cookie()
const flow = new Flowi6()

function nothing(): void {}

/** A raw socket. `num` is its next header. */
export class Raw6Sock extends InetSock {
  readonly pinet6 = new Ipv6Pinfo()
  override v6RcvSaddr: Uint8Array = new Uint8Array(16)
  /** the kernel makes and checks a checksum at this offset; undefined: it does not (IPV6_CHECKSUM) */
  private checksum: number | undefined
  /** ICMPv6 types that are not wanted, one bit each */
  private filter = new Uint8Array(ICMPV6_FILTER_LENGTH)

  constructor(net: Net, protocol: number, cred: Cred) {
    super(net, AF_INET6, SOCK_RAW, protocol, cred, 'RAWv6')
    this.num = this.sport = protocol
    if (protocol === IPPROTO_RAW) this.hdrincl = true
    if (protocol === IPPROTO_ICMPV6) this.checksum = 2
    else if (protocol === IPPROTO_MH) this.checksum = 4
    raw6Hash(this)
    this.inuseAdd(1)
  }

  protected destroy(): void {
    raw6Unhash(this)
    this.inuseAdd(-1)
    ipv6SockMcClose(this)
    fl6FreeSocklist(this)
  }

  override getsockname(): Sockaddr | number {
    return inet6Name(this, false)
  }

  override getpeername(): Sockaddr | number {
    return inet6Name(this, true)
  }

  /** rawv6_bind */
  bind(address: Sockaddr): number {
    if (address.family !== AF_INET6) return -Errno.EINVAL
    const { addr } = address
    const type = addrType(addr)
    if (type === IPV6_ADDR_MAPPED) return -Errno.EADDRNOTAVAIL
    if (this.state !== TCP_CLOSE) return -Errno.EINVAL
    let v4addr = 0
    if (type !== IPV6_ADDR_ANY) {
      const err = checkBindAddr(this, addr, type, address.scopeId ?? 0)
      if (err < 0) return err
      v4addr = LOOPBACK4_IPV6
    }
    this.rcvSaddr = this.saddr = v4addr
    this.v6RcvSaddr = addr.slice()
    if ((type & IPV6_ADDR_MULTICAST) === 0) this.pinet6.saddr.set(addr)
    return 0
  }

  connect(address: Sockaddr): number {
    if ((address.family as number) === 0) return ip6DatagramDisconnect(this, nothing, nothing)
    return ip6DatagramConnect(this, address, undefined, nothing)
  }

  override setsockopt(level: number, option: number, value: OptionValue): number {
    if (level === SOL_ICMPV6) {
      if (this.num !== IPPROTO_ICMPV6) return -Errno.EOPNOTSUPP
      if (option !== ICMPV6_FILTER) return -Errno.ENOPROTOOPT
      if (!(value instanceof Uint8Array)) return -Errno.EINVAL
      this.filter.set(value.subarray(0, ICMPV6_FILTER_LENGTH))
      return 0
    }
    if (level === SOL_RAW || (level === SOL_IPV6 && (option === IPV6_CHECKSUM || option === IPV6_HDRINCL)))
      return this.setRaw(level, option, value)
    return level === SOL_IPV6 ? ipv6Setsockopt(this, level, option, value) : super.setsockopt(level, option, value)
  }

  private setRaw(level: number, option: number, value: OptionValue): number {
    const number = optionNumber(value)
    if (number === undefined) return -Errno.EINVAL
    if (option === IPV6_HDRINCL) {
      this.hdrincl = number !== 0
      return 0
    }
    if (option !== IPV6_CHECKSUM) return -Errno.ENOPROTOOPT
    // RFC 3542 §3.1: not for ICMPv6; at the old level it has always been let through
    if (this.num === IPPROTO_ICMPV6 && level === SOL_IPV6) return -Errno.EINVAL
    if (number > 0 && (number & 1) !== 0) return -Errno.EINVAL
    this.checksum = number < 0 ? undefined : number
    return 0
  }

  override getsockopt(level: number, option: number): OptionResult {
    if (level === SOL_ICMPV6) {
      if (this.num !== IPPROTO_ICMPV6) return { errno: Errno.EOPNOTSUPP }
      return option === ICMPV6_FILTER ? this.filter.slice() : { errno: Errno.ENOPROTOOPT }
    }
    if (level === SOL_RAW || (level === SOL_IPV6 && (option === IPV6_CHECKSUM || option === IPV6_HDRINCL))) {
      if (option === IPV6_HDRINCL) return this.hdrincl ? 1 : 0
      return option === IPV6_CHECKSUM ? (this.checksum ?? -1) : { errno: Errno.ENOPROTOOPT }
    }
    return level === SOL_IPV6 ? ipv6Getsockopt(this, level, option) : super.getsockopt(level, option)
  }

  /** rawv6_sendmsg */
  sendmsg(data: Uint8Array, flags: number, to: Sockaddr | undefined, control: SendControl | undefined): number {
    if ((flags & MSG_OOB) !== 0) return -Errno.EOPNOTSUPP
    const np = this.pinet6
    const fl6 = flow.clear()
    fl6.mark = this.mark
    fl6.uid = this.cred.uid
    ipc.init(this)
    const proto = this.destination(fl6, to)
    if (proto < 0) return proto
    if (fl6.oif === 0) fl6.oif = this.boundDevIf
    if (control !== undefined) {
      const rc = ipc.send(this, control, fl6)
      if (rc < 0) return rc
    }
    fl6.proto = proto
    if (!this.hdrincl && proto === IPPROTO_ICMPV6 && data.length >= 2) {
      fl6.sport = data[0]!
      fl6.dport = data[1]!
    }
    // "::" is the host itself, as in BSD
    if (addrAny(fl6.daddr)) fl6.daddr.set(IN6ADDR_LOOPBACK)
    if (addrAny(fl6.saddr)) fl6.saddr.set(np.saddr)
    socketOif(np, fl6)
    if (this.hdrincl) fl6.flags |= FLOWI_FLAG_KNOWN_NH
    const tclass = ipc.tclass < 0 ? np.tclass : ipc.tclass
    fl6.flowlabel = (tclass << 20) | (fl6.flowlabel & 0xfffff)
    const dst = ip6DstLookup(this.net, { boundIf: this.boundDevIf, srcprefs: np.srcprefs }, fl6)
    if (typeof dst === 'number') return dst
    if ((flags & MSG_CONFIRM) !== 0) ip6ConfirmNeigh(dst, fl6.daddr)
    return this.hdrincl ? this.sendHdrinc(data, dst, fl6) : this.sendData(data, dst, fl6)
  }

  /** Fills in where a message goes. @returns the next header, or a negative error */
  private destination(fl6: Flowi6, to: Sockaddr | undefined): number {
    const np = this.pinet6
    if (to === undefined) {
      if (this.state !== TCP_ESTABLISHED) return -Errno.EDESTADDRREQ
      fl6.daddr.set(np.daddr)
      fl6.flowlabel = np.flowLabel
      return this.num
    }
    if (to.family !== AF_INET6) return -Errno.EAFNOSUPPORT
    const proto = to.port === 0 ? this.num : to.port
    if (proto !== this.num && this.num !== IPPROTO_RAW) return -Errno.EINVAL
    if (proto > 255) return -Errno.EINVAL
    if (np.sndflow) {
      fl6.flowlabel = (to.flowinfo ?? 0) & IPV6_FLOWINFO_MASK
      if (!flowlabelAllowed(this.net, np, fl6.flowlabel)) return -Errno.EINVAL
    }
    fl6.daddr.set(to.addr)
    if ((to.scopeId ?? 0) !== 0 && needsScopeId(addrType(to.addr))) fl6.oif = to.scopeId!
    return proto
  }

  private sendData(data: Uint8Array, dst: Rt6Info, fl6: Flowi6): number {
    const { length } = data
    if (this.checksum !== undefined && this.checksum >= length - 1 && length <= 0xffff) return -Errno.EINVAL
    const skb = ip6MakeSkb(this, fl6, dst, length, 0, ipc)
    if (typeof skb === 'number') return skb
    const { buf, transportHeader: at } = skb
    buf.set(data, at)
    if (this.checksum !== undefined) {
      const field = at + this.checksum
      put16(buf, field, 0)
      const sum = csumPartial(buf, at, length, csumPseudo(buf, skb.networkHeader + OFF_SADDR, fl6.proto, length))
      const check = csumFold(sum)
      put16(buf, field, check === 0 && fl6.proto === IPPROTO_UDP ? 0xffff : check)
    }
    if (fl6.proto === IPPROTO_ICMPV6) icmp6CountOut(this.net, dst.idev?.stats, buf[at]!)
    const rc = ip6SendSkb(skb)
    return rc < 0 && !(rc === -Errno.ENOBUFS && !this.pinet6.recverr) ? rc : length
  }

  /** Sends a packet whose IPv6 header the program has written (rawv6_send_hdrinc). */
  private sendHdrinc(data: Uint8Array, dst: Rt6Info, fl6: Flowi6): number {
    const { dev } = dst
    const { net } = this
    const { length } = data
    if (length > dev.mtu) {
      ipv6LocalError(this, Errno.EMSGSIZE, fl6, dev.mtu)
      return -Errno.EMSGSIZE
    }
    if (length < IPV6_HLEN) return -Errno.EINVAL
    let rc = this.mayAllocSend()
    if (rc !== 0) return rc
    const reserved = dev.llReserved
    const skb = net.kernel.skbs.alloc(reserved + length)
    skb.truesize = skbTruesize(reserved + 15 + length)
    skb.reserve(reserved)
    const at = skb.put(length)
    skb.buf.set(data, at)
    skb.networkHeader = skb.transportHeader = at
    skb.protocol = ETH_P_IPV6
    skb.priority = this.priority
    skb.mark = fl6.mark
    skb.dst = dst
    skb.cbFlags = sockCbFlags6(this.pinet6)
    this.setOwnerW(skb)
    ip6CountPacket(net, dst.idev?.stats, IPSTATS_MIB_OUTPKTS, IPSTATS_MIB_OUTOCTETS, skb.len)
    rc = nfHook6(NF_INET_LOCAL_OUT, net, skb, null, dev, dstOutput)
    if (rc > 0) rc = rc === NET_XMIT_CN ? 0 : -Errno.ENOBUFS
    if (rc === 0) return length
    ip6Inc(net, dst.idev?.stats, IPSTATS_MIB_OUTDISCARDS)
    return rc === -Errno.ENOBUFS && !this.pinet6.recverr ? length : rc
  }

  /** rawv6_recvmsg */
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

  /** @returns whether packets between two addresses are for this socket (raw_v6_match) */
  matches(buf: Uint8Array, local: number, remote: number, dif: number, sdif: number): boolean {
    const np = this.pinet6
    if (!addrAny(np.daddr) && !addrEqualAt(buf, remote, np.daddr)) return false
    if (!this.boundDevEq(this.net.at(ipv4Key).rawL3mdevAccept !== 0, dif, sdif)) return false
    if (addrAny(this.v6RcvSaddr) || addrEqualAt(buf, local, this.v6RcvSaddr)) return true
    return buf[local] === 0xff && inet6McCheck(np, buf, local)
  }

  /** @returns whether there is no room, or the message is filtered away: the socket has had its chance (icmpv6_filter) */
  refuses(skb: SkBuff): boolean {
    if (this.num !== IPPROTO_ICMPV6) return false
    const { buf, data, tail } = skb
    if (data >= tail) return true
    const type = buf[data]!
    return ((this.filter[type >> 3]! >> (type & 7)) & 1) !== 0
  }

  /** @returns whether the receive buffer is full; the packet then counts as lost */
  get full(): boolean {
    if (this.rmemAlloc < this.rcvbuf) return false
    this.drops++
    return true
  }

  /** Takes a copy of a packet over (rawv6_rcv). */
  rcv(skb: SkBuff): void {
    const { nfct } = skb
    if (nfct !== null) {
      skb.nfct = null
      nfct.put()
    }
    if (this.hdrincl) skb.data = skb.networkHeader
    if ((this.checksum !== undefined || this.hdrincl) && !this.goodChecksum(skb)) {
      this.drops++
      skb.free('rawv6_rcv_skb', 'SKB_CSUM')
      return
    }
    if (!this.queueRcvSkb(skb)) skb.free('rawv6_rcv_skb', 'SOCKET_RCVBUFF')
  }

  private goodChecksum(skb: SkBuff): boolean {
    if (skb.ipSummed === CHECKSUM_UNNECESSARY) return true
    const { buf, transportHeader: at, tail } = skb
    const len = tail - at
    const sum = csumPseudo(buf, skb.networkHeader + OFF_SADDR, this.num, len)
    return csumFold(csumPartial(buf, at, len, sum)) === 0
  }

  /** Hears of an ICMPv6 error about one of its packets; `data` stands at the quoted header (rawv6_err). */
  icmpError(skb: SkBuff, type: number, code: number, offset: number, info: number): void {
    const np = this.pinet6
    if (!np.recverr && this.state !== TCP_ESTABLISHED) return
    const { errno, hard: converted } = icmpv6ErrConvert(type, code)
    let hard = converted
    if (type === ICMPV6_PKT_TOOBIG) {
      ip6UpdatePmtuFor(skb, info, this.boundDevIf)
      if (this.dstCache?.obsolete === true) ip6DatagramDstUpdate(this, false, nothing)
      hard = np.pmtudisc === IPV6_PMTUDISC_DO
    } else if (type === NDISC_REDIRECT) {
      ip6Redirect(skb)
      return
    }
    if (np.recverr) ipv6IcmpError(this, skb, errno, 0, info, this.hdrincl ? skb.data : skb.data + offset)
    if (np.recverr || hard) {
      this.err = errno
      this.errorReport()
    }
  }
}
