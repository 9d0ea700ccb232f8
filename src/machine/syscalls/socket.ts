/** System calls on sockets: the blocking side of the kernel's sockets, and unix sockets' names in the file system. */

import { devIoctl } from '../../kernel/core/dev_ioctl.ts'
import type { OptionValue } from '../../kernel/core/socket.ts'
import { Errno, SysError } from '../../uapi/errno.ts'
import { O_CLOEXEC, O_NONBLOCK, POLLERR, POLLHUP, POLLOUT, S_IFSOCK } from '../../uapi/fs.ts'
import type { IoctlRequest } from '../../uapi/ioctl.ts'
import { Signal } from '../../uapi/signal.ts'
import {
  AF_UNIX,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  type ReceivedMessage,
  type SendControl,
  SO_ERROR,
  SOL_SOCKET,
  type Sockaddr,
} from '../../uapi/socket.ts'
import { COST } from '../costs.ts'
import { SocketFile } from '../files/socket_file.ts'
import { MAY_WRITE, permitted } from '../fs/inode.ts'
import { TmpSocket } from '../fs/tmpfs.ts'
import { sendSignal } from '../signals.ts'
import { ProcessGone, SIGNALED, type Task } from '../task.ts'

/** Flags that may be or-ed into a socket type: they have the values of open(2)'s. */
const SOCK_FLAGS = O_NONBLOCK | O_CLOEXEC

function socketFile(task: Task, fd: number): SocketFile {
  const file = task.files.get(fd)
  if (!(file instanceof SocketFile)) throw new SysError(Errno.ENOTSOCK)
  return file
}

/** @returns a result that is no error; throws the others */
function check(result: number): number {
  if (result < 0) throw new SysError(-result)
  return result
}

/** socket(2) */
export function socket(task: Task, domain: number, type: number, protocol: number): number {
  task.enter(COST.socketOpen)
  const made = task.machine.kernel.socket(task.net, domain, type & ~SOCK_FLAGS, protocol, task.cred)
  if (typeof made === 'number') throw new SysError(-made)
  return task.files.install(new SocketFile(type & O_NONBLOCK, made), 0, (type & O_CLOEXEC) !== 0)
}

/** ioctl(2): a socket's requests are for devices of its namespace. */
export function ioctl(task: Task, fd: number, request: IoctlRequest): void {
  task.enter(COST.socket)
  const file = task.files.get(fd)
  check(file instanceof SocketFile ? devIoctl(file.socket.net, request) : file.ioctl(request))
}

/** bind(2). A unix socket's path becomes a file. */
export function bind(task: Task, fd: number, address: Sockaddr): void {
  task.enter(COST.socket)
  const file = socketFile(task, fd)
  const path = unixPath(address)
  if (path === undefined) {
    check(file.socket.bind(address))
    return
  }
  const { vfs } = task.machine
  const found = vfs.find(task, path, false)
  if (typeof found !== 'number') throw new SysError(Errno.EADDRINUSE)
  const node = vfs.mknod(task, path, S_IFSOCK | 0o777)
  const result = file.socket.bind(address)
  if (result < 0 || !(node instanceof TmpSocket)) {
    vfs.unlink(task, path)
    throw new SysError(result < 0 ? -result : Errno.EPERM)
  }
  node.address = path
  file.node = node
}

/** @returns the path of a unix address that has one in the file system */
function unixPath(address: Sockaddr): string | undefined {
  return address.family === AF_UNIX && address.path !== '' && !address.path.startsWith('\0') ? address.path : undefined
}

/** @returns the address a peer is known by to the kernel: for a unix path, what its socket was bound to */
function peerAddress(task: Task, address: Sockaddr): Sockaddr {
  const path = unixPath(address)
  if (path === undefined) return address
  const { inode } = task.machine.vfs.resolve(task, path)
  if (!permitted(inode, task.uid, task.gid, MAY_WRITE)) throw new SysError(Errno.EACCES)
  if (!(inode instanceof TmpSocket) || inode.address === '') throw new SysError(Errno.ECONNREFUSED)
  return { family: AF_UNIX, path: inode.address }
}

/** Waits until a socket's state changes; throws EINTR, or `timeoutErrno` when the socket's time limit runs out. */
async function waitSocket(
  task: Task,
  file: SocketFile,
  deadline: number,
  timeoutErrno: number,
  what: string,
): Promise<void> {
  if (task.machine.kernel.clock.now >= deadline) throw new SysError(timeoutErrno)
  if ((await task.wait([file.wq], deadline, what)) === SIGNALED) throw new SysError(Errno.EINTR)
}

/** When a socket's time limit (0: none) runs out. */
function deadlineOf(task: Task, timeout: number): number {
  return timeout === 0 ? Number.POSITIVE_INFINITY : task.machine.kernel.clock.now + timeout
}

