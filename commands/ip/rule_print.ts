/** Policy rules in text and JSON. */
import {
  FIB_RULE_IIF_DETACHED,
  FIB_RULE_INVERT,
  FIB_RULE_OIF_DETACHED,
  FIB_RULE_UNRESOLVED,
  FR_ACT_GOTO,
  FR_ACT_NOP,
  FR_ACT_TO_TBL,
  RTM_DELRULE,
  RTN_NAT,
  RTPROT_KERNEL,
  type RuleMessage,
} from '../../src/uapi/rtnetlink.ts'
import { AF_INET, AF_INET6 } from '../../src/uapi/socket.ts'
import { afBitLen } from '../lib/inet.ts'
import type { Color, Printer } from '../lib/printer.ts'
import { Protocols } from '../lib/protocols.ts'
import type { IpContext } from './context.ts'
import { routeTypeName } from './rtnames.ts'
import { ruleTable } from './rule_filter.ts'
import type { Range } from './rule_words.ts'

/** C's `%#x`: 0 has no prefix. */
function hex(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`
}

function printPrefix(ctx: IpContext, out: Printer, rule: RuleMessage, key: 'src' | 'dst', word: string): void {
  const address = rule.attrs[key]
  const length = key === 'src' ? rule.srcLen : rule.dstLen
  const color: Color = rule.family === AF_INET ? 'inet' : rule.family === AF_INET6 ? 'inet6' : 'none'
  if (address !== undefined && address.length > 0) {
    const text = ctx.formatHost(rule.family, address)
    out.text(word)
    out.put(key, text, text, color)
    if (length !== afBitLen(rule.family)) out.put(`${key}len`, length, `/${length}`)
  } else if (length > 0) {
    out.put(key, '0', `${word}0`)
    out.put(`${key}len`, length, `/${length}`)
  } else if (key === 'src') out.put('src', 'all', `${word}all`)
}

function printMark(out: Printer, rule: RuleMessage): void {
  const { fwmark, fwmask } = rule.attrs
  if (fwmark === undefined && fwmask === undefined) return
  const mark = hex(fwmark ?? 0)
  out.put('fwmark', mark, ` fwmark ${mark}`)
  if (fwmask !== undefined && fwmask !== 0xffffffff) out.put('fwmask', hex(fwmask), `/${hex(fwmask)}`)
}

function printInterface(out: Printer, key: 'iif' | 'oif', name: string | undefined, detached: boolean): void {
  if (name === undefined) return
  out.text(` ${key} `)
  out.put(key, name, name, 'ifname')
  if (detached) out.put(`${key}_detached`, null, ' [detached]')
}

function printPorts(out: Printer, key: 'sport' | 'dport', range: Range | undefined): void {
  if (range === undefined) return
  if (range.start === range.end) out.put(key, range.start, ` ${key} ${range.start}`)
  else {
    out.put(`${key}_start`, range.start, ` ${key} ${range.start}`)
    out.put(`${key}_end`, range.end, `-${range.end}`)
  }
}

function printTable(ctx: IpContext, out: Printer, rule: RuleMessage): void {
  const table = ruleTable(rule)
  if (table === 0) return
  const name = ctx.names.rtTable.n2a(table)
  out.put('table', name, ` lookup ${name}`)
  const { suppressPrefixlen: length, suppressIfgroup: group } = rule.attrs
  if (length !== undefined && length >= 0 && length !== 0xffffffff) {
    out.put('suppress_prefixlen', length, ` suppress_prefixlength ${length}`)
  }
  if (group !== undefined && group >= 0 && group !== 0xffffffff) {
    const text = ctx.names.group.n2a(group)
    out.put('suppress_ifgroup', text, ` suppress_ifgroup ${text}`)
  }
}

function printFlow(ctx: IpContext, out: Printer, flow: number): void {
  const from = flow >>> 16
  const to = ctx.names.rtRealm.n2a(flow & 0xffff)
  if (from !== 0) {
    const name = ctx.names.rtRealm.n2a(from)
    out.put('flow_from', name, ` realms ${name}/`)
    out.put('flow_to', to, to)
  } else out.put('flow_to', to, ` realms ${to}`)
}

function printAction(ctx: IpContext, out: Printer, rule: RuleMessage): void {
  const { action } = rule
  if (action === RTN_NAT) out.put('masquerade', null, ' masquerade')
  else if (action === FR_ACT_GOTO) {
    const target = rule.attrs.goto
    out.put('goto', target ?? 'none', ` goto ${target ?? 'none'}`)
    if ((rule.ruleFlags & FIB_RULE_UNRESOLVED) !== 0) out.put('unresolved', null, ' [unresolved]')
  } else if (action === FR_ACT_NOP) out.put('nop', null, ' nop')
  else if (action !== FR_ACT_TO_TBL) {
    const name = routeTypeName(action, ctx.opts.numeric)
    out.put('action', name, ` ${name}`)
  }
}

/** Prints one rule and ends its line. */
export function printRule(ctx: IpContext, out: Printer, rule: RuleMessage): void {
  const { attrs, ruleFlags } = rule
  out.openObject()
  if (rule.type === RTM_DELRULE) out.put('deleted', true, 'Deleted ')
  out.put('priority', attrs.priority ?? 0, `${attrs.priority ?? 0}:\t`)
  if ((ruleFlags & FIB_RULE_INVERT) !== 0) out.put('not', null, 'not ')
  printPrefix(ctx, out, rule, 'src', 'from ')
  printPrefix(ctx, out, rule, 'dst', ' to ')
  if (rule.tos !== 0) {
    const tos = ctx.names.rtDsfield.n2a(rule.tos)
    out.put('tos', tos, ` tos ${tos}`)
  }
  printMark(out, rule)
  printInterface(out, 'iif', attrs.iifname, (ruleFlags & FIB_RULE_IIF_DETACHED) !== 0)
  printInterface(out, 'oif', attrs.oifname, (ruleFlags & FIB_RULE_OIF_DETACHED) !== 0)
  if ((attrs.l3mdev ?? 0) !== 0) out.put('l3mdev', null, ' lookup [l3mdev-table]')
  if (attrs.uidRange !== undefined) {
    out.put('uid_start', attrs.uidRange.start, ` uidrange ${attrs.uidRange.start}`)
    out.put('uid_end', attrs.uidRange.end, `-${attrs.uidRange.end}`)
  }
  if (attrs.ipProto !== undefined) {
    const known = ctx.opts.numeric ? undefined : new Protocols(ctx.proc).name(attrs.ipProto)
    const name = known ?? `ipproto-${attrs.ipProto}`
    out.put('ipproto', name, ` ipproto ${name}`)
  }
  printPorts(out, 'sport', attrs.sportRange)
  printPorts(out, 'dport', attrs.dportRange)
  if (attrs.tunId !== undefined) out.put('tun_id', attrs.tunId, ` tun_id ${attrs.tunId}`)
  printTable(ctx, out, rule)
  if (attrs.flow !== undefined) printFlow(ctx, out, attrs.flow)
  printAction(ctx, out, rule)
  const { protocol } = attrs
  if (protocol !== undefined && ((protocol !== 0 && protocol !== RTPROT_KERNEL) || ctx.opts.details > 0)) {
    const name = ctx.names.rtProto.n2a(protocol)
    out.put('protocol', name, ` proto ${name}`)
  }
  out.text('\n')
  out.closeObject()
}
