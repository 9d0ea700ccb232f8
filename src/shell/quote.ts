/** Quoting for reuse as input: what %q, ${x@Q}, `set -x`, `declare -p`, `alias`, `trap` and `set` print. */

const ANSI: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\x1b': '\\E',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  "'": "\\'",
}

/** @returns whether a byte string needs $'…' to be shown: it has bytes that do not print. `utf8`: bytes of UTF-8 print */
export function needsAnsi(text: string, utf8: boolean): boolean {
  return utf8 ? /[\x00-\x1f\x7f]/.test(text) : /[\x00-\x1f\x7f-\xff]/.test(text)
}

/** @returns `$'…'` */
export function ansiQuote(text: string, utf8: boolean): string {
  let out = "$'"
  for (const c of text) {
    const letter = ANSI[c]
    if (letter !== undefined) out += letter
    else if (c < ' ' || c === '\x7f' || (c > '\x7f' && !utf8))
      out += `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`
    else out += c
  }
  return `${out}'`
}

/** @returns `'…'`, with single quotes written `'\''` */
export function singleQuote(text: string): string {
  return text === "'" ? "\\'" : `'${text.replaceAll("'", "'\\''")}'`
}

/** @returns `"…"` with what is special in double quotes escaped */
export function doubleQuote(text: string): string {
  return `"${text.replace(/["\\`$]/g, '\\$&')}"`
}

/** @returns the text with every special character behind a backslash, as %q does */
export function backslashQuote(text: string, utf8: boolean): string {
  if (text === '') return "''"
  if (needsAnsi(text, utf8)) return ansiQuote(text, utf8)
  return text.replace(/[ \t\n!"$&'()*,;<>?[\\\]^`{|}]/g, '\\$&').replace(/^[#~]/, '\\$&')
}

/** @returns whether a text has characters that mean something to the shell */
export function hasMeta(text: string): boolean {
  return text === '' || /[ \t\n'"\\|&;()<>!{}*[\]?^$`]|^#|^~|=~|:~/.test(text)
}

/** @returns the text as `set -x` shows it: bare where possible */
export function traceQuote(text: string, utf8: boolean): string {
  if (hasMeta(text)) return singleQuote(text)
  return needsAnsi(text, utf8) ? ansiQuote(text, utf8) : text
}

/** @returns the text as `set` lists it: bare where possible */
export function listQuote(text: string, utf8: boolean): string {
  if (text === '') return ''
  if (needsAnsi(text, utf8)) return ansiQuote(text, utf8)
  return hasMeta(text) ? singleQuote(text) : text
}

/** @returns the text as ${x@Q} gives it: always quoted */
export function reuseQuote(text: string, utf8: boolean): string {
  return needsAnsi(text, utf8) ? ansiQuote(text, utf8) : singleQuote(text)
}

/** @returns a value as `declare -p` shows it */
export function declareQuote(text: string, utf8: boolean): string {
  return needsAnsi(text, utf8) ? ansiQuote(text, utf8) : doubleQuote(text)
}
