/** sed scripts, read. */
import { compileRegex, type Regex, RegexError } from '../lib/regex.ts'

/** What is wrong with a script. */
export class SedError extends Error {
  readonly expression: number
  /** position, 1-based; 0 where it does not matter */
  readonly char: number
  constructor(message: string, expression: number, char: number) {
    super(message)
    this.expression = expression
    this.char = char
  }
}

/** An address. */
export type Address =
  | { readonly kind: 'line'; readonly line: number }
  | { readonly kind: 'last' }
  | { readonly kind: 'step'; readonly first: number; readonly step: number }
  /** an empty expression is the last one used */
  | { readonly kind: 'regex'; readonly regex: Regex | undefined }
  | { readonly kind: 'plus'; readonly count: number }
  | { readonly kind: 'multiple'; readonly of: number }
  | { readonly kind: 'zero' }

/** A piece of a replacement. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'group'; readonly group: number }
  | { readonly kind: 'case'; readonly mode: 'L' | 'U' | 'l' | 'u' | 'E' }

export interface Substitution {
  readonly regex: Regex | undefined
  readonly replacement: readonly Piece[]
  readonly global: boolean
  readonly print: number
  readonly nth: number
  readonly evaluate: boolean
  readonly file: string | undefined
}

export interface Command {
  readonly name: string
  readonly first: Address | undefined
  readonly second: Address | undefined
  readonly negated: boolean
  /** text of a, i, c; label of b, t, T, :; file of r, R, w, W */
  readonly text: string
  /** exit status of q and Q, line length of l */
  readonly number: number | undefined
  readonly substitution: Substitution | undefined
  readonly map: ReadonlyMap<string, string> | undefined
  /** index of the matching } for {, set when it is read; target of a branch */
  target: number
  /** state of a range */
  active: boolean
  endLine: number
}

export interface SedOptions {
  readonly extended: boolean
  readonly posix: boolean
}

/** Reads scripts: the text of all -e and -f, in order. */
export class SedParser {
  readonly commands: Command[] = []
  private readonly options: SedOptions
  private readonly blocks: { index: number; expression: number; char: number }[] = []
  private text = ''
  private pos = 0
  private expression = 0
  /** a, i or c at the end of an -e, whose text is the next one */
  private pendingText: Command | undefined

  constructor(options: SedOptions) {
    this.options = options
  }

  /** Reads one more script. @throws SedError */
  add(text: string): void {
    this.text = text
    this.pos = 0
    this.expression++
    if (this.pendingText !== undefined) {
      const pending = this.pendingText
      this.pendingText = undefined
      this.commands[this.commands.indexOf(pending)] = { ...pending, text: this.textLines() }
    }
    for (;;) {
      while (this.pos < text.length && /[\s;]/.test(text[this.pos]!)) this.pos++
      if (this.pos >= text.length) return
      this.command()
    }
  }

  /** The end: all blocks closed, all labels there. @throws SedError */
  finish(): readonly Command[] {
    const open = this.blocks[this.blocks.length - 1]
    if (open !== undefined) throw new SedError("unmatched `{'", open.expression, 0)
    if (this.pendingText !== undefined)
      throw new SedError("expected \\ after `a', `c' or `i'", this.expression, this.text.length)
    this.commands.forEach(command => {
      if (!'btT'.includes(command.name)) return
      if (command.text === '') command.target = this.commands.length
      else {
        const at = this.commands.findIndex(other => other.name === ':' && other.text === command.text)
        if (at < 0) throw new SedError(`can't find label for jump to \`${command.text}'`, 0, 0)
        command.target = at
      }
    })
    return this.commands
  }

  private fail(message: string, char = this.pos): never {
    throw new SedError(message, this.expression, char)
  }

  private blanks(): void {
    while (this.pos < this.text.length && /[ \t]/.test(this.text[this.pos]!)) this.pos++
  }

  private number(): number | undefined {
    const match = /^\d+/.exec(this.text.slice(this.pos))
    if (match === null) return undefined
    this.pos += match[0].length
    return Number(match[0])
  }

