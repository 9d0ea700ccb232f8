import { beforeEach, describe, expect, it } from 'vitest'
import { nexthopFindById, nexthopSelectPath } from '../../../src/kernel/ipv4/nexthop.ts'
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST } from '../../../src/uapi/netlink.ts'
import { type NexthopBucketMessage, RTM_GETNEXTHOPBUCKET } from '../../../src/uapi/nexthop_bucket.ts'
import type { NexthopMessage, RtMessage } from '../../../src/uapi/rtnetlink.ts'
import { failure } from '../core/net_lab.ts'
import { ip4, RouteLab } from './route_lab.ts'

let lab: RouteLab
beforeEach(() => {
  lab = new RouteLab()
  lab.up('lo')
  lab.dummy('d0', '10.0.0.1/24')
  lab.dummy('d1', '10.0.1.1/24')
})

type Attrs = NexthopMessage['attrs']
const via = (gateway: string, dev: string): Attrs => ({ gateway: ip4(gateway), oif: lab.dev(dev).ifindex })
const group = (...ids: number[]): Attrs => ({ group: ids.map(id => ({ id, weight: 0 })) })
const attempt = (id: number, attrs: Attrs, rest: Partial<NexthopMessage> = {}): string =>
  failure(() => lab.nexthop(id, attrs, rest))
const REPLACE = { flags: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE }

describe('a next hop object', () => {
  it('must have a device that is up and a gateway that is reached by it', () => {
    lab.add('d9', { kind: 'dummy' })
    expect(attempt(1, { gateway: ip4('10.0.0.2') })).toBe(
      'EINVAL: Device attribute required for non-blackhole and non-fdb nexthops',
    )
    expect(attempt(1, { oif: 99 })).toBe('EINVAL: Invalid device index')
    expect(attempt(1, via('10.9.0.1', 'd9'))).toBe('ENETDOWN: Nexthop device is not up')
    expect(attempt(1, via('10.9.0.1', 'd0'))).toBe('ENETUNREACH: Nexthop has invalid gateway')
    expect(attempt(1, { blackhole: true, oif: 1 })).toBe(
      'EINVAL: Blackhole attribute can not be used with gateway, oif, encap or fdb',
    )
    expect(attempt(1, via('10.0.0.2', 'd0'))).toBe('ok')
    expect(attempt(1, via('10.0.0.2', 'd0'))).toBe('EEXIST')
    expect(lab.nexthops()).toEqual(['id 1 via 10.0.0.2 dev d0 scope link'])
  })

  it('gets an id where it has none', () => {
    lab.nexthop(0, via('10.0.0.2', 'd0'))
    lab.nexthop(0, via('10.0.0.3', 'd0'))
    expect(lab.nexthops().map(text => text.slice(0, 4))).toEqual(['id 1', 'id 2'])
  })

  it('changes the routes that use it', () => {
    lab.nexthop(1, via('10.0.0.2', 'd0'))
    lab.route('add', '20.0.0.0/8', { nhid: 1 })
    expect(lab.get('20.0.0.1')).toContain('via 10.0.0.2 dev d0')
    lab.nexthop(1, via('10.0.1.2', 'd1'), REPLACE)
    expect(lab.get('20.0.0.1')).toContain('via 10.0.1.2 dev d1')
    expect(lab.routes().find(text => text.startsWith('20.'))).toBe('20.0.0.0/8 nhid 1 via 10.0.1.2 dev d1')
  })

  it('takes the routes that use it along, and so does its device', () => {
    lab.nexthop(1, via('10.0.0.2', 'd0'))
    lab.route('add', '20.0.0.0/8', { nhid: 1 })
    lab.delNexthop(1)
    expect(failure(() => lab.get('20.0.0.1'))).toBe('ENETUNREACH')
    expect(failure(() => lab.delNexthop(1))).toBe('ENOENT')
    lab.nexthop(2, via('10.0.1.2', 'd1'))
    lab.route('add', '20.0.0.0/8', { nhid: 2 })
    lab.down('d1')
    expect(lab.nexthops()).toEqual([])
    expect(lab.routes().some(text => text.startsWith('20.'))).toBe(false)
  })

  it('can drop everything', () => {
    lab.nexthop(1, { blackhole: true })
    lab.route('add', '20.0.0.0/8', { nhid: 1 })
    expect(failure(() => lab.get('20.0.0.1'))).toBe('EINVAL')
  })

  it('must be there for a route, and no bridge’s', () => {
    expect(failure(() => lab.route('add', '20.0.0.0/8', { nhid: 7 }))).toBe('EINVAL: Nexthop id does not exist')
    lab.nexthop(1, { gateway: ip4('10.0.0.2'), fdb: true })
    expect(failure(() => lab.route('add', '20.0.0.0/8', { nhid: 1 }))).toBe(
      'EINVAL: Route cannot point to a fdb nexthop',
    )
  })
})

