/** Which slave is the active one, the master's carrier, and what follows a change of them. */
import { IFF_ALLMULTI, IFF_PROMISC, IFF_UP } from '../../../uapi/if.ts'
import { RTM_NEWLINK } from '../../../uapi/rtnetlink.ts'
import { devMcDel, devMcSync, devMcUnsync, devUcSync, devUcUnsync } from '../../core/dev_addr_lists.ts'
import { devSetMacAddress } from '../../core/dev_config.ts'
import { devSetAllmulti, devSetPromiscuity } from '../../core/dev_flags.ts'
import { netifCarrierOff, netifCarrierOn } from '../../core/link_watch.ts'
import type { NetDevice } from '../../core/net_device.ts'
import { rtmsgIfinfo } from '../../core/rtnl_link_fill.ts'
import { LACPDU_ADDRESS } from './bond_3ad_types.ts'
import {
  BOND_FOM_ACTIVE,
  BOND_FOM_FOLLOW,
  BOND_FOM_NONE,
  BOND_LINK_BACK,
  BOND_LINK_UP,
  BOND_MODE_8023AD,
  BOND_MODE_ACTIVEBACKUP,
  BOND_MODE_ROUNDROBIN,
  BOND_PRI_RESELECT_ALWAYS,
  BOND_PRI_RESELECT_BETTER,
  BOND_STATE_ACTIVE,
  BOND_STATE_BACKUP,
  type Bonding,
  type BondSlave,
} from './bonding.ts'

/** Tells listeners that a slave's state or link has changed (bond_lower_state_changed). */
export function bondLowerStateChanged(slave: BondSlave): void {
  rtmsgIfinfo(RTM_NEWLINK, slave.dev, 0)
}

/** Sets a slave's link state, and tells listeners (bond_set_slave_link_state). */
export function bondSetSlaveLinkState(slave: BondSlave, state: number, notify: boolean): void {
  if (slave.link === state) return
  slave.link = state
  if (notify) bondLowerStateChanged(slave)
}

/** Sets a slave's state, active or backup (bond_set_slave_state). */
export function bondSetSlaveState(slave: BondSlave, state: number): void {
  if (slave.backup === state) return
  slave.backup = state
  bondLowerStateChanged(slave)
}

/** A slave only listens (bond_set_slave_inactive_flags). */
export function bondSetSlaveInactiveFlags(slave: BondSlave): void {
  const { bond } = slave
  if (!bond.isLb) bondSetSlaveState(slave, BOND_STATE_BACKUP)
  if (bond.params.allSlavesActive === 0) slave.inactive = true
}

/** A slave carries traffic (bond_set_slave_active_flags). */
export function bondSetSlaveActiveFlags(slave: BondSlave): void {
  bondSetSlaveState(slave, BOND_STATE_ACTIVE)
  slave.inactive = false
}

/** @returns whether the carrier changed (bond_3ad_set_carrier): it follows the active aggregator */
function adSetCarrier(bond: Bonding): boolean {
  const active = bond.ad?.activeAggregator()
  const up = active !== undefined && active.activePorts() >= bond.params.minLinks
  return setCarrier(bond.dev, up)
}

function setCarrier(dev: NetDevice, up: boolean): boolean {
  if (dev.carrier === up) return false
  if (up) netifCarrierOn(dev)
  else netifCarrierOff(dev)
  return true
}

/** The master has a carrier where a slave's link is up (bond_set_carrier). @returns whether it changed */
export function bondSetCarrier(bond: Bonding): boolean {
  if (bond.slaves.length > 0 && bond.params.mode === BOND_MODE_8023AD) return adSetCarrier(bond)
  return setCarrier(
    bond.dev,
    bond.slaves.some(slave => slave.link === BOND_LINK_UP),
  )
}

/** Takes the master's addresses off a slave (bond_hw_addr_flush). */
export function bondHwAddrFlush(bond: Bonding, slave: NetDevice): void {
  devUcUnsync(slave, bond.dev)
  devMcUnsync(slave, bond.dev)
  if (bond.params.mode === BOND_MODE_8023AD) devMcDel(slave, LACPDU_ADDRESS)
}

