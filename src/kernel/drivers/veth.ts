/** `veth`: two devices joined by a cable; what one sends, the other receives, see veth(4). */
import { Errno } from '../../uapi/errno.ts'
import { IFF_UP } from '../../uapi/if.ts'
import { linkData } from '../../uapi/if_link.ts'
import type { LinkAttrs, LinkMessage } from '../../uapi/rtnetlink.ts'
import { registerNetdevice, unregisterNetdevice } from '../core/dev_core.ts'
import { isSkbForwardable, skbScrubPacket } from '../core/dev_forward.ts'
import {
  ETH_HLEN,
  ETH_MAX_MTU,
  ETH_MIN_MTU,
  etherSetup,
  ethHwAddrRandom,
  ethMacAddr,
  ethTypeTrans,
} from '../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_HW_VLAN_CTAG_RX,
  NETIF_F_HW_VLAN_CTAG_TX,
  NETIF_F_LLTX,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_HW_VLAN_STAG_RX,
  NETIF_F2_HW_VLAN_STAG_TX,
  NETIF_F2_RXCSUM,
  NETIF_F2_SCTP_CRC,
} from '../core/features.ts'
import { netifCarrierOff, netifCarrierOn } from '../core/link_watch.ts'
import {
  IFF_LIVE_ADDR_CHANGE,
  IFF_NO_QUEUE,
  IFF_PHONY_HEADROOM,
  IFF_TX_SKB_SHARING,
  NET_RX_SUCCESS,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck, RtnlContext } from '../core/rtnetlink.ts'
import { rtnlConfigureLink, rtnlCreateLink, rtnlLinkGetNet } from '../core/rtnl_link_create.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { TSO_MAX_SIZE } from './loopback.ts'
import { validateEtherAddress } from './validate.ts'

/** The driver's state: the other end, and frames it could not hand over. */
class Veth {
  peer: NetDevice | undefined
  dropped = 0
}

function priv(dev: NetDevice): Veth {
  return dev.priv as Veth
}

/** @returns the other end of a veth, undefined while it goes away */
export function vethPeer(dev: NetDevice): NetDevice | undefined {
  return priv(dev).peer
}

const VLAN_FEATURES = NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX
const VLAN_FEATURES2 = NETIF_F2_HW_VLAN_STAG_TX | NETIF_F2_HW_VLAN_STAG_RX
const FEATURES =
  NETIF_F_SG |
  NETIF_F_FRAGLIST |
  NETIF_F_HW_CSUM |
  NETIF_F_HIGHDMA |
  NETIF_F_GSO_SOFTWARE |
  NETIF_F_GSO_ENCAP_ALL |
  VLAN_FEATURES
const FEATURES2 = NETIF_F2_RXCSUM | NETIF_F2_SCTP_CRC | NETIF_F2_GSO_SOFTWARE | VLAN_FEATURES2

function startXmit(skb: SkBuff, dev: NetDevice): number {
  const veth = dev.priv as Veth
  const peer = veth.peer
  if (peer === undefined || skb.len < ETH_HLEN) {
    veth.dropped++
    skb.free('veth_xmit')
    return NETDEV_TX_OK
  }
  const length = skb.len
  if (!isSkbForwardable(peer, skb)) {
    peer.stats.rxDropped++
    veth.dropped++
    skb.free('__dev_forward_skb')
    return NETDEV_TX_OK
  }
  skbScrubPacket(skb, peer.net !== dev.net)
  skb.priority = 0
  skb.protocol = ethTypeTrans(skb, peer)
  if (peer.net.kernel.netcore.netifRx(skb) === NET_RX_SUCCESS) {
    dev.stats.txPackets++
    dev.stats.txBytes += length
  } else veth.dropped++
  return NETDEV_TX_OK
}

const ops: NetDeviceOps = {
  /** every frame passes: there is no filter to set */
  setRxMode() {},
  startXmit,
  open(dev) {
    const { peer } = priv(dev)
    if (peer === undefined) return -Errno.ENOTCONN
    if ((peer.flags & IFF_UP) !== 0) {
      netifCarrierOn(dev)
      netifCarrierOn(peer)
    }
    return 0
  },
  stop(dev) {
    const { peer } = priv(dev)
    netifCarrierOff(dev)
    if (peer !== undefined) netifCarrierOff(peer)
    return 0
  },
  setMacAddress: ethMacAddr,
  getLinkKsettings: () => ({ speed: 10000, duplex: 'full' }),
  getIflink(dev) {
    return priv(dev).peer?.ifindex ?? 0
  },
  getStats64(dev, stats) {
    const veth = priv(dev)
    stats.txDropped += veth.dropped
    const { peer } = veth
    if (peer === undefined) return
    stats.rxPackets = peer.stats.txPackets
    stats.rxBytes = peer.stats.txBytes
    stats.rxDropped += priv(peer).dropped
  },
}

