/** `vrf`: a device whose ports have a routing table of their own, see the kernel's networking/vrf document. */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IP, ETH_P_IPV6, IF_OPER_UP, IFF_MASTER, IFF_NOARP, IFF_UP } from '../../uapi/if.ts'
import { linkData } from '../../uapi/if_link.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from '../../uapi/netlink.ts'
import { RTM_NEWRULE, RTPROT_KERNEL, type RuleMessage } from '../../uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../uapi/socket.ts'
import { registerNetdevice } from '../core/dev_core.ts'
import { devChangeFlags } from '../core/dev_flags.ts'
import { netdevUpperDevLink, netdevUpperDevUnlink } from '../core/dev_upper.ts'
import { ETH_HLEN, etherSetup, ethHwAddrRandom, ethMacAddr, ethTypeTrans, ethValidateAddr } from '../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HIGHDMA,
  NETIF_F_HW_CSUM,
  NETIF_F_LLTX,
  NETIF_F_NETNS_LOCAL,
  NETIF_F_SG,
  NETIF_F_VLAN_CHALLENGED,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_RXCSUM,
  NETIF_F2_SCTP_CRC,
} from '../core/features.ts'
import { isL3Master, isL3Slave, l3mdevRegister } from '../core/l3mdev.ts'
import type { KernelModule } from '../core/module.ts'
import {
  IFF_L3MDEV_MASTER,
  IFF_L3MDEV_SLAVE,
  IFF_LIVE_ADDR_CHANGE,
  IFF_NO_QUEUE,
  IFF_NO_RX_HANDLER,
  NET_RX_SUCCESS,
  NET_XMIT_CN,
  NET_XMIT_DROP,
  NET_XMIT_SUCCESS,
  NETDEV_TX_OK,
  type NetDevice,
  type NetDeviceOps,
  type RtnlLinkOps,
} from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { NetlinkExtAck, type RtnlContext } from '../core/rtnetlink.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import { PACKET_LOOPBACK, type SkBuff } from '../core/skbuff.ts'
import { FLOWI_FLAG_ANYSRC, Flowi4 } from '../ipv4/flow.ts'
import { OFF_DADDR, OFF_PROTOCOL, OFF_SADDR, OFF_TOS } from '../ipv4/ip.ts'
import { ipLocalOut } from '../ipv4/ip_output.ts'
import { ipRouteOutputKey } from '../ipv4/route_output.ts'
import { Flowi6 } from '../ipv6/flowi6.ts'
import { flowinfoAt, OFF_DADDR as OFF_DADDR6, OFF_NEXTHDR, OFF_SADDR as OFF_SADDR6 } from '../ipv6/ip6.ts'
import { ip6LocalOut } from '../ipv6/ip6_output.ts'
import { ip6RouteOutput } from '../ipv6/route.ts'
import { validateEtherAddress } from './validate.ts'

/** Smallest mtu of IPv6, and the largest a packet of it can need: an mtu too small would switch the protocols off. */
const MIN_MTU = 1280
const MAX_MTU = 65535 + 40
const RULE_PREF = 1000
const FR_ACT_TO_TBL = 1

const FEATURES = NETIF_F_HW_CSUM | NETIF_F_GSO_SOFTWARE | NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA
const FEATURES2 = NETIF_F2_RXCSUM | NETIF_F2_GSO_SOFTWARE | NETIF_F2_SCTP_CRC

/** A VRF's state. */
class Vrf {
  table = 0
}

function priv(dev: NetDevice): Vrf {
  return dev.priv as Vrf
}

/** Namespaces that have the rule which sends flows of VRFs to their tables. */
const withRule = new WeakSet<Net>()

