/** Forwarding packets between devices: hop limit, redirects (RFC 4861 §8.2), Packet Too Big (RFC 4443 §3.2). */
import { Errno } from '../../uapi/errno.ts'
import { IPPROTO_ICMPV6 } from '../../uapi/socket.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import type { Net } from '../core/net_namespace.ts'
import { PACKET_HOST, type SkBuff } from '../core/skbuff.ts'
import { addrTypeAt, IPV6_ADDR_ANY, IPV6_ADDR_LINKLOCAL, IPV6_ADDR_LOOPBACK, IPV6_ADDR_MULTICAST } from './addr.ts'
import { IPV6_DEVCONF_FORWARDING, IPV6_DEVCONF_PROXY_NDP, ipv6DevconfKey } from './devconf.ts'
import {
  ICMPV6_DEST_UNREACH,
  ICMPV6_EXC_HOPLIMIT,
  ICMPV6_NOT_NEIGHBOUR,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_TIME_EXCEED,
  icmpv6Send,
} from './icmp_send.ts'
import { type Inet6Dev, in6Dev } from './if_inet6.ts'
import { peerOf } from './inetpeer6.ts'
import { IPV6_HLEN, IPV6_MIN_MTU, OFF_DADDR, OFF_HOP_LIMIT, OFF_NEXTHDR, OFF_SADDR, skipExtHdrs } from './ip6.ts'
import { ip6Input } from './ip6_input.ts'
import { dstOutput } from './ip6_output.ts'
import { IP6SKB_FORWARDED, IP6SKB_IGNORE_DF, IP6SKB_SRCRT } from './ip6cb.ts'
import { ndTblPneighHas } from './ndisc.ts'
import {
  NDISC_NEIGHBOUR_ADVERTISEMENT,
  NDISC_NEIGHBOUR_SOLICITATION,
  NDISC_REDIRECT,
  NDISC_ROUTER_ADVERTISEMENT,
  NDISC_ROUTER_SOLICITATION,
} from './ndisc_msg.ts'
import { ndiscSendRedirect } from './ndisc_redirect.ts'
import { NF_INET_FORWARD, nfHook6 } from './netfilter6.ts'
import { ip6ForwardMtu } from './route.ts'
import type { Rt6Info } from './rt6_info.ts'
import {
  IPSTATS_MIB_FRAGFAILS,
  IPSTATS_MIB_INADDRERRORS,
  IPSTATS_MIB_INDISCARDS,
  IPSTATS_MIB_INHDRERRORS,
  IPSTATS_MIB_INTOOBIGERRORS,
  IPSTATS_MIB_OUTFORWDATAGRAMS,
  IPSTATS_MIB_OUTOCTETS,
  ip6CountPacket,
  ip6Inc,
} from './snmp.ts'

/** What a packet to a proxied address is: to be forwarded, to be handled here as its owner's ND, or to be dropped. */
type ProxyVerdict = 'forward' | 'input' | 'drop'

function proxyCheck(skb: SkBuff): ProxyVerdict {
  const { buf, networkHeader: nh, tail } = skb
  const { nexthdr, offset } = skipExtHdrs(buf, nh + IPV6_HLEN, tail, buf[nh + OFF_NEXTHDR]!)
  if (nexthdr === IPPROTO_ICMPV6) {
    if (offset < 0 || offset >= tail) return 'forward'
    switch (buf[offset]) {
      case NDISC_ROUTER_SOLICITATION:
      case NDISC_ROUTER_ADVERTISEMENT:
      case NDISC_NEIGHBOUR_SOLICITATION:
      case NDISC_NEIGHBOUR_ADVERTISEMENT:
      case NDISC_REDIRECT:
        // unicast neighbour unreachability detection is answered in the owner's place
        return 'input'
    }
  }
  // link-local packets are not to be forwarded; a proxy cannot
  if ((addrTypeAt(buf, nh + OFF_DADDR) & IPV6_ADDR_LINKLOCAL) !== 0) return 'drop'
  return 'forward'
}

function dropAs(skb: SkBuff, net: Net, idev: Inet6Dev | undefined, mib: number): number {
  ip6Inc(net, idev?.stats, mib)
  skb.free('ip6_forward', mib === IPSTATS_MIB_INADDRERRORS ? 'IP_INADDRERRORS' : 'NOT_SPECIFIED')
  return -Errno.EINVAL
}

