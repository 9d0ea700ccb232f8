/**
 * Next hop objects (`ip nexthop`): next hops and groups of them that routes of both families refer to by id, and that
 * can be changed under them. Groups spread flows by hash thresholds, or keep flows where they are (resilient, see
 * nexthop_res.ts). See ip-nexthop(8). Requests are in nexthop_rtnl.ts.
 */
import { Errno } from '../../uapi/errno.ts'
import { NUD_REACHABLE, RT_SCOPE_HOST, RT_SCOPE_LINK, RTNH_F_DEAD, RTNH_F_ONLINK } from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import { NUD_VALID } from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import type { FibInfo, FibNh, FibResult } from './fib_info.ts'
import { neighState4, neighState6 } from './fib_neigh.ts'
import { fibKey, fibLookupGoodNhc } from './fib_table.ts'
import type { Flowi4 } from './flow.ts'
import type { NhResTable } from './nexthop_res.ts'

/** What IPv6 does for objects of both families; it registers itself. */
export interface Nexthop6Ops {
  /**
   * Checks an IPv6 next hop and makes IPv6's own form of it (fib6_nh_init).
   * @returns what the object keeps for IPv6, with device, gateway and flags; or a negative error
   */
  create(net: Net, cfg: Nexthop6Config, extack: NetlinkExtAck): Nexthop6 | number
  /** the object goes, or another takes its place: cached routes must be let go */
  release(nh6: Nexthop6): void
  /** Deletes the IPv6 routes that use an object. */
  deleteRoutes(net: Net, nh: Nexthop): void
  /** IPv6 routes that use it see another next hop now: caches are stale. With `notify`, listeners hear of each route. */
  updateRoutes(net: Net, nh: Nexthop, notify: boolean): void
  /** @returns 0, or the error that an IPv6 route of `old` gives with `fresh` in its place */
  checkRoutes(old: Nexthop, fresh: Nexthop, extack: NetlinkExtAck): number
}

/** A request for an IPv6 next hop. */
export interface Nexthop6Config {
  readonly table: number
  readonly dev: NetDevice | undefined
  readonly ifindex: number
  readonly gateway: Uint8Array | undefined
  /** RTNH_F_… */
  readonly flags: number
  readonly fdb: boolean
}

/** IPv6's form of a next hop. */
export interface Nexthop6 {
  readonly dev: NetDevice
  /** RTNH_F_… */
  readonly flags: number
  /** what IPv6's routes use, typed there */
  readonly nh: unknown
}

let ops6: Nexthop6Ops | undefined

/** Used by IPv6. */
export function registerNexthop6(ops: Nexthop6Ops): void {
  ops6 = ops
}

/** @returns IPv6's part, undefined where there is no IPv6 */
export function nexthop6Ops(): Nexthop6Ops | undefined {
  return ops6
}

/** A single next hop (`nh_info`). */
export class NhInfo {
  readonly family: number
  /** as IPv4's routes use it */
  readonly nhc: FibNh
  /** as IPv6's routes use it */
  nh6: Nexthop6 | undefined
  readonly reject: boolean
  readonly fdb: boolean

  constructor(family: number, nhc: FibNh, reject: boolean, fdb: boolean) {
    this.family = family
    this.nhc = nhc
    this.reject = reject
    this.fdb = fdb
  }
}

/** A member of a group. */
export class NhGrpEntry {
  readonly nh: Nexthop
  readonly weight: number
  /** share of the hash space 0 to 2^31 - 1, up to and including */
  upperBound = 0
  /** resilient groups: buckets it should have and has */
  wantsBuckets = 0
  countBuckets = 0

  constructor(nh: Nexthop, weight: number) {
    this.nh = nh
    this.weight = weight
  }
}

/** The members of a group (`nh_group`). */
export class NhGroup {
  readonly entries: NhGrpEntry[]
  fdb = false
  /** resilient groups have a table */
  res: NhResTable | undefined

  constructor(entries: NhGrpEntry[]) {
    this.entries = entries
  }