describe('a group', () => {
  beforeEach(() => {
    lab.nexthop(1, via('10.0.0.2', 'd0'))
    lab.nexthop(2, via('10.0.1.2', 'd1'))
  })

  it('shares the flows by weights', () => {
    lab.nexthop(10, {
      group: [
        { id: 1, weight: 0 },
        { id: 2, weight: 2 },
      ],
    })
    expect(lab.nexthops().at(-1)).toBe('id 10 group 1/2,3')
    const nh = nexthopFindById(lab.net, 10)!
    expect(nh.group!.entries.map(entry => entry.upperBound)).toEqual([2 ** 29 - 1, 2 ** 31 - 1])
  })

  it('goes on without a member, and goes with its last', () => {
    lab.nexthop(10, group(1, 2))
    lab.route('add', '20.0.0.0/8', { nhid: 10 })
    lab.delNexthop(1)
    expect(lab.nexthops()).toEqual(['id 2 via 10.0.1.2 dev d1 scope link', 'id 10 group 2'])
    for (let i = 1; i < 30; i++) expect(lab.get(`20.0.0.${i}`)).toContain('dev d1')
    lab.delNexthop(2)
    expect(lab.nexthops()).toEqual([])
    expect(lab.routes().some(text => text.startsWith('20.'))).toBe(false)
  })

  it('is refused with a reason', () => {
    lab.nexthop(10, group(1))
    lab.nexthop(3, { blackhole: true })
    expect(attempt(11, group(1, 10))).toBe('EINVAL: Hash-threshold group can not be a nexthop within a group')
    expect(attempt(11, group(1, 3))).toBe('EINVAL: Blackhole nexthop can not be used in a group with more than 1 path')
    expect(attempt(11, group(1, 1))).toBe('EINVAL: Nexthop id can not be used twice in a group')
    expect(attempt(11, group(1, 77))).toBe('EINVAL: Invalid nexthop id')
    expect(attempt(11, group())).toBe('EINVAL: Invalid length for nexthop group attribute')
    expect(attempt(10, via('10.0.0.2', 'd0'), REPLACE)).toBe('EINVAL: Can not replace a nexthop group with a nexthop.')
    expect(attempt(1, group(2), REPLACE)).toBe('EINVAL: Can not replace a nexthop with a nexthop group.')
  })
})

describe('a resilient group', () => {
  const resilient = (ids: number[], more: object = {}): Attrs => ({
    ...group(...ids),
    groupType: 1,
    resGroup: { buckets: 8, idleTimer: 100, ...more },
  })
  const bucketRequest = (flags: number, attrs: NexthopBucketMessage['attrs']): NexthopBucketMessage[] => {
    const msg: NexthopBucketMessage = {
      type: RTM_GETNEXTHOPBUCKET,
      flags: NLM_F_REQUEST | flags,
      family: 0,
      scope: 0,
      protocol: 0,
      nhFlags: 0,
      attrs,
    }
    return lab.request(msg as unknown as RtMessage) as unknown as NexthopBucketMessage[]
  }
  const owners = (): (number | undefined)[] => bucketRequest(NLM_F_DUMP, { id: 10 }).map(msg => msg.attrs.bucket!.nhId)

  beforeEach(() => {
    lab.nexthop(1, via('10.0.0.2', 'd0'))
    lab.nexthop(2, via('10.0.1.2', 'd1'))
    lab.nexthop(3, via('10.0.1.3', 'd1'))
  })

  it('gives each member its share of the buckets', () => {
    lab.nexthop(10, resilient([1, 2]))
    expect(owners()).toEqual([2, 2, 2, 2, 1, 1, 1, 1])
    expect(bucketRequest(0, { id: 10, bucket: { index: 5 } })[0]!.attrs.bucket!.nhId).toBe(1)
    expect(bucketRequest(NLM_F_DUMP, { bucket: { nhId: 2 } })).toHaveLength(4)
  })

  it('moves only buckets that are idle when a member comes', () => {
    lab.nexthop(10, resilient([1, 2]))
    const nh = nexthopFindById(lab.net, 10)!
    lab.sleep(5)
    for (let i = 0; i < 8; i++) nexthopSelectPath(nh, i)
    lab.nexthop(10, resilient([1, 2, 3]), REPLACE)
    expect(owners()).toEqual([2, 2, 2, 2, 1, 1, 1, 1])
    lab.sleep(2)
    expect(owners().filter(id => id === 3)).toHaveLength(8 - 3 - 2)
  })

  it('gives the buckets of a member that goes to the others at once', () => {
    lab.nexthop(10, resilient([1, 2]))
    lab.delNexthop(2)
    expect(owners()).toEqual(new Array(8).fill(1))
  })

  it('refuses to look at what is not there', () => {
    lab.nexthop(10, resilient([1, 2]))
    lab.nexthop(11, group(1))
    const get = (attrs: NexthopBucketMessage['attrs']): string => failure(() => bucketRequest(0, attrs))
    expect(get({ id: 99, bucket: { index: 0 } })).toBe('ENOENT')
    expect(get({ id: 1, bucket: { index: 0 } })).toBe('EINVAL: Not a nexthop group')
    expect(get({ id: 11, bucket: { index: 0 } })).toBe('EINVAL: Nexthop group not of type resilient')
    expect(get({ id: 10, bucket: { index: 8 } })).toBe('ENOENT: Bucket index out of bounds')
    expect(get({ id: 10 })).toBe('EINVAL: Bucket information is missing')
    expect(attempt(12, { ...group(1), groupType: 1 })).toBe(
      'EINVAL: Number of buckets not specified for nexthop group insertion',
    )
    expect(attempt(10, resilient([1], { buckets: 4 }), REPLACE)).toBe(
      'EINVAL: Can not change number of buckets of a resilient nexthop group.',
    )
    expect(attempt(11, resilient([1]), REPLACE)).toBe(
      'EINVAL: Can not replace a nexthop group with one of a different type.',
    )
  })
})
