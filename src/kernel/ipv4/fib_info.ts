/**
 * What a route says apart from its prefix (`fib_info`): its next hops, metrics, preferred source. Routes that say the
 * same share one. Making and checking them is in fib_semantics.ts.
 */
import { Errno } from '../../uapi/errno.ts'
import {
  type RouteEncap,
  type RouteMetrics,
  type RouteNexthop,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RTN_ANYCAST,
  RTN_BLACKHOLE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_NAT,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTN_UNSPEC,
} from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { DstMetrics } from './fib_metrics.ts'
import type { FibTable } from './fib_table.ts'
import type { Nexthop } from './nexthop.ts'
import type { FnheTable } from './route_exceptions.ts'
import type { Rtable } from './rtable.ts'

/** Route types end here; RTN_XRESOLVE is the last. */
export const RTN_MAX = 11

/** What each route type means: the error a lookup gives (0: none), and the widest scope such a route can have. */
export const FIB_PROPS: readonly { readonly error: number; readonly scope: number }[] = (() => {
  const props = Array.from({ length: RTN_MAX + 1 }, () => ({ error: -Errno.EINVAL as number, scope: RT_SCOPE_NOWHERE }))
  const set = (type: number, error: number, scope: number): void => {
    props[type] = { error, scope }
  }
  set(RTN_UNSPEC, 0, RT_SCOPE_NOWHERE)
  set(RTN_UNICAST, 0, RT_SCOPE_UNIVERSE)
  set(RTN_LOCAL, 0, RT_SCOPE_HOST)
  set(RTN_BROADCAST, 0, RT_SCOPE_LINK)
  set(RTN_ANYCAST, 0, RT_SCOPE_LINK)
  set(RTN_MULTICAST, 0, RT_SCOPE_UNIVERSE)
  set(RTN_BLACKHOLE, -Errno.EINVAL, RT_SCOPE_UNIVERSE)
  set(RTN_UNREACHABLE, -Errno.EHOSTUNREACH, RT_SCOPE_UNIVERSE)
  set(RTN_PROHIBIT, -Errno.EACCES, RT_SCOPE_UNIVERSE)
  set(RTN_THROW, -Errno.EAGAIN, RT_SCOPE_UNIVERSE)
  set(RTN_NAT, -Errno.EINVAL, RT_SCOPE_NOWHERE)
  return props
})()

/** One next hop: a device and perhaps a gateway (`fib_nh`, `fib_nh_common`). Next hop objects have one, too. */
export class FibNh {
  /** the route it belongs to; undefined in a next hop object */
  parent: FibInfo | undefined
  dev: NetDevice | undefined
  oif = 0
  /** how far away the gateway is; RT_SCOPE_LINK for one on the link */
  scope = RT_SCOPE_UNIVERSE
  /** family of the object it was made for: AF_INET, or AF_INET6 in an IPv6 next hop object */
  family: number = AF_INET
  /** AF_INET, AF_INET6, or 0 without a gateway */
  gwFamily = 0
  gw4 = 0
  gw6: Uint8Array | undefined
  /** RTNH_F_… */
  flags = 0
  weight = 1
  /** share of the hash space 0 to 2^31 - 1 this leg takes, up to and including; -1 none */
  upperBound = 0
  /** realms: source << 16 | destination */
  tclassid = 0
  encap: RouteEncap | undefined
  /** the preferred source by this next hop, and the address generation it was chosen in */
  saddr = 0
  saddrGenid = -1
  /** cached routes of packets that come in and of our own */
  rthInput: Rtable | undefined
  rthOutput: Rtable | undefined
  /** what was learned about single destinations */
  exceptions: FnheTable | undefined
}

/** What routes share. */
export class FibInfo {
  readonly net: Net
  /** aliases that use it */
  treeref = 1
  /** no longer in any table */
  dead = false
  readonly protocol: number
  readonly scope: number
  readonly type: number
  readonly prefsrc: number
  readonly tbId: number
  readonly priority: number
  readonly metrics: DstMetrics
  /** RTNH_F_… that hold for all next hops */
  flags: number
  /** next hops of its own; empty where `nh` has them */
  nhs: FibNh[] = []
  /** the next hop object it uses */
  nh: Nexthop | undefined
  /** its preferred source has gone: tell listeners when it goes for that */
  pfsrcRemoved = false
  /** its next hop object has changed: listeners must hear of the route anew */
  nhUpdated = false

  constructor(cfg: FibConfig, metrics: DstMetrics) {
    this.net = cfg.net
    this.protocol = cfg.protocol
    this.scope = cfg.scope
    this.type = cfg.type
    this.prefsrc = cfg.prefsrc
    this.tbId = cfg.table
    this.priority = cfg.priority
    this.metrics = metrics
    this.flags = cfg.flags
  }
}

/** A request for a route, from netlink, an ioctl or the kernel itself (`fib_config`). */
export class FibConfig {
  readonly net: Net
  dst = 0
  dstLen = 0
  tos = 0
  table = 0
  protocol = 0
  scope = 0
  type = 0
  /** RTNH_F_… and RTM_F_… bits */
  flags = 0
  /** NLM_F_… */
  nlFlags = 0
  oif = 0
  gwFamily = 0
  gw4 = 0
  gw6: Uint8Array | undefined
  priority = 0
  prefsrc = 0
  mx: RouteMetrics | undefined
  mp: RouteNexthop[] | undefined
  flow = 0
  encap: RouteEncap | undefined
  nhId = 0
  /** the caller tells listeners itself, or nobody */
  skipNotify = false

  constructor(net: Net) {
    this.net = net
  }
}

/** What a lookup found. One object is filled in again and again. */
export class FibResult {
  prefix = 0
  prefixlen = 0
  /** which next hop, and that next hop */
  nhSel = 0
  nhc: FibNh | undefined
  /** RTN_… */
  type = 0
  scope = 0
  /** the TOS the route is for, 0: any */
  tos = 0
  tclassid = 0
  fi: FibInfo | undefined
  table: FibTable | undefined

  /** Forgets what was found. */
  clear(): void {
    this.fi = undefined
    this.nhc = undefined
    this.table = undefined
    this.type = RTN_UNSPEC
    this.prefixlen = this.tos = this.tclassid = this.nhSel = this.scope = this.prefix = 0
  }

  /** @returns the device packets leave by */
  get dev(): NetDevice | undefined {
    return this.nhc?.dev
  }

  /** Takes another next hop set in place of the one found: its first (fib_result_assign). */
  assign(fi: FibInfo, nhc: FibNh): void {
    this.fi = fi
    this.nhSel = 0
    this.nhc = nhc
  }
}

/** A lookup counts next hops on links without carrier, whatever ignore_routes_with_linkdown says. */
export const FIB_LOOKUP_IGNORE_LINKSTATE = 2
