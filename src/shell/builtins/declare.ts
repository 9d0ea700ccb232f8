/** Builtins that make and describe variables and functions. */

import { ShellError } from '../control.ts'
import { trace, traceWords } from '../execute.ts'
import { expandArray } from '../expand.ts'
import { toPlace } from '../parameter.ts'
import { parseArray } from '../parser.ts'
import { functionText } from '../printer.ts'
import { listQuote } from '../quote.ts'
import type { Shell } from '../shell.ts'
import { type AssignmentNode, MARK_ARRAY, type SimpleNode } from '../syntax.ts'
import { Attr, isIdentifier, type Variable } from '../variables.ts'
import { fail, options, type ParsedOptions, UsageError } from './usage.ts'

const LETTERS: Readonly<Record<string, number>> = {
  a: Attr.Array,
  A: Attr.Assoc,
  i: Attr.Integer,
  l: Attr.Lower,
  n: Attr.Nameref,
  r: Attr.Readonly,
  t: Attr.Trace,
  u: Attr.Upper,
  x: Attr.Export,
  c: Attr.Capital,
}

/** What an argument says: a name, and perhaps a value. */
interface Operand {
  readonly word: string
  readonly name: string
  readonly subscript: string | undefined
  readonly value: string | undefined
  readonly append: boolean
  readonly array: AssignmentNode | undefined
}

function operand(word: string, arrays: SimpleNode['declared']): Operand | undefined {
  if (word.startsWith(MARK_ARRAY)) {
    const array = [...(arrays?.values() ?? [])][Number(word.slice(1))]
    if (array === undefined) return undefined
    return { word: array.name, name: array.name, subscript: undefined, value: undefined, append: array.append, array }
  }
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(\[[\s\S]*?\])?(?:(\+?)=([\s\S]*))?$/.exec(word)
  if (match === null) return undefined
  return {
    word,
    name: match[1]!,
    subscript: match[2]?.slice(1, -1),
    value: match[4],
    append: match[3] === '+',
    array: undefined,
  }
}

/** @returns the words of `(a b c)` in a text that was quoted */
async function arrayItems(sh: Shell, text: string): Promise<{ subscript?: string; value: string; append?: boolean }[]> {
  return expandArray(sh, parseArray(text))
}

/** declare, typeset */
export async function declare(sh: Shell, words: readonly string[], arrays: SimpleNode['declared']): Promise<number> {
  const found = await options(sh, words, 'aAfFgiIlnprtuxc', true)
  return declareWith(sh, words[0]!, found, arrays, sh.vars.inFunction && !found.has('g'))
}

/** local */
export async function local(sh: Shell, words: readonly string[], arrays: SimpleNode['declared']): Promise<number> {
  if (!sh.vars.inFunction) return fail(sh, 'local', 'can only be used in a function')
  const found = await options(sh, words, 'aAfFgiIlnprtuxc', true)
  if (found.rest.length === 0) {
    const names = sh.vars.localNames()
    await sh.write(1, names.map(name => `${sh.declaration(name, sh.vars.lookup(name)!)}\n`).join(''))
    return 0
  }
  if (found.rest.length === 1 && found.rest[0] === '-') {
    sh.saveOptions()
    return 0
  }
  return declareWith(sh, 'local', found, arrays, true)
}

