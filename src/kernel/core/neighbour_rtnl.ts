/** Neighbours over rtnetlink: RTM_*NEIGH for entries and proxies of every family, and their notifications. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_MULTI, NLM_F_REPLACE } from '../../uapi/netlink.ts'
import {
  type NeighAttrs,
  type NeighMessage,
  NTF_EXT_LEARNED,
  NTF_PROXY,
  NTF_ROUTER,
  NTF_USE,
  NUD_FAILED,
  NUD_NONE,
  NUD_PERMANENT,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  RTN_UNICAST,
  RTNLGRP_NEIGH,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../uapi/socket.ts'
import type { Kernel } from '../kernel.ts'
import { NSEC_PER_SEC, USER_HZ } from './clock.ts'
import {
  NEIGH_UPDATE_F_ADMIN,
  NEIGH_UPDATE_F_EXT_LEARNED,
  NEIGH_UPDATE_F_ISROUTER,
  NEIGH_UPDATE_F_MANAGED,
  NEIGH_UPDATE_F_OVERRIDE,
  NEIGH_UPDATE_F_OVERRIDE_ISROUTER,
  NEIGH_UPDATE_F_USE,
  type Neighbour,
  type NeighTable,
  NTF_EXT_SHIFT,
  NTF_MANAGED,
  NUD_VALID,
  neighCreate,
  neighEventSend,
  neighTables,
  neighUpdate,
  type PneighEntry,
  pneighCreate,
  pneighDelete,
  pneighLookup,
  pneighPurge,
} from './neighbour.ts'
import type { NetDevice } from './net_device.ts'
import type { RtnlContext } from './rtnetlink.ts'

/** The flags of ndm_flags; those above travel in NDA_FLAGS_EXT. */
const FLAGS_MASK = 0xff

/** @returns an entry as a message (neigh_fill_info) */
export function neighFillInfo(n: Neighbour, type: NeighMessage['type'], flags: number): NeighMessage {
  const now = n.tbl.kernel.clock.now
  const age = (since: number): number => Math.floor(((now - since) * USER_HZ) / NSEC_PER_SEC)
  const attrs: NeighAttrs = { dst: n.primaryKey.slice() }
  if ((n.nudState & NUD_VALID) !== 0) attrs.lladdr = n.ha.slice()
  attrs.cacheinfo = {
    confirmed: age(n.confirmed),
    used: age(n.used),
    updated: age(n.updated),
    // what holds an entry beside the table is its timer
    refcnt: n.timer.pending ? 1 : 0,
  }
  attrs.probes = n.probes
  if (n.protocol !== 0) attrs.protocol = n.protocol
  if (n.flags >> NTF_EXT_SHIFT !== 0) attrs.extFlags = n.flags >> NTF_EXT_SHIFT
  return {
    type,
    flags,
    family: n.tbl.ops.family,
    ifindex: n.dev.ifindex,
    state: n.nudState,
    ndmFlags: n.flags & FLAGS_MASK,
    ndmType: n.type,
    attrs,
  }
}

function pneighFillInfo(tbl: NeighTable, entry: PneighEntry, flags: number): NeighMessage {
  const attrs: NeighAttrs = { dst: entry.key.slice() }
  if (entry.protocol !== 0) attrs.protocol = entry.protocol
  if (entry.flags >> NTF_EXT_SHIFT !== 0) attrs.extFlags = entry.flags >> NTF_EXT_SHIFT
  return {
    type: RTM_NEWNEIGH,
    flags,
    family: tbl.ops.family,
    ifindex: entry.dev?.ifindex ?? 0,
    state: NUD_NONE,
    ndmFlags: (entry.flags & FLAGS_MASK) | NTF_PROXY,
    ndmType: RTN_UNICAST,
    attrs,
  }
}

/** What the three requests have in common. */
interface Target {
  readonly tbl: NeighTable
  readonly dst: Uint8Array
  readonly dev: NetDevice | undefined
}

function device(ctx: RtnlContext, msg: NeighMessage): NetDevice | undefined | number {
  if (msg.ifindex === 0) return undefined
  return ctx.net.devByIndex(msg.ifindex) ?? -Errno.ENODEV
}

