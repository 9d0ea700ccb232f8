/** Sending ICMPv6 errors (RFC 4443 §2.4): when one may be sent, from which address, how often. */
import { IFF_LOOPBACK } from '../../uapi/if.ts'
import { IPPROTO_ICMPV6 } from '../../uapi/socket.ts'
import { NSEC_PER_MSEC } from '../core/clock.ts'
import { l3mdevMasterIfindex } from '../core/l3mdev.ts'
import type { Net } from '../core/net_namespace.ts'
import { PACKET_HOST, type SkBuff } from '../core/skbuff.ts'
import {
  addrEqual,
  addrPrefix,
  addrTypeAt,
  type In6Addr,
  IPV6_ADDR_ANY,
  IPV6_ADDR_MULTICAST,
  needsScopeId,
} from './addr.ts'
import { ipv6ChkAcastAddrSrc } from './anycast.ts'
import { csumFold, csumPartial, csumPseudo } from './checksum.ts'
import { Flowi6 } from './flowi6.ts'
import { ICMP_HLEN, icmp6MakeSkb } from './icmp_build.ts'
import { in6Dev } from './if_inet6.ts'
import { ipv6ChkAddr } from './inet6_addr.ts'
import { peerOf } from './inetpeer6.ts'
import { IPV6_HLEN, IPV6_MIN_MTU, OFF_DADDR, OFF_NEXTHDR, OFF_SADDR, put16, put32, skipExtHdrs } from './ip6.ts'
import { RTF_ANYCAST, RTF_GATEWAY, RTF_NONEXTHOP } from './ip6_fib.ts'
import { ip6DstLookup } from './ip6_lookup.ts'
import { ip6DstHoplimit, ip6LocalOut } from './ip6_output.ts'
import { IP6SKB_L3SLAVE } from './ip6cb.ts'
import { ipv6Key } from './netns_ipv6.ts'
import { ip6RouteOutput } from './route.ts'
import { rt6MultipathHash } from './route_hash.ts'
import type { Rt6Info } from './rt6_info.ts'
import { ipv6DevGetSaddr } from './saddr.ts'
import { ICMP6_MIB_OUTERRORS, ICMP6_MIB_RATELIMITHOST, IPSTATS_MIB_OUTNOROUTES, icmp6Inc, ip6Inc } from './snmp.ts'

export const ICMPV6_DEST_UNREACH = 1
export const ICMPV6_PKT_TOOBIG = 2
export const ICMPV6_TIME_EXCEED = 3
export const ICMPV6_PARAMPROB = 4
export const ICMPV6_ECHO_REQUEST = 128
export const ICMPV6_ECHO_REPLY = 129
/** types from here on are informational */
export const ICMPV6_INFOMSG_MASK = 0x80

/** Codes of destination unreachable. */
export const ICMPV6_NOROUTE = 0
export const ICMPV6_ADM_PROHIBITED = 1
export const ICMPV6_NOT_NEIGHBOUR = 2
export const ICMPV6_ADDR_UNREACH = 3
export const ICMPV6_PORT_UNREACH = 4
export const ICMPV6_POLICY_FAIL = 5
export const ICMPV6_REJECT_ROUTE = 6

/** Codes of time exceeded. */
export const ICMPV6_EXC_HOPLIMIT = 0
export const ICMPV6_EXC_FRAGTIME = 1

/** Codes of parameter problem. */
export const ICMPV6_HDR_FIELD = 0
export const ICMPV6_UNK_NEXTHDR = 1
export const ICMPV6_UNK_OPTION = 2
export const ICMPV6_HDR_INCOMP = 3

/** @returns whether a packet is an ICMPv6 error, or may be one: errors answer no errors (RFC 4443 §2.4 e) */
function isIneligible(skb: SkBuff): boolean {
  const { buf, networkHeader: nh, tail } = skb
  const at = nh + IPV6_HLEN
  if (at > tail) return true
  const { nexthdr, offset, fragOff } = skipExtHdrs(buf, at, tail, buf[nh + OFF_NEXTHDR]!)
  if (offset < 0 || nexthdr !== IPPROTO_ICMPV6) return false
  if (offset >= tail) return fragOff === 0
  return (buf[offset]! & ICMPV6_INFOMSG_MASK) === 0
}