async function declareWith(
  sh: Shell,
  command: string,
  found: ParsedOptions,
  arrays: SimpleNode['declared'],
  isLocal: boolean,
): Promise<number> {
  let add = 0
  let remove = 0
  for (const option of found.options) {
    const bit = LETTERS[option.letter]
    if (bit === undefined) continue
    if (option.plus) {
      remove |= bit
      if (bit & (Attr.Array | Attr.Assoc)) {
        await fail(sh, command, `cannot destroy array variables in this way`)
        return 1
      }
    } else add |= bit
  }
  const { rest } = found
  if (found.has('f') || found.has('F')) return functions(sh, command, found, add, remove)
  if (found.has('p') && !(command === 'local')) return rest.length > 0 ? showNames(sh, command, rest) : showAll(sh, add)
  if (rest.length === 0) {
    if (found.options.length > 0 && add !== 0) return showAll(sh, add)
    if (found.options.length === 0) return listAll(sh)
    return 0
  }
  if (add & Attr.Array && add & Attr.Assoc) {
    let status = 0
    for (const word of rest)
      status = await fail(sh, command, `${word.replace(/=[\s\S]*/, '')}: cannot convert associative to indexed array`)
    return status
  }
  let status = 0
  for (const word of rest) {
    const item = operand(word, arrays)
    if (item === undefined) {
      status = await fail(sh, command, `\`${word}': not a valid identifier`)
      continue
    }
    try {
      await declareOne(sh, item, {
        add,
        remove,
        isLocal,
        inherit: found.has('I') || sh.options.has('localvar_inherit'),
        global: found.has('g'),
      })
    } catch (error) {
      if (!(error instanceof ShellError) || error.severity === 'shell') throw error
      status = await fail(sh, command, error.message, error.status)
    }
  }
  return status
}

async function declareOne(
  sh: Shell,
  item: Operand,
  how: { add: number; remove: number; isLocal: boolean; inherit: boolean; global: boolean },
): Promise<void> {
  const { vars } = sh
  let { name } = item
  if (how.isLocal) vars.declareLocal(name, how.inherit)
  else if (!((how.add | how.remove) & Attr.Nameref)) name = vars.resolve(name)?.name ?? name
  const variable = vars.lookup(name)
  if (
    variable !== undefined &&
    variable.attrs & Attr.Readonly &&
    (item.value !== undefined || item.array !== undefined || how.remove & Attr.Readonly)
  ) {
    throw new ShellError(`${name}: readonly variable`, 1, 'command')
  }
  if (how.add & Attr.Nameref && item.value !== undefined) {
    if (item.value === name) throw new ShellError(`${name}: nameref variable self references not allowed`, 1, 'command')
    if (!/^[A-Za-z_][A-Za-z0-9_]*(?:\[[\s\S]+\])?$/.test(item.value))
      throw new ShellError(`\`${item.value}': invalid variable name for name reference`, 1, 'command')
    vars.assign(name, item.value)
    vars.setAttributes(name, how.add, how.remove, how.global && !how.isLocal)
    return
  }
  const compound = item.value !== undefined && item.subscript === undefined && /^\([\s\S]*\)$/.test(item.value)
  const early = how.add & ~Attr.Readonly
  if (early !== 0 || how.remove !== 0) vars.setAttributes(name, early, how.remove, how.global && !how.isLocal)
  else if (item.value === undefined && item.array === undefined && variable === undefined)
    vars.setAttributes(name, 0, 0)
  if (item.array !== undefined) {
    const items = await expandArray(sh, item.array.array ?? [])
    vars.setArray(name, items, item.append)
  } else if (item.value !== undefined) {
    const now = vars.lookup(name)
    if (compound && now !== undefined && now.attrs & (Attr.Array | Attr.Assoc))
      vars.setArray(name, await arrayItems(sh, item.value), item.append)
    else {
      const place =
        item.subscript === undefined
          ? { name, subscript: undefined }
          : (await toPlace(sh, `${name}[${item.subscript}]`))!
      vars.setAt(place, item.value, item.append)
    }
  } else if (item.subscript !== undefined) vars.setAttributes(name, Attr.Array, 0)
  if (how.add & Attr.Readonly) vars.setAttributes(name, Attr.Readonly, 0, how.global && !how.isLocal)
}

