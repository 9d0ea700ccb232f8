/**
 * Proxy entries of a neighbour table (`pneigh_entry`): addresses for which we answer in another's place, and the queue
 * in which requests for them wait a random while (RFC 4861 §7.2.8).
 */
import { Errno } from '../../uapi/errno.ts'
import { NEIGH_VAR_PROXY_DELAY, NEIGH_VAR_PROXY_QLEN, type NeighParms } from './neigh_parms.ts'
import type { NeighTable } from './neigh_table.ts'
import type { NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import type { SkBuff } from './skbuff.ts'

/** An address for which we answer in another's place. */
export interface PneighEntry {
  readonly net: Net
  /** the address, network order */
  readonly key: Uint8Array
  /** undefined: on every device */
  readonly dev: NetDevice | undefined
  /** NTF_… */
  flags: number
  /** who made it (RTPROT_…), 0 unknown */
  protocol: number
}

/** A request that waits: when it is answered, and whose queue it counts for. */
interface Waiting {
  readonly skb: SkBuff
  readonly dev: NetDevice
  readonly parms: NeighParms
  readonly due: number
}

/** The proxy entries of a table, and its queue. */
export class NeighProxies {
  readonly entries: PneighEntry[] = []
  queue: Waiting[] = []
}

function matches(entry: PneighEntry, net: Net, key: Uint8Array): boolean {
  if (entry.net !== net) return false
  for (let i = 0; i < entry.key.length; i++) if (entry.key[i] !== key[i]) return false
  return true
}

/** @returns the entry of an address on a device: one of the device, or one of all devices (pneigh_lookup) */
export function pneighLookup(
  tbl: NeighTable,
  net: Net,
  key: Uint8Array,
  dev: NetDevice | undefined,
): PneighEntry | undefined {
  for (const entry of tbl.proxies.entries)
    if (matches(entry, net, key) && (entry.dev === undefined || entry.dev === dev)) return entry
  return undefined
}

/** Makes the entry unless one covers the address. @returns undefined where the family refuses */
export function pneighCreate(
  tbl: NeighTable,
  net: Net,
  key: Uint8Array,
  dev: NetDevice | undefined,
): PneighEntry | undefined {
  const there = pneighLookup(tbl, net, key, dev)
  if (there !== undefined) return there
  const entry: PneighEntry = { net, key: key.slice(0, tbl.ops.keyLen), dev, flags: 0, protocol: 0 }
  if ((tbl.ops.pconstructor?.(entry) ?? 0) < 0) return undefined
  tbl.proxies.entries.push(entry)
  return entry
}

/** Removes exactly this device's entry (pneigh_delete). @returns 0 or -ENOENT */
export function pneighDelete(tbl: NeighTable, net: Net, key: Uint8Array, dev: NetDevice | undefined): number {
  const { entries } = tbl.proxies
  const i = entries.findIndex(entry => matches(entry, net, key) && entry.dev === dev)
  if (i < 0) return -Errno.ENOENT
  const [entry] = entries.splice(i, 1)
  tbl.ops.pdestructor?.(entry!)
  return 0
}

/** Removes entries. */
export function pneighPurge(tbl: NeighTable, gone: (entry: PneighEntry) => boolean): void {
  const { entries } = tbl.proxies
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i]!
    if (!gone(entry)) continue
    entries.splice(i, 1)
    tbl.ops.pdestructor?.(entry)
  }
}

/** Keeps a request for a random time below proxy_delay, then gives it to `proxyRedo` (pneigh_enqueue). Takes it over. */
export function pneighEnqueue(tbl: NeighTable, parms: NeighParms, skb: SkBuff): void {
  const { clock, random } = tbl.kernel
  if (parms.qlen > parms.data[NEIGH_VAR_PROXY_QLEN]!) {
    skb.free('pneigh_enqueue')
    return
  }
  let due = clock.now + random.unit() * parms.data[NEIGH_VAR_PROXY_DELAY]!
  skb.dstDrop()
  tbl.proxies.queue.push({ skb, dev: skb.dev!, parms, due })
  parms.qlen++
  if (tbl.proxyTimer.pending && tbl.proxyTimer.expires < due) due = tbl.proxyTimer.expires
  clock.mod(tbl.proxyTimer, due)
}

/** Used by NeighTable: answers the requests whose time has come (neigh_proxy_process). */
export function proxyProcess(tbl: NeighTable): void {
  const { clock } = tbl.kernel
  const waiting = tbl.proxies.queue
  const now = clock.now
  tbl.proxies.queue = waiting.filter(item => item.due > now)
  for (const { skb, dev, parms, due } of waiting) {
    if (due > now) continue
    parms.qlen--
    if (tbl.ops.proxyRedo !== undefined && dev.running) tbl.ops.proxyRedo(skb)
    else skb.free('neigh_proxy_process')
  }
  armProxy(tbl)
}

function armProxy(tbl: NeighTable): void {
  let next = Number.POSITIVE_INFINITY
  for (const { due } of tbl.proxies.queue) if (due < next) next = due
  if (next === Number.POSITIVE_INFINITY) tbl.kernel.clock.del(tbl.proxyTimer)
  else tbl.kernel.clock.mod(tbl.proxyTimer, next)
}

/** Used when a device goes down: its entries go, and what waits in its namespace (pneigh_queue_purge). */
export function proxyIfdown(tbl: NeighTable, dev: NetDevice): void {
  pneighPurge(tbl, entry => entry.dev === dev)
  const waiting = tbl.proxies.queue
  if (waiting.length === 0) return
  tbl.proxies.queue = waiting.filter(item => item.dev.net !== dev.net)
  for (const item of waiting) {
    if (item.dev.net !== dev.net) continue
    item.parms.qlen--
    item.skb.free('pneigh_queue_purge')
  }
  armProxy(tbl)
}
