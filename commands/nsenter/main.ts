/** nsenter(1): runs a program in the namespaces of another process. */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { O_CLOEXEC, O_RDONLY } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { NAMESPACE_KINDS } from '../lib/namespaces.ts'
import { execCommand } from '../lib/run.ts'
import { errx, HELP_VERSION, tryHelp, utilVersion } from '../lib/util_linux.ts'
import { HELP } from './help.ts'

const OPTIONS: readonly Option[] = [
  ...HELP_VERSION,
  ...NAMESPACE_KINDS.map((kind): Option => ({ key: kind.file, short: kind.short, long: kind.long, arg: 'optional' })),
  { key: 'all', short: 'a', long: 'all' },
  { key: 'target', short: 't', long: 'target', arg: 'required' },
  { key: 'setuid', short: 'S', long: 'setuid', arg: 'required' },
  { key: 'setgid', short: 'G', long: 'setgid', arg: 'required' },
  { key: 'preserve', long: 'preserve-credentials' },
  { key: 'root', short: 'r', long: 'root', arg: 'optional' },
  { key: 'wd', short: 'w', long: 'wd', arg: 'optional' },
  { key: 'wdns', short: 'W', long: 'wdns', arg: 'required' },
  { key: 'noFork', short: 'F', long: 'no-fork' },
  { key: 'context', short: 'Z', long: 'follow-context' },
]

/** Ends the program with a message on standard error. */
class Failure extends Error {}

/** Runs a call; what it fails with becomes a message. */
function attempt<T>(call: () => T, message: (reason: string) => string): T {
  try {
    return call()
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new Failure(message(strerror(error.errno)))
  }
}

/** Opens a namespace's file. */
function openFile(proc: Process, path: string): number {
  return attempt(
    () => proc.open(path, O_RDONLY | O_CLOEXEC),
    reason => `cannot open ${path}: ${reason}`,
  )
}

/** Where a namespace's file is: the option's own, or the target's. */
function fileOf(kind: string, file: string | undefined, target: string | undefined): string {
  if (file !== undefined) return file
  if (target === undefined) throw new Failure(`neither filename nor target pid supplied for ns/${kind}`)
  return `/proc/${target}/ns/${kind}`
}

/**
 * Enters one namespace. All but the network's and the mounts' are the same for every process: entering is checked and changes nothing.
 */
function enter(proc: Process, kind: string, path: string): void {
  const fd = openFile(proc, path)
  const refused = (reason: string): string => `reassociate to namespace 'ns/${kind}' failed: ${reason}`
  if (kind === 'net' || kind === 'mnt') attempt(() => proc.setns(fd), refused)
  else if (kind === 'user' || !proc.readlink(`/proc/self/fd/${fd}`).startsWith(`${kind}:[`)) {
    // the own user namespace cannot be entered again, and a file of another kind not at all
    proc.close(fd)
    throw new Failure(refused(strerror(Errno.EINVAL)))
  }
  proc.close(fd)
}

/** The command line's wishes beside the namespaces. */
interface Wishes {
  target: string | undefined
  all: boolean
  root: string | true | undefined
  wd: string | true | undefined
  uid: number | undefined
}

function parse(proc: Process): { wishes: Wishes; kinds: Map<string, string | undefined>; command: string[] } | number {
  const wishes: Wishes = { target: undefined, all: false, root: undefined, wd: undefined, uid: undefined }
  const kinds = new Map<string, string | undefined>()
  const opts = new Getopt(proc.argv, OPTIONS, true)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return tryHelp(proc, found.error)
    const { key, value } = found
    switch (key) {
      case 'help':
      case 'version':
        proc.stdout.write(key === 'help' ? HELP : utilVersion('nsenter'))
        return 0
      case 'target':
        if (!/^\s*[+-]?\d+$/.test(value!)) return errx(proc, `failed to parse pid: '${value}'`)
        wishes.target = String(Number(value) >>> 0)
        if (wishes.target === '0') wishes.target = undefined
        break
      case 'all':
        wishes.all = true
        break
      case 'setuid':
      case 'setgid':
        if (!/^\d+$/.test(value!)) return errx(proc, `failed to parse ${key === 'setuid' ? 'uid' : 'gid'}: '${value}'`)
        if (key === 'setuid') wishes.uid = Number(value)
        break
      case 'root':
        wishes.root = value ?? true
        break
      case 'wd':
      case 'wdns':
        wishes.wd = value ?? true
        break
      case 'preserve':
      case 'noFork':
      case 'context':
        break
      default:
        kinds.set(key, value)
    }
  }
  return { wishes, kinds, command: opts.operands }
}

/** Does what was asked, up to running the command. */
function prepare(proc: Process, wishes: Wishes, kinds: Map<string, string | undefined>): void {
  const { target } = wishes
  if (wishes.all) {
    if (target === undefined) throw new Failure('no target PID specified for --all')
    for (const { file } of NAMESPACE_KINDS) if (file !== 'user' && !kinds.has(file)) kinds.set(file, undefined)
  }
  const paths = NAMESPACE_KINDS.filter(kind => kinds.has(kind.file)).map(kind => ({
    kind: kind.file,
    path: fileOf(kind.file, kinds.get(kind.file), target),
  }))
  for (const { kind, path } of paths) enter(proc, kind, path)
  const directory = (wish: string | true, link: string): string => {
    if (wish !== true) return wish
    if (target === undefined) throw new Failure(`neither filename nor target pid supplied for ${link}`)
    return `/proc/${target}/${link}`
  }
  const { wd, root } = wishes
  if (root !== undefined && wd === undefined) proc.chdir('/')
  if (wd !== undefined)
    attempt(
      () => proc.chdir(directory(wd, 'cwd')),
      reason => `cannot open ${directory(wd, 'cwd')}: ${reason}`,
    )
  if (wishes.uid !== undefined) proc.setuid(wishes.uid)
}

export const main: Program = async proc => {
  const parsed = parse(proc)
  if (typeof parsed === 'number') return parsed
  try {
    prepare(proc, parsed.wishes, parsed.kinds)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return errx(proc, error.message)
  }
  const { command } = parsed
  if (command.length === 0) command.push(proc.env.get('SHELL') ?? '/bin/sh')
  return execCommand(proc, command, reason => `nsenter: failed to execute ${command[0]}: ${reason}\n`)
}
