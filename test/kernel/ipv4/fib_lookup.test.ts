import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FibResult } from '../../../src/kernel/ipv4/fib_info.ts'
import { fibKey } from '../../../src/kernel/ipv4/fib_table.ts'
import { Flowi4 } from '../../../src/kernel/ipv4/flow.ts'
import { inetMakeMask } from '../../../src/kernel/ipv4/in_device.ts'
import { addrText } from '../../../src/kernel/ipv4/inet_addr.ts'
import { RouteLab } from './route_lab.ts'

describe('longest prefix match', () => {
  it('agrees with a plain scan, also after routes have gone', () => {
    const prefixes = fc.array(
      fc.record({ addr: fc.integer({ min: 0, max: 0xffffffff }), len: fc.integer({ min: 0, max: 32 }) }),
      { minLength: 1, maxLength: 40 },
    )
    fc.assert(
      fc.property(prefixes, fc.integer({ min: 0, max: 28 }), fc.array(fc.nat()), (list, narrow, seeds) => {
        const lab = new RouteLab()
        lab.dummy('d0')
        const routes = new Map<string, { key: number; len: number }>()
        for (const { addr, len } of list) {
          const key = ((addr >>> narrow) & inetMakeMask(len)) >>> 0
          routes.set(`${addrText(key)}/${len}`, { key, len })
        }
        for (const text of routes.keys()) lab.route('add', text, { dev: 'd0', table: 100 })
        ;[...routes.keys()].forEach((text, i) => {
          if (i % 3 !== 0) return
          lab.route('del', text, { table: 100 })
          routes.delete(text)
        })
        const table = lab.net.at(fibKey).getTable(100)!
        const fl4 = new Flowi4()
        const res = new FibResult()
        const probes = [...list.map(it => it.addr >>> narrow), ...list.map(it => (it.addr >>> narrow) ^ 1), ...seeds]
        for (const probe of probes) {
          const daddr = probe >>> 0
          let best = -1
          for (const { key, len } of routes.values())
            if (((daddr ^ key) & inetMakeMask(len)) === 0 && len > best) best = len
          fl4.daddr = daddr
          const err = table.lookup(fl4, res, 0)
          expect(err === 0 ? res.prefixlen : -1).toBe(best)
        }
      }),
      { numRuns: 60 },
    )
  })
})
