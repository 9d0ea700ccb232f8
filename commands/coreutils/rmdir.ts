/** rmdir(1) */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { complain, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'ignore', long: 'ignore-fail-on-non-empty' },
  { key: 'parents', short: 'p', long: 'parents' },
  { key: 'verbose', short: 'v', long: 'verbose' },
] as const

const ABOUT = {
  usage: '[OPTION]... DIRECTORY...',
  does: 'Remove the DIRECTORY(ies), if they are empty.',
  authors: 'David MacKenzie',
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  if (options.operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  let status = 0
  for (const name of options.operands) {
    let path = name
    for (;;) {
      if (options.has('verbose')) proc.stdout.write(`${proc.argv[0]}: removing directory, ${quote(path)}\n`)
      try {
        proc.rmdir(path)
      } catch (error) {
        if (!(options.has('ignore') && isSysError(error, Errno.ENOTEMPTY, Errno.EEXIST)))
          status = complain(
            proc,
            `failed to remove ${path === name ? '' : 'directory '}${quote(path)}: ${reason(error)}`,
          )
        break
      }
      const up = path.replace(/\/+$/, '')
      const slash = up.lastIndexOf('/')
      if (!options.has('parents') || slash <= 0) break
      path = up.slice(0, slash)
    }
  }
  return status
}
