/** wc(1) */

import { isSysError } from '../../src/uapi/errno.ts'
import { S_IFMT, S_IFREG } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { fromBytes } from './lib/bytes.ts'
import { closeInput, complain, openInput, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'bytes', short: 'c', long: 'bytes' },
  { key: 'characters', short: 'm', long: 'chars' },
  { key: 'lines', short: 'l', long: 'lines' },
  { key: 'longest', short: 'L', long: 'max-line-length' },
  { key: 'words', short: 'w', long: 'words' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Print newline, word, and byte counts for each FILE, and a total line if more than one FILE is specified.',
  authors: 'Paul Rubin and David MacKenzie',
}

type Column = 'lines' | 'words' | 'characters' | 'bytes' | 'longest'
type Counts = Record<Column, number>

async function count(proc: Process, fd: number): Promise<Counts> {
  const counts: Counts = { lines: 0, words: 0, characters: 0, bytes: 0, longest: 0 }
  let inWord = false
  let column = 0
  for (;;) {
    const data = await proc.read(fd, 65_536)
    if (data.length === 0) break
    counts.bytes += data.length
    const text = fromBytes(data)
    for (let i = 0; i < text.length; i++) {
      const c = text[i]!
      if (c === '\n') {
        counts.lines++
        counts.longest = Math.max(counts.longest, column)
        column = 0
        inWord = false
      } else if (c === '\t') {
        column += 8 - (column % 8)
        inWord = false
      } else if (c === ' ' || c === '\v' || c === '\f' || c === '\r') {
        if (c === '\r' || c === '\f') {
          counts.longest = Math.max(counts.longest, column)
          column = 0
        } else if (c === ' ') column++
        inWord = false
      } else {
        if (c >= ' ' && c <= '~') column++
        // a word has something that prints
        if (!inWord && c > ' ') {
          counts.words++
          inWord = true
        }
      }
    }
  }
  counts.longest = Math.max(counts.longest, column)
  counts.characters = counts.bytes
  return counts
}

/** Digits that the figures are padded to: as many as the sizes of all files together need. */
function width(proc: Process, names: readonly string[], columns: number): number {
  if (names.length <= 1 && columns === 1) return 1
  let total = 0
  let minimum = 1
  for (const name of names.length === 0 ? ['-'] : names) {
    try {
      const stat = name === '-' ? proc.fstat(0) : proc.stat(name)
      if ((stat.mode & S_IFMT) === S_IFREG) total += stat.size
      else minimum = 7
    } catch (error) {
      if (!isSysError(error)) throw error
    }
  }
  return Math.max(minimum, String(total).length)
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const order: readonly Column[] = ['lines', 'words', 'characters', 'bytes', 'longest']
  const chosen = order.filter(column => options.has(column))
  const columns: readonly Column[] = chosen.length > 0 ? chosen : ['lines', 'words', 'bytes']
  const names = options.operands
  const digits = width(proc, names, columns.length)
  const total: Counts = { lines: 0, words: 0, characters: 0, bytes: 0, longest: 0 }
  let status = 0
  const print = (counts: Counts, name: string | undefined): void => {
    const figures = columns.map(column => String(counts[column]).padStart(digits)).join(' ')
    proc.stdout.write(`${figures}${name === undefined ? '' : ` ${name}`}\n`)
  }
  for (const name of names.length === 0 ? [undefined] : names) {
    try {
      const fd = openInput(proc, name ?? '-')
      try {
        const counts = await count(proc, fd)
        print(counts, name)
        for (const column of order)
          total[column] =
            column === 'longest' ? Math.max(total.longest, counts.longest) : total[column] + counts[column]
      } finally {
        closeInput(proc, fd)
      }
    } catch (error) {
      const why = reason(error)
      status = complain(proc, `${name}: ${why}`)
      if (why === 'Is a directory') print({ lines: 0, words: 0, characters: 0, bytes: 0, longest: 0 }, name)
    }
  }
  if (names.length > 1) print(total, 'total')
  return status
}
