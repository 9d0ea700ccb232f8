/** The bonding module: loaded when the first master is made. */
import type { KernelModule } from '../../core/module.ts'
import { registerNetClassFile, registerNetSysfs } from '../../core/net_sysfs.ts'
import { registerLinkOps } from '../../core/rtnl_link.ts'
import { bondNotifierInit } from './bond_main.ts'
import { bondLinkOps } from './bond_netlink.ts'
import { bondProcInit } from './bond_procfs.ts'
import { bondingMasters, bondSysfs } from './bond_sysfs.ts'

/** The module. */
export const bondingModule: KernelModule = {
  name: 'bonding',
  aliases: ['rtnl-link-bond'],
  depends: ['tls'],
  init(kernel) {
    kernel.log.print(6, 'Ethernet Channel Bonding Driver: v6.1.0-56-amd64')
    registerLinkOps(kernel, bondLinkOps)
    bondNotifierInit(kernel)
    registerNetSysfs(kernel, bondSysfs)
    registerNetClassFile(kernel, 'bonding_masters', bondingMasters)
    bondProcInit(kernel)
  },
}
