/** Ports: how devices become ports of a bridge and cease to be. */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_ETHER, IFF_LOOPBACK, IFF_UP } from '../../uapi/if.ts'
import { devSetMtu } from '../core/dev_config.ts'
import { devSetAllmulti, devSetPromiscuity } from '../core/dev_flags.ts'
import { netdevRxHandlerRegister, netdevRxHandlerUnregister } from '../core/dev_rx_handler.ts'
import { netdevUpperDevLink, netdevUpperDevUnlink } from '../core/dev_upper.ts'
import { ETH_ALEN, ETH_DATA_LEN, isValidEtherAddr } from '../core/ethernet.ts'
import { netifOperUp } from '../core/link_watch.ts'
import { IFF_BRIDGE_PORT, IFF_DONT_BRIDGE, IFF_EBRIDGE, IFF_UNICAST_FLT, type NetDevice } from '../core/net_device.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { TSO_MAX_SIZE } from '../drivers/loopback.ts'
import {
  BR_ADMIN_COST,
  BR_AUTO_MASK,
  BR_MAX_PORTS,
  BR_NEIGH_SUPPRESS,
  BR_PROMISC,
  BR_STATE_DISABLED,
  BROPT_MTU_SET_BY_USER,
  BROPT_NEIGH_SUPPRESS_ENABLED,
  type NetBridge,
  NetBridgePort,
  portOf,
} from './br.ts'
import { fdbAddLocal, fdbDeleteByPort, fdbSyncStatic, fdbUnsyncStatic } from './br_fdb.ts'
import { brHandleFrame } from './br_input.ts'
import { brMulticastAddPort, brMulticastDelPort } from './br_multicast.ts'
import { brIfinfoNotify } from './br_notify.ts'
import { nbpUpdatePortCount } from './br_promisc.ts'
import { brSetState } from './br_stp.ts'
import { brInitPort, brStpDisablePort, brStpEnablePort, brStpRecalculateBridgeId } from './br_stp_if.ts'
import { brForwardDelayTimerExpired, brHoldTimerExpired, brMessageAgeTimerExpired } from './br_stp_timer.ts'
import { nbpVlanFlush, nbpVlanInit } from './br_vlan.ts'

/** Cost of a port whose speed is not known. */
const DEFAULT_COST = 100
/** Costs by speed in Mb/s (IEEE 802.1D 17.14, with the kernel's additions). */
const COSTS = new Map([
  [10000, 2],
  [5000, 3],
  [2500, 4],
  [1000, 5],
  [100, 19],
  [10, DEFAULT_COST],
])

function portCost(dev: NetDevice): number {
  const speed = dev.ops.getLinkKsettings?.(dev)?.speed ?? -1
  return speed > 10000 ? 1 : (COSTS.get(speed) ?? DEFAULT_COST)
}

/** Follows the carrier of a port (br_port_carrier_check). @returns whether listeners were told */
export function brPortCarrierCheck(port: NetBridgePort): boolean {
  const { br, dev } = port
  const up = dev.running && netifOperUp(dev)
  if ((port.flags & BR_ADMIN_COST) === 0 && up) port.pathCost = portCost(dev)
  if (!br.dev.running) return false
  if (up && port.state === BR_STATE_DISABLED) brStpEnablePort(port)
  else if (!up && port.state !== BR_STATE_DISABLED) brStpDisablePort(port)
  else return false
  return true
}

function findPortNo(br: NetBridge): number {
  const used = new Set(br.ports.map(port => port.portNo))
  for (let no = 1; no < BR_MAX_PORTS; no++) if (!used.has(no)) return no
  return -Errno.EMFILE
}

function newPort(br: NetBridge, dev: NetDevice): NetBridgePort | number {
  const no = findPortNo(br)
  if (no < 0) return no
  const port: NetBridgePort = new NetBridgePort(br, dev, no, portCost(dev), {
    forwardDelay: () => brForwardDelayTimerExpired(port),
    hold: () => brHoldTimerExpired(port),
    messageAge: () => brMessageAgeTimerExpired(port),
  })
  brInitPort(port)
  brSetState(port, BR_STATE_DISABLED)
  brMulticastAddPort(port)
  return port
}

/** The mtu is the smallest of the ports', unless somebody has set it (br_mtu_auto_adjust). */
export function brMtuAutoAdjust(br: NetBridge): void {
  if (br.opt(BROPT_MTU_SET_BY_USER)) return
  const least = Math.min(...br.ports.map(port => port.dev.mtu))
  devSetMtu(br.dev, br.ports.length === 0 ? ETH_DATA_LEN : least)
  br.toggle(BROPT_MTU_SET_BY_USER, false)
}

function setGsoLimits(br: NetBridge): void {
  const { dev } = br
  dev.tsoMaxSize = Math.min(TSO_MAX_SIZE, ...br.ports.map(port => port.dev.tsoMaxSize))
  dev.tsoMaxSegs = Math.min(65535, ...br.ports.map(port => port.dev.tsoMaxSegs))
  dev.gsoMaxSize = Math.min(dev.gsoMaxSize, dev.tsoMaxSize)
  dev.gsoMaxSegs = Math.min(dev.gsoMaxSegs, dev.tsoMaxSegs)
}

