/**
 * The command reader: finds where the next complete command of a text ends, as bash reads its input, one command at a
 * time. It knows the grammar (bash(1) "SHELL GRAMMAR") but builds no tree; that is the parser's, which gets a text that is
 * known to be right. The reader is where bash's syntax errors come from, where aliases are substituted, and where the few
 * constructs are rewritten that the parser does not know.
 */
import { Incomplete, Lexer, Place, ShellSyntaxError, type Token } from './lexer.ts'
import { COPROC_PREFIX, FOR_PREFIX, MARK_ARRAY, SELECT_PREFIX } from './syntax.ts'

/** One complete command: a list up to its newline. */
export interface Unit {
  /** what the parser gets */
  readonly text: string
  /** expansions that stand as parameters NESTED_PREFIX0, 1, … in the text */
  readonly nested: readonly string[]
  /** arithmetic expressions that stand as MARK_ARITHMETIC0, 1, … */
  readonly arithmetics: readonly string[]
  /** as written */
  readonly source: string
  /** line of the text's first character */
  readonly line: number
  /** where the next unit begins */
  readonly end: number
  readonly endLine: number
  readonly warnings: readonly { readonly line: number; readonly text: string }[]
}

export interface ReaderOptions {
  /** line number of the text's first line, default 1 */
  line?: number
  /** whether nothing can follow the text: then an unfinished command is an error, not Incomplete */
  final: boolean
  extglob?: boolean
  aliases?: ReadonlyMap<string, string>
}

const RESERVED = new Set(
  'if then else elif fi for while until do done case esac in function select time { } ! [[ coproc'.split(' '),
)
const CLOSERS = new Set('then else elif fi do done esac in }'.split(' '))
const DECLARATIONS = new Set(['declare', 'typeset', 'local', 'export', 'readonly'])
const REDIRECTIONS = new Set(['<', '>', '>>', '<<', '<<-', '<<<', '<&', '>&', '<>', '>|', '&>', '&>>'])
const UNARY = /^-[abcdefghknoprstuvwxzGLNORS]$/
const BINARY = new Set(['=', '==', '!=', '=~', '<', '>', '-eq', '-ne', '-lt', '-le', '-gt', '-ge', '-nt', '-ot', '-ef'])
/** Nested compound commands. */
const MAX_NESTING = 180

/**
 * Reads the first complete command of `text` at or after `from`.
 * @returns undefined where only blanks and comments are left
 * @throws ShellSyntaxError, or Incomplete unless `options.final`
 */
export function readUnit(text: string, from: number, options: ReaderOptions): Unit | undefined {
  const reader = new CommandReader(text, options)
  reader.pos = from
  try {
    return reader.unit()
  } catch (error) {
    if (error instanceof RangeError) throw new ShellSyntaxError('maximum nesting level exceeded', reader.line)
    throw error
  }
}

class CommandReader extends Lexer {
  private readonly aliases: ReadonlyMap<string, string> | undefined
  /** aliases being expanded, and the position up to which each must not be expanded again */
  private busyAliases: { name: string; until: number; next: boolean }[] = []
  private nesting = 0

  constructor(text: string, options: ReaderOptions) {
    super(text, options)
    this.aliases = options.aliases !== undefined && options.aliases.size > 0 ? options.aliases : undefined
  }

  unit(): Unit | undefined {
    while (this.peek(Place.Assignment).kind === 'newline') this.take()
    const first = this.peek(Place.Assignment)
    if (first.kind === 'eof') return undefined
    const { line } = first
    const start = first.start
    this.list(token => token.kind === 'newline')
    const last = this.peek(Place.Assignment)
    if (last.kind === 'newline') this.take()
    else if (last.kind === 'eof') this.unfinishedHereDocuments()
    const source = this.text.slice(start, this.pos)
    const text = this.edited(start, this.pos)
    return {
      text,
      nested: this.nestedExpansions,
      arithmetics: this.arithmetics,
      source,
      line,
      end: this.pos,
      endLine: this.line,
      warnings: this.warnings,
    }
  }

