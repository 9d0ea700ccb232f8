/**
 * LACP (IEEE 802.1AX, before 802.3ad): ports find out with their partners which links belong together. Machines run
 * every 100 ms: receive, periodic, selection, mux, transmit, churn.
 */
import { IFF_UP } from '../../../uapi/if.ts'
import { ETH_HLEN } from '../../core/ethernet.ts'
import type { SkBuff } from '../../core/skbuff.ts'
import { type AdAggregator, type AdBond, type AdParty, type AdSlave, LACPDU_ADDRESS } from './bond_3ad_types.ts'
import {
  bondSetCarrier,
  bondSetSlaveActiveFlags,
  bondSetSlaveInactiveFlags,
  bondUpdateSlaveArr,
} from './bond_active.ts'
import { LACPDU_LEN, readLacpdu, writeLacpdu } from './bond_lacpdu.ts'
import { BOND_LINK_UP, BOND_STATE_ACTIVE, type Bonding, type BondSlave } from './bonding.ts'

export const LACP_STATE_ACTIVITY = 0x01
export const LACP_STATE_TIMEOUT = 0x02
export const LACP_STATE_AGGREGATION = 0x04
export const LACP_STATE_SYNC = 0x08
export const LACP_STATE_COLLECTING = 0x10
export const LACP_STATE_DISTRIBUTING = 0x20
export const LACP_STATE_DEFAULTED = 0x40
export const LACP_STATE_EXPIRED = 0x80

const ETH_P_SLOW = 0x8809
/** Time between runs, ms, and runs in a second. */
const TICK_MS = 100
const TICKS_PER_SEC = 10
const FAST_PERIODIC = 1 * TICKS_PER_SEC
const SLOW_PERIODIC = 30 * TICKS_PER_SEC
const SHORT_TIMEOUT = 3 * TICKS_PER_SEC
const LONG_TIMEOUT = 90 * TICKS_PER_SEC
const WAIT_WHILE = 2 * TICKS_PER_SEC
const CHURN_DETECTION = 60 * TICKS_PER_SEC
const TX_TICKS = 3

const AD_DUPLEX = 1
/** Speeds in Mb/s by their number in a port's key. */
const SPEEDS = [
  0, 1, 10, 100, 1000, 2500, 5000, 10000, 14000, 20000, 25000, 40000, 50000, 56000, 100000, 200000, 400000,
]

const AD_SELECT_STABLE = 0
const AD_SELECT_COUNT = 2

type RxState = 'initialize' | 'disabled' | 'lacp-disabled' | 'expired' | 'defaulted' | 'current'
type PeriodicState = 'none' | 'fast' | 'slow' | 'tx'
type MuxState = 'detached' | 'waiting' | 'attached' | 'distributing'

/** States of the churn machines as /proc shows them. */
export const CHURN_MONITOR = 0
export const CHURN = 1
export const NO_CHURN = 2

function isZero(bytes: Uint8Array): boolean {
  return bytes.every(byte => byte === 0)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}

function defaultPartner(): AdParty {
  return { systemPriority: 0xffff, system: new Uint8Array(6), key: 1, portPriority: 0xff, portNumber: 1, state: 0 }
}

/** @returns whether two parties are the same port in the same role */
function sameParty(a: AdParty, b: AdParty): boolean {
  return (
    a.portNumber === b.portNumber &&
    a.portPriority === b.portPriority &&
    equal(a.system, b.system) &&
    a.systemPriority === b.systemPriority &&
    a.key === b.key
  )
}

class Aggregator implements AdAggregator {
  readonly id: number
  readonly ports: Port[] = []
  individual = false
  actorKey = 0
  partnerKey = 0
  partnerSystem = new Uint8Array(6)
  partnerSystemPriority = 0
  isActive = false

  constructor(id: number) {
    this.id = id
  }

  get numPorts(): number {
    return this.ports.length
  }

  activePorts(): number {
    return this.ports.filter(port => port.enabled).length
  }

  get hasPartner(): boolean {
    return !isZero(this.partnerSystem)
  }

