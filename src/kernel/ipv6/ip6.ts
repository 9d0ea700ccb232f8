/** The IPv6 header (RFC 8200 §3) and the headers that follow it, read and written in place in a packet's buffer. */
import {
  IPPROTO_AH,
  IPPROTO_DSTOPTS,
  IPPROTO_FRAGMENT,
  IPPROTO_HOPOPTS,
  IPPROTO_NONE,
  IPPROTO_ROUTING,
} from '../../uapi/socket.ts'

/** Length of the fixed header, bytes. */
export const IPV6_HLEN = 40
/** The smallest MTU a link may have (RFC 8200 §5), bytes. */
export const IPV6_MIN_MTU = 1280
/** Largest payload without a jumbo option, bytes. */
export const IPV6_MAXPLEN = 65535
/** Hop limit where nothing else is said. */
export const IPV6_DEFAULT_HOPLIMIT = 64
/** Length of the fragment header, bytes. */
export const FRAG_HLEN = 8

/** Offsets in the header. */
export const OFF_PAYLOAD_LEN = 4
export const OFF_NEXTHDR = 6
export const OFF_HOP_LIMIT = 7
export const OFF_SADDR = 8
export const OFF_DADDR = 24

/** @returns the 16-bit number at `at`, network order */
export function get16(buf: Uint8Array, at: number): number {
  return (buf[at]! << 8) | buf[at + 1]!
}

/** Writes a 16-bit number in network order. */
export function put16(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value >> 8
  buf[at + 1] = value & 0xff
}

/** @returns the 32-bit number at `at`, network order, unsigned */
export function get32(buf: Uint8Array, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0
}

/** Writes a 32-bit number in network order. */
export function put32(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value >>> 24
  buf[at + 1] = (value >>> 16) & 0xff
  buf[at + 2] = (value >>> 8) & 0xff
  buf[at + 3] = value & 0xff
}

/** @returns traffic class and flow label: the first word without the version */
export function flowinfoAt(buf: Uint8Array, at: number): number {
  return get32(buf, at) & 0x0fffffff
}

/** @returns the traffic class of the header at `at` */
export function tclassAt(buf: Uint8Array, at: number): number {
  return ((buf[at]! & 0x0f) << 4) | (buf[at + 1]! >> 4)
}

/** Writes a whole header. @param flowinfo traffic class and flow label @param payloadLen bytes after the header */
export function putHeader(
  buf: Uint8Array,
  at: number,
  flowinfo: number,
  payloadLen: number,
  nexthdr: number,
  hopLimit: number,
  saddr: Uint8Array,
  daddr: Uint8Array,
): void {
  put32(buf, at, 0x60000000 | (flowinfo & 0x0fffffff))
  put16(buf, at + OFF_PAYLOAD_LEN, payloadLen > IPV6_MAXPLEN ? 0 : payloadLen)
  buf[at + OFF_NEXTHDR] = nexthdr
  buf[at + OFF_HOP_LIMIT] = hopLimit
  for (let i = 0; i < 16; i++) {
    buf[at + OFF_SADDR + i] = saddr[i]!
    buf[at + OFF_DADDR + i] = daddr[i]!
  }
}

/** @returns whether a header of this number is followed by another (ipv6_ext_hdr) */
export function isExtHdr(nexthdr: number): boolean {
  return (
    nexthdr === IPPROTO_HOPOPTS ||
    nexthdr === IPPROTO_ROUTING ||
    nexthdr === IPPROTO_FRAGMENT ||
    nexthdr === IPPROTO_AH ||
    nexthdr === IPPROTO_NONE ||
    nexthdr === IPPROTO_DSTOPTS
  )
}

/** What `skipExtHdrs` has found; one object, valid until the next call. */
export const extHdr = {
  /** the first header that is no extension */
  nexthdr: 0,
  /** where it begins, or -1 where the packet ends before */
  offset: 0,
  /** fragment offset and flags as in the fragment header, 0 without one */
  fragOff: 0,
}

/**
 * Walks over extension headers to the upper layer's (ipv6_skip_exthdr). It stops at a fragment that is not the first.
 * @param start where the first header after the fixed one begins @param end where the packet ends
 * @returns `extHdr`
 */
export function skipExtHdrs(buf: Uint8Array, start: number, end: number, nexthdr: number): typeof extHdr {
  extHdr.fragOff = 0
  let at = start
  while (isExtHdr(nexthdr)) {
    if (nexthdr === IPPROTO_NONE || at + 8 > end) return fail(nexthdr)
    let len: number
    if (nexthdr === IPPROTO_FRAGMENT) {
      extHdr.fragOff = get16(buf, at + 2)
      if ((extHdr.fragOff & ~7) !== 0) break
      len = 8
    } else if (nexthdr === IPPROTO_AH) len = (buf[at + 1]! + 2) << 2
    else len = (buf[at + 1]! + 1) << 3
    nexthdr = buf[at]!
    at += len
  }
  extHdr.nexthdr = nexthdr
  extHdr.offset = at
  return extHdr
}

function fail(nexthdr: number): typeof extHdr {
  extHdr.nexthdr = nexthdr
  extHdr.offset = -1
  return extHdr
}
