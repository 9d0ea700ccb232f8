/** The device of an ipvlan: addresses of its own on another device, whose link address it shares. */
import { ETH_P_IP, ETH_P_IPV6, IFF_ALLMULTI, IFF_NOARP, IFF_UP } from '../../../uapi/if.ts'
import { devMcSync, devMcUnsync, devUcSync, devUcUnsync } from '../../core/dev_addr_lists.ts'
import { devSetAllmulti } from '../../core/dev_flags.ts'
import { devForwardSkb } from '../../core/dev_forward.ts'
import { ETH_HLEN, ETH_MAX_MTU, etherSetup } from '../../core/ethernet.ts'
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
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_HW_VLAN_STAG_FILTER,
  NETIF_F2_RXCSUM,
} from '../../core/features.ts'
import {
  type HeaderOps,
  IFF_NO_QUEUE,
  IFF_TX_SKB_SHARING,
  IFF_UNICAST_FLT,
  IFF_XMIT_DST_RELEASE,
  LINK_STATE_DORMANT,
  LINK_STATE_NOCARRIER,
  NET_XMIT_CN,
  NET_XMIT_DROP,
  NET_XMIT_SUCCESS,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
} from '../../core/net_device.ts'
import type { SkBuff } from '../../core/skbuff.ts'
import { FLOWI_FLAG_ANYSRC, Flowi4 } from '../../ipv4/flow.ts'
import { OFF_DADDR, OFF_PROTOCOL, OFF_SADDR, OFF_TOS } from '../../ipv4/ip.ts'
import { ipLocalOut } from '../../ipv4/ip_output.ts'
import { ipRouteOutputKey } from '../../ipv4/route_output.ts'
import { Flowi6 } from '../../ipv6/flowi6.ts'
import { flowinfoAt, OFF_DADDR as OFF_DADDR6, OFF_NEXTHDR, OFF_SADDR as OFF_SADDR6 } from '../../ipv6/ip6.ts'
import { ip6LocalOut } from '../../ipv6/ip6_output.ts'
import { ip6RouteOutput } from '../../ipv6/route.ts'
import {
  IPVLAN_F_PRIVATE,
  IPVLAN_F_VEPA,
  IPVLAN_MODE_L2,
  type Ipvlan,
  ipvlanPortDestroy,
  ipvlanPriv,
  ipvlanRcvLocal,
} from './ipvlan_port.ts'

const FEATURES =
  NETIF_F_SG |
  NETIF_F_HW_CSUM |
  NETIF_F_HIGHDMA |
  NETIF_F_FRAGLIST |
  NETIF_F_GSO_SOFTWARE |
  NETIF_F_GRO |
  NETIF_F_HW_VLAN_CTAG_FILTER
const FEATURES2 = NETIF_F2_RXCSUM | NETIF_F2_GSO_SOFTWARE | NETIF_F2_HW_VLAN_STAG_FILTER
const ALWAYS_ON = NETIF_F_GSO_ROBUST | NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ENCAP_ALL | NETIF_F_LLTX
const STATE_MASK = LINK_STATE_NOCARRIER | LINK_STATE_DORMANT

/** Frames bear the lower device's address, whatever the ipvlan's may be. */
const headerOps: HeaderOps = {
  create(skb, dev, type, daddr, saddr, len) {
    const { phy } = ipvlanPriv(dev)
    return phy.headerOps!.create(skb, phy, type, daddr, saddr ?? phy.devAddr, len)
  },
  parse: skb => skb.buf.subarray(skb.macHeader + 6, skb.macHeader + 12),
}

const fl4 = new Flowi4()
const fl6 = new Flowi6()

function word(buf: Uint8Array, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0
}

function fail(skb: SkBuff, dev: NetDevice): number {
  dev.stats.txErrors++
  skb.free('ipvlan_process_outbound')
  return NET_XMIT_DROP
}

function outbound4(skb: SkBuff, { dev, phy }: Ipvlan): number {
  const { buf, data: at } = skb
  fl4.clear()
  fl4.oif = phy.ifindex
  fl4.tos = buf[at + OFF_TOS]! & 0x1e
  fl4.flags = FLOWI_FLAG_ANYSRC
  fl4.proto = buf[at + OFF_PROTOCOL]!
  fl4.mark = skb.mark
  fl4.daddr = word(buf, at + OFF_DADDR)
  fl4.saddr = word(buf, at + OFF_SADDR)
  const rt = ipRouteOutputKey(phy.net, fl4)
  if (typeof rt === 'number') return fail(skb, dev)
  skb.dst = rt
  return ipLocalOut(skb) === 0 ? NET_XMIT_SUCCESS : NET_XMIT_DROP
}

function outbound6(skb: SkBuff, { dev, phy }: Ipvlan): number {
  const { buf, data: at } = skb
  fl6.clear()
  fl6.oif = phy.ifindex
  fl6.flags = FLOWI_FLAG_ANYSRC
  fl6.proto = buf[at + OFF_NEXTHDR]!
  fl6.mark = skb.mark
  fl6.flowlabel = flowinfoAt(buf, at)
  for (let i = 0; i < 16; i++) {
    fl6.daddr[i] = buf[at + OFF_DADDR6 + i]!
    fl6.saddr[i] = buf[at + OFF_SADDR6 + i]!
  }
  const rt = ip6RouteOutput(phy.net, 0, fl6)
  if (rt.error !== 0) return fail(skb, dev)
  skb.dst = rt
  return ip6LocalOut(phy.net, skb) === 0 ? NET_XMIT_SUCCESS : NET_XMIT_DROP
}

