/** Stacks of devices: which lies on which, and which belongs to a master (netdev_upper_dev_link and its kin). */
import { Errno } from '../../uapi/errno.ts'
import type { NetDevice } from './net_device.ts'
import type { NetlinkExtAck } from './rtnetlink.ts'

/** Devices that may lie on each other. */
const MAX_NEST_DEV = 8

/** @returns whether `upper` lies somewhere above `dev` */
export function hasUpperDev(dev: NetDevice, upper: NetDevice): boolean {
  return dev.upper.some(each => each === upper || hasUpperDev(each, upper))
}

function height(dev: NetDevice, direction: 'upper' | 'lower'): number {
  let most = 0
  for (const each of dev[direction]) most = Math.max(most, height(each, direction))
  return most + 1
}

/**
 * Puts `upper` on top of `dev` (netdev_upper_dev_link; with `master`, netdev_master_upper_dev_link).
 * @returns 0, -EBUSY for a loop or a second master, -EEXIST, -EMLINK for a stack too high, or a subsystem's veto
 */
export function netdevUpperDevLink(dev: NetDevice, upper: NetDevice, master: boolean, extack?: NetlinkExtAck): number {
  if (dev === upper || hasUpperDev(upper, dev)) return -Errno.EBUSY
  if (height(dev, 'lower') + height(upper, 'upper') > MAX_NEST_DEV) return -Errno.EMLINK
  if (!master) {
    if (hasUpperDev(dev, upper)) return -Errno.EEXIST
  } else if (dev.master !== undefined) return dev.master === upper ? -Errno.EEXIST : -Errno.EBUSY
  const chain = dev.net.kernel.netdevChain
  const info = { upper, linking: true, master, ...(extack === undefined ? {} : { extack }) }
  let rc = chain.call('PRECHANGEUPPER', dev, info)
  if (rc < 0) return rc
  dev.upper.push(upper)
  upper.lower.push(dev)
  if (master) dev.master = upper
  rc = chain.call('CHANGEUPPER', dev, info)
  if (rc < 0) unlink(dev, upper)
  return rc
}

/** Takes `upper` off `dev` (netdev_upper_dev_unlink). */
export function netdevUpperDevUnlink(dev: NetDevice, upper: NetDevice): void {
  if (!dev.upper.includes(upper)) return
  const chain = dev.net.kernel.netdevChain
  const info = { upper, linking: false, master: dev.master === upper }
  chain.call('PRECHANGEUPPER', dev, info)
  unlink(dev, upper)
  chain.call('CHANGEUPPER', dev, info)
}

function unlink(dev: NetDevice, upper: NetDevice): void {
  const up = dev.upper.indexOf(upper)
  if (up >= 0) dev.upper.splice(up, 1)
  const low = upper.lower.indexOf(dev)
  if (low >= 0) upper.lower.splice(low, 1)
  if (dev.master === upper) dev.master = undefined
}
