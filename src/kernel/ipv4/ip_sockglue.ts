/**
 * Between sockets and IPv4: options at SOL_IP, ancillary data in both directions, and the error queue, see ip(7).
 */
import { Errno } from '../../uapi/errno.ts'
import {
  AF_INET,
  type AncillaryData,
  IP_ADD_MEMBERSHIP,
  IP_BIND_ADDRESS_NO_PORT,
  IP_DROP_MEMBERSHIP,
  IP_FREEBIND,
  IP_HDRINCL,
  IP_MTU,
  IP_MTU_DISCOVER,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_OPTIONS,
  IP_PKTINFO,
  IP_PMTUDISC_DONT,
  IP_RECVERR,
  IP_RECVOPTS,
  IP_RECVTTL,
  IP_RETOPTS,
  IP_TOS,
  IP_TRANSPARENT,
  IP_TTL,
  MSG_ERRQUEUE,
  MSG_TRUNC,
  type ReceivedMessage,
  SOCK_RAW,
  SOCK_STREAM,
} from '../../uapi/socket.ts'
import { l3mdevMasterIfindex } from '../core/l3mdev.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { type OptionResult, optionNumber } from '../core/sock.ts'
import type { OptionValue } from '../core/socket.ts'
import { ipDevFind } from './devinet_select.ts'
import { fibComputeSpecDst } from './fib_validate.ts'
import { ICMP_HLEN } from './icmp_types.ts'
import { ipMcJoinGroup, ipMcLeaveGroup } from './igmp_sock.ts'
import {
  type InetSock,
  IP_CMSG_PKTINFO,
  IP_CMSG_RECVOPTS,
  IP_CMSG_RETOPTS,
  IP_CMSG_TOS,
  IP_CMSG_TTL,
  IP_PMTUDISC_OMIT,
  NO_CONTROL,
  registerIpSockopts,
} from './inet_sock.ts'
import {
  get32,
  INET_ECN_MASK,
  IP_HLEN,
  IPSKB_L3SLAVE,
  OFF_DADDR,
  OFF_SADDR,
  OFF_TOS,
  OFF_TTL,
  rtTos2priority,
} from './ip.ts'
import { IpOptions, ipOptionsEcho, ipOptionsGet, ipOptionsUndo, skbOptions } from './ip_options.ts'
import { ipv4Key } from './netns_ipv4.ts'
import type { Rtable } from './rtable.ts'

/** Options of ip(7) that few programs use. */
const IP_RECVTOS = 13
const IP_MINTTL = 21
const IP_NODEFRAG = 22
const IP_RECVERR_RFC4884 = 26
const IP_MULTICAST_ALL = 49
const IP_UNICAST_IF = 50

const LOOPBACK_IFINDEX = 1

/** Which option asks for which ancillary data. */
const CMSG_OF_OPTION: Readonly<Record<number, number>> = {
  [IP_PKTINFO]: IP_CMSG_PKTINFO,
  [IP_RECVTTL]: IP_CMSG_TTL,
  [IP_RECVTOS]: IP_CMSG_TOS,
  [IP_RECVOPTS]: IP_CMSG_RECVOPTS,
  [IP_RETOPTS]: IP_CMSG_RETOPTS,
}

registerIpSockopts({ set: ipSetsockopt, get: ipGetsockopt })

/** Sets an option at SOL_IP (do_ip_setsockopt). */
export function ipSetsockopt(sk: InetSock, option: number, value: OptionValue): number {
  if (option === IP_OPTIONS) return setOptions(sk, value)
  if (option === IP_MULTICAST_IF) return setMulticastIf(sk, value)
  if (option === IP_ADD_MEMBERSHIP || option === IP_DROP_MEMBERSHIP) {
    if (sk.type === SOCK_STREAM) return -Errno.EPROTO
    if (typeof value !== 'object' || value instanceof Uint8Array || value.kind !== 'mreqn') return -Errno.EINVAL
    return option === IP_ADD_MEMBERSHIP ? ipMcJoinGroup(sk, value) : ipMcLeaveGroup(sk, value)
  }
  const number = optionNumber(value)
  if (number === undefined) return -Errno.EINVAL
  const cmsg = CMSG_OF_OPTION[option]
  if (cmsg !== undefined) {
    if (number !== 0) sk.cmsgFlags |= cmsg
    else sk.cmsgFlags &= ~cmsg
    return 0
  }
  return setNumber(sk, option, number)
}

