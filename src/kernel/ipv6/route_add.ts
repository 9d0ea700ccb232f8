/**
 * Making routes: from requests of user space, for addresses, from router advertisements. Checks the next hop as the
 * reference kernel does, with its words.
 */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOOPBACK, IFF_UP } from '../../uapi/if.ts'
import {
  type RouteEncap,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_ANYCAST,
  RTN_LOCAL,
  RTN_UNICAST,
  RTNH_F_LINKDOWN,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
  RTPROT_KERNEL,
} from '../../uapi/rtnetlink.ts'
import { l3mdevFibTable } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { type DstMetrics, NO_METRICS } from '../ipv4/fib_metrics.ts'
import {
  addrAny,
  addrPrefix,
  addrType,
  IN6ADDR_ANY,
  type In6Addr,
  IPV6_ADDR_LINKLOCAL,
  IPV6_ADDR_LOOPBACK,
  IPV6_ADDR_MAPPED,
  IPV6_ADDR_UNICAST,
} from './addr.ts'
import { IPV6_DEVCONF_DISABLE_IPV6 } from './devconf.ts'
import { Fib6Result } from './fib6_result.ts'
import { fib6Lookup } from './fib6_rules.ts'
import { Flowi6, RT6_LOOKUP_F_HAS_SADDR, RT6_LOOKUP_F_IFACE, RT6_LOOKUP_F_IGNORE_LINKSTATE } from './flowi6.ts'
import { type Inet6Dev, in6Dev } from './if_inet6.ts'
import { ipv6ChkAddr, ipv6ChkAddrAndFlags } from './inet6_addr.ts'
import {
  Fib6Info,
  Fib6Nh,
  fib6Key,
  type NlInfo,
  RTF_ANYCAST,
  RTF_CACHE,
  RTF_EXPIRES,
  RTF_GATEWAY,
  RTF_LOCAL,
  RTF_NONEXTHOP,
  RTF_REJECT,
  RTF_UP,
  setExpires,
} from './ip6_fib.ts'
import { checkNexthop6, nexthopById, nexthopLegs } from './nexthop6.ts'
import { fib6SelectPath, fib6TableLookup } from './route_select.ts'

/** Metric of routes that name none. */
export const IP6_RT_PRIO_USER = 1024
/** Metric of the routes that addresses bring. */
export const IP6_RT_PRIO_ADDRCONF = 256

/** What a route is to be (`fib6_config`). */
export interface Fib6Config {
  table: number
  metric: number
  /** 0 where no device is named */
  ifindex: number
  dst: In6Addr
  dstLen: number
  src: In6Addr
  srcLen: number
  /** RTF_…, and RTNH_F_ONLINK */
  flags: number
  /** RTN_… */
  type: number
  /** RTPROT_… */
  protocol: number
  gateway: In6Addr | undefined
  prefsrc: In6Addr | undefined
  metrics: DstMetrics
  /** ns from now; counts with RTF_EXPIRES */
  expires: number
  encap: RouteEncap | undefined
  nhId: number
  /** an address's own route exists while its device is down */
  ignoreDevDown: boolean
  nl: NlInfo
}

/** @returns a configuration with nothing said, to be filled in */
export function fib6Config(fields: Partial<Fib6Config>): Fib6Config {
  return {
    table: 0,
    metric: 0,
    ifindex: 0,
    dst: IN6ADDR_ANY,
    dstLen: 0,
    src: IN6ADDR_ANY,
    srcLen: 0,
    flags: RTF_UP,
    type: 0,
    protocol: 0,
    gateway: undefined,
    prefsrc: undefined,
    metrics: NO_METRICS,
    expires: 0,
    encap: undefined,
    nhId: 0,
    ignoreDevDown: false,
    nl: { flags: undefined },
    ...fields,
  }
}

const gwFl6 = new Flowi6()
const gwRes = new Fib6Result()

