/** Sending frames out of ports: to one, or to all that may have them. */
import { isSkbForwardable } from '../core/dev_forward.ts'
import { ETH_HLEN } from '../core/ethernet.ts'
import type { SkBuff } from '../core/skbuff.ts'
import {
  BR_BCAST_FLOOD,
  BR_CB_PROXYARP_REPLIED,
  BR_CB_SRC_ISOLATED,
  BR_FLOOD,
  BR_HAIRPIN_MODE,
  BR_ISOLATED,
  BR_MCAST_FLOOD,
  BR_NEIGH_SUPPRESS,
  BR_PROXYARP,
  BR_PROXYARP_WIFI,
  BR_STATE_FORWARDING,
  type NetBridge,
  type NetBridgePort,
} from './br.ts'
import { brAllowedEgress, brHandleVlan } from './br_vlan.ts'

/** What a frame's destination is (`br_pkt_type`). */
export const BR_PKT_UNICAST = 0
export const BR_PKT_MULTICAST = 1
export const BR_PKT_BROADCAST = 2

/** @returns whether a frame may leave by a port */
function shouldDeliver(port: NetBridgePort, skb: SkBuff): boolean {
  return (
    ((port.flags & BR_HAIRPIN_MODE) !== 0 || skb.dev !== port.dev) &&
    port.state === BR_STATE_FORWARDING &&
    brAllowedEgress(port.vlans, skb) &&
    ((skb.cbFlags & BR_CB_SRC_ISOLATED) === 0 || (port.flags & BR_ISOLATED) === 0)
  )
}

/** Sends the frame out of a port and takes it over; `data` is behind the link header (__br_forward). */
function forward(port: NetBridgePort, skb: SkBuff): void {
  const { br, dev } = port
  if (!brHandleVlan(br, port.vlans, skb)) return
  skb.dev = dev
  skb.tstamp = 0
  const { netcore } = dev.net.kernel
  if (netcore.bridgeForward !== undefined && !netcore.bridgeForward(skb, dev)) return
  skb.push(ETH_HLEN)
  if (!isSkbForwardable(dev, skb)) {
    skb.free('br_dev_queue_push_xmit')
    return
  }
  netcore.queueXmit(skb)
}

/** @param keep the frame is still needed: a copy is sent */
function deliver(port: NetBridgePort, skb: SkBuff, keep: boolean): void {
  forward(port, keep ? skb.clone() : skb)
}

/**
 * Sends a frame to the port where its destination is, or that port's backup (br_forward).
 * @param keep the bridge itself gets the frame too @param to undefined: the destination is the bridge's own
 */
export function brForward(to: NetBridgePort | undefined, skb: SkBuff, keep: boolean): void {
  let port = to
  if (port?.backupPort !== undefined && !port.dev.carrier) port = port.backupPort
  if (port !== undefined && shouldDeliver(port, skb)) deliver(port, skb, keep)
  else if (!keep) skb.free('br_forward')
}

/** Sends a frame to every port that floods (br_flood). @param keep the bridge itself gets it too */
export function brFlood(br: NetBridge, skb: SkBuff, type: number, keep: boolean): void {
  const own = skb.dev === br.dev
  const replied = (skb.cbFlags & BR_CB_PROXYARP_REPLIED) !== 0
  let last: NetBridgePort | undefined
  const { ports } = br
  for (let i = 0; i < ports.length; i++) {
    const port = ports[i]!
    const { flags } = port
    if (type === BR_PKT_UNICAST) {
      if ((flags & BR_FLOOD) === 0) continue
    } else if ((flags & (type === BR_PKT_MULTICAST ? BR_MCAST_FLOOD : BR_BCAST_FLOOD)) === 0 && !own) continue
    if ((flags & BR_PROXYARP) !== 0) continue
    if (replied && (flags & (BR_PROXYARP_WIFI | BR_NEIGH_SUPPRESS)) !== 0) continue
    if (!shouldDeliver(port, skb)) continue
    if (last !== undefined) deliver(last, skb, true)
    last = port
  }
  if (last !== undefined) deliver(last, skb, keep)
  else if (!keep) skb.free('br_flood')
}

/** Sends a frame to the ports of a group and to those with routers, each once (br_multicast_flood). */
export function brMulticastFlood(ports: readonly NetBridgePort[], skb: SkBuff, keep: boolean): void {
  let last: NetBridgePort | undefined
  for (const port of ports) {
    if (!shouldDeliver(port, skb)) continue
    if (last !== undefined) deliver(last, skb, true)
    last = port
  }
  if (last !== undefined) deliver(last, skb, keep)
  else if (!keep) skb.free('br_multicast_flood')
}