/** The input function of routes to elsewhere (ip6_forward). */
export function ip6Forward(skb: SkBuff): number {
  const dst = skb.dst as Rt6Info
  const dev = skb.dev!
  const { net } = dst.dev
  const idev = in6Dev(net.devByIndex(skb.cbIif) ?? dev)
  const { all } = net.at(ipv6DevconfKey)
  if (all.data[IPV6_DEVCONF_FORWARDING] === 0) return dropAs(skb, net, idev, IPSTATS_MIB_INADDRERRORS)
  if (skb.pktType !== PACKET_HOST || skb.owner !== null) {
    skb.free('ip6_forward')
    return -Errno.EINVAL
  }
  const { networkHeader: nh } = skb
  if (skb.buf[nh + OFF_HOP_LIMIT]! <= 1) {
    icmpv6Send(skb, ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT, 0)
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INHDRERRORS)
    skb.free('ip6_forward', 'IP_INHDR')
    return -Errno.ETIMEDOUT
  }
  if (
    (all.data[IPV6_DEVCONF_PROXY_NDP] !== 0 || (idev !== undefined && idev.cnf.data[IPV6_DEVCONF_PROXY_NDP] !== 0)) &&
    ndTblPneighHas(net, skb.buf.subarray(nh + OFF_DADDR, nh + OFF_DADDR + 16), dev)
  ) {
    const verdict = proxyCheck(skb)
    if (verdict === 'input') {
      skb.unshare()
      skb.buf[skb.networkHeader + OFF_HOP_LIMIT]!--
      return ip6Input(skb)
    }
    if (verdict === 'drop') {
      // the owner is unreachable from here, as far as the sender can know
      return dropAs(skb, net, idev, IPSTATS_MIB_INDISCARDS)
    }
  }
  if (skb.cbIif === dst.dev.ifindex && (skb.cbFlags & IP6SKB_SRCRT) === 0) redirect(skb, net, dst)
  else {
    const type = addrTypeAt(skb.buf, nh + OFF_SADDR)
    if (type === IPV6_ADDR_ANY || (type & (IPV6_ADDR_MULTICAST | IPV6_ADDR_LOOPBACK)) !== 0)
      return dropAs(skb, net, idev, IPSTATS_MIB_INADDRERRORS)
    if ((type & IPV6_ADDR_LINKLOCAL) !== 0) {
      icmpv6Send(skb, ICMPV6_DEST_UNREACH, ICMPV6_NOT_NEIGHBOUR, 0)
      return dropAs(skb, net, idev, IPSTATS_MIB_INADDRERRORS)
    }
  }
  const mtu = Math.max(ip6ForwardMtu(dst), IPV6_MIN_MTU)
  if (tooBig(skb, mtu)) {
    // the outgoing device decides about the error's source
    skb.dev = dst.dev
    icmpv6Send(skb, ICMPV6_PKT_TOOBIG, 0, mtu)
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INTOOBIGERRORS)
    ip6Inc(net, dst.idev?.stats, IPSTATS_MIB_FRAGFAILS)
    skb.free('ip6_forward', 'PKT_TOO_BIG')
    return -Errno.EMSGSIZE
  }
  skb.cow(dst.dev.llReserved)
  skb.buf[skb.networkHeader + OFF_HOP_LIMIT]!--
  skb.cbFlags |= IP6SKB_FORWARDED
  return nfHook6(NF_INET_FORWARD, net, skb, dev, dst.dev, forwardFinish)
}

/** The packet leaves by the device it came by: the sender could have sent it there itself. */
function redirect(skb: SkBuff, net: Net, dst: Rt6Info): void {
  const { buf, networkHeader: nh } = skb
  const daddr = buf.slice(nh + OFF_DADDR, nh + OFF_DADDR + 16)
  if (peerOf(net, daddr).allow(NSEC_PER_SEC)) ndiscSendRedirect(skb, dst.gateway ?? daddr)
}

function tooBig(skb: SkBuff, mtu: number): boolean {
  if (skb.len <= mtu) return false
  if (skb.cbFragMaxSize !== 0 && skb.cbFragMaxSize > mtu) return true
  if ((skb.cbFlags & IP6SKB_IGNORE_DF) !== 0) return false
  return skb.gsoSize === 0 || skb.transportHeader - skb.networkHeader + 20 + skb.gsoSize > mtu
}

function forwardFinish(skb: SkBuff): number {
  const dst = skb.dst as Rt6Info
  ip6CountPacket(dst.dev.net, dst.idev?.stats, IPSTATS_MIB_OUTFORWDATAGRAMS, IPSTATS_MIB_OUTOCTETS, skb.len)
  skb.tstamp = 0
  return dstOutput(skb)
}
