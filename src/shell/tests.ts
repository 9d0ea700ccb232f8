/** The primaries of `test` and [[: files, strings, variables. */
import { decode } from '../../commands/coreutils/lib/bytes.ts'
import { fileTest } from '../../commands/coreutils/lib/test.ts'
import { toPlace } from './parameter.ts'
import type { Shell } from './shell.ts'
import { Attr } from './variables.ts'

/** @returns what a unary primary says; `text` is a byte string */
export async function unaryTest(sh: Shell, operator: string, text: string): Promise<boolean> {
  switch (operator) {
    case '-n':
      return text !== ''
    case '-z':
      return text === ''
    case '-o':
      return sh.options.on(text)
    case '-v': {
      if (/^\d+$/.test(text)) return Number(text) === 0 || sh.positional[Number(text) - 1] !== undefined
      const place = await toPlace(sh, text)
      if (place === undefined) return false
      if (place.subscript === '@' || place.subscript === '*') return sh.vars.isSet(place.name, true)
      return sh.vars.at(place) !== undefined
    }
    case '-R': {
      const variable = sh.vars.lookup(text)
      return variable !== undefined && (variable.attrs & Attr.Nameref) !== 0 && variable.value !== undefined
    }
    default:
      return fileTest(sh.proc, operator, decode(text))
  }
}
