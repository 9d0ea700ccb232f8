/**
 * An entry of a neighbour table: its states and flags, and what a family does for it (`neighbour`, `neigh_ops`). The
 * states are those of neighbour unreachability detection (RFC 4861 §7.3).
 */
import {
  NUD_DELAY,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_NONE,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  RTN_UNICAST,
} from '../../uapi/rtnetlink.ts'
import type { Timer } from './clock.ts'
import { timerHandler } from './neigh_nud.ts'
import type { NeighParms } from './neigh_parms.ts'
import type { PneighEntry } from './neigh_proxy.ts'
import type { NeighTable } from './neigh_table.ts'
import type { NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import type { NetlinkExtAck } from './rtnetlink.ts'
import { type SkBuff, SkbQueue } from './skbuff.ts'
import { softirqTimer } from './softirq_timer.ts'

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
export function foldKey(key: Uint8Array): number {
  let word = 0
  for (let i = 0; i < key.length; i += 4)
    word = Math.imul(word, 31) ^ ((key[i]! << 24) | (key[i + 1]! << 16) | (key[i + 2]! << 8) | key[i + 3]!)
  return word >>> 0
}

/** @returns whether two addresses of equal length are the same */
export function sameKey(a: Uint8Array, b: Uint8Array): boolean {
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
    this.timer = softirqTimer(tbl.kernel, () => timerHandler(this))
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
