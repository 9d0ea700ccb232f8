/** The lower device of macvlans: which of them gets what it receives, and what they send each other. */
import { Errno } from '../../../uapi/errno.ts'
import { ARPHRD_ETHER, IFF_ALLMULTI, IFF_LOOPBACK, IFF_PROMISC, IFF_UP } from '../../../uapi/if.ts'
import { hwAddrKey } from '../../core/dev_addr_lists.ts'
import { devSetMacAddress } from '../../core/dev_config.ts'
import { prepareForward } from '../../core/dev_forward.ts'
import { netdevRxHandlerRegister, netdevRxHandlerUnregister } from '../../core/dev_rx_handler.ts'
import { ETH_HLEN, etherAddrEqual } from '../../core/ethernet.ts'
import {
  IFF_MACVLAN_PORT,
  NET_RX_SUCCESS,
  type NetDevice,
  RX_HANDLER_CONSUMED,
  RX_HANDLER_PASS,
} from '../../core/net_device.ts'
import { PACKET_BROADCAST, PACKET_HOST, PACKET_LOOPBACK, PACKET_MULTICAST, type SkBuff } from '../../core/skbuff.ts'

export const MACVLAN_MODE_PRIVATE = 1
export const MACVLAN_MODE_VEPA = 2
export const MACVLAN_MODE_BRIDGE = 4
export const MACVLAN_MODE_PASSTHRU = 8
export const MACVLAN_MODE_SOURCE = 16

export const MACVLAN_FLAG_NOPROMISC = 1
export const MACVLAN_FLAG_NODST = 2

const ALL_MODES = MACVLAN_MODE_PRIVATE | MACVLAN_MODE_VEPA | MACVLAN_MODE_PASSTHRU | MACVLAN_MODE_BRIDGE

/** Frames that wait to be given to every macvlan, by default. */
export const DEFAULT_BC_QUEUE_LEN = 1000

/** The state of a macvlan (`macvlan_dev`). */
export class Macvlan {
  readonly dev: NetDevice
  readonly lower: NetDevice
  readonly port: MacvlanPort
  mode = MACVLAN_MODE_VEPA
  /** MACVLAN_FLAG_… */
  flags = 0
  bcQueueLen = DEFAULT_BC_QUEUE_LEN
  /** senders it listens to in source mode */
  readonly sources = new Map<string, Uint8Array>()

  constructor(dev: NetDevice, lower: NetDevice, port: MacvlanPort) {
    this.dev = dev
    this.lower = lower
    this.port = port
  }

  /** @returns whether it listens to a group */
  listens(address: Uint8Array): boolean {
    const { dev } = this
    if ((dev.flags & (IFF_PROMISC | IFF_ALLMULTI)) !== 0) return true
    return etherAddrEqual(address, dev.broadcast) || dev.mc.entries.has(hwAddrKey(address))
  }

  /** Counts a frame it was given (macvlan_count_rx). @param length bytes with the link header */
  countRx(length: number, accepted: boolean, multicast: boolean): void {
    const { stats } = this.dev
    if (!accepted) {
      stats.rxErrors++
      stats.rxDropped++
      return
    }
    stats.rxPackets++
    stats.rxBytes += length
    if (multicast) stats.multicast++
  }
}

/** @returns a macvlan's state */
export function macvlanPriv(dev: NetDevice): Macvlan {
  return dev.priv as Macvlan
}

/** The lower device's part (`macvlan_port`). */
export class MacvlanPort {
  readonly dev: NetDevice
  /** in order of creation */
  readonly vlans: Macvlan[] = []
  /** devices made on it, also those not listed yet */
  count = 0
  passthru = false
  /** the lower device's address is being changed through its passthru macvlan */
  addrChange = false
  bcQueueLenUsed = 0
  /** the lower device's own address, to be put back when passthru ends */
  savedAddress: Uint8Array
  /** macvlans that are up */
  private readonly live: Macvlan[] = []

  constructor(dev: NetDevice) {
    this.dev = dev
    this.savedAddress = dev.devAddr.slice()
  }

  /** @returns the running macvlan with an address */
  lookup(address: Uint8Array, at = 0): Macvlan | undefined {
    for (const vlan of this.live) {
      const own = vlan.dev.devAddr
      let i = 0
      while (i < 6 && own[i] === address[at + i]) i++
      if (i === 6) return vlan
    }
    return undefined
  }

  hashAdd(vlan: Macvlan): void {
    this.live.push(vlan)
  }

  hashDel(vlan: Macvlan): void {
    const at = this.live.indexOf(vlan)
    if (at >= 0) this.live.splice(at, 1)
  }

  /** @returns whether the lower device or a running macvlan has the address (macvlan_addr_busy) */
  addrBusy(address: Uint8Array): boolean {
    if (!this.passthru && !this.addrChange && etherAddrEqual(this.dev.devAddr, address)) return true
    return this.lookup(address) !== undefined
  }

  updateBcQueueLen(): void {
    this.bcQueueLenUsed = Math.max(0, ...this.vlans.map(vlan => vlan.bcQueueLen))
  }

  /** Gives copies of a frame to the running macvlans whose mode is among `modes` (macvlan_broadcast). @param length with the link header */
  broadcast(skb: SkBuff, frame: number, from: NetDevice | undefined, modes: number, local: boolean): void {
    const daddr = skb.buf.subarray(frame, frame + 6)
    const length = skb.len + skb.data - frame
    for (const vlan of [...this.live]) {
      if (vlan.dev === from || (vlan.mode & modes) === 0 || !vlan.listens(daddr)) continue
      vlan.countRx(length, giveCopy(skb, vlan, daddr, local), true)
    }
  }