  /** Mb/s of all ports that work */
  get bandwidth(): number {
    let sum = 0
    for (const port of this.ports) if (port.enabled) sum += SPEEDS[(port.actor.key >> 1) & 31] ?? 0
    return sum
  }

  /** @returns whether a port's device is up and has a carrier */
  get deviceUp(): boolean {
    return this.ports.some(port => port.slave.dev.running && port.slave.dev.carrier)
  }

  clear(): void {
    this.individual = this.isActive = false
    this.actorKey = this.partnerKey = this.partnerSystemPriority = 0
    this.partnerSystem = new Uint8Array(6)
  }

  setReady(): void {
    const ready = this.ports.every(port => port.readyN)
    for (const port of this.ports) port.ready = ready
  }
}

class Port implements AdSlave {
  readonly slave: BondSlave
  /** the aggregator that came with the slave, which may serve other ports */
  readonly own: Aggregator
  aggregator: Aggregator | undefined
  readonly actor: AdParty
  partner: AdParty = defaultPartner()
  begin = true
  /** its link is up */
  enabled = true
  lacpEnabled = true
  selected = false
  matched = false
  ready = false
  readyN = false
  ntt = false
  rx: RxState = 'initialize'
  rxTimer = 0
  periodic: PeriodicState = 'none'
  periodicTimer = 0
  mux: MuxState | undefined
  muxTimer = 0
  txTimer = TX_TICKS
  actorChurn = CHURN_MONITOR
  partnerChurn = CHURN_MONITOR
  actorChurnTimer = CHURN_DETECTION
  partnerChurnTimer = CHURN_DETECTION
  actorChurnCount = 0
  partnerChurnCount = 0

  constructor(slave: BondSlave, own: Aggregator, actor: AdParty) {
    this.slave = slave
    this.own = own
    this.actor = actor
  }

  set(bits: number, on: boolean): void {
    this.actor.state = on ? this.actor.state | bits : this.actor.state & ~bits
  }

  has(bits: number): boolean {
    return (this.actor.state & bits) !== 0
  }

  partnerHas(bits: number): boolean {
    return (this.partner.state & bits) !== 0
  }
}

/** The machines of one master. */
class Ad implements AdBond {
  systemPriority = 0
  system: Uint8Array = new Uint8Array(6)
  private readonly bond: Bonding
  private readonly ports: Port[] = []
  private nextId = 0
  /** runs until aggregators are chosen after the master came up */
  private selectTimer = 0

  constructor(bond: Bonding) {
    this.bond = bond
  }

  private readSystem(): void {
    const { params, dev } = this.bond
    this.systemPriority = params.adActorSysPrio
    this.system = (isZero(params.adActorSystem) ? dev.devAddr : params.adActorSystem).slice()
  }

  bind(slave: BondSlave): void {
    const { params } = this.bond
    if (this.ports.length === 0) {
      this.readSystem()
      this.nextId = 0
    }
    const number = (this.ports.at(-1)?.actor.portNumber ?? 0) + 1
    const state = LACP_STATE_AGGREGATION | LACP_STATE_ACTIVITY | (params.lacpFast !== 0 ? LACP_STATE_TIMEOUT : 0)
    const port = new Port(slave, new Aggregator(++this.nextId), {
      systemPriority: this.systemPriority,
      system: this.system,
      key: 0,
      portPriority: 255,
      portNumber: number,
      state,
    })
    port.actor.key = this.keyOf(port, slave.link !== BOND_LINK_UP)
    port.enabled = slave.link === BOND_LINK_UP
    port.lacpEnabled = (port.actor.key & AD_DUPLEX) !== 0
    this.ports.push(port)
    slave.ad = port
  }

  unbind(slave: BondSlave): void {
    const port = this.find(slave)
    if (port === undefined) return
    this.leave(port)
    this.ports.splice(this.ports.indexOf(port), 1)
    slave.ad = undefined
    // other ports that used its aggregator choose anew
    for (const other of [...port.own.ports]) {
      this.leave(other)
      other.selected = false
    }
    this.select()
  }

  private find(slave: BondSlave): Port | undefined {
    return this.ports.find(port => port.slave === slave)
  }

