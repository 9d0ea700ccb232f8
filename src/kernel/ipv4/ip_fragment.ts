/**
 * Reassembly of IPv4 fragments (RFC 791 §3.2, RFC 815): queues by source, destination, identification and protocol, with
 * a timer, limits on memory, and no tolerance for overlaps (RFC 5722's rule, which Linux keeps for IPv4 as well).
 */
import { RTN_LOCAL } from '../../uapi/rtnetlink.ts'
import { NSEC_PER_SEC, type Timer } from '../core/clock.ts'
import type { DropReason } from '../core/dropreason.ts'
import { l3mdevMasterIfindex } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { CHECKSUM_NONE, CHECKSUM_UNNECESSARY, type SkBuff } from '../core/skbuff.ts'
import { softirqTimer } from '../core/softirq_timer.ts'
import { icmpSend } from './icmp.ts'
import { ICMP_EXC_FRAGTIME, ICMP_TIME_EXCEEDED } from './icmp_types.ts'
import { addrText } from './inet_addr.ts'
import { type InetPeer, inetGetpeerV4 } from './inetpeer.ts'
import {
  get16,
  get32,
  INET_ECN_MASK,
  IP_DF,
  IP_MF,
  IP_OFFSET,
  IPSKB_FRAG_COMPLETE,
  IPSKB_FRAG_PMTU,
  ipSendCheck,
  OFF_DADDR,
  OFF_FRAG_OFF,
  OFF_ID,
  OFF_PROTOCOL,
  OFF_SADDR,
  OFF_TOS,
  OFF_TOT_LEN,
  put16,
} from './ip.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { ipRouteInput } from './route.ts'
import type { Rtable } from './rtable.ts'
import {
  IPSTATS_MIB_REASMFAILS,
  IPSTATS_MIB_REASMOKS,
  IPSTATS_MIB_REASMOVERLAPS,
  IPSTATS_MIB_REASMREQDS,
  IPSTATS_MIB_REASMTIMEOUT,
  ipInc,
} from './snmp.ts'

/** Who reassembles: fragments of different users never meet. */
export const IP_DEFRAG_LOCAL_DELIVER = 0
export const IP_DEFRAG_CALL_RA_CHAIN = 1
export const IP_DEFRAG_CONNTRACK_IN = 2
export const IP_DEFRAG_CONNTRACK_OUT = 3
export const IP_DEFRAG_VS_IN = 4
export const IP_DEFRAG_AF_PACKET = 5

/** What a queue itself costs, bytes. */
const QUEUE_SIZE = 232

/** A piece that has come: its place in the payload. */
interface Piece {
  readonly skb: SkBuff
  readonly offset: number
  readonly end: number
}

/** A packet on the way to being whole (`ipq`). */
class IpQueue {
  readonly frags: IpFrags
  readonly saddr: number
  readonly daddr: number
  /** identification, protocol, user and L3 domain in one number */
  readonly rest: number
  readonly user: number
  readonly peer: InetPeer | undefined
  readonly timer: Timer
  /** by offset */
  pieces: Piece[] = []
  /** bytes of payload there are, and there will be as far as known */
  meat = 0
  len = 0
  firstIn = false
  lastIn = false
  complete = false
  /** longest fragment, and longest with DF, bytes with header */
  maxSize = 0
  maxDfSize = 0
  /** which ECN values were seen, one bit each */
  ecn = 0
  /** device the last piece came by */
  iif = 0
  /** how many fragments the peer had sent when the last one came */
  rid = 0
  mem = QUEUE_SIZE

  constructor(frags: IpFrags, saddr: number, daddr: number, rest: number, user: number, peer: InetPeer | undefined) {
    this.frags = frags
    this.saddr = saddr
    this.daddr = daddr
    this.rest = rest
    this.user = user
    this.peer = peer
    this.timer = softirqTimer(frags.net.kernel, () => expire(this))
  }
}

/** The queues of a namespace. */
class IpFrags {
  readonly net: Net
  readonly queues = new Map<number, IpQueue[]>()
  /** queues there are, and bytes they hold */
  count = 0
  mem = 0

