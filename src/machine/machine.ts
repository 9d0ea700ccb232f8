/**
 * A machine: a kernel with its user space. It boots, starts processes, and is driven until they have done what somebody
 * waits for. Nothing in it reaches the host but what it is given: sinks, inputs, host folders.
 */
import type { Net } from '../kernel/core/net_namespace.ts'
import { Random } from '../kernel/core/random.ts'
import { Kernel } from '../kernel/kernel.ts'
import { Errno, SysError } from '../uapi/errno.ts'
import { O_RDONLY, O_RDWR } from '../uapi/fs.ts'
import type { Program, ProgramFile, WaitStatus } from '../uapi/process.ts'
import { Signal } from '../uapi/signal.ts'
import { FileTable } from './file_table.ts'
import { makedev } from './files/devices.ts'
import { DirectoryFile } from './files/directory.ts'
import { HostInput, HostOutput } from './files/host_stream.ts'
import type { OpenFile } from './files/open_file.ts'
import { Tty, TtyFile, type TtyFrontEnd } from './files/tty.ts'
import { OpenFileInode } from './fs/fd_inode.ts'
import { FileSystems } from './fs/filesystems.ts'
import { HostFolder } from './fs/hostfs.ts'
import type { FileSystem } from './fs/inode.ts'
import { Mount, MountNamespace, type MountSpec, type MountTable } from './fs/mount.ts'
import { NsFile, NsfsInode } from './fs/nsfs.ts'
import { Path } from './fs/path.ts'
import { procfsRoot } from './fs/procfs.ts'
import { SuperBlock } from './fs/superblock.ts'
import { Tmpfs } from './fs/tmpfs.ts'
import { Vfs } from './fs/vfs.ts'
import { KERNEL_THREADS } from './kthreads.ts'
import { beginExit, exitTask, startProgram } from './lifecycle.ts'
import { UserProcess } from './process.ts'
import { ProcessTable } from './process_table.ts'
import { programImage } from './programs.ts'
import { Scheduler } from './scheduler.ts'
import { placeFile, placeLink, placeTerminal, seedDevices, seedRoot } from './seed/tree.ts'
import { sendSignal, signalGroup } from './signals.ts'
import { makeStdio } from './stdio.ts'
import { which } from './syscalls/process.ts'
import { Task, type UtsNames } from './task.ts'

/** `bare`: scripts run in a namespace of their own with only `lo`, down; `nic`: in the first one, with eth0. */
export type Profile = 'bare' | 'nic'

/** What a machine is made with. */
export interface MachineOptions {
  readonly programs: readonly ProgramFile[]
  readonly profile: Profile
  /** seed of all randomness: the same seed gives the same run */
  readonly seed: number
  /** wall time at boot, ns since the epoch */
  readonly epoch?: number
  readonly hostname?: string
  readonly cpus?: number
}

/** What a process is started with. */
export interface SpawnOptions {
  /** argv[0] is looked for in PATH */
  readonly argv: readonly string[]
  /** runs this instead of the program argv[0] names */
  readonly main?: Program
  readonly env?: ReadonlyMap<string, string>
  readonly cwd?: string
  /** standard streams; /dev/null where absent */
  readonly stdin?: OpenFile
  readonly stdout?: OpenFile
  readonly stderr?: OpenFile
  /** network namespace; that of the profile where absent */
  readonly net?: Net
  /** makes this the session's terminal */
  readonly tty?: Tty
}

/** A process started from outside. */
export interface Running {
  readonly pid: number
  readonly exited: Promise<WaitStatus>
  /** Sends a signal as a terminal would, to its process group; SIGKILL only to the process itself. */
  kill(signal: number): void
}