async function functions(
  sh: Shell,
  command: string,
  found: ParsedOptions,
  add: number,
  remove: number,
): Promise<number> {
  const namesOnly = found.has('F')
  if (found.rest.length === 0) {
    const names = [...sh.functions.keys()].sort()
    await sh.write(
      1,
      names
        .map(name => {
          const fn = sh.functions.get(name)!
          const letters = `f${fn.readonly ? 'r' : ''}${fn.exported ? 'x' : ''}`
          if (namesOnly) return `declare -${letters} ${name}\n`
          return `${functionText(name, fn.definition)}\n${letters === 'f' ? '' : `declare -${letters} ${name}\n`}`
        })
        .join(''),
    )
    return 0
  }
  let status = 0
  for (const name of found.rest) {
    const fn = sh.functions.get(name)
    if (fn === undefined) {
      status = 1
      if (command !== 'declare' && command !== 'typeset') await fail(sh, command, `${name}: not a function`)
      continue
    }
    if (add & Attr.Readonly) fn.readonly = true
    else if (add & Attr.Export) sh.functions.set(name, { ...fn, exported: true })
    else if (remove & Attr.Export) sh.functions.set(name, { ...fn, exported: false })
    else if (namesOnly)
      await sh.write(
        1,
        found.has('p')
          ? `declare -f ${name}\n`
          : sh.options.has('extdebug')
            ? `${name} ${fn.line} ${fn.source}\n`
            : `${name}\n`,
      )
    else await sh.write(1, `${functionText(name, fn.definition)}\n`)
  }
  return status
}

/** declare -p name … */
async function showNames(sh: Shell, command: string, names: readonly string[]): Promise<number> {
  let status = 0
  for (const name of names) {
    const variable = sh.vars.lookup(name)
    if (variable === undefined || (variable.attrs === 0 && sh.valueText(name, variable) === undefined)) {
      if (variable !== undefined && sh.vars.isLocal(name)) await sh.write(1, `${sh.declaration(name, variable)}\n`)
      else status = await fail(sh, command, `${name}: not found`)
    } else await sh.write(1, `${sh.declaration(name, variable)}\n`)
  }
  return status
}

/** All variables with certain attributes, as declare -p shows them. */
async function showAll(sh: Shell, attrs: number, letters = attrs): Promise<number> {
  let text = ''
  for (const name of sh.vars.names()) {
    const variable = sh.vars.lookup(name)!
    if (letters !== 0 && (variable.attrs & letters) !== letters) continue
    text += `${declarationOf(sh, name, variable)}\n`
  }
  await sh.write(1, text)
  return 0
}

/** A variable whose value is made when it is read has none in such lists until it was read. */
function declarationOf(sh: Shell, name: string, variable: Variable): string {
  if (variable.dynamic !== undefined && !(variable.attrs & (Attr.Readonly | Attr.Array))) {
    const letters = sh.attributeLetters(variable.attrs)
    return `declare -${letters === '' ? '-' : letters} ${name}`
  }
  return sh.declaration(name, variable)
}

/** A variable as `set` lists it. */
function listing(sh: Shell, name: string, variable: Variable): string {
  if (variable.attrs & (Attr.Array | Attr.Assoc)) {
    const text = sh.valueText(name, variable)
    return text === undefined ? '' : `${name}=${text}\n`
  }
  const value = sh.vars.get(name)
  return value === undefined ? '' : `${name}=${listQuote(value, sh.utf8)}\n`
}

/** Variables that are made when they are read and that `set` passes over. */
const UNLISTED = new Set(['BASH_ARGV0', 'BASH_COMMAND', 'BASH_SUBSHELL', 'EPOCHREALTIME', 'EPOCHSECONDS', 'SRANDOM'])

/** All variables and functions, as `set` and `declare` list them. */
export async function listAll(sh: Shell): Promise<number> {
  let text = ''
  for (const name of sh.vars.names()) if (!UNLISTED.has(name)) text += listing(sh, name, sh.vars.lookup(name)!)
  if (sh.setup.posix !== true) {
    for (const name of [...sh.functions.keys()].sort())
      text += `${functionText(name, sh.functions.get(name)!.definition)}\n`
  }
  await sh.write(1, text)
  return 0
}

