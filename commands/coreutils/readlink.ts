/** readlink(1) */
import type { Program } from '../../src/uapi/process.ts'
import { usageError } from '../lib/coreutils.ts'
import { resolvePath } from './lib/files.ts'
import { complain, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'canonicalize', short: 'f', long: 'canonicalize' },
  { key: 'existing', short: 'e', long: 'canonicalize-existing' },
  { key: 'missing', short: 'm', long: 'canonicalize-missing' },
  { key: 'noNewline', short: 'n', long: 'no-newline' },
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'quiet', short: 's', long: 'silent' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'zero', short: 'z', long: 'zero' },
] as const

const ABOUT = {
  usage: '[OPTION]... FILE...',
  does: 'Print value of a symbolic link or canonical file name',
  authors: 'Dmitry V. Levin',
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  if (options.operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  const mode = options.list.findLast(option => ['canonicalize', 'existing', 'missing'].includes(option.key))?.key
  let status = 0
  for (const name of options.operands) {
    let text: string | undefined
    try {
      text =
        mode === undefined
          ? proc.readlink(name)
          : resolvePath(proc, name, mode === 'existing' ? 'existing' : mode === 'missing' ? 'missing' : 'last')
    } catch (error) {
      const why = reason(error)
      if (options.has('verbose')) complain(proc, `${name}: ${why}`)
    }
    if (text === undefined) {
      status = 1
      if (options.has('verbose') && mode !== undefined) complain(proc, `${name}: No such file or directory`)
    } else
      proc.stdout.write(
        text + (options.has('zero') ? '\0' : options.has('noNewline') && options.operands.length === 1 ? '' : '\n'),
      )
  }
  return status
}
