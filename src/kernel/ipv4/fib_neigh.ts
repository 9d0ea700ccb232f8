/** What routing asks about neighbours: the state of a gateway's entry. */
import { AF_INET, AF_INET6 } from '../../uapi/socket.ts'
import { neighTables } from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'

/** @returns the NUD_… state of an IPv4 neighbour, undefined where there is no entry. @param addr host order */
export function neighState4(dev: NetDevice, addr: number): number | undefined {
  return neighTables(dev.net.kernel).get(AF_INET)?.lookup4(addr, dev)?.nudState
}

/** @returns the same of an IPv6 neighbour. @param addr 16 bytes */
export function neighState6(dev: NetDevice, addr: Uint8Array | undefined): number | undefined {
  if (addr === undefined) return undefined
  return neighTables(dev.net.kernel).get(AF_INET6)?.find(addr, dev)?.nudState
}
