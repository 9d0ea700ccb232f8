/**
 * IPv6 on devices: it comes with a device of a sufficient MTU, gets its link-local address when the link is ready,
 * loses its addresses when the device goes down, and leaves with it (addrconf_notify).
 */
import { Errno } from '../../uapi/errno.ts'
import {
  ARPHRD_ETHER,
  ARPHRD_IP6GRE,
  ARPHRD_IPGRE,
  ARPHRD_NONE,
  ARPHRD_SIT,
  ARPHRD_TUNNEL,
  ARPHRD_TUNNEL6,
  IFF_LOOPBACK,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_SLAVE,
  IFF_UP,
} from '../../uapi/if.ts'
import {
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_STABLE_PRIVACY,
  IFA_F_TENTATIVE,
  RTM_DELADDR,
  RTM_NEWADDR,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
} from '../../uapi/rtnetlink.ts'
import { isL3Master } from '../core/l3mdev.ts'
import { netifOperUp } from '../core/link_watch.ts'
import { neighIfdown, neighParmsAlloc, neighParmsRelease } from '../core/neighbour.ts'
import { IFF_NO_ADDRCONF, type NetDevice } from '../core/net_device.ts'
import { noopQdisc } from '../core/qdisc.ts'
import type { Kernel, NetdevEvent, NetdevEventInfo } from '../kernel.ts'
import {
  addrType,
  IN6ADDR_INTERFACELOCAL_ALLNODES,
  IN6ADDR_LINKLOCAL_ALLNODES,
  IN6ADDR_LINKLOCAL_ALLROUTERS,
  IN6ADDR_LOOPBACK,
  type In6Addr,
  IPV6_ADDR_LINKLOCAL,
  IPV6_ADDR_LOOPBACK,
  in6,
} from './addr.ts'
import { addrconfAddMroute, addrconfPrefixRoute, ipv6AddAddr, ipv6DelAddr, ipv6IfaNotify } from './addrconf.ts'
import { addrconfDadRun, addrconfDadStart, addrconfTimersInit, allowOptimisticDad } from './addrconf_dad.ts'
import { ipv6GenerateEui64, ipv6GenerateStableAddress } from './addrconf_iid.ts'
import { inet6IfinfoNotify, inet6NetconfNotify } from './addrconf_link.ts'
import { addrconfLeaveAnycast, ipv6AcDestroyDev } from './anycast.ts'
import {
  IPV6_DEVCONF_ACCEPT_DAD,
  IPV6_DEVCONF_ADDR_GEN_MODE,
  IPV6_DEVCONF_DISABLE_IPV6,
  IPV6_DEVCONF_FORWARDING,
  IPV6_DEVCONF_KEEP_ADDR_ON_DOWN,
  IPV6_DEVCONF_MTU,
  IPV6_DEVCONF_USE_TEMPADDR,
  Ipv6Devconf,
  ipv6DevconfKey,
} from './devconf.ts'
import {
  IF_RA_RCVD,
  IF_READY,
  IF_RS_SENT,
  IN6_ADDR_GEN_MODE_EUI64,
  IN6_ADDR_GEN_MODE_RANDOM,
  IN6_ADDR_GEN_MODE_STABLE_PRIVACY,
  INFINITY_LIFE_TIME,
  Inet6Dev,
  type Inet6Ifaddr,
  in6Dev,
} from './if_inet6.ts'
import { inet6AddrsKey } from './inet6_addr.ts'
import { IPV6_MIN_MTU } from './ip6.ts'
import { fib6Key } from './ip6_fib.ts'
import { addrconfLeaveSolict, ipv6DevMcInc, ipv6McDestroyDev, ipv6McDown, ipv6McInitDev, ipv6McUp } from './mcast.ts'
import { ndTbl } from './ndisc.ts'
import { snmp6RegisterDev, snmp6UnregisterDev } from './proc.ts'
import { addrconfF6iAlloc } from './route_add.ts'
import { rt6MtuChange, rt6SyncDownDev, rt6SyncUp } from './route_sync.ts'

/** Who made an address (IFA_PROTO). */
export const IFAPROT_KERNEL_LO = 1
export const IFAPROT_KERNEL_RA = 2
export const IFAPROT_KERNEL_LL = 3

