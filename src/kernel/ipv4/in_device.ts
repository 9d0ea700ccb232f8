/**
 * `in_device` and `in_ifaddr`: IPv4's part of a network device, its addresses, and how its configuration combines with
 * that of `all` (ip-sysctl, /proc/sys/net/ipv4/conf).
 */
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import type { Kernel } from '../kernel.ts'
import {
  IPV4_DEVCONF_ACCEPT_LOCAL,
  IPV4_DEVCONF_ACCEPT_REDIRECTS,
  IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE,
  IPV4_DEVCONF_ARP_ACCEPT,
  IPV4_DEVCONF_ARP_ANNOUNCE,
  IPV4_DEVCONF_ARP_EVICT_NOCARRIER,
  IPV4_DEVCONF_ARP_FILTER,
  IPV4_DEVCONF_ARP_IGNORE,
  IPV4_DEVCONF_ARP_NOTIFY,
  IPV4_DEVCONF_BC_FORWARDING,
  IPV4_DEVCONF_BOOTP_RELAY,
  IPV4_DEVCONF_FORWARDING,
  IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN,
  IPV4_DEVCONF_LOG_MARTIANS,
  IPV4_DEVCONF_MC_FORWARDING,
  IPV4_DEVCONF_PROMOTE_SECONDARIES,
  IPV4_DEVCONF_PROXY_ARP,
  IPV4_DEVCONF_PROXY_ARP_PVLAN,
  IPV4_DEVCONF_ROUTE_LOCALNET,
  IPV4_DEVCONF_RP_FILTER,
  IPV4_DEVCONF_SECURE_REDIRECTS,
  IPV4_DEVCONF_SEND_REDIRECTS,
  IPV4_DEVCONF_SHARED_MEDIA,
  IPV4_DEVCONF_SRC_VALID_MARK,
  Ipv4Devconf,
  ipv4DevconfKey,
} from './devconf.ts'

/** A lifetime without end, seconds. */
export const INFINITY_LIFE_TIME = 0xffffffff

/** @returns the mask of a prefix length as an unsigned number */
export function inetMakeMask(len: number): number {
  return len === 0 ? 0 : (0xffffffff << (32 - len)) >>> 0
}

/** @returns whether an address is 224.0.0.0/4 */
export function ipv4IsMulticast(addr: number): boolean {
  return addr >>> 28 === 0xe
}

/** @returns whether an address is 224.0.0.0/24, which no router forwards */
export function ipv4IsLocalMulticast(addr: number): boolean {
  return addr >>> 8 === 0xe00000
}

/** @returns whether an address is 255.255.255.255 */
export function ipv4IsLbcast(addr: number): boolean {
  return addr >>> 0 === 0xffffffff
}

/** @returns whether an address is 0.0.0.0/8 */
export function ipv4IsZeronet(addr: number): boolean {
  return addr >>> 24 === 0
}

/** @returns whether an address is 127.0.0.0/8 */
export function ipv4IsLoopback(addr: number): boolean {
  return addr >>> 24 === 127
}

/** An address of a device. Addresses are unsigned numbers in host order. */
export class InIfaddr {
  readonly inDev: InDevice
  /** the address itself */
  local = 0
  /** the peer's address where there is one, else the same as `local` */
  address = 0
  mask = 0
  prefixlen = 0
  /** 0: none */
  broadcast = 0
  /** RT_SCOPE_… */
  scope = 0
  /** IFA_F_… */
  flags = 0
  label = ''
  /** metric of the prefix route */
  rtPriority = 0
  /** IFAPROT_… */
  proto = 0
  /** seconds from `tstamp` on; INFINITY_LIFE_TIME: no end */
  validLft = INFINITY_LIFE_TIME
  preferredLft = INFINITY_LIFE_TIME
  /** when it was made and last changed, ns since boot; -1 not yet */
  cstamp = -1
  tstamp = 0

  constructor(inDev: InDevice) {
    this.inDev = inDev
  }

