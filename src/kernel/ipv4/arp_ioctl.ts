/** ioctl(2) on IPv4 sockets for ARP's entries (arp_ioctl): the way before rtnetlink, which arp(8) still goes. */
import { Errno } from '../../uapi/errno.ts'
import {
  type ArpAnswer,
  type ArpIoctl,
  ATF_COM,
  ATF_DONTPUB,
  ATF_NETMASK,
  ATF_PERM,
  ATF_PUBL,
  SIOCGARP,
  SIOCSARP,
} from '../../uapi/ioctl_arp.ts'
import { NUD_NOARP, NUD_PERMANENT, NUD_STALE } from '../../uapi/rtnetlink.ts'
import {
  NEIGH_UPDATE_F_ADMIN,
  NEIGH_UPDATE_F_OVERRIDE,
  NUD_VALID,
  neighCreate,
  neighUpdate,
  pneighCreate,
  pneighDelete,
} from '../core/neighbour.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { arpInvalidate } from './arp.ts'
import { arpTblKey } from './arp_tbl.ts'
import { IPV4_DEVCONF_PROXY_ARP, ipv4DevconfKey } from './devconf.ts'
import { Flowi4 } from './flow.ts'
import { inDevGet } from './in_device.ts'
import { addrFromBytes } from './inet_addr.ts'
import { ipRouteOutputKey, RTO_ONLINK } from './route.ts'

const flow = new Flowi4()

/** @returns the device by which an address is on the link */
function deviceByRoute(net: Net, addr: number): NetDevice | number {
  const fl4 = flow.clear()
  fl4.daddr = addr
  fl4.tos = RTO_ONLINK
  const rt = ipRouteOutputKey(net, fl4)
  return typeof rt === 'number' ? rt : rt.dev
}

/**
 * Answers a request (arp_ioctl).
 * @param capable whether the caller has CAP_NET_ADMIN in the namespace
 * @returns 0, for SIOCGARP the entry, or a negative error
 */
export function arpIoctl(net: Net, capable: boolean, request: ArpIoctl): ArpAnswer | number {
  const { flags } = request
  const get = request.request === SIOCGARP
  if (!get && !capable) return -Errno.EPERM
  if ((flags & ATF_PUBL) === 0 && (flags & (ATF_NETMASK | ATF_DONTPUB)) !== 0) return -Errno.EINVAL
  let dev: NetDevice | undefined
  if (request.dev !== undefined && request.dev !== '') {
    dev = net.devByName(request.dev)
    if (dev === undefined) return -Errno.ENODEV
    const family = request.ha?.family || dev.type
    if ((flags & ATF_COM) !== 0 && family !== dev.type) return -Errno.EINVAL
  } else if (get) return -Errno.ENODEV
  if (get) return getEntry(net, request, dev!)
  if ((flags & ATF_PUBL) !== 0) return setPublic(net, request, dev)
  return request.request === SIOCSARP ? setEntry(net, request, dev) : deleteEntry(net, request, dev)
}

function getEntry(net: Net, request: ArpIoctl, dev: NetDevice): ArpAnswer | number {
  const n = net.at(arpTblKey).lookup(request.pa, dev)
  if (n === undefined || (n.nudState & NUD_NOARP) !== 0) return -Errno.ENXIO
  let flags = 0
  if ((n.nudState & NUD_PERMANENT) !== 0) flags = ATF_PERM | ATF_COM
  else if ((n.nudState & NUD_VALID) !== 0) flags = ATF_COM
  return { ha: { family: dev.type, addr: n.ha.slice() }, flags, dev: dev.name }
}

function setEntry(net: Net, request: ArpIoctl, given: NetDevice | undefined): number {
  const dev = given ?? deviceByRoute(net, addrFromBytes(request.pa))
  if (typeof dev === 'number') return dev
  const tbl = net.at(arpTblKey)
  const n = tbl.lookup(request.pa, dev) ?? neighCreate(tbl, request.pa, dev)
  if (typeof n === 'number') return n
  const permanent = (request.flags & ATF_PERM) !== 0
  const complete = permanent || (request.flags & ATF_COM) !== 0
  const lladdr = complete ? request.ha?.addr : undefined
  return neighUpdate(n, lladdr, permanent ? NUD_PERMANENT : NUD_STALE, NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN)
}

function deleteEntry(net: Net, request: ArpIoctl, given: NetDevice | undefined): number {
  const dev = given ?? deviceByRoute(net, addrFromBytes(request.pa))
  return typeof dev === 'number' ? dev : arpInvalidate(dev, addrFromBytes(request.pa), true)
}

/** Answering in another's place: for one address, or with mask 0 for all, which is the setting proxy_arp. */
function setPublic(net: Net, request: ArpIoctl, given: NetDevice | undefined): number {
  const mask = (request.flags & ATF_NETMASK) === 0 ? 0xffffffff : addrFromBytes(request.netmask)
  const set = request.request === SIOCSARP
  if (mask !== 0 && mask !== 0xffffffff) return -Errno.EINVAL
  let dev = given
  if (set && dev === undefined && (request.flags & ATF_COM) !== 0) {
    const wanted = request.ha?.addr
    dev = [...net.devices.values()].find(
      each => each.type === request.ha?.family && each.devAddr.every((byte, i) => byte === wanted?.[i]),
    )
    if (dev === undefined) return -Errno.ENODEV
  }
  const tbl = net.at(arpTblKey)
  if (mask !== 0) {
    if (!set) return pneighDelete(tbl, net, request.pa, dev)
    return pneighCreate(tbl, net, request.pa, dev) === undefined ? -Errno.ENOBUFS : 0
  }
  const conf = dev === undefined ? net.at(ipv4DevconfKey).all : inDevGet(dev)?.cnf
  if (conf === undefined) return -Errno.ENXIO
  conf.set(IPV4_DEVCONF_PROXY_ARP, set ? 1 : 0)
  return 0
}
