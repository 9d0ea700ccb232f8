/** /proc/net/route, /proc/net/fib_trie, /proc/net/fib_triestat. */
import {
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_SITE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTN_BROADCAST,
  RTN_MULTICAST,
  RTN_PROHIBIT,
  RTN_UNREACHABLE,
} from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import type { Net } from '../core/net_namespace.ts'
import { procCreateNet } from '../core/procfs.ts'
import type { FibAlias } from './fib_alias.ts'
import { RTAX_ADVMSS, RTAX_RTT, RTAX_WINDOW } from './fib_metrics.ts'
import { fibInfoNhc } from './fib_semantics.ts'
import { type FibTable, fibKey } from './fib_table.ts'
import type { FibTrie, TrieNode } from './fib_trie.ts'
import { inetMakeMask } from './in_device.ts'
import { addrText } from './inet_addr.ts'

/** Flags of /proc/net/route, see route(8). */
const RTF_UP = 0x0001
const RTF_GATEWAY = 0x0002
const RTF_HOST = 0x0004
const RTF_REJECT = 0x0200

/** Width of a line of /proc/net/route without its line end. */
const LINE = 127

/** Sizes of the reference kernel's structures, bytes. */
const LEAF_SIZE = 48
const TNODE_SIZE = 40
const ALIAS_SIZE = 56
const POINTER_SIZE = 8
/** Nodes wider than this are not counted by size. */
const MAX_STAT_DEPTH = 32

/** @returns 8 hexadecimal digits of an address as a little-endian machine prints its network-order bytes */
function hex(addr: number): string {
  const swapped = ((addr & 0xff) << 24) | ((addr & 0xff00) << 8) | ((addr >>> 8) & 0xff00) | (addr >>> 24)
  return (swapped >>> 0).toString(16).toUpperCase().padStart(8, '0')
}

function routeLine(key: number, fa: FibAlias): string {
  const fi = fa.info
  const mask = inetMakeMask(32 - fa.slen)
  const nhc = fibInfoNhc(fi, 0)
  const gw = nhc.gwFamily === AF_INET ? nhc.gw4 : 0
  let flags = RTF_UP
  if (fa.type === RTN_UNREACHABLE || fa.type === RTN_PROHIBIT) flags |= RTF_REJECT
  if (gw !== 0) flags |= RTF_GATEWAY
  if (mask === 0xffffffff) flags |= RTF_HOST
  const { metrics } = fi
  const advmss = metrics.raw(RTAX_ADVMSS)
  return [
    nhc.dev?.name ?? '*',
    hex(key),
    hex(gw),
    flags.toString(16).toUpperCase().padStart(4, '0'),
    0,
    0,
    fi.priority | 0,
    hex(mask),
    advmss !== 0 ? advmss + 40 : 0,
    metrics.raw(RTAX_WINDOW),
    metrics.raw(RTAX_RTT) >>> 3,
  ].join('\t')
}

const ROUTE_HEADER = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'

function showRoutes(net: Net): string {
  const lines = [ROUTE_HEADER]
  net.at(fibKey).main?.each((key, fa) => {
    if (fa.type !== RTN_BROADCAST && fa.type !== RTN_MULTICAST) lines.push(routeLine(key, fa))
    return true
  })
  return lines.map(line => `${line.padEnd(LINE)}\n`).join('')
}

function tableTitle(table: FibTable): string {
  if (table.id === RT_TABLE_LOCAL) return 'Local:\n'
  return table.id === RT_TABLE_MAIN ? 'Main:\n' : `Id ${table.id | 0}:\n`
}

const SCOPES = new Map<number, string>([
  [RT_SCOPE_UNIVERSE, 'universe'],
  [RT_SCOPE_SITE, 'site'],
  [RT_SCOPE_LINK, 'link'],
  [RT_SCOPE_HOST, 'host'],
  [RT_SCOPE_NOWHERE, 'nowhere'],
])

const TYPES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
  'THROW',
  'NAT',
  'XRESOLVE',
]