async function mark(
  sh: Shell,
  words: readonly string[],
  arrays: SimpleNode['declared'],
  attr: number,
  letters: string,
): Promise<number> {
  const command = words[0]!
  const found = await options(sh, words, letters)
  const off = found.has('n')
  if (found.has('f')) return functions(sh, command, found, off ? 0 : attr, off ? attr : 0)
  if (found.rest.length === 0) {
    let filter = attr
    if (found.has('a')) filter |= Attr.Array
    if (found.has('A')) filter |= Attr.Assoc
    if (sh.setup.posix === true) {
      let text = ''
      for (const name of sh.vars.names()) {
        const variable = sh.vars.lookup(name)!
        if ((variable.attrs & attr) === 0) continue
        const value = sh.vars.get(name)
        text += `${command} ${name}${value === undefined ? '' : `='${value.replaceAll("'", "'\"'\"'")}'`}\n`
      }
      await sh.write(1, text)
      return 0
    }
    return showAll(sh, filter)
  }
  let status = 0
  for (const word of found.rest) {
    const item = operand(word, arrays)
    if (item === undefined || (item.subscript !== undefined && item.value === undefined)) {
      status = await fail(sh, command, `\`${word}': not a valid identifier`)
      continue
    }
    const add = (off ? 0 : attr) | (found.has('a') ? Attr.Array : 0) | (found.has('A') ? Attr.Assoc : 0)
    if (sh.options.xtrace && item.value !== undefined)
      await trace(sh, `${item.name}=${item.value === '' ? '' : traceWords(sh, [item.value])}`)
    try {
      await declareOne(sh, item, { add, remove: off ? attr : 0, isLocal: false, inherit: false, global: false })
    } catch (error) {
      if (!(error instanceof ShellError) || error.severity === 'shell') throw error
      await sh.report(error.message)
      status = 1
    }
  }
  return status
}

/** export [-fn] [name[=value] …] or export -p */
export function exportCommand(sh: Shell, words: readonly string[], arrays: SimpleNode['declared']): Promise<number> {
  return mark(sh, words, arrays, Attr.Export, 'fnp')
}

/** readonly [-aAf] [name[=value] …] or readonly -p */
export function readonly(sh: Shell, words: readonly string[], arrays: SimpleNode['declared']): Promise<number> {
  return mark(sh, words, arrays, Attr.Readonly, 'aAfp')
}

/** unset [-f] [-v] [-n] [name …] */
export async function unset(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'fvn')
  if (found.has('f') && found.has('v')) {
    await fail(sh, 'unset', 'cannot simultaneously unset a function and a variable')
    throw new UsageError(1)
  }
  let status = 0
  for (const word of found.rest) {
    const place = found.has('f') ? undefined : await toPlace(sh, word)
    if (place === undefined) {
      const fn = sh.functions.get(word)
      if (fn?.readonly === true) status = await fail(sh, 'unset', `${word}: cannot unset: readonly function`)
      else if (fn !== undefined) sh.functions.delete(word)
      else if (!found.has('f') && !isIdentifier(word) && found.has('v'))
        status = await fail(sh, 'unset', `\`${word}': not a valid identifier`)
      continue
    }
    const variable = sh.vars.lookup(place.name)
    if (variable === undefined && !found.has('v') && !found.has('n') && place.subscript === undefined) {
      const fn = sh.functions.get(word)
      if (fn?.readonly === true) status = await fail(sh, 'unset', `${word}: cannot unset: readonly function`)
      else sh.functions.delete(word)
      continue
    }
    if (variable !== undefined && variable.attrs & Attr.Assoc && (place.subscript === '@' || place.subscript === '*')) {
      variable.assoc?.delete(place.subscript)
      continue
    }
    try {
      sh.vars.unset(place, found.has('n'))
    } catch (error) {
      if (!(error instanceof ShellError) || error.severity === 'shell') throw error
      status = await fail(sh, 'unset', error.message)
    }
  }
  return status
}
