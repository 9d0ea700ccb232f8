/** Parameter expansion, bash(1) "Parameter Expansion". */
import { decode, encode, hasHighBytes } from '../../commands/coreutils/lib/bytes.ts'
import { unescapeText } from '../../commands/coreutils/lib/escape.ts'
import { ShellError } from './control.ts'
import {
  arithmetic,
  arithmeticText,
  expanded,
  expandParts,
  expandPattern,
  expandString,
  expandText,
  listPieces,
  type Piece,
  piecesToString,
} from './expand.ts'
import { parseText, parseWord } from './parser.ts'
import { matches, type PatternOptions, removePrefix, removeSuffix, replacePattern } from './pattern.ts'
import { expandPrompt } from './prompt.ts'
import { declareQuote, reuseQuote } from './quote.ts'
import type { Shell } from './shell.ts'
import type { ParameterOperation, ParameterPart, ToggleCase, WordNode } from './syntax.ts'
import { Attr, isIdentifier, lowerCase, type Place, parsePlace, upperCase } from './variables.ts'

/** What a parameter stands for. */
export type ParameterValue =
  | { readonly kind: 'unset' }
  | { readonly kind: 'scalar'; readonly value: string }
  | { readonly kind: 'list'; readonly values: readonly string[]; readonly star: boolean }

type InnerOperation = Extract<ParameterOperation, { type: 'Indirection' }>['innerOp']

const UNSET: ParameterValue = { kind: 'unset' }
const scalar = (value: string | undefined): ParameterValue => (value === undefined ? UNSET : { kind: 'scalar', value })

