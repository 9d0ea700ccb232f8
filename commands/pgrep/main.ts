/** pgrep(1), and pkill(1) where it is called so. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Signal } from '../../src/uapi/signal.ts'
import { groupId, userId } from '../lib/accounts.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import {
  allProcesses,
  PROCPS_VERSION,
  type ProcInfo,
  procpsSignalNumber,
  TICKS_PER_SECOND,
  ttyName,
} from '../lib/procps.ts'
import { help } from './help.ts'

const MATCH_OPTIONS: readonly Option[] = [
  { key: 'help', short: 'h', long: 'help' },
  { key: 'version', short: 'V', long: 'version' },
  { key: 'count', short: 'c', long: 'count' },
  { key: 'full', short: 'f', long: 'full' },
  { key: 'pgroup', short: 'g', long: 'pgroup', arg: 'required' },
  { key: 'group', short: 'G', long: 'group', arg: 'required' },
  { key: 'ignoreCase', short: 'i', long: 'ignore-case' },
  { key: 'newest', short: 'n', long: 'newest' },
  { key: 'oldest', short: 'o', long: 'oldest' },
  { key: 'older', short: 'O', long: 'older', arg: 'required' },
  { key: 'parent', short: 'P', long: 'parent', arg: 'required' },
  { key: 'session', short: 's', long: 'session', arg: 'required' },
  { key: 'terminal', short: 't', long: 'terminal', arg: 'required' },
  { key: 'user', short: 'u', long: 'euid', arg: 'required' },
  { key: 'user', short: 'U', long: 'uid', arg: 'required' },
  { key: 'exact', short: 'x', long: 'exact' },
  { key: 'pidfile', short: 'F', long: 'pidfile', arg: 'required' },
  { key: 'logpidfile', short: 'L', long: 'logpidfile' },
  { key: 'states', short: 'r', long: 'runstates', arg: 'required' },
  { key: 'noAncestors', short: 'A', long: 'ignore-ancestors' },
  { key: 'ns', long: 'ns', arg: 'required' },
  { key: 'nslist', long: 'nslist', arg: 'required' },
]
const PGREP_OPTIONS: readonly Option[] = [
  ...MATCH_OPTIONS,
  { key: 'delimiter', short: 'd', long: 'delimiter', arg: 'required' },
  { key: 'listName', short: 'l', long: 'list-name' },
  { key: 'listFull', short: 'a', long: 'list-full' },
  { key: 'inverse', short: 'v', long: 'inverse' },
  { key: 'lightweight', short: 'w', long: 'lightweight' },
]
const PKILL_OPTIONS: readonly Option[] = [
  ...MATCH_OPTIONS,
  { key: 'signal', long: 'signal', arg: 'required' },
  { key: 'queue', short: 'q', long: 'queue', arg: 'required' },
  { key: 'echo', short: 'e', long: 'echo' },
]

const EXIT_USAGE = 2
const EXIT_FATAL = 3
/** A name in /proc/PID/stat is cut to this many characters. */
const COMM_MAX = 15

/** A wrong command line. */
class Misuse extends Error {}

/** What the command line asks for. */
interface Request {
  flags: Set<string>
  /** every one must accept a process */
  criteria: ((info: ProcInfo) => boolean)[]
  delimiter: string
  signal: number
  pattern: string | undefined
}

function numbers(text: string, own: number): number[] {
  return text.split(',').map(word => {
    if (!/^\d+$/.test(word)) throw new Misuse(`not a number: ${word}`)
    return Number(word) === 0 ? own : Number(word)
  })
}

/** Numbers or names, by a table of names. */
function ids(text: string, look: (name: string) => number | undefined, what: string): number[] {
  return text.split(',').map(word => {
    const id = /^\d+$/.test(word) ? Number(word) : look(word)
    if (id === undefined) throw new Misuse(`invalid ${what} name: ${word}`)
    return id
  })
}

