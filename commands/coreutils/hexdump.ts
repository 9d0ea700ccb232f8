/** hexdump(1) and hd: -C, -b, -c, -d, -o, -x. Free formats of -e are not interpreted. */
import type { Program } from '../../src/uapi/process.ts'
import { complain, readInput, reason, Writer } from './lib/io.ts'
import { parseSize } from './lib/number.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'canonical', short: 'C', long: 'canonical' },
  { key: 'octalBytes', short: 'b', long: 'one-byte-octal' },
  { key: 'characters', short: 'c', long: 'one-byte-char' },
  { key: 'decimal', short: 'd', long: 'two-bytes-decimal' },
  { key: 'octal', short: 'o', long: 'two-bytes-octal' },
  { key: 'hex', short: 'x', long: 'two-bytes-hex' },
  { key: 'length', short: 'n', long: 'length', arg: 'required' },
  { key: 'skip', short: 's', long: 'skip', arg: 'required' },
  { key: 'all', short: 'v', long: 'no-squeezing' },
] as const

const ABOUT = {
  usage: '[options] <file>...',
  does: 'Display file contents in hexadecimal, decimal, octal, or ascii.',
  authors: 'the util-linux authors',
}

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
  const size = (value: string | undefined): number | undefined =>
    value === undefined ? undefined : /^0x/i.test(value) ? Number(value) : parseSize(value)
  const skip = size(options.value('skip')) ?? 0
  const length = size(options.value('length'))
  const bytes = Uint8Array.from(text.slice(skip, length === undefined ? undefined : skip + length), c =>
    c.charCodeAt(0),
  )
  const canonical = options.has('canonical') || /(?:^|\/)hd$/.test(proc.argv[0] ?? '')
  const digits = canonical ? 8 : 7
  const address = (n: number): string => n.toString(16).padStart(digits, '0')
  const words = (block: Uint8Array, width: number, show: (word: number) => string): string => {
    let line = ''
    for (let i = 0; i < block.length; i += 2) line += show(block[i]! | ((block[i + 1] ?? 0) << 8)).padStart(width)
    return line.padEnd(width * 8)
  }
  const show = (block: Uint8Array): string => {
    if (canonical) {
      let hex = ''
      for (let i = 0; i < 16; i++)
        hex += `${i % 8 === 0 ? '  ' : ' '}${i < block.length ? block[i]!.toString(16).padStart(2, '0') : '  '}`
      return `${hex}  |${[...block].map(byte => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')}|`
    }
    if (options.has('octalBytes'))
      return [...block]
        .map(byte => ` ${byte.toString(8).padStart(3, '0')}`)
        .join('')
        .padEnd(64)
    if (options.has('characters')) {
      return [...block]
        .map(byte =>
          (
            ESCAPES[byte] ?? (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : byte.toString(8).padStart(3, '0'))
          ).padStart(4),
        )
        .join('')
        .padEnd(64)
    }
    if (options.has('decimal')) return words(block, 8, word => String(word).padStart(5, '0'))
    if (options.has('octal')) return words(block, 8, word => word.toString(8).padStart(6, '0'))
    if (options.has('hex')) return words(block, 8, word => word.toString(16).padStart(4, '0'))
    return words(block, 5, word => word.toString(16).padStart(4, '0'))
  }
  const writer = new Writer(proc)
  let previous: string | undefined
  let starred = false
  for (let at = 0; at < bytes.length; at += 16) {
    const block = bytes.subarray(at, at + 16)
    const line = show(block)
    if (!options.has('all') && line === previous && block.length === 16) {
      if (!starred) writer.write('*\n')
      starred = true
      continue
    }
    starred = false
    previous = line
    writer.write(`${address(skip + at)}${line}\n`)
    await writer.relax()
  }
  if (bytes.length > 0) writer.write(`${address(skip + bytes.length)}\n`)
  return status
}
