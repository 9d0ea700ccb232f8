/**
 * Wait queues: where system calls sleep until the kernel has something for them.
 * The kernel only says "wake"; who waits, and how a process resumes, is the machine's affair.
 */

/** One sleeper. Kept by its owner and reused, so that waiting allocates nothing in the kernel. */
export interface WaitEntry {
  /** Called once for each wake-up while queued; it must not block and must not throw. */
  wake(): void
}

/** A queue of sleepers, woken in the order they came. */
export class WaitQueue {
  private entries: WaitEntry[] = []

  /** Queues a sleeper until `remove`. */
  add(entry: WaitEntry): void {
    this.entries.push(entry)
  }

  /** Takes a sleeper out; harmless where it is not queued. */
  remove(entry: WaitEntry): void {
    const i = this.entries.indexOf(entry)
    if (i >= 0) this.entries.splice(i, 1)
  }

  /** @returns whether anybody waits */
  get active(): boolean {
    return this.entries.length > 0
  }

  /** Wakes every sleeper. */
  wake(): void {
    if (this.entries.length === 0) return
    for (const entry of [...this.entries]) entry.wake()
  }
}
