/** IPv4 as a subsystem: everything it registers with a kernel, in order. */

import { Errno } from '../../uapi/errno.ts'
import {
  AF_INET,
  IPPROTO_ICMP,
  IPPROTO_IGMP,
  IPPROTO_IP,
  IPPROTO_UDP,
  SOCK_DGRAM,
  SOCK_RAW,
} from '../../uapi/socket.ts'
import { neighRtnlInit } from '../core/neighbour_rtnl.ts'
import { neightblInit } from '../core/neighbour_tbl.ts'
import type { Kernel } from '../kernel.ts'
import { netfilterInit } from '../netfilter/core.ts'
import { arpInit, arpSysctlInit } from './arp.ts'
import { icmpNetInit } from './icmp.ts'
import { icmpProtocol } from './icmp_rcv.ts'
import { igmpInit, igmpProtocol } from './igmp.ts'
import { inetFamily, inetRegisterProtosw } from './inetsw.ts'
import { ipFragExit, ipFragInit } from './ip_fragment.ts'
import { ipIdentsInit } from './ip_ident.ts'
import { ipPacketType } from './ip_input.ts'
import { PingSock, pingAllowed, pingNetInit } from './ping.ts'
import { ipProcInit } from './proc.ts'
import { sockProcInit } from './proc_sock.ts'
import { InetProtos, inetProtosKey } from './protocol.ts'
import { raChainInit } from './ra_chain.ts'
import { RawSock, rawNetInit } from './raw.ts'
import { ipRtInit } from './route_init.ts'
import { UdpSock, udpProtocol } from './udp.ts'
import { UdpTable, udpTableKey } from './udp_table.ts'

/** Registers this subsystem with a kernel. */
export function inetInit(kernel: Kernel): void {
  netfilterInit(kernel)
  const protos = new InetProtos()
  kernel.registerPernet({
    init(net) {
      net.set(inetProtosKey, protos)
      ipProcInit(net)
      ipIdentsInit(net)
      ipFragInit(net)
      icmpNetInit(net)
      raChainInit(net)
      rawNetInit(net)
      pingNetInit(net)
      net.set(udpTableKey, new UdpTable(net))
      sockProcInit(net)
    },
    exit: ipFragExit,
  })
  neighRtnlInit(kernel)
  neightblInit(kernel)
  const tbl = arpInit(kernel)
  igmpInit(kernel)
  ipRtInit(kernel)
  arpSysctlInit(kernel, tbl)

  protos.protos[IPPROTO_ICMP] = icmpProtocol
  protos.protos[IPPROTO_IGMP] = igmpProtocol
  protos.protos[IPPROTO_UDP] = udpProtocol
  kernel.netcore.addPack(ipPacketType)

  kernel.families.set(AF_INET, inetFamily(kernel))
  inetRegisterProtosw(kernel, {
    type: SOCK_DGRAM,
    protocol: IPPROTO_UDP,
    create: (net, _protocol, cred) => new UdpSock(net, cred),
  })
  inetRegisterProtosw(kernel, {
    type: SOCK_DGRAM,
    protocol: IPPROTO_ICMP,
    create: (net, _protocol, cred) => (pingAllowed(net, cred) ? new PingSock(net, cred) : -Errno.EACCES),
  })
  inetRegisterProtosw(kernel, {
    type: SOCK_RAW,
    protocol: IPPROTO_IP,
    create: (net, protocol, cred) => new RawSock(net, protocol, cred),
  })
}
