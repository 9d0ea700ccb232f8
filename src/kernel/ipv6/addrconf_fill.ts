/** Addresses of IPv6 as rtnetlink messages, and telling listeners of them. */
import {
  type AddrMessage,
  IFA_F_PERMANENT,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_SITE,
  RT_SCOPE_UNIVERSE,
  type RTM_DELADDR,
  type RTM_GETADDR,
  RTM_GETANYCAST,
  RTM_GETMULTICAST,
  type RTM_NEWADDR,
  RTNLGRP_IPV6_IFADDR,
} from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import { NSEC_PER_SEC, USER_HZ } from '../core/clock.ts'
import {
  addrAny,
  addrType,
  type In6Addr,
  IPV6_ADDR_LINKLOCAL,
  IPV6_ADDR_LOOPBACK,
  IPV6_ADDR_SCOPE_SITELOCAL,
  IPV6_ADDR_SITELOCAL,
  scopeOfType,
} from './addr.ts'
import { type Ifacaddr6, type Ifmcaddr6, INFINITY_LIFE_TIME, type Inet6Dev, type Inet6Ifaddr } from './if_inet6.ts'

/** @returns an address's scope as rtnetlink has it (rt_scope) */
export function rtScope(scope: number): number {
  if ((scope & IPV6_ADDR_LINKLOCAL) !== 0) return RT_SCOPE_LINK
  if ((scope & IPV6_ADDR_LOOPBACK) !== 0) return RT_SCOPE_HOST
  return (scope & IPV6_ADDR_SITELOCAL) !== 0 ? RT_SCOPE_SITE : RT_SCOPE_UNIVERSE
}

function stamp(ns: number): number {
  return Math.floor((ns * USER_HZ) / NSEC_PER_SEC) >>> 0
}

/** @returns an address as a message (inet6_fill_ifaddr) */
export function fillIfaddr(
  ifp: Inet6Ifaddr,
  type: typeof RTM_NEWADDR | typeof RTM_DELADDR | typeof RTM_GETADDR,
  flags = 0,
): AddrMessage {
  let prefered = INFINITY_LIFE_TIME
  let valid = INFINITY_LIFE_TIME
  if ((ifp.flags & IFA_F_PERMANENT) === 0 || ifp.preferedLft !== INFINITY_LIFE_TIME) {
    prefered = ifp.preferedLft
    valid = ifp.validLft
    if (prefered !== INFINITY_LIFE_TIME) {
      const age = Math.floor((ifp.idev.dev.net.kernel.clock.now - ifp.tstamp) / NSEC_PER_SEC)
      prefered = Math.max(0, prefered - age)
      if (valid !== INFINITY_LIFE_TIME) valid = Math.max(0, valid - age)
    }
  }
  const msg: AddrMessage = {
    type,
    flags,
    family: AF_INET6,
    prefixlen: ifp.prefixLen,
    ifaFlags: ifp.flags & 0xff,
    scope: rtScope(ifp.scope),
    index: ifp.idev.dev.ifindex,
    attrs: {
      flags: ifp.flags,
      cacheinfo: { prefered, valid, cstamp: stamp(ifp.cstamp), tstamp: stamp(ifp.tstamp) },
    },
  }
  if (!addrAny(ifp.peerAddr)) {
    msg.attrs.local = ifp.addr
    msg.attrs.address = ifp.peerAddr
  } else msg.attrs.address = ifp.addr
  if (ifp.rtPriority !== 0) msg.attrs.rtPriority = ifp.rtPriority
  if (ifp.proto !== 0) msg.attrs.proto = ifp.proto
  return msg
}

function group(
  idev: Inet6Dev,
  addr: In6Addr,
  type: typeof RTM_GETMULTICAST | typeof RTM_GETANYCAST,
  attr: 'multicast' | 'anycast',
  cstamp: number,
  tstamp: number,
): AddrMessage {
  const site = scopeOfType(addrType(addr)) === IPV6_ADDR_SCOPE_SITELOCAL
  return {
    type,
    flags: 0,
    family: AF_INET6,
    prefixlen: 128,
    ifaFlags: IFA_F_PERMANENT,
    scope: site ? RT_SCOPE_SITE : RT_SCOPE_UNIVERSE,
    index: idev.dev.ifindex,
    attrs: {
      [attr]: addr,
      cacheinfo: {
        prefered: INFINITY_LIFE_TIME,
        valid: INFINITY_LIFE_TIME,
        cstamp: stamp(cstamp),
        tstamp: stamp(tstamp),
      },
    },
  }
}

/** @returns a multicast membership as a message */
export function fillIfmcaddr(idev: Inet6Dev, mc: Ifmcaddr6): AddrMessage {
  return group(idev, mc.addr, RTM_GETMULTICAST, 'multicast', mc.cstamp, mc.tstamp)
}

/** @returns an anycast address as a message */
export function fillIfacaddr(idev: Inet6Dev, aca: Ifacaddr6): AddrMessage {
  return group(idev, aca.addr, RTM_GETANYCAST, 'anycast', 0, 0)
}

/** Tells listeners of an address (inet6_ifa_notify). */
export function inet6IfaNotify(event: typeof RTM_NEWADDR | typeof RTM_DELADDR, ifp: Inet6Ifaddr): void {
  const { net } = ifp.idev.dev
  net.kernel.rtnl.notify(net, RTNLGRP_IPV6_IFADDR, () => fillIfaddr(ifp, event))
}
