/**
 * IPv6's forwarding information base: tables of routes (`fib6_info`), each a path-compressed binary trie over
 * destination prefixes, with a trie over source prefixes below a node where routes name one (RFC 8043).
 * What a route says is here; how one is chosen for a packet is in route_select.ts, where it comes from in route_add.ts.
 */

import { Errno } from '../../uapi/errno.ts'
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/netlink.ts'
import type { RouteEncap } from '../../uapi/rtnetlink.ts'
import { RT_TABLE_LOCAL, RT_TABLE_MAIN, RTNH_F_DEAD, RTNH_F_LINKDOWN } from '../../uapi/rtnetlink.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { type DstMetrics, NO_METRICS } from '../ipv4/fib_metrics.ts'
import type { Nexthop } from '../ipv4/nexthop.ts'
import { addrBit, addrDiff, addrEqual, IN6ADDR_ANY, type In6Addr } from './addr.ts'
import { IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN } from './devconf.ts'
import { Fib6Node, locate, tableRoutes } from './fib6_trie.ts'
import { in6Dev } from './if_inet6.ts'
import type { Rt6Exceptions, Rt6Info } from './rt6_info.ts'

/** Flags of routes, as /proc/net/ipv6_route shows them. */
export const RTF_UP = 0x0001
export const RTF_GATEWAY = 0x0002
export const RTF_DYNAMIC = 0x0010
export const RTF_MODIFIED = 0x0020
export const RTF_REJECT = 0x0200
export const RTF_DEFAULT = 0x00010000
export const RTF_ADDRCONF = 0x00040000
export const RTF_PREFIX_RT = 0x00080000
export const RTF_ANYCAST = 0x00100000
export const RTF_NONEXTHOP = 0x00200000
export const RTF_EXPIRES = 0x00400000
export const RTF_ROUTEINFO = 0x00800000
export const RTF_CACHE = 0x01000000
export const RTF_PREF_MASK = 0x18000000
export const RTF_LOCAL = 0x80000000

/** @returns the router preference (RFC 4191: 0 medium, 1 high, 3 low) as route flags */
export function rtfPref(pref: number): number {
  return (pref & 3) << 27
}

/** @returns the router preference in route flags */
export function prefOfFlags(flags: number): number {
  return (flags & RTF_PREF_MASK) >>> 27
}

/** One way to a next hop: a device and perhaps a gateway (`fib6_nh`). */
export class Fib6Nh {
  dev: NetDevice
  /** undefined where the destination is on the link */
  gw: In6Addr | undefined
  /** RTNH_F_… */
  flags = 0
  weight = 1
  /** share of the hash space 0 to 2^31 - 1 this leg takes, up to and including; -1 none */
  upperBound = 0
  encap: RouteEncap | undefined
  /** when the router was last probed (RFC 4191 §3.5), ns since boot */
  lastProbe = 0
  /** the cached dst of this next hop */
  rt: Rt6Info | undefined
  /** what was learned about single destinations: path MTUs and redirects */
  exceptions: Rt6Exceptions | undefined

  constructor(dev: NetDevice) {
    this.dev = dev
  }
}

/** A route. */
export class Fib6Info {
  table: Fib6Table
  readonly dst: In6Addr
  readonly dstLen: number
  readonly src: In6Addr
  readonly srcLen: number
  metric = 0
  /** RTN_… */
  type = 0
  /** RTPROT_… */
  protocol = 0
  /** RTF_… as an unsigned number */
  flags = 0
  /** ns since boot; counts where flags have RTF_EXPIRES */
  expires = 0
  prefsrc: In6Addr | undefined
  metrics: DstMetrics = NO_METRICS
  /** the one next hop; absent where `nhObject` has it */
  nh: Fib6Nh | undefined
  nhObject: Nexthop | undefined
  /** the node it hangs on; undefined once it is out of the table */
  node: Fib6Node | undefined
  /** next route of the node, of the same or a larger metric */
  next: Fib6Info | undefined
  /** the legs of a multipath route in order, this one included; undefined for a single route */
  group: Fib6Info[] | undefined
  /** holders, as /proc/net/ipv6_route counts them */
  refs = 1

