/** Creating a link on request: its namespace, the device with the attributes every kind has, and what its kind makes of it. */
import { Errno } from '../../uapi/errno.ts'
import type { LinkAttrs, LinkMessage } from '../../uapi/rtnetlink.ts'
import { devValidateMtu } from './dev_config.ts'
import { allocNetdev, registerNetdevice, unregisterNetdevice, unregisterNetdeviceMany } from './dev_core.ts'
import { devChangeFlagsQuietly, devNotifyFlags } from './dev_flags.ts'
import { devChangeNetNamespace } from './dev_netns.ts'
import { setOperstate } from './link_watch.ts'
import { NET_ADDR_SET, NET_NAME_ENUM, NET_NAME_USER, type NetDevice, type RtnlLinkOps } from './net_device.ts'
import type { Net } from './net_namespace.ts'
import type { NetlinkExtAck, RtnlContext } from './rtnetlink.ts'
import { netById } from './rtnl_nsid.ts'
import { combineFlags, doSetMaster, validateLinkmsg } from './rtnl_setlink.ts'

/** Most queues of one direction. */
const MAX_QUEUES = 4096

/**
 * @returns the namespace a request is about (rtnl_link_get_net): by descriptor, process or id, else `net`;
 * -ESRCH, -EBADF or -EINVAL where there is no such thing
 */
export function rtnlLinkGetNet(ctx: RtnlContext, net: Net, attrs: LinkAttrs): Net | number {
  if (attrs.netNsPid !== undefined) return ctx.netByPid(attrs.netNsPid) ?? -Errno.ESRCH
  if (attrs.netNsFd !== undefined) return ctx.netByFd(attrs.netNsFd) ?? -Errno.EINVAL
  if (attrs.targetNetnsid !== undefined) return netById(net, attrs.targetNetnsid) ?? -Errno.EINVAL
  return net
}

/** Checks that a request names its namespace in one way only (rtnl_ensure_unique_netns). */
export function ensureUniqueNetns(attrs: LinkAttrs, extack: NetlinkExtAck, onlyId: boolean): number {
  const named = [attrs.netNsPid, attrs.netNsFd, attrs.targetNetnsid].filter(each => each !== undefined).length
  if (onlyId) {
    if (attrs.netNsPid === undefined && attrs.netNsFd === undefined) return 0
    return extack.fail(-Errno.EOPNOTSUPP, 'specified netns attribute not supported')
  }
  if (named <= 1) return 0
  return extack.fail(-Errno.EINVAL, 'multiple netns identifying attributes specified')
}

/**
 * Makes a device with the attributes all kinds share, not registered yet (rtnl_create_link).
 * @param name a name or pattern
 */
export function rtnlCreateLink(
  net: Net,
  name: string,
  ops: RtnlLinkOps,
  msg: LinkMessage,
  extack: NetlinkExtAck,
): NetDevice | number {
  const { attrs } = msg
  const txQueues = attrs.numTxQueues ?? ops.getNumTxQueues?.(net) ?? 1
  const rxQueues = attrs.numRxQueues ?? ops.getNumRxQueues?.(net) ?? 1
  if (txQueues < 1 || txQueues > MAX_QUEUES) return extack.fail(-Errno.EINVAL, 'Invalid number of transmit queues')
  if (rxQueues < 1 || rxQueues > MAX_QUEUES) return extack.fail(-Errno.EINVAL, 'Invalid number of receive queues')
  const dev = allocNetdev(net, name, each => ops.setup(each), txQueues, rxQueues)
  const rc = validateLinkmsg(dev, attrs, extack)
  if (rc < 0) return rc
  dev.linkOps = ops
  dev.nameAssignType = attrs.ifname !== undefined && attrs.ifname !== '' ? NET_NAME_USER : NET_NAME_ENUM
  if (attrs.mtu !== undefined) {
    const bad = devValidateMtu(dev, attrs.mtu, extack)
    if (bad < 0) return bad
    dev.mtu = attrs.mtu
  }
  if (attrs.address !== undefined) {
    dev.devAddr = attrs.address.slice(0, dev.addrLen)
    dev.addrAssignType = NET_ADDR_SET
  }
  if (attrs.broadcast !== undefined) dev.broadcast = attrs.broadcast.slice(0, dev.addrLen)
  if (attrs.txqlen !== undefined) dev.txQueueLen = attrs.txqlen
  if (attrs.operstate !== undefined) setOperstate(dev, attrs.operstate)
  if (attrs.linkmode !== undefined) dev.linkMode = attrs.linkmode
  if (attrs.group !== undefined) dev.group = attrs.group
  if (attrs.gsoMaxSize !== undefined) dev.gsoMaxSize = attrs.gsoMaxSize
  if (attrs.gsoMaxSegs !== undefined) dev.gsoMaxSegs = attrs.gsoMaxSegs
  if (attrs.groMaxSize !== undefined) dev.groMaxSize = attrs.groMaxSize
  return dev
}

/** Applies a request's flags to a fresh device and tells listeners of it (rtnl_configure_link). */
export function rtnlConfigureLink(dev: NetDevice, msg: { ifFlags: number; change: number } | undefined): number {
  const old = dev.flags
  if (msg !== undefined && (msg.ifFlags !== 0 || msg.change !== 0)) {
    const rc = devChangeFlagsQuietly(dev, combineFlags(dev, msg))
    if (rc < 0) return rc
  }
  const gchanges = dev.linkInitialized ? old ^ dev.flags : ~0
  dev.linkInitialized = true
  devNotifyFlags(dev, old, gchanges)
  return 0
}

/** Makes a link of a kind (rtnl_newlink_create). @returns 0 or a negative error */
export function rtnlNewlinkCreate(ctx: RtnlContext, msg: LinkMessage, ops: RtnlLinkOps): number {
  const { net, extack } = ctx
  const { attrs } = msg
  if (ops.noSetup === true) return -Errno.EOPNOTSUPP
  const name = attrs.ifname !== undefined && attrs.ifname !== '' ? attrs.ifname : `${ops.kind}%d`
  const destNet = rtnlLinkGetNet(ctx, net, attrs)
  if (typeof destNet === 'number') return destNet
  let linkNet: Net | undefined
  if (attrs.linkNetnsid !== undefined) {
    linkNet = netById(destNet, attrs.linkNetnsid)
    if (linkNet === undefined) return extack.fail(-Errno.EINVAL, 'Unknown network namespace id')
  }
  const dev = rtnlCreateLink(linkNet ?? destNet, name, ops, msg, extack)
  if (typeof dev === 'number') return dev
  dev.ifindex = msg.index
  let rc = ops.newlink === undefined ? registerNetdevice(dev) : ops.newlink(linkNet ?? net, dev, msg, extack, ctx)
  if (rc < 0) return rc
  rc = rtnlConfigureLink(dev, msg)
  if (rc === 0 && linkNet !== undefined) rc = devChangeNetNamespace(dev, destNet, name)
  if (rc === 0 && attrs.master !== undefined) rc = doSetMaster(dev, attrs.master, extack)
  if (rc < 0) undoNewlink(dev, ops)
  return rc
}

function undoNewlink(dev: NetDevice, ops: RtnlLinkOps): void {
  if (ops.newlink === undefined || ops.dellink === undefined) {
    unregisterNetdevice(dev)
    return
  }
  const kill: NetDevice[] = []
  ops.dellink(dev, kill)
  unregisterNetdeviceMany(kill)
}
