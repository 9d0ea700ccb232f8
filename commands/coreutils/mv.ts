/** mv(1) */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { copy } from './lib/copy.ts'
import { baseName, confirm, isDirectory, statOf, within } from './lib/files.ts'
import { complain, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'backup', short: 'b' },
  { key: 'force', short: 'f', long: 'force' },
  { key: 'interactive', short: 'i', long: 'interactive' },
  { key: 'noClobber', short: 'n', long: 'no-clobber' },
  { key: 'strip', long: 'strip-trailing-slashes' },
  { key: 'target', short: 't', long: 'target-directory', arg: 'required' },
  { key: 'noTarget', short: 'T', long: 'no-target-directory' },
  { key: 'update', short: 'u', long: 'update' },
  { key: 'verbose', short: 'v', long: 'verbose' },
] as const

const ABOUT = {
  usage:
    '[OPTION]... [-T] SOURCE DEST\n  or:  mv [OPTION]... SOURCE... DIRECTORY\n  or:  mv [OPTION]... -t DIRECTORY SOURCE...',
  does: 'Rename SOURCE to DEST, or move SOURCE(s) to DIRECTORY.',
  authors: 'Mike Parker, David MacKenzie, and Jim Meyering',
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const sources = [...options.operands]
  let target = options.value('target')
  if (sources.length === 0) return usageError(proc, `${proc.argv[0]}: missing file operand`, 1)
  if (target === undefined) {
    if (sources.length === 1)
      return usageError(proc, `${proc.argv[0]}: missing destination file operand after ${quote(sources[0]!)}`, 1)
    target = sources.pop()!
  }
  const directory = isDirectory(statOf(proc, target)) && !options.has('noTarget')
  if (!directory && (sources.length > 1 || options.value('target') !== undefined)) {
    return complain(
      proc,
      `target ${quote(target)}: ${statOf(proc, target) === undefined ? 'No such file or directory' : 'Not a directory'}`,
    )
  }
  const decision = options.list.findLast(option => ['force', 'interactive', 'noClobber'].includes(option.key))?.key
  let status = 0
  for (const source of sources) {
    const to = directory ? within(target, baseName(source)) : target
    const from = statOf(proc, source, false)
    if (from === undefined) {
      try {
        proc.lstat(source)
      } catch (error) {
        status = complain(proc, `cannot stat ${quote(source)}: ${reason(error)}`)
      }
      continue
    }
    const there = statOf(proc, to, false)
    if (there !== undefined) {
      if (there.ino === from.ino && there.dev === from.dev) {
        status = complain(proc, `${quote(source)} and ${quote(to)} are the same file`)
        continue
      }
      if (isDirectory(there) && !isDirectory(from)) {
        status = complain(proc, `cannot overwrite directory ${quote(to)} with non-directory`)
        continue
      }
      if (!isDirectory(there) && isDirectory(from)) {
        status = complain(proc, `cannot overwrite non-directory ${quote(to)} with directory ${quote(source)}`)
        continue
      }
      if (decision === 'noClobber' || (options.has('update') && there.mtime >= from.mtime)) continue
      if (decision === 'interactive' && !(await confirm(proc, `overwrite ${quote(to)}?`))) continue
    }
    if (!(await move(proc, source, to))) status = 1
    else if (options.has('verbose')) proc.stdout.write(`renamed ${quote(source)} -> ${quote(to)}\n`)
  }
  return status
}

async function move(proc: Process, from: string, to: string): Promise<boolean> {
  try {
    proc.rename(from, to)
    return true
  } catch (error) {
    if (!isSysError(error, Errno.EXDEV)) {
      const why = reason(error)
      complain(
        proc,
        isSysError(error, Errno.EINVAL)
          ? `cannot move ${quote(from)} to a subdirectory of itself, ${quote(to)}`
          : `cannot move ${quote(from)} to ${quote(to)}: ${why}`,
      )
      return false
    }
  }
  // to another file system: a copy, and away with the original
  const how = {
    recursive: true,
    follow: 'none',
    preserve: true,
    force: true,
    interactive: false,
    noClobber: false,
    update: false,
    verbose: false,
    symbolic: false,
    hard: false,
  } as const
  if (!(await copy(proc, from, to, how))) return false
  remove(proc, from)
  return true
}

function remove(proc: Process, path: string): void {
  if (!isDirectory(statOf(proc, path, false))) {
    proc.unlink(path)
    return
  }
  for (const entry of proc.readdir(path)) remove(proc, within(path, entry.name))
  proc.rmdir(path)
}
