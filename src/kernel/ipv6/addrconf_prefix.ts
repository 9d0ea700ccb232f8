/** Prefixes of router advertisements (RFC 4861 §6.3.4, RFC 4862 §5.5): routes to them, and addresses in them. */
import {
  IFA_F_DEPRECATED,
  IFA_F_MANAGETEMPADDR,
  IFA_F_OPTIMISTIC,
  IFA_F_STABLE_PRIVACY,
  IFA_F_TENTATIVE,
  type PrefixMessage,
  RTM_NEWPREFIX,
  RTNLGRP_IPV6_PREFIX,
} from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import type { NetDevice } from '../core/net_device.ts'
import { addrAny, addrType, type In6Addr, IPV6_ADDR_LINKLOCAL, IPV6_ADDR_MULTICAST } from './addr.ts'
import {
  addrconfGetPrefixRoute,
  addrconfPrefixRoute,
  IPV6_ADDR_SCOPE_MASK,
  ipv6AddAddr,
  ipv6IfaNotify,
  lifetimeLeft,
} from './addrconf.ts'
import { addrconfDadStart, allowOptimisticDad } from './addrconf_dad.ts'
import { IFAPROT_KERNEL_RA } from './addrconf_dev.ts'
import { ipv6GenerateEui64, ipv6GenerateStableAddress, ipv6InheritEui64 } from './addrconf_iid.ts'
import { manageTempaddrs } from './addrconf_temp.ts'
import { addrconfVerify } from './addrconf_verify.ts'
import {
  IPV6_DEVCONF_ADDR_GEN_MODE,
  IPV6_DEVCONF_AUTOCONF,
  IPV6_DEVCONF_FORWARDING,
  IPV6_DEVCONF_MAX_ADDRESSES,
  ipv6DevconfKey,
} from './devconf.ts'
import {
  IN6_ADDR_GEN_MODE_RANDOM,
  IN6_ADDR_GEN_MODE_STABLE_PRIVACY,
  INFINITY_LIFE_TIME,
  type Inet6Dev,
  type Inet6Ifaddr,
  in6Dev,
} from './if_inet6.ts'
import { ipv6GetIfaddr } from './inet6_addr.ts'
import { get32 } from './ip6.ts'
import { cleanExpires, fib6Key, RTF_ADDRCONF, RTF_DEFAULT, RTF_EXPIRES, RTF_PREFIX_RT, setExpires } from './ip6_fib.ts'

/** An address's valid lifetime is not cut below this by an advertisement (RFC 4862 §5.5.3 e), seconds. */
const MIN_VALID_LIFETIME = 2 * 3600

/** A prefix information option. */
interface PrefixInfo {
  readonly prefixLen: number
  readonly onlink: boolean
  readonly autoconf: boolean
  /** seconds */
  readonly valid: number
  readonly prefered: number
  readonly prefix: In6Addr
}

function readPrefix(buf: Uint8Array, at: number): PrefixInfo {
  const bits = buf[at + 3]!
  return {
    prefixLen: buf[at + 2]!,
    onlink: (bits & 0x80) !== 0,
    autoconf: (bits & 0x40) !== 0,
    valid: get32(buf, at + 4),
    prefered: get32(buf, at + 8),
    prefix: buf.slice(at + 16, at + 32),
  }
}

/** The route to an on-link prefix comes, lasts longer, or goes. */
function onlinkRoute(dev: NetDevice, info: PrefixInfo): void {
  const { net } = dev
  const known = RTF_ADDRCONF | RTF_PREFIX_RT
  const rt = addrconfGetPrefixRoute(info.prefix, info.prefixLen, dev, known, RTF_DEFAULT, true)
  const finite = info.valid !== INFINITY_LIFE_TIME
  if (rt !== undefined) {
    if (info.valid === 0) net.at(fib6Key).del(rt)
    else if (finite) setExpires(rt, net.kernel.clock.now + info.valid * NSEC_PER_SEC)
    else cleanExpires(rt)
  } else if (info.valid !== 0) {
    const expires = finite ? info.valid * NSEC_PER_SEC : 0
    addrconfPrefixRoute(info.prefix, info.prefixLen, 0, dev, expires, known | (finite ? RTF_EXPIRES : 0))
  }
}

/**
 * A prefix information option has come in (addrconf_prefix_rcv).
 * @param at where it begins in the packet @param len its length, bytes @param sllao the message told a link address
 */
