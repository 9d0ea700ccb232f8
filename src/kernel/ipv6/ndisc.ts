/**
 * Neighbour discovery (RFC 4861): the neighbour table of IPv6, and the solicitations and advertisements that come in.
 * Router advertisements are in ndisc_router.ts, redirects in ndisc_redirect.ts, sending in ndisc_send.ts.
 */
import { Errno } from '../../uapi/errno.ts'
import { ETH_P_IPV6, IFF_LOOPBACK, IFF_NOARP, IFF_POINTOPOINT } from '../../uapi/if.ts'
import {
  IFA_F_OPTIMISTIC,
  IFA_F_TENTATIVE,
  NTF_ROUTER,
  NUD_FAILED,
  NUD_NOARP,
  NUD_REACHABLE,
  NUD_STALE,
  RTN_LOCAL,
  RTN_MULTICAST,
} from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import type { DropReason } from '../core/dropreason.ts'
import { isL3Slave } from '../core/l3mdev.ts'
import {
  NEIGH_OUTPUT_DIRECT,
  NEIGH_OUTPUT_RESOLVE,
  NEIGH_UPDATE_F_ISROUTER,
  NEIGH_UPDATE_F_OVERRIDE,
  NEIGH_UPDATE_F_OVERRIDE_ISROUTER,
  NEIGH_UPDATE_F_WEAK_OVERRIDE,
  NEIGH_VAR_ANYCAST_DELAY,
  NEIGH_VAR_APP_PROBES,
  NEIGH_VAR_LOCKTIME,
  NEIGH_VAR_PROXY_DELAY,
  NEIGH_VAR_UCAST_PROBES,
  type Neighbour,
  type NeighOps,
  NeighTable,
  neighCarrierDown,
  neighChangeaddr,
  neighCreate,
  neighIfdown,
  neighTables,
  neighUpdate,
  pneighEnqueue,
  pneighLookup,
} from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { PACKET_HOST, PACKET_LOOPBACK, type SkBuff } from '../core/skbuff.ts'
import type { Kernel } from '../kernel.ts'
import { addrAnyAt, addrMulticast, addrText, IN6ADDR_LINKLOCAL_ALLNODES, type In6Addr, solicitedNode } from './addr.ts'
import { addrconfDadFailure } from './addrconf_dad.ts'
import { ipv6ChkAcastAddr } from './anycast.ts'
import {
  IPV6_DEVCONF_ACCEPT_UNTRACKED_NA,
  IPV6_DEVCONF_DISABLE_IPV6,
  IPV6_DEVCONF_DROP_UNSOLICITED_NA,
  IPV6_DEVCONF_FORWARDING,
  IPV6_DEVCONF_NDISC_EVICT_NOCARRIER,
  IPV6_DEVCONF_NDISC_NOTIFY,
  IPV6_DEVCONF_PROXY_NDP,
  IPV6_DEVCONF_SUPPRESS_FRAG_NDISC,
  ipv6DevconfKey,
} from './devconf.ts'
import { ICMPV6_ADDR_UNREACH, ICMPV6_DEST_UNREACH, icmpv6Send } from './icmp_send.ts'
import { type Inet6Dev, type Inet6Ifaddr, in6Dev } from './if_inet6.ts'
import { ipv6ChkAddrAndFlags, ipv6ChkPrefix, ipv6GetIfaddr } from './inet6_addr.ts'
import { OFF_DADDR, OFF_HOP_LIMIT, OFF_SADDR } from './ip6.ts'
import { fib6Key, RTF_CACHE, RTF_DEFAULT } from './ip6_fib.ts'
import { IP6SKB_FRAGMENTED, IP6SKB_LOCALLY_ENQUEUED } from './ip6cb.ts'
import { ipv6DevMcDec, ipv6DevMcInc } from './mcast.ts'
import { ndiscMcMap } from './ndisc_mcmap.ts'
import {
  NDISC_NEIGHBOUR_ADVERTISEMENT,
  NDISC_NEIGHBOUR_SOLICITATION,
  NDISC_REDIRECT,
  NDISC_ROUTER_ADVERTISEMENT,
  NDISC_ROUTER_SOLICITATION,
  ndiscParseOptions,
  optAddrData,
} from './ndisc_msg.ts'
import { ndiscRedirectRcv } from './ndisc_redirect.ts'
import { ndiscRouterDiscovery } from './ndisc_router.ts'
import { ndiscSendNa, ndiscSendNs, ndiscSendUnsolNa } from './ndisc_send.ts'
import { fib6RunGc } from './route_gc.ts'
import { rt6CleanTohost } from './route_sync.ts'
import type { Rt6Info } from './rt6_info.ts'

