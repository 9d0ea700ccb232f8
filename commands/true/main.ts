/** true(1) */
import type { Program } from '../../src/uapi/process.ts'
import { helpTail, versionText } from '../lib/coreutils.ts'

/** @param name as it was called */
const help = (name: string): string => `Usage: ${name} [ignored command line arguments]
  or:  ${name} OPTION
Exit with a status code indicating success.

      --help        display this help and exit
      --version     output version information and exit

NOTE: your shell may have its own version of true, which usually supersedes
the version described here.  Please refer to your shell's documentation
for details about the options it supports.
${helpTail('true')}`

/** An option counts only where it is the one word. */
export const main: Program = proc => {
  if (proc.argv.length === 2) {
    if (proc.argv[1] === '--help') proc.stdout.write(help(proc.argv[0] ?? 'true'))
    if (proc.argv[1] === '--version') proc.stdout.write(versionText('true', 'Jim Meyering'))
  }
  return 0
}
