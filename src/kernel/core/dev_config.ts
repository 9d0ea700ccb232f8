/** Settings of a device that rtnetlink, ioctl and sysfs share: mtu, address, queue length, alias, carrier, protodown. */
import { Errno } from '../../uapi/errno.ts'
import { IFALIASZ } from '../../uapi/if.ts'
import type { LinkStats } from '../../uapi/rtnetlink.ts'
import { netifCarrierOff, netifCarrierOn } from './link_watch.ts'
import { LINK_STATE_PRESENT, NET_ADDR_SET, type NetDevice } from './net_device.ts'
import type { NetlinkExtAck } from './rtnetlink.ts'

/** Checks an mtu against the device's limits (dev_validate_mtu). @returns 0 or -EINVAL with its text */
export function devValidateMtu(dev: NetDevice, mtu: number, extack: NetlinkExtAck | undefined): number {
  // the value is signed in the kernel
  if (mtu > 0x7fffffff || mtu < 0 || mtu < dev.minMtu) {
    return extack?.fail(-Errno.EINVAL, 'mtu less than device minimum') ?? -Errno.EINVAL
  }
  if (dev.maxMtu > 0 && mtu > dev.maxMtu) {
    return extack?.fail(-Errno.EINVAL, 'mtu greater than device maximum') ?? -Errno.EINVAL
  }
  return 0
}

function applyMtu(dev: NetDevice, mtu: number): number {
  if (dev.ops.changeMtu !== undefined) return dev.ops.changeMtu(dev, mtu)
  dev.mtu = mtu
  return 0
}

/** Sets the mtu, bytes (dev_set_mtu_ext). @returns 0 or a negative error */
export function devSetMtu(dev: NetDevice, mtu: number, extack?: NetlinkExtAck): number {
  if (mtu === dev.mtu) return 0
  let rc = devValidateMtu(dev, mtu, extack)
  if (rc < 0) return rc
  if ((dev.state & LINK_STATE_PRESENT) === 0) return -Errno.ENODEV
  const chain = dev.net.kernel.netdevChain
  rc = chain.call('PRECHANGEMTU', dev, { mtu })
  if (rc < 0) return rc
  const old = dev.mtu
  rc = applyMtu(dev, mtu)
  if (rc < 0) return rc
  rc = chain.call('CHANGEMTU', dev, { mtu: old })
  if (rc < 0) {
    applyMtu(dev, old)
    chain.call('CHANGEMTU', dev, { mtu })
  }
  return rc
}

/** Sets the link-layer address (dev_set_mac_address). @returns 0, -EOPNOTSUPP, -ENODEV or the driver's refusal */
export function devSetMacAddress(dev: NetDevice, address: Uint8Array, extack?: NetlinkExtAck): number {
  if (dev.ops.setMacAddress === undefined) return -Errno.EOPNOTSUPP
  if ((dev.state & LINK_STATE_PRESENT) === 0) return -Errno.ENODEV
  const chain = dev.net.kernel.netdevChain
  let rc = chain.call('PRE_CHANGEADDR', dev, extack === undefined ? {} : { extack })
  if (rc < 0) return rc
  rc = dev.ops.setMacAddress(dev, address.slice(0, dev.addrLen))
  if (rc < 0) return rc
  dev.addrAssignType = NET_ADDR_SET
  chain.call('CHANGEADDR', dev, {})
  return 0
}

/** Longest transmit queue that may be set; seen on the reference machine. */
const TX_QUEUE_LEN_MAX = 32767

/** Sets the transmit queue length, packets (dev_change_tx_queue_len). @returns 0 or -ERANGE */
export function devChangeTxQueueLen(dev: NetDevice, len: number): number {
  if (len < 0 || len > TX_QUEUE_LEN_MAX) return -Errno.ERANGE
  if (len === dev.txQueueLen) return 0
  const old = dev.txQueueLen
  dev.txQueueLen = len
  const rc = dev.net.kernel.netdevChain.call('CHANGE_TX_QUEUE_LEN', dev, {})
  if (rc < 0) {
    dev.txQueueLen = old
    dev.net.kernel.netdevChain.call('CHANGE_TX_QUEUE_LEN', dev, {})
    return rc
  }
  dev.qdisc.changeTxQueueLen?.(len)
  return 0
}

/** Sets or, with an empty text, clears the alias (dev_set_alias). @returns 0 or -EINVAL where it is too long */
export function devSetAlias(dev: NetDevice, alias: string): number {
  if (alias.length >= IFALIASZ) return -Errno.EINVAL
  dev.ifalias = alias
  return 0
}

/** Sets the carrier where the driver lets one (dev_change_carrier). */
export function devChangeCarrier(dev: NetDevice, on: boolean): number {
  if (dev.ops.changeCarrier === undefined) return -Errno.EOPNOTSUPP
  if ((dev.state & LINK_STATE_PRESENT) === 0) return -Errno.ENODEV
  return dev.ops.changeCarrier(dev, on)
}

/** Holds the link down on behalf of a protocol, or lets it go (dev_change_proto_down). */
export function devChangeProtoDown(dev: NetDevice, down: boolean): number {
  if (!dev.changeProtoDown) return -Errno.EOPNOTSUPP
  if ((dev.state & LINK_STATE_PRESENT) === 0) return -Errno.ENODEV
  if (down) netifCarrierOff(dev)
  else netifCarrierOn(dev)
  dev.protoDown = down
  return 0
}

/** Adds or removes reasons for protodown (dev_change_proto_down_reason). @param mask 0: `value` replaces all */
export function devChangeProtoDownReason(dev: NetDevice, mask: number, value: number): void {
  dev.protoDownReason = (mask === 0 ? value : (dev.protoDownReason & ~mask) | (value & mask)) >>> 0
}

/** @returns a device's counters now: the core's and the driver's (dev_get_stats) */
export function devGetStats(dev: NetDevice): LinkStats {
  const stats = { ...dev.stats }
  dev.ops.getStats64?.(dev, stats)
  return stats
}
