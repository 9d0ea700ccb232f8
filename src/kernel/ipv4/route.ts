/**
 * IPv4 routing: routes for received packets (route_input.ts) and for our own (route_output.ts), what is learned on the
 * way (route_learn.ts, route_exceptions.ts) and said about it (route_redirect.ts). Tables and rules are the FIB's, see
 * fib_frontend.ts. This file is the door: other parts of IPv4 import from here.
 */
import { RTM_GETROUTE } from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import { fibRulesInit } from '../core/fib_rules_nl.ts'
import { rtnlDumpAllInit } from '../core/rtnl_dump_all.ts'
import type { Kernel } from '../kernel.ts'
import { devinetInit } from './devinet.ts'
import { fibInit } from './fib_frontend.ts'
import { inetpeerInit } from './inetpeer.ts'
import { nexthopInit } from './nexthop_rtnl.ts'
import { inetRtmGetroute } from './route_get.ts'
import { RtState, rtStateKey } from './rtable.ts'

export * from './fib_lookup.ts'
export * from './fib_metrics.ts'
export * from './flow.ts'
export { dstDiscard, ipRtBug, rtDstAlloc } from './route_cache.ts'
export { ipRouteInput } from './route_input.ts'
export { ipDoRedirect, ipRtGetSource, ipRtUpdatePmtu, ipv4Redirect, ipv4UpdatePmtu } from './route_learn.ts'
export { ipRouteOutputKey, RTO_ONLINK } from './route_output.ts'
export { ipRtSendRedirect } from './route_redirect.ts'
export * from './rtable.ts'

/**
 * Registers IPv4 routing with a kernel (ip_rt_init): policy rules, next hop objects, addresses of devices, tables, and
 * `ip route get`. The one call that IPv4's init makes for all of it, after the namespace's sysctl values (`ipv4Key`).
 */
export function ipRtInit(kernel: Kernel): void {
  kernel.registerPernet({
    init(net) {
      net.set(rtStateKey, new RtState())
      inetpeerInit(net)
    },
  })
  rtnlDumpAllInit(kernel)
  fibRulesInit(kernel)
  nexthopInit(kernel)
  devinetInit(kernel)
  fibInit(kernel)
  kernel.rtnl.register(AF_INET, RTM_GETROUTE, { doit: inetRtmGetroute })
}
