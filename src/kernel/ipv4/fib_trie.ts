/**
 * The level-compressed trie that a routing table is: Nilsson and Tikkanen, "Implementing a dynamic compressed trie"
 * (1998), with the thresholds of the reference kernel, so that /proc/net/fib_trie shows the same nodes.
 *
 * A node looks at `bits` bits of the key beginning at bit `pos`; bits above that which all keys below share are skipped.
 * A leaf holds the routes of all prefixes that begin at its key. Keys are signed 32-bit integers inside.
 */
import type { FibAlias } from './fib_alias.ts'
import { FibIndex, INDEX_MIN } from './fib_index.ts'

/** A node is doubled when the doubled one would be at least this full, per cent; and for the root. */
const INFLATE = 50
const INFLATE_ROOT = 30
/** A node is halved when it is less full than this, per cent. */
const HALVE = 25
const HALVE_ROOT = 15
/** How often one node is doubled or halved at a time. */
const MAX_WORK = 10
/** Widest node there can be. */
const MAX_BITS = 26

const NO_ALIASES: FibAlias[] = []
const NO_CHILDREN: (TrieNode | null)[] = []

/** A node: the root's anchor (`pos` 32), an internal node (`bits` > 0) or a leaf (`bits` 0, `pos` 0). */
export class TrieNode {
  /** the bits above `pos + bits` that all keys below share; a leaf's whole key */
  readonly key: number
  readonly pos: number
  readonly bits: number
  /** the longest suffix (32 minus prefix length) of any route below that could still match a key not equal to its own */
  slen: number
  parent: TrieNode | null = null
  readonly child: (TrieNode | null)[]
  /** a leaf's routes: longest prefix first, then table, TOS (descending) and priority */
  readonly aliases: FibAlias[]
  /** children that are missing, and children that continue without skipped bits */
  empty: number
  full = 0

  constructor(key: number, pos: number, bits: number) {
    const shift = pos + bits
    this.key = bits === 0 ? key | 0 : shift < 32 ? (key >> shift) << shift : 0
    this.pos = pos
    this.bits = bits
    this.slen = pos
    this.empty = bits === 0 ? 0 : 1 << bits
    this.child = bits === 0 ? (pos === 0 ? NO_CHILDREN : [null]) : new Array<TrieNode | null>(1 << bits).fill(null)
    this.aliases = bits === 0 && pos === 0 ? [] : NO_ALIASES
  }

  /** @returns whether it holds routes */
  get isLeaf(): boolean {
    return this.bits === 0 && this.pos === 0
  }

  /** @returns the child a key belongs to; the anchor has only one */
  index(key: number): number {
    return this.pos === 32 ? 0 : (key ^ this.key) >>> this.pos
  }
}

/** @returns whether a child continues its parent without skipping bits */
function isFull(tn: TrieNode, n: TrieNode | null): boolean {
  return n !== null && n.bits !== 0 && n.pos + n.bits === tn.pos
}

/** Sets a child and keeps the parent's counts and suffix length right. */
function putChild(tn: TrieNode, i: number, n: TrieNode | null): void {
  const old = tn.child[i]!
  if (tn.pos !== 32) {
    if (n === null && old !== null) tn.empty++
    if (n !== null && old === null) tn.empty--
    const was = isFull(tn, old)
    const is = isFull(tn, n)
    if (was && !is) tn.full--
    else if (!was && is) tn.full++
    if (n !== null && tn.slen < n.slen) tn.slen = n.slen
  }
  tn.child[i] = n
}

/** Makes children that came from elsewhere point to their new parents. */
function adoptChildren(tn: TrieNode): void {
  for (const n of tn.child) {
    if (n === null) continue
    if (n.parent === tn) adoptChildren(n)
    else n.parent = tn
  }
}

/** Works out a node's suffix length from its children, after one has shrunk. @returns it */
export function updateSuffix(tn: TrieNode): number {
  let slen = tn.pos
  // only child 0 can have a suffix that reaches above this node's own bits
  const most = Math.min(tn.pos + tn.bits - 1, tn.slen)
  for (let i = 0, stride = 2; i < tn.child.length; i += stride) {
    const n = tn.child[i]!
    if (n === null || n.slen <= slen) continue
    stride *= 2 ** (n.slen - slen)
    slen = n.slen
    i -= i % stride
    if (slen >= most) break
  }
  tn.slen = slen
  return slen
}

