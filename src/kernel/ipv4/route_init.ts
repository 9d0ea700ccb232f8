/** Starts IPv4 routing; only IPv4's own init imports this. */
import { RTM_GETROUTE } from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import { fibRulesInit } from '../core/fib_rules_nl.ts'
import { rtnlDumpAllInit } from '../core/rtnl_dump_all.ts'
import type { Kernel } from '../kernel.ts'
import { devinetInit } from './devinet.ts'
import { fibInit } from './fib_frontend.ts'
import { icmpSend } from './icmp.ts'
import { ipCheckMc } from './igmp.ts'
import { inetpeerInit } from './inetpeer.ts'
import { ipError, ipForward } from './ip_forward.ts'
import { ipLocalDeliver } from './ip_input.ts'
import { ipMcOutput, ipOutput } from './ip_output.ts'
import { nexthopInit } from './nexthop_rtnl.ts'
import { inetRtmGetroute } from './route_get.ts'
import { setRoutePath } from './route_path.ts'
import { RtState, rtStateKey } from './rtable.ts'

/**
 * Registers IPv4 routing with a kernel (ip_rt_init): policy rules, next hop objects, addresses of devices, tables, and
 * `ip route get`. The one call that IPv4's init makes for all of it, after the namespace's sysctl values (`ipv4Key`).
 */
export function ipRtInit(kernel: Kernel): void {
  setRoutePath({
    localDeliver: ipLocalDeliver,
    forward: ipForward,
    error: ipError,
    output: ipOutput,
    mcOutput: ipMcOutput,
    icmpSend,
    checkMc: ipCheckMc,
  })
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
