/** Routes of IPv6 in rtnetlink: adding and deleting, multipath included, lists, and what a lookup would choose. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../uapi/netlink.ts'
import {
  type RouteMessage,
  type RouteNexthop,
  RTM_DELROUTE,
  RTM_F_CLONED,
  RTM_F_FIB_MATCH,
  RTM_F_LOOKUP_TABLE,
  RTM_F_PREFIX,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTN_BLACKHOLE,
  RTN_LOCAL,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNREACHABLE,
  RTNH_F_ONLINK,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import { NSEC_PER_SEC } from '../core/clock.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck, RtnlContext } from '../core/rtnetlink.ts'
import { metricsFromNetlink } from '../ipv4/fib_metrics.ts'
import { tcpCongestionKnown } from '../ipv4/tcp_cong.ts'
import type { Kernel } from '../kernel.ts'
import { addrAny, addrEqual, IN6ADDR_ANY, type In6Addr } from './addr.ts'
import { fib6Locate, tableRoutes } from './fib6_trie.ts'
import { Flowi6, RT6_LOOKUP_F_HAS_SADDR } from './flowi6.ts'
import {
  duplicateNexthop,
  type Fib6Info,
  type Fib6Table,
  fib6Key,
  type NlInfo,
  qualifiesForEcmp,
  RTF_CACHE,
  RTF_EXPIRES,
  RTF_GATEWAY,
  RTF_LOCAL,
  RTF_PREFIX_RT,
  RTF_REJECT,
  RTF_UP,
  rtfPref,
} from './ip6_fib.ts'
import { nexthopById } from './nexthop6.ts'
import { ip6RouteInputLookup, ip6RouteOutput, rt6SpecialKey } from './route.ts'
import { type Fib6Config, fib6Config, IP6_RT_PRIO_USER, ip6RouteAdd, routeInfoCreate } from './route_add.ts'
import { exceptionsOf, fillRoute, usesDevice } from './route_fill.ts'

/** A request's config, with the legs it names. */
interface Request {
  readonly cfg: Fib6Config
  readonly legs: readonly RouteNexthop[] | undefined
}

/** Reads a request (rtm_to_fib6_config). @returns it or a negative error */
function readRequest(net: Net, msg: RouteMessage, extack: NetlinkExtAck): Request | number {
  const { attrs } = msg
  if (msg.tos !== 0) return extack.fail(-Errno.EINVAL, 'Invalid dsfield (tos): option not available for IPv6')
  let flags = RTF_UP | (msg.rtmFlags & RTNH_F_ONLINK)
  const { rtType } = msg
  if (rtType === RTN_UNREACHABLE || rtType === RTN_BLACKHOLE || rtType === RTN_PROHIBIT || rtType === RTN_THROW)
    flags |= RTF_REJECT
  if (rtType === RTN_LOCAL) flags |= RTF_LOCAL
  if ((msg.rtmFlags & RTM_F_CLONED) !== 0) flags |= RTF_CACHE
  if (attrs.nhId !== undefined) {
    if (
      attrs.gateway !== undefined ||
      attrs.oif !== undefined ||
      attrs.multipath !== undefined ||
      attrs.encap !== undefined
    )
      return extack.fail(-Errno.EINVAL, 'Nexthop specification and nexthop id are mutually exclusive')
  }
  if (attrs.gateway !== undefined) {
    if (attrs.gateway.length !== 16) return extack.fail(-Errno.EINVAL, 'Invalid IPv6 address in RTA_GATEWAY')
    flags |= RTF_GATEWAY
  }
  if (attrs.via !== undefined) return extack.fail(-Errno.EINVAL, 'IPv6 does not support RTA_VIA attribute')
  const dst = address(attrs.dst, msg.dstLen)
  const src = address(attrs.src, msg.srcLen)
  if (dst === undefined || src === undefined) return -Errno.EINVAL
  if (attrs.pref !== undefined) flags |= rtfPref(attrs.pref === 1 || attrs.pref === 3 ? attrs.pref : 0)
  let expires = 0
  if (attrs.expires !== undefined && attrs.expires !== 0xffffffff) {
    expires = attrs.expires * NSEC_PER_SEC
    flags |= RTF_EXPIRES
  }
  const metrics = metricsFromNetlink(attrs.metrics, name => tcpCongestionKnown(net, name), extack)
  if (typeof metrics === 'number') return metrics
  const cfg = fib6Config({
    table: attrs.table ?? msg.table,
    metric: attrs.priority ?? 0,
    ifindex: attrs.oif ?? 0,
    dst,
    dstLen: msg.dstLen,
    src,
    srcLen: msg.srcLen,
    flags: flags >>> 0,
    type: rtType,
    protocol: msg.protocol,
    gateway: attrs.gateway?.slice(),
    prefsrc: attrs.prefsrc === undefined || addrAny(attrs.prefsrc) ? undefined : attrs.prefsrc.slice(),
    metrics,
    expires,
    encap: attrs.encap,
    nhId: attrs.nhId ?? 0,
    nl: { flags: msg.flags },
  })
  return { cfg, legs: attrs.multipath }
}

