/**
 * Routing tables: a trie of leaves, each with its routes in order, and what can be done with them — longest-prefix
 * lookup (RFC 1812 §5.2.4.3), adding with netlink's append, prepend, replace and change, deleting, flushing.
 */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/netlink.ts'
import {
  RT_SCOPE_NOWHERE,
  RT_TABLE_DEFAULT,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTN_BLACKHOLE,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
} from '../../uapi/rtnetlink.ts'
import type { FibRules } from '../core/fib_rules.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { FibAlias, findAlias, insertAlias } from './fib_alias.ts'
import { rtmsgFib } from './fib_dump.ts'
import type { FibIndex } from './fib_index.ts'
import {
  FIB_LOOKUP_IGNORE_LINKSTATE,
  FIB_PROPS,
  type FibConfig,
  type FibInfo,
  type FibNh,
  type FibResult,
} from './fib_info.ts'
import { metricsMatch } from './fib_metrics.ts'
import type { Fib4LookupArg, Fib4Rule } from './fib_rules.ts'
import { FibInfoTable, fibNhMatch } from './fib_semantics.ts'
import { FibTrie, pullSuffix, pushSuffix, type TrieNode } from './fib_trie.ts'
import type { Flowi4 } from './flow.ts'
import { ipIgnoreLinkdown } from './in_device.ts'
import { nexthopGetNhcLookup, nexthopIsBlackhole } from './nexthop.ts'
import { rtCacheFlush } from './rtable.ts'

/** Buckets by which tables are listed. */
const TABLE_HASH = 256

/** The route does not fit; nor does any of its leaf. */
const NEXT = 1
const MISS = 2

/** @returns whether a next hop can be used by a lookup now (fib_lookup_good_nhc) */
export function fibLookupGoodNhc(nhc: FibNh, flags: number, fl4: Flowi4): boolean {
  if ((nhc.flags & RTNH_F_DEAD) !== 0) return false
  if (
    (nhc.flags & RTNH_F_LINKDOWN) !== 0 &&
    (flags & FIB_LOOKUP_IGNORE_LINKSTATE) === 0 &&
    nhc.dev !== undefined &&
    ipIgnoreLinkdown(nhc.dev)
  )
    return false
  return fl4.oif === 0 || fl4.oif === nhc.oif
}

/** A routing table. */
export class FibTable {
  readonly id: number
  /** local and main share one until the first rule is made */
  readonly trie: FibTrie
  /** default routes in it */
  numDefault = 0
  private readonly fib: Fib
  private readonly spot: { parent: TrieNode }

  constructor(fib: Fib, id: number, trie = new FibTrie()) {
    this.fib = fib
    this.id = id
    this.trie = trie
    this.spot = { parent: trie.root }
  }

  /**
   * Finds the most specific route of a flow's destination that the flow can use (fib_table_lookup).
   * @param flags FIB_LOOKUP_… @returns 0 with `res` filled in, -EAGAIN where there is none, or the route's own error
   */
  lookup(fl4: Flowi4, res: FibResult, flags: number): number {
    const index = this.trie.indexed()
    const err = index === undefined ? this.walk(fl4, res, flags) : this.search(index, fl4, res, flags)
    const { trace } = this.fib.net.kernel
    if (trace.fibTableLookup.enabled) trace.fibTableLookup.fire(this.id, fl4.daddr, err)
    return err
  }

  private search(index: FibIndex, fl4: Flowi4, res: FibResult, flags: number): number {
    for (let fa = index.find(fl4.daddr); fa !== null; fa = fa.next) {
      const err = this.match(fa, fl4, res, flags)
      if (err === NEXT) continue
      // the rest of the leaf must be passed over, and only the trie knows what that is
      if (err === MISS) return this.walk(fl4, res, flags)
      const { stats } = this.trie
      stats.gets++
      stats.passed++
      return err
    }
    this.trie.stats.gets++
    return -Errno.EAGAIN
  }

