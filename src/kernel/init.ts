/** What a kernel starts, in order: every subsystem's registration. One line each. */

import { netSysfsInit } from './core/net_sysfs.ts'
import { rtnlLinkInit } from './core/rtnl_link.ts'
import { sysctlNetCoreInit } from './core/sysctl_net_core.ts'
import { driversInit } from './drivers/index.ts'
import { inetInit } from './ipv4/af_inet.ts'
import { sysctlIpv4Init } from './ipv4/sysctl_net_ipv4.ts'
import { inet6Init } from './ipv6/af_inet6.ts'
import type { Kernel } from './kernel.ts'
import { sysctlNetfilterInit } from './netfilter/sysctl_netfilter.ts'
import { packetInit } from './packet/af_packet.ts'

/** The start-up functions; an earlier one may be relied on by a later one. */
export const INITCALLS: readonly ((kernel: Kernel) => void)[] = [
  rtnlLinkInit,
  netSysfsInit,
  sysctlNetCoreInit,
  sysctlNetfilterInit,
  sysctlIpv4Init,
  inetInit,
  inet6Init,
  packetInit,
  driversInit,
]
