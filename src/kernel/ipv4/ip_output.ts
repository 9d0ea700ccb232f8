/**
 * Sending IPv4 packets (RFC 791): local output, multicasts that come back, the MTU of the path, the neighbour. Headers
 * are built in ip_make_skb.ts, fragments in ip_do_fragment.ts.
 */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IP, IFF_LOOPBACK, IFF_POINTOPOINT } from '../../uapi/if.ts'
import { RTN_BROADCAST, RTN_MULTICAST } from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import type { DstEntry } from '../core/dst.ts'
import {
  type Neighbour,
  type NeighTable,
  neighConfirm,
  neighCreate,
  neighOutput,
  neighTables,
} from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'
import { NET_XMIT_CN } from '../core/net_xmit.ts'
import { CHECKSUM_NONE, CHECKSUM_UNNECESSARY, PACKET_LOOPBACK, type SkBuff } from '../core/skbuff.ts'
import { NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, nfHook4, nfHooks4 } from '../netfilter/core.ts'
import { arpTblKey } from './arp_tbl.ts'
import { RTAX_MTU } from './fib_metrics.ts'
import { icmpSend } from './icmp.ts'
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED } from './icmp_types.ts'
import { addrToBytes } from './inet_addr.ts'
import {
  get16,
  get32,
  IP_DF,
  IPSKB_FORWARDED,
  IPSKB_IGNORE_DF,
  IPSKB_NO_MC_LOOP,
  IPSKB_NO_PMTU,
  IPSKB_REROUTED,
  ipSendCheck,
  OFF_DADDR,
  OFF_FRAG_OFF,
  OFF_TOT_LEN,
  OFF_TTL,
  put16,
} from './ip.ts'
import { ipDoFragment } from './ip_do_fragment.ts'
import { ipv4Key } from './netns_ipv4.ts'
import { IP_MAX_MTU, RTCF_BROADCAST, RTCF_LOCAL, RTCF_MULTICAST, type Rtable } from './rtable.ts'
import {
  IPSTATS_MIB_FRAGFAILS,
  IPSTATS_MIB_OUTBCASTOCTETS,
  IPSTATS_MIB_OUTBCASTPKTS,
  IPSTATS_MIB_OUTDISCARDS,
  IPSTATS_MIB_OUTMCASTOCTETS,
  IPSTATS_MIB_OUTMCASTPKTS,
  IPSTATS_MIB_OUTOCTETS,
  IPSTATS_MIB_OUTREQUESTS,
  ipCountPacket,
  ipInc,
} from './snmp.ts'

/** Sends a packet by its route (dst_output). */
export function dstOutput(skb: SkBuff): number {
  return skb.dst!.output(skb)
}

/** Finishes the header of an own packet and sends it through netfilter (ip_local_out). @returns NET_XMIT_… or an error */
export function ipLocalOut(skb: SkBuff): number {
  const { buf, networkHeader: iph } = skb
  put16(buf, iph + OFF_TOT_LEN, skb.len)
  ipSendCheck(buf, iph)
  skb.protocol = ETH_P_IP
  const dst = skb.dst!
  const { dev } = dst
  const hooks = nfHooks4(dev.net, NF_INET_LOCAL_OUT)
  return hooks.length === 0 ? dst.output(skb) : nfHook4(hooks, NF_INET_LOCAL_OUT, dev.net, skb, null, dev, dstOutput)
}

/** Sends an own packet and turns what became of it into an error of the system call (ip_send_skb). */
export function ipSendSkb(skb: SkBuff): number {
  const { net } = skb.dst!.dev
  let rc = ipLocalOut(skb)
  if (rc > 0) rc = rc === NET_XMIT_CN ? 0 : -Errno.ENOBUFS
  if (rc !== 0) ipInc(net, IPSTATS_MIB_OUTDISCARDS)
  return rc
}