/** Finds table, address and device of RTM_NEWNEIGH and RTM_DELNEIGH. */
function target(ctx: RtnlContext, msg: NeighMessage): Target | number {
  const { extack } = ctx
  const { dst, lladdr } = msg.attrs
  if (dst === undefined) return extack.fail(-Errno.EINVAL, 'Network address not specified')
  const dev = device(ctx, msg)
  if (typeof dev === 'number') return dev
  if (msg.type === RTM_NEWNEIGH && dev !== undefined && lladdr !== undefined && lladdr.length < dev.addrLen)
    return extack.fail(-Errno.EINVAL, 'Invalid link address')
  const tbl = neighTables(ctx.net.kernel).get(msg.family)
  if (tbl === undefined) return -Errno.EAFNOSUPPORT
  if (dst.length < tbl.ops.keyLen) return extack.fail(-Errno.EINVAL, 'Invalid network address')
  return { tbl, dst: dst.subarray(0, tbl.ops.keyLen), dev }
}

/** RTM_NEWNEIGH (neigh_add). */
function neighAdd(ctx: RtnlContext, request: RtMessage): number {
  const msg = request as NeighMessage
  const { extack } = ctx
  const found = target(ctx, msg)
  if (typeof found === 'number') return found
  const { tbl, dst, dev } = found
  const flags = msg.ndmFlags | ((msg.attrs.extFlags ?? 0) << NTF_EXT_SHIFT)
  const protocol = msg.attrs.protocol ?? 0
  if ((flags & NTF_PROXY) !== 0) {
    if ((flags & NTF_MANAGED) !== 0) return extack.fail(-Errno.EINVAL, 'Invalid NTF_* flag combination')
    const entry = pneighCreate(tbl, ctx.net, dst, dev)
    if (entry === undefined) return -Errno.ENOBUFS
    entry.flags = flags
    if (protocol !== 0) entry.protocol = protocol
    return 0
  }
  if (dev === undefined) return extack.fail(-Errno.EINVAL, 'Device not specified')
  if (tbl.ops.allowAdd?.(dev, extack) === false) return -Errno.EINVAL

  let update = NEIGH_UPDATE_F_ADMIN | NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_OVERRIDE_ISROUTER
  let neigh: Neighbour | number | undefined = tbl.lookup(dst, dev)
  if (neigh === undefined) {
    const permanent = (msg.state & NUD_PERMANENT) !== 0
    if ((msg.flags & NLM_F_CREATE) === 0) return -Errno.ENOENT
    if (permanent && (flags & NTF_MANAGED) !== 0)
      return extack.fail(-Errno.EINVAL, 'Invalid NTF_* flag for permanent entry')
    const exempt = permanent || (flags & NTF_EXT_LEARNED) !== 0
    neigh = neighCreate(tbl, dst, dev, flags & (NTF_EXT_LEARNED | NTF_MANAGED), exempt)
    if (typeof neigh === 'number') return neigh
  } else {
    if ((msg.flags & NLM_F_EXCL) !== 0) return -Errno.EEXIST
    if ((msg.flags & NLM_F_REPLACE) === 0) update &= ~(NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_OVERRIDE_ISROUTER)
  }
  if (protocol !== 0) neigh.protocol = protocol
  if ((flags & NTF_EXT_LEARNED) !== 0) update |= NEIGH_UPDATE_F_EXT_LEARNED
  if ((flags & NTF_ROUTER) !== 0) update |= NEIGH_UPDATE_F_ISROUTER
  if ((flags & NTF_MANAGED) !== 0) update |= NEIGH_UPDATE_F_MANAGED
  if ((flags & NTF_USE) !== 0) update |= NEIGH_UPDATE_F_USE
  const rc = neighUpdate(neigh, msg.attrs.lladdr, msg.state, update, extack)
  if (rc === 0 && (flags & (NTF_USE | NTF_MANAGED)) !== 0) neighEventSend(neigh, null)
  ctx.net.kernel.softirq.flush()
  return rc
}

/** RTM_DELNEIGH (neigh_delete). */
function neighDelete(ctx: RtnlContext, request: RtMessage): number {
  const msg = request as NeighMessage
  const found = target(ctx, msg)
  if (typeof found === 'number') return found
  const { tbl, dst, dev } = found
  if ((msg.ndmFlags & NTF_PROXY) !== 0) return pneighDelete(tbl, ctx.net, dst, dev)
  if (dev === undefined) return -Errno.EINVAL
  const neigh = tbl.lookup(dst, dev)
  if (neigh === undefined) return -Errno.ENOENT
  const rc = neighUpdate(neigh, undefined, NUD_FAILED, NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN, ctx.extack)
  tbl.remove(neigh)
  return rc
}

