/** Which protocols follow the IPv6 header, extension headers included (`inet6_protos`). */
import type { SkBuff } from '../core/skbuff.ts'

/** What handles a next-header number (`inet6_protocol`). */
export interface Inet6Protocol {
  /**
   * Takes a packet whose data begins with the protocol's header.
   * @returns 0 where it was taken; 1 from an extension header that was read: `transportHeader` stands at the next, and
   * the control block tells where its number is; above 0 from a final protocol the number of what is inside; -1 where
   * it was dropped
   */
  handler(skb: SkBuff): number
  /**
   * Hears of an ICMPv6 error about one of its packets; `skb.data` stands at the inner IPv6 header.
   * @param offset from there to the protocol's header @param info the error's word, host order
   */
  errHandler?(skb: SkBuff, type: number, code: number, offset: number, info: number): void
  /** not an extension header: what follows belongs to it */
  readonly final: boolean
}

const protocols: (Inet6Protocol | undefined)[] = new Array(256)

/** Registers what handles a number; one for each (inet6_add_protocol). */
export function inet6AddProtocol(nr: number, protocol: Inet6Protocol): void {
  protocols[nr] = protocol
}

/** @returns what handles a number */
export function inet6Protocol(nr: number): Inet6Protocol | undefined {
  return protocols[nr]
}
