/** trap, times, history, help and others. */

import { decode, fromBytes } from '../../../commands/coreutils/lib/bytes.ts'
import { isSysError } from '../../uapi/errno.ts'
import { singleQuote } from '../quote.ts'
import { sysMessage } from '../redirect.ts'
import type { Shell } from '../shell.ts'
import { keyName, trapKey } from '../traps.ts'
import { HELP } from './help.ts'
import { BUILTINS } from './index.ts'
import { signalTable } from './jobs.ts'
import { fail, integer, options, SYNOPSES, usage } from './usage.ts'

/** trap [-lp] [[arg] signal_spec …] */
export async function trap(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'lp')
  if (found.has('l')) {
    await sh.write(1, signalTable())
    return 0
  }
  const { rest } = found
  if (found.has('p') || rest.length === 0) {
    const keys = rest.map(trapKey)
    let text = ''
    for (const [key, command] of sh.traps.list()) {
      if (rest.length > 0 && !keys.includes(key)) continue
      const name = sh.setup.posix === true && typeof key === 'number' ? keyName(key).slice(3) : keyName(key)
      text += `trap -- ${singleQuote(command) === "\\'" ? "''\\'''" : singleQuote(command)} ${name}\n`
    }
    await sh.write(1, text)
    for (const word of rest)
      if (trapKey(word) === undefined) return fail(sh, 'trap', `${word}: invalid signal specification`)
    return 0
  }
  let command: string | undefined = rest[0]
  let signals = rest.slice(1)
  // a number or a single signal's name alone resets
  if (rest.length === 1 || /^\d+$/.test(rest[0]!)) {
    if (rest.length === 1 && trapKey(rest[0]!) === undefined) {
      return usage(sh, 'trap')
    }
    command = undefined
    signals = rest
  } else if (command === '-') command = undefined
  let status = 0
  for (const word of signals) {
    const key = trapKey(word)
    if (key === undefined) {
      status =
        sh.setup.posix === true
          ? await fail(sh, 'trap', `${word}: bad trap`)
          : await fail(sh, 'trap', `${word}: invalid signal specification`)
      continue
    }
    sh.traps.set(sh, key, command)
  }
  return status
}

/** times */
export async function times(sh: Shell): Promise<number> {
  const shown = (ns: number): string => `${Math.floor(ns / 60e9)}m${((ns % 60e9) / 1e9).toFixed(3)}s`
  const { user, system, childUser, childSystem } = sh.proc.times()
  await sh.write(1, `${shown(user)} ${shown(system)}\n${shown(childUser)} ${shown(childSystem)}\n`)
  return 0
}

/** history [-c] [-d offset] [n] or history -anrw [filename] or history -ps arg [arg…] */
export async function history(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'cd:anrwps')
  const { rest } = found
  if (found.has('c')) {
    sh.history.length = 0
    return 0
  }
  const offset = found.value('d')
  if (offset !== undefined) {
    const value = integer(offset)
    const index = value === undefined ? -1 : value < 0 ? sh.history.length + value : value - 1
    if (index < 0 || index >= sh.history.length) return fail(sh, 'history', `${offset}: history position out of range`)
    sh.history.splice(index, 1)
    return 0
  }
  if (found.has('s')) {
    sh.history.push(rest.join(' '))
    return 0
  }
  if (found.has('p')) {
    await sh.write(1, rest.map(word => `${word}\n`).join(''))
    return 0
  }
  const file = rest[0] ?? sh.vars.get('HISTFILE')
  if (found.has('w') || found.has('a') || found.has('r') || found.has('n')) {
    if (file === undefined) return 0
    try {
      if (found.has('w') || found.has('a'))
        sh.proc.writeFile(decode(file), decode(sh.history.map(line => `${line}\n`).join('')), found.has('a'))
      else
        sh.history.push(
          ...fromBytes(sh.proc.readFile(decode(file)))
            .split('\n')
            .filter(line => line !== ''),
        )
    } catch (error) {
      if (!isSysError(error)) throw error
      return fail(sh, 'history', `${file}: ${sysMessage(error)}`)
    }
    return 0
  }
  let from = 0
  if (rest[0] !== undefined) {
    const count = integer(rest[0])
    if (count === undefined) return fail(sh, 'history', `${rest[0]}: numeric argument required`)
    from = Math.max(0, sh.history.length - count)
  }
  await sh.write(
    1,
    sh.history
      .slice(from)
      .map((line, i) => `${String(from + i + 1).padStart(5)}  ${line}\n`)
      .join(''),
  )
  return 0
}

