/** Patterns of bash(1) "Pattern Matching", compiled to regular expressions. */

/** How patterns are compiled. */
export interface PatternOptions {
  readonly extglob: boolean
  readonly ignoreCase?: boolean
  /** for file names: * and ? stop at nothing, but a slash is never in a component anyway */
}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: 'a-zA-Z0-9',
  alpha: 'a-zA-Z',
  ascii: '\\x00-\\x7f',
  blank: ' \\t',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '\\x21-\\x7e',
  lower: 'a-z',
  print: '\\x20-\\x7e',
  punct: '!-\\/:-@\\[-`{-~',
  space: ' \\t\\n\\v\\f\\r',
  upper: 'A-Z',
  word: 'a-zA-Z0-9_',
  xdigit: '0-9a-fA-F',
}

const SPECIAL = /[\\^$.*+?()[\]{}|/-]/g

/** @returns a text with every character that is special in a pattern behind a backslash */
export function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]()|!@+^-]/g, '\\$&')
}

/** @returns whether an unescaped character of a pattern is special */
export function hasGlob(pattern: string, extglob: boolean): boolean {
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]
    if (c === '\\') i++
    else if (c === '*' || c === '?') return true
    else if (c === '[' && bracketEnd(pattern, i) > 0) return true
    else if (extglob && pattern[i + 1] === '(' && (c === '+' || c === '@' || c === '!')) return true
  }
  return false
}

/** @returns a pattern's text without its backslashes */
export function unescapePattern(pattern: string): string {
  return pattern.replace(/\\([\s\S]?)/g, '$1')
}

/** @returns the position of the ] that closes the bracket expression at `i`, or -1 */
export function bracketEnd(pattern: string, i: number): number {
  let j = i + 1
  if (pattern[j] === '!' || pattern[j] === '^') j++
  if (pattern[j] === ']') j++
  for (; j < pattern.length; j++) {
    const c = pattern[j]
    if (c === '\\') j++
    else if (c === '[' && (pattern[j + 1] === ':' || pattern[j + 1] === '.' || pattern[j + 1] === '=')) {
      const end = pattern.indexOf(`${pattern[j + 1]}]`, j + 2)
      if (end > 0) j = end + 1
    } else if (c === ']') return j
  }
  return -1
}

/** Compiles one pattern to the source of a regular expression. */
class Compiler {
  private readonly pattern: string
  private readonly extglob: boolean
  private readonly star: string

  constructor(pattern: string, extglob: boolean, lazy: boolean) {
    this.pattern = pattern
    this.extglob = extglob
    this.star = lazy ? '[^]*?' : '[^]*'
  }

  /** Compiles from `from` up to `to`; `rest` is what must follow, for `!(…)`. */
  compile(from: number, to: number, rest: string): string {
    const { pattern } = this
    const parts: string[] = []
    for (let i = from; i < to; i++) {
      const c = pattern[i]!
      if (this.extglob && pattern[i + 1] === '(' && '?*+@!'.includes(c)) {
        const close = this.closing(i + 1, to)
        if (close > 0) {
          const after = c === '!' ? this.compile(close + 1, to, rest) : ''
          const alternatives = this.alternatives(i + 2, close, c === '!' ? after + rest : '')
          switch (c) {
            case '?':
              parts.push(`(?:${alternatives})?`)
              break
            case '*':
              parts.push(`(?:${alternatives})*`)
              break
            case '+':
              parts.push(`(?:${alternatives})+`)
              break
            case '@':
              parts.push(`(?:${alternatives})`)
              break
            default:
              parts.push(`(?!(?:${alternatives})${after}${rest}$)${this.star}${after}`)
              return parts.join('')
          }
          i = close
          continue
        }
      }
      switch (c) {
        case '*':
          while (pattern[i + 1] === '*' && i + 1 < to) i++
          parts.push(this.star)
          break
        case '?':
          parts.push('[^]')
          break
        case '[': {
          const end = bracketEnd(pattern, i)
          if (end < 0 || end >= to) parts.push('\\[')
          else {
            parts.push(bracket(pattern.slice(i + 1, end)))
            i = end
          }
          break
        }
        case '\\':
          if (i + 1 < to) parts.push(quoteRegex(pattern[++i]!))
          else parts.push('\\\\')
          break
        default:
          parts.push(quoteRegex(c))
      }
    }
    return parts.join('')
  }

  private alternatives(from: number, to: number, rest: string): string {
    const parts: string[] = []
    let depth = 0
    let start = from
    for (let i = from; i < to; i++) {
      const c = this.pattern[i]
      if (c === '\\') i++
      else if (c === '[') {
        const end = bracketEnd(this.pattern, i)
        if (end > 0 && end < to) i = end
      } else if (c === '(') depth++
      else if (c === ')') depth--
      else if (c === '|' && depth === 0) {
        parts.push(this.compile(start, i, rest))
        start = i + 1
      }
    }
    parts.push(this.compile(start, to, rest))
    return parts.join('|')
  }

  private closing(open: number, to: number): number {
    let depth = 0
    for (let i = open; i < to; i++) {
      const c = this.pattern[i]
      if (c === '\\') i++
      else if (c === '[') {
        const end = bracketEnd(this.pattern, i)
        if (end > 0 && end < to) i = end
      } else if (c === '(') depth++
      else if (c === ')' && --depth === 0) return i
    }
    return -1
  }
}

