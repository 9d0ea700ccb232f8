/** What a program sees of its process: each call goes to its implementation in syscalls/. */
import type { Dirent, Stat } from '../uapi/fs.ts'
import type { IoctlRequest } from '../uapi/ioctl.ts'
import type { NetlinkFamily, NetlinkSocket } from '../uapi/netlink.ts'
import type {
  ForkOptions,
  InputStream,
  LineEditing,
  OutputStream,
  PollFd,
  Process,
  Program,
  SignalHandler,
  SocketOptionValue,
  WaitStatus,
} from '../uapi/process.ts'
import type { ReceivedMessage, SendControl, Sockaddr } from '../uapi/socket.ts'
import { COST } from './costs.ts'
import * as files from './syscalls/files.ts'
import * as mounts from './syscalls/mount.ts'
import * as namespace from './syscalls/namespace.ts'
import { netlink } from './syscalls/netlink.ts'
import * as processes from './syscalls/process.ts'
import * as signals from './syscalls/signal.ts'
import * as sockets from './syscalls/socket.ts'
import type { Task } from './task.ts'
import { MACHINE, RELEASE, SYSNAME, VERSION } from './uts.ts'

/** A process from the inside. */
export class UserProcess implements Process {
  private readonly task: Task

  constructor(task: Task) {
    this.task = task
  }

  get pid(): number {
    return this.task.pid
  }

  get ppid(): number {
    return this.task.parent?.pid ?? 0
  }

  get pgid(): number {
    return this.task.pgid
  }

  get uid(): number {
    return this.task.uid
  }

  get gid(): number {
    return this.task.gid
  }

  get argv(): readonly string[] {
    return this.task.argv
  }

  get env(): Map<string, string> {
    return this.task.env
  }

  get cwd(): string {
    return this.task.cwd.text
  }

  get stdin(): InputStream {
    return this.task.stdio.stdin
  }

  get stdout(): OutputStream {
    return this.task.stdio.stdout
  }

  get stderr(): OutputStream {
    return this.task.stdio.stderr
  }

  open(path: string, flags: number, mode = 0o666): number {
    return files.open(this.task, path, flags, mode)
  }

  close(fd: number): void {
    files.close(this.task, fd)
  }

  read(fd: number, max: number): Promise<Uint8Array> {
    return files.read(this.task, fd, max)
  }

  editLine(fd: number, editing: LineEditing): Promise<Uint8Array> {
    return files.editLine(this.task, fd, editing)
  }

  write(fd: number, data: Uint8Array | string): Promise<number> {
    return files.write(this.task, fd, data)
  }

  lseek(fd: number, offset: number, whence: 'set' | 'cur' | 'end'): number {
    this.task.enter(COST.trivial)
    return this.task.files.get(fd).seek(offset, whence)
  }

  ftruncate(fd: number, length: number): void {
    this.task.enter(COST.io)
    this.task.files.get(fd).truncate(length)
  }

  readFile(path: string): Uint8Array {
    return files.readFile(this.task, path)
  }

  writeFile(path: string, data: Uint8Array | string, append = false): void {
    files.writeFile(this.task, path, data, append)
  }

  stat(path: string): Stat {
    return files.stat(this.task, path, true)
  }

  lstat(path: string): Stat {
    return files.stat(this.task, path, false)
  }

  fstat(fd: number): Stat {
    this.task.enter(COST.trivial)
    return this.task.files.get(fd).stat()
  }

  readdir(path: string): Dirent[] {
    this.task.enter(COST.path * 2)
    return this.task.machine.vfs.readdir(this.task, path)
  }

  access(path: string, mode: number): boolean {
    return files.access(this.task, path, mode)
  }

  mkdir(path: string, mode = 0o777): void {
    this.task.enter(COST.path * 2)
    this.task.machine.vfs.mkdir(this.task, path, mode)
  }

  rmdir(path: string): void {
    this.task.enter(COST.path * 2)
    this.task.machine.vfs.rmdir(this.task, path)
  }

  unlink(path: string): void {
    this.task.enter(COST.path * 2)
    this.task.machine.vfs.unlink(this.task, path)
  }

  rename(from: string, to: string): void {
    this.task.enter(COST.path * 3)
    this.task.machine.vfs.rename(this.task, from, to)
  }

  link(from: string, to: string): void {
    this.task.enter(COST.path * 3)
    this.task.machine.vfs.link(this.task, from, to)
  }

  symlink(target: string, path: string): void {
    this.task.enter(COST.path * 2)
    this.task.machine.vfs.symlink(this.task, target, path)
  }

  readlink(path: string): string {
    this.task.enter(COST.path)
    return this.task.machine.vfs.readlink(this.task, path)
  }

  chmod(path: string, mode: number): void {
    this.task.enter(COST.path)
    this.task.machine.vfs.chmod(this.task, path, mode)
  }

  utimes(path: string, mtime: number): void {
    this.task.enter(COST.path)
    this.task.machine.vfs.utimes(this.task, path, mtime)
  }

  mkfifo(path: string, mode = 0o666): void {
    files.mkfifo(this.task, path, mode)
  }

  chdir(path: string): void {
    files.chdir(this.task, path)
  }

  umask(mask: number): number {
    this.task.enter(COST.trivial)
    const old = this.task.umask
    this.task.umask = mask & 0o777
    return old
  }

  pipe(): [number, number] {
    return files.pipe(this.task)
  }

  dup(fd: number, atLeast = 0): number {
    return files.dup(this.task, fd, atLeast)
  }

