/** `rt6_info`: a route as a packet carries it, and the tables of what was learned about single destinations. */
import { NSEC_PER_SEC } from '../core/clock.ts'
import type { DstEntry } from '../core/dst.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { addrEqual, addrHash, IN6ADDR_ANY, type In6Addr } from './addr.ts'
import type { Inet6Dev } from './if_inet6.ts'
import { type Fib6, type Fib6Info, hasExpired, RTF_EXPIRES, RTF_GATEWAY } from './ip6_fib.ts'

/** What a dst does with a packet. */
export type DstFunction = (skb: SkBuff) => number

/** A destination of IPv6. */
export class Rt6Info implements DstEntry {
  dev: NetDevice
  error = 0
  /** DST_… */
  flags = 0
  expires = 0
  input: DstFunction
  output: DstFunction
  /** RTF_… as an unsigned number */
  rtFlags = 0
  dst: In6Addr = IN6ADDR_ANY
  dstLen = 0
  src: In6Addr = IN6ADDR_ANY
  srcLen = 0
  /** where packets go next; undefined: to the destination itself */
  gateway: In6Addr | undefined
  /** the device that the counters and addresses belong to: for local routes not `dev`, which is the loopback */
  idev: Inet6Dev | undefined
  /** the route it was made from; undefined once that has gone */
  from: Fib6Info | undefined
  /** a path MTU learned for this destination, bytes; 0 none */
  pmtu = 0
  /** when it was last asked for, ns since boot */
  lastUse = 0
  private readonly fib: Fib6
  private sernum: number

  constructor(fib: Fib6, dev: NetDevice, input: DstFunction, output: DstFunction) {
    this.fib = fib
    this.dev = dev
    this.input = input
    this.output = output
    this.sernum = fib.sernum
  }

  /** Routes have come or gone since it was looked up, or it has run out: a holder must look again. */
  get obsolete(): boolean {
    return (
      this.sernum !== this.fib.sernum || this.from?.node === undefined || this.expired(this.fib.net.kernel.clock.now)
    )
  }

  /** The lookup has just found it. */
  refresh(): void {
    this.sernum = this.fib.sernum
  }

  /** @returns whether the tables are as they were when it was made */
  get current(): boolean {
    return this.sernum === this.fib.sernum
  }

  /** @returns whether its time is over. @param now ns since boot */
  expired(now: number): boolean {
    if ((this.rtFlags & RTF_EXPIRES) !== 0) return now > this.expires
    return this.from !== undefined && hasExpired(this.from, now)
  }

  /** Copies the next hop for a destination: the gateway, or the destination itself (rt6_nexthop). */
  nexthop(daddr: In6Addr): In6Addr {
    return this.gateway ?? daddr
  }
}

/** Exceptions a next hop keeps at most; the oldest gives way. */
const MAX_EXCEPTIONS = 8192

/** What was learned about destinations behind one next hop: by a Packet Too Big message or a redirect. */
export class Rt6Exceptions {
  private readonly buckets = new Map<number, Rt6Info[]>()
  private count = 0

  /** @param src narrows where the route has a source prefix @returns what is known of a destination */
  find(dst: In6Addr, src: In6Addr | undefined): Rt6Info | undefined {
    const bucket = this.buckets.get(addrHash(dst))
    if (bucket === undefined) return undefined
    for (const rt of bucket)
      if (addrEqual(rt.dst, dst) && (rt.srcLen === 0 || src === undefined || addrEqual(rt.src, src))) return rt
    return undefined
  }

  /** Adds one in place of an older one for the same destination. @returns how many entries there are more */
  insert(rt: Rt6Info): number {
    const before = this.count
    const old = this.find(rt.dst, rt.srcLen > 0 ? rt.src : undefined)
    if (old !== undefined) this.remove(old)
    const hash = addrHash(rt.dst)
    const bucket = this.buckets.get(hash)
    if (bucket === undefined) this.buckets.set(hash, [rt])
    else bucket.push(rt)
    this.count++
    if (this.count > MAX_EXCEPTIONS) for (const oldest of this.all()) if (this.remove(oldest)) break
    return this.count - before
  }

  /** Takes one out. @returns whether it was there */
  remove(rt: Rt6Info): boolean {
    const hash = addrHash(rt.dst)
    const bucket = this.buckets.get(hash)
    const at = bucket?.indexOf(rt) ?? -1
    if (at < 0) return false
    bucket!.splice(at, 1)
    if (bucket!.length === 0) this.buckets.delete(hash)
    this.count--
    rt.from = undefined
    return true
  }

  /** Forgets everything. @returns how many there were */
  flush(): number {
    const { count } = this
    for (const rt of this.all()) this.remove(rt)
    return count
  }

  /** @returns all entries, as they are now */
  all(): Rt6Info[] {
    return [...this.buckets.values()].flat()
  }

  /**
   * Forgets what has run out, and redirects that nobody uses (rt6_age_exceptions).
   * @param now ns since boot @param timeout how long an unused redirect stays, ns
   * @param routerGone whether a gateway no longer says that it is a router
   * @returns how many went
   */
  age(now: number, timeout: number, routerGone: (rt: Rt6Info) => boolean): number {
    let gone = 0
    for (const rt of this.all()) {
      const over = (rt.rtFlags & RTF_EXPIRES) === 0 ? now >= rt.lastUse + timeout : now > rt.expires
      if (over || ((rt.rtFlags & RTF_GATEWAY) !== 0 && rt.pmtu === 0 && routerGone(rt))) {
        this.remove(rt)
        gone++
      }
    }
    return gone
  }

  /** how many there are */
  get size(): number {
    return this.count
  }
}

/** Seconds of sysctls as ns. */
export function seconds(n: number): number {
  return n * NSEC_PER_SEC
}
