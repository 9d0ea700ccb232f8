/** Bridges in rtnetlink: `ip link … type bridge`, and the AF_BRIDGE link messages of `bridge link` and `bridge vlan`. */
import { Errno } from '../../uapi/errno.ts'
import { IF_OPER_DOWN } from '../../uapi/if.ts'
import { type BridgeAfSpec, type BridgeData, linkData } from '../../uapi/if_link.ts'
import {
  type LinkAttrs,
  type LinkMessage,
  RTEXT_FILTER_BRVLAN,
  RTEXT_FILTER_BRVLAN_COMPRESSED,
  type RTM_DELLINK,
  RTM_NEWLINK,
} from '../../uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../uapi/socket.ts'
import { registerNetdevice } from '../core/dev_core.ts'
import { devGetFlags } from '../core/dev_flags.ts'
import { ETH_ALEN, isValidEtherAddr } from '../core/ethernet.ts'
import { devGetIflink } from '../core/link_watch.ts'
import type { NetDevice, RtnlLinkOps } from '../core/net_device.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { slaveChangeData } from '../core/rtnl_state.ts'
import { BR_VLAN_TUNNEL, bridgeOf, type NetBridge, type NetBridgePort, portOf } from './br.ts'
import { brDevDelete, brDevSetup } from './br_device.ts'
import { brChange, brFillInfo, brValidate } from './br_netlink_bridge.ts'
import { brSetport, portAttrs } from './br_netlink_port.ts'
import { brIfinfoNotify } from './br_notify.ts'
import { brStpChangeBridgeId } from './br_stp_if.ts'
import { brVlanAdd, brVlanDelete, nbpVlanAdd, nbpVlanDelete } from './br_vlan.ts'
import {
  BRIDGE_VLAN_INFO_BRENTRY,
  BRIDGE_VLAN_INFO_MASTER,
  BRIDGE_VLAN_INFO_PVID,
  BRIDGE_VLAN_INFO_RANGE_BEGIN,
  BRIDGE_VLAN_INFO_RANGE_END,
  type VlanGroup,
} from './br_vlan_group.ts'
import { brVlanNotify, vlanInfoFlags } from './br_vlan_netlink.ts'
import { changeTunnels, tunnelsOf } from './br_vlan_tunnel.ts'

const VLAN_VID_MASK = 0xfff

type Vlans = NonNullable<BridgeAfSpec['vlans']>

function vlansOf(group: VlanGroup, compressed: boolean): Vlans {
  const out: Vlans = []
  for (const vlan of group.list()) {
    if (!vlan.usable) continue
    const flags = vlanInfoFlags(group, vlan)
    const last = out.at(-1)
    if (compressed && last !== undefined && last.flags === flags && (last.vidEnd ?? last.vid) + 1 === vlan.vid)
      last.vidEnd = vlan.vid
    else out.push({ flags, vid: vlan.vid })
  }
  return out
}

/** @returns a port, or with `port` undefined the bridge itself, as an AF_BRIDGE link message (br_fill_ifinfo) */
export function brFillIfinfo(
  br: NetBridge,
  port: NetBridgePort | undefined,
  type: typeof RTM_NEWLINK | typeof RTM_DELLINK,
  filter: number,
): LinkMessage {
  const dev = port?.dev ?? br.dev
  const attrs: LinkAttrs = {
    ifname: dev.name,
    master: br.dev.ifindex,
    mtu: dev.mtu,
    operstate: dev.running ? dev.operstate : IF_OPER_DOWN,
    address: dev.devAddr.slice(),
  }
  const iflink = devGetIflink(dev)
  if (iflink !== dev.ifindex) attrs.link = iflink
  if (port !== undefined && type === RTM_NEWLINK) attrs.protinfo = portAttrs(port)
  if ((filter & (RTEXT_FILTER_BRVLAN | RTEXT_FILTER_BRVLAN_COMPRESSED)) !== 0) {
    const group = port === undefined ? br.vlans : port.vlans
    if (group !== undefined && group.count > 0) {
      const compressed = (filter & RTEXT_FILTER_BRVLAN_COMPRESSED) !== 0
      const spec: BridgeAfSpec = { vlans: vlansOf(group, compressed) }
      if (port !== undefined && (port.flags & BR_VLAN_TUNNEL) !== 0) spec.tunnels = tunnelsOf(group)
      attrs.afSpec = { bridge: spec }
    }
  }
  return {
    type,
    flags: 0,
    family: AF_BRIDGE,
    hatype: dev.type,
    index: dev.ifindex,
    ifFlags: devGetFlags(dev),
    change: 0,
    attrs,
  }
}

