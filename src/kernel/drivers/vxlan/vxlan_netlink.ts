/** VXLAN devices in rtnetlink: `ip link add … type vxlan`, and the module. */
import { Errno } from '../../../uapi/errno.ts'
import { linkData, type VxlanData } from '../../../uapi/if_link.ts'
import type { LinkMessage } from '../../../uapi/rtnetlink.ts'
import { registerNetdevice, unregisterNetdevice, unregisterNetdeviceMany } from '../../core/dev_core.ts'
import { netdevUpperDevLink, netdevUpperDevUnlink } from '../../core/dev_upper.ts'
import { ETH_ALEN, ETH_MAX_MTU, ETH_MIN_MTU, isValidEtherAddr } from '../../core/ethernet.ts'
import { type KernelModule, registerPernetLate } from '../../core/module.ts'
import type { NetDevice, RtnlLinkOps } from '../../core/net_device.ts'
import type { Net } from '../../core/net_namespace.ts'
import type { NetlinkExtAck } from '../../core/rtnetlink.ts'
import { registerLinkOps } from '../../core/rtnl_link.ts'
import {
  FDB_AGE_DEFAULT,
  isAnyIp,
  isMulticastIp,
  sameIp,
  VXLAN_F_COLLECT_METADATA,
  VXLAN_F_GBP,
  VXLAN_F_GPE,
  VXLAN_F_IPV6,
  VXLAN_F_L2MISS,
  VXLAN_F_L3MISS,
  VXLAN_F_LEARN,
  VXLAN_F_PROXY,
  VXLAN_F_RCV_FLAGS,
  VXLAN_F_REMCSUM_NOPARTIAL,
  VXLAN_F_REMCSUM_RX,
  VXLAN_F_REMCSUM_TX,
  VXLAN_F_RSC,
  VXLAN_F_TTL_INHERIT,
  VXLAN_F_UDP_ZERO_CSUM_TX,
  VXLAN_F_UDP_ZERO_CSUM6_RX,
  VXLAN_F_UDP_ZERO_CSUM6_TX,
  VXLAN_F_VNIFILTER,
  VXLAN_GPE_PORT,
  VXLAN_HEADROOM,
  VXLAN_N_VID,
  VXLAN_PORT,
  VXLAN6_HEADROOM,
  type Vxlan,
  VxlanConfig,
  VxlanNet,
  vxlanNetKey,
  vxlanPriv,
} from './vxlan.ts'
import { vxlanDefaultEntry, vxlanSetup } from './vxlan_dev.ts'

function validate(msg: LinkMessage, extack: NetlinkExtAck): number {
  const { address, mtu } = msg.attrs
  if (address !== undefined) {
    if (address.length !== ETH_ALEN) return extack.fail(-Errno.EINVAL, 'Provided link layer address is not Ethernet')
    if (!isValidEtherAddr(address)) return extack.fail(-Errno.EADDRNOTAVAIL, 'Provided Ethernet address is not unicast')
  }
  if (mtu !== undefined && (mtu < ETH_MIN_MTU || mtu > ETH_MAX_MTU))
    return extack.fail(-Errno.EINVAL, 'MTU must be between 68 and 65535')
  const data = linkData(msg.attrs.linkinfo, 'vxlan')
  if (data === undefined) return extack.fail(-Errno.EINVAL, 'Required attributes not provided to perform the operation')
  if (data.id !== undefined && data.id >= VXLAN_N_VID)
    return extack.fail(-Errno.ERANGE, 'VXLAN ID must be lower than 16777216')
  if (data.portRange !== undefined && data.portRange.high < data.portRange.low)
    return extack.fail(-Errno.EINVAL, 'Invalid source port range')
  if (data.df !== undefined && data.df > 2) return extack.fail(-Errno.EINVAL, 'Invalid DF attribute')
  return 0
}

