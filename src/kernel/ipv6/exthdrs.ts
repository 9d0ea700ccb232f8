/** Extension headers of received packets (RFC 8200 §4): hop-by-hop and destination options, routing headers. */
import { IPPROTO_DSTOPTS, IPPROTO_NONE, IPPROTO_ROUTING } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import { PACKET_HOST, type SkBuff } from '../core/skbuff.ts'
import { IPV6_DEVCONF_ACCEPT_SOURCE_ROUTE, ipv6DevconfKey } from './devconf.ts'
import { ICMPV6_HDR_FIELD, ICMPV6_UNK_OPTION, icmpv6ParamProb } from './icmp_send.ts'
import type { Inet6Dev } from './if_inet6.ts'
import { get16, get32, IPV6_HLEN, IPV6_MAXPLEN, OFF_DADDR, OFF_PAYLOAD_LEN } from './ip6.ts'
import {
  IP6SKB_HOPBYHOP,
  IP6SKB_JUMBOGRAM,
  IP6SKB_RA_OTHER,
  IP6SKB_ROUTERALERT,
  IP6SKB_SRCRT,
  withNhoff,
} from './ip6cb.ts'
import { ipv6Key } from './netns_ipv6.ts'
import { inet6AddProtocol } from './protocol6.ts'
import type { Rt6Info } from './rt6_info.ts'
import { IPSTATS_MIB_INADDRERRORS, IPSTATS_MIB_INHDRERRORS, IPSTATS_MIB_INTRUNCATEDPKTS, ip6Inc } from './snmp.ts'

/** Option types. */
const TLV_PAD1 = 0
const TLV_PADN = 1
const TLV_ROUTERALERT = 5
const TLV_JUMBO = 194

/** The type of mobile nodes. */
const SRCRT_MOBILE = 2
/** Types of routing headers that need a protocol of their own to be switched on (RFC 8754, RFC 6554). */
const SRCRT_RPL = 3
const SRCRT_SEG6 = 4

/** @returns whether the header at `transportHeader` lies within the packet */
function headerFits(skb: SkBuff): boolean {
  const at = skb.transportHeader
  return at + 8 <= skb.tail && at + headerLength(skb) <= skb.tail
}

function headerLength(skb: SkBuff): number {
  return (skb.buf[skb.transportHeader + 1]! + 1) << 3
}

/**
 * Reads the options of the header at `transportHeader` (ip6_parse_tlv).
 * @param maxCount options allowed beside padding; negative: and none of unknown types
 * @returns whether the packet goes on; it is gone where it does not
 */
function parseTlv(skb: SkBuff, hopByHop: boolean, maxCount: number): boolean {
  const unknownAllowed = maxCount >= 0
  const limit = Math.abs(maxCount)
  const { buf } = skb
  const end = skb.transportHeader + headerLength(skb)
  let count = 0
  let padding = 0
  for (let at = skb.transportHeader + 2; at < end; ) {
    const type = buf[at]!
    if (type === TLV_PAD1) {
      if (++padding > 7) return bad(skb)
      at++
      continue
    }
    if (at + 2 > end) return bad(skb)
    const len = buf[at + 1]! + 2
    if (at + len > end) return bad(skb)
    if (type === TLV_PADN) {
      // padding aligns to eight bytes, so seven are the most; it must be zero (RFC 4942 §2.1.9.5)
      padding += len
      if (padding > 7) return bad(skb)
      for (let i = at + 2; i < at + len; i++) if (buf[i] !== 0) return bad(skb)
    } else {
      if (++count > limit) return bad(skb)
      padding = 0
      if (hopByHop && type === TLV_ROUTERALERT) {
        if (len !== 4) return bad(skb)
        skb.cbFlags |= IP6SKB_ROUTERALERT | (get16(buf, at + 2) === 0 ? 0 : IP6SKB_RA_OTHER)
      } else if (hopByHop && type === TLV_JUMBO) {
        if (!jumbo(skb, at)) return false
      } else if (!unknownOption(skb, at, unknownAllowed)) return false
    }
    at += len
  }
  return true
}

function bad(skb: SkBuff): false {
  skb.free('ip6_parse_tlv', 'IP_INHDR')
  return false
}

/** What an option of unknown type asks for in its two upper bits (RFC 8200 §4.2). */
function unknownOption(skb: SkBuff, at: number, allowed: boolean): boolean {
  const { buf, networkHeader: nh } = skb
  const action = buf[at]! >> 6
  if (allowed) {
    if (action === 0) return true
    if (action === 2 || (action === 3 && buf[nh + OFF_DADDR] !== 0xff)) {
      icmpv6ParamProb(skb, ICMPV6_UNK_OPTION, at - nh)
      return false
    }
  }
  skb.free('ip6_tlvopt_unknown', 'UNHANDLED_PROTO')
  return false
}

