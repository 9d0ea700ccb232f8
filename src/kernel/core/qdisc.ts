/** `Qdisc`: what stands between the stack and a driver. The disciplines themselves are in sched/. */
import type { NetDevice } from './net_device.ts'
import { NET_XMIT_CN } from './net_xmit.ts'
import type { SkBuff } from './skbuff.ts'

/** A queueing discipline at the root of a device. */
export interface Qdisc {
  /** as `ip link` shows it, such as `noqueue` or `pfifo_fast` */
  readonly kind: string
  /** undefined for the two that all devices share, noop and noqueue */
  readonly dev: NetDevice | undefined
  /** Takes the packet. @returns NET_XMIT_… */
  enqueue(skb: SkBuff): number
  /** @returns the next packet that may be sent now */
  dequeue(): SkBuff | null
  /** packets that wait */
  readonly qlen: number
  /** Drops everything. */
  reset(): void
  /** Gives back what it holds; the device or another root takes it away. */
  destroy?(): void
  /** the device's tx_queue_len changed */
  changeTxQueueLen?(len: number): void
}

/** What a device has before it was ever up, and what swallows packets while there is no carrier (`noop_qdisc`). */
export const noopQdisc: Qdisc = {
  kind: 'noop',
  dev: undefined,
  qlen: 0,
  enqueue(skb) {
    skb.free('noop_enqueue', 'QDISC_DROP')
    return NET_XMIT_CN
  },
  dequeue: () => null,
  reset: () => {},
}

/** The root of a device without a queue; packets never enter it (`noqueue_qdisc_ops`). */
export const noqueueQdisc: Qdisc = {
  kind: 'noqueue',
  dev: undefined,
  qlen: 0,
  enqueue(skb) {
    skb.free('noop_enqueue', 'QDISC_DROP')
    return NET_XMIT_CN
  },
  dequeue: () => null,
  reset: () => {},
}
