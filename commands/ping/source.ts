/** Whether a source address is one of the device that -I names. */
import type { Process } from '../../src/uapi/process.ts'
import { interfaceAddresses } from '../lib/interfaces.ts'

/** @returns whether `device` has the address */
export function deviceHasAddress(proc: Process, device: string, family: number, addr: Uint8Array): boolean {
  return interfaceAddresses(proc).some(
    entry => entry.name === device && entry.family === family && entry.addr.every((byte, i) => byte === addr[i]),
  )
}
