/** The device of a macvlan: an address of its own on another device. */
import { Errno } from '../../../uapi/errno.ts'
import { IFF_ALLMULTI, IFF_PROMISC, IFF_UP } from '../../../uapi/if.ts'
import { NLM_F_REPLACE } from '../../../uapi/netlink.ts'
import type { NeighMessage } from '../../../uapi/rtnetlink.ts'
import {
  devMcAddExcl,
  devMcDel,
  devMcSync,
  devMcUnsync,
  devUcAdd,
  devUcAddExcl,
  devUcDel,
  devUcSync,
  devUcUnsync,
} from '../../core/dev_addr_lists.ts'
import { devSetMacAddress } from '../../core/dev_config.ts'
import { devSetAllmulti, devSetPromiscuity } from '../../core/dev_flags.ts'
import { devForwardSkb } from '../../core/dev_forward.ts'
import { ETH_MAX_MTU, etherAddrEqual, etherSetup, isMulticastEtherAddr, isValidEtherAddr } from '../../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GRO,
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_GSO_ROBUST,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_HW_VLAN_CTAG_FILTER,
  NETIF_F_LLTX,
  NETIF_F_LRO,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_HW_VLAN_STAG_FILTER,
  NETIF_F2_RXCSUM,
  NETIF_F2_SCTP_CRC,
} from '../../core/features.ts'
import {
  type HeaderOps,
  IFF_NO_QUEUE,
  IFF_TX_SKB_SHARING,
  IFF_UNICAST_FLT,
  LINK_STATE_DORMANT,
  LINK_STATE_NOCARRIER,
  NET_XMIT_CN,
  NET_XMIT_SUCCESS,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
} from '../../core/net_device.ts'
import type { SkBuff } from '../../core/skbuff.ts'
import {
  MACVLAN_FLAG_NOPROMISC,
  MACVLAN_MODE_BRIDGE,
  MACVLAN_MODE_PASSTHRU,
  macvlanPortDestroy,
  macvlanPriv,
} from './macvlan_port.ts'

/** What a macvlan takes over from its lower device, and what it has anyway. */
const FEATURES =
  NETIF_F_SG |
  NETIF_F_HW_CSUM |
  NETIF_F_HIGHDMA |
  NETIF_F_FRAGLIST |
  NETIF_F_GSO_SOFTWARE |
  NETIF_F_LRO |
  NETIF_F_GRO |
  NETIF_F_HW_VLAN_CTAG_FILTER
const FEATURES2 = NETIF_F2_RXCSUM | NETIF_F2_SCTP_CRC | NETIF_F2_GSO_SOFTWARE | NETIF_F2_HW_VLAN_STAG_FILTER
const ALWAYS_ON = NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ROBUST | NETIF_F_GSO_ENCAP_ALL | NETIF_F_LLTX
const STATE_MASK = LINK_STATE_NOCARRIER | LINK_STATE_DORMANT

const headerOps: HeaderOps = {
  create(skb, dev, type, daddr, saddr, len) {
    const { lower } = macvlanPriv(dev)
    return lower.headerOps!.create(skb, lower, type, daddr, saddr ?? dev.devAddr, len)
  },
  parse: skb => skb.buf.subarray(skb.macHeader + 6, skb.macHeader + 12),
}

/** In bridge mode, frames for siblings turn around here (macvlan_queue_xmit). */
function queueXmit(skb: SkBuff, dev: NetDevice): number {
  const vlan = macvlanPriv(dev)
  const { lower, port } = vlan
  if (vlan.mode === MACVLAN_MODE_BRIDGE) {
    if ((skb.buf[skb.data]! & 1) !== 0) {
      skb.resetMacHeader()
      port.broadcast(skb, skb.data, dev, MACVLAN_MODE_BRIDGE, true)
    } else {
      const dest = port.lookup(skb.buf, skb.data)
      if (dest?.mode === MACVLAN_MODE_BRIDGE) {
        // by way of the lower device, whose taps see it
        devForwardSkb(lower, skb)
        return NET_XMIT_SUCCESS
      }
    }
  }
  skb.dev = lower
  return dev.net.kernel.netcore.queueXmit(skb)
}

function startXmit(skb: SkBuff, dev: NetDevice): number {
  const { len } = skb
  const rc = queueXmit(skb, dev)
  if (rc === NET_XMIT_SUCCESS || rc === NET_XMIT_CN) {
    dev.stats.txPackets++
    dev.stats.txBytes += len
  } else dev.stats.txDropped++
  return NETDEV_TX_OK
}

/** Changes the address, and with it the lower device's filter (macvlan_sync_address). */
export function macvlanSyncAddress(dev: NetDevice, address: Uint8Array): number {
  const { lower, port } = macvlanPriv(dev)
  if ((dev.flags & IFF_UP) !== 0) {
    if (port.addrBusy(address)) return -Errno.EADDRINUSE
    if (!port.passthru) {
      const rc = devUcAdd(lower, address)
      if (rc < 0) return rc
      devUcDel(lower, dev.devAddr)
    }
  }
  dev.devAddr = address.slice()
  if (port.passthru && !port.addrChange) port.savedAddress = lower.devAddr.slice()
  port.addrChange = false
  return 0
}

