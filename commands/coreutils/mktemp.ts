/** mktemp(1) */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import { O_CREAT, O_EXCL, O_RDWR } from '../../src/uapi/fs.ts'
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { complain, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'directory', short: 'd', long: 'directory' },
  { key: 'dryRun', short: 'u', long: 'dry-run' },
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'suffix', long: 'suffix', arg: 'required' },
  { key: 'tmpdir', short: 'p', arg: 'required' },
  { key: 'tmpdir', long: 'tmpdir', arg: 'optional' },
  { key: 't', short: 't' },
] as const

const ABOUT = {
  usage: '[OPTION]... [TEMPLATE]',
  does: 'Create a temporary file or directory, safely, and print its name.',
  authors: 'Jim Meyering and Eric Blake',
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
const TRIES = 100

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  if (options.operands.length > 1) return usageError(proc, `${proc.argv[0]}: too many templates`, 1)
  const given = options.operands[0]
  const template = given ?? 'tmp.XXXXXXXXXX'
  const fail = (message: string): number => (options.has('quiet') ? 1 : complain(proc, message))
  const suffix = options.value('suffix') ?? ''
  const match = suffix === '' ? /^(.*?)(X+)([^X/]*)$/s.exec(template) : /^(.*?)(X+)()$/s.exec(template)
  const tail = suffix === '' ? (match?.[3] ?? '') : suffix
  if (match === null || match[2]!.length < 3) return fail(`too few X's in template ${quote(template)}`)
  const base = options.value('tmpdir') ?? (proc.env.get('TMPDIR') || '/tmp')
  const inTmp = given === undefined || options.has('tmpdir') || options.has('t')
  if (inTmp && template.startsWith('/'))
    return fail(`invalid template, ${quote(template)}; with --tmpdir, it may not be absolute`)
  for (let n = 0; n < TRIES; n++) {
    const fd = proc.open('/dev/urandom', 0)
    const random = await proc.read(fd, match[2]!.length)
    proc.close(fd)
    const letters = [...random].map(byte => LETTERS[byte % LETTERS.length]).join('')
    const name = match[1] + letters + tail
    const path = inTmp ? `${base.replace(/\/$/, '')}/${name}` : name
    try {
      if (options.has('dryRun')) {
        try {
          proc.lstat(path)
          continue
        } catch (error) {
          reason(error)
        }
      } else if (options.has('directory')) proc.mkdir(path, 0o700)
      else proc.close(proc.open(path, O_RDWR | O_CREAT | O_EXCL, 0o600))
      proc.stdout.write(`${path}\n`)
      return 0
    } catch (error) {
      if (isSysError(error, Errno.EEXIST)) continue
      return fail(
        `failed to create ${options.has('directory') ? 'directory' : 'file'} via template ${quote(inTmp ? `${base.replace(/\/$/, '')}/${template}` : template)}: ${reason(error)}`,
      )
    }
  }
  return fail(`failed to create file via template ${quote(template)}: File exists`)
}
