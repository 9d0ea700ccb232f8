/** dirname(1) */
import type { Program } from '../../src/uapi/process.ts'
import { usageError } from '../lib/coreutils.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [{ key: 'zero', short: 'z', long: 'zero' }] as const

const ABOUT = {
  usage: '[OPTION] NAME...',
  does: 'Output each NAME with its last non-slash component and trailing slashes removed.',
  authors: 'David MacKenzie and Jim Meyering',
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  if (options.operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  for (const name of options.operands) {
    const trimmed = name.replace(/\/+$/, '')
    const at = trimmed.lastIndexOf('/')
    const dir =
      trimmed === '' ? (name === '' ? '.' : '/') : at < 0 ? '.' : trimmed.slice(0, at).replace(/\/+$/, '') || '/'
    proc.stdout.write(dir + (options.has('zero') ? '\0' : '\n'))
  }
  return 0
}
