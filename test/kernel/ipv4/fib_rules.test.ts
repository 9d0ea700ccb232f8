import { beforeEach, describe, expect, it } from 'vitest'
import {
  FR_ACT_BLACKHOLE,
  FR_ACT_GOTO,
  FR_ACT_NOP,
  FR_ACT_PROHIBIT,
  FR_ACT_TO_TBL,
  FR_ACT_UNREACHABLE,
  RTM_DELRULE,
  RTM_NEWRULE,
  RTNLGRP_IPV4_RULE,
  type RuleAttrs,
  type RuleMessage,
} from '../../../src/uapi/rtnetlink.ts'
import { failure } from '../core/net_lab.ts'
import { RouteLab, type RuleWords } from './route_lab.ts'

let lab: RouteLab
const attempt = (words: RuleWords): string => failure(() => lab.rule('add', words))

beforeEach(() => {
  lab = new RouteLab()
  lab.dummy('d0', '10.0.0.1/24')
  lab.dummy('d1', '10.0.1.1/24')
  lab.dummy('d2', '10.0.2.1/24')
  lab.route('add', 'default', { via: '10.0.0.2' })
  lab.route('add', 'default', { via: '10.0.1.2', table: 101 })
  lab.route('add', 'default', { via: '10.0.2.2', table: 102 })
})

/** the table's number as the gateway of its default route tells, for a flow to 9.9.9.9 */
function table(attrs: Record<string, unknown> = {}, from?: string): string {
  const text = failure(() => {
    const words = lab.get('9.9.9.9', { attrs, ...(from && { from }) }).split(' ')
    throw new Error(words[words.indexOf('via') + 1])
  })
  return text
}
const way = (attrs?: Record<string, unknown>, from?: string): string => {
  try {
    return table(attrs, from)
  } catch (thrown) {
    return { '10.0.0.2': 'main', '10.0.1.2': '101', '10.0.2.2': '102' }[(thrown as Error).message] ?? 'none'
  }
}

describe('the rules of a new namespace', () => {
  it('look at local, main and default', () => {
    expect(lab.rules()).toEqual(['0: lookup 255', '32766: lookup 254', '32767: lookup 253'])
  })

  it('can be deleted: then nothing is found', () => {
    lab.rule('del', { priority: 32766 })
    expect(way()).toBe('ENETUNREACH')
  })
})

describe('what a rule looks at', () => {
  it('is source and destination', () => {
    lab.rule('add', { from: '10.0.0.0/24', table: 101 })
    lab.rule('add', { to: '9.9.0.0/16', from: '10.0.2.0/24', table: 102 })
    expect(way({}, '10.0.0.1')).toBe('101')
    expect(way({}, '10.0.2.1')).toBe('102')
    expect(way({}, '10.0.1.1')).toBe('main')
  })

  it('is the mark under a mask', () => {
    lab.rule('add', { table: 101, attrs: { fwmark: 0x10, fwmask: 0xf0 } })
    expect(way({ mark: 0x1f })).toBe('101')
    expect(way({ mark: 0x2f })).toBe('main')
  })

  it('is protocol and ports', () => {
    lab.rule('add', { table: 101, attrs: { ipProto: 6, dportRange: { start: 80, end: 90 } } })
    lab.rule('add', { table: 102, attrs: { ipProto: 17, sportRange: { start: 53, end: 53 } } })
    expect(way({ ipProto: 6, dport: 85 })).toBe('101')
    expect(way({ ipProto: 6, dport: 91 })).toBe('main')
    expect(way({ ipProto: 17, sport: 53 })).toBe('102')
  })

  it('is the user', () => {
    lab.rule('add', { table: 101, attrs: { uidRange: { start: 1000, end: 1999 } } })
    expect(way({ uid: 1500 })).toBe('101')
    expect(way({ uid: 2000 })).toBe('main')
  })

  it('is the device by its name, which may come later', () => {
    lab.rule('add', { table: 101, attrs: { oifname: 'later' } })
    lab.dummy('later', '10.0.9.1/24')
    lab.route('add', 'default', { via: '10.0.1.2', dev: 'later', onlink: true, table: 101, metric: 5 })
    expect(lab.get('9.9.9.9', { attrs: { oif: lab.dev('later').ifindex } })).toContain('dev later')
  })

  it('is TOS', () => {
    lab.rule('add', { table: 101, tos: 0x10 })
    expect(lab.getTos('9.9.9.9', 0x10)).toContain('10.0.1.2')
    expect(lab.getTos('9.9.9.9', 0x08)).toContain('10.0.0.2')
    expect(attempt({ table: 101, tos: 0x11 })).toBe('EINVAL: Invalid dsfield (tos): ECN bits must be 0')
  })

  it('can be turned round', () => {
    lab.rule('add', { not: true, table: 101, attrs: { fwmark: 5 } })
    expect(way()).toBe('101')
    expect(way({ mark: 5 })).toBe('main')
  })
})

