/** Routes that addresses make and take away: the address itself, its subnet, its broadcasts. */
import { IFF_LOOPBACK, IFF_UP } from '../../uapi/if.ts'
import { NLM_F_APPEND, NLM_F_CREATE } from '../../uapi/netlink.ts'
import {
  IFA_F_NOPREFIXROUTE,
  IFA_F_SECONDARY,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_UNICAST,
  RTPROT_KERNEL,
} from '../../uapi/rtnetlink.ts'
import { l3mdevFibTable } from '../core/l3mdev.ts'
import { NetlinkExtAck } from '../core/rtnetlink.ts'
import { inetIfaByprefix } from './devinet_select.ts'
import { FibConfig } from './fib_info.ts'
import { inetAddrTypeDevTable } from './fib_lookup.ts'
import { fibKey } from './fib_table.ts'
import { type InIfaddr, inDeviceFollowers, ipv4IsZeronet } from './in_device.ts'

/** Adds or deletes a route as the kernel's own (fib_magic). */
function fibMagic(add: boolean, type: number, dst: number, dstLen: number, ifa: InIfaddr, priority: number): void {
  const { dev, net } = ifa.inDev
  const cfg = new FibConfig(net)
  cfg.protocol = RTPROT_KERNEL
  cfg.type = type
  cfg.dst = dst
  cfg.dstLen = dstLen
  cfg.priority = priority
  cfg.prefsrc = ifa.local
  cfg.oif = dev.ifindex
  cfg.nlFlags = NLM_F_CREATE | NLM_F_APPEND
  const table = net.at(fibKey).newTable(l3mdevFibTable(dev) || (type === RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL))
  cfg.table = table.id
  cfg.scope = type === RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK
  const extack = new NetlinkExtAck()
  if (add) table.insert(cfg, extack)
  else table.delete(cfg, extack)
}

function prefixType(ifa: InIfaddr): number {
  return (ifa.inDev.dev.flags & IFF_LOOPBACK) !== 0 ? RTN_LOCAL : RTN_UNICAST
}

function invalidate(ifa: InIfaddr, addr: number): void {
  const { inDev } = ifa
  for (const follower of inDeviceFollowers(inDev.net.kernel)) follower.invalidate?.(inDev, addr)
}

/** Makes the routes of an address (fib_add_ifaddr). */
export function fibAddIfaddr(ifa: InIfaddr): void {
  const { inDev, mask, local } = ifa
  const prefix = (ifa.address & mask) >>> 0
  const secondary = (ifa.flags & IFA_F_SECONDARY) !== 0
  let prim = ifa
  if (secondary) {
    const found = inetIfaByprefix(inDev, prefix, mask)
    if (found === undefined) return
    prim = found
  }
  fibMagic(true, RTN_LOCAL, local, 32, prim, 0)
  if ((inDev.dev.flags & IFF_UP) === 0) return
  if (ifa.broadcast !== 0 && ifa.broadcast !== 0xffffffff) {
    fibMagic(true, RTN_BROADCAST, ifa.broadcast, 32, prim, 0)
    invalidate(ifa, ifa.broadcast)
  }
  if (ipv4IsZeronet(prefix) || secondary || (prefix === local && ifa.prefixlen === 32)) return
  if ((ifa.flags & IFA_F_NOPREFIXROUTE) === 0)
    fibMagic(true, prefixType(ifa), prefix, ifa.prefixlen, prim, ifa.rtPriority)
  if (ifa.prefixlen < 31) {
    const brd = (prefix | ~mask) >>> 0
    fibMagic(true, RTN_BROADCAST, brd, 32, prim, 0)
    invalidate(ifa, brd)
  }
}

/** The metric of an address's prefix route changes (fib_modify_prefix_metric). */
export function fibModifyPrefixMetric(ifa: InIfaddr, metric: number): void {
  const prefix = (ifa.address & ifa.mask) >>> 0
  if (
    (ifa.inDev.dev.flags & IFF_UP) === 0 ||
    (ifa.flags & (IFA_F_SECONDARY | IFA_F_NOPREFIXROUTE)) !== 0 ||
    ipv4IsZeronet(prefix) ||
    (prefix === ifa.local && ifa.prefixlen === 32)
  )
    return
  fibMagic(true, prefixType(ifa), prefix, ifa.prefixlen, ifa, metric)
  fibMagic(false, prefixType(ifa), prefix, ifa.prefixlen, ifa, ifa.rtPriority)
}