  /** @returns whether an address is in this one's subnet (inet_ifa_match) */
  matches(addr: number): boolean {
    return ((addr ^ this.address) & this.mask) === 0
  }
}

/** IPv4's part of a device. */
export class InDevice {
  readonly dev: NetDevice
  /** primaries first, by descending scope; secondaries behind, in order of arrival */
  readonly ifaList: InIfaddr[] = []
  readonly cnf: Ipv4Devconf
  /** `all` of the namespace, at hand for the accessors */
  readonly all: Ipv4Devconf
  /** ARP's parameters of the device (`neigh_parms`), typed where they are declared */
  arpParms: unknown
  /** IGMP's groups and timers of the device, typed where they are declared */
  mc: unknown
  /** true while it goes away */
  dead = false

  /** Used by devinet. */
  constructor(dev: NetDevice) {
    this.dev = dev
    const { all, dflt } = dev.net.at(ipv4DevconfKey)
    this.all = all
    this.cnf = new Ipv4Devconf(dflt)
    // what somebody has set for `default` counts as set for devices that come later
    this.cnf.isSet.set(dflt.isSet)
  }

  get net(): Net {
    return this.dev.net
  }
}

/** @returns IPv4's part of a device, undefined where IPv4 is off on it (__in_dev_get_rtnl) */
export function inDevGet(dev: NetDevice): InDevice | undefined {
  return dev.ipPtr as InDevice | undefined
}

/** @returns IPv4's part of a device by its index (inetdev_by_index) */
export function inetdevByIndex(net: Net, ifindex: number): InDevice | undefined {
  const dev = net.devByIndex(ifindex)
  return dev === undefined ? undefined : inDevGet(dev)
}

/** @returns the device's own value (IN_DEV_CONF_GET) */
export function inDevConf(inDev: InDevice, index: number): number {
  return inDev.cnf.data[index]!
}

/** @returns whether `all` and the device both have a value set (IN_DEV_ANDCONF) */
export function inDevAndconf(inDev: InDevice, index: number): boolean {
  return inDev.all.data[index] !== 0 && inDev.cnf.data[index] !== 0
}

/** @returns whether `all` or the device has a value set (IN_DEV_ORCONF) */
export function inDevOrconf(inDev: InDevice, index: number): boolean {
  return inDev.all.data[index] !== 0 || inDev.cnf.data[index] !== 0
}

/** @returns the larger of `all`'s and the device's value (IN_DEV_MAXCONF) */
export function inDevMaxconf(inDev: InDevice, index: number): number {
  const a = inDev.all.data[index]!
  const b = inDev.cnf.data[index]!
  return Math.max(a, b)
}

export function inDevForward(inDev: InDevice): boolean {
  return inDev.cnf.data[IPV4_DEVCONF_FORWARDING] !== 0
}

export function inDevMforward(inDev: InDevice): boolean {
  return inDevAndconf(inDev, IPV4_DEVCONF_MC_FORWARDING)
}

export function inDevBforward(inDev: InDevice): boolean {
  return inDevAndconf(inDev, IPV4_DEVCONF_BC_FORWARDING)
}

/** @returns 0 no check, 1 strict, 2 loose (RFC 3704) */
export function inDevRpFilter(inDev: InDevice): number {
  return inDevMaxconf(inDev, IPV4_DEVCONF_RP_FILTER)
}

export function inDevSrcVmark(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_SRC_VALID_MARK)
}

export function inDevSourceRoute(inDev: InDevice): boolean {
  return inDevAndconf(inDev, IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE)
}

export function inDevAcceptLocal(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_ACCEPT_LOCAL)
}

export function inDevBootpRelay(inDev: InDevice): boolean {
  return inDevAndconf(inDev, IPV4_DEVCONF_BOOTP_RELAY)
}

export function inDevLogMartians(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_LOG_MARTIANS)
}

export function inDevProxyArp(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_PROXY_ARP)
}

