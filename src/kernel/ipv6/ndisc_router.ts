/** Router advertisements (RFC 4861 §6.3.4): default routes, parameters of the link, prefixes, more specific routes. */

import { NLM_F_REPLACE } from '../../uapi/netlink.ts'
import { NTF_ROUTER, NUD_STALE, RT_TABLE_MAIN, RTN_UNICAST, RTPROT_RA } from '../../uapi/rtnetlink.ts'
import { NSEC_PER_MSEC, NSEC_PER_SEC } from '../core/clock.ts'
import type { DropReason } from '../core/dropreason.ts'
import { l3mdevFibTable } from '../core/l3mdev.ts'
import {
  NEIGH_UPDATE_F_ISROUTER,
  NEIGH_UPDATE_F_OVERRIDE,
  NEIGH_UPDATE_F_OVERRIDE_ISROUTER,
  NEIGH_UPDATE_F_WEAK_OVERRIDE,
  NEIGH_VAR_BASE_REACHABLE_TIME,
  NEIGH_VAR_GC_STALETIME,
  NEIGH_VAR_RETRANS_TIME,
  neighUpdate,
} from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { RTAX_HOPLIMIT, RTAX_MTU } from '../ipv4/fib_metrics.ts'
import { addrEqual, addrLinkLocalAt, addrPrefix, IN6ADDR_ANY, type In6Addr } from './addr.ts'
import { ipv6AcceptRa } from './addrconf_dad.ts'
import { inet6IfinfoNotify } from './addrconf_link.ts'
import { addrconfPrefixRcv } from './addrconf_prefix.ts'
import {
  IPV6_DEVCONF_ACCEPT_RA_DEFRTR,
  IPV6_DEVCONF_ACCEPT_RA_FROM_LOCAL,
  IPV6_DEVCONF_ACCEPT_RA_MIN_HOP_LIMIT,
  IPV6_DEVCONF_ACCEPT_RA_MIN_LFT,
  IPV6_DEVCONF_ACCEPT_RA_MTU,
  IPV6_DEVCONF_ACCEPT_RA_PINFO,
  IPV6_DEVCONF_ACCEPT_RA_RT_INFO_MAX_PLEN,
  IPV6_DEVCONF_ACCEPT_RA_RT_INFO_MIN_PLEN,
  IPV6_DEVCONF_ACCEPT_RA_RTR_PREF,
  IPV6_DEVCONF_HOP_LIMIT,
  IPV6_DEVCONF_MTU,
  IPV6_DEVCONF_RA_DEFRTR_METRIC,
} from './devconf.ts'
import { fib6Locate } from './fib6_trie.ts'
import {
  IF_RA_MANAGED,
  IF_RA_OTHERCONF,
  IF_RA_RCVD,
  IF_RS_SENT,
  INFINITY_LIFE_TIME,
  type Inet6Dev,
  in6Dev,
} from './if_inet6.ts'
import { ipv6ChkAddr } from './inet6_addr.ts'
import { get16, get32, IPV6_MIN_MTU, OFF_SADDR } from './ip6.ts'
import {
  cleanExpires,
  type Fib6Info,
  fib6Key,
  prefOfFlags,
  RTF_ADDRCONF,
  RTF_DEFAULT,
  RTF_EXPIRES,
  RTF_GATEWAY,
  RTF_PREF_MASK,
  RTF_ROUTEINFO,
  RTF_UP,
  rtfPref,
  setExpires,
} from './ip6_fib.ts'
import { metricsWith } from './metrics6.ts'
import { ndTblResolve } from './ndisc.ts'
import { type NdOptions, ndiscParseOptions, optAddrData } from './ndisc_msg.ts'
import { fib6Config, IP6_RT_PRIO_USER, ip6RouteAdd } from './route_add.ts'
import { rt6MtuChange } from './route_sync.ts'

/** Reserved value of the router preference (RFC 4191 §2.1). */
const PREF_INVALID = 2

