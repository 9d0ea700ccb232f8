/** Next hop objects as rtnetlink has them: RTM_NEWNEXTHOP, RTM_DELNEXTHOP, RTM_GETNEXTHOP, and devices that go away. */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOWER_UP, IFF_RUNNING } from '../../uapi/if.ts'
import { NLM_F_CREATE, NLM_F_MULTI, NLM_F_REPLACE } from '../../uapi/netlink.ts'
import {
  type NexthopMessage,
  RT_SCOPE_LINK,
  RT_TABLE_MAIN,
  RTM_DELNEXTHOP,
  RTM_GETNEXTHOP,
  RTM_NEWNEXTHOP,
  RTNH_F_OFFLOAD,
  RTNH_F_ONLINK,
  RTNH_F_TRAP,
  RTNLGRP_NEXTHOP,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../uapi/socket.ts'
import { NSEC_PER_SEC, USER_HZ } from '../core/clock.ts'
import { devGetFlags } from '../core/dev_flags.ts'
import { l3mdevFibTable } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck, RtnlContext } from '../core/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import { FibConfig, FibNh } from './fib_info.ts'
import { fibCheckNh, fibInfoUpdateNhcSaddr, fibNhInit, fibNhRelease } from './fib_nh.ts'
import { fibInfoNotifyUpdate } from './fib_notify.ts'
import { addrFromBytes, addrToBytes } from './inet_addr.ts'
import { ipv4Key } from './netns_ipv4.ts'
import {
  fibCheckNexthop,
  Nexthop,
  NexthopTable,
  NhGroup,
  NhGrpEntry,
  NhInfo,
  nexthop6Ops,
  nexthopFindById,
  nexthopKey,
  nexthopNumPath,
  nexthopRemoveRoutes,
} from './nexthop.ts'
import { nexthopBucketInit, notifyBucket } from './nexthop_bucket.ts'
import {
  checkNexthopGroup,
  checkNexthopSingle,
  NEXTHOP_GRP_TYPE_MPATH,
  NEXTHOP_GRP_TYPE_RES,
  nexthopDumped,
  nexthopRequestId,
} from './nexthop_check.ts'
import { NH_RES_DEFAULT_IDLE_TIMER, NhResTable, toClockT } from './nexthop_res.ts'
import { fnheUpdateMtu } from './route_exceptions.ts'
import { rtCacheFlush } from './rtable.ts'

type Attrs = NexthopMessage['attrs']

/** @returns an object as netlink shows it (nh_fill_node) */
function fillNode(nh: Nexthop, type: NexthopMessage['type'], flags: number): NexthopMessage {
  const attrs: Attrs = { id: nh.id }
  const msg: NexthopMessage = {
    type,
    flags,
    family: AF_UNSPEC,
    scope: 0,
    protocol: nh.protocol,
    nhFlags: nh.flags,
    attrs,
  }
  const { group } = nh
  if (group !== undefined) {
    if (group.fdb) attrs.fdb = true
    attrs.groupType = group.res === undefined ? NEXTHOP_GRP_TYPE_MPATH : NEXTHOP_GRP_TYPE_RES
    attrs.group = group.entries.map(entry => ({ id: entry.nh.id, weight: entry.weight - 1 }))
    if (group.res !== undefined)
      attrs.resGroup = {
        buckets: group.res.buckets.length,
        idleTimer: toClockT(group.res.idleTimer),
        unbalancedTimer: toClockT(group.res.unbalancedTimer),
        unbalancedTime: toClockT(group.res.unbalancedTime),
      }
    return msg
  }
  const info = nh.info!
  const { nhc } = info
  msg.family = info.family
  if (info.reject) {
    attrs.blackhole = true
    return msg
  }
  if (info.fdb) attrs.fdb = true
  else if (nhc.dev !== undefined) attrs.oif = nhc.dev.ifindex
  msg.scope = nhc.scope
  if (nhc.gwFamily === AF_INET) attrs.gateway = addrToBytes(nhc.gw4)
  else if (nhc.gwFamily === AF_INET6) attrs.gateway = nhc.gw6!.slice()
  if (nhc.encap !== undefined) attrs.encap = nhc.encap
  return msg
}

function notify(nh: Nexthop, type: NexthopMessage['type'], flags: number): void {
  nh.net.kernel.rtnl.notify(nh.net, RTNLGRP_NEXTHOP, () => fillNode(nh, type, flags))
}

