/** What a lookup in the forwarding information base finds. */
import type { Fib6Info, Fib6Nh } from './ip6_fib.ts'

/** What a lookup has found; `rt` undefined where nothing fits. One object is used again and again. */
export class Fib6Result {
  rt: Fib6Info | undefined
  nh: Fib6Nh | undefined
  /** RTN_… */
  type = 0
  /** RTF_… */
  flags = 0

  /** Takes a route with its first next hop. */
  take(rt: Fib6Info, nh: Fib6Nh): void {
    this.rt = rt
    this.nh = nh
    this.type = rt.type
    this.flags = rt.flags
  }

  /** Nothing was found. */
  clear(): void {
    this.rt = this.nh = undefined
    this.type = this.flags = 0
  }
}
