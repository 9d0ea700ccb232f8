import { beforeEach, describe, expect, it } from 'vitest'
import { fibKey } from '../../../src/kernel/ipv4/fib_table.ts'
import {
  type RouteAttrs,
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNREACHABLE,
} from '../../../src/uapi/rtnetlink.ts'
import { failure } from '../core/net_lab.ts'
import { ip4, RouteLab, type RouteWords } from './route_lab.ts'

let lab: RouteLab
const P = '10.1.0.0/24'
const attempt = (words: RouteWords, dst = P): string => failure(() => lab.route('add', dst, words))
const metrics = (values: NonNullable<RouteAttrs['metrics']>): RouteWords => ({
  via: '192.168.10.2',
  attrs: { metrics: values },
})

beforeEach(() => {
  lab = new RouteLab()
  lab.dummy('d0', '192.168.10.1/24')
  lab.dummy('d1', '192.168.20.1/24')
})

describe('what a route must be', () => {
  it('has a gateway that is reached on a link', () => {
    expect(attempt({ via: '192.168.30.1' })).toBe('ENETUNREACH: Nexthop has invalid gateway')
    expect(attempt({ via: '192.168.20.2', dev: 'd0' })).toBe('ENETUNREACH: Nexthop has invalid gateway')
    expect(attempt({ via: '192.168.30.1', dev: 'd0', onlink: true })).toBe('ok')
  })

  it('has a device that is up', () => {
    lab.add('d9', { kind: 'dummy' })
    expect(attempt({ dev: 'd9' })).toBe('ENETDOWN: Device for nexthop is not up')
    expect(attempt({ via: '1.2.3.4', dev: 'd9', onlink: true })).toBe('ENETDOWN: Nexthop device is not up')
    expect(attempt({ attrs: { oif: 99 } })).toBe('ENODEV')
  })

  it('has a prefix without bits below its length', () => {
    expect(attempt({ dev: 'd0' }, '10.1.0.5/24')).toBe('EINVAL: Invalid prefix for given prefix length')
  })

  it('has a source address of this host', () => {
    expect(attempt({ dev: 'd0', src: '1.2.3.4' })).toBe('EINVAL: Invalid prefsrc address')
    expect(attempt({ dev: 'd0', src: '192.168.20.1' })).toBe('ok')
  })

  it('may be an error, which needs no device', () => {
    for (const [type, errno] of [
      [RTN_BLACKHOLE, 'EINVAL'],
      [RTN_UNREACHABLE, 'EHOSTUNREACH'],
      [RTN_PROHIBIT, 'EACCES'],
      [RTN_THROW, 'ENETUNREACH'],
    ] as const) {
      lab.route('add', P, { type })
      expect(failure(() => lab.get('10.1.0.1'))).toBe(errno)
      lab.route('del', P, { type })
    }
  })

  it('does not take a type of route or a scope that there is not', () => {
    expect(attempt({ type: 12, dev: 'd0' })).toBe('EINVAL: Invalid route type')
    expect(attempt({ dev: 'd0', scope: 255 })).toBe('EINVAL: Invalid scope')
  })
})

describe('the metrics of a route', () => {
  const shown = (): RouteAttrs['metrics'] => lab.getMessage('10.1.0.1', { fibmatch: true }).attrs.metrics

  it('are kept within what they can be', () => {
    lab.route('add', P, metrics({ mtu: 70000, advmss: 70000, hoplimit: 300 }))
    expect(shown()).toEqual({ mtu: 65520, advmss: 65495, hoplimit: 255 })
  })

  it('must name a congestion control that there is', () => {
    expect(attempt(metrics({ ccAlgo: 'nope' }))).toContain('EINVAL')
    expect(attempt(metrics({ ccAlgo: 'cubic' }))).toBe('ok')
  })

  it('tell routes apart', () => {
    lab.route('add', P, metrics({ mtu: 1400 }))
    lab.route('append', P, metrics({ mtu: 1300 }))
    lab.route('del', P, metrics({ mtu: 1300 }))
    expect(lab.routes().filter(text => text.startsWith('10.1.'))).toEqual([
      '10.1.0.0/24 via 192.168.10.2 dev d0 mtu 1400',
    ])
  })
})

describe('several next hops', () => {
  const hops = [
    { via: '192.168.10.2', weight: 1 },
    { via: '192.168.20.2', weight: 3 },
  ]

  it('share the flows by their weights', () => {
    lab.route('add', P, { nexthops: hops })
    const table = lab.net.at(fibKey).getTable(254)!
    const bounds: number[] = []
    table.each((key, fa) => {
      if (key === 0x0a010000) bounds.push(...fa.info.nhs.map(nh => nh.upperBound))
      return true
    })
    expect(bounds).toEqual([2 ** 29 - 1, 2 ** 31 - 1])
  })

  it('give the flows of one that is gone to the others', () => {
    lab.route('add', P, { nexthops: hops })
    lab.down('d1')
    expect(lab.routes()[0]).toBe(
      '10.1.0.0/24 nexthop via 192.168.10.2 dev d0 weight 1 nexthop via 192.168.20.2 dev d1 weight 3 dead linkdown',
    )
    for (let i = 0; i < 50; i++) expect(lab.get(`10.1.0.${i + 1}`)).toContain('dev d0')
    lab.up('d1')
    const used = new Set(
      Array.from({ length: 200 }, (_, i) =>
        lab
          .get(`10.1.0.${i + 1}`)
          .split(' dev ')[1]!
          .slice(0, 2),
      ),
    )
    expect(used).toEqual(new Set(['d0', 'd1']))
  })

  it('are deleted by one of them', () => {
    lab.route('add', P, { nexthops: hops })
    expect(failure(() => lab.route('del', P, { nexthops: [hops[0]!] }))).toBe('ESRCH')
    lab.route('del', P, { nexthops: hops })
    expect(lab.routes().some(text => text.startsWith('10.1.'))).toBe(false)
  })
})

