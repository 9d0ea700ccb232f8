/**
 * Where the bought parser comes in, and the only file that imports it. What it gives is corrected here where bash differs,
 * so that the interpreter sees one tree.
 */
import { parse } from 'just-bash'
import { markedBraces } from './brace.ts'
import { PARAMETER, ShellSyntaxError } from './lexer.ts'
import { readUnit, type Unit } from './reader.ts'
import {
  type AssignmentNode,
  COPROC_PREFIX,
  FOR_PREFIX,
  type ForNode,
  type FunctionDefNode,
  MARK_ARITHMETIC,
  MARK_ARRAY,
  MARK_BRACE,
  MARK_CLOSE,
  MARK_COMMA,
  MARK_NOTHING,
  MARK_OPEN,
  NESTED_PREFIX,
  type ParameterPart,
  SELECT_PREFIX,
  type SimpleNode,
  type StatementNode,
  type ToggleCase,
  type WordNode,
  type WordPart,
} from './syntax.ts'

/** A unit that can be parsed but not be run: bash finds such errors when it expands. */
export class BadSubstitution extends Error {}

/**
 * Parses what the reader found.
 * @returns its statements, their lines counted as the input's are
 * @throws ShellSyntaxError where the parser refuses what the reader let pass, or BadSubstitution
 */
export function parseUnit(unit: Pick<Unit, 'text' | 'line' | 'nested' | 'arithmetics'>): StatementNode[] {
  let statements: StatementNode[]
  try {
    statements = parse(unit.text).statements
  } catch (error) {
    throw translate(error, unit.line)
  }
  new Correction(unit.line - 1, unit.nested, unit.arithmetics).walk(statements)
  return statements
}

/**
 * Parses a text in which parameters, commands and arithmetic are expanded as in a here-document.
 * @throws ShellSyntaxError
 */
export function parseText(text: string): WordNode {
  const cached = texts.get(text)
  if (cached !== undefined) return cached
  let delimiter = 'E'
  while (`\n${text}\n`.includes(`\n${delimiter}\n`)) delimiter += 'E'
  const command = parseSimple(`:<<${delimiter}\n${text}\n${delimiter}\n`)
  const target = command.redirections[0]?.target
  const word: WordNode = target?.type === 'HereDoc' ? target.content : { type: 'Word', parts: [] }
  // the newline before the delimiter is not the text's
  const last = word.parts[word.parts.length - 1]
  if (last?.type === 'Literal') {
    last.value = last.value.slice(0, -1)
    if (last.value === '') word.parts.pop()
  }
  if (texts.size > 2000) texts.clear()
  texts.set(text, word)
  return word
}

const texts = new Map<string, WordNode>()
const words = new Map<string, WordNode>()

/** Parses a text as one word of a command, with all its quotes and expansions. @throws ShellSyntaxError */
export function parseWord(text: string): WordNode {
  const cached = words.get(text)
  if (cached !== undefined) return cached
  const word = parseSimple(`x=${MARK_NOTHING}${text}`).assignments[0]?.value ?? { type: 'Word', parts: [] }
  if (words.size > 2000) words.clear()
  words.set(text, word)
  return word
}

/** Parses the text of an array's value, with its parentheses. @returns its elements  @throws ShellSyntaxError */
export function parseArray(text: string): WordNode[] {
  return parseSimple(`x=${text}`).assignments[0]?.array ?? []
}

function translate(error: unknown, line: number): Error {
  if (!(error instanceof Error) || (error.name !== 'ParseException' && error.name !== 'LexerError')) {
    if (error instanceof RangeError) return new ShellSyntaxError('maximum nesting level exceeded', line)
    return error instanceof Error ? error : new Error(String(error))
  }
  const message = error.message.replace(/^(?:Parse error at \d+:\d+|line \d+): /, '')
  if (message.endsWith('bad substitution')) return new BadSubstitution(message)
  if (/^(?:syntax error|unexpected EOF)/.test(message))
    return new ShellSyntaxError(message.replace(/matching '(.)'/, "matching `$1'"), line, true)
  const token = 'token' in error && typeof error.token === 'object' && error.token !== null ? error.token : undefined
  if (token !== undefined && 'value' in token && typeof token.value === 'string' && token.value !== '') {
    return new ShellSyntaxError(`syntax error near unexpected token \`${token.value}'`, line, true)
  }
  return new ShellSyntaxError(`syntax error: ${message}`, line)
}

