/** Tunnels over IPv6 (RFC 2473): what ip6tnl and ip6gre devices share, and ip6tnl itself. */
import { Errno } from '../../uapi/errno.ts'
import {
  ARPHRD_ETHER,
  ARPHRD_TUNNEL6,
  ETH_P_IP,
  ETH_P_IPV6,
  IFF_NOARP,
  IFF_POINTOPOINT,
  IFF_UP,
} from '../../uapi/if.ts'
import { type IptunData, linkData } from '../../uapi/if_link.ts'
import { IPPROTO_DSTOPTS } from '../../uapi/socket.ts'
import { allocNetdev, registerNetdevice, unregisterNetdeviceMany } from '../core/dev_core.ts'
import { skbScrubPacket } from '../core/dev_forward.ts'
import { ETH_DATA_LEN, ethHwAddrRandom, ethTypeTrans } from '../core/ethernet.ts'
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
  IFF_NO_QUEUE,
  IFF_XMIT_DST_RELEASE,
  IFF_XMIT_DST_RELEASE_PERM,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import { type Net, type PernetKey, pernetKey } from '../core/net_namespace.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { ecnDecapsulate, innerDsfield, innerUpdatePmtu, tunnelXmitStats } from '../ipv4/ip_tunnel_core.ts'
import { Flowi6 } from './flowi6.ts'
import { IPV6_HLEN, IPV6_MIN_MTU, OFF_DADDR, OFF_SADDR, putHeader, tclassAt } from './ip6.ts'
import { ip6LocalOut } from './ip6_output.ts'
import { type Inet6Protocol, inet6AddProtocol, inet6Protocol } from './protocol6.ts'
import { ip6DstMtu, ip6RouteOutput } from './route.ts'
import { ipv6DevGetSaddr } from './saddr.ts'

export const IP6_TNL_F_IGN_ENCAP_LIMIT = 0x01
export const IP6_TNL_F_USE_ORIG_TCLASS = 0x02
export const IP6_TNL_F_USE_ORIG_FLOWLABEL = 0x04

const IPPROTO_IPIP = 4
const IPPROTO_IPV6 = 41
/** Bytes of the destination options header with the encapsulation limit (RFC 2473 §4.1.1). */
const ENCAP_LIMIT_HLEN = 8
/** Limit and hop limit of tunnels that ask for none. */
const DEFAULT_ENCAP_LIMIT = 4
const DEFAULT_HOPLIMIT = 64
const TCLASS_MASK = 0x0ff00000
const FLOWLABEL_MASK = 0x000fffff

/** Settings (`__ip6_tnl_parm`). */
export interface Ip6TnlParms {
  link: number
  laddr: Uint8Array
  raddr: Uint8Array
  encapLimit: number
  hopLimit: number
  /** traffic class and flow label */
  flowinfo: number
  flags: number
  /** IPPROTO_… carried; 0 any */
  proto: number
  fwmark: number
  iflags: number
  oflags: number
  ikey: number
  okey: number
}

/** @returns settings of a tunnel that says nothing */
export function emptyParms6(): Ip6TnlParms {
  return {
    link: 0,
    laddr: new Uint8Array(16),
    raddr: new Uint8Array(16),
    encapLimit: 0,
    hopLimit: 0,
    flowinfo: 0,
    flags: 0,
    proto: 0,
    fwmark: 0,
    iflags: 0,
    oflags: 0,
    ikey: 0,
    okey: 0,
  }
}

/** A tunnel (`ip6_tnl`). */
export class Ip6Tnl {
  readonly dev: NetDevice
  readonly table: PernetKey<Ip6TnlNet>
  net: Net
  parms = emptyParms6()
  /** bytes between the outer headers and the packet */
  hlen = 0
  collectMd = false
  oSeqno = 0
  iSeqno = 0
  encap = { type: 0, flags: 0, sport: 0, dport: 0 }

  constructor(dev: NetDevice, table: PernetKey<Ip6TnlNet>) {
    this.dev = dev
    this.table = table
    this.net = dev.net
  }
}

