/**
 * Softirqs: work that interrupts and transmissions leave for right after. Here they run when the outermost section
 * that disabled them ends (local_bh_enable) or at the end of an event, never nested.
 *
 * Work that keeps making work, such as frames in a loop of bridges, would never end. As in Linux, one opportunity makes a
 * limited number of passes; what is left then goes to the thread ksoftirqd: it works through
 * a pass per event, so that timers and processes have their turn, and until it is done everything new waits for it.
 */
import { type Clock, NSEC_PER_MSEC, NSEC_PER_USEC, Timer } from './clock.ts'

export const NET_TX_SOFTIRQ = 0
export const NET_RX_SOFTIRQ = 1

/** Passes that one opportunity makes at most (MAX_SOFTIRQ_RESTART). */
const MAX_RESTART = 10
/** Virtual time that it takes at most, ns (MAX_SOFTIRQ_TIME). */
const MAX_TIME = 2 * NSEC_PER_MSEC
/** How much longer work takes in ksoftirqd, which shares its processor with other threads. */
const THREAD_SLOWDOWN = 4
/** When ksoftirqd tries again where it found softirqs off, ns. */
const RETRY = NSEC_PER_USEC

/** The pending softirqs of a CPU and their handlers. */
export class Softirq {
  private readonly clock: Clock
  private pending = 0
  private depth = 0
  private readonly actions: (() => void)[] = [() => {}, () => {}]
  /** ksoftirqd: waits for its next pass while it has work */
  private readonly thread: Timer
  private inThread = false
  /** time that the pass of ksoftirqd under way takes, ns */
  private threadTime = 0
  /** runs per softirq, for /proc/softirqs */
  readonly counts = [0, 0]

  constructor(clock: Clock) {
    this.clock = clock
    this.thread = new Timer(() => this.runThread())
  }

  /** Sets what a softirq does. It must come to an end: for the rest it raises itself again. */
  open(nr: number, action: () => void): void {
    this.actions[nr] = action
  }

  /** Marks a softirq as pending; it runs at the next opportunity. */
  raise(nr: number): void {
    this.pending |= 1 << nr
  }

  /** Begins a section in which softirqs wait (local_bh_disable). */
  disable(): void {
    this.depth++
  }

  /** Ends it, and runs what is pending where it was the outermost (local_bh_enable). */
  enable(): void {
    if (--this.depth === 0 && this.pending !== 0) this.run()
  }

  /** Runs what is pending unless a section or another run is under way (irq_exit). */
  flush(): void {
    if (this.depth === 0 && this.pending !== 0) this.run()
  }

  /** Lets `ns` pass for the work of a softirq. */
  elapse(ns: number): void {
    if (this.inThread) this.threadTime += ns * THREAD_SLOWDOWN
    else this.clock.elapse(ns)
  }

  /** @returns whether code runs in softirq context or with softirqs off */
  get active(): boolean {
    return this.depth > 0
  }

  /** @returns whether there is more work than one opportunity could do, and ksoftirqd is at it */
  get threaded(): boolean {
    return this.thread.pending || this.inThread
  }

  private run(): void {
    if (this.thread.pending) return
    const end = this.clock.now + MAX_TIME
    for (let restart = MAX_RESTART; restart > 0; restart--) {
      this.pass()
      if (this.pending === 0) return
      if (this.clock.now >= end) break
    }
    this.clock.mod(this.thread, this.clock.now)
  }

  /** Runs everything that is pending once. */
  private pass(): void {
    const { pending, actions } = this
    this.pending = 0
    this.depth++
    for (let nr = 0; nr < actions.length; nr++) {
      if ((pending & (1 << nr)) === 0) continue
      this.counts[nr]!++
      actions[nr]!()
    }
    this.depth--
  }

  private runThread(): void {
    const { clock } = this
    if (this.depth > 0) {
      clock.mod(this.thread, clock.now + RETRY)
      return
    }
    this.inThread = true
    this.threadTime = 0
    this.pass()
    this.inThread = false
    if (this.pending !== 0) clock.mod(this.thread, clock.now + Math.max(this.threadTime, 1))
  }
}
