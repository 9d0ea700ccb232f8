/** Routes of tables as rtnetlink shows them, and telling listeners of them. */
import {
  type RouteMessage,
  type RouteNexthop,
  type RTM_DELROUTE,
  type RTM_NEWROUTE,
  RTN_BLACKHOLE,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  RTNH_F_OFFLOAD,
  RTNH_F_ONLINK,
  RTNH_F_TRAP,
  RTNLGRP_IPV4_ROUTE,
} from '../../uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import type { FibAlias } from './fib_alias.ts'
import type { FibNh } from './fib_info.ts'
import { fibInfoNhc, fibInfoNumPath } from './fib_semantics.ts'
import { ipIgnoreLinkdown } from './in_device.ts'
import { addrToBytes } from './inet_addr.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { nexthopIsBlackhole, nexthopWeight } from './nexthop.ts'

/** The 8-bit table number of tables that need more: user space looks at RTA_TABLE. */
export const RT_TABLE_COMPAT = 252

/** @returns a next hop's flags as user space sees them: dead where its link is down and that counts (fib_nexthop_info) */
export function nexthopFlags(nhc: FibNh): number {
  let flags = nhc.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN | RTNH_F_ONLINK | RTNH_F_OFFLOAD | RTNH_F_TRAP)
  if ((flags & RTNH_F_LINKDOWN) !== 0 && nhc.dev !== undefined && ipIgnoreLinkdown(nhc.dev)) flags |= RTNH_F_DEAD
  return flags
}

/** @returns a gateway as the attributes of an IPv4 route have it */
function gatewayAttrs(nhc: FibNh): Pick<RouteNexthop, 'gateway' | 'via' | 'encap'> {
  return {
    ...(nhc.gwFamily === AF_INET ? { gateway: addrToBytes(nhc.gw4) } : {}),
    ...(nhc.gwFamily === AF_INET6 ? { via: { family: AF_INET6, addr: nhc.gw6!.slice() } } : {}),
    ...(nhc.encap === undefined ? {} : { encap: nhc.encap }),
  }
}

/** @returns one leg of a multipath route (fib_add_nexthop) */
export function fibAddNexthop(nhc: FibNh, weight: number): RouteNexthop {
  return {
    flags: nexthopFlags(nhc),
    hops: weight - 1,
    ifindex: nhc.dev?.ifindex ?? 0,
    ...gatewayAttrs(nhc),
    ...(nhc.tclassid !== 0 ? { flow: nhc.tclassid } : {}),
  }
}

/** @returns a route as netlink shows it (fib_dump_info) */
export function fibDumpInfo(
  type: typeof RTM_NEWROUTE | typeof RTM_DELROUTE,
  key: number,
  fa: FibAlias,
  tbId: number,
  flags: number,
): RouteMessage {
  const fi = fa.info
  const msg: RouteMessage = {
    type,
    flags,
    family: AF_INET,
    dstLen: 32 - fa.slen,
    srcLen: 0,
    tos: fa.tos,
    table: tbId < 256 ? tbId : RT_TABLE_COMPAT,
    protocol: fi.protocol,
    scope: fi.scope,
    rtType: fa.type,
    rtmFlags: fi.flags,
    attrs: { table: tbId },
  }
  const { attrs } = msg
  if (fa.slen < 32) attrs.dst = addrToBytes(key)
  if (fi.priority !== 0) attrs.priority = fi.priority
  const metrics = fi.metrics.toNetlink()
  if (metrics !== undefined) attrs.metrics = metrics
  if (fi.prefsrc !== 0) attrs.prefsrc = addrToBytes(fi.prefsrc)
  if (fi.nh !== undefined) {
    attrs.nhId = fi.nh.id
    if (nexthopIsBlackhole(fi.nh)) msg.rtType = RTN_BLACKHOLE
    if (fi.net.at(ipv4Key).nexthopCompatMode === 0) return msg
  }
  const paths = fibInfoNumPath(fi)
  if (paths === 1) {
    const nhc = fibInfoNhc(fi, 0)
    msg.rtmFlags = nexthopFlags(nhc)
    Object.assign(attrs, gatewayAttrs(nhc))
    if (nhc.dev !== undefined) attrs.oif = nhc.dev.ifindex
    if (nhc.tclassid !== 0) attrs.flow = nhc.tclassid
  } else {
    attrs.multipath = []
    for (let i = 0; i < paths; i++) {
      const nhc = fibInfoNhc(fi, i)
      attrs.multipath.push(fibAddNexthop(nhc, fi.nh === undefined ? nhc.weight : nexthopWeight(fi.nh, i)))
    }
  }
  return msg
}

/** Tells listeners that a route has come, changed or gone (rtmsg_fib). @param flags NLM_F_… of the message */
export function rtmsgFib(
  net: Net,
  type: typeof RTM_NEWROUTE | typeof RTM_DELROUTE,
  key: number,
  fa: FibAlias,
  tbId: number,
  flags: number,
): void {
  net.kernel.rtnl.notify(net, RTNLGRP_IPV4_ROUTE, () => fibDumpInfo(type, key, fa, tbId, flags))
}
