/**
 * Tracepoints: named places a packet or an event passes. A tracepoint that nobody probes costs one test of a boolean.
 * Names are Linux's (`/sys/kernel/tracing/events`).
 */
import type { DropReason } from './dropreason.ts'
import type { NetDevice } from './net_device.ts'
import type { SkBuff } from './skbuff.ts'

/** One tracepoint; `A` is the tuple its probes get. */
export class Tracepoint<A extends readonly unknown[]> {
  /** `system:event`, such as `skb:kfree_skb` */
  readonly name: string
  /** whether anybody listens: callers test it before they gather arguments */
  enabled = false
  private readonly probes: ((...args: A) => void)[] = []

  constructor(name: string) {
    this.name = name
  }

  /** Adds a probe. @returns a function that takes it out */
  probe(fn: (...args: A) => void): () => void {
    this.probes.push(fn)
    this.enabled = true
    return () => {
      const i = this.probes.indexOf(fn)
      if (i >= 0) this.probes.splice(i, 1)
      this.enabled = this.probes.length > 0
    }
  }

  /** Runs the probes. */
  fire(...args: A): void {
    for (const probe of this.probes) probe(...args)
  }
}

/** The tracepoints of one kernel. */
export class Tracepoints {
  /** a packet was dropped: where (a function's name as Linux reports its location) and why */
  readonly kfreeSkb = new Tracepoint<[skb: SkBuff, location: string, reason: DropReason]>('skb:kfree_skb')
  readonly consumeSkb = new Tracepoint<[skb: SkBuff]>('skb:consume_skb')
  readonly netDevQueue = new Tracepoint<[skb: SkBuff]>('net:net_dev_queue')
  readonly netDevStartXmit = new Tracepoint<[skb: SkBuff, dev: NetDevice]>('net:net_dev_start_xmit')
  readonly netDevXmit = new Tracepoint<[skb: SkBuff, rc: number, dev: NetDevice, length: number]>('net:net_dev_xmit')
  readonly netifRx = new Tracepoint<[skb: SkBuff]>('net:netif_rx')
  readonly netifReceiveSkb = new Tracepoint<[skb: SkBuff]>('net:netif_receive_skb')
  readonly napiPoll = new Tracepoint<[name: string, work: number, budget: number]>('napi:napi_poll')
  readonly neighUpdate = new Tracepoint<[dev: NetDevice, state: number]>('neigh:neigh_update')
  readonly fibTableLookup = new Tracepoint<[table: number, daddr: number, error: number]>('fib:fib_table_lookup')
  readonly fib6TableLookup = new Tracepoint<[table: number, daddr: Uint8Array, error: number]>('fib6:fib6_table_lookup')

  /** @returns every tracepoint, by name */
  all(): Map<string, Tracepoint<readonly never[]>> {
    const map = new Map<string, Tracepoint<readonly never[]>>()
    for (const value of Object.values(this) as unknown[])
      if (value instanceof Tracepoint) map.set(value.name, value as Tracepoint<readonly never[]>)
    return map
  }
}
