/** `wireguard`: the device; without peers, which come by its own netlink family, it has nobody to send to. */
import { ARPHRD_NONE, ETH_P_IP, IFF_NOARP, IFF_POINTOPOINT } from '../../uapi/if.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_LLTX,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_RXCSUM,
} from '../core/features.ts'
import type { KernelModule } from '../core/module.ts'
import { IFF_NO_QUEUE, NETDEV_TX_OK, type NetDeviceOps, type RtnlLinkOps } from '../core/net_device.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import { icmpSend } from '../ipv4/icmp.ts'
import { ICMP_DEST_UNREACH, ICMP_HOST_UNREACH } from '../ipv4/icmp_types.ts'

/** Bytes that a packet grows by over IPv6: outer headers, message header, authentication tag. */
const OVERHEAD = 80
/** What an mtu can be at most: no overflow when headers and padding are added. */
const MAX_MTU = 0x7fffffff - 95

const FEATURES = NETIF_F_HW_CSUM | NETIF_F_SG | NETIF_F_GSO_SOFTWARE | NETIF_F_HIGHDMA | NETIF_F_FRAGLIST

const ops: NetDeviceOps = {
  startXmit(skb, dev) {
    if (skb.protocol === ETH_P_IP) icmpSend(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0)
    dev.stats.txErrors++
    skb.free('wg_xmit')
    return NETDEV_TX_OK
  },
}

/** The link type. */
export const wireguardLinkOps: RtnlLinkOps = {
  kind: 'wireguard',
  setup(dev) {
    dev.ops = ops
    dev.type = ARPHRD_NONE
    dev.devType = 'wireguard'
    dev.flags = IFF_POINTOPOINT | IFF_NOARP
    dev.privFlags |= IFF_NO_QUEUE
    dev.features |= NETIF_F_LLTX | FEATURES
    dev.features2 |= NETIF_F2_RXCSUM | NETIF_F2_GSO_SOFTWARE
    dev.hwFeatures |= FEATURES
    dev.hwFeatures2 |= NETIF_F2_RXCSUM | NETIF_F2_GSO_SOFTWARE
    dev.hwEncFeatures |= FEATURES
    dev.mtu = 1500 - OVERHEAD
    dev.maxMtu = MAX_MTU
  },
}

/** The module. */
export const wireguardModule: KernelModule = {
  name: 'wireguard',
  aliases: ['rtnl-link-wireguard'],
  depends: ['udp_tunnel', 'ip6_udp_tunnel', 'libchacha20poly1305', 'libcurve25519_generic'],
  init(kernel) {
    kernel.log.print(6, 'wireguard: WireGuard 1.0.0 loaded. See www.wireguard.com for information.')
    kernel.log.print(6, 'wireguard: Copyright (C) 2015-2019 Jason A. Donenfeld <Jason@zx2c4.com>. All Rights Reserved.')
    registerLinkOps(kernel, wireguardLinkOps)
  },
}