/** Expands the subscript of an array: a key of an associative one, else an arithmetic expression. */
export async function expandPlace(sh: Shell, place: Place): Promise<Place> {
  const { name, subscript } = place
  if (subscript === undefined || !/[$`\\'"~]/.test(subscript)) return place
  const variable = sh.vars.lookup(sh.vars.resolve(name)?.name ?? name)
  if (variable !== undefined && variable.attrs & Attr.Assoc) {
    return { name, subscript: await expandString(sh, parseWord(subscript)) }
  }
  return { name, subscript: await expandText(sh, subscript) }
}

/** @returns name and expanded subscript of a text, undefined if it names no variable */
export async function toPlace(sh: Shell, text: string): Promise<Place | undefined> {
  const place = parsePlace(text)
  return place === undefined ? undefined : expandPlace(sh, place)
}

/** @returns what a parameter stands for: a special one, a position, a variable, an element */
export async function parameterValue(sh: Shell, parameter: string): Promise<ParameterValue> {
  if (/^\d+$/.test(parameter)) return scalar(parameter === '0' ? sh.name0 : sh.positional[Number(parameter) - 1])
  switch (parameter) {
    case '@':
    case '*':
      return { kind: 'list', values: sh.positional, star: parameter === '*' }
    case '#':
      return scalar(String(sh.positional.length))
    case '?':
      return scalar(String(sh.lastStatus))
    case '-':
      return scalar(sh.options.flags)
    case '$':
      return scalar(String(sh.shellPid))
    case '!':
      return scalar(sh.lastBackgroundPid === undefined ? undefined : String(sh.lastBackgroundPid))
  }
  const open = parameter.indexOf('[')
  if (open < 0) {
    const target = sh.vars.lookup(parameter)
    if (
      target !== undefined &&
      target.attrs & Attr.Nameref &&
      target.value !== undefined &&
      /\[[@*]\]$/.test(target.value)
    ) {
      return parameterValue(sh, target.value)
    }
    return scalar(sh.vars.get(parameter))
  }
  const name = parameter.slice(0, open)
  const subscript = parameter.slice(open + 1, -1)
  if (subscript === '@' || subscript === '*') {
    return { kind: 'list', values: sh.vars.elements(name)?.values ?? [], star: subscript === '*' }
  }
  if (subscript === '') throw new ShellError(`${parameter}: bad substitution`)
  return scalar(sh.vars.at(await expandPlace(sh, { name, subscript })))
}

function emit(sh: Shell, value: ParameterValue, quoted: boolean): Piece[] {
  switch (value.kind) {
    case 'unset':
      return quoted ? [] : []
    case 'scalar':
      return [expanded(value.value, quoted)]
    case 'list': {
      if (value.star && quoted) return [expanded(value.values.join(sh.ifsJoin), true)]
      return listPieces(value.values, quoted, value.star ? sh.ifsJoin : ' ')
    }
  }
}

/** Expands one parameter expansion to pieces. */
export async function expandParameter(sh: Shell, part: ParameterPart, quoted: boolean): Promise<Piece[]> {
  const { parameter, operation } = part
  if (operation === null) {
    if (parameter === '') throw new ShellError('${}: bad substitution')
    const value = await parameterValue(sh, parameter)
    if (value.kind === 'unset') checkUnset(sh, parameter)
    return emit(sh, value, quoted)
  }
  switch (operation.type) {
    case 'VarNamePrefix': {
      const names = sh.vars
        .names()
        .filter(name => name.startsWith(operation.prefix) && sh.vars.lookup(name)?.attrs !== undefined)
      return emit(sh, { kind: 'list', values: names, star: operation.star }, quoted)
    }
    case 'ArrayKeys': {
      const keys = sh.vars.elements(operation.array)?.keys ?? []
      return emit(sh, { kind: 'list', values: keys, star: operation.star }, quoted)
    }
    case 'Indirection': {
      const reference = sh.vars.lookup(parameter)
      if (reference !== undefined && reference.attrs & Attr.Nameref && operation.innerOp === undefined) {
        return emit(sh, scalar(reference.value), quoted)
      }
      const target = await indirect(sh, parameter)
      if (operation.innerOp === undefined) {
        const value = target === undefined ? UNSET : await parameterValue(sh, target)
        if (value.kind === 'unset') checkUnset(sh, target ?? parameter)
        return emit(sh, value, quoted)
      }
      return operate(
        sh,
        target ?? '',
        target === undefined ? UNSET : await parameterValue(sh, target),
        operation.innerOp,
        quoted,
      )
    }
    default:
      return operate(sh, parameter, await parameterValue(sh, parameter), operation, quoted)
  }
}

/** @returns the name in a variable, as ${!x} follows it; the target's name for a nameref */
async function indirect(sh: Shell, parameter: string): Promise<string | undefined> {
  const variable = sh.vars.lookup(parameter)
  if (variable !== undefined && variable.attrs & Attr.Nameref) return undefined
  const value = await parameterValue(sh, parameter)
  const name = value.kind === 'scalar' ? value.value : value.kind === 'list' ? value.values.join(' ') : undefined
  if (name === undefined) {
    if (isIdentifier(parameter) || parsePlace(parameter) !== undefined)
      throw new ShellError(`${parameter}: invalid indirect expansion`)
    return undefined
  }
  if (!/^(?:[A-Za-z_][A-Za-z0-9_]*(?:\[[\s\S]+\])?|\d+|[@*#?$!-])$/.test(name))
    throw new ShellError(`${name}: invalid variable name`)
  return name
}

function checkUnset(sh: Shell, parameter: string): void {
  if (sh.options.nounset && parameter !== '@' && parameter !== '*')
    sh.unbound(/^\d+$/.test(parameter) ? `$${parameter}` : parameter)
}

async function operate(
  sh: Shell,
  parameter: string,
  value: ParameterValue,
  operation: Exclude<NonNullable<InnerOperation>, undefined>,
  quoted: boolean,
): Promise<Piece[]> {
  const isNull = (checkEmpty: boolean): boolean => {
    if (value.kind === 'unset') return true
    if (value.kind === 'list') return value.values.length === 0 || (checkEmpty && value.values.join(' ') === '')
    return checkEmpty && value.value === ''
  }
  switch (operation.type) {
    case 'DefaultValue':
      return isNull(operation.checkEmpty) ? word(sh, operation.word, quoted) : emit(sh, value, quoted)
    case 'UseAlternative':
      return isNull(operation.checkEmpty) ? [] : word(sh, operation.word, quoted)
    case 'AssignDefault': {
      if (!isNull(operation.checkEmpty)) return emit(sh, value, quoted)
      const text = piecesToString(await word(sh, operation.word, quoted))
      const place = await toPlace(sh, parameter)
      if (place === undefined) throw new ShellError(`$${parameter}: cannot assign in this way`)
      sh.vars.setAt(place, text)
      return [expanded(sh.vars.at(place) ?? text, quoted)]
    }
    case 'ErrorIfUnset': {
      if (!isNull(operation.checkEmpty)) return emit(sh, value, quoted)
      const text = operation.word === null ? '' : piecesToString(await word(sh, operation.word, quoted))
      const message = text === '' ? (operation.checkEmpty ? 'parameter null or not set' : 'parameter not set') : text
      throw new ShellError(`${parameter}: ${message}`, 127, 'shell')
    }
    case 'Length':
      return [expanded(String(await length(sh, parameter, value)), quoted)]
    case 'LengthSliceError':
      throw new ShellError(`\${#${parameter}}: bad substitution`)
    case 'BadSubstitution':
      throw new ShellError(`\${${operation.text}}: bad substitution`)
    case 'Substring':
      return emit(sh, await substring(sh, parameter, value, operation), quoted)
  }
  if (value.kind === 'unset') {
    checkUnset(sh, parameter)
    if (operation.type !== 'Transform') return []
  }
  if (
    operation.type === 'Transform' &&
    (operation.operator === 'A' ||
      operation.operator === 'K' ||
      operation.operator === 'k' ||
      operation.operator === 'a')
  ) {
    return emit(sh, attributes(sh, parameter, value, operation.operator), quoted)
  }
  if (value.kind === 'unset') return []
  const change = await changer(sh, operation)
  if (value.kind === 'scalar') return [expanded(change(value.value), quoted)]
  return emit(sh, { kind: 'list', values: value.values.map(change), star: value.star }, quoted)
}

/** Expands the word of an operator, as pieces of the word around it. */
async function word(sh: Shell, node: WordNode, quoted: boolean): Promise<Piece[]> {
  return expandParts(sh, node.parts, quoted, true)
}

async function length(sh: Shell, parameter: string, value: ParameterValue): Promise<number> {
  if (value.kind === 'list') return value.values.length
  if (value.kind === 'unset') {
    checkUnset(sh, parameter)
    return 0
  }
  return sh.utf8 && hasHighBytes(value.value) ? [...decode(value.value)].length : value.value.length
}

async function substring(
  sh: Shell,
  parameter: string,
  value: ParameterValue,
  operation: Extract<ParameterOperation, { type: 'Substring' }>,
): Promise<ParameterValue> {
  const offset = Number(await arithmetic(sh, arithmeticText(operation.offset)))
  const length = operation.length === null ? undefined : Number(await arithmetic(sh, arithmeticText(operation.length)))
  if (value.kind === 'list') {
    const positions = parameter === '@' || parameter === '*'
    if (length !== undefined && length < 0) throw new ShellError(`${length}: substring expression < 0`)
    if (positions) {
      // $0 counts, where the offset is 0 or reaches it from the end
      const all = [sh.name0, ...value.values]
      const start = offset < 0 ? all.length + offset : offset
      if (start < 0) return { kind: 'list', values: [], star: value.star }
      const values = all.slice(start, length === undefined ? undefined : start + length)
      return { kind: 'list', values, star: value.star }
    }
    const name = parameter.slice(0, parameter.indexOf('['))
    const elements = sh.vars.elements(name)
    const variable = sh.vars.lookup(sh.vars.resolve(name)?.name ?? name)
    if (elements === undefined) return { kind: 'list', values: [], star: value.star }
    if (variable !== undefined && variable.attrs & Attr.Assoc) {
      const start = offset > 0 ? offset - 1 : offset
      return {
        kind: 'list',
        values: elements.values.slice(start, length === undefined ? undefined : start + length),
        star: value.star,
      }
    }
    const last = Number(elements.keys[elements.keys.length - 1] ?? -1)
    const start = offset < 0 ? last + 1 + offset : offset
    if (start < 0) return { kind: 'list', values: [], star: value.star }
    const from = elements.keys.findIndex(key => Number(key) >= start)
    const values = from < 0 ? [] : elements.values.slice(from, length === undefined ? undefined : from + length)
    return { kind: 'list', values, star: value.star }
  }
  if (value.kind === 'unset') {
    checkUnset(sh, parameter)
    return UNSET
  }
  const wide = sh.utf8 && hasHighBytes(value.value)
  const characters = wide ? [...decode(value.value)] : value.value
  const size = characters.length
  const start = offset < 0 ? size + offset : offset
  if (start < 0 || start > size) return { kind: 'scalar', value: '' }
  let end = length === undefined ? size : length < 0 ? size + length : start + length
  if (end < start) {
    if (length !== undefined && length < 0) throw new ShellError(`${length}: substring expression < 0`)
    end = start
  }
  return {
    kind: 'scalar',
    value:
      typeof characters === 'string' ? characters.slice(start, end) : encode(characters.slice(start, end).join('')),
  }
}

/** @returns the function that an operator applies to each value */
async function changer(
  sh: Shell,
  operation: Extract<
    ParameterOperation,
    { type: 'PatternRemoval' | 'PatternReplacement' | 'CaseModification' | 'Transform' }
  >,
): Promise<(value: string) => string> {
  const options: PatternOptions = { extglob: sh.options.extglob, ignoreCase: sh.options.has('nocasematch') }
  /** runs a change on characters where the locale has characters of several bytes */
  const onCharacters = (pattern: string, change: (value: string, pattern: string) => string) => {
    if (!sh.utf8) return (value: string) => change(value, pattern)
    const wide = decode(pattern)
    return (value: string) =>
      hasHighBytes(value) || wide !== pattern ? encode(change(decode(value), wide)) : change(value, pattern)
  }
  switch (operation.type) {
    case 'PatternRemoval': {
      const exact: PatternOptions = { extglob: sh.options.extglob }
      const remove = operation.side === 'prefix' ? removePrefix : removeSuffix
      return onCharacters(await expandPattern(sh, operation.pattern), (value, pattern) =>
        remove(value, pattern, operation.greedy, exact),
      )
    }
    case 'PatternReplacement': {
      const pattern = await expandPattern(sh, operation.pattern)
      const replacement = await replacementOf(sh, operation.replacement)
      return onCharacters(pattern, (value, wide) => {
        const decoded = sh.utf8 && (wide !== pattern || hasHighBytes(value))
        return replacePattern(
          value,
          wide,
          match => (decoded ? decode(replacement(encode(match))) : replacement(match)),
          operation,
          options,
        )
      })
    }
    case 'CaseModification': {
      const pattern = operation.pattern === null ? undefined : await expandPattern(sh, operation.pattern)
      const { toggle } = operation as ToggleCase
      return value =>
        modifyCase(value, toggle === true ? 'toggle' : operation.direction, operation.all, pattern, options)
    }
    case 'Transform':
      return transform(sh, operation.operator)
  }
}

/** @returns what a match is replaced with: an unquoted & stands for the match */
async function replacementOf(sh: Shell, node: WordNode | null): Promise<(match: string) => string> {
  if (node === null) return () => ''
  const pieces = await expandParts(sh, node.parts, false)
  if (!sh.options.has('patsub_replacement') || !pieces.some(piece => piece.text.includes('&'))) {
    const text = piecesToString(pieces)
    return () => text
  }
  return match => {
    let out = ''
    for (const piece of pieces) {
      if (piece.quoted) out += piece.text
      else out += piece.text.replace(/\\(&)|&/g, (_all, literal: string | undefined) => literal ?? match)
    }
    return out
  }
}

function modifyCase(
  value: string,
  direction: 'upper' | 'lower' | 'toggle',
  all: boolean,
  pattern: string | undefined,
  options: PatternOptions,
): string {
  const change = direction === 'upper' ? upperCase : direction === 'lower' ? lowerCase : toggleCase
  if (pattern === undefined) return all ? change(value) : change(value.slice(0, 1)) + value.slice(1)
  const letters = [...value]
  for (let i = 0; i < (all ? letters.length : Math.min(1, letters.length)); i++) {
    if (matches(pattern, letters[i]!, options)) letters[i] = change(letters[i]!)
  }
  return letters.join('')
}

/** @returns a byte string with each ASCII letter in the other case */
function toggleCase(text: string): string {
  return text.replace(/[A-Za-z]/g, c => (c < 'a' ? c.toLowerCase() : c.toUpperCase()))
}

function transform(sh: Shell, operator: string): (value: string) => string {
  switch (operator) {
    case 'Q':
      return value => reuseQuote(value, sh.utf8)
    case 'E':
      return value => unescapeText(value, 'ansi', sh.utf8).text
    case 'P':
      return value => expandPrompt(sh, value)
    case 'U':
      return upperCase
    case 'u':
      return value => upperCase(value.slice(0, 1)) + value.slice(1)
    case 'L':
      return lowerCase
    default:
      return value => value
  }
}

/** ${x@A}, @a, @K and @k. */
function attributes(
  sh: Shell,
  parameter: string,
  value: ParameterValue,
  operator: 'A' | 'a' | 'K' | 'k',
): ParameterValue {
  const name = parameter.replace(/\[.*$/s, '')
  const variable = sh.vars.lookup(name)
  if (operator === 'a') {
    if (variable === undefined) return parameter === '@' ? { kind: 'list', values: [], star: false } : UNSET
    const letters = sh.attributeLetters(variable.attrs)
    return value.kind === 'list'
      ? { kind: 'list', values: value.values.map(() => letters), star: value.star }
      : { kind: 'scalar', value: letters }
  }
  if (operator === 'A') {
    if (parameter === '@' || parameter === '*') {
      return { kind: 'scalar', value: `set -- ${sh.positional.map(each => reuseQuote(each, sh.utf8)).join(' ')}` }
    }
    if (variable === undefined || value.kind === 'unset') return UNSET
    if (value.kind === 'list') {
      const letters = sh.attributeLetters(variable.attrs)
      const text = sh.valueText(name, variable)
      return {
        kind: 'list',
        values: ['declare', `-${letters}`, text === undefined ? name : `${name}=${text}`],
        star: value.star,
      }
    }
    const letters = sh.attributeLetters(variable.attrs)
    const text = `${name}=${reuseQuote(value.value, sh.utf8)}`
    return { kind: 'scalar', value: letters === '' ? text : `declare -${letters} ${text}` }
  }
  if (value.kind === 'unset') return UNSET
  if (value.kind === 'scalar') return { kind: 'scalar', value: reuseQuote(value.value, sh.utf8) }
  const elements = sh.vars.elements(name)
  if (elements === undefined) return UNSET
  if (operator === 'k')
    return { kind: 'list', values: elements.keys.flatMap((key, i) => [key, elements.values[i]!]), star: value.star }
  const pairs = elements.keys.map((key, i) => {
    const shown =
      variable !== undefined && variable.attrs & Attr.Assoc && !/^[A-Za-z0-9_./:-]+$/.test(key)
        ? declareQuote(key, sh.utf8)
        : key
    return `${shown} ${declareQuote(elements.values[i]!, sh.utf8)}`
  })
  return { kind: 'scalar', value: pairs.join(' ') + (variable !== undefined && variable.attrs & Attr.Assoc ? ' ' : '') }
}

/** @returns a text's word, for places that expand again what was expanded */
export function textWord(text: string): WordNode {
  return parseText(text)
}
