/** Policy rules as the bytes of RTM_NEWRULE messages: fib_rule_hdr and its attributes. */
import { NLM_F_MULTI } from '../../src/uapi/netlink.ts'
import { RTM_DELRULE, RTM_NEWRULE, type RuleMessage } from '../../src/uapi/rtnetlink.ts'
import { WireAttrs, type WireMessage, WireWriter } from '../lib/nlwire.ts'
import type { Range } from './rule_words.ts'

const FRA = {
  dst: 1,
  src: 2,
  iifname: 3,
  goto: 4,
  priority: 6,
  fwmark: 10,
  flow: 11,
  tunId: 12,
  suppressIfgroup: 13,
  suppressPrefixlen: 14,
  table: 15,
  fwmask: 16,
  oifname: 17,
  l3mdev: 19,
  uidRange: 20,
  protocol: 21,
  ipProto: 22,
  sportRange: 23,
  dportRange: 24,
} as const

const HEADER = 12
const NONE = 0xffffffff

function writePorts(w: WireWriter, type: number, range: Range | undefined): void {
  if (range === undefined) return
  w.nest(type, () => {
    w.u16(range.start)
    w.u16(range.end)
  })
}

/** @returns a rule's message as a dump carries it */
export function encodeRule(rule: RuleMessage): Uint8Array {
  const { attrs } = rule
  const w = new WireWriter()
  for (const byte of [rule.family, rule.dstLen, rule.srcLen, rule.tos]) w.u8(byte)
  for (const byte of [rule.table & 0xff, 0, 0, rule.action]) w.u8(byte)
  w.u32(rule.ruleFlags)
  w.attrU32(FRA.table, attrs.table ?? rule.table)
  w.attrU32(FRA.suppressPrefixlen, attrs.suppressPrefixlen ?? NONE)
  w.attrU8(FRA.protocol, attrs.protocol ?? 0)
  w.attrText(FRA.iifname, attrs.iifname)
  w.attrText(FRA.oifname, attrs.oifname)
  w.attrU32(FRA.priority, attrs.priority === 0 ? undefined : attrs.priority)
  w.attrU32(FRA.fwmark, attrs.fwmark)
  w.attrU32(FRA.fwmask, attrs.fwmask)
  w.attrU32(FRA.goto, attrs.goto)
  const { tunId, uidRange } = attrs
  if (tunId !== undefined) {
    w.nest(FRA.tunId, () => {
      const bytes = new Uint8Array(8)
      new DataView(bytes.buffer).setBigUint64(0, BigInt(tunId))
      w.raw(bytes)
    })
  }
  w.attrU8(FRA.l3mdev, attrs.l3mdev)
  if (uidRange !== undefined) {
    w.nest(FRA.uidRange, () => {
      w.u32(uidRange.start)
      w.u32(uidRange.end)
    })
  }
  writePorts(w, FRA.sportRange, attrs.sportRange)
  writePorts(w, FRA.dportRange, attrs.dportRange)
  w.attrU8(FRA.ipProto, attrs.ipProto)
  w.attrU32(FRA.suppressIfgroup, attrs.suppressIfgroup)
  w.attrBytes(FRA.dst, attrs.dst)
  w.attrBytes(FRA.src, attrs.src)
  w.attrU32(FRA.flow, attrs.flow)
  return w.finish(rule.type, NLM_F_MULTI)
}

function readPorts(bytes: Uint8Array | undefined): Range | undefined {
  if (bytes === undefined || bytes.length < 4) return undefined
  return { start: bytes[0]! | (bytes[1]! << 8), end: bytes[2]! | (bytes[3]! << 8) }
}

/** @returns the rule of a saved message, or undefined where it is another kind of message */
export function decodeRule(message: WireMessage): RuleMessage | undefined {
  const { payload } = message
  if ((message.type !== RTM_NEWRULE && message.type !== RTM_DELRULE) || payload.length < HEADER) return undefined
  const at = (pos: number): number => payload[pos]!
  const wire = new WireAttrs(payload.slice(HEADER))
  const attrs: RuleMessage['attrs'] = {}
  const numbers = [
    'goto',
    'priority',
    'fwmark',
    'fwmask',
    'flow',
    'suppressIfgroup',
    'suppressPrefixlen',
    'table',
  ] as const
  for (const field of numbers) {
    const value = wire.u32(FRA[field])
    if (value !== undefined && !(field.startsWith('suppress') && value === NONE)) attrs[field] = value
  }
  for (const field of ['l3mdev', 'protocol', 'ipProto'] as const) {
    const value = wire.u8(FRA[field])
    if (value !== undefined) attrs[field] = value
  }
  for (const field of ['dst', 'src'] as const) {
    const value = wire.bytes(FRA[field])
    if (value !== undefined) attrs[field] = value
  }
  for (const field of ['iifname', 'oifname'] as const) {
    const value = wire.text(FRA[field])
    if (value !== undefined) attrs[field] = value
  }
  for (const field of ['sportRange', 'dportRange'] as const) {
    const value = readPorts(wire.bytes(FRA[field]))
    if (value !== undefined) attrs[field] = value
  }
  const tun = wire.bytes(FRA.tunId)
  if (tun !== undefined && tun.length >= 8)
    attrs.tunId = Number(new DataView(tun.buffer, tun.byteOffset).getBigUint64(0))
  const uids = wire.bytes(FRA.uidRange)
  if (uids !== undefined && uids.length >= 8) {
    const view = new DataView(uids.buffer, uids.byteOffset)
    attrs.uidRange = { start: view.getUint32(0, true), end: view.getUint32(4, true) }
  }
  return {
    type: message.type,
    flags: message.flags,
    family: at(0),
    dstLen: at(1),
    srcLen: at(2),
    tos: at(3),
    table: at(4),
    action: at(7),
    ruleFlags: new DataView(payload.buffer, payload.byteOffset).getUint32(8, true),
    attrs,
  }
}
