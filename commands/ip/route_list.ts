/** `ip route list` and `ip route flush`. */
import { SysError, strerror } from '../../src/uapi/errno.ts'
import { O_WRONLY } from '../../src/uapi/fs.ts'
import { NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import { type RouteMessage, RTM_DELROUTE, RTM_NEWROUTE } from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { CommandFailure } from '../lib/errors.ts'
import { asNetlinkError, netlinkErrorText } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'
import {
  filterTakes,
  isNullEntry,
  parseRouteFilter,
  type RouteFilter,
  type RouteTables,
  routeDumpRequest,
} from './route_filter.ts'
import { printRoute } from './route_print.ts'

/** Dumps the routes a filter takes; a refusal ends with `terminated` and status 2. */
export function dumpRoutes(
  ctx: IpContext,
  filter: RouteFilter,
  family: number,
  tables: RouteTables,
  terminated: string,
): RouteMessage[] {
  let answers: RouteMessage[]
  try {
    answers = ctx.nl
      .request(routeDumpRequest(filter, family))
      .filter(message => message.type === RTM_NEWROUTE) as RouteMessage[]
  } catch (thrown) {
    throw new CommandFailure(netlinkErrorText(asNetlinkError(thrown)) + terminated, 2)
  }
  return answers.filter(route => filterTakes(filter, route, ctx.opts.family, tables))
}

/** Lists routes. @returns the exit status */
export function listRoutes(ctx: IpContext, words: readonly string[]): number {
  const { filter, family } = parseRouteFilter(ctx, words)
  ctx.listing(out => {
    const routes = dumpRoutes(ctx, filter, family, { sixHasTables: false }, 'Dump terminated\n')
    for (const route of routes) printRoute(ctx, out, route, filter)
  })
  return 0
}

const FLUSH_PATH = '/proc/sys/net/ipv4/route/flush'

/** Forgets the IPv4 exceptions (redirects, path MTUs). */
async function flushCache(ctx: IpContext): Promise<void> {
  let fd: number
  try {
    fd = ctx.proc.open(FLUSH_PATH, O_WRONLY)
  } catch (error) {
    if (!(error instanceof SysError)) throw error
    ctx.warn(`Cannot open "${FLUSH_PATH}": ${strerror(error.errno)}\n`)
    return
  }
  try {
    await ctx.proc.write(fd, '-1')
  } catch (error) {
    if (!(error instanceof SysError)) throw error
    ctx.warn('Cannot flush routing cache\n')
  }
  ctx.proc.close(fd)
}

/** Deletes a flushed route; a refusal ends the flush. */
function deleteRoute(ctx: IpContext, route: RouteMessage): void {
  try {
    ctx.nl.request({ ...route, type: RTM_DELROUTE, flags: NLM_F_REQUEST })
  } catch (thrown) {
    const error = asNetlinkError(thrown)
    const text = `${netlinkErrorText(error)}Failed to send flush request: ${strerror(error.errno)}\n`
    throw new CommandFailure(text, 2)
  }
}

/** How long a flush goes on, ns. */
const FLUSH_LIMIT = 30e9

/** Deletes routes, round after round until none is left. @returns the exit status */
export async function flushRoutes(ctx: IpContext, words: readonly string[]): Promise<number> {
  if (words.length === 0) throw new CommandFailure('"ip route flush" requires arguments.\n', 1)
  const { filter, family } = parseRouteFilter(ctx, words)
  const { stats } = ctx.opts
  const out = ctx.textPrinter()
  if (filter.cloned === 'only') {
    if (family !== AF_INET6) {
      await flushCache(ctx)
      if (stats > 0) out.text('*** IPv4 routing cache is flushed.\n')
    }
    if (family === AF_INET) return 0
  }
  const start = ctx.proc.monotonic()
  const tables: RouteTables = { sixHasTables: false }
  for (let round = 0; ; ) {
    const routes = dumpRoutes(ctx, filter, family, tables, 'Flush terminated\n').filter(route => !isNullEntry(route))
    if (stats > 1) for (const route of routes) printRoute(ctx, out, route, filter)
    if (routes.length === 0) {
      if (stats > 0) {
        if (round === 0 && (filter.cloned !== 'only' || family === AF_INET6)) out.text('Nothing to flush.\n')
        else out.text(`*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`)
      }
      return 0
    }
    round++
    for (const route of routes) deleteRoute(ctx, route)
    if (ctx.proc.monotonic() - start > FLUSH_LIMIT) {
      const seconds = Math.floor((ctx.proc.monotonic() - start) / 1e9)
      out.text(`\n*** Flush not completed after ${seconds} seconds, ${routes.length} entries remain ***\n`)
      return 2
    }
    if (stats > 0) out.text(`\n*** Round ${round}, deleting ${routes.length} entries ***\n`)
  }
}
