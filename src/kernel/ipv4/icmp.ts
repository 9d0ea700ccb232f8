/**
 * ICMP (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3): errors about packets, answers to echo and timestamp requests, and the
 * limits on both. What comes in is in icmp_rcv.ts.
 */
import { IFF_LOOPBACK } from '../../uapi/if.ts'
import { RT_SCOPE_LINK } from '../../uapi/rtnetlink.ts'
import { IPPROTO_ICMP } from '../../uapi/socket.ts'
import { NSEC_PER_MSEC, NSEC_PER_SEC, TICK_NSEC } from '../core/clock.ts'
import { l3mdevMasterIfindex } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { pernetKey } from '../core/net_namespace.ts'
import { PACKET_HOST, type SkBuff } from '../core/skbuff.ts'
import { skbTruesize } from '../core/truesize.ts'
import { ipComputeCsum } from './checksum.ts'
import { inetSelectAddr } from './devinet_select.ts'
import { RTAX_HOPLIMIT } from './fib_metrics.ts'
import { Flowi4 } from './flow.ts'
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_HLEN, icmpIsError, NR_ICMP_TYPES } from './icmp_types.ts'
import { inetGetpeerV4 } from './inetpeer.ts'
import {
  get16,
  get32,
  IP_HLEN,
  IP_OFFSET,
  IPSKB_IGNORE_DF,
  OFF_DADDR,
  OFF_FRAG_OFF,
  OFF_ID,
  OFF_PROTOCOL,
  OFF_SADDR,
  OFF_TOS,
  OFF_TTL,
  put16,
  put32,
} from './ip.ts'
import { ipSelectIdent } from './ip_ident.ts'
import { IpOptions, ipOptionsBuild, ipOptionsEcho, skbOptions } from './ip_options.ts'
import { ipSendSkb } from './ip_output.ts'
import { inetIif } from './ip_sockglue.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { ipRouteOutputKey } from './route.ts'
import { RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST, type Rtable } from './rtable.ts'
import { ICMP_MIB_OUTMSGS, ICMP_MIB_OUTRATELIMITGLOBAL, ICMP_MIB_OUTRATELIMITHOST, icmpInc, mibKey } from './snmp.ts'

/** Bits of TOS that routes are chosen by, and the precedence of errors (RFC 1812 §4.3.2.5). */
const RT_TOS_MASK = 0x1e
const IPTOS_PREC_INTERNETCONTROL = 0xc0
/** Most bytes of an error message (RFC 1812 §4.3.2.3). */
const ERROR_SIZE = 576
/** Source of errors where this host has no address at all (RFC 7600 §4.8). */
const INADDR_DUMMY = 0xc0000008

/** The host-wide bucket of messages (icmp_msgs_per_sec, icmp_msgs_burst). */
class IcmpGlobal {
  credit = 0
  stamp = 0
}

/** Names it: every namespace has the same one. */
const globalKey = pernetKey<IcmpGlobal>('icmp_global')

/** Gives a namespace the bucket. */
export function icmpNetInit(net: Net): void {
  const { initNet } = net.kernel
  net.set(globalKey, initNet === undefined ? new IcmpGlobal() : initNet.at(globalKey))
}

/** @returns whether messages of a kind are never limited: path MTU discovery, and types outside icmp_ratemask */
function unlimited(net: Net, type: number, code: number): boolean {
  if (type > NR_ICMP_TYPES || (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED)) return true
  return (net.at(ipv4Key).icmpRatemask & (1 << type)) === 0
}

/** @returns whether the host-wide bucket has a token; it is taken by `consumeGlobal` once the message may go */
function globalAllow(net: Net): boolean {
  const bucket = net.at(globalKey)
  const { now } = net.kernel.clock
  const { icmpMsgsPerSec, icmpMsgsBurst } = net.kernel.initNet.at(ipv4Key)
  const delta = Math.min(now - bucket.stamp, NSEC_PER_SEC)
  if (delta < NSEC_PER_SEC / 50) return bucket.credit > 0
  const more = Math.floor((icmpMsgsPerSec * delta) / NSEC_PER_SEC)
  if (more > 0) {
    bucket.stamp = now
    bucket.credit = Math.min(bucket.credit + more, icmpMsgsBurst)
  }
  return bucket.credit > 0
}

/** Takes a token on average, at random none or two, so that nobody can count our messages. */
function consumeGlobal(net: Net): void {
  const bucket = net.at(globalKey)
  bucket.credit = Math.max(bucket.credit - net.kernel.random.below(3), 0)
}