describe('a link that changes', () => {
  beforeEach(() => {
    lab.veth('a', 'b')
    lab.up('a')
    lab.up('b')
    lab.addr('192.168.40.1/24', 'a')
    lab.route('add', P, { via: '192.168.40.2' })
  })

  it('takes its routes along when it goes down, and brings back those of its addresses', () => {
    lab.down('a')
    expect(lab.routes().filter(text => text.includes('dev a'))).toEqual([])
    lab.up('a')
    expect(lab.routes().filter(text => text.includes('dev a'))).toEqual([
      '192.168.40.0/24 dev a proto kernel scope link src 192.168.40.1',
    ])
  })

  it('marks its routes while it has no carrier', () => {
    lab.down('b')
    lab.sleep(2)
    expect(lab.routes().filter(text => text.includes('dev a'))).toEqual([
      '10.1.0.0/24 via 192.168.40.2 dev a linkdown',
      '192.168.40.0/24 dev a proto kernel scope link src 192.168.40.1 linkdown',
    ])
    expect(lab.get('10.1.0.1')).toContain('via 192.168.40.2')
    lab.sysctl('net/ipv4/conf/a/ignore_routes_with_linkdown', 1)
    expect(failure(() => lab.get('10.1.0.1'))).toBe('ENETUNREACH')
    expect(lab.routes().find(text => text.startsWith('10.1.'))).toBe('10.1.0.0/24 via 192.168.40.2 dev a dead linkdown')
    lab.up('b')
    lab.sleep(2)
    expect(lab.get('10.1.0.1')).toContain('via 192.168.40.2')
  })

  it('takes its routes along when it is deleted', () => {
    lab.del('a')
    expect(lab.routes().filter(text => text.includes('192.168.40') || text.includes('if'))).toEqual([])
  })
})

describe('a source address that goes', () => {
  it('takes the routes that prefer it along', () => {
    lab.addr('192.168.10.9/24', 'd0')
    lab.route('add', P, { dev: 'd1', src: '192.168.10.9' })
    lab.route('add', '10.2.0.0/24', { dev: 'd1' })
    lab.delAddr('192.168.10.9/24', 'd0')
    expect(lab.routes().filter(text => text.startsWith('10.'))).toEqual(['10.2.0.0/24 dev d1 scope link'])
  })
})

describe('local and main', () => {
  it('share a trie until somebody makes a rule', () => {
    const fib = lab.net.at(fibKey)
    expect(fib.getTable(255)!.trie).toBe(fib.getTable(254)!.trie)
    expect(lab.proc('fib_trie')).toMatch(/^Main:\n/)
    const before = lab.routes(0)
    lab.rule('add', { from: '9.9.9.9', table: 100, priority: 100 })
    expect(fib.getTable(255)!.trie).not.toBe(fib.getTable(254)!.trie)
    const names = [...lab.proc('fib_trie').matchAll(/^(\w+):$/gm)].map(it => it[1])
    expect(names).toEqual(['Main', 'Local'])
    expect(lab.routes(0).sort()).toEqual(before.sort())
    expect(lab.get('192.168.10.1')).toContain('local')
  })
})

describe('/proc/net/route', () => {
  it('has a line of 127 characters for each route of main that is no error', () => {
    lab.route('add', 'default', { via: '192.168.10.2', metric: 7 })
    lab.route('add', P, { type: RTN_UNREACHABLE })
    const lines = lab.proc('route').split('\n')
    expect(lines.pop()).toBe('')
    for (const line of lines) expect(line).toHaveLength(127)
    expect(lines.slice(1).map(line => line.trimEnd().split('\t').slice(0, 8).join(' '))).toEqual([
      'd0 00000000 020AA8C0 0003 0 0 7 00000000',
      '* 0000010A 00000000 0201 0 0 0 00FFFFFF',
      'd0 000AA8C0 00000000 0001 0 0 0 00FFFFFF',
      'd1 0014A8C0 00000000 0001 0 0 0 00FFFFFF',
    ])
  })
})

describe('a dump', () => {
  it('has only what the filter asks for', () => {
    lab.route('add', P, { via: '192.168.10.2', proto: 186 })
    lab.route('add', P, { dev: 'd1', table: 77 })
    expect(lab.routes(77)).toEqual(['10.1.0.0/24 dev d1 scope link'])
    expect(failure(() => lab.routes(78))).toBe('ENOENT: ipv4: FIB table does not exist')
    const dump = (attrs: RouteAttrs, protocol = 0): string[] => lab.dumpRoutes({ attrs, protocol })
    expect(dump({}, 186)).toEqual(['10.1.0.0/24 via 192.168.10.2 dev d0'])
    expect(dump({ oif: lab.dev('d1').ifindex, table: 77 })).toEqual(['10.1.0.0/24 dev d1 scope link'])
    expect(dump({ oif: lab.dev('d0').ifindex, table: 77 })).toEqual([])
  })
})

describe('a route by way of IPv6', () => {
  it('is not accepted with both kinds of gateways', () => {
    const attrs: RouteAttrs = { via: { family: 10, addr: new Uint8Array(16) }, gateway: ip4('192.168.10.2') }
    expect(attempt({ dev: 'd0', attrs })).toBe('EINVAL: Nexthop configuration can not contain both GATEWAY and VIA')
  })
})
