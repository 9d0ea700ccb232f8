/** Policy rules as rtnetlink has them: RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE, and devices that come and go under their names. */
import { Errno } from '../../uapi/errno.ts'
import { NLM_F_EXCL, NLM_F_MULTI } from '../../uapi/netlink.ts'
import {
  FIB_RULE_IIF_DETACHED,
  FIB_RULE_OIF_DETACHED,
  FIB_RULE_PERMANENT,
  FIB_RULE_UNRESOLVED,
  FR_ACT_GOTO,
  RTM_DELRULE,
  RTM_GETRULE,
  RTM_NEWRULE,
  type RtMessage,
  type RuleMessage,
} from '../../uapi/rtnetlink.ts'
import { AF_UNSPEC } from '../../uapi/socket.ts'
import type { Kernel } from '../kernel.ts'
import { type FibRule, type FibRules, fibRulesFamilies, fibRulesOf } from './fib_rules.ts'
import type { NetDevice } from './net_device.ts'
import type { NetlinkExtAck, RtnlContext } from './rtnetlink.ts'

/** The 8-bit table number of tables that need more: user space looks at FRA_TABLE. */
const RT_TABLE_COMPAT = 252

/** @returns a rule as netlink shows it */
function fillRule(
  rules: FibRules,
  rule: FibRule,
  type: typeof RTM_NEWRULE | typeof RTM_DELRULE,
  flags: number,
): RuleMessage {
  const msg: RuleMessage = {
    type,
    flags,
    family: rules.ops.family,
    dstLen: 0,
    srcLen: 0,
    tos: 0,
    table: rule.table < 256 ? rule.table : RT_TABLE_COMPAT,
    action: rule.action,
    ruleFlags: rule.flags,
    attrs: { table: rule.table, protocol: rule.proto },
  }
  const { attrs } = msg
  if (rule.action === FR_ACT_GOTO && rule.ctarget === undefined) msg.ruleFlags |= FIB_RULE_UNRESOLVED
  if (rule.suppressPrefixlen !== -1) attrs.suppressPrefixlen = rule.suppressPrefixlen
  if (rule.suppressIfgroup !== -1) attrs.suppressIfgroup = rule.suppressIfgroup
  if (rule.iifname !== '') {
    attrs.iifname = rule.iifname
    if (rule.iifindex === -1) msg.ruleFlags |= FIB_RULE_IIF_DETACHED
  }
  if (rule.oifname !== '') {
    attrs.oifname = rule.oifname
    if (rule.oifindex === -1) msg.ruleFlags |= FIB_RULE_OIF_DETACHED
  }
  if (rule.pref !== 0) attrs.priority = rule.pref
  if (rule.mark !== 0) attrs.fwmark = rule.mark
  if (rule.mark !== 0 || rule.markMask !== 0) attrs.fwmask = rule.markMask >>> 0
  if (rule.target !== 0) attrs.goto = rule.target
  if (rule.tunId !== 0) attrs.tunId = rule.tunId
  if (rule.l3mdev !== 0) attrs.l3mdev = rule.l3mdev
  if (rule.uidSet) attrs.uidRange = { start: rule.uidStart, end: rule.uidEnd }
  if (rule.sportStart !== 0) attrs.sportRange = { start: rule.sportStart, end: rule.sportEnd }
  if (rule.dportStart !== 0) attrs.dportRange = { start: rule.dportStart, end: rule.dportEnd }
  if (rule.ipProto !== 0) attrs.ipProto = rule.ipProto
  rules.ops.fill(rule, msg)
  return msg
}

/** @returns a port range as a pair, undefined where it is no range */
function portRange(range: { start: number; end: number }): { start: number; end: number } | undefined {
  const { start, end } = range
  return start === 0 || end === 0 || start > end || end > 0xffff ? undefined : range
}

