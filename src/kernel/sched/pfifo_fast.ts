/** `pfifo_fast`: three FIFO bands by packet priority, the lowest non-empty one first, see tc-pfifo_fast(8). */
import type { NetDevice } from '../core/net_device.ts'
import { NET_XMIT_DROP, NET_XMIT_SUCCESS } from '../core/net_xmit.ts'
import type { Qdisc } from '../core/qdisc.ts'
import { type SkBuff, SkbQueue } from '../core/skbuff.ts'

/** Band of each priority 0 to 15. */
const PRIO2BAND = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1] as const

/** The discipline; each band holds up to the device's tx_queue_len packets. */
export class PfifoFast implements Qdisc {
  readonly kind: string
  readonly dev: NetDevice
  private readonly bands = [new SkbQueue(), new SkbQueue(), new SkbQueue()] as const

  /** @param kind the name it is known by */
  constructor(dev: NetDevice, kind = 'pfifo_fast') {
    this.dev = dev
    this.kind = kind
  }

  get qlen(): number {
    return this.bands[0].qlen + this.bands[1].qlen + this.bands[2].qlen
  }

  enqueue(skb: SkBuff): number {
    const band = this.bands[PRIO2BAND[skb.priority & 15]!]
    if (band.qlen >= this.dev.txQueueLen) {
      skb.free('pfifo_fast_enqueue', 'QDISC_DROP')
      return NET_XMIT_DROP
    }
    band.enqueue(skb)
    return NET_XMIT_SUCCESS
  }

  dequeue(): SkBuff | null {
    return this.bands[0].dequeue() ?? this.bands[1].dequeue() ?? this.bands[2].dequeue()
  }

  reset(): void {
    for (const band of this.bands) band.purge('pfifo_fast_reset', 'QDISC_DROP')
  }
}
