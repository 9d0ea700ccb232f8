/** The VLAN database in rtnetlink: RTM_*VLAN, and telling listeners of changes. */
import { Errno } from '../../uapi/errno.ts'
import {
  BRIDGE_VLANDB_DUMPF_GLOBAL,
  BRIDGE_VLANDB_DUMPF_STATS,
  RTNLGRP_BRVLAN,
  type VlanDbEntry,
  type VlanDbMessage,
} from '../../uapi/if_bridge.ts'
import { RTM_DELVLAN, RTM_GETVLAN, RTM_NEWVLAN, type RtMessage } from '../../uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../uapi/socket.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { NetlinkExtAck, RtnlContext } from '../core/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import { BR_KERNEL_STP, BR_STATE_BLOCKING, bridgeOf, type NetBridge, type NetBridgePort, portOf } from './br.ts'
import { MDB_RTR_TYPE_PERM, MDB_RTR_TYPE_TEMP } from './br_multicast_ctx.ts'
import { changeGlobalOptions, globalOptionsOf } from './br_vlan_global.ts'
import { BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED, type BridgeVlan, type VlanGroup } from './br_vlan_group.ts'

const VLAN_VID_MASK = 0xfff

/** @returns the flags user space sees of an entry */
export function vlanInfoFlags(group: VlanGroup, vlan: BridgeVlan): number {
  return (vlan.vid === group.pvid ? BRIDGE_VLAN_INFO_PVID : 0) | (vlan.flags & BRIDGE_VLAN_INFO_UNTAGGED)
}

function entryOf(group: VlanGroup, vlan: BridgeVlan): VlanDbEntry {
  return { vid: vlan.vid, vlanFlags: vlanInfoFlags(group, vlan), state: vlan.state, mcastRouter: vlan.mcastRouter }
}

/** Tells listeners that VLANs `first` to `last` of a port, or of the bridge itself, have come, changed or gone (br_vlan_notify). */
export function brVlanNotify(
  br: NetBridge,
  port: NetBridgePort | undefined,
  first: number,
  last: number,
  present: boolean,
): void {
  const dev = port?.dev ?? br.dev
  const group = port === undefined ? br.vlans : port.vlans
  const { net } = dev
  net.kernel.rtnl.notify(net, RTNLGRP_BRVLAN, () => {
    const vlan = group?.find(first)
    const entry: VlanDbEntry =
      present && group !== undefined && vlan !== undefined ? entryOf(group, vlan) : { vid: first, vlanFlags: 0 }
    return {
      type: present ? RTM_NEWVLAN : RTM_DELVLAN,
      flags: 0,
      family: AF_BRIDGE,
      ifindex: dev.ifindex,
      attrs: { entries: [last > first ? { ...entry, rangeEnd: last } : entry] },
    }
  })
}

function isVlanDb(msg: RtMessage): msg is VlanDbMessage {
  return msg.type === RTM_NEWVLAN || msg.type === RTM_DELVLAN || msg.type === RTM_GETVLAN
}

function groupOf(dev: NetDevice): VlanGroup | undefined {
  return bridgeOf(dev)?.vlans ?? portOf(dev)?.vlans
}

/** @returns whether an entry can be told of together with the one before it (br_vlan_can_enter_range) */
function continues(range: VlanDbEntry, entry: VlanDbEntry): boolean {
  return (
    (range.rangeEnd ?? range.vid) + 1 === entry.vid &&
    range.vlanFlags === entry.vlanFlags &&
    range.state === entry.state &&
    range.mcastRouter === entry.mcastRouter
  )
}

/** @returns the entries of a device, alike ones together unless counters are wanted (br_vlan_dump_dev) */
function entries(group: VlanGroup, stats: boolean): VlanDbEntry[] {
  const out: VlanDbEntry[] = []
  for (const vlan of group.list()) {
    if (!vlan.usable) continue
    const entry = entryOf(group, vlan)
    const last = out.at(-1)
    if (stats) out.push({ ...entry, stats: { ...vlan.stats } })
    else if (last !== undefined && continues(last, entry)) last.rangeEnd = entry.vid
    else out.push(entry)
  }
  return out
}

function attrsOf(dev: NetDevice, dumpFlags: number): VlanDbMessage['attrs'] | undefined {
  if ((dumpFlags & BRIDGE_VLANDB_DUMPF_GLOBAL) !== 0) {
    const br = bridgeOf(dev)
    const globalOptions = br === undefined ? [] : globalOptionsOf(br)
    return globalOptions.length === 0 ? undefined : { globalOptions }
  }
  const group = groupOf(dev)
  const list = group === undefined ? [] : entries(group, (dumpFlags & BRIDGE_VLANDB_DUMPF_STATS) !== 0)
  return list.length === 0 ? undefined : { entries: list }
}

