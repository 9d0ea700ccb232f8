/** Which raw sockets get a packet or an error (`raw_v6_hashinfo`). */
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { OFF_DADDR, OFF_SADDR } from './ip6.ts'
import { inet6Iif, inet6Sdif } from './ip6cb.ts'
import type { Raw6Sock } from './raw.ts'

const key = pernetKey<Map<number, Raw6Sock[]>>('raw6')
const NOBODY: readonly Raw6Sock[] = []

/** Makes a namespace's table. */
export function raw6NetInit(net: Net): void {
  net.set(key, new Map())
}

/** @returns a namespace's raw sockets by protocol, newest first */
export function raw6Sockets(net: Net): ReadonlyMap<number, readonly Raw6Sock[]> {
  return net.at(key)
}

/** Puts a socket into the table. */
export function raw6Hash(sk: Raw6Sock): void {
  const table = sk.net.at(key)
  const list = table.get(sk.num)
  if (list === undefined) table.set(sk.num, [sk])
  else list.unshift(sk)
}

/** Takes it out. */
export function raw6Unhash(sk: Raw6Sock): void {
  const table = sk.net.at(key)
  const list = table.get(sk.num)!
  list.splice(list.indexOf(sk), 1)
  if (list.length === 0) table.delete(sk.num)
}

/** Gives copies of a packet to the raw sockets that want it (raw6_local_deliver). @returns whether there was one */
export function raw6LocalDeliver(skb: SkBuff, nexthdr: number): boolean {
  const list = skb.dev!.net.at(key).get(nexthdr) ?? NOBODY
  const { buf, networkHeader: nh } = skb
  let delivered = false
  for (const sk of list) {
    if (!sk.matches(buf, nh + OFF_DADDR, nh + OFF_SADDR, inet6Iif(skb), inet6Sdif(skb)) || sk.full) continue
    delivered = true
    if (!sk.refuses(skb)) sk.rcv(skb.clone())
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
  const list = skb.dev!.net.at(key).get(nexthdr)
  if (list === undefined) return
  const { buf, data } = skb
  for (const sk of [...list])
    if (sk.matches(buf, data + OFF_SADDR, data + OFF_DADDR, inet6Iif(skb), inet6Sdif(skb)))
      sk.icmpError(skb, type, code, offset, info)
}