/** @returns whether packets can go out: the link is up and the device active */
function linkReady(dev: NetDevice): boolean {
  return netifOperUp(dev) && dev.txq !== noopQdisc
}

/** Brings IPv6 to a device (ipv6_add_dev). @returns its part, or -EINVAL where the MTU is too small */
export function ipv6AddDev(dev: NetDevice): Inet6Dev | number {
  if (dev.mtu < IPV6_MIN_MTU) return -Errno.EINVAL
  const { net } = dev
  const { dflt } = net.at(ipv6DevconfKey)
  const cnf = new Ipv6Devconf(dflt)
  cnf.stableSecret = dflt.stableSecret
  const { data } = cnf
  if (cnf.stableSecret !== undefined) data[IPV6_DEVCONF_ADDR_GEN_MODE] = IN6_ADDR_GEN_MODE_STABLE_PRIVACY
  data[IPV6_DEVCONF_MTU] = dev.mtu
  const idev = new Inet6Dev(dev, cnf, neighParmsAlloc(dev, ndTbl(net.kernel)))
  if ((dev.flags & (IFF_NOARP | IFF_LOOPBACK)) !== 0) data[IPV6_DEVCONF_ACCEPT_DAD] = -1
  const impersonal = [ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_NONE].includes(dev.type)
  if ((dev.flags & IFF_LOOPBACK) !== 0 || impersonal) data[IPV6_DEVCONF_USE_TEMPADDR] = -1
  if (dev.running && linkReady(dev)) idev.ifFlags |= IF_READY
  addrconfTimersInit(idev)
  ipv6McInitDev(idev)
  idev.tstamp = net.kernel.clock.now
  dev.ip6Ptr = idev
  snmp6RegisterDev(idev)
  inet6NetconfNotify(net, dev.ifindex, cnf, 'all')
  ipv6DevMcInc(dev, IN6ADDR_INTERFACELOCAL_ALLNODES)
  ipv6DevMcInc(dev, IN6ADDR_LINKLOCAL_ALLNODES)
  if (data[IPV6_DEVCONF_FORWARDING] !== 0 && (dev.flags & IFF_MULTICAST) !== 0)
    ipv6DevMcInc(dev, IN6ADDR_LINKLOCAL_ALLROUTERS)
  return idev
}

/** @returns a device's part of IPv6, brought there where it is missing (ipv6_find_idev) */
export function ipv6FindIdev(dev: NetDevice): Inet6Dev | number {
  const idev = in6Dev(dev) ?? ipv6AddDev(dev)
  if (typeof idev === 'number') return idev
  if ((dev.flags & IFF_UP) !== 0) ipv6McUp(idev)
  return idev
}

/** The same for giving it addresses, with the route for multicast. @returns -EACCES where IPv6 is off (addrconf_add_dev) */
export function addrconfAddDev(dev: NetDevice): Inet6Dev | number {
  const idev = ipv6FindIdev(dev)
  if (typeof idev === 'number') return idev
  const loopback = (dev.flags & IFF_LOOPBACK) !== 0
  if (idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] !== 0 && !loopback) return -Errno.EACCES
  if (!loopback && !isL3Master(dev)) addrconfAddMroute(dev)
  return idev
}

/** The loopback device's address. */
function initLoopback(dev: NetDevice): void {
  const idev = ipv6FindIdev(dev)
  if (typeof idev === 'number') return
  const ifp = ipv6AddAddr(idev, {
    addr: IN6ADDR_LOOPBACK,
    plen: 128,
    flags: IFA_F_PERMANENT,
    proto: IFAPROT_KERNEL_LO,
    scope: IPV6_ADDR_LOOPBACK,
    validLft: INFINITY_LIFE_TIME,
    preferedLft: INFINITY_LIFE_TIME,
  })
  if (typeof ifp === 'number') return
  ifp.flags &= ~IFA_F_TENTATIVE
  ipv6IfaNotify(RTM_NEWADDR, ifp)
}