  protected substitution(): void {
    const outer = this.pending
    this.pending = []
    if (this.peekCommand().kind === 'eof') this.missingParenthesis()
    if (!(this.peekCommand().kind === 'op' && this.peekCommand().text === ')')) {
      this.compoundList(
        token => token.kind === 'op' && token.text === ')',
        () => this.missingParenthesis(),
      )
    }
    const close = this.peekCommand()
    if (close.kind === 'eof') this.missingParenthesis()
    if (close.kind !== 'op' || close.text !== ')') this.unexpected(close)
    this.take()
    this.pending = outer
  }

  private missingParenthesis(): never {
    return this.missing(')', this.line + (this.text.endsWith('\n') || !this.final ? 0 : 1))
  }

  /** @returns the text from `from` to `to` with the edits that fall into it */
  private edited(from: number, to: number): string {
    const edits = this.edits.filter(edit => edit.at >= from && edit.at < to)
    edits.sort((a, b) => a.at - b.at)
    let out = ''
    let at = from
    for (const edit of edits) {
      if (edit.at < at) continue
      out += this.text.slice(at, edit.at) + edit.insert
      at = edit.at + edit.remove
    }
    return out + this.text.slice(at, to)
  }

  private unexpected(token: Token): never {
    if (token.kind === 'eof') {
      this.atEnd(
        () =>
          new ShellSyntaxError('syntax error: unexpected end of file', this.line + (this.text.endsWith('\n') ? 0 : 1)),
      )
    }
    const name = token.kind === 'newline' ? 'newline' : token.text
    throw new ShellSyntaxError(`syntax error near unexpected token \`${name}'`, token.line, true)
  }

  /** Looks at the word in command position, after aliases. */
  private peekCommand(): Token {
    for (;;) {
      const token = this.peek(Place.Assignment)
      if (this.aliases === undefined || token.kind !== 'word' || !token.plain || token.assignment !== undefined)
        return token
      if (!this.expandAlias(token)) return token
    }
  }

  private expandAlias(token: Token): boolean {
    const value = this.aliases?.get(token.text)
    this.busyAliases = this.busyAliases.filter(busy => busy.until > token.start)
    if (value === undefined || RESERVED.has(token.text) || this.busyAliases.some(busy => busy.name === token.text))
      return false
    this.again()
    this.text = this.text.slice(0, token.start) + value + this.text.slice(token.end)
    const grown = value.length - (token.end - token.start)
    for (const busy of this.busyAliases) busy.until += grown
    const until = token.start + value.length
    this.busyAliases.push({ name: token.text, until: until + 1, next: /[ \t]$/.test(value) })
    return true
  }

  /** An alias that ends in a blank has the next word looked up too. */
  private aliasArgument(token: Token): boolean {
    if (this.aliases === undefined || token.kind !== 'word' || !token.plain) return false
    const after = this.busyAliases.some(
      busy => busy.next && busy.until >= token.start && /^[ \t]*$/.test(this.text.slice(busy.until - 1, token.start)),
    )
    return after && this.expandAlias(token)
  }

  /** A list that ends at a token for which `ends` holds; the token is left. */
  private list(ends: (token: Token) => boolean): void {
    for (;;) {
      this.andOr()
      const token = this.peek(Place.Assignment)
      if (token.kind === 'eof' || ends(token)) return
      if (token.kind === 'op' && (token.text === ';' || token.text === '&')) {
        this.take()
        const next = this.peek(Place.Assignment)
        if (next.kind === 'eof' || ends(next)) return
        continue
      }
      this.unexpected(token)
    }
  }

  /** A list over several lines; there must be at least one command. `ends` says what may follow it. */
  private compoundList(
    ends: (token: Token) => boolean,
    atEof: () => never = () => this.unexpected(this.peek(Place.Assignment)),
  ): void {
    if (++this.nesting > MAX_NESTING) throw new ShellSyntaxError('maximum nesting level exceeded', this.line)
    this.newlines()
    for (;;) {
      const before = this.peekCommand()
      if (before.kind === 'eof') atEof()
      this.andOr()
      const token = this.peek(Place.Assignment)
      if (token.kind === 'eof') atEof()
      if (ends(token)) break
      if (token.kind === 'newline') this.newlines()
      else if (token.kind === 'op' && (token.text === ';' || token.text === '&')) {
        this.take()
        this.newlines()
      } else this.unexpected(token)
      const next = this.peekCommand()
      if (next.kind === 'eof') atEof()
      if (ends(next)) break
    }
    this.nesting--
  }

