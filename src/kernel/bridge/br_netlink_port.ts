/** Attributes of a port (IFLA_BRPORT_…): what is shown and what may be set. */
import { Errno } from '../../uapi/errno.ts'
import type { BridgePortAttrs } from '../../uapi/if_link.ts'
import { netifOperUp } from '../core/link_watch.ts'
import {
  BR_BCAST_FLOOD,
  BR_BPDU_GUARD,
  BR_FLOOD,
  BR_HAIRPIN_MODE,
  BR_ISOLATED,
  BR_KERNEL_STP,
  BR_LEARNING,
  BR_MCAST_FLOOD,
  BR_MULTICAST_FAST_LEAVE,
  BR_MULTICAST_TO_UNICAST,
  BR_NEIGH_SUPPRESS,
  BR_PORT_LOCKED,
  BR_PROXYARP,
  BR_PROXYARP_WIFI,
  BR_ROOT_BLOCK,
  BR_STATE_BLOCKING,
  BR_STATE_DISABLED,
  BR_VLAN_TUNNEL,
  type NetBridgePort,
} from './br.ts'
import { fdbDeleteByPort } from './br_fdb.ts'
import type { BridgeId } from './br_id.ts'
import { brPortFlagsChange, nbpBackupChange } from './br_if.ts'
import { brMulticastSetPortRouter } from './br_multicast.ts'
import { brPortStateSelection, brSetState } from './br_stp.ts'
import { brStpSetPathCost, brStpSetPortPriority } from './br_stp_if.ts'
import { flushTunnels } from './br_vlan_tunnel.ts'

/** Pause, slow protocols and 802.1X frames are never forwarded, whatever a port's mask says (BR_GROUPFWD_MACPAUSE). */
const GROUPFWD_MACPAUSE = 0x0002

/** Attributes that are one flag each. */
const FLAGS: readonly (readonly [keyof BridgePortAttrs, number])[] = [
  ['mode', BR_HAIRPIN_MODE],
  ['guard', BR_BPDU_GUARD],
  ['protect', BR_ROOT_BLOCK],
  ['fastLeave', BR_MULTICAST_FAST_LEAVE],
  ['mcastToUcast', BR_MULTICAST_TO_UNICAST],
  ['learning', BR_LEARNING],
  ['unicastFlood', BR_FLOOD],
  ['mcastFlood', BR_MCAST_FLOOD],
  ['bcastFlood', BR_BCAST_FLOOD],
  ['proxyarp', BR_PROXYARP],
  ['proxyarpWifi', BR_PROXYARP_WIFI],
  ['vlanTunnel', BR_VLAN_TUNNEL],
  ['neighSuppress', BR_NEIGH_SUPPRESS],
  ['isolated', BR_ISOLATED],
  ['locked', BR_PORT_LOCKED],
]

function idAttr(id: BridgeId): { priority: number; address: Uint8Array } {
  return { priority: id.priority, address: id.address.slice() }
}

/** @returns all attributes (br_port_fill_attrs) */
export function portAttrs(port: NetBridgePort): BridgePortAttrs {
  const { br, multicast } = port
  const attrs: BridgePortAttrs = {
    state: port.state,
    priority: port.priority,
    cost: port.pathCost,
    rootId: idAttr(port.designatedRoot),
    bridgeId: idAttr(port.designatedBridge),
    designatedPort: port.designatedPort,
    designatedCost: port.designatedCost,
    id: port.portId,
    no: port.portNo,
    topologyChangeAck: port.topologyChangeAck ? 1 : 0,
    configPending: port.configPending ? 1 : 0,
    groupFwdMask: port.groupFwdMask,
    mrpRingOpen: 0,
    mrpInOpen: 0,
    messageAgeTimer: br.timerValue(port.messageAgeTimer),
    forwardDelayTimer: br.timerValue(port.forwardDelayTimer),
    holdTimer: br.timerValue(port.holdTimer),
    multicastRouter: multicast.router,
    mcastEhtHostsLimit: multicast.ehtHostsLimit,
    mcastEhtHostsCnt: multicast.ehtHostsCnt,
  }
  const flags: Partial<Record<keyof BridgePortAttrs, number>> = {}
  for (const [name, flag] of FLAGS) flags[name] = (port.flags & flag) !== 0 ? 1 : 0
  Object.assign(attrs, flags)
  if (port.backupPort !== undefined) attrs.backupPort = port.backupPort.dev.ifindex
  return attrs
}

/** Puts a port into a state by hand (br_set_port_state): not while the kernel runs the spanning tree. */
function setPortState(port: NetBridgePort, state: number): number {
  if (state > BR_STATE_BLOCKING) return -Errno.EINVAL
  if (port.br.stpEnabled === BR_KERNEL_STP) return -Errno.EBUSY
  if (!port.dev.running || (!netifOperUp(port.dev) && state !== BR_STATE_DISABLED)) return -Errno.ENETDOWN
  brSetState(port, state)
  brPortStateSelection(port.br)
  return 0
}

function setFlags(port: NetBridgePort, attrs: BridgePortAttrs): void {
  const old = port.flags
  for (const [name, flag] of FLAGS) {
    const value = attrs[name]
    if (value === undefined) continue
    if (value !== 0) port.flags |= flag
    else port.flags &= ~flag
  }
  if ((old & ~port.flags & BR_VLAN_TUNNEL) !== 0) flushTunnels(port.vlans)
  brPortFlagsChange(port, old ^ port.flags)
}

function setStp(port: NetBridgePort, attrs: BridgePortAttrs): number {
  let rc = 0
  if (attrs.cost !== undefined) rc = brStpSetPathCost(port, attrs.cost)
  if (rc === 0 && attrs.priority !== undefined) rc = brStpSetPortPriority(port, attrs.priority)
  if (rc === 0 && attrs.state !== undefined) rc = setPortState(port, attrs.state)
  return rc
}

/** Applies attributes in the kernel's order (br_setport). @returns 0 or the first refusal; what came before stays */
export function brSetport(port: NetBridgePort, attrs: BridgePortAttrs): number {
  setFlags(port, attrs)
  const rc = setStp(port, attrs)
  if (rc < 0) return rc
  if (attrs.flush === true) fdbDeleteByPort(port.br, port, 0, false)
  if (attrs.multicastRouter !== undefined) {
    const bad = brMulticastSetPortRouter(port, attrs.multicastRouter)
    if (bad < 0) return bad
  }
  if (attrs.mcastEhtHostsLimit !== undefined) {
    if (attrs.mcastEhtHostsLimit === 0) return -Errno.EINVAL
    port.multicast.ehtHostsLimit = attrs.mcastEhtHostsLimit
  }
  if (attrs.groupFwdMask !== undefined) {
    if ((attrs.groupFwdMask & GROUPFWD_MACPAUSE) !== 0) return -Errno.EINVAL
    port.groupFwdMask = attrs.groupFwdMask
  }
  if (attrs.backupPort === undefined) return 0
  if (attrs.backupPort === 0) return nbpBackupChange(port, undefined)
  const backup = port.dev.net.devByIndex(attrs.backupPort)
  return backup === undefined ? -Errno.ENOENT : nbpBackupChange(port, backup)
}
