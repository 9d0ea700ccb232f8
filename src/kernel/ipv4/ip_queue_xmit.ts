/** Sending the segments of connections: the route is the socket's, the payload is there already (ip_queue_xmit). */
import { Errno } from '../../uapi/errno.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { Flowi4 } from './flow.ts'
import { flowInit, RTO_ONLINK } from './inet_bind.ts'
import type { InetSock } from './inet_sock.ts'
import {
  IP_DF,
  IP_HLEN,
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
import { ipSelectTtl, selectIdent } from './ip_make_skb.ts'
import { type IpOptions, ipOptionsBuild } from './ip_options.ts'
import { ipLocalOut } from './ip_output.ts'
import { ipRouteOutputKey } from './route.ts'
import { IPV4_MIN_MTU, type Rtable } from './rtable.ts'
import { IPSTATS_MIB_OUTNOROUTES, ipInc } from './snmp.ts'

const flow = new Flowi4()

/** Puts an IPv4 header in front of a segment; `data` is at the transport header. */
function pushHeader(
  sk: InetSock,
  skb: SkBuff,
  rt: Rtable,
  saddr: number,
  daddr: number,
  tos: number,
  df: boolean,
  opt: IpOptions | null,
): number {
  const hlen = IP_HLEN + (opt?.optlen ?? 0)
  skb.transportHeader = skb.data
  const at = skb.push(hlen)
  skb.networkHeader = at
  skb.dst = rt
  const { buf } = skb
  buf[at] = 0x40 | (hlen >> 2)
  buf[at + OFF_TOS] = tos
  put16(buf, at + OFF_FRAG_OFF, df ? IP_DF : 0)
  buf[at + OFF_TTL] = ipSelectTtl(sk, rt)
  buf[at + OFF_PROTOCOL] = sk.protocol
  put32(buf, at + OFF_SADDR, saddr)
  put32(buf, at + OFF_DADDR, daddr)
  return at
}

/** The route of a connected socket: the cached one, or looked up anew. @returns -EHOSTUNREACH where there is none */
function connectedRoute(sk: InetSock, tos: number): Rtable | number {
  const cached = sk.dstCheck()
  if (cached !== null) return cached
  const { opt } = sk
  const daddr = opt !== null && opt.srr !== 0 ? opt.faddr : sk.daddr
  const lookupTos = (tos & 0x1e) | (sk.localroute ? RTO_ONLINK : 0)
  const fl4 = flowInit(flow, sk, sk.boundDevIf, sk.mark, lookupTos, sk.protocol, daddr, sk.saddr, sk.dport, sk.sport)
  const rt = ipRouteOutputKey(sk.net, fl4)
  if (typeof rt === 'number') return -Errno.EHOSTUNREACH
  sk.dstCache = rt
  return rt
}

/**
 * Sends a segment of a connected socket. Takes it over; `data` is at the transport header.
 * @param tos the TOS byte @param segments packets it stands for (GSO), for their identifications
 * @returns NET_XMIT_… or a negative error, -EHOSTUNREACH where there is no route
 */
export function ipQueueXmit(sk: InetSock, skb: SkBuff, tos: number, segments = 1): number {
  const rt = connectedRoute(sk, tos)
  const { opt } = sk
  if (typeof rt === 'number' || (opt?.isStrictroute && rt.usesGateway)) {
    ipInc(sk.net, IPSTATS_MIB_OUTNOROUTES)
    skb.free('__ip_queue_xmit', 'IP_OUTNOROUTES')
    return -Errno.EHOSTUNREACH
  }
  const ignoreDf = (skb.cbFlags & IPSKB_IGNORE_DF) !== 0
  const df = sk.dontFragment(rt) && !ignoreDf
  const daddr = opt !== null && opt.srr !== 0 ? opt.faddr : sk.daddr
  const at = pushHeader(sk, skb, rt, sk.saddr, daddr, tos, df, opt)
  put16(skb.buf, at + OFF_ID, selectIdent(sk, sk.saddr, daddr, sk.protocol, df))
  if (segments > 1) sk.inetId = (sk.inetId + segments - 1) & 0xffff
  if (opt !== null) ipOptionsBuild(skb, opt, sk.daddr, rt)
  skb.priority = sk.priority
  skb.mark = sk.mark
  return ipLocalOut(skb)
}

/**
 * Sends a packet of a listening socket to somebody it is not connected to, such as a SYN-ACK (ip_build_and_send_pkt).
 * Takes it over; `data` is at the transport header. Small packets have no identification.
 * @param opt options of the answer, null for none
 */
export function ipBuildAndSendPkt(
  sk: InetSock,
  skb: SkBuff,
  rt: Rtable,
  saddr: number,
  daddr: number,
  opt: IpOptions | null,
  tos: number,
): number {
  const final = opt !== null && opt.srr !== 0 ? opt.faddr : daddr
  const df = sk.dontFragment(rt) || skb.len + IP_HLEN + (opt?.optlen ?? 0) <= IPV4_MIN_MTU
  const at = pushHeader(sk, skb, rt, saddr, final, tos, df, opt)
  put16(skb.buf, at + OFF_ID, df ? 0 : sk.net.kernel.random.below(0x10000))
  if (opt !== null && opt.optlen > 0) ipOptionsBuild(skb, opt, daddr, rt)
  skb.priority = sk.priority
  if (skb.mark === 0) skb.mark = sk.mark
  return ipLocalOut(skb)
}