/** The tunnels of one kind in a namespace. */
export class Ip6TnlNet {
  readonly tunnels: Ip6Tnl[] = []
  fallback: Ip6Tnl | undefined
}

/** @returns a device's tunnel */
export function ip6TnlPriv(dev: NetDevice): Ip6Tnl {
  return dev.priv as Ip6Tnl
}

function isAny(address: Uint8Array): boolean {
  return address.every(byte => byte === 0)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 16; i++) if (a[i] !== b[i]) return false
  return true
}

const probe = new Flowi6()

/** Addresses and flags of the device, headroom and MTU (ip6_tnl_link_config). @param mtu what the request asks for */
export function ip6TnlLinkConfig(tunnel: Ip6Tnl, mtu?: number): void {
  const { dev, parms, net } = tunnel
  const ether = dev.type === ARPHRD_ETHER
  const limit = (parms.flags & IP6_TNL_F_IGN_ENCAP_LIMIT) === 0 ? ENCAP_LIMIT_HLEN : 0
  if (!ether) {
    dev.devAddr = parms.laddr.slice()
    dev.broadcast = parms.raddr.slice()
    if (!isAny(parms.raddr)) dev.flags |= IFF_POINTOPOINT
    else dev.flags &= ~IFF_POINTOPOINT
  }
  let base = ETH_DATA_LEN
  let headroom = 128
  if (!isAny(parms.raddr)) {
    probe.clear()
    probe.oif = parms.link
    probe.daddr.set(parms.raddr)
    probe.saddr.set(parms.laddr)
    const rt = ip6RouteOutput(net, 0, probe)
    const lower = rt.error === 0 ? rt.dev : net.devByIndex(parms.link)
    if (lower !== undefined && lower !== dev) {
      base = lower.mtu
      headroom = lower.hardHeaderLen + lower.neededHeadroom
    }
  }
  dev.neededHeadroom = IPV6_HLEN + tunnel.hlen + limit + headroom
  if (mtu !== undefined) return
  const own = base - IPV6_HLEN - tunnel.hlen - limit - (ether ? dev.hardHeaderLen : 0)
  dev.mtu = Math.max(own, IPV6_MIN_MTU)
}

/** @returns a tunnel with the same ends and key */
export function ip6TnlFind(tunnel: Ip6Tnl, parms: Ip6TnlParms): Ip6Tnl | undefined {
  return tunnel.net
    .at(tunnel.table)
    .tunnels.find(
      ({ parms: p, dev }) =>
        equal(p.laddr, parms.laddr) &&
        equal(p.raddr, parms.raddr) &&
        p.ikey === parms.ikey &&
        p.link === parms.link &&
        dev.type === tunnel.dev.type,
    )
}

/** Registers a new tunnel. */
export function ip6TnlNewlink(tunnel: Ip6Tnl, mtu: number | undefined, hasAddress: boolean): number {
  const { dev, net, table } = tunnel
  const { tunnels } = net.at(table)
  if (tunnel.collectMd ? tunnels.some(each => each.collectMd) : ip6TnlFind(tunnel, tunnel.parms) !== undefined)
    return -Errno.EEXIST
  if (dev.type === ARPHRD_ETHER && !hasAddress) ethHwAddrRandom(dev)
  const rc = registerNetdevice(dev)
  if (rc < 0) return rc
  tunnels.push(tunnel)
  ip6TnlLinkConfig(tunnel, mtu)
  if (mtu === undefined) dev.net.kernel.netdevChain.call('CHANGEMTU', dev, { mtu: ETH_DATA_LEN })
  return 0
}

/** Changes a tunnel. */
export function ip6TnlChange(tunnel: Ip6Tnl, parms: Ip6TnlParms, mtu: number | undefined): number {
  const { dev, net, table } = tunnel
  if (tunnel === net.at(table).fallback || tunnel.collectMd) return -Errno.EINVAL
  const other = ip6TnlFind(tunnel, parms)
  if (other !== undefined && other !== tunnel) return -Errno.EEXIST
  tunnel.parms = parms
  ip6TnlLinkConfig(tunnel, mtu)
  dev.net.kernel.netdevChain.call('CHANGE', dev, { flagsChanged: 0 })
  return 0
}

