/** ln(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { baseName, isDirectory, isLink, resolvePath, statOf, within } from './lib/files.ts'
import { complain, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'backup', short: 'b' },
  { key: 'force', short: 'f', long: 'force' },
  { key: 'interactive', short: 'i', long: 'interactive' },
  { key: 'logical', short: 'L', long: 'logical' },
  { key: 'noDereference', short: 'n', long: 'no-dereference' },
  { key: 'physical', short: 'P', long: 'physical' },
  { key: 'relative', short: 'r', long: 'relative' },
  { key: 'symbolic', short: 's', long: 'symbolic' },
  { key: 'target', short: 't', long: 'target-directory', arg: 'required' },
  { key: 'noTarget', short: 'T', long: 'no-target-directory' },
  { key: 'verbose', short: 'v', long: 'verbose' },
] as const

const ABOUT = {
  usage:
    '[OPTION]... [-T] TARGET LINK_NAME\n  or:  ln [OPTION]... TARGET\n  or:  ln [OPTION]... TARGET... DIRECTORY\n  or:  ln [OPTION]... -t DIRECTORY TARGET...',
  does: 'Create a link to TARGET with the name LINK_NAME.',
  authors: 'Mike Parker and David MacKenzie',
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const targets = [...options.operands]
  if (targets.length === 0) return usageError(proc, `${proc.argv[0]}: missing file operand`, 1)
  let place = options.value('target')
  if (place === undefined) place = targets.length === 1 ? '.' : targets.pop()!
  const stat = statOf(proc, place)
  const directory =
    isDirectory(stat) &&
    !options.has('noTarget') &&
    !(options.has('noDereference') && isLink(statOf(proc, place, false)))
  if (!directory && targets.length > 1)
    return complain(
      proc,
      `target ${quote(place)}: ${stat === undefined ? 'No such file or directory' : 'Not a directory'}`,
    )
  const symbolic = options.has('symbolic')
  let status = 0
  for (const target of targets) {
    const name = directory ? within(place === '.' ? '.' : place, baseName(target)) : place
    const shown = place === '.' && directory ? `./${baseName(target)}` : name
    try {
      if (!symbolic) {
        const source = proc.lstat(target)
        if (isDirectory(source)) {
          status = complain(proc, `${target}: hard link not allowed for directory`)
          continue
        }
      }
      if (statOf(proc, name, false) !== undefined && options.has('force')) proc.unlink(name)
    } catch (error) {
      status = complain(proc, `failed to access ${quote(target)}: ${reason(error)}`)
      continue
    }
    try {
      if (symbolic) proc.symlink(options.has('relative') ? relative(proc, target, name) : target, name)
      else proc.link(target, name)
      if (options.has('verbose')) proc.stdout.write(`${quote(shown)} ${symbolic ? '->' : '=>'} ${quote(target)}\n`)
    } catch (error) {
      const what = symbolic ? `symbolic link ${quote(shown)}` : `hard link ${quote(shown)}`
      const why = reason(error)
      status = complain(
        proc,
        `failed to create ${what}${why === 'File exists' ? '' : symbolic ? ` -> ${quote(target)}` : ` => ${quote(target)}`}: ${why}`,
      )
    }
  }
  return status
}

/** @returns the way from a link's directory to its target */
function relative(proc: Parameters<Program>[0], target: string, name: string): string {
  const to = (resolvePath(proc, target, 'missing') ?? target).split('/').filter(part => part !== '')
  const from = (resolvePath(proc, name.replace(/[^/]*$/, '') || '.', 'missing') ?? '/')
    .split('/')
    .filter(part => part !== '')
  while (to.length > 0 && from.length > 0 && to[0] === from[0]) {
    to.shift()
    from.shift()
  }
  return [...from.map(() => '..'), ...to].join('/') || '.'
}
