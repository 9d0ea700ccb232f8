/** Routes of IPv6 as rtnetlink messages, for answers, lists and notifications (rt6_fill_node). */
import {
  type RouteMessage,
  type RouteNexthop,
  RTM_DELROUTE,
  RTM_F_CLONED,
  RTM_NEWROUTE,
  RTN_BLACKHOLE,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  RTNH_F_OFFLOAD,
  RTNH_F_ONLINK,
  RTNH_F_TRAP,
  RTNLGRP_IPV6_ROUTE,
} from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import { NSEC_PER_SEC, USER_HZ } from '../core/clock.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { ipv4Key } from '../ipv4/netns_ipv4.ts'
import type { In6Addr } from './addr.ts'
import { IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN } from './devconf.ts'
import { in6Dev } from './if_inet6.ts'
import { type Fib6Info, type Fib6Nh, fib6Key, prefOfFlags, RTF_CACHE, RTF_EXPIRES, RTF_GATEWAY } from './ip6_fib.ts'
import { nexthopIsBlackhole, nexthopIsMultipath, nexthopLegs, nexthopWeightedLegs } from './nexthop6.ts'
import type { Rt6Info } from './rt6_info.ts'
import { ip6RouteGetSaddr } from './saddr.ts'

/** What a message tells beside the route itself. */
export interface FillOptions {
  readonly type: typeof RTM_NEWROUTE | typeof RTM_DELROUTE
  readonly flags?: number
  /** a dst instead of the route: an exception, or a lookup's result */
  readonly dst?: Rt6Info
  /** the addresses that were looked up */
  readonly dest?: In6Addr
  readonly src?: In6Addr
  readonly iif?: number
}

/** Hundredths of a second. */
function clockT(ns: number): number {
  return Math.trunc((ns * USER_HZ) / NSEC_PER_SEC)
}

/** @returns flags of a next hop for user space (fib_nexthop_info) */
function nexthopFlags(nh: Fib6Nh): number {
  let flags = nh.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN | RTNH_F_ONLINK | RTNH_F_OFFLOAD | RTNH_F_TRAP)
  const ignored = in6Dev(nh.dev)?.cnf.data[IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN] === 1
  if ((flags & RTNH_F_LINKDOWN) !== 0 && ignored) flags |= RTNH_F_DEAD
  return flags
}

function leg(nh: Fib6Nh, weight: number): RouteNexthop {
  const out: RouteNexthop = { flags: nexthopFlags(nh), hops: weight - 1, ifindex: nh.dev.ifindex }
  if (nh.gw !== undefined) out.gateway = nh.gw
  if (nh.encap !== undefined) out.encap = nh.encap
  return out
}

function single(msg: RouteMessage, nh: Fib6Nh): void {
  msg.rtmFlags |= nexthopFlags(nh)
  if (nh.gw !== undefined) msg.attrs.gateway = nh.gw
  msg.attrs.oif = nh.dev.ifindex
  if (nh.encap !== undefined) msg.attrs.encap = nh.encap
}