/** A suffix length below a node has shrunk to `slen`: lets it run up. */
export function pullSuffix(tn: TrieNode, slen: number): void {
  let node: TrieNode = tn
  let old = node.slen
  while (old > node.pos && old > slen) {
    slen = updateSuffix(node)
    if (old === slen || node.parent === null) break
    node = node.parent
    old = node.slen
  }
}

/** A suffix length below a node has grown to `slen`: lets it run up. */
export function pushSuffix(tn: TrieNode, slen: number): void {
  for (let node: TrieNode | null = tn; node !== null && node.slen < slen; node = node.parent) node.slen = slen
}

/** The trie. */
export class FibTrie {
  /** the anchor: its one child is the topmost node */
  readonly root = new TrieNode(0, 32, 0)
  /** what lookups did, see /proc/net/fib_triestat; those that the index answers count as passed or not at all */
  readonly stats = { gets: 0, backtracks: 0, passed: 0, missed: 0, nullNodes: 0 }
  /** routes in it; set by the tables that use it */
  size = 0
  private index: FibIndex | undefined
  /** lookups since the last change */
  private quiet = 0

  constructor() {
    this.root.slen = 32
  }

  /** The routes have changed by `delta`: the index is no longer right. */
  changed(delta: number): void {
    this.size += delta
    this.index = undefined
    this.quiet = 0
  }

  /** @returns the index of a large trie that has been the same for as many lookups as making it is worth */
  indexed(): FibIndex | undefined {
    if (this.index === undefined && this.size >= INDEX_MIN && ++this.quiet > this.size) this.index = new FibIndex(this)
    return this.index
  }

  /** @returns the leaf of a key, and in `parentOut` the node it hangs on or would */
  findNode(key: number, out?: { parent: TrieNode }): TrieNode | null {
    key |= 0
    let parent = this.root
    let n: TrieNode | null = parent.child[0]!
    while (n !== null) {
      const index: number = (key ^ n.key) >>> n.pos
      if (index >>> n.bits !== 0) {
        n = null
        break
      }
      if (n.bits === 0) break
      parent = n
      n = n.child[index]!
    }
    if (out !== undefined) out.parent = parent
    return n
  }

  /** Makes the leaf of a key with its first route. @param tp where `findNode` said it would hang */
  insertLeaf(tp: TrieNode, key: number, alias: FibAlias): TrieNode {
    key |= 0
    const leaf = new TrieNode(key, 0, 0)
    leaf.aliases.push(alias)
    leaf.slen = alias.slen
    const n = tp.child[tp.index(key)]!
    if (n !== null) {
      const tn = new TrieNode(key, 31 - Math.clz32(key ^ n.key), 1)
      tn.parent = tp
      putChild(tn, tn.index(key) ^ 1, n)
      putChild(tp, tp.index(key), tn)
      n.parent = tn
      tp = tn
    }
    pushSuffix(tp, alias.slen)
    leaf.parent = tp
    putChild(tp, tp.index(key), leaf)
    this.rebalance(tp)
    return leaf
  }

  /** Takes an empty leaf out. */
  removeLeaf(leaf: TrieNode): void {
    const tp = leaf.parent!
    putChild(tp, tp.index(leaf.key), null)
    if (tp.slen === leaf.slen) pullSuffix(tp, tp.pos)
    this.rebalance(tp)
  }

  private rebalance(tn: TrieNode): void {
    for (let node = tn; node !== this.root; ) node = this.resize(node)
  }

  /**
   * Takes empty leaves out all over the trie, from the last to the first, and brings every node into shape on the way.
   * @param visit may take routes off the leaf; it leaves `slen` right
   */
  sweep(visit: (leaf: TrieNode) => void): void {
    let pn = this.root
    let cindex = 1
    for (;;) {
      if (cindex-- === 0) {
        if (pn === this.root) return
        const { key } = pn
        if (pn.slen > pn.pos) updateSuffix(pn)
        pn = this.resize(pn)
        cindex = pn.index(key)
        continue
      }
      const n = pn.child[cindex]!
      if (n === null) continue
      if (n.bits !== 0) {
        pn = n
        cindex = n.child.length
        continue
      }
      visit(n)
      if (n.aliases.length === 0) putChild(pn, pn.index(n.key), null)
    }
  }

  /** Calls `visit` for every leaf in ascending order of keys; ends where it returns false. @returns whether all were seen */
  walk(visit: (leaf: TrieNode) => boolean | undefined): boolean {
    const top = this.root.child[0]!
    return top === null || walkNode(top, visit)
  }

