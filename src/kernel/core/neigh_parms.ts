/**
 * `neigh_parms`: how a neighbour table behaves on one device — retransmission, reachability, queues, proxying — and the
 * table's own defaults, from which a new device copies. See arp(7) and ip-sysctl, /proc/sys/net/ipv4/neigh.
 */
import { NSEC_PER_SEC } from './clock.ts'
import type { NeighTable } from './neigh_table.ts'
import type { NetDevice } from './net_device.ts'

/** Places in `NeighParms.data`. Times are in ns, lengths in packets or bytes as named. */
export const NEIGH_VAR_MCAST_PROBES = 0
export const NEIGH_VAR_UCAST_PROBES = 1
export const NEIGH_VAR_APP_PROBES = 2
export const NEIGH_VAR_MCAST_REPROBES = 3
export const NEIGH_VAR_RETRANS_TIME = 4
export const NEIGH_VAR_BASE_REACHABLE_TIME = 5
export const NEIGH_VAR_DELAY_PROBE_TIME = 6
export const NEIGH_VAR_INTERVAL_PROBE_TIME = 7
export const NEIGH_VAR_GC_STALETIME = 8
export const NEIGH_VAR_QUEUE_LEN_BYTES = 9
export const NEIGH_VAR_PROXY_QLEN = 10
export const NEIGH_VAR_ANYCAST_DELAY = 11
export const NEIGH_VAR_PROXY_DELAY = 12
export const NEIGH_VAR_LOCKTIME = 13

/** What a table without wishes of its own starts with, by place. */
const DEFAULTS: readonly number[] = [
  3,
  3,
  0,
  0,
  NSEC_PER_SEC,
  30 * NSEC_PER_SEC,
  5 * NSEC_PER_SEC,
  5 * NSEC_PER_SEC,
  60 * NSEC_PER_SEC,
  212992,
  64,
  NSEC_PER_SEC,
  0.8 * NSEC_PER_SEC,
  NSEC_PER_SEC,
]

/** How long a chosen reachable time holds before it is drawn anew, ns. */
const RANDOM_INTERVAL = 300 * NSEC_PER_SEC

/** Parameters of one device, or a table's defaults (`dev` undefined). */
export class NeighParms {
  readonly tbl: NeighTable
  readonly dev: NetDevice | undefined
  /** values by NEIGH_VAR_… */
  readonly data: Float64Array
  /** entries somebody has set for this device: a later write to the defaults leaves them alone */
  readonly isSet = new Uint8Array(DEFAULTS.length)
  /** packets that wait in the proxy queue */
  qlen = 0
  /** true once the device has gone: no entry may be made any more */
  dead = false
  private randomReachable = 0
  private randomAt = 0

  /** Used by NeighTable and neighParmsAlloc. @param data copied */
  constructor(tbl: NeighTable, dev: NetDevice | undefined, data: Float64Array) {
    this.tbl = tbl
    this.dev = dev
    this.data = data.slice()
    this.chooseReachableTime(data[NEIGH_VAR_BASE_REACHABLE_TIME]!)
  }

  /** How long a confirmation holds, ns: the base time multiplied by 0.5 to 1.5 at random, drawn every five minutes (RFC 4861 §6.3.2). */
  get reachableTime(): number {
    const now = this.tbl.kernel.clock.now
    if (now > this.randomAt + RANDOM_INTERVAL) this.chooseReachableTime(this.data[NEIGH_VAR_BASE_REACHABLE_TIME]!)
    return this.randomReachable
  }

  /** Draws the reachable time from a base time in ns; 0 gives 0 (neigh_rand_reach_time). */
  chooseReachableTime(base: number): void {
    const { kernel } = this.tbl
    this.randomAt = kernel.clock.now
    this.randomReachable = base === 0 ? 0 : Math.floor(kernel.random.below(0x10000) * (base / 0x10000)) + base / 2
  }

  /** Sets a value for good (NEIGH_VAR_SET). A new base reachable time counts at once. */
  set(index: number, value: number): void {
    this.data[index] = value
    this.isSet[index] = 1
    if (index === NEIGH_VAR_BASE_REACHABLE_TIME) this.chooseReachableTime(value)
  }
}

/** @returns the defaults, with the given ones in place */
export function neighParmsDefaults(values: Readonly<Record<number, number>>): Float64Array {
  const data = Float64Array.from(DEFAULTS)
  for (const [index, value] of Object.entries(values)) data[Number(index)] = value
  return data
}
