/** Job control and signals: jobs, fg, bg, kill, wait, disown, suspend. */
import { Errno, isSysError, strerror } from '../../uapi/errno.ts'
import { Signal, signalName, signalNumber } from '../../uapi/signal.ts'
import { exitStatus, type Job, jobLines } from '../jobs.ts'
import { toPlace } from '../parameter.ts'
import type { Shell } from '../shell.ts'
import { noteStatus, notify, reapJobs, showDirectory, waitAny, waitForeground } from '../waiting.ts'
import { fail, integer, options, usage } from './usage.ts'

/** SIGRTMIN and SIGRTMAX as programs see them. */
const RTMIN = 34
const RTMAX = 64

/** @returns the job that a word means; undefined after saying that there is none */
async function jobOf(sh: Shell, name: string, spec: string): Promise<Job | undefined> {
  const job = sh.jobs.find(spec)
  if (job === 'ambiguous') {
    await fail(sh, name, `${spec}: ambiguous job spec`)
    return undefined
  }
  if (job === undefined) await fail(sh, name, `${spec === '' ? 'current' : spec}: no such job`)
  return job
}

function show(sh: Shell, job: Job, style: 'short' | 'long'): string {
  return jobLines(job, sh.jobs.mark(job), style, sh.pwd, path => showDirectory(sh, path))
}

/** jobs [-lnprs] [jobspec …] or jobs -x command [args] */
export async function jobs(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'lpnxrs')
  if (found.has('x')) {
    const args = found.rest.map(word => {
      const job = word.startsWith('%') ? sh.jobs.find(word) : undefined
      return job === undefined || job === 'ambiguous' ? word : String(job.pgid ?? job.processes[0]!.pid)
    })
    return args.length === 0 ? 0 : sh.runWords(args)
  }
  await reapJobs(sh)
  let list = [...sh.jobs.jobs]
  let status = 0
  if (found.rest.length > 0) {
    list = []
    for (const spec of found.rest) {
      const job = await jobOf(sh, 'jobs', spec)
      if (job === undefined) status = 1
      else list.push(job)
    }
  }
  let text = ''
  for (const job of list) {
    if (found.has('r') && job.state !== 'running') continue
    if (found.has('s') && job.state !== 'stopped') continue
    if (found.has('n') && job.notified) continue
    text += found.has('p') ? `${job.pgid ?? job.processes[0]!.pid}\n` : show(sh, job, found.has('l') ? 'long' : 'short')
  }
  await sh.write(1, text)
  // what has ended has now been told
  for (const job of list) {
    job.notified = true
    if (job.state === 'done' && !found.has('p')) sh.jobs.remove(job)
  }
  return status
}

async function resume(sh: Shell, words: readonly string[], foreground: boolean): Promise<number> {
  const name = words[0]!
  if (!sh.options.on('monitor')) return fail(sh, name, 'no job control')
  const specs = words.slice(1).filter(word => word !== '--')
  let status = 0
  for (const spec of specs.length === 0 ? [''] : specs) {
    const job = await jobOf(sh, name, spec)
    if (job === undefined) {
      status = 1
      continue
    }
    if (job.state === 'done') {
      status = await fail(sh, name, 'job has terminated')
      continue
    }
    if (!foreground) {
      if (job.state === 'running') {
        await fail(sh, name, `job ${job.number} already in background`, 0)
        continue
      }
      await sh.write(1, `[${job.number}]${sh.jobs.mark(job)} ${job.text} &\n`)
    } else await sh.write(1, `${job.text}\n`)
    const stopped = job.state === 'stopped'
    for (const process of job.processes) if (process.state === 'stopped') process.state = 'running'
    job.notified = false
    if (foreground) {
      job.foreground = true
      sh.jobs.touch(job)
      if (sh.terminal !== undefined && job.pgid !== undefined) sh.proc.tcsetpgrp(sh.terminal, job.pgid)
      if (stopped) signalJob(sh, job, Signal.SIGCONT)
      return waitForeground(sh, job)
    }
    job.foreground = false
    signalJob(sh, job, Signal.SIGCONT)
    sh.lastBackgroundPid = job.last.pid
  }
  return status
}

/** fg [job_spec] */
export function fg(sh: Shell, words: readonly string[]): Promise<number> {
  return resume(sh, words, true)
}

