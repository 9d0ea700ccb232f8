/** Timers of the spanning tree (IEEE 802.1D 8.7). */
import { IFF_UP } from '../../uapi/if.ts'
import { netifCarrierOn } from '../core/link_watch.ts'
import {
  BR_KERNEL_STP,
  BR_STATE_DISABLED,
  BR_STATE_FORWARDING,
  BR_STATE_LEARNING,
  BR_STATE_LISTENING,
  type NetBridge,
  type NetBridgePort,
} from './br.ts'
import { brIfinfoNotify } from './br_notify.ts'
import {
  brBecomeDesignatedPort,
  brBecomeRootBridge,
  brConfigBpduGeneration,
  brConfigurationUpdate,
  brIsDesignatedForSomePort,
  brIsRootBridge,
  brPortStateSelection,
  brSetState,
  brSetTopologyChange,
  brTopologyChangeDetection,
  brTransmitConfig,
  brTransmitTcn,
} from './br_stp.ts'

/** The root speaks again. */
export function brHelloTimerExpired(br: NetBridge): void {
  if ((br.dev.flags & IFF_UP) === 0) return
  brConfigBpduGeneration(br)
  if (br.stpEnabled === BR_KERNEL_STP) br.mod(br.helloTimer, br.helloTime)
}

/** The segment's bridge has not been heard of for too long. */
export function brMessageAgeTimerExpired(port: NetBridgePort): void {
  const { br } = port
  if (port.state === BR_STATE_DISABLED) return
  const id = port.designatedBridge
  const priority = id.priority.toString(16).padStart(4, '0')
  const address = Array.from(id.address, byte => byte.toString(16).padStart(2, '0')).join(':')
  br.log(6, `port ${port.portNo}(${port.dev.name}) neighbor ${priority}.${address} lost`)
  const wasRoot = brIsRootBridge(br)
  brBecomeDesignatedPort(port)
  brConfigurationUpdate(br)
  brPortStateSelection(br)
  if (brIsRootBridge(br) && !wasRoot) brBecomeRootBridge(br)
}

/** A port has listened, or learned, long enough. */
export function brForwardDelayTimerExpired(port: NetBridgePort): void {
  const { br } = port
  if (port.state === BR_STATE_LISTENING) {
    brSetState(port, BR_STATE_LEARNING)
    br.mod(port.forwardDelayTimer, br.forwardDelay)
  } else if (port.state === BR_STATE_LEARNING) {
    brSetState(port, BR_STATE_FORWARDING)
    if (brIsDesignatedForSomePort(br)) brTopologyChangeDetection(br)
    netifCarrierOn(br.dev)
  }
  brIfinfoNotify(true, port)
}

/** The root has not acknowledged a notification. */
export function brTcnTimerExpired(br: NetBridge): void {
  if (brIsRootBridge(br) || (br.dev.flags & IFF_UP) === 0) return
  brTransmitTcn(br)
  br.mod(br.tcnTimer, br.bridgeHelloTime)
}

/** The tree has settled. */
export function brTopologyChangeTimerExpired(br: NetBridge): void {
  br.topologyChangeDetected = false
  brSetTopologyChange(br, false)
}

/** A port may speak again. */
export function brHoldTimerExpired(port: NetBridgePort): void {
  if (port.configPending) brTransmitConfig(port)
}
