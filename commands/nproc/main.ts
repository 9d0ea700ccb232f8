/** nproc(1) */
import type { Process, Program } from '../../src/uapi/process.ts'
import { COMMON_OPTIONS, complain, helpTail, quote, usageError, versionText } from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'

const HELP = `Usage: nproc [OPTION]...
Print the number of processing units available to the current process,
which may be less than the number of online processors

      --all      print the number of installed processors
      --ignore=N  if possible, exclude N processing units
      --help        display this help and exit
      --version     output version information and exit
${helpTail('nproc')}`

const OPTIONS = [
  ...COMMON_OPTIONS,
  { key: 'all', long: 'all' },
  { key: 'ignore', long: 'ignore', arg: 'required' },
] as const

/** @returns the value of a variable of OpenMP, or undefined where it is no positive number */
function openMp(proc: Process, name: string): number | undefined {
  const match = /^\s*(\d+)/.exec(proc.env.get(name) ?? '')
  const value = match === null ? 0 : Number(match[1])
  return value > 0 ? value : undefined
}

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, OPTIONS)
  let all = false
  let ignore = 0
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return usageError(proc, found.error, 1)
    if (found.key === 'all') all = true
    else if (found.key === 'ignore') {
      const value = found.value!
      if (!/^\s*\+?\d+$/.test(value)) return complain(proc, `invalid number: ${quote(value)}`, 1)
      ignore = Number(value)
    } else {
      proc.stdout.write(found.key === 'help' ? HELP : versionText('nproc', 'Giuseppe Scrivano'))
      return 0
    }
  }
  const extra = opts.operands[0]
  if (extra !== undefined) return usageError(proc, `${proc.argv[0]}: extra operand ${quote(extra)}`, 1)
  const installed = proc.readdir('/sys/devices/system/cpu').filter(entry => /^cpu\d+$/.test(entry.name)).length
  let count = installed
  if (!all)
    count = Math.min(
      openMp(proc, 'OMP_NUM_THREADS') ?? installed,
      openMp(proc, 'OMP_THREAD_LIMIT') ?? Number.POSITIVE_INFINITY,
    )
  proc.stdout.write(`${ignore < count ? count - ignore : 1}\n`)
  return 0
}
