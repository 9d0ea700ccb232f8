/**
 * IPv4 options (RFC 791 §3.1): reading those of a received packet or of a socket, putting them into a header, echoing
 * them in an answer, and what forwarding does to them — record route, timestamp, source routes, router alert (RFC 2113).
 */
import { Errno } from '../../uapi/errno.ts'
import { RTN_LOCAL, RTN_UNICAST } from '../../uapi/rtnetlink.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { PACKET_HOST, type SkBuff } from '../core/skbuff.ts'
import { inetAddrType } from './fib_lookup.ts'
import { fibComputeSpecDst } from './fib_validate.ts'
import { icmpSend } from './icmp.ts'
import { ICMP_PARAMETERPROB } from './icmp_types.ts'
import { get32, IP_HLEN, ipSendCheck, OFF_DADDR, OFF_SADDR, OFF_TOS, put32 } from './ip.ts'
import { ipRouteInput, ipRtGetSource, type Rtable } from './route.ts'

export const IPOPT_END = 0
export const IPOPT_NOOP = 1
export const IPOPT_RR = 7
export const IPOPT_TIMESTAMP = 68
export const IPOPT_LSRR = 131
export const IPOPT_SSRR = 137
export const IPOPT_RA = 148
/** the option is copied into every fragment */
const IPOPT_COPY = 0x80

/** Kinds of timestamps, the low four bits of the option's flags. */
const IPOPT_TS_TSONLY = 0
const IPOPT_TS_TSANDADDR = 1
const IPOPT_TS_PRESPEC = 3

/** Most bytes there can be. */
export const IP_MAX_OPTLEN = 40

/** What is known of a packet's or socket's options. Offsets count from the beginning of the header, 0: not there. */
export class IpOptions {
  /** bytes, a multiple of 4 */
  optlen = 0
  /** source route: where it is, its first hop, the next one */
  srr = 0
  faddr = 0
  nexthop = 0
  isStrictroute = false
  srrIsHit = false
  rr = 0
  ts = 0
  routerAlert = 0
  /** the header must get a new checksum */
  isChanged = false
  rrNeedaddr = false
  tsNeedtime = false
  tsNeedaddr = false
  /** the bytes, for options that are to be sent: as in a header, with 20 bytes in front */
  readonly data = new Uint8Array(IP_HLEN + IP_MAX_OPTLEN)

  /** Empties it. @returns itself */
  clear(): this {
    this.optlen = this.srr = this.faddr = this.nexthop = this.rr = this.ts = this.routerAlert = 0
    this.isStrictroute = this.srrIsHit = this.isChanged = false
    this.rrNeedaddr = this.tsNeedtime = this.tsNeedaddr = false
    return this
  }
}

/** @returns the options of a received packet, undefined where it has none */
export function skbOptions(skb: SkBuff): IpOptions | null {
  return skb.cbOptions as IpOptions | null
}

/** @returns milliseconds since midnight UT (inet_current_timestamp) */
export function inetCurrentTimestamp(net: Net): number {
  return Math.floor(net.kernel.realtime / 1e6) % 86400000
}

/** Where the last option that could not be read is, for the parameter problem message. */
let badPointer = 0

function bad(pointer: number): number {
  badPointer = pointer
  return -Errno.EINVAL
}

/**
 * Reads options and fills in what this host adds (__ip_options_compile). `opt.optlen` is set.
 * @param buf holds the header at `iph` @param skb the received packet, null for options that a program gives
 * @param capable a program's options may be of any kind
 * @returns 0 or -EINVAL
 */
