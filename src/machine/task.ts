/**
 * A process as the kernel sees it, `task_struct`: identity, files, namespace, signals, and its sleeps.
 * System calls (syscalls/) work on it; programs see it through `UserProcess`.
 */
import { Timer } from '../kernel/core/clock.ts'
import type { Net } from '../kernel/core/net_namespace.ts'
import type { Cred } from '../kernel/core/socket.ts'
import { type WaitEntry, WaitQueue } from '../kernel/core/wait.ts'
import type { Process, SignalHandler, WaitStatus } from '../uapi/process.ts'
import { COST } from './costs.ts'
import { FileTable } from './file_table.ts'
import type { Tty } from './files/tty.ts'
import type { MountNamespace } from './fs/mount.ts'
import type { Path } from './fs/path.ts'
import type { Machine } from './machine.ts'
import type { Stdio } from './stdio.ts'

/** Calls a process makes before it must let others run: its time slice. */
const SLICE = 128

/** Why a sleep ended. */
export const WOKEN = 0
export const TIMEOUT = 1
export const SIGNALED = 2
export type WakeReason = typeof WOKEN | typeof TIMEOUT | typeof SIGNALED

/**
 * Thrown by system calls of a process that has ended: it unwinds what is left of its program. Calls that would block do
 * not even throw: they never return, so that nothing a program catches can keep it alive.
 */
export class ProcessGone extends Error {
  constructor() {
    super('the process has ended')
    this.name = 'ProcessGone'
  }
}

/** What a call of an ended process waits for. */
const NEVER = new Promise<never>(() => {})

/** One system call that waits. */
class Sleep implements WaitEntry {
  readonly task: Task
  readonly queues: readonly WaitQueue[]
  readonly timer: Timer | undefined
  /** what the process waits in, for messages and /proc/PID/wchan */
  readonly what: string
  readonly resolve: (reason: WakeReason) => void
  /** whether the scheduler counts it among those that end at a certain time */
  private timed = false

  constructor(
    task: Task,
    queues: readonly WaitQueue[],
    deadline: number,
    what: string,
    resolve: (reason: WakeReason) => void,
  ) {
    this.task = task
    this.queues = queues
    this.what = what
    this.resolve = resolve
    for (const queue of queues) queue.add(this)
    if (deadline !== Number.POSITIVE_INFINITY) {
      this.timer = new Timer(() => {
        this.untimed()
        task.endSleep(this, TIMEOUT)
      })
      task.machine.kernel.clock.mod(this.timer, deadline)
      task.machine.scheduler.timedSleeps++
      this.timed = true
    }
  }

  wake(): void {
    this.task.endSleep(this, WOKEN)
  }

  /** Leaves all queues. */
  detach(): void {
    for (const queue of this.queues) queue.remove(this)
    if (this.timer !== undefined) this.task.machine.kernel.clock.del(this.timer)
    this.untimed()
  }

  private untimed(): void {
    if (this.timed) this.task.machine.scheduler.timedSleeps--
    this.timed = false
  }
}

/** What a UTS namespace holds; its members share the object. */
export interface UtsNames {
  hostname: string
  domainname: string
}

/** The letters of /proc/PID/stat. */
export type TaskState = 'R' | 'S' | 'T' | 'Z' | 'I'

/** A process. */
export class Task {
  readonly machine: Machine
  readonly pid: number
  parent: Task | undefined
  readonly children = new Set<Task>()
  pgid: number
  sid: number
  tty: Tty | undefined
  uid = 0
  gid = 0
  comm = ''
  argv: readonly string[] = []
  env = new Map<string, string>()
  /** path of the program, for /proc/PID/exe */
  exe: string | undefined
  cwd: Path
  umask = 0o022
  files: FileTable
  net: Net
  /** the mounts it sees */
  mnt: MountNamespace
  uts: UtsNames
  nice = 0
  /** a thread of the kernel: no program, no files, deaf to signals */
  kthread = false
  /** its state while it has nothing to do */
  idle: TaskState = 'S'
  /** ns since boot */
  readonly startTime: number
  utime = 0
  stime = 0
  cutime = 0
  cstime = 0
  voluntarySwitches = 0

  /** what signals do, where not the default */
  readonly handlers = new Map<number, SignalHandler>()
  /** signals that wait: handled ones until the process next enters or leaves a call, all others while it is stopped */
  readonly pending: number[] = []
  stopped = false
  /** a stop or continuation not yet told to waitpid */
  jobChange: WaitStatus | undefined
  /** how it ended; set when it becomes a zombie */
  ended: WaitStatus | undefined
  /** system calls of its program are refused: it has ended or is about to */
  gone = false
  /** waked when a child changes state */
  readonly childWq = new WaitQueue()
  /** called once, when it has ended */
  onExit: ((status: WaitStatus) => void) | undefined
  /** what programs see; set by the machine */
  user!: Process
  /** the program's standard streams; set with each program */
  stdio!: Stdio
  private readonly sleeps: Sleep[] = []
  private slice = SLICE

