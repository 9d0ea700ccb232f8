/**
 * Objects whose kernel side is not modelled: their help texts, and listings, which are as on a kernel where nothing of
 * the kind was set up. Commands that would set something up are refused.
 */
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, EXIT_USAGE, incompleteCommand, invarg, ToolExit } from '../lib/errors.ts'
import { getPrefix } from '../lib/inet.ts'
import type { IpContext, IpObject } from './context.ts'
import { FOU_USAGE } from './help/fou.ts'
import { ILA_USAGE } from './help/ila.ts'
import { IOAM_USAGE } from './help/ioam.ts'
import { L2TP_USAGE } from './help/l2tp.ts'
import { MACSEC_USAGE } from './help/macsec.ts'
import { MPTCP_USAGE } from './help/mptcp.ts'
import { MROUTE_USAGE } from './help/mroute.ts'
import { SR_USAGE } from './help/sr.ts'
import { XFRM_USAGE } from './help/xfrm.ts'
import { XFRM_MONITOR_USAGE } from './help/xfrm_monitor.ts'
import { XFRM_POLICY_USAGE } from './help/xfrm_policy.ts'
import { XFRM_STATE_USAGE } from './help/xfrm_state.ts'
import { RTNL_FAMILY_IP6MR, RTNL_FAMILY_IPMR } from './route_print.ts'

/** What a command does. @returns the exit status */
type Command = (ctx: IpContext, words: readonly string[]) => number

/** Commands by their words, in the order abbreviations are tried. */
type Commands = readonly (readonly [word: string, command: Command])[]

const refused: Command = () => {
  throw new CommandFailure('RTNETLINK answers: No such file or directory\nError talking to the kernel\n', 1)
}

const nothing: Command = () => 0

/** A listing without entries. */
const empty: Command = ctx => {
  ctx.listing(() => {})
  return 0
}

const usage =
  (text: string): Command =>
  () => {
    throw new ToolExit(text, EXIT_USAGE)
  }

const prints =
  (text: string | ((ctx: IpContext) => string)): Command =>
  ctx => {
    ctx.proc.stdout.write(typeof text === 'string' ? text : text(ctx))
    return 0
  }

const unknown =
  (of: string): Command =>
  (_ctx, words) => {
    throw new ToolExit(`Command "${words[0]}" is unknown, try "ip ${of} help".\n`, EXIT_USAGE)
  }

/** Chooses by the next word. @param none where there is no word @param other where it is none of the commands */
function choose(commands: Commands, none: Command, other: Command): Command {
  return (ctx, words) => {
    const word = words[0]
    if (word === undefined) return none(ctx, words)
    const found = commands.find(([name]) => matches(word, name))
    return found === undefined ? other(ctx, words) : found[1](ctx, words.slice(1))
  }
}

function object(of: string, text: string, commands: Commands, none: Command = usage(text)): Command {
  return choose([...commands, ['help', usage(text)]], none, unknown(of))
}

const incomplete: Command = () => incompleteCommand()

/** `ip mroute`: its words are checked as those of a listing. */
const mrouteList: Command = (ctx, words) => {
  const family = ctx.opts.family === 10 ? RTNL_FAMILY_IP6MR : RTNL_FAMILY_IPMR
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.matches('table') || a.is('iif')) a.next()
    else if (a.matches('from')) getPrefix(a.next(), family)
    else {
      if (a.matches('to')) a.next()
      getPrefix(a.word, family)
    }
  }
  return empty(ctx, words)
}

const l2tpShow = choose(
  [
    ['tunnel', empty],
    ['session', empty],
  ],
  usage(L2TP_USAGE),
  usage(L2TP_USAGE),
)

const tunsrc = choose(
  [
    [
      'show',
      ctx => {
        ctx.listing(out => {
          out.openObject()
          out.put('tunsrc', '::', 'tunsrc addr ::')
          out.nl()
          out.closeObject()
        })
        return 0
      },
    ],
    ['set', refused],
  ],
  incomplete,
  usage(SR_USAGE),
)

const hmac = choose(
  [
    ['show', nothing],
    ['set', refused],
  ],
  incomplete,
  usage(SR_USAGE),
)

