/**
 * Multicast group membership of devices, and Multicast Listener Discovery: version 2 (RFC 3810) and, where an old
 * querier is about, version 1 (RFC 2710). What goes over the wire is in mld.ts.
 */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOOPBACK, IFF_NOARP, IFF_UP } from '../../uapi/if.ts'
import { NSEC_PER_MSEC, NSEC_PER_SEC, TICK_NSEC, Timer } from '../core/clock.ts'
import { devMcAdd, devMcDel } from '../core/dev_addr_lists.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { Net } from '../core/net_namespace.ts'
import {
  addrEqual,
  IN6ADDR_INTERFACELOCAL_ALLNODES,
  IN6ADDR_LINKLOCAL_ALLNODES,
  IN6ADDR_LINKLOCAL_ALLROUTERS,
  type In6Addr,
  IPV6_ADDR_SCOPE_LINKLOCAL,
  solicitedNode,
} from './addr.ts'
import {
  IPV6_DEVCONF_FORCE_MLD_VERSION,
  IPV6_DEVCONF_FORWARDING,
  IPV6_DEVCONF_MLDV1_UNSOLICITED_REPORT_INTERVAL,
  IPV6_DEVCONF_MLDV2_UNSOLICITED_REPORT_INTERVAL,
  ipv6DevconfKey,
} from './devconf.ts'
import { Ifmcaddr6, type Inet6Dev, in6Dev } from './if_inet6.ts'
import {
  ICMPV6_MGM_REDUCTION,
  ICMPV6_MGM_REPORT,
  mldSendInitialReport,
  mldSendReport,
  mldSendStateChange,
  mldSendV1,
} from './mld.ts'
import { ndiscMcMap } from './ndisc_mcmap.ts'
import { ipv6Key } from './netns_ipv6.ts'

/** Bits of a group's flags, as /proc/net/igmp6 shows them. */
export const MAF_TIMER_RUNNING = 0x01
export const MAF_LAST_REPORTER = 0x02
export const MAF_LOADED = 0x04
export const MAF_NOREPORT = 0x08

/** Defaults of RFC 3810 §9. */
const MLD_QI_DEFAULT = 125 * NSEC_PER_SEC
const MLD_QRI_DEFAULT = 10 * NSEC_PER_SEC

/** @returns the scope of a multicast address (RFC 4291 §2.7) */
export function mcScope(addr: In6Addr): number {
  return addr[1]! & 0x0f
}

/** @returns a random time below `ns`, in whole ticks */
export function randomBelow(idev: Inet6Dev, ns: number): number {
  const ticks = Math.max(1, Math.floor(ns / TICK_NSEC))
  return idev.dev.net.kernel.random.below(ticks) * TICK_NSEC
}

/** Sets up what a fresh device's groups need (ipv6_mc_init_dev). */
export function ipv6McInitDev(idev: Inet6Dev): void {
  idev.mcGqTimer = new Timer(() => {
    idev.mcGqRunning = false
    mldSendReport(idev, idev.mcList)
  })
  idev.mcIfcTimer = new Timer(() => {
    mldSendStateChange(idev)
    if (idev.mcIfcCount > 0 && --idev.mcIfcCount > 0) startIfc(idev, unsolicitedReportInterval(idev))
  })
  idev.mcDadTimer = new Timer(() => dadReport(idev, () => mldSendInitialReport(idev)))
  ipv6McReset(idev)
}

/** Back to the intervals that hold without a querier (ipv6_mc_reset). */
function ipv6McReset(idev: Inet6Dev): void {
  idev.mcQrv = mldQrv(idev.dev.net)
  idev.mcQi = MLD_QI_DEFAULT
  idev.mcQri = MLD_QRI_DEFAULT
  idev.mcV1Seen = 0
}

/** @returns net.ipv6.mld_qrv, which only the initial namespace has; its own loopback device asks before it is complete */
function mldQrv(net: Net): number {
  const initial: Net | undefined = net.kernel.initNet
  return (initial ?? net).at(ipv6Key).mldQrv
}

/** @returns whether reports of version 1 must be sent (RFC 3810 §8.2.1) */
export function mldInV1Mode(idev: Inet6Dev): boolean {
  const forced = forcedVersion(idev)
  if (forced === 2) return false
  return forced === 1 || idev.mcV1Seen > idev.dev.net.kernel.clock.now
}

/** @returns the version that all.force_mld_version or the device's prescribes, 0 for none */
export function forcedVersion(idev: Inet6Dev): number {
  const all = idev.dev.net.at(ipv6DevconfKey).all.data[IPV6_DEVCONF_FORCE_MLD_VERSION]!
  return all !== 0 ? all : idev.cnf.data[IPV6_DEVCONF_FORCE_MLD_VERSION]!
}

/** @returns within which time reports nobody asked for are repeated, ns */
export function unsolicitedReportInterval(idev: Inet6Dev): number {
  const entry = mldInV1Mode(idev)
    ? IPV6_DEVCONF_MLDV1_UNSOLICITED_REPORT_INTERVAL
    : IPV6_DEVCONF_MLDV2_UNSOLICITED_REPORT_INTERVAL
  return Math.max(1, idev.cnf.data[entry]!) * NSEC_PER_MSEC
}

