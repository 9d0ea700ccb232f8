/** The forwarding database: learning, ageing, addresses of the bridge's own, and what user space adds. */
import { Errno } from '../../uapi/errno.ts'
import {
  type NeighMessage,
  NTF_EXT_LEARNED,
  NTF_STICKY,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  NUD_STALE,
  RTM_DELNEIGH,
  RTM_NEWNEIGH,
  RTNLGRP_NEIGH,
} from '../../uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../uapi/socket.ts'
import { TICK_NSEC } from '../core/clock.ts'
import { devUcAdd, devUcDel } from '../core/dev_addr_lists.ts'
import { etherAddrEqual, isValidEtherAddr } from '../core/ethernet.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { BR_PROMISC, type NetBridge, type NetBridgePort } from './br.ts'
import { FdbEntry } from './br_fdb_table.ts'

const TICK = TICK_NSEC
/** Hundredths of a second in ns. */
const CENTISECOND = 1e7
/** Clean-ups are at least this far apart, jiffies. */
const MIN_CLEANUP = 3

function now(br: NetBridge): number {
  return br.dev.net.kernel.clock.now
}

function expired(br: NetBridge, entry: FdbEntry): boolean {
  return !entry.isStatic && !entry.extLearned && entry.updated + br.holdTime * TICK <= now(br)
}

function stateOf(br: NetBridge, entry: FdbEntry): number {
  if (entry.local) return NUD_PERMANENT
  if (entry.isStatic) return NUD_NOARP
  return expired(br, entry) ? NUD_STALE : NUD_REACHABLE
}

/** @returns an entry as a message (fdb_fill_info) */
export function fdbFillInfo(
  br: NetBridge,
  entry: FdbEntry,
  type: typeof RTM_NEWNEIGH | typeof RTM_DELNEIGH,
): NeighMessage {
  const at = now(br)
  return {
    type,
    flags: 0,
    family: AF_BRIDGE,
    ifindex: entry.dst?.dev.ifindex ?? br.dev.ifindex,
    state: stateOf(br, entry),
    ndmFlags: (entry.extLearned ? NTF_EXT_LEARNED : 0) | (entry.sticky ? NTF_STICKY : 0),
    ndmType: 0,
    attrs: {
      lladdr: entry.address.slice(),
      master: br.dev.ifindex,
      cacheinfo: {
        used: Math.floor((at - entry.used) / CENTISECOND),
        confirmed: 0,
        updated: Math.floor((at - entry.updated) / CENTISECOND),
        refcnt: 0,
      },
      ...(entry.vid === 0 ? {} : { vlan: entry.vid }),
    },
  }
}

function notify(br: NetBridge, entry: FdbEntry, type: typeof RTM_NEWNEIGH | typeof RTM_DELNEIGH): void {
  const { net } = br.dev
  net.kernel.rtnl.notify(net, RTNLGRP_NEIGH, () => fdbFillInfo(br, entry, type))
}

/** A static address is one that ports without promiscuity must listen to. */
function hwAddr(br: NetBridge, address: Uint8Array, on: boolean): void {
  for (const port of br.ports) {
    if ((port.flags & BR_PROMISC) !== 0) continue
    if (on) devUcAdd(port.dev, address)
    else devUcDel(port.dev, address)
  }
}

/** Has a port that is no longer promiscuous listen to all static addresses (br_fdb_sync_static). */
export function fdbSyncStatic(br: NetBridge, port: NetBridgePort): void {
  for (const entry of br.fdb.list()) if (entry.isStatic) devUcAdd(port.dev, entry.address)
}

/** The reverse (br_fdb_unsync_static). */
export function fdbUnsyncStatic(br: NetBridge, port: NetBridgePort): void {
  for (const entry of br.fdb.list()) if (entry.isStatic) devUcDel(port.dev, entry.address)
}

function create(br: NetBridge, dst: NetBridgePort | undefined, address: Uint8Array, vid: number): FdbEntry {
  const entry = new FdbEntry(address, vid, dst, now(br))
  br.fdb.insert(entry)
  return entry
}

function remove(br: NetBridge, entry: FdbEntry): void {
  if (entry.isStatic) hwAddr(br, entry.address, false)
  br.fdb.remove(entry)
  notify(br, entry, RTM_DELNEIGH)
}

/** An address of the bridge's own goes, unless another port or the bridge has it too (fdb_delete_local). */
function removeLocal(br: NetBridge, port: NetBridgePort | undefined, entry: FdbEntry): void {
  const { address, vid } = entry
  for (const other of br.ports) {
    if (other === port || !etherAddrEqual(other.dev.devAddr, address)) continue
    if (vid !== 0 && other.vlans?.find(vid) === undefined) continue
    entry.dst = other
    entry.addedByUser = false
    return
  }
  if (port !== undefined && etherAddrEqual(br.dev.devAddr, address)) {
    const vlan = br.vlans.find(vid)
    if (vid === 0 || vlan?.usable === true) {
      entry.dst = undefined
      entry.addedByUser = false
      return
    }
  }
  remove(br, entry)
}