export function addrconfPrefixRcv(dev: NetDevice, buf: Uint8Array, at: number, len: number, sllao: boolean): void {
  if (len < 32) return
  const info = readPrefix(buf, at)
  if (info.prefixLen > 128) return
  const type = addrType(info.prefix)
  if ((type & (IPV6_ADDR_MULTICAST | IPV6_ADDR_LINKLOCAL)) !== 0 || info.prefered > info.valid) return
  const idev = in6Dev(dev)
  if (idev === undefined) return
  if (info.onlink) onlinkRoute(dev, info)
  if (info.autoconf && idev.cnf.data[IPV6_DEVCONF_AUTOCONF] !== 0 && !autoconf(idev, info, type, sllao)) return
  prefixNotify(idev, buf[at + 3]!, info)
}

/** Makes or refreshes the address of a prefix. @returns false where there can be none */
function autoconf(idev: Inet6Dev, info: PrefixInfo, type: number, sllao: boolean): boolean {
  if (info.prefixLen !== 64) return false
  const { dev } = idev
  const addr = info.prefix.slice()
  let flags = 0
  let tokenized = false
  const mode = idev.cnf.data[IPV6_DEVCONF_ADDR_GEN_MODE]
  const stable = mode === IN6_ADDR_GEN_MODE_STABLE_PRIVACY || mode === IN6_ADDR_GEN_MODE_RANDOM
  addr.fill(0, 8)
  if (!addrAny(idev.token)) {
    addr.set(idev.token.subarray(8), 8)
    tokenized = true
  } else if (stable && ipv6GenerateStableAddress(addr, 0, idev)) flags = IFA_F_STABLE_PRIVACY
  else if (!ipv6GenerateEui64(addr, dev) && !ipv6InheritEui64(addr, idev)) return false
  return addAddr(idev, info, addr, type, flags, sllao, tokenized)
}

function addAddr(
  idev: Inet6Dev,
  info: PrefixInfo,
  addr: In6Addr,
  type: number,
  flags: number,
  sllao: boolean,
  tokenized: boolean,
): boolean {
  const { dev } = idev
  const { net } = dev
  const { now } = net.kernel.clock
  let ifp: Inet6Ifaddr | undefined = ipv6GetIfaddr(net, addr, dev, true)
  const create = ifp === undefined
  if (ifp === undefined) {
    if (info.valid === 0) return true
    const max = idev.cnf.data[IPV6_DEVCONF_MAX_ADDRESSES]!
    if (max !== 0 && idev.addrs.length >= max) return false
    const router = net.at(ipv6DevconfKey).all.data[IPV6_DEVCONF_FORWARDING] !== 0
    const made = ipv6AddAddr(idev, {
      addr,
      plen: info.prefixLen,
      flags: flags | (allowOptimisticDad(idev) && !router && sllao ? IFA_F_OPTIMISTIC : 0),
      proto: IFAPROT_KERNEL_RA,
      scope: type & IPV6_ADDR_SCOPE_MASK,
      validLft: info.valid,
      preferedLft: info.prefered,
    })
    if (typeof made === 'number') return false
    ifp = made
    ifp.flags |= IFA_F_MANAGETEMPADDR
    ifp.tokenized = tokenized
    addrconfDadStart(ifp)
  }
  let valid = info.valid
  const stored = lifetimeLeft(net, ifp.validLft, ifp.tstamp)
  if (!create && stored !== 0) {
    valid = Math.max(valid, Math.min(stored, MIN_VALID_LIFETIME))
    ifp.validLft = valid
    ifp.preferedLft = info.prefered
    ifp.tstamp = now
    ifp.flags &= ~IFA_F_DEPRECATED
    if ((ifp.flags & IFA_F_TENTATIVE) === 0) ipv6IfaNotify(0, ifp)
  }
  manageTempaddrs(idev, ifp, valid, info.prefered, create, now)
  addrconfVerify(net)
  return true
}

/** Tells listeners of an advertised prefix (inet6_prefix_notify). */
function prefixNotify(idev: Inet6Dev, bits: number, info: PrefixInfo): void {
  const { net } = idev.dev
  const message: PrefixMessage = {
    type: RTM_NEWPREFIX,
    flags: 0,
    family: AF_INET6,
    ifindex: idev.dev.ifindex,
    prefixType: 3,
    prefixlen: info.prefixLen,
    prefixFlags: (info.onlink ? 1 : 0) | ((bits & 0x40) !== 0 ? 2 : 0),
    attrs: { address: info.prefix, cacheinfo: { prefered: info.prefered, valid: info.valid } },
  }
  net.kernel.rtnl.notify(net, RTNLGRP_IPV6_PREFIX, () => message)
}
