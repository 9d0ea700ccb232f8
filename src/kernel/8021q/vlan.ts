/** 802.1Q VLANs: the devices on top of a device, and how they follow what happens to it. */
import { ETH_P_8021AD, IFF_UP } from '../../uapi/if.ts'
import { devMcAdd, devMcDel } from '../core/dev_addr_lists.ts'
import { devSetMtu } from '../core/dev_config.ts'
import { registerNetdevice, unregisterNetdeviceMany } from '../core/dev_core.ts'
import { devChangeFlags, devClose } from '../core/dev_flags.ts'
import { netdevUpperDevLink, netdevUpperDevUnlink } from '../core/dev_upper.ts'
import { NETIF_F_HW_VLAN_CTAG_FILTER } from '../core/features.ts'
import { linkwatchFireEvent, netifStackedTransferOperstate } from '../core/link_watch.ts'
import { IFF_802_1Q_VLAN, type NetDevice } from '../core/net_device.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import type { Kernel, NetdevEvent } from '../kernel.ts'
import { vlanSyncAddress } from './vlan_dev.ts'

export const VLAN_FLAG_REORDER_HDR = 0x1
export const VLAN_FLAG_GVRP = 0x2
export const VLAN_FLAG_LOOSE_BINDING = 0x4
export const VLAN_FLAG_MVRP = 0x8
export const VLAN_FLAG_BRIDGE_BINDING = 0x10
export const VLAN_FLAGS =
  VLAN_FLAG_REORDER_HDR | VLAN_FLAG_GVRP | VLAN_FLAG_LOOSE_BINDING | VLAN_FLAG_MVRP | VLAN_FLAG_BRIDGE_BINDING

/** Where GVRP and MVRP applicants are spoken to. */
const MRP_ADDRESS = Uint8Array.of(0x01, 0x80, 0xc2, 0x00, 0x00, 0x21)

/** The state of one VLAN device (`vlan_dev_priv`). */
export class VlanDevPriv {
  readonly realDev: NetDevice
  /** ETH_P_8021Q or ETH_P_8021AD */
  readonly proto: number
  readonly id: number
  flags = VLAN_FLAG_REORDER_HDR
  /** the lower device's address as last seen */
  realDevAddr = new Uint8Array(6)
  /** packet priority by the tag's, 0 to 7 */
  readonly ingress: number[] = [0, 0, 0, 0, 0, 0, 0, 0]
  /** by packet priority modulo 16, newest first: the tag's priority */
  readonly egress: { readonly priority: number; qos: number }[][] = Array.from({ length: 16 }, () => [])

  constructor(realDev: NetDevice, proto: number, id: number) {
    this.realDev = realDev
    this.proto = proto
    this.id = id
  }

  /** @returns the priority bits of the tag for a packet's priority, in place (vlan_dev_get_egress_qos_mask) */
  egressTci(priority: number): number {
    const row = this.egress[priority & 0xf]!
    for (let i = 0; i < row.length; i++) if (row[i]!.priority === priority) return row[i]!.qos << 13
    return 0
  }

  /** @returns whether any packet priority has a tag priority */
  get hasEgress(): boolean {
    return this.egress.some(row => row.some(entry => entry.qos !== 0))
  }
}

/** VLAN devices on one lower device (`vlan_info`). */
export class VlanInfo {
  /** by VLAN id, for each of the two protocols */
  readonly ctag: (NetDevice | undefined)[] = []
  readonly stag: (NetDevice | undefined)[] = []
  /** in order of protocol and id */
  devices(): NetDevice[] {
    const all: NetDevice[] = []
    for (const group of [this.ctag, this.stag]) for (const dev of group) if (dev !== undefined) all.push(dev)
    return all
  }

  group(proto: number): (NetDevice | undefined)[] {
    return proto === ETH_P_8021AD ? this.stag : this.ctag
  }
}

/** @returns the devices on top of a device, undefined where there never was one */
export function vlanInfo(dev: NetDevice): VlanInfo | undefined {
  return dev.vlanInfo as VlanInfo | undefined
}

/** @returns whether it is a VLAN device */
export function isVlanDev(dev: NetDevice): boolean {
  return (dev.privFlags & IFF_802_1Q_VLAN) !== 0
}

/** @returns a VLAN device's state */
export function vlanPriv(dev: NetDevice): VlanDevPriv {
  return dev.priv as VlanDevPriv
}

/** @returns the device of a VLAN on a lower device (vlan_find_dev) */
export function vlanFindDev(realDev: NetDevice, proto: number, id: number): NetDevice | undefined {
  return vlanInfo(realDev)?.group(proto)[id]
}

