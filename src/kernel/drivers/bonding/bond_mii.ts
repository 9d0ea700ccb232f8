/** Watching slaves' links: by their carrier every `miimon` ms. */
import {
  bondSelectActiveSlave,
  bondSetCarrier,
  bondSetSlaveInactiveFlags,
  bondSetSlaveLinkState,
  bondSetSlaveState,
  bondShouldNotifyPeers,
  bondUpdateSlaveArr,
} from './bond_active.ts'
import {
  BOND_LINK_BACK,
  BOND_LINK_DOWN,
  BOND_LINK_FAIL,
  BOND_LINK_NOCHANGE,
  BOND_LINK_UP,
  BOND_MODE_8023AD,
  BOND_MODE_ACTIVEBACKUP,
  BOND_STATE_ACTIVE,
  BOND_STATE_BACKUP,
  type Bonding,
  type BondSlave,
} from './bonding.ts'

/** @returns whether a slave's link is up as its device sees it (bond_check_dev_link) */
export function bondCheckDevLink(slave: BondSlave): boolean {
  return slave.dev.running && slave.dev.carrier
}

/** Reads speed and duplex (bond_update_speed_duplex). @returns whether the device knows them */
export function bondUpdateSpeedDuplex(slave: BondSlave): boolean {
  slave.speed = -1
  slave.duplex = 'unknown'
  const settings = slave.dev.ops.getLinkKsettings?.(slave.dev)
  if (settings === undefined || settings.speed <= 0 || settings.duplex === 'unknown') return false
  slave.speed = settings.speed
  slave.duplex = settings.duplex
  return true
}

/** @returns the new state of one slave's link in this round, BOND_LINK_NOCHANGE for none */
function inspect(slave: BondSlave, ignoreUpdelay: boolean): number {
  const { bond } = slave
  const { params } = bond
  const up = bondCheckDevLink(slave)
  let proposed = BOND_LINK_NOCHANGE
  switch (slave.link) {
    case BOND_LINK_UP:
      if (up) return proposed
      proposed = BOND_LINK_FAIL
      slave.delay = params.downdelay
      if (slave.delay > 0) {
        const role =
          params.mode === BOND_MODE_ACTIVEBACKUP ? (slave.backup === BOND_STATE_ACTIVE ? 'active ' : 'backup ') : ''
        bond.slaveInfo(
          slave.dev,
          `link status down for ${role}interface, disabling it in ${params.downdelay * params.miimon} ms`,
        )
      }
      return waiting(slave, BOND_LINK_DOWN, proposed)
    case BOND_LINK_FAIL:
      if (up) {
        bond.slaveInfo(slave.dev, `link status up again after ${(params.downdelay - slave.delay) * params.miimon} ms`)
        return BOND_LINK_UP
      }
      return waiting(slave, BOND_LINK_DOWN, proposed)
    case BOND_LINK_DOWN:
      if (!up) return proposed
      proposed = BOND_LINK_BACK
      slave.delay = params.updelay
      if (slave.delay > 0)
        bond.slaveInfo(
          slave.dev,
          `link status up, enabling it in ${ignoreUpdelay ? 0 : params.updelay * params.miimon} ms`,
        )
      if (ignoreUpdelay) slave.delay = 0
      return waiting(slave, BOND_LINK_UP, proposed)
    default:
      if (!up) {
        bond.slaveInfo(slave.dev, `link status down again after ${(params.updelay - slave.delay) * params.miimon} ms`)
        return BOND_LINK_DOWN
      }
      if (ignoreUpdelay) slave.delay = 0
      return waiting(slave, BOND_LINK_UP, proposed)
  }
}

/** @returns `then` once the delay has run out, until then `now` */
function waiting(slave: BondSlave, then: number, now: number): number {
  if (slave.delay <= 0) return then
  slave.delay--
  return now
}

function linkUp(slave: BondSlave): boolean {
  const { bond } = slave
  const { mode } = bond.params
  bondUpdateSpeedDuplex(slave)
  if (mode === BOND_MODE_8023AD && slave.speed < 0) {
    slave.link = BOND_LINK_DOWN
    bond.slaveInfo(slave.dev, 'failed to get link speed/duplex', 4)
    return false
  }
  bondSetSlaveLinkState(slave, BOND_LINK_UP, true)
  if (mode === BOND_MODE_8023AD) bondSetSlaveState(slave, BOND_STATE_BACKUP)
  else if (mode !== BOND_MODE_ACTIVEBACKUP) bondSetSlaveState(slave, BOND_STATE_ACTIVE)
  const speed = slave.speed === -1 ? 0 : slave.speed
  bond.slaveInfo(
    slave.dev,
    `link status definitely up, ${speed} Mbps ${slave.duplex === 'full' ? 'full' : 'half'} duplex`,
  )
  linkChange(slave)
  const active = bond.currActive
  return active === undefined || slave === bond.primary || slave.prio > active.prio
}

function linkDown(slave: BondSlave): boolean {
  const { bond } = slave
  const { mode } = bond.params
  slave.linkFailureCount++
  bondSetSlaveLinkState(slave, BOND_LINK_DOWN, true)
  if (mode === BOND_MODE_ACTIVEBACKUP || mode === BOND_MODE_8023AD) bondSetSlaveInactiveFlags(slave)
  bond.slaveInfo(slave.dev, 'link status definitely down, disabling slave')
  linkChange(slave)
  return slave === bond.currActive
}

/** The mode's own part of a change (bond_miimon_link_change). */
function linkChange(slave: BondSlave): void {
  const { bond } = slave
  bond.ad?.handleLinkChange(slave)
  bondUpdateSlaveArr(bond)
}

/** Takes the proposed states over (bond_miimon_commit). */
function commit(bond: Bonding): void {
  let failover = false
  for (const slave of [...bond.slaves]) {
    if (slave.linkNewState === BOND_LINK_UP) failover = linkUp(slave) || failover
    else if (slave.linkNewState === BOND_LINK_DOWN) failover = linkDown(slave) || failover
  }
  if (failover) bondSelectActiveSlave(bond)
  bondSetCarrier(bond)
}

function hasUsable(bond: Bonding): boolean {
  return bond.slaves.some(slave => slave.link === BOND_LINK_UP)
}

/** One round (bond_mii_monitor). */
export function bondMiiMonitor(bond: Bonding): void {
  const { params, slaves } = bond
  const notify = bondShouldNotifyPeers(bond)
  if (slaves.length > 0) {
    let ignoreUpdelay = bond.usesPrimary ? bond.currActive === undefined : !hasUsable(bond)
    let changes = false
    for (const slave of slaves) {
      slave.linkNewState = inspect(slave, ignoreUpdelay)
      if (slave.linkNewState === BOND_LINK_NOCHANGE) continue
      changes = true
      if (slave.linkNewState === BOND_LINK_UP && slave.link === BOND_LINK_BACK) ignoreUpdelay = false
    }
    if (changes) {
      for (const slave of slaves)
        if (slave.linkNewState === BOND_LINK_FAIL || slave.linkNewState === BOND_LINK_BACK)
          bondSetSlaveLinkState(slave, slave.linkNewState, true)
      commit(bond)
    }
  }
  if (params.miimon > 0) bond.queueWork(bond.miiTimer, params.miimon)
  if (slaves.length === 0 || bond.sendPeerNotif === 0) return
  bond.sendPeerNotif--
  if (notify) bond.dev.net.kernel.netdevChain.call('NOTIFY_PEERS', bond.dev, {})
}
