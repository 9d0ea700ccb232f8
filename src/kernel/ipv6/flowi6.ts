/** `flowi6`: what a route is chosen by — addresses, devices, mark, ports — and how the lookup is meant. */
import type { FibFlow } from '../core/fib_rules.ts'

/** `oif` and the address must fit: link-local, multicast, or a bound socket (RT6_LOOKUP_F_…). */
export const RT6_LOOKUP_F_IFACE = 0x0001
/** prefer routers that answer (RFC 4191 §3.2) */
export const RT6_LOOKUP_F_REACHABLE = 0x0002
export const RT6_LOOKUP_F_HAS_SADDR = 0x0004
export const RT6_LOOKUP_F_IGNORE_LINKSTATE = 0x0020

/** the next hop is known, see `rt6_nexthop` of raw sockets with a header of their own */
export const FLOWI_FLAG_ANYSRC = 0x01
export const FLOWI_FLAG_KNOWN_NH = 0x02

/** A flow. One object is filled in again and again: its address arrays are its own. */
export class Flowi6 implements FibFlow {
  oif = 0
  iif = 0
  /** index of the l3mdev master */
  l3mdev = 0
  mark = 0
  /** IPPROTO_… */
  proto = 0
  flags = 0
  uid = 0
  /** traffic class and flow label, the header's first word without its version */
  flowlabel = 0
  readonly daddr = new Uint8Array(16)
  readonly saddr = new Uint8Array(16)
  /** ports, host order; for ICMPv6 type and code */
  sport = 0
  dport = 0
  /** 31-bit hash that chooses the leg of a multipath route; 0 not yet computed */
  mpHash = 0
  tunId = 0

  /** Empties it. @returns itself */
  clear(): this {
    this.oif = this.iif = this.l3mdev = this.mark = this.proto = this.flags = this.uid = this.flowlabel = 0
    this.sport = this.dport = this.mpHash = this.tunId = 0
    this.daddr.fill(0)
    this.saddr.fill(0)
    return this
  }
}

/** @returns the traffic class of a flow's `flowlabel` word */
export function tclassOf(flowlabel: number): number {
  return (flowlabel >>> 20) & 0xff
}
