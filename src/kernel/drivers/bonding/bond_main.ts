/** The master's device: its operations, and how it follows its slaves. */
import { Errno } from '../../../uapi/errno.ts'
import { ARPHRD_ETHER, IFF_ALLMULTI, IFF_MASTER, IFF_PROMISC } from '../../../uapi/if.ts'
import { devMcAdd, devMcSync, devMcSyncMultiple, devUcSync, devUcSyncMultiple } from '../../core/dev_addr_lists.ts'
import { devSetMacAddress, devSetMtu } from '../../core/dev_config.ts'
import { unregisterNetdevice } from '../../core/dev_core.ts'
import { devSetAllmulti, devSetPromiscuity } from '../../core/dev_flags.ts'
import { ETH_MAX_MTU, etherSetup, ethHwAddrRandom, isValidEtherAddr, isZeroEtherAddr } from '../../core/ethernet.ts'
import {
  NETIF_F_GSO_ENCAP_ALL,
  NETIF_F_HW_VLAN_CTAG_FILTER,
  NETIF_F_HW_VLAN_CTAG_RX,
  NETIF_F_HW_VLAN_CTAG_TX,
  NETIF_F_LLTX,
  NETIF_F_NETNS_LOCAL,
  NETIF_F2_HW_VLAN_STAG_TX,
} from '../../core/features.ts'
import {
  IFF_BONDING,
  IFF_NO_QUEUE,
  IFF_TX_SKB_SHARING,
  IFF_UNICAST_FLT,
  IFF_XMIT_DST_RELEASE,
  NET_ADDR_PERM,
  type NetDevice,
  type NetDeviceOps,
} from '../../core/net_device.ts'
import type { Kernel, NetdevEvent } from '../../kernel.ts'
import { LACPDU_ADDRESS } from './bond_3ad_types.ts'
import {
  bondHwAddrFlush,
  bondResendIgmp,
  bondSelectActiveSlave,
  bondSetSlaveActiveFlags,
  bondSetSlaveInactiveFlags,
  bondUpdateSlaveArr,
} from './bond_active.ts'
import { bondArpMonitor } from './bond_arp.ts'
import { bondEnslave, bondFoldStats, bondRelease } from './bond_enslave.ts'
import { BOND_VLAN_FEATURES, BOND_VLAN_FEATURES2, bondComputeFeatures } from './bond_features.ts'
import { bondMiiMonitor, bondUpdateSpeedDuplex } from './bond_mii.ts'
import { bondStartXmit } from './bond_xmit.ts'
import {
  BOND_FOM_ACTIVE,
  BOND_MODE_8023AD,
  BOND_MODE_ACTIVEBACKUP,
  BOND_MODE_BROADCAST,
  Bonding,
  type BondSlave,
  bondOf,
  bondSlaveOf,
} from './bonding.ts'

/** Queues of a master (the module's tx_queues). */
export const BOND_QUEUES = 16

function bondPriv(dev: NetDevice): Bonding {
  return dev.priv as Bonding
}

/** Starts the monitors that the settings ask for. */
export function bondStartMonitors(bond: Bonding): void {
  const { params } = bond
  if (params.miimon > 0) bond.queueWork(bond.miiTimer, 0)
  if (params.arpInterval > 0) bond.queueWork(bond.arpTimer, 0)
}

function open(dev: NetDevice): number {
  const bond = bondPriv(dev)
  for (const slave of bond.slaves) {
    if (bond.usesPrimary && slave !== bond.currActive) bondSetSlaveInactiveFlags(slave)
    else if (bond.params.mode !== BOND_MODE_8023AD) bondSetSlaveActiveFlags(slave)
  }
  bondStartMonitors(bond)
  if (bond.params.mode === BOND_MODE_8023AD && bond.ad !== undefined) {
    const { ad } = bond
    bond.queueWork(bond.adTimer, 0)
    bond.recvProbe = (skb, slave) => ad.receive(skb, slave)
    ad.open()
    for (const slave of bond.slaves) devMcAdd(slave.dev, LACPDU_ADDRESS)
  }
  bondUpdateSlaveArr(bond)
  return 0
}

