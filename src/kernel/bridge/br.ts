/**
 * `bridge`: an Ethernet switch in software (IEEE 802.1D, 802.1Q). What a bridge and its ports hold, and the numbers they
 * are configured with. Times are jiffies (1/250 s), as the kernel keeps them, so that values round as they do there.
 */
import { HZ, TICK_NSEC, Timer, USER_HZ } from '../core/clock.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { FdbTable } from './br_fdb_table.ts'
import { BridgeId } from './br_id.ts'
import { BrMulticast, BrMulticastPort } from './br_multicast_ctx.ts'
import { VlanGroup } from './br_vlan_group.ts'

/** Port states of the spanning tree (BR_STATE_…). */
export const BR_STATE_DISABLED = 0
export const BR_STATE_LISTENING = 1
export const BR_STATE_LEARNING = 2
export const BR_STATE_FORWARDING = 3
export const BR_STATE_BLOCKING = 4

/** Who runs the spanning tree. */
export const BR_NO_STP = 0
export const BR_KERNEL_STP = 1
export const BR_USER_STP = 2

/** Flags of a port. */
export const BR_HAIRPIN_MODE = 1 << 0
export const BR_BPDU_GUARD = 1 << 1
export const BR_ROOT_BLOCK = 1 << 2
export const BR_MULTICAST_FAST_LEAVE = 1 << 3
export const BR_ADMIN_COST = 1 << 4
export const BR_LEARNING = 1 << 5
export const BR_FLOOD = 1 << 6
export const BR_PROMISC = 1 << 7
export const BR_PROXYARP = 1 << 8
export const BR_PROXYARP_WIFI = 1 << 10
export const BR_MCAST_FLOOD = 1 << 11
export const BR_MULTICAST_TO_UNICAST = 1 << 12
export const BR_VLAN_TUNNEL = 1 << 13
export const BR_BCAST_FLOOD = 1 << 14
export const BR_NEIGH_SUPPRESS = 1 << 15
export const BR_ISOLATED = 1 << 16
export const BR_PORT_LOCKED = 1 << 21
/** a port that floods or learns decides by itself where frames go */
export const BR_AUTO_MASK = BR_FLOOD | BR_LEARNING

/** Options of a bridge (BROPT_…). */
export const BROPT_VLAN_ENABLED = 1 << 0
export const BROPT_VLAN_STATS_ENABLED = 1 << 1
export const BROPT_NF_CALL_IPTABLES = 1 << 2
export const BROPT_NF_CALL_IP6TABLES = 1 << 3
export const BROPT_NF_CALL_ARPTABLES = 1 << 4
export const BROPT_GROUP_ADDR_SET = 1 << 5
export const BROPT_MULTICAST_ENABLED = 1 << 6
export const BROPT_MULTICAST_QUERY_USE_IFADDR = 1 << 7
export const BROPT_MULTICAST_STATS_ENABLED = 1 << 8
export const BROPT_NEIGH_SUPPRESS_ENABLED = 1 << 10
export const BROPT_MTU_SET_BY_USER = 1 << 11
export const BROPT_VLAN_STATS_PER_PORT = 1 << 12
export const BROPT_NO_LL_LEARN = 1 << 13
export const BROPT_VLAN_BRIDGE_BINDING = 1 << 14
export const BROPT_MCAST_VLAN_SNOOPING_ENABLED = 1 << 15

/** Ports at most, and bits of a port id that are the port's number. */
export const BR_PORT_BITS = 10
export const BR_MAX_PORTS = 1 << BR_PORT_BITS
const PORT_PRIORITY = 0x8000 >> BR_PORT_BITS

/** Flags in `skb.cbFlags` while a frame is in a bridge. */
export const BR_CB_VLAN_FILTERED = 1
export const BR_CB_SRC_ISOLATED = 2
export const BR_CB_MROUTERS_ONLY = 4
export const BR_CB_IGMP = 8
export const BR_CB_PROXYARP_REPLIED = 16

/** Where frames of bridges are spoken of (01:80:c2:00:00:00). */
export const BRIDGE_GROUP_ADDRESS: Uint8Array = Uint8Array.of(0x01, 0x80, 0xc2, 0x00, 0x00, 0x00)

/** @returns jiffies of a time in hundredths of a second (clock_t_to_jiffies) */
export function clockToJiffies(value: number): number {
  return Math.floor((value * HZ) / USER_HZ)
}

/** @returns hundredths of a second of jiffies (jiffies_to_clock_t) */
export function jiffiesToClock(jiffies: number): number {
  return Math.floor((jiffies * USER_HZ) / HZ)
}

/** One port. */
export class NetBridgePort {
  readonly br: NetBridge
  readonly dev: NetDevice
  readonly portNo: number
  state = BR_STATE_DISABLED
  flags = BR_LEARNING | BR_FLOOD | BR_MCAST_FLOOD | BR_BCAST_FLOOD
  priority = PORT_PRIORITY
  portId = 0
  pathCost: number
  designatedRoot = new BridgeId()
  designatedBridge = new BridgeId()
  designatedCost = 0
  designatedPort = 0
  /** when what was heard here was said, ns since boot */
  designatedAge = 0
  topologyChangeAck = false
  configPending = false
  readonly forwardDelayTimer: Timer
  readonly holdTimer: Timer
  readonly messageAgeTimer: Timer
  groupFwdMask = 0
  vlans: VlanGroup | undefined = new VlanGroup()
  backupPort: NetBridgePort | undefined
  readonly multicast = new BrMulticastPort()