/** Forgets a tunnel whose device goes. */
export function ip6TnlUninit(dev: NetDevice): void {
  const tunnel = ip6TnlPriv(dev)
  const state = tunnel.net.at(tunnel.table)
  const place = state.tunnels.indexOf(tunnel)
  if (place >= 0) state.tunnels.splice(place, 1)
  if (state.fallback === tunnel) state.fallback = undefined
}

/** `dellink`: the fallback device stays. */
export function ip6TnlDellink(dev: NetDevice, kill: NetDevice[]): void {
  const tunnel = ip6TnlPriv(dev)
  if (tunnel !== tunnel.net.at(tunnel.table).fallback || tunnel.net.dying) kill.push(dev)
}

const flow = new Flowi6()

function fail(skb: SkBuff, dev: NetDevice): void {
  dev.stats.txErrors++
  dev.stats.txDropped++
  skb.free('ip6_tnl_xmit')
}

/**
 * Sends a packet through a tunnel (ip6_tnl_xmit). `data` is at what follows the outer headers, `innerNetworkHeader` at
 * the packet inside. @param proto number of what follows
 */
export function ip6TnlXmit(skb: SkBuff, tunnel: Ip6Tnl, proto: number): void {
  const { dev, parms, net } = tunnel
  skb.networkHeader = skb.innerNetworkHeader
  if (isAny(parms.raddr)) {
    fail(skb, dev)
    return
  }
  const inner = innerDsfield(skb)
  let { flowinfo } = parms
  if ((parms.flags & IP6_TNL_F_USE_ORIG_TCLASS) !== 0) flowinfo = (flowinfo & ~TCLASS_MASK) | (inner << 20)
  if ((parms.flags & IP6_TNL_F_USE_ORIG_FLOWLABEL) !== 0 && skb.protocol === ETH_P_IPV6) {
    const at = skb.networkHeader
    flowinfo |= ((skb.buf[at + 1]! & 0x0f) << 16) | (skb.buf[at + 2]! << 8) | skb.buf[at + 3]!
  }
  const fl6 = flow.clear()
  fl6.oif = parms.link
  fl6.proto = proto
  fl6.mark = parms.fwmark !== 0 ? parms.fwmark : skb.mark
  fl6.flowlabel = flowinfo
  fl6.daddr.set(parms.raddr)
  fl6.saddr.set(parms.laddr)
  const rt = ip6RouteOutput(net, 0, fl6)
  if (rt.error !== 0) {
    dev.stats.txCarrierErrors++
    fail(skb, dev)
    return
  }
  if (rt.dev === dev) {
    dev.stats.collisions++
    fail(skb, dev)
    return
  }
  if (isAny(fl6.saddr) && ipv6DevGetSaddr(net, rt.dev, parms.raddr, 0, fl6.saddr) < 0) {
    fail(skb, dev)
    return
  }
  const limited = (parms.flags & IP6_TNL_F_IGN_ENCAP_LIMIT) === 0
  const extra = limited ? ENCAP_LIMIT_HLEN : 0
  const link = dev.type === ARPHRD_ETHER ? dev.hardHeaderLen : 0
  const mtu = Math.max(
    ip6DstMtu(rt) - IPV6_HLEN - tunnel.hlen - extra - link,
    skb.protocol === ETH_P_IPV6 ? IPV6_MIN_MTU : 576,
  )
  if (skb.tail - skb.innerNetworkHeader > mtu && skb.gsoSize === 0) innerUpdatePmtu(skb, mtu)
  const length = skb.tail - skb.innerNetworkHeader
  skbScrubPacket(skb, net !== dev.net)
  skb.resetCb()
  skb.hash = 0
  skb.dst = rt
  skb.cow(rt.dev.llReserved + IPV6_HLEN + extra)
  let next = proto
  if (limited) {
    const at = skb.push(ENCAP_LIMIT_HLEN)
    // the limit, and padding to eight bytes
    skb.buf.set([proto, 0, 4, 1, parms.encapLimit, 1, 1, 0], at)
    next = IPPROTO_DSTOPTS
  }
  skb.transportHeader = skb.data
  const at = skb.push(IPV6_HLEN)
  skb.networkHeader = at
  const tclass = ((flowinfo >>> 20) & 0xfc) | ((inner & 3) === 3 ? 2 : inner & 3)
  putHeader(
    skb.buf,
    at,
    ((tclass << 20) | (flowinfo & FLOWLABEL_MASK)) >>> 0,
    skb.len - IPV6_HLEN,
    next,
    parms.hopLimit !== 0 ? parms.hopLimit : DEFAULT_HOPLIMIT,
    fl6.saddr,
    fl6.daddr,
  )
  tunnelXmitStats(dev, ip6LocalOut(net, skb) < 0 ? 0 : length)
}