/** Adds a link-local address (addrconf_add_linklocal). */
function addLinklocal(idev: Inet6Dev, addr: In6Addr, flags: number): void {
  const { all } = idev.dev.net.at(ipv6DevconfKey)
  const router = all.data[IPV6_DEVCONF_FORWARDING] !== 0
  const optimistic = allowOptimisticDad(idev) && !router ? IFA_F_OPTIMISTIC : 0
  const ifp = ipv6AddAddr(idev, {
    addr,
    plen: 64,
    flags: flags | IFA_F_PERMANENT | optimistic,
    proto: IFAPROT_KERNEL_LL,
    scope: IPV6_ADDR_LINKLOCAL,
    validLft: INFINITY_LIFE_TIME,
    preferedLft: INFINITY_LIFE_TIME,
  })
  if (typeof ifp === 'number') return
  addrconfPrefixRoute(ifp.addr, ifp.prefixLen, 0, idev.dev, 0, 0)
  addrconfDadStart(ifp)
}

/** The link-local address by the device's generation mode (addrconf_addr_gen). @param prefixRoute also without one */
function addrGen(idev: Inet6Dev, prefixRoute: boolean): void {
  const { dev, cnf } = idev
  if (isL3Master(dev) || (dev.privFlags & IFF_NO_ADDRCONF) !== 0) return
  const addr = in6(0xfe80)
  const mode = cnf.data[IPV6_DEVCONF_ADDR_GEN_MODE]
  if (mode === IN6_ADDR_GEN_MODE_RANDOM || mode === IN6_ADDR_GEN_MODE_STABLE_PRIVACY) {
    if (mode === IN6_ADDR_GEN_MODE_RANDOM) cnf.stableSecret ??= dev.net.kernel.random.fill(new Uint8Array(16))
    if (ipv6GenerateStableAddress(addr, 0, idev)) addLinklocal(idev, addr, IFA_F_STABLE_PRIVACY)
    else if (prefixRoute) addrconfPrefixRoute(addr, 64, 0, dev, 0, 0)
  } else if (mode === IN6_ADDR_GEN_MODE_EUI64) {
    if (ipv6GenerateEui64(addr, dev)) addLinklocal(idev, addr, 0)
    else if (prefixRoute) addrconfPrefixRoute(addr, 64, 0, dev, 0, 0)
  }
}

/** Gives a device the addresses of its kind (addrconf_init_auto_addrs). */
export function addrconfInitAutoAddrs(dev: NetDevice): void {
  switch (dev.type) {
    case ARPHRD_IPGRE:
    case ARPHRD_IP6GRE:
    case ARPHRD_SIT: {
      const idev = addrconfAddDev(dev)
      if (typeof idev !== 'number') addrGen(idev, true)
      return
    }
    case ARPHRD_ETHER:
    case ARPHRD_TUNNEL6:
    case ARPHRD_TUNNEL:
    case ARPHRD_NONE: {
      const idev = addrconfAddDev(dev)
      if (typeof idev === 'number') return
      const { data } = idev.cnf
      if (dev.type === ARPHRD_NONE && data[IPV6_DEVCONF_ADDR_GEN_MODE] === IN6_ADDR_GEN_MODE_EUI64)
        data[IPV6_DEVCONF_ADDR_GEN_MODE] = IN6_ADDR_GEN_MODE_RANDOM
      addrGen(idev, false)
      return
    }
    default: {
      if ((dev.flags & IFF_LOOPBACK) !== 0) {
        initLoopback(dev)
        return
      }
      const idev = in6Dev(dev)
      if (idev !== undefined && (dev.flags & IFF_UP) !== 0 && (dev.flags & IFF_MULTICAST) !== 0) ipv6McUp(idev)
    }
  }
}

/** The device is up: addresses that were kept, or given while it was down, get their routes (addrconf_permanent_addr). */
function permanentAddrs(idev: Inet6Dev): void {
  for (const ifp of [...idev.addrs]) {
    if ((ifp.flags & IFA_F_PERMANENT) === 0 || restoreAddr(idev, ifp)) continue
    ipv6DelAddr(ifp)
  }
}

