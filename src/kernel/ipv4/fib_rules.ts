/** Policy rules of IPv4: their own selectors — prefixes, TOS, ports — and lookups through them. */
import { Errno } from '../../uapi/errno.ts'
import {
  FR_ACT_PROHIBIT,
  FR_ACT_TO_TBL,
  FR_ACT_UNREACHABLE,
  RT_TABLE_DEFAULT,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTNLGRP_IPV4_RULE,
  type RuleMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_INET } from '../../uapi/socket.ts'
import { FibLookupArg, FibRule, type FibRulesOps, fibRulesRegister, fibRuleTable } from '../core/fib_rules.ts'
import { l3mdevUpdateFlow } from '../core/l3mdev.ts'
import type { Net } from '../core/net_namespace.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'
import type { FibResult } from './fib_info.ts'
import { type Fib, fibKey } from './fib_table.ts'
import type { Flowi4 } from './flow.ts'
import { inetMakeMask } from './in_device.ts'
import { addrFromBytes, addrToBytes } from './inet_addr.ts'
import { INET_ECN_MASK, IPTOS_TOS_MASK } from './ip.ts'
import { rtCacheFlush } from './rtable.ts'

/** A rule of IPv4. */
export class Fib4Rule extends FibRule {
  src = 0
  srcLen = 0
  srcMask = 0
  dst = 0
  dstLen = 0
  dstMask = 0
  /** 0: any */
  tos = 0
  /** realms: source << 16 | destination */
  tclassid = 0

  /** @returns whether packets must be dissected for it (fib_rule_requires_fldissect) */
  get requiresFldissect(): boolean {
    return this.iifindex !== 1 && (this.ipProto !== 0 || this.sportStart !== 0 || this.dportStart !== 0)
  }
}

/** What a lookup through the rules wants and finds. */
export class Fib4LookupArg extends FibLookupArg {
  fib!: Fib
  result!: FibResult
  /** FIB_LOOKUP_… */
  flags = 0
}

function action(rule: Fib4Rule, fl4: Flowi4, _flags: number, arg: Fib4LookupArg): number {
  switch (rule.action) {
    case FR_ACT_TO_TBL:
      break
    case FR_ACT_UNREACHABLE:
      return -Errno.ENETUNREACH
    case FR_ACT_PROHIBIT:
      return -Errno.EACCES
    default:
      return -Errno.EINVAL
  }
  const table = arg.fib.getTable(fibRuleTable(rule, arg))
  return table === undefined ? -Errno.EAGAIN : table.lookup(fl4, arg.result, arg.flags)
}

function suppress(rule: Fib4Rule, _flags: number, arg: Fib4LookupArg): boolean {
  const { result } = arg
  if (
    result.prefixlen <= rule.suppressPrefixlen ||
    (rule.suppressIfgroup !== -1 && result.dev?.group === rule.suppressIfgroup)
  ) {
    result.clear()
    return true
  }
  return false
}

function match(rule: Fib4Rule, fl4: Flowi4): boolean {
  return (
    ((fl4.saddr ^ rule.src) & rule.srcMask) === 0 &&
    ((fl4.daddr ^ rule.dst) & rule.dstMask) === 0 &&
    (rule.tos === 0 || rule.tos === fl4.tos) &&
    (rule.ipProto === 0 || rule.ipProto === fl4.proto) &&
    rule.sportMatches(fl4.sport) &&
    rule.dportMatches(fl4.dport)
  )
}

function compare(rule: Fib4Rule, msg: RuleMessage): boolean {
  const { attrs } = msg
  if (msg.srcLen !== 0 && (rule.srcLen !== msg.srcLen || rule.src !== addrFromBytes(attrs.src))) return false
  if (msg.dstLen !== 0 && (rule.dstLen !== msg.dstLen || rule.dst !== addrFromBytes(attrs.dst))) return false
  if (msg.tos !== 0 && rule.tos !== msg.tos) return false
  return attrs.flow === undefined || rule.tclassid === attrs.flow
}

