/** Options of a master as netlink and sysfs set them: what a mode allows, ranges, and what a change does. */
import { Errno } from '../../../uapi/errno.ts'
import { IFF_UP } from '../../../uapi/if.ts'
import { isMulticastEtherAddr } from '../../core/ethernet.ts'
import type { NetlinkExtAck } from '../../core/rtnetlink.ts'
import { newAdBond } from './bond_3ad.ts'
import { bondChangeActiveSlave, bondSelectActiveSlave, bondSetCarrier } from './bond_active.ts'
import {
  BOND_DEFAULT_MIIMON,
  BOND_LINK_UP,
  BOND_MAX_TARGETS,
  BOND_MODE_8023AD,
  BOND_MODE_ACTIVEBACKUP,
  BOND_MODE_ALB,
  BOND_MODE_ROUNDROBIN,
  BOND_MODE_TLB,
  BOND_STATE_ACTIVE,
  type Bonding,
  type BondParams,
  bondModeUsesArp,
} from './bonding.ts'

const INT_MAX = 0x7fffffff
const ALL_MODES = 0x7f

/** Modes other than these cannot have an option. */
function only(...modes: number[]): number {
  return modes.reduce((mask, mode) => mask & ~(1 << mode), ALL_MODES)
}

const NO_ARP = (1 << BOND_MODE_8023AD) | (1 << BOND_MODE_TLB) | (1 << BOND_MODE_ALB)
const ONLY_AD = only(BOND_MODE_8023AD)
const ONLY_PRIMARY = only(BOND_MODE_ACTIVEBACKUP, BOND_MODE_TLB, BOND_MODE_ALB)

/** An option with a number for its value (`bond_option`). */
export interface BondOption {
  readonly name: string
  /** words for values, by value */
  readonly words?: readonly string[]
  readonly min?: number
  readonly max?: number
  /** modes that do not have it, a bit each */
  readonly unsupported?: number
  /** the master must have no slaves, or be down */
  readonly noSlaves?: boolean
  readonly ifDown?: boolean
  get(params: BondParams): number
  set(bond: Bonding, value: number): number
}

export const BOND_MODE_WORDS = [
  'balance-rr',
  'active-backup',
  'balance-xor',
  'broadcast',
  '802.3ad',
  'balance-tlb',
  'balance-alb',
]
export const BOND_XMIT_HASH_WORDS = ['layer2', 'layer3+4', 'layer2+3', 'encap2+3', 'encap3+4', 'vlan+srcmac']
export const BOND_AD_SELECT_WORDS = ['stable', 'bandwidth', 'count']
export const BOND_PRIMARY_RESELECT_WORDS = ['always', 'better', 'failure']
export const BOND_FAIL_OVER_MAC_WORDS = ['none', 'active', 'follow']

/** Fields of the settings that are numbers. */
type NumberField = { [K in keyof BondParams]: BondParams[K] extends number ? K : never }[keyof BondParams]

function option(
  name: string,
  field: NumberField,
  rules: Omit<BondOption, 'name' | 'get' | 'set'>,
  after?: (bond: Bonding, value: number) => void,
): BondOption {
  return {
    name,
    ...rules,
    get: params => params[field],
    set(bond, value) {
      bond.params[field] = value
      after?.(bond, value)
      return 0
    },
  }
}

function delay(name: string, field: 'updelay' | 'downdelay' | 'peerNotifDelay', max: number): BondOption {
  return {
    name,
    min: 0,
    max,
    get: params => params[field] * params.miimon,
    set(bond, value) {
      const { miimon } = bond.params
      if (miimon === 0) {
        bond.info(
          `Unable to set ${name === 'peer_notif_delay' ? 'peer notification' : name.replace('delay', '')} delay as MII monitoring is disabled`,
          3,
        )
        return -Errno.EPERM
      }
      bond.params[field] = Math.floor(value / miimon)
      return 0
    },
  }
}

function setMode(bond: Bonding, mode: number): number {
  const { params } = bond
  if (!bondModeUsesArp(mode)) {
    params.arpInterval = 0
    if (params.miimon === 0) params.miimon = BOND_DEFAULT_MIIMON
  }
  if (mode === BOND_MODE_ALB) params.tlbDynamicLb = 1
  params.arpValidate = 0
  params.mode = mode
  bond.ad = mode === BOND_MODE_8023AD ? newAdBond(bond) : undefined
  return 0
}

