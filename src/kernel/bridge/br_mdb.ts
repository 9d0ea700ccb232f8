/** The multicast database in rtnetlink: `bridge mdb`. */
import { Errno } from '../../uapi/errno.ts'
import type { MdbEntry as MdbEntryMessage, MdbMessage } from '../../uapi/if_bridge.ts'
import { NLM_F_REPLACE } from '../../uapi/netlink.ts'
import { RTM_DELMDB, RTM_GETMDB, RTM_NEWMDB, RTPROT_STATIC, type RtMessage } from '../../uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../uapi/socket.ts'
import type { RtnlContext } from '../core/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import {
  BR_STATE_DISABLED,
  BROPT_MULTICAST_ENABLED,
  BROPT_VLAN_ENABLED,
  bridgeOf,
  type NetBridge,
  type NetBridgePort,
  portOf,
} from './br.ts'
import { mdbEntryMessage } from './br_mdb_notify.ts'
import {
  brMulticastDelGroup,
  brMulticastHostJoin,
  brMulticastHostLeave,
  brMulticastNewGroup,
  brMulticastNewPortGroup,
} from './br_multicast.ts'
import { MDB_RTR_TYPE_DISABLED, MDB_RTR_TYPE_PERM } from './br_multicast_ctx.ts'

function isMdb(msg: RtMessage): msg is MdbMessage {
  return msg.type === RTM_NEWMDB || msg.type === RTM_DELMDB || msg.type === RTM_GETMDB
}

function routers(br: NetBridge): NonNullable<MdbMessage['attrs']['routerPorts']> {
  const out: NonNullable<MdbMessage['attrs']['routerPorts']> = []
  for (const port of br.ports) {
    const { router, routerTimer } = port.multicast
    if (router === MDB_RTR_TYPE_PERM || (router !== MDB_RTR_TYPE_DISABLED && routerTimer.pending))
      out.push({ port: port.dev.ifindex, timer: br.timerValue(routerTimer), type: router })
  }
  return out
}

function dump(ctx: RtnlContext, msg: RtMessage): number | RtMessage[] {
  if (!isMdb(msg)) return -Errno.EINVAL
  const out: RtMessage[] = []
  for (const dev of ctx.net.devices.values()) {
    const br = bridgeOf(dev)
    if (br === undefined || (msg.ifindex !== 0 && msg.ifindex !== dev.ifindex)) continue
    const entries: MdbEntryMessage[] = []
    if (br.opt(BROPT_MULTICAST_ENABLED))
      for (const entry of br.multicast.mdb.list()) {
        if (entry.hostJoined) entries.push(mdbEntryMessage(br, entry, undefined))
        for (const port of entry.ports) entries.push(mdbEntryMessage(br, entry, port))
      }
    const routerPorts = routers(br)
    out.push({
      type: RTM_NEWMDB,
      flags: 0,
      family: AF_BRIDGE,
      ifindex: dev.ifindex,
      attrs: { entries, ...(routerPorts.length === 0 ? {} : { routerPorts }) },
    })
  }
  return out
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every(byte => byte === 0)
}

/** Checks a group that a request names (is_valid_mdb_entry). */
function validGroup(entry: MdbEntryMessage, extack: RtnlContext['extack']): number {
  const fail = (text: string): number => extack.fail(-Errno.EINVAL, `bridge: ${text}`)
  const { group, vid } = entry
  if (entry.port === 0) return fail('Zero entry ifindex is not allowed')
  if (group.length === 4) {
    if (group[0]! >> 4 !== 14) return fail('IPv4 entry group address is not multicast')
    if (group[0] === 224 && group[1] === 0 && group[2] === 0) return fail('IPv4 entry group address is local multicast')
  } else if (group.length === 16) {
    if (group[0] === 0xff && group[1] === 0x02 && isZero(group.subarray(2, 15)) && group[15] === 1)
      return fail('IPv6 entry group address is link-local all nodes')
    if (group[0] !== 0xff) return fail('IPv6 entry group address is not multicast')
  } else if (group.length === 6) {
    if (entry.state !== 'permanent') return fail('Only permanent L2 entries allowed')
    if ((group[0]! & 1) === 0) return fail('L2 entry group is not multicast')
  }
  if (vid >= 0xfff) return fail('Invalid entry VLAN id')
  return 0
}

interface Target {
  readonly br: NetBridge
  readonly entry: MdbEntryMessage
  readonly port: NetBridgePort | undefined
  readonly vids: readonly number[]
}