/** @returns a kernel's table of IPv6 neighbours */
export function ndTbl(kernel: Kernel): NeighTable {
  return neighTables(kernel).get(AF_INET6)!
}

/** @returns an address's entry on a device, if there is one */
export function ndTblLookup(dev: NetDevice, addr: In6Addr): Neighbour | undefined {
  return ndTbl(dev.net.kernel).find(addr, dev) ?? undefined
}

/** @returns an address's entry on a device, made where it is missing; undefined where it cannot be */
export function ndTblResolve(dev: NetDevice, addr: In6Addr): Neighbour | undefined {
  const tbl = ndTbl(dev.net.kernel)
  const known = tbl.find(addr, dev)
  if (known !== null) return known
  const made = neighCreate(tbl, addr, dev)
  return typeof made === 'number' ? undefined : made
}

/** @returns whether we answer for an address in another's place on a device (`ip neigh add proxy`) */
export function ndTblPneighHas(net: Net, addr: In6Addr, dev: NetDevice): boolean {
  return pneighLookup(ndTbl(net.kernel), net, addr, dev) !== undefined
}

/** Asks a router whether it is there, without waiting for an answer. */
export function ndiscProbeRouter(dev: NetDevice, gw: In6Addr): void {
  dev.net.kernel.clock.after(0, () => ndiscSendNs(dev, gw, solicitedNode(gw), undefined))
}

const NDISC_OPS: NeighOps = {
  solicit(neigh, skb) {
    const { dev, primaryKey: target } = neigh
    let saddr: In6Addr | undefined
    if (skb !== null && skb.networkHeader >= 0) {
      const at = skb.networkHeader + OFF_SADDR
      const candidate = skb.buf.slice(at, at + 16)
      const banned = IFA_F_TENTATIVE | IFA_F_OPTIMISTIC
      if (ipv6ChkAddrAndFlags(dev.net, candidate, dev, false, true, banned) !== undefined) saddr = candidate
    }
    const unicast = neigh.parms.data[NEIGH_VAR_UCAST_PROBES]!
    if (neigh.probes < unicast) ndiscSendNs(dev, target, target, saddr)
    else if (neigh.probes >= unicast + neigh.parms.data[NEIGH_VAR_APP_PROBES]!)
      ndiscSendNs(dev, target, solicitedNode(target), saddr)
  },
  errorReport(_, skb) {
    icmpv6Send(skb, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0)
    linkFailure(skb.dst as Rt6Info | null)
    skb.free('ndisc_error_report', 'NEIGH_FAILED')
  },
}

/** A neighbour does not answer: what was learned about this way is forgotten (ip6_link_failure). */
function linkFailure(rt: Rt6Info | null): void {
  const from = rt?.from
  if (rt === null || from === undefined) return
  const fib = rt.dev.net.at(fib6Key)
  if ((rt.rtFlags & RTF_CACHE) !== 0) {
    if (from.nh?.exceptions?.remove(rt) === true) fib.stats.rtCache--
    fib.sernum++
  } else if ((from.flags & RTF_DEFAULT) !== 0) fib.sernum++
}

