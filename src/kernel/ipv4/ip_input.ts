/** Receiving IPv4 packets (RFC 791, RFC 1122 §3.2): checks, routing, options, delivery to protocols and raw sockets. */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IP } from '../../uapi/if.ts'
import { RTN_BROADCAST, RTN_MULTICAST } from '../../uapi/rtnetlink.ts'
import type { PacketType } from '../core/dev.ts'
import type { DropReason } from '../core/dropreason.ts'
import { isL3Slave } from '../core/l3mdev.ts'
import { NET_RX_DROP, NET_RX_SUCCESS, type NetDevice } from '../core/net_device.ts'
import {
  PACKET_BROADCAST,
  PACKET_HOST,
  PACKET_LOOPBACK,
  PACKET_MULTICAST,
  PACKET_OTHERHOST,
  type SkBuff,
} from '../core/skbuff.ts'
import { NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING, nfHook4, nfHooks4 } from '../netfilter/core.ts'
import { ipFastCsum } from './checksum.ts'
import { IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST } from './devconf.ts'
import { icmpSend } from './icmp.ts'
import { ICMP_DEST_UNREACH, ICMP_PROT_UNREACH } from './icmp_types.ts'
import { inDevGet, inDevLogMartians, inDevOrconf, inDevSourceRoute, ipv4IsMulticast } from './in_device.ts'
import { addrText } from './inet_addr.ts'
import {
  get16,
  get32,
  INET_ECN_MASK,
  IP_HLEN,
  IP_MF,
  IP_OFFSET,
  IPSKB_L3SLAVE,
  OFF_DADDR,
  OFF_FRAG_OFF,
  OFF_PROTOCOL,
  OFF_SADDR,
  OFF_TOS,
  OFF_TOT_LEN,
} from './ip.ts'
import { IP_DEFRAG_LOCAL_DELIVER, ipDefrag } from './ip_fragment.ts'
import { IpOptions, ipOptionsCompile, ipOptionsRcvSrr } from './ip_options.ts'
import { inetProtosKey } from './protocol.ts'
import { rawLocalDeliver } from './raw.ts'
import { ipRouteInput } from './route.ts'
import type { Rtable } from './rtable.ts'
import {
  IPSTATS_MIB_INBCASTOCTETS,
  IPSTATS_MIB_INBCASTPKTS,
  IPSTATS_MIB_INCSUMERRORS,
  IPSTATS_MIB_INDELIVERS,
  IPSTATS_MIB_INHDRERRORS,
  IPSTATS_MIB_INMCASTOCTETS,
  IPSTATS_MIB_INMCASTPKTS,
  IPSTATS_MIB_INNOECTPKTS,
  IPSTATS_MIB_INOCTETS,
  IPSTATS_MIB_INRECEIVES,
  IPSTATS_MIB_INTRUNCATEDPKTS,
  IPSTATS_MIB_INUNKNOWNPROTOS,
  ipCountPacket,
  ipInc,
  LINUX_MIB_IPREVERSEPATHFILTER,
  mibKey,
  netInc,
} from './snmp.ts'

function drop(skb: SkBuff, location: string, reason: DropReason): number {
  skb.free(location, reason)
  return NET_RX_DROP
}