  portOf(slave: BondSlave): AdSlave | undefined {
    return this.find(slave)
  }

  activeAggregator(): Aggregator | undefined {
    for (const port of this.ports) if (port.own.isActive) return port.own
    return undefined
  }

  private keyOf(port: Port, reset: boolean): number {
    const key = this.bond.params.adUserPortKey << 6
    if (reset) return key
    const { slave } = port
    const speed = Math.max(0, SPEEDS.indexOf(slave.speed))
    return key | (speed << 1) | (slave.duplex === 'full' ? AD_DUPLEX : 0)
  }

  private updateKey(port: Port, reset: boolean): void {
    const key = this.keyOf(port, reset)
    if (key === port.actor.key) return
    port.actor.key = key
    port.lacpEnabled = (key & AD_DUPLEX) !== 0
    port.begin = true
  }

  handleLinkChange(slave: BondSlave): void {
    const port = this.find(slave)
    if (port === undefined) return
    port.enabled = slave.link === BOND_LINK_UP
    this.updateKey(port, !port.enabled)
    this.select()
  }

  speedDuplexChanged(slave: BondSlave): void {
    const port = this.find(slave)
    if (port?.enabled === true) this.updateKey(port, false)
  }

  open(): void {
    this.selectTimer = TICKS_PER_SEC
  }

  updateLacpRate(): void {
    const fast = this.bond.params.lacpFast !== 0
    for (const port of this.ports) port.set(LACP_STATE_TIMEOUT, fast)
  }

  updateActorSettings(): void {
    this.readSystem()
    for (const port of this.ports) {
      port.actor.system = this.system
      port.actor.systemPriority = this.systemPriority
      port.ntt = true
    }
  }

  receive(skb: SkBuff, slave: BondSlave): boolean {
    if (skb.protocol !== ETH_P_SLOW) return false
    const pdu = readLacpdu(skb)
    const port = this.find(slave)
    if (pdu === undefined || port === undefined || !port.lacpEnabled) return pdu !== undefined
    this.rxMachine(port, pdu)
    return true
  }

  run(): void {
    const { bond } = this
    if (this.ports.length > 0) {
      if (this.selectTimer > 0 && --this.selectTimer === 0) this.select()
      for (const port of [...this.ports]) {
        this.rxMachine(port, undefined)
        this.periodicMachine(port)
        this.selectionLogic(port)
        this.muxMachine(port)
        this.txMachine(port)
        churn(port)
        port.begin = false
      }
    }
    if ((bond.dev.flags & IFF_UP) !== 0) bond.queueWork(bond.adTimer, TICK_MS)
  }

  private rxMachine(port: Port, pdu: { actor: AdParty; partner: AdParty } | undefined): void {
    const last = port.rx
    if (port.begin) port.rx = 'initialize'
    else if (!port.enabled) port.rx = 'disabled'
    else if (pdu !== undefined && (last === 'expired' || last === 'defaulted' || last === 'current')) {
      port.rx = 'current'
      this.current(port, pdu)
      return
    } else if (port.rxTimer > 0 && --port.rxTimer === 0) {
      if (last === 'expired') port.rx = 'defaulted'
      else if (last === 'current') port.rx = 'expired'
    } else if (last === 'disabled') port.rx = port.lacpEnabled ? 'expired' : 'lacp-disabled'
    if (port.rx === last && !port.begin) return
    switch (port.rx) {
      case 'initialize':
        port.lacpEnabled = (port.actor.key & AD_DUPLEX) !== 0
        port.selected = false
        recordDefault(port)
        port.set(LACP_STATE_EXPIRED, false)
        port.rx = 'disabled'
        port.matched = false
        break
      case 'disabled':
        port.matched = false
        break
      case 'lacp-disabled':
        port.selected = false
        recordDefault(port)
        port.partner.state &= ~LACP_STATE_AGGREGATION
        port.matched = true
        port.set(LACP_STATE_EXPIRED, false)
        break
      case 'expired':
        port.partner.state = (port.partner.state & ~LACP_STATE_SYNC) | LACP_STATE_TIMEOUT
        port.matched = false
        port.rxTimer = SHORT_TIMEOUT
        port.set(LACP_STATE_EXPIRED, true)
        break
      case 'defaulted':
        if (!sameParty(port.partner, defaultPartner())) port.selected = false
        recordDefault(port)
        port.matched = true
        port.set(LACP_STATE_EXPIRED, false)
        break
    }
  }

