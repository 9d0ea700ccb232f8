/**
 * Choosing a route among those of a prefix: by metric, output device, router preference (RFC 4191) and whether the
 * router answers; and one leg of a multipath route by the flow's hash.
 */
import { NUD_FAILED, RTN_BLACKHOLE, RTNH_F_DEAD, RTNH_F_LINKDOWN } from '../../uapi/rtnetlink.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import { NUD_VALID } from '../core/neighbour.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { addrAny, type In6Addr } from './addr.ts'
import { IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN, IPV6_DEVCONF_ROUTER_PROBE_INTERVAL } from './devconf.ts'
import type { Fib6Result } from './fib6_result.ts'
import { type Fib6Node, fib6Backtrack, fib6NodeLookup } from './fib6_trie.ts'
import { type Flowi6, RT6_LOOKUP_F_IFACE, RT6_LOOKUP_F_IGNORE_LINKSTATE, RT6_LOOKUP_F_REACHABLE } from './flowi6.ts'
import { in6Dev } from './if_inet6.ts'
import { ipv6ChkAddr } from './inet6_addr.ts'
import {
  type Fib6Info,
  type Fib6Nh,
  type Fib6Table,
  hasExpired,
  prefOfFlags,
  qualifiesForEcmp,
  RTF_NONEXTHOP,
  RTF_REJECT,
} from './ip6_fib.ts'
import { ndiscProbeRouter, ndTblLookup } from './ndisc.ts'
import { nexthopIsBlackhole, nexthopIsMultipath, nexthopLegs, nexthopSelectPath } from './nexthop6.ts'
import { rt6MultipathHash } from './route_hash.ts'

/** A router that does not answer, but that may be probed. */
const FAIL_PROBE = -2
const FAIL_HARD = -3

/** The best score so far while the routes of a prefix are compared. */
let best = -1

/**
 * Looks a flow up in one table (fib6_table_lookup).
 * @param strict RT6_LOOKUP_F_… @param res gets the route; its `rt` is undefined where there is none
 */
export function fib6TableLookup(
  net: Net,
  table: Fib6Table,
  oif: number,
  fl6: Flowi6,
  res: Fib6Result,
  strict: number,
): void {
  const now = net.kernel.clock.now
  res.clear()
  const first = fib6NodeLookup(table.root, fl6.daddr, fl6.saddr)
  for (let wanted = strict; ; wanted &= ~RT6_LOOKUP_F_REACHABLE) {
    for (let node = first; node !== undefined; node = fib6Backtrack(node, fl6.saddr)) {
      res.clear()
      select(net, node, oif, res, wanted, now)
      if (res.rt !== undefined) break
    }
    if (res.rt !== undefined || (wanted & RT6_LOOKUP_F_REACHABLE) === 0) break
  }
  const trace = net.kernel.trace.fib6TableLookup
  if (trace.enabled) trace.fire(table.id, fl6.daddr, res.rt === undefined ? -101 : 0)
}

/** Compares the routes of the smallest metric first, then, where none fits, all others (rt6_select, find_rr_leaf). */
function select(net: Net, node: Fib6Node, oif: number, res: Fib6Result, strict: number, now: number): void {
  const { leaf } = node
  if (leaf === undefined) return
  best = -1
  const { metric } = leaf
  let at: Fib6Info | undefined = leaf
  for (; at !== undefined && at.metric === metric; at = at.next) consider(net, at, oif, res, strict, now)
  if (res.rt !== undefined) return
  for (; at !== undefined; at = at.next) consider(net, at, oif, res, strict, now)
}

function consider(net: Net, rt: Fib6Info, oif: number, res: Fib6Result, strict: number, now: number): void {
  if (hasExpired(rt, now)) return
  if (rt.nhObject === undefined) {
    if (better(net, rt.nh!, rt.flags, oif, strict)) res.take(rt, rt.nh!)
    return
  }
  if (nexthopIsBlackhole(rt.nhObject)) {
    res.rt = rt
    res.nh = nexthopLegs(rt.nhObject)[0]
    res.type = RTN_BLACKHOLE
    res.flags = RTF_REJECT
    return
  }
  for (const nh of nexthopLegs(rt.nhObject))
    if (better(net, nh, rt.flags, oif, strict)) {
      res.take(rt, nh)
      return
    }
}

/** @returns whether a next hop fits better than what was found so far (find_match) */
function better(net: Net, nh: Fib6Nh, flags: number, oif: number, strict: number): boolean {
  if ((nh.flags & RTNH_F_DEAD) !== 0) return false
  if (
    (nh.flags & RTNH_F_LINKDOWN) !== 0 &&
    (strict & RT6_LOOKUP_F_IGNORE_LINKSTATE) === 0 &&
    in6Dev(nh.dev)?.cnf.data[IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN] === 1
  )
    return false
  const score = scoreRoute(nh, flags, oif, strict)
  if (score === FAIL_HARD) return false
  if ((strict & RT6_LOOKUP_F_REACHABLE) !== 0 && nh.gw !== undefined) probe(net, nh, nh.gw)
  if (score <= best) return false
  best = score
  return true
}