/** Wall time at boot where nobody says otherwise, ns since the epoch: 2026-11-25 16:04:24 UTC. */
const DEFAULT_EPOCH = 1_795_622_664e9
/** When user space starts, ns after boot. */
const USER_SPACE_START = 21e9
/** First pid of user space after boot. */
const FIRST_PID = 312
/** Device numbers of the file systems, as the reference machine gives them out. */
const DEV = {
  ...{ nsfs: 4, dev: 5, proc: 20, sys: 21, root: 24, run: 27, tmp: 28, cgroup: 30 },
  ...{ ownRun: 31, ownTmp: 32, ownSys: 33 },
} as const
/** Mounts of the reference machine from before its root file system, and one below it, that nothing here reaches. */
const HIDDEN_MOUNTS = [25, 26]
const HIDDEN_BELOW_ROOT = 32
/** Mount numbers that boot has used. */
const LAST_BOOT_MOUNT = 33
/** Inode number of the first mount namespace. */
const INIT_MNT_INO = 4026531841
/** The first card of the `nic` profile. */
const NIC = { driver: 'e1000e', name: 'eth0', mac: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56) }
/** Environment of processes that are started without one. */
const DEFAULT_ENV: readonly (readonly [string, string])[] = [
  ['HOME', '/root'],
  ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ['TERM', 'dumb'],
  ['TZ', 'UTC'],
  ['LC_ALL', 'C'],
]
/** Exit status of a program that failed in itself: EX_SOFTWARE of sysexits.h. */
const EXIT_CRASH = 70
const OVERLAY_OPTIONS = ['lowerdir=/lower', 'upperdir=/upper/u', 'workdir=/upper/w']

/** A running machine. */
export class Machine {
  readonly kernel: Kernel
  readonly scheduler: Scheduler
  readonly processes = new ProcessTable()
  readonly vfs = new Vfs()
  readonly nsfs: FileSystem
  readonly profile: Profile
  readonly cpus: number
  readonly ttys: Tty[] = []
  /** randomness of user space: /dev/urandom, uuids */
  readonly random: Random
  /** the namespace that processes are started in */
  readonly net: Net
  /** the mounts that they see */
  readonly mnt: MountNamespace
  /** who acts from outside, as root: opens files for the host, makes mount points. No process. */
  readonly host: Task
  readonly filesystems: FileSystems
  /** the mount that nsfs files have before anybody mounts them */
  readonly nsfsMount: Mount
  /** the names of the first UTS namespace */
  readonly uts: UtsNames
  /** told of every program that threw something unexpected */
  onCrash: ((comm: string, error: unknown) => void) | undefined
  private readonly programs = new Map<string, ProgramFile>()
  private readonly loaded = new Map<string, Program>()
  private readonly dev: Tmpfs
  private anonIno = 1200

  constructor(options: MachineOptions) {
    this.profile = options.profile
    this.cpus = options.cpus ?? 2
    this.uts = { hostname: options.hostname ?? 'debian', domainname: '(none)' }
    this.kernel = new Kernel({
      seed: options.seed,
      bootTime: options.epoch ?? DEFAULT_EPOCH,
      cpus: this.cpus,
      nics: [NIC],
    })
    this.random = new Random(options.seed ^ 0x6c696e6e)
    this.scheduler = new Scheduler(this.kernel.clock)
    this.scheduler.describeWaiters = () => this.describeWaiters()
    this.nsfs = { type: 'nsfs', dev: DEV.nsfs, now: () => this.kernel.realtime }
    for (const program of options.programs) this.programs.set(program.path, program)
    this.dev = new Tmpfs(DEV.dev, this.now, 0o755, 'devtmpfs')
    this.filesystems = new FileSystems(this, procfsRoot(this, DEV.proc), this.dev.root, DEV.cgroup)
    const initMnt = new MountNamespace(this.vfs.mounts, INIT_MNT_INO)
    this.setUpFiles(initMnt)
    this.setUpProcesses(initMnt.root)
    this.kernel.clock.runUntil(USER_SPACE_START)
    const { initNet } = this.kernel
    this.nsfsMount = new Mount(0, initMnt, null, this.nsfsSpec(initNet), null, '/')
    const bare = this.profile === 'bare'
    // a script in namespaces of its own sees /run, /tmp and /sys anew
    this.mnt = bare ? this.copyMounts(initMnt).ns : initMnt.get()
    this.net = bare ? this.kernel.createNet() : initNet.get()
    this.host = new Task(this, 0, undefined, this.net.get(), this.mnt.root)
    if (!bare) return
    this.mountTmpfs('run', DEV.ownRun)
    this.mountTmpfs('tmp', DEV.ownTmp)
    this.vfs.mounts.add(this.vfs.resolve(this.host, '/sys'), {
      sb: this.filesystems.sysfs(this.net, DEV.ownSys),
      source: 'sys',
    })
  }

