/** touch(1) */
import { O_CREAT, O_WRONLY } from '../../src/uapi/fs.ts'
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { parseDate } from './lib/date.ts'
import { statOf } from './lib/files.ts'
import { complain, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'access', short: 'a' },
  { key: 'noCreate', short: 'c', long: 'no-create' },
  { key: 'date', short: 'd', long: 'date', arg: 'required' },
  { key: 'f', short: 'f' },
  { key: 'noDereference', short: 'h', long: 'no-dereference' },
  { key: 'modification', short: 'm' },
  { key: 'reference', short: 'r', long: 'reference', arg: 'required' },
  { key: 'stamp', short: 't', arg: 'required' },
  { key: 'time', long: 'time', arg: 'required' },
] as const

const ABOUT = {
  usage: '[OPTION]... FILE...',
  does: 'Update the access and modification times of each FILE to the current time.',
  authors: 'Paul Rubin, Arnold Robbins, Jim Kingdon,\nDavid MacKenzie, and Randy Smith',
}

/** Reads [[CC]YY]MMDDhhmm[.ss]. @returns ns since the epoch */
function stamp(text: string, now: number): number | undefined {
  const match = /^(\d{2}|\d{4})?(\d{2})(\d{2})(\d{2})(\d{2})(?:\.(\d{2}))?$/.exec(text)
  if (match === null) return undefined
  const given = match[1]
  const year =
    given === undefined
      ? new Date(now / 1e6).getUTCFullYear()
      : given.length === 4
        ? Number(given)
        : Number(given) + (Number(given) < 69 ? 2000 : 1900)
  return (
    Date.UTC(year, Number(match[2]) - 1, Number(match[3]), Number(match[4]), Number(match[5]), Number(match[6] ?? 0)) *
    1e6
  )
}

export const main: Program = proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  let time = proc.realtime()
  const date = options.value('date')
  if (date !== undefined) {
    const parsed = parseDate(date, time, proc.env.get('TZ') ?? '')
    if (parsed === undefined) return complain(proc, `invalid date format ${quote(date)}`)
    time = parsed
  }
  const stampText = options.value('stamp')
  if (stampText !== undefined) {
    const parsed = stamp(stampText, time)
    if (parsed === undefined) return complain(proc, `invalid date format ${quote(stampText)}`)
    time = parsed
  }
  const reference = options.value('reference')
  if (reference !== undefined) {
    try {
      time = proc.stat(reference).mtime
    } catch (error) {
      return complain(proc, `failed to get attributes of ${quote(reference)}: ${reason(error)}`)
    }
  }
  if (options.operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing file operand`, 1)
  let status = 0
  for (const name of options.operands) {
    if (name === '-') continue
    try {
      if (statOf(proc, name) === undefined) {
        if (options.has('noCreate')) continue
        proc.close(proc.open(name, O_WRONLY | O_CREAT, 0o666))
      }
      if (!options.has('access') || options.has('modification')) proc.utimes(name, time)
    } catch (error) {
      status = complain(proc, `cannot touch ${quote(name)}: ${reason(error)}`)
    }
  }
  return status
}
