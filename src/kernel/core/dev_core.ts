/** Registering and unregistering devices: how they come into a namespace and leave it. */
import { Errno } from '../../uapi/errno.ts'
import { RTM_DELLINK, RTM_NEWLINK, RTNLGRP_LINK } from '../../uapi/rtnetlink.ts'
import { devShutdown } from '../sched/sch_generic.ts'
import { devMcFlush, devUcFlush } from './dev_addr_lists.ts'
import { devClose } from './dev_flags.ts'
import { devGetValidName } from './dev_name.ts'
import { NETIF_F_SOFT_FEATURES } from './features.ts'
import { linkwatchForgetDev, linkwatchInitDev } from './link_watch.ts'
import { IFF_NO_QUEUE, NET_ADDR_PERM, NETDEV_TX_OK, NetDevice, type NetDeviceOps } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import { rtmsgIfinfo, rtnlFillIfinfo } from './rtnl_link_fill.ts'

/** Transmit queue length of a device that does not choose one, packets. */
export const DEFAULT_TX_QUEUE_LEN = 1000

/** Operations of a device whose driver has not set its own yet. */
const NO_OPS: NetDeviceOps = {
  startXmit(skb) {
    skb.free('dev_hard_start_xmit')
    return NETDEV_TX_OK
  },
}

/**
 * Makes a device that is not registered yet (alloc_netdev_mqs).
 * @param name may be a pattern, such as `veth%d` @param setup the driver's own filling in: ops, type, mtu limits
 */
export function allocNetdev(
  net: Net,
  name: string,
  setup: (dev: NetDevice) => void,
  numTxQueues = 1,
  numRxQueues = 1,
): NetDevice {
  const dev = new NetDevice(net, name, NO_OPS)
  dev.numTxQueues = numTxQueues
  dev.numRxQueues = numRxQueues
  dev.realNumTxQueues = numTxQueues
  dev.realNumRxQueues = numRxQueues
  setup(dev)
  if (dev.txQueueLen === 0) {
    dev.privFlags |= IFF_NO_QUEUE
    dev.txQueueLen = DEFAULT_TX_QUEUE_LEN
  }
  return dev
}

/** @returns an index that no device of the namespace has (dev_new_index) */
export function devNewIndex(net: Net): number {
  do net.ifindex++
  while (net.devices.has(net.ifindex))
  return net.ifindex
}

/** Puts a device into its namespace's tables, which stay in ascending order of index (list_netdevice). */
export function listNetdevice(dev: NetDevice): void {
  const { devices, devicesByName } = dev.net
  let last = 0
  for (const index of devices.keys()) if (index > last) last = index
  devices.set(dev.ifindex, dev)
  if (dev.ifindex < last) {
    const all = [...devices.values()].sort((a, b) => a.ifindex - b.ifindex)
    devices.clear()
    for (const each of all) devices.set(each.ifindex, each)
  }
  devicesByName.set(dev.name, dev)
  for (const name of dev.altnames) devicesByName.set(name, dev)
  dev.net.devBaseSeq++
}

/** Takes it out of them (unlist_netdevice). */
export function unlistNetdevice(dev: NetDevice): void {
  const { devices, devicesByName } = dev.net
  devices.delete(dev.ifindex)
  devicesByName.delete(dev.name)
  for (const name of dev.altnames) devicesByName.delete(name)
  dev.net.devBaseSeq++
}

/**
 * Registers a device: from now on it can be seen, named and brought up (register_netdevice).
 * @returns 0, -EINVAL for a bad name, -EEXIST, -EBUSY for a taken index, or the driver's or a subsystem's refusal
 */
export function registerNetdevice(dev: NetDevice): number {
  const { net } = dev
  const chain = net.kernel.netdevChain
  const name = devGetValidName(net, dev.name)
  if (typeof name === 'number') return name
  dev.name = name
  let rc = dev.ops.init?.(dev) ?? 0
  if (rc < 0) return rc
  if (dev.ifindex === 0) dev.ifindex = devNewIndex(net)
  else if (net.devices.has(dev.ifindex)) {
    dev.ops.uninit?.(dev)
    return -Errno.EBUSY
  }
  dev.hwFeatures |= NETIF_F_SOFT_FEATURES
  dev.features |= NETIF_F_SOFT_FEATURES
  dev.wantedFeatures = dev.features & dev.hwFeatures
  dev.wantedFeatures2 = dev.features2 & dev.hwFeatures2
  rc = chain.call('POST_INIT', dev, {})
  if (rc < 0) {
    dev.ops.uninit?.(dev)
    return rc
  }
  dev.regState = 'registered'
  linkwatchInitDev(dev)
  listNetdevice(dev)
  if (dev.addrAssignType === NET_ADDR_PERM) dev.permAddr = dev.devAddr.slice()
  rc = chain.call('REGISTER', dev, {})
  if (rc < 0) {
    unregisterNetdevice(dev)
    return rc
  }
  if (dev.linkOps === undefined || dev.linkInitialized) rtmsgIfinfo(RTM_NEWLINK, dev, ~0)
  return 0
}

/** Unregisters one device (unregister_netdevice). */
export function unregisterNetdevice(dev: NetDevice): void {
  unregisterNetdeviceMany([dev])
}

/**
 * Unregisters devices (unregister_netdevice_many): each is closed, taken from the tables, made known as leaving, and
 * given back by its driver.
 */
export function unregisterNetdeviceMany(list: readonly NetDevice[]): void {
  const all = [...new Set(list)].filter(dev => dev.regState === 'registered')
  for (const dev of all) {
    dev.dismantle = true
    devClose(dev)
  }
  for (const dev of all) {
    unlistNetdevice(dev)
    dev.regState = 'unregistering'
    dev.net.kernel.netcore.flushBacklog(dev)
  }
  for (const dev of all) {
    const { net } = dev
    devShutdown(dev)
    net.kernel.netdevChain.call('UNREGISTER', dev, {})
    const message = dev.linkOps === undefined || dev.linkInitialized ? rtnlFillIfinfo(dev, RTM_DELLINK, ~0) : undefined
    devUcFlush(dev)
    devMcFlush(dev)
    dev.altnames.length = 0
    dev.ops.uninit?.(dev)
    if (message !== undefined) net.kernel.rtnl.notify(net, RTNLGRP_LINK, () => message)
  }
  for (const dev of all) {
    linkwatchForgetDev(dev)
    dev.regState = 'unregistered'
  }
}