/** @returns how well a next hop fits: higher is better, negative not at all (rt6_score_route) */
export function scoreRoute(nh: Fib6Nh, flags: number, oif: number, strict: number): number {
  let score = oif === 0 || nh.dev.ifindex === oif ? 2 : 0
  if (score === 0 && (strict & RT6_LOOKUP_F_IFACE) !== 0) return FAIL_HARD
  // medium, high, low come as 0, 1, 3
  score |= (prefOfFlags(flags) ^ 2) << 2
  if ((strict & RT6_LOOKUP_F_REACHABLE) !== 0 && (flags & RTF_NONEXTHOP) === 0 && nh.gw !== undefined) {
    const neigh = ndTblLookup(nh.dev, nh.gw)
    if (neigh !== undefined && (neigh.nudState & NUD_VALID) === 0 && (neigh.nudState & NUD_FAILED) !== 0)
      return FAIL_PROBE
  }
  return score
}

/** Asks a router that is not known to answer, now and then, whether it does (RFC 4191 §3.5). */
function probe(net: Net, nh: Fib6Nh, gw: In6Addr): void {
  const idev = in6Dev(nh.dev)
  if (idev === undefined) return
  const { now } = net.kernel.clock
  const interval = idev.cnf.data[IPV6_DEVCONF_ROUTER_PROBE_INTERVAL]! * NSEC_PER_SEC
  const neigh = ndTblLookup(nh.dev, gw)
  if (neigh === undefined) {
    if (now <= nh.lastProbe + interval) return
  } else if ((neigh.nudState & NUD_VALID) !== 0 || now <= neigh.updated + interval) return
  nh.lastProbe = now
  ndiscProbeRouter(nh.dev, gw)
}

/**
 * Chooses the leg of a multipath route (fib6_select_path).
 * @param skb the packet, where there is one; its inner addresses may count for the hash
 */
export function fib6SelectPath(
  net: Net,
  res: Fib6Result,
  fl6: Flowi6,
  oif: number,
  haveOifMatch: boolean,
  skb: SkBuff | undefined,
  strict: number,
): void {
  const match = res.rt!
  if (match.nhObject === undefined) {
    if (match.group === undefined || haveOifMatch) return
  } else if (haveOifMatch && res.nh !== undefined) return
  if (fl6.mpHash === 0 && (match.nhObject === undefined || nexthopIsMultipath(match.nhObject)))
    fl6.mpHash = rt6MultipathHash(net, fl6, skb)
  if (match.nhObject !== undefined) {
    if (nexthopIsBlackhole(match.nhObject)) return
    res.nh = nexthopSelectPath(match.nhObject, fl6.mpHash) ?? res.nh
    return
  }
  const group = match.group!
  for (let i = 0; i < group.length; i++) {
    const leg = group[i]!
    if (fl6.mpHash > leg.nh!.upperBound) continue
    if (scoreRoute(leg.nh!, leg.flags, oif, strict) >= 0) res.take(leg, leg.nh!)
    return
  }
}

/** @returns whether a route's next hop leads out of `oif`, or for oif 0 out of the device of `saddr` */
function deviceMatch(net: Net, nh: Fib6Nh, saddr: In6Addr, oif: number, flags: number): boolean {
  if ((nh.flags & RTNH_F_DEAD) !== 0) return false
  return oif !== 0 ? nh.dev.ifindex === oif : ipv6ChkAddr(net, saddr, nh.dev, (flags & RT6_LOOKUP_F_IFACE) !== 0)
}

/** Narrows a node's routes to those of a device or of the source address's device (rt6_device_match). */
export function rt6DeviceMatch(
  net: Net,
  first: Fib6Info,
  res: Fib6Result,
  saddr: In6Addr,
  oif: number,
  flags: number,
): void {
  res.clear()
  const legs = (rt: Fib6Info): readonly Fib6Nh[] =>
    rt.nhObject === undefined ? [rt.nh!] : nexthopIsBlackhole(rt.nhObject) ? [] : nexthopLegs(rt.nhObject)
  const fallback = (): void => {
    const nh = first.nhObject === undefined ? first.nh! : nexthopLegs(first.nhObject)[0]
    if (nh === undefined || (nh.flags & RTNH_F_DEAD) !== 0) return
    res.take(first, nh)
    if (first.nhObject !== undefined && nexthopIsBlackhole(first.nhObject)) {
      res.flags = (res.flags | RTF_REJECT) >>> 0
      res.type = RTN_BLACKHOLE
    }
  }
  if (oif === 0 && addrAny(saddr)) {
    fallback()
    if (res.rt !== undefined) return
  }
  for (let rt: Fib6Info | undefined = first; rt !== undefined; rt = rt.next)
    for (const nh of legs(rt))
      if (deviceMatch(net, nh, saddr, oif, flags)) {
        res.take(rt, nh)
        return
      }
  if (oif !== 0 && (flags & RT6_LOOKUP_F_IFACE) !== 0) return
  fallback()
}

/** @returns the first leg of a multipath route as its node lists it */
export function firstSibling(rt: Fib6Info): Fib6Info | undefined {
  for (let at = rt.node?.leaf; at !== undefined; at = at.next)
    if (at.metric === rt.metric && qualifiesForEcmp(at)) return at
  return undefined
}
