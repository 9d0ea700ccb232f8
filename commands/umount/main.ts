/** umount(8) */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { MNT_DETACH } from '../../src/uapi/mount.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { absolutePath, readMounts } from '../lib/mounts.ts'
import { tryHelp } from '../lib/util_linux.ts'

const HELP = `
Usage:
 umount [-hV]
 umount -a [options]
 umount [options] <source> | <directory>

Unmount filesystems.

Options:
 -a, --all               unmount all filesystems
 -A, --all-targets       unmount all mountpoints for the given device in the
                           current namespace
 -c, --no-canonicalize   don't canonicalize paths
 -d, --detach-loop       if mounted loop device, also free this loop device
     --fake              dry run; skip the umount(2) syscall
 -f, --force             force unmount (in case of an unreachable NFS system)
 -i, --internal-only     don't call the umount.<type> helpers
 -n, --no-mtab           don't write to /etc/mtab
 -l, --lazy              detach the filesystem now, clean up things later
 -O, --test-opts <list>  limit the set of filesystems (use with -a)
 -R, --recursive         recursively unmount a target with all its children
 -r, --read-only         in case unmounting fails, try to remount read-only
 -t, --types <list>      limit the set of filesystem types
 -v, --verbose           say what is being done
 -q, --quiet             suppress 'not mounted' error messages
 -N, --namespace <ns>    perform umount in another namespace

 -h, --help              display this help
 -V, --version           display version

For more details see umount(8).
`

const OPTIONS: readonly Option[] = [
  { key: 'help', short: 'h', long: 'help' },
  { key: 'version', short: 'V', long: 'version' },
  { key: 'all', short: 'a', long: 'all' },
  { key: 'ignored', short: 'A', long: 'all-targets' },
  { key: 'ignored', short: 'c', long: 'no-canonicalize' },
  { key: 'ignored', short: 'd', long: 'detach-loop' },
  { key: 'fake', long: 'fake' },
  { key: 'ignored', short: 'f', long: 'force' },
  { key: 'ignored', short: 'i', long: 'internal-only' },
  { key: 'ignored', short: 'n', long: 'no-mtab' },
  { key: 'lazy', short: 'l', long: 'lazy' },
  { key: 'value', short: 'O', long: 'test-opts', arg: 'required' },
  { key: 'recursive', short: 'R', long: 'recursive' },
  { key: 'ignored', short: 'r', long: 'read-only' },
  { key: 'value', short: 't', long: 'types', arg: 'required' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'value', short: 'N', long: 'namespace', arg: 'required' },
]

const VERSION =
  'umount from util-linux 2.38.1 (libmount 2.38.1: selinux, smack, btrfs, verity, namespaces, assert, debug)\n'
const EXIT_FAIL = 32

/** Takes one mount away. @returns the status */
function unmount(proc: Process, word: string, flags: ReadonlySet<string>, quiet: boolean): number {
  const complain = (text: string): number => {
    if (!quiet) proc.stderr.write(`umount: ${word}: ${text}.\n`)
    return EXIT_FAIL
  }
  const mounts = readMounts(proc)
  const path = absolutePath(proc, word)
  const entry = mounts.findLast(mount => mount.target === path) ?? mounts.findLast(mount => mount.source === word)
  if (entry === undefined) {
    if (proc.access(word, 0)) return complain('not mounted')
    proc.stderr.write(`umount: ${word}: no mount point specified.\n`)
    return EXIT_FAIL
  }
  try {
    proc.umount(entry.target, flags.has('lazy') ? MNT_DETACH : 0)
  } catch (error) {
    if (!isSysError(error)) throw error
    if (error.errno === Errno.EBUSY) return complain('target is busy')
    if (error.errno === Errno.EPERM) return complain('must be superuser to unmount')
    if (error.errno === Errno.EINVAL) return complain('not mounted')
    return complain(`umount(2) system call failed: ${strerror(error.errno)}`)
  }
  if (flags.has('verbose')) {
    // statfs(2) tells the kind of most file systems, and then the mount table, which has the source, is not read
    const source = entry.type === 'overlay' ? ` (${entry.source})` : ''
    proc.stderr.write(`umount: ${entry.target}${source} unmounted\n`)
  }
  return 0
}

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, OPTIONS)
  const flags = new Set<string>()
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return tryHelp(proc, found.error)
    if (found.key === 'help' || found.key === 'version') {
      proc.stdout.write(found.key === 'help' ? HELP : VERSION)
      return 0
    }
    flags.add(found.key)
  }
  if (flags.has('all')) return 0
  const places = opts.operands
  if (places.length === 0) return tryHelp(proc, 'umount: bad usage')
  if (flags.has('fake')) return 0
  let status = 0
  for (const place of places) {
    if (flags.has('recursive')) {
      const below = `${absolutePath(proc, place)}/`
      for (const mount of readMounts(proc).reverse())
        if (mount.target.startsWith(below)) status ||= unmount(proc, mount.target, flags, false)
    }
    const result = unmount(proc, place, flags, flags.has('quiet'))
    if (result !== 0) status = result
  }
  return status
}
