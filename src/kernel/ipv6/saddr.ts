/** Source address selection (RFC 6724 §5), rule by rule, and the preferences a socket may have (RFC 5014). */
import { Errno } from '../../uapi/errno.ts'
import {
  IFA_F_DEPRECATED,
  IFA_F_HOMEADDRESS,
  IFA_F_OPTIMISTIC,
  IFA_F_TEMPORARY,
  IFA_F_TENTATIVE,
} from '../../uapi/rtnetlink.ts'
import { isL3Master, l3mdevMaster } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import {
  addrDiff,
  addrEqual,
  addrType,
  type In6Addr,
  IPV6_ADDR_ANY,
  IPV6_ADDR_COMPATV4,
  IPV6_ADDR_LOOPBACK,
  IPV6_ADDR_MAPPED,
  IPV6_ADDR_MULTICAST,
  IPV6_ADDR_SCOPE_LINKLOCAL,
  scopeOfType,
  word,
} from './addr.ts'
import { ipv6AddrLabel } from './addrlabel.ts'
import {
  IPV6_DEVCONF_OPTIMISTIC_DAD,
  IPV6_DEVCONF_USE_OIF_ADDRS_ONLY,
  IPV6_DEVCONF_USE_OPTIMISTIC,
  IPV6_DEVCONF_USE_TEMPADDR,
  ipv6DevconfKey,
} from './devconf.ts'
import { type Inet6Dev, type Inet6Ifaddr, in6Dev } from './if_inet6.ts'
import type { Fib6Info } from './ip6_fib.ts'
import { nexthopLegs } from './nexthop6.ts'

/** Preferences of IPV6_ADDR_PREFERENCES. */
export const IPV6_PREFER_SRC_TMP = 0x0001
export const IPV6_PREFER_SRC_PUBLIC = 0x0002
export const IPV6_PREFER_SRC_COA = 0x0004

/** What a destination asks of a source. */
interface Destination {
  readonly net: Net
  readonly addr: In6Addr
  readonly ifindex: number
  readonly scope: number
  readonly label: number
  readonly prefs: number
}

/** The rules after "there is an address at all", in the order in which they decide; the larger value wins. */
const RULES: readonly ((ifa: Inet6Ifaddr, type: number, dst: Destination) => number)[] = [
  // 1: the destination itself
  (ifa, _, dst) => +addrEqual(ifa.addr, dst.addr),
  // 2: the smallest scope that reaches the destination
  (_, type, dst) => scopeDistance(type, dst),
  // 3: neither deprecated nor, unless wanted, optimistic
  (ifa, type) => {
    if ((type & (IPV6_ADDR_MAPPED | IPV6_ADDR_COMPATV4 | IPV6_ADDR_LOOPBACK)) !== 0) return 1
    const avoid = IFA_F_DEPRECATED | (useOptimistic(ifa.idev) ? 0 : IFA_F_OPTIMISTIC)
    return +((ifa.flags & avoid) === 0)
  },
  // 4: home addresses, or care-of addresses if the socket wants those
  (ifa, _, dst) => +((ifa.flags & IFA_F_HOMEADDRESS) !== 0) ^ +((dst.prefs & IPV6_PREFER_SRC_COA) !== 0),
  // 5: on the outgoing interface
  (ifa, _, dst) => +(dst.ifindex === 0 || dst.ifindex === ifa.idev.dev.ifindex),
  // 6: the same label
  (ifa, type, dst) => +(ipv6AddrLabel(dst.net, ifa.addr, type, ifa.idev.dev.ifindex) === dst.label),
  // 7: temporary or public addresses
  (ifa, _, dst) => {
    const asked = dst.prefs & (IPV6_PREFER_SRC_PUBLIC | IPV6_PREFER_SRC_TMP)
    const temporary =
      asked !== 0 ? (asked & IPV6_PREFER_SRC_TMP) !== 0 : ifa.idev.cnf.data[IPV6_DEVCONF_USE_TEMPADDR]! >= 2
    return +((ifa.flags & IFA_F_TEMPORARY) === 0) ^ +temporary
  },
  // 8: ORCHID (RFC 4843) with ORCHID
  (ifa, _, dst) => +(orchid(ifa.addr) === orchid(dst.addr)),
  // 9: the longest common prefix, counted up to the address's own
  (ifa, _, dst) => Math.min(addrDiff(ifa.addr, dst.addr), ifa.prefixLen),
  // 10: not optimistic
  ifa => +((ifa.flags & IFA_F_OPTIMISTIC) === 0),
]

