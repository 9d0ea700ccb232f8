/** GRE (RFC 2784, RFC 2890) over IPv4: gre, gretap and erspan devices. */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_IPGRE, ARPHRD_NONE, ETH_P_IP, ETH_P_IPV6, IFF_BROADCAST, IFF_NOARP } from '../../uapi/if.ts'
import { type GreData, linkData } from '../../uapi/if_link.ts'
import type { LinkMessage } from '../../uapi/rtnetlink.ts'
import { allocNetdev, registerNetdevice, unregisterNetdeviceMany } from '../core/dev_core.ts'
import { etherSetup, ethMacAddr, ethValidateAddr } from '../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_LLTX,
  NETIF_F_NETNS_LOCAL,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
} from '../core/features.ts'
import { type KernelModule, registerPernetLate } from '../core/module.ts'
import {
  IFF_LIVE_ADDR_CHANGE,
  IFF_NO_QUEUE,
  IFF_TX_SKB_SHARING,
  IFF_XMIT_DST_RELEASE,
  IFF_XMIT_DST_RELEASE_PERM,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import type { Net, PernetKey } from '../core/net_namespace.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import { skbChecksumHelp } from '../core/skb_checksum.ts'
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, type SkBuff } from '../core/skbuff.ts'
import { validateEtherAddress } from '../drivers/validate.ts'
import { csumFold, csumPartial } from './checksum.ts'
import { icmpSend } from './icmp.ts'
import { ICMP_DEST_UNREACH, ICMP_PORT_UNREACH } from './icmp_types.ts'
import { addrFromBytes, addrToBytes } from './inet_addr.ts'
import { get16, get32, OFF_DADDR, OFF_SADDR, OFF_TOS, put16, put32 } from './ip.ts'
import {
  emptyParms,
  GRE_CSUM,
  GRE_KEY,
  GRE_SEQ,
  IpTunnel,
  IpTunnelNet,
  type IpTunnelParms,
  ipTunnelBindDev,
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
import { inetAddProtocol, type NetProtocol } from './protocol.ts'

export const IPPROTO_GRE = 47
const ETH_P_TEB = 0x6558
const ETH_P_ERSPAN = 0x88be
const ETH_P_ERSPAN2 = 0x22eb

export const ipgreKey = ipTunnelKey('gre')
export const gretapKey = ipTunnelKey('gretap')
export const erspanKey = ipTunnelKey('erspan')

/** @returns bytes of a GRE header with these flags (gre_calc_hlen) */
export function greHlen(flags: number): number {
  return 4 + ((flags & GRE_CSUM) !== 0 ? 4 : 0) + ((flags & GRE_KEY) !== 0 ? 4 : 0) + ((flags & GRE_SEQ) !== 0 ? 4 : 0)
}

/** Puts the GRE header on (gre_build_header). */
function buildHeader(skb: SkBuff, tunnel: IpTunnel, proto: number): void {
  const { oflags, okey } = tunnel.parms
  const at = skb.push(greHlen(oflags))
  const { buf } = skb
  put16(buf, at, oflags)
  put16(buf, at + 2, proto)
  let place = at + 4
  const checked = (oflags & GRE_CSUM) !== 0
  if (checked) {
    put32(buf, place, 0)
    place += 4
  }
  if ((oflags & GRE_KEY) !== 0) {
    put32(buf, place, okey)
    place += 4
  }
  if ((oflags & GRE_SEQ) !== 0) {
    put32(buf, place, tunnel.oSeqno)
    tunnel.oSeqno = (tunnel.oSeqno + 1) >>> 0
  }
  if (!checked) return
  skb.ipSummed = CHECKSUM_PARTIAL
  skb.csumStart = at
  skb.csumOffset = 4
}

function xmit(skb: SkBuff, dev: NetDevice, proto: number): number {
  const tunnel = dev.priv as IpTunnel
  if (tunnel.collectMd) {
    dev.stats.txDropped++
    skb.free('ipgre_xmit')
    return NETDEV_TX_OK
  }
  skb.innerNetworkHeader = skb.networkHeader
  // one checksum at most can be left to the device
  if ((tunnel.parms.oflags & GRE_CSUM) !== 0) skbChecksumHelp(skb)
  skb.cow(dev.neededHeadroom)
  buildHeader(skb, tunnel, proto)
  ipTunnelXmit(skb, tunnel, IPPROTO_GRE)
  return NETDEV_TX_OK
}

const ipgreOps: NetDeviceOps = {
  init(dev) {
    const tunnel = ipTunnelPriv(dev)
    const { parms } = tunnel
    tunnel.hlen = greHlen(parms.oflags)
    ipTunnelSetAddresses(tunnel)
    dev.flags = IFF_NOARP
    dev.addrLen = 4
    if (tunnel.collectMd) dev.type = ARPHRD_NONE
    else if (parms.daddr >>> 28 === 14) {
      if (parms.saddr === 0) return -Errno.EINVAL
      dev.flags = IFF_BROADCAST
    }
    return 0
  },
  uninit: ipTunnelUninit,
  startXmit: (skb, dev) => xmit(skb, dev, skb.protocol),
  changeMtu: ipTunnelChangeMtu,
  getIflink: dev => ipTunnelPriv(dev).parms.link,
}

const gretapOps: NetDeviceOps = {
  init(dev) {
    const tunnel = ipTunnelPriv(dev)
    tunnel.hlen = greHlen(tunnel.parms.oflags)
    return 0
  },
  uninit: ipTunnelUninit,
  startXmit: (skb, dev) => xmit(skb, dev, ETH_P_TEB),
  setMacAddress: ethMacAddr,
  validateAddr: ethValidateAddr,
  changeMtu: ipTunnelChangeMtu,
  getIflink: dev => ipTunnelPriv(dev).parms.link,
}

const erspanOps: NetDeviceOps = {
  ...gretapOps,
  init(dev) {
    const tunnel = ipTunnelPriv(dev)
    // an 8-byte header that always has a sequence number, and ERSPAN's own
    tunnel.hlen = 8 + (tunnel.erspan.ver === 2 ? 12 : tunnel.erspan.ver === 1 ? 8 : 0)
    return 0
  },
  /** mirrored frames are for a collector; what is sent by the device itself is mirrored, too */
  startXmit: (skb, dev) => xmit(skb, dev, ipTunnelPriv(dev).erspan.ver === 2 ? ETH_P_ERSPAN2 : ETH_P_ERSPAN),
}

const FEATURES = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_HW_CSUM | NETIF_F_GSO_SOFTWARE

function common(dev: NetDevice): void {
  dev.features |= FEATURES | NETIF_F_LLTX
  dev.features2 |= NETIF_F2_GSO_SOFTWARE
  dev.hwFeatures |= FEATURES
  dev.hwFeatures2 |= NETIF_F2_GSO_SOFTWARE
  dev.privFlags &= ~(IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM | IFF_TX_SKB_SHARING)
  dev.privFlags |= IFF_NO_QUEUE
}

function ipgreSetup(dev: NetDevice): void {
  dev.ops = ipgreOps
  dev.type = ARPHRD_IPGRE
  dev.addrLen = 4
  common(dev)
  dev.priv = new IpTunnel(dev, ipgreKey)
}

function tapSetup(ops: NetDeviceOps, table: PernetKey<IpTunnelNet>): (dev: NetDevice) => void {
  return dev => {
    etherSetup(dev)
    dev.maxMtu = 0
    dev.ops = ops
    common(dev)
    dev.privFlags |= IFF_LIVE_ADDR_CHANGE
    dev.priv = new IpTunnel(dev, table)
  }
}

/** Takes a request's settings over those there are (ipgre_netlink_parms). */
function readParms(data: GreData | undefined, tunnel: IpTunnel, fresh: boolean): IpTunnelParms | number {
  const parms = fresh ? emptyParms() : { ...tunnel.parms }
  parms.protocol = IPPROTO_GRE
  if (data === undefined) return parms
  if (data.link !== undefined) parms.link = data.link
  if (data.iflags !== undefined) parms.iflags = data.iflags
  if (data.oflags !== undefined) parms.oflags = data.oflags
  if (data.ikey !== undefined) parms.ikey = data.ikey
  if (data.okey !== undefined) parms.okey = data.okey
  if (data.local !== undefined) parms.saddr = addrFromBytes(data.local)
  if (data.remote !== undefined) parms.daddr = addrFromBytes(data.remote)
  if (data.ttl !== undefined) parms.ttl = data.ttl
  if (data.tos !== undefined) parms.tos = data.tos
  if (data.pmtudisc === undefined || data.pmtudisc !== 0) {
    if (data.ignoreDf !== undefined && data.ignoreDf !== 0) return -Errno.EINVAL
    parms.df = true
  } else parms.df = false
  if (data.ignoreDf !== undefined) {
    if (data.ignoreDf !== 0 && parms.df) return -Errno.EINVAL
    tunnel.ignoreDf = data.ignoreDf !== 0
  }
  if (data.collectMetadata === true) tunnel.collectMd = true
  if (data.fwmark !== undefined) tunnel.fwmark = data.fwmark
  if (data.encapType !== undefined)
    tunnel.encap = {
      type: data.encapType,
      flags: data.encapFlags ?? 0,
      sport: data.encapSport ?? 0,
      dport: data.encapDport ?? 0,
    }
  if (data.erspanVer !== undefined) tunnel.erspan.ver = data.erspanVer
  if (data.erspanIndex !== undefined) tunnel.erspan.index = data.erspanIndex
  if (data.erspanDir !== undefined) tunnel.erspan.dir = data.erspanDir
  if (data.erspanHwid !== undefined) tunnel.erspan.hwid = data.erspanHwid
  return parms
}

function fill(dev: NetDevice): GreData {
  const tunnel = ipTunnelPriv(dev)
  const { parms, encap } = tunnel
  const data: GreData = {
    link: parms.link,
    iflags: parms.iflags,
    oflags: parms.oflags,
    ikey: parms.ikey,
    okey: parms.okey,
    local: addrToBytes(parms.saddr),
    remote: addrToBytes(parms.daddr),
    ttl: parms.ttl,
    tos: parms.tos,
    pmtudisc: parms.df ? 1 : 0,
    fwmark: tunnel.fwmark,
    encapType: encap.type,
    encapSport: encap.sport,
    encapDport: encap.dport,
    encapFlags: encap.flags,
    ignoreDf: tunnel.ignoreDf ? 1 : 0,
  }
  if (tunnel.collectMd) data.collectMetadata = true
  return data
}

function fillErspan(dev: NetDevice): GreData {
  const tunnel = ipTunnelPriv(dev)
  const data = fill(dev)
  const { erspan } = tunnel
  // an ERSPAN session always has its number as key, and counts its packets
  data.oflags = tunnel.parms.oflags | GRE_KEY
  data.erspanVer = erspan.ver
  if (erspan.ver === 1) data.erspanIndex = erspan.index
  else if (erspan.ver === 2) {
    data.erspanDir = erspan.dir
    data.erspanHwid = erspan.hwid
  }
  if (tunnel === tunnel.net.at(erspanKey).fallback) return data
  data.iflags = tunnel.parms.iflags | GRE_SEQ
  data.oflags |= GRE_SEQ
  return data
}

/** Flags that this way of making tunnels does not know (ipgre_tunnel_validate). */
function validateFlags(data: GreData | undefined): number {
  if (data === undefined) return 0
  const flags = (data.iflags ?? 0) | (data.oflags ?? 0)
  return (flags & ~(GRE_CSUM | GRE_KEY | GRE_SEQ)) !== 0 ? -Errno.EINVAL : 0
}

function linkOps(kind: 'gre' | 'gretap' | 'erspan', setup: (dev: NetDevice) => void): RtnlLinkOps {
  const data = (msg: LinkMessage): GreData | undefined => linkData(msg.attrs.linkinfo, kind)
  return {
    kind,
    hasData: true,
    setup,
    validate(msg, extack) {
      const rc = kind === 'gre' ? 0 : validateEtherAddress(msg, extack)
      if (rc < 0) return rc
      const bad = validateFlags(data(msg))
      if (bad < 0) return bad
      const given = data(msg)
      if (kind !== 'gre' && given?.remote !== undefined && addrFromBytes(given.remote) === 0) return -Errno.EINVAL
      return 0
    },
    newlink(srcNet, dev, msg) {
      const tunnel = ipTunnelPriv(dev)
      tunnel.net = srcNet
      const parms = readParms(data(msg), tunnel, true)
      if (typeof parms === 'number') return parms
      tunnel.parms = parms
      return ipTunnelNewlink(tunnel, msg.attrs.mtu, msg.attrs.address !== undefined)
    },
    changelink(dev, msg) {
      const tunnel = ipTunnelPriv(dev)
      const parms = readParms(data(msg), tunnel, false)
      if (typeof parms === 'number') return parms
      const rc = ipTunnelChange(tunnel, parms, msg.attrs.mtu)
      if (rc < 0) return rc
      const hlen = greHlen(parms.oflags)
      if (kind !== 'erspan' && hlen !== tunnel.hlen) {
        dev.mtu += tunnel.hlen - hlen
        tunnel.hlen = hlen
      }
      return 0
    },
    dellink: dellinkTunnel,
    fillInfo: kind === 'erspan' ? fillErspan : fill,
    getLinkNet: dev => ipTunnelPriv(dev).net,
  }
}

/** `dellink` of tunnels: the fallback device of a namespace stays (ip_tunnel_dellink). */
export function dellinkTunnel(dev: NetDevice, kill: NetDevice[]): void {
  const tunnel = ipTunnelPriv(dev)
  if (tunnel !== tunnel.net.at(tunnel.table).fallback || tunnel.net.dying) kill.push(dev)
}

export const ipgreLinkOps: RtnlLinkOps = linkOps('gre', ipgreSetup)
export const gretapLinkOps: RtnlLinkOps = linkOps('gretap', tapSetup(gretapOps, gretapKey))
export const erspanLinkOps: RtnlLinkOps = linkOps('erspan', tapSetup(erspanOps, erspanKey))

/** Gives a namespace its tunnels of a kind, and the device for packets of none of them (ip_tunnel_init_net). */
export function ipTunnelInitNet(
  net: Net,
  table: PernetKey<IpTunnelNet>,
  ops: RtnlLinkOps,
  name: string,
  prepare: (tunnel: IpTunnel) => void = () => {},
): void {
  const state = new IpTunnelNet()
  net.set(table, state)
  const dev = allocNetdev(net, name, each => ops.setup(each))
  dev.linkOps = ops
  dev.linkInitialized = true
  const tunnel = ipTunnelPriv(dev)
  prepare(tunnel)
  dev.features |= NETIF_F_NETNS_LOCAL
  const rc = registerNetdevice(dev)
  if (rc < 0) throw new Error(`${name} could not be registered: ${rc}`)
  dev.mtu = ipTunnelBindDev(tunnel)
  state.tunnels.push(tunnel)
  state.fallback = tunnel
}

/** Takes down tunnels that live elsewhere but travel in a namespace that ends. */
export function ipTunnelExitNet(net: Net, table: PernetKey<IpTunnelNet>): void {
  unregisterNetdeviceMany(
    net
      .at(table)
      .tunnels.filter(({ dev }) => dev.net !== net)
      .map(({ dev }) => dev),
  )
}

function drop(skb: SkBuff): number {
  skb.free('gre_rcv')
  return 0
}

/** Takes a GRE packet; `data` is at its header (gre_rcv, ipgre_rcv). */
function greRcv(skb: SkBuff): number {
  const { buf, data, networkHeader: iph, dev } = skb
  if (skb.len < 4) return drop(skb)
  const flags = get16(buf, data)
  // version 0, no routing
  if ((flags & 0x4007) !== 0) return drop(skb)
  const hlen = greHlen(flags)
  if (skb.len < hlen) return drop(skb)
  let at = data + 4
  if ((flags & GRE_CSUM) !== 0) {
    if (skb.ipSummed === CHECKSUM_NONE && csumFold(csumPartial(buf, data, skb.len, 0)) !== 0) return drop(skb)
    at += 4
  }
  let key = 0
  if ((flags & GRE_KEY) !== 0) {
    key = get32(buf, at)
    at += 4
  }
  const seq = (flags & GRE_SEQ) !== 0 ? get32(buf, at) : 0
  const proto = get16(buf, data + 2)
  const ether = proto === ETH_P_TEB
  const remote = get32(buf, iph + OFF_SADDR)
  const local = get32(buf, iph + OFF_DADDR)
  const { net } = dev!
  const tunnel = ipTunnelLookup(net, ether ? gretapKey : ipgreKey, dev!.ifindex, flags, remote, local, key)
  if (tunnel === undefined) {
    icmpSend(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0)
    return drop(skb)
  }
  const { stats } = tunnel.dev
  const { iflags } = tunnel.parms
  if (((flags ^ iflags) & GRE_CSUM) !== 0) {
    stats.rxCrcErrors++
    stats.rxErrors++
    return drop(skb)
  }
  if ((iflags & GRE_SEQ) !== 0) {
    if ((flags & GRE_SEQ) === 0 || (tunnel.iSeqno !== 0 && ((seq - tunnel.iSeqno) | 0) < 0)) {
      stats.rxFifoErrors++
      stats.rxErrors++
      return drop(skb)
    }
    tunnel.iSeqno = (seq + 1) >>> 0
  }
  if (!ether && proto !== ETH_P_IP && proto !== ETH_P_IPV6) return drop(skb)
  const outerTos = buf[iph + OFF_TOS]!
  skb.pull(hlen)
  ipTunnelRcv(skb, tunnel, proto, outerTos, ether)
  return 0
}

const greProtocol: NetProtocol = { handler: greRcv }

/** The module. */
export const ipGreModule: KernelModule = {
  name: 'ip_gre',
  aliases: ['rtnl-link-gre', 'rtnl-link-gretap', 'rtnl-link-erspan', 'netdev-gre0', 'netdev-gretap0'],
  depends: ['ip_tunnel', 'gre'],
  init(kernel) {
    kernel.log.print(6, 'gre: GRE over IPv4 demultiplexor driver')
    kernel.log.print(6, 'ip_gre: GRE over IPv4 tunneling driver')
    registerPernetLate(kernel, {
      init(net) {
        ipTunnelInitNet(net, ipgreKey, ipgreLinkOps, 'gre0')
        ipTunnelInitNet(net, gretapKey, gretapLinkOps, 'gretap0')
        ipTunnelInitNet(net, erspanKey, erspanLinkOps, 'erspan0')
      },
      preExit(net) {
        for (const key of [ipgreKey, gretapKey, erspanKey]) ipTunnelExitNet(net, key)
      },
    })
    inetAddProtocol(kernel.initNet, greProtocol, IPPROTO_GRE)
    for (const ops of [ipgreLinkOps, gretapLinkOps, erspanLinkOps]) registerLinkOps(kernel, ops)
  },
}
