/** Routes as the bytes of RTM_NEWROUTE messages: rtmsg and its attributes, see rtnetlink(7). */

import { NLM_F_MULTI } from '../../src/uapi/netlink.ts'
import {
  type RouteCacheinfo,
  type RouteMessage,
  type RouteMetrics,
  type RouteNexthop,
  RTM_DELROUTE,
  RTM_NEWROUTE,
} from '../../src/uapi/rtnetlink.ts'
import { WireAttrs, type WireMessage, WireWriter } from '../lib/nlwire.ts'

const RTA = {
  dst: 1,
  src: 2,
  iif: 3,
  oif: 4,
  gateway: 5,
  priority: 6,
  prefsrc: 7,
  metrics: 8,
  multipath: 9,
  flow: 11,
  cacheinfo: 12,
  table: 15,
  mark: 16,
  via: 18,
  pref: 20,
  expires: 23,
  uid: 25,
  ttlPropagate: 26,
  ipProto: 27,
  sport: 28,
  dport: 29,
  nhId: 30,
} as const

/** Metrics by number (RTAX_…). */
const RTAX: readonly (readonly [number, keyof RouteMetrics])[] = [
  [2, 'mtu'],
  [3, 'window'],
  [4, 'rtt'],
  [5, 'rttvar'],
  [6, 'ssthresh'],
  [7, 'cwnd'],
  [8, 'advmss'],
  [9, 'reordering'],
  [10, 'hoplimit'],
  [11, 'initcwnd'],
  [12, 'features'],
  [13, 'rtoMin'],
  [14, 'initrwnd'],
  [15, 'quickack'],
  [16, 'ccAlgo'],
  [17, 'fastopenNoCookie'],
  [1, 'lock'],
]

const RTMSG = 12
const RTNEXTHOP = 8

const CACHEINFO: readonly (keyof RouteCacheinfo)[] = [
  'clntref',
  'lastuse',
  'expires',
  'error',
  'used',
  'id',
  'ts',
  'tsage',
]

function writeVia(w: WireWriter, via: RouteNexthop['via']): void {
  if (via === undefined) return
  w.nest(RTA.via, () => {
    w.u16(via.family)
    w.raw(via.addr)
  })
}

function writeMetrics(w: WireWriter, metrics: RouteMetrics): void {
  w.nest(RTA.metrics, () => {
    for (const [number, field] of RTAX) {
      const value = metrics[field]
      if (typeof value === 'string') w.attrText(number, value)
      else w.attrU32(number, value)
    }
  })
}

function writeLegs(w: WireWriter, legs: readonly RouteNexthop[]): void {
  w.nest(RTA.multipath, () => {
    for (const leg of legs) {
      const inner = new WireWriter()
      inner.attrBytes(RTA.gateway, leg.gateway)
      writeVia(inner, leg.via)
      inner.attrU32(RTA.flow, leg.flow)
      const attrs = inner.finish(0, 0).subarray(16)
      w.u16(RTNEXTHOP + attrs.length)
      w.u8(leg.flags)
      w.u8(leg.hops)
      w.u32(leg.ifindex)
      w.raw(attrs)
    }
  })
}

/** @returns a route's message as a dump carries it. Lightweight tunnels are left out. */
export function encodeRoute(route: RouteMessage): Uint8Array {
  const { attrs } = route
  const w = new WireWriter()
  for (const byte of [route.family, route.dstLen, route.srcLen, route.tos]) w.u8(byte)
  for (const byte of [route.table & 0xff, route.protocol, route.scope, route.rtType]) w.u8(byte)
  w.u32(route.rtmFlags)
  w.attrU32(RTA.table, attrs.table ?? route.table)
  w.attrBytes(RTA.dst, attrs.dst)
  w.attrBytes(RTA.src, attrs.src)
  w.attrU32(RTA.priority, attrs.priority)
  if (attrs.metrics !== undefined) writeMetrics(w, attrs.metrics)
  w.attrBytes(RTA.prefsrc, attrs.prefsrc)
  w.attrU32(RTA.nhId, attrs.nhId)
  w.attrBytes(RTA.gateway, attrs.gateway)
  writeVia(w, attrs.via)
  w.attrU32(RTA.oif, attrs.oif)
  w.attrU32(RTA.iif, attrs.iif)
  w.attrU32(RTA.flow, attrs.flow)
  if (attrs.multipath !== undefined) writeLegs(w, attrs.multipath)
  const { cacheinfo } = attrs
  if (cacheinfo !== undefined) {
    w.nest(RTA.cacheinfo, () => {
      for (const field of CACHEINFO) w.u32(cacheinfo[field])
    })
  }
  w.attrU8(RTA.pref, attrs.pref)
  w.attrU32(RTA.mark, attrs.mark)
  w.attrU32(RTA.uid, attrs.uid)
  return w.finish(route.type, NLM_F_MULTI)
}

