/** System calls on files and descriptors. */

import { Errno, SysError } from '../../uapi/errno.ts'
import {
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  POLLERR,
  POLLHUP,
  S_IFIFO,
  type Stat,
} from '../../uapi/fs.ts'
import type { LineEditing, PollFd } from '../../uapi/process.ts'
import { Signal } from '../../uapi/signal.ts'
import { concat } from '../bytes.ts'
import { COST } from '../costs.ts'
import type { OpenFile } from '../files/open_file.ts'
import { Pipe, PipeReader, PipeWriter } from '../files/pipe.ts'
import { TtyFile } from '../files/tty.ts'
import { MAY_EXEC, MAY_READ, MAY_WRITE, permitted } from '../fs/inode.ts'
import { sendSignal } from '../signals.ts'
import { ProcessGone, SIGNALED, type Task } from '../task.ts'

const encoder = new TextEncoder()

/** Time to resolve a path. */
function pathCost(path: string): number {
  return COST.path + path.length * 20
}

/** open(2) */
export function open(task: Task, path: string, flags: number, mode: number): number {
  task.enter(pathCost(path))
  const file = task.machine.vfs.open(task, path, flags, mode)
  return task.files.install(file, 0, (flags & O_CLOEXEC) !== 0)
}

/** close(2) */
export function close(task: Task, fd: number): void {
  task.enter(COST.trivial)
  task.files.close(fd)
}

/** read(2) */
export async function read(task: Task, fd: number, max: number): Promise<Uint8Array> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  task.enter(COST.io)
  const file = task.files.get(fd)
  if (!file.readable) throw new SysError(Errno.EBADF)
  for (;;) {
    const data = file.read(task, max)
    if (typeof data !== 'number') {
      task.charge(data.length * COST.byte)
      return data
    }
    await waitOrFail(task, file, data, 'pipe_read')
  }
}

/** Bytes of a line that is not edited. */
const BLOCK = 4096
/** Bytes of an edited line that are read at once: all. */
const LINE_LIMIT = Number.MAX_SAFE_INTEGER

/** Reads a line, which the terminal's user may edit meanwhile where the process is in the foreground. */
export async function editLine(task: Task, fd: number, editing: LineEditing): Promise<Uint8Array> {
  const file = task.files.get(fd)
  if (!(file instanceof TtyFile)) return read(task, fd, BLOCK)
  const { tty } = file
  if (task.pgid === tty.foreground) tty.beginEdit(editing)
  try {
    return await read(task, fd, LINE_LIMIT)
  } finally {
    tty.endEdit()
  }
}

/** write(2): all of the data, however long it takes. */
export async function write(task: Task, fd: number, data: Uint8Array | string): Promise<number> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  const bytes = typeof data === 'string' ? encoder.encode(data) : data
  task.enter(COST.io + bytes.length * COST.byte)
  const file = task.files.get(fd)
  if (!file.writable) throw new SysError(Errno.EBADF)
  let done = 0
  do {
    const taken = file.write(task, done === 0 ? bytes : bytes.subarray(done))
    if (taken >= 0) done += taken
    else {
      if (taken === -Errno.EAGAIN && file.nonblocking && done > 0) return done
      raisePipe(task, taken)
      await waitOrFail(task, file, taken, 'pipe_write')
    }
  } while (done < bytes.length)
  return done
}

/** EPIPE from a write kills a process that does not mind SIGPIPE. */
function raisePipe(task: Task, result: number): void {
  if (result !== -Errno.EPIPE) return
  sendSignal(task, Signal.SIGPIPE)
  if (task.gone) throw new ProcessGone()
}

/** Waits for a file that answered -EAGAIN to become ready; throws any other error, EAGAIN for O_NONBLOCK, EINTR. */
async function waitOrFail(task: Task, file: OpenFile, result: number, what: string): Promise<void> {
  if (result !== -Errno.EAGAIN || file.nonblocking) throw new SysError(-result)
  const { wq } = file
  if ((await task.wait(wq === undefined ? [] : [wq], Number.POSITIVE_INFINITY, what)) === SIGNALED)
    throw new SysError(Errno.EINTR)
}

/** Reads a whole file that never blocks. */
export function readFile(task: Task, path: string): Uint8Array {
  task.enter(pathCost(path) + COST.io)
  const file = task.machine.vfs.open(task, path, O_RDONLY, 0)
  try {
    const chunks: Uint8Array[] = []
    for (;;) {
      const data = file.read(task, 1 << 20)
      if (typeof data === 'number') throw new SysError(-data)
      if (data.length === 0) break
      chunks.push(data)
      task.charge(data.length * COST.byte)
    }
    return chunks.length === 0 ? new Uint8Array(0) : concat(chunks)
  } finally {
    file.put()
  }
}

