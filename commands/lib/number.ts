/**
 * Numbers on the command line as strtol(3) and strtoul(3) read them: leading blanks, a sign, base 0 (`0x` hexadecimal,
 * a leading 0 octal) or a given base. The whole word must be the number. `undefined` means it is not one or is out of
 * range; the caller has the words for that.
 */

const BLANKS = /^[ \t\n\v\f\r]*/

/** The number at the beginning of a text, its value exact, and the length of what was read (0: no number). */
export interface ScannedInteger {
  readonly value: bigint
  readonly length: number
}

function digitValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  if (code >= 97 && code <= 122) return code - 87
  if (code >= 65 && code <= 90) return code - 55
  return 99
}

/** Reads an integer from the beginning of a text, as strtol(3) does without its limits. @param base 0, or 2 to 36 */
export function scanInteger(text: string, base = 0): ScannedInteger {
  let pos = BLANKS.exec(text)![0].length
  let negative = false
  if (text[pos] === '-' || text[pos] === '+') {
    negative = text[pos] === '-'
    pos++
  }
  let radix = base
  const hexPrefix = text[pos] === '0' && (text[pos + 1] === 'x' || text[pos + 1] === 'X')
  const hexDigits = hexPrefix && digitValue(text.charCodeAt(pos + 2)) < 16
  if ((base === 0 || base === 16) && hexDigits) {
    radix = 16
    pos += 2
  } else if (base === 0) {
    radix = text[pos] === '0' ? 8 : 10
  }
  const start = pos
  let value = 0n
  while (digitValue(text.charCodeAt(pos)) < radix) {
    value = value * BigInt(radix) + BigInt(digitValue(text.charCodeAt(pos)))
    pos++
  }
  if (pos === start) return { value: 0n, length: 0 }
  return { value: negative ? -value : value, length: pos }
}

const ULONG_MAX = 0xffffffffffffffffn

/** A whole word by strtoul(3): negative numbers wrap to 64 bits, too large ones are refused. */
function wholeUnsigned(word: string, base: number): bigint | undefined {
  const { value, length } = scanInteger(word, base)
  if (length === 0 || length !== word.length) return undefined
  if (value > ULONG_MAX || -value > ULONG_MAX) return undefined
  return value < 0n ? value + ULONG_MAX + 1n : value
}

function bounded(word: string, base: number, max: bigint): number | undefined {
  const value = wholeUnsigned(word, base)
  return value === undefined || value > max ? undefined : Number(value)
}

/** @returns an unsigned 8-bit number */
export const getU8 = (word: string, base = 0): number | undefined => bounded(word, base, 0xffn)
/** @returns an unsigned 16-bit number */
export const getU16 = (word: string, base = 0): number | undefined => bounded(word, base, 0xffffn)
/** @returns an unsigned 32-bit number */
export const getU32 = (word: string, base = 0): number | undefined => bounded(word, base, 0xffffffffn)
/** @returns an unsigned number of C's type unsigned int */
export const getUnsigned = getU32
/** @returns an unsigned 64-bit number; negative words wrap, as strtoull(3) has it */
export const getU64 = (word: string, base = 0): bigint | undefined => wholeUnsigned(word, base)

function signed(word: string, base: number, min: bigint, max: bigint): number | undefined {
  const { value, length } = scanInteger(word, base)
  if (length === 0 || length !== word.length || value < min || value > max) return undefined
  return Number(value)
}

/** @returns a signed number of C's type int */
export const getInteger = (word: string, base = 0): number | undefined => signed(word, base, -0x80000000n, 0x7fffffffn)
/** @returns a signed 32-bit number */
export const getS32 = getInteger

/** @returns what C's atoi(3) makes of a word: the decimal number at its beginning, else 0; wraps to 32 bits */
export function atoi(word: string): number {
  return Number(BigInt.asIntN(32, scanInteger(word, 10).value))
}

/** The floating number at the beginning of a text, as strtod(3) reads it (decimal only). */
export function scanFloat(text: string): { readonly value: number; readonly length: number } {
  const match = /^[ \t\n\v\f\r]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/.exec(text)
  return match === null ? { value: 0, length: 0 } : { value: Number(match[0]), length: match[0].length }
}

/** C's printf("%g") with a precision. */
export function formatG(value: number, precision = 6): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const p = precision === 0 ? 1 : precision
  const [mantissa, exponentText] = value.toExponential(p - 1).split('e') as [string, string]
  const exponent = Number(exponentText)
  const trim = (digits: string): string => (digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits)
  if (exponent < -4 || exponent >= p) {
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${trim(mantissa)}e${exponent < 0 ? '-' : '+'}${size}`
  }
  return trim(value.toFixed(p - 1 - exponent))
}
