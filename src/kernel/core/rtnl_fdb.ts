/**
 * Forwarding databases in rtnetlink (`bridge fdb`): of bridges by their ports, and of any device its own list of
 * addresses (rtnl_fdb_add and its kin).
 */
import { Errno } from '../../uapi/errno.ts'
import { ARPHRD_ETHER } from '../../uapi/if.ts'
import { NLM_F_BULK } from '../../uapi/if_bridge.ts'
import { NLM_F_EXCL } from '../../uapi/netlink.ts'
import {
  type NeighMessage,
  NTF_MASTER,
  NTF_SELF,
  NUD_PERMANENT,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  RTNLGRP_NEIGH,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../uapi/socket.ts'
import type { Kernel } from '../kernel.ts'
import { devMcAddExcl, devMcDel, devUcAddExcl, devUcDel } from './dev_addr_lists.ts'
import { ETH_ALEN, isMulticastEtherAddr } from './ethernet.ts'
import { IFF_BRIDGE_PORT, IFF_EBRIDGE, type NetDevice } from './net_device.ts'
import type { RtnlContext } from './rtnetlink.ts'
import { devicesInDumpOrder } from './rtnl_link.ts'

const VLAN_N_VID = 4096

function isNeigh(msg: RtMessage): msg is NeighMessage {
  return msg.type === RTM_NEWNEIGH || msg.type === RTM_DELNEIGH || msg.type === RTM_GETNEIGH
}

function isBridgePort(dev: NetDevice): boolean {
  return (dev.privFlags & IFF_BRIDGE_PORT) !== 0
}

function selfEntry(
  dev: NetDevice,
  lladdr: Uint8Array,
  type: NeighMessage['type'],
  state = NUD_PERMANENT,
): NeighMessage {
  return {
    type,
    flags: 0,
    family: AF_BRIDGE,
    ifindex: dev.ifindex,
    state,
    ndmFlags: NTF_SELF,
    ndmType: 0,
    attrs: { lladdr: lladdr.slice() },
  }
}

/** @returns the addresses a device listens to beside its own, as entries (ndo_dflt_fdb_dump) */
export function dfltFdbDump(dev: NetDevice): NeighMessage[] {
  if (dev.type !== ARPHRD_ETHER) return []
  return [...dev.uc.entries.values(), ...dev.mc.entries.values()].map(entry =>
    selfEntry(dev, entry.address, RTM_NEWNEIGH),
  )
}

function isLinkLocal(a: Uint8Array): boolean {
  return a[0] === 0x01 && a[1] === 0x80 && a[2] === 0xc2 && a[3] === 0 && a[4] === 0 && (a[5]! & 0xf0) === 0
}

function dfltFdbAdd(dev: NetDevice, msg: NeighMessage, lladdr: Uint8Array): number {
  const { log } = dev.net.kernel
  if (msg.state !== 0 && (msg.state & NUD_PERMANENT) === 0) {
    log.print(6, `${dev.name}: default FDB implementation only supports local addresses`)
    return -Errno.EINVAL
  }
  if (msg.attrs.vlan !== undefined) {
    log.print(6, `${dev.name}: vlans aren't supported yet for dev_uc|mc_add()`)
    return -Errno.EINVAL
  }
  const unicast = !isMulticastEtherAddr(lladdr) || isLinkLocal(lladdr)
  const rc = unicast ? devUcAddExcl(dev, lladdr) : devMcAddExcl(dev, lladdr)
  return rc === -Errno.EEXIST && (msg.flags & NLM_F_EXCL) === 0 ? 0 : rc
}

function dfltFdbDel(dev: NetDevice, msg: NeighMessage, lladdr: Uint8Array): number {
  if ((msg.state & NUD_PERMANENT) === 0) {
    dev.net.kernel.log.print(6, `${dev.name}: default FDB implementation only supports local addresses`)
    return -Errno.EINVAL
  }
  const unicast = !isMulticastEtherAddr(lladdr) || isLinkLocal(lladdr)
  return unicast ? devUcDel(dev, lladdr) : devMcDel(dev, lladdr)
}

/** Finds device and address of a request, with the kernel's refusals. */
function target(ctx: RtnlContext, msg: NeighMessage): { dev: NetDevice; lladdr: Uint8Array } | number {
  const { extack, net } = ctx
  if (msg.ifindex === 0) return extack.fail(-Errno.EINVAL, 'invalid ifindex')
  const dev = net.devByIndex(msg.ifindex)
  if (dev === undefined) return extack.fail(-Errno.ENODEV, 'unknown ifindex')
  const { lladdr, vlan } = msg.attrs
  if (lladdr?.length !== ETH_ALEN) return extack.fail(-Errno.EINVAL, 'invalid address')
  if (dev.type !== ARPHRD_ETHER)
    return extack.fail(
      -Errno.EINVAL,
      `FDB ${msg.type === RTM_NEWNEIGH ? 'add' : 'delete'} only supported for Ethernet devices`,
    )
  if (vlan !== undefined && (vlan === 0 || vlan >= VLAN_N_VID)) return extack.fail(-Errno.EINVAL, 'invalid vlan id')
  return { dev, lladdr }
}

/** Deletes all that match, of a port's bridge or of the device itself. */
function deleteBulk(ctx: RtnlContext, msg: NeighMessage): number {
  const { extack, net } = ctx
  if (msg.ifindex === 0) return extack.fail(-Errno.EINVAL, 'invalid ifindex')
  const dev = net.devByIndex(msg.ifindex)
  if (dev === undefined) return extack.fail(-Errno.ENODEV, 'unknown ifindex')
  let rc: number = -Errno.EOPNOTSUPP
  if ((msg.ndmFlags === 0 || (msg.ndmFlags & NTF_MASTER) !== 0) && isBridgePort(dev)) {
    rc = dev.master!.ops.fdbDelBulk?.(dev, msg, extack) ?? rc
    if (rc < 0) return rc
  }
  if ((msg.ndmFlags & NTF_SELF) !== 0) rc = dev.ops.fdbDelBulk?.(dev, msg, extack) ?? -Errno.EOPNOTSUPP
  return rc
}

/** A change on a port is its bridge's; with NTF_SELF it is the device's own, too. */
function change(ctx: RtnlContext, msg: RtMessage): number {
  if (!isNeigh(msg)) return -Errno.EINVAL
  if (msg.type === RTM_DELNEIGH && (msg.flags & NLM_F_BULK) !== 0) return deleteBulk(ctx, msg)
  const place = target(ctx, msg)
  if (typeof place === 'number') return place
  const { dev, lladdr } = place
  const add = msg.type === RTM_NEWNEIGH
  let rc: number = -Errno.EOPNOTSUPP
  if ((msg.ndmFlags === 0 || (msg.ndmFlags & NTF_MASTER) !== 0) && isBridgePort(dev)) {
    const { ops } = dev.master!
    const fn = add ? ops.fdbAdd : ops.fdbDel
    rc = fn?.(dev, msg, ctx.extack) ?? -Errno.EOPNOTSUPP
    if (rc < 0) return rc
  }
  if ((msg.ndmFlags & NTF_SELF) === 0) return rc
  const own = add ? dev.ops.fdbAdd : dev.ops.fdbDel
  if (own !== undefined) rc = own(dev, msg, ctx.extack)
  else rc = add ? dfltFdbAdd(dev, msg, lladdr) : dfltFdbDel(dev, msg, lladdr)
  if (rc === 0) {
    const { type, state } = msg
    ctx.net.kernel.rtnl.notify(ctx.net, RTNLGRP_NEIGH, () => selfEntry(dev, lladdr, type, state))
  }
  return rc
}

function dump(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isNeigh(msg)) return -Errno.EINVAL
  const { net } = ctx
  const bridge = msg.attrs.master === undefined ? undefined : net.devByIndex(msg.attrs.master)
  if (msg.attrs.master !== undefined && bridge === undefined) return -Errno.ENODEV
  const out: NeighMessage[] = []
  for (const dev of devicesInDumpOrder(net)) {
    if (msg.ifindex !== 0 && dev.ifindex !== msg.ifindex) continue
    if (bridge !== undefined) {
      if (dev !== bridge && !isBridgePort(dev)) continue
      if (bridge !== dev.master && (dev.privFlags & IFF_EBRIDGE) === 0) continue
    }
    if (isBridgePort(dev)) {
      const master = bridge ?? dev.master!
      out.push(...(master.ops.fdbDump?.(master, dev) ?? []))
    }
    if ((dev.privFlags & IFF_EBRIDGE) !== 0) out.push(...dfltFdbDump(dev))
    out.push(...(dev.ops.fdbDump === undefined ? dfltFdbDump(dev) : dev.ops.fdbDump(dev, undefined)))
  }
  return out
}

