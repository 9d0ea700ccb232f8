/** ioctl(2) on sockets for devices, see netdevice(7): what rtnetlink has no message for. */
import { Errno } from '../../uapi/errno.ts'
import { type IoctlRequest, SIOCADDMULTI, SIOCDELMULTI } from '../../uapi/ioctl.ts'
import { devMcAddGlobal, devMcDelGlobal } from './dev_addr_lists.ts'
import type { Net } from './net_namespace.ts'

/**
 * Answers a request of a socket of this namespace.
 * @returns 0, -ENOTTY for a request that is none for devices, -ENODEV, -EINVAL where the device keeps no such list
 */
export function devIoctl(net: Net, request: IoctlRequest): number {
  if (request.request !== SIOCADDMULTI && request.request !== SIOCDELMULTI) return -Errno.ENOTTY
  const dev = net.devByName(request.ifname)
  if (dev === undefined) return -Errno.ENODEV
  if (dev.ops.setRxMode === undefined) return -Errno.EINVAL
  const address = new Uint8Array(dev.addrLen)
  address.set(request.hwaddr.subarray(0, dev.addrLen))
  return request.request === SIOCADDMULTI ? devMcAddGlobal(dev, address) : devMcDelGlobal(dev, address)
}