/** The output function of ordinary routes (ip_output). */
export function ipOutput(skb: SkBuff): number {
  const { dev } = skb.dst!
  const { net } = dev
  const indev = skb.dev
  ipCountPacket(net, IPSTATS_MIB_OUTREQUESTS, IPSTATS_MIB_OUTOCTETS, skb.len)
  skb.dev = dev
  skb.protocol = ETH_P_IP
  const hooks = nfHooks4(net, NF_INET_POST_ROUTING)
  if (hooks.length === 0 || (skb.cbFlags & IPSKB_REROUTED) !== 0) return ipFinishOutput(skb)
  return nfHook4(hooks, NF_INET_POST_ROUTING, net, skb, indev, dev, ipFinishOutput)
}

/** The output function of routes to groups and broadcast addresses that this host listens to (ip_mc_output). */
export function ipMcOutput(skb: SkBuff): number {
  const rt = skb.dst as Rtable
  const { dev } = rt
  const { net } = dev
  ipCountPacket(net, IPSTATS_MIB_OUTREQUESTS, IPSTATS_MIB_OUTOCTETS, skb.len)
  skb.dev = dev
  skb.protocol = ETH_P_IP
  if ((rt.rtFlags & RTCF_MULTICAST) !== 0) {
    const loop = (skb.cbFlags & IPSKB_NO_MC_LOOP) === 0
    if (loop && ((rt.rtFlags & RTCF_LOCAL) !== 0 || (skb.cbFlags & IPSKB_FORWARDED) === 0)) loopBack(skb, dev)
    // a TTL of 0 keeps it on the host
    if (skb.buf[skb.networkHeader + OFF_TTL] === 0) {
      skb.free('ip_mc_output')
      return 0
    }
  }
  if ((rt.rtFlags & RTCF_BROADCAST) !== 0) loopBack(skb, dev)
  const hooks = nfHooks4(net, NF_INET_POST_ROUTING)
  if (hooks.length === 0 || (skb.cbFlags & IPSKB_REROUTED) !== 0) return ipFinishOutput(skb)
  return nfHook4(hooks, NF_INET_POST_ROUTING, net, skb, dev, dev, ipFinishOutput)
}

function loopBack(skb: SkBuff, dev: NetDevice): void {
  const hooks = nfHooks4(dev.net, NF_INET_POST_ROUTING)
  nfHook4(hooks, NF_INET_POST_ROUTING, dev.net, skb.clone(), null, dev, devLoopbackXmit)
}

/** Gives an own packet to the own host as if it had been received; its route stays (dev_loopback_xmit). */
export function devLoopbackXmit(skb: SkBuff): number {
  skb.resetMacHeader()
  if (skb.networkHeader > skb.data) skb.pull(skb.networkHeader - skb.data)
  skb.pktType = PACKET_LOOPBACK
  if (skb.ipSummed === CHECKSUM_NONE) skb.ipSummed = CHECKSUM_UNNECESSARY
  return skb.dev!.net.kernel.netcore.netifRx(skb)
}

/**
 * The MTU that counts for a route, bytes (ip_dst_mtu_maybe_forward).
 * @param forwarding a router looks at what was learned of paths only if ip_forward_use_pmtu says so
 */
export function ipDstMtuMaybeForward(rt: Rtable, forwarding: boolean): number {
  if (!forwarding || rt.mtuLocked || rt.metricLocked(RTAX_MTU) || rt.net.at(ipv4Key).ipForwardUsePmtu !== 0) {
    if (rt.pmtuValid) return Math.min(rt.pmtu, IP_MAX_MTU)
  }
  let mtu = rt.metrics.raw(RTAX_MTU)
  if (mtu === 0) {
    mtu = rt.dev.mtu
    if (rt.usesGateway && mtu > 576 && rt.metricLocked(RTAX_MTU)) mtu = 576
  }
  return Math.min(mtu, IP_MAX_MTU)
}

/** @returns the MTU a packet is to be cut to, bytes (ip_skb_dst_mtu) */
export function ipSkbDstMtu(skb: SkBuff): number {
  const rt = skb.dst as Rtable
  if ((skb.cbFlags & IPSKB_NO_PMTU) !== 0) return Math.min(rt.dev.mtu, IP_MAX_MTU)
  return ipDstMtuMaybeForward(rt, (skb.cbFlags & IPSKB_FORWARDED) !== 0)
}

