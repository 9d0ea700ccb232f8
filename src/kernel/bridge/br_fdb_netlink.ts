/** The forwarding database in rtnetlink: `bridge fdb` on bridges and their ports. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from '../../uapi/netlink.ts'
import {
  type NeighMessage,
  NTF_EXT_LEARNED,
  NTF_MASTER,
  NTF_OFFLOADED,
  NTF_SELF,
  NTF_STICKY,
  NTF_USE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  RTM_NEWNEIGH,
} from '../../uapi/rtnetlink.ts'
import { isZeroEtherAddr } from '../core/ethernet.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { bridgeOf, type NetBridge, type NetBridgePort, portOf } from './br.ts'
import {
  BR_FDB_ADDED_BY_EXT_LEARN,
  BR_FDB_ADDED_BY_USER,
  BR_FDB_LOCAL,
  BR_FDB_STATIC,
  BR_FDB_STICKY,
  fdbAddEntry,
  fdbDeleteEntry,
  fdbDump,
  fdbFillInfo,
  fdbFlushMatching,
  fdbLearned,
} from './br_fdb.ts'
import type { VlanGroup } from './br_vlan_group.ts'

interface Place {
  readonly br: NetBridge
  readonly port: NetBridgePort | undefined
  readonly vlans: VlanGroup | undefined
}

function placeOf(dev: NetDevice): Place | undefined {
  const br = bridgeOf(dev)
  if (br !== undefined) return { br, port: undefined, vlans: br.vlans }
  const port = portOf(dev)
  return port === undefined ? undefined : { br: port.br, port, vlans: port.vlans }
}

/** @returns the VLANs an entry without one is also for */
function usableVids(vlans: VlanGroup | undefined): number[] {
  return vlans === undefined
    ? []
    : vlans
        .list()
        .filter(vlan => vlan.usable)
        .map(vlan => vlan.vid)
}

function addOne(place: Place, address: Uint8Array, msg: NeighMessage, vid: number, extack: NetlinkExtAck): number {
  const { br, port } = place
  if ((msg.ndmFlags & NTF_USE) !== 0) {
    if (port === undefined) return -Errno.EINVAL
    if (port.learns) fdbLearned(br, port, address, vid, false)
    return 0
  }
  if ((msg.ndmFlags & NTF_EXT_LEARNED) !== 0) {
    if (port === undefined && (msg.state & NUD_PERMANENT) === 0)
      return extack.fail(-Errno.EINVAL, 'bridge: FDB entry towards bridge must be permanent')
    fdbLearned(br, port, address, vid, true)
    return 0
  }
  return fdbAddEntry(br, port, address, msg, vid, {
    create: (msg.flags & NLM_F_CREATE) !== 0,
    exclusive: (msg.flags & NLM_F_EXCL) !== 0,
  })
}

/** Adds an entry to a port, or to a bridge itself (br_fdb_add). */
export function brFdbAdd(dev: NetDevice, msg: NeighMessage, extack: NetlinkExtAck): number {
  const { lladdr, vlan: vid = 0 } = msg.attrs
  const place = placeOf(dev)
  if (lladdr === undefined || place === undefined) return -Errno.EINVAL
  const invalid = (text: string): number => {
    dev.net.kernel.log.print(6, `bridge: ${text}`)
    return -Errno.EINVAL
  }
  if ((msg.state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE)) === 0)
    return invalid(`RTM_NEWNEIGH with invalid state 0x${msg.state.toString(16)}`)
  if (isZeroEtherAddr(lladdr)) return invalid('RTM_NEWNEIGH with invalid ether address')
  if (vid !== 0 && place.vlans?.find(vid)?.usable !== true)
    return invalid(`RTM_NEWNEIGH with unconfigured vlan ${vid} on ${dev.name}`)
  const rc = addOne(place, lladdr, msg, vid, extack)
  if (rc < 0 || vid !== 0) return rc
  for (const each of usableVids(place.vlans)) {
    const added = addOne(place, lladdr, msg, each, extack)
    if (added < 0) return added
  }
  return 0
}

