/** Switching multicast snooping on and off (br_multicast_toggle). */
import { BR_STATE_BLOCKING, BR_STATE_DISABLED, BROPT_MULTICAST_ENABLED, type NetBridge } from './br.ts'
import { openQueries, startPortQueries, stopQueries } from './br_multicast_query.ts'
import { joinSnoopers, leaveSnoopers } from './br_multicast_snoopers.ts'

/** Does it; with the bridge up, its queries begin or end, and it joins or leaves the snoopers' groups. */
export function brMulticastToggle(br: NetBridge, on: boolean): void {
  if (br.opt(BROPT_MULTICAST_ENABLED) === on) return
  if (!on) {
    if (br.dev.running) leaveSnoopers(br)
    br.toggle(BROPT_MULTICAST_ENABLED, false)
    stopQueries(br)
    return
  }
  br.toggle(BROPT_MULTICAST_ENABLED, true)
  if (!br.dev.running) return
  joinSnoopers(br)
  openQueries(br)
  for (const port of br.ports)
    if (port.state !== BR_STATE_DISABLED && port.state !== BR_STATE_BLOCKING) startPortQueries(port)
}
