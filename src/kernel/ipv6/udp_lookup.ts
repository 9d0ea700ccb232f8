/** Which UDP socket a datagram of IPv6 is for (__udp6_lib_lookup). */
import { AF_INET6 } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import type { InetSock } from '../ipv4/inet_sock.ts'
import { ipv4Key } from '../ipv4/netns_ipv4.ts'
import { udpTableKey } from '../ipv4/udp_table.ts'
import { addrAny, addrEqual, addrEqualAt, addrHashAt } from './addr.ts'
import { fib6Key } from './ip6_fib.ts'
import type { Udp6Sock } from './udp.ts'

/** How well a socket fits; negative: not at all (compute_score). */
function score(
  sk: Udp6Sock,
  buf: Uint8Array,
  saddr: number,
  sport: number,
  accept: boolean,
  dif: number,
  sdif: number,
): number {
  let points = 0
  if (sk.dport !== 0) {
    if (sk.dport !== sport) return -1
    points++
  }
  const { daddr } = sk.pinet6
  if (!addrAny(daddr)) {
    if (!addrEqualAt(buf, saddr, daddr)) return -1
    points++
  }
  const bound = sk.boundDevIf
  if (bound === 0) return sdif === 0 || accept ? points : -1
  return bound === dif || bound === sdif ? points + 1 : -1
}

/**
 * @param buf where the addresses are, at `saddr` and `daddr` @param sport,dport host order
 * @param dif,sdif devices the datagram came in by
 */
export function udp6Lookup(
  net: Net,
  buf: Uint8Array,
  saddr: number,
  sport: number,
  daddr: number,
  dport: number,
  dif: number,
  sdif: number,
): Udp6Sock | undefined {
  const list = net.at(udpTableKey).at(dport)
  if (list === undefined) return undefined
  const accept = net.at(ipv4Key).udpL3mdevAccept !== 0
  // sockets bound to the address come before those bound to none
  for (let any = 0; any < 2; any++) {
    let best: Udp6Sock | undefined
    let badness = -1
    for (const other of list) {
      if (other.domain !== AF_INET6) continue
      const sk = other as Udp6Sock
      const fits = any === 0 ? addrEqualAt(buf, daddr, sk.v6RcvSaddr) : addrAny(sk.v6RcvSaddr)
      if (!fits) continue
      const points = score(sk, buf, saddr, sport, accept, dif, sdif)
      if (points <= badness) continue
      best = sk
      badness = points
    }
    if (best !== undefined)
      return best.reuseport && best.dport === 0 ? ofGroup(net, best, list, buf, saddr, sport, daddr, dport) : best
  }
  return undefined
}

/** SO_REUSEPORT: the flow's hash chooses among the sockets of the group (reuseport_select_sock). */
function ofGroup(
  net: Net,
  of: Udp6Sock,
  list: readonly InetSock[],
  buf: Uint8Array,
  saddr: number,
  sport: number,
  daddr: number,
  dport: number,
): Udp6Sock {
  const group = list.filter(
    sk =>
      sk.reuseport &&
      sk.dport === 0 &&
      sk.domain === AF_INET6 &&
      sk.boundDevIf === of.boundDevIf &&
      addrEqual((sk as Udp6Sock).v6RcvSaddr, of.v6RcvSaddr),
  )
  let hash = net.at(fib6Key).hashSeed ^ addrHashAt(buf, saddr) ^ Math.imul(addrHashAt(buf, daddr), 0x85ebca6b)
  hash = Math.imul(hash ^ ((sport << 16) | dport), 0x9e3779b1) >>> 0
  // sockets join a group at its end
  const chosen = group[group.length - 1 - Math.floor((hash * group.length) / 0x100000000)]
  return (chosen as Udp6Sock | undefined) ?? of
}