  private newlines(): void {
    while (this.peek(Place.Assignment).kind === 'newline') this.take()
  }

  private andOr(): void {
    this.pipeline()
    for (;;) {
      const token = this.peek(Place.Assignment)
      if (token.kind !== 'op' || (token.text !== '&&' && token.text !== '||')) return
      this.take()
      this.newlines()
      this.pipeline()
    }
  }

  private pipeline(): void {
    let prefixed = false
    for (;;) {
      const token = this.peekCommand()
      if (token.kind !== 'word' || !token.plain) break
      if (token.text === '!') this.take()
      else if (token.text === 'time') {
        this.take()
        for (
          let next = this.peek(Place.Assignment);
          next.kind === 'word' && (next.text === '-p' || next.text === '--');
          next = this.peek(Place.Assignment)
        ) {
          this.take()
        }
      } else break
      prefixed = true
    }
    if (prefixed) {
      const token = this.peekCommand()
      if (
        token.kind === 'newline' ||
        token.kind === 'eof' ||
        (token.kind === 'op' && (token.text === ';' || token.text === '&&' || token.text === '||'))
      )
        return
    }
    for (;;) {
      this.command()
      const token = this.peek(Place.Assignment)
      if (token.kind !== 'op' || (token.text !== '|' && token.text !== '|&')) return
      this.take()
      this.newlines()
    }
  }

  private command(): void {
    const token = this.peekCommand()
    if (token.kind === 'op') {
      if (token.text === '(') return this.parenthesis()
      if (!REDIRECTIONS.has(token.text)) this.unexpected(token)
      return this.simple()
    }
    if (token.kind === 'newline' || token.kind === 'eof') this.unexpected(token)
    if (token.kind === 'word' && token.plain && RESERVED.has(token.text)) {
      if (CLOSERS.has(token.text)) this.unexpected(token)
      return this.compound(token)
    }
    this.simple()
  }

  private simple(): void {
    const begin = this.peekCommand().start
    let name: string | undefined
    let nameStart = begin
    let arrays = 0
    let words = 0
    for (;;) {
      let token =
        name === undefined ? this.peekCommand() : this.peek(DECLARATIONS.has(name) ? Place.Assignment : Place.Word)
      if (token.kind === 'io' || (token.kind === 'op' && REDIRECTIONS.has(token.text))) {
        this.redirection()
        words++
        continue
      }
      if (token.kind === 'word' && name === undefined && token.assignment !== undefined) {
        this.take()
        words++
        continue
      }
      if (token.kind === 'word') {
        if (name !== undefined && this.aliasArgument(token)) token = this.peek(Place.Word)
        if (name === undefined) {
          name = token.text
          nameStart = token.start
          this.take()
          const next = this.peek(DECLARATIONS.has(name) ? Place.Assignment : Place.Word)
          if (next.kind === 'op' && next.text === '(') return this.functionBody(next, words)
          words++
          continue
        }
        this.take()
        words++
        if (token.assignment === 'array') this.moveArray(token, nameStart, arrays++)
        continue
      }
      if (token.kind === 'op' && token.text === '(') {
        this.take()
        const after = this.peek(Place.Word)
        this.unexpected(
          after.kind === 'op' && after.text === ')' ? token : words > 1 || name === undefined ? token : after,
        )
      }
      return
    }
  }

  /** An array assignment among the arguments of a declaration goes before the command, where the parser reads it. */
  private moveArray(token: Token, commandStart: number, index: number): void {
    const value = this.edited(token.start, token.end)
    this.edits = this.edits.filter(edit => edit.at < token.start || edit.at >= token.end)
    this.edit(commandStart, 0, `${value} `)
    this.edit(token.start, token.end - token.start, MARK_ARRAY + index)
  }

