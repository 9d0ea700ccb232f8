/** Words of routing that have no file in /etc/iproute2: route types, pairs of realms, flags of routes and next hops. */
import {
  RTM_F_NOTIFY,
  RTM_F_OFFLOAD,
  RTM_F_OFFLOAD_FAILED,
  RTM_F_TRAP,
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
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  RTNH_F_OFFLOAD,
  RTNH_F_ONLINK,
  RTNH_F_PERVASIVE,
  RTNH_F_TRAP,
  RTNH_F_UNRESOLVED,
} from '../../src/uapi/rtnetlink.ts'
import { matches } from '../lib/args.ts'
import type { NameTable } from '../lib/names.ts'
import { getU8, scanInteger } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'

/** A route type that only `ip` knows: resolved by a daemon. */
const RTN_XRESOLVE = 11

const TYPE_NAMES = new Map<number, string>([
  [RTN_UNSPEC, 'none'],
  [RTN_UNICAST, 'unicast'],
  [RTN_LOCAL, 'local'],
  [RTN_BROADCAST, 'broadcast'],
  [RTN_ANYCAST, 'anycast'],
  [RTN_MULTICAST, 'multicast'],
  [RTN_BLACKHOLE, 'blackhole'],
  [RTN_UNREACHABLE, 'unreachable'],
  [RTN_PROHIBIT, 'prohibit'],
  [RTN_THROW, 'throw'],
  [RTN_NAT, 'nat'],
  [RTN_XRESOLVE, 'xresolve'],
])

/** @returns the name of a route type (RTN_…), its number with -N or where it has none */
export function routeTypeName(type: number, numeric: boolean): string {
  return (numeric ? undefined : TYPE_NAMES.get(type)) ?? String(type)
}

/** Words of route types in the order they are tried, and whether an abbreviation will do. */
const TYPE_WORDS: readonly (readonly [string, number, boolean])[] = [
  ['local', RTN_LOCAL, false],
  ['nat', RTN_NAT, false],
  ['broadcast', RTN_BROADCAST, true],
  ['brd', RTN_BROADCAST, false],
  ['anycast', RTN_ANYCAST, true],
  ['multicast', RTN_MULTICAST, true],
  ['prohibit', RTN_PROHIBIT, true],
  ['unreachable', RTN_UNREACHABLE, true],
  ['blackhole', RTN_BLACKHOLE, true],
  ['xresolve', RTN_XRESOLVE, true],
  ['unicast', RTN_UNICAST, true],
  ['throw', RTN_THROW, false],
]

/** @returns the route type a word names, abbreviates or is as a number up to 255, or undefined */
export function parseRouteType(word: string): number | undefined {
  for (const [name, type, abbreviable] of TYPE_WORDS) {
    if (word === name || (abbreviable && matches(word, name))) return type
  }
  return getU8(word)
}

/**
 * Reads `[FROM/]TO` realms or a raw 32-bit number (get_rt_realms_or_raw).
 * @returns from in the high, to in the low 16 bits, or undefined
 */
export function parseRealms(word: string, realms: NameTable): number | undefined {
  let rest = word
  let from = 0
  const slash = word.indexOf('/')
  if (slash >= 0) {
    rest = word.slice(slash + 1)
    if (slash > 0) {
      const realm = realms.a2n(word.slice(0, slash))
      if (realm === undefined) return undefined
      from = realm
    }
  }
  if (rest === '') return (from << 16) >>> 0
  const to = realms.a2n(rest)
  if (to !== undefined) return ((from << 16) | to) >>> 0
  const { value, length } = scanInteger(word, 0)
  return length === word.length && value >= 0n && value <= 0xffffffffn ? Number(value) : undefined
}

/** Flags of routes and next hops in the order they are printed. */
const ROUTE_FLAGS: readonly (readonly [number, string])[] = [
  [RTNH_F_DEAD, 'dead'],
  [RTNH_F_ONLINK, 'onlink'],
  [RTNH_F_PERVASIVE, 'pervasive'],
  [RTNH_F_OFFLOAD, 'offload'],
  [RTNH_F_TRAP, 'trap'],
  [RTM_F_NOTIFY, 'notify'],
  [RTNH_F_LINKDOWN, 'linkdown'],
  [RTNH_F_UNRESOLVED, 'unresolved'],
  [RTM_F_OFFLOAD, 'rt_offload'],
  [RTM_F_TRAP, 'rt_trap'],
  [RTM_F_OFFLOAD_FAILED, 'rt_offload_failed'],
]

/** Prints rtm_flags or rtnh_flags: the JSON array `flags`, or a word each. */
export function printRouteFlags(out: Printer, flags: number): void {
  out.openArray('flags')
  for (const [bit, name] of ROUTE_FLAGS) if ((flags & bit) !== 0) out.put(undefined, name, `${name} `)
  out.closeArray()
}
