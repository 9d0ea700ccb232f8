/** Policy rules of IPv6: their own selectors (RFC 4291 prefixes, traffic class), and lookups through them. */

import { Errno } from '../../uapi/errno.ts'
import {
  FR_ACT_PROHIBIT,
  FR_ACT_TO_TBL,
  FR_ACT_UNREACHABLE,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTNLGRP_IPV6_RULE,
  type RuleMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET6 } from '../../uapi/socket.ts'
import {
  FibLookupArg,
  FibRule,
  type FibRules,
  type FibRulesOps,
  fibRulesRegister,
  fibRuleTable,
} from '../core/fib_rules.ts'
import { l3mdevUpdateFlow } from '../core/l3mdev.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import type { SkBuff } from '../core/skbuff.ts'
import { addrEqual, IN6ADDR_ANY, type In6Addr, prefixEqual } from './addr.ts'
import type { Fib6Result } from './fib6_result.ts'
import { type Flowi6, RT6_LOOKUP_F_HAS_SADDR, tclassOf } from './flowi6.ts'
import { type Fib6Table, fib6Key } from './ip6_fib.ts'
import { rt6SpecialKey } from './route.ts'
import { fib6TableLookup } from './route_select.ts'
import type { Rt6Info } from './rt6_info.ts'

/** Looks a flow up in one table. */
export type PolLookup = (net: Net, table: Fib6Table, fl6: Flowi6, skb: SkBuff | undefined, flags: number) => Rt6Info

/** A rule of IPv6. */
class Fib6Rule extends FibRule {
  src: In6Addr = IN6ADDR_ANY
  srcLen = 0
  dst: In6Addr = IN6ADDR_ANY
  dstLen = 0
  /** the six upper bits of the traffic class, in place; 0 any */
  dscp = 0
}

/** What a lookup through the rules wants and finds. */
class Fib6LookupArg extends FibLookupArg {
  net!: Net
  skb: SkBuff | undefined
  lookup: PolLookup | undefined
  /** without `lookup`: where a plain table lookup leaves its result */
  res: Fib6Result | undefined
  oif = 0
  rt: Rt6Info | undefined
}

interface Fib6RulesState {
  rules: FibRules<Fib6Rule, Flowi6, Fib6LookupArg>
  /** somebody has added a rule: until then lookups skip the list */
  custom: boolean
}

const key = pernetKey<Fib6RulesState>('fib6_rules')

function action(rule: Fib6Rule, fl6: Flowi6, flags: number, arg: Fib6LookupArg): number {
  const { net } = arg
  const special = net.at(rt6SpecialKey)
  if (rule.action !== FR_ACT_TO_TBL) {
    arg.rt =
      rule.action === FR_ACT_UNREACHABLE
        ? special.nullEntry
        : rule.action === FR_ACT_PROHIBIT
          ? special.prohibitEntry
          : special.blackholeEntry
    return arg.rt.error
  }
  const table = net.at(fib6Key).table(fibRuleTable(rule, arg))
  if (table === undefined) return -Errno.EAGAIN
  if (arg.lookup === undefined) {
    fib6TableLookup(net, table, arg.oif, fl6, arg.res!, flags)
    return arg.res!.rt === undefined ? -Errno.EAGAIN : 0
  }
  const rt = arg.lookup(net, table, fl6, arg.skb, flags)
  if (rt === special.nullEntry || rt.error === -Errno.EAGAIN) return -Errno.EAGAIN
  arg.rt = rt
  return rt.error
}

function suppress(rule: Fib6Rule, _flags: number, arg: Fib6LookupArg): boolean {
  const { rt } = arg
  if (rt === undefined) return false
  const dev = rt.idev?.dev
  if (rt.dstLen <= rule.suppressPrefixlen || (rule.suppressIfgroup !== -1 && dev?.group === rule.suppressIfgroup)) {
    arg.rt = undefined
    return true
  }
  return false
}

function match(rule: Fib6Rule, fl6: Flowi6, flags: number): boolean {
  if (rule.dstLen > 0 && !prefixEqual(fl6.daddr, rule.dst, rule.dstLen)) return false
  if (rule.srcLen > 0) {
    // an address that is yet to be chosen matches no prefix
    if ((flags & RT6_LOOKUP_F_HAS_SADDR) === 0 || !prefixEqual(fl6.saddr, rule.src, rule.srcLen)) return false
  }
  if (rule.dscp !== 0 && rule.dscp !== (tclassOf(fl6.flowlabel) & 0xfc)) return false
  if (rule.ipProto !== 0 && rule.ipProto !== fl6.proto) return false
  return rule.sportMatches(fl6.sport) && rule.dportMatches(fl6.dport)
}

