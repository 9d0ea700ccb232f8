/**
 * IGMP and MLD snooping (RFC 4541): multicast goes where somebody has asked for it, once a querier is known to ask.
 * Without a querier, everything is flooded.
 */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IP, ETH_P_IPV6 } from '../../uapi/if.ts'
import { RTPROT_KERNEL } from '../../uapi/rtnetlink.ts'
import { HZ, TICK_NSEC, Timer } from '../core/clock.ts'
import type { SkBuff } from '../core/skbuff.ts'
import {
  BR_CB_IGMP,
  BR_CB_MROUTERS_ONLY,
  BR_MULTICAST_FAST_LEAVE,
  BR_STATE_DISABLED,
  BROPT_MULTICAST_ENABLED,
  clockToJiffies,
  jiffiesToClock,
  type NetBridge,
  type NetBridgePort,
} from './br.ts'
import { brMdbNotify } from './br_mdb_notify.ts'
import {
  BrMulticast,
  MDB_RTR_TYPE_DISABLED,
  MDB_RTR_TYPE_PERM,
  MDB_RTR_TYPE_TEMP,
  MDB_RTR_TYPE_TEMP_QUERY,
  MdbEntry,
  type MdbPortGroup,
  type SnoopFamily,
  type SnoopValues,
} from './br_multicast_ctx.ts'
import {
  brMulticastQuery,
  portQueryExpired,
  startPortQueries,
  startQuerier,
  stopPortQueries,
} from './br_multicast_query.ts'

const IPPROTO_IGMP = 2
const IPPROTO_HOPOPTS = 0
const IPPROTO_ICMPV6 = 58
const IPPROTO_PIM = 103
const IGMP_QUERY = 0x11
const IGMP_V1_REPORT = 0x12
const IGMP_V2_REPORT = 0x16
const IGMP_LEAVE = 0x17
const IGMP_V3_REPORT = 0x22
const MLD_QUERY = 130
const MLD_REPORT = 131
const MLD_DONE = 132
const MLD2_REPORT = 143
/** Record types of IGMPv3 and MLDv2 reports. */
const MODE_IS_INCLUDE = 1
const CHANGE_TO_INCLUDE = 3

function clockNow(br: NetBridge): number {
  return br.dev.net.kernel.clock.now
}

/** @returns whether another querier, or the bridge as one, is known to keep the groups up to date (br_multicast_querier_exists) */
function querierExists(br: NetBridge, family: SnoopFamily): boolean {
  const known = br.multicast.querier || family.other.timer.pending
  return known && family.other.delayTime < clockNow(br)
}

/** Where a multicast frame goes; reused from frame to frame. */
export interface MulticastTargets {
  ports: NetBridgePort[]
  /** the bridge itself gets it */
  host: boolean
}

const targets: MulticastTargets = { ports: [], host: false }

/** @returns whether the bridge itself is in front of a router, or is one (br_multicast_is_router) */
function isRouter(br: NetBridge, family: SnoopFamily): boolean {
  const { router } = br.multicast
  return router === MDB_RTR_TYPE_PERM || (router === MDB_RTR_TYPE_TEMP_QUERY && family.routerTimer.pending)
}

/** @returns whether a router is known behind a port */
function routerPort(port: NetBridgePort): boolean {
  const { router, routerTimer } = port.multicast
  return router === MDB_RTR_TYPE_PERM || (router !== MDB_RTR_TYPE_DISABLED && routerTimer.pending)
}

