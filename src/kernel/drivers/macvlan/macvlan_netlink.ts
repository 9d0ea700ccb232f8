/** macvlan and macvtap in rtnetlink. */
import { Errno } from '../../../uapi/errno.ts'
import { linkData, type MacvlanData } from '../../../uapi/if_link.ts'
import type { LinkMessage } from '../../../uapi/rtnetlink.ts'
import { hwAddrKey } from '../../core/dev_addr_lists.ts'
import { devSetMtu } from '../../core/dev_config.ts'
import { registerNetdevice, unregisterNetdevice, unregisterNetdeviceMany } from '../../core/dev_core.ts'
import { devSetPromiscuity } from '../../core/dev_flags.ts'
import { netdevRxHandlerRegister } from '../../core/dev_rx_handler.ts'
import { netdevUpperDevLink, netdevUpperDevUnlink } from '../../core/dev_upper.ts'
import { ETH_ALEN, ETH_MIN_MTU, ethHwAddrRandom, isValidEtherAddr } from '../../core/ethernet.ts'
import { linkwatchFireEvent, netifStackedTransferOperstate } from '../../core/link_watch.ts'
import type { KernelModule } from '../../core/module.ts'
import { IFF_MACVLAN, type NetDevice, type RtnlLinkOps, RX_HANDLER_PASS } from '../../core/net_device.ts'
import type { Net } from '../../core/net_namespace.ts'
import type { NetlinkExtAck } from '../../core/rtnetlink.ts'
import { registerLinkOps } from '../../core/rtnl_link.ts'
import type { Kernel, NetdevEvent } from '../../kernel.ts'
import { validateEtherAddress } from '../validate.ts'
import { macvlanCommonSetup, macvlanSetup, macvlanSyncAddress } from './macvlan_dev.ts'
import {
  MACVLAN_FLAG_NODST,
  MACVLAN_FLAG_NOPROMISC,
  MACVLAN_MODE_BRIDGE,
  MACVLAN_MODE_PASSTHRU,
  MACVLAN_MODE_PRIVATE,
  MACVLAN_MODE_SOURCE,
  MACVLAN_MODE_VEPA,
  Macvlan,
  macvlanPort,
  macvlanPortCreate,
  macvlanPortDestroy,
  macvlanPriv,
} from './macvlan_port.ts'

type Kind = 'macvlan' | 'macvtap'

const MODES: readonly number[] = [
  MACVLAN_MODE_PRIVATE,
  MACVLAN_MODE_VEPA,
  MACVLAN_MODE_BRIDGE,
  MACVLAN_MODE_PASSTHRU,
  MACVLAN_MODE_SOURCE,
]

const MACADDR_ADD = 0
const MACADDR_DEL = 1
const MACADDR_FLUSH = 2
const MACADDR_SET = 3

/** Buckets of the table of sources, and the multiplier of its hash: they order what is shown. */
const SOURCE_HASH_BITS = 8n
const GOLDEN_RATIO_64 = 0x61c8864680b583ebn

/** Packets a tap holds for its reader. */
const TUN_READQ_SIZE = 500

function validate(kind: Kind, msg: LinkMessage, extack: NetlinkExtAck): number {
  const rc = validateEtherAddress(msg, extack)
  const data = linkData(msg.attrs.linkinfo, kind)
  if (rc < 0 || data === undefined) return rc
  if (((data.flags ?? 0) & ~(MACVLAN_FLAG_NOPROMISC | MACVLAN_FLAG_NODST)) !== 0) return -Errno.EINVAL
  if (data.mode !== undefined && !MODES.includes(data.mode)) return -Errno.EINVAL
  if (data.macaddrMode !== undefined && data.macaddrMode > MACADDR_SET) return -Errno.EINVAL
  if (data.macaddr !== undefined) {
    if (data.macaddr.length !== ETH_ALEN) return -Errno.EINVAL
    if (!isValidEtherAddr(data.macaddr)) return -Errno.EADDRNOTAVAIL
  }
  return data.macaddrCount === undefined ? 0 : -Errno.EINVAL
}

function bucket(address: Uint8Array): number {
  let value = 0n
  for (let i = ETH_ALEN - 1; i >= 0; i--) value = (value << 8n) | BigInt(address[i]!)
  const product = BigInt.asUintN(64, (value << 16n) * GOLDEN_RATIO_64)
  return Number(product >> (64n - SOURCE_HASH_BITS))
}

