/** printf(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { encode } from './lib/bytes.ts'
import { FormatError, format } from './lib/format.ts'
import { complain, Writer } from './lib/io.ts'

export const main: Program = proc => {
  const args = proc.argv.slice(1).map(encode)
  if (args[0] === '--') args.shift()
  const [spec, ...rest] = args
  if (spec === undefined) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  let status = 0
  try {
    const { text } = format(spec, rest, {
      complain: message => {
        status = complain(proc, message)
      },
      quote: each => (/^[A-Za-z0-9_./:@%+,=-]+$/.test(each) ? each : `'${each.replaceAll("'", "'\\''")}'`),
      utf8: false,
      invalid: argument => `${quote(argument)}: expected a numeric value`,
      partial: argument => `${quote(argument)}: value not completely converted`,
      range: argument => `${quote(argument)}: Numerical result out of range`,
    })
    new Writer(proc).write(text)
    const used = /%(?!%)/.test(spec)
    if (!used && rest.length > 0) complain(proc, `warning: ignoring excess arguments, starting with ${quote(rest[0]!)}`)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return complain(
      proc,
      error.message
        .replace(/^`(.*)': (?:invalid|missing).*$/, '%$1: invalid conversion specification')
        .replace('%%', '%'),
    )
  }
  return status
}
