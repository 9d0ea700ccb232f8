/** The Internet checksum (RFC 1071) over IPv6's pseudo header (RFC 8200 §8.1). */

/** @returns the 32-bit partial sum of bytes `at` to `end`, added to `sum`; odd lengths count a zero byte behind */
export function csumPartial(buf: Uint8Array, at: number, end: number, sum = 0): number {
  let i = at
  const last = end - 1
  for (; i < last; i += 2) sum += (buf[i]! << 8) | buf[i + 1]!
  if (i === last) sum += buf[i]! << 8
  // at most 68 KB of 16-bit words: the sum stays below 2^53
  return sum
}

/** @returns the folded and complemented sum, 16 bits */
export function csumFold(sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

/**
 * @param buf holds both addresses one after the other at `addrs`, as a header does
 * @returns the pseudo header's part of the sum. @param len of the upper layer's header and data, bytes
 */
export function csumPseudo(buf: Uint8Array, addrs: number, proto: number, len: number, sum = 0): number {
  sum = csumPartial(buf, addrs, addrs + 32, sum)
  return sum + proto + (len & 0xffff) + Math.floor(len / 0x10000)
}

/** The same with the addresses apart. */
export function csumPseudoAddrs(saddr: Uint8Array, daddr: Uint8Array, proto: number, len: number, sum = 0): number {
  sum = csumPartial(saddr, 0, 16, sum)
  sum = csumPartial(daddr, 0, 16, sum)
  return sum + proto + (len & 0xffff) + Math.floor(len / 0x10000)
}