/** Looks a gateway up in one table. @returns whether there is such a table (ip6_nh_lookup_table) */
function lookupInTable(net: Net, cfg: Fib6Config, gw: In6Addr, id: number, flags: number): boolean {
  const table = net.at(fib6Key).table(id)
  gwRes.clear()
  if (table === undefined) return false
  const fl6 = gwFl6.clear()
  fl6.oif = cfg.ifindex
  fl6.daddr.set(gw)
  if (cfg.prefsrc !== undefined) {
    fl6.saddr.set(cfg.prefsrc)
    flags |= RT6_LOOKUP_F_HAS_SADDR
  }
  flags |= RT6_LOOKUP_F_IGNORE_LINKSTATE
  fib6TableLookup(net, table, cfg.ifindex, fl6, gwRes, flags)
  if (gwRes.rt !== undefined) fib6SelectPath(net, gwRes, fl6, cfg.ifindex, cfg.ifindex !== 0, undefined, flags)
  return true
}

/** @returns 0 where the gateway may be used on this link although no route leads to it (ip6_route_check_nh_onlink) */
function checkOnlink(net: Net, cfg: Fib6Config, dev: NetDevice | undefined, extack: NetlinkExtAck | undefined): number {
  const table = (dev === undefined ? 0 : l3mdevFibTable(dev)) || RT_TABLE_MAIN
  if (!lookupInTable(net, cfg, cfg.gateway!, table, 0)) return -Errno.EINVAL
  const { rt } = gwRes
  if (
    rt !== undefined &&
    (gwRes.flags & RTF_REJECT) === 0 &&
    !addrAny(rt.dst) &&
    (gwRes.type !== RTN_UNICAST || dev !== gwRes.nh!.dev)
  )
    return extack?.fail(-Errno.EINVAL, 'Nexthop has invalid gateway or device mismatch') ?? -Errno.EINVAL
  return 0
}

/** @returns the device by which a gateway is a neighbour, or -EHOSTUNREACH (ip6_route_check_nh) */
function checkNeighbour(net: Net, cfg: Fib6Config, dev: NetDevice | undefined): NetDevice | number {
  const direct = (): boolean => gwRes.rt !== undefined && (gwRes.flags & RTF_REJECT) === 0 && gwRes.nh!.gw === undefined
  let found = false
  if (cfg.table !== 0) {
    lookupInTable(net, cfg, cfg.gateway!, cfg.table, RT6_LOOKUP_F_IFACE)
    found = direct() && (dev === undefined || dev === gwRes.nh!.dev)
  }
  if (!found) {
    const fl6 = gwFl6.clear()
    fl6.oif = cfg.ifindex
    fl6.daddr.set(cfg.gateway!)
    fib6Lookup(net, cfg.ifindex, fl6, gwRes, RT6_LOOKUP_F_IFACE)
    if (!direct()) return -Errno.EHOSTUNREACH
    fib6SelectPath(net, gwRes, fl6, cfg.ifindex, cfg.ifindex !== 0, undefined, RT6_LOOKUP_F_IFACE)
  }
  const through = gwRes.nh!.dev
  return dev === undefined || dev === through ? through : -Errno.EHOSTUNREACH
}

