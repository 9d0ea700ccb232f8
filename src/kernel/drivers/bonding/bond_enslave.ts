/** How devices become slaves and cease to be. */
import { Errno } from '../../../uapi/errno.ts'
import { ARPHRD_ETHER, IFF_ALLMULTI, IFF_MASTER, IFF_PROMISC, IFF_SLAVE, IFF_UP } from '../../../uapi/if.ts'
import type { LinkStats } from '../../../uapi/rtnetlink.ts'
import { devMcAdd, devMcSyncMultiple, devUcSyncMultiple } from '../../core/dev_addr_lists.ts'
import { devGetStats, devSetMacAddress, devSetMtu } from '../../core/dev_config.ts'
import { devClose, devOpen, devSetAllmulti, devSetPromiscuity } from '../../core/dev_flags.ts'
import { netdevRxHandlerRegister, netdevRxHandlerUnregister } from '../../core/dev_rx_handler.ts'
import { netdevUpperDevLink, netdevUpperDevUnlink } from '../../core/dev_upper.ts'
import { etherAddrEqual, etherSetup, ethHwAddrRandom } from '../../core/ethernet.ts'
import { NETIF_F_VLAN_CHALLENGED } from '../../core/features.ts'
import { IFF_BONDING, IFF_TX_SKB_SHARING, NET_ADDR_RANDOM, type NetDevice } from '../../core/net_device.ts'
import type { NetlinkExtAck } from '../../core/rtnetlink.ts'
import { LACPDU_ADDRESS } from './bond_3ad_types.ts'
import {
  bondChangeActiveSlave,
  bondHwAddrFlush,
  bondLowerStateChanged,
  bondSelectActiveSlave,
  bondSetCarrier,
  bondSetDevAddr,
  bondSetSlaveInactiveFlags,
  bondUpdateSlaveArr,
} from './bond_active.ts'
import { bondComputeFeatures } from './bond_features.ts'
import { bondCheckDevLink, bondUpdateSpeedDuplex } from './bond_mii.ts'
import { bondHandleFrame } from './bond_xmit.ts'
import {
  BOND_FOM_ACTIVE,
  BOND_FOM_NONE,
  BOND_LINK_BACK,
  BOND_LINK_DOWN,
  BOND_LINK_UP,
  BOND_MODE_8023AD,
  BOND_MODE_ACTIVEBACKUP,
  BOND_STATE_ACTIVE,
  type Bonding,
  BondSlave,
  bondOf,
} from './bonding.ts'

/** Whether slaves take the master's address. */
function sharesAddress(bond: Bonding): boolean {
  return bond.params.failOverMac === BOND_FOM_NONE || bond.params.mode !== BOND_MODE_ACTIVEBACKUP
}

function refuse(bond: Bonding, slave: NetDevice, extack: NetlinkExtAck, errno: number, text: string): number {
  bond.slaveInfo(slave, `Error: ${text}`, 3)
  return extack.fail(-errno, text)
}

/** Checks that depend on the device alone, in the kernel's order. */
function check(bond: Bonding, dev: NetDevice, extack: NetlinkExtAck): number {
  const no = (errno: number, text: string): number => refuse(bond, dev, extack, errno, text)
  if ((dev.flags & IFF_MASTER) !== 0 && bondOf(dev) === undefined)
    return no(Errno.EPERM, 'Device type (master device) cannot be enslaved')
  if (dev.rxHandler !== undefined) return no(Errno.EBUSY, 'Device is in use and cannot be enslaved')
  if (bond.dev === dev) return no(Errno.EPERM, 'Cannot enslave bond to itself.')
  if ((dev.features & NETIF_F_VLAN_CHALLENGED) !== 0 && bond.dev.vlanInfo !== undefined)
    return no(Errno.EPERM, 'Can not enslave VLAN challenged device to VLAN enabled bond')
  if ((dev.flags & IFF_UP) !== 0) return no(Errno.EPERM, 'Device can not be enslaved while up')
  if (bond.slaves.length > 0 && bond.dev.type !== dev.type)
    return no(Errno.EINVAL, 'Device type is different from other slaves')
  return 0
}

/** The first slave decides what kind of link the master is (bond_setup_by_slave). */
function adoptType(bond: Bonding, slave: NetDevice): void {
  const { dev } = bond
  if (bond.slaves.length > 0 || dev.type === slave.type) return
  if (slave.type === ARPHRD_ETHER) {
    etherSetup(dev)
    dev.privFlags &= ~IFF_TX_SKB_SHARING
  } else {
    dev.headerOps = slave.headerOps
    dev.type = slave.type
    dev.hardHeaderLen = slave.hardHeaderLen
    dev.neededHeadroom = slave.neededHeadroom
    dev.addrLen = slave.addrLen
    dev.broadcast = slave.broadcast.slice()
  }
}

