/** The kernel's ways of reading and showing sysctl values. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatBitmap,
  procDointvec,
  procDointvecJiffies,
  procDointvecMsJiffies,
  procDoLargeBitmap,
  procDou8vec,
  procDoulongvec,
} from '../../../src/kernel/core/sysctl_handlers.ts'
import { Errno } from '../../../src/uapi/errno.ts'

function variable(...values: number[]): {
  count: number
  get(i: number): number
  set(i: number, v: number): void
  values: number[]
} {
  return {
    count: values.length,
    get: i => values[i]!,
    set: (i, v) => {
      values[i] = v
    },
    values,
  }
}

describe('proc_dointvec', () => {
  it.each([
    ['1', 1],
    ['-1\n', -1],
    ['0x1f', 31],
    ['010', 8],
    ['  7 \n', 7],
    ['1 2', 1],
    ['1 # yes', 1],
    ['2147483647', 2147483647],
    ['-2147483648', -2147483648],
  ])('takes %j', (text, value) => {
    const v = variable(0)
    expect(procDointvec('x', v).write!(text)).toBe(0)
    expect(v.values).toEqual([value])
  })

  it.each(['', ' ', 'on', '1x', '09', '2147483648', '-2147483649', '99999999999', '--1', '+1', '0x'])(
    'refuses %j and keeps the value',
    text => {
      const v = variable(5)
      expect(procDointvec('x', v).write!(text)).toBe(-Errno.EINVAL)
      expect(v.values).toEqual([5])
    },
  )

  it('sets only as many values as were written', () => {
    const v = variable(1, 2, 3)
    expect(procDointvec('x', v).write!('4096 87380\n')).toBe(0)
    expect(v.values).toEqual([4096, 87380, 3])
    expect(procDointvec('x', v).read!()).toBe('4096\t87380\t3\n')
  })

  it('holds every number to the limits', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: -100, max: 0 }), fc.integer({ min: 0, max: 100 }), (n, min, max) => {
        const v = variable(0)
        const rc = procDointvec('x', v, { min, max }).write!(String(n))
        expect(rc).toBe(n >= min && n <= max ? 0 : -Errno.EINVAL)
        expect(v.values[0]).toBe(rc === 0 ? n : 0)
      }),
    )
  })

  it('never throws, whatever is written', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        const v = variable(7)
        const rc = procDointvec('x', v).write!(text)
        expect(rc === 0 || rc === -Errno.EINVAL).toBe(true)
      }),
    )
  })
})

describe('the other handlers', () => {
  it('bytes end at 255', () => {
    const v = variable(0)
    expect(procDou8vec('x', v).write!('255')).toBe(0)
    expect(procDou8vec('x', v).write!('256')).toBe(-Errno.EINVAL)
    expect(procDou8vec('x', v).write!('-1')).toBe(-Errno.EINVAL)
  })

  it('milliseconds read back as whole ticks', () => {
    const v = variable(0)
    expect(procDointvecMsJiffies('x', v).write!('1')).toBe(0)
    expect(v.values).toEqual([4])
    expect(procDointvecMsJiffies('x', v).write!('-1')).toBe(-Errno.EINVAL)
  })

  it('seconds that no int of ticks holds are refused', () => {
    const v = variable(0)
    expect(procDointvecJiffies('x', v).write!('8589934')).toBe(0)
    expect(procDointvecJiffies('x', v).write!('8589935')).toBe(-Errno.EINVAL)
  })

  it('negative unsigned longs are passed over', () => {
    const v = variable(9)
    expect(procDoulongvec('x', v).write!('-4')).toBe(0)
    expect(v.values).toEqual([9])
  })

  it('a bitmap shows what was written', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 299 }), { maxLength: 40 }), members => {
        const bits = new Uint8Array(300)
        const entry = procDoLargeBitmap('x', bits)
        expect(entry.write!(members.join(','))).toBe(0)
        expect([...bits.keys()].filter(i => bits[i] === 1)).toEqual([...new Set(members)].sort((a, b) => a - b))
        const again = new Uint8Array(300)
        expect(procDoLargeBitmap('y', again).write!(formatBitmap(bits))).toBe(0)
        expect(again).toEqual(bits)
      }),
    )
  })

  it.each(['300', '5-3', '1,,2', 'x', '1-'])('a bitmap refuses %j', text => {
    expect(procDoLargeBitmap('x', new Uint8Array(300)).write!(text)).toBe(-Errno.EINVAL)
  })
})