function compile(net: Net, opt: IpOptions, buf: Uint8Array, iph: number, skb: SkBuff | null, capable: boolean): number {
  let at = iph + IP_HLEN
  let left = opt.optlen
  while (left > 0) {
    const kind = buf[at]!
    if (kind === IPOPT_END) {
      for (at++, left--; left > 0; at++, left--)
        if (buf[at] !== IPOPT_END) {
          buf[at] = IPOPT_END
          opt.isChanged = true
        }
      return 0
    }
    if (kind === IPOPT_NOOP) {
      at++
      left--
      continue
    }
    if (left < 2) return bad(at - iph)
    const len = buf[at + 1]!
    if (len < 2 || len > left) return bad(at - iph)
    let rc = 0
    switch (kind) {
      case IPOPT_SSRR:
      case IPOPT_LSRR:
        rc = compileSourceRoute(opt, buf, iph, at, len, skb)
        break
      case IPOPT_RR:
        rc = compileRecordRoute(opt, buf, iph, at, len, skb)
        break
      case IPOPT_TIMESTAMP:
        rc = compileTimestamp(net, opt, buf, iph, at, len, skb, capable)
        break
      case IPOPT_RA:
        if (len < 4) return bad(at + 1 - iph)
        if (buf[at + 2] === 0 && buf[at + 3] === 0) opt.routerAlert = at - iph
        break
      default:
        if (skb === null && !capable) return bad(at - iph)
    }
    if (rc < 0) return rc
    at += len
    left -= len
  }
  return 0
}

function compileSourceRoute(
  opt: IpOptions,
  buf: Uint8Array,
  iph: number,
  at: number,
  len: number,
  skb: SkBuff | null,
): number {
  if (len < 3) return bad(at + 1 - iph)
  if (buf[at + 2]! < 4) return bad(at + 2 - iph)
  // RFC 1812 §5.2.4.1: only one
  if (opt.srr !== 0) return bad(at - iph)
  if (skb === null) {
    if (buf[at + 2] !== 4 || len < 7 || ((len - 3) & 3) !== 0) return bad(at + 1 - iph)
    opt.faddr = get32(buf, at + 3)
    if (len > 7) buf.copyWithin(at + 3, at + 7, at + len)
  }
  opt.isStrictroute = buf[at] === IPOPT_SSRR
  opt.srr = at - iph
  return 0
}

function compileRecordRoute(
  opt: IpOptions,
  buf: Uint8Array,
  iph: number,
  at: number,
  len: number,
  skb: SkBuff | null,
): number {
  if (opt.rr !== 0) return bad(at - iph)
  if (len < 3) return bad(at + 1 - iph)
  const pointer = buf[at + 2]!
  if (pointer < 4) return bad(at + 2 - iph)
  if (pointer <= len) {
    if (pointer + 3 > len) return bad(at + 2 - iph)
    if (skb !== null && skb.dst !== null) {
      put32(buf, at + pointer - 1, fibComputeSpecDst(skb))
      opt.isChanged = true
    }
    buf[at + 2] = pointer + 4
    opt.rrNeedaddr = true
  }
  opt.rr = at - iph
  return 0
}

function compileTimestamp(
  net: Net,
  opt: IpOptions,
  buf: Uint8Array,
  iph: number,
  at: number,
  len: number,
  skb: SkBuff | null,
  capable: boolean,
): number {
  if (opt.ts !== 0) return bad(at - iph)
  if (len < 4) return bad(at + 1 - iph)
  const pointer = buf[at + 2]!
  if (pointer < 5) return bad(at + 2 - iph)
  const kind = buf[at + 3]! & 0xf
  if (pointer <= len) {
    if (pointer + 3 > len) return bad(at + 2 - iph)
    let timeAt = -1
    if (kind === IPOPT_TS_TSONLY) {
      if (skb !== null) timeAt = at + pointer - 1
      opt.tsNeedtime = true
      buf[at + 2] = pointer + 4
    } else if (kind === IPOPT_TS_TSANDADDR || kind === IPOPT_TS_PRESPEC) {
      if (pointer + 7 > len) return bad(at + 2 - iph)
      let mine = true
      if (kind === IPOPT_TS_TSANDADDR) {
        if (skb !== null && skb.dst !== null) {
          put32(buf, at + pointer - 1, fibComputeSpecDst(skb))
          timeAt = at + pointer + 3
        }
        opt.tsNeedaddr = true
      } else {
        mine = inetAddrType(net, get32(buf, at + pointer - 1)) !== RTN_UNICAST
        if (mine && skb !== null) timeAt = at + pointer + 3
      }
      if (mine) {
        opt.tsNeedtime = true
        buf[at + 2] = pointer + 8
      }
    } else if (skb === null && !capable) return bad(at + 3 - iph)
    if (timeAt >= 0) {
      put32(buf, timeAt, inetCurrentTimestamp(net))
      opt.isChanged = true
    }
  } else if (kind !== IPOPT_TS_PRESPEC) {
    // no room: count those who could not add theirs
    const overflow = buf[at + 3]! >> 4
    if (overflow === 15) return bad(at + 3 - iph)
    if (skb !== null) {
      buf[at + 3] = kind | ((overflow + 1) << 4)
      opt.isChanged = true
    }
  }
  opt.ts = at - iph
  return 0
}

