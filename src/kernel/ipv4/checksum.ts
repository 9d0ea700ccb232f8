/** The Internet checksum (RFC 1071) and its incremental update (RFC 1624). Sums are kept unfolded, in host order. */

/**
 * Adds bytes to a sum (csum_partial).
 * @param at first byte @param len bytes @param sum what was summed before, unfolded @returns the unfolded sum, below 2^48
 */
export function csumPartial(buf: Uint8Array, at: number, len: number, sum: number): number {
  const end = at + len
  let i = at
  // four words at a time: a packet's worth of them cannot overflow 2^53
  for (const last = end - 7; i < last; i += 8)
    sum +=
      ((buf[i]! << 8) | buf[i + 1]!) +
      ((buf[i + 2]! << 8) | buf[i + 3]!) +
      ((buf[i + 4]! << 8) | buf[i + 5]!) +
      ((buf[i + 6]! << 8) | buf[i + 7]!)
  for (const last = end - 1; i < last; i += 2) sum += (buf[i]! << 8) | buf[i + 1]!
  if (i < end) sum += buf[i]! << 8
  return sum
}

/** @returns a sum folded to 16 bits, not complemented */
export function csumFold16(sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000)
  return sum
}

/** @returns the complement of a folded sum: what goes into a checksum field (csum_fold) */
export function csumFold(sum: number): number {
  return ~csumFold16(sum) & 0xffff
}

/** @returns the checksum of bytes (ip_compute_csum) */
export function ipComputeCsum(buf: Uint8Array, at: number, len: number): number {
  return csumFold(csumPartial(buf, at, len, 0))
}

/** @returns the checksum over an IPv4 header whose length is `ihl` words; 0 where its field is right (ip_fast_csum) */
export function ipFastCsum(buf: Uint8Array, at: number, ihl: number): number {
  // a header without options, which is nearly every one
  let sum =
    ((buf[at]! + buf[at + 2]! + buf[at + 4]! + buf[at + 6]! + buf[at + 8]!) << 8) +
    ((buf[at + 10]! + buf[at + 12]! + buf[at + 14]! + buf[at + 16]! + buf[at + 18]!) << 8) +
    (buf[at + 1]! + buf[at + 3]! + buf[at + 5]! + buf[at + 7]! + buf[at + 9]!) +
    (buf[at + 11]! + buf[at + 13]! + buf[at + 15]! + buf[at + 17]! + buf[at + 19]!)
  for (let i = at + 20, end = at + ihl * 4; i < end; i += 2) sum += (buf[i]! << 8) | buf[i + 1]!
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** @returns the unfolded sum of the pseudo header of UDP and TCP (RFC 768). Addresses in host order */
export function csumTcpudpNofold(saddr: number, daddr: number, len: number, proto: number, sum: number): number {
  return sum + (saddr >>> 16) + (saddr & 0xffff) + (daddr >>> 16) + (daddr & 0xffff) + proto + len
}

/** @returns the checksum field's value for a segment whose bytes sum to `sum` (csum_tcpudp_magic) */
export function csumTcpudpMagic(saddr: number, daddr: number, len: number, proto: number, sum: number): number {
  return csumFold(csumTcpudpNofold(saddr, daddr, len, proto, sum))
}

/** @returns a checksum field after a 16-bit word under it has changed (RFC 1624, equation 3; csum_replace2) */
export function csumReplace2(check: number, from: number, to: number): number {
  return csumFold((~check & 0xffff) + (~from & 0xffff) + to)
}

/** @returns a checksum field after a 32-bit word under it has changed (csum_replace4) */
export function csumReplace4(check: number, from: number, to: number): number {
  const sum = (~check & 0xffff) + (~(from >>> 16) & 0xffff) + (~from & 0xffff) + (to >>> 16) + (to & 0xffff)
  return csumFold(sum)
}
