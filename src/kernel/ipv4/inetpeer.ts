/** `inet_peer`: what is remembered about single hosts — tokens of rate limits, redirects sent — by address and L3 domain. */
import { NSEC_PER_SEC } from '../core/clock.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { ipv4Key } from './netns_ipv4.ts'

/** Messages that may follow each other at once after a long silence. */
const XRLIM_BURST_FACTOR = 6

/** One host. */
export class InetPeer {
  readonly addr: number
  /** ns that may still be spent; 60 s of silence fill any bucket */
  rateTokens = 0
  /** when tokens were last counted, ns since boot */
  rateLast: number
  /** redirects sent since the host was last silent */
  nRedirects = 0
  /** fragments that have come from it */
  rid = 0
  lastUsed: number

  constructor(addr: number, now: number) {
    this.addr = addr
    this.rateLast = now - 60 * NSEC_PER_SEC
    this.lastUsed = now
  }

  /**
   * Takes a message's worth of tokens (inet_peer_xrlim_allow).
   * @param timeout ns between messages @returns whether one may be sent
   */
  xrlimAllow(now: number, timeout: number): boolean {
    let tokens = Math.min(this.rateTokens + now - this.rateLast, XRLIM_BURST_FACTOR * timeout)
    this.rateLast = now
    const allowed = tokens >= timeout
    if (allowed) tokens -= timeout
    this.rateTokens = tokens
    return allowed
  }
}

/** The hosts of a namespace, by address and L3 master. */
const peersKey = pernetKey<Map<number, InetPeer>>('inetpeer')

/** Makes a namespace's empty table. */
export function inetpeerInit(net: Net): void {
  net.set(peersKey, new Map())
}

/** @returns a host's record, made where it is missing. @param addr host order @param vif index of the L3 master, 0 none */
export function inetGetpeerV4(net: Net, addr: number, vif: number): InetPeer {
  const peers = net.at(peersKey)
  const key = vif * 0x100000000 + addr
  const { now } = net.kernel.clock
  let peer = peers.get(key)
  if (peer === undefined) {
    if (peers.size >= net.kernel.initNet.at(ipv4Key).inetPeerThreshold) collect(net, peers, now)
    peer = new InetPeer(addr, now)
    peers.set(key, peer)
  }
  peer.lastUsed = now
  return peer
}

/** Forgets hosts of which nothing was heard for long. */
function collect(net: Net, peers: Map<number, InetPeer>, now: number): void {
  const ttl = net.kernel.initNet.at(ipv4Key).inetPeerMinttl * NSEC_PER_SEC
  for (const [key, peer] of peers) if (now - peer.lastUsed >= ttl) peers.delete(key)
}
