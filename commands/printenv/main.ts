/** printenv(1) */
import type { Program } from '../../src/uapi/process.ts'
import { COMMON_OPTIONS, helpTail, usageError, versionText } from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'

const HELP = `Usage: printenv [OPTION]... [VARIABLE]...
Print the values of the specified environment VARIABLE(s).
If no VARIABLE is specified, print name and value pairs for them all.

  -0, --null     end each output line with NUL, not newline
      --help        display this help and exit
      --version     output version information and exit

NOTE: your shell may have its own version of printenv, which usually supersedes
the version described here.  Please refer to your shell's documentation
for details about the options it supports.
${helpTail('printenv')}`

const OPTIONS = [...COMMON_OPTIONS, { key: 'null', short: '0', long: 'null' }] as const

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, OPTIONS, true)
  let end = '\n'
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return usageError(proc, found.error, 2)
    if (found.key === 'null') end = '\0'
    else {
      proc.stdout.write(found.key === 'help' ? HELP : versionText('printenv', 'David MacKenzie and Richard Mlynarik'))
      return 0
    }
  }
  const names = opts.operands
  if (names.length === 0) for (const [name, value] of proc.env) proc.stdout.write(`${name}=${value}${end}`)
  let missing = false
  for (const name of names) {
    const value = name.includes('=') ? undefined : proc.env.get(name)
    if (value === undefined) missing = true
    else proc.stdout.write(`${value}${end}`)
  }
  return missing ? 1 : 0
}