/** Sets a fresh entry up (ndisc_constructor). */
function setup(neigh: Neighbour): number {
  const { dev, primaryKey } = neigh
  const idev = in6Dev(dev)
  if (idev === undefined) return -Errno.EINVAL
  neigh.parms = idev.ndParms
  neigh.ops = NDISC_OPS
  const multicast = addrMulticast(primaryKey)
  if (multicast) neigh.type = RTN_MULTICAST
  if (dev.headerOps === undefined) {
    neigh.nudState = NUD_NOARP
    neigh.output = NEIGH_OUTPUT_DIRECT
    return 0
  }
  if (multicast) {
    neigh.nudState = NUD_NOARP
    neigh.ha = ndiscMcMap(primaryKey, dev, true) ?? new Uint8Array(dev.addrLen)
  } else if ((dev.flags & (IFF_NOARP | IFF_LOOPBACK)) !== 0) {
    neigh.nudState = NUD_NOARP
    neigh.ha = dev.devAddr.slice(0, dev.addrLen)
    if ((dev.flags & IFF_LOOPBACK) !== 0) neigh.type = RTN_LOCAL
  } else if ((dev.flags & IFF_POINTOPOINT) !== 0) {
    neigh.nudState = NUD_NOARP
    neigh.ha = dev.broadcast.slice(0, dev.addrLen)
  }
  neigh.output = NEIGH_OUTPUT_RESOLVE
  return 0
}

/** Makes the table of a kernel. */
export function ndTblInit(kernel: Kernel): void {
  new NeighTable(kernel, {
    family: AF_INET6,
    keyLen: 16,
    protocol: ETH_P_IPV6,
    id: 'ndisc_cache',
    parms: { [NEIGH_VAR_ANYCAST_DELAY]: NSEC_PER_SEC, [NEIGH_VAR_LOCKTIME]: 0 },
    setup,
    pconstructor(entry) {
      if (entry.dev === undefined) return -Errno.EINVAL
      return ipv6DevMcInc(entry.dev, solicitedNode(entry.key))
    },
    pdestructor(entry) {
      if (entry.dev !== undefined) ipv6DevMcDec(entry.dev, solicitedNode(entry.key))
    },
    proxyRedo(skb) {
      skb.cbFlags |= IP6SKB_LOCALLY_ENQUEUED
      if (recvNs(skb) === undefined) skb.consume()
      else skb.free('pndisc_redo')
    },
    isMulticast: key => addrMulticast(key),
    allowAdd(dev, extack) {
      const idev = in6Dev(dev)
      if (idev !== undefined && idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] === 0) return true
      extack.msg = 'IPv6 is disabled on this device'
      return false
    },
  })
}

/** Follows devices (ndisc_netdev_event). */
export function ndiscNetdevInit(kernel: Kernel): void {
  kernel.netdevChain.register((event, dev, info) => {
    const tbl = ndTbl(kernel)
    const idev = in6Dev(dev)
    const { all } = dev.net.at(ipv6DevconfKey)
    const either = (index: number): boolean =>
      idev !== undefined && (idev.cnf.data[index] !== 0 || all.data[index] !== 0)
    switch (event) {
      case 'CHANGEADDR':
        neighChangeaddr(tbl, dev)
        fib6RunGc(dev.net, 0)
        if (either(IPV6_DEVCONF_NDISC_NOTIFY)) ndiscSendUnsolNa(dev)
        break
      case 'UP':
        if (either(IPV6_DEVCONF_NDISC_NOTIFY)) ndiscSendUnsolNa(dev)
        break
      case 'CHANGE': {
        const evict = IPV6_DEVCONF_NDISC_EVICT_NOCARRIER
        if (((info.flagsChanged ?? 0) & IFF_NOARP) !== 0) neighChangeaddr(tbl, dev)
        if (!dev.carrier && idev !== undefined && idev.cnf.data[evict] !== 0 && all.data[evict] !== 0)
          neighCarrierDown(tbl, dev)
        break
      }
      case 'DOWN':
        neighIfdown(tbl, dev)
        fib6RunGc(dev.net, 0)
        break
      case 'NOTIFY_PEERS':
        ndiscSendUnsolNa(dev)
        break
    }
    return 0
  })
}

