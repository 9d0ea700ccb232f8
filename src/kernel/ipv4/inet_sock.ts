/**
 * `inet_sock`: what sockets of IPv4 and IPv6 have in common — addresses, ports, header fields, options at SOL_IP.
 * IPv6's sockets extend it, because an IPv6 socket may speak IPv4.
 */
import { Errno } from '../../uapi/errno.ts'
import {
  AF_INET,
  AF_INET6,
  type AncillaryData,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_PROBE,
  IP_PMTUDISC_WANT,
  type ReceivedMessage,
  SOL_IP,
  type Sockaddr,
  type SockaddrIn,
} from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import { type OptionResult, Sock, TCP_CLOSE, TCP_SYN_SENT } from '../core/sock.ts'
import type { Cred, OptionValue } from '../core/socket.ts'
import { RTAX_MTU } from './fib_metrics.ts'
import type { IpOptions } from './ip_options.ts'
import { ipv4Key } from './netns_ipv4.ts'
import type { Rtable } from './route.ts'

/** Further values of IP_MTU_DISCOVER: the device's MTU, never a smaller one; the same, but fragment what is larger. */
export const IP_PMTUDISC_INTERFACE = 4
export const IP_PMTUDISC_OMIT = 5

/** What a socket wants to know of each packet (`cmsg_flags`). */
export const IP_CMSG_PKTINFO = 1
export const IP_CMSG_TTL = 2
export const IP_CMSG_TOS = 4
export const IP_CMSG_RECVOPTS = 8
export const IP_CMSG_RETOPTS = 16

/** No ancillary data. */
export const NO_CONTROL: AncillaryData = {}

/** What a socket that was shut down for receiving gives. */
export const END_OF_FILE: ReceivedMessage = { data: new Uint8Array(0), length: 0, flags: 0, control: NO_CONTROL }

/** A group a socket is a member of (`ip_mc_socklist`). */
export interface IpMcMembership {
  readonly multiaddr: number
  readonly address: number
  readonly ifindex: number
}

/** Options at SOL_IP (ip_setsockopt, ip_getsockopt). */
export interface IpSockopts {
  set(sk: InetSock, option: number, value: OptionValue): number
  get(sk: InetSock, option: number): OptionResult
}

let sockopts: IpSockopts | undefined

/** Used by ip_sockglue.ts, which needs much that this file must not depend on. */
export function registerIpSockopts(ops: IpSockopts): void {
  sockopts = ops
}

/** A socket of IPv4 or IPv6. Addresses are unsigned numbers in host order. */
export abstract class InetSock extends Sock {
  /** port it is bound to, protocol of a raw socket, identifier of a ping socket; 0 not bound */
  num = 0
  /** port packets are sent from and to */
  sport = 0
  dport = 0
  /** address that received packets must be sent to; 0 any */
  rcvSaddr = 0
  /** address packets are sent from; 0 by the route */
  saddr = 0
  daddr = 0
  /** IPv6 sockets: the address they are bound to, 16 bytes; undefined for IPv4 sockets */
  v6RcvSaddr: Uint8Array | undefined
  v6only = false
  /** -1: the route's */
  ucTtl = -1
  mcTtl = 1
  mcLoop = true
  /** device and address that multicasts are sent by */
  mcIndex = 0
  mcAddr = 0
  /** device that unicasts are sent by */
  ucIndex = 0
  /** gets the packets of groups that others have joined, too */
  mcAll = true
  mcList: IpMcMembership[] = []
  tos = 0
  minTtl = 0
  pmtudisc: number
  recverr = false
  recverrRfc4884 = false
  freebind = false
  transparent = false
  hdrincl = false
  nodefrag = false
  bindAddressNoPort = false
  /** the program chose the address (SOCK_BINDADDR_LOCK) or the port (SOCK_BINDPORT_LOCK) */
  bindAddrLocked = false
  bindPortLocked = false
  /** IP_CMSG_… */
  cmsgFlags = 0
  opt: IpOptions | null = null
  /** identification of the next packet of a connected socket */
  inetId: number

  constructor(net: Net, domain: number, type: number, protocol: number, cred: Cred, protoName: string) {
    super(net, domain, type, protocol, cred, protoName)
    this.pmtudisc = net.at(ipv4Key).ipNoPmtuDisc !== 0 ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT
    this.inetId = net.kernel.random.below(0x10000)
  }