  private address(): Address | undefined {
    const { text } = this
    const c = text[this.pos]
    if (c === undefined) return undefined
    if (/\d/.test(c)) {
      const line = this.number()!
      this.blanks()
      if (text[this.pos] === '~') {
        this.pos++
        this.blanks()
        return { kind: 'step', first: line, step: this.number() ?? 0 }
      }
      return line === 0 ? { kind: 'zero' } : { kind: 'line', line }
    }
    if (c === '$') {
      this.pos++
      return { kind: 'last' }
    }
    if (c === '/' || c === '\\') {
      let delimiter = c
      if (c === '\\') {
        delimiter = text[++this.pos] ?? ''
        if (delimiter === '' || delimiter === '\n' || delimiter === '\\') this.fail("unexpected `,'")
      }
      this.pos++
      const pattern = this.delimited(delimiter, true)
      if (pattern === undefined) this.fail('unterminated address regex', text.length)
      let ignoreCase = false
      let multiline = false
      for (; ; this.pos++) {
        if (text[this.pos] === 'I') ignoreCase = true
        else if (text[this.pos] === 'M') multiline = true
        else break
      }
      return { kind: 'regex', regex: this.regex(pattern, ignoreCase, multiline) }
    }
    return undefined
  }

  private regex(pattern: string, ignoreCase: boolean, multiline: boolean): Regex | undefined {
    if (pattern === '') return undefined
    try {
      return compileRegex(pattern, { extended: this.options.extended, ignoreCase, multiline, controls: true })
    } catch (error) {
      if (error instanceof RegexError) this.fail(error.message)
      throw error
    }
  }

  /**
   * Reads up to a delimiter that is not escaped.
   * @param regex a bracket expression may hold the delimiter
   * @returns the text; an escaped delimiter without its backslash; undefined where there is none
   */
  private delimited(delimiter: string, regex: boolean): string | undefined {
    const { text } = this
    let out = ''
    for (; this.pos < text.length; this.pos++) {
      const c = text[this.pos]!
      if (c === delimiter) {
        this.pos++
        return out
      }
      if (c === '\\') {
        const next = text[this.pos + 1]
        if (next === undefined) return undefined
        this.pos++
        if (next === delimiter) out += regex && '.*[]^$+?(){}|'.includes(delimiter) ? `\\${delimiter}` : delimiter
        else if (next === '\n' && regex) out += '\n'
        else if (next === 'n' && delimiter !== 'n') out += regex ? '\\n' : '\\n'
        else out += `\\${next}`
        continue
      }
      if (c === '\n' && regex) return undefined
      if (c === '[' && regex) {
        // the delimiter within brackets stands for itself
        const end = bracketEnd(text, this.pos)
        if (end > 0 && !text.slice(this.pos, end).includes('\n')) {
          out += text.slice(this.pos, end + 1)
          this.pos = end
          continue
        }
      }
      out += c
    }
    return undefined
  }