function setNumber(sk: InetSock, option: number, number: number): number {
  const on = number !== 0
  switch (option) {
    case IP_TOS:
      setTos(sk, number & 0xff)
      return 0
    case IP_TTL:
      if (number !== -1 && (number < 1 || number > 255)) return -Errno.EINVAL
      sk.ucTtl = number
      return 0
    case IP_HDRINCL:
      if (sk.type !== SOCK_RAW) return -Errno.ENOPROTOOPT
      sk.hdrincl = on
      return 0
    case IP_NODEFRAG:
      if (sk.type !== SOCK_RAW) return -Errno.ENOPROTOOPT
      sk.nodefrag = on
      return 0
    case IP_BIND_ADDRESS_NO_PORT:
      sk.bindAddressNoPort = on
      return 0
    case IP_MTU_DISCOVER:
      if (number < IP_PMTUDISC_DONT || number > IP_PMTUDISC_OMIT) return -Errno.EINVAL
      sk.pmtudisc = number
      return 0
    case IP_RECVERR:
      sk.recverr = on
      if (!on) sk.purgeErrors()
      return 0
    case IP_RECVERR_RFC4884:
      if (number < 0 || number > 1) return -Errno.EINVAL
      sk.recverrRfc4884 = on
      return 0
    case IP_MULTICAST_TTL:
      if (sk.type === SOCK_STREAM || number < -1 || number > 255) return -Errno.EINVAL
      sk.mcTtl = number === -1 ? 1 : number
      return 0
    case IP_MULTICAST_LOOP:
      sk.mcLoop = on
      return 0
    case IP_MULTICAST_ALL:
      if (number !== 0 && number !== 1) return -Errno.EINVAL
      sk.mcAll = on
      return 0
    case IP_UNICAST_IF:
      return setUnicastIf(sk, number)
    case IP_FREEBIND:
      sk.freebind = on
      return 0
    case IP_TRANSPARENT:
      if (on && !sk.nsCapable) return -Errno.EPERM
      sk.transparent = on
      return 0
    case IP_MINTTL:
      if (number < 0 || number > 255) return -Errno.EINVAL
      sk.minTtl = number
      return 0
    default:
      return -Errno.ENOPROTOOPT
  }
}

/** Sets the TOS byte, and the priority that goes with it (ip_sock_set_tos). */
function setTos(sk: InetSock, tos: number): void {
  if (sk.type === SOCK_STREAM) tos = (tos & ~INET_ECN_MASK) | (sk.tos & INET_ECN_MASK)
  if (sk.tos === tos) return
  sk.tos = tos
  sk.priority = rtTos2priority(tos)
  sk.dstCache = null
}

function setOptions(sk: InetSock, value: OptionValue): number {
  if (!(value instanceof Uint8Array))
    return value === 0 || value === '' ? setOptions(sk, new Uint8Array(0)) : -Errno.EINVAL
  const opt = ipOptionsGet(sk.net, value, sk.nsCapable)
  if (typeof opt === 'number') return opt
  sk.opt = opt.optlen === 0 ? null : opt
  return 0
}

/** The index comes in network order. */
function setUnicastIf(sk: InetSock, number: number): number {
  const index =
    (((number & 0xff) << 24) | ((number & 0xff00) << 8) | ((number >> 8) & 0xff00) | ((number >> 24) & 0xff)) >>> 0
  if (index === 0) {
    sk.ucIndex = 0
    return 0
  }
  const dev = sk.net.devByIndex(index)
  if (dev === undefined) return -Errno.EADDRNOTAVAIL
  const master = l3mdevMasterIfindex(dev)
  if (sk.boundDevIf !== 0 && index !== sk.boundDevIf && (master === 0 || master !== sk.boundDevIf)) return -Errno.EINVAL
  sk.ucIndex = index
  return 0
}