  /** @returns whether a member is IPv4's: then no IPv6 route can use it */
  get hasV4(): boolean {
    return this.entries.some(entry => entry.nh.info?.family === AF_INET)
  }

  /** Shares the hash space by weights (nh_hthr_group_rebalance). */
  rebalance(): void {
    let total = 0
    for (const entry of this.entries) total += entry.weight
    let w = 0
    for (const entry of this.entries) {
      w += entry.weight
      entry.upperBound = Math.round((w * 0x80000000) / total) - 1
    }
  }
}

/** An object. */
export class Nexthop {
  readonly net: Net
  readonly id: number
  /** RTPROT_… */
  protocol: number
  /** RTNH_F_… */
  flags: number
  /** a single next hop has this, a group that */
  info: NhInfo | undefined
  group: NhGroup | undefined
  /** IPv4 routes that use it */
  readonly fibInfos = new Set<FibInfo>()
  /** IPv6 routes that use it, typed there */
  readonly fib6Infos = new Set<unknown>()
  /** groups it is in */
  readonly groups = new Set<Nexthop>()
  /** it has been deleted */
  dead = false

  constructor(net: Net, id: number, protocol: number, flags: number) {
    this.net = net
    this.id = id
    this.protocol = protocol
    this.flags = flags
  }
}

/** The objects of a namespace. */
export class NexthopTable {
  /** in ascending order of ids */
  private sorted: Nexthop[] = []
  private readonly byId = new Map<number, Nexthop>()
  /** the last id given out */
  lastId = 0

  /** @returns an object */
  get(id: number): Nexthop | undefined {
    return this.byId.get(id)
  }

  /** @returns all, by ascending id */
  all(): readonly Nexthop[] {
    return this.sorted
  }

  /** Puts one in. */
  add(nh: Nexthop): void {
    this.byId.set(nh.id, nh)
    let at = this.sorted.length
    while (at > 0 && this.sorted[at - 1]!.id > nh.id) at--
    this.sorted = [...this.sorted.slice(0, at), nh, ...this.sorted.slice(at)]
  }

  /** Takes one out. */
  remove(nh: Nexthop): void {
    this.byId.delete(nh.id)
    this.sorted = this.sorted.filter(it => it !== nh)
  }

  /** @returns an id that nobody has, 0 where there is none (nh_find_unused_id) */
  unusedId(): number {
    const start = this.lastId
    for (;;) {
      this.lastId = this.lastId >= 0xffffffff ? 0 : this.lastId + 1
      if (this.lastId === start) return 0
      if (this.lastId !== 0 && !this.byId.has(this.lastId)) return this.lastId
    }
  }
}

/** Names them: `net.at(nexthopKey)`. */
export const nexthopKey = pernetKey<NexthopTable>('nexthop')

/** @returns an object by its id */
export function nexthopFindById(net: Net, id: number): Nexthop | undefined {
  return net.at(nexthopKey).get(id)
}

/** @returns whether it drops everything: itself, or its only member */
export function nexthopIsBlackhole(nh: Nexthop): boolean {
  if (nh.group !== undefined) {
    const { entries } = nh.group
    return entries.length === 1 && entries[0]!.nh.info!.reject
  }
  return nh.info!.reject
}

/** @returns how many next hops it has */
export function nexthopNumPath(nh: Nexthop): number {
  return nh.group === undefined ? 1 : nh.group.entries.length
}

/** @returns one of its next hops */
export function nexthopNhc(nh: Nexthop, i: number): FibNh {
  return (nh.group === undefined ? nh.info! : nh.group.entries[i]!.nh.info!).nhc
}

/** @returns the weight of one of its next hops */
export function nexthopWeight(nh: Nexthop, i: number): number {
  return nh.group === undefined ? 1 : nh.group.entries[i]!.weight
}

/** @returns the first next hop a lookup can use (nexthop_get_nhc_lookup) */
export function nexthopGetNhcLookup(nh: Nexthop, flags: number, fl4: Flowi4): FibNh | undefined {
  if (nh.group === undefined) {
    const { nhc } = nh.info!
    return fibLookupGoodNhc(nhc, flags, fl4) ? nhc : undefined
  }
  for (const entry of nh.group.entries) {
    const { nhc } = entry.nh.info!
    if (fibLookupGoodNhc(nhc, flags, fl4)) return nhc
  }
  return undefined
}

