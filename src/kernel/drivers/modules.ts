/** Link types that come as modules: bonds, tunnels, and some more. */
import type { KernelModule } from '../core/module.ts'
import { ipGreModule } from '../ipv4/ip_gre.ts'
import { ipipModule, sitModule } from '../ipv4/ipip.ts'
import { ip6GreModule } from '../ipv6/ip6_gre.ts'
import { ip6TunnelModule } from '../ipv6/ip6_tunnel.ts'
import { bondingModule } from './bonding/module.ts'
import { geneveModule } from './geneve.ts'
import { macsecModule } from './macsec.ts'
import { nlmonModule } from './nlmon.ts'
import { vcanModule, vxcanModule } from './vcan.ts'
import { vxlanModule } from './vxlan/vxlan_netlink.ts'
import { wireguardModule } from './wireguard.ts'

/** The modules. */
export const linkModules: readonly KernelModule[] = [
  bondingModule,
  vxlanModule,
  geneveModule,
  ipGreModule,
  ipipModule,
  sitModule,
  ip6TunnelModule,
  ip6GreModule,
  macsecModule,
  wireguardModule,
  nlmonModule,
  vcanModule,
  vxcanModule,
]
