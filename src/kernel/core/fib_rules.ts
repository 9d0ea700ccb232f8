/**
 * Policy rules, the part that every address family shares (`fib_rules`): an ordered list of rules, each with selectors
 * and an action, that a lookup walks until one gives a result. The rtnetlink side is in fib_rules_nl.ts.
 */
import { Errno } from '../../uapi/errno.ts'
import type { RuleMessage } from '../../uapi/rtnetlink.ts'
import {
  FIB_RULE_INVERT,
  FIB_RULE_PERMANENT,
  FR_ACT_GOTO,
  FR_ACT_NOP,
  FR_ACT_TO_TBL,
  RTPROT_KERNEL,
} from '../../uapi/rtnetlink.ts'
import { l3mdevFibRuleMatch } from './l3mdev.ts'
import { type Net, pernetKey } from './net_namespace.ts'
import type { NetlinkExtAck } from './rtnetlink.ts'

/** What rules of every family look at in a flow; Flowi4 and Flowi6 have it. */
export interface FibFlow {
  oif: number
  iif: number
  /** index of the l3mdev master the packet belongs to, 0 for none */
  l3mdev: number
  mark: number
  tunId: number
  uid: number
}

/** The largest user id there is: the end of a range that leaves nobody out. */
const UID_MAX = 0xffffffff

/** A rule. Families extend it by their own selectors. */
export class FibRule {
  /** index of the device; 0: any, -1: a name that no device has now */
  iifindex = 0
  oifindex = 0
  iifname = ''
  oifname = ''
  mark = 0
  markMask = 0
  /** FIB_RULE_PERMANENT, FIB_RULE_INVERT */
  flags = 0
  table = 0
  /** FR_ACT_… */
  action = 0
  /** whether it means the table of the packet's l3mdev master */
  l3mdev = 0
  /** RTPROT_…: who made it */
  proto = 0
  ipProto = 0
  tunId = 0
  pref = 0
  /** FR_ACT_GOTO: the priority to go on at, and the rule found there */
  target = 0
  ctarget: FibRule | undefined
  /** a result whose device is in this group does not count; -1: none */
  suppressIfgroup = -1
  /** a result whose prefix is this short or shorter does not count; -1: none */
  suppressPrefixlen = -1
  /** user ids it is for; `uidSet` is false where nobody asked for a range */
  uidStart = 0
  uidEnd = UID_MAX
  uidSet = false
  /** port ranges; a start of 0 means any */
  sportStart = 0
  sportEnd = 0
  dportStart = 0
  dportEnd = 0

  /** @returns whether a rule has no selector of the shared kind: it may match everything (fib_rule_matchall) */
  get matchesAll(): boolean {
    return (
      this.iifindex === 0 &&
      this.oifindex === 0 &&
      this.mark === 0 &&
      this.tunId === 0 &&
      this.flags === 0 &&
      this.suppressIfgroup === -1 &&
      this.suppressPrefixlen === -1 &&
      !this.uidSet &&
      this.sportStart === 0 &&
      this.dportStart === 0
    )
  }

  /** @returns whether a port is in the rule's range; an unset range takes every port */
  sportMatches(port: number): boolean {
    return this.sportStart === 0 || (port >= this.sportStart && port <= this.sportEnd)
  }

  dportMatches(port: number): boolean {
    return this.dportStart === 0 || (port >= this.dportStart && port <= this.dportEnd)
  }
}

/** Where a lookup leaves what it found; families extend it by their result. */
export class FibLookupArg {
  /** the rule that gave the result */
  rule: FibRule | undefined
  /** set by an l3mdev rule: the table to use in place of the rule's own */
  table = 0
}

/** @returns the table a rule's action means: the rule's, or the one of the l3mdev master (fib_rule_get_table) */
export function fibRuleTable(rule: FibRule, arg: FibLookupArg): number {
  return rule.l3mdev !== 0 ? arg.table : rule.table
}

/** What a family does with rules (`fib_rules_ops`). */
export interface FibRulesOps<
  R extends FibRule = FibRule,
  F extends FibFlow = FibFlow,
  A extends FibLookupArg = FibLookupArg,
> {
  readonly family: number
  /** bytes of an address */
  readonly addrSize: number
  /** RTNLGRP_…_RULE */
  readonly group: number
  newRule(): R
  /**
   * Carries out a rule that matched: looks the table up, or gives the action's error.
   * @returns 0 with the result in `arg`, -EAGAIN to go on with the next rule, or an error that ends the lookup
   */
  action(rule: R, fl: F, flags: number, arg: A): number
  /** @returns whether a result must not count because of the rule's suppressors; it then empties `arg` */
  suppress?(rule: R, flags: number, arg: A): boolean
  /** @returns whether the family's own selectors match */
  match(rule: R, fl: F, flags: number): boolean
  /** Fills in the family's selectors from a request. */
  configure(rule: R, msg: RuleMessage, extack: NetlinkExtAck): number
  /** A rule is about to go. @returns 0 or a negative error that keeps it */
  delete?(rule: R): number
  /** @returns whether the family's selectors are those of a request (those it names) */
  compare(rule: R, msg: RuleMessage): boolean
  /** Puts the family's selectors into an answer. */
  fill(rule: R, msg: RuleMessage): void
  /** Drops what was cached of lookups. */
  flushCache?(net: Net): void
}

