/** /sys/class/net/bonding_masters, /sys/class/net/MASTER/bonding and /sys/class/net/SLAVE/bonding_slave. */
import { Errno } from '../../../uapi/errno.ts'
import { allocNetdev, registerNetdevice, unregisterNetdevice } from '../../core/dev_core.ts'
import { type KernfsNode, kernfsText } from '../../core/kernfs.ts'
import { netifCarrierOff } from '../../core/link_watch.ts'
import type { NetDevice } from '../../core/net_device.ts'
import type { Net } from '../../core/net_namespace.ts'
import { type SysfsProvider, sysfsDir } from '../../core/net_sysfs.ts'
import { NetlinkExtAck } from '../../core/rtnetlink.ts'
import { bondEnslave, bondRelease } from './bond_enslave.ts'
import { BOND_QUEUES, bondSetup } from './bond_main.ts'
import { bondLinkOps } from './bond_netlink.ts'
import {
  BOND_OPTIONS,
  BOND_RAW_OPTIONS,
  type BondOption,
  bondAddArpTarget,
  bondSetActiveSlave,
  bondSetAdActorSystem,
  bondSetOption,
  bondSetPrimary,
  bondSetRaw,
} from './bond_options.ts'
import { bondsOf, macText } from './bond_procfs.ts'
import { BOND_MODE_8023AD, type Bonding, type BondSlave, bondOf, bondSlaveOf } from './bonding.ts'

type Entry = readonly [string, KernfsNode]

function file(name: string, read: () => string, write?: (word: string) => number): Entry {
  if (write === undefined) return [name, kernfsText(() => `${read()}\n`)]
  return [
    name,
    {
      kind: 'file',
      mode: 0o644,
      read: () => `${read()}\n`,
      write(text) {
        const rc = write(text.trim())
        return rc < 0 ? rc : text.length
      },
    },
  ]
}

/** A value by its word or number. @returns -1 for neither */
function parseValue(opt: BondOption, word: string): number {
  const named = opt.words?.indexOf(word) ?? -1
  if (named >= 0) return named
  return /^\d+$/.test(word) ? Number(word) : -1
}

/** A file for an option that is a number; options with words show both. */
function optionFile(bond: Bonding, opt: BondOption, name = opt.name, words = opt.words !== undefined): Entry {
  return file(
    name,
    () => {
      const value = opt.get(bond.params)
      return words ? `${opt.words![value]} ${value}` : String(value)
    },
    word => {
      const value = parseValue(opt, word)
      return bondSetOption(bond, opt, value)
    },
  )
}

function parseIpv4(word: string): Uint8Array | undefined {
  const parts = word.split('.').map(Number)
  return parts.length === 4 && parts.every(part => part >= 0 && part < 256) ? Uint8Array.from(parts) : undefined
}

function setTarget(bond: Bonding, word: string): number {
  const target = parseIpv4(word.slice(1))
  if (target === undefined) return -Errno.EINVAL
  if (word.startsWith('+')) return bondAddArpTarget(bond, target)
  if (!word.startsWith('-')) return -Errno.EPERM
  const { arpTargets } = bond.params
  const place = arpTargets.findIndex(each => each.every((byte, i) => byte === target[i]))
  if (place < 0) return -Errno.EINVAL
  arpTargets.splice(place, 1)
  return 0
}

function setSlaves(bond: Bonding, word: string): number {
  return bondSetRaw(bond, BOND_RAW_OPTIONS.slaves, word, undefined, () => {
    const dev = bond.dev.net.devicesByName.get(word.slice(1))
    if (dev === undefined || !/^[+-]/.test(word)) {
      if (dev === undefined) bond.info(`interface ${word.slice(1)} does not exist!`, 6)
      return dev === undefined ? -Errno.ENODEV : -Errno.EPERM
    }
    return word.startsWith('+') ? bondEnslave(bond, dev, new NetlinkExtAck()) : bondRelease(bond, dev, false)
  })
}

function setQueue(bond: Bonding, word: string): number {
  return bondSetRaw(bond, BOND_RAW_OPTIONS.queueId, word, undefined, () => {
    const [name, id] = word.split(':')
    const slave = bond.slaves.find(each => each.dev.name === name)
    if (slave === undefined || id === undefined || !/^\d+$/.test(id)) return -Errno.EINVAL
    if (Number(id) >= bond.dev.realNumTxQueues) return -Errno.EINVAL
    slave.queueId = Number(id)
    return 0
  })
}

