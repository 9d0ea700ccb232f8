/** ICMP errors and redirects that routing sends, with limits per host, so that nobody is flooded (RFC 1812 §4.3.2.8). */
import { Errno } from '../../uapi/errno.ts'
import { TICK_NSEC } from '../core/clock.ts'
import type { DropReason } from '../core/dropreason.ts'
import { isL3Master, l3mdevMasterIfindex } from '../core/l3mdev.ts'
import type { SkBuff } from '../core/skbuff.ts'
import {
  ICMP_DEST_UNREACH,
  ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH,
  ICMP_PKT_FILTERED,
  ICMP_REDIR_HOST,
  ICMP_REDIRECT,
} from './icmp_types.ts'
import { inDevForward, inDevGet, inDevLogMartians, inDevTxRedirects } from './in_device.ts'
import { addrText } from './inet_addr.ts'
import { inetGetpeerV4 } from './inetpeer.ts'
import { get32, OFF_DADDR, OFF_SADDR } from './ip.ts'
import { rateLimitedWarn } from './net_ratelimit.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { icmpSend } from './route_path.ts'
import type { Rtable } from './rtable.ts'
import { IPSTATS_MIB_INADDRERRORS, IPSTATS_MIB_INNOROUTES, ipInc } from './snmp.ts'

/** Takes a packet that has no route: tells the sender why, if this host forwards at all (ip_error). */
export function ipError(skb: SkBuff): number {
  skb.free('ip_error', refuse(skb))
  return 0
}

function refuse(skb: SkBuff): DropReason {
  const rt = skb.dst as Rtable
  let dev = skb.dev!
  // under an L3 master the packet's own device says whether it is a router's
  if (isL3Master(dev)) {
    const own = dev.net.devByIndex(skb.cbIif)
    if (own === undefined) return 'NOT_SPECIFIED'
    dev = own
  }
  const inDev = inDevGet(dev)
  if (inDev === undefined) return 'NOT_SPECIFIED'
  const { net } = rt
  if (!inDevForward(inDev)) {
    if (rt.error === -Errno.EHOSTUNREACH) {
      ipInc(net, IPSTATS_MIB_INADDRERRORS)
      return 'IP_INADDRERRORS'
    }
    if (rt.error !== -Errno.ENETUNREACH) return 'NOT_SPECIFIED'
    ipInc(net, IPSTATS_MIB_INNOROUTES)
    return 'IP_INNOROUTES'
  }
  let reason: DropReason = 'NOT_SPECIFIED'
  let code: number
  switch (rt.error) {
    case -Errno.EHOSTUNREACH:
      code = ICMP_HOST_UNREACH
      break
    case -Errno.ENETUNREACH:
      code = ICMP_NET_UNREACH
      reason = 'IP_INNOROUTES'
      ipInc(net, IPSTATS_MIB_INNOROUTES)
      break
    case -Errno.EACCES:
      code = ICMP_PKT_FILTERED
      break
    default:
      return reason
  }
  const peer = inetGetpeerV4(net, get32(skb.buf, skb.networkHeader + OFF_SADDR), l3mdevMasterIfindex(skb.dev!))
  const { routeErrorCost, routeErrorBurst } = net.kernel.initNet.at(ipv4Key)
  const { now } = net.kernel.clock
  const cost = routeErrorCost * TICK_NSEC
  peer.rateTokens = Math.min(peer.rateTokens + now - peer.rateLast, routeErrorBurst * TICK_NSEC)
  peer.rateLast = now
  if (peer.rateTokens < cost) return reason
  peer.rateTokens -= cost
  icmpSend(skb, ICMP_DEST_UNREACH, code, 0)
  return reason
}

/**
 * Tells a sender of a better gateway on its own link (ip_rt_send_redirect): ever more seldom while it does not listen,
 * and after some time not at all until it has been silent for a while.
 */
export function ipRtSendRedirect(skb: SkBuff): void {
  const rt = skb.dst as Rtable
  const { dev, net } = rt
  const inDev = inDevGet(dev)
  if (inDev === undefined || !inDevTxRedirects(inDev)) return
  const at = skb.networkHeader
  const saddr = get32(skb.buf, at + OFF_SADDR)
  const daddr = get32(skb.buf, at + OFF_DADDR)
  const peer = inetGetpeerV4(net, saddr, l3mdevMasterIfindex(dev))
  const { routeRedirectLoad, routeRedirectNumber, routeRedirectSilence } = net.kernel.initNet.at(ipv4Key)
  const { now } = net.kernel.clock
  if (now > peer.rateLast + routeRedirectSilence * TICK_NSEC) {
    peer.rateTokens = 0
    peer.nRedirects = 0
  }
  if (peer.nRedirects >= routeRedirectNumber) {
    peer.rateLast = now
    return
  }
  const pause = routeRedirectLoad * TICK_NSEC * 2 ** peer.nRedirects
  if (peer.nRedirects !== 0 && now <= peer.rateLast + pause) return
  const gw = rt.nexthop(daddr)
  icmpSend(skb, ICMP_REDIRECT, ICMP_REDIR_HOST, gw)
  peer.rateLast = now
  peer.nRedirects++
  if (inDevLogMartians(inDev) && peer.nRedirects === routeRedirectNumber) {
    const text = `IPv4: host ${addrText(saddr)}/if${skb.iif} ignores redirects for ${addrText(daddr)} to ${addrText(gw)}`
    rateLimitedWarn(net.kernel, text)
  }
}
