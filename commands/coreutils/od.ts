/** od(1) */
import type { Process, Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { complain, readInput, reason, Writer } from './lib/io.ts'
import { parseSize } from './lib/number.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'address', short: 'A', long: 'address-radix', arg: 'required' },
  { key: 'skip', short: 'j', long: 'skip-bytes', arg: 'required' },
  { key: 'count', short: 'N', long: 'read-bytes', arg: 'required' },
  { key: 'strings', short: 'S', long: 'strings', arg: 'optional' },
  { key: 'type', short: 't', long: 'format', arg: 'required' },
  { key: 'duplicates', short: 'v', long: 'output-duplicates' },
  { key: 'width', short: 'w', long: 'width', arg: 'optional' },
  { key: 'endian', long: 'endian', arg: 'required' },
  ...(['a', 'b', 'c', 'd', 'f', 'i', 'l', 'o', 's', 'x'] as const).map(short => ({ key: short, short })),
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Write an unambiguous representation, octal bytes by default, of FILE to standard output.',
  authors: 'Jim Meyering',
}

/** One way to show a block. */
interface Format {
  /** bytes of a unit */
  readonly size: number
  /** characters of a unit, its leading blank included */
  readonly width: number
  readonly show: (bytes: Uint8Array) => string
  /** characters are shown at the end of the line too: the z of -t x1z */
  readonly trailer: boolean
}

const NAMED = [
  'nul',
  'soh',
  'stx',
  'etx',
  'eot',
  'enq',
  'ack',
  'bel',
  'bs',
  'ht',
  'nl',
  'vt',
  'ff',
  'cr',
  'so',
  'si',
  'dle',
  'dc1',
  'dc2',
  'dc3',
  'dc4',
  'nak',
  'syn',
  'etb',
  'can',
  'em',
  'sub',
  'esc',
  'fs',
  'gs',
  'rs',
  'us',
  'sp',
]
const ESCAPES: Readonly<Record<number, string>> = {
  0: '\\0',
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
}

function character(bytes: Uint8Array): string {
  const byte = bytes[0]!
  return ESCAPES[byte] ?? (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : byte.toString(8).padStart(3, '0'))
}

function named(bytes: Uint8Array): string {
  const byte = bytes[0]! & 0x7f
  return byte === 127 ? 'del' : (NAMED[byte] ?? String.fromCharCode(byte))
}

/** @returns the value of a unit, little-endian unless told otherwise */
function value(bytes: Uint8Array, big: boolean): bigint {
  let n = 0n
  for (let i = 0; i < bytes.length; i++) n = (n << 8n) | BigInt(bytes[big ? i : bytes.length - 1 - i]!)
  return n
}

const SIZES: Readonly<Record<string, number>> = { C: 1, S: 2, I: 4, L: 8, F: 4, D: 8 }
const DECIMAL_WIDTH: Readonly<Record<number, readonly [number, number]>> = {
  1: [4, 3],
  2: [6, 5],
  4: [11, 10],
  8: [20, 20],
}
const OCTAL_DIGITS: Readonly<Record<number, number>> = { 1: 3, 2: 6, 4: 11, 8: 22 }

/** Reads the formats of one -t. @returns undefined where it is wrong */
function parseType(text: string, big: boolean): Format[] | undefined {
  const formats: Format[] = []
  for (let rest = text; rest !== ''; ) {
    const match = /^([acdfoux])([CSILFD]|\d+)?(z?)/.exec(rest)
    if (match === null) return undefined
    rest = rest.slice(match[0].length)
    const trailer = match[3] === 'z'
    const kind = match[1]!
    if (kind === 'a') {
      formats.push({ size: 1, width: 4, show: named, trailer })
      continue
    }
    if (kind === 'c') {
      formats.push({ size: 1, width: 4, show: character, trailer })
      continue
    }
    const size = match[2] === undefined ? (kind === 'f' ? 8 : 4) : (SIZES[match[2]] ?? Number(match[2]))
    if (![1, 2, 4, 8].includes(size)) return undefined
    switch (kind) {
      case 'o': {
        const digits = OCTAL_DIGITS[size]!
        formats.push({
          size,
          width: digits + 1,
          show: bytes => value(bytes, big).toString(8).padStart(digits, '0'),
          trailer,
        })
        break
      }
      case 'x':
        formats.push({
          size,
          width: size * 2 + 1,
          show: bytes =>
            value(bytes, big)
              .toString(16)
              .padStart(size * 2, '0'),
          trailer,
        })
        break
      case 'u':
        formats.push({ size, width: DECIMAL_WIDTH[size]![1] + 1, show: bytes => value(bytes, big).toString(), trailer })
        break
      case 'd':
        formats.push({
          size,
          width: DECIMAL_WIDTH[size]![0] + 1,
          show: bytes => BigInt.asIntN(size * 8, value(bytes, big)).toString(),
          trailer,
        })
        break
      default: {
        if (size < 4) return undefined
        const show = (bytes: Uint8Array): string => {
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
          const n = size === 4 ? view.getFloat32(0, !big) : view.getFloat64(0, !big)
          return String(Number(n.toPrecision(size === 4 ? 8 : 17)))
        }
        formats.push({ size, width: size === 4 ? 16 : 25, show, trailer })
      }
    }
  }
  return formats
}

