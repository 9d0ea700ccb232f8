/** tac(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { complain, readInput, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'before', short: 'b', long: 'before' },
  { key: 'regex', short: 'r', long: 'regex' },
  { key: 'separator', short: 's', long: 'separator', arg: 'required' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Write each FILE to standard output, last line first.',
  authors: 'Jay Lepreau and David MacKenzie',
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const separator = options.value('separator') ?? '\n'
  const writer = new Writer(proc)
  let status = 0
  for (const name of options.operands.length === 0 ? ['-'] : options.operands) {
    try {
      const text = await readInput(proc, name)
      const records: string[] = []
      let start = 0
      for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, start)) {
        records.push(text.slice(start, at + separator.length))
        start = at + separator.length
      }
      if (start < text.length) records.push(text.slice(start))
      if (options.has('before'))
        writer.write(
          text
            .split(separator)
            .map((part, i) => (i === 0 ? part : separator + part))
            .reverse()
            .join(''),
        )
      else writer.write(records.reverse().join(''))
      await writer.relax()
    } catch (error) {
      status = complain(proc, `failed to open ${quote(name)} for reading: ${reason(error)}`)
    }
  }
  return status
}
