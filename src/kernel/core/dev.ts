/**
 * The device-independent packet path: transmission through a qdisc to the driver, reception through the backlog, taps,
 * rx handlers and protocol handlers. Names and order are those of Linux's net/core/dev.c as far as the model goes.
 */

import { Errno } from '../../uapi/errno.ts'
import { ETH_P_ALL, IFF_UP } from '../../uapi/if.ts'
import type { Kernel } from '../kernel.ts'
import { NSEC_PER_USEC } from './clock.ts'
import { validateXmitSkb } from './dev_offload.ts'
import {
  NET_RX_DROP,
  NET_RX_SUCCESS,
  NET_XMIT_DROP,
  NETDEV_TX_OK,
  type NetDevice,
  RX_HANDLER_ANOTHER,
  RX_HANDLER_CONSUMED,
  RX_HANDLER_EXACT,
} from './net_device.ts'
import type { Net } from './net_namespace.ts'
import { CHECKSUM_PARTIAL, PACKET_OTHERHOST, PACKET_OUTGOING, type SkBuff, SkbQueue } from './skbuff.ts'
import { NET_RX_SOFTIRQ } from './softirq.ts'

/** Who gets received packets of a protocol (`packet_type`): a protocol's receive function, or a tap (ETH_P_ALL). */
export interface PacketType {
  /** Ethernet protocol, host order; ETH_P_ALL for taps */
  readonly type: number
  /** only packets of this device */
  readonly dev: NetDevice | undefined
  /** only packets of this namespace; undefined for the protocols themselves */
  readonly net: Net | undefined
  /** does not want outgoing packets */
  readonly ignoreOutgoing?: boolean
  /** Gets a packet to keep: it must free or consume it. @param origDev the device it arrived on, before bridges and bonds */
  func(skb: SkBuff, dev: NetDevice, origDev: NetDevice): number
  /** a socket whose own transmissions are not shown to it */
  readonly owner?: unknown
  /** the receive function as /proc/net/ptype names it */
  readonly name?: string
}

/** Virtual CPU time of one packet through the receive path, ns: what makes a round trip take a believable time. */
export const RX_COST = 1.5 * NSEC_PER_USEC

/** Packets that a device is always allowed in a pass of the receive softirq (the weight of process_backlog). */
const BACKLOG_WEIGHT = 64

/** How many devices stacked on each other one transmission may pass. */
const XMIT_RECURSION_LIMIT = 8

const NOBODY: readonly PacketType[] = []

/** What the ingress hook of tc or netfilter decides: go on, or it has taken the packet. */
export type IngressHook = (skb: SkBuff, dev: NetDevice) => boolean

/** The packet path of one kernel. */
export class NetCore {
  private readonly kernel: Kernel
  private readonly protocols = new Map<number, PacketType[]>()
  private readonly taps: PacketType[] = []
  private readonly backlog = new SkbQueue()
  private xmitDepth = 0
  /** net.core.netdev_max_backlog */
  maxBacklog = 1000
  /** net.core.netdev_budget: packets that one pass of the receive softirq takes at most */
  netdevBudget = 300
  /** /proc/net/softnet_stat */
  readonly softnet = { processed: 0, dropped: 0, timeSqueeze: 0 }
  /** set by sched and netfilter */
  ingress: IngressHook | undefined
  egress: IngressHook | undefined

  constructor(kernel: Kernel) {
    this.kernel = kernel
    kernel.softirq.open(NET_RX_SOFTIRQ, () => this.processBacklog())
  }

  /** Registers a handler or tap (dev_add_pack). */
  addPack(pt: PacketType): void {
    this.listFor(pt).push(pt)
  }

  /** Takes it out (dev_remove_pack). */
  removePack(pt: PacketType): void {
    const list = this.listFor(pt)
    const i = list.indexOf(pt)
    if (i >= 0) list.splice(i, 1)
  }

  /** @returns the handlers and taps that a namespace sees, taps first, then by the kernel's hash of the protocol */
  packetTypes(net: Net): PacketType[] {
    const all = [...this.taps]
    for (const dev of net.devices.values()) all.push(...dev.ptypeAll, ...dev.ptypeSpecific)
    const general = [...this.protocols.values()].flat().sort((a, b) => (a.type & 15) - (b.type & 15))
    return [...all, ...general].filter(pt => pt.net === undefined || pt.net === net)
  }

  /** packets that wait to be processed */
  get backlogLength(): number {
    return this.backlog.qlen
  }

  private listFor(pt: PacketType): PacketType[] {
    if (pt.type === ETH_P_ALL) return pt.dev === undefined ? this.taps : pt.dev.ptypeAll
    if (pt.dev !== undefined) return pt.dev.ptypeSpecific
    let list = this.protocols.get(pt.type)
    if (list === undefined) {
      list = []
      this.protocols.set(pt.type, list)
    }
    return list
  }

