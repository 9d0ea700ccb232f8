/** basename(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'multiple', short: 'a', long: 'multiple' },
  { key: 'suffix', short: 's', long: 'suffix', arg: 'required' },
  { key: 'zero', short: 'z', long: 'zero' },
] as const

const ABOUT = {
  usage: 'NAME [SUFFIX]\n  or:  basename OPTION... NAME...',
  does: 'Print NAME with any leading directory components removed.',
  authors: 'David MacKenzie',
  stopEarly: true,
}

function base(name: string): string {
  const trimmed = name.replace(/\/+$/, '')
  if (trimmed === '') return name === '' ? '' : '/'
  return trimmed.slice(trimmed.lastIndexOf('/') + 1)
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const { operands } = options
  if (operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  const multiple = options.has('multiple') || options.has('suffix')
  if (!multiple && operands.length > 2)
    return usageError(proc, `${proc.argv[0]}: extra operand ${quote(operands[2]!)}`, 1)
  const suffix = options.value('suffix') ?? (multiple ? '' : (operands[1] ?? ''))
  const end = options.has('zero') ? '\0' : '\n'
  for (const name of multiple ? operands : operands.slice(0, 1)) {
    const text = base(name)
    proc.stdout.write(
      (suffix !== '' && text.endsWith(suffix) && text !== suffix ? text.slice(0, -suffix.length) : text) + end,
    )
  }
  return 0
}
