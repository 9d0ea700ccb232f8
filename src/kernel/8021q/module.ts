/** The 8021q module: loaded when the first VLAN is made. */

import type { KernelModule } from '../core/module.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import type { Kernel } from '../kernel.ts'
import { vlanNotifierInit } from './vlan.ts'
import { skbVlanUntag, vlanDoReceive } from './vlan_core.ts'
import { vlanLinkOps } from './vlan_netlink.ts'
import { vlanProcInit } from './vlanproc.ts'

/** Tags are understood from the start; devices for them need the module. */
export function vlanCoreInit(kernel: Kernel): void {
  kernel.netcore.untag = skbVlanUntag
  kernel.netcore.vlanDoReceive = vlanDoReceive
}

/** The module. */
export const vlanModule: KernelModule = {
  name: '8021q',
  aliases: ['rtnl-link-vlan'],
  depends: ['garp', 'mrp'],
  init(kernel) {
    kernel.log.print(6, '8021q: 802.1Q VLAN Support v1.8')
    registerLinkOps(kernel, vlanLinkOps)
    vlanNotifierInit(kernel)
    vlanProcInit(kernel)
  },
}