function setMulticastIf(sk: InetSock, value: OptionValue): number {
  if (sk.type === SOCK_STREAM) return -Errno.EINVAL
  let address = 0
  let ifindex = 0
  if (value instanceof Uint8Array && value.length >= 4) address = get32(value, 0)
  else if (typeof value === 'object' && !(value instanceof Uint8Array) && value.kind === 'mreqn') {
    address = value.address
    ifindex = value.ifindex
  } else return -Errno.EINVAL
  if (ifindex === 0 && address === 0) {
    sk.mcIndex = sk.mcAddr = 0
    return 0
  }
  const dev = ifindex === 0 ? ipDevFind(sk.net, address) : sk.net.devByIndex(ifindex)
  if (dev === undefined) return -Errno.EADDRNOTAVAIL
  if (sk.boundDevIf !== 0 && dev.ifindex !== sk.boundDevIf && l3mdevMasterIfindex(dev) !== sk.boundDevIf)
    return -Errno.EINVAL
  sk.mcIndex = dev.ifindex
  sk.mcAddr = address
  return 0
}

/** Reads an option at SOL_IP (do_ip_getsockopt). */
export function ipGetsockopt(sk: InetSock, option: number): OptionResult {
  const cmsg = CMSG_OF_OPTION[option]
  if (cmsg !== undefined) return (sk.cmsgFlags & cmsg) !== 0 ? 1 : 0
  switch (option) {
    case IP_OPTIONS:
      return sk.opt === null ? new Uint8Array(0) : ipOptionsUndo(sk.opt)
    case IP_TOS:
      return sk.tos
    case IP_TTL:
      return sk.ucTtl === -1 ? sk.net.at(ipv4Key).ipDefaultTtl : sk.ucTtl
    case IP_HDRINCL:
      return sk.hdrincl ? 1 : 0
    case IP_NODEFRAG:
      return sk.nodefrag ? 1 : 0
    case IP_BIND_ADDRESS_NO_PORT:
      return sk.bindAddressNoPort ? 1 : 0
    case IP_MTU_DISCOVER:
      return sk.pmtudisc
    case IP_MTU: {
      const mtu = sk.dstCheck()?.mtu() ?? 0
      return mtu === 0 ? { errno: Errno.ENOTCONN } : mtu
    }
    case IP_RECVERR:
      return sk.recverr ? 1 : 0
    case IP_RECVERR_RFC4884:
      return sk.recverrRfc4884 ? 1 : 0
    case IP_MULTICAST_TTL:
      return sk.mcTtl
    case IP_MULTICAST_LOOP:
      return sk.mcLoop ? 1 : 0
    case IP_MULTICAST_ALL:
      return sk.mcAll ? 1 : 0
    case IP_MULTICAST_IF:
      return Uint8Array.of(sk.mcAddr >>> 24, sk.mcAddr >>> 16, sk.mcAddr >>> 8, sk.mcAddr)
    case IP_FREEBIND:
      return sk.freebind ? 1 : 0
    case IP_TRANSPARENT:
      return sk.transparent ? 1 : 0
    case IP_MINTTL:
      return sk.minTtl
    default:
      return { errno: Errno.ENOPROTOOPT }
  }
}

/**
 * Notes in a packet what its socket may want to know of its way here, before the route is let go
 * (ipv4_pktinfo_prepare). The packet's control blocks are the socket's from now on: `cbIif` is the device, `cbTime` the
 * address an answer would come from.
 */
export function ipv4PktinfoPrepare(sk: InetSock, skb: SkBuff): void {
  const rt = skb.dst as Rtable | null
  if ((sk.cmsgFlags & IP_CMSG_PKTINFO) !== 0 && rt !== null) {
    if (skb.cbIif === LOOPBACK_IFINDEX) skb.cbIif = inetIif(skb)
    else if ((skb.cbFlags & IPSKB_L3SLAVE) !== 0 && rt.iif !== 0) skb.cbIif = rt.iif
    skb.cbTime = fibComputeSpecDst(skb)
  } else {
    skb.cbIif = 0
    skb.cbTime = 0
  }
  if (skb.cbOptions !== null && (sk.cmsgFlags & IP_CMSG_RETOPTS) !== 0) skb.cbOptions = echoed(sk, skb)
  skb.dst = null
}

/** Options as an answer would carry them; they need the route, so that they are made before it is let go. */
function echoed(sk: InetSock, skb: SkBuff): IpOptions | null {
  const echo = new IpOptions()
  return ipOptionsEcho(sk.net, echo, skb, skbOptions(skb)) < 0 ? null : echo
}

