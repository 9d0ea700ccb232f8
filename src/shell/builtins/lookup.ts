/** What names mean: type, hash, aliases. */
import { functionText } from '../printer.ts'
import { singleQuote } from '../quote.ts'
import type { Shell } from '../shell.ts'
import { searchPath } from '../simple.ts'
import { BUILTINS } from './index.ts'
import { fail, options } from './usage.ts'

/** Reserved words. */
export const KEYWORDS =
  'if then else elif fi case esac for select while until do done in function time { } ! [[ ]] coproc'.split(' ')

/**
 * Says what a name means when used as a command.
 * @param style `long`: as type says it; `command`: as command -v; `word`: as type -t; `path`: type -p
 * @param all every meaning, not only the first
 */
export function describe(
  sh: Shell,
  name: string,
  style: 'long' | 'command' | 'word' | 'path',
  all: boolean,
  functions = true,
): string[] {
  const out: string[] = []
  const add = (long: string, short: string, word: string): void => {
    if (style === 'long') out.push(long)
    else if (style === 'command') out.push(short)
    else if (style === 'word') out.push(word)
  }
  const done = (): boolean => !all && out.length > 0
  const alias = sh.options.has('expand_aliases') ? sh.aliases.get(name) : undefined
  if (alias !== undefined) add(`${name} is aliased to \`${alias}'`, `alias ${name}=${singleQuote(alias)}`, 'alias')
  if (done()) return out
  if (KEYWORDS.includes(name)) add(`${name} is a shell keyword`, name, 'keyword')
  if (done()) return out
  const fn = functions ? sh.functions.get(name) : undefined
  if (fn !== undefined) {
    if (style === 'path' && !all) return out
    add(`${name} is a function\n${functionText(name, fn.definition)}`, name, 'function')
  }
  if (done()) return out
  if (BUILTINS.has(name) && !sh.disabledBuiltins.has(name)) {
    if (style === 'path' && !all) return out
    const special = sh.setup.posix === true && BUILTINS.get(name)!.special === true
    add(`${name} is a ${special ? 'special ' : ''}shell builtin`, name, 'builtin')
  }
  if (done()) return out
  const hashed = sh.hash.get(name)
  if (hashed !== undefined && !all) {
    hashed.hits++
    if (style === 'path') out.push(hashed.path)
    else add(`${name} is hashed (${hashed.path})`, hashed.path, 'file')
    return out
  }
  const files = name.includes('/')
    ? executable(sh, name)
      ? [name]
      : []
    : searchPath(sh, name).filter(file => executable(sh, file))
  for (const file of all ? files : files.slice(0, 1)) {
    if (style === 'path') out.push(file)
    else add(`${name} is ${file}`, file, 'file')
  }
  return out
}

function executable(sh: Shell, file: string): boolean {
  return sh.isProgram(file)
}

/** type [-afptP] name … */
export async function type(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'afptP')
  const all = found.has('a')
  let status = 0
  for (const name of found.rest) {
    let lines: string[]
    if (found.has('P')) lines = all ? searchPath(sh, name) : searchPath(sh, name).slice(0, 1)
    else lines = describe(sh, name, found.has('t') ? 'word' : found.has('p') ? 'path' : 'long', all, !found.has('f'))
    if (lines.length > 0) await sh.write(1, `${lines.join('\n')}\n`)
    else {
      const silent = found.has('t') || found.has('p') || found.has('P')
      const known = found.has('p') && describe(sh, name, 'word', false).length > 0
      if (!known) status = 1
      if (!silent) await fail(sh, 'type', `${name}: not found`)
    }
  }
  return status
}

/** hash [-lr] [-p pathname] [-dt] [name …] */
export async function hash(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'rdlp:t')
  if (found.has('r')) sh.hash.clear()
  const { rest } = found
  if (rest.length === 0) {
    if (found.has('r')) return 0
    if (sh.hash.size === 0) {
      await sh.write(1, 'hash: hash table empty\n')
      return 0
    }
    let text = found.has('l') ? '' : 'hits\tcommand\n'
    for (const [name, { path, hits }] of sh.hash) {
      text += found.has('l') ? `builtin hash -p ${path} ${name}\n` : `${String(hits).padStart(4)}\t${path}\n`
    }
    await sh.write(1, text)
    return 0
  }
  let status = 0
  for (const name of rest) {
    const path = found.value('p')
    if (path !== undefined) sh.hash.set(name, { path, hits: 0 })
    else if (found.has('d')) {
      if (!sh.hash.delete(name)) status = await fail(sh, 'hash', `${name}: not found`)
    } else if (found.has('t')) {
      const entry = sh.hash.get(name)
      if (entry === undefined) status = await fail(sh, 'hash', `${name}: not found`)
      else await sh.write(1, rest.length > 1 ? `${name}\t${entry.path}\n` : `${entry.path}\n`)
    } else if (!BUILTINS.has(name) && !sh.functions.has(name) && !name.includes('/')) {
      const [file] = searchPath(sh, name)
      if (file === undefined) status = await fail(sh, 'hash', `${name}: not found`)
      else sh.hash.set(name, { path: file, hits: 0 })
    }
  }
  return status
}

/** alias [-p] [name[=value] …] */
export async function alias(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'p')
  const show = (name: string, value: string): string => `alias ${name}=${singleQuote(value)}\n`
  if (found.rest.length === 0 || found.has('p')) {
    const names = [...sh.aliases.keys()].sort()
    await sh.write(1, names.map(name => show(name, sh.aliases.get(name)!)).join(''))
    if (found.rest.length === 0) return 0
  }
  let status = 0
  for (const word of found.rest) {
    const at = word.indexOf('=')
    if (at > 0) {
      const name = word.slice(0, at)
      if (/[ \t\n"'\\$`/&|;()<>]/.test(name)) status = await fail(sh, 'alias', `\`${name}': invalid alias name`)
      else sh.aliases.set(name, word.slice(at + 1))
    } else {
      const value = sh.aliases.get(word)
      if (value === undefined) status = await fail(sh, 'alias', `${word}: not found`)
      else await sh.write(1, show(word, value))
    }
  }
  return status
}

/** unalias [-a] name … */
export async function unalias(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'a')
  if (found.has('a')) {
    sh.aliases.clear()
    return 0
  }
  let status = 0
  for (const name of found.rest) if (!sh.aliases.delete(name)) status = await fail(sh, 'unalias', `${name}: not found`)
  return status
}
