/** The spanning tree protocol (IEEE 802.1D clause 8 and 9): roles, states and what is told to the neighbours. */
import { Errno } from '../../uapi/errno.ts'
import { IFF_UP } from '../../uapi/if.ts'
import { HZ, TICK_NSEC } from '../core/clock.ts'
import { netifCarrierOff, netifCarrierOn } from '../core/link_watch.ts'
import {
  BR_KERNEL_STP,
  BR_NO_STP,
  BR_ROOT_BLOCK,
  BR_STATE_BLOCKING,
  BR_STATE_DISABLED,
  BR_STATE_FORWARDING,
  BR_STATE_LEARNING,
  BR_STATE_LISTENING,
  BR_USER_STP,
  clockToJiffies,
  type NetBridge,
  type NetBridgePort,
} from './br.ts'
import { brIfinfoNotify } from './br_notify.ts'
import { type ConfigBpdu, sendConfigBpdu, sendTcnBpdu } from './br_stp_bpdu.ts'

const STATE_NAMES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking']
/** What a message has aged by being passed on, jiffies. */
const MESSAGE_AGE_INCR = 1
/** Configuration messages of one port are at least this far apart, jiffies. */
const HOLD_TIME = HZ

/** @returns whether it is the root of the tree */
export function brIsRootBridge(br: NetBridge): boolean {
  return br.bridgeId.equals(br.designatedRoot)
}

/** @returns whether the port is the one that serves its segment */
export function brIsDesignatedPort(port: NetBridgePort): boolean {
  return port.designatedBridge.equals(port.br.bridgeId) && port.designatedPort === port.portId
}

/** Puts a port into a state, and the log (br_set_state). */
export function brSetState(port: NetBridgePort, state: number): void {
  port.state = state
  port.br.log(6, `port ${port.portNo}(${port.dev.name}) entered ${STATE_NAMES[state]} state`)
}

/** The port speaks for its segment (br_become_designated_port). */
export function brBecomeDesignatedPort(port: NetBridgePort): void {
  const { br } = port
  port.designatedRoot = br.designatedRoot.copy()
  port.designatedCost = br.rootPathCost
  port.designatedBridge = br.bridgeId.copy()
  port.designatedPort = port.portId
}

/** @returns below 0 where the first of two numbers or identifiers is better */
function firstDifference(...differences: (() => number)[]): number {
  for (const difference of differences) {
    const value = difference()
    if (value !== 0) return value
  }
  return 0
}

function shouldBecomeRootPort(port: NetBridgePort, best: NetBridgePort | undefined): boolean {
  const { br } = port
  if (port.state === BR_STATE_DISABLED || brIsDesignatedPort(port)) return false
  if (br.bridgeId.compare(port.designatedRoot) <= 0) return false
  if (best === undefined) return true
  return (
    firstDifference(
      () => port.designatedRoot.compare(best.designatedRoot),
      () => port.designatedCost + port.pathCost - (best.designatedCost + best.pathCost),
      () => port.designatedBridge.compare(best.designatedBridge),
      () => port.designatedPort - best.designatedPort,
      () => port.portId - best.portId,
    ) < 0
  )
}

function rootPortBlock(port: NetBridgePort): void {
  const { br } = port
  br.log(5, `port ${port.portNo}(${port.dev.name}) tried to become root port (blocked)`)
  brSetState(port, BR_STATE_LISTENING)
  brIfinfoNotify(true, port)
  if (br.forwardDelay > 0) br.mod(port.forwardDelayTimer, br.forwardDelay)
}

function rootSelection(br: NetBridge): void {
  let root: NetBridgePort | undefined
  for (const port of br.ports) {
    if (!shouldBecomeRootPort(port, root)) continue
    if ((port.flags & BR_ROOT_BLOCK) !== 0) rootPortBlock(port)
    else root = port
  }
  br.rootPort = root?.portNo ?? 0
  if (root === undefined) {
    br.designatedRoot = br.bridgeId.copy()
    br.rootPathCost = 0
  } else {
    br.designatedRoot = root.designatedRoot.copy()
    br.rootPathCost = root.designatedCost + root.pathCost
  }
}

/** Times of its own count again, and everybody is told (br_become_root_bridge). */
export function brBecomeRootBridge(br: NetBridge): void {
  br.maxAge = br.bridgeMaxAge
  br.helloTime = br.bridgeHelloTime
  br.forwardDelay = br.bridgeForwardDelay
  brTopologyChangeDetection(br)
  br.del(br.tcnTimer)
  if ((br.dev.flags & IFF_UP) !== 0) {
    brConfigBpduGeneration(br)
    br.mod(br.helloTimer, br.helloTime)
  }
}

