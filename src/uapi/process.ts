/**
 * The process as a program sees it: arguments, streams, files, sockets, namespaces, signals, children, time.
 *
 * This is the whole interface between a tool (commands/) or the shell (src/shell) and the machine. A call either
 * returns its result or throws `SysError` with the error number Linux gives. Calls that may block return a promise;
 * a program blocks nowhere else, so that virtual time advances exactly when every process waits in such a call.
 * Section 2 of the manual pages has the semantics; only what differs is said here.
 */
import type { Dirent, Stat } from './fs.ts'
import type { IoctlRequest } from './ioctl.ts'
import type { NetlinkFamily, NetlinkSocket } from './netlink.ts'
import type { ReceivedMessage, SendControl, Sockaddr } from './socket.ts'

/**
 * A program: what execve(2) starts. Its result is the exit status (0 to 255).
 * A program flushes nothing itself at its end: the runtime flushes its standard streams.
 */
export type Program = (proc: Process) => Promise<number> | number

/** Where a program lives and how its code is brought in on first use. */
export interface ProgramFile {
  /** absolute path, such as `/usr/sbin/ip` */
  readonly path: string
  /** further paths that are links to it */
  readonly links?: readonly string[]
  readonly load: () => Promise<Program>
}

/** Buffered output like stdio's: line-buffered on a terminal, else flushed when large, on `flush`, and at exit. */
export interface OutputStream {
  readonly fd: number
  /** Appends text (as UTF-8) or bytes. Never blocks; a large buffer is written out by the next `flush` or at exit. */
  write(data: string | Uint8Array): void
  /** Writes the buffer out; blocks while a pipe is full. EPIPE raises SIGPIPE first, as write(2) does. */
  flush(): Promise<void>
}

/** Buffered input. */
export interface InputStream {
  readonly fd: number
  /** @returns the next line without its newline, or undefined at the end; blocks. Bytes are decoded as UTF-8. */
  readLine(): Promise<string | undefined>
  /** @returns all that is left, as bytes; blocks until the end of file */
  readAll(): Promise<Uint8Array>
}

/** What `fork` may change in the child before its program starts. */
export interface ForkOptions {
  /** the child's descriptors: child number to the parent's number; without it the child has copies of all */
  readonly fds?: ReadonlyMap<number, number>
  /** 0: the child leads a new process group; a number: it joins that group; absent: it stays in the parent's */
  readonly pgid?: number
  /** what ps shows as the command, until the child calls exec */
  readonly comm?: string
}

/** How a child ended. */
export type WaitStatus =
  | { readonly pid: number; readonly kind: 'exited'; readonly status: number }
  | { readonly pid: number; readonly kind: 'signaled'; readonly signal: number }
  | { readonly pid: number; readonly kind: 'stopped'; readonly signal: number }
  | { readonly pid: number; readonly kind: 'continued' }

/** A signal's disposition: a handler runs when the process next leaves or sits in a system call, which then fails with EINTR. */
export type SignalHandler = ((signal: number) => void) | 'default' | 'ignore'

/** One descriptor of a poll(2) call. */
export interface PollFd {
  readonly fd: number
  readonly events: number
}

/** What a program knows that helps its user to type a line, see `editLine`. */
export interface LineEditing {
  /** @returns names of its own that begin with a prefix, among others; it must make no system call */
  names(kind: 'command' | 'variable', prefix: string): Iterable<string>
}

/** unshare(2): a network namespace of one's own. */
export const CLONE_NEWNET = 0x40000000
/** unshare(2): a mount namespace of one's own, a copy of the present one. */
export const CLONE_NEWNS = 0x00020000

/** A running process, from the inside. */
export interface Process {
  readonly pid: number
  readonly ppid: number
  readonly pgid: number
  readonly uid: number
  readonly gid: number
  /** argv[0] is the name it was called by */
  readonly argv: readonly string[]
  /** exported variables, the process's own copy */
  readonly env: Map<string, string>
  readonly cwd: string
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream

  // files
  open(path: string, flags: number, mode?: number): number
  close(fd: number): void
  /** Blocks on an empty pipe, socket or terminal. @returns at most `max` bytes; none at the end of file */
  read(fd: number, max: number): Promise<Uint8Array>
  /**
   * Reads a line from a terminal whose front end lets the user edit it, with history and completion: what readline(3)
   * is to a shell. Elsewhere it is `read`. @returns the line with its newline; nothing at the end of file
   */
  editLine(fd: number, editing: LineEditing): Promise<Uint8Array>
  /** Writes all of `data`, blocking as needed. @returns its length in bytes */
  write(fd: number, data: Uint8Array | string): Promise<number>
  /** @returns the new offset */
  lseek(fd: number, offset: number, whence: 'set' | 'cur' | 'end'): number
  ftruncate(fd: number, length: number): void
  /** Reads a whole regular, procfs or sysfs file at once (open, read to the end, close). */
  readFile(path: string): Uint8Array
  /** Opens with O_WRONLY|O_CREAT|O_TRUNC (or O_APPEND), writes once, closes. */
  writeFile(path: string, data: Uint8Array | string, append?: boolean): void
  stat(path: string): Stat
  lstat(path: string): Stat
  fstat(fd: number): Stat
  /** @returns entries without `.` and `..`, in the file system's own order */
  readdir(path: string): Dirent[]
  /** @returns whether access(2) with `mode` (4 read, 2 write, 1 execute, 0 exists) would succeed */
  access(path: string, mode: number): boolean
  mkdir(path: string, mode?: number): void
  rmdir(path: string): void
  unlink(path: string): void
  rename(from: string, to: string): void
  link(from: string, to: string): void
  symlink(target: string, path: string): void
  readlink(path: string): string
  chmod(path: string, mode: number): void
  /** @param mtime ns since the epoch */
  utimes(path: string, mtime: number): void
  mkfifo(path: string, mode?: number): void
  chdir(path: string): void
  /** @returns the old mask */
  umask(mask: number): number
  /** @returns [read end, write end] */
  pipe(): [number, number]
  dup(fd: number, atLeast?: number): number
  dup2(from: number, to: number): number
  isatty(fd: number): boolean
  /** Terminal size in characters; throws ENOTTY. */
  winsize(fd: number): { readonly rows: number; readonly columns: number }
  /** Makes a process group the terminal's foreground group: the one Ctrl-C interrupts. */
  tcsetpgrp(fd: number, pgid: number): void
  /** open descriptors, ascending */
  fds(): number[]
  /**
   * @param timeout ns; Infinity waits for ever, 0 not at all
   * @returns the returned events by position, 0 where none
   */
  poll(fds: readonly PollFd[], timeout: number): Promise<number[]>

  // time
  /** CLOCK_REALTIME, ns since the epoch */
  realtime(): number
  /** CLOCK_MONOTONIC, ns since boot */
  monotonic(): number
  /** Blocks for `ns`. A handled signal ends it early with EINTR. */
  nanosleep(ns: number): Promise<void>
  /** Lets other processes and the host run; a program that computes in a loop calls it now and then, so that it can be stopped. */
  yield(): Promise<void>
  /**
   * Brings in a part of the program's own code: `load` imports it. Like a page fault it takes the host's time and no
   * virtual time; a program must not import in any other way while it runs.
   */
  loadCode<T>(load: () => Promise<T>): Promise<T>
  /** virtual CPU time used: ns in user mode and in the kernel, of the process and of its ended children */
  times(): { readonly user: number; readonly system: number; readonly childUser: number; readonly childSystem: number }