function restoreAddr(idev: Inet6Dev, ifp: Inet6Ifaddr): boolean {
  const { dev } = idev
  if (ifp.rt === undefined || ifp.rt.node === undefined) {
    const rt = addrconfF6iAlloc(dev.net, idev, ifp.addr, false)
    if (typeof rt === 'number') return false
    rt.refs++
    ifp.rt = rt
  }
  if ((ifp.flags & IFA_F_NOPREFIXROUTE) === 0) addrconfPrefixRoute(ifp.addr, ifp.prefixLen, ifp.rtPriority, dev, 0, 0)
  if (ifp.state === 'preDad') addrconfDadStart(ifp)
  return true
}

/** Takes a device's addresses and routes away (addrconf_ifdown). @param unregister IPv6 leaves the device for good */
export function addrconfIfdown(dev: NetDevice, unregister: boolean): void {
  const { net } = dev
  const { clock } = net.kernel
  rt6SyncDownDev(dev, unregister ? 'UNREGISTER' : 'DOWN')
  neighIfdown(ndTbl(net.kernel), dev)
  const idev = in6Dev(dev)
  if (idev === undefined) return
  if (unregister) {
    idev.dead = true
    dev.ip6Ptr = undefined
    snmp6UnregisterDev(net, dev.name)
  }
  const keep = !unregister && keepsAddrs(idev)
  const stays = (ifp: Inet6Ifaddr): boolean =>
    keep &&
    (ifp.flags & IFA_F_PERMANENT) !== 0 &&
    (addrType(ifp.addr) & (IPV6_ADDR_LINKLOCAL | IPV6_ADDR_LOOPBACK)) === 0
  const hash = net.at(inet6AddrsKey)
  for (const ifp of idev.addrs) {
    clock.del(ifp.dadTimer)
    if (!stays(ifp)) hash.del(ifp)
  }
  clock.del(idev.rsTimer)
  if (!unregister) idev.ifFlags &= ~(IF_RS_SENT | IF_RA_RCVD | IF_READY)
  for (const ift of idev.tempaddrs.splice(0)) ift.ifpub = undefined
  for (const ifp of [...idev.addrs]) dropAddr(idev, ifp, stays(ifp))
  if (unregister) {
    ipv6AcDestroyDev(idev)
    ipv6McDestroyDev(idev)
  } else ipv6McDown(idev)
  idev.tstamp = clock.now
  idev.raMtu = 0
  if (!unregister) return
  inet6NetconfNotify(net, dev.ifindex, undefined, 'all')
  neighParmsRelease(ndTbl(net.kernel), idev.ndParms)
}

function keepsAddrs(idev: Inet6Dev): boolean {
  if (idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] !== 0) return false
  const { all } = idev.dev.net.at(ipv6DevconfKey)
  const keep = all.data[IPV6_DEVCONF_KEEP_ADDR_ON_DOWN]!
  return (keep === 0 ? idev.cnf.data[IPV6_DEVCONF_KEEP_ADDR_ON_DOWN]! : keep) > 0
}

function dropAddr(idev: Inet6Dev, ifp: Inet6Ifaddr, stays: boolean): void {
  const fib = idev.dev.net.at(fib6Key)
  const { state } = ifp
  if (stays) {
    ifp.state = 'preDad'
    if ((ifp.flags & IFA_F_NODAD) === 0) ifp.flags |= IFA_F_TENTATIVE
    if (ifp.rt !== undefined) fib.del(ifp.rt)
    ifp.rt = undefined
  } else ifp.state = 'dead'
  if (!stays && state !== 'dead') ipv6IfaNotify(RTM_DELADDR, ifp)
  else {
    if (idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0) addrconfLeaveAnycast(ifp)
    addrconfLeaveSolict(idev, ifp.addr)
  }
  if (!stays) idev.addrs.splice(idev.addrs.indexOf(ifp), 1)
}