  constructor(net: Net) {
    this.net = net
  }
}

const fragsKey = pernetKey<IpFrags>('ip_frags')

/** Makes a namespace's empty table. */
export function ipFragInit(net: Net): void {
  net.set(fragsKey, new IpFrags(net))
}

/** Drops everything. */
export function ipFragExit(net: Net): void {
  for (const list of [...net.at(fragsKey).queues.values()]) for (const q of [...list]) kill(q)
}

/** @returns queues and bytes, as /proc/net/sockstat shows them */
export function ipFragStat(net: Net): { readonly inuse: number; readonly memory: number } {
  const { count, mem } = net.at(fragsKey)
  return { inuse: count, memory: mem }
}

function hashOf(saddr: number, daddr: number, rest: number): number {
  return (Math.imul(saddr, 0x9e3779b1) ^ Math.imul(daddr, 0x85ebca6b) ^ Math.imul(rest, 0xc2b2ae35)) >>> 0
}

function kill(q: IpQueue): void {
  if (q.complete) return
  q.complete = true
  const { frags } = q
  frags.net.kernel.clock.del(q.timer)
  const hash = hashOf(q.saddr, q.daddr, q.rest)
  const list = frags.queues.get(hash)!
  list.splice(list.indexOf(q), 1)
  if (list.length === 0) frags.queues.delete(hash)
  frags.count--
  frags.mem -= q.mem
  for (const { skb } of q.pieces) skb.free('inet_frag_rbtree_purge', 'NOT_SPECIFIED')
  q.pieces = []
}

/** Finds the queue a fragment belongs to, or makes it (ip_find). @returns undefined where memory is used up */
function find(net: Net, skb: SkBuff, user: number, vif: number): IpQueue | undefined {
  const frags = net.at(fragsKey)
  const { buf, networkHeader: iph } = skb
  const saddr = get32(buf, iph + OFF_SADDR)
  const daddr = get32(buf, iph + OFF_DADDR)
  const rest = get16(buf, iph + OFF_ID) + buf[iph + OFF_PROTOCOL]! * 0x10000 + user * 0x1000000 + vif * 0x100000000
  const hash = hashOf(saddr, daddr, rest)
  const list = frags.queues.get(hash)
  if (list !== undefined) for (const q of list) if (q.saddr === saddr && q.daddr === daddr && q.rest === rest) return q
  const conf = net.at(ipv4Key)
  if (conf.ipfragHighThresh === 0 || frags.mem > conf.ipfragHighThresh) return undefined
  const peer = conf.ipfragMaxDist !== 0 ? inetGetpeerV4(net, saddr, vif) : undefined
  const q = new IpQueue(frags, saddr, daddr, rest, user, peer)
  if (list === undefined) frags.queues.set(hash, [q])
  else list.push(q)
  frags.count++
  frags.mem += q.mem
  const { clock } = net.kernel
  clock.mod(q.timer, clock.now + conf.ipfragTime * NSEC_PER_SEC)
  return q
}

/** A packet did not become whole in time: an end host says so (ip_expire). */
function expire(q: IpQueue): void {
  const { net } = q.frags
  ipInc(net, IPSTATS_MIB_REASMFAILS)
  ipInc(net, IPSTATS_MIB_REASMTIMEOUT)
  const head = q.firstIn ? q.pieces.shift()?.skb : undefined
  kill(q)
  const dev = net.devByIndex(q.iif)
  if (head === undefined) return
  if (dev !== undefined) {
    head.dev = dev
    const { buf, networkHeader: iph } = head
    const rc = ipRouteInput(head, q.daddr, q.saddr, buf[iph + OFF_TOS]!, dev)
    const local = rc === 0 && (head.dst as unknown as Rtable).type === RTN_LOCAL
    const quiet = q.user === IP_DEFRAG_AF_PACKET || q.user === IP_DEFRAG_CONNTRACK_IN
    if (rc === 0 && (local || !quiet)) icmpSend(head, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0)
  }
  head.free('ip_expire')
}

/**
 * Takes a fragment; the last one missing makes the packet whole (ip_defrag).
 * @param user IP_DEFRAG_… @returns the whole packet, or null: the fragment is kept or was dropped
 */
