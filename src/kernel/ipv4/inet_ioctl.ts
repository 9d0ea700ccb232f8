/** ioctl(2) on IPv4 sockets for addresses (devinet_ioctl) and routes (ip_rt_ioctl): the way before rtnetlink. */
import { Errno } from '../../uapi/errno.ts'
import { IFF_BROADCAST, IFF_POINTOPOINT, IFF_UP } from '../../uapi/if.ts'
import {
  type AddressIoctl,
  type InetIoctl,
  type RouteIoctl,
  RTF_GATEWAY,
  RTF_HOST,
  RTF_IRTT,
  RTF_MTU,
  RTF_REJECT,
  RTF_WINDOW,
  SIOCADDRT,
  SIOCDELRT,
  SIOCSIFADDR,
  SIOCSIFBRDADDR,
  SIOCSIFDSTADDR,
  SIOCSIFFLAGS,
} from '../../uapi/ioctl_inet.ts'
import { NLM_F_CREATE } from '../../uapi/netlink.ts'
import {
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTPROT_BOOT,
} from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import { devChangeFlags } from '../core/dev_flags.ts'
import { l3mdevFibTable } from '../core/l3mdev.ts'
import type { Net } from '../core/net_namespace.ts'
import { NetlinkExtAck } from '../core/rtnetlink.ts'
import { inetDelIfa, inetInsertIfa, inetSetIfa, setIfaLifetime } from './devinet.ts'
import { FibConfig } from './fib_info.ts'
import { inetAddrType } from './fib_lookup.ts'
import { fibKey } from './fib_table.ts'
import {
  INFINITY_LIFE_TIME,
  type InDevice,
  InIfaddr,
  inDevGet,
  inetMakeMask,
  ipv4IsLbcast,
  ipv4IsMulticast,
  ipv4IsZeronet,
} from './in_device.ts'
import { addrFromBytes } from './inet_addr.ts'

/**
 * Answers a request that changes addresses or routes.
 * @param capable whether the caller has CAP_NET_ADMIN in the namespace
 * @returns 0 or a negative error
 */
export function inetIoctl(net: Net, capable: boolean, request: InetIoctl): number {
  if (!capable) return -Errno.EPERM
  return 'dst' in request ? routeIoctl(net, request) : addressIoctl(net, request)
}

/** @returns whether a mask has holes, or an address has bits outside it (bad_mask) */
function badMask(mask: number, addr: number): boolean {
  const host = ~mask
  return (addr & host) !== 0 || (host & (host + 1)) !== 0
}

/** @returns the prefix length of a mask without holes */
function maskLength(mask: number): number {
  return Math.clz32(~mask)
}

/** Puts name and source of a device or label into a request. @returns 0, -ENODEV */
function setDevice(cfg: FibConfig, name: string): number {
  const colon = name.indexOf(':')
  const dev = cfg.net.devByName(colon < 0 ? name : name.slice(0, colon))
  if (dev === undefined) return -Errno.ENODEV
  cfg.oif = dev.ifindex
  cfg.table = l3mdevFibTable(dev)
  if (colon < 0) return 0
  const ifa = inDevGet(dev)?.ifaList.find(it => it.label === name)
  if (ifa === undefined) return -Errno.ENODEV
  cfg.prefsrc = ifa.local
  return 0
}

/** Reads a route (rtentry_to_fib_config). @returns a negative error */
function configFromRequest(net: Net, rt: RouteIoctl): FibConfig | number {
  const cfg = new FibConfig(net)
  cfg.dst = addrFromBytes(rt.dst)
  cfg.dstLen = 32
  if ((rt.flags & RTF_HOST) === 0) {
    const mask = addrFromBytes(rt.genmask)
    if (badMask(mask, cfg.dst)) return -Errno.EINVAL
    cfg.dstLen = maskLength(mask)
  }
  if (rt.request === SIOCADDRT) {
    cfg.nlFlags = NLM_F_CREATE
    cfg.protocol = RTPROT_BOOT
  }
  if (rt.metric > 0) cfg.priority = rt.metric - 1
  if ((rt.flags & RTF_REJECT) !== 0) {
    cfg.scope = RT_SCOPE_HOST
    cfg.type = RTN_UNREACHABLE
    return cfg
  }
  cfg.scope = RT_SCOPE_NOWHERE
  cfg.type = RTN_UNICAST
  if (rt.dev !== undefined) {
    const rc = setDevice(cfg, rt.dev)
    if (rc < 0) return rc
  }
  const gw = addrFromBytes(rt.gateway)
  if (gw !== 0) {
    cfg.gw4 = gw
    cfg.gwFamily = AF_INET
    if ((rt.flags & RTF_GATEWAY) !== 0 && inetAddrType(net, gw, cfg.table || undefined) === RTN_UNICAST)
      cfg.scope = RT_SCOPE_UNIVERSE
  }
  if (rt.request === SIOCDELRT) return cfg
  if ((rt.flags & RTF_GATEWAY) !== 0 && gw === 0) return -Errno.EINVAL
  if (cfg.scope === RT_SCOPE_NOWHERE) cfg.scope = RT_SCOPE_LINK
  if ((rt.flags & (RTF_MTU | RTF_WINDOW | RTF_IRTT)) !== 0)
    cfg.mx = {
      // an old meaning: the MTU less the headers is the segment size
      ...((rt.flags & RTF_MTU) !== 0 && { advmss: (rt.mtu ?? 0) - 40 }),
      ...((rt.flags & RTF_WINDOW) !== 0 && { window: rt.window ?? 0 }),
      ...((rt.flags & RTF_IRTT) !== 0 && { rtt: (rt.irtt ?? 0) << 3 }),
    }
  return cfg
}

