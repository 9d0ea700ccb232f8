/** The lower device of ipvlans: which of them gets a packet is told by its addresses, for they share one link address. */
import { Errno } from '../../../uapi/errno.ts'
import {
  ARPHRD_ETHER,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  IFF_ALLMULTI,
  IFF_LOOPBACK,
  IFF_NOARP,
  IFF_PROMISC,
  IFF_UP,
} from '../../../uapi/if.ts'
import { hwAddrKey } from '../../core/dev_addr_lists.ts'
import { devChangeFlags } from '../../core/dev_flags.ts'
import { devForwardSkb } from '../../core/dev_forward.ts'
import { netdevRxHandlerRegister, netdevRxHandlerUnregister } from '../../core/dev_rx_handler.ts'
import { ETH_HLEN, etherAddrEqual } from '../../core/ethernet.ts'
import {
  IFF_MACVLAN_PORT,
  NET_RX_SUCCESS,
  type NetDevice,
  RX_HANDLER_ANOTHER,
  RX_HANDLER_CONSUMED,
  RX_HANDLER_PASS,
} from '../../core/net_device.ts'
import type { NetlinkExtAck } from '../../core/rtnetlink.ts'
import { PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST, type SkBuff } from '../../core/skbuff.ts'
import { inetAddrHashKey } from '../../ipv4/devinet_select.ts'
import { ipv6ChkAddr } from '../../ipv6/inet6_addr.ts'

export const IPVLAN_MODE_L2 = 0
export const IPVLAN_MODE_L3 = 1
export const IPVLAN_MODE_L3S = 2

export const IPVLAN_F_PRIVATE = 1
export const IPVLAN_F_VEPA = 2

const IPPROTO_ICMPV6 = 58
const NDISC_NEIGHBOUR_SOLICITATION = 135

/** The state of an ipvlan. */
export class Ipvlan {
  readonly dev: NetDevice
  readonly phy: NetDevice
  readonly port: IpvlanPort

  constructor(dev: NetDevice, phy: NetDevice, port: IpvlanPort) {
    this.dev = dev
    this.phy = phy
    this.port = port
  }

  /** @returns whether it listens to a group */
  listens(address: Uint8Array): boolean {
    const { dev } = this
    if ((dev.flags & (IFF_PROMISC | IFF_ALLMULTI)) !== 0) return true
    return etherAddrEqual(address, dev.broadcast) || dev.mc.entries.has(hwAddrKey(address))
  }

  /** Counts a frame it was given. @param length bytes with the link header */
  countRx(length: number, accepted: boolean, multicast: boolean): void {
    const { stats } = this.dev
    if (!accepted) {
      stats.rxErrors++
      return
    }
    stats.rxPackets++
    stats.rxBytes += length
    if (multicast) stats.multicast++
  }
}

/** @returns an ipvlan's state */
export function ipvlanPriv(dev: NetDevice): Ipvlan {
  return dev.priv as Ipvlan
}

const address6 = new Uint8Array(16)

/** The lower device's part (`ipvl_port`). */
export class IpvlanPort {
  readonly dev: NetDevice
  /** in order of creation */
  readonly vlans: Ipvlan[] = []
  count = 0
  mode = IPVLAN_MODE_L3
  /** IPVLAN_F_… */
  flags = 0

  constructor(dev: NetDevice) {
    this.dev = dev
  }

  private byAddress4(addr: number): Ipvlan | undefined {
    for (const vlan of this.vlans) {
      const holders = vlan.dev.net.at(inetAddrHashKey).get(addr)
      if (holders?.some(ifa => ifa.inDev.dev === vlan.dev) === true && vlan.dev.running) return vlan
    }
    return undefined
  }

  private byAddress6(buf: Uint8Array, at: number): Ipvlan | undefined {
    for (let i = 0; i < 16; i++) address6[i] = buf[at + i]!
    for (const vlan of this.vlans)
      if (vlan.dev.running && ipv6ChkAddr(vlan.dev.net, address6, vlan.dev, true)) return vlan
    return undefined
  }

  /** @param at where the packet behind the link header starts @returns the ipvlan that has the packet's destination (ipvlan_addr_lookup) */
  lookup(skb: SkBuff, at: number, protocol: number): Ipvlan | undefined {
    const { buf, tail } = skb
    const word = (from: number): number =>
      ((buf[from]! << 24) | (buf[from + 1]! << 16) | (buf[from + 2]! << 8) | buf[from + 3]!) >>> 0
    if (protocol === ETH_P_IP) return at + 20 <= tail ? this.byAddress4(word(at + 16)) : undefined
    if (protocol === ETH_P_ARP) return at + 28 <= tail ? this.byAddress4(word(at + 24)) : undefined
    if (protocol !== ETH_P_IPV6 || at + 40 > tail) return undefined
    const solicitation =
      buf[at + 6] === IPPROTO_ICMPV6 && at + 64 <= tail && buf[at + 40] === NDISC_NEIGHBOUR_SOLICITATION
    return this.byAddress6(buf, solicitation ? at + 48 : at + 24)
  }

