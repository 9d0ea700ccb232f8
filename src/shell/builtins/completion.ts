/** compgen, complete, compopt: programmable completion, as far as scripts ask for it. */
import { decode, encode } from '../../../commands/coreutils/lib/bytes.ts'
import { isSysError } from '../../uapi/errno.ts'
import { S_IFDIR, S_IFMT } from '../../uapi/fs.ts'
import { expandText } from '../expand.ts'
import { matches } from '../pattern.ts'
import { singleQuote } from '../quote.ts'
import type { Shell } from '../shell.ts'
import { BUILTINS } from './index.ts'
import { KEYWORDS } from './lookup.ts'
import { fail, options, type ParsedOptions } from './usage.ts'

const SPEC = 'abcdefgjkprsuvo:A:G:W:F:C:X:P:S:DEI'

/** compgen [options] [word] */
export async function compgen(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, SPEC)
  const prefix = found.rest[0] ?? ''
  const candidates = await generate(sh, found, prefix)
  const filter = found.value('X')
  const shown = candidates
    .filter(word => word.startsWith(prefix))
    .filter(
      word =>
        filter === undefined || !matches(filter.replace(/^!/, ''), word, { extglob: true }) === !filter.startsWith('!'),
    )
    .map(word => `${found.value('P') ?? ''}${word}${found.value('S') ?? ''}\n`)
  await sh.write(1, shown.join(''))
  return shown.length > 0 ? 0 : 1
}

async function generate(sh: Shell, found: ParsedOptions, prefix: string): Promise<string[]> {
  const out: string[] = []
  const actions = found.options.filter(option => option.letter === 'A').map(option => option.value)
  const wants = (letter: string, action: string): boolean => found.has(letter) || actions.includes(action)
  if (wants('a', 'alias')) out.push(...[...sh.aliases.keys()].sort())
  if (wants('b', 'builtin')) out.push(...BUILTINS.keys())
  if (wants('k', 'keyword')) out.push(...KEYWORDS)
  if (wants('c', 'command')) out.push(...commandNames(sh))
  if (actions.includes('function')) out.push(...[...sh.functions.keys()].sort())
  if (wants('v', 'variable')) out.push(...sh.vars.names())
  if (wants('e', 'export')) out.push(...[...sh.vars.exported().keys()].sort())
  if (wants('u', 'user')) out.push(...sh.passwd().map(entry => entry[0]!))
  if (wants('j', 'job')) out.push(...sh.jobs.jobs.map(job => job.text.split(' ')[0]!))
  if (wants('f', 'file') || wants('d', 'directory')) out.push(...fileNames(sh, prefix, !wants('f', 'file')))
  const list = found.value('W')
  if (list !== undefined) out.push(...(await expandText(sh, list)).split(/[ \t\n]+/).filter(word => word !== ''))
  const fn = found.value('F')
  if (fn !== undefined) {
    sh.vars.assign('COMPREPLY', [])
    await sh.runWords([fn, '', prefix, ''])
    out.push(...(sh.vars.elements('COMPREPLY')?.values ?? []))
  }
  return out
}

/** @returns names of everything that can be run, sorted, each once */
export function commandNames(sh: Shell): string[] {
  const names = new Set<string>([...sh.aliases.keys(), ...KEYWORDS, ...sh.functions.keys(), ...BUILTINS.keys()])
  for (const dir of (sh.vars.get('PATH') ?? '').split(':')) {
    try {
      for (const entry of sh.proc.readdir(dir === '' ? '.' : decode(dir))) names.add(encode(entry.name))
    } catch (error) {
      if (!isSysError(error)) throw error
    }
  }
  return [...names].sort()
}

/** @returns names of files that begin with a prefix */
export function fileNames(sh: Shell, prefix: string, directories: boolean): string[] {
  const slash = prefix.lastIndexOf('/')
  const dir = prefix.slice(0, slash + 1)
  const base = prefix.slice(slash + 1)
  try {
    return sh.proc
      .readdir(dir === '' ? '.' : decode(dir))
      .map(entry => ({ name: encode(entry.name), type: entry.type & S_IFMT }))
      .filter(entry => entry.name.startsWith(base) && (base !== '' || !entry.name.startsWith('.')))
      .filter(entry => !directories || entry.type === S_IFDIR)
      .map(entry => dir + entry.name)
      .sort()
  } catch (error) {
    if (isSysError(error)) return []
    throw error
  }
}

/** complete [options] [name …] */
export async function complete(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, SPEC)
  const { rest } = found
  if (found.has('r')) {
    if (rest.length === 0) sh.completions.clear()
    for (const name of rest) sh.completions.delete(name)
    return 0
  }
  if (rest.length === 0 || found.has('p')) {
    let text = ''
    for (const [name, spec] of sh.completions)
      if (rest.length === 0 || rest.includes(name)) text += `complete ${spec} ${name}\n`
    await sh.write(1, text)
    return 0
  }
  const spec = found.options
    .map(option =>
      option.value === undefined
        ? `-${option.letter}`
        : `-${option.letter} ${/^[\w./-]+$/.test(option.value) ? option.value : singleQuote(option.value)}`,
    )
    .join(' ')
  for (const name of rest) sh.completions.set(name, spec)
  return 0
}

/** compopt: only of use within a completion. */
export async function compopt(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'o:DEI', true)
  if (found.rest.length > 0) return 0
  return fail(sh, 'compopt', 'not currently executing completion function')
}