function parseSimple(text: string): SimpleNode {
  const unit = readUnit(text, 0, { final: true, extglob: true })
  const command = unit === undefined ? undefined : parseUnit(unit)[0]?.pipelines[0]?.commands[0]
  if (command?.type !== 'SimpleCommand') throw new ShellSyntaxError('syntax error', 1)
  return command
}

/** Walks a tree once and corrects it in place. */
class Correction {
  /** added to every line number */
  private readonly lines: number
  private readonly nested: readonly string[]
  private readonly arithmetics: readonly string[]

  constructor(lines: number, nested: readonly string[], arithmetics: readonly string[]) {
    this.lines = lines
    this.nested = nested
    this.arithmetics = arithmetics
  }

  walk(node: unknown): void {
    if (Array.isArray(node)) {
      for (const item of node) this.walk(item)
      return
    }
    if (typeof node !== 'object' || node === null) return
    const record = node as { type?: unknown; line?: unknown } & Record<string, unknown>
    if (this.lines !== 0 && typeof record.line === 'number') record.line += this.lines
    // the trees of arithmetic expressions are not used, only their text
    const arithmetic = record.type === 'ArithmeticExpression'
    if (record.type === 'Word') {
      // an alternative of a brace expansion is called so too, but has no parts
      const word = node as Partial<WordNode>
      if (word.parts?.some(hasBrace) === true) word.parts = markedBraces(word.parts)
    }
    for (const key in record) {
      const value = record[key]
      if (typeof value === 'string') {
        if (HIDDEN.test(value)) record[key] = this.shown(value)
      } else if (typeof value === 'object' && value !== null && !arithmetic) this.walk(value)
    }
    switch (record.type) {
      case 'SimpleCommand':
        correctSimple(node as SimpleNode)
        break
      case 'For': {
        const loop = node as ForNode
        const marked = LOOP_VARIABLE.exec(loop.variable)!
        if (marked[1] === SELECT_PREFIX) loop.select = true
        loop.line = Number(marked[2])
        loop.variable = marked[3]!
        break
      }
      case 'FunctionDef': {
        const definition = node as FunctionDefNode
        if (definition.name.startsWith(COPROC_PREFIX)) {
          definition.name = definition.name.slice(COPROC_PREFIX.length)
          definition.coproc = true
        }
        break
      }
      case 'Word':
        if (record['parts'] === undefined) break
        this.restore(node as WordNode)
        correctWord(node as WordNode)
        break
      case 'DoubleQuoted':
        this.restore(node as { parts: WordPart[] })
        stripMarks((node as { parts: WordPart[] }).parts)
        break
      case 'ParameterExpansion':
        correctParameter(node as ParameterPart)
        break
    }
  }

  /** Puts back the expansions that were hidden from the parser. */
  private restore(word: { parts: WordPart[] }): void {
    if (this.nested.length === 0) return
    word.parts = word.parts.flatMap(part => {
      if (part.type !== 'ParameterExpansion' || !part.parameter.startsWith(NESTED_PREFIX)) return [part]
      return hiddenExpansion(this.nested[Number(part.parameter.slice(NESTED_PREFIX.length))]!)
    })
  }

  /** @returns a text that the parser kept as it was, as it was written */
  private shown(text: string): string {
    return text
      .replace(HIDDEN_EXPANSION, (_, index: string) => this.nested[Number(index)] ?? '')
      .replace(HIDDEN_ARITHMETIC, (_, index: string) => this.arithmetics[Number(index)] ?? '')
      .replace(HIDDEN_BRACES, mark => (mark === MARK_CLOSE ? '}' : mark === MARK_COMMA ? ',' : '{'))
  }
}

const LOOP_VARIABLE = new RegExp(`^(${SELECT_PREFIX}|${FOR_PREFIX})(\\d+)__([^]*)$`)
const HIDDEN_EXPANSION = new RegExp(`\\$${NESTED_PREFIX}(\\d+)${MARK_NOTHING}`, 'g')
const HIDDEN_ARITHMETIC = new RegExp(`${MARK_ARITHMETIC}(\\d+)`, 'g')
const HIDDEN_BRACES = new RegExp(`[${MARK_OPEN}${MARK_COMMA}${MARK_CLOSE}${MARK_BRACE}]`, 'g')
const HIDDEN = new RegExp(`[${MARK_ARITHMETIC}${MARK_OPEN}${MARK_COMMA}${MARK_CLOSE}${MARK_BRACE}]|\\$${NESTED_PREFIX}`)