  /** @param net a reference that it takes over */
  constructor(
    machine: Machine,
    pid: number,
    parent: Task | undefined,
    net: Net,
    cwd: Path,
    files = new FileTable(),
    mnt = cwd.mount.ns,
  ) {
    this.machine = machine
    this.pid = pid
    this.parent = parent
    this.pgid = parent?.pgid ?? pid
    this.sid = parent?.sid ?? pid
    this.net = net
    this.mnt = mnt.get()
    this.uts = parent?.uts ?? machine.uts
    this.cwd = cwd
    this.files = files
    this.startTime = machine.kernel.clock.now
    parent?.children.add(this)
  }

  get state(): TaskState {
    if (this.ended !== undefined) return 'Z'
    if (this.stopped) return 'T'
    const waits = this.sleeps.length > 0 && this.waitsIn !== 'exec'
    return this.kthread || waits || this.pid === 1 ? this.idle : 'R'
  }

  /** who it is to the kernel's sockets */
  get cred(): Cred {
    return { uid: this.uid, gid: this.gid, pid: this.pid, comm: this.comm }
  }

  /** the call it waits in, if any */
  get waitsIn(): string | undefined {
    return this.sleeps[0]?.what
  }

  /** Lets `ns` of CPU time pass for this process, and what has fallen due meanwhile happen. */
  charge(ns: number): void {
    const { clock } = this.machine.kernel
    clock.elapse(ns)
    this.stime += ns
    if (clock.nextTime() <= clock.now) this.machine.scheduler.interrupts()
  }

  /** The same for time in the program itself. */
  chargeUser(ns: number): void {
    this.charge(ns)
    this.stime -= ns
    this.utime += ns
  }

  /**
   * Begins a system call: refuses it for an ended process, takes its time, runs handlers of signals that came meanwhile.
   * Throws ProcessGone.
   */
  enter(cost: number): void {
    if (this.gone) throw new ProcessGone()
    this.charge(cost)
    if (this.pending.length > 0 && !this.stopped) this.runHandlers()
  }

  /**
   * Comes before `enter` in calls that may block: @returns a promise to wait for where the process is stopped, has used
   * up its time slice, or has ended.
   */
  preempt(): Promise<void> | undefined {
    if (this.gone) return NEVER
    if (!this.stopped && --this.slice > 0) return undefined
    return this.giveUpCpu()
  }

  /** Lets others run; returns when the process may go on. */
  async giveUpCpu(): Promise<void> {
    this.slice = SLICE
    await new Promise<void>(resolve => this.machine.scheduler.requeue(resolve))
    while (this.stopped && !this.gone) await this.sleep([], Number.POSITIVE_INFINITY, 'stopped')
    if (this.gone) await NEVER
  }

  /**
   * Waits until one of the queues is waked, `deadline` (ns since boot) has come, or a handled signal arrives, whose
   * handler has then run. Never returns once the process has ended.
   */
  async wait(queues: readonly WaitQueue[], deadline: number, what: string): Promise<WakeReason> {
    if (this.ended !== undefined) return NEVER
    if (this.pending.length > 0 && !this.stopped) {
      this.runHandlers()
      return SIGNALED
    }
    const reason = await this.sleep(queues, deadline, what)
    this.slice = SLICE
    this.voluntarySwitches++
    this.charge(COST.wakeup)
    if (this.pending.length === 0) return reason
    this.runHandlers()
    return SIGNALED
  }

  /**
   * Computes for `ns` on a processor of its own: others run meanwhile, unlike during `charge`. Never returns once the
   * process has ended.
   */
  async compute(ns: number, userShare: number): Promise<void> {
    const { clock } = this.machine.kernel
    const deadline = clock.now + ns
    while (clock.now < deadline && this.ended === undefined) await this.sleep([], deadline, 'exec')
    if (this.gone) await NEVER
    this.utime += ns * userShare
    this.stime += ns * (1 - userShare)
  }

  private sleep(queues: readonly WaitQueue[], deadline: number, what: string): Promise<WakeReason> {
    return new Promise<WakeReason>(resolve => {
      this.sleeps.push(new Sleep(this, queues, deadline, what, resolve))
    })
  }

  /** Used by Sleep. A stopped process sleeps on: continuing it ends all its sleeps. */
  endSleep(sleep: Sleep, reason: WakeReason): void {
    if (this.stopped) return
    const i = this.sleeps.indexOf(sleep)
    if (i < 0) return
    this.sleeps.splice(i, 1)
    sleep.detach()
    this.machine.scheduler.wakeups++
    sleep.resolve(reason)
  }

  /** Ends every sleep: a signal came, or the process was continued. */
  interrupt(reason: WakeReason): void {
    for (const sleep of [...this.sleeps]) this.endSleep(sleep, reason)
  }

  /** Forgets every sleep: the process has ended, and its calls never return. */
  abandon(): void {
    for (const sleep of this.sleeps.splice(0)) sleep.detach()
  }

  /** Runs the handlers of pending signals. */
  private runHandlers(): void {
    for (let signal = this.pending.shift(); signal !== undefined; signal = this.pending.shift()) {
      const handler = this.handlers.get(signal)
      if (typeof handler !== 'function') continue
      try {
        handler(signal)
      } catch (error) {
        if (this.gone) throw error
        this.machine.crash(this, error)
        throw new ProcessGone()
      }
      if (this.gone) throw new ProcessGone()
    }
  }
}
