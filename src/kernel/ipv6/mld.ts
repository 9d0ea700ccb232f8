/**
 * Multicast Listener Discovery on the wire: reports of version 2 (RFC 3810 §5.2) and 1 (RFC 2710 §3), and the queries
 * and reports of others.
 */

import { IFA_F_TENTATIVE } from '../../uapi/rtnetlink.ts'
import { IPPROTO_HOPOPTS, IPPROTO_ICMPV6 } from '../../uapi/socket.ts'
import { NSEC_PER_MSEC, NSEC_PER_SEC, TICK_NSEC } from '../core/clock.ts'
import { PACKET_BROADCAST, PACKET_LOOPBACK, PACKET_MULTICAST, type SkBuff } from '../core/skbuff.ts'
import {
  addrAnyAt,
  addrEqualAt,
  addrLinkLocalAt,
  IN6ADDR_ANY,
  IN6ADDR_LINKLOCAL_ALLROUTERS,
  IN6ADDR_MLDV2_ROUTERS,
  type In6Addr,
} from './addr.ts'
import { csumFold, csumPartial, csumPseudo } from './checksum.ts'
import { type Ifmcaddr6, type Inet6Dev, in6Dev } from './if_inet6.ts'
import { ipv6GetLladdr } from './inet6_addr.ts'
import { get16, IPV6_HLEN, IPV6_MIN_MTU, OFF_HOP_LIMIT, OFF_PAYLOAD_LEN, OFF_SADDR, put16, putHeader } from './ip6.ts'
import { ip6SendControl } from './ip6_control.ts'
import { IP6SKB_RA_OTHER, IP6SKB_ROUTERALERT } from './ip6cb.ts'
import {
  forcedVersion,
  generalQuery,
  groupQueried,
  MAF_LAST_REPORTER,
  MAF_NOREPORT,
  MAF_TIMER_RUNNING,
  mldInV1Mode,
  setV1Mode,
} from './mcast.ts'

export const ICMPV6_MGM_QUERY = 130
export const ICMPV6_MGM_REPORT = 131
export const ICMPV6_MGM_REDUCTION = 132
export const ICMPV6_MLD2_REPORT = 143

/** Record types of version 2. */
const MLD2_MODE_IS_EXCLUDE = 2
const MLD2_CHANGE_TO_INCLUDE = 3
const MLD2_CHANGE_TO_EXCLUDE = 4

/** Value of the router alert option (RFC 2711). */
export const IPV6_OPT_ROUTERALERT_MLD = 0

/** Hop-by-hop header with a router alert, and padding to eight bytes. */
const HBH: readonly number[] = [IPPROTO_ICMPV6, 0, 5, 2, 0, IPV6_OPT_ROUTERALERT_MLD, 1, 0]
/** Bytes of a report's header, and of a record without sources. */
const REPORT_HLEN = 8
const RECORD_LEN = 20

/** A record to be sent. */
interface Record {
  readonly type: number
  readonly group: In6Addr
}

/** Sends records in as many reports as the MTU asks for. */
function sendRecords(idev: Inet6Dev, records: readonly Record[]): void {
  const { dev } = idev
  if (dev.mtu < IPV6_MIN_MTU) return
  const fit = Math.floor((dev.mtu - IPV6_HLEN - HBH.length - REPORT_HLEN) / RECORD_LEN)
  for (let i = 0; i < records.length; i += fit) sendReport(idev, records.slice(i, i + fit))
}

function sendReport(idev: Inet6Dev, records: readonly Record[]): void {
  const len = REPORT_HLEN + RECORD_LEN * records.length
  const skb = controlSkb(idev, len, IN6ADDR_MLDV2_ROUTERS)
  const at = skb.transportHeader
  const { buf } = skb
  buf[at] = ICMPV6_MLD2_REPORT
  put16(buf, at + 6, records.length)
  records.forEach((record, i) => {
    const to = at + REPORT_HLEN + RECORD_LEN * i
    buf[to] = record.type
    buf.set(record.group, to + 4)
  })
  finish(skb, len)
  ip6SendControl(skb, idev, IN6ADDR_MLDV2_ROUTERS, ICMPV6_MLD2_REPORT)
}

/** A packet with IPv6 and hop-by-hop headers and `len` zero bytes, `transportHeader` at these. */
function controlSkb(idev: Inet6Dev, len: number, daddr: In6Addr): SkBuff {
  const { dev } = idev
  const skb = dev.net.kernel.skbs.alloc(dev.llReserved + IPV6_HLEN + HBH.length + len)
  skb.reserve(dev.llReserved)
  skb.dev = dev
  skb.resetNetworkHeader()
  const at = skb.put(IPV6_HLEN + HBH.length + len)
  const saddr = ipv6GetLladdr(dev, IFA_F_TENTATIVE) ?? IN6ADDR_ANY
  skb.buf.fill(0, at, skb.tail)
  putHeader(skb.buf, at, 0, HBH.length + len, IPPROTO_HOPOPTS, 1, saddr, daddr)
  skb.buf.set(HBH, at + IPV6_HLEN)
  skb.transportHeader = at + IPV6_HLEN + HBH.length
  return skb
}

function finish(skb: SkBuff, len: number): void {
  const { buf, transportHeader: at } = skb
  const sum = csumPseudo(buf, skb.networkHeader + OFF_SADDR, IPPROTO_ICMPV6, len)
  put16(buf, at + 2, csumFold(csumPartial(buf, at, len, sum)))
}

