/** unexpand(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { tabStops } from './expand.ts'
import { eachLine } from './lib/filter.ts'
import { complain, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'all', short: 'a', long: 'all' },
  { key: 'first', long: 'first-only' },
  { key: 'tabs', short: 't', long: 'tabs', arg: 'required' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Convert blanks in each FILE to tabs, writing to standard output.',
  authors: 'David MacKenzie',
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const text = options.value('tabs') ?? '8'
  const next = tabStops(text)
  if (next === undefined) return complain(proc, `tab size contains invalid character(s): ${quote(text)}`)
  const all = (options.has('all') || options.has('tabs')) && !options.has('first')
  const writer = new Writer(proc)
  return eachLine(proc, options.operands, writer, (line, terminated) => {
    let column = 0
    let blanks = 0
    let out = ''
    let initial = true
    const flush = (): void => {
      out += ' '.repeat(blanks)
      blanks = 0
    }
    for (const c of line) {
      if ((initial || all) && (c === ' ' || c === '\t')) {
        const stop = next(column)
        if (c === '\t') {
          out += '\t'
          blanks = 0
          column = stop
        } else {
          blanks++
          column++
          if (column === stop) {
            // a single blank before a stop stays one, unless more follow
            out += blanks > 1 ? '\t' : ' '
            blanks = 0
          }
        }
        continue
      }
      flush()
      initial = false
      out += c
      column++
    }
    flush()
    writer.write(out + (terminated ? '\n' : ''))
  })
}
