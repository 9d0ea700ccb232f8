/** The device of a VXLAN: its operations, its forwarding database as netlink sees it, and its ageing. */
import { Errno } from '../../../uapi/errno.ts'
import { NLM_F_APPEND, NLM_F_CREATE } from '../../../uapi/netlink.ts'
import {
  type NeighMessage,
  NTF_EXT_LEARNED,
  NTF_SELF,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  RTM_NEWNEIGH,
} from '../../../uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../../uapi/socket.ts'
import { NSEC_PER_SEC } from '../../core/clock.ts'
import {
  ETH_MAX_MTU,
  ETH_MIN_MTU,
  etherSetup,
  ethHwAddrRandom,
  ethMacAddr,
  ethValidateAddr,
} from '../../core/ethernet.ts'
import {
  NETIF_F_FRAGLIST,
  NETIF_F_GSO_SOFTWARE,
  NETIF_F_HW_CSUM,
  NETIF_F_LLTX,
  NETIF_F_SG,
  NETIF_F2_GSO_SOFTWARE,
  NETIF_F2_RXCSUM,
} from '../../core/features.ts'
import {
  IFF_LIVE_ADDR_CHANGE,
  IFF_NO_QUEUE,
  IFF_TX_SKB_SHARING,
  IFF_XMIT_DST_RELEASE,
  IFF_XMIT_DST_RELEASE_PERM,
  type NetDevice,
  type NetDeviceOps,
} from '../../core/net_device.ts'
import type { NetlinkExtAck } from '../../core/rtnetlink.ts'
import { ipMcDecGroup, ipMcIncGroup } from '../../ipv4/igmp.ts'
import { inDevGet } from '../../ipv4/in_device.ts'
import { addrFromBytes } from '../../ipv4/inet_addr.ts'
import {
  isAnyIp,
  isMulticastIp,
  VXLAN_F_COLLECT_METADATA,
  VXLAN_HEADROOM,
  VXLAN6_HEADROOM,
  Vxlan,
  vxlanNetKey,
  vxlanPriv,
} from './vxlan.ts'
import { VxlanFdb, type VxlanFdbEntry, type VxlanRdst, ZERO_MAC } from './vxlan_fdb.ts'
import { vxlanSockAdd, vxlanSockRelease } from './vxlan_sock.ts'
import { vxlanXmit } from './vxlan_xmit.ts'

/** Time between looks for entries that have aged. */
const FDB_AGE_INTERVAL = 10 * NSEC_PER_SEC
/** State of entries the driver makes for its own default. */
export const DEFAULT_STATE = NUD_REACHABLE | NUD_PERMANENT

function age(vxlan: Vxlan): void {
  const { dev, fdb, cfg } = vxlan
  if (!dev.running) return
  const { clock } = dev.net.kernel
  let next = clock.now + FDB_AGE_INTERVAL
  for (const entry of fdb.list()) {
    if ((entry.state & (NUD_PERMANENT | NUD_NOARP)) !== 0 || (entry.flags & NTF_EXT_LEARNED) !== 0) continue
    const end = entry.used + cfg.ageing * NSEC_PER_SEC
    if (end <= clock.now) fdb.drop(entry)
    else next = Math.min(next, end)
  }
  clock.mod(vxlan.ageTimer, next)
}

/** Joins or leaves the group on the device underneath. */
function group(vxlan: Vxlan, join: boolean): number {
  const { cfg, net } = vxlan
  if (cfg.remote.length !== 4 || !isMulticastIp(cfg.remote)) return 0
  const lower = net.devByIndex(cfg.link)
  const inDev = lower === undefined ? undefined : inDevGet(lower)
  if (inDev === undefined) return join ? -Errno.ENODEV : 0
  if (join) ipMcIncGroup(inDev, addrFromBytes(cfg.remote))
  else ipMcDecGroup(inDev, addrFromBytes(cfg.remote))
  return 0
}