export function inDevProxyArpPvlan(inDev: InDevice): boolean {
  return inDev.cnf.data[IPV4_DEVCONF_PROXY_ARP_PVLAN] !== 0
}

export function inDevSharedMedia(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_SHARED_MEDIA)
}

export function inDevTxRedirects(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_SEND_REDIRECTS)
}

export function inDevSecRedirects(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_SECURE_REDIRECTS)
}

/** Hosts listen to redirects if either value says so, routers only if both do. */
export function inDevRxRedirects(inDev: InDevice): boolean {
  return inDevForward(inDev)
    ? inDevAndconf(inDev, IPV4_DEVCONF_ACCEPT_REDIRECTS)
    : inDevOrconf(inDev, IPV4_DEVCONF_ACCEPT_REDIRECTS)
}

export function inDevPromoteSecondaries(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_PROMOTE_SECONDARIES)
}

export function inDevRouteLocalnet(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_ROUTE_LOCALNET)
}

export function inDevIgnoreRoutesWithLinkdown(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN)
}

export function inDevArpfilter(inDev: InDevice): boolean {
  return inDevOrconf(inDev, IPV4_DEVCONF_ARP_FILTER)
}

export function inDevArpAccept(inDev: InDevice): number {
  return inDevMaxconf(inDev, IPV4_DEVCONF_ARP_ACCEPT)
}

export function inDevArpAnnounce(inDev: InDevice): number {
  return inDevMaxconf(inDev, IPV4_DEVCONF_ARP_ANNOUNCE)
}

export function inDevArpIgnore(inDev: InDevice): number {
  return inDevMaxconf(inDev, IPV4_DEVCONF_ARP_IGNORE)
}

export function inDevArpNotify(inDev: InDevice): boolean {
  return inDevMaxconf(inDev, IPV4_DEVCONF_ARP_NOTIFY) !== 0
}

export function inDevArpEvictNocarrier(inDev: InDevice): boolean {
  return inDevAndconf(inDev, IPV4_DEVCONF_ARP_EVICT_NOCARRIER)
}

/** @returns whether routes by a device without carrier do not count (ip_ignore_linkdown) */
export function ipIgnoreLinkdown(dev: NetDevice): boolean {
  const inDev = inDevGet(dev)
  return inDev !== undefined && inDevIgnoreRoutesWithLinkdown(inDev)
}

/** Freezes a device's configuration: later writes to `default` leave it alone (ipv4_devconf_setall). */
export function ipv4DevconfSetall(inDev: InDevice): void {
  inDev.cnf.isSet.fill(1)
}

/**
 * What other parts of IPv4 do when IPv4 comes to a device and leaves it. ARP and IGMP register one each, in their own
 * init functions, instead of being called by name.
 */
export interface InDeviceFollower {
  /** IPv4 has just come to the device: allocate parameters (`arpParms`, `mc`). It may be up already. */
  init?(inDev: InDevice): void
  /** IPv4 leaves the device: its addresses have gone */
  destroy?(inDev: InDevice): void
  /** the device came up or went down with IPv4 on it */
  up?(inDev: InDevice): void
  down?(inDev: InDevice): void
  /** peers should learn the device's addresses: gratuitous ARP for each */
  notifyPeers?(inDev: InDevice): void
  /** an entry for an address that is now a broadcast address must go (arp_invalidate) */
  invalidate?(inDev: InDevice, addr: number): void
  /** all neighbours of the device must go (arp_ifdown) */
  ifdown?(dev: NetDevice): void
  /** an address's multicast group is to be joined or left (IFA_F_MCAUTOJOIN). @returns a negative error */
  autojoin?(join: boolean, ifa: InIfaddr): number
}

const followers = new WeakMap<object, InDeviceFollower[]>()

/** @returns the followers of a kernel, in order of registration: push to it to register */
export function inDeviceFollowers(kernel: Kernel): InDeviceFollower[] {
  let list = followers.get(kernel)
  if (list === undefined) {
    list = []
    followers.set(kernel, list)
  }
  return list
}
