/** set, shopt, getopts, umask, ulimit. */

import { startJobControl, stopJobControl } from '../job_control.ts'
import { SET_OPTIONS, SHOPT_OPTIONS } from '../options.ts'
import { toPlace } from '../parameter.ts'
import type { Shell } from '../shell.ts'
import { listAll } from './declare.ts'
import { fail, integer, options, usage } from './usage.ts'

/** Switches an option of set, with what else that means. @returns false for an unknown name */
export function switchOption(sh: Shell, name: string, on: boolean): boolean {
  if (!sh.options.setOption(name, on)) return false
  if (name === 'allexport') sh.vars.exportAll = on
  if (name === 'monitor') {
    if (on) startJobControl(sh)
    else stopJobControl(sh)
  }
  return true
}

/** set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg …] */
export async function set(sh: Shell, words: readonly string[]): Promise<number> {
  if (words.length === 1) return listAll(sh)
  let i = 1
  for (; i < words.length; i++) {
    const word = words[i]!
    if (word === '--') {
      sh.positional = words.slice(i + 1)
      return 0
    }
    if (word === '-') {
      switchOption(sh, 'xtrace', false)
      switchOption(sh, 'verbose', false)
      if (i + 1 < words.length) sh.positional = words.slice(i + 1)
      return 0
    }
    if (word.length < 2 || (word[0] !== '-' && word[0] !== '+')) break
    const on = word[0] === '-'
    for (let k = 1; k < word.length; k++) {
      const letter = word[k]!
      if (letter === 'o') {
        const name = words[i + 1]
        if (name === undefined || (k === word.length - 1 && /^[-+]/.test(name))) {
          await listOptions(sh, on)
          continue
        }
        i++
        if (!switchOption(sh, name, on)) {
          if (sh.setup.posix === true) {
            await sh.report(`set: Illegal option ${on ? '-' : '+'}o ${name}`)
            return 2
          }
          return fail(sh, 'set', `${name}: invalid option name`, 2)
        }
        continue
      }
      const entry = SET_OPTIONS.find(([, flag]) => flag === letter)
      if (entry === undefined) {
        await fail(sh, 'set', `${word[0]}${letter}: invalid option`)
        return usage(sh, 'set')
      }
      switchOption(sh, entry[0], on)
    }
  }
  if (i < words.length) sh.positional = words.slice(i)
  return 0
}

async function listOptions(sh: Shell, table: boolean): Promise<void> {
  let text = ''
  for (const [name] of SET_OPTIONS) {
    const on = sh.options.on(name)
    text += table ? `${name.padEnd(15)}\t${on ? 'on' : 'off'}\n` : `set ${on ? '-' : '+'}o ${name}\n`
  }
  await sh.write(1, text)
}

/** shopt [-pqsu] [-o] [optname …] */
export async function shopt(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'psuoq')
  const fromSet = found.has('o')
  const names = (fromSet ? SET_OPTIONS : SHOPT_OPTIONS).map(([name]) => name)
  const isOn = (name: string): boolean => (fromSet ? sh.options.on(name) : sh.options.has(name))
  const line = (name: string): string => {
    if (found.has('p'))
      return fromSet ? `set ${isOn(name) ? '-' : '+'}o ${name}\n` : `shopt ${isOn(name) ? '-s' : '-u'} ${name}\n`
    return `${name.padEnd(15)}\t${isOn(name) ? 'on' : 'off'}\n`
  }
  const setting = found.has('s') ? true : found.has('u') ? false : undefined
  if (found.has('s') && found.has('u')) return fail(sh, 'shopt', 'cannot set and unset shell options simultaneously')
  if (found.rest.length === 0) {
    if (found.has('q')) return 0
    await sh.write(
      1,
      names
        .filter(name => setting === undefined || isOn(name) === setting)
        .map(line)
        .join(''),
    )
    return 0
  }
  let status = 0
  for (const name of found.rest) {
    if (!names.includes(name)) {
      status = await fail(sh, 'shopt', `${name}: invalid ${fromSet ? '' : 'shell '}option name`)
      continue
    }
    if (setting === undefined) {
      if (!isOn(name)) status = 1
      if (!found.has('q')) await sh.write(1, line(name))
    } else if (fromSet) switchOption(sh, name, setting)
    else sh.options.setShopt(name, setting)
  }
  return status
}

