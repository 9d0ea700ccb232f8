/** `ip nexthop`: next hop objects, their groups and the buckets of resilient groups, see ip-nexthop(8). */
import { NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import {
  type NexthopGroupEntry,
  type NexthopMessage,
  RTM_DELNEXTHOP,
  RTM_GETNEXTHOP,
  RTM_NEWNEXTHOP,
  RTNH_F_ONLINK,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { getAddr, readFamily } from '../lib/inet.ts'
import { getU16, getUnsigned } from '../lib/number.ts'
import { asNetlinkError, netlinkErrorText } from '../lib/rtnl.ts'
import type { IpContext, IpObject } from './context.ts'
import { NEXTHOP_USAGE } from './help/nexthop.ts'
import { parseEncap } from './lwtunnel.ts'
import { runBuckets } from './nexthop_bucket.ts'
import { nexthopMessage } from './nexthop_message.ts'
import { NEXTHOP_GRP_TYPE_RES, printNexthop } from './nexthop_print.ts'
import { vrfIndex } from './vrf_table.ts'

/** Reads an id. */
export function parseNexthopId(word: string): number {
  return getUnsigned(word) ?? invarg('invalid id value', word)
}

/** Reads the index of a device, or complains in this object's words. */
export function requireDevice(ctx: IpContext, word: string): number {
  const index = ctx.links.nameToIndex(word)
  return index === 0 ? invarg('Device does not exist\n', word) : index
}

/** Reads the index of a VRF device. */
export function requireVrf(ctx: IpContext, word: string): number {
  const index = vrfIndex(ctx, word)
  return index === 0 ? invarg('Invalid VRF\n', word) : index
}

/** Reads `ID[,WEIGHT]/ID[,WEIGHT]/…`. */
function parseGroup(word: string): NexthopGroupEntry[] {
  if (word === '') invarg('"group" value is invalid\n', word)
  return word.split('/').map(item => {
    const comma = item.indexOf(',')
    const idWord = comma < 0 ? item : item.slice(0, comma)
    // the complaint names the first item: its text was cut there by then
    const first = word.split('/')[0]!.split(',')[0]!
    const id = getUnsigned(idWord) ?? invarg('"group" value is invalid\n', first)
    if (comma < 0) return { id, weight: 0 }
    const weightWord = item.slice(comma + 1)
    const weight = getUnsigned(weightWord)
    if (weight === undefined || weight === 0 || weight > 256) invarg('"weight" is invalid\n', weightWord)
    return { id, weight: weight - 1 }
  })
}

/** Longest timer, seconds, whose hundredths fit. */
const TIMER_LIMIT = (2 ** 64 - 1) / 100

function parseTimer(word: string, message: string): number {
  const seconds = getUnsigned(word)
  if (seconds === undefined || seconds >= TIMER_LIMIT) invarg(message, word)
  return (seconds * 100) % 2 ** 32
}

/** Reads what follows `type`; the cursor is left on the last word read. */
function parseGroupType(nexthop: NexthopMessage, a: Args): void {
  const { attrs } = nexthop
  const word = a.next()
  const types = ['mpath', 'resilient']
  const type = types.indexOf(word)
  if (type < 0) invarg('"type" value is invalid\n', word)
  attrs.groupType = type
  if (type !== NEXTHOP_GRP_TYPE_RES || a.left <= 1) return
  const group: NonNullable<NexthopMessage['attrs']['resGroup']> = {}
  attrs.resGroup = group
  let end = a.pos
  for (a.skip(); a.more; a.skip()) {
    if (a.is('buckets')) {
      const value = a.next()
      group.buckets = getU16(value) ?? invarg('invalid buckets value', value)
    } else if (a.is('idle_timer')) group.idleTimer = parseTimer(a.next(), 'invalid idle timer value')
    else if (a.is('unbalanced_timer')) group.unbalancedTimer = parseTimer(a.next(), 'invalid unbalanced timer value')
    else break
    end = a.pos
  }
  a.pos = end
}

function parseVia(nexthop: NexthopMessage, a: Args): void {
  const named = readFamily(a.next())
  if (named !== undefined) a.next()
  const address = getAddr(a.word, named ?? nexthop.family)
  if (nexthop.family === AF_UNSPEC) nexthop.family = address.family
  else if (nexthop.family !== address.family) invarg('address family mismatch\n', a.word)
  nexthop.attrs.gateway = address.data
}

/** Makes the request of a next hop's words. */
export function parseNexthop(
  ctx: IpContext,
  type: typeof RTM_NEWNEXTHOP | typeof RTM_DELNEXTHOP,
  flags: number,
  words: readonly string[],
): NexthopMessage {
  const nexthop = nexthopMessage({ type, flags: NLM_F_REQUEST | flags, family: ctx.opts.family })
  const { attrs } = nexthop
  const assumeInet = (): void => {
    if (nexthop.family === AF_UNSPEC) nexthop.family = AF_INET
  }
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.is('id')) attrs.id = parseNexthopId(a.next())
    else if (a.is('dev')) {
      attrs.oif = requireDevice(ctx, a.next())
      assumeInet()
    } else if (a.is('via')) parseVia(nexthop, a)
    else if (a.is('encap')) attrs.encap = parseEncap(ctx, a)
    else if (a.is('blackhole')) {
      attrs.blackhole = true
      assumeInet()
    } else if (a.is('fdb')) attrs.fdb = true
    else if (a.is('onlink')) nexthop.nhFlags |= RTNH_F_ONLINK
    else if (a.is('group')) attrs.group = parseGroup(a.next())
    else if (a.is('type')) parseGroupType(nexthop, a)
    else if (a.matches('protocol')) {
      const word = a.next()
      nexthop.protocol = ctx.names.rtProto.a2n(word) ?? invarg('"protocol" value is invalid\n', word)
    } else if (a.is('help')) ctx.usage(NEXTHOP_USAGE)
    else invarg('', a.word)
  }
  return nexthop
}

