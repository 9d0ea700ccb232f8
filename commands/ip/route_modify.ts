/** `ip route add|change|replace|prepend|append|test|del`: the words of a route and the request they make. */
import { NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import {
  type RouteMessage,
  type RouteMetrics,
  type RouteNexthop,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RT_TABLE_UNSPEC,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTN_ANYCAST,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_NAT,
  RTN_UNICAST,
  RTN_UNSPEC,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, AF_MPLS, AF_PACKET, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { duparg2, EXIT_USAGE, invarg, nodev, ToolExit } from '../lib/errors.ts'
import { getAddr, getPrefix, readFamily } from '../lib/inet.ts'
import { parseLlAddr } from '../lib/lladdr.ts'
import { getU8, getU32, getUnsigned } from '../lib/number.ts'
import { routeMessage } from '../lib/rtnl.ts'
import { parseTimeRtt } from '../lib/units.ts'
import type { IpContext } from './context.ts'
import { ROUTE_USAGE } from './help/route.ts'
import { parseEncap } from './lwtunnel.ts'
import { parseRealms, parseRouteType } from './rtnames.ts'
import { vrfTable } from './vrf_table.ts'

/** What the words said besides the message itself. */
interface Given {
  gateway: boolean
  destination: boolean
  nexthops: boolean
  scope: boolean
  table: boolean
  type: boolean
  device: string | undefined
}

/** Reads `[FAMILY] ADDRESS` after `via`. */
function parseVia(ctx: IpContext, route: RouteMessage, a: Args, to: Pick<RouteNexthop, 'gateway' | 'via'>): void {
  const named = readFamily(a.next())
  if (named !== undefined) a.next()
  if (named === AF_PACKET && parseLlAddr(a.word) === undefined) ctx.warn(`"${a.word}" is invalid lladdr.\n`)
  const address = getAddr(a.word, named ?? route.family)
  if (route.family === AF_UNSPEC) route.family = address.family
  if (address.family === route.family) to.gateway = address.data
  else to.via = { family: address.family, addr: address.data }
}

/** Sets a metric; `lock` as the first word forbids the kernel to change it. */
type MetricParser = (metrics: RouteMetrics, a: Args, lock: (word: string) => string) => void

const plain =
  (
    field: 'mtu' | 'window' | 'ssthresh' | 'cwnd' | 'advmss' | 'reordering' | 'initcwnd' | 'initrwnd',
    name: string,
  ): MetricParser =>
  (metrics, a, lock) => {
    const word = lock(a.next())
    metrics[field] = getUnsigned(word) ?? invarg(`"${name}" value is invalid\n`, word)
  }

const time =
  (field: 'rtt' | 'rttvar' | 'rtoMin', name: string, scale: number): MetricParser =>
  (metrics, a, lock) => {
    const word = lock(a.next())
    const read = parseTimeRtt(word)
    if (read === undefined) invarg(`"${name}" value is invalid\n`, word)
    metrics[field] = read.raw ? read.value : read.value * scale
  }

const bool =
  (field: 'quickack' | 'fastopenNoCookie', name: string): MetricParser =>
  (metrics, a) => {
    const word = a.next()
    const value = getUnsigned(word) ?? invarg(`"${name}" value is invalid\n`, word)
    if (value > 1) invarg(`"${name}" value should be 0 or 1\n`, word)
    metrics[field] = value
  }

/** A metric's keyword, its number (RTAX_…), whether an abbreviation will do, and what follows it. */
interface MetricWord {
  readonly name: string
  readonly number: number
  readonly abbreviable: boolean
  readonly parse: MetricParser
}

const RTAX_FEATURE_ECN = 1

const HOPLIMIT: MetricParser = (metrics, a, lock) => {
  const word = lock(a.next())
  const limit = getUnsigned(word)
  if (limit === undefined || limit > 255) invarg('"hoplimit" value is invalid\n', word)
  metrics.hoplimit = limit
}

const FEATURES: MetricParser = (metrics, a) => {
  const word = a.next()
  if (word !== 'ecn') invarg('"features" value not valid\n', word)
  metrics.features = RTAX_FEATURE_ECN
}

const CONGCTL: MetricParser = (metrics, a, lock) => {
  metrics.ccAlgo = lock(a.next())
}

/** Metrics in the order their keywords are tried; the first group stands before, the second after `rto_min`. */
const METRIC_WORDS: readonly MetricWord[] = [
  { name: 'mtu', number: 2, abbreviable: false, parse: plain('mtu', 'mtu') },
  { name: 'hoplimit', number: 10, abbreviable: false, parse: HOPLIMIT },
  { name: 'advmss', number: 8, abbreviable: false, parse: plain('advmss', 'mss') },
  { name: 'reordering', number: 9, abbreviable: true, parse: plain('reordering', 'reordering') },
  { name: 'rtt', number: 4, abbreviable: false, parse: time('rtt', 'rtt', 8) },
  { name: 'rto_min', number: 13, abbreviable: false, parse: time('rtoMin', 'rto_min', 1) },
  { name: 'window', number: 3, abbreviable: true, parse: plain('window', 'window') },
  { name: 'cwnd', number: 7, abbreviable: true, parse: plain('cwnd', 'cwnd') },
  { name: 'initcwnd', number: 11, abbreviable: true, parse: plain('initcwnd', 'initcwnd') },
  { name: 'initrwnd', number: 14, abbreviable: true, parse: plain('initrwnd', 'initrwnd') },
  { name: 'features', number: 12, abbreviable: true, parse: FEATURES },
  { name: 'quickack', number: 15, abbreviable: true, parse: bool('quickack', 'quickack') },
  { name: 'congctl', number: 16, abbreviable: true, parse: CONGCTL },
  { name: 'rttvar', number: 5, abbreviable: true, parse: time('rttvar', 'rttvar', 4) },
  { name: 'ssthresh', number: 6, abbreviable: true, parse: plain('ssthresh', 'ssthresh') },
]

const FASTOPEN: MetricWord = {
  name: 'fastopen_no_cookie',
  number: 17,
  abbreviable: true,
  parse: bool('fastopenNoCookie', 'fastopen_no_cookie'),
}

/** Reads a metric at the cursor. @returns whether there was one */
function parseMetric(route: RouteMessage, a: Args, words: readonly MetricWord[]): boolean {
  const metric = words.find(entry => (entry.abbreviable ? a.matches(entry.name) : a.is(entry.name)))
  if (metric === undefined) return false
  const metrics = route.attrs.metrics ?? {}
  route.attrs.metrics = metrics
  const setLock = (): void => {
    metrics.lock = (metrics.lock ?? 0) | (1 << metric.number)
  }
  if (metric.name === 'rto_min') setLock()
  metric.parse(metrics, a, word => {
    if (word !== 'lock' || metric.name === 'rto_min') return word
    setLock()
    return a.next()
  })
  return true
}

function parseTable(ctx: IpContext, route: RouteMessage, a: Args): void {
  const word = a.next()
  const table = ctx.names.rtTable.a2n(word) ?? invarg('"table" value is invalid\n', word)
  setTable(route, table)
}

function setTable(route: RouteMessage, table: number): void {
  if (table < 256) route.table = table
  else {
    route.table = RT_TABLE_UNSPEC
    route.attrs.table = table
  }
}

function parsePreference(route: RouteMessage, a: Args): void {
  const word = a.next()
  const known = word === 'low' ? 3 : word === 'medium' ? 0 : word === 'high' ? 1 : undefined
  route.attrs.pref = known ?? getU8(word) ?? invarg('"pref" value is invalid\n', word)
}

/** Reads the words of one `nexthop`, which the cursor stands on; leaves it after them. */
function parseNexthop(ctx: IpContext, route: RouteMessage, a: Args): RouteNexthop {
  const leg: RouteNexthop = { flags: 0, hops: 0, ifindex: 0 }
  for (a.skip(); a.more; a.skip()) {
    if (a.is('via')) parseVia(ctx, route, a, leg)
    else if (a.is('dev')) {
      const word = a.next()
      leg.ifindex = ctx.links.nameToIndex(word)
      if (leg.ifindex === 0) throw new ToolExit(`${nodev(word).text}Error: cannot parse nexthop\n`, EXIT_USAGE)
    } else if (a.is('weight')) {
      const word = a.next()
      const weight = getUnsigned(word)
      if (weight === undefined || weight === 0 || weight > 256) invarg('"weight" is invalid\n', word)
      leg.hops = weight - 1
    } else if (a.is('onlink')) leg.flags |= RTNH_F_ONLINK
    else if (a.matches('realms')) {
      const word = a.next()
      leg.flow = parseRealms(word, ctx.names.rtRealm) ?? invarg('"realm" value is invalid\n', word)
    } else if (a.is('encap')) leg.encap = parseEncap(ctx, a)
    else if (a.is('as')) {
      if (a.next() === 'to') a.next()
      getAddr(a.word, route.family)
    } else break
  }
  return leg
}

function parseNexthops(ctx: IpContext, route: RouteMessage, a: Args): void {
  const legs: RouteNexthop[] = []
  while (a.more) {
    if (!a.is('nexthop')) {
      throw new ToolExit(`Error: "nexthop" or end of line is expected instead of "${a.word}"\n`, EXIT_USAGE)
    }
    if (a.left <= 1) throw new ToolExit('Error: unexpected end of line after "nexthop"\n', EXIT_USAGE)
    legs.push(parseNexthop(ctx, route, a))
  }
  if (legs.length > 0) route.attrs.multipath = legs
}

/** Reads `[to] [TYPE] PREFIX`. */
function parseDestination(ctx: IpContext, route: RouteMessage, a: Args, given: Given): void {
  if (a.is('to')) a.next()
  const digit = /^[0-9]/.test(a.word)
  const type = digit ? undefined : parseRouteType(a.word)
  if (type !== undefined) {
    a.next()
    route.rtType = type
    given.type = true
  }
  if (a.matches('help')) ctx.usage(ROUTE_USAGE)
  if (given.destination) duparg2('to', a.word)
  const prefix = getPrefix(a.word, route.family)
  if (route.family === AF_UNSPEC) route.family = prefix.family
  route.dstLen = prefix.bitlen
  given.destination = true
  if (prefix.data.length > 0) route.attrs.dst = prefix.data
}

/** Reads one keyword with its value. */
function parseWord(ctx: IpContext, route: RouteMessage, a: Args, given: Given): void {
  const { attrs } = route
  if (a.is('src')) {
    const address = getAddr(a.next(), route.family)
    if (route.family === AF_UNSPEC) route.family = address.family
    attrs.prefsrc = address.data
  } else if (a.is('as')) {
    if (a.next() === 'to') a.next()
    const address = getAddr(a.word, route.family)
    if (route.family === AF_UNSPEC) route.family = address.family
  } else if (a.is('via')) {
    if (given.gateway) invarg('use nexthop syntax to specify multiple via\n', a.word)
    given.gateway = true
    parseVia(ctx, route, a, attrs)
  } else if (a.is('from')) {
    const prefix = getPrefix(a.next(), route.family)
    if (route.family === AF_UNSPEC) route.family = prefix.family
    if (prefix.data.length > 0) attrs.src = prefix.data
    route.srcLen = prefix.bitlen
  } else if (a.is('tos') || a.matches('dsfield')) {
    const word = a.next()
    route.tos = ctx.names.rtDsfield.a2n(word) ?? invarg('"tos" value is invalid\n', word)
  } else if (a.is('expires')) {
    const word = a.next()
    attrs.expires = getU32(word) ?? invarg('"expires" value is invalid\n', word)
  } else if (a.matches('metric') || a.matches('priority') || a.is('preference')) {
    const word = a.next()
    attrs.priority = getU32(word) ?? invarg('"metric" value is invalid\n', word)
  } else if (a.is('scope')) {
    const word = a.next()
    route.scope = ctx.names.rtScope.a2n(word) ?? invarg('invalid "scope" value\n', word)
    given.scope = true
  } else if (parseMetric(route, a, METRIC_WORDS)) return
  else if (a.matches('realms')) {
    const word = a.next()
    attrs.flow = parseRealms(word, ctx.names.rtRealm) ?? invarg('"realm" value is invalid\n', word)
  } else if (a.is('onlink')) route.rtmFlags |= RTNH_F_ONLINK
  else if (a.matches('protocol')) {
    const word = a.next()
    route.protocol = ctx.names.rtProto.a2n(word) ?? invarg('"protocol" value is invalid\n', word)
  } else if (a.matches('table')) {
    parseTable(ctx, route, a)
    given.table = true
  } else if (a.matches('vrf')) {
    const word = a.next()
    const table = vrfTable(ctx, word)
    if (table === 0) invarg('Invalid VRF\n', word)
    setTable(route, table)
    given.table = true
  } else if (a.is('dev', 'oif')) given.device = a.next()
  else if (a.matches('pref')) parsePreference(route, a)
  else if (a.is('encap')) attrs.encap = parseEncap(ctx, a)
  else if (a.is('ttl-propagate')) {
    const word = a.next()
    if (word !== 'enabled' && word !== 'disabled') invarg('"ttl-propagate" value is invalid\n', word)
    attrs.ttlPropagate = word === 'enabled' ? 1 : 0
  } else if (parseMetric(route, a, [FASTOPEN])) return
  else if (a.is('nhid')) {
    const word = a.next()
    attrs.nhId = getU32(word) ?? invarg('"id" value is invalid\n', word)
  } else parseDestination(ctx, route, a, given)
}

/** The scope a route has when none was given. */
function defaultScope(route: RouteMessage, given: Given): number {
  const { rtType: type, family } = route
  if (family === AF_INET6 || family === AF_MPLS) return RT_SCOPE_UNIVERSE
  if (type === RTN_LOCAL || type === RTN_NAT) return RT_SCOPE_HOST
  if (type === RTN_BROADCAST || type === RTN_MULTICAST || type === RTN_ANYCAST) return RT_SCOPE_LINK
  if (type === RTN_UNICAST || type === RTN_UNSPEC) {
    if (route.type === RTM_DELROUTE) return RT_SCOPE_NOWHERE
    if (!given.gateway && !given.nexthops && route.attrs.nhId === undefined) return RT_SCOPE_LINK
  }
  return route.scope
}

/**
 * Makes the request of a route's words.
 * @param type RTM_NEWROUTE or RTM_DELROUTE  @param flags NLM_F_… of the command
 */
export function parseRoute(
  ctx: IpContext,
  type: typeof RTM_NEWROUTE | typeof RTM_DELROUTE,
  flags: number,
  words: readonly string[],
): RouteMessage {
  const route = routeMessage({
    type,
    flags: NLM_F_REQUEST | flags,
    family: ctx.opts.family,
    table: RT_TABLE_MAIN,
    scope: RT_SCOPE_NOWHERE,
  })
  if (type === RTM_NEWROUTE) {
    route.protocol = RTPROT_BOOT
    route.scope = RT_SCOPE_UNIVERSE
    route.rtType = RTN_UNICAST
  }
  const given: Given = {
    gateway: false,
    destination: false,
    nexthops: false,
    scope: false,
    table: false,
    type: false,
    device: undefined,
  }
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.is('nexthop')) {
      given.nexthops = true
      break
    }
    parseWord(ctx, route, a, given)
  }
  if (!given.destination) ctx.usage(ROUTE_USAGE)
  if (given.device !== undefined) route.attrs.oif = ctx.index(given.device)
  if (given.nexthops) parseNexthops(ctx, route, a)
  if (route.family === AF_UNSPEC) route.family = AF_INET
  const { rtType } = route
  if (
    !given.table &&
    (rtType === RTN_LOCAL || rtType === RTN_BROADCAST || rtType === RTN_NAT || rtType === RTN_ANYCAST)
  ) {
    route.table = RT_TABLE_LOCAL
  }
  if (!given.scope) route.scope = defaultScope(route, given)
  if (!given.type && route.family === AF_MPLS) route.rtType = RTN_UNICAST
  return route
}

/** Runs a modifying command. @returns the exit status */
export function modifyRoute(
  ctx: IpContext,
  type: typeof RTM_NEWROUTE | typeof RTM_DELROUTE,
  flags: number,
  words: readonly string[],
): number {
  ctx.talk(parseRoute(ctx, type, flags, words))
  return 0
}
