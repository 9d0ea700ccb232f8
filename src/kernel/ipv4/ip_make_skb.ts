/** Building the IPv4 packets of sockets: room for the payload, the header, options (ip_make_skb, ip_append_data). */
import { Errno } from '../../uapi/errno.ts'
import { RTN_MULTICAST } from '../../uapi/rtnetlink.ts'
import { IP_PMTUDISC_DO, IP_PMTUDISC_PROBE } from '../../uapi/socket.ts'
import { NETIF_F_SG } from '../core/features.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { skbTruesize } from '../core/truesize.ts'
import { RTAX_HOPLIMIT } from './fib_metrics.ts'
import type { InetSock } from './inet_sock.ts'
import {
  IP_DF,
  IP_HLEN,
  IPSKB_IGNORE_DF,
  IPSKB_NO_MC_LOOP,
  IPSKB_NO_PMTU,
  OFF_DADDR,
  OFF_FRAG_OFF,
  OFF_ID,
  OFF_PROTOCOL,
  OFF_SADDR,
  OFF_TOS,
  OFF_TTL,
  put16,
  put32,
} from './ip.ts'
import { ipSelectIdent } from './ip_ident.ts'
import { ipOptionsBuild } from './ip_options.ts'
import { ipLocalError } from './ip_sockglue.ts'
import type { IpcmCookie } from './ipcm.ts'
import { IP_MAX_MTU, IPV4_MIN_MTU, type Rtable } from './rtable.ts'
import { IPSTATS_MIB_OUTDISCARDS, ipInc } from './snmp.ts'

/** @returns the TTL of a socket's packets by a route (ip_select_ttl) */
export function ipSelectTtl(sk: InetSock, rt: Rtable): number {
  return sk.ucTtl >= 0 ? sk.ucTtl : rt.metric(RTAX_HOPLIMIT)
}

/** Largest buffer that a socket's packet gets in one piece, bytes (SKB_MAX_ALLOC). */
const SKB_MAX_ALLOC = 4 * 4096 - 320

/** @returns what a packet is charged: a large one is made of pages, if its device can gather them */
function sendTruesize(rt: Rtable, overhead: number, length: number, transhdrlen: number): number {
  if (overhead + length < SKB_MAX_ALLOC || (rt.dev.features & NETIF_F_SG) === 0) return skbTruesize(overhead + length)
  return skbTruesize(overhead + transhdrlen) + length - transhdrlen
}

/** What a packet's control block says of the socket that sends it. */
export function sockCbFlags(sk: InetSock): number {
  const flags = (sk.ignoreDf ? IPSKB_IGNORE_DF : 0) | (sk.usePmtu ? 0 : IPSKB_NO_PMTU)
  return sk.mcLoop ? flags : flags | IPSKB_NO_MC_LOOP
}

/**
 * Makes a socket's packet with its IPv4 header; the caller writes `length` bytes from `transportHeader` on and sends it.
 * @param saddr,daddr host order @param protocol IPPROTO_… @param length bytes behind the IPv4 header
 * @param transhdrlen how many of them are the transport's header
 * @param ipc options, TTL, TOS, mark and priority of this message
 * @returns -EMSGSIZE (also to the error queue), -EAGAIN where the send buffer is full, a pending error of the socket
 */
export function ipMakeSkb(
  sk: InetSock,
  saddr: number,
  daddr: number,
  rt: Rtable,
  protocol: number,
  length: number,
  transhdrlen: number,
  ipc: IpcmCookie,
): SkBuff | number {
  const { dev } = rt
  const { opt } = ipc
  const pathMtu = rt.mtu()
  const mtu = sk.usePmtu ? pathMtu : dev.mtu
  if (mtu < IPV4_MIN_MTU) return -Errno.ENETUNREACH
  const hlen = opt === null ? IP_HLEN : IP_HLEN + opt.optlen
  const { ignoreDf } = sk
  if (length > (ignoreDf ? IP_MAX_MTU : mtu) - hlen) {
    ipLocalError(sk, Errno.EMSGSIZE, daddr, sk.dport, mtu - (hlen - IP_HLEN))
    return -Errno.EMSGSIZE
  }
  const rc = sk.mayAllocSend()
  if (rc !== 0) {
    ipInc(sk.net, IPSTATS_MIB_OUTDISCARDS)
    return rc
  }

  const reserved = dev.llReserved
  const skb = sk.net.kernel.skbs.alloc(reserved + hlen + length)
  skb.truesize = sendTruesize(rt, reserved + 15 + hlen, length, transhdrlen)
  skb.reserve(reserved)
  const at = skb.put(hlen + length)
  skb.networkHeader = at
  skb.transportHeader = at + hlen
  skb.dst = rt
  skb.mark = ipc.mark
  skb.priority = ipc.tos !== -1 ? ipc.priority : sk.priority
  skb.cbFlags = sockCbFlags(sk)
  sk.setOwnerW(skb)

  const { buf } = skb
  const pmtudisc = sk.pmtudisc
  const df =
    pmtudisc === IP_PMTUDISC_DO || pmtudisc === IP_PMTUDISC_PROBE || (hlen + length <= pathMtu && sk.dontFragment(rt))
  let { ttl } = ipc
  if (ttl === 0) ttl = rt.type === RTN_MULTICAST ? sk.mcTtl : ipSelectTtl(sk, rt)
  buf[at] = 0x40 | (hlen >> 2)
  buf[at + OFF_TOS] = ipc.tos !== -1 ? ipc.tos : sk.tos
  put16(buf, at + OFF_FRAG_OFF, df ? IP_DF : 0)
  buf[at + OFF_TTL] = ttl
  buf[at + OFF_PROTOCOL] = protocol
  put32(buf, at + OFF_SADDR, saddr)
  put32(buf, at + OFF_DADDR, daddr)
  put16(buf, at + OFF_ID, selectIdent(sk, saddr, daddr, protocol, df && !ignoreDf))
  if (opt !== null) ipOptionsBuild(skb, opt, ipc.addr, rt)
  return skb
}

/**
 * The identification of a socket's packet: a connected socket's own counter, 0 where it can never be fragmented, else
 * the shared counter (ip_select_ident_segs).
 */
export function selectIdent(sk: InetSock, saddr: number, daddr: number, protocol: number, atomic: boolean): number {
  if (sk.daddr !== 0) {
    const id = sk.inetId
    sk.inetId = (id + 1) & 0xffff
    return id
  }
  return atomic ? 0 : ipSelectIdent(sk.net, saddr, daddr, protocol)
}