/** The tunnel a received packet belongs to: the most exact that is up (ip6_tnl_lookup). @param key undefined: any */
export function ip6TnlLookup(skb: SkBuff, table: PernetKey<Ip6TnlNet>, key: number | undefined): Ip6Tnl | undefined {
  const { buf, networkHeader: iph, dev } = skb
  const state = dev!.net.at(table) as Ip6TnlNet | undefined
  if (state === undefined) return undefined
  const remote = buf.subarray(iph + OFF_SADDR, iph + OFF_SADDR + 16)
  const local = buf.subarray(iph + OFF_DADDR, iph + OFF_DADDR + 16)
  let best: Ip6Tnl | undefined
  let bestScore = -1
  for (const tunnel of state.tunnels) {
    const { parms, dev: device } = tunnel
    if ((device.flags & IFF_UP) === 0 || tunnel === state.fallback || tunnel.collectMd) continue
    const fromRemote = equal(parms.raddr, remote)
    const toLocal = equal(parms.laddr, local)
    let score = -1
    if (fromRemote && toLocal) score = 6
    else if (toLocal && isAny(parms.raddr)) score = 4
    else if (fromRemote && isAny(parms.laddr)) score = 2
    if (score < 0 || (key !== undefined && parms.ikey !== key)) continue
    if (parms.link === dev!.ifindex) score++
    else if (parms.link !== 0) continue
    if (score > bestScore) {
      best = tunnel
      bestScore = score
    }
  }
  if (best !== undefined) return best
  const { fallback } = state
  return fallback !== undefined && (fallback.dev.flags & IFF_UP) !== 0 ? fallback : undefined
}

/** Takes a packet out of a tunnel; `data` is at the packet inside (ip6_tnl_rcv). */
export function ip6TnlRcv(skb: SkBuff, tunnel: Ip6Tnl, protocol: number, ether: boolean): void {
  const { dev } = tunnel
  const outer = tclassAt(skb.buf, skb.networkHeader)
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
  if (!ecnDecapsulate(skb, outer)) {
    dev.stats.rxFrameErrors++
    dev.stats.rxErrors++
    skb.free('ip6_tnl_rcv')
    return
  }
  dev.stats.rxPackets++
  dev.stats.rxBytes += skb.len
  dev.net.kernel.netcore.netifRx(skb)
}

const FEATURES = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_HW_CSUM | NETIF_F_GSO_SOFTWARE

