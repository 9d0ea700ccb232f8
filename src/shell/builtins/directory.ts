/** cd, pwd and the directory stack. */
import { decode, encode } from '../../../commands/coreutils/lib/bytes.ts'
import { isSysError } from '../../uapi/errno.ts'
import { sysMessage } from '../redirect.ts'
import type { Shell } from '../shell.ts'
import { Attr } from '../variables.ts'
import { showDirectory } from '../waiting.ts'
import { fail, options, usage } from './usage.ts'

/** @returns an absolute path without `.`, `..` and doubled slashes, as text goes */
export function normalize(path: string): string {
  const out: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') out.pop()
    else out.push(part)
  }
  return `/${out.join('/')}`
}

/** Changes the working directory and the variables that tell of it. @returns the error's text, if any */
function changeTo(sh: Shell, dir: string, physical: boolean): string | undefined {
  const target = physical ? dir : normalize(dir.startsWith('/') ? dir : `${sh.pwd}/${dir}`)
  try {
    // the kernel's way decides whether it is there: foo/.. needs foo
    if (!physical && /(?:^|\/)\.\.(?:\/|$)/.test(dir)) sh.proc.stat(decode(dir.startsWith('/') ? dir : dir))
    sh.proc.chdir(decode(target))
  } catch (error) {
    if (!isSysError(error)) throw error
    return sysMessage(error)
  }
  const old = sh.vars.get('PWD')
  sh.pwd = physical ? encode(sh.proc.cwd) : target
  if (old !== undefined) {
    sh.vars.set('OLDPWD', old)
    sh.vars.setAttributes('OLDPWD', Attr.Export, 0)
  }
  sh.vars.set('PWD', sh.pwd)
  sh.vars.setAttributes('PWD', Attr.Export, 0)
  return undefined
}

/** cd [-L|-P] [dir] */
export async function cd(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'LPe@')
  const name = words[0]!
  const last = found.options.findLast(option => option.letter === 'L' || option.letter === 'P')
  const physical = last === undefined ? sh.options.on('physical') : last.letter === 'P'
  const { rest } = found
  if (rest.length > 1) return fail(sh, name, 'too many arguments')
  const show = rest[0] === '-'
  const dir = rest[0] === undefined ? sh.vars.get('HOME') : show ? sh.vars.get('OLDPWD') : rest[0]
  if (dir === undefined) return fail(sh, name, show ? 'OLDPWD not set' : 'HOME not set')
  if (dir === '') {
    if (show) await sh.write(1, '\n')
    return 0
  }
  const cdpath = sh.vars.get('CDPATH')
  if (cdpath !== undefined && !dir.startsWith('/') && !/^\.\.?(?:\/|$)/.test(dir)) {
    for (const base of cdpath.split(':')) {
      const candidate = base === '' ? dir : `${base.replace(/\/$/, '')}/${dir}`
      if (changeTo(sh, candidate, physical) === undefined) {
        if (base !== '' && base !== '.') await sh.write(1, `${sh.pwd}\n`)
        return 0
      }
    }
  }
  const error = changeTo(sh, dir, physical)
  if (error !== undefined) {
    if (sh.options.has('cdable_vars')) {
      const value = sh.vars.get(dir)
      if (value !== undefined && changeTo(sh, value, physical) === undefined) {
        await sh.write(1, `${sh.pwd}\n`)
        return 0
      }
    }
    if (sh.setup.posix === true) {
      await sh.report(`cd: can't cd to ${dir}`)
      return 2
    }
    return fail(sh, name, `${dir}: ${error}`)
  }
  if (show) await sh.write(1, `${sh.pwd}\n`)
  return 0
}

/** pwd [-LP] */
export async function pwd(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'LP')
  const last = found.options[found.options.length - 1]
  const physical = last === undefined ? sh.options.on('physical') : last.letter === 'P'
  await sh.write(1, `${physical ? encode(sh.proc.cwd) : sh.pwd}\n`)
  return 0
}

/** @returns the index in the stack of +N or -N; undefined for another word, NaN out of range */
function stackIndex(word: string, size: number): number | undefined {
  const match = /^([+-])(\d+)$/.exec(word)
  if (match === null) return undefined
  const n = match[1] === '+' ? Number(match[2]) : size - 1 - Number(match[2])
  return n >= 0 && n < size ? n : Number.NaN
}

