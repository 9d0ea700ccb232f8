/** Masters and slaves in rtnetlink: `type bond`, `type bond_slave`. */
import { Errno } from '../../../uapi/errno.ts'
import { type BondData, type BondSlaveData, linkData } from '../../../uapi/if_link.ts'
import { registerNetdevice } from '../../core/dev_core.ts'
import { netifCarrierOff } from '../../core/link_watch.ts'
import type { RtnlLinkOps } from '../../core/net_device.ts'
import type { NetlinkExtAck } from '../../core/rtnetlink.ts'
import { slaveChangeData } from '../../core/rtnl_state.ts'
import { validateEtherAddress } from '../validate.ts'
import { bondSelectActiveSlave } from './bond_active.ts'
import { BOND_QUEUES, bondSetup } from './bond_main.ts'
import {
  BOND_OPTIONS,
  BOND_RAW_OPTIONS,
  type BondOption,
  bondSetActiveSlave,
  bondSetAdActorSystem,
  bondSetArpTargets,
  bondSetNsTargets,
  bondSetOption,
  bondSetPrimary,
  bondSetRaw,
} from './bond_options.ts'
import { BOND_MODE_8023AD, type Bonding } from './bonding.ts'

type Step = (bond: Bonding, data: BondData, extack: NetlinkExtAck) => number

/** Sets an option where the request names it. */
function step(field: keyof BondData, opt: BondOption): Step {
  return (bond, data, extack) => {
    const value = data[field]
    return typeof value === 'number' ? bondSetOption(bond, opt, value, extack) : 0
  }
}

/** A slave named by its index; 0 none. */
function slaveName(bond: Bonding, index: number): string | undefined {
  return index === 0 ? '' : bond.dev.net.devByIndex(index)?.name
}

/** What a request may change, in the kernel's order (bond_changelink). */
const STEPS: readonly Step[] = [
  step('mode', BOND_OPTIONS.mode),
  (bond, data, extack) => {
    if (data.activeSlave === undefined) return 0
    const name = slaveName(bond, data.activeSlave)
    return name === undefined ? -Errno.ENODEV : bondSetActiveSlave(bond, name, extack)
  },
  step('miimon', BOND_OPTIONS.miimon),
  step('updelay', BOND_OPTIONS.updelay),
  step('downdelay', BOND_OPTIONS.downdelay),
  step('peerNotifDelay', BOND_OPTIONS.peerNotifDelay),
  step('useCarrier', BOND_OPTIONS.useCarrier),
  (bond, data, extack) => {
    if (data.arpInterval === undefined) return 0
    if (data.arpInterval !== 0 && (data.miimon ?? 0) !== 0)
      return extack.fail(-Errno.EINVAL, 'ARP monitoring cannot be used with MII monitoring')
    return bondSetOption(bond, BOND_OPTIONS.arpInterval, data.arpInterval, extack)
  },
  (bond, data, extack) => (data.arpIpTarget === undefined ? 0 : bondSetArpTargets(bond, data.arpIpTarget, extack)),
  (bond, data, extack) => (data.nsIp6Target === undefined ? 0 : bondSetNsTargets(bond, data.nsIp6Target, extack)),
  (bond, data, extack) => {
    if (data.arpValidate === undefined) return 0
    if (data.arpValidate !== 0 && (data.miimon ?? 0) !== 0)
      return extack.fail(-Errno.EINVAL, 'ARP validating cannot be used with MII monitoring')
    return bondSetOption(bond, BOND_OPTIONS.arpValidate, data.arpValidate, extack)
  },
  step('arpAllTargets', BOND_OPTIONS.arpAllTargets),
  (bond, data, extack) =>
    data.primary === undefined ? 0 : bondSetPrimary(bond, slaveName(bond, data.primary) ?? '', extack),
  step('primaryReselect', BOND_OPTIONS.primaryReselect),
  step('failOverMac', BOND_OPTIONS.failOverMac),
  step('xmitHashPolicy', BOND_OPTIONS.xmitPolicy),
  step('resendIgmp', BOND_OPTIONS.resendIgmp),
  step('numPeerNotif', BOND_OPTIONS.numPeerNotif),
  step('allSlavesActive', BOND_OPTIONS.allSlavesActive),
  step('minLinks', BOND_OPTIONS.minLinks),
  step('lpInterval', BOND_OPTIONS.lpInterval),
  step('packetsPerSlave', BOND_OPTIONS.packetsPerSlave),
  step('adLacpActive', BOND_OPTIONS.lacpActive),
  step('adLacpRate', BOND_OPTIONS.lacpFast),
  step('adSelect', BOND_OPTIONS.adSelect),
  step('adActorSysPrio', BOND_OPTIONS.adActorSysPrio),
  step('adUserPortKey', BOND_OPTIONS.adUserPortKey),
  (bond, data, extack) =>
    data.adActorSystem === undefined ? 0 : bondSetAdActorSystem(bond, data.adActorSystem, extack),
  step('tlbDynamicLb', BOND_OPTIONS.tlbDynamicLb),
  step('missedMax', BOND_OPTIONS.missedMax),
]

