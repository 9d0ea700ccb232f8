/** System calls on signals, time and the machine's names. */
import { Errno, SysError } from '../../uapi/errno.ts'
import type { SignalHandler } from '../../uapi/process.ts'
import { Signal } from '../../uapi/signal.ts'
import { COST } from '../costs.ts'
import { NSIG, kill as sendKill } from '../signals.ts'
import { ProcessGone, SIGNALED, type Task } from '../task.ts'

/** kill(2); a handler of the sender's own signal has run when it returns. */
export function kill(task: Task, pid: number, signal: number): void {
  task.enter(COST.io)
  sendKill(task, pid, signal)
  if (task.gone) throw new ProcessGone()
  task.enter(0)
}

/** sigaction(2) */
export function signal(task: Task, number: number, handler: SignalHandler): SignalHandler {
  task.enter(COST.trivial)
  if (number < 1 || number > NSIG || number === Signal.SIGKILL || number === Signal.SIGSTOP)
    throw new SysError(Errno.EINVAL)
  const before = task.handlers.get(number) ?? 'default'
  if (handler === 'default') task.handlers.delete(number)
  else task.handlers.set(number, handler)
  return before
}

/** pause(2), with a time limit. A signal that waits already ends it: as with sigsuspend(2), none is missed. */
export async function pause(task: Task, timeout: number): Promise<void> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  const signaled = task.pending.length > 0
  task.enter(COST.trivial)
  if (signaled) return
  const { clock } = task.machine.kernel
  const deadline = clock.now + timeout
  while (clock.now < deadline) if ((await task.wait([], deadline, 'sigsuspend')) === SIGNALED) return
}

/** nanosleep(2) */
export async function nanosleep(task: Task, ns: number): Promise<void> {
  const turn = task.preempt()
  if (turn !== undefined) await turn
  task.enter(COST.trivial)
  const { clock } = task.machine.kernel
  const deadline = clock.now + Math.max(0, ns)
  while (clock.now < deadline)
    if ((await task.wait([], deadline, 'nanosleep')) === SIGNALED) throw new SysError(Errno.EINTR)
}

/** sched_yield(2), charged as the stretch of computing it ends. */
export async function yieldCpu(task: Task): Promise<void> {
  if (!task.gone) task.chargeUser(COST.yield)
  await (task.preempt() ?? task.giveUpCpu())
  task.enter(0)
}