  /** `name ()` has been seen up to the parenthesis. */
  private functionBody(open: Token, words: number): void {
    if (words > 0) this.unexpected(open)
    this.take()
    const close = this.peek(Place.Word)
    if (close.kind !== 'op' || close.text !== ')') this.unexpected(close)
    this.take()
    this.newlines()
    this.functionCommand()
  }

  private functionCommand(): void {
    const token = this.peek(Place.Assignment)
    if (token.kind === 'op' && token.text === '(') return this.parenthesis()
    if (token.kind === 'word' && token.plain && RESERVED.has(token.text) && !CLOSERS.has(token.text)) {
      if (token.text !== '!' && token.text !== 'time' && token.text !== 'function' && token.text !== 'coproc')
        return this.compound(token)
    }
    this.unexpected(token)
  }

  private redirection(): void {
    if (this.peek(Place.Word).kind === 'io') this.take()
    const operator = this.peek(Place.Word)
    if (operator.kind !== 'op' || !REDIRECTIONS.has(operator.text)) this.unexpected(operator)
    this.take()
    const target = this.peek(Place.Word)
    if (target.kind === 'io') this.take()
    else if (target.kind !== 'word')
      this.unexpected(target.kind === 'eof' ? { ...target, kind: 'newline', text: '\n' } : target)
    else this.take()
    if (operator.text === '<<' || operator.text === '<<-') this.hereDocument(target.text, operator.text === '<<-')
  }

  private redirections(): void {
    for (;;) {
      const token = this.peek(Place.Word)
      if (token.kind === 'io' || (token.kind === 'op' && REDIRECTIONS.has(token.text))) this.redirection()
      else return
    }
  }

  private parenthesis(): void {
    this.take()
    if (this.text[this.pos] === '(' && this.arithmetic(this.pos + 1)) return this.redirections()
    this.compoundList(
      next => next.kind === 'op' && next.text === ')',
      () => this.unexpected(this.peek(Place.Assignment)),
    )
    this.expectOp(')')
    this.redirections()
  }

  private expectOp(text: string): void {
    const token = this.peek(Place.Assignment)
    if (token.kind !== 'op' || token.text !== text) this.unexpected(token)
    this.take()
  }

  private expectWord(...texts: string[]): string {
    const token = this.peek(Place.Assignment)
    if (token.kind !== 'word' || !token.plain || !texts.includes(token.text)) this.unexpected(token)
    this.take()
    return token.text
  }

  private listUntil(...words: string[]): string {
    this.compoundList(token => token.kind === 'word' && token.plain && words.includes(token.text))
    return this.expectWord(...words)
  }

  private compound(token: Token): void {
    switch (token.text) {
      case 'if': {
        this.take()
        this.listUntil('then')
        for (;;) {
          const next = this.listUntil('elif', 'else', 'fi')
          if (next === 'fi') break
          if (next === 'else') {
            this.listUntil('fi')
            break
          }
          this.listUntil('then')
        }
        break
      }
      case 'while':
      case 'until':
        this.take()
        this.listUntil('do')
        this.listUntil('done')
        break
      case 'for':
        this.take()
        this.forCommand()
        break
      case 'select':
        this.take()
        this.edit(token.start, token.end - token.start, 'for')
        this.forCommand(true)
        break
      case 'case':
        this.take()
        this.caseCommand()
        break
      case '{':
        this.take()
        this.listUntil('}')
        break
      case '[[':
        this.take()
        this.condition()
        break
      case 'function':
        this.take()
        this.functionKeyword()
        return
      case 'coproc':
        this.coproc(token)
        return
      default:
        this.unexpected(token)
    }
    this.redirections()
  }

