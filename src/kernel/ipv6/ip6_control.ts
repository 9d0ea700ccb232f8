/** Sending the protocol's own messages (ND, MLD): by the device they belong to, whatever the routing tables say. */
import type { NetDevice } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import type { In6Addr } from './addr.ts'
import { type Inet6Dev, in6Dev } from './if_inet6.ts'
import { fib6Key } from './ip6_fib.ts'
import { ip6Input } from './ip6_input.ts'
import { dstOutput, ip6Output } from './ip6_output.ts'
import { NF_INET_LOCAL_OUT, nfHook6 } from './netfilter6.ts'
import { Rt6Info } from './rt6_info.ts'
import {
  IPSTATS_MIB_OUTDISCARDS,
  IPSTATS_MIB_OUTOCTETS,
  IPSTATS_MIB_OUTPKTS,
  icmp6CountOut,
  ip6CountPacket,
  ip6Inc,
} from './snmp.ts'

/** @returns a dst that leads straight to a neighbour on a device (icmp6_dst_alloc), undefined without IPv6 there */
export function icmp6DstAlloc(dev: NetDevice, daddr: In6Addr): Rt6Info | undefined {
  const idev = in6Dev(dev)
  if (idev === undefined) return undefined
  const fib = dev.net.at(fib6Key)
  const rt = new Rt6Info(fib, dev, ip6Input, ip6Output)
  fib.stats.rtAlloc++
  rt.dst = rt.gateway = daddr.slice()
  rt.dstLen = 128
  rt.idev = idev
  return rt
}

/**
 * Sends a complete packet with its IPv6 header to `daddr` on the link of `idev`, counting it as an ICMPv6 message.
 * @param type the ICMPv6 type
 */
export function ip6SendControl(skb: SkBuff, idev: Inet6Dev, daddr: In6Addr, type: number): void {
  const { dev } = idev
  const { net } = dev
  ip6CountPacket(net, idev.stats, IPSTATS_MIB_OUTPKTS, IPSTATS_MIB_OUTOCTETS, skb.len)
  const dst = icmp6DstAlloc(dev, daddr)
  if (dst === undefined) {
    skb.free('icmp6_dst_alloc')
    return
  }
  skb.dst = dst
  skb.protocol = 0x86dd
  const err = nfHook6(NF_INET_LOCAL_OUT, net, skb, null, dev, dstOutput)
  if (err === 0) icmp6CountOut(net, idev.stats, type)
  else ip6Inc(net, idev.stats, IPSTATS_MIB_OUTDISCARDS)
}
