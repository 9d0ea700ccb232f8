/** Receiving ICMPv6 (RFC 4443): echo, errors for the protocols and sockets they are about, and what ND and MLD handle. */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOOPBACK } from '../../uapi/if.ts'
import { IPPROTO_ICMPV6 } from '../../uapi/socket.ts'
import type { DropReason } from '../core/dropreason.ts'
import { CHECKSUM_UNNECESSARY, type SkBuff } from '../core/skbuff.ts'
import { csumFold, csumPartial, csumPseudo } from './checksum.ts'
import { Flowi6 } from './flowi6.ts'
import { ICMP_HLEN, icmp6MakeSkb } from './icmp_build.ts'
import {
  anycastDestination,
  ICMPV6_DEST_UNREACH,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_INFOMSG_MASK,
  ICMPV6_PARAMPROB,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_TIME_EXCEED,
  icmp6Iif,
  icmpv6GlobalAllow,
  icmpv6XrlimAllow,
} from './icmp_send.ts'
import { in6Dev } from './if_inet6.ts'
import {
  flowinfoAt,
  get32,
  IPV6_HLEN,
  isExtHdr,
  OFF_DADDR,
  OFF_NEXTHDR,
  OFF_SADDR,
  put16,
  skipExtHdrs,
  tclassAt,
} from './ip6.ts'
import { RTF_LOCAL } from './ip6_fib.ts'
import { ip6DstLookup } from './ip6_lookup.ts'
import { ip6DstHoplimit, ip6LocalOut } from './ip6_output.ts'
import { ICMPV6_MGM_QUERY, ICMPV6_MGM_REPORT, mldQuery, mldReport } from './mld.ts'
import { ndiscRcv } from './ndisc.ts'
import {
  NDISC_NEIGHBOUR_ADVERTISEMENT,
  NDISC_NEIGHBOUR_SOLICITATION,
  NDISC_REDIRECT,
  NDISC_ROUTER_ADVERTISEMENT,
  NDISC_ROUTER_SOLICITATION,
} from './ndisc_msg.ts'
import { ip6Redirect } from './ndisc_redirect.ts'
import { ipv6Key } from './netns_ipv6.ts'
import { pingErr6, pingRcv6 } from './ping.ts'
import { inet6AddProtocol, inet6Protocol } from './protocol6.ts'
import { raw6IcmpError } from './raw_deliver.ts'
import { ip6RouteOutput, ip6UpdatePmtu } from './route.ts'
import type { Rt6Info } from './rt6_info.ts'
import { ICMP6_MIB_CSUMERRORS, ICMP6_MIB_INERRORS, ICMP6_MIB_INMSGS, icmp6CountInType, icmp6Inc } from './snmp.ts'

/** net.ipv6.flowlabel_reflect: echo replies carry the request's label. */
const FLOWLABEL_REFLECT_ECHO = 4

const replyFl6 = new Flowi6()

/** Answers an echo request (icmpv6_echo_reply). */
function echoReply(skb: SkBuff): DropReason | undefined {
  const dev = skb.dev!
  const { net } = dev
  const ns = net.at(ipv6Key)
  const { buf, networkHeader: nh, transportHeader: at } = skb
  if (buf[nh + OFF_DADDR] === 0xff && ns.icmpEchoIgnoreMulticast !== 0) return 'NOT_SPECIFIED'
  const daddr = buf.slice(nh + OFF_DADDR, nh + OFF_DADDR + 16)
  const rt = skb.dst as Rt6Info
  const anycast = anycastDestination(rt, daddr)
  if (anycast && ns.icmpEchoIgnoreAnycast !== 0) return 'NOT_SPECIFIED'
  const fl6 = replyFl6.clear()
  if ((rt.rtFlags & RTF_LOCAL) !== 0 || (anycast && ns.anycastSrcEchoReply !== 0)) fl6.saddr.set(daddr)
  if ((ns.flowlabelReflect & FLOWLABEL_REFLECT_ECHO) !== 0) fl6.flowlabel = flowinfoAt(buf, nh) & 0xfffff
  fl6.proto = IPPROTO_ICMPV6
  fl6.daddr.set(buf.subarray(nh + OFF_SADDR, nh + OFF_SADDR + 16))
  fl6.oif = icmp6Iif(skb)
  fl6.sport = ICMPV6_ECHO_REPLY
  fl6.mark = ns.fwmarkReflect !== 0 ? skb.mark : 0
  const label = fl6.flowlabel
  const dst = ip6DstLookup(net, undefined, fl6)
  if (typeof dst === 'number') return 'NOT_SPECIFIED'
  const allowed =
    ((dev.flags & IFF_LOOPBACK) !== 0 || icmpv6GlobalAllow(net, ICMPV6_ECHO_REPLY)) &&
    icmpv6XrlimAllow(net, ICMPV6_ECHO_REPLY, fl6)
  if (!allowed) return 'NOT_SPECIFIED'
  fl6.flowlabel = label
  const len = skb.tail - at
  const out = icmp6MakeSkb(net, dst, fl6, ip6DstHoplimit(dst), tclassAt(buf, nh), len)
  if (out === undefined) return 'NOT_SPECIFIED'
  const to = out.transportHeader
  out.buf.set(buf.subarray(at, skb.tail), to)
  out.buf[to] = ICMPV6_ECHO_REPLY
  put16(out.buf, to + 2, 0)
  const sum = csumPseudo(out.buf, out.networkHeader + OFF_SADDR, IPPROTO_ICMPV6, len)
  put16(out.buf, to + 2, csumFold(csumPartial(out.buf, to, len, sum)))
  ip6LocalOut(net, out)
  return undefined
}

