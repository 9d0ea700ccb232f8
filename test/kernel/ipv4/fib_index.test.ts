import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FibAlias, insertAlias } from '../../../src/kernel/ipv4/fib_alias.ts'
import { FibIndex } from '../../../src/kernel/ipv4/fib_index.ts'
import { FibConfig, FibInfo } from '../../../src/kernel/ipv4/fib_info.ts'
import { NO_METRICS } from '../../../src/kernel/ipv4/fib_metrics.ts'
import { FibTrie } from '../../../src/kernel/ipv4/fib_trie.ts'
import { inetMakeMask } from '../../../src/kernel/ipv4/in_device.ts'
import { RouteLab } from './route_lab.ts'

describe('the flat index of a large table', () => {
  const info = new FibInfo(new FibConfig(new RouteLab().net), NO_METRICS)

  it('finds all routes that hold an address, the most specific first, as a plain scan does', () => {
    const route = fc.record({ addr: fc.integer({ min: 0, max: 0xffffffff }), len: fc.integer({ min: 0, max: 32 }) })
    fc.assert(
      fc.property(fc.array(route, { maxLength: 60 }), fc.integer({ min: 0, max: 30 }), (list, narrow) => {
        const trie = new FibTrie()
        const all: { key: number; alias: FibAlias }[] = []
        for (const { addr, len } of list) {
          const key = ((addr >>> narrow) & inetMakeMask(len)) >>> 0
          const alias = new FibAlias(info, 32 - len, 0, 1, 254)
          const spot = { parent: trie.root }
          const leaf = trie.findNode(key, spot)
          if (leaf === null) trie.insertLeaf(spot.parent, key, alias)
          else insertAlias(leaf.aliases, alias, -1)
          all.push({ key, alias })
        }
        const index = new FibIndex(trie)
        const probes = list.flatMap(({ addr, len }) => {
          const key = ((addr >>> narrow) & inetMakeMask(len)) >>> 0
          return [addr, key, key - 1, key + 2 ** (32 - len), key + 2 ** (32 - len) - 1]
        })
        for (const probe of [...probes, 0, 0xffffffff]) {
          const addr = probe >>> 0
          const holding = all
            .filter(({ key, alias }) => ((key ^ addr) & inetMakeMask(32 - alias.slen)) === 0)
            .map(({ alias }) => alias)
            .sort((a, b) => a.slen - b.slen)
          const found: FibAlias[] = []
          for (let fa = index.find(addr); fa !== null; fa = fa.next) found.push(fa)
          expect(found).toEqual(holding)
        }
      }),
    )
  })

  it('is made when a large table has been quiet, and is gone when it changes', () => {
    const trie = new FibTrie()
    trie.changed(2000)
    for (let i = 0; i < 2000; i++) expect(trie.indexed()).toBeUndefined()
    expect(trie.indexed()).toBeDefined()
    trie.changed(1)
    expect(trie.indexed()).toBeUndefined()
  })
})
