/** What requests for next hop objects must be like. */
import { Errno } from '../../uapi/errno.ts'
import { IFF_UP } from '../../uapi/if.ts'
import type { NexthopBucketMessage } from '../../uapi/nexthop_bucket.ts'
import { type NexthopMessage, RTNH_F_ONLINK } from '../../uapi/rtnetlink.ts'
import { AF_INET, AF_UNSPEC } from '../../uapi/socket.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { type Nexthop, nexthopFindById } from './nexthop.ts'

/** Types of groups. */
export const NEXTHOP_GRP_TYPE_MPATH = 0
export const NEXTHOP_GRP_TYPE_RES = 1

type Attrs = NexthopMessage['attrs']

/** @returns 0, or why an object cannot be a member of a group of so many (valid_group_nh) */
function validGroupMember(nh: Nexthop, paths: number, extack: NetlinkExtAck): number {
  if (nh.group !== undefined) {
    const kind = nh.group.res === undefined ? 'Hash-threshold' : 'Resilient'
    return extack.fail(-Errno.EINVAL, `${kind} group can not be a nexthop within a group`)
  }
  if (nh.info!.reject && paths > 1)
    return extack.fail(-Errno.EINVAL, 'Blackhole nexthop can not be used in a group with more than 1 path')
  return 0
}

/** Checks the members of a group (nh_check_attr_group). */
export function checkNexthopGroup(net: Net, attrs: Attrs, groupType: number, extack: NetlinkExtAck): number {
  const group = attrs.group!
  if (group.length === 0) return extack.fail(-Errno.EINVAL, 'Invalid length for nexthop group attribute')
  for (const [i, entry] of group.entries()) {
    for (let j = i + 1; j < group.length; j++)
      if (group[j]!.id === entry.id) return extack.fail(-Errno.EINVAL, 'Nexthop id can not be used twice in a group')
  }
  let family = AF_UNSPEC as number
  for (const entry of group) {
    const nh = nexthopFindById(net, entry.id)
    if (nh === undefined) return extack.fail(-Errno.EINVAL, 'Invalid nexthop id')
    const rc = validGroupMember(nh, group.length, extack)
    if (rc < 0) return rc
    const info = nh.info!
    if (attrs.fdb === true) {
      if (!info.fdb) return extack.fail(-Errno.EINVAL, 'FDB nexthop group can only have fdb nexthops')
      if (family === AF_UNSPEC) family = info.family
      else if (family !== info.family)
        return extack.fail(-Errno.EINVAL, 'FDB nexthop group cannot have mixed family nexthops')
    } else if (info.fdb) return extack.fail(-Errno.EINVAL, 'Non FDB nexthop group cannot have fdb nexthops')
  }
  const others =
    attrs.blackhole !== undefined ||
    attrs.oif !== undefined ||
    attrs.gateway !== undefined ||
    attrs.encap !== undefined ||
    (attrs.resGroup !== undefined && groupType !== NEXTHOP_GRP_TYPE_RES)
  return others ? extack.fail(-Errno.EINVAL, 'No other attributes can be set in nexthop groups') : 0
}

/** Checks a request that is not for a group, device first (rtm_to_nh_config). @returns the device, or an error */
export function checkNexthopSingle(
  net: Net,
  msg: NexthopMessage,
  extack: NetlinkExtAck,
): NetDevice | undefined | number {
  const { attrs } = msg
  if (attrs.blackhole === true) {
    if (attrs.gateway !== undefined || attrs.oif !== undefined || attrs.encap !== undefined || attrs.fdb === true)
      return extack.fail(-Errno.EINVAL, 'Blackhole attribute can not be used with gateway, oif, encap or fdb')
    return undefined
  }
  const fdb = attrs.fdb === true
  if (!fdb && attrs.oif === undefined)
    return extack.fail(-Errno.EINVAL, 'Device attribute required for non-blackhole and non-fdb nexthops')
  let dev: NetDevice | undefined
  if (!fdb) {
    dev = net.devByIndex(attrs.oif!)
    if (dev === undefined) return extack.fail(-Errno.EINVAL, 'Invalid device index')
    if ((dev.flags & IFF_UP) === 0) return extack.fail(-Errno.ENETDOWN, 'Nexthop device is not up')
    if (!dev.carrier) return extack.fail(-Errno.ENETDOWN, 'Carrier for nexthop device is down')
  }
  if (attrs.gateway !== undefined) {
    if (attrs.gateway.length !== (msg.family === AF_INET ? 4 : 16)) return extack.fail(-Errno.EINVAL, 'Invalid gateway')
  } else if ((msg.nhFlags & RTNH_F_ONLINK) !== 0)
    return extack.fail(-Errno.EINVAL, 'ONLINK flag can not be set for nexthop without a gateway')
  return dev
}

/** @returns the id of a get or delete request, or its error (nh_valid_get_del_req) */
export function nexthopRequestId(msg: NexthopMessage | NexthopBucketMessage, extack: NetlinkExtAck): number {
  if (msg.protocol !== 0 || msg.scope !== 0 || msg.nhFlags !== 0)
    return extack.fail(-Errno.EINVAL, 'Invalid values in header')
  const { id } = msg.attrs
  if (id === undefined) return extack.fail(-Errno.EINVAL, 'Nexthop id is missing')
  return id === 0 ? extack.fail(-Errno.EINVAL, 'Invalid nexthop id') : id
}

/** What dumps choose objects by. */
interface DumpFilter {
  readonly groups?: boolean
  readonly oif?: number
  readonly master?: number
}

/** @returns whether a dump's filter takes an object (nh_dump_filtered) */
export function nexthopDumped(nh: Nexthop, family: number, { groups, oif, master }: DumpFilter): boolean {
  if (groups === true && nh.group === undefined) return false
  if (!oif && !master && family === AF_UNSPEC) return true
  if (nh.group !== undefined) return false
  const info = nh.info!
  if (family !== AF_UNSPEC && info.family !== family) return false
  const { dev } = info.nhc
  if (oif && dev?.ifindex !== oif) return false
  return !master || dev?.master?.ifindex === master
}
