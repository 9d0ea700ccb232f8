/** seq(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote, strtod, usageError } from '../lib/coreutils.ts'
import { FormatError, format } from './lib/format.ts'
import { complain, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'format', short: 'f', long: 'format', arg: 'required' },
  { key: 'separator', short: 's', long: 'separator', arg: 'required' },
  { key: 'equal', short: 'w', long: 'equal-width' },
] as const

const ABOUT = {
  usage: '[OPTION]... LAST\n  or:  seq [OPTION]... FIRST LAST\n  or:  seq [OPTION]... FIRST INCREMENT LAST',
  does: 'Print numbers from FIRST to LAST, in steps of INCREMENT.',
  authors: 'Ulrich Drepper',
  stopEarly: true,
}

/** Digits after the point of a number as written. */
function places(text: string): number {
  const match = /\.(\d*)(?:[eE]([+-]?\d+))?$/.exec(text)
  return match === null ? 0 : Math.max(0, match[1]!.length - Number(match[2] ?? 0))
}

export const main: Program = async proc => {
  // a negative number is no option
  const negative = proc.argv.findIndex((word, i) => i > 0 && /^-\.?\d/.test(word))
  const argv = negative < 0 ? proc.argv : [...proc.argv.slice(0, negative), '--', ...proc.argv.slice(negative)]
  const options = readOptions(proc, OPTIONS, ABOUT, argv)
  if (typeof options === 'number') return options
  const { operands } = options
  if (operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  if (operands.length > 3) return usageError(proc, `${proc.argv[0]}: extra operand ${quote(operands[3]!)}`, 1)
  const numbers: number[] = []
  for (const text of operands) {
    const number = strtod(text)
    if (number === undefined || number.rest !== '')
      return usageError(proc, `${proc.argv[0]}: invalid floating point argument: ${quote(text)}`, 1)
    if (Number.isNaN(number.value))
      return usageError(proc, `${proc.argv[0]}: invalid 'not-a-number' argument: ${quote(text)}`, 1)
    numbers.push(number.value)
  }
  const [first, step, last] =
    numbers.length === 1
      ? [1, 1, numbers[0]!]
      : numbers.length === 2
        ? [numbers[0]!, 1, numbers[1]!]
        : (numbers as [number, number, number])
  if (step === 0) return usageError(proc, `${proc.argv[0]}: invalid Zero increment value: ${quote(operands[1]!)}`, 1)
  const digits = Math.max(
    operands.length > 1 ? places(operands[0]!) : 0,
    operands.length === 3 ? places(operands[1]!) : 0,
  )
  const separator = options.value('separator') ?? '\n'
  const spec = options.value('format')
  const shown = (value: number): string => {
    if (spec === undefined)
      return Number.isFinite(value) ? value.toFixed(digits) : String(value).replace('Infinity', 'inf')
    return format(spec, [String(value)], {
      complain: () => {},
      quote: text => text,
      utf8: false,
      invalid: text => text,
      partial: text => text,
      range: text => text,
    }).text
  }
  if (spec !== undefined) {
    const conversions = spec.replaceAll('%%', '').match(/%[-+ #0']*\d*(?:\.\d*)?[aefgAEFG]/g)
    if (conversions === null) return complain(proc, `format ${quote(spec)} has no % directive`)
    if (conversions.length > 1) return complain(proc, `format ${quote(spec)} has too many % directives`)
  }
  const width = options.has('equal')
    ? Math.max(shown(first).length, shown(first + Math.floor((last - first) / step + 1e-9) * step).length)
    : 0
  const pad = (text: string): string =>
    text.startsWith('-') ? `-${text.slice(1).padStart(width - 1, '0')}` : text.padStart(width, '0')
  const writer = new Writer(proc)
  try {
    let any = false
    for (let i = 0; ; i++) {
      const value = first + i * step
      if (step > 0 ? value > last + step * 1e-9 : value < last + step * 1e-9) break
      writer.write((any ? separator : '') + (width > 0 ? pad(shown(value)) : shown(value)))
      any = true
      if (i % 256 === 0) await writer.relax()
    }
    if (any) writer.write('\n')
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return complain(proc, `format ${quote(spec!)} has unknown %${spec!.slice(-1)} directive`)
  }
  return 0
}
