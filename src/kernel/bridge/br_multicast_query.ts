/** Queries: those heard from other queriers, and those a bridge sends where it is made one. */
import { ETH_P_IP, ETH_P_IPV6 } from '../../uapi/if.ts'
import { IFA_F_TENTATIVE, RT_SCOPE_LINK } from '../../uapi/rtnetlink.ts'
import { HZ, TICK_NSEC, Timer } from '../core/clock.ts'
import { ETH_HLEN, ethTypeTrans } from '../core/ethernet.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { csumFold, csumPartial, ipFastCsum } from '../ipv4/checksum.ts'
import { inetSelectAddr } from '../ipv4/devinet_select.ts'
import { csumPseudoAddrs } from '../ipv6/checksum.ts'
import { ipv6GetLladdr } from '../ipv6/inet6_addr.ts'
import {
  BR_STATE_BLOCKING,
  BR_STATE_DISABLED,
  BROPT_MULTICAST_ENABLED,
  BROPT_MULTICAST_QUERY_USE_IFADDR,
  type NetBridge,
  type NetBridgePort,
} from './br.ts'
import { markRouter } from './br_multicast.ts'
import type { OwnQuery, SnoopFamily } from './br_multicast_ctx.ts'

const IGMP_QUERY = 0x11
const MLD_QUERY = 130
/** Number of queries after which a silent member is gone (IGMPv3 QRV). */
const ROBUSTNESS = 2

/** An address family of snooping. */
export type Family = 4 | 6

function familyOf(br: NetBridge, family: Family): SnoopFamily {
  return family === 4 ? br.multicast.ip4 : br.multicast.ip6
}

function less(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]!
  return false
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every(byte => byte === 0)
}

/** @returns whether a querier is the one to listen to: the lowest address wins (br_multicast_select_querier) */
function selectQuerier(family: SnoopFamily, address: Uint8Array): boolean {
  const current = family.querier
  const free = !family.own.timer.pending && !family.other.timer.pending
  if (!free && current !== undefined && !isZero(current) && less(current, address)) return false
  family.querier = address
  return true
}

/**
 * A query came in (br_ip4_multicast_query, br_ip6_multicast_query).
 * @param source address of its sender @param bytes the IGMP or MLD message
 */
export function brMulticastQuery(
  br: NetBridge,
  port: NetBridgePort | undefined,
  source: Uint8Array,
  bytes: Uint8Array,
  vid: number,
): void {
  const ctx = br.multicast
  if (!br.dev.running || port?.state === BR_STATE_DISABLED) return
  const family = source.length === 4 ? ctx.ip4 : ctx.ip6
  const group = source.length === 4 ? bytes.subarray(4, 8) : bytes.subarray(8, 24)
  // tenths of a second in IGMP, milliseconds in MLD
  const delay =
    source.length === 4
      ? Math.floor(((bytes[1] === 0 ? 100 : bytes[1]!) * HZ) / 10)
      : Math.max(1, Math.floor((((bytes[4]! << 8) | bytes[5]!) * HZ) / 1000))
  const { clock } = br.dev.net.kernel
  if (isZero(group)) {
    if (selectQuerier(family, source)) {
      if (!family.other.timer.pending) family.other.delayTime = clock.now + delay * TICK_NSEC
      br.mod(family.other.timer, ctx.querierInterval)
    }
    markRouter(br, port, family)
    return
  }
  const entry = ctx.mdb.find(group, 0, group.length, vid)
  if (entry === undefined) return
  const wait = delay * ctx.lastMemberCount
  const shorten = (timer: Timer): void => {
    if (timer.pending && timer.expires > clock.now + wait * TICK_NSEC) br.mod(timer, wait)
  }
  if (entry.hostJoined) shorten(entry.hostTimer)
  for (const each of entry.ports) shorten(each.timer)
}

function igmpQuery(br: NetBridge): SkBuff {
  const ctx = br.multicast
  const { dev } = br
  const { kernel } = dev.net
  const length = ctx.igmpVersion === 3 ? 12 : 8
  const skb = kernel.skbs.alloc(64 + ETH_HLEN + 24 + length)
  skb.reserve(64 + ETH_HLEN)
  const at = skb.put(24 + length)
  const { buf } = skb
  buf.fill(0, at, at + 24 + length)
  buf.set([0x46, 0xc0, 0, 24 + length, 0, 0, 0x40, 0, 1, 2], at)
  const saddr = br.opt(BROPT_MULTICAST_QUERY_USE_IFADDR) ? inetSelectAddr(dev, 0, RT_SCOPE_LINK) : 0
  buf.set([saddr >>> 24, (saddr >>> 16) & 255, (saddr >>> 8) & 255, saddr & 255, 224, 0, 0, 1, 0x94, 4, 0, 0], at + 12)
  const header = ipFastCsum(buf, at, 6)
  buf[at + 10] = header >> 8
  buf[at + 11] = header & 0xff
  const igmp = at + 24
  buf[igmp] = IGMP_QUERY
  buf[igmp + 1] = Math.min(255, Math.floor(ctx.queryResponseInterval / (HZ / 10)))
  if (length === 12) {
    buf[igmp + 8] = ROBUSTNESS
    buf[igmp + 9] = Math.min(255, Math.floor(ctx.queryInterval / HZ))
  }
  const sum = csumFold(csumPartial(buf, igmp, length, 0))
  buf[igmp + 2] = sum >> 8
  buf[igmp + 3] = sum & 0xff
  return header802(br, skb, [0x01, 0x00, 0x5e, 0, 0, 1], ETH_P_IP)
}