const SHORT: Readonly<Record<string, string>> = {
  a: 'a',
  b: 'o1',
  c: 'c',
  d: 'u2',
  f: 'fF',
  i: 'dI',
  l: 'dL',
  o: 'o2',
  s: 'd2',
  x: 'x2',
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const big = options.value('endian') === 'big'
  const formats: Format[] = []
  for (const { key, value: text } of options.list) {
    const spec = key === 'type' ? text! : SHORT[key]
    if (spec === undefined) continue
    const parsed = parseType(spec, big)
    if (parsed === undefined) return complain(proc, `invalid type string ${quote(spec)}`)
    formats.push(...parsed)
  }
  if (formats.length === 0) formats.push(...parseType('o2', big)!)
  const radix = options.value('address') ?? 'o'
  if (!/^[doxn]$/.test(radix))
    return complain(proc, `invalid output address radix '${radix}'; it must be one character from [doxn]`)
  const count = (text: string | undefined, fallback: number, option: string): number | undefined => {
    if (text === undefined) return fallback
    const size = /^0x[0-9a-f]+$/i.test(text)
      ? Number(text)
      : /^0[0-7]+$/.test(text)
        ? Number.parseInt(text, 8)
        : parseSize(text)
    if (size === undefined) complain(proc, `invalid ${option} argument ${quote(text)}`)
    return size
  }
  const skip = count(options.value('skip'), 0, '-j')
  const limit = count(options.value('count'), Number.POSITIVE_INFINITY, '-N')
  if (skip === undefined || limit === undefined) return 1
  const unit = Math.max(...formats.map(format => format.size))
  let width = 16
  if (options.has('width')) width = Number(options.value('width') ?? '32')
  if (!(width > 0) || width % unit !== 0) {
    complain(proc, `warning: invalid width ${options.value('width')}; using ${unit} instead`)
    width = unit
  }
  const { data, status } = await input(proc, options.operands)
  if (skip > data.length) return complain(proc, 'cannot skip past end of combined input')
  const bytes = data.subarray(skip, Math.min(data.length, skip + limit))
  const writer = new Writer(proc)
  const address = (n: number): string =>
    radix === 'n'
      ? ''
      : radix === 'x'
        ? n.toString(16).padStart(6, '0')
        : radix === 'd'
          ? String(n).padStart(7, '0')
          : n.toString(8).padStart(7, '0')
  // columns of all formats line up: the widest for its size decides
  const perByte = Math.max(...formats.map(format => format.width / format.size))
  let previous: Uint8Array | undefined
  let starred = false
  for (let at = 0; at < bytes.length; at += width) {
    const block = bytes.subarray(at, at + width)
    if (
      !options.has('duplicates') &&
      previous !== undefined &&
      block.length === width &&
      block.every((byte, i) => byte === previous![i])
    ) {
      if (!starred) writer.write('*\n')
      starred = true
      continue
    }
    starred = false
    previous = block
    const padded = new Uint8Array(Math.ceil(block.length / unit) * unit)
    padded.set(block)
    formats.forEach((format, i) => {
      let line = i === 0 ? address(skip + at) : ' '.repeat(radix === 'n' ? 0 : address(skip + at).length)
      const column = perByte * format.size
      for (let k = 0; k < block.length; k += format.size) {
        line += format.show(padded.subarray(k, k + format.size)).padStart(column)
      }
      if (format.trailer) {
        const missing = Math.floor((width - block.length) / format.size)
        line += ' '.repeat(missing * column)
        line += `  >${[...block].map(byte => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')}<`
      }
      writer.write(`${line}\n`)
    })
    await writer.relax()
  }
  if (radix !== 'n') writer.write(`${address(skip + bytes.length)}\n`)
  return status
}

async function input(proc: Process, names: readonly string[]): Promise<{ data: Uint8Array; status: number }> {
  let text = ''
  let status = 0
  for (const name of names.length === 0 ? ['-'] : names) {
    try {
      text += await readInput(proc, name)
    } catch (error) {
      status = complain(proc, `${name}: ${reason(error)}`)
    }
  }
  return { data: Uint8Array.from(text, c => c.charCodeAt(0)), status }
}
