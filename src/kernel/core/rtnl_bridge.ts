/** AF_BRIDGE link messages: ports and VLANs of bridges, and of devices that switch by themselves (rtnl_bridge_getlink and its kin). */
import { Errno } from '../../uapi/errno.ts'
import {
  type LinkMessage,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../uapi/socket.ts'
import type { Kernel } from '../kernel.ts'
import type { RtnlContext } from './rtnetlink.ts'
import { devicesInDumpOrder } from './rtnl_link.ts'

/** Whom a request is for. */
const BRIDGE_FLAGS_MASTER = 1
const BRIDGE_FLAGS_SELF = 2

function isLink(msg: RtMessage): msg is LinkMessage {
  return msg.type === RTM_GETLINK || msg.type === RTM_SETLINK || msg.type === RTM_DELLINK || msg.type === RTM_NEWLINK
}

function dump(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isLink(msg)) return -Errno.EINVAL
  const filter = msg.attrs.extMask ?? 0
  const out: RtMessage[] = []
  for (const dev of devicesInDumpOrder(ctx.net)) {
    const ofMaster = dev.master?.ops.bridgeGetlink?.(dev, filter)
    if (ofMaster !== undefined) out.push(ofMaster)
    const own = dev.ops.bridgeGetlink?.(dev, filter)
    if (own !== undefined) out.push(own)
  }
  return out
}

function change(ctx: RtnlContext, msg: RtMessage): number {
  if (!isLink(msg)) return -Errno.EINVAL
  const { extack } = ctx
  const dev = ctx.net.devByIndex(msg.index)
  if (dev === undefined) return extack.fail(-Errno.ENODEV, 'unknown ifindex')
  const operation = msg.type === RTM_SETLINK ? 'bridgeSetlink' : 'bridgeDellink'
  const flags = msg.attrs.afSpec?.bridge?.flags ?? 0
  let rc = 0
  if (flags === 0 || (flags & BRIDGE_FLAGS_MASTER) !== 0) {
    const fn = dev.master?.ops[operation]
    if (fn === undefined) return -Errno.EOPNOTSUPP
    rc = fn(dev, msg, extack)
    if (rc < 0) return rc
  }
  if ((flags & BRIDGE_FLAGS_SELF) === 0) return rc
  const own = dev.ops[operation]
  return own === undefined ? -Errno.EOPNOTSUPP : own(dev, msg, extack)
}

/** Registers the messages. */
export function rtnlBridgeInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_BRIDGE, RTM_GETLINK, { dumpit: dump })
  kernel.rtnl.register(AF_BRIDGE, RTM_SETLINK, { doit: change })
  kernel.rtnl.register(AF_BRIDGE, RTM_DELLINK, { doit: change })
}
