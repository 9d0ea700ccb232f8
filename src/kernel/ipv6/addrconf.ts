/**
 * Addresses of devices (RFC 4862): adding and deleting, the routes they bring, and notifications. When a device comes
 * up or goes down is in addrconf_dev.ts, duplicate address detection in addrconf_dad.ts.
 */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOOPBACK, IFF_UP } from '../../uapi/if.ts'
import {
  IFA_F_MCAUTOJOIN,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_PERMANENT,
  IFA_F_TEMPORARY,
  IFA_F_TENTATIVE,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTM_DELADDR,
  RTM_NEWADDR,
  RTN_MULTICAST,
  RTN_UNICAST,
  RTPROT_KERNEL,
} from '../../uapi/rtnetlink.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import { isL3Master, l3mdevFibTable } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import {
  addrAny,
  addrEqual,
  addrType,
  IN6ADDR_ANY,
  type In6Addr,
  IPV6_ADDR_ANY,
  IPV6_ADDR_LOOPBACK,
  IPV6_ADDR_MULTICAST,
  in6,
  prefixEqual,
} from './addr.ts'
import { makeDadTimer } from './addrconf_dad.ts'
import { inet6IfaNotify } from './addrconf_fill.ts'
import { addrconfJoinAnycast, addrconfLeaveAnycast } from './anycast.ts'
import { IPV6_DEVCONF_DISABLE_IPV6, IPV6_DEVCONF_FORWARDING } from './devconf.ts'
import { fib6Locate } from './fib6_trie.ts'
import { INFINITY_LIFE_TIME, type Inet6Dev, Inet6Ifaddr } from './if_inet6.ts'
import { inet6AddrsKey, ipv6GetIfaddr } from './inet6_addr.ts'
import { type Fib6Info, fib6Key, RTF_DEFAULT, RTF_EXPIRES, RTF_UP, setExpires } from './ip6_fib.ts'
import { addrconfLeaveSolict } from './mcast.ts'
import { addrconfF6iAlloc, fib6Config, IP6_RT_PRIO_ADDRCONF, ip6RouteAdd } from './route_add.ts'

/** Kind bits that an address's `scope` keeps (IPV6_ADDR_SCOPE_MASK). */
export const IPV6_ADDR_SCOPE_MASK = 0x00f0

const FF00 = in6(0xff00)

/** @returns the kind bits by which an address's reach is told: loopback, link, site, v4-compatible, 0 global */
export function ipv6AddrScope(addr: In6Addr): number {
  return addrType(addr) & IPV6_ADDR_SCOPE_MASK
}

/** What an address is to be (`ifa6_config`). */
export interface Ifa6Config {
  readonly addr: In6Addr
  readonly plen: number
  readonly peer?: In6Addr
  /** IFA_F_… */
  readonly flags: number
  readonly proto?: number
  readonly rtPriority?: number
  readonly scope: number
  /** seconds */
  readonly validLft: number
  readonly preferedLft: number
}

/**
 * Gives a device an address, tentative unless flags say otherwise (ipv6_add_addr).
 * @returns it, or -EADDRNOTAVAIL for what cannot be an address, -ENODEV, -EACCES where IPv6 is off, -EEXIST
 */
export function ipv6AddAddr(idev: Inet6Dev, cfg: Ifa6Config): Inet6Ifaddr | number {
  const { dev } = idev
  const { net } = dev
  const type = addrType(cfg.addr)
  if (
    type === IPV6_ADDR_ANY ||
    ((type & IPV6_ADDR_MULTICAST) !== 0 && (cfg.flags & IFA_F_MCAUTOJOIN) === 0) ||
    ((dev.flags & IFF_LOOPBACK) === 0 && !isL3Master(dev) && (type & IPV6_ADDR_LOOPBACK) !== 0)
  )
    return -Errno.EADDRNOTAVAIL
  if (idev.dead) return -Errno.ENODEV
  if (idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] !== 0) return -Errno.EACCES
  const rt = addrconfF6iAlloc(net, idev, cfg.addr, false)
  if (typeof rt === 'number') return rt
  const ifp = new Inet6Ifaddr(idev, cfg.addr.slice(), cfg.plen, cfg.peer?.slice() ?? IN6ADDR_ANY)
  ifp.scope = cfg.scope
  ifp.rtPriority = cfg.rtPriority ?? 0
  ifp.flags = cfg.flags | ((cfg.flags & IFA_F_NODAD) === 0 ? IFA_F_TENTATIVE : 0)
  ifp.proto = cfg.proto ?? 0
  ifp.validLft = cfg.validLft
  ifp.preferedLft = cfg.preferedLft
  ifp.cstamp = ifp.tstamp = net.kernel.clock.now
  ifp.rt = rt
  rt.refs++
  ifp.dadTimer = makeDadTimer(ifp)
  if (ipv6GetIfaddr(net, cfg.addr, dev, true) !== undefined) return -Errno.EEXIST
  net.at(inet6AddrsKey).add(ifp)
  linkDevAddr(idev, ifp)
  if ((ifp.flags & IFA_F_TEMPORARY) !== 0) idev.tempaddrs.unshift(ifp)
  return ifp
}