  private nsfsSpec(net: Net): MountSpec {
    const sb = new SuperBlock(new NsfsInode(this.nsfs, { kind: 'net', of: net }))
    return { sb, source: 'nsfs', options: [] }
  }

  /** Mounts a fresh tmpfs on a directory of the root, in the namespace that processes are started in. */
  private mountTmpfs(name: string, dev: number): void {
    const sb = new SuperBlock(new Tmpfs(dev, this.now, 0o1777).root, { options: ['inode64'] })
    this.vfs.mounts.add(this.vfs.resolve(this.host, `/${name}`), { sb, source: 'tmpfs' })
  }

  /** Copies a mount namespace, see MountTable.copy. */
  copyMounts(ns: MountNamespace): ReturnType<MountTable['copy']> {
    const { inos } = this.kernel
    return this.vfs.mounts.copy(ns, inos.allocate(), ino => inos.free(ino))
  }

  private readonly now = (): number => this.kernel.realtime

  /** Mounts the file systems, as and where the reference machine has them. */
  private setUpFiles(ns: MountNamespace): void {
    const root = new Tmpfs(DEV.root, this.now, 0o755, 'overlay')
    seedRoot(root, this.uts.hostname)
    seedDevices(this.dev)
    for (const program of this.programs.values()) {
      placeFile(root, program.path, () => programImage(program.path), 0o755)
      for (const link of program.links ?? []) placeLink(root, link, program.path)
    }
    const { filesystems } = this
    const { mounts } = this.vfs
    mounts.reserveIds(LAST_BOOT_MOUNT)
    const nothing = new SuperBlock(new Tmpfs(0, this.now).root)
    const rootfs = mounts.addRoot(ns, null, { sb: nothing, source: 'rootfs', id: 1, hidden: true })
    for (const id of HIDDEN_MOUNTS) mounts.addRoot(ns, rootfs, { sb: nothing, source: 'none', id, hidden: true })
    const overlay = new SuperBlock(root.root, { options: OVERLAY_OPTIONS })
    const rootMount = mounts.addRoot(ns, rootfs, { sb: overlay, source: 'overlay', id: 29 })
    const add = (path: string, sb: SuperBlock, source: string, id: number): void => {
      let at = ns.root
      for (const name of path.split('/'))
        at = mounts.cross(at.mount, at.inode.lookup(name, this.processes.init)!, at, name)
      mounts.add(at, { sb, source, id })
    }
    const tmpfs = (dev: number): SuperBlock =>
      new SuperBlock(new Tmpfs(dev, this.now, 0o1777).root, { options: ['inode64'] })
    add('proc', filesystems.proc, 'proc', 22)
    add('sys', filesystems.sysfs(this.kernel.initNet, DEV.sys), 'sys', 23)
    add('dev', filesystems.dev, 'dev', 24)
    add('run', tmpfs(DEV.run), 'tmpfs', 30)
    add('tmp', tmpfs(DEV.tmp), 'tmpfs', 31)
    add('sys/fs/cgroup', filesystems.cgroup, 'none', 33)
    mounts.addRoot(ns, rootMount, { sb: nothing, source: 'job', id: HIDDEN_BELOW_ROOT, hidden: true })
    ns.mounts.sort((a, b) => a.id - b.id)
  }

