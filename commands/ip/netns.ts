/** `ip netns`: named network namespaces. See ip-netns(8). */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { O_CREAT, O_EXCL, O_RDONLY, type Stat } from '../../src/uapi/fs.ts'
import { MNT_DETACH, MS_BIND, MS_REC, MS_SHARED } from '../../src/uapi/mount.ts'
import { CLONE_NEWNET, type Process } from '../../src/uapi/process.ts'
import { type NsidMessage, RTM_GETNSID, RTM_NEWNSID } from '../../src/uapi/rtnetlink.ts'
import { Args, matches } from '../lib/args.ts'
import { CommandFailure, EXIT_USAGE, invarg, ToolExit } from '../lib/errors.ts'
import { listNetns, NETNS_RUN_DIR, nsidOfName, openNetns, switchNetns } from '../lib/netns.ts'
import { getInteger } from '../lib/number.ts'
import type { Printer } from '../lib/printer.ts'
import type { IpContext, IpObject } from './context.ts'
import { NETNS_USAGE } from './help/netns.ts'

const NAME_MAX = 255

/** How often the folder is looked at by `monitor`, ns: there is no inotify. */
const MONITOR_INTERVAL = 50_000_000

const fail = (text: string): never => {
  throw new CommandFailure(text, 1)
}

/** Runs a system call; a failure becomes a CommandFailure, status 1, with the text made of the reason. */
function attempt<T>(call: () => T, text: (reason: string) => string): T {
  try {
    return call()
  } catch (error) {
    if (!isSysError(error)) throw error
    throw new CommandFailure(text(strerror(error.errno)), 1)
  }
}

function list(ctx: IpContext): number {
  return ctx.listing(out => {
    for (const name of listNetns(ctx.proc)) {
      out.openObject()
      out.put('name', name, name)
      const id = nsidOfName(ctx.proc, ctx.nl, name)
      if (id >= 0) out.put('id', id, ` (id: ${id})`)
      out.text('\n')
      out.closeObject()
    }
    return 0
  })
}

/** Prints one namespace id. */
export function printNsid(ctx: IpContext, out: Printer, message: NsidMessage): void {
  const { nsid, currentNsid } = message.attrs
  out.openObject()
  if (nsid !== undefined) out.put('nsid', nsid, `nsid ${nsid} `)
  if (currentNsid !== undefined) out.put('current-nsid', currentNsid, `current-nsid ${currentNsid} `)
  const id = currentNsid ?? nsid
  const name = id === undefined || id < 0 ? undefined : ctx.nsidNames.name(id)
  if (name !== undefined) out.put('name', name, `(iproute2 netns name: ${name})`)
  out.text('\n')
  out.closeObject()
}

function listId(ctx: IpContext, words: readonly string[]): number {
  const args = new Args(words)
  let nsid: number | undefined
  let target: number | undefined
  const id = (key: string): number => {
    const word = args.next()
    const value = getInteger(word) ?? invarg(`"${key}" value is invalid`, word)
    return value < 0 ? invarg(`"${key}" value should be >= 0`, args.peek() ?? '(null)') : value
  }
  for (; args.more; args.skip()) {
    if (args.is('nsid')) nsid = id('nsid')
    else if (args.is('target-nsid')) target = id('target-nsid')
    else ctx.usage(NETNS_USAGE)
  }
  const message: NsidMessage = { type: RTM_GETNSID, flags: 0, attrs: {} }
  if (target !== undefined) message.attrs.targetNsid = target
  const answers = (): NsidMessage[] => {
    if (nsid === undefined) return ctx.dump(message) as NsidMessage[]
    message.attrs.nsid = nsid
    return ctx.talk(message) as NsidMessage[]
  }
  return ctx.listing(out => {
    for (const answer of answers()) if (answer.type === RTM_NEWNSID) printNsid(ctx, out, answer)
    return 0
  })
}

const pathOf = (name: string): string => `${NETNS_RUN_DIR}/${name}`

/** Removes a named namespace: the mount, if it still is one, and the file. @returns whether it worked */
function remove(ctx: IpContext, name: string): boolean {
  const path = pathOf(name)
  try {
    ctx.proc.umount(path, MNT_DETACH)
  } catch (error) {
    if (!isSysError(error)) throw error
  }
  try {
    ctx.proc.unlink(path)
    return true
  } catch (error) {
    if (!isSysError(error)) throw error
    ctx.warn(`Cannot remove namespace file "${path}": ${strerror(error.errno)}\n`)
    return false
  }
}