/** A neighbour discovery message has come in (ndisc_rcv). @returns why it was dropped, undefined where it was used */
export function ndiscRcv(skb: SkBuff): DropReason | undefined {
  const { buf, networkHeader: nh, transportHeader: at } = skb
  const idev = in6Dev(skb.dev!)
  const suppress = idev === undefined || idev.cnf.data[IPV6_DEVCONF_SUPPRESS_FRAG_NDISC] !== 0
  if (suppress && (skb.cbFlags & IP6SKB_FRAGMENTED) !== 0) return 'NOT_SPECIFIED'
  // a message from beyond the link would have lost a hop
  if (buf[nh + OFF_HOP_LIMIT] !== 255 || buf[at + 1] !== 0) return 'NOT_SPECIFIED'
  switch (buf[at]) {
    case NDISC_NEIGHBOUR_SOLICITATION:
      return recvNs(skb)
    case NDISC_NEIGHBOUR_ADVERTISEMENT:
      return recvNa(skb)
    case NDISC_ROUTER_SOLICITATION:
      return recvRs(skb)
    case NDISC_ROUTER_ADVERTISEMENT:
      return ndiscRouterDiscovery(skb)
    case NDISC_REDIRECT:
      return ndiscRedirectRcv(skb)
    default:
      return 'NOT_SPECIFIED'
  }
}

function addrAt(skb: SkBuff, at: number): In6Addr {
  return skb.buf.slice(at, at + 16)
}

/** @returns whether an address is a solicited-node group */
function isSolicitedNode(buf: Uint8Array, at: number): boolean {
  if (buf[at] !== 0xff || buf[at + 1] !== 0x02 || buf[at + 11] !== 1 || buf[at + 12] !== 0xff) return false
  for (let i = 2; i < 11; i++) if (buf[at + i] !== 0) return false
  return true
}

function recvNs(skb: SkBuff): DropReason | undefined {
  const { buf, networkHeader: nh, transportHeader: at, tail } = skb
  const dev = skb.dev!
  if (tail - at < 24) return 'PKT_TOO_SMALL'
  if (buf[at + 8] === 0xff) return 'NOT_SPECIFIED'
  const dad = addrAnyAt(buf, nh + OFF_SADDR)
  if (dad && !isSolicitedNode(buf, nh + OFF_DADDR)) return 'NOT_SPECIFIED'
  const options = ndiscParseOptions(buf, at + 24, tail)
  if (options === undefined) return 'NOT_SPECIFIED'
  let lladdr: Uint8Array | undefined
  if (options.srcLladdr !== 0) {
    lladdr = optAddrData(buf, options.srcLladdr, dev)
    if (lladdr === undefined || dad) return 'NOT_SPECIFIED'
  }
  const target = addrAt(skb, at + 8)
  const multicast = buf[nh + OFF_DADDR] === 0xff
  const ifp = ownAddress(dev, target)
  let router: boolean
  if (ifp !== undefined) {
    if ((ifp.flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) !== 0) {
      if (dad) {
        if (ownNonce(ifp, buf, options.nonce)) {
          dev.net.kernel.log.print(5, `IPv6: ${dev.name}: IPv6 DAD loopback for address ${addrText(target)} ignored`)
          return 'NOT_SPECIFIED'
        }
        addrconfDadFailure(skb, ifp)
        return undefined
      }
      if ((ifp.flags & IFA_F_OPTIMISTIC) === 0) return 'NOT_SPECIFIED'
    }
    router = ifp.idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0
  } else {
    const idev = in6Dev(dev)
    if (idev === undefined) return 'NOT_SPECIFIED'
    const proxied = proxyRouter(idev, target)
    if (!ipv6ChkAcastAddr(dev.net, dev, target) && proxied === undefined) return 'NOT_SPECIFIED'
    const wait =
      (skb.cbFlags & IP6SKB_LOCALLY_ENQUEUED) === 0 &&
      skb.pktType !== PACKET_HOST &&
      multicast &&
      idev.ndParms.data[NEIGH_VAR_PROXY_DELAY] !== 0
    if (wait) {
      // others may answer too: everybody waits a random time (RFC 4861 §7.2.7)
      pneighEnqueue(ndTbl(dev.net.kernel), idev.ndParms, skb.clone())
      return 'NOT_SPECIFIED'
    }
    router = proxied ?? idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0
  }
  if (dad) {
    ndiscSendNa(dev, IN6ADDR_LINKLOCAL_ALLNODES, target, router, false, ifp !== undefined, true)
    return undefined
  }
  const tbl = ndTbl(dev.net.kernel)
  if (multicast) tbl.stats.rcvProbesMcast++
  else tbl.stats.rcvProbesUcast++
  const saddr = addrAt(skb, nh + OFF_SADDR)
  const neigh = lookupOrMake(dev, saddr, !multicast || lladdr !== undefined || dev.addrLen === 0)
  if (neigh !== undefined) neighUpdate(neigh, lladdr, NUD_STALE, NEIGH_UPDATE_F_WEAK_OVERRIDE | NEIGH_UPDATE_F_OVERRIDE)
  if (neigh !== undefined || dev.headerOps === undefined)
    ndiscSendNa(dev, saddr, target, router, true, ifp !== undefined && multicast, multicast)
  return undefined
}

