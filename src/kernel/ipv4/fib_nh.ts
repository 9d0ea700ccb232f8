/**
 * Next hops of IPv4 routes: reading them from a request, checking that they can be reached (the gateway must be nearer
 * than what lies behind it), sharing the hash space among the legs of a multipath route.
 */
import { Errno } from '../../uapi/errno.ts'
import { IFF_UP } from '../../uapi/if.ts'
import {
  type RouteNexthop,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_TABLE_MAIN,
  RTN_LOCAL,
  RTN_UNICAST,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  RTNH_F_ONLINK,
  RTNH_F_PERVASIVE,
} from '../../uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { inetSelectAddr } from './devinet_select.ts'
import { FIB_LOOKUP_IGNORE_LINKSTATE, FibConfig, type FibInfo, FibNh, FibResult } from './fib_info.ts'
import { fibLookup, inetAddrTypeDevTable } from './fib_lookup.ts'
import { fibKey } from './fib_table.ts'
import { Flowi4 } from './flow.ts'
import { inetdevByIndex, ipIgnoreLinkdown } from './in_device.ts'
import { addrFromBytes } from './inet_addr.ts'
import { rtStateKey } from './rtable.ts'

/** A lightweight tunnel type cannot be used: whether one of this name exists, see lwtunnel. */
export type EncapCheck = (net: Net, type: string, extack: NetlinkExtAck) => number

let checkEncap: EncapCheck = (_net, _type, extack) => extack.fail(-Errno.EOPNOTSUPP, 'LWT encap type not supported')

/** Used by lightweight tunnels: replaces the answer "there is none". */
export function registerEncapCheck(check: EncapCheck): void {
  checkEncap = check
}

/** Checks an IPv6 gateway of an IPv4 route (RFC 5549) and gives the next hop its device. */
export type Gateway6Check = (net: Net, nh: FibNh, table: number, extack: NetlinkExtAck) => number

let checkGateway6: Gateway6Check = (_net, _nh, _table, extack) =>
  extack.fail(-Errno.EAFNOSUPPORT, 'IPv6 support not enabled in kernel')

/** Used by IPv6. */
export function registerGateway6Check(check: Gateway6Check): void {
  checkGateway6 = check
}

/** Fills a gateway in from RTA_VIA (fib_gw_from_via). */
export function fibGwFromVia(
  cfg: FibConfig,
  via: { readonly family: number; readonly addr: Uint8Array },
  extack: NetlinkExtAck,
): number {
  if (via.family === AF_INET) {
    if (via.addr.length !== 4) return extack.fail(-Errno.EINVAL, 'Invalid IPv4 address in RTA_VIA')
    cfg.gwFamily = AF_INET
    cfg.gw4 = addrFromBytes(via.addr)
    return 0
  }
  if (via.family === AF_INET6) {
    if (via.addr.length !== 16) return extack.fail(-Errno.EINVAL, 'Invalid IPv6 address in RTA_VIA')
    cfg.gwFamily = AF_INET6
    cfg.gw6 = via.addr.slice()
    return 0
  }
  return extack.fail(-Errno.EINVAL, 'Unsupported address family in RTA_VIA')
}

/** Fills in a next hop as asked for (fib_nh_init). */
export function fibNhInit(nh: FibNh, cfg: FibConfig, weight: number, extack: NetlinkExtAck): number {
  if (cfg.encap !== undefined) {
    const rc = checkEncap(cfg.net, cfg.encap.type, extack)
    if (rc < 0) return rc
    nh.encap = cfg.encap
  }
  nh.oif = cfg.oif
  nh.gwFamily = cfg.gwFamily
  if (cfg.gwFamily === AF_INET) nh.gw4 = cfg.gw4
  else if (cfg.gwFamily === AF_INET6) nh.gw6 = cfg.gw6
  nh.flags = cfg.flags
  nh.tclassid = cfg.flow
  nh.weight = weight
  if (cfg.flow !== 0) cfg.net.at(fibKey).numTclassidUsers++
  return 0
}

/** A next hop goes (fib_nh_release). */
export function fibNhRelease(net: Net, nh: FibNh): void {
  if (nh.tclassid !== 0) net.at(fibKey).numTclassidUsers--
  nh.rthInput = nh.rthOutput = undefined
  nh.exceptions = undefined
}

