/** Spanning tree: bringing bridges and ports into it and out, and its settings. */
import { Errno } from '../../uapi/errno.ts'
import { HZ } from '../core/clock.ts'
import { etherAddrEqual } from '../core/ethernet.ts'
import { netifOperUp } from '../core/link_watch.ts'
import { NET_ADDR_SET } from '../core/net_device.ts'
import {
  BR_ADMIN_COST,
  BR_KERNEL_STP,
  BR_NO_STP,
  BR_PORT_BITS,
  BR_STATE_BLOCKING,
  BR_STATE_DISABLED,
  type NetBridge,
  type NetBridgePort,
} from './br.ts'
import { fdbChangeMacAddress, fdbDeleteByPort } from './br_fdb.ts'
import { brMulticastDisablePort, brMulticastEnablePort } from './br_multicast.ts'
import { brIfinfoNotify } from './br_notify.ts'
import {
  brApplyForwardDelay,
  brBecomeDesignatedPort,
  brBecomeRootBridge,
  brConfigBpduGeneration,
  brConfigurationUpdate,
  brIsDesignatedPort,
  brIsRootBridge,
  brPortStateSelection,
  brSetState,
} from './br_stp.ts'

const MAX_PORT_PRIORITY = 0xffff >> BR_PORT_BITS
const MIN_PATH_COST = 1
const MAX_PATH_COST = 65535

function portId(priority: number, portNo: number): number {
  return ((priority << BR_PORT_BITS) | (portNo & ((1 << BR_PORT_BITS) - 1))) & 0xffff
}

/** A port starts from the beginning: blocking, and speaking for its segment (br_init_port). */
export function brInitPort(port: NetBridgePort): void {
  port.portId = portId(port.priority, port.portNo)
  brBecomeDesignatedPort(port)
  brSetState(port, BR_STATE_BLOCKING)
  port.topologyChangeAck = false
  port.configPending = false
}

/** The bridge comes up (br_stp_enable_bridge). */
export function brStpEnableBridge(br: NetBridge): void {
  if (br.stpEnabled === BR_KERNEL_STP) br.mod(br.helloTimer, br.helloTime)
  br.mod(br.gcTimer, HZ / 10)
  brConfigBpduGeneration(br)
  for (const port of br.ports) if (port.dev.running && netifOperUp(port.dev)) brStpEnablePort(port)
}

/** It goes down (br_stp_disable_bridge). */
export function brStpDisableBridge(br: NetBridge): void {
  for (const port of br.ports) if (port.state !== BR_STATE_DISABLED) brStpDisablePort(port)
  br.topologyChange = false
  br.topologyChangeDetected = false
  for (const timer of [br.helloTimer, br.topologyChangeTimer, br.tcnTimer, br.gcTimer]) br.del(timer)
}

/** A port's link comes up (br_stp_enable_port). */
export function brStpEnablePort(port: NetBridgePort): void {
  brInitPort(port)
  brPortStateSelection(port.br)
  brMulticastEnablePort(port)
  brIfinfoNotify(true, port)
}

/** It goes down (br_stp_disable_port). */
export function brStpDisablePort(port: NetBridgePort): void {
  const { br } = port
  const wasRoot = brIsRootBridge(br)
  brBecomeDesignatedPort(port)
  brSetState(port, BR_STATE_DISABLED)
  port.topologyChangeAck = false
  port.configPending = false
  brIfinfoNotify(true, port)
  for (const timer of [port.messageAgeTimer, port.forwardDelayTimer, port.holdTimer]) br.del(timer)
  fdbDeleteByPort(br, port, 0, false)
  brMulticastDisablePort(port)
  brConfigurationUpdate(br)
  brPortStateSelection(br)
  if (brIsRootBridge(br) && !wasRoot) brBecomeRootBridge(br)
}

/** Switches the protocol (br_stp_set_enabled); the kernel runs it itself, as there is no /sbin/bridge-stp. */
export function brStpSetEnabled(br: NetBridge, on: boolean): void {
  if (!on) {
    br.stpEnabled = BR_NO_STP
    return
  }
  if (br.stpEnabled !== BR_NO_STP) return
  if (br.bridgeForwardDelay < 2 * HZ) brApplyForwardDelay(br, 2 * HZ)
  else if (br.bridgeForwardDelay > 30 * HZ) brApplyForwardDelay(br, 30 * HZ)
  br.stpEnabled = BR_KERNEL_STP
  brPortStateSelection(br)
}

/** The bridge gets another address, and its identifier with it (br_stp_change_bridge_id). */
export function brStpChangeBridgeId(br: NetBridge, address: Uint8Array): void {
  const wasRoot = brIsRootBridge(br)
  fdbChangeMacAddress(br, address)
  const old = br.bridgeId.address
  br.bridgeId.address = address.slice()
  br.dev.devAddr = address.slice()
  for (const port of br.ports) {
    if (etherAddrEqual(port.designatedBridge.address, old)) port.designatedBridge.address = address.slice()
    if (etherAddrEqual(port.designatedRoot.address, old)) port.designatedRoot.address = address.slice()
  }
  brConfigurationUpdate(br)
  brPortStateSelection(br)
  if (brIsRootBridge(br) && !wasRoot) brBecomeRootBridge(br)
}

function less(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 6; i++) if (a[i] !== b[i]) return a[i]! < b[i]!
  return false
}

/** A bridge whose address nobody has chosen has the lowest of its ports' (br_stp_recalculate_bridge_id). @returns whether it changed */
export function brStpRecalculateBridgeId(br: NetBridge): boolean {
  if (br.dev.addrAssignType === NET_ADDR_SET) return false
  let address: Uint8Array | undefined
  for (const port of br.ports) if (address === undefined || less(port.dev.devAddr, address)) address = port.dev.devAddr
  address ??= new Uint8Array(6)
  if (etherAddrEqual(br.bridgeId.address, address)) return false
  brStpChangeBridgeId(br, address)
  return true
}

/** Sets the bridge's priority, 0 to 65535 (br_stp_set_bridge_priority). */
export function brStpSetBridgePriority(br: NetBridge, priority: number): void {
  const wasRoot = brIsRootBridge(br)
  for (const port of br.ports)
    if (port.state !== BR_STATE_DISABLED && brIsDesignatedPort(port)) port.designatedBridge.priority = priority
  br.bridgeId.priority = priority
  brConfigurationUpdate(br)
  brPortStateSelection(br)
  if (brIsRootBridge(br) && !wasRoot) brBecomeRootBridge(br)
}

/** Sets a port's priority, 0 to 63 (br_stp_set_port_priority). @returns 0 or -ERANGE */
export function brStpSetPortPriority(port: NetBridgePort, priority: number): number {
  if (priority > MAX_PORT_PRIORITY) return -Errno.ERANGE
  const id = portId(priority, port.portNo)
  if (brIsDesignatedPort(port)) port.designatedPort = id
  port.portId = id
  port.priority = priority
  if (port.br.bridgeId.equals(port.designatedBridge) && port.portId < port.designatedPort) {
    brBecomeDesignatedPort(port)
    brPortStateSelection(port.br)
  }
  return 0
}

/** Sets a port's cost, 1 to 65535 (br_stp_set_path_cost). @returns 0 or -ERANGE */
export function brStpSetPathCost(port: NetBridgePort, cost: number): number {
  if (cost < MIN_PATH_COST || cost > MAX_PATH_COST) return -Errno.ERANGE
  port.flags |= BR_ADMIN_COST
  port.pathCost = cost
  brConfigurationUpdate(port.br)
  brPortStateSelection(port.br)
  return 0
}