/** Carrier and dormancy of the lower device, unless the bridge below decides about them (vlan_stacked_transfer_operstate). */
export function vlanStackedTransferOperstate(realDev: NetDevice, dev: NetDevice): void {
  if ((vlanPriv(dev).flags & VLAN_FLAG_BRIDGE_BINDING) === 0) netifStackedTransferOperstate(realDev, dev)
}

/** Registers a VLAN device and puts it on its lower device (register_vlan_dev). */
export function registerVlanDev(dev: NetDevice, extack: NetlinkExtAck): number {
  const vlan = vlanPriv(dev)
  const { realDev } = vlan
  let info = vlanInfo(realDev)
  if (info === undefined) {
    info = new VlanInfo()
    realDev.vlanInfo = info
  }
  const first = info.devices().length === 0
  if (first) applicants(realDev, true)
  let rc = registerNetdevice(dev)
  if (rc === 0) {
    rc = netdevUpperDevLink(realDev, dev, false, extack)
    if (rc < 0) unregisterNetdeviceMany([dev])
  }
  if (rc < 0) {
    if (first) applicants(realDev, false)
    return rc
  }
  vlanStackedTransferOperstate(realDev, dev)
  linkwatchFireEvent(dev)
  info.group(vlan.proto)[vlan.id] = dev
  return 0
}

/** The GVRP and the MVRP applicant of a device listen to the same group. */
function applicants(realDev: NetDevice, on: boolean): void {
  for (let i = 0; i < 2; i++) {
    if (on) devMcAdd(realDev, MRP_ADDRESS)
    else devMcDel(realDev, MRP_ADDRESS)
  }
}

/** Takes a VLAN device off its lower device, to be unregistered (unregister_vlan_dev). */
export function unregisterVlanDev(dev: NetDevice, kill: NetDevice[]): void {
  const vlan = vlanPriv(dev)
  const { realDev } = vlan
  const info = vlanInfo(realDev)
  if (info === undefined) return
  info.group(vlan.proto)[vlan.id] = undefined
  netdevUpperDevUnlink(realDev, dev)
  kill.push(dev)
  if (info.devices().length === 0) {
    applicants(realDev, false)
    realDev.vlanInfo = undefined
  }
}

function lowerEvent(event: NetdevEvent, dev: NetDevice, info: VlanInfo): void {
  const { netdevChain } = dev.net.kernel
  switch (event) {
    case 'CHANGE':
      for (const vlan of info.devices()) vlanStackedTransferOperstate(dev, vlan)
      break
    case 'CHANGEADDR':
      for (const vlan of info.devices()) if ((vlan.flags & IFF_UP) !== 0) vlanSyncAddress(dev, vlan)
      break
    case 'CHANGEMTU':
      for (const vlan of info.devices()) if (vlan.mtu > dev.mtu) devSetMtu(vlan, dev.mtu)
      break
    case 'DOWN': {
      const tied = info
        .devices()
        .filter(vlan => (vlan.flags & IFF_UP) !== 0 && (vlanPriv(vlan).flags & VLAN_FLAG_LOOSE_BINDING) === 0)
      for (const vlan of tied) devClose(vlan)
      for (const vlan of tied) vlanStackedTransferOperstate(dev, vlan)
      break
    }
    case 'UP':
      for (const vlan of info.devices()) {
        if ((vlan.flags & IFF_UP) !== 0) continue
        if ((vlanPriv(vlan).flags & VLAN_FLAG_LOOSE_BINDING) === 0) devChangeFlags(vlan, vlan.flags | IFF_UP)
        vlanStackedTransferOperstate(dev, vlan)
      }
      break
    case 'UNREGISTER': {
      // a device that only moves to another namespace keeps its VLANs
      if (dev.regState !== 'unregistering') break
      const kill: NetDevice[] = []
      for (const vlan of info.devices()) unregisterVlanDev(vlan, kill)
      unregisterNetdeviceMany(kill)
      break
    }
    case 'NOTIFY_PEERS':
    case 'RESEND_IGMP':
      for (const vlan of info.devices()) netdevChain.call(event, vlan, {})
      break
  }
}

/** Follows what happens to devices that carry VLANs. */
export function vlanNotifierInit(kernel: Kernel): void {
  kernel.netdevChain.register((event, dev) => {
    if (event === 'UP' && (dev.features & NETIF_F_HW_VLAN_CTAG_FILTER) !== 0)
      kernel.log.print(6, `8021q: adding VLAN 0 to HW filter on device ${dev.name}`)
    const info = vlanInfo(dev)
    if (info !== undefined) lowerEvent(event, dev, info)
    return 0
  })
}