/** Adds an address of a port's or the bridge's own (br_fdb_add_local). @returns 0 or -EINVAL */
export function fdbAddLocal(br: NetBridge, port: NetBridgePort | undefined, address: Uint8Array, vid: number): number {
  if (!isValidEtherAddr(address)) return -Errno.EINVAL
  const known = br.fdb.find(address, 0, vid)
  if (known !== undefined) {
    // several ports may have the same address: the first keeps it
    if (known.local) return 0
    const name = port?.dev.name ?? br.dev.name
    br.log(4, `adding interface ${name} with same address as a received packet (addr:${macText(address)}, vlan:${vid})`)
    remove(br, known)
  }
  const entry = create(br, port, address, vid)
  entry.local = true
  entry.isStatic = true
  hwAddr(br, address, true)
  notify(br, entry, RTM_NEWNEIGH)
  return 0
}

function macText(address: Uint8Array): string {
  return Array.from(address, byte => byte.toString(16).padStart(2, '0')).join(':')
}

/** Takes out an address of the bridge's own that was not added by hand (br_fdb_find_delete_local). */
export function fdbFindDeleteLocal(
  br: NetBridge,
  port: NetBridgePort | undefined,
  address: Uint8Array,
  vid: number,
): void {
  const entry = br.fdb.find(address, 0, vid)
  if (entry?.local === true && !entry.addedByUser && entry.dst === port) removeLocal(br, port, entry)
}

/** A port has another address (br_fdb_changeaddr). */
export function fdbChangeaddr(port: NetBridgePort, address: Uint8Array): void {
  const { br } = port
  const vlans = port.vlans?.list() ?? []
  for (const entry of br.fdb.list())
    if (entry.dst === port && entry.local && !entry.addedByUser) {
      removeLocal(br, port, entry)
      if (vlans.length === 0) break
    }
  fdbAddLocal(br, port, address, 0)
  for (const vlan of vlans) fdbAddLocal(br, port, address, vlan.vid)
}

/** The bridge has another address (br_fdb_change_mac_address). */
export function fdbChangeMacAddress(br: NetBridge, address: Uint8Array): void {
  const replace = (vid: number): void => {
    const entry = br.fdb.find(br.dev.devAddr, 0, vid)
    if (entry?.local === true && entry.dst === undefined && !entry.addedByUser) removeLocal(br, undefined, entry)
    fdbAddLocal(br, undefined, address, vid)
  }
  replace(0)
  for (const vlan of br.vlans.list()) if (vlan.usable) replace(vlan.vid)
}

/** Drops what has not been heard of for too long, and says when to look again (br_fdb_cleanup). */
export function fdbCleanup(br: NetBridge): void {
  const hold = br.holdTime
  const at = now(br)
  let delay = hold
  for (const entry of br.fdb.list()) {
    if (entry.isStatic || entry.extLearned) continue
    const left = entry.updated + hold * TICK - at
    if (left > 0) delay = Math.min(delay, left / TICK)
    else remove(br, entry)
  }
  br.mod(br.gcTimer, Math.max(Math.ceil(delay), MIN_CLEANUP))
}

/** Forgets everything learned (br_fdb_flush). */
export function fdbFlush(br: NetBridge): void {
  for (const entry of br.fdb.list()) if (!entry.isStatic) remove(br, entry)
}

/** What a bulk deletion takes out: entries whose flags under `mask` are `flags`. */
export interface FdbFlushDesc {
  /** 0: any */
  readonly vid: number
  /** of a port or the bridge, 0: any */
  readonly ifindex: number
  /** BR_FDB_… */
  readonly flags: number
  readonly mask: number
}

export const BR_FDB_LOCAL = 1
export const BR_FDB_STATIC = 2
export const BR_FDB_STICKY = 4
export const BR_FDB_ADDED_BY_USER = 8
export const BR_FDB_ADDED_BY_EXT_LEARN = 16

function flagsOf(entry: FdbEntry): number {
  return (
    (entry.local ? BR_FDB_LOCAL : 0) |
    (entry.isStatic ? BR_FDB_STATIC : 0) |
    (entry.sticky ? BR_FDB_STICKY : 0) |
    (entry.addedByUser ? BR_FDB_ADDED_BY_USER : 0) |
    (entry.extLearned ? BR_FDB_ADDED_BY_EXT_LEARN : 0)
  )
}

/** Takes out all entries that match, static ones too (br_fdb_flush with a description). */
export function fdbFlushMatching(br: NetBridge, desc: FdbFlushDesc): void {
  for (const entry of br.fdb.list()) {
    if (desc.vid !== 0 && entry.vid !== desc.vid) continue
    if (desc.ifindex !== 0 && desc.ifindex !== (entry.dst?.dev ?? br.dev).ifindex) continue
    if (desc.mask !== 0 && (flagsOf(entry) & desc.mask) !== desc.flags) continue
    remove(br, entry)
  }
}

