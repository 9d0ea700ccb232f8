/** Forwarding IPv4 packets (RFC 1812): TTL, redirects, packets too large for the way on, and packets with no way on. */
import { Errno } from '../../uapi/errno.ts'
import { TICK_NSEC } from '../core/clock.ts'
import type { DropReason } from '../core/dropreason.ts'
import { isL3Master, l3mdevMasterIfindex } from '../core/l3mdev.ts'
import { NET_RX_DROP, NET_RX_SUCCESS } from '../core/net_device.ts'
import { CHECKSUM_COMPLETE, CHECKSUM_NONE, PACKET_HOST, type SkBuff } from '../core/skbuff.ts'
import { NF_INET_FORWARD, nfHook4, nfHooks4 } from '../netfilter/core.ts'
import { icmpSend } from './icmp.ts'
import {
  ICMP_DEST_UNREACH,
  ICMP_EXC_TTL,
  ICMP_FRAG_NEEDED,
  ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH,
  ICMP_PKT_FILTERED,
  ICMP_SR_FAILED,
  ICMP_TIME_EXCEEDED,
} from './icmp_types.ts'
import { inDevForward, inDevGet } from './in_device.ts'
import { inetGetpeerV4 } from './inetpeer.ts'
import {
  get16,
  get32,
  IP_DF,
  IPSKB_DOREDIRECT,
  IPSKB_FORWARDED,
  IPSKB_IGNORE_DF,
  ipDecreaseTtl,
  OFF_FRAG_OFF,
  OFF_SADDR,
  OFF_TOS,
  OFF_TTL,
  rtTos2priority,
} from './ip.ts'
import { ipForwardOptions, skbOptions } from './ip_options.ts'
import { ipDstMtuMaybeForward } from './ip_output.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { ipCallRaChain } from './ra_chain.ts'
import { ipRtSendRedirect } from './route.ts'
import type { Rtable } from './rtable.ts'
import {
  IPSTATS_MIB_FORWDATAGRAMS,
  IPSTATS_MIB_FRAGFAILS,
  IPSTATS_MIB_INADDRERRORS,
  IPSTATS_MIB_INHDRERRORS,
  IPSTATS_MIB_INNOROUTES,
  IPSTATS_MIB_OUTOCTETS,
  ipInc,
  mibKey,
} from './snmp.ts'

function drop(skb: SkBuff, reason: DropReason): number {
  skb.free('ip_forward', reason)
  return NET_RX_DROP
}

/** The input function of routes to other hosts (ip_forward). */
export function ipForward(skb: SkBuff): number {
  if (skb.pktType !== PACKET_HOST || skb.owner !== null) return drop(skb, 'NOT_SPECIFIED')
  const dev = skb.dev!
  const { net } = dev
  const opt = skbOptions(skb)
  if (opt !== null && opt.routerAlert !== 0 && ipCallRaChain(skb)) return NET_RX_SUCCESS
  if (skb.ipSummed === CHECKSUM_COMPLETE) skb.ipSummed = CHECKSUM_NONE
  const iph = skb.networkHeader
  if (skb.buf[iph + OFF_TTL]! <= 1) {
    ipInc(net, IPSTATS_MIB_INHDRERRORS)
    icmpSend(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0)
    return drop(skb, 'IP_INHDR')
  }
  const rt = skb.dst as Rtable
  if (opt?.isStrictroute && rt.usesGateway) {
    icmpSend(skb, ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0)
    return drop(skb, 'NOT_SPECIFIED')
  }
  skb.cbFlags |= IPSKB_FORWARDED
  const mtu = ipDstMtuMaybeForward(rt, true)
  if (skb.tail - skb.data > mtu && exceedsMtu(skb, mtu)) {
    ipInc(net, IPSTATS_MIB_FRAGFAILS)
    icmpSend(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu)
    return drop(skb, 'PKT_TOO_BIG')
  }
  skb.cow(rt.dev.llReserved)
  const { buf, networkHeader } = skb
  ipDecreaseTtl(buf, networkHeader)
  if ((skb.cbFlags & IPSKB_DOREDIRECT) !== 0 && (opt === null || opt.srr === 0)) ipRtSendRedirect(skb)
  if (net.at(ipv4Key).ipForwardUpdatePriority !== 0) skb.priority = rtTos2priority(buf[networkHeader + OFF_TOS]!)
  const hooks = nfHooks4(net, NF_INET_FORWARD)
  return hooks.length === 0 ? forwardFinish(skb) : nfHook4(hooks, NF_INET_FORWARD, net, skb, dev, rt.dev, forwardFinish)
}

