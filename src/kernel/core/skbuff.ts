/**
 * `sk_buff`: a packet. Bytes live in one pooled buffer between `head` (0) and `end`; `data` and `tail` bound the packet
 * as the current layer sees it. Pushing, pulling and trimming move offsets and copy nothing; a clone shares the buffer.
 */

import type { DropReason } from './dropreason.ts'
import type { DstEntry } from './dst.ts'
import type { NetDevice } from './net_device.ts'
import type { Tracepoints } from './trace.ts'

/** `pktType`: whom a received frame was for, as packet(7) shows it. */
export const PACKET_HOST = 0
export const PACKET_BROADCAST = 1
export const PACKET_MULTICAST = 2
export const PACKET_OTHERHOST = 3
export const PACKET_OUTGOING = 4
export const PACKET_LOOPBACK = 5

/** `ipSummed`: the state of the transport checksum. */
export const CHECKSUM_NONE = 0
export const CHECKSUM_UNNECESSARY = 1
export const CHECKSUM_COMPLETE = 2
/** the checksum from `csumStart` on is still to be stored at `csumStart + csumOffset` */
export const CHECKSUM_PARTIAL = 3

/** Room kept in front of a packet for headers yet to come, bytes. */
export const MAX_HEADER = 160
/** What an skb costs a socket buffer beside its data, bytes (SKB_TRUESIZE of the reference kernel). */
export const SKB_OVERHEAD = 576

/** A buffer that one or several skbs (clones) share. */
class SkbData {
  readonly bytes: Uint8Array
  /** index of the pool it returns to, -1 for none */
  readonly pool: number
  refs = 1
  next: SkbData | null = null

  constructor(size: number, pool: number) {
    this.bytes = new Uint8Array(size)
    this.pool = pool
  }
}

/** Buffer sizes that are pooled, bytes. */
const POOL_SIZES = [512, 2048, 16384, 68608] as const
/** Buffers kept per pool at most. */
const POOL_DEPTH = [4096, 4096, 512, 128] as const

const EMPTY = new SkbData(0, -1)
EMPTY.refs = Number.MAX_SAFE_INTEGER

/** What a connection tracker hangs on a packet. Declared by netfilter. */
export interface NfConntrackRef {
  get(): void
  put(): void
}

/** What a socket hangs on a packet it owns: told when the packet is freed, so that buffer accounting runs down. */
export interface SkbOwner {
  /** @param truesize bytes to give back */
  skbFreed(truesize: number): void
}

/** A packet. Only `SkbPool.alloc` makes one; it goes back with `free` or `consume`. */
export class SkBuff {
  private shared: SkbData = EMPTY
  /** the buffer; offsets below count from its start */
  buf: Uint8Array = EMPTY.bytes
  data = 0
  tail = 0
  end = 0
  macHeader = -1
  networkHeader = -1
  transportHeader = -1
  innerNetworkHeader = -1
  innerTransportHeader = -1
  /** Ethernet protocol, host order */
  protocol = 0
  dev: NetDevice | null = null
  /** index of the device it came in on, 0 for local packets */
  iif = 0
  pktType = PACKET_HOST
  ipSummed = CHECKSUM_NONE
  /** absolute offset in the buffer where a partial checksum begins */
  csumStart = 0
  /** where it is stored, counted from `csumStart` */
  csumOffset = 0
  mark = 0
  priority = 0
  /** receive or delivery time, ns since boot; 0 unset */
  tstamp = 0
  hash = 0
  queueMapping = 0
  /** tag taken out of the frame (or to be put in): control information, and its protocol (0: none) */
  vlanTci = 0
  vlanProto = 0
  gsoSize = 0
  gsoSegs = 0
  gsoType = 0
  dst: DstEntry | null = null
  owner: SkbOwner | null = null
  truesize = 0
  nfct: NfConntrackRef | null = null
  nfctinfo = 0
  /** the packet must not be touched by connection tracking again */
  nfTrace = false
  /** inet control block: options, flags and fragment state of the layer that holds the packet (IPCB, IP6CB) */
  cbFlags = 0
  cbIif = 0
  cbOptions: object | null = null
  cbFragMaxSize = 0
  /** qdisc control block */
  cbPktLen = 0
  cbTime = 0
  /** mac header was made by us on the way out */
  encapsulation = false
  /** tc: which hook redirected it, so that it is not classified twice */
  tcSkipClassify = false
  redirected = false
  fromIngress = false
  slowGro = false
  /** bridge: came in through this port's device (physindev), netfilter's view */
  brPhysindev: NetDevice | null = null
  /** offload forwarding or encapsulation metadata of collect_md tunnels */
  tunInfo: object | null = null
  /** link in the list that holds it */
  next: SkBuff | null = null
  private readonly pool: SkbPool
  private users = 0

