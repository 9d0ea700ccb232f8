/** nl(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { eachLine } from './lib/filter.ts'
import { complain, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'
import { toJsRegex } from './lib/regex.ts'

const OPTIONS = [
  { key: 'body', short: 'b', long: 'body-numbering', arg: 'required' },
  { key: 'delimiter', short: 'd', long: 'section-delimiter', arg: 'required' },
  { key: 'footer', short: 'f', long: 'footer-numbering', arg: 'required' },
  { key: 'header', short: 'h', long: 'header-numbering', arg: 'required' },
  { key: 'increment', short: 'i', long: 'line-increment', arg: 'required' },
  { key: 'join', short: 'l', long: 'join-blank-lines', arg: 'required' },
  { key: 'format', short: 'n', long: 'number-format', arg: 'required' },
  { key: 'noRenumber', short: 'p', long: 'no-renumber' },
  { key: 'separator', short: 's', long: 'number-separator', arg: 'required' },
  { key: 'start', short: 'v', long: 'starting-line-number', arg: 'required' },
  { key: 'width', short: 'w', long: 'number-width', arg: 'required' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Write each FILE to standard output, with line numbers added.',
  authors: 'Scott Bartram and David MacKenzie',
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const styles = {
    header: options.value('header') ?? 'n',
    body: options.value('body') ?? 't',
    footer: options.value('footer') ?? 'n',
  }
  for (const [part, style] of Object.entries(styles))
    if (!/^[atn]$|^p/.test(style)) return complain(proc, `invalid ${part} numbering style: ${quote(style)}`)
  const number = (key: 'increment' | 'start' | 'width' | 'join', fallback: number): number => {
    const text = options.value(key)
    return text === undefined ? fallback : Number(text)
  }
  const increment = number('increment', 1)
  const start = number('start', 1)
  const width = number('width', 6)
  const join = number('join', 1)
  if (![increment, start, width, join].every(Number.isInteger)) return complain(proc, 'invalid line number')
  const separator = options.value('separator') ?? '\t'
  const format = options.value('format') ?? 'rn'
  const delimiter = options.value('delimiter') ?? '\\:'
  const writer = new Writer(proc)
  let section: keyof typeof styles = 'body'
  let line = start
  let blanks = 0
  const numbered = (text: string): boolean => {
    const style = styles[section]
    if (style === 'a') {
      if (text !== '') return true
      blanks++
      if (blanks < join) return false
      blanks = 0
      return true
    }
    if (style === 't') return text !== ''
    return style.startsWith('p') && toJsRegex(style.slice(1), false).test(text)
  }
  return eachLine(proc, options.operands, writer, text => {
    if (text === delimiter.repeat(3) || text === delimiter.repeat(2) || text === delimiter) {
      section = text === delimiter ? 'footer' : text === delimiter.repeat(2) ? 'body' : 'header'
      if (!options.has('noRenumber')) line = start
      writer.write('\n')
      return
    }
    if (numbered(text)) {
      const shown =
        format === 'ln' ? String(line).padEnd(width) : String(line).padStart(width, format === 'rz' ? '0' : ' ')
      writer.write(`${shown}${separator}${text}\n`)
      line += increment
    } else writer.write(`${' '.repeat(width + separator.length)}${text}\n`)
  })
}
