/** Which rules `ip rule list`, `flush` and `save` mean. */
import { FIB_RULE_INVERT, type RuleMessage } from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_UNSPEC } from '../../src/uapi/socket.ts'
import { Args } from '../lib/args.ts'
import { invarg } from '../lib/errors.ts'
import { getPrefix, type InetPrefix, prefixContains } from '../lib/inet.ts'
import { getU32, getU64 } from '../lib/number.ts'
import { Protocols } from '../lib/protocols.ts'
import type { IpContext } from './context.ts'
import { parseIfname, parseMark, parsePortRange, parseUidRange, type Range } from './rule_words.ts'

/** Selection of rules; `undefined` (or 0 for marks, tables and protocols) selects everything. */
export interface RuleFilter {
  priority?: number
  inverted?: boolean
  tos?: number
  mark?: number
  mask?: number
  iif?: string
  oif?: string
  l3mdev?: boolean
  uidRange?: Range
  tunId?: number
  table?: number
  src?: InetPrefix
  dst?: InetPrefix
  /** who installed the rule: only a flush looks at it */
  protocol?: number
  ipProto?: number
  sport?: Range
  dport?: Range
}

/** Reads the selectors of `ip rule list|flush|save`. */
export function parseRuleFilter(ctx: IpContext, words: readonly string[]): RuleFilter {
  const family = ctx.opts.family === AF_UNSPEC ? AF_INET : ctx.opts.family
  const filter: RuleFilter = {}
  const a = new Args(words)
  for (; a.more; a.skip()) {
    if (a.matches('preference') || a.matches('order') || a.matches('priority')) {
      const word = a.next()
      filter.priority = getU32(word) ?? invarg('preference value is invalid\n', word)
    } else if (a.is('not')) filter.inverted = true
    else if (a.is('tos', 'dsfield')) {
      const word = a.next()
      filter.tos = ctx.names.rtDsfield.a2n(word) ?? invarg('TOS value is invalid\n', word)
    } else if (a.is('fwmark')) {
      const { mark, mask } = parseMark(a.next())
      filter.mark = mark
      if (mask !== undefined) filter.mask = mask
    } else if (a.is('dev', 'iif')) filter.iif = parseIfname(a.next(), '"iif"/"dev" not a valid ifname')
    else if (a.is('oif')) filter.oif = parseIfname(a.next(), '"oif" not a valid ifname')
    else if (a.is('l3mdev')) filter.l3mdev = true
    else if (a.is('uidrange')) filter.uidRange = parseUidRange(a.next())
    else if (a.matches('tun_id')) {
      const word = a.next()
      filter.tunId = Number(getU64(word) ?? invarg('"tun_id" value is invalid\n', word))
    } else if (a.matches('lookup') || a.matches('table')) {
      const word = a.next()
      filter.table = ctx.names.rtTable.a2n(word) ?? invarg('table id value is invalid\n', word)
    } else if (a.matches('from') || a.matches('src')) filter.src = getPrefix(a.next(), family)
    else if (a.matches('protocol')) {
      const word = a.next()
      const protocol = ctx.names.rtProto.a2n(word)
      if (protocol !== undefined) filter.protocol = protocol
      else if (word !== 'all') invarg('invalid "protocol"\n', word)
    } else if (a.is('ipproto')) {
      const word = a.next()
      filter.ipProto = new Protocols(ctx.proc).number(word) ?? invarg('Invalid "ipproto" value\n', word)
    } else if (a.is('sport')) filter.sport = parsePortRange(a.next(), 'invalid port range\n')
    else if (a.is('dport')) filter.dport = parsePortRange(a.next(), 'invalid dport range\n')
    else {
      if (a.matches('dst') || a.matches('to')) a.next()
      filter.dst = getPrefix(a.word, family)
    }
  }
  return filter
}

/** @returns the whole number of a rule's table */
export function ruleTable(rule: RuleMessage): number {
  return rule.attrs.table ?? rule.table
}

function prefixTakes(
  prefix: InetPrefix | undefined,
  family: number,
  length: number,
  address: Uint8Array | undefined,
): boolean {
  if (prefix === undefined || prefix.family === AF_UNSPEC) return true
  return prefix.family === family && prefix.bitlen <= length && prefixContains(prefix, address)
}

function rangeTakes(wanted: Range | undefined, given: Range | undefined): boolean {
  if (wanted === undefined || wanted.start === 0) return true
  return given !== undefined && given.start === wanted.start && given.end === wanted.end
}

/** @returns whether a filter takes a rule */
export function ruleTakes(filter: RuleFilter, rule: RuleMessage): boolean {
  const { attrs } = rule
  if (filter.priority !== undefined && filter.priority !== (attrs.priority ?? 0)) return false
  if (filter.inverted === true && (rule.ruleFlags & FIB_RULE_INVERT) === 0) return false
  if (!prefixTakes(filter.src, rule.family, rule.srcLen, attrs.src)) return false
  if (!prefixTakes(filter.dst, rule.family, rule.dstLen, attrs.dst)) return false
  if (filter.tos !== undefined && filter.tos !== rule.tos) return false
  if ((filter.mark ?? 0) !== 0 && filter.mark !== (attrs.fwmark ?? 0)) return false
  if ((filter.mask ?? 0) !== 0 && filter.mask !== (attrs.fwmask ?? 0)) return false
  if (filter.iif !== undefined && filter.iif !== attrs.iifname) return false
  if (filter.oif !== undefined && filter.oif !== attrs.oifname) return false
  if (filter.l3mdev === true && (attrs.l3mdev ?? 0) === 0) return false
  if (filter.uidRange !== undefined) {
    const { uidRange } = attrs
    if (uidRange?.start !== filter.uidRange.start || uidRange.end !== filter.uidRange.end) return false
  }
  if ((filter.ipProto ?? 0) !== 0 && filter.ipProto !== (attrs.ipProto ?? 0)) return false
  if (!rangeTakes(filter.sport, attrs.sportRange) || !rangeTakes(filter.dport, attrs.dportRange)) return false
  if ((filter.tunId ?? 0) !== 0 && filter.tunId !== (attrs.tunId ?? 0)) return false
  return (filter.table ?? 0) === 0 || filter.table === ruleTable(rule)
}