/** Forgets what is on a port, or on the bridge itself (br_fdb_delete_by_port). @param vid 0: every VLAN @param all static entries too */
export function fdbDeleteByPort(br: NetBridge, port: NetBridgePort | undefined, vid: number, all: boolean): void {
  for (const entry of br.fdb.list()) {
    if (entry.dst !== port) continue
    if (!all && (entry.isStatic || entry.extLearned || (vid !== 0 && entry.vid !== vid))) continue
    if (entry.local) removeLocal(br, port, entry)
    else remove(br, entry)
  }
}

/** Learns where the sender of a frame is (br_fdb_update). */
export function fdbUpdate(br: NetBridge, port: NetBridgePort, skb: SkBuff, vid: number): void {
  if (br.holdTime === 0) return
  const source = skb.macHeader + 6
  const entry = br.fdb.find(skb.buf, source, vid)
  if (entry === undefined) {
    notify(br, create(br, port, skb.buf.subarray(source, source + 6), vid), RTM_NEWNEIGH)
    return
  }
  if (entry.local) {
    br.log(
      4,
      `received packet on ${port.dev.name} with own address as source address (addr:${macText(entry.address)}, vlan:${vid})`,
    )
    return
  }
  entry.updated = now(br)
  if (entry.dst !== port && !entry.sticky) {
    entry.dst = port
    entry.extLearned = false
    notify(br, entry, RTM_NEWNEIGH)
  }
}

/** @returns the entries of a device, newest first: of a port, or (without one) of the bridge itself (br_fdb_dump) */
export function fdbDump(br: NetBridge, port: NetDevice | undefined): NeighMessage[] {
  return br.fdb
    .list()
    .filter(entry => entry.dst?.dev === port)
    .map(entry => fdbFillInfo(br, entry, RTM_NEWNEIGH))
}

/** Adds or changes an entry on request (fdb_add_entry). @param create @param exclusive NLM_F_CREATE, NLM_F_EXCL */
export function fdbAddEntry(
  br: NetBridge,
  port: NetBridgePort | undefined,
  address: Uint8Array,
  msg: NeighMessage,
  vid: number,
  mode: { readonly create: boolean; readonly exclusive: boolean },
): number {
  const { state } = msg
  const sticky = (msg.ndmFlags & NTF_STICKY) !== 0
  const permanent = (state & NUD_PERMANENT) !== 0
  if (port !== undefined && !permanent && (state & NUD_NOARP) === 0 && !port.learns) return -Errno.EPERM
  if (port === undefined && !permanent) {
    br.dev.net.kernel.log.print(6, `bridge: RTM_NEWNEIGH ${br.dev.name} without NUD_PERMANENT`)
    return -Errno.EINVAL
  }
  if (sticky && permanent) return -Errno.EINVAL
  let entry = br.fdb.find(address, 0, vid)
  let modified = false
  if (entry === undefined) {
    if (!mode.create) return -Errno.ENOENT
    entry = create(br, port, address, vid)
    modified = true
  } else {
    if (mode.exclusive) return -Errno.EEXIST
    if (entry.dst !== port) {
      entry.dst = port
      modified = true
    }
  }
  if (stateOf(br, entry) !== state) {
    const fixed = permanent || (state & NUD_NOARP) !== 0
    entry.local = permanent
    if (fixed !== entry.isStatic) {
      entry.isStatic = fixed
      hwAddr(br, address, fixed)
    }
    modified = true
  }
  if (entry.sticky !== sticky) {
    entry.sticky = sticky
    modified = true
  }
  entry.addedByUser = true
  entry.used = now(br)
  if (modified) {
    entry.updated = now(br)
    notify(br, entry, RTM_NEWNEIGH)
  }
  return 0
}

/** Takes out one entry of a port or of the bridge itself on request. @returns 0 or -ENOENT */
export function fdbDeleteEntry(
  br: NetBridge,
  port: NetBridgePort | undefined,
  address: Uint8Array,
  vid: number,
): number {
  const entry = br.fdb.find(address, 0, vid)
  if (entry === undefined || entry.dst !== port) return -Errno.ENOENT
  remove(br, entry)
  return 0
}

/** Takes over an address learned elsewhere, or refreshes one as if a frame had come from it. */
export function fdbLearned(
  br: NetBridge,
  port: NetBridgePort | undefined,
  address: Uint8Array,
  vid: number,
  external: boolean,
): void {
  let entry = br.fdb.find(address, 0, vid)
  if (entry === undefined) {
    entry = create(br, port, address, vid)
    entry.extLearned = external
    notify(br, entry, RTM_NEWNEIGH)
    return
  }
  if (entry.local) return
  entry.updated = now(br)
  const modified = entry.dst !== port || entry.extLearned !== external
  entry.dst = port
  entry.extLearned = external
  if (modified) notify(br, entry, RTM_NEWNEIGH)
}
