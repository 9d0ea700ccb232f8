import { beforeEach, describe, expect, it } from 'vitest'
import { failure } from '../core/net_lab.ts'
import { RouteLab } from './route_lab.ts'

describe('several routes to one prefix', () => {
  let lab: RouteLab
  const P = '10.1.0.0/24'
  const via = (last: number, more: object = {}): object => ({ via: `192.168.10.${last}`, ...more })
  const found = (): string[] => lab.routes().filter(text => text.startsWith('10.1.'))

  beforeEach(() => {
    lab = new RouteLab()
    lab.dummy('d0', '192.168.10.1/24')
  })

  it('refuses to add a second one of the same TOS and metric', () => {
    lab.route('add', P, via(2))
    expect(failure(() => lab.route('add', P, via(3)))).toBe('EEXIST')
    lab.route('add', P, via(3, { metric: 5 }))
    expect(found()).toEqual(['10.1.0.0/24 via 192.168.10.2 dev d0', '10.1.0.0/24 via 192.168.10.3 dev d0 metric 5'])
  })

  it('appends behind and prepends before those of the same metric', () => {
    lab.route('add', P, via(2))
    lab.route('add', P, via(9, { metric: 9 }))
    lab.route('append', P, via(3))
    lab.route('prepend', P, via(4))
    expect(found().map(text => text.split(' ')[2]!.slice(11))).toEqual(['4', '2', '3', '9'])
  })

  it('refuses to append or prepend what is there already', () => {
    lab.route('add', P, via(2))
    expect(failure(() => lab.route('append', P, via(2)))).toBe('EEXIST')
    expect(failure(() => lab.route('prepend', P, via(2)))).toBe('EEXIST')
  })

  it('replaces the first of the same metric and leaves the others', () => {
    lab.route('add', P, via(2))
    lab.route('append', P, via(3))
    lab.route('replace', P, via(4))
    expect(found().map(text => text.split(' ')[2]!.slice(11))).toEqual(['4', '3'])
    expect(failure(() => lab.route('replace', P, via(3)))).toBe('EEXIST')
    lab.route('replace', P, via(4))
    expect(found()).toHaveLength(2)
  })

  it('makes one where there is none to replace, but does not where there is none to change', () => {
    expect(failure(() => lab.route('change', P, via(2)))).toBe('ENOENT')
    lab.route('replace', P, via(2))
    lab.route('change', P, via(3))
    expect(found()).toEqual(['10.1.0.0/24 via 192.168.10.3 dev d0'])
    expect(failure(() => lab.route('change', P, via(3, { metric: 7 })))).toBe('ENOENT')
  })

  it('lists higher TOS first and takes the route of the packet’s TOS, else that of none', () => {
    lab.route('add', P, via(2))
    lab.route('add', P, via(3, { tos: 0x10 }))
    lab.route('add', P, via(4, { tos: 0x08 }))
    expect(found().map(text => text.split(' ').slice(1, 3).join(' '))).toEqual(['tos 16', 'tos 8', 'via 192.168.10.2'])
    expect(lab.getTos('10.1.0.7', 0x10)).toContain('via 192.168.10.3')
    expect(lab.getTos('10.1.0.7', 0x08)).toContain('via 192.168.10.4')
    expect(lab.getTos('10.1.0.7', 0x04)).toContain('via 192.168.10.2')
  })

  it('deletes the first that the request describes', () => {
    lab.route('add', P, via(2))
    lab.route('append', P, via(3))
    lab.route('add', P, via(4, { metric: 4 }))
    expect(failure(() => lab.route('del', P, via(77)))).toBe('ESRCH')
    lab.route('del', P, via(3))
    lab.route('del', P, { metric: 4 })
    expect(found()).toEqual(['10.1.0.0/24 via 192.168.10.2 dev d0'])
    lab.route('del', P)
    expect(failure(() => lab.route('del', P))).toBe('ESRCH')
  })
})
