/** Routes of our own packets: where to, by which device, from which address. */

import { Errno } from '../../uapi/errno.ts'
import { IFF_LOOPBACK, IFF_UP } from '../../uapi/if.ts'
import {
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_UNICAST,
} from '../../uapi/rtnetlink.ts'
import { IPPROTO_IGMP } from '../../uapi/socket.ts'
import { isL3Master, l3mdevMaster } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { inetSelectAddr, ipDevFind } from './devinet_select.ts'
import { FibResult } from './fib_info.ts'
import { fibLookup } from './fib_lookup.ts'
import { fibSelectPath } from './fib_select.ts'
import { FLOWI_FLAG_ANYSRC, FLOWI_FLAG_KNOWN_NH, type Flowi4 } from './flow.ts'
import {
  inDevGet,
  inDevRouteLocalnet,
  ipv4IsLbcast,
  ipv4IsLocalMulticast,
  ipv4IsLoopback,
  ipv4IsMulticast,
  ipv4IsZeronet,
} from './in_device.ts'
import { IPTOS_RT_MASK } from './ip.ts'
import { rtCacheValid, rtDstAlloc, rtSetNexthop } from './route_cache.ts'
import { type FibNhException, findException } from './route_exceptions.ts'
import { routePath } from './route_path.ts'
import { RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST, type Rtable } from './rtable.ts'

const LOOPBACK_IFINDEX = 1
const INADDR_LOOPBACK = 0x7f000001
/** In a flow's TOS: the destination must be on the link, see SO_DONTROUTE. */
export const RTO_ONLINK = 0x01

const outRes = new FibResult()

/**
 * Finds the route of an own packet (ip_route_output_key_hash). The flow's empty places — source, device, and for 0.0.0.0
 * the destination — are filled in.
 * @returns the route, or a negative error: -ENETUNREACH, -EHOSTUNREACH, -EACCES, -EINVAL, -ENODEV
 */
export function ipRouteOutputKey(net: Net, fl4: Flowi4): Rtable | number {
  outRes.clear()
  fl4.iif = LOOPBACK_IFINDEX
  fl4.scope = (fl4.tos & RTO_ONLINK) !== 0 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE
  fl4.tos &= IPTOS_RT_MASK
  return ipRouteOutputKeyRes(net, fl4, outRes, undefined)
}

/** The same with the lookup's result left in `res` (ip_route_output_key_hash_rcu). */
export function ipRouteOutputKeyRes(net: Net, fl4: Flowi4, res: FibResult, skb: SkBuff | undefined): Rtable | number {
  let devOut: NetDevice | undefined
  let origOif = fl4.oif
  const { saddr } = fl4
  if (saddr !== 0) {
    if (ipv4IsMulticast(saddr) || ipv4IsLbcast(saddr) || ipv4IsZeronet(saddr)) return -Errno.EINVAL
    if (fl4.oif === 0 && (ipv4IsMulticast(fl4.daddr) || ipv4IsLbcast(fl4.daddr))) {
      // the source names the device of a multicast or broadcast
      devOut = ipDevFind(net, saddr)
      if (devOut === undefined) return -Errno.ENETUNREACH
      fl4.oif = devOut.ifindex
      return mkrouteOutput(res, fl4, origOif, devOut, 0)
    }
    if ((fl4.flags & FLOWI_FLAG_ANYSRC) === 0 && ipDevFind(net, saddr) === undefined) return -Errno.ENETUNREACH
  }
  if (fl4.oif !== 0) {
    devOut = net.devByIndex(fl4.oif)
    if (devOut === undefined) return -Errno.ENODEV
    if ((devOut.flags & IFF_UP) === 0 || inDevGet(devOut) === undefined) return -Errno.ENETUNREACH
    if (ipv4IsLocalMulticast(fl4.daddr) || ipv4IsLbcast(fl4.daddr) || fl4.proto === IPPROTO_IGMP) {
      if (fl4.saddr === 0) fl4.saddr = inetSelectAddr(devOut, 0, RT_SCOPE_LINK)
      return mkrouteOutput(res, fl4, origOif, devOut, 0)
    }
    if (fl4.saddr === 0) {
      if (ipv4IsMulticast(fl4.daddr)) fl4.saddr = inetSelectAddr(devOut, 0, fl4.scope)
      else if (fl4.daddr === 0) fl4.saddr = inetSelectAddr(devOut, 0, RT_SCOPE_HOST)
    }
  }
  if (fl4.daddr === 0) {
    fl4.daddr = fl4.saddr
    if (fl4.daddr === 0) fl4.daddr = fl4.saddr = INADDR_LOOPBACK
    fl4.oif = LOOPBACK_IFINDEX
    res.type = RTN_LOCAL
    return mkrouteOutput(res, fl4, origOif, net.loopback, RTCF_LOCAL)
  }
  const err = fibLookup(net, fl4, res, 0)
  if (err !== 0) {
    res.fi = undefined
    res.table = undefined
    // with a device given, a destination that no route knows is taken to be on its link
    if (devOut === undefined || (!ipv4IsMulticast(fl4.daddr) && fl4.l3mdev !== 0)) return err
    if (fl4.saddr === 0) fl4.saddr = inetSelectAddr(devOut, 0, RT_SCOPE_LINK)
    res.type = RTN_UNICAST
    return mkrouteOutput(res, fl4, origOif, devOut, 0)
  }
  if (res.type === RTN_LOCAL) {
    if (fl4.saddr === 0) fl4.saddr = res.fi!.prefsrc !== 0 ? res.fi!.prefsrc : fl4.daddr
    const local = res.dev!
    // the L3 master is the loopback of its domain
    devOut = l3mdevMaster(local) ?? net.loopback
    origOif = local.ifindex
    fl4.oif = devOut.ifindex
    return mkrouteOutput(res, fl4, origOif, devOut, RTCF_LOCAL)
  }
  fibSelectPath(net, res, fl4, skb)
  return mkrouteOutput(res, fl4, origOif, res.dev!, 0)
}

