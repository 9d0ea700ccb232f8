/** IPv6's part of an skb's control block (`inet6_skb_parm`): bits of `SkBuff.cbFlags` and what goes with them. */
import type { SkBuff } from '../core/skbuff.ts'

export const IP6SKB_FORWARDED = 0x02
export const IP6SKB_REROUTED = 0x04
export const IP6SKB_ROUTERALERT = 0x08
export const IP6SKB_FRAGMENTED = 0x10
export const IP6SKB_HOPBYHOP = 0x20
export const IP6SKB_L3SLAVE = 0x40
export const IP6SKB_JUMBOGRAM = 0x80
/** the router alert is for another protocol than MLD */
export const IP6SKB_RA_OTHER = 0x0800
/** a source route of type 0 or another routing header has been followed */
export const IP6SKB_SRCRT = 0x0400
/** the sender's socket lets its packets be fragmented (`ignore_df`) */
export const IP6SKB_IGNORE_DF = 0x1000
/** a multicast packet must not come back to the own host (IPV6_MULTICAST_LOOP off) */
export const IP6SKB_NO_MC_LOOP = 0x2000

/** the sender probes the path: the device's MTU counts, not what was learned (IPV6_PMTUDISC_PROBE) */
export const IP6SKB_PMTU_PROBE = 0x4000

/** it has waited in the queue of proxied solicitations */
export const IP6SKB_LOCALLY_ENQUEUED = 0x8000

/** Where the number of the next header stands, from the network header: kept above the flags. */
const NHOFF_SHIFT = 16

/** @returns offset of the byte that names the current header, from the network header */
export function nhoffOf(cbFlags: number): number {
  return cbFlags >>> NHOFF_SHIFT
}

/** @returns the flags with another such offset */
export function withNhoff(cbFlags: number, nhoff: number): number {
  return ((cbFlags & 0xffff) | (nhoff << NHOFF_SHIFT)) >>> 0
}

/** @returns index of the device a packet came in by, or of its L3 master (inet6_iif) */
export function inet6Iif(skb: SkBuff): number {
  return (skb.cbFlags & IP6SKB_L3SLAVE) !== 0 ? skb.iif : skb.cbIif
}

/** @returns index of the port of an L3 master it came in by, 0 for none (inet6_sdif) */
export function inet6Sdif(skb: SkBuff): number {
  return (skb.cbFlags & IP6SKB_L3SLAVE) !== 0 ? skb.cbIif : 0
}