/** Answers for one device (br_getlink); nothing for a bridge itself unless VLANs are asked for. */
export function brGetlink(dev: NetDevice, filter: number): LinkMessage | undefined {
  const port = portOf(dev)
  const br = port?.br ?? bridgeOf(dev)
  if (br === undefined) return undefined
  if (port === undefined && (filter & (RTEXT_FILTER_BRVLAN | RTEXT_FILTER_BRVLAN_COMPRESSED)) === 0) return undefined
  return brFillIfinfo(br, port, RTM_NEWLINK, filter)
}

/** One VLAN, or a range, of a request; ranges are given by their ends. */
interface VlanRange {
  readonly first: number
  readonly last: number
  readonly flags: number
}

/** Reads the VLANs of a request with the kernel's checks (br_process_vlan_info). */
function ranges(vlans: Vlans, extack: NetlinkExtAck): VlanRange[] | number {
  const fail = (text: string): number => extack.fail(-Errno.EINVAL, `bridge: ${text}`)
  const out: VlanRange[] = []
  let begin: { vid: number; flags: number } | undefined
  for (const { vid, vidEnd, flags } of vlans) {
    if (vid === 0 || vid >= VLAN_VID_MASK) return fail('Vlan id is invalid')
    if (vidEnd !== undefined && (vidEnd === 0 || vidEnd >= VLAN_VID_MASK)) return fail('Vlan id is invalid')
    const pvid = (flags & BRIDGE_VLAN_INFO_PVID) !== 0
    if (vidEnd !== undefined && vidEnd !== vid) {
      if (pvid) return fail("Pvid isn't allowed in a range")
      if (vidEnd <= vid) return fail('End vlan id is less than or equal to start vlan id')
      out.push({ first: vid, last: vidEnd, flags })
      continue
    }
    if ((flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) !== 0) {
      if (begin !== undefined) return fail('New vlan range start without end of previous one')
      if (pvid) return fail("Pvid isn't allowed in a range")
      begin = { vid, flags }
      continue
    }
    if (begin === undefined) {
      out.push({ first: vid, last: vid, flags })
      continue
    }
    if ((flags & BRIDGE_VLAN_INFO_RANGE_END) === 0) return fail('Vlan range start without end')
    if (vid <= begin.vid) return fail('End vlan id is less than or equal to start vlan id')
    out.push({ first: begin.vid, last: vid, flags: begin.flags })
    begin = undefined
  }
  return out
}

function applyVlan(
  br: NetBridge,
  port: NetBridgePort | undefined,
  vid: number,
  flags: number,
  add: boolean,
): { rc: number; changed: boolean } {
  if (add)
    return port === undefined ? brVlanAdd(br, vid, flags | BRIDGE_VLAN_INFO_BRENTRY) : nbpVlanAdd(port, vid, flags)
  let changed = false
  if (port === undefined) changed = brVlanDelete(br, vid) === 0
  else {
    changed = nbpVlanDelete(port, vid) === 0
    if ((flags & BRIDGE_VLAN_INFO_MASTER) !== 0 && brVlanDelete(br, vid) === 0) changed = true
  }
  return { rc: 0, changed }
}

