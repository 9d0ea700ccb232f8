/** VLAN devices on a bridge whose carrier follows the ports of their VLAN (`bridge_binding on`). */
import { IFF_UP } from '../../uapi/if.ts'
import { isVlanDev, VLAN_FLAG_BRIDGE_BINDING, vlanPriv } from '../8021q/vlan.ts'
import { netifCarrierOff, netifCarrierOn, netifOperUp } from '../core/link_watch.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { NetBridge } from './br.ts'

function bound(dev: NetDevice): boolean {
  return isVlanDev(dev) && (vlanPriv(dev).flags & VLAN_FLAG_BRIDGE_BINDING) !== 0
}

function update(br: NetBridge, dev: NetDevice): void {
  const vid = vlanPriv(dev).id
  const up =
    br.dev.carrier &&
    br.ports.some(
      port => port.vlans?.find(vid) !== undefined && (port.dev.flags & IFF_UP) !== 0 && netifOperUp(port.dev),
    )
  if (up) netifCarrierOn(dev)
  else netifCarrierOff(dev)
}

/** Follows a change of one VLAN of a port. */
export function brVlanBindingChanged(br: NetBridge, vid: number): void {
  for (const dev of br.dev.upper) if (bound(dev) && vlanPriv(dev).id === vid) update(br, dev)
}

/** Follows a change of the bridge's or a port's link. */
export function brVlanBindingLinkChanged(br: NetBridge): void {
  for (const dev of br.dev.upper) if (bound(dev)) update(br, dev)
}