function showNode(n: TrieNode, depth: number): string {
  const indent = '   '.repeat(depth)
  if (n.bits === 0) {
    let text = `${indent}  |-- ${addrText(n.key >>> 0)}\n`
    for (const fa of n.aliases) {
      const scope = SCOPES.get(fa.info.scope) ?? `scope=${fa.info.scope}`
      const tos = fa.tos !== 0 ? ` tos=${fa.tos}` : ''
      text += `${indent}     /${32 - fa.slen} ${scope} ${TYPES[fa.type] ?? `type ${fa.type}`}${tos}\n`
    }
    return text
  }
  let text = `${indent}  +-- ${addrText(n.key >>> 0)}/${32 - n.pos - n.bits} ${n.bits} ${n.full} ${n.empty}\n`
  for (const child of n.child) if (child !== null) text += showNode(child, depth + 1)
  return text
}

function showTrie(net: Net): string {
  let text = ''
  for (const table of net.at(fibKey).inOrder()) {
    const top = table.trie.root.child[0]!
    if (top !== null) text += tableTitle(table) + showNode(top, 0)
  }
  return text
}

/** What a trie is made of (`trie_stat`). */
class TrieStat {
  leaves = 0
  prefixes = 0
  tnodes = 0
  nullPointers = 0
  totalDepth = 0
  maxDepth = 0
  readonly sizes: number[] = new Array<number>(MAX_STAT_DEPTH).fill(0)

  constructor(trie: FibTrie) {
    const top = trie.root.child[0]!
    if (top !== null) this.count(top, 0)
  }

  private count(n: TrieNode, depth: number): void {
    if (n.bits === 0) {
      this.leaves++
      this.totalDepth += depth
      this.maxDepth = Math.max(this.maxDepth, depth)
      this.prefixes += n.aliases.length
      return
    }
    this.tnodes++
    if (n.bits < MAX_STAT_DEPTH) this.sizes[n.bits]!++
    this.nullPointers += n.empty
    for (const child of n.child) if (child !== null) this.count(child, depth + 1)
  }

  toString(): string {
    const depth = this.leaves === 0 ? 0 : Math.floor((this.totalDepth * 100) / this.leaves)
    let pointers = 0
    let sizes = ''
    for (let bits = 1; bits < MAX_STAT_DEPTH; bits++) {
      if (this.sizes[bits] === 0) continue
      sizes += `  ${bits}: ${this.sizes[bits]}`
      pointers += 2 ** bits * this.sizes[bits]!
    }
    const bytes =
      LEAF_SIZE * this.leaves + ALIAS_SIZE * this.prefixes + TNODE_SIZE * this.tnodes + POINTER_SIZE * pointers
    return (
      `\tAver depth:     ${Math.floor(depth / 100)}.${String(depth % 100).padStart(2, '0')}\n` +
      `\tMax depth:      ${this.maxDepth}\n` +
      `\tLeaves:         ${this.leaves}\n` +
      `\tPrefixes:       ${this.prefixes}\n` +
      `\tInternal nodes: ${this.tnodes}\n\t${sizes}\n` +
      `\tPointers: ${pointers}\n` +
      `Null ptrs: ${this.nullPointers}\n` +
      `Total size: ${Math.ceil(bytes / 1024)}  kB\n`
    )
  }
}

function showTrieStat(net: Net): string {
  let text = `Basic info: size of leaf: ${LEAF_SIZE} bytes, size of tnode: ${TNODE_SIZE} bytes.\n`
  for (const table of net.at(fibKey).inOrder()) {
    const { stats } = table.trie
    text += tableTitle(table) + new TrieStat(table.trie).toString()
    text += `\nCounters:\n---------\ngets = ${stats.gets}\nbacktracks = ${stats.backtracks}\n`
    text += `semantic match passed = ${stats.passed}\nsemantic match miss = ${stats.missed}\n`
    text += `null node hit= ${stats.nullNodes}\nskipped node resize = 0\n\n`
  }
  return text
}

/** Registers the files of a namespace. */
export function fibProcInit(net: Net): void {
  procCreateNet(net, 'fib_trie', () => showTrie(net))
  procCreateNet(net, 'fib_triestat', () => showTrieStat(net))
  procCreateNet(net, 'route', () => showRoutes(net))
}
