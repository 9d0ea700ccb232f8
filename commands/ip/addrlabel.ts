/** `ip addrlabel`: labels of IPv6 prefixes for source address selection (RFC 6724). See ip-addrlabel(8). */
import { NLM_F_CREATE, NLM_F_EXCL } from '../../src/uapi/netlink.ts'
import {
  type AddrlabelMessage,
  RTM_DELADDRLABEL,
  RTM_GETADDRLABEL,
  RTM_NEWADDRLABEL,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET6, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { formatAddress, getPrefix, type InetPrefix } from '../lib/inet.ts'
import { getU32 } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import type { IpContext, IpObject } from './context.ts'
import { ADDRLABEL_USAGE } from './help/addrlabel.ts'

const NO_LABEL = 0xffffffff

function fetch(ctx: IpContext, terminated: string): AddrlabelMessage[] {
  const family = ctx.opts.family === AF_UNSPEC ? AF_INET6 : ctx.opts.family
  const request: AddrlabelMessage = { type: RTM_GETADDRLABEL, flags: 0, family, prefixlen: 0, index: 0, attrs: {} }
  const answers = ctx.dump(request, terminated, EXIT_USAGE) as AddrlabelMessage[]
  return answers.filter(answer => answer.type === RTM_NEWADDRLABEL)
}

/** Prints one label (RTM_NEWADDRLABEL or RTM_DELADDRLABEL). */
export function printAddrlabel(ctx: IpContext, out: Printer, message: AddrlabelMessage): void {
  const { attrs, prefixlen, index } = message
  out.openObject()
  if (message.type === RTM_DELADDRLABEL) out.put('deleted', true, 'Deleted ')
  if (attrs.address !== undefined) {
    const address = formatAddress(message.family, attrs.address)
    out.text('prefix ')
    out.put('address', address, address, 'inet6')
    out.put('prefixlen', prefixlen, `/${prefixlen} `)
  }
  if (index !== 0) {
    const dev = ctx.links.indexToName(index)
    out.text('dev ')
    out.put('ifname', dev, `${dev} `, 'ifname')
  }
  if (attrs.label !== undefined) out.put('label', attrs.label, `label ${attrs.label} `)
  out.text('\n')
  out.closeObject()
}

function list(ctx: IpContext, words: readonly string[]): number {
  if (words.length > 0) {
    throw new CommandFailure('"ip addrlabel show" does not take any arguments.\n', 1)
  }
  const messages = fetch(ctx, 'Dump terminated\n')
  return ctx.listing(out => {
    for (const message of messages) printAddrlabel(ctx, out, message)
    return 0
  })
}

function modify(ctx: IpContext, type: AddrlabelMessage['type'], flags: number, words: readonly string[]): number {
  let prefix: InetPrefix | undefined
  let label: number | undefined
  let index = 0
  const args = new Args(words)
  for (; args.more; args.skip()) {
    if (args.is('prefix')) prefix = getPrefix(args.next(), ctx.opts.family)
    else if (args.is('dev')) {
      const word = args.next()
      index = ctx.links.nameToIndex(word)
      if (index === 0) invarg('dev is invalid\n', word)
    } else if (args.is('label')) {
      const word = args.next()
      label = getU32(word)
      if (label === undefined || label === NO_LABEL) invarg('label is invalid\n', word)
    }
  }
  if (prefix === undefined) {
    throw new CommandFailure('Not enough information: "prefix" argument is required.\n', 1)
  }
  if (label === undefined) {
    throw new CommandFailure('Not enough information: "label" argument is required.\n', 1)
  }
  const family = prefix.family === AF_UNSPEC ? AF_INET6 : prefix.family
  const attrs = { address: prefix.data, label }
  ctx.talk({ type, flags, family, prefixlen: prefix.bitlen, index, attrs })
  return 0
}

function flush(ctx: IpContext, words: readonly string[]): number {
  if (words.length > 0) {
    throw new CommandFailure('"ip addrlabel flush" does not allow extra arguments\n', 1)
  }
  for (const message of fetch(ctx, 'Flush terminated\n')) ctx.talk({ ...message, type: RTM_DELADDRLABEL, flags: 0 })
  return 0
}

export const run: IpObject = (ctx, words) => {
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return list(ctx, [])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('list', 'show', 'lst')) return list(ctx, rest)
  if (is('add')) return modify(ctx, RTM_NEWADDRLABEL, NLM_F_CREATE | NLM_F_EXCL, rest)
  if (is('delete')) return modify(ctx, RTM_DELADDRLABEL, 0, rest)
  if (is('flush')) return flush(ctx, rest)
  if (is('help')) ctx.usage(ADDRLABEL_USAGE)
  throw new ToolExit(`Command "${command}" is unknown, try "ip addrlabel help".\n`, EXIT_USAGE)
}