  /** Process 1 and the kernel's threads. */
  private setUpProcesses(root: Path): void {
    this.processes.allocate()
    const init = new Task(this, 1, undefined, this.kernel.initNet.get(), root)
    init.comm = 'systemd'
    init.argv = ['/sbin/init']
    init.pgid = 1
    init.sid = 1
    this.adopt(init)
    let kthreadd: Task | undefined
    for (const thread of KERNEL_THREADS) {
      const task = new Task(this, thread.pid, kthreadd, this.kernel.initNet.get(), root)
      kthreadd ??= task
      task.kthread = true
      task.idle = thread.state
      task.comm = thread.comm
      task.nice = thread.nice
      task.pgid = 0
      task.sid = 0
      this.adopt(task)
    }
    this.processes.skipTo(FIRST_PID)
  }

  /** Enters a process into the table and gives it what programs see. */
  adopt(task: Task): void {
    task.user = new UserProcess(task)
    task.stdio = makeStdio(task)
    this.processes.add(task)
  }

  /** Starts a process, as a child of init, in a session of its own. Throws ENOENT where there is no such program or directory. */
  spawn(options: SpawnOptions): Running {
    const { host } = this
    const { init } = this.processes
    const files = new FileTable()
    const null_ = (): OpenFile => this.vfs.open(host, '/dev/null', O_RDWR, 0)
    files.set(0, options.stdin ?? null_())
    files.set(1, options.stdout ?? null_())
    files.set(2, options.stderr ?? null_())
    const cwd = this.vfs.resolve(host, options.cwd ?? '/')
    if (!cwd.inode.isDirectory) throw new SysError(Errno.ENOTDIR)
    const task = new Task(this, this.processes.allocate(), init, (options.net ?? this.net).get(), cwd, files)
    task.pgid = task.pid
    task.sid = task.pid
    task.env = new Map(options.env ?? DEFAULT_ENV)
    task.argv = options.argv
    const name = options.argv[0] ?? ''
    task.comm = name.slice(name.lastIndexOf('/') + 1)
    if (options.tty !== undefined) {
      task.tty = options.tty
      options.tty.session = task.sid
      options.tty.foreground = task.pgid
    }
    this.adopt(task)
    const exited = new Promise<WaitStatus>(resolve => {
      task.onExit = resolve
    })
    if (options.main === undefined && which(task, name) === undefined) {
      exitTask(task, { pid: task.pid, kind: 'exited', status: 127 })
      throw new SysError(Errno.ENOENT, name)
    }
    startProgram(task, options.main ?? (proc => proc.exec(name, options.argv)))
    return {
      pid: task.pid,
      exited,
      kill: signal => {
        if (signal === Signal.SIGKILL) sendSignal(task, signal)
        else signalGroup(this.processes.group(task.pgid), signal)
        this.scheduler.kick()
      },
    }
  }

  /** Lets the machine run until a promise settles, see Scheduler.run. Throws Deadlock where that can never be. */
  run<T>(until: Promise<T>): Promise<T> {
    return this.scheduler.run(until)
  }

  /** Ends every process and every `run`. */
  shutdown(): void {
    for (const task of this.processes.all())
      if (task.pid !== 1 && !task.kthread) exitTask(task, { pid: task.pid, kind: 'signaled', signal: 9 })
    this.scheduler.abort(new Error('the machine was shut down'))
  }

  /** Makes a standard input that the host fills as it comes. */
  hostInput(): HostInput {
    return new HostInput(this.scheduler, this.nextAnonIno())
  }

  /** Makes a standard output that the host gets as it comes. */
  hostOutput(sink: (data: Uint8Array) => void): HostOutput {
    return new HostOutput(this.scheduler, this.nextAnonIno(), sink)
  }

