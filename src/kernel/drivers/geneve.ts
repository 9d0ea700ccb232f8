/** `geneve` (RFC 8926): Ethernet segments over UDP, each device with one far end. */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IP, ETH_P_IPV6 } from '../../uapi/if.ts'
import { type GeneveData, linkData } from '../../uapi/if_link.ts'
import { registerNetdevice, unregisterNetdeviceMany } from '../core/dev_core.ts'
import { skbScrubPacket } from '../core/dev_forward.ts'
import {
  ETH_ALEN,
  ETH_HLEN,
  ETH_MIN_MTU,
  etherAddrEqual,
  etherSetup,
  ethHwAddrRandom,
  ethMacAddr,
  ethTypeTrans,
  ethValidateAddr,
  isValidEtherAddr,
} from '../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HW_CSUM,
  NETIF_F_LLTX,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_RXCSUM,
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
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { RTAX_HOPLIMIT } from '../ipv4/fib_metrics.ts'
import { Flowi4 } from '../ipv4/flow.ts'
import { addrFromBytes } from '../ipv4/inet_addr.ts'
import { get16, get32, IP_DF, IP_HLEN, OFF_FRAG_OFF, OFF_SADDR, OFF_TOS, put16, put32 } from '../ipv4/ip.ts'
import {
  ecnDecapsulate,
  ecnEncap,
  innerDsfield,
  innerTtl,
  resetInnerHeaders,
  tunnelCheckPmtu,
  tunnelXmitStats,
} from '../ipv4/ip_tunnel_core.ts'
import { ipRouteOutputKey } from '../ipv4/route_output.ts'
import type { UdpSock } from '../ipv4/udp.ts'
import { udpFlowSrcPort, udpTunnelSock, udpTunnelXmit } from '../ipv4/udp_tunnel.ts'

const GENEVE_PORT = 6081
const GENEVE_N_VID = 1 << 24
/** Bytes of the UDP and of the Geneve header without options. */
const UDP_HLEN = 8
const GENEVE_HLEN = 8
/** Bytes in front of an inner packet over IPv4 and IPv6, its link header among them. */
const HEADROOM = IP_HLEN + UDP_HLEN + GENEVE_HLEN + ETH_HLEN
const HEADROOM6 = 40 + UDP_HLEN + GENEVE_HLEN + ETH_HLEN
const ETH_P_TEB = 0x6558
const IP_MAX_MTU = 0xffff

/** A port's socket and the devices behind it. */
interface GeneveSock {
  readonly sk: UdpSock
  readonly port: number
  readonly devices: Set<Geneve>
}

class GeneveNet {
  readonly devices = new Set<Geneve>()
  readonly socks: GeneveSock[] = []
}

const geneveKey = pernetKey<GeneveNet>('geneve')

/** A device's settings. */
class Geneve {
  readonly dev: NetDevice
  net: Net
  vni = 0
  remote: Uint8Array = new Uint8Array(0)
  ttl = 0
  tos = 0
  port = GENEVE_PORT
  label = 0
  df = 0
  ttlInherit = false
  metadata = false
  csum = false
  zeroCsum6Tx = false
  zeroCsum6Rx = true
  innerProtoInherit = false
  sock: GeneveSock | undefined

  constructor(dev: NetDevice) {
    this.dev = dev
    this.net = dev.net
  }
}

function priv(dev: NetDevice): Geneve {
  return dev.priv as Geneve
}

const flow = new Flowi4()

function drop(skb: SkBuff): number {
  skb.free('geneve_udp_encap_recv')
  return 0
}

