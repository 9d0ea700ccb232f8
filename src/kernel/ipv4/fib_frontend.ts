/**
 * IPv4 routing's front: routes from netlink, dumps of the tables, and what devices and addresses do to routes when they
 * come and go.
 */
import { Errno } from '../../uapi/errno.ts'
import { IFF_LOWER_UP, IFF_RUNNING } from '../../uapi/if.ts'
import { NLM_F_DUMP_FILTERED, NLM_F_MULTI } from '../../uapi/netlink.ts'
import {
  type RouteMessage,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_F_CLONED,
  RTM_F_PREFIX,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTN_LOCAL,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  type RtMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import { devGetFlags } from '../core/dev_flags.ts'
import { isL3Master } from '../core/l3mdev.ts'
import type { NetDevice } from '../core/net_device.ts'
import type { RtnlContext } from '../core/rtnetlink.ts'
import type { Kernel, NetdevEvent, NetdevEventInfo } from '../kernel.ts'
import { inetaddrChain } from './devinet.ts'
import { fibDumpInfo } from './fib_dump.ts'
import { fibAddIfaddr, fibDelIfaddr } from './fib_ifaddr.ts'
import { FibConfig, RTN_MAX } from './fib_info.ts'
import { fibGwFromVia } from './fib_nh.ts'
import { fibProcInit } from './fib_proc.ts'
import { fib4RulesInit } from './fib_rules.ts'
import { type FibDownEvent, fibInfoUsesDev } from './fib_semantics.ts'
import { Fib, type FibTable, fibKey } from './fib_table.ts'
import { type InIfaddr, inDevGet, inDeviceFollowers } from './in_device.ts'
import { addrFromBytes } from './inet_addr.ts'
import { INET_ECN_MASK } from './ip.ts'
import { nexthopFindById } from './nexthop.ts'
import { dumpExceptions } from './route_get.ts'
import { rtCacheFlush, rtStateKey } from './rtable.ts'

export * from './fib_lookup.ts'
export * from './fib_validate.ts'

/** Reads a route from a request (rtm_to_fib_config). @returns a negative error */
function configFromMessage(ctx: RtnlContext, msg: RouteMessage): FibConfig | number {
  const { extack, net } = ctx
  const { attrs } = msg
  if ((msg.tos & INET_ECN_MASK) !== 0) return extack.fail(-Errno.EINVAL, 'Invalid dsfield (tos): ECN bits must be 0')
  if (msg.rtType > RTN_MAX) return extack.fail(-Errno.EINVAL, 'Invalid route type')
  const cfg = new FibConfig(net)
  cfg.dstLen = msg.dstLen
  cfg.tos = msg.tos
  cfg.table = attrs.table ?? msg.table
  cfg.protocol = msg.protocol
  cfg.scope = msg.scope
  cfg.type = msg.rtType
  cfg.flags = msg.rtmFlags
  cfg.nlFlags = msg.flags
  cfg.dst = addrFromBytes(attrs.dst)
  cfg.oif = attrs.oif ?? 0
  if (attrs.gateway !== undefined) {
    cfg.gw4 = addrFromBytes(attrs.gateway)
    if (cfg.gw4 !== 0) cfg.gwFamily = AF_INET
  }
  if (attrs.via !== undefined) {
    const rc = fibGwFromVia(cfg, attrs.via, extack)
    if (rc < 0) return rc
  }
  cfg.priority = attrs.priority ?? 0
  cfg.prefsrc = addrFromBytes(attrs.prefsrc)
  cfg.mx = attrs.metrics
  cfg.mp = attrs.multipath
  cfg.flow = attrs.flow ?? 0
  cfg.encap = attrs.encap
  cfg.nhId = attrs.nhId ?? 0
  if (cfg.dstLen > 32) return extack.fail(-Errno.EINVAL, 'Invalid prefix length')
  if (cfg.dstLen < 32 && cfg.dst << cfg.dstLen !== 0)
    return extack.fail(-Errno.EINVAL, 'Invalid prefix for given prefix length')
  if (cfg.nhId !== 0 && (cfg.oif !== 0 || cfg.gwFamily !== 0 || cfg.encap !== undefined || cfg.mp !== undefined))
    return extack.fail(-Errno.EINVAL, 'Nexthop specification and nexthop id are mutually exclusive')
  if (attrs.gateway !== undefined && attrs.via !== undefined)
    return extack.fail(-Errno.EINVAL, 'Nexthop configuration can not contain both GATEWAY and VIA')
  if (cfg.table === 0) cfg.table = RT_TABLE_MAIN
  return cfg
}

function newRoute(ctx: RtnlContext, msg: RtMessage): number {
  const cfg = configFromMessage(ctx, msg as RouteMessage)
  if (typeof cfg === 'number') return cfg
  const fib = ctx.net.at(fibKey)
  const rc = fib.newTable(cfg.table).insert(cfg, ctx.extack)
  if (rc === 0 && cfg.type === RTN_LOCAL) fib.hasCustomLocalRoutes = true
  return rc
}

function delRoute(ctx: RtnlContext, msg: RtMessage): number {
  const { extack, net } = ctx
  const cfg = configFromMessage(ctx, msg as RouteMessage)
  if (typeof cfg === 'number') return cfg
  if (cfg.nhId !== 0 && nexthopFindById(net, cfg.nhId) === undefined)
    return extack.fail(-Errno.EINVAL, 'Nexthop id does not exist')
  const table = net.at(fibKey).getTable(cfg.table)
  if (table === undefined) return extack.fail(-Errno.ESRCH, 'FIB table does not exist')
  return table.delete(cfg, extack)
}

/** What a dump is narrowed to (`fib_dump_filter`). */
interface DumpFilter {
  readonly rtType: number
  readonly protocol: number
  readonly dev: NetDevice | undefined
  readonly exceptions: boolean
  readonly routes: boolean
}

function dumpTable(table: FibTable, filter: DumpFilter, out: RtMessage[]): void {
  const narrowed = filter.rtType !== 0 || filter.protocol !== 0 || filter.dev !== undefined || !filter.routes
  const flags = NLM_F_MULTI | (narrowed ? NLM_F_DUMP_FILTERED : 0)
  table.each((key, fa) => {
    const fi = fa.info
    if (filter.rtType !== 0 && fa.type !== filter.rtType) return true
    if (filter.protocol !== 0 && fi.protocol !== filter.protocol) return true
    if (filter.dev !== undefined && !fibInfoUsesDev(fi, filter.dev)) return true
    if (filter.routes) out.push(fibDumpInfo(RTM_NEWROUTE, key, fa, table.id, flags))
    if (filter.exceptions) dumpExceptions(table.id, fi, flags, out)
    return true
  })
}

/** RTM_GETROUTE of all: the routes of one table or of all, or what was learned about destinations (RTM_F_CLONED). */
function dumpRoutes(ctx: RtnlContext, message: RtMessage): RtMessage[] | number {
  const { net, extack } = ctx
  const msg = message as RouteMessage
  const { attrs } = msg
  const dev = attrs.oif === undefined ? undefined : net.devByIndex(attrs.oif)
  if (attrs.oif !== undefined && dev === undefined) return -Errno.ENODEV
  if ((msg.rtmFlags & RTM_F_PREFIX) !== 0) return []
  const cloned = (msg.rtmFlags & RTM_F_CLONED) !== 0
  const filter: DumpFilter = {
    rtType: msg.rtType,
    protocol: msg.protocol,
    dev,
    exceptions: cloned,
    routes: !cloned,
  }
  const fib = net.at(fibKey)
  const out: RtMessage[] = []
  const id = attrs.table ?? msg.table
  if (id !== 0) {
    const table = fib.getTable(id)
    if (table === undefined) {
      if (msg.family !== AF_INET) return []
      return extack.fail(-Errno.ENOENT, 'ipv4: FIB table does not exist')
    }
    dumpTable(table, filter, out)
  } else for (const table of fib.inOrder()) dumpTable(table, filter, out)
  return out
}

/** IPv4 stops working on a device: its routes die, neighbours go (fib_disable_ip). */
function disableIp(dev: NetDevice, event: FibDownEvent, force: boolean): void {
  const fib = dev.net.at(fibKey)
  if (fib.infos.syncDownDev(dev, event, force) > 0) fib.flush()
  else rtCacheFlush(dev.net)
  for (const follower of inDeviceFollowers(dev.net.kernel)) follower.ifdown?.(dev)
}

function inetaddrEvent(event: 'UP' | 'DOWN', ifa: InIfaddr): void {
  const { dev, net, ifaList } = ifa.inDev
  const state = net.at(rtStateKey)
  if (event === 'UP') {
    fibAddIfaddr(ifa)
    net.at(fibKey).infos.syncUp(dev, RTNH_F_DEAD)
    state.addrGenid++
    rtCacheFlush(net)
    return
  }
  fibDelIfaddr(ifa, undefined)
  state.addrGenid++
  if (ifaList.length === 0) disableIp(dev, 'DOWN', true)
  else rtCacheFlush(net)
}

function netdevEvent(event: NetdevEvent, dev: NetDevice, info: NetdevEventInfo): void {
  const { net } = dev
  if (event === 'UNREGISTER') {
    disableIp(dev, 'UNREGISTER', true)
    return
  }
  const inDev = inDevGet(dev)
  if (inDev === undefined) return
  const { infos } = net.at(fibKey)
  switch (event) {
    case 'UP':
      for (const ifa of inDev.ifaList) fibAddIfaddr(ifa)
      infos.syncUp(dev, RTNH_F_DEAD)
      net.at(rtStateKey).addrGenid++
      rtCacheFlush(net)
      return
    case 'DOWN':
      disableIp(dev, 'DOWN', false)
      return
    case 'CHANGE':
      if ((devGetFlags(dev) & (IFF_RUNNING | IFF_LOWER_UP)) !== 0) infos.syncUp(dev, RTNH_F_LINKDOWN)
      else infos.syncDownDev(dev, 'CHANGE', false)
      rtCacheFlush(net)
      return
    case 'CHANGEMTU':
      infos.syncMtu(dev, info.mtu ?? 0)
      rtCacheFlush(net)
      return
    case 'CHANGEUPPER':
      // a device that joins or leaves a VRF starts anew, in another table
      if (info.upper !== undefined && isL3Master(info.upper)) disableIp(dev, 'DOWN', true)
      return
    default:
      return
  }
}

/** Registers IPv4's tables with a kernel (ip_fib_init). Addresses must be followed already. */
export function fibInit(kernel: Kernel): void {
  kernel.registerPernet({
    init(net) {
      net.set(fibKey, new Fib(net))
      fib4RulesInit(net)
      fibProcInit(net)
    },
    exit: net => net.at(fibKey).exit(),
  })
  kernel.netdevChain.register((event, dev, info) => {
    netdevEvent(event, dev, info)
    return 0
  })
  inetaddrChain(kernel).register((event, ifa) => {
    inetaddrEvent(event, ifa)
    return 0
  })
  const { rtnl } = kernel
  rtnl.register(AF_INET, RTM_NEWROUTE, { doit: newRoute })
  rtnl.register(AF_INET, RTM_DELROUTE, { doit: delRoute })
  rtnl.register(AF_INET, RTM_GETROUTE, { dumpit: dumpRoutes })
}
