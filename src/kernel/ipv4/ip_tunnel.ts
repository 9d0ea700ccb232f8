/** Tunnels over IPv4 (RFC 2003, RFC 2784): what GRE, IPIP and SIT devices share — settings, look-up, sending, receiving. */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_ETHER, ETH_P_IP, ETH_P_IPV6, IFF_POINTOPOINT, IFF_UP } from '../../uapi/if.ts'
import { devSetMtu } from '../core/dev_config.ts'
import { registerNetdevice } from '../core/dev_core.ts'
import { skbScrubPacket } from '../core/dev_forward.ts'
import { ETH_DATA_LEN, ethHwAddrRandom, ethTypeTrans } from '../core/ethernet.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, type PernetKey, pernetKey } from '../core/net_namespace.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { RTAX_HOPLIMIT } from './fib_metrics.ts'
import { Flowi4 } from './flow.ts'
import { icmpSend } from './icmp.ts'
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED } from './icmp_types.ts'
import { get16, get32, IP_DF, IP_HLEN, OFF_DADDR, OFF_FRAG_OFF } from './ip.ts'
import {
  ecnDecapsulate,
  ecnEncap,
  innerDsfield,
  innerTtl,
  innerUpdatePmtu,
  iptunnelXmit,
  tunnelXmitStats,
} from './ip_tunnel_core.ts'
import { ipRouteOutputKey } from './route_output.ts'
import { IP_MAX_MTU, IPV4_MIN_MTU, type Rtable } from './rtable.ts'

/** Flags of keys and sequence numbers, as in the GRE header. */
export const GRE_CSUM = 0x8000
export const GRE_KEY = 0x2000
export const GRE_SEQ = 0x1000

/** Settings (`ip_tunnel_parm`). Addresses and keys in host order. */
export interface IpTunnelParms {
  link: number
  iflags: number
  oflags: number
  ikey: number
  okey: number
  saddr: number
  daddr: number
  tos: number
  ttl: number
  /** DF is set outside */
  df: boolean
  /** IPPROTO_… carried; 0 any */
  protocol: number
}

/** @returns settings of a tunnel that says nothing */
export function emptyParms(): IpTunnelParms {
  return { link: 0, iflags: 0, oflags: 0, ikey: 0, okey: 0, saddr: 0, daddr: 0, tos: 0, ttl: 0, df: false, protocol: 0 }
}

/** A tunnel (`ip_tunnel`). */
export class IpTunnel {
  readonly dev: NetDevice
  readonly table: PernetKey<IpTunnelNet>
  /** the namespace its packets travel in */
  net: Net
  parms = emptyParms()
  /** bytes between the outer IPv4 header and the packet */
  hlen = 0
  collectMd = false
  ignoreDf = false
  fwmark = 0
  oSeqno = 0
  iSeqno = 0
  /** encapsulation in UDP: type, flags, ports */
  encap = { type: 0, flags: 0, sport: 0, dport: 0 }
  /** ERSPAN's settings */
  erspan = { index: 0, ver: 1, dir: 0, hwid: 0 }

  constructor(dev: NetDevice, table: PernetKey<IpTunnelNet>) {
    this.dev = dev
    this.table = table
    this.net = dev.net
  }
}

/** The tunnels of one kind in a namespace (`ip_tunnel_net`). */
export class IpTunnelNet {
  readonly tunnels: IpTunnel[] = []
  fallback: IpTunnel | undefined
}

/** Names the tunnels of one kind. */
export function ipTunnelKey(kind: string): PernetKey<IpTunnelNet> {
  return pernetKey<IpTunnelNet>(`ip_tunnel ${kind}`)
}

/** @returns the tunnel of a device */
export function ipTunnelPriv(dev: NetDevice): IpTunnel {
  return dev.priv as IpTunnel
}

function keyMatches(parms: IpTunnelParms, flags: number, key: number): boolean {
  if ((parms.iflags & GRE_KEY) === 0) return (flags & GRE_KEY) === 0
  return (flags & GRE_KEY) !== 0 && key === parms.ikey
}