/** @returns where a multicast frame goes, undefined: everywhere. Valid until the next call (br_mdb_get and what follows) */
export function multicastTargets(br: NetBridge, skb: SkBuff, vid: number): MulticastTargets | undefined {
  if ((br.opts & BROPT_MULTICAST_ENABLED) === 0) return undefined
  const { mdb, ip4, ip6 } = br.multicast
  let family: SnoopFamily
  let entry: MdbEntry | undefined
  const snooped = (skb.cbFlags & BR_CB_IGMP) !== 0
  if (skb.protocol === ETH_P_IP) {
    family = ip4
    if (!snooped) entry = mdb.find(skb.buf, skb.data + 16, 4, vid)
  } else if (skb.protocol === ETH_P_IPV6) {
    family = ip6
    if (!snooped) entry = mdb.find(skb.buf, skb.data + 24, 16, vid)
  } else {
    entry = mdb.find(skb.buf, skb.macHeader, 6, vid)
    if (entry === undefined) return undefined
    family = ip4
  }
  if (entry === undefined && (skb.cbFlags & BR_CB_MROUTERS_ONLY) === 0) return undefined
  if (entry?.group.length !== 6 && !querierExists(br, family)) return undefined
  targets.ports.length = 0
  if (entry !== undefined) for (const group of entry.ports) targets.ports.push(group.port)
  for (const port of br.ports) if (routerPort(port) && !targets.ports.includes(port)) targets.ports.push(port)
  targets.host = entry?.hostJoined === true || isRouter(br, family)
  return targets
}

/** @returns whether a group is one of the local network that snooping leaves alone: 224.0.0.x, ff02::1 */
function exempt(group: Uint8Array): boolean {
  if (group.length === 4) return group[0] === 224 && group[1] === 0 && group[2] === 0
  if (group[0] !== 0xff || group[1] !== 0x02 || group[15] !== 1) return false
  for (let i = 2; i < 15; i++) if (group[i] !== 0) return false
  return true
}

function hostExpired(br: NetBridge, entry: MdbEntry): void {
  if (!entry.hostJoined) return
  entry.hostJoined = false
  brMdbNotify(br, entry, undefined, false)
  dropIfEmpty(br, entry)
}

function dropIfEmpty(br: NetBridge, entry: MdbEntry): void {
  if (entry.ports.length > 0 || entry.hostJoined) return
  br.multicast.mdb.remove(entry)
}

/** @returns the entry of a group, made where it is missing; undefined where the table is full (br_multicast_new_group) */
export function brMulticastNewGroup(
  br: NetBridge,
  group: Uint8Array,
  vid: number,
  source?: Uint8Array,
): MdbEntry | undefined {
  const { mdb, hashMax } = br.multicast
  const known = source === undefined ? mdb.find(group, 0, group.length, vid) : mdb.findSource(group, vid, source)
  if (known !== undefined) return known
  if (mdb.size >= hashMax) {
    br.toggle(BROPT_MULTICAST_ENABLED, false)
    return undefined
  }
  const entry = new MdbEntry(group, vid, each => hostExpired(br, each), source)
  mdb.insert(entry)
  return entry
}

/** Takes a port out of a group (br_multicast_del_pg). */
export function brMulticastDelGroup(br: NetBridge, entry: MdbEntry, group: MdbPortGroup): void {
  const i = entry.ports.indexOf(group)
  if (i >= 0) entry.ports.splice(i, 1)
  br.del(group.timer)
  brMdbNotify(br, entry, group, false)
  dropIfEmpty(br, entry)
}

/** Adds a port to a group. @param permanent until it is taken out by hand @param rtprot RTPROT_…: who did it */
export function brMulticastNewPortGroup(
  br: NetBridge,
  entry: MdbEntry,
  port: NetBridgePort,
  permanent: boolean,
  rtprot: number = RTPROT_KERNEL,
): MdbPortGroup {
  const group: MdbPortGroup = {
    port,
    permanent,
    rtprot,
    fastLeave: (port.flags & BR_MULTICAST_FAST_LEAVE) !== 0,
    timer: new Timer(() => brMulticastDelGroup(br, entry, group)),
  }
  const after = entry.ports.findIndex(each => each.port.portNo > port.portNo)
  entry.ports.splice(after < 0 ? entry.ports.length : after, 0, group)
  brMdbNotify(br, entry, group, true)
  return group
}

/** The bridge itself joins a group (br_multicast_host_join). */
export function brMulticastHostJoin(br: NetBridge, entry: MdbEntry): void {
  if (!entry.hostJoined) {
    entry.hostJoined = true
    brMdbNotify(br, entry, undefined, true)
  }
  br.mod(entry.hostTimer, br.multicast.membershipInterval)
}

/** It leaves it. */
export function brMulticastHostLeave(br: NetBridge, entry: MdbEntry): void {
  br.del(entry.hostTimer)
  hostExpired(br, entry)
}

