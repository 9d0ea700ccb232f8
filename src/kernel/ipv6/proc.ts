/** /proc/net files of IPv6: counters, addresses, groups, routes. */

import { NSEC_PER_SEC, USER_HZ } from '../core/clock.ts'
import { type KernfsNode, KernfsTable, kernfsText } from '../core/kernfs.ts'
import type { Net } from '../core/net_namespace.ts'
import { pernetKey } from '../core/net_namespace.ts'
import { procCreateNet, procSetNet } from '../core/procfs.ts'
import { addrHex } from './addr.ts'
import { anycast6Show } from './anycast.ts'
import { tableRoutes } from './fib6_trie.ts'
import { type Inet6Dev, in6Dev } from './if_inet6.ts'
import { inet6AddrsKey } from './inet6_addr.ts'
import { type Fib6Info, fib6Key, RTF_GATEWAY, RTF_NONEXTHOP, RTF_REJECT } from './ip6_fib.ts'
import { MAF_TIMER_RUNNING } from './mcast.ts'
import { nexthopLegs } from './nexthop6.ts'
import { ICMP6_NAMES, IPSTATS_NAMES, type Snmp6, snmp6Key, UDP6_NAMES } from './snmp.ts'

/** Message types with a counter name of their own. */
const ICMP6_TYPES: readonly (readonly [name: string, type: number])[] = [
  ['DestUnreachs', 1],
  ['PktTooBigs', 2],
  ['TimeExcds', 3],
  ['ParmProblems', 4],
  ['Echos', 128],
  ['EchoReplies', 129],
  ['GroupMembQueries', 130],
  ['GroupMembResponses', 131],
  ['GroupMembReductions', 132],
  ['RouterSolicits', 133],
  ['RouterAdvertisements', 134],
  ['NeighborSolicits', 135],
  ['NeighborAdvertisements', 136],
  ['Redirects', 137],
  ['MLDv2Reports', 143],
]

function line(name: string, value: number): string {
  return `${name.padEnd(32)}\t${value}\n`
}

/** The IP and ICMPv6 counters. */
function snmp6Text(stats: Snmp6): string {
  let text = ''
  IPSTATS_NAMES.forEach((name, i) => {
    text += line(name, stats.ip[i]!)
  })
  ICMP6_NAMES.forEach((name, i) => {
    text += line(name, stats.icmp[i]!)
  })
  for (const [direction, base] of [
    ['In', 0],
    ['Out', 256],
  ] as const)
    for (const [name, type] of ICMP6_TYPES) text += line(`Icmp6${direction}${name}`, stats.icmpMsg[base + type]!)
  for (let i = 0; i < 512; i++) {
    const value = stats.icmpMsg[i]!
    if (value !== 0) text += line(`Icmp6${i < 256 ? 'In' : 'Out'}Type${i & 255}`, value)
  }
  return text
}

function snmp6Show(net: Net): string {
  const stats = net.at(snmp6Key)
  let text = snmp6Text(stats)
  for (const [prefix, values, names] of [
    ['Udp6', stats.udp, UDP6_NAMES],
    ['UdpLite6', stats.udplite, UDP6_NAMES.filter(name => name !== 'IgnoredMulti')],
  ] as const)
    for (const name of names) text += line(prefix + name, values[UDP6_NAMES.indexOf(name)]!)
  return text
}

const devSnmpKey = pernetKey<KernfsTable>('dev_snmp6')

/** Gives a device its file in /proc/net/dev_snmp6, under its present name. */
export function snmp6RegisterDev(idev: Inet6Dev): void {
  const { dev } = idev
  const dir = dev.net.at(devSnmpKey)
  for (const name of [...dir.list()]) {
    const other = dev.net.devByName(name)
    if (other === undefined || other === dev) dir.delete(name)
  }
  const node: KernfsNode = kernfsText(() => line('ifIndex', dev.ifindex) + snmp6Text(idev.stats))
  dir.set(dev.name, node)
}

/** Takes it away. */
export function snmp6UnregisterDev(net: Net, name: string): void {
  net.at(devSnmpKey).delete(name)
}

function hex(value: number, width: number): string {
  return (value >>> 0).toString(16).padStart(width, '0')
}