  /** Used by SkbPool. */
  constructor(pool: SkbPool) {
    this.pool = pool
  }

  /** bytes of the packet */
  get len(): number {
    return this.tail - this.data
  }

  /** bytes free in front */
  get headroom(): number {
    return this.data
  }

  /** bytes free behind */
  get tailroom(): number {
    return this.end - this.tail
  }

  /** Adds `n` bytes at the end (skb_put). @returns where they begin */
  put(n: number): number {
    const at = this.tail
    this.tail += n
    if (this.tail > this.end) throw new Error(`skb_over_panic: put ${n} at ${at}, end ${this.end}`)
    return at
  }

  /** Adds `n` bytes in front (skb_push). @returns the new start */
  push(n: number): number {
    this.data -= n
    if (this.data < 0) throw new Error(`skb_under_panic: push ${n}`)
    return this.data
  }

  /** Takes `n` bytes off the front (skb_pull). @returns the new start; callers check the length first */
  pull(n: number): number {
    this.data += n
    return this.data
  }

  /** Cuts to `len` bytes (skb_trim). */
  trim(len: number): void {
    if (len < this.len) this.tail = this.data + len
  }

  /** Leaves room in front of an empty packet (skb_reserve). */
  reserve(n: number): void {
    this.data += n
    this.tail += n
  }

  resetMacHeader(): void {
    this.macHeader = this.data
  }

  resetNetworkHeader(): void {
    this.networkHeader = this.data
  }

  resetTransportHeader(): void {
    this.transportHeader = this.data
  }

  /** @returns the packet's bytes as a view that is valid only until the packet is freed or changed */
  bytes(): Uint8Array {
    return this.buf.subarray(this.data, this.tail)
  }

  /** One more holder (skb_get). */
  get(): this {
    this.users++
    return this
  }

  /** @returns whether others hold this skb (skb_shared) */
  get isShared(): boolean {
    return this.users > 1
  }

  /** @returns whether others share its bytes (skb_cloned): write only after `unshare` */
  get isCloned(): boolean {
    return this.shared.refs > 1
  }

  /** Drops the packet, with why and in which function (kfree_skb_reason). */
  free(location: string, reason: DropReason = 'NOT_SPECIFIED'): void {
    if (--this.users > 0) return
    if (this.pool.trace.kfreeSkb.enabled) this.pool.trace.kfreeSkb.fire(this, location, reason)
    this.pool.release(this)
  }

  /** The packet has arrived where it should: gives it back (consume_skb). */
  consume(): void {
    if (--this.users > 0) return
    if (this.pool.trace.consumeSkb.enabled) this.pool.trace.consumeSkb.fire(this)
    this.pool.release(this)
  }

  /** Lets go of the route (skb_dst_drop). */
  dstDrop(): void {
    this.dst = null
  }

  /** Ends the owner's accounting (skb_orphan). */
  orphan(): void {
    const owner = this.owner
    if (owner !== null) {
      this.owner = null
      owner.skbFreed(this.truesize)
    }
  }

  /** Charges the packet to a socket until it is freed. */
  setOwner(owner: SkbOwner): void {
    this.orphan()
    this.owner = owner
  }

  /** Another skb over the same bytes (skb_clone). */
  clone(): SkBuff {
    const copy = this.pool.shell()
    copy.copyHeader(this)
    this.shared.refs++
    copy.shared = this.shared
    copy.buf = this.buf
    return copy
  }

  /** A packet of its own with at least this room in front and behind (skb_copy_expand). */
  copy(headroom: number = this.data, tailroom: number = 0): SkBuff {
    const copy = this.pool.alloc(headroom + this.len + tailroom)
    const shift = headroom - this.data
    const { buf, shared, end } = copy
    copy.copyHeader(this)
    copy.buf = buf
    copy.shared = shared
    copy.end = end
    // headers above the data (a MAC header already pulled) stay readable
    const from = Math.max(0, this.macHeader >= 0 ? Math.min(this.macHeader, this.data) : this.data, -shift)
    buf.set(this.buf.subarray(from, this.tail), from + shift)
    copy.shiftOffsets(shift)
    return copy
  }

