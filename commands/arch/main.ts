/** arch(1): the machine's hardware name. */
import type { Program } from '../../src/uapi/process.ts'
import { COMMON_OPTIONS, helpTail, onlyCommonOptions, quote, usageError, versionText } from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'

const HELP = `Usage: arch [OPTION]...
Print machine architecture.

      --help        display this help and exit
      --version     output version information and exit
${helpTail('arch')}`

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, COMMON_OPTIONS)
  const ended = onlyCommonOptions(
    proc,
    opts,
    { help: HELP, version: versionText('arch', 'David MacKenzie and Karel Zak') },
    1,
  )
  if (ended !== undefined) return ended
  const extra = opts.operands[0]
  if (extra !== undefined) return usageError(proc, `${proc.argv[0]}: extra operand ${quote(extra)}`, 1)
  proc.stdout.write(`${proc.uname().machine}\n`)
  return 0
}
