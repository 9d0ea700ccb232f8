/** VLAN filtering: which VLANs the bridge and its ports belong to, and what that lets in and out (IEEE 802.1Q). */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_8021Q, IFF_PROMISC } from '../../uapi/if.ts'
import { skbVlanUntag } from '../8021q/vlan_core.ts'
import { ethTypeVlan } from '../8021q/vlan_dev.ts'
import { vlanInsertTag } from '../core/dev_offload.ts'
import { ETH_HLEN } from '../core/ethernet.ts'
import type { SkBuff } from '../core/skbuff.ts'
import {
  BR_CB_VLAN_FILTERED,
  BR_STATE_FORWARDING,
  BR_STATE_LEARNING,
  BROPT_GROUP_ADDR_SET,
  BROPT_MCAST_VLAN_SNOOPING_ENABLED,
  BROPT_VLAN_ENABLED,
  BROPT_VLAN_STATS_ENABLED,
  BROPT_VLAN_STATS_PER_PORT,
  frameVid,
  type NetBridge,
  type NetBridgePort,
} from './br.ts'
import { fdbAddLocal, fdbDeleteByPort, fdbFindDeleteLocal } from './br_fdb.ts'
import { brManagePromisc } from './br_promisc.ts'
import { brVlanBindingChanged } from './br_vlan_binding.ts'
import {
  BRIDGE_VLAN_INFO_BRENTRY,
  BRIDGE_VLAN_INFO_MASTER,
  BRIDGE_VLAN_INFO_PVID,
  BRIDGE_VLAN_INFO_UNTAGGED,
  BridgeVlan,
  noVlanStats,
  type VlanGroup,
} from './br_vlan_group.ts'
import { brVlanNotify } from './br_vlan_netlink.ts'

const VLAN_VID_MASK = 0xfff
const PVID_UNTAGGED = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED

/** What adding an entry came to: an error below zero, else whether anything changed. */
export interface VlanChange {
  readonly rc: number
  readonly changed: boolean
}

const failed = (rc: number): VlanChange => ({ rc, changed: false })

