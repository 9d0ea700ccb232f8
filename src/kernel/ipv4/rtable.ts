/** `rtable`: an IPv4 route as a packet carries it. */

import type { DstEntry } from '../core/dst.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { type DstMetrics, NO_METRICS, RTAX_ADVMSS, RTAX_HOPLIMIT, RTAX_MTU } from './fib_metrics.ts'
import { ipv4Key } from './netns_ipv4.ts'

/** Flags of a route (RTCF_…), the upper bits of rtm_flags in `ip route get`. */
export const RTCF_NOTIFY = 0x00010000
export const RTCF_DIRECTDST = 0x00020000
export const RTCF_REDIRECTED = 0x00040000
export const RTCF_TPROXY = 0x00080000
export const RTCF_FAST = 0x00200000
export const RTCF_MASQ = 0x00400000
export const RTCF_SNAT = 0x00800000
export const RTCF_DOREDIRECT = 0x01000000
export const RTCF_DIRECTSRC = 0x04000000
export const RTCF_DNAT = 0x08000000
export const RTCF_BROADCAST = 0x10000000
export const RTCF_MULTICAST = 0x20000000
export const RTCF_REJECT = 0x40000000
export const RTCF_LOCAL = 0x80000000

/** Flags of the dst (`DstEntry.flags`). */
export const DST_NOPOLICY = 0x0004
export const DST_NOXFRM = 0x0002

/** Largest IPv4 packet, bytes. */
export const IP_MAX_MTU = 0xffff
/** Smallest MTU that IPv4 works with, bytes. */
export const IPV4_MIN_MTU = 68

/** What cached routes of a namespace are checked against. */
export class RtState {
  /** changes when every cached route becomes stale */
  genid = 0
  /** changes when addresses come or go: preferred sources are chosen anew */
  addrGenid = 0
  /** changes when what a next hop's cached routes depend on has changed for one destination */
  fnheGenid = 0
}

/** Names it: `net.at(rtStateKey)`. */
export const rtStateKey = pernetKey<RtState>('ipv4_rt')

/** What a route does with a packet. */
export type DstFunction = (skb: SkBuff) => number

/** An IPv4 route. */
export class Rtable implements DstEntry {
  dev: NetDevice
  error = 0
  /** DST_… */
  flags = 0
  /** when what was learned about the path runs out, ns since boot; 0 never */
  expires = 0
  input: DstFunction
  output: DstFunction
  /** RTCF_… as a signed number; test bits only */
  rtFlags: number
  /** RTN_… */
  type: number
  /** made for a packet that came in */
  isInput = false
  /** index of the device of the route where `dev` is the loopback in its place; 0 otherwise */
  iif = 0
  /** packets go to `gateway` (or `gateway6`), not to their destination */
  usesGateway = false
  /** next hop, host order; 0: the destination itself. Set on uncached routes without a gateway, too */
  gateway = 0
  /** next hop of an IPv4 route by IPv6 (RFC 5549) */
  gateway6: Uint8Array | undefined
  /** a learned path MTU, bytes; 0 none. It holds until `expires` */
  pmtu = 0
  /** the path's MTU is smaller than we believe: fragment at `pmtu` and never set DF */
  mtuLocked = false
  metrics: DstMetrics = NO_METRICS
  /** realms: source << 16 | destination */
  tclassid = 0
  private readonly state: RtState
  private genid: number
  private killed = false

  constructor(dev: NetDevice, rtFlags: number, type: number, input: DstFunction, output: DstFunction) {
    this.dev = dev
    this.rtFlags = rtFlags | 0
    this.type = type
    this.input = input
    this.output = output
    this.state = dev.net.at(rtStateKey)
    this.genid = this.state.genid
  }

  /** The tables have changed since it was made, or it was replaced: look again. */
  get obsolete(): boolean {
    return this.killed || this.genid !== this.state.genid
  }

  /** Makes it stale by itself, as when a redirect or a smaller MTU was learned (DST_OBSOLETE_KILL). */
  kill(): void {
    this.killed = true
  }

  get net(): Net {
    return this.dev.net
  }

  /** @returns the next hop for a destination, host order (rt_nexthop) */
  nexthop(daddr: number): number {
    return this.gateway !== 0 ? this.gateway : daddr
  }

  /** @returns whether a learned path MTU holds now */
  get pmtuValid(): boolean {
    return this.pmtu !== 0 && (this.expires === 0 || this.dev.net.kernel.clock.now < this.expires)
  }

  /** @returns the MTU of the route, bytes: learned, set on the route, or the device's (ipv4_mtu) */
  mtu(): number {
    let mtu = this.pmtuValid ? this.pmtu : this.metrics.raw(RTAX_MTU)
    if (mtu === 0) {
      mtu = this.dev.mtu
      if (this.metrics.locked(RTAX_MTU) && this.usesGateway && mtu > 576) mtu = 576
    }
    return Math.min(mtu, IP_MAX_MTU)
  }

  /** @returns the MSS to announce where the route sets none, bytes (ipv4_default_advmss) */
  advmss(): number {
    const set = this.metrics.raw(RTAX_ADVMSS)
    if (set !== 0) return set
    const header = 40
    const least = this.dev.net.at(ipv4Key).routeMinAdvMss
    return Math.min(Math.max(this.mtu() - header, least), IP_MAX_MTU - header)
  }

  /** @returns a metric (RTAX_…), 0 where none is set; MTU and MSS are worked out, the hop limit falls back to the sysctl */
  metric(rtax: number): number {
    if (rtax === RTAX_MTU) return this.mtu()
    if (rtax === RTAX_ADVMSS) return this.advmss()
    const value = this.metrics.raw(rtax)
    if (rtax === RTAX_HOPLIMIT && value === 0) return this.dev.net.at(ipv4Key).ipDefaultTtl
    return value
  }

  /** @returns whether a metric was locked by the administrator: nothing learned changes it */
  metricLocked(rtax: number): boolean {
    return this.metrics.locked(rtax) || (rtax === RTAX_MTU && this.mtuLocked)
  }
}

/** Makes every cached route of a namespace stale (rt_cache_flush). */
export function rtCacheFlush(net: Net): void {
  net.at(rtStateKey).genid++
}

/** Forgets what was learned about destinations, too: what writing /proc/sys/net/ipv4/route/flush does. */
export function rtCacheFlushAll(net: Net): void {
  const state = net.at(rtStateKey)
  state.genid++
  state.fnheGenid++
}
