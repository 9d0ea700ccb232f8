/** Link types that come as modules: bonds and tunnels. */
import type { KernelModule } from '../core/module.ts'
import { ipGreModule } from '../ipv4/ip_gre.ts'
import { ipipModule, sitModule } from '../ipv4/ipip.ts'
import { bondingModule } from './bonding/module.ts'
import { vxlanModule } from './vxlan/vxlan_netlink.ts'

/** The modules. */
export const linkModules: readonly KernelModule[] = [bondingModule, vxlanModule, ipGreModule, ipipModule, sitModule]
