/** Bonding: several devices as one. The state of a master and of its slaves, see the kernel document bonding. */
import type { LinkStats } from '../../../uapi/rtnetlink.ts'
import { Timer } from '../../core/clock.ts'
import { devGetStats } from '../../core/dev_config.ts'
import { emptyLinkStats, IFF_BONDING, type NetDevice } from '../../core/net_device.ts'
import type { SkBuff } from '../../core/skbuff.ts'
import type { AdBond, AdSlave } from './bond_3ad_types.ts'

export const BOND_MODE_ROUNDROBIN = 0
export const BOND_MODE_ACTIVEBACKUP = 1
export const BOND_MODE_XOR = 2
export const BOND_MODE_BROADCAST = 3
export const BOND_MODE_8023AD = 4
export const BOND_MODE_TLB = 5
export const BOND_MODE_ALB = 6

/** Link states of a slave. */
export const BOND_LINK_UP = 0
export const BOND_LINK_FAIL = 1
export const BOND_LINK_DOWN = 2
export const BOND_LINK_BACK = 3
export const BOND_LINK_NOCHANGE = -1

export const BOND_STATE_ACTIVE = 0
export const BOND_STATE_BACKUP = 1

export const BOND_PRI_RESELECT_ALWAYS = 0
export const BOND_PRI_RESELECT_BETTER = 1

export const BOND_FOM_NONE = 0
export const BOND_FOM_ACTIVE = 1
export const BOND_FOM_FOLLOW = 2

export const BOND_XMIT_POLICY_LAYER2 = 0
export const BOND_XMIT_POLICY_LAYER34 = 1
export const BOND_XMIT_POLICY_LAYER23 = 2
export const BOND_XMIT_POLICY_ENCAP23 = 3
export const BOND_XMIT_POLICY_ENCAP34 = 4
export const BOND_XMIT_POLICY_VLAN_SRCMAC = 5

/** Miimon that modes get which cannot do without, ms. */
export const BOND_DEFAULT_MIIMON = 100
/** Probe targets at most. */
export const BOND_MAX_TARGETS = 16

/** Settings of a master (`bond_params`). Delays are in monitoring rounds. */
export class BondParams {
  mode = BOND_MODE_ROUNDROBIN
  xmitPolicy = BOND_XMIT_POLICY_LAYER2
  /** ms */
  miimon = 0
  numPeerNotif = 1
  missedMax = 2
  /** ms */
  arpInterval = 0
  arpValidate = 0
  arpAllTargets = 0
  useCarrier = 1
  failOverMac = BOND_FOM_NONE
  updelay = 0
  downdelay = 0
  peerNotifDelay = 0
  lacpActive = 1
  lacpFast = 0
  minLinks = 0
  adSelect = 0
  /** the primary's name, which need not be a slave yet */
  primary = ''
  primaryReselect = BOND_PRI_RESELECT_ALWAYS
  arpTargets: Uint8Array[] = []
  nsTargets: Uint8Array[] = []
  allSlavesActive = 0
  resendIgmp = 1
  lpInterval = 1
  packetsPerSlave = 1
  tlbDynamicLb = 1
  adActorSysPrio = 65535
  adActorSystem: Uint8Array = new Uint8Array(6)
  adUserPortKey = 0
}

/** A device under a master (`slave`). */
export class BondSlave {
  readonly bond: Bonding
  readonly dev: NetDevice
  /** rounds until a change of the link counts */
  delay = 0
  link = BOND_LINK_NOCHANGE
  /** what the last round of monitoring proposes */
  linkNewState = BOND_LINK_NOCHANGE
  /** BOND_STATE_… */
  backup = BOND_STATE_ACTIVE
  /** frames it receives are not the master's */
  inactive = false
  linkFailureCount = 0
  /** Mb/s, -1 unknown */
  speed = -1
  duplex: 'half' | 'full' | 'unknown' = 'unknown'
  readonly permHwaddr: Uint8Array
  readonly originalMtu: number
  queueId = 0
  prio = 0
  /** counters at the last look, so that the master counts only what came since */
  stats: LinkStats
  /** its LACP port, in 802.3ad mode */
  ad: AdSlave | undefined
  /** ns since boot when it last heard a frame, for ARP monitoring */
  lastRx = 0
  lastTx = 0

  constructor(bond: Bonding, dev: NetDevice) {
    this.bond = bond
    this.dev = dev
    this.permHwaddr = dev.devAddr.slice()
    this.originalMtu = dev.mtu
    this.stats = devGetStats(dev)
  }

