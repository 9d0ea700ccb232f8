/**
 * What a socket of IPv6 has beyond `InetSock` (`ipv6_pinfo`). It is an object of its own, so that the sockets of IPv6
 * can extend those of IPv4, whose packets they may carry, too.
 */

import { Errno } from '../../uapi/errno.ts'
import { AF_INET6, type Sockaddr, type SockaddrIn6 } from '../../uapi/socket.ts'
import { l3mdevMasterIfindexByIndex } from '../core/l3mdev.ts'
import type { InetSock } from '../ipv4/inet_sock.ts'
import { addrAny, addrType, type In6Addr, IPV6_ADDR_MULTICAST, needsScopeId } from './addr.ts'
import type { Flowi6 } from './flowi6.ts'
import type { Ip6Flowlabel } from './ip6_flowlabel.ts'
import { ip6DstHoplimit } from './ip6_output.ts'
import type { Rt6Info } from './rt6_info.ts'

/** Values of IPV6_MTU_DISCOVER. */
export const IPV6_PMTUDISC_DONT = 0
export const IPV6_PMTUDISC_WANT = 1
export const IPV6_PMTUDISC_DO = 2
export const IPV6_PMTUDISC_PROBE = 3
/** the device's MTU; packets that do not fit fail, or with OMIT are fragmented */
export const IPV6_PMTUDISC_INTERFACE = 4
export const IPV6_PMTUDISC_OMIT = 5

/** Hop limit of multicasts where the socket says nothing. */
export const IPV6_DEFAULT_MCASTHOPS = 1

/** The IPv4 address of a socket bound to an IPv6 address, which none has: 127.0.0.6 (LOOPBACK4_IPV6). */
export const LOOPBACK4_IPV6 = 0x7f000006

/** A group a socket is a member of (`ipv6_mc_socklist`). */
export interface Ipv6McMembership {
  readonly addr: In6Addr
  readonly ifindex: number
}

/** IPv6's part of a socket. */
export class Ipv6Pinfo {
  /** address packets are sent from; `::` by the route */
  readonly saddr: In6Addr = new Uint8Array(16)
  /** the peer; `::` without one */
  readonly daddr: In6Addr = new Uint8Array(16)
  /** traffic class and flow label of a connected socket */
  flowLabel = 0
  /** -1: the route's */
  hopLimit = -1
  mcastHops = IPV6_DEFAULT_MCASTHOPS
  mcLoop = true
  mcAll = true
  ucastOif = 0
  mcastOif = 0
  /** IPV6_PKTINFO: device that packets are sent by */
  stickyIfindex = 0
  pmtudisc = IPV6_PMTUDISC_WANT
  recverr = false
  recverrRfc4884 = false
  tclass = 0
  /** addresses given to send and connect carry flow labels */
  sndflow = false
  repflow = false
  dontfrag = false
  /** largest packet, bytes; 0 by the route */
  fragSize = 0
  minHopcount = 0
  /** IPV6_PREFER_SRC_… */
  srcprefs = 0
  /** undefined: as net.ipv6.auto_flowlabels says */
  autoflowlabel: boolean | undefined
  /** which ancillary data it wants, see ipv6_sockglue.ts */
  rx = 0
  mcList: Ipv6McMembership[] = []
  acList: Ipv6McMembership[] = []
  /** flow labels it has leased, newest first */
  flList: Ip6Flowlabel[] = []
}

/** A socket of IPv6. */
export interface Inet6Sock extends InetSock {
  readonly pinet6: Ipv6Pinfo
}

/** @returns whether packets larger than the MTU may be fragmented here (ip6_sk_ignore_df) */
export function ip6SkIgnoreDf(np: Ipv6Pinfo): boolean {
  return np.pmtudisc < IPV6_PMTUDISC_DO || np.pmtudisc === IPV6_PMTUDISC_OMIT
}

/** @returns whether reported path MTUs are believed (ip6_sk_accept_pmtu) */
export function ip6SkAcceptPmtu(np: Ipv6Pinfo): boolean {
  return np.pmtudisc < IPV6_PMTUDISC_INTERFACE
}

/** @returns the hop limit of a socket's packets (ip6_sk_dst_hoplimit) */
export function ip6SkDstHoplimit(np: Ipv6Pinfo, fl6: Flowi6, dst: Rt6Info): number {
  const limit = fl6.daddr[0] === 0xff ? np.mcastHops : np.hopLimit
  return limit < 0 ? ip6DstHoplimit(dst) : limit
}

/** @returns the index that goes with an address that means something on one link only (ipv6_iface_scope_id) */
export function ifaceScopeId(addr: In6Addr, ifindex: number): number {
  return needsScopeId(addrType(addr)) ? ifindex : 0
}

/** @returns an IPv6 address of a request, or the error for another family */
export function sockaddrIn6(address: Sockaddr): SockaddrIn6 | number {
  return address.family === AF_INET6 ? address : -Errno.EAFNOSUPPORT
}

/** @returns whether a device is in the L3 domain that the socket is bound to (sk_dev_equal_l3scope) */
export function devEqualL3scope(sk: InetSock, ifindex: number): boolean {
  if (sk.boundDevIf === 0 || sk.boundDevIf === ifindex) return true
  const master = l3mdevMasterIfindexByIndex(sk.net, ifindex)
  return master !== 0 && master === sk.boundDevIf
}

/** Chooses the output device of a flow as a socket's options say, where nothing else has. */
export function socketOif(np: Ipv6Pinfo, fl6: Flowi6): void {
  if (fl6.oif !== 0) return
  fl6.oif = fl6.daddr[0] === 0xff ? np.mcastOif : np.ucastOif
}

/** @returns the address of a peer or of the socket, as getsockname and getpeername give it (inet6_getname) */
export function inet6Name(sk: Inet6Sock, peer: boolean): SockaddrIn6 | number {
  const np = sk.pinet6
  if (peer) {
    if (sk.dport === 0) return -Errno.ENOTCONN
    const addr = np.daddr.slice()
    return {
      family: AF_INET6,
      addr,
      port: sk.dport,
      flowinfo: np.sndflow ? np.flowLabel : 0,
      scopeId: ifaceScopeId(addr, sk.boundDevIf),
    }
  }
  const bound = sk.v6RcvSaddr!
  const addr = (addrAny(bound) ? np.saddr : bound).slice()
  return { family: AF_INET6, addr, port: sk.sport, flowinfo: 0, scopeId: ifaceScopeId(addr, sk.boundDevIf) }
}

/** @returns whether packets to a group are for the socket: it has joined, or wants those of all (inet6_mc_check) */
export function inet6McCheck(np: Ipv6Pinfo, buf: Uint8Array, at: number): boolean {
  for (const { addr } of np.mcList) {
    let same = true
    for (let i = 0; i < 16 && same; i++) same = addr[i] === buf[at + i]
    if (same) return true
  }
  return np.mcAll
}

/** @returns whether an address is a multicast one */
export function isMulticastType(type: number): boolean {
  return (type & IPV6_ADDR_MULTICAST) !== 0
}