describe('what a rule does', () => {
  it('is an error', () => {
    for (const [action, text] of [
      [FR_ACT_BLACKHOLE, 'EINVAL'],
      [FR_ACT_UNREACHABLE, 'ENETUNREACH'],
      [FR_ACT_PROHIBIT, 'EACCES'],
    ] as const) {
      lab.rule('add', { priority: 50, action })
      expect(way()).toBe(text)
      lab.rule('del', { priority: 50 })
    }
    lab.rule('add', { priority: 50, action: FR_ACT_NOP })
    expect(way()).toBe('main')
  })

  it('goes on where its table has no route or says throw', () => {
    lab.rule('add', { priority: 50, table: 500 })
    lab.route('add', '9.9.9.0/24', { type: 9, table: 102 })
    lab.rule('add', { priority: 60, table: 102 })
    expect(way()).toBe('main')
  })

  it('is a jump over others, to a rule that may come later', () => {
    lab.rule('add', { priority: 10, action: FR_ACT_GOTO, attrs: { goto: 100 } })
    lab.rule('add', { priority: 20, table: 101 })
    expect(lab.rules()[1]).toBe('10: action 2 goto 100 unresolved')
    expect(way()).toBe('101')
    lab.rule('add', { priority: 100, table: 102 })
    expect(lab.rules()[1]).toBe('10: action 2 goto 100')
    expect(way()).toBe('102')
    lab.rule('del', { priority: 100 })
    expect(lab.rules()[1]).toBe('10: action 2 goto 100 unresolved')
  })

  it('can leave out routes that are not specific enough, or lead to devices of a group', () => {
    lab.rule('add', { priority: 10, table: 101, attrs: { suppressPrefixlen: 0 } })
    expect(way()).toBe('main')
    lab.route('add', '9.0.0.0/8', { via: '10.0.1.2', table: 101 })
    expect(way()).toBe('101')
    lab.rule('add', { priority: 5, table: 102, attrs: { suppressIfgroup: 7 } })
    expect(way()).toBe('102')
    lab.set('d2', { group: 7 })
    expect(way()).toBe('101')
  })
})

describe('requests about rules', () => {
  it('give rules without priority places before those that are there', () => {
    lab.rule('add', { from: '1.1.1.1', table: 101 })
    lab.rule('add', { from: '2.2.2.2', table: 101 })
    expect(lab.rules().slice(1, 3)).toEqual(['32764: from 2.2.2.2/32 lookup 101', '32765: from 1.1.1.1/32 lookup 101'])
  })

  it('fail with a reason', () => {
    const rule = { priority: 50, from: '1.1.1.1', table: 101 }
    lab.rule('add', rule)
    expect(attempt(rule)).toBe('EEXIST')
    const jump = (goto: number | undefined): RuleWords => ({
      priority: 20,
      action: FR_ACT_GOTO,
      attrs: goto === undefined ? {} : { goto },
    })
    expect(attempt(jump(10))).toBe('EINVAL: Backward goto not supported')
    expect(attempt(jump(undefined))).toBe('EINVAL: Missing goto target for action goto')
    expect(attempt({ action: FR_ACT_TO_TBL, table: 101, attrs: { goto: 9 } })).toBe('EINVAL: Unexpected goto')
    const bad = (attrs: RuleAttrs): string => attempt({ table: 101, attrs })
    expect(bad({ uidRange: { start: 5, end: 4 } })).toBe('EINVAL: Invalid uid range')
    expect(bad({ sportRange: { start: 0, end: 4 } })).toBe('EINVAL: Invalid sport range')
    expect(bad({ dportRange: { start: 5, end: 4 } })).toBe('EINVAL: Invalid dport range')
    expect(bad({ l3mdev: 1 })).toBe('EINVAL: l3mdev and table are mutually exclusive')
    expect(failure(() => lab.rule('del', { priority: 7 }))).toBe('ENOENT')
  })

  it('delete the first rule that has all that is named', () => {
    lab.rule('add', { priority: 50, from: '1.1.1.1', table: 101 })
    lab.rule('add', { priority: 60, from: '1.1.1.1', table: 102 })
    lab.rule('del', { from: '1.1.1.1', table: 102 })
    lab.rule('del', { from: '1.1.1.1' })
    expect(lab.rules()).toHaveLength(3)
  })

  it('are told to listeners', () => {
    const socket = lab.socket()
    socket.subscribe(RTNLGRP_IPV4_RULE)
    lab.rule('add', { priority: 50, table: 101 })
    lab.rule('del', { priority: 50 })
    expect(lab.heard(socket).map(msg => [msg.type, (msg as RuleMessage).attrs.priority])).toEqual([
      [RTM_NEWRULE, 50],
      [RTM_DELRULE, 50],
    ])
  })
})
