/** chmod(1) */
import type { Process, Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { isDirectory, isLink, statOf, umaskOf, within } from './lib/files.ts'
import { complain, reason } from './lib/io.ts'
import { changeMode, modeText } from './lib/mode.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'changes', short: 'c', long: 'changes' },
  { key: 'quiet', short: 'f', long: 'silent' },
  { key: 'quiet', long: 'quiet' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'noPreserve', long: 'no-preserve-root' },
  { key: 'preserve', long: 'preserve-root' },
  { key: 'reference', long: 'reference', arg: 'required' },
  { key: 'recursive', short: 'R', long: 'recursive' },
] as const

const ABOUT = {
  usage:
    '[OPTION]... MODE[,MODE]... FILE...\n  or:  chmod [OPTION]... OCTAL-MODE FILE...\n  or:  chmod [OPTION]... --reference=RFILE FILE...',
  does: 'Change the mode of each FILE to MODE.',
  authors: 'David MacKenzie and Jim Meyering',
}

export const main: Program = proc => {
  // a mode such as -x is no option
  const at = proc.argv.findIndex((word, i) => i > 0 && /^-[rwxXst]+(?:,|$)/.test(word))
  const minus = at < 0 ? undefined : proc.argv[at]
  const options = readOptions(
    proc,
    OPTIONS,
    ABOUT,
    minus === undefined ? proc.argv : proc.argv.filter((_, i) => i !== at),
  )
  if (typeof options === 'number') return options
  const operands = [...options.operands]
  const reference = options.value('reference')
  let text: string | undefined
  let fixed: number | undefined
  if (reference !== undefined) {
    try {
      fixed = proc.stat(reference).mode & 0o7777
    } catch (error) {
      return complain(proc, `failed to get attributes of ${quote(reference)}: ${reason(error)}`)
    }
  } else {
    text = minus ?? operands.shift()
    if (text === undefined) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  }
  if (operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand after ${quote(text ?? '')}`, 1)
  const umask = umaskOf(proc)
  if (text !== undefined && changeMode(text, 0, false, umask) === undefined)
    return usageError(proc, `${proc.argv[0]}: invalid mode: ${quote(text)}`, 1)
  let status = 0
  const change = (proc_: Process, path: string): void => {
    try {
      const stat = proc_.stat(path)
      const old = stat.mode & 0o7777
      const mode = fixed ?? changeMode(text!, old, isDirectory(stat), umask)!
      proc_.chmod(path, mode)
      if (options.has('verbose') || (options.has('changes') && mode !== old)) {
        const shown = (bits: number): string => `${bits.toString(8).padStart(4, '0')} (${modeText(bits).slice(1)})`
        proc_.stdout.write(
          mode === old
            ? `mode of ${quote(path)} retained as ${shown(old)}\n`
            : `mode of ${quote(path)} changed from ${shown(old)} to ${shown(mode)}\n`,
        )
      }
      if (options.has('recursive') && isDirectory(stat)) {
        for (const entry of proc_.readdir(path))
          if (!isLink(statOf(proc_, within(path, entry.name), false))) change(proc_, within(path, entry.name))
      }
    } catch (error) {
      status = 1
      if (!options.has('quiet')) complain(proc_, `cannot access ${quote(path)}: ${reason(error)}`)
    }
  }
  for (const name of operands) change(proc, name)
  return status
}
