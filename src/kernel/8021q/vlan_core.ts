/** VLANs in the receive path: the tag comes out of the frame, and the frame to the device of its VLAN. */

import { ETH_P_802_2, IFF_UP } from '../../uapi/if.ts'
import { VLAN_HLEN, vlanInsertTag } from '../core/dev_offload.ts'
import { ETH_P_802_3_MIN } from '../core/ethernet.ts'
import { IFF_BRIDGE_PORT, IFF_MACVLAN_PORT, type NetDevice } from '../core/net_device.ts'
import { PACKET_HOST, PACKET_MULTICAST, PACKET_OTHERHOST, type SkBuff } from '../core/skbuff.ts'
import { VLAN_FLAG_REORDER_HDR, type VlanDevPriv, type VlanInfo } from './vlan.ts'

/**
 * Takes the tag of a received frame into the skb's metadata (skb_vlan_untag).
 * @returns false where the frame was too short and has been dropped
 */
export function skbVlanUntag(skb: SkBuff): boolean {
  if (skb.len < VLAN_HLEN + 2) {
    skb.free('skb_vlan_untag')
    return false
  }
  skb.unshare()
  const { buf, data } = skb
  skb.vlanProto = skb.protocol
  skb.vlanTci = (buf[data]! << 8) | buf[data + 1]!
  const inner = (buf[data + 2]! << 8) | buf[data + 3]!
  skb.protocol = inner >= ETH_P_802_3_MIN ? inner : ETH_P_802_2
  // the addresses move up to the inner type field
  buf.copyWithin(skb.macHeader + VLAN_HLEN, skb.macHeader, data - 2)
  skb.macHeader += VLAN_HLEN
  skb.data = data + VLAN_HLEN
  skb.resetNetworkHeader()
  skb.resetTransportHeader()
  return true
}

/**
 * Finds the device of a tagged frame (vlan_do_receive): the frame is its from now on.
 * @returns the device, undefined where the VLAN has none, null where the frame was dropped because it is down
 */
export function vlanDoReceive(skb: SkBuff): NetDevice | undefined | null {
  const info = skb.dev!.vlanInfo as VlanInfo | undefined
  if (info === undefined) return undefined
  const dev = info.group(skb.vlanProto)[skb.vlanTci & 0xfff]
  if (dev === undefined) return undefined
  if ((dev.flags & IFF_UP) === 0) {
    skb.free('vlan_do_receive', 'DEV_READY')
    return null
  }
  skb.dev = dev
  if (skb.pktType === PACKET_OTHERHOST && isDestination(skb, dev.devAddr)) skb.pktType = PACKET_HOST
  const vlan = dev.priv as VlanDevPriv
  if ((vlan.flags & VLAN_FLAG_REORDER_HDR) === 0 && (dev.privFlags & (IFF_MACVLAN_PORT | IFF_BRIDGE_PORT)) === 0) {
    const offset = skb.data - skb.macHeader
    skb.push(offset)
    vlanInsertTag(skb, skb.vlanProto, skb.vlanTci)
    skb.pull(offset + VLAN_HLEN)
  }
  skb.priority = vlan.ingress[skb.vlanTci >> 13]!
  skb.vlanProto = 0
  skb.vlanTci = 0
  dev.stats.rxPackets++
  dev.stats.rxBytes += skb.len
  if (skb.pktType === PACKET_MULTICAST) dev.stats.multicast++
  return dev
}

function isDestination(skb: SkBuff, address: Uint8Array): boolean {
  const { buf, macHeader } = skb
  for (let i = 0; i < 6; i++) if (buf[macHeader + i] !== address[i]) return false
  return true
}
