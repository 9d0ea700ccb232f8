/** What ICMP tells of paths: smaller MTUs (RFC 1191) and better gateways (RFC 1122 §3.2.2.2), and choosing an answer's source. */

import { RT_SCOPE_UNIVERSE, RTN_UNICAST } from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import { NUD_VALID, neighCreate, neighEventSend, neighTables } from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { inetAddrOnlink, inetSelectAddr } from './devinet_select.ts'
import { FibResult } from './fib_info.ts'
import { fibLookup, inetAddrType } from './fib_lookup.ts'
import { RTAX_MTU } from './fib_metrics.ts'
import { fibResultPrefsrc } from './fib_nh.ts'
import { fibSelectPath } from './fib_select.ts'
import { fibKey } from './fib_table.ts'
import { Flowi4 } from './flow.ts'
import {
  type InDevice,
  inDevGet,
  inDevLogMartians,
  inDevRxRedirects,
  inDevSecRedirects,
  inDevSharedMedia,
  ipv4IsLbcast,
  ipv4IsMulticast,
  ipv4IsZeronet,
} from './in_device.ts'
import { addrText, addrToBytes } from './inet_addr.ts'
import { get32, IPTOS_RT_MASK, OFF_DADDR, OFF_PROTOCOL, OFF_SADDR, OFF_TOS } from './ip.ts'
import { rateLimitedWarn } from './net_ratelimit.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { updateOrCreateFnhe } from './route_exceptions.ts'
import { ipRouteOutputKey } from './route_output.ts'
import type { Rtable } from './rtable.ts'

const learnFlow = new Flowi4()
const learnRes = new FibResult()

/** Fills a flow in from the IPv4 header at `at` (__build_flow_key): a packet of ours that an ICMP error quotes. */
function flowOf(fl4: Flowi4, skb: SkBuff, at: number, oif: number, proto: number, mark: number): Flowi4 {
  const { buf } = skb
  fl4.clear()
  fl4.oif = oif
  fl4.iif = 1
  fl4.mark = mark
  fl4.tos = buf[at + OFF_TOS]! & IPTOS_RT_MASK
  fl4.scope = RT_SCOPE_UNIVERSE
  fl4.proto = proto
  fl4.daddr = get32(buf, at + OFF_DADDR)
  fl4.saddr = get32(buf, at + OFF_SADDR)
  return fl4
}

/**
 * A path's MTU has been reported (__ip_rt_update_pmtu). An MTU below net.ipv4.route.min_pmtu is not believed: the path
 * is fragmented at that size, and transports are not told.
 * @param rt the route in use @param fl4 its flow @param mtu bytes
 */
export function ipRtUpdatePmtu(rt: Rtable, fl4: Flowi4, mtu: number): void {
  if (rt.metricLocked(RTAX_MTU)) return
  const { net } = rt
  const old = rt.mtu()
  if (old < mtu) return
  const { routeMinPmtu, routeMtuExpires } = net.at(ipv4Key)
  const { now } = net.kernel.clock
  const keep = routeMtuExpires * NSEC_PER_SEC
  let lock = false
  if (mtu < routeMinPmtu) {
    lock = true
    mtu = Math.min(old, routeMinPmtu)
  }
  if (rt.pmtu === mtu && !lock && now < rt.expires - keep / 2) return
  const res = learnRes
  res.clear()
  if (fibLookup(net, fl4, res, 0) !== 0) return
  fibSelectPath(net, res, fl4, undefined)
  updateOrCreateFnhe(res.nhc!, fl4.daddr, 0, mtu, lock, now + keep)
}

/**
 * ICMP "fragmentation needed" came for a packet of ours (ipv4_update_pmtu).
 * @param skb its `data` is at the header of the packet that was too big @param mtu bytes
 */
export function ipv4UpdatePmtu(skb: SkBuff, net: Net, mtu: number, oif: number, proto: number): void {
  const mark = net.at(ipv4Key).fwmarkReflect !== 0 ? skb.mark : 0
  const fl4 = flowOf(learnFlow, skb, skb.data, oif, proto, mark)
  const rt = ipRouteOutputKey(net, fl4)
  if (typeof rt !== 'number') ipRtUpdatePmtu(rt, fl4, mtu)
}