  private walk(fl4: Flowi4, res: FibResult, flags: number): number {
    const key = fl4.daddr | 0
    const { root, stats } = this.trie
    let pn = root
    let cindex = 0
    let n: TrieNode | null = root.child[0]!
    let leaf = false
    if (n === null) return -Errno.EAGAIN
    stats.gets++
    // down to the leaf or the hole where the key would be
    while (n !== null) {
      const index: number = (key ^ n.key) >>> n.pos
      if (index >>> n.bits !== 0) break
      if (n.bits === 0) {
        leaf = true
        break
      }
      if (n.slen > n.pos) {
        pn = n
        cindex = index
      }
      n = n.child[index]!
    }
    // and back up, to ever shorter prefixes
    for (;;) {
      if (leaf) {
        const err = this.matchLeaf(n!, key, fl4, res, flags)
        if (err !== MISS) {
          stats.passed++
          return err
        }
        stats.missed++
        leaf = false
      } else if (n !== null && n.slen !== n.pos && ((key ^ n.key) & (n.key | -n.key)) === 0) {
        // it differs from the key only below its own lowest bit, and has prefixes as short as that
        if (n.bits === 0) leaf = true
        else n = n.child[0]!
        continue
      }
      if (n === null) stats.nullNodes++
      while (cindex === 0) {
        if (pn === root) return -Errno.EAGAIN
        stats.backtracks++
        const up: TrieNode = pn.parent!
        cindex = up.pos === 32 ? 0 : (pn.key ^ up.key) >>> up.pos
        pn = up
      }
      cindex &= cindex - 1
      n = pn.child[cindex]!
    }
  }

  /** Takes the first route of a leaf that fits. @returns 0, its error, or MISS */
  private matchLeaf(n: TrieNode, key: number, fl4: Flowi4, res: FibResult, flags: number): number {
    const list = n.aliases
    const differs = (key ^ n.key) >>> 0
    for (let i = 0; i < list.length; i++) {
      const fa = list[i]!
      if (fa.slen < 32 && differs >>> fa.slen !== 0) continue
      const err = this.match(fa, fl4, res, flags)
      if (err !== NEXT) return err
    }
    return MISS
  }

  /** @returns 0 with `res` filled in where a route of the destination fits, its error, NEXT or MISS */
  private match(fa: FibAlias, fl4: Flowi4, res: FibResult, flags: number): number {
    if (fa.tos !== 0 && fa.tos !== fl4.tos) return NEXT
    const fi = fa.info
    if (fi.dead || fi.scope < fl4.scope) return NEXT
    if (!fa.accessed) fa.accessed = true
    const { error } = FIB_PROPS[fa.type]!
    if (error < 0) return error
    if ((fi.flags & RTNH_F_DEAD) !== 0) return NEXT
    let nhc: FibNh | undefined
    let sel = 0
    if (fi.nh !== undefined) {
      if (nexthopIsBlackhole(fi.nh)) return FIB_PROPS[RTN_BLACKHOLE]!.error
      nhc = nexthopGetNhcLookup(fi.nh, flags, fl4)
      if (nhc === undefined) return MISS
    } else {
      const { nhs } = fi
      for (; sel < nhs.length; sel++) {
        const nh = nhs[sel]!
        if (!fibLookupGoodNhc(nh, flags, fl4)) continue
        nhc = nh
        break
      }
      if (nhc === undefined) return NEXT
    }
    const { slen } = fa
    res.prefix = slen === 32 ? 0 : ((fl4.daddr >>> slen) << slen) >>> 0
    res.prefixlen = 32 - slen
    res.nhSel = sel
    res.nhc = nhc
    res.type = fa.type
    res.tos = fa.tos
    res.scope = fi.scope
    res.fi = fi
    res.table = this
    return 0
  }

