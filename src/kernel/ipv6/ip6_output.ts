/**
 * Sending IPv6 packets (RFC 8200): local output, fragmentation at the source, the way through the neighbour table to
 * the device. Headers of datagrams are built in ip6_datagram.ts.
 */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IPV6, IFF_LOOPBACK } from '../../uapi/if.ts'
import { neighOutput } from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { CHECKSUM_NONE, CHECKSUM_UNNECESSARY, PACKET_LOOPBACK, type SkBuff } from '../core/skbuff.ts'
import { RTAX_HOPLIMIT } from '../ipv4/fib_metrics.ts'
import { type In6Addr, IPV6_ADDR_SCOPE_INTFACELOCAL } from './addr.ts'
import { IPV6_DEVCONF_DISABLE_IPV6, IPV6_DEVCONF_HOP_LIMIT, ipv6DevconfKey } from './devconf.ts'
import { type Inet6Dev, in6Dev } from './if_inet6.ts'
import { IPV6_HLEN, IPV6_MAXPLEN, OFF_DADDR, OFF_HOP_LIMIT, OFF_PAYLOAD_LEN, put16 } from './ip6.ts'
import { ip6Fragment } from './ip6_fragment.ts'
import { IP6SKB_FORWARDED, IP6SKB_NO_MC_LOOP, IP6SKB_PMTU_PROBE, IP6SKB_REROUTED } from './ip6cb.ts'
import { ipv6ChkMcastAddr } from './mcast.ts'
import { ndTblResolve } from './ndisc.ts'
import { NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, nfHook6 } from './netfilter6.ts'
import { ip6DstMtu } from './route.ts'
import type { Rt6Info } from './rt6_info.ts'
import {
  IPSTATS_MIB_OUTDISCARDS,
  IPSTATS_MIB_OUTMCASTOCTETS,
  IPSTATS_MIB_OUTMCASTPKTS,
  IPSTATS_MIB_OUTNOROUTES,
  ip6CountPacket,
  ip6Inc,
} from './snmp.ts'

/** Sends a packet by its dst. */
export function dstOutput(skb: SkBuff): number {
  return skb.dst!.output(skb)
}

/** Fills in the payload length and sends an own packet through netfilter (ip6_local_out). */
export function ip6LocalOut(net: Net, skb: SkBuff): number {
  const len = skb.len - IPV6_HLEN
  put16(skb.buf, skb.networkHeader + OFF_PAYLOAD_LEN, len > IPV6_MAXPLEN ? 0 : len)
  skb.protocol = ETH_P_IPV6
  return nfHook6(NF_INET_LOCAL_OUT, net, skb, null, skb.dst!.dev, dstOutput)
}

/** The output function of ordinary routes (ip6_output). */
export function ip6Output(skb: SkBuff): number {
  const dst = skb.dst as Rt6Info
  const { dev } = dst
  const { net } = dev
  const idev = dst.idev
  const indev = skb.dev
  skb.protocol = ETH_P_IPV6
  skb.dev = dev
  if (idev !== undefined && idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] !== 0) {
    ip6Inc(net, idev.stats, IPSTATS_MIB_OUTDISCARDS)
    skb.free('ip6_output', 'IPV6DISABLED')
    return 0
  }
  if ((skb.cbFlags & IP6SKB_REROUTED) !== 0) return finishOutput(skb)
  return nfHook6(NF_INET_POST_ROUTING, net, skb, indev, dev, finishOutput)
}

/** Splits what is too long (ip6_finish_output). */
function finishOutput(skb: SkBuff): number {
  const dst = skb.dst as Rt6Info
  const mtu = (skb.cbFlags & IP6SKB_PMTU_PROBE) !== 0 ? dst.dev.mtu : ip6DstMtu(dst)
  if ((skb.len > mtu && skb.gsoSize === 0) || (skb.cbFragMaxSize !== 0 && skb.len > skb.cbFragMaxSize))
    return ip6Fragment(skb, mtu, finishOutput2)
  return finishOutput2(skb)
}

const nexthop = new Uint8Array(16)

/** Finds the neighbour and hands the packet over (ip6_finish_output2). */
function finishOutput2(skb: SkBuff): number {
  const dst = skb.dst as Rt6Info
  const { dev } = dst
  const { net } = dev
  const { buf, networkHeader: nh } = skb
  if (buf[nh + OFF_DADDR] === 0xff) {
    if (!multicastOut(skb, dev, net, dst.idev)) return 0
  }
  let target: In6Addr
  if (dst.gateway !== undefined) target = dst.gateway
  else {
    target = nexthop
    for (let i = 0; i < 16; i++) target[i] = buf[nh + OFF_DADDR + i]!
  }
  const neigh = ndTblResolve(dev, target)
  if (neigh === undefined) {
    ip6Inc(net, dst.idev?.stats, IPSTATS_MIB_OUTNOROUTES)
    skb.free('ip6_finish_output2', 'NEIGH_CREATEFAIL')
    return -Errno.EINVAL
  }
  return neighOutput(neigh, skb)
}

/** Counts a multicast packet and gives a copy to the own host's listeners. @returns false where that was all */
function multicastOut(skb: SkBuff, dev: NetDevice, net: Net, idev: Inet6Dev | undefined): boolean {
  const { buf, networkHeader: nh } = skb
  if ((dev.flags & IFF_LOOPBACK) === 0) {
    const wanted = (skb.cbFlags & (IP6SKB_NO_MC_LOOP | IP6SKB_FORWARDED)) === 0
    if (wanted && ipv6ChkMcastAddr(dev, buf, nh + OFF_DADDR)) {
      nfHook6(NF_INET_POST_ROUTING, net, skb.clone(), null, dev, loopbackXmit)
      if (buf[nh + OFF_HOP_LIMIT] === 0) {
        ip6Inc(net, idev?.stats, IPSTATS_MIB_OUTDISCARDS)
        skb.free('ip6_finish_output2')
        return false
      }
    }
  }
  ip6CountPacket(net, idev?.stats, IPSTATS_MIB_OUTMCASTPKTS, IPSTATS_MIB_OUTMCASTOCTETS, skb.len)
  if ((buf[nh + OFF_DADDR + 1]! & 15) <= IPV6_ADDR_SCOPE_INTFACELOCAL && (dev.flags & IFF_LOOPBACK) === 0) {
    skb.free('ip6_finish_output2')
    return false
  }
  return true
}

/** Gives an own multicast packet to the own host as if it had been received (dev_loopback_xmit). */
function loopbackXmit(skb: SkBuff): number {
  skb.resetMacHeader()
  skb.data = skb.networkHeader
  skb.pktType = PACKET_LOOPBACK
  if (skb.ipSummed === CHECKSUM_NONE) skb.ipSummed = CHECKSUM_UNNECESSARY
  skb.orphan()
  skb.protocol = ETH_P_IPV6
  skb.dev!.net.kernel.netcore.netifRx(skb)
  return 0
}

/** @returns the hop limit of packets on a route: set on it, or the device's (ip6_dst_hoplimit) */
export function ip6DstHoplimit(dst: Rt6Info): number {
  const set = dst.from?.metrics.raw(RTAX_HOPLIMIT) ?? 0
  if (set !== 0) return set
  const idev = in6Dev(dst.dev)
  const conf = idev?.cnf ?? dst.dev.net.at(ipv6DevconfKey).all
  return conf.data[IPV6_DEVCONF_HOP_LIMIT]!
}
