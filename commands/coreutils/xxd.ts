/** xxd(1) */
import type { Program } from '../../src/uapi/process.ts'
import { complain, readInput, reason, Writer } from './lib/io.ts'

/** What the command line asks for. */
interface Plan {
  columns: number | undefined
  group: number | undefined
  plain: boolean
  revert: boolean
  upper: boolean
  bits: boolean
  include: boolean
  little: boolean
  length: number | undefined
  seek: number
}

export const main: Program = async proc => {
  const plan: Plan = {
    columns: undefined,
    group: undefined,
    plain: false,
    revert: false,
    upper: false,
    bits: false,
    include: false,
    little: false,
    length: undefined,
    seek: 0,
  }
  const files: string[] = []
  const words = proc.argv.slice(1)
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const value = (letter: string): number =>
      Number(word.length > letter.length + 1 ? word.slice(letter.length + 1) : (words[++i] ?? '0'))
    if (word === '-' || !word.startsWith('-')) files.push(word)
    else if (/^-(?:p|ps|postscript|plain)$/.test(word)) plan.plain = true
    else if (word === '-r' || word === '-revert') plan.revert = true
    else if (word === '-u') plan.upper = true
    else if (word === '-b') plan.bits = true
    else if (word === '-i') plan.include = true
    else if (word === '-e') plan.little = true
    else if (/^-c/.test(word)) plan.columns = value('c')
    else if (/^-g/.test(word)) plan.group = value('g')
    else if (/^-l/.test(word)) plan.length = value('l')
    else if (/^-s/.test(word)) plan.seek = value('s')
    else if (word === '-a') continue
    else {
      proc.stderr.write('Usage:\n       xxd [options] [infile [outfile]]\n')
      return 1
    }
  }
  let text: string
  try {
    text = await readInput(proc, files[0] ?? '-')
  } catch (error) {
    complain(proc, `${files[0]}: ${reason(error)}`)
    return 2
  }
  const writer = new Writer(proc)
  if (plan.revert) {
    writer.write(revert(text, plan.plain))
    return 0
  }
  const from = plan.seek < 0 ? Math.max(0, text.length + plan.seek) : plan.seek
  const data = text.slice(from, plan.length === undefined ? undefined : from + plan.length)
  const hex = (c: string): string => {
    const digits = plan.bits
      ? c.charCodeAt(0).toString(2).padStart(8, '0')
      : c.charCodeAt(0).toString(16).padStart(2, '0')
    return plan.upper ? digits.toUpperCase() : digits
  }
  if (plan.plain) {
    const columns = plan.columns ?? 30
    for (let at = 0; at < data.length; at += columns === 0 ? data.length : columns) {
      writer.write(`${[...data.slice(at, columns === 0 ? undefined : at + columns)].map(hex).join('')}\n`)
    }
    return 0
  }
  if (plan.include) {
    const columns = plan.columns ?? 12
    const name = (files[0] ?? '').replace(/[^A-Za-z0-9_]/g, '_')
    if (name !== '') writer.write(`unsigned char ${name}[] = {\n`)
    const lines: string[] = []
    for (let at = 0; at < data.length; at += columns)
      lines.push(`  ${[...data.slice(at, at + columns)].map(c => `0x${hex(c)}`).join(', ')}`)
    writer.write(`${lines.join(',\n')}\n`)
    if (name !== '') writer.write(`};\nunsigned int ${name}_len = ${data.length};\n`)
    return 0
  }
  const columns = plan.columns ?? (plan.bits ? 6 : 16)
  const group = plan.group ?? (plan.bits ? 1 : plan.little ? 4 : 2)
  const digits = plan.bits ? 8 : 2
  const size = group === 0 ? columns : group
  const width = columns * digits + Math.floor((columns - 1) / size)
  for (let at = 0; at < data.length; at += columns) {
    const block = data.slice(at, at + columns)
    const groups: string[] = []
    for (let i = 0; i < block.length; i += size) {
      const bytes = [...block.slice(i, i + size)].map(hex)
      groups.push(
        plan.little
          ? bytes
              .reverse()
              .join('')
              .padStart(size * digits)
          : bytes.join(''),
      )
    }
    const shown = [...block].map(c => (c >= ' ' && c <= '~' ? c : '.')).join('')
    writer.write(`${(from + at).toString(16).padStart(8, '0')}: ${groups.join(' ').padEnd(width)}  ${shown}\n`)
    await writer.relax()
  }
  return 0
}

/** The way back from a dump to the bytes. */
function revert(text: string, plain: boolean): string {
  let out = ''
  for (const line of text.split('\n')) {
    const digits = plain ? line : /^[0-9a-fA-F]+:\s?((?:\s?[0-9a-fA-F]{2})*)/.exec(line)?.[1]
    if (digits === undefined) continue
    for (const pair of digits.replace(/\s/g, '').match(/[0-9a-fA-F]{2}/g) ?? [])
      out += String.fromCharCode(Number.parseInt(pair, 16))
  }
  return out
}