  constructor(table: Fib6Table, dst: In6Addr, dstLen: number, src: In6Addr = IN6ADDR_ANY, srcLen = 0) {
    this.table = table
    this.dst = dst
    this.dstLen = dstLen
    this.src = src
    this.srcLen = srcLen
  }

  /** @returns the device of the first next hop */
  get dev(): NetDevice {
    return this.nh!.dev
  }

  /** @returns how many further legs there are */
  get siblings(): number {
    return this.group === undefined ? 0 : this.group.length - 1
  }
}

/** A routing table. */
export class Fib6Table {
  readonly id: number
  readonly root = new Fib6Node(IN6ADDR_ANY, 0, true)
  /** some router advertisement has put a default route here */
  hasDefaultRouter = false

  constructor(id: number) {
    this.id = id
  }
}

/** Buckets by which tables are listed. */
const TABLE_HASH = 256

/** A change of a namespace's routes that others want to hear of (`FIB_EVENT_…`). */
export type Fib6Listener = (event: 'add' | 'replace' | 'append' | 'del', rt: Fib6Info) => void

/** How an insertion is meant: the netlink flags, and whether to tell listeners. */
export interface NlInfo {
  /** NLM_F_…; undefined for the kernel's own routes */
  flags: number | undefined
  /** the caller notifies itself */
  skipNotify?: boolean
}

/** The tables of a namespace. */
export class Fib6 {
  readonly net: Net
  readonly tables = new Map<number, Fib6Table>()
  private readonly buckets: (Fib6Table[] | undefined)[] = new Array(TABLE_HASH)
  readonly main: Fib6Table
  readonly local: Fib6Table
  /** changes whenever a route comes or goes: what a cached dst is checked against */
  sernum = 1
  /** seed of the hash that spreads flows over multipath routes */
  readonly hashSeed: number
  /** routes with a source prefix or a preferred source in use: lookups must know the source address */
  routesRequireSrc = 0
  /** tries of source prefixes */
  subtrees = 0
  /** /proc/net/rt6_stats */
  readonly stats = { nodes: 0, routeNodes: 0, rtAlloc: 0, rtEntries: 0, rtCache: 0, discarded: 0 }
  /** set by route_rtnl.ts: tells rtnetlink's listeners. `flags` are the message's NLM_F_… */
  notify: (event: 'new' | 'del', rt: Fib6Info, flags: number) => void = () => {}
  /** set by route_gc.ts: a route that runs out has come */
  startGc: () => void = () => {}
  /** set by route_gc.ts: something was learned that runs out */
  forceGc: () => void = () => {}

  constructor(net: Net) {
    this.net = net
    this.hashSeed = net.kernel.random.u32()
    this.main = this.newTable(RT_TABLE_MAIN)
    this.local = this.newTable(RT_TABLE_LOCAL)
  }

  /** @returns a table, or undefined where nothing was ever put into it */
  table(id: number): Fib6Table | undefined {
    return this.tables.get(id)
  }

  /** @returns a table, made where it is missing; 0 means main */
  newTable(id: number): Fib6Table {
    if (id === 0) id = RT_TABLE_MAIN
    let table = this.tables.get(id)
    if (table === undefined) {
      table = new Fib6Table(id)
      this.tables.set(id, table)
      const bucket = (this.buckets[id & (TABLE_HASH - 1)] ??= [])
      bucket.unshift(table)
    }
    return table
  }

  /** @returns all tables in the order in which dumps list them */
  *inOrder(): Generator<Fib6Table> {
    for (const bucket of this.buckets) if (bucket !== undefined) yield* bucket
  }

  /** @returns the routes of all tables, in dump order, as they are now */
  allRoutes(): Fib6Info[] {
    const routes: Fib6Info[] = []
    for (const table of this.inOrder()) routes.push(...tableRoutes(table))
    return routes
  }