  /** @returns whether the device is up (bond_slave_is_up) */
  get isUp(): boolean {
    return this.dev.running && (this.dev.flags & 1) !== 0
  }

  /** @returns whether frames may go out by it (bond_slave_can_tx) */
  get canTx(): boolean {
    return this.isUp && this.link === BOND_LINK_UP && this.backup === BOND_STATE_ACTIVE
  }
}

/** A master (`bonding`). */
export class Bonding {
  readonly dev: NetDevice
  readonly params = new BondParams()
  /** in order of enslaving */
  readonly slaves: BondSlave[] = []
  currActive: BondSlave | undefined
  primary: BondSlave | undefined
  /** the primary was just chosen: it becomes active whatever the reselection policy says */
  forcePrimary = false
  sendPeerNotif = 0
  igmpRetrans = 0
  rrCounter = 0
  /** the slave that ARP monitoring tries while none works */
  arpProbe = 0
  /** what slaves that have left had counted */
  readonly stats: LinkStats = emptyLinkStats()
  /** slaves that the hash chooses among */
  usable: BondSlave[] = []
  readonly miiTimer: Timer
  readonly arpTimer: Timer
  readonly mcastTimer: Timer
  readonly adTimer: Timer
  ad: AdBond | undefined
  /** looks at frames of slaves first; true where it took the frame */
  recvProbe: ((skb: SkBuff, slave: BondSlave) => boolean) | undefined

  /** @param work what the timers do: MII monitor, ARP monitor, IGMP re-joining, LACP machines */
  constructor(dev: NetDevice, work: Record<'mii' | 'arp' | 'mcast' | 'ad', (bond: Bonding) => void>) {
    this.dev = dev
    const timer = (fn: (bond: Bonding) => void): Timer =>
      new Timer(() => {
        fn(this)
        dev.net.kernel.softirq.flush()
      })
    this.miiTimer = timer(work.mii)
    this.arpTimer = timer(work.arp)
    this.mcastTimer = timer(work.mcast)
    this.adTimer = timer(work.ad)
  }

  /** @returns whether one slave at a time is the active one (bond_uses_primary) */
  get usesPrimary(): boolean {
    const { mode } = this.params
    return mode === BOND_MODE_ACTIVEBACKUP || mode === BOND_MODE_TLB || mode === BOND_MODE_ALB
  }

  /** @returns whether traffic is balanced by load (bond_is_lb) */
  get isLb(): boolean {
    return this.params.mode === BOND_MODE_TLB || this.params.mode === BOND_MODE_ALB
  }

  /** @returns whether the mode spreads by a hash (bond_mode_can_use_xmit_hash) */
  get usesXmitHash(): boolean {
    const { mode } = this.params
    return mode === BOND_MODE_8023AD || mode === BOND_MODE_XOR || mode === BOND_MODE_TLB || mode === BOND_MODE_ALB
  }

  /** @returns the slave that is this device */
  slaveOf(dev: NetDevice): BondSlave | undefined {
    return this.slaves.find(slave => slave.dev === dev)
  }

  /** Logs a line of the driver about the master. */
  info(text: string, level = 6): void {
    this.dev.net.kernel.log.print(level, `${this.dev.name}: ${text}`)
  }

  /** Logs a line about one of its slaves. */
  slaveInfo(slave: NetDevice, text: string, level = 6): void {
    this.dev.net.kernel.log.print(level, `${this.dev.name}: (slave ${slave.name}): ${text}`)
  }

  /** Sets a timer of the driver. @param ms from now */
  queueWork(timer: Timer, ms: number): void {
    const { clock } = this.dev.net.kernel
    clock.mod(timer, clock.now + ms * 1e6)
  }
}

/** @returns whether ARP can monitor the mode's links (bond_mode_uses_arp) */
export function bondModeUsesArp(mode: number): boolean {
  return mode !== BOND_MODE_8023AD && mode !== BOND_MODE_TLB && mode !== BOND_MODE_ALB
}

/** @returns the master's state where the device is a master, else undefined */
export function bondOf(dev: NetDevice): Bonding | undefined {
  return dev.priv instanceof Bonding ? dev.priv : undefined
}

/** @returns the slave's state where the device is one, else undefined */
export function bondSlaveOf(dev: NetDevice): BondSlave | undefined {
  return (dev.privFlags & IFF_BONDING) !== 0 && dev.rxHandlerData instanceof BondSlave ? dev.rxHandlerData : undefined
}
