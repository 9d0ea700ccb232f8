/**
 * The lexical half of the command reader: words, operators, quotes and here-documents, as bash(1) "DEFINITIONS" and
 * "QUOTING" have them. It builds nothing; it finds where things end, and what is wrong with them.
 */
import {
  MARK_ARITHMETIC,
  MARK_BRACE,
  MARK_CLOSE,
  MARK_COMMA,
  MARK_NOTHING,
  MARK_OPEN,
  NESTED_PREFIX,
} from './syntax.ts'

/** What is wrong with a text, in bash's words. */
export class ShellSyntaxError extends Error {
  /** line of the input, 1-based */
  readonly line: number
  /** whether bash shows the offending line after the message */
  readonly showLine: boolean
  /** exit status, where it is not 2; undefined leaves $? as it was */
  readonly status: number | undefined
  constructor(message: string, line: number, showLine = false, status: number | null = 2) {
    super(message)
    this.name = 'ShellSyntaxError'
    this.line = line
    this.showLine = showLine
    this.status = status ?? undefined
  }
}

/** The text ends within a command: an interactive shell asks for more. */
export class Incomplete extends Error {
  constructor() {
    super('incomplete command')
    this.name = 'Incomplete'
  }
}

export type TokenKind = 'word' | 'op' | 'io' | 'newline' | 'eof'

/** A token of the text between `start` and `end`. */
export interface Token {
  readonly kind: TokenKind
  /** as written */
  readonly text: string
  readonly start: number
  readonly end: number
  readonly line: number
  /** for a word: no quoting and no expansion in it, so that it may be a reserved word or an alias */
  readonly plain: boolean
  /** for a word: it is an assignment; `array` also has its value in parentheses */
  readonly assignment?: 'scalar' | 'array'
}

/** Where a token is looked for. */
export const Place = {
  /** an argument */
  Word: 0,
  /** where an assignment may stand */
  Assignment: 1,
  /** an element of an array assignment */
  Element: 2,
  /** the right-hand side of =~ */
  Regex: 3,
  /** an operand of [[ */
  Condition: 4,
  /** a pattern of case */
  Pattern: 5,
} as const
export type Place = (typeof Place)[keyof typeof Place]

/** A change of the text before it goes to the parser. */
export interface Edit {
  readonly at: number
  readonly remove: number
  readonly insert: string
}

interface PendingHereDoc {
  readonly quoted: boolean
  readonly delimiter: string
  readonly stripTabs: boolean
  readonly line: number
}

