/**
 * Carrier and operational state (RFC 2863; kernel document operstates), and the worker that follows carrier changes:
 * at once where a link comes up or a stacked device changes, else in batches.
 */
import {
  IF_LINK_MODE_DORMANT,
  IF_LINK_MODE_TESTING,
  IF_OPER_DORMANT,
  IF_OPER_DOWN,
  IF_OPER_LOWERLAYERDOWN,
  IF_OPER_TESTING,
  IF_OPER_UNKNOWN,
  IF_OPER_UP,
  IFF_MASTER,
  IFF_SLAVE,
  IFF_UP,
} from '../../uapi/if.ts'
import { RTM_NEWLINK } from '../../uapi/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import { devActivate, devDeactivate } from '../sched/sch_generic.ts'
import { NSEC_PER_MSEC, Timer } from './clock.ts'
import {
  IFF_BONDING,
  LINK_STATE_DORMANT,
  LINK_STATE_LINKWATCH_PENDING,
  LINK_STATE_NOCARRIER,
  LINK_STATE_PRESENT,
  LINK_STATE_TESTING,
  type NetDevice,
} from './net_device.ts'
import { rtmsgIfinfo } from './rtnl_link_fill.ts'

/** @returns the lower device's index as the device gives it, its own where it has none (dev_get_iflink) */
export function devGetIflink(dev: NetDevice): number {
  return dev.ops.getIflink === undefined ? dev.ifindex : dev.ops.getIflink(dev)
}

/** @returns whether the operational state lets traffic pass (netif_oper_up) */
export function netifOperUp(dev: NetDevice): boolean {
  return dev.operstate === IF_OPER_UP || dev.operstate === IF_OPER_UNKNOWN
}

/** @returns whether the device waits for somebody to declare it up (netif_dormant) */
export function netifDormant(dev: NetDevice): boolean {
  return (dev.state & LINK_STATE_DORMANT) !== 0
}

function defaultOperstate(dev: NetDevice): number {
  if ((dev.state & LINK_STATE_TESTING) !== 0) return IF_OPER_TESTING
  if (!dev.carrier) return devGetIflink(dev) !== dev.ifindex ? IF_OPER_LOWERLAYERDOWN : IF_OPER_DOWN
  if (netifDormant(dev)) return IF_OPER_DORMANT
  return IF_OPER_UP
}

/** Works the operational state out of carrier and link mode (rfc2863_policy). */
export function rfc2863Policy(dev: NetDevice): void {
  let operstate = defaultOperstate(dev)
  if (operstate === dev.operstate) return
  if (operstate === IF_OPER_UP) {
    if (dev.linkMode === IF_LINK_MODE_TESTING) operstate = IF_OPER_TESTING
    else if (dev.linkMode === IF_LINK_MODE_DORMANT) operstate = IF_OPER_DORMANT
  }
  dev.operstate = operstate
}

/** Tells subsystems and listeners that something about a device that is up has changed (netdev_state_change). */
export function netdevStateChange(dev: NetDevice): void {
  if ((dev.flags & IFF_UP) === 0) return
  dev.net.kernel.netdevChain.call('CHANGE', dev, { flagsChanged: 0 })
  rtmsgIfinfo(RTM_NEWLINK, dev, 0)
}

/** Called when a device is registered: a link without carrier or dormant has its state from the start. */
export function linkwatchInitDev(dev: NetDevice): void {
  if (!dev.carrier || (dev.state & (LINK_STATE_DORMANT | LINK_STATE_TESTING)) !== 0) rfc2863Policy(dev)
}

/** There is a carrier from now on (netif_carrier_on). */
export function netifCarrierOn(dev: NetDevice): void {
  if (dev.carrier) return
  dev.state &= ~LINK_STATE_NOCARRIER
  if (dev.regState === 'uninitialized') return
  dev.carrierUpCount++
  linkwatchFireEvent(dev)
}

/** There is none (netif_carrier_off). */
export function netifCarrierOff(dev: NetDevice): void {
  if (!dev.carrier) return
  dev.state |= LINK_STATE_NOCARRIER
  if (dev.regState === 'uninitialized') return
  dev.carrierDownCount++
  linkwatchFireEvent(dev)
}

/** Sets or clears the dormant state (netif_dormant_on, netif_dormant_off). */
export function netifSetDormant(dev: NetDevice, on: boolean): void {
  setStateBit(dev, LINK_STATE_DORMANT, on)
}

/** Sets or clears the testing state (netif_testing_on, netif_testing_off). */
export function netifSetTesting(dev: NetDevice, on: boolean): void {
  setStateBit(dev, LINK_STATE_TESTING, on)
}

function setStateBit(dev: NetDevice, bit: number, on: boolean): void {
  if (((dev.state & bit) !== 0) === on) return
  if (on) dev.state |= bit
  else dev.state &= ~bit
  linkwatchFireEvent(dev)
}

