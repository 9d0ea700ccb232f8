/** Next hops in text and JSON. */

import { isSysError } from '../../src/uapi/errno.ts'
import { type NexthopMessage, RTM_DELNEXTHOP, RTM_GETNEXTHOP } from '../../src/uapi/rtnetlink.ts'
import { AF_INET6 } from '../../src/uapi/socket.ts'
import { formatG } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import type { IpContext } from './context.ts'
import { printEncap } from './lwtunnel.ts'
import { nexthopMessage } from './nexthop_message.ts'
import { printRouteFlags } from './rtnames.ts'

/** NEXTHOP_GRP_TYPE_RES */
export const NEXTHOP_GRP_TYPE_RES = 1

/** Prints hundredths of a second as seconds, such as `9.45`. */
export function printHundredths(out: Printer, key: string, value: number): void {
  const seconds = formatG(value / 100)
  out.put(key, Number(seconds), `${key} ${seconds} `)
}

function printGroup(out: Printer, nexthop: NexthopMessage): void {
  out.openArray('group', 'group ')
  for (const [i, entry] of nexthop.attrs.group!.entries()) {
    out.openObject()
    if (i > 0) out.text('/')
    out.put('id', entry.id, String(entry.id))
    if (entry.weight !== 0) out.put('weight', entry.weight + 1, `,${entry.weight + 1}`)
    out.closeObject()
  }
  out.closeArray(' ')
}

function printResilience(out: Printer, resilience: NonNullable<NexthopMessage['attrs']['resGroup']>): void {
  const buckets = resilience.buckets ?? 0
  out.openObject('resilient_args')
  out.put('buckets', buckets, `buckets ${buckets} `)
  printHundredths(out, 'idle_timer', resilience.idleTimer ?? 0)
  printHundredths(out, 'unbalanced_timer', resilience.unbalancedTimer ?? 0)
  printHundredths(out, 'unbalanced_time', resilience.unbalancedTime ?? 0)
  out.closeObject()
}

/** Prints a next hop without the end of its line. @param key the JSON field of the object, none for an item of an array */
export function printNexthopEntry(ctx: IpContext, out: Printer, nexthop: NexthopMessage, key?: string): void {
  const { attrs } = nexthop
  const details = ctx.opts.details > 0
  out.openObject(key)
  if (nexthop.type === RTM_DELNEXTHOP) out.put('deleted', true, 'Deleted ')
  out.put('id', attrs.id ?? 0, `id ${attrs.id ?? 0} `)
  if (attrs.group !== undefined) printGroup(out, nexthop)
  if ((attrs.groupType ?? 0) !== 0) {
    const type = attrs.groupType === NEXTHOP_GRP_TYPE_RES ? 'resilient' : '<unknown type>'
    out.put('type', type, `type ${type} `)
  }
  if (attrs.resGroup !== undefined) printResilience(out, attrs.resGroup)
  if (attrs.encap !== undefined) printEncap(ctx, out, attrs.encap)
  if (attrs.gateway !== undefined) {
    const gateway = ctx.formatHost(nexthop.family, attrs.gateway)
    out.text('via ')
    out.put('gateway', gateway, `${gateway} `, nexthop.family === AF_INET6 ? 'inet6' : 'inet')
  }
  if (attrs.oif !== undefined && attrs.oif !== 0) {
    const dev = ctx.links.indexToName(attrs.oif)
    out.text('dev ')
    out.put('dev', dev, `${dev} `, 'ifname')
  }
  if (nexthop.scope !== 0 || details) {
    const scope = ctx.names.rtScope.n2a(nexthop.scope)
    out.put('scope', scope, `scope ${scope} `)
  }
  if (attrs.blackhole === true) out.put('blackhole', null, 'blackhole ')
  if (nexthop.protocol !== 0 || details) {
    const protocol = ctx.names.rtProto.n2a(nexthop.protocol)
    out.put('protocol', protocol, `proto ${protocol} `)
  }
  printRouteFlags(out, nexthop.nhFlags)
  if (attrs.fdb === true) out.put('fdb', null, 'fdb')
  out.closeObject()
}

/** Prints a next hop and ends its line. */
export function printNexthop(ctx: IpContext, out: Printer, nexthop: NexthopMessage): void {
  printNexthopEntry(ctx, out, nexthop)
  out.text('\n')
}

/** Prints the next hop of a route, with -details, on a line of its own; nothing where it has gone. */
export function printRouteNexthop(ctx: IpContext, out: Printer, id: number): void {
  try {
    const answers = ctx.nl.request(nexthopMessage({ type: RTM_GETNEXTHOP, family: ctx.opts.family, attrs: { id } }))
    const nexthop = answers[0] as NexthopMessage | undefined
    if (nexthop === undefined) return
    out.text('\n\tnh_info ')
    printNexthopEntry(ctx, out, nexthop, 'nh_info')
  } catch (error) {
    if (!isSysError(error)) throw error
  }
}
