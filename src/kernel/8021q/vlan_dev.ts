/** The device of a VLAN: sends with a tag by its lower device, and keeps that one's filters. */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_8021AD, ETH_P_8021Q, IFF_ALLMULTI, IFF_MASTER, IFF_PROMISC, IFF_SLAVE, IFF_UP } from '../../uapi/if.ts'
import { devMcSync, devMcUnsync, devUcAdd, devUcDel, devUcSync, devUcUnsync } from '../core/dev_addr_lists.ts'
import { devSetAllmulti, devSetPromiscuity } from '../core/dev_flags.ts'
import { VLAN_HLEN } from '../core/dev_offload.ts'
import {
  ETH_ALEN,
  ETH_MAX_MTU,
  etherAddrEqual,
  etherSetup,
  isValidEtherAddr,
  isZeroEtherAddr,
} from '../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_HW_VLAN_CTAG_TX,
  NETIF_F_LLTX,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_HW_VLAN_STAG_TX,
  NETIF_F2_SCTP_CRC,
} from '../core/features.ts'
import { netifCarrierOff, netifCarrierOn } from '../core/link_watch.ts'
import {
  type HeaderOps,
  IFF_802_1Q_VLAN,
  IFF_NO_QUEUE,
  IFF_TX_SKB_SHARING,
  IFF_UNICAST_FLT,
  IFF_XMIT_DST_RELEASE,
  IFF_XMIT_DST_RELEASE_PERM,
  LINK_STATE_DORMANT,
  LINK_STATE_NOCARRIER,
  LINK_STATE_PRESENT,
  NET_ADDR_STOLEN,
  NET_XMIT_CN,
  NET_XMIT_SUCCESS,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
} from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import {
  VLAN_FLAG_BRIDGE_BINDING,
  VLAN_FLAG_LOOSE_BINDING,
  VLAN_FLAG_REORDER_HDR,
  type VlanDevPriv,
  vlanPriv,
} from './vlan.ts'

const FEATURES =
  NETIF_F_HW_CSUM | NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ENCAP_ALL | NETIF_F_HIGHDMA
const FEATURES2 = NETIF_F2_GSO_SOFTWARE | NETIF_F2_SCTP_CRC

/** Takes over the lower device's address where the VLAN has none of its own. @returns whether it did */
export function vlanDevInheritAddress(dev: NetDevice, realDev: NetDevice): boolean {
  if (dev.addrAssignType !== NET_ADDR_STOLEN) return false
  dev.devAddr = realDev.devAddr.slice()
  dev.net.kernel.netdevChain.call('CHANGEADDR', dev, {})
  return true
}

/** Follows a change of the lower device's address: inherits it, or has the lower device listen to the VLAN's own (vlan_sync_address). */
export function vlanSyncAddress(realDev: NetDevice, dev: NetDevice): void {
  const vlan = vlanPriv(dev)
  const old = vlan.realDevAddr
  if (etherAddrEqual(old, realDev.devAddr)) return
  if (!vlanDevInheritAddress(dev, realDev)) {
    const wasOwn = !etherAddrEqual(dev.devAddr, old)
    const isOwn = !etherAddrEqual(dev.devAddr, realDev.devAddr)
    if (wasOwn && !isOwn) devUcDel(realDev, dev.devAddr)
    else if (!wasOwn && isOwn) devUcAdd(realDev, dev.devAddr)
  }
  vlan.realDevAddr = realDev.devAddr.slice()
}

/** Header of a VLAN on a device that inserts tags itself: only the lower device's. */
const passthruHeaderOps: HeaderOps = {
  create(skb, dev, type, daddr, saddr, len) {
    const { realDev } = dev.priv as VlanDevPriv
    return realDev.headerOps!.create(skb, realDev, type, daddr, saddr ?? dev.devAddr, len)
  },
  parse: skb => skb.buf.subarray(skb.macHeader + 6, skb.macHeader + 12),
}