function parseMac(word: string): Uint8Array {
  const parts = word.split(':')
  return parts.length === 6 && parts.every(part => /^[0-9a-fA-F]{1,2}$/.test(part))
    ? Uint8Array.from(parts, part => Number.parseInt(part, 16))
    : new Uint8Array(0)
}

/** Something that only a master in 802.3ad mode shows; elsewhere its files are empty. */
function adFile(bond: Bonding, name: string, read: (bond: Bonding) => string, write?: (word: string) => number): Entry {
  const text = (): string => (bond.params.mode === BOND_MODE_8023AD ? `${read(bond)}\n` : '')
  if (write === undefined) return [name, kernfsText(text)]
  return [
    name,
    {
      kind: 'file',
      mode: 0o644,
      read: text,
      write(data) {
        const rc = write(data.trim())
        return rc < 0 ? rc : data.length
      },
    },
  ]
}

function list(words: readonly string[]): string {
  return words.length === 0 ? '' : `${words.join(' ')}\n`
}

function listFile(name: string, read: () => string, write: (word: string) => number): Entry {
  return [
    name,
    {
      kind: 'file',
      mode: 0o644,
      read,
      write(text) {
        const rc = write(text.trim())
        return rc < 0 ? rc : text.length
      },
    },
  ]
}

function masterFiles(bond: Bonding): Entry[] {
  const { params } = bond
  const o = BOND_OPTIONS
  const active =
    (get: (agg: NonNullable<ReturnType<NonNullable<Bonding['ad']>['activeAggregator']>>) => string) =>
    (each: Bonding): string => {
      const agg = each.ad?.activeAggregator()
      return agg === undefined ? '0' : get(agg)
    }
  return [
    listFile(
      'slaves',
      () => list(bond.slaves.map(slave => slave.dev.name)),
      word => setSlaves(bond, word),
    ),
    optionFile(bond, o.mode),
    optionFile(bond, o.failOverMac),
    optionFile(bond, o.arpValidate),
    optionFile(bond, o.arpAllTargets),
    optionFile(bond, o.arpInterval),
    listFile(
      'arp_ip_target',
      () => list(params.arpTargets.map(each => each.join('.'))),
      word => setTarget(bond, word),
    ),
    optionFile(bond, o.downdelay),
    optionFile(bond, o.updelay),
    optionFile(bond, o.lacpActive),
    optionFile(bond, o.lacpFast),
    optionFile(bond, o.adSelect),
    optionFile(bond, o.xmitPolicy),
    optionFile(bond, o.numPeerNotif, 'num_grat_arp'),
    optionFile(bond, o.numPeerNotif, 'num_unsol_na'),
    optionFile(bond, o.miimon),
    listFile(
      'primary',
      () => list(bond.primary === undefined ? [] : [bond.primary.dev.name]),
      word => bondSetPrimary(bond, word),
    ),
    optionFile(bond, o.primaryReselect),
    optionFile(bond, o.useCarrier, 'use_carrier', false),
    listFile(
      'active_slave',
      () => list(bond.usesPrimary && bond.currActive !== undefined ? [bond.currActive.dev.name] : []),
      word => bondSetActiveSlave(bond, word),
    ),
    file('mii_status', () => (bond.dev.carrier ? 'up' : 'down')),
    adFile(
      bond,
      'ad_aggregator',
      active(agg => String(agg.id)),
    ),
    adFile(
      bond,
      'ad_num_ports',
      active(agg => String(agg.numPorts)),
    ),
    adFile(
      bond,
      'ad_actor_key',
      active(agg => String(agg.actorKey)),
    ),
    adFile(
      bond,
      'ad_partner_key',
      active(agg => String(agg.partnerKey)),
    ),
    adFile(bond, 'ad_partner_mac', each => macText(each.ad?.activeAggregator()?.partnerSystem ?? new Uint8Array(6))),
    listFile(
      'queue_id',
      () => list(bond.slaves.map(each => `${each.dev.name}:${each.queueId}`)),
      word => setQueue(bond, word),
    ),
    optionFile(bond, o.allSlavesActive, 'all_slaves_active', false),
    optionFile(bond, o.resendIgmp),
    optionFile(bond, o.minLinks),
    optionFile(bond, o.lpInterval),
    optionFile(bond, o.packetsPerSlave),
    optionFile(bond, o.tlbDynamicLb, 'tlb_dynamic_lb', false),
    adFile(
      bond,
      'ad_actor_sys_prio',
      each => String(each.params.adActorSysPrio),
      word => bondSetOption(bond, o.adActorSysPrio, parseValue(o.adActorSysPrio, word)),
    ),
    adFile(
      bond,
      'ad_actor_system',
      each => macText(each.params.adActorSystem),
      word => bondSetAdActorSystem(bond, parseMac(word)),
    ),
    adFile(
      bond,
      'ad_user_port_key',
      each => String(each.params.adUserPortKey),
      word => bondSetOption(bond, o.adUserPortKey, parseValue(o.adUserPortKey, word)),
    ),
    optionFile(bond, o.peerNotifDelay, 'peer_notif_delay'),
    optionFile(bond, o.missedMax),
  ]
}

