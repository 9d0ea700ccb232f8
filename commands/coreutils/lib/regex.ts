/** POSIX regular expressions, basic and extended with GNU's additions, as those of JavaScript, over byte strings. */

/** What is wrong with an expression, in regcomp's words. */
export class RegexError extends Error {}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: 'a-zA-Z0-9',
  alpha: 'a-zA-Z',
  blank: ' \\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '\\x21-\\x7e',
  lower: 'a-z',
  print: '\\x20-\\x7e',
  punct: '!-\\/:-@\\[-`{-~',
  space: ' \\t\\n\\v\\f\\r',
  upper: 'A-Z',
  xdigit: '0-9a-fA-F',
}

/** Escapes that mean the same in both syntaxes. */
const ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\b(?=\\w)',
  '>': '\\b(?<=\\w)',
  b: '\\b',
  B: '\\B',
  w: '\\w',
  W: '\\W',
  s: '[ \\t\\n\\v\\f\\r]',
  S: '[^ \\t\\n\\v\\f\\r]',
  '`': '(?<![^])',
  "'": '(?![^])',
}

const SPECIAL = /[\\^$.*+?()[\]{}|/-]/g

/** @returns a text as an expression of JavaScript that matches exactly it */
export function quoteText(text: string): string {
  return text.replace(SPECIAL, '\\$&')
}

/** How an expression is read. */
export interface RegexOptions {
  readonly extended: boolean
  readonly ignoreCase?: boolean
  /** ^ and $ match at newlines within the text too */
  readonly multiline?: boolean
  /** letters after a backslash stand for control characters, as in sed and awk */
  readonly controls?: boolean
}

/** Translates one expression. */
class Translator {
  private readonly pattern: string
  private readonly extended: boolean
  private readonly controls: boolean
  private readonly multiline: boolean
  private groups = 0
  private open = 0

  constructor(pattern: string, options: RegexOptions) {
    this.pattern = pattern
    this.extended = options.extended
    this.controls = options.controls === true
    this.multiline = options.multiline === true
  }

