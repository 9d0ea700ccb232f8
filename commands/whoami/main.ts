/** whoami(1) */
import type { Program } from '../../src/uapi/process.ts'
import { lookupUser } from '../lib/accounts.ts'
import {
  COMMON_OPTIONS,
  complain,
  helpTail,
  onlyCommonOptions,
  quote,
  usageError,
  versionText,
} from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'

const HELP = `Usage: whoami [OPTION]...
Print the user name associated with the current effective user ID.
Same as id -un.

      --help        display this help and exit
      --version     output version information and exit
${helpTail('whoami')}`

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, COMMON_OPTIONS)
  const ended = onlyCommonOptions(proc, opts, { help: HELP, version: versionText('whoami', 'Richard Mlynarik') }, 1)
  if (ended !== undefined) return ended
  const extra = opts.operands[0]
  if (extra !== undefined) return usageError(proc, `${proc.argv[0]}: extra operand ${quote(extra)}`, 1)
  const name = lookupUser(proc, proc.uid)
  if (name === undefined) return complain(proc, `cannot find name for user ID ${proc.uid}`, 1)
  proc.stdout.write(`${name}\n`)
  return 0
}
