/** Addresses of IPv6 in rtnetlink: RTM_*ADDR, RTM_GETMULTICAST, RTM_GETANYCAST. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/netlink.ts'
import {
  type AddrMessage,
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_HOMEADDRESS,
  IFA_F_MANAGETEMPADDR,
  IFA_F_MCAUTOJOIN,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_TEMPORARY,
  IFA_F_TENTATIVE,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_GETANYCAST,
  RTM_GETMULTICAST,
  RTM_NEWADDR,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { RtnlContext } from '../core/rtnetlink.ts'
import { devicesInDumpOrder } from '../core/rtnl_link.ts'
import type { Kernel } from '../kernel.ts'
import { addrAny, addrEqual, addrMulticast, IN6ADDR_ANY, type In6Addr } from './addr.ts'
import {
  addrconfGetPrefixRoute,
  addrconfPrefixRoute,
  checkCleanupPrefixRoute,
  cleanupPrefixRoute,
  ipv6AddAddr,
  ipv6AddrScope,
  ipv6DelAddr,
  ipv6IfaNotify,
} from './addrconf.ts'
import { addrconfDadStart, allowOptimisticDad } from './addrconf_dad.ts'
import { addrconfAddDev, ipv6FindIdev } from './addrconf_dev.ts'
import { fillIfacaddr, fillIfaddr, fillIfmcaddr } from './addrconf_fill.ts'
import { manageTempaddrs } from './addrconf_temp.ts'
import { addrconfVerify } from './addrconf_verify.ts'
import { INFINITY_LIFE_TIME, type Inet6Ifaddr, in6Dev } from './if_inet6.ts'
import { ipv6GetIfaddr } from './inet6_addr.ts'
import { cleanExpires, fib6Key, RTF_DEFAULT, RTF_EXPIRES, setExpires } from './ip6_fib.ts'
import { mcAutojoin } from './mc_autojoin.ts'
import { IP6_RT_PRIO_ADDRCONF } from './route_add.ts'

/** Flags that a request may set. */
const SETTABLE =
  IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN | IFA_F_OPTIMISTIC

/** What a request wants. */
interface Request {
  readonly addr: In6Addr
  readonly peer: In6Addr
  readonly plen: number
  readonly rtPriority: number
  readonly proto: number
  flags: number
  /** seconds */
  readonly validLft: number
  readonly preferedLft: number
}

/** @returns the address of a request, and the other end where it names one (extract_addr) */
function extractAddr(msg: AddrMessage): { addr: In6Addr; peer: In6Addr } | undefined {
  const { address, local } = msg.attrs
  const addr = local ?? address
  if (addr?.length !== 16) return undefined
  const peer = local !== undefined && address?.length === 16 && !addrEqual(local, address) ? address : IN6ADDR_ANY
  return { addr, peer }
}

/** Lifetimes as flags: what lasts for ever is permanent, what is preferred no longer deprecated. */
function lifetimeFlags(request: Request): number {
  let flags = request.flags
  if (request.validLft === INFINITY_LIFE_TIME) flags |= IFA_F_PERMANENT
  if (request.preferedLft === 0) flags |= IFA_F_DEPRECATED
  return flags
}

function expiry(request: Request): { expires: number; flags: number } {
  if (request.validLft === INFINITY_LIFE_TIME) return { expires: 0, flags: 0 }
  return { expires: request.validLft * NSEC_PER_SEC, flags: RTF_EXPIRES }
}

/** Adds an address (inet6_addr_add). */
function addAddr(dev: NetDevice, request: Request): number {
  const { net } = dev
  if (request.plen > 128) return -Errno.EINVAL
  if (request.validLft === 0 || request.preferedLft > request.validLft) return -Errno.EINVAL
  if ((request.flags & IFA_F_MANAGETEMPADDR) !== 0 && request.plen !== 64) return -Errno.EINVAL
  const idev = addrconfAddDev(dev)
  if (typeof idev === 'number') return idev
  const autojoin = (request.flags & IFA_F_MCAUTOJOIN) !== 0
  if (autojoin) {
    const rc = mcAutojoin(net, true, request.addr, dev)
    if (rc < 0) return rc
  }
  const { expires, flags } = expiry(request)
  const ifp = ipv6AddAddr(idev, {
    addr: request.addr,
    plen: request.plen,
    peer: request.peer,
    flags: lifetimeFlags(request),
    proto: request.proto,
    rtPriority: request.rtPriority,
    scope: ipv6AddrScope(request.addr),
    validLft: request.validLft,
    preferedLft: request.preferedLft,
  })
  if (typeof ifp === 'number') {
    if (autojoin) mcAutojoin(net, false, request.addr, dev)
    return ifp
  }
  if ((ifp.flags & IFA_F_NOPREFIXROUTE) === 0)
    addrconfPrefixRoute(ifp.addr, ifp.prefixLen, ifp.rtPriority, dev, expires, flags)
  if ((ifp.flags & (IFA_F_OPTIMISTIC | IFA_F_NODAD)) === 0) ipv6IfaNotify(0, ifp)
  addrconfDadStart(ifp)
  if ((request.flags & IFA_F_MANAGETEMPADDR) !== 0)
    manageTempaddrs(idev, ifp, request.validLft, request.preferedLft, true, net.kernel.clock.now)
  addrconfVerify(net)
  return 0
}

