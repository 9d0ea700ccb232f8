/** ipvlan and ipvtap in rtnetlink. */
import { Errno } from '../../../uapi/errno.ts'
import { linkData } from '../../../uapi/if_link.ts'
import type { LinkMessage } from '../../../uapi/rtnetlink.ts'
import { registerNetdevice, unregisterNetdevice, unregisterNetdeviceMany } from '../../core/dev_core.ts'
import { netdevUpperDevLink, netdevUpperDevUnlink } from '../../core/dev_upper.ts'
import { netifStackedTransferOperstate } from '../../core/link_watch.ts'
import type { KernelModule } from '../../core/module.ts'
import { IFF_NO_QUEUE, IFF_NO_RX_HANDLER, type NetDevice, type RtnlLinkOps } from '../../core/net_device.ts'
import type { Net } from '../../core/net_namespace.ts'
import type { NetlinkExtAck } from '../../core/rtnetlink.ts'
import { registerLinkOps } from '../../core/rtnl_link.ts'
import type { NetdevEvent } from '../../kernel.ts'
import { ipvlanSetup } from './ipvlan_dev.ts'
import {
  IPVLAN_F_PRIVATE,
  IPVLAN_F_VEPA,
  IPVLAN_MODE_L3,
  IPVLAN_MODE_L3S,
  Ipvlan,
  ipvlanPort,
  ipvlanPortCreate,
  ipvlanPortDestroy,
  ipvlanPriv,
  ipvlanSetPortMode,
} from './ipvlan_port.ts'

type Kind = 'ipvlan' | 'ipvtap'

/** Packets a tap holds for its reader. */
const TUN_READQ_SIZE = 500

function validate(kind: Kind, msg: LinkMessage): number {
  const data = linkData(msg.attrs.linkinfo, kind)
  if (data?.flags !== undefined) {
    if ((data.flags & ~(IPVLAN_F_PRIVATE | IPVLAN_F_VEPA)) !== 0) return -Errno.EINVAL
    if (data.flags === (IPVLAN_F_PRIVATE | IPVLAN_F_VEPA)) return -Errno.EINVAL
  }
  return data?.mode !== undefined && data.mode > IPVLAN_MODE_L3S ? -Errno.EINVAL : 0
}

function newlink(kind: Kind, srcNet: Net, dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck): number {
  const { attrs } = msg
  if (attrs.link === undefined) return -Errno.EINVAL
  const linked = srcNet.devByIndex(attrs.link)
  if (linked === undefined) return -Errno.ENODEV
  const phy = linked.priv instanceof Ipvlan ? linked.priv.phy : linked
  if (ipvlanPort(phy) === undefined) {
    const rc = ipvlanPortCreate(phy)
    if (rc < 0) return rc
  }
  const port = ipvlanPort(phy)!
  const vlan = new Ipvlan(dev, phy, port)
  dev.priv = vlan
  if (attrs.mtu === undefined) dev.mtu = phy.mtu
  dev.devAddr = phy.devAddr.slice()
  dev.privFlags |= IFF_NO_RX_HANDLER
  let rc = registerNetdevice(dev)
  if (rc < 0) {
    if (port.count === 0) ipvlanPortDestroy(phy)
    return rc
  }
  rc = netdevUpperDevLink(phy, dev, false, extack)
  const data = linkData(attrs.linkinfo, kind)
  if (rc === 0) {
    if (data?.flags !== undefined) port.flags = data.flags
    rc = ipvlanSetPortMode(port, data?.mode ?? IPVLAN_MODE_L3, extack)
    if (rc < 0) netdevUpperDevUnlink(phy, dev)
  }
  if (rc < 0) {
    unregisterNetdevice(dev)
    return rc
  }
  port.vlans.push(vlan)
  netifStackedTransferOperstate(phy, dev)
  return 0
}

function changelink(kind: Kind, dev: NetDevice, msg: LinkMessage, extack: NetlinkExtAck): number {
  const data = linkData(msg.attrs.linkinfo, kind)
  if (data === undefined) return 0
  const { port } = ipvlanPriv(dev)
  const rc = data.mode === undefined ? 0 : ipvlanSetPortMode(port, data.mode, extack)
  if (rc === 0 && data.flags !== undefined) port.flags = data.flags
  return rc
}

function dellink(dev: NetDevice, kill: NetDevice[]): void {
  const vlan = ipvlanPriv(dev)
  const { port, phy } = vlan
  const at = port.vlans.indexOf(vlan)
  if (at >= 0) port.vlans.splice(at, 1)
  kill.push(dev)
  netdevUpperDevUnlink(phy, dev)
}

function linkOps(kind: Kind, setup: (dev: NetDevice) => void): RtnlLinkOps {
  return {
    kind,
    hasData: true,
    setup,
    validate: msg => validate(kind, msg),
    newlink: (srcNet, dev, msg, extack) => newlink(kind, srcNet, dev, msg, extack),
    changelink: (dev, msg, extack) => changelink(kind, dev, msg, extack),
    dellink,
    fillInfo(dev) {
      const { port } = ipvlanPriv(dev)
      return { mode: port.mode, flags: port.flags }
    },
    getLinkNet: dev => ipvlanPriv(dev).phy.net,
  }
}

function lowerEvent(event: NetdevEvent, phy: NetDevice): number {
  const port = ipvlanPort(phy)
  if (port === undefined) return 0
  const { netdevChain } = phy.net.kernel
  switch (event) {
    case 'CHANGE':
      for (const { dev } of port.vlans) netifStackedTransferOperstate(phy, dev)
      break
    case 'CHANGEMTU':
      for (const { dev } of port.vlans) dev.mtu = phy.mtu
      break
    case 'CHANGEADDR':
      for (const { dev } of port.vlans) {
        dev.devAddr = phy.devAddr.slice()
        netdevChain.call('CHANGEADDR', dev, {})
      }
      break
    case 'UNREGISTER': {
      // a device that only moves to another namespace keeps its ipvlans
      if (phy.regState !== 'unregistering') break
      const kill: NetDevice[] = []
      for (const { dev } of [...port.vlans]) dellink(dev, kill)
      unregisterNetdeviceMany(kill)
      break
    }
  }
  return 0
}

/** The module of ipvlans. */
export const ipvlanModule: KernelModule = {
  name: 'ipvlan',
  aliases: ['rtnl-link-ipvlan'],
  init(kernel) {
    registerLinkOps(kernel, linkOps('ipvlan', ipvlanSetup))
    kernel.netdevChain.register(lowerEvent)
  },
}

/** The module of ipvtaps: ipvlans with a character device, which nobody opens. */
export const ipvtapModule: KernelModule = {
  name: 'ipvtap',
  aliases: ['rtnl-link-ipvtap'],
  depends: ['tap', 'ipvlan'],
  init(kernel) {
    const setup = (dev: NetDevice): void => {
      ipvlanSetup(dev)
      dev.privFlags &= ~IFF_NO_QUEUE
      dev.txQueueLen = TUN_READQ_SIZE
    }
    registerLinkOps(kernel, linkOps('ipvtap', setup))
  },
}