/** Finds bridge, port and VLANs of a request, with the kernel's refusals (br_mdb_parse and what follows). */
function parse(ctx: RtnlContext, msg: MdbMessage): Target | number {
  const { net, extack } = ctx
  const fail = (errno: number, text: string): number => extack.fail(-errno, `bridge: ${text}`)
  if (msg.ifindex === 0) return fail(Errno.EINVAL, 'Invalid bridge ifindex')
  const dev = net.devByIndex(msg.ifindex)
  if (dev === undefined) return fail(Errno.ENODEV, "Bridge device doesn't exist")
  const br = bridgeOf(dev)
  if (br === undefined) return fail(Errno.EOPNOTSUPP, 'Device is not a bridge')
  const entry = msg.attrs.setEntry
  if (entry === undefined) return fail(Errno.EINVAL, 'Missing MDBA_SET_ENTRY attribute')
  const bad = validGroup(entry, extack)
  if (bad < 0) return bad
  let port: NetBridgePort | undefined
  if (entry.port !== dev.ifindex) {
    const portDev = net.devByIndex(entry.port)
    if (portDev === undefined) return fail(Errno.ENODEV, "Port net device doesn't exist")
    port = portOf(portDev)
    if (port === undefined) return fail(Errno.EINVAL, 'Net device is not a bridge port')
    if (port.br !== br) return fail(Errno.EINVAL, 'Port belongs to a different bridge device')
  }
  const group = port === undefined ? br.vlans : port.vlans
  // without a VLAN the entry is for all of them, where VLANs are filtered
  const all = br.opt(BROPT_VLAN_ENABLED) && group !== undefined && entry.vid === 0 ? group.list() : []
  return { br, entry, port, vids: all.length === 0 ? [entry.vid] : all.map(vlan => vlan.vid) }
}

function add(ctx: RtnlContext, msg: RtMessage): number {
  if (!isMdb(msg)) return -Errno.EINVAL
  const target = parse(ctx, msg)
  if (typeof target === 'number') return target
  const { br, entry, port, vids } = target
  const fail = (errno: number, text: string): number => ctx.extack.fail(-errno, `bridge: ${text}`)
  if (!br.dev.running) return fail(Errno.EINVAL, 'Bridge device is not running')
  if (!br.opt(BROPT_MULTICAST_ENABLED)) return fail(Errno.EINVAL, "Bridge's multicast processing is disabled")
  const permanent = entry.state === 'permanent'
  if (port?.state === BR_STATE_DISABLED && !permanent)
    return fail(Errno.EINVAL, 'Port is in disabled state and entry is not permanent')
  for (const vid of vids) {
    if (port === undefined && permanent) return fail(Errno.EINVAL, 'Flags are not allowed for host groups')
    const mdb = brMulticastNewGroup(br, entry.group, vid, entry.source)
    if (mdb === undefined) return -Errno.E2BIG
    if (port === undefined) {
      if (mdb.hostJoined) return fail(Errno.EEXIST, 'Group is already joined by host')
      brMulticastHostJoin(br, mdb)
      continue
    }
    const known = mdb.ports.find(each => each.port === port)
    if (known !== undefined) {
      if ((msg.flags & NLM_F_REPLACE) === 0) return fail(Errno.EEXIST, 'Group is already joined by port')
      known.permanent = permanent
      if (permanent) br.del(known.timer)
      continue
    }
    const joined = brMulticastNewPortGroup(br, mdb, port, permanent, RTPROT_STATIC)
    if (!permanent) br.mod(joined.timer, br.multicast.membershipInterval)
  }
  return 0
}

function del(ctx: RtnlContext, msg: RtMessage): number {
  if (!isMdb(msg)) return -Errno.EINVAL
  const target = parse(ctx, msg)
  if (typeof target === 'number') return target
  const { br, entry, port, vids } = target
  if (!br.dev.running || !br.opt(BROPT_MULTICAST_ENABLED)) return -Errno.EINVAL
  for (const vid of vids) {
    const { mdb: table } = br.multicast
    const mdb =
      entry.source === undefined
        ? table.find(entry.group, 0, entry.group.length, vid)
        : table.findSource(entry.group, vid, entry.source)
    if (mdb === undefined) return -Errno.EINVAL
    if (port === undefined) {
      if (!mdb.hostJoined) return -Errno.EINVAL
      brMulticastHostLeave(br, mdb)
      continue
    }
    const known = mdb.ports.find(each => each.port === port)
    if (known === undefined || port.state === BR_STATE_DISABLED) return -Errno.EINVAL
    brMulticastDelGroup(br, mdb, known)
  }
  return 0
}

/** Registers RTM_*MDB. */
export function brMdbInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_BRIDGE, RTM_GETMDB, { dumpit: dump })
  kernel.rtnl.register(AF_BRIDGE, RTM_NEWMDB, { doit: add })
  kernel.rtnl.register(AF_BRIDGE, RTM_DELMDB, { doit: del })
}
