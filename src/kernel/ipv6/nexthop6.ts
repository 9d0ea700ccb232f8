/**
 * Nexthop objects (`ip nexthop`) as IPv6's routes use them. The objects are made in nexthop.ts for both families; here
 * is what IPv6 asks of them.
 */
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import type { Fib6NexthopObject, Fib6Nh } from './ip6_fib.ts'

/** What nexthop.ts offers IPv6. */
export interface NexthopOps6 {
  byId(net: Net, id: number): Fib6NexthopObject | undefined
  isBlackhole(nh: Fib6NexthopObject): boolean
  isMultipath(nh: Fib6NexthopObject): boolean
  /** @returns its next hops of IPv6: one, or those of a group in order */
  legs(nh: Fib6NexthopObject): readonly Fib6Nh[]
  /** @param hash 31 bits @returns the leg that takes a flow */
  selectPath(nh: Fib6NexthopObject, hash: number): Fib6Nh
  /** @returns 0, or the error of using it for an IPv6 route */
  check(nh: Fib6NexthopObject, hasSource: boolean, extack: NetlinkExtAck | undefined): number
}

let ops: NexthopOps6 | undefined

/** Used by nexthop.ts. */
export function registerNexthopOps6(given: NexthopOps6): void {
  ops = given
}

/** @returns an object by its id */
export function nexthopById(net: Net, id: number): Fib6NexthopObject | undefined {
  return ops?.byId(net, id)
}

/** @returns whether it drops everything */
export function nexthopIsBlackhole(nh: Fib6NexthopObject): boolean {
  return ops!.isBlackhole(nh)
}

/** @returns whether it is a group */
export function nexthopIsMultipath(nh: Fib6NexthopObject): boolean {
  return ops!.isMultipath(nh)
}

/** @returns its next hops */
export function nexthopLegs(nh: Fib6NexthopObject): readonly Fib6Nh[] {
  return ops!.legs(nh)
}

/** @returns the leg for a flow */
export function nexthopSelectPath(nh: Fib6NexthopObject, hash: number): Fib6Nh {
  return ops!.selectPath(nh, hash)
}

/** @returns 0, or the error of using it for an IPv6 route (fib6_check_nexthop) */
export function checkNexthop6(nh: Fib6NexthopObject, hasSource: boolean, extack: NetlinkExtAck | undefined): number {
  return ops!.check(nh, hasSource, extack)
}
