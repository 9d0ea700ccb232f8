/** A snooping bridge listens to the groups of multicast router discovery (RFC 4286), on its own device. */

import { ipMcDecGroup, ipMcIncGroup } from '../ipv4/igmp.ts'
import { inDevGet } from '../ipv4/in_device.ts'
import { ipv6DevMcDec, ipv6DevMcInc } from '../ipv6/mcast.ts'
import { BROPT_MULTICAST_ENABLED, type NetBridge } from './br.ts'

/** All-Snoopers: 224.0.0.106 and ff02::6a. */
const ALL_SNOOPERS = 0xe000006a
const ALL_SNOOPERS6 = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x6a)

/** Joins them (br_multicast_join_snoopers). */
export function joinSnoopers(br: NetBridge): void {
  if (!br.opt(BROPT_MULTICAST_ENABLED)) return
  const inDev = inDevGet(br.dev)
  if (inDev !== undefined) ipMcIncGroup(inDev, ALL_SNOOPERS)
  ipv6DevMcInc(br.dev, ALL_SNOOPERS6)
}

/** Leaves them (br_multicast_leave_snoopers). */
export function leaveSnoopers(br: NetBridge): void {
  if (!br.opt(BROPT_MULTICAST_ENABLED)) return
  const inDev = inDevGet(br.dev)
  if (inDev !== undefined) ipMcDecGroup(inDev, ALL_SNOOPERS)
  ipv6DevMcDec(br.dev, ALL_SNOOPERS6)
}
