/** IPv6 in a kernel: what is registered, and what every namespace gets (inet6_init). */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IPV6, IFF_LOOPBACK } from '../../uapi/if.ts'
import { AF_INET6, IPPROTO_ICMPV6, IPPROTO_IP, IPPROTO_UDP, SOCK_DGRAM, SOCK_RAW } from '../../uapi/socket.ts'
import { rtnlDumpAllInit } from '../core/rtnl_dump_all.ts'
import { neighSysctlFollow } from '../core/sysctl_neigh.ts'
import { pingAllowed } from '../ipv4/ping.ts'
import type { Kernel } from '../kernel.ts'
import { ipv6ConfOps } from './addrconf_conf.ts'
import { addrconfDevInit } from './addrconf_dev.ts'
import { addrconfLinkInit } from './addrconf_link.ts'
import { addrconfRtnlInit } from './addrconf_rtnl.ts'
import { addrconfVerifyExit, addrconfVerifyInit } from './addrconf_verify.ts'
import { ipv6AddrLabelInit } from './addrlabel.ts'
import { Ipv6Devconf, ipv6DevconfKey } from './devconf.ts'
import { ipv6ExthdrsInit } from './exthdrs.ts'
import { fib6RulesInit } from './fib6_rules.ts'
import { icmpv6Init } from './icmp.ts'
import { in6Dev } from './if_inet6.ts'
import { Inet6Addrs, inet6AddrsKey } from './inet6_addr.ts'
import { inet6Family, inet6RegisterProtosw } from './inet6sw.ts'
import { inetPeer6Init } from './inetpeer6.ts'
import { Fib6, fib6Key } from './ip6_fib.ts'
import { ip6FlowlabelNetExit, ip6FlowlabelNetInit } from './ip6_flowlabel.ts'
import { ipv6Rcv } from './ip6_input.ts'
import { mcAutojoinInit } from './mc_autojoin.ts'
import { ndiscNetdevInit, ndTbl, ndTblInit } from './ndisc.ts'
import { ipv6Key, NetnsIpv6 } from './netns_ipv6.ts'
import { nexthop6Init } from './nexthop6.ts'
import { Ping6Sock, ping6NetInit } from './ping.ts'
import { ipv6ProcInit } from './proc.ts'
import { inet6AddProtocol } from './protocol6.ts'
import { Raw6Sock } from './raw.ts'
import { raw6NetInit } from './raw_deliver.ts'
import { ipv6FragInit, ipv6FragNetExit, ipv6FragNetInit } from './reassembly.ts'
import { rt6SpecialInit } from './route.ts'
import { fib6NotifyInit } from './route_fill.ts'
import { fib6GcExit, fib6GcInit, fib6RunGc } from './route_gc.ts'
import { ip6RouteRtnlInit } from './route_rtnl.ts'
import { NetSnmp6, snmp6Key } from './snmp.ts'
import { addrconfSysctlFollow, addrconfSysctlInit } from './sysctl_devconf6.ts'
import { sysctlNetIpv6Init } from './sysctl_net_ipv6.ts'
import { Udp6Sock, udpv6Protocol } from './udp.ts'

/** Registers IPv6 with a kernel. */
export function inet6Init(kernel: Kernel): void {
  kernel.registerPernet({
    init(net) {
      net.set(ipv6Key, new NetnsIpv6())
      net.set(ipv6DevconfKey, { all: Ipv6Devconf.all(), dflt: new Ipv6Devconf() })
      net.set(snmp6Key, new NetSnmp6())
      net.set(inet6AddrsKey, new Inet6Addrs())
      net.set(fib6Key, new Fib6(net))
      inetPeer6Init(net)
      mcAutojoinInit(net)
      fib6RulesInit(net)
      fib6NotifyInit(net)
      fib6GcInit(net)
      addrconfVerifyInit(net)
      raw6NetInit(net)
      ping6NetInit(net)
      ip6FlowlabelNetInit(net)
      ipv6FragNetInit(net)
      ipv6ProcInit(net)
      sysctlNetIpv6Init(net, () => fib6RunGc(net, 0))
      addrconfSysctlInit(net, ipv6ConfOps)
    },
    exit(net) {
      ipv6FragNetExit(net)
      ip6FlowlabelNetExit(net)
      addrconfVerifyExit(net)
      fib6GcExit(net)
    },
  })
  rtnlDumpAllInit(kernel)
  ndTblInit(kernel)
  ipv6AddrLabelInit(kernel)
  // the loopback device brings the namespace's last resorts with it
  kernel.netdevChain.register((event, dev) => {
    if (event === 'REGISTER' && (dev.flags & IFF_LOOPBACK) !== 0) rt6SpecialInit(dev.net, dev)
    return 0
  }, 2)
  addrconfDevInit(kernel)
  ndiscNetdevInit(kernel)
  addrconfSysctlFollow(kernel, ipv6ConfOps)
  neighSysctlFollow(kernel, ndTbl(kernel), dev => in6Dev(dev)?.ndParms)
  addrconfLinkInit(kernel)
  addrconfRtnlInit(kernel)
  ip6RouteRtnlInit(kernel)
  nexthop6Init()
  ipv6ExthdrsInit()
  ipv6FragInit()
  icmpv6Init()
  inet6AddProtocol(IPPROTO_UDP, udpv6Protocol)
  kernel.families.set(AF_INET6, inet6Family(kernel))
  inet6RegisterProtosw(kernel, {
    type: SOCK_DGRAM,
    protocol: IPPROTO_UDP,
    create: (net, _protocol, cred) => new Udp6Sock(net, cred),
  })
  inet6RegisterProtosw(kernel, {
    type: SOCK_DGRAM,
    protocol: IPPROTO_ICMPV6,
    create: (net, _protocol, cred) => (pingAllowed(net, cred) ? new Ping6Sock(net, cred) : -Errno.EACCES),
  })
  inet6RegisterProtosw(kernel, {
    type: SOCK_RAW,
    protocol: IPPROTO_IP,
    create: (net, protocol, cred) => new Raw6Sock(net, protocol, cred),
  })
  kernel.netcore.addPack({ type: ETH_P_IPV6, dev: undefined, net: undefined, func: ipv6Rcv })
}
