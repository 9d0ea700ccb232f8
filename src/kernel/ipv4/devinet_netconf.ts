/** IPv4 configuration of devices as rtnetlink has it (RTM_GETNETCONF), and what sysctl writes set in motion. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_MULTI } from '../../uapi/netlink.ts'
import {
  type NetconfMessage,
  RTM_DELNETCONF,
  RTM_NEWNETCONF,
  RTNLGRP_IPV4_NETCONF,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import type { RtnlContext } from '../core/rtnetlink.ts'
import {
  IPV4_DEVCONF_ACCEPT_REDIRECTS,
  IPV4_DEVCONF_BC_FORWARDING,
  IPV4_DEVCONF_FORWARDING,
  IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN,
  IPV4_DEVCONF_MC_FORWARDING,
  IPV4_DEVCONF_PROXY_ARP,
  IPV4_DEVCONF_RP_FILTER,
  type Ipv4Devconf,
  ipv4DevconfKey,
} from './devconf.ts'
import { inDevGet, inetdevByIndex } from './in_device.ts'
import { rtCacheFlush } from './rtable.ts'
import type { Ipv4ConfOps } from './sysctl_devconf.ts'

/** `ifindex` of `all` and of `default`. */
export const NETCONFA_IFINDEX_ALL = -1
export const NETCONFA_IFINDEX_DEFAULT = -2

/** Entries that netconf shows: their sysctl names and attributes. */
const ENTRIES = [
  ['forwarding', IPV4_DEVCONF_FORWARDING, 'forwarding'],
  ['rp_filter', IPV4_DEVCONF_RP_FILTER, 'rpFilter'],
  ['mc_forwarding', IPV4_DEVCONF_MC_FORWARDING, 'mcForwarding'],
  ['bc_forwarding', IPV4_DEVCONF_BC_FORWARDING, 'bcForwarding'],
  ['proxy_arp', IPV4_DEVCONF_PROXY_ARP, 'proxyNeigh'],
  ['ignore_routes_with_linkdown', IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN, 'ignoreRoutesWithLinkdown'],
] as const

/** @returns a device's configuration, or that of `all` or `default`; undefined where there is none */
function confOf(net: Net, ifindex: number): Ipv4Devconf | undefined {
  const { all, dflt } = net.at(ipv4DevconfKey)
  if (ifindex === NETCONFA_IFINDEX_ALL) return all
  if (ifindex === NETCONFA_IFINDEX_DEFAULT) return dflt
  return inetdevByIndex(net, ifindex)?.cnf
}

/** @param only a sysctl name; 'all' for every entry, 'gone' for none */
function fill(conf: Ipv4Devconf | undefined, ifindex: number, flags: number, only: string): NetconfMessage {
  const msg: NetconfMessage = {
    type: only === 'gone' ? RTM_DELNETCONF : RTM_NEWNETCONF,
    flags,
    family: AF_INET,
    attrs: { ifindex },
  }
  if (conf !== undefined && only !== 'gone')
    for (const [name, index, attr] of ENTRIES) if (only === 'all' || only === name) msg.attrs[attr] = conf.data[index]!
  return msg
}

/**
 * Tells listeners that an entry has changed (inet_netconf_notify_devconf).
 * @param only the entry's sysctl name; 'all' for a new device, 'gone' for one that IPv4 has left
 */
export function netconfNotify(net: Net, ifindex: number, only: string): void {
  net.kernel.rtnl.notify(net, RTNLGRP_IPV4_NETCONF, () => fill(confOf(net, ifindex), ifindex, 0, only))
}

/** RTM_GETNETCONF of one device, `all` or `default`. */
export function netconfGet(ctx: RtnlContext, msg: RtMessage): RtMessage[] | number {
  const { ifindex } = (msg as NetconfMessage).attrs
  if (ifindex === undefined) return -Errno.EINVAL
  const conf = confOf(ctx.net, ifindex)
  return conf === undefined ? -Errno.EINVAL : [fill(conf, ifindex, 0, 'all')]
}

/** RTM_GETNETCONF of all: the devices, then `all` and `default`. */
export function netconfDump(ctx: RtnlContext): RtMessage[] {
  const { net } = ctx
  const out: RtMessage[] = []
  for (const dev of net.devices.values()) {
    const inDev = inDevGet(dev)
    if (inDev !== undefined) out.push(fill(inDev.cnf, dev.ifindex, NLM_F_MULTI, 'all'))
  }
  const { all, dflt } = net.at(ipv4DevconfKey)
  out.push(fill(all, NETCONFA_IFINDEX_ALL, NLM_F_MULTI, 'all'))
  out.push(fill(dflt, NETCONFA_IFINDEX_DEFAULT, NLM_F_MULTI, 'all'))
  return out
}

/**
 * all.forwarding has changed: every device and `default` follow, and `all` accepts redirects only where nothing is
 * forwarded (inet_forward_change).
 */
export function inetForwardChange(net: Net): void {
  const { all, dflt } = net.at(ipv4DevconfKey)
  const on = all.data[IPV4_DEVCONF_FORWARDING]!
  all.data[IPV4_DEVCONF_ACCEPT_REDIRECTS] = on === 0 ? 1 : 0
  dflt.data[IPV4_DEVCONF_FORWARDING] = on
  netconfNotify(net, NETCONFA_IFINDEX_ALL, 'forwarding')
  netconfNotify(net, NETCONFA_IFINDEX_DEFAULT, 'forwarding')
  for (const dev of net.devices.values()) {
    const inDev = inDevGet(dev)
    if (inDev === undefined) continue
    inDev.cnf.set(IPV4_DEVCONF_FORWARDING, on)
    netconfNotify(net, dev.ifindex, 'forwarding')
  }
}

/** What writes to /proc/sys/net/ipv4/conf do. */
export const ipv4ConfOps: Ipv4ConfOps = {
  conf: dev => inDevGet(dev)?.cnf,
  forwardChange: inetForwardChange,
  cacheFlush: rtCacheFlush,
  netconfNotify,
}