  /**
   * Sends a complete frame out by `skb.dev` (dev_queue_xmit).
   * @returns NET_XMIT_…, or a negative error where the device cannot send at all
   */
  queueXmit(skb: SkBuff): number {
    const kernel = this.kernel
    const dev = skb.dev!
    kernel.softirq.disable()
    let rc: number
    if (kernel.trace.netDevQueue.enabled) kernel.trace.netDevQueue.fire(skb)
    skb.resetMacHeader()
    if (this.egress !== undefined && !this.egress(skb, dev)) rc = NET_XMIT_DROP
    else {
      const txq = dev.txq
      if (txq !== null) {
        rc = txq.enqueue(skb)
        if (txq.qlen > 0) this.runQueue(dev)
      } else if ((dev.flags & IFF_UP) === 0) {
        rc = -Errno.ENETDOWN
        dev.stats.txDropped++
        skb.free('__dev_queue_xmit', 'DEV_READY')
      } else if (this.xmitDepth > XMIT_RECURSION_LIMIT) {
        rc = -Errno.ENETDOWN
        dev.stats.txDropped++
        kernel.log.print(2, `Dead loop on virtual device ${dev.name}, fix it urgently!`)
        skb.free('__dev_queue_xmit')
      } else {
        this.xmitDepth++
        rc = this.hardStartXmit(skb, dev) === NETDEV_TX_OK ? 0 : -Errno.ENETDOWN
        this.xmitDepth--
        if (rc < 0) skb.free('__dev_queue_xmit')
      }
    }
    kernel.softirq.enable()
    return rc
  }

  /** Lets a device's qdisc hand over what it may (qdisc_run). */
  runQueue(dev: NetDevice): void {
    const qdisc = dev.txq
    if (qdisc === null) return
    while (!dev.queueStopped) {
      const skb = qdisc.dequeue()
      if (skb === null) return
      if (!dev.running) skb.free('sch_direct_xmit', 'DEV_READY')
      else if (this.hardStartXmit(skb, dev) !== NETDEV_TX_OK) {
        dev.queueStopped = true
        skb.free('sch_direct_xmit', 'FULL_RING')
      }
    }
  }

  /** Shows the packet to the taps and gives it to the driver (dev_hard_start_xmit). */
  hardStartXmit(skb: SkBuff, dev: NetDevice): number {
    if (skb.ipSummed === CHECKSUM_PARTIAL || skb.vlanProto !== 0) validateXmitSkb(skb, dev)
    if (this.taps.length > 0 || dev.ptypeAll.length > 0) this.queueXmitNit(skb, dev)
    const trace = this.kernel.trace
    if (!trace.netDevStartXmit.enabled && !trace.netDevXmit.enabled) return dev.ops.startXmit(skb, dev)
    trace.netDevStartXmit.fire(skb, dev)
    const length = skb.len
    skb.get()
    const rc = dev.ops.startXmit(skb, dev)
    trace.netDevXmit.fire(skb, rc, dev, length)
    skb.consume()
    return rc
  }

  /** Gives copies of an outgoing packet to the taps (dev_queue_xmit_nit). */
  private queueXmitNit(skb: SkBuff, dev: NetDevice): void {
    for (const list of [this.taps, dev.ptypeAll])
      for (const pt of list) {
        if (pt.ignoreOutgoing === true || (pt.net !== undefined && pt.net !== dev.net)) continue
        if (pt.owner !== undefined && skb.owner === pt.owner) continue
        const copy = skb.clone()
        copy.tstamp = this.kernel.clock.now
        copy.resetMacHeader()
        copy.networkHeader = Math.max(copy.networkHeader, copy.data)
        copy.pktType = PACKET_OUTGOING
        pt.func(copy, dev, dev)
      }
  }

  /**
   * Takes a packet from a virtual driver to the backlog (netif_rx); it is processed in softirq context.
   * The caller has set `dev`, `protocol`, `pktType` and pulled the link header.
   */
  netifRx(skb: SkBuff): number {
    if (this.kernel.trace.netifRx.enabled) this.kernel.trace.netifRx.fire(skb)
    if (this.backlog.qlen > this.maxBacklog) {
      this.softnet.dropped++
      skb.dev!.stats.rxDropped++
      skb.free('netif_rx_internal', 'CPU_BACKLOG')
      return NET_RX_DROP
    }
    this.backlog.enqueue(skb)
    this.kernel.softirq.raise(NET_RX_SOFTIRQ)
    this.kernel.softirq.flush()
    return NET_RX_SUCCESS
  }

  /** Receives what waits in the backlog, up to the budget; the rest is for the next pass (net_rx_action). */
  private processBacklog(): void {
    const { backlog, softnet } = this
    const { softirq } = this.kernel
    for (let budget = Math.max(this.netdevBudget, BACKLOG_WEIGHT); budget > 0; budget--) {
      const skb = backlog.dequeue()
      if (skb === null) return
      softnet.processed++
      softirq.elapse(RX_COST)
      this.netifReceiveSkb(skb)
    }
    if (backlog.qlen === 0) return
    softnet.timeSqueeze++
    softirq.raise(NET_RX_SOFTIRQ)
  }

