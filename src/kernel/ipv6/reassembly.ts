/** Reassembly of fragments (RFC 8200 §4.5, RFC 5722): overlapping fragments void the whole packet. */
import { IPPROTO_FRAGMENT } from '../../uapi/socket.ts'
import { NSEC_PER_SEC, type Timer } from '../core/clock.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { CHECKSUM_NONE, type SkBuff } from '../core/skbuff.ts'
import { softirqTimer } from '../core/softirq_timer.ts'
import type { Kernel } from '../kernel.ts'
import { addrEqualAt, addrHashAt, addrTypeAt, IPV6_ADDR_LINKLOCAL, IPV6_ADDR_MULTICAST } from './addr.ts'
import {
  ICMPV6_EXC_FRAGTIME,
  ICMPV6_HDR_FIELD,
  ICMPV6_HDR_INCOMP,
  ICMPV6_TIME_EXCEED,
  icmpv6ParamProb,
  icmpv6Send,
} from './icmp_send.ts'
import {
  FRAG_HLEN,
  get16,
  get32,
  IPV6_HLEN,
  IPV6_MAXPLEN,
  isExtHdr,
  OFF_DADDR,
  OFF_PAYLOAD_LEN,
  OFF_SADDR,
  put16,
  skipExtHdrs,
} from './ip6.ts'
import { IP6SKB_FRAGMENTED, nhoffOf, withNhoff } from './ip6cb.ts'
import { ipv6Key } from './netns_ipv6.ts'
import { inet6AddProtocol } from './protocol6.ts'
import type { Rt6Info } from './rt6_info.ts'
import {
  IPSTATS_MIB_INHDRERRORS,
  IPSTATS_MIB_REASMFAILS,
  IPSTATS_MIB_REASMOKS,
  IPSTATS_MIB_REASMREQDS,
  IPSTATS_MIB_REASMTIMEOUT,
  ip6Inc,
} from './snmp.ts'

/** More fragments follow. */
const IP6_MF = 1
/** The offset, in bytes, within the field. */
const IP6_OFFSET = 0xfff8

/** A received piece. */
interface Piece {
  readonly offset: number
  readonly end: number
  readonly skb: SkBuff
}

/** A packet that is being put together (`frag_queue`). */
class FragQueue {
  readonly id: number
  readonly addrs: Uint8Array
  readonly iif: number
  /** by offset */
  readonly pieces: Piece[] = []
  /** bytes the pieces have, and those the packet is known to need */
  meat = 0
  len = 0
  lastIn = false
  ecn = 0
  /** largest fragment, as a packet */
  maxSize = 0
  mem = 0
  readonly timer: Timer

  constructor(kernel: Kernel, id: number, addrs: Uint8Array, iif: number, expire: (fq: FragQueue) => void) {
    this.id = id
    this.addrs = addrs
    this.iif = iif
    this.timer = softirqTimer(kernel, () => expire(this))
  }
}

/** The packets of a namespace that are being put together. */
class Frags6 {
  private readonly net: Net
  private readonly buckets = new Map<number, FragQueue[]>()
  /** bytes held, and packets */
  mem = 0
  count = 0

  constructor(net: Net) {
    this.net = net
  }

  /** @returns the packet a fragment belongs to, a new one where it is the first; undefined where memory is used up */
  find(id: number, buf: Uint8Array, addrs: number, iif: number): FragQueue | undefined {
    const hash = (addrHashAt(buf, addrs) ^ addrHashAt(buf, addrs + 16) ^ id) >>> 0
    const bucket = this.buckets.get(hash)
    const known = bucket?.find(
      fq => fq.id === id && fq.iif === iif && addrEqualAt(buf, addrs, fq.addrs) && tailEqual(buf, addrs + 16, fq.addrs),
    )
    if (known !== undefined) return known
    const ns = this.net.at(ipv6Key)
    if (this.mem > ns.ip6fragHighThresh || ns.ip6fragHighThresh <= 0) return undefined
    const fq = new FragQueue(this.net.kernel, id, buf.slice(addrs, addrs + 32), iif, queue => this.expire(queue))
    if (bucket === undefined) this.buckets.set(hash, [fq])
    else bucket.push(fq)
    this.count++
    const { clock } = this.net.kernel
    clock.mod(fq.timer, clock.now + ns.ip6fragTime * NSEC_PER_SEC)
    return fq
  }

  /** Takes a packet out; its pieces stay with the caller. */
  kill(fq: FragQueue): void {
    this.net.kernel.clock.del(fq.timer)
    const hash = (addrHashAt(fq.addrs, 0) ^ addrHashAt(fq.addrs, 16) ^ fq.id) >>> 0
    const bucket = this.buckets.get(hash)
    const at = bucket?.indexOf(fq) ?? -1
    if (at < 0) return
    bucket!.splice(at, 1)
    if (bucket!.length === 0) this.buckets.delete(hash)
    this.count--
    this.mem -= fq.mem
  }

