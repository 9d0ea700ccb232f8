/**
 * L3 master devices (l3mdev): a device such as a VRF owns a routing table, and what arrives on its ports, or is sent by
 * sockets bound to it, is looked up there. See the kernel's networking/vrf document.
 */
import type { FibFlow, FibLookupArg } from './fib_rules.ts'
import { IFF_L3MDEV_MASTER, IFF_L3MDEV_SLAVE, type NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'

/** What a kind of master device does for layer 3 (`l3mdev_ops`). */
export interface L3mdevOps {
  /** @returns the id of the table it owns */
  fibTable(dev: NetDevice): number
}

const kinds = new Map<string, L3mdevOps>()

/** Makes a link kind an L3 master; called once by its driver's module. */
export function l3mdevRegister(kind: string, ops: L3mdevOps): void {
  kinds.set(kind, ops)
}

/** @returns whether a device is an L3 master */
export function isL3Master(dev: NetDevice): boolean {
  return (dev.privFlags & IFF_L3MDEV_MASTER) !== 0
}

/** @returns whether a device is a port of an L3 master */
export function isL3Slave(dev: NetDevice): boolean {
  return (dev.privFlags & IFF_L3MDEV_SLAVE) !== 0
}

/** @returns the L3 master a device is or belongs to, undefined for the default domain (l3mdev_master_dev_rcu) */
export function l3mdevMaster(dev: NetDevice): NetDevice | undefined {
  if (isL3Master(dev)) return dev
  return isL3Slave(dev) ? dev.master : undefined
}

/** @returns the index of the L3 master a device is or belongs to, 0 for none (l3mdev_master_ifindex_rcu) */
export function l3mdevMasterIfindex(dev: NetDevice): number {
  return l3mdevMaster(dev)?.ifindex ?? 0
}

/** @returns the same for a device's index */
export function l3mdevMasterIfindexByIndex(net: Net, ifindex: number): number {
  if (ifindex === 0) return 0
  const dev = net.devByIndex(ifindex)
  return dev === undefined ? 0 : l3mdevMasterIfindex(dev)
}

/** @returns the table a device's packets are looked up in because of its L3 master, 0 for none (l3mdev_fib_table_rcu) */
export function l3mdevFibTable(dev: NetDevice): number {
  const master = l3mdevMaster(dev)
  const kind = master?.linkOps?.kind
  return kind === undefined ? 0 : (kinds.get(kind)?.fibTable(master!) ?? 0)
}

/** @returns the same for a device's index */
export function l3mdevFibTableByIndex(net: Net, ifindex: number): number {
  if (ifindex === 0) return 0
  const dev = net.devByIndex(ifindex)
  return dev === undefined ? 0 : l3mdevFibTable(dev)
}

/**
 * Whether an `l3mdev` rule takes a flow: it belongs to a master, whose table then stands in `arg` (l3mdev_fib_rule_match).
 */
export function l3mdevFibRuleMatch(net: Net, fl: FibFlow, arg: FibLookupArg): boolean {
  if (fl.l3mdev === 0) return false
  const dev = net.devByIndex(fl.l3mdev)
  if (dev === undefined || !isL3Master(dev)) return false
  const table = l3mdevFibTable(dev)
  if (table === 0) return false
  arg.table = table
  return true
}

/**
 * Notes in a flow which master it belongs to, by its devices (l3mdev_update_flow). An output device that is the master
 * itself does not restrict the next hop's device, and is forgotten.
 */
export function l3mdevUpdateFlow(net: Net, fl: FibFlow): void {
  if (fl.oif !== 0) {
    const dev = net.devByIndex(fl.oif)
    if (dev !== undefined) {
      if (fl.l3mdev === 0) fl.l3mdev = l3mdevMasterIfindex(dev)
      if (isL3Master(dev)) fl.oif = 0
      return
    }
  }
  if (fl.iif > 1 && fl.l3mdev === 0) {
    const dev = net.devByIndex(fl.iif)
    if (dev !== undefined) fl.l3mdev = l3mdevMasterIfindex(dev)
  }
}
