/** fold(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { eachLine } from './lib/filter.ts'
import { complain, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'bytes', short: 'b', long: 'bytes' },
  { key: 'spaces', short: 's', long: 'spaces' },
  { key: 'width', short: 'w', long: 'width', arg: 'required' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Wrap input lines in each FILE, writing to standard output.',
  authors: 'David MacKenzie',
}

export const main: Program = proc => {
  const argv = proc.argv.map(word => (/^-\d+$/.test(word) ? `-w${word.slice(1)}` : word))
  const options = readOptions(proc, OPTIONS, ABOUT, argv)
  if (typeof options === 'number') return options
  const text = options.value('width') ?? '80'
  if (!/^[1-9]\d*$/.test(text)) return complain(proc, `invalid number of columns: ${quote(text)}`)
  const width = Number(text)
  const bytes = options.has('bytes')
  const advance = (column: number, c: string): number => {
    if (bytes) return column + 1
    if (c === '\b') return Math.max(0, column - 1)
    if (c === '\r') return 0
    return c === '\t' ? column + 8 - (column % 8) : column + 1
  }
  const writer = new Writer(proc)
  return eachLine(proc, options.operands, writer, (line, terminated) => {
    let out = ''
    let column = 0
    for (let i = 0; i < line.length; i++) {
      const c = line[i]!
      let next = advance(column, c)
      if (next > width && out !== '') {
        if (options.has('spaces')) {
          const blank = Math.max(out.lastIndexOf(' '), out.lastIndexOf('\t'))
          if (blank >= 0) {
            writer.write(`${out.slice(0, blank + 1)}\n`)
            out = out.slice(blank + 1)
            column = 0
            for (const kept of out) column = advance(column, kept)
            i--
            continue
          }
        }
        writer.write(`${out}\n`)
        out = ''
        column = 0
        next = advance(0, c)
      }
      out += c
      column = next
    }
    writer.write(out + (terminated ? '\n' : ''))
  })
}
