/** How multicast addresses map to link addresses, by type of device (RFC 2464 §7 and the like). */
import { ARPHRD_ETHER, ARPHRD_IPGRE } from '../../uapi/if.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type In6Addr, mcastEtherAddress } from './addr.ts'

/**
 * @param sending a packet goes out now: devices without a mapping use their broadcast address; otherwise the question
 * is which address the hardware must listen to
 * @returns the link address of a group on a device, or undefined where there is none
 */
export function ndiscMcMap(addr: In6Addr, dev: NetDevice, sending: boolean): Uint8Array | undefined {
  if (dev.type === ARPHRD_ETHER) return mcastEtherAddress(addr)
  if (dev.type === ARPHRD_IPGRE) return dev.broadcast.some(byte => byte !== 0) ? dev.broadcast.slice() : undefined
  return sending ? dev.broadcast.slice(0, dev.addrLen) : undefined
}