function applyVlans(
  br: NetBridge,
  port: NetBridgePort | undefined,
  vlans: Vlans,
  add: boolean,
  extack: NetlinkExtAck,
): { rc: number; changed: boolean } {
  const list = ranges(vlans, extack)
  if (typeof list === 'number') return { rc: list, changed: false }
  let changed = false
  for (const { first, last, flags } of list)
    for (let vid = first; vid <= last; vid++) {
      const done = applyVlan(br, port, vid, flags, add)
      if (done.rc < 0) return { rc: done.rc, changed }
      if (!done.changed) continue
      changed = true
      brVlanNotify(br, port, vid, vid, add)
    }
  return { rc: 0, changed }
}

/** Changes a port or its VLANs, or the VLANs of a bridge itself (br_setlink). */
export function brSetlink(dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck): number {
  const { protinfo } = msg.attrs
  const vlans = msg.attrs.afSpec?.bridge
  if (protinfo === undefined && vlans === undefined) return 0
  const port = portOf(dev)
  const br = port?.br ?? bridgeOf(dev)
  if (br === undefined || (port === undefined && vlans === undefined)) return -Errno.EINVAL
  let changed = false
  if (port !== undefined && protinfo !== undefined) {
    const rc = brSetport(port, protinfo)
    if (rc < 0) return rc
    changed = true
  }
  let rc = 0
  if (vlans?.vlans !== undefined) {
    const done = applyVlans(br, port, vlans.vlans, true, extack)
    rc = done.rc
    if (done.changed) changed = true
  }
  if (rc === 0 && vlans?.tunnels !== undefined) {
    rc = changeTunnels(port, vlans.tunnels, true)
    if (rc === 0) changed = true
  }
  if (changed) brIfinfoNotify(true, port ?? br)
  return rc
}

/** Takes VLANs away, or the tunnel keys of some (br_dellink). */
export function brDellink(dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck): number {
  const spec = msg.attrs.afSpec?.bridge
  if (spec === undefined) return 0
  const port = portOf(dev)
  const br = port?.br ?? bridgeOf(dev)
  if (br === undefined) return -Errno.EINVAL
  let { rc, changed } = applyVlans(br, port, spec.vlans ?? [], false, extack)
  if (rc === 0 && spec.tunnels !== undefined) {
    rc = changeTunnels(port, spec.tunnels, false)
    if (rc === 0) changed = true
  }
  if (changed) brIfinfoNotify(true, port ?? br)
  return rc
}

/** The link type. */
export const bridgeLinkOps: RtnlLinkOps = {
  kind: 'bridge',
  hasData: true,
  setup: brDevSetup,
  validate(msg) {
    const { address } = msg.attrs
    if (address !== undefined) {
      if (address.length !== ETH_ALEN) return -Errno.EINVAL
      if (!isValidEtherAddr(address)) return -Errno.EADDRNOTAVAIL
    }
    const data = linkData(msg.attrs.linkinfo, 'bridge')
    return data === undefined ? 0 : brValidate(data)
  },
  newlink(_net, dev, msg, extack) {
    const rc = registerNetdevice(dev)
    if (rc < 0) return rc
    const br = bridgeOf(dev)!
    if (msg.attrs.address !== undefined) brStpChangeBridgeId(br, msg.attrs.address)
    const data: BridgeData | undefined = linkData(msg.attrs.linkinfo, 'bridge')
    return data === undefined ? 0 : brChange(br, data, extack)
  },
  changelink(dev, msg, extack) {
    const data = linkData(msg.attrs.linkinfo, 'bridge')
    return data === undefined ? 0 : brChange(bridgeOf(dev)!, data, extack)
  },
  dellink: brDevDelete,
  fillInfo: dev => brFillInfo(bridgeOf(dev)!),
  slaveChangelink(_master, slave, msg) {
    const data = slaveChangeData(msg.attrs.linkinfo, 'bridge')
    const port = portOf(slave)
    return data === undefined || port === undefined ? 0 : brSetport(port, data)
  },
  fillSlaveInfo: (_master, slave) => portAttrs(portOf(slave)!),
}
