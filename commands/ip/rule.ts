/** `ip rule`: the routing policy database, see ip-rule(8). */
import { Errno } from '../../src/uapi/errno.ts'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import { RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE, type RuleMessage } from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { matches } from '../lib/args.ts'
import { magicBytes, RULE_DUMP_MAGIC, readDump } from '../lib/dump_file.ts'
import { CommandFailure, EXIT_USAGE, ToolExit } from '../lib/errors.ts'
import { readMessages } from '../lib/nlwire.ts'
import { asNetlinkError, netlinkErrorText, ruleMessage } from '../lib/rtnl.ts'
import type { IpContext, IpObject } from './context.ts'
import { RULE_USAGE } from './help/rule.ts'
import { parseRuleFilter, type RuleFilter, ruleTakes } from './rule_filter.ts'
import { parseRule } from './rule_modify.ts'
import { printRule } from './rule_print.ts'
import { decodeRule, encodeRule } from './rule_wire.ts'

/** Dumps the rules a filter takes; a refusal ends with `terminated` and status 255. */
function dumpRules(ctx: IpContext, family: number, filter: RuleFilter, terminated: string): RuleMessage[] {
  const request = ruleMessage({
    type: RTM_GETRULE,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    family: family === AF_UNSPEC ? AF_INET : family,
  })
  try {
    const answers = ctx.nl.request(request).filter(message => message.type === RTM_NEWRULE) as RuleMessage[]
    return answers.filter(rule => ruleTakes(filter, rule))
  } catch (thrown) {
    throw new CommandFailure(netlinkErrorText(asNetlinkError(thrown)) + terminated, EXIT_USAGE)
  }
}

/** A command of `ip rule` for rules of a family. */
type Command = (ctx: IpContext, family: number, words: readonly string[]) => Promise<number> | number

const list: Command = (ctx, family, words) => {
  const filter = parseRuleFilter(ctx, words)
  ctx.listing(out => {
    for (const rule of dumpRules(ctx, family, filter, 'Dump terminated\n')) printRule(ctx, out, rule)
  })
  return 0
}

const save: Command = (ctx, family, words) => {
  const { proc } = ctx
  if (proc.isatty(1)) throw new CommandFailure('Not sending a binary stream to stdout\n', 1)
  proc.stdout.write(magicBytes(RULE_DUMP_MAGIC))
  const filter = parseRuleFilter(ctx, words)
  for (const rule of dumpRules(ctx, family, filter, 'Save terminated\n')) proc.stdout.write(encodeRule(rule))
  return 0
}

/** Rules of priority 0 carry no priority and are never flushed. */
const flush: Command = (ctx, family, words) => {
  const filter = parseRuleFilter(ctx, words)
  for (const rule of dumpRules(ctx, family, filter, 'Flush terminated\n')) {
    if (filter.protocol !== undefined && filter.protocol !== (rule.attrs.protocol ?? 0)) continue
    if ((rule.attrs.priority ?? 0) === 0) continue
    try {
      ctx.nl.request({ ...rule, type: RTM_DELRULE, flags: NLM_F_REQUEST | NLM_F_ACK })
    } catch (thrown) {
      throw new CommandFailure(`${netlinkErrorText(asNetlinkError(thrown))}Flush terminated\n`, EXIT_USAGE)
    }
  }
  return 0
}

const restore: Command = async ctx => {
  const dump = await readDump(ctx.proc, RULE_DUMP_MAGIC, 'rule')
  if ('complaint' in dump) throw new CommandFailure(dump.complaint, EXIT_USAGE)
  for (const message of readMessages(dump.bytes)) {
    const rule = decodeRule(message)
    if (rule === undefined) continue
    try {
      ctx.nl.request({ ...rule, flags: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK })
    } catch (thrown) {
      const error = asNetlinkError(thrown)
      if (error.errno !== Errno.EEXIST) throw new CommandFailure(netlinkErrorText(error), 2)
      ctx.warn(netlinkErrorText(error))
    }
  }
  return 0
}

const modify =
  (type: typeof RTM_NEWRULE | typeof RTM_DELRULE): Command =>
  (ctx, family, words) => {
    const name = type === RTM_NEWRULE ? 'add' : 'del'
    if (words.length === 0) throw new CommandFailure(`"ip rule ${name}" requires arguments.\n`, 1)
    ctx.talk(parseRule(ctx, type, family, words))
    return 0
  }

/** Commands in the order abbreviations are tried. */
const COMMANDS: readonly (readonly [string, Command])[] = [
  ['list', list],
  ['lst', list],
  ['show', list],
  ['save', save],
  ['restore', restore],
  ['add', modify(RTM_NEWRULE)],
  ['delete', modify(RTM_DELRULE)],
  ['flush', flush],
]

/** Runs a command on the rules of a family. @returns the exit status */
export function runRules(ctx: IpContext, family: number, args: readonly string[]): Promise<number> | number {
  const [word, ...words] = args
  if (word === undefined) return list(ctx, family, [])
  const command = COMMANDS.find(([name]) => matches(word, name))
  if (command !== undefined) return command[1](ctx, family, words)
  if (matches(word, 'help')) ctx.usage(RULE_USAGE)
  throw new ToolExit(`Command "${word}" is unknown, try "ip rule help".\n`, EXIT_USAGE)
}

export const run: IpObject = (ctx, args) => runRules(ctx, ctx.opts.family, args)