  /** A LACPDU has come: what it says of its sender and of us. */
  private current(port: Port, pdu: { actor: AdParty; partner: AdParty }): void {
    if (equal(pdu.actor.system, port.actor.system) && pdu.actor.portNumber === port.actor.portNumber) {
      this.bond.slaveInfo(port.slave.dev, 'An illegal loopback occurred on slave', 3)
      return
    }
    const aggregation = LACP_STATE_AGGREGATION
    if (!sameParty(pdu.actor, port.partner) || (pdu.actor.state & aggregation) !== (port.partner.state & aggregation))
      port.selected = false
    const watched = LACP_STATE_ACTIVITY | LACP_STATE_TIMEOUT | LACP_STATE_SYNC | aggregation
    const knowsUs = sameParty(pdu.partner, port.actor)
    if (!knowsUs || (pdu.partner.state & watched) !== (port.actor.state & watched)) port.ntt = true
    port.matched =
      (knowsUs && (pdu.partner.state & aggregation) === (port.actor.state & aggregation)) ||
      (pdu.actor.state & aggregation) === 0
    port.partner = pdu.actor
    port.set(LACP_STATE_DEFAULTED, false)
    if (!port.matched) port.partner.state &= ~LACP_STATE_SYNC
    port.rxTimer = port.has(LACP_STATE_TIMEOUT) ? SHORT_TIMEOUT : LONG_TIMEOUT
    port.set(LACP_STATE_EXPIRED, false)
  }

  private periodicMachine(port: Port): void {
    const silent =
      port.begin ||
      !port.lacpEnabled ||
      !port.enabled ||
      (!port.has(LACP_STATE_ACTIVITY) && !port.partnerHas(LACP_STATE_ACTIVITY)) ||
      this.bond.params.lacpActive === 0
    const short = port.partnerHas(LACP_STATE_TIMEOUT)
    const last = port.periodic
    if (silent) port.periodic = 'none'
    else if (port.periodicTimer > 0) {
      if (--port.periodicTimer === 0) port.periodic = 'tx'
      else if (last === 'fast' && !short) port.periodic = 'slow'
      else if (last === 'slow' && short) {
        port.periodicTimer = 0
        port.periodic = 'tx'
      }
    } else if (last === 'none') port.periodic = 'fast'
    else if (last === 'tx') port.periodic = short ? 'fast' : 'slow'
    if (port.periodic === last) return
    switch (port.periodic) {
      case 'none':
        port.periodicTimer = 0
        break
      case 'fast':
        // one less: a run has passed already
        port.periodicTimer = FAST_PERIODIC - 1
        break
      case 'slow':
        port.periodicTimer = SLOW_PERIODIC - 1
        break
      case 'tx':
        port.ntt = true
        break
    }
  }

  private leave(port: Port): void {
    const { aggregator } = port
    if (aggregator === undefined) return
    aggregator.ports.splice(aggregator.ports.indexOf(port), 1)
    port.aggregator = undefined
    if (aggregator.ports.length === 0) aggregator.clear()
  }

  /** Finds the aggregator a port belongs to: same keys and partner, or a free one (ad_port_selection_logic). */
  private selectionLogic(port: Port): void {
    if (port.selected) return
    this.leave(port)
    let free: Aggregator | undefined
    let home: Aggregator | undefined
    for (const { own } of this.ports) {
      if (own.ports.length === 0) {
        free ??= own
        continue
      }
      if (
        own.actorKey === port.actor.key &&
        equal(own.partnerSystem, port.partner.system) &&
        own.partnerSystemPriority === port.partner.systemPriority &&
        own.partnerKey === port.partner.key &&
        !isZero(port.partner.system) &&
        !own.individual
      ) {
        home = own
        break
      }
    }
    if (home === undefined) {
      if (free === undefined) return
      home = free
      home.individual = (port.actor.key & AD_DUPLEX) === 0
      home.actorKey = port.actor.key
      home.partnerSystem = port.partner.system.slice()
      home.partnerSystemPriority = port.partner.systemPriority
      home.partnerKey = port.partner.key
    }
    port.aggregator = home
    home.ports.push(port)
    port.selected = true
    home.setReady()
    this.select()
    if (!home.isActive) port.set(LACP_STATE_SYNC, false)
  }