  /** The packet cannot be completed: all pieces go. */
  discard(fq: FragQueue, idev: Rt6Info['idev']): void {
    this.kill(fq)
    for (const { skb } of fq.pieces.splice(0)) skb.free('inet_frag_rbtree_purge')
    ip6Inc(this.net, idev?.stats, IPSTATS_MIB_REASMFAILS)
  }

  /** Time is over (ip6frag_expire_frag_queue). */
  private expire(fq: FragQueue): void {
    this.kill(fq)
    const first = fq.pieces[0]
    const dev = first?.skb.dev
    ip6Inc(this.net, undefined, IPSTATS_MIB_REASMFAILS)
    ip6Inc(this.net, undefined, IPSTATS_MIB_REASMTIMEOUT)
    if (first !== undefined && first.offset === 0 && dev !== null && dev?.regState === 'registered') {
      first.skb.data = first.skb.networkHeader
      icmpv6Send(first.skb, ICMPV6_TIME_EXCEED, ICMPV6_EXC_FRAGTIME, 0)
    }
    for (const { skb } of fq.pieces.splice(0)) skb.free('inet_frag_rbtree_purge')
  }

  /** The namespace ends. */
  exit(): void {
    for (const bucket of [...this.buckets.values()])
      for (const fq of [...bucket]) {
        this.kill(fq)
        for (const { skb } of fq.pieces.splice(0)) skb.free('inet_frag_rbtree_purge')
      }
  }
}

function tailEqual(buf: Uint8Array, at: number, addrs: Uint8Array): boolean {
  for (let i = 0; i < 16; i++) if (buf[at + i] !== addrs[16 + i]) return false
  return true
}

const key = pernetKey<Frags6>('frags6')

/** @returns packets that wait for fragments, and the bytes they hold: FRAG6 in /proc/net/sockstat6 */
export function frag6Usage(net: Net): { count: number; mem: number } {
  const { count, mem } = net.at(key)
  return { count, mem }
}

/** Makes the empty table of a namespace. */
export function ipv6FragNetInit(net: Net): void {
  net.set(key, new Frags6(net))
}

/** Empties it. */
export function ipv6FragNetExit(net: Net): void {
  net.at(key).exit()
}

/** @returns whether a first fragment lacks the upper layer's header (RFC 8200 §4.5) */
function headerTruncated(skb: SkBuff): boolean {
  const { buf, transportHeader: at, tail } = skb
  if ((get16(buf, at + 2) & IP6_OFFSET) !== 0) return false
  const { nexthdr, offset } = skipExtHdrs(buf, at + FRAG_HLEN, tail, buf[at]!)
  if (offset < 0) return true
  const need = nexthdr === 6 ? 20 : nexthdr === 17 || nexthdr === 58 ? 8 : isExtHdr(nexthdr) ? 0 : 1
  return offset + need > tail
}

function frag6Rcv(skb: SkBuff): number {
  const { net } = skb.dev!
  const { buf, networkHeader: nh, transportHeader: at } = skb
  const idev = (skb.dst as Rt6Info | null)?.idev
  const payload = get16(buf, nh + OFF_PAYLOAD_LEN)
  const again = (skb.cbFlags & IP6SKB_FRAGMENTED) !== 0
  if (!again) ip6Inc(net, idev?.stats, IPSTATS_MIB_REASMREQDS)
  if (again || payload === 0 || at + FRAG_HLEN > skb.tail) {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INHDRERRORS)
    icmpv6ParamProb(skb, ICMPV6_HDR_FIELD, at - nh)
    return -1
  }
  const field = get16(buf, at + 2)
  if ((field & (IP6_OFFSET | IP6_MF)) === 0) {
    // an atomic fragment (RFC 6946)
    skb.transportHeader += FRAG_HLEN
    ip6Inc(net, idev?.stats, IPSTATS_MIB_REASMOKS)
    skb.cbFlags = (withNhoff(skb.cbFlags, at - nh) | IP6SKB_FRAGMENTED) >>> 0
    skb.cbFragMaxSize = payload + IPV6_HLEN
    return 1
  }
  if (headerTruncated(skb)) {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INHDRERRORS)
    icmpv6ParamProb(skb, ICMPV6_HDR_INCOMP, 0)
    return -1
  }
  const frags = net.at(key)
  const local = (addrTypeAt(buf, nh + OFF_DADDR) & (IPV6_ADDR_MULTICAST | IPV6_ADDR_LINKLOCAL)) !== 0
  const fq = frags.find(get32(buf, at + 4), buf, nh + OFF_SADDR, local ? skb.dev!.ifindex : 0)
  if (fq === undefined) {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_REASMFAILS)
    skb.free('ipv6_frag_rcv')
    return -1
  }
  return queueFragment(frags, fq, skb, field, payload)
}

