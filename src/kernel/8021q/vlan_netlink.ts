/** VLANs in rtnetlink: `ip link add … type vlan`. */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_8021AD, ETH_P_8021Q } from '../../uapi/if.ts'
import { linkData, type VlanData } from '../../uapi/if_link.ts'
import type { LinkMessage } from '../../uapi/rtnetlink.ts'
import { ETH_ALEN, isValidEtherAddr } from '../core/ethernet.ts'
import { NETIF_F_VLAN_CHALLENGED } from '../core/features.ts'
import { IFF_XMIT_DST_RELEASE, type NetDevice, type RtnlLinkOps } from '../core/net_device.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { registerVlanDev, unregisterVlanDev, VLAN_FLAGS, VlanDevPriv, vlanFindDev, vlanPriv } from './vlan.ts'
import { vlanSetup } from './vlan_dev.ts'

const VLAN_VID_MASK = 0xfff

function fail(extack: NetlinkExtAck, errno: number, text: string): number {
  return extack.fail(-errno, `8021q: ${text}`)
}

function validate(msg: LinkMessage, extack: NetlinkExtAck): number {
  const { address } = msg.attrs
  if (address !== undefined) {
    if (address.length !== ETH_ALEN) return fail(extack, Errno.EINVAL, 'Invalid link address')
    if (!isValidEtherAddr(address)) return fail(extack, Errno.EADDRNOTAVAIL, 'Invalid link address')
  }
  const data = linkData(msg.attrs.linkinfo, 'vlan')
  if (data === undefined) return fail(extack, Errno.EINVAL, 'VLAN properties not specified')
  if (data.protocol !== undefined && data.protocol !== ETH_P_8021Q && data.protocol !== ETH_P_8021AD)
    return fail(extack, Errno.EPROTONOSUPPORT, 'Invalid VLAN protocol')
  if (data.id !== undefined && data.id >= VLAN_VID_MASK) return fail(extack, Errno.ERANGE, 'Invalid VLAN id')
  if (data.flags !== undefined && (data.flags.flags & data.flags.mask & ~VLAN_FLAGS) !== 0)
    return fail(extack, Errno.EINVAL, 'Invalid VLAN flags')
  return 0
}

function change(dev: NetDevice, data: VlanData | undefined): number {
  if (data === undefined) return 0
  const vlan = vlanPriv(dev)
  if (data.flags !== undefined) {
    if ((data.flags.mask & ~VLAN_FLAGS) !== 0) return -Errno.EINVAL
    vlan.flags = (vlan.flags & ~data.flags.mask) | (data.flags.flags & data.flags.mask)
  }
  for (const { from, to } of data.ingressQos ?? []) vlan.ingress[from & 7] = to
  for (const { from, to } of data.egressQos ?? []) {
    const row = vlan.egress[from & 0xf]!
    const known = row.find(entry => entry.priority === from)
    if (known !== undefined) known.qos = to & 7
    else row.unshift({ priority: from, qos: to & 7 })
  }
  return 0
}

/** The link type. */
export const vlanLinkOps: RtnlLinkOps = {
  kind: 'vlan',
  hasData: true,
  setup: vlanSetup,
  validate,
  newlink(srcNet, dev, msg, extack) {
    const data = linkData(msg.attrs.linkinfo, 'vlan')
    if (data?.id === undefined) return fail(extack, Errno.EINVAL, 'VLAN id not specified')
    if (msg.attrs.link === undefined) return fail(extack, Errno.EINVAL, 'link not specified')
    const realDev = srcNet.devByIndex(msg.attrs.link)
    if (realDev === undefined) return fail(extack, Errno.ENODEV, 'link does not exist')
    const proto = data.protocol ?? ETH_P_8021Q
    dev.priv = new VlanDevPriv(realDev, proto, data.id)
    dev.privFlags |= realDev.privFlags & IFF_XMIT_DST_RELEASE
    if ((realDev.features & NETIF_F_VLAN_CHALLENGED) !== 0) {
      dev.net.kernel.log.print(6, `8021q: VLANs not supported on ${realDev.name}`)
      return fail(extack, Errno.EOPNOTSUPP, 'VLANs not supported on device')
    }
    if (vlanFindDev(realDev, proto, data.id) !== undefined)
      return fail(extack, Errno.EEXIST, 'VLAN device already exists')
    if (msg.attrs.mtu === undefined) dev.mtu = realDev.mtu
    else if (dev.mtu > realDev.mtu) return -Errno.EINVAL
    const rc = change(dev, data)
    return rc < 0 ? rc : registerVlanDev(dev, extack)
  },
  changelink: (dev, msg) => change(dev, linkData(msg.attrs.linkinfo, 'vlan')),
  dellink: unregisterVlanDev,
  fillInfo(dev) {
    const vlan = vlanPriv(dev)
    const info: VlanData = { id: vlan.id, protocol: vlan.proto }
    if (vlan.flags !== 0) info.flags = { flags: vlan.flags, mask: ~0 >>> 0 }
    const ingress = vlan.ingress.flatMap((to, from) => (to === 0 ? [] : [{ from, to }]))
    if (ingress.length > 0) info.ingressQos = ingress
    const egress = vlan.egress.flat().flatMap(({ priority, qos }) => (qos === 0 ? [] : [{ from: priority, to: qos }]))
    if (egress.length > 0) info.egressQos = egress
    return info
  },
  getLinkNet: dev => vlanPriv(dev).realDev.net,
}