function createGroup(net: Net, id: number, msg: NexthopMessage): Nexthop {
  const nh = new Nexthop(net, id, msg.protocol, msg.nhFlags)
  const { attrs } = msg
  const group = new NhGroup(attrs.group!.map(it => new NhGrpEntry(nexthopFindById(net, it.id)!, it.weight + 1)))
  group.fdb = attrs.fdb === true
  if (attrs.groupType === NEXTHOP_GRP_TYPE_RES) {
    const ns = (value: number): number => (value * NSEC_PER_SEC) / USER_HZ
    const { buckets, idleTimer, unbalancedTimer } = attrs.resGroup ?? {}
    group.res = new NhResTable(
      net,
      buckets ?? 0,
      idleTimer === undefined ? NH_RES_DEFAULT_IDLE_TIMER : ns(idleTimer),
      unbalancedTimer === undefined ? 0 : ns(unbalancedTimer),
    )
    group.res.onMigrate = index => notifyBucket(nh, index)
  } else group.rebalance()
  for (const entry of group.entries) entry.nh.groups.add(nh)
  nh.group = group
  return nh
}

function create4(
  nh: Nexthop,
  info: NhInfo,
  msg: NexthopMessage,
  dev: NetDevice | undefined,
  extack: NetlinkExtAck,
): number {
  const { net } = nh
  const { nhc } = info
  const cfg = new FibConfig(net)
  cfg.oif = info.reject ? net.loopback.ifindex : (msg.attrs.oif ?? 0)
  cfg.gw4 = addrFromBytes(msg.attrs.gateway)
  cfg.gwFamily = cfg.gw4 !== 0 ? AF_INET : 0
  cfg.flags = msg.nhFlags
  cfg.encap = msg.attrs.encap
  let rc = fibNhInit(nhc, cfg, 1, extack)
  if (rc === 0 && !info.fdb) {
    rc = fibCheckNh(net, nhc, dev === undefined ? RT_TABLE_MAIN : l3mdevFibTable(dev), 0, extack)
    if (rc === 0) {
      nh.flags = nhc.flags
      fibInfoUpdateNhcSaddr(net, nhc, nhc.scope === 0 ? 0 : nhc.scope - 1)
    }
  }
  if (rc < 0) fibNhRelease(net, nhc)
  return rc
}

function create6(
  nh: Nexthop,
  info: NhInfo,
  msg: NexthopMessage,
  dev: NetDevice | undefined,
  extack: NetlinkExtAck,
): number {
  const { net } = nh
  const ops = nexthop6Ops()
  if (ops === undefined) return extack.fail(-Errno.EAFNOSUPPORT, 'IPv6 support not enabled in kernel')
  const gateway = msg.attrs.gateway
  const anyGateway = gateway?.some(byte => byte !== 0) === true
  const { nhc } = info
  nhc.family = AF_INET6
  if (anyGateway) {
    nhc.gwFamily = AF_INET6
    nhc.gw6 = gateway!.slice()
  }
  // only a destination for bridge entries: no route can use it, so nothing has to be resolved
  if (info.fdb) return 0
  const made = ops.create(
    net,
    {
      table: dev === undefined ? 0 : l3mdevFibTable(dev),
      dev,
      ifindex: info.reject ? net.loopback.ifindex : (msg.attrs.oif ?? 0),
      gateway: nhc.gw6,
      flags: msg.nhFlags,
      fdb: info.fdb,
    },
    extack,
  )
  if (typeof made === 'number') return made
  info.nh6 = made
  nhc.dev = made.dev
  nhc.oif = made.dev.ifindex
  nhc.flags = made.flags
  nh.flags = made.flags
  return 0
}

function createSingle(
  net: Net,
  id: number,
  msg: NexthopMessage,
  dev: NetDevice | undefined,
  extack: NetlinkExtAck,
): Nexthop | number {
  const nh = new Nexthop(net, id, msg.protocol, msg.nhFlags)
  const nhc = new FibNh()
  nhc.scope = RT_SCOPE_LINK
  const info = new NhInfo(msg.family, nhc, msg.attrs.blackhole === true, msg.attrs.fdb === true)
  nh.info = info
  const rc = msg.family === AF_INET ? create4(nh, info, msg, dev, extack) : create6(nh, info, msg, dev, extack)
  return rc < 0 ? rc : nh
}

