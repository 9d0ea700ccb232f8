/** rm(1) */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { baseName, confirm, isDirectory, statOf, within } from './lib/files.ts'
import { complain, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'force', short: 'f', long: 'force' },
  { key: 'interactive', short: 'i' },
  { key: 'once', short: 'I' },
  { key: 'interactiveWhen', long: 'interactive', arg: 'optional' },
  { key: 'oneFs', long: 'one-file-system' },
  { key: 'noPreserve', long: 'no-preserve-root' },
  { key: 'preserve', long: 'preserve-root', arg: 'optional' },
  { key: 'recursive', short: 'r', long: 'recursive' },
  { key: 'recursive', short: 'R' },
  { key: 'dir', short: 'd', long: 'dir' },
  { key: 'verbose', short: 'v', long: 'verbose' },
] as const

const ABOUT = {
  usage: '[OPTION]... [FILE]...',
  does: 'Remove (unlink) the FILE(s).',
  authors: 'Paul Rubin, David MacKenzie, Richard M. Stallman,\nand Jim Meyering',
}

interface Plan {
  readonly recursive: boolean
  readonly dir: boolean
  readonly ask: boolean
  readonly verbose: boolean
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const last = options.list.findLast(option => ['force', 'interactive', 'once', 'interactiveWhen'].includes(option.key))
  const force = options.has('force') && last?.key === 'force'
  if (options.operands.length === 0) return force ? 0 : usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  const plan: Plan = {
    recursive: options.has('recursive'),
    dir: options.has('dir'),
    ask:
      last?.key === 'interactive' ||
      (last?.key === 'interactiveWhen' && (last.value === undefined || last.value === 'always')),
    verbose: options.has('verbose'),
  }
  let status = 0
  for (const name of options.operands) {
    const base = baseName(name)
    if (plan.recursive && (base === '.' || base === '..')) {
      status = complain(proc, `refusing to remove '.' or '..' directory: skipping ${quote(name)}`)
      continue
    }
    if (plan.recursive && /^\/+$/.test(name) && !options.has('noPreserve')) {
      proc.stderr.write(
        `${proc.argv[0]}: it is dangerous to operate recursively on ${quote(name)}\n${proc.argv[0]}: use --no-preserve-root to override this failsafe\n`,
      )
      status = 1
      continue
    }
    if (statOf(proc, name, false) === undefined) {
      try {
        proc.lstat(name)
      } catch (error) {
        if (force && isSysError(error, Errno.ENOENT, Errno.ENOTDIR)) continue
        status = complain(proc, `cannot remove ${quote(name)}: ${reason(error)}`)
      }
      continue
    }
    if (!(await remove(proc, name, plan))) status = 1
  }
  return status
}

async function remove(proc: Process, path: string, plan: Plan): Promise<boolean> {
  const directory = isDirectory(statOf(proc, path, false))
  try {
    if (!directory) {
      if (
        plan.ask &&
        !(await confirm(
          proc,
          `remove regular ${statOf(proc, path, false)?.size === 0 ? 'empty ' : ''}file ${quote(path)}?`,
        ))
      )
        return true
      proc.unlink(path)
      if (plan.verbose) proc.stdout.write(`removed ${quote(path)}\n`)
      return true
    }
    if (!plan.recursive && !plan.dir) {
      complain(proc, `cannot remove ${quote(path)}: Is a directory`)
      return false
    }
    let clean = true
    if (plan.recursive) {
      const entries = proc.readdir(path)
      if (entries.length > 0 && plan.ask && !(await confirm(proc, `descend into directory ${quote(path)}?`)))
        return true
      for (const entry of entries) if (!(await remove(proc, within(path, entry.name), plan))) clean = false
    }
    if (!clean) return false
    if (plan.ask && !(await confirm(proc, `remove directory ${quote(path)}?`))) return true
    proc.rmdir(path)
    if (plan.verbose) proc.stdout.write(`removed directory ${quote(path)}\n`)
    return true
  } catch (error) {
    complain(proc, `cannot remove ${quote(path)}: ${reason(error)}`)
    return false
  }
}