function setMiimon(bond: Bonding, value: number): number {
  const { params, dev } = bond
  const { clock } = dev.net.kernel
  params.miimon = value
  if (value !== 0) {
    if (params.arpInterval !== 0) params.arpValidate = 0
    params.arpInterval = 0
  }
  if ((dev.flags & IFF_UP) === 0) return 0
  if (value === 0) clock.del(bond.miiTimer)
  else {
    clock.del(bond.arpTimer)
    bond.queueWork(bond.miiTimer, 0)
  }
  return 0
}

function setArpInterval(bond: Bonding, value: number): number {
  const { params, dev } = bond
  const { clock } = dev.net.kernel
  params.arpInterval = value
  if (value !== 0) params.miimon = 0
  if ((dev.flags & IFF_UP) === 0) return 0
  if (value === 0) clock.del(bond.arpTimer)
  else {
    clock.del(bond.miiTimer)
    bond.queueWork(bond.arpTimer, 0)
  }
  return 0
}

const OFF_ON = ['off', 'on']

/** The options by the name that sysfs and messages use. */
export const BOND_OPTIONS = {
  mode: {
    name: 'mode',
    words: BOND_MODE_WORDS,
    noSlaves: true,
    ifDown: true,
    get: params => params.mode,
    set: setMode,
  },
  miimon: { name: 'miimon', min: 0, max: INT_MAX, get: params => params.miimon, set: setMiimon },
  updelay: delay('updelay', 'updelay', INT_MAX),
  downdelay: delay('downdelay', 'downdelay', INT_MAX),
  peerNotifDelay: delay('peer_notif_delay', 'peerNotifDelay', 300000),
  useCarrier: option('use_carrier', 'useCarrier', { words: OFF_ON }),
  arpInterval: {
    name: 'arp_interval',
    min: 0,
    max: INT_MAX,
    unsupported: NO_ARP,
    get: params => params.arpInterval,
    set: setArpInterval,
  },
  arpValidate: option('arp_validate', 'arpValidate', {
    words: ['none', 'active', 'backup', 'all', 'filter', 'filter_active', 'filter_backup'],
    unsupported: NO_ARP,
  }),
  arpAllTargets: option('arp_all_targets', 'arpAllTargets', { words: ['any', 'all'] }),
  missedMax: option('arp_missed_max', 'missedMax', { min: 1, max: 255, unsupported: NO_ARP }),
  primaryReselect: option('primary_reselect', 'primaryReselect', { words: BOND_PRIMARY_RESELECT_WORDS }, bond =>
    bondSelectActiveSlave(bond),
  ),
  failOverMac: option('fail_over_mac', 'failOverMac', { words: BOND_FAIL_OVER_MAC_WORDS, noSlaves: true }),
  xmitPolicy: option('xmit_hash_policy', 'xmitPolicy', { words: BOND_XMIT_HASH_WORDS }),
  resendIgmp: option('resend_igmp', 'resendIgmp', { min: 0, max: 255 }),
  numPeerNotif: option('num_grat_arp', 'numPeerNotif', { min: 0, max: 255 }),
  allSlavesActive: option('all_slaves_active', 'allSlavesActive', { words: OFF_ON }, (bond, value) => {
    for (const slave of bond.slaves) if (slave.backup !== BOND_STATE_ACTIVE) slave.inactive = value === 0
  }),
  minLinks: option('min_links', 'minLinks', { min: 0, max: INT_MAX }, bond => bondSetCarrier(bond)),
  lpInterval: option('lp_interval', 'lpInterval', { min: 1, max: INT_MAX }),
  packetsPerSlave: option('packets_per_slave', 'packetsPerSlave', {
    min: 0,
    max: 65535,
    unsupported: only(BOND_MODE_ROUNDROBIN),
  }),
  lacpActive: option('lacp_active', 'lacpActive', { words: OFF_ON, ifDown: true, unsupported: ONLY_AD }),
  lacpFast: option('lacp_rate', 'lacpFast', { words: ['slow', 'fast'], ifDown: true, unsupported: ONLY_AD }, bond =>
    bond.ad?.updateLacpRate(),
  ),
  adSelect: option('ad_select', 'adSelect', { words: BOND_AD_SELECT_WORDS, ifDown: true }),
  adActorSysPrio: option(
    'ad_actor_sys_prio',
    'adActorSysPrio',
    { min: 1, max: 65535, ifDown: true, unsupported: ONLY_AD },
    bond => bond.ad?.updateActorSettings(),
  ),
  adUserPortKey: option('ad_user_port_key', 'adUserPortKey', {
    min: 0,
    max: 1023,
    ifDown: true,
    unsupported: ONLY_AD,
  }),
  tlbDynamicLb: option('tlb_dynamic_lb', 'tlbDynamicLb', {
    words: OFF_ON,
    ifDown: true,
    unsupported: only(BOND_MODE_TLB, BOND_MODE_ALB),
  }),
} satisfies Record<string, BondOption>