function routeIoctl(net: Net, rt: RouteIoctl): number {
  const cfg = configFromRequest(net, rt)
  if (typeof cfg === 'number') return cfg
  if (cfg.table === 0) cfg.table = RT_TABLE_MAIN
  const fib = net.at(fibKey)
  const extack = new NetlinkExtAck()
  if (rt.request === SIOCADDRT) return fib.newTable(cfg.table).insert(cfg, extack)
  return fib.getTable(cfg.table)?.delete(cfg, extack) ?? -Errno.ESRCH
}

/** @returns the prefix length that an address has by its class, -1 where it cannot be one (inet_abc_len) */
function classLength(addr: number): number {
  if (ipv4IsZeronet(addr) || ipv4IsLbcast(addr)) return 0
  if (ipv4IsMulticast(addr)) return -1
  const first = addr >>> 24
  if (first < 128) return 8
  if (first < 192) return 16
  return first < 224 ? 24 : -1
}

/** SIOCSIFADDR: the device's (or label's) one address, with mask and broadcast address by its class. */
function setAddress(inDev: InDevice, old: InIfaddr | undefined, label: string, addr: number): number {
  const len = classLength(addr)
  if (len < 0) return -Errno.EINVAL
  if (old !== undefined) {
    if (old.local === addr) return 0
    inetDelIfa(old)
  }
  const ifa = new InIfaddr(inDev)
  ifa.label = old?.label ?? label
  ifa.local = ifa.address = addr
  const { flags } = inDev.dev
  ifa.prefixlen = (flags & IFF_POINTOPOINT) !== 0 ? 32 : len
  ifa.mask = inetMakeMask(ifa.prefixlen)
  if ((flags & IFF_POINTOPOINT) === 0 && (flags & IFF_BROADCAST) !== 0 && len < 31)
    ifa.broadcast = (addr | ~ifa.mask) >>> 0
  setIfaLifetime(ifa, INFINITY_LIFE_TIME, INFINITY_LIFE_TIME)
  return inetSetIfa(ifa)
}

function addressIoctl(net: Net, request: AddressIoctl): number {
  const { ifname } = request
  const colon = ifname.indexOf(':')
  const dev = net.devByName(colon < 0 ? ifname : ifname.slice(0, colon))
  if (dev === undefined) return -Errno.ENODEV
  const inDev = inDevGet(dev)
  const ifa = inDev?.ifaList.find(it => it.label === ifname)
  if (ifa === undefined && request.request !== SIOCSIFADDR && request.request !== SIOCSIFFLAGS)
    return -Errno.EADDRNOTAVAIL
  if (request.request === SIOCSIFFLAGS) {
    if (colon < 0) return devChangeFlags(dev, request.flags)
    if (ifa === undefined) return -Errno.EADDRNOTAVAIL
    if ((request.flags & IFF_UP) === 0) inetDelIfa(ifa)
    return 0
  }
  const addr = addrFromBytes(request.address)
  if (request.request === SIOCSIFADDR)
    return inDev === undefined ? -Errno.ENOBUFS : setAddress(inDev, ifa, ifname, addr)
  return changeAddress(ifa!, request.request, addr)
}

/** SIOCSIFBRDADDR, SIOCSIFDSTADDR, SIOCSIFNETMASK: the address goes, and comes again changed. */
function changeAddress(ifa: InIfaddr, request: number, addr: number): number {
  if (request === SIOCSIFBRDADDR) {
    if (ifa.broadcast === addr) return 0
    inetDelIfa(ifa)
    ifa.broadcast = addr
  } else if (request === SIOCSIFDSTADDR) {
    if (ifa.address === addr) return 0
    if (classLength(addr) < 0) return -Errno.EINVAL
    inetDelIfa(ifa)
    ifa.address = addr
  } else {
    if (badMask(addr, 0)) return -Errno.EINVAL
    if (ifa.mask === addr) return 0
    const old = ifa.mask
    inetDelIfa(ifa)
    ifa.mask = addr
    ifa.prefixlen = maskLength(addr)
    // a broadcast address that was the old mask's follows
    if ((ifa.inDev.dev.flags & IFF_BROADCAST) !== 0 && ifa.prefixlen < 31 && ifa.broadcast === (ifa.local | ~old) >>> 0)
      ifa.broadcast = (ifa.local | ~addr) >>> 0
  }
  return inetInsertIfa(ifa)
}