/** Writes a whole file in one write(2). */
export function writeFile(task: Task, path: string, data: Uint8Array | string, append: boolean): void {
  const bytes = typeof data === 'string' ? encoder.encode(data) : data
  task.enter(pathCost(path) + COST.io + bytes.length * COST.byte)
  const file = task.machine.vfs.open(task, path, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0o666)
  try {
    if (bytes.length === 0) return
    const taken = file.write(task, bytes)
    raisePipe(task, taken)
    if (taken < 0) throw new SysError(-taken)
  } finally {
    file.put()
  }
}

export function stat(task: Task, path: string, follow: boolean): Stat {
  task.enter(pathCost(path))
  return task.machine.vfs.resolve(task, path, follow).inode.stat()
}

export function access(task: Task, path: string, mode: number): boolean {
  task.enter(pathCost(path))
  const found = task.machine.vfs.find(task, path)
  if (typeof found === 'number') return false
  const mask = mode & (MAY_READ | MAY_WRITE | MAY_EXEC)
  if ((mask & MAY_WRITE) !== 0 && found.mount.writeProtected) return false
  return permitted(found.inode, task.uid, task.gid, mask)
}

/** pipe(2) @returns [read end, write end] */
export function pipe(task: Task): [number, number] {
  task.enter(COST.io)
  const buffer = new Pipe(task.machine.nextAnonIno())
  const reader = task.files.install(new PipeReader(O_RDONLY, buffer))
  return [reader, task.files.install(new PipeWriter(O_WRONLY, buffer))]
}

export function dup(task: Task, fd: number, atLeast: number): number {
  task.enter(COST.trivial)
  return task.files.install(task.files.get(fd).get(), atLeast)
}

export function dup2(task: Task, from: number, to: number): number {
  task.enter(COST.trivial)
  const file = task.files.get(from)
  if (from !== to) task.files.set(to, file.get())
  return to
}

/** @returns the terminal behind a descriptor; ENOTTY */
export function terminal(task: Task, fd: number): TtyFile {
  const file = task.files.get(fd)
  if (!(file instanceof TtyFile)) throw new SysError(Errno.ENOTTY)
  return file
}

/** tcsetpgrp(3): from a background process it stops its group, as all terminal control does. */
export function tcsetpgrp(task: Task, fd: number, pgid: number): void {
  task.enter(COST.trivial)
  const { tty } = terminal(task, fd)
  if (task.tty !== tty) throw new SysError(Errno.ENOTTY)
  const group = task.machine.processes.group(pgid)
  if (group.length === 0) throw new SysError(Errno.ESRCH)
  if (group.every(member => member.sid !== task.sid)) throw new SysError(Errno.EPERM)
  tty.foreground = pgid
}

/** poll(2) */
export async function poll(task: Task, fds: readonly PollFd[], timeout: number): Promise<number[]> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  task.enter(COST.io)
  const deadline = timeout === Number.POSITIVE_INFINITY ? timeout : task.machine.kernel.clock.now + timeout
  for (;;) {
    const files = fds.map(entry => task.files.peek(entry.fd))
    const revents = fds.map((entry, i) => {
      const file = files[i]
      return file === undefined ? (entry.fd < 0 ? 0 : 0x20) : file.poll() & (entry.events | POLLERR | POLLHUP)
    })
    if (revents.some(events => events !== 0) || task.machine.kernel.clock.now >= deadline) return revents
    const queues = files.flatMap(file => (file?.wq === undefined ? [] : [file.wq]))
    if ((await task.wait(queues, deadline, 'poll')) === SIGNALED) throw new SysError(Errno.EINTR)
  }
}

export function mkfifo(task: Task, path: string, mode: number): void {
  task.enter(pathCost(path))
  task.machine.vfs.mknod(task, path, S_IFIFO | mode)
}

export function chdir(task: Task, path: string): void {
  task.enter(pathCost(path))
  const found = task.machine.vfs.resolve(task, path)
  if (!found.inode.isDirectory) throw new SysError(Errno.ENOTDIR)
  if (!permitted(found.inode, task.uid, task.gid, MAY_EXEC)) throw new SysError(Errno.EACCES)
  task.cwd = found
}