/** Gives a stacked device the carrier and dormancy of the device below (netif_stacked_transfer_operstate). */
export function netifStackedTransferOperstate(lower: NetDevice, dev: NetDevice): void {
  netifSetDormant(dev, lower.operstate === IF_OPER_DORMANT)
  netifSetTesting(dev, lower.operstate === IF_OPER_TESTING)
  if (lower.carrier) netifCarrierOn(dev)
  else netifCarrierOff(dev)
}

/**
 * Batches of changes that can wait are at least this far apart, ns. Linux waits a second. Commands here take about a
 * millisecond of virtual time, on the machine the states of devices were recorded on a large part of a second: scaled
 * alike, a script sees a change after as many commands as it did there.
 */
const BATCH_INTERVAL = 4 * NSEC_PER_MSEC

/** The worker of one kernel. */
class LinkWatch {
  private readonly kernel: Kernel
  private list: NetDevice[] = []
  private readonly timer = new Timer(() => this.run())
  /** when the next batch may run, ns since boot */
  private nextEvent = 0
  private urgent = false

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  fire(dev: NetDevice): void {
    const urgent = urgentEvent(dev)
    if ((dev.state & LINK_STATE_LINKWATCH_PENDING) === 0) {
      dev.state |= LINK_STATE_LINKWATCH_PENDING
      this.list.push(dev)
    } else if (!urgent) return
    this.schedule(urgent)
  }

  forget(dev: NetDevice): void {
    const i = this.list.indexOf(dev)
    if (i < 0) return
    this.list.splice(i, 1)
    dev.state &= ~LINK_STATE_LINKWATCH_PENDING
  }

  private schedule(urgent: boolean): void {
    const { clock } = this.kernel
    if (this.urgent) return
    let delay = Math.max(0, this.nextEvent - clock.now)
    if (urgent) {
      this.urgent = true
      delay = 0
    }
    if (delay > BATCH_INTERVAL) delay = 0
    if (urgent || !this.timer.pending) clock.mod(this.timer, clock.now + delay)
  }

  private run(): void {
    const now = this.kernel.clock.now
    const urgentOnly = this.nextEvent > now
    if (!urgentOnly) this.nextEvent = now + BATCH_INTERVAL
    else if (this.nextEvent > now + BATCH_INTERVAL) this.nextEvent = now
    this.urgent = false
    const work = this.list
    this.list = []
    for (const dev of work) {
      if ((dev.state & LINK_STATE_PRESENT) === 0 || (urgentOnly && !urgentEvent(dev))) this.list.push(dev)
      else this.handle(dev)
    }
    if (this.list.length > 0) this.schedule(false)
    this.kernel.softirq.flush()
  }

  private handle(dev: NetDevice): void {
    dev.state &= ~LINK_STATE_LINKWATCH_PENDING
    rfc2863Policy(dev)
    if ((dev.flags & IFF_UP) === 0) return
    if (dev.carrier) devActivate(dev)
    else devDeactivate(dev)
    netdevStateChange(dev)
  }
}

function urgentEvent(dev: NetDevice): boolean {
  if (!dev.running) return false
  if (dev.ifindex !== devGetIflink(dev)) return true
  if ((dev.privFlags & IFF_BONDING) !== 0 && (dev.flags & (IFF_SLAVE | IFF_MASTER)) !== 0) return true
  return dev.carrier && dev.txq !== null && dev.txq !== dev.qdisc
}

const WATCHES = new WeakMap<Kernel, LinkWatch>()

function linkWatch(kernel: Kernel): LinkWatch {
  let watch = WATCHES.get(kernel)
  if (watch === undefined) {
    watch = new LinkWatch(kernel)
    WATCHES.set(kernel, watch)
  }
  return watch
}

/** Asks the worker to look at a device (linkwatch_fire_event). */
export function linkwatchFireEvent(dev: NetDevice): void {
  linkWatch(dev.net.kernel).fire(dev)
}

/** Takes a device that goes away out of the worker's list (linkwatch_forget_dev). */
export function linkwatchForgetDev(dev: NetDevice): void {
  linkWatch(dev.net.kernel).forget(dev)
}

/** Sets the operational state as user space asks, where the rules allow it (set_operstate). */
export function setOperstate(dev: NetDevice, transition: number): void {
  let operstate = dev.operstate
  switch (transition) {
    case IF_OPER_UP:
      if (
        (operstate === IF_OPER_DORMANT || operstate === IF_OPER_TESTING || operstate === IF_OPER_UNKNOWN) &&
        (dev.state & (LINK_STATE_DORMANT | LINK_STATE_TESTING)) === 0
      )
        operstate = IF_OPER_UP
      break
    case IF_OPER_TESTING:
    case IF_OPER_DORMANT:
      if (netifOperUp(dev)) operstate = transition
      break
  }
  if (operstate === dev.operstate) return
  dev.operstate = operstate
  netdevStateChange(dev)
}