/** Adds the rule of a family (vrf_fib_rule). */
function addRule(ctx: RtnlContext, family: number): number {
  const rule: RuleMessage = {
    type: RTM_NEWRULE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    family,
    dstLen: 0,
    srcLen: 0,
    tos: 0,
    table: 0,
    action: FR_ACT_TO_TBL,
    ruleFlags: 0,
    attrs: { l3mdev: 1, priority: RULE_PREF, protocol: RTPROT_KERNEL },
  }
  const handler = ctx.net.kernel.rtnl.lookup(AF_UNSPEC, RTM_NEWRULE)?.doit
  if (handler === undefined) return 0
  const rc = handler({ ...ctx, extack: new NetlinkExtAck() }, rule)
  return typeof rc === 'number' && rc !== -Errno.EEXIST && rc !== -Errno.EAFNOSUPPORT ? rc : 0
}

/** Takes the device down and up again, for its routes and addresses to move (cycle_netdev). */
function cycle(dev: NetDevice): number {
  if (!dev.running) return 0
  const { flags } = dev
  const rc = devChangeFlags(dev, flags & ~IFF_UP)
  return rc < 0 ? rc : devChangeFlags(dev, flags)
}

function delSlave(dev: NetDevice, slave: NetDevice): number {
  netdevUpperDevUnlink(slave, dev)
  slave.privFlags &= ~IFF_L3MDEV_SLAVE
  cycle(slave)
  return 0
}

/** Local traffic of the VRF turns around (vrf_local_xmit). */
function localXmit(skb: SkBuff, dev: NetDevice): number {
  const { len } = skb
  skb.orphan()
  skb.pktType = PACKET_LOOPBACK
  const marked = skb.pktType
  skb.protocol = ethTypeTrans(skb, dev)
  skb.pktType = marked
  if (dev.net.kernel.netcore.netifRx(skb) === NET_RX_SUCCESS) {
    dev.stats.rxPackets++
    dev.stats.rxBytes += len
  } else dev.stats.rxDropped++
  return NETDEV_TX_OK
}

function dropped(skb: SkBuff, dev: NetDevice): number {
  dev.stats.txErrors++
  skb.free('vrf_xmit')
  return NET_XMIT_DROP
}

const fl4 = new Flowi4()
const fl6 = new Flowi6()

function word(buf: Uint8Array, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0
}

/** An IPv4 packet sent to the device itself goes by the VRF's routes (vrf_process_v4_outbound). */
function outbound4(skb: SkBuff, dev: NetDevice): number {
  const at = skb.data + ETH_HLEN
  if (skb.len < ETH_HLEN + 20) return dropped(skb, dev)
  const { buf } = skb
  fl4.clear()
  fl4.oif = dev.ifindex
  fl4.tos = buf[at + OFF_TOS]! & 0x1e
  fl4.flags = FLOWI_FLAG_ANYSRC
  fl4.proto = buf[at + OFF_PROTOCOL]!
  fl4.mark = skb.mark
  fl4.daddr = word(buf, at + OFF_DADDR)
  fl4.saddr = word(buf, at + OFF_SADDR)
  const rt = ipRouteOutputKey(dev.net, fl4)
  if (typeof rt === 'number') return dropped(skb, dev)
  skb.dst = rt
  if (rt.dev === dev) return localXmit(skb, dev)
  skb.pull(ETH_HLEN)
  skb.resetNetworkHeader()
  return ipLocalOut(skb) === 0 ? NET_XMIT_SUCCESS : NET_XMIT_DROP
}

/** The same for IPv6 (vrf_process_v6_outbound). */
function outbound6(skb: SkBuff, dev: NetDevice): number {
  const at = skb.data + ETH_HLEN
  if (skb.len < ETH_HLEN + 40) return dropped(skb, dev)
  const { buf } = skb
  fl6.clear()
  fl6.oif = dev.ifindex
  fl6.flags = FLOWI_FLAG_ANYSRC
  fl6.proto = buf[at + OFF_NEXTHDR]!
  fl6.mark = skb.mark
  fl6.flowlabel = flowinfoAt(buf, at)
  for (let i = 0; i < 16; i++) {
    fl6.daddr[i] = buf[at + OFF_DADDR6 + i]!
    fl6.saddr[i] = buf[at + OFF_SADDR6 + i]!
  }
  const rt = ip6RouteOutput(dev.net, 0, fl6)
  if (rt.error !== 0) return dropped(skb, dev)
  skb.dst = rt
  if (rt.dev === dev) return localXmit(skb, dev)
  skb.pull(ETH_HLEN)
  skb.resetNetworkHeader()
  return ip6LocalOut(dev.net, skb) === 0 ? NET_XMIT_SUCCESS : NET_XMIT_DROP
}