/** The rules of one family in one namespace. */
export class FibRules<R extends FibRule = FibRule, F extends FibFlow = FibFlow, A extends FibLookupArg = FibLookupArg> {
  readonly net: Net
  readonly ops: FibRulesOps<R, F, A>
  /** by ascending priority, first added first among equals */
  readonly rules: R[] = []
  /** changes with the list */
  seq = 0

  constructor(net: Net, ops: FibRulesOps<R, F, A>) {
    this.net = net
    this.ops = ops
  }

  /** Appends a rule that exists from the start (fib_default_rule_add). */
  addDefault(pref: number, table: number, permanent = false): void {
    const rule = this.ops.newRule()
    rule.action = FR_ACT_TO_TBL
    rule.pref = pref
    rule.table = table
    rule.flags = permanent ? FIB_RULE_PERMANENT : 0
    rule.proto = RTPROT_KERNEL
    this.rules.push(rule)
  }

  /** @returns the priority of a rule added without one: just before the second rule (fib_default_rule_pref) */
  defaultPref(): number {
    const second = this.rules[1]
    return second !== undefined && second.pref !== 0 ? second.pref - 1 : 0
  }

  /**
   * Walks the rules until one gives a result (fib_rules_lookup).
   * @returns 0 or the action's error, with the rule in `arg.rule`; -ESRCH where no rule gave one
   */
  lookup(fl: F, flags: number, arg: A): number {
    const { ops, rules } = this
    for (let i = 0; i < rules.length; i++) {
      let rule = rules[i]!
      while (this.matches(rule, fl, flags, arg)) {
        if (rule.action === FR_ACT_GOTO) {
          const target = rule.ctarget as R | undefined
          if (target === undefined) break
          rule = target
          i = rules.indexOf(rule, i)
          continue
        }
        if (rule.action === FR_ACT_NOP) break
        const err = ops.action(rule, fl, flags, arg)
        if (err === 0 && ops.suppress?.(rule, flags, arg) === true) break
        if (err !== -Errno.EAGAIN) {
          arg.rule = rule
          return err
        }
        break
      }
    }
    return -Errno.ESRCH
  }

  private matches(rule: R, fl: F, flags: number, arg: A): boolean {
    const matched =
      (rule.iifindex === 0 || rule.iifindex === fl.iif) &&
      (rule.oifindex === 0 || rule.oifindex === fl.oif) &&
      ((rule.mark ^ fl.mark) & rule.markMask) === 0 &&
      (rule.tunId === 0 || rule.tunId === fl.tunId) &&
      (rule.l3mdev === 0 || l3mdevFibRuleMatch(this.net, fl, arg)) &&
      fl.uid >= rule.uidStart &&
      fl.uid <= rule.uidEnd &&
      this.ops.match(rule, fl, flags)
    return (rule.flags & FIB_RULE_INVERT) !== 0 ? !matched : matched
  }

  /** Puts a rule behind those of the same or a smaller priority, and ties up the jumps that waited for it. */
  insert(rule: R): void {
    const { rules } = this
    if (rule.action === FR_ACT_GOTO) rule.ctarget = rules.find(other => other.pref === rule.target)
    const at = rules.findIndex(other => other.pref > rule.pref)
    rules.splice(at < 0 ? rules.length : at, 0, rule)
    for (const other of rules) if (other.action === FR_ACT_GOTO && other.target === rule.pref) other.ctarget ??= rule
    this.seq++
  }

  /** Takes a rule out; jumps to it go to the next of the same priority, or nowhere. */
  remove(rule: R): void {
    const { rules } = this
    const at = rules.indexOf(rule)
    rules.splice(at, 1)
    const next = rules[at]
    const heir = next !== undefined && next.pref === rule.pref ? next : undefined
    for (const other of rules) if (other.ctarget === rule) other.ctarget = heir
    this.seq++
  }
}

/** The families that have rules in a namespace, in the order in which they came. */
const key = pernetKey<FibRules[]>('fib_rules')

function familiesOf(net: Net): FibRules[] {
  let all = net.at(key) as FibRules[] | undefined
  if (all === undefined) {
    all = []
    net.set(key, all)
  }
  return all
}

/** Gives a family its rules in a namespace (fib_rules_register). */
export function fibRulesRegister<R extends FibRule, F extends FibFlow, A extends FibLookupArg>(
  net: Net,
  ops: FibRulesOps<R, F, A>,
): FibRules<R, F, A> {
  const rules = new FibRules(net, ops)
  familiesOf(net).push(rules as unknown as FibRules)
  return rules
}

/** Takes a family's rules away, as its end does (fib_rules_unregister). */
export function fibRulesUnregister(net: Net, family: number): void {
  const all = familiesOf(net)
  const at = all.findIndex(rules => rules.ops.family === family)
  if (at >= 0) all.splice(at, 1)
}

/** @returns the rules of every family, in order of registration */
export function fibRulesFamilies(net: Net): readonly FibRules[] {
  return familiesOf(net)
}

/** @returns a family's rules */
export function fibRulesOf(net: Net, family: number): FibRules | undefined {
  return familiesOf(net).find(rules => rules.ops.family === family)
}
