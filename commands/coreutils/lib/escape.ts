/** Backslash escapes of $'…', echo -e and printf, in byte strings. */

/**
 * Interprets backslash escapes.
 * @param style `ansi`: those of $'…'; `echo`: those of echo -e and %b, where \c ends the output and octal is \0nnn
 * @returns the text, and whether \c was met
 */
export function unescapeText(
  text: string,
  style: 'ansi' | 'echo' | 'printf',
  utf8: boolean,
): { text: string; stop: boolean } {
  if (!text.includes('\\')) return { text, stop: false }
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (c !== '\\' || i + 1 >= text.length) {
      out += c
      continue
    }
    const e = text[++i]!
    switch (e) {
      case 'a':
        out += '\x07'
        break
      case 'b':
        out += '\b'
        break
      case 'e':
      case 'E':
        out += '\x1b'
        break
      case 'f':
        out += '\f'
        break
      case 'n':
        out += '\n'
        break
      case 'r':
        out += '\r'
        break
      case 't':
        out += '\t'
        break
      case 'v':
        out += '\v'
        break
      case '\\':
        out += '\\'
        break
      case 'c':
        if (style === 'echo') return { text: out, stop: true }
        if (style === 'ansi' && i + 1 < text.length) out += String.fromCharCode(text.charCodeAt(++i) & 0x1f)
        else out += '\\c'
        break
      case 'x': {
        const digits = /^[0-9a-fA-F]{1,2}/.exec(text.slice(i + 1, i + 3))?.[0]
        if (digits === undefined) out += '\\x'
        else {
          out += String.fromCharCode(Number.parseInt(digits, 16))
          i += digits.length
        }
        break
      }
      case 'u':
      case 'U': {
        const digits = new RegExp(`^[0-9a-fA-F]{1,${e === 'u' ? 4 : 8}}`).exec(text.slice(i + 1, i + 9))?.[0]
        if (digits === undefined) out += `\\${e}`
        else {
          out += codePoint(Number.parseInt(digits, 16), utf8)
          i += digits.length
        }
        break
      }
      case '0':
      case '1':
      case '2':
      case '3':
      case '4':
      case '5':
      case '6':
      case '7': {
        if (style === 'echo' && e !== '0') {
          out += `\\${e}`
          break
        }
        const max = style === 'echo' ? 4 : 3
        const digits = /^[0-7]+/.exec(text.slice(i, i + max))![0]
        out += String.fromCharCode(Number.parseInt(digits, 8) & 0xff)
        i += digits.length - 1
        break
      }
      case '"':
      case "'":
      case '?':
        out += style === 'echo' ? `\\${e}` : e
        break
      default:
        out += `\\${e}`
    }
  }
  return { text: out, stop: false }
}

/** @returns the bytes of \u and \U: UTF-8, or the escape itself in a locale that has no such character */
function codePoint(point: number, utf8: boolean): string {
  if (point < 0x80) return String.fromCharCode(point)
  if (!utf8)
    return point > 0xffff
      ? `\\U${point.toString(16).toUpperCase().padStart(8, '0')}`
      : `\\u${point.toString(16).toUpperCase().padStart(4, '0')}`
  if (point < 0x800) return String.fromCharCode(0xc0 | (point >> 6), 0x80 | (point & 0x3f))
  if (point < 0x10000)
    return String.fromCharCode(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f))
  return String.fromCharCode(
    0xf0 | (point >> 18),
    0x80 | ((point >> 12) & 0x3f),
    0x80 | ((point >> 6) & 0x3f),
    0x80 | (point & 0x3f),
  )
}