/** Reports what has changed: groups left first, then groups joined (mld_send_cr). */
export function mldSendStateChange(idev: Inet6Dev): void {
  const records: Record[] = []
  for (const gone of idev.mcTomb) {
    records.push({ type: MLD2_CHANGE_TO_INCLUDE, group: gone.addr })
    gone.crcount--
  }
  idev.mcTomb = idev.mcTomb.filter(gone => gone.crcount > 0)
  for (const mc of idev.mcList) {
    if (mc.crcount <= 0) continue
    mc.crcount--
    if ((mc.flags & MAF_NOREPORT) === 0) records.push({ type: MLD2_CHANGE_TO_EXCLUDE, group: mc.addr })
  }
  sendRecords(idev, records)
}

/** Announces all groups as if they were new (mld_send_initial_cr). */
export function mldSendInitialReport(idev: Inet6Dev): void {
  sendRecords(idev, reportable(idev.mcList, MLD2_CHANGE_TO_EXCLUDE))
}

/** Answers a query for groups (mld_send_report). */
export function mldSendReport(idev: Inet6Dev, groups: readonly Ifmcaddr6[]): void {
  sendRecords(idev, reportable(groups, MLD2_MODE_IS_EXCLUDE))
}

function reportable(groups: readonly Ifmcaddr6[], type: number): Record[] {
  return groups.filter(mc => (mc.flags & MAF_NOREPORT) === 0).map(mc => ({ type, group: mc.addr }))
}

/** Sends a report or a "done" of version 1 (igmp6_send). */
export function mldSendV1(idev: Inet6Dev, group: In6Addr, type: number): void {
  const daddr = type === ICMPV6_MGM_REDUCTION ? IN6ADDR_LINKLOCAL_ALLROUTERS : group
  const len = 24
  const skb = controlSkb(idev, len, daddr)
  const { buf, transportHeader: at } = skb
  buf[at] = type
  buf.set(group, at + 8)
  finish(skb, len)
  ip6SendControl(skb, idev, daddr, type)
}

/** @returns the number that a floating point code of RFC 3810 §5.1 stands for */
function exponential(code: number, mantissaBits: number, expBits: number): number {
  if (code < 1 << (mantissaBits + expBits)) return code
  const mantissa = code & ((1 << mantissaBits) - 1)
  const exp = (code >> mantissaBits) & ((1 << expBits) - 1)
  return (mantissa | (1 << mantissaBits)) * 2 ** (exp + 3)
}

/** A query has come in (igmp6_event_query). The packet is consumed. */
export function mldQuery(skb: SkBuff): void {
  const { buf, transportHeader: at, networkHeader: nh } = skb
  const idev = in6Dev(skb.dev!)
  const len = get16(buf, nh + OFF_PAYLOAD_LEN) + IPV6_HLEN - (at - nh)
  const valid =
    idev !== undefined &&
    addrLinkLocalAt(buf, nh + OFF_SADDR) &&
    buf[nh + OFF_HOP_LIMIT] === 1 &&
    (skb.cbFlags & (IP6SKB_ROUTERALERT | IP6SKB_RA_OTHER)) === IP6SKB_ROUTERALERT &&
    len >= 24 &&
    skb.len >= 24
  if (valid) processQuery(idev, buf, at, Math.min(len, skb.len))
  skb.consume()
}

function processQuery(idev: Inet6Dev, buf: Uint8Array, at: number, len: number): void {
  const general = addrAnyAt(buf, at + 8)
  if (!general && buf[at + 8] !== 0xff) return
  let maxDelay: number
  if (len === 24 || mldInV1Mode(idev)) {
    if (forcedVersion(idev) === 2) return
    if (len === 24) setV1Mode(idev)
    maxDelay = Math.max(get16(buf, at + 4) * NSEC_PER_MSEC, TICK_NSEC)
  } else if (len >= 28) {
    maxDelay = Math.max(exponential(get16(buf, at + 4), 12, 3) * NSEC_PER_MSEC, TICK_NSEC)
    const qrv = buf[at + 24]! & 7
    if (qrv > 0) idev.mcQrv = Math.max(qrv, 2)
    const qqic = exponential(buf[at + 25]!, 4, 3)
    if (qqic > 0) idev.mcQi = qqic * NSEC_PER_SEC
    idev.mcQri = maxDelay
    idev.mcMaxdelay = maxDelay
    if (general) {
      if (get16(buf, at + 26) === 0) generalQuery(idev, maxDelay)
      return
    }
  } else return
  for (const mc of idev.mcList) if (general || addrEqualAt(buf, at + 8, mc.addr)) groupQueried(idev, mc, maxDelay)
}

/** Somebody else's version 1 report: ours is no longer needed (igmp6_event_report). */
export function mldReport(skb: SkBuff): void {
  const { buf, transportHeader: at, networkHeader: nh } = skb
  const idev = in6Dev(skb.dev!)
  if (idev === undefined || skb.pktType === PACKET_LOOPBACK || skb.len < 24) return
  if (skb.pktType !== PACKET_MULTICAST && skb.pktType !== PACKET_BROADCAST) return
  if (!addrAnyAt(buf, nh + OFF_SADDR) && !addrLinkLocalAt(buf, nh + OFF_SADDR)) return
  const mc = idev.mcList.find(group => addrEqualAt(buf, at + 8, group.addr))
  if (mc === undefined) return
  idev.dev.net.kernel.clock.del(mc.timer)
  mc.flags &= ~(MAF_LAST_REPORTER | MAF_TIMER_RUNNING)
}

/** @returns whether a packet is an MLD message, which is delivered even where the group is not joined (ipv6_is_mld) */
export function isMld(skb: SkBuff, nexthdr: number): boolean {
  if (nexthdr !== IPPROTO_ICMPV6 || skb.tail - skb.transportHeader < 8) return false
  const type = skb.buf[skb.transportHeader]!
  return (type >= ICMPV6_MGM_QUERY && type <= ICMPV6_MGM_REDUCTION) || type === ICMPV6_MLD2_REPORT
}
