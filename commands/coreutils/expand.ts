/** expand(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { eachLine } from './lib/filter.ts'
import { complain, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'initial', short: 'i', long: 'initial' },
  { key: 'tabs', short: 't', long: 'tabs', arg: 'required' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Convert tabs in each FILE to spaces, writing to standard output.',
  authors: 'David MacKenzie',
}

/** Reads a list of tab stops. @returns the stop after a column, or undefined for a bad list */
export function tabStops(text: string): ((column: number) => number) | undefined {
  const stops = text.split(/[, ]+/).map(Number)
  if (stops.some(stop => !Number.isInteger(stop) || stop < 1)) return undefined
  if (stops.length === 1) return column => column + stops[0]! - (column % stops[0]!)
  return column => stops.find(stop => stop > column) ?? column + 1
}

export const main: Program = proc => {
  const argv = proc.argv.map(word => (/^-\d+$/.test(word) ? `-t${word.slice(1)}` : word))
  const options = readOptions(proc, OPTIONS, ABOUT, argv)
  if (typeof options === 'number') return options
  const text = options.value('tabs') ?? '8'
  const next = tabStops(text)
  if (next === undefined) return complain(proc, `tab size contains invalid character(s): ${quote(text)}`)
  const writer = new Writer(proc)
  return eachLine(proc, options.operands, writer, (line, terminated) => {
    let column = 0
    let initial = true
    let out = ''
    for (const c of line) {
      if (c === '\t' && (initial || !options.has('initial'))) {
        const stop = next(column)
        out += ' '.repeat(stop - column)
        column = stop
        continue
      }
      if (c !== ' ' && c !== '\t') initial = false
      out += c
      column = c === '\b' ? Math.max(0, column - 1) : column + 1
    }
    writer.write(out + (terminated ? '\n' : ''))
  })
}
