/** date(1), over the machine's clock. */
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { parseDate } from './lib/date.ts'
import { complain, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'
import { strftime } from './lib/strftime.ts'

const OPTIONS = [
  { key: 'date', short: 'd', long: 'date', arg: 'required' },
  { key: 'file', short: 'f', long: 'file', arg: 'required' },
  { key: 'iso', short: 'I', long: 'iso-8601', arg: 'optional' },
  { key: 'resolution', long: 'resolution' },
  { key: 'rfc', short: 'R', long: 'rfc-email' },
  { key: 'rfc3339', long: 'rfc-3339', arg: 'required' },
  { key: 'reference', short: 'r', long: 'reference', arg: 'required' },
  { key: 'set', short: 's', long: 'set', arg: 'required' },
  { key: 'utc', short: 'u', long: 'utc' },
  { key: 'utc', long: 'universal' },
] as const

const ABOUT = {
  usage: '[OPTION]... [+FORMAT]\n  or:  date [-u|--utc|--universal] [MMDDhhmm[[CC]YY][.ss]]',
  does: 'Display date and time in the given FORMAT.',
  authors: 'David MacKenzie',
}

const ISO: Readonly<Record<string, string>> = {
  date: '%Y-%m-%d',
  hours: '%Y-%m-%dT%H%:z',
  minutes: '%Y-%m-%dT%H:%M%:z',
  seconds: '%Y-%m-%dT%H:%M:%S%:z',
  ns: '%Y-%m-%dT%H:%M:%S,%N%:z',
}
const RFC3339: Readonly<Record<string, string>> = {
  date: '%Y-%m-%d',
  seconds: '%Y-%m-%d %H:%M:%S%:z',
  ns: '%Y-%m-%d %H:%M:%S.%N%:z',
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const tz = options.has('utc') ? 'UTC0' : (proc.env.get('TZ') ?? '')
  let format = '%a %b %e %H:%M:%S %Z %Y'
  if (options.has('rfc')) format = '%a, %d %b %Y %H:%M:%S %z'
  if (options.has('iso')) {
    const word = options.value('iso') ?? 'date'
    const found = Object.keys(ISO).find(each => each.startsWith(word))
    if (found === undefined) return complain(proc, `invalid argument ${quote(word)} for '--iso-8601'`)
    format = ISO[found]!
  }
  const rfc = options.value('rfc3339')
  if (rfc !== undefined) {
    const found = Object.keys(RFC3339).find(each => each.startsWith(rfc))
    if (found === undefined) return complain(proc, `invalid argument ${quote(rfc)} for '--rfc-3339'`)
    format = RFC3339[found]!
  }
  const formats = options.operands.filter(word => word.startsWith('+'))
  const others = options.operands.filter(word => !word.startsWith('+'))
  if (formats.length > 1) return usageError(proc, `${proc.argv[0]}: multiple output formats specified`, 1)
  if (formats[0] !== undefined) format = formats[0].slice(1)
  if (others.length > 0 && (options.has('date') || options.has('reference'))) {
    return usageError(
      proc,
      `${proc.argv[0]}: the argument ${quote(others[0]!)} lacks a leading '+';\nwhen using an option to specify date(s), any non-option\nargument must be a format string beginning with '+'`,
      1,
    )
  }
  if (others.length > 1) return usageError(proc, `${proc.argv[0]}: extra operand ${quote(others[1]!)}`, 1)
  const show = (ns: number): void => {
    proc.stdout.write(`${strftime(format, ns, tz === 'UTC0' ? 'UTC' : tz)}\n`)
  }
  if (others.length === 1) {
    return /^\d{8}(?:\d{2}|\d{4})?(?:\.\d{2})?$/.test(others[0]!)
      ? cannotSet(proc)
      : complain(proc, `invalid date ${quote(others[0]!)}`)
  }
  if (options.has('set')) return cannotSet(proc)
  const reference = options.value('reference')
  if (reference !== undefined) {
    try {
      show(proc.stat(reference).mtime)
      return 0
    } catch (error) {
      return complain(proc, `${reference}: ${reason(error)}`)
    }
  }
  const text = options.value('date')
  if (text !== undefined) {
    const ns = parseDate(text, proc.realtime(), tz)
    if (ns === undefined) return complain(proc, `invalid date ${quote(text)}`)
    show(ns)
    return 0
  }
  show(proc.realtime())
  return 0
}

/** The machine's clock is its own affair. */
function cannotSet(proc: Parameters<Program>[0]): number {
  return complain(proc, 'cannot set date: Operation not permitted')
}