const OPERATORS = [
  ';;&',
  '&>>',
  '<<<',
  '<<-',
  '&&',
  '||',
  ';;',
  ';&',
  '&>',
  '|&',
  '<<',
  '<&',
  '<>',
  '>>',
  '>&',
  '>|',
  ';',
  '&',
  '|',
  '<',
  '>',
  '(',
  ')',
]
const BLANK_OR_META = /[ \t\n;&|<>()]/
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
/** What may stand between ${ and }, as far as the parser knows it. */
export const PARAMETER =
  /^(?:#(?:[A-Za-z_][A-Za-z0-9_]*(?:\[[\s\S]*\])?|\d+|[-@*#?$!])?|!?(?:[A-Za-z_][A-Za-z0-9_]*(?:\[[\s\S]*?\])?|\d+|[-@*#?$!])(?::?[-=?+][\s\S]*|:[\s\S]+|[%#/^,][\s\S]*|@[QEPAKakuUL]|[*@])?)$/

/** Nested quotes and substitutions that are followed before the text is refused. */
const MAX_DEPTH = 500

/** Reads tokens from a text that may end within a command. */
export abstract class Lexer {
  text: string
  pos = 0
  line: number
  /** whether nothing follows the text */
  readonly final: boolean
  readonly extglob: boolean
  edits: Edit[] = []
  /** expansions that the parser would trip over, replaced by parameters NESTED_PREFIX0, 1, … */
  readonly nestedExpansions: string[] = []
  /** arithmetic expressions, as written */
  readonly arithmetics: string[] = []
  readonly warnings: { line: number; text: string }[] = []
  protected pending: PendingHereDoc[] = []
  private depth = 0
  private ahead: Token | undefined
  /** state before the token that was looked at */
  private before = { pos: 0, line: 0, edits: 0 }
  private aheadPlace: Place = Place.Word

  constructor(text: string, options: { line?: number; final: boolean; extglob?: boolean }) {
    this.text = text
    this.line = options.line ?? 1
    this.final = options.final
    this.extglob = options.extglob ?? false
  }

  /** Recognizes the commands of `$(`, from after the parenthesis to after its partner. */
  protected abstract substitution(): void

  /** @returns the next token without taking it */
  protected peek(place: Place = Place.Word): Token {
    if (this.ahead !== undefined && this.aheadPlace === place) return this.ahead
    this.again()
    const before = { pos: this.pos, line: this.line, edits: this.edits.length }
    this.skipBlanks()
    const token = this.scan(place)
    this.ahead = token
    this.aheadPlace = place
    this.before = before
    return token
  }

  /** Forgets the token that was looked at, to look again from another place. */
  protected again(): void {
    if (this.ahead === undefined) return
    this.pos = this.before.pos
    this.line = this.before.line
    this.edits.length = this.before.edits
    this.ahead = undefined
  }

  /** Takes the token that `peek` gave. */
  protected take(): Token {
    const token = this.ahead ?? this.peek()
    this.ahead = undefined
    if (token.kind === 'newline') {
      this.pos = token.end
      this.line++
      this.hereDocuments()
    } else this.pos = token.end
    return token
  }

  protected edit(at: number, remove: number, insert: string): void {
    this.edits.push({ at, remove, insert })
  }

  protected hereDocument(word: string, stripTabs: boolean): void {
    this.pending.push({ quoted: /['"\\]/.test(word), delimiter: unquote(word), stripTabs, line: this.line })
  }

  /** The end of the text where more was needed. */
  protected atEnd(error: () => ShellSyntaxError): never {
    if (!this.final) throw new Incomplete()
    throw error()
  }

  protected missing(partner: string, line: number): never {
    return this.atEnd(() => new ShellSyntaxError(`unexpected EOF while looking for matching \`${partner}'`, line))
  }

  protected nested<T>(scan: () => T): T {
    if (++this.depth > MAX_DEPTH) throw new ShellSyntaxError('maximum nesting level exceeded', this.line)
    try {
      return scan()
    } finally {
      this.depth--
    }
  }

  private skipBlanks(): void {
    const { text } = this
    for (;;) {
      const c = text[this.pos]
      if (c === ' ' || c === '\t') this.pos++
      else if (c === '\\' && text[this.pos + 1] === '\n') {
        this.pos += 2
        this.line++
      } else if (c === '#') {
        const end = text.indexOf('\n', this.pos)
        this.pos = end < 0 ? text.length : end
      } else return
    }
  }

  private scan(place: Place): Token {
    const { text, pos: start, line } = this
    const make = (kind: TokenKind, length: number): Token => {
      return { kind, text: text.slice(start, start + length), start, end: start + length, line, plain: false }
    }
    if (start >= text.length) return make('eof', 0)
    if (text[start] === '\n') return make('newline', 1)
    const inCondition = place === Place.Condition || place === Place.Regex
    if (place !== Place.Regex && !(text[start] === '<' || text[start] === '>' ? text[start + 1] === '(' : false)) {
      for (const op of OPERATORS) if (text.startsWith(op, start)) return make('op', op.length)
    }
    if (!inCondition) {
      const io = /^(?:\d+|\{[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\})(?=[<>])/.exec(text.slice(start, start + 80))
      if (io !== null) return make('io', io[0].length)
    }
    return this.word(place)
  }

  /** Scans a word; the position is at its end afterwards. */
  private word(place: Place): Token {
    const { text, pos: start, line } = this
    let plain = true
    let assignment: Token['assignment']
    /** position of an unquoted [ that has no ] yet */
    let bracket = -1
    /** positions of unquoted braces, and of the commas after the first */
    const braces: number[] = []
    /** open parentheses of a regular expression */
    let parens = 0
    const assignable = place === Place.Assignment
    loop: while (this.pos < text.length) {
      const c = text[this.pos]!
      switch (c) {
        case '\\':
          if (this.pos + 1 >= text.length) {
            if (!this.final) throw new Incomplete()
            plain = false
            this.pos++
            break loop
          }
          if (text[this.pos + 1] === '\n') this.line++
          else plain = false
          this.pos += 2
          continue
        case "'":
          plain = false
          this.singleQuotes()
          continue
        case '"':
          plain = false
          this.pos++
          this.doubleQuotes()
          continue
        case '`':
          plain = false
          this.backticks()
          continue
        case '$':
          plain = this.dollar(false) && plain
          continue
        case '[':
          if (
            (assignable && NAME.test(text.slice(start, this.pos))) ||
            (place === Place.Element && this.pos === start)
          ) {
            this.subscript()
            continue
          }
          if (bracket < 0) bracket = this.pos
          this.pos++
          continue
        case ']':
          bracket = -1
          this.pos++
          continue
        case '=':
          if (assignable && assignment === undefined && isAssignmentTarget(text.slice(start, this.pos))) {
            assignment = 'scalar'
            if (text[this.pos + 1] === '(') {
              this.pos += 2
              this.array()
              assignment = 'array'
              continue
            }
          }
          this.pos++
          continue
        case '?':
        case '*':
        case '+':
        case '@':
        case '!':
          if (text[this.pos + 1] === '(' && (this.extglob || place === Place.Condition)) {
            plain = false
            if (c === '!' && this.pos === start) this.edit(start, 0, MARK_NOTHING)
            this.pos += 2
            this.extendedPattern()
            continue
          }
          this.pos++
          continue
        case '<':
        case '>':
          if (text[this.pos + 1] === '(' && place !== Place.Regex) {
            plain = false
            this.pos += 2
            this.nested(() => this.substitution())
            continue
          }
          if (place === Place.Regex && parens > 0) {
            this.pos++
            continue
          }
          break loop
        case '(':
          if (place !== Place.Regex) break loop
          parens++
          this.pos++
          continue
        case ')':
          if (place !== Place.Regex || parens === 0) break loop
          parens--
          this.pos++
          continue
        case '|':
          if (place !== Place.Regex || (text[this.pos + 1] === '|' && parens === 0)) break loop
          this.pos++
          continue
        default:
          if (place === Place.Regex && parens > 0 && c !== '\n') {
            this.pos++
            continue
          }
          if (BLANK_OR_META.test(c)) break loop
          if (c === '{' || (braces.length > 0 && (c === '}' || c === ','))) braces.push(this.pos)
          this.pos++
      }
    }
    const end = this.pos
    if (braces.length > 1)
      this.hideBraces(
        braces,
        place !== Place.Word && place !== Place.Element && (place !== Place.Assignment || assignment !== undefined),
      )
    if (
      bracket >= 0 &&
      !/^\[\[?$/.test(text.slice(start, end)) &&
      (text[end] === ' ' || text[end] === '\t') &&
      assignment === undefined
    ) {
      this.edit(bracket, 0, '\\')
    }
    if (place === Place.Pattern && /^[A-Za-z_][A-Za-z0-9_]*\+?=/.test(text.slice(start, end)))
      this.edit(start, 0, MARK_NOTHING)
    return { kind: 'word', text: text.slice(start, end), start, end, line, plain, assignment }
  }

  /** The parser is not to expand braces: it does not know their quotes. */
  private hideBraces(at: readonly number[], literal: boolean): void {
    for (const pos of at) {
      const c = this.text[pos]
      if (c === '{') this.edit(pos, 1, literal ? MARK_BRACE : MARK_OPEN)
      else if (!literal) this.edit(pos, 1, c === ',' ? MARK_COMMA : MARK_CLOSE)
    }
  }

  private singleQuotes(): void {
    const end = this.text.indexOf("'", this.pos + 1)
    if (end < 0) this.missing("'", this.line)
    this.countLines(this.pos, end)
    this.pos = end + 1
  }

  /** Scans $'…' from the quote. */
  private ansiQuotes(): void {
    const { text, line } = this
    this.pos++
    for (; this.pos < text.length; this.pos++) {
      const c = text[this.pos]
      if (c === '\\') this.pos++
      else if (c === "'") {
        this.pos++
        return
      }
      if (text[this.pos] === '\n') this.line++
    }
    this.missing("'", line)
  }

  /** Scans "…" from after the opening quote. */
  private doubleQuotes(): void {
    const { text, line } = this
    while (this.pos < text.length) {
      const c = text[this.pos]
      if (c === '"') {
        this.pos++
        return
      }
      if (c === '\\') {
        if (text[this.pos + 1] === '\n') this.line++
        this.pos += 2
      } else if (c === '`') this.backticks()
      else if (c === '$') this.dollar(true)
      else {
        if (c === '\n') this.line++
        this.pos++
      }
    }
    this.missing('"', line)
  }

  private backticks(): void {
    const { text, line } = this
    for (let i = this.pos + 1; i < text.length; i++) {
      if (text[i] === '\\') i++
      else if (text[i] === '`') {
        this.countLines(this.pos, i)
        this.pos = i + 1
        return
      }
    }
    this.missing('`', line)
  }

  /** Scans what begins with $. @returns whether it is a plain character */
  private dollar(quoted: boolean): boolean {
    const { text } = this
    switch (text[this.pos + 1]) {
      case '(':
        if (text[this.pos + 2] === '(' && this.arithmetic(this.pos + 3)) return false
        this.pos += 2
        this.nested(() => this.substitution())
        return false
      case '{':
        this.pos += 2
        this.nested(() => this.braces(quoted))
        return false
      case '[':
        this.pos += 2
        this.matched('[', ']')
        return false
      case "'":
        if (quoted) {
          this.pos++
          return false
        }
        this.pos++
        this.ansiQuotes()
        return false
      case '"':
        if (!quoted) {
          this.pos += 2
          this.doubleQuotes()
          return false
        }
        this.pos++
        return false
      default:
        this.pos++
        return false
    }
  }

  /**
   * Scans an arithmetic expression from `from` to after its `))`.
   * @returns whether it is one; if not, nothing was taken
   */
  protected arithmetic(from: number, marked = true): boolean {
    const { pos, line } = this
    const edits = this.edits.length
    this.pos = from
    try {
      this.matched('(', ')')
    } catch (error) {
      if (!(error instanceof ShellSyntaxError)) throw error
      if (this.looksLikeArithmetic(from)) throw error
    }
    if (this.text[this.pos - 1] === ')' && this.text[this.pos] === ')') {
      this.pos++
      if (marked) this.hideArithmetic(from, this.pos - 2)
      return true
    }
    if (this.pos >= this.text.length) this.missing(')', line)
    this.pos = pos
    this.line = line
    this.edits.length = edits
    return false
  }

  /** The parser must not read an arithmetic expression, which is expanded and evaluated from its text: it gets a number. */
  protected hideArithmetic(from: number, to: number): void {
    this.edits = this.edits.filter(edit => edit.at < from || edit.at >= to)
    this.edit(from, to - from, `${MARK_ARITHMETIC}${this.arithmetics.length}`)
    this.arithmetics.push(this.text.slice(from, to))
  }

  private looksLikeArithmetic(from: number): boolean {
    return /^[\s\w+*/%<>=!&|^~?:,$()[\]-]*$/.test(this.text.slice(from))
  }

  /** Scans ${…} from after the brace. */
  private braces(quoted: boolean): void {
    const { text, line } = this
    const head = /^[#!]?(?:[A-Za-z_][A-Za-z0-9_]*|\d+|[-@*#?$!])?/.exec(text.slice(this.pos, this.pos + 200))![0]
    this.pos += head.length
    // the word after an operator that takes a pattern has its own quotes, even within double quotes
    const operator = /^(?:\[[^\]]*\])?([#%^,/]?)/.exec(text.slice(this.pos, this.pos + 200))!
    const quotes = !quoted || operator[1] !== ''
    // the parser does not see nested braces in the pattern of a substitution
    let pattern = operator[1] === '/'
    const patternFrom = this.pos + operator[0].length + 1
    const start = this.pos - head.length
    while (this.pos < text.length) {
      const c = text[this.pos]
      if (c === '}') {
        this.pos++
        if (!PARAMETER.test(text.slice(start, this.pos - 1))) this.hideExpansion(start - 2, this.pos)
        return
      }
      if (c === '\\') {
        if (text[this.pos + 1] === '\n') this.line++
        this.pos += 2
      } else if (c === "'" && quotes) this.singleQuotes()
      else if (c === '"') {
        this.pos++
        this.doubleQuotes()
      } else if (c === '`') this.backticks()
      else if (c === '$') {
        const { pos } = this
        const edits = this.edits.length
        this.dollar(quoted && !quotes)
        if (pattern && text[pos + 1] === '{') {
          this.edits.length = edits
          this.hideExpansion(pos, this.pos)
        }
      } else if ((c === '<' || c === '>') && text[this.pos + 1] === '(' && !quoted) {
        this.pos += 2
        this.nested(() => this.substitution())
      } else {
        if (c === '\n') this.line++
        else if (c === '{') this.edit(this.pos, 1, MARK_BRACE)
        if (c === '/' && this.pos >= patternFrom) pattern = false
        this.pos++
      }
    }
    this.missing('}', line)
  }

  /** An expansion that the parser cannot read, or should not: it gets the name of a parameter. */
  private hideExpansion(from: number, to: number): void {
    this.edits = this.edits.filter(edit => edit.at < from || edit.at >= to)
    this.edit(from, to - from, `$${NESTED_PREFIX}${this.nestedExpansions.length}${MARK_NOTHING}`)
    this.nestedExpansions.push(this.text.slice(from, to))
  }

  private subscript(): void {
    this.pos++
    this.matched('[', ']')
  }

  /** Scans to after the partner of an opening bracket that is already taken, over quotes and expansions. */
  private matched(open: string, close: string): void {
    const { text, line } = this
    let depth = 1
    while (this.pos < text.length) {
      const c = text[this.pos]
      if (c === close) {
        this.pos++
        if (--depth === 0) return
      } else if (c === open) {
        depth++
        this.pos++
      } else if (c === '\\') {
        if (text[this.pos + 1] === '\n') this.line++
        this.pos += 2
      } else if (c === "'") this.singleQuotes()
      else if (c === '"') {
        this.pos++
        this.doubleQuotes()
      } else if (c === '`') this.backticks()
      else if (c === '$') this.dollar(false)
      else {
        if (c === '\n') this.line++
        this.pos++
      }
    }
    this.missing(close, line)
  }

  /** Scans an extended pattern from after its parenthesis. */
  private extendedPattern(): void {
    this.matched('(', ')')
  }

  /** Scans an array assignment's value from after the parenthesis. */
  private array(): void {
    for (;;) {
      this.skipBlanks()
      const token = this.scan(Place.Element)
      if (token.kind === 'newline') {
        this.pos = token.end
        this.line++
        continue
      }
      if (token.kind === 'op' && token.text === ')') {
        this.pos = token.end
        return
      }
      if (token.kind === 'eof') {
        this.atEnd(() => new ShellSyntaxError("unexpected EOF while looking for matching `)'", token.line, false, 1))
      }
      if (token.kind !== 'word' && token.kind !== 'io') {
        throw new ShellSyntaxError(`syntax error near unexpected token \`${token.text}'`, token.line, true, 1)
      }
      this.pos = token.end
    }
  }

  private countLines(from: number, to: number): void {
    for (let i = this.text.indexOf('\n', from); i >= 0 && i < to; i = this.text.indexOf('\n', i + 1)) this.line++
  }

  /** Skips the bodies of the here-documents that the line before announced. */
  private hereDocuments(): void {
    const { text } = this
    const pending = this.pending
    this.pending = []
    for (const doc of pending) {
      const start = this.pos
      for (;;) {
        if (this.pos >= text.length) {
          if (!this.final) throw new Incomplete()
          this.warnings.push({
            line: this.line - (text.endsWith('\n') ? 1 : 0),
            text: `warning: here-document at line ${doc.line} delimited by end-of-file (wanted \`${doc.delimiter}')`,
          })
          break
        }
        const newline = text.indexOf('\n', this.pos)
        const end = newline < 0 ? text.length : newline
        let content = text.slice(this.pos, end)
        if (doc.stripTabs) content = content.replace(/^\t+/, '')
        this.pos = newline < 0 ? end : end + 1
        if (newline >= 0) this.line++
        if (content === doc.delimiter) break
      }
      if (!doc.quoted) this.hereDocumentExpansions(start)
    }
  }

  /** Looks through the body of a here-document that begins at `start` and has just been skipped. */
  private hereDocumentExpansions(start: number): void {
    const { text, pos: end, line } = this
    const edits = this.edits.length
    this.pos = start
    try {
      while (this.pos < end) {
        const c = text[this.pos]
        if (c === '\\') this.pos += 2
        else if (c === '$') this.dollar(true)
        else if (c === '`') this.backticks()
        else this.pos++
      }
    } catch (error) {
      // what is wrong in a body shows when it is expanded
      if (!(error instanceof ShellSyntaxError) && !(error instanceof Incomplete)) throw error
      this.edits.length = edits
    }
    this.pos = end
    this.line = line
  }

  /** Here-documents whose line has not ended when the text does. */
  protected unfinishedHereDocuments(): void {
    if (this.pending.length === 0) return
    if (!this.final) throw new Incomplete()
    this.hereDocuments()
  }
}

/** @returns whether a text is a name with or without subscript, or these with the + of += */
function isAssignmentTarget(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*(?:\[[\s\S]*\])?\+?$/.test(text)
}

/** @returns a here-document's delimiter with its quotes removed */
export function unquote(word: string): string {
  let out = ''
  for (let i = 0; i < word.length; i++) {
    const c = word[i]
    if (c === '\\') out += word[++i] ?? ''
    else if (c === "'" || c === '"') {
      const end = word.indexOf(c, i + 1)
      if (end < 0) break
      out += word.slice(i + 1, end)
      i = end
    } else if (c === '$' && (word[i + 1] === "'" || word[i + 1] === '"')) continue
    else out += c
  }
  return out
}