/** The end that user space names, with the device's own settings where it names none. */
function parseRdst(vxlan: Vxlan, msg: NeighMessage, extack: NetlinkExtAck): { rdst: VxlanRdst; vni: number } | number {
  const { cfg, net } = vxlan
  const { dst, port, vni, srcVni, ifindex } = msg.attrs
  if (dst !== undefined && dst.length !== (cfg.ipv6 ? 16 : 4)) return -Errno.EAFNOSUPPORT
  if (ifindex !== undefined && net.devByIndex(ifindex) === undefined)
    return extack.fail(-Errno.EADDRNOTAVAIL, 'Tunnel device not found')
  const metadata = (cfg.flags & VXLAN_F_COLLECT_METADATA) !== 0
  return {
    rdst: { ip: dst ?? new Uint8Array(4), port: port ?? cfg.dstPort, vni: vni ?? cfg.vni, ifindex: ifindex ?? 0 },
    vni: metadata ? (srcVni ?? cfg.vni) : 0,
  }
}

function message(vxlan: Vxlan, entry: VxlanFdbEntry, rdst: VxlanRdst): NeighMessage {
  const { dev, cfg } = vxlan
  const { now } = dev.net.kernel.clock
  const ticks = (since: number): number => Math.max(0, Math.floor((now - since) / 1e7))
  const attrs: NeighMessage['attrs'] = {
    lladdr: entry.mac.slice(),
    cacheinfo: { confirmed: 0, used: ticks(entry.used), updated: ticks(entry.updated), refcnt: 0 },
  }
  if (!isAnyIp(rdst.ip)) attrs.dst = rdst.ip.slice()
  if (rdst.port !== 0 && rdst.port !== cfg.dstPort) attrs.port = rdst.port
  if (rdst.vni !== cfg.vni) attrs.vni = rdst.vni
  if (rdst.ifindex !== 0) attrs.ifindex = rdst.ifindex
  if ((cfg.flags & VXLAN_F_COLLECT_METADATA) !== 0 && entry.vni !== 0) attrs.srcVni = entry.vni
  return {
    type: RTM_NEWNEIGH,
    flags: 0,
    family: AF_BRIDGE,
    ifindex: dev.ifindex,
    state: entry.state,
    ndmFlags: entry.flags,
    ndmType: 1,
    attrs,
  }
}

