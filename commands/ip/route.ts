/** `ip route`: routing tables, see ip-route(8). */
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../../src/uapi/netlink.ts'
import { RTM_DELROUTE, RTM_NEWROUTE } from '../../src/uapi/rtnetlink.ts'
import { matches } from '../lib/args.ts'
import { EXIT_USAGE, ToolExit } from '../lib/errors.ts'
import type { IpContext, IpObject } from './context.ts'
import { ROUTE_USAGE } from './help/route.ts'
import { restoreRoutes, saveRoutes, showDump } from './route_file.ts'
import { getRoute } from './route_get.ts'
import { flushRoutes, listRoutes } from './route_list.ts'
import { modifyRoute } from './route_modify.ts'

type Command = (ctx: IpContext, words: readonly string[]) => Promise<number> | number

const add =
  (flags: number): Command =>
  (ctx, words) =>
    modifyRoute(ctx, RTM_NEWROUTE, flags, words)

const del: Command = (ctx, words) => modifyRoute(ctx, RTM_DELROUTE, 0, words)

/** Commands in the order abbreviations are tried. */
const COMMANDS: readonly (readonly [string, Command])[] = [
  ['add', add(NLM_F_CREATE | NLM_F_EXCL)],
  ['change', add(NLM_F_REPLACE)],
  ['chg', add(NLM_F_REPLACE)],
  ['replace', add(NLM_F_CREATE | NLM_F_REPLACE)],
  ['prepend', add(NLM_F_CREATE)],
  ['append', add(NLM_F_CREATE | NLM_F_APPEND)],
  ['test', add(NLM_F_EXCL)],
  ['delete', del],
  ['list', listRoutes],
  ['show', listRoutes],
  ['lst', listRoutes],
  ['get', getRoute],
  ['flush', flushRoutes],
  ['save', saveRoutes],
  ['restore', restoreRoutes],
  ['showdump', showDump],
]

export const run: IpObject = (ctx, args) => {
  const [word, ...words] = args
  if (word === undefined) return listRoutes(ctx, [])
  const command = COMMANDS.find(([name]) => matches(word, name) && (name !== 'chg' || word === 'chg'))
  if (command !== undefined) return command[1](ctx, words)
  if (matches(word, 'help')) ctx.usage(ROUTE_USAGE)
  throw new ToolExit(`Command "${word}" is unknown, try "ip route help".\n`, EXIT_USAGE)
}
