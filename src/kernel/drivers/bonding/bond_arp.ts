/** Watching slaves' links by traffic: a slave that hears nothing for a while is down (ARP monitoring). */
import { ETH_P_ARP } from '../../../uapi/if.ts'
import { RT_SCOPE_LINK } from '../../../uapi/rtnetlink.ts'
import type { SkBuff } from '../../core/skbuff.ts'
import { inetSelectAddr } from '../../ipv4/devinet_select.ts'
import { addrFromBytes, addrToBytes } from '../../ipv4/inet_addr.ts'
import {
  bondSelectActiveSlave,
  bondSetCarrier,
  bondSetSlaveActiveFlags,
  bondSetSlaveInactiveFlags,
  bondSetSlaveLinkState,
  bondSetSlaveState,
  bondUpdateSlaveArr,
} from './bond_active.ts'
import {
  BOND_LINK_BACK,
  BOND_LINK_DOWN,
  BOND_LINK_UP,
  BOND_MODE_ACTIVEBACKUP,
  BOND_STATE_ACTIVE,
  type Bonding,
  type BondSlave,
} from './bonding.ts'

const ARP_LEN = 28

/** Asks every target by a slave (bond_arp_send_all). */
function sendAll(bond: Bonding, slave: BondSlave): void {
  const { net } = bond.dev
  for (const target of bond.params.arpTargets) {
    const skb: SkBuff = net.kernel.skbs.alloc(64 + 14 + ARP_LEN)
    skb.reserve(64)
    const at = skb.put(14 + ARP_LEN)
    const { buf } = skb
    buf.fill(0, at, at + 14 + ARP_LEN)
    buf.fill(0xff, at, at + 6)
    buf.set(bond.dev.devAddr, at + 6)
    buf.set([ETH_P_ARP >> 8, ETH_P_ARP & 0xff, 0, 1, 8, 0, 6, 4, 0, 1], at + 12)
    buf.set(bond.dev.devAddr, at + 22)
    buf.set(addrToBytes(inetSelectAddr(bond.dev, addrFromBytes(target), RT_SCOPE_LINK)), at + 28)
    buf.set(target, at + 38)
    skb.protocol = ETH_P_ARP
    skb.dev = slave.dev
    skb.networkHeader = at + 14
    slave.lastTx = net.kernel.clock.now
    net.kernel.netcore.queueXmit(skb)
  }
}

function heard(bond: Bonding, slave: BondSlave, intervals: number): boolean {
  const { clock } = bond.dev.net.kernel
  return clock.now - slave.lastRx <= intervals * bond.params.arpInterval * 1e6 + (bond.params.arpInterval * 1e6) / 2
}

function down(slave: BondSlave): void {
  slave.linkFailureCount++
  bondSetSlaveLinkState(slave, BOND_LINK_DOWN, true)
  slave.bond.slaveInfo(slave.dev, 'link status definitely down, disabling slave')
}

/** One round where one slave is active (bond_activebackup_arp_mon). */
function activeBackup(bond: Bonding): void {
  let failover = false
  const { missedMax } = bond.params
  for (const slave of bond.slaves) {
    if (slave.link !== BOND_LINK_UP) {
      if (!heard(bond, slave, 1)) continue
      bondSetSlaveLinkState(slave, BOND_LINK_UP, true)
      bond.slaveInfo(slave.dev, 'link status definitely up')
      if (bond.currActive === undefined || slave === bond.primary) failover = true
      continue
    }
    if (slave.backup !== BOND_STATE_ACTIVE) {
      if (bond.currActive !== undefined && !heard(bond, slave, missedMax + 1)) {
        down(slave)
        bondSetSlaveInactiveFlags(slave)
      }
      continue
    }
    if (heard(bond, slave, missedMax)) continue
    down(slave)
    bondSetSlaveInactiveFlags(slave)
    if (slave === bond.currActive) failover = true
  }
  if (failover) bondSelectActiveSlave(bond)
  bondSetCarrier(bond)
  if (bond.currActive !== undefined) {
    sendAll(bond, bond.currActive)
    return
  }
  // nobody works: try one slave after the other
  const up = bond.slaves.filter(slave => slave.isUp)
  if (up.length === 0) return
  bond.arpProbe = (bond.arpProbe + 1) % up.length
  const candidate = up[bond.arpProbe]!
  for (const slave of up) if (slave !== candidate) bondSetSlaveInactiveFlags(slave)
  bondSetSlaveLinkState(candidate, BOND_LINK_BACK, true)
  bondSetSlaveActiveFlags(candidate)
  sendAll(bond, candidate)
}

/** One round where every slave carries traffic (bond_loadbalance_arp_mon). */
function loadBalance(bond: Bonding): void {
  let failover = false
  for (const slave of bond.slaves) {
    if (slave.link !== BOND_LINK_UP) {
      if (heard(bond, slave, 1)) {
        bondSetSlaveLinkState(slave, BOND_LINK_UP, true)
        bondSetSlaveState(slave, BOND_STATE_ACTIVE)
        if (bond.currActive === undefined) failover = true
        bond.slaveInfo(slave.dev, bond.currActive === undefined ? 'link status definitely up' : 'interface is now up')
      }
    } else if (!heard(bond, slave, bond.params.missedMax)) {
      down(slave)
      if (slave === bond.currActive) failover = true
    }
    if (slave.isUp) sendAll(bond, slave)
  }
  bondUpdateSlaveArr(bond)
  bondSetCarrier(bond)
  if (failover) bondSelectActiveSlave(bond)
}

/** One round (bond_arp_monitor). */
export function bondArpMonitor(bond: Bonding): void {
  if (bond.params.arpInterval === 0) return
  if (bond.slaves.length > 0) {
    if (bond.params.mode === BOND_MODE_ACTIVEBACKUP) activeBackup(bond)
    else loadBalance(bond)
  }
  bond.queueWork(bond.arpTimer, bond.params.arpInterval)
}