/** After the hooks: cuts what is too long (ip_finish_output). */
export function ipFinishOutput(skb: SkBuff): number {
  const mtu = ipSkbDstMtu(skb)
  if (skb.gsoSize !== 0) return finishOutput2(skb)
  if (skb.len > mtu || skb.cbFragMaxSize !== 0) return ipFragment(skb, mtu)
  return finishOutput2(skb)
}

/** Cuts a packet, or tells the sender that it must not be cut (ip_fragment). */
function ipFragment(skb: SkBuff, mtu: number): number {
  const df = (get16(skb.buf, skb.networkHeader + OFF_FRAG_OFF) & IP_DF) !== 0
  const max = skb.cbFragMaxSize
  if (df && ((skb.cbFlags & IPSKB_IGNORE_DF) === 0 || (max !== 0 && max > mtu))) {
    ipInc(skb.dst!.dev.net, IPSTATS_MIB_FRAGFAILS)
    icmpSend(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu)
    skb.free('ip_fragment', 'PKT_TOO_BIG')
    return -Errno.EMSGSIZE
  }
  return ipDoFragment(skb, mtu, finishOutput2)
}

/** Finds the next hop's neighbour and hands the packet over (ip_finish_output2). */
function finishOutput2(skb: SkBuff): number {
  const rt = skb.dst as Rtable
  const { dev } = rt
  if (rt.type === RTN_MULTICAST) ipCountPacket(dev.net, IPSTATS_MIB_OUTMCASTPKTS, IPSTATS_MIB_OUTMCASTOCTETS, skb.len)
  else if (rt.type === RTN_BROADCAST)
    ipCountPacket(dev.net, IPSTATS_MIB_OUTBCASTPKTS, IPSTATS_MIB_OUTBCASTOCTETS, skb.len)
  if (skb.data < dev.llReserved && dev.headerOps !== undefined) skb.cow(dev.llReserved)
  if (rt.gateway6 !== undefined) return viaIpv6(skb, rt, rt.gateway6)
  const tbl = dev.net.at(arpTblKey)
  const nexthop = rt.gateway !== 0 ? rt.gateway : get32(skb.buf, skb.networkHeader + OFF_DADDR)
  const neigh = ipNeighGw4(tbl, dev, nexthop)
  if (neigh === null) {
    skb.free('ip_finish_output2', 'NEIGH_CREATEFAIL')
    return -Errno.ENOBUFS
  }
  return neighOutput(neigh, skb)
}

const key4 = new Uint8Array(4)

/** @returns an address's neighbour on a device, made where it is missing; null where that fails (ip_neigh_gw4) */
export function ipNeighGw4(tbl: NeighTable, dev: NetDevice, addr: number): Neighbour | null {
  // such devices have one neighbour for everybody
  if ((dev.flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) !== 0) addr = 0
  const known = tbl.lookup4(addr, dev)
  if (known !== null) return known
  key4.set(addrToBytes(addr))
  const made = neighCreate(tbl, key4, dev)
  return typeof made === 'number' ? null : made
}

/** The next hop has an IPv6 address only (RFC 8950). */
function viaIpv6(skb: SkBuff, rt: Rtable, gateway: Uint8Array): number {
  const tbl = neighTables(rt.net.kernel).get(AF_INET6)
  let neigh: Neighbour | number | undefined = tbl?.find(gateway, rt.dev) ?? undefined
  if (neigh === undefined && tbl !== undefined) neigh = neighCreate(tbl, gateway, rt.dev)
  if (neigh === undefined || typeof neigh === 'number') {
    skb.free('ip_finish_output2', 'NEIGH_CREATEFAIL')
    return neigh ?? -Errno.EAFNOSUPPORT
  }
  return neighOutput(neigh, skb, true)
}

/** A transport or program knows that a route's next hop answers (dst_confirm_neigh, ipv4_confirm_neigh). */
export function ipv4ConfirmNeigh(dst: DstEntry, daddr: number): void {
  const rt = dst as Rtable
  const { dev } = rt
  if (rt.type === RTN_BROADCAST || rt.type === RTN_MULTICAST) return
  let addr = rt.gateway !== 0 ? rt.gateway : daddr
  if ((dev.flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) !== 0) addr = 0
  const neigh = dev.net.at(arpTblKey).lookup4(addr, dev)
  if (neigh !== null) neighConfirm(neigh)
}