  private command(): void {
    const { text } = this
    const start = this.pos
    const first = this.address()
    let second: Address | undefined
    this.blanks()
    if (first !== undefined && text[this.pos] === ',') {
      this.pos++
      this.blanks()
      if (text[this.pos] === '+' || text[this.pos] === '~') {
        const plus = text[this.pos] === '+'
        this.pos++
        const count = this.number()
        if (count === undefined) this.fail('expected newer version of sed')
        second = plus ? { kind: 'plus', count } : { kind: 'multiple', of: count }
      } else second = this.address()
      if (second === undefined) this.fail("unexpected `,'")
      if (second.kind === 'zero') second = { kind: 'line', line: 0 }
    }
    if (first?.kind === 'zero' && second?.kind !== 'regex') this.fail('invalid usage of line address 0')
    this.blanks()
    let negated = false
    while (text[this.pos] === '!') {
      if (negated) this.fail("multiple `!'s", this.pos + 1)
      negated = true
      this.pos++
      this.blanks()
    }
    const name = text[this.pos]
    if (name === undefined) this.fail(first === undefined && !negated ? 'missing command' : 'missing command')
    this.pos++
    const base = {
      name,
      first,
      second,
      negated,
      text: '',
      number: undefined,
      substitution: undefined,
      map: undefined,
      target: -1,
      active: false,
      endLine: 0,
    }
    const one = (): void => {
      if (second !== undefined) this.fail('command only uses one address')
    }
    switch (name) {
      case '#':
        if (first !== undefined) this.fail("comments don't accept any addresses")
        if (start === 0 && this.expression === 1 && /^#n(?:\n|$)/.test(text))
          this.commands.push({ ...base, name: '#n' })
        this.toLineEnd()
        return
      case '{':
        this.blocks.push({ index: this.commands.length, expression: this.expression, char: this.pos })
        this.commands.push(base)
        return
      case '}': {
        if (first !== undefined) this.fail("} doesn't want any addresses")
        const block = this.blocks.pop()
        if (block === undefined) this.fail("unexpected `}'")
        this.commands[block.index]!.target = this.commands.length
        this.end()
        return
      }
      case ':': {
        if (first !== undefined) this.fail(": doesn't want any addresses")
        this.blanks()
        const label = /^[^\s;]*/.exec(text.slice(this.pos))![0]
        this.pos += label.length
        if (label === '') this.fail('":" lacks a label')
        this.commands.push({ ...base, text: label })
        return
      }
      case 'b':
      case 't':
      case 'T': {
        this.blanks()
        const label = /^[^\s;}]*/.exec(text.slice(this.pos))![0]
        this.pos += label.length
        this.commands.push({ ...base, text: label })
        this.end()
        return
      }
      case 'a':
      case 'i':
      case 'c': {
        this.blanks()
        if (this.pos >= text.length) {
          const command: Command = { ...base }
          this.commands.push(command)
          this.fail("expected \\ after `a', `c' or `i'")
        }
        if (text[this.pos] === '\\') {
          this.pos++
          const skipped = /^[ \t]*/.exec(text.slice(this.pos))![0]
          if (text[this.pos + skipped.length] === '\n') this.pos += skipped.length + 1
          else if (this.pos + skipped.length >= text.length) {
            const command: Command = { ...base }
            this.commands.push(command)
            this.pendingText = command
            this.pos = text.length
            return
          } else this.pos += skipped.length
        }
        this.commands.push({ ...base, text: this.textLines() })
        return
      }
      case '=':
      case 'd':
      case 'D':
      case 'F':
      case 'g':
      case 'G':
      case 'h':
      case 'H':
      case 'n':
      case 'N':
      case 'p':
      case 'P':
      case 'x':
      case 'z':
        this.commands.push(base)
        this.end()
        return
      case 'l':
      case 'L':
      case 'q':
      case 'Q': {
        if (name === 'q' || name === 'Q') one()
        this.blanks()
        const number = this.number()
        this.commands.push({ ...base, number })
        this.end()
        return
      }
      case 'r':
      case 'R':
      case 'w':
      case 'W': {
        this.blanks()
        const end = text.indexOf('\n', this.pos)
        const file = text.slice(this.pos, end < 0 ? undefined : end)
        if (file === '') this.fail('missing filename in r/R/w/W commands')
        this.pos = end < 0 ? text.length : end
        this.commands.push({ ...base, text: file })
        return
      }
      case 'e':
        this.commands.push({ ...base, text: this.toLineEnd().trim() })
        return
      case 's':
        this.commands.push({ ...base, substitution: this.substitution() })
        this.end()
        return
      case 'y':
        this.commands.push({ ...base, map: this.transliteration() })
        this.end()
        return
      case 'v':
        this.toLineEnd()
        return
      default:
        this.fail(`unknown command: \`${name}'`)
    }
  }

  private toLineEnd(): string {
    const end = this.text.indexOf('\n', this.pos)
    const rest = this.text.slice(this.pos, end < 0 ? undefined : end)
    this.pos = end < 0 ? this.text.length : end
    return rest
  }

  /** What may follow a command. */
  private end(): void {
    this.blanks()
    const c = this.text[this.pos]
    if (c === undefined || c === '\n' || c === ';') {
      if (c !== undefined) this.pos++
      return
    }
    if (c === '}' || c === '#') return
    this.fail('extra characters after command', this.pos + 1)
  }

  /** The text of a, i, c: to the first newline that no backslash precedes. */
  private textLines(): string {
    let out = ''
    for (; this.pos < this.text.length; this.pos++) {
      const c = this.text[this.pos]!
      if (c === '\\') {
        const next = this.text[++this.pos]
        if (next === undefined) break
        out += next === 't' ? '\t' : next
        continue
      }
      if (c === '\n') {
        this.pos++
        break
      }
      out += c
    }
    return `${out}\n`
  }

