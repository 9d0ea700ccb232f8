/** uname(1) */
import type { Program } from '../../src/uapi/process.ts'
import { COMMON_OPTIONS, helpTail, quote, usageError, versionText } from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'

const HELP = `Usage: uname [OPTION]...
Print certain system information.  With no OPTION, same as -s.

  -a, --all                print all information, in the following order,
                             except omit -p and -i if unknown:
  -s, --kernel-name        print the kernel name
  -n, --nodename           print the network node hostname
  -r, --kernel-release     print the kernel release
  -v, --kernel-version     print the kernel version
  -m, --machine            print the machine hardware name
  -p, --processor          print the processor type (non-portable)
  -i, --hardware-platform  print the hardware platform (non-portable)
  -o, --operating-system   print the operating system
      --help        display this help and exit
      --version     output version information and exit
${helpTail('uname')}`

/** What can be asked for, in the order of printing. */
const PARTS = ['s', 'n', 'r', 'v', 'm', 'p', 'i', 'o'] as const

const OPTIONS = [
  ...COMMON_OPTIONS,
  { key: 'a', short: 'a', long: 'all' },
  { key: 's', short: 's', long: 'kernel-name' },
  { key: 's', long: 'sysname' },
  { key: 'n', short: 'n', long: 'nodename' },
  { key: 'r', short: 'r', long: 'kernel-release' },
  { key: 'r', long: 'release' },
  { key: 'v', short: 'v', long: 'kernel-version' },
  { key: 'm', short: 'm', long: 'machine' },
  { key: 'p', short: 'p', long: 'processor' },
  { key: 'i', short: 'i', long: 'hardware-platform' },
  { key: 'o', short: 'o', long: 'operating-system' },
] as const

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, OPTIONS)
  const wanted = new Set<string>()
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return usageError(proc, found.error, 1)
    if (found.key === 'help' || found.key === 'version') {
      proc.stdout.write(found.key === 'help' ? HELP : versionText('uname', 'David MacKenzie'))
      return 0
    }
    // the processor and the platform are unknown, which --all leaves out
    if (found.key === 'a') for (const part of PARTS) wanted.add(part === 'p' || part === 'i' ? '' : part)
    else wanted.add(found.key)
  }
  const extra = opts.operands[0]
  if (extra !== undefined) return usageError(proc, `${proc.argv[0]}: extra operand ${quote(extra)}`, 1)
  if (wanted.size === 0) wanted.add('s')
  const all = wanted.has('')
  const { sysname, nodename, release, version, machine } = proc.uname()
  const texts = {
    s: sysname,
    n: nodename,
    r: release,
    v: version,
    m: machine,
    p: 'unknown',
    i: 'unknown',
    o: 'GNU/Linux',
  }
  const parts = PARTS.filter(part => wanted.has(part) && !(all && (part === 'p' || part === 'i')))
  proc.stdout.write(`${parts.map(part => texts[part]).join(' ')}\n`)
  return 0
}
