import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Getopt, type Option } from '../../../commands/lib/getopt.ts'

const OPTIONS: readonly Option[] = [
  { key: 'a', short: 'a', long: 'all' },
  { key: 'n', short: 'n', long: 'number', arg: 'required' },
  { key: 'c', short: 'c', long: 'color', arg: 'optional' },
  { key: 'v', long: 'verbose' },
  { key: 'V', long: 'version' },
]

function read(words: readonly string[], stopEarly = false): { found: string[]; operands: string[] } {
  const opts = new Getopt(['prog', ...words], OPTIONS, stopEarly)
  const found: string[] = []
  for (let next = opts.next(); next !== undefined; next = opts.next())
    found.push(next.error ?? (next.value === undefined ? next.key : `${next.key}=${next.value}`))
  return { found, operands: opts.operands }
}

describe('getopt', () => {
  it('reads clusters, values in the same or the next word, and abbreviations', () => {
    expect(read(['-an5', '-n', '6', '--num=7', '--number', '8', '-cred', '-c', '--color']).found).toEqual([
      'a',
      'n=5',
      'n=6',
      'n=7',
      'n=8',
      'c=red',
      'c',
      'c',
    ])
  })

  it('permutes, stops at -- or, where asked to, at the first operand', () => {
    expect(read(['x', '-a', 'y', '--', '-n', 'z'])).toEqual({ found: ['a'], operands: ['x', 'y', '-n', 'z'] })
    expect(read(['-a', 'x', '-n', '5'], true)).toEqual({ found: ['a'], operands: ['x', '-n', '5'] })
    expect(read(['-', '-a'])).toEqual({ found: ['a'], operands: ['-'] })
  })

  it('complains in the words of the C library', () => {
    expect(read(['-x']).found).toEqual(["prog: invalid option -- 'x'"])
    expect(read(['-n']).found).toEqual(["prog: option requires an argument -- 'n'"])
    expect(read(['--nope']).found).toEqual(["prog: unrecognized option '--nope'"])
    expect(read(['--number']).found).toEqual(["prog: option '--number' requires an argument"])
    expect(read(['--all=1']).found).toEqual(["prog: option '--all' doesn't allow an argument"])
    expect(read(['--ver']).found).toEqual(["prog: option '--ver' is ambiguous; possibilities: '--verbose' '--version'"])
  })

  it('loses no operand and ends on any words', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 6 }), { maxLength: 12 }), words => {
        const operands = words.filter(word => !word.startsWith('-'))
        const { operands: rest } = read(['--', ...words])
        expect(rest).toEqual(words)
        const free = read(words.filter(word => !/^-.*n$|^--?n|^--number$/.test(word)))
        for (const word of free.operands) expect(words).toContain(word)
        expect(free.operands.length).toBeGreaterThanOrEqual(0)
        expect(read(operands).operands).toEqual(operands)
      }),
    )
  })
})