/** @returns the larger the better: scopes that are wide enough by how little they exceed the destination's, then the others */
function scopeDistance(type: number, dst: Destination): number {
  const scope = srcScope(type)
  return scope >= dst.scope ? -scope : scope - 128
}

/** @returns the scope as source address selection compares it; -1 for :: */
function srcScope(type: number): number {
  return type === IPV6_ADDR_ANY ? -1 : scopeOfType(type)
}

function orchid(addr: In6Addr): boolean {
  return (word(addr, 0) & 0xfffffff0) >>> 0 === 0x20010010
}

function useOptimistic(idev: Inet6Dev): boolean {
  const { all } = idev.dev.net.at(ipv6DevconfKey)
  const either = (index: number): boolean => all.data[index] !== 0 || idev.cnf.data[index] !== 0
  return either(IPV6_DEVCONF_OPTIMISTIC_DAD) && either(IPV6_DEVCONF_USE_OPTIMISTIC)
}

/** @returns the better of the best so far and a device's addresses */
function bestOf(idev: Inet6Dev, dst: Destination, best: Inet6Ifaddr | undefined): Inet6Ifaddr | undefined {
  for (const ifa of idev.addrs) {
    if ((ifa.flags & IFA_F_TENTATIVE) !== 0 && (ifa.flags & IFA_F_OPTIMISTIC) === 0) continue
    const type = addrType(ifa.addr)
    if (type === IPV6_ADDR_ANY || (type & IPV6_ADDR_MULTICAST) !== 0) continue
    if (best === undefined || prefers(ifa, type, best, dst)) best = ifa
  }
  return best
}

function prefers(ifa: Inet6Ifaddr, type: number, best: Inet6Ifaddr, dst: Destination): boolean {
  const bestType = addrType(best.addr)
  for (const rule of RULES) {
    const mine = rule(ifa, type, dst)
    const its = rule(best, bestType, dst)
    if (mine !== its) return mine > its
  }
  return false
}

/**
 * Chooses the source for a destination (ipv6_dev_get_saddr).
 * @param dstDev the outgoing device, if it is known @param prefs IPV6_PREFER_SRC_…
 * @param saddr gets the address @returns 0 or -EADDRNOTAVAIL
 */
export function ipv6DevGetSaddr(
  net: Net,
  dstDev: NetDevice | undefined,
  daddr: In6Addr,
  prefs: number,
  saddr: In6Addr,
): number {
  const type = addrType(daddr)
  const ifindex = dstDev?.ifindex ?? 0
  const dst: Destination = {
    net,
    addr: daddr,
    ifindex,
    scope: srcScope(type),
    label: ipv6AddrLabel(net, daddr, type, ifindex),
    prefs,
  }
  const own = dstDev === undefined ? undefined : in6Dev(dstDev)
  const onlyOwn =
    dstDev !== undefined &&
    ((type & IPV6_ADDR_MULTICAST) !== 0 ||
      dst.scope <= IPV6_ADDR_SCOPE_LINKLOCAL ||
      own?.cnf.data[IPV6_DEVCONF_USE_OIF_ADDRS_ONLY] === 1)
  let best: Inet6Ifaddr | undefined
  if (onlyOwn) best = own === undefined ? undefined : bestOf(own, dst, undefined)
  else {
    const master = dstDev === undefined ? undefined : l3mdevMaster(dstDev)
    if (dstDev !== undefined && master !== undefined) {
      // the device itself, then its VRF, and only then the rest of the VRF
      if (own !== undefined) best = bestOf(own, dst, undefined)
      const vrf = in6Dev(master)
      if (vrf !== undefined && !isL3Master(dstDev)) best = bestOf(vrf, dst, best)
    }
    for (const dev of net.devices.values()) {
      if (l3mdevMaster(dev) !== master) continue
      const idev = in6Dev(dev)
      if (idev !== undefined) best = bestOf(idev, dst, best)
    }
  }
  if (best === undefined) return -Errno.EADDRNOTAVAIL
  saddr.set(best.addr)
  return 0
}

/**
 * The source for a destination behind a route: the route's preferred source, or the best of its device
 * (ip6_route_get_saddr).
 */
export function ip6RouteGetSaddr(
  net: Net,
  rt: Fib6Info | undefined,
  daddr: In6Addr,
  prefs: number,
  saddr: In6Addr,
): number {
  if (rt?.prefsrc !== undefined) {
    saddr.set(rt.prefsrc)
    return 0
  }
  const dev =
    rt === undefined ? undefined : (rt.nh ?? (rt.nhObject === undefined ? undefined : nexthopLegs(rt.nhObject)[0]))?.dev
  return ipv6DevGetSaddr(net, dev, daddr, prefs, saddr)
}