/** getopts optstring name [arg …] */
export async function getopts(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, '')
  const [spec, name] = found.rest
  if (spec === undefined || name === undefined) return usage(sh, 'getopts')
  const args = found.rest.length > 2 ? found.rest.slice(2) : sh.positional
  const silent = spec.startsWith(':')
  const set = async (variable: string, value: string): Promise<number> => {
    const place = await toPlace(sh, variable)
    if (place === undefined || place.subscript !== undefined)
      return fail(sh, 'getopts', `\`${variable}': not a valid identifier`)
    sh.vars.setAt(place, value)
    return 0
  }
  let index = Number(sh.vars.get('OPTIND') ?? '1')
  if (!Number.isInteger(index) || index < 1) index = 1
  if (index !== sh.getoptsIndex) sh.getoptsOffset = 1
  const done = (next: number): void => {
    sh.getoptsIndex = next
    sh.vars.set('OPTIND', String(next))
  }
  const word = args[index - 1]
  if (word === undefined || word === '-' || word[0] !== '-' || word === '--') {
    sh.getoptsOffset = 1
    done(word === '--' ? index + 1 : index)
    sh.vars.unset({ name: 'OPTARG', subscript: undefined })
    await set(name, '?')
    return 1
  }
  const letter = word[sh.getoptsOffset]!
  let next = index
  const advance = (): void => {
    sh.getoptsOffset++
    if (sh.getoptsOffset >= word.length) {
      sh.getoptsOffset = 1
      next++
    }
  }
  const at = letter === ':' ? -1 : spec.indexOf(letter, silent ? 1 : 0)
  if (at < 0) {
    advance()
    done(next)
    if (silent) sh.vars.set('OPTARG', letter)
    else {
      if (sh.vars.get('OPTERR') !== '0') await sh.errorText(`${sh.name0}: illegal option -- ${letter}\n`)
      sh.vars.unset({ name: 'OPTARG', subscript: undefined })
    }
    return set(name, '?')
  }
  if (spec[at + 1] !== ':') {
    advance()
    done(next)
    sh.vars.unset({ name: 'OPTARG', subscript: undefined })
    return set(name, letter)
  }
  const rest = word.slice(sh.getoptsOffset + 1)
  sh.getoptsOffset = 1
  if (rest !== '') {
    done(index + 1)
    sh.vars.set('OPTARG', rest)
    return set(name, letter)
  }
  const value = args[index]
  if (value === undefined) {
    done(index + 1)
    if (silent) {
      sh.vars.set('OPTARG', letter)
      return set(name, ':')
    }
    if (sh.vars.get('OPTERR') !== '0') await sh.errorText(`${sh.name0}: option requires an argument -- ${letter}\n`)
    sh.vars.unset({ name: 'OPTARG', subscript: undefined })
    return set(name, '?')
  }
  done(index + 2)
  sh.vars.set('OPTARG', value)
  return set(name, letter)
}

