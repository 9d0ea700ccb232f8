/** System calls that make, replace and await processes. */
import { Errno, SysError } from '../../uapi/errno.ts'
import { S_IFREG } from '../../uapi/fs.ts'
import type { ForkOptions, Program, ProgramFile, WaitStatus } from '../../uapi/process.ts'
import { COST } from '../costs.ts'
import { MAY_EXEC, permitted } from '../fs/inode.ts'
import type { Path } from '../fs/path.ts'
import { TmpFile } from '../fs/tmpfs.ts'
import { beginExit, reap, runProgram, startProgram } from '../lifecycle.ts'
import { programPath } from '../programs.ts'
import { makeStdio } from '../stdio.ts'
import { ProcessGone, SIGNALED, Task } from '../task.ts'

/** Where programs are looked for without PATH, as execvp(3) does. */
const DEFAULT_PATH = '/bin:/usr/bin'
/** Interpreters of interpreters that are followed. */
const MAX_INTERPRETERS = 4
/** Part of the time that starting a program takes after execve(2) itself: dynamic linking, locale. */
const EXEC_USER_SHARE = 0.6
const NEVER = new Promise<never>(() => {})

/** fork(2), with `main` as what the child goes on with. */
export function fork(task: Task, main: Program, options: ForkOptions): number {
  task.enter(COST.fork)
  const { machine } = task
  const child = new Task(
    machine,
    machine.processes.allocate(),
    task,
    task.net.get(),
    task.cwd,
    task.files.clone(options.fds),
    task.mnt,
  )
  child.tty = task.tty
  child.uid = task.uid
  child.gid = task.gid
  child.umask = task.umask
  child.nice = task.nice
  child.comm = options.comm ?? task.comm
  child.argv = task.argv
  child.exe = task.exe
  child.env = new Map(task.env)
  // handlers are closures over the parent's program: the child sets its own
  for (const [signal, handler] of task.handlers) if (handler === 'ignore') child.handlers.set(signal, handler)
  if (options.pgid !== undefined) child.pgid = options.pgid === 0 ? child.pid : options.pgid
  machine.adopt(child)
  startProgram(child, main)
  return child.pid
}

/** What a path turned out to be. */
interface Executable {
  readonly program: ProgramFile
  readonly argv: readonly string[]
  /** absolute path of the file that /proc/PID/exe shows */
  readonly exe: string
}

/** Finds out what executing a file means (search_binary_handler). Throws ENOENT, EACCES, ENOEXEC, ELOOP. */
function executable(task: Task, path: string, argv: readonly string[], depth = 0): Executable {
  const found = task.machine.vfs.resolve(task, path)
  const { inode } = found
  if (inode.isDirectory || !permitted(inode, task.uid, task.gid, MAY_EXEC) || inode.type !== S_IFREG)
    throw new SysError(Errno.EACCES)
  const head = readHead(task, found)
  const name = programPath(head)
  if (name !== undefined) {
    const program = task.machine.program(name)
    if (program === undefined) throw new SysError(Errno.ENOENT)
    return { program, argv, exe: found.text }
  }
  const text = new TextDecoder('latin1').decode(head)
  if (!text.startsWith('#!')) throw new SysError(Errno.ENOEXEC)
  if (depth >= MAX_INTERPRETERS) throw new SysError(Errno.ELOOP)
  const line = text.slice(2, text.includes('\n') ? text.indexOf('\n') : undefined).trim()
  const [interpreter = '', ...rest] = line.split(/[ \t]+/)
  if (interpreter === '') throw new SysError(Errno.ENOEXEC)
  const option = rest.length === 0 ? [] : [rest.join(' ')]
  return executable(task, interpreter, [interpreter, ...option, path, ...argv.slice(1)], depth + 1)
}

/** The first bytes of a file: enough to know what it is. */
function readHead(task: Task, path: Path): Uint8Array {
  if (path.inode instanceof TmpFile) return path.inode.readAt(0, 256)
  const file = path.inode.open(0, task, path)
  try {
    const data = file.read(task, 256)
    if (typeof data === 'number') throw new SysError(-data)
    return data
  } finally {
    file.put()
  }
}

/**
 * execve(2). Where it succeeds it never returns: the new program's end is the process's end.
 * Throws before anything is replaced.
 */