/** Moves the master's filters from one active slave to the next (bond_hw_addr_swap). */
function hwAddrSwap(bond: Bonding, fresh: BondSlave | undefined, old: BondSlave | undefined): void {
  const { dev } = bond
  if (old !== undefined) {
    if ((dev.flags & IFF_PROMISC) !== 0) devSetPromiscuity(old.dev, -1)
    if ((dev.flags & IFF_ALLMULTI) !== 0) devSetAllmulti(old.dev, -1)
    if ((dev.flags & IFF_UP) !== 0) bondHwAddrFlush(bond, old.dev)
  }
  if (fresh !== undefined) {
    if ((dev.flags & IFF_PROMISC) !== 0) devSetPromiscuity(fresh.dev, 1)
    if ((dev.flags & IFF_ALLMULTI) !== 0) devSetAllmulti(fresh.dev, 1)
    if ((dev.flags & IFF_UP) !== 0) {
      devUcSync(fresh.dev, dev)
      devMcSync(fresh.dev, dev)
    }
  }
}

/** Gives the master a slave's address (bond_set_dev_addr). @returns 0 or a subsystem's refusal */
export function bondSetDevAddr(bond: NetDevice, slave: NetDevice): number {
  const chain = bond.net.kernel.netdevChain
  const rc = chain.call('PRE_CHANGEADDR', bond, {})
  if (rc < 0) return rc
  bond.devAddr = slave.devAddr.slice()
  bond.addrAssignType = 2
  chain.call('CHANGEADDR', bond, {})
  return 0
}