function addGroup(br: NetBridge, port: NetBridgePort | undefined, group: Uint8Array, vid: number): void {
  if (exempt(group) || !br.dev.running || port?.state === BR_STATE_DISABLED) return
  const entry = brMulticastNewGroup(br, group, vid)
  if (entry === undefined) return
  if (port === undefined) {
    brMulticastHostJoin(br, entry)
    return
  }
  const known = entry.ports.find(each => each.port === port) ?? brMulticastNewPortGroup(br, entry, port, false)
  if (!known.permanent) br.mod(known.timer, br.multicast.membershipInterval)
}

function shorten(br: NetBridge, timer: Timer, delay: number): void {
  if (timer.pending && timer.expires > clockNow(br) + delay * TICK_NSEC) br.mod(timer, delay)
}

function leaveGroup(br: NetBridge, port: NetBridgePort | undefined, group: Uint8Array, vid: number): void {
  if (exempt(group) || !br.dev.running || port?.state === BR_STATE_DISABLED) return
  const ctx = br.multicast
  const entry = ctx.mdb.find(group, 0, group.length, vid)
  if (entry === undefined) return
  const own = port === undefined ? undefined : entry.ports.find(each => each.port === port)
  if (port !== undefined && (port.flags & BR_MULTICAST_FAST_LEAVE) !== 0) {
    if (own !== undefined && !own.permanent) brMulticastDelGroup(br, entry, own)
    return
  }
  const family = group.length === 4 ? ctx.ip4 : ctx.ip6
  if (family.other.timer.pending) return
  const wait = ctx.lastMemberCount * ctx.lastMemberInterval
  if (port === undefined) {
    if (entry.hostJoined) shorten(br, entry.hostTimer, wait)
  } else if (own !== undefined) shorten(br, own.timer, wait)
}

/** Notes a router behind a port, or behind the bridge itself (br_multicast_mark_router). */
export function markRouter(br: NetBridge, port: NetBridgePort | undefined, family: SnoopFamily): void {
  const wait = br.multicast.querierInterval
  if (port === undefined) {
    if (br.multicast.router === MDB_RTR_TYPE_TEMP_QUERY) br.mod(family.routerTimer, wait)
    return
  }
  const { router } = port.multicast
  if (router === MDB_RTR_TYPE_DISABLED || router === MDB_RTR_TYPE_PERM) return
  br.mod(port.multicast.routerTimer, wait)
}

/** Groups of an IGMPv3 or MLDv2 report: records of a header, sources and auxiliary data. */
function report(
  br: NetBridge,
  port: NetBridgePort | undefined,
  bytes: Uint8Array,
  length: 4 | 16,
  vid: number,
): boolean {
  if (bytes.length < 8) return false
  const count = (bytes[6]! << 8) | bytes[7]!
  let at = 8
  for (let i = 0; i < count; i++) {
    if (at + 4 + length > bytes.length) return false
    const type = bytes[at]!
    const sources = (bytes[at + 2]! << 8) | bytes[at + 3]!
    const group = bytes.subarray(at + 4, at + 4 + length)
    at += 4 + length + sources * length + bytes[at + 1]! * 4
    if (at > bytes.length) return false
    if (type < MODE_IS_INCLUDE || type > 6) continue
    if (sources === 0 && (type === MODE_IS_INCLUDE || type === CHANGE_TO_INCLUDE)) leaveGroup(br, port, group, vid)
    else addGroup(br, port, group, vid)
  }
  return true
}