/** Takes IPv4 frames from the devices: header checks (ip_rcv). */
export function ipRcv(skb: SkBuff, dev: NetDevice): number {
  const { net } = dev
  const counters = net.at(mibKey).ip
  if (skb.pktType === PACKET_OTHERHOST) {
    dev.stats.rxOtherhostDropped++
    return drop(skb, 'ip_rcv_core', 'OTHERHOST')
  }
  const { buf, data } = skb
  const length = skb.tail - data
  counters[IPSTATS_MIB_INRECEIVES]!++
  counters[IPSTATS_MIB_INOCTETS]! += length
  if (length < IP_HLEN) return headerError(skb, counters, 'IP_INHDR')
  const first = buf[data]!
  const ihl = first & 15
  if (first >> 4 !== 4 || ihl < 5) return headerError(skb, counters, 'IP_INHDR')
  counters[IPSTATS_MIB_INNOECTPKTS + (buf[data + OFF_TOS]! & INET_ECN_MASK)]!++
  if (length < ihl * 4) return headerError(skb, counters, 'IP_INHDR')
  if (ipFastCsum(buf, data, ihl) !== 0) {
    counters[IPSTATS_MIB_INCSUMERRORS]!++
    return headerError(skb, counters, 'IP_CSUM')
  }
  const totLen = get16(buf, data + OFF_TOT_LEN)
  if (length < totLen) {
    counters[IPSTATS_MIB_INTRUNCATEDPKTS]!++
    return drop(skb, 'ip_rcv_core', 'PKT_TOO_SMALL')
  }
  if (totLen < ihl * 4) return headerError(skb, counters, 'IP_INHDR')
  // the link may have padded the packet
  skb.tail = data + totLen
  skb.networkHeader = data
  skb.transportHeader = data + ihl * 4
  skb.cbFlags = 0
  skb.cbOptions = null
  skb.cbFragMaxSize = 0
  skb.cbIif = skb.iif
  if (skb.owner !== null) skb.orphan()
  const hooks = nfHooks4(net, NF_INET_PRE_ROUTING)
  return hooks.length === 0 ? rcvFinish(skb) : nfHook4(hooks, NF_INET_PRE_ROUTING, net, skb, dev, null, rcvFinish)
}

function headerError(skb: SkBuff, counters: Float64Array, reason: DropReason): number {
  counters[IPSTATS_MIB_INHDRERRORS]!++
  return drop(skb, 'ip_rcv_core', reason)
}

/** Routes the packet and gives it to its route (ip_rcv_finish). */
function rcvFinish(skb: SkBuff): number {
  let dev = skb.dev!
  if (isL3Slave(dev) && dev.master !== undefined) {
    if (!l3mdevIpRcv(skb, dev.master)) return NET_RX_SUCCESS
    dev = skb.dev!
  }
  const { net } = dev
  const { buf, networkHeader: iph } = skb
  if (skb.dst === null) {
    const rc = ipRouteInput(skb, get32(buf, iph + OFF_DADDR), get32(buf, iph + OFF_SADDR), buf[iph + OFF_TOS]!, dev)
    if (rc !== 0) {
      if (rc !== -Errno.EXDEV) return drop(skb, 'ip_rcv_finish_core', 'NOT_SPECIFIED')
      netInc(net, LINUX_MIB_IPREVERSEPATHFILTER)
      return drop(skb, 'ip_rcv_finish_core', 'IP_RPFILTER')
    }
  }
  if ((buf[iph]! & 15) > 5 && !rcvOptions(skb, dev)) return drop(skb, 'ip_rcv_finish_core', 'NOT_SPECIFIED')
  const { type } = skb.dst as unknown as Rtable
  if (type === RTN_MULTICAST) ipCountPacket(net, IPSTATS_MIB_INMCASTPKTS, IPSTATS_MIB_INMCASTOCTETS, skb.len)
  else if (type === RTN_BROADCAST) ipCountPacket(net, IPSTATS_MIB_INBCASTPKTS, IPSTATS_MIB_INBCASTOCTETS, skb.len)
  else if (skb.pktType === PACKET_BROADCAST || skb.pktType === PACKET_MULTICAST) {
    // RFC 1122 §3.3.6: a unicast address in a link-layer broadcast
    const inDev = inDevGet(dev)
    if (inDev !== undefined && inDevOrconf(inDev, IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST))
      return drop(skb, 'ip_rcv_finish_core', 'UNICAST_IN_L2_MULTICAST')
  }
  return skb.dst!.input(skb)
}

/**
 * A packet that came in by a port of a VRF is the VRF's from here on (l3mdev_ip_rcv): its taps see it.
 * @returns false where it is gone
 */