/** Sends a configuration message on a port, or notes that one is due (br_transmit_config). */
export function brTransmitConfig(port: NetBridgePort): void {
  const { br } = port
  if (port.holdTimer.pending) {
    port.configPending = true
    return
  }
  let messageAge = 0
  if (!brIsRootBridge(br)) {
    const root = br.port(br.rootPort)
    const heard = root?.designatedAge ?? 0
    messageAge = Math.floor((br.dev.net.kernel.clock.now - heard) / TICK_NSEC) + MESSAGE_AGE_INCR
  }
  if (messageAge >= br.maxAge) return
  sendConfigBpdu(port, {
    topologyChange: br.topologyChange,
    topologyChangeAck: port.topologyChangeAck,
    root: br.designatedRoot,
    rootPathCost: br.rootPathCost,
    bridgeId: br.bridgeId,
    portId: port.portId,
    messageAge,
    maxAge: br.maxAge,
    helloTime: br.helloTime,
    forwardDelay: br.forwardDelay,
  })
  port.topologyChangeAck = false
  port.configPending = false
  if (br.stpEnabled === BR_KERNEL_STP) br.mod(port.holdTimer, HOLD_TIME)
}

function shouldBecomeDesignatedPort(port: NetBridgePort): boolean {
  const { br } = port
  if (brIsDesignatedPort(port)) return true
  if (!port.designatedRoot.equals(br.designatedRoot)) return true
  return (
    firstDifference(
      () => br.rootPathCost - port.designatedCost,
      () => br.bridgeId.compare(port.designatedBridge),
      () => port.portId - port.designatedPort,
    ) < 0
  )
}

/** Chooses the root port and the designated ports anew (br_configuration_update). */
export function brConfigurationUpdate(br: NetBridge): void {
  rootSelection(br)
  for (const port of br.ports)
    if (port.state !== BR_STATE_DISABLED && shouldBecomeDesignatedPort(port)) brBecomeDesignatedPort(port)
}

/** Tells every segment that the bridge serves of the tree (br_config_bpdu_generation). */
export function brConfigBpduGeneration(br: NetBridge): void {
  for (const port of br.ports) if (port.state !== BR_STATE_DISABLED && brIsDesignatedPort(port)) brTransmitConfig(port)
}

function supersedes(port: NetBridgePort, bpdu: ConfigBpdu): boolean {
  const better = firstDifference(
    () => bpdu.root.compare(port.designatedRoot),
    () => bpdu.rootPathCost - port.designatedCost,
    () => bpdu.bridgeId.compare(port.designatedBridge),
  )
  if (better !== 0) return better < 0
  return !bpdu.bridgeId.equals(port.br.bridgeId) || bpdu.portId <= port.designatedPort
}

/** Sets whether the tree is changing: then learned addresses age quickly (__br_set_topology_change). */
export function brSetTopologyChange(br: NetBridge, on: boolean): void {
  if (br.stpEnabled === BR_KERNEL_STP && br.topologyChange !== on)
    br.ageingTime = on ? 2 * br.forwardDelay : br.bridgeAgeingTime
  br.topologyChange = on
}

/** The tree has changed here: tells the root, or as the root everybody (br_topology_change_detection). */
export function brTopologyChangeDetection(br: NetBridge): void {
  if (br.stpEnabled !== BR_KERNEL_STP) return
  const root = brIsRootBridge(br)
  br.log(6, `topology change detected, ${root ? 'propagating' : 'sending tcn bpdu'}`)
  if (root) {
    brSetTopologyChange(br, true)
    br.mod(br.topologyChangeTimer, br.bridgeForwardDelay + br.bridgeMaxAge)
  } else if (!br.topologyChangeDetected) {
    brTransmitTcn(br)
    br.mod(br.tcnTimer, br.bridgeHelloTime)
  }
  br.topologyChangeDetected = true
}

/** Sends a topology change notification toward the root (br_transmit_tcn). */
export function brTransmitTcn(br: NetBridge): void {
  const root = br.port(br.rootPort)
  if (root !== undefined) sendTcnBpdu(root)
  else br.log(5, `root port ${br.rootPort} not found for topology notice`)
}

function makeBlocking(port: NetBridgePort): void {
  if (port.state === BR_STATE_DISABLED || port.state === BR_STATE_BLOCKING) return
  if (port.state === BR_STATE_FORWARDING || port.state === BR_STATE_LEARNING) brTopologyChangeDetection(port.br)
  brSetState(port, BR_STATE_BLOCKING)
  brIfinfoNotify(true, port)
  port.br.del(port.forwardDelayTimer)
}

function makeForwarding(port: NetBridgePort): void {
  const { br } = port
  if (port.state !== BR_STATE_BLOCKING) return
  if (br.stpEnabled === BR_NO_STP || br.forwardDelay === 0) {
    brSetState(port, BR_STATE_FORWARDING)
    brTopologyChangeDetection(br)
    br.del(port.forwardDelayTimer)
  } else brSetState(port, br.stpEnabled === BR_KERNEL_STP ? BR_STATE_LISTENING : BR_STATE_LEARNING)
  brIfinfoNotify(true, port)
  if (br.forwardDelay !== 0) br.mod(port.forwardDelayTimer, br.forwardDelay)
}