/** Attributes that are flags: the bit, whether a change is allowed, and the name in the refusal. */
const FLAGS: readonly (readonly [keyof VxlanData, number, boolean, string])[] = [
  ['ttlInherit', VXLAN_F_TTL_INHERIT, false, 'TTL_INHERIT'],
  ['learning', VXLAN_F_LEARN, true, 'LEARN'],
  ['proxy', VXLAN_F_PROXY, false, 'PROXY'],
  ['rsc', VXLAN_F_RSC, false, 'RSC'],
  ['l2miss', VXLAN_F_L2MISS, false, 'L2MISS'],
  ['l3miss', VXLAN_F_L3MISS, false, 'L3MISS'],
  ['collectMetadata', VXLAN_F_COLLECT_METADATA, false, 'COLLECT_METADATA'],
  ['udpZeroCsum6Tx', VXLAN_F_UDP_ZERO_CSUM6_TX, false, 'UDP_ZERO_CSUM6_TX'],
  ['udpZeroCsum6Rx', VXLAN_F_UDP_ZERO_CSUM6_RX, false, 'UDP_ZERO_CSUM6_RX'],
  ['remcsumTx', VXLAN_F_REMCSUM_TX, false, 'REMCSUM_TX'],
  ['remcsumRx', VXLAN_F_REMCSUM_RX, false, 'REMCSUM_RX'],
  ['gbp', VXLAN_F_GBP, false, 'GBP'],
  ['gpe', VXLAN_F_GPE, false, 'GPE'],
  ['remcsumNopartial', VXLAN_F_REMCSUM_NOPARTIAL, false, 'REMCSUM_NOPARTIAL'],
  ['vnifilter', VXLAN_F_VNIFILTER, false, 'VNIFILTER'],
]

/** Reads the attributes over the settings there are (vxlan_nl2conf). @param old undefined for a new device */
function readConfig(
  data: VxlanData,
  msg: LinkMessage,
  old: Vxlan | undefined,
  extack: NetlinkExtAck,
): VxlanConfig | number {
  const cfg = old === undefined ? new VxlanConfig() : old.cfg.copy()
  const change = old !== undefined
  const no = (text: string): number => extack.fail(-Errno.EOPNOTSUPP, text)
  if (data.id !== undefined) {
    if (change && data.id !== cfg.vni) return no('Cannot change VNI')
    cfg.vni = data.id
  }
  const six = data.group6 !== undefined || data.local6 !== undefined
  if (change && six !== cfg.ipv6 && (data.group ?? data.group6 ?? data.local ?? data.local6) !== undefined)
    return no(
      data.group !== undefined || data.group6 !== undefined
        ? 'New group address family does not match old group'
        : 'New local address family does not match old',
    )
  if (six) cfg.flags |= VXLAN_F_IPV6
  cfg.remote = data.group ?? data.group6 ?? cfg.remote
  cfg.saddr = data.local ?? data.local6 ?? cfg.saddr
  if (data.link !== undefined) cfg.link = data.link
  if (data.tos !== undefined) cfg.tos = data.tos
  if (data.ttl !== undefined) cfg.ttl = data.ttl
  if (data.label !== undefined) cfg.label = data.label & 0xfffff
  if (!change && data.learning === undefined) cfg.flags |= VXLAN_F_LEARN
  if (data.ageing !== undefined) cfg.ageing = data.ageing
  if (data.limit !== undefined) {
    if (change) return no('Cannot change limit')
    cfg.limit = data.limit
  }
  if (data.portRange !== undefined) {
    if (change) return no('Cannot change port range')
    cfg.portMin = data.portRange.low
    cfg.portMax = data.portRange.high
  }
  if (data.port !== undefined) {
    if (change && data.port !== cfg.dstPort) return no('Cannot change port')
    cfg.dstPort = data.port
  }
  if (data.udpCsum !== undefined) {
    if (change) return no('Cannot change UDP_CSUM flag')
    if (data.udpCsum === 0) cfg.flags |= VXLAN_F_UDP_ZERO_CSUM_TX
  }
  for (const [field, bit, changeable, name] of FLAGS) {
    const value = data[field]
    if (value === undefined) continue
    if (change && !changeable) return no(`vxlan: cannot change ${name} flag`)
    if (value === true || (typeof value === 'number' && value !== 0)) cfg.flags |= bit
    else cfg.flags &= ~bit
  }
  if (msg.attrs.mtu !== undefined) {
    if (change) return no('Cannot change mtu')
    cfg.mtu = msg.attrs.mtu
  }
  if (data.df !== undefined) cfg.df = data.df
  return cfg
}

/** What GPE goes with. */
const GPE_ALLOWED =
  VXLAN_F_GPE |
  VXLAN_F_IPV6 |
  VXLAN_F_UDP_ZERO_CSUM_TX |
  VXLAN_F_UDP_ZERO_CSUM6_TX |
  VXLAN_F_UDP_ZERO_CSUM6_RX |
  VXLAN_F_COLLECT_METADATA |
  VXLAN_F_VNIFILTER

