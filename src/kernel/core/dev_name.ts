/** Names of devices: what is allowed, `veth%d`, renaming, alternative names. */
import { Errno } from '../../uapi/errno.ts'
import { IFF_UP, IFNAMSIZ } from '../../uapi/if.ts'
import { NET_NAME_RENAMED, type NetDevice } from './net_device.ts'
import type { Net } from './net_namespace.ts'

/** Most units that a name pattern numbers: as many bits as a page holds. */
const MAX_UNITS = 8 * 4096

/** @returns whether a device may be called so (dev_valid_name) */
export function devValidName(name: string): boolean {
  if (name === '' || name.length >= IFNAMSIZ || name === '.' || name === '..') return false
  return !/[/:\s\v\xa0]/.test(name)
}

/**
 * Finds the lowest free unit for a pattern with one `%d` (dev_alloc_name). A name without `%` is taken as it is.
 * @returns the name, -EINVAL for a bad pattern, -ENFILE where every number is taken or the plain name is in use
 */
export function devAllocName(net: Net, pattern: string): string | number {
  if (!devValidName(pattern)) return -Errno.EINVAL
  const percent = pattern.indexOf('%')
  if (percent < 0) return net.devicesByName.has(pattern) ? -Errno.ENFILE : pattern
  if (pattern[percent + 1] !== 'd' || pattern.includes('%', percent + 2)) return -Errno.EINVAL
  const head = pattern.slice(0, percent)
  const tail = pattern.slice(percent + 2)
  for (let unit = 0; unit < MAX_UNITS; unit++) {
    const name = (head + unit + tail).slice(0, IFNAMSIZ - 1)
    if (!net.devicesByName.has(name)) return name
  }
  return -Errno.ENFILE
}

/**
 * Checks a name, or a pattern, for use in a namespace (dev_get_valid_name).
 * @returns the name to use, -EINVAL or -EEXIST, -ENFILE
 */
export function devGetValidName(net: Net, name: string): string | number {
  if (!devValidName(name)) return -Errno.EINVAL
  if (name.includes('%')) return devAllocName(net, name)
  return net.devicesByName.has(name) ? -Errno.EEXIST : name
}

/** Renames a device that is down (dev_change_name). @returns 0, -EBUSY, -EINVAL, -EEXIST */
export function devChangeName(dev: NetDevice, newName: string): number {
  const { net } = dev
  if ((dev.flags & IFF_UP) !== 0) return -Errno.EBUSY
  if (newName === dev.name) return 0
  const oldName = dev.name
  const name = devGetValidName(net, newName)
  if (typeof name === 'number') return name
  setName(dev, name)
  const oldAssign = dev.nameAssignType
  dev.nameAssignType = NET_NAME_RENAMED
  const rc = net.kernel.netdevChain.call('CHANGENAME', dev, {})
  if (rc < 0) {
    setName(dev, oldName)
    dev.nameAssignType = oldAssign
    net.kernel.netdevChain.call('CHANGENAME', dev, {})
  }
  return rc
}

function setName(dev: NetDevice, name: string): void {
  const names = dev.net.devicesByName
  names.delete(dev.name)
  dev.name = name
  names.set(name, dev)
}

/** Adds an alternative name (netdev_name_node_alt_create). @returns 0 or -EEXIST */
export function devAddAltname(dev: NetDevice, name: string): number {
  if (dev.net.devicesByName.has(name)) return -Errno.EEXIST
  dev.altnames.push(name)
  dev.net.devicesByName.set(name, dev)
  return 0
}

/** Takes one out (netdev_name_node_alt_destroy). @returns 0, -ENOENT where nothing has the name, -EINVAL where it is not this device's alternative */
export function devDelAltname(dev: NetDevice, name: string): number {
  const holder = dev.net.devicesByName.get(name)
  if (holder === undefined) return -Errno.ENOENT
  const i = dev.altnames.indexOf(name)
  if (holder !== dev || i < 0) return -Errno.EINVAL
  dev.altnames.splice(i, 1)
  dev.net.devicesByName.delete(name)
  return 0
}