/** Moves every port toward the state of its role; the bridge has a carrier while a port forwards (br_port_state_selection). */
export function brPortStateSelection(br: NetBridge): void {
  let live = 0
  for (const port of br.ports) {
    if (port.state === BR_STATE_DISABLED) continue
    if (br.stpEnabled !== BR_USER_STP) {
      if (port.portNo === br.rootPort) {
        port.configPending = false
        port.topologyChangeAck = false
        makeForwarding(port)
      } else if (brIsDesignatedPort(port)) {
        br.del(port.messageAgeTimer)
        makeForwarding(port)
      } else {
        port.configPending = false
        port.topologyChangeAck = false
        makeBlocking(port)
      }
    }
    if (port.state === BR_STATE_FORWARDING) live++
  }
  if (live === 0) netifCarrierOff(br.dev)
  else netifCarrierOn(br.dev)
}

/** A configuration message came in (br_received_config_bpdu). */
export function brReceivedConfigBpdu(port: NetBridgePort, bpdu: ConfigBpdu): void {
  const { br } = port
  const wasRoot = brIsRootBridge(br)
  if (!supersedes(port, bpdu)) {
    if (brIsDesignatedPort(port)) brTransmitConfig(port)
    return
  }
  const { clock } = br.dev.net.kernel
  port.designatedRoot = bpdu.root.copy()
  port.designatedCost = bpdu.rootPathCost
  port.designatedBridge = bpdu.bridgeId.copy()
  port.designatedPort = bpdu.portId
  port.designatedAge = clock.now - bpdu.messageAge * TICK_NSEC
  br.mod(port.messageAgeTimer, bpdu.maxAge - bpdu.messageAge)
  brConfigurationUpdate(br)
  brPortStateSelection(br)
  if (!brIsRootBridge(br) && wasRoot) {
    br.del(br.helloTimer)
    if (br.topologyChangeDetected) {
      br.del(br.topologyChangeTimer)
      brTransmitTcn(br)
      br.mod(br.tcnTimer, br.bridgeHelloTime)
    }
  }
  if (port.portNo !== br.rootPort) return
  br.maxAge = bpdu.maxAge
  br.helloTime = bpdu.helloTime
  br.forwardDelay = bpdu.forwardDelay
  brSetTopologyChange(br, bpdu.topologyChange)
  brConfigBpduGeneration(br)
  if (bpdu.topologyChangeAck) {
    br.topologyChangeDetected = false
    br.del(br.tcnTimer)
  }
}

/** A topology change notification came in (br_received_tcn_bpdu). */
export function brReceivedTcnBpdu(port: NetBridgePort): void {
  if (!brIsDesignatedPort(port)) return
  port.br.log(6, `port ${port.portNo}(${port.dev.name}) received tcn bpdu`)
  brTopologyChangeDetection(port.br)
  port.topologyChangeAck = true
  brTransmitConfig(port)
}

/** Sets the hello time, 1 to 10 s. @param value hundredths of a second @returns 0 or -ERANGE */
export function brSetHelloTime(br: NetBridge, value: number): number {
  const t = clockToJiffies(value)
  if (t < HZ || t > 10 * HZ) return -Errno.ERANGE
  br.bridgeHelloTime = t
  if (brIsRootBridge(br)) br.helloTime = t
  return 0
}

/** Sets the maximum age of a message, 6 to 40 s. @param value hundredths of a second */
export function brSetMaxAge(br: NetBridge, value: number): number {
  const t = clockToJiffies(value)
  if (t < 6 * HZ || t > 40 * HZ) return -Errno.ERANGE
  br.bridgeMaxAge = t
  if (brIsRootBridge(br)) br.maxAge = t
  return 0
}

/** Sets the forward delay; with the protocol on 2 to 30 s. @param value hundredths of a second */
export function brSetForwardDelay(br: NetBridge, value: number): number {
  const t = clockToJiffies(value)
  if (br.stpEnabled !== BR_NO_STP && (t < 2 * HZ || t > 30 * HZ)) return -Errno.ERANGE
  brApplyForwardDelay(br, t)
  return 0
}

/** The same without a check. @param t jiffies */
export function brApplyForwardDelay(br: NetBridge, t: number): void {
  br.bridgeForwardDelay = t
  if (brIsRootBridge(br)) br.forwardDelay = t
}

/** Sets how long learned addresses are kept. @param value hundredths of a second */
export function brSetAgeingTime(br: NetBridge, value: number): number {
  const t = clockToJiffies(value)
  br.ageingTime = t
  br.bridgeAgeingTime = t
  br.mod(br.gcTimer, 0)
  return 0
}

/** @returns whether a port serves its segment (br_is_designated_for_some_port) */
export function brIsDesignatedForSomePort(br: NetBridge): boolean {
  return br.ports.some(port => port.state !== BR_STATE_DISABLED && port.designatedBridge.equals(br.bridgeId))
}