/** Takes an object's own parts down; used for those that go and for what a replacement leaves over (__remove_nexthop). */
function dismantle(nh: Nexthop, told: boolean): void {
  nexthopRemoveRoutes(nh.net, nh)
  const { group } = nh
  if (group !== undefined) {
    for (const entry of group.entries) entry.nh.groups.delete(nh)
    group.res?.stop()
    return
  }
  for (const parent of [...nh.groups].reverse()) removeFromGroup(parent, nh, told)
  const info = nh.info!
  fibNhRelease(nh.net, info.nhc)
  if (info.nh6 !== undefined) nexthop6Ops()?.release(info.nh6)
}

/** Takes a member out of a group; a group without members goes (remove_nh_grp_entry). */
function removeFromGroup(parent: Nexthop, nh: Nexthop, told: boolean): void {
  const old = parent.group!
  nh.groups.delete(parent)
  if (old.entries.length === 1) {
    removeNexthop(parent, told)
    return
  }
  const group = new NhGroup(
    old.entries.filter(entry => entry.nh !== nh).map(entry => new NhGrpEntry(entry.nh, entry.weight)),
  )
  group.fdb = old.fdb
  group.res = old.res
  if (group.res === undefined) group.rebalance()
  else group.res.replace(group)
  parent.group = group
  rtCacheFlush(parent.net)
  nexthop6Ops()?.updateRoutes(parent.net, parent, false)
  if (told) notify(parent, RTM_NEWNEXTHOP, 0)
}

/** Deletes an object, the routes that use it, and its place in groups (remove_nexthop). */
function removeNexthop(nh: Nexthop, told: boolean): void {
  nh.net.at(nexthopKey).remove(nh)
  if (told) notify(nh, RTM_DELNEXTHOP, 0)
  dismantle(nh, told)
}

function checkRoutes(old: Nexthop, fresh: Nexthop, extack: NetlinkExtAck): number {
  for (const fi of old.fibInfos) {
    const rc = fibCheckNexthop(fresh, fi.scope, extack)
    if (rc < 0) return rc
  }
  return nexthop6Ops()?.checkRoutes(old, fresh, extack) ?? 0
}

function replaceGroup(old: Nexthop, fresh: Nexthop, msg: NexthopMessage, extack: NetlinkExtAck): number {
  const { group } = fresh
  if (group === undefined) return extack.fail(-Errno.EINVAL, 'Can not replace a nexthop group with a nexthop.')
  const was = old.group!
  if ((group.res === undefined) !== (was.res === undefined))
    return extack.fail(-Errno.EINVAL, 'Can not replace a nexthop group with one of a different type.')
  if (was.res !== undefined) {
    const { buckets, idleTimer, unbalancedTimer } = msg.attrs.resGroup ?? {}
    if (buckets !== undefined && buckets !== was.res.buckets.length)
      return extack.fail(-Errno.EINVAL, 'Can not change number of buckets of a resilient nexthop group.')
    if (idleTimer !== undefined) was.res.idleTimer = group.res!.idleTimer
    if (unbalancedTimer !== undefined) was.res.unbalancedTimer = group.res!.unbalancedTimer
    was.res.replace(group)
    group.res = was.res
  }
  for (const entry of was.entries) entry.nh.groups.delete(old)
  for (const entry of group.entries) {
    entry.nh.groups.delete(fresh)
    entry.nh.groups.add(old)
  }
  old.group = group
  return 0
}

function replaceSingle(old: Nexthop, fresh: Nexthop, extack: NetlinkExtAck): number {
  if (fresh.group !== undefined) return extack.fail(-Errno.EINVAL, 'Can not replace a nexthop with a nexthop group.')
  const was = old.info!
  const now = fresh.info!
  if (old.groups.size > 0 && was.fdb !== now.fdb)
    return extack.fail(-Errno.EINVAL, 'Cannot change nexthop FDB status while in a group')
  old.protocol = fresh.protocol
  old.flags = fresh.flags | (old.flags & (RTNH_F_OFFLOAD | RTNH_F_TRAP))
  old.info = now
  fresh.info = was
  return 0
}