/** bg [job_spec …] */
export function bg(sh: Shell, words: readonly string[]): Promise<number> {
  return resume(sh, words, false)
}

/** Signals a job: its group, or without job control each of its processes. @throws SysError */
function signalJob(sh: Shell, job: Job, signal: number): void {
  for (const process of job.processes) sh.jobs.killed.set(process.pid, sh.proc.monotonic())
  if (job.pgid !== undefined) {
    sh.proc.kill(-job.pgid, signal)
    return
  }
  const running = job.processes.filter(process => process.state !== 'done')
  for (const process of running) {
    try {
      sh.proc.kill(process.pid, signal)
    } catch (error) {
      if (!isSysError(error, Errno.ESRCH) || running.length === 1) throw error
    }
  }
}

/** @returns a signal's number by number, name, or RTMIN+n; undefined for none */
function signalOf(word: string): number | undefined {
  const name = word.toUpperCase().replace(/^SIG/, '')
  if (name === 'EXIT' || word === '0') return 0
  const real = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name)
  if (real !== null) {
    const offset = real[3] === undefined ? 0 : Number(real[3]) * (real[2] === '-' ? -1 : 1)
    const number = (real[1] === 'MIN' ? RTMIN : RTMAX) + offset
    return number >= RTMIN && number <= RTMAX ? number : undefined
  }
  return signalNumber(word)
}

/** @returns a signal's name without SIG */
function nameOf(signal: number): string | undefined {
  if (signal === 0) return 'EXIT'
  const name = signalName(signal)
  if (name !== undefined) return name
  if (signal < RTMIN || signal > RTMAX) return undefined
  if (signal < 50) return signal === RTMIN ? 'RTMIN' : `RTMIN+${signal - RTMIN}`
  return signal === RTMAX ? 'RTMAX' : `RTMAX-${RTMAX - signal}`
}

/** The table of all signals, five a line. */
export function signalTable(): string {
  let text = ''
  let column = 0
  for (let signal = 1; signal <= RTMAX; signal++) {
    const name = nameOf(signal)
    if (name === undefined) continue
    text += `${String(signal).padStart(2)}) SIG${name}`
    column++
    if (column % 5 === 0) text += '\n'
    else text += '\t'
  }
  return text.endsWith('\n') ? text : `${text}\n`
}

/** kill [-s sigspec | -n signum | -sigspec] pid | jobspec … or kill -l [sigspec] */
export async function kill(sh: Shell, words: readonly string[]): Promise<number> {
  let signal = Signal.SIGTERM as number
  let i = 1
  const bad = (word: string): Promise<number> => fail(sh, 'kill', `${word}: invalid signal specification`)
  if (i >= words.length) return usage(sh, 'kill')
  for (; i < words.length; i++) {
    const word = words[i]!
    if (word === '-l' || word === '-L') return list(sh, words.slice(i + 1))
    if (word === '-s' || word === '-n') {
      const value = words[++i]
      if (value === undefined) {
        await fail(sh, 'kill', `${word}: option requires an argument`)
        return 1
      }
      const number = signalOf(value)
      if (number === undefined) return bad(value)
      signal = number
      continue
    }
    if (word === '--') {
      i++
      break
    }
    if (word.length > 1 && word.startsWith('-')) {
      const text = /^-[sn]./.test(word) && signalOf(word.slice(1)) === undefined ? word.slice(2) : word.slice(1)
      const number = signalOf(text)
      if (number === undefined) return bad(text)
      signal = number
      i++
      if (words[i] === '--') i++
    }
    break
  }
  const targets = words.slice(i)
  if (targets.length === 0) return usage(sh, 'kill')
  let succeeded = 0
  for (const target of targets) {
    if (target.startsWith('%')) {
      const job = await jobOf(sh, 'kill', target)
      if (job === undefined) continue
      try {
        signalJob(sh, job, signal)
        if (job.state === 'stopped' && (signal === Signal.SIGTERM || signal === Signal.SIGHUP))
          signalJob(sh, job, Signal.SIGCONT)
        succeeded++
      } catch (error) {
        if (!isSysError(error)) throw error
        await fail(sh, 'kill', `(${job.processes[0]!.pid}) - ${strerror(error.errno)}`)
      }
      continue
    }
    const pid = /^-?\d+$/.test(target) ? Number(target) : undefined
    if (pid === undefined) {
      await fail(
        sh,
        'kill',
        target === '' ? "`': not a pid or valid job spec" : `${target}: arguments must be process or job IDs`,
      )
      continue
    }
    try {
      sh.proc.kill(pid, signal)
      sh.jobs.killed.set(pid, sh.proc.monotonic())
      succeeded++
    } catch (error) {
      if (!isSysError(error)) throw error
      await fail(sh, 'kill', `(${target}) - ${strerror(error.errno)}`)
    }
  }
  if (sh.traps.waiting) await sh.traps.runPending(sh)
  return succeeded === targets.length ? 0 : 1
}

