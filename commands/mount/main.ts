/** mount(8): lists mounts, and binds directories and files to other places. */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { absolutePath, type MountEntry, readMounts } from '../lib/mounts.ts'
import { errx, tryHelp } from '../lib/util_linux.ts'
import { HELP } from './help.ts'

const PROPAGATIONS = ['shared', 'slave', 'private', 'unbindable'].flatMap(kind => [`make-${kind}`, `make-r${kind}`])

const OPTIONS: readonly Option[] = [
  { key: 'help', short: 'h', long: 'help' },
  { key: 'version', short: 'V', long: 'version' },
  { key: 'all', short: 'a', long: 'all' },
  { key: 'ignored', short: 'c', long: 'no-canonicalize' },
  { key: 'fake', short: 'f', long: 'fake' },
  { key: 'ignored', short: 'F', long: 'fork' },
  { key: 'ignoredValue', short: 'T', long: 'fstab', arg: 'required' },
  { key: 'ignored', short: 'i', long: 'internal-only' },
  { key: 'ignored', short: 'l', long: 'show-labels' },
  { key: 'mkdir', short: 'm', long: 'mkdir', arg: 'optional' },
  { key: 'ignored', short: 'n', long: 'no-mtab' },
  { key: 'options', short: 'o', long: 'options', arg: 'required' },
  { key: 'ignoredValue', short: 'O', long: 'test-opts', arg: 'required' },
  { key: 'ignored', short: 'r', long: 'read-only' },
  { key: 'types', short: 't', long: 'types', arg: 'required' },
  { key: 'source', long: 'source', arg: 'required' },
  { key: 'target', long: 'target', arg: 'required' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'ignored', short: 'w', long: 'rw' },
  { key: 'ignored', long: 'read-write' },
  { key: 'label', short: 'L', long: 'label', arg: 'required' },
  { key: 'uuid', short: 'U', long: 'uuid', arg: 'required' },
  { key: 'bind', short: 'B', long: 'bind' },
  { key: 'bind', short: 'R', long: 'rbind' },
  { key: 'move', short: 'M', long: 'move' },
  ...PROPAGATIONS.map((name): Option => ({ key: 'propagation', long: name })),
]

const VERSION =
  'mount from util-linux 2.38.1 (libmount 2.38.1: selinux, smack, btrfs, verity, namespaces, assert, debug)\n'
/** The system call failed. */
const EXIT_FAIL = 32

function line(entry: MountEntry): string {
  return `${entry.source} on ${entry.target} type ${entry.type} (${entry.options})\n`
}

/** Lists mounts. @param types comma-separated kinds, with `no` in front those to leave out */
function list(proc: Process, types: string | undefined): number {
  const names = types?.replace(/^no/, '').split(',')
  const negated = types?.startsWith('no') === true
  for (const entry of readMounts(proc))
    if (names === undefined || names.includes(entry.type) !== negated) proc.stdout.write(line(entry))
  return 0
}

/** Complains about a failed system call. @returns the status */
function failed(proc: Process, target: string, text: string): number {
  proc.stderr.write(
    `mount: ${target}: ${text}.\n       dmesg(1) may have more information after failed mount system call.\n`,
  )
  return EXIT_FAIL
}

/** mount --bind */
function bind(proc: Process, source: string, target: string, verbose: boolean): number {
  if (!proc.access(target, 0)) return failed(proc, target, 'mount point does not exist')
  if (!proc.access(source, 0)) return failed(proc, target, `special device ${source} does not exist`)
  try {
    proc.mountBind(source, target)
  } catch (error) {
    if (!isSysError(error)) throw error
    if (error.errno === Errno.EPERM) return errx(proc, `${target}: must be superuser to use mount.`)
    if (error.errno === Errno.ENOTDIR && (proc.stat(source).mode & 0o170000) === 0o040000)
      return failed(proc, target, 'mount point is not a directory')
    return failed(proc, target, `mount(2) system call failed: ${strerror(error.errno)}`)
  }
  if (verbose) proc.stdout.write(`mount: ${source} bound on ${target}.\n`)
  return 0
}

/** @returns whether the kernel has a kind of file system */
function knownType(proc: Process, type: string): boolean {
  const text = new TextDecoder().decode(proc.readFile('/proc/filesystems'))
  return text.split('\n').some(row => row.split('\t')[1] === type)
}

export const main: Program = proc => {
  let types: string | undefined
  let operation = ''
  let verbose = false
  let wantsAll = false
  let fake = false
  let tag: string | undefined
  const mountOptions: string[] = []
  const places: string[] = []
  const opts = new Getopt(proc.argv, OPTIONS)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return tryHelp(proc, found.error)
    const { key, value } = found
    switch (key) {
      case 'help':
      case 'version':
        proc.stdout.write(key === 'help' ? HELP : VERSION)
        return 0
      case 'types':
        types = value
        break
      case 'options':
        mountOptions.push(...value!.split(','))
        break
      case 'bind':
      case 'move':
      case 'propagation':
        operation = key
        break
      case 'source':
      case 'target':
        places.push(value!)
        break
      case 'label':
      case 'uuid':
        tag = `${key.toUpperCase()}="${value}"`
        break
      case 'verbose':
        verbose = true
        break
      case 'all':
        wantsAll = true
        break
      case 'fake':
        fake = true
    }
  }
  places.push(...opts.operands)
  if (wantsAll) return 0
  if (places.length === 0 && operation === '' && tag === undefined && mountOptions.length === 0)
    return list(proc, types)
  if (places.length > 2 || places.length === 0) return tryHelp(proc, 'mount: bad usage')
  const [source = '', target] = places
  if (operation === 'propagation') return 0
  if (mountOptions.includes('bind') || mountOptions.includes('rbind')) operation = 'bind'
  if (tag !== undefined) return errx(proc, `${source}: can't find ${tag}.`)
  if (/^(?:LABEL|UUID|PARTLABEL|PARTUUID|ID)=/.test(source)) return errx(proc, `${target}: can't find ${source}.`)
  if (mountOptions.includes('remount')) {
    const where = target ?? source
    if (readMounts(proc).some(entry => entry.target === absolutePath(proc, where))) return 0
    return failed(proc, where, 'mount point not mounted or bad option')
  }
  if (target === undefined) return errx(proc, `${source}: can't find in /etc/fstab.`)
  if (fake) return 0
  if (operation === 'bind') return bind(proc, source, target, verbose)
  if (!proc.access(target, 0)) return failed(proc, target, 'mount point does not exist')
  if (types === undefined || !knownType(proc, types)) return errx(proc, `${target}: no filesystem type specified.`)
  return failed(proc, target, `mount(2) system call failed: ${strerror(Errno.ENOSYS)}`)
}