/** @returns whether the destination's own bucket allows a message (icmp_ratelimit); none over the loopback */
function xrlimAllow(net: Net, rt: Rtable, daddr: number): boolean {
  if ((rt.dev.flags & IFF_LOOPBACK) !== 0) return true
  const peer = inetGetpeerV4(net, daddr, l3mdevMasterIfindex(rt.dev))
  const limit = Math.ceil((net.at(ipv4Key).icmpRatelimit * NSEC_PER_MSEC) / TICK_NSEC) * TICK_NSEC
  if (peer.xrlimAllow(net.kernel.clock.now, limit)) return true
  icmpInc(net, ICMP_MIB_OUTRATELIMITHOST)
  return false
}

/** Counts a message that is sent (icmp_out_count). */
export function icmpOutCount(net: Net, type: number): void {
  const mibs = net.at(mibKey)
  mibs.icmp[ICMP_MIB_OUTMSGS]!++
  mibs.icmpMsg[256 + type]!++
}

/** The mark of an answer (IP4_REPLY_MARK): the packet's, where fwmark_reflect is on. */
export function ip4ReplyMark(net: Net, mark: number): number {
  return net.at(ipv4Key).fwmarkReflect !== 0 ? mark : 0
}

const errorFlow = new Flowi4()
const replyFlow = new Flowi4()

