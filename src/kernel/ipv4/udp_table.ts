/**
 * The table of UDP sockets (`udp_table`): ports taken and given out, and the socket a datagram is for. IPv4's and IPv6's
 * sockets share it, because an IPv6 socket may hold a port for both.
 */
import { AF_INET, AF_INET6 } from '../../uapi/socket.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { InetSock } from './inet_sock.ts'
import { ipv4Key } from './netns_ipv4.ts'

/** Buckets that /proc/net/udp numbers sockets by. */
const UDP_HTABLE_SIZE = 1024

/** The UDP sockets of a namespace, by port, newest first. */
export class UdpTable {
  readonly net: Net
  private readonly byPort = new Map<number, InetSock[]>()
  private readonly mix: number

  constructor(net: Net) {
    this.net = net
    this.mix = Math.imul(net.ino, 0x9e3779b1) >>> 0
  }

  /** @returns the sockets bound to a port */
  at(port: number): readonly InetSock[] | undefined {
    return this.byPort.get(port)
  }

  /** The bucket a port is in, as /proc/net/udp shows it (udp_hashfn). */
  bucket(port: number): number {
    return (port + this.mix) % UDP_HTABLE_SIZE
  }

  /** All sockets, in the order of their buckets. */
  *all(): IterableIterator<InetSock> {
    const ports = [...this.byPort.keys()].sort((a, b) => this.bucket(a) - this.bucket(b) || a - b)
    for (const port of ports) yield* this.byPort.get(port)!
  }

  /** @returns whether another socket keeps a socket from a port (udp_lib_lport_inuse) */
  private inUse(sk: InetSock, port: number): boolean {
    const list = this.byPort.get(port)
    if (list === undefined) return false
    for (const other of list) {
      if (other === sk || (other.reuse && sk.reuse)) continue
      if (other.boundDevIf !== 0 && sk.boundDevIf !== 0 && other.boundDevIf !== sk.boundDevIf) continue
      if (!sk.rcvSaddrEqual(other, true)) continue
      // all sockets of a group belong to one user
      if (other.reuseport && sk.reuseport && other.cred.uid === sk.cred.uid) return false
      return true
    }
    return false
  }

  /** Takes a port for a socket, any free one for 0 (udp_lib_get_port). @returns false where there is none */
  getPort(sk: InetSock, port: number): boolean {
    if (port === 0) port = this.freePort(sk)
    else if (this.inUse(sk, port)) return false
    if (port === 0) return false
    const list = this.byPort.get(port)
    if (list === undefined) this.byPort.set(port, [sk])
    // IPv6's go last where they share the port, so that a look-up meets IPv4's first
    else if (sk.reuseport && sk.domain === AF_INET6) list.push(sk)
    else list.unshift(sk)
    sk.num = port
    sk.inuseAdd(1)
    return true
  }

  /** @returns a random free port of ip_local_port_range, 0 where there is none */
  private freePort(sk: InetSock): number {
    const conf = this.net.at(ipv4Key)
    const [low, high] = conf.ipLocalPortRange
    const count = high - low + 1
    const { random } = this.net.kernel
    let port = low + random.below(count)
    for (let i = 0; i < count; i++) {
      if (conf.ipLocalReservedPorts[port] === 0 && !this.inUse(sk, port)) return port
      port = port === high ? low : port + 1
    }
    return 0
  }

  /** Takes a socket out (udp_lib_unhash). */
  unhash(sk: InetSock): void {
    if (sk.num === 0) return
    const list = this.byPort.get(sk.num)!
    list.splice(list.indexOf(sk), 1)
    if (list.length === 0) this.byPort.delete(sk.num)
    sk.num = 0
    sk.inuseAdd(-1)
  }

  /**
   * The IPv4 or dual-stack socket that a datagram is for (__udp4_lib_lookup). Addresses in host order.
   * @param dif,sdif devices the datagram came in by
   */
  lookup(saddr: number, sport: number, daddr: number, dport: number, dif: number, sdif: number): InetSock | undefined {
    const list = this.byPort.get(dport)
    if (list === undefined) return undefined
    if (list.length === 1) {
      const sk = list[0]!
      if (sk.rcvSaddr !== 0 && sk.rcvSaddr !== daddr) return undefined
      return this.score(sk, saddr, sport, dif, sdif) < 0 ? undefined : sk
    }
    return (
      this.best(list, saddr, sport, daddr, daddr, dport, dif, sdif) ??
      this.best(list, saddr, sport, 0, daddr, dport, dif, sdif)
    )
  }

  private best(
    list: readonly InetSock[],
    saddr: number,
    sport: number,
    bound: number,
    daddr: number,
    dport: number,
    dif: number,
    sdif: number,
  ): InetSock | undefined {
    let best: InetSock | undefined
    let badness = 0
    for (const sk of list) {
      if (sk.rcvSaddr !== bound) continue
      const score = this.score(sk, saddr, sport, dif, sdif)
      if (score <= badness) continue
      best = sk
      badness = score
    }
    if (best === undefined || !best.reuseport || best.daddr !== 0) return best
    return this.ofGroup(best, list, saddr, sport, daddr, dport)
  }

  /** SO_REUSEPORT: the flow's hash chooses among the sockets of the group (reuseport_select_sock). */
  private ofGroup(
    of: InetSock,
    list: readonly InetSock[],
    saddr: number,
    sport: number,
    daddr: number,
    dport: number,
  ): InetSock {
    const group = list.filter(
      sk =>
        sk.reuseport &&
        sk.daddr === 0 &&
        sk.boundDevIf === of.boundDevIf &&
        sk.domain === of.domain &&
        of.rcvSaddrEqual(sk, false),
    )
    let hash = Math.imul(saddr ^ this.mix, 0x85ebca6b) ^ Math.imul(daddr, 0xc2b2ae35) ^ ((sport << 16) | dport)
    hash = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) >>> 0
    // sockets join a group at its end; the list has the newest first
    return group[group.length - 1 - Math.floor((hash * group.length) / 0x100000000)] ?? of
  }

  /** How well a socket fits; negative: not at all (compute_score). */
  private score(sk: InetSock, saddr: number, sport: number, dif: number, sdif: number): number {
    if (sk.v6only) return -1
    let score = sk.domain === AF_INET ? 2 : 1
    if (sk.daddr !== 0) {
      if (sk.daddr !== saddr) return -1
      score += 4
    }
    if (sk.dport !== 0) {
      if (sk.dport !== sport) return -1
      score += 4
    }
    const bound = sk.boundDevIf
    if (bound !== 0) {
      if (bound !== dif && bound !== sdif) return -1
      return score + 4
    }
    return sdif === 0 || this.net.at(ipv4Key).udpL3mdevAccept !== 0 ? score : -1
  }
}

/** Names a namespace's table of UDP. */
export const udpTableKey = pernetKey<UdpTable>('udp_table')
