/** `lo`: what is sent comes straight back. One per namespace, index 1, down at first. */
import { ARPHRD_LOOPBACK, IFF_LOOPBACK } from '../../uapi/if.ts'
import { allocNetdev, registerNetdevice } from '../core/dev_core.ts'
import { ETH_ALEN, ETH_HLEN, ethHeaderOps, ethMacAddr, ethTypeTrans } from '../core/ethernet.ts'
import {
  NETIF_F_ALL_TSO,
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_LLTX,
  NETIF_F_NETNS_LOCAL,
  NETIF_F_SG,
  NETIF_F_VLAN_CHALLENGED,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_LOOPBACK,
  NETIF_F2_RXCSUM,
  NETIF_F2_SCTP_CRC,
} from '../core/features.ts'
import {
  IFF_LIVE_ADDR_CHANGE,
  IFF_NO_QUEUE,
  IFF_XMIT_DST_RELEASE,
  IFF_XMIT_DST_RELEASE_PERM,
  NET_NAME_PREDICTABLE,
  NET_RX_SUCCESS,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
} from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'

const MTU = 65536
/** Largest packet the stack hands over unsegmented, bytes (TSO_MAX_SIZE). */
export const TSO_MAX_SIZE = 8 * 65535

const ops: NetDeviceOps = {
  startXmit(skb, dev) {
    skb.tstamp = 0
    skb.orphan()
    skb.protocol = ethTypeTrans(skb, dev)
    const { len } = skb
    if (dev.net.kernel.netcore.netifRx(skb) === NET_RX_SUCCESS) {
      dev.stats.txPackets++
      dev.stats.txBytes += len
    }
    return NETDEV_TX_OK
  },
  setMacAddress: ethMacAddr,
  getStats64(dev, stats) {
    stats.rxPackets = dev.stats.txPackets
    stats.rxBytes = dev.stats.txBytes
  },
}

function setup(dev: NetDevice): void {
  dev.mtu = MTU
  dev.hardHeaderLen = ETH_HLEN
  dev.addrLen = ETH_ALEN
  dev.devAddr = new Uint8Array(ETH_ALEN)
  dev.permAddr = new Uint8Array(ETH_ALEN)
  dev.broadcast = new Uint8Array(ETH_ALEN)
  dev.type = ARPHRD_LOOPBACK
  dev.flags = IFF_LOOPBACK
  dev.privFlags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE
  dev.privFlags &= ~(IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM)
  dev.hwFeatures = NETIF_F_GSO_SOFTWARE
  dev.hwFeatures2 = NETIF_F2_GSO_SOFTWARE
  dev.features =
    NETIF_F_SG |
    NETIF_F_FRAGLIST |
    NETIF_F_ALL_TSO |
    NETIF_F_GSO_SOFTWARE |
    NETIF_F_HW_CSUM |
    NETIF_F_HIGHDMA |
    NETIF_F_LLTX |
    NETIF_F_NETNS_LOCAL |
    NETIF_F_VLAN_CHALLENGED
  dev.features2 = NETIF_F2_GSO_SOFTWARE | NETIF_F2_RXCSUM | NETIF_F2_SCTP_CRC | NETIF_F2_LOOPBACK
  dev.headerOps = ethHeaderOps
  dev.tsoMaxSize = TSO_MAX_SIZE
  dev.ops = ops
}

/** Makes a namespace's `lo`. */
export function loopbackNetInit(net: Net): void {
  const dev = allocNetdev(net, 'lo', setup)
  dev.nameAssignType = NET_NAME_PREDICTABLE
  const rc = registerNetdevice(dev)
  if (rc < 0) throw new Error(`lo could not be registered: ${rc}`)
  net.loopback = dev
}