/** @returns whether a packet that is longer than the MTU must not be cut (ip_exceeds_mtu) */
function exceedsMtu(skb: SkBuff, mtu: number): boolean {
  if ((get16(skb.buf, skb.networkHeader + OFF_FRAG_OFF) & IP_DF) === 0) return false
  if (skb.cbFragMaxSize > mtu) return true
  if ((skb.cbFlags & IPSKB_IGNORE_DF) !== 0) return false
  return skb.gsoSize === 0
}

function forwardFinish(skb: SkBuff): number {
  const rt = skb.dst!
  const { ip } = rt.dev.net.at(mibKey)
  ip[IPSTATS_MIB_FORWDATAGRAMS]!++
  ip[IPSTATS_MIB_OUTOCTETS]! += skb.tail - skb.data
  const opt = skbOptions(skb)
  if (opt !== null && opt.optlen !== 0) ipForwardOptions(skb, opt)
  skb.tstamp = 0
  return rt.output(skb)
}

/**
 * The input function of routes that are an error — none found, unreachable, prohibit, blackhole (ip_error): a router
 * tells the sender, as often as the host's own bucket of tokens allows.
 */
export function ipError(skb: SkBuff): number {
  const rt = skb.dst as Rtable
  let dev = skb.dev!
  if (isL3Master(dev)) dev = dev.net.devByIndex(skb.cbIif) ?? dev
  const inDev = inDevGet(dev)
  const { net } = rt.dev
  let reason: DropReason = 'NOT_SPECIFIED'
  if (inDev !== undefined) {
    const error = -rt.error
    let code = -1
    if (!inDevForward(inDev)) {
      if (error === Errno.EHOSTUNREACH) {
        reason = 'IP_INADDRERRORS'
        ipInc(net, IPSTATS_MIB_INADDRERRORS)
      } else if (error === Errno.ENETUNREACH) {
        reason = 'IP_INNOROUTES'
        ipInc(net, IPSTATS_MIB_INNOROUTES)
      }
    } else if (error === Errno.EHOSTUNREACH) code = ICMP_HOST_UNREACH
    else if (error === Errno.ENETUNREACH) {
      code = ICMP_NET_UNREACH
      reason = 'IP_INNOROUTES'
      ipInc(net, IPSTATS_MIB_INNOROUTES)
    } else if (error === Errno.EACCES) code = ICMP_PKT_FILTERED
    if (code >= 0 && errorAllowed(skb)) icmpSend(skb, ICMP_DEST_UNREACH, code, 0)
  }
  skb.free('ip_error', reason)
  return 0
}

/** Takes an error's cost out of the sender's bucket (route.error_cost, route.error_burst). */
function errorAllowed(skb: SkBuff): boolean {
  const dev = skb.dev!
  const { net } = dev
  const { now } = net.kernel.clock
  const { routeErrorBurst, routeErrorCost } = net.kernel.initNet.at(ipv4Key)
  const peer = inetGetpeerV4(net, get32(skb.buf, skb.networkHeader + OFF_SADDR), l3mdevMasterIfindex(dev))
  const cost = routeErrorCost * TICK_NSEC
  peer.rateTokens = Math.min(peer.rateTokens + now - peer.rateLast, routeErrorBurst * TICK_NSEC)
  peer.rateLast = now
  if (peer.rateTokens < cost) return false
  peer.rateTokens -= cost
  return true
}
