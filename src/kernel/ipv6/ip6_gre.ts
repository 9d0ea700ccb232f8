/** GRE over IPv6 (RFC 7676): ip6gre and ip6gretap devices. */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_ETHER, ARPHRD_IP6GRE, ETH_P_IP, ETH_P_IPV6 } from '../../uapi/if.ts'
import { type GreData, linkData } from '../../uapi/if_link.ts'
import type { LinkMessage } from '../../uapi/rtnetlink.ts'
import { etherSetup, ethMacAddr, ethValidateAddr } from '../core/ethernet.ts'
import { type KernelModule, registerPernetLate } from '../core/module.ts'
import {
  IFF_LIVE_ADDR_CHANGE,
  IFF_TX_SKB_SHARING,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import { pernetKey } from '../core/net_namespace.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import { skbChecksumHelp } from '../core/skb_checksum.ts'
import { CHECKSUM_NONE, CHECKSUM_PARTIAL, type SkBuff } from '../core/skbuff.ts'
import { validateEtherAddress } from '../drivers/validate.ts'
import { csumFold, csumPartial } from '../ipv4/checksum.ts'
import { greHlen, IPPROTO_GRE } from '../ipv4/ip_gre.ts'
import { GRE_CSUM, GRE_KEY, GRE_SEQ } from '../ipv4/ip_tunnel.ts'
import { get16, get32, put16, put32 } from './ip6.ts'
import {
  emptyParms6,
  type Ip6Tnl,
  Ip6TnlNet,
  type Ip6TnlParms,
  ip6TnlChange,
  ip6TnlCommon,
  ip6TnlDellink,
  ip6TnlExitNet,
  ip6TnlInitNet,
  ip6TnlLookup,
  ip6TnlNewlink,
  ip6TnlPriv,
  ip6TnlRcv,
  ip6TnlUninit,
  ip6TnlXmit,
} from './ip6_tunnel.ts'
import { inet6AddProtocol } from './protocol6.ts'

const ETH_P_TEB = 0x6558

/** Tunnels of both kinds: they share the fallback device. */
export const ip6greKey = pernetKey<Ip6TnlNet>('ip6gre')
export const ip6gretapKey = pernetKey<Ip6TnlNet>('ip6gretap')

function xmit(skb: SkBuff, dev: NetDevice, proto: number): number {
  const tunnel = dev.priv as Ip6Tnl
  if (tunnel.collectMd) {
    dev.stats.txErrors++
    skb.free('ip6gre_tunnel_xmit')
    return NETDEV_TX_OK
  }
  skb.innerNetworkHeader = skb.networkHeader
  const { oflags, okey } = tunnel.parms
  if ((oflags & GRE_CSUM) !== 0) skbChecksumHelp(skb)
  skb.cow(dev.neededHeadroom)
  const at = skb.push(greHlen(oflags))
  const { buf } = skb
  put16(buf, at, oflags)
  put16(buf, at + 2, proto)
  let place = at + 4
  if ((oflags & GRE_CSUM) !== 0) {
    put32(buf, place, 0)
    place += 4
    skb.ipSummed = CHECKSUM_PARTIAL
    skb.csumStart = at
    skb.csumOffset = 4
  }
  if ((oflags & GRE_KEY) !== 0) {
    put32(buf, place, okey)
    place += 4
  }
  if ((oflags & GRE_SEQ) !== 0) {
    put32(buf, place, tunnel.oSeqno)
    tunnel.oSeqno = (tunnel.oSeqno + 1) >>> 0
  }
  ip6TnlXmit(skb, tunnel, IPPROTO_GRE)
  return NETDEV_TX_OK
}

function common(proto: (skb: SkBuff) => number): NetDeviceOps {
  return {
    init(dev) {
      const tunnel = ip6TnlPriv(dev)
      tunnel.hlen = greHlen(tunnel.parms.oflags)
      return 0
    },
    uninit: ip6TnlUninit,
    getIflink: dev => ip6TnlPriv(dev).parms.link,
    startXmit: (skb, dev) => xmit(skb, dev, proto(skb)),
    changeMtu(dev, mtu) {
      if (mtu < 68 || mtu > 0xfff8 - dev.hardHeaderLen) return -Errno.EINVAL
      dev.mtu = mtu
      return 0
    },
  }
}

const greOps = common(skb => skb.protocol)
const tapOps: NetDeviceOps = { ...common(() => ETH_P_TEB), setMacAddress: ethMacAddr, validateAddr: ethValidateAddr }

function greSetup(dev: NetDevice): void {
  dev.ops = greOps
  ip6TnlCommon(dev, ARPHRD_IP6GRE, ip6greKey)
}

function tapSetup(dev: NetDevice): void {
  etherSetup(dev)
  dev.maxMtu = 0
  dev.ops = tapOps
  dev.privFlags &= ~IFF_TX_SKB_SHARING
  dev.privFlags |= IFF_LIVE_ADDR_CHANGE
  ip6TnlCommon(dev, ARPHRD_ETHER, ip6gretapKey)
}

function readParms(data: GreData | undefined, tunnel: Ip6Tnl, old: Ip6TnlParms | undefined): Ip6TnlParms {
  const parms = old === undefined ? emptyParms6() : { ...old }
  if (data === undefined) return parms
  if (data.link !== undefined) parms.link = data.link
  if (data.iflags !== undefined) parms.iflags = data.iflags
  if (data.oflags !== undefined) parms.oflags = data.oflags
  if (data.ikey !== undefined) parms.ikey = data.ikey
  if (data.okey !== undefined) parms.okey = data.okey
  if (data.local !== undefined) parms.laddr = data.local.slice()
  if (data.remote !== undefined) parms.raddr = data.remote.slice()
  if (data.ttl !== undefined) parms.hopLimit = data.ttl
  if (data.encapLimit !== undefined) parms.encapLimit = data.encapLimit
  if (data.flowinfo !== undefined) parms.flowinfo = data.flowinfo
  if (data.flags !== undefined) parms.flags = data.flags
  if (data.fwmark !== undefined) parms.fwmark = data.fwmark
  if (data.collectMetadata === true) tunnel.collectMd = true
  return parms
}

function fill(dev: NetDevice): GreData {
  const { parms, encap, collectMd } = ip6TnlPriv(dev)
  const data: GreData = {
    link: parms.link,
    iflags: parms.iflags,
    oflags: parms.oflags,
    ikey: parms.ikey,
    okey: parms.okey,
    local: parms.laddr.slice(),
    remote: parms.raddr.slice(),
    ttl: parms.hopLimit,
    encapLimit: parms.encapLimit,
    flowinfo: parms.flowinfo,
    flags: parms.flags,
    fwmark: parms.fwmark,
    encapType: encap.type,
    encapSport: encap.sport,
    encapDport: encap.dport,
    encapFlags: encap.flags,
  }
  if (collectMd) data.collectMetadata = true
  return data
}

function linkOps(kind: 'ip6gre' | 'ip6gretap', setup: (dev: NetDevice) => void): RtnlLinkOps {
  const data = (msg: LinkMessage): GreData | undefined => linkData(msg.attrs.linkinfo, kind)
  return {
    kind,
    hasData: true,
    setup,
    validate(msg, extack) {
      if (kind === 'ip6gretap') {
        const rc = validateEtherAddress(msg, extack)
        if (rc < 0) return rc
        const remote = data(msg)?.remote
        if (remote?.every(byte => byte === 0) === true && data(msg)?.collectMetadata !== true) return -Errno.EINVAL
      }
      const flags = (data(msg)?.iflags ?? 0) | (data(msg)?.oflags ?? 0)
      return (flags & ~(GRE_CSUM | GRE_KEY | GRE_SEQ)) !== 0 ? -Errno.EINVAL : 0
    },
    newlink(srcNet, dev, msg) {
      const tunnel = ip6TnlPriv(dev)
      tunnel.net = srcNet
      tunnel.parms = readParms(data(msg), tunnel, undefined)
      return ip6TnlNewlink(tunnel, msg.attrs.mtu, msg.attrs.address !== undefined)
    },
    changelink(dev, msg) {
      const tunnel = ip6TnlPriv(dev)
      const parms = readParms(data(msg), tunnel, tunnel.parms)
      tunnel.hlen = greHlen(parms.oflags)
      return ip6TnlChange(tunnel, parms, msg.attrs.mtu)
    },
    dellink: ip6TnlDellink,
    fillInfo: fill,
    getLinkNet: dev => ip6TnlPriv(dev).net,
  }
}

export const ip6greLinkOps: RtnlLinkOps = linkOps('ip6gre', greSetup)
export const ip6gretapLinkOps: RtnlLinkOps = linkOps('ip6gretap', tapSetup)

function drop(skb: SkBuff): number {
  skb.free('gre_rcv')
  return -1
}

/** Takes a GRE packet over IPv6; `data` is at its header. */
function greRcv(skb: SkBuff): number {
  const { buf, data } = skb
  if (skb.len < 4) return drop(skb)
  const flags = get16(buf, data)
  const hlen = greHlen(flags)
  if ((flags & 0x4007) !== 0 || skb.len < hlen) return drop(skb)
  let at = data + 4
  if ((flags & GRE_CSUM) !== 0) {
    if (skb.ipSummed === CHECKSUM_NONE && csumFold(csumPartial(buf, data, skb.len, 0)) !== 0) return drop(skb)
    at += 4
  }
  const key = (flags & GRE_KEY) !== 0 ? get32(buf, at) : 0
  if ((flags & GRE_KEY) !== 0) at += 4
  const proto = get16(buf, data + 2)
  const ether = proto === ETH_P_TEB
  const tunnel = ip6TnlLookup(skb, ether ? ip6gretapKey : ip6greKey, key)
  if (tunnel === undefined || (!ether && proto !== ETH_P_IP && proto !== ETH_P_IPV6)) return drop(skb)
  const { stats } = tunnel.dev
  const { iflags } = tunnel.parms
  if (((flags ^ iflags) & GRE_CSUM) !== 0) {
    stats.rxCrcErrors++
    stats.rxErrors++
    return drop(skb)
  }
  if ((iflags & GRE_SEQ) !== 0) {
    const seq = (flags & GRE_SEQ) !== 0 ? get32(buf, at) : 0
    if ((flags & GRE_SEQ) === 0 || (tunnel.iSeqno !== 0 && ((seq - tunnel.iSeqno) | 0) < 0)) {
      stats.rxFifoErrors++
      stats.rxErrors++
      return drop(skb)
    }
    tunnel.iSeqno = (seq + 1) >>> 0
  }
  skb.pull(hlen)
  ip6TnlRcv(skb, tunnel, proto, ether)
  return 0
}

/** The module. */
export const ip6GreModule: KernelModule = {
  name: 'ip6_gre',
  aliases: ['rtnl-link-ip6gre', 'rtnl-link-ip6gretap', 'netdev-ip6gre0'],
  depends: ['gre', 'ip6_tunnel'],
  init(kernel) {
    kernel.log.print(6, 'ip6_gre: GRE over IPv6 tunneling driver')
    registerPernetLate(kernel, {
      init(net) {
        ip6TnlInitNet(net, ip6greKey, ip6greLinkOps, 'ip6gre0', tunnel => (tunnel.hlen = greHlen(0)))
        net.set(ip6gretapKey, new Ip6TnlNet())
      },
      preExit(net) {
        ip6TnlExitNet(net, ip6greKey)
        ip6TnlExitNet(net, ip6gretapKey)
      },
    })
    inet6AddProtocol(IPPROTO_GRE, { final: true, handler: greRcv })
    for (const ops of [ip6greLinkOps, ip6gretapLinkOps]) registerLinkOps(kernel, ops)
  },
}
