/** rtnetlink's link messages: RTM_NEWLINK, SETLINK, DELLINK, GETLINK and the properties of links. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/netlink.ts'
import {
  type LinkAttrs,
  type LinkMessage,
  RTM_DELLINK,
  RTM_DELLINKPROP,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_NEWLINKPROP,
  RTM_SETLINK,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../uapi/socket.ts'
import type { Kernel, NetdevEvent } from '../kernel.ts'
import { unregisterNetdeviceMany } from './dev_core.ts'
import { devAddAltname, devDelAltname } from './dev_name.ts'
import { netdevStateChange } from './link_watch.ts'
import { requestModule } from './module.ts'
import type { NetDevice, RtnlLinkOps } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import type { NetlinkExtAck, RtnlContext } from './rtnetlink.ts'
import { rtnlBridgeInit } from './rtnl_bridge.ts'
import { rtnlFdbInit } from './rtnl_fdb.ts'
import { ensureUniqueNetns, rtnlNewlinkCreate } from './rtnl_link_create.ts'
import { rtmsgIfinfo, rtnlFillIfinfo } from './rtnl_link_fill.ts'
import { netById, rtnlNsidInit } from './rtnl_nsid.ts'
import { doSetlink, validateLinkmsg } from './rtnl_setlink.ts'
import { rtnlState } from './rtnl_state.ts'

export { type RtnlAfOps, registerLinkOps, registerRtnlAf } from './rtnl_state.ts'

/** Buckets of the kernel's table of devices by index; dumps go through it. */
const NETDEV_HASHENTRIES = 256

function isLink(msg: RtMessage): msg is LinkMessage {
  return (
    msg.type === RTM_NEWLINK ||
    msg.type === RTM_DELLINK ||
    msg.type === RTM_GETLINK ||
    msg.type === RTM_SETLINK ||
    msg.type === RTM_NEWLINKPROP ||
    msg.type === RTM_DELLINKPROP
  )
}

function devByAttrs(net: Net, attrs: LinkAttrs): NetDevice | undefined {
  const name = attrs.ifname ?? attrs.altIfname
  return name === undefined ? undefined : net.devicesByName.get(name)
}

function hasName(attrs: LinkAttrs): boolean {
  return attrs.ifname !== undefined || attrs.altIfname !== undefined
}

/** @returns a namespace's devices in the order of the kernel's dumps: by index modulo 256, the newest of equals first */
export function devicesInDumpOrder(net: Net): NetDevice[] {
  const all = [...net.devices.values()]
  if (net.ifindex < NETDEV_HASHENTRIES && (all.at(-1)?.ifindex ?? 0) < NETDEV_HASHENTRIES) return all
  return all.sort(
    (a, b) => (a.ifindex % NETDEV_HASHENTRIES) - (b.ifindex % NETDEV_HASHENTRIES) || b.ifindex - a.ifindex,
  )
}

/** @returns a link type, its module loaded if need be */
function linkOpsByKind(kernel: Kernel, kind: string): RtnlLinkOps | undefined {
  const { kinds } = rtnlState(kernel)
  if (!kinds.has(kind)) requestModule(kernel, `rtnl-link-${kind}`)
  return kinds.get(kind)
}

function changeExisting(ctx: RtnlContext, dev: NetDevice, msg: LinkMessage): number {
  const { attrs } = msg
  const { extack } = ctx
  if ((msg.flags & NLM_F_EXCL) !== 0) return -Errno.EEXIST
  if ((msg.flags & NLM_F_REPLACE) !== 0) return -Errno.EOPNOTSUPP
  let rc = validateLinkmsg(dev, attrs, extack)
  if (rc < 0) return rc
  let status = 0
  const info = attrs.linkinfo
  if (info?.data !== undefined) {
    const ops = info.kind === undefined ? undefined : rtnlState(dev.net.kernel).kinds.get(info.kind)
    if (ops === undefined || ops !== dev.linkOps || ops.changelink === undefined) return -Errno.EOPNOTSUPP
    rc = ops.changelink(dev, msg, extack)
    if (rc < 0) return rc
    status = 3
  }
  if (info?.slaveData !== undefined) {
    const { master } = dev
    if (master?.linkOps?.slaveChangelink === undefined) return -Errno.EOPNOTSUPP
    rc = master.linkOps.slaveChangelink(master, dev, msg, extack)
    if (rc < 0) return rc
    status = 3
  }
  return doSetlink(ctx, dev, msg, status)
}