  private forCommand(select = false): void {
    const variable = this.peek(Place.Word)
    if (!select && variable.kind === 'op' && variable.text === '(' && this.text[variable.start + 1] === '(') {
      this.take()
      const { line } = this
      const from = this.pos + 1
      if (!this.arithmetic(from, false)) {
        if (!this.final) throw new Incomplete()
        throw new ShellSyntaxError('syntax error: arithmetic expression required', line, true)
      }
      this.hideLoop(from, this.pos - 2)
      const next = this.peek(Place.Assignment)
      if (next.kind === 'op' && next.text === ';') this.take()
      this.newlines()
      this.doGroup()
      return
    }
    if (variable.kind !== 'word') this.unexpected(variable)
    this.take()
    this.edit(variable.start, 0, `${select ? SELECT_PREFIX : FOR_PREFIX}${variable.line}__`)
    this.newlines()
    let token = this.peek(Place.Assignment)
    if (token.kind === 'word' && token.plain && token.text === 'in') {
      this.take()
      for (token = this.peek(Place.Word); token.kind === 'word' || token.kind === 'io'; token = this.peek(Place.Word))
        this.take()
      if (token.kind === 'op' && token.text === ';') this.take()
      else if (token.kind !== 'newline') this.unexpected(token)
    } else if (token.kind === 'op' && token.text === ';') this.take()
    this.again()
    this.newlines()
    this.doGroup()
  }

  /** Hides the three expressions of an arithmetic `for`, whose text is between `from` and `to`. */
  private hideLoop(from: number, to: number): void {
    let depth = 0
    let start = from
    for (let i = from; i <= to; i++) {
      const c = this.text[i]
      if (c === '(') depth++
      else if (c === ')' && i < to) depth--
      if (i !== to && (c !== ';' || depth > 0)) continue
      const piece = this.text.slice(start, i)
      const lead = piece.length - piece.trimStart().length
      if (piece.trim() !== '') this.hideArithmetic(start + lead, start + lead + piece.trim().length)
      start = i + 1
    }
  }

  private doGroup(): void {
    if (this.expectWord('do', '{') === 'do') this.listUntil('done')
    else this.listUntil('}')
  }

  private caseCommand(): void {
    const word = this.peek(Place.Word)
    if (word.kind !== 'word' && word.kind !== 'io') this.unexpected(word)
    this.take()
    this.newlines()
    this.expectWord('in')
    for (;;) {
      while (this.peek(Place.Pattern).kind === 'newline') this.take()
      let token = this.peek(Place.Pattern)
      if (token.kind === 'word' && token.plain && token.text === 'esac') {
        this.take()
        return
      }
      if (token.kind === 'op' && token.text === '(') this.take()
      for (;;) {
        token = this.peek(Place.Pattern)
        if (token.kind !== 'word') this.unexpected(token)
        this.take()
        token = this.peek(Place.Pattern)
        if (token.kind === 'op' && token.text === '|') this.take()
        else if (token.kind === 'op' && token.text === ')') break
        else this.unexpected(token)
      }
      this.take()
      if (!this.caseClause()) return
    }
  }

  /** The commands of a clause and its terminator. @returns false after esac */
  private caseClause(): boolean {
    const ends = (token: Token): boolean =>
      (token.kind === 'op' && (token.text === ';;' || token.text === ';&' || token.text === ';;&')) ||
      (token.kind === 'word' && token.plain && token.text === 'esac')
    this.newlines()
    if (!ends(this.peekCommand())) this.compoundList(ends)
    const token = this.take()
    return token.kind === 'op'
  }

  private functionKeyword(): void {
    const name = this.peek(Place.Word)
    if (name.kind !== 'word') this.unexpected(name)
    this.take()
    const open = this.peek(Place.Word)
    if (open.kind === 'op' && open.text === '(' && /^\([ \t]*\)/.test(this.text.slice(open.start))) {
      this.take()
      this.expectOp(')')
    }
    this.again()
    this.newlines()
    this.functionCommand()
  }

