/** The process table: pids, groups, and the kernel's own threads. */
import type { Task } from './task.ts'

/** Largest pid before numbers are used again (kernel.pid_max). */
export const PID_MAX = 32_768

export class ProcessTable {
  private readonly tasks = new Map<number, Task>()
  private last = 0
  private initTask: Task | undefined
  /** processes started since boot, for /proc/stat */
  forks = 0

  /** @returns the next free pid */
  allocate(): number {
    this.forks++
    do this.last = this.last >= PID_MAX ? 300 : this.last + 1
    while (this.tasks.has(this.last))
    return this.last
  }

  /** Lets numbering go on from `pid`: what start-up used. */
  skipTo(pid: number): void {
    this.last = Math.max(this.last, pid - 1)
  }

  /** the last pid given out, for /proc/loadavg */
  get lastPid(): number {
    return this.last
  }

  add(task: Task): void {
    if (task.pid === 1) this.initTask = task
    this.tasks.set(task.pid, task)
  }

  remove(task: Task): void {
    this.tasks.delete(task.pid)
  }

  /** process 1 */
  get init(): Task {
    return this.initTask!
  }

  get(pid: number): Task | undefined {
    return this.tasks.get(pid)
  }

  /** @returns all processes, zombies included, by pid */
  all(): Task[] {
    return [...this.tasks.values()].sort((a, b) => a.pid - b.pid)
  }

  /** @returns the members of a process group, by pid */
  group(pgid: number): Task[] {
    return this.all().filter(task => task.pgid === pgid)
  }
}
