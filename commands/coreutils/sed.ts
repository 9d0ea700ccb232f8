/** sed(1), GNU's */
import type { Program } from '../../src/uapi/process.ts'
import { encode, fromBytes } from './lib/bytes.ts'
import { reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'
import { RegexError } from './lib/regex.ts'
import { SedError, SedParser } from './sed/parse.ts'
import { NoPreviousRegex, Sed } from './sed/run.ts'

const OPTIONS = [
  { key: 'quiet', short: 'n', long: 'quiet' },
  { key: 'quiet', long: 'silent' },
  { key: 'expression', short: 'e', long: 'expression', arg: 'required' },
  { key: 'file', short: 'f', long: 'file', arg: 'required' },
  { key: 'extended', short: 'E', long: 'regexp-extended' },
  { key: 'extended', short: 'r' },
  { key: 'inPlace', short: 'i', long: 'in-place', arg: 'optional' },
  { key: 'lineLength', short: 'l', long: 'line-length', arg: 'required' },
  { key: 'posix', long: 'posix' },
  { key: 'separate', short: 's', long: 'separate' },
  { key: 'sandbox', long: 'sandbox' },
  { key: 'unbuffered', short: 'u', long: 'unbuffered' },
  { key: 'null', short: 'z', long: 'null-data' },
  { key: 'follow', long: 'follow-symlinks' },
  { key: 'binary', short: 'b', long: 'binary' },
  { key: 'debug', long: 'debug' },
] as const

const ABOUT = {
  usage: '[OPTION]... {script-only-if-no-other-script} [input-file]...',
  does: 'Edit the input line by line as the script says.',
  authors: 'Jay Fenlason, Tom Lord, Ken Pizzini, Paolo Bonzini, Jim Meyering, and Assaf Gordon',
}

/** Exit status of a wrong script. */
const EXIT_BAD_USAGE = 1

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const program = proc.argv[0] ?? 'sed'
  const operands = [...options.operands]
  const parser = new SedParser({ extended: options.has('extended'), posix: options.has('posix') })
  let given = false
  try {
    for (const { key, value } of options.list) {
      if (key === 'expression') {
        given = true
        parser.add(encode(value!))
      } else if (key === 'file') {
        given = true
        try {
          const text = value === '-' ? fromBytes(await proc.stdin.readAll()) : fromBytes(proc.readFile(value!))
          parser.add(text.replace(/\n$/, '').replace(/^#![^\n]*/, line => (line.startsWith('#!') ? '' : line)))
        } catch (error) {
          if (error instanceof SedError) throw error
          proc.stderr.write(`${program}: couldn't open file ${value}: ${reason(error)}\n`)
          return EXIT_BAD_USAGE
        }
      }
    }
    if (!given) {
      const script = operands.shift()
      if (script === undefined) {
        proc.stderr.write(`Usage: ${program} ${ABOUT.usage}\n\n`)
        return EXIT_BAD_USAGE
      }
      parser.add(encode(script))
    }
    const commands = parser.finish()
    const inPlace = options.has('inPlace') ? (options.value('inPlace') ?? '') : undefined
    const sed = new Sed(proc, commands, operands.length === 0 ? ['-'] : operands, {
      quiet: options.has('quiet') || commands[0]?.name === '#n',
      separate: options.has('separate') || inPlace !== undefined,
      inPlace,
      end: options.has('null') ? '\0' : '\n',
      unbuffered: options.has('unbuffered'),
      lineLength: Number(options.value('lineLength') ?? '70'),
      program,
    })
    return await sed.run()
  } catch (error) {
    if (error instanceof SedError) {
      const where = error.expression === 0 ? '-e expression #1' : `-e expression #${error.expression}`
      if (error.expression === 0) proc.stderr.write(`${program}: ${error.message}\n`)
      else proc.stderr.write(`${program}: ${where}, char ${error.char}: ${error.message}\n`)
      return EXIT_BAD_USAGE
    }
    if (error instanceof NoPreviousRegex || error instanceof RegexError) {
      proc.stderr.write(`${program}: ${error.message}\n`)
      return EXIT_BAD_USAGE
    }
    throw error
  }
}