  /** Makes the bytes this skb's own, so that they may be written (skb_unclone / skb_cow with no more room). */
  unshare(): void {
    if (this.shared.refs > 1) this.expandHead(0, 0)
  }

  /** Makes sure of `headroom` free bytes in front and that the bytes may be written (skb_cow_head). */
  cow(headroom: number): void {
    if (this.shared.refs > 1 || this.data < headroom) this.expandHead(Math.max(0, headroom - this.data), 0)
  }

  /** Moves the bytes to a buffer with this much more room in front and behind (pskb_expand_head). */
  expandHead(more: number, behind: number): void {
    const old = this.shared
    const fresh = this.pool.takeData(this.end + more + behind)
    fresh.bytes.set(this.buf.subarray(0, this.tail), more)
    this.shared = fresh
    this.buf = fresh.bytes
    this.end = fresh.bytes.length
    this.shiftOffsets(more)
    this.pool.putData(old)
  }

  /** Used by SkbPool: gives a fresh skb its buffer. */
  attach(data: SkbDataHandle): void {
    const shared = data as SkbData
    this.shared = shared
    this.buf = shared.bytes
    this.end = shared.bytes.length
    this.data = 0
    this.tail = 0
    this.users = 1
    this.truesize = shared.bytes.length + SKB_OVERHEAD
  }

  /** Used by SkbPool: everything back to a new packet's state, the buffer let go. */
  reset(): void {
    if (this.owner !== null) this.orphan()
    if (this.nfct !== null) {
      this.nfct.put()
      this.nfct = null
    }
    this.pool.putData(this.shared)
    this.shared = EMPTY
    this.buf = EMPTY.bytes
    this.macHeader = this.networkHeader = this.transportHeader = -1
    this.innerNetworkHeader = this.innerTransportHeader = -1
    this.protocol = this.iif = this.pktType = this.ipSummed = 0
    this.csumStart = this.csumOffset = 0
    this.mark = this.priority = this.tstamp = this.hash = this.queueMapping = 0
    this.vlanTci = this.vlanProto = 0
    this.gsoSize = this.gsoSegs = this.gsoType = 0
    this.dev = null
    this.dst = null
    this.nfctinfo = 0
    this.nfTrace = false
    this.resetCb()
    this.cbPktLen = this.cbTime = 0
    this.encapsulation = this.tcSkipClassify = this.redirected = this.fromIngress = this.slowGro = false
    this.brPhysindev = null
    this.tunInfo = null
    this.next = null
  }

  /** Clears the inet control block: every layer that takes a packet over does so. */
  resetCb(): void {
    this.cbFlags = 0
    this.cbIif = 0
    this.cbOptions = null
    this.cbFragMaxSize = 0
  }

  private copyHeader(from: SkBuff): void {
    this.data = from.data
    this.tail = from.tail
    this.end = from.end
    this.macHeader = from.macHeader
    this.networkHeader = from.networkHeader
    this.transportHeader = from.transportHeader
    this.innerNetworkHeader = from.innerNetworkHeader
    this.innerTransportHeader = from.innerTransportHeader
    this.protocol = from.protocol
    this.dev = from.dev
    this.iif = from.iif
    this.pktType = from.pktType
    this.ipSummed = from.ipSummed
    this.csumStart = from.csumStart
    this.csumOffset = from.csumOffset
    this.mark = from.mark
    this.priority = from.priority
    this.tstamp = from.tstamp
    this.hash = from.hash
    this.queueMapping = from.queueMapping
    this.vlanTci = from.vlanTci
    this.vlanProto = from.vlanProto
    this.gsoSize = from.gsoSize
    this.gsoSegs = from.gsoSegs
    this.gsoType = from.gsoType
    this.dst = from.dst
    this.truesize = from.truesize
    if (from.nfct !== null) {
      from.nfct.get()
      this.nfct = from.nfct
    }
    this.nfctinfo = from.nfctinfo
    this.nfTrace = from.nfTrace
    this.cbFlags = from.cbFlags
    this.cbIif = from.cbIif
    this.cbOptions = from.cbOptions
    this.cbFragMaxSize = from.cbFragMaxSize
    this.cbPktLen = from.cbPktLen
    this.encapsulation = from.encapsulation
    this.tcSkipClassify = from.tcSkipClassify
    this.redirected = from.redirected
    this.fromIngress = from.fromIngress
    this.brPhysindev = from.brPhysindev
    this.tunInfo = from.tunInfo
  }