/** @returns index of the device a packet came in by, behind an L3 master (inet_iif) */
export function inetIif(skb: SkBuff): number {
  const rt = skb.dst as Rtable | null
  return rt !== null && rt.iif !== 0 ? rt.iif : skb.iif
}

/** @returns index of the port of an L3 master a packet came in by, 0 where there is none (inet_sdif) */
export function inetSdif(skb: SkBuff): number {
  return (skb.cbFlags & IPSKB_L3SLAVE) !== 0 ? skb.cbIif : 0
}

/** Makes the ancillary data that a socket asked for (ip_cmsg_recv). */
export function ipCmsgRecv(sk: InetSock, skb: SkBuff): AncillaryData {
  const flags = sk.cmsgFlags
  if (flags === 0 && !sk.timestamp) return NO_CONTROL
  const { buf, networkHeader: iph } = skb
  const out: { -readonly [K in keyof AncillaryData]: AncillaryData[K] } = {}
  if (sk.timestamp) out.timestamp = sk.net.kernel.bootTime + skb.tstamp
  if ((flags & IP_CMSG_PKTINFO) !== 0)
    out.pktinfo = { ifindex: skb.cbIif, specDst: skb.cbTime, addr: get32(buf, iph + OFF_DADDR) }
  if ((flags & IP_CMSG_TTL) !== 0) out.ttl = buf[iph + OFF_TTL]!
  if ((flags & IP_CMSG_TOS) !== 0) out.tos = buf[iph + OFF_TOS]!
  const options = (buf[iph]! & 15) * 4 - IP_HLEN
  if (options > 0) {
    if ((flags & IP_CMSG_RECVOPTS) !== 0) out.options = buf.slice(iph + IP_HLEN, iph + IP_HLEN + options)
    const echo = skb.cbOptions as IpOptions | null
    if ((flags & IP_CMSG_RETOPTS) !== 0 && echo !== null) out.options = ipOptionsUndo(echo)
  }
  return out
}

/**
 * Queues an ICMP error for a socket with IP_RECVERR (ip_icmp_error).
 * @param skb the ICMP message, `networkHeader` at its IP header, `transportHeader` at ICMP's
 * @param errno positive @param port port (or identifier) the packet was sent to @param info with EMSGSIZE the MTU
 * @param payload where the quoted packet's payload begins, absolute in the buffer
 */
export function ipIcmpError(
  sk: InetSock,
  skb: SkBuff,
  errno: number,
  port: number,
  info: number,
  payload: number,
): void {
  const { buf, networkHeader: iph, transportHeader: icmph } = skb
  const err = {
    errno,
    origin: 'icmp',
    type: buf[icmph]!,
    code: buf[icmph + 1]!,
    info,
    offender: { family: AF_INET, addr: get32(buf, iph + OFF_SADDR), port: 0 },
  } as const
  const to = { family: AF_INET, addr: get32(buf, icmph + ICMP_HLEN + OFF_DADDR), port } as const
  const data = buf.slice(Math.min(payload, skb.tail), skb.tail)
  sk.queueError({ err, to, data, control: ipCmsgRecv(sk, skb), truesize: skb.truesize })
}

/** Queues an error that was found here, such as a message too long for the path (ip_local_error). */
export function ipLocalError(sk: InetSock, errno: number, daddr: number, port: number, info: number): void {
  if (!sk.recverr) return
  const err = { errno, origin: 'local', type: 0, code: 0, info } as const
  const to = { family: AF_INET, addr: daddr, port } as const
  sk.queueError({ err, to, data: new Uint8Array(0), control: NO_CONTROL, truesize: 768 })
}

/** Reads the error queue (ip_recv_error): MSG_ERRQUEUE. */
export function ipRecvError(sk: InetSock, max: number): ReceivedMessage | number {
  const error = sk.dequeueError()
  if (error === undefined) return -Errno.EAGAIN
  const { data } = error
  const flags = MSG_ERRQUEUE | (data.length > max ? MSG_TRUNC : 0)
  return {
    data: data.length > max ? data.slice(0, max) : data,
    length: data.length,
    flags,
    ...(error.to === undefined ? {} : { from: error.to }),
    control: { ...error.control, err: error.err },
  }
}
