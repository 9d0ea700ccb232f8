/** Routes of received packets: deliver here, forward, or refuse, after a look at where they say they come from. */

import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IP } from '../../uapi/if.ts'
import {
  RT_SCOPE_UNIVERSE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_UNICAST,
  RTN_UNREACHABLE,
} from '../../uapi/rtnetlink.ts'
import { AF_INET, IPPROTO_IGMP } from '../../uapi/socket.ts'
import { isL3Slave, l3mdevMaster } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { IPV4_DEVCONF_BC_FORWARDING } from './devconf.ts'
import { inetAddrOnlink } from './devinet_select.ts'
import { FibResult } from './fib_info.ts'
import { fibLookup } from './fib_lookup.ts'
import { fibMultipathHash, fibSelectMultipath } from './fib_select.ts'
import { fibInfoNumPath } from './fib_semantics.ts'
import { fibKey } from './fib_table.ts'
import { fibRulesEarlyFlowDissect, fibValidateSource, validated } from './fib_validate.ts'
import { Flowi4 } from './flow.ts'
import {
  type InDevice,
  inDevBforward,
  inDevForward,
  inDevGet,
  inDevLogMartians,
  inDevMforward,
  inDevProxyArpPvlan,
  inDevRouteLocalnet,
  inDevSharedMedia,
  inDevTxRedirects,
  ipv4IsLbcast,
  ipv4IsLocalMulticast,
  ipv4IsLoopback,
  ipv4IsMulticast,
  ipv4IsZeronet,
} from './in_device.ts'
import { addrText } from './inet_addr.ts'
import { IPSKB_DOREDIRECT, IPSKB_MULTIPATH, IPTOS_RT_MASK, OFF_PROTOCOL } from './ip.ts'
import { rateLimitedWarn } from './net_ratelimit.ts'
import { ipRtBug, rtCacheRoute, rtCacheValid, rtDstAlloc, rtSetNexthop } from './route_cache.ts'
import { findException } from './route_exceptions.ts'
import { routePath } from './route_path.ts'
import { RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST } from './rtable.ts'

const inFlow = new Flowi4()
const inRes = new FibResult()

/**
 * Finds the route of a received packet and hangs it on the packet (ip_route_input_noref).
 * @param daddr host order @param tos the header's byte @param dev the device it came by
 * @returns 0, or a negative error for packets that must be dropped: -EINVAL martians, -EXDEV reverse path filter,
 *   -EHOSTUNREACH … where nothing could be made of it
 */
export function ipRouteInput(skb: SkBuff, daddr: number, saddr: number, tos: number, dev: NetDevice): number {
  inRes.clear()
  return ipRouteInputRes(skb, daddr, saddr, tos & IPTOS_RT_MASK, dev, inRes)
}

/** The same with the lookup's result left in `res` (ip_route_input_rcu). */
export function ipRouteInputRes(
  skb: SkBuff,
  daddr: number,
  saddr: number,
  tos: number,
  dev: NetDevice,
  res: FibResult,
): number {
  const inDev = inDevGet(dev)
  if (!ipv4IsMulticast(daddr))
    return inDev === undefined ? -Errno.EINVAL : inputSlow(skb, daddr, saddr, tos, dev, inDev, res)
  if (inDev === undefined) return -Errno.EINVAL
  const proto = skb.buf[skb.networkHeader + OFF_PROTOCOL]!
  let our = routePath.checkMc(inDev, daddr, saddr, proto)
  if (!our && isL3Slave(dev)) {
    const master = inDevGet(skb.dev!)
    if (master !== undefined) our = routePath.checkMc(master, daddr, saddr, proto)
  }
  if (!our && (ipv4IsLocalMulticast(daddr) || !inDevMforward(inDev))) return -Errno.EINVAL
  return inputMc(skb, daddr, saddr, tos, dev, inDev, our)
}

