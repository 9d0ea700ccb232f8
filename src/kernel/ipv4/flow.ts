/** `flowi4`: what an IPv4 route is chosen by — addresses, devices, mark, ports — and how the lookup is meant. */

import type { FibFlow } from '../core/fib_rules.ts'

/** any source address will do: the socket is transparent or bound to a foreign address */
export const FLOWI_FLAG_ANYSRC = 0x01
/** the next hop is known and must be the one of the route, see raw sockets with a header of their own */
export const FLOWI_FLAG_KNOWN_NH = 0x02

/** A flow. One object is filled in again and again. Addresses are unsigned numbers in host order. */
export class Flowi4 implements FibFlow {
  oif = 0
  iif = 0
  /** index of the l3mdev master the packet belongs to, see l3mdev */
  l3mdev = 0
  mark = 0
  /** the TOS byte's lookup bits (IPTOS_RT_MASK) */
  tos = 0
  /** RT_SCOPE_…: how far away the destination may be */
  scope = 0
  /** IPPROTO_… */
  proto = 0
  /** FLOWI_FLAG_… */
  flags = 0
  uid = 0
  saddr = 0
  daddr = 0
  /** ports, host order */
  sport = 0
  dport = 0
  icmpType = 0
  icmpCode = 0
  /** id of the tunnel a packet came out of */
  tunId = 0
  /** 31-bit hash that chooses the leg of a multipath route; 0 not yet computed */
  multipathHash = 0

  /** Empties it. @returns itself */
  clear(): this {
    this.oif = this.iif = this.l3mdev = this.mark = this.tos = this.scope = this.proto = this.flags = this.uid = 0
    this.saddr = this.daddr = this.sport = this.dport = this.icmpType = this.icmpCode = 0
    this.tunId = this.multipathHash = 0
    return this
  }

  /** Takes everything over from another. @returns itself */
  assign(from: Flowi4): this {
    this.oif = from.oif
    this.iif = from.iif
    this.l3mdev = from.l3mdev
    this.mark = from.mark
    this.tos = from.tos
    this.scope = from.scope
    this.proto = from.proto
    this.flags = from.flags
    this.uid = from.uid
    this.saddr = from.saddr
    this.daddr = from.daddr
    this.sport = from.sport
    this.dport = from.dport
    this.icmpType = from.icmpType
    this.icmpCode = from.icmpCode
    this.tunId = from.tunId
    this.multipathHash = from.multipathHash
    return this
  }
}
