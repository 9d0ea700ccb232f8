/** paste(1) */
import type { Program } from '../../src/uapi/process.ts'
import { closeInput, complain, LineReader, openInput, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'delimiters', short: 'd', long: 'delimiters', arg: 'required' },
  { key: 'serial', short: 's', long: 'serial' },
  { key: 'zero', short: 'z', long: 'zero-terminated' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Write lines consisting of the sequentially corresponding lines from each FILE, separated by TABs.',
  authors: 'David M. Ihnat and David MacKenzie',
}

/** The list of -d, with its escapes. */
function delimiterList(text: string): string[] {
  const list: string[] = []
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '\\' || i + 1 >= text.length) list.push(text[i]!)
    else {
      const c = text[++i]!
      list.push(
        c === 'n'
          ? '\n'
          : c === 't'
            ? '\t'
            : c === '0'
              ? ''
              : c === 'b'
                ? '\b'
                : c === 'f'
                  ? '\f'
                  : c === 'r'
                    ? '\r'
                    : c === 'v'
                      ? '\v'
                      : c,
      )
    }
  }
  return list.length === 0 ? [''] : list
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const delimiters = delimiterList(options.value('delimiters') ?? '\t')
  const end = options.has('zero') ? '\0' : '\n'
  const names = options.operands.length === 0 ? ['-'] : options.operands
  const writer = new Writer(proc)
  let status = 0
  const stdin = new LineReader(proc, 0, end)
  const open = (name: string): LineReader | undefined => {
    if (name === '-') return stdin
    try {
      return new LineReader(proc, openInput(proc, name), end)
    } catch (error) {
      status = complain(proc, `${name}: ${reason(error)}`)
      return undefined
    }
  }
  if (options.has('serial')) {
    for (const name of names) {
      const reader = open(name)
      if (reader === undefined) continue
      let n = 0
      for (let line = await reader.next(); line !== undefined; line = await reader.next()) {
        writer.write((n === 0 ? '' : delimiters[(n - 1) % delimiters.length]!) + line)
        n++
        await writer.relax()
      }
      writer.write(end)
    }
    return status
  }
  const readers: LineReader[] = []
  for (const name of names) {
    const reader = open(name)
    if (reader === undefined) return 1
    readers.push(reader)
  }
  const ended = readers.map(() => false)
  for (;;) {
    const lines: string[] = []
    for (const [i, reader] of readers.entries()) {
      const line = ended[i] ? undefined : await reader.next()
      if (line === undefined) ended[i] = true
      lines.push(line ?? '')
    }
    if (ended.every(done => done)) break
    writer.write(
      lines.map((line, i) => (i === 0 ? line : delimiters[(i - 1) % delimiters.length]! + line)).join('') + end,
    )
    await writer.relax()
  }
  closeInput(proc, 0)
  return status
}