/** Header of a VLAN elsewhere: without reordering, the tag is part of it. */
const headerOps: HeaderOps = {
  create(skb, dev, type, daddr, saddr, len) {
    const vlan = dev.priv as VlanDevPriv
    let lead = 0
    let outer = type
    if ((vlan.flags & VLAN_FLAG_REORDER_HDR) === 0) {
      const at = skb.push(VLAN_HLEN)
      const tci = vlan.id | vlan.egressTci(skb.priority)
      skb.buf[at] = tci >> 8
      skb.buf[at + 1] = tci & 0xff
      skb.buf[at + 2] = type >> 8
      skb.buf[at + 3] = type & 0xff
      skb.protocol = vlan.proto
      outer = vlan.proto
      lead = VLAN_HLEN
    }
    const { realDev } = vlan
    const rc = realDev.headerOps!.create(skb, realDev, outer, daddr, saddr ?? dev.devAddr, len + lead)
    return rc > 0 ? rc + lead : rc
  },
  parse: passthruHeaderOps.parse,
}

function startXmit(skb: SkBuff, dev: NetDevice): number {
  const vlan = dev.priv as VlanDevPriv
  const type = (skb.buf[skb.data + 12]! << 8) | skb.buf[skb.data + 13]!
  if ((vlan.flags & VLAN_FLAG_REORDER_HDR) !== 0 || type !== vlan.proto) {
    // a tag that is already there moves into the frame
    skb.vlanProto = vlan.proto
    skb.vlanTci = vlan.id | vlan.egressTci(skb.priority)
  }
  skb.dev = vlan.realDev
  const { len } = skb
  const rc = dev.net.kernel.netcore.queueXmit(skb)
  if (rc === NET_XMIT_SUCCESS || rc === NET_XMIT_CN) {
    dev.stats.txPackets++
    dev.stats.txBytes += len
  } else dev.stats.txDropped++
  return NETDEV_TX_OK
}