export function ipDefrag(net: Net, skb: SkBuff, user: number): SkBuff | null {
  ipInc(net, IPSTATS_MIB_REASMREQDS)
  skb.orphan()
  const dev = skb.dev ?? skb.dst?.dev
  const q = find(net, skb, user, dev === undefined ? 0 : l3mdevMasterIfindex(dev))
  if (q === undefined) {
    ipInc(net, IPSTATS_MIB_REASMFAILS)
    skb.free('ip_defrag')
    return null
  }
  return queue(q, skb)
}

/** More fragments of other packets have come from the peer than any reordering explains (ip_frag_too_far). */
function tooFar(q: IpQueue): boolean {
  const max = q.frags.net.at(ipv4Key).ipfragMaxDist
  if (q.peer === undefined || max === 0) return false
  const start = q.rid
  q.rid = ++q.peer.rid
  return q.pieces.length > 0 && q.rid - start > max
}

/** Starts anew with the same key (ip_frag_reinit). */
function reinit(q: IpQueue): void {
  const { net } = q.frags
  const { clock } = net.kernel
  ipInc(net, IPSTATS_MIB_REASMFAILS)
  clock.mod(q.timer, clock.now + net.at(ipv4Key).ipfragTime * NSEC_PER_SEC)
  for (const piece of q.pieces) piece.skb.free('inet_frag_rbtree_purge')
  q.pieces = []
  q.frags.mem -= q.mem - QUEUE_SIZE
  q.mem = QUEUE_SIZE
  q.meat = q.len = q.ecn = q.iif = q.maxSize = q.maxDfSize = 0
  q.firstIn = q.lastIn = false
}

function discard(q: IpQueue, skb: SkBuff, overlap = false): null {
  const { net } = q.frags
  if (overlap) ipInc(net, IPSTATS_MIB_REASMOVERLAPS)
  kill(q)
  ipInc(net, IPSTATS_MIB_REASMFAILS)
  return drop(skb)
}

function drop(skb: SkBuff, reason: DropReason = 'NOT_SPECIFIED'): null {
  skb.free('ip_frag_queue', reason)
  return null
}

/** Puts a fragment into its queue (ip_frag_queue). */
function queue(q: IpQueue, skb: SkBuff): SkBuff | null {
  if ((skb.cbFlags & IPSKB_FRAG_COMPLETE) === 0 && tooFar(q)) reinit(q)
  const { buf, networkHeader: iph } = skb
  const field = get16(buf, iph + OFF_FRAG_OFF)
  const ihl = (buf[iph]! & 15) * 4
  const offset = (field & IP_OFFSET) << 3
  let end = offset + (skb.tail - iph) - ihl
  if ((field & IP_MF) === 0) {
    if (end < q.len || (q.lastIn && end !== q.len)) return discard(q, skb)
    q.lastIn = true
    q.len = end
  } else {
    if ((end & 7) !== 0) {
      end &= ~7
      if (skb.ipSummed !== CHECKSUM_UNNECESSARY) skb.ipSummed = CHECKSUM_NONE
    }
    if (end > q.len) {
      if (q.lastIn) return discard(q, skb)
      q.len = end
    }
  }
  if (end <= offset) return discard(q, skb)
  skb.data = iph + ihl
  skb.trim(end - offset)
  const place = placeOf(q.pieces, offset, end)
  if (place === DUPLICATE) return drop(skb)
  if (place === OVERLAP) return discard(q, skb, true)
  const dev = skb.dev
  const dst = skb.dst
  skb.dst = null
  q.pieces.splice(place, 0, { skb, offset, end })
  if (dev !== null) q.iif = dev.ifindex
  q.meat += end - offset
  q.ecn |= 1 << (buf[iph + OFF_TOS]! & INET_ECN_MASK)
  q.mem += skb.truesize
  q.frags.mem += skb.truesize
  if (offset === 0) q.firstIn = true
  const size = end - offset + ihl
  if (size > q.maxSize) q.maxSize = size
  if ((field & IP_DF) !== 0 && size > q.maxDfSize) q.maxDfSize = size
  if (!q.firstIn || !q.lastIn || q.meat !== q.len) return null
  const whole = reassemble(q, dev)
  if (whole !== null) whole.dst = dst
  return whole
}

