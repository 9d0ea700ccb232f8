/** Sending: which tunnel ends a frame goes to, and the headers in front of it. */

import { Errno } from '../../../uapi/errno.ts'
import { ETH_P_IP, ETH_P_IPV6 } from '../../../uapi/if.ts'
import { skbScrubPacket } from '../../core/dev_forward.ts'
import { ETH_HLEN, ethTypeTrans } from '../../core/ethernet.ts'
import { NETDEV_TX_OK, type NetDevice } from '../../core/net_device.ts'
import { PACKET_HOST, type SkBuff } from '../../core/skbuff.ts'
import { RTAX_HOPLIMIT } from '../../ipv4/fib_metrics.ts'
import { Flowi4 } from '../../ipv4/flow.ts'
import { addrFromBytes } from '../../ipv4/inet_addr.ts'
import { IP_DF, IP_HLEN, OFF_FRAG_OFF, put32 } from '../../ipv4/ip.ts'
import {
  ecnEncap,
  innerDsfield,
  innerTtl,
  resetInnerHeaders,
  tunnelCheckPmtu,
  tunnelXmitStats,
} from '../../ipv4/ip_tunnel_core.ts'
import { ipRouteOutputKey } from '../../ipv4/route_output.ts'
import { RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST } from '../../ipv4/rtable.ts'
import { udpFlowSrcPort, udpTunnelXmit } from '../../ipv4/udp_tunnel.ts'
import {
  isAnyIp,
  VXLAN_F_COLLECT_METADATA,
  VXLAN_F_LEARN,
  VXLAN_F_TTL_INHERIT,
  VXLAN_F_UDP_ZERO_CSUM_TX,
  VXLAN_HEADROOM,
  type Vxlan,
} from './vxlan.ts'
import { type VxlanRdst, ZERO_MAC } from './vxlan_fdb.ts'
import { vxlanFindLocal, vxlanSnoop } from './vxlan_sock.ts'

const IPPROTO_UDP = 17
const VXLAN_HLEN = 8
const UDP_HLEN = 8
const VXLAN_FLAGS = 0x08000000

const flow = new Flowi4()

function drop(skb: SkBuff, dev: NetDevice): void {
  dev.stats.txDropped++
  skb.free('vxlan_xmit_one')
}

/** The other end is this host: the frame crosses without an outer packet (vxlan_encap_bypass). */
function bypass(skb: SkBuff, from: Vxlan, to: Vxlan, vni: number, saddr: number): void {
  const { dev } = to
  const length = skb.len
  skb.pktType = PACKET_HOST
  skbScrubPacket(skb, from.dev.net !== dev.net)
  const eth = skb.data
  if ((to.cfg.flags & VXLAN_F_LEARN) !== 0) vxlanSnoop(to, skb.buf, eth + 6, saddr, vni)
  from.dev.stats.txPackets++
  from.dev.stats.txBytes += length
  if (!dev.running) {
    dev.stats.rxDropped++
    skb.free('vxlan_encap_bypass')
    return
  }
  skb.protocol = ethTypeTrans(skb, dev)
  dev.stats.rxPackets++
  dev.stats.rxBytes += length
  dev.net.kernel.netcore.netifRx(skb)
}

function innerDf(skb: SkBuff): number {
  return skb.protocol === ETH_P_IP ? (skb.buf[skb.networkHeader + OFF_FRAG_OFF]! << 8) & IP_DF : 0
}