  translate(): string {
    const { pattern } = this
    let out = ''
    /** where the last item begins, which a repetition applies to; -1 where there is none */
    let item = -1
    const push = (text: string): void => {
      item = out.length
      out += text
    }
    const repeat = (text: string): void => {
      if (item < 0) {
        push(text === '*' ? '\\*' : quoteText(text))
        return
      }
      // a repetition of a repetition
      if (/[*+?}]$/.test(out) && !/\\[*+?}]$/.test(out)) out = `${out.slice(0, item)}(?:${out.slice(item)})`
      out += text
    }
    const starts: number[] = []
    for (let i = 0; i < pattern.length; i++) {
      const c = pattern[i]!
      const next = pattern[i + 1]
      if (c === '\\') {
        if (next === undefined) throw new RegexError('Trailing backslash')
        i++
        if (!this.extended) {
          if (next === '(' || next === ')' || next === '{' || next === '|' || next === '+' || next === '?') {
            const done = this.operator(next, out, item, i, starts)
            out = done.out
            item = done.item
            i = done.i
            continue
          }
        }
        if (/[1-9]/.test(next)) {
          if (Number(next) > this.groups) throw new RegexError('Invalid back reference')
          push(`(?:\\${next})`)
        } else if (ESCAPES[next] !== undefined) push(ESCAPES[next]!)
        else if (this.controls && 'nfrtvad'.includes(next))
          push(next === 'a' ? '\\x07' : next === 'd' ? 'd' : `\\${next}`)
        else push(quoteText(next))
        continue
      }
      if (c === '[') {
        const end = this.bracket(i)
        push(end.text)
        i = end.at
        continue
      }
      if (c === '.') {
        push('[^\\n]')
        if (this.multiline || this.controls) out = `${out.slice(0, item)}[^]`
        continue
      }
      if (c === '*') {
        repeat('*')
        continue
      }
      if (c === '^') {
        if (this.extended || out === '' || /(?:\(|\|)$/.test(out)) {
          out += '^'
          item = -1
        } else push('\\^')
        continue
      }
      if (c === '$') {
        const rest = pattern.slice(i + 1)
        if (this.extended || rest === '' || rest.startsWith('\\)') || rest.startsWith('\\|')) {
          out += this.multiline ? '$' : '(?![^])'
          item = -1
        } else push('\\$')
        continue
      }
      if (this.extended && (c === '(' || c === ')' || c === '{' || c === '|' || c === '+' || c === '?')) {
        if (c === ')' && this.open === 0) {
          push('\\)')
          continue
        }
        if (c === '{' && !/^\{\d*(?:,\d*)?\}/.test(pattern.slice(i))) {
          push('\\{')
          continue
        }
        const done = this.operator(c, out, item, i, starts)
        out = done.out
        item = done.item
        i = done.i
        continue
      }
      push(quoteText(c))
    }
    if (this.open > 0) throw new RegexError('Unmatched ( or \\(')
    return out
  }

  /** Groups, alternatives and repetitions, whichever way they are written. */
  private operator(
    c: string,
    before: string,
    lastItem: number,
    at: number,
    starts: number[],
  ): { out: string; item: number; i: number } {
    let out = before
    let item = lastItem
    let i = at
    switch (c) {
      case '(':
        starts.push(out.length)
        out += '('
        this.groups++
        this.open++
        item = -1
        break
      case ')': {
        if (this.open === 0) throw new RegexError('Unmatched ) or \\)')
        this.open--
        out += ')'
        item = starts.pop()!
        break
      }
      case '|':
        out += '|'
        item = -1
        break
      case '{': {
        const match = (this.extended ? /^(\d*)(,?)(\d*)\}/ : /^(\d*)(,?)(\d*)\\\}/).exec(this.pattern.slice(i + 1))
        if (match === null)
          throw new RegexError(
            this.pattern.slice(i + 1).includes('}') ? 'Invalid content of \\{\\}' : 'Unmatched { or \\{',
          )
        const low = match[1] === '' ? 0 : Number(match[1])
        const high = match[2] === '' ? low : match[3] === '' ? undefined : Number(match[3])
        if (high !== undefined && high < low) throw new RegexError('Invalid content of \\{\\}')
        if (low > 32767 || (high ?? 0) > 32767) throw new RegexError('Regular expression too big')
        const text = `{${low}${match[2] === '' ? '' : `,${high ?? ''}`}}`
        if (item < 0) out += quoteText(text)
        else {
          if (/[*+?}]$/.test(out) && !/\\[*+?}]$/.test(out)) out = `${out.slice(0, item)}(?:${out.slice(item)})`
          out += text
        }
        i += match[0].length
        break
      }
      default:
        if (item < 0) {
          if (this.extended && out !== '') throw new RegexError('Invalid preceding regular expression')
          item = out.length
          out += quoteText(c)
        } else {
          if (/[*+?}]$/.test(out) && !/\\[*+?}]$/.test(out)) out = `${out.slice(0, item)}(?:${out.slice(item)})`
          out += c
        }
    }
    return { out, item, i }
  }

  /** A bracket expression. @returns it in JavaScript's terms, and where it ends */
  private bracket(start: number): { text: string; at: number } {
    const { pattern } = this
    let i = start + 1
    let negated = false
    if (pattern[i] === '^') {
      negated = true
      i++
    }
    const first = i
    let body = ''
    for (; ; i++) {
      const c = pattern[i]
      if (c === undefined) throw new RegexError('Unmatched [, [^, [:, [., or [=')
      if (c === ']' && i > first) break
      const mark = pattern[i + 1]
      if (c === '[' && (mark === ':' || mark === '.' || mark === '=')) {
        const end = pattern.indexOf(`${mark}]`, i + 2)
        if (end < 0) throw new RegexError('Unmatched [, [^, [:, [., or [=')
        const name = pattern.slice(i + 2, end)
        if (mark === ':') {
          const set = CLASSES[name]
          if (set === undefined) throw new RegexError('Invalid character class name')
          body += set
        } else body += quoteClass(name)
        i = end + 1
        continue
      }
      let low = c
      if (c === '\\' && this.controls && mark !== undefined && 'nfrtv\\]'.includes(mark) && mark !== ']') {
        i++
        low = mark === '\\' ? '\\' : ({ n: '\n', f: '\f', r: '\r', t: '\t', v: '\v' } as Record<string, string>)[mark]!
      }
      if (pattern[i + 1] === '-' && pattern[i + 2] !== undefined && pattern[i + 2] !== ']') {
        let high = pattern[i + 2]!
        i += 2
        if (high === '[' && pattern[i + 1] === '.') {
          const end = pattern.indexOf('.]', i + 2)
          if (end > 0) {
            high = pattern.slice(i + 2, end)
            i = end + 1
          }
        }
        if (low > high) throw new RegexError('Invalid range end')
        body += `${quoteClass(low)}-${quoteClass(high)}`
        continue
      }
      body += quoteClass(low)
    }
    if (negated && !this.multiline && !this.controls) body += '\\n'
    return { text: body === '' ? (negated ? '[^]' : '[]') : negated ? `[^${body}]` : `[${body}]`, at: i }
  }
}

