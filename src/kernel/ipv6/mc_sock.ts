/** Sockets as members of groups and of anycast addresses: IPV6_JOIN_GROUP and its kin, see ipv6(7). */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOOPBACK, IFF_UP } from '../../uapi/if.ts'
import type { NetDevice } from '../core/net_device.ts'
import { addrAny, addrEqual, addrMulticast, addrType, type In6Addr, IPV6_ADDR_LINKLOCAL } from './addr.ts'
import { ipv6ChkAcastAddr, ipv6DevAcDec, ipv6DevAcInc } from './anycast.ts'
import { IPV6_DEVCONF_FORWARDING, ipv6DevconfKey } from './devconf.ts'
import { in6Dev } from './if_inet6.ts'
import { ipv6ChkAddr, ipv6ChkPrefix } from './inet6_addr.ts'
import { RTF_GATEWAY } from './ip6_fib.ts'
import { ipv6DevMcDec, ipv6DevMcInc } from './mcast.ts'
import type { Inet6Sock } from './pinfo.ts'
import { rt6Lookup } from './route.ts'

/** @returns the device of an index, or for 0 the one that a group's route leads to */
function groupDevice(sk: Inet6Sock, ifindex: number, addr: In6Addr): NetDevice | undefined {
  if (ifindex !== 0) return sk.net.devByIndex(ifindex)
  return rt6Lookup(sk.net, addr, undefined, 0, 0)?.dev
}

/** Joins (ipv6_sock_mc_join). @param ifindex 0: by the route @returns -EINVAL, -EADDRINUSE, -ENODEV */
export function ipv6SockMcJoin(sk: Inet6Sock, ifindex: number, addr: In6Addr): number {
  const np = sk.pinet6
  if (!addrMulticast(addr)) return -Errno.EINVAL
  if (np.mcList.some(mc => (ifindex === 0 || mc.ifindex === ifindex) && addrEqual(mc.addr, addr)))
    return -Errno.EADDRINUSE
  const dev = groupDevice(sk, ifindex, addr)
  if (dev === undefined) return -Errno.ENODEV
  const own = addr.slice()
  const err = ipv6DevMcInc(dev, own)
  if (err < 0) return err
  np.mcList.unshift({ addr: own, ifindex: dev.ifindex })
  return 0
}

/** Leaves (ipv6_sock_mc_drop). @returns -EINVAL, -EADDRNOTAVAIL where it was no member */
export function ipv6SockMcDrop(sk: Inet6Sock, ifindex: number, addr: In6Addr): number {
  const np = sk.pinet6
  if (!addrMulticast(addr)) return -Errno.EINVAL
  const at = np.mcList.findIndex(mc => (ifindex === 0 || mc.ifindex === ifindex) && addrEqual(mc.addr, addr))
  if (at < 0) return -Errno.EADDRNOTAVAIL
  const [mc] = np.mcList.splice(at, 1)
  const dev = sk.net.devByIndex(mc!.ifindex)
  if (dev !== undefined) ipv6DevMcDec(dev, mc!.addr)
  return 0
}

/** @returns the device an anycast address belongs on (ipv6_sock_ac_join), or an error */
function anycastDevice(sk: Inet6Sock, ifindex: number, addr: In6Addr): NetDevice | number {
  const { net } = sk
  if (ifindex !== 0) return net.devByIndex(ifindex) ?? -Errno.ENODEV
  if (ipv6ChkAddr(net, addr, undefined, false)) return -Errno.EINVAL
  const rt = rt6Lookup(net, addr, undefined, 0, 0)
  if (rt !== undefined) {
    // a prefix behind a router is not ours to answer for
    return (rt.rtFlags & RTF_GATEWAY) !== 0 ? -Errno.EADDRNOTAVAIL : rt.dev
  }
  if (net.at(ipv6DevconfKey).all.data[IPV6_DEVCONF_FORWARDING] !== 0) return -Errno.EADDRNOTAVAIL
  for (const dev of net.devices.values()) if ((dev.flags & (IFF_UP | IFF_LOOPBACK)) === IFF_UP) return dev
  return -Errno.ENODEV
}

/** Takes an anycast address (ipv6_sock_ac_join). @returns -EPERM, -EINVAL, -ENODEV, -EADDRNOTAVAIL, -EADDRINUSE */
export function ipv6SockAcJoin(sk: Inet6Sock, ifindex: number, addr: In6Addr): number {
  if (!sk.nsCapable) return -Errno.EPERM
  if (addrMulticast(addr) || addrAny(addr)) return -Errno.EINVAL
  const dev = anycastDevice(sk, ifindex, addr)
  if (typeof dev === 'number') return dev
  const idev = in6Dev(dev)
  if (idev === undefined) return ifindex === 0 ? -Errno.EADDRNOTAVAIL : -Errno.ENODEV
  // a host may only join an address of a prefix it is on
  const router = idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0
  if (!router && (addrType(addr) & IPV6_ADDR_LINKLOCAL) === 0 && !ipv6ChkPrefix(addr, dev)) return -Errno.EPERM
  const own = addr.slice()
  const err = ipv6DevAcInc(idev, own)
  if (err < 0) return err
  sk.pinet6.acList.unshift({ addr: own, ifindex: dev.ifindex })
  return 0
}

/** Gives it back (ipv6_sock_ac_drop). @returns -ENOENT where it had none such, -ENODEV */
export function ipv6SockAcDrop(sk: Inet6Sock, ifindex: number, addr: In6Addr): number {
  const { acList } = sk.pinet6
  const at = acList.findIndex(ac => (ifindex === 0 || ac.ifindex === ifindex) && addrEqual(ac.addr, addr))
  if (at < 0) return -Errno.ENOENT
  const [ac] = acList.splice(at, 1)
  return leaveAnycast(sk, ac!.ifindex, ac!.addr)
}

function leaveAnycast(sk: Inet6Sock, ifindex: number, addr: In6Addr): number {
  const dev = sk.net.devByIndex(ifindex)
  if (dev === undefined) return -Errno.ENODEV
  const idev = in6Dev(dev)
  if (idev !== undefined && ipv6ChkAcastAddr(sk.net, dev, addr)) ipv6DevAcDec(idev, addr)
  return 0
}

/** Leaves all groups and anycast addresses: the socket is closed (ipv6_sock_mc_close, ipv6_sock_ac_close). */
export function ipv6SockMcClose(sk: Inet6Sock): void {
  const np = sk.pinet6
  for (const { addr, ifindex } of np.mcList.splice(0)) {
    const dev = sk.net.devByIndex(ifindex)
    if (dev !== undefined) ipv6DevMcDec(dev, addr)
  }
  for (const { addr, ifindex } of np.acList.splice(0)) leaveAnycast(sk, ifindex, addr)
}
