/** Nexthop objects (`ip nexthop`, see ipv4/nexthop.ts) as IPv6's routes use them. */

import { Errno } from '../../uapi/errno.ts'
import { NLM_F_REPLACE } from '../../uapi/netlink.ts'
import { RT_SCOPE_LINK, RTNH_F_ONLINK } from '../../uapi/rtnetlink.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import type { FibNh } from '../ipv4/fib_info.ts'
import { registerGateway6Check } from '../ipv4/fib_nh.ts'
import {
  fib6CheckNexthop,
  type Nexthop,
  type Nexthop6,
  type Nexthop6Config,
  registerNexthop6,
  nexthopSelectPath as selectObject,
} from '../ipv4/nexthop.ts'
import { type Fib6Info, type Fib6Nh, fib6Key, RTF_GATEWAY, RTF_UP } from './ip6_fib.ts'
import { fib6Config, fib6NhInit } from './route_add.ts'

export { nexthopFindById as nexthopById, nexthopIsBlackhole } from '../ipv4/nexthop.ts'

/** IPv6's form of a next hop, as the objects keep it. */
interface Own extends Nexthop6 {
  readonly nh: Fib6Nh
}

/** @returns whether it is a group */
export function nexthopIsMultipath(nh: Nexthop): boolean {
  return nh.group !== undefined
}

/** @returns its next hops of IPv6: one, or those of a group in order; none where it drops everything */
export function nexthopLegs(nh: Nexthop): readonly Fib6Nh[] {
  if (nh.group === undefined) return legOf(nh)
  return nh.group.entries.flatMap(entry => legOf(entry.nh))
}

function legOf(nh: Nexthop): readonly Fib6Nh[] {
  const own = nh.info?.nh6 as Own | undefined
  return own === undefined ? [] : [own.nh]
}

/** @returns its next hops with their weights */
export function nexthopWeightedLegs(nh: Nexthop): readonly { nh: Fib6Nh; weight: number }[] {
  if (nh.group === undefined) return legOf(nh).map(leg => ({ nh: leg, weight: 1 }))
  return nh.group.entries.flatMap(entry => legOf(entry.nh).map(leg => ({ nh: leg, weight: entry.weight })))
}

/** @param hash 31 bits @returns the leg that takes a flow */
export function nexthopSelectPath(nh: Nexthop, hash: number): Fib6Nh | undefined {
  return legOf(selectObject(nh, hash))[0]
}

/** @returns 0, or the error of using an object for an IPv6 route (fib6_check_nexthop) */
export function checkNexthop6(nh: Nexthop, hasSource: boolean, extack: NetlinkExtAck | undefined): number {
  const reason = extack ?? { msg: undefined, fail: (errno: number) => errno }
  return fib6CheckNexthop(nh, hasSource, reason)
}

function create(net: Net, cfg: Nexthop6Config, extack: NetlinkExtAck): Own | number {
  if (cfg.fdb) return -Errno.EOPNOTSUPP
  const nh = fib6NhInit(
    net,
    fib6Config({
      table: cfg.table,
      ifindex: cfg.ifindex,
      gateway: cfg.gateway?.slice(),
      flags: RTF_UP | (cfg.flags & RTNH_F_ONLINK) | (cfg.gateway === undefined ? 0 : RTF_GATEWAY),
    }),
    extack,
  )
  if (typeof nh === 'number') return nh
  return {
    nh,
    get dev() {
      return nh.dev
    },
    get flags() {
      return nh.flags
    },
  }
}

function release(net: Net, own: Own): void {
  const fib = net.at(fib6Key)
  fib.stats.rtCache -= own.nh.exceptions?.flush() ?? 0
  if (own.nh.rt !== undefined) own.nh.rt.from = undefined
  own.nh.rt = undefined
  fib.sernum++
}

function routesOf(nh: Nexthop): Fib6Info[] {
  return [...nh.fib6Infos] as Fib6Info[]
}

/** An IPv4 route by way of an IPv6 gateway (RFC 5549): the gateway must be as for a route of IPv6. */
function checkGateway6(net: Net, nh: FibNh, table: number, extack: NetlinkExtAck): number {
  const made = fib6NhInit(
    net,
    fib6Config({ table, ifindex: nh.oif, gateway: nh.gw6, flags: nh.flags | RTF_GATEWAY }),
    extack,
  )
  if (typeof made === 'number') return made
  nh.dev = made.dev
  nh.oif = made.dev.ifindex
  nh.scope = RT_SCOPE_LINK
  return 0
}

/** Offers IPv6's part to the objects, and to IPv4's routes. */
export function nexthop6Init(): void {
  registerGateway6Check(checkGateway6)
  registerNexthop6({
    create,
    release: nh6 => release((nh6 as Own).nh.dev.net, nh6 as Own),
    deleteRoutes(net, nh) {
      const fib = net.at(fib6Key)
      for (const rt of routesOf(nh)) fib.del(rt)
    },
    updateRoutes(net, nh, notify) {
      const fib = net.at(fib6Key)
      fib.sernum++
      if (notify) for (const rt of routesOf(nh)) fib.notify('new', rt, NLM_F_REPLACE)
    },
    checkRoutes(old, fresh, extack) {
      if (old.fib6Infos.size === 0) return 0
      return fib6CheckNexthop(
        fresh,
        routesOf(old).some(rt => rt.srcLen > 0),
        extack,
      )
    },
  })
}
