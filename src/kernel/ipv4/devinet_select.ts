/** Finding and choosing addresses of devices: the best source for a destination, whether an address is ours, or on a link. */
import { IFA_F_SECONDARY, RT_SCOPE_LINK, RT_TABLE_LOCAL, RTN_LOCAL } from '../../uapi/rtnetlink.ts'
import { l3mdevMasterIfindex } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { FibResult } from './fib_info.ts'
import { fibKey } from './fib_table.ts'
import { Flowi4 } from './flow.ts'
import { type InDevice, type InIfaddr, inDevGet } from './in_device.ts'

/** All addresses of a namespace by number, for lookups per packet. */
export const inetAddrHashKey = pernetKey<Map<number, InIfaddr[]>>('inet_addr_hash')

/** @returns the first address entry of a number in a namespace (inet_lookup_ifaddr_rcu) */
export function inetLookupIfaddr(net: Net, addr: number): InIfaddr | undefined {
  return net.at(inetAddrHashKey).get(addr)?.[0]
}

const findFlow = new Flowi4()
const findRes = new FibResult()

/** @returns the device that has an address, or that a local route gives it to (__ip_dev_find) */
export function ipDevFind(net: Net, addr: number): NetDevice | undefined {
  const ifa = inetLookupIfaddr(net, addr)
  if (ifa !== undefined) return ifa.inDev.dev
  const local = net.at(fibKey).getTable(RT_TABLE_LOCAL)
  if (local === undefined) return undefined
  findFlow.clear().daddr = addr
  return local.lookup(findFlow, findRes, 0) === 0 && findRes.type === RTN_LOCAL ? findRes.dev : undefined
}

/** @returns a primary address by its prefix (inet_ifa_byprefix) */
export function inetIfaByprefix(inDev: InDevice, prefix: number, mask: number): InIfaddr | undefined {
  for (const ifa of inDev.ifaList)
    if ((ifa.flags & IFA_F_SECONDARY) === 0 && ifa.mask === mask && ifa.matches(prefix)) return ifa
  return undefined
}

/** @returns whether an address is in the subnet of one of the device's, and `other`, unless 0, in the same (inet_addr_onlink) */
export function inetAddrOnlink(inDev: InDevice, addr: number, other: number): boolean {
  for (const ifa of inDev.ifaList) if (ifa.matches(addr) && (other === 0 || ifa.matches(other))) return true
  return false
}

function selectFrom(inDev: InDevice, scope: number): number {
  for (const ifa of inDev.ifaList)
    if ((ifa.flags & IFA_F_SECONDARY) === 0 && ifa.scope !== RT_SCOPE_LINK && ifa.scope <= scope) return ifa.local
  return 0
}

/**
 * Chooses a source address (inet_select_addr): of the device, best one in the destination's subnet; else of its L3
 * master; else of any device, the loopback first.
 * @param dst 0: any @param scope the widest RT_SCOPE_… the address may have @returns 0 where there is none
 */
export function inetSelectAddr(dev: NetDevice, dst: number, scope: number): number {
  let inDev = inDevGet(dev)
  if (inDev !== undefined) {
    let addr = 0
    for (const ifa of inDev.ifaList) {
      if ((ifa.flags & IFA_F_SECONDARY) !== 0 || ifa.scope > scope) continue
      if (dst === 0 || ifa.matches(dst)) return ifa.local
      if (addr === 0) addr = ifa.local
    }
    if (addr !== 0) return addr
  }
  const { net } = dev
  const master = l3mdevMasterIfindex(dev)
  if (master !== 0) {
    const vrf = net.devByIndex(master)
    inDev = vrf === undefined ? undefined : inDevGet(vrf)
    const addr = inDev === undefined ? 0 : selectFrom(inDev, scope)
    if (addr !== 0) return addr
  }
  for (const other of net.devices.values()) {
    if (l3mdevMasterIfindex(other) !== master) continue
    inDev = inDevGet(other)
    const addr = inDev === undefined ? 0 : selectFrom(inDev, scope)
    if (addr !== 0) return addr
  }
  return 0
}

/**
 * Confirms a local address of one device, with 0 as a wildcard (confirm_addr_indev).
 * @param dst the address must be in its subnet @param local the address, or choose one @returns it, or 0
 */
export function confirmAddrIndev(inDev: InDevice, dst: number, local: number, scope: number): number {
  let same = false
  let addr = 0
  for (const ifa of inDev.ifaList) {
    // an address of scope link may do for anything on the link
    const least = Math.min(ifa.scope, RT_SCOPE_LINK)
    if (addr === 0 && (local === ifa.local || local === 0) && least <= scope) {
      addr = ifa.local
      if (same) break
    }
    if (same) continue
    same = (local === 0 || ifa.matches(local)) && (dst === 0 || ifa.matches(dst))
    if (!same || addr === 0) continue
    if (local !== 0 || dst === 0 || ifa.matches(addr)) break
    // the chosen address is not in the destination's subnet, but this one is
    if (least <= scope) {
      addr = ifa.local
      break
    }
    same = false
  }
  return same ? addr : 0
}

/** Confirms a local address of one device or of any (inet_confirm_addr). @returns it, or 0 */
export function inetConfirmAddr(
  net: Net,
  inDev: InDevice | undefined,
  dst: number,
  local: number,
  scope: number,
): number {
  if (inDev !== undefined) return confirmAddrIndev(inDev, dst, local, scope)
  for (const dev of net.devices.values()) {
    const on = inDevGet(dev)
    const addr = on === undefined ? 0 : confirmAddrIndev(on, dst, local, scope)
    if (addr !== 0) return addr
  }
  return 0
}
