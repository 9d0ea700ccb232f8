/** column(1) */

import { isSysError } from '../../src/uapi/errno.ts'
import type { Program } from '../../src/uapi/process.ts'
import { encode } from './lib/bytes.ts'
import { complain, readInput, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'table', short: 't', long: 'table' },
  { key: 'separator', short: 's', long: 'separator', arg: 'required' },
  { key: 'output', short: 'o', long: 'output-separator', arg: 'required' },
  { key: 'width', short: 'c', long: 'output-width', arg: 'required' },
  { key: 'fillRows', short: 'x', long: 'fillrows' },
  { key: 'names', short: 'N', long: 'table-columns', arg: 'required' },
  { key: 'right', short: 'R', long: 'table-right', arg: 'required' },
  { key: 'limit', short: 'l', long: 'table-columns-limit', arg: 'required' },
  { key: 'keepEmpty', short: 'L', long: 'keep-empty-lines' },
  { key: 'noHeadings', short: 'd', long: 'table-noheadings' },
] as const

const ABOUT = { usage: '[options] [<file>...]', does: 'Columnate lists.', authors: 'the util-linux authors' }

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  let text = ''
  let status = 0
  for (const name of options.operands.length === 0 ? ['-'] : options.operands) {
    try {
      text += await readInput(proc, name)
    } catch (error) {
      status = complain(proc, `${name}: ${reason(error)}`)
    }
  }
  const lines = text.split('\n')
  if (lines[lines.length - 1] === '') lines.pop()
  const kept = options.has('keepEmpty') ? lines : lines.filter(line => line.trim() !== '')
  const writer = new Writer(proc)
  if (options.has('table')) {
    const separators = options.value('separator')
    const limit = Number(options.value('limit') ?? Number.POSITIVE_INFINITY)
    const rows = kept.map(line => splitRow(line, separators === undefined ? undefined : encode(separators), limit))
    const names = options.value('names')?.split(',')
    if (names !== undefined && !options.has('noHeadings')) rows.unshift(names.map(encode))
    const right = new Set(
      (options.value('right') ?? '')
        .split(',')
        .flatMap(word => (word === '' ? [] : [/^\d+$/.test(word) ? Number(word) - 1 : (names?.indexOf(word) ?? -1)])),
    )
    writer.write(table(rows, encode(options.value('output') ?? '  '), right))
    return status
  }
  const width = Number(options.value('width') ?? terminalWidth(proc))
  writer.write(fill(kept, width, options.has('fillRows')))
  return status
}

function terminalWidth(proc: Parameters<Program>[0]): number {
  try {
    return proc.winsize(1).columns
  } catch (error) {
    if (!isSysError(error)) throw error
    return Number(proc.env.get('COLUMNS') ?? '80') || 80
  }
}

/** Without -s, blanks separate and count once; with it, each separator does. */
function splitRow(line: string, separators: string | undefined, limit: number): string[] {
  if (separators === undefined) {
    const words = line.trim().split(/[ \t]+/)
    return words.length > limit ? [...words.slice(0, limit - 1), words.slice(limit - 1).join(' ')] : words
  }
  const fields: string[] = []
  let field = ''
  for (const c of line) {
    if (separators.includes(c) && fields.length < limit - 1) {
      fields.push(field)
      field = ''
    } else field += c
  }
  fields.push(field)
  return fields
}

function table(rows: readonly string[][], gap: string, right: ReadonlySet<number>): string {
  const columns = Math.max(0, ...rows.map(row => row.length))
  const widths = Array.from({ length: columns }, (_, i) => Math.max(0, ...rows.map(row => (row[i] ?? '').length)))
  let out = ''
  for (const row of rows) {
    const cells = widths.map((width, i) => {
      const cell = row[i] ?? ''
      if (right.has(i)) return cell.padStart(width)
      return i === columns - 1 ? cell : cell.padEnd(width)
    })
    out += `${cells.join(gap)}\n`
  }
  return out
}

/** Fills columns of equal width, separated by tabs. */
function fill(words: readonly string[], width: number, byRows: boolean): string {
  if (words.length === 0) return ''
  const longest = Math.max(...words.map(word => word.length))
  const column = Math.floor(longest / 8) * 8 + 8
  if (longest >= width || column >= width) return words.map(word => `${word}\n`).join('')
  const columns = Math.max(1, Math.floor(width / column))
  const rows = Math.ceil(words.length / columns)
  let out = ''
  for (let row = 0; row < rows; row++) {
    let line = ''
    let at = 0
    for (let i = 0; i < columns; i++) {
      const index = byRows ? row * columns + i : i * rows + row
      const word = words[index]
      if (word === undefined) break
      while (at < i * column) {
        line += '\t'
        at = Math.floor(at / 8) * 8 + 8
      }
      line += word
      at += word.length
    }
    out += `${line}\n`
  }
  return out
}
