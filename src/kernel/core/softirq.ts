/**
 * Softirqs: work that interrupts and transmissions leave for right after. Here they run when the outermost section
 * that disabled them ends (local_bh_enable) or at the end of an event, never nested.
 */

export const NET_TX_SOFTIRQ = 0
export const NET_RX_SOFTIRQ = 1

/** The pending softirqs of a CPU and their handlers. */
export class Softirq {
  private pending = 0
  private depth = 0
  private readonly actions: (() => void)[] = [() => {}, () => {}]
  /** runs per softirq, for /proc/softirqs */
  readonly counts = [0, 0]

  /** Sets what a softirq does. */
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

  /** @returns whether code runs in softirq context or with softirqs off */
  get active(): boolean {
    return this.depth > 0
  }

  private run(): void {
    this.depth++
    while (this.pending !== 0) {
      const pending = this.pending
      this.pending = 0
      for (let nr = 0; nr < this.actions.length; nr++) {
        if ((pending & (1 << nr)) === 0) continue
        this.counts[nr]!++
        this.actions[nr]!()
      }
    }
    this.depth--
  }
}
