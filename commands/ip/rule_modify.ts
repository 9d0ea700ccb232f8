/** `ip rule add|del`: the words of a rule and the request they make. */

import { Errno } from '../../src/uapi/errno.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from '../../src/uapi/netlink.ts'
import {
  FIB_RULE_INVERT,
  FR_ACT_GOTO,
  FR_ACT_NOP,
  FR_ACT_TO_TBL,
  FR_ACT_UNSPEC,
  RT_TABLE_MAIN,
  RT_TABLE_UNSPEC,
  type RTM_DELRULE,
  RTM_NEWRULE,
  RTN_NAT,
  type RuleMessage,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { CommandFailure, invarg } from '../lib/errors.ts'
import { getAddr32, getPrefix } from '../lib/inet.ts'
import { getS32, getU32, getU64 } from '../lib/number.ts'
import { Protocols } from '../lib/protocols.ts'
import { ruleMessage } from '../lib/rtnl.ts'
import type { IpContext } from './context.ts'
import { RULE_USAGE } from './help/rule.ts'
import { parseRealms, parseRouteType } from './rtnames.ts'
import { parseIfname, parseMark, parsePortRange, parseUidRange } from './rule_words.ts'

/** Reads `[type] ACTION`. */
function parseAction(ctx: IpContext, rule: RuleMessage, a: Args): void {
  if (a.is('type')) a.next()
  if (a.matches('help')) ctx.usage(RULE_USAGE)
  else if (a.matches('goto')) {
    const word = a.next()
    rule.attrs.goto = getU32(word) ?? invarg('invalid target\n', word)
    rule.action = FR_ACT_GOTO
  } else if (a.matches('nop')) rule.action = FR_ACT_NOP
  else rule.action = parseRouteType(a.word) ?? invarg('Failed to parse rule type', a.word)
}

/** Reads one keyword with its value. @returns whether it says where the rule leads, so that no table is assumed */
function parseWord(ctx: IpContext, rule: RuleMessage, a: Args): boolean {
  const { attrs } = rule
  if (a.is('not')) rule.ruleFlags |= FIB_RULE_INVERT
  else if (a.is('from')) {
    const prefix = getPrefix(a.next(), rule.family)
    rule.srcLen = prefix.bitlen
    if (prefix.data.length > 0) attrs.src = prefix.data
  } else if (a.is('to')) {
    const prefix = getPrefix(a.next(), rule.family)
    rule.dstLen = prefix.bitlen
    if (prefix.data.length > 0) attrs.dst = prefix.data
  } else if (a.matches('preference') || a.matches('order') || a.matches('priority')) {
    const word = a.next()
    attrs.priority = getU32(word) ?? invarg('preference value is invalid\n', word)
  } else if (a.is('tos') || a.matches('dsfield')) {
    const word = a.next()
    rule.tos = ctx.names.rtDsfield.a2n(word) ?? invarg('TOS value is invalid\n', word)
  } else if (a.is('fwmark')) {
    const { mark, mask } = parseMark(a.next())
    attrs.fwmark = mark
    if (mask !== undefined) attrs.fwmask = mask
  } else if (a.matches('realms')) {
    const word = a.next()
    attrs.flow = parseRealms(word, ctx.names.rtRealm) ?? invarg('invalid realms\n', word)
  } else if (a.matches('protocol')) {
    const word = a.next()
    attrs.protocol = ctx.names.rtProto.a2n(word) ?? invarg('"protocol" value is invalid\n', word)
  } else if (a.matches('tun_id')) {
    const word = a.next()
    attrs.tunId = Number(getU64(word) ?? invarg('"tun_id" value is invalid\n', word))
  } else if (a.matches('table') || a.is('lookup')) {
    const word = a.next()
    const table = ctx.names.rtTable.a2n(word) ?? invarg('invalid table ID\n', word)
    rule.table = table < 256 ? table : RT_TABLE_UNSPEC
    if (table >= 256) attrs.table = table
    return true
  } else if (a.matches('suppress_prefixlength') || a.is('sup_pl')) {
    const word = a.next()
    const length = getS32(word)
    if (length === undefined || length < 0) invarg('suppress_prefixlength value is invalid\n', word)
    attrs.suppressPrefixlen = length
  } else if (a.matches('suppress_ifgroup') || a.is('sup_group')) {
    const word = a.next()
    attrs.suppressIfgroup = ctx.names.group.a2n(word) ?? invarg('Invalid "suppress_ifgroup" value\n', word)
  } else if (a.is('dev', 'iif')) attrs.iifname = parseIfname(a.next(), '"iif"/"dev" not a valid ifname')
  else if (a.is('oif')) attrs.oifname = parseIfname(a.next(), '"oif" not a valid ifname')
  else if (a.is('l3mdev')) {
    attrs.l3mdev = 1
    return true
  } else if (a.is('uidrange')) attrs.uidRange = parseUidRange(a.next())
  else if (a.is('nat') || a.matches('map-to')) {
    const word = a.next()
    ctx.warn('Warning: route NAT is deprecated\n')
    getAddr32(word)
    rule.action = RTN_NAT
  } else if (a.is('ipproto')) {
    const word = a.next()
    attrs.ipProto = new Protocols(ctx.proc).number(word) ?? invarg('Invalid "ipproto" value\n', word)
  } else if (a.is('sport')) attrs.sportRange = parsePortRange(a.next(), 'invalid port range\n')
  else if (a.is('dport')) attrs.dportRange = parsePortRange(a.next(), 'invalid dport range\n')
  else {
    parseAction(ctx, rule, a)
    return true
  }
  return false
}

/** Makes the request of a rule's words. @param family that of the request, AF_UNSPEC where none was asked for */
export function parseRule(
  ctx: IpContext,
  type: typeof RTM_NEWRULE | typeof RTM_DELRULE,
  family: number,
  words: readonly string[],
): RuleMessage {
  const rule = ruleMessage({ type, flags: NLM_F_REQUEST, family, action: FR_ACT_UNSPEC })
  if (type === RTM_NEWRULE) {
    rule.flags |= NLM_F_CREATE | NLM_F_EXCL
    rule.action = FR_ACT_TO_TBL
  }
  let led = false
  const a = new Args(words)
  for (; a.more; a.skip()) led = parseWord(ctx, rule, a) || led
  if (rule.attrs.l3mdev !== undefined && rule.table !== RT_TABLE_UNSPEC) {
    throw new CommandFailure('table can not be specified for l3mdev rules\n', Errno.EINVAL)
  }
  if (rule.family === AF_UNSPEC) rule.family = AF_INET
  if (!led && type === RTM_NEWRULE) rule.table = RT_TABLE_MAIN
  return rule
}