/** connect(2) */
export async function connect(task: Task, fd: number, address: Sockaddr): Promise<void> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  task.enter(COST.socket)
  const file = socketFile(task, fd)
  const { socket: sock } = file
  const peer = peerAddress(task, address)
  const deadline = deadlineOf(task, sock.sndtimeo)
  for (;;) {
    const result = sock.connect(peer)
    if (result >= 0) return
    if ((result !== -Errno.EINPROGRESS && result !== -Errno.EAGAIN) || file.nonblocking) throw new SysError(-result)
    if (result === -Errno.EINPROGRESS) break
    await waitSocket(task, file, deadline, Errno.EAGAIN, 'connect')
  }
  while ((sock.poll() & (POLLOUT | POLLERR | POLLHUP)) === 0)
    await waitSocket(task, file, deadline, Errno.EINPROGRESS, 'connect')
  const error = sock.getsockopt(SOL_SOCKET, SO_ERROR)
  if (typeof error === 'number' && error !== 0) throw new SysError(error)
}

/** listen(2) */
export function listen(task: Task, fd: number, backlog: number): void {
  task.enter(COST.socket)
  check(socketFile(task, fd).socket.listen(backlog))
}

/** accept(2) */
export async function accept(task: Task, fd: number): Promise<{ fd: number; address: Sockaddr }> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  task.enter(COST.socket)
  const file = socketFile(task, fd)
  const deadline = deadlineOf(task, file.socket.rcvtimeo)
  for (;;) {
    const made = file.socket.accept()
    if (typeof made !== 'number') {
      const address = made.getpeername()
      if (typeof address === 'number') {
        made.release()
        throw new SysError(-address)
      }
      return { fd: task.files.install(new SocketFile(0, made)), address }
    }
    if (made !== -Errno.EAGAIN || file.nonblocking) throw new SysError(-made)
    await waitSocket(task, file, deadline, Errno.EAGAIN, 'accept')
  }
}

/** sendmsg(2): a stream socket takes all of the data. */
export async function sendto(
  task: Task,
  fd: number,
  data: Uint8Array,
  flags: number,
  to: Sockaddr | undefined,
  control: SendControl | undefined,
): Promise<number> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  task.enter(COST.socket + data.length * COST.byte)
  const file = socketFile(task, fd)
  const peer = to === undefined ? undefined : peerAddress(task, to)
  const deadline = deadlineOf(task, file.socket.sndtimeo)
  const wait = (flags & MSG_DONTWAIT) === 0 && !file.nonblocking
  let done = 0
  for (;;) {
    const taken = file.socket.sendmsg(done === 0 ? data : data.subarray(done), flags, peer, control)
    if (taken >= 0) {
      done += taken
      if (done >= data.length || !wait) return done
      continue
    }
    if (done > 0 && (taken !== -Errno.EAGAIN || !wait)) return done
    if (taken === -Errno.EPIPE && (flags & MSG_NOSIGNAL) === 0) {
      sendSignal(task, Signal.SIGPIPE)
      if (task.gone) throw new ProcessGone()
    }
    if (taken !== -Errno.EAGAIN || !wait) throw new SysError(-taken)
    await waitSocket(task, file, deadline, Errno.EAGAIN, 'sendmsg')
  }
}

/** recvmsg(2) */
export async function recvmsg(task: Task, fd: number, max: number, flags: number): Promise<ReceivedMessage> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  task.enter(COST.socket)
  const file = socketFile(task, fd)
  const deadline = deadlineOf(task, file.socket.rcvtimeo)
  for (;;) {
    const message = file.socket.recvmsg(max, flags)
    if (typeof message !== 'number') {
      task.charge(message.data.length * COST.byte)
      return message
    }
    if (message !== -Errno.EAGAIN || (flags & MSG_DONTWAIT) !== 0 || file.nonblocking) throw new SysError(-message)
    await waitSocket(task, file, deadline, Errno.EAGAIN, 'recvmsg')
  }
}

/** setsockopt(2) */
export function setsockopt(task: Task, fd: number, level: number, option: number, value: OptionValue): void {
  task.enter(COST.trivial)
  check(socketFile(task, fd).socket.setsockopt(level, option, value))
}

/** getsockopt(2) */
export function getsockopt(task: Task, fd: number, level: number, option: number): number | Uint8Array | string {
  task.enter(COST.trivial)
  const value = socketFile(task, fd).socket.getsockopt(level, option)
  if (typeof value === 'object' && 'errno' in value) throw new SysError(value.errno)
  return value
}

/** getsockname(2), getpeername(2) */
export function sockname(task: Task, fd: number, which: 'own' | 'peer'): Sockaddr {
  task.enter(COST.trivial)
  const { socket: sock } = socketFile(task, fd)
  const address = which === 'own' ? sock.getsockname() : sock.getpeername()
  if (typeof address === 'number') throw new SysError(-address)
  return address
}

/** shutdown(2) */
export function shutdown(task: Task, fd: number, how: number): void {
  task.enter(COST.socket)
  check(socketFile(task, fd).socket.shutdown(how))
}
