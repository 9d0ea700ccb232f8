/** Options of IPv6 sockets at SOL_IPV6, see ipv6(7) and RFC 3493, RFC 3542. */
import { Errno } from '../../uapi/errno.ts'
import {
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  IPV6_FLOWINFO_SEND,
  IPV6_JOIN_GROUP,
  IPV6_LEAVE_GROUP,
  IPV6_MTU,
  IPV6_MTU_DISCOVER,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_IF,
  IPV6_MULTICAST_LOOP,
  IPV6_RECVERR,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_IP,
  SOL_IPV6,
} from '../../uapi/socket.ts'
import { l3mdevMasterIfindex } from '../core/l3mdev.ts'
import { type OptionResult, optionNumber } from '../core/sock.ts'
import type { OptionValue } from '../core/socket.ts'
import { INET_ECN_MASK } from '../ipv4/ip.ts'
import { ipGetsockopt, ipSetsockopt } from '../ipv4/ip_sockglue.ts'
import type { Rtable } from '../ipv4/rtable.ts'
import { IPV6_DEVCONF_HOP_LIMIT, ipv6DevconfKey } from './devconf.ts'
import { IPV6_MIN_MTU } from './ip6.ts'
import { defaultAutolabel, ipv6FlowlabelOpt } from './ip6_flowlabel.ts'
import { ip6DstHoplimit } from './ip6_output.ts'
import { ipv6SockAcDrop, ipv6SockAcJoin, ipv6SockMcDrop, ipv6SockMcJoin } from './mc_sock.ts'
import {
  devEqualL3scope,
  type Inet6Sock,
  IPV6_DEFAULT_MCASTHOPS,
  IPV6_PMTUDISC_DONT,
  IPV6_PMTUDISC_OMIT,
} from './pinfo.ts'
import { ip6DstMtu } from './route.ts'
import { Rt6Info } from './rt6_info.ts'
import { IPV6_PREFER_SRC_COA, IPV6_PREFER_SRC_PUBLIC, IPV6_PREFER_SRC_TMP } from './saddr.ts'

/** Options that few programs use. */
const IPV6_2292PKTINFO = 2
const IPV6_2292HOPLIMIT = 8
const IPV6_JOIN_ANYCAST = 27
const IPV6_LEAVE_ANYCAST = 28
const IPV6_MULTICAST_ALL = 29
const IPV6_RECVERR_RFC4884 = 31
const IPV6_FLOWLABEL_MGR = 32
const IPV6_FLOWINFO = 11
const IPV6_PKTINFO = 50
const IPV6_RECVHOPOPTS = 53
const IPV6_RECVRTHDR = 56
const IPV6_RECVDSTOPTS = 58
const IPV6_RECVPATHMTU = 60
const IPV6_DONTFRAG = 62
const IPV6_RECVTCLASS = 66
const IPV6_AUTOFLOWLABEL = 70
const IPV6_ADDR_PREFERENCES = 72
const IPV6_MINHOPCOUNT = 73
const IPV6_RECVORIGDSTADDR = 74
const IPV6_TRANSPARENT = 75
const IPV6_UNICAST_IF = 76
const IPV6_RECVFRAGSIZE = 77
const IPV6_FREEBIND = 78

/** What a socket wants to know of each packet: bits of `Ipv6Pinfo.rx`. */
export const RX_INFO = 0x01
export const RX_HLIM = 0x02
export const RX_TCLASS = 0x04
const RX_FLOW = 0x08
const RX_HOPOPTS = 0x10
const RX_RTHDR = 0x20
const RX_DSTOPTS = 0x40
const RX_PATHMTU = 0x80
const RX_ORIGDSTADDR = 0x100
const RX_FRAGSIZE = 0x200
const RX_OINFO = 0x400
const RX_OHLIM = 0x800
/** pktinfo, by the option of RFC 3542 or of RFC 2292 */
export const RX_ANY_INFO = RX_INFO | RX_OINFO
/** the same for the hop limit */
export const RX_ANY_HLIM = RX_HLIM | RX_OHLIM