/** Reads a request's shared selectors (fib_nl2rule). @returns the rule or a negative error */
function ruleFromMessage(rules: FibRules, msg: RuleMessage, extack: NetlinkExtAck): FibRule | number {
  const { ops, net } = rules
  const { attrs } = msg
  const bits = ops.addrSize * 8
  if (msg.srcLen > 0 && (attrs.src?.length !== ops.addrSize || msg.srcLen > bits))
    return extack.fail(-Errno.EINVAL, 'Invalid source address')
  if (msg.dstLen > 0 && (attrs.dst?.length !== ops.addrSize || msg.dstLen > bits))
    return extack.fail(-Errno.EINVAL, 'Invalid dst address')
  const rule = ops.newRule()
  rule.pref = attrs.priority ?? rules.defaultPref()
  rule.proto = attrs.protocol ?? 0
  if (attrs.iifname !== undefined) {
    rule.iifname = attrs.iifname.slice(0, 15)
    rule.iifindex = net.devByName(rule.iifname)?.ifindex ?? -1
  }
  if (attrs.oifname !== undefined) {
    rule.oifname = attrs.oifname.slice(0, 15)
    rule.oifindex = net.devByName(rule.oifname)?.ifindex ?? -1
  }
  if (attrs.fwmark !== undefined) {
    rule.mark = attrs.fwmark
    // without a mask of its own a mark means all bits
    if (rule.mark !== 0) rule.markMask = 0xffffffff
  }
  if (attrs.fwmask !== undefined) rule.markMask = attrs.fwmask
  rule.tunId = attrs.tunId ?? 0
  if (attrs.l3mdev !== undefined) {
    rule.l3mdev = attrs.l3mdev
    if (rule.l3mdev !== 1) return extack.fail(-Errno.EINVAL, 'Invalid l3mdev attribute')
  }
  rule.action = msg.action
  rule.flags = msg.ruleFlags
  rule.table = attrs.table ?? msg.table
  rule.suppressPrefixlen = attrs.suppressPrefixlen === undefined ? -1 : attrs.suppressPrefixlen | 0
  rule.suppressIfgroup = attrs.suppressIfgroup === undefined ? -1 : attrs.suppressIfgroup | 0
  if (attrs.goto !== undefined) {
    if (rule.action !== FR_ACT_GOTO) return extack.fail(-Errno.EINVAL, 'Unexpected goto')
    rule.target = attrs.goto
    if (rule.target <= rule.pref) return extack.fail(-Errno.EINVAL, 'Backward goto not supported')
  } else if (rule.action === FR_ACT_GOTO) return extack.fail(-Errno.EINVAL, 'Missing goto target for action goto')
  if (rule.l3mdev !== 0 && rule.table !== 0)
    return extack.fail(-Errno.EINVAL, 'l3mdev and table are mutually exclusive')
  return ruleRanges(rule, msg, extack)
}

function ruleRanges(rule: FibRule, msg: RuleMessage, extack: NetlinkExtAck): FibRule | number {
  const { uidRange, sportRange, dportRange } = msg.attrs
  if (uidRange !== undefined) {
    const { start, end } = uidRange
    if (start === 0xffffffff || end === 0xffffffff || start > end)
      return extack.fail(-Errno.EINVAL, 'Invalid uid range')
    rule.uidSet = true
    rule.uidStart = start
    rule.uidEnd = end
  }
  rule.ipProto = msg.attrs.ipProto ?? 0
  if (sportRange !== undefined) {
    const range = portRange(sportRange)
    if (range === undefined) return extack.fail(-Errno.EINVAL, 'Invalid sport range')
    rule.sportStart = range.start
    rule.sportEnd = range.end
  }
  if (dportRange !== undefined) {
    const range = portRange(dportRange)
    if (range === undefined) return extack.fail(-Errno.EINVAL, 'Invalid dport range')
    rule.dportStart = range.start
    rule.dportEnd = range.end
  }
  return rule
}

/** @returns whether two rules have the same shared selectors; with `loose`, whether `b` has those that `a` names */
function sameRule(a: FibRule, b: FibRule, loose: boolean): boolean {
  const same = (x: number | string, y: number | string, unset: number | string): boolean =>
    x === y || (loose && x === unset)
  return (
    same(a.action, b.action, 0) &&
    same(a.table, b.table, 0) &&
    same(a.iifname, b.iifname, '') &&
    same(a.oifname, b.oifname, '') &&
    same(a.mark, b.mark, 0) &&
    same(a.suppressIfgroup, b.suppressIfgroup, -1) &&
    same(a.suppressPrefixlen, b.suppressPrefixlen, -1) &&
    same(a.markMask >>> 0, b.markMask >>> 0, 0) &&
    same(a.tunId, b.tunId, 0) &&
    same(a.l3mdev, b.l3mdev, 0) &&
    ((loose && !a.uidSet) || (a.uidSet === b.uidSet && a.uidStart === b.uidStart && a.uidEnd === b.uidEnd)) &&
    same(a.ipProto, b.ipProto, 0) &&
    same(a.proto, b.proto, 0) &&
    ((loose && a.sportStart === 0) || (a.sportStart === b.sportStart && a.sportEnd === b.sportEnd)) &&
    ((loose && a.dportStart === 0) || (a.dportStart === b.dportStart && a.dportEnd === b.dportEnd))
  )
}

