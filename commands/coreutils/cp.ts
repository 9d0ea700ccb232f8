/** cp(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { copy } from './lib/copy.ts'
import { baseName, isDirectory, statOf, within } from './lib/files.ts'
import { complain } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'archive', short: 'a', long: 'archive' },
  { key: 'attributesOnly', long: 'attributes-only' },
  { key: 'backup', short: 'b' },
  { key: 'd', short: 'd' },
  { key: 'force', short: 'f', long: 'force' },
  { key: 'interactive', short: 'i', long: 'interactive' },
  { key: 'H', short: 'H' },
  { key: 'link', short: 'l', long: 'link' },
  { key: 'dereference', short: 'L', long: 'dereference' },
  { key: 'noClobber', short: 'n', long: 'no-clobber' },
  { key: 'noDereference', short: 'P', long: 'no-dereference' },
  { key: 'p', short: 'p' },
  { key: 'preserve', long: 'preserve', arg: 'optional' },
  { key: 'noPreserve', long: 'no-preserve', arg: 'required' },
  { key: 'parents', long: 'parents' },
  { key: 'recursive', short: 'r', long: 'recursive' },
  { key: 'recursive', short: 'R' },
  { key: 'reflink', long: 'reflink', arg: 'optional' },
  { key: 'symbolic', short: 's', long: 'symbolic-link' },
  { key: 'target', short: 't', long: 'target-directory', arg: 'required' },
  { key: 'noTarget', short: 'T', long: 'no-target-directory' },
  { key: 'update', short: 'u', long: 'update' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'oneFs', short: 'x', long: 'one-file-system' },
] as const

const ABOUT = {
  usage:
    '[OPTION]... [-T] SOURCE DEST\n  or:  cp [OPTION]... SOURCE... DIRECTORY\n  or:  cp [OPTION]... -t DIRECTORY SOURCE...',
  does: 'Copy SOURCE to DEST, or multiple SOURCE(s) to DIRECTORY.',
  authors: 'Torbjorn Granlund, David MacKenzie, and Jim Meyering',
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
  const recursive = options.has('recursive') || options.has('archive')
  const last = options.list.findLast(option =>
    ['dereference', 'noDereference', 'H', 'd', 'archive'].includes(option.key),
  )?.key
  const how = {
    recursive,
    follow:
      last === 'dereference' ? 'all' : last === 'H' ? 'command' : last !== undefined || recursive ? 'none' : 'all',
    preserve: options.has('archive') || options.has('p') || options.has('preserve'),
    force: options.has('force'),
    interactive: options.has('interactive') && !options.has('noClobber'),
    noClobber: options.has('noClobber'),
    update: options.has('update'),
    verbose: options.has('verbose'),
    symbolic: options.has('symbolic'),
    hard: options.has('link'),
  } as const
  const directory = isDirectory(statOf(proc, target)) && !options.has('noTarget')
  if (!directory && (sources.length > 1 || options.value('target') !== undefined)) {
    return complain(
      proc,
      `target ${quote(target)}: ${statOf(proc, target) === undefined ? 'No such file or directory' : 'Not a directory'}`,
    )
  }
  let status = 0
  for (const source of sources) {
    const to = directory
      ? within(target, options.has('parents') ? source.replace(/^\/+/, '') : baseName(source))
      : target
    if (!directory && target.endsWith('/') && !isDirectory(statOf(proc, source))) {
      status = complain(proc, `cannot create regular file ${quote(target)}: Not a directory`)
      continue
    }
    if (options.has('parents') && directory) {
      const parts = source.replace(/^\/+/, '').split('/').slice(0, -1)
      let at = target
      for (const part of parts) {
        at = within(at, part)
        if (statOf(proc, at) === undefined) proc.mkdir(at)
      }
    }
    if (!(await copy(proc, source, to, how))) status = 1
  }
  return status
}
