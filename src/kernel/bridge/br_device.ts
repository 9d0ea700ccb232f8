/** The bridge's own device: what the host itself sends into the bridge, and its settings. */
import { Errno } from '../../uapi/errno.ts'
import { IFF_PROMISC } from '../../uapi/if.ts'
import {
  ETH_HLEN,
  ETH_MAX_MTU,
  etherAddrEqual,
  etherSetup,
  ethHwAddrRandom,
  isValidEtherAddr,
} from '../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_HW_VLAN_CTAG_TX,
  NETIF_F_LLTX,
  NETIF_F_NETNS_LOCAL,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_HW_VLAN_STAG_TX,
} from '../core/features.ts'
import { IFF_EBRIDGE, IFF_NO_QUEUE, NETDEV_TX_OK, type NetDevice, type NetDeviceOps } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { BR_STATE_FORWARDING, BROPT_MTU_SET_BY_USER, bridgeOf, NetBridge } from './br.ts'
import { fdbCleanup, fdbDeleteByPort } from './br_fdb.ts'
import { brFdbAdd, brFdbDel, brFdbDelBulk, brFdbDump, brFdbGet } from './br_fdb_netlink.ts'
import {
  BR_PKT_BROADCAST,
  BR_PKT_MULTICAST,
  BR_PKT_UNICAST,
  brFlood,
  brForward,
  brMulticastFlood,
} from './br_forward.ts'
import { brAddIf, brDelIf, delNbp } from './br_if.ts'
import { brMulticastFlush, brMulticastRcv, multicastTargets } from './br_multicast.ts'
import { initQueries, openQueries, stopQueries } from './br_multicast_query.ts'
import { joinSnoopers, leaveSnoopers } from './br_multicast_snoopers.ts'
import { brDellink, brGetlink, brSetlink } from './br_netlink.ts'
import { brManagePromisc } from './br_promisc.ts'
import { brStpChangeBridgeId, brStpDisableBridge, brStpEnableBridge } from './br_stp_if.ts'
import { brHelloTimerExpired, brTcnTimerExpired, brTopologyChangeTimerExpired } from './br_stp_timer.ts'
import { brAllowedIngress, ingress } from './br_vlan.ts'

const COMMON =
  NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ENCAP_ALL | NETIF_F_HW_CSUM

/** Sends a frame of the host's into the bridge (br_dev_xmit). */
function startXmit(skb: SkBuff, dev: NetDevice): number {
  const br = dev.priv as NetBridge
  skb.cbFlags = 0
  dev.stats.txPackets++
  dev.stats.txBytes += skb.len
  skb.resetMacHeader()
  skb.pull(ETH_HLEN)
  if (!brAllowedIngress(br, br.vlans, skb, BR_STATE_FORWARDING)) return NETDEV_TX_OK
  const { vid } = ingress
  const { buf, macHeader: at } = skb
  if ((buf[at]! & 1) !== 0) {
    let i = 0
    while (i < 6 && buf[at + i] === 0xff) i++
    if (i === 6) brFlood(br, skb, BR_PKT_BROADCAST, false)
    else if (!brMulticastRcv(br, undefined, skb, vid)) skb.free('br_dev_xmit')
    else {
      const targets = multicastTargets(br, skb, vid)
      if (targets === undefined) brFlood(br, skb, BR_PKT_MULTICAST, false)
      else brMulticastFlood(targets.ports, skb, false)
    }
    return NETDEV_TX_OK
  }
  const entry = br.fdb.find(buf, at, vid)
  if (entry === undefined) brFlood(br, skb, BR_PKT_UNICAST, false)
  else brForward(entry.dst, skb, false)
  return NETDEV_TX_OK
}

const ops: NetDeviceOps = {
  startXmit,
  open(dev) {
    const br = bridgeOf(dev)!
    brStpEnableBridge(br)
    openQueries(br)
    joinSnoopers(br)
    return 0
  },
  stop(dev) {
    const br = bridgeOf(dev)!
    brStpDisableBridge(br)
    stopQueries(br)
    leaveSnoopers(br)
    return 0
  },
  changeMtu(dev, mtu) {
    dev.mtu = mtu
    // an adjustment to the ports' clears it again
    bridgeOf(dev)!.toggle(BROPT_MTU_SET_BY_USER, true)
    return 0
  },
  setMacAddress(dev, address) {
    if (!isValidEtherAddr(address)) return -Errno.EADDRNOTAVAIL
    if (dev.regState !== 'registered') return -Errno.EBUSY
    if (!etherAddrEqual(dev.devAddr, address)) brStpChangeBridgeId(bridgeOf(dev)!, address)
    return 0
  },
  changeRxFlags(dev, changed) {
    if ((changed & IFF_PROMISC) !== 0) brManagePromisc(bridgeOf(dev)!)
  },
  setRxMode() {},
  addSlave: (dev, slave, extack) => brAddIf(bridgeOf(dev)!, slave, extack),
  delSlave: (dev, slave) => brDelIf(bridgeOf(dev)!, slave),
  getLinkKsettings(dev) {
    // the fastest port that is up
    let speed = -1
    let duplex: 'half' | 'full' | 'unknown' = 'unknown'
    for (const port of bridgeOf(dev)!.ports) {
      if (!port.dev.running || !port.dev.carrier) continue
      const link = port.dev.ops.getLinkKsettings?.(port.dev)
      if (link === undefined || link.speed <= speed) continue
      speed = link.speed
      duplex = link.duplex
    }
    return { speed, duplex }
  },
  fdbAdd: brFdbAdd,
  fdbDel: brFdbDel,
  fdbDump: brFdbDump,
  fdbGet: brFdbGet,
  fdbDelBulk: brFdbDelBulk,
  bridgeGetlink: brGetlink,
  bridgeSetlink: brSetlink,
  bridgeDellink: brDellink,
}

/** Fills in a fresh bridge (br_dev_setup). */
export function brDevSetup(dev: NetDevice): void {
  etherSetup(dev)
  ethHwAddrRandom(dev)
  dev.ops = ops
  dev.devType = 'bridge'
  dev.privFlags = IFF_EBRIDGE | IFF_NO_QUEUE
  dev.maxMtu = ETH_MAX_MTU
  dev.features = COMMON | NETIF_F_LLTX | NETIF_F_NETNS_LOCAL | NETIF_F_HW_VLAN_CTAG_TX
  dev.features2 = NETIF_F2_GSO_SOFTWARE | NETIF_F2_HW_VLAN_STAG_TX
  dev.hwFeatures = COMMON | NETIF_F_HW_VLAN_CTAG_TX
  dev.hwFeatures2 = dev.features2
  dev.vlanFeatures = COMMON
  dev.vlanFeatures2 = NETIF_F2_GSO_SOFTWARE
  const br: NetBridge = new NetBridge(dev, {
    hello: () => brHelloTimerExpired(br),
    tcn: () => brTcnTimerExpired(br),
    topologyChange: () => brTopologyChangeTimerExpired(br),
    gc: () => fdbCleanup(br),
  })
  initQueries(br)
  dev.priv = br
}

/** Takes a bridge down for good: its ports are free again (br_dev_delete). */
export function brDevDelete(dev: NetDevice, kill: NetDevice[]): void {
  const br = bridgeOf(dev)!
  for (const port of [...br.ports]) delNbp(port)
  fdbDeleteByPort(br, undefined, 0, true)
  br.del(br.gcTimer)
  brMulticastFlush(br)
  stopQueries(br)
  kill.push(dev)
}