function compare(rule: Fib6Rule, msg: RuleMessage): boolean {
  const { src, dst } = msg.attrs
  if (msg.srcLen !== 0 && (rule.srcLen !== msg.srcLen || (src !== undefined && !addrEqual(rule.src, src)))) return false
  if (msg.dstLen !== 0 && (rule.dstLen !== msg.dstLen || (dst !== undefined && !addrEqual(rule.dst, dst)))) return false
  return msg.tos === 0 || rule.dscp === msg.tos
}

function fill(rule: Fib6Rule, msg: RuleMessage): void {
  msg.dstLen = rule.dstLen
  msg.srcLen = rule.srcLen
  msg.tos = rule.dscp
  if (rule.dstLen > 0) msg.attrs.dst = rule.dst
  if (rule.srcLen > 0) msg.attrs.src = rule.src
}

function opsOf(net: Net): FibRulesOps<Fib6Rule, Flowi6, Fib6LookupArg> {
  return {
    family: AF_INET6,
    addrSize: 16,
    group: RTNLGRP_IPV6_RULE,
    newRule: () => new Fib6Rule(),
    action,
    suppress,
    match,
    compare,
    fill,
    configure(rule: Fib6Rule, msg: RuleMessage, extack: NetlinkExtAck): number {
      if ((msg.tos & 3) !== 0) return extack.fail(-Errno.EINVAL, 'Invalid dsfield (dscp): ECN bits must be 0')
      rule.dscp = msg.tos
      if (rule.action === FR_ACT_TO_TBL && rule.l3mdev === 0) {
        if (rule.table === 0) return extack.fail(-Errno.EINVAL, 'Invalid table')
        net.at(fib6Key).newTable(rule.table)
      }
      if (msg.srcLen > 0) rule.src = msg.attrs.src!.slice()
      if (msg.dstLen > 0) rule.dst = msg.attrs.dst!.slice()
      rule.srcLen = msg.srcLen
      rule.dstLen = msg.dstLen
      net.at(key).custom = true
      return 0
    },
    flushCache: () => {
      net.at(fib6Key).sernum++
    },
  }
}

/** Gives a namespace its two rules: local, then main. */
export function fib6RulesInit(net: Net): void {
  const rules = fibRulesRegister(net, opsOf(net))
  rules.addDefault(0, RT_TABLE_LOCAL)
  rules.addDefault(0x7ffe, RT_TABLE_MAIN)
  net.set(key, { rules, custom: false })
}

const arg = new Fib6LookupArg()

/**
 * Looks a flow up by the rules (fib6_rule_lookup).
 * @param lookup what to do in each table @returns a dst; the namespace's null entry where no rule gave one
 */
export function fib6RuleLookup(
  net: Net,
  fl6: Flowi6,
  skb: SkBuff | undefined,
  flags: number,
  lookup: PolLookup,
): Rt6Info {
  const state = net.at(key)
  const { nullEntry } = net.at(rt6SpecialKey)
  if (!state.custom) {
    const fib = net.at(fib6Key)
    let rt = lookup(net, fib.local, fl6, skb, flags)
    if (rt !== nullEntry && rt.error !== -Errno.EAGAIN) return rt
    rt = lookup(net, fib.main, fl6, skb, flags)
    return rt.error === -Errno.EAGAIN ? nullEntry : rt
  }
  l3mdevUpdateFlow(net, fl6)
  arg.net = net
  arg.skb = skb
  arg.lookup = lookup
  arg.rt = undefined
  arg.table = 0
  state.rules.lookup(fl6, flags, arg)
  return arg.rt ?? nullEntry
}

/**
 * Finds a route by the rules, without making a dst (fib6_lookup).
 * @param res its `rt` is undefined where there is none
 */
export function fib6Lookup(net: Net, oif: number, fl6: Flowi6, res: Fib6Result, flags: number): void {
  const state = net.at(key)
  res.clear()
  if (!state.custom) {
    const fib = net.at(fib6Key)
    fib6TableLookup(net, fib.local, oif, fl6, res, flags)
    if (res.rt === undefined) fib6TableLookup(net, fib.main, oif, fl6, res, flags)
    return
  }
  l3mdevUpdateFlow(net, fl6)
  arg.net = net
  arg.skb = undefined
  arg.lookup = undefined
  arg.res = res
  arg.oif = oif
  arg.rt = undefined
  arg.table = 0
  if (state.rules.lookup(fl6, flags, arg) < 0) res.clear()
}