function l3mdevIpRcv(skb: SkBuff, master: NetDevice): boolean {
  skb.dev = master
  skb.iif = master.ifindex
  skb.cbFlags |= IPSKB_L3SLAVE
  if (ipv4IsMulticast(get32(skb.buf, skb.networkHeader + OFF_DADDR))) return true
  if (skb.pktType === PACKET_LOOPBACK) {
    skb.pktType = PACKET_HOST
    return true
  }
  master.stats.rxPackets++
  master.stats.rxBytes += skb.len
  for (const pt of master.ptypeAll) pt.func(skb.clone(), master, master)
  let passed = false
  const hooks = nfHooks4(master.net, NF_INET_PRE_ROUTING)
  nfHook4(hooks, NF_INET_PRE_ROUTING, master.net, skb, master, null, () => {
    passed = true
    return 0
  })
  return passed
}

/** Reads the options (ip_rcv_options). @returns false where the packet must be dropped */
function rcvOptions(skb: SkBuff, dev: NetDevice): boolean {
  const { net } = dev
  skb.unshare()
  const opt = new IpOptions()
  opt.optlen = (skb.buf[skb.networkHeader]! & 15) * 4 - IP_HLEN
  skb.cbOptions = opt
  if (ipOptionsCompile(net, opt, skb) < 0) {
    ipInc(net, IPSTATS_MIB_INHDRERRORS)
    return false
  }
  if (opt.srr === 0) return true
  const inDev = inDevGet(dev)
  if (inDev !== undefined && !inDevSourceRoute(inDev)) {
    if (inDevLogMartians(inDev)) {
      const { buf, networkHeader: iph } = skb
      const [from, to] = [addrText(get32(buf, iph + OFF_SADDR)), addrText(get32(buf, iph + OFF_DADDR))]
      net.kernel.log.print(6, `IPv4: source route option ${from} -> ${to}`)
    }
    return false
  }
  return ipOptionsRcvSrr(skb, dev, opt) === 0
}

/** The input function of routes to this host: reassembles, then delivers (ip_local_deliver). */
export function ipLocalDeliver(skb: SkBuff): number {
  const dev = skb.dev!
  if ((get16(skb.buf, skb.networkHeader + OFF_FRAG_OFF) & (IP_MF | IP_OFFSET)) !== 0) {
    const whole = ipDefrag(dev.net, skb, IP_DEFRAG_LOCAL_DELIVER)
    if (whole === null) return 0
    skb = whole
  }
  const hooks = nfHooks4(dev.net, NF_INET_LOCAL_IN)
  return hooks.length === 0
    ? localDeliverFinish(skb)
    : nfHook4(hooks, NF_INET_LOCAL_IN, dev.net, skb, dev, null, localDeliverFinish)
}

function localDeliverFinish(skb: SkBuff): number {
  skb.data = skb.transportHeader
  ipProtocolDeliver(skb, skb.buf[skb.networkHeader + OFF_PROTOCOL]!)
  return 0
}

/** Gives a packet to raw sockets and to its protocol (ip_protocol_deliver_rcu). `data` is behind the IPv4 header. */
export function ipProtocolDeliver(skb: SkBuff, protocol: number): void {
  const { net } = skb.dev!
  const { protos } = net.at(inetProtosKey)
  for (;;) {
    const raw = rawLocalDeliver(skb, protocol)
    const proto = protos[protocol]
    if (proto !== null && proto !== undefined) {
      const rc = proto.handler(skb)
      if (rc < 0) {
        protocol = -rc
        continue
      }
      ipInc(net, IPSTATS_MIB_INDELIVERS)
      return
    }
    if (raw) {
      ipInc(net, IPSTATS_MIB_INDELIVERS)
      skb.consume()
    } else {
      ipInc(net, IPSTATS_MIB_INUNKNOWNPROTOS)
      icmpSend(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0)
      skb.free('ip_protocol_deliver_rcu', 'IP_NOPROTO')
    }
    return
  }
}

/** IPv4's packet handler. */
export const ipPacketType: PacketType = {
  type: ETH_P_IP,
  dev: undefined,
  net: undefined,
  name: 'ip_rcv',
  func: ipRcv,
}