function dump(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isVlanDb(msg)) return -Errno.EINVAL
  const out: RtMessage[] = []
  for (const dev of ctx.net.devices.values()) {
    if (msg.ifindex !== 0 && msg.ifindex !== dev.ifindex) continue
    const attrs = attrsOf(dev, msg.attrs.dumpFlags ?? 0)
    if (attrs !== undefined) out.push({ type: RTM_NEWVLAN, flags: 0, family: AF_BRIDGE, ifindex: dev.ifindex, attrs })
  }
  return out
}

/** Changes one VLAN of a port or of the bridge itself (br_vlan_process_one_opts). */
function changeOne(
  br: NetBridge,
  port: NetBridgePort | undefined,
  vlan: BridgeVlan,
  entry: VlanDbEntry,
  extack: NetlinkExtAck,
): number {
  const { state, mcastRouter } = entry
  if (state !== undefined) {
    if (state > BR_STATE_BLOCKING) return extack.fail(-Errno.EINVAL, 'bridge: Invalid vlan state')
    if (br.stpEnabled === BR_KERNEL_STP)
      return extack.fail(-Errno.EBUSY, "bridge: Can't modify vlan state when using kernel STP")
    vlan.state = state
  }
  if (mcastRouter === undefined) return 0
  if (mcastRouter > (port === undefined ? MDB_RTR_TYPE_PERM : MDB_RTR_TYPE_TEMP)) return -Errno.EINVAL
  vlan.mcastRouter = mcastRouter
  return 0
}

/** Changes options of VLANs that are there (br_vlan_rtm_process_one). */
function changeEntry(
  br: NetBridge,
  port: NetBridgePort | undefined,
  group: VlanGroup,
  entry: VlanDbEntry,
  extack: NetlinkExtAck,
): number {
  const fail = (errno: number, text: string): number => extack.fail(-errno, `bridge: ${text}`)
  const { vid: first, rangeEnd: last = entry.vid } = entry
  const valid = (vid: number): boolean => vid > 0 && vid < VLAN_VID_MASK
  if (!valid(first) || !valid(last)) return fail(Errno.EINVAL, 'Vlan id is invalid')
  if (entry.rangeEnd !== undefined && last <= first)
    return fail(Errno.EINVAL, 'End vlan id is less than or equal to start vlan id')
  const absent = (vid: number): boolean => group.find(vid)?.usable !== true
  if (absent(first)) return fail(Errno.ENOENT, "Vlan range start doesn't exist, can't process options")
  if (absent(last)) return fail(Errno.ENOENT, "Vlan range end doesn't exist, can't process options")
  for (let vid = first; vid <= last; vid++) {
    if (absent(vid)) return fail(Errno.ENOENT, "Vlan in range doesn't exist, can't process options")
    const rc = changeOne(br, port, group.find(vid)!, entry, extack)
    if (rc < 0) return rc
  }
  brVlanNotify(br, port, first, last, true)
  return 0
}

function change(ctx: RtnlContext, msg: RtMessage): number {
  if (!isVlanDb(msg)) return -Errno.EINVAL
  const { extack } = ctx
  const dev = ctx.net.devByIndex(msg.ifindex)
  if (dev === undefined) return -Errno.ENODEV
  const port = portOf(dev)
  const br = port?.br ?? bridgeOf(dev)
  const group = groupOf(dev)
  if (br === undefined || group === undefined)
    return extack.fail(-Errno.EINVAL, 'bridge: The device is not a valid bridge or bridge port')
  for (const entry of msg.attrs.entries ?? []) {
    const rc = changeEntry(br, port, group, entry, extack)
    if (rc < 0) return rc
  }
  for (const options of msg.attrs.globalOptions ?? []) {
    if (port !== undefined)
      return extack.fail(-Errno.EINVAL, 'bridge: Global vlan options can only be set on bridge device')
    const rc = changeGlobalOptions(br, options, extack)
    if (rc < 0) return rc
  }
  return 0
}

/** Registers RTM_*VLAN. */
export function brVlanRtnlInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_BRIDGE, RTM_GETVLAN, { dumpit: dump })
  kernel.rtnl.register(AF_BRIDGE, RTM_NEWVLAN, { doit: change })
}
