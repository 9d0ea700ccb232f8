/**
 * What the stack does in place of a device that cannot: VLAN tags put into the frame, checksums completed
 * (validate_xmit_skb).
 */
import { ETH_P_8021AD } from '../../uapi/if.ts'
import { NETIF_F_CSUM_MASK, NETIF_F_HW_VLAN_CTAG_TX, NETIF_F2_HW_VLAN_STAG_TX } from './features.ts'
import type { NetDevice } from './net_device.ts'
import { skbChecksumHelp } from './skb_checksum.ts'
import { CHECKSUM_PARTIAL, type SkBuff } from './skbuff.ts'

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