function change(bond: Bonding, data: BondData | undefined, extack: NetlinkExtAck): number {
  if (data === undefined) return 0
  for (const each of STEPS) {
    const rc = each(bond, data, extack)
    if (rc < 0) return rc
  }
  return 0
}

function fill(bond: Bonding): BondData {
  const { params: p, ad } = bond
  const data: BondData = {
    mode: p.mode,
    miimon: p.miimon,
    updelay: p.updelay * p.miimon,
    downdelay: p.downdelay * p.miimon,
    peerNotifDelay: p.peerNotifDelay * p.miimon,
    useCarrier: p.useCarrier,
    arpInterval: p.arpInterval,
    arpValidate: p.arpValidate,
    arpAllTargets: p.arpAllTargets,
    primaryReselect: p.primaryReselect,
    failOverMac: p.failOverMac,
    xmitHashPolicy: p.xmitPolicy,
    resendIgmp: p.resendIgmp,
    numPeerNotif: p.numPeerNotif,
    allSlavesActive: p.allSlavesActive,
    minLinks: p.minLinks,
    lpInterval: p.lpInterval,
    packetsPerSlave: p.packetsPerSlave,
    adLacpActive: p.lacpActive,
    adLacpRate: p.lacpFast,
    adSelect: p.adSelect,
    tlbDynamicLb: p.tlbDynamicLb,
    missedMax: p.missedMax,
  }
  if (bond.usesPrimary && bond.currActive !== undefined) data.activeSlave = bond.currActive.dev.ifindex
  if (bond.primary !== undefined) data.primary = bond.primary.dev.ifindex
  if (p.arpTargets.length > 0) data.arpIpTarget = [...p.arpTargets]
  if (p.nsTargets.length > 0) data.nsIp6Target = [...p.nsTargets]
  if (p.mode === BOND_MODE_8023AD) {
    data.adActorSysPrio = p.adActorSysPrio
    data.adUserPortKey = p.adUserPortKey
    data.adActorSystem = p.adActorSystem.slice()
    const active = ad?.activeAggregator()
    if (active !== undefined)
      data.adInfo = {
        aggregator: active.id,
        numPorts: active.numPorts,
        actorKey: active.actorKey,
        partnerKey: active.partnerKey,
        partnerMac: active.partnerSystem.slice(),
      }
  }
  return data
}

/** The link type. */
export const bondLinkOps: RtnlLinkOps = {
  kind: 'bond',
  hasData: true,
  setup: bondSetup,
  validate: validateEtherAddress,
  getNumTxQueues: () => BOND_QUEUES,
  getNumRxQueues: () => BOND_QUEUES,
  newlink(_net, dev, msg, extack) {
    const bond = dev.priv as Bonding
    let rc = change(bond, linkData(msg.attrs.linkinfo, 'bond'), extack)
    if (rc < 0) return rc
    rc = registerNetdevice(dev)
    if (rc === 0) netifCarrierOff(dev)
    return rc
  },
  changelink: (dev, msg, extack) => change(dev.priv as Bonding, linkData(msg.attrs.linkinfo, 'bond'), extack),
  fillInfo: dev => fill(dev.priv as Bonding),
  slaveChangelink(master, dev, msg, extack) {
    const bond = master.priv as Bonding
    const data = slaveChangeData(msg.attrs.linkinfo, 'bond')
    const slave = bond.slaveOf(dev)
    if (data === undefined || slave === undefined) return 0
    if (data.queueId !== undefined) {
      const { queueId } = data
      const rc = bondSetRaw(bond, BOND_RAW_OPTIONS.queueId, `${dev.name}:${queueId}`, extack, () => {
        if (
          queueId >= bond.dev.realNumTxQueues ||
          bond.slaves.some(each => each !== slave && queueId !== 0 && each.queueId === queueId)
        )
          return -Errno.EINVAL
        slave.queueId = queueId
        return 0
      })
      if (rc < 0) return rc
    }
    if (data.prio === undefined) return 0
    const { prio } = data
    return bondSetRaw(bond, BOND_RAW_OPTIONS.prio, String(prio), extack, () => {
      slave.prio = prio
      bondSelectActiveSlave(bond)
      return 0
    })
  },
  fillSlaveInfo(master, dev): BondSlaveData | undefined {
    const bond = master.priv as Bonding
    const slave = bond.slaveOf(dev)
    if (slave === undefined) return undefined
    const data: BondSlaveData = {
      state: slave.backup,
      miiStatus: slave.link,
      linkFailureCount: slave.linkFailureCount,
      permHwaddr: slave.permHwaddr.slice(),
      queueId: slave.queueId,
      prio: slave.prio,
    }
    const port = bond.ad?.portOf(slave)
    if (port?.aggregator !== undefined) {
      data.adAggregatorId = port.aggregator.id
      data.adActorOperPortState = port.actor.state
      data.adPartnerOperPortState = port.partner.state
    }
    return data
  },
}
