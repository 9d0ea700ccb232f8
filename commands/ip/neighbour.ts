/** `ip neighbour`: entries of the ARP and neighbour discovery tables. See ip-neighbour(8). */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../src/uapi/netlink.ts'
import {
  type NeighMessage,
  NTF_EXT_LEARNED,
  NTF_PROXY,
  NTF_ROUTER,
  NTF_USE,
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_NONE,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from '../../src/uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, duparg, duparg2, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { getAddr, getPrefix, type InetPrefix } from '../lib/inet.ts'
import { llAddrA2n } from '../lib/lladdr.ts'
import { getUnsigned } from '../lib/number.ts'
import { asNetlinkError, neighMessage, netlinkErrorText } from '../lib/rtnl.ts'
import type { IpContext, IpObject } from './context.ts'
import { NEIGHBOUR_USAGE } from './help/neighbour.ts'
import {
  type NeighFilter,
  NTF_EXT_MANAGED,
  NUD_FILTER_NONE,
  neighFilter,
  printNeighbour,
  selectsNeighbour,
} from './print_neigh.ts'
import { vrfIndex } from './vrf_table.ts'

const MAX_FLUSH_ROUNDS = 10

const STATES: readonly (readonly [string, number])[] = [
  ['permanent', NUD_PERMANENT],
  ['reachable', NUD_REACHABLE],
  ['noarp', NUD_NOARP],
  ['none', NUD_NONE],
  ['stale', NUD_STALE],
  ['incomplete', NUD_INCOMPLETE],
  ['delay', NUD_DELAY],
  ['probe', NUD_PROBE],
  ['failed', NUD_FAILED],
]

/** Reads a state: an abbreviated name, or a number with at most one bit. */
function parseState(word: string): number {
  const named = STATES.find(([name]) => matches(word, name))
  if (named !== undefined) return named[1]
  const number = getUnsigned(word)
  if (number === undefined || number >= 0x100 || (number & (number - 1)) !== 0) invarg('nud state is bad', word)
  return number
}

/** Destination and device of a command. */
interface Target {
  dst: InetPrefix | undefined
  dev: string | undefined
}

/** Reads `[to] ADDRESS`. */
function parseDestination(ctx: IpContext, args: Args, target: Target): void {
  if (args.is('to')) args.next()
  if (args.matches('help')) ctx.usage(NEIGHBOUR_USAGE)
  if (target.dst !== undefined) duparg2('to', args.word)
  target.dst = getAddr(args.word, ctx.opts.family)
}

/** Reads `proxy ADDRESS`. */
function parseProxy(ctx: IpContext, args: Args, target: Target): void {
  const word = args.next()
  if (args.matches('help')) ctx.usage(NEIGHBOUR_USAGE)
  if (target.dst !== undefined) duparg('address', word)
  target.dst = getAddr(word, ctx.opts.family)
}

function modify(ctx: IpContext, type: NeighMessage['type'], flags: number, words: readonly string[]): number {
  const message = neighMessage({ type, flags, family: ctx.opts.family, state: NUD_PERMANENT })
  const target: Target = { dst: undefined, dev: undefined }
  let lladdr: string | undefined
  let deviceOptional = false
  const args = new Args(words)
  for (; args.more; args.skip()) {
    if (args.is('lladdr')) {
      const word = args.next()
      if (lladdr !== undefined) duparg('lladdr', word)
      lladdr = word
    } else if (args.is('nud')) message.state = parseState(args.next())
    else if (args.is('proxy')) {
      parseProxy(ctx, args, target)
      deviceOptional = true
      message.ndmFlags |= NTF_PROXY
    } else if (args.is('router')) message.ndmFlags |= NTF_ROUTER
    else if (args.is('use')) message.ndmFlags |= NTF_USE
    else if (args.is('managed')) message.attrs.extFlags = NTF_EXT_MANAGED
    else if (args.matches('extern_learn')) message.ndmFlags |= NTF_EXT_LEARNED
    else if (args.is('dev')) target.dev = args.next()
    else if (args.matches('protocol')) {
      const word = args.next()
      message.attrs.protocol = ctx.names.rtProto.a2n(word) ?? invarg('"protocol" value is invalid\n', word)
    } else parseDestination(ctx, args, target)
  }
  const { dst, dev } = target
  if ((dev === undefined && !deviceOptional) || dst === undefined || dst.family === AF_UNSPEC) {
    throw new ToolExit('Device and destination are required arguments.\n', EXIT_USAGE)
  }
  message.family = dst.family
  message.attrs.dst = dst.data
  if (lladdr !== undefined && lladdr !== 'null') message.attrs.lladdr = llAddrA2n(lladdr)
  if (dev !== undefined) message.ifindex = ctx.index(dev)
  try {
    ctx.nl.request(message)
  } catch (thrown) {
    throw new ToolExit(netlinkErrorText(asNetlinkError(thrown)), 2)
  }
  return 0
}

function get(ctx: IpContext, words: readonly string[]): number {
  const message = neighMessage({ type: RTM_GETNEIGH })
  const target: Target = { dst: undefined, dev: undefined }
  const args = new Args(words)
  for (; args.more; args.skip()) {
    if (args.is('dev')) target.dev = args.next()
    else if (args.is('proxy')) {
      parseProxy(ctx, args, target)
      message.ndmFlags |= NTF_PROXY
    } else parseDestination(ctx, args, target)
  }
  const { dst, dev } = target
  if (dev === undefined || dst === undefined || dst.family === AF_UNSPEC) {
    throw new CommandFailure('Device and address are required arguments.\n', 1)
  }
  message.ifindex = ctx.index(dev)
  message.family = dst.family
  message.attrs.dst = dst.data
  const out = ctx.textPrinter()
  for (const answer of ctx.talk(message)) {
    if (answer.type === RTM_NEWNEIGH) printNeighbour(ctx, out, answer as NeighMessage, neighFilter())
  }
  return 0
}

/** What a listing or a flush is about. */
interface NeighSelection {
  readonly filter: NeighFilter
  readonly proxy: boolean
}

function parseSelection(ctx: IpContext, words: readonly string[], states: number): NeighSelection {
  const filter = neighFilter(ctx.opts.family)
  filter.state = states
  let stateGiven = false
  let proxy = false
  let dev: string | undefined
  const args = new Args(words)
  for (; args.more; args.skip()) {
    if (args.is('dev')) {
      const word = args.next()
      if (dev !== undefined) duparg('dev', word)
      dev = word
    } else if (args.is('master')) {
      const word = args.next()
      filter.master = ctx.links.nameToIndex(word)
      if (filter.master === 0) invarg('Device does not exist\n', word)
    } else if (args.is('vrf')) {
      const word = args.next()
      filter.master = vrfIndex(ctx, word)
      if (filter.master === 0) invarg('Not a valid VRF name\n', word)
    } else if (args.is('nomaster')) filter.master = -1
    else if (args.is('unused')) filter.unusedOnly = true
    else if (args.is('nud')) {
      const word = args.next()
      if (!stateGiven) filter.state = 0
      stateGiven = true
      const state = word === 'all' ? -1 : parseState(word)
      filter.state |= state === 0 ? NUD_FILTER_NONE : state
    } else if (args.is('proxy')) proxy = true
    else if (args.matches('protocol')) {
      const word = args.next()
      const protocol = ctx.names.rtProto.a2n(word)
      if (protocol === undefined && word !== 'all') invarg('invalid "protocol"\n', word)
      filter.protocol = protocol ?? 0
    } else {
      if (args.is('to')) args.next()
      if (args.matches('help')) ctx.usage(NEIGHBOUR_USAGE)
      filter.prefix = getPrefix(args.word, filter.family)
      if (filter.family === AF_UNSPEC) filter.family = filter.prefix.family
    }
  }
  if (dev !== undefined) filter.ifindex = ctx.index(dev)
  return { filter, proxy }
}

/** Dumps the neighbours a selection is about. @param terminated the last line of a complaint */
function fetch(ctx: IpContext, { filter, proxy }: NeighSelection, terminated?: string): NeighMessage[] {
  const message = neighMessage({ family: filter.family, ifindex: filter.ifindex, ndmFlags: proxy ? NTF_PROXY : 0 })
  if (filter.ifindex !== 0) message.attrs.ifindex = filter.ifindex
  if (filter.master !== 0) message.attrs.master = filter.master
  return (ctx.dump(message, terminated) as NeighMessage[]).filter(
    answer => answer.type === RTM_NEWNEIGH && selectsNeighbour(filter, answer),
  )
}

function show(ctx: IpContext, words: readonly string[]): number {
  const selection = parseSelection(ctx, words, 0xff & ~NUD_NOARP)
  ctx.links.init()
  return ctx.listing(out => {
    for (const message of fetch(ctx, selection)) printNeighbour(ctx, out, message, selection.filter)
    return 0
  })
}

function deleteAll(ctx: IpContext, messages: readonly NeighMessage[]): void {
  for (const message of messages) {
    try {
      ctx.nl.request({ ...message, type: RTM_DELNEIGH, flags: 0 })
    } catch (error) {
      if (!isSysError(error)) throw error
      throw new CommandFailure(`Failed to send flush request: ${strerror(error.errno)}\n`, EXIT_USAGE)
    }
  }
}

function flush(ctx: IpContext, words: readonly string[]): number {
  if (words.length === 0) throw new CommandFailure('Flush requires arguments.\n', 1)
  const selection = parseSelection(ctx, words, ~(NUD_PERMANENT | NUD_NOARP))
  const { stats } = ctx.opts
  const { stdout } = ctx.proc
  ctx.links.init()
  for (let round = 0; round < MAX_FLUSH_ROUNDS; ) {
    const messages = fetch(ctx, selection, 'Flush terminated\n')
    if (stats > 1) {
      const out = ctx.textPrinter()
      for (const message of messages) printNeighbour(ctx, out, message, selection.filter)
    }
    if (messages.length === 0) {
      if (stats > 0) {
        if (round === 0) stdout.write('Nothing to flush.\n')
        else stdout.write(`*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`)
      }
      return 0
    }
    round++
    deleteAll(ctx, messages)
    if (stats > 0) stdout.write(`\n*** Round ${round}, deleting ${messages.length} entries ***\n`)
    selection.filter.state &= ~NUD_FAILED
  }
  stdout.write(`*** Flush not complete bailing out after ${MAX_FLUSH_ROUNDS} rounds\n`)
  return EXIT_USAGE
}

export const run: IpObject = (ctx, words) => {
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return show(ctx, [])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('add')) return modify(ctx, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, rest)
  if (is('change') || command === 'chg') return modify(ctx, RTM_NEWNEIGH, NLM_F_REPLACE, rest)
  if (is('replace')) return modify(ctx, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, rest)
  if (is('delete')) return modify(ctx, RTM_DELNEIGH, 0, rest)
  if (is('get')) return get(ctx, rest)
  if (is('show', 'lst', 'list')) return show(ctx, rest)
  if (is('flush')) return flush(ctx, rest)
  if (is('help')) ctx.usage(NEIGHBOUR_USAGE)
  throw new ToolExit(`Command "${command}" is unknown, try "ip neigh help".\n`, EXIT_USAGE)
}