/** What other addresses of the device still need, see fibDelIfaddr. */
interface StillNeeded {
  local: boolean
  /** the address's own broadcast, and those of its subnet: all ones and all zeros */
  broadcast: boolean
  ones: boolean
  zeros: boolean
  /** the address is still on the device: it is being promoted */
  here: boolean
}

/** Looks through the device's addresses for those that use the same routes. */
function stillNeeded(ifa: InIfaddr, prim: InIfaddr, iprim: InIfaddr | undefined): StillNeeded {
  const { inDev } = ifa
  const ones = (ifa.address | ~ifa.mask) >>> 0
  const zeros = (ifa.address & ifa.mask) >>> 0
  const need: StillNeeded = { local: false, broadcast: false, ones: false, zeros: false, here: false }
  let prim1: InIfaddr | undefined
  let samePrefsrc = false
  for (const it of inDev.ifaList) {
    if (it === ifa) {
      need.here = true
      continue
    }
    if (iprim !== undefined && it.mask === iprim.mask && iprim.matches(it.address)) continue
    if ((it.flags & IFA_F_SECONDARY) !== 0) {
      if (it.mask === prim.mask && prim.matches(it.address)) prim1 = prim
      else {
        if (!samePrefsrc) continue
        if (prim1 === undefined || it.mask !== prim1.mask || !prim1.matches(it.address))
          prim1 = inetIfaByprefix(inDev, it.address, it.mask)
        if (prim1 === undefined || prim1.local !== prim.local) continue
      }
    } else {
      if (prim.local !== it.local) continue
      prim1 = it
      if (prim !== prim1) samePrefsrc = true
    }
    if (ifa.local === it.local) need.local = true
    if (ifa.broadcast === it.broadcast) need.broadcast = true
    if (ones === it.broadcast) need.ones = true
    if (zeros === it.broadcast) need.zeros = true
    if (prim1 !== it || it.prefixlen >= 31) continue
    const ones1 = (it.address | ~it.mask) >>> 0
    const zeros1 = (it.address & it.mask) >>> 0
    if (ipv4IsZeronet(zeros1)) continue
    if (ifa.broadcast === ones1 || ifa.broadcast === zeros1) need.broadcast = true
    if (ones === ones1 || ones === zeros1) need.ones = true
    if (zeros === ones1 || zeros === zeros1) need.zeros = true
  }
  return need
}

/**
 * Takes an address's routes away, except those that other addresses need (fib_del_ifaddr).
 * @param iprim on promotion: the primary that goes; addresses of its subnet do not count
 */
export function fibDelIfaddr(ifa: InIfaddr, iprim: InIfaddr | undefined): void {
  const { inDev } = ifa
  const { dev, net } = inDev
  const ones = (ifa.address | ~ifa.mask) >>> 0
  const zeros = (ifa.address & ifa.mask) >>> 0
  let prim = ifa
  let subnet = false
  if ((ifa.flags & IFA_F_SECONDARY) !== 0) {
    const found = inetIfaByprefix(inDev, zeros, ifa.mask)
    if (found === undefined || (iprim !== undefined && iprim !== found)) return
    prim = found
  } else if (!ipv4IsZeronet(zeros) && (zeros !== ifa.local || ifa.prefixlen < 32)) {
    if ((ifa.flags & IFA_F_NOPREFIXROUTE) === 0) fibMagic(false, prefixType(ifa), zeros, ifa.prefixlen, prim, 0)
    subnet = true
  }
  const need = inDev.dead ? undefined : stillNeeded(ifa, prim, iprim)
  if (need?.broadcast !== true) fibMagic(false, RTN_BROADCAST, ifa.broadcast, 32, prim, 0)
  if (subnet && ifa.prefixlen < 31) {
    if (need?.ones !== true) fibMagic(false, RTN_BROADCAST, ones, 32, prim, 0)
    if (need?.zeros !== true) fibMagic(false, RTN_BROADCAST, zeros, 32, prim, 0)
  }
  if (need?.local === true) return
  fibMagic(false, RTN_LOCAL, ifa.local, 32, prim, 0)
  if (need?.here === true) return
  // the address has gone for good: so must routes that prefer it as their source
  if (inetAddrTypeDevTable(net, dev, ifa.local) !== RTN_LOCAL) {
    const fib = net.at(fibKey)
    if (fib.infos.syncDownAddr(dev, ifa.local) > 0) fib.flush()
  }
}
