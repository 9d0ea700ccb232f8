/**
 * Identification of IPv4 packets (RFC 6864): connected sockets count for themselves; other packets share counters by
 * address pair and protocol, which also jump at random as time passes, so that nobody can count our traffic by them.
 */
import { TICK_NSEC } from '../core/clock.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'

/** Counters there are; flows share them by hash. */
const IDENTS = 2048

/** The counters of a namespace. */
class IpIdents {
  readonly ids = new Uint16Array(IDENTS)
  readonly stamps = new Float64Array(IDENTS)
  readonly key: number

  constructor(key: number) {
    this.key = key
  }
}

const identsKey = pernetKey<IpIdents>('ip_idents')

/** Makes a namespace's counters. */
export function ipIdentsInit(net: Net): void {
  const idents = new IpIdents(net.kernel.random.u32())
  for (let i = 0; i < IDENTS; i++) idents.ids[i] = net.kernel.random.below(0x10000)
  net.set(identsKey, idents)
}

/** @returns the identification of the next packet of a flow (__ip_select_ident). Addresses in host order */
export function ipSelectIdent(net: Net, saddr: number, daddr: number, protocol: number): number {
  const idents = net.at(identsKey)
  let hash = Math.imul(daddr ^ idents.key, 0x85ebca6b) ^ Math.imul(saddr, 0xc2b2ae35) ^ protocol
  hash = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> 21
  const tick = Math.floor(net.kernel.clock.now / TICK_NSEC)
  const old = idents.stamps[hash]!
  if (tick !== old) {
    idents.stamps[hash] = tick
    idents.ids[hash]! += net.kernel.random.below(Math.min(tick - old, 0xffffffff))
  }
  return idents.ids[hash]!++
}
