/** Which routes `ip route list`, `flush` and `save` mean, and which facts of them go without saying. */
import { NLM_F_DUMP, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import {
  type RouteMessage,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTM_F_CLONED,
  RTM_GETROUTE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_UNREACHABLE,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { invarg, nodev } from '../lib/errors.ts'
import { afByteLen, getPrefix, type InetPrefix, prefixEqual, readFamily } from '../lib/inet.ts'
import { getU32, getUnsigned } from '../lib/number.ts'
import { routeMessage } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'
import { ROUTE_USAGE } from './help/route.ts'
import { parseRealms, parseRouteType } from './rtnames.ts'
import { vrfTable } from './vrf_table.ts'

/** Selection of routes. A number of `undefined` selects everything and has the printer say the fact. */
export interface RouteFilter {
  /** table, 0 for all */
  table: number
  /** cached routes: only them, none of them, or either (`get`) */
  cloned: 'no' | 'only' | 'either'
  protocol: number | undefined
  scope: number | undefined
  /** bit mask of route types, 0 for all */
  types: number
  tos: number | undefined
  iif: number | undefined
  oif: number | undefined
  mark: number | undefined
  metric: number | undefined
  realm: number
  /** which bits of the realms count; all ones has the printer leave them out */
  realmMask: number
  prefsrc: InetPrefix | undefined
  via: InetPrefix | undefined
  /** the destination is inside (root), holds (match) the prefix */
  dstRoot: InetPrefix | undefined
  dstMatch: InetPrefix | undefined
  srcRoot: InetPrefix | undefined
  srcMatch: InetPrefix | undefined
}

/** @returns the filter that takes everything */
export function emptyFilter(): RouteFilter {
  return {
    table: 0,
    cloned: 'no',
    protocol: undefined,
    scope: undefined,
    types: 0,
    tos: undefined,
    iif: undefined,
    oif: undefined,
    mark: undefined,
    metric: undefined,
    realm: 0,
    realmMask: 0,
    prefsrc: undefined,
    via: undefined,
    dstRoot: undefined,
    dstMatch: undefined,
    srcRoot: undefined,
    srcMatch: undefined,
  }
}

/** Reads `[root|match|exact] PREFIX` at the cursor. */
function parseTarget(a: Args, family: number): { root?: InetPrefix; match?: InetPrefix } {
  if (a.matches('root')) {
    a.next()
    return { root: getPrefix(a.word, family) }
  }
  if (a.matches('match')) {
    a.next()
    return { match: getPrefix(a.word, family) }
  }
  if (a.matches('exact')) a.next()
  const prefix = getPrefix(a.word, family)
  return { root: prefix, match: prefix }
}

function parseTable(ctx: IpContext, word: string, filter: RouteFilter): void {
  const table = ctx.names.rtTable.a2n(word)
  if (table !== undefined) filter.table = table
  else if (word === 'all') filter.table = 0
  else if (word === 'cache') filter.cloned = 'only'
  else if (word === 'help') ctx.usage(ROUTE_USAGE)
  else invarg('table id value is invalid\n', word)
}

function parseRealmSelector(ctx: IpContext, word: string, filter: RouteFilter): void {
  const realm = parseRealms(word, ctx.names.rtRealm)
  if (realm === undefined) invarg('invalid realms\n', word)
  filter.realm = realm
  filter.realmMask = 0xffffffff
  if ((realm & 0xffff) === 0 && word.endsWith('/')) filter.realmMask = 0xffff0000
  if (realm >>> 16 === 0 && !word.slice(1).includes('/')) filter.realmMask &= 0xffff
}

/** The selectors of `ip route list|flush|save` and the filter they make. @returns the filter and the family to dump */
export function parseRouteFilter(
  ctx: IpContext,
  words: readonly string[],
): { readonly filter: RouteFilter; readonly family: number } {
  const filter = emptyFilter()
  filter.table = RT_TABLE_MAIN
  let { family } = ctx.opts
  let iif: string | undefined
  let oif: string | undefined
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.matches('table')) parseTable(ctx, a.next(), filter)
    else if (a.matches('vrf')) {
      const word = a.next()
      const table = vrfTable(ctx, word)
      if (table === 0) invarg('Invalid VRF\n', word)
      filter.table = table
      filter.types = ~((1 << RTN_LOCAL) | (1 << RTN_BROADCAST))
    } else if (a.matches('cached') || a.matches('cloned')) filter.cloned = 'only'
    else if (a.is('tos') || a.matches('dsfield')) {
      const word = a.next()
      filter.tos = ctx.names.rtDsfield.a2n(word) ?? invarg('TOS value is invalid\n', word)
    } else if (a.matches('protocol')) {
      const word = a.next()
      filter.protocol = ctx.names.rtProto.a2n(word)
      if (filter.protocol === undefined && word !== 'all') invarg('invalid "protocol"\n', word)
    } else if (a.matches('scope')) {
      const word = a.next()
      filter.scope = ctx.names.rtScope.a2n(word)
      if (filter.scope === undefined && word !== 'all') invarg('invalid "scope"\n', word)
    } else if (a.matches('type')) {
      const word = a.next()
      filter.types = 1 << (parseRouteType(word) ?? invarg('node type value is invalid\n', word))
    } else if (a.is('dev', 'oif')) oif = a.next()
    else if (a.is('iif')) iif = a.next()
    else if (a.is('mark')) filter.mark = getUnsigned(a.next()) ?? invarg('invalid mark value', a.word)
    else if (a.matches('metric') || a.matches('priority') || a.is('preference')) {
      const word = a.next()
      filter.metric = getU32(word) ?? invarg('"metric" value is invalid\n', word)
    } else if (a.is('via')) {
      const named = readFamily(a.next())
      if (named !== undefined) a.next()
      filter.via = getPrefix(a.word, named ?? family)
    } else if (a.is('src')) {
      a.next()
      filter.prefsrc = getPrefix(a.word, family)
    } else if (a.matches('realms')) parseRealmSelector(ctx, a.next(), filter)
    else if (a.matches('from')) {
      a.next()
      const { root, match } = parseTarget(a, family)
      filter.srcRoot = root ?? filter.srcRoot
      filter.srcMatch = match ?? filter.srcMatch
    } else {
      if (a.matches('to')) a.next()
      const { root, match } = parseTarget(a, family)
      filter.dstRoot = root ?? filter.dstRoot
      filter.dstMatch = match ?? filter.dstMatch
    }
  }
  if (family === AF_UNSPEC && filter.table !== 0) family = AF_INET
  if (iif !== undefined) filter.iif = requireIndex(ctx, iif)
  if (oif !== undefined) filter.oif = requireIndex(ctx, oif)
  return { filter, family }
}

