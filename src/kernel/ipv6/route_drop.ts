/** What routes that lead nowhere do with a packet: drop it, with or without an ICMPv6 error to its sender. */
import { IFF_L3MDEV_MASTER } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { addrTypeAt, IPV6_ADDR_ANY } from './addr.ts'
import { ICMPV6_ADM_PROHIBITED, ICMPV6_DEST_UNREACH, ICMPV6_NOROUTE, icmpv6Send } from './icmp_send.ts'
import { in6Dev } from './if_inet6.ts'
import { OFF_DADDR } from './ip6.ts'
import type { Rt6Info } from './rt6_info.ts'
import { IPSTATS_MIB_INADDRERRORS, IPSTATS_MIB_INNOROUTES, IPSTATS_MIB_OUTNOROUTES, ip6Inc } from './snmp.ts'

function drop(skb: SkBuff, code: number, mib: number, location: string): number {
  const dst = skb.dst as Rt6Info
  const { net } = dst.dev
  const viaLoopback = (skb.dev!.privFlags & IFF_L3MDEV_MASTER) !== 0 || dst.dev === net.loopback
  const arrival = viaLoopback ? net.devByIndex(skb.cbIif) : undefined
  const idev = viaLoopback ? (arrival === undefined ? undefined : in6Dev(arrival)) : dst.idev
  let reason: 'IP_INADDRERRORS' | 'IP_INNOROUTES' | 'IP_OUTNOROUTES' = 'IP_OUTNOROUTES'
  if (mib === IPSTATS_MIB_INNOROUTES && addrTypeAt(skb.buf, skb.networkHeader + OFF_DADDR) === IPV6_ADDR_ANY) {
    reason = 'IP_INADDRERRORS'
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INADDRERRORS)
  } else {
    if (mib === IPSTATS_MIB_INNOROUTES) reason = 'IP_INNOROUTES'
    ip6Inc(net, idev?.stats, mib)
  }
  icmpv6Send(skb, ICMPV6_DEST_UNREACH, code, 0)
  skb.free(location, reason)
  return 0
}

/** A received packet without a route: "no route". */
export function ip6PktDiscard(skb: SkBuff): number {
  return drop(skb, ICMPV6_NOROUTE, IPSTATS_MIB_INNOROUTES, 'ip6_pkt_drop')
}

/** An own packet without a route. */
export function ip6PktDiscardOut(skb: SkBuff): number {
  skb.dev = skb.dst!.dev
  return drop(skb, ICMPV6_NOROUTE, IPSTATS_MIB_OUTNOROUTES, 'ip6_pkt_drop')
}

/** A received packet for a prohibit route: "administratively prohibited". */
export function ip6PktProhibit(skb: SkBuff): number {
  return drop(skb, ICMPV6_ADM_PROHIBITED, IPSTATS_MIB_INNOROUTES, 'ip6_pkt_drop')
}

/** An own packet for a prohibit route. */
export function ip6PktProhibitOut(skb: SkBuff): number {
  skb.dev = skb.dst!.dev
  return drop(skb, ICMPV6_ADM_PROHIBITED, IPSTATS_MIB_OUTNOROUTES, 'ip6_pkt_drop')
}

/** A blackhole: dropped without a word. */
export function ip6Discard(skb: SkBuff): number {
  skb.free('dst_discard_out')
  return 0
}

/** The same for own packets. */
export function ip6DiscardOut(skb: SkBuff): number {
  skb.free('dst_discard_out')
  return 0
}
