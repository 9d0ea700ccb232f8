/** Moving devices between namespaces, and what becomes of them when a namespace ends. */
import { Errno } from '../../uapi/errno.ts'
import { IFNAMSIZ } from '../../uapi/if.ts'
import { RTM_DELLINK, RTM_NEWLINK } from '../../uapi/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import { devShutdown } from '../sched/sch_generic.ts'
import { devMcFlush, devUcFlush } from './dev_addr_lists.ts'
import { devNewIndex, listNetdevice, unlistNetdevice, unregisterNetdeviceMany } from './dev_core.ts'
import { devClose } from './dev_flags.ts'
import { devGetValidName } from './dev_name.ts'
import { NETIF_F_NETNS_LOCAL } from './features.ts'
import type { NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import { rtmsgIfinfo } from './rtnl_link_fill.ts'
import { peernet2idAlloc } from './rtnl_nsid.ts'

/**
 * Moves a device to another namespace (__dev_change_net_namespace): it goes down, loses its qdiscs, addresses and
 * routes, and keeps name and index where they are free there.
 * @param pattern the name to take where the own one is taken there; undefined: then it cannot move
 * @param newIndex the index to take; 0: the own one or the next free
 * @returns 0, -EINVAL for a device bound to its namespace, -EEXIST for a name clash, -EBUSY for a taken index
 */
export function devChangeNetNamespace(dev: NetDevice, net: Net, pattern: string | undefined, newIndex = 0): number {
  if ((dev.features & NETIF_F_NETNS_LOCAL) !== 0 || dev.regState !== 'registered') return -Errno.EINVAL
  const old = dev.net
  if (old === net) return 0
  let name: string | number = dev.name
  if (net.devicesByName.has(name)) {
    if (pattern === undefined) return -Errno.EEXIST
    name = devGetValidName(net, pattern)
    if (typeof name === 'number') return name
  }
  for (const altname of dev.altnames) if (net.devicesByName.has(altname)) return -Errno.EEXIST
  if (newIndex !== 0 && net.devices.has(newIndex)) return -Errno.EBUSY
  const { kernel } = net

  devClose(dev)
  unlistNetdevice(dev)
  kernel.netcore.flushBacklog(dev)
  devShutdown(dev)
  kernel.netdevChain.call('UNREGISTER', dev, {})
  const newNsid = peernet2idAlloc(old, net)
  const index = newIndex !== 0 ? newIndex : net.devices.has(dev.ifindex) ? devNewIndex(net) : dev.ifindex
  rtmsgIfinfo(RTM_DELLINK, dev, ~0, { newNsid, newIfindex: index })
  devUcFlush(dev)
  devMcFlush(dev)
  dev.net = net
  dev.ifindex = index
  dev.name = name
  listNetdevice(dev)
  kernel.netdevChain.call('REGISTER', dev, {})
  rtmsgIfinfo(RTM_NEWLINK, dev, ~0)
  return 0
}

/**
 * Empties a namespace that ends (default_device_exit): physical devices go back to the initial namespace, virtual ones
 * are deleted with what belongs to them, wherever that is.
 */
export function defaultDeviceExit(kernel: Kernel, net: Net): void {
  for (const dev of [...net.devices.values()]) {
    if ((dev.features & NETIF_F_NETNS_LOCAL) !== 0) continue
    if (dev.linkOps !== undefined && dev.linkOps.netnsRefund !== true) continue
    let fallback = `dev${dev.ifindex}`.slice(0, IFNAMSIZ - 1)
    if (kernel.initNet.devicesByName.has(fallback)) fallback = 'dev%d'
    devChangeNetNamespace(dev, kernel.initNet, fallback)
  }
  const kill: NetDevice[] = []
  for (const dev of [...net.devices.values()].reverse()) {
    if (kill.includes(dev)) continue
    if (dev.linkOps?.dellink !== undefined) dev.linkOps.dellink(dev, kill)
    else kill.push(dev)
  }
  unregisterNetdeviceMany(kill)
}
