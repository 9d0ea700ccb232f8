/** `fib_alias`: one route in a table — a prefix, TOS and type — and the `fib_info` that says where it leads. */
import type { FibInfo } from './fib_info.ts'

/** A route of a leaf. */
export class FibAlias {
  info: FibInfo
  /** 32 minus the prefix length */
  readonly slen: number
  readonly tos: number
  /** RTN_… */
  readonly type: number
  /** the table it belongs to: local and main may share a trie */
  readonly tbId: number
  /** a lookup has used it: cached routes may depend on it */
  accessed = false
  /** the one to try after this: of the same prefix, else of the next shorter one that holds it; set by fib_index.ts */
  next: FibAlias | null = null
  /** which of several default routes answered last, -1 none */
  dflt = -1

  constructor(info: FibInfo, slen: number, tos: number, type: number, tbId: number) {
    this.info = info
    this.slen = slen
    this.tos = tos
    this.type = type
    this.tbId = tbId
  }
}

/**
 * Where in a leaf's list a route belongs (fib_find_alias): the first one of the same prefix and table whose TOS is
 * smaller, or whose TOS is the same and whose priority is not smaller.
 * @returns its place, -1 where there is none
 */
export function findAlias(list: readonly FibAlias[], slen: number, tos: number, prio: number, tbId: number): number {
  for (let i = 0; i < list.length; i++) {
    const fa = list[i]!
    if (fa.slen < slen) continue
    if (fa.slen !== slen) break
    if (fa.tbId > tbId) continue
    if (fa.tbId !== tbId) break
    if (fa.tos > tos) continue
    if (fa.info.priority >= prio || fa.tos < tos) return i
  }
  return -1
}

/** Puts a route into a leaf's list. @param before its place as `findAlias` gave it; -1: behind those of its table */
export function insertAlias(list: FibAlias[], alias: FibAlias, before: number): void {
  if (before < 0) {
    before = 0
    for (let i = 0; i < list.length; i++) {
      const last = list[i]!
      if (alias.slen < last.slen || (alias.slen === last.slen && alias.tbId > last.tbId)) break
      before = i + 1
    }
  }
  list.splice(before, 0, alias)
}
