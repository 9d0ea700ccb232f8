/** `dummy`: a device that swallows what it is given, for addresses that must live somewhere. */
import { IFF_MULTICAST, IFF_NOARP } from '../../uapi/if.ts'
import { ETH_ALEN, etherSetup, ethHwAddrRandom, ethMacAddr, ethValidateAddr } from '../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_LLTX,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
} from '../core/features.ts'
import { netifCarrierOff, netifCarrierOn } from '../core/link_watch.ts'
import {
  IFF_LIVE_ADDR_CHANGE,
  IFF_NO_QUEUE,
  IFF_TX_SKB_SHARING,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import { validateEtherAddress } from './validate.ts'

const ops: NetDeviceOps = {
  /** every frame passes: there is no filter to set */
  setRxMode() {},
  startXmit(skb, dev) {
    dev.stats.txPackets++
    dev.stats.txBytes += skb.len
    skb.consume()
    return NETDEV_TX_OK
  },
  validateAddr: ethValidateAddr,
  setMacAddress: ethMacAddr,
  changeCarrier(dev, on) {
    if (on) netifCarrierOn(dev)
    else netifCarrierOff(dev)
    return 0
  },
}

function setup(dev: NetDevice): void {
  etherSetup(dev)
  dev.ops = ops
  dev.flags |= IFF_NOARP
  dev.flags &= ~IFF_MULTICAST
  dev.privFlags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE
  dev.privFlags &= ~IFF_TX_SKB_SHARING
  dev.features |=
    NETIF_F_SG |
    NETIF_F_FRAGLIST |
    NETIF_F_GSO_SOFTWARE |
    NETIF_F_HW_CSUM |
    NETIF_F_HIGHDMA |
    NETIF_F_LLTX |
    NETIF_F_GSO_ENCAP_ALL
  dev.features2 |= NETIF_F2_GSO_SOFTWARE
  dev.hwFeatures |= dev.features
  dev.hwFeatures2 |= dev.features2
  dev.hwEncFeatures |= dev.features
  dev.devAddr = new Uint8Array(ETH_ALEN)
  ethHwAddrRandom(dev)
  dev.minMtu = 0
  dev.maxMtu = 0
}

/** The link type. */
export const dummyLinkOps: RtnlLinkOps = { kind: 'dummy', setup, validate: validateEtherAddress }