/** Which option asks for which ancillary data. */
const RX_OF_OPTION: Readonly<Record<number, number>> = {
  [IPV6_RECVPKTINFO]: RX_INFO,
  [IPV6_2292PKTINFO]: RX_OINFO,
  [IPV6_RECVHOPLIMIT]: RX_HLIM,
  [IPV6_2292HOPLIMIT]: RX_OHLIM,
  [IPV6_RECVTCLASS]: RX_TCLASS,
  [IPV6_FLOWINFO]: RX_FLOW,
  [IPV6_RECVHOPOPTS]: RX_HOPOPTS,
  [IPV6_RECVRTHDR]: RX_RTHDR,
  [IPV6_RECVDSTOPTS]: RX_DSTOPTS,
  [IPV6_RECVPATHMTU]: RX_PATHMTU,
  [IPV6_RECVORIGDSTADDR]: RX_ORIGDSTADDR,
  [IPV6_RECVFRAGSIZE]: RX_FRAGSIZE,
}

/** Values of IPV6_ADDR_PREFERENCES beside those of saddr.ts. */
const IPV6_PREFER_SRC_PUBTMP_DEFAULT = 0x0100
const IPV6_PREFER_SRC_HOME = 0x0400

/** Sets an option at SOL_IPV6, or at SOL_IP for the IPv4 packets of such a socket (ipv6_setsockopt). */
export function ipv6Setsockopt(sk: Inet6Sock, level: number, option: number, value: OptionValue): number {
  if (level === SOL_IP && sk.type !== SOCK_RAW) return ipSetsockopt(sk, option, value)
  if (level !== SOL_IPV6) return -Errno.ENOPROTOOPT
  switch (option) {
    case IPV6_JOIN_GROUP:
    case IPV6_LEAVE_GROUP:
      if (sk.type === SOCK_STREAM) return -Errno.EPROTO
      return membership(sk, value, option === IPV6_JOIN_GROUP ? ipv6SockMcJoin : ipv6SockMcDrop)
    case IPV6_JOIN_ANYCAST:
    case IPV6_LEAVE_ANYCAST:
      return membership(sk, value, option === IPV6_JOIN_ANYCAST ? ipv6SockAcJoin : ipv6SockAcDrop)
    case IPV6_FLOWLABEL_MGR:
      return value instanceof Uint8Array ? ipv6FlowlabelOpt(sk, value) : -Errno.EINVAL
    case IPV6_PKTINFO:
      return setPktinfo(sk, value)
  }
  const number = optionNumber(value)
  if (number === undefined) return -Errno.EINVAL
  const rx = RX_OF_OPTION[option]
  if (rx !== undefined) {
    if (number !== 0) sk.pinet6.rx |= rx
    else sk.pinet6.rx &= ~rx
    return 0
  }
  return setNumber(sk, option, number)
}

function membership(
  sk: Inet6Sock,
  value: OptionValue,
  change: (sk: Inet6Sock, ifindex: number, addr: Uint8Array) => number,
): number {
  if (typeof value !== 'object' || value instanceof Uint8Array || value.kind !== 'mreq6') return -Errno.EINVAL
  return change(sk, value.ifindex, value.multiaddr)
}

/** `struct in6_pktinfo`: an address and an index. */
function setPktinfo(sk: Inet6Sock, value: OptionValue): number {
  if (!(value instanceof Uint8Array) || value.length < 20) return -Errno.EINVAL
  const ifindex = new DataView(value.buffer, value.byteOffset, value.length).getInt32(16, true)
  if (!devEqualL3scope(sk, ifindex)) return -Errno.EINVAL
  sk.pinet6.stickyIfindex = ifindex
  return 0
}

