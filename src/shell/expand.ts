/**
 * Expansion of words, in bash's order: braces, tildes, parameters, commands and arithmetic, then splitting and file
 * names. A word first becomes pieces, which remember what was quoted and what came from an expansion; the pieces then
 * become fields, a text, a pattern or a regular expression, as the place demands.
 */

import { expandBraces } from './brace.ts'
import { ShellError } from './control.ts'
import { glob } from './glob.ts'
import { expandParameter } from './parameter.ts'
import { parseText, parseWord } from './parser.ts'
import { bracketEnd, escapePattern, hasGlob, quoteRegex } from './pattern.ts'
import type { Shell } from './shell.ts'
import { commandSubstitution, processSubstitution } from './substitution.ts'
import { type ArithmeticNode, arithmeticSource, type WordNode, type WordPart } from './syntax.ts'

/** A stretch of an expanded word. */
export interface Piece {
  text: string
  quoted: boolean
  /** from an unquoted expansion: to be split at IFS */
  split: boolean
  /** unquoted characters of it may be special in a pattern */
  special: boolean
  /** instead of a text: between elements of $@ and the like; the text is what joins them where fields are not wanted */
  boundary?: boolean
}

/** What an unquoted expansion gives. */
export function expanded(text: string, quoted: boolean): Piece {
  return { text, quoted, split: !quoted, special: !quoted }
}

/** The elements of a list, quoted or not. `join` is put between them where no fields are wanted. */
export function listPieces(values: readonly string[], quoted: boolean, join: string): Piece[] {
  const pieces: Piece[] = []
  values.forEach((value, i) => {
    if (i > 0) pieces.push({ text: join, quoted, split: false, special: false, boundary: true })
    pieces.push(expanded(value, quoted))
  })
  return pieces
}

/**
 * Expands the parts of a word.
 * @param quoted whether they stand within double quotes
 * @param inner whether they are the word of an expansion, whose literal text is split as well
 */
export async function expandParts(
  sh: Shell,
  parts: readonly WordPart[],
  quoted: boolean,
  inner = false,
): Promise<Piece[]> {
  const pieces: Piece[] = []
  for (const part of parts) {
    switch (part.type) {
      case 'Literal':
        pieces.push({ text: part.value, quoted, split: inner && !quoted, special: false })
        break
      case 'SingleQuoted':
        pieces.push({ text: part.value, quoted: true, split: false, special: false })
        break
      case 'Escaped':
        pieces.push({ text: part.value, quoted: true, split: false, special: false })
        break
      case 'DoubleQuoted': {
        const content = await expandParts(sh, part.parts, true)
        // "$@" without parameters is nothing, not even an empty word
        if (content.length > 0 || part.parts.length === 0 || !part.parts.every(isList)) {
          pieces.push({ text: '', quoted: true, split: false, special: false })
        }
        pieces.push(...content)
        break
      }
      case 'ParameterExpansion':
        pieces.push(...(await expandParameter(sh, part, quoted)))
        break
      case 'CommandSubstitution':
        pieces.push(expanded(await commandSubstitution(sh, part.body, part.legacy), quoted))
        break
      case 'ArithmeticExpansion':
        pieces.push(expanded(String(await arithmetic(sh, arithmeticText(part.expression))), quoted))
        break
      case 'ProcessSubstitution':
        pieces.push({
          text: await processSubstitution(sh, part.body, part.direction),
          quoted: true,
          split: false,
          special: false,
        })
        break
      case 'TildeExpansion':
        pieces.push(...tilde(sh, part.user, quoted))
        break
      case 'Glob':
        pieces.push(...(await globPieces(sh, part.pattern, quoted)))
        break
      case 'BraceExpansion':
        // not where braces are expanded: the text again
        pieces.push(...(await expandParts(sh, [{ type: 'Literal', value: braceText(part) }], quoted, inner)))
        break
    }
  }
  return pieces
}

