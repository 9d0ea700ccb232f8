/** ICMPv6 echo sockets that need no privilege. */
import type { DropReason } from '../core/dropreason.ts'
import type { SkBuff } from '../core/skbuff.ts'

/** An echo reply for a ping socket. */
export function pingRcv6(_skb: SkBuff): DropReason | undefined {
  return undefined
}

/** An error about an echo request. */
export function pingErr6(_skb: SkBuff, _type: number, _code: number, _offset: number, _info: number): void {}