function changeGroup(ctx: RtnlContext, group: number, msg: LinkMessage): number {
  for (const dev of [...ctx.net.devices.values()]) {
    if (dev.group !== group) continue
    const rc = validateLinkmsg(dev, msg.attrs, ctx.extack) || doSetlink(ctx, dev, msg)
    if (rc < 0) return rc
  }
  return 0
}

function newlink(ctx: RtnlContext, msg: RtMessage): number {
  if (!isLink(msg)) return -Errno.EINVAL
  const { net, extack } = ctx
  const { attrs } = msg
  const unique = ensureUniqueNetns(attrs, extack, false)
  if (unique < 0) return unique
  let dev: NetDevice | undefined
  let specified = false
  if (msg.index > 0) {
    specified = true
    dev = net.devices.get(msg.index)
  } else if (msg.index < 0) return extack.fail(-Errno.EINVAL, "ifindex can't be negative")
  else if (hasName(attrs)) {
    specified = true
    dev = devByAttrs(net, attrs)
  }
  const kind = attrs.linkinfo?.kind
  const ops = kind === undefined ? undefined : linkOpsByKind(net.kernel, kind)
  const invalid = ops?.validate?.(msg, extack) ?? 0
  if (invalid < 0) return invalid
  if (dev !== undefined) return changeExisting(ctx, dev, msg)
  if ((msg.flags & NLM_F_CREATE) === 0) {
    if (specified || attrs.group === undefined) return -Errno.ENODEV
    return changeGroup(ctx, attrs.group, msg)
  }
  if (attrs.protinfo !== undefined) return -Errno.EOPNOTSUPP
  if (ops === undefined) return extack.fail(-Errno.EOPNOTSUPP, 'Unknown device type')
  return rtnlNewlinkCreate(ctx, msg, ops)
}

function setlink(ctx: RtnlContext, msg: RtMessage): number {
  if (!isLink(msg)) return -Errno.EINVAL
  const unique = ensureUniqueNetns(msg.attrs, ctx.extack, false)
  if (unique < 0) return unique
  if (msg.index <= 0 && !hasName(msg.attrs)) return -Errno.EINVAL
  const dev = msg.index > 0 ? ctx.net.devices.get(msg.index) : devByAttrs(ctx.net, msg.attrs)
  if (dev === undefined) return -Errno.ENODEV
  return doSetlink(ctx, dev, msg)
}

/** Lets a device's kind choose what goes with it. */
function kill(dev: NetDevice, list: NetDevice[]): void {
  if (dev.linkOps?.dellink !== undefined) dev.linkOps.dellink(dev, list)
  else list.push(dev)
}

/** Deletes a link that was made on request (rtnl_delete_link). @returns 0, or -EOPNOTSUPP for any other device */
export function rtnlDeleteLink(dev: NetDevice): number {
  if (dev.linkOps === undefined) return -Errno.EOPNOTSUPP
  const list: NetDevice[] = []
  kill(dev, list)
  unregisterNetdeviceMany(list)
  return 0
}

function deleteGroup(net: Net, group: number): number {
  if (group === 0) return -Errno.EPERM
  const members = [...net.devices.values()].filter(dev => dev.group === group)
  if (members.some(dev => dev.linkOps === undefined)) return -Errno.EOPNOTSUPP
  if (members.length === 0) return -Errno.ENODEV
  const list: NetDevice[] = []
  for (const dev of members) if (!list.includes(dev)) kill(dev, list)
  unregisterNetdeviceMany(list)
  return 0
}

function targetNet(ctx: RtnlContext, attrs: LinkAttrs, extack: NetlinkExtAck): Net | number {
  const rc = ensureUniqueNetns(attrs, extack, true)
  if (rc < 0) return rc
  if (attrs.targetNetnsid === undefined) return ctx.net
  return netById(ctx.net, attrs.targetNetnsid) ?? -Errno.EINVAL
}

function dellink(ctx: RtnlContext, msg: RtMessage): number {
  if (!isLink(msg)) return -Errno.EINVAL
  const { attrs } = msg
  const net = targetNet(ctx, attrs, ctx.extack)
  if (typeof net === 'number') return net
  let dev: NetDevice | undefined
  if (msg.index > 0) dev = net.devices.get(msg.index)
  else if (hasName(attrs)) dev = devByAttrs(net, attrs)
  else if (attrs.group !== undefined) return deleteGroup(net, attrs.group)
  else return -Errno.EINVAL
  if (dev === undefined) return attrs.ifname !== undefined || msg.index > 0 ? -Errno.ENODEV : -Errno.EINVAL
  return rtnlDeleteLink(dev)
}