  /** Opens a file as root would, for use as a standard stream. */
  openFile(path: string, flags = O_RDONLY): OpenFile {
    return this.vfs.open(this.host, path, flags, 0o666)
  }

  /** Makes a terminal, /dev/pts/N, and its open file. */
  createTty(frontEnd: TtyFrontEnd): { readonly tty: Tty; open(): OpenFile } {
    const n = this.ttys.length
    const rdev = makedev(136, n)
    const tty = new Tty(this, `/dev/pts/${n}`, rdev, frontEnd)
    this.ttys.push(tty)
    placeTerminal(this.dev, `pts/${n}`, rdev)
    return { tty, open: () => new TtyFile(O_RDWR, tty) }
  }

  /**
   * Shows a host folder in the machine. The mount point is made where it is missing.
   * @param folder path on the host @param target absolute path in the machine
   */
  mountHostFolder(folder: string, target: string, writable = false): void {
    const { host, filesystems } = this
    let at = ''
    for (const part of target.split('/').filter(name => name !== '')) {
      at += `/${part}`
      if (typeof this.vfs.find(host, at) === 'number') this.vfs.mkdir(host, at, 0o755)
    }
    const { root } = new HostFolder(filesystems.allocateDev(), this.now, folder, writable)
    const sb = new SuperBlock(root, { readOnly: !writable, release: () => filesystems.freeDev(root.fs.dev) })
    this.vfs.mounts.add(this.vfs.resolve(host, at), { sb, source: at, readOnly: !writable })
  }

  /** @returns the program registered under a path */
  program(path: string): ProgramFile | undefined {
    return this.programs.get(path)
  }

  /** Brings a program's code in. Its load is an operation of the host: no virtual time passes. */
  async load(file: ProgramFile): Promise<Program> {
    let main = this.loaded.get(file.path)
    if (main === undefined) {
      main = await this.scheduler.external(file.load())
      this.loaded.set(file.path, main)
    }
    return main
  }

  /** @returns the next inode number of a pipe or other nameless file */
  nextAnonIno(): number {
    return this.anonIno++
  }

  isTerminal(file: OpenFile | undefined): boolean {
    return file instanceof TtyFile
  }

  /** sethostname(2) */
  sethostname(task: Task, name: string): void {
    if (task.uid !== 0) throw new SysError(Errno.EPERM)
    if (new TextEncoder().encode(name).length > 64) throw new SysError(Errno.EINVAL)
    task.uts.hostname = name
  }

  /** @returns the place behind an open file, for /proc/PID/fd: undefined where its name leads there as well */
  pathOfFile(file: OpenFile): Path | undefined {
    if (file instanceof DirectoryFile) return file.path
    if (file instanceof NsFile) return new Path(this.nsfsMount, new NsfsInode(this.nsfs, file.ns), null, file.link)
    return new Path(this.nsfsMount, new OpenFileInode(this.nsfs, file), null, file.link)
  }

  /** A program threw something that is not the end of its process: it is told on its standard error, and ends. */
  crash(task: Task, error: unknown): void {
    this.onCrash?.(task.comm, error)
    const text = error instanceof Error ? error.message : String(error)
    const file = task.files.peek(2)
    if (file?.writable === true) file.write(task, new TextEncoder().encode(`${task.comm}: internal error: ${text}\n`))
    beginExit(task, EXIT_CRASH)
  }

  /** Something failed in the machine itself: whoever runs it hears of it. */
  fail(error: unknown): void {
    this.scheduler.abort(error instanceof Error ? error : new Error(String(error)))
  }

  private describeWaiters(): string {
    return this.processes
      .all()
      .filter(task => !task.kthread && task.pid !== 1 && task.ended === undefined)
      .map(task => `${task.comm} (${task.pid}) ${task.stopped ? 'is stopped' : `in ${task.waitsIn ?? 'no call'}`}`)
      .join(', ')
  }
}