function requireIndex(ctx: IpContext, dev: string): number {
  const index = ctx.links.nameToIndex(dev)
  if (index === 0) throw nodev(dev)
  return index
}

/** @returns the dump request of a filter: what the kernel can select itself it is asked to */
export function routeDumpRequest(filter: RouteFilter, family: number): RouteMessage {
  const request = routeMessage({ type: RTM_GETROUTE, flags: NLM_F_REQUEST | NLM_F_DUMP, family })
  request.protocol = filter.protocol ?? 0
  if (filter.cloned === 'only') request.rtmFlags |= RTM_F_CLONED
  if (filter.table !== 0) request.attrs.table = filter.table
  if (filter.oif !== undefined) request.attrs.oif = filter.oif
  return request
}

/** @returns the whole number of a route's table */
export function routeTable(route: RouteMessage): number {
  return route.attrs.table ?? route.table
}

/** Whether IPv6 routes of other tables than main were seen: before, a kernel without policy routing is assumed. */
export interface RouteTables {
  sixHasTables: boolean
}

/** A prefix given for a family, or for no family but with a length. */
function rootHolds(root: InetPrefix | undefined, family: number, length: number, address: Uint8Array): boolean {
  if (root === undefined || root.family === AF_UNSPEC) return true
  return family === root.family && root.bitlen <= length && prefixEqual(address, root.data, root.bitlen)
}