const ops: NetDeviceOps = {
  init(dev) {
    const vlan = vlanPriv(dev)
    const { realDev } = vlan
    dev.flags = realDev.flags & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_MASTER | IFF_SLAVE)
    dev.state = (realDev.state & (LINK_STATE_NOCARRIER | LINK_STATE_DORMANT)) | LINK_STATE_PRESENT
    if ((vlan.flags & VLAN_FLAG_BRIDGE_BINDING) !== 0) dev.state |= LINK_STATE_NOCARRIER
    dev.hwFeatures = FEATURES
    dev.hwFeatures2 = FEATURES2
    dev.features |= FEATURES | NETIF_F_LLTX
    dev.features2 |= FEATURES2
    dev.tsoMaxSize = realDev.tsoMaxSize
    dev.tsoMaxSegs = realDev.tsoMaxSegs
    dev.vlanFeatures = realDev.vlanFeatures
    dev.vlanFeatures2 = realDev.vlanFeatures2
    if (isZeroEtherAddr(dev.devAddr)) {
      dev.devAddr = realDev.devAddr.slice()
      dev.addrAssignType = NET_ADDR_STOLEN
    }
    if (isZeroEtherAddr(dev.broadcast)) dev.broadcast = realDev.broadcast.slice()
    dev.neededHeadroom = realDev.neededHeadroom
    const offloads =
      vlan.proto === ETH_P_8021AD
        ? (realDev.features2 & NETIF_F2_HW_VLAN_STAG_TX) !== 0
        : (realDev.features & NETIF_F_HW_VLAN_CTAG_TX) !== 0
    dev.headerOps = offloads ? passthruHeaderOps : headerOps
    dev.hardHeaderLen = realDev.hardHeaderLen + (offloads ? 0 : VLAN_HLEN)
    return 0
  },
  open(dev) {
    const vlan = vlanPriv(dev)
    const { realDev } = vlan
    if ((realDev.flags & IFF_UP) === 0 && (vlan.flags & VLAN_FLAG_LOOSE_BINDING) === 0) return -Errno.ENETDOWN
    if (!etherAddrEqual(dev.devAddr, realDev.devAddr) && !vlanDevInheritAddress(dev, realDev)) {
      const rc = devUcAdd(realDev, dev.devAddr)
      if (rc < 0) return rc
    }
    if ((dev.flags & IFF_ALLMULTI) !== 0) devSetAllmulti(realDev, 1)
    if ((dev.flags & IFF_PROMISC) !== 0) devSetPromiscuity(realDev, 1)
    vlan.realDevAddr = realDev.devAddr.slice()
    if (realDev.carrier && (vlan.flags & VLAN_FLAG_BRIDGE_BINDING) === 0) netifCarrierOn(dev)
    return 0
  },
  stop(dev) {
    const vlan = vlanPriv(dev)
    const { realDev } = vlan
    devMcUnsync(realDev, dev)
    devUcUnsync(realDev, dev)
    if ((dev.flags & IFF_ALLMULTI) !== 0) devSetAllmulti(realDev, -1)
    if ((dev.flags & IFF_PROMISC) !== 0) devSetPromiscuity(realDev, -1)
    if (!etherAddrEqual(dev.devAddr, realDev.devAddr)) devUcDel(realDev, dev.devAddr)
    if ((vlan.flags & VLAN_FLAG_BRIDGE_BINDING) === 0) netifCarrierOff(dev)
    return 0
  },
  startXmit,
  changeMtu(dev, mtu) {
    if (mtu > vlanPriv(dev).realDev.mtu) return -Errno.ERANGE
    dev.mtu = mtu
    return 0
  },
  setMacAddress(dev, address) {
    const { realDev } = vlanPriv(dev)
    if (!isValidEtherAddr(address)) return -Errno.EADDRNOTAVAIL
    if ((dev.flags & IFF_UP) !== 0) {
      if (!etherAddrEqual(address, realDev.devAddr)) {
        const rc = devUcAdd(realDev, address)
        if (rc < 0) return rc
      }
      if (!etherAddrEqual(dev.devAddr, realDev.devAddr)) devUcDel(realDev, dev.devAddr)
    }
    dev.devAddr = address
    return 0
  },
  changeRxFlags(dev, changed) {
    const { realDev } = vlanPriv(dev)
    if ((dev.flags & IFF_UP) === 0) return
    if ((changed & IFF_ALLMULTI) !== 0) devSetAllmulti(realDev, (dev.flags & IFF_ALLMULTI) !== 0 ? 1 : -1)
    if ((changed & IFF_PROMISC) !== 0) devSetPromiscuity(realDev, (dev.flags & IFF_PROMISC) !== 0 ? 1 : -1)
  },
  setRxMode(dev) {
    const { realDev } = vlanPriv(dev)
    devMcSync(realDev, dev)
    devUcSync(realDev, dev)
  },
  getIflink: dev => vlanPriv(dev).realDev.ifindex,
  getLinkKsettings: dev => {
    const { realDev } = vlanPriv(dev)
    return realDev.ops.getLinkKsettings?.(realDev)
  },
}

/** Fills in a fresh VLAN device; its lower device comes with the request (vlan_setup). */
export function vlanSetup(dev: NetDevice): void {
  etherSetup(dev)
  dev.privFlags |= IFF_802_1Q_VLAN | IFF_NO_QUEUE | IFF_UNICAST_FLT
  dev.privFlags &= ~(IFF_TX_SKB_SHARING | IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM)
  dev.ops = ops
  dev.devType = 'vlan'
  dev.minMtu = 0
  dev.maxMtu = ETH_MAX_MTU
  dev.broadcast = new Uint8Array(ETH_ALEN)
}

/** @returns whether a protocol number is that of a VLAN tag */
export function ethTypeVlan(type: number): boolean {
  return type === ETH_P_8021Q || type === ETH_P_8021AD
}
