/** Routes in text and JSON. */
import {
  type RouteCacheinfo,
  type RouteMessage,
  type RouteMetrics,
  type RouteNexthop,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_F_CLONED,
  RTN_MULTICAST,
  RTN_UNICAST,
  RTPROT_BOOT,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { afBitLen, familyName, formatAddress } from '../lib/inet.ts'
import { formatG } from '../lib/number.ts'
import type { Color, Printer } from '../lib/printer.ts'
import type { IpContext } from './context.ts'
import { printEncap } from './lwtunnel.ts'
import { printRouteNexthop } from './nexthop_print.ts'
import { isHostPrefix, type RouteFilter, routeTable } from './route_filter.ts'
import { printRouteFlags, routeTypeName } from './rtnames.ts'

/** Families of the multicast routing tables, which rtnetlink numbers apart. */
export const RTNL_FAMILY_IPMR = 128
export const RTNL_FAMILY_IP6MR = 129

/** The address family of a route's addresses. */
function realFamily(route: RouteMessage): number {
  if (route.rtType !== RTN_MULTICAST) return route.family
  return route.family === RTNL_FAMILY_IPMR ? AF_INET : route.family === RTNL_FAMILY_IP6MR ? AF_INET6 : route.family
}

function familyColor(family: number): Color {
  return family === AF_INET ? 'inet' : family === AF_INET6 ? 'inet6' : 'none'
}

function printDestination(ctx: IpContext, out: Printer, route: RouteMessage): void {
  const family = realFamily(route)
  const { dst } = route.attrs
  if (dst !== undefined) {
    const whole = route.dstLen === afBitLen(family)
    const text = whole ? ctx.formatHost(family, dst) : `${formatAddress(family, dst)}/${route.dstLen}`
    out.put('dst', text, `${text} `, familyColor(family))
  } else if (route.dstLen > 0) out.put('dst', `0/${route.dstLen} `, `0/${route.dstLen}  `)
  else out.put('dst', 'default', 'default ')
}

function printSource(ctx: IpContext, out: Printer, route: RouteMessage): void {
  const family = realFamily(route)
  const { src } = route.attrs
  if (src !== undefined) {
    const whole = route.srcLen === afBitLen(family)
    const text = whole ? ctx.formatHost(family, src) : `${formatAddress(family, src)}/${route.srcLen}`
    out.put('from', text, `from ${text} `, familyColor(family))
  } else if (route.srcLen > 0) out.put('src', `0/${route.srcLen}`, `from 0/${route.srcLen} `)
}

function printGateway(ctx: IpContext, out: Printer, family: number, gateway: Uint8Array): void {
  const text = ctx.formatHost(family, gateway)
  out.text('via ')
  out.put('gateway', text, `${text} `, familyColor(family))
}

function printVia(ctx: IpContext, out: Printer, via: { family: number; addr: Uint8Array }): void {
  const family = familyName(via.family)
  const host = ctx.formatHost(via.family, via.addr)
  out.openObject('via')
  out.put('family', family, `via ${family} `)
  out.put('host', host, `${host} `, familyColor(via.family))
  out.closeObject()
}

/** Prints `KEY DEVICE `. */
export function printDevice(ctx: IpContext, out: Printer, key: string, index: number): void {
  const name = ctx.links.indexToName(index)
  out.text(`${key} `)
  out.put(key, name, `${name} `, 'ifname')
}

function printFlow(ctx: IpContext, out: Printer, flow: number): void {
  const from = flow >>> 16
  out.openObject('flow')
  if (from !== 0) {
    const name = ctx.names.rtRealm.n2a(from)
    out.put('from', name, `realms ${name}/`)
  } else out.text('realm ')
  const to = ctx.names.rtRealm.n2a(flow & 0xffff)
  out.put('to', to, `${to} `)
  out.closeObject()
}

/** Flags of cached routes (RTCF_…), the upper half of rtm_flags, in the order they are printed. */
const CACHE_FLAGS: readonly (readonly [number, string])[] = [
  [0x80000000, 'local'],
  [0x40000000, 'reject'],
  [0x20000000, 'mc'],
  [0x10000000, 'brd'],
  [0x08000000, 'dst-nat'],
  [0x00800000, 'src-nat'],
  [0x00400000, 'masq'],
  [0x00020000, 'dst-direct'],
  [0x04000000, 'src-direct'],
  [0x00040000, 'redirected'],
  [0x01000000, 'redirect'],
  [0x00200000, 'fastroute'],
  [0x00010000, 'notify'],
  [0x00100000, 'proxy'],
]

function printCacheFlags(out: Printer, rtmFlags: number): void {
  let flags = (rtmFlags & 0xffff0000) >>> 0
  out.nl()
  out.openArray('cache', '    cache ')
  if (flags !== 0) out.text('<')
  for (const [bit, name] of CACHE_FLAGS) {
    if ((flags & bit) === 0) continue
    flags = (flags & ~bit) >>> 0
    out.put(undefined, name, flags !== 0 ? `${name},` : name)
  }
  if (flags !== 0) out.put(undefined, `0x${flags.toString(16)}`, flags.toString(16))
  if ((rtmFlags & 0xffff0000) !== 0) out.text('> ')
  out.closeArray()
}

const USER_HZ = 100

function printCacheinfo(ctx: IpContext, out: Printer, info: RouteCacheinfo): void {
  if (info.expires !== 0) {
    const seconds = Math.trunc(info.expires / USER_HZ)
    out.put('expires', seconds, `expires ${seconds}sec `)
  }
  if (info.error !== 0) out.put('error', info.error, `error ${info.error} `)
  if (ctx.opts.stats > 0) {
    if (info.clntref !== 0) out.put('users', info.clntref, `users ${info.clntref} `)
    if (info.used !== 0) out.put('used', info.used, `used ${info.used} `)
    if (info.lastuse !== 0) {
      const seconds = Math.trunc(info.lastuse / USER_HZ)
      out.put('age', seconds, `age ${seconds}sec `)
    }
  }
  if (info.id !== 0) {
    const id = info.id.toString(16)
    out.put('ipid', `0x${id.padStart(4, '0')}`, `ipid 0x${id.padStart(4, '0')} `)
  }
  if (info.ts !== 0 || info.tsage !== 0) {
    out.put('ts', `0x${info.ts.toString(16)}`, `ts 0x${info.ts.toString(16)} `)
    out.put('tsage', info.tsage, `tsage ${info.tsage}sec `)
  }
}

/** How a metric is written. */
type MetricKind = 'number' | 'eighths' | 'quarters' | 'milliseconds' | 'features' | 'algorithm'

/** Metrics in the order of their numbers (RTAX_…): number, field, name, kind. */
const METRICS: readonly (readonly [number, keyof RouteMetrics, string, MetricKind])[] = [
  [2, 'mtu', 'mtu', 'number'],
  [3, 'window', 'window', 'number'],
  [4, 'rtt', 'rtt', 'eighths'],
  [5, 'rttvar', 'rttvar', 'quarters'],
  [6, 'ssthresh', 'ssthresh', 'number'],
  [7, 'cwnd', 'cwnd', 'number'],
  [8, 'advmss', 'advmss', 'number'],
  [9, 'reordering', 'reordering', 'number'],
  [10, 'hoplimit', 'hoplimit', 'number'],
  [11, 'initcwnd', 'initcwnd', 'number'],
  [12, 'features', 'features', 'features'],
  [13, 'rtoMin', 'rto_min', 'milliseconds'],
  [14, 'initrwnd', 'initrwnd', 'number'],
  [15, 'quickack', 'quickack', 'number'],
  [16, 'ccAlgo', 'congctl', 'algorithm'],
  [17, 'fastopenNoCookie', 'fastopen_no_cookie', 'number'],
]

const RTAX_FEATURE_ECN = 1

function printFeatures(out: Printer, features: number): void {
  if ((features & RTAX_FEATURE_ECN) !== 0) out.put('ecn', null, 'ecn ')
  const rest = features & ~RTAX_FEATURE_ECN
  if (rest !== 0) out.put('features', `0x${features.toString(16)}`, `0x${features.toString(16)} `)
}

function printMetric(out: Printer, key: string, kind: MetricKind, value: number): void {
  if (kind === 'number') out.put(key, value, `${value} `)
  else if (kind === 'features') printFeatures(out, value)
  else {
    const time = kind === 'eighths' ? Math.floor(value / 8) : kind === 'quarters' ? Math.floor(value / 4) : value
    if (time >= 1000) out.put(key, time, `${formatG(time / 1000)}s `)
    else out.put(key, time, `${time}ms `)
  }
}

function printMetrics(out: Printer, metrics: RouteMetrics): void {
  out.openArray('metrics')
  out.openObject()
  const lock = metrics.lock ?? 0
  for (const [number, field, name, kind] of METRICS) {
    const value = metrics[field]
    if (value === undefined || (field === 'hoplimit' && value === 0xffffffff)) continue
    out.text(`${name} `)
    if ((lock & (1 << number)) !== 0) out.text('lock ')
    if (typeof value === 'string') out.put('congestion', value, `${value} `)
    else printMetric(out, name, kind, value)
  }
  out.closeObject()
  out.closeArray()
}

/** Prints the preference of an IPv6 route (RFC 4191). */
function printPreference(out: Printer, pref: number): void {
  const name = pref === 3 ? 'low' : pref === 0 ? 'medium' : pref === 1 ? 'high' : undefined
  if (name === undefined) out.put('pref', pref, `pref ${pref}`)
  else out.put('pref', name, `pref ${name}`)
}

function printLeg(ctx: IpContext, out: Printer, route: RouteMessage, leg: RouteNexthop, index: number): void {
  const cachedMulticast = (route.rtmFlags & RTM_F_CLONED) !== 0 && route.rtType === RTN_MULTICAST
  out.openObject()
  if (cachedMulticast) out.text(index === 0 ? 'Oifs: ' : ' ')
  else {
    out.nl()
    out.text('\tnexthop ')
  }
  if (leg.encap !== undefined) printEncap(ctx, out, leg.encap)
  if (leg.gateway !== undefined) printGateway(ctx, out, route.family, leg.gateway)
  if (leg.via !== undefined) printVia(ctx, out, leg.via)
  if (leg.flow !== undefined) printFlow(ctx, out, leg.flow)
  const dev = ctx.links.indexToName(leg.ifindex)
  if (cachedMulticast) {
    out.put('dev', dev, ` ${dev}`)
    if (leg.hops !== 1) out.put('ttl', leg.hops, `(ttl>${leg.hops})`)
  } else {
    if (realFamily(route) === route.family) out.put('dev', dev, `dev ${dev} `)
    else out.put('dev', dev, `dev ${dev} `)
    if (route.family !== RTNL_FAMILY_IPMR && route.family !== RTNL_FAMILY_IP6MR) {
      out.put('weight', leg.hops + 1, `weight ${leg.hops + 1} `)
    }
  }
  printRouteFlags(out, leg.flags)
  out.closeObject()
}

/**
 * Prints one route and ends its line. The filter decides what goes without saying: what was asked for is not repeated.
 * Whether the filter takes the route is the caller's question.
 */
export function printRoute(ctx: IpContext, out: Printer, route: RouteMessage, filter: RouteFilter): void {
  const { attrs } = route
  const details = ctx.opts.details > 0
  const cloned = (route.rtmFlags & RTM_F_CLONED) !== 0
  out.openObject()
  if (route.type === RTM_DELROUTE) out.put('deleted', true, 'Deleted ')
  if (route.rtType !== RTN_UNICAST || details) {
    const type = routeTypeName(route.rtType, ctx.opts.numeric)
    out.put('type', type, `${type} `)
  }
  printDestination(ctx, out, route)
  printSource(ctx, out, route)
  if (attrs.encap !== undefined) printEncap(ctx, out, attrs.encap)
  if (route.tos !== 0 && filter.tos === undefined) {
    const tos = ctx.names.rtDsfield.n2a(route.tos)
    out.put('tos', tos, `tos ${tos} `)
  }
  if (attrs.nhId !== undefined) out.put('nhid', attrs.nhId, `nhid ${attrs.nhId} `)
  if (attrs.gateway !== undefined && !isHostPrefix(filter.via, route.family)) {
    printGateway(ctx, out, route.family, attrs.gateway)
  }
  if (attrs.via !== undefined) printVia(ctx, out, attrs.via)
  if (attrs.oif !== undefined && filter.oif === undefined) printDevice(ctx, out, 'dev', attrs.oif)
  const table = routeTable(route)
  if (table !== 0 && (table !== RT_TABLE_MAIN || details) && filter.table === 0) {
    const name = ctx.names.rtTable.n2a(table)
    out.put('table', name, `table ${name} `)
  }
  if (!cloned) {
    if ((route.protocol !== RTPROT_BOOT || details) && filter.protocol === undefined) {
      const protocol = ctx.names.rtProto.n2a(route.protocol)
      out.put('protocol', protocol, `proto ${protocol} `)
    }
    if ((route.scope !== RT_SCOPE_UNIVERSE || details) && filter.scope === undefined) {
      const scope = ctx.names.rtScope.n2a(route.scope)
      out.put('scope', scope, `scope ${scope} `)
    }
  }
  if (attrs.prefsrc !== undefined && !isHostPrefix(filter.prefsrc, route.family)) {
    const src = formatAddress(route.family, attrs.prefsrc)
    out.text('src ')
    out.put('prefsrc', src, `${src} `, familyColor(route.family))
  }
  if (attrs.priority !== undefined && filter.metric === undefined) {
    out.put('metric', attrs.priority, `metric ${attrs.priority} `)
  }
  printRouteFlags(out, route.rtmFlags)
  if (attrs.mark !== undefined && attrs.mark !== 0) {
    out.put('mark', attrs.mark, attrs.mark >= 16 ? `mark 0x${attrs.mark.toString(16)} ` : `mark ${attrs.mark} `)
  }
  if (attrs.flow !== undefined && filter.realmMask >>> 0 !== 0xffffffff) printFlow(ctx, out, attrs.flow)
  if (attrs.uid !== undefined) out.put('uid', attrs.uid, `uid ${attrs.uid} `)
  if (route.family === AF_INET && cloned) printCacheFlags(out, route.rtmFlags)
  if (attrs.cacheinfo !== undefined && (route.family === AF_INET || route.family === AF_INET6)) {
    printCacheinfo(ctx, out, attrs.cacheinfo)
  }
  if (attrs.metrics !== undefined) printMetrics(out, attrs.metrics)
  if (attrs.iif !== undefined && filter.iif === undefined) printDevice(ctx, out, 'iif', attrs.iif)
  if (attrs.pref !== undefined) printPreference(out, attrs.pref)
  if (attrs.ttlPropagate !== undefined) {
    const state = attrs.ttlPropagate !== 0
    out.put('ttl-propogate', state, `ttl-propagate ${state ? 'enabled' : 'disabled'}`)
  }
  if (attrs.nhId !== undefined && details) printRouteNexthop(ctx, out, attrs.nhId)
  if (attrs.multipath !== undefined) {
    out.openArray('nexthops')
    for (const [i, leg] of attrs.multipath.entries()) printLeg(ctx, out, route, leg, i)
    out.closeArray()
  }
  out.text('\n')
  out.closeObject()
}
