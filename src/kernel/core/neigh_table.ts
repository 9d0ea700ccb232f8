/**
 * A family's neighbour table (`neigh_table`): the hash of its entries, their making and end, the collector that keeps
 * them few, and what becomes of them when their device changes.
 */
import { Errno } from '../../uapi/errno.ts'
import { NTF_EXT_LEARNED, NUD_FAILED, NUD_NOARP, NUD_NONE, NUD_PERMANENT } from '../../uapi/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import { NSEC_PER_SEC, TICK_NSEC, type Timer } from './clock.ts'
import {
  foldKey,
  NEIGH_OUTPUT_BLACKHOLE,
  Neighbour,
  NeighStatistics,
  type NeighTableOps,
  NTF_MANAGED,
  NUD_IN_TIMER,
  NUD_VALID,
  sameKey,
} from './neigh_entry.ts'
import { eventSend } from './neigh_nud.ts'
import {
  NEIGH_VAR_BASE_REACHABLE_TIME,
  NEIGH_VAR_GC_STALETIME,
  NEIGH_VAR_INTERVAL_PROBE_TIME,
  NeighParms,
  neighParmsDefaults,
} from './neigh_parms.ts'
import { NeighProxies, proxyIfdown, proxyProcess } from './neigh_proxy.ts'
import { neighNotify } from './neighbour_rtnl.ts'
import type { NetDevice } from './net_device.ts'
import { softirqTimer } from './softirq_timer.ts'

/** How many entries may exist before the collector thinks about it, works hard, refuses. */
const GC_THRESH1 = 128
const GC_THRESH2 = 512
const GC_THRESH3 = 1024

/** A family's table. */
export class NeighTable {
  readonly kernel: Kernel
  readonly ops: NeighTableOps
  /** the defaults: `net.ipv4.neigh.default` */
  readonly parms: NeighParms
  /** parameters of every device and the defaults, newest device first, defaults last */
  readonly parmsList: NeighParms[]
  gcThresh1 = GC_THRESH1
  gcThresh2 = GC_THRESH2
  gcThresh3 = GC_THRESH3
  /** ns; shown and settable, though only base_reachable_time paces the collector */
  gcInterval = 30 * NSEC_PER_SEC
  readonly stats = new NeighStatistics()
  /** entries, and those of them the collector may take */
  entries = 0
  gcEntries = 0
  /** when the collector last worked under pressure, ns since boot */
  lastFlush = 0
  /** base-2 logarithm of the number of buckets */
  hashShift = 3
  private buckets: (Neighbour | null)[] = new Array<Neighbour | null>(8).fill(null)
  private first: Neighbour | null = null
  private last: Neighbour | null = null
  private readonly gcTimer: Timer
  /** entries that the kernel keeps resolved */
  readonly managed = new Set<Neighbour>()
  private readonly managedTimer: Timer
  readonly proxies = new NeighProxies()
  readonly proxyTimer: Timer
  private overflowLogged = Number.NEGATIVE_INFINITY

  /** Makes a kernel's table of a family and registers it (neigh_table_init). */
  constructor(kernel: Kernel, ops: NeighTableOps) {
    this.kernel = kernel
    this.ops = ops
    this.gcTimer = softirqTimer(kernel, () => this.periodicWork())
    this.managedTimer = softirqTimer(kernel, () => this.managedWork())
    this.proxyTimer = softirqTimer(kernel, () => proxyProcess(this))
    this.parms = new NeighParms(this, undefined, neighParmsDefaults(ops.parms))
    this.parmsList = [this.parms]
    neighTables(kernel).set(ops.family, this)
  }

  private hash(word: number, dev: NetDevice): number {
    return Math.imul(word ^ Math.imul(dev.ifindex, 0x85ebca6b), 0x9e3779b1) >>> (32 - this.hashShift)
  }

  /** @returns an IPv4 address's entry on a device. @param addr host order */
  lookup4(addr: number, dev: NetDevice): Neighbour | null {
    let n: Neighbour | null = this.buckets[this.hash(addr, dev)]!
    while (n !== null && (n.keyWord !== addr || n.dev !== dev)) n = n.hashNext
    return n
  }

  /** @returns an address's entry on a device (__neigh_lookup_noref). @param key the address, network order */
  find(key: Uint8Array, dev: NetDevice): Neighbour | null {
    const word = foldKey(key)
    let n: Neighbour | null = this.buckets[this.hash(word, dev)]!
    while (n !== null && (n.keyWord !== word || n.dev !== dev || !sameKey(n.primaryKey, key))) n = n.hashNext
    return n
  }

  /** The same, counted (neigh_lookup). @returns undefined where there is none */
  lookup(key: Uint8Array, dev: NetDevice): Neighbour | undefined {
    this.stats.lookups++
    const n = this.find(key, dev)
    if (n === null) return undefined
    this.stats.hits++
    return n
  }

