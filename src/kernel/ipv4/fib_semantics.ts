/**
 * `fib_info`: making it from a request with all the checks and their texts, sharing it between routes, and what happens
 * to it when devices and addresses come and go.
 */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOWER_UP, IFF_RUNNING, IFF_UP } from '../../uapi/if.ts'
import {
  type RouteNexthop,
  RT_SCOPE_HOST,
  RT_SCOPE_NOWHERE,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_ANYCAST,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_MULTICAST,
  RTN_UNICAST,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  RTNH_F_OFFLOAD,
  RTNH_F_TRAP,
} from '../../uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../uapi/socket.ts'
import { devGetFlags } from '../core/dev_flags.ts'
import { l3mdevFibTable } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import { FIB_PROPS, type FibConfig, FibInfo, FibNh, RTN_MAX } from './fib_info.ts'
import { inetAddrType } from './fib_lookup.ts'
import { metricsFromNetlink } from './fib_metrics.ts'
import {
  fibCheckNh,
  fibGetNhs,
  fibInfoUpdateNhcSaddr,
  fibNhInit,
  fibNhRelease,
  fibRebalance,
  sameAddr6,
  sameGateway,
} from './fib_nh.ts'
import type { Fib } from './fib_table.ts'
import { inDevGet } from './in_device.ts'
import { addrFromBytes } from './inet_addr.ts'
import { fibCheckNexthop, nexthopFindById, nexthopNhc, nexthopNumPath } from './nexthop.ts'
import { fnheUpdateMtu } from './route_exceptions.ts'
import { tcpCongestionKnown } from './tcp_cong.ts'

/** Flags that do not make two next hops different. */
const COMPARE_MASK = RTNH_F_DEAD | RTNH_F_LINKDOWN | RTNH_F_OFFLOAD | RTNH_F_TRAP

/** @returns how many next hops a route has */
export function fibInfoNumPath(fi: FibInfo): number {
  return fi.nh === undefined ? fi.nhs.length : nexthopNumPath(fi.nh)
}

/** @returns one of a route's next hops */
export function fibInfoNhc(fi: FibInfo, i: number): FibNh {
  return fi.nh === undefined ? fi.nhs[i]! : nexthopNhc(fi.nh, i)
}

/** @returns whether a route has a next hop by a device */
export function fibInfoUsesDev(fi: FibInfo, dev: NetDevice): boolean {
  for (let i = 0, n = fibInfoNumPath(fi); i < n; i++) if (fibInfoNhc(fi, i).dev === dev) return true
  return false
}

function sameNhs(a: FibInfo, b: FibInfo): boolean {
  if (a.nh !== undefined || b.nh !== undefined) return a.nh === b.nh
  for (let i = 0; i < a.nhs.length; i++) {
    const x = a.nhs[i]!
    const y = b.nhs[i]!
    if (
      x.oif !== y.oif ||
      x.scope !== y.scope ||
      x.weight !== y.weight ||
      x.tclassid !== y.tclassid ||
      x.encap !== y.encap ||
      ((x.flags ^ y.flags) & ~COMPARE_MASK) !== 0 ||
      !sameGateway(x, y)
    )
      return false
  }
  return true
}

function hashOf(fi: FibInfo): number {
  let hash = (fi.protocol << 8) ^ fi.scope ^ fi.prefsrc ^ fi.priority ^ (fi.tbId << 4)
  if (fi.nh !== undefined) hash ^= fi.nh.id << 16
  else for (const nh of fi.nhs) hash = Math.imul(hash ^ nh.oif ^ nh.gw4, 0x01000193)
  return hash | 0
}

/** Events of devices that next hops follow. */
export type FibDownEvent = 'CHANGE' | 'DOWN' | 'UNREGISTER'

/** The `fib_info` objects of a namespace. */
export class FibInfoTable {
  private readonly fib: Fib
  private readonly byHash = new Map<number, FibInfo[]>()
  private readonly byDev = new Map<NetDevice, Set<FibNh>>()
  private readonly byPrefsrc = new Map<number, Set<FibInfo>>()
  /** how many there are */
  count = 0

  constructor(fib: Fib) {
    this.fib = fib
  }