function get(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isNeigh(msg)) return -Errno.EINVAL
  const { extack, net } = ctx
  const fail = (errno: number, text: string): number => extack.fail(-errno, text)
  if (msg.attrs.lladdr === undefined) return fail(Errno.EINVAL, 'Missing lookup address for fdb get request')
  let dev: NetDevice | undefined
  let holder: NetDevice | undefined
  if (msg.ifindex !== 0) {
    dev = net.devByIndex(msg.ifindex)
    if (dev === undefined) return fail(Errno.ENODEV, 'Unknown device ifindex')
  }
  if (msg.attrs.master !== undefined) {
    if (dev !== undefined) return fail(Errno.EINVAL, 'Master and device are mutually exclusive')
    holder = net.devByIndex(msg.attrs.master)
    if (holder === undefined) return fail(Errno.EINVAL, 'Invalid master ifindex')
  }
  if (dev !== undefined) {
    if (msg.ndmFlags === 0 || (msg.ndmFlags & NTF_MASTER) !== 0) {
      if (!isBridgePort(dev)) return fail(Errno.EINVAL, 'Device is not a bridge port')
      holder = dev.master
    } else {
      if ((msg.ndmFlags & NTF_SELF) === 0) return fail(Errno.EINVAL, 'Missing NTF_SELF')
      holder = dev
    }
  }
  if (holder === undefined) return fail(Errno.ENODEV, 'No device specified')
  if (holder.ops.fdbGet === undefined) return fail(Errno.EOPNOTSUPP, 'Fdb get operation not supported by device')
  const entry = holder.ops.fdbGet(holder, msg, extack)
  return typeof entry === 'number' ? entry : [entry]
}

/** Registers the messages. */
export function rtnlFdbInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_BRIDGE, RTM_NEWNEIGH, { doit: change })
  kernel.rtnl.register(AF_BRIDGE, RTM_DELNEIGH, { doit: change })
  kernel.rtnl.register(AF_BRIDGE, RTM_GETNEIGH, { doit: get, dumpit: dump })
}
