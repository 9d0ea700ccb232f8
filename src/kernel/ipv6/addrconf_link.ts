/**
 * IPv6's part of links in rtnetlink: IFLA_INET6_… (flags, interface token, address generation mode), links as family
 * AF_INET6 lists them, and RTM_*NETCONF.
 */
import { Errno } from '../../uapi/errno.ts'
import { IF_OPER_DOWN, IFF_LOOPBACK, IFF_NOARP } from '../../uapi/if.ts'
import {
  IFA_F_OPTIMISTIC,
  IFA_F_TENTATIVE,
  type LinkMessage,
  type NetconfMessage,
  RTM_DELNETCONF,
  RTM_GETLINK,
  RTM_GETNETCONF,
  RTM_NEWLINK,
  RTM_NEWNETCONF,
  RTNLGRP_IPV6_NETCONF,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import { devGetFlags } from '../core/dev_flags.ts'
import { devGetIflink } from '../core/link_watch.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck, RtnlContext } from '../core/rtnetlink.ts'
import { devicesInDumpOrder } from '../core/rtnl_link.ts'
import { registerRtnlAf } from '../core/rtnl_state.ts'
import type { Kernel } from '../kernel.ts'
import { addrAny, type In6Addr } from './addr.ts'
import { ipv6AcceptRa, startRs } from './addrconf_dad.ts'
import { addrconfVerify } from './addrconf_verify.ts'
import {
  IPV6_DEVCONF_ADDR_GEN_MODE,
  IPV6_DEVCONF_FORWARDING,
  IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN,
  IPV6_DEVCONF_MC_FORWARDING,
  IPV6_DEVCONF_PROXY_NDP,
  IPV6_DEVCONF_ROUTER_SOLICITATIONS,
  type Ipv6Devconf,
  ipv6DevconfKey,
} from './devconf.ts'
import {
  IF_READY,
  IN6_ADDR_GEN_MODE_RANDOM,
  IN6_ADDR_GEN_MODE_STABLE_PRIVACY,
  type Inet6Dev,
  in6Dev,
} from './if_inet6.ts'
import { ipv6GetLladdr } from './inet6_addr.ts'

/** RTNLGRP_IPV6_IFINFO: who hears of links in family AF_INET6. */
const RTNLGRP_IPV6_IFINFO = 12

/** Indices that stand for `all` and `default` in RTM_*NETCONF. */
export const NETCONFA_IFINDEX_ALL = -1
export const NETCONFA_IFINDEX_DEFAULT = -2

/** @returns IFLA_INET6_… of a device */
function inet6Part(idev: Inet6Dev): { flags: number; addrGenMode: number; token: In6Addr } {
  return {
    flags: idev.ifFlags >>> 0,
    addrGenMode: idev.cnf.data[IPV6_DEVCONF_ADDR_GEN_MODE]!,
    token: idev.token.slice(),
  }
}

/** @returns a device as family AF_INET6 shows it (inet6_fill_ifinfo) */
function fillIfinfo(idev: Inet6Dev): LinkMessage {
  const { dev } = idev
  const msg: LinkMessage = {
    type: RTM_NEWLINK,
    flags: 0,
    family: AF_INET6,
    hatype: dev.type,
    index: dev.ifindex,
    ifFlags: devGetFlags(dev),
    change: 0,
    attrs: {
      ifname: dev.name,
      mtu: dev.mtu,
      operstate: dev.running ? dev.operstate : IF_OPER_DOWN,
      afSpec: { inet6: inet6Part(idev) },
    },
  }
  if (dev.addrLen > 0) msg.attrs.address = dev.devAddr.slice()
  const iflink = devGetIflink(dev)
  if (iflink !== dev.ifindex) msg.attrs.link = iflink
  return msg
}

/** Tells listeners that IPv6's state of a link has changed (inet6_ifinfo_notify). */
export function inet6IfinfoNotify(idev: Inet6Dev): void {
  const { net } = idev.dev
  net.kernel.rtnl.notify(net, RTNLGRP_IPV6_IFINFO, () => fillIfinfo(idev))
}

/** Sets or clears the interface identifier that addresses from advertisements get (`ip token`). */
function setToken(idev: Inet6Dev, token: Uint8Array, extack: NetlinkExtAck): number {
  const { dev } = idev
  const fail = (text: string): number => extack.fail(-Errno.EINVAL, `ipv6: ${text}`)
  if (token.length !== 16) return -Errno.EINVAL
  if ((dev.flags & IFF_LOOPBACK) !== 0) return fail('Device is loopback')
  if ((dev.flags & IFF_NOARP) !== 0) return fail('Device does not do neighbour discovery')
  if (!ipv6AcceptRa(idev)) return fail('Router advertisement is disabled on device')
  if (idev.cnf.data[IPV6_DEVCONF_ROUTER_SOLICITATIONS] === 0) return fail('Router solicitation is disabled on device')
  idev.token = new Uint8Array(16)
  idev.token.set(token.subarray(8), 8)
  if (!addrAny(token) && !idev.dead && (idev.ifFlags & IF_READY) !== 0) {
    // a fresh advertisement is asked for, which brings addresses with the new identifier
    const lladdr = ipv6GetLladdr(dev, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)
    if (lladdr !== undefined) startRs(idev, lladdr)
  }
  for (const ifp of idev.addrs) if (ifp.tokenized) ifp.validLft = ifp.preferedLft = 0
  inet6IfinfoNotify(idev)
  addrconfVerify(dev.net)
  return 0
}

/** @returns whether there is such a mode of address generation */
export function validAddrGenMode(mode: number): boolean {
  return mode >= 0 && mode <= IN6_ADDR_GEN_MODE_RANDOM
}

/** @returns whether a mode lacks the secret it needs (check_stable_privacy) */
export function lacksSecret(idev: Inet6Dev, mode: number): boolean {
  if (mode !== IN6_ADDR_GEN_MODE_STABLE_PRIVACY) return false
  return idev.cnf.stableSecret === undefined && idev.dev.net.at(ipv6DevconfKey).dflt.stableSecret === undefined
}

/** Registers IFLA_AF_SPEC's part. */
function registerAf(kernel: Kernel): void {
  registerRtnlAf(kernel, {
    family: AF_INET6,
    fillLinkAf(dev, spec) {
      const idev = in6Dev(dev)
      if (idev !== undefined) spec.inet6 = inet6Part(idev)
    },
    validateLinkAf(dev, spec) {
      const part = spec.inet6
      if (part === undefined) return 0
      const idev = in6Dev(dev)
      if (idev === undefined) return -Errno.EAFNOSUPPORT
      if (part.token === undefined && part.addrGenMode === undefined) return -Errno.EINVAL
      if (part.addrGenMode === undefined) return 0
      return validAddrGenMode(part.addrGenMode) && !lacksSecret(idev, part.addrGenMode) ? 0 : -Errno.EINVAL
    },
    setLinkAf(dev, spec, extack) {
      const part = spec.inet6
      if (part === undefined) return 0
      const idev = in6Dev(dev)
      if (idev === undefined) return -Errno.EAFNOSUPPORT
      if (part.token !== undefined) {
        const rc = setToken(idev, part.token, extack)
        if (rc < 0) return rc
      }
      if (part.addrGenMode !== undefined) {
        if (!validAddrGenMode(part.addrGenMode) || lacksSecret(idev, part.addrGenMode)) return -Errno.EINVAL
        idev.cnf.data[IPV6_DEVCONF_ADDR_GEN_MODE] = part.addrGenMode
      }
      return 0
    },
  })
}

/** Which values of a configuration a message tells. */
export type NetconfPart = 'all' | 'forwarding' | 'proxyNeigh' | 'ignoreRoutesWithLinkdown'

function fillNetconf(
  type: NetconfMessage['type'],
  ifindex: number,
  conf: Ipv6Devconf | undefined,
  part: NetconfPart,
): NetconfMessage {
  const attrs: NetconfMessage['attrs'] = { ifindex }
  if (conf !== undefined) {
    const { data } = conf
    if (part === 'all' || part === 'forwarding') attrs.forwarding = data[IPV6_DEVCONF_FORWARDING]!
    if (part === 'all') attrs.mcForwarding = data[IPV6_DEVCONF_MC_FORWARDING]!
    if (part === 'all' || part === 'proxyNeigh') attrs.proxyNeigh = data[IPV6_DEVCONF_PROXY_NDP]!
    if (part === 'all' || part === 'ignoreRoutesWithLinkdown')
      attrs.ignoreRoutesWithLinkdown = data[IPV6_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN]!
  }
  return { type, flags: 0, family: AF_INET6, attrs }
}

/** Tells listeners of a configuration, or with `conf` undefined that it goes (inet6_netconf_notify_devconf). */
export function inet6NetconfNotify(net: Net, ifindex: number, conf: Ipv6Devconf | undefined, part: NetconfPart): void {
  const type = conf === undefined ? RTM_DELNETCONF : RTM_NEWNETCONF
  net.kernel.rtnl.notify(net, RTNLGRP_IPV6_NETCONF, () => fillNetconf(type, ifindex, conf, part))
}

function getNetconf(ctx: RtnlContext, message: RtMessage): number | RtMessage[] {
  const { net } = ctx
  const { ifindex } = (message as NetconfMessage).attrs
  if (ifindex === undefined) return -Errno.EINVAL
  const { all, dflt } = net.at(ipv6DevconfKey)
  let conf: Ipv6Devconf | undefined
  if (ifindex === NETCONFA_IFINDEX_ALL) conf = all
  else if (ifindex === NETCONFA_IFINDEX_DEFAULT) conf = dflt
  else {
    const dev = net.devByIndex(ifindex)
    conf = dev === undefined ? undefined : in6Dev(dev)?.cnf
  }
  return conf === undefined ? -Errno.EINVAL : [fillNetconf(RTM_NEWNETCONF, ifindex, conf, 'all')]
}

function dumpNetconf(ctx: RtnlContext): RtMessage[] {
  const { net } = ctx
  const out: RtMessage[] = []
  for (const dev of devicesInDumpOrder(net)) {
    const idev = in6Dev(dev)
    if (idev !== undefined) out.push(fillNetconf(RTM_NEWNETCONF, dev.ifindex, idev.cnf, 'all'))
  }
  const { all, dflt } = net.at(ipv6DevconfKey)
  out.push(fillNetconf(RTM_NEWNETCONF, NETCONFA_IFINDEX_ALL, all, 'all'))
  out.push(fillNetconf(RTM_NEWNETCONF, NETCONFA_IFINDEX_DEFAULT, dflt, 'all'))
  return out
}

function dumpIfinfo(ctx: RtnlContext): RtMessage[] {
  const parts: (LinkMessage | undefined)[] = devicesInDumpOrder(ctx.net).map((dev: NetDevice) => {
    const idev = in6Dev(dev)
    return idev === undefined ? undefined : fillIfinfo(idev)
  })
  return parts.filter(part => part !== undefined)
}

/** Registers the messages. */
export function addrconfLinkInit(kernel: Kernel): void {
  registerAf(kernel)
  kernel.rtnl.register(AF_INET6, RTM_GETLINK, { dumpit: dumpIfinfo })
  kernel.rtnl.register(AF_INET6, RTM_GETNETCONF, { doit: getNetconf, dumpit: dumpNetconf })
}