  /** Drops what waits in the backlog for a device that goes away (flush_backlog). */
  flushBacklog(dev: NetDevice): void {
    for (let n = this.backlog.qlen; n > 0; n--) {
      const skb = this.backlog.dequeue()!
      if (skb.dev === dev) skb.free('flush_backlog', 'DEV_READY')
      else this.backlog.enqueue(skb)
    }
  }

  /** Delivers a received packet: taps, ingress, VLAN, rx handler, protocols (__netif_receive_skb_core). */
  netifReceiveSkb(skb: SkBuff): number {
    const kernel = this.kernel
    if (kernel.trace.netifReceiveSkb.enabled) kernel.trace.netifReceiveSkb.fire(skb)
    if (skb.tstamp === 0) skb.tstamp = kernel.clock.now
    let dev = skb.dev!
    const origDev = dev
    skb.resetNetworkHeader()
    if (skb.transportHeader < 0) skb.resetTransportHeader()
    for (;;) {
      skb.iif = dev.ifindex
      if (this.untag !== undefined && skb.vlanProto === 0 && (skb.protocol === 0x8100 || skb.protocol === 0x88a8)) {
        if (!this.untag(skb)) return NET_RX_DROP
      }
      if (this.taps.length > 0) this.deliverTaps(this.taps, skb, dev, origDev)
      if (dev.ptypeAll.length > 0) this.deliverTaps(dev.ptypeAll, skb, dev, origDev)
      if (this.ingress !== undefined && !this.ingress(skb, dev)) return NET_RX_DROP
      if (skb.vlanProto !== 0 && this.vlanDoReceive !== undefined) {
        const vlan = this.vlanDoReceive(skb)
        if (vlan === null) return NET_RX_DROP
        if (vlan !== undefined) {
          dev = skb.dev = vlan
          continue
        }
      }
      const handler = dev.rxHandler
      if (handler === undefined) break
      const verdict = handler(skb)
      if (verdict === RX_HANDLER_CONSUMED) return NET_RX_SUCCESS
      if (verdict === RX_HANDLER_ANOTHER) {
        dev = skb.dev!
        continue
      }
      if (verdict === RX_HANDLER_EXACT) {
        if (this.deliverList(NOBODY, dev.ptypeSpecific, skb, dev, origDev)) return NET_RX_SUCCESS
        dev.stats.rxNohandler++
        skb.free('__netif_receive_skb_core', 'UNHANDLED_PROTO')
        return NET_RX_DROP
      }
      break
    }
    if (skb.vlanProto !== 0) {
      // nobody here has the VLAN; priority tags alone (VLAN 0) do not matter
      if ((skb.vlanTci & 0xfff) !== 0) skb.pktType = PACKET_OTHERHOST
      skb.vlanProto = 0
      skb.vlanTci = 0
    }
    const list = this.protocols.get(skb.protocol)
    if (list !== undefined && list.length === 1 && dev.ptypeSpecific.length === 0) {
      const pt = list[0]!
      if (pt.net === undefined || pt.net === dev.net) return pt.func(skb, dev, origDev)
    }
    if (this.deliverList(list ?? NOBODY, dev.ptypeSpecific, skb, dev, origDev)) return NET_RX_SUCCESS
    dev.stats.rxDropped++
    skb.free('__netif_receive_skb_core', 'UNHANDLED_PROTO')
    return NET_RX_DROP
  }

  /** set by netfilter: the bridge family's hooks on a frame that comes into a bridge, or leaves it; false where it has taken the frame */
  bridgePrerouting: IngressHook | undefined
  bridgeForward: IngressHook | undefined

  /** set by 8021q: takes the tag of a frame into the skb; false where the frame was dropped */
  untag: ((skb: SkBuff) => boolean) | undefined
  /** set by 8021q: the VLAN device of a tagged frame, undefined where there is none, null where it was dropped */
  vlanDoReceive: ((skb: SkBuff) => NetDevice | undefined | null) | undefined

  private deliverTaps(list: readonly PacketType[], skb: SkBuff, dev: NetDevice, origDev: NetDevice): void {
    for (const pt of list) {
      if (pt.net !== undefined && pt.net !== dev.net) continue
      pt.func(skb.clone(), dev, origDev)
    }
  }

  /**
   * Gives the packet to every handler that wants it; the last takes it over.
   * @param general the protocol's handlers @param specific those bound to the device @returns whether there was one
   */
  private deliverList(
    general: readonly PacketType[],
    specific: readonly PacketType[],
    skb: SkBuff,
    dev: NetDevice,
    origDev: NetDevice,
  ): boolean {
    let last: PacketType | undefined
    for (let i = 0, n = general.length; i < n + specific.length; i++) {
      const pt = i < n ? general[i]! : specific[i - n]!
      if (pt.type !== skb.protocol || (pt.net !== undefined && pt.net !== dev.net)) continue
      if (last !== undefined) last.func(skb.clone(), dev, origDev)
      last = pt
    }
    if (last === undefined) return false
    last.func(skb, dev, origDev)
    return true
  }
}
