/** Receiving IPv6 packets: the checks of RFC 8200 and RFC 4291, routing, and delivery to protocols and raw sockets. */
import { IFF_LOOPBACK } from '../../uapi/if.ts'
import { IPPROTO_HOPOPTS } from '../../uapi/socket.ts'
import { isL3Master } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import { PACKET_BROADCAST, PACKET_LOOPBACK, PACKET_MULTICAST, PACKET_OTHERHOST, type SkBuff } from '../core/skbuff.ts'
import { addrEqualAt, IN6ADDR_LOOPBACK } from './addr.ts'
import { IPV6_DEVCONF_DISABLE_IPV6, IPV6_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST } from './devconf.ts'
import { parseHopopts } from './exthdrs.ts'
import { ICMPV6_PARAMPROB, ICMPV6_UNK_NEXTHDR, icmpv6Send } from './icmp_send.ts'
import { type Inet6Dev, in6Dev } from './if_inet6.ts'
import { get16, IPV6_HLEN, OFF_DADDR, OFF_NEXTHDR, OFF_PAYLOAD_LEN, OFF_SADDR, tclassAt } from './ip6.ts'
import { nhoffOf, withNhoff } from './ip6cb.ts'
import { ipv6ChkMcastAddr } from './mcast.ts'
import { isMld } from './mld.ts'
import { NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING, nfHook6 } from './netfilter6.ts'
import { inet6Protocol } from './protocol6.ts'
import { raw6LocalDeliver } from './raw_deliver.ts'
import { ip6RouteInput } from './route.ts'
import type { Rt6Info } from './rt6_info.ts'
import {
  IPSTATS_MIB_INDELIVERS,
  IPSTATS_MIB_INDISCARDS,
  IPSTATS_MIB_INHDRERRORS,
  IPSTATS_MIB_INMCASTOCTETS,
  IPSTATS_MIB_INMCASTPKTS,
  IPSTATS_MIB_INOCTETS,
  IPSTATS_MIB_INPKTS,
  IPSTATS_MIB_INTRUNCATEDPKTS,
  IPSTATS_MIB_INUNKNOWNPROTOS,
  IPSTATS_MIB_NOECTPKTS,
  ip6CountPacket,
  ip6Inc,
} from './snmp.ts'

/** Takes a packet from a device (ipv6_rcv). */
export function ipv6Rcv(skb: SkBuff, dev: NetDevice): number {
  if (!receive(skb, dev)) return 1
  return nfHook6(NF_INET_PRE_ROUTING, dev.net, skb, dev, null, rcvFinish)
}

/** @returns whether the packet passed; it is gone where it did not (ip6_rcv_core) */
function receive(skb: SkBuff, dev: NetDevice): boolean {
  if (skb.pktType === PACKET_OTHERHOST) {
    dev.stats.rxOtherhostDropped++
    skb.free('ip6_rcv_core', 'OTHERHOST')
    return false
  }
  const { net } = dev
  const idev = in6Dev(dev)
  ip6CountPacket(net, idev?.stats, IPSTATS_MIB_INPKTS, IPSTATS_MIB_INOCTETS, skb.len)
  if (idev === undefined || idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] !== 0) {
    ip6Inc(net, idev?.stats, IPSTATS_MIB_INDISCARDS)
    skb.free('ip6_rcv_core', 'IPV6DISABLED')
    return false
  }
  skb.unshare()
  skb.resetNetworkHeader()
  const { buf, networkHeader: at } = skb
  const whole = skb.len >= IPV6_HLEN && buf[at]! >> 4 === 6
  if (whole) ip6Inc(net, idev.stats, IPSTATS_MIB_NOECTPKTS + (tclassAt(buf, at) & 3))
  if (!whole || faulty(skb, dev, idev, at)) {
    ip6Inc(net, idev.stats, IPSTATS_MIB_INHDRERRORS)
    const odd = skb.len >= IPV6_HLEN && !whole
    skb.free('ip6_rcv_core', odd ? 'UNHANDLED_PROTO' : 'IP_INHDR')
    return false
  }
  skb.resetCb()
  const dst = skb.dst as Rt6Info | null
  skb.cbIif = dst?.idev?.dev.ifindex ?? dev.ifindex
  skb.transportHeader = at + IPV6_HLEN
  skb.cbFlags = withNhoff(0, OFF_NEXTHDR)
  const len = get16(buf, at + OFF_PAYLOAD_LEN)
  const hop = buf[at + OFF_NEXTHDR] === IPPROTO_HOPOPTS
  if (len !== 0 || !hop) {
    if (len + IPV6_HLEN > skb.len) {
      ip6Inc(net, idev.stats, IPSTATS_MIB_INTRUNCATEDPKTS)
      skb.free('ip6_rcv_core', 'PKT_TOO_SMALL')
      return false
    }
    skb.trim(len + IPV6_HLEN)
  }
  if (hop && !parseHopopts(skb)) {
    ip6Inc(net, idev.stats, IPSTATS_MIB_INHDRERRORS)
    return false
  }
  skb.orphan()
  return true
}

