/** Handing a frame from one device to another as if it had just arrived there: veth, macvlan, tunnels. */
import { IFF_UP } from '../../uapi/if.ts'
import { ethTypeTrans } from './ethernet.ts'
import { NET_RX_DROP, type NetDevice } from './net_device.ts'
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

/** Readies a frame that starts with its link header to arrive on another device (__dev_forward_skb). @returns whether it may; if not, it is freed */
export function prepareForward(dev: NetDevice, skb: SkBuff): boolean {
  if (!isSkbForwardable(dev, skb)) {
    dev.stats.rxDropped++
    skb.free('__dev_forward_skb')
    return false
  }
  skbScrubPacket(skb, skb.dev?.net !== dev.net)
  skb.priority = 0
  skb.protocol = ethTypeTrans(skb, dev)
  return true
}

/** Hands a frame from one device to another as if it had just arrived there (dev_forward_skb). @returns NET_RX_… */
export function devForwardSkb(dev: NetDevice, skb: SkBuff): number {
  return prepareForward(dev, skb) ? dev.net.kernel.netcore.netifRx(skb) : NET_RX_DROP
}