function setNumber(sk: Inet6Sock, option: number, number: number): number {
  const np = sk.pinet6
  const on = number !== 0
  switch (option) {
    case IPV6_V6ONLY:
      if (sk.num !== 0) return -Errno.EINVAL
      sk.v6only = on
      return 0
    case IPV6_UNICAST_HOPS:
      if (number < -1 || number > 255) return -Errno.EINVAL
      np.hopLimit = number
      return 0
    case IPV6_MULTICAST_HOPS:
      if (sk.type === SOCK_STREAM) return -Errno.ENOPROTOOPT
      if (number < -1 || number > 255) return -Errno.EINVAL
      np.mcastHops = number === -1 ? IPV6_DEFAULT_MCASTHOPS : number
      return 0
    case IPV6_MULTICAST_LOOP:
      if (number !== 0 && number !== 1) return -Errno.EINVAL
      np.mcLoop = on
      return 0
    case IPV6_MULTICAST_ALL:
      if (number !== 0 && number !== 1) return -Errno.EINVAL
      np.mcAll = on
      return 0
    case IPV6_MULTICAST_IF:
      return setMulticastIf(sk, number)
    case IPV6_UNICAST_IF:
      return setUnicastIf(sk, number)
    case IPV6_MTU_DISCOVER:
      if (number < IPV6_PMTUDISC_DONT || number > IPV6_PMTUDISC_OMIT) return -Errno.EINVAL
      np.pmtudisc = number
      return 0
    case IPV6_MTU:
      if (on && (number < IPV6_MIN_MTU || number > 0x7fffffff)) return -Errno.EINVAL
      np.fragSize = number
      return 0
    case IPV6_RECVERR:
      np.recverr = on
      if (!on) sk.purgeErrors()
      return 0
    case IPV6_RECVERR_RFC4884:
      if (number < 0 || number > 1) return -Errno.EINVAL
      np.recverrRfc4884 = on
      return 0
    case IPV6_FLOWINFO_SEND:
      np.sndflow = on
      return 0
    case IPV6_TCLASS:
      return setTclass(sk, number)
    case IPV6_DONTFRAG:
      np.dontfrag = on
      return 0
    case IPV6_AUTOFLOWLABEL:
      np.autoflowlabel = on
      return 0
    case IPV6_ADDR_PREFERENCES:
      return setPreferences(sk, number)
    case IPV6_MINHOPCOUNT:
      if (number < 0 || number > 255) return -Errno.EINVAL
      np.minHopcount = number
      return 0
    case IPV6_TRANSPARENT:
      if (on && !sk.nsCapable) return -Errno.EPERM
      sk.transparent = on
      return 0
    case IPV6_FREEBIND:
      sk.freebind = on
      return 0
    default:
      return -Errno.ENOPROTOOPT
  }
}

function setTclass(sk: Inet6Sock, number: number): number {
  const np = sk.pinet6
  if (number < -1 || number > 0xff) return -Errno.EINVAL
  let tclass = number === -1 ? 0 : number
  if (sk.type === SOCK_STREAM) tclass = (tclass & ~INET_ECN_MASK) | (np.tclass & INET_ECN_MASK)
  if (np.tclass === tclass) return 0
  np.tclass = tclass
  sk.dstCache = null
  return 0
}

function setMulticastIf(sk: Inet6Sock, ifindex: number): number {
  if (sk.type === SOCK_STREAM) return -Errno.ENOPROTOOPT
  if (ifindex !== 0) {
    const dev = sk.net.devByIndex(ifindex)
    if (dev === undefined) return -Errno.ENODEV
    if (sk.boundDevIf !== 0 && sk.boundDevIf !== ifindex && l3mdevMasterIfindex(dev) !== sk.boundDevIf)
      return -Errno.EINVAL
  }
  sk.pinet6.mcastOif = ifindex
  return 0
}

/** The index comes in network order. */
function setUnicastIf(sk: Inet6Sock, number: number): number {
  const index =
    (((number & 0xff) << 24) | ((number & 0xff00) << 8) | ((number >> 8) & 0xff00) | ((number >> 24) & 0xff)) >>> 0
  if (index !== 0) {
    if (sk.net.devByIndex(index) === undefined) return -Errno.EADDRNOTAVAIL
    if (sk.boundDevIf !== 0) return -Errno.EINVAL
  }
  sk.pinet6.ucastOif = index
  return 0
}