/** Wider scopes stand before narrower ones, newer addresses before older ones of the same. */
function linkDevAddr(idev: Inet6Dev, ifp: Inet6Ifaddr): void {
  const scope = addrType(ifp.addr) >>> 16
  const at = idev.addrs.findIndex(other => scope >= addrType(other.addr) >>> 16)
  idev.addrs.splice(at < 0 ? idev.addrs.length : at, 0, ifp)
}

/** What happens to a prefix route when one of its addresses goes. */
type PrefixCleanup =
  | { readonly action: 'keep' }
  | { readonly action: 'delete' }
  | { readonly action: 'expire'; readonly at: number }

/** @returns what the other addresses of the prefix want (check_cleanup_prefix_route) */
export function checkCleanupPrefixRoute(ifp: Inet6Ifaddr): PrefixCleanup {
  const { idev } = ifp
  let at = idev.dev.net.kernel.clock.now
  let expire = false
  for (const other of idev.addrs) {
    if (other === ifp || other.prefixLen !== ifp.prefixLen || !prefixEqual(other.addr, ifp.addr, ifp.prefixLen))
      continue
    if ((other.flags & (IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE)) !== 0) return { action: 'keep' }
    expire = true
    at = Math.max(at, other.tstamp + other.validLft * NSEC_PER_SEC)
  }
  return expire ? { action: 'expire', at } : { action: 'delete' }
}

/** Does it (cleanup_prefix_route). */
export function cleanupPrefixRoute(ifp: Inet6Ifaddr, cleanup: PrefixCleanup, peer = false): void {
  if (cleanup.action === 'keep') return
  const { dev } = ifp.idev
  const rt = addrconfGetPrefixRoute(peer ? ifp.peerAddr : ifp.addr, ifp.prefixLen, dev, 0, RTF_DEFAULT, true)
  if (rt === undefined) return
  if (cleanup.action === 'delete') dev.net.at(fib6Key).del(rt)
  else if ((rt.flags & RTF_EXPIRES) === 0) setExpires(rt, cleanup.at)
}

/** Takes an address away with its routes (ipv6_del_addr). */
export function ipv6DelAddr(ifp: Inet6Ifaddr): void {
  const { idev } = ifp
  const { net } = idev.dev
  if (ifp.state === 'dead') return
  ifp.state = 'dead'
  net.at(inet6AddrsKey).del(ifp)
  remove(idev.addrs, ifp)
  if ((ifp.flags & IFA_F_TEMPORARY) !== 0) {
    remove(idev.tempaddrs, ifp)
    ifp.ifpub = undefined
  }
  const permanent = (ifp.flags & IFA_F_PERMANENT) !== 0 && (ifp.flags & IFA_F_NOPREFIXROUTE) === 0
  const cleanup: PrefixCleanup = permanent ? checkCleanupPrefixRoute(ifp) : { action: 'keep' }
  net.kernel.clock.del(ifp.dadTimer)
  ipv6IfaNotify(RTM_DELADDR, ifp)
  cleanupPrefixRoute(ifp, cleanup)
  removePrefsrc(ifp)
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item)
  if (at >= 0) list.splice(at, 1)
}

/** Routes that preferred the address as source no longer do (rt6_remove_prefsrc). */
function removePrefsrc(ifp: Inet6Ifaddr): void {
  const { dev } = ifp.idev
  const fib = dev.net.at(fib6Key)
  if (fib.routesRequireSrc === 0) return
  for (const rt of fib.allRoutes()) {
    if (rt.nh?.dev !== dev || rt.prefsrc === undefined || !addrEqual(rt.prefsrc, ifp.addr)) continue
    rt.prefsrc = undefined
    if (rt.srcLen === 0) fib.routesRequireSrc--
  }
}

