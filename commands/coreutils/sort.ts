/** sort(1), in the C locale. */
import { O_CREAT, O_TRUNC, O_WRONLY } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { encode, toBytes } from './lib/bytes.ts'
import { compareGeneral, compareHuman, compareMonth, compareNumeric, compareVersion } from './lib/compare.ts'
import { readInput, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'b', short: 'b', long: 'ignore-leading-blanks' },
  { key: 'd', short: 'd', long: 'dictionary-order' },
  { key: 'f', short: 'f', long: 'ignore-case' },
  { key: 'g', short: 'g', long: 'general-numeric-sort' },
  { key: 'i', short: 'i', long: 'ignore-nonprinting' },
  { key: 'M', short: 'M', long: 'month-sort' },
  { key: 'h', short: 'h', long: 'human-numeric-sort' },
  { key: 'n', short: 'n', long: 'numeric-sort' },
  { key: 'R', short: 'R', long: 'random-sort' },
  { key: 'r', short: 'r', long: 'reverse' },
  { key: 'V', short: 'V', long: 'version-sort' },
  { key: 'sort', long: 'sort', arg: 'required' },
  { key: 'check', short: 'c' },
  { key: 'check', long: 'check', arg: 'optional' },
  { key: 'checkQuiet', short: 'C' },
  { key: 'key', short: 'k', long: 'key', arg: 'required' },
  { key: 'merge', short: 'm', long: 'merge' },
  { key: 'output', short: 'o', long: 'output', arg: 'required' },
  { key: 'stable', short: 's', long: 'stable' },
  { key: 'buffer', short: 'S', long: 'buffer-size', arg: 'required' },
  { key: 'separator', short: 't', long: 'field-separator', arg: 'required' },
  { key: 'temporary', short: 'T', long: 'temporary-directory', arg: 'required' },
  { key: 'parallel', long: 'parallel', arg: 'required' },
  { key: 'unique', short: 'u', long: 'unique' },
  { key: 'zero', short: 'z', long: 'zero-terminated' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Write sorted concatenation of all FILE(s) to standard output.',
  authors: 'Mike Haertel and Paul Eggert',
  status: 2,
}

/** Exit status of trouble, as opposed to disorder under -c. */
const TROUBLE = 2

const SORTS: Readonly<Record<string, string>> = {
  'general-numeric': 'g',
  'human-numeric': 'h',
  month: 'M',
  numeric: 'n',
  random: 'R',
  version: 'V',
}

/** A place in a line: field and character, both from 0; `end` places include what they name. */
interface KeyEnd {
  readonly field: number
  readonly character: number
  readonly blanks: boolean
}

interface Key {
  readonly start: KeyEnd
  readonly end: KeyEnd | undefined
  /** ordering options, `r` among them */
  letters: string
}

class KeyError extends Error {}

/** Reads -k F[.C][OPTS][,F[.C][OPTS]]. */
function parseKey(spec: string): Key {
  const match = /^(\d+)(?:\.(\d+))?([bdfgiMhnRrV]*)(?:,(\d+)(?:\.(\d+))?([bdfgiMhnRrV]*))?([\s\S]*)$/.exec(spec)
  if (match === null) throw new KeyError(`invalid number at field start: invalid count at start of ${quote(spec)}`)
  if (match[7] !== '') {
    if (match[4] === undefined && match[7]!.startsWith(','))
      throw new KeyError(`invalid number after ',': invalid count at start of ${quote(match[7]!.slice(1))}`)
    throw new KeyError(`stray character in field spec: invalid field specification ${quote(spec)}`)
  }
  const field = Number(match[1])
  if (field === 0) throw new KeyError(`field number is zero: invalid field specification ${quote(spec)}`)
  if (match[2] !== undefined && Number(match[2]) === 0)
    throw new KeyError(`character offset is zero: invalid field specification ${quote(spec)}`)
  const start: KeyEnd = { field: field - 1, character: Number(match[2] ?? 1) - 1, blanks: match[3]!.includes('b') }
  let end: KeyEnd | undefined
  if (match[4] !== undefined) {
    if (Number(match[4]) === 0) throw new KeyError(`field number is zero: invalid field specification ${quote(spec)}`)
    end = { field: Number(match[4]), character: Number(match[5] ?? 0), blanks: match[6]!.includes('b') }
  }
  return { start, end, letters: match[3]! + (match[6] ?? '') }
}