function quoteClass(text: string): string {
  return text.replace(/[\\\]^[-]/g, '\\$&').replaceAll('\n', '\\n')
}

/** Where an expression matched. */
export interface Match {
  readonly index: number
  readonly end: number
  readonly groups: readonly (string | undefined)[]
}

/** A compiled expression. Of several matches at one place it takes the longest, as POSIX wants. */
export class Regex {
  private readonly regex: RegExp
  /** alternatives: the first that matches need not be the longest */
  private readonly whole: RegExp | undefined
  readonly source: string

  constructor(source: string, flags: string) {
    this.source = source
    this.regex = new RegExp(source, `g${flags}`)
    const plain = source.replace(/\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]/g, '')
    if (plain.includes('|') && !/\(\?|\$|\\b/.test(plain) && !/\\[bB]|\(\?/.test(source))
      this.whole = new RegExp(`(?:${source})(?![^])`, `y${flags}`)
  }

  test(text: string): boolean {
    this.regex.lastIndex = 0
    return this.regex.test(text)
  }

  /** @returns the first match at or after `from` */
  exec(text: string, from = 0): Match | undefined {
    this.regex.lastIndex = from
    const match = this.regex.exec(text)
    if (match === null) return undefined
    let best = match
    if (this.whole !== undefined) {
      for (let end = text.length; end > match.index + match[0].length; end--) {
        this.whole.lastIndex = match.index
        const longer = this.whole.exec(end === text.length ? text : text.slice(0, end))
        if (longer !== null) {
          best = longer
          break
        }
      }
    }
    return { index: match.index, end: match.index + best[0].length, groups: best }
  }
}

/** Compiles a POSIX expression. @throws RegexError */
export function compileRegex(pattern: string, options: RegexOptions): Regex {
  const source = new Translator(pattern, options).translate()
  return build(source, `${options.ignoreCase === true ? 'i' : ''}${options.multiline === true ? 'm' : ''}`)
}

function build(source: string, flags: string): Regex {
  try {
    return new Regex(source, flags)
  } catch (error) {
    if (error instanceof SyntaxError) throw new RegexError('Invalid regular expression')
    throw error
  }
}

/** @returns the source of an expression in JavaScript's terms @throws RegexError */
export function regexSource(pattern: string, options: RegexOptions): string {
  return new Translator(pattern, options).translate()
}

/** Joins expressions: one matches where any of them does. @throws RegexError */
export function anyOf(sources: readonly string[], ignoreCase: boolean): Regex {
  return build(
    sources.length === 1 ? sources[0]! : sources.map(source => `(?:${source})`).join('|'),
    ignoreCase ? 'i' : '',
  )
}

const cache = new Map<string, RegExp>()

/** Compiles an extended expression to one of JavaScript, for =~ of the shell. @throws SyntaxError */
export function toJsRegex(pattern: string, ignoreCase: boolean): RegExp {
  const key = (ignoreCase ? 'i' : 's') + pattern
  let regex = cache.get(key)
  if (regex === undefined) {
    try {
      regex = new RegExp(
        new Translator(pattern, { extended: true, multiline: false, controls: false })
          .translate()
          .replaceAll('[^\\n]', '[^]'),
        ignoreCase ? 'i' : '',
      )
    } catch (error) {
      if (error instanceof RegexError) throw new SyntaxError(error.message)
      throw error
    }
    if (cache.size > 500) cache.clear()
    cache.set(key, regex)
  }
  return regex
}
