/** tr(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { encode, fromBytes } from './lib/bytes.ts'
import { complain, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'complement', short: 'c', long: 'complement' },
  { key: 'complement', short: 'C' },
  { key: 'delete', short: 'd', long: 'delete' },
  { key: 'squeeze', short: 's', long: 'squeeze-repeats' },
  { key: 'truncate', short: 't', long: 'truncate-set1' },
] as const

const ABOUT = {
  usage: '[OPTION]... STRING1 [STRING2]',
  does: 'Translate, squeeze, and/or delete characters from standard input, writing to standard output.',
  authors: 'Jim Meyering',
  stopEarly: true,
}

class SetError extends Error {}

const range = (from: number, to: number): string => {
  let out = ''
  for (let c = from; c <= to; c++) out += String.fromCharCode(c)
  return out
}

const all = range(0, 255)
const having = (pattern: RegExp): string => [...all].filter(c => pattern.test(c)).join('')

const CLASSES: Readonly<Record<string, string>> = {
  alnum: having(/[0-9A-Za-z]/),
  alpha: having(/[A-Za-z]/),
  blank: '\t ',
  cntrl: range(0, 31) + '\x7f',
  digit: '0123456789',
  graph: range(33, 126),
  lower: range(97, 122),
  print: range(32, 126),
  punct: having(/[!-/:-@[-`{-~]/),
  space: '\t\n\v\f\r ',
  upper: range(65, 90),
  xdigit: having(/[0-9A-Fa-f]/),
}

/** A string of tr, read: its characters, and where [c*] fills up to the other string's length. */
interface CharacterSet {
  readonly text: string
  readonly fill: { readonly at: number; readonly c: string } | undefined
  /** positions of [:lower:] and [:upper:] */
  readonly cases: readonly { readonly at: number; readonly name: string }[]
}

function parseSet(spec: string): CharacterSet {
  const units: { c: string; quoted: boolean }[] = []
  for (let i = 0; i < spec.length; i++) {
    const c = spec[i]!
    if (c !== '\\' || i + 1 >= spec.length) {
      units.push({ c, quoted: false })
      continue
    }
    const e = spec[++i]!
    const octal = /^[0-7]{1,3}/.exec(spec.slice(i))?.[0]
    if (octal !== undefined) {
      units.push({ c: String.fromCharCode(Number.parseInt(octal, 8) & 0xff), quoted: true })
      i += octal.length - 1
      continue
    }
    const named: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }
    units.push({ c: named[e] ?? e, quoted: true })
  }
  let text = ''
  let fill: CharacterSet['fill']
  const cases: { at: number; name: string }[] = []
  const plain = (i: number, c: string): boolean => units[i]?.c === c && !units[i].quoted
  for (let i = 0; i < units.length; i++) {
    if (plain(i, '[')) {
      const mark = units[i + 1]
      if (mark !== undefined && !mark.quoted && (mark.c === ':' || mark.c === '=')) {
        let end = i + 2
        while (end < units.length && !(plain(end, mark.c) && plain(end + 1, ']'))) end++
        if (end < units.length) {
          const name = units
            .slice(i + 2, end)
            .map(unit => unit.c)
            .join('')
          if (mark.c === ':') {
            const set = CLASSES[name]
            if (set === undefined) throw new SetError(`invalid character class ${quote(name)}`)
            if (name === 'lower' || name === 'upper') cases.push({ at: text.length, name })
            text += set
          } else {
            if (name.length !== 1)
              throw new SetError(`${quote(name)}: equivalence class operand must be a single character`)
            text += name
          }
          i = end + 1
          continue
        }
      }
      if (units[i + 1] !== undefined && plain(i + 2, '*')) {
        let end = i + 3
        while (end < units.length && /\d/.test(units[end]!.c)) end++
        if (plain(end, ']')) {
          const digits = units
            .slice(i + 3, end)
            .map(unit => unit.c)
            .join('')
          const count = digits === '' ? 0 : Number.parseInt(digits, digits.startsWith('0') ? 8 : 10)
          if (count === 0) fill = { at: text.length, c: units[i + 1]!.c }
          else text += units[i + 1]!.c.repeat(count)
          i = end
          continue
        }
      }
    }
    if (plain(i + 1, '-') && i + 2 < units.length) {
      const from = units[i]!.c
      const to = units[i + 2]!.c
      if (from > to) throw new SetError(`range-endpoints of '${from}-${to}' are in reverse collating sequence order`)
      text += range(from.charCodeAt(0), to.charCodeAt(0))
      i += 2
      continue
    }
    text += units[i]!.c
  }
  return { text, fill, cases }
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const { operands } = options
  const del = options.has('delete')
  const squeeze = options.has('squeeze')
  const name = proc.argv[0]!
  if (operands.length === 0) return usageError(proc, `${name}: missing operand`, 1)
  const minimum = del === squeeze ? 2 : 1
  if (operands.length < minimum) {
    proc.stderr.write(`${name}: missing operand after ${quote(operands[0]!)}\n`)
    proc.stderr.write(
      del
        ? 'Two strings must be given when both deleting and squeezing repeats.\n'
        : 'Two strings must be given when translating.\n',
    )
    return usageError(proc, undefined, 1)
  }
  if (operands.length > (del && !squeeze ? 1 : 2)) {
    proc.stderr.write(`${name}: extra operand ${quote(operands[del && !squeeze ? 1 : 2]!)}\n`)
    if (del && !squeeze) proc.stderr.write('Only one string may be given when deleting without squeezing repeats.\n')
    return usageError(proc, undefined, 1)
  }
  let map: Map<string, string> | undefined
  let deleted: Set<string> | undefined
  let squeezed: Set<string> | undefined
  try {
    const set1 = parseSet(encode(operands[0]!))
    let first = set1.text
    if (options.has('complement')) first = [...all].filter(c => !set1.text.includes(c)).join('')
    const set2 = operands[1] === undefined ? undefined : parseSet(encode(operands[1]))
    if (del) {
      deleted = new Set(first)
      if (squeeze) squeezed = new Set(set2!.text)
    } else if (set2 === undefined) squeezed = new Set(first)
    else {
      let second = set2.text
      if (set2.fill !== undefined) {
        const fill = Math.max(0, first.length - second.length)
        second = second.slice(0, set2.fill.at) + set2.fill.c.repeat(fill) + second.slice(set2.fill.at)
      }
      if (options.has('truncate')) first = first.slice(0, second.length)
      if (second === '') throw new SetError('when not truncating set1, string2 must be non-empty')
      map = new Map()
      for (let i = 0; i < first.length; i++) map.set(first[i]!, second[Math.min(i, second.length - 1)]!)
      if (squeeze) squeezed = new Set(second)
    }
  } catch (error) {
    if (!(error instanceof SetError)) throw error
    return complain(proc, error.message)
  }
  const writer = new Writer(proc)
  let last = ''
  for (;;) {
    let data: Uint8Array
    try {
      data = await proc.read(0, 65_536)
    } catch (error) {
      return complain(proc, `read error: ${reason(error)}`)
    }
    if (data.length === 0) return 0
    const text = fromBytes(data)
    let out = ''
    for (let i = 0; i < text.length; i++) {
      let c = text[i]!
      if (deleted?.has(c) === true) continue
      c = map?.get(c) ?? c
      if (squeezed !== undefined && c === last && squeezed.has(c)) continue
      out += c
      last = c
    }
    writer.write(out)
    await writer.relax()
  }
}