function fill(rule: Fib4Rule, msg: RuleMessage): void {
  msg.dstLen = rule.dstLen
  msg.srcLen = rule.srcLen
  msg.tos = rule.tos
  if (rule.dstLen > 0) msg.attrs.dst = addrToBytes(rule.dst)
  if (rule.srcLen > 0) msg.attrs.src = addrToBytes(rule.src)
  if (rule.tclassid !== 0) msg.attrs.flow = rule.tclassid
}

function configure(fib: Fib, rule: Fib4Rule, msg: RuleMessage, extack: NetlinkExtAck): number {
  if ((msg.tos & INET_ECN_MASK) !== 0) return extack.fail(-Errno.EINVAL, 'Invalid dsfield (tos): ECN bits must be 0')
  if ((msg.tos & ~IPTOS_TOS_MASK) !== 0) return extack.fail(-Errno.EINVAL, 'Invalid tos')
  fib.unmerge()
  if (rule.table === 0 && rule.l3mdev === 0 && rule.action === FR_ACT_TO_TBL) {
    const table = fib.emptyTable()
    if (table === undefined) return -Errno.ENOBUFS
    rule.table = table.id
  }
  const { attrs } = msg
  if (msg.srcLen > 0) rule.src = addrFromBytes(attrs.src)
  if (msg.dstLen > 0) rule.dst = addrFromBytes(attrs.dst)
  if (attrs.flow !== undefined) {
    rule.tclassid = attrs.flow
    if (rule.tclassid !== 0) fib.numTclassidUsers++
  }
  if (rule.requiresFldissect) fib.rulesRequireFldissect++
  rule.tos = msg.tos
  rule.srcLen = msg.srcLen
  rule.srcMask = inetMakeMask(msg.srcLen)
  rule.dstLen = msg.dstLen
  rule.dstMask = inetMakeMask(msg.dstLen)
  fib.hasCustomRules = true
  return 0
}

function opsOf(fib: Fib): FibRulesOps<Fib4Rule, Flowi4, Fib4LookupArg> {
  return {
    family: AF_INET,
    addrSize: 4,
    group: RTNLGRP_IPV4_RULE,
    newRule: () => new Fib4Rule(),
    action,
    suppress,
    match,
    compare,
    fill,
    configure: (rule, msg, extack) => configure(fib, rule, msg, extack),
    delete(rule) {
      fib.unmerge()
      if (rule.tclassid !== 0) fib.numTclassidUsers--
      if (rule.requiresFldissect) fib.rulesRequireFldissect--
      fib.hasCustomRules = true
      return 0
    },
    flushCache: rtCacheFlush,
  }
}

/** Gives a namespace its three rules: local, main, default (fib4_rules_init). */
export function fib4RulesInit(net: Net): void {
  const fib = net.at(fibKey)
  const rules = fibRulesRegister(net, opsOf(fib))
  rules.addDefault(0, RT_TABLE_LOCAL)
  rules.addDefault(0x7ffe, RT_TABLE_MAIN)
  rules.addDefault(0x7fff, RT_TABLE_DEFAULT)
  fib.rules = rules
}

const arg = new Fib4LookupArg()

/** Looks a flow up by the rules (__fib_lookup). @returns as `fibLookup` does */
export function fibRulesLookup4(net: Net, fib: Fib, fl4: Flowi4, res: FibResult, flags: number): number {
  l3mdevUpdateFlow(net, fl4)
  arg.fib = fib
  arg.result = res
  arg.flags = flags
  arg.rule = undefined
  arg.table = 0
  const err = fib.rules.lookup(fl4, 0, arg)
  const rule = arg.rule as Fib4Rule | undefined
  res.tclassid = rule === undefined ? 0 : rule.tclassid
  return err === -Errno.ESRCH ? -Errno.ENETUNREACH : err
}
