import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDuration, strtod } from '../../../commands/lib/coreutils.ts'

describe('durations', () => {
  it('are numbers with a unit', () => {
    expect(parseDuration('1')).toBe(1e9)
    expect(parseDuration('.5m')).toBe(30e9)
    expect(parseDuration('1e-1s')).toBe(1e8)
    expect(parseDuration('0x10p-4')).toBe(1e9)
    expect(parseDuration(' 2h')).toBe(7200e9)
    expect(parseDuration('infinity')).toBe(Number.POSITIVE_INFINITY)
    for (const wrong of ['', 'x', '1x', '1ms', '-1', 'nan', '1 ', 's', '1ss', '0x'])
      expect([wrong, parseDuration(wrong)]).toEqual([wrong, undefined])
  })

  it('agree with decimal numbers as the language reads them', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.constantFrom('s', ''), (number, unit) => {
        expect(parseDuration(`${number}${unit}`)).toBe(number * 1e9)
      }),
    )
  })

  it('strtod says what is left', () => {
    expect(strtod('12abc')).toEqual({ value: 12, rest: 'abc' })
    expect(strtod('-1.5e3x')).toEqual({ value: -1500, rest: 'x' })
    expect(strtod('0x1.8p1z')).toEqual({ value: 3, rest: 'z' })
    expect(strtod('abc')).toBeUndefined()
  })
})
