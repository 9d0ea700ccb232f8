/** `ifb`: a detour for redirected packets, so that received traffic can be queued; they go on as if they had not left, see ifb. */
import { IFF_MULTICAST, IFF_NOARP } from '../../uapi/if.ts'
import { Timer } from '../core/clock.ts'
import { registerNetdevice } from '../core/dev_core.ts'
import { etherSetup, ethHwAddrRandom, ethMacAddr, ethValidateAddr } from '../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_HW_VLAN_CTAG_TX,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_HW_VLAN_STAG_TX,
} from '../core/features.ts'
import {
  IFF_TX_SKB_SHARING,
  IFF_XMIT_DST_RELEASE,
  IFF_XMIT_DST_RELEASE_PERM,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import { SkbQueue } from '../core/skbuff.ts'
import { validateEtherAddress } from './validate.ts'

/** Packets the device holds before its qdisc must wait. */
const TX_Q_LIMIT = 32

const FEATURES =
  NETIF_F_HW_CSUM |
  NETIF_F_SG |
  NETIF_F_FRAGLIST |
  NETIF_F_GSO_SOFTWARE |
  NETIF_F_GSO_ENCAP_ALL |
  NETIF_F_HIGHDMA |
  NETIF_F_HW_VLAN_CTAG_TX
const FEATURES2 = NETIF_F2_GSO_SOFTWARE | NETIF_F2_HW_VLAN_STAG_TX

/** Packets on their way back, and the tasklet that sends them there. */
class Ifb {
  readonly queue = new SkbQueue()
  readonly timer: Timer

  constructor(dev: NetDevice) {
    this.timer = new Timer(() => this.run(dev))
  }

  private run(dev: NetDevice): void {
    const { kernel } = dev.net
    kernel.softirq.disable()
    for (let skb = this.queue.dequeue(); skb !== null; skb = this.queue.dequeue()) {
      skb.redirected = false
      dev.stats.txPackets++
      dev.stats.txBytes += skb.len
      const origin = dev.net.devices.get(skb.iif)
      if (origin === undefined) {
        dev.stats.txDropped++
        skb.free('ifb_ri_tasklet')
        continue
      }
      skb.dev = origin
      skb.iif = dev.ifindex
      if (skb.fromIngress) {
        skb.pull(skb.networkHeader - skb.data)
        kernel.netcore.netifReceiveSkb(skb)
      } else kernel.netcore.queueXmit(skb)
    }
    if (dev.queueStopped) {
      dev.queueStopped = false
      kernel.netcore.runQueue(dev)
    }
    kernel.softirq.enable()
  }
}

const ops: NetDeviceOps = {
  startXmit(skb, dev) {
    const ifb = dev.priv as Ifb
    const { clock } = dev.net.kernel
    dev.stats.rxPackets++
    dev.stats.rxBytes += skb.len
    if (!skb.redirected || skb.iif === 0) {
      dev.stats.rxDropped++
      skb.free('ifb_xmit')
      return NETDEV_TX_OK
    }
    ifb.queue.enqueue(skb)
    if (ifb.queue.qlen >= dev.txQueueLen) dev.queueStopped = true
    if (!ifb.timer.pending) clock.mod(ifb.timer, clock.now)
    return NETDEV_TX_OK
  },
  stop(dev) {
    const ifb = dev.priv as Ifb
    dev.net.kernel.clock.del(ifb.timer)
    ifb.queue.purge('ifb_close')
    return 0
  },
  setMacAddress: ethMacAddr,
  validateAddr: ethValidateAddr,
}

function setup(dev: NetDevice): void {
  etherSetup(dev)
  dev.ops = ops
  dev.txQueueLen = TX_Q_LIMIT
  dev.features |= FEATURES
  dev.features2 |= FEATURES2
  dev.hwFeatures |= dev.features
  dev.hwFeatures2 |= dev.features2
  dev.hwEncFeatures |= dev.features
  dev.vlanFeatures |= FEATURES & ~NETIF_F_HW_VLAN_CTAG_TX
  dev.vlanFeatures2 |= FEATURES2 & ~NETIF_F2_HW_VLAN_STAG_TX
  dev.flags |= IFF_NOARP
  dev.flags &= ~IFF_MULTICAST
  dev.privFlags &= ~(IFF_TX_SKB_SHARING | IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM)
  ethHwAddrRandom(dev)
  dev.minMtu = 0
  dev.maxMtu = 0
  dev.priv = new Ifb(dev)
}

/** The link type. */
export const ifbLinkOps: RtnlLinkOps = {
  kind: 'ifb',
  setup,
  validate: validateEtherAddress,
  newlink: (_net, dev) => registerNetdevice(dev),
}
