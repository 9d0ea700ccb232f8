/** How processes begin and end: starting a program, exit, zombies, orphans. */
import { isSysError } from '../uapi/errno.ts'
import type { Program, WaitStatus } from '../uapi/process.ts'
import { Signal } from '../uapi/signal.ts'
import { COST } from './costs.ts'
import { isOrphaned, sendSignal, signalGroup } from './signals.ts'
import { ProcessGone, type Task } from './task.ts'

/** Starts a program as the process's main thread of control, a moment later. Its end is the end of the process. */
export function startProgram(task: Task, main: Program): void {
  queueMicrotask(() => void runProgram(task, main))
}

/** Runs a program to its end, and the process with it. What the program throws is told to the machine. */
export async function runProgram(task: Task, main: Program): Promise<void> {
  let status: number
  try {
    await task.preempt()
    status = await main(task.user)
  } catch (error) {
    if (task.gone || error instanceof ProcessGone) return
    task.machine.crash(task, error)
    return
  }
  beginExit(task, status)
}

/** exit(3): flushes the standard streams and ends the process. Its program's further calls are refused from now on. */
export function beginExit(task: Task, status: number): void {
  if (task.gone) return
  task.gone = true
  task.pending.length = 0
  for (const [signal, handler] of task.handlers) if (handler !== 'ignore') task.handlers.delete(signal)
  const { stdout, stderr } = task.stdio
  const end = (): void => exitTask(task, { pid: task.pid, kind: 'exited', status: status & 0xff })
  if (stdout.drain() && stderr.drain()) {
    end()
    return
  }
  const finish = async (): Promise<void> => {
    try {
      await stdout.drainBlocking()
      await stderr.drainBlocking()
    } catch (error) {
      // as in exit(3): nobody is left to hear that the last output had nowhere to go
      if (!isSysError(error)) throw error
    }
    end()
  }
  finish().catch((error: unknown) => task.machine.fail(error))
}

/** Ends a process at once (do_exit): its files close, its children go to init, its parent is told. */
export function exitTask(task: Task, status: WaitStatus): void {
  if (task.ended !== undefined) return
  const { machine } = task
  task.gone = true
  task.stopped = false
  task.ended = status
  task.abandon()
  task.pending.length = 0
  task.charge(COST.exit)
  task.files.closeAll()
  task.net.put()
  task.mnt.put()
  const init = machine.processes.init
  for (const child of [...task.children]) {
    task.children.delete(child)
    child.parent = init
    init.children.add(child)
    if (child.ended !== undefined) reap(child)
    else hangUpIfOrphaned(child)
  }
  if (task.tty !== undefined && task.sid === task.pid) {
    signalGroup(machine.processes.group(task.tty.foreground), Signal.SIGHUP)
    task.tty.session = undefined
  }
  task.onExit?.(status)
  const { parent } = task
  if (parent === undefined) return
  if (parent === init || parent.handlers.get(Signal.SIGCHLD) === 'ignore') reap(task)
  else sendSignal(parent, Signal.SIGCHLD)
  parent.childWq.wake()
}

/** A stopped process whose group has lost its last link to the session's shell would stay so for ever. */
function hangUpIfOrphaned(child: Task): void {
  if (!child.stopped) return
  const group = child.machine.processes.group(child.pgid)
  if (!isOrphaned(group)) return
  signalGroup(group, Signal.SIGHUP)
  signalGroup(group, Signal.SIGCONT)
}

/** Takes a zombie out of the process table; its CPU time goes to the parent's account. */
export function reap(task: Task): void {
  const { parent } = task
  if (parent !== undefined) {
    parent.children.delete(task)
    parent.cutime += task.utime + task.cutime
    parent.cstime += task.stime + task.cstime
  }
  task.machine.processes.remove(task)
}
