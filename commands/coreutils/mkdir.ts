/** mkdir(1) */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { isDirectory, statOf, umaskOf } from './lib/files.ts'
import { complain, reason } from './lib/io.ts'
import { changeMode } from './lib/mode.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'mode', short: 'm', long: 'mode', arg: 'required' },
  { key: 'parents', short: 'p', long: 'parents' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'context', short: 'Z' },
] as const

const ABOUT = {
  usage: '[OPTION]... DIRECTORY...',
  does: 'Create the DIRECTORY(ies), if they do not already exist.',
  authors: 'David MacKenzie',
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  if (options.operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  const text = options.value('mode')
  const mode = text === undefined ? undefined : changeMode(text, 0o777, true, umaskOf(proc))
  if (text !== undefined && mode === undefined) return complain(proc, `invalid mode ${quote(text)}`)
  let status = 0
  for (const name of options.operands) {
    try {
      make(proc, name, options.has('parents'), options.has('verbose'))
      if (mode !== undefined) proc.chmod(name, mode)
    } catch (error) {
      status = complain(proc, `cannot create directory ${quote(name)}: ${reason(error)}`)
    }
  }
  return status
}

function make(proc: Process, path: string, parents: boolean, verbose: boolean): void {
  const tell = (dir: string): void => {
    if (verbose) proc.stdout.write(`${proc.argv[0]}: created directory ${quote(dir)}\n`)
  }
  if (!parents) {
    proc.mkdir(path)
    tell(path)
    return
  }
  let at = path.startsWith('/') ? '/' : ''
  for (const part of path.split('/').filter(each => each !== '')) {
    at = at === '' || at.endsWith('/') ? at + part : `${at}/${part}`
    try {
      proc.mkdir(at)
      tell(at)
    } catch (error) {
      if (!isSysError(error, Errno.EEXIST) || !isDirectory(statOf(proc, at))) throw error
    }
  }
}