/** @returns where field `n` begins: with its blanks, where blanks separate */
function fieldStart(line: string, n: number, separator: string | undefined): number {
  let at = 0
  for (let i = 0; i < n && at < line.length; i++) {
    if (separator !== undefined) {
      const next = line.indexOf(separator, at)
      at = next < 0 ? line.length : next + 1
    } else {
      while (at < line.length && isBlank(line[at]!)) at++
      while (at < line.length && !isBlank(line[at]!)) at++
    }
  }
  return at
}

function isBlank(c: string): boolean {
  return c === ' ' || c === '\t' || c === '\n'
}

function skipBlanks(line: string, at: number): number {
  let i = at
  while (i < line.length && isBlank(line[i]!)) i++
  return i
}

/** @returns the part of a line that a key compares */
function keyText(line: string, key: Key, separator: string | undefined): string {
  let start = fieldStart(line, key.start.field, separator)
  if (key.start.blanks || /^[^r]*b/.test(key.letters)) start = skipBlanks(line, start)
  start = Math.min(line.length, start + key.start.character)
  if (key.end === undefined) return line.slice(start)
  let end: number
  if (key.end.character === 0) {
    // to the end of the field
    end = fieldStart(line, key.end.field, separator)
    if (separator !== undefined && end < line.length) end--
    else if (
      separator !== undefined &&
      line[end - 1] === separator &&
      end === line.length &&
      key.end.field <= line.split(separator).length - 1
    )
      end--
  } else {
    end = fieldStart(line, key.end.field - 1, separator)
    if (key.end.blanks) end = skipBlanks(line, end)
    end = Math.min(line.length, end + key.end.character)
  }
  return line.slice(start, Math.max(start, end))
}