  /** @returns whether learned path MTUs count for its packets (ip_sk_use_pmtu) */
  get usePmtu(): boolean {
    return this.pmtudisc < IP_PMTUDISC_PROBE
  }

  /** @returns whether packets larger than the MTU may be fragmented here (ip_sk_ignore_df) */
  get ignoreDf(): boolean {
    return this.pmtudisc < IP_PMTUDISC_DO || this.pmtudisc === IP_PMTUDISC_OMIT
  }

  /** @returns whether packets by a route carry DF (ip_dont_fragment) */
  dontFragment(rt: Rtable): boolean {
    return this.pmtudisc === IP_PMTUDISC_DO || (this.pmtudisc === IP_PMTUDISC_WANT && !rt.metricLocked(RTAX_MTU))
  }

  /** @returns the cached route if it still holds (sk_dst_check) */
  dstCheck(): Rtable | null {
    const dst = this.dstCache
    if (dst === null) return null
    if (dst.obsolete) {
      this.dstCache = null
      return null
    }
    return dst as Rtable
  }

  override setsockopt(level: number, option: number, value: OptionValue): number {
    if (level === SOL_IP) return sockopts?.set(this, option, value) ?? -Errno.ENOPROTOOPT
    return super.setsockopt(level, option, value)
  }

  override getsockopt(level: number, option: number): OptionResult {
    if (level === SOL_IP) return sockopts?.get(this, option) ?? { errno: Errno.ENOPROTOOPT }
    return super.getsockopt(level, option)
  }

  /** inet_getname */
  getsockname(): Sockaddr | number {
    const addr = this.rcvSaddr !== 0 ? this.rcvSaddr : this.saddr
    return { family: AF_INET, addr, port: this.sport }
  }

  getpeername(): Sockaddr | number {
    if (this.dport === 0 || this.state === TCP_CLOSE || this.state === TCP_SYN_SENT) return -Errno.ENOTCONN
    return { family: AF_INET, addr: this.daddr, port: this.dport }
  }

  /** A socket without a peer is shut down as well, with an error (inet_shutdown). */
  override shutdown(how: number): number {
    const rc = super.shutdown(how)
    return rc === 0 && this.state === TCP_CLOSE ? -Errno.ENOTCONN : rc
  }

  /**
   * Whether two sockets are bound to the same address (inet_rcv_saddr_equal).
   * @param matchWildcard a socket bound to no address has them all
   */
  rcvSaddrEqual(other: InetSock, matchWildcard: boolean): boolean {
    const a6 = this.v6RcvSaddr
    if (a6 === undefined) return this.v4SaddrEqual(other, matchWildcard)
    const b6 = other.v6RcvSaddr
    const aMapped = isMapped(a6)
    const bMapped = b6 === undefined || isMapped(b6)
    if (aMapped && bMapped) return this.v4SaddrEqual(other, matchWildcard)
    const aAny = isAny(a6)
    const bAny = b6 !== undefined && isAny(b6)
    if (aAny && bAny) return true
    if (bAny && matchWildcard && !(other.v6only && aMapped)) return true
    if (aAny && matchWildcard && !(this.v6only && bMapped)) return true
    return b6 !== undefined && a6.every((byte, i) => byte === b6[i])
  }

  private v4SaddrEqual(other: InetSock, matchWildcard: boolean): boolean {
    if (other.v6only) return false
    if (this.rcvSaddr === other.rcvSaddr) return true
    return matchWildcard && (this.rcvSaddr === 0 || other.rcvSaddr === 0)
  }
}

function isAny(addr: Uint8Array): boolean {
  for (const byte of addr) if (byte !== 0) return false
  return true
}

function isMapped(addr: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (addr[i] !== 0) return false
  return addr[10] === 0xff && addr[11] === 0xff
}

/** @returns an IPv4 address of a request, or the error for another family */
export function sockaddrIn(address: Sockaddr): SockaddrIn | number {
  return address.family === AF_INET ? address : -Errno.EAFNOSUPPORT
}

/** @returns whether an address is one of IPv6 */
export function isSockaddrIn6(address: Sockaddr): boolean {
  return address.family === AF_INET6
}