/** Takes a datagram of a Geneve port; `data` is at the UDP header. */
function receive(devices: ReadonlySet<Geneve>, skb: SkBuff): number {
  const { buf, data, networkHeader: iph } = skb
  const at = data + UDP_HLEN
  if (skb.len < UDP_HLEN + GENEVE_HLEN || buf[at]! >> 6 !== 0) return drop(skb)
  const options = (buf[at]! & 0x3f) * 4
  const hlen = UDP_HLEN + GENEVE_HLEN + options
  if (get16(buf, at + 2) !== ETH_P_TEB || skb.len < hlen + ETH_HLEN) return drop(skb)
  const vni = get32(buf, at + 4) >>> 8
  const from = get32(buf, iph + OFF_SADDR)
  let found: Geneve | undefined
  for (const each of devices)
    if (each.metadata || (each.vni === vni && each.remote.length === 4 && addrFromBytes(each.remote) === from))
      found = each
  if (found === undefined) return drop(skb)
  const { dev } = found
  // an option that must be understood is not
  if (!found.metadata && (buf[at + 1]! & 0x40) !== 0) {
    dev.stats.rxFrameErrors++
    dev.stats.rxErrors++
    return drop(skb)
  }
  const outerTos = buf[iph + OFF_TOS]!
  skb.pull(hlen)
  skbScrubPacket(skb, found.net !== dev.net)
  if (etherAddrEqual(buf.subarray(skb.data + 6, skb.data + 12), dev.devAddr)) {
    dev.stats.rxErrors++
    return drop(skb)
  }
  skb.protocol = ethTypeTrans(skb, dev)
  skb.resetNetworkHeader()
  skb.transportHeader = -1
  if (!ecnDecapsulate(skb, outerTos)) {
    dev.stats.rxFrameErrors++
    dev.stats.rxErrors++
    return drop(skb)
  }
  dev.stats.rxPackets++
  dev.stats.rxBytes += skb.len
  dev.net.kernel.netcore.netifRx(skb)
  return 0
}

function sockAdd(geneve: Geneve): number {
  const { net, port } = geneve
  // a far end in IPv6 needs a socket of that family
  if (geneve.remote.length === 16) return 0
  const { socks } = net.at(geneveKey)
  let sock = socks.find(each => each.port === port)
  if (sock === undefined) {
    const devices = new Set<Geneve>()
    const sk = udpTunnelSock(net, port, (_sk, skb) => receive(devices, skb))
    if (typeof sk === 'number') return sk
    sock = { sk, port, devices }
    socks.push(sock)
  }
  sock.devices.add(geneve)
  geneve.sock = sock
  return 0
}

function sockRelease(geneve: Geneve): void {
  const { sock } = geneve
  if (sock === undefined) return
  geneve.sock = undefined
  sock.devices.delete(geneve)
  if (sock.devices.size > 0) return
  const { socks } = geneve.net.at(geneveKey)
  socks.splice(socks.indexOf(sock), 1)
  sock.sk.release()
}

function fail(skb: SkBuff, dev: NetDevice): number {
  dev.stats.txErrors++
  skb.free('geneve_xmit')
  return NETDEV_TX_OK
}

function startXmit(skb: SkBuff, dev: NetDevice): number {
  const geneve = dev.priv as Geneve
  const { net, remote, port } = geneve
  if (geneve.metadata || remote.length !== 4 || geneve.sock === undefined) return fail(skb, dev)
  const type = get16(skb.buf, skb.data + 12)
  skb.protocol = type
  if (type === ETH_P_IP || type === ETH_P_IPV6) skb.networkHeader = skb.data + ETH_HLEN
  const sport = udpFlowSrcPort(dev.net, skb, 1, 65535)
  const daddr = addrFromBytes(remote)
  const tos = geneve.tos === 1 ? innerDsfield(skb) : geneve.tos
  const fl4 = flow.clear()
  fl4.mark = skb.mark
  fl4.proto = 17
  fl4.daddr = daddr
  fl4.tos = tos & 0x1c
  fl4.sport = sport
  fl4.dport = port
  const rt = ipRouteOutputKey(net, fl4)
  if (typeof rt === 'number' || rt.dev === dev) {
    if (typeof rt !== 'number') dev.stats.collisions++
    else if (rt === -Errno.ENETUNREACH) dev.stats.txCarrierErrors++
    return fail(skb, dev)
  }
  const { saddr } = fl4
  tunnelCheckPmtu(skb, rt, HEADROOM)
  let ttl = geneve.ttlInherit ? innerTtl(skb) : geneve.ttl
  if (ttl === 0) ttl = daddr >>> 28 === 14 ? 1 : rt.metric(RTAX_HOPLIMIT)
  const inner = type === ETH_P_IP ? get16(skb.buf, skb.networkHeader + OFF_FRAG_OFF) & IP_DF : 0
  const df = geneve.df === 1 ? IP_DF : geneve.df === 2 ? inner : 0
  const outerTos = ecnEncap(tos, skb)
  resetInnerHeaders(skb)
  skb.cow(rt.dev.llReserved + HEADROOM)
  const at = skb.push(GENEVE_HLEN)
  const { buf } = skb
  buf[at] = buf[at + 1] = 0
  put16(buf, at + 2, ETH_P_TEB)
  put32(buf, at + 4, geneve.vni * 256)
  const cross = net !== dev.net
  tunnelXmitStats(dev, udpTunnelXmit(skb, rt, saddr, daddr, outerTos, ttl, df, sport, port, cross, geneve.csum))
  return NETDEV_TX_OK
}

