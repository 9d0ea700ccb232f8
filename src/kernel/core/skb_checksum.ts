/** The transport checksum of packets: finishing a partial one, and checking one that nobody has checked yet. */
import { csumFold, csumPartial } from '../ipv4/checksum.ts'
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, CHECKSUM_UNNECESSARY, type SkBuff } from './skbuff.ts'

/** Stores the checksum that was left to the device (skb_checksum_help): CHECKSUM_PARTIAL becomes CHECKSUM_NONE. */
export function skbChecksumHelp(skb: SkBuff): void {
  if (skb.ipSummed !== CHECKSUM_PARTIAL) return
  skb.unshare()
  const { buf, csumStart } = skb
  const at = csumStart + skb.csumOffset
  // the field holds the pseudo header's sum, so that it counts like the other bytes
  const check = csumFold(csumPartial(buf, csumStart, skb.tail - csumStart, 0)) || 0xffff
  buf[at] = check >> 8
  buf[at + 1] = check & 0xff
  skb.ipSummed = CHECKSUM_NONE
}

/** @returns whether the checksum need not be looked at: the device has, or the packet never left the host (skb_csum_unnecessary) */
export function skbCsumUnnecessary(skb: SkBuff): boolean {
  return skb.ipSummed === CHECKSUM_UNNECESSARY || skb.ipSummed === CHECKSUM_PARTIAL
}