/** Puts another definition in an object's place (replace_nexthop). */
function replaceNexthop(old: Nexthop, fresh: Nexthop, msg: NexthopMessage, extack: NetlinkExtAck): number {
  let rc = checkRoutes(old, fresh, extack)
  if (rc < 0) return rc
  const reject = fresh.info?.reject === true
  for (const parent of old.groups) {
    if (reject && nexthopNumPath(parent) > 1) {
      const text = 'Blackhole nexthop can not be a member of a group with more than one path'
      return extack.fail(-Errno.EINVAL, text)
    }
    rc = checkRoutes(parent, fresh, extack)
    if (rc < 0) return rc
  }
  rc = old.group === undefined ? replaceSingle(old, fresh, extack) : replaceGroup(old, fresh, msg, extack)
  if (rc < 0) return rc
  rtCacheFlush(old.net)
  for (const nh of [old, ...old.groups]) nexthop6Ops()?.updateRoutes(old.net, nh, false)
  if (fresh.info !== undefined) {
    fibNhRelease(old.net, fresh.info.nhc)
    if (fresh.info.nh6 !== undefined) nexthop6Ops()?.release(fresh.info.nh6)
  }
  return 0
}

/** Routes that use an object look different now: listeners hear of each (nexthop_replace_notify). */
function notifyRoutes(nh: Nexthop): void {
  for (const it of [nh, ...nh.groups]) {
    if (it.fibInfos.size > 0) {
      for (const fi of it.fibInfos) fi.nhUpdated = true
      fibInfoNotifyUpdate(it.net)
      for (const fi of it.fibInfos) fi.nhUpdated = false
    }
    nexthop6Ops()?.updateRoutes(it.net, it, true)
  }
}

function insertNexthop(nh: Nexthop, msg: NexthopMessage, extack: NetlinkExtAck): number {
  const { net } = nh
  const table = net.at(nexthopKey)
  const replace = (msg.flags & NLM_F_REPLACE) !== 0
  const old = table.get(nh.id)
  if (old !== undefined) {
    if (!replace) return -Errno.EEXIST
    const rc = replaceNexthop(old, nh, msg, extack)
    if (rc < 0) return rc
    notify(old, RTM_NEWNEXTHOP, msg.flags)
    if (net.at(ipv4Key).nexthopCompatMode !== 0) notifyRoutes(old)
    return 0
  }
  if (replace && (msg.flags & NLM_F_CREATE) === 0)
    return extack.fail(-Errno.ENOENT, 'Replace specified without create and no entry exists')
  const res = nh.group?.res
  if (res !== undefined) {
    if (res.buckets.length === 0)
      return extack.fail(-Errno.EINVAL, 'Number of buckets not specified for nexthop group insertion')
    res.start(nh.group!)
  }
  table.add(nh)
  notify(nh, RTM_NEWNEXTHOP, msg.flags)
  return 0
}

function newNexthop(ctx: RtnlContext, message: RtMessage): number {
  const msg = message as NexthopMessage
  const { net, extack } = ctx
  const { attrs } = msg
  if (msg.scope !== 0) return extack.fail(-Errno.EINVAL, 'Invalid values in ancillary header')
  if ((msg.nhFlags & ~RTNH_F_ONLINK) !== 0)
    return extack.fail(-Errno.EINVAL, 'Invalid nexthop flags in ancillary header')
  const known = msg.family === AF_INET || msg.family === AF_INET6
  if (!known && !(msg.family === AF_UNSPEC && attrs.group !== undefined))
    return extack.fail(-Errno.EINVAL, 'Invalid address family')
  if (attrs.fdb === true) {
    if (attrs.oif !== undefined || attrs.blackhole === true || attrs.encap !== undefined)
      return extack.fail(-Errno.EINVAL, 'Fdb attribute can not be used with encap, oif or blackhole')
    if (msg.nhFlags !== 0) return extack.fail(-Errno.EINVAL, 'Unsupported nexthop flags in ancillary header')
  }
  let dev: NetDevice | undefined
  if (attrs.group !== undefined) {
    if (msg.family !== AF_UNSPEC) return extack.fail(-Errno.EINVAL, 'Invalid family for group')
    const groupType = attrs.groupType ?? NEXTHOP_GRP_TYPE_MPATH
    if (groupType > NEXTHOP_GRP_TYPE_RES) return extack.fail(-Errno.EINVAL, 'Invalid group type')
    const rc = checkNexthopGroup(net, attrs, groupType, extack)
    if (rc < 0) return rc
    if (groupType === NEXTHOP_GRP_TYPE_RES && attrs.resGroup?.buckets === 0)
      return extack.fail(-Errno.EINVAL, 'Number of buckets needs to be non-0')
  } else {
    const found = checkNexthopSingle(net, msg, extack)
    if (typeof found === 'number') return found
    dev = found
  }
  let id = attrs.id ?? 0
  if (id === 0) {
    if ((msg.flags & NLM_F_REPLACE) !== 0) return extack.fail(-Errno.EINVAL, 'Replace requires nexthop id')
    id = net.at(nexthopKey).unusedId()
    if (id === 0) return extack.fail(-Errno.EINVAL, 'No unused id')
  }
  const nh = attrs.group === undefined ? createSingle(net, id, msg, dev, extack) : createGroup(net, id, msg)
  if (typeof nh === 'number') return nh
  const rc = insertNexthop(nh, msg, extack)
  if (rc < 0) dismantle(nh, false)
  return rc
}

