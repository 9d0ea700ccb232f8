import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FibAlias } from '../../../src/kernel/ipv4/fib_alias.ts'
import { FibConfig, FibInfo } from '../../../src/kernel/ipv4/fib_info.ts'
import { NO_METRICS } from '../../../src/kernel/ipv4/fib_metrics.ts'
import { FibTrie, pullSuffix, pushSuffix, type TrieNode } from '../../../src/kernel/ipv4/fib_trie.ts'
import { inetMakeMask } from '../../../src/kernel/ipv4/in_device.ts'
import { RouteLab } from './route_lab.ts'

/** Checks what must hold of every node: counts, parents, keys in order, suffix lengths not too small. */
function check(n: TrieNode): number {
  if (n.bits === 0) {
    expect(n.aliases.length).toBeGreaterThan(0)
    const longest = Math.max(...n.aliases.map(fa => fa.slen))
    expect(n.slen).toBe(longest)
    return longest
  }
  let empty = 0
  let full = 0
  let slen = n.pos
  expect(n.child.length).toBe(2 ** n.bits)
  n.child.forEach((child, i) => {
    if (child === null) {
      empty++
      return
    }
    expect(child.parent).toBe(n)
    expect((child.key ^ n.key) >>> n.pos).toBe(i)
    if (child.bits !== 0 && child.pos + child.bits === n.pos) full++
    slen = Math.max(slen, check(child))
  })
  expect([n.empty, n.full]).toEqual([empty, full])
  expect(n.slen).toBeGreaterThanOrEqual(slen)
  expect(n.child.length - empty).toBeGreaterThanOrEqual(2)
  return slen
}

describe('the trie of a routing table', () => {
  const net = new RouteLab().net
  const info = new FibInfo(new FibConfig(net), NO_METRICS)
  const prefixes = fc.array(
    fc.record({
      key: fc.integer({ min: 0, max: 0xffffffff }),
      len: fc.integer({ min: 0, max: 32 }),
      del: fc.boolean(),
    }),
    { maxLength: 200 },
  )

  it('keeps its shape and all leaves under any insertions and deletions', () => {
    fc.assert(
      fc.property(prefixes, fc.integer({ min: 0, max: 31 }), (ops, narrow) => {
        const trie = new FibTrie()
        const model = new Map<number, Set<number>>()
        for (const op of ops) {
          const key = ((op.key >>> narrow) & inetMakeMask(op.len)) >>> 0
          const slen = 32 - op.len
          const spot = { parent: trie.root }
          const leaf = trie.findNode(key, spot)
          if (op.del) {
            const at = leaf?.aliases.findIndex(fa => fa.slen === slen) ?? -1
            expect(at >= 0).toBe(model.get(key)?.has(slen) ?? false)
            if (at < 0) continue
            leaf!.aliases.splice(at, 1)
            model.get(key)!.delete(slen)
            if (leaf!.aliases.length === 0) {
              model.delete(key)
              trie.removeLeaf(leaf!)
            } else {
              leaf!.slen = leaf!.aliases.at(-1)!.slen
              pullSuffix(leaf!.parent!, leaf!.slen)
            }
            continue
          }
          if (model.get(key)?.has(slen)) continue
          const alias = new FibAlias(info, slen, 0, 1, 254)
          if (leaf === null) trie.insertLeaf(spot.parent, key, alias)
          else {
            leaf.aliases.push(alias)
            leaf.aliases.sort((a, b) => a.slen - b.slen)
            if (leaf.slen < slen) {
              leaf.slen = slen
              pushSuffix(leaf.parent!, slen)
            }
          }
          model.set(key, (model.get(key) ?? new Set()).add(slen))
        }
        const top = trie.root.child[0]!
        if (top !== null) check(top)
        const keys: number[] = []
        trie.walk(leaf => {
          keys.push(leaf.key >>> 0)
          return true
        })
        expect(keys).toEqual([...model.keys()].sort((a, b) => a - b))
      }),
    )
  })
})