  /** All entries, oldest first; the loop may remove the one it is at. */
  *[Symbol.iterator](): IterableIterator<Neighbour> {
    let n = this.first
    while (n !== null) {
      const next: Neighbour | null = n.listNext
      yield n
      n = next
    }
  }

  /** Used by neighCreate. */
  insert(n: Neighbour): void {
    if (this.entries > 1 << this.hashShift) this.grow()
    n.bucket = this.hash(n.keyWord, n.dev)
    n.hashNext = this.buckets[n.bucket]!
    this.buckets[n.bucket] = n
    n.listPrev = this.last
    n.listNext = null
    if (this.last === null) this.first = n
    else this.last.listNext = n
    this.last = n
    n.dead = false
    this.entries++
    if (!n.exemptFromGc) this.gcEntries++
    if (this.entries >= this.gcThresh1) this.armPeriodic()
  }

  /** Takes an entry out for good and tells listeners (neigh_remove_one, neigh_cleanup_and_release). */
  remove(n: Neighbour): void {
    if (n.dead) return
    let at = this.buckets[n.bucket]!
    if (at === n) this.buckets[n.bucket] = n.hashNext
    else {
      while (at!.hashNext !== n) at = at!.hashNext!
      at!.hashNext = n.hashNext
    }
    if (n.listPrev === null) this.first = n.listNext
    else n.listPrev.listNext = n.listNext
    if (n.listNext === null) this.last = n.listPrev
    else n.listNext.listPrev = n.listPrev
    n.dead = true
    this.entries--
    if (!n.exemptFromGc) this.gcEntries--
    this.managed.delete(n)
    this.kernel.clock.del(n.timer)
    this.stats.destroys++
    neighNotify(n, true)
    // whoever still holds it must not send by it
    n.arpQueue.purge('neigh_destroy', 'NEIGH_DEAD')
    n.arpQueueLenBytes = 0
    n.output = NEIGH_OUTPUT_BLACKHOLE
    n.hh = null
    n.nudState = (n.nudState & NUD_VALID) !== 0 ? NUD_NOARP : NUD_NONE
  }

  private grow(): void {
    this.stats.hashGrows++
    this.hashShift++
    const buckets = new Array<Neighbour | null>(1 << this.hashShift).fill(null)
    for (const n of this) {
      n.bucket = this.hash(n.keyWord, n.dev)
      n.hashNext = buckets[n.bucket]!
      buckets[n.bucket] = n
    }
    this.buckets = buckets
  }

  /** Makes room for one more entry where the table is full. @returns false where there is none */
  makeRoom(): boolean {
    const entries = this.gcEntries
    const now = this.kernel.clock.now
    const full = entries >= this.gcThresh3
    if (!full && !(entries >= this.gcThresh2 && now > this.lastFlush + 5 * NSEC_PER_SEC)) return true
    if (this.forcedGc() > 0 || !full) return true
    this.stats.tableFulls++
    if (now > this.overflowLogged + NSEC_PER_SEC / 2) {
      this.overflowLogged = now
      this.kernel.log.print(6, `neighbour: ${this.ops.id}: neighbor table overflow!`)
    }
    return false
  }

  /** Removes what nobody has used for five seconds, oldest first, down to the second threshold (neigh_forced_gc). */
  private forcedGc(): number {
    const { clock } = this.kernel
    const excess = this.gcEntries - this.gcThresh2
    const since = clock.now - 5 * NSEC_PER_SEC
    let shrunk = 0
    this.stats.forcedGcRuns++
    for (const n of this) {
      if (n.exemptFromGc || n.timer.pending) continue
      const state = n.nudState
      const idle = n.updated < since
      if (state !== NUD_FAILED && state !== NUD_NOARP && !idle && this.ops.isMulticast?.(n.primaryKey) !== true)
        continue
      this.remove(n)
      if (++shrunk >= excess) break
    }
    this.lastFlush = clock.now
    return shrunk
  }

  /** The collector runs at multiples of half the base reachable time, and only while there is enough to look at. */
  private armPeriodic(): void {
    if (this.gcTimer.pending) return
    const { clock } = this.kernel
    const interval = Math.max(this.parms.data[NEIGH_VAR_BASE_REACHABLE_TIME]! / 2, TICK_NSEC)
    clock.mod(this.gcTimer, (Math.floor(clock.now / interval) + 1) * interval)
  }

  /** Removes failed entries and those unused for gc_stale_time (neigh_periodic_work). */
  private periodicWork(): void {
    const now = this.kernel.clock.now
    this.stats.periodicGcRuns++
    if (this.entries < this.gcThresh1) return
    for (const n of this) {
      const state = n.nudState
      if ((state & (NUD_PERMANENT | NUD_IN_TIMER)) !== 0 || (n.flags & NTF_EXT_LEARNED) !== 0) continue
      if (n.used < n.confirmed && n.confirmed <= now) n.used = n.confirmed
      const idle = now < n.used || now >= n.used + n.parms.data[NEIGH_VAR_GC_STALETIME]!
      if (state === NUD_FAILED || idle) this.remove(n)
    }
    if (this.entries >= this.gcThresh1) this.armPeriodic()
  }