/** Sends to one tunnel end (vxlan_xmit_one). */
function xmitOne(skb: SkBuff, vxlan: Vxlan, rdst: VxlanRdst): void {
  const { cfg, dev, net } = vxlan
  if (isAnyIp(rdst.ip) || rdst.ip.length !== 4 || vxlan.sock === undefined) {
    drop(skb, dev)
    return
  }
  const daddr = addrFromBytes(rdst.ip)
  const port = rdst.port !== 0 ? rdst.port : cfg.dstPort
  const inherit = (cfg.flags & VXLAN_F_TTL_INHERIT) !== 0
  let ttl = inherit ? innerTtl(skb) : cfg.ttl
  if (!inherit && ttl === 0 && daddr >>> 28 === 14) ttl = 1
  const tos = cfg.tos === 1 ? innerDsfield(skb) : cfg.tos
  const sport = udpFlowSrcPort(dev.net, skb, cfg.portMin, cfg.portMax)
  const fl4 = flow.clear()
  fl4.oif = rdst.ifindex
  fl4.tos = tos & 0x1c
  fl4.mark = skb.mark
  fl4.proto = IPPROTO_UDP
  fl4.daddr = daddr
  fl4.saddr = addrFromBytes(cfg.saddr)
  fl4.dport = port
  fl4.sport = sport
  const rt = ipRouteOutputKey(net, fl4)
  if (typeof rt === 'number' || rt.dev === dev) {
    if (typeof rt !== 'number') dev.stats.collisions++
    else if (rt === -Errno.ENETUNREACH) dev.stats.txCarrierErrors++
    dev.stats.txErrors++
    skb.free('vxlan_xmit_one')
    return
  }
  const { saddr } = fl4
  if ((rt.rtFlags & RTCF_LOCAL) !== 0 && (rt.rtFlags & (RTCF_BROADCAST | RTCF_MULTICAST)) === 0) {
    const to = vxlanFindLocal(vxlan, port, rdst.vni)
    if (to === undefined) {
      dev.stats.txErrors++
      skb.free('vxlan_xmit_one')
    } else bypass(skb, vxlan, to, rdst.vni, saddr)
    return
  }
  const df = cfg.df === 1 ? IP_DF : cfg.df === 2 ? innerDf(skb) : 0
  tunnelCheckPmtu(skb, rt, VXLAN_HEADROOM)
  const outerTos = ecnEncap(tos, skb)
  resetInnerHeaders(skb)
  skb.cow(rt.dev.llReserved + IP_HLEN + UDP_HLEN + VXLAN_HLEN)
  const at = skb.push(VXLAN_HLEN)
  put32(skb.buf, at, VXLAN_FLAGS)
  put32(skb.buf, at + 4, rdst.vni * 256)
  const checksum = (cfg.flags & VXLAN_F_UDP_ZERO_CSUM_TX) === 0
  const length = udpTunnelXmit(
    skb,
    rt,
    saddr,
    daddr,
    outerTos,
    ttl !== 0 ? ttl : rt.metric(RTAX_HOPLIMIT),
    df,
    sport,
    port,
    net !== dev.net,
    checksum,
  )
  tunnelXmitStats(dev, length)
}

/** `startXmit` of a VXLAN device (vxlan_xmit). */
export function vxlanXmit(skb: SkBuff, dev: NetDevice): number {
  const vxlan = dev.priv as Vxlan
  const { fdb, cfg } = vxlan
  skb.resetMacHeader()
  const { buf, data } = skb
  const type = (buf[data + 12]! << 8) | buf[data + 13]!
  skb.protocol = type
  if (type === ETH_P_IP || type === ETH_P_IPV6) skb.networkHeader = data + ETH_HLEN
  // without metadata a device that takes everything from it does not know where to send
  if ((cfg.flags & VXLAN_F_COLLECT_METADATA) !== 0) {
    drop(skb, dev)
    return NETDEV_TX_OK
  }
  const entry = fdb.find(buf, data, 0) ?? fdb.find(ZERO_MAC, 0, 0)
  if (entry === undefined) {
    drop(skb, dev)
    return NETDEV_TX_OK
  }
  entry.used = dev.net.kernel.clock.now
  const { remotes } = entry
  for (let i = 1; i < remotes.length; i++) xmitOne(skb.clone(), vxlan, remotes[i]!)
  xmitOne(skb, vxlan, remotes[0]!)
  return NETDEV_TX_OK
}
