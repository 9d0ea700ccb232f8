/** cut(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { encode } from './lib/bytes.ts'
import { eachLine } from './lib/filter.ts'
import { Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'bytes', short: 'b', long: 'bytes', arg: 'required' },
  { key: 'characters', short: 'c', long: 'characters', arg: 'required' },
  { key: 'delimiter', short: 'd', long: 'delimiter', arg: 'required' },
  { key: 'fields', short: 'f', long: 'fields', arg: 'required' },
  { key: 'n', short: 'n' },
  { key: 'complement', long: 'complement' },
  { key: 'only', short: 's', long: 'only-delimited' },
  { key: 'output', long: 'output-delimiter', arg: 'required' },
  { key: 'zero', short: 'z', long: 'zero-terminated' },
] as const

const ABOUT = {
  usage: 'OPTION... [FILE]...',
  does: 'Print selected parts of lines from each FILE to standard output.',
  authors: 'David M. Ihnat, David MacKenzie, and Jim Meyering',
}

type Range = readonly [number, number]

/** Reads a list such as 1,3-5,7-. @returns the ranges, merged and in order, or what is wrong */
function ranges(text: string, fields: boolean): Range[] | string {
  const out: [number, number][] = []
  const what = fields ? 'fields are numbered from 1' : 'byte/character positions are numbered from 1'
  for (const part of text.split(/[, \t]/)) {
    const match = /^(\d*)(-?)(\d*)$/.exec(part)
    if (match === null)
      return fields ? `invalid field value ${quote(part.replace(/^[\d-]*/, ''))}` : `invalid byte or character range`
    const [, from, dash, to] = match as unknown as [string, string, string, string]
    if (dash === '') {
      if (from === '') return what
      if (Number(from) === 0) return what
      out.push([Number(from), Number(from)])
      continue
    }
    if (from === '' && to === '') return 'invalid range with no endpoint: -'
    const low = from === '' ? 1 : Number(from)
    const high = to === '' ? Number.POSITIVE_INFINITY : Number(to)
    if (low === 0) return what
    if (high < low) return 'invalid decreasing range'
    out.push([low, high])
  }
  out.sort((a, b) => a[0] - b[0])
  const merged: [number, number][] = []
  for (const each of out) {
    const last = merged[merged.length - 1]
    if (last !== undefined && each[0] <= last[1]) last[1] = Math.max(last[1], each[1])
    else merged.push([...each])
  }
  return merged
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const wrong = (message: string): number => usageError(proc, `${proc.argv[0]}: ${message}`, 1)
  const lists = options.list.filter(
    option => option.key === 'bytes' || option.key === 'characters' || option.key === 'fields',
  )
  if (lists.length > 1) return wrong('only one list may be specified')
  const [list] = lists
  if (list === undefined) return wrong('you must specify a list of bytes, characters, or fields')
  const byField = list.key === 'fields'
  const delimiterText = options.value('delimiter')
  if (!byField && delimiterText !== undefined)
    return wrong('an input delimiter may be specified only when operating on fields')
  if (!byField && options.has('only'))
    return wrong('suppressing non-delimited lines makes sense\n\tonly when operating on fields')
  const delimiter = delimiterText === undefined ? '\t' : encode(delimiterText)
  if (delimiter.length > 1) return wrong('the delimiter must be a single character')
  const parsed = ranges(list.value!, byField)
  if (typeof parsed === 'string') return wrong(parsed)
  const complement = options.has('complement')
  const selected = (n: number): boolean => parsed.some(([low, high]) => n >= low && n <= high) !== complement
  const output = options.value('output')
  const joiner = output === undefined ? (byField ? delimiter : undefined) : encode(output)
  const end = options.has('zero') ? '\0' : '\n'
  const writer = new Writer(proc)
  return eachLine(
    proc,
    options.operands,
    writer,
    line => {
      if (byField) {
        const fields = line.split(delimiter === '' ? '\0' : delimiter)
        if (fields.length === 1) {
          if (!options.has('only')) writer.write(line + end)
          return
        }
        writer.write(fields.filter((_, i) => selected(i + 1)).join(joiner) + end)
        return
      }
      let out = ''
      let before = false
      let any = false
      let start = -1
      for (let i = 0; i < line.length; i++) {
        const on = selected(i + 1)
        const begins = on && (!before || parsed.some(([low]) => low === i + 1))
        if (begins && any && joiner !== undefined && start !== i) out += joiner
        if (begins) start = i
        if (on) {
          out += line[i]
          any = true
        }
        before = on
      }
      writer.write(out + end)
    },
    end,
  )
}