function igmpRcv(br: NetBridge, port: NetBridgePort | undefined, skb: SkBuff, vid: number): boolean {
  const { buf, data: ip } = skb
  if (skb.len < 20 || buf[ip]! >> 4 !== 4) return false
  const header = (buf[ip]! & 0xf) * 4
  const total = (buf[ip + 2]! << 8) | buf[ip + 3]!
  if (header < 20 || total < header || skb.len < total) return false
  const local = buf[ip + 16] === 224 && buf[ip + 17] === 0 && buf[ip + 18] === 0
  if (buf[ip + 9] !== IPPROTO_IGMP) {
    if (!local) skb.cbFlags |= BR_CB_MROUTERS_ONLY
    else if (buf[ip + 19] === 13 && buf[ip + 9] === IPPROTO_PIM) markRouter(br, port, br.multicast.ip4)
    return true
  }
  const bytes = buf.subarray(ip + header, ip + total)
  if (bytes.length < 8) return false
  skb.cbFlags |= BR_CB_IGMP
  switch (bytes[0]) {
    case IGMP_V1_REPORT:
    case IGMP_V2_REPORT:
      skb.cbFlags |= BR_CB_MROUTERS_ONLY
      addGroup(br, port, bytes.subarray(4, 8), vid)
      return true
    case IGMP_V3_REPORT:
      return report(br, port, bytes, 4, vid)
    case IGMP_QUERY:
      brMulticastQuery(br, port, buf.slice(ip + 12, ip + 16), bytes, vid)
      return true
    case IGMP_LEAVE:
      leaveGroup(br, port, bytes.subarray(4, 8), vid)
      return true
    default:
      return true
  }
}

function mldRcv(br: NetBridge, port: NetBridgePort | undefined, skb: SkBuff, vid: number): boolean {
  const { buf, data: ip } = skb
  if (skb.len < 40 || buf[ip]! >> 4 !== 6) return false
  const end = ip + 40 + ((buf[ip + 4]! << 8) | buf[ip + 5]!)
  let next = buf[ip + 6]!
  let at = ip + 40
  if (next === IPPROTO_HOPOPTS && at + 8 <= skb.tail) {
    next = buf[at]!
    at += (buf[at + 1]! + 1) * 8
  }
  const type = next === IPPROTO_ICMPV6 && at < Math.min(end, skb.tail) ? buf[at]! : 0
  if (type !== MLD_QUERY && type !== MLD_REPORT && type !== MLD_DONE && type !== MLD2_REPORT) {
    if (!exempt(buf.subarray(ip + 24, ip + 40))) skb.cbFlags |= BR_CB_MROUTERS_ONLY
    return true
  }
  if (end > skb.tail || end - at < 8) return false
  const bytes = buf.subarray(at, end)
  skb.cbFlags |= BR_CB_IGMP
  if (type === MLD2_REPORT) return report(br, port, bytes, 16, vid)
  if (bytes.length < 24) return false
  if (type === MLD_REPORT) {
    skb.cbFlags |= BR_CB_MROUTERS_ONLY
    addGroup(br, port, bytes.subarray(8, 24), vid)
  } else if (type === MLD_DONE) leaveGroup(br, port, bytes.subarray(8, 24), vid)
  else brMulticastQuery(br, port, buf.slice(ip + 8, ip + 24), bytes, vid)
  return true
}

/**
 * Looks at a multicast frame (br_multicast_rcv); `data` is at the network header.
 * @param port undefined for a frame of the bridge itself @returns false where it is malformed and must be dropped
 */
export function brMulticastRcv(br: NetBridge, port: NetBridgePort | undefined, skb: SkBuff, vid: number): boolean {
  if ((br.opts & BROPT_MULTICAST_ENABLED) === 0) return true
  if (skb.protocol === ETH_P_IP) return igmpRcv(br, port, skb, vid)
  if (skb.protocol === ETH_P_IPV6) return mldRcv(br, port, skb, vid)
  return true
}

/** A port joins the bridge (br_multicast_add_port). */
export function brMulticastAddPort(port: NetBridgePort): void {
  port.multicast.own4 = { timer: new Timer(() => portQueryExpired(port, 4)), startupSent: 0 }
  port.multicast.own6 = { timer: new Timer(() => portQueryExpired(port, 6)), startupSent: 0 }
}

/** It leaves: its groups end (br_multicast_del_port). */
export function brMulticastDelPort(port: NetBridgePort): void {
  const { br } = port
  stopPortQueries(port)
  br.del(port.multicast.routerTimer)
  for (const entry of br.multicast.mdb.list())
    for (const group of [...entry.ports]) if (group.port === port) brMulticastDelGroup(br, entry, group)
}