function matchHolds(match: InetPrefix | undefined, family: number, length: number, address: Uint8Array): boolean {
  if (match === undefined || (match.family === AF_UNSPEC && !match.specified)) return true
  if (match.bitlen < length) return false
  return match.family === AF_UNSPEC || (family === match.family && prefixEqual(address, match.data, length))
}

function tableHolds(filter: RouteFilter, route: RouteMessage, tables: RouteTables): boolean {
  const table = routeTable(route)
  if (route.family !== AF_INET6) return filter.table === 0 || filter.table === table
  if (table !== RT_TABLE_MAIN) tables.sixHasTables = true
  if (filter.table === 0) return true
  if (tables.sixHasTables) return filter.table === table
  if (filter.table === RT_TABLE_LOCAL) return route.rtType === RTN_LOCAL
  return filter.table === RT_TABLE_MAIN && route.rtType !== RTN_LOCAL
}

/** @returns whether a filter takes a route. @param preferred the family of -4 or -6, AF_UNSPEC for any */
export function filterTakes(filter: RouteFilter, route: RouteMessage, preferred: number, tables: RouteTables): boolean {
  const { family, attrs } = route
  if (preferred !== AF_UNSPEC && family !== preferred) return false
  const isClone = (route.rtmFlags & RTM_F_CLONED) !== 0
  if (filter.cloned !== 'either' && isClone !== (filter.cloned === 'only')) return false
  if (!tableHolds(filter, route, tables)) return false
  if (filter.protocol !== undefined && filter.protocol !== route.protocol) return false
  if (filter.scope !== undefined && filter.scope !== route.scope) return false
  if (filter.types !== 0 && (filter.types & (1 << route.rtType)) === 0) return false
  if (filter.tos !== undefined && filter.tos !== route.tos) return false
  const none = new Uint8Array(0)
  if (!rootHolds(filter.dstRoot, family, route.dstLen, attrs.dst ?? none)) return false
  if (!matchHolds(filter.dstMatch, family, route.dstLen, attrs.dst ?? none)) return false
  if (!rootHolds(filter.srcRoot, family, route.srcLen, attrs.src ?? none)) return false
  if (!matchHolds(filter.srcMatch, family, route.srcLen, attrs.src ?? none)) return false
  const { via, prefsrc } = filter
  if (via !== undefined && via.family !== AF_UNSPEC) {
    if ((attrs.via?.family ?? family) !== via.family) return false
    if (!prefixEqual(attrs.via?.addr ?? attrs.gateway ?? none, via.data, via.bitlen)) return false
  }
  if (prefsrc !== undefined && prefsrc.family !== AF_UNSPEC) {
    if (family !== prefsrc.family || !prefixEqual(attrs.prefsrc ?? none, prefsrc.data, prefsrc.bitlen)) return false
  }
  if ((((attrs.flow ?? 0) ^ filter.realm) & filter.realmMask) !== 0) return false
  if (filter.iif !== undefined && filter.iif !== (attrs.iif ?? 0)) return false
  if (filter.oif !== undefined && filter.oif !== (attrs.oif ?? 0)) return false
  if (filter.mark !== undefined && filter.mark !== (attrs.mark ?? 0)) return false
  if (filter.metric !== undefined && filter.metric !== (attrs.priority ?? 0)) return false
  return true
}

/** @returns whether a route is the null entry of IPv6, which no flush removes */
export function isNullEntry(route: RouteMessage): boolean {
  return (
    route.family === AF_INET6 &&
    route.dstLen === 0 &&
    route.rtType === RTN_UNREACHABLE &&
    route.attrs.priority === 0xffffffff
  )
}

/** @returns whether a filter names one whole address, so that every route taken has it and it is not printed */
export function isHostPrefix(prefix: InetPrefix | undefined, family: number): boolean {
  return prefix !== undefined && prefix.bitlen === 8 * afByteLen(family)
}
