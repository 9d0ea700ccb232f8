/** Binding sockets to addresses and ports, and connecting datagram sockets: what the protocols of IPv4 share. */
import { Errno } from '../../uapi/errno.ts'
import { RT_TABLE_LOCAL, RTN_BROADCAST, RTN_MULTICAST, RTN_UNICAST } from '../../uapi/rtnetlink.ts'
import type { Sockaddr, SockaddrIn } from '../../uapi/socket.ts'
import { isL3Master, l3mdevFibTableByIndex } from '../core/l3mdev.ts'
import type { Net } from '../core/net_namespace.ts'
import { TCP_CLOSE, TCP_ESTABLISHED } from '../core/sock.ts'
import { inetAddrType } from './fib_lookup.ts'
import { FLOWI_FLAG_ANYSRC, Flowi4 } from './flow.ts'
import { ipv4IsMulticast } from './in_device.ts'
import { type InetSock, sockaddrIn } from './inet_sock.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { ipRouteOutputKey } from './route.ts'
import { RTCF_BROADCAST, type Rtable } from './rtable.ts'
import { IPSTATS_MIB_OUTNOROUTES, ipInc } from './snmp.ts'

/** In a flow's TOS: the destination must be on the link (SO_DONTROUTE). */
export const RTO_ONLINK = 0x01

/** @returns whether a socket may bind to addresses that are not the host's (inet_can_nonlocal_bind) */
export function inetCanNonlocalBind(sk: InetSock): boolean {
  return sk.net.at(ipv4Key).ipNonlocalBind !== 0 || sk.freebind || sk.transparent
}

/** @returns what an address is in the table of the socket's L3 domain */
export function inetSkAddrType(sk: InetSock, addr: number): number {
  const table = sk.boundDevIf === 0 ? 0 : l3mdevFibTableByIndex(sk.net, sk.boundDevIf)
  return inetAddrType(sk.net, addr, table || RT_TABLE_LOCAL)
}

/** @returns whether a socket may bind to an address of a type (inet_addr_valid_or_nonlocal) */
export function inetAddrValidOrNonlocal(sk: InetSock, addr: number, type: number): boolean {
  return addr === 0 || type !== RTN_UNICAST || inetCanNonlocalBind(sk)
}

/** @returns whether only the privileged may bind to a port (inet_port_requires_bind_service) */
export function inetPortRequiresBindService(net: Net, port: number): boolean {
  return port < net.at(ipv4Key).ipUnprivilegedPortStart
}

/**
 * Binds a socket (inet_bind).
 * @param getPort takes the port for the socket (0: any) and sets `num`; false where it is in use
 * @returns 0, -EAFNOSUPPORT, -EADDRNOTAVAIL, -EACCES, -EINVAL where it is bound already, -EADDRINUSE
 */
export function inetBind(sk: InetSock, address: Sockaddr, getPort: (port: number) => boolean): number {
  const given = sockaddrIn(address)
  if (typeof given === 'number') return given
  const { addr, port } = given
  const type = inetSkAddrType(sk, addr)
  if (!inetAddrValidOrNonlocal(sk, addr, type)) return -Errno.EADDRNOTAVAIL
  if (port !== 0 && inetPortRequiresBindService(sk.net, port) && !sk.nsCapable) return -Errno.EACCES
  if (sk.state !== TCP_CLOSE || sk.num !== 0) return -Errno.EINVAL
  sk.rcvSaddr = sk.saddr = addr
  if (type === RTN_MULTICAST || type === RTN_BROADCAST) sk.saddr = 0
  if (port !== 0 || !sk.bindAddressNoPort) {
    if (!getPort(port)) {
      sk.rcvSaddr = sk.saddr = 0
      return -Errno.EADDRINUSE
    }
  }
  if (sk.rcvSaddr !== 0) sk.bindAddrLocked = true
  if (port !== 0) sk.bindPortLocked = true
  sk.sport = sk.num
  sk.daddr = sk.dport = 0
  sk.dstCache = null
  return 0
}