  /** Counts an entry in or out of the collector's reach as its permanence changes (neigh_update_gc_list). */
  updateGcList(n: Neighbour): void {
    if (n.dead) return
    const exempt = (n.nudState & NUD_PERMANENT) !== 0 || (n.flags & NTF_EXT_LEARNED) !== 0
    if (exempt === n.exemptFromGc) return
    n.exemptFromGc = exempt
    this.gcEntries += exempt ? -1 : 1
  }

  /** Follows NTF_MANAGED: such entries are kept resolved by the kernel (neigh_update_managed_list). */
  updateManagedList(n: Neighbour): void {
    if (n.dead || (n.flags & NTF_MANAGED) === 0) this.managed.delete(n)
    else {
      this.managed.add(n)
      if (!this.managedTimer.pending) this.armManaged()
    }
  }

  private armManaged(): void {
    const { clock } = this.kernel
    const interval = Math.max(this.parms.data[NEIGH_VAR_INTERVAL_PROBE_TIME]!, TICK_NSEC)
    clock.mod(this.managedTimer, clock.now + interval)
  }

  private managedWork(): void {
    for (const n of [...this.managed]) eventSend(n, null, false)
    if (this.managed.size > 0) this.armManaged()
  }
}

const TABLES = new WeakMap<Kernel, Map<number, NeighTable>>()

/** @returns a kernel's tables by AF_… */
export function neighTables(kernel: Kernel): Map<number, NeighTable> {
  let tables = TABLES.get(kernel)
  if (tables === undefined) {
    tables = new Map()
    TABLES.set(kernel, tables)
  }
  return tables
}

/** Gives a device its parameters, copied from the defaults (neigh_parms_alloc). */
export function neighParmsAlloc(dev: NetDevice, tbl: NeighTable): NeighParms {
  const parms = new NeighParms(tbl, dev, tbl.parms.data)
  tbl.parmsList.unshift(parms)
  return parms
}

/** Ends a device's parameters (neigh_parms_release). */
export function neighParmsRelease(tbl: NeighTable, parms: NeighParms): void {
  const i = tbl.parmsList.indexOf(parms)
  if (i < 0 || parms === tbl.parms) return
  tbl.parmsList.splice(i, 1)
  parms.dead = true
}

/** @returns an address's entry on a device. @param key network order */
export function neighLookup(tbl: NeighTable, key: Uint8Array, dev: NetDevice): Neighbour | undefined {
  return tbl.lookup(key, dev)
}

/**
 * Makes an address's entry on a device, or finds it (neigh_create).
 * @param key network order, copied @param flags NTF_EXT_LEARNED, NTF_MANAGED
 * @param exemptFromGc the collector neither counts nor takes it
 * @returns -ENOBUFS where the table is full, or the family's refusal
 */
export function neighCreate(
  tbl: NeighTable,
  key: Uint8Array,
  dev: NetDevice,
  flags = 0,
  exemptFromGc = false,
): Neighbour | number {
  if (!exemptFromGc && !tbl.makeRoom()) return -Errno.ENOBUFS
  tbl.stats.allocs++
  const n = new Neighbour(tbl, key, dev, flags)
  n.exemptFromGc = exemptFromGc
  const rc = tbl.ops.setup(n)
  if (rc < 0 || n.parms.dead) {
    tbl.stats.destroys++
    return rc < 0 ? rc : -Errno.EINVAL
  }
  n.confirmed = tbl.kernel.clock.now - 2 * n.parms.data[NEIGH_VAR_BASE_REACHABLE_TIME]!
  const there = tbl.find(n.primaryKey, dev)
  if (there !== null) {
    tbl.stats.destroys++
    return there
  }
  tbl.insert(n)
  if ((flags & NTF_MANAGED) !== 0) tbl.updateManagedList(n)
  return n
}

/** Removes a device's entries. @param skipPermanent the administrator's stay */
function flushDev(tbl: NeighTable, dev: NetDevice, skipPermanent: boolean): void {
  for (const n of tbl) if (n.dev === dev && !(skipPermanent && (n.nudState & NUD_PERMANENT) !== 0)) tbl.remove(n)
}

/** The device's own link-layer address has changed: all entries go (neigh_changeaddr). */
export function neighChangeaddr(tbl: NeighTable, dev: NetDevice): void {
  flushDev(tbl, dev, false)
}

/** The device goes down: all entries go, its proxy entries and what waits to be answered by proxy (neigh_ifdown). */
export function neighIfdown(tbl: NeighTable, dev: NetDevice): void {
  flushDev(tbl, dev, false)
  proxyIfdown(tbl, dev)
}

/** The device has lost its carrier: as `neighIfdown`, but permanent entries stay (neigh_carrier_down). */
export function neighCarrierDown(tbl: NeighTable, dev: NetDevice): void {
  flushDev(tbl, dev, true)
  proxyIfdown(tbl, dev)
}