  /**
   * Puts a route into its table (fib6_add).
   * @returns 0; -EEXIST, -ENOENT (replace without a match) with the reason in `extack`
   */
  add(rt: Fib6Info, info: NlInfo, extack?: NetlinkExtAck): number {
    const { flags } = info
    const create = flags === undefined || (flags & NLM_F_CREATE) !== 0
    const replace = flags !== undefined && (flags & NLM_F_REPLACE) !== 0
    const missing = (): number => {
      if (!replace) return -Errno.ENOENT
      return extack?.fail(-Errno.ENOENT, 'Can not replace route - no match found') ?? -Errno.ENOENT
    }
    let node = create ? this.insertNode(rt.table.root, rt.dst, rt.dstLen) : locate(rt.table.root, rt.dst, rt.dstLen)
    if (node === undefined) return missing()
    if (rt.srcLen > 0) {
      const top = node
      if (top.subtree === undefined) {
        if (!create) return missing()
        top.subtree = new Fib6Node(IN6ADDR_ANY, 0, true)
        top.subtree.parent = top
        this.stats.nodes++
        this.subtrees++
      }
      node = create ? this.insertNode(top.subtree, rt.src, rt.srcLen) : locate(top.subtree, rt.src, rt.srcLen)
      if (node === undefined) return missing()
      if (top.leaf === undefined && top.borrowed === undefined && !top.isRoot) {
        top.borrowed = rt
        rt.refs++
      }
    }
    const err = this.addToNode(node, rt, info, extack)
    if (err < 0) {
      this.repair(node)
      return err
    }
    rt.nhObject?.fib6Infos.add(rt)
    this.sernum++
    if ((rt.flags & RTF_EXPIRES) !== 0) this.startGc()
    if (rt.srcLen > 0 || rt.prefsrc !== undefined) this.routesRequireSrc++
    return 0
  }

  /** Links a route among those of its node (fib6_add_rt2node). */
  private addToNode(node: Fib6Node, rt: Fib6Info, info: NlInfo, extack: NetlinkExtAck | undefined): number {
    const flags = info.flags ?? NLM_F_CREATE
    let replace = (flags & NLM_F_REPLACE) !== 0
    const ecmp = qualifiesForEcmp(rt)
    let before: Fib6Info | undefined
    let at = node.leaf
    let replaced: { before: Fib6Info | undefined; rt: Fib6Info } | undefined
    let fallback: typeof replaced
    let peers = false
    for (; at !== undefined && at.metric <= rt.metric; before = at, at = at.next) {
      if (at.metric !== rt.metric) continue
      if ((flags & NLM_F_EXCL) !== 0) return -Errno.EEXIST
      if (replace) {
        if (ecmp === qualifiesForEcmp(at)) {
          replaced = { before, rt: at }
          break
        }
        fallback ??= { before, rt: at }
        continue
      }
      if (duplicateNexthop(at, rt)) {
        if ((at.flags & RTF_EXPIRES) === 0) return -Errno.EEXIST
        if ((rt.flags & RTF_EXPIRES) === 0) cleanExpires(at)
        else setExpires(at, rt.expires)
        return -Errno.EEXIST
      }
      if (ecmp && qualifiesForEcmp(at)) peers = true
    }
    replaced ??= fallback
    if (replace && replaced === undefined) {
      if ((flags & NLM_F_CREATE) === 0)
        return extack?.fail(-Errno.ENOENT, 'Can not replace route - no match found') ?? -Errno.ENOENT
      replace = false
    }
    if (replaced !== undefined) {
      this.replaceRoute(node, rt, replaced.before, replaced.rt, info)
      return 0
    }
    if (peers) {
      for (let peer = node.leaf; peer !== undefined; peer = peer.next) {
        if (peer.metric !== rt.metric || !qualifiesForEcmp(peer)) continue
        peer.group ??= [peer]
        peer.group.push(rt)
        rt.group = peer.group
        break
      }
    }
    const fresh = node.leaf === undefined
    if (fresh) this.dropLeafHold(node)
    if (before === undefined) node.leaf = rt
    else before.next = rt
    rt.next = at
    rt.node = node
    if (rt.group !== undefined) rebalance(rt)
    if (info.skipNotify !== true) this.notify('new', rt, (flags & NLM_F_APPEND) | NLM_F_CREATE)
    this.stats.rtEntries++
    if (fresh) this.stats.routeNodes++
    return 0
  }

