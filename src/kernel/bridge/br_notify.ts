/** Telling listeners of links about a port or a bridge: AF_BRIDGE link messages (br_ifinfo_notify). */
import { RTEXT_FILTER_BRVLAN_COMPRESSED, RTM_DELLINK, RTM_NEWLINK, RTNLGRP_LINK } from '../../uapi/rtnetlink.ts'
import { type NetBridge, NetBridgePort } from './br.ts'
import { brFillIfinfo } from './br_netlink.ts'

/** @param present false: the port leaves */
export function brIfinfoNotify(present: boolean, of: NetBridgePort | NetBridge): void {
  const { net } = of.dev
  const port = of instanceof NetBridgePort ? of : undefined
  const br = of instanceof NetBridgePort ? of.br : of
  net.kernel.rtnl.notify(net, RTNLGRP_LINK, () =>
    brFillIfinfo(br, port, present ? RTM_NEWLINK : RTM_DELLINK, RTEXT_FILTER_BRVLAN_COMPRESSED),
  )
}
