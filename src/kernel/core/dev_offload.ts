/**
 * What the stack does in place of a device that cannot: VLAN tags put into the frame, checksums completed
 * (validate_xmit_skb).
 */
import { ETH_P_8021AD } from '../../uapi/if.ts'
import { NETIF_F_CSUM_MASK, NETIF_F_HW_VLAN_CTAG_TX, NETIF_F2_HW_VLAN_STAG_TX } from './features.ts'
import type { NetDevice } from './net_device.ts'
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, type SkBuff } from './skbuff.ts'

/** Bytes of a VLAN tag. */
export const VLAN_HLEN = 4
/** Bytes of the two addresses before the type field. */
const ADDRESSES = 12

/** Puts a tag into a frame behind its addresses (vlan_insert_tag); `data` is at the link header. */
export function vlanInsertTag(skb: SkBuff, proto: number, tci: number): void {
  skb.cow(VLAN_HLEN)
  const at = skb.push(VLAN_HLEN)
  const { buf } = skb
  buf.copyWithin(at, at + VLAN_HLEN, at + VLAN_HLEN + ADDRESSES)
  buf[at + 12] = proto >> 8
  buf[at + 13] = proto & 0xff
  buf[at + 14] = tci >> 8
  buf[at + 15] = tci & 0xff
  skb.macHeader = at
}

/** Moves the tag of a packet from its metadata into the frame (__vlan_hwaccel_push_inside). */
export function vlanHwaccelPushInside(skb: SkBuff): void {
  vlanInsertTag(skb, skb.vlanProto, skb.vlanTci)
  skb.protocol = skb.vlanProto
  skb.vlanProto = 0
  skb.vlanTci = 0
}

/** @returns the ones'-complement sum of bytes, not folded, as a number below 2^32 */
function csumPartial(buf: Uint8Array, from: number, to: number): number {
  let sum = 0
  let i = from
  for (; i + 1 < to; i += 2) sum += (buf[i]! << 8) | buf[i + 1]!
  if (i < to) sum += buf[i]! << 8
  return sum
}

/** Stores a transport checksum that was left for the device (skb_checksum_help). */
export function skbChecksumHelp(skb: SkBuff): void {
  const at = skb.csumStart + skb.csumOffset
  skb.unshare()
  let sum = csumPartial(skb.buf, skb.csumStart, skb.tail)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  const checksum = ~sum & 0xffff
  // zero would mean there is none
  const stored = checksum === 0 ? 0xffff : checksum
  skb.buf[at] = stored >> 8
  skb.buf[at + 1] = stored & 0xff
  skb.ipSummed = CHECKSUM_NONE
}

/** Makes a frame one that the device can send (validate_xmit_skb, but for segmentation). */
export function validateXmitSkb(skb: SkBuff, dev: NetDevice): void {
  if (skb.vlanProto !== 0) {
    const able =
      skb.vlanProto === ETH_P_8021AD
        ? (dev.features2 & NETIF_F2_HW_VLAN_STAG_TX) !== 0
        : (dev.features & NETIF_F_HW_VLAN_CTAG_TX) !== 0
    if (!able) vlanHwaccelPushInside(skb)
  }
  if (skb.ipSummed === CHECKSUM_PARTIAL && skb.gsoSize === 0 && (dev.features & NETIF_F_CSUM_MASK) === 0)
    skbChecksumHelp(skb)
}