/** umask [-p] [-S] [mode] */
export async function umask(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'pS')
  const current = sh.proc.umask(0)
  sh.proc.umask(current)
  const [mode] = found.rest
  const symbolic = (mask: number): string => {
    const bits = (shift: number): string => {
      const allowed = (~mask >> shift) & 7
      return `${allowed & 4 ? 'r' : ''}${allowed & 2 ? 'w' : ''}${allowed & 1 ? 'x' : ''}`
    }
    return `u=${bits(6)},g=${bits(3)},o=${bits(0)}`
  }
  if (mode === undefined) {
    const text = found.has('S') ? symbolic(current) : current.toString(8).padStart(4, '0')
    await sh.write(1, `${found.has('p') ? `umask ${found.has('S') ? '-S ' : ''}` : ''}${text}\n`)
    return 0
  }
  let mask: number
  if (/^\d/.test(mode)) {
    if (!/^[0-7]+$/.test(mode)) return fail(sh, 'umask', `${mode}: octal number out of range`)
    mask = Number.parseInt(mode, 8)
    if (mask > 0o777) return fail(sh, 'umask', `${mode}: octal number out of range`)
  } else {
    mask = current
    for (const clause of mode.split(',')) {
      const match = /^([ugoa]*)([-+=])([rwx]*)$/.exec(clause)
      if (match === null) {
        const bad = /[^ugoa]/.exec(clause)?.[0] ?? clause
        return fail(sh, 'umask', `\`${bad}': invalid symbolic mode operator`)
      }
      const bits =
        (match[3]!.includes('r') ? 4 : 0) | (match[3]!.includes('w') ? 2 : 0) | (match[3]!.includes('x') ? 1 : 0)
      const who = match[1] === '' || match[1]!.includes('a') ? 'ugo' : match[1]!
      for (const c of who) {
        const shift = c === 'u' ? 6 : c === 'g' ? 3 : 0
        if (match[2] === '+') mask &= ~(bits << shift)
        else if (match[2] === '-') mask |= bits << shift
        else mask = (mask & ~(7 << shift)) | ((~bits & 7) << shift)
      }
    }
  }
  sh.proc.umask(mask)
  if (found.has('S')) await sh.write(1, `${symbolic(mask)}\n`)
  return 0
}

/** Limits: letter, what it is, its unit, and a value that a machine of this size has. */
const LIMITS: readonly (readonly [string, string, string, string])[] = [
  ['R', 'real-time non-blocking time', 'microseconds', 'unlimited'],
  ['c', 'core file size', 'blocks', '0'],
  ['d', 'data seg size', 'kbytes', 'unlimited'],
  ['e', 'scheduling priority', '', '0'],
  ['f', 'file size', 'blocks', 'unlimited'],
  ['i', 'pending signals', '', '5560'],
  ['l', 'max locked memory', 'kbytes', '8192'],
  ['m', 'max memory size', 'kbytes', 'unlimited'],
  ['n', 'open files', '', '1024'],
  ['p', 'pipe size', '512 bytes', '8'],
  ['q', 'POSIX message queues', 'bytes', '819200'],
  ['r', 'real-time priority', '', '0'],
  ['s', 'stack size', 'kbytes', '8192'],
  ['t', 'cpu time', 'seconds', 'unlimited'],
  ['u', 'max user processes', '', '5560'],
  ['v', 'virtual memory', 'kbytes', 'unlimited'],
  ['x', 'file locks', '', 'unlimited'],
]

/** ulimit [-SHabcdefiklmnpqrstuvxPRT] [limit] */
export async function ulimit(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'SHacdefilmnpqrstuvxR')
  const letters = found.options.map(option => option.letter).filter(letter => letter !== 'S' && letter !== 'H')
  const value = (letter: string): string => sh.limits.get(letter) ?? LIMITS.find(([each]) => each === letter)![3]
  if (letters.includes('a')) {
    let text = ''
    for (const [letter, name, unit] of LIMITS) {
      const detail = unit === '' ? `(-${letter})` : `(${unit}, -${letter})`
      text += `${name.padEnd(20)}${detail.padStart(20)} ${value(letter)}\n`
    }
    await sh.write(1, text)
    return 0
  }
  const [limit] = found.rest
  if (limit === undefined) {
    let text = ''
    for (const letter of letters.length === 0 ? ['f'] : letters) {
      const entry = LIMITS.find(([each]) => each === letter)!
      const detail = entry[2] === '' ? `(-${letter})` : `(${entry[2]}, -${letter})`
      text +=
        letters.length > 1 ? `${entry[1].padEnd(20)}${detail.padStart(20)} ${value(letter)}\n` : `${value(letter)}\n`
    }
    await sh.write(1, text)
    return 0
  }
  if (limit !== 'unlimited' && limit !== 'hard' && limit !== 'soft' && integer(limit) === undefined) {
    return fail(sh, 'ulimit', `${limit}: invalid number`)
  }
  if (limit === 'unlimited' || integer(limit) !== undefined)
    for (const letter of letters.length === 0 ? ['f'] : letters) sh.limits.set(letter, limit)
  return 0
}