const ALL_NODES = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)

function mldQuery(br: NetBridge): SkBuff | undefined {
  const ctx = br.multicast
  const saddr = ipv6GetLladdr(br.dev, IFA_F_TENTATIVE)
  if (saddr === undefined) return undefined
  const length = ctx.mldVersion === 2 ? 28 : 24
  const skb = br.dev.net.kernel.skbs.alloc(64 + ETH_HLEN + 48 + length)
  skb.reserve(64 + ETH_HLEN)
  const at = skb.put(48 + length)
  const { buf } = skb
  buf.fill(0, at, at + 48 + length)
  buf.set([0x60, 0, 0, 0, 0, 8 + length, 0, 1], at)
  buf.set(saddr, at + 8)
  buf.set(ALL_NODES, at + 24)
  // hop-by-hop options: router alert for MLD
  buf.set([58, 0, 5, 2, 0, 0, 1, 0], at + 40)
  const mld = at + 48
  buf[mld] = MLD_QUERY
  const response = Math.floor((ctx.queryResponseInterval * 1000) / HZ)
  buf[mld + 4] = response >> 8
  buf[mld + 5] = response & 0xff
  if (length === 28) {
    buf[mld + 24] = ROBUSTNESS
    buf[mld + 25] = Math.min(255, Math.floor(ctx.queryInterval / HZ))
  }
  const sum = csumFold(csumPartial(buf, mld, length, csumPseudoAddrs(saddr, ALL_NODES, 58, length)))
  buf[mld + 2] = sum >> 8
  buf[mld + 3] = sum & 0xff
  return header802(br, skb, [0x33, 0x33, 0, 0, 0, 1], ETH_P_IPV6)
}

function header802(br: NetBridge, skb: SkBuff, destination: number[], type: number): SkBuff {
  skb.protocol = type
  skb.resetNetworkHeader()
  const at = skb.push(ETH_HLEN)
  skb.buf.set(destination, at)
  skb.buf.set(br.dev.devAddr, at + 6)
  skb.buf[at + 12] = type >> 8
  skb.buf[at + 13] = type & 0xff
  return skb
}

function sendQuery(br: NetBridge, port: NetBridgePort | undefined, family: Family, own: OwnQuery): void {
  const ctx = br.multicast
  if (!br.dev.running || !br.opt(BROPT_MULTICAST_ENABLED) || !ctx.querier) return
  if (familyOf(br, family).other.timer.pending) return
  const skb = family === 4 ? igmpQuery(br) : mldQuery(br)
  const { netcore } = br.dev.net.kernel
  if (skb !== undefined) {
    if (port !== undefined) {
      skb.dev = port.dev
      netcore.queueXmit(skb)
    } else {
      // its own stack must answer too
      skb.protocol = ethTypeTrans(skb, br.dev)
      netcore.netifRx(skb)
    }
  }
  const starting = own.startupSent < ctx.startupQueryCount
  br.mod(own.timer, starting ? ctx.startupQueryInterval : ctx.queryInterval)
}

function bridgeQueryExpired(br: NetBridge, family: Family): void {
  const { own } = familyOf(br, family)
  if (own.startupSent < br.multicast.startupQueryCount) own.startupSent++
  familyOf(br, family).querier = undefined
  sendQuery(br, undefined, family, own)
}

/** The timer of a port's own queries. */
export function portQueryExpired(port: NetBridgePort, family: Family): void {
  if (port.state === BR_STATE_DISABLED || port.state === BR_STATE_BLOCKING) return
  const own = family === 4 ? port.multicast.own4 : port.multicast.own6
  if (own.startupSent < port.br.multicast.startupQueryCount) own.startupSent++
  sendQuery(port.br, port, family, own)
}

/** Begins a port's queries anew (br_multicast_enable). */
export function startPortQueries(port: NetBridgePort): void {
  for (const own of [port.multicast.own4, port.multicast.own6]) {
    own.startupSent = 0
    port.br.mod(own.timer, 0)
  }
}

/** Ends them. */
export function stopPortQueries(port: NetBridgePort): void {
  for (const own of [port.multicast.own4, port.multicast.own6]) port.br.del(own.timer)
}

/** Begins the bridge's own queries anew (br_multicast_open_query). */
export function openQueries(br: NetBridge): void {
  for (const family of [4, 6] as const) {
    const snoop = familyOf(br, family)
    snoop.own.startupSent = 0
    if (br.opt(BROPT_MULTICAST_ENABLED)) br.mod(snoop.own.timer, 0)
  }
}

/** Ends them: the bridge goes down. */
export function stopQueries(br: NetBridge): void {
  for (const snoop of [br.multicast.ip4, br.multicast.ip6])
    for (const timer of [snoop.own.timer, snoop.other.timer, snoop.routerTimer]) br.del(timer)
}

/** The bridge becomes a querier (br_multicast_start_querier). */
export function startQuerier(br: NetBridge): void {
  if (!br.dev.running) return
  openQueries(br)
  for (const port of br.ports)
    if (port.state !== BR_STATE_DISABLED && port.state !== BR_STATE_BLOCKING) startPortQueries(port)
}

/** Sets up a new bridge's timers (br_multicast_ctx_init). */
export function initQueries(br: NetBridge): void {
  for (const family of [4, 6] as const)
    familyOf(br, family).own = { timer: new Timer(() => bridgeQueryExpired(br, family)), startupSent: 0 }
}
