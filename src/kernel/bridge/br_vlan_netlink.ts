/** The VLAN database in rtnetlink: RTM_*VLAN, and telling listeners of changes. */
import { Errno } from '../../uapi/errno.ts'
import type { VlanDbMessage } from '../../uapi/if_bridge.ts'
import { RTNLGRP_BRVLAN } from '../../uapi/if_bridge.ts'
import { RTM_DELVLAN, RTM_GETVLAN, RTM_NEWVLAN, type RtMessage } from '../../uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../uapi/socket.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { RtnlContext } from '../core/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import { bridgeOf, type NetBridge, type NetBridgePort, portOf } from './br.ts'
import { BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED, type BridgeVlan, type VlanGroup } from './br_vlan_group.ts'

type Entry = NonNullable<VlanDbMessage['attrs']['entries']>[number]

/** @returns the flags user space sees of an entry */
export function vlanInfoFlags(group: VlanGroup, vlan: BridgeVlan): number {
  return (vlan.vid === group.pvid ? BRIDGE_VLAN_INFO_PVID : 0) | (vlan.flags & BRIDGE_VLAN_INFO_UNTAGGED)
}

function entryOf(group: VlanGroup, vlan: BridgeVlan): Entry {
  return { vid: vlan.vid, vlanFlags: vlanInfoFlags(group, vlan), state: vlan.state, stats: { ...vlan.stats } }
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
    const entry: Entry =
      present && group !== undefined && vlan !== undefined
        ? entryOf(group, vlan)
        : { vid: first, vlanFlags: 0, state: 0 }
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

function dump(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isVlanDb(msg)) return -Errno.EINVAL
  const out: RtMessage[] = []
  for (const dev of ctx.net.devices.values()) {
    if (msg.ifindex !== 0 && msg.ifindex !== dev.ifindex) continue
    const group = groupOf(dev)
    if (group === undefined) continue
    const entries = group
      .list()
      .filter(vlan => vlan.usable)
      .map(vlan => entryOf(group, vlan))
    if (entries.length > 0)
      out.push({ type: RTM_NEWVLAN, flags: 0, family: AF_BRIDGE, ifindex: dev.ifindex, attrs: { entries } })
  }
  return out
}

/** Sets the state of VLANs of a port (br_vlan_rtm_process): only entries that exist can be given one. */
function change(ctx: RtnlContext, msg: RtMessage): number {
  if (!isVlanDb(msg)) return -Errno.EINVAL
  const dev = ctx.net.devByIndex(msg.ifindex)
  if (dev === undefined) return -Errno.ENODEV
  const group = groupOf(dev)
  if (group === undefined) return ctx.extack.fail(-Errno.EINVAL, 'The device is not a valid bridge or bridge port')
  for (const entry of msg.attrs.entries ?? [])
    for (let vid = entry.vid; vid <= (entry.rangeEnd ?? entry.vid); vid++) {
      const vlan = group.find(vid)
      if (vlan === undefined || !vlan.usable) return ctx.extack.fail(-Errno.ENOENT, 'bridge: Vlan entry does not exist')
      if (entry.state === undefined) continue
      if (entry.state > 4) return ctx.extack.fail(-Errno.EINVAL, 'bridge: Invalid vlan state')
      vlan.state = entry.state
    }
  return 0
}

/** Registers RTM_*VLAN. */
export function brVlanRtnlInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_BRIDGE, RTM_GETVLAN, { dumpit: dump })
  kernel.rtnl.register(AF_BRIDGE, RTM_NEWVLAN, { doit: change })
}
