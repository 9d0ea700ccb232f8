/** Datagram sockets of IPv6: connecting, ancillary data in both directions, and the error queue, see ipv6(7). */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IPV6 } from '../../uapi/if.ts'
import { IFA_F_TENTATIVE } from '../../uapi/rtnetlink.ts'
import {
  AF_INET,
  AF_INET6,
  type AncillaryData,
  MSG_ERRQUEUE,
  MSG_TRUNC,
  type ReceivedMessage,
  type SendControl,
  type Sockaddr,
} from '../../uapi/socket.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { TCP_CLOSE, TCP_ESTABLISHED } from '../core/sock.ts'
import { NO_CONTROL } from '../ipv4/inet_sock.ts'
import { OFF_DADDR as OFF_DADDR4 } from '../ipv4/ip.ts'
import { ipCmsgRecv } from '../ipv4/ip_sockglue.ts'
import {
  addrAny,
  addrType,
  addrV4Mapped,
  IN6ADDR_LOOPBACK,
  type In6Addr,
  IPV6_ADDR_ANY,
  IPV6_ADDR_LINKLOCAL,
  IPV6_ADDR_MAPPED,
  IPV6_ADDR_MULTICAST,
  IPV6_ADDR_SCOPE_LINKLOCAL,
  mappedV4,
  needsScopeId,
  scopeOfType,
  v4Mapped,
} from './addr.ts'
import { ipv6ChkAcastAddrSrc } from './anycast.ts'
import { Flowi6 } from './flowi6.ts'
import { ipv6ChkAddrAndFlags } from './inet6_addr.ts'
import { ipv6CanNonlocalBind } from './inet6_bind.ts'
import { flowinfoAt, get32, IPV6_HLEN, OFF_DADDR, OFF_HOP_LIMIT, OFF_SADDR, tclassAt } from './ip6.ts'
import { flowlabelAllowed, IPV6_FLOWINFO_MASK } from './ip6_flowlabel.ts'
import { ip6DstLookup } from './ip6_lookup.ts'
import { RX_ANY_HLIM, RX_ANY_INFO, RX_TCLASS } from './ipv6_sockglue.ts'
import { devEqualL3scope, type Inet6Sock, ifaceScopeId, LOOPBACK4_IPV6, socketOif } from './pinfo.ts'

const ICMP_HLEN = 8
const connectFl6 = new Flowi6()

/** Looks the route to a connected socket's peer up and keeps it (ip6_datagram_dst_update). @param fix choose a source */
export function ip6DatagramDstUpdate(sk: Inet6Sock, fix: boolean, rehash: () => void): number {
  const np = sk.pinet6
  const fl6 = connectFl6.clear()
  fl6.proto = sk.protocol
  fl6.daddr.set(np.daddr)
  fl6.saddr.set(np.saddr)
  fl6.mark = sk.mark
  fl6.uid = sk.cred.uid
  fl6.dport = sk.dport
  fl6.sport = sk.sport
  fl6.flowlabel = (np.tclass << 20) | np.flowLabel
  fl6.oif = sk.boundDevIf !== 0 ? sk.boundDevIf : np.stickyIfindex
  socketOif(np, fl6)
  if (np.sndflow && !flowlabelAllowed(sk.net, np, np.flowLabel)) return -Errno.EINVAL
  const dst = ip6DstLookup(sk.net, { boundIf: sk.boundDevIf, srcprefs: np.srcprefs }, fl6)
  if (typeof dst === 'number') return dst
  if (fix) {
    if (addrAny(np.saddr)) np.saddr.set(fl6.saddr)
    if (addrAny(sk.v6RcvSaddr!)) {
      sk.v6RcvSaddr = fl6.saddr.slice()
      sk.rcvSaddr = LOOPBACK4_IPV6
      rehash()
    }
  }
  sk.dstCache = dst
  return 0
}

/**
 * Connects a datagram socket to an IPv6 address (__ip6_datagram_connect).
 * @param connect4 connects it to the IPv4 address that a mapped one stands for; undefined where it speaks no IPv4
 * @param rehash what the socket is found by has changed
 */