/** What fail_over_mac asks for when the active slave changes (bond_do_fail_over_mac). */
function failOverMac(bond: Bonding, fresh: BondSlave, old: BondSlave | undefined): void {
  if (bond.params.failOverMac === BOND_FOM_ACTIVE) {
    bondSetDevAddr(bond.dev, fresh.dev)
    return
  }
  if (bond.params.failOverMac !== BOND_FOM_FOLLOW) return
  const other = old ?? bond.slaves.find(slave => slave !== fresh && equal(slave.dev.devAddr, bond.dev.devAddr))
  const spare = other === undefined ? undefined : fresh.dev.devAddr.slice()
  const master = bond.dev.devAddr
  if (devSetMacAddress(fresh.dev, master) < 0 || other === undefined || spare === undefined) return
  devSetMacAddress(other.dev, spare)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** Balancing by load, the active slave has the master's address; who had it gets the other (bond_alb_handle_active_change). */
function swapAddress(bond: Bonding, fresh: BondSlave): void {
  const master = bond.dev.devAddr
  if (equal(fresh.dev.devAddr, master)) return
  const other = bond.slaves.find(slave => slave !== fresh && equal(slave.dev.devAddr, master))
  const own = fresh.dev.devAddr.slice()
  devSetMacAddress(fresh.dev, master)
  if (other !== undefined) devSetMacAddress(other.dev, own)
}

/** @returns whether peers should hear of the new path in this round (bond_should_notify_peers) */
export function bondShouldNotifyPeers(bond: Bonding): boolean {
  const slave = bond.currActive
  if (slave === undefined || bond.sendPeerNotif === 0) return false
  return bond.sendPeerNotif % Math.max(1, bond.params.peerNotifDelay) === 0 && bond.dev.carrier
}

/** Makes a slave, or with undefined none, the active one (bond_change_active_slave). */
export function bondChangeActiveSlave(bond: Bonding, fresh: BondSlave | undefined): void {
  const old = bond.currActive
  if (old === fresh) return
  const { params, dev } = bond
  const chain = dev.net.kernel.netdevChain
  if (fresh !== undefined) {
    if (fresh.link === BOND_LINK_BACK) {
      if (bond.usesPrimary)
        bond.slaveInfo(
          fresh.dev,
          `making interface the new active one ${(params.updelay - fresh.delay) * params.miimon} ms earlier`,
        )
      fresh.delay = 0
      bondSetSlaveLinkState(fresh, BOND_LINK_UP, false)
      bond.ad?.handleLinkChange(fresh)
    } else if (bond.usesPrimary) bond.slaveInfo(fresh.dev, 'making interface the new active one')
  }
  if (bond.usesPrimary) hwAddrSwap(bond, fresh, old)
  bond.currActive = fresh
  if (bond.isLb) {
    if (old !== undefined) bondSetSlaveInactiveFlags(old)
    if (fresh !== undefined) {
      bondSetSlaveActiveFlags(fresh)
      swapAddress(bond, fresh)
    }
  }
  if (params.mode === BOND_MODE_ACTIVEBACKUP) {
    if (old !== undefined) bondSetSlaveInactiveFlags(old)
    if (fresh !== undefined) {
      bondSetSlaveActiveFlags(fresh)
      if (params.failOverMac !== BOND_FOM_NONE) failOverMac(bond, fresh, old)
      if (dev.running) bond.sendPeerNotif = params.numPeerNotif * Math.max(1, params.peerNotifDelay)
      if (dev.running && bondShouldNotifyPeers(bond)) {
        bond.sendPeerNotif--
        chain.call('NOTIFY_PEERS', dev, {})
      }
    }
  }
  if (
    dev.running &&
    params.resendIgmp > 0 &&
    ((bond.usesPrimary && fresh !== undefined) || params.mode === BOND_MODE_ROUNDROBIN)
  ) {
    bond.igmpRetrans = params.resendIgmp
    bond.queueWork(bond.mcastTimer, 4)
  }
}

/** Joins groups again by the new active slave, so that switches learn (bond_resend_igmp_join_requests_delayed). */
export function bondResendIgmp(bond: Bonding): void {
  bond.dev.net.kernel.netdevChain.call('RESEND_IGMP', bond.dev, {})
  if (bond.igmpRetrans > 1) {
    bond.igmpRetrans--
    bond.queueWork(bond.mcastTimer, 200)
  }
}

/** @returns the primary, or who has its place, where the policy wants it; else the current one where it still works (bond_choose_primary_or_current) */
function choosePrimaryOrCurrent(bond: Bonding): BondSlave | undefined {
  const curr = bond.currActive
  const currUp = curr !== undefined && curr.link === BOND_LINK_UP
  let prim = bond.primary
  if (prim === undefined || prim.link !== BOND_LINK_UP) {
    let best: BondSlave | undefined
    for (const slave of bond.slaves)
      if (slave.link === BOND_LINK_UP && (best === undefined || slave.prio > best.prio)) best = slave
    if (best === undefined || best === curr) return currUp ? curr : undefined
    prim = best
  } else if (bond.forcePrimary) {
    bond.forcePrimary = false
    return prim
  }
  if (!currUp) return prim
  switch (bond.params.primaryReselect) {
    case BOND_PRI_RESELECT_ALWAYS:
      return prim
    case BOND_PRI_RESELECT_BETTER:
      if (prim.speed < curr.speed) return curr
      if (prim.speed === curr.speed && (prim.duplex === curr.duplex || prim.duplex !== 'full')) return curr
      return prim
    default:
      return curr
  }
}

function findBestSlave(bond: Bonding): BondSlave | undefined {
  const chosen = choosePrimaryOrCurrent(bond)
  if (chosen !== undefined) return chosen
  let best: BondSlave | undefined
  let least = bond.params.updelay
  for (const slave of bond.slaves) {
    if (slave.link === BOND_LINK_UP) return slave
    if (slave.link === BOND_LINK_BACK && slave.isUp && slave.delay < least) {
      least = slave.delay
      best = slave
    }
  }
  return best
}

/** Chooses the active slave anew, and follows with the carrier (bond_select_active_slave). */
export function bondSelectActiveSlave(bond: Bonding): void {
  const best = findBestSlave(bond)
  if (best === bond.currActive) return
  bondChangeActiveSlave(bond, best)
  if (!bondSetCarrier(bond)) return
  bond.info(bond.dev.carrier ? 'active interface up!' : 'now running without any active interface!')
}

/** Lists the slaves among which the hash chooses (bond_update_slave_arr). @param skip one that is leaving */
export function bondUpdateSlaveArr(bond: Bonding, skip?: BondSlave): void {
  if (!bond.usesXmitHash) return
  const aggregator = bond.params.mode === BOND_MODE_8023AD ? bond.ad?.activeAggregator() : undefined
  if (bond.params.mode === BOND_MODE_8023AD && aggregator === undefined) {
    bond.usable = []
    return
  }
  bond.usable = bond.slaves.filter(
    slave =>
      slave !== skip && slave.canTx && (aggregator === undefined || bond.ad?.portOf(slave)?.aggregator === aggregator),
  )
}