  // processes and signals
  /** Starts a child that runs `main` with this process's state (files, directory, environment, namespaces). @returns its pid */
  fork(main: Program, options?: ForkOptions): number
  /**
   * Replaces the program: the caller must return the result as its own exit status and do nothing after.
   * A name without a slash is looked for in PATH. Throws ENOENT, EACCES or ENOEXEC before anything is replaced.
   * @param argv argv[0] names the program
   */
  exec(path: string, argv: readonly string[], env?: ReadonlyMap<string, string>): Promise<number>
  /** @returns the path that exec would run for a name without a slash, or undefined */
  which(name: string): string | undefined
  /** @param pid a child, or -1 for any; `nohang` returns undefined instead of blocking; throws ECHILD */
  waitpid(pid: number, options?: { nohang?: boolean; untraced?: boolean }): Promise<WaitStatus | undefined>
  /** @param pid a process, 0 for the own group, -1 for all, -G for the group G */
  kill(pid: number, signal: number): void
  /** Sets what a signal does. SIGKILL and SIGSTOP: EINVAL. @returns what it did before */
  signal(signal: number, handler: SignalHandler): SignalHandler
  /** Waits for any handled signal, or for `timeout` ns. */
  pause(timeout?: number): Promise<void>
  /** Ends the program at once with this status, from any depth. */
  exit(status: number): never
  setpgid(pid: number, pgid: number): void
  setuid(uid: number): void
  gethostname(): string
  sethostname(name: string): void
  uname(): {
    readonly sysname: string
    readonly nodename: string
    readonly release: string
    readonly version: string
    readonly machine: string
  }

  // namespaces
  /** @param flags CLONE_NEWNET, CLONE_NEWNS */
  unshare(flags: number): void
  /** Enters the namespace of an open nsfs file (`/proc/PID/ns/net`, `/run/netns/NAME`, `/proc/PID/ns/mnt`); EINVAL for another file. */
  setns(fd: number): void
  /**
   * Mounts a file system, or shows (MS_BIND), moves or changes a mount, see mount(2). A mounted nsfs file keeps its
   * namespace alive.
   * @param type of a new file system, '' with the other operations
   * @param flags MS_…, see uapi/mount.ts
   * @param data the file system's own options, separated by commas
   */
  mount(source: string, target: string, type: string, flags: number, data?: string): void
  /** @param flags MNT_DETACH */
  umount(target: string, flags?: number): void

  // sockets
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Sockaddr): void
  /** Blocks until a stream socket is connected. */
  connect(fd: number, address: Sockaddr): Promise<void>
  listen(fd: number, backlog: number): void
  accept(fd: number): Promise<{ readonly fd: number; readonly address: Sockaddr }>
  /** Blocks while the send buffer is full, unless MSG_DONTWAIT. @returns bytes taken */
  sendto(fd: number, data: Uint8Array, flags: number, to?: Sockaddr, control?: SendControl): Promise<number>
  /** Blocks until there is a message, unless MSG_DONTWAIT (EAGAIN); SO_RCVTIMEO applies. */
  recvmsg(fd: number, max: number, flags: number): Promise<ReceivedMessage>
  /** @param value number, or bytes or text (IP options, filters, device names) as the option takes */
  setsockopt(fd: number, level: number, option: number, value: number | Uint8Array | string | SocketOptionValue): void
  getsockopt(fd: number, level: number, option: number): number | Uint8Array | string
  getsockname(fd: number): Sockaddr
  getpeername(fd: number): Sockaddr
  shutdown(fd: number, how: number): void
  /** Throws ENOTTY where the file does not know the request. */
  ioctl(fd: number, request: IoctlRequest): void
  /** Opens a netlink socket of this process's network namespace. */
  netlink(family: NetlinkFamily): NetlinkSocket
}

/** Structured socket options: multicast membership and linger. */
export type SocketOptionValue =
  | { readonly kind: 'mreqn'; readonly multiaddr: number; readonly address: number; readonly ifindex: number }
  | { readonly kind: 'mreq6'; readonly multiaddr: Uint8Array; readonly ifindex: number }
  | { readonly kind: 'linger'; readonly on: boolean; readonly seconds: number }