function del(ctx: IpContext, words: readonly string[]): number {
  const name = words[0]
  if (ctx.opts.all) {
    for (const each of listNetns(ctx.proc)) if (!remove(ctx, each)) return 1
    return 0
  }
  if (name === undefined) return fail('No netns name specified\n')
  return remove(ctx, name) ? 0 : 1
}

function createRunDir(proc: Process): void {
  try {
    proc.mkdir(NETNS_RUN_DIR, 0o755)
  } catch (error) {
    if (!isSysError(error)) throw error
    if (error.errno === Errno.EEXIST) return
    fail(`mkdir ${NETNS_RUN_DIR} failed: ${strerror(error.errno)}\n`)
  }
}

/** Lets mounts in the folder reach processes in mount namespaces of their own, such as those of `exec`. */
function shareRunDir(proc: Process): void {
  const share = (): void => proc.mount('', NETNS_RUN_DIR, 'none', MS_SHARED | MS_REC)
  try {
    share()
  } catch (error) {
    if (!isSysError(error)) throw error
    if (error.errno !== Errno.EINVAL) fail(`mount --make-shared ${NETNS_RUN_DIR} failed: ${strerror(error.errno)}\n`)
    attempt(
      () => proc.mount(NETNS_RUN_DIR, NETNS_RUN_DIR, 'none', MS_BIND | MS_REC),
      reason => `mount --bind ${NETNS_RUN_DIR} ${NETNS_RUN_DIR} failed: ${reason}\n`,
    )
    attempt(share, reason => `mount --make-shared ${NETNS_RUN_DIR} failed: ${reason}\n`)
  }
}

/** Makes the file a namespace is mounted over, and mounts it. @param source the nsfs file */
function mountName(ctx: IpContext, name: string, source: () => string): number {
  const { proc } = ctx
  const path = pathOf(name)
  createRunDir(proc)
  shareRunDir(proc)
  const flags = O_RDONLY | O_CREAT | O_EXCL
  const fd = attempt(
    () => proc.open(path, flags, 0),
    reason => `Cannot create namespace file "${path}": ${reason}\n`,
  )
  proc.close(fd)
  let from = ''
  try {
    from = source()
    proc.mount(from, path, 'none', MS_BIND)
    return 0
  } catch (error) {
    if (!isSysError(error)) throw error
    ctx.warn(
      from === ''
        ? `Failed to create a new network namespace "${name}": ${strerror(error.errno)}\n`
        : `Bind ${from} -> ${path} failed: ${strerror(error.errno)}\n`,
    )
    remove(ctx, name)
    return 1
  }
}

function add(ctx: IpContext, words: readonly string[]): number {
  const name = words[0]
  if (name === undefined) return fail('No netns name specified\n')
  const { proc } = ctx
  const home = proc.open('/proc/self/ns/net', O_RDONLY)
  try {
    return mountName(ctx, name, () => {
      proc.unshare(CLONE_NEWNET)
      return '/proc/self/ns/net'
    })
  } finally {
    proc.setns(home)
    proc.close(home)
  }
}

function attach(ctx: IpContext, words: readonly string[]): number {
  const [name, pidWord] = words
  if (name === undefined || pidWord === undefined) return fail('No netns name and PID specified\n')
  const pid = getInteger(pidWord)
  if (pid === undefined || pid === 0) return fail(`Invalid PID: ${pidWord}\n`)
  return mountName(ctx, name, () => `/proc/${pid}/ns/net`)
}

function set(ctx: IpContext, words: readonly string[]): number {
  const [name, word] = words
  if (name === undefined) return fail('No netns name specified\n')
  if (word === undefined) return fail('No nsid specified\n')
  let nsid = -1
  if (word !== 'auto') {
    nsid = getInteger(word) ?? invarg('Invalid "netnsid" value', word)
    if (nsid < 0) invarg('"netnsid" value should be >= 0', word)
  }
  const fd = attempt(
    () => openNetns(ctx.proc, name),
    reason => `Cannot open network namespace "${name}": ${reason}\n`,
  )
  try {
    ctx.talk({ type: RTM_NEWNSID, flags: 0, attrs: { fd, nsid } })
  } finally {
    ctx.proc.close(fd)
  }
  return 0
}

const sameFile = (a: Stat, b: Stat): boolean => a.dev === b.dev && a.ino === b.ino

function statOf(proc: Process, path: string): Stat | undefined {
  try {
    return proc.stat(path)
  } catch (error) {
    if (isSysError(error)) return undefined
    throw error
  }
}