/** Reads a received packet's options; a bad one is answered with a parameter problem (ip_options_compile). */
export function ipOptionsCompile(net: Net, opt: IpOptions, skb: SkBuff): number {
  const rc = compile(net, opt, skb.buf, skb.networkHeader, skb, false)
  if (rc < 0) icmpSend(skb, ICMP_PARAMETERPROB, 0, (badPointer << 24) >>> 0)
  return rc
}

/** Reads the options of a packet that is about to be answered with an error, telling nobody (__ip_options_compile). */
export function ipOptionsCompileQuietly(net: Net, opt: IpOptions, skb: SkBuff): number {
  return compile(net, opt, skb.buf, skb.networkHeader, skb, false)
}

/**
 * Reads options that a program gives (ip_options_get). @param capable it has CAP_NET_RAW
 * @returns -EINVAL for bad ones or more than 40 bytes
 */
export function ipOptionsGet(net: Net, bytes: Uint8Array, capable: boolean): IpOptions | number {
  if (bytes.length > IP_MAX_OPTLEN) return -Errno.EINVAL
  const opt = new IpOptions()
  opt.data.set(bytes, IP_HLEN)
  opt.optlen = (bytes.length + 3) & ~3
  return opt.optlen !== 0 && compile(net, opt, opt.data, 0, null, capable) < 0 ? -Errno.EINVAL : opt
}

/** Puts options into the header of a packet that is being built (ip_options_build). @param daddr the final destination */
export function ipOptionsBuild(skb: SkBuff, opt: IpOptions, daddr: number, rt: Rtable): void {
  const { buf, networkHeader: iph } = skb
  for (let i = 0; i < opt.optlen; i++) buf[iph + IP_HLEN + i] = opt.data[IP_HLEN + i]!
  skb.cbOptions = opt
  if (opt.srr !== 0) put32(buf, iph + opt.srr + buf[iph + opt.srr + 1]! - 4, daddr)
  if (opt.rrNeedaddr) put32(buf, iph + opt.rr + buf[iph + opt.rr + 2]! - 5, ipRtGetSource(skb, rt))
  if (opt.tsNeedaddr) put32(buf, iph + opt.ts + buf[iph + opt.ts + 2]! - 9, ipRtGetSource(skb, rt))
  if (opt.tsNeedtime) put32(buf, iph + opt.ts + buf[iph + opt.ts + 2]! - 5, inetCurrentTimestamp(rt.dev.net))
}

/**
 * Makes the options of an answer from those of a packet (__ip_options_echo): what was recorded goes on being recorded,
 * a source route is turned round.
 * @param dopt filled in @returns 0 or -EINVAL
 */