/** In the layer 3 modes, packets go on by the routes of the lower device's namespace (ipvlan_process_outbound). */
function outbound(skb: SkBuff, vlan: Ipvlan): number {
  const { protocol } = skb
  if ((skb.buf[skb.data]! & 1) !== 0) return fail(skb, vlan.dev)
  skb.pull(ETH_HLEN)
  skb.resetNetworkHeader()
  skb.dstDrop()
  if (protocol === ETH_P_IPV6 && skb.len >= 40) return outbound6(skb, vlan)
  if (protocol === ETH_P_IP && skb.len >= 20) return outbound4(skb, vlan)
  return fail(skb, vlan.dev)
}

function xmitL3(skb: SkBuff, vlan: Ipvlan): number {
  const { port } = vlan
  if ((port.flags & IPVLAN_F_VEPA) === 0) {
    const dest = port.lookup(skb, skb.data + ETH_HLEN, skb.protocol)
    if (dest !== undefined) {
      if ((port.flags & IPVLAN_F_PRIVATE) !== 0) {
        skb.consume()
        return NET_XMIT_DROP
      }
      ipvlanRcvLocal(dest, skb)
      return NET_XMIT_SUCCESS
    }
  }
  return outbound(skb, vlan)
}

function xmitL2(skb: SkBuff, vlan: Ipvlan): number {
  const { port, phy, dev } = vlan
  const { buf, data: frame } = skb
  const { netcore } = dev.net.kernel
  if ((buf[frame]! & 1) !== 0) {
    skb.resetMacHeader()
    port.flood(skb, frame, dev)
  } else if ((port.flags & IPVLAN_F_VEPA) === 0) {
    let own = true
    for (let i = 0; i < 6; i++) if (buf[frame + i] !== buf[frame + 6 + i]) own = false
    if (own) {
      const dest = port.lookup(skb, frame + ETH_HLEN, skb.protocol)
      if (dest === undefined) {
        // for the lower device itself
        devForwardSkb(phy, skb)
        return NET_XMIT_SUCCESS
      }
      if ((port.flags & IPVLAN_F_PRIVATE) !== 0) {
        skb.consume()
        return NET_XMIT_DROP
      }
      ipvlanRcvLocal(dest, skb)
      return NET_XMIT_SUCCESS
    }
  }
  skb.dev = phy
  return netcore.queueXmit(skb)
}

const ops: NetDeviceOps = {
  init(dev) {
    const { phy, port } = ipvlanPriv(dev)
    dev.state = (dev.state & ~STATE_MASK) | (phy.state & STATE_MASK)
    dev.features |= (phy.features & FEATURES) | ALWAYS_ON
    dev.features2 |= (phy.features2 & FEATURES2) | NETIF_F2_GSO_SOFTWARE
    dev.vlanFeatures = (phy.vlanFeatures & FEATURES) | NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ENCAP_ALL
    dev.hwEncFeatures |= dev.features
    dev.tsoMaxSize = phy.tsoMaxSize
    dev.tsoMaxSegs = phy.tsoMaxSegs
    dev.hardHeaderLen = phy.hardHeaderLen
    port.count++
    return 0
  },
  uninit(dev) {
    const { phy, port } = ipvlanPriv(dev)
    port.count--
    if (port.count === 0) ipvlanPortDestroy(phy)
  },
  open(dev) {
    if (ipvlanPriv(dev).port.mode === IPVLAN_MODE_L2) dev.flags &= ~IFF_NOARP
    else dev.flags |= IFF_NOARP
    return 0
  },
  stop(dev) {
    const { phy } = ipvlanPriv(dev)
    devUcUnsync(phy, dev)
    devMcUnsync(phy, dev)
    return 0
  },
  startXmit(skb, dev) {
    const vlan = ipvlanPriv(dev)
    const { len } = skb
    const rc = vlan.port.mode === IPVLAN_MODE_L2 ? xmitL2(skb, vlan) : xmitL3(skb, vlan)
    if (rc === NET_XMIT_SUCCESS || rc === NET_XMIT_CN) {
      dev.stats.txPackets++
      dev.stats.txBytes += len
    } else dev.stats.txDropped++
    return NETDEV_TX_OK
  },
  changeRxFlags(dev, changed) {
    const { phy } = ipvlanPriv(dev)
    if ((dev.flags & IFF_UP) !== 0 && (changed & IFF_ALLMULTI) !== 0)
      devSetAllmulti(phy, (dev.flags & IFF_ALLMULTI) !== 0 ? 1 : -1)
  },
  setRxMode(dev) {
    const { phy } = ipvlanPriv(dev)
    devUcSync(phy, dev)
    devMcSync(phy, dev)
  },
  getIflink: dev => ipvlanPriv(dev).phy.ifindex,
  getLinkKsettings: dev => {
    const { phy } = ipvlanPriv(dev)
    return phy.ops.getLinkKsettings?.(phy)
  },
}

/** Fills in a fresh ipvlan (ipvlan_link_setup). */
export function ipvlanSetup(dev: NetDevice): void {
  etherSetup(dev)
  dev.maxMtu = ETH_MAX_MTU
  dev.privFlags &= ~(IFF_XMIT_DST_RELEASE | IFF_TX_SKB_SHARING)
  dev.privFlags |= IFF_UNICAST_FLT | IFF_NO_QUEUE
  dev.ops = ops
  dev.headerOps = headerOps
}
