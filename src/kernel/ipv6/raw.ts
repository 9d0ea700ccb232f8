/** Raw sockets of IPv6. */

import type { SkBuff } from '../core/skbuff.ts'
import { Sock } from '../core/sock.ts'

/** A raw socket. */
export abstract class Raw6Sock extends Sock {
  abstract matches(skb: SkBuff, nh: number): boolean
  abstract receive(skb: SkBuff): void
  abstract matchesSent(skb: SkBuff): boolean
  abstract error(skb: SkBuff, type: number, code: number, offset: number, info: number): void
}
