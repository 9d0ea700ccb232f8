/** cat(1) */
import type { Process, Program } from '../../src/uapi/process.ts'
import { fromBytes } from './lib/bytes.ts'
import { closeInput, complain, openInput, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'showAll', short: 'A', long: 'show-all' },
  { key: 'numberNonblank', short: 'b', long: 'number-nonblank' },
  { key: 'e', short: 'e' },
  { key: 'showEnds', short: 'E', long: 'show-ends' },
  { key: 'number', short: 'n', long: 'number' },
  { key: 'squeeze', short: 's', long: 'squeeze-blank' },
  { key: 't', short: 't' },
  { key: 'showTabs', short: 'T', long: 'show-tabs' },
  { key: 'u', short: 'u' },
  { key: 'showNonprinting', short: 'v', long: 'show-nonprinting' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Concatenate FILE(s) to standard output.',
  authors: 'Torbjorn Granlund and Richard M. Stallman',
}

const BLOCK = 131_072

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const format = new Format(proc, {
    nonprinting: options.has('showNonprinting') || options.has('showAll') || options.has('e') || options.has('t'),
    ends: options.has('showEnds') || options.has('showAll') || options.has('e'),
    tabs: options.has('showTabs') || options.has('showAll') || options.has('t'),
    numberNonblank: options.has('numberNonblank'),
    number: options.has('number') || options.has('numberNonblank'),
    squeeze: options.has('squeeze'),
  })
  let status = 0
  for (const name of options.operands.length === 0 ? ['-'] : options.operands) {
    try {
      const fd = openInput(proc, name)
      try {
        for (;;) {
          const data = await proc.read(fd, BLOCK)
          if (data.length === 0) break
          if (format.plain) await proc.write(1, data)
          else await format.show(fromBytes(data))
        }
      } finally {
        closeInput(proc, fd)
      }
    } catch (error) {
      status = complain(proc, `${name}: ${reason(error)}`)
    }
  }
  return status
}

interface Style {
  readonly nonprinting: boolean
  readonly ends: boolean
  readonly tabs: boolean
  readonly number: boolean
  readonly numberNonblank: boolean
  readonly squeeze: boolean
}

/** Shows text with numbers, ends of lines and characters that do not print. Its state goes on from file to file. */
class Format {
  readonly plain: boolean
  private readonly style: Style
  private readonly writer: Writer
  private line = 0
  private atStart = true
  private blanks = 0

  constructor(proc: Process, style: Style) {
    this.style = style
    this.plain = !Object.values(style).some(on => on === true)
    this.writer = new Writer(proc)
  }

  async show(text: string): Promise<void> {
    const { style } = this
    let out = ''
    for (const c of text) {
      if (this.atStart) {
        if (c === '\n') {
          this.blanks++
          if (style.squeeze && this.blanks > 1) continue
        } else this.blanks = 0
        if (style.number && !(style.numberNonblank && c === '\n')) out += `${String(++this.line).padStart(6)}\t`
        this.atStart = false
      }
      if (c === '\n') {
        out += style.ends ? '$\n' : '\n'
        this.atStart = true
      } else if (c === '\t') out += style.tabs ? '^I' : c
      else if (style.nonprinting) out += visible(c)
      else out += c
    }
    this.writer.write(out)
    await this.writer.relax()
  }
}

/** ^ and M- notation. */
function visible(c: string): string {
  const code = c.charCodeAt(0)
  if (code >= 128) return `M-${visible(String.fromCharCode(code - 128))}`
  if (code === 127) return '^?'
  return code < 32 ? `^${String.fromCharCode(code + 64)}` : c
}
