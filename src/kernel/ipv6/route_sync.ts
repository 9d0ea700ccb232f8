/** Routes follow their devices: up and down, carrier, MTU; and routers that are none any more. */
import { RTNH_F_DEAD, RTNH_F_LINKDOWN } from '../../uapi/rtnetlink.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { RTAX_MTU } from '../ipv4/fib_metrics.ts'
import { addrEqual, type In6Addr } from './addr.ts'
import { IPV6_DEVCONF_ACCEPT_RA, IPV6_DEVCONF_MTU } from './devconf.ts'
import { in6Dev } from './if_inet6.ts'
import {
  type Fib6,
  type Fib6Info,
  fib6Key,
  RTF_ADDRCONF,
  RTF_ANYCAST,
  RTF_DEFAULT,
  RTF_LOCAL,
  rebalance,
} from './ip6_fib.ts'
import { metricsWith } from './metrics6.ts'
import { ipv6Key } from './netns_ipv6.ts'
import { exceptionsOf } from './route_fill.ts'

/** A device goes down, leaves, or has lost its carrier (rt6_sync_down_dev). */
export function rt6SyncDownDev(dev: NetDevice, event: 'UNREGISTER' | 'DOWN' | 'CHANGE'): void {
  const { net } = dev
  const fib = net.at(fib6Key)
  const skipNotify = event !== 'CHANGE' && net.at(ipv6Key).routeSkipNotifyOnDevDown !== 0
  const info = { flags: undefined, skipNotify }
  const handled = new Set<readonly Fib6Info[]>()
  for (const rt of fib.allRoutes()) {
    if (rt.node === undefined || rt.nh === undefined) continue
    const { nh, group } = rt
    if (event === 'CHANGE') {
      if (nh.dev !== dev || (rt.flags & (RTF_LOCAL | RTF_ANYCAST)) !== 0) continue
      nh.flags |= RTNH_F_LINKDOWN
      rebalance(rt)
    } else if (event === 'UNREGISTER' || group === undefined) {
      if (nh.dev === dev) fib.del(rt, info)
    } else if (!handled.has(group)) {
      handled.add(group)
      downMultipath(fib, group, dev, info)
    }
  }
  fib.sernum++
}

/** Legs by a device that is down stay, marked dead, as long as another leg works. */
function downMultipath(
  fib: Fib6,
  group: readonly Fib6Info[],
  dev: NetDevice,
  info: { flags: undefined; skipNotify: boolean },
): void {
  const legs = [...group]
  if (!legs.some(leg => leg.nh!.dev === dev)) return
  if (legs.every(leg => leg.nh!.dev === dev || (leg.nh!.flags & RTNH_F_DEAD) !== 0)) {
    for (const leg of legs) fib.del(leg, info)
    return
  }
  for (const leg of legs) if (leg.nh!.dev === dev) leg.nh!.flags |= RTNH_F_DEAD | RTNH_F_LINKDOWN
  rebalance(legs[0]!)
}

/** A device works again (rt6_sync_up). @param flags what its next hops no longer are */
export function rt6SyncUp(dev: NetDevice, flags: number): void {
  const fib = dev.net.at(fib6Key)
  if ((flags & RTNH_F_DEAD) !== 0 && dev.carrier) flags |= RTNH_F_LINKDOWN
  for (const rt of fib.allRoutes()) {
    if (rt.nh?.dev !== dev) continue
    rt.nh.flags &= ~flags
    rebalance(rt)
  }
  fib.sernum++
}

/** The MTU that IPv6 uses on a device changes: routes with that MTU set, and what was learned, follow (rt6_mtu_change). */
export function rt6MtuChange(dev: NetDevice, mtu: number): void {
  const idev = in6Dev(dev)
  if (idev === undefined) return
  const fib = dev.net.at(fib6Key)
  const before = idev.cnf.data[IPV6_DEVCONF_MTU]!
  const follows = (own: number): boolean => own >= mtu || own === before
  for (const rt of fib.allRoutes()) {
    if (rt.nh?.dev !== dev || rt.metrics.locked(RTAX_MTU)) continue
    const own = rt.metrics.raw(RTAX_MTU)
    if (own !== 0 && follows(own)) rt.metrics = metricsWith(rt.metrics, RTAX_MTU, mtu)
    for (const { dst } of exceptionsOf(rt)) if (dst.pmtu !== 0 && follows(dst.pmtu)) dst.pmtu = mtu
  }
  fib.sernum++
}

/** A router has become a host: default routes by it go, and redirects to it (rt6_clean_tohost). */
export function rt6CleanTohost(net: Net, gateway: In6Addr): void {
  const fib = net.at(fib6Key)
  const learned = RTF_ADDRCONF | RTF_DEFAULT
  for (const rt of fib.allRoutes()) {
    const nh = rt.nh
    if (nh === undefined) continue
    if ((rt.flags & learned) === learned && nh.gw !== undefined && addrEqual(nh.gw, gateway)) {
      fib.del(rt)
      continue
    }
    for (const { dst } of exceptionsOf(rt))
      if (dst.pmtu === 0 && dst.gateway !== undefined && addrEqual(dst.gateway, gateway) && nh.exceptions!.remove(dst))
        fib.stats.rtCache--
  }
  fib.sernum++
}

/** Forwarding was switched on: default routes from advertisements go, unless they are still accepted (rt6_purge_dflt_routers). */
export function rt6PurgeDfltRouters(net: Net): void {
  const fib = net.at(fib6Key)
  for (const rt of fib.allRoutes()) {
    if ((rt.flags & (RTF_DEFAULT | RTF_ADDRCONF)) === 0 || rt.nh === undefined) continue
    if (in6Dev(rt.nh.dev)?.cnf.data[IPV6_DEVCONF_ACCEPT_RA] !== 2) fib.del(rt)
  }
}
