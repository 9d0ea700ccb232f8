/** Handing a frame from one device to another as if it had just arrived there: veth, macvlan, tunnels. */
import { IFF_UP } from '../../uapi/if.ts'
import type { NetDevice } from './net_device.ts'
import { PACKET_HOST, type SkBuff } from './skbuff.ts'

/** Bytes of a VLAN tag. */
const VLAN_HLEN = 4

/** @returns whether a device may be given the frame: it is up, and the frame is not longer than its mtu lets it be (is_skb_forwardable) */
export function isSkbForwardable(dev: NetDevice, skb: SkBuff): boolean {
  if ((dev.flags & IFF_UP) === 0) return false
  return skb.len <= dev.mtu + dev.hardHeaderLen + VLAN_HLEN || skb.gsoSize !== 0
}

/** Clears what a packet learned on its way here (skb_scrub_packet). @param crossNet it also leaves its namespace */
export function skbScrubPacket(skb: SkBuff, crossNet: boolean): void {
  skb.pktType = PACKET_HOST
  skb.iif = 0
  skb.dst = null
  const ct = skb.nfct
  if (ct !== null) {
    ct.put()
    skb.nfct = null
  }
  skb.nfctinfo = 0
  skb.nfTrace = false
  skb.tstamp = 0
  if (!crossNet) return
  skb.mark = 0
}