  /** Puts `rt` in the place of `old`, and of all of its siblings. */
  private replaceRoute(node: Fib6Node, rt: Fib6Info, before: Fib6Info | undefined, old: Fib6Info, info: NlInfo): void {
    const siblings = old.group
    rt.next = old.next
    rt.node = node
    if (before === undefined) node.leaf = rt
    else before.next = rt
    if (info.skipNotify !== true) this.notify('new', rt, NLM_F_REPLACE)
    this.purge(old, node)
    if (siblings === undefined) return
    let last: Fib6Info = rt
    for (let at = rt.next; at !== undefined && at.metric <= rt.metric; at = at.next) {
      if (!qualifiesForEcmp(at)) {
        last = at
        continue
      }
      last.next = at.next
      this.purge(at, node)
      this.stats.rtEntries--
    }
  }

  /** A route has left its node: what hung on it goes (fib6_purge_rt). */
  private purge(rt: Fib6Info, node: Fib6Node): void {
    rt.node = undefined
    rt.group = undefined
    rt.nhObject?.fib6Infos.delete(rt)
    for (let up: Fib6Node | undefined = node; up !== undefined; up = up.parent)
      if (up.borrowed === rt) this.borrowLeaf(up)
    if (rt.nh !== undefined) {
      this.stats.rtCache -= rt.nh.exceptions?.flush() ?? 0
      if (rt.nh.rt !== undefined) rt.nh.rt.from = undefined
      rt.nh.rt = undefined
    }
    if (rt.srcLen > 0 || rt.prefsrc !== undefined) this.routesRequireSrc--
    this.sernum++
  }

  /**
   * Takes a route out (fib6_del).
   * @returns 0, or -ENOENT where it is in no table
   */
  del(rt: Fib6Info, info: NlInfo = { flags: undefined }): number {
    const { node } = rt
    if (node === undefined) return -Errno.ENOENT
    let before: Fib6Info | undefined
    let at = node.leaf
    while (at !== undefined && at !== rt) {
      before = at
      at = at.next
    }
    if (at === undefined) return -Errno.ENOENT
    if (before === undefined) node.leaf = rt.next
    else before.next = rt.next
    this.stats.rtEntries--
    this.stats.discarded++
    const { group } = rt
    if (group !== undefined) {
      group.splice(group.indexOf(rt), 1)
      rt.group = undefined
      if (group.length === 1) group[0]!.group = undefined
      rebalance(group[0]!)
    }
    this.purge(rt, node)
    if (node.leaf === undefined) {
      this.stats.routeNodes--
      this.repair(node)
    }
    if (info.skipNotify !== true) this.notify('del', rt, 0)
    return 0
  }

  /** @returns the node of exactly this prefix, made where it is missing (fib6_add_1) */
  private insertNode(root: Fib6Node, key: In6Addr, plen: number): Fib6Node {
    let at = root
    for (;;) {
      if (plen === at.bit) return at
      const right = addrBit(key, at.bit) === 1
      const below = right ? at.right : at.left
      if (below === undefined) return this.attach(at, right, key, plen)
      const common = Math.min(addrDiff(below.key, key), plen, below.bit)
      if (common === below.bit) {
        at = below
        continue
      }
      // `below` hangs too deep: a node goes in between, for the route itself or as a branching point
      const between = this.attach(at, right, key, common)
      if (addrBit(below.key, common) === 1) between.right = below
      else between.left = below
      below.parent = between
      if (common === plen) return between
      this.borrowLeaf(between)
      return this.attach(between, addrBit(key, common) === 1, key, plen)
    }
  }

  private attach(parent: Fib6Node, right: boolean, key: In6Addr, bit: number): Fib6Node {
    const node = new Fib6Node(key, bit)
    node.parent = parent
    if (right) parent.right = node
    else parent.left = node
    this.stats.nodes++
    return node
  }