  private better(best: Aggregator | undefined, each: Aggregator): Aggregator {
    if (best === undefined) return each
    if (best.individual !== each.individual) return each.individual ? best : each
    if (best.hasPartner !== each.hasPartner) return each.hasPartner ? each : best
    if (this.bond.params.adSelect === AD_SELECT_COUNT && each.activePorts() !== best.activePorts())
      return each.activePorts() > best.activePorts() ? each : best
    return each.bandwidth > best.bandwidth ? each : best
  }

  /** Chooses the active aggregator (ad_agg_selection_logic). */
  private select(): void {
    const active = this.activeAggregator()
    let best: Aggregator | undefined = active?.deviceUp === true ? active : undefined
    for (const { own } of this.ports) {
      own.isActive = false
      if (own.ports.length > 0 && own.deviceUp) best = this.better(best, own)
    }
    const keeps =
      best !== undefined &&
      this.bond.params.adSelect === AD_SELECT_STABLE &&
      active !== undefined &&
      active.ports.length > 0 &&
      active.activePorts() > 0 &&
      (active.hasPartner || !best.hasPartner) &&
      !(active.actorKey === 0 && best.actorKey !== 0)
    if (active !== undefined && (keeps || best === active)) {
      active.isActive = true
      best = undefined
    }
    if (best !== undefined) {
      best.isActive = true
      for (const port of active?.ports ?? []) bondSetSlaveInactiveFlags(port.slave)
    }
    const now = this.activeAggregator()
    if (best !== undefined && now !== undefined && !now.hasPartner) for (const port of now.ports) enablePort(port)
    bondUpdateSlaveArr(this.bond)
    bondSetCarrier(this.bond)
  }

  private muxMachine(port: Port): void {
    const last = port.mux
    const { aggregator } = port
    if (port.begin || last === undefined) port.mux = 'detached'
    else
      switch (last) {
        case 'detached':
          if (port.selected) port.mux = 'waiting'
          break
        case 'waiting':
          if (!port.selected) {
            port.readyN = false
            aggregator?.setReady()
            port.mux = 'detached'
            break
          }
          if (port.muxTimer > 0 && --port.muxTimer === 0) port.readyN = true
          aggregator?.setReady()
          if (port.ready && port.muxTimer === 0) port.mux = 'attached'
          break
        case 'attached':
          if (port.selected && port.partnerHas(LACP_STATE_SYNC) && this.selectTimer === 0) {
            if (aggregator?.isActive === true) port.mux = 'distributing'
          } else if (!port.selected) {
            port.readyN = false
            aggregator?.setReady()
            port.mux = 'detached'
          }
          break
        case 'distributing':
          if (!port.selected || !port.partnerHas(LACP_STATE_SYNC) || !port.has(LACP_STATE_SYNC)) port.mux = 'attached'
          else if (aggregator?.isActive === true && port.slave.backup !== BOND_STATE_ACTIVE) {
            enablePort(port)
            bondUpdateSlaveArr(this.bond)
          }
          break
      }
    if (port.mux === last) return
    this.muxChanged(port)
  }