  /** Gives copies of a group frame to the ipvlans (ipvlan_process_multicast). @param from the ipvlan that sent it */
  flood(skb: SkBuff, frame: number, from: NetDevice | undefined): void {
    const daddr = skb.buf.subarray(frame, frame + 6)
    const length = skb.len + skb.data - frame
    for (const vlan of [...this.vlans]) {
      const { dev } = vlan
      if (dev === from || (dev.flags & IFF_UP) === 0 || !vlan.listens(daddr)) continue
      const copy = skb.clone()
      let rc: number
      if (from !== undefined) rc = devForwardSkb(dev, copy)
      else {
        copy.dev = dev
        copy.pktType = etherAddrEqual(daddr, this.dev.broadcast) ? PACKET_BROADCAST : PACKET_MULTICAST
        rc = dev.net.kernel.netcore.netifRx(copy)
      }
      vlan.countRx(length, rc === NET_RX_SUCCESS, true)
    }
  }

  /** Decides about a received frame (ipvlan_handle_frame). */
  handle(skb: SkBuff): number {
    const frame = skb.macHeader
    if (this.mode === IPVLAN_MODE_L2 && (skb.buf[frame]! & 1) !== 0) {
      if (this.external(skb, frame)) this.flood(skb, frame, undefined)
      return RX_HANDLER_PASS
    }
    const vlan = this.lookup(skb, skb.data, skb.protocol)
    if (vlan === undefined) return RX_HANDLER_PASS
    const length = skb.len + ETH_HLEN
    if ((vlan.dev.flags & IFF_UP) === 0) {
      skb.free('ipvlan_rcv_frame')
      vlan.countRx(length, false, false)
      return RX_HANDLER_CONSUMED
    }
    skb.dev = vlan.dev
    vlan.countRx(length, true, false)
    return RX_HANDLER_ANOTHER
  }

  /** @returns whether a group frame came from outside: not from this device's own address for an address of an ipvlan */
  private external(skb: SkBuff, frame: number): boolean {
    const own = this.dev.devAddr
    for (let i = 0; i < 6; i++) if (skb.buf[frame + 6 + i] !== own[i]) return true
    return this.lookup(skb, skb.data, skb.protocol) === undefined
  }
}

/** Hands a frame that starts with its link header to an ipvlan beside the sender (ipvlan_rcv_frame, local). */
export function ipvlanRcvLocal(vlan: Ipvlan, skb: SkBuff): void {
  const { dev } = vlan
  const length = skb.len
  if ((dev.flags & IFF_UP) === 0) {
    skb.free('ipvlan_rcv_frame')
    vlan.countRx(length, false, false)
    return
  }
  skb.pktType = PACKET_HOST
  vlan.countRx(length, devForwardSkb(dev, skb) === NET_RX_SUCCESS, false)
}

/** @returns a lower device's part, undefined where it carries no ipvlan */
export function ipvlanPort(dev: NetDevice): IpvlanPort | undefined {
  return dev.rxHandlerData instanceof IpvlanPort ? dev.rxHandlerData : undefined
}

/** Makes a device carry ipvlans (ipvlan_port_create). @returns -EINVAL for no Ethernet, -EBUSY where another has its frames */
export function ipvlanPortCreate(dev: NetDevice): number {
  const { log } = dev.net.kernel
  if (dev.type !== ARPHRD_ETHER || (dev.flags & IFF_LOOPBACK) !== 0) {
    log.print(3, `${dev.name}: Master is either lo or non-ether device`)
    return -Errno.EINVAL
  }
  if ((dev.privFlags & IFF_MACVLAN_PORT) !== 0) {
    log.print(3, `${dev.name}: Master is a macvlan port.`)
    return -Errno.EBUSY
  }
  if (dev.rxHandler !== undefined) {
    log.print(3, `${dev.name}: Device is already in use.`)
    return -Errno.EBUSY
  }
  const port = new IpvlanPort(dev)
  return netdevRxHandlerRegister(dev, skb => port.handle(skb), port)
}

/** The last ipvlan is gone (ipvlan_port_destroy). */
export function ipvlanPortDestroy(dev: NetDevice): void {
  if (ipvlanPort(dev) !== undefined) netdevRxHandlerUnregister(dev)
}

/** Sets the mode of all ipvlans of a port (ipvlan_set_port_mode). */
export function ipvlanSetPortMode(port: IpvlanPort, mode: number, extack: NetlinkExtAck): number {
  if (port.mode === mode) return 0
  for (const { dev } of port.vlans) {
    const flags = mode === IPVLAN_MODE_L2 ? dev.flags & ~IFF_NOARP : dev.flags | IFF_NOARP
    const rc = devChangeFlags(dev, flags, extack)
    if (rc < 0) return rc
  }
  port.mode = mode
  return 0
}
