/** The IPv4 header (RFC 791), read and written in place in a packet's buffer. */
import { ipFastCsum } from './checksum.ts'

/** Length without options, and with as many as there can be, bytes. */
export const IP_HLEN = 20
export const IP_MAX_HLEN = 60

/** Offsets in the header. */
export const OFF_TOS = 1
export const OFF_TOT_LEN = 2
export const OFF_ID = 4
export const OFF_FRAG_OFF = 6
export const OFF_TTL = 8
export const OFF_PROTOCOL = 9
export const OFF_CHECK = 10
export const OFF_SADDR = 12
export const OFF_DADDR = 16

/** Bits of the fragment field. */
export const IP_DF = 0x4000
export const IP_MF = 0x2000
export const IP_OFFSET = 0x1fff

/** Bits of the TOS byte that routes are looked up by, and those of ECN (RFC 3168). */
export const IPTOS_RT_MASK = 0x1c
export const IPTOS_TOS_MASK = 0x1e
export const INET_ECN_MASK = 3

/** Flags of `skb.cbFlags` on its way through IPv4 (IPCB(skb)->flags). */
export const IPSKB_FORWARDED = 1 << 0
export const IPSKB_FRAG_COMPLETE = 1 << 3
export const IPSKB_REROUTED = 1 << 4
export const IPSKB_DOREDIRECT = 1 << 5
/** the reassembled packet's largest fragment had DF set */
export const IPSKB_FRAG_PMTU = 1 << 6
/** came in by a port of an L3 master */
export const IPSKB_L3SLAVE = 1 << 7
export const IPSKB_NOPOLICY = 1 << 8
export const IPSKB_MULTIPATH = 1 << 9
/** the sender wants it fragmented here even though DF is set (skb->ignore_df) */
export const IPSKB_IGNORE_DF = 1 << 16
/** the sender does not use what was learned of the path's MTU (IP_PMTUDISC_PROBE, _INTERFACE) */
export const IPSKB_NO_PMTU = 1 << 17
/** the own host gets no copy of this multicast packet (IP_MULTICAST_LOOP off) */
export const IPSKB_NO_MC_LOOP = 1 << 18

/** @returns the 16-bit number at `at`, network order */
export function get16(buf: Uint8Array, at: number): number {
  return (buf[at]! << 8) | buf[at + 1]!
}

/** Writes a 16-bit number in network order. */
export function put16(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value >> 8
  buf[at + 1] = value
}

/** @returns the 32-bit number at `at`, network order, unsigned */
export function get32(buf: Uint8Array, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0
}

/** Writes a 32-bit number in network order. */
export function put32(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value >>> 24
  buf[at + 1] = value >>> 16
  buf[at + 2] = value >>> 8
  buf[at + 3] = value
}

/** Stores the header checksum (ip_send_check). */
export function ipSendCheck(buf: Uint8Array, at: number): void {
  buf[at + OFF_CHECK] = 0
  buf[at + OFF_CHECK + 1] = 0
  put16(buf, at + OFF_CHECK, ipFastCsum(buf, at, buf[at]! & 15))
}

/** @returns whether a header is that of a fragment */
export function ipIsFragment(buf: Uint8Array, at: number): boolean {
  return (get16(buf, at + OFF_FRAG_OFF) & (IP_MF | IP_OFFSET)) !== 0
}

/** Takes one from the TTL and keeps the checksum right (ip_decrease_ttl). */
export function ipDecreaseTtl(buf: Uint8Array, at: number): void {
  let check = get16(buf, at + OFF_CHECK) + 0x100
  if (check >= 0xffff) check = (check + 1) & 0xffff
  put16(buf, at + OFF_CHECK, check)
  buf[at + OFF_TTL]!--
}

/** Priorities of the eight TOS classes (rt_tos2priority). */
const TOS2PRIO = [0, 1, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4]

/** @returns the packet priority a TOS byte asks for (rt_tos2priority) */
export function rtTos2priority(tos: number): number {
  return TOS2PRIO[(tos & IPTOS_TOS_MASK) >> 1]!
}