  private shiftOffsets(by: number): void {
    this.data += by
    this.tail += by
    if (this.macHeader >= 0) this.macHeader += by
    if (this.networkHeader >= 0) this.networkHeader += by
    if (this.transportHeader >= 0) this.transportHeader += by
    if (this.innerNetworkHeader >= 0) this.innerNetworkHeader += by
    if (this.innerTransportHeader >= 0) this.innerTransportHeader += by
    this.csumStart += by
  }
}

/** What SkbPool and SkBuff hand each other. */
export type SkbDataHandle = object

/** Allocates packets and takes them back; keeps count, so that a leak shows. One per kernel. */
export class SkbPool {
  readonly trace: Tracepoints
  private shells: SkBuff | null = null
  private readonly free: (SkbData | null)[] = POOL_SIZES.map(() => null)
  private readonly depth: number[] = POOL_SIZES.map(() => 0)
  /** packets that are out now */
  inUse = 0

  constructor(trace: Tracepoints) {
    this.trace = trace
  }

  /** A packet with a buffer of at least `size` bytes, data and tail at its start (alloc_skb). */
  alloc(size: number): SkBuff {
    const skb = this.shell()
    skb.attach(this.takeData(size))
    return skb
  }

  /** Used by SkBuff: an skb without a buffer, with one holder. */
  shell(): SkBuff {
    this.inUse++
    let skb = this.shells
    if (skb === null) skb = new SkBuff(this)
    else {
      this.shells = skb.next
      skb.next = null
    }
    skb.attach(EMPTY)
    return skb
  }

  /** Used by SkBuff: takes one back. */
  release(skb: SkBuff): void {
    this.inUse--
    skb.reset()
    skb.next = this.shells
    this.shells = skb
  }

  /** Used by SkBuff. @returns a buffer of at least `size` bytes */
  takeData(size: number): SkbData {
    for (let i = 0; i < POOL_SIZES.length; i++) {
      if (size > POOL_SIZES[i]!) continue
      const data = this.free[i]!
      if (data === null) return new SkbData(POOL_SIZES[i]!, i)
      this.free[i] = data.next
      this.depth[i]!--
      data.next = null
      data.refs = 1
      return data
    }
    return new SkbData(size, -1)
  }

  /** Used by SkBuff: one reference to a buffer less. */
  putData(data: SkbData): void {
    if (data === EMPTY || --data.refs > 0) return
    const i = data.pool
    if (i < 0 || this.depth[i]! >= POOL_DEPTH[i]!) return
    data.next = this.free[i]!
    this.free[i] = data
    this.depth[i]!++
  }
}

/** A first-in, first-out list of packets (`sk_buff_head`), linked through `SkBuff.next`. */
export class SkbQueue {
  private head: SkBuff | null = null
  private last: SkBuff | null = null
  /** packets in the list */
  qlen = 0

  /** @returns the first packet, which stays in the list */
  peek(): SkBuff | null {
    return this.head
  }

  /** Appends a packet. */
  enqueue(skb: SkBuff): void {
    skb.next = null
    if (this.last === null) this.head = skb
    else this.last.next = skb
    this.last = skb
    this.qlen++
  }

  /** Puts a packet in front. */
  requeue(skb: SkBuff): void {
    skb.next = this.head
    this.head = skb
    if (this.last === null) this.last = skb
    this.qlen++
  }

  /** Takes the first packet out. */
  dequeue(): SkBuff | null {
    const skb = this.head
    if (skb === null) return null
    this.head = skb.next
    if (this.head === null) this.last = null
    skb.next = null
    this.qlen--
    return skb
  }

  /** Drops everything. */
  purge(location: string, reason: DropReason = 'NOT_SPECIFIED'): void {
    for (let skb = this.dequeue(); skb !== null; skb = this.dequeue()) skb.free(location, reason)
  }
}