export function ip6DatagramConnect(
  sk: Inet6Sock,
  address: Sockaddr,
  connect4: ((addr: number, port: number) => number) | undefined,
  rehash: () => void,
): number {
  const np = sk.pinet6
  if (address.family === AF_INET) {
    if (sk.v6only || connect4 === undefined) return -Errno.EAFNOSUPPORT
    return connected4(sk, connect4(address.addr, address.port), rehash)
  }
  if (address.family !== AF_INET6) return -Errno.EAFNOSUPPORT
  const flowinfo = np.sndflow ? (address.flowinfo ?? 0) & IPV6_FLOWINFO_MASK : 0
  let daddr = address.addr
  if (addrAny(daddr)) daddr = addrV4Mapped(sk.v6RcvSaddr!) ? v4Mapped(0x7f000001) : IN6ADDR_LOOPBACK
  const type = addrType(daddr)
  if ((type & IPV6_ADDR_MAPPED) !== 0) {
    if (sk.v6only || connect4 === undefined) return -Errno.ENETUNREACH
    return connected4(sk, connect4(mappedV4(daddr), address.port), rehash)
  }
  if (needsScopeId(type)) {
    const scope = address.scopeId ?? 0
    if (scope !== 0) {
      if (!devEqualL3scope(sk, scope)) return -Errno.EINVAL
      sk.boundDevIf = scope
    }
    if (sk.boundDevIf === 0 && (type & IPV6_ADDR_MULTICAST) !== 0) sk.boundDevIf = np.mcastOif
    if (sk.boundDevIf === 0) return -Errno.EINVAL
  }
  const before = { daddr: np.daddr.slice(), flowLabel: np.flowLabel, dport: sk.dport }
  np.daddr.set(daddr)
  np.flowLabel = flowinfo
  sk.dport = address.port
  const err = ip6DatagramDstUpdate(sk, true, rehash)
  if (err < 0) {
    np.daddr.set(before.daddr)
    np.flowLabel = before.flowLabel
    sk.dport = before.dport
    return err
  }
  sk.state = TCP_ESTABLISHED
  return 0
}

/** The IPv4 side is connected: IPv6's addresses show it as mapped ones. */
function connected4(sk: Inet6Sock, err: number, rehash: () => void): number {
  if (err < 0) return err
  const np = sk.pinet6
  np.daddr.set(v4Mapped(sk.daddr))
  if (unset(np.saddr)) np.saddr.set(v4Mapped(sk.saddr))
  if (unset(sk.v6RcvSaddr!)) {
    sk.v6RcvSaddr = v4Mapped(sk.rcvSaddr)
    rehash()
  }
  return 0
}

function unset(addr: In6Addr): boolean {
  return addrAny(addr) || (addrV4Mapped(addr) && mappedV4(addr) === 0)
}

/** Forgets the peer (__udp_disconnect): what connecting chose is given up, what the program chose stays. */
export function ip6DatagramDisconnect(sk: Inet6Sock, unhash: () => void, rehash: () => void): number {
  const np = sk.pinet6
  sk.state = TCP_CLOSE
  sk.daddr = sk.dport = 0
  np.daddr.fill(0)
  sk.dstCache = null
  if (!sk.bindAddrLocked) {
    sk.rcvSaddr = sk.saddr = 0
    np.saddr.fill(0)
    sk.v6RcvSaddr = new Uint8Array(16)
    if (sk.bindPortLocked) rehash()
  }
  if (!sk.bindPortLocked) {
    unhash()
    sk.sport = sk.num = 0
  }
  return 0
}

/** What a message is sent with (`ipcm6_cookie`): the socket's values where its ancillary data says nothing. Reused. */
export class Ipcm6Cookie {
  /** -1: the socket's */
  hlimit = -1
  tclass = -1
  dontfrag = false

  /** Takes the socket's values over. */
  init(sk: Inet6Sock): this {
    this.hlimit = -1
    this.tclass = -1
    this.dontfrag = sk.pinet6.dontfrag
    return this
  }

  /** Takes ancillary data over, into the flow where it is about addresses (ip6_datagram_send_ctl). @returns 0 or an error */
  send(sk: Inet6Sock, control: SendControl, fl6: Flowi6): number {
    const { pktinfo, hoplimit, tos } = control
    if (pktinfo !== undefined) {
      const err = sendPktinfo(sk, pktinfo.ifindex, pktinfo.addr, fl6)
      if (err < 0) return err
    }
    if (hoplimit !== undefined) {
      if (hoplimit < -1 || hoplimit > 0xff) return -Errno.EINVAL
      this.hlimit = hoplimit
    }
    if (tos !== undefined) {
      if (tos < -1 || tos > 0xff) return -Errno.EINVAL
      this.tclass = tos
    }
    return 0
  }
}

function sendPktinfo(sk: Inet6Sock, ifindex: number, addr: In6Addr | undefined, fl6: Flowi6): number {
  const { net } = sk
  if (ifindex !== 0) {
    if (fl6.oif !== 0 && !devEqualL3scope(sk, ifindex)) return -Errno.EINVAL
    fl6.oif = ifindex
  }
  const type = addr === undefined ? IPV6_ADDR_ANY : addrType(addr)
  const dev = fl6.oif === 0 ? undefined : net.devByIndex(fl6.oif)
  if (fl6.oif !== 0 && dev === undefined) return -Errno.ENODEV
  if (addr === undefined || type === IPV6_ADDR_ANY) return 0
  if (dev === undefined && (type & IPV6_ADDR_LINKLOCAL) !== 0) return -Errno.EINVAL
  const strict = scopeOfType(type) <= IPV6_ADDR_SCOPE_LINKLOCAL
  if (
    !ipv6CanNonlocalBind(sk) &&
    ipv6ChkAddrAndFlags(net, addr, dev, !strict, false, IFA_F_TENTATIVE) === undefined &&
    !ipv6ChkAcastAddrSrc(net, dev, addr)
  )
    return -Errno.EINVAL
  fl6.saddr.set(addr)
  return 0
}