/** The prefix route follows changed lifetimes or metric. @returns whether there was one (modify_prefix_route) */
function modifyPrefixRoute(ifp: Inet6Ifaddr, addr: In6Addr, expires: number, flags: number): boolean {
  const { dev } = ifp.idev
  const { net } = dev
  const rt = addrconfGetPrefixRoute(addr, ifp.prefixLen, dev, 0, RTF_DEFAULT, true)
  if (rt === undefined) return false
  const metric = ifp.rtPriority === 0 ? IP6_RT_PRIO_ADDRCONF : ifp.rtPriority
  if (rt.metric !== metric) {
    net.at(fib6Key).del(rt)
    addrconfPrefixRoute(addr, ifp.prefixLen, ifp.rtPriority, dev, expires, flags)
  } else if (flags === 0) cleanExpires(rt)
  else setExpires(rt, net.kernel.clock.now + expires)
  return true
}

/** Changes an address (inet6_addr_modify). */
function modifyAddr(ifp: Inet6Ifaddr, request: Request): number {
  const { idev } = ifp
  const { dev } = idev
  const { net } = dev
  const { now } = net.kernel.clock
  if (request.validLft === 0 || request.preferedLft > request.validLft) return -Errno.EINVAL
  if ((request.flags & IFA_F_MANAGETEMPADDR) !== 0 && ((ifp.flags & IFA_F_TEMPORARY) !== 0 || ifp.prefixLen !== 64))
    return -Errno.EINVAL
  if ((ifp.flags & IFA_F_TENTATIVE) === 0 || (ifp.flags & IFA_F_DADFAILED) !== 0) request.flags &= ~IFA_F_OPTIMISTIC
  const managed = (ifp.flags & IFA_F_MANAGETEMPADDR) !== 0
  const hadRoute = (ifp.flags & IFA_F_PERMANENT) !== 0 && (ifp.flags & IFA_F_NOPREFIXROUTE) === 0
  ifp.flags &= ~(
    IFA_F_DEPRECATED |
    IFA_F_PERMANENT |
    IFA_F_NODAD |
    IFA_F_HOMEADDRESS |
    IFA_F_MANAGETEMPADDR |
    IFA_F_NOPREFIXROUTE
  )
  ifp.flags |= lifetimeFlags(request)
  ifp.tstamp = now
  ifp.validLft = request.validLft
  ifp.preferedLft = request.preferedLft
  ifp.proto = request.proto
  if (request.rtPriority !== 0) ifp.rtPriority = request.rtPriority
  const newPeer = !addrAny(request.peer) && !addrEqual(ifp.peerAddr, request.peer)
  if (newPeer) {
    if (hadRoute && !addrAny(ifp.peerAddr)) cleanupPrefixRoute(ifp, { action: 'delete' }, true)
    ifp.peerAddr = request.peer.slice()
  }
  if ((ifp.flags & IFA_F_TENTATIVE) === 0) ipv6IfaNotify(0, ifp)
  if ((request.flags & IFA_F_NOPREFIXROUTE) === 0) {
    const { expires, flags } = expiry(request)
    if (!hadRoute || !modifyPrefixRoute(ifp, ifp.addr, expires, flags))
      addrconfPrefixRoute(ifp.addr, ifp.prefixLen, ifp.rtPriority, dev, expires, flags)
    if (!addrAny(ifp.peerAddr) && (newPeer || (hadRoute && !modifyPrefixRoute(ifp, ifp.peerAddr, expires, flags))))
      addrconfPrefixRoute(ifp.peerAddr, ifp.prefixLen, ifp.rtPriority, dev, expires, flags)
  } else if (hadRoute) cleanupPrefixRoute(ifp, checkCleanupPrefixRoute(ifp))
  const manages = (ifp.flags & IFA_F_MANAGETEMPADDR) !== 0
  if (managed || manages) {
    const valid = managed && !manages ? 0 : request.validLft
    const prefered = managed && !manages ? 0 : request.preferedLft
    manageTempaddrs(idev, ifp, valid, prefered, !managed, now)
  }
  addrconfVerify(net)
  return 0
}

