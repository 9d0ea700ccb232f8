/** Values of keywords: on/off words, words of a list, numbers with their complaints, interface names. */
import { CommandFailure, invarg } from './errors.ts'
import { getU8, getU16, getU32, getU64 } from './number.ts'

/** Reads `on` or `off`; the older wording of the complaint, status 1. */
export function onOff(key: string, word: string): boolean {
  if (word === 'on') return true
  if (word === 'off') return false
  throw new CommandFailure(`Error: argument of "${key}" must be "on" or "off", not "${word}"\n`, 1)
}

/** Reads one of several words. @returns its place in the list; CommandFailure with the list otherwise */
export function parseOneOf(key: string, word: string, list: readonly string[], status = 1): number {
  const place = list.indexOf(word)
  if (place >= 0) return place
  const names = list.map(name => `"${name}", `).join('')
  throw new CommandFailure(`Error: argument of "${key}" must be one of ${names}not "${word}"\n`, status)
}

/** Reads `off` or `on`; the newer wording of the complaint. @param status the command's status where it is neither */
export function parseOnOff(key: string, word: string, status = 1): boolean {
  return parseOneOf(key, word, ['off', 'on'], status) === 1
}

/** A number of 8 bits, or leaves with `message`. */
export const u8 = (word: string, message: string): number => getU8(word) ?? invarg(message, word)
/** A number of 16 bits, or leaves with `message`. */
export const u16 = (word: string, message: string): number => getU16(word) ?? invarg(message, word)
/** A number of 32 bits, or leaves with `message`. */
export const u32 = (word: string, message: string): number => getU32(word) ?? invarg(message, word)
/** A number of 64 bits as a number, or leaves with `message`. */
export const u64 = (word: string, message: string): number => Number(getU64(word) ?? invarg(message, word))

/** @returns whether a word can be an interface name: 1 to 15 bytes, no slash, no blank */
export function validIfname(word: string): boolean {
  return new TextEncoder().encode(word).length < 16 && validAltIfname(word)
}

/** @returns whether a word can be an alternative interface name */
export function validAltIfname(word: string): boolean {
  return word !== '' && !/[/\s]/.test(word)
}