/**
 * Tells listeners of an address and puts its routes in place or takes them away (ipv6_ifa_notify).
 * @param event 0 only tells, as of a change
 */
export function ipv6IfaNotify(event: 0 | typeof RTM_NEWADDR | typeof RTM_DELADDR, ifp: Inet6Ifaddr): void {
  const { idev } = ifp
  const { dev } = idev
  const { net } = dev
  if (idev.dead && event !== RTM_DELADDR) return
  inet6IfaNotify(event === 0 ? RTM_NEWADDR : event, ifp)
  const fib = net.at(fib6Key)
  const router = idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0
  if (event === RTM_NEWADDR) {
    if (ifp.rt !== undefined && ifp.rt.node === undefined) fib.add(ifp.rt, { flags: undefined })
    if (router) addrconfJoinAnycast(ifp)
    if (!addrAny(ifp.peerAddr)) addrconfPrefixRoute(ifp.peerAddr, 128, ifp.rtPriority, dev, 0, 0)
  } else if (event === RTM_DELADDR) {
    if (router) addrconfLeaveAnycast(ifp)
    addrconfLeaveSolict(idev, ifp.addr)
    if (!addrAny(ifp.peerAddr)) {
      const rt = addrconfGetPrefixRoute(ifp.peerAddr, 128, dev, 0, 0, false)
      if (rt !== undefined) fib.del(rt)
    }
    if (ifp.rt !== undefined) {
      ifp.rt.refs--
      fib.del(ifp.rt)
      ifp.rt = undefined
    }
    fib.sernum++
  }
}

/**
 * The route to the neighbours of a prefix (addrconf_prefix_route).
 * @param metric 0 for the default one @param expires ns from now @param flags RTF_EXPIRES and the like
 */
export function addrconfPrefixRoute(
  prefix: In6Addr,
  plen: number,
  metric: number,
  dev: NetDevice,
  expires: number,
  flags: number,
): void {
  ip6RouteAdd(
    dev.net,
    fib6Config({
      table: l3mdevFibTable(dev) || RT_TABLE_MAIN,
      metric: metric === 0 ? IP6_RT_PRIO_ADDRCONF : metric,
      ifindex: dev.ifindex,
      expires,
      dst: prefix,
      dstLen: plen,
      flags: RTF_UP | flags,
      protocol: RTPROT_KERNEL,
      type: RTN_UNICAST,
    }),
    undefined,
  )
}

/** Finds a device's route to a prefix (addrconf_get_prefix_route). @param flags it must have @param noflags it must not */
export function addrconfGetPrefixRoute(
  prefix: In6Addr,
  plen: number,
  dev: NetDevice,
  flags: number,
  noflags: number,
  noGateway: boolean,
): Fib6Info | undefined {
  const table = dev.net.at(fib6Key).table(l3mdevFibTable(dev) || RT_TABLE_MAIN)
  if (table === undefined) return undefined
  for (let rt = fib6Locate(table, prefix, plen, IN6ADDR_ANY, 0)?.leaf; rt !== undefined; rt = rt.next) {
    if (rt.nh?.dev !== dev || (noGateway && rt.nh.gw !== undefined)) continue
    if ((rt.flags & flags) === flags && (rt.flags & noflags) === 0) return rt
  }
  return undefined
}

/** The route for multicast by a device (addrconf_add_mroute). */
export function addrconfAddMroute(dev: NetDevice): void {
  ip6RouteAdd(
    dev.net,
    fib6Config({
      table: l3mdevFibTable(dev) || RT_TABLE_LOCAL,
      metric: IP6_RT_PRIO_ADDRCONF,
      ifindex: dev.ifindex,
      dst: FF00,
      dstLen: 8,
      flags: RTF_UP,
      type: RTN_MULTICAST,
      protocol: RTPROT_KERNEL,
    }),
    undefined,
  )
}

/** @returns the lifetime that is left of `lft` seconds counted from `tstamp`; infinity stays */
export function lifetimeLeft(net: Net, lft: number, tstamp: number): number {
  if (lft === INFINITY_LIFE_TIME) return lft
  return Math.max(0, lft - Math.floor((net.kernel.clock.now - tstamp) / NSEC_PER_SEC))
}

/** @returns whether the device is up for its routes */
export function devIsUp(dev: NetDevice): boolean {
  return (dev.flags & IFF_UP) !== 0
}
