/** `ip link`: makes, changes, removes and lists links. See ip-link(8). */
import type { LinkInfo } from '../../src/uapi/if_link.ts'
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../src/uapi/netlink.ts'
import {
  type LinkMessage,
  RTM_DELLINK,
  RTM_DELLINKPROP,
  RTM_NEWLINK,
  RTM_NEWLINKPROP,
} from '../../src/uapi/rtnetlink.ts'
import { AF_PACKET } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, duparg2, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { linkMessage } from '../lib/rtnl.ts'
import { validAltIfname } from '../lib/values.ts'
import type { IpContext, IpObject } from './context.ts'
import { LINK_USAGE } from './help/link.ts'
import { parseLinkOptions } from './link_options.ts'
import { linkKind } from './linkinfo/index.ts'
import { listSelection, parseSelection } from './show.ts'
import { xstats } from './xstats.ts'

/** Reads the words after `type KIND` into the message. */
function parseKind(ctx: IpContext, args: Args, message: LinkMessage, type: string, create: boolean): void {
  const info: LinkInfo = { kind: type }
  const kind = linkKind(type)
  if (args.more && kind === undefined) {
    if (args.matches('help')) ctx.usage(LINK_USAGE)
    throw new CommandFailure(`Garbage instead of arguments "${args.word} ...". Try "ip link help".\n`, 1)
  }
  if (args.more && kind !== undefined) {
    const data = kind.parse?.(ctx, args, message, create) ?? {}
    if (type.slice(type.indexOf('_')) === '_slave') info.slaveData = data as LinkInfo['slaveData'] & object
    else info.data = data as LinkInfo['data'] & object
  }
  message.attrs.linkinfo = info
}

function modify(ctx: IpContext, type: LinkMessage['type'], flags: number, words: readonly string[]): number {
  const message = linkMessage({ type, flags, family: ctx.opts.family })
  const args = new Args(words)
  const create = (flags & NLM_F_CREATE) !== 0
  const options = parseLinkOptions(ctx, args, message, create)
  if (options.type !== undefined) parseKind(ctx, args, message, options.type, create)
  else if (create) {
    throw new CommandFailure('Not enough information: "type" argument is required\n', 1)
  }
  const { index } = message
  ctx.talk(message)
  ctx.links.forget(index)
  return 0
}

function property(ctx: IpContext, words: readonly string[]): number {
  const args = new Args(words)
  if (!args.more) ctx.usage(LINK_USAGE)
  let message: LinkMessage
  if (args.matches('add')) {
    message = linkMessage({ type: RTM_NEWLINKPROP, flags: NLM_F_EXCL | NLM_F_CREATE | NLM_F_APPEND })
  } else if (args.matches('del')) message = linkMessage({ type: RTM_DELLINKPROP, flags: NLM_F_EXCL })
  else if (args.matches('help')) ctx.usage(LINK_USAGE)
  else throw new ToolExit('Operator required\n', EXIT_USAGE)
  const names: string[] = []
  let dev: string | undefined
  for (args.skip(); args.more; args.skip()) {
    if (args.matches('altname')) {
      const word = args.next()
      if (!validAltIfname(word)) invarg('not a valid altname', word)
      names.push(word)
    } else if (args.matches('help')) {
      ctx.usage(LINK_USAGE)
    } else {
      if (args.is('dev')) args.next()
      if (dev !== undefined) duparg2('dev', args.word)
      if (!validAltIfname(args.word)) invarg('"dev" not a valid ifname', args.word)
      dev = args.word
    }
  }
  if (dev === undefined) {
    throw new ToolExit('Not enough of information: "dev" argument is required.\n', EXIT_USAGE)
  }
  message.index = ctx.index(dev)
  message.attrs.propList = names
  ctx.talk(message)
  ctx.links.forget(message.index)
  return 0
}

/** `ip link afstats`: only MPLS has counters of this kind, and there is no MPLS: nothing is listed. */
function afstats(ctx: IpContext, words: readonly string[]): number {
  const args = new Args(words)
  let dev: string | undefined
  for (; args.more; args.skip()) {
    if (args.is('dev')) {
      const word = args.next()
      if (dev !== undefined) duparg2('dev', word)
      dev = word
    } else if (args.matches('help')) ctx.usage(LINK_USAGE)
    else throw new ToolExit(`Command "${args.word}" is unknown, try "ip link help".\n`, EXIT_USAGE)
  }
  if (dev !== undefined && ctx.links.nameToIndex(dev) === 0) ctx.warn(`Device "${dev}" does not exist.\n`)
  return 0
}

function help(ctx: IpContext, words: readonly string[]): number {
  const kind = words[0] === undefined ? undefined : linkKind(words[0])
  if (kind === undefined || kind.help === '') ctx.usage(LINK_USAGE)
  ctx.proc.stdout.write(kind.help)
  return 0
}

function list(ctx: IpContext, words: readonly string[]): number {
  ctx.opts.family = AF_PACKET
  return listSelection(ctx, parseSelection(ctx, words, LINK_USAGE), true)
}

export const run: IpObject = (ctx, words) => {
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return list(ctx, [])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('add')) return modify(ctx, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, rest)
  if (is('set', 'change')) return modify(ctx, RTM_NEWLINK, 0, rest)
  if (is('replace')) return modify(ctx, RTM_NEWLINK, NLM_F_CREATE | NLM_F_REPLACE, rest)
  if (is('delete')) return modify(ctx, RTM_DELLINK, 0, rest)
  if (is('show', 'lst', 'list')) return list(ctx, rest)
  if (is('xstats')) return xstats(ctx, rest)
  if (is('afstats')) return afstats(ctx, rest)
  if (is('property')) return property(ctx, rest)
  if (is('help')) return help(ctx, rest)
  throw new ToolExit(`Command "${command}" is unknown, try "ip link help".\n`, EXIT_USAGE)
}
