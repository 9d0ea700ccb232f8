/**
 * The tries of IPv6's routing tables: path-compressed, binary, over destination prefixes; a node may carry a second trie
 * over source prefixes. Dumps list a node after all that is below it, so longer prefixes come before shorter ones.
 */
import { addrBit, type In6Addr, prefixEqual } from './addr.ts'
import type { Fib6Info, Fib6Table } from './ip6_fib.ts'

/** A node of a trie: a prefix with routes, or a branching point. */
export class Fib6Node {
  parent: Fib6Node | undefined
  left: Fib6Node | undefined
  right: Fib6Node | undefined
  /** a trie over source prefixes of routes to this destination */
  subtree: Fib6Node | undefined
  readonly key: In6Addr
  /** prefix length */
  readonly bit: number
  /** routes by metric, smallest first */
  leaf: Fib6Info | undefined
  /** a branching point holds a route from below */
  borrowed: Fib6Info | undefined
  /** the top of a table or of a subtree */
  readonly isRoot: boolean

  constructor(key: In6Addr, bit: number, isRoot = false) {
    this.key = key
    this.bit = bit
    this.isRoot = isRoot
  }
}

/** @returns the node of exactly this prefix, or undefined */
export function locate(root: Fib6Node, key: In6Addr, plen: number): Fib6Node | undefined {
  let at: Fib6Node | undefined = root
  while (at !== undefined && at.bit <= plen) {
    if (!prefixEqual(at.key, key, at.bit)) return undefined
    if (at.bit === plen) return at
    at = addrBit(key, at.bit) === 1 ? at.right : at.left
  }
  return undefined
}

/** @returns the node of exactly this destination and source prefix if it has routes (fib6_locate) */
export function fib6Locate(
  table: Fib6Table,
  dst: In6Addr,
  dstLen: number,
  src: In6Addr,
  srcLen: number,
): Fib6Node | undefined {
  let node = locate(table.root, dst, dstLen)
  if (srcLen > 0) node = node?.subtree === undefined ? undefined : locate(node.subtree, src, srcLen)
  return node
}

/**
 * Finds the longest prefix that covers an address and has routes (fib6_node_lookup).
 * @param src narrows routes with a source prefix; :: matches only those without
 */
export function fib6NodeLookup(root: Fib6Node, dst: In6Addr, src: In6Addr): Fib6Node | undefined {
  let best: Fib6Node | undefined
  let at: Fib6Node | undefined = root
  while (at !== undefined) {
    if (at.bit > 0 && !prefixEqual(at.key, dst, at.bit)) break
    if (at.subtree !== undefined) best = lookupSource(at.subtree, src) ?? (at.leaf === undefined ? best : at)
    else if (at.leaf !== undefined) best = at
    if (at.bit === 128) break
    at = addrBit(dst, at.bit) === 1 ? at.right : at.left
  }
  return best
}

function lookupSource(root: Fib6Node, src: In6Addr): Fib6Node | undefined {
  let best: Fib6Node | undefined
  let at: Fib6Node | undefined = root
  while (at !== undefined) {
    if (at.bit > 0 && !prefixEqual(at.key, src, at.bit)) break
    if (at.leaf !== undefined) best = at
    if (at.bit === 128) break
    at = addrBit(src, at.bit) === 1 ? at.right : at.left
  }
  return best
}

/** @returns the next shorter prefix with routes, or undefined at the top (fib6_backtrack) */
export function fib6Backtrack(node: Fib6Node, src: In6Addr): Fib6Node | undefined {
  let at: Fib6Node = node
  for (;;) {
    const { parent } = at
    if (parent === undefined) return undefined
    // out of a source trie the way leads to the destination's own routes
    const found = parent.subtree !== undefined && parent.subtree !== at ? lookupSource(parent.subtree, src) : undefined
    if (found !== undefined) return found
    at = parent
    if (at.leaf !== undefined) return at
  }
}

/** Visits the nodes that have routes, in the order in which the kernel lists them. */
export function walkNodes(node: Fib6Node | undefined, visit: (node: Fib6Node) => void): void {
  if (node === undefined) return
  walkNodes(node.subtree, visit)
  walkNodes(node.left, visit)
  walkNodes(node.right, visit)
  if (node.leaf !== undefined) visit(node)
}

/** @returns the routes of a table in that order; legs of a multipath route each on its own */
export function tableRoutes(table: Fib6Table): Fib6Info[] {
  const routes: Fib6Info[] = []
  walkNodes(table.root, node => {
    for (let rt = node.leaf; rt !== undefined; rt = rt.next) routes.push(rt)
  })
  return routes
}