  /**
   * Adds a route as netlink's flags say (fib_table_insert).
   * @returns 0, -EEXIST, -ENOENT for a change of what is not there, or what is wrong with the route
   */
  insert(cfg: FibConfig, extack: NetlinkExtAck): number {
    const { fib, trie, spot } = this
    const fi = fib.infos.create(cfg, extack)
    if (typeof fi === 'number') return fi
    const slen = 32 - cfg.dstLen
    const { tos, nlFlags } = cfg
    let leaf = trie.findNode(cfg.dst, spot)
    const list = leaf?.aliases ?? []
    let at = findAlias(list, slen, tos, fi.priority, this.id)
    let told = NLM_F_EXCL
    const same = at < 0 ? undefined : list[at]!
    if (same !== undefined && same.tos === tos && same.info.priority === fi.priority) {
      if ((nlFlags & NLM_F_EXCL) !== 0) return this.give(fi, -Errno.EEXIST)
      told &= ~NLM_F_EXCL
      let end = at
      let match = -1
      for (; end < list.length; end++) {
        const fa = list[end]!
        if (fa.slen !== slen || fa.tbId !== this.id || fa.tos !== tos || fa.info.priority !== fi.priority) break
        if (fa.type === cfg.type && fa.info === fi) {
          match = end
          break
        }
      }
      if ((nlFlags & NLM_F_REPLACE) !== 0) {
        if (match >= 0) return this.give(fi, match === at ? 0 : -Errno.EEXIST)
        this.replaceAlias(list, at, fi, cfg, told | NLM_F_REPLACE)
        return 0
      }
      if (match >= 0) return this.give(fi, -Errno.EEXIST)
      if ((nlFlags & NLM_F_APPEND) !== 0) {
        told |= NLM_F_APPEND
        at = end < list.length ? end : -1
      }
    }
    if ((nlFlags & NLM_F_CREATE) === 0) return this.give(fi, -Errno.ENOENT)
    const alias = new FibAlias(fi, slen, tos, cfg.type, this.id)
    trie.changed(1)
    if (leaf === null) leaf = trie.insertLeaf(spot.parent, cfg.dst, alias)
    else {
      insertAlias(list, alias, at)
      if (leaf.slen < slen) {
        leaf.slen = slen
        pushSuffix(leaf.parent!, slen)
      }
    }
    if (cfg.dstLen === 0) this.numDefault++
    rtCacheFlush(fib.net)
    if (!cfg.skipNotify) rtmsgFib(fib.net, RTM_NEWROUTE, cfg.dst, alias, this.id, told | NLM_F_CREATE)
    return 0
  }

  private give(fi: FibInfo, rc: number): number {
    this.fib.infos.release(fi)
    return rc
  }

  private replaceAlias(list: FibAlias[], at: number, fi: FibInfo, cfg: FibConfig, told: number): void {
    const old = list[at]!
    const alias = new FibAlias(fi, old.slen, old.tos, cfg.type, this.id)
    list[at] = alias
    this.trie.changed(0)
    const { net } = this.fib
    if (!cfg.skipNotify) rtmsgFib(net, RTM_NEWROUTE, cfg.dst, alias, this.id, told)
    this.fib.infos.release(old.info)
    if (old.accessed) rtCacheFlush(net)
  }

