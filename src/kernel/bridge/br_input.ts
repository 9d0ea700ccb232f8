/** Frames that come in on a port: what is learned from them and where they go. */
import { IFF_PROMISC } from '../../uapi/if.ts'
import { RX_HANDLER_CONSUMED, RX_HANDLER_PASS } from '../core/net_device.ts'
import { PACKET_HOST, PACKET_LOOPBACK, type SkBuff } from '../core/skbuff.ts'
import {
  BR_CB_SRC_ISOLATED,
  BR_ISOLATED,
  BR_LEARNING,
  BR_NO_STP,
  BR_PORT_LOCKED,
  BR_STATE_DISABLED,
  BR_STATE_FORWARDING,
  BR_STATE_LEARNING,
  BROPT_NO_LL_LEARN,
  type NetBridge,
  type NetBridgePort,
} from './br.ts'
import { fdbUpdate } from './br_fdb.ts'
import {
  BR_PKT_BROADCAST,
  BR_PKT_MULTICAST,
  BR_PKT_UNICAST,
  brFlood,
  brForward,
  brMulticastFlood,
} from './br_forward.ts'
import { brMulticastRcv, multicastTargets } from './br_multicast.ts'
import { brAllowedEgress, brAllowedIngress, brHandleVlan, brShouldLearn, ingress } from './br_vlan.ts'

/** Last bytes of reserved group addresses (IEEE 802.1D table 7-10). */
const GROUP_BRIDGE = 0x00
const GROUP_PAUSE = 0x01

/** @returns whether a frame goes to one of 01:80:c2:00:00:00 to :0f, which bridges do not forward by themselves */
function isLinkLocal(buf: Uint8Array, at: number): boolean {
  return (
    buf[at] === 0x01 &&
    buf[at + 1] === 0x80 &&
    buf[at + 2] === 0xc2 &&
    buf[at + 3] === 0 &&
    buf[at + 4] === 0 &&
    (buf[at + 5]! & 0xf0) === 0
  )
}

/** A frame for the port itself and not for the bridge: only its sender is learned (br_handle_local_finish). */
function localFinish(port: NetBridgePort, skb: SkBuff): void {
  const { br } = port
  if ((port.flags & BR_LEARNING) === 0 || !port.learns || br.opt(BROPT_NO_LL_LEARN)) return
  const vid = brShouldLearn(port, skb)
  if (vid >= 0) fdbUpdate(br, port, skb, vid)
}

/** Hands a frame to the bridge's own device (br_pass_frame_up). */
export function brPassFrameUp(br: NetBridge, skb: SkBuff): void {
  const { dev } = br
  dev.stats.rxPackets++
  dev.stats.rxBytes += skb.len
  if ((dev.flags & IFF_PROMISC) === 0 && !brAllowedEgress(br.vlans, skb)) {
    skb.free('br_pass_frame_up')
    return
  }
  skb.dev = dev
  if (!brHandleVlan(br, br.vlans, skb)) return
  dev.net.kernel.netcore.netifReceiveSkb(skb)
}

/** Where a frame goes that may come in (br_handle_frame_finish). */
function handleFrameFinish(port: NetBridgePort, skb: SkBuff): void {
  const { br } = port
  if (port.state === BR_STATE_DISABLED) {
    skb.free('br_handle_frame_finish')
    return
  }
  if (!brAllowedIngress(br, port.vlans, skb, port.state)) return
  const { vid, state } = ingress
  const { buf, macHeader: at } = skb
  if ((port.flags & BR_PORT_LOCKED) !== 0) {
    const source = br.fdb.find(buf, at + 6, vid)
    if (source === undefined || source.dst !== port || source.local) {
      skb.free('br_handle_frame_finish')
      return
    }
  }
  if ((port.flags & BR_LEARNING) !== 0 && port.learns) fdbUpdate(br, port, skb, vid)
  let type = BR_PKT_UNICAST
  let up = (br.dev.flags & IFF_PROMISC) !== 0
  if ((buf[at]! & 1) !== 0) {
    if (isBroadcast(buf, at)) {
      type = BR_PKT_BROADCAST
      up = true
    } else {
      type = BR_PKT_MULTICAST
      if (!brMulticastRcv(br, port, skb, vid)) {
        skb.free('br_handle_frame_finish')
        return
      }
    }
  }
  if (state === BR_STATE_LEARNING) {
    skb.free('br_handle_frame_finish')
    return
  }
  if ((port.flags & BR_ISOLATED) !== 0) skb.cbFlags |= BR_CB_SRC_ISOLATED
  if (type === BR_PKT_UNICAST) {
    const entry = br.fdb.find(buf, at, vid)
    if (entry !== undefined) {
      if (entry.local) {
        brPassFrameUp(br, skb)
        return
      }
      entry.used = br.dev.net.kernel.clock.now
      brForward(entry.dst, skb, up)
    } else brFlood(br, skb, type, up)
  } else if (type === BR_PKT_MULTICAST) {
    const targets = multicastTargets(br, skb, vid)
    if (targets === undefined || targets.host) {
      up = true
      br.dev.stats.multicast++
    }
    if (targets === undefined) brFlood(br, skb, type, up)
    else brMulticastFlood(targets.ports, skb, up)
  } else brFlood(br, skb, type, up)
  if (up) brPassFrameUp(br, skb)
}

function isBroadcast(buf: Uint8Array, at: number): boolean {
  for (let i = 0; i < 6; i++) if (buf[at + i] !== 0xff) return false
  return true
}

/** The rx handler of a port (br_handle_frame). */
export function brHandleFrame(skb: SkBuff): number {
  if (skb.pktType === PACKET_LOOPBACK) return RX_HANDLER_PASS
  const port = skb.dev!.rxHandlerData as NetBridgePort
  const { buf, macHeader: at } = skb
  const { br } = port
  if ((buf[at + 6]! & 1) !== 0 || isZero(buf, at + 6)) {
    skb.free('br_handle_frame')
    return RX_HANDLER_CONSUMED
  }
  skb.cbFlags = 0
  if (isLinkLocal(buf, at)) {
    const group = buf[at + 5]!
    if (group === GROUP_PAUSE) {
      skb.free('br_handle_frame')
      return RX_HANDLER_CONSUMED
    }
    let mask = br.groupFwdMaskRequired | port.groupFwdMask
    if (group !== GROUP_BRIDGE) mask |= br.groupFwdMask
    // without a spanning tree its frames must pass, so that others see loops
    const passed = (mask & (1 << group)) !== 0 || (group === GROUP_BRIDGE && br.stpEnabled === BR_NO_STP)
    if (!passed) {
      localFinish(port, skb)
      return RX_HANDLER_PASS
    }
  }
  if (port.state !== BR_STATE_FORWARDING && port.state !== BR_STATE_LEARNING) {
    skb.free('br_handle_frame')
    return RX_HANDLER_CONSUMED
  }
  const own = br.dev.devAddr
  let i = 0
  while (i < 6 && buf[at + i] === own[i]) i++
  if (i === 6) skb.pktType = PACKET_HOST
  const { netcore } = br.dev.net.kernel
  if (netcore.bridgePrerouting !== undefined && !netcore.bridgePrerouting(skb, port.dev)) return RX_HANDLER_CONSUMED
  handleFrameFinish(port, skb)
  return RX_HANDLER_CONSUMED
}

function isZero(buf: Uint8Array, at: number): boolean {
  for (let i = 0; i < 6; i++) if (buf[at + i] !== 0) return false
  return true
}
