/** `bridge vlan`: VLANs of bridges and their ports. */
import {
  BRIDGE_FLAGS_MASTER,
  BRIDGE_FLAGS_SELF,
  BRIDGE_VLAN_INFO_PVID,
  BRIDGE_VLAN_INFO_RANGE_BEGIN,
  BRIDGE_VLAN_INFO_RANGE_END,
  BRIDGE_VLAN_INFO_UNTAGGED,
  BRIDGE_VLANDB_DUMPF_GLOBAL,
  BRIDGE_VLANDB_DUMPF_STATS,
  type VlanDbEntry,
  type VlanDbMessage,
  type VlanGlobalOptions,
} from '../../src/uapi/if_bridge.ts'
import type { BridgeAfSpec } from '../../src/uapi/if_link.ts'
import { NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import {
  type LinkMessage,
  RTEXT_FILTER_BRVLAN,
  RTEXT_FILTER_BRVLAN_COMPRESSED,
  RTM_DELLINK,
  RTM_GETVLAN,
  RTM_NEWLINK,
  RTM_NEWVLAN,
  RTM_SETLINK,
  type RtMessage,
} from '../../src/uapi/rtnetlink.ts'
import { AF_BRIDGE } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { duparg, invarg } from '../lib/errors.ts'
import { atoi, getU32 } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import { linkMessage } from '../lib/rtnl.ts'
import { u8, u32, u64 } from '../lib/values.ts'
import { type BridgeContext, type BridgeObject, deviceIndex, failure, request, unknownCommand } from './context.ts'
import { VLAN_USAGE } from './help.ts'
import { readStpState } from './link.ts'
import {
  GLOBAL_OPTIONS,
  printRange,
  printVlanDb,
  printVlanFlags,
  printVlanHeader,
  printVlanStats,
  type VlanFilter,
  VlanListing,
} from './vlan_print.ts'

/** One VLAN or a range. */
interface VlanRange {
  vid: number
  end?: number
}

/** Reads `VID` or `VID-VID`; what is no number is 0. */
function readRange(word: string): VlanRange {
  const dash = word.indexOf('-')
  if (dash < 0) return { vid: atoi(word) }
  return { vid: atoi(word.slice(0, dash)), end: atoi(word.slice(dash + 1)) }
}

const MAX_VID = 4096

/** The command fails where a VLAN or a range cannot be one. */
function checkRange({ vid, end }: VlanRange): void {
  if (vid >= MAX_VID) throw failure(`Invalid VLAN ID "${vid & 0xffff}"`)
  if (end !== undefined && (end === -1 || end >= MAX_VID || vid >= end)) {
    throw failure(`Invalid VLAN range "${vid & 0xffff}-${end & 0xffff}"`)
  }
}

interface TunnelRange {
  readonly id: number
  readonly end?: number
}

/** Reads `id ID` or `id ID-ID` after `tunnel_info`. */
function readTunnel(a: Args): TunnelRange {
  a.next()
  if (!a.matches('id')) invarg('tunnel id expected', a.word)
  const [first, last] = a.next().split(/-(.*)/s)
  const id = (word: string): number => {
    const value = getU32(word)
    return value === undefined || value >= 1 << 24 ? invarg('invalid tun id', word) : value
  }
  return last === undefined ? { id: id(first!) } : { id: id(first!), end: id(last) }
}

function tunnelSpec({ vid, end }: VlanRange, tunnel: TunnelRange): NonNullable<BridgeAfSpec['tunnels']>[number] {
  if (end === undefined || end <= vid) return { id: tunnel.id, vid: vid & 0xffff, flags: 0 }
  return { id: tunnel.id, vid: vid & 0xffff, flags: 0, vidEnd: end & 0xffff, idEnd: tunnel.end ?? 0 }
}

function modify(ctx: BridgeContext, type: typeof RTM_SETLINK | typeof RTM_DELLINK, words: readonly string[]): number {
  const a = new Args(words)
  let dev: string | undefined
  let range: VlanRange | undefined
  let tunnel: TunnelRange | undefined
  let target = 0
  let flags = 0
  for (; a.more; a.skip()) {
    if (a.is('dev')) dev = a.next()
    else if (a.is('vid')) range = readRange(a.next())
    else if (a.is('self')) target |= BRIDGE_FLAGS_SELF
    else if (a.is('master')) target |= BRIDGE_FLAGS_MASTER
    else if (a.is('pvid')) flags |= BRIDGE_VLAN_INFO_PVID
    else if (a.is('untagged')) flags |= BRIDGE_VLAN_INFO_UNTAGGED
    else if (a.is('tunnel_info')) tunnel = readTunnel(a)
    else if (a.matches('help')) ctx.usage(VLAN_USAGE)
  }
  if (dev === undefined || range === undefined || range.vid === -1) {
    throw failure('Device and VLAN ID are required arguments.')
  }
  const message = linkMessage({ type, family: AF_BRIDGE })
  message.index = deviceIndex(ctx, dev, 'bridge device')
  checkRange(range)
  if (range.end !== undefined && (flags & BRIDGE_VLAN_INFO_PVID) !== 0) {
    throw failure('pvid cannot be configured for a vlan range')
  }
  const vid = range.vid & 0xffff
  const spec: BridgeAfSpec = target === 0 ? {} : { flags: target }
  if (tunnel !== undefined) spec.tunnels = [tunnelSpec(range, tunnel)]
  else spec.vlans = [range.end === undefined ? { flags, vid } : { flags, vid, vidEnd: range.end }]
  message.attrs.afSpec = { bridge: spec }
  request(ctx, message)
  return 0
}

/** Reads `dev DEV` and `vid VID` of a listing; other words but `help` are passed over. */
function readFilter(ctx: BridgeContext, words: readonly string[]): VlanFilter {
  const a = new Args(words)
  let dev: string | undefined
  let vlan = 0
  for (; a.more; a.skip()) {
    if (a.is('dev')) {
      const word = a.next()
      if (dev !== undefined) duparg('dev', word)
      dev = word
    } else if (a.is('vid')) {
      const word = a.next()
      if (vlan !== 0) duparg('vid', word)
      vlan = atoi(word)
    } else if (a.matches('help')) ctx.usage(VLAN_USAGE)
  }
  return { ifindex: dev === undefined ? 0 : deviceIndex(ctx, dev), vlan }
}

function dumpVlanDb(ctx: BridgeContext, dumpFlags: number): VlanDbMessage[] {
  const message: VlanDbMessage = {
    type: RTM_GETVLAN,
    flags: NLM_F_REQUEST,
    family: AF_BRIDGE,
    ifindex: 0,
    attrs: dumpFlags === 0 ? {} : { dumpFlags },
  }
  return ctx
    .dump(message, 'Dump ternminated\n')
    .filter((answer): answer is VlanDbMessage => answer.type === RTM_NEWVLAN)
}

function dumpPorts(ctx: BridgeContext, extMask: number): LinkMessage[] {
  const isLink = (answer: RtMessage): answer is LinkMessage =>
    (answer.type === RTM_NEWLINK || answer.type === RTM_DELLINK) && (answer as LinkMessage).family === AF_BRIDGE
  return ctx.dump(linkMessage({ family: AF_BRIDGE, attrs: { extMask } }), 'Dump ternminated\n').filter(isLink)
}

function showDatabase(ctx: BridgeContext, out: Printer, filter: VlanFilter, what: 'entries' | 'global'): void {
  const stats = ctx.opts.stats > 0 ? BRIDGE_VLANDB_DUMPF_STATS : 0
  const messages = dumpVlanDb(ctx, what === 'global' ? BRIDGE_VLANDB_DUMPF_GLOBAL : stats)
  printVlanHeader(out)
  const listing = new VlanListing(ctx, out)
  for (const message of messages) printVlanDb(ctx, out, message, filter, listing, what)
  listing.end()
}

/** Lists counters: those of bridges first, then those of ports. */
function showStats(ctx: BridgeContext, out: Printer, filter: VlanFilter): void {
  const ports = new Set<number>()
  for (const { index, attrs } of dumpPorts(ctx, 0))
    if (attrs.master !== undefined && attrs.master !== 0) ports.add(index)
  const messages = dumpVlanDb(ctx, BRIDGE_VLANDB_DUMPF_STATS)
  printVlanHeader(out, 'port              vlan-id')
  for (const isPort of [false, true]) {
    const listing = new VlanListing(ctx, out)
    for (const { ifindex, attrs } of messages) {
      if (ports.has(ifindex) !== isPort || (filter.ifindex !== 0 && filter.ifindex !== ifindex)) continue
      for (const entry of (attrs.entries ?? []).flatMap(singleVlans)) {
        if (filter.vlan !== 0 && filter.vlan !== entry.vid) continue
        listing.begin(ifindex)
        out.put('vid', entry.vid, String(entry.vid))
        printVlanFlags(out, entry.vlanFlags)
        out.nl()
        printVlanStats(out, entry.stats ?? { rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 })
        out.closeObject()
      }
    }
    listing.end()
  }
}

function singleVlans(entry: VlanDbEntry): VlanDbEntry[] {
  const list: VlanDbEntry[] = []
  for (let vid = entry.vid; vid <= (entry.rangeEnd ?? entry.vid); vid++) list.push({ ...entry, vid })
  return list
}

/** Lists what ports say of their VLANs, or of the tunnels of these. */
function showPorts(ctx: BridgeContext, out: Printer, filter: VlanFilter, what: 'vlans' | 'tunnels'): void {
  const links = dumpPorts(ctx, ctx.compressVlans ? RTEXT_FILTER_BRVLAN_COMPRESSED : RTEXT_FILTER_BRVLAN)
  printVlanHeader(out, `port              vlan-id  ${what === 'tunnels' ? '  tunnel-id' : ''}`)
  const listing = new VlanListing(ctx, out, what)
  for (const { index, attrs } of links) {
    if (filter.ifindex !== 0 && filter.ifindex !== index) continue
    const spec = attrs.afSpec?.bridge
    if (spec === undefined) {
      if (filter.vlan === 0 && !out.isJson) {
        out.text(ctx.links.indexToName(index), 'ifname')
        out.text('\tNone\n')
      }
      continue
    }
    if (what === 'vlans') printVlans(out, listing, index, filter.vlan, spec.vlans ?? [])
    else printTunnels(out, listing, index, filter.vlan, spec.tunnels ?? [])
    listing.end()
  }
}

function printVlans(
  out: Printer,
  listing: VlanListing,
  ifindex: number,
  wanted: number,
  vlans: NonNullable<BridgeAfSpec['vlans']>,
): void {
  for (const { vid, vidEnd, flags } of vlans) {
    const end = vidEnd ?? vid
    if (wanted > 0 && (wanted < vid || wanted > end)) continue
    listing.begin(ifindex)
    printRange(out, 'vlan', vid, end)
    const plain = flags & ~(BRIDGE_VLAN_INFO_RANGE_BEGIN | BRIDGE_VLAN_INFO_RANGE_END)
    printVlanFlags(out, vidEnd === undefined ? plain : plain | BRIDGE_VLAN_INFO_RANGE_END)
    out.closeObject()
    out.nl()
  }
}

function printTunnels(
  out: Printer,
  listing: VlanListing,
  ifindex: number,
  wanted: number,
  tunnels: NonNullable<BridgeAfSpec['tunnels']>,
): void {
  for (const { vid, vidEnd, id, idEnd } of tunnels) {
    const end = vidEnd ?? vid
    if (wanted > 0 && (wanted < vid || wanted > end)) continue
    listing.begin(ifindex)
    printRange(out, 'vlan', vid, end)
    const width = (vid === end ? `${vid}` : `${vid}-${end}`).length
    out.text(' '.repeat(Math.max(11 - width, 0)))
    printRange(out, 'tunid', id, idEnd ?? id)
    out.closeObject()
    out.nl()
  }
}

function show(ctx: BridgeContext, words: readonly string[], what: 'vlans' | 'tunnels'): number {
  const filter = readFilter(ctx, words)
  ctx.links.init()
  ctx.listing(out => {
    if (ctx.opts.details > 0 && what === 'vlans') showDatabase(ctx, out, filter, 'entries')
    else if (ctx.opts.stats > 0) showStats(ctx, out, filter)
    else showPorts(ctx, out, filter, what)
  })
  return 0
}

/** Reads the device and the VLANs of `set`; `option` reads the words that are neither. */
function readTarget(
  ctx: BridgeContext,
  words: readonly string[],
  option: (a: Args) => boolean,
): { readonly ifindex: number; readonly range: VlanRange } {
  const a = new Args(words)
  let ifindex: number | undefined
  let range: VlanRange | undefined
  for (; a.more; a.skip()) {
    if (a.is('dev')) ifindex = deviceIndex(ctx, a.next(), 'network device')
    else if (a.is('vid')) {
      range = readRange(a.next())
      checkRange(range)
    } else if (!option(a) && a.matches('help')) a.next()
  }
  if (ifindex === undefined || range === undefined || range.vid === -1) {
    throw failure('Device and VLAN ID are required arguments.')
  }
  return { ifindex, range }
}

function sendVlanDb(ctx: BridgeContext, ifindex: number, attrs: VlanDbMessage['attrs']): number {
  const message: VlanDbMessage = { type: RTM_NEWVLAN, flags: NLM_F_REQUEST, family: AF_BRIDGE, ifindex, attrs }
  request(ctx, message)
  return 0
}

function set(ctx: BridgeContext, words: readonly string[]): number {
  const entry: VlanDbEntry = { vid: 0, vlanFlags: 0 }
  const { ifindex, range } = readTarget(ctx, words, a => {
    if (a.is('state')) {
      const state = readStpState(a.next())
      if (state === undefined) throw failure('Error: invalid STP state')
      entry.state = state & 0xff
    } else if (a.is('mcast_router')) entry.mcastRouter = u8(a.next(), 'invalid mcast_router')
    else return false
    return true
  })
  entry.vid = range.vid & 0xffff
  if (range.end !== undefined) entry.rangeEnd = range.end
  return sendVlanDb(ctx, ifindex, { entries: [entry] })
}

const READERS = { 8: u8, 32: u32, 64: u64 }

function setGlobal(ctx: BridgeContext, words: readonly string[]): number {
  const options: VlanGlobalOptions = { vid: 0 }
  const { ifindex, range } = readTarget(ctx, words, a => {
    const option = GLOBAL_OPTIONS.find(([name]) => a.is(name))
    if (option === undefined) return false
    const [name, key, bits] = option
    options[key] = READERS[bits](a.next(), `invalid ${name}`)
    return true
  })
  options.vid = range.vid & 0xffff
  if (range.end !== undefined) options.rangeEnd = range.end
  return sendVlanDb(ctx, ifindex, { globalOptions: [options] })
}

function global(ctx: BridgeContext, words: readonly string[]): number {
  const a = new Args(words)
  const rest = words.slice(1)
  if (a.matches('set')) return setGlobal(ctx, rest)
  if (a.more && !a.matches('show') && !a.matches('lst') && !a.matches('list')) ctx.usage(VLAN_USAGE)
  const filter = readFilter(ctx, rest)
  ctx.links.init()
  ctx.listing(out => showDatabase(ctx, out, filter, 'global'))
  return 0
}

export const run: BridgeObject = (ctx, args) => {
  const a = new Args(args)
  if (!a.more) return show(ctx, [], 'vlans')
  const rest = args.slice(1)
  if (a.matches('add')) return modify(ctx, RTM_SETLINK, rest)
  if (a.matches('delete')) return modify(ctx, RTM_DELLINK, rest)
  if (a.matches('show') || a.matches('lst') || a.matches('list')) return show(ctx, rest, 'vlans')
  if (a.matches('tunnelshow')) return show(ctx, rest, 'tunnels')
  if (a.matches('set')) return set(ctx, rest)
  if (a.is('global')) return global(ctx, rest)
  if (a.matches('help')) ctx.usage(VLAN_USAGE)
  return unknownCommand('vlan', a.word)
}