/** Makes the route that a lookup found, or takes the one kept at the next hop (__mkroute_output). */
function mkrouteOutput(
  res: FibResult,
  fl4: Flowi4,
  origOif: number,
  devOut: NetDevice,
  flags: number,
): Rtable | number {
  const inDev = inDevGet(devOut)
  if (inDev === undefined) return -Errno.EINVAL
  const loopback = (devOut.flags & IFF_LOOPBACK) !== 0
  if (ipv4IsLoopback(fl4.saddr) && !loopback && !isL3Master(devOut) && !inDevRouteLocalnet(inDev)) return -Errno.EINVAL
  let { type } = res
  let { fi } = res
  if (ipv4IsLbcast(fl4.daddr)) type = RTN_BROADCAST
  else if (ipv4IsMulticast(fl4.daddr)) type = RTN_MULTICAST
  else if (ipv4IsZeronet(fl4.daddr)) return -Errno.EINVAL
  if (loopback) flags |= RTCF_LOCAL
  let doCache = true
  if (type === RTN_BROADCAST) {
    flags |= RTCF_BROADCAST | RTCF_LOCAL
    fi = undefined
  } else if (type === RTN_MULTICAST) {
    flags |= RTCF_MULTICAST | RTCF_LOCAL
    if (!routePath.checkMc(inDev, fl4.daddr, fl4.saddr, fl4.proto)) flags &= ~RTCF_LOCAL
    else doCache = false
    // the default route says nothing about multicast
    if (fi !== undefined && res.prefixlen < 4) fi = undefined
  } else if (type === RTN_LOCAL && origOif !== 0 && origOif !== devOut.ifindex) doCache = false
  let fnhe: FibNhException | undefined
  doCache &&= fi !== undefined
  if (fi !== undefined) {
    const nhc = res.nhc!
    fnhe = findException(nhc, fl4.daddr)
    if (doCache) {
      const knownNh = (fl4.flags & FLOWI_FLAG_KNOWN_NH) !== 0
      if (fnhe === undefined && knownNh && (nhc.gwFamily === 0 || nhc.scope !== RT_SCOPE_LINK)) doCache = false
      else {
        const kept = fnhe !== undefined ? fnhe.rthOutput : nhc.rthOutput
        if (rtCacheValid(kept)) return kept
      }
    }
  }
  const rt = rtDstAlloc(devOut, flags, type)
  rt.iif = origOif
  if ((flags & (RTCF_BROADCAST | RTCF_MULTICAST)) !== 0 && (flags & RTCF_LOCAL) !== 0 && !loopback)
    rt.output = routePath.mcOutput
  rtSetNexthop(rt, fl4.daddr, res, fnhe, fi, 0, doCache)
  return rt
}
