/** Signals: delivery, default actions, stopping and continuing, see signal(7). */
import { Errno, SysError } from '../uapi/errno.ts'
import { defaultAction, Signal } from '../uapi/signal.ts'
import { exitTask } from './lifecycle.ts'
import { SIGNALED, type Task, WOKEN } from './task.ts'

/** Highest signal number, SIGRTMAX. */
export const NSIG = 64

/** Sends a signal to one process (send_signal). Signal 0 only tests. Ended processes take no notice. */
export function sendSignal(task: Task, signal: number): void {
  if (signal === 0 || task.ended !== undefined || task.kthread) return
  const handler = task.handlers.get(signal) ?? 'default'
  if (task.pid === 1 && typeof handler !== 'function') return
  if (signal === Signal.SIGKILL) {
    exitTask(task, { pid: task.pid, kind: 'signaled', signal })
    return
  }
  if (signal === Signal.SIGCONT) continueTask(task)
  if (handler === 'ignore') return
  const action = handler === 'default' ? defaultAction(signal) : 'handle'
  if (action === 'ignore' || action === 'continue') return
  if (action === 'stop') {
    if (signal === Signal.SIGSTOP || !isOrphaned(task.machine.processes.group(task.pgid))) stopTask(task, signal)
    return
  }
  if (task.stopped) {
    if (!task.pending.includes(signal)) task.pending.push(signal)
    return
  }
  if (action === 'terminate') {
    exitTask(task, { pid: task.pid, kind: 'signaled', signal })
    return
  }
  if (!task.pending.includes(signal)) task.pending.push(signal)
  task.interrupt(SIGNALED)
}

/** Sends a signal to every process of a group. */
export function signalGroup(group: readonly Task[], signal: number): void {
  for (const task of group) sendSignal(task, signal)
}

/** kill(2) for `sender`. ESRCH where there is no such process, EPERM where it is none of the sender's, EINVAL. */
export function kill(sender: Task, pid: number, signal: number): void {
  if (!Number.isInteger(signal) || signal < 0 || signal > NSIG) throw new SysError(Errno.EINVAL)
  const { processes } = sender.machine
  let targets: readonly Task[]
  if (pid > 0) {
    const target = processes.get(pid)
    targets = target === undefined ? [] : [target]
  } else if (pid === -1) targets = processes.all().filter(task => task.pid > 1 && task !== sender && !task.kthread)
  else targets = processes.group(pid === 0 ? sender.pgid : -pid)
  if (targets.length === 0) throw new SysError(Errno.ESRCH)
  const allowed = targets.filter(target => sender.uid === 0 || sender.uid === target.uid)
  if (allowed.length === 0) throw new SysError(Errno.EPERM)
  signalGroup(allowed, signal)
}

/** @returns whether nobody outside the group, but in its session, is a parent in it: then terminal stops are ignored */
export function isOrphaned(group: readonly Task[]): boolean {
  return !group.some(
    task =>
      task.ended === undefined &&
      task.parent !== undefined &&
      task.parent.pgid !== task.pgid &&
      task.parent.sid === task.sid,
  )
}

function stopTask(task: Task, signal: number): void {
  if (task.stopped) return
  task.stopped = true
  report(task, { pid: task.pid, kind: 'stopped', signal })
}

function continueTask(task: Task): void {
  if (!task.stopped) return
  task.stopped = false
  report(task, { pid: task.pid, kind: 'continued' })
  const waiting = task.pending.splice(0)
  task.interrupt(WOKEN)
  for (const signal of waiting) sendSignal(task, signal)
}

/** Leaves a change for the parent's waitpid. */
function report(task: Task, change: NonNullable<Task['jobChange']>): void {
  task.jobChange = change
  if (task.parent === undefined) return
  sendSignal(task.parent, Signal.SIGCHLD)
  task.parent.childWq.wake()
}
