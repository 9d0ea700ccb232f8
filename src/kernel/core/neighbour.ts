/**
 * Neighbours: which link-layer address a network address has on a device, and how sure we are of it (`neighbour`,
 * `neigh_table`). The states and timers are those of neighbour unreachability detection (RFC 4861 §7.3), which ARP
 * uses as well. A table is one per address family and kernel; entries belong to a device and through it to a namespace.
 *
 * For a family: make a `NeighTable` with its operations in the family's init, `neighParmsAlloc` for each device that
 * the family is brought up on, `tbl.lookup`/`neighCreate` for the next hop of a packet, `neighOutput` to send it there,
 * `neighUpdate` when a message of the resolution protocol comes in, `neighIfdown`/`neighChangeaddr`/`neighCarrierDown`
 * when the device changes.
 */
import { Errno } from '../../uapi/errno.ts'
import {
  NTF_EXT_LEARNED,
  NTF_ROUTER,
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_NONE,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  RTN_UNICAST,
} from '../../uapi/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import { NSEC_PER_SEC, TICK_NSEC, Timer } from './clock.ts'
import { ETH_HLEN, ethHeaderOps } from './ethernet.ts'
import {
  NEIGH_VAR_APP_PROBES,
  NEIGH_VAR_BASE_REACHABLE_TIME,
  NEIGH_VAR_DELAY_PROBE_TIME,
  NEIGH_VAR_GC_STALETIME,
  NEIGH_VAR_INTERVAL_PROBE_TIME,
  NEIGH_VAR_MCAST_PROBES,
  NEIGH_VAR_MCAST_REPROBES,
  NEIGH_VAR_QUEUE_LEN_BYTES,
  NEIGH_VAR_RETRANS_TIME,
  NEIGH_VAR_UCAST_PROBES,
  NeighParms,
  neighParmsDefaults,
} from './neigh_parms.ts'
import { NeighProxies, type PneighEntry, proxyIfdown, proxyProcess } from './neigh_proxy.ts'
import { neighNotify } from './neighbour_rtnl.ts'
import type { NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import type { NetlinkExtAck } from './rtnetlink.ts'
import { type SkBuff, SkbQueue } from './skbuff.ts'

export * from './neigh_parms.ts'
export * from './neigh_proxy.ts'
export { neighAppNs } from './neighbour_rtnl.ts'

/** States with a timer. */
export const NUD_IN_TIMER = NUD_INCOMPLETE | NUD_REACHABLE | NUD_DELAY | NUD_PROBE
/** States in which the link-layer address may be used. */
export const NUD_VALID = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY
/** States in which it is used without a doubt. */
export const NUD_CONNECTED = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE

/** Extended flags lie above the eight of ndm_flags (NTF_EXT_…). */
export const NTF_EXT_SHIFT = 8
export const NTF_MANAGED = 1 << NTF_EXT_SHIFT

/** Flags of `neighUpdate`. */
export const NEIGH_UPDATE_F_OVERRIDE = 0x1
export const NEIGH_UPDATE_F_WEAK_OVERRIDE = 0x2
export const NEIGH_UPDATE_F_OVERRIDE_ISROUTER = 0x4
export const NEIGH_UPDATE_F_USE = 0x10000000
export const NEIGH_UPDATE_F_MANAGED = 0x20000000
export const NEIGH_UPDATE_F_EXT_LEARNED = 0x40000000
export const NEIGH_UPDATE_F_ISROUTER = 0x01000000
export const NEIGH_UPDATE_F_ADMIN = 0x02000000

/** How the entry takes packets: not at all, after resolution with a link header, or as they are. */
export const NEIGH_OUTPUT_BLACKHOLE = 0
export const NEIGH_OUTPUT_RESOLVE = 1
export const NEIGH_OUTPUT_DIRECT = 2

/** What the resolution protocol does for an entry (`neigh_ops`). */
export interface NeighOps {
  /** Sends a request for the link-layer address. @param skb a packet that waits for it, still the queue's; null for none */
  solicit(neigh: Neighbour, skb: SkBuff | null): void
  /** Answers for a packet that cannot be delivered; takes it over. */
  errorReport(neigh: Neighbour, skb: SkBuff): void
}

const NO_OPS: NeighOps = {
  solicit: () => {},
  errorReport: (_, skb) => skb.free('neigh_invalidate', 'NEIGH_FAILED'),
}

/** What a family's table is made of (`neigh_table`). */
export interface NeighTableOps {
  readonly family: number
  /** bytes of an address: 4 or 16 */
  readonly keyLen: number
  /** Ethernet protocol of the packets that are sent to entries, host order */
  readonly protocol: number
  /** name, such as `arp_cache` */
  readonly id: string
  /** defaults that differ from the common ones, by NEIGH_VAR_… */
  readonly parms: Readonly<Record<number, number>>
  /** Sets a fresh entry up: parms, type, ops, output, a state that needs no resolution. @returns a negative error */
  setup(neigh: Neighbour): number
  /** A proxy entry comes or goes. @returns a negative error */
  pconstructor?(entry: PneighEntry): number
  pdestructor?(entry: PneighEntry): void
  /** Handles a request that has waited in the proxy queue; takes it over. */
  proxyRedo?(skb: SkBuff): void
  isMulticast?(key: Uint8Array): boolean
  /** Whether user space may add entries on a device; leaves the reason. */
  allowAdd?(dev: NetDevice, extack: NetlinkExtAck): boolean
}

/** Counters of a table, /proc/net/stat/ID. */
export class NeighStatistics {
  allocs = 0
  destroys = 0
  hashGrows = 0
  resFailed = 0
  lookups = 0
  hits = 0
  rcvProbesMcast = 0
  rcvProbesUcast = 0
  periodicGcRuns = 0
  forcedGcRuns = 0
  unresDiscards = 0
  tableFulls = 0
}

/** @returns the key as one 32-bit number: an IPv4 address itself, else its words folded */
function foldKey(key: Uint8Array): number {
  let word = 0
  for (let i = 0; i < key.length; i += 4)
    word = Math.imul(word, 31) ^ ((key[i]! << 24) | (key[i + 1]! << 16) | (key[i + 2]! << 8) | key[i + 3]!)
  return word >>> 0
}

function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** An entry: an address on a device. Made by `neighCreate`. */
export class Neighbour {
  readonly tbl: NeighTable
  readonly dev: NetDevice
  /** the address, network order */
  primaryKey: Uint8Array
  /** IPv4: the address in host order; else the key folded */
  keyWord: number
  parms: NeighParms
  ops: NeighOps = NO_OPS
  /** NUD_… */
  nudState: number = NUD_NONE
  /** RTN_… of the address */
  type: number = RTN_UNICAST
  /** NTF_…, extended ones from bit 8 */
  flags: number
  /** who made it (RTPROT_…), 0 unknown */
  protocol = 0
  /** NEIGH_OUTPUT_… */
  output: number = NEIGH_OUTPUT_BLACKHOLE
  /** not in the table: not yet, or no longer */
  dead = true
  /** the link-layer address, as long as the device's */
  ha: Uint8Array
  /** requests sent since the entry was last sure */
  probes = 0
  /** last use, confirmation and change, ns since boot */
  used: number
  confirmed: number
  updated: number
  /** packets that wait for resolution, and their true size, bytes */
  readonly arpQueue = new SkbQueue()
  arpQueueLenBytes = 0
  /** the packet that came last; it counts only while packets wait */
  lastQueued: SkBuff | null = null
  readonly timer: Timer
  /** the link header of packets to this address; null until the first, and on devices without Ethernet's header */
  hh: Uint8Array | null = null
  /** not counted and not collected (permanent, externally learned) */
  exemptFromGc = false
  /** used by NeighTable: chains of the hash and the list of all entries */
  hashNext: Neighbour | null = null
  bucket = 0
  listNext: Neighbour | null = null
  listPrev: Neighbour | null = null

  /** Used by neighCreate. */
  constructor(tbl: NeighTable, key: Uint8Array, dev: NetDevice, flags: number) {
    this.tbl = tbl
    this.dev = dev
    this.primaryKey = key.slice(0, tbl.ops.keyLen)
    this.keyWord = foldKey(this.primaryKey)
    this.parms = tbl.parms
    this.flags = flags
    this.ha = new Uint8Array(dev.addrLen)
    const now = tbl.kernel.clock.now
    this.used = this.updated = now
    this.confirmed = now
    this.timer = new Timer(() => timerHandler(this))
  }

  get net(): Net {
    return this.dev.net
  }

  /** Used by `setup` of a family: the entry is for another address than was asked for, or for all of a device. */
  rekey(key: Uint8Array): void {
    this.primaryKey = key
    this.keyWord = foldKey(key)
  }
}

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
  private readonly gcTimer = new Timer(() => this.periodicWork())
  /** entries that the kernel keeps resolved */
  readonly managed = new Set<Neighbour>()
  private readonly managedTimer = new Timer(() => this.managedWork())
  readonly proxies = new NeighProxies()
  readonly proxyTimer = new Timer(() => proxyProcess(this))
  private overflowLogged = Number.NEGATIVE_INFINITY

  /** Makes a kernel's table of a family and registers it (neigh_table_init). */
  constructor(kernel: Kernel, ops: NeighTableOps) {
    this.kernel = kernel
    this.ops = ops
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
    this.kernel.softirq.flush()
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

function addTimer(n: Neighbour, when: number): void {
  n.tbl.kernel.clock.mod(n.timer, when)
}

/** How many requests an entry gets in its state before it fails. */
function maxProbes(n: Neighbour): number {
  const { data } = n.parms
  const again = (n.nudState & NUD_PROBE) !== 0 ? NEIGH_VAR_MCAST_REPROBES : NEIGH_VAR_MCAST_PROBES
  return data[NEIGH_VAR_UCAST_PROBES]! + data[NEIGH_VAR_APP_PROBES]! + data[again]!
}

/** Time between two requests: never less than two ticks. */
function retransTime(n: Neighbour): number {
  return Math.max(n.parms.data[NEIGH_VAR_RETRANS_TIME]!, 2 * TICK_NSEC)
}

/** Resolution has failed: answers for every packet that waits (neigh_invalidate). */
function invalidate(n: Neighbour): void {
  n.tbl.stats.resFailed++
  n.updated = n.tbl.kernel.clock.now
  // an answer may lead back here and change the state
  while (n.nudState === NUD_FAILED) {
    const skb = n.arpQueue.dequeue()
    if (skb === null) break
    n.ops.errorReport(n, skb)
  }
  n.arpQueue.purge('neigh_invalidate', 'NEIGH_FAILED')
  n.arpQueueLenBytes = 0
}

function probe(n: Neighbour): void {
  // the last packet that came tells from which address to ask; the answer may free it
  const skb = n.arpQueue.qlen === 0 ? null : n.lastQueued!.clone()
  n.ops.solicit(n, skb)
  n.probes++
  skb?.consume()
}

/** The state's time is over (neigh_timer_handler). */
function timerHandler(n: Neighbour): void {
  const { kernel } = n.tbl
  const now = kernel.clock.now
  const state = n.nudState
  if ((state & NUD_IN_TIMER) === 0) return
  let notify = false
  let next: number
  if ((state & NUD_REACHABLE) !== 0) {
    next = nextOfReachable(n, now)
    notify = n.nudState === NUD_STALE
  } else if ((state & NUD_DELAY) !== 0) {
    n.updated = now
    notify = true
    if (now <= n.confirmed + n.parms.data[NEIGH_VAR_DELAY_PROBE_TIME]!) {
      n.nudState = NUD_REACHABLE
      next = n.confirmed + n.parms.reachableTime
    } else {
      n.nudState = NUD_PROBE
      n.probes = 0
      next = now + retransTime(n)
    }
  } else next = now + retransTime(n)

  if ((n.nudState & (NUD_INCOMPLETE | NUD_PROBE)) !== 0 && n.probes >= maxProbes(n)) {
    n.nudState = NUD_FAILED
    notify = true
    invalidate(n)
  } else {
    if ((n.nudState & NUD_IN_TIMER) !== 0) addTimer(n, Math.max(next, now + 2 * TICK_NSEC))
    if ((n.nudState & (NUD_INCOMPLETE | NUD_PROBE)) !== 0) probe(n)
  }
  if (notify) neighNotify(n, false)
  kernel.softirq.flush()
}

/** A reachable entry: still confirmed, in use (then it is to be probed soon), or stale. @returns when to look again */
function nextOfReachable(n: Neighbour, now: number): number {
  const holds = n.confirmed + n.parms.reachableTime
  if (now <= holds) return holds
  n.updated = now
  const delay = n.parms.data[NEIGH_VAR_DELAY_PROBE_TIME]!
  if (now <= n.used + delay) {
    n.nudState = NUD_DELAY
    return now + delay
  }
  n.nudState = NUD_STALE
  return now
}

/**
 * An entry is about to be used: starts resolution, or the delay before the first probe, where needed (neigh_event_send).
 * @param skb a packet to keep until the address is known; null for none. Taken over unless the result is false
 * @returns true where the packet has to wait (or was dropped)
 */
export function neighEventSend(n: Neighbour, skb: SkBuff | null): boolean {
  return eventSend(n, skb, true)
}

function eventSend(n: Neighbour, skb: SkBuff | null, immediate: boolean): boolean {
  const now = n.tbl.kernel.clock.now
  n.used = now
  const state = n.nudState
  if ((state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE)) !== 0) return false
  if (n.dead) {
    if ((state & NUD_STALE) !== 0) return false
    skb?.free('__neigh_event_send', 'NEIGH_DEAD')
    return true
  }
  if ((state & NUD_STALE) !== 0) {
    n.nudState = NUD_DELAY
    n.updated = now
    addTimer(n, now + n.parms.data[NEIGH_VAR_DELAY_PROBE_TIME]!)
    return false
  }
  let begin = false
  if ((state & NUD_INCOMPLETE) === 0) {
    const { data } = n.parms
    n.updated = now
    if (data[NEIGH_VAR_MCAST_PROBES]! + data[NEIGH_VAR_APP_PROBES]! === 0) {
      n.nudState = NUD_FAILED
      skb?.free('__neigh_event_send', 'NEIGH_FAILED')
      return true
    }
    n.probes = data[NEIGH_VAR_UCAST_PROBES]!
    n.nudState = NUD_INCOMPLETE
    begin = immediate
    addTimer(n, immediate ? now + retransTime(n) : now + TICK_NSEC)
  }
  if (skb !== null) queueUnresolved(n, skb)
  if (begin) probe(n)
  return true
}

/** Keeps a packet until its address is known; the oldest give way (unres_qlen_bytes). */
function queueUnresolved(n: Neighbour, skb: SkBuff): void {
  const limit = n.parms.data[NEIGH_VAR_QUEUE_LEN_BYTES]!
  while (n.arpQueueLenBytes + skb.truesize > limit) {
    const old = n.arpQueue.dequeue()
    if (old === null) break
    n.arpQueueLenBytes -= old.truesize
    old.free('__neigh_event_send', 'NEIGH_QUEUEFULL')
    n.tbl.stats.unresDiscards++
  }
  n.arpQueue.enqueue(skb)
  n.lastQueued = skb
  n.arpQueueLenBytes += skb.truesize
}

/**
 * Sends a packet to a neighbour (neigh_output). `skb.dev` is the entry's device; `data` is at the network header.
 * @param skipCache the packet is of another protocol than the table's (an IPv4 packet to an IPv6 gateway)
 * @returns NET_XMIT_… or a negative error; 0 where the packet waits for resolution
 */
export function neighOutput(n: Neighbour, skb: SkBuff, skipCache = false): number {
  const hh = n.hh
  if (hh !== null && !skipCache && (n.nudState & NUD_CONNECTED) !== 0) {
    const at = skb.push(ETH_HLEN)
    const { buf } = skb
    buf[at] = hh[0]!
    buf[at + 1] = hh[1]!
    buf[at + 2] = hh[2]!
    buf[at + 3] = hh[3]!
    buf[at + 4] = hh[4]!
    buf[at + 5] = hh[5]!
    buf[at + 6] = hh[6]!
    buf[at + 7] = hh[7]!
    buf[at + 8] = hh[8]!
    buf[at + 9] = hh[9]!
    buf[at + 10] = hh[10]!
    buf[at + 11] = hh[11]!
    buf[at + 12] = hh[12]!
    buf[at + 13] = hh[13]!
    return n.tbl.kernel.netcore.queueXmit(skb)
  }
  if (n.output === NEIGH_OUTPUT_RESOLVE) return neighResolveOutput(n, skb)
  if (n.output === NEIGH_OUTPUT_DIRECT) return n.tbl.kernel.netcore.queueXmit(skb)
  skb.free('neigh_blackhole')
  return -Errno.ENETDOWN
}

/** Sends a packet with a link header as soon as the address is known (neigh_resolve_output). */
export function neighResolveOutput(n: Neighbour, skb: SkBuff): number {
  if (neighEventSend(n, skb)) return 0
  const { dev } = n
  const { headerOps } = dev
  if (skb.networkHeader > skb.data) skb.pull(skb.networkHeader - skb.data)
  if (headerOps !== undefined) {
    if (headerOps === ethHeaderOps && n.hh === null) n.hh = etherHeader(n)
    if (headerOps.create(skb, dev, skb.protocol, n.ha, undefined, skb.len) < 0) {
      skb.free('neigh_resolve_output')
      return -Errno.EINVAL
    }
  }
  return n.tbl.kernel.netcore.queueXmit(skb)
}

/** @returns the link header of the table's packets to an entry (eth_header_cache) */
function etherHeader(n: Neighbour): Uint8Array {
  const header = new Uint8Array(ETH_HLEN)
  header.set(n.ha.subarray(0, 6), 0)
  header.set(n.dev.devAddr.subarray(0, 6), 6)
  header[12] = n.tbl.ops.protocol >> 8
  header[13] = n.tbl.ops.protocol & 0xff
  return header
}

/** A higher layer knows that the neighbour answers (neigh_confirm). */
export function neighConfirm(n: Neighbour): void {
  n.confirmed = n.tbl.kernel.clock.now
}

/** Takes the entry's flags over. @returns whether listeners must hear of it */
function updateFlags(n: Neighbour, flags: number): boolean {
  if ((flags & NEIGH_UPDATE_F_ADMIN) === 0) return false
  let to = n.flags & ~(NTF_EXT_LEARNED | NTF_MANAGED)
  if ((flags & NEIGH_UPDATE_F_EXT_LEARNED) !== 0) to |= NTF_EXT_LEARNED
  if ((flags & NEIGH_UPDATE_F_MANAGED) !== 0) to |= NTF_MANAGED
  const changed = to ^ n.flags
  n.flags = to
  if ((changed & NTF_EXT_LEARNED) !== 0) n.tbl.updateGcList(n)
  if ((changed & NTF_MANAGED) !== 0) n.tbl.updateManagedList(n)
  return changed !== 0
}

/**
 * Changes an entry (neigh_update): what user space, a reply or an advertisement say.
 * @param lladdr link-layer address, undefined for none @param state the new NUD_… state
 * @param flags NEIGH_UPDATE_F_… @returns 0, -EPERM for an entry that only the administrator may change, -EINVAL
 */
export function neighUpdate(
  n: Neighbour,
  lladdr: Uint8Array | undefined,
  state: number,
  flags: number,
  extack?: NetlinkExtAck,
): number {
  const { kernel } = n.tbl
  const old = n.nudState
  if (kernel.trace.neighUpdate.enabled) kernel.trace.neighUpdate.fire(n.dev, state)
  if (n.dead) return extack?.fail(-Errno.EPERM, 'Neighbor entry is now dead') ?? -Errno.EPERM
  if ((flags & NEIGH_UPDATE_F_ADMIN) === 0 && (old & (NUD_NOARP | NUD_PERMANENT)) !== 0) return -Errno.EPERM
  const flagged = updateFlags(n, flags)
  let rc = 0
  let notify = false
  if ((flags & (NEIGH_UPDATE_F_USE | NEIGH_UPDATE_F_MANAGED)) !== 0) {
    n.nudState = old & ~NUD_PERMANENT
  } else if ((state & NUD_VALID) === 0) {
    kernel.clock.del(n.timer)
    n.nudState = state
    notify = (old & NUD_VALID) !== 0
    if ((old & (NUD_INCOMPLETE | NUD_PROBE)) !== 0 && (state & NUD_FAILED) !== 0) {
      invalidate(n)
      notify = true
    }
  } else {
    rc = updateValid(n, lladdr, state, flags, extack)
    notify = rc === 1
    if (rc > 0) rc = 0
  }
  if (((n.nudState ^ old) & NUD_PERMANENT) !== 0) n.tbl.updateGcList(n)
  if (notify || flagged) neighNotify(n, false)
  return rc
}

/** The entry becomes, or stays, usable. @returns 1 where listeners must hear of it, 0 where not, a negative error */
function updateValid(
  n: Neighbour,
  lladdr: Uint8Array | undefined,
  state: number,
  flags: number,
  extack: NetlinkExtAck | undefined,
): number {
  const { clock } = n.tbl.kernel
  const now = clock.now
  const old = n.nudState
  let ha = n.ha
  if (n.dev.addrLen > 0) {
    if (lladdr === undefined) {
      if ((old & NUD_VALID) === 0) return extack?.fail(-Errno.EINVAL, 'No link layer address given') ?? -Errno.EINVAL
    } else if ((old & NUD_VALID) === 0 || !sameKey(n.ha, lladdr)) ha = lladdr
  }
  // a confirmation counts even where the address in it is not taken over
  if ((state & NUD_CONNECTED) !== 0) n.confirmed = now
  let setRouter = (flags & NEIGH_UPDATE_F_OVERRIDE_ISROUTER) !== 0
  if ((old & NUD_VALID) !== 0) {
    if (ha !== n.ha && (flags & NEIGH_UPDATE_F_OVERRIDE) === 0) {
      setRouter = false
      if ((flags & NEIGH_UPDATE_F_WEAK_OVERRIDE) === 0 || (old & NUD_CONNECTED) === 0) return 0
      ha = n.ha
      state = NUD_STALE
    } else if (ha === n.ha && state === NUD_STALE && (flags & NEIGH_UPDATE_F_ADMIN) === 0) state = old
  }
  let notify = false
  if (state !== old || ha !== n.ha) n.updated = now
  if (state !== old) {
    clock.del(n.timer)
    if ((state & NUD_PROBE) !== 0) n.probes = 0
    if ((state & NUD_IN_TIMER) !== 0) addTimer(n, now + ((state & NUD_REACHABLE) !== 0 ? n.parms.reachableTime : 0))
    n.nudState = state
    notify = true
  }
  if (ha !== n.ha) {
    n.ha = ha.slice(0, n.dev.addrLen)
    n.hh = null
    if ((state & NUD_CONNECTED) === 0) n.confirmed = now - 2 * n.parms.data[NEIGH_VAR_BASE_REACHABLE_TIME]!
    notify = true
  }
  if (state !== old && (old & NUD_VALID) === 0) sendQueued(n)
  if (setRouter) {
    const router = (flags & NEIGH_UPDATE_F_ISROUTER) !== 0
    if (router !== ((n.flags & NTF_ROUTER) !== 0)) {
      n.flags ^= NTF_ROUTER
      notify = true
    }
  }
  return notify ? 1 : 0
}

/** The address is known: sends what has waited for it. */
function sendQueued(n: Neighbour): void {
  while ((n.nudState & NUD_VALID) !== 0) {
    const skb = n.arpQueue.dequeue()
    if (skb === null) break
    neighOutput(n, skb, true)
  }
  n.arpQueue.purge('neigh_update')
  n.arpQueueLenBytes = 0
}

/** Says that an entry must be probed without waiting for the delay (__neigh_set_probe_once). */
export function neighSetProbeOnce(n: Neighbour): void {
  if (n.dead) return
  const now = n.tbl.kernel.clock.now
  n.updated = now
  if ((n.nudState & NUD_FAILED) === 0) return
  n.nudState = NUD_INCOMPLETE
  n.probes = maxProbes(n)
  addTimer(n, now + retransTime(n))
}

/**
 * Looks an entry up for an event of the resolution protocol, or makes it, and takes the address over (neigh_event_ns).
 * @param make whether it may be made
 */
export function neighEventNs(
  tbl: NeighTable,
  lladdr: Uint8Array | undefined,
  key: Uint8Array,
  dev: NetDevice,
  make = lladdr !== undefined || dev.addrLen === 0,
): Neighbour | undefined {
  let n: Neighbour | number | undefined = tbl.lookup(key, dev)
  if (n === undefined && make) n = neighCreate(tbl, key, dev)
  if (n === undefined || typeof n === 'number') return undefined
  neighUpdate(n, lladdr, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE)
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
