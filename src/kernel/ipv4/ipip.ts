/** IPv4 in IPv4 (RFC 2003): ipip devices; and those of IPv6 in IPv4 (RFC 4213), which share their settings: sit. */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_SIT, ARPHRD_TUNNEL, ETH_P_IP, ETH_P_IPV6, IFF_NOARP } from '../../uapi/if.ts'
import { type IptunData, linkData } from '../../uapi/if_link.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_LLTX,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
} from '../core/features.ts'
import { type KernelModule, registerPernetLate } from '../core/module.ts'
import {
  IFF_NO_QUEUE,
  IFF_XMIT_DST_RELEASE,
  IFF_XMIT_DST_RELEASE_PERM,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import type { PernetKey } from '../core/net_namespace.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { icmpSend } from './icmp.ts'
import { ICMP_DEST_UNREACH, ICMP_PROT_UNREACH } from './icmp_types.ts'
import { addrFromBytes, addrToBytes } from './inet_addr.ts'
import { get32, OFF_DADDR, OFF_SADDR, OFF_TOS } from './ip.ts'
import { dellinkTunnel, ipTunnelExitNet, ipTunnelInitNet } from './ip_gre.ts'
import {
  emptyParms,
  IpTunnel,
  type IpTunnelNet,
  type IpTunnelParms,
  ipTunnelChange,
  ipTunnelChangeMtu,
  ipTunnelKey,
  ipTunnelLookup,
  ipTunnelNewlink,
  ipTunnelPriv,
  ipTunnelRcv,
  ipTunnelSetAddresses,
  ipTunnelUninit,
  ipTunnelXmit,
} from './ip_tunnel.ts'
import { inetAddProtocol } from './protocol.ts'
import { IP_MAX_MTU } from './rtable.ts'

export const IPPROTO_IPIP = 4
export const IPPROTO_IPV6 = 41
const SIT_ISATAP = 1
/** 2002::/16, where 6to4 addresses are (RFC 3056). */
const SIX_TO_FOUR = Uint8Array.of(0x20, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

export const ipipKey = ipTunnelKey('ipip')
export const sitKey = ipTunnelKey('sit')

/** Settings that only SIT tunnels have: ISATAP, and 6rd (RFC 5969). */
export interface SitSettings {
  flags: number
  prefix: Uint8Array
  relayPrefix: number
  prefixlen: number
  relayPrefixlen: number
}

const SIT = new WeakMap<IpTunnel, SitSettings>()

function sitSettings(tunnel: IpTunnel): SitSettings {
  let settings = SIT.get(tunnel)
  if (settings === undefined) {
    settings = { flags: 0, prefix: SIX_TO_FOUR, relayPrefix: 0, prefixlen: 16, relayPrefixlen: 0 }
    SIT.set(tunnel, settings)
  }
  return settings
}

function startXmit(skb: SkBuff, dev: NetDevice): number {
  const tunnel = dev.priv as IpTunnel
  const proto = skb.protocol === ETH_P_IP ? IPPROTO_IPIP : skb.protocol === ETH_P_IPV6 ? IPPROTO_IPV6 : 0
  const { protocol } = tunnel.parms
  const carries = dev.type === ARPHRD_SIT ? proto !== 0 : proto === IPPROTO_IPIP
  if (!carries || tunnel.collectMd || (protocol !== 0 && protocol !== proto)) {
    dev.stats.txErrors++
    skb.free('ipip_tunnel_xmit')
    return NETDEV_TX_OK
  }
  skb.innerNetworkHeader = skb.networkHeader
  ipTunnelXmit(skb, tunnel, proto)
  return NETDEV_TX_OK
}

const ops: NetDeviceOps = {
  init(dev) {
    const tunnel = ipTunnelPriv(dev)
    ipTunnelSetAddresses(tunnel)
    dev.addrLen = 4
    return 0
  },
  uninit: ipTunnelUninit,
  startXmit,
  changeMtu: ipTunnelChangeMtu,
  getIflink: dev => ipTunnelPriv(dev).parms.link,
}

const FEATURES = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_HW_CSUM | NETIF_F_GSO_SOFTWARE

function setup(type: number, table: PernetKey<IpTunnelNet>): (dev: NetDevice) => void {
  return dev => {
    dev.ops = ops
    dev.type = type
    dev.flags = IFF_NOARP
    dev.addrLen = 4
    dev.features |= FEATURES | NETIF_F_LLTX
    dev.features2 |= NETIF_F2_GSO_SOFTWARE
    dev.hwFeatures |= FEATURES
    dev.hwFeatures2 |= NETIF_F2_GSO_SOFTWARE
    dev.privFlags &= ~(IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM)
    dev.privFlags |= IFF_NO_QUEUE
    if (type === ARPHRD_SIT) {
      dev.mtu = 1480
      dev.minMtu = 1280
      dev.maxMtu = IP_MAX_MTU + 20
    }
    dev.priv = new IpTunnel(dev, table)
  }
}

function readParms(data: IptunData | undefined, tunnel: IpTunnel, old: IpTunnelParms | undefined): IpTunnelParms {
  const sit = tunnel.dev.type === ARPHRD_SIT
  const parms = old === undefined ? emptyParms() : { ...old }
  if (old === undefined && !sit) parms.protocol = IPPROTO_IPIP
  if (data === undefined) return parms
  if (data.link !== undefined) parms.link = data.link
  if (data.local !== undefined) parms.saddr = addrFromBytes(data.local)
  if (data.remote !== undefined) parms.daddr = addrFromBytes(data.remote)
  if (data.ttl !== undefined) {
    parms.ttl = data.ttl
    if (data.ttl !== 0) parms.df = true
  }
  if (data.tos !== undefined) parms.tos = data.tos
  if (data.pmtudisc === undefined || data.pmtudisc !== 0) parms.df = true
  else parms.df = false
  if (data.proto !== undefined) parms.protocol = data.proto
  if (data.collectMetadata === true) tunnel.collectMd = true
  if (data.fwmark !== undefined) tunnel.fwmark = data.fwmark
  if (data.encapType !== undefined)
    tunnel.encap = {
      type: data.encapType,
      flags: data.encapFlags ?? 0,
      sport: data.encapSport ?? 0,
      dport: data.encapDport ?? 0,
    }
  if (sit) {
    const settings = sitSettings(tunnel)
    if (data.flags !== undefined) settings.flags = data.flags & SIT_ISATAP
    if (data.sixRdPrefix !== undefined) settings.prefix = data.sixRdPrefix.slice()
    if (data.sixRdRelayPrefix !== undefined) settings.relayPrefix = addrFromBytes(data.sixRdRelayPrefix)
    if (data.sixRdPrefixlen !== undefined) settings.prefixlen = data.sixRdPrefixlen
    if (data.sixRdRelayPrefixlen !== undefined) settings.relayPrefixlen = data.sixRdRelayPrefixlen
  }
  return parms
}

function fill(dev: NetDevice): IptunData {
  const tunnel = ipTunnelPriv(dev)
  const { parms, encap } = tunnel
  const data: IptunData = {
    link: parms.link,
    local: addrToBytes(parms.saddr),
    remote: addrToBytes(parms.daddr),
    ttl: parms.ttl,
    tos: parms.tos,
    proto: parms.protocol,
    pmtudisc: parms.df ? 1 : 0,
    fwmark: tunnel.fwmark,
    encapType: encap.type,
    encapSport: encap.sport,
    encapDport: encap.dport,
    encapFlags: encap.flags,
  }
  if (tunnel.collectMd) data.collectMetadata = true
  if (dev.type === ARPHRD_SIT) {
    const settings = sitSettings(tunnel)
    data.flags = settings.flags
    data.sixRdPrefix = settings.prefix.slice()
    data.sixRdRelayPrefix = addrToBytes(settings.relayPrefix)
    data.sixRdPrefixlen = settings.prefixlen
    data.sixRdRelayPrefixlen = settings.relayPrefixlen
  }
  return data
}

function linkOps(kind: 'ipip' | 'sit', type: number, table: PernetKey<IpTunnelNet>): RtnlLinkOps {
  const protocols = kind === 'ipip' ? [0, IPPROTO_IPIP, 137] : [0, IPPROTO_IPIP, IPPROTO_IPV6, 137]
  return {
    kind,
    hasData: true,
    setup: setup(type, table),
    validate(msg) {
      const proto = linkData(msg.attrs.linkinfo, kind)?.proto
      return proto === undefined || protocols.includes(proto) ? 0 : -Errno.EINVAL
    },
    newlink(srcNet, dev, msg) {
      const tunnel = ipTunnelPriv(dev)
      tunnel.net = srcNet
      tunnel.parms = readParms(linkData(msg.attrs.linkinfo, kind), tunnel, undefined)
      return ipTunnelNewlink(tunnel, msg.attrs.mtu, false)
    },
    changelink(dev, msg) {
      const tunnel = ipTunnelPriv(dev)
      if (tunnel === tunnel.net.at(table).fallback) return -Errno.EINVAL
      const parms = readParms(linkData(msg.attrs.linkinfo, kind), tunnel, tunnel.parms)
      if (tunnel.collectMd) return -Errno.EINVAL
      return ipTunnelChange(tunnel, parms, msg.attrs.mtu)
    },
    dellink: dellinkTunnel,
    fillInfo: fill,
    getLinkNet: dev => ipTunnelPriv(dev).net,
  }
}

export const ipipLinkOps: RtnlLinkOps = linkOps('ipip', ARPHRD_TUNNEL, ipipKey)
export const sitLinkOps: RtnlLinkOps = linkOps('sit', ARPHRD_SIT, sitKey)

/** Takes a packet that is itself IP; `data` is at the inner header. @returns whether a tunnel of the kind took it */
function receive(skb: SkBuff, table: PernetKey<IpTunnelNet>, protocol: number, ipproto: number): boolean {
  const { buf, networkHeader: iph, dev } = skb
  const { net } = dev!
  if (net.at(table) === undefined) return false
  const tunnel = ipTunnelLookup(
    net,
    table,
    dev!.ifindex,
    0,
    get32(buf, iph + OFF_SADDR),
    get32(buf, iph + OFF_DADDR),
    0,
  )
  if (tunnel === undefined || tunnel.collectMd) return false
  const carried = tunnel.parms.protocol
  if (carried !== 0 && carried !== ipproto) return false
  ipTunnelRcv(skb, tunnel, protocol, buf[iph + OFF_TOS]!, false)
  return true
}

/** Packets in packets: IPv4 for ipip, and for sit tunnels that carry both (tunnel4_rcv). */
function tunnel4Rcv(skb: SkBuff): number {
  if (receive(skb, ipipKey, ETH_P_IP, IPPROTO_IPIP) || receive(skb, sitKey, ETH_P_IP, IPPROTO_IPIP)) return 0
  icmpSend(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0)
  skb.free('tunnel4_rcv')
  return 0
}

function tunnel64Rcv(skb: SkBuff): number {
  if (receive(skb, sitKey, ETH_P_IPV6, IPPROTO_IPV6)) return 0
  icmpSend(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0)
  skb.free('tunnel64_rcv')
  return 0
}

/** Registered for both modules: handlers try what is there. */
const tunnel4Protocol = { handler: tunnel4Rcv }
const tunnel64Protocol = { handler: tunnel64Rcv }

/** The ipip module. */
export const ipipModule: KernelModule = {
  name: 'ipip',
  aliases: ['rtnl-link-ipip', 'netdev-tunl0'],
  depends: ['ip_tunnel', 'tunnel4'],
  init(kernel) {
    kernel.log.print(6, 'ipip: IPv4 and MPLS over IPv4 tunneling driver')
    registerPernetLate(kernel, {
      init: net => ipTunnelInitNet(net, ipipKey, ipipLinkOps, 'tunl0', tunnel => (tunnel.parms.protocol = 0)),
      preExit: net => ipTunnelExitNet(net, ipipKey),
    })
    inetAddProtocol(kernel.initNet, tunnel4Protocol, IPPROTO_IPIP)
    registerLinkOps(kernel, ipipLinkOps)
  },
}

/** The sit module. */
export const sitModule: KernelModule = {
  name: 'sit',
  aliases: ['rtnl-link-sit', 'netdev-sit0'],
  depends: ['ip_tunnel', 'tunnel4'],
  init(kernel) {
    kernel.log.print(6, 'sit: IPv6, IPv4 and MPLS over IPv4 tunneling driver')
    registerPernetLate(kernel, {
      init: net =>
        ipTunnelInitNet(net, sitKey, sitLinkOps, 'sit0', tunnel => {
          tunnel.parms.protocol = IPPROTO_IPV6
          tunnel.parms.ttl = 64
        }),
      preExit: net => ipTunnelExitNet(net, sitKey),
    })
    inetAddProtocol(kernel.initNet, tunnel4Protocol, IPPROTO_IPIP)
    inetAddProtocol(kernel.initNet, tunnel64Protocol, IPPROTO_IPV6)
    registerLinkOps(kernel, sitLinkOps)
  },
}
