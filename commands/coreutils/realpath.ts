/** realpath(1) */
import type { Program } from '../../src/uapi/process.ts'
import { usageError } from '../lib/coreutils.ts'
import { resolvePath, statOf } from './lib/files.ts'
import { complain } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'existing', short: 'e', long: 'canonicalize-existing' },
  { key: 'missing', short: 'm', long: 'canonicalize-missing' },
  { key: 'logical', short: 'L', long: 'logical' },
  { key: 'physical', short: 'P', long: 'physical' },
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'relativeTo', long: 'relative-to', arg: 'required' },
  { key: 'relativeBase', long: 'relative-base', arg: 'required' },
  { key: 'strip', short: 's', long: 'strip' },
  { key: 'strip', long: 'no-symlinks' },
  { key: 'zero', short: 'z', long: 'zero' },
] as const

const ABOUT = { usage: '[OPTION]... FILE...', does: 'Print the resolved absolute file name;', authors: 'Padraig Brady' }

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  if (options.operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  const mode = options.has('existing') ? 'existing' : options.has('missing') ? 'missing' : 'last'
  const base = options.value('relativeTo')
  const from = base === undefined ? undefined : (resolvePath(proc, base, mode) ?? base)
  let status = 0
  for (const name of options.operands) {
    let path: string | undefined
    if (options.has('strip')) {
      const parts: string[] = []
      for (const part of (name.startsWith('/') ? name : `${proc.cwd}/${name}`).split('/')) {
        if (part === '' || part === '.') continue
        if (part === '..') parts.pop()
        else parts.push(part)
      }
      path = `/${parts.join('/')}`
      if (mode === 'existing' && statOf(proc, path) === undefined) path = undefined
    } else path = name === '' ? undefined : resolvePath(proc, name, mode)
    if (path === undefined) {
      status = 1
      if (!options.has('quiet'))
        complain(
          proc,
          `${name === '' ? "''" : name}: ${statOf(proc, name.replace(/\/[^/]*$/, '') || '/') !== undefined && name.endsWith('/') ? 'Not a directory' : 'No such file or directory'}`,
        )
      continue
    }
    if (from !== undefined) {
      const to = path.split('/').filter(part => part !== '')
      const up = from.split('/').filter(part => part !== '')
      while (to.length > 0 && up.length > 0 && to[0] === up[0]) {
        to.shift()
        up.shift()
      }
      path = [...up.map(() => '..'), ...to].join('/') || '.'
    }
    proc.stdout.write(path + (options.has('zero') ? '\0' : '\n'))
  }
  return status
}
