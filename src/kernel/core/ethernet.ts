/** Ethernet (IEEE 802.3): the link header, its parsing on receipt, and what every Ethernet-like device starts with. */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_ETHER, ETH_P_802_2, IFF_BROADCAST, IFF_LOOPBACK, IFF_MULTICAST, IFF_NOARP } from '../../uapi/if.ts'
import {
  type HeaderOps,
  IFF_LIVE_ADDR_CHANGE,
  IFF_TX_SKB_SHARING,
  NET_ADDR_RANDOM,
  type NetDevice,
} from './net_device.ts'
import { PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST, PACKET_OTHERHOST, type SkBuff } from './skbuff.ts'

/** Bytes of a link header. */
export const ETH_HLEN = 14
/** Bytes of an address. */
export const ETH_ALEN = 6
/** Bytes of payload that a standard frame carries. */
export const ETH_DATA_LEN = 1500
/** Smallest mtu IPv4 allows; drivers take it as their minimum. */
export const ETH_MIN_MTU = 68
/** Largest mtu of an unlimited Ethernet device. */
export const ETH_MAX_MTU = 0xffff
/** Smallest value of the type field that is a protocol; below it is a length (IEEE 802.3). */
export const ETH_P_802_3_MIN = 0x0600
const ETH_P_802_3 = 0x0001

/** The address all stations listen to. */
export const ETH_BROADCAST: Uint8Array = new Uint8Array(6).fill(0xff)

/** @returns whether two link addresses of equal length are the same */
export function etherAddrEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return a.length === b.length
}

/** @returns whether every byte is zero */
export function isZeroEtherAddr(address: Uint8Array): boolean {
  for (let i = 0; i < address.length; i++) if (address[i] !== 0) return false
  return true
}

/** @returns whether the group bit is set (broadcast included) */
export function isMulticastEtherAddr(address: Uint8Array): boolean {
  return (address[0]! & 1) !== 0
}

/** @returns whether a station may have this address: not zero, not a group */
export function isValidEtherAddr(address: Uint8Array): boolean {
  return !isMulticastEtherAddr(address) && !isZeroEtherAddr(address)
}

/**
 * Takes the link header off a received frame (eth_type_trans): sets `dev`, `macHeader`, `pktType`, and moves `data`
 * behind the header. The caller stores the result in `skb.protocol`.
 * @returns the protocol, host order; ETH_P_802_2 for a frame with a length field
 */
export function ethTypeTrans(skb: SkBuff, dev: NetDevice): number {
  const buf = skb.buf
  const at = skb.data
  skb.dev = dev
  skb.macHeader = at
  skb.data = at + ETH_HLEN
  const own = dev.devAddr
  if (
    buf[at] === own[0] &&
    buf[at + 1] === own[1] &&
    buf[at + 2] === own[2] &&
    buf[at + 3] === own[3] &&
    buf[at + 4] === own[4] &&
    buf[at + 5] === own[5]
  )
    skb.pktType = PACKET_HOST
  else if ((buf[at]! & 1) === 0) skb.pktType = PACKET_OTHERHOST
  else {
    const all = dev.broadcast
    let i = 0
    while (i < 6 && buf[at + i] === all[i]) i++
    skb.pktType = i === 6 ? PACKET_BROADCAST : PACKET_MULTICAST
  }
  const protocol = (buf[at + 12]! << 8) | buf[at + 13]!
  return protocol >= ETH_P_802_3_MIN ? protocol : ETH_P_802_2
}

/** Header operations of Ethernet (eth_header_ops). */
export const ethHeaderOps: HeaderOps = {
  create(skb, dev, type, daddr, saddr, len) {
    const at = skb.push(ETH_HLEN)
    const buf = skb.buf
    const field = type !== ETH_P_802_3 && type !== ETH_P_802_2 ? type : len
    buf[at + 12] = field >> 8
    buf[at + 13] = field & 0xff
    const from = saddr ?? dev.devAddr
    for (let i = 0; i < ETH_ALEN; i++) buf[at + 6 + i] = from[i]!
    if (daddr !== undefined) {
      for (let i = 0; i < ETH_ALEN; i++) buf[at + i] = daddr[i]!
      return ETH_HLEN
    }
    if ((dev.flags & (IFF_LOOPBACK | IFF_NOARP)) === 0) return -ETH_HLEN
    for (let i = 0; i < ETH_ALEN; i++) buf[at + i] = 0
    return ETH_HLEN
  },
  parse(skb) {
    return skb.buf.subarray(skb.macHeader + 6, skb.macHeader + 12)
  },
}

/** Fills in a fresh device as an Ethernet (ether_setup). */
export function etherSetup(dev: NetDevice): void {
  dev.headerOps = ethHeaderOps
  dev.type = ARPHRD_ETHER
  dev.hardHeaderLen = ETH_HLEN
  dev.mtu = ETH_DATA_LEN
  dev.minMtu = ETH_MIN_MTU
  dev.maxMtu = ETH_DATA_LEN
  dev.addrLen = ETH_ALEN
  dev.devAddr = new Uint8Array(ETH_ALEN)
  dev.permAddr = new Uint8Array(ETH_ALEN)
  dev.broadcast = ETH_BROADCAST.slice()
  dev.txQueueLen = 1000
  dev.flags = IFF_BROADCAST | IFF_MULTICAST
  dev.privFlags |= IFF_TX_SKB_SHARING
}

/** Gives the device a random address of its own (eth_hw_addr_random). */
export function ethHwAddrRandom(dev: NetDevice): void {
  dev.devAddr = dev.net.kernel.random.etherAddress()
  dev.addrAssignType = NET_ADDR_RANDOM
}

/** Checks a new address against the device's state (eth_prepare_mac_addr_change). @returns 0, -EBUSY or -EADDRNOTAVAIL */
export function ethPrepareMacAddrChange(dev: NetDevice, address: Uint8Array): number {
  if ((dev.privFlags & IFF_LIVE_ADDR_CHANGE) === 0 && dev.running) return -Errno.EBUSY
  if (!isValidEtherAddr(address)) return -Errno.EADDRNOTAVAIL
  return 0
}

/** Sets an Ethernet device's address: `setMacAddress` of most drivers (eth_mac_addr). */
export function ethMacAddr(dev: NetDevice, address: Uint8Array): number {
  const rc = ethPrepareMacAddrChange(dev, address)
  if (rc < 0) return rc
  dev.devAddr = address.slice(0, ETH_ALEN)
  return 0
}

/** `validateAddr` of most drivers: an Ethernet cannot go up with an invalid address (eth_validate_addr). */
export function ethValidateAddr(dev: NetDevice): number {
  return isValidEtherAddr(dev.devAddr) ? 0 : -Errno.EADDRNOTAVAIL
}
