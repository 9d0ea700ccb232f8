/** What every tunnel over IPv4 does: the outer header, ECN between the headers (RFC 6040), what the path's MTU means inside. */
import { ETH_P_IP, ETH_P_IPV6 } from '../../uapi/if.ts'
import { skbScrubPacket } from '../core/dev_forward.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { Flowi4 } from './flow.ts'
import {
  get32,
  IP_DF,
  IP_HLEN,
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
import { ipLocalOut } from './ip_output.ts'
import { ipRtUpdatePmtu } from './route_learn.ts'
import { Rtable } from './rtable.ts'

const INET_ECN_MASK = 3
const INET_ECN_CE = 3
const INET_ECN_ECT_0 = 2

/** @returns TOS or traffic class of the inner packet at `networkHeader`, 0 where it is not IP (ip_tunnel_get_dsfield) */
export function innerDsfield(skb: SkBuff): number {
  const { buf, networkHeader: at, protocol } = skb
  if (protocol === ETH_P_IP) return buf[at + OFF_TOS]!
  if (protocol === ETH_P_IPV6) return ((buf[at]! << 4) | (buf[at + 1]! >> 4)) & 0xff
  return 0
}

/** @returns TTL or hop limit of the inner packet, 0 where it is not IP (ip_tunnel_get_ttl) */
export function innerTtl(skb: SkBuff): number {
  const { buf, networkHeader: at, protocol } = skb
  if (protocol === ETH_P_IP) return buf[at + OFF_TTL]!
  return protocol === ETH_P_IPV6 ? buf[at + 7]! : 0
}

/** @returns the outer TOS: that of the tunnel with the inner packet's ECN (ip_tunnel_ecn_encap) */
export function ecnEncap(tos: number, skb: SkBuff): number {
  const inner = innerDsfield(skb)
  const ecn = inner & INET_ECN_MASK
  return (tos & ~INET_ECN_MASK) | (ecn === INET_ECN_CE ? INET_ECN_ECT_0 : ecn)
}

/**
 * Carries congestion marks of the outer header into the inner one (ip_tunnel_ecn_decapsulate).
 * @param outer the outer TOS @returns false where the combination means the packet must be dropped
 */
export function ecnDecapsulate(skb: SkBuff, outer: number): boolean {
  if ((outer & INET_ECN_MASK) !== INET_ECN_CE) return true
  const inner = innerDsfield(skb) & INET_ECN_MASK
  if (inner === 0) return skb.protocol !== ETH_P_IP && skb.protocol !== ETH_P_IPV6
  if (inner === INET_ECN_CE) return true
  const { networkHeader: at } = skb
  skb.unshare()
  const { buf } = skb
  if (skb.protocol === ETH_P_IP) {
    const old = buf[at + OFF_TOS]!
    buf[at + OFF_TOS] = old | INET_ECN_CE
    let check = (buf[at + 10]! << 8) | buf[at + 11]!
    check = (~check & 0xffff) + (~old & 0xffff) + (old | INET_ECN_CE)
    check = (check & 0xffff) + (check >>> 16)
    check = (check & 0xffff) + (check >>> 16)
    put16(buf, at + 10, ~check & 0xffff)
  } else buf[at + 1]! |= INET_ECN_CE << 4
  return true
}

const flow = new Flowi4()

/** Lets the inner packet's route learn a smaller MTU (skb_dst_update_pmtu_no_confirm). */
export function innerUpdatePmtu(skb: SkBuff, mtu: number): void {
  const { dst } = skb
  if (!(dst instanceof Rtable) || skb.protocol !== ETH_P_IP) return
  const { buf, networkHeader: at } = skb
  flow.clear()
  flow.daddr = get32(buf, at + OFF_DADDR)
  flow.saddr = get32(buf, at + OFF_SADDR)
  flow.oif = dst.dev.ifindex
  ipRtUpdatePmtu(dst, flow, mtu)
}

/** Compares the inner packet with what the path lets through (skb_tunnel_check_pmtu). @param overhead bytes the tunnel adds */
export function tunnelCheckPmtu(skb: SkBuff, rt: Rtable, overhead: number): void {
  const mtu = rt.mtu() - overhead
  if (skb.tail - skb.networkHeader <= mtu || skb.gsoSize !== 0) return
  innerUpdatePmtu(skb, mtu)
}

/**
 * Puts the outer header on and sends (iptunnel_xmit). `networkHeader` is at the inner packet's.
 * @param df IP_DF or 0 @returns bytes of the inner packet, 0 where it could not be sent
 */
export function iptunnelXmit(
  skb: SkBuff,
  rt: Rtable,
  saddr: number,
  daddr: number,
  proto: number,
  tos: number,
  ttl: number,
  df: number,
  xnet: boolean,
): number {
  const length = skb.tail - skb.innerNetworkHeader
  const { net } = rt
  skbScrubPacket(skb, xnet)
  skb.hash = 0
  skb.resetCb()
  skb.dst = rt
  skb.cow(rt.dev.llReserved + IP_HLEN)
  const at = skb.push(IP_HLEN)
  skb.networkHeader = at
  skb.transportHeader = at + IP_HLEN
  const { buf } = skb
  buf[at] = 0x45
  buf[at + OFF_TOS] = tos
  put16(buf, at + OFF_FRAG_OFF, df & IP_DF)
  buf[at + OFF_TTL] = ttl
  buf[at + OFF_PROTOCOL] = proto
  put32(buf, at + OFF_SADDR, saddr)
  put32(buf, at + OFF_DADDR, daddr)
  put16(buf, at + OFF_ID, ipSelectIdent(net, saddr, daddr, proto))
  return ipLocalOut(skb) < 0 ? 0 : length
}

/** Counts what a tunnel sent (iptunnel_xmit_stats). */
export function tunnelXmitStats(dev: NetDevice, length: number): void {
  if (length > 0) {
    dev.stats.txPackets++
    dev.stats.txBytes += length
  } else {
    dev.stats.txErrors++
    dev.stats.txAbortedErrors++
  }
}

/** Notes where the inner packet's headers are, before outer ones go in front (skb_reset_inner_headers). */
export function resetInnerHeaders(skb: SkBuff): void {
  skb.innerNetworkHeader = skb.networkHeader
  skb.innerTransportHeader = skb.transportHeader
}
