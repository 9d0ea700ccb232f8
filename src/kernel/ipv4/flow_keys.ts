/**
 * Flow keys: what a packet's flow is known by — addresses, protocol, ports — read from its headers (the part of
 * `flow_dissector` that routing uses).
 */
import type { SkBuff } from '../core/skbuff.ts'

const PROTO_ICMP = 1
const PROTO_IPIP = 4
const PROTO_TCP = 6
const PROTO_UDP = 17
const PROTO_DCCP = 33
const PROTO_IPV6 = 41
const PROTO_GRE = 47
const PROTO_ESP = 50
const PROTO_AH = 51
const PROTO_SCTP = 132
const PROTO_UDPLITE = 136

/** The keys of one packet. One object is filled in again and again. */
export class FlowKeys {
  /** AF_INET, AF_INET6, or 0 where there is no IP header */
  family = 0
  /** IPv4: the addresses, host order; IPv6: folded to 32 bits */
  src = 0
  dst = 0
  proto = 0
  flowlabel = 0
  /** host order; 0 where the protocol has none, or in a fragment */
  sport = 0
  dport = 0
  /** the header read is inside another */
  encapsulated = false

  /** Empties it. @returns itself */
  clear(): this {
    this.family = this.src = this.dst = this.proto = this.flowlabel = this.sport = this.dport = 0
    this.encapsulated = false
    return this
  }
}

function word(buf: Uint8Array, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0
}

function fold(buf: Uint8Array, at: number): number {
  let hash = 0
  for (let i = 0; i < 16; i += 4) hash = Math.imul(hash ^ word(buf, at + i), 0x01000193) + 1
  return hash >>> 0
}

/**
 * Reads a packet's keys from its network header on (skb_flow_dissect_flow_keys).
 * @param inner go on into tunnels (IPIP, GRE), to the innermost header; else stop at the first
 * @returns whether there was an IPv4 header
 */
export function flowDissect(skb: SkBuff, keys: FlowKeys, inner: boolean): boolean {
  keys.clear()
  return dissectIp4(skb.buf, skb.networkHeader, skb.tail, keys, inner)
}

function dissectIp4(buf: Uint8Array, at: number, end: number, keys: FlowKeys, inner: boolean): boolean {
  if (at < 0 || at + 20 > end || buf[at]! >> 4 !== 4) return false
  const ihl = (buf[at]! & 15) * 4
  if (ihl < 20 || at + ihl > end) return false
  keys.family = 2
  keys.src = word(buf, at + 12)
  keys.dst = word(buf, at + 16)
  keys.flowlabel = 0
  keys.sport = keys.dport = 0
  keys.proto = buf[at + 9]!
  const fragment = (((buf[at + 6]! & 0x3f) << 8) | buf[at + 7]!) !== 0
  if (!fragment) dissectProto(buf, at + ihl, end, keys, inner)
  return true
}

function dissectIp6(buf: Uint8Array, at: number, end: number, keys: FlowKeys, inner: boolean): boolean {
  if (at + 40 > end || buf[at]! >> 4 !== 6) return false
  keys.family = 10
  keys.src = fold(buf, at + 8)
  keys.dst = fold(buf, at + 24)
  keys.flowlabel = word(buf, at) & 0xfffff
  keys.sport = keys.dport = 0
  keys.proto = buf[at + 6]!
  dissectProto(buf, at + 40, end, keys, inner)
  return true
}

function dissectProto(buf: Uint8Array, at: number, end: number, keys: FlowKeys, inner: boolean): void {
  switch (keys.proto) {
    case PROTO_TCP:
    case PROTO_UDP:
    case PROTO_DCCP:
    case PROTO_SCTP:
    case PROTO_UDPLITE:
    case PROTO_ESP:
      if (at + 4 > end) return
      keys.sport = (buf[at]! << 8) | buf[at + 1]!
      keys.dport = (buf[at + 2]! << 8) | buf[at + 3]!
      return
    case PROTO_AH:
      if (at + 8 > end) return
      keys.sport = (buf[at + 4]! << 8) | buf[at + 5]!
      keys.dport = (buf[at + 6]! << 8) | buf[at + 7]!
      return
    case PROTO_ICMP:
      return
    case PROTO_IPIP:
      if (inner && dissectIp4(buf, at, end, keys, inner)) keys.encapsulated = true
      return
    case PROTO_IPV6:
      if (inner && dissectIp6(buf, at, end, keys, inner)) keys.encapsulated = true
      return
    case PROTO_GRE:
      if (inner) dissectGre(buf, at, end, keys)
      return
    default:
      return
  }
}

function dissectGre(buf: Uint8Array, at: number, end: number, keys: FlowKeys): void {
  if (at + 4 > end) return
  const flags = buf[at]!
  // only version 0 (RFC 2784, 2890) without routing
  if ((buf[at + 1]! & 7) !== 0 || (flags & 0x40) !== 0) return
  const proto = (buf[at + 2]! << 8) | buf[at + 3]!
  const payload =
    at + 4 + ((flags & 0x80) !== 0 ? 4 : 0) + ((flags & 0x20) !== 0 ? 4 : 0) + ((flags & 0x10) !== 0 ? 4 : 0)
  const found =
    proto === 0x0800
      ? dissectIp4(buf, payload, end, keys, true)
      : proto === 0x86dd && dissectIp6(buf, payload, end, keys, true)
  if (found) keys.encapsulated = true
}