/** Checks settings as a whole (vxlan_config_validate). @returns the device underneath, undefined for none, or a negative error */
function checkConfig(
  net: Net,
  cfg: VxlanConfig,
  old: Vxlan | undefined,
  extack: NetlinkExtAck,
): NetDevice | undefined | number {
  const no = (errno: number, text: string): number => extack.fail(-errno, text)
  if ((cfg.flags & VXLAN_F_GPE) !== 0) {
    if ((cfg.flags & ~GPE_ALLOWED) !== 0 || (cfg.flags & VXLAN_F_COLLECT_METADATA) === 0)
      return no(Errno.EINVAL, 'VXLAN GPE does not support this combination of attributes')
  }
  if (cfg.remote.length > 0 && cfg.saddr.length > 0 && cfg.remote.length !== cfg.saddr.length)
    return no(Errno.EINVAL, 'Local and remote address must be from the same family')
  if (cfg.saddr.length > 0 && isMulticastIp(cfg.saddr)) return no(Errno.EINVAL, 'Local address cannot be multicast')
  if (cfg.label !== 0 && !cfg.ipv6) return no(Errno.EINVAL, 'Label attribute only applies to IPv6 VXLAN devices')
  let lower: NetDevice | undefined
  if (cfg.link !== 0) {
    lower = net.devByIndex(cfg.link)
    if (lower === undefined) return no(Errno.ENODEV, 'Specified interface for tunnel endpoint communications not found')
  } else if (cfg.remote.length > 0 && isMulticastIp(cfg.remote))
    return no(Errno.EINVAL, 'Local interface required for multicast remote destination')
  if (cfg.dstPort === 0) cfg.dstPort = (cfg.flags & VXLAN_F_GPE) !== 0 ? VXLAN_GPE_PORT : VXLAN_PORT
  const shared = VXLAN_F_RCV_FLAGS | VXLAN_F_IPV6
  for (const other of net.at(vxlanNetKey).devices) {
    if (other === old || other.cfg.vni !== cfg.vni || other.cfg.dstPort !== cfg.dstPort) continue
    if ((other.cfg.flags & shared) !== (cfg.flags & shared)) continue
    return no(Errno.EEXIST, 'A VXLAN device with the specified VNI already exists')
  }
  return lower
}

/** Takes settings over (vxlan_config_apply). */
function applyConfig(vxlan: Vxlan, cfg: VxlanConfig, lower: NetDevice | undefined, create: boolean): void {
  const { dev } = vxlan
  vxlan.cfg = cfg
  const headroom = cfg.ipv6 ? VXLAN6_HEADROOM : VXLAN_HEADROOM
  if (lower !== undefined) {
    dev.tsoMaxSize = lower.tsoMaxSize
    dev.tsoMaxSegs = lower.tsoMaxSegs
    dev.neededHeadroom = lower.hardHeaderLen + headroom
    if (create && cfg.mtu === 0) dev.mtu = lower.mtu - headroom
    else if (create) dev.mtu = Math.min(cfg.mtu, lower.mtu - headroom)
  } else dev.neededHeadroom = headroom
}

function fill(dev: NetDevice): VxlanData {
  const { cfg } = vxlanPriv(dev)
  const on = (bit: number): number => ((cfg.flags & bit) !== 0 ? 1 : 0)
  const data: VxlanData = {
    id: cfg.vni,
    ttl: cfg.ttl,
    tos: cfg.tos,
    df: cfg.df,
    label: cfg.label,
    learning: on(VXLAN_F_LEARN),
    proxy: on(VXLAN_F_PROXY),
    rsc: on(VXLAN_F_RSC),
    l2miss: on(VXLAN_F_L2MISS),
    l3miss: on(VXLAN_F_L3MISS),
    collectMetadata: on(VXLAN_F_COLLECT_METADATA),
    ageing: cfg.ageing,
    limit: cfg.limit,
    port: cfg.dstPort,
    portRange: { low: cfg.portMin, high: cfg.portMax },
    udpCsum: 1 - on(VXLAN_F_UDP_ZERO_CSUM_TX),
    udpZeroCsum6Tx: on(VXLAN_F_UDP_ZERO_CSUM6_TX),
    udpZeroCsum6Rx: on(VXLAN_F_UDP_ZERO_CSUM6_RX),
    remcsumTx: on(VXLAN_F_REMCSUM_TX),
    remcsumRx: on(VXLAN_F_REMCSUM_RX),
    vnifilter: on(VXLAN_F_VNIFILTER),
  }
  if (!isAnyIp(cfg.remote)) data[cfg.remote.length === 4 ? 'group' : 'group6'] = cfg.remote.slice()
  if (!isAnyIp(cfg.saddr)) data[cfg.saddr.length === 4 ? 'local' : 'local6'] = cfg.saddr.slice()
  if (cfg.link !== 0) data.link = cfg.link
  if (on(VXLAN_F_TTL_INHERIT) === 1) data.ttlInherit = true
  if (on(VXLAN_F_GBP) === 1) data.gbp = true
  if (on(VXLAN_F_GPE) === 1) data.gpe = true
  if (on(VXLAN_F_REMCSUM_NOPARTIAL) === 1) data.remcsumNopartial = true
  return data
}