async function list(sh: Shell, words: readonly string[]): Promise<number> {
  if (words.length === 0) {
    await sh.write(1, signalTable())
    return 0
  }
  let status = 0
  for (const word of words) {
    const number = integer(word)
    if (number !== undefined) {
      const name = nameOf(number > 128 ? number - 128 : number)
      if (name === undefined) status = await fail(sh, 'kill', `${word}: invalid signal specification`)
      else await sh.write(1, `${name}\n`)
    } else {
      const signal = signalOf(word)
      if (signal === undefined) status = await fail(sh, 'kill', `${word}: invalid signal specification`)
      else await sh.write(1, `${signal}\n`)
    }
  }
  return status
}

/** Status of wait for what is no child. */
const NO_CHILD = 127

/** wait [-fn] [-p var] [id …] */
export async function wait(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'fnp:')
  const variable = found.value('p')
  if (variable !== undefined) {
    const place = await toPlace(sh, variable)
    if (place === undefined) return fail(sh, 'wait', `\`${variable}': not a valid identifier`)
    sh.vars.unset(place)
  }
  const tell = (pid: number): void => {
    if (variable !== undefined) sh.vars.set(variable, String(pid))
  }
  const { rest } = found
  if (found.has('n')) return waitNext(sh, rest, tell)
  if (rest.length === 0) {
    const status = await waitAll(sh)
    await notify(sh)
    return status
  }
  let status = 0
  for (const id of rest) {
    const result = await waitOne(sh, id, tell)
    status = result.status
    if (result.interrupted) return status
  }
  await notify(sh)
  return status
}

/** @returns the status that a trapped signal gives to wait */
async function interrupted(sh: Shell): Promise<number> {
  const signal = sh.traps.pendingSignal ?? Signal.SIGINT
  await sh.traps.runPending(sh)
  return 128 + signal
}

async function waitAll(sh: Shell): Promise<number> {
  for (;;) {
    if (!sh.jobs.jobs.some(job => job.state === 'running')) break
    const result = await waitAny(sh)
    if (result === 'signal' || sh.traps.waiting) {
      if (sh.traps.pendingSignal === Signal.SIGCHLD) {
        await sh.traps.runPending(sh)
        continue
      }
      if (sh.traps.waiting || sh.traps.interrupted) return interrupted(sh)
    }
    if (result === false) {
      for (const job of sh.jobs.jobs)
        for (const process of job.processes) if (process.state === 'running') process.state = 'done'
      break
    }
  }
  await notify(sh)
  for (const job of [...sh.jobs.jobs]) if (job.state === 'done') sh.jobs.remove(job)
  sh.jobs.statuses.clear()
  return 0
}