  /** Gives copies to macvlans in source mode that listen to the sender (macvlan_forward_source). @returns whether one wants nobody else to have it */
  forwardSource(skb: SkBuff, frame: number): boolean {
    let only = false
    const key = hwAddrKey(skb.buf.subarray(frame + 6, frame + 12))
    for (const vlan of this.vlans) {
      if (vlan.mode !== MACVLAN_MODE_SOURCE || !vlan.sources.has(key)) continue
      if ((vlan.flags & MACVLAN_FLAG_NODST) !== 0) only = true
      if ((vlan.dev.flags & IFF_UP) === 0) continue
      const copy = skb.clone()
      copy.dev = vlan.dev
      copy.pktType = PACKET_HOST
      const accepted = this.dev.net.kernel.netcore.netifRx(copy) === NET_RX_SUCCESS
      vlan.countRx(skb.len + ETH_HLEN, accepted, false)
    }
    return only
  }

  /** Decides about a received frame (macvlan_handle_frame). */
  handle(skb: SkBuff): number {
    if (skb.pktType === PACKET_LOOPBACK) return RX_HANDLER_PASS
    const frame = skb.macHeader
    const { netcore } = this.dev.net.kernel
    if ((skb.buf[frame]! & 1) !== 0) {
      if (this.forwardSource(skb, frame)) {
        skb.consume()
        return RX_HANDLER_CONSUMED
      }
      const source = this.lookup(skb.buf, frame + 6)
      if (source !== undefined && (source.mode & (MACVLAN_MODE_VEPA | MACVLAN_MODE_BRIDGE)) === 0) {
        // a private or passthru device's own frame, come back
        markGroup(skb, source, frame)
        skb.dev = source.dev
        const accepted = netcore.netifRx(skb) === NET_RX_SUCCESS
        source.countRx(skb.len + ETH_HLEN, accepted, true)
        return RX_HANDLER_CONSUMED
      }
      if (source === undefined) this.broadcast(skb, frame, undefined, ALL_MODES, false)
      else if (source.mode === MACVLAN_MODE_VEPA)
        this.broadcast(skb, frame, source.dev, MACVLAN_MODE_VEPA | MACVLAN_MODE_BRIDGE, false)
      else this.broadcast(skb, frame, source.dev, MACVLAN_MODE_VEPA, false)
      return RX_HANDLER_PASS
    }
    if (this.forwardSource(skb, frame)) {
      skb.consume()
      return RX_HANDLER_CONSUMED
    }
    const vlan = this.passthru ? this.vlans[0] : this.lookup(skb.buf, frame)
    if (vlan === undefined || vlan.mode === MACVLAN_MODE_SOURCE) return RX_HANDLER_PASS
    if ((vlan.dev.flags & IFF_UP) === 0) {
      skb.free('macvlan_handle_frame')
      return RX_HANDLER_CONSUMED
    }
    const length = skb.len + ETH_HLEN
    skb.dev = vlan.dev
    skb.pktType = PACKET_HOST
    vlan.countRx(length, netcore.netifRx(skb) === NET_RX_SUCCESS, false)
    return RX_HANDLER_CONSUMED
  }
}

function markGroup(skb: SkBuff, vlan: Macvlan, at: number): void {
  skb.pktType = etherAddrEqual(skb.buf.subarray(at, at + 6), vlan.dev.broadcast) ? PACKET_BROADCAST : PACKET_MULTICAST
}

/** Gives one macvlan a copy of a group frame (macvlan_broadcast_one). @param local the frame starts with its link header */
function giveCopy(skb: SkBuff, vlan: Macvlan, daddr: Uint8Array, local: boolean): boolean {
  const { netcore } = vlan.dev.net.kernel
  const copy = skb.clone()
  if (local) return prepareForward(vlan.dev, copy) && netcore.netifRx(copy) === NET_RX_SUCCESS
  copy.dev = vlan.dev
  copy.pktType = etherAddrEqual(daddr, vlan.dev.broadcast) ? PACKET_BROADCAST : PACKET_MULTICAST
  return netcore.netifRx(copy) === NET_RX_SUCCESS
}

/** @returns a lower device's part, undefined where it carries no macvlan */
export function macvlanPort(dev: NetDevice): MacvlanPort | undefined {
  return (dev.privFlags & IFF_MACVLAN_PORT) === 0 ? undefined : (dev.rxHandlerData as MacvlanPort)
}

/** Makes a device carry macvlans (macvlan_port_create). @returns -EINVAL for no Ethernet, -EBUSY where another has its frames */
export function macvlanPortCreate(dev: NetDevice): number {
  if (dev.type !== ARPHRD_ETHER || (dev.flags & IFF_LOOPBACK) !== 0) return -Errno.EINVAL
  const port = new MacvlanPort(dev)
  const rc = netdevRxHandlerRegister(dev, skb => port.handle(skb), port)
  if (rc < 0) return -Errno.EBUSY
  dev.privFlags |= IFF_MACVLAN_PORT
  return 0
}

/** The last macvlan is gone (macvlan_port_destroy): an address changed through passthru is put back. */
export function macvlanPortDestroy(dev: NetDevice): void {
  const port = macvlanPort(dev)
  if (port === undefined) return
  dev.privFlags &= ~IFF_MACVLAN_PORT
  netdevRxHandlerUnregister(dev)
  const { passthru, savedAddress } = port
  if (passthru && !etherAddrEqual(dev.devAddr, savedAddress)) devSetMacAddress(dev, savedAddress)
}
