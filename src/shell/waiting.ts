/** Waiting for children, and telling about jobs. */
import { Errno, isSysError } from '../uapi/errno.ts'
import type { WaitStatus } from '../uapi/process.ts'
import { Signal } from '../uapi/signal.ts'
import { DiscardJump } from './control.ts'
import { describeSignal, exitStatus, type Job, jobLines } from './jobs.ts'
import type { Shell } from './shell.ts'

/** Statuses of ended processes that are remembered for wait. */
const REMEMBERED = 1024

/** Takes note of what a child did. */
export function noteStatus(sh: Shell, status: WaitStatus, foreground?: Job): void {
  const job =
    foreground?.processes.some(process => process.pid === status.pid) === true ? foreground : sh.jobs.byPid(status.pid)
  const process = job?.processes.find(each => each.pid === status.pid)
  if (status.kind !== 'stopped' && status.kind !== 'continued') {
    sh.jobs.statuses.set(status.pid, exitStatus(status))
    if (sh.jobs.statuses.size > REMEMBERED) {
      const [oldest] = sh.jobs.statuses.keys()
      sh.jobs.statuses.delete(oldest!)
    }
    sh.traps.childEnded()
  }
  if (job === undefined || process === undefined) return
  process.status = status
  process.state = status.kind === 'stopped' ? 'stopped' : status.kind === 'continued' ? 'running' : 'done'
  job.notified = false
}

/** Waits for the next change of any child. @returns false where there is no child; 'signal' where a handler ran */
export async function waitAny(sh: Shell, foreground?: Job): Promise<boolean | 'signal'> {
  try {
    const status = await sh.proc.waitpid(-1, { untraced: sh.options.on('monitor') })
    if (status !== undefined) noteStatus(sh, status, foreground)
    return true
  } catch (error) {
    if (isSysError(error, Errno.EINTR)) return 'signal'
    if (isSysError(error, Errno.ECHILD)) return false
    throw error
  }
}

/** Takes note of all children that have ended by now. */
export async function reap(sh: Shell): Promise<void> {
  for (;;) {
    try {
      const status = await sh.proc.waitpid(-1, { nohang: true, untraced: sh.options.on('monitor') })
      if (status === undefined) return
      noteStatus(sh, status)
    } catch (error) {
      if (isSysError(error, Errno.ECHILD, Errno.EINTR)) return
      throw error
    }
  }
}

/** How long after the shell itself killed a process it is not yet seen to be dead, ns. */
const DYING = 2_000_000

/** Takes note of jobs that have ended, but for those that the shell has only just killed: dying takes a moment. */
export async function reapJobs(sh: Shell): Promise<void> {
  const now = sh.proc.monotonic()
  for (const job of sh.jobs.jobs) {
    for (const process of job.processes) {
      if (process.state !== 'running' || now - (sh.jobs.killed.get(process.pid) ?? Number.NEGATIVE_INFINITY) < DYING)
        continue
      try {
        const status = await sh.proc.waitpid(process.pid, { nohang: true, untraced: sh.options.on('monitor') })
        if (status !== undefined) noteStatus(sh, status)
      } catch (error) {
        if (!isSysError(error, Errno.ECHILD, Errno.EINTR)) throw error
      }
    }
  }
}

/** Waits for one child that is no job: of a command substitution. @returns its status */
export async function waitPid(sh: Shell, pid: number): Promise<number> {
  for (;;) {
    const known = sh.jobs.statuses.get(pid)
    if (known !== undefined) {
      sh.jobs.statuses.delete(pid)
      return known
    }
    if ((await waitAny(sh)) === false) return 127
  }
}

/**
 * Waits for a job in the foreground to end or stop.
 * @returns its status; throws DiscardJump where Ctrl-C ended it in an interactive shell
 */