const ops: NetDeviceOps = {
  init(dev) {
    dev.flags = IFF_MASTER | IFF_NOARP
    dev.operstate = IF_OPER_UP
    return 0
  },
  startXmit(skb, dev) {
    const { len, protocol } = skb
    let rc: number
    if (protocol === ETH_P_IP) rc = outbound4(skb, dev)
    else if (protocol === ETH_P_IPV6) rc = outbound6(skb, dev)
    else rc = dropped(skb, dev)
    if (rc === NET_XMIT_SUCCESS || rc === NET_XMIT_CN) {
      dev.stats.txPackets++
      dev.stats.txBytes += len
    } else dev.stats.txDropped++
    return NETDEV_TX_OK
  },
  setMacAddress: ethMacAddr,
  validateAddr: ethValidateAddr,
  addSlave(dev, slave, extack) {
    if (isL3Master(slave)) return extack.fail(-Errno.EINVAL, 'Can not enslave an L3 master device to a VRF')
    if (isL3Slave(slave)) return -Errno.EINVAL
    if (slave === dev.net.loopback) return extack.fail(-Errno.EOPNOTSUPP, 'Can not enslave loopback device to a VRF')
    slave.privFlags |= IFF_L3MDEV_SLAVE
    const rc = netdevUpperDevLink(slave, dev, true, extack)
    if (rc < 0) {
      slave.privFlags &= ~IFF_L3MDEV_SLAVE
      return rc
    }
    cycle(slave)
    return 0
  },
  delSlave,
}

function setup(dev: NetDevice): void {
  etherSetup(dev)
  dev.ops = ops
  dev.priv = new Vrf()
  ethHwAddrRandom(dev)
  dev.features |= NETIF_F_LLTX | NETIF_F_NETNS_LOCAL | NETIF_F_VLAN_CHALLENGED | FEATURES
  dev.features2 |= FEATURES2
  dev.hwFeatures = dev.features
  dev.hwFeatures2 = dev.features2
  dev.hwEncFeatures = dev.features
  dev.privFlags |= IFF_NO_QUEUE | IFF_NO_RX_HANDLER | IFF_LIVE_ADDR_CHANGE
  dev.minMtu = MIN_MTU
  dev.maxMtu = MAX_MTU
  dev.mtu = MAX_MTU
}

const linkOps: RtnlLinkOps = {
  kind: 'vrf',
  hasData: true,
  setup,
  validate: validateEtherAddress,
  newlink(_srcNet, dev, msg, extack, ctx) {
    const table = linkData(msg.attrs.linkinfo, 'vrf')?.table
    if (table === undefined) return extack.fail(-Errno.EINVAL, 'VRF table id is missing')
    if (table === 0) return extack.fail(-Errno.EINVAL, 'Invalid VRF table id')
    priv(dev).table = table
    dev.privFlags |= IFF_L3MDEV_MASTER
    const rc = registerNetdevice(dev)
    if (rc < 0 || withRule.has(dev.net)) return rc
    withRule.add(dev.net)
    for (const family of [AF_INET, AF_INET6]) addRule({ ...ctx, net: dev.net }, family)
    return 0
  },
  dellink(dev, kill) {
    for (const slave of [...dev.lower]) delSlave(dev, slave)
    kill.push(dev)
  },
  fillInfo: dev => ({ table: priv(dev).table }),
  fillSlaveInfo: master => ({ table: priv(master).table }),
}

/** The module. */
export const vrfModule: KernelModule = {
  name: 'vrf',
  aliases: ['rtnl-link-vrf'],
  init(kernel) {
    l3mdevRegister('vrf', { fibTable: dev => priv(dev).table })
    registerLinkOps(kernel, linkOps)
  },
}
