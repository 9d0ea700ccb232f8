/** Packets of the kernel's own ICMPv6 messages that go by the routing tables: errors and echo replies. */
import { IPPROTO_ICMPV6 } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import type { Flowi6 } from './flowi6.ts'
import { IPV6_HLEN, putHeader } from './ip6.ts'
import { ip6AutoFlowlabel } from './ip6_flowlabel.ts'
import { IP6SKB_IGNORE_DF } from './ip6cb.ts'
import type { Rt6Info } from './rt6_info.ts'
import { IPSTATS_MIB_OUTOCTETS, IPSTATS_MIB_OUTPKTS, icmp6CountOut, ip6CountPacket } from './snmp.ts'

/** Bytes of an ICMPv6 header. */
export const ICMP_HLEN = 8

/**
 * @param len bytes of the whole message @param tclass traffic class
 * @returns a packet with its IPv6 header and room for the message at `transportHeader`, counted as sent
 */
export function icmp6MakeSkb(
  net: Net,
  dst: Rt6Info,
  fl6: Flowi6,
  hopLimit: number,
  tclass: number,
  len: number,
): SkBuff | undefined {
  if (len > 65535) return undefined
  const { dev } = dst
  const skb = net.kernel.skbs.alloc(dev.llReserved + IPV6_HLEN + len)
  skb.reserve(dev.llReserved)
  skb.resetNetworkHeader()
  const at = skb.put(IPV6_HLEN + len)
  skb.transportHeader = at + IPV6_HLEN
  const label = fl6.flowlabel & 0xfffff || ip6AutoFlowlabel(net, fl6)
  putHeader(skb.buf, at, (tclass << 20) | label, len, IPPROTO_ICMPV6, hopLimit, fl6.saddr, fl6.daddr)
  skb.dst = dst
  skb.mark = fl6.mark
  skb.cbFlags = IP6SKB_IGNORE_DF
  ip6CountPacket(net, dst.idev?.stats, IPSTATS_MIB_OUTPKTS, IPSTATS_MIB_OUTOCTETS, skb.len)
  icmp6CountOut(net, dst.idev?.stats, fl6.sport)
  return skb
}