/** The criterion of an option; undefined for options that are none. */
function criterion(proc: Process, key: string, value: string): ((info: ProcInfo) => boolean) | undefined {
  switch (key) {
    case 'pgroup': {
      const wanted = numbers(value, proc.pgid)
      return info => wanted.includes(info.pgid)
    }
    case 'session': {
      const wanted = numbers(value, proc.pgid)
      return info => wanted.includes(info.sid)
    }
    case 'parent': {
      const wanted = numbers(value, 0)
      return info => wanted.includes(info.ppid)
    }
    case 'user': {
      const wanted = ids(value, name => userId(proc, name), 'user')
      return info => wanted.includes(info.uid)
    }
    case 'group': {
      const wanted = ids(value, name => groupId(proc, name), 'group')
      return info => wanted.includes(info.gid)
    }
    case 'terminal': {
      const wanted = value.split(',')
      return info => wanted.includes(ttyName(info.ttyNr) ?? '-')
    }
    case 'states':
      return info => value.includes(info.state)
    case 'older': {
      const oldest = proc.monotonic() / (1e9 / TICKS_PER_SECOND) - Number(value) * TICKS_PER_SECOND
      return info => info.startTime < oldest
    }
    case 'pidfile': {
      let pid: number
      try {
        pid = Number.parseInt(new TextDecoder().decode(proc.readFile(value)), 10)
      } catch (error) {
        if (!isSysError(error)) throw error
        throw new Misuse('pidfile not valid')
      }
      if (Number.isNaN(pid)) throw new Misuse('pidfile not valid')
      return info => info.pid === pid
    }
    case 'ns': {
      const link = (pid: number): string | undefined => {
        try {
          return proc.readlink(`/proc/${pid}/ns/net`)
        } catch (error) {
          if (isSysError(error)) return undefined
          throw error
        }
      }
      const wanted = link(Number(value))
      return info => link(info.pid) === wanted
    }
  }
  return undefined
}

/** Takes a `-SIGNAL` out of pkill's words. */
function takeSignal(words: string[]): number | undefined {
  for (let i = 1; i < words.length; i++) {
    const word = words[i]!
    if (!/^-[^-]/.test(word)) continue
    const number = procpsSignalNumber(word.slice(1))
    if (number === undefined) continue
    words.splice(i, 1)
    return number
  }
  return undefined
}

function parse(proc: Process, kills: boolean): Request | number {
  const words = [...proc.argv]
  const name = words[0] ?? ''
  const request: Request = {
    flags: new Set(),
    criteria: [],
    delimiter: '\n',
    signal: (kills ? takeSignal(words) : undefined) ?? Signal.SIGTERM,
    pattern: undefined,
  }
  const opts = new Getopt(words, kills ? PKILL_OPTIONS : PGREP_OPTIONS)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) {
      proc.stderr.write(`${found.error}\n${help(name, kills)}`)
      return EXIT_USAGE
    }
    const { key, value } = found
    if (key === 'help' || key === 'version') {
      proc.stdout.write(key === 'help' ? help(name, kills) : `${kills ? 'pkill' : 'pgrep'} from ${PROCPS_VERSION}\n`)
      return 0
    }
    request.flags.add(key)
    const accept = value === undefined ? undefined : criterion(proc, key, value)
    if (accept !== undefined) request.criteria.push(accept)
    else if (key === 'delimiter') request.delimiter = value!
    else if (key === 'signal') {
      const number = procpsSignalNumber(value!)
      if (number === undefined) throw new Misuse(`unknown signal: ${value}`)
      request.signal = number
    }
  }
  const { operands } = opts
  if (operands.length > 1) throw new Misuse('only one pattern can be provided')
  request.pattern = operands[0]
  if (request.pattern === undefined && request.criteria.length === 0) throw new Misuse('no matching criteria specified')
  return request
}