/** RFC 5014 §5.1 */
function setPreferences(sk: Inet6Sock, value: number): number {
  const one = (mask: number, bits: readonly number[]): boolean => (value & mask) === 0 || bits.includes(value & mask)
  const tmp = IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC | IPV6_PREFER_SRC_PUBTMP_DEFAULT
  const home = IPV6_PREFER_SRC_HOME | IPV6_PREFER_SRC_COA
  if (!one(tmp, [IPV6_PREFER_SRC_TMP, IPV6_PREFER_SRC_PUBLIC, IPV6_PREFER_SRC_PUBTMP_DEFAULT])) return -Errno.EINVAL
  if (!one(home, [IPV6_PREFER_SRC_HOME, IPV6_PREFER_SRC_COA])) return -Errno.EINVAL
  let prefs = sk.pinet6.srcprefs
  if ((value & tmp) !== 0)
    prefs =
      (prefs & ~(IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC)) |
      (value & (IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC))
  if ((value & home) !== 0) prefs = (prefs & ~IPV6_PREFER_SRC_COA) | (value & IPV6_PREFER_SRC_COA)
  sk.pinet6.srcprefs = prefs
  return 0
}

/** @returns the route a connected socket keeps, if it still holds */
export function dstCheck6(sk: Inet6Sock): Rt6Info | null {
  const dst = sk.dstCache
  if (dst === null) return null
  if (dst.obsolete) {
    sk.dstCache = null
    return null
  }
  return dst as Rt6Info
}

function flag(on: boolean): number {
  return on ? 1 : 0
}

/** Reads an option at SOL_IPV6, or at SOL_IP (ipv6_getsockopt). */
export function ipv6Getsockopt(sk: Inet6Sock, level: number, option: number): OptionResult {
  if (level === SOL_IP && sk.type !== SOCK_RAW) return ipGetsockopt(sk, option)
  if (level !== SOL_IPV6) return { errno: Errno.ENOPROTOOPT }
  const np = sk.pinet6
  const rx = RX_OF_OPTION[option]
  if (rx !== undefined) return flag((np.rx & rx) !== 0)
  switch (option) {
    case IPV6_V6ONLY:
      return flag(sk.v6only)
    case IPV6_UNICAST_HOPS: {
      if (np.hopLimit >= 0) return np.hopLimit
      const dst = sk.dstCache
      return dst instanceof Rt6Info ? ip6DstHoplimit(dst) : sk.net.at(ipv6DevconfKey).all.data[IPV6_DEVCONF_HOP_LIMIT]!
    }
    case IPV6_MULTICAST_HOPS:
      return np.mcastHops
    case IPV6_MULTICAST_LOOP:
      return flag(np.mcLoop)
    case IPV6_MULTICAST_ALL:
      return flag(np.mcAll)
    case IPV6_MULTICAST_IF:
      return np.mcastOif
    case IPV6_UNICAST_IF:
      return np.ucastOif
    case IPV6_MTU_DISCOVER:
      return np.pmtudisc
    case IPV6_MTU: {
      const dst = sk.dstCache
      if (dst === null) return { errno: Errno.ENOTCONN }
      return dst instanceof Rt6Info ? ip6DstMtu(dst) : (dst as Rtable).mtu()
    }
    case IPV6_RECVERR:
      return flag(np.recverr)
    case IPV6_RECVERR_RFC4884:
      return flag(np.recverrRfc4884)
    case IPV6_FLOWINFO_SEND:
      return flag(np.sndflow)
    case IPV6_TCLASS:
      return np.tclass
    case IPV6_DONTFRAG:
      return flag(np.dontfrag)
    case IPV6_AUTOFLOWLABEL:
      return flag(np.autoflowlabel ?? defaultAutolabel(sk.net))
    case IPV6_ADDR_PREFERENCES:
      return preferences(np.srcprefs)
    case IPV6_MINHOPCOUNT:
      return np.minHopcount
    case IPV6_TRANSPARENT:
      return flag(sk.transparent)
    case IPV6_FREEBIND:
      return flag(sk.freebind)
    default:
      return { errno: Errno.ENOPROTOOPT }
  }
}

function preferences(srcprefs: number): number {
  const tmp = srcprefs & (IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC)
  return (
    (tmp === 0 ? IPV6_PREFER_SRC_PUBTMP_DEFAULT : tmp) |
    ((srcprefs & IPV6_PREFER_SRC_COA) !== 0 ? IPV6_PREFER_SRC_COA : IPV6_PREFER_SRC_HOME)
  )
}

/** @returns whether a protocol's sockets may be bound to a mapped IPv4 address and speak IPv4 */
export function speaksIpv4(protocol: number): boolean {
  return protocol === IPPROTO_TCP || protocol === IPPROTO_UDP || protocol === IPPROTO_UDPLITE
}