export function ipOptionsEcho(net: Net, dopt: IpOptions, skb: SkBuff, sopt: IpOptions | null): number {
  dopt.clear()
  if (sopt === null || sopt.optlen === 0) return 0
  const { buf, networkHeader: iph } = skb
  const { data } = dopt
  let at = IP_HLEN
  if (sopt.rr !== 0) {
    const len = buf[iph + sopt.rr + 1]!
    const pointer = buf[iph + sopt.rr + 2]!
    dopt.rr = at
    data.set(buf.subarray(iph + sopt.rr, iph + sopt.rr + len), at)
    if (sopt.rrNeedaddr && pointer <= len) {
      if (pointer + 3 > len) return -Errno.EINVAL
      data[at + 2] = pointer + 4
      dopt.rrNeedaddr = true
    }
    at += len
  }
  if (sopt.ts !== 0) {
    const len = buf[iph + sopt.ts + 1]!
    dopt.ts = at
    data.set(buf.subarray(iph + sopt.ts, iph + sopt.ts + len), at)
    if (!echoTimestamp(net, dopt, sopt, at, len, buf[iph + sopt.ts + 2]!)) return -Errno.EINVAL
    at += len
  }
  if (sopt.srr !== 0) at += echoSourceRoute(dopt, sopt, buf, iph, at)
  while ((at & 3) !== 0) data[at++] = IPOPT_END
  dopt.optlen = at - IP_HLEN
  return 0
}

function echoTimestamp(net: Net, dopt: IpOptions, sopt: IpOptions, at: number, len: number, pointer: number): boolean {
  const { data } = dopt
  if (pointer > len) return true
  if (sopt.tsNeedaddr) {
    if (pointer + 3 > len) return false
    dopt.tsNeedaddr = true
    pointer += 4
  }
  if (sopt.tsNeedtime) {
    if (pointer + 3 > len) return false
    if ((data[at + 3]! & 0xf) !== IPOPT_TS_PRESPEC) {
      dopt.tsNeedtime = true
      pointer += 4
    } else if (pointer + 7 <= len && inetAddrType(net, get32(data, at + pointer - 1)) !== RTN_UNICAST) {
      dopt.tsNeedtime = true
      pointer += 8
    }
  }
  data[at + 2] = pointer
  return true
}

/** Turns a source route round. @returns bytes it takes in the answer */
function echoSourceRoute(dopt: IpOptions, sopt: IpOptions, buf: Uint8Array, iph: number, at: number): number {
  const { data } = dopt
  const start = iph + sopt.srr
  const len = buf[start + 1]!
  let from = buf[start + 2]!
  let to = 0
  let faddr = 0
  if (from > len) from = len + 1
  from -= 4
  if (from > 3) {
    faddr = get32(buf, start + from - 1)
    for (from -= 4, to = 4; from > 3; from -= 4, to += 4) put32(data, at + to - 1, get32(buf, start + from - 1))
    // RFC 1812: a route that begins with the sender itself is mended
    if (get32(buf, iph + OFF_SADDR) === get32(buf, start + from + 3)) to -= 4
  }
  if (to <= 3) return 0
  dopt.faddr = faddr
  data[at] = buf[start]!
  data[at + 1] = to + 3
  data[at + 2] = 4
  dopt.srr = at
  dopt.isStrictroute = sopt.isStrictroute
  return to + 3
}

/** Blanks the options that belong only into the first fragment, for those that follow (ip_options_fragment). */
export function ipOptionsFragment(opt: IpOptions, buf: Uint8Array, iph: number): void {
  let at = iph + IP_HLEN
  let left = opt.optlen
  while (left > 0) {
    const kind = buf[at]!
    if (kind === IPOPT_END) break
    if (kind === IPOPT_NOOP) {
      at++
      left--
      continue
    }
    const len = buf[at + 1]!
    if (len < 2 || len > left) break
    if ((kind & IPOPT_COPY) === 0) buf.fill(IPOPT_NOOP, at, at + len)
    at += len
    left -= len
  }
}