/** @returns the processes that match, by pid */
function match(proc: Process, request: Request): ProcInfo[] {
  const { flags, pattern } = request
  let expression: RegExp | undefined
  if (pattern !== undefined)
    try {
      expression = new RegExp(flags.has('exact') ? `^(?:${pattern})$` : pattern, flags.has('ignoreCase') ? 'i' : '')
    } catch {
      throw new Misuse(`Unmatched or invalid pattern: ${pattern}`)
    }
  if (pattern !== undefined && pattern.length > COMM_MAX && !flags.has('full'))
    proc.stderr.write(
      `${proc.argv[0]}: pattern that searches for process name longer than ${COMM_MAX} characters will result in zero matches\nTry \`${proc.argv[0]} -f' option to match against the complete command line.\n`,
    )
  const ancestors = new Set<number>()
  const everything = allProcesses(proc)
  if (flags.has('noAncestors'))
    for (let pid = proc.ppid; pid > 0; pid = everything.find(info => info.pid === pid)?.ppid ?? 0) ancestors.add(pid)
  const name = (info: ProcInfo): string => (flags.has('full') && info.args.length > 0 ? info.args.join(' ') : info.comm)
  let found = everything.filter(
    info =>
      info.pid !== proc.pid &&
      !ancestors.has(info.pid) &&
      (request.criteria.every(accept => accept(info)) && expression?.test(name(info)) !== false) !==
        flags.has('inverse'),
  )
  const last = (a: ProcInfo, b: ProcInfo): ProcInfo => (b.startTime >= a.startTime ? b : a)
  const first = (a: ProcInfo, b: ProcInfo): ProcInfo => (b.startTime < a.startTime ? b : a)
  if (found.length > 0 && flags.has('newest')) found = [found.reduce(last)]
  if (found.length > 0 && flags.has('oldest')) found = [found.reduce(first)]
  return found
}

/** pkill: signals the processes. @returns the status */
function signalAll(proc: Process, found: readonly ProcInfo[], request: Request): number {
  let done = 0
  for (const info of found)
    try {
      proc.kill(info.pid, request.signal)
      done++
      if (request.flags.has('echo')) proc.stdout.write(`${info.comm} killed (pid ${info.pid})\n`)
    } catch (error) {
      if (!isSysError(error)) throw error
      proc.stderr.write(`${proc.argv[0]}: killing pid ${info.pid} failed: ${strerror(error.errno)}\n`)
    }
  if (request.flags.has('count')) proc.stdout.write(`${found.length}\n`)
  return done > 0 ? 0 : 1
}

/** pgrep: lists them. @returns the status */
function list(proc: Process, found: readonly ProcInfo[], request: Request): number {
  const { flags } = request
  if (flags.has('count')) proc.stdout.write(`${found.length}\n`)
  else if (found.length > 0) {
    const lines = found.map(info => {
      if (flags.has('listFull')) return `${info.pid} ${info.args.length > 0 ? info.args.join(' ') : info.comm}`
      return flags.has('listName') ? `${info.pid} ${info.comm}` : String(info.pid)
    })
    proc.stdout.write(`${lines.join(request.delimiter)}\n`)
  }
  return found.length > 0 ? 0 : 1
}

export const main: Program = proc => {
  const name = proc.argv[0] ?? ''
  const kills = name.replace(/^.*\//, '') === 'pkill'
  try {
    const request = parse(proc, kills)
    if (typeof request === 'number') return request
    const found = match(proc, request)
    return kills ? signalAll(proc, found, request) : list(proc, found, request)
  } catch (error) {
    if (!(error instanceof Misuse)) throw error
    proc.stderr.write(`${name}: ${error.message}\n`)
    if (error.message.startsWith('Unmatched')) return EXIT_FATAL
    proc.stderr.write(`Try \`${name} --help' for more information.\n`)
    return error.message === 'pidfile not valid' ? 1 : EXIT_USAGE
  }
}