  private substitution(): Substitution {
    const { text } = this
    const delimiter = text[this.pos]
    if (delimiter === undefined || delimiter === '\n' || delimiter === '\\') this.fail("unterminated `s' command")
    this.pos++
    const pattern = this.delimited(delimiter, true)
    if (pattern === undefined) this.fail("unterminated `s' command", text.length)
    const replacement = this.delimited(delimiter, false)
    if (replacement === undefined) this.fail("unterminated `s' command", text.length)
    let global = false
    let print = 0
    let nth = 0
    let ignoreCase = false
    let multiline = false
    let evaluate = false
    let file: string | undefined
    for (;;) {
      const c = text[this.pos]
      if (c === 'g') {
        if (global) this.fail("multiple `g' options to `s' command", this.pos + 1)
        global = true
      } else if (c === 'p') {
        if (print > 0) this.fail("multiple `p' options to `s' command", this.pos + 1)
        print++
      } else if (c === 'i' || c === 'I') ignoreCase = true
      else if (c === 'm' || c === 'M') multiline = true
      else if (c === 'e') evaluate = true
      else if (c !== undefined && /\d/.test(c)) {
        if (nth > 0) this.fail("multiple number options to `s' command", this.pos + 1)
        nth = this.number()!
        if (nth === 0) this.fail("number option to `s' command may not be zero")
        continue
      } else if (c === 'w') {
        this.pos++
        this.blanks()
        file = this.toLineEnd()
        if (file === '') this.fail('missing filename in r/R/w/W commands')
        break
      } else {
        if (c !== undefined && !/[\s;}#]/.test(c)) this.fail("unknown option to `s'", this.pos + 1)
        break
      }
      this.pos++
    }
    const pieces = replacementPieces(replacement)
    const regex = this.regex(pattern, ignoreCase, multiline)
    const groups = (pattern.match(this.options.extended ? /(?<!\\)\(/g : /\\\(/g) ?? []).length
    for (const piece of pieces) {
      if (piece.kind === 'group' && piece.group > groups && regex !== undefined)
        this.fail(`invalid reference \\${piece.group} on \`s' command's RHS`)
    }
    return { regex, replacement: pieces, global, print, nth, evaluate, file }
  }

  private transliteration(): Map<string, string> {
    const { text } = this
    const delimiter = text[this.pos]
    if (delimiter === undefined) this.fail("unterminated `y' command")
    this.pos++
    const from = this.delimited(delimiter, false)
    const to = from === undefined ? undefined : this.delimited(delimiter, false)
    if (from === undefined || to === undefined) this.fail("unterminated `y' command", text.length)
    const left = plainCharacters(from)
    const right = plainCharacters(to)
    if (left.length !== right.length) this.fail("strings for `y' command are different lengths")
    return new Map(left.map((c, i) => [c, right[i]!]))
  }
}

function plainCharacters(text: string): string[] {
  const out: string[] = []
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\' && i + 1 < text.length) {
      const c = text[++i]!
      out.push(c === 'n' ? '\n' : c === 't' ? '\t' : c === 'r' ? '\r' : c)
    } else out.push(text[i]!)
  }
  return out
}

/** @returns the position of the ] that closes a bracket expression, or -1 */
function bracketEnd(text: string, start: number): number {
  let i = start + 1
  if (text[i] === '^') i++
  if (text[i] === ']') i++
  for (; i < text.length; i++) {
    if (text[i] === '[' && (text[i + 1] === ':' || text[i + 1] === '.' || text[i + 1] === '=')) {
      const end = text.indexOf(`${text[i + 1]}]`, i + 2)
      if (end > 0) i = end + 1
    } else if (text[i] === ']') return i
  }
  return -1
}

function replacementPieces(text: string): Piece[] {
  const pieces: Piece[] = []
  let plain = ''
  const flush = (): void => {
    if (plain !== '') pieces.push({ kind: 'text', text: plain })
    plain = ''
  }
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (c === '&') {
      flush()
      pieces.push({ kind: 'group', group: 0 })
      continue
    }
    if (c !== '\\' || i + 1 >= text.length) {
      plain += c
      continue
    }
    const e = text[++i]!
    if (/\d/.test(e)) {
      flush()
      pieces.push({ kind: 'group', group: Number(e) })
    } else if (e === 'L' || e === 'U' || e === 'l' || e === 'u' || e === 'E') {
      flush()
      pieces.push({ kind: 'case', mode: e })
    } else if (e === 'n') plain += '\n'
    else if (e === 't') plain += '\t'
    else if (e === 'r') plain += '\r'
    else if (e === 'f') plain += '\f'
    else if (e === 'v') plain += '\v'
    else if (e === 'a') plain += '\x07'
    else if (e === 'x' && /^[0-9a-fA-F]{1,2}/.test(text.slice(i + 1))) {
      const digits = /^[0-9a-fA-F]{1,2}/.exec(text.slice(i + 1))![0]
      plain += String.fromCharCode(Number.parseInt(digits, 16))
      i += digits.length
    } else if (e === 'o' && /^[0-7]{1,3}/.test(text.slice(i + 1))) {
      const digits = /^[0-7]{1,3}/.exec(text.slice(i + 1))![0]
      plain += String.fromCharCode(Number.parseInt(digits, 8) & 0xff)
      i += digits.length
    } else plain += e
  }
  flush()
  return pieces
}