function compareKeys(a: string, b: string, letters: string): number {
  let order: number
  if (letters.includes('n')) order = compareNumeric(a, b)
  else if (letters.includes('h')) order = compareHuman(a, b)
  else if (letters.includes('g')) order = compareGeneral(a, b)
  else if (letters.includes('M')) order = compareMonth(a, b)
  else if (letters.includes('R')) order = compareText(scramble(a), scramble(b))
  else if (letters.includes('V')) order = compareVersion(a, b)
  else {
    let left = a
    let right = b
    if (letters.includes('d')) {
      left = left.replace(/[^A-Za-z0-9 \t]/g, '')
      right = right.replace(/[^A-Za-z0-9 \t]/g, '')
    } else if (letters.includes('i')) {
      left = left.replace(/[^\x20-\x7e]/g, '')
      right = right.replace(/[^\x20-\x7e]/g, '')
    }
    if (letters.includes('f')) {
      left = left.replace(/[a-z]/g, c => c.toUpperCase())
      right = right.replace(/[a-z]/g, c => c.toUpperCase())
    }
    order = compareText(left, right)
  }
  return letters.includes('r') ? -order : order
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** An order that looks random and puts equal lines together. */
function scramble(text: string): string {
  let h = 0x9e3779b9
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return (h >>> 0).toString(16).padStart(8, '0') + text
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const trouble = (message: string): number => {
    proc.stderr.write(`${proc.argv[0]}: ${message}\n`)
    return TROUBLE
  }
  let letters = options.list
    .filter(option => option.key.length === 1)
    .map(option => option.key)
    .join('')
  for (const value of options.values('sort')) {
    const letter = Object.entries(SORTS).find(([name]) => name.startsWith(value))?.[1]
    if (letter === undefined) return trouble(`invalid argument ${quote(value)} for '--sort'`)
    letters += letter
  }
  let separator: string | undefined
  for (const value of options.values('separator')) {
    const text = value === '\\0' ? '\0' : encode(value)
    if (text === '') return trouble('empty tab')
    if (text.length > 1) return trouble(`multi-character tab ${quote(value)}`)
    separator = text
  }
  const keys: Key[] = []
  try {
    for (const spec of options.values('key')) keys.push(parseKey(spec))
  } catch (error) {
    if (!(error instanceof KeyError)) throw error
    return trouble(error.message)
  }
  // a key without options of its own has the global ones
  for (const key of keys) if (key.letters === '' && !key.start.blanks && key.end?.blanks !== true) key.letters = letters
  if (keys.length === 0 && letters.replaceAll('r', '') !== '')
    keys.push({ start: { field: 0, character: 0, blanks: false }, end: undefined, letters })
  const incompatible = ['g', 'h', 'M', 'n', 'R', 'V'].filter(letter => letters.includes(letter))
  if (incompatible.length > 1) return trouble(`options '-${incompatible.sort().join('')}' are incompatible`)
  const reverse = letters.includes('r')
  const unique = options.has('unique')
  const stable = options.has('stable') || unique
  const byKeys = (a: string, b: string): number => {
    for (const key of keys) {
      const order = compareKeys(keyText(a, key, separator), keyText(b, key, separator), key.letters)
      if (order !== 0) return order
    }
    return 0
  }
  const compare = (a: string, b: string): number => {
    if (keys.length > 0) {
      const order = byKeys(a, b)
      if (order !== 0 || stable) return order
    }
    const order = compareText(a, b)
    return reverse ? -order : order
  }
  const end = options.has('zero') ? '\0' : '\n'
  const names = options.operands.length === 0 ? ['-'] : options.operands
  if (options.has('check') || options.has('checkQuiet')) {
    if (names.length > 1) return trouble(`extra operand ${quote(names[1]!)} not allowed with -c`)
    const lines = await linesOf(proc, names[0]!, end)
    if (typeof lines === 'string') return trouble(lines)
    for (let i = 1; i < lines.length; i++) {
      const order = compare(lines[i - 1]!, lines[i]!)
      if (order > 0 || (unique && order === 0)) {
        if (!options.has('checkQuiet') && options.value('check') !== 'quiet' && options.value('check') !== 'silent') {
          proc.stderr.write(`${proc.argv[0]}: ${names[0]}:${i + 1}: disorder: `)
          proc.stderr.write(toBytes(`${lines[i]}\n`))
        }
        return 1
      }
    }
    return 0
  }
  const all: string[] = []
  for (const name of names) {
    const lines = await linesOf(proc, name, end)
    if (typeof lines === 'string') return trouble(lines)
    for (const line of lines) all.push(line)
  }
  await proc.yield()
  all.sort(compare)
  const sorted = unique ? all.filter((line, i) => i === 0 || compare(all[i - 1]!, line) !== 0) : all
  const output = options.value('output')
  if (output !== undefined && output !== '-') {
    try {
      const fd = proc.open(output, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
      await proc.write(fd, toBytes(sorted.map(line => line + end).join('')))
      proc.close(fd)
    } catch (error) {
      return trouble(`open failed: ${output}: ${reason(error)}`)
    }
    return 0
  }
  const writer = new Writer(proc)
  for (const [i, line] of sorted.entries()) {
    writer.write(line + end)
    if (i % 64 === 0) await writer.relax()
  }
  return 0
}

/** @returns the lines of a file, or a message */
async function linesOf(proc: Process, name: string, end: string): Promise<string[] | string> {
  try {
    const text = await readInput(proc, name)
    if (text === '') return []
    const lines = text.split(end)
    if (lines[lines.length - 1] === '') lines.pop()
    return lines
  } catch (error) {
    const why = reason(error)
    return why === 'Is a directory' ? `read failed: ${name}: ${why}` : `cannot read: ${name}: ${why}`
  }
}
