/** Which raw sockets get a packet or an error (`raw_v6_hashinfo`). */
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import type { Raw6Sock } from './raw.ts'

const key = pernetKey<Map<number, Raw6Sock[]>>('raw6')
const NOBODY: readonly Raw6Sock[] = []

/** Makes a namespace's table. */
export function raw6NetInit(net: Net): void {
  net.set(key, new Map())
}

/** @returns a namespace's raw sockets by protocol, newest first */
export function raw6Sockets(net: Net): Map<number, Raw6Sock[]> {
  return net.at(key)
}

/** Puts a socket into the table. */
export function raw6Hash(sk: Raw6Sock): void {
  const table = sk.net.at(key)
  const list = table.get(sk.protocol)
  if (list === undefined) table.set(sk.protocol, [sk])
  else list.unshift(sk)
}

/** Takes it out. */
export function raw6Unhash(sk: Raw6Sock): void {
  const list = sk.net.at(key).get(sk.protocol)
  const at = list?.indexOf(sk) ?? -1
  if (at >= 0) list!.splice(at, 1)
}

/** Gives copies of a packet to the raw sockets that want it (raw6_local_deliver). @returns whether there was one */
export function raw6LocalDeliver(skb: SkBuff, nexthdr: number): boolean {
  const list = skb.dev!.net.at(key).get(nexthdr) ?? NOBODY
  let delivered = false
  for (const sk of list) {
    if (!sk.matches(skb, skb.networkHeader)) continue
    delivered = true
    sk.receive(skb)
  }
  return delivered
}

/** Tells raw sockets of an error about a packet they may have sent; `skb.data` stands at its header (raw6_icmp_error). */
export function raw6IcmpError(
  skb: SkBuff,
  nexthdr: number,
  type: number,
  code: number,
  offset: number,
  info: number,
): void {
  for (const sk of skb.dev!.net.at(key).get(nexthdr) ?? NOBODY)
    if (sk.matchesSent(skb)) sk.error(skb, type, code, offset, info)
}