function readVia(bytes: Uint8Array | undefined): RouteNexthop['via'] {
  return bytes === undefined ? undefined : { family: bytes[0]! | (bytes[1]! << 8), addr: bytes.slice(2) }
}

function readMetrics(bytes: Uint8Array): RouteMetrics {
  const attrs = new WireAttrs(bytes)
  const metrics: RouteMetrics = {}
  for (const [number, field] of RTAX) {
    if (field === 'ccAlgo') assign(metrics, 'ccAlgo', attrs.text(number))
    else assign(metrics, field, attrs.u32(number))
  }
  return metrics
}

/** Sets a field only where there is a value, so that absent attributes stay absent. */
function assign<T, K extends keyof T>(to: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) to[key] = value
}

function readLegs(bytes: Uint8Array): RouteNexthop[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const legs: RouteNexthop[] = []
  for (let pos = 0; pos + RTNEXTHOP <= bytes.length; ) {
    const length = view.getUint16(pos, true)
    if (length < RTNEXTHOP || pos + length > bytes.length) break
    const leg: RouteNexthop = { flags: bytes[pos + 2]!, hops: bytes[pos + 3]!, ifindex: view.getInt32(pos + 4, true) }
    const attrs = new WireAttrs(bytes.slice(pos + RTNEXTHOP, pos + length))
    assign(leg, 'gateway', attrs.bytes(RTA.gateway))
    assign(leg, 'via', readVia(attrs.bytes(RTA.via)))
    assign(leg, 'flow', attrs.u32(RTA.flow))
    legs.push(leg)
    pos += (length + 3) & ~3
  }
  return legs
}

function readCacheinfo(bytes: Uint8Array): RouteCacheinfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const info = { clntref: 0, lastuse: 0, expires: 0, error: 0, used: 0, id: 0, ts: 0, tsage: 0 }
  for (const [i, field] of CACHEINFO.entries()) if (4 * i + 4 <= bytes.length) info[field] = view.getUint32(4 * i, true)
  return info
}

/** @returns the route of a saved message, or undefined where it is another kind of message */
export function decodeRoute(message: WireMessage): RouteMessage | undefined {
  const { payload } = message
  if ((message.type !== RTM_NEWROUTE && message.type !== RTM_DELROUTE) || payload.length < RTMSG) return undefined
  const at = (pos: number): number => payload[pos]!
  const wire = new WireAttrs(payload.slice(RTMSG))
  const attrs: RouteMessage['attrs'] = {}
  assign(attrs, 'dst', wire.bytes(RTA.dst))
  assign(attrs, 'src', wire.bytes(RTA.src))
  assign(attrs, 'iif', wire.u32(RTA.iif))
  assign(attrs, 'oif', wire.u32(RTA.oif))
  assign(attrs, 'gateway', wire.bytes(RTA.gateway))
  assign(attrs, 'via', readVia(wire.bytes(RTA.via)))
  assign(attrs, 'priority', wire.u32(RTA.priority))
  assign(attrs, 'prefsrc', wire.bytes(RTA.prefsrc))
  assign(attrs, 'flow', wire.u32(RTA.flow))
  assign(attrs, 'table', wire.u32(RTA.table))
  assign(attrs, 'mark', wire.u32(RTA.mark))
  assign(attrs, 'uid', wire.u32(RTA.uid))
  assign(attrs, 'pref', wire.u8(RTA.pref))
  assign(attrs, 'nhId', wire.u32(RTA.nhId))
  const metrics = wire.bytes(RTA.metrics)
  if (metrics !== undefined) attrs.metrics = readMetrics(metrics)
  const legs = wire.bytes(RTA.multipath)
  if (legs !== undefined) attrs.multipath = readLegs(legs)
  const cacheinfo = wire.bytes(RTA.cacheinfo)
  if (cacheinfo !== undefined) attrs.cacheinfo = readCacheinfo(cacheinfo)
  return {
    type: message.type,
    flags: message.flags,
    family: at(0),
    dstLen: at(1),
    srcLen: at(2),
    tos: at(3),
    table: at(4),
    protocol: at(5),
    scope: at(6),
    rtType: at(7),
    rtmFlags: new DataView(payload.buffer, payload.byteOffset).getUint32(8, true),
    attrs,
  }
}