/**
 * Gives an error to the protocol and the raw sockets it is about (icmpv6_notify). `skb.data` stands at the header of
 * the packet that caused it.
 */
export function icmpv6Notify(skb: SkBuff, type: number, code: number, info: number): DropReason | undefined {
  const dev = skb.dev!
  const { buf, data, tail } = skb
  const fail = (): DropReason => {
    icmp6Inc(dev.net, in6Dev(dev)?.stats, ICMP6_MIB_INERRORS)
    return 'PKT_TOO_SMALL'
  }
  if (data + IPV6_HLEN > tail) return fail()
  let nexthdr = buf[data + OFF_NEXTHDR]!
  let offset = IPV6_HLEN
  if (isExtHdr(nexthdr)) {
    const found = skipExtHdrs(buf, data + IPV6_HLEN, tail, nexthdr)
    if (found.offset < 0) return fail()
    nexthdr = found.nexthdr
    offset = found.offset - data
  }
  if (data + offset + 8 > tail) return fail()
  inet6Protocol(nexthdr)?.errHandler?.(skb, type, code, offset, info)
  raw6IcmpError(skb, nexthdr, type, code, offset, info)
  return undefined
}

/** An ICMPv6 message has come in (icmpv6_rcv). */
function icmpv6Rcv(skb: SkBuff): number {
  const dev = skb.dev!
  const { net } = dev
  const stats = in6Dev(dev)?.stats
  const { buf, networkHeader: nh, transportHeader: at, tail } = skb
  icmp6Inc(net, stats, ICMP6_MIB_INMSGS)
  const len = tail - at
  if (skb.ipSummed !== CHECKSUM_UNNECESSARY) {
    const sum = csumPseudo(buf, nh + OFF_SADDR, IPPROTO_ICMPV6, len)
    if (csumFold(csumPartial(buf, at, len, sum)) !== 0) {
      icmp6Inc(net, stats, ICMP6_MIB_CSUMERRORS)
      icmp6Inc(net, stats, ICMP6_MIB_INERRORS)
      skb.free('icmpv6_rcv', 'ICMP_CSUM')
      return 0
    }
  }
  if (len < ICMP_HLEN) {
    icmp6Inc(net, stats, ICMP6_MIB_INERRORS)
    skb.free('icmpv6_rcv', 'NOT_SPECIFIED')
    return 0
  }
  const type = buf[at]!
  icmp6CountInType(net, stats, type)
  const reason = dispatch(skb, type)
  if (reason === 'gone') return 0
  if (reason === undefined) skb.consume()
  else skb.free('icmpv6_rcv', reason)
  return 0
}