function stop(dev: NetDevice): number {
  const bond = bondPriv(dev)
  const { clock } = dev.net.kernel
  for (const timer of [bond.miiTimer, bond.arpTimer, bond.mcastTimer, bond.adTimer]) clock.del(timer)
  bond.sendPeerNotif = 0
  bond.recvProbe = undefined
  if (bond.usesPrimary) {
    if (bond.currActive !== undefined) bondHwAddrFlush(bond, bond.currActive.dev)
  } else for (const slave of bond.slaves) bondHwAddrFlush(bond, slave.dev)
  return 0
}

/** Does something to every slave; where one refuses, undoes it on those before. */
function onSlaves(bond: Bonding, apply: (slave: BondSlave) => number, undo: (slave: BondSlave) => void): number {
  const done: BondSlave[] = []
  for (const slave of bond.slaves) {
    const rc = apply(slave)
    if (rc < 0) {
      for (const each of done) undo(each)
      return rc
    }
    done.push(slave)
  }
  return 0
}

function receivers(bond: Bonding): readonly BondSlave[] {
  if (!bond.usesPrimary) return bond.slaves
  return bond.currActive === undefined ? [] : [bond.currActive]
}

const ops: NetDeviceOps = {
  init(dev) {
    if (isZeroEtherAddr(dev.devAddr) && dev.addrAssignType === NET_ADDR_PERM) ethHwAddrRandom(dev)
    return 0
  },
  uninit(dev) {
    const bond = bondPriv(dev)
    for (const slave of [...bond.slaves]) bondRelease(bond, slave.dev, false, true)
    bond.info('Released all slaves')
  },
  open,
  stop,
  startXmit: bondStartXmit,
  addSlave: (dev, slave, extack) => bondEnslave(bondPriv(dev), slave, extack),
  delSlave: (dev, slave) => bondRelease(bondPriv(dev), slave, false),
  setMacAddress(dev, address) {
    const bond = bondPriv(dev)
    const { params } = bond
    if (params.failOverMac === BOND_FOM_ACTIVE && params.mode === BOND_MODE_ACTIVEBACKUP) return 0
    if (!isValidEtherAddr(address)) return -Errno.EADDRNOTAVAIL
    const old = dev.devAddr
    if (!bond.isLb) {
      const rc = onSlaves(
        bond,
        slave => devSetMacAddress(slave.dev, address),
        slave => devSetMacAddress(slave.dev, old),
      )
      if (rc < 0) return rc
    } else if (bond.currActive !== undefined) devSetMacAddress(bond.currActive.dev, address)
    dev.devAddr = address
    return 0
  },
  changeMtu(dev, mtu) {
    const rc = onSlaves(
      bondPriv(dev),
      slave => devSetMtu(slave.dev, mtu),
      slave => devSetMtu(slave.dev, dev.mtu),
    )
    if (rc === 0) dev.mtu = mtu
    return rc
  },
  changeRxFlags(dev, changed) {
    for (const slave of receivers(bondPriv(dev))) {
      if ((changed & IFF_PROMISC) !== 0) devSetPromiscuity(slave.dev, (dev.flags & IFF_PROMISC) !== 0 ? 1 : -1)
      if ((changed & IFF_ALLMULTI) !== 0) devSetAllmulti(slave.dev, (dev.flags & IFF_ALLMULTI) !== 0 ? 1 : -1)
    }
  },
  setRxMode(dev) {
    const bond = bondPriv(dev)
    for (const slave of receivers(bond)) {
      if (bond.usesPrimary) {
        devUcSync(slave.dev, dev)
        devMcSync(slave.dev, dev)
      } else {
        devUcSyncMultiple(slave.dev, dev)
        devMcSyncMultiple(slave.dev, dev)
      }
    }
  },
  getStats64(dev, stats) {
    const bond = bondPriv(dev)
    for (const slave of bond.slaves) bondFoldStats(bond.stats, slave)
    for (const key of Object.keys(bond.stats) as (keyof typeof stats)[])
      stats[key] = (stats[key] ?? 0) + (bond.stats[key] ?? 0)
  },
  getLinkKsettings(dev) {
    const bond = bondPriv(dev)
    let speed = 0
    let duplex: 'half' | 'full' | 'unknown' = 'unknown'
    for (const slave of bond.slaves) {
      if (!slave.canTx) continue
      bondUpdateSpeedDuplex(slave)
      if (slave.speed !== -1) {
        if (bond.params.mode === BOND_MODE_BROADCAST) speed = speed === 0 ? slave.speed : Math.min(speed, slave.speed)
        else speed += slave.speed
      }
      if (duplex === 'unknown') ({ duplex } = slave)
    }
    return { speed: speed === 0 ? -1 : speed, duplex }
  },
}