/** Takes one out (br_fdb_delete): without a VLAN in every VLAN; it is enough that one was there. */
export function brFdbDel(dev: NetDevice, msg: NeighMessage): number {
  const { lladdr, vlan: vid = 0 } = msg.attrs
  const place = placeOf(dev)
  if (lladdr === undefined || place === undefined) return -Errno.EINVAL
  const { br, port, vlans } = place
  if (vid !== 0) {
    if (vlans?.find(vid) === undefined) {
      dev.net.kernel.log.print(6, `bridge: RTM_DELNEIGH with unconfigured vlan ${vid} on ${dev.name}`)
      return -Errno.EINVAL
    }
    return fdbDeleteEntry(br, port, lladdr, vid)
  }
  let rc = fdbDeleteEntry(br, port, lladdr, 0)
  for (const each of usableVids(vlans)) if (fdbDeleteEntry(br, port, lladdr, each) === 0) rc = 0
  return rc
}

/** Lists (br_fdb_dump). @param port a port, or undefined for the bridge's own addresses */
export function brFdbDump(dev: NetDevice, port: NetDevice | undefined): NeighMessage[] {
  const br = bridgeOf(dev)
  return br === undefined ? [] : fdbDump(br, port)
}

/** Finds one entry (br_fdb_get). */
export function brFdbGet(dev: NetDevice, msg: NeighMessage, extack: NetlinkExtAck): NeighMessage | number {
  const br = bridgeOf(dev)
  const { lladdr, vlan = 0 } = msg.attrs
  const entry = lladdr === undefined ? undefined : br?.fdb.find(lladdr, 0, vlan)
  if (br === undefined || entry === undefined) return extack.fail(-Errno.ENOENT, 'Fdb entry not found')
  return fdbFillInfo(br, entry, RTM_NEWNEIGH)
}

const FLUSH_FLAGS = NTF_USE | NTF_EXT_LEARNED | NTF_STICKY | NTF_OFFLOADED
const FLUSH_STATES = NUD_PERMANENT | NUD_NOARP

function stateFlags(state: number): number {
  return ((state & NUD_PERMANENT) !== 0 ? BR_FDB_LOCAL : 0) | ((state & NUD_NOARP) !== 0 ? BR_FDB_STATIC : 0)
}

function ndmFlags(flags: number): number {
  return (
    ((flags & NTF_USE) !== 0 ? BR_FDB_ADDED_BY_USER : 0) |
    ((flags & NTF_EXT_LEARNED) !== 0 ? BR_FDB_ADDED_BY_EXT_LEARN : 0) |
    ((flags & NTF_STICKY) !== 0 ? BR_FDB_STICKY : 0)
  )
}

function flushDevice(br: NetBridge, ifindex: number, extack: NetlinkExtAck): number {
  const fail = (errno: number, text: string): number => extack.fail(-errno, `bridge: ${text}`)
  const dev = br.dev.net.devByIndex(ifindex)
  if (dev === undefined) return fail(Errno.ENODEV, 'Unknown flush device ifindex')
  const place = placeOf(dev)
  if (place === undefined) return fail(Errno.EINVAL, 'Flush device is not a bridge or bridge port')
  if (place.br === br) return 0
  if (place.port === undefined) return fail(Errno.EINVAL, 'Flush bridge device does not match target bridge device')
  return fail(Errno.EINVAL, 'Port belongs to a different bridge device')
}

/** Takes out all entries that match a request (br_fdb_delete_bulk). */
export function brFdbDelBulk(dev: NetDevice, msg: NeighMessage, extack: NetlinkExtAck): number {
  const place = placeOf(dev)
  if (place === undefined) return extack.fail(-Errno.EINVAL, 'bridge: Device is not a bridge port')
  const { br, port } = place
  const { attrs } = msg
  const flags = msg.ndmFlags & ~(NTF_SELF | NTF_MASTER)
  if ((flags & ~FLUSH_FLAGS) !== 0) return extack.fail(-Errno.EINVAL, 'bridge: Unsupported fdb flush ndm flag bits set')
  if ((msg.state & ~FLUSH_STATES) !== 0)
    return extack.fail(-Errno.EINVAL, 'bridge: Unsupported fdb flush ndm state bits set')
  let ifindex = port === undefined ? 0 : dev.ifindex
  if (attrs.ifindex !== undefined) {
    const rc = flushDevice(br, attrs.ifindex, extack)
    if (rc < 0) return rc
    ifindex = attrs.ifindex
  }
  fdbFlushMatching(br, {
    vid: attrs.vlan ?? 0,
    ifindex,
    flags: stateFlags(msg.state) | ndmFlags(flags),
    mask: stateFlags(attrs.ndmStateMask ?? 0) | ndmFlags(attrs.ndmFlagsMask ?? 0),
  })
  return 0
}