async function showStack(
  sh: Shell,
  flags: { long?: boolean; lines?: boolean; numbers?: boolean } = {},
): Promise<number> {
  const stack = [sh.pwd, ...sh.dirStack].map(dir => (flags.long === true ? dir : showDirectory(sh, dir)))
  if (flags.numbers === true) await sh.write(1, stack.map((dir, i) => `${String(i).padStart(2)}  ${dir}\n`).join(''))
  else await sh.write(1, flags.lines === true ? `${stack.join('\n')}\n` : `${stack.join(' ')}\n`)
  return 0
}

/** dirs [-clpv] [+N] [-N] */
export async function dirs(sh: Shell, words: readonly string[]): Promise<number> {
  const flags: { long?: boolean; lines?: boolean; numbers?: boolean } = {}
  for (const word of words.slice(1)) {
    if (/^[+-]\d+$/.test(word)) {
      const stack = [sh.pwd, ...sh.dirStack]
      const index = stackIndex(word, stack.length)
      if (index === undefined || Number.isNaN(index)) {
        return fail(
          sh,
          'dirs',
          sh.dirStack.length === 0 ? 'directory stack empty' : `${word.slice(1)}: directory stack index out of range`,
        )
      }
      await sh.write(1, `${flags.long === true ? stack[index]! : showDirectory(sh, stack[index]!)}\n`)
      return 0
    }
    if (!/^-[clpv]+$/.test(word)) {
      await fail(sh, 'dirs', /^-/.test(word) ? `${word}: invalid option` : `${word}: invalid option`, 2)
      return usage(sh, 'dirs')
    }
    if (word.includes('c')) {
      sh.dirStack = []
      return 0
    }
    if (word.includes('l')) flags.long = true
    if (word.includes('p')) flags.lines = true
    if (word.includes('v')) flags.numbers = true
  }
  return showStack(sh, flags)
}

/** pushd [-n] [+N | -N | dir] */
export async function pushd(sh: Shell, words: readonly string[]): Promise<number> {
  let i = 1
  const keep = words[i] === '-n'
  if (keep) i++
  const word = words[i]
  const stack = [sh.pwd, ...sh.dirStack]
  if (word === undefined) {
    if (stack.length < 2) return fail(sh, 'pushd', 'no other directory')
    const [current, next, ...rest] = stack as [string, string, ...string[]]
    const error = changeTo(sh, next, false)
    if (error !== undefined) return fail(sh, 'pushd', `${next}: ${error}`)
    sh.dirStack = [current, ...rest]
    return showStack(sh)
  }
  const index = stackIndex(word, stack.length)
  if (index !== undefined) {
    if (Number.isNaN(index)) {
      return fail(
        sh,
        'pushd',
        stack.length === 1 ? 'directory stack empty' : `${word}: directory stack index out of range`,
      )
    }
    const turned = [...stack.slice(index), ...stack.slice(0, index)]
    if (!keep) {
      const error = changeTo(sh, turned[0]!, false)
      if (error !== undefined) return fail(sh, 'pushd', `${turned[0]}: ${error}`)
    }
    sh.dirStack = turned.slice(1)
    return showStack(sh)
  }
  if (word.length > 1 && word.startsWith('-')) {
    await fail(sh, 'pushd', `${word}: invalid number`, 2)
    return usage(sh, 'pushd')
  }
  if (keep) {
    sh.dirStack = [word, ...sh.dirStack]
    return showStack(sh)
  }
  const current = sh.pwd
  const error = changeTo(sh, word, false)
  if (error !== undefined) return fail(sh, 'pushd', `${word}: ${error}`)
  sh.dirStack = [current, ...sh.dirStack]
  return showStack(sh)
}

/** popd [-n] [+N | -N] */
export async function popd(sh: Shell, words: readonly string[]): Promise<number> {
  let i = 1
  const keep = words[i] === '-n'
  if (keep) i++
  if (sh.dirStack.length === 0) return fail(sh, 'popd', 'directory stack empty')
  const stack = [sh.pwd, ...sh.dirStack]
  const word = words[i] ?? (keep ? '+1' : '+0')
  const index = stackIndex(word, stack.length)
  if (index === undefined) {
    await fail(sh, 'popd', `${word}: invalid argument`, 2)
    return usage(sh, 'popd')
  }
  if (Number.isNaN(index)) return fail(sh, 'popd', `${word}: directory stack index out of range`)
  if (index === 0) {
    const error = changeTo(sh, stack[1]!, false)
    if (error !== undefined) return fail(sh, 'popd', `${stack[1]}: ${error}`)
    sh.dirStack = sh.dirStack.slice(1)
  } else sh.dirStack = sh.dirStack.filter((_, at) => at !== index - 1)
  return showStack(sh)
}