  /** Gives what a request describes, shared where it exists already (fib_create_info). @returns a negative error */
  create(cfg: FibConfig, extack: NetlinkExtAck): FibInfo | number {
    if (cfg.type > RTN_MAX) return -Errno.EINVAL
    const props = FIB_PROPS[cfg.type]!
    if (props.scope > cfg.scope) return extack.fail(-Errno.EINVAL, 'Invalid scope')
    if ((cfg.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) !== 0)
      return extack.fail(-Errno.EINVAL, 'Invalid rtm_flags - can not contain DEAD or LINKDOWN')
    const object = cfg.nhId === 0 ? undefined : nexthopFindById(cfg.net, cfg.nhId)
    if (cfg.nhId !== 0 && object === undefined) return extack.fail(-Errno.EINVAL, 'Nexthop id does not exist')
    if (cfg.mp?.length === 0) return -Errno.EINVAL
    const metrics = metricsFromNetlink(cfg.mx, name => tcpCongestionKnown(cfg.net, name), extack)
    if (typeof metrics === 'number') return metrics
    const fi = new FibInfo(cfg, metrics)
    fi.nh = object
    const rc = this.fill(fi, cfg, extack)
    if (rc < 0) {
      for (const nh of fi.nhs) fibNhRelease(cfg.net, nh)
      return rc
    }
    const old = this.find(fi)
    if (old !== undefined) {
      for (const nh of fi.nhs) fibNhRelease(cfg.net, nh)
      old.treeref++
      return old
    }
    this.link(fi)
    return fi
  }

  private fill(fi: FibInfo, cfg: FibConfig, extack: NetlinkExtAck): number {
    let rc = 0
    if (fi.nh === undefined) {
      if (cfg.mp !== undefined) rc = fibGetNhs(fi, cfg.mp, cfg, extack)
      else {
        const nh = new FibNh()
        nh.parent = fi
        rc = fibNhInit(nh, cfg, 1, extack)
        fi.nhs.push(nh)
      }
      if (rc < 0) return rc
    }
    if (FIB_PROPS[cfg.type]!.error !== 0) {
      if (cfg.gwFamily !== 0 || cfg.oif !== 0 || cfg.mp !== undefined) {
        const text = 'Gateway, device and multipath can not be specified for this route type'
        return extack.fail(-Errno.EINVAL, text)
      }
      return 0
    }
    if (![RTN_UNICAST, RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST].includes(cfg.type))
      return extack.fail(-Errno.EINVAL, 'Invalid route type')
    if (cfg.scope > RT_SCOPE_HOST) return extack.fail(-Errno.EINVAL, 'Invalid scope')
    if (fi.nh !== undefined) rc = fibCheckNexthop(fi.nh, cfg.scope, extack)
    else if (cfg.scope === RT_SCOPE_HOST) rc = this.checkHostScope(fi, cfg, extack)
    else rc = this.checkNhs(fi, cfg, extack)
    if (rc < 0) return rc
    if (fi.prefsrc !== 0 && !validPrefsrc(cfg)) return extack.fail(-Errno.EINVAL, 'Invalid prefsrc address')
    if (fi.nh === undefined) {
      for (const nh of fi.nhs) fibInfoUpdateNhcSaddr(cfg.net, nh, fi.scope)
      fibRebalance(fi)
    }
    return 0
  }

  private checkHostScope(fi: FibInfo, cfg: FibConfig, extack: NetlinkExtAck): number {
    if (fi.nhs.length !== 1) return extack.fail(-Errno.EINVAL, 'Route with host scope can not have multiple nexthops')
    const nh = fi.nhs[0]!
    if (nh.gwFamily !== 0) return extack.fail(-Errno.EINVAL, 'Route with host scope can not have a gateway')
    nh.scope = RT_SCOPE_NOWHERE
    nh.dev = cfg.net.devByIndex(nh.oif)
    return nh.dev === undefined ? -Errno.ENODEV : 0
  }

  private checkNhs(fi: FibInfo, cfg: FibConfig, extack: NetlinkExtAck): number {
    let linkdown = 0
    for (const nh of fi.nhs) {
      const rc = fibCheckNh(cfg.net, nh, cfg.table, cfg.scope, extack)
      if (rc < 0) return rc
      if ((nh.flags & RTNH_F_LINKDOWN) !== 0) linkdown++
    }
    if (linkdown === fi.nhs.length) fi.flags |= RTNH_F_LINKDOWN
    return 0
  }

