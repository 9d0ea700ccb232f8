/** Words that selecting and making policy rules share: ranges, marks, interface names. */
import { IFNAMSIZ } from '../../src/uapi/if.ts'
import { invarg } from '../lib/errors.ts'
import { getU32, scanInteger } from '../lib/number.ts'

/** A range of ports or user ids, both ends included. */
export interface Range {
  start: number
  end: number
}

/** How far sscanf(3) got with `%u-%u`: the numbers it read. */
function scanRange(word: string, bits: number): number[] {
  const first = scanInteger(word, 10)
  if (first.length === 0) return []
  const numbers = [Number(BigInt.asUintN(bits, first.value))]
  if (word[first.length] !== '-') return numbers
  const second = scanInteger(word.slice(first.length + 1), 10)
  if (second.length > 0) numbers.push(Number(BigInt.asUintN(bits, second.value)))
  return numbers
}

/** Reads `PORT[-PORT]`; numbers wrap at 65536, and what follows the first is forgiven. @param message complaint about no number */
export function parsePortRange(word: string, message: string): Range {
  const [start, end] = scanRange(word, 16)
  if (start === undefined) invarg(message, word)
  return { start, end: end ?? start }
}

/** Reads `UID-UID`. */
export function parseUidRange(word: string): Range {
  const [start, end] = scanRange(word, 32)
  if (start === undefined || end === undefined) invarg('invalid UID range\n', word)
  return { start, end }
}

/** Reads `MARK[/MASK]`. */
export function parseMark(word: string): { readonly mark: number; readonly mask: number | undefined } {
  const slash = word.indexOf('/')
  const value = slash < 0 ? word : word.slice(0, slash)
  const mark = getU32(value) ?? invarg('fwmark value is invalid\n', value)
  if (slash < 0) return { mark, mask: undefined }
  const maskWord = word.slice(slash + 1)
  return { mark, mask: getU32(maskWord) ?? invarg('fwmask value is invalid\n', maskWord) }
}

/** @returns the word where it could be an interface's name; else leaves with the complaint */
export function parseIfname(word: string, message: string): string {
  const valid = word !== '' && new TextEncoder().encode(word).length < IFNAMSIZ && !/[/\s]/.test(word)
  return valid ? word : invarg(message, word)
}