/** /proc/net/if_inet6 */
function ifInet6Show(net: Net): string {
  let text = ''
  for (const ifp of net.at(inet6AddrsKey).all) {
    const { dev } = ifp.idev
    const columns = [hex(dev.ifindex, 2), hex(ifp.prefixLen, 2), hex(ifp.scope, 2), hex(ifp.flags & 0xff, 2)]
    text += `${addrHex(ifp.addr)} ${columns.join(' ')} ${dev.name.padStart(8)}\n`
  }
  return text
}

/** /proc/net/igmp6 */
function igmp6Show(net: Net): string {
  let text = ''
  const { now } = net.kernel.clock
  for (const dev of net.devices.values())
    for (const mc of in6Dev(dev)?.mcList ?? []) {
      const running = (mc.flags & MAF_TIMER_RUNNING) !== 0
      const timer = running ? Math.floor(((mc.timer.expires - now) * USER_HZ) / NSEC_PER_SEC) : 0
      const users = String(mc.users).padStart(5)
      const flags = hex(mc.flags, 8).toUpperCase()
      text += `${String(dev.ifindex).padEnd(4)} ${dev.name.padEnd(15)} ${addrHex(mc.addr)} ${users} ${flags} ${timer}\n`
    }
  return text
}

/** A route's line in /proc/net/ipv6_route. */
function routeLine(rt: Fib6Info): string {
  const nh = rt.nh ?? (rt.nhObject === undefined ? undefined : nexthopLegs(rt.nhObject)[0])
  let flags = rt.flags
  let gateway = '0'.repeat(32)
  if (nh?.gw !== undefined) {
    flags |= RTF_GATEWAY
    gateway = addrHex(nh.gw)
  }
  const refs = rt.refs + (nh?.rt?.from === rt ? 1 : 0)
  const numbers = [rt.metric, refs, 0, flags].map(value => hex(value, 8)).join(' ')
  const src = rt.srcLen > 0 ? `${addrHex(rt.src)} ${hex(rt.srcLen, 2)}` : `${'0'.repeat(32)} 00`
  return `${addrHex(rt.dst)} ${hex(rt.dstLen, 2)} ${src} ${gateway} ${numbers} ${(nh?.dev.name ?? '').padStart(8)}\n`
}

/** /proc/net/ipv6_route: every table ends with its last resort, unless it has a default route. */
function ipv6RouteShow(net: Net): string {
  const zeros = '0'.repeat(32)
  // the last resort is also at the top of every trie of source prefixes
  const last = [0xffffffff, 1 + net.at(fib6Key).subtrees, 0, RTF_REJECT | RTF_NONEXTHOP]
    .map(value => hex(value, 8))
    .join(' ')
  let text = ''
  for (const table of net.at(fib6Key).inOrder()) {
    for (const rt of tableRoutes(table)) text += routeLine(rt)
    if (table.root.leaf === undefined) text += `${zeros} 00 ${zeros} 00 ${zeros} ${last}       lo\n`
  }
  return text
}

/** @returns how many dst objects of a route count against the limit: those that packets of many flows share do not */
function countedDsts(rt: Fib6Info): number {
  return rt.nh?.exceptions?.size ?? 0
}

/** /proc/net/rt6_stats */
function rt6StatsShow(net: Net): string {
  const fib = net.at(fib6Key)
  const { nodes, routeNodes, rtAlloc, rtEntries, rtCache, discarded } = fib.stats
  let dsts = 0
  for (const table of fib.inOrder()) for (const rt of tableRoutes(table)) dsts += countedDsts(rt)
  return `${[nodes, routeNodes, rtAlloc, rtEntries, rtCache, dsts, discarded].map(v => hex(v, 4)).join(' ')}\n`
}

/** Registers the files of a namespace. */
export function ipv6ProcInit(net: Net): void {
  const dir = new KernfsTable(true)
  net.set(devSnmpKey, dir)
  procSetNet(net, 'dev_snmp6', dir)
  procCreateNet(net, 'snmp6', () => snmp6Show(net))
  procCreateNet(net, 'if_inet6', () => ifInet6Show(net))
  procCreateNet(net, 'igmp6', () => igmp6Show(net))
  procCreateNet(
    net,
    'mcfilter6',
    () => 'Idx Device                Multicast Address                   Source Address    INC    EXC\n',
  )
  procCreateNet(net, 'anycast6', () => anycast6Show(net))
  procCreateNet(net, 'ipv6_route', () => ipv6RouteShow(net))
  procCreateNet(net, 'rt6_stats', () => rt6StatsShow(net))
}
