/** Registers the drivers: link types, the loopback of each namespace, network cards. */
import { defaultDeviceExit } from '../core/dev_netns.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import type { Kernel } from '../kernel.ts'
import { dummyLinkOps } from './dummy.ts'
import { loopbackNetInit } from './loopback.ts'
import { vethLinkOps } from './veth.ts'

/** Registers this subsystem with a kernel. */
export function driversInit(kernel: Kernel): void {
  for (const ops of [vethLinkOps, dummyLinkOps]) registerLinkOps(kernel, ops)
  // the last to be registered is the first to leave: devices go before the subsystems that use them
  kernel.registerPernet({
    init: loopbackNetInit,
    exit: net => defaultDeviceExit(kernel, net),
  })
}