/** @returns an address of a request, :: where there is none, undefined where it is too short for its prefix */
function address(bytes: Uint8Array | undefined, plen: number): In6Addr | undefined {
  if (bytes === undefined) return IN6ADDR_ANY
  if (bytes.length < (plen + 7) >> 3) return undefined
  if (bytes.length === 16) return bytes.slice()
  const full = new Uint8Array(16)
  full.set(bytes.subarray(0, 16))
  return full
}

/** One leg's configuration. */
function legConfig(cfg: Fib6Config, leg: RouteNexthop): Fib6Config {
  const own = { ...cfg, nl: cfg.nl }
  if (leg.ifindex !== 0) own.ifindex = leg.ifindex
  if (leg.gateway !== undefined) {
    own.gateway = leg.gateway.slice()
    own.flags = (own.flags | RTF_GATEWAY) >>> 0
  }
  own.encap = leg.encap
  own.flags = (own.flags | (leg.flags & RTNH_F_ONLINK)) >>> 0
  return own
}

/** Adds the legs of a multipath route one after the other (ip6_route_multipath_add). */
function multipathAdd(net: Net, cfg: Fib6Config, legs: readonly RouteNexthop[], extack: NetlinkExtAck): number {
  const flags = cfg.nl.flags!
  const replace = (flags & NLM_F_REPLACE) !== 0
  const made: { rt: Fib6Info; cfg: Fib6Config }[] = []
  for (const leg of legs) {
    const own = legConfig(cfg, leg)
    const rt = routeInfoCreate(net, own, extack)
    if (typeof rt === 'number') return rt
    if (!qualifiesForEcmp(rt))
      return extack.fail(-Errno.EINVAL, 'Device only routes can not be added for IPv6 using the multipath API.')
    rt.nh!.weight = leg.hops + 1
    if (made.some(other => duplicateNexthop(other.rt, rt))) return -Errno.EEXIST
    made.push({ rt, cfg: own })
  }
  if (made.length === 0) return extack.fail(-Errno.EINVAL, 'Invalid nexthop configuration - no valid nexthops')
  const fib = net.at(fib6Key)
  const info: NlInfo = { flags, skipNotify: true }
  const notifyFlags = (replace ? NLM_F_REPLACE : NLM_F_CREATE) | (flags & NLM_F_APPEND)
  let last: Fib6Info | undefined
  const notify = (): void => {
    if (last === undefined) return
    const first = (flags & NLM_F_APPEND) !== 0 && last.group !== undefined ? last.group[0]! : made[0]!.rt
    fib.notify('new', first, notifyFlags)
  }
  for (let i = 0; i < made.length; i++) {
    const rc = fib.add(made[i]!.rt, info, extack)
    if (rc < 0) {
      if (replace && i > 0) extack.msg = 'IPv6: multipath route replace failed (check consistency of installed routes)'
      notify()
      for (const { cfg: own } of made.slice(0, i)) routeDel(net, own, false, extack)
      return rc
    }
    last = made[i]!.rt
    // the first leg has replaced or collided; the others join it
    info.flags = (flags & ~(NLM_F_EXCL | NLM_F_REPLACE)) | NLM_F_CREATE
  }
  notify()
  return 0
}

/**
 * Deletes the first route that fits (ip6_route_del).
 * @param all without a gateway: all legs of a multipath route
 */
