/**
 * The event clock: virtual time in nanoseconds since boot, and the timers that wait for it.
 * Nothing here looks at the host's clock; the machine decides when the next event may run.
 */

/** One second, in the kernel's unit of time. */
export const NSEC_PER_SEC = 1e9
/** One millisecond. */
export const NSEC_PER_MSEC = 1e6
/** One microsecond. */
export const NSEC_PER_USEC = 1e3
/** Timer ticks per second of the reference kernel; the unit of several sysctls and netlink attributes is 1/USER_HZ. */
export const HZ = 250
/** Ticks per second as user space sees them. */
export const USER_HZ = 100
/** Length of a jiffy, ns. */
export const TICK_NSEC = NSEC_PER_SEC / HZ

/**
 * A timer: a function and the time at which it runs once. Embedded in what it belongs to and reused, so that setting
 * it allocates nothing (`struct timer_list`).
 */
export class Timer {
  /** when it fires, ns since boot */
  expires = 0
  /** order among timers of the same time */
  seq = 0
  /** place in the clock's heap, -1 where not pending */
  index = -1
  readonly fn: () => void

  constructor(fn: () => void) {
    this.fn = fn
  }

  /** @returns whether it waits to fire */
  get pending(): boolean {
    return this.index >= 0
  }
}

/** Virtual time and the heap of pending timers, earliest first, first set first among equals. */
export class Clock {
  private time = 0
  private seq = 0
  private readonly heap: Timer[] = []

  /** ns since boot */
  get now(): number {
    return this.time
  }

  /** @returns the time of the next event, ns since boot; Infinity where there is none */
  nextTime(): number {
    const first = this.heap[0]
    return first === undefined ? Number.POSITIVE_INFINITY : first.expires
  }

  /** Advances to the next event and runs it. A time that has already passed does not turn back. */
  runNext(): void {
    const timer = this.heap[0]
    if (timer === undefined) return
    this.remove(timer)
    if (timer.expires > this.time) this.time = timer.expires
    timer.fn()
  }

  /** Runs every event up to `until` (ns since boot) and stands there afterwards. */
  runUntil(until: number): void {
    while (this.nextTime() <= until) this.runNext()
    if (until > this.time) this.time = until
  }

  /** Lets `ns` pass without running events: the time that work takes. Events that fall due run late, as on a busy CPU. */
  elapse(ns: number): void {
    this.time += ns
  }

  /** Sets a timer to fire at `expires` (ns since boot), whether it was pending or not (mod_timer). */
  mod(timer: Timer, expires: number): void {
    timer.expires = expires
    timer.seq = this.seq++
    if (timer.index < 0) {
      timer.index = this.heap.length
      this.heap.push(timer)
      this.up(timer.index)
    } else if (!this.up(timer.index)) this.down(timer.index)
  }

  /** Stops a timer (del_timer). @returns whether it was pending */
  del(timer: Timer): boolean {
    if (timer.index < 0) return false
    this.remove(timer)
    return true
  }

  /** Runs a function once after `ns`. For rare events; frequent ones keep a Timer. @returns the timer, to stop it */
  after(ns: number, fn: () => void): Timer {
    const timer = new Timer(fn)
    this.mod(timer, this.time + ns)
    return timer
  }

  /** number of pending timers */
  get pending(): number {
    return this.heap.length
  }

  private before(a: Timer, b: Timer): boolean {
    return a.expires < b.expires || (a.expires === b.expires && a.seq < b.seq)
  }

  private remove(timer: Timer): void {
    const heap = this.heap
    const i = timer.index
    const last = heap.pop()!
    timer.index = -1
    if (last === timer) return
    heap[i] = last
    last.index = i
    if (!this.up(i)) this.down(i)
  }

  private up(i: number): boolean {
    const heap = this.heap
    const timer = heap[i]!
    let moved = false
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = heap[parent]!
      if (!this.before(timer, above)) break
      heap[i] = above
      above.index = i
      i = parent
      moved = true
    }
    heap[i] = timer
    timer.index = i
    return moved
  }

  private down(i: number): void {
    const heap = this.heap
    const timer = heap[i]!
    const n = heap.length
    for (;;) {
      let child = 2 * i + 1
      if (child >= n) break
      if (child + 1 < n && this.before(heap[child + 1]!, heap[child]!)) child++
      const below = heap[child]!
      if (!this.before(below, timer)) break
      heap[i] = below
      below.index = i
      i = child
    }
    heap[i] = timer
    timer.index = i
  }
}