/** @returns whether a part gives a list, of which there may be no elements */
function isList(part: WordPart): boolean {
  if (part.type !== 'ParameterExpansion') return false
  if (part.operation?.type === 'ArrayKeys' || part.operation?.type === 'VarNamePrefix') return !part.operation.star
  if (part.operation?.type === 'Length') return false
  if (part.operation?.type === 'UseAlternative' || part.operation?.type === 'DefaultValue') {
    return (
      part.operation.word.parts.some(
        inner => isList(inner) || (inner.type === 'DoubleQuoted' && inner.parts.some(isList)),
      ) || part.parameter === '@'
    )
  }
  return part.parameter === '@' || part.parameter.endsWith('[@]') || part.operation?.type === 'Indirection'
}

function braceText(part: Extract<WordPart, { type: 'BraceExpansion' }>): string {
  const items = part.items.map(item => {
    if (item.type === 'Range') {
      const step = item.step === undefined ? '' : `..${item.step}`
      return `${item.startStr ?? item.start}..${item.endStr ?? item.end}${step}`
    }
    return item.word.parts
      .map(inner => (inner.type === 'Literal' ? inner.value : inner.type === 'Glob' ? inner.pattern : ''))
      .join('')
  })
  return `{${items.join(',')}}`
}

/** A glob part is as written: an extended pattern may hold quotes and expansions. */
async function globPieces(sh: Shell, pattern: string, quoted: boolean): Promise<Piece[]> {
  if (quoted || !/[$`'"\\]/.test(pattern) || !pattern.includes('(')) {
    return [{ text: pattern, quoted, split: false, special: true }]
  }
  const pieces: Piece[] = []
  let text = ''
  const flush = async (): Promise<void> => {
    if (text === '') return
    pieces.push(...(await expandParts(sh, parseWord(text).parts, false)).map(piece => ({ ...piece, split: false })))
    text = ''
  }
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!
    if ('?*+@!'.includes(c) && pattern[i + 1] === '(') {
      await flush()
      pieces.push({ text: `${c}(`, quoted: false, split: false, special: true })
      i++
    } else if (c === '|' || c === ')') {
      await flush()
      pieces.push({ text: c, quoted: false, split: false, special: true })
    } else if (c === "'" || c === '"') {
      const end = pattern.indexOf(c, i + 1)
      text += pattern.slice(i, end < 0 ? pattern.length : end + 1)
      i = end < 0 ? pattern.length : end
    } else if (c === '\\') text += c + (pattern[++i] ?? '')
    else text += c
  }
  await flush()
  return pieces
}

function tilde(sh: Shell, user: string | null, quoted: boolean): Piece[] {
  const home = sh.homeOf(user)
  if (home === undefined) return [{ text: `~${user ?? ''}`, quoted, split: false, special: false }]
  return [{ text: home, quoted: true, split: false, special: false }]
}

/** @returns a text within which tildes at the beginning of literal text are expanded too: `~+` is literal to the parser */
function tildePlus(sh: Shell, parts: readonly WordPart[]): readonly WordPart[] {
  const [first] = parts
  if (first?.type !== 'Literal' || !/^~[+-]?\d*(?:\/|$)/.test(first.value) || first.value[0] !== '~') return parts
  const prefix = /^~([+-]?\d*)/.exec(first.value)!
  const rest: WordPart = { type: 'Literal', value: first.value.slice(prefix[0].length) }
  const expansion = sh.homeOf(prefix[1] === '' ? null : prefix[1]!)
  if (expansion === undefined) return parts
  const head: WordPart = { type: 'SingleQuoted', value: expansion }
  return [head, ...(rest.value === '' ? [] : [rest]), ...parts.slice(1)]
}

/** Expands words to the fields of a command. */
export async function expandWords(sh: Shell, words: readonly WordNode[]): Promise<string[]> {
  const fields: string[] = []
  for (const word of words) {
    const only = word.parts[0]
    if (word.parts.length === 1 && only?.type === 'Literal' && only.value[0] !== '~') {
      fields.push(only.value)
      continue
    }
    for (const single of sh.options.on('braceexpand') ? braces(word) : [word]) {
      const pieces = await expandParts(sh, tildePlus(sh, single.parts), false)
      for (const field of toFields(sh, pieces)) fields.push(...fileNames(sh, field))
    }
  }
  return fields
}

function braces(word: WordNode): WordNode[] {
  try {
    return expandBraces(word)
  } catch (error) {
    if (error instanceof RangeError) throw new ShellError('brace expansion: failed to allocate memory', 1, 'line')
    throw error
  }
}

interface Field {
  text: string
  /** the same with quoted special characters behind a backslash */
  pattern: string
}

/** Splits pieces into fields. */
function toFields(sh: Shell, pieces: readonly Piece[]): Field[] {
  const ifs = sh.ifs
  const fields: Field[] = []
  let current: Field | undefined
  /** the last field ended at white space, and a delimiter right after belongs to that end */
  let afterBlank = false
  const finish = (): void => {
    if (current !== undefined) fields.push(current)
    current = undefined
  }
  const add = (text: string, pattern: string): void => {
    if (current === undefined) current = { text, pattern }
    else {
      current.text += text
      current.pattern += pattern
    }
    afterBlank = false
  }
  for (const piece of pieces) {
    if (piece.boundary === true) {
      finish()
      afterBlank = false
      continue
    }
    if (piece.quoted) add(piece.text, escapePattern(piece.text))
    else if (!piece.split) {
      if (piece.text !== '') add(piece.text, piece.special ? piece.text : escapePattern(piece.text))
    } else {
      let start = 0
      const { text } = piece
      for (let i = 0; i < text.length; i++) {
        const c = text[i]!
        if (!ifs.includes(c)) continue
        if (i > start) add(text.slice(start, i), wordPattern(text.slice(start, i)))
        start = i + 1
        if (c === ' ' || c === '\t' || c === '\n') {
          if (current !== undefined) {
            finish()
            afterBlank = true
          }
        } else if (current !== undefined) {
          finish()
          afterBlank = false
        } else if (afterBlank) afterBlank = false
        else fields.push({ text: '', pattern: '' })
      }
      if (start < text.length) add(text.slice(start), wordPattern(text.slice(start)))
    }
  }
  finish()
  return fields
}

/** What came from an expansion is a pattern as it is; a backslash in it quotes only before special characters. */
function wordPattern(text: string): string {
  return text.includes('\\') ? text.replace(/\\(?![*?[\]\\])/g, '\\\\') : text
}

/** Pathname expansion of one field. */
function fileNames(sh: Shell, field: Field): string[] {
  const { options } = sh
  if (options.on('noglob') || !hasGlob(field.pattern, options.extglob)) return [field.text]
  const ignore = sh.vars.get('GLOBIGNORE')
  const found = glob(sh.proc, field.pattern, {
    dotglob: options.has('dotglob'),
    extglob: options.extglob,
    globstar: options.has('globstar'),
    nocaseglob: options.has('nocaseglob'),
    ignore: ignore === undefined || ignore === '' ? [] : ignore.split(':'),
  })
  if (found.length > 0) return found
  if (options.has('failglob')) throw new ShellError(`no match: ${field.text}`, 1, 'line')
  return options.has('nullglob') ? [] : [field.text]
}

/** Expands a word to one text: no splitting, no file names. */
export async function expandString(sh: Shell, word: WordNode): Promise<string> {
  const only = word.parts[0]
  if (only === undefined) return ''
  if (word.parts.length === 1 && only.type === 'Literal' && only.value[0] !== '~') return only.value
  return piecesToString(await expandParts(sh, tildePlus(sh, word.parts), false))
}

/** Expands the content of double quotes or of a here-document. */
export async function expandQuoted(sh: Shell, word: WordNode): Promise<string> {
  return piecesToString(await expandParts(sh, word.parts, true))
}

/** Expands a text as if in double quotes: subscripts, prompts, arithmetic. */
export async function expandText(sh: Shell, text: string): Promise<string> {
  if (!/[$`\\]/.test(text)) return text
  return expandQuoted(sh, parseText(text))
}

export function piecesToString(pieces: readonly Piece[]): string {
  if (pieces.length === 1) return pieces[0]!.text
  let out = ''
  for (const piece of pieces) out += piece.text
  return out
}

/** Expands a word to a pattern, with what was quoted behind backslashes. */
export async function expandPattern(sh: Shell, word: WordNode): Promise<string> {
  const pieces = await expandParts(sh, tildePlus(sh, word.parts), false)
  let out = ''
  for (const piece of pieces) {
    if (piece.quoted) out += escapePattern(piece.text)
    else if (piece.special || piece.split) out += piece.text
    else out += literalPattern(piece.text)
  }
  return out
}

/** Literal text is not special, but for brackets whose other half is not literal. */
function literalPattern(text: string): string {
  return text.includes('\\') ? text.replaceAll('\\', '\\\\') : text
}

/** Expands a word to a regular expression, with what was quoted taken literally. */
export async function expandRegex(sh: Shell, word: WordNode): Promise<string> {
  const pieces = await expandParts(sh, word.parts, false)
  let out = ''
  for (const piece of pieces) out += piece.quoted ? quoteRegex(piece.text) : piece.text
  return out
}

/** Expands the target of a redirection. @returns undefined where it is not exactly one word */
export async function expandTarget(sh: Shell, word: WordNode): Promise<string | undefined> {
  const fields = await expandWords(sh, [word])
  return fields.length === 1 ? fields[0] : undefined
}

export function arithmeticText(node: ArithmeticNode): string {
  return arithmeticSource(node)
}

/** Expands and evaluates an arithmetic expression. */
export async function arithmetic(sh: Shell, text: string): Promise<bigint> {
  return sh.evaluate(await expandText(sh, text))
}

/** @returns the elements of an array assignment */
export async function expandArray(
  sh: Shell,
  words: readonly WordNode[],
): Promise<{ subscript?: string; value: string; append?: boolean }[]> {
  const items: { subscript?: string; value: string; append?: boolean }[] = []
  for (const word of words) {
    const element = subscripted(word)
    if (element === undefined) {
      for (const value of await expandWords(sh, [word])) items.push({ value })
      continue
    }
    const subscript = piecesToString(await expandParts(sh, element.subscript, false))
    const value = await expandString(sh, { type: 'Word', parts: element.value })
    items.push({ subscript, value, append: element.append })
  }
  return items
}

/** @returns the halves of `[subscript]=value` */
function subscripted(word: WordNode): { subscript: WordPart[]; value: WordPart[]; append: boolean } | undefined {
  const [first] = word.parts
  const opening = first?.type === 'Glob' ? first.pattern : first?.type === 'Literal' ? first.value : ''
  if (!opening.startsWith('[')) return undefined
  const subscript: WordPart[] = []
  for (let i = 0; i < word.parts.length; i++) {
    const part = word.parts[i]!
    const text = part.type === 'Glob' ? part.pattern : part.type === 'Literal' ? part.value : undefined
    if (text === undefined) {
      subscript.push(part)
      continue
    }
    // the bracket closes in one part, the = may be in the next
    const next = word.parts[i + 1]
    const joined = next?.type === 'Literal' && part.type === 'Glob' ? text + next.value : text
    const from = i === 0 ? 1 : 0
    const close = /\](\+?)=/.exec(joined.slice(from))
    const whole = i === 0 && bracketEnd(joined, 0) >= 0 && close !== null
    if (close === null || (i === 0 && !whole && part.type === 'Glob' && !joined.includes(']'))) {
      if (text.length > from) subscript.push({ type: 'Literal', value: text.slice(from) })
      continue
    }
    const at = from + close.index
    if (at > from) subscript.push({ type: 'Literal', value: joined.slice(from, at) })
    const rest = joined.slice(at + close[0].length)
    const value: WordPart[] = rest === '' ? [] : [{ type: 'Literal', value: rest }]
    value.push(...word.parts.slice(joined === text ? i + 1 : i + 2))
    return { subscript, value, append: close[1] === '+' }
  }
  return undefined
}