/** @returns whether the option a parameter problem points at asks for an answer even to multicast */
function optUnrec(skb: SkBuff, pointer: number): boolean {
  const at = skb.networkHeader + pointer
  return at < skb.tail && (skb.buf[at]! & 0xc0) === 0x80
}

/** @returns whether messages of a type are limited at all (net.ipv6.icmp.ratemask) */
function limited(net: Net, type: number): boolean {
  return net.at(ipv6Key).icmpRatemask[type & 0xff] !== 0
}

/** What the whole machine may send of limited messages: 1000 a second, 50 at once (icmp_global_allow). */
const global = new WeakMap<object, { credit: number; stamp: number }>()

/** @returns whether the machine's limit allows one more message (icmpv6_global_allow) */
export function icmpv6GlobalAllow(net: Net, type: number): boolean {
  if (!limited(net, type)) return true
  const { kernel } = net
  let state = global.get(kernel)
  if (state === undefined) {
    state = { credit: 50, stamp: kernel.clock.now }
    global.set(kernel, state)
  }
  const { now } = kernel.clock
  state.credit = Math.min(50, state.credit + (now - state.stamp) / NSEC_PER_MSEC)
  state.stamp = now
  if (state.credit < 1) return false
  state.credit--
  return true
}

const limitFl6 = new Flowi6()

/** @returns whether a peer's limit allows one more message: wider prefixes get more (icmpv6_xrlim_allow) */
export function icmpv6XrlimAllow(net: Net, type: number, fl6: Flowi6): boolean {
  if (!limited(net, type)) return true
  const look = limitFl6.clear()
  look.oif = fl6.oif
  look.mark = fl6.mark
  look.proto = fl6.proto
  look.daddr.set(fl6.daddr)
  look.saddr.set(fl6.saddr)
  const dst = ip6RouteOutput(net, 0, look)
  let allowed = false
  if (dst.error !== 0) ip6Inc(net, dst.idev?.stats, IPSTATS_MIB_OUTNOROUTES)
  else if ((dst.dev.flags & IFF_LOOPBACK) !== 0) allowed = true
  else {
    let interval = net.at(ipv6Key).icmpRatelimit * NSEC_PER_MSEC
    if (dst.dstLen < 128) interval /= 2 ** ((128 - dst.dstLen) >> 5)
    allowed = peerOf(net, fl6.daddr).allow(interval)
  }
  if (!allowed) icmp6Inc(net, dst.idev?.stats, ICMP6_MIB_RATELIMITHOST)
  return allowed
}

/** @returns whether a route leads to an anycast address of a neighbour: it must not be answered with an error */
export function anycastDestination(rt: Rt6Info, daddr: In6Addr): boolean {
  if ((rt.rtFlags & RTF_ANYCAST) !== 0) return true
  return (
    rt.dstLen < 127 &&
    (rt.rtFlags & (RTF_GATEWAY | RTF_NONEXTHOP)) === 0 &&
    addrEqual(addrPrefix(rt.dst, rt.dstLen), daddr)
  )
}

/** @returns the index of the device an error belongs to: the L3 slave it really came by (icmp6_iif) */
export function icmp6Iif(skb: SkBuff): number {
  const dev = skb.dev!
  if ((dev.flags & IFF_LOOPBACK) !== 0 || (skb.cbFlags & IP6SKB_L3SLAVE) !== 0) {
    const rt = skb.dst as Rt6Info | null
    // a packet to an own link-local address came by the device that has it
    if (rt?.idev !== undefined) return rt.idev.dev.ifindex
  }
  return dev.ifindex
}

const sendFl6 = new Flowi6()
let busy = false

/**
 * Answers a packet with an error (icmp6_send). The packet stays the caller's; its `data` may stand anywhere.
 * @param info the second word of the message: MTU or pointer @param forceSaddr from this address
 */
