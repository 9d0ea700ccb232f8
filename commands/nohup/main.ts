/** nohup(1) */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { O_APPEND, O_CREAT, O_RDONLY, O_WRONLY } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Signal } from '../../src/uapi/signal.ts'
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
import { execCommand } from '../lib/run.ts'

const HELP = `Usage: nohup COMMAND [ARG]...
  or:  nohup OPTION
Run COMMAND, ignoring hangup signals.

      --help        display this help and exit
      --version     output version information and exit

If standard input is a terminal, redirect it from an unreadable file.
If standard output is a terminal, append output to 'nohup.out' if possible,
'$HOME/nohup.out' otherwise.
If standard error is a terminal, redirect it to standard output.
To save output to FILE, use 'nohup COMMAND > FILE'.

NOTE: your shell may have its own version of nohup, which usually supersedes
the version described here.  Please refer to your shell's documentation
for details about the options it supports.
${helpTail('nohup')}`

const EXIT_CANCELED = 125

/** Opens nohup.out here or at home. @returns its descriptor and name, or a status after a message */
function openOutput(proc: Process): { fd: number; name: string } | number {
  const home = proc.env.get('HOME')
  let reason = ''
  for (const name of ['nohup.out', ...(home === undefined ? [] : [`${home}/nohup.out`])])
    try {
      return { fd: proc.open(name, O_WRONLY | O_CREAT | O_APPEND, 0o600), name }
    } catch (error) {
      if (!isSysError(error)) throw error
      reason = `failed to open ${quote(name)}: ${strerror(error.errno)}`
      proc.stderr.write(`${proc.argv[0]}: ${reason}\n`)
    }
  return EXIT_CANCELED
}

/** Takes the terminal away from the standard streams. @returns a status where that fails */
function detach(proc: Process): number | undefined {
  const input = proc.isatty(0)
  const output = proc.isatty(1)
  const error = proc.isatty(2)
  if (input) {
    const fd = proc.open('/dev/null', O_RDONLY)
    proc.dup2(fd, 0)
    proc.close(fd)
    if (!output && !error) complain(proc, 'ignoring input', 0)
  }
  if (output) {
    const file = openOutput(proc)
    if (typeof file === 'number') return file
    proc.dup2(file.fd, 1)
    proc.close(file.fd)
    complain(proc, `${input ? 'ignoring input and ' : ''}appending output to ${quote(file.name)}`, 0)
  }
  if (error) {
    if (!output) complain(proc, `${input ? 'ignoring input and ' : ''}redirecting stderr to stdout`, 0)
    proc.dup2(1, 2)
  }
  return undefined
}

export const main: Program = async proc => {
  const opts = new Getopt(proc.argv, COMMON_OPTIONS, true)
  const ended = onlyCommonOptions(
    proc,
    opts,
    { help: HELP, version: versionText('nohup', 'Jim Meyering') },
    EXIT_CANCELED,
  )
  if (ended !== undefined) return ended
  const command = opts.operands
  if (command.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, EXIT_CANCELED)
  const failed = detach(proc)
  if (failed !== undefined) return failed
  proc.signal(Signal.SIGHUP, 'ignore')
  return execCommand(
    proc,
    command,
    reason => `${proc.argv[0]}: failed to run command ${quote(command[0]!)}: ${reason}\n`,
  )
}