const ops: NetDeviceOps = {
  open: dev => sockAdd(priv(dev)),
  stop(dev) {
    sockRelease(priv(dev))
    return 0
  },
  init(dev) {
    const geneve = priv(dev)
    geneve.net.at(geneveKey).devices.add(geneve)
    return 0
  },
  uninit(dev) {
    const geneve = priv(dev)
    geneve.net.at(geneveKey).devices.delete(geneve)
  },
  startXmit,
  changeMtu(dev, mtu) {
    dev.mtu = Math.min(mtu, dev.maxMtu)
    return 0
  },
  setMacAddress: ethMacAddr,
  validateAddr: ethValidateAddr,
  setRxMode() {},
}

const FEATURES = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_FRAGLIST | NETIF_F_GSO_SOFTWARE
const FEATURES2 = NETIF_F2_RXCSUM | NETIF_F2_GSO_SOFTWARE

/** What cannot change, and what does not go together. */
const UNSUPPORTED =
  'Changing VNI, Port, endpoint IP address family, external, inner_proto_inherit, and UDP checksum attributes are not supported'

/** Takes a request's settings over. @returns 0 or a negative error */
function read(geneve: Geneve, data: GeneveData, extack: NetlinkExtAck, change: boolean): number {
  const refused =
    change &&
    ((data.id !== undefined && data.id !== geneve.vni) ||
      (data.port !== undefined && data.port !== geneve.port) ||
      data.collectMetadata === true ||
      data.udpCsum !== undefined ||
      data.udpZeroCsum6Tx !== undefined ||
      data.udpZeroCsum6Rx !== undefined ||
      data.innerProtoInherit === true ||
      (data.remote !== undefined && geneve.remote.length === 16) ||
      (data.remote6 !== undefined && geneve.remote.length === 4))
  if (refused) return extack.fail(-Errno.EOPNOTSUPP, UNSUPPORTED)
  if (data.remote !== undefined && data.remote6 !== undefined)
    return extack.fail(-Errno.EINVAL, 'Cannot specify both IPv4 and IPv6 Remote addresses')
  const remote = data.remote ?? data.remote6
  if (remote !== undefined) {
    if (remote.length === 4 ? remote[0]! >> 4 === 14 : remote[0] === 0xff)
      return extack.fail(-Errno.EINVAL, `Remote IPv${remote.length === 4 ? 4 : 6} address cannot be Multicast`)
    geneve.remote = remote.slice()
  }
  if (data.id !== undefined) geneve.vni = data.id
  if (data.ttlInherit !== undefined && data.ttlInherit !== 0) geneve.ttlInherit = true
  else if (data.ttl !== undefined) {
    geneve.ttl = data.ttl
    geneve.ttlInherit = false
  }
  if (data.tos !== undefined) geneve.tos = data.tos
  if (data.df !== undefined) geneve.df = data.df
  if (data.label !== undefined) geneve.label = data.label & 0xfffff
  if (data.port !== undefined) geneve.port = data.port
  if (data.collectMetadata === true) geneve.metadata = true
  if (data.udpCsum !== undefined) geneve.csum = data.udpCsum !== 0
  if (data.udpZeroCsum6Tx !== undefined) geneve.zeroCsum6Tx = data.udpZeroCsum6Tx !== 0
  if (data.udpZeroCsum6Rx !== undefined) geneve.zeroCsum6Rx = data.udpZeroCsum6Rx !== 0
  if (data.innerProtoInherit === true) geneve.innerProtoInherit = true
  return 0
}

/** The mtu that the way to the far end lets be (geneve_link_config). */
function linkConfig(geneve: Geneve, mtu: number | undefined): void {
  const { dev, net, remote } = geneve
  const headroom = remote.length === 4 ? HEADROOM : HEADROOM6
  dev.maxMtu = IP_MAX_MTU - headroom
  if (mtu !== undefined) {
    dev.mtu = Math.min(mtu, dev.maxMtu)
    return
  }
  let lower = 0
  if (remote.length === 4) {
    flow.clear().daddr = addrFromBytes(remote)
    const rt = ipRouteOutputKey(net, flow)
    if (typeof rt !== 'number') lower = rt.dev.mtu
  }
  dev.mtu = lower > headroom ? Math.min(Math.max(lower - headroom, ETH_MIN_MTU), dev.maxMtu) : dev.maxMtu
}

