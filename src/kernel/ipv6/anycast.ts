/** Anycast addresses of devices: the subnet-router anycast address of routers (RFC 4291 §2.6.1), and joined ones. */
import { Errno } from '../../uapi/errno.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import { addrAny, addrEqual, addrHex, addrLinkLocal, addrPrefix, type In6Addr } from './addr.ts'
import { type Inet6Dev, type Inet6Ifaddr, in6Dev } from './if_inet6.ts'
import { fib6Key } from './ip6_fib.ts'
import { addrconfJoinSolict, addrconfLeaveSolict } from './mcast.ts'
import { addrconfF6iAlloc } from './route_add.ts'

/** Joins an anycast address on a device (ipv6_dev_ac_inc). @returns 0 or a negative error */
export function ipv6DevAcInc(idev: Inet6Dev, addr: In6Addr): number {
  if (idev.dead) return -Errno.ENODEV
  const known = idev.acList.find(aca => addrEqual(aca.addr, addr))
  if (known !== undefined) {
    known.users++
    return 0
  }
  const { net } = idev.dev
  const rt = addrconfF6iAlloc(net, idev, addr, true)
  if (typeof rt === 'number') return rt
  idev.acList.unshift({ addr, users: 1, rt })
  rt.refs++
  net.at(fib6Key).add(rt, { flags: undefined })
  addrconfJoinSolict(idev.dev, addr)
  return 0
}

/** Leaves it (ipv6_dev_ac_dec). @returns 0 or -ENOENT */
export function ipv6DevAcDec(idev: Inet6Dev, addr: In6Addr): number {
  const at = idev.acList.findIndex(aca => addrEqual(aca.addr, addr))
  const aca = idev.acList[at]
  if (aca === undefined) return -Errno.ENOENT
  if (--aca.users > 0) return 0
  idev.acList.splice(at, 1)
  addrconfLeaveSolict(idev, addr)
  if (aca.rt !== undefined) idev.dev.net.at(fib6Key).del(aca.rt)
  return 0
}

/** The device goes down: all anycast addresses go (ipv6_ac_destroy_dev). */
export function ipv6AcDestroyDev(idev: Inet6Dev): void {
  for (const aca of idev.acList.splice(0)) {
    addrconfLeaveSolict(idev, aca.addr)
    if (aca.rt !== undefined) idev.dev.net.at(fib6Key).del(aca.rt)
  }
}

/** A router joins the anycast address of an address's subnet. */
export function addrconfJoinAnycast(ifp: Inet6Ifaddr): void {
  // RFC 6164: links between two routers have none
  if (ifp.prefixLen >= 127) return
  const addr = addrPrefix(ifp.addr, ifp.prefixLen)
  if (!addrAny(addr)) ipv6DevAcInc(ifp.idev, addr)
}

/** It leaves it. */
export function addrconfLeaveAnycast(ifp: Inet6Ifaddr): void {
  if (ifp.prefixLen >= 127) return
  const addr = addrPrefix(ifp.addr, ifp.prefixLen)
  if (!addrAny(addr)) ipv6DevAcDec(ifp.idev, addr)
}

/** @returns whether an address is an anycast address of a device, or of any of the namespace */
export function ipv6ChkAcastAddr(net: Net, dev: NetDevice | undefined, addr: In6Addr): boolean {
  const on = (idev: Inet6Dev | undefined): boolean => idev?.acList.some(aca => addrEqual(aca.addr, addr)) ?? false
  if (dev !== undefined) return on(in6Dev(dev))
  for (const other of net.devices.values()) if (on(in6Dev(other))) return true
  return false
}

/** @returns the same for a packet's source: link-local addresses on the device, others anywhere */
export function ipv6ChkAcastAddrSrc(net: Net, dev: NetDevice | undefined, addr: In6Addr): boolean {
  return ipv6ChkAcastAddr(net, addrLinkLocal(addr) ? dev : undefined, addr)
}

/** /proc/net/anycast6. */
export function anycast6Show(net: Net): string {
  let text = ''
  for (const dev of net.devices.values())
    for (const aca of in6Dev(dev)?.acList ?? [])
      text += `${String(dev.ifindex).padEnd(4)} ${dev.name.padEnd(15)} ${addrHex(aca.addr)} ${String(aca.users).padStart(5)}\n`
  return text
}