/** A port comes up (br_multicast_enable_port). */
export function brMulticastEnablePort(port: NetBridgePort): void {
  if (port.br.opt(BROPT_MULTICAST_ENABLED) && port.br.dev.running) startPortQueries(port)
}

/** It goes down: what was learned on it ends (br_multicast_disable_port). */
export function brMulticastDisablePort(port: NetBridgePort): void {
  const { br } = port
  for (const entry of br.multicast.mdb.list())
    for (const group of [...entry.ports])
      if (group.port === port && !group.permanent) brMulticastDelGroup(br, entry, group)
  br.del(port.multicast.routerTimer)
  stopPortQueries(port)
}

/** Sets whether a router is behind the bridge itself (br_multicast_set_router). @returns 0 or -EINVAL */
export function brMulticastSetRouter(br: NetBridge, value: number): number {
  if (value > MDB_RTR_TYPE_PERM) return -Errno.EINVAL
  br.multicast.router = value
  if (value !== MDB_RTR_TYPE_TEMP_QUERY)
    for (const family of [br.multicast.ip4, br.multicast.ip6]) br.del(family.routerTimer)
  return 0
}

/** Sets whether a router is behind a port (br_multicast_set_port_router). @returns 0 or -EINVAL */
export function brMulticastSetPortRouter(port: NetBridgePort, value: number): number {
  const { br, multicast } = port
  if (value > MDB_RTR_TYPE_TEMP) return -Errno.EINVAL
  if (multicast.router === value) {
    if (value === MDB_RTR_TYPE_TEMP) br.mod(multicast.routerTimer, br.multicast.querierInterval)
    return 0
  }
  multicast.router = value
  if (value === MDB_RTR_TYPE_TEMP) br.mod(multicast.routerTimer, br.multicast.querierInterval)
  else if (value !== MDB_RTR_TYPE_TEMP_QUERY) br.del(multicast.routerTimer)
  return 0
}

/** Makes the bridge ask for memberships itself, or not (br_multicast_set_querier). */
export function brMulticastSetQuerier(br: NetBridge, on: boolean): void {
  const ctx = br.multicast
  if (ctx.querier === on) return
  ctx.querier = on
  if (!on) return
  const from = clockNow(br) + ctx.queryResponseInterval * TICK_NSEC
  for (const family of [ctx.ip4, ctx.ip6]) if (!family.other.timer.pending) family.other.delayTime = from
  startQuerier(br)
}

/** Sets the version of IGMP, 2 or 3. @param values the bridge's or a VLAN's */
export function brMulticastSetIgmpVersion(values: SnoopValues, version: number): number {
  if (version !== 2 && version !== 3) return -Errno.EINVAL
  values.igmpVersion = version
  return 0
}

/** Sets the version of MLD, 1 or 2. */
export function brMulticastSetMldVersion(values: SnoopValues, version: number): number {
  if (version !== 1 && version !== 2) return -Errno.EINVAL
  values.mldVersion = version
  return 0
}

/** Shortest interval of queries, jiffies. */
const MIN_QUERY_INTERVAL = HZ

/** Sets an interval of queries, not below a second (br_multicast_set_query_intvl). @param values the bridge's or a VLAN's */
export function brSetQueryInterval(
  br: NetBridge,
  field: 'queryInterval' | 'startupQueryInterval',
  value: number,
  values: SnoopValues = br.multicast,
): number {
  const t = clockToJiffies(value)
  if (t < MIN_QUERY_INTERVAL) {
    const what = field === 'queryInterval' ? 'query interval' : 'startup query interval'
    br.log(
      6,
      `trying to set multicast ${what} below minimum, setting to ${jiffiesToClock(MIN_QUERY_INTERVAL)} (${(MIN_QUERY_INTERVAL * 1000) / HZ}ms)`,
    )
  }
  values[field] = Math.max(t, MIN_QUERY_INTERVAL)
  return 0
}

/** Forgets every group: the bridge goes, or snooping is switched off for good. */
export function brMulticastFlush(br: NetBridge): void {
  for (const entry of br.multicast.mdb.list()) {
    br.del(entry.hostTimer)
    for (const group of entry.ports) br.del(group.timer)
    br.multicast.mdb.remove(entry)
  }
}

export { BrMulticast }
