/** head(1) */
import type { Process, Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { fromBytes } from './lib/bytes.ts'
import { closeInput, complain, LineReader, openInput, readAll, reason, Writer } from './lib/io.ts'
import { parseSize } from './lib/number.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'bytes', short: 'c', long: 'bytes', arg: 'required' },
  { key: 'lines', short: 'n', long: 'lines', arg: 'required' },
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'quiet', long: 'silent' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'zero', short: 'z', long: 'zero-terminated' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Print the first 10 lines of each FILE to standard output.',
  authors: 'David MacKenzie and Jim Meyering',
}

export const main: Program = async proc => {
  // head -5 is head -n 5
  const argv = proc.argv.map((word, i) => (i > 0 && /^-\d+$/.test(word) && i === 1 ? `-n${word.slice(1)}` : word))
  const options = readOptions(proc, OPTIONS, ABOUT, argv)
  if (typeof options === 'number') return options
  let count = 10
  let bytes = false
  let fromEnd = false
  for (const { key, value } of options.list) {
    if (key !== 'bytes' && key !== 'lines') continue
    bytes = key === 'bytes'
    fromEnd = value!.startsWith('-')
    const size = parseSize(value!.replace(/^[-+]/, ''))
    if (size === undefined)
      return complain(proc, `invalid number of ${bytes ? 'bytes' : 'lines'}: ${quote(value!.replace(/^-/, ''))}`)
    count = size
  }
  const names = options.operands.length === 0 ? ['-'] : options.operands
  const titles = options.has('verbose') || (names.length > 1 && !options.has('quiet'))
  const delimiter = options.has('zero') ? '\0' : '\n'
  const writer = new Writer(proc)
  let status = 0
  let first = true
  for (const name of names) {
    let fd: number
    try {
      fd = openInput(proc, name)
    } catch (error) {
      status = complain(proc, `cannot open ${quote(name)} for reading: ${reason(error)}`)
      continue
    }
    try {
      if (titles) writer.write(`${first ? '' : '\n'}==> ${name === '-' ? 'standard input' : name} <==\n`)
      first = false
      if (fromEnd) await allButLast(proc, fd, writer, count, bytes, delimiter)
      else if (bytes) await firstBytes(proc, fd, writer, count)
      else await firstLines(proc, fd, writer, count, delimiter)
    } catch (error) {
      status = complain(proc, `error reading ${quote(name === '-' ? 'standard input' : name)}: ${reason(error)}`)
    } finally {
      closeInput(proc, fd)
    }
  }
  return status
}

async function firstBytes(proc: Process, fd: number, writer: Writer, count: number): Promise<void> {
  let left = count
  while (left > 0) {
    const data = await proc.read(fd, Math.min(left, 65_536))
    if (data.length === 0) return
    writer.write(fromBytes(data))
    left -= data.length
    await writer.relax()
  }
}

/** Reads in blocks; what was read too much is given back where that is possible, as head does. */
async function firstLines(proc: Process, fd: number, writer: Writer, count: number, delimiter: string): Promise<void> {
  let left = count
  while (left > 0) {
    const data = await proc.read(fd, 8192)
    if (data.length === 0) return
    const text = fromBytes(data)
    let end = 0
    while (left > 0) {
      const at = text.indexOf(delimiter, end)
      if (at < 0) {
        end = text.length
        break
      }
      end = at + 1
      left--
    }
    writer.write(text.slice(0, end))
    await writer.relax()
    if (left === 0 && end < text.length) {
      try {
        proc.lseek(fd, end - text.length, 'cur')
      } catch (error) {
        // a pipe keeps nothing
        reason(error)
      }
    }
  }
}

async function allButLast(
  proc: Process,
  fd: number,
  writer: Writer,
  count: number,
  bytes: boolean,
  delimiter: string,
): Promise<void> {
  if (bytes) {
    const text = await readAll(proc, fd)
    writer.write(text.slice(0, Math.max(0, text.length - count)))
    return
  }
  const reader = new LineReader(proc, fd, delimiter)
  const held: string[] = []
  for (let line = await reader.next(); line !== undefined; line = await reader.next()) {
    held.push(reader.terminated ? line + delimiter : line)
    if (held.length > count) writer.write(held.shift()!)
    await writer.relax()
  }
}
