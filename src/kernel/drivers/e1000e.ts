/**
 * `e1000e`: the gigabit network card of the nic profile. Carrier comes a while after the device goes up, when
 * autonegotiation has ended. What the card is plugged into is set from outside.
 */
import { NSEC_PER_MSEC, Timer } from '../core/clock.ts'
import { allocNetdev, registerNetdevice } from '../core/dev_core.ts'
import { etherSetup, ethMacAddr, ethTypeTrans, ethValidateAddr } from '../core/ethernet.ts'
import {
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_HW_VLAN_CTAG_FILTER,
  NETIF_F_HW_VLAN_CTAG_RX,
  NETIF_F_HW_VLAN_CTAG_TX,
  NETIF_F_SG,
  NETIF_F_TSO,
  NETIF_F_TSO6,
  NETIF_F2_RXCSUM,
  NETIF_F2_RXHASH,
} from '../core/features.ts'
import { netifCarrierOff, netifCarrierOn } from '../core/link_watch.ts'
import { IFF_UNICAST_FLT, NET_NAME_ENUM, NETDEV_TX_OK, type NetDevice, type NetDeviceOps } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'

/** Largest mtu the card takes, bytes. */
const MAX_MTU = 9212
/** From going up to a link at 1 Gb/s, ns: the PHY negotiates, and a watchdog that looks every two seconds sees it. */
const LINK_DELAY = 2500 * NSEC_PER_MSEC
const FEATURES = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6

/** What a card is plugged into. */
export interface NicWire {
  /** The card has sent a frame; the wire takes it over and must consume it. */
  fromNic(skb: SkBuff, dev: NetDevice): void
}

/** The driver's state. */
export class E1000e {
  wire: NicWire | undefined
  readonly watchdog: Timer

  constructor(dev: NetDevice) {
    this.watchdog = new Timer(() => {
      if (!dev.running || dev.carrier) return
      const { log } = dev.net.kernel
      log.print(6, `e1000e ${dev.parentDevName} ${dev.name}: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx`)
      netifCarrierOn(dev)
    })
  }
}

/** @returns the driver's state of a card, undefined for other devices */
export function e1000eOf(dev: NetDevice): E1000e | undefined {
  return dev.priv instanceof E1000e ? dev.priv : undefined
}

/** A frame arrives at the card from its wire; it is dropped while the link is down. */
export function e1000eReceive(dev: NetDevice, skb: SkBuff): void {
  const { kernel } = dev.net
  if (!dev.running || !dev.carrier) {
    skb.free('e1000e_clean', 'DEV_READY')
    return
  }
  dev.stats.rxPackets++
  dev.stats.rxBytes += skb.len
  skb.protocol = ethTypeTrans(skb, dev)
  kernel.softirq.disable()
  kernel.netcore.netifReceiveSkb(skb)
  kernel.softirq.enable()
}

function restartLink(dev: NetDevice): void {
  const { clock } = dev.net.kernel
  netifCarrierOff(dev)
  clock.mod((dev.priv as E1000e).watchdog, clock.now + LINK_DELAY)
}

const ops: NetDeviceOps = {
  /** every frame passes: there is no filter to set */
  setRxMode() {},
  open(dev) {
    restartLink(dev)
    return 0
  },
  stop(dev) {
    dev.net.kernel.clock.del((dev.priv as E1000e).watchdog)
    netifCarrierOff(dev)
    return 0
  },
  startXmit(skb, dev) {
    dev.stats.txPackets++
    dev.stats.txBytes += skb.len
    const { wire } = dev.priv as E1000e
    if (wire === undefined) skb.consume()
    else wire.fromNic(skb, dev)
    return NETDEV_TX_OK
  },
  changeMtu(dev, mtu) {
    dev.net.kernel.log.print(6, `e1000e ${dev.parentDevName} ${dev.name}: changing MTU from ${dev.mtu} to ${mtu}`)
    dev.mtu = mtu
    if (dev.running) restartLink(dev)
    return 0
  },
  setMacAddress(dev, address) {
    return ethMacAddr(dev, address)
  },
  validateAddr: ethValidateAddr,
  getLinkKsettings: dev => (dev.carrier ? { speed: 1000, duplex: 'full' } : { speed: -1, duplex: 'unknown' }),
}

/** Finds a card on the bus (e1000_probe). @param slot its PCI address, such as `0000:00:05.0` */
export function e1000eProbe(net: Net, name: string, mac: Uint8Array, slot: string): NetDevice {
  const dev = allocNetdev(net, name, each => {
    etherSetup(each)
    each.ops = ops
    each.maxMtu = MAX_MTU
    each.privFlags |= IFF_UNICAST_FLT
    each.devAddr = mac.slice()
    each.features = FEATURES | NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_CTAG_TX
    each.features2 = NETIF_F2_RXCSUM | NETIF_F2_RXHASH
    each.hwFeatures = each.features
    each.hwFeatures2 = each.features2
    each.features |= NETIF_F_HW_VLAN_CTAG_FILTER | NETIF_F_HIGHDMA
    each.vlanFeatures = FEATURES | NETIF_F_HIGHDMA
    each.priv = new E1000e(each)
  })
  dev.nameAssignType = NET_NAME_ENUM
  dev.hasNapi = true
  dev.parentDevName = slot
  dev.parentDevBusName = 'pci'
  const rc = registerNetdevice(dev)
  if (rc < 0) throw new Error(`${name} could not be registered: ${rc}`)
  netifCarrierOff(dev)
  return dev
}