/** @returns a bracket expression's class in a regular expression */
function bracket(body: string): string {
  let i = 0
  let negated = false
  if (body[0] === '!' || body[0] === '^') {
    negated = true
    i = 1
  }
  let out = ''
  for (; i < body.length; i++) {
    let c = body[i]!
    if (c === '[' && body[i + 1] === ':') {
      const end = body.indexOf(':]', i + 2)
      if (end > 0) {
        out += CLASSES[body.slice(i + 2, end)] ?? ''
        i = end + 1
        continue
      }
    }
    if (c === '[' && (body[i + 1] === '.' || body[i + 1] === '=')) {
      const end = body.indexOf(`${body[i + 1]}]`, i + 2)
      if (end > 0) {
        out += quoteRegex(body.slice(i + 2, end))
        i = end + 1
        continue
      }
    }
    if (c === '\\' && i + 1 < body.length) c = body[++i]!
    if (body[i + 1] === '-' && i + 2 < body.length) {
      let high = body[i + 2]!
      let taken = 2
      if (high === '\\' && i + 3 < body.length) {
        high = body[i + 3]!
        taken = 3
      }
      if (c <= high) out += `${quoteRegex(c)}-${quoteRegex(high)}`
      i += taken
      continue
    }
    out += quoteRegex(c)
  }
  if (out === '') return negated ? '[^]' : '[]'
  return negated ? `[^${out}]` : `[${out}]`
}

/** @returns a text as a regular expression that matches exactly it */
export function quoteRegex(text: string): string {
  return text.replace(SPECIAL, '\\$&')
}

const cache = new Map<string, RegExp>()

function compiled(
  pattern: string,
  options: PatternOptions,
  form: 'full' | 'prefix' | 'suffix' | 'any',
  lazy: boolean,
): RegExp {
  const key = `${form}${lazy ? 'l' : 'g'}${options.extglob ? 'x' : '-'}${options.ignoreCase === true ? 'i' : '-'}${pattern}`
  let regex = cache.get(key)
  if (regex === undefined) {
    const source = new Compiler(pattern, options.extglob, lazy).compile(0, pattern.length, '')
    const text =
      form === 'full'
        ? `^(?:${source})$`
        : form === 'prefix'
          ? `^(?:${source})`
          : form === 'suffix'
            ? `(?:${source})$`
            : source
    regex = new RegExp(text, options.ignoreCase === true ? 'i' : '')
    if (cache.size > 1000) cache.clear()
    cache.set(key, regex)
  }
  return regex
}

/** @returns whether a whole text matches a pattern */
export function matches(pattern: string, text: string, options: PatternOptions): boolean {
  return compiled(pattern, options, 'full', false).test(text)
}

/** @returns the text without its shortest or longest prefix that matches */
export function removePrefix(text: string, pattern: string, longest: boolean, options: PatternOptions): string {
  if (usesAlternatives(pattern, options)) {
    for (let n = 0; n <= text.length; n++) {
      const length = longest ? text.length - n : n
      if (matches(pattern, text.slice(0, length), options)) return text.slice(length)
    }
    return text
  }
  const match = compiled(pattern, options, 'prefix', !longest).exec(text)
  return match === null ? text : text.slice(match[0].length)
}

/** @returns the text without its shortest or longest suffix that matches */
export function removeSuffix(text: string, pattern: string, longest: boolean, options: PatternOptions): string {
  if (longest && !usesAlternatives(pattern, options)) {
    const match = compiled(pattern, options, 'suffix', false).exec(text)
    return match === null ? text : text.slice(0, match.index)
  }
  // a plain text at the end needs no search
  const plain = !hasGlob(pattern, options.extglob) && options.ignoreCase !== true ? unescapePattern(pattern) : undefined
  if (plain !== undefined) return text.endsWith(plain) ? text.slice(0, text.length - plain.length) : text
  for (let n = 0; n <= text.length; n++) {
    const start = longest ? n : text.length - n
    if (matches(pattern, text.slice(start), options)) return text.slice(0, start)
  }
  return text
}

function usesAlternatives(pattern: string, options: PatternOptions): boolean {
  return options.extglob && /[?*+@!]\(/.test(pattern)
}

/**
 * Replaces what matches a pattern, at each place the longest match.
 * @param replacement called with the matched text
 */
export function replacePattern(
  text: string,
  pattern: string,
  replacement: (match: string) => string,
  how: { all: boolean; anchor: 'start' | 'end' | null },
  options: PatternOptions,
): string {
  if (how.anchor === 'start') {
    if (pattern === '') return replacement('') + text
    const rest = removePrefix(text, pattern, true, options)
    if (rest.length === text.length && !matches(pattern, '', options)) return text
    return replacement(text.slice(0, text.length - rest.length)) + rest
  }
  if (how.anchor === 'end') {
    if (pattern === '') return text + replacement('')
    const rest = removeSuffix(text, pattern, true, options)
    if (rest.length === text.length && !matches(pattern, '', options)) return text
    return rest + replacement(text.slice(rest.length))
  }
  if (pattern === '') return text
  if (text === '') return matches(pattern, '', options) ? replacement('') : text
  const regex = new RegExp(compiled(pattern, options, 'any', false).source, options.ignoreCase === true ? 'gi' : 'g')
  let out = ''
  let at = 0
  while (at < text.length) {
    regex.lastIndex = at
    const match = regex.exec(text)
    if (match === null) break
    let matched = match[0]
    if (usesAlternatives(pattern, options)) {
      for (let end = text.length; end > match.index; end--) {
        if (matches(pattern, text.slice(match.index, end), options)) {
          matched = text.slice(match.index, end)
          break
        }
      }
    }
    if (matched === '') {
      out += text.slice(at, match.index + 1)
      at = match.index + 1
      continue
    }
    out += text.slice(at, match.index) + replacement(matched)
    at = match.index + matched.length
    if (!how.all) break
  }
  return out + text.slice(at)
}