function delNexthop(ctx: RtnlContext, message: RtMessage): number {
  const id = nexthopRequestId(message as NexthopMessage, ctx.extack)
  if (id < 0) return id
  const nh = nexthopFindById(ctx.net, id)
  if (nh === undefined) return -Errno.ENOENT
  removeNexthop(nh, true)
  return 0
}

function getNexthop(ctx: RtnlContext, message: RtMessage): RtMessage[] | number {
  const id = nexthopRequestId(message as NexthopMessage, ctx.extack)
  if (id < 0) return id
  const nh = nexthopFindById(ctx.net, id)
  return nh === undefined ? -Errno.ENOENT : [fillNode(nh, RTM_NEWNEXTHOP, 0)]
}

function dumpNexthops(ctx: RtnlContext, message: RtMessage): RtMessage[] | number {
  const msg = message as NexthopMessage
  if (msg.protocol !== 0 || msg.scope !== 0 || msg.nhFlags !== 0)
    return ctx.extack.fail(-Errno.EINVAL, 'Invalid values in header for nexthop dump request')
  const all = ctx.net.at(nexthopKey).all()
  return all.filter(nh => nexthopDumped(nh, msg.family, msg.attrs)).map(nh => fillNode(nh, RTM_NEWNEXTHOP, NLM_F_MULTI))
}

/** A device goes, goes down, or loses its link: so do its objects (nexthop_flush_dev). */
function flushDev(dev: NetDevice, unregister: boolean): void {
  for (const nh of dev.net.at(nexthopKey).all()) {
    if (nh.info?.nhc.dev !== dev || (nh.info.reject && !unregister)) continue
    if (!nh.dead) removeNexthop(nh, false)
  }
}

/** Registers next hop objects with a kernel; called before devices' other followers in IPv4. */
export function nexthopInit(kernel: Kernel): void {
  kernel.registerPernet({
    init: net => net.set(nexthopKey, new NexthopTable()),
    exit: net => {
      for (const nh of net.at(nexthopKey).all()) if (!nh.dead) removeNexthop(nh, false)
    },
  })
  kernel.netdevChain.register((event, dev, info) => {
    if (event === 'DOWN' || event === 'UNREGISTER') flushDev(dev, event === 'UNREGISTER')
    else if (event === 'CHANGE') {
      if ((devGetFlags(dev) & (IFF_RUNNING | IFF_LOWER_UP)) === 0) flushDev(dev, false)
    } else if (event === 'CHANGEMTU') {
      for (const nh of dev.net.at(nexthopKey).all())
        if (nh.info?.family === AF_INET && nh.info.nhc.dev === dev) fnheUpdateMtu(nh.info.nhc, dev.mtu, info.mtu ?? 0)
    }
    return 0
  })
  const { rtnl } = kernel
  rtnl.register(AF_UNSPEC, RTM_NEWNEXTHOP, { doit: newNexthop })
  rtnl.register(AF_UNSPEC, RTM_DELNEXTHOP, { doit: delNexthop })
  rtnl.register(AF_UNSPEC, RTM_GETNEXTHOP, { doit: getNexthop, dumpit: dumpNexthops })
  nexthopBucketInit(kernel)
}