function changeSources(vlan: Macvlan, mode: number, data: MacvlanData): number {
  const { sources } = vlan
  const add = (address: Uint8Array): void => {
    if (!sources.has(hwAddrKey(address))) sources.set(hwAddrKey(address), address.slice())
  }
  if (mode === MACADDR_ADD) {
    if (data.macaddr === undefined) return -Errno.EINVAL
    add(data.macaddr)
  } else if (mode === MACADDR_DEL) {
    if (data.macaddr === undefined) return -Errno.EINVAL
    sources.delete(hwAddrKey(data.macaddr))
  } else if (mode === MACADDR_FLUSH) sources.clear()
  else if (mode === MACADDR_SET) {
    sources.clear()
    for (const address of [...(data.macaddr === undefined ? [] : [data.macaddr]), ...(data.macaddrData ?? [])])
      if (address.length === ETH_ALEN && isValidEtherAddr(address)) add(address)
  } else return -Errno.EINVAL
  return 0
}

function configure(vlan: Macvlan, data: MacvlanData | undefined): number {
  const { dev, lower, port } = vlan
  if (data?.mode !== undefined) vlan.mode = data.mode
  if (data?.flags !== undefined) vlan.flags = data.flags
  if (vlan.mode === MACVLAN_MODE_PASSTHRU) {
    if (port.count > 0) return -Errno.EINVAL
    port.passthru = true
    dev.devAddr = lower.devAddr.slice()
    dev.addrAssignType = lower.addrAssignType
  }
  if (data?.macaddrMode !== undefined) {
    if (vlan.mode !== MACVLAN_MODE_SOURCE) return -Errno.EINVAL
    const rc = changeSources(vlan, data.macaddrMode, data)
    if (rc < 0) return rc
  }
  if (data?.bcQueueLen !== undefined) vlan.bcQueueLen = data.bcQueueLen
  return 0
}

/** @returns the device a macvlan on `dev` would be on: never on a macvlan itself */
function realLower(dev: NetDevice): NetDevice {
  return (dev.privFlags & IFF_MACVLAN) === 0 ? dev : macvlanPriv(dev).lower
}

function newlink(kind: Kind, srcNet: Net, dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck): number {
  const { attrs } = msg
  if (attrs.link === undefined) return -Errno.EINVAL
  const linked = srcNet.devByIndex(attrs.link)
  if (linked === undefined) return -Errno.ENODEV
  const lower = realLower(linked)
  if (attrs.mtu === undefined) dev.mtu = lower.mtu
  else if (dev.mtu > lower.mtu) return -Errno.EINVAL
  dev.minMtu = ETH_MIN_MTU
  dev.maxMtu = lower.maxMtu
  if (attrs.address === undefined) ethHwAddrRandom(dev)
  const created = macvlanPort(lower) === undefined
  if (created) {
    const rc = macvlanPortCreate(lower)
    if (rc < 0) return rc
  }
  const port = macvlanPort(lower)!
  if (port.passthru) return -Errno.EINVAL
  const vlan = new Macvlan(dev, lower, port)
  dev.priv = vlan
  let rc = configure(vlan, linkData(attrs.linkinfo, kind))
  if (rc < 0) {
    if (created) macvlanPortDestroy(lower)
    return rc
  }
  // a device whose registration fails takes the lower device's part with it
  rc = registerNetdevice(dev)
  if (rc < 0) {
    if (created && macvlanPort(lower) !== undefined) macvlanPortDestroy(lower)
    return rc
  }
  dev.privFlags |= IFF_MACVLAN
  rc = netdevUpperDevLink(lower, dev, false, extack)
  if (rc < 0) {
    unregisterNetdevice(dev)
    return rc
  }
  port.vlans.push(vlan)
  port.updateBcQueueLen()
  netifStackedTransferOperstate(lower, dev)
  linkwatchFireEvent(dev)
  return 0
}

function changelink(kind: Kind, dev: NetDevice, msg: LinkMessage): number {
  const data = linkData(msg.attrs.linkinfo, kind)
  if (data === undefined) return 0
  const vlan = macvlanPriv(dev)
  const { mode } = data
  if (mode !== undefined) {
    if ((mode === MACVLAN_MODE_PASSTHRU) !== (vlan.mode === MACVLAN_MODE_PASSTHRU)) return -Errno.EINVAL
    if (vlan.mode === MACVLAN_MODE_SOURCE && mode !== vlan.mode) vlan.sources.clear()
  }
  if (data.flags !== undefined) {
    const promisc = ((data.flags ^ vlan.flags) & MACVLAN_FLAG_NOPROMISC) !== 0
    if (vlan.port.passthru && promisc)
      devSetPromiscuity(vlan.lower, (data.flags & MACVLAN_FLAG_NOPROMISC) !== 0 ? -1 : 1)
    vlan.flags = data.flags
  }
  if (data.bcQueueLen !== undefined) {
    vlan.bcQueueLen = data.bcQueueLen
    vlan.port.updateBcQueueLen()
  }
  if (mode !== undefined) vlan.mode = mode
  if (data.macaddrMode === undefined) return 0
  return vlan.mode === MACVLAN_MODE_SOURCE ? changeSources(vlan, data.macaddrMode, data) : -Errno.EINVAL
}