/** @returns the default route by a router (rt6_get_dflt_router) */
function dfltRouter(net: Net, addr: In6Addr, dev: NetDevice): Fib6Info | undefined {
  const table = net.at(fib6Key).table(l3mdevFibTable(dev) || RT_TABLE_MAIN)
  const flags = RTF_ADDRCONF | RTF_DEFAULT
  for (let rt = table?.root.leaf; rt !== undefined; rt = rt.next) {
    const { nh } = rt
    if (nh?.dev === dev && (rt.flags & flags) === flags && nh.gw !== undefined && addrEqual(nh.gw, addr)) return rt
  }
  return undefined
}

/** Adds it (rt6_add_dflt_router). */
function addDfltRouter(net: Net, gateway: In6Addr, dev: NetDevice, pref: number, metric: number): Fib6Info | undefined {
  const table = l3mdevFibTable(dev) || RT_TABLE_MAIN
  const rc = ip6RouteAdd(
    net,
    fib6Config({
      table,
      metric,
      ifindex: dev.ifindex,
      flags: RTF_GATEWAY | RTF_ADDRCONF | RTF_DEFAULT | RTF_UP | RTF_EXPIRES | rtfPref(pref),
      protocol: RTPROT_RA,
      type: RTN_UNICAST,
      gateway: gateway.slice(),
    }),
    undefined,
  )
  if (rc === 0) net.at(fib6Key).newTable(table).hasDefaultRouter = true
  return dfltRouter(net, gateway, dev)
}

/** @returns the route to a prefix by a router (rt6_get_route_info) */
function routeInfo(net: Net, prefix: In6Addr, plen: number, gateway: In6Addr, dev: NetDevice): Fib6Info | undefined {
  const table = net.at(fib6Key).table(l3mdevFibTable(dev) || RT_TABLE_MAIN)
  if (table === undefined) return undefined
  for (let rt = fib6Locate(table, prefix, plen, IN6ADDR_ANY, 0)?.leaf; rt !== undefined; rt = rt.next) {
    const { nh } = rt
    if (nh?.dev !== dev || (rt.flags & RTF_ROUTEINFO) === 0) continue
    if (nh.gw !== undefined && addrEqual(nh.gw, gateway)) return rt
  }
  return undefined
}

/** A route information option (RFC 4191 §2.3; rt6_route_rcv). */
function routeRcv(dev: NetDevice, buf: Uint8Array, at: number, gateway: In6Addr): void {
  const { net } = dev
  const words = buf[at + 1]!
  const plen = buf[at + 2]!
  if (words > 3 || plen > 128 || (plen > 64 && words < 3) || (plen > 0 && words < 2)) return
  const pref = (buf[at + 3]! >> 3) & 3
  if (pref === PREF_INVALID) return
  const lifetime = get32(buf, at + 4)
  const whole = new Uint8Array(16)
  whole.set(buf.subarray(at + 8, at + words * 8))
  const prefix = addrPrefix(whole, plen)
  const fib = net.at(fib6Key)
  let rt = plen === 0 ? dfltRouter(net, gateway, dev) : routeInfo(net, prefix, plen, gateway, dev)
  if (rt !== undefined && lifetime === 0) {
    fib.del(rt)
    rt = undefined
  }
  if (rt === undefined && lifetime !== 0) {
    ip6RouteAdd(
      net,
      fib6Config({
        table: l3mdevFibTable(dev) || RT_TABLE_MAIN,
        metric: IP6_RT_PRIO_USER,
        ifindex: dev.ifindex,
        dst: prefix,
        dstLen: plen,
        flags: RTF_GATEWAY | RTF_ADDRCONF | RTF_ROUTEINFO | RTF_UP | rtfPref(pref) | (plen === 0 ? RTF_DEFAULT : 0),
        protocol: RTPROT_RA,
        type: RTN_UNICAST,
        gateway: gateway.slice(),
      }),
      undefined,
    )
    rt = routeInfo(net, prefix, plen, gateway, dev)
  } else if (rt !== undefined) rt.flags = (RTF_ROUTEINFO | (rt.flags & ~RTF_PREF_MASK) | rtfPref(pref)) >>> 0
  if (rt === undefined) return
  if (lifetime === INFINITY_LIFE_TIME) cleanExpires(rt)
  else {
    setExpires(rt, net.kernel.clock.now + lifetime * NSEC_PER_SEC)
    fib.startGc()
  }
}

