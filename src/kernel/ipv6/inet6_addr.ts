/** The addresses of a namespace, found by address; and the questions asked about them (ipv6_chk_addr and the like). */
import { IFA_F_OPTIMISTIC, IFA_F_TENTATIVE } from '../../uapi/rtnetlink.ts'
import { l3mdevMaster } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { addrEqual, addrHash, type In6Addr, IPV6_ADDR_LINKLOCAL, IPV6_ADDR_LOOPBACK, prefixEqual } from './addr.ts'
import { type Inet6Dev, type Inet6Ifaddr, in6Dev } from './if_inet6.ts'

/** Addresses hashed (`inet6_addr_lst`), oldest first in a bucket. */
export class Inet6Addrs {
  private readonly buckets = new Map<number, Inet6Ifaddr[]>()
  /** all addresses in order of creation */
  readonly all = new Set<Inet6Ifaddr>()

  /** Adds an address. */
  add(ifp: Inet6Ifaddr): void {
    const hash = addrHash(ifp.addr)
    const bucket = this.buckets.get(hash)
    if (bucket === undefined) this.buckets.set(hash, [ifp])
    else bucket.push(ifp)
    this.all.add(ifp)
  }

  /** Takes an address out. */
  del(ifp: Inet6Ifaddr): void {
    const hash = addrHash(ifp.addr)
    const bucket = this.buckets.get(hash)
    const at = bucket?.indexOf(ifp) ?? -1
    if (at < 0) return
    bucket!.splice(at, 1)
    if (bucket!.length === 0) this.buckets.delete(hash)
    this.all.delete(ifp)
  }

  /** @returns the addresses among which an address must be, if it is one of the namespace's */
  bucket(addr: In6Addr): readonly Inet6Ifaddr[] {
    return this.buckets.get(addrHash(addr)) ?? NONE
  }
}

const NONE: readonly Inet6Ifaddr[] = []

/** Names them: `net.at(inet6AddrsKey)`. */
export const inet6AddrsKey = pernetKey<Inet6Addrs>('inet6_addrs')

/** Scopes in which an address belongs to its device alone. */
const LOCAL_SCOPES = IPV6_ADDR_LINKLOCAL | IPV6_ADDR_LOOPBACK

/**
 * Finds the device an address is on (ipv6_chk_addr_and_flags).
 * @param dev where it must be: link-local addresses exactly there, others too if `strict`
 * @param skipDev the device only tells the L3 domain (a VRF)
 * @param banned IFA_F_… the address must not have
 */
export function ipv6ChkAddrAndFlags(
  net: Net,
  addr: In6Addr,
  dev: NetDevice | undefined,
  skipDev: boolean,
  strict: boolean,
  banned: number,
): NetDevice | undefined {
  const master = dev === undefined ? undefined : l3mdevMaster(dev)
  for (const ifp of net.at(inet6AddrsKey).bucket(addr)) {
    const on = ifp.idev.dev
    if (l3mdevMaster(on) !== master) continue
    if (!addrEqual(ifp.addr, addr)) continue
    // an optimistic address counts as assigned
    const flags = (ifp.flags & IFA_F_OPTIMISTIC) !== 0 ? ifp.flags & ~IFA_F_TENTATIVE : ifp.flags
    if ((flags & banned) !== 0) continue
    if (dev === undefined || skipDev || on === dev || !((ifp.scope & LOCAL_SCOPES) !== 0 || strict)) return on
  }
  return undefined
}

/** @returns whether an address is the namespace's own and not tentative (ipv6_chk_addr) */
export function ipv6ChkAddr(net: Net, addr: In6Addr, dev: NetDevice | undefined, strict: boolean): boolean {
  return ipv6ChkAddrAndFlags(net, addr, dev, dev === undefined, strict, IFA_F_TENTATIVE) !== undefined
}

/** @returns an address of the namespace, on `dev` or, unless it is link-local or `strict`, elsewhere (ipv6_get_ifaddr) */
export function ipv6GetIfaddr(
  net: Net,
  addr: In6Addr,
  dev: NetDevice | undefined,
  strict: boolean,
): Inet6Ifaddr | undefined {
  for (const ifp of net.at(inet6AddrsKey).bucket(addr)) {
    if (!addrEqual(ifp.addr, addr)) continue
    if (dev === undefined || ifp.idev.dev === dev || !((ifp.scope & LOCAL_SCOPES) !== 0 || strict)) return ifp
  }
  return undefined
}

/** @returns whether a device has a prefix that covers the address (ipv6_chk_prefix) */
export function ipv6ChkPrefix(addr: In6Addr, dev: NetDevice): boolean {
  const idev = in6Dev(dev)
  return idev?.addrs.some(ifp => prefixEqual(addr, ifp.addr, ifp.prefixLen)) ?? false
}

/** @returns a device's link-local address, or undefined where every one has one of the flags `banned` (ipv6_get_lladdr) */
export function ipv6GetLladdr(dev: NetDevice, banned: number): In6Addr | undefined {
  const idev = in6Dev(dev)
  return idev === undefined ? undefined : idevLladdr(idev, banned)
}

/** The same for IPv6's part of a device. */
export function idevLladdr(idev: Inet6Dev, banned: number): In6Addr | undefined {
  // narrow scopes are at the end of the list, which is where the search begins
  for (let i = idev.addrs.length - 1; i >= 0; i--) {
    const ifp = idev.addrs[i]!
    if (ifp.scope > IPV6_ADDR_LINKLOCAL) break
    if (ifp.scope === IPV6_ADDR_LINKLOCAL && (ifp.flags & banned) === 0) return ifp.addr
  }
  return undefined
}