  /** Takes out a node without routes, and branching points that no longer branch (fib6_repair_tree). */
  private repair(node: Fib6Node): void {
    let at: Fib6Node | undefined = node
    while (at !== undefined && at.leaf === undefined) {
      const children = (at.left === undefined ? 0 : 1) + (at.right === undefined ? 0 : 1)
      const parent: Fib6Node | undefined = at.parent
      if (at.isRoot) {
        // the top of an empty source trie goes with its last route; the top of a table stays
        if (parent === undefined || children > 0) return
        parent.subtree = undefined
        this.stats.nodes--
        this.subtrees--
        at = parent
        continue
      }
      if (at.subtree !== undefined || children === 2) {
        this.borrowLeaf(at)
        return
      }
      const child: Fib6Node | undefined = at.left ?? at.right
      if (parent!.left === at) parent!.left = child
      else parent!.right = child
      if (child !== undefined) child.parent = parent
      this.dropLeafHold(at)
      this.stats.nodes--
      at = child === undefined ? parent : undefined
    }
  }

  /** A branching point borrows a route from below, which is how long that route is held. */
  private borrowLeaf(node: Fib6Node): void {
    this.dropLeafHold(node)
    if (node.isRoot) return
    for (let at: Fib6Node | undefined = node.left ?? node.right; at !== undefined; at = at.left ?? at.right) {
      const leaf = at.leaf ?? at.borrowed
      if (leaf === undefined) continue
      node.borrowed = leaf
      leaf.refs++
      return
    }
  }

  private dropLeafHold(node: Fib6Node): void {
    if (node.borrowed === undefined) return
    node.borrowed.refs--
    node.borrowed = undefined
  }
}

/** @returns whether a route may be one leg of a multipath route: one with a gateway, not learned from an advertisement */
export function qualifiesForEcmp(rt: Fib6Info): boolean {
  return (rt.flags & RTF_ADDRCONF) === 0 && rt.nhObject === undefined && rt.nh!.gw !== undefined
}

/** @returns whether two routes go the same way */
export function duplicateNexthop(a: Fib6Info, b: Fib6Info): boolean {
  if (a.nhObject !== undefined || b.nhObject !== undefined) return a.nhObject === b.nhObject
  const x = a.nh!
  const y = b.nh!
  return x.dev === y.dev && sameGateway(x.gw, y.gw) && sameEncap(x.encap, y.encap)
}

function sameGateway(a: In6Addr | undefined, b: In6Addr | undefined): boolean {
  return a === undefined || b === undefined ? a === b : addrEqual(a, b)
}

function sameEncap(a: RouteEncap | undefined, b: RouteEncap | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b))
}

/** Gives a route an end. @param at ns since boot */
export function setExpires(rt: Fib6Info, at: number): void {
  rt.expires = at
  rt.flags = (rt.flags | RTF_EXPIRES) >>> 0
}

/** Lets a route stay. */
export function cleanExpires(rt: Fib6Info): void {
  rt.expires = 0
  rt.flags = (rt.flags & ~RTF_EXPIRES) >>> 0
}

/** @returns whether a route has run out */
export function hasExpired(rt: Fib6Info, now: number): boolean {
  return (rt.flags & RTF_EXPIRES) !== 0 && now > rt.expires
}

/** Divides the hash space among the legs of a multipath route by their weights (rt6_multipath_rebalance). */
export function rebalance(rt: Fib6Info): void {
  const legs = rt.group ?? [rt]
  let total = 0
  for (const leg of legs) if (usable(leg.nh!)) total += leg.nh!.weight
  let sum = 0
  for (const leg of legs) {
    const nh = leg.nh!
    if (!usable(nh) || total === 0) nh.upperBound = -1
    else {
      sum += nh.weight
      nh.upperBound = Math.round((sum * 2 ** 31) / total) - 1
    }
  }
}

function usable(nh: Fib6Nh): boolean {
  if ((nh.flags & RTNH_F_DEAD) !== 0) return false
  if ((nh.flags & RTNH_F_LINKDOWN) === 0) return true
  return in6Dev(nh.dev)?.cnf.data[IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN] !== 1
}

/** Names a namespace's tables: `net.at(fib6Key)`. */
export const fib6Key = pernetKey<Fib6>('fib6')