/** Makes a device a port (br_add_if). @returns 0, or why it cannot be one */
export function brAddIf(br: NetBridge, dev: NetDevice, extack: NetlinkExtAck): number {
  if (
    (dev.flags & IFF_LOOPBACK) !== 0 ||
    dev.type !== ARPHRD_ETHER ||
    dev.addrLen !== ETH_ALEN ||
    !isValidEtherAddr(dev.devAddr)
  )
    return -Errno.EINVAL
  if ((dev.privFlags & IFF_EBRIDGE) !== 0) return extack.fail(-Errno.ELOOP, 'Can not enslave a bridge to a bridge')
  if (dev.master !== undefined) return -Errno.EBUSY
  if ((dev.privFlags & IFF_DONT_BRIDGE) !== 0)
    return extack.fail(-Errno.EOPNOTSUPP, 'Device does not allow enslaving to a bridge')
  const port = newPort(br, dev)
  if (typeof port === 'number') return port
  devSetAllmulti(dev, 1)
  let rc = netdevRxHandlerRegister(dev, brHandleFrame, port)
  if (rc < 0) {
    devSetAllmulti(dev, -1)
    return rc
  }
  dev.privFlags |= IFF_BRIDGE_PORT
  rc = netdevUpperDevLink(dev, br.dev, true, extack)
  if (rc < 0) {
    dev.privFlags &= ~IFF_BRIDGE_PORT
    netdevRxHandlerUnregister(dev)
    devSetAllmulti(dev, -1)
    return rc
  }
  br.ports.unshift(port)
  nbpUpdatePortCount(br)
  if ((port.flags & BR_PROMISC) === 0 && (dev.privFlags & IFF_UNICAST_FLT) !== 0) fdbSyncStatic(br, port)
  fdbAddLocal(br, port, dev.devAddr, 0)
  nbpVlanInit(port)
  const changed = brStpRecalculateBridgeId(br)
  if (dev.running && netifOperUp(dev) && (br.dev.flags & IFF_UP) !== 0) brStpEnablePort(port)
  brIfinfoNotify(true, port)
  if (changed) br.dev.net.kernel.netdevChain.call('CHANGEADDR', br.dev, {})
  brMtuAutoAdjust(br)
  setGsoLimits(br)
  return 0
}

/** Takes a port out (del_nbp). */
export function delNbp(port: NetBridgePort): void {
  const { br, dev } = port
  devSetAllmulti(dev, -1)
  if ((port.flags & BR_PROMISC) !== 0) devSetPromiscuity(dev, -1)
  else fdbUnsyncStatic(br, port)
  brStpDisablePort(port)
  brIfinfoNotify(false, port)
  br.ports.splice(br.ports.indexOf(port), 1)
  nbpVlanFlush(port)
  fdbDeleteByPort(br, port, 0, true)
  port.backupPort = undefined
  for (const other of br.ports) if (other.backupPort === port) other.backupPort = undefined
  nbpUpdatePortCount(br)
  netdevUpperDevUnlink(dev, br.dev)
  dev.privFlags &= ~IFF_BRIDGE_PORT
  netdevRxHandlerUnregister(dev)
  brMulticastDelPort(port)
}

/** Takes a device's port out of a bridge (br_del_if). @returns 0 or -EINVAL where it is none of its ports */
export function brDelIf(br: NetBridge, dev: NetDevice): number {
  const port = portOf(dev)
  if (port === undefined || port.br !== br) return -Errno.EINVAL
  delNbp(port)
  brMtuAutoAdjust(br)
  setGsoLimits(br)
  if (brStpRecalculateBridgeId(br)) br.dev.net.kernel.netdevChain.call('CHANGEADDR', br.dev, {})
  return 0
}

/** Names, or with undefined takes back, the port that serves while another has no carrier (nbp_backup_change). */
export function nbpBackupChange(port: NetBridgePort, backup: NetDevice | undefined): number {
  if (backup === undefined) {
    port.backupPort = undefined
    return 0
  }
  const other = portOf(backup)
  if (other === undefined) return -Errno.ENOENT
  if (other.br !== port.br || other === port) return -Errno.EINVAL
  port.backupPort = other
  return 0
}

/** Follows a change of a port's flags (br_port_flags_change). @param mask those that changed */
export function brPortFlagsChange(port: NetBridgePort, mask: number): void {
  const { br } = port
  if ((mask & BR_AUTO_MASK) !== 0) nbpUpdatePortCount(br)
  if ((mask & BR_NEIGH_SUPPRESS) !== 0)
    br.toggle(
      BROPT_NEIGH_SUPPRESS_ENABLED,
      br.ports.some(each => (each.flags & BR_NEIGH_SUPPRESS) !== 0),
    )
}
