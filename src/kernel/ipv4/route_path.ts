/**
 * Where routes send packets: the functions of IPv4's path that a route's `input` and `output` are, and what routing asks
 * of ICMP and IGMP. The path itself is built upon routes, so it is handed to them when IPv4 starts (route_init.ts).
 */
import type { SkBuff } from '../core/skbuff.ts'
import type { InDevice } from './in_device.ts'

/** The functions. */
export interface RoutePath {
  localDeliver(skb: SkBuff): number
  forward(skb: SkBuff): number
  /** the input of routes that are an error */
  error(skb: SkBuff): number
  output(skb: SkBuff): number
  mcOutput(skb: SkBuff): number
  icmpSend(skb: SkBuff, type: number, code: number, info: number): void
  /** @returns whether a device listens to a multicast group */
  checkMc(inDev: InDevice, group: number, src: number, proto: number): boolean
}

/** Set once, before the first packet. */
export let routePath: RoutePath

/** Hands the path to the routes. */
export function setRoutePath(path: RoutePath): void {
  routePath = path
}
