/**
 * Lists of link-layer addresses that a device receives beside its own: unicast (macvlan, VLANs with their own address)
 * and multicast (IGMP, MLD, protocols). Entries are counted; upper devices hand theirs on to the device below.
 */
import { Errno } from '../../uapi/errno.ts'
import { IFF_UP } from '../../uapi/if.ts'
import { setPromiscuity } from './dev_flags.ts'
import { type HwAddr, type HwAddrList, IFF_UNICAST_FLT, LINK_STATE_PRESENT, type NetDevice } from './net_device.ts'

/** @returns the address as lower-case hex, the key of a list */
export function hwAddrKey(address: Uint8Array): string {
  let key = ''
  for (const byte of address) key += (byte < 16 ? '0' : '') + byte.toString(16)
  return key
}

/** Brings the driver's filter up to date (__dev_set_rx_mode); a driver without unicast filter goes promiscuous instead. */
export function devSetRxMode(dev: NetDevice): void {
  if ((dev.flags & IFF_UP) === 0 || (dev.state & LINK_STATE_PRESENT) === 0) return
  if ((dev.privFlags & IFF_UNICAST_FLT) === 0) {
    const wanted = dev.uc.entries.size > 0
    if (wanted !== dev.ucPromisc) {
      setPromiscuity(dev, wanted ? 1 : -1, false)
      dev.ucPromisc = wanted
    }
  }
  dev.ops.setRxMode?.(dev)
}

function find(list: HwAddrList, address: Uint8Array): HwAddr | undefined {
  return list.entries.get(hwAddrKey(address))
}

function insert(list: HwAddrList, address: Uint8Array, entry: Partial<HwAddr>): void {
  list.entries.set(hwAddrKey(address), {
    address: address.slice(),
    refs: 1,
    global: false,
    syncCount: 0,
    synced: 0,
    ...entry,
  })
}

function add(list: HwAddrList, address: Uint8Array, global: boolean, exclusive: boolean): number {
  const entry = find(list, address)
  if (entry === undefined) {
    insert(list, address, { global })
    return 0
  }
  if (exclusive) return -Errno.EEXIST
  if (global) {
    if (entry.global) return 0
    entry.global = true
  }
  entry.refs++
  return 0
}

function del(list: HwAddrList, address: Uint8Array, global: boolean): number {
  const entry = find(list, address)
  if (entry === undefined || (global && !entry.global)) return -Errno.ENOENT
  if (global) entry.global = false
  if (--entry.refs === 0) list.entries.delete(hwAddrKey(address))
  return 0
}

function changed(dev: NetDevice, rc: number): number {
  if (rc === 0) devSetRxMode(dev)
  return rc
}

/** Adds a multicast address for one user (dev_mc_add). */
export function devMcAdd(dev: NetDevice, address: Uint8Array): number {
  return changed(dev, add(dev.mc, address, false, false))
}

/** Adds it unless it is there (dev_mc_add_excl). @returns 0 or -EEXIST */
export function devMcAddExcl(dev: NetDevice, address: Uint8Array): number {
  return changed(dev, add(dev.mc, address, true, true))
}

/** Adds it on behalf of user space, once (dev_mc_add_global): what `ip maddress add` does. */
export function devMcAddGlobal(dev: NetDevice, address: Uint8Array): number {
  return changed(dev, add(dev.mc, address, true, false))
}

/** One user less (dev_mc_del). @returns 0 or -ENOENT */
export function devMcDel(dev: NetDevice, address: Uint8Array): number {
  return changed(dev, del(dev.mc, address, false))
}

/** Takes back what `devMcAddGlobal` added (dev_mc_del_global). @returns 0 or -ENOENT */
export function devMcDelGlobal(dev: NetDevice, address: Uint8Array): number {
  return changed(dev, del(dev.mc, address, true))
}

/** Forgets every multicast address (dev_mc_flush). */
export function devMcFlush(dev: NetDevice): void {
  dev.mc.entries.clear()
}