/** fc -l, fc -s */
export async function fc(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'e:lnrs')
  const lines = sh.history
  if (found.has('s') || found.value('e') === '-') {
    const [substitution] = found.rest
    let text = lines[lines.length - 1]
    if (text === undefined) return fail(sh, 'fc', 'no command found')
    const match = substitution === undefined ? null : /^([^=]+)=([\s\S]*)$/.exec(substitution)
    if (match !== null) text = text.replaceAll(match[1]!, match[2]!)
    await sh.errorText(`${text}\n`)
    return sh.run(text, { line: sh.line })
  }
  if (!found.has('l')) return fail(sh, 'fc', 'no editor')
  const position = (word: string | undefined, fallback: number): number => {
    const value = word === undefined ? undefined : integer(word)
    if (value === undefined) return fallback
    return value < 0 ? Math.max(0, lines.length + value) : Math.max(0, value - 1)
  }
  if (lines.length === 0) return 0
  const first = position(found.rest[0], Math.max(0, lines.length - 16))
  const last = position(found.rest[1], lines.length - 1)
  const shown = lines
    .slice(Math.min(first, last), Math.max(first, last) + 1)
    .map((line, i) => `${found.has('n') ? '' : Math.min(first, last) + i + 1}\t ${line}\n`)
  if (found.has('r')) shown.reverse()
  await sh.write(1, shown.join(''))
  return 0
}

/** caller [expr] */
export async function caller(sh: Shell, words: readonly string[]): Promise<number> {
  const frames = [...sh.frames].reverse()
  const [, argument] = words
  const script = sh.setup.kind === 'script' ? (sh.setup.messageName ?? sh.name0) : 'NULL'
  if (frames.length === 0) {
    if (argument === undefined) {
      await sh.write(1, sh.setup.kind === 'script' ? '0 NULL\n' : '1 NULL\n')
      return 0
    }
    return 1
  }
  if (argument === undefined) {
    await sh.write(1, `${frames[0]!.callLine} ${frames[1]?.source ?? script}\n`)
    return 0
  }
  const n = integer(argument)
  if (n === undefined) {
    await fail(sh, 'caller', `${argument}: invalid number`)
    return usage(sh, 'caller')
  }
  const frame = frames[n]
  if (frame === undefined || n < 0) return 1
  const above = frames[n + 1]
  if (above === undefined && sh.setup.kind !== 'script') return 1
  await sh.write(1, `${frame.callLine} ${above?.name ?? 'main'} ${above?.source ?? script}\n`)
  return 0
}

/** enable [-a] [-dnps] [-f filename] [name …] */
export async function enable(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'adnpsf:')
  if (found.rest.length === 0) {
    let text = ''
    for (const [name, builtin] of BUILTINS) {
      if (found.has('s') && builtin.special !== true) continue
      const off = sh.disabledBuiltins.has(name)
      if (found.has('n') ? !off : off && !found.has('a')) continue
      text += `enable ${off ? '-n ' : ''}${name}\n`
    }
    await sh.write(1, text)
    return 0
  }
  let status = 0
  for (const name of found.rest) {
    if (!BUILTINS.has(name)) status = await fail(sh, 'enable', `${name}: not a shell builtin`)
    else if (found.has('n')) sh.disabledBuiltins.add(name)
    else sh.disabledBuiltins.delete(name)
  }
  return status
}

/** help [-dms] [pattern …] */
export async function help(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'dms')
  if (found.rest.length === 0) {
    const names = Object.keys(SYNOPSES)
    let text =
      "GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)\nBuiltin commands; `help name' tells more about one of them.\n\n"
    for (const name of names) text += ` ${SYNOPSES[name]}\n`
    await sh.write(1, text)
    return 0
  }
  let status = 0
  for (const name of found.rest) {
    const names = Object.keys(SYNOPSES).filter(
      each => each === name || (!Object.hasOwn(SYNOPSES, name) && each.startsWith(name)),
    )
    if (names.length === 0) {
      status = await fail(
        sh,
        'help',
        `no help topics match \`${name}'.  Try \`help help' or \`man -k ${name}' or \`info ${name}'.`,
      )
      continue
    }
    for (const each of names) {
      const text = HELP[each] ?? ''
      if (found.has('d')) await sh.write(1, `${each} - ${text}\n`)
      else if (found.has('s')) await sh.write(1, `${each}: ${SYNOPSES[each]}\n`)
      else await sh.write(1, `${each}: ${SYNOPSES[each]}\n    ${text}\n`)
    }
  }
  return status
}

/** bind: there is no line editor in the shell that it could change. */
export async function bind(sh: Shell, words: readonly string[]): Promise<number> {
  await options(sh, words, 'lvpVPsSXf:q:u:m:r:x:')
  if (!sh.interactive) await fail(sh, 'bind', 'warning: line editing not enabled', 0)
  return 0
}
