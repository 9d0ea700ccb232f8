/** Building the IPv6 packets of sockets: room for the payload and the header (ip6_make_skb, ip6_append_data). */
import { Errno } from '../../uapi/errno.ts'
import { IPPROTO_ICMPV6, IPPROTO_RAW, IPPROTO_UDP } from '../../uapi/socket.ts'
import { NET_XMIT_CN } from '../core/net_xmit.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { skbTruesize } from '../core/truesize.ts'
import { type Ipcm6Cookie, ipv6LocalError } from './datagram6.ts'
import type { Flowi6 } from './flowi6.ts'
import { FRAG_HLEN, IPV6_HLEN, IPV6_MAXPLEN, IPV6_MIN_MTU, putHeader } from './ip6.ts'
import { defaultAutolabel, IPV6_FLOWLABEL_MASK, ip6AutoFlowlabel } from './ip6_flowlabel.ts'
import { ip6LocalOut } from './ip6_output.ts'
import { IP6SKB_IGNORE_DF, IP6SKB_NO_MC_LOOP, IP6SKB_PMTU_PROBE } from './ip6cb.ts'
import { type Inet6Sock, IPV6_PMTUDISC_PROBE, type Ipv6Pinfo, ip6SkDstHoplimit, ip6SkIgnoreDf } from './pinfo.ts'
import { ip6DstMtu } from './route.ts'
import type { Rt6Info } from './rt6_info.ts'
import { IPSTATS_MIB_OUTDISCARDS, IPSTATS_MIB_OUTOCTETS, IPSTATS_MIB_OUTPKTS, ip6CountPacket, ip6Inc } from './snmp.ts'

/** What a packet's control block says of the socket that sends it. */
export function sockCbFlags6(np: Ipv6Pinfo): number {
  let flags = 0
  if (ip6SkIgnoreDf(np)) flags |= IP6SKB_IGNORE_DF
  if (np.pmtudisc >= IPV6_PMTUDISC_PROBE) flags |= IP6SKB_PMTU_PROBE
  if (!np.mcLoop) flags |= IP6SKB_NO_MC_LOOP
  return flags
}

/** @returns the flow label of a socket's packets: given, or made from the flow (ip6_make_flowlabel) */
export function socketFlowlabel(sk: Inet6Sock, fl6: Flowi6): number {
  const given = fl6.flowlabel & IPV6_FLOWLABEL_MASK
  if (given !== 0) return given
  return ip6AutoFlowlabel(sk.net, fl6, sk.pinet6.autoflowlabel ?? defaultAutolabel(sk.net))
}

/**
 * Makes a socket's packet with its IPv6 header; the caller writes `length` bytes from `transportHeader` on and sends it.
 * @param fl6 addresses, ports and flow label; its `proto` names the next header
 * @param length bytes behind the IPv6 header @param transhdrlen how many of them must fit into the first packet
 * @returns -EMSGSIZE (also to the error queue), -EAGAIN where the send buffer is full, a pending error of the socket
 */
export function ip6MakeSkb(
  sk: Inet6Sock,
  fl6: Flowi6,
  dst: Rt6Info,
  length: number,
  transhdrlen: number,
  ipc: Ipcm6Cookie,
): SkBuff | number {
  const np = sk.pinet6
  const { dev } = dst
  let mtu = np.pmtudisc >= IPV6_PMTUDISC_PROBE ? dev.mtu : ip6DstMtu(dst)
  if (np.fragSize !== 0 && np.fragSize < mtu) mtu = np.fragSize
  if (mtu < IPV6_MIN_MTU) return -Errno.EINVAL
  const whole =
    ipc.dontfrag && (sk.protocol === IPPROTO_UDP || sk.protocol === IPPROTO_ICMPV6 || sk.protocol === IPPROTO_RAW)
  const most = ip6SkIgnoreDf(np) ? IPV6_HLEN + IPV6_MAXPLEN : mtu
  const fits = ((mtu - IPV6_HLEN) & ~7) + IPV6_HLEN > FRAG_HLEN && IPV6_HLEN + transhdrlen <= mtu
  if (!fits || length > most - IPV6_HLEN || (whole && length > mtu - IPV6_HLEN)) {
    ipv6LocalError(sk, Errno.EMSGSIZE, fl6, mtu)
    return -Errno.EMSGSIZE
  }
  const rc = sk.mayAllocSend()
  if (rc !== 0) return rc

  const reserved = dev.llReserved
  const { net } = sk
  const skb = net.kernel.skbs.alloc(reserved + IPV6_HLEN + length)
  skb.truesize = skbTruesize(reserved + 15 + IPV6_HLEN + length)
  skb.reserve(reserved)
  const at = skb.put(IPV6_HLEN + length)
  skb.networkHeader = at
  skb.transportHeader = at + IPV6_HLEN
  skb.dst = dst
  skb.mark = fl6.mark
  skb.priority = sk.priority
  skb.cbFlags = sockCbFlags6(np)
  if (np.fragSize !== 0) skb.cbFragMaxSize = mtu
  sk.setOwnerW(skb)
  const tclass = ipc.tclass < 0 ? np.tclass : ipc.tclass
  const hlimit = ipc.hlimit < 0 ? ip6SkDstHoplimit(np, fl6, dst) : ipc.hlimit
  const first = (tclass << 20) | socketFlowlabel(sk, fl6)
  putHeader(skb.buf, at, first, length, fl6.proto, hlimit, fl6.saddr, fl6.daddr)
  ip6CountPacket(net, dst.idev?.stats, IPSTATS_MIB_OUTPKTS, IPSTATS_MIB_OUTOCTETS, skb.len)
  return skb
}

/** Sends a socket's packet (ip6_send_skb). @returns 0 or a negative error; -ENOBUFS where it was dropped on the way */
export function ip6SendSkb(skb: SkBuff): number {
  const dst = skb.dst as Rt6Info
  const { net } = dst.dev
  const { idev } = dst
  let rc = ip6LocalOut(net, skb)
  if (rc > 0) rc = rc === NET_XMIT_CN ? 0 : -Errno.ENOBUFS
  if (rc < 0) ip6Inc(net, idev?.stats, IPSTATS_MIB_OUTDISCARDS)
  return rc
}
