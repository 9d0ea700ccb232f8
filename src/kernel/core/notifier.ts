/** Notifier chains: subsystems hear of devices, addresses and routes that come, change and go. */

/** A chain. Blocks are called by descending priority, first registered first among equals. */
export class NotifierChain<A extends readonly unknown[]> {
  private readonly blocks: { fn: (...args: A) => number; priority: number }[] = []

  /** @param fn returns 0, or a negative error number that vetoes what can be vetoed and ends the round */
  register(fn: (...args: A) => number, priority = 0): void {
    const at = this.blocks.findIndex(block => block.priority < priority)
    this.blocks.splice(at < 0 ? this.blocks.length : at, 0, { fn, priority })
  }

  /** Calls every block until one refuses. @returns 0 or the refusal */
  call(...args: A): number {
    for (const block of this.blocks) {
      const rc = block.fn(...args)
      if (rc < 0) return rc
    }
    return 0
  }
}