/** A multicast packet: its source must be one that can be (ip_mc_validate_source). */
function inputMc(
  skb: SkBuff,
  daddr: number,
  saddr: number,
  tos: number,
  dev: NetDevice,
  inDev: InDevice,
  our: boolean,
): number {
  if (ipv4IsMulticast(saddr) || ipv4IsLbcast(saddr) || skb.protocol !== ETH_P_IP) return -Errno.EINVAL
  if (ipv4IsLoopback(saddr) && !inDevRouteLocalnet(inDev)) return -Errno.EINVAL
  if (ipv4IsZeronet(saddr)) {
    const proto = skb.buf[skb.networkHeader + OFF_PROTOCOL]
    if (!ipv4IsLocalMulticast(daddr) && proto !== IPPROTO_IGMP) return -Errno.EINVAL
  } else {
    const err = fibValidateSource(skb, saddr, 0, tos, 0, dev, inDev)
    if (err < 0) return err
  }
  const rt = rtDstAlloc(dev.net.loopback, RTCF_MULTICAST | (our ? RTCF_LOCAL : 0), RTN_MULTICAST)
  rt.tclassid = validated.itag
  rt.output = ipRtBug
  rt.isInput = true
  skb.dst = rt
  return 0
}

/** Refuses a packet for its source, with a line in the log where that is asked for. @returns `err` */
function martianSource(
  skb: SkBuff,
  daddr: number,
  saddr: number,
  dev: NetDevice,
  inDev: InDevice,
  err: number,
): number {
  if (!inDevLogMartians(inDev)) return err
  const { kernel } = dev.net
  const text = `IPv4: martian source ${addrText(daddr)} from ${addrText(saddr)}, on dev ${dev.name}`
  if (!rateLimitedWarn(kernel, text)) return err
  if (dev.hardHeaderLen === 0 || skb.macHeader < 0) return err
  for (let at = 0; at < dev.hardHeaderLen; at += 16) {
    const bytes = skb.buf.subarray(skb.macHeader + at, skb.macHeader + Math.min(at + 16, dev.hardHeaderLen))
    const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(' ')
    kernel.log.print(4, `ll header: ${at.toString(16).padStart(8, '0')}: ${hex}`)
  }
  return err
}

function martianDestination(daddr: number, saddr: number, dev: NetDevice, inDev: InDevice): number {
  if (inDevLogMartians(inDev)) {
    const text = `IPv4: martian destination ${addrText(daddr)} from ${addrText(saddr)}, dev ${dev.name}`
    rateLimitedWarn(dev.net.kernel, text)
  }
  return -Errno.EINVAL
}

/** A unicast or broadcast packet (ip_route_input_slow). */
function inputSlow(
  skb: SkBuff,
  daddr: number,
  saddr: number,
  tos: number,
  dev: NetDevice,
  inDev: InDevice,
  res: FibResult,
): number {
  const { net } = dev
  skb.dstDrop()
  if (ipv4IsMulticast(saddr) || ipv4IsLbcast(saddr)) return martianSource(skb, daddr, saddr, dev, inDev, -Errno.EINVAL)
  if (ipv4IsLbcast(daddr) || (saddr === 0 && daddr === 0))
    return inputBroadcast(skb, daddr, saddr, tos, dev, inDev, res, true)
  if (ipv4IsZeronet(saddr)) return martianSource(skb, daddr, saddr, dev, inDev, -Errno.EINVAL)
  if (ipv4IsZeronet(daddr)) return martianDestination(daddr, saddr, dev, inDev)
  if (ipv4IsLoopback(daddr)) {
    if (!inDevRouteLocalnet(inDev)) return martianDestination(daddr, saddr, dev, inDev)
  } else if (ipv4IsLoopback(saddr) && !inDevRouteLocalnet(inDev))
    return martianSource(skb, daddr, saddr, dev, inDev, -Errno.EINVAL)
  const fl4 = inFlow.clear()
  fl4.iif = dev.ifindex
  fl4.mark = skb.mark
  fl4.tos = tos
  fl4.scope = RT_SCOPE_UNIVERSE
  fl4.daddr = daddr
  fl4.saddr = saddr
  const fib = net.at(fibKey)
  fibRulesEarlyFlowDissect(fib, skb, fl4)
  const err = fibLookup(net, fl4, res, 0)
  if (err !== 0) return inputNoRoute(skb, net, res, inDevForward(inDev) ? err : -Errno.EHOSTUNREACH)
  if (res.type === RTN_BROADCAST) {
    if (inDevBforward(inDev)) return mkrouteInput(skb, daddr, saddr, tos, net, inDev, res)
    const cache = inDev.all.data[IPV4_DEVCONF_BC_FORWARDING] === 0
    return inputBroadcast(skb, daddr, saddr, tos, dev, inDev, res, cache)
  }
  if (res.type === RTN_LOCAL) {
    const rc = fibValidateSource(skb, saddr, daddr, tos, 0, dev, inDev)
    if (rc < 0) return martianSource(skb, daddr, saddr, dev, inDev, rc)
    return inputLocal(skb, net, res, 0, validated.itag === 0)
  }
  if (!inDevForward(inDev)) return inputNoRoute(skb, net, res, -Errno.EHOSTUNREACH)
  if (res.type !== RTN_UNICAST) return martianDestination(daddr, saddr, dev, inDev)
  return mkrouteInput(skb, daddr, saddr, tos, net, inDev, res)
}

