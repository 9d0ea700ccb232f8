/** IPv4 addresses between netlink's bytes (network order) and the kernel's unsigned numbers (host order). */

/** @returns the address in 4 bytes; 0 where there are none */
export function addrFromBytes(bytes: Uint8Array | undefined): number {
  if (bytes === undefined || bytes.length < 4) return 0
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0
}

/** @returns 4 bytes */
export function addrToBytes(addr: number): Uint8Array {
  return Uint8Array.of(addr >>> 24, (addr >>> 16) & 0xff, (addr >>> 8) & 0xff, addr & 0xff)
}

/** @returns dotted decimal, for the kernel's log and /proc */
export function addrText(addr: number): string {
  return `${addr >>> 24}.${(addr >>> 16) & 0xff}.${(addr >>> 8) & 0xff}.${addr & 0xff}`
}