/** Checks a gateway and finds its device (ip6_validate_gw). @returns the device or a negative error */
function validateGateway(
  net: Net,
  cfg: Fib6Config,
  given: NetDevice | undefined,
  extack: NetlinkExtAck | undefined,
): NetDevice | number {
  const gw = cfg.gateway!
  const type = addrType(gw)
  const skipDev = (type & IPV6_ADDR_LINKLOCAL) === 0
  const fail = (errno: number, msg: string): number => extack?.fail(-errno, msg) ?? -errno
  const own = (on: NetDevice): boolean => ipv6ChkAddrAndFlags(net, gw, on, skipDev, false, 0) !== undefined
  if (given !== undefined && own(given)) return fail(Errno.EINVAL, 'Gateway can not be a local address')
  let dev = given
  if ((type & 0xffff) !== (IPV6_ADDR_LINKLOCAL | IPV6_ADDR_UNICAST)) {
    if ((type & (IPV6_ADDR_UNICAST | IPV6_ADDR_MAPPED)) === 0) return fail(Errno.EINVAL, 'Invalid gateway address')
    if ((cfg.flags & RTNH_F_ONLINK) !== 0) {
      const rc = checkOnlink(net, cfg, dev, extack)
      if (rc < 0) return rc
    } else {
      const through = checkNeighbour(net, cfg, dev)
      if (typeof through === 'number') return through
      dev = through
    }
  }
  if (dev === undefined) return fail(Errno.EINVAL, 'Egress device not specified')
  if ((dev.flags & IFF_LOOPBACK) !== 0)
    return fail(Errno.EINVAL, 'Egress device can not be loopback device for this route')
  if (given === undefined && own(dev)) return fail(Errno.EINVAL, 'Gateway can not be a local address')
  return dev
}

/**
 * Makes a next hop (fib6_nh_init); nexthop objects of IPv6 are made of it too.
 * @returns it, or a negative error with its text in `extack`
 */
export function fib6NhInit(net: Net, cfg: Fib6Config, extack: NetlinkExtAck | undefined): Fib6Nh | number {
  const fail = (errno: number, msg: string): number => extack?.fail(-errno, msg) ?? -errno
  let dev: NetDevice | undefined
  let idev: Inet6Dev | undefined
  if (cfg.ifindex !== 0) {
    dev = net.devByIndex(cfg.ifindex)
    idev = dev === undefined ? undefined : in6Dev(dev)
    if (idev === undefined) return -Errno.ENODEV
  }
  const onlink = (cfg.flags & RTNH_F_ONLINK) !== 0
  if (onlink) {
    if (dev === undefined) return fail(Errno.ENODEV, 'Nexthop device required for onlink')
    if ((dev.flags & IFF_UP) === 0) return fail(Errno.ENETDOWN, 'Nexthop device is not up')
  }
  if ((cfg.flags & RTF_REJECT) !== 0) {
    if (in6Dev(net.loopback) === undefined) return -Errno.ENODEV
    return new Fib6Nh(net.loopback)
  }
  if ((cfg.flags & RTF_GATEWAY) !== 0) {
    const through = validateGateway(net, cfg, dev, extack)
    if (typeof through === 'number') return through
    if (through !== dev) {
      dev = through
      idev = in6Dev(dev)
    }
  }
  if (dev === undefined) return -Errno.ENODEV
  if (idev === undefined || idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] !== 0)
    return fail(Errno.EACCES, 'IPv6 is disabled on nexthop device')
  if ((dev.flags & IFF_UP) === 0 && !cfg.ignoreDevDown) return fail(Errno.ENETDOWN, 'Nexthop device is not up')
  const nh = new Fib6Nh(dev)
  nh.lastProbe = net.kernel.clock.now
  if ((cfg.flags & RTF_GATEWAY) !== 0) nh.gw = cfg.gateway
  if (onlink) nh.flags |= RTNH_F_ONLINK
  if ((cfg.flags & (RTF_LOCAL | RTF_ANYCAST)) === 0 && !dev.carrier) nh.flags |= RTNH_F_LINKDOWN
  nh.encap = cfg.encap
  return nh
}