/** Fills a route's legs in from RTA_MULTIPATH (fib_get_nhs). */
export function fibGetNhs(fi: FibInfo, legs: readonly RouteNexthop[], cfg: FibConfig, extack: NetlinkExtAck): number {
  for (const leg of legs) {
    if ((leg.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) !== 0)
      return extack.fail(-Errno.EINVAL, 'Invalid flags for nexthop - can not contain DEAD or LINKDOWN')
    const one = new FibConfig(cfg.net)
    one.flags = (cfg.flags & ~0xff) | leg.flags
    one.oif = leg.ifindex
    if (leg.gateway !== undefined && leg.via !== undefined)
      return extack.fail(-Errno.EINVAL, 'Nexthop configuration can not contain both GATEWAY and VIA')
    if (leg.gateway !== undefined) {
      if (leg.gateway.length < 4) return extack.fail(-Errno.EINVAL, 'Invalid IPv4 address in RTA_GATEWAY')
      one.gw4 = addrFromBytes(leg.gateway)
      if (one.gw4 !== 0) one.gwFamily = AF_INET
    } else if (leg.via !== undefined) {
      const rc = fibGwFromVia(one, leg.via, extack)
      if (rc < 0) return rc
    }
    one.flow = leg.flow ?? 0
    one.encap = leg.encap
    const nh = new FibNh()
    nh.parent = fi
    const rc = fibNhInit(nh, one, leg.hops + 1, extack)
    if (rc < 0) return rc
    fi.nhs.push(nh)
  }
  const first = fi.nhs[0]!
  if (cfg.oif !== 0 && first.oif !== cfg.oif)
    return extack.fail(-Errno.EINVAL, 'Nexthop device index does not match RTA_OIF')
  if (cfg.gwFamily !== 0 && !sameGateway(first, cfg))
    return extack.fail(-Errno.EINVAL, 'Nexthop gateway does not match RTA_GATEWAY or RTA_VIA')
  if (cfg.flow !== 0 && first.tclassid !== cfg.flow)
    return extack.fail(-Errno.EINVAL, 'Nexthop class id does not match RTA_FLOW')
  return 0
}

/** @returns whether two 16-byte addresses are the same */
export function sameAddr6(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  for (let i = 0; i < 16; i++) if (a[i] !== b[i]) return false
  return true
}

/** @returns whether a next hop goes by the gateway a request names */
export function sameGateway(
  nh: { readonly gwFamily: number; readonly gw4: number; readonly gw6: Uint8Array | undefined },
  cfg: { readonly gwFamily: number; readonly gw4: number; readonly gw6: Uint8Array | undefined },
): boolean {
  if (nh.gwFamily !== cfg.gwFamily) return false
  if (nh.gwFamily === AF_INET) return nh.gw4 === cfg.gw4
  return nh.gwFamily !== AF_INET6 || sameAddr6(nh.gw6, cfg.gw6)
}

const gwFlow = new Flowi4()
const gwRes = new FibResult()

/** A gateway of IPv4: it must be on a link, or behind a route nearer than this one (fib_check_nh_v4_gw). */
function checkGateway4(net: Net, nh: FibNh, table: number, scope: number, extack: NetlinkExtAck): number {
  if ((nh.flags & RTNH_F_ONLINK) !== 0) {
    if (scope >= RT_SCOPE_LINK) return extack.fail(-Errno.EINVAL, 'Nexthop has invalid scope')
    const dev = net.devByIndex(nh.oif)
    if (dev === undefined) return extack.fail(-Errno.ENODEV, 'Nexthop device required for onlink')
    if ((dev.flags & IFF_UP) === 0) return extack.fail(-Errno.ENETDOWN, 'Nexthop device is not up')
    if (inetAddrTypeDevTable(net, dev, nh.gw4) !== RTN_UNICAST)
      return extack.fail(-Errno.EINVAL, 'Nexthop has invalid gateway')
    if (!dev.carrier) nh.flags |= RTNH_F_LINKDOWN
    nh.dev = dev
    nh.scope = RT_SCOPE_LINK
    return 0
  }
  const fl4 = gwFlow.clear()
  const res = gwRes
  fl4.daddr = nh.gw4
  fl4.scope = Math.max(scope + 1, RT_SCOPE_LINK)
  fl4.oif = nh.oif
  fl4.iif = net.loopback.ifindex
  res.clear()
  const own = table !== 0 && table !== RT_TABLE_MAIN ? net.at(fibKey).getTable(table) : undefined
  let err = own === undefined ? -Errno.EAGAIN : own.lookup(fl4, res, FIB_LOOKUP_IGNORE_LINKSTATE)
  // a gateway of another table may still be reachable by the ordinary ones, the local one above all
  if (err !== 0) err = fibLookup(net, fl4, res, FIB_LOOKUP_IGNORE_LINKSTATE)
  if (err !== 0) return extack.fail(err, 'Nexthop has invalid gateway')
  if (res.type !== RTN_UNICAST && res.type !== RTN_LOCAL)
    return extack.fail(-Errno.EINVAL, 'Nexthop has invalid gateway')
  const { dev } = res
  nh.scope = res.scope
  nh.oif = dev?.ifindex ?? 0
  nh.dev = dev
  if (dev === undefined) return extack.fail(-Errno.EINVAL, 'No egress device for nexthop gateway')
  if (!dev.carrier) nh.flags |= RTNH_F_LINKDOWN
  return (dev.flags & IFF_UP) !== 0 ? 0 : -Errno.ENETDOWN
}