function setup(dev: NetDevice): void {
  etherSetup(dev)
  dev.privFlags &= ~IFF_TX_SKB_SHARING
  dev.privFlags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE | IFF_PHONY_HEADROOM
  dev.priv = new Veth()
  dev.ops = ops
  dev.features |= NETIF_F_LLTX | FEATURES
  dev.features2 |= FEATURES2
  dev.vlanFeatures = FEATURES & ~VLAN_FEATURES
  dev.vlanFeatures2 = FEATURES2 & ~VLAN_FEATURES2
  dev.maxMtu = ETH_MAX_MTU
  dev.hwFeatures = FEATURES
  dev.hwFeatures2 = FEATURES2
  dev.hwEncFeatures = FEATURES
  dev.tsoMaxSize = TSO_MAX_SIZE
}

const NO_MESSAGE: LinkMessage = { type: 16, flags: 0, family: 0, hatype: 0, index: 0, ifFlags: 0, change: 0, attrs: {} }

function validate(msg: LinkMessage, extack: NetlinkExtAck): number {
  const rc = validateEtherAddress(msg, extack)
  if (rc < 0) return rc
  const { mtu } = msg.attrs
  return mtu !== undefined && (mtu < ETH_MIN_MTU || mtu > ETH_MAX_MTU) ? -Errno.EINVAL : 0
}

/** One queue of the many is in use unless the request names a number (veth_init_queues). */
function initQueues(dev: NetDevice, attrs: LinkAttrs): void {
  if (attrs.numTxQueues === undefined) dev.realNumTxQueues = 1
  if (attrs.numRxQueues === undefined) dev.realNumRxQueues = 1
}

function newlink(srcNet: Net, dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck, ctx: RtnlContext): number {
  const given = linkData(msg.attrs.linkinfo, 'veth')?.peer
  // without a peer of its own the request describes both ends, but for the name
  const peerMsg: LinkMessage = given ?? { ...msg, index: 0, ifFlags: 0, change: 0 }
  const pattern =
    given?.attrs.ifname !== undefined && given.attrs.ifname !== '' ? given.attrs.ifname : `${vethLinkOps.kind}%d`
  if (given !== undefined) {
    const rc = validate(given, extack)
    if (rc < 0) return rc
  }
  const net = rtnlLinkGetNet(ctx, srcNet, peerMsg.attrs)
  if (typeof net === 'number') return net
  const peer = rtnlCreateLink(net, pattern, vethLinkOps, peerMsg, extack)
  if (typeof peer === 'number') return peer
  if (given === undefined || given.attrs.address === undefined) ethHwAddrRandom(peer)
  // an index for the peer counts only where the device itself is given one
  if (given !== undefined && dev.ifindex !== 0) peer.ifindex = given.index
  initQueues(peer, peerMsg.attrs)
  let rc = registerNetdevice(peer)
  if (rc < 0) return rc
  netifCarrierOff(peer)
  rc = rtnlConfigureLink(peer, given ?? NO_MESSAGE)
  if (rc < 0) {
    unregisterNetdevice(peer)
    return rc
  }
  if (msg.attrs.address === undefined) ethHwAddrRandom(dev)
  if (msg.attrs.ifname === undefined || msg.attrs.ifname === '') dev.name = `${vethLinkOps.kind}%d`
  initQueues(dev, msg.attrs)
  rc = registerNetdevice(dev)
  if (rc < 0) {
    unregisterNetdevice(peer)
    return rc
  }
  netifCarrierOff(dev)
  priv(dev).peer = peer
  priv(peer).peer = dev
  return 0
}

/** The link type. */
export const vethLinkOps: RtnlLinkOps = {
  kind: 'veth',
  hasData: true,
  setup,
  validate,
  newlink,
  dellink(dev, kill) {
    const veth = priv(dev)
    const { peer } = veth
    veth.peer = undefined
    kill.push(dev)
    if (peer === undefined) return
    priv(peer).peer = undefined
    kill.push(peer)
  },
  getNumTxQueues: net => net.kernel.cpus,
  getNumRxQueues: net => net.kernel.cpus,
  getLinkNet: dev => priv(dev).peer?.net ?? dev.net,
}