export async function waitForeground(sh: Shell, job: Job): Promise<number> {
  if (sh.terminal !== undefined && job.pgid !== undefined) sh.proc.tcsetpgrp(sh.terminal, job.pgid)
  const interrupted = sh.traps.deferInterrupt(sh)
  while (job.state === 'running') {
    if ((await waitAny(sh, job)) === false) {
      for (const process of job.processes) if (process.state === 'running') process.state = 'done'
    }
  }
  const { status: last } = job.last
  if (interrupted() && last?.kind === 'signaled' && last.signal === Signal.SIGINT)
    sh.proc.kill(sh.proc.pid, Signal.SIGINT)
  if (sh.terminal !== undefined && job.pgid !== undefined) sh.proc.tcsetpgrp(sh.terminal, sh.proc.pgid)
  const status = job.status
  for (const process of job.processes) sh.jobs.statuses.delete(process.pid)
  if (job.state === 'stopped') {
    job.foreground = false
    if (job.number === 0) sh.jobs.add(job)
    else sh.jobs.touch(job)
    job.notified = true
    await sh.errorText(`\n${jobLines(job, sh.jobs.mark(job), 'short', sh.pwd, path => showDirectory(sh, path))}`)
    return exitStatus(job.processes.find(process => process.state === 'stopped')?.status)
  }
  const ended = job.last.status
  if (job.number > 0) sh.jobs.remove(job)
  if (ended?.kind === 'signaled') await tellForeground(sh, job, ended.signal)
  await notify(sh)
  if (ended?.kind === 'signaled' && ended.signal === Signal.SIGINT && sh.interactive) {
    if (sh.terminal !== undefined) await sh.errorText('\n')
    sh.traps.interrupted = false
    throw new DiscardJump(130)
  }
  return status
}

/** @returns a directory as messages show it, with ~ for the home directory */
export function showDirectory(sh: Shell, path: string): string {
  const home = sh.vars.get('HOME')
  return home !== undefined && home !== '' && home !== '/' && (path === home || path.startsWith(`${home}/`))
    ? `~${path.slice(home.length)}`
    : path
}

/** A command in the foreground was killed by a signal. */
async function tellForeground(sh: Shell, job: Job, signal: number): Promise<void> {
  if (sh.inSubstitution || sh.setup.posix === true) {
    if (sh.setup.posix === true && signal !== Signal.SIGINT && signal !== Signal.SIGPIPE)
      await sh.errorText(`${describeSignal(signal)}\n`)
    return
  }
  if (sh.interactive) {
    if (signal !== Signal.SIGINT && signal !== Signal.SIGPIPE) await sh.errorText(`${describeSignal(signal)}\n`)
    return
  }
  if (reported(sh, signal)) {
    await sh.errorText(sh.prefix + jobLines(job, ' ', 'message', sh.pwd, path => path))
  } else if (signal === Signal.SIGTERM) await sh.errorText(`${describeSignal(signal)}\n`)
}

/** @returns whether a shell without job control tells of a death by this signal */
function reported(sh: Shell, signal: number): boolean {
  return (
    signal !== Signal.SIGINT &&
    signal !== Signal.SIGTERM &&
    signal !== Signal.SIGPIPE &&
    sh.traps.get(signal) === undefined
  )
}

/** Tells of jobs that changed in the background, and forgets those that ended. */
export async function notify(sh: Shell): Promise<void> {
  for (const job of [...sh.jobs.jobs]) {
    if (job.notified || job.state === 'running') continue
    if (sh.options.on('monitor')) {
      if (job.state === 'done' && !job.foreground) {
        if (sh.interactive || job.last.status?.kind === 'signaled') await sh.errorText(lines(sh, job))
        sh.jobs.remove(job)
      } else if (job.state === 'stopped') await sh.errorText(lines(sh, job))
      job.notified = true
      continue
    }
    if (job.state !== 'done') continue
    const ended = job.last.status
    if (sh.interactive) {
      sh.jobs.remove(job)
      continue
    }
    // a job that ended in the ordinary way stays until somebody asks
    if (ended?.kind !== 'signaled') continue
    if (sh.inSubstitution) continue
    if (reported(sh, ended.signal)) {
      await sh.errorText(sh.prefix + jobLines(job, ' ', 'message', sh.pwd, path => path))
    }
    job.notified = true
    sh.jobs.remove(job)
  }
}

function lines(sh: Shell, job: Job): string {
  return jobLines(job, sh.jobs.mark(job), 'short', sh.pwd, path => showDirectory(sh, path))
}