function fdbChange(dev: NetDevice, msg: NeighMessage, add: boolean): number {
  const address = msg.attrs.lladdr!
  const group = isMulticastEtherAddr(address)
  if (!macvlanPriv(dev).port.passthru && !group) return -Errno.EOPNOTSUPP
  if (add && (msg.flags & NLM_F_REPLACE) !== 0) return -Errno.EOPNOTSUPP
  if (group) return add ? devMcAddExcl(dev, address) : devMcDel(dev, address)
  return add ? devUcAddExcl(dev, address) : devUcDel(dev, address)
}

const ops: NetDeviceOps = {
  init(dev) {
    const { lower, port } = macvlanPriv(dev)
    dev.state = (dev.state & ~STATE_MASK) | (lower.state & STATE_MASK)
    dev.features |= (lower.features & FEATURES) | ALWAYS_ON
    dev.features2 |= (lower.features2 & FEATURES2) | NETIF_F2_GSO_SOFTWARE
    dev.hwFeatures |= NETIF_F_LRO
    dev.vlanFeatures = (lower.vlanFeatures & FEATURES) | NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ENCAP_ALL
    dev.hwEncFeatures |= dev.features
    dev.tsoMaxSize = lower.tsoMaxSize
    dev.tsoMaxSegs = lower.tsoMaxSegs
    dev.hardHeaderLen = lower.hardHeaderLen
    port.count++
    return 0
  },
  uninit(dev) {
    const { lower, port } = macvlanPriv(dev)
    port.count--
    if (port.count === 0) macvlanPortDestroy(lower)
  },
  open(dev) {
    const vlan = macvlanPriv(dev)
    const { lower, port } = vlan
    if (port.passthru) {
      if ((vlan.flags & MACVLAN_FLAG_NOPROMISC) === 0) devSetPromiscuity(lower, 1)
    } else {
      if (port.addrBusy(dev.devAddr)) return -Errno.EADDRINUSE
      const rc = devUcAdd(lower, dev.devAddr)
      if (rc < 0) return rc
      if ((dev.flags & IFF_ALLMULTI) !== 0) devSetAllmulti(lower, 1)
      if ((dev.flags & IFF_PROMISC) !== 0) devSetPromiscuity(lower, 1)
    }
    port.hashAdd(vlan)
    return 0
  },
  stop(dev) {
    const vlan = macvlanPriv(dev)
    const { lower, port } = vlan
    devUcUnsync(lower, dev)
    devMcUnsync(lower, dev)
    if (port.passthru) {
      if ((vlan.flags & MACVLAN_FLAG_NOPROMISC) === 0) devSetPromiscuity(lower, -1)
    } else {
      if ((dev.flags & IFF_ALLMULTI) !== 0) devSetAllmulti(lower, -1)
      if ((dev.flags & IFF_PROMISC) !== 0) devSetPromiscuity(lower, -1)
      devUcDel(lower, dev.devAddr)
    }
    port.hashDel(vlan)
    return 0
  },
  startXmit,
  changeRxFlags(dev, changed) {
    const { lower, port } = macvlanPriv(dev)
    if ((dev.flags & IFF_UP) === 0) return
    if ((changed & IFF_ALLMULTI) !== 0) devSetAllmulti(lower, (dev.flags & IFF_ALLMULTI) !== 0 ? 1 : -1)
    if (!port.passthru && (changed & IFF_PROMISC) !== 0)
      devSetPromiscuity(lower, (dev.flags & IFF_PROMISC) !== 0 ? 1 : -1)
  },
  setRxMode(dev) {
    const { lower } = macvlanPriv(dev)
    devUcSync(lower, dev)
    devMcSync(lower, dev)
  },
  setMacAddress(dev, address) {
    const vlan = macvlanPriv(dev)
    if (!isValidEtherAddr(address)) return -Errno.EADDRNOTAVAIL
    if (etherAddrEqual(dev.devAddr, address)) return 0
    if (vlan.mode === MACVLAN_MODE_PASSTHRU) {
      vlan.port.addrChange = true
      return devSetMacAddress(vlan.lower, address)
    }
    return vlan.port.addrBusy(address) ? -Errno.EADDRINUSE : macvlanSyncAddress(dev, address)
  },
  changeMtu(dev, mtu) {
    if (macvlanPriv(dev).lower.mtu < mtu) return -Errno.EINVAL
    dev.mtu = mtu
    return 0
  },
  getIflink: dev => macvlanPriv(dev).lower.ifindex,
  validateAddr: dev => (isValidEtherAddr(dev.devAddr) ? 0 : -Errno.EADDRNOTAVAIL),
  getLinkKsettings: dev => {
    const { lower } = macvlanPriv(dev)
    return lower.ops.getLinkKsettings?.(lower)
  },
  fdbAdd: (dev, msg) => fdbChange(dev, msg, true),
  fdbDel: (dev, msg) => fdbChange(dev, msg, false),
}

/** Fills in a fresh macvlan or macvtap (macvlan_common_setup). */
export function macvlanCommonSetup(dev: NetDevice): void {
  etherSetup(dev)
  dev.maxMtu = ETH_MAX_MTU
  dev.privFlags &= ~IFF_TX_SKB_SHARING
  dev.privFlags |= IFF_UNICAST_FLT
  dev.changeProtoDown = true
  dev.ops = ops
  dev.headerOps = headerOps
}

/** Fills in a fresh macvlan (macvlan_setup). */
export function macvlanSetup(dev: NetDevice): void {
  macvlanCommonSetup(dev)
  dev.privFlags |= IFF_NO_QUEUE
}