/** Makes a route, in no table yet (ip6_route_info_create). @returns it or a negative error with its text in `extack` */
export function routeInfoCreate(net: Net, cfg: Fib6Config, extack: NetlinkExtAck | undefined): Fib6Info | number {
  const fail = (errno: number, msg: string): number => extack?.fail(-errno, msg) ?? -errno
  if ((cfg.flags & RTF_CACHE) !== 0) return fail(Errno.EINVAL, 'Userspace can not set RTF_CACHE')
  if (cfg.type > 11) return fail(Errno.EINVAL, 'Invalid route type')
  if (cfg.dstLen > 128) return fail(Errno.EINVAL, 'Invalid prefix length')
  if (cfg.srcLen > 128) return fail(Errno.EINVAL, 'Invalid source address length')
  const object = cfg.nhId === 0 ? undefined : nexthopById(net, cfg.nhId)
  if (cfg.nhId !== 0) {
    if (object === undefined) return fail(Errno.EINVAL, 'Nexthop id does not exist')
    const rc = checkNexthop6(object, cfg.srcLen > 0 && !addrAny(cfg.src), extack)
    if (rc < 0) return rc
  }
  const table = net.at(fib6Key).newTable(cfg.table)
  const rt = new Fib6Info(
    table,
    addrPrefix(cfg.dst, cfg.dstLen),
    cfg.dstLen,
    cfg.srcLen > 0 ? addrPrefix(cfg.src, cfg.srcLen) : IN6ADDR_ANY,
    cfg.srcLen,
  )
  rt.metrics = cfg.metrics
  rt.protocol = cfg.protocol === 0 ? RTPROT_BOOT : cfg.protocol
  rt.metric = cfg.metric
  rt.type = cfg.type === 0 ? RTN_UNICAST : cfg.type
  rt.flags = (cfg.flags & ~RTF_GATEWAY) >>> 0
  if ((cfg.flags & RTF_EXPIRES) !== 0) setExpires(rt, net.kernel.clock.now + cfg.expires)
  let dev: NetDevice | undefined
  if (object !== undefined) {
    if (rt.srcLen > 0) return fail(Errno.EINVAL, 'Nexthops can not be used with source routing')
    rt.nhObject = object
    dev = nexthopLegs(object)[0]?.dev
  } else {
    const nh = fib6NhInit(net, cfg, extack)
    if (typeof nh === 'number') return nh
    rt.nh = nh
    dev = nh.dev
    // a route over the loopback device would turn in circles: it leads nowhere instead
    const loops = (dev.flags & IFF_LOOPBACK) !== 0 && (addrType(cfg.dst) & IPV6_ADDR_LOOPBACK) === 0
    if ((cfg.flags & RTF_REJECT) !== 0 || (loops && (cfg.flags & (RTF_ANYCAST | RTF_LOCAL)) === 0))
      rt.flags = RTF_REJECT | RTF_NONEXTHOP
  }
  if (cfg.prefsrc !== undefined && !addrAny(cfg.prefsrc)) {
    if (!ipv6ChkAddr(net, cfg.prefsrc, dev, false)) return fail(Errno.EINVAL, 'Invalid source address')
    rt.prefsrc = cfg.prefsrc
  }
  return rt
}

/** Makes a route and puts it into its table (ip6_route_add). @returns 0 or a negative error */
export function ip6RouteAdd(net: Net, cfg: Fib6Config, extack: NetlinkExtAck | undefined): number {
  const rt = routeInfoCreate(net, cfg, extack)
  return typeof rt === 'number' ? rt : net.at(fib6Key).add(rt, cfg.nl, extack)
}

/** The route by which packets to an own address are delivered, in no table yet (addrconf_f6i_alloc). */
export function addrconfF6iAlloc(net: Net, idev: Inet6Dev, addr: In6Addr, anycast: boolean): Fib6Info | number {
  return routeInfoCreate(
    net,
    fib6Config({
      table: l3mdevFibTable(idev.dev) || RT_TABLE_LOCAL,
      ifindex: idev.dev.ifindex,
      flags: (RTF_UP | RTF_NONEXTHOP | (anycast ? RTF_ANYCAST : RTF_LOCAL)) >>> 0,
      type: anycast ? RTN_ANYCAST : RTN_LOCAL,
      dst: addr,
      dstLen: 128,
      protocol: RTPROT_KERNEL,
      ignoreDevDown: true,
    }),
    undefined,
  )
}
