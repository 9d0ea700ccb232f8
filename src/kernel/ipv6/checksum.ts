/** The pseudo header of IPv6 in checksums (RFC 8200 §8.1). The sums themselves are in ipv4/checksum.ts. */
import { csumPartial } from '../ipv4/checksum.ts'

export { csumFold, csumPartial } from '../ipv4/checksum.ts'

/**
 * @param buf holds both addresses one after the other at `addrs`, as a header does
 * @param len of the upper layer's header and data, bytes @returns the pseudo header's part of a sum, unfolded
 */
export function csumPseudo(buf: Uint8Array, addrs: number, proto: number, len: number, sum = 0): number {
  return csumPartial(buf, addrs, 32, sum) + proto + (len & 0xffff) + Math.floor(len / 0x10000)
}

/** The same with the addresses apart. */
export function csumPseudoAddrs(saddr: Uint8Array, daddr: Uint8Array, proto: number, len: number, sum = 0): number {
  const addrs = csumPartial(daddr, 0, 16, csumPartial(saddr, 0, 16, sum))
  return addrs + proto + (len & 0xffff) + Math.floor(len / 0x10000)
}
