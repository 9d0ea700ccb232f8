/** `ip link show` and `ip address show`: the selection and the listing of links with their addresses. */

import { IFF_UP } from '../../src/uapi/if.ts'
import {
  type AddrMessage,
  type LinkMessage,
  RTEXT_FILTER_SKIP_STATS,
  RTEXT_FILTER_VF,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from '../../src/uapi/rtnetlink.ts'
import { AF_PACKET, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { CommandFailure, duparg2, invarg } from '../lib/errors.ts'
import { getPrefix } from '../lib/inet.ts'
import type { Printer } from '../lib/printer.ts'
import { addrMessage, linkMessage } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'
import { type LinkFilter, linkFilter } from './link_filter.ts'
import { IFA_FLAGS, printAddress, selectsAddress } from './print_addr.ts'
import { printLink } from './print_link.ts'
import { printLinkStats } from './print_stats.ts'
import { vrfIndex } from './vrf_table.ts'

/** Scope that `scope all` selects by, with an empty mask. */
const RT_SCOPE_NOWHERE = 255

/** A selection as the command line has it. */
export interface Selection {
  readonly filter: LinkFilter
  /** the device named, if any */
  readonly dev: string | undefined
}

/** Reads a flag word such as `dynamic`, `-tentative`. @returns whether it was one */
function parseFlag(word: string, filter: LinkFilter): boolean {
  let inverse = word.startsWith('-')
  let name = inverse ? word.slice(1) : word
  if (name === 'dynamic' || name === 'primary') {
    inverse = !inverse
    name = name === 'dynamic' ? 'permanent' : 'secondary'
  }
  const flag = IFA_FLAGS.find(entry => entry.name === name)
  if (flag === undefined) return false
  filter.flags = inverse ? filter.flags & ~flag.mask : filter.flags | flag.mask
  filter.flagMask |= flag.mask
  return true
}

/** Reads the words of a selection. @param usage the help text of the command */
export function parseSelection(ctx: IpContext, words: readonly string[], usage: string): Selection {
  const filter = linkFilter(ctx.opts.oneline, ctx.opts.family)
  filter.showQueue = true
  let dev: string | undefined
  const args = new Args(words)
  const master = (message: string, vrf: boolean): number => {
    const word = args.next()
    const index = ctx.links.nameToIndex(word)
    if (index === 0 || (vrf && vrfIndex(ctx, word) === 0)) invarg(message, word)
    return index
  }
  for (; args.more; args.skip()) {
    if (args.is('to')) {
      filter.prefix = getPrefix(args.next(), filter.family)
      if (filter.family === AF_UNSPEC) filter.family = filter.prefix.family
    } else if (args.is('scope')) {
      const word = args.next()
      const scope = ctx.names.rtScope.a2n(word)
      if (scope === undefined && word !== 'all') invarg('invalid "scope"\n', word)
      filter.scope = scope ?? RT_SCOPE_NOWHERE
      filter.scopeMask = scope === undefined ? 0 : -1
    } else if (args.is('up')) filter.up = true
    else if (parseFlag(args.word, filter)) continue
    else if (args.is('label')) filter.label = args.next()
    else if (args.is('group')) {
      const word = args.next()
      filter.group = ctx.names.group.a2n(word) ?? invarg('Invalid "group" value\n', word)
    } else if (args.is('master')) filter.master = master('Device does not exist\n', false)
    else if (args.is('vrf')) filter.master = master('Not a valid VRF name\n', true)
    else if (args.is('nomaster')) filter.master = -1
    else if (args.is('type')) {
      const word = args.next()
      if (word.endsWith('_slave')) filter.slaveKind = word.slice(0, -'_slave'.length)
      else filter.kind = word
    } else {
      if (args.is('dev')) args.next()
      else if (args.matches('help')) ctx.usage(usage)
      if (dev !== undefined) duparg2('dev', args.word)
      dev = args.word
    }
  }
  if (dev !== undefined) {
    filter.ifindex = ctx.links.nameToIndex(dev)
    if (filter.ifindex === 0) throw new CommandFailure(`Device "${dev}" does not exist.\n`, 1)
  }
  return { filter, dev }
}

/** The links a selection may contain: the one named, or all that the kernel's own filter lets through. */
function fetchLinks(ctx: IpContext, selection: Selection): LinkMessage[] {
  const { filter } = selection
  const message = linkMessage({ family: filter.family === AF_PACKET ? ctx.opts.family : filter.family })
  message.attrs.extMask = RTEXT_FILTER_VF | (ctx.opts.stats > 0 ? 0 : RTEXT_FILTER_SKIP_STATS)
  let answers: ReturnType<IpContext['talk']>
  if (filter.ifindex !== 0) {
    message.index = filter.ifindex
    answers = ctx.talk(message)
  } else {
    if (filter.master !== 0) message.attrs.master = filter.master
    if (filter.kind !== undefined) message.attrs.linkinfo = { kind: filter.kind }
    if (filter.slaveKind !== undefined) message.attrs.linkinfo = { slaveKind: filter.slaveKind }
    answers = ctx.dump(message)
  }
  const links = answers.filter(answer => answer.type === RTM_NEWLINK) as LinkMessage[]
  for (const link of links) ctx.links.remember(link)
  return links
}

function fetchAddresses(ctx: IpContext, filter: LinkFilter): AddrMessage[] {
  const message = addrMessage({ family: filter.family, index: filter.ifindex })
  return ctx.dump(message).filter(answer => answer.type === RTM_NEWADDR) as AddrMessage[]
}

/** Whether a link is listed: one of its addresses is selected, or it has none and all families are wanted. */
function hasSelected(
  ctx: IpContext,
  filter: LinkFilter,
  link: LinkMessage,
  addresses: readonly AddrMessage[],
): boolean {
  const own = addresses.filter(address => address.index === link.index)
  if (own.length === 0) return filter.family === AF_UNSPEC || filter.family === AF_PACKET
  return own.some(address => selectsAddress(ctx, filter, address))
}

function printAddressesOf(
  ctx: IpContext,
  out: Printer,
  filter: LinkFilter,
  link: LinkMessage,
  addresses: readonly AddrMessage[],
): void {
  out.openArray('addr_info')
  for (const address of addresses) {
    if (address.index !== link.index) continue
    if (filter.family !== 0 && filter.family !== address.family) continue
    if (filter.up && (link.ifFlags & IFF_UP) === 0) continue
    out.openObject()
    printAddress(ctx, out, address, filter)
    out.closeObject()
  }
  out.closeArray()
  if (ctx.opts.brief) out.text('\n')
}

/** Lists the links of a selection. @param linkLine whether this is `ip link show` */
export function listSelection(ctx: IpContext, selection: Selection, linkLine: boolean): number {
  const { filter } = selection
  const linksOnly = filter.family === AF_PACKET
  return ctx.listing(out => {
    let links = fetchLinks(ctx, selection)
    const addresses = linksOnly ? [] : fetchAddresses(ctx, filter)
    if (!linksOnly) links = links.filter(link => hasSelected(ctx, filter, link, addresses))
    const withoutLink = !linksOnly && filter.oneline && !ctx.opts.brief
    for (const link of links) {
      out.openObject()
      const printed = withoutLink ? 'silent' : printLink(ctx, out, link, filter, linkLine)
      if (printed !== 'skipped' && !linksOnly) printAddressesOf(ctx, out, filter, link, addresses)
      if (printed === 'printed' && !linkLine && ctx.opts.stats > 0) {
        printLinkStats(out, link, ctx.opts)
        out.nl()
      }
      out.closeObject()
    }
    return 0
  })
}