/** @returns a tunnel with the same ends and key (ip_tunnel_find) */
export function ipTunnelFind(
  net: Net,
  table: PernetKey<IpTunnelNet>,
  parms: IpTunnelParms,
  type: number,
): IpTunnel | undefined {
  return net
    .at(table)
    .tunnels.find(
      ({ parms: p, dev }) =>
        p.saddr === parms.saddr &&
        p.daddr === parms.daddr &&
        p.link === parms.link &&
        dev.type === type &&
        keyMatches(p, parms.iflags, parms.ikey),
    )
}

/**
 * The tunnel that a received packet belongs to (ip_tunnel_lookup): the most exact that is up.
 * @param link index of the device it came in by @param flags,key of the packet
 */
export function ipTunnelLookup(
  net: Net,
  table: PernetKey<IpTunnelNet>,
  link: number,
  flags: number,
  remote: number,
  local: number,
  key: number,
): IpTunnel | undefined {
  const { tunnels, fallback } = net.at(table)
  let best: IpTunnel | undefined
  let bestScore = -1
  for (let i = 0; i < tunnels.length; i++) {
    const tunnel = tunnels[i]!
    const { parms, dev } = tunnel
    if ((dev.flags & IFF_UP) === 0 || tunnel.collectMd || tunnel === fallback) continue
    let score: number
    if (parms.daddr === remote && parms.saddr === local) score = 6
    else if (parms.daddr === remote && parms.saddr === 0) score = 4
    else if (parms.daddr === 0 && parms.saddr === local) score = 2
    else if (parms.daddr === local && local >>> 28 === 14) score = 2
    else if (parms.daddr === 0 && parms.saddr === 0 && (flags & GRE_KEY) !== 0) score = 0
    else continue
    if (!keyMatches(parms, flags, key)) continue
    if (parms.link === link) score++
    else if (parms.link !== 0) continue
    if (score > bestScore) {
      best = tunnel
      bestScore = score
    }
  }
  if (best !== undefined) return best
  const metadata = tunnels.find(each => each.collectMd && (each.dev.flags & IFF_UP) !== 0)
  if (metadata !== undefined) return metadata
  return fallback !== undefined && (fallback.dev.flags & IFF_UP) !== 0 ? fallback : undefined
}

const flow = new Flowi4()

function route(tunnel: IpTunnel, daddr: number, tos: number, mark: number): Rtable | number {
  const { parms, net } = tunnel
  const fl4 = flow.clear()
  fl4.oif = parms.link
  fl4.daddr = daddr
  fl4.saddr = parms.saddr
  fl4.tos = tos & 0x1c
  fl4.mark = mark
  fl4.proto = parms.protocol
  return ipRouteOutputKey(net, fl4)
}

/** Works out which device is underneath, and with it headroom and MTU (ip_tunnel_bind_dev). @returns the MTU, bytes */
export function ipTunnelBindDev(tunnel: IpTunnel): number {
  const { dev, parms, net } = tunnel
  const hlen = tunnel.hlen + IP_HLEN
  const link = dev.type === ARPHRD_ETHER ? dev.hardHeaderLen : 0
  let lower: NetDevice | undefined
  if (parms.daddr !== 0) {
    const rt = route(tunnel, parms.daddr, parms.tos, tunnel.fwmark)
    if (typeof rt !== 'number') lower = rt.dev
    if (dev.type !== ARPHRD_ETHER) dev.flags |= IFF_POINTOPOINT
  }
  if (lower === undefined && parms.link !== 0) lower = net.devByIndex(parms.link)
  let headroom = 128
  let mtu = ETH_DATA_LEN
  if (lower !== undefined) {
    headroom = lower.hardHeaderLen + lower.neededHeadroom
    mtu = Math.min(lower.mtu, IP_MAX_MTU)
  }
  dev.neededHeadroom = hlen + headroom
  return Math.max(mtu - hlen - link, IPV4_MIN_MTU)
}

