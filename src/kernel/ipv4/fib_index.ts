/**
 * A flat index of a large table: the address space cut into ranges that all have the same most specific route, in two
 * arrays that a lookup searches within the range of the address's upper 16 bits (Zec, Rizzo and Mikuc, "DXR: towards a
 * billion routing lookups per second in software", 2012). It finds what the trie finds with a fraction of the memory
 * accesses; it is thrown away when the table changes and made again when the table has been quiet for a while.
 */
import type { FibAlias } from './fib_alias.ts'
import type { FibTrie } from './fib_trie.ts'

/** Tables with fewer routes live in the processor's cache whatever their shape. */
export const INDEX_MIN = 1000

const BLOCKS = 1 << 16

/** A prefix that the sweep is inside of. */
interface Open {
  /** its last address */
  readonly end: number
  readonly head: FibAlias
}

/** The index. */
export class FibIndex {
  /** by the upper 16 bits: the range that the first address with them is in */
  private readonly blocks: Uint32Array
  private readonly starts: Uint32Array
  private readonly heads: (FibAlias | null)[]

  /** Makes an index of all routes of a trie, and chains them from the most specific to ever shorter prefixes. */
  constructor(trie: FibTrie) {
    const starts: number[] = [0]
    const heads: (FibAlias | null)[] = [null]
    const open: Open[] = []
    const emit = (start: number, head: FibAlias | null): void => {
      const last = starts.length - 1
      if (starts[last] === start) heads[last] = head
      else if (heads[last] !== head) {
        starts.push(start)
        heads.push(head)
      }
    }
    const closeBefore = (key: number): void => {
      for (;;) {
        const top = open[open.length - 1]
        if (top === undefined || top.end >= key) return
        open.pop()
        if (top.end < 0xffffffff) emit(top.end + 1, open[open.length - 1]?.head ?? null)
      }
    }
    trie.walk(leaf => {
      const key = leaf.key >>> 0
      closeBefore(key)
      const { aliases } = leaf
      // shorter prefixes begin here first
      for (let last = aliases.length - 1; last >= 0; ) {
        const { slen } = aliases[last]!
        let first = last
        while (first > 0 && aliases[first - 1]!.slen === slen) first--
        aliases[last]!.next = open[open.length - 1]?.head ?? null
        for (let i = first; i < last; i++) aliases[i]!.next = aliases[i + 1]!
        open.push({ end: key + 2 ** slen - 1, head: aliases[first]! })
        emit(key, aliases[first]!)
        last = first - 1
      }
      return true
    })
    closeBefore(2 ** 32)
    this.starts = Uint32Array.from(starts)
    this.heads = heads
    this.blocks = new Uint32Array(BLOCKS + 1)
    let at = 0
    for (let block = 0; block < BLOCKS; block++) {
      while (at + 1 < starts.length && starts[at + 1]! <= block * 0x10000) at++
      this.blocks[block] = at
    }
    this.blocks[BLOCKS] = starts.length - 1
  }

  /** @param key host order, signed or not @returns the first of the most specific routes, null where there are none */
  find(key: number): FibAlias | null {
    const { starts } = this
    const addr = key >>> 0
    let lo = this.blocks[addr >>> 16]!
    let hi = this.blocks[(addr >>> 16) + 1]!
    while (lo < hi) {
      const mid = (lo + hi + 1) >>> 1
      if (starts[mid]! <= addr) lo = mid
      else hi = mid - 1
    }
    return this.heads[lo]!
  }
}
