/** Making routes for packets, and keeping them at next hops so that the next packet finds them without a lookup. */

import { RT_SCOPE_LINK } from '../../uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../uapi/socket.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import type { FibInfo, FibNh, FibResult } from './fib_info.ts'
import { type FibNhException, rtBindException } from './route_exceptions.ts'
import { routePath } from './route_path.ts'
import { RTCF_LOCAL, Rtable } from './rtable.ts'

/** Drops a packet that took a route of the wrong direction (dst_discard). */
export function dstDiscard(skb: SkBuff): number {
  skb.free('dst_discard')
  return 0
}

/** Drops a packet that should have been delivered here, not sent (ip_rt_bug). */
export function ipRtBug(skb: SkBuff): number {
  skb.free('ip_rt_bug')
  return 0
}

/** @returns a route that nobody has yet (rt_dst_alloc) */
export function rtDstAlloc(dev: NetDevice, flags: number, type: number): Rtable {
  return new Rtable(
    dev,
    flags,
    type,
    (flags & RTCF_LOCAL) !== 0 ? routePath.localDeliver : dstDiscard,
    routePath.output,
  )
}

/** @returns whether a kept route is still what a lookup would give (rt_cache_valid) */
export function rtCacheValid(rt: Rtable | undefined): rt is Rtable {
  return rt !== undefined && !rt.obsolete
}

/** Keeps a route at its next hop, in place of an older one (rt_cache_route). */
export function rtCacheRoute(nhc: FibNh, rt: Rtable): void {
  if (rt.isInput) {
    nhc.rthInput?.kill()
    nhc.rthInput = rt
  } else {
    nhc.rthOutput?.kill()
    nhc.rthOutput = rt
  }
}

function setClassTag(rt: Rtable, tag: number): void {
  if ((rt.tclassid & 0xffff) === 0) rt.tclassid |= tag & 0xffff
  if ((rt.tclassid & 0xffff0000) === 0) rt.tclassid |= tag & 0xffff0000
}

/**
 * Gives a fresh route its next hop, metrics and what was learned about the destination (rt_set_nexthop).
 * @param fi undefined for a destination taken to be on the link @param itag the source's realms
 */
export function rtSetNexthop(
  rt: Rtable,
  daddr: number,
  res: FibResult,
  fnhe: FibNhException | undefined,
  fi: FibInfo | undefined,
  itag: number,
  doCache: boolean,
): void {
  if (fi === undefined) return
  const nhc = res.nhc!
  if (nhc.gwFamily !== 0 && nhc.scope === RT_SCOPE_LINK) {
    rt.usesGateway = true
    if (nhc.gwFamily === AF_INET) rt.gateway = nhc.gw4
    else if (nhc.gwFamily === AF_INET6) rt.gateway6 = nhc.gw6
  }
  rt.metrics = fi.metrics
  rt.tclassid = nhc.tclassid
  let cached = false
  if (fnhe !== undefined) cached = rtBindException(rt, fnhe, daddr, doCache)
  else if (doCache) {
    rtCacheRoute(nhc, rt)
    cached = true
  }
  if (!cached && rt.gateway === 0 && rt.gateway6 === undefined) rt.gateway = daddr
  setClassTag(rt, res.tclassid)
  setClassTag(rt, itag)
}
