/** The hash that spreads flows over the legs of a multipath route, by net.ipv6.fib_multipath_hash_policy. */
import { IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import type { Flowi6 } from './flowi6.ts'
import { flowinfoAt, get16, IPV6_HLEN, OFF_DADDR, OFF_NEXTHDR, OFF_SADDR, skipExtHdrs } from './ip6.ts'
import { fib6Key } from './ip6_fib.ts'
import { ipv6Key } from './netns_ipv6.ts'

/** Bits of fib_multipath_hash_fields. */
const FIELD_SRC_IP = 0x001
const FIELD_DST_IP = 0x002
const FIELD_IP_PROTO = 0x004
const FIELD_FLOWLABEL = 0x008
const FIELD_SRC_PORT = 0x010
const FIELD_DST_PORT = 0x020

/** What is hashed: two addresses and four numbers. One object, used again and again. */
const keys: { buf: Uint8Array; src: number; dst: number; label: number; proto: number; sport: number; dport: number } =
  {
    buf: new Uint8Array(0),
    src: 0,
    dst: 0,
    label: 0,
    proto: 0,
    sport: 0,
    dport: 0,
  }

function mix(hash: number, value: number): number {
  hash = Math.imul(hash ^ value, 0x9e3779b1)
  return hash ^ (hash >>> 15)
}

function finish(seed: number, fields: number): number {
  let hash = seed
  const { buf } = keys
  if ((fields & FIELD_SRC_IP) !== 0) for (let i = 0; i < 16; i += 2) hash = mix(hash, get16(buf, keys.src + i))
  if ((fields & FIELD_DST_IP) !== 0) for (let i = 0; i < 16; i += 2) hash = mix(hash, get16(buf, keys.dst + i) + 1)
  if ((fields & FIELD_IP_PROTO) !== 0) hash = mix(hash, keys.proto)
  if ((fields & FIELD_FLOWLABEL) !== 0) hash = mix(hash, keys.label)
  if ((fields & FIELD_SRC_PORT) !== 0) hash = mix(hash, keys.sport)
  if ((fields & FIELD_DST_PORT) !== 0) hash = mix(hash, keys.dport)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0x85ebca6b)
  return (hash ^ (hash >>> 16)) >>> 1
}

/** Reads a packet's header at `at`; for an ICMPv6 error that of the packet that caused it. */
function readPacket(skb: SkBuff, at: number, end: number, errors: boolean): void {
  const { buf } = skb
  const { nexthdr, offset, fragOff } = skipExtHdrs(buf, at + IPV6_HLEN, end, buf[at + OFF_NEXTHDR]!)
  if (errors && nexthdr === IPPROTO_ICMPV6 && fragOff < 8 && offset >= 0 && offset + 8 + IPV6_HLEN <= end) {
    const type = buf[offset]!
    if (type >= 1 && type <= 4) {
      readPacket(skb, offset + 8, end, false)
      return
    }
  }
  keys.buf = buf
  keys.src = at + OFF_SADDR
  keys.dst = at + OFF_DADDR
  keys.label = flowinfoAt(buf, at) & 0xfffff
  keys.proto = nexthdr
  const ports = (nexthdr === IPPROTO_TCP || nexthdr === IPPROTO_UDP) && offset >= 0 && offset + 4 <= end && fragOff < 8
  keys.sport = ports ? get16(buf, offset) : 0
  keys.dport = ports ? get16(buf, offset + 2) : 0
}

const flowKeys = new Uint8Array(32)

function readFlow(fl6: Flowi6): void {
  flowKeys.set(fl6.saddr, 0)
  flowKeys.set(fl6.daddr, 16)
  keys.buf = flowKeys
  keys.src = 0
  keys.dst = 16
  keys.label = fl6.flowlabel & 0xfffff
  keys.proto = fl6.proto
  keys.sport = fl6.sport
  keys.dport = fl6.dport
}

/**
 * @param skb a packet that is forwarded; undefined for the own traffic, which is described by `fl6` alone
 * @returns 31 bits, by the namespace's policy: addresses, label and protocol; ports too; chosen fields
 */
export function rt6MultipathHash(net: Net, fl6: Flowi6, skb: SkBuff | undefined): number {
  const ns = net.at(ipv6Key)
  const policy = ns.fibMultipathHashPolicy
  if (skb === undefined) readFlow(fl6)
  else readPacket(skb, skb.networkHeader, skb.tail, policy !== 1)
  const l3 = FIELD_SRC_IP | FIELD_DST_IP | FIELD_IP_PROTO | FIELD_FLOWLABEL
  const l4 = FIELD_SRC_IP | FIELD_DST_IP | FIELD_IP_PROTO | FIELD_SRC_PORT | FIELD_DST_PORT
  const fields = policy === 1 ? l4 : policy === 3 ? ns.fibMultipathHashFields : l3
  return finish(net.at(fib6Key).hashSeed, fields)
}