function queueFragment(frags: Frags6, fq: FragQueue, skb: SkBuff, field: number, payload: number): number {
  const { net } = skb.dev!
  const { networkHeader: nh, transportHeader: at } = skb
  const idev = (skb.dst as Rt6Info | null)?.idev
  const offset = field & IP6_OFFSET
  const end = offset + payload - (at + FRAG_HLEN - nh - IPV6_HLEN)
  const problem = (pointer: number): -1 => {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INHDRERRORS)
    icmpv6ParamProb(skb, ICMPV6_HDR_FIELD, pointer)
    return -1
  }
  const discard = (): -1 => {
    frags.discard(fq, idev)
    skb.free('ip6_frag_queue')
    return -1
  }
  if (end > IPV6_MAXPLEN) return problem(at + 2 - nh)
  if ((field & IP6_MF) === 0) {
    if (end < fq.len || (fq.lastIn && end !== fq.len)) return discard()
    fq.lastIn = true
    fq.len = end
  } else {
    if ((end & 7) !== 0) return problem(OFF_PAYLOAD_LEN)
    if (end > fq.len) {
      if (fq.lastIn) return discard()
      fq.len = end
    }
  }
  if (end <= offset) return discard()
  const { pieces } = fq
  let place = pieces.length
  while (place > 0 && pieces[place - 1]!.offset >= offset) place--
  const before = pieces[place - 1]
  const behind = pieces[place]
  if (behind !== undefined && behind.offset === offset && behind.end === end) {
    // a duplicate
    skb.free('ip6_frag_queue')
    return -1
  }
  if ((before !== undefined && before.end > offset) || (behind !== undefined && behind.offset < end)) return discard()
  pieces.splice(place, 0, { offset, end, skb })
  fq.meat += end - offset
  fq.mem += skb.truesize
  frags.mem += skb.truesize
  fq.maxSize = Math.max(fq.maxSize, end - offset + FRAG_HLEN + (at - nh))
  fq.ecn |= 1 << ((skb.buf[nh + 1]! >> 4) & 3)
  if (fq.lastIn && fq.meat === fq.len && pieces[0]!.offset === 0) return reassemble(frags, fq, skb)
  skb.dstDrop()
  return -1
}

/** All is there: the last piece that came becomes the whole packet. */
function reassemble(frags: Frags6, fq: FragQueue, skb: SkBuff): number {
  const { net } = skb.dev!
  const idev = (skb.dst as Rt6Info | null)?.idev
  frags.kill(fq)
  const first = fq.pieces[0]!.skb
  const hlen = first.transportHeader - first.networkHeader
  const total = hlen + fq.len
  if (total - IPV6_HLEN > IPV6_MAXPLEN) {
    for (const piece of fq.pieces) piece.skb.free('ip6_frag_reasm')
    ip6Inc(net, idev?.stats, IPSTATS_MIB_REASMFAILS)
    return -1
  }
  const whole = new Uint8Array(total)
  const from = first.networkHeader
  whole.set(first.buf.subarray(from, from + hlen))
  const nhoff = nhoffOf(first.cbFlags)
  // the header before now names what the fragment header named
  whole[nhoff] = first.buf[first.transportHeader]!
  for (const { offset, end, skb: piece } of fq.pieces) {
    const at = piece.transportHeader + FRAG_HLEN
    whole.set(piece.buf.subarray(at, at + end - offset), hlen + offset)
    if (piece !== skb) piece.consume()
  }
  put16(whole, OFF_PAYLOAD_LEN, total - IPV6_HLEN)
  const room = skb.end - skb.networkHeader
  if (room < total || skb.isCloned) skb.expandHead(0, Math.max(0, total - room))
  skb.buf.set(whole, skb.networkHeader)
  skb.tail = skb.networkHeader + total
  skb.transportHeader = skb.networkHeader + hlen
  skb.data = skb.transportHeader
  skb.ipSummed = CHECKSUM_NONE
  skb.cbFlags = (withNhoff(skb.cbFlags, nhoff) | IP6SKB_FRAGMENTED) >>> 0
  skb.cbFragMaxSize = fq.maxSize
  ip6Inc(net, idev?.stats, IPSTATS_MIB_REASMOKS)
  return 1
}

/** Registers the fragment header. */
export function ipv6FragInit(): void {
  inet6AddProtocol(IPPROTO_FRAGMENT, { handler: frag6Rcv, final: false })
}
