/** `nlmon`: a device on which tools see netlink messages. */

import { Errno } from '../../uapi/errno.ts'
import { IFF_NOARP } from '../../uapi/if.ts'
import { NETIF_F_FRAGLIST, NETIF_F_HIGHDMA, NETIF_F_LLTX, NETIF_F_SG } from '../core/features.ts'
import type { KernelModule } from '../core/module.ts'
import { IFF_NO_QUEUE, NETDEV_TX_OK, type RtnlLinkOps } from '../core/net_device.ts'
import { registerLinkOps } from '../core/rtnl_link.ts'

const ARPHRD_NETLINK = 824
/** Room for one message (NLMSG_GOODSIZE), and bytes of a message's header. */
const NLMSG_GOODSIZE = 3776
const NLMSG_HDRLEN = 16

/** The link type. */
export const nlmonLinkOps: RtnlLinkOps = {
  kind: 'nlmon',
  validate: msg => (msg.attrs.address === undefined ? 0 : -Errno.EINVAL),
  setup(dev) {
    dev.type = ARPHRD_NETLINK
    dev.privFlags |= IFF_NO_QUEUE
    dev.ops = {
      startXmit(skb, each) {
        each.stats.txPackets++
        each.stats.txBytes += skb.len
        skb.consume()
        return NETDEV_TX_OK
      },
    }
    dev.features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_LLTX
    dev.flags = IFF_NOARP
    dev.mtu = NLMSG_GOODSIZE
    dev.minMtu = NLMSG_HDRLEN
  },
}

/** The module. */
export const nlmonModule: KernelModule = {
  name: 'nlmon',
  aliases: ['rtnl-link-nlmon'],
  init: kernel => registerLinkOps(kernel, nlmonLinkOps),
}
