/** `ip netconf`: network configuration of devices, see ip-netconf(8). */

import { Errno } from '../../src/uapi/errno.ts'
import { NLM_F_DUMP, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import { type NetconfMessage, RTM_DELNETCONF, RTM_GETNETCONF, RTM_NEWNETCONF } from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, EXIT_USAGE, ToolExit } from '../lib/errors.ts'
import { familyName } from '../lib/inet.ts'
import type { Printer } from '../lib/printer.ts'
import { asNetlinkError, netlinkErrorText } from '../lib/rtnl.ts'
import type { IpContext, IpObject } from './context.ts'
import { NETCONF_USAGE } from './help/netconf.ts'

/** Indexes that stand for the settings of all devices and of devices to come. */
const NETCONFA_IFINDEX_ALL = -1
const NETCONFA_IFINDEX_DEFAULT = -2

function printOnOff(out: Printer, key: string, value: number | undefined): void {
  if (value !== undefined) out.put(key, value !== 0, `${key} ${value !== 0 ? 'on' : 'off'} `)
}

/** Prints the configuration of one device and ends the line. */
export function printNetconf(ctx: IpContext, out: Printer, message: NetconfMessage): void {
  const { attrs } = message
  out.openObject()
  if (message.type === RTM_DELNETCONF) out.put('deleted', true, 'Deleted ')
  const family = familyName(message.family)
  out.put('family', family, `${family} `)
  const { ifindex } = attrs
  if (ifindex !== undefined) {
    // the kernel numbers them -1 and -2; a message may carry them as 32 bits without sign
    const signed = ifindex | 0
    if (signed === NETCONFA_IFINDEX_ALL) out.put('interface', 'all', 'all ')
    else if (signed === NETCONFA_IFINDEX_DEFAULT) out.put('interface', 'default', 'default ')
    else {
      const name = ctx.links.indexToName(ifindex)
      out.put('interface', name, `${name} `, 'ifname')
    }
  }
  printOnOff(out, 'forwarding', attrs.forwarding)
  if (attrs.rpFilter !== undefined) {
    const mode = ['off', 'strict', 'loose'][attrs.rpFilter] ?? 'unknown type'
    out.put('rp_filter', mode, `rp_filter ${mode} `)
  }
  printOnOff(out, 'mc_forwarding', attrs.mcForwarding)
  printOnOff(out, 'proxy_neigh', attrs.proxyNeigh)
  printOnOff(out, 'ignore_routes_with_linkdown', attrs.ignoreRoutesWithLinkdown)
  printOnOff(out, 'input', attrs.input)
  out.closeObject()
  out.text('\n')
}

function request(ctx: IpContext, flags: number, family: number, attrs: NetconfMessage['attrs']): NetconfMessage[] {
  const message: NetconfMessage = { type: RTM_GETNETCONF, flags: NLM_F_REQUEST | flags, family, attrs }
  return ctx.nl.request(message).filter(answer => answer.type === RTM_NEWNETCONF) as NetconfMessage[]
}

/** Dumps a family; a kernel without any dump of all families is asked for IPv4 and IPv6. */
function dump(ctx: IpContext, family: number): NetconfMessage[] {
  try {
    return request(ctx, NLM_F_DUMP, family, {})
  } catch (thrown) {
    const error = asNetlinkError(thrown)
    if (error.errno !== Errno.EOPNOTSUPP || family !== AF_UNSPEC) {
      throw new CommandFailure(`${netlinkErrorText(error)}Dump terminated\n`, 1)
    }
    return [...dump(ctx, AF_INET), ...dump(ctx, AF_INET6)]
  }
}

function show(ctx: IpContext, words: readonly string[]): number {
  const { family } = ctx.opts
  let ifindex = 0
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (!a.is('dev')) continue
    const dev = a.next()
    ifindex = ctx.links.nameToIndex(dev)
    if (ifindex <= 0) throw new CommandFailure(`Device "${dev}" does not exist.\n`, 1)
  }
  ctx.links.init()
  if (ifindex !== 0 && family !== AF_UNSPEC) {
    let answers: NetconfMessage[]
    try {
      answers = request(ctx, 0, family, { ifindex })
    } catch (thrown) {
      throw new CommandFailure(netlinkErrorText(asNetlinkError(thrown)), 2)
    }
    for (const answer of answers) printNetconf(ctx, ctx.textPrinter(), answer)
    return 0
  }
  const answers = dump(ctx, family)
  ctx.listing(out => {
    for (const answer of answers) {
      if (family !== AF_UNSPEC && answer.family !== family) continue
      if (ifindex === 0 || answer.attrs.ifindex === ifindex) printNetconf(ctx, out, answer)
    }
  })
  return 0
}

export const run: IpObject = (ctx, args) => {
  const [word, ...words] = args
  if (word === undefined) return show(ctx, [])
  if (['show', 'lst', 'list'].some(name => matches(word, name))) return show(ctx, words)
  if (matches(word, 'help')) ctx.usage(NETCONF_USAGE)
  throw new ToolExit(`Command "${word}" is unknown, try "ip netconf help".\n`, EXIT_USAGE)
}
