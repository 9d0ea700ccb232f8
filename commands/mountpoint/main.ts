/** mountpoint(1): whether a directory is one. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import type { Program } from '../../src/uapi/process.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { absolutePath, readMounts } from '../lib/mounts.ts'
import { errx, HELP_VERSION, tryHelp, utilVersion } from '../lib/util_linux.ts'

const HELP = `
Usage:
 mountpoint [-qd] /path/to/directory
 mountpoint -x /dev/device

Check whether a directory or file is a mountpoint.

Options:
 -q, --quiet        quiet mode - don't print anything
     --nofollow     do not follow symlink
 -d, --fs-devno     print maj:min device number of the filesystem
 -x, --devno        print maj:min device number of the block device

 -h, --help         display this help
 -V, --version      display version

For more details see mountpoint(1).
`

const OPTIONS: readonly Option[] = [
  ...HELP_VERSION,
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'nofollow', long: 'nofollow' },
  { key: 'fsDevno', short: 'd', long: 'fs-devno' },
  { key: 'devno', short: 'x', long: 'devno' },
]

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, OPTIONS)
  const flags = new Set<string>()
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return tryHelp(proc, found.error)
    if (found.key === 'help' || found.key === 'version') {
      proc.stdout.write(found.key === 'help' ? HELP : utilVersion('mountpoint'))
      return 0
    }
    flags.add(found.key)
  }
  const [path, extra] = opts.operands
  if (path === undefined || extra !== undefined) return tryHelp(proc, 'mountpoint: bad usage')
  let dev: number
  try {
    dev = proc.stat(path).dev
  } catch (error) {
    if (!isSysError(error)) throw error
    return flags.has('quiet') ? 1 : errx(proc, `${path}: ${strerror(error.errno)}`)
  }
  if (flags.has('devno')) return flags.has('quiet') ? EXIT_NOT : errx(proc, `${path}: not a block device`, EXIT_NOT)
  const found = readMounts(proc).some(mount => mount.target === absolutePath(proc, path))
  if (found && flags.has('fsDevno')) proc.stdout.write(`${dev >> 8}:${dev & 0xff}\n`)
  else if (!flags.has('quiet')) proc.stdout.write(`${path} is ${found ? '' : 'not '}a mountpoint\n`)
  return found ? 0 : EXIT_NOT
}

/** What it exits with where there is no mount point. */
const EXIT_NOT = 32