  dup2(from: number, to: number): number {
    return files.dup2(this.task, from, to)
  }

  isatty(fd: number): boolean {
    this.task.enter(COST.trivial)
    return this.task.machine.isTerminal(this.task.files.peek(fd))
  }

  winsize(fd: number): { rows: number; columns: number } {
    this.task.enter(COST.trivial)
    const { rows, columns } = files.terminal(this.task, fd).tty
    return { rows, columns }
  }

  tcsetpgrp(fd: number, pgid: number): void {
    files.tcsetpgrp(this.task, fd, pgid)
  }

  fds(): number[] {
    return this.task.files.list()
  }

  poll(fds: readonly PollFd[], timeout: number): Promise<number[]> {
    return files.poll(this.task, fds, timeout)
  }

  realtime(): number {
    this.task.enter(COST.trivial)
    return this.task.machine.kernel.realtime
  }

  monotonic(): number {
    this.task.enter(COST.trivial)
    return this.task.machine.kernel.clock.now
  }

  nanosleep(ns: number): Promise<void> {
    return signals.nanosleep(this.task, ns)
  }

  loadCode<T>(load: () => Promise<T>): Promise<T> {
    return this.task.machine.scheduler.external(load())
  }

  yield(): Promise<void> {
    return signals.yieldCpu(this.task)
  }

  times(): { user: number; system: number; childUser: number; childSystem: number } {
    this.task.enter(COST.trivial)
    const { utime, stime, cutime, cstime } = this.task
    return { user: utime, system: stime, childUser: cutime, childSystem: cstime }
  }

  fork(main: Program, options: ForkOptions = {}): number {
    return processes.fork(this.task, main, options)
  }

  exec(path: string, argv: readonly string[], env?: ReadonlyMap<string, string>): Promise<number> {
    return processes.exec(this.task, path, argv, env)
  }

  which(name: string): string | undefined {
    this.task.enter(COST.path * 3)
    return processes.which(this.task, name)
  }

  waitpid(pid: number, options: { nohang?: boolean; untraced?: boolean } = {}): Promise<WaitStatus | undefined> {
    return processes.waitpid(this.task, pid, options)
  }

  kill(pid: number, signal: number): void {
    signals.kill(this.task, pid, signal)
  }

  signal(signal: number, handler: SignalHandler): SignalHandler {
    return signals.signal(this.task, signal, handler)
  }

  pause(timeout = Number.POSITIVE_INFINITY): Promise<void> {
    return signals.pause(this.task, timeout)
  }

  exit(status: number): never {
    return processes.exit(this.task, status)
  }

  setpgid(pid: number, pgid: number): void {
    processes.setpgid(this.task, pid, pgid)
  }

  setuid(uid: number): void {
    processes.setuid(this.task, uid)
  }

  gethostname(): string {
    this.task.enter(COST.trivial)
    return this.task.uts.hostname
  }

  sethostname(name: string): void {
    this.task.enter(COST.trivial)
    this.task.machine.sethostname(this.task, name)
  }

  uname(): { sysname: string; nodename: string; release: string; version: string; machine: string } {
    this.task.enter(COST.trivial)
    return {
      sysname: SYSNAME,
      nodename: this.task.uts.hostname,
      release: RELEASE,
      version: VERSION,
      machine: MACHINE,
    }
  }

  unshare(flags: number): void {
    namespace.unshare(this.task, flags)
  }

  setns(fd: number): void {
    namespace.setns(this.task, fd)
  }

  mount(source: string, target: string, type: string, flags: number, data = ''): void {
    mounts.mount(this.task, source, target, type, flags, data)
  }

  umount(target: string, flags = 0): void {
    mounts.umount(this.task, target, flags)
  }

  socket(domain: number, type: number, protocol: number): number {
    return sockets.socket(this.task, domain, type, protocol)
  }

  bind(fd: number, address: Sockaddr): void {
    sockets.bind(this.task, fd, address)
  }

  connect(fd: number, address: Sockaddr): Promise<void> {
    return sockets.connect(this.task, fd, address)
  }

  listen(fd: number, backlog: number): void {
    sockets.listen(this.task, fd, backlog)
  }

  accept(fd: number): Promise<{ fd: number; address: Sockaddr }> {
    return sockets.accept(this.task, fd)
  }

  sendto(fd: number, data: Uint8Array, flags: number, to?: Sockaddr, control?: SendControl): Promise<number> {
    return sockets.sendto(this.task, fd, data, flags, to, control)
  }

  recvmsg(fd: number, max: number, flags: number): Promise<ReceivedMessage> {
    return sockets.recvmsg(this.task, fd, max, flags)
  }

  setsockopt(fd: number, level: number, option: number, value: number | Uint8Array | string | SocketOptionValue): void {
    sockets.setsockopt(this.task, fd, level, option, value)
  }

  getsockopt(fd: number, level: number, option: number): number | Uint8Array | string {
    return sockets.getsockopt(this.task, fd, level, option)
  }

  getsockname(fd: number): Sockaddr {
    return sockets.sockname(this.task, fd, 'own')
  }

  getpeername(fd: number): Sockaddr {
    return sockets.sockname(this.task, fd, 'peer')
  }

  shutdown(fd: number, how: number): void {
    sockets.shutdown(this.task, fd, how)
  }

  ioctl(fd: number, request: IoctlRequest): void {
    sockets.ioctl(this.task, fd, request)
  }

  netlink(family: NetlinkFamily): NetlinkSocket {
    return netlink(this.task, family)
  }
}