const ioamNoun = choose(
  [
    ['show', nothing],
    ['add', refused],
    ['del', refused],
    ['set', refused],
  ],
  incomplete,
  (_ctx, words) => invarg('Unknown', words[0]!),
)

const mptcpEndpoint = choose(
  [
    ['add', refused],
    ['change', refused],
    ['delete', refused],
    ['show', nothing],
    ['flush', refused],
  ],
  nothing,
  unknown('mptcp'),
)

const mptcpLimits = choose(
  [
    ['set', refused],
    ['show', prints('add_addr_accepted 0 subflows 2 \n')],
  ],
  prints('add_addr_accepted 0 subflows 2 \n'),
  unknown('mptcp'),
)

const needsId: Command = (ctx, words) => {
  if (words.length === 0) throw new CommandFailure('Not enough information: ID is required\n', 1)
  return refused(ctx, words)
}

const xfrmState = choose(
  [
    ['add', needsId],
    ['update', needsId],
    ['allocspi', needsId],
    ['delete', needsId],
    ['deleteall', nothing],
    ['list', nothing],
    ['show', nothing],
    ['lst', nothing],
    [
      'get',
      () => {
        throw new CommandFailure('RTNETLINK answers: Invalid argument\n', 2)
      },
    ],
    ['flush', nothing],
    ['count', prints(ctx => `\t SAD count 0${ctx.opts.stats > 0 ? ' (buckets count 8 Max 1048576)' : ''}\n`)],
    ['help', usage(XFRM_STATE_USAGE)],
  ],
  nothing,
  unknown('xfrm state'),
)

const xfrmPolicy = choose(
  [
    ['add', refused],
    ['update', refused],
    ['delete', refused],
    ['deleteall', nothing],
    ['list', nothing],
    ['show', nothing],
    ['lst', nothing],
    ['get', refused],
    ['flush', nothing],
    ['count', prints(ctx => `\t SPD IN  0 OUT 0 FWD 0${ctx.opts.stats > 0 ? ' (Sock: IN 0 OUT 0 FWD 0)' : ''}\n`)],
    ['set', refused],
    ['setdefault', refused],
    ['getdefault', prints('Default policies:\n in:  accept\n fwd: accept\n out: accept\n')],
    ['help', usage(XFRM_POLICY_USAGE)],
  ],
  nothing,
  unknown('xfrm policy'),
)

const OBJECTS: Readonly<Record<string, Command>> = {
  l2tp: object('l2tp', L2TP_USAGE, [
    ['add', refused],
    ['delete', refused],
    ['show', l2tpShow],
  ]),
  // the kernel's side is a module that is not there: it is asked for before the words are looked at
  fou: choose([['help', usage(FOU_USAGE)]], usage(FOU_USAGE), refused),
  ila: choose([['help', usage(ILA_USAGE)]], usage(ILA_USAGE), refused),
  macsec: object('macsec', MACSEC_USAGE, [
    ['show', empty],
    ['add', refused],
    ['set', refused],
    ['delete', refused],
    ['offload', refused],
  ]),
  mroute: object(
    'mroute',
    MROUTE_USAGE,
    [
      ['list', mrouteList],
      ['show', mrouteList],
      ['lst', mrouteList],
    ],
    empty,
  ),
  sr: choose(
    [
      ['help', usage(SR_USAGE)],
      ['hmac', hmac],
      ['tunsrc', tunsrc],
    ],
    usage(SR_USAGE),
    (_ctx, words) => invarg('unknown', words[0]!),
  ),
  mptcp: object('mptcp', MPTCP_USAGE, [
    ['endpoint', mptcpEndpoint],
    ['limits', mptcpLimits],
  ]),
  ioam: choose(
    [
      ['help', usage(IOAM_USAGE)],
      ['namespace', ioamNoun],
      ['schema', ioamNoun],
    ],
    usage(IOAM_USAGE),
    (_ctx, words) => invarg('Unknown', words[0]!),
  ),
  xfrm: choose(
    [
      ['state', xfrmState],
      ['policy', xfrmPolicy],
      ['monitor', choose([['help', usage(XFRM_MONITOR_USAGE)]], nothing, nothing)],
    ],
    usage(XFRM_USAGE),
    usage(XFRM_USAGE),
  ),
}

/** @returns the object of a name */
export function absentObject(name: string): IpObject {
  return OBJECTS[name]!
}
