/**
 * Resilient next hop groups: flows hash to buckets, each bucket holds a next hop, and when the group changes only idle
 * buckets (or, after a time, overweight ones) move. See the kernel's networking/nexthop-group-resilient document.
 */
import { NSEC_PER_MSEC, NSEC_PER_SEC, Timer, USER_HZ } from '../core/clock.ts'
import type { Net } from '../core/net_namespace.ts'
import type { Nexthop, NhGroup, NhGrpEntry } from './nexthop.ts'

/** How long a bucket must be unused to count as idle, ns. */
export const NH_RES_DEFAULT_IDLE_TIMER = 120 * NSEC_PER_SEC
/** Upkeep does not run more often than this, ns. */
const UPKEEP_INTERVAL = 500 * NSEC_PER_MSEC

/** @returns hundredths of a second */
export function toClockT(ns: number): number {
  return Math.floor((ns * USER_HZ) / NSEC_PER_SEC)
}

/** One bucket. */
export class NhResBucket {
  entry: NhGrpEntry | undefined
  /** false: its next hop has left the group */
  occupied = false
  /** ns since boot; the same while nobody has used it since it moved */
  usedTime = 0
  migratedTime = 0
}

/** The buckets of a group (`nh_res_table`). */
export class NhResTable {
  readonly buckets: NhResBucket[]
  /** ns; unbalanced 0: never force */
  idleTimer: number
  unbalancedTimer: number
  private underweight: NhGrpEntry[] = []
  private unbalancedSince = 0
  private readonly net: Net
  private readonly timer: Timer
  /** in time, a bucket has got another next hop: listeners hear of it (not of those that requests move) */
  onMigrate: ((index: number) => void) | undefined

  constructor(net: Net, buckets: number, idleTimer: number, unbalancedTimer: number) {
    this.net = net
    this.buckets = Array.from({ length: buckets }, () => new NhResBucket())
    this.idleTimer = idleTimer
    this.unbalancedTimer = unbalancedTimer
    this.timer = new Timer(() => this.upkeep(true))
  }

  private get now(): number {
    return this.net.kernel.clock.now
  }

  /** how long the group has been out of balance, ns; 0 where it is not */
  get unbalancedTime(): number {
    return this.underweight.length === 0 ? 0 : this.now - this.unbalancedSince
  }

  /** @returns the next hop of a flow. @param hash 31 bits */
  select(hash: number): Nexthop {
    const bucket = this.buckets[hash % this.buckets.length]!
    bucket.usedTime = this.now
    return bucket.entry!.nh
  }

  /** A new group without any history takes the buckets. */
  start(group: NhGroup): void {
    this.rebalance(group)
    this.upkeep(false)
  }

  /** The group's members have changed (replace_nexthop_grp_res): buckets of those that stayed stay. */
  replace(group: NhGroup): void {
    const was = this.underweight.length > 0
    const since = this.unbalancedSince
    this.net.kernel.clock.del(this.timer)
    for (const bucket of this.buckets) {
      const id = bucket.entry?.nh.id
      const entry = group.entries.find(it => it.nh.id === id)
      this.unset(bucket)
      if (entry !== undefined) this.set(bucket, entry)
    }
    this.rebalance(group)
    if (was && this.underweight.length > 0) this.unbalancedSince = since
    this.upkeep(false)
  }

  /** The group goes. */
  stop(): void {
    this.net.kernel.clock.del(this.timer)
  }

  private unset(bucket: NhResBucket): void {
    if (!bucket.occupied) return
    bucket.entry!.countBuckets--
    bucket.occupied = false
  }

  private set(bucket: NhResBucket, entry: NhGrpEntry): void {
    this.unset(bucket)
    bucket.occupied = true
    bucket.entry = entry
    entry.countBuckets++
  }

  /** Works out how many buckets each member should have, by its weight. */
  private rebalance(group: NhGroup): void {
    this.underweight = []
    let total = 0
    for (const entry of group.entries) total += entry.weight
    let w = 0
    let prev = 0
    for (const entry of group.entries) {
      w += entry.weight
      const bound = Math.round((this.buckets.length * w) / total)
      entry.wantsBuckets = bound - prev
      prev = bound
      if (entry.countBuckets < entry.wantsBuckets) {
        if (this.underweight.length === 0) this.unbalancedSince = this.now
        this.underweight.unshift(entry)
      }
    }
  }

  private idlePoint(bucket: NhResBucket): number {
    return bucket.usedTime === bucket.migratedTime ? this.now : bucket.usedTime + this.idleTimer
  }

  /** Moves what may move, and comes back when more may (nh_res_table_upkeep). */
  private upkeep(told: boolean): void {
    const { now } = this
    let deadline = now + (this.unbalancedTimer !== 0 ? this.unbalancedTimer : this.idleTimer)
    this.buckets.forEach((bucket, i) => {
      if (bucket.occupied) {
        const entry = bucket.entry!
        if (entry.countBuckets <= entry.wantsBuckets) return
        const idle = this.idlePoint(bucket)
        const forced = this.unbalancedTimer !== 0 && now > this.unbalancedSince + this.unbalancedTimer
        if (now < idle && !forced) {
          if (this.unbalancedTimer !== 0) deadline = Math.min(deadline, this.unbalancedSince + this.unbalancedTimer)
          deadline = Math.min(deadline, idle)
          return
        }
      }
      this.migrate(bucket, i, told)
    })
    if (this.underweight.length > 0) this.net.kernel.clock.mod(this.timer, Math.max(deadline, now + UPKEEP_INTERVAL))
  }

  private migrate(bucket: NhResBucket, index: number, told: boolean): void {
    const entry = this.underweight[0]
    if (entry === undefined) return
    this.set(bucket, entry)
    bucket.usedTime = bucket.migratedTime = this.now
    if (told) this.onMigrate?.(index)
    if (entry.countBuckets === entry.wantsBuckets) this.underweight.shift()
  }
}
