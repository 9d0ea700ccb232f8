/** `ip monitor`: prints the kernel's notifications until it is ended, see ip-monitor(8). */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { type NexthopBucketMessage, RTM_DELNEXTHOPBUCKET, RTM_NEWNEXTHOPBUCKET } from '../../src/uapi/nexthop_bucket.ts'
import {
  type AddrlabelMessage,
  type AddrMessage,
  type LinkMessage,
  type NeighMessage,
  type NetconfMessage,
  type NexthopMessage,
  type NsidMessage,
  type PrefixMessage,
  type RouteMessage,
  RTM_DELADDR,
  RTM_DELADDRLABEL,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELNETCONF,
  RTM_DELNEXTHOP,
  RTM_DELNSID,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_F_CLONED,
  RTM_GETNEIGH,
  RTM_NEWADDR,
  RTM_NEWADDRLABEL,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWNETCONF,
  RTM_NEWNEXTHOP,
  RTM_NEWNSID,
  RTM_NEWPREFIX,
  RTM_NEWROUTE,
  RTM_NEWRULE,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_MROUTE,
  RTNLGRP_IPV4_NETCONF,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_MROUTE,
  RTNLGRP_IPV6_NETCONF,
  RTNLGRP_IPV6_PREFIX,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV6_RULE,
  RTNLGRP_LINK,
  RTNLGRP_NEIGH,
  RTNLGRP_NEXTHOP,
  RTNLGRP_NSID,
  type RtMessage,
  type RuleMessage,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { formatAddress } from '../lib/inet.ts'
import { readMessages } from '../lib/nlwire.ts'
import type { Printer } from '../lib/printer.ts'
import { formatTimestamp } from '../lib/timestamp.ts'
import { printAddrlabel } from './addrlabel.ts'
import type { IpContext, IpObject } from './context.ts'
import { MONITOR_USAGE } from './help/monitor.ts'
import { type LinkFilter, linkFilter } from './link_filter.ts'
import { printNetconf } from './netconf.ts'
import { printNsid } from './netns.ts'
import { printBucket } from './nexthop_bucket.ts'
import { printNexthop } from './nexthop_print.ts'
import { printAddress } from './print_addr.ts'
import { printLink } from './print_link.ts'
import { type NeighFilter, neighFilter, printNeighbour, selectsNeighbour } from './print_neigh.ts'
import { emptyFilter, filterTakes, type RouteFilter } from './route_filter.ts'
import { printRoute, RTNL_FAMILY_IP6MR, RTNL_FAMILY_IPMR } from './route_print.ts'
import { decodeRoute } from './route_wire.ts'
import { printRule } from './rule_print.ts'
import { decodeRule } from './rule_wire.ts'

/** Groups of an object: those of all families, of IPv4, of IPv6. */
interface Watched {
  readonly any?: readonly number[]
  readonly inet?: number
  readonly inet6?: number
}

/** Objects in the order abbreviations are tried. */
const OBJECTS: readonly (readonly [string, Watched])[] = [
  ['link', { any: [RTNLGRP_LINK] }],
  ['address', { inet: RTNLGRP_IPV4_IFADDR, inet6: RTNLGRP_IPV6_IFADDR }],
  ['route', { inet: RTNLGRP_IPV4_ROUTE, inet6: RTNLGRP_IPV6_ROUTE }],
  ['mroute', { inet: RTNLGRP_IPV4_MROUTE, inet6: RTNLGRP_IPV6_MROUTE }],
  ['prefix', { inet6: RTNLGRP_IPV6_PREFIX }],
  ['neigh', { any: [RTNLGRP_NEIGH] }],
  ['netconf', { inet: RTNLGRP_IPV4_NETCONF, inet6: RTNLGRP_IPV6_NETCONF }],
  ['rule', { inet: RTNLGRP_IPV4_RULE, inet6: RTNLGRP_IPV6_RULE }],
  ['nsid', { any: [RTNLGRP_NSID] }],
  ['nexthop', { any: [RTNLGRP_NEXTHOP] }],
  ['stats', {}],
]

/** What a monitor was asked to print. */
interface Monitor {
  readonly ctx: IpContext
  readonly out: Printer
  label: boolean
  allNsid: boolean
  ifindex: number
  file: string | undefined
  readonly objects: Set<string>
  links: LinkFilter
  neighbours: NeighFilter
  routes: RouteFilter
}

function parse(ctx: IpContext, words: readonly string[]): Monitor {
  const monitor: Monitor = {
    ctx,
    out: ctx.textPrinter(),
    label: false,
    allNsid: false,
    ifindex: 0,
    file: undefined,
    objects: new Set(),
    links: linkFilter(true),
    neighbours: neighFilter(),
    routes: emptyFilter(),
  }
  const a = new Args(words)
  for (; a.more; a.skip()) {
    const object = a.matches('file') || a.matches('label') ? undefined : OBJECTS.find(([name]) => a.matches(name))
    if (a.matches('file')) monitor.file = a.next()
    else if (a.matches('label')) monitor.label = true
    else if (object !== undefined) monitor.objects.add(object[0])
    else if (a.is('all')) monitor.label = true
    else if (a.matches('all-nsid')) monitor.allNsid = true
    else if (a.matches('help')) ctx.usage(MONITOR_USAGE)
    else if (a.is('dev')) {
      const dev = a.next()
      monitor.ifindex = ctx.links.nameToIndex(dev)
      if (monitor.ifindex === 0) invarg('Device does not exist\n', dev)
    } else throw new ToolExit(`Argument "${a.word}" is unknown, try "ip monitor help".\n`, EXIT_USAGE)
  }
  if (monitor.objects.size === 0) for (const [name] of OBJECTS) monitor.objects.add(name)
  monitor.links.ifindex = monitor.ifindex
  monitor.neighbours.ifindex = monitor.ifindex
  if (monitor.ifindex > 0) monitor.routes.oif = monitor.ifindex
  return monitor
}

/** @returns the groups of the objects asked for */
function groups(monitor: Monitor): number[] {
  const { family } = monitor.ctx.opts
  const list: number[] = []
  for (const [name, watched] of OBJECTS) {
    if (!monitor.objects.has(name)) continue
    list.push(...(watched.any ?? []))
    if (watched.inet !== undefined && (family === AF_UNSPEC || family === AF_INET)) list.push(watched.inet)
    if (watched.inet6 !== undefined && (family === AF_UNSPEC || family === AF_INET6)) list.push(watched.inet6)
  }
  return list
}

function header(monitor: Monitor, label: string, nsid: number | undefined): void {
  const { ctx, out } = monitor
  if (ctx.opts.timestamp) out.text(formatTimestamp(ctx.proc.realtime(), ctx.opts.timestampShort))
  if (monitor.allNsid) out.text(nsid === undefined || nsid < 0 ? '[nsid current]' : `[nsid ${nsid}]`)
  if (monitor.label) out.text(`[${label}]`)
}

const IF_PREFIX_ONLINK = 1
const IF_PREFIX_AUTOCONF = 2

function printPrefix(ctx: IpContext, out: Printer, message: PrefixMessage): void {
  const { address, cacheinfo } = message.attrs
  out.text('prefix ')
  if (address !== undefined) out.text(`${formatAddress(AF_INET6, address)}/${message.prefixlen} `)
  out.text(`dev ${ctx.links.indexToName(message.ifindex)} `)
  if ((message.prefixFlags & IF_PREFIX_ONLINK) !== 0) out.text('onlink ')
  if ((message.prefixFlags & IF_PREFIX_AUTOCONF) !== 0) out.text('autoconf ')
  if (cacheinfo !== undefined) out.text(`valid ${cacheinfo.valid} preferred ${cacheinfo.prefered} `)
  out.text('\n')
}

function showRoute(monitor: Monitor, route: RouteMessage): void {
  const { ctx, out } = monitor
  if ((route.rtmFlags & RTM_F_CLONED) !== 0) return
  const multicast = route.family === RTNL_FAMILY_IPMR || route.family === RTNL_FAMILY_IP6MR
  header(monitor, multicast ? 'MROUTE' : 'ROUTE', route.nsid)
  // what the filter refuses leaves its header behind
  const takes = filterTakes(monitor.routes, route, ctx.opts.family, { sixHasTables: true })
  if (takes) printRoute(ctx, out, route, monitor.routes)
}

function showNeighbour(monitor: Monitor, neighbour: NeighMessage): void {
  const { ctx, out } = monitor
  if (ctx.opts.family !== AF_UNSPEC && neighbour.family !== ctx.opts.family) return
  header(monitor, 'NEIGH', neighbour.nsid)
  if (selectsNeighbour(monitor.neighbours, neighbour)) printNeighbour(ctx, out, neighbour, monitor.neighbours)
}

/** Prints one notification with its header. */
function show(monitor: Monitor, message: RtMessage | NexthopBucketMessage): void {
  const { ctx, out } = monitor
  switch (message.type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      showRoute(monitor, message as RouteMessage)
      break
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
      header(monitor, 'NEXTHOP', (message as NexthopMessage).nsid)
      printNexthop(ctx, out, message as NexthopMessage)
      break
    case RTM_NEWNEXTHOPBUCKET:
    case RTM_DELNEXTHOPBUCKET:
      header(monitor, 'NEXTHOPBUCKET', (message as NexthopBucketMessage).nsid)
      printBucket(out, message as NexthopBucketMessage)
      break
    case RTM_NEWLINK:
    case RTM_DELLINK:
      ctx.links.remember(message as LinkMessage)
      header(monitor, 'LINK', (message as LinkMessage).nsid)
      printLink(ctx, out, message as LinkMessage, monitor.links, false)
      break
    case RTM_NEWADDR:
    case RTM_DELADDR:
      header(monitor, 'ADDR', (message as AddrMessage).nsid)
      printAddress(ctx, out, message as AddrMessage, monitor.links)
      break
    case RTM_NEWADDRLABEL:
    case RTM_DELADDRLABEL:
      header(monitor, 'ADDRLABEL', undefined)
      printAddrlabel(ctx, out, message as AddrlabelMessage)
      break
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
    case RTM_GETNEIGH:
      showNeighbour(monitor, message as NeighMessage)
      break
    case RTM_NEWPREFIX:
      header(monitor, 'PREFIX', (message as PrefixMessage).nsid)
      printPrefix(ctx, out, message as PrefixMessage)
      break
    case RTM_NEWRULE:
    case RTM_DELRULE:
      header(monitor, 'RULE', (message as RuleMessage).nsid)
      printRule(ctx, out, message as RuleMessage)
      break
    case RTM_NEWNETCONF:
    case RTM_DELNETCONF: {
      const netconf = message as NetconfMessage
      header(monitor, 'NETCONF', netconf.nsid)
      if (monitor.ifindex === 0 || netconf.attrs.ifindex === monitor.ifindex) printNetconf(ctx, out, netconf)
      break
    }
    case RTM_NEWNSID:
    case RTM_DELNSID:
      header(monitor, 'NSID', undefined)
      if (message.type === RTM_DELNSID) out.text('Deleted ')
      printNsid(ctx, out, message as NsidMessage)
      break
    default:
      out.text(`Unknown message: type=${message.type} flags=${message.flags}\n`)
  }
}

/** Prints the routes and rules of a file of notifications. @returns the exit status */
function showFile(monitor: Monitor, path: string): number {
  const { ctx } = monitor
  let bytes: Uint8Array
  try {
    bytes = ctx.proc.readFile(path)
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new ToolExit(`Cannot fopen: ${strerror(error.errno)}\n`, EXIT_USAGE)
  }
  for (const message of readMessages(bytes)) {
    const decoded = decodeRoute(message) ?? decodeRule(message)
    if (decoded !== undefined) show(monitor, decoded)
  }
  return 0
}

export const run: IpObject = async (ctx, args) => {
  const monitor = parse(ctx, args)
  if (monitor.file !== undefined) return showFile(monitor, monitor.file)
  ctx.nl.subscribe(...groups(monitor))
  if (monitor.allNsid) ctx.nl.listenAllNsid()
  ctx.links.init()
  for (;;) {
    show(monitor, await ctx.nl.receive())
    await ctx.proc.stdout.flush()
  }
}
