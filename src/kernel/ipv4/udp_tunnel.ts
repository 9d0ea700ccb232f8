/** Tunnels in UDP: the socket of a port in the kernel, and sending by it (udp_tunnel). */
import { AF_INET, IPPROTO_UDP } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import { skbChecksumHelp } from '../core/skb_checksum.ts'
import { CHECKSUM_NONE, type SkBuff } from '../core/skbuff.ts'
import { csumPartial, csumTcpudpMagic } from './checksum.ts'
import { flowHash } from './flow_hash.ts'
import { put16 } from './ip.ts'
import { iptunnelXmit } from './ip_tunnel_core.ts'
import { ipv4Key } from './netns_ipv4.ts'
import type { Rtable } from './rtable.ts'
import { type EncapRcv, UDP_HLEN, UdpSock } from './udp.ts'

const KERNEL = { uid: 0, gid: 0, pid: 0, comm: 'kernel' }

/** Opens a port for a tunnel (udp_sock_create and setup_udp_tunnel_sock). @param port host order @returns a negative error where it is taken */
export function udpTunnelSock(net: Net, port: number, encapRcv: EncapRcv): UdpSock | number {
  const sk = new UdpSock(net, KERNEL)
  const rc = sk.bind({ family: AF_INET, addr: 0, port })
  if (rc < 0) {
    sk.release()
    return rc
  }
  sk.encapRcv = encapRcv
  return sk
}

/**
 * @returns a source port that tells flows of inner packets apart (udp_flow_src_port)
 * @param low,high bounds, 0 for the automatic ports
 */
export function udpFlowSrcPort(net: Net, skb: SkBuff, low: number, high: number): number {
  if (low >= high) [low, high] = net.at(ipv4Key).ipLocalPortRange
  return low + Math.floor((flowHash(skb) / 0x100000000) * (high - low))
}

/** Sends a packet in UDP by its route (udp_tunnel_xmit_skb). Ports in host order. @returns as iptunnelXmit */
export function udpTunnelXmit(
  skb: SkBuff,
  rt: Rtable,
  saddr: number,
  daddr: number,
  tos: number,
  ttl: number,
  df: number,
  sport: number,
  dport: number,
  xnet: boolean,
  checksum: boolean,
): number {
  // a checksum inside that was left to the device is part of what ours covers
  skbChecksumHelp(skb)
  const at = skb.push(UDP_HLEN)
  const { buf } = skb
  const { len } = skb
  put16(buf, at, sport)
  put16(buf, at + 2, dport)
  put16(buf, at + 4, len)
  put16(buf, at + 6, 0)
  skb.ipSummed = CHECKSUM_NONE
  if (checksum)
    put16(buf, at + 6, csumTcpudpMagic(saddr, daddr, len, IPPROTO_UDP, csumPartial(buf, at, len, 0)) || 0xffff)
  return iptunnelXmit(skb, rt, saddr, daddr, IPPROTO_UDP, tos, ttl, df, xnet)
}
