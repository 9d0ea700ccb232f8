/** env's -S: a text split into words as its manual describes: quotes, escapes, variables. */

/** The text is wrong; the message is env's. */
export class SplitError extends Error {}

const ESCAPES: Readonly<Record<string, string>> = {
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '#': '#',
  $: '$',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** @returns the words. Throws SplitError */
export function splitString(text: string, env: ReadonlyMap<string, string>): string[] {
  const words: string[] = []
  let word: string | undefined
  let quoteChar = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (quoteChar === '' && /[ \t\n\v\f\r]/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
      continue
    }
    if (char === "'" || char === '"') {
      if (quoteChar === char) quoteChar = ''
      else if (quoteChar === '') quoteChar = char
      else word = (word ?? '') + char
      word ??= ''
      continue
    }
    if (char === '#' && quoteChar === '' && word === undefined) break
    if (char === '\\' && (quoteChar !== "'" || text[i + 1] === '\\' || text[i + 1] === "'")) {
      const next = text[++i]
      if (next === undefined) throw new SplitError('invalid backslash at end of string in -S')
      if (next === 'c') {
        if (quoteChar === '"') throw new SplitError("'\\c' must not appear in double-quoted -S string")
        break
      }
      if (next === '_') {
        if (quoteChar === '"') word = `${word ?? ''} `
        else {
          if (word !== undefined) words.push(word)
          word = undefined
        }
        continue
      }
      const value = ESCAPES[next]
      if (value === undefined) throw new SplitError(`invalid sequence '\\${next}' in -S`)
      word = (word ?? '') + value
      continue
    }
    if (char === '$' && quoteChar !== "'") {
      const match = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}/.exec(text.slice(i))
      if (match === null) throw new SplitError(`only \${VARNAME} expansion is supported, error at: ${text.slice(i)}`)
      const value = env.get(match[1]!)
      if (value !== undefined) word = (word ?? '') + value
      i += match[0].length - 1
      continue
    }
    word = (word ?? '') + char
  }
  if (quoteChar !== '') throw new SplitError('no terminating quote in -S string')
  if (word !== undefined) words.push(word)
  return words
}