function inputBroadcast(
  skb: SkBuff,
  daddr: number,
  saddr: number,
  tos: number,
  dev: NetDevice,
  inDev: InDevice,
  res: FibResult,
  cache: boolean,
): number {
  if (skb.protocol !== ETH_P_IP) return -Errno.EINVAL
  validated.itag = 0
  if (!ipv4IsZeronet(saddr)) {
    const rc = fibValidateSource(skb, saddr, 0, tos, 0, dev, inDev)
    if (rc < 0) return martianSource(skb, daddr, saddr, dev, inDev, rc)
  }
  res.type = RTN_BROADCAST
  return inputLocal(skb, dev.net, res, RTCF_BROADCAST, cache && validated.itag === 0)
}

/** Delivery on this host; the route is kept at the local route's next hop. */
function inputLocal(skb: SkBuff, net: Net, res: FibResult, flags: number, cache: boolean): number {
  const nhc = res.fi === undefined ? undefined : res.nhc
  const doCache = cache && nhc !== undefined
  if (doCache && rtCacheValid(nhc!.rthInput)) {
    skb.dst = nhc!.rthInput
    return 0
  }
  const dev = (nhc?.dev === undefined ? undefined : l3mdevMaster(nhc.dev)) ?? net.loopback
  const rt = rtDstAlloc(dev, flags | RTCF_LOCAL, res.type)
  rt.output = ipRtBug
  rt.isInput = true
  rt.tclassid = validated.itag
  if (doCache) rtCacheRoute(nhc!, rt)
  skb.dst = rt
  return 0
}

/** No route: the packet gets one that answers with an ICMP error. */
function inputNoRoute(skb: SkBuff, net: Net, res: FibResult, err: number): number {
  res.fi = undefined
  res.table = undefined
  res.type = RTN_UNREACHABLE
  const rt = rtDstAlloc(net.loopback, 0, RTN_UNREACHABLE)
  rt.output = ipRtBug
  rt.isInput = true
  rt.input = routePath.error
  rt.error = err
  skb.dst = rt
  return 0
}

/** A packet to forward (ip_mkroute_input). */
function mkrouteInput(
  skb: SkBuff,
  daddr: number,
  saddr: number,
  tos: number,
  net: Net,
  inDev: InDevice,
  res: FibResult,
): number {
  if (fibInfoNumPath(res.fi!) > 1) {
    fibSelectMultipath(res, fibMultipathHash(net, undefined, skb))
    skb.cbFlags |= IPSKB_MULTIPATH
  }
  const nhc = res.nhc!
  const devOut = res.dev!
  const out = inDevGet(devOut)
  if (out === undefined) return -Errno.EINVAL
  const { dev } = inDev
  const near = fibValidateSource(skb, saddr, daddr, tos, devOut.ifindex, dev, inDev)
  if (near < 0) return martianSource(skb, daddr, saddr, dev, inDev, near)
  const { itag } = validated
  if (out === inDev && near !== 0 && inDevTxRedirects(out) && skb.protocol === ETH_P_IP) {
    const gw = nhc.gwFamily === AF_INET ? nhc.gw4 : 0
    if (inDevSharedMedia(out) || inetAddrOnlink(out, saddr, gw)) skb.cbFlags |= IPSKB_DOREDIRECT
  }
  // ARP asks as if it were a packet: proxying to the same link is only for private VLANs (RFC 3069)
  if (skb.protocol !== ETH_P_IP && out === inDev && !inDevProxyArpPvlan(inDev)) return -Errno.EINVAL
  const fnhe = findException(nhc, daddr)
  const doCache = itag === 0
  if (doCache) {
    const kept = fnhe !== undefined ? fnhe.rthInput : nhc.rthInput
    if (rtCacheValid(kept)) {
      skb.dst = kept
      return 0
    }
  }
  const rt = rtDstAlloc(devOut, 0, res.type)
  rt.isInput = true
  rt.input = routePath.forward
  rtSetNexthop(rt, daddr, res, fnhe, res.fi, itag, doCache)
  skb.dst = rt
  return 0
}