/** Adds a unicast address for one user (dev_uc_add). */
export function devUcAdd(dev: NetDevice, address: Uint8Array): number {
  return changed(dev, add(dev.uc, address, false, false))
}

/** Adds it unless it is there (dev_uc_add_excl). @returns 0 or -EEXIST */
export function devUcAddExcl(dev: NetDevice, address: Uint8Array): number {
  return changed(dev, add(dev.uc, address, true, true))
}

/** One user less (dev_uc_del). @returns 0 or -ENOENT */
export function devUcDel(dev: NetDevice, address: Uint8Array): number {
  return changed(dev, del(dev.uc, address, false))
}

/** Forgets every unicast address (dev_uc_flush). */
export function devUcFlush(dev: NetDevice): void {
  dev.uc.entries.clear()
}

function syncEntry(to: HwAddrList, entry: HwAddr): void {
  const there = find(to, entry.address)
  if (there === undefined) insert(to, entry.address, { synced: 1 })
  else {
    there.synced++
    there.refs++
  }
  entry.syncCount++
  entry.refs++
}

function unsyncEntry(to: HwAddrList, from: HwAddrList, entry: HwAddr): void {
  const there = find(to, entry.address)
  if (there !== undefined) {
    there.synced--
    if (--there.refs === 0) to.entries.delete(hwAddrKey(there.address))
  }
  entry.syncCount--
  if (--entry.refs === 0) from.entries.delete(hwAddrKey(entry.address))
}

function sync(to: HwAddrList, from: HwAddrList): void {
  for (const entry of [...from.entries.values()]) {
    if (entry.syncCount === 0) syncEntry(to, entry)
    else if (entry.refs === entry.syncCount) unsyncEntry(to, from, entry)
  }
}

function unsync(to: HwAddrList, from: HwAddrList): void {
  for (const entry of [...from.entries.values()]) if (entry.syncCount > 0) unsyncEntry(to, from, entry)
}

/** Hands an upper device's multicast addresses on to the one below (dev_mc_sync). */
export function devMcSync(lower: NetDevice, upper: NetDevice): void {
  sync(lower.mc, upper.mc)
  devSetRxMode(lower)
}

/** Takes them back (dev_mc_unsync). */
export function devMcUnsync(lower: NetDevice, upper: NetDevice): void {
  unsync(lower.mc, upper.mc)
  devSetRxMode(lower)
}

/** Hands an upper device's unicast addresses on to the one below (dev_uc_sync). */
export function devUcSync(lower: NetDevice, upper: NetDevice): void {
  sync(lower.uc, upper.uc)
  devSetRxMode(lower)
}

/** Takes them back (dev_uc_unsync). */
export function devUcUnsync(lower: NetDevice, upper: NetDevice): void {
  unsync(lower.uc, upper.uc)
  devSetRxMode(lower)
}

/** Hands addresses on to one of several devices below (__hw_addr_sync_multiple). */
function syncMultiple(to: HwAddrList, from: HwAddrList): void {
  for (const entry of [...from.entries.values()]) {
    if (entry.refs === entry.syncCount) unsyncEntry(to, from, entry)
    else if (entry.syncCount === 0 || (find(to, entry.address)?.synced ?? 0) === 0) syncEntry(to, entry)
  }
}

/** Hands an upper device's multicast addresses on to one of the devices below it (dev_mc_sync_multiple). */
export function devMcSyncMultiple(lower: NetDevice, upper: NetDevice): void {
  syncMultiple(lower.mc, upper.mc)
  devSetRxMode(lower)
}

/** Hands an upper device's unicast addresses on to one of the devices below it (dev_uc_sync_multiple). */
export function devUcSyncMultiple(lower: NetDevice, upper: NetDevice): void {
  syncMultiple(lower.uc, upper.uc)
  devSetRxMode(lower)
}