/** A jumbo payload option (RFC 2675). */
function jumbo(skb: SkBuff, at: number): boolean {
  const { buf, networkHeader: nh } = skb
  const { net } = skb.dev!
  const optoff = at - nh
  const idev = (skb.dst as Rt6Info | null)?.idev
  if (buf[at + 1] !== 4 || (optoff & 3) !== 2) {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INHDRERRORS)
    return bad(skb)
  }
  const len = get32(buf, at + 2)
  if (len <= IPV6_MAXPLEN) {
    icmpv6ParamProb(skb, ICMPV6_HDR_FIELD, optoff + 2)
    return false
  }
  if (get16(buf, nh + OFF_PAYLOAD_LEN) !== 0) {
    icmpv6ParamProb(skb, ICMPV6_HDR_FIELD, optoff)
    return false
  }
  if (len > skb.len - IPV6_HLEN) {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INTRUNCATEDPKTS)
    return bad(skb)
  }
  skb.trim(len + IPV6_HLEN)
  skb.cbFlags |= IP6SKB_JUMBOGRAM
  return true
}

/** Hop-by-hop options, read before routing (ipv6_parse_hopopts). @returns whether the packet goes on */
export function parseHopopts(skb: SkBuff): boolean {
  const ns = skb.dev!.net.at(ipv6Key)
  if (!headerFits(skb) || headerLength(skb) > ns.maxHbhLength) {
    skb.free('ipv6_parse_hopopts', 'IP_INHDR')
    return false
  }
  skb.cbFlags |= IP6SKB_HOPBYHOP
  if (!parseTlv(skb, true, ns.maxHbhOptsNumber)) return false
  skb.transportHeader += headerLength(skb)
  skb.cbFlags = withNhoff(skb.cbFlags, IPV6_HLEN)
  return true
}

/** A header was read: the next one follows, its number stands in this one. */
function advance(skb: SkBuff): 1 {
  const at = skb.transportHeader
  skb.transportHeader += headerLength(skb)
  skb.cbFlags = withNhoff(skb.cbFlags, at - skb.networkHeader)
  return 1
}

function destoptRcv(skb: SkBuff): number {
  const { net } = skb.dev!
  const ns = net.at(ipv6Key)
  const idev = (skb.dst as Rt6Info | null)?.idev
  if (!headerFits(skb) || headerLength(skb) > ns.maxDstOptsLength) {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INHDRERRORS)
    skb.free('ipv6_destopt_rcv', 'IP_INHDR')
    return -1
  }
  if (parseTlv(skb, false, ns.maxDstOptsNumber)) return advance(skb)
  ip6Inc(net, idev?.stats, IPSTATS_MIB_INHDRERRORS)
  return -1
}

/** @returns the stricter of the settings for all devices and for the one it came by */
function acceptSourceRoute(net: Net, idev: Inet6Dev | undefined): number {
  const all = net.at(ipv6DevconfKey).all.data[IPV6_DEVCONF_ACCEPT_SOURCE_ROUTE]!
  return idev === undefined ? all : Math.min(all, idev.cnf.data[IPV6_DEVCONF_ACCEPT_SOURCE_ROUTE]!)
}

function rthdrRcv(skb: SkBuff): number {
  const { net } = skb.dev!
  const { buf, networkHeader: nh, transportHeader: at } = skb
  const idev = (skb.dst as Rt6Info | null)?.idev
  if (!headerFits(skb)) {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INHDRERRORS)
    skb.free('ipv6_rthdr_rcv', 'IP_INHDR')
    return -1
  }
  if (buf[nh + OFF_DADDR] === 0xff || skb.pktType !== PACKET_HOST) {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INADDRERRORS)
    skb.free('ipv6_rthdr_rcv', 'IP_INADDRERRORS')
    return -1
  }
  const type = buf[at + 2]!
  if (type === SRCRT_SEG6 || type === SRCRT_RPL) {
    skb.free('ipv6_rthdr_rcv')
    return -1
  }
  const left = buf[at + 3]!
  if (type === SRCRT_MOBILE && (left === 0 || acceptSourceRoute(net, idev) >= 0)) {
    // only a mobile node's own home address may stand in such a header, and here is none (RFC 6275 §6.4)
    const malformed = left !== 0 && (buf[at + 1] !== 2 || left !== 1)
    ip6Inc(net, idev?.stats, malformed ? IPSTATS_MIB_INHDRERRORS : IPSTATS_MIB_INADDRERRORS)
    skb.free('ipv6_rthdr_rcv', 'IP_INADDRERRORS')
    return -1
  }
  if (left === 0) {
    skb.cbFlags |= IP6SKB_SRCRT
    return advance(skb)
  }
  // source routes of type 0 are not followed (RFC 5095), others are not known
  ip6Inc(net, idev?.stats, IPSTATS_MIB_INHDRERRORS)
  icmpv6ParamProb(skb, ICMPV6_HDR_FIELD, at + 2 - nh)
  return -1
}

function nodataRcv(skb: SkBuff): number {
  skb.free('dst_discard_out')
  return 0
}

/** Registers the headers. */
export function ipv6ExthdrsInit(): void {
  inet6AddProtocol(IPPROTO_ROUTING, { handler: rthdrRcv, final: false })
  inet6AddProtocol(IPPROTO_DSTOPTS, { handler: destoptRcv, final: false })
  inet6AddProtocol(IPPROTO_NONE, { handler: nodataRcv, final: false })
}
