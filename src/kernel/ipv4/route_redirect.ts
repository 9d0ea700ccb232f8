import { TICK_NSEC } from '../core/clock.ts'
import { l3mdevMasterIfindex } from '../core/l3mdev.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { ICMP_REDIR_HOST, ICMP_REDIRECT } from './icmp_types.ts'
import { inDevGet, inDevLogMartians, inDevTxRedirects } from './in_device.ts'
import { addrText } from './inet_addr.ts'
import { inetGetpeerV4 } from './inetpeer.ts'
import { get32, OFF_DADDR, OFF_SADDR } from './ip.ts'
import { rateLimitedWarn } from './net_ratelimit.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { routePath } from './route_path.ts'
import type { Rtable } from './rtable.ts'

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
  routePath.icmpSend(skb, ICMP_REDIRECT, ICMP_REDIR_HOST, gw)
  peer.rateLast = now
  peer.nRedirects++
  if (inDevLogMartians(inDev) && peer.nRedirects === routeRedirectNumber) {
    const text = `IPv4: host ${addrText(saddr)}/if${skb.iif} ignores redirects for ${addrText(daddr)} to ${addrText(gw)}`
    rateLimitedWarn(net.kernel, text)
  }
}