/** The default route by the router that speaks comes, is renewed, or goes. @returns it */
function defaultRoute(idev: Inet6Dev, buf: Uint8Array, at: number, router: In6Addr): Fib6Info | undefined {
  const { dev } = idev
  const { net } = dev
  const { data } = idev.cnf
  if (data[IPV6_DEVCONF_ACCEPT_RA_DEFRTR] === 0) return undefined
  const lifetime = get16(buf, at + 6)
  if (lifetime !== 0 && lifetime < data[IPV6_DEVCONF_ACCEPT_RA_MIN_LFT]!) return undefined
  if (data[IPV6_DEVCONF_ACCEPT_RA_FROM_LOCAL] === 0 && ipv6ChkAddr(net, router, dev, false)) return undefined
  let pref = (buf[at + 5]! >> 3) & 3
  if (pref === PREF_INVALID || data[IPV6_DEVCONF_ACCEPT_RA_RTR_PREF] === 0) pref = 0
  const fib = net.at(fib6Key)
  const metric = data[IPV6_DEVCONF_RA_DEFRTR_METRIC]! >>> 0
  let rt = dfltRouter(net, router, dev)
  if (rt !== undefined && (lifetime === 0 || rt.metric !== metric)) {
    fib.del(rt)
    rt = undefined
  }
  if (rt === undefined && lifetime !== 0) {
    rt = addDfltRouter(net, router, dev, pref, metric)
    if (rt === undefined) return undefined
    const neigh = ndTblResolve(dev, router)
    if (neigh === undefined) {
      fib.del(rt)
      return undefined
    }
    neigh.flags |= NTF_ROUTER
  } else if (rt !== undefined && prefOfFlags(rt.flags) !== pref) {
    rt.flags = ((rt.flags & ~RTF_PREF_MASK) | rtfPref(pref)) >>> 0
    fib.notify('new', rt, NLM_F_REPLACE)
  }
  if (rt !== undefined) setExpires(rt, net.kernel.clock.now + lifetime * NSEC_PER_SEC)
  const hops = buf[at + 4]!
  const least = data[IPV6_DEVCONF_ACCEPT_RA_MIN_HOP_LIMIT]!
  if (least < 256 && hops !== 0 && least <= hops) {
    data[IPV6_DEVCONF_HOP_LIMIT] = hops
    if (rt !== undefined) rt.metrics = metricsWith(rt.metrics, RTAX_HOPLIMIT, hops)
    fib.sernum++
  }
  return rt
}

/** Takes the times of neighbour unreachability detection over. @returns whether something changed */
function linkTimes(idev: Inet6Dev, buf: Uint8Array, at: number): boolean {
  const { ndParms } = idev
  let changed = false
  const retrans = get32(buf, at + 12)
  if (retrans !== 0) {
    ndParms.set(NEIGH_VAR_RETRANS_TIME, Math.max(retrans * NSEC_PER_MSEC, NSEC_PER_SEC / 100))
    changed = true
  }
  const reachable = Math.max(get32(buf, at + 8) * NSEC_PER_MSEC, get32(buf, at + 8) === 0 ? 0 : NSEC_PER_SEC / 10)
  if (reachable !== 0 && reachable !== ndParms.data[NEIGH_VAR_BASE_REACHABLE_TIME]) {
    ndParms.set(NEIGH_VAR_BASE_REACHABLE_TIME, reachable)
    ndParms.set(NEIGH_VAR_GC_STALETIME, 3 * reachable)
    changed = true
  }
  if (changed) idev.tstamp = idev.dev.net.kernel.clock.now
  return changed
}

/** The MTU option. @returns whether the advertised MTU is another than before */
function linkMtu(idev: Inet6Dev, mtu: number, rt: Fib6Info | undefined): boolean {
  const { dev } = idev
  const changed = idev.raMtu !== mtu
  idev.raMtu = mtu
  if (mtu < IPV6_MIN_MTU || mtu > dev.mtu || idev.cnf.data[IPV6_DEVCONF_MTU] === mtu) return changed
  if (rt !== undefined) rt.metrics = metricsWith(rt.metrics, RTAX_MTU, mtu)
  rt6MtuChange(dev, mtu)
  idev.cnf.data[IPV6_DEVCONF_MTU] = mtu
  return changed
}