function newAddr(ctx: RtnlContext, message: RtMessage): number {
  const { net, extack } = ctx
  const msg = message as AddrMessage
  const { attrs } = msg
  const found = extractAddr(msg)
  if (found === undefined) return -Errno.EINVAL
  const dev = net.devByIndex(msg.index)
  if (dev === undefined) return -Errno.ENODEV
  const request: Request = {
    ...found,
    plen: msg.prefixlen,
    rtPriority: attrs.rtPriority ?? 0,
    proto: attrs.proto ?? 0,
    flags: (attrs.flags ?? msg.ifaFlags) & SETTABLE,
    validLft: attrs.cacheinfo?.valid ?? INFINITY_LIFE_TIME,
    preferedLft: attrs.cacheinfo?.prefered ?? INFINITY_LIFE_TIME,
  }
  const idev = ipv6FindIdev(dev)
  if (typeof idev === 'number') return idev
  if (!allowOptimisticDad(idev)) request.flags &= ~IFA_F_OPTIMISTIC
  if ((request.flags & IFA_F_NODAD) !== 0 && (request.flags & IFA_F_OPTIMISTIC) !== 0)
    return extack.fail(-Errno.EINVAL, 'IFA_F_NODAD and IFA_F_OPTIMISTIC are mutually exclusive')
  const ifp = ipv6GetIfaddr(net, found.addr, dev, true)
  if (ifp === undefined) return addAddr(dev, request)
  if ((msg.flags & NLM_F_EXCL) !== 0 || (msg.flags & NLM_F_REPLACE) === 0) return -Errno.EEXIST
  return modifyAddr(ifp, request)
}

function delAddr(ctx: RtnlContext, message: RtMessage): number {
  const { net } = ctx
  const msg = message as AddrMessage
  const found = extractAddr(msg)
  if (found === undefined || msg.prefixlen > 128) return -Errno.EINVAL
  const dev = net.devByIndex(msg.index)
  if (dev === undefined) return -Errno.ENODEV
  const idev = in6Dev(dev)
  if (idev === undefined) return -Errno.ENXIO
  const ifp = idev.addrs.find(other => other.prefixLen === msg.prefixlen && addrEqual(other.addr, found.addr))
  if (ifp === undefined) return -Errno.EADDRNOTAVAIL
  const managed = ((msg.attrs.flags ?? msg.ifaFlags) & IFA_F_MANAGETEMPADDR) !== 0
  if ((ifp.flags & IFA_F_TEMPORARY) === 0 && managed) manageTempaddrs(idev, ifp, 0, 0, false, net.kernel.clock.now)
  ipv6DelAddr(ifp)
  addrconfVerify(net)
  if (addrMulticast(found.addr)) mcAutojoin(net, false, found.addr, dev)
  return 0
}

/** One address (`ip addr` never asks so, but netlink users may). */
function getAddr(ctx: RtnlContext, message: RtMessage): number | RtMessage[] {
  const { net } = ctx
  const msg = message as AddrMessage
  const found = extractAddr(msg)
  if (found === undefined) return -Errno.EINVAL
  const dev = msg.index === 0 ? undefined : net.devByIndex(msg.index)
  const ifp = ipv6GetIfaddr(net, found.addr, dev, true)
  return ifp === undefined ? -Errno.EADDRNOTAVAIL : [fillIfaddr(ifp, RTM_NEWADDR)]
}

function dump(
  type: typeof RTM_GETADDR | typeof RTM_GETMULTICAST | typeof RTM_GETANYCAST,
): (ctx: RtnlContext, message: RtMessage) => number | RtMessage[] {
  return (ctx, message) => {
    const index = 'index' in message ? (message as AddrMessage).index : 0
    const devices = selected(ctx.net, index)
    if (devices === undefined) return -Errno.ENODEV
    const out: RtMessage[] = []
    for (const dev of devices) {
      const idev = in6Dev(dev)
      if (idev === undefined) continue
      if (type === RTM_GETADDR) for (const ifp of idev.addrs) out.push(fillIfaddr(ifp, RTM_NEWADDR))
      else if (type === RTM_GETMULTICAST) for (const mc of idev.mcList) out.push(fillIfmcaddr(idev, mc))
      else for (const aca of idev.acList) out.push(fillIfacaddr(idev, aca))
    }
    return out
  }
}

function selected(net: Net, index: number): readonly NetDevice[] | undefined {
  if (index === 0) return devicesInDumpOrder(net)
  const dev = net.devByIndex(index)
  return dev === undefined ? undefined : [dev]
}

/** Registers the messages. */
export function addrconfRtnlInit(kernel: Kernel): void {
  const { rtnl } = kernel
  rtnl.register(AF_INET6, RTM_NEWADDR, { doit: newAddr })
  rtnl.register(AF_INET6, RTM_DELADDR, { doit: delAddr })
  rtnl.register(AF_INET6, RTM_GETADDR, { doit: getAddr, dumpit: dump(RTM_GETADDR) })
  rtnl.register(AF_INET6, RTM_GETMULTICAST, { dumpit: dump(RTM_GETMULTICAST) })
  rtnl.register(AF_INET6, RTM_GETANYCAST, { dumpit: dump(RTM_GETANYCAST) })
}