/** `changeMtu` of tunnels (ip_tunnel_change_mtu). */
export function ipTunnelChangeMtu(dev: NetDevice, mtu: number): number {
  const tunnel = ipTunnelPriv(dev)
  const link = dev.type === ARPHRD_ETHER ? dev.hardHeaderLen : 0
  const most = IP_MAX_MTU - tunnel.hlen - IP_HLEN - link
  if (mtu < IPV4_MIN_MTU || mtu > most) return -Errno.EINVAL
  dev.mtu = mtu
  return 0
}

/** Registers a new tunnel (ip_tunnel_newlink). @param mtu what the request asks for @param hasAddress it names a link address */
export function ipTunnelNewlink(tunnel: IpTunnel, mtu: number | undefined, hasAddress: boolean): number {
  const { dev, net, table } = tunnel
  const { tunnels } = net.at(table)
  if (tunnel.collectMd) {
    if (tunnels.some(each => each.collectMd)) return -Errno.EEXIST
  } else if (ipTunnelFind(net, table, tunnel.parms, dev.type) !== undefined) return -Errno.EEXIST
  const rc = registerNetdevice(dev)
  if (rc < 0) return rc
  if (dev.type === ARPHRD_ETHER && !hasAddress) ethHwAddrRandom(dev)
  const own = ipTunnelBindDev(tunnel)
  if (mtu === undefined) devSetMtu(dev, own)
  else dev.mtu = Math.min(Math.max(mtu, IPV4_MIN_MTU), IP_MAX_MTU - dev.hardHeaderLen - tunnel.hlen)
  tunnels.push(tunnel)
  return 0
}

/** Changes a tunnel's settings (ip_tunnel_changelink, ip_tunnel_update). */
export function ipTunnelChange(tunnel: IpTunnel, parms: IpTunnelParms, mtu: number | undefined): number {
  const { dev, net, table } = tunnel
  if (tunnel === net.at(table).fallback) return -Errno.EINVAL
  const other = ipTunnelFind(net, table, parms, dev.type)
  if (other !== undefined && other !== tunnel) return -Errno.EEXIST
  if (other === undefined && dev.type !== ARPHRD_ETHER) {
    const wants = parms.daddr >>> 28 === 14 ? 2 : parms.daddr !== 0 ? IFF_POINTOPOINT : 0
    if (((dev.flags ^ wants) & (IFF_POINTOPOINT | 2)) !== 0 && wants !== 2) return -Errno.EINVAL
  }
  const { link } = tunnel.parms
  tunnel.parms = parms
  if (dev.type !== ARPHRD_ETHER) ipTunnelSetAddresses(tunnel)
  if (link !== parms.link) {
    const own = ipTunnelBindDev(tunnel)
    if (mtu === undefined) dev.mtu = own
  }
  dev.net.kernel.netdevChain.call('CHANGE', dev, { flagsChanged: 0 })
  return 0
}

/** A tunnel without Ethernet has its ends for addresses. */
export function ipTunnelSetAddresses(tunnel: IpTunnel): void {
  const { dev, parms } = tunnel
  const bytes = (addr: number): Uint8Array =>
    Uint8Array.of(addr >>> 24, (addr >>> 16) & 0xff, (addr >>> 8) & 0xff, addr & 0xff)
  dev.devAddr = bytes(parms.saddr)
  dev.broadcast = bytes(parms.daddr)
}

/** Forgets a tunnel whose device goes. */
export function ipTunnelUninit(dev: NetDevice): void {
  const tunnel = ipTunnelPriv(dev)
  const state = tunnel.net.at(tunnel.table)
  const place = state.tunnels.indexOf(tunnel)
  if (place >= 0) state.tunnels.splice(place, 1)
  if (state.fallback === tunnel) state.fallback = undefined
}

function fail(skb: SkBuff, dev: NetDevice): void {
  dev.stats.txErrors++
  skb.free('ip_tunnel_xmit')
}