/** @returns the address on the device, or on its VRF */
function ownAddress(dev: NetDevice, addr: In6Addr): Inet6Ifaddr | undefined {
  const own = ipv6GetIfaddr(dev.net, addr, dev, true)
  if (own !== undefined || !isL3Slave(dev) || dev.master === undefined) return own
  return ipv6GetIfaddr(dev.net, addr, dev.master, true)
}

function ownNonce(ifp: Inet6Ifaddr, buf: Uint8Array, option: number): boolean {
  const { dadNonce } = ifp
  if (dadNonce === undefined || option === 0 || buf[option + 1] !== 1) return false
  for (let i = 0; i < 6; i++) if (buf[option + 2 + i] !== dadNonce[i]) return false
  return true
}

/** @returns whether a proxied address is a router's, undefined where it is not proxied (pndisc_is_router) */
function proxyRouter(idev: Inet6Dev, target: In6Addr): boolean | undefined {
  const { net } = idev.dev
  const { all } = net.at(ipv6DevconfKey)
  if (idev.cnf.data[IPV6_DEVCONF_FORWARDING] === 0) return undefined
  if (all.data[IPV6_DEVCONF_PROXY_NDP] === 0 && idev.cnf.data[IPV6_DEVCONF_PROXY_NDP] === 0) return undefined
  const entry = pneighLookup(ndTbl(net.kernel), net, target, idev.dev)
  return entry === undefined ? undefined : (entry.flags & NTF_ROUTER) !== 0
}

/** @returns a neighbour's entry, made where `make` says so */
export function lookupOrMake(dev: NetDevice, addr: In6Addr, make: boolean): Neighbour | undefined {
  return make ? ndTblResolve(dev, addr) : ndTbl(dev.net.kernel).lookup(addr, dev)
}

