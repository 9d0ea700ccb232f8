/** VXLAN (RFC 7348): Ethernet segments over UDP. The state of a device, and those of a namespace. */
import { Timer } from '../../core/clock.ts'
import type { NetDevice } from '../../core/net_device.ts'
import { type Net, pernetKey } from '../../core/net_namespace.ts'
import type { UdpSock } from '../../ipv4/udp.ts'
import type { VxlanFdb } from './vxlan_fdb.ts'

/** Bytes that are added in front over IPv4 and over IPv6, the inner link header among them. */
export const VXLAN_HEADROOM = 50
export const VXLAN6_HEADROOM = 70
/** Port where the request names none; IANA's is 4789. */
export const VXLAN_PORT = 8472
export const VXLAN_GPE_PORT = 4790
/** Seconds a learned address is kept. */
export const FDB_AGE_DEFAULT = 300
/** Network identifiers there are. */
export const VXLAN_N_VID = 1 << 24

export const VXLAN_F_LEARN = 0x01
export const VXLAN_F_PROXY = 0x02
export const VXLAN_F_RSC = 0x04
export const VXLAN_F_L2MISS = 0x08
export const VXLAN_F_L3MISS = 0x10
export const VXLAN_F_IPV6 = 0x20
export const VXLAN_F_UDP_ZERO_CSUM_TX = 0x40
export const VXLAN_F_UDP_ZERO_CSUM6_TX = 0x80
export const VXLAN_F_UDP_ZERO_CSUM6_RX = 0x100
export const VXLAN_F_REMCSUM_TX = 0x200
export const VXLAN_F_REMCSUM_RX = 0x400
export const VXLAN_F_GBP = 0x800
export const VXLAN_F_REMCSUM_NOPARTIAL = 0x1000
export const VXLAN_F_COLLECT_METADATA = 0x2000
export const VXLAN_F_GPE = 0x4000
export const VXLAN_F_TTL_INHERIT = 0x10000
export const VXLAN_F_VNIFILTER = 0x20000

/** Flags that decide whether devices can share a port's socket. */
export const VXLAN_F_RCV_FLAGS =
  VXLAN_F_GBP |
  VXLAN_F_GPE |
  VXLAN_F_UDP_ZERO_CSUM6_RX |
  VXLAN_F_REMCSUM_RX |
  VXLAN_F_REMCSUM_NOPARTIAL |
  VXLAN_F_COLLECT_METADATA |
  VXLAN_F_VNIFILTER

/** Settings (`vxlan_config`). */
export class VxlanConfig {
  vni = 0
  flags = 0
  /** group or remote; empty: none */
  remote: Uint8Array = new Uint8Array(0)
  /** local address; empty: any */
  saddr: Uint8Array = new Uint8Array(0)
  /** index of the device underneath, 0 none */
  link = 0
  mtu = 0
  /** host order */
  dstPort = 0
  portMin = 0
  portMax = 0
  tos = 0
  ttl = 0
  label = 0
  /** seconds, 0 for ever */
  ageing = FDB_AGE_DEFAULT
  /** entries at most, 0 no limit */
  limit = 0
  /** 0 unset, 1 set, 2 as inside */
  df = 0

  copy(): VxlanConfig {
    return Object.assign(new VxlanConfig(), this)
  }

  get ipv6(): boolean {
    return (this.flags & VXLAN_F_IPV6) !== 0
  }
}

/** The socket of a port (`vxlan_sock`). */
export interface VxlanSock {
  readonly sk: UdpSock
  readonly port: number
  readonly flags: number
  /** by network identifier */
  readonly devices: Map<number, Vxlan>
}

/** A device (`vxlan_dev`). */
export class Vxlan {
  readonly dev: NetDevice
  /** the namespace its packets travel in */
  net: Net
  cfg = new VxlanConfig()
  readonly fdb: VxlanFdb
  sock: VxlanSock | undefined
  readonly ageTimer: Timer

  constructor(dev: NetDevice, fdb: VxlanFdb, age: (vxlan: Vxlan) => void) {
    this.dev = dev
    this.net = dev.net
    this.fdb = fdb
    this.ageTimer = new Timer(() => age(this))
  }
}

/** @returns a VXLAN device's state */
export function vxlanPriv(dev: NetDevice): Vxlan {
  return dev.priv as Vxlan
}

/** Devices and sockets of a namespace (`vxlan_net`). */
export class VxlanNet {
  readonly devices = new Set<Vxlan>()
  readonly socks: VxlanSock[] = []
}

/** Names them. */
export const vxlanNetKey = pernetKey<VxlanNet>('vxlan_net')

/** @returns whether an address in 4 or 16 bytes is a group's */
export function isMulticastIp(address: Uint8Array): boolean {
  return address.length === 4 ? address[0]! >> 4 === 14 : address[0] === 0xff
}

/** @returns whether an address is none: of no length, or zero (vxlan_addr_any) */
export function isAnyIp(address: Uint8Array): boolean {
  return address.every(byte => byte === 0)
}

/** @returns whether two addresses are the same */
export function sameIp(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