export function routeDel(net: Net, cfg: Fib6Config, all: boolean, extack: NetlinkExtAck | undefined): number {
  const fib = net.at(fib6Key)
  const table = fib.table(cfg.table === 0 ? 254 : cfg.table)
  if (table === undefined) return extack?.fail(-Errno.ESRCH, 'FIB table does not exist') ?? -Errno.ESRCH
  if ((cfg.flags & RTF_CACHE) !== 0) return cachedDel(net, table, cfg)
  const node = fib6Locate(table, cfg.dst, cfg.dstLen, cfg.src, cfg.srcLen)
  for (let rt = node?.leaf; rt !== undefined; rt = rt.next) {
    if (rt.nhObject !== undefined && cfg.nhId !== 0 && rt.nhObject.id !== cfg.nhId) continue
    if (cfg.metric !== 0 && cfg.metric !== rt.metric) continue
    if (cfg.protocol !== 0 && cfg.protocol !== rt.protocol) continue
    if (rt.nhObject !== undefined) return fib.del(rt, cfg.nl)
    if (cfg.nhId !== 0) continue
    const nh = rt.nh!
    if (cfg.ifindex !== 0 && nh.dev.ifindex !== cfg.ifindex) continue
    if ((cfg.flags & RTF_GATEWAY) !== 0) {
      if (nh.gw === undefined ? !addrAny(cfg.gateway!) : !addrEqual(nh.gw, cfg.gateway!)) continue
      return fib.del(rt, cfg.nl)
    }
    if (rt.group === undefined || !all) return fib.del(rt, cfg.nl)
    // one notification tells of all legs
    fib.notify('del', rt, 0)
    const silent = { ...cfg.nl, skipNotify: true }
    for (const leg of [...rt.group]) if (leg !== rt) fib.del(leg, silent)
    return fib.del(rt, silent)
  }
  // the default route's place always has an entry, which cannot be deleted
  return cfg.dstLen === 0 && cfg.srcLen === 0 && node === table.root && node.leaf === undefined
    ? -Errno.ENOENT
    : -Errno.ESRCH
}

/** Forgets what was learned about a destination. */
function cachedDel(net: Net, table: Fib6Table, cfg: Fib6Config): number {
  const fib = net.at(fib6Key)
  for (const rt of tableRoutes(table))
    for (const { nh, dst } of exceptionsOf(rt)) {
      if (!addrEqual(dst.dst, cfg.dst)) continue
      if (cfg.ifindex !== 0 && dst.dev.ifindex !== cfg.ifindex) continue
      if ((cfg.flags & RTF_GATEWAY) !== 0 && (dst.gateway === undefined || !addrEqual(dst.gateway, cfg.gateway!)))
        continue
      if (nh.exceptions!.remove(dst)) fib.stats.rtCache--
      fib.sernum++
      return 0
    }
  return -Errno.ESRCH
}

function newRoute(ctx: RtnlContext, message: RtMessage): number {
  const { net, extack } = ctx
  const request = readRequest(net, message as RouteMessage, extack)
  if (typeof request === 'number') return request
  const { cfg, legs } = request
  if (cfg.metric === 0) cfg.metric = IP6_RT_PRIO_USER
  return legs === undefined ? ip6RouteAdd(net, cfg, extack) : multipathAdd(net, cfg, legs, extack)
}

function delRoute(ctx: RtnlContext, message: RtMessage): number {
  const { net, extack } = ctx
  const request = readRequest(net, message as RouteMessage, extack)
  if (typeof request === 'number') return request
  const { cfg, legs } = request
  if (cfg.nhId !== 0 && nexthopById(net, cfg.nhId) === undefined)
    return extack.fail(-Errno.EINVAL, 'Nexthop id does not exist')
  if (legs === undefined) return routeDel(net, cfg, true, extack)
  let err = 0
  for (const leg of legs) {
    const rc = routeDel(net, legConfig(cfg, leg), false, extack)
    if (rc < 0) err = rc
  }
  return err
}

const getFl6 = new Flowi6()