function unlinkLower(vxlan: Vxlan): void {
  for (const lower of [...vxlan.dev.lower]) netdevUpperDevUnlink(lower, vxlan.dev)
}

/** The link type. */
export const vxlanLinkOps: RtnlLinkOps = {
  kind: 'vxlan',
  hasData: true,
  setup: vxlanSetup,
  validate,
  newlink(srcNet, dev, msg, extack) {
    const data = linkData(msg.attrs.linkinfo, 'vxlan') ?? {}
    const vxlan = vxlanPriv(dev)
    vxlan.net = srcNet
    const cfg = readConfig(data, msg, undefined, extack)
    if (typeof cfg === 'number') return cfg
    if (data.ageing === undefined) cfg.ageing = FDB_AGE_DEFAULT
    const lower = checkConfig(srcNet, cfg, undefined, extack)
    if (typeof lower === 'number') return lower
    applyConfig(vxlan, cfg, lower, true)
    let rc = registerNetdevice(dev)
    if (rc < 0) return rc
    if (lower !== undefined) {
      rc = netdevUpperDevLink(lower, dev, false, extack)
      if (rc < 0) {
        unregisterNetdevice(dev)
        return rc
      }
    }
    vxlanDefaultEntry(vxlan, cfg.remote, cfg.link, true)
    return 0
  },
  changelink(dev, msg, extack) {
    const vxlan = vxlanPriv(dev)
    const cfg = readConfig(linkData(msg.attrs.linkinfo, 'vxlan') ?? {}, msg, vxlan, extack)
    if (typeof cfg === 'number') return cfg
    const lower = checkConfig(vxlan.net, cfg, vxlan, extack)
    if (typeof lower === 'number') return lower
    const { remote, link, ageing } = vxlan.cfg
    if (!sameIp(remote, cfg.remote)) {
      vxlanDefaultEntry(vxlan, cfg.remote, cfg.link, true)
      vxlanDefaultEntry(vxlan, remote, link, false)
    }
    const { clock } = dev.net.kernel
    if (ageing !== cfg.ageing && dev.running) clock.mod(vxlan.ageTimer, clock.now)
    if (lower !== undefined && !dev.lower.includes(lower)) {
      const rc = netdevUpperDevLink(lower, dev, false, extack)
      if (rc < 0) return rc
      for (const each of [...dev.lower]) if (each !== lower) netdevUpperDevUnlink(each, dev)
    }
    applyConfig(vxlan, cfg, lower, false)
    return 0
  },
  dellink(dev, kill) {
    const vxlan = vxlanPriv(dev)
    unlinkLower(vxlan)
    kill.push(dev)
  },
  fillInfo: fill,
  getLinkNet: dev => vxlanPriv(dev).net,
}

/** The module. */
export const vxlanModule: KernelModule = {
  name: 'vxlan',
  aliases: ['rtnl-link-vxlan'],
  depends: ['ip6_udp_tunnel', 'udp_tunnel'],
  init(kernel) {
    registerPernetLate(kernel, {
      init: net => net.set(vxlanNetKey, new VxlanNet()),
      // devices that live elsewhere but send here go with the namespace
      preExit(net) {
        const kill: NetDevice[] = []
        for (const vxlan of net.at(vxlanNetKey).devices)
          if (vxlan.dev.net !== net) vxlanLinkOps.dellink!(vxlan.dev, kill)
        unregisterNetdeviceMany(kill)
      },
    })
    registerLinkOps(kernel, vxlanLinkOps)
    kernel.netdevChain.register((event, dev) => {
      if (event !== 'UNREGISTER' || dev.regState !== 'unregistering') return 0
      const kill: NetDevice[] = []
      for (const vxlan of dev.net.at(vxlanNetKey).devices)
        if (vxlan.cfg.link === dev.ifindex && vxlan.dev !== dev) vxlanLinkOps.dellink!(vxlan.dev, kill)
      if (kill.length > 0) unregisterNetdeviceMany(kill)
      return 0
    })
  },
}