const DUPLICATE = -1
const OVERLAP = -2

/** @returns where a piece goes, DUPLICATE where all of it is there already, OVERLAP where part of it is (inet_frag_queue_insert) */
function placeOf(pieces: readonly Piece[], offset: number, end: number): number {
  const last = pieces[pieces.length - 1]
  if (last === undefined) return 0
  if (last.end < end) return offset < last.end ? OVERLAP : pieces.length
  // runs of pieces without a hole count as one
  let i = 0
  while (i < pieces.length) {
    const first = pieces[i]!
    let runEnd = first.end
    let j = i + 1
    while (j < pieces.length && pieces[j]!.offset === runEnd) runEnd = pieces[j++]!.end
    if (end <= first.offset) return i
    if (offset < runEnd) return offset >= first.offset && end <= runEnd ? DUPLICATE : OVERLAP
    i = j
  }
  return pieces.length
}

/** Which ECN value the whole packet gets by those of its pieces: -1 for a mixture that cannot be (RFC 3168 §5.3). */
function combinedEcn(seen: number): number {
  const notEct = (seen & 1) !== 0
  const others = seen & ~1
  if (notEct && others !== 0) return -1
  const ce = (seen & 8) !== 0
  return ce && (seen & 6) !== 0 ? 3 : 0
}

/** All is there: one packet with the first piece's header (ip_frag_reasm). */
function reassemble(q: IpQueue, dev: NetDevice | null): SkBuff | null {
  const { net } = q.frags
  const head = q.pieces[0]!.skb
  const ecn = combinedEcn(q.ecn)
  const iph = head.networkHeader
  const ihl = (head.buf[iph]! & 15) * 4
  const len = ihl + q.len
  if (ecn < 0 || len > 0xffff) {
    if (len > 0xffff) net.kernel.log.print(6, `IPv4: Oversized IP packet from ${addrText(q.saddr)}`)
    kill(q)
    ipInc(net, IPSTATS_MIB_REASMFAILS)
    return null
  }
  // as much room in front as the first piece had, its link header with it
  const whole = net.kernel.skbs.alloc(head.data + q.len)
  whole.buf.set(head.buf.subarray(Math.max(0, head.macHeader), head.data), Math.max(0, head.macHeader))
  whole.reserve(iph)
  whole.put(len)
  let truesize = 0
  for (const { skb, offset } of q.pieces) {
    whole.buf.set(skb.bytes(), iph + ihl + offset)
    truesize += skb.truesize
  }
  whole.truesize = truesize
  whole.macHeader = head.macHeader
  whole.networkHeader = iph
  whole.transportHeader = iph + ihl
  whole.protocol = head.protocol
  whole.dev = dev
  whole.iif = head.iif
  whole.pktType = head.pktType
  whole.ipSummed = CHECKSUM_NONE
  whole.mark = head.mark
  whole.priority = head.priority
  whole.tstamp = q.pieces[q.pieces.length - 1]!.skb.tstamp
  whole.cbFlags = head.cbFlags
  whole.cbIif = head.cbIif
  whole.cbOptions = head.cbOptions
  whole.cbFragMaxSize = Math.max(q.maxDfSize, q.maxSize)
  if (head.nfct !== null) {
    head.nfct.get()
    whole.nfct = head.nfct
    whole.nfctinfo = head.nfctinfo
  }
  const pmtu = q.maxDfSize === q.maxSize
  if (pmtu) whole.cbFlags |= IPSKB_FRAG_PMTU
  put16(whole.buf, iph + OFF_TOT_LEN, len)
  put16(whole.buf, iph + OFF_FRAG_OFF, pmtu ? IP_DF : 0)
  whole.buf[iph + OFF_TOS]! |= ecn
  ipSendCheck(whole.buf, iph)
  for (const { skb } of q.pieces) skb.consume()
  q.pieces = []
  kill(q)
  ipInc(net, IPSTATS_MIB_REASMOKS)
  return whole
}