/** Fills in what a socket's packets are routed by (flowi4_init_output). */
export function flowInit(
  fl4: Flowi4,
  sk: InetSock,
  oif: number,
  mark: number,
  tos: number,
  proto: number,
  daddr: number,
  saddr: number,
  dport: number,
  sport: number,
): Flowi4 {
  fl4.clear()
  fl4.oif = oif
  fl4.mark = mark
  fl4.tos = tos
  fl4.proto = proto
  fl4.flags = sk.transparent || sk.hdrincl ? FLOWI_FLAG_ANYSRC : 0
  fl4.uid = sk.cred.uid
  fl4.daddr = daddr
  fl4.saddr = saddr
  fl4.dport = dport
  fl4.sport = sport
  return fl4
}

/** The device a message to an address leaves by, as the socket's options say; 0: the route's (udp_sendmsg, raw_sendmsg). */
export function sendDevice(sk: InetSock, oif: number, daddr: number): number {
  if (ipv4IsMulticast(daddr)) {
    const dev = oif === 0 ? undefined : sk.net.devByIndex(oif)
    return oif === 0 || (dev !== undefined && isL3Master(dev)) ? sk.mcIndex : oif
  }
  if (oif === 0) return sk.ucIndex
  if (daddr === 0xffffffff && sk.ucIndex !== 0 && sk.ucIndex !== oif) {
    // bound to an L3 master, the broadcast may go out by one of its ports
    const port = sk.net.devByIndex(sk.ucIndex)
    if (port?.master?.ifindex === oif) return sk.ucIndex
  }
  return oif
}

const connectFlow = new Flowi4()

/**
 * The route to a peer (ip_route_connect): looked up again with the source that the first look-up chose, as rules may
 * look at it. The flow stays filled in until the next call.
 */
export function ipRouteConnect(
  sk: InetSock,
  daddr: number,
  saddr: number,
  oif: number,
  sport: number,
  dport: number,
): { readonly fl4: Flowi4; readonly rt: Rtable | number } {
  const tos = (sk.tos & 0x1e) | (sk.localroute ? RTO_ONLINK : 0)
  const fl4 = flowInit(connectFlow, sk, oif, sk.mark, tos, sk.protocol, daddr, saddr, dport, sport)
  let rt = ipRouteOutputKey(sk.net, fl4)
  if (typeof rt !== 'number' && (daddr === 0 || saddr === 0)) {
    fl4.oif = oif
    fl4.tos = tos
    rt = ipRouteOutputKey(sk.net, fl4)
  }
  return { fl4, rt }
}

/** Connects a datagram socket: fixes the peer and keeps the route (ip4_datagram_connect). */
export function ip4DatagramConnect(sk: InetSock, to: SockaddrIn, rehash: () => void): number {
  sk.dstCache = null
  let oif = sk.boundDevIf
  let { saddr } = sk
  if (ipv4IsMulticast(to.addr)) {
    oif = sendDevice(sk, oif, to.addr)
    if (saddr === 0) saddr = sk.mcAddr
  } else if (oif === 0) oif = sk.ucIndex
  const { fl4, rt } = ipRouteConnect(sk, to.addr, saddr, oif, sk.sport, to.port)
  if (typeof rt === 'number') {
    if (rt === -Errno.ENETUNREACH) ipInc(sk.net, IPSTATS_MIB_OUTNOROUTES)
    return rt
  }
  if ((rt.rtFlags & RTCF_BROADCAST) !== 0 && !sk.broadcast) return -Errno.EACCES
  if (sk.saddr === 0) sk.saddr = fl4.saddr
  if (sk.rcvSaddr === 0) {
    sk.rcvSaddr = fl4.saddr
    rehash()
  }
  sk.daddr = fl4.daddr
  sk.dport = to.port
  sk.state = TCP_ESTABLISHED
  sk.inetId = sk.net.kernel.random.below(0x10000)
  sk.dstCache = rt
  return 0
}

/** Forgets the peer (__udp_disconnect): what connecting chose is given up, what the program chose stays. */
export function datagramDisconnect(sk: InetSock, unhash: () => void, rehash: () => void): number {
  sk.state = TCP_CLOSE
  sk.daddr = sk.dport = 0
  sk.dstCache = null
  if (!sk.bindAddrLocked) {
    sk.rcvSaddr = sk.saddr = 0
    if (sk.bindPortLocked) rehash()
  }
  if (!sk.bindPortLocked) {
    unhash()
    sk.sport = sk.num = 0
  }
  return 0
}