/** A router advertisement has come in (ndisc_router_discovery). */
export function ndiscRouterDiscovery(skb: SkBuff): DropReason | undefined {
  const { buf, networkHeader: nh, transportHeader: at, tail } = skb
  const dev = skb.dev!
  if (!addrLinkLocalAt(buf, nh + OFF_SADDR)) return 'NOT_SPECIFIED'
  if (tail - at < 16) return 'PKT_TOO_SMALL'
  const idev = in6Dev(dev)
  if (idev === undefined) return 'NOT_SPECIFIED'
  const options = ndiscParseOptions(buf, at + 16, tail)
  if (options === undefined) return 'NOT_SPECIFIED'
  const router = buf.slice(nh + OFF_SADDR, nh + OFF_SADDR + 16)
  let rt: Fib6Info | undefined
  let notify = false
  if (ipv6AcceptRa(idev)) {
    if ((idev.ifFlags & IF_RS_SENT) !== 0) idev.ifFlags |= IF_RA_RCVD
    const before = idev.ifFlags
    const bits = buf[at + 5]!
    idev.ifFlags =
      (before & ~(IF_RA_MANAGED | IF_RA_OTHERCONF)) |
      ((bits & 0x80) !== 0 ? IF_RA_MANAGED : 0) |
      ((bits & 0x40) !== 0 ? IF_RA_OTHERCONF : 0)
    if (idev.ifFlags !== before) notify = true
    rt = defaultRoute(idev, buf, at, router)
    if (linkTimes(idev, buf, at)) notify = true
  }
  let lladdr: Uint8Array | undefined
  if (options.srcLladdr !== 0) {
    lladdr = optAddrData(buf, options.srcLladdr, dev)
    if (lladdr === undefined) return 'NOT_SPECIFIED'
  }
  const neigh = ndTblResolve(dev, router)
  if (neigh !== undefined)
    neighUpdate(
      neigh,
      lladdr,
      NUD_STALE,
      NEIGH_UPDATE_F_WEAK_OVERRIDE |
        NEIGH_UPDATE_F_OVERRIDE |
        NEIGH_UPDATE_F_OVERRIDE_ISROUTER |
        NEIGH_UPDATE_F_ISROUTER,
    )
  if (!ipv6AcceptRa(idev)) return undefined
  routeOptions(idev, buf, options, router)
  if (idev.cnf.data[IPV6_DEVCONF_ACCEPT_RA_PINFO] !== 0)
    for (const option of options.prefixes)
      addrconfPrefixRcv(dev, buf, option, buf[option + 1]! << 3, options.srcLladdr !== 0)
  if (options.mtu !== 0 && buf[options.mtu + 1] === 1 && idev.cnf.data[IPV6_DEVCONF_ACCEPT_RA_MTU] !== 0)
    if (linkMtu(idev, get32(buf, options.mtu + 4), rt)) notify = true
  if (notify) inet6IfinfoNotify(idev)
  return undefined
}

function routeOptions(idev: Inet6Dev, buf: Uint8Array, options: NdOptions, router: In6Addr): void {
  const { dev, cnf } = idev
  const { data } = cnf
  if (data[IPV6_DEVCONF_ACCEPT_RA_FROM_LOCAL] === 0 && ipv6ChkAddr(dev.net, router, dev, false)) return
  if (data[IPV6_DEVCONF_ACCEPT_RA_RTR_PREF] === 0) return
  for (const option of options.routes) {
    const plen = buf[option + 2]!
    const lifetime = buf[option + 1] === 0 ? 0 : get32(buf, option + 4)
    if (plen === 0 && data[IPV6_DEVCONF_ACCEPT_RA_DEFRTR] === 0) continue
    if (lifetime !== 0 && lifetime < data[IPV6_DEVCONF_ACCEPT_RA_MIN_LFT]!) continue
    if (plen < data[IPV6_DEVCONF_ACCEPT_RA_RT_INFO_MIN_PLEN]! || plen > data[IPV6_DEVCONF_ACCEPT_RA_RT_INFO_MAX_PLEN]!)
      continue
    routeRcv(dev, buf, option, router)
  }
}