export function icmpv6Send(skb: SkBuff, type: number, code: number, info: number, forceSaddr?: In6Addr): void {
  const { buf, networkHeader: nh } = skb
  const dev = skb.dev
  // an error that fails to be sent must not lead to another
  if (busy || dev === null || nh < 0 || nh + IPV6_HLEN > skb.tail) return
  const { net } = dev
  const daddr = buf.slice(nh + OFF_DADDR, nh + OFF_DADDR + 16)
  const sender = buf.slice(nh + OFF_SADDR, nh + OFF_SADDR + 16)
  let saddr = ipv6ChkAddr(net, daddr, dev, false) || ipv6ChkAcastAddrSrc(net, dev, daddr) ? daddr : undefined
  if ((addrTypeAt(daddr, 0) & IPV6_ADDR_MULTICAST) !== 0 || skb.pktType !== PACKET_HOST) {
    const answered =
      type === ICMPV6_PKT_TOOBIG || (type === ICMPV6_PARAMPROB && code === ICMPV6_UNK_OPTION && optUnrec(skb, info))
    if (!answered) return
    saddr = undefined
  }
  const senderType = addrTypeAt(sender, 0)
  if (senderType === IPV6_ADDR_ANY || (senderType & IPV6_ADDR_MULTICAST) !== 0 || isIneligible(skb)) return
  if ((dev.flags & IFF_LOOPBACK) === 0 && !icmpv6GlobalAllow(net, type)) return
  const fl6 = sendFl6.clear()
  fl6.proto = IPPROTO_ICMPV6
  fl6.daddr.set(sender)
  fl6.oif = needsScopeId(senderType) ? icmp6Iif(skb) : l3mdevMasterIfindex(dev)
  fl6.mark = net.at(ipv6Key).fwmarkReflect !== 0 ? skb.mark : 0
  fl6.sport = type
  fl6.dport = code
  const from = forceSaddr ?? saddr
  if (from !== undefined) fl6.saddr.set(from)
  else chooseSource(net, skb, type, fl6)
  fl6.mpHash = rt6MultipathHash(net, fl6, skb)
  busy = true
  try {
    transmit(net, skb, type, code, info, fl6)
  } finally {
    busy = false
  }
}

/** Without an own address in the packet, the one of the device it came by is more telling than the outgoing one's. */
function chooseSource(net: Net, skb: SkBuff, type: number, fl6: Flowi6): void {
  const dst = ip6RouteOutput(net, 0, fl6)
  if (dst.error === 0 && dst.from?.prefsrc !== undefined && limited(net, type)) return
  const arrival = net.devByIndex(skb.cbIif)
  if (arrival !== undefined) ipv6DevGetSaddr(net, arrival, fl6.daddr, 0, fl6.saddr)
}

function transmit(net: Net, skb: SkBuff, type: number, code: number, info: number, fl6: Flowi6): void {
  if (!icmpv6XrlimAllow(net, type, fl6)) return
  const dst = ip6DstLookup(net, undefined, fl6)
  if (typeof dst === 'number' || anycastDestination(dst, fl6.daddr)) return
  const { buf, networkHeader: nh } = skb
  const len = Math.min(skb.tail - nh, IPV6_MIN_MTU - IPV6_HLEN - ICMP_HLEN)
  const idev = in6Dev(skb.dev!)
  const out = icmp6MakeSkb(net, dst, fl6, ip6DstHoplimit(dst), 0, ICMP_HLEN + len)
  if (out === undefined) {
    icmp6Inc(net, idev?.stats, ICMP6_MIB_OUTERRORS)
    return
  }
  const at = out.transportHeader
  out.buf[at] = type
  out.buf[at + 1] = code
  put16(out.buf, at + 2, 0)
  put32(out.buf, at + 4, info)
  out.buf.set(buf.subarray(nh, nh + len), at + ICMP_HLEN)
  const sum = csumPseudo(out.buf, out.networkHeader + OFF_SADDR, IPPROTO_ICMPV6, ICMP_HLEN + len)
  put16(out.buf, at + 2, csumFold(csumPartial(out.buf, at, ICMP_HLEN + len, sum)))
  ip6LocalOut(net, out)
}

/** Answers with a parameter problem and drops the packet (icmpv6_param_prob). @param pointer from the IPv6 header */
export function icmpv6ParamProb(skb: SkBuff, code: number, pointer: number): void {
  icmpv6Send(skb, ICMPV6_PARAMPROB, code, pointer)
  skb.free('icmpv6_param_prob', 'IP_INHDR')
}
