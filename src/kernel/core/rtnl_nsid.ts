/** Ids that a namespace has for other namespaces (peer nsid), and their rtnetlink messages RTM_*NSID. */
import { Errno } from '../../uapi/errno.ts'
import {
  type NsidMessage,
  RTM_DELNSID,
  RTM_GETNSID,
  RTM_NEWNSID,
  RTNLGRP_NSID,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../uapi/socket.ts'
import type { Kernel } from '../kernel.ts'
import type { Net } from './net_namespace.ts'
import type { RtnlContext } from './rtnetlink.ts'

/** The id of a namespace that has none (NETNSA_NSID_NOT_ASSIGNED). */
export const NSID_NOT_ASSIGNED = -1

/** @returns the id that `net` has for `peer`, or NSID_NOT_ASSIGNED (peernet2id) */
export function peernet2id(net: Net, peer: Net): number {
  return net.nsids.get(peer) ?? NSID_NOT_ASSIGNED
}

/** @returns the id that `net` has for `peer`, given now where it had none; NSID_NOT_ASSIGNED where one of them is ending (peernet2id_alloc) */
export function peernet2idAlloc(net: Net, peer: Net): number {
  if (!net.alive) return NSID_NOT_ASSIGNED
  const known = net.nsids.get(peer)
  if (known !== undefined) return known
  if (!peer.alive) return NSID_NOT_ASSIGNED
  const id = allocNetid(net, peer, NSID_NOT_ASSIGNED)
  notifyId(net, RTM_NEWNSID, id)
  return id
}

/** @returns the namespace that has this id in `net` (get_net_ns_by_id) */
export function netById(net: Net, id: number): Net | undefined {
  if (id < 0) return undefined
  for (const [peer, known] of net.nsids) if (known === id) return peer
  return undefined
}

function allocNetid(net: Net, peer: Net, wanted: number): number {
  const used = new Set(net.nsids.values())
  let id = wanted
  if (wanted < 0) for (id = 0; used.has(id); ) id++
  else if (used.has(wanted)) return -Errno.ENOSPC
  net.nsids.set(peer, id)
  return id
}

function notifyId(net: Net, type: NsidMessage['type'], nsid: number): void {
  net.kernel.rtnl.notify(net, RTNLGRP_NSID, () => ({ type, flags: 0, attrs: { nsid } }))
}

function isNsid(msg: RtMessage): msg is NsidMessage {
  return msg.type === RTM_NEWNSID || msg.type === RTM_DELNSID || msg.type === RTM_GETNSID
}

function peerOf(ctx: RtnlContext, attrs: NsidMessage['attrs'], byId: boolean): Net | number {
  let peer: Net | undefined
  let missing: number
  if (attrs.pid !== undefined) {
    peer = ctx.netByPid(attrs.pid)
    missing = -Errno.ESRCH
  } else if (attrs.fd !== undefined) {
    peer = ctx.netByFd(attrs.fd)
    missing = -Errno.EBADF
  } else if (byId && attrs.nsid !== undefined) {
    peer = netById(ctx.net, attrs.nsid)
    missing = -Errno.ENOENT
  } else return ctx.extack.fail(-Errno.EINVAL, 'Peer netns reference is missing')
  return peer ?? ctx.extack.fail(missing, 'Peer netns reference is invalid')
}

function newId(ctx: RtnlContext, msg: RtMessage): number {
  if (!isNsid(msg)) return -Errno.EINVAL
  const { nsid } = msg.attrs
  if (nsid === undefined) return ctx.extack.fail(-Errno.EINVAL, 'nsid is missing')
  const peer = peerOf(ctx, msg.attrs, false)
  if (typeof peer === 'number') return peer
  if (ctx.net.nsids.has(peer)) return ctx.extack.fail(-Errno.EEXIST, 'Peer netns already has a nsid assigned')
  const id = allocNetid(ctx.net, peer, nsid)
  if (id === -Errno.ENOSPC) return ctx.extack.fail(-Errno.EEXIST, 'The specified nsid is already used')
  notifyId(ctx.net, RTM_NEWNSID, id)
  return 0
}

function target(ctx: RtnlContext, attrs: NsidMessage['attrs']): Net | number {
  if (attrs.targetNsid === undefined) return ctx.net
  return netById(ctx.net, attrs.targetNsid) ?? ctx.extack.fail(-Errno.EINVAL, 'Target netns reference is invalid')
}

function getId(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isNsid(msg)) return -Errno.EINVAL
  const peer = peerOf(ctx, msg.attrs, true)
  if (typeof peer === 'number') return peer
  const net = target(ctx, msg.attrs)
  if (typeof net === 'number') return net
  const attrs: NsidMessage['attrs'] = { nsid: peernet2id(net, peer) }
  if (msg.attrs.targetNsid !== undefined) attrs.currentNsid = peernet2id(ctx.net, peer)
  return [{ type: RTM_NEWNSID, flags: 0, attrs }]
}

function dumpIds(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isNsid(msg)) return -Errno.EINVAL
  const net = target(ctx, msg.attrs)
  if (typeof net === 'number') return ctx.extack.fail(net, 'Invalid target network namespace id')
  const withCurrent = msg.attrs.targetNsid !== undefined
  return [...net.nsids]
    .sort((a, b) => a[1] - b[1])
    .map(([peer, nsid]) => ({
      type: RTM_NEWNSID,
      flags: 0,
      attrs: withCurrent ? { nsid, currentNsid: peernet2id(ctx.net, peer) } : { nsid },
    }))
}

/** Registers RTM_*NSID. */
export function rtnlNsidInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_UNSPEC, RTM_NEWNSID, { doit: newId })
  kernel.rtnl.register(AF_UNSPEC, RTM_GETNSID, { doit: getId, dumpit: dumpIds })
  kernel.netIdGone = (net, gone) => {
    const id = net.nsids.get(gone)
    if (id !== undefined) notifyId(net, RTM_DELNSID, id)
  }
}
