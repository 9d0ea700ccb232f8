/** Virtual CAN: `vcan`, whose frames stay here, and `vxcan`, a pair joined like a veth. See the kernel document can. */
import { Errno } from '../../uapi/errno.ts'
import { IFF_NOARP, IFF_UP } from '../../uapi/if.ts'
import { linkData } from '../../uapi/if_link.ts'
import type { LinkMessage } from '../../uapi/rtnetlink.ts'
import { registerNetdevice, unregisterNetdevice } from '../core/dev_core.ts'
import { netifCarrierOff, netifCarrierOn } from '../core/link_watch.ts'
import type { KernelModule } from '../core/module.ts'
import {
  IFF_NO_QUEUE,
  NET_RX_SUCCESS,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import { rtnlConfigureLink, rtnlCreateLink, rtnlLinkGetNet } from '../core/rtnl_link_create.ts'

const ARPHRD_CAN = 280
/** Bytes of a CAN and of a CAN FD frame. */
const CAN_MTU = 16
const CANFD_MTU = 72

function changeMtu(dev: NetDevice, mtu: number): number {
  if ((dev.flags & IFF_UP) !== 0) return -Errno.EBUSY
  if (mtu !== CAN_MTU && mtu !== CANFD_MTU) return -Errno.EINVAL
  dev.mtu = mtu
  return 0
}

function setup(dev: NetDevice): void {
  dev.type = ARPHRD_CAN
  dev.mtu = CANFD_MTU
  dev.flags = IFF_NOARP
  dev.privFlags |= IFF_NO_QUEUE
}

/** The link type `vcan`. */
export const vcanLinkOps: RtnlLinkOps = {
  kind: 'vcan',
  setup(dev) {
    setup(dev)
    dev.ops = {
      startXmit(skb, each) {
        each.stats.txPackets++
        each.stats.txBytes += skb.len
        skb.consume()
        return NETDEV_TX_OK
      },
      changeMtu,
    }
  },
}

/** One end of a pair. */
class Vxcan {
  peer: NetDevice | undefined
}

function peerOf(dev: NetDevice): NetDevice | undefined {
  return (dev.priv as Vxcan).peer
}

const ops: NetDeviceOps = {
  open(dev) {
    const peer = peerOf(dev)
    if (peer === undefined) return -Errno.ENOTCONN
    if ((peer.flags & IFF_UP) !== 0) {
      netifCarrierOn(dev)
      netifCarrierOn(peer)
    }
    return 0
  },
  stop(dev) {
    netifCarrierOff(dev)
    const peer = peerOf(dev)
    if (peer !== undefined) netifCarrierOff(peer)
    return 0
  },
  startXmit(skb, dev) {
    const peer = peerOf(dev)
    if (peer === undefined || (peer.flags & IFF_UP) === 0) {
      dev.stats.txDropped++
      skb.free('vxcan_xmit')
      return NETDEV_TX_OK
    }
    const { len } = skb
    skb.dev = peer
    skb.resetMacHeader()
    if (dev.net.kernel.netcore.netifRx(skb) === NET_RX_SUCCESS) {
      dev.stats.txPackets++
      dev.stats.txBytes += len
      peer.stats.rxPackets++
      peer.stats.rxBytes += len
    }
    return NETDEV_TX_OK
  },
  changeMtu,
  getIflink: dev => peerOf(dev)?.ifindex ?? 0,
}

const NO_MESSAGE: LinkMessage = { type: 16, flags: 0, family: 0, hatype: 0, index: 0, ifFlags: 0, change: 0, attrs: {} }

/** The link type `vxcan`. */
export const vxcanLinkOps: RtnlLinkOps = {
  kind: 'vxcan',
  hasData: true,
  setup(dev) {
    setup(dev)
    dev.ops = ops
    dev.priv = new Vxcan()
  },
  newlink(srcNet, dev, msg, extack, ctx) {
    const given = linkData(msg.attrs.linkinfo, 'vxcan')?.peer
    const peerMsg: LinkMessage = given ?? { ...msg, index: 0, ifFlags: 0, change: 0 }
    const named = given?.attrs.ifname !== undefined && given.attrs.ifname !== ''
    const net = rtnlLinkGetNet(ctx, srcNet, peerMsg.attrs)
    if (typeof net === 'number') return net
    const peer = rtnlCreateLink(net, named ? given.attrs.ifname! : 'vxcan%d', vxcanLinkOps, peerMsg, extack)
    if (typeof peer === 'number') return peer
    if (given !== undefined) peer.ifindex = given.index
    let rc = registerNetdevice(peer)
    if (rc < 0) return rc
    netifCarrierOff(peer)
    rc = rtnlConfigureLink(peer, given ?? NO_MESSAGE)
    if (rc >= 0) {
      if (msg.attrs.ifname === undefined || msg.attrs.ifname === '') dev.name = 'vxcan%d'
      rc = registerNetdevice(dev)
    }
    if (rc < 0) {
      unregisterNetdevice(peer)
      return rc
    }
    netifCarrierOff(dev)
    ;(dev.priv as Vxcan).peer = peer
    ;(peer.priv as Vxcan).peer = dev
    return 0
  },
  dellink(dev, kill) {
    const peer = peerOf(dev)
    ;(dev.priv as Vxcan).peer = undefined
    kill.push(dev)
    if (peer === undefined) return
    ;(peer.priv as Vxcan).peer = undefined
    kill.push(peer)
  },
  getLinkNet: dev => peerOf(dev)?.net ?? dev.net,
}

/** The modules. */
export const vcanModule: KernelModule = {
  name: 'vcan',
  aliases: ['rtnl-link-vcan'],
  depends: ['can_dev'],
  init: kernel => registerLinkOps(kernel, vcanLinkOps),
}
export const vxcanModule: KernelModule = {
  name: 'vxcan',
  aliases: ['rtnl-link-vxcan'],
  depends: ['can_dev'],
  init: kernel => registerLinkOps(kernel, vxcanLinkOps),
}
