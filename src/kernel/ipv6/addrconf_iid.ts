/** Interface identifiers: of the link address (RFC 4291 appendix A), stable and opaque (RFC 7217), random (RFC 8981). */
import { ARPHRD_ETHER, ARPHRD_IPGRE, ARPHRD_SIT, ARPHRD_TUNNEL6 } from '../../uapi/if.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { In6Addr } from './addr.ts'
import { ipv6DevconfKey } from './devconf.ts'
import type { Inet6Dev } from './if_inet6.ts'
import { get32 } from './ip6.ts'
import { ipv6Key } from './netns_ipv6.ts'
import { sha1Block } from './sha1.ts'

/** Puts the identifier made of a device's link address into the low half. @returns whether the device has one */
export function ipv6GenerateEui64(addr: In6Addr, dev: NetDevice): boolean {
  switch (dev.type) {
    case ARPHRD_ETHER:
      if (dev.addrLen !== 6) return false
      putEui48(addr, dev.devAddr)
      return true
    case ARPHRD_TUNNEL6:
      putEui48(addr, dev.permAddr)
      return true
    case ARPHRD_SIT:
    case ARPHRD_IPGRE:
      return putIsatap(addr, dev.devAddr)
    default:
      return false
  }
}

function putEui48(addr: In6Addr, mac: Uint8Array): void {
  addr[8] = mac[0]! ^ 2
  addr[9] = mac[1]!
  addr[10] = mac[2]!
  addr[11] = 0xff
  addr[12] = 0xfe
  addr[13] = mac[3]!
  addr[14] = mac[4]!
  addr[15] = mac[5]!
}

/** RFC 5214 §6.1: an IPv4 address behind 0:5efe, marked as unique where it is not private. */
function putIsatap(addr: In6Addr, v4: Uint8Array): boolean {
  const [a, b] = v4
  if (v4.length < 4 || a === undefined || b === undefined || (a === 0 && b === 0 && v4[2] === 0 && v4[3] === 0))
    return false
  const shared =
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 169 && b === 254) ||
    (a === 172 && (b & 0xf0) === 16) ||
    (a === 192 && (b === 168 || (b === 0 && v4[2] === 2) || (b === 88 && v4[2] === 99))) ||
    (a === 198 && ((b & 0xfe) === 18 || (b === 51 && v4[2] === 100))) ||
    (a === 203 && b === 0 && v4[2] === 113)
  addr[8] = shared ? 0 : 2
  addr[9] = 0
  addr[10] = 0x5e
  addr[11] = 0xfe
  addr.set(v4.subarray(0, 4), 12)
  return true
}

/** @returns whether an identifier is reserved (RFC 5453): the router anycast one, or one of RFC 2526 */
function reserved(addr: In6Addr): boolean {
  const high = get32(addr, 8)
  const low = get32(addr, 12)
  if (high === 0 && low === 0) return true
  if (high === 0x02005eff && low >>> 25 === 0x7f) return true
  return high === 0xfdffffff && low >>> 7 === 0x1ffffff
}

/**
 * Puts a stable opaque identifier into the low half: a digest of the secret, the prefix and the link address.
 * @param dadCount how many tries found a duplicate @returns false without a secret, or where no identifier will do
 */
export function ipv6GenerateStableAddress(addr: In6Addr, dadCount: number, idev: Inet6Dev): boolean {
  const { net } = idev.dev
  const secret = idev.cnf.stableSecret ?? net.at(ipv6DevconfKey).dflt.stableSecret
  if (secret === undefined) return false
  const block = new Uint8Array(64)
  for (let count = dadCount; ; count++) {
    block.fill(0)
    block.set(secret, 0)
    block.set(addr.subarray(0, 8), 16)
    block.set(idev.dev.permAddr.subarray(0, 32), 24)
    block[56] = count
    const [first, second] = sha1Block(block)
    // the reference machine stores the words as they are in memory: lowest byte first
    for (let i = 0; i < 4; i++) {
      addr[8 + i] = (first >>> (8 * i)) & 0xff
      addr[12 + i] = (second >>> (8 * i)) & 0xff
    }
    if (!reserved(addr)) return true
    if (count + 1 > net.at(ipv6Key).idgenRetries) return false
  }
}

/** Puts a random identifier into the low half (ipv6_gen_rnd_iid). */
export function ipv6GenRandomIid(addr: In6Addr, idev: Inet6Dev): void {
  const { random } = idev.dev.net.kernel
  do for (let i = 8; i < 16; i++) addr[i] = random.u32() >>> 24
  while (reserved(addr))
}

/** The low half of another address of the device, where its kind has no identifier of its own. */
export function ipv6InheritEui64(addr: In6Addr, idev: Inet6Dev): boolean {
  for (let i = idev.addrs.length - 1; i >= 0; i--) {
    const ifp = idev.addrs[i]!
    if (ifp.scope > 0x20) break
    if (ifp.scope !== 0x20 || (ifp.flags & 0x40) !== 0) continue
    addr.set(ifp.addr.subarray(8), 8)
    return true
  }
  return false
}