  private coproc(token: Token): void {
    this.take()
    let name = 'COPROC'
    let next = this.peek(Place.Assignment)
    if (next.kind === 'word' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(next.text) && !RESERVED.has(next.text)) {
      const after = /^[ \t]+(\(|\{[ \t\n]|(?:if|while|until|for|case|select|\[\[)[ \t\n])/.test(
        this.text.slice(next.end),
      )
      if (after) {
        name = next.text
        this.take()
        next = this.peek(Place.Assignment)
      }
    }
    if (next.kind === 'newline' || next.kind === 'eof') this.unexpected({ ...next, kind: 'newline' })
    const compound =
      (next.kind === 'op' && next.text === '(') || (next.kind === 'word' && next.plain && RESERVED.has(next.text))
    this.edit(token.start, next.start - token.start, `${COPROC_PREFIX}${name}() ${compound ? '' : '{ '}`)
    if (compound) return this.command()
    this.simple()
    this.again()
    this.edit(this.pos, 0, '; }')
  }

  private condition(): void {
    this.conditionOr()
    const token = this.peek(Place.Condition)
    if (token.kind === 'word' && token.text === ']]') {
      this.take()
      return
    }
    this.conditionError(token)
  }

  private conditionError(token: Token): never {
    if (token.kind === 'eof') {
      this.atEnd(() => new ShellSyntaxError("unexpected token `EOF' in conditional command", this.line))
    }
    const name = token.kind === 'newline' ? 'newline' : token.text
    throw new ShellSyntaxError(
      `syntax error in conditional expression: unexpected token \`${name}'`,
      token.line,
      false,
      undefined,
    )
  }

  private conditionNewlines(): void {
    while (this.peek(Place.Condition).kind === 'newline') this.take()
  }

  private conditionOr(): void {
    this.conditionAnd()
    for (;;) {
      this.conditionNewlines()
      const token = this.peek(Place.Condition)
      if (token.kind !== 'op' || token.text !== '||') return
      this.take()
      this.conditionAnd()
    }
  }

  private conditionAnd(): void {
    this.conditionTerm()
    for (;;) {
      this.conditionNewlines()
      const token = this.peek(Place.Condition)
      if (token.kind !== 'op' || token.text !== '&&') return
      this.take()
      this.conditionTerm()
    }
  }

  private conditionTerm(): void {
    this.conditionNewlines()
    const token = this.peek(Place.Condition)
    if (token.kind === 'eof') this.conditionError(token)
    if (token.kind === 'op' && token.text === '(') {
      this.take()
      this.conditionOr()
      const close = this.peek(Place.Condition)
      if (close.kind === 'op' && close.text === ')') {
        this.take()
        return
      }
      if (close.kind === 'eof') this.conditionError(close)
      throw new ShellSyntaxError(`unexpected token \`${close.text}', expected \`)'`, close.line, false, null)
    }
    if (token.kind !== 'word') this.conditionError(token)
    if (token.text === '!') {
      this.take()
      this.conditionTerm()
      return
    }
    if (token.text === ']]') {
      // bash 5.2 gives up without a word
      throw new ShellSyntaxError('', token.line, false, null)
    }
    this.take()
    if (token.plain && UNARY.test(token.text)) {
      const operand = this.peek(Place.Condition)
      if (!(operand.kind === 'word' && BINARY.has(operand.text))) {
        this.operand(operand, 'unary')
        return
      }
    }
    const operator = this.peek(Place.Condition)
    if (operator.kind === 'word' && operator.text === ']]') return
    if (operator.kind === 'op' && (operator.text === '&&' || operator.text === '||' || operator.text === ')')) return
    if (operator.kind === 'eof' || operator.kind === 'newline') return
    if (!BINARY.has(operator.text)) {
      if (operator.kind === 'word') {
        throw new ShellSyntaxError('conditional binary operator expected', operator.line, false, null)
      }
      this.conditionError(operator)
    }
    this.take()
    this.operand(this.peek(operator.text === '=~' ? Place.Regex : Place.Condition), 'binary')
  }

  private operand(token: Token, kind: 'unary' | 'binary'): void {
    if (token.kind === 'word' && token.text !== ']]') {
      this.take()
      return
    }
    if (token.kind === 'eof') this.conditionError(token)
    const name = token.kind === 'newline' ? 'newline' : token.text
    throw new ShellSyntaxError(
      `unexpected argument \`${name}' to conditional ${kind} operator`,
      token.line,
      false,
      undefined,
    )
  }
}