/** What devices of tunnels over IPv6 start with; a random permanent address gives them their link-local one. */
export function ip6TnlCommon(dev: NetDevice, type: number, table: PernetKey<Ip6TnlNet>): void {
  dev.features |= FEATURES | NETIF_F_LLTX
  dev.features2 |= NETIF_F2_GSO_SOFTWARE
  dev.hwFeatures |= FEATURES
  dev.hwFeatures2 |= NETIF_F2_GSO_SOFTWARE
  dev.privFlags &= ~(IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM)
  dev.privFlags |= IFF_NO_QUEUE
  dev.priv = new Ip6Tnl(dev, table)
  if (type === ARPHRD_ETHER) return
  dev.type = type
  dev.flags |= IFF_NOARP
  dev.addrLen = 16
  dev.devAddr = new Uint8Array(16)
  dev.broadcast = new Uint8Array(16)
  dev.addrAssignType = 1
  dev.permAddr = new Uint8Array(16)
  dev.permAddr.set(dev.net.kernel.random.etherAddress())
}

/** Gives a namespace its tunnels of a kind, and the fallback device. */
export function ip6TnlInitNet(
  net: Net,
  table: PernetKey<Ip6TnlNet>,
  ops: RtnlLinkOps,
  name: string,
  prepare: (tunnel: Ip6Tnl) => void,
): void {
  const state = new Ip6TnlNet()
  net.set(table, state)
  const dev = allocNetdev(net, name, each => ops.setup(each))
  dev.linkOps = ops
  dev.linkInitialized = true
  const tunnel = ip6TnlPriv(dev)
  prepare(tunnel)
  dev.features |= NETIF_F_NETNS_LOCAL
  ip6TnlLinkConfig(tunnel)
  const rc = registerNetdevice(dev)
  if (rc < 0) throw new Error(`${name} could not be registered: ${rc}`)
  state.tunnels.push(tunnel)
  state.fallback = tunnel
}

/** Takes down tunnels that live elsewhere but travel in a namespace that ends. */
export function ip6TnlExitNet(net: Net, table: PernetKey<Ip6TnlNet>): void {
  unregisterNetdeviceMany(
    net
      .at(table)
      .tunnels.filter(({ dev }) => dev.net !== net)
      .map(({ dev }) => dev),
  )
}

export const ip6tnlKey = pernetKey<Ip6TnlNet>('ip6tnl')

const ops: NetDeviceOps = {
  uninit: ip6TnlUninit,
  getIflink: dev => ip6TnlPriv(dev).parms.link,
  changeMtu(dev, mtu) {
    const { parms } = ip6TnlPriv(dev)
    const least = parms.proto === IPPROTO_IPV6 ? IPV6_MIN_MTU : 68
    if (mtu < least || mtu > 0xfff8 - dev.hardHeaderLen) return -Errno.EINVAL
    dev.mtu = mtu
    return 0
  },
  startXmit(skb, dev) {
    const tunnel = dev.priv as Ip6Tnl
    const proto = skb.protocol === ETH_P_IP ? IPPROTO_IPIP : skb.protocol === ETH_P_IPV6 ? IPPROTO_IPV6 : 0
    const { parms } = tunnel
    if (proto === 0 || tunnel.collectMd || (parms.proto !== 0 && parms.proto !== proto)) {
      fail(skb, dev)
      return NETDEV_TX_OK
    }
    skb.innerNetworkHeader = skb.networkHeader
    ip6TnlXmit(skb, tunnel, proto)
    return NETDEV_TX_OK
  },
}

function setup(dev: NetDevice): void {
  dev.ops = ops
  ip6TnlCommon(dev, ARPHRD_TUNNEL6, ip6tnlKey)
  dev.mtu = ETH_DATA_LEN - IPV6_HLEN - ENCAP_LIMIT_HLEN
  dev.minMtu = 68
  dev.maxMtu = 0xffff
}

function readParms(data: IptunData | undefined, tunnel: Ip6Tnl, old: Ip6TnlParms | undefined): Ip6TnlParms {
  const parms = old === undefined ? emptyParms6() : { ...old }
  if (data === undefined) return parms
  if (data.link !== undefined) parms.link = data.link
  if (data.local !== undefined) parms.laddr = data.local.slice()
  if (data.remote !== undefined) parms.raddr = data.remote.slice()
  if (data.ttl !== undefined) parms.hopLimit = data.ttl
  if (data.encapLimit !== undefined) parms.encapLimit = data.encapLimit
  if (data.flowinfo !== undefined) parms.flowinfo = data.flowinfo
  if (data.flags !== undefined) parms.flags = data.flags
  if (data.proto !== undefined) parms.proto = data.proto
  if (data.fwmark !== undefined) parms.fwmark = data.fwmark
  if (data.collectMetadata === true) tunnel.collectMd = true
  return parms
}