function identify(ctx: IpContext, words: readonly string[]): number {
  if (words.length > 1) return fail('extra arguments specified\n')
  const pid = words[0] ?? 'self'
  if (words[0] !== undefined && !/^\d+$/.test(pid)) return fail(`Specified string '${pid}' is not a pid\n`)
  const { proc } = ctx
  const own = attempt(
    () => proc.stat(`/proc/${pid}/ns/net`),
    reason => `Cannot open network namespace: ${reason}\n`,
  )
  let found = ''
  for (const name of listNetns(proc)) {
    const stat = statOf(proc, pathOf(name))
    if (stat !== undefined && sameFile(stat, own)) found = name
  }
  proc.stdout.write(`${found}\n`)
  return 0
}

function pids(ctx: IpContext, words: readonly string[]): number {
  const name = words[0]
  if (name === undefined) return fail('No netns name specified\n')
  if (words.length > 1) return fail('extra arguments specified\n')
  const { proc } = ctx
  const wanted = attempt(
    () => proc.stat(pathOf(name)),
    reason => `Cannot open network namespace: ${reason}\n`,
  )
  for (const entry of proc.readdir('/proc')) {
    if (!/^\d+$/.test(entry.name)) continue
    const stat = statOf(proc, `/proc/${entry.name}/ns/net`)
    if (stat !== undefined && sameFile(stat, wanted)) proc.stdout.write(`${entry.name}\n`)
  }
  return 0
}

/** Replaces this process by a command. @returns its status; 1 where there is no such command */
async function replaceBy(proc: Process, argv: readonly string[]): Promise<number> {
  await proc.stdout.flush()
  try {
    return await proc.exec(argv[0]!, argv)
  } catch (error) {
    if (!isSysError(error)) throw error
    proc.stderr.write(`exec of "${argv[0]}" failed: ${strerror(error.errno)}\n`)
    return 1
  }
}

/** Runs a command in a namespace as a child. @returns its status, as the shell has it for signals */
async function runChild(proc: Process, name: string, argv: readonly string[]): Promise<number> {
  await proc.stdout.flush()
  const pid = proc.fork(async child => {
    try {
      switchNetns(child, name)
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error
      child.stderr.write(error.text)
      return EXIT_USAGE
    }
    return replaceBy(child, argv)
  })
  const ended = await proc.waitpid(pid)
  return ended?.kind === 'exited' ? ended.status : 1
}

async function exec(ctx: IpContext, words: readonly string[]): Promise<number> {
  const { proc } = ctx
  if (ctx.opts.all) {
    if (words.length === 0) return fail('No command specified\n')
    for (const name of listNetns(proc)) {
      proc.stdout.write(`\nnetns: ${name}\n`)
      await runChild(proc, name, words)
    }
    return 0
  }
  const name = words[0]
  const argv = words.slice(1)
  if (name === undefined) return fail('No netns name specified\n')
  if (argv.length === 0) return fail('No command specified\n')
  if (ctx.batch) return runChild(proc, name, argv)
  try {
    switchNetns(proc, name)
  } catch (error) {
    if (error instanceof CommandFailure) throw new CommandFailure(error.text, EXIT_USAGE)
    throw error
  }
  return replaceBy(proc, argv)
}

async function monitor(ctx: IpContext): Promise<number> {
  const { proc } = ctx
  createRunDir(proc)
  let known = new Set(listNetns(proc))
  for (;;) {
    await proc.nanosleep(MONITOR_INTERVAL)
    const present = new Set(listNetns(proc))
    for (const name of present) if (!known.has(name)) proc.stdout.write(`add ${name}\n`)
    for (const name of known) if (!present.has(name)) proc.stdout.write(`delete ${name}\n`)
    known = present
  }
}

function checkName(name: string): void {
  const invalid = name === '' || name.length > NAME_MAX || name.includes('/') || name === '.' || name === '..'
  if (invalid) throw new ToolExit(`Invalid netns name "${name}"\n`, EXIT_USAGE)
}

export const run: IpObject = async (ctx, words) => {
  const command = words[0]
  const rest = words.slice(1)
  if (command === undefined) return list(ctx)
  if (!ctx.opts.all && rest[0] !== undefined) checkName(rest[0])
  const is = (...names: string[]): boolean => names.some(name => matches(command, name))
  if (is('list', 'show', 'lst')) return list(ctx)
  if (is('list-id')) return listId(ctx, rest)
  if (is('help')) ctx.usage(NETNS_USAGE)
  if (is('add')) return add(ctx, rest)
  if (is('set')) return set(ctx, rest)
  if (is('delete')) return del(ctx, rest)
  if (is('identify')) return identify(ctx, rest)
  if (is('pids')) return pids(ctx, rest)
  if (is('exec')) return exec(ctx, rest)
  if (is('monitor')) return monitor(ctx)
  if (is('attach')) return attach(ctx, rest)
  throw new ToolExit(`Command "${command}" is unknown, try "ip netns help".\n`, EXIT_USAGE)
}
