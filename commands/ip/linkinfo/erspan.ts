/** The options ERSPAN adds to GRE. */
import type { GreData } from '../../../src/uapi/if_link.ts'
import type { Args } from '../../lib/args.ts'
import { matches } from '../../lib/args.ts'
import { invarg } from '../../lib/errors.ts'
import { getU8, getU16, getU32 } from '../../lib/number.ts'
import type { Printer } from '../../lib/printer.ts'

const DIRECTIONS = ['ingress', 'egress']

/** Reads one of ERSPAN's words. @returns whether the current word was one */
export function parseErspanWord(args: Args, data: GreData): boolean {
  if (args.is('erspan')) {
    const word = args.next()
    const index = getU32(word) ?? invarg('invalid erspan index\n', word)
    if ((index & ~((1 << 20) - 1)) !== 0 || index === 0) invarg('erspan index must be > 0 and <= 20-bit\n', word)
    data.erspanIndex = index
    return true
  }
  if (args.is('erspan_ver')) {
    const word = args.next()
    const version = getU8(word) ?? invarg('invalid erspan version\n', word)
    if (version > 2) invarg('erspan version must be 0/1/2\n', word)
    data.erspanVer = version
    return true
  }
  if (args.is('erspan_dir')) {
    const word = args.next()
    const direction = DIRECTIONS.findIndex(name => matches(word, name))
    if (direction < 0) invarg('Invalid erspan direction.', word)
    data.erspanDir = direction
    return true
  }
  if (args.is('erspan_hwid')) {
    const word = args.next()
    data.erspanHwid = getU16(word) ?? invarg('invalid erspan hwid\n', word)
    return true
  }
  return false
}

/** Prints ERSPAN's attributes. */
export function printErspan(out: Printer, data: GreData): void {
  if (data.erspanIndex !== undefined) {
    out.put('erspan_index', data.erspanIndex, `erspan_index ${data.erspanIndex} `)
  }
  if (data.erspanVer !== undefined) out.put('erspan_ver', data.erspanVer, `erspan_ver ${data.erspanVer} `)
  if (data.erspanDir !== undefined) {
    const name = DIRECTIONS[data.erspanDir === 0 ? 0 : 1]!
    out.put('erspan_dir', name, `erspan_dir ${name} `)
  }
  if (data.erspanHwid !== undefined) {
    const hex = `0x${data.erspanHwid.toString(16)}`
    out.put('erspan_hwid', hex, `erspan_hwid ${hex} `)
  }
}