  /** Deletes the first route that a request describes (fib_table_delete). @returns 0, -ESRCH */
  delete(cfg: FibConfig, extack: NetlinkExtAck): number {
    const { fib } = this
    const leaf = this.trie.findNode(cfg.dst)
    if (leaf === null) return -Errno.ESRCH
    const slen = 32 - cfg.dstLen
    const list = leaf.aliases
    let at = findAlias(list, slen, cfg.tos, 0, this.id)
    if (at < 0) return -Errno.ESRCH
    for (; at < list.length; at++) {
      const fa = list[at]!
      if (fa.slen !== slen || fa.tbId !== this.id || fa.tos !== cfg.tos) return -Errno.ESRCH
      const fi = fa.info
      if (
        (cfg.type === 0 || fa.type === cfg.type) &&
        (cfg.scope === RT_SCOPE_NOWHERE || fi.scope === cfg.scope) &&
        (cfg.prefsrc === 0 || fi.prefsrc === cfg.prefsrc) &&
        (cfg.protocol === 0 || fi.protocol === cfg.protocol) &&
        fibNhMatch(cfg, fi, extack) === 0 &&
        metricsMatch(cfg.mx, fi.metrics)
      )
        break
    }
    const fa = list[at]
    if (fa === undefined) return -Errno.ESRCH
    if (!cfg.skipNotify) rtmsgFib(fib.net, RTM_DELROUTE, cfg.dst, fa, this.id, 0)
    if (cfg.dstLen === 0) this.numDefault--
    list.splice(at, 1)
    this.trie.changed(-1)
    if (list.length === 0) this.trie.removeLeaf(leaf)
    else if (at === list.length) {
      leaf.slen = list[at - 1]!.slen
      pullSuffix(leaf.parent!, leaf.slen)
    }
    if (fa.accessed) rtCacheFlush(fib.net)
    fib.infos.release(fa.info)
    return 0
  }

  /**
   * Deletes the routes whose next hops or sources have gone (fib_table_flush).
   * @param all the table itself goes: error routes, too @returns how many
   */
  flush(all: boolean): number {
    const { fib } = this
    let found = 0
    this.trie.sweep(leaf => {
      const list = leaf.aliases
      let slen = 0
      for (let i = 0; i < list.length; ) {
        const fa = list[i]!
        const fi = fa.info
        const dead = (fi.flags & RTNH_F_DEAD) !== 0
        const goes = fa.tbId === this.id && (dead || (all && FIB_PROPS[fa.type]!.error !== 0))
        if (!goes) {
          slen = fa.slen
          i++
          continue
        }
        if (fi.pfsrcRemoved) rtmsgFib(fib.net, RTM_DELROUTE, leaf.key >>> 0, fa, this.id, 0)
        list.splice(i, 1)
        fib.infos.release(fi)
        found++
      }
      leaf.slen = slen
    })
    this.trie.changed(-found)
    return found
  }

  /** Takes the routes of other tables out, after they got a trie of their own (fib_table_flush_external). */
  flushExternal(): void {
    let gone = 0
    this.trie.sweep(leaf => {
      const list = leaf.aliases
      let slen = 0
      for (let i = 0; i < list.length; ) {
        const fa = list[i]!
        if (fa.tbId !== this.id) {
          list.splice(i, 1)
          gone++
        } else {
          slen = fa.slen
          i++
        }
      }
      leaf.slen = slen
    })
    this.trie.changed(-gone)
  }

  /** Calls `visit` for each route of this table, in dump order; ends where it returns false. */
  each(visit: (key: number, fa: FibAlias) => boolean | undefined): boolean {
    return this.trie.walk(leaf => {
      for (const fa of leaf.aliases) if (fa.tbId === this.id && visit(leaf.key >>> 0, fa) === false) return false
      return true
    })
  }

  /** The same table with a trie of its own, to which its routes have been copied (fib_trie_unmerge). */
  unmerged(): FibTable {
    const copy = new FibTable(this.fib, this.id)
    copy.numDefault = this.numDefault
    this.each((key, fa) => {
      const clone = new FibAlias(fa.info, fa.slen, fa.tos, fa.type, fa.tbId)
      clone.accessed = fa.accessed
      clone.dflt = fa.dflt
      copy.trie.changed(1)
      const leaf = copy.trie.findNode(key, copy.spot)
      if (leaf === null) copy.trie.insertLeaf(copy.spot.parent, key, clone)
      else {
        insertAlias(leaf.aliases, clone, -1)
        if (leaf.slen < clone.slen) {
          leaf.slen = clone.slen
          pushSuffix(leaf.parent!, clone.slen)
        }
      }
      return true
    })
    return copy
  }
}