  private find(fi: FibInfo): FibInfo | undefined {
    return this.byHash
      .get(hashOf(fi))
      ?.find(
        old =>
          old.nhs.length === fi.nhs.length &&
          old.protocol === fi.protocol &&
          old.scope === fi.scope &&
          old.prefsrc === fi.prefsrc &&
          old.priority === fi.priority &&
          old.type === fi.type &&
          old.tbId === fi.tbId &&
          ((old.flags ^ fi.flags) & ~COMPARE_MASK) === 0 &&
          old.metrics.equals(fi.metrics) &&
          sameNhs(old, fi),
      )
  }

  private link(fi: FibInfo): void {
    const hash = hashOf(fi)
    const list = this.byHash.get(hash)
    if (list === undefined) this.byHash.set(hash, [fi])
    else list.push(fi)
    if (fi.prefsrc !== 0) addTo(this.byPrefsrc, fi.prefsrc, fi)
    if (fi.nh !== undefined) fi.nh.fibInfos.add(fi)
    else for (const nh of fi.nhs) if (nh.dev !== undefined) addTo(this.byDev, nh.dev, nh)
    this.count++
  }

  /** A route that used it has gone (fib_release_info). */
  release(fi: FibInfo): void {
    if (--fi.treeref > 0) return
    const hash = hashOf(fi)
    const list = this.byHash.get(hash)!
    list.splice(list.indexOf(fi), 1)
    if (list.length === 0) this.byHash.delete(hash)
    if (fi.prefsrc !== 0) removeFrom(this.byPrefsrc, fi.prefsrc, fi)
    if (fi.nh !== undefined) fi.nh.fibInfos.delete(fi)
    for (const nh of fi.nhs) {
      if (nh.dev !== undefined) removeFrom(this.byDev, nh.dev, nh)
      fibNhRelease(this.fib.net, nh)
    }
    fi.dead = true
    this.count--
  }

  /** @returns whether some route goes by a gateway on a device (ip_fib_check_default) */
  hasGateway(gw: number, dev: NetDevice): boolean {
    for (const nh of this.byDev.get(dev) ?? [])
      if (nh.gwFamily === AF_INET && nh.gw4 === gw && (nh.flags & RTNH_F_DEAD) === 0) return true
    return false
  }

  /** An address has gone: routes that prefer it as source are dead (fib_sync_down_addr). @returns how many */
  syncDownAddr(dev: NetDevice, local: number): number {
    const table = l3mdevFibTable(dev) || RT_TABLE_MAIN
    let ret = 0
    for (const fi of this.byPrefsrc.get(local) ?? []) {
      if (fi.tbId !== table) continue
      fi.flags |= RTNH_F_DEAD
      fi.pfsrcRemoved = true
      ret++
    }
    return ret
  }

  /**
   * A device's link has gone, it is down, or it goes away: its next hops are marked (fib_sync_down_dev).
   * @param force its last address has gone, or itself: also what has host scope @returns how many routes have died
   */
  syncDownDev(dev: NetDevice, event: FibDownEvent, force: boolean): number {
    const keep = force ? -1 : RT_SCOPE_NOWHERE
    const mark = event === 'CHANGE' ? RTNH_F_LINKDOWN : RTNH_F_DEAD | RTNH_F_LINKDOWN
    let ret = 0
    let last: FibInfo | undefined
    for (const leg of this.byDev.get(dev) ?? []) {
      const fi = leg.parent!
      if (fi === last) continue
      last = fi
      let dead = 0
      for (const nh of fi.nhs) {
        if ((nh.flags & RTNH_F_DEAD) !== 0) dead++
        else if (nh.dev === dev && nh.scope !== keep) {
          nh.flags |= mark
          dead++
        }
        if (event === 'UNREGISTER' && nh.dev === dev) {
          dead = fi.nhs.length
          break
        }
      }
      if (dead === fi.nhs.length) {
        fi.flags |= mark
        ret++
      }
      fibRebalance(fi)
    }
    return ret
  }

