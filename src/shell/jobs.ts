/** Jobs: what the shell has started and may still wait for, and what it says about them. */
import type { WaitStatus } from '../uapi/process.ts'
import { Signal } from '../uapi/signal.ts'

/** One process of a job. */
export interface JobProcess {
  readonly pid: number
  /** its command, as jobs shows it */
  readonly text: string
  state: 'running' | 'stopped' | 'done'
  /** how it ended or with what it was stopped */
  status: WaitStatus | undefined
}

/** A pipeline or other command that was started. */
export class Job {
  readonly processes: JobProcess[]
  readonly text: string
  /** process group, where job control made one */
  readonly pgid: number | undefined
  foreground: boolean
  /** %N; 0 for one that was never in the background */
  number = 0
  /** its present state has been told */
  notified = false
  /** working directory at its start, shown where it is another one now */
  readonly cwd: string
  /** not to be killed or waited for at the end: disown -h */
  nohup = false

  constructor(processes: JobProcess[], text: string, pgid: number | undefined, foreground: boolean, cwd: string) {
    this.processes = processes
    this.text = text
    this.pgid = pgid
    this.foreground = foreground
    this.cwd = cwd
  }

  get state(): 'running' | 'stopped' | 'done' {
    if (this.processes.some(process => process.state === 'running')) return 'running'
    if (this.processes.some(process => process.state === 'stopped')) return 'stopped'
    return 'done'
  }

  get last(): JobProcess {
    return this.processes[this.processes.length - 1]!
  }

  /** exit status: that of the last process */
  get status(): number {
    return exitStatus(this.last.status)
  }
}

/** @returns the $? of a way to end */
export function exitStatus(status: WaitStatus | undefined): number {
  if (status === undefined) return 0
  switch (status.kind) {
    case 'exited':
      return status.status
    case 'signaled':
    case 'stopped':
      return 128 + status.signal
    case 'continued':
      return 0
  }
}

/** Texts of signals, as strsignal(3) has them. */
const DESCRIPTIONS: Readonly<Record<number, string>> = {
  1: 'Hangup',
  2: 'Interrupt',
  3: 'Quit',
  4: 'Illegal instruction',
  5: 'Trace/breakpoint trap',
  6: 'Aborted',
  7: 'Bus error',
  8: 'Floating point exception',
  9: 'Killed',
  10: 'User defined signal 1',
  11: 'Segmentation fault',
  12: 'User defined signal 2',
  13: 'Broken pipe',
  14: 'Alarm clock',
  15: 'Terminated',
  16: 'Stack fault',
  17: 'Child exited',
  18: 'Continued',
  19: 'Stopped (signal)',
  20: 'Stopped',
  21: 'Stopped (tty input)',
  22: 'Stopped (tty output)',
  23: 'Urgent I/O condition',
  24: 'CPU time limit exceeded',
  25: 'File size limit exceeded',
  26: 'Virtual timer expired',
  27: 'Profiling timer expired',
  28: 'Window changed',
  29: 'I/O possible',
  30: 'Power failure',
  31: 'Bad system call',
}

/** @returns a signal's text */
export function describeSignal(signal: number): string {
  return DESCRIPTIONS[signal] ?? (signal >= 34 ? `Real-time signal ${signal - 34}` : `Unknown signal ${signal}`)
}

/** Jobs of one shell. */
export class JobTable {
  readonly jobs: Job[] = []
  /** numbers of the current and the previous job, %+ and %- */
  private recent: Job[] = []
  /** when the shell sent a signal to a process, ns since boot */
  readonly killed = new Map<number, number>()
  /** statuses of ended background processes that wait may still ask for */
  readonly statuses = new Map<number, number>()

  /** @returns the table of a forked shell: it can list the jobs, but not wait for them */
  fork(): JobTable {
    const copy = new JobTable()
    for (const job of this.jobs) {
      const same = new Job(
        job.processes.map(process => ({ ...process })),
        job.text,
        job.pgid,
        job.foreground,
        job.cwd,
      )
      same.number = job.number
      same.notified = job.notified
      copy.jobs.push(same)
    }
    copy.recent = this.recent.flatMap(job => copy.jobs.find(same => same.number === job.number) ?? [])
    return copy
  }