/** @returns whether an error may be sent about a packet at all (RFC 1122 §3.2.2, RFC 1812 §4.3.2.7) */
function answerable(skb: SkBuff, type: number): boolean {
  const rt = skb.dst as Rtable | null
  if (rt === null) return false
  const { buf, networkHeader: iph, tail } = skb
  if (iph < 0 || iph + IP_HLEN > tail) return false
  if (skb.pktType !== PACKET_HOST) return false
  if ((rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0) return false
  if ((get16(buf, iph + OFF_FRAG_OFF) & IP_OFFSET) !== 0) return false
  if (!icmpIsError(type) || buf[iph + OFF_PROTOCOL] !== IPPROTO_ICMP) return true
  const inner = iph + (buf[iph]! & 15) * 4
  return inner < tail && !icmpIsError(buf[inner]!)
}

/**
 * Sends an ICMP error about a packet to its sender (icmp_send). The packet stays the caller's; it carries its route.
 * @param info the second word of the message, host order: MTU, gateway or pointer
 */
export function icmpSend(skb: SkBuff, type: number, code: number, info: number): void {
  icmpSendOpt(skb, type, code, info, skbOptions(skb))
}

/** The same with the packet's options given (__icmp_send), for layers in which the packet does not carry them. */
export function icmpSendOpt(skb: SkBuff, type: number, code: number, info: number, opt: IpOptions | null): void {
  if (!answerable(skb, type)) return
  const rtIn = skb.dst as Rtable
  const { dev } = skb
  const { net } = rtIn.dev
  const { buf, networkHeader: iph } = skb
  const limited = !unlimited(net, type, code)
  const loopback = dev !== null && (dev.flags & IFF_LOOPBACK) !== 0
  if (limited && !loopback && !globalAllow(net)) {
    icmpInc(net, ICMP_MIB_OUTRATELIMITGLOBAL)
    return
  }
  const from = get32(buf, iph + OFF_SADDR)
  let saddr = get32(buf, iph + OFF_DADDR)
  if ((rtIn.rtFlags & RTCF_LOCAL) === 0) saddr = errorSource(net, skb, rtIn, from)
  const inTos = buf[iph + OFF_TOS]!
  const tos = icmpIsError(type) ? (inTos & RT_TOS_MASK) | IPTOS_PREC_INTERNETCONTROL : inTos
  const echo = opt === null || opt.optlen === 0 ? null : new IpOptions()
  if (echo !== null && ipOptionsEcho(net, echo, skb, opt) < 0) return

  const fl4 = errorFlow.clear()
  fl4.daddr = echo !== null && echo.srr !== 0 ? echo.faddr : from
  fl4.saddr = saddr
  fl4.mark = ip4ReplyMark(net, skb.mark)
  fl4.tos = tos & RT_TOS_MASK
  fl4.proto = IPPROTO_ICMP
  fl4.icmpType = type
  fl4.icmpCode = code
  fl4.oif = l3mdevMasterIfindex(rtIn.isInput || dev === null ? (dev ?? rtIn.dev) : rtIn.dev)
  const rt = ipRouteOutputKey(net, fl4)
  if (typeof rt === 'number') return
  if (limited && !xrlimAllow(net, rt, fl4.daddr)) return
  if (limited && !loopback) consumeGlobal(net)

  const optlen = echo?.optlen ?? 0
  const room = Math.min(rt.mtu(), ERROR_SIZE) - IP_HLEN - optlen - ICMP_HLEN
  if (room <= IP_HLEN) return
  const length = Math.min(skb.tail - iph, room)
  const reply = allocReply(net, rt, fl4.saddr || INADDR_DUMMY, fl4.daddr, tos, fl4.mark, echo, ICMP_HLEN + length, from)
  const at = reply.transportHeader
  const out = reply.buf
  out[at] = type
  out[at + 1] = code
  put32(out, at + 4, info)
  out.set(buf.subarray(iph, iph + length), at + ICMP_HLEN)
  push(net, reply)
}

/** The address an error comes from where the packet was not for this host: by the route, or of the device it came in by. */
function errorSource(net: Net, skb: SkBuff, rtIn: Rtable, from: number): number {
  if (!rtIn.isInput || net.at(ipv4Key).icmpErrorsUseInboundIfaddr === 0) return 0
  const dev: NetDevice | undefined = net.devByIndex(inetIif(skb))
  return dev === undefined ? 0 : inetSelectAddr(dev, from, RT_SCOPE_LINK)
}

/** Makes an ICMP packet with its IPv4 header; the message of `length` bytes is still to be written. */
function allocReply(
  net: Net,
  rt: Rtable,
  saddr: number,
  daddr: number,
  tos: number,
  mark: number,
  opt: IpOptions | null,
  length: number,
  finalDaddr: number,
): SkBuff {
  const reserved = rt.dev.llReserved
  const hlen = IP_HLEN + (opt?.optlen ?? 0)
  const skb = net.kernel.skbs.alloc(reserved + hlen + length)
  skb.truesize = skbTruesize(reserved + 15 + hlen + length)
  skb.reserve(reserved)
  const at = skb.put(hlen + length)
  const { buf } = skb
  skb.networkHeader = at
  skb.transportHeader = at + hlen
  skb.dst = rt
  skb.mark = mark
  skb.cbFlags = IPSKB_IGNORE_DF
  buf[at] = 0x40 | (hlen >> 2)
  buf[at + OFF_TOS] = tos
  put16(buf, at + OFF_ID, ipSelectIdent(net, saddr, daddr, IPPROTO_ICMP))
  put16(buf, at + OFF_FRAG_OFF, 0)
  buf[at + OFF_TTL] = rt.metric(RTAX_HOPLIMIT)
  buf[at + OFF_PROTOCOL] = IPPROTO_ICMP
  put32(buf, at + OFF_SADDR, saddr)
  put32(buf, at + OFF_DADDR, daddr)
  if (opt !== null) ipOptionsBuild(skb, opt, finalDaddr, rt)
  return skb
}

/** Stores the checksum, counts, sends (icmp_push_reply). */
function push(net: Net, skb: SkBuff): void {
  const at = skb.transportHeader
  put16(skb.buf, at + 2, 0)
  put16(skb.buf, at + 2, ipComputeCsum(skb.buf, at, skb.tail - at))
  icmpOutCount(net, skb.buf[at]!)
  ipSendSkb(skb)
}

/**
 * Answers a message (icmp_reply). The request stays the caller's.
 * @param source where an answer comes from (fib_compute_spec_dst)
 * @param message the answer without its checksum; its bytes are copied
 */
export function icmpReply(
  skb: SkBuff,
  source: number,
  type: number,
  message: (buf: Uint8Array, at: number) => void,
  length: number,
): void {
  const { net } = (skb.dst as Rtable).dev
  const { buf, networkHeader: iph } = skb
  const opt = skbOptions(skb)
  const echo = opt === null || opt.optlen === 0 ? null : new IpOptions()
  if (echo !== null && ipOptionsEcho(net, echo, skb, opt) < 0) return
  const limited = !unlimited(net, type, 0)
  if (limited && !globalAllow(net)) {
    icmpInc(net, ICMP_MIB_OUTRATELIMITGLOBAL)
    return
  }
  const from = get32(buf, iph + OFF_SADDR)
  const tos = buf[iph + OFF_TOS]!
  const fl4 = replyFlow.clear()
  fl4.daddr = echo !== null && echo.srr !== 0 ? echo.faddr : from
  fl4.saddr = source
  fl4.mark = ip4ReplyMark(net, skb.mark)
  fl4.tos = tos & RT_TOS_MASK
  fl4.proto = IPPROTO_ICMP
  fl4.oif = l3mdevMasterIfindex(skb.dev!)
  const rt = ipRouteOutputKey(net, fl4)
  if (typeof rt === 'number') return
  if (limited && !xrlimAllow(net, rt, fl4.daddr)) return
  if (limited) consumeGlobal(net)
  const reply = allocReply(net, rt, fl4.saddr, fl4.daddr, tos, fl4.mark, echo, length, from)
  message(reply.buf, reply.transportHeader)
  push(net, reply)
}
