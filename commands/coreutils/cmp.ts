/** cmp(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote } from '../lib/coreutils.ts'
import { readInput, reason } from './lib/io.ts'
import { parseSize } from './lib/number.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'printBytes', short: 'b', long: 'print-bytes' },
  { key: 'skip', short: 'i', long: 'ignore-initial', arg: 'required' },
  { key: 'verbose', short: 'l', long: 'verbose' },
  { key: 'bytes', short: 'n', long: 'bytes', arg: 'required' },
  { key: 'silent', short: 's', long: 'quiet' },
  { key: 'silent', long: 'silent' },
] as const

const ABOUT = {
  usage: '[OPTION]... FILE1 [FILE2 [SKIP1 [SKIP2]]]',
  does: 'Compare two files byte by byte.',
  authors: 'Torbjorn Granlund and David MacKenzie',
  status: 2,
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const name = proc.argv[0]!
  const [first, second = '-', skipText1, skipText2] = options.operands
  if (first === undefined) {
    proc.stderr.write(
      `${name}: missing operand after ${quote(name)}\n${name}: Try '${name} --help' for more information.\n`,
    )
    return 2
  }
  const [initial1, initial2] = (options.value('skip') ?? '0').split(':')
  const skips = [parseSize(skipText1 ?? initial1!) ?? 0, parseSize(skipText2 ?? initial2 ?? initial1!) ?? 0]
  const texts: string[] = []
  for (const [i, file] of [first, second].entries()) {
    try {
      texts.push((await readInput(proc, file)).slice(skips[i]))
    } catch (error) {
      if (!options.has('silent')) proc.stderr.write(`${name}: ${file}: ${reason(error)}\n`)
      return 2
    }
  }
  const limit = parseSize(options.value('bytes') ?? '') ?? Number.POSITIVE_INFINITY
  const [a, b] = texts as [string, string]
  const length = Math.min(a.length, b.length, limit)
  let line = 1
  let status = 0
  const octal = (c: string): string => c.charCodeAt(0).toString(8).padStart(3)
  const width = String(Math.max(a.length, b.length)).length
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) {
      status = 1
      if (options.has('silent')) return 1
      if (!options.has('verbose')) {
        const bytes = options.has('printBytes') ? ` is ${octal(a[i]!)} ${a[i]} ${octal(b[i]!)} ${b[i]}` : ''
        proc.stdout.write(
          `${first} ${second} differ: ${options.has('printBytes') ? 'byte' : 'byte'} ${i + 1}, line ${line}${bytes}\n`,
        )
        return 1
      }
      proc.stdout.write(`${String(i + 1).padStart(width)} ${octal(a[i]!)} ${octal(b[i]!)}\n`)
    }
    if (a[i] === '\n') line++
  }
  if (a.length !== b.length && length < limit) {
    const [short, text] = a.length < b.length ? [first, a] : [second, b]
    if (!options.has('silent')) {
      const where =
        text.length === 0
          ? 'which is empty'
          : options.has('verbose')
            ? `after byte ${text.length}`
            : text.endsWith('\n')
              ? `after byte ${text.length}, line ${line - 1}`
              : `after byte ${text.length}, in line ${line}`
      proc.stderr.write(`${name}: EOF on ${short} ${where}\n`)
    }
    return 1
  }
  return status
}