/** Options whose values are not numbers, for their rules. */
export const BOND_RAW_OPTIONS = {
  activeSlave: { name: 'active_slave', unsupported: ONLY_PRIMARY },
  primary: { name: 'primary', unsupported: ONLY_PRIMARY },
  arpIpTarget: { name: 'arp_ip_target', unsupported: NO_ARP },
  nsIp6Target: { name: 'ns_ip6_target', unsupported: NO_ARP },
  adActorSystem: { name: 'ad_actor_system', ifDown: true, unsupported: ONLY_AD },
  queueId: { name: 'queue_id' },
  prio: { name: 'prio', unsupported: ONLY_PRIMARY },
  slaves: { name: 'slaves' },
} as const

type Rules = Pick<BondOption, 'name' | 'unsupported' | 'noSlaves' | 'ifDown'>

/** Checks mode, slaves and state (bond_opt_check_deps). */
function checkDeps(bond: Bonding, rules: Rules): number {
  if (((rules.unsupported ?? 0) & (1 << bond.params.mode)) !== 0) return -Errno.EACCES
  if (rules.noSlaves === true && bond.slaves.length > 0) return -Errno.ENOTEMPTY
  if (rules.ifDown === true && (bond.dev.flags & IFF_UP) !== 0) return -Errno.EBUSY
  return 0
}

/** Says why an option could not be set (bond_opt_error_interpret). */
function explain(bond: Bonding, rules: Rules, rc: number, value: string, extack: NetlinkExtAck | undefined): number {
  const { name } = rules
  const { mode } = bond.params
  const say = (text: string, logged: string): number => {
    bond.info(`option ${name}: ${logged}`, 3)
    return extack?.fail(rc, text) ?? rc
  }
  switch (rc) {
    case -Errno.EINVAL:
      return say('invalid option value', `invalid value (${value})`)
    case -Errno.EACCES:
      return say(
        'option not supported in mode',
        `mode dependency failed, not supported in mode ${BOND_MODE_WORDS[mode]}(${mode})`,
      )
    case -Errno.ENOTEMPTY:
      return say(
        'unable to set option because the bond device has slaves',
        'unable to set because the bond device has slaves',
      )
    case -Errno.EBUSY:
      return say('unable to set option because the bond is up', 'unable to set because the bond device is up')
    case -Errno.ENODEV:
      return say('interface does not exist', 'interface does not exist!')
    default:
      return rc
  }
}

/** Sets an option whose value is not a number (__bond_opt_set with a raw value). */
export function bondSetRaw(
  bond: Bonding,
  rules: Rules,
  value: string,
  extack: NetlinkExtAck | undefined,
  set: () => number,
): number {
  let rc = checkDeps(bond, rules)
  if (rc === 0) rc = set()
  return rc < 0 ? explain(bond, rules, rc, value, extack) : 0
}

/** Sets an option (__bond_opt_set). @returns 0, or the error with its text */
export function bondSetOption(bond: Bonding, opt: BondOption, value: number, extack?: NetlinkExtAck): number {
  return bondSetRaw(bond, opt, String(value), extack, () => {
    const max = opt.words === undefined ? (opt.max ?? INT_MAX) : opt.words.length - 1
    return value < (opt.min ?? 0) || value > max ? -Errno.EINVAL : opt.set(bond, value)
  })
}