/** @returns a route as a message */
export function fillRoute(net: Net, rt: Fib6Info, options: FillOptions): RouteMessage {
  const { dst } = options
  const flags = dst?.rtFlags ?? rt.flags
  const { now } = net.kernel.clock
  const table = rt.table.id
  const msg: RouteMessage = {
    type: options.type,
    flags: options.flags ?? 0,
    family: AF_INET6,
    dstLen: dst?.dstLen ?? rt.dstLen,
    srcLen: dst?.srcLen ?? rt.srcLen,
    tos: 0,
    table: table < 256 ? table : 252,
    protocol: rt.protocol,
    scope: 0,
    rtType: rt.type,
    rtmFlags: (flags & RTF_CACHE) !== 0 ? RTM_F_CLONED : 0,
    attrs: { table },
  }
  const { attrs } = msg
  if (options.dest !== undefined) {
    attrs.dst = options.dest
    msg.dstLen = 128
  } else if (msg.dstLen > 0) attrs.dst = dst?.dst ?? rt.dst
  if (options.src !== undefined) {
    attrs.src = options.src
    msg.srcLen = 128
  } else if (msg.srcLen > 0) attrs.src = dst?.src ?? rt.src
  if (options.iif !== undefined && options.iif !== 0) attrs.iif = options.iif
  else if (options.dest !== undefined) {
    const saddr = new Uint8Array(16)
    if (ip6RouteGetSaddr(net, rt, options.dest, 0, saddr) === 0) attrs.prefsrc = saddr
  }
  if (rt.prefsrc !== undefined) attrs.prefsrc = rt.prefsrc
  const metrics = rt.metrics.toNetlink()
  if (dst !== undefined && dst.pmtu !== 0) attrs.metrics = { ...metrics, mtu: dst.pmtu }
  else if (metrics !== undefined) attrs.metrics = metrics
  attrs.priority = rt.metric
  if (dst !== undefined) {
    if ((flags & RTF_GATEWAY) !== 0) attrs.gateway = dst.gateway!
    attrs.oif = dst.dev.ifindex
  } else if (rt.group !== undefined) {
    const { group } = rt
    const from = group.indexOf(rt)
    attrs.multipath = group.map((_, i) => {
      const { nh } = group[(from + i) % group.length]!
      return leg(nh!, nh!.weight)
    })
  } else if (rt.nhObject !== undefined) fillObject(net, rt, msg)
  else single(msg, rt.nh!)
  let expires = 0
  if ((flags & RTF_EXPIRES) !== 0) expires = clockT((dst === undefined ? rt.expires : dst.expires) - now)
  attrs.cacheinfo = {
    clntref: dst === undefined ? 0 : 1,
    lastuse: dst === undefined ? 0 : clockT(now - dst.lastUse),
    expires,
    error: dst?.error ?? 0,
    used: 0,
    id: 0,
    ts: 0,
    tsage: 0,
  }
  attrs.pref = prefOfFlags(flags)
  return msg
}

function fillObject(net: Net, rt: Fib6Info, msg: RouteMessage): void {
  const object = rt.nhObject!
  msg.attrs.nhId = object.id
  const blackhole = nexthopIsBlackhole(object)
  if (blackhole) msg.rtType = RTN_BLACKHOLE
  if (net.at(ipv4Key).nexthopCompatMode === 0) return
  const legs = nexthopWeightedLegs(object)
  if (nexthopIsMultipath(object)) msg.attrs.multipath = legs.map(({ nh, weight }) => leg(nh, weight))
  else if (legs[0] !== undefined) single(msg, legs[0].nh)
}

/** @returns whether one of a route's next hops is a device */
export function usesDevice(rt: Fib6Info, dev: NetDevice): boolean {
  if (rt.nhObject !== undefined) return nexthopLegs(rt.nhObject).some(nh => nh.dev === dev)
  return (rt.group ?? [rt]).some(part => part.nh!.dev === dev)
}

/** @returns what was learned about single destinations behind a route */
export function exceptionsOf(rt: Fib6Info): { nh: Fib6Nh; dst: Rt6Info }[] {
  const legs = rt.nhObject === undefined ? [rt.nh!] : nexthopLegs(rt.nhObject)
  return legs.flatMap(nh => (nh.exceptions?.all() ?? []).map(dst => ({ nh, dst })))
}

/** Tells listeners of a route that came or went (inet6_rt_notify). @param flags NLM_F_… of the message */
export function inet6RtNotify(net: Net, event: 'new' | 'del', rt: Fib6Info, flags: number): void {
  const type = event === 'new' ? RTM_NEWROUTE : RTM_DELROUTE
  net.kernel.rtnl.notify(net, RTNLGRP_IPV6_ROUTE, () => fillRoute(net, rt, { type, flags }))
}

/** Wires a namespace's tables to its listeners. */
export function fib6NotifyInit(net: Net): void {
  net.at(fib6Key).notify = (event, rt, flags) => inet6RtNotify(net, event, rt, flags)
}