  private muxChanged(port: Port): void {
    const active = port.aggregator?.isActive === true
    switch (port.mux) {
      case 'detached':
        port.set(LACP_STATE_SYNC | LACP_STATE_COLLECTING | LACP_STATE_DISTRIBUTING, false)
        this.stopPort(port)
        port.ntt = true
        break
      case 'waiting':
        port.muxTimer = WAIT_WHILE
        break
      case 'attached':
        port.set(LACP_STATE_SYNC, active)
        port.set(LACP_STATE_COLLECTING | LACP_STATE_DISTRIBUTING, false)
        this.stopPort(port)
        port.ntt = true
        break
      case 'distributing':
        port.set(LACP_STATE_COLLECTING | LACP_STATE_DISTRIBUTING | LACP_STATE_SYNC, true)
        if (active) enablePort(port)
        bondUpdateSlaveArr(this.bond)
        bondSetCarrier(this.bond)
        port.ntt = true
        break
    }
  }

  /** Collecting and distributing end, unless the aggregator has no partner to agree with. */
  private stopPort(port: Port): void {
    if (port.aggregator?.hasPartner === true) bondSetSlaveInactiveFlags(port.slave)
    bondUpdateSlaveArr(this.bond)
  }

  private txMachine(port: Port): void {
    if (--port.txTimer > 0) return
    port.txTimer = TX_TICKS
    if (!port.ntt || !port.lacpEnabled) return
    this.send(port)
    port.ntt = false
  }

  private send(port: Port): void {
    const { dev } = port.slave
    const { kernel } = dev.net
    const skb = kernel.skbs.alloc(64 + ETH_HLEN + LACPDU_LEN)
    skb.reserve(64)
    const at = skb.put(ETH_HLEN + LACPDU_LEN)
    skb.buf.set(LACPDU_ADDRESS, at)
    skb.buf.set(dev.permAddr.some(byte => byte !== 0) ? port.slave.permHwaddr : dev.devAddr, at + 6)
    skb.buf[at + 12] = ETH_P_SLOW >> 8
    skb.buf[at + 13] = ETH_P_SLOW & 0xff
    writeLacpdu(skb.buf, at + ETH_HLEN, port.actor, port.partner)
    skb.protocol = ETH_P_SLOW
    skb.priority = 7
    skb.dev = dev
    skb.networkHeader = at + ETH_HLEN
    kernel.netcore.queueXmit(skb)
  }
}

function recordDefault(port: Port): void {
  port.partner = defaultPartner()
  port.set(LACP_STATE_DEFAULTED, true)
}

function enablePort(port: Port): void {
  if (port.slave.link === BOND_LINK_UP && port.slave.isUp) bondSetSlaveActiveFlags(port.slave)
}

/** Whether a side takes too long to agree (ad_churn_machine). */
function churn(port: Port): void {
  if (port.begin || !port.enabled) {
    port.actorChurn = port.partnerChurn = CHURN_MONITOR
    port.actorChurnTimer = port.partnerChurnTimer = CHURN_DETECTION
    return
  }
  if (port.actorChurnTimer > 0 && --port.actorChurnTimer === 0 && port.actorChurn === CHURN_MONITOR) {
    if (port.has(LACP_STATE_SYNC)) port.actorChurn = NO_CHURN
    else {
      port.actorChurnCount++
      port.actorChurn = CHURN
    }
  }
  if (port.partnerChurnTimer > 0 && --port.partnerChurnTimer === 0 && port.partnerChurn === CHURN_MONITOR) {
    if (port.partnerHas(LACP_STATE_SYNC)) port.partnerChurn = NO_CHURN
    else {
      port.partnerChurnCount++
      port.partnerChurn = CHURN
    }
  }
  if (port.actorChurn === NO_CHURN && !port.has(LACP_STATE_SYNC)) {
    port.actorChurn = CHURN_MONITOR
    port.actorChurnTimer = CHURN_DETECTION
  } else if (port.actorChurn === CHURN && port.has(LACP_STATE_SYNC)) port.actorChurn = NO_CHURN
  if (port.partnerChurn === NO_CHURN && !port.partnerHas(LACP_STATE_SYNC)) {
    port.partnerChurn = CHURN_MONITOR
    port.partnerChurnTimer = CHURN_DETECTION
  } else if (port.partnerChurn === CHURN && port.partnerHas(LACP_STATE_SYNC)) port.partnerChurn = NO_CHURN
}

/** Makes the machines of a master in 802.3ad mode. */
export function newAdBond(bond: Bonding): AdBond {
  return new Ad(bond)
}