/** Fills in a fresh master (bond_setup). */
export function bondSetup(dev: NetDevice): void {
  etherSetup(dev)
  dev.maxMtu = ETH_MAX_MTU
  dev.ops = ops
  dev.devType = 'bond'
  dev.flags |= IFF_MASTER
  dev.privFlags |= IFF_BONDING | IFF_UNICAST_FLT | IFF_NO_QUEUE
  dev.privFlags &= ~(IFF_XMIT_DST_RELEASE | IFF_TX_SKB_SHARING)
  dev.hwFeatures = BOND_VLAN_FEATURES | NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_CTAG_FILTER | NETIF_F_GSO_ENCAP_ALL
  dev.hwFeatures2 = BOND_VLAN_FEATURES2
  dev.features |= NETIF_F_LLTX | NETIF_F_NETNS_LOCAL | dev.hwFeatures | NETIF_F_HW_VLAN_CTAG_TX
  dev.features2 |= dev.hwFeatures2 | NETIF_F2_HW_VLAN_STAG_TX
  dev.vlanFeatures = BOND_VLAN_FEATURES
  dev.vlanFeatures2 = BOND_VLAN_FEATURES2
  dev.priv = new Bonding(dev, {
    mii: bondMiiMonitor,
    arp: bondArpMonitor,
    mcast: bondResendIgmp,
    ad: bond => bond.ad?.run(),
  })
}

function slaveRenamed(slave: BondSlave): void {
  const { bond } = slave
  const { primary } = bond.params
  if (!bond.usesPrimary || primary === '') return
  if (slave === bond.primary) bond.primary = undefined
  else if (slave.dev.name === primary) bond.primary = slave
  else return
  bond.info(`Primary slave changed to ${slave.dev.name}, reselecting active slave`)
  bondSelectActiveSlave(bond)
}

function slaveEvent(event: NetdevEvent, slave: BondSlave): void {
  const { bond } = slave
  switch (event) {
    case 'UNREGISTER':
      bondRelease(bond, slave.dev, true)
      // a master that took a foreign link type over goes with its last slave
      if (bond.slaves.length === 0 && bond.dev.type !== ARPHRD_ETHER) unregisterNetdevice(bond.dev)
      break
    case 'UP':
    case 'CHANGE':
      bondUpdateSpeedDuplex(slave)
      bond.ad?.speedDuplexChanged(slave)
      bondUpdateSlaveArr(bond)
      break
    case 'DOWN':
      bondUpdateSlaveArr(bond)
      break
    case 'CHANGENAME':
      slaveRenamed(slave)
      break
    case 'FEAT_CHANGE':
      bondComputeFeatures(bond)
      break
    case 'RESEND_IGMP':
      bond.dev.net.kernel.netdevChain.call(event, bond.dev, {})
      break
  }
}

/** Follows what happens to masters' slaves (bond_netdev_event). */
export function bondNotifierInit(kernel: Kernel): void {
  kernel.netdevChain.register((event, dev) => {
    const slave = bondSlaveOf(dev)
    if (slave !== undefined && bondOf(slave.bond.dev) !== undefined) slaveEvent(event, slave)
    return 0
  })
}