/** Puts the master back to an Ethernet where its first slave failed. */
function undoFirst(bond: Bonding, slave: NetDevice): void {
  if (bond.slaves.length > 0) return
  const { dev } = bond
  if (etherAddrEqual(dev.devAddr, slave.devAddr)) ethHwAddrRandom(dev)
  if (dev.type === ARPHRD_ETHER) return
  devClose(dev)
  const address = dev.devAddr
  etherSetup(dev)
  dev.devAddr = address.length === 6 ? address : dev.devAddr
  dev.flags |= IFF_MASTER
  dev.privFlags &= ~IFF_TX_SKB_SHARING
}

function initialLink(slave: BondSlave): number {
  const { params } = slave.bond
  if (params.miimon > 0) {
    if (!bondCheckDevLink(slave)) return BOND_LINK_DOWN
    slave.delay = params.updelay
    return params.updelay > 0 ? BOND_LINK_BACK : BOND_LINK_UP
  }
  if (params.arpInterval > 0) return slave.dev.carrier ? BOND_LINK_UP : BOND_LINK_DOWN
  return BOND_LINK_UP
}

/** The mode's own start of a slave. */
function initMode(slave: BondSlave): void {
  const { bond } = slave
  const { mode } = bond.params
  if (mode === BOND_MODE_ACTIVEBACKUP) bondSetSlaveInactiveFlags(slave)
  else if (mode === BOND_MODE_8023AD) {
    bondSetSlaveInactiveFlags(slave)
    bond.ad?.bind(slave)
  } else if (bond.isLb) {
    slave.backup = BOND_STATE_ACTIVE
    bondSetSlaveInactiveFlags(slave)
  } else {
    slave.backup = BOND_STATE_ACTIVE
    if (bond.currActive === undefined && slave.link === BOND_LINK_UP) bond.currActive = slave
  }
}

/** The master's filters on a new slave, in modes where every slave carries them. */
function applyFilters(slave: BondSlave): void {
  const { bond, dev } = slave
  if (bond.usesPrimary) return
  if ((bond.dev.flags & IFF_PROMISC) !== 0) devSetPromiscuity(dev, 1)
  if ((bond.dev.flags & IFF_ALLMULTI) !== 0) devSetAllmulti(dev, 1)
  if ((bond.dev.flags & IFF_UP) === 0) return
  devMcSyncMultiple(dev, bond.dev)
  devUcSyncMultiple(dev, bond.dev)
  if (bond.params.mode === BOND_MODE_8023AD) devMcAdd(dev, LACPDU_ADDRESS)
}

/** Gives the device mtu and address, and brings it up. @returns 0, or the error after putting everything back */
function prepare(slave: BondSlave, extack: NetlinkExtAck): number {
  const { bond, dev } = slave
  let rc = devSetMtu(dev, bond.dev.mtu)
  if (rc < 0) return rc
  if (sharesAddress(bond)) {
    rc = devSetMacAddress(dev, bond.dev.devAddr, extack)
    if (rc < 0) {
      devSetMtu(dev, slave.originalMtu)
      return rc
    }
  }
  dev.flags |= IFF_SLAVE
  rc = devOpen(dev, extack)
  if (rc < 0) undoPrepare(slave)
  return rc
}

function undoPrepare(slave: BondSlave): void {
  const { bond, dev } = slave
  dev.flags &= ~IFF_SLAVE
  if (sharesAddress(bond)) devSetMacAddress(dev, slave.permHwaddr)
  devSetMtu(dev, slave.originalMtu)
}

/** Where a device cannot change its address, only fail_over_mac active works. */
function checkAddress(bond: Bonding, dev: NetDevice, extack: NetlinkExtAck): number {
  if (dev.ops.setMacAddress !== undefined) return 0
  bond.slaveInfo(dev, 'The slave device specified does not support setting the MAC address', 4)
  const { params } = bond
  if (params.mode !== BOND_MODE_ACTIVEBACKUP || params.failOverMac === BOND_FOM_ACTIVE) return 0
  if (bond.slaves.length > 0)
    return refuse(
      bond,
      dev,
      extack,
      Errno.EOPNOTSUPP,
      'Slave device does not support setting the MAC address, but fail_over_mac is not set to active',
    )
  params.failOverMac = BOND_FOM_ACTIVE
  bond.slaveInfo(dev, 'Setting fail_over_mac to active for active-backup mode', 4)
  return 0
}

