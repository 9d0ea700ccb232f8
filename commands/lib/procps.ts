/** What the procps tools have in common: processes as /proc shows them, signal names. */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'
import { Signal, signalName } from '../../src/uapi/signal.ts'

/** The package's version, as its tools print it. */
export const PROCPS_VERSION = 'procps-ng 4.0.2'
/** Clock ticks per second of /proc/PID/stat. */
export const TICKS_PER_SECOND = 100

/** A process as /proc/PID/stat, status and cmdline show it. Times are in clock ticks. */
export interface ProcInfo {
  readonly pid: number
  readonly comm: string
  readonly state: string
  readonly ppid: number
  readonly pgid: number
  readonly sid: number
  /** device number of the terminal, 0 for none */
  readonly ttyNr: number
  readonly tpgid: number
  readonly flags: number
  readonly minFlt: number
  readonly majFlt: number
  readonly utime: number
  readonly stime: number
  readonly cutime: number
  readonly cstime: number
  readonly priority: number
  readonly nice: number
  readonly threads: number
  readonly startTime: number
  /** bytes */
  readonly vsize: number
  /** pages of 4 KiB */
  readonly rss: number
  readonly uid: number
  readonly gid: number
  readonly signals: {
    readonly pending: string
    readonly blocked: string
    readonly ignored: string
    readonly caught: string
  }
  /** the command line; none for the kernel's threads and zombies */
  readonly args: readonly string[]
}

/** @returns a file's text, or undefined where the process has gone meanwhile */
export function readProc(proc: Process, path: string): string | undefined {
  try {
    return new TextDecoder().decode(proc.readFile(path))
  } catch (error) {
    if (isSysError(error)) return undefined
    throw error
  }
}

/** @returns what is known of a process, or undefined where there is none */
export function readProcess(proc: Process, pid: number): ProcInfo | undefined {
  const stat = readProc(proc, `/proc/${pid}/stat`)
  const status = readProc(proc, `/proc/${pid}/status`)
  if (stat === undefined || status === undefined) return undefined
  const open = stat.indexOf('(')
  const close = stat.lastIndexOf(')')
  const fields = stat.slice(close + 2).split(' ')
  // fields are numbered as in proc_pid_stat(5); the state is the third
  const number = (n: number): number => Number(fields[n - 3])
  const line = (name: string): string[] => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.split('\t') ?? []
  const cmdline = readProc(proc, `/proc/${pid}/cmdline`) ?? ''
  return {
    pid,
    comm: stat.slice(open + 1, close),
    state: fields[0] ?? '?',
    ppid: number(4),
    pgid: number(5),
    sid: number(6),
    ttyNr: number(7),
    tpgid: number(8),
    flags: number(9),
    minFlt: number(10),
    majFlt: number(12),
    utime: number(14),
    stime: number(15),
    cutime: number(16),
    cstime: number(17),
    priority: number(18),
    nice: number(19),
    threads: number(20),
    startTime: number(22),
    vsize: number(23),
    rss: number(24),
    uid: Number(line('Uid')[1]),
    gid: Number(line('Gid')[1]),
    signals: {
      pending: line('ShdPnd')[0] ?? '',
      blocked: line('SigBlk')[0] ?? '',
      ignored: line('SigIgn')[0] ?? '',
      caught: line('SigCgt')[0] ?? '',
    },
    args: cmdline === '' ? [] : cmdline.replace(/\0$/, '').split('\0'),
  }
}

/** @returns every process, by pid */
export function allProcesses(proc: Process): ProcInfo[] {
  return proc
    .readdir('/proc')
    .filter(entry => /^\d+$/.test(entry.name))
    .map(entry => Number(entry.name))
    .sort((a, b) => a - b)
    .map(pid => readProcess(proc, pid))
    .filter(info => info !== undefined)
}

/** @returns the terminal's name below /dev, or undefined for none */
export function ttyName(ttyNr: number): string | undefined {
  if (ttyNr === 0) return undefined
  const major = ttyNr >> 8
  const minor = ttyNr & 0xff
  if (major === 136) return `pts/${minor}`
  return major === 4 ? (minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`) : '?'
}

/** @returns the name procps has for a signal; it calls number 29 POLL */
export function procpsSignalName(number: number): string | undefined {
  return number === Signal.SIGIO ? 'POLL' : signalName(number)
}

const RTMIN = 34

/** @returns a signal's number by name (with or without SIG, also RTMIN+n and some old names) or number; undefined else */
export function procpsSignalNumber(word: string): number | undefined {
  if (/^\d+$/.test(word)) return Number(word) < 65 ? Number(word) : undefined
  const name = word.toUpperCase().replace(/^SIG/, '')
  if (name === 'POLL') return Signal.SIGIO
  if (name === 'CLD') return Signal.SIGCHLD
  if (name === 'IOT') return Signal.SIGABRT
  if (name === 'EXIT' || name === 'NULL') return 0
  const realTime = /^RTMIN(?:\+(\d+))?$/.exec(name)
  if (realTime !== null) return RTMIN + Number(realTime[1] ?? 0)
  return Signal[`SIG${name}` as keyof typeof Signal]
}