/** Sends state change reports, the first nearly at once (mld_ifc_event). */
function ifcEvent(idev: Inet6Dev): void {
  if (mldInV1Mode(idev)) return
  idev.mcIfcCount = idev.mcQrv
  startIfc(idev, TICK_NSEC)
}

function startIfc(idev: Inet6Dev, within: number): void {
  const { clock } = idev.dev.net.kernel
  clock.mod(idev.mcIfcTimer, clock.now + randomBelow(idev, within) + 2 * TICK_NSEC)
}

/** The device has its first usable link-local address: reports sent from :: are repeated with it (RFC 3590). */
export function ipv6McDadComplete(idev: Inet6Dev): void {
  idev.mcDadCount = idev.mcQrv
  dadReport(idev, () => mldSendInitialReport(idev))
}

function dadReport(idev: Inet6Dev, send: () => void): void {
  if (idev.mcDadCount <= 0) return
  if (!mldInV1Mode(idev)) send()
  if (--idev.mcDadCount <= 0) return
  const { clock } = idev.dev.net.kernel
  clock.mod(idev.mcDadTimer, clock.now + randomBelow(idev, unsolicitedReportInterval(idev)) + 2 * TICK_NSEC)
}

/** A group becomes active on the link: hardware filter and reports (igmp6_group_added). */
function groupAdded(idev: Inet6Dev, mc: Ifmcaddr6): void {
  const { dev } = idev
  if (mcScope(mc.addr) < IPV6_ADDR_SCOPE_LINKLOCAL) return
  if ((mc.flags & MAF_LOADED) === 0) {
    mc.flags |= MAF_LOADED
    const address = ndiscMcMap(mc.addr, dev, false)
    if (address !== undefined) devMcAdd(dev, address)
  }
  if ((dev.flags & IFF_UP) === 0 || (mc.flags & MAF_NOREPORT) !== 0) return
  if (mldInV1Mode(idev)) {
    joinV1(idev, mc)
    return
  }
  mc.crcount = idev.mcQrv
  ifcEvent(idev)
}

/** It no longer is (igmp6_group_dropped). */
function groupDropped(idev: Inet6Dev, mc: Ifmcaddr6): void {
  const { dev } = idev
  if (mcScope(mc.addr) < IPV6_ADDR_SCOPE_LINKLOCAL) return
  if ((mc.flags & MAF_LOADED) !== 0) {
    mc.flags &= ~MAF_LOADED
    const address = ndiscMcMap(mc.addr, dev, false)
    if (address !== undefined) devMcDel(dev, address)
  }
  if ((mc.flags & MAF_NOREPORT) !== 0) return
  if (!idev.dead) {
    if (mldInV1Mode(idev)) {
      if ((mc.flags & MAF_LAST_REPORTER) !== 0) mldSendV1(idev, mc.addr, ICMPV6_MGM_REDUCTION)
    } else {
      const gone = new Ifmcaddr6(mc.addr, mc.flags, mc.cstamp)
      gone.crcount = idev.mcQrv
      idev.mcTomb.unshift(gone)
      ifcEvent(idev)
    }
  }
  dev.net.kernel.clock.del(mc.timer)
}

/** Version 1: reports a new member at once and once more (RFC 2710 §4). */
function joinV1(idev: Inet6Dev, mc: Ifmcaddr6): void {
  mldSendV1(idev, mc.addr, ICMPV6_MGM_REPORT)
  const { clock } = idev.dev.net.kernel
  clock.mod(mc.timer, clock.now + randomBelow(idev, unsolicitedReportInterval(idev)))
  mc.flags |= MAF_TIMER_RUNNING | MAF_LAST_REPORTER
}

/** A query's delay is over: answers it. */
function groupTimer(idev: Inet6Dev, mc: Ifmcaddr6): void {
  if (mldInV1Mode(idev)) mldSendV1(idev, mc.addr, ICMPV6_MGM_REPORT)
  else mldSendReport(idev, [mc])
  mc.flags = (mc.flags | MAF_LAST_REPORTER) & ~MAF_TIMER_RUNNING
}

/** Joins a group on a device (ipv6_dev_mc_inc). @returns 0, -EINVAL without IPv6 there, -ENODEV while it goes */
export function ipv6DevMcInc(dev: NetDevice, addr: In6Addr): number {
  const idev = in6Dev(dev)
  if (idev === undefined) return -Errno.EINVAL
  if (idev.dead) return -Errno.ENODEV
  const known = idev.mcList.find(mc => addrEqual(mc.addr, addr))
  if (known !== undefined) {
    known.users++
    return 0
  }
  const silent = addrEqual(addr, IN6ADDR_LINKLOCAL_ALLNODES) || mcScope(addr) < IPV6_ADDR_SCOPE_LINKLOCAL
  const mc = new Ifmcaddr6(addr.slice(), silent ? MAF_NOREPORT : 0, dev.net.kernel.clock.now)
  mc.timer = new Timer(() => groupTimer(idev, mc))
  idev.mcList.unshift(mc)
  forgetLeft(idev, addr)
  groupAdded(idev, mc)
  return 0
}

