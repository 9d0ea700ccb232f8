/** `ip route save|restore|showdump`: routes in a file. */
import { Errno } from '../../src/uapi/errno.ts'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import type { RouteMessage } from '../../src/uapi/rtnetlink.ts'
import { magicBytes, ROUTE_DUMP_MAGIC, readDump } from '../lib/dump_file.ts'
import { CommandFailure } from '../lib/errors.ts'
import { readMessages } from '../lib/nlwire.ts'
import { asNetlinkError, netlinkErrorText } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'
import { emptyFilter, filterTakes, parseRouteFilter } from './route_filter.ts'
import { dumpRoutes } from './route_list.ts'
import { printRoute } from './route_print.ts'
import { decodeRoute, encodeRoute } from './route_wire.ts'

/** Writes the selected routes to standard output. @returns the exit status */
export function saveRoutes(ctx: IpContext, words: readonly string[]): number {
  const { proc } = ctx
  if (proc.isatty(1)) throw new CommandFailure('Not sending a binary stream to stdout\n', 1)
  proc.stdout.write(magicBytes(ROUTE_DUMP_MAGIC))
  const { filter, family } = parseRouteFilter(ctx, words)
  const routes = dumpRoutes(ctx, filter, family, { sixHasTables: false }, 'Dump terminated\n')
  for (const route of routes) proc.stdout.write(encodeRoute(route))
  return 0
}

async function savedRoutes(ctx: IpContext): Promise<RouteMessage[]> {
  const dump = await readDump(ctx.proc, ROUTE_DUMP_MAGIC, 'route')
  if ('complaint' in dump) throw new CommandFailure(dump.complaint, 1)
  const routes: RouteMessage[] = []
  for (const message of readMessages(dump.bytes)) {
    const route = decodeRoute(message)
    if (route !== undefined) routes.push(route)
  }
  return routes
}

/**
 * Adds the routes of standard input. Routes on a device's own network come first, so that gateways can be reached.
 * @returns the exit status: a route that exists already is complained about but is no failure
 */
export async function restoreRoutes(ctx: IpContext): Promise<number> {
  const routes = await savedRoutes(ctx)
  const prior = [
    (route: RouteMessage) => route.attrs.gateway === undefined && route.attrs.prefsrc === undefined,
    (route: RouteMessage) => route.attrs.gateway === undefined && route.attrs.prefsrc !== undefined,
    (route: RouteMessage) => route.attrs.gateway !== undefined,
  ]
  for (const wanted of prior) {
    for (const route of routes.filter(wanted)) {
      try {
        ctx.nl.request({ ...route, flags: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK })
      } catch (thrown) {
        const error = asNetlinkError(thrown)
        if (error.errno !== Errno.EEXIST) throw new CommandFailure(netlinkErrorText(error), 2)
        ctx.warn(netlinkErrorText(error))
      }
    }
  }
  return 0
}

/** Lists the routes of standard input, always as text. @returns the exit status */
export async function showDump(ctx: IpContext): Promise<number> {
  const filter = emptyFilter()
  const tables = { sixHasTables: false }
  const out = ctx.textPrinter()
  for (const route of await savedRoutes(ctx)) {
    if (filterTakes(filter, route, ctx.opts.family, tables)) printRoute(ctx, out, route, filter)
  }
  return 0
}
