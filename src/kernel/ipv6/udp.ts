/** UDP over IPv6 (RFC 768, RFC 8200 §8.1), see udp(7). The sockets extend IPv4's, whose datagrams they may take, too. */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IPV6 } from '../../uapi/if.ts'
import {
  AF_INET,
  AF_INET6,
  IPPROTO_UDP,
  MSG_CONFIRM,
  MSG_ERRQUEUE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  type ReceivedMessage,
  type SendControl,
  SOL_IP,
  SOL_IPV6,
  type Sockaddr,
} from '../../uapi/socket.ts'
import type { DropReason } from '../core/dropreason.ts'
import { NETIF_F_HW_CSUM, NETIF_F_IPV6_CSUM } from '../core/features.ts'
import type { Net } from '../core/net_namespace.ts'
import { skbCsumUnnecessary } from '../core/skb_checksum.ts'
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, type SkBuff } from '../core/skbuff.ts'
import { type OptionResult, TCP_ESTABLISHED } from '../core/sock.ts'
import type { Cred, OptionValue } from '../core/socket.ts'
import { ip4DatagramConnect } from '../ipv4/inet_bind.ts'
import { type InetSock, IP_CMSG_PKTINFO } from '../ipv4/inet_sock.ts'
import { OFF_SADDR as OFF_SADDR4 } from '../ipv4/ip.ts'
import { ipv4PktinfoPrepare } from '../ipv4/ip_sockglue.ts'
import { mibKey } from '../ipv4/snmp.ts'
import { UDP_HLEN, UdpSock } from '../ipv4/udp.ts'
import { udpTableKey } from '../ipv4/udp_table.ts'
import {
  addrAny,
  addrEqualAt,
  addrType,
  addrV4Mapped,
  IN6ADDR_LOOPBACK,
  mappedV4,
  needsScopeId,
  v4Mapped,
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
import { ICMPV6_DEST_UNREACH, ICMPV6_PKT_TOOBIG, ICMPV6_PORT_UNREACH, icmpv6Send } from './icmp_send.ts'
import { in6Dev } from './if_inet6.ts'
import { inet6Bind } from './inet6_bind.ts'
import { get16, get32, OFF_DADDR, OFF_SADDR, put16 } from './ip6.ts'
import { fl6FreeSocklist, flowlabelAllowed, IPV6_FLOWINFO_MASK } from './ip6_flowlabel.ts'
import { ip6ConfirmNeigh, ip6DstLookup } from './ip6_lookup.ts'
import { ip6MakeSkb, ip6SendSkb } from './ip6_make_skb.ts'
import { inet6Iif, inet6Sdif } from './ip6cb.ts'
import { dstCheck6, ipv6Getsockopt, ipv6Setsockopt, RX_ANY_INFO } from './ipv6_sockglue.ts'
import { ipv6SockMcClose } from './mc_sock.ts'
import { NDISC_REDIRECT } from './ndisc_msg.ts'
import { ip6Redirect } from './ndisc_redirect.ts'
import { ipv6Key } from './netns_ipv6.ts'
import {
  IPV6_PMTUDISC_DONT,
  Ipv6Pinfo,
  ifaceScopeId,
  inet6McCheck,
  inet6Name,
  ip6SkAcceptPmtu,
  socketOif,
} from './pinfo.ts'
import type { Inet6Protocol } from './protocol6.ts'
import { ip6DstMtu } from './route.ts'
import type { Rt6Info } from './rt6_info.ts'
import {
  ICMP6_MIB_INERRORS,
  icmp6Inc,
  snmp6Key,
  UDP_MIB_CSUMERRORS,
  UDP_MIB_IGNOREDMULTI,
  UDP_MIB_INDATAGRAMS,
  UDP_MIB_INERRORS,
  UDP_MIB_NOPORTS,
  UDP_MIB_OUTDATAGRAMS,
  UDP_MIB_RCVBUFERRORS,
  UDP_MIB_SNDBUFERRORS,
} from './snmp.ts'
import { udp6Lookup } from './udp_lookup.ts'

const CSUM_OFFSET = 6

const ipc = new Ipcm6Cookie()
const flow = new Flowi6()

function nothing(): void {}

/** Counts for UDP over IPv6 (UDP6_INC_STATS). */
function udp6Inc(net: Net, mib: number): void {
  net.at(snmp6Key).udp[mib]!++
}

/** IPV6_RECVPKTINFO holds for IPv4's datagrams, too: notes what is needed for it. */
function prepareMapped(sk: InetSock, skb: SkBuff): void {
  const { cmsgFlags } = sk
  sk.cmsgFlags |= IP_CMSG_PKTINFO
  ipv4PktinfoPrepare(sk, skb)
  sk.cmsgFlags = cmsgFlags
}

/** A UDP socket of IPv6. */
export class Udp6Sock extends UdpSock {
  readonly pinet6 = new Ipv6Pinfo()
  override v6RcvSaddr: Uint8Array = new Uint8Array(16)

  constructor(net: Net, cred: Cred) {
    super(net, cred, AF_INET6, 'UDPv6')
    this.v6only = net.at(ipv6Key).bindv6only !== 0
  }

  protected override destroy(): void {
    super.destroy()
    ipv6SockMcClose(this)
    fl6FreeSocklist(this)
  }

  override getsockname(): Sockaddr | number {
    return inet6Name(this, false)
  }

  override getpeername(): Sockaddr | number {
    return inet6Name(this, true)
  }

  override bind(address: Sockaddr): number {
    return inet6Bind(this, address, port => this.net.at(udpTableKey).getPort(this, port))
  }

  override connect(address: Sockaddr): number {
    if ((address.family as number) === 0)
      return ip6DatagramDisconnect(this, () => this.net.at(udpTableKey).unhash(this), nothing)
    if (!this.autobind()) return -Errno.EAGAIN
    return ip6DatagramConnect(
      this,
      address,
      (addr, port) => ip4DatagramConnect(this, { family: AF_INET, addr, port }, nothing),
      nothing,
    )
  }

  override setsockopt(level: number, option: number, value: OptionValue): number {
    if (level === SOL_IPV6 || level === SOL_IP) return ipv6Setsockopt(this, level, option, value)
    return super.setsockopt(level, option, value)
  }

  override getsockopt(level: number, option: number): OptionResult {
    if (level === SOL_IPV6 || level === SOL_IP) return ipv6Getsockopt(this, level, option)
    return super.getsockopt(level, option)
  }

  /** udpv6_sendmsg */
  override sendmsg(
    data: Uint8Array,
    flags: number,
    to: Sockaddr | undefined,
    control: SendControl | undefined,
  ): number {
    if (this.num === 0 && !this.autobind()) return -Errno.EAGAIN
    const np = this.pinet6
    const given = to !== undefined && (to.family as number) === 0 ? undefined : to
    if (given === undefined) {
      if (this.state !== TCP_ESTABLISHED) return -Errno.EDESTADDRREQ
      if (addrV4Mapped(np.daddr)) return this.send4(data, flags, undefined, control)
    } else if (given.family === AF_INET) return this.send4(data, flags, given, control)
    else if (given.family !== AF_INET6) return -Errno.EINVAL
    else if (addrV4Mapped(given.addr))
      return this.send4(data, flags, { family: AF_INET, addr: mappedV4(given.addr), port: given.port }, control)
    else if (addrAny(given.addr) && addrV4Mapped(np.saddr))
      return this.send4(data, flags, { family: AF_INET, addr: 0x7f000001, port: given.port }, control)
    if (data.length > 0xffff - UDP_HLEN) return -Errno.EMSGSIZE
    if ((flags & MSG_OOB) !== 0) return -Errno.EOPNOTSUPP
    const fl6 = flow.clear()
    ipc.init(this)
    const dst = this.route6(fl6, given, control)
    if (typeof dst === 'number') return dst
    if ((flags & MSG_CONFIRM) !== 0) ip6ConfirmNeigh(dst, fl6.daddr)
    return this.send6(data, dst, fl6)
  }

  private send4(data: Uint8Array, flags: number, to: Sockaddr | undefined, control: SendControl | undefined): number {
    return this.v6only ? -Errno.ENETUNREACH : super.sendmsg(data, flags, to, control)
  }

  /** Fills in where a message goes and finds its route. @param to an IPv6 address, undefined for the peer */
  private route6(fl6: Flowi6, to: Sockaddr | undefined, control: SendControl | undefined): Rt6Info | number {
    const np = this.pinet6
    let connected = false
    if (to !== undefined && to.family === AF_INET6) {
      if (to.port === 0) return -Errno.EINVAL
      fl6.dport = to.port
      if (np.sndflow) {
        fl6.flowlabel = (to.flowinfo ?? 0) & IPV6_FLOWINFO_MASK
        if (!flowlabelAllowed(this.net, np, fl6.flowlabel)) return -Errno.EINVAL
      }
      fl6.daddr.set(to.addr)
      if ((to.scopeId ?? 0) !== 0 && needsScopeId(addrType(to.addr))) fl6.oif = to.scopeId!
    } else {
      fl6.dport = this.dport
      fl6.daddr.set(np.daddr)
      fl6.flowlabel = np.flowLabel
      connected = true
    }
    if (fl6.oif === 0) fl6.oif = this.boundDevIf
    if (fl6.oif === 0) fl6.oif = np.stickyIfindex
    if (control !== undefined) {
      const err = ipc.send(this, control, fl6)
      if (err < 0) return err
      connected = false
    }
    fl6.proto = IPPROTO_UDP
    fl6.mark = this.mark
    fl6.uid = this.cred.uid
    fl6.sport = this.sport
    // "::" is the host itself, as in BSD
    if (addrAny(fl6.daddr)) fl6.daddr.set(IN6ADDR_LOOPBACK)
    if (addrAny(fl6.saddr)) fl6.saddr.set(np.saddr)
    if (fl6.daddr[0] === 0xff && fl6.oif === 0) connected = false
    socketOif(np, fl6)
    const tclass = ipc.tclass < 0 ? np.tclass : ipc.tclass
    fl6.flowlabel = (tclass << 20) | (fl6.flowlabel & 0xfffff)
    if (connected) {
      const kept = dstCheck6(this)
      if (kept !== null) return kept
    }
    const dst = ip6DstLookup(this.net, { boundIf: this.boundDevIf, srcprefs: np.srcprefs }, fl6)
    if (connected && typeof dst !== 'number') this.dstCache = dst
    return dst
  }

  private send6(data: Uint8Array, dst: Rt6Info, fl6: Flowi6): number {
    const { net } = this
    const { length } = data
    const skb = ip6MakeSkb(this, fl6, dst, UDP_HLEN + length, UDP_HLEN, ipc)
    if (typeof skb === 'number') {
      if (skb === -Errno.EAGAIN || skb === -Errno.ENOBUFS) udp6Inc(net, UDP_MIB_SNDBUFERRORS)
      return skb
    }
    const { buf, transportHeader: at } = skb
    const len = UDP_HLEN + length
    buf.set(data, at + UDP_HLEN)
    put16(buf, at, this.sport)
    put16(buf, at + 2, fl6.dport)
    put16(buf, at + 4, len)
    put16(buf, at + CSUM_OFFSET, 0)
    const pseudo = csumPseudo(buf, skb.networkHeader + OFF_SADDR, IPPROTO_UDP, len)
    if ((dst.dev.features & (NETIF_F_HW_CSUM | NETIF_F_IPV6_CSUM)) !== 0 && skb.len <= ip6DstMtu(dst)) {
      skb.ipSummed = CHECKSUM_PARTIAL
      skb.csumStart = at
      skb.csumOffset = CSUM_OFFSET
      // the device adds the rest: the field holds the pseudo header's sum
      put16(buf, at + CSUM_OFFSET, ~csumFold(pseudo) & 0xffff)
    } else {
      skb.ipSummed = CHECKSUM_NONE
      put16(buf, at + CSUM_OFFSET, csumFold(csumPartial(buf, at, len, pseudo)) || 0xffff)
    }
    const rc = ip6SendSkb(skb)
    if (rc === 0) {
      udp6Inc(net, UDP_MIB_OUTDATAGRAMS)
      return length
    }
    if (rc !== -Errno.ENOBUFS) return rc
    udp6Inc(net, UDP_MIB_SNDBUFERRORS)
    return this.pinet6.recverr ? rc : length
  }

  /** udpv6_recvmsg */
  override recvmsg(max: number, flags: number): ReceivedMessage | number {
    if ((flags & MSG_ERRQUEUE) !== 0) return ipv6RecvError(this, max)
    const peek = (flags & MSG_PEEK) !== 0
    const skb = this.recvSkb(peek)
    if (typeof skb === 'number') return skb
    const { buf, data, tail, networkHeader: nh, transportHeader } = skb
    const length = tail - data
    const copied = Math.min(length, max)
    const v6 = skb.protocol === ETH_P_IPV6
    const addr = v6 ? buf.slice(nh + OFF_SADDR, nh + OFF_SADDR + 16) : v4Mapped(get32(buf, nh + OFF_SADDR4))
    const scopeId = v6 ? ifaceScopeId(addr, inet6Iif(skb)) : 0
    const message: ReceivedMessage = {
      data: buf.slice(data, data + copied),
      length,
      flags: copied < length ? MSG_TRUNC : 0,
      from: { family: AF_INET6, addr, port: get16(buf, transportHeader), flowinfo: 0, scopeId },
      control: ip6DatagramRecvCtl(this, skb),
    }
    if (!peek) {
      if (v6) udp6Inc(this.net, UDP_MIB_INDATAGRAMS)
      else this.net.at(mibKey).udp[UDP_MIB_INDATAGRAMS]!++
      skb.consume()
    }
    return message
  }

  /** A datagram of IPv4 for a socket of both. */
  override queueRcv(skb: SkBuff): void {
    super.queueRcv(skb, (this.pinet6.rx & RX_ANY_INFO) === 0 ? ipv4PktinfoPrepare : prepareMapped)
  }

  /** Takes a datagram of IPv6 over (udpv6_queue_rcv_skb); `data` stands at the UDP header. */
  queueRcv6(skb: SkBuff): void {
    const { nfct } = skb
    if (nfct !== null) {
      skb.nfct = null
      nfct.put()
    }
    if (this.encapRcv !== undefined && skb.len > UDP_HLEN && this.encapRcv(this, skb) <= 0) {
      udp6Inc(this.net, UDP_MIB_INDATAGRAMS)
      return
    }
    skb.data += UDP_HLEN
    // one datagram may exceed the buffer, so that a small one takes a large datagram at all
    if (this.rmemAlloc > this.rcvbuf) {
      this.drops++
      udp6Inc(this.net, UDP_MIB_RCVBUFERRORS)
      udp6Inc(this.net, UDP_MIB_INERRORS)
      skb.free('udpv6_queue_rcv_one_skb', 'SOCKET_RCVBUFF')
      return
    }
    this.chargeRcv(skb)
  }

  /** An ICMPv6 error about one of its datagrams; `inner` is where the quoted UDP header stands (__udp6_lib_err). */
  icmpv6Error(skb: SkBuff, type: number, code: number, inner: number, info: number): void {
    const np = this.pinet6
    let { errno, hard } = icmpv6ErrConvert(type, code)
    if (type === ICMPV6_PKT_TOOBIG) {
      if (!ip6SkAcceptPmtu(np)) return
      ip6UpdatePmtuFor(skb, info, this.boundDevIf)
      if (this.dstCache?.obsolete === true) ip6DatagramDstUpdate(this, false, nothing)
      if (np.pmtudisc !== IPV6_PMTUDISC_DONT) hard = true
    }
    if (type === NDISC_REDIRECT) {
      ip6Redirect(skb)
      return
    }
    if (np.recverr) ipv6IcmpError(this, skb, errno, get16(skb.buf, inner + 2), info, inner + UDP_HLEN)
    else if (!hard || this.state !== TCP_ESTABLISHED) return
    this.err = errno
    this.errorReport()
  }
}

function drop(skb: SkBuff, net: Net, reason: DropReason): number {
  if (reason === 'UDP_CSUM') udp6Inc(net, UDP_MIB_CSUMERRORS)
  udp6Inc(net, UDP_MIB_INERRORS)
  skb.free('udpv6_rcv', reason)
  return 0
}

/** Checks the length of a datagram and cuts it there. @returns why it must be dropped */
function validate(skb: SkBuff): DropReason | undefined {
  const { buf, data } = skb
  if (skb.len < UDP_HLEN) return 'NOT_SPECIFIED'
  const ulen = get16(buf, data + 4)
  // 0: the length of a jumbogram is elsewhere (RFC 2675)
  if (ulen === 0) return undefined
  if (ulen > skb.len || ulen < UDP_HLEN) return 'PKT_TOO_SMALL'
  skb.trim(ulen)
  return undefined
}

/** @returns whether the checksum is good; none at all is not to be judged here */
function goodChecksum(skb: SkBuff): boolean {
  const { buf, data, tail } = skb
  if (skbCsumUnnecessary(skb) || get16(buf, data + CSUM_OFFSET) === 0) return true
  const sum = csumPseudo(buf, skb.networkHeader + OFF_SADDR, IPPROTO_UDP, tail - data)
  if (csumFold(csumPartial(buf, data, tail - data, sum)) !== 0) return false
  skb.ipSummed = CHECKSUM_UNNECESSARY
  return true
}

/** Takes datagrams from IPv6 (__udp6_lib_rcv). */
function udpv6Rcv(skb: SkBuff): number {
  const dev = skb.dev!
  const { net } = dev
  const { buf, data, networkHeader: nh } = skb
  const bad = validate(skb)
  if (bad !== undefined) return drop(skb, net, bad)
  if (!goodChecksum(skb)) return drop(skb, net, 'UDP_CSUM')
  // IPv6 has no checksum of its own: a datagram must have one (RFC 8200 §8.1)
  const unsummed = get16(buf, data + CSUM_OFFSET) === 0
  if (buf[nh + OFF_DADDR] === 0xff) return mcastDeliver(skb, unsummed)
  const sk = udp6Lookup(
    net,
    buf,
    nh + OFF_SADDR,
    get16(buf, data),
    nh + OFF_DADDR,
    get16(buf, data + 2),
    inet6Iif(skb),
    inet6Sdif(skb),
  )
  if (unsummed) return drop(skb, net, 'UDP_CSUM')
  if (sk !== undefined) {
    sk.queueRcv6(skb)
    return 0
  }
  udp6Inc(net, UDP_MIB_NOPORTS)
  icmpv6Send(skb, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0)
  skb.free('udpv6_rcv', 'NO_SOCKET')
  return 0
}

/** A datagram to a group is for every socket that fits (__udp6_lib_mcast_deliver). */
function mcastDeliver(skb: SkBuff, unsummed: boolean): number {
  const { net } = skb.dev!
  const { buf, data, networkHeader: nh } = skb
  const dif = inet6Iif(skb)
  const sdif = inet6Sdif(skb)
  const sport = get16(buf, data)
  let first: Udp6Sock | undefined
  for (const other of [...(net.at(udpTableKey).at(get16(buf, data + 2)) ?? [])]) {
    if (other.domain !== AF_INET6 || unsummed) continue
    const sk = other as Udp6Sock
    const np = sk.pinet6
    if (sk.dport !== 0 && sk.dport !== sport) continue
    if (!addrAny(np.daddr) && !addrEqualAt(buf, nh + OFF_SADDR, np.daddr)) continue
    if (!addrAny(sk.v6RcvSaddr) && !addrEqualAt(buf, nh + OFF_DADDR, sk.v6RcvSaddr)) continue
    if (!sk.boundDevEq(true, dif, sdif) || !inet6McCheck(np, buf, nh + OFF_DADDR)) continue
    if (first === undefined) first = sk
    else sk.queueRcv6(skb.clone())
  }
  if (first !== undefined) first.queueRcv6(skb)
  else {
    udp6Inc(net, UDP_MIB_IGNOREDMULTI)
    skb.consume()
  }
  return 0
}

/** Finds the socket that an ICMPv6 error is for; `skb.data` stands at the quoted IPv6 header (udpv6_err). */
function udpv6Err(skb: SkBuff, type: number, code: number, offset: number, info: number): void {
  const dev = skb.dev!
  const { buf, data } = skb
  const inner = data + offset
  const sk = udp6Lookup(
    dev.net,
    buf,
    data + OFF_DADDR,
    get16(buf, inner + 2),
    data + OFF_SADDR,
    get16(buf, inner),
    inet6Iif(skb),
    inet6Sdif(skb),
  )
  if (sk === undefined) icmp6Inc(dev.net, in6Dev(dev)?.stats, ICMP6_MIB_INERRORS)
  else sk.icmpv6Error(skb, type, code, inner, info)
}

/** UDP above IPv6. */
export const udpv6Protocol: Inet6Protocol = { handler: udpv6Rcv, errHandler: udpv6Err, final: true }