/** The link type. */
export const ip6tnlLinkOps: RtnlLinkOps = {
  kind: 'ip6tnl',
  hasData: true,
  setup,
  validate(msg) {
    const proto = linkData(msg.attrs.linkinfo, 'ip6tnl')?.proto
    return proto === undefined || proto === 0 || proto === IPPROTO_IPIP || proto === IPPROTO_IPV6 ? 0 : -Errno.EINVAL
  },
  newlink(srcNet, dev, msg) {
    const tunnel = ip6TnlPriv(dev)
    tunnel.net = srcNet
    tunnel.parms = readParms(linkData(msg.attrs.linkinfo, 'ip6tnl'), tunnel, undefined)
    return ip6TnlNewlink(tunnel, msg.attrs.mtu, false)
  },
  changelink(dev, msg) {
    const tunnel = ip6TnlPriv(dev)
    return ip6TnlChange(tunnel, readParms(linkData(msg.attrs.linkinfo, 'ip6tnl'), tunnel, tunnel.parms), msg.attrs.mtu)
  },
  dellink: ip6TnlDellink,
  fillInfo(dev): IptunData {
    const { parms, encap, collectMd } = ip6TnlPriv(dev)
    const data: IptunData = {
      link: parms.link,
      local: parms.laddr.slice(),
      remote: parms.raddr.slice(),
      ttl: parms.hopLimit,
      encapLimit: parms.encapLimit,
      flowinfo: parms.flowinfo,
      flags: parms.flags,
      proto: parms.proto,
      fwmark: parms.fwmark,
      encapType: encap.type,
      encapSport: encap.sport,
      encapDport: encap.dport,
      encapFlags: encap.flags,
    }
    if (collectMd) data.collectMetadata = true
    return data
  },
  getLinkNet: dev => ip6TnlPriv(dev).net,
}

/** Receives packets in packets over IPv6. */
function tunnelProtocol(protocol: number, proto: number, under: Inet6Protocol | undefined): Inet6Protocol {
  return {
    final: true,
    handler(skb) {
      const tunnel = ip6TnlLookup(skb, ip6tnlKey, undefined)
      if (tunnel === undefined || tunnel.collectMd || (tunnel.parms.proto !== 0 && tunnel.parms.proto !== proto)) {
        if (under !== undefined) return under.handler(skb)
        skb.free('ip6_tnl_rcv')
        return -1
      }
      ip6TnlRcv(skb, tunnel, protocol, false)
      return 0
    },
  }
}

export { DEFAULT_ENCAP_LIMIT, DEFAULT_HOPLIMIT }

/** The module. */
export const ip6TunnelModule: KernelModule = {
  name: 'ip6_tunnel',
  aliases: ['rtnl-link-ip6tnl', 'netdev-ip6tnl0'],
  depends: ['tunnel6'],
  init(kernel) {
    registerPernetLate(kernel, {
      init: net =>
        ip6TnlInitNet(net, ip6tnlKey, ip6tnlLinkOps, 'ip6tnl0', tunnel => (tunnel.parms.proto = IPPROTO_IPV6)),
      preExit: net => ip6TnlExitNet(net, ip6tnlKey),
    })
    inet6AddProtocol(IPPROTO_IPIP, tunnelProtocol(ETH_P_IP, IPPROTO_IPIP, inet6Protocol(IPPROTO_IPIP)))
    inet6AddProtocol(IPPROTO_IPV6, tunnelProtocol(ETH_P_IPV6, IPPROTO_IPV6, inet6Protocol(IPPROTO_IPV6)))
    registerLinkOps(kernel, ip6tnlLinkOps)
  },
}
