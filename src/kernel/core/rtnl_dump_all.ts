/** Listings of all families together (rtnl_dump_all): `ip addr`, `ip route show` of family 0, netconf, neighbours' kin. */
import {
  RTM_GETADDR,
  RTM_GETADDRLABEL,
  RTM_GETANYCAST,
  RTM_GETMULTICAST,
  RTM_GETNETCONF,
  RTM_GETROUTE,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_PACKET, AF_UNSPEC } from '../../uapi/socket.ts'
import type { Kernel } from '../kernel.ts'
import type { RtnlContext } from './rtnetlink.ts'

/** The highest family that lists anything (RTNL_FAMILY_MAX). */
const RTNL_FAMILY_MAX = 129

/** Asks every family in turn, by number; the first that fails ends the listing with its error. */
function dumpAll(kernel: Kernel, ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  const all: RtMessage[] = []
  for (let family = 1; family <= RTNL_FAMILY_MAX; family++) {
    if (family === AF_PACKET) continue
    const part = kernel.rtnl.lookup(family, msg.type)?.dumpit?.(ctx, msg)
    if (part === undefined) continue
    if (typeof part !== 'number') all.push(...part)
    else if (part < 0) return part
  }
  return all
}

/** Registers the listings that know no family of their own. */
export function rtnlDumpAllInit(kernel: Kernel): void {
  for (const type of [RTM_GETADDR, RTM_GETROUTE, RTM_GETNETCONF, RTM_GETMULTICAST, RTM_GETANYCAST, RTM_GETADDRLABEL])
    kernel.rtnl.register(AF_UNSPEC, type, { dumpit: (ctx, msg) => dumpAll(kernel, ctx, msg) })
}
