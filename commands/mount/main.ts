/** mount(8): lists mounts, makes and changes them. */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { S_IFDIR, S_IFMT } from '../../src/uapi/fs.ts'
import { MS_BIND, MS_MOVE, MS_REC, MS_REMOUNT } from '../../src/uapi/mount.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { absolutePath, type MountEntry, readMounts } from '../lib/mounts.ts'
import { errx, tryHelp } from '../lib/util_linux.ts'
import { HELP } from './help.ts'
import { addOptions, type MountOptions, noOptions, PROPAGATIONS } from './options.ts'

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
  { key: 'ro', short: 'r', long: 'read-only' },
  { key: 'types', short: 't', long: 'types', arg: 'required' },
  { key: 'source', long: 'source', arg: 'required' },
  { key: 'target', long: 'target', arg: 'required' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'rw', short: 'w', long: 'rw' },
  { key: 'rw', long: 'read-write' },
  { key: 'label', short: 'L', long: 'label', arg: 'required' },
  { key: 'uuid', short: 'U', long: 'uuid', arg: 'required' },
  { key: 'bind', short: 'B', long: 'bind' },
  { key: 'rbind', short: 'R', long: 'rbind' },
  { key: 'move', short: 'M', long: 'move' },
  ...[...PROPAGATIONS.keys()].map((name): Option => ({ key: `make-${name}`, long: `make-${name}` })),
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

/** One mount to make or change. */
interface Wish {
  readonly source: string
  readonly target: string
  /** kinds of file system to try, in turn */
  readonly types: readonly string[]
  readonly options: MountOptions
  readonly verbose: boolean
}

/** @returns the words for what mount(2) failed with */
function reason(proc: Process, wish: Wish, type: string, errno: number): string {
  const { source, target, options } = wish
  const remount = (options.flags & MS_REMOUNT) !== 0
  switch (errno) {
    case Errno.EPERM:
      return 'must be superuser to use mount'
    case Errno.ENOENT:
      if (!proc.access(target, 0)) return 'mount point does not exist'
      return `special device ${source} does not exist`
    case Errno.ENOTDIR:
      if (
        (proc.stat(target).mode & S_IFMT) !== S_IFDIR &&
        ((options.flags & MS_BIND) === 0 || isDirectory(proc, source))
      )
        return 'mount point is not a directory'
      return 'mount(2) system call failed: Not a directory'
    case Errno.EBUSY:
      return remount ? 'mount point is busy' : `${source} already mounted or mount point busy`
    case Errno.EINVAL:
      if (remount) return 'mount point not mounted or bad option'
      return `wrong fs type, bad option, bad superblock on ${source}, missing codepage or helper program, or other error`
    case Errno.ENODEV:
      return `unknown filesystem type '${type}'`
    default:
      return `mount(2) system call failed: ${strerror(errno)}`
  }
}

function isDirectory(proc: Process, path: string): boolean {
  return (proc.stat(path).mode & S_IFMT) === S_IFDIR
}

/** Makes or changes a mount. @returns the status */
function perform(proc: Process, wish: Wish): number {
  const { source, target, options, verbose } = wish
  const { flags } = options
  let type = ''
  const call = (now: number, data = ''): number => {
    try {
      proc.mount(source, target, type, now, data)
      return 0
    } catch (error) {
      if (!isSysError(error)) throw error
      return error.errno
    }
  }
  let errno = 0
  const bind = (flags & (MS_BIND | MS_REMOUNT)) === MS_BIND
  if ((flags & (MS_BIND | MS_MOVE | MS_REMOUNT)) !== 0) {
    errno = call(bind ? flags & (MS_BIND | MS_REC) : flags, options.data.join(','))
    // the kernel takes no other flags with a bind: they are changed afterwards
    if (errno === 0 && bind && (flags & ~(MS_BIND | MS_REC)) !== 0) errno = call(flags | MS_REMOUNT)
  } else if (wish.types.length > 0) {
    for (type of wish.types) {
      errno = call(flags, options.data.join(','))
      if (errno !== Errno.ENODEV) break
    }
  }
  if (errno === 0)
    for (const change of options.propagation) {
      type = ''
      errno = call(change)
      if (errno !== 0) break
    }
  if (errno !== 0) return failed(proc, target, reason(proc, wish, type, errno))
  if (verbose) proc.stdout.write(`mount: ${source} ${bind ? 'bound' : 'mounted'} on ${target}.\n`)
  return 0
}

/** @returns the kinds of file system to try; none where they cannot be known */
function typeList(types: string | undefined): string[] {
  if (types === undefined || types.startsWith('no')) return []
  return types.split(',').filter(type => type !== '' && type !== 'auto')
}

export const main: Program = proc => {
  let types: string | undefined
  let verbose = false
  let wantsAll = false
  let fake = false
  let tag: string | undefined
  const words: string[] = []
  const propagation: number[] = []
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
        words.push(...value!.split(','))
        break
      case 'bind':
      case 'rbind':
      case 'move':
      case 'ro':
      case 'rw':
        words.push(key)
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
        break
      default:
        if (key.startsWith('make-')) propagation.push(PROPAGATIONS.get(key.slice(5))!)
    }
  }
  places.push(...opts.operands)
  if (wantsAll) return 0
  if (places.length === 0 && tag === undefined && words.length === 0 && propagation.length === 0)
    return list(proc, types)
  if (places.length > 2 || places.length === 0) return tryHelp(proc, 'mount: bad usage')
  const [source = '', target] = places
  const options = noOptions()
  if (words.includes('remount') && target === undefined) {
    // the place has options already: what is not said stays
    const path = absolutePath(proc, source)
    const entry = readMounts(proc).findLast(mount => mount.target === path || mount.source === source)
    if (entry === undefined) return failed(proc, source, 'mount point not mounted or bad option')
    addOptions(options, entry.options.split(','))
    addOptions(options, words)
    if (fake) return 0
    return perform(proc, { source: entry.source, target: entry.target, types: [], options, verbose })
  }
  addOptions(options, words)
  options.propagation.push(...propagation)
  if (target === undefined && propagation.length > 0 && words.length === 0) {
    const changed = { source: 'none', target: source, types: [], options, verbose: false }
    return fake ? 0 : perform(proc, changed)
  }
  if (tag !== undefined) return errx(proc, `${source}: can't find ${tag}.`)
  if (/^(?:LABEL|UUID|PARTLABEL|PARTUUID|ID)=/.test(source)) return errx(proc, `${target}: can't find ${source}.`)
  if (target === undefined) return errx(proc, `${source}: can't find in /etc/fstab.`)
  if (fake) return 0
  const wish: Wish = { source, target, types: typeList(types), options, verbose }
  if ((options.flags & (MS_BIND | MS_MOVE | MS_REMOUNT)) === 0 && wish.types.length === 0) {
    if (!proc.access(target, 0)) return failed(proc, target, 'mount point does not exist')
    return errx(proc, `${target}: no filesystem type specified.`)
  }
  return perform(proc, wish)
}