function getlink(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isLink(msg)) return -Errno.EINVAL
  const { attrs } = msg
  const net = targetNet(ctx, attrs, ctx.extack)
  if (typeof net === 'number') return net
  let dev: NetDevice | undefined
  if (msg.index > 0) dev = net.devices.get(msg.index)
  else if (hasName(attrs)) dev = devByAttrs(net, attrs)
  else return -Errno.EINVAL
  if (dev === undefined) return -Errno.ENODEV
  return [rtnlFillIfinfo(dev, RTM_NEWLINK, 0, fillOptions(ctx, attrs))]
}

function fillOptions(ctx: RtnlContext, attrs: LinkAttrs): { extMask: number; srcNet: Net; targetNetnsid?: number } {
  const options = { extMask: attrs.extMask ?? 0, srcNet: ctx.net }
  return attrs.targetNetnsid === undefined ? options : { ...options, targetNetnsid: attrs.targetNetnsid }
}

function filtered(dev: NetDevice, attrs: LinkAttrs, kernel: Kernel): boolean {
  const { master } = attrs
  if (master !== undefined && master !== 0) {
    if (master === -1 || master === 0xffffffff) {
      if (dev.master !== undefined) return true
    } else if (dev.master?.ifindex !== master) return true
  }
  const kind = attrs.linkinfo?.kind
  const ops = kind === undefined ? undefined : rtnlState(kernel).kinds.get(kind)
  return ops !== undefined && dev.linkOps !== ops
}

function dump(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isLink(msg)) return -Errno.EINVAL
  const { attrs } = msg
  const net = targetNet(ctx, attrs, ctx.extack)
  if (typeof net === 'number') {
    ctx.extack.msg = 'Invalid target network namespace id'
    return net
  }
  const options = fillOptions(ctx, attrs)
  return devicesInDumpOrder(net)
    .filter(dev => !filtered(dev, attrs, net.kernel))
    .map(dev => rtnlFillIfinfo(dev, RTM_NEWLINK, 0, options))
}

function linkprop(ctx: RtnlContext, msg: RtMessage): number {
  if (!isLink(msg)) return -Errno.EINVAL
  const { attrs } = msg
  const unique = ensureUniqueNetns(attrs, ctx.extack, true)
  if (unique < 0) return unique
  if (msg.index <= 0 && !hasName(attrs)) return -Errno.EINVAL
  const dev = msg.index > 0 ? ctx.net.devices.get(msg.index) : devByAttrs(ctx.net, attrs)
  if (dev === undefined) return -Errno.ENODEV
  const change = msg.type === RTM_NEWLINKPROP ? devAddAltname : devDelAltname
  let changed = false
  for (const name of attrs.propList ?? []) {
    const rc = change(dev, name)
    if (rc < 0) return rc
    changed = true
  }
  if (changed) netdevStateChange(dev)
  return 0
}

/** IFLA_EVENT values of events that listeners hear of beside the change itself. */
const EVENTS: Partial<Record<NetdevEvent, number>> = {
  CHANGEMTU: 0,
  CHANGEADDR: 0,
  CHANGENAME: 0,
  FEAT_CHANGE: 2,
  NOTIFY_PEERS: 4,
  CHANGEUPPER: 0,
  RESEND_IGMP: 5,
  CHANGEINFODATA: 0,
  CHANGE_TX_QUEUE_LEN: 0,
}

/** Registers the link messages and the notifications that follow device events. */
export function rtnlLinkInit(kernel: Kernel): void {
  const { rtnl } = kernel
  rtnl.register(AF_UNSPEC, RTM_NEWLINK, { doit: newlink })
  rtnl.register(AF_UNSPEC, RTM_SETLINK, { doit: setlink })
  rtnl.register(AF_UNSPEC, RTM_DELLINK, { doit: dellink })
  rtnl.register(AF_UNSPEC, RTM_GETLINK, { doit: getlink, dumpit: dump })
  rtnl.register(AF_UNSPEC, RTM_NEWLINKPROP, { doit: linkprop })
  rtnl.register(AF_UNSPEC, RTM_DELLINKPROP, { doit: linkprop })
  rtnlNsidInit(kernel)
  rtnlFdbInit(kernel)
  rtnlBridgeInit(kernel)
  kernel.netdevChain.register((event, dev) => {
    const number = EVENTS[event]
    if (number !== undefined) rtmsgIfinfo(RTM_NEWLINK, dev, 0, { event: number })
    return 0
  })
}
