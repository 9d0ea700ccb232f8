/**
 * What writes to net.ipv6.conf.* set in motion: forwarding makes a router, disable_ipv6 takes the addresses away,
 * addr_gen_mode makes new ones.
 */
import { Errno } from '../../uapi/errno.ts'
import { IFF_MULTICAST } from '../../uapi/if.ts'
import { IFA_F_TENTATIVE } from '../../uapi/rtnetlink.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import {
  IN6ADDR_INTERFACELOCAL_ALLROUTERS,
  IN6ADDR_LINKLOCAL_ALLROUTERS,
  IN6ADDR_SITELOCAL_ALLROUTERS,
} from './addr.ts'
import { addrconfInitAutoAddrs, addrconfNotify } from './addrconf_dev.ts'
import {
  inet6NetconfNotify,
  lacksSecret,
  NETCONFA_IFINDEX_ALL,
  NETCONFA_IFINDEX_DEFAULT,
  validAddrGenMode,
} from './addrconf_link.ts'
import { addrconfJoinAnycast, addrconfLeaveAnycast } from './anycast.ts'
import {
  IPV6_DEVCONF_ADDR_GEN_MODE,
  IPV6_DEVCONF_DISABLE_IPV6,
  IPV6_DEVCONF_FORWARDING,
  IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN,
  IPV6_DEVCONF_PROXY_NDP,
  type Ipv6Devconf,
  type Ipv6DevconfName,
  ipv6DevconfKey,
} from './devconf.ts'
import { type Inet6Dev, in6Dev } from './if_inet6.ts'
import { fib6Key } from './ip6_fib.ts'
import { ipv6DevMcDec, ipv6DevMcInc } from './mcast.ts'
import { rt6PurgeDfltRouters } from './route_sync.ts'
import type { Ipv6ConfOps } from './sysctl_devconf6.ts'

const ALL_ROUTERS = [
  IN6ADDR_LINKLOCAL_ALLROUTERS,
  IN6ADDR_INTERFACELOCAL_ALLROUTERS,
  IN6ADDR_SITELOCAL_ALLROUTERS,
] as const

/** A device has become a router's, or a host's (dev_forward_change). */
function devForwardChange(idev: Inet6Dev): void {
  const { dev } = idev
  const router = idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0
  if ((dev.flags & IFF_MULTICAST) !== 0)
    for (const group of ALL_ROUTERS) (router ? ipv6DevMcInc : ipv6DevMcDec)(dev, group)
  for (const ifp of idev.addrs.filter(other => (other.flags & IFA_F_TENTATIVE) === 0))
    (router ? addrconfJoinAnycast : addrconfLeaveAnycast)(ifp)
  inet6NetconfNotify(dev.net, dev.ifindex, idev.cnf, 'forwarding')
}

/** @returns the devices of a namespace that IPv6 is on */
function* idevs(net: Net): Generator<Inet6Dev> {
  for (const dev of [...net.devices.values()]) {
    const idev = in6Dev(dev)
    if (idev !== undefined) yield idev
  }
}

/**
 * conf.*.forwarding was written (addrconf_fixup_forwarding).
 * @param conf `all`, `default` or a device's configuration, which holds the new value @param old the value before
 */
export function addrconfFixupForwarding(net: Net, conf: Ipv6Devconf, dev: NetDevice | undefined, old: number): void {
  const { all, dflt } = net.at(ipv6DevconfKey)
  const value = conf.data[IPV6_DEVCONF_FORWARDING]!
  const changed = (value === 0) !== (old === 0)
  if (conf === dflt) {
    if (changed) inet6NetconfNotify(net, NETCONFA_IFINDEX_DEFAULT, dflt, 'forwarding')
    return
  }
  if (conf === all) {
    const before = dflt.data[IPV6_DEVCONF_FORWARDING]!
    dflt.data[IPV6_DEVCONF_FORWARDING] = value
    if ((value === 0) !== (before === 0)) inet6NetconfNotify(net, NETCONFA_IFINDEX_DEFAULT, dflt, 'forwarding')
    for (const idev of idevs(net)) {
      const differs = (idev.cnf.data[IPV6_DEVCONF_FORWARDING] === 0) !== (value === 0)
      idev.cnf.data[IPV6_DEVCONF_FORWARDING] = value
      if (differs) devForwardChange(idev)
    }
    if (changed) inet6NetconfNotify(net, NETCONFA_IFINDEX_ALL, all, 'forwarding')
  } else if (changed) {
    const idev = dev === undefined ? undefined : in6Dev(dev)
    if (idev !== undefined) devForwardChange(idev)
  }
  net.at(fib6Key).sernum++
  if (value !== 0) rt6PurgeDfltRouters(net)
}

function devDisableChange(idev: Inet6Dev): void {
  addrconfNotify(idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] !== 0 ? 'DOWN' : 'UP', idev.dev, {})
}