const MII_WORDS = ['up', 'going down', 'down', 'going back']

function slaveFiles(slave: BondSlave): Entry[] {
  const ad = (read: (port: NonNullable<BondSlave['ad']>) => string) => (): string => {
    const port = slave.bond.ad?.portOf(slave)
    return port === undefined ? 'N/A' : read(port)
  }
  return [
    file('state', () => (slave.backup === 0 ? 'active' : 'backup')),
    file('mii_status', () => MII_WORDS[slave.link] ?? 'unknown'),
    file('link_failure_count', () => String(slave.linkFailureCount)),
    file('perm_hwaddr', () => macText(slave.permHwaddr)),
    file('queue_id', () => String(slave.queueId)),
    file(
      'ad_aggregator_id',
      ad(port => (port.aggregator === undefined ? 'N/A' : String(port.aggregator.id))),
    ),
    file(
      'ad_actor_oper_port_state',
      ad(port => String(port.actor.state)),
    ),
    file(
      'ad_partner_oper_port_state',
      ad(port => String(port.partner.state)),
    ),
  ]
}

const MASTERS = new WeakMap<Bonding, Entry[]>()
const SLAVES = new WeakMap<BondSlave, Entry[]>()

function cached<K extends object>(map: WeakMap<K, Entry[]>, key: K, make: (key: K) => Entry[]): Entry[] {
  let entries = map.get(key)
  if (entries === undefined) {
    entries = make(key)
    map.set(key, entries)
  }
  return entries
}

/** What masters and slaves add to a device's directory. */
export const bondSysfs: SysfsProvider = (dev: NetDevice) => {
  const bond = bondOf(dev)
  const slave = bondSlaveOf(dev)
  const out: Entry[] = []
  if (bond !== undefined) out.push(['bonding', sysfsDir(() => cached(MASTERS, bond, masterFiles))])
  if (slave !== undefined) out.push(['bonding_slave', sysfsDir(() => cached(SLAVES, slave, slaveFiles))])
  return out
}

/** Makes a master by name (bond_create). */
function create(net: Net, name: string): number {
  const dev = allocNetdev(net, name, bondSetup, BOND_QUEUES, BOND_QUEUES)
  dev.linkOps = bondLinkOps
  dev.linkInitialized = true
  const rc = registerNetdevice(dev)
  if (rc === 0) netifCarrierOff(dev)
  return rc
}

/** /sys/class/net/bonding_masters: lists masters, makes them (`+NAME`) and deletes them (`-NAME`). */
export function bondingMasters(net: Net): KernfsNode {
  return {
    kind: 'file',
    mode: 0o644,
    read: () => list(bondsOf(net).map(bond => bond.dev.name)),
    write(text) {
      const word = text.trim()
      const name = word.slice(1)
      if (name === '' || name.length > 15) return -Errno.EPERM
      if (word.startsWith('+')) {
        const rc = create(net, name)
        return rc < 0 ? rc : text.length
      }
      if (!word.startsWith('-')) return -Errno.EPERM
      const bond = bondsOf(net).find(each => each.dev.name === name)
      if (bond === undefined) return -Errno.ENODEV
      unregisterNetdevice(bond.dev)
      return text.length
    },
  }
}
