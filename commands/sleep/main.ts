/** sleep(1) */
import type { Program } from '../../src/uapi/process.ts'
import {
  COMMON_OPTIONS,
  helpTail,
  onlyCommonOptions,
  parseDuration,
  quote,
  usageError,
  versionText,
} from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'

const HELP = `Usage: sleep NUMBER[SUFFIX]...
  or:  sleep OPTION
Pause for NUMBER seconds.  SUFFIX may be 's' for seconds (the default),
'm' for minutes, 'h' for hours or 'd' for days.  NUMBER need not be an
integer.  Given two or more arguments, pause for the amount of time
specified by the sum of their values.

      --help        display this help and exit
      --version     output version information and exit
${helpTail('sleep')}`

export const main: Program = async proc => {
  const opts = new Getopt(proc.argv, COMMON_OPTIONS)
  const ended = onlyCommonOptions(
    proc,
    opts,
    { help: HELP, version: versionText('sleep', 'Jim Meyering and Paul Eggert') },
    1,
  )
  if (ended !== undefined) return ended
  if (opts.operands.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, 1)
  let total = 0
  let wrong = false
  for (const word of opts.operands) {
    const ns = parseDuration(word)
    if (ns !== undefined) total += ns
    else {
      proc.stderr.write(`${proc.argv[0]}: invalid time interval ${quote(word)}\n`)
      wrong = true
    }
  }
  if (wrong) return usageError(proc, undefined, 1)
  await proc.nanosleep(total)
  return 0
}