/** @returns whether a new gateway must not be believed */
function badGateway(net: Net, inDev: InDevice, dev: NetDevice, oldGw: number, newGw: number): boolean {
  if (newGw === oldGw || !inDevRxRedirects(inDev)) return true
  if (ipv4IsMulticast(newGw) || ipv4IsLbcast(newGw) || ipv4IsZeronet(newGw)) return true
  if (inDevSharedMedia(inDev)) return inetAddrType(net, newGw) !== RTN_UNICAST
  if (!inetAddrOnlink(inDev, newGw, oldGw)) return true
  return inDevSecRedirects(inDev) && !net.at(fibKey).infos.hasGateway(newGw, dev)
}

/** An ICMP redirect came (__ip_do_redirect). It counts once the new gateway's neighbour entry is valid. */
function doRedirect(rt: Rtable, skb: SkBuff, fl4: Flowi4, killRoute: boolean): void {
  const { buf } = skb
  const icmp = skb.transportHeader
  const newGw = get32(buf, icmp + 4)
  const oldGw = get32(buf, skb.networkHeader + OFF_SADDR)
  const dev = skb.dev!
  // codes 0 to 3: network, host, and both with a TOS
  if ((buf[icmp + 1]! & 7) > 3) return
  if (rt.gateway6 !== undefined || rt.gateway !== oldGw) return
  const inDev = inDevGet(dev)
  if (inDev === undefined) return
  const { net } = dev
  if (badGateway(net, inDev, dev, oldGw, newGw)) {
    if (!inDevLogMartians(inDev)) return
    const saddr = get32(buf, skb.data + OFF_SADDR)
    const daddr = get32(buf, skb.data + OFF_DADDR)
    const text =
      `IPv4: Redirect from ${addrText(oldGw)} on ${dev.name} about ${addrText(newGw)} ignored\n` +
      `  Advised path = ${addrText(saddr)} -> ${addrText(daddr)}`
    rateLimitedWarn(net.kernel, text, 6)
    return
  }
  const arp = neighTables(net.kernel).get(AF_INET)
  if (arp === undefined) return
  const n = arp.lookup4(newGw, rt.dev) ?? neighCreate(arp, addrToBytes(newGw), rt.dev)
  if (typeof n === 'number') return
  if ((n.nudState & NUD_VALID) === 0) {
    neighEventSend(n, null)
    return
  }
  const res = learnRes
  res.clear()
  if (fibLookup(net, fl4, res, 0) === 0) {
    fibSelectPath(net, res, fl4, skb)
    const expires = net.kernel.clock.now + net.kernel.initNet.at(ipv4Key).routeGcTimeout * NSEC_PER_SEC
    updateOrCreateFnhe(res.nhc!, fl4.daddr, newGw, 0, false, expires)
  }
  if (killRoute) rt.kill()
}

/**
 * An ICMP redirect came for a packet of ours whose route nobody holds (ipv4_redirect).
 * @param skb its `data` is at the header of the quoted packet, `transportHeader` at the ICMP header
 */
export function ipv4Redirect(skb: SkBuff, net: Net, oif: number, proto: number): void {
  const fl4 = flowOf(learnFlow, skb, skb.data, oif, proto, 0)
  const rt = ipRouteOutputKey(net, fl4)
  if (typeof rt !== 'number') doRedirect(rt, skb, fl4, false)
}

/** The same where a socket holds the route, which becomes stale (ip_do_redirect). */
export function ipDoRedirect(rt: Rtable, skb: SkBuff): void {
  const proto = skb.buf[skb.data + OFF_PROTOCOL]!
  const fl4 = flowOf(learnFlow, skb, skb.data, skb.dev!.ifindex, proto, skb.mark)
  doRedirect(rt, skb, fl4, true)
}

/** @returns the address of ours that a packet passing through is given in its options (ip_rt_get_source) */
export function ipRtGetSource(skb: SkBuff, rt: Rtable): number {
  const { buf, networkHeader: at } = skb
  const saddr = get32(buf, at + OFF_SADDR)
  if (!rt.isInput) return saddr
  const daddr = get32(buf, at + OFF_DADDR)
  const { net, dev } = rt
  const fl4 = learnFlow.clear()
  fl4.daddr = daddr
  fl4.saddr = saddr
  fl4.tos = buf[at + OFF_TOS]! & IPTOS_RT_MASK
  fl4.oif = dev.ifindex
  fl4.iif = skb.dev!.ifindex
  fl4.mark = skb.mark
  learnRes.clear()
  if (fibLookup(net, fl4, learnRes, 0) === 0) return fibResultPrefsrc(net, learnRes)
  return inetSelectAddr(dev, rt.nexthop(daddr), RT_SCOPE_UNIVERSE)
}