function notify(rules: FibRules, rule: FibRule, type: typeof RTM_NEWRULE | typeof RTM_DELRULE): void {
  rules.net.kernel.rtnl.notify(rules.net, rules.ops.group, () => fillRule(rules, rule, type, 0))
}

function newRule(ctx: RtnlContext, msg: RtMessage): number {
  const request = msg as RuleMessage
  const { net, extack } = ctx
  const rules = fibRulesOf(net, request.family)
  if (rules === undefined) return extack.fail(-Errno.EAFNOSUPPORT, 'Rule family not supported')
  const rule = ruleFromMessage(rules, request, extack)
  if (typeof rule === 'number') return rule
  const { ops } = rules
  if (
    (request.flags & NLM_F_EXCL) !== 0 &&
    rules.rules.some(old => old.pref === rule.pref && sameRule(rule, old, false) && ops.compare(old, request))
  )
    return -Errno.EEXIST
  const rc = ops.configure(rule, request, extack)
  if (rc < 0) return rc
  rules.insert(rule)
  notify(rules, rule, RTM_NEWRULE)
  ops.flushCache?.(net)
  return 0
}

function delRule(ctx: RtnlContext, msg: RtMessage): number {
  const request = msg as RuleMessage
  const { net, extack } = ctx
  const rules = fibRulesOf(net, request.family)
  if (rules === undefined) return extack.fail(-Errno.EAFNOSUPPORT, 'Rule family not supported')
  const wanted = ruleFromMessage(rules, request, extack)
  if (typeof wanted === 'number') return wanted
  const { ops } = rules
  const byPref = request.attrs.priority !== undefined
  const rule = rules.rules.find(
    old => (!byPref || old.pref === wanted.pref) && sameRule(wanted, old, true) && ops.compare(old, request),
  )
  if (rule === undefined) return -Errno.ENOENT
  if ((rule.flags & FIB_RULE_PERMANENT) !== 0) return -Errno.EPERM
  const rc = ops.delete?.(rule) ?? 0
  if (rc < 0) return rc
  rules.remove(rule)
  notify(rules, rule, RTM_DELRULE)
  ops.flushCache?.(net)
  return 0
}

function dumpRules(ctx: RtnlContext, msg: RtMessage): RtMessage[] | number {
  const { family } = msg as RuleMessage
  const list = fibRulesFamilies(ctx.net).filter(rules => family === AF_UNSPEC || rules.ops.family === family)
  if (list.length === 0 && family !== AF_UNSPEC) return -Errno.EAFNOSUPPORT
  return list.flatMap(rules => rules.rules.map(rule => fillRule(rules, rule, RTM_NEWRULE, NLM_F_MULTI)))
}

function attach(rules: FibRules, dev: NetDevice): void {
  for (const rule of rules.rules) {
    if (rule.iifindex === -1 && rule.iifname === dev.name) rule.iifindex = dev.ifindex
    if (rule.oifindex === -1 && rule.oifname === dev.name) rule.oifindex = dev.ifindex
  }
}

function detach(rules: FibRules, dev: NetDevice): void {
  for (const rule of rules.rules) {
    if (rule.iifindex === dev.ifindex) rule.iifindex = -1
    if (rule.oifindex === dev.ifindex) rule.oifindex = -1
  }
}

/** Registers the rules of all families with a kernel; families add theirs in every namespace. */
export function fibRulesInit(kernel: Kernel): void {
  kernel.rtnl.register(AF_UNSPEC, RTM_NEWRULE, { doit: newRule })
  kernel.rtnl.register(AF_UNSPEC, RTM_DELRULE, { doit: delRule })
  kernel.rtnl.register(AF_UNSPEC, RTM_GETRULE, { dumpit: dumpRules })
  kernel.netdevChain.register((event, dev) => {
    for (const rules of fibRulesFamilies(dev.net)) {
      if (event === 'REGISTER') attach(rules, dev)
      else if (event === 'UNREGISTER') detach(rules, dev)
      else if (event === 'CHANGENAME') {
        detach(rules, dev)
        attach(rules, dev)
      }
    }
    return 0
  })
}