function forgetLeft(idev: Inet6Dev, addr: In6Addr): void {
  idev.mcTomb = idev.mcTomb.filter(gone => !addrEqual(gone.addr, addr))
}

/** Leaves a group (__ipv6_dev_mc_dec). @returns 0 or -ENOENT */
export function idevMcDec(idev: Inet6Dev, addr: In6Addr): number {
  const at = idev.mcList.findIndex(mc => addrEqual(mc.addr, addr))
  const mc = idev.mcList[at]
  if (mc === undefined) return -Errno.ENOENT
  if (--mc.users > 0) return 0
  idev.mcList.splice(at, 1)
  groupDropped(idev, mc)
  return 0
}

/** The same by device. @returns 0, -ENODEV without IPv6 there, -ENOENT */
export function ipv6DevMcDec(dev: NetDevice, addr: In6Addr): number {
  const idev = in6Dev(dev)
  return idev === undefined ? -Errno.ENODEV : idevMcDec(idev, addr)
}

/** Joins the solicited-node group of an address (addrconf_join_solict). */
export function addrconfJoinSolict(dev: NetDevice, addr: In6Addr): void {
  if ((dev.flags & (IFF_LOOPBACK | IFF_NOARP)) !== 0) return
  ipv6DevMcInc(dev, solicitedNode(addr))
}

/** Leaves it. */
export function addrconfLeaveSolict(idev: Inet6Dev, addr: In6Addr): void {
  if ((idev.dev.flags & (IFF_LOOPBACK | IFF_NOARP)) !== 0) return
  idevMcDec(idev, solicitedNode(addr))
}

/** The device is up, or its carrier is back: announces every group anew (ipv6_mc_up). */
export function ipv6McUp(idev: Inet6Dev): void {
  ipv6McReset(idev)
  for (const mc of idev.mcList) {
    forgetLeft(idev, mc.addr)
    groupAdded(idev, mc)
  }
}

/** The device goes down (ipv6_mc_down). Groups stay joined, but neither the hardware nor routers are told. */
export function ipv6McDown(idev: Inet6Dev): void {
  for (const mc of idev.mcList) groupDropped(idev, mc)
  const { clock } = idev.dev.net.kernel
  clock.del(idev.mcIfcTimer)
  clock.del(idev.mcGqTimer)
  clock.del(idev.mcDadTimer)
  idev.mcIfcCount = 0
  idev.mcDadCount = 0
  idev.mcGqRunning = false
}

/** IPv6 leaves the device (ipv6_mc_destroy_dev). */
export function ipv6McDestroyDev(idev: Inet6Dev): void {
  ipv6McDown(idev)
  idev.mcTomb = []
  idevMcDec(idev, IN6ADDR_LINKLOCAL_ALLNODES)
  if (idev.cnf.data[IPV6_DEVCONF_FORWARDING] !== 0) idevMcDec(idev, IN6ADDR_LINKLOCAL_ALLROUTERS)
  idevMcDec(idev, IN6ADDR_INTERFACELOCAL_ALLNODES)
  idev.mcList.length = 0
}

/** @returns whether a device listens to a group (ipv6_chk_mcast_addr) */
export function ipv6ChkMcastAddr(dev: NetDevice, buf: Uint8Array, at: number): boolean {
  const idev = in6Dev(dev)
  if (idev === undefined) return false
  const { mcList } = idev
  search: for (let i = 0; i < mcList.length; i++) {
    const { addr } = mcList[i]!
    for (let j = 15; j >= 0; j--) if (buf[at + j] !== addr[j]) continue search
    return true
  }
  return false
}

/** A querier asked for a group: the answer waits a random time up to `within`, ns (igmp6_group_queried). */
export function groupQueried(idev: Inet6Dev, mc: Ifmcaddr6, within: number): void {
  if ((mc.flags & MAF_NOREPORT) !== 0) return
  const { clock } = idev.dev.net.kernel
  const pending = mc.timer.pending ? mc.timer.expires - clock.now : Number.POSITIVE_INFINITY
  clock.mod(mc.timer, clock.now + (pending < within ? pending : randomBelow(idev, within)))
  mc.flags |= MAF_TIMER_RUNNING
}

/** A general query (version 2): all groups are reported after a random time up to `within`, ns. */
export function generalQuery(idev: Inet6Dev, within: number): void {
  const { clock } = idev.dev.net.kernel
  idev.mcGqRunning = true
  clock.mod(idev.mcGqTimer, clock.now + randomBelow(idev, within) + 2 * TICK_NSEC)
}

/** An old querier has spoken: version 1 from now on, until it is silent (mld_set_v1_mode). */
export function setV1Mode(idev: Inet6Dev): void {
  const { clock } = idev.dev.net.kernel
  idev.mcV1Seen = clock.now + idev.mcQrv * idev.mcQi + idev.mcQri
  clock.del(idev.mcGqTimer)
  clock.del(idev.mcIfcTimer)
  idev.mcIfcCount = 0
  idev.mcTomb = []
}
