/**
 * Routes for packets: lookups for received and for own packets, the dst objects that packets carry, and what is learned
 * on the way about single destinations: path MTUs (RFC 8201) and redirects (RFC 4861 §8).
 */
import { Errno } from '../../uapi/errno.ts'
import {
  RTN_ANYCAST,
  RTN_BLACKHOLE,
  RTN_LOCAL,
  RTN_NAT,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNREACHABLE,
} from '../../uapi/rtnetlink.ts'
import { IPPROTO_ICMPV6 } from '../../uapi/socket.ts'
import { IFF_L3MDEV_MASTER, IFF_L3MDEV_SLAVE, type NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { RTAX_MTU } from '../ipv4/fib_metrics.ts'
import {
  addrAny,
  addrEqual,
  addrType,
  type In6Addr,
  IPV6_ADDR_LINKLOCAL,
  IPV6_ADDR_LOOPBACK,
  IPV6_ADDR_MULTICAST,
} from './addr.ts'
import { IPV6_DEVCONF_FORWARDING, IPV6_DEVCONF_MTU, ipv6DevconfKey } from './devconf.ts'
import { Fib6Result } from './fib6_result.ts'
import { fib6RuleLookup } from './fib6_rules.ts'
import { fib6NodeLookup } from './fib6_trie.ts'
import {
  FLOWI_FLAG_KNOWN_NH,
  Flowi6,
  RT6_LOOKUP_F_HAS_SADDR,
  RT6_LOOKUP_F_IFACE,
  RT6_LOOKUP_F_IGNORE_LINKSTATE,
  RT6_LOOKUP_F_REACHABLE,
} from './flowi6.ts'
import { in6Dev } from './if_inet6.ts'
import { flowinfoAt, IPV6_MIN_MTU, OFF_DADDR, OFF_NEXTHDR, OFF_SADDR } from './ip6.ts'
import {
  type Fib6,
  type Fib6Info,
  type Fib6Nh,
  type Fib6Table,
  fib6Key,
  RTF_ANYCAST,
  RTF_CACHE,
  RTF_DYNAMIC,
  RTF_EXPIRES,
  RTF_GATEWAY,
  RTF_LOCAL,
  RTF_MODIFIED,
  RTF_NONEXTHOP,
  RTF_REJECT,
  RTF_UP,
} from './ip6_fib.ts'
import { ip6Forward } from './ip6_forward.ts'
import { ip6Input, ip6McInput } from './ip6_input.ts'
import { ip6Output } from './ip6_output.ts'
import { ipv6Key } from './netns_ipv6.ts'
import { nexthopLegs } from './nexthop6.ts'
import {
  ip6Discard,
  ip6DiscardOut,
  ip6PktDiscard,
  ip6PktDiscardOut,
  ip6PktProhibit,
  ip6PktProhibitOut,
} from './route_drop.ts'
import { rt6MultipathHash } from './route_hash.ts'
import { fib6SelectPath, fib6TableLookup, rt6DeviceMatch } from './route_select.ts'
import { Rt6Exceptions, Rt6Info, seconds } from './rt6_info.ts'

/** Largest MTU of the protocol with a jumbo payload option left out, bytes. */
export const IP6_MAX_MTU = 65535 + 40

/** The dst objects of a namespace that stand for "no": used where no route says what to do. */
export interface Rt6Special {
  readonly nullEntry: Rt6Info
  readonly prohibitEntry: Rt6Info
  readonly blackholeEntry: Rt6Info
}

/** Names them: `net.at(rt6SpecialKey)`. */
export const rt6SpecialKey = pernetKey<Rt6Special>('rt6_special')

/** Makes the special entries; they belong to the loopback device. */
export function rt6SpecialInit(net: Net, loopback: NetDevice): void {
  const fib = net.at(fib6Key)
  const make = (error: number, input: typeof ip6Input, output: typeof ip6Output): Rt6Info => {
    const rt = new Rt6Info(fib, loopback, input, output)
    rt.error = error
    rt.rtFlags = RTF_REJECT | RTF_NONEXTHOP
    return rt
  }
  net.set(rt6SpecialKey, {
    nullEntry: make(-Errno.ENETUNREACH, ip6PktDiscard, ip6PktDiscardOut),
    prohibitEntry: make(-Errno.EACCES, ip6PktProhibit, ip6PktProhibitOut),
    blackholeEntry: make(-Errno.EINVAL, ip6Discard, ip6DiscardOut),
  })
}

/** @returns the error that a route of this type gives (negative), 0 for usable types */
export function rtTypeError(type: number): number {
  switch (type) {
    case RTN_BLACKHOLE:
    case RTN_NAT:
      return -Errno.EINVAL
    case RTN_UNREACHABLE:
      return -Errno.EHOSTUNREACH
    case RTN_PROHIBIT:
      return -Errno.EACCES
    case RTN_THROW:
      return -Errno.EAGAIN
    default:
      return 0
  }
}

/** @returns whether a destination means something only on one link: the output device must fit exactly */
export function rt6NeedStrict(daddr: In6Addr): boolean {
  return (addrType(daddr) & (IPV6_ADDR_MULTICAST | IPV6_ADDR_LINKLOCAL | IPV6_ADDR_LOOPBACK)) !== 0
}

/** @returns the device a dst of this route has: local routes use the loopback, or the VRF (ip6_rt_get_dev_rcu) */
function dstDevice(rt: Fib6Info, nh: Fib6Nh, flags: number): NetDevice {
  const { dev } = nh
  if ((flags & (RTF_LOCAL | RTF_ANYCAST)) === 0) return dev
  if ((dev.privFlags & IFF_L3MDEV_SLAVE) !== 0 && !rt6NeedStrict(rt.dst)) return dev.master ?? dev
  return (dev.privFlags & IFF_L3MDEV_MASTER) !== 0 ? dev : dev.net.loopback
}

/** Makes a dst of what a lookup found. */
function makeDst(fib: Fib6, res: Fib6Result): Rt6Info {
  const rt = res.rt!
  const nh = res.nh!
  const dev = dstDevice(rt, nh, res.flags)
  const dst = new Rt6Info(fib, dev, ip6Forward, ip6Output)
  fib.stats.rtAlloc++
  if ((res.flags & RTF_REJECT) !== 0) {
    dst.error = rtTypeError(res.type)
    if (res.type === RTN_BLACKHOLE) {
      dst.input = ip6Discard
      dst.output = ip6DiscardOut
    } else if (res.type === RTN_PROHIBIT) {
      dst.input = ip6PktProhibit
      dst.output = ip6PktProhibitOut
    } else {
      dst.input = ip6PktDiscard
      dst.output = ip6PktDiscardOut
    }
  } else if (res.type === RTN_LOCAL || res.type === RTN_ANYCAST) dst.input = ip6Input
  else if (rt.dst[0] === 0xff && rt.dstLen > 0) dst.input = ip6McInput
  dst.rtFlags = res.flags
  dst.dst = rt.dst
  dst.dstLen = rt.dstLen
  dst.src = rt.src
  dst.srcLen = rt.srcLen
  dst.idev = in6Dev(nh.dev)
  dst.from = rt
  if (nh.gw !== undefined) {
    dst.gateway = nh.gw
    dst.rtFlags = (dst.rtFlags | RTF_GATEWAY) >>> 0
  }
  dst.lastUse = fib.net.kernel.clock.now
  return dst
}

/** A dst for one destination, made from its route (ip6_rt_cache_alloc). */
function cacheAlloc(fib: Fib6, res: Fib6Result, daddr: In6Addr, saddr: In6Addr | undefined): Rt6Info {
  const dst = makeDst(fib, res)
  dst.rtFlags = (dst.rtFlags | RTF_CACHE) >>> 0
  dst.dst = daddr.slice()
  dst.dstLen = 128
  if ((dst.rtFlags & (RTF_GATEWAY | RTF_NONEXTHOP)) === 0) {
    const rt = res.rt!
    if (rt.dstLen !== 128 && addrEqual(rt.dst, daddr)) dst.rtFlags = (dst.rtFlags | RTF_ANYCAST) >>> 0
  }
  if (dst.srcLen > 0 && saddr !== undefined) {
    dst.src = saddr.slice()
    dst.srcLen = 128
  }
  return dst
}

const polRes = new Fib6Result()

/**
 * Looks a flow up in one table and gives a dst (ip6_pol_route).
 * @param oif the output device, or for received packets the input device, that a strict lookup must match
 */
export function ip6PolRoute(
  net: Net,
  table: Fib6Table,
  oif: number,
  fl6: Flowi6,
  skb: SkBuff | undefined,
  flags: number,
): Rt6Info {
  const res = polRes
  let strict = flags & (RT6_LOOKUP_F_IFACE | RT6_LOOKUP_F_IGNORE_LINKSTATE)
  if (net.at(ipv6DevconfKey).all.data[IPV6_DEVCONF_FORWARDING] === 0) strict |= RT6_LOOKUP_F_REACHABLE
  fib6TableLookup(net, table, oif, fl6, res, strict)
  if (res.rt === undefined) return net.at(rt6SpecialKey).nullEntry
  fib6SelectPath(net, res, fl6, oif, false, skb, strict)
  const fib = net.at(fib6Key)
  const cached = findCached(fib, res, fl6.daddr, fl6.saddr)
  if (cached !== undefined) {
    cached.refresh()
    cached.lastUse = net.kernel.clock.now
    return cached
  }
  const nh = res.nh!
  if ((fl6.flags & FLOWI_FLAG_KNOWN_NH) !== 0 && nh.gw === undefined) return cacheAlloc(fib, res, fl6.daddr, undefined)
  return routeDst(fib, res)
}

/** @returns the dst that all packets of a next hop share */
function routeDst(fib: Fib6, res: Fib6Result): Rt6Info {
  const nh = res.nh!
  const rt = nh.rt
  if (rt?.current && rt.from === res.rt) return rt
  const made = makeDst(fib, res)
  if (res.flags === res.rt!.flags) nh.rt = made
  return made
}

/** @returns the same for a route and next hop found otherwise */
export function dstOf(net: Net, rt: Fib6Info, nh: Fib6Nh): Rt6Info {
  polRes.take(rt, nh)
  return routeDst(net.at(fib6Key), polRes)
}

/** @returns what was learned about a destination, if it still holds */
function findCached(fib: Fib6, res: Fib6Result, daddr: In6Addr, saddr: In6Addr | undefined): Rt6Info | undefined {
  const { exceptions } = res.nh!
  if (exceptions === undefined || exceptions.size === 0) return undefined
  const rt = exceptions.find(daddr, res.rt!.srcLen > 0 ? saddr : undefined)
  return rt === undefined || rt.expired(fib.net.kernel.clock.now) ? undefined : rt
}

/** A lookup that only wants to know which route there is (ip6_pol_route_lookup). */
export function ip6PolRouteLookup(
  net: Net,
  table: Fib6Table,
  oif: number,
  fl6: Flowi6,
  _skb: SkBuff | undefined,
  flags: number,
): Rt6Info {
  const res = polRes
  const fib = net.at(fib6Key)
  for (let node = fib6NodeLookup(table.root, fl6.daddr, fl6.saddr); node?.leaf !== undefined; ) {
    rt6DeviceMatch(net, node.leaf, res, fl6.saddr, oif, flags)
    if (res.rt === undefined) break
    const cached = findCached(fib, res, fl6.daddr, fl6.saddr)
    return cached ?? routeDst(fib, res)
  }
  return net.at(rt6SpecialKey).nullEntry
}

const inputFl6 = new Flowi6()

/** Routes a received packet: sets `skb.dst` (ip6_route_input). */
export function ip6RouteInput(skb: SkBuff): void {
  const dev = skb.dev!
  const { net } = dev
  const { buf, networkHeader: at } = skb
  const fl6 = inputFl6.clear()
  fl6.iif = dev.ifindex
  for (let i = 0; i < 16; i++) {
    fl6.daddr[i] = buf[at + OFF_DADDR + i]!
    fl6.saddr[i] = buf[at + OFF_SADDR + i]!
  }
  fl6.flowlabel = flowinfoAt(buf, at)
  fl6.mark = skb.mark
  fl6.proto = buf[at + OFF_NEXTHDR]!
  if (fl6.proto === IPPROTO_ICMPV6) fl6.mpHash = rt6MultipathHash(net, fl6, skb)
  skb.dstDrop()
  skb.dst = ip6RouteInputLookup(net, dev, fl6, skb, RT6_LOOKUP_F_HAS_SADDR)
}

/** Looks up the route of a packet that came in by `dev` (ip6_route_input_lookup). */
export function ip6RouteInputLookup(
  net: Net,
  dev: NetDevice,
  fl6: Flowi6,
  skb: SkBuff | undefined,
  flags: number,
): Rt6Info {
  if (rt6NeedStrict(fl6.daddr)) flags |= RT6_LOOKUP_F_IFACE
  if ((dev.privFlags & IFF_L3MDEV_SLAVE) !== 0 && dev.master !== undefined) fl6.l3mdev = dev.master.ifindex
  return fib6RuleLookup(net, fl6, skb, flags, ip6PolRouteInput)
}

function ip6PolRouteInput(net: Net, table: Fib6Table, fl6: Flowi6, skb: SkBuff | undefined, flags: number): Rt6Info {
  return ip6PolRoute(net, table, fl6.iif, fl6, skb, flags)
}

function ip6PolRouteOutput(net: Net, table: Fib6Table, fl6: Flowi6, skb: SkBuff | undefined, flags: number): Rt6Info {
  return ip6PolRoute(net, table, fl6.oif, fl6, skb, flags)
}

function ip6PolRouteSimple(net: Net, table: Fib6Table, fl6: Flowi6, skb: SkBuff | undefined, flags: number): Rt6Info {
  return ip6PolRouteLookup(net, table, fl6.oif, fl6, skb, flags)
}

/**
 * Looks up the route of an own packet (ip6_route_output_flags).
 * @param boundIf index of the device the socket is bound to, 0 for none
 * @returns a dst; where there is no route, one whose `error` says so
 */
export function ip6RouteOutput(net: Net, boundIf: number, fl6: Flowi6, flags = 0): Rt6Info {
  fl6.iif = net.loopback.ifindex
  const anySrc = addrAny(fl6.saddr)
  if (boundIf !== 0 || rt6NeedStrict(fl6.daddr) || (fl6.oif !== 0 && anySrc)) flags |= RT6_LOOKUP_F_IFACE
  if (!anySrc) flags |= RT6_LOOKUP_F_HAS_SADDR
  return fib6RuleLookup(net, fl6, undefined, flags, ip6PolRouteOutput)
}

const simpleFl6 = new Flowi6()

/** A plain lookup by addresses and device (rt6_lookup). @returns undefined where there is no usable route */
export function rt6Lookup(
  net: Net,
  daddr: In6Addr,
  saddr: In6Addr | undefined,
  oif: number,
  flags: number,
): Rt6Info | undefined {
  const fl6 = simpleFl6.clear()
  fl6.oif = oif
  fl6.daddr.set(daddr)
  if (saddr !== undefined) {
    fl6.saddr.set(saddr)
    flags |= RT6_LOOKUP_F_HAS_SADDR
  }
  const rt = fib6RuleLookup(net, fl6, undefined, flags, ip6PolRouteSimple)
  return rt.error === 0 ? rt : undefined
}

/** @returns the MTU of a route, bytes: learned, set on the route, or the device's */
export function ip6DstMtu(rt: Rt6Info): number {
  const set = rt.pmtu !== 0 ? rt.pmtu : (rt.from?.metrics.raw(RTAX_MTU) ?? 0)
  const { dev } = rt
  if (set !== 0) return Math.min(set, IP6_MAX_MTU)
  const idev = in6Dev(dev)
  return Math.min(idev === undefined ? IPV6_MIN_MTU : idev.cnf.data[IPV6_DEVCONF_MTU]!, IP6_MAX_MTU)
}

/** @returns the MTU that forwarded packets are held against: the device's, unless the route's is locked, bytes */
export function ip6ForwardMtu(rt: Rt6Info): number {
  if (mtuLocked(rt)) {
    const set = rt.from!.metrics.raw(RTAX_MTU)
    if (set !== 0) return set
  }
  return in6Dev(rt.dev)?.cnf.data[IPV6_DEVCONF_MTU] ?? IPV6_MIN_MTU
}

/** @returns whether a route's MTU was locked (`mtu lock`): nothing learned changes it */
export function mtuLocked(rt: Rt6Info): boolean {
  return rt.from?.metrics.locked(RTAX_MTU) ?? false
}

/** The MTU of a route found by a lookup, without anything learned (ip6_mtu_from_fib6). */
function fib6Mtu(res: Fib6Result): number {
  const set = res.rt!.metrics.raw(RTAX_MTU)
  if (set !== 0) return set
  const { dev } = res.nh!
  return Math.min(in6Dev(dev)?.cnf.data[IPV6_DEVCONF_MTU] ?? IPV6_MIN_MTU, IP6_MAX_MTU)
}

const learnRes = new Fib6Result()

/** @returns the route and next hop a dst was made from, in `learnRes` */
function resultOf(rt: Rt6Info): Fib6Result | undefined {
  const { from } = rt
  if (from === undefined) return undefined
  const nh = legOf(from, rt)
  if (nh === undefined) return undefined
  learnRes.take(from, nh)
  return learnRes
}

function legOf(from: Fib6Info, rt: Rt6Info): Fib6Nh | undefined {
  if (from.nhObject === undefined) return from.nh
  return nexthopLegs(from.nhObject).find(
    nh => nh.dev === rt.dev && (nh.gw === undefined || (rt.gateway !== undefined && addrEqual(nh.gw, rt.gateway))),
  )
}

/** Keeps what was learned about a destination. @returns whether it was taken */
function insertException(fib: Fib6, res: Fib6Result, rt: Rt6Info): boolean {
  if (rt.pmtu !== 0 && rt.pmtu >= fib6Mtu(res)) return false
  const nh = res.nh!
  nh.exceptions ??= new Rt6Exceptions()
  fib.stats.rtCache += nh.exceptions.insert(rt)
  // sockets that hold the shared dst must find the new one
  fib.sernum++
  rt.refresh()
  fib.forceGc()
  return true
}

/**
 * A path MTU was reported for a destination behind a route (ip6_rt_update_pmtu).
 * @param mtu bytes @param saddr counts where the route has a source prefix
 */
export function ip6UpdatePmtu(rt: Rt6Info, daddr: In6Addr, saddr: In6Addr | undefined, mtu: number): void {
  if (mtuLocked(rt) || mtu < IPV6_MIN_MTU || mtu >= ip6DstMtu(rt)) return
  const { net } = rt.dev
  const expires = net.kernel.clock.now + seconds(net.at(ipv6Key).routeMtuExpires)
  if ((rt.rtFlags & RTF_CACHE) !== 0) {
    learn(rt, mtu, expires)
    return
  }
  const res = resultOf(rt)
  if (res === undefined) return
  const fib = net.at(fib6Key)
  const made = cacheAlloc(fib, res, daddr, saddr)
  learn(made, mtu, expires)
  insertException(fib, res, made)
}

function learn(rt: Rt6Info, mtu: number, expires: number): void {
  rt.pmtu = mtu
  rt.rtFlags = (rt.rtFlags | RTF_MODIFIED | RTF_EXPIRES) >>> 0
  rt.expires = expires
}

/** A redirect was accepted: packets to `daddr` go by `gateway` from now on. */
export function rt6Redirected(rt: Rt6Info, daddr: In6Addr, gateway: In6Addr, onLink: boolean): void {
  const res = resultOf(rt)
  if (res === undefined) return
  const fib = rt.dev.net.at(fib6Key)
  const made = cacheAlloc(fib, res, daddr, undefined)
  made.rtFlags = RTF_CACHE | RTF_DYNAMIC | RTF_UP | (onLink ? 0 : RTF_GATEWAY)
  made.gateway = gateway.slice()
  insertException(fib, res, made)
}
