/** Who takes every frame of a device before the protocols: at most one of bridge, bond, macvlan … */
import { Errno } from '../../uapi/errno.ts'
import { IFF_NO_RX_HANDLER, type NetDevice, type RxHandler } from './net_device.ts'

/** Sets a device's handler (netdev_rx_handler_register). @returns 0, -EBUSY where there is one, -EINVAL where none is allowed */
export function netdevRxHandlerRegister(dev: NetDevice, handler: RxHandler, data: unknown): number {
  if (dev.rxHandler !== undefined) return -Errno.EBUSY
  if ((dev.privFlags & IFF_NO_RX_HANDLER) !== 0) return -Errno.EINVAL
  dev.rxHandlerData = data
  dev.rxHandler = handler
  return 0
}

/** Takes it away (netdev_rx_handler_unregister). */
export function netdevRxHandlerUnregister(dev: NetDevice): void {
  dev.rxHandler = undefined
  dev.rxHandlerData = undefined
}