export async function exec(
  task: Task,
  path: string,
  argv: readonly string[],
  env: ReadonlyMap<string, string> | undefined,
): Promise<number> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  task.enter(COST.path)
  const file = path.includes('/') ? path : which(task, path)
  if (file === undefined) throw new SysError(Errno.ENOENT)
  const found = executable(task, file, argv)
  const main = await task.machine.load(found.program)
  if (task.gone) return NEVER
  await task.compute(COST.exec * (1 - EXEC_USER_SHARE), 0)
  const { stdout, stderr } = task.stdio
  if (!stdout.drain()) await stdout.drainBlocking()
  if (!stderr.drain()) await stderr.drainBlocking()
  if (task.gone) throw new ProcessGone()
  task.files.closeOnExec()
  for (const [signal, handler] of task.handlers) if (handler !== 'ignore') task.handlers.delete(signal)
  task.argv = found.argv
  if (env !== undefined) task.env = new Map(env)
  task.comm = file.slice(file.lastIndexOf('/') + 1)
  task.exe = found.exe
  task.stdio = makeStdio(task)
  await task.compute(COST.exec * EXEC_USER_SHARE, 1)
  void runProgram(task, main)
  return NEVER
}

/** @returns where exec would find a name without a slash: the first executable file of that name in PATH */
export function which(task: Task, name: string): string | undefined {
  if (name.includes('/')) return name
  if (name === '') return undefined
  let denied: string | undefined
  for (const dir of (task.env.get('PATH') ?? DEFAULT_PATH).split(':')) {
    const path = dir === '' ? name : `${dir.replace(/\/$/, '')}/${name}`
    const found = task.machine.vfs.find(task, path)
    if (typeof found === 'number' || found.inode.isDirectory) continue
    if (permitted(found.inode, task.uid, task.gid, MAY_EXEC)) return path
    denied ??= path
  }
  return denied
}

/** waitpid(2) */
export async function waitpid(
  task: Task,
  pid: number,
  options: { nohang?: boolean; untraced?: boolean },
): Promise<WaitStatus | undefined> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  task.enter(COST.trivial)
  let interrupted = false
  for (;;) {
    const status = collect(task, pid, options.untraced === true)
    if (status !== undefined) return status
    if (options.nohang === true) return undefined
    if (interrupted) throw new SysError(Errno.EINTR)
    interrupted = (await task.wait([task.childWq], Number.POSITIVE_INFINITY, 'wait')) === SIGNALED
  }
}

/** @returns the status of a child that has something to tell; ECHILD where there is no such child at all */
function collect(task: Task, pid: number, untraced: boolean): WaitStatus | undefined {
  let any = false
  for (const child of task.children) {
    if (pid > 0 ? child.pid !== pid : pid !== -1 && child.pgid !== (pid === 0 ? task.pgid : -pid)) continue
    any = true
    if (child.ended !== undefined) {
      reap(child)
      return child.ended
    }
    if (untraced && child.jobChange !== undefined) {
      const change = child.jobChange
      child.jobChange = undefined
      return change
    }
  }
  if (!any) throw new SysError(Errno.ECHILD)
  return undefined
}

/** exit(3) */
export function exit(task: Task, status: number): never {
  beginExit(task, status)
  throw new ProcessGone()
}

/** setpgid(2) */
export function setpgid(task: Task, pid: number, pgid: number): void {
  task.enter(COST.trivial)
  if (pgid < 0) throw new SysError(Errno.EINVAL)
  const target = pid === 0 || pid === task.pid ? task : task.machine.processes.get(pid)
  if (target === undefined || (target !== task && target.parent !== task)) throw new SysError(Errno.ESRCH)
  if (target.sid !== task.sid || target.sid === target.pid) throw new SysError(Errno.EPERM)
  const group = pgid === 0 ? target.pid : pgid
  if (group !== target.pid && !task.machine.processes.group(group).some(member => member.sid === task.sid))
    throw new SysError(Errno.EPERM)
  target.pgid = group
}

/** setuid(2): for root, both ids; for others only to what they are. */
export function setuid(task: Task, uid: number): void {
  task.enter(COST.trivial)
  if (task.uid !== 0 && task.uid !== uid) throw new SysError(Errno.EPERM)
  task.uid = uid
}
