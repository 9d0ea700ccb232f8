/** Registers the drivers: link types, the loopback of each namespace, network cards. */
import { vlanCoreInit, vlanModule } from '../8021q/module.ts'
import { bridgeModule } from '../bridge/module.ts'
import { defaultDeviceExit } from '../core/dev_netns.ts'
import { registerModule } from '../core/module.ts'
import type { Net } from '../core/net_namespace.ts'
import { registerNetSysfs } from '../core/net_sysfs.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import type { Kernel } from '../kernel.ts'
import { dummyLinkOps } from './dummy.ts'
import { e1000eProbe } from './e1000e.ts'
import { ifbLinkOps } from './ifb.ts'
import { ipvlanModule, ipvtapModule } from './ipvlan/ipvlan_netlink.ts'
import { loopbackNetInit } from './loopback.ts'
import { macvlanModule, macvtapModule } from './macvlan/macvlan_netlink.ts'
import { linkModules } from './modules.ts'
import { tunLinkOps, tunSysfs } from './tun.ts'
import { vethLinkOps } from './veth.ts'
import { vrfModule } from './vrf.ts'

/** PCI device number of the first network card. */
const FIRST_SLOT = 5

/** Finds the network cards the machine was built with; they belong to the first namespace. */
function probeNics(kernel: Kernel, net: Net): void {
  if (kernel.nets.size !== 1) return
  kernel.options.nics.forEach((nic, i) => {
    if (nic.driver !== 'e1000e') throw new Error(`no driver ${nic.driver}`)
    e1000eProbe(net, nic.name, nic.mac, `0000:00:${(FIRST_SLOT + i).toString(16).padStart(2, '0')}.0`)
  })
}

/** Registers this subsystem with a kernel. */
export function driversInit(kernel: Kernel): void {
  for (const ops of [vethLinkOps, dummyLinkOps, ifbLinkOps, tunLinkOps]) registerLinkOps(kernel, ops)
  vlanCoreInit(kernel)
  for (const module of [vlanModule, bridgeModule, macvlanModule, macvtapModule, ipvlanModule, ipvtapModule, vrfModule])
    registerModule(kernel, module)
  for (const module of linkModules) registerModule(kernel, module)
  registerNetSysfs(kernel, tunSysfs)
  // the last to be registered is the first to leave: devices go before the subsystems that use them
  kernel.registerPernet({
    init(net) {
      loopbackNetInit(net)
      probeNics(kernel, net)
    },
    exit: net => defaultDeviceExit(kernel, net),
  })
}