/** RTM_GETNEIGH of one entry (neigh_get). */
function neighGet(ctx: RtnlContext, request: RtMessage): number | RtMessage[] {
  const msg = request as NeighMessage
  const { extack, net } = ctx
  const { dst } = msg.attrs
  if (msg.state !== 0 || msg.ndmType !== 0)
    return extack.fail(-Errno.EINVAL, 'Invalid values in header for neighbor get request')
  if ((msg.ndmFlags & ~NTF_PROXY) !== 0)
    return extack.fail(-Errno.EINVAL, 'Invalid flags in header for neighbor get request')
  const tbl = neighTables(net.kernel).get(msg.family)
  if (tbl === undefined)
    return extack.fail(-Errno.EAFNOSUPPORT, 'Unsupported family in header for neighbor get request')
  if (dst !== undefined && dst.length !== tbl.ops.keyLen)
    return extack.fail(-Errno.EINVAL, 'Invalid network address in neighbor get request')
  const dev = device(ctx, msg)
  if (typeof dev === 'number') return extack.fail(dev, 'Unknown device ifindex')
  if (dst === undefined) return extack.fail(-Errno.EINVAL, 'Network address not specified')
  if ((msg.ndmFlags & NTF_PROXY) !== 0) {
    const entry = pneighLookup(tbl, net, dst, dev)
    if (entry === undefined) return extack.fail(-Errno.ENOENT, 'Proxy neighbour entry not found')
    return [pneighFillInfo(tbl, entry, 0)]
  }
  if (dev === undefined) return extack.fail(-Errno.EINVAL, 'No device specified')
  const neigh = tbl.lookup(dst, dev)
  if (neigh === undefined) return extack.fail(-Errno.ENOENT, 'Neighbour entry not found')
  return [neighFillInfo(neigh, RTM_NEWNEIGH, 0)]
}

/** What a dump is restricted to; 0 means anything, master -1 devices without one. */
function filtered(dev: NetDevice | undefined, ifindex: number, master: number): boolean {
  if (ifindex !== 0 && dev?.ifindex !== ifindex) return true
  if (master === 0) return false
  const own = dev?.master?.ifindex
  return master === -1 ? own !== undefined : own !== master
}

/** RTM_GETNEIGH of all, by family, device or master (neigh_dump_info). */
function neighDump(ctx: RtnlContext, request: RtMessage): RtMessage[] {
  const msg = request as NeighMessage
  const { net } = ctx
  const family = msg.family
  const ifindex = msg.attrs.ifindex ?? msg.ifindex ?? 0
  const master = (msg.attrs.master ?? 0) | 0
  const out: RtMessage[] = []
  for (const tbl of neighTables(net.kernel).values()) {
    if (family !== AF_UNSPEC && tbl.ops.family !== family) continue
    if (msg.ndmFlags === NTF_PROXY) {
      for (const entry of tbl.proxies.entries)
        if (entry.net === net && !filtered(entry.dev, ifindex, master))
          out.push(pneighFillInfo(tbl, entry, NLM_F_MULTI))
    } else {
      for (const n of tbl)
        if (n.dev.net === net && !filtered(n.dev, ifindex, master))
          out.push(neighFillInfo(n, RTM_NEWNEIGH, NLM_F_MULTI))
    }
  }
  return out
}

function notifyOf(n: Neighbour, type: NeighMessage['type']): void {
  const { net } = n.dev
  net.kernel.rtnl.notify(net, RTNLGRP_NEIGH, () => neighFillInfo(n, type, 0))
}

/** Tells listeners that an entry has changed, or goes. */
export function neighNotify(n: Neighbour, gone: boolean): void {
  notifyOf(n, gone ? RTM_DELNEIGH : RTM_NEWNEIGH)
}

/** Asks user space to resolve an entry (neigh_app_ns): a notification with the request flag. */
export function neighAppNs(n: Neighbour): void {
  notifyOf(n, RTM_GETNEIGH)
}

/** Registers the messages with a kernel, and takes the proxies of namespaces that end out of the tables (neigh_init). */
export function neighRtnlInit(kernel: Kernel): void {
  kernel.registerPernet({
    init: () => {},
    exit(net) {
      for (const tbl of neighTables(kernel).values()) pneighPurge(tbl, entry => entry.net === net)
    },
  })
  kernel.rtnl.register(AF_UNSPEC, RTM_NEWNEIGH, { doit: neighAdd })
  kernel.rtnl.register(AF_UNSPEC, RTM_DELNEIGH, { doit: neighDelete })
  kernel.rtnl.register(AF_UNSPEC, RTM_GETNEIGH, {
    doit: neighGet,
    dumpit: neighDump,
  })
}