/** IPv4's tables, rules and routes' contents in one namespace. */
export class Fib {
  readonly net: Net
  /** what routes say */
  readonly infos: FibInfoTable
  /** set by fib_rules.ts */
  rules!: FibRules<Fib4Rule, Flowi4, Fib4LookupArg>
  main: FibTable | undefined
  dflt: FibTable | undefined
  /** somebody has changed the rules: until then lookups look only at main and default */
  hasCustomRules = false
  /** user space has made local routes: addresses are not all there is to local delivery */
  hasCustomLocalRoutes = false
  /** rules that look at ports or protocols: packets must be dissected for them */
  rulesRequireFldissect = 0
  /** routes and rules with realms */
  numTclassidUsers = 0
  /** seed of the hash that spreads flows over multipath routes */
  readonly hashSeed: number
  private readonly tables = new Map<number, FibTable>()
  private readonly buckets: (FibTable[] | undefined)[] = new Array(TABLE_HASH)

  constructor(net: Net) {
    this.net = net
    this.hashSeed = net.kernel.random.u32()
    this.infos = new FibInfoTable(this)
  }

  /** @returns a table, undefined where nobody has put anything into it; 0 means main (fib_get_table) */
  getTable(id: number): FibTable | undefined {
    return this.tables.get(id === 0 ? RT_TABLE_MAIN : id)
  }

  /** @returns a table, made where it is missing; 0 means main (fib_new_table) */
  newTable(id: number): FibTable {
    if (id === 0) id = RT_TABLE_MAIN
    let table = this.tables.get(id)
    if (table !== undefined) return table
    const shared = id === RT_TABLE_LOCAL && !this.hasCustomRules ? this.newTable(RT_TABLE_MAIN).trie : undefined
    table = new FibTable(this, id, shared)
    this.tables.set(id, table)
    if (id === RT_TABLE_MAIN) this.main = table
    else if (id === RT_TABLE_DEFAULT) this.dflt = table
    const bucket = (this.buckets[id & (TABLE_HASH - 1)] ??= [])
    bucket.unshift(table)
    return table
  }

  /** @returns an unused table below main (fib_empty_table) */
  emptyTable(): FibTable | undefined {
    for (let id = 1; id < 0xffffffff; id++) if (!this.tables.has(id)) return this.newTable(id)
    return undefined
  }

  /** @returns all tables in the order in which dumps list them */
  *inOrder(): Generator<FibTable> {
    for (const bucket of this.buckets) if (bucket !== undefined) yield* bucket
  }

  /** Gives local and main a trie each, before the first rule is made (fib_unmerge). */
  unmerge(): void {
    const local = this.tables.get(RT_TABLE_LOCAL)
    const { main } = this
    if (local === undefined || main === undefined || local.trie !== main.trie) return
    const own = local.unmerged()
    this.tables.set(RT_TABLE_LOCAL, own)
    const bucket = this.buckets[RT_TABLE_LOCAL & (TABLE_HASH - 1)]!
    bucket[bucket.indexOf(local)] = own
    main.flushExternal()
  }

  /** Deletes what has become dead in all tables (fib_flush). @returns how many routes */
  flush(): number {
    let flushed = 0
    for (const table of this.inOrder()) flushed += table.flush(false)
    if (flushed > 0) rtCacheFlush(this.net)
    return flushed
  }

  /** Takes everything away with the namespace (ip_fib_net_exit): local before main, whose trie it may share. */
  exit(): void {
    this.main = this.dflt = undefined
    for (const table of [...this.inOrder()].reverse()) table.flush(true)
    this.tables.clear()
    this.buckets.fill(undefined)
  }
}

/** Names it: `net.at(fibKey)`. */
export const fibKey = pernetKey<Fib>('ipv4_fib')