/** A destination on the link: only the device counts (fib_check_nh_nongw). */
function checkDevice(net: Net, nh: FibNh, extack: NetlinkExtAck): number {
  if ((nh.flags & (RTNH_F_PERVASIVE | RTNH_F_ONLINK)) !== 0)
    return extack.fail(-Errno.EINVAL, 'Invalid flags for nexthop - PERVASIVE and ONLINK can not be set')
  const inDev = inetdevByIndex(net, nh.oif)
  if (inDev === undefined) return -Errno.ENODEV
  const { dev } = inDev
  if ((dev.flags & IFF_UP) === 0) return extack.fail(-Errno.ENETDOWN, 'Device for nexthop is not up')
  nh.dev = dev
  nh.scope = RT_SCOPE_HOST
  if (!dev.carrier) nh.flags |= RTNH_F_LINKDOWN
  return 0
}

/**
 * Checks a next hop and gives it its device and scope (fib_check_nh).
 * @param table where the route is @param scope the route's scope: the gateway's must be narrower
 */
export function fibCheckNh(net: Net, nh: FibNh, table: number, scope: number, extack: NetlinkExtAck): number {
  if (nh.gwFamily === AF_INET) return checkGateway4(net, nh, table, scope, extack)
  if (nh.gwFamily === AF_INET6) return checkGateway6(net, nh, table, extack)
  return checkDevice(net, nh, extack)
}

/** @returns whether a leg takes a share of the flows */
function usable(nh: FibNh): boolean {
  if ((nh.flags & RTNH_F_DEAD) !== 0) return false
  return (nh.flags & RTNH_F_LINKDOWN) === 0 || nh.dev === undefined || !ipIgnoreLinkdown(nh.dev)
}

/** Shares the hash space among the usable legs, by their weights (fib_rebalance). */
export function fibRebalance(fi: FibInfo): void {
  if (fi.nhs.length < 2) return
  let total = 0
  for (const nh of fi.nhs) if (usable(nh)) total += nh.weight
  let w = 0
  for (const nh of fi.nhs) {
    if (!usable(nh)) nh.upperBound = -1
    else {
      w += nh.weight
      nh.upperBound = Math.round((w * 0x80000000) / total) - 1
    }
  }
}

/** Chooses the source of packets by a next hop (fib_info_update_nhc_saddr). @returns it */
export function fibInfoUpdateNhcSaddr(net: Net, nh: FibNh, scope: number): number {
  if (nh.dev === undefined) return 0
  nh.saddr = inetSelectAddr(nh.dev, nh.gw4, scope)
  nh.saddrGenid = net.at(rtStateKey).addrGenid
  return nh.saddr
}

/** @returns the source that a route prefers: its own, or the best address of the device (fib_result_prefsrc) */
export function fibResultPrefsrc(net: Net, res: FibResult): number {
  const fi = res.fi!
  if (fi.prefsrc !== 0) return fi.prefsrc
  const nh = res.nhc!
  if (nh.saddrGenid === net.at(rtStateKey).addrGenid) return nh.saddr
  return fibInfoUpdateNhcSaddr(net, nh, fi.scope)
}