/** @returns the ancillary data that a socket asked for of a packet (ip6_datagram_recv_ctl); `cbIif` is where it came in */
export function ip6DatagramRecvCtl(sk: Inet6Sock, skb: SkBuff): AncillaryData {
  const { rx } = sk.pinet6
  const own = rx & (RX_ANY_INFO | RX_ANY_HLIM | RX_TCLASS)
  const v4 = skb.protocol !== ETH_P_IPV6
  if (own === 0 && !sk.timestamp && !(v4 && sk.cmsgFlags !== 0)) return NO_CONTROL
  const { buf, networkHeader: nh } = skb
  const out: { -readonly [K in keyof AncillaryData]: AncillaryData[K] } = v4 ? { ...ipCmsgRecv(sk, skb) } : {}
  if (sk.timestamp) out.timestamp = sk.net.kernel.bootTime + skb.tstamp
  if ((rx & RX_ANY_INFO) !== 0)
    out.pktinfo = {
      ifindex: skb.cbIif,
      addr: v4 ? v4Mapped(get32(buf, nh + OFF_DADDR4)) : buf.slice(nh + OFF_DADDR, nh + OFF_DADDR + 16),
    }
  if (v4) return out
  if ((rx & RX_ANY_HLIM) !== 0) out.hoplimit = buf[nh + OFF_HOP_LIMIT]!
  if ((rx & RX_TCLASS) !== 0) out.tos = tclassAt(buf, nh)
  return out
}

/**
 * Queues an ICMPv6 error for a socket with IPV6_RECVERR (ipv6_icmp_error).
 * @param skb the message: `networkHeader` at its IPv6 header, `transportHeader` at ICMPv6's
 * @param errno positive @param port port (or 0) the packet was sent to @param info with EMSGSIZE the MTU
 * @param payload where the quoted packet's payload begins, absolute in the buffer
 */
export function ipv6IcmpError(
  sk: Inet6Sock,
  skb: SkBuff,
  errno: number,
  port: number,
  info: number,
  payload: number,
): void {
  const np = sk.pinet6
  if (!np.recverr) return
  const { buf, networkHeader: nh, transportHeader: icmph, tail } = skb
  const inner = icmph + ICMP_HLEN
  const saddr = buf.slice(nh + OFF_SADDR, nh + OFF_SADDR + 16)
  const daddr = buf.slice(inner + OFF_DADDR, inner + OFF_DADDR + 16)
  sk.queueError({
    err: {
      errno,
      origin: 'icmp6',
      type: buf[icmph]!,
      code: buf[icmph + 1]!,
      info,
      offender: { family: AF_INET6, addr: saddr, port: 0, flowinfo: 0, scopeId: ifaceScopeId(saddr, skb.cbIif) },
    },
    to: {
      family: AF_INET6,
      addr: daddr,
      port,
      flowinfo: np.sndflow && inner + IPV6_HLEN <= tail ? flowinfoAt(buf, inner) : 0,
      scopeId: ifaceScopeId(daddr, skb.cbIif),
    },
    data: buf.slice(Math.min(payload, tail), tail),
    control: ip6DatagramRecvCtl(sk, skb),
    truesize: skb.truesize,
  })
}

/** Queues an error that was found here, such as a message too long for the path (ipv6_local_error). */
export function ipv6LocalError(sk: Inet6Sock, errno: number, fl6: Flowi6, info: number): void {
  if (!sk.pinet6.recverr) return
  sk.queueError({
    err: { errno, origin: 'local', type: 0, code: 0, info },
    to: { family: AF_INET6, addr: fl6.daddr.slice(), port: fl6.dport, flowinfo: 0, scopeId: 0 },
    data: new Uint8Array(0),
    control: NO_CONTROL,
    truesize: 768,
  })
}

/** Reads the error queue (ipv6_recv_error): MSG_ERRQUEUE. Addresses of IPv4 come as mapped ones. */
export function ipv6RecvError(sk: Inet6Sock, max: number): ReceivedMessage | number {
  const error = sk.dequeueError()
  if (error === undefined) return -Errno.EAGAIN
  const { data, to, err } = error
  const offender = err.offender === undefined ? {} : { offender: mapped(err.offender) }
  return {
    data: data.length > max ? data.slice(0, max) : data,
    length: data.length,
    flags: MSG_ERRQUEUE | (data.length > max ? MSG_TRUNC : 0),
    ...(to === undefined ? {} : { from: mapped(to) }),
    control: { ...error.control, err: { ...err, ...offender } },
  }
}

function mapped(address: Sockaddr): Sockaddr {
  if (address.family !== AF_INET) return address
  return { family: AF_INET6, addr: v4Mapped(address.addr), port: address.port, flowinfo: 0, scopeId: 0 }
}