const ops: NetDeviceOps = {
  init(dev) {
    const vxlan = vxlanPriv(dev)
    vxlan.net.at(vxlanNetKey).devices.add(vxlan)
    return 0
  },
  uninit(dev) {
    const vxlan = vxlanPriv(dev)
    vxlan.net.at(vxlanNetKey).devices.delete(vxlan)
    vxlan.fdb.flush(true)
  },
  open(dev) {
    const vxlan = vxlanPriv(dev)
    let rc = vxlanSockAdd(vxlan)
    if (rc < 0) return rc
    rc = group(vxlan, true)
    if (rc < 0) {
      vxlanSockRelease(vxlan)
      return rc
    }
    const { clock } = dev.net.kernel
    if (vxlan.cfg.ageing > 0) clock.mod(vxlan.ageTimer, clock.now + FDB_AGE_INTERVAL)
    return 0
  },
  stop(dev) {
    const vxlan = vxlanPriv(dev)
    group(vxlan, false)
    dev.net.kernel.clock.del(vxlan.ageTimer)
    vxlan.fdb.flush(false)
    vxlanSockRelease(vxlan)
    return 0
  },
  startXmit: vxlanXmit,
  setRxMode() {},
  changeMtu(dev, mtu) {
    const { cfg, net } = vxlanPriv(dev)
    const lower = cfg.link === 0 ? undefined : net.devByIndex(cfg.link)
    if (lower !== undefined && mtu > lower.mtu - (cfg.ipv6 ? VXLAN6_HEADROOM : VXLAN_HEADROOM)) return -Errno.EINVAL
    dev.mtu = mtu
    return 0
  },
  setMacAddress: ethMacAddr,
  validateAddr: ethValidateAddr,
  getLinkKsettings(dev) {
    const { cfg, net } = vxlanPriv(dev)
    const lower = cfg.link === 0 ? undefined : net.devByIndex(cfg.link)
    return lower === undefined ? { speed: -1, duplex: 'unknown' } : lower.ops.getLinkKsettings?.(lower)
  },
  fdbAdd(dev, msg, extack) {
    const vxlan = vxlanPriv(dev)
    const { cfg, fdb } = vxlan
    if ((msg.state & (NUD_PERMANENT | NUD_REACHABLE)) === 0 || msg.attrs.dst === undefined) return -Errno.EINVAL
    const parsed = parseRdst(vxlan, msg, extack)
    if (typeof parsed === 'number') return parsed
    const rc = fdb.update(
      msg.attrs.lladdr!,
      parsed.vni,
      parsed.rdst,
      msg.state,
      msg.flags,
      msg.ndmFlags,
      dev.net.kernel.clock.now,
      cfg.limit,
    )
    return Math.min(rc, 0)
  },
  fdbDel(dev, msg, extack) {
    const vxlan = vxlanPriv(dev)
    const parsed = parseRdst(vxlan, msg, extack)
    if (typeof parsed === 'number') return parsed
    return vxlan.fdb.delete(msg.attrs.lladdr!, parsed.vni, parsed.rdst)
  },
  fdbDump(dev) {
    const vxlan = vxlanPriv(dev)
    return vxlan.fdb.list().flatMap(entry => entry.remotes.map(rdst => message(vxlan, entry, rdst)))
  },
  fdbGet(dev, msg, extack) {
    const vxlan = vxlanPriv(dev)
    const vni = (vxlan.cfg.flags & VXLAN_F_COLLECT_METADATA) !== 0 ? (msg.attrs.vni ?? vxlan.cfg.vni) : 0
    const entry = vxlan.fdb.find(msg.attrs.lladdr!, 0, vni)
    if (entry === undefined) return extack.fail(-Errno.ENOENT, 'Fdb entry not found')
    return message(vxlan, entry, entry.remotes[0]!)
  },
}

/** The entry for frames without one: the device's own remote (the all-zeros entry). */
export function vxlanDefaultEntry(vxlan: Vxlan, remote: Uint8Array, link: number, add: boolean): void {
  if (isAnyIp(remote)) return
  const { cfg, fdb, dev } = vxlan
  const rdst: VxlanRdst = { ip: remote, port: cfg.dstPort, vni: cfg.vni, ifindex: link }
  const vni = (cfg.flags & VXLAN_F_COLLECT_METADATA) !== 0 ? cfg.vni : 0
  if (add)
    fdb.update(ZERO_MAC, vni, rdst, DEFAULT_STATE, NLM_F_APPEND | NLM_F_CREATE, NTF_SELF, dev.net.kernel.clock.now, 0)
  else fdb.delete(ZERO_MAC, vni, rdst)
}

/** Fills in a fresh device (vxlan_setup). */
export function vxlanSetup(dev: NetDevice): void {
  etherSetup(dev)
  ethHwAddrRandom(dev)
  dev.devType = 'vxlan'
  dev.ops = ops
  dev.features |= NETIF_F_LLTX | NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_FRAGLIST | NETIF_F_GSO_SOFTWARE
  dev.features2 |= NETIF_F2_RXCSUM | NETIF_F2_GSO_SOFTWARE
  dev.hwFeatures |= NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_FRAGLIST | NETIF_F_GSO_SOFTWARE
  dev.hwFeatures2 |= NETIF_F2_RXCSUM | NETIF_F2_GSO_SOFTWARE
  dev.vlanFeatures = dev.features
  dev.vlanFeatures2 = dev.features2
  dev.privFlags &= ~(IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM | IFF_TX_SKB_SHARING)
  dev.privFlags |= IFF_NO_QUEUE | IFF_LIVE_ADDR_CHANGE
  dev.minMtu = ETH_MIN_MTU
  dev.maxMtu = ETH_MAX_MTU
  dev.priv = new Vxlan(dev, new VxlanFdb(), age)
}