function dispatch(skb: SkBuff, type: number): DropReason | undefined | 'gone' {
  const { buf, transportHeader: at } = skb
  switch (type) {
    case ICMPV6_ECHO_REQUEST:
      return skb.dev!.net.at(ipv6Key).icmpEchoIgnoreAll !== 0 ? 'NOT_SPECIFIED' : echoReply(skb)
    case ICMPV6_ECHO_REPLY:
      return pingRcv6(skb)
    case ICMPV6_DEST_UNREACH:
    case ICMPV6_PKT_TOOBIG:
    case ICMPV6_TIME_EXCEED:
    case ICMPV6_PARAMPROB:
      skb.data = at + ICMP_HLEN
      return icmpv6Notify(skb, type, buf[at + 1]!, get32(buf, at + 4))
    case NDISC_ROUTER_SOLICITATION:
    case NDISC_ROUTER_ADVERTISEMENT:
    case NDISC_NEIGHBOUR_SOLICITATION:
    case NDISC_NEIGHBOUR_ADVERTISEMENT:
    case NDISC_REDIRECT:
      return ndiscRcv(skb)
    case ICMPV6_MGM_QUERY:
      mldQuery(skb)
      return 'gone'
    case ICMPV6_MGM_REPORT:
      mldReport(skb)
      return undefined
    default:
      if ((type & ICMPV6_INFOMSG_MASK) !== 0) return 'NOT_SPECIFIED'
      // an error of unknown type still concerns the upper layer
      skb.data = at + ICMP_HLEN
      return icmpv6Notify(skb, type, buf[at + 1]!, get32(buf, at + 4))
  }
}

const pmtuFl6 = new Flowi6()

/** A packet of ours was too big for the path: `skb.data` stands at its header (ip6_update_pmtu). @param oif 0 for any */
export function ip6UpdatePmtuFor(skb: SkBuff, mtu: number, oif: number): void {
  const { net } = skb.dev!
  const { buf, data } = skb
  if (skb.len < IPV6_HLEN) return
  const fl6 = pmtuFl6.clear()
  fl6.oif = oif
  fl6.mark = net.at(ipv6Key).fwmarkReflect !== 0 ? skb.mark : 0
  fl6.daddr.set(buf.subarray(data + OFF_DADDR, data + OFF_DADDR + 16))
  fl6.saddr.set(buf.subarray(data + OFF_SADDR, data + OFF_SADDR + 16))
  fl6.flowlabel = flowinfoAt(buf, data)
  const dst = ip6RouteOutput(net, 0, fl6)
  if (dst.error === 0) ip6UpdatePmtu(dst, fl6.daddr, fl6.saddr, mtu)
}

/** An error about one of our ICMPv6 messages (icmpv6_err). */
function icmpv6Err(skb: SkBuff, type: number, code: number, offset: number, info: number): void {
  if (type === ICMPV6_PKT_TOOBIG) ip6UpdatePmtuFor(skb, info, skb.dev!.ifindex)
  else if (type === NDISC_REDIRECT) ip6Redirect(skb)
  if ((type & ICMPV6_INFOMSG_MASK) === 0 && skb.buf[skb.data + offset] === ICMPV6_ECHO_REQUEST)
    pingErr6(skb, type, code, offset, info)
}

/** Errors of destination unreachable by code, and whether they end a connection. */
const UNREACH: readonly (readonly [errno: number, fatal: boolean])[] = [
  [Errno.ENETUNREACH, false], // no route
  [Errno.EACCES, true], // administratively prohibited
  [Errno.EHOSTUNREACH, false], // beyond scope
  [Errno.EHOSTUNREACH, false], // address
  [Errno.ECONNREFUSED, true], // port
  [Errno.EACCES, true], // policy
  [Errno.EACCES, true], // reject route
]

/** @returns the error number a socket sees for an ICMPv6 error, and whether it is a hard one (icmpv6_err_convert) */
export function icmpv6ErrConvert(type: number, code: number): { errno: number; hard: boolean } {
  switch (type) {
    case ICMPV6_DEST_UNREACH: {
      const entry = UNREACH[code]
      return entry === undefined ? { errno: Errno.EPROTO, hard: true } : { errno: entry[0], hard: entry[1] }
    }
    case ICMPV6_PKT_TOOBIG:
      return { errno: Errno.EMSGSIZE, hard: false }
    case ICMPV6_PARAMPROB:
      return { errno: Errno.EPROTO, hard: true }
    case ICMPV6_TIME_EXCEED:
      return { errno: Errno.EHOSTUNREACH, hard: false }
    default:
      return { errno: Errno.EPROTO, hard: false }
  }
}

/** Registers ICMPv6. */
export function icmpv6Init(): void {
  inet6AddProtocol(IPPROTO_ICMPV6, { handler: icmpv6Rcv, errHandler: icmpv6Err, final: true })
}
