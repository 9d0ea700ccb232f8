/** What is remembered about single peers for rate limits (`inet_peer`): a bucket of tokens each. */
import { NSEC_PER_SEC } from '../core/clock.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { addrEqual, addrHash, type In6Addr } from './addr.ts'

/** Tokens a peer can save, in units of the limit. */
const BURST = 6
/** Peers kept at most; the oldest give way. */
const MAX_PEERS = 4096

/** One peer. */
export class InetPeer6 {
  readonly addr: In6Addr
  private readonly net: Net
  private tokens = 0
  private last: number
  constructor(net: Net, addr: In6Addr) {
    this.net = net
    this.addr = addr
    this.last = net.kernel.clock.now - 60 * NSEC_PER_SEC
  }

  /** @param timeout ns between messages @returns whether one may be sent now (inet_peer_xrlim_allow) */
  allow(timeout: number): boolean {
    const { now } = this.net.kernel.clock
    this.tokens = Math.min(this.tokens + now - this.last, BURST * timeout)
    this.last = now
    if (this.tokens < timeout) return false
    this.tokens -= timeout
    return true
  }
}

const key = pernetKey<Map<number, InetPeer6[]>>('inetpeer6')

/** Makes the empty table of a namespace. */
export function inetPeer6Init(net: Net): void {
  net.set(key, new Map())
}

/** @returns what is remembered about a peer */
export function peerOf(net: Net, addr: In6Addr): InetPeer6 {
  const peers = net.at(key)
  const hash = addrHash(addr)
  let bucket = peers.get(hash)
  const known = bucket?.find(peer => addrEqual(peer.addr, addr))
  if (known !== undefined) return known
  if (bucket === undefined) {
    if (peers.size >= MAX_PEERS) for (const oldest of peers.keys()) if (peers.delete(oldest)) break
    bucket = []
    peers.set(hash, bucket)
  }
  const peer = new InetPeer6(net, addr.slice())
  bucket.push(peer)
  return peer
}
