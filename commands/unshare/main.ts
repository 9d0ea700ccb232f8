/** unshare(1): runs a program in a new network, mount or UTS namespace. Other kinds are accepted; there is one of each. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { MS_BIND, MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE } from '../../src/uapi/mount.ts'
import { CLONE_NEWNET, CLONE_NEWNS, type Process, type Program } from '../../src/uapi/process.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { CLONE_NEWUTS, NAMESPACE_KINDS } from '../lib/namespaces.ts'
import { execCommand } from '../lib/run.ts'
import { errx, HELP_VERSION, tryHelp, utilVersion } from '../lib/util_linux.ts'
import { HELP } from './help.ts'

const OPTIONS: readonly Option[] = [
  ...HELP_VERSION,
  // only the long options take a file to keep the namespace in
  ...NAMESPACE_KINDS.flatMap((kind): Option[] => [
    { key: kind.file, short: kind.short },
    { key: kind.file, long: kind.long, arg: 'optional' },
  ]),
  { key: 'fork', short: 'f', long: 'fork' },
  { key: 'mapUser', long: 'map-user', arg: 'required' },
  { key: 'mapGroup', long: 'map-group', arg: 'required' },
  { key: 'mapRoot', short: 'r', long: 'map-root-user' },
  { key: 'mapCurrent', short: 'c', long: 'map-current-user' },
  { key: 'mapAuto', long: 'map-auto' },
  { key: 'mapUsers', long: 'map-users', arg: 'required' },
  { key: 'mapGroups', long: 'map-groups', arg: 'required' },
  { key: 'killChild', long: 'kill-child', arg: 'optional' },
  { key: 'mountProc', long: 'mount-proc', arg: 'optional' },
  { key: 'propagation', long: 'propagation', arg: 'required' },
  { key: 'setgroups', long: 'setgroups', arg: 'required' },
  { key: 'keepCaps', long: 'keep-caps' },
  { key: 'root', short: 'R', long: 'root', arg: 'required' },
  { key: 'wd', short: 'w', long: 'wd', arg: 'required' },
  { key: 'setuid', short: 'S', long: 'setuid', arg: 'required' },
  { key: 'setgid', short: 'G', long: 'setgid', arg: 'required' },
  { key: 'monotonic', long: 'monotonic', arg: 'required' },
  { key: 'boottime', long: 'boottime', arg: 'required' },
]

/** What the mounts of a new mount namespace are made, by --propagation. */
const PROPAGATIONS: ReadonlyMap<string, number> = new Map([
  ['slave', MS_SLAVE | MS_REC],
  ['shared', MS_SHARED | MS_REC],
  ['private', MS_PRIVATE | MS_REC],
  ['unchanged', 0],
])
/** Who an unmapped user of a new user namespace is. */
const OVERFLOW_UID = 65_534

/** What to do before the command runs. */
interface Wishes {
  /** CLONE_NEW… of the kinds that processes can differ in */
  flags: number
  netFile: string | undefined
  /** MS_… for the mounts of a new mount namespace */
  propagation: number
  user: boolean
  mapped: boolean
  fork: boolean
  wd: string | undefined
  uid: number | undefined
}

function parse(proc: Process): { wishes: Wishes; command: string[] } | number {
  const wishes: Wishes = {
    flags: 0,
    netFile: undefined,
    propagation: MS_PRIVATE | MS_REC,
    user: false,
    mapped: false,
    fork: false,
    wd: undefined,
    uid: undefined,
  }
  const opts = new Getopt(proc.argv, OPTIONS, true)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return tryHelp(proc, found.error)
    const { key, value } = found
    switch (key) {
      case 'help':
      case 'version':
        proc.stdout.write(key === 'help' ? HELP : utilVersion('unshare'))
        return 0
      case 'net':
        wishes.flags |= CLONE_NEWNET
        wishes.netFile = value
        break
      case 'uts':
        wishes.flags |= CLONE_NEWUTS
        break
      case 'mnt':
        wishes.flags |= CLONE_NEWNS
        break
      case 'user':
        wishes.user = true
        break
      case 'mapRoot':
      case 'mapCurrent':
      case 'mapUser':
        wishes.user = true
        wishes.mapped = true
        break
      case 'fork':
      case 'killChild':
        wishes.fork = true
        break
      case 'propagation':
        if (!PROPAGATIONS.has(value!)) return errx(proc, `unsupported propagation mode: ${value}`)
        wishes.propagation = PROPAGATIONS.get(value!)!
        break
      case 'wd':
      case 'root':
        wishes.wd = value
        break
      case 'setuid':
      case 'setgid':
        if (!/^\d+$/.test(value!)) return errx(proc, `failed to parse ${key === 'setuid' ? 'uid' : 'gid'}: '${value}'`)
        if (key === 'setuid') wishes.uid = Number(value)
    }
  }
  return { wishes, command: opts.operands }
}

/** Keeps the new namespace in a file, as `ip netns attach` does. @returns a status where that fails */
function keep(proc: Process, file: string): number | undefined {
  try {
    proc.mount('/proc/self/ns/net', file, 'none', MS_BIND)
    return undefined
  } catch (error) {
    if (!isSysError(error)) throw error
    return errx(proc, `mount /proc/${proc.pid}/ns/net on ${file} failed: ${strerror(error.errno)}`)
  }
}

export const main: Program = async proc => {
  const parsed = parse(proc)
  if (typeof parsed === 'number') return parsed
  const { wishes, command } = parsed
  if (wishes.flags !== 0)
    try {
      proc.unshare(wishes.flags)
    } catch (error) {
      if (!isSysError(error)) throw error
      return errx(proc, `unshare failed: ${strerror(error.errno)}`)
    }
  if ((wishes.flags & CLONE_NEWNS) !== 0 && wishes.propagation !== 0)
    try {
      proc.mount('none', '/', '', wishes.propagation)
    } catch (error) {
      if (!isSysError(error)) throw error
      return errx(proc, `cannot change root filesystem propagation: ${strerror(error.errno)}`)
    }
  if (wishes.netFile !== undefined) {
    const failed = keep(proc, wishes.netFile)
    if (failed !== undefined) return failed
  }
  if (wishes.wd !== undefined)
    try {
      proc.chdir(wishes.wd)
    } catch (error) {
      if (!isSysError(error)) throw error
      return errx(proc, `cannot chdir to '${wishes.wd}': ${strerror(error.errno)}`)
    }
  const uid = wishes.uid ?? (wishes.user && !wishes.mapped ? OVERFLOW_UID : undefined)
  if (uid !== undefined) proc.setuid(uid)
  if (command.length === 0) command.push(proc.env.get('SHELL') ?? '/bin/sh')
  const failed = (reason: string): string => `unshare: failed to execute ${command[0]}: ${reason}\n`
  if (!wishes.fork) return execCommand(proc, command, failed)
  const child = proc.fork(inner => execCommand(inner, command, failed))
  const status = await proc.waitpid(child)
  if (status?.kind === 'exited') return status.status
  if (status?.kind === 'signaled') proc.kill(proc.pid, status.signal)
  return 1
}