function dellink(dev: NetDevice, kill: NetDevice[]): void {
  const vlan = macvlanPriv(dev)
  const { port, lower } = vlan
  vlan.sources.clear()
  const at = port.vlans.indexOf(vlan)
  if (at >= 0) port.vlans.splice(at, 1)
  port.updateBcQueueLen()
  kill.push(dev)
  netdevUpperDevUnlink(lower, dev)
}

function fillInfo(dev: NetDevice): MacvlanData {
  const vlan = macvlanPriv(dev)
  const info: MacvlanData = { mode: vlan.mode, flags: vlan.flags, macaddrCount: vlan.sources.size }
  if (vlan.sources.size > 0) {
    const newestFirst = [...vlan.sources.values()].reverse()
    info.macaddrData = newestFirst.sort((a, b) => bucket(a) - bucket(b)).map(address => address.slice())
  }
  info.bcQueueLen = vlan.bcQueueLen
  info.bcQueueLenUsed = vlan.port.bcQueueLenUsed
  return info
}

function linkOps(kind: Kind, setup: (dev: NetDevice) => void): RtnlLinkOps {
  return {
    kind,
    hasData: true,
    setup,
    validate: (msg, extack) => validate(kind, msg, extack),
    newlink: (srcNet, dev, msg, extack) => newlink(kind, srcNet, dev, msg, extack),
    changelink: (dev, msg) => changelink(kind, dev, msg),
    dellink,
    fillInfo,
    getLinkNet: dev => macvlanPriv(dev).lower.net,
  }
}

function lowerEvent(event: NetdevEvent, lower: NetDevice): number {
  const port = macvlanPort(lower)
  if (port === undefined) return 0
  const { netdevChain } = lower.net.kernel
  switch (event) {
    case 'UP':
    case 'DOWN':
    case 'CHANGE':
      for (const vlan of port.vlans) netifStackedTransferOperstate(lower, vlan.dev)
      break
    case 'CHANGEMTU':
      for (const { dev } of port.vlans) if (dev.mtu > lower.mtu) devSetMtu(dev, lower.mtu)
      break
    case 'CHANGEADDR': {
      const [vlan] = port.vlans
      if (port.passthru && vlan !== undefined) return macvlanSyncAddress(vlan.dev, lower.devAddr)
      break
    }
    case 'UNREGISTER': {
      // a device that only moves to another namespace keeps its macvlans
      if (lower.regState !== 'unregistering') break
      const kill: NetDevice[] = []
      for (const vlan of [...port.vlans]) dellink(vlan.dev, kill)
      unregisterNetdeviceMany(kill)
      break
    }
    case 'NOTIFY_PEERS':
    case 'RESEND_IGMP':
      for (const vlan of port.vlans) netdevChain.call(event, vlan.dev, {})
      break
  }
  return 0
}

/** The module of macvlans. */
export const macvlanModule: KernelModule = {
  name: 'macvlan',
  aliases: ['rtnl-link-macvlan'],
  init(kernel: Kernel) {
    registerLinkOps(kernel, linkOps('macvlan', macvlanSetup))
    kernel.netdevChain.register(lowerEvent)
  },
}

/** The module of macvtaps: macvlans whose frames go to a character device. Nobody opens it, so they take none. */
export const macvtapModule: KernelModule = {
  name: 'macvtap',
  aliases: ['rtnl-link-macvtap'],
  depends: ['tap', 'macvlan'],
  init(kernel: Kernel) {
    const ops = linkOps('macvtap', dev => {
      macvlanCommonSetup(dev)
      dev.txQueueLen = TUN_READQ_SIZE
    })
    registerLinkOps(kernel, {
      ...ops,
      newlink(srcNet, dev, msg, extack) {
        const rc = netdevRxHandlerRegister(dev, () => RX_HANDLER_PASS, undefined)
        return rc < 0 ? rc : newlink('macvtap', srcNet, dev, msg, extack)
      },
    })
  },
}
