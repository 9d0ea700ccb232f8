/** The files of /sys/class/net/PORT/brport. */
import { Errno } from '../../uapi/errno.ts'
import {
  BR_BCAST_FLOOD,
  BR_BPDU_GUARD,
  BR_FLOOD,
  BR_HAIRPIN_MODE,
  BR_ISOLATED,
  BR_LEARNING,
  BR_MCAST_FLOOD,
  BR_MULTICAST_FAST_LEAVE,
  BR_MULTICAST_TO_UNICAST,
  BR_NEIGH_SUPPRESS,
  BR_PROXYARP,
  BR_PROXYARP_WIFI,
  BR_ROOT_BLOCK,
  type NetBridgePort,
} from './br.ts'
import { fdbDeleteByPort } from './br_fdb.ts'
import { brPortFlagsChange, nbpBackupChange } from './br_if.ts'
import { brMulticastSetPortRouter } from './br_multicast.ts'
import { brSetport } from './br_netlink_port.ts'
import { brIfinfoNotify } from './br_notify.ts'
import { brStpSetPathCost, brStpSetPortPriority } from './br_stp_if.ts'
import { type BrAttribute, flushAttribute, showAttribute, storeAttribute } from './br_sysfs.ts'

function backup(port: NetBridgePort): BrAttribute {
  return [
    'backup_port',
    {
      kind: 'file',
      mode: 0o644,
      read: () => (port.backupPort === undefined ? '' : `${port.backupPort.dev.name}\n`),
      write(data) {
        const name = data.trim()
        const dev = name === '' ? undefined : port.dev.net.devByName(name)
        if (name !== '' && dev === undefined) return -Errno.ENOENT
        const rc = nbpBackupChange(port, dev)
        return rc < 0 ? rc : data.length
      },
    },
  ]
}

/** @returns the files of a port */
export function portAttributes(port: NetBridgePort): BrAttribute[] {
  const { br } = port
  const flag = (name: string, bit: number): BrAttribute =>
    storeAttribute(
      name,
      () => ((port.flags & bit) !== 0 ? '1' : '0'),
      value => {
        const old = port.flags
        if (value !== 0) port.flags |= bit
        else port.flags &= ~bit
        if (old === port.flags) return 0
        brPortFlagsChange(port, bit)
        brIfinfoNotify(true, port)
        return 0
      },
    )
  const timer = (name: string, which: 'messageAgeTimer' | 'forwardDelayTimer' | 'holdTimer'): BrAttribute =>
    showAttribute(name, () => String(br.timerValue(port[which])))
  return [
    backup(port),
    flag('bpdu_guard', BR_BPDU_GUARD),
    flag('broadcast_flood', BR_BCAST_FLOOD),
    showAttribute('change_ack', () => (port.topologyChangeAck ? '1' : '0')),
    showAttribute('config_pending', () => (port.configPending ? '1' : '0')),
    showAttribute('designated_bridge', () => port.designatedBridge.toString()),
    showAttribute('designated_cost', () => String(port.designatedCost)),
    showAttribute('designated_port', () => String(port.designatedPort)),
    showAttribute('designated_root', () => port.designatedRoot.toString()),
    flushAttribute('flush', () => fdbDeleteByPort(br, port, 0, false)),
    timer('forward_delay_timer', 'forwardDelayTimer'),
    storeAttribute(
      'group_fwd_mask',
      () => `0x${port.groupFwdMask.toString(16)}`,
      value => brSetport(port, { groupFwdMask: value & 0xffff }),
    ),
    flag('hairpin_mode', BR_HAIRPIN_MODE),
    timer('hold_timer', 'holdTimer'),
    flag('isolated', BR_ISOLATED),
    flag('learning', BR_LEARNING),
    timer('message_age_timer', 'messageAgeTimer'),
    flag('multicast_fast_leave', BR_MULTICAST_FAST_LEAVE),
    flag('multicast_flood', BR_MCAST_FLOOD),
    storeAttribute(
      'multicast_router',
      () => String(port.multicast.router),
      value => brMulticastSetPortRouter(port, value),
    ),
    flag('multicast_to_unicast', BR_MULTICAST_TO_UNICAST),
    flag('neigh_suppress', BR_NEIGH_SUPPRESS),
    storeAttribute(
      'path_cost',
      () => String(port.pathCost),
      value => brStpSetPathCost(port, value),
    ),
    showAttribute('port_id', () => `0x${port.portId.toString(16)}`),
    showAttribute('port_no', () => `0x${port.portNo.toString(16)}`),
    storeAttribute(
      'priority',
      () => String(port.priority),
      value => brStpSetPortPriority(port, value),
    ),
    flag('proxyarp', BR_PROXYARP),
    flag('proxyarp_wifi', BR_PROXYARP_WIFI),
    flag('root_block', BR_ROOT_BLOCK),
    showAttribute('state', () => String(port.state)),
    flag('unicast_flood', BR_FLOOD),
  ]
}