  /** A device is up again, or its link: dead next hops of multipath routes wake up (fib_sync_up). */
  syncUp(dev: NetDevice, flags: number): void {
    if ((dev.flags & IFF_UP) === 0) return
    if ((flags & RTNH_F_DEAD) !== 0 && (devGetFlags(dev) & (IFF_RUNNING | IFF_LOWER_UP)) !== 0) flags |= RTNH_F_LINKDOWN
    let last: FibInfo | undefined
    for (const leg of this.byDev.get(dev) ?? []) {
      const fi = leg.parent!
      if (fi === last) continue
      last = fi
      let alive = 0
      for (const nh of fi.nhs) {
        if ((nh.flags & flags) === 0) alive++
        else if (nh.dev === dev && (dev.flags & IFF_UP) !== 0 && inDevGet(dev) !== undefined) {
          alive++
          nh.flags &= ~flags
        }
      }
      if (alive > 0) fi.flags &= ~flags
      fibRebalance(fi)
    }
  }

  /** A device's MTU has changed from `orig`: learned path MTUs follow (fib_sync_mtu). */
  syncMtu(dev: NetDevice, orig: number): void {
    for (const nh of this.byDev.get(dev) ?? []) fnheUpdateMtu(nh, dev.mtu, orig)
  }
}

function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key)
  if (set === undefined) map.set(key, new Set([value]))
  else set.add(value)
}

function removeFrom<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key)
  if (set?.delete(value) && set.size === 0) map.delete(key)
}

/** @returns whether a preferred source is an address of ours (fib_valid_prefsrc) */
function validPrefsrc(cfg: FibConfig): boolean {
  if (cfg.type === RTN_LOCAL && cfg.dst !== 0 && cfg.prefsrc === cfg.dst) return true
  const table = cfg.table === RT_TABLE_MAIN ? RT_TABLE_LOCAL : cfg.table
  if (inetAddrType(cfg.net, cfg.prefsrc, table) === RTN_LOCAL) return true
  return table !== RT_TABLE_LOCAL && inetAddrType(cfg.net, cfg.prefsrc, RT_TABLE_LOCAL) === RTN_LOCAL
}

/** @returns 0 where a route's next hops are those a request names, 1 where not, or what is wrong with the request (fib_nh_match) */
export function fibNhMatch(cfg: FibConfig, fi: FibInfo, extack: NetlinkExtAck): number {
  if (cfg.priority !== 0 && cfg.priority !== fi.priority) return 1
  if (cfg.nhId !== 0) return fi.nh !== undefined && fi.nh.id === cfg.nhId ? 0 : 1
  if (fi.nh !== undefined) return cfg.oif !== 0 || cfg.gwFamily !== 0 || cfg.mp !== undefined ? 1 : 0
  if (cfg.oif !== 0 || cfg.gwFamily !== 0) {
    const nh = fi.nhs[0]!
    if (cfg.encap !== undefined && (nh.encap === undefined || nh.encap.type !== cfg.encap.type)) return 1
    if (cfg.flow !== 0 && cfg.flow !== nh.tclassid) return 1
    if (cfg.oif !== 0 && cfg.oif !== nh.oif) return 1
    return cfg.gwFamily !== 0 && !sameGateway(nh, cfg) ? 1 : 0
  }
  if (cfg.mp === undefined) return 0
  for (let i = 0; i < fi.nhs.length; i++) {
    const leg = cfg.mp[i]
    if (leg === undefined) return -Errno.EINVAL
    const rc = legMatch(leg, fi.nhs[i]!, extack)
    if (rc !== 0) return rc
  }
  return 0
}

function legMatch(leg: RouteNexthop, nh: FibNh, extack: NetlinkExtAck): number {
  if (leg.ifindex !== 0 && leg.ifindex !== nh.oif) return 1
  if (leg.gateway !== undefined && leg.via !== undefined)
    return extack.fail(-Errno.EINVAL, 'Nexthop configuration can not contain both GATEWAY and VIA')
  if (leg.gateway !== undefined) {
    if (nh.gwFamily !== AF_INET || addrFromBytes(leg.gateway) !== nh.gw4) return 1
  } else if (leg.via !== undefined) {
    if (leg.via.family !== nh.gwFamily) return 1
    if (nh.gwFamily === AF_INET && addrFromBytes(leg.via.addr) !== nh.gw4) return 1
    if (nh.gwFamily === AF_INET6 && !sameAddr6(leg.via.addr, nh.gw6)) return 1
  }
  return leg.flow !== undefined && leg.flow !== nh.tclassid ? 1 : 0
}
