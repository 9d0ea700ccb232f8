/** POSIX extended regular expressions as those of JavaScript. */

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

const cache = new Map<string, RegExp>()

/** Compiles an extended regular expression. @throws SyntaxError */
export function toJsRegex(pattern: string, ignoreCase: boolean): RegExp {
  const key = (ignoreCase ? 'i' : 's') + pattern
  let regex = cache.get(key)
  if (regex === undefined) {
    regex = new RegExp(translate(pattern), ignoreCase ? 'is' : 's')
    if (cache.size > 500) cache.clear()
    cache.set(key, regex)
  }
  return regex
}

function translate(pattern: string): string {
  let out = ''
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!
    if (c === '[') {
      let j = i + 1
      let body = ''
      let negated = false
      if (pattern[j] === '^') {
        negated = true
        j++
      }
      const start = j
      for (; j < pattern.length; j++) {
        const d = pattern[j]!
        if (d === ']' && j > start) break
        if (d === '[' && (pattern[j + 1] === ':' || pattern[j + 1] === '.' || pattern[j + 1] === '=')) {
          const end = pattern.indexOf(`${pattern[j + 1]}]`, j + 2)
          if (end < 0) throw new SyntaxError('unterminated class')
          const name = pattern.slice(j + 2, end)
          if (pattern[j + 1] === ':') {
            const set = CLASSES[name]
            if (set === undefined) throw new SyntaxError('unknown class')
            body += set
          } else body += name.replace(/[\\\]^-]/g, '\\$&')
          j = end + 1
        } else if (d === '\\' || d === '[' || d === '^' || d === ']') body += `\\${d}`
        else if (d === '-' && (j === start || pattern[j + 1] === ']')) body += '\\-'
        else body += d
      }
      if (j >= pattern.length) throw new SyntaxError('unterminated bracket')
      out += negated ? `[^${body}]` : `[${body}]`
      i = j
    } else if (c === '\\') {
      const d = pattern[++i]
      if (d === undefined) throw new SyntaxError('trailing backslash')
      if (d === '<') out += '\\b(?=\\w)'
      else if (d === '>') out += '\\b(?<=\\w)'
      else if (/[bBwWsS1-9]/.test(d)) out += `\\${d}`
      else out += d.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    } else if (c === '{' && !/^\{\d*(?:,\d*)?\}/.test(pattern.slice(i))) out += '\\{'
    else if (c === '{' && pattern[i + 1] === ',') {
      out += '{0'
    } else if (c === '}' && !/\{\d*(?:,\d*)?$/.test(pattern.slice(0, i))) out += '\\}'
    else if (c === '*' && (out === '' || /(?:^|[^\\])[(|]$/.test(out))) out += '\\*'
    else out += c
  }
  return out
}