/** @returns whether the flags of an entry differ from those asked for; with `commit` they are set (__vlan_flags_update) */
function updateFlags(group: VlanGroup, vlan: BridgeVlan, flags: number, commit: boolean): boolean {
  const wantsPvid = (flags & BRIDGE_VLAN_INFO_PVID) !== 0
  const change = wantsPvid === (group.pvid !== vlan.vid) || ((flags ^ vlan.flags) & BRIDGE_VLAN_INFO_UNTAGGED) !== 0
  if (!commit) return change
  if (wantsPvid) group.pvid = vlan.vid
  else if (group.pvid === vlan.vid) group.pvid = 0
  if ((flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0) vlan.flags |= BRIDGE_VLAN_INFO_UNTAGGED
  else vlan.flags &= ~BRIDGE_VLAN_INFO_UNTAGGED
  return change
}

/** The bridge's entry of a VLAN for a port to hold, made where it is missing: then it serves ports only. */
function getMaster(br: NetBridge, vid: number): BridgeVlan {
  let master = br.vlans.find(vid)
  if (master === undefined) {
    master = new BridgeVlan(vid, BRIDGE_VLAN_INFO_MASTER, undefined, noVlanStats())
    br.vlans.insert(master)
  }
  master.refs++
  return master
}

function putMaster(br: NetBridge, master: BridgeVlan): void {
  if (--master.refs === 0) br.vlans.remove(master)
}

/** Makes the bridge itself belong to a VLAN, or changes how (br_vlan_add). @param flags with BRIDGE_VLAN_INFO_BRENTRY */
export function brVlanAdd(br: NetBridge, vid: number, flags: number): VlanChange {
  const group = br.vlans
  let vlan = group.find(vid)
  let changed = false
  if (vlan === undefined) {
    vlan = new BridgeVlan(vid, BRIDGE_VLAN_INFO_MASTER, undefined, noVlanStats())
    changed = true
  } else if ((vlan.flags & BRIDGE_VLAN_INFO_BRENTRY) === 0 && (flags & BRIDGE_VLAN_INFO_BRENTRY) === 0)
    return failed(-Errno.EINVAL)
  if ((vlan.flags & BRIDGE_VLAN_INFO_BRENTRY) === 0 && (flags & BRIDGE_VLAN_INFO_BRENTRY) !== 0) {
    const rc = fdbAddLocal(br, undefined, br.dev.devAddr, vid)
    if (rc < 0) return failed(rc)
    vlan.flags |= BRIDGE_VLAN_INFO_BRENTRY
    vlan.refs++
    group.count++
    changed = true
  }
  group.insert(vlan)
  if (updateFlags(group, vlan, flags, true)) changed = true
  return { rc: 0, changed }
}

/** The bridge itself leaves a VLAN (br_vlan_delete). @returns 0 or -ENOENT */
export function brVlanDelete(br: NetBridge, vid: number): number {
  const group = br.vlans
  const vlan = group.find(vid)
  if (vlan === undefined || (vlan.flags & BRIDGE_VLAN_INFO_BRENTRY) === 0) return -Errno.ENOENT
  fdbFindDeleteLocal(br, undefined, br.dev.devAddr, vid)
  fdbDeleteByPort(br, undefined, vid, false)
  if (group.pvid === vid) group.pvid = 0
  vlan.flags &= ~BRIDGE_VLAN_INFO_BRENTRY
  group.count--
  putMaster(br, vlan)
  return 0
}

/** Makes a port belong to a VLAN, or changes how (nbp_vlan_add). @param flags with BRIDGE_VLAN_INFO_MASTER the bridge too */
export function nbpVlanAdd(port: NetBridgePort, vid: number, flags: number): VlanChange {
  const { br } = port
  const group = port.vlans
  if (group === undefined) return failed(-Errno.EINVAL)
  const known = group.find(vid)
  if (known !== undefined) return { rc: 0, changed: updateFlags(group, known, flags, true) }
  if ((flags & BRIDGE_VLAN_INFO_MASTER) !== 0) {
    const { rc, changed } = brVlanAdd(br, vid, flags | BRIDGE_VLAN_INFO_BRENTRY)
    if (rc < 0) return failed(rc)
    if (changed) brVlanNotify(br, undefined, vid, vid, true)
  }
  const master = getMaster(br, vid)
  const rc = fdbAddLocal(br, port, port.dev.devAddr, vid)
  if (rc < 0) {
    br.log(3, 'failed insert local address into bridge forwarding table')
    putMaster(br, master)
    return failed(rc)
  }
  const stats = br.opt(BROPT_VLAN_STATS_PER_PORT) ? noVlanStats() : master.stats
  const vlan = new BridgeVlan(vid, 0, master, stats)
  group.insert(vlan)
  group.count++
  updateFlags(group, vlan, flags, true)
  brVlanBindingChanged(br, vid)
  return { rc: 0, changed: true }
}

function removePortVlan(port: NetBridgePort, group: VlanGroup, vlan: BridgeVlan): void {
  if (group.pvid === vlan.vid) group.pvid = 0
  group.count--
  group.remove(vlan)
  brVlanBindingChanged(port.br, vlan.vid)
  if (vlan.master !== undefined) putMaster(port.br, vlan.master)
}

/** A port leaves a VLAN (nbp_vlan_delete). @returns 0 or -ENOENT */
export function nbpVlanDelete(port: NetBridgePort, vid: number): number {
  const vlan = port.vlans?.find(vid)
  if (vlan === undefined) return -Errno.ENOENT
  fdbFindDeleteLocal(port.br, port, port.dev.devAddr, vid)
  fdbDeleteByPort(port.br, port, vid, false)
  removePortVlan(port, port.vlans!, vlan)
  return 0
}

/** A port that leaves the bridge leaves every VLAN (nbp_vlan_flush). */
export function nbpVlanFlush(port: NetBridgePort): void {
  const group = port.vlans
  if (group === undefined) return
  group.pvid = 0
  const all = group.list()
  for (const vlan of all) removePortVlan(port, group, vlan)
  for (const vlan of all) brVlanNotify(port.br, port, vlan.vid, vlan.vid, false)
  port.vlans = undefined
}

/** A new port joins the default VLAN (nbp_vlan_init). */
export function nbpVlanInit(port: NetBridgePort): number {
  const { br } = port
  if (br.defaultPvid === 0) return 0
  const { rc } = nbpVlanAdd(port, br.defaultPvid, PVID_UNTAGGED)
  if (rc === 0) brVlanNotify(br, port, br.defaultPvid, br.defaultPvid, true)
  return rc
}

function stateAllowed(state: number, learn: boolean): boolean {
  return state === BR_STATE_FORWARDING || (learn && state === BR_STATE_LEARNING)
}

/** What `brAllowedIngress` found out about the frame it let in. */
export const ingress = { vid: 0, state: 0 }

/**
 * Checks a frame that comes in against the VLANs of where it does, and gives it a tag where it has none
 * (br_allowed_ingress). `ingress.vid` is its VLAN afterwards, `ingress.state` the state that applies.
 * @returns false where the frame was dropped
 */
export function brAllowedIngress(br: NetBridge, group: VlanGroup | undefined, skb: SkBuff, state: number): boolean {
  ingress.vid = 0
  ingress.state = state
  if ((br.opts & BROPT_VLAN_ENABLED) === 0) {
    skb.cbFlags &= ~BR_CB_VLAN_FILTERED
    return true
  }
  skb.cbFlags |= BR_CB_VLAN_FILTERED
  if (skb.vlanProto === 0 && skb.protocol === br.vlanProto && !skbVlanUntag(skb)) return false
  let tagged = skb.vlanProto !== 0
  let vid = frameVid(skb)
  if (tagged && skb.vlanProto !== br.vlanProto) {
    // a tag of the other protocol is payload here
    skb.push(ETH_HLEN)
    vlanInsertTag(skb, skb.vlanProto, skb.vlanTci)
    skb.protocol = skb.vlanProto
    skb.pull(ETH_HLEN)
    skb.vlanProto = 0
    vid = 0
    tagged = false
  }
  let vlan: BridgeVlan | undefined
  if (vid === 0) {
    vid = group?.pvid ?? 0
    if (vid === 0) return drop(skb)
    if (tagged) skb.vlanTci |= vid
    else {
      skb.vlanProto = br.vlanProto
      skb.vlanTci = vid
    }
  }
  vlan = group?.find(vid)
  if (vlan === undefined || !vlan.usable) return drop(skb)
  if (state === BR_STATE_FORWARDING) {
    ingress.state = vlan.state
    if (!stateAllowed(vlan.state, true)) return drop(skb)
  }
  if ((br.opts & BROPT_VLAN_STATS_ENABLED) !== 0) {
    vlan.stats.rxPackets++
    vlan.stats.rxBytes += skb.len
  }
  ingress.vid = vid
  return true
}

function drop(skb: SkBuff): false {
  skb.free('br_allowed_ingress')
  return false
}

/** @returns whether a frame may leave by a port or to the bridge itself (br_allowed_egress) */
export function brAllowedEgress(group: VlanGroup | undefined, skb: SkBuff): boolean {
  if ((skb.cbFlags & BR_CB_VLAN_FILTERED) === 0) return true
  const vlan = group?.find(frameVid(skb))
  return vlan?.usable === true && vlan.state === BR_STATE_FORWARDING
}

/** Takes the tag off a frame where it leaves untagged (br_handle_vlan). @returns false where it was dropped */
export function brHandleVlan(br: NetBridge, group: VlanGroup | undefined, skb: SkBuff): boolean {
  if ((skb.cbFlags & BR_CB_VLAN_FILTERED) === 0) return true
  const vlan = group?.find(frameVid(skb))
  if (vlan === undefined || !vlan.usable) {
    if ((br.dev.flags & IFF_PROMISC) !== 0 && skb.dev === br.dev) return true
    skb.free('br_handle_vlan')
    return false
  }
  if ((br.opts & BROPT_VLAN_STATS_ENABLED) !== 0) {
    vlan.stats.txPackets++
    vlan.stats.txBytes += skb.len
  }
  if ((vlan.flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0) {
    skb.vlanProto = 0
    skb.vlanTci = 0
  }
  return true
}

/** @returns the VLAN in which the sender of a frame may be learned, -1 for none (br_should_learn) */
export function brShouldLearn(port: NetBridgePort, skb: SkBuff): number {
  const { br } = port
  if (!br.opt(BROPT_VLAN_ENABLED)) return 0
  const group = port.vlans
  if (group === undefined || group.count === 0) return -1
  const vid = skb.vlanProto === br.vlanProto ? frameVid(skb) : 0
  const vlan = group.find(vid === 0 ? group.pvid : vid)
  return vlan !== undefined && stateAllowed(vlan.state, true) ? vlan.vid : -1
}

/** The group address and what is forwarded follow the kind of bridge: customer or provider (recalculate_group_addr). */
function recalculateGroups(br: NetBridge): void {
  const customer = !br.opt(BROPT_VLAN_ENABLED) || br.vlanProto === ETH_P_8021Q
  if (!br.opt(BROPT_GROUP_ADDR_SET)) br.groupAddr[5] = customer ? 0x00 : 0x08
  brRecalculateFwdMask(br)
}

/** Group addresses that a provider bridge passes on (BR_GROUPFWD_8021AD). */
const GROUPFWD_8021AD = 0xb801

/** Which reserved group addresses are forwarded anyway (br_recalculate_fwd_mask). */
export function brRecalculateFwdMask(br: NetBridge): void {
  const customer = !br.opt(BROPT_VLAN_ENABLED) || br.vlanProto === ETH_P_8021Q
  br.groupFwdMaskRequired = customer ? 0 : GROUPFWD_8021AD & ~(1 << br.groupAddr[5]!)
}

/** Switches VLAN filtering (br_vlan_filter_toggle). */
export function brVlanFilterToggle(br: NetBridge, on: boolean): number {
  if (br.opt(BROPT_VLAN_ENABLED) === on) return 0
  br.toggle(BROPT_VLAN_ENABLED, on)
  brManagePromisc(br)
  recalculateGroups(br)
  if (!on && br.opt(BROPT_MCAST_VLAN_SNOOPING_ENABLED)) {
    br.log(6, 'vlan filtering disabled, automatically disabling multicast vlan snooping')
    br.toggle(BROPT_MCAST_VLAN_SNOOPING_ENABLED, false)
  }
  return 0
}

/** Sets the protocol of tags (br_vlan_set_proto). @returns 0 or -EPROTONOSUPPORT */
export function brVlanSetProto(br: NetBridge, proto: number): number {
  if (!ethTypeVlan(proto)) return -Errno.EPROTONOSUPPORT
  if (br.vlanProto === proto) return 0
  br.vlanProto = proto
  recalculateGroups(br)
  return 0
}

/** Switches counting per VLAN (br_vlan_set_stats). */
export function brVlanSetStats(br: NetBridge, value: number): number {
  if (value > 1) return -Errno.EINVAL
  br.toggle(BROPT_VLAN_STATS_ENABLED, value === 1)
  return 0
}

/** Switches counting per VLAN and port; not while ports have VLANs (br_vlan_set_stats_per_port). */
export function brVlanSetStatsPerPort(br: NetBridge, value: number): number {
  if (br.ports.some(port => (port.vlans?.count ?? 0) > 0)) return -Errno.EBUSY
  if (value > 1) return -Errno.EINVAL
  br.toggle(BROPT_VLAN_STATS_PER_PORT, value === 1)
  return 0
}

/** @returns whether the default VLAN is still as it was given */
function hasDefault(group: VlanGroup, vid: number): boolean {
  if (vid !== group.pvid) return false
  const vlan = group.find(vid)
  return vlan?.usable === true && (vlan.flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0
}

function disableDefaultPvid(br: NetBridge): void {
  const pvid = br.defaultPvid
  if (hasDefault(br.vlans, pvid) && brVlanDelete(br, pvid) === 0) brVlanNotify(br, undefined, pvid, pvid, false)
  for (const port of br.ports)
    if (port.vlans !== undefined && hasDefault(port.vlans, pvid) && nbpVlanDelete(port, pvid) === 0)
      brVlanNotify(br, port, pvid, pvid, false)
  br.defaultPvid = 0
}

/** Sets the default VLAN of the bridge and of ports that nobody has configured otherwise (__br_vlan_set_default_pvid). */
export function brVlanSetDefaultPvid(br: NetBridge, pvid: number): number {
  if (pvid >= VLAN_VID_MASK) return -Errno.EINVAL
  if (pvid === 0) {
    disableDefaultPvid(br)
    return 0
  }
  const old = br.defaultPvid
  if ((old === 0 || hasDefault(br.vlans, old)) && br.vlans.find(pvid)?.usable !== true) {
    const { rc } = brVlanAdd(br, pvid, PVID_UNTAGGED | BRIDGE_VLAN_INFO_BRENTRY)
    if (rc < 0) return rc
    if (brVlanDelete(br, old) === 0) brVlanNotify(br, undefined, old, old, false)
    brVlanNotify(br, undefined, pvid, pvid, true)
  }
  for (const port of br.ports) {
    const group = port.vlans
    if (group === undefined || (old !== 0 && !hasDefault(group, old)) || group.find(pvid) !== undefined) continue
    const { rc } = nbpVlanAdd(port, pvid, PVID_UNTAGGED)
    if (rc < 0) return rc
    if (nbpVlanDelete(port, old) === 0) brVlanNotify(br, port, old, old, false)
    brVlanNotify(br, port, pvid, pvid, true)
  }
  br.defaultPvid = pvid
  return 0
}

/** The bridge device comes or goes: it joins or leaves the default VLAN (br_vlan_bridge_event). */
export function brVlanBridgeEvent(br: NetBridge, registered: boolean): number {
  const pvid = br.defaultPvid
  if (!registered) {
    if (brVlanDelete(br, pvid) === 0) brVlanNotify(br, undefined, pvid, pvid, false)
    return 0
  }
  const { rc } = brVlanAdd(br, pvid, PVID_UNTAGGED | BRIDGE_VLAN_INFO_BRENTRY)
  if (rc === 0) brVlanNotify(br, undefined, pvid, pvid, true)
  return rc
}