function recvNa(skb: SkBuff): DropReason | undefined {
  const { buf, networkHeader: nh, transportHeader: at, tail } = skb
  const dev = skb.dev!
  const { net } = dev
  const idev = in6Dev(dev)
  if (tail - at < 24) return 'PKT_TOO_SMALL'
  if (buf[at + 8] === 0xff) return 'NOT_SPECIFIED'
  const bits = buf[at + 4]!
  const solicited = (bits & 0x40) !== 0
  if (buf[nh + OFF_DADDR] === 0xff && solicited) return 'NOT_SPECIFIED'
  if (!solicited && idev !== undefined && idev.cnf.data[IPV6_DEVCONF_DROP_UNSOLICITED_NA] !== 0) return 'NOT_SPECIFIED'
  const options = ndiscParseOptions(buf, at + 24, tail)
  if (options === undefined) return 'NOT_SPECIFIED'
  let lladdr: Uint8Array | undefined
  if (options.tgtLladdr !== 0) {
    lladdr = optAddrData(buf, options.tgtLladdr, dev)
    if (lladdr === undefined) return 'NOT_SPECIFIED'
  }
  const target = addrAt(skb, at + 8)
  const ifp = ipv6GetIfaddr(net, target, dev, true)
  if (ifp !== undefined) {
    if (skb.pktType === PACKET_LOOPBACK) return 'NOT_SPECIFIED'
    if ((ifp.flags & IFA_F_TENTATIVE) !== 0) addrconfDadFailure(skb, ifp)
    return 'NOT_SPECIFIED'
  }
  const tbl = ndTbl(net.kernel)
  let neigh = tbl.lookup(target, dev)
  let state = solicited ? NUD_REACHABLE : NUD_STALE
  const saddr = addrAt(skb, nh + OFF_SADDR)
  if (neigh === undefined && lladdr !== undefined && idev !== undefined && acceptUntracked(idev, saddr)) {
    neigh = ndTblResolve(dev, target)
    state = NUD_STALE
  }
  if (neigh === undefined || (neigh.nudState & NUD_FAILED) !== 0) return 'NOT_SPECIFIED'
  const { all } = net.at(ipv6DevconfKey)
  if (
    lladdr !== undefined &&
    sameBytes(lladdr, dev.devAddr) &&
    all.data[IPV6_DEVCONF_FORWARDING] !== 0 &&
    all.data[IPV6_DEVCONF_PROXY_NDP] !== 0 &&
    ndTblPneighHas(net, target, dev)
  )
    return 'NOT_SPECIFIED'
  const before = neigh.flags
  neighUpdate(
    neigh,
    lladdr,
    state,
    NEIGH_UPDATE_F_WEAK_OVERRIDE |
      ((bits & 0x20) !== 0 ? NEIGH_UPDATE_F_OVERRIDE : 0) |
      NEIGH_UPDATE_F_OVERRIDE_ISROUTER |
      ((bits & 0x80) !== 0 ? NEIGH_UPDATE_F_ISROUTER : 0),
  )
  // a router has become a host
  if ((before & ~neigh.flags & NTF_ROUTER) !== 0) rt6CleanTohost(net, saddr)
  return undefined
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** @returns whether an advertisement without an entry may make one (RFC 9131) */
function acceptUntracked(idev: Inet6Dev, saddr: In6Addr): boolean {
  if (idev.cnf.data[IPV6_DEVCONF_FORWARDING] === 0) return false
  const mode = idev.cnf.data[IPV6_DEVCONF_ACCEPT_UNTRACKED_NA]
  return mode === 1 || (mode === 2 && ipv6ChkPrefix(saddr, idev.dev))
}

function recvRs(skb: SkBuff): DropReason | undefined {
  const { buf, networkHeader: nh, transportHeader: at, tail } = skb
  const dev = skb.dev!
  const idev = in6Dev(dev)
  if (tail - at < 8) return 'PKT_TOO_SMALL'
  if (idev === undefined || idev.cnf.data[IPV6_DEVCONF_FORWARDING] === 0) return 'NOT_SPECIFIED'
  if (addrAnyAt(buf, nh + OFF_SADDR)) return 'NOT_SPECIFIED'
  const options = ndiscParseOptions(buf, at + 8, tail)
  if (options === undefined) return 'NOT_SPECIFIED'
  let lladdr: Uint8Array | undefined
  if (options.srcLladdr !== 0) {
    lladdr = optAddrData(buf, options.srcLladdr, dev)
    if (lladdr === undefined) return 'NOT_SPECIFIED'
  }
  const neigh = ndTblResolve(dev, addrAt(skb, nh + OFF_SADDR))
  if (neigh === undefined) return 'NOT_SPECIFIED'
  neighUpdate(
    neigh,
    lladdr,
    NUD_STALE,
    NEIGH_UPDATE_F_WEAK_OVERRIDE | NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_OVERRIDE_ISROUTER,
  )
  return undefined
}
