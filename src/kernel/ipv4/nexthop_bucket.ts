/** Buckets of resilient groups as rtnetlink has them: RTM_GETNEXTHOPBUCKET, and notifications of buckets that move. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_MULTI, NLM_F_REPLACE } from '../../uapi/netlink.ts'
import { type NexthopBucketMessage, RTM_GETNEXTHOPBUCKET, RTM_NEWNEXTHOPBUCKET } from '../../uapi/nexthop_bucket.ts'
import { RTNLGRP_NEXTHOP, type RtMessage } from '../../uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck, RtnlContext } from '../core/rtnetlink.ts'
import type { Kernel } from '../kernel.ts'
import { type Nexthop, nexthopFindById, nexthopKey } from './nexthop.ts'
import { nexthopDumped, nexthopRequestId } from './nexthop_check.ts'
import { toClockT } from './nexthop_res.ts'

/** @returns a bucket as netlink shows it (nh_fill_res_bucket). @param flags NLM_F_… */
function fillBucket(nh: Nexthop, index: number, flags: number): RtMessage {
  const bucket = nh.group!.res!.buckets[index]!
  const message: NexthopBucketMessage = {
    type: RTM_NEWNEXTHOPBUCKET,
    flags,
    family: AF_UNSPEC,
    scope: 0,
    protocol: nh.protocol,
    nhFlags: 0,
    attrs: {
      id: nh.id,
      bucket: {
        index,
        nhId: bucket.entry!.nh.id,
        idleTime: toClockT(nh.net.kernel.clock.now - bucket.usedTime),
      },
    },
  }
  // the union of rtnetlink messages does not list this one
  return message as unknown as RtMessage
}

/** Tells listeners that a bucket of a group has got another next hop. */
export function notifyBucket(nh: Nexthop, index: number): void {
  nh.net.kernel.rtnl.notify(nh.net, RTNLGRP_NEXTHOP, () => fillBucket(nh, index, NLM_F_REPLACE))
}

function findResilient(net: Net, id: number, extack: NetlinkExtAck): Nexthop | number {
  const nh = nexthopFindById(net, id)
  if (nh === undefined) return -Errno.ENOENT
  if (nh.group === undefined) return extack.fail(-Errno.EINVAL, 'Not a nexthop group')
  if (nh.group.res === undefined) return extack.fail(-Errno.EINVAL, 'Nexthop group not of type resilient')
  return nh
}

function getBucket(ctx: RtnlContext, message: RtMessage): RtMessage[] | number {
  const msg = message as unknown as NexthopBucketMessage
  const { net, extack } = ctx
  const id = nexthopRequestId(msg, extack)
  if (id < 0) return id
  const { bucket } = msg.attrs
  if (bucket === undefined) return extack.fail(-Errno.EINVAL, 'Bucket information is missing')
  if (bucket.index === undefined) return extack.fail(-Errno.EINVAL, 'Bucket index is missing')
  const nh = findResilient(net, id, extack)
  if (typeof nh === 'number') return nh
  if (bucket.index >= nh.group!.res!.buckets.length) return extack.fail(-Errno.ENOENT, 'Bucket index out of bounds')
  return [fillBucket(nh, bucket.index, 0)]
}

function dumpBuckets(ctx: RtnlContext, message: RtMessage): RtMessage[] | number {
  const msg = message as unknown as NexthopBucketMessage
  const { net, extack } = ctx
  const { id, bucket } = msg.attrs
  const nhId = bucket?.nhId
  if (id === 0 || nhId === 0) return extack.fail(-Errno.EINVAL, 'Invalid nexthop id')
  if (msg.protocol !== 0 || msg.scope !== 0 || msg.nhFlags !== 0)
    return extack.fail(-Errno.EINVAL, 'Invalid values in header for nexthop dump request')
  let groups: readonly Nexthop[] = net.at(nexthopKey).all()
  if (id !== undefined) {
    const nh = findResilient(net, id, extack)
    if (typeof nh === 'number') return nh
    groups = [nh]
  }
  const found: RtMessage[] = []
  for (const nh of groups)
    for (const [index, { entry }] of nh.group?.res?.buckets.entries() ?? []) {
      const member = entry!.nh
      if (!nexthopDumped(member, msg.family, msg.attrs)) continue
      if (nhId === undefined || nhId === member.id) found.push(fillBucket(nh, index, NLM_F_MULTI))
    }
  return found
}

/** Registers the messages with a kernel. */
export function nexthopBucketInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_UNSPEC, RTM_GETNEXTHOPBUCKET, { doit: getBucket, dumpit: dumpBuckets })
}
