/** The protocols above IPv4, by number (`inet_protos`): one registration each, as `net_protocol` in Linux. */
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'

/** What a protocol does. */
export interface NetProtocol {
  /**
   * Takes a packet over; `data` is at the protocol's header, `networkHeader` at IPv4's.
   * @returns 0, or -N to give the packet to protocol N instead (then it is still the caller's)
   */
  handler(skb: SkBuff): number
  /**
   * Hears of an ICMP error about a packet of this protocol; the message stays the caller's. `data` is at the quoted
   * IPv4 header, `transportHeader` at ICMP's. @param info the message's second word, or the MTU
   */
  errHandler?(skb: SkBuff, info: number): void
  /** a "fragmentation needed" is believed only for what a socket has sent */
  readonly icmpStrictTagValidation?: boolean
}

/** The registered protocols of a kernel. */
export class InetProtos {
  readonly protos: (NetProtocol | null)[] = new Array<NetProtocol | null>(256).fill(null)
}

/** Names them: `net.at(inetProtosKey).protos[protocol]`. */
export const inetProtosKey = pernetKey<InetProtos>('inet_protos')

/** Registers a protocol (inet_add_protocol). @returns false where there is one already */
export function inetAddProtocol(net: Net, proto: NetProtocol, protocol: number): boolean {
  const { protos } = net.at(inetProtosKey)
  if (protos[protocol] !== null) return false
  protos[protocol] = proto
  return true
}

/** Takes it out (inet_del_protocol). */
export function inetDelProtocol(net: Net, proto: NetProtocol, protocol: number): void {
  const { protos } = net.at(inetProtosKey)
  if (protos[protocol] === proto) protos[protocol] = null
}
