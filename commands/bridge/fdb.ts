/** `bridge fdb`: forwarding databases of bridges, VXLANs and devices. */
import { isSysError } from '../../src/uapi/errno.ts'
import { NLM_F_BULK } from '../../src/uapi/if_bridge.ts'
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../src/uapi/netlink.ts'
import type { Process } from '../../src/uapi/process.ts'
import {
  type NeighMessage,
  NTF_EXT_LEARNED,
  NTF_MASTER,
  NTF_OFFLOADED,
  NTF_ROUTER,
  NTF_SELF,
  NTF_STICKY,
  NTF_USE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  NUD_STALE,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  type RtMessage,
} from '../../src/uapi/rtnetlink.ts'
import { AF_BRIDGE, AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { duparg, duparg2, invarg } from '../lib/errors.ts'
import { getAddr } from '../lib/inet.ts'
import { llAddrN2a } from '../lib/lladdr.ts'
import { atoi, getU32, getUnsigned, scanInteger } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import { neighMessage } from '../lib/rtnl.ts'
import { type BridgeContext, type BridgeObject, deviceIndex, failure, request, unknownCommand } from './context.ts'
import { FDB_USAGE } from './help.ts'

/** What a listing selects; 0 any. */
export interface FdbFilter {
  ifindex: number
  vlan: number
  /** NUD_… wanted */
  state: number
  /** leave out permanent entries */
  dynamic: boolean
}

/** @returns a filter that selects everything */
export function fdbFilter(): FdbFilter {
  return { ifindex: 0, vlan: 0, state: 0, dynamic: false }
}

/** Names of states on the command line. */
const STATE_WORDS: ReadonlyMap<string, number> = new Map([
  ['permanent', NUD_PERMANENT],
  ['static', NUD_NOARP],
  ['temp', NUD_NOARP],
  ['stale', NUD_STALE],
  ['reachable', NUD_REACHABLE],
  ['dynamic', NUD_REACHABLE],
  ['all', 0xffff],
])

const FLAGS: readonly (readonly [number, string])[] = [
  [NTF_SELF, 'self'],
  [NTF_ROUTER, 'router'],
  [NTF_EXT_LEARNED, 'extern_learn'],
  [NTF_OFFLOADED, 'offload'],
  [NTF_MASTER, 'master'],
  [NTF_STICKY, 'sticky'],
]

function stateName(state: number): string {
  if ((state & NUD_PERMANENT) !== 0) return 'permanent'
  if ((state & NUD_NOARP) !== 0) return 'static'
  if ((state & NUD_STALE) !== 0) return 'stale'
  return (state & NUD_REACHABLE) !== 0 ? '' : `state=${state === 0 ? '' : '0x'}${state.toString(16)}`
}

/** @returns whether a filter selects an entry */
export function selectsFdb(filter: FdbFilter, entry: NeighMessage): boolean {
  if (entry.family !== AF_BRIDGE) return false
  if (filter.ifindex !== 0 && filter.ifindex !== entry.ifindex) return false
  if (filter.state !== 0 && (entry.state & filter.state) === 0) return false
  if (filter.vlan !== 0 && filter.vlan !== (entry.attrs.vlan ?? 0)) return false
  return !filter.dynamic || (entry.state & NUD_PERMANENT) === 0
}

/** Prints an entry of a forwarding database. */
export function printFdb(ctx: BridgeContext, out: Printer, entry: NeighMessage, filter: FdbFilter): void {
  const { attrs } = entry
  const number = (key: string, value: number | undefined, words = key): void => {
    if (value !== undefined) out.put(key, value, `${words} ${value} `)
  }
  out.openObject()
  if (entry.type === RTM_DELNEIGH) out.put('deleted', true, 'Deleted ')
  if (attrs.lladdr !== undefined) {
    const mac = llAddrN2a(attrs.lladdr, ctx.links.indexToType(entry.ifindex))
    out.put('mac', mac, `${mac} `, 'mac')
  }
  if (filter.ifindex === 0 && entry.ifindex !== 0) {
    const name = ctx.links.indexToName(entry.ifindex)
    out.text('dev ')
    out.put('ifname', name, `${name} `, 'ifname')
  }
  if (attrs.dst !== undefined) {
    const six = attrs.dst.length === 16
    const dst = ctx.formatHost(six ? AF_INET6 : AF_INET, attrs.dst)
    out.put('dst', dst, `dst ${dst} `, six ? 'inet6' : 'inet')
  }
  if (attrs.vlan !== undefined && attrs.vlan !== 0) number('vlan', attrs.vlan)
  number('port', attrs.port)
  number('vni', attrs.vni)
  number('src_vni', attrs.srcVni)
  if (attrs.ifindex !== undefined) {
    const name = ctx.links.indexToName(attrs.ifindex)
    if (attrs.linkNetnsid !== undefined) number('viaIfIndex', attrs.ifindex, 'via ifindex')
    else out.put('viaIf', name, `via ${name} `)
  }
  number('nhid', attrs.nhId)
  number('linkNetNsId', attrs.linkNetnsid, 'link-netnsid')
  if (ctx.opts.stats > 0 && attrs.cacheinfo !== undefined) {
    const used = Math.trunc(attrs.cacheinfo.used / 100)
    const updated = Math.trunc(attrs.cacheinfo.updated / 100)
    out.json('used', used)
    out.json('updated', updated)
    out.text(`used ${used}/${updated} `)
  }
  out.openArray('flags')
  for (const [bit, name] of FLAGS) if ((entry.ndmFlags & bit) !== 0) out.put(undefined, name, `${name} `)
  out.closeArray()
  if (attrs.master !== undefined) {
    const master = ctx.links.indexToName(attrs.master)
    out.put('master', master, `master ${master} `)
  }
  out.put('state', stateName(entry.state), `${stateName(entry.state)}\n`)
  out.closeObject()
}

function list(ctx: BridgeContext, answers: readonly RtMessage[], filter: FdbFilter): void {
  ctx.listing(out => {
    for (const answer of answers) {
      if (answer.type !== RTM_NEWNEIGH) continue
      const entry = answer as NeighMessage
      if (selectsFdb(filter, entry)) printFdb(ctx, out, entry, filter)
    }
  })
}

function show(ctx: BridgeContext, words: readonly string[]): number {
  const a = new Args(words)
  const filter = fdbFilter()
  let dev: string | undefined
  let bridge: string | undefined
  for (; a.more; a.skip()) {
    if (a.is('brport', 'dev')) dev = a.next()
    else if (a.is('br')) bridge = a.next()
    else if (a.is('vlan')) {
      const word = a.next()
      if (filter.vlan !== 0) duparg('vlan', word)
      filter.vlan = atoi(word)
    } else if (a.is('state')) {
      const word = a.next()
      const state = STATE_WORDS.get(word) ?? getUnsigned(word) ?? invarg('invalid state', word)
      filter.state |= state
    } else if (a.is('dynamic')) filter.dynamic = true
    else if (a.matches('help')) ctx.usage(FDB_USAGE)
  }
  const message = neighMessage({ family: AF_BRIDGE })
  if (bridge !== undefined) message.attrs.master = deviceIndex(ctx, bridge, 'bridge device')
  if (dev !== undefined) {
    filter.ifindex = deviceIndex(ctx, dev)
    message.ifindex = filter.ifindex
  }
  ctx.links.init()
  list(ctx, ctx.dump(message), filter)
  return 0
}

/** A UDP port by number or by its name in /etc/services. */
function readPort(proc: Process, word: string): number {
  const { value, length } = scanInteger(word)
  if (length === word.length && value >= 0n && value <= 0xffffn) return Number(value)
  return (length === word.length ? undefined : servicePort(proc, word)) ?? invarg('invalid port\n', word)
}

function servicePort(proc: Process, name: string): number | undefined {
  let text = ''
  try {
    text = new TextDecoder().decode(proc.readFile('/etc/services'))
  } catch (error) {
    if (!isSysError(error)) throw error
  }
  for (const line of text.split('\n')) {
    const [service, port, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/)
    const match = /^(\d+)\/udp$/.exec(port ?? '')
    if (match !== null && (service === name || aliases.includes(name))) return Number(match[1])
  }
  return undefined
}

/** A VXLAN id of 24 bits. @param what its name in the complaint */
function readVni(word: string, what: string): number {
  const { value, length } = scanInteger(word)
  if (length !== word.length || value < 0n || value >> 24n !== 0n) invarg(`invalid ${what}\n`, word)
  return Number(value)
}

/** A link-layer address of six groups, or the failure `Invalid mac address x`. */
function readMac(word: string): Uint8Array {
  const match = /^\s*([\da-f]{1,2}):([\da-f]{1,2}):([\da-f]{1,2}):([\da-f]{1,2}):([\da-f]{1,2}):([\da-f]{1,2})/i.exec(
    word,
  )
  if (match === null) throw failure(`Invalid mac address ${word}`)
  return Uint8Array.from(match.slice(1), group => Number.parseInt(group, 16))
}

/** Words of `add` that set flags; of these with `whole` no abbreviation is known. */
const FLAG_WORDS: readonly { readonly word: string; readonly whole?: boolean; readonly flag: number }[] = [
  { word: 'self', whole: true, flag: NTF_SELF },
  { word: 'master', flag: NTF_MASTER },
  { word: 'router', flag: NTF_ROUTER },
]
const LATE_FLAG_WORDS: typeof FLAG_WORDS = [
  { word: 'use', flag: NTF_USE },
  { word: 'extern_learn', flag: NTF_EXT_LEARNED },
  { word: 'sticky', flag: NTF_STICKY },
]

function flagOf(a: Args, table: typeof FLAG_WORDS): number | undefined {
  return table.find(({ word, whole }) => (whole === true ? a.is(word) : a.matches(word)))?.flag
}

/** Reads the address word of `add` and `get`: `to ADDR` or `ADDR`. */
function addressWord(ctx: BridgeContext, a: Args, before: string | undefined): string {
  const word = a.is('to') ? a.next() : a.word
  if (a.matches('help')) ctx.usage(FDB_USAGE)
  if (before !== undefined) duparg2('to', word)
  return word
}

function modify(
  ctx: BridgeContext,
  type: typeof RTM_NEWNEIGH | typeof RTM_DELNEIGH,
  flags: number,
  words: readonly string[],
): number {
  const a = new Args(words)
  const message = neighMessage({ type, flags, family: AF_BRIDGE, state: NUD_NOARP })
  const { attrs } = message
  let dev: string | undefined
  let address: string | undefined
  for (; a.more; a.skip()) {
    const flag = flagOf(a, FLAG_WORDS)
    const late = flagOf(a, LATE_FLAG_WORDS)
    if (a.is('dev')) dev = a.next()
    else if (a.is('dst')) {
      const word = a.next()
      if (attrs.dst !== undefined) duparg2('dst', word)
      attrs.dst = getAddr(word, ctx.opts.family).data
    } else if (a.is('nhid')) attrs.nhId = getU32(a.next()) ?? invarg('"id" value is invalid\n', a.word)
    else if (a.is('port')) attrs.port = readPort(ctx.proc, a.next())
    else if (a.is('vni')) attrs.vni = readVni(a.next(), 'VNI')
    else if (a.is('src_vni')) attrs.srcVni = readVni(a.next(), 'src VNI')
    else if (a.is('via')) attrs.ifindex = deviceIndex(ctx, a.next())
    else if (flag !== undefined) message.ndmFlags |= flag
    else if (a.matches('local') || a.matches('permanent')) message.state |= NUD_PERMANENT
    else if (a.matches('temp') || a.matches('static')) message.state |= NUD_REACHABLE
    else if (a.matches('dynamic')) {
      message.state |= NUD_REACHABLE
      message.state &= ~NUD_NOARP
    } else if (a.matches('vlan')) {
      if (attrs.vlan !== undefined) duparg2('vlan', a.word)
      attrs.vlan = atoi(a.next()) & 0xffff
    } else if (late !== undefined) message.ndmFlags |= late
    else address = addressWord(ctx, a, address)
  }
  if (dev === undefined || address === undefined) throw failure('Device and address are required arguments.')
  if (attrs.nhId !== undefined && (attrs.dst ?? attrs.port ?? attrs.vni) !== undefined) {
    throw failure('dst, port, vni are mutually exclusive with nhid')
  }
  if ((message.ndmFlags & (NTF_SELF | NTF_MASTER)) === 0) message.ndmFlags |= NTF_SELF
  if ((message.state & (NUD_PERMANENT | NUD_REACHABLE)) === 0) message.state |= NUD_PERMANENT
  attrs.lladdr = readMac(address)
  if (attrs.port === 0) delete attrs.port
  message.ifindex = deviceIndex(ctx, dev)
  request(ctx, message)
  return 0
}

function get(ctx: BridgeContext, words: readonly string[]): number {
  const a = new Args(words)
  const message = neighMessage({ type: RTM_GETNEIGH, family: AF_BRIDGE })
  const { attrs } = message
  const filter = fdbFilter()
  let dev: string | undefined
  let bridge: string | undefined
  let address: string | undefined
  for (; a.more; a.skip()) {
    if (a.is('brport', 'dev')) dev = a.next()
    else if (a.is('br')) bridge = a.next()
    else if (a.is('vni')) attrs.vni = readVni(a.next(), 'VNI')
    else if (a.is('self')) message.ndmFlags |= NTF_SELF
    else if (a.matches('master')) message.ndmFlags |= NTF_MASTER
    else if (a.matches('vlan')) {
      if (attrs.vlan !== undefined) duparg2('vlan', a.word)
      attrs.vlan = atoi(a.next()) & 0xffff
    } else if (a.matches('dynamic')) filter.dynamic = true
    else address = addressWord(ctx, a, address)
  }
  if ((dev === undefined && bridge === undefined) || address === undefined) {
    throw failure('Device or master and address are required arguments.')
  }
  attrs.lladdr = readMac(address)
  if (dev !== undefined) message.ifindex = deviceIndex(ctx, dev)
  if (bridge !== undefined) attrs.master = deviceIndex(ctx, bridge, 'bridge device')
  list(ctx, request(ctx, message, 254), filter)
  return 0
}

/** Words of `flush` with `no…` before them: flags or states that must be set, and those compared. */
const FLUSH_WORDS: readonly {
  readonly word: string
  readonly flag?: number
  readonly set?: number
  readonly mask?: number
}[] = [
  { word: 'permanent', set: NUD_PERMANENT, mask: NUD_PERMANENT },
  { word: 'nopermanent', mask: NUD_PERMANENT },
  { word: 'static', set: NUD_NOARP, mask: NUD_NOARP | NUD_PERMANENT },
  { word: 'nostatic', mask: NUD_NOARP },
  { word: 'dynamic', mask: NUD_NOARP | NUD_PERMANENT },
  { word: 'nodynamic', set: NUD_NOARP, mask: NUD_NOARP },
  { word: 'added_by_user', flag: NTF_USE },
  { word: 'extern_learn', flag: NTF_EXT_LEARNED },
  { word: 'sticky', flag: NTF_STICKY },
  { word: 'offloaded', flag: NTF_OFFLOADED },
]

function flush(ctx: BridgeContext, words: readonly string[]): number {
  const a = new Args(words)
  const message = neighMessage({ type: RTM_DELNEIGH, flags: NLM_F_BULK, family: AF_BRIDGE })
  const { attrs } = message
  let dev: string | undefined
  let port: string | undefined
  let flags = 0
  let flagsMask = 0
  let state = 0
  let stateMask = 0
  for (; a.more; a.skip()) {
    const criterion = FLUSH_WORDS.find(({ word, flag }) => a.is(word) || (flag !== undefined && a.is(`no${word}`)))
    if (a.is('dev')) dev = a.next()
    else if (a.is('brport')) port = a.next()
    else if (a.is('vlan')) {
      if (attrs.vlan !== undefined) duparg2('vlan', a.word)
      const vid = atoi(a.next())
      if (vid >= 4096) throw failure(`Invalid VLAN ID "${vid}"`)
      attrs.vlan = vid & 0xffff
    } else if (a.is('self')) message.ndmFlags |= NTF_SELF
    else if (a.is('master')) message.ndmFlags |= NTF_MASTER
    else if (criterion?.flag !== undefined) {
      flagsMask |= criterion.flag
      flags = a.is(criterion.word) ? flags | criterion.flag : flags & ~criterion.flag
    } else if (criterion?.mask !== undefined) {
      stateMask |= criterion.mask
      state = (state & ~criterion.mask) | (criterion.set ?? 0)
    } else if (a.matches('help')) a.next()
  }
  if (dev === undefined) throw failure('Device is a required argument.')
  message.ifindex = deviceIndex(ctx, dev, 'bridge device')
  if (port !== undefined) attrs.ifindex = deviceIndex(ctx, port, 'bridge port device')
  if ((message.ndmFlags & (NTF_SELF | NTF_MASTER)) === 0) message.ndmFlags |= NTF_SELF
  message.ndmFlags |= flags
  message.state = state
  if (flagsMask !== 0) attrs.ndmFlagsMask = flagsMask
  if (stateMask !== 0) attrs.ndmStateMask = stateMask
  request(ctx, message)
  return 0
}

export const run: BridgeObject = (ctx, args) => {
  const a = new Args(args)
  if (!a.more) return show(ctx, [])
  const rest = args.slice(1)
  if (a.matches('add')) return modify(ctx, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, rest)
  if (a.matches('append')) return modify(ctx, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND, rest)
  if (a.matches('replace')) return modify(ctx, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, rest)
  if (a.matches('delete')) return modify(ctx, RTM_DELNEIGH, 0, rest)
  if (a.matches('get')) return get(ctx, rest)
  if (a.matches('show') || a.matches('lst') || a.matches('list')) return show(ctx, rest)
  if (a.is('flush')) return flush(ctx, rest)
  if (a.matches('help')) ctx.usage(FDB_USAGE)
  return unknownCommand('fdb', a.word)
}