function getRoute(ctx: RtnlContext, message: RtMessage): number | RtMessage[] {
  const { net, extack } = ctx
  const msg = message as RouteMessage
  const { attrs } = msg
  const fail = (text: string): number => extack.fail(-Errno.EINVAL, `ipv6: ${text}`)
  if (
    (msg.srcLen !== 0 && msg.srcLen !== 128) ||
    (msg.dstLen !== 0 && msg.dstLen !== 128) ||
    msg.table !== 0 ||
    msg.protocol !== 0 ||
    msg.scope !== 0 ||
    msg.rtType !== 0
  )
    return fail('Invalid values in header for get route request')
  // a socket without strict checking may ask for the table, which every answer has
  if ((msg.rtmFlags & ~(RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE)) !== 0) return fail('Invalid flags for get route request')
  if ((attrs.src !== undefined && msg.srcLen === 0) || (attrs.dst !== undefined && msg.dstLen === 0))
    return fail('rtm_src_len and rtm_dst_len must be 128 for IPv6')
  const fl6 = getFl6.clear()
  fl6.flowlabel = msg.tos << 20
  if (attrs.src !== undefined) {
    if (attrs.src.length < 16) return -Errno.EINVAL
    fl6.saddr.set(attrs.src)
  }
  if (attrs.dst !== undefined) {
    if (attrs.dst.length < 16) return -Errno.EINVAL
    fl6.daddr.set(attrs.dst)
  }
  const iif = attrs.iif ?? 0
  fl6.mark = attrs.mark ?? 0
  fl6.uid = attrs.uid ?? (iif === 0 ? ctx.cred.uid : 0xffffffff)
  fl6.sport = attrs.sport ?? 0
  fl6.dport = attrs.dport ?? 0
  fl6.proto = attrs.ipProto ?? 0
  let rt: ReturnType<typeof ip6RouteOutput>
  if (iif !== 0) {
    const dev = net.devByIndex(iif)
    if (dev === undefined) return -Errno.ENODEV
    fl6.iif = iif
    rt = ip6RouteInputLookup(net, dev, fl6, undefined, addrAny(fl6.saddr) ? 0 : RT6_LOOKUP_F_HAS_SADDR)
  } else {
    fl6.oif = attrs.oif ?? 0
    rt = ip6RouteOutput(net, 0, fl6)
  }
  if (rt.error !== 0) return rt.error
  if (rt === net.at(rt6SpecialKey).nullEntry || rt.from === undefined) return -Errno.ENETUNREACH
  if ((msg.rtmFlags & RTM_F_FIB_MATCH) !== 0) return [fillRoute(net, rt.from, { type: RTM_NEWROUTE, iif })]
  return [
    fillRoute(net, rt.from, { type: RTM_NEWROUTE, iif, dst: rt, dest: fl6.daddr.slice(), src: fl6.saddr.slice() }),
  ]
}

/** Lists routes, or what was learned about single destinations (inet6_dump_fib). */
function dumpRoutes(ctx: RtnlContext, message: RtMessage): number | RtMessage[] {
  const { net, extack } = ctx
  const msg = message as RouteMessage
  const { attrs } = msg
  const cached = (msg.rtmFlags & RTM_F_CLONED) !== 0
  const own = msg.family === AF_INET6
  let dev: ReturnType<Net['devByIndex']>
  const id = attrs.table ?? msg.table
  if (attrs.oif !== undefined) {
    dev = net.devByIndex(attrs.oif)
    if (dev === undefined) return -Errno.ENODEV
  }
  const fib = net.at(fib6Key)
  let tables: Iterable<Fib6Table> = fib.inOrder()
  if (id !== 0) {
    const table = fib.table(id)
    if (table === undefined) {
      if (!own) return []
      return extack.fail(-Errno.ENOENT, 'ipv6: FIB table does not exist')
    }
    tables = [table]
  }
  const out: RtMessage[] = []
  const { now } = net.kernel.clock
  for (const table of tables) {
    const routes = tableRoutes(table)
    for (let i = 0; i < routes.length; i++) {
      const rt = routes[i]!
      // the first leg speaks for the others
      const skip = rt.group === undefined ? 0 : rt.group.length - 1
      const wanted =
        ((msg.rtmFlags & RTM_F_PREFIX) === 0 || (rt.flags & RTF_PREFIX_RT) !== 0) &&
        (msg.rtType === 0 || rt.type === msg.rtType) &&
        (dev === undefined || usesDevice(rt, dev)) &&
        (msg.protocol === 0 || rt.protocol === msg.protocol)
      if (wanted && !cached) out.push(fillRoute(net, rt, { type: RTM_NEWROUTE }))
      if (wanted && cached)
        for (const { dst } of exceptionsOf(rt))
          if (!dst.expired(now)) out.push(fillRoute(net, rt, { type: RTM_NEWROUTE, dst }))
      i += skip
    }
  }
  return out
}

/** Registers the messages. */
export function ip6RouteRtnlInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_INET6, RTM_NEWROUTE, { doit: newRoute })
  kernel.rtnl.register(AF_INET6, RTM_DELROUTE, { doit: delRoute })
  kernel.rtnl.register(AF_INET6, RTM_GETROUTE, { doit: getRoute, dumpit: dumpRoutes })
}
