/** Numbers and checksums of traceroute. */
import { scanInteger } from '../lib/number.ts'

/** Reads an unsigned number of any base; what follows it is ignored. @returns undefined where there is none */
export function leadingUnsigned(word: string): number | undefined {
  const { value, length } = scanInteger(word, 0)
  return length === 0 ? undefined : Number(BigInt.asUintN(32, value))
}

/** @returns the internet checksum (RFC 1071), never 0 */
export function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff || 0xffff
}