  /** Adds a job to the numbered ones. */
  add(job: Job): void {
    job.number = Math.max(0, ...this.jobs.map(each => each.number)) + 1
    this.jobs.push(job)
    this.recent = [job, ...this.recent.filter(each => each !== job)]
  }

  remove(job: Job): void {
    const i = this.jobs.indexOf(job)
    if (i >= 0) this.jobs.splice(i, 1)
    this.recent = this.recent.filter(each => each !== job)
  }

  /** Makes a job the current one: it was stopped or resumed. */
  touch(job: Job): void {
    this.recent = [job, ...this.recent.filter(each => each !== job)]
  }

  /** stopped jobs come first, else the newest */
  private ranked(): Job[] {
    const stopped = this.recent.filter(job => job.state === 'stopped')
    const running = this.recent.filter(job => job.state === 'running')
    const done = this.recent.filter(job => job.state === 'done')
    return [...stopped, ...running, ...done]
  }

  get current(): Job | undefined {
    return this.ranked()[0]
  }

  get previous(): Job | undefined {
    return this.ranked()[1]
  }

  /** @returns the mark of a job in listings */
  mark(job: Job): string {
    return job === this.current ? '+' : job === this.previous ? '-' : ' '
  }

  byPid(pid: number): Job | undefined {
    return this.jobs.find(job => job.processes.some(process => process.pid === pid))
  }

  /** @returns the job that %spec means; 'ambiguous' where several do */
  find(spec: string): Job | undefined | 'ambiguous' {
    const text = spec.startsWith('%') ? spec.slice(1) : spec
    if (text === '' || text === '%' || text === '+') return this.current
    if (text === '-') return this.previous ?? this.current
    if (/^\d+$/.test(text)) return this.jobs.find(job => job.number === Number(text))
    const found = text.startsWith('?')
      ? this.jobs.filter(job => job.text.includes(text.slice(1)))
      : this.jobs.filter(job => job.text.startsWith(text))
    return found.length > 1 ? 'ambiguous' : found[0]
  }
}

/** @returns the state of a process in a listing */
function stateText(process: JobProcess): string {
  const { status } = process
  if (process.state === 'running') return 'Running'
  if (process.state === 'stopped') {
    const signal = status?.kind === 'stopped' ? status.signal : Signal.SIGTSTP
    return signal === Signal.SIGTSTP ? 'Stopped' : describeSignal(signal)
  }
  if (status?.kind === 'signaled') return describeSignal(status.signal)
  const code = exitStatus(status)
  return code === 0 ? 'Done' : `Exit ${code}`
}

/** Column of the command in a listing. */
const STATE_WIDTH = 24

/**
 * @returns a job's lines in a listing, each with its newline
 * @param style `short`: the state of the job; `long`: all processes with their ids; `pid`: for messages of a shell
 *   without job control, one process a line
 * @param cwd the shell's directory now  @param show how a directory is shown
 */
export function jobLines(
  job: Job,
  mark: string,
  style: 'short' | 'long' | 'message',
  cwd: string,
  show: (path: string) => string,
): string {
  const head = style === 'message' ? '' : `[${job.number}]${mark} `
  const away = cwd === job.cwd ? '' : `  (wd: ${show(job.cwd)})`
  const suffix = job.state === 'running' ? ' &' : ''
  if (style === 'short') {
    return `${head} ${jobState(job).padEnd(STATE_WIDTH)}${job.text}${suffix}${away}\n`
  }
  let out = ''
  job.processes.forEach((process, i) => {
    const pid = style === 'message' ? String(process.pid).padStart(i === 0 ? 1 : 5) : String(process.pid).padStart(5)
    const lead = i === 0 ? head : style === 'message' ? '     ' : ' '.repeat(5)
    const bar = i === 0 ? '' : '| '
    const end = i === job.processes.length - 1 ? suffix + (style === 'message' ? '' : away) : ''
    const repeated = i > 0 && style === 'long' && stateText(process) === stateText(job.processes[i - 1]!)
    const state = repeated ? '' : stateText(process)
    out += `${lead}${pid} ${state.padEnd(STATE_WIDTH)}${bar}${process.text}${end}\n`
  })
  return out
}

function jobState(job: Job): string {
  const state = job.state
  if (state === 'running') return 'Running'
  if (state === 'stopped') return stateText(job.processes.find(process => process.state === 'stopped')!)
  return stateText(job.last)
}
