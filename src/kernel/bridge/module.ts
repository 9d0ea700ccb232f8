/** The bridge module: loaded when the first bridge is made. */
import { ETH_P_802_2, IFF_UP } from '../../uapi/if.ts'
import { netifOperUp } from '../core/link_watch.ts'
import type { KernelModule } from '../core/module.ts'
import type { NetDevice } from '../core/net_device.ts'
import { registerNetSysfs } from '../core/net_sysfs.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'
import type { NetdevEvent } from '../kernel.ts'
import { bridgeOf, type NetBridgePort, portOf } from './br.ts'
import { fdbChangeaddr } from './br_fdb.ts'
import { brDelIf, brMtuAutoAdjust, brPortCarrierCheck } from './br_if.ts'
import { brMdbInit } from './br_mdb.ts'
import { bridgeLinkOps } from './br_netlink.ts'
import { brIfinfoNotify } from './br_notify.ts'
import { llcRcv } from './br_stp_bpdu.ts'
import { brStpDisablePort, brStpEnablePort, brStpRecalculateBridgeId } from './br_stp_if.ts'
import { bridgeSysfs } from './br_sysfs.ts'
import { brVlanBridgeEvent } from './br_vlan.ts'
import { brVlanBindingLinkChanged } from './br_vlan_binding.ts'
import { brVlanRtnlInit } from './br_vlan_netlink.ts'

/** What happens to a port's device. @returns whether listeners were told of the port */
function portEvent(event: NetdevEvent, port: NetBridgePort): boolean {
  const { br, dev } = port
  switch (event) {
    case 'CHANGEMTU':
      brMtuAutoAdjust(br)
      return false
    case 'CHANGEADDR':
      fdbChangeaddr(port, dev.devAddr)
      if (brStpRecalculateBridgeId(br)) br.dev.net.kernel.netdevChain.call('CHANGEADDR', br.dev, {})
      return false
    case 'CHANGE':
      return brPortCarrierCheck(port)
    case 'DOWN':
      if ((br.dev.flags & IFF_UP) === 0) return false
      brStpDisablePort(port)
      return true
    case 'UP':
      if (!br.dev.running || !netifOperUp(dev)) return false
      brStpEnablePort(port)
      return true
    case 'RESEND_IGMP':
      br.dev.net.kernel.netdevChain.call(event, br.dev, {})
      return false
    default:
      return false
  }
}

function deviceEvent(event: NetdevEvent, dev: NetDevice): number {
  const br = bridgeOf(dev)
  if (br !== undefined) {
    if (event === 'REGISTER') return brVlanBridgeEvent(br, true)
    if (event === 'UNREGISTER') brVlanBridgeEvent(br, false)
    if (event === 'CHANGE' || event === 'UP' || event === 'CHANGEUPPER') brVlanBindingLinkChanged(br)
  }
  const port = portOf(dev)
  if (port === undefined) return 0
  if (event === 'UNREGISTER') {
    brDelIf(port.br, dev)
    return 0
  }
  const notified = portEvent(event, port)
  if (event === 'CHANGE' || event === 'UP' || event === 'DOWN') brVlanBindingLinkChanged(port.br)
  if (!notified && (event === 'CHANGEADDR' || event === 'UP' || event === 'CHANGE' || event === 'DOWN'))
    brIfinfoNotify(true, port)
  return 0
}

/** The module. */
export const bridgeModule: KernelModule = {
  name: 'bridge',
  aliases: ['rtnl-link-bridge'],
  depends: ['stp', 'llc'],
  init(kernel) {
    kernel.log.print(
      6,
      'bridge: filtering via arp/ip/ip6tables is no longer available by default. Update your scripts to load br_netfilter if you need this.',
    )
    kernel.netcore.addPack({ type: ETH_P_802_2, dev: undefined, net: undefined, func: llcRcv, name: 'llc_rcv [llc]' })
    kernel.netdevChain.register((event, dev) => deviceEvent(event, dev))
    registerLinkOps(kernel, bridgeLinkOps)
    registerNetSysfs(kernel, bridgeSysfs)
    brMdbInit(kernel)
    brVlanRtnlInit(kernel)
  },
}