/** The link type. */
export const geneveLinkOps: RtnlLinkOps = {
  kind: 'geneve',
  hasData: true,
  setup(dev) {
    etherSetup(dev)
    dev.ops = ops
    dev.devType = 'geneve'
    dev.features |= NETIF_F_LLTX | FEATURES
    dev.features2 |= FEATURES2
    dev.hwFeatures |= FEATURES
    dev.hwFeatures2 |= FEATURES2
    dev.minMtu = ETH_MIN_MTU
    dev.maxMtu = IP_MAX_MTU - GENEVE_HLEN - UDP_HLEN - dev.hardHeaderLen
    dev.privFlags &= ~(IFF_TX_SKB_SHARING | IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM)
    dev.privFlags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE
    ethHwAddrRandom(dev)
    dev.priv = new Geneve(dev)
  },
  validate(msg, extack) {
    const { address } = msg.attrs
    if (address !== undefined) {
      if (address.length !== ETH_ALEN) return extack.fail(-Errno.EINVAL, 'Provided link layer address is not Ethernet')
      if (!isValidEtherAddr(address))
        return extack.fail(-Errno.EADDRNOTAVAIL, 'Provided Ethernet address is not unicast')
    }
    const data = linkData(msg.attrs.linkinfo, 'geneve')
    if (data === undefined) return extack.fail(-Errno.EINVAL, 'Not enough attributes provided to perform the operation')
    if (data.id !== undefined && data.id >= GENEVE_N_VID)
      return extack.fail(-Errno.ERANGE, 'Geneve ID must be lower than 16777216')
    if (data.df !== undefined && data.df > 2) return extack.fail(-Errno.ERANGE, 'Invalid DF attribute')
    return 0
  },
  newlink(srcNet, dev, msg, extack) {
    const geneve = priv(dev)
    geneve.net = srcNet
    let rc = read(geneve, linkData(msg.attrs.linkinfo, 'geneve') ?? {}, extack, false)
    if (rc < 0) return rc
    let samePort = false
    let metadata = false
    for (const other of srcNet.at(geneveKey).devices) {
      if (other.port !== geneve.port) continue
      samePort = true
      metadata ||= other.metadata
      const same = other.remote.length === geneve.remote.length && other.remote.every((b, i) => b === geneve.remote[i])
      if (other.vni === geneve.vni && same && !other.metadata && !geneve.metadata) return -Errno.EBUSY
    }
    if (geneve.metadata ? samePort : metadata)
      return extack.fail(-Errno.EPERM, 'There can be only one externally controlled device on a destination port')
    rc = registerNetdevice(dev)
    if (rc < 0) return rc
    linkConfig(geneve, msg.attrs.mtu)
    return 0
  },
  changelink(dev, msg, extack) {
    const geneve = priv(dev)
    if (geneve.metadata) return -Errno.EOPNOTSUPP
    const rc = read(geneve, linkData(msg.attrs.linkinfo, 'geneve') ?? {}, extack, true)
    if (rc === 0) linkConfig(geneve, msg.attrs.mtu)
    return rc
  },
  fillInfo(dev): GeneveData {
    const geneve = priv(dev)
    const data: GeneveData = { id: geneve.vni, ttl: geneve.ttl, tos: geneve.tos, df: geneve.df, label: geneve.label }
    if (!geneve.metadata && geneve.remote.length === 4) {
      data.remote = geneve.remote.slice()
      data.udpCsum = geneve.csum ? 1 : 0
    } else if (!geneve.metadata && geneve.remote.length === 16) {
      data.remote6 = geneve.remote.slice()
      data.udpZeroCsum6Tx = geneve.zeroCsum6Tx ? 1 : 0
    }
    data.port = geneve.port
    if (geneve.metadata) data.collectMetadata = true
    data.udpZeroCsum6Rx = geneve.zeroCsum6Rx ? 1 : 0
    data.ttlInherit = geneve.ttlInherit ? 1 : 0
    if (geneve.innerProtoInherit) data.innerProtoInherit = true
    return data
  },
}

/** The module. */
export const geneveModule: KernelModule = {
  name: 'geneve',
  aliases: ['rtnl-link-geneve'],
  depends: ['ip6_udp_tunnel', 'udp_tunnel'],
  init(kernel) {
    registerPernetLate(kernel, {
      init: net => net.set(geneveKey, new GeneveNet()),
      preExit: net =>
        unregisterNetdeviceMany(
          [...net.at(geneveKey).devices].filter(({ dev }) => dev.net !== net).map(({ dev }) => dev),
        ),
    })
    registerLinkOps(kernel, geneveLinkOps)
  },
}