/** @returns whether the addresses of a header are impossible on this device */
function faulty(skb: SkBuff, dev: NetDevice, idev: Inet6Dev, at: number): boolean {
  const { buf } = skb
  const onLoopback = (dev.flags & IFF_LOOPBACK) !== 0
  // ::1 never comes over a wire (RFC 4291 §2.5.3)
  if (
    !onLoopback &&
    !isL3Master(dev) &&
    (addrEqualAt(buf, at + OFF_SADDR, IN6ADDR_LOOPBACK) || addrEqualAt(buf, at + OFF_DADDR, IN6ADDR_LOOPBACK))
  )
    return true
  if (buf[at + OFF_DADDR] === 0xff) {
    const scope = buf[at + OFF_DADDR + 1]! & 15
    // interface-local groups stay on the interface, scope 0 is reserved (RFC 4291 §2.7)
    if (scope === 0 || (scope === 1 && !(skb.pktType === PACKET_LOOPBACK || onLoopback))) return true
  } else if (
    (skb.pktType === PACKET_BROADCAST || skb.pktType === PACKET_MULTICAST) &&
    idev.cnf.data[IPV6_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST] !== 0
  )
    return true
  return buf[at + OFF_SADDR] === 0xff
}

/** Routes the packet, unless something has already, and goes where its route says (ip6_rcv_finish). */
function rcvFinish(skb: SkBuff): number {
  if (skb.dst === null) ip6RouteInput(skb)
  return skb.dst!.input(skb)
}

/** A packet for this host (ip6_input). */
export function ip6Input(skb: SkBuff): number {
  return nfHook6(NF_INET_LOCAL_IN, skb.dev!.net, skb, skb.dev, null, inputFinish)
}

/** A multicast packet: for this host if it listens (ip6_mc_input). */
export function ip6McInput(skb: SkBuff): number {
  const dev = skb.dev!
  const idev = in6Dev(dev)
  ip6CountPacket(dev.net, idev?.stats, IPSTATS_MIB_INMCASTPKTS, IPSTATS_MIB_INMCASTOCTETS, skb.len)
  if (ipv6ChkMcastAddr(dev, skb.buf, skb.networkHeader + OFF_DADDR)) return ip6Input(skb)
  skb.free('ip6_mc_input')
  return 0
}

function inputFinish(skb: SkBuff): number {
  ip6ProtocolDeliver(skb)
  return 0
}

/** Hands a packet from header to header until a protocol keeps it (ip6_protocol_deliver_rcu). */
export function ip6ProtocolDeliver(skb: SkBuff): void {
  const dev = skb.dev!
  const { net } = dev
  const idev = (skb.dst as Rt6Info | null)?.idev
  let nexthdr = -1
  let final = false
  for (;;) {
    if (nexthdr < 0) {
      if (skb.transportHeader > skb.tail) {
        ip6Inc(net, idev?.stats, IPSTATS_MIB_INDISCARDS)
        skb.free('ip6_protocol_deliver_rcu')
        return
      }
      skb.data = skb.transportHeader
      nexthdr = skb.buf[skb.networkHeader + nhoffOf(skb.cbFlags)]!
    }
    const raw = raw6LocalDeliver(skb, nexthdr)
    const protocol = inet6Protocol(nexthdr)
    if (protocol === undefined) {
      if (raw) {
        ip6Inc(net, idev?.stats, IPSTATS_MIB_INDELIVERS)
        skb.consume()
        return
      }
      ip6Inc(net, idev?.stats, IPSTATS_MIB_INUNKNOWNPROTOS)
      icmpv6Send(skb, ICMPV6_PARAMPROB, ICMPV6_UNK_NEXTHDR, nhoffOf(skb.cbFlags))
      skb.free('ip6_protocol_deliver_rcu', 'IP_NOPROTO')
      return
    }
    if (protocol.final) {
      const at = skb.networkHeader
      if (
        !final &&
        skb.buf[at + OFF_DADDR] === 0xff &&
        !ipv6ChkMcastAddr(dev, skb.buf, at + OFF_DADDR) &&
        !isMld(skb, nexthdr)
      ) {
        ip6Inc(net, idev?.stats, IPSTATS_MIB_INDISCARDS)
        skb.free('ip6_protocol_deliver_rcu', 'IP_INADDRERRORS')
        return
      }
      final = true
    } else if (final) {
      // an extension header inside something that was not one
      ip6Inc(net, idev?.stats, IPSTATS_MIB_INDISCARDS)
      skb.free('ip6_protocol_deliver_rcu')
      return
    }
    const rc = protocol.handler(skb)
    if (rc === 0) ip6Inc(net, idev?.stats, IPSTATS_MIB_INDELIVERS)
    if (rc <= 0) return
    nexthdr = protocol.final ? rc : -1
  }
}