/** Selection of next hops: what the kernel selects by, a protocol, or one id. */
interface Selection {
  readonly attrs: NexthopMessage['attrs']
  protocol: number
  id: number | undefined
}

function parseSelection(ctx: IpContext, words: readonly string[]): Selection {
  const selection: Selection = { attrs: {}, protocol: 0, id: undefined }
  const { attrs } = selection
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.matches('dev')) attrs.oif = requireDevice(ctx, a.next())
    else if (a.matches('groups')) attrs.groups = true
    else if (a.matches('master')) attrs.master = requireDevice(ctx, a.next())
    else if (a.matches('vrf')) attrs.master = requireVrf(ctx, a.next())
    else if (a.is('id')) {
      selection.id = parseNexthopId(a.next())
      return selection
    } else if (a.matches('protocol')) {
      const word = a.next()
      selection.protocol = getUnsigned(word) ?? invarg('invalid protocol value', word)
    } else if (a.matches('fdb')) attrs.fdb = true
    else if (a.matches('help')) ctx.usage(NEXTHOP_USAGE)
    else invarg('', a.word)
  }
  return selection
}

function dumpNexthops(ctx: IpContext, attrs: NexthopMessage['attrs'], terminated: string): NexthopMessage[] {
  const request = nexthopMessage({
    type: RTM_GETNEXTHOP,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    family: ctx.opts.family,
    attrs: { ...attrs },
  })
  try {
    return ctx.nl.request(request).filter(message => message.type === RTM_NEWNEXTHOP) as NexthopMessage[]
  } catch (thrown) {
    throw new CommandFailure(netlinkErrorText(asNetlinkError(thrown)) + terminated, 2)
  }
}

function getNexthop(ctx: IpContext, id: number): number {
  const answer = ctx.talk(nexthopMessage({ type: RTM_GETNEXTHOP, family: ctx.opts.family, attrs: { id } }))[0]
  ctx.listing(out => {
    if (answer !== undefined) printNexthop(ctx, out, answer as NexthopMessage)
  })
  return 0
}

function list(ctx: IpContext, words: readonly string[]): number {
  const selection = parseSelection(ctx, words)
  if (selection.id !== undefined) return getNexthop(ctx, selection.id)
  const nexthops = dumpNexthops(ctx, selection.attrs, 'Dump terminated\n')
  ctx.listing(out => {
    for (const nexthop of nexthops) {
      if (selection.protocol === 0 || selection.protocol === nexthop.protocol) printNexthop(ctx, out, nexthop)
    }
  })
  return 0
}

function deleteNexthop(ctx: IpContext, id: number, status: number): void {
  ctx.talk(nexthopMessage({ type: RTM_DELNEXTHOP, attrs: { id } }), status)
}

/** Deletes the next hops of a dump. @returns how many; one the kernel keeps is complained about */
function flushDump(ctx: IpContext, attrs: NexthopMessage['attrs'], protocol: number): number {
  let flushed = 0
  for (const nexthop of dumpNexthops(ctx, attrs, 'Dump terminated. Failed to flush nexthops\n')) {
    if (protocol !== 0 && protocol !== nexthop.protocol) continue
    const { id } = nexthop.attrs
    if (id === undefined || id === 0) continue
    try {
      deleteNexthop(ctx, id, 1)
      flushed++
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error
      ctx.warn(error.text)
    }
  }
  return flushed
}

function flush(ctx: IpContext, words: readonly string[]): number {
  const selection = parseSelection(ctx, words)
  if (selection.id !== undefined) {
    deleteNexthop(ctx, selection.id, 1)
    return 0
  }
  let flushed = 0
  // all of them: groups go first, for they would shrink with their members
  if (words.length === 0) flushed += flushDump(ctx, { groups: true }, selection.protocol)
  flushed += flushDump(ctx, selection.attrs, selection.protocol)
  ctx.proc.stdout.write(flushed === 0 ? 'Nothing to flush\n' : `Flushed ${flushed} nexthops\n`)
  return 0
}

function get(ctx: IpContext, words: readonly string[]): number {
  let id = 0
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (!a.is('id')) ctx.usage(NEXTHOP_USAGE)
    id = parseNexthopId(a.next())
  }
  if (id === 0) ctx.usage(NEXTHOP_USAGE)
  return getNexthop(ctx, id)
}

type Command = (ctx: IpContext, words: readonly string[]) => number

const modify =
  (type: typeof RTM_NEWNEXTHOP | typeof RTM_DELNEXTHOP, flags: number): Command =>
  (ctx, words) => {
    ctx.talk(parseNexthop(ctx, type, flags, words))
    return 0
  }

/** Commands in the order abbreviations are tried. */
const COMMANDS: readonly (readonly [string, Command])[] = [
  ['add', modify(RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL)],
  ['replace', modify(RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE)],
  ['delete', modify(RTM_DELNEXTHOP, 0)],
  ['list', list],
  ['show', list],
  ['lst', list],
  ['get', get],
  ['flush', flush],
  ['bucket', runBuckets],
]

export const run: IpObject = (ctx, args) => {
  const [word, ...words] = args
  if (word === undefined) return list(ctx, [])
  const command = COMMANDS.find(([name]) => matches(word, name))
  if (command !== undefined) return command[1](ctx, words)
  if (matches(word, 'help')) ctx.usage(NEXTHOP_USAGE)
  throw new ToolExit(`Command "${word}" is unknown, try "ip nexthop help".\n`, EXIT_USAGE)
}