function hasBrace(part: WordPart): boolean {
  return (
    (part.type === 'Literal' && part.value.includes(MARK_OPEN)) ||
    (part.type === 'Glob' && part.pattern.includes(MARK_OPEN))
  )
}

/** @returns the parts that the text of a `${…}` stands for that the parser has not seen */
function hiddenExpansion(text: string): WordPart[] {
  const content = text.slice(2, -1)
  // ${x~} and ${x~~} change the case of letters
  const match = /^((?:[A-Za-z_][A-Za-z0-9_]*|\d+|[@*])(?:\[[\s\S]*\])?)(~~?)([\s\S]*)$/.exec(content)
  if (match !== null) {
    const pattern = match[3] === '' ? null : parseWord(match[3]!)
    const operation: ToggleCase = {
      type: 'CaseModification',
      direction: 'upper',
      all: match[2] === '~~',
      pattern,
      toggle: true,
    }
    return [{ type: 'ParameterExpansion', parameter: match[1]!, operation }]
  }
  if (!PARAMETER.test(content))
    return [{ type: 'ParameterExpansion', parameter: '', operation: { type: 'BadSubstitution', text: content } }]
  return parseWord(text).parts
}

function correctSimple(command: SimpleNode): void {
  // bash counts the line where it has read one word ahead
  const ahead = command.name === null ? undefined : command.args[0]
  if (ahead !== undefined && command.line !== undefined) command.line += newlines(ahead.parts)
  let declared: number[] | undefined
  command.args.forEach((word, index) => {
    const part = word.parts[0]
    if (part?.type === 'Literal' && part.value.startsWith(MARK_ARRAY)) (declared ??= []).push(index)
  })
  if (declared === undefined) return
  const moved = command.assignments.splice(command.assignments.length - declared.length)
  command.declared = new Map(declared.map((index, n): [number, AssignmentNode] => [index, moved[n]!]))
}

/** Newlines within the quotes of a word. */
function newlines(parts: WordNode['parts']): number {
  let count = 0
  for (const part of parts) {
    if (part.type === 'DoubleQuoted') count += newlines(part.parts)
    else if (part.type === 'SingleQuoted' || (part.type === 'Literal' && !part.value.startsWith(MARK_ARRAY)))
      count += part.value.split('\n').length - 1
  }
  return count
}

function stripMarks(parts: WordPart[]): void {
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!
    if (part.type !== 'Literal' || !part.value.includes(MARK_NOTHING)) continue
    part.value = part.value.replaceAll(MARK_NOTHING, '')
    if (part.value === '' && parts.length > 1) parts.splice(i--, 1)
  }
}

function correctWord(word: WordNode): void {
  const { parts } = word
  stripMarks(parts)
  // a tilde after = is expanded only in what looks like an assignment
  for (let i = 1; i < parts.length; i++) {
    const part = parts[i]!
    if (part.type !== 'TildeExpansion') continue
    const before = parts[i - 1]!
    if (before.type !== 'Literal') continue
    const head = parts[0]!.type === 'Literal' ? parts[0]!.value : ''
    if (before.value.endsWith('=') && !/^[A-Za-z_][A-Za-z0-9_]*\+?=/.test(head) && i === 1) {
      parts[i] = { type: 'Literal', value: `~${part.user ?? ''}` }
    }
  }
}

function correctParameter(part: ParameterPart): void {
  const { operation } = part
  if (operation === null) return
  if (
    part.parameter === '#' &&
    operation.type === 'PatternRemoval' &&
    operation.side === 'prefix' &&
    !operation.greedy
  ) {
    const [only] = operation.pattern.parts
    if (operation.pattern.parts.length === 0 || (only?.type === 'Literal' && only.value === ''))
      part.operation = { type: 'Length' }
  }
  if (operation.type === 'CaseModification' && operation.pattern !== null) {
    const [only] = operation.pattern.parts
    if (operation.pattern.parts.length === 1 && only?.type === 'Literal') operation.pattern = parseWord(only.value)
  }
}