  constructor(
    br: NetBridge,
    dev: NetDevice,
    portNo: number,
    pathCost: number,
    timers: { forwardDelay: () => void; hold: () => void; messageAge: () => void },
  ) {
    this.br = br
    this.dev = dev
    this.portNo = portNo
    this.pathCost = pathCost
    this.forwardDelayTimer = new Timer(timers.forwardDelay)
    this.holdTimer = new Timer(timers.hold)
    this.messageAgeTimer = new Timer(timers.messageAge)
  }

  /** @returns whether frames go out of it and addresses are learned on it */
  get learns(): boolean {
    return this.state === BR_STATE_LEARNING || this.state === BR_STATE_FORWARDING
  }
}

/** A bridge. */
export class NetBridge {
  readonly dev: NetDevice
  /** newest first */
  readonly ports: NetBridgePort[] = []
  opts = BROPT_MULTICAST_ENABLED
  readonly fdb: FdbTable
  readonly vlans = new VlanGroup()
  vlanProto = 0x8100
  defaultPvid = 1
  groupFwdMask = 0
  groupFwdMaskRequired = 0
  groupAddr: Uint8Array = BRIDGE_GROUP_ADDRESS.slice()
  // the spanning tree
  readonly bridgeId = new BridgeId(0x8000)
  designatedRoot = new BridgeId(0x8000)
  rootPathCost = 0
  rootPort = 0
  maxAge = 20 * HZ
  helloTime = 2 * HZ
  forwardDelay = 15 * HZ
  ageingTime = 300 * HZ
  bridgeAgeingTime = 300 * HZ
  bridgeMaxAge = 20 * HZ
  bridgeHelloTime = 2 * HZ
  bridgeForwardDelay = 15 * HZ
  stpEnabled = BR_NO_STP
  topologyChange = false
  topologyChangeDetected = false
  readonly helloTimer: Timer
  readonly tcnTimer: Timer
  readonly topologyChangeTimer: Timer
  readonly gcTimer: Timer
  /** ports that flood or learn */
  autoCnt = 0
  readonly multicast: BrMulticast

  constructor(
    dev: NetDevice,
    timers: { hello: () => void; tcn: () => void; topologyChange: () => void; gc: () => void },
  ) {
    this.dev = dev
    this.fdb = new FdbTable()
    this.multicast = new BrMulticast()
    this.helloTimer = new Timer(timers.hello)
    this.tcnTimer = new Timer(timers.tcn)
    this.topologyChangeTimer = new Timer(timers.topologyChange)
    this.gcTimer = new Timer(timers.gc)
  }

  /** @returns whether an option is on */
  opt(option: number): boolean {
    return (this.opts & option) !== 0
  }

  /** Sets or clears an option. */
  toggle(option: number, on: boolean): void {
    if (on) this.opts |= option
    else this.opts &= ~option
  }

  /** @returns how long a learned address is kept, jiffies */
  get holdTime(): number {
    return this.topologyChange ? this.forwardDelay : this.ageingTime
  }

  /** @returns a port by its number */
  port(portNo: number): NetBridgePort | undefined {
    return this.ports.find(port => port.portNo === portNo)
  }

  /** Sets a timer. @param delay jiffies */
  mod(timer: Timer, delay: number): void {
    const { clock } = this.dev.net.kernel
    clock.mod(timer, clock.now + delay * TICK_NSEC)
  }

  /** Stops a timer. */
  del(timer: Timer): void {
    this.dev.net.kernel.clock.del(timer)
  }

  /** @returns hundredths of a second until a timer fires, 0 where it does not run (br_timer_value) */
  timerValue(timer: Timer): number {
    if (!timer.pending) return 0
    return Math.max(0, Math.floor((timer.expires - this.dev.net.kernel.clock.now) / (1e9 / USER_HZ)))
  }

  /** Writes to the kernel's log as the bridge does. */
  log(level: number, text: string): void {
    this.dev.net.kernel.log.print(level, `${this.dev.name}: ${text}`)
  }
}

/** @returns the bridge of a bridge device */
export function bridgeOf(dev: NetDevice): NetBridge | undefined {
  return dev.priv instanceof NetBridge ? dev.priv : undefined
}

/** @returns the port a device is */
export function portOf(dev: NetDevice): NetBridgePort | undefined {
  return dev.rxHandlerData instanceof NetBridgePort ? dev.rxHandlerData : undefined
}

/** @returns the VLAN of a frame by its tag, 0 where it has none */
export function frameVid(skb: SkBuff): number {
  return skb.vlanProto === 0 ? 0 : skb.vlanTci & 0xfff
}