/** The device or its link has come up; or IPv6 was switched on for it. */
function upOrChange(event: 'UP' | 'CHANGE' | 'CHANGEMTU', dev: NetDevice, info: NetdevEventInfo): void {
  let idev = in6Dev(dev)
  if (idev !== undefined && idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] !== 0) return
  if ((dev.privFlags & IFF_NO_ADDRCONF) !== 0 || (dev.flags & IFF_SLAVE) !== 0) {
    const active = (dev.flags & (IFF_UP | IFF_MULTICAST)) === (IFF_UP | IFF_MULTICAST)
    if (event === 'UP' && idev !== undefined && active) ipv6McUp(idev)
    return
  }
  let pending = event === 'CHANGEMTU'
  if (event === 'UP') {
    if (idev !== undefined) permanentAddrs(idev)
    if (!linkReady(dev)) return
    if (idev === undefined && dev.mtu >= IPV6_MIN_MTU) {
      const made = ipv6AddDev(dev)
      if (typeof made !== 'number') idev = made
    }
    if (idev !== undefined) {
      idev.ifFlags |= IF_READY
      pending = true
    }
  } else if (event === 'CHANGE') {
    if (!linkReady(dev)) {
      rt6SyncDownDev(dev, 'CHANGE')
      return
    }
    if (idev !== undefined) {
      if ((idev.ifFlags & IF_READY) !== 0) {
        // it may now be another link: switches must learn the groups anew
        ipv6McUp(idev)
        if (((info.flagsChanged ?? 0) & IFF_NOARP) !== 0) addrconfDadRun(idev, true)
        rt6SyncUp(dev, RTNH_F_LINKDOWN)
        return
      }
      idev.ifFlags |= IF_READY
    }
    pending = true
  }
  addrconfInitAutoAddrs(dev)
  idev = in6Dev(dev)
  if (idev === undefined) return
  if (pending) addrconfDadRun(idev, false)
  rt6SyncUp(dev, RTNH_F_DEAD)
  if (idev.cnf.data[IPV6_DEVCONF_MTU] !== dev.mtu && dev.mtu >= IPV6_MIN_MTU) {
    rt6MtuChange(dev, dev.mtu)
    idev.cnf.data[IPV6_DEVCONF_MTU] = dev.mtu
  }
  idev.tstamp = dev.net.kernel.clock.now
  inet6IfinfoNotify(idev)
  if (dev.mtu < IPV6_MIN_MTU) addrconfIfdown(dev, dev !== dev.net.loopback)
}

function changeMtu(dev: NetDevice, info: NetdevEventInfo): void {
  if (dev.mtu < IPV6_MIN_MTU) {
    addrconfIfdown(dev, dev !== dev.net.loopback)
    return
  }
  const idev = in6Dev(dev)
  if (idev !== undefined) {
    rt6MtuChange(dev, dev.mtu)
    idev.cnf.data[IPV6_DEVCONF_MTU] = dev.mtu
    return
  }
  const made = ipv6AddDev(dev)
  if (typeof made === 'number' || (made.ifFlags & IF_READY) === 0) return
  upOrChange('CHANGEMTU', dev, info)
}

/** What a device's event means for IPv6 (addrconf_notify). @returns 0, or a negative error that vetoes a registration */
export function addrconfNotify(event: NetdevEvent, dev: NetDevice, info: NetdevEventInfo): number {
  switch (event) {
    case 'REGISTER': {
      if (in6Dev(dev) !== undefined || dev.mtu < IPV6_MIN_MTU) return 0
      const idev = ipv6AddDev(dev)
      return typeof idev === 'number' ? idev : 0
    }
    case 'CHANGEMTU':
      changeMtu(dev, info)
      return 0
    case 'UP':
    case 'CHANGE':
      upOrChange(event, dev, info)
      return 0
    case 'DOWN':
      addrconfIfdown(dev, false)
      return 0
    case 'UNREGISTER':
      addrconfIfdown(dev, true)
      return 0
    case 'CHANGENAME': {
      const idev = in6Dev(dev)
      if (idev !== undefined) snmp6RegisterDev(idev)
      return 0
    }
    case 'CHANGEUPPER':
      // joining or leaving a VRF changes the table of everything
      if (info.upper !== undefined && isL3Master(info.upper)) addrconfIfdown(dev, false)
      return 0
    default:
      return 0
  }
}

/** Registers the events. */
export function addrconfDevInit(kernel: Kernel): void {
  kernel.netdevChain.register(addrconfNotify, 1)
}