/** Chooses the active slave by name; an empty name lets the driver choose (bond_option_active_slave_set). */
export function bondSetActiveSlave(bond: Bonding, name: string, extack?: NetlinkExtAck): number {
  return bondSetRaw(bond, BOND_RAW_OPTIONS.activeSlave, name, extack, () => {
    if (name === '') {
      bond.info('Clearing current active slave')
      bond.currActive = undefined
      bondSelectActiveSlave(bond)
      return 0
    }
    const dev = bond.dev.net.devByName(name)
    if (dev === undefined) return -Errno.ENODEV
    const slave = bond.slaveOf(dev)
    if (slave === undefined) {
      bond.slaveInfo(dev, dev.rxHandler === undefined ? 'Device is not bonding slave' : 'Device is not our slave', 3)
      return -Errno.EINVAL
    }
    if (slave === bond.currActive) return 0
    if (bond.currActive === undefined || slave.link !== BOND_LINK_UP || !slave.isUp) {
      bond.slaveInfo(dev, 'Could not set as active slave; either slave is down or the link is down', 3)
      return -Errno.EINVAL
    }
    bondChangeActiveSlave(bond, slave)
    return 0
  })
}

/** Chooses the primary by name, which may become a slave later; an empty name takes it back (bond_option_primary_set). */
export function bondSetPrimary(bond: Bonding, name: string, extack?: NetlinkExtAck): number {
  return bondSetRaw(bond, BOND_RAW_OPTIONS.primary, name, extack, () => {
    if (name === '') {
      bond.info('Setting primary slave to None')
      bond.primary = undefined
      bond.params.primary = ''
      bondSelectActiveSlave(bond)
      return 0
    }
    const slave = bond.slaves.find(each => each.dev.name === name)
    if (slave !== undefined) {
      bond.primary = slave
      bond.params.primary = name
      bond.forcePrimary = true
      bondSelectActiveSlave(bond)
      return 0
    }
    if (bond.primary !== undefined) {
      bond.info('Setting primary slave to None')
      bond.primary = undefined
      bondSelectActiveSlave(bond)
    }
    bond.params.primary = name
    bond.info(`Recording ${name} as primary, but it has not been enslaved yet`)
    return 0
  })
}

/** Replaces the targets that ARP monitoring asks (bond_option_arp_ip_targets_set). */
export function bondSetArpTargets(bond: Bonding, targets: readonly Uint8Array[], extack?: NetlinkExtAck): number {
  bond.params.arpTargets = []
  for (const target of targets) {
    const rc = bondAddArpTarget(bond, target, extack)
    if (rc < 0) return rc
  }
  return 0
}

/** Adds one target. */
export function bondAddArpTarget(bond: Bonding, target: Uint8Array, extack?: NetlinkExtAck): number {
  return bondSetRaw(bond, BOND_RAW_OPTIONS.arpIpTarget, [...target].join('.'), extack, () => {
    const { arpTargets } = bond.params
    if (target.length !== 4 || target[0] === 0 || target.every(byte => byte === 255)) return -Errno.EINVAL
    if (arpTargets.some(each => each.every((byte, i) => byte === target[i]))) return -Errno.EINVAL
    if (arpTargets.length >= BOND_MAX_TARGETS) return -Errno.EINVAL
    arpTargets.push(target.slice())
    return 0
  })
}

/** Replaces the targets that neighbour solicitations ask. */
export function bondSetNsTargets(bond: Bonding, targets: readonly Uint8Array[], extack?: NetlinkExtAck): number {
  bond.params.nsTargets = []
  for (const target of targets) {
    const rc = bondSetRaw(bond, BOND_RAW_OPTIONS.nsIp6Target, '', extack, () => {
      if (target.length !== 16 || (target[0] === 0xfe && (target[1]! & 0xc0) === 0x80)) return -Errno.EINVAL
      bond.params.nsTargets.push(target.slice())
      return 0
    })
    if (rc < 0) return rc
  }
  return 0
}

/** Sets the system address that LACP uses; zero: the master's own. */
export function bondSetAdActorSystem(bond: Bonding, address: Uint8Array, extack?: NetlinkExtAck): number {
  return bondSetRaw(bond, BOND_RAW_OPTIONS.adActorSystem, '', extack, () => {
    if (address.length !== 6 || isMulticastEtherAddr(address)) return -Errno.EINVAL
    bond.params.adActorSystem = address.slice()
    bond.ad?.updateActorSettings()
    return 0
  })
}