/** Makes a device a slave (bond_enslave). @returns 0 or why it cannot be one */
export function bondEnslave(bond: Bonding, dev: NetDevice, extack: NetlinkExtAck): number {
  let rc = check(bond, dev, extack)
  if (rc < 0) return rc
  adoptType(bond, dev)
  rc = checkAddress(bond, dev, extack)
  if (rc < 0) {
    undoFirst(bond, dev)
    return rc
  }
  if (bond.slaves.length === 0 && bond.dev.addrAssignType === NET_ADDR_RANDOM) {
    rc = bondSetDevAddr(bond.dev, dev)
    if (rc < 0) return rc
  }
  const slave = new BondSlave(bond, dev)
  rc = prepare(slave, extack)
  if (rc < 0) {
    undoFirst(bond, dev)
    return rc
  }
  dev.privFlags |= IFF_BONDING
  slave.stats = devGetStats(dev)
  // balancing by load, each slave speaks with its own address
  if (bond.isLb) devSetMacAddress(dev, slave.permHwaddr)
  bondUpdateSpeedDuplex(slave)
  slave.link = initialLink(slave)
  slave.lastRx = dev.net.kernel.clock.now
  const { params } = bond
  if (bond.usesPrimary && params.primary !== '' && params.primary === dev.name) {
    bond.primary = slave
    bond.forcePrimary = true
  }
  initMode(slave)
  rc = netdevRxHandlerRegister(dev, bondHandleFrame, slave)
  if (rc === 0) {
    bond.slaves.push(slave)
    rc = netdevUpperDevLink(dev, bond.dev, true, extack)
    if (rc < 0) {
      bond.slaves.pop()
      netdevRxHandlerUnregister(dev)
    }
  }
  if (rc < 0) {
    bond.ad?.unbind(slave)
    if (bond.currActive === slave) bond.currActive = undefined
    if (bond.primary === slave) bond.primary = undefined
    dev.privFlags &= ~IFF_BONDING
    devClose(dev)
    undoPrepare(slave)
    undoFirst(bond, dev)
    return rc
  }
  bondLowerStateChanged(slave)
  applyFilters(slave)
  bondComputeFeatures(bond)
  bondSetCarrier(bond)
  if (bond.usesPrimary) bondSelectActiveSlave(bond)
  bondUpdateSlaveArr(bond)
  const state = slave.backup === BOND_STATE_ACTIVE ? 'an active' : 'a backup'
  const link = slave.link !== BOND_LINK_DOWN ? 'an up' : 'a down'
  bond.slaveInfo(dev, `Enslaving as ${state} interface with ${link} link`)
  return 0
}

/** Counts what a slave has counted since the last look (bond_fold_stats). */
export function bondFoldStats(into: LinkStats, slave: BondSlave): void {
  const now = devGetStats(slave.dev)
  for (const key of Object.keys(into) as (keyof LinkStats)[]) {
    const delta = (now[key] ?? 0) - (slave.stats[key] ?? 0)
    if (delta > 0) into[key] = (into[key] ?? 0) + delta
  }
  slave.stats = now
}

/** Takes a device out (__bond_release_one). @param unregister the device is going away @returns 0 or -EINVAL where it is no slave */
export function bondRelease(bond: Bonding, dev: NetDevice, unregister: boolean, all = false): number {
  const slave = bond.slaveOf(dev)
  if ((dev.flags & IFF_SLAVE) === 0 || slave === undefined) {
    bond.slaveInfo(dev, 'cannot release slave', 3)
    return -Errno.EINVAL
  }
  const { flags: oldFlags } = bond.dev
  bondSetSlaveInactiveFlags(slave)
  for (const each of bond.slaves) bondFoldStats(bond.stats, each)
  netdevRxHandlerUnregister(dev)
  bond.ad?.unbind(slave)
  bond.slaves.splice(bond.slaves.indexOf(slave), 1)
  netdevUpperDevUnlink(dev, bond.dev)
  dev.flags &= ~IFF_SLAVE
  bondUpdateSlaveArr(bond, slave)
  bond.slaveInfo(dev, `Releasing ${slave.backup === BOND_STATE_ACTIVE ? 'active' : 'backup'} interface`)
  const old = bond.currActive
  if (!all && sharesAddress(bond) && etherAddrEqual(bond.dev.devAddr, slave.permHwaddr) && bond.slaves.length > 0)
    bond.slaveInfo(
      dev,
      `the permanent HWaddr of slave - ${hex(slave.permHwaddr)} - is still in use by bond - set the HWaddr of slave to a different address to avoid conflicts`,
      4,
    )
  if (bond.primary === slave) bond.primary = undefined
  if (old === slave) bondChangeActiveSlave(bond, undefined)
  if (all) bond.currActive = undefined
  else if (old === slave) bondSelectActiveSlave(bond)
  bondSetCarrier(bond)
  if (bond.slaves.length === 0) {
    ethHwAddrRandom(bond.dev)
    bond.dev.net.kernel.netdevChain.call('CHANGEADDR', bond.dev, {})
  }
  bondComputeFeatures(bond)
  if (!bond.usesPrimary) {
    if ((oldFlags & IFF_PROMISC) !== 0) devSetPromiscuity(dev, -1)
    if ((oldFlags & IFF_ALLMULTI) !== 0) devSetAllmulti(dev, -1)
    if ((oldFlags & IFF_UP) !== 0) bondHwAddrFlush(bond, dev)
  }
  devClose(dev)
  if (bond.params.failOverMac !== BOND_FOM_ACTIVE || bond.params.mode !== BOND_MODE_ACTIVEBACKUP)
    devSetMacAddress(dev, slave.permHwaddr)
  if (unregister) dev.mtu = slave.originalMtu
  else devSetMtu(dev, slave.originalMtu)
  if (bondOf(dev) === undefined) dev.privFlags &= ~IFF_BONDING
  return 0
}

function hex(address: Uint8Array): string {
  return Array.from(address, byte => byte.toString(16).padStart(2, '0')).join(':')
}
