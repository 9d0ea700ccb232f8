/** Raw sockets that want packets with the router alert option which this host forwards (IP_ROUTER_ALERT, RFC 2113). */
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import type { InetSock } from './inet_sock.ts'
import { get16, IP_MF, IP_OFFSET, OFF_FRAG_OFF, OFF_PROTOCOL } from './ip.ts'
import { IP_DEFRAG_CALL_RA_CHAIN, ipDefrag } from './ip_fragment.ts'

/** A socket that takes such packets: a raw one. */
export interface RaSock extends InetSock {
  rcv(skb: SkBuff): void
}

const raKey = pernetKey<RaSock[]>('ra_chain')

/** Makes a namespace's empty chain. */
export function raChainInit(net: Net): void {
  net.set(raKey, [])
}

/** Adds a socket to its namespace's chain or takes it out (ip_ra_control). @returns false where nothing changed */
export function ipRaControl(sk: RaSock, on: boolean): boolean {
  const chain = sk.net.at(raKey)
  const at = chain.indexOf(sk)
  if (on === at >= 0) return false
  if (on) chain.push(sk)
  else chain.splice(at, 1)
  return true
}

/** Gives a packet to the sockets of its protocol (ip_call_ra_chain). @returns whether one took it over */
export function ipCallRaChain(skb: SkBuff): boolean {
  const dev = skb.dev!
  const chain = dev.net.at(raKey)
  if (chain.length === 0) return false
  const protocol = skb.buf[skb.networkHeader + OFF_PROTOCOL]!
  let last: RaSock | undefined
  for (const sk of chain) {
    if (sk.num !== protocol || (sk.boundDevIf !== 0 && sk.boundDevIf !== dev.ifindex)) continue
    if ((get16(skb.buf, skb.networkHeader + OFF_FRAG_OFF) & (IP_MF | IP_OFFSET)) !== 0) {
      const whole = ipDefrag(dev.net, skb, IP_DEFRAG_CALL_RA_CHAIN)
      if (whole === null) return true
      skb = whole
    }
    last?.rcv(skb.clone())
    last = sk
  }
  if (last === undefined) return false
  last.rcv(skb)
  return true
}