/** @returns whether a next hop's neighbour is not known to be unreachable */
function isGood(info: NhInfo): boolean {
  const { nhc } = info
  if (nhc.dev === undefined) return true
  const state = info.family === AF_INET ? neighState4(nhc.dev, nhc.gw4) : neighState6(nhc.dev, nhc.gw6)
  return ((state ?? NUD_REACHABLE) & NUD_VALID) !== 0
}

/**
 * Chooses the next hop of a flow (nexthop_select_path).
 * @param hash 31 bits @returns a single object
 */
export function nexthopSelectPath(nh: Nexthop, hash: number): Nexthop {
  const { group } = nh
  if (group === undefined) return nh
  if (group.res !== undefined) return group.res.select(hash)
  let first: Nexthop | undefined
  for (const entry of group.entries) {
    // whether the neighbour answers counts always, not by a sysctl as with plain multipath routes
    if (!group.fdb && !isGood(entry.nh.info!)) continue
    first ??= entry.nh
    if (hash <= entry.upperBound) return entry.nh
  }
  return first ?? group.entries[0]!.nh
}

/** Sets a lookup's next hop to the one its flow takes (nexthop_path_fib_result). */
export function nexthopPathFibResult(res: FibResult, hash: number): void {
  res.nhc = nexthopSelectPath(res.fi!.nh!, hash).info!.nhc
}

function checkScope(info: NhInfo, scope: number, extack: NetlinkExtAck): number {
  if (scope === RT_SCOPE_HOST && info.nhc.gwFamily !== 0)
    return extack.fail(-Errno.EINVAL, 'Route with host scope can not have a gateway')
  if ((info.nhc.flags & RTNH_F_ONLINK) !== 0 && scope >= RT_SCOPE_LINK)
    return extack.fail(-Errno.EINVAL, 'Scope mismatch with nexthop')
  return 0
}

/** @returns 0, or why an IPv4 route of a scope cannot use an object (fib_check_nexthop) */
export function fibCheckNexthop(nh: Nexthop, scope: number, extack: NetlinkExtAck): number {
  const { group } = nh
  if (group !== undefined) {
    if (group.fdb) return extack.fail(-Errno.EINVAL, 'Route cannot point to a fdb nexthop')
    if (scope === RT_SCOPE_HOST)
      return extack.fail(-Errno.EINVAL, 'Route with host scope can not have multiple nexthops')
    return checkScope(group.entries[0]!.nh.info!, scope, extack)
  }
  if (nh.info!.fdb) return extack.fail(-Errno.EINVAL, 'Route cannot point to a fdb nexthop')
  return checkScope(nh.info!, scope, extack)
}

/** @returns 0, or why an IPv6 route cannot use an object (fib6_check_nexthop) */
export function fib6CheckNexthop(nh: Nexthop, hasSource: boolean, extack: NetlinkExtAck): number {
  if (hasSource) return extack.fail(-Errno.EINVAL, 'IPv6 routes using source address can not use nexthop objects')
  const v4 = nh.group === undefined ? nh.info!.family === AF_INET : nh.group.hasV4
  if (v4) return extack.fail(-Errno.EINVAL, 'IPv6 routes can not use an IPv4 nexthop')
  const fdb = nh.group === undefined ? nh.info!.fdb : nh.group.fdb
  return fdb ? extack.fail(-Errno.EINVAL, 'Route cannot point to a fdb nexthop') : 0
}

/** Deletes the routes that use an object that goes (__remove_nexthop_fib). */
export function nexthopRemoveRoutes(net: Net, nh: Nexthop): void {
  for (const fi of nh.fibInfos) fi.flags |= RTNH_F_DEAD
  if (nh.fibInfos.size > 0) net.at(fibKey).flush()
  nh.dead = true
  ops6?.deleteRoutes(net, nh)
}
