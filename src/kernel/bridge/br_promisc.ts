/** When ports of a bridge listen to every frame, and when their filters suffice. */
import { IFF_PROMISC } from '../../uapi/if.ts'
import { devSetPromiscuity } from '../core/dev_flags.ts'
import { IFF_UNICAST_FLT } from '../core/net_device.ts'
import { BR_AUTO_MASK, BR_PROMISC, BROPT_VLAN_ENABLED, type NetBridge, type NetBridgePort } from './br.ts'
import { fdbSyncStatic, fdbUnsyncStatic } from './br_fdb.ts'

function autoPort(port: NetBridgePort): boolean {
  return (port.flags & BR_AUTO_MASK) !== 0
}

function setPromisc(port: NetBridgePort): void {
  if ((port.flags & BR_PROMISC) !== 0) return
  devSetPromiscuity(port.dev, 1)
  fdbUnsyncStatic(port.br, port)
  port.flags |= BR_PROMISC
}

function clearPromisc(port: NetBridgePort): void {
  if ((port.flags & BR_PROMISC) === 0 || (port.dev.privFlags & IFF_UNICAST_FLT) === 0) return
  fdbSyncStatic(port.br, port)
  devSetPromiscuity(port.dev, -1)
  port.flags &= ~BR_PROMISC
}

/**
 * Sets the promiscuity of every port (br_manage_promisc). It can be done without where VLANs are filtered and no more
 * than one port floods or learns: then all that comes in is for addresses known beforehand.
 */
export function brManagePromisc(br: NetBridge): void {
  const all = (br.dev.flags & IFF_PROMISC) !== 0 || !br.opt(BROPT_VLAN_ENABLED)
  for (const port of br.ports) {
    const known = br.autoCnt === 0 || (br.autoCnt === 1 && autoPort(port))
    if (!all && known) clearPromisc(port)
    else setPromisc(port)
  }
}

/** Counts the ports that flood or learn, and follows a change (nbp_update_port_count). */
export function nbpUpdatePortCount(br: NetBridge): void {
  const count = br.ports.filter(autoPort).length
  if (count === br.autoCnt) return
  br.autoCnt = count
  brManagePromisc(br)
}