/**
 * conf.*.disable_ipv6 was written (addrconf_disable_ipv6).
 * @param conf `all`, `default` or a device's configuration, which holds the new value @param old the value before
 */
export function addrconfDisableIpv6(net: Net, conf: Ipv6Devconf, dev: NetDevice | undefined, old: number): void {
  const { all, dflt } = net.at(ipv6DevconfKey)
  const value = conf.data[IPV6_DEVCONF_DISABLE_IPV6]!
  if (conf === dflt) return
  if (conf === all) {
    dflt.data[IPV6_DEVCONF_DISABLE_IPV6] = value
    for (const idev of idevs(net)) {
      const differs = (idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] === 0) !== (value === 0)
      idev.cnf.data[IPV6_DEVCONF_DISABLE_IPV6] = value
      if (differs) devDisableChange(idev)
    }
  } else if ((value === 0) !== (old === 0)) {
    const idev = dev === undefined ? undefined : in6Dev(dev)
    if (idev !== undefined) devDisableChange(idev)
  }
}

/** conf.*.addr_gen_mode was written. @returns 0 or -EINVAL, with the old value back in place */
export function addrconfAddrGenMode(net: Net, conf: Ipv6Devconf, dev: NetDevice | undefined, old: number): number {
  const { all, dflt } = net.at(ipv6DevconfKey)
  const value = conf.data[IPV6_DEVCONF_ADDR_GEN_MODE]!
  const idev = dev === undefined ? undefined : in6Dev(dev)
  if (!validAddrGenMode(value) || (idev !== undefined && lacksSecret(idev, value))) {
    conf.data[IPV6_DEVCONF_ADDR_GEN_MODE] = old
    return -Errno.EINVAL
  }
  if (idev !== undefined) {
    if (value !== old) addrconfInitAutoAddrs(idev.dev)
  } else if (conf === all) {
    dflt.data[IPV6_DEVCONF_ADDR_GEN_MODE] = value
    for (const other of idevs(net)) {
      if (other.cnf.data[IPV6_DEVCONF_ADDR_GEN_MODE] === value) continue
      other.cnf.data[IPV6_DEVCONF_ADDR_GEN_MODE] = value
      addrconfInitAutoAddrs(other.dev)
    }
  }
  return 0
}

/** @returns the index by which netconf listeners know a configuration */
function netconfIndex(net: Net, conf: Ipv6Devconf, dev: NetDevice | undefined): number {
  const { all, dflt } = net.at(ipv6DevconfKey)
  if (conf === all) return NETCONFA_IFINDEX_ALL
  return conf === dflt || dev === undefined ? NETCONFA_IFINDEX_DEFAULT : dev.ifindex
}

/** conf.*.ignore_routes_with_linkdown was written: `all` reaches everybody. */
function linkdownChange(net: Net, conf: Ipv6Devconf, dev: NetDevice | undefined, old: number): void {
  const index = IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN
  const { all, dflt } = net.at(ipv6DevconfKey)
  const value = conf.data[index]!
  const changed = (value === 0) !== (old === 0)
  if (conf === all) {
    dflt.data[index] = value
    if (changed) inet6NetconfNotify(net, NETCONFA_IFINDEX_DEFAULT, dflt, 'ignoreRoutesWithLinkdown')
    for (const idev of idevs(net)) {
      const differs = (idev.cnf.data[index] === 0) !== (value === 0)
      idev.cnf.data[index] = value
      if (differs) inet6NetconfNotify(net, idev.dev.ifindex, idev.cnf, 'ignoreRoutesWithLinkdown')
    }
  }
  if (changed) inet6NetconfNotify(net, netconfIndex(net, conf, dev), conf, 'ignoreRoutesWithLinkdown')
  net.at(fib6Key).sernum++
}

/** What the sysctl tables call. */
export const ipv6ConfOps: Ipv6ConfOps = {
  conf: dev => in6Dev(dev)?.cnf,
  changed(net: Net, name: Ipv6DevconfName, conf: Ipv6Devconf, dev: NetDevice | undefined, old: number): number {
    switch (name) {
      case 'forwarding':
        addrconfFixupForwarding(net, conf, dev, old)
        return 0
      case 'disable_ipv6':
        addrconfDisableIpv6(net, conf, dev, old)
        return 0
      case 'addr_gen_mode':
        return addrconfAddrGenMode(net, conf, dev, old)
      case 'proxy_ndp':
        if (conf.data[IPV6_DEVCONF_PROXY_NDP] !== old)
          inet6NetconfNotify(net, netconfIndex(net, conf, dev), conf, 'proxyNeigh')
        return 0
      case 'ignore_routes_with_linkdown':
        linkdownChange(net, conf, dev, old)
        return 0
      default:
        return 0
    }
  },
}