async function waitOne(
  sh: Shell,
  id: string,
  tell: (pid: number) => void,
): Promise<{ status: number; interrupted: boolean }> {
  let job: Job | undefined
  let pid: number | undefined
  if (id.startsWith('%')) {
    const found = sh.jobs.find(id)
    if (found === undefined || found === 'ambiguous') {
      await fail(sh, 'wait', found === 'ambiguous' ? `${id}: ambiguous job spec` : `${id}: no such job`)
      return { status: NO_CHILD, interrupted: false }
    }
    job = found
    pid = job.last.pid
  } else if (/^\d+$/.test(id)) {
    pid = Number(id)
    job = sh.jobs.byPid(pid)
  } else {
    await fail(sh, 'wait', `\`${id}': not a pid or valid job spec`)
    return { status: 1, interrupted: false }
  }
  if (job === undefined) {
    const known = sh.jobs.statuses.get(pid)
    if (known !== undefined) {
      tell(pid)
      return { status: known, interrupted: false }
    }
    if (!(await isChild(sh, pid))) {
      await fail(sh, 'wait', `pid ${pid} is not a child of this shell`)
      return { status: NO_CHILD, interrupted: false }
    }
  }
  const process = job?.processes.find(each => each.pid === pid)
  for (;;) {
    if (process !== undefined ? process.state !== 'running' : sh.jobs.statuses.has(pid)) break
    const result = await waitAny(sh)
    if (result === 'signal' || sh.traps.waiting) {
      if (sh.traps.pendingSignal === Signal.SIGCHLD) await sh.traps.runPending(sh)
      else if (sh.traps.waiting || sh.traps.interrupted) return { status: await interrupted(sh), interrupted: true }
    }
    if (result === false) break
  }
  tell(pid)
  const status = process === undefined ? (sh.jobs.statuses.get(pid) ?? NO_CHILD) : exitStatus(process.status)
  if (job !== undefined && job.state === 'done') {
    await notify(sh)
    sh.jobs.remove(job)
  }
  return { status, interrupted: false }
}

async function isChild(sh: Shell, pid: number): Promise<boolean> {
  try {
    const status = await sh.proc.waitpid(pid, { nohang: true })
    if (status !== undefined) noteStatus(sh, status)
    return true
  } catch (error) {
    if (isSysError(error, Errno.ECHILD)) return false
    throw error
  }
}

/** wait -n: for whichever job ends next. */
async function waitNext(sh: Shell, ids: readonly string[], tell: (pid: number) => void): Promise<number> {
  const candidates = (): Job[] => {
    if (ids.length === 0) return sh.jobs.jobs
    return ids.flatMap(id => {
      const job = id.startsWith('%') ? sh.jobs.find(id) : sh.jobs.byPid(Number(id))
      return job === undefined || job === 'ambiguous' ? [] : [job]
    })
  }
  for (;;) {
    const jobs = candidates()
    const done = jobs.find(job => job.state === 'done')
    if (done !== undefined) {
      tell(done.last.pid)
      const { status } = done
      await notify(sh)
      sh.jobs.remove(done)
      return status
    }
    for (const id of ids) {
      const known = sh.jobs.statuses.get(Number(id))
      if (known !== undefined) {
        sh.jobs.statuses.delete(Number(id))
        tell(Number(id))
        return known
      }
    }
    if (!jobs.some(job => job.state === 'running')) return NO_CHILD
    const result = await waitAny(sh)
    if (result === 'signal' || sh.traps.waiting) {
      if (sh.traps.pendingSignal === Signal.SIGCHLD) await sh.traps.runPending(sh)
      else if (sh.traps.waiting || sh.traps.interrupted) return interrupted(sh)
    }
    if (result === false) return NO_CHILD
  }
}

/** disown [-h] [-ar] [jobspec … | pid …] */
export async function disown(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'har')
  let list: Job[] = []
  let status = 0
  if (found.rest.length > 0) {
    for (const spec of found.rest) {
      const job = /^\d+$/.test(spec) ? sh.jobs.byPid(Number(spec)) : sh.jobs.find(spec)
      if (job === undefined || job === 'ambiguous') status = await fail(sh, 'disown', `${spec}: no such job`)
      else list.push(job)
    }
  } else if (found.has('a') || found.has('r'))
    list = sh.jobs.jobs.filter(job => !found.has('r') || job.state === 'running')
  else if (sh.jobs.current !== undefined) list = [sh.jobs.current]
  else return fail(sh, 'disown', 'current: no such job')
  for (const job of list) {
    if (found.has('h')) job.nohup = true
    else sh.jobs.remove(job)
  }
  return status
}

/** suspend [-f] */
export async function suspend(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'f')
  if (!sh.options.on('monitor')) return fail(sh, 'suspend', 'cannot suspend: no job control')
  if (sh.options.has('login_shell') && !found.has('f')) return fail(sh, 'suspend', 'cannot suspend a login shell')
  sh.proc.kill(sh.proc.pid, Signal.SIGSTOP)
  return 0
}