  /** @returns the parent under which the node, or what has taken its place, now hangs */
  private resize(tn: TrieNode): TrieNode {
    let tp = tn.parent!
    const cindex = tp.index(tn.key)
    let work = MAX_WORK
    while (work > 0 && this.shouldInflate(tp, tn)) {
      tp = this.inflate(tn)
      work--
      tn = tp.child[cindex]!
    }
    if (work !== MAX_WORK) return tn.parent!
    while (work > 0 && this.shouldHalve(tp, tn)) {
      tp = this.halve(tn)
      work--
      tn = tp.child[cindex]!
    }
    if (tn.child.length - tn.empty < 2) return this.collapse(tn)
    return tn.parent!
  }

  private shouldInflate(tp: TrieNode, tn: TrieNode): boolean {
    const length = tn.child.length
    const used = length - tn.empty + tn.full
    const threshold = length * (tp === this.root ? INFLATE_ROOT : INFLATE)
    return used > 1 && tn.pos > 0 && tn.bits < MAX_BITS && 50 * used >= threshold
  }

  private shouldHalve(tp: TrieNode, tn: TrieNode): boolean {
    const length = tn.child.length
    const used = length - tn.empty
    const threshold = length * (tp === this.root ? HALVE_ROOT : HALVE)
    return used > 1 && tn.bits > 1 && 100 * used < threshold
  }

  /** Doubles a node: children without skipped bits are split in two. @returns its parent */
  private inflate(old: TrieNode): TrieNode {
    const tn = new TrieNode(old.key, old.pos - 1, old.bits + 1)
    const bit = 1 << tn.pos
    for (let i = old.child.length - 1; i >= 0; i--) {
      const n = old.child[i]!
      if (n === null) continue
      if (!isFull(old, n)) {
        putChild(tn, tn.index(n.key), n)
        continue
      }
      if (n.bits === 1) {
        putChild(tn, 2 * i + 1, n.child[1]!)
        putChild(tn, 2 * i, n.child[0]!)
        continue
      }
      const high = new TrieNode(n.key | bit, n.pos, n.bits - 1)
      const low = new TrieNode(n.key, n.pos, n.bits - 1)
      const half = high.child.length
      for (let j = half - 1; j >= 0; j--) {
        putChild(high, j, n.child[half + j]!)
        putChild(low, j, n.child[j]!)
      }
      high.parent = tn
      low.parent = tn
      putChild(tn, 2 * i + 1, high)
      putChild(tn, 2 * i, low)
    }
    return this.replace(old, tn)
  }

  /** Halves a node: two neighbours that both exist get a node of their own. @returns its parent */
  private halve(old: TrieNode): TrieNode {
    const tn = new TrieNode(old.key, old.pos + 1, old.bits - 1)
    for (let i = old.child.length - 2; i >= 0; i -= 2) {
      const high = old.child[i + 1]!
      const low = old.child[i]!
      if (high === null || low === null) {
        putChild(tn, i / 2, high ?? low)
        continue
      }
      const pair = new TrieNode(low.key, old.pos, 1)
      putChild(pair, 1, high)
      putChild(pair, 0, low)
      pair.parent = tn
      putChild(tn, i / 2, pair)
    }
    return this.replace(old, tn)
  }

  private replace(old: TrieNode, tn: TrieNode): TrieNode {
    const tp = old.parent!
    tn.parent = tp
    putChild(tp, tp.index(tn.key), tn)
    adoptChildren(tn)
    for (let i = tn.child.length - 1; i >= 0; i--) {
      const n = tn.child[i]!
      if (isFull(tn, n)) this.resize(n!)
    }
    return tp
  }

  /** A node with one child or none gives way to it. @returns its parent */
  private collapse(old: TrieNode): TrieNode {
    let only: TrieNode | null = null
    for (let i = old.child.length - 1; only === null && i >= 0; i--) only = old.child[i]!
    const tp = old.parent!
    putChild(tp, tp.index(old.key), only)
    if (only !== null) only.parent = tp
    return tp
  }
}

function walkNode(n: TrieNode, visit: (leaf: TrieNode) => boolean | undefined): boolean {
  if (n.bits === 0) return visit(n) !== false
  for (const child of n.child) if (child !== null && !walkNode(child, visit)) return false
  return true
}