/** Whom a packet of a tunnel without a fixed end goes to: its next hop. */
function nextHop(skb: SkBuff): number {
  const rt = skb.dst as Rtable | null
  if (rt === null || skb.protocol !== ETH_P_IP) return 0
  return rt.nexthop(get32(skb.buf, skb.innerNetworkHeader + OFF_DADDR))
}

/**
 * Sends a packet through a tunnel (ip_tunnel_xmit). `data` is at what follows the outer header, `innerNetworkHeader`
 * at the packet inside, whose protocol `skb.protocol` is. @param proto IPPROTO_… of the outer header
 */
export function ipTunnelXmit(skb: SkBuff, tunnel: IpTunnel, proto: number): void {
  const { dev, parms } = tunnel
  skb.networkHeader = skb.innerNetworkHeader
  const inner = skb.innerNetworkHeader
  const daddr = parms.daddr !== 0 ? parms.daddr : nextHop(skb)
  if (daddr === 0) {
    dev.stats.txFifoErrors++
    fail(skb, dev)
    return
  }
  const tos = (parms.tos & 1) !== 0 ? innerDsfield(skb) : parms.tos
  const rt = route(tunnel, daddr, tos, tunnel.fwmark !== 0 ? tunnel.fwmark : skb.mark)
  if (typeof rt === 'number') {
    dev.stats.txCarrierErrors++
    fail(skb, dev)
    return
  }
  if (rt.dev === dev) {
    dev.stats.collisions++
    fail(skb, dev)
    return
  }
  const { saddr } = flow
  const isIp = skb.protocol === ETH_P_IP
  const innerDf = isIp && (get16(skb.buf, inner + OFF_FRAG_OFF) & IP_DF) !== 0
  const df = parms.df || (innerDf && !tunnel.ignoreDf)
  const link = dev.type === ARPHRD_ETHER ? dev.hardHeaderLen : 0
  const size = skb.tail - inner
  const mtu = df ? rt.mtu() - IP_HLEN - tunnel.hlen - link : ((skb.dst as Rtable | null)?.mtu?.() ?? dev.mtu)
  if (size > mtu && skb.gsoSize === 0) {
    innerUpdatePmtu(skb, mtu)
    if (innerDf) {
      // the complaint is about the packet inside
      skb.data = inner
      icmpSend(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu)
      fail(skb, dev)
      return
    }
  }
  const outerTos = ecnEncap(tos, skb)
  let { ttl } = parms
  if (ttl === 0) ttl = innerTtl(skb)
  if (ttl === 0) ttl = rt.metric(RTAX_HOPLIMIT)
  const length = iptunnelXmit(skb, rt, saddr, daddr, proto, outerTos, ttl, df ? IP_DF : 0, tunnel.net !== dev.net)
  tunnelXmitStats(dev, length)
}

/**
 * Takes a packet out of a tunnel (ip_tunnel_rcv). `data` is at the packet inside.
 * @param protocol its Ethernet protocol @param outerTos TOS of the outer header
 */
export function ipTunnelRcv(skb: SkBuff, tunnel: IpTunnel, protocol: number, outerTos: number, ether: boolean): void {
  const { dev } = tunnel
  skbScrubPacket(skb, tunnel.net !== dev.net)
  skb.resetCb()
  skb.hash = 0
  skb.dev = dev
  if (ether) skb.protocol = ethTypeTrans(skb, dev)
  else {
    skb.resetMacHeader()
    skb.protocol = protocol
  }
  skb.resetNetworkHeader()
  skb.transportHeader = -1
  if ((skb.protocol === ETH_P_IP || skb.protocol === ETH_P_IPV6) && !ecnDecapsulate(skb, outerTos)) {
    dev.stats.rxFrameErrors++
    dev.stats.rxErrors++
    skb.free('ip_tunnel_rcv')
    return
  }
  dev.stats.rxPackets++
  dev.stats.rxBytes += skb.len
  dev.net.kernel.netcore.netifRx(skb)
}