/** Gives a socket's options back as the program gave them (ip_options_undo). @returns the bytes */
export function ipOptionsUndo(opt: IpOptions): Uint8Array {
  const data = opt.data.slice(0, IP_HLEN + opt.optlen)
  if (opt.srr !== 0) {
    const at = opt.srr
    data.copyWithin(at + 7, at + 3, at + data[at + 1]! - 4)
    put32(data, at + 3, opt.faddr)
  }
  if (opt.rrNeedaddr) takeBack(data, opt.rr, 4, 4)
  if (opt.ts !== 0) {
    if (opt.tsNeedtime) takeBack(data, opt.ts, 4, (data[opt.ts + 3]! & 0xf) === IPOPT_TS_PRESPEC ? 8 : 4)
    if (opt.tsNeedaddr) takeBack(data, opt.ts, 4, 4)
  }
  return data.subarray(IP_HLEN)
}

function takeBack(data: Uint8Array, at: number, blank: number, step: number): void {
  data[at + 2]! -= blank
  const pointer = data[at + 2]!
  data.fill(0, at + pointer - 1, at + pointer - 1 + blank)
  data[at + 2]! -= step - blank
}

/** Adds this router's address to the options of a packet that is forwarded (ip_forward_options). */
export function ipForwardOptions(skb: SkBuff, opt: IpOptions): void {
  const rt = skb.dst as Rtable
  const { buf, networkHeader: iph } = skb
  if (opt.rrNeedaddr) {
    put32(buf, iph + opt.rr + buf[iph + opt.rr + 2]! - 5, ipRtGetSource(skb, rt))
    opt.isChanged = true
  }
  if (opt.srrIsHit) {
    const at = iph + opt.srr
    const space = buf[at + 1]!
    let pointer = buf[at + 2]!
    while (pointer + 3 <= space && get32(buf, at + pointer - 1) !== opt.nexthop) pointer += 4
    if (pointer + 3 <= space) {
      opt.isChanged = true
      put32(buf, iph + OFF_DADDR, opt.nexthop)
      put32(buf, at + pointer - 1, ipRtGetSource(skb, rt))
      buf[at + 2] = pointer + 4
    }
    if (opt.tsNeedaddr) {
      put32(buf, iph + opt.ts + buf[iph + opt.ts + 2]! - 9, ipRtGetSource(skb, rt))
      opt.isChanged = true
    }
  }
  if (opt.isChanged) {
    opt.isChanged = false
    ipSendCheck(buf, iph)
  }
}

/**
 * Follows a source route that leads through this host (ip_options_rcv_srr).
 * @returns 0, or a negative error: the packet is to be dropped
 */
export function ipOptionsRcvSrr(skb: SkBuff, dev: NetDevice, opt: IpOptions): number {
  const rt = skb.dst as Rtable
  const { buf, networkHeader: iph } = skb
  if (skb.pktType !== PACKET_HOST) return -Errno.EINVAL
  if (rt.type === RTN_UNICAST) {
    if (!opt.isStrictroute) return 0
    icmpSend(skb, ICMP_PARAMETERPROB, 0, 16 << 24)
    return -Errno.EINVAL
  }
  if (rt.type !== RTN_LOCAL) return -Errno.EINVAL
  const at = iph + opt.srr
  const space = buf[at + 1]!
  let pointer = buf[at + 2]!
  let nexthop = 0
  for (; pointer <= space; pointer += 4) {
    if (pointer + 3 > space) {
      icmpSend(skb, ICMP_PARAMETERPROB, 0, ((opt.srr + 2) << 24) >>> 0)
      return -Errno.EINVAL
    }
    nexthop = get32(buf, at + pointer - 1)
    skb.dst = null
    const rc = ipRouteInput(skb, nexthop, get32(buf, iph + OFF_SADDR), buf[iph + OFF_TOS]!, dev)
    const next = skb.dst as Rtable | null
    if (rc < 0 || next === null || (next.type !== RTN_UNICAST && next.type !== RTN_LOCAL)) {
      skb.dst = rt
      return -Errno.EINVAL
    }
    if (next.type !== RTN_LOCAL) break
    // the next hop is this host as well
    put32(buf, iph + OFF_DADDR, nexthop)
    opt.isChanged = true
  }
  if (pointer <= space) {
    opt.srrIsHit = true
    opt.nexthop = nexthop
    opt.isChanged = true
  }
  return 0
}
