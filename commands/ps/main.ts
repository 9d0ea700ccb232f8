/** ps(1) of procps */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { lookupGroup, lookupUser } from '../lib/accounts.ts'
import { allProcesses, PROCPS_VERSION, type ProcInfo, readProc, readProcess, ttyName } from '../lib/procps.ts'
import { bracketed, COLUMNS, type Context } from './columns.ts'
import { chooseFields } from './formats.ts'
import { help, USAGE } from './help.ts'
import { PsError, type PsOptions, parseOptions } from './options.ts'
import { formatTable } from './print.ts'
import { arrange } from './tree.ts'

/** Columns of output that is no terminal. */
const UNLIMITED = 131_072

/** @returns whether a process is to be shown */
function selector(options: PsOptions, self: ProcInfo): (info: ProcInfo) => boolean {
  const { selectors } = options
  const leader = (info: ProcInfo): boolean => info.pid === info.sid
  let accept: (info: ProcInfo) => boolean
  if (options.all) accept = () => true
  else if (selectors.length > 0 || options.simple !== undefined || options.thisTty) {
    const simple = options.simple
    accept = info =>
      selectors.some(match => match(info)) ||
      (simple === 'a' && info.ttyNr !== 0 && !leader(info)) ||
      (simple === 'd' && !leader(info)) ||
      (options.thisTty && info.ttyNr === self.ttyNr) ||
      (options.bsdAll && info.ttyNr !== 0) ||
      (options.bsdAll && options.bsdNoTty)
  } else if (options.bsd)
    accept = info => (options.bsdAll || info.uid === self.uid) && (options.bsdNoTty || info.ttyNr !== 0)
  else accept = info => info.uid === self.uid && info.ttyNr === self.ttyNr
  const chosen = accept
  return info => chosen(info) !== options.negate && (!options.onlyRunning || info.state === 'R')
}

/** What the columns need to know of the machine. */
function context(proc: Process, options: PsOptions, prefixes: ReadonlyMap<number, string>): Context {
  const monotonic = proc.monotonic()
  const users = new Map<number, string>()
  const groups = new Map<number, string>()
  const remember = (map: Map<number, string>, id: number, look: () => string | undefined): string => {
    let name = map.get(id)
    if (name === undefined) map.set(id, (name = look() ?? String(id)))
    return name
  }
  return {
    now: Math.floor(monotonic / 1e7),
    bootTime: (proc.realtime() - monotonic) / 1e6,
    memTotal: Number(/^MemTotal:\s*(\d+)/m.exec(readProc(proc, '/proc/meminfo') ?? '')?.[1] ?? 1),
    user: uid => remember(users, uid, () => lookupUser(proc, uid)),
    group: gid => remember(groups, gid, () => lookupGroup(proc, gid)),
    tty: info => ttyName(info.ttyNr) ?? '?',
    link(info, name) {
      if (name === 'wchan') return readProc(proc, `/proc/${info.pid}/wchan`)
      try {
        return proc.readlink(`/proc/${info.pid}/${name}`)
      } catch (error) {
        if (isSysError(error)) return undefined
        throw error
      }
    },
    prefix: info => prefixes.get(info.pid) ?? '',
    command(info) {
      if (options.trueName) return info.comm
      if (info.args.length === 0) return bracketed(info)
      const environ = options.environment ? (readProc(proc, `/proc/${info.pid}/environ`) ?? '') : ''
      const words = [...info.args, ...environ.split('\0').filter(word => word !== '')]
      return words.join(' ')
    },
    numeric: options.numeric,
  }
}

/** Sorts by what --sort and k ask for; by pid where they leave it open. */
function sortProcesses(processes: ProcInfo[], options: PsOptions, ctx: Context): void {
  if (options.sort.length === 0) return
  const keys = options.sort.map(({ name, reverse }) => {
    const column = COLUMNS.get(name)!
    return { of: (info: ProcInfo) => (column.key ?? column.value)(info, ctx), sign: reverse ? -1 : 1 }
  })
  processes.sort((a, b) => {
    for (const { of, sign } of keys) {
      const x = of(a)
      const y = of(b)
      if (x !== y) return x < y ? -sign : sign
    }
    return a.pid - b.pid
  })
}

/** L: every column with its heading. */
function listColumns(): string {
  return [...COLUMNS]
    .filter(([name]) => name !== 'addr_1')
    .map(([name, column]) => `${name.padEnd(12)} ${column.header.padEnd(8)}\n`)
    .join('')
}

export const main: Program = proc => {
  let options: PsOptions
  try {
    options = parseOptions(proc, proc.argv.slice(1))
  } catch (error) {
    if (!(error instanceof PsError)) throw error
    proc.stderr.write(`error: ${error.message}\n${USAGE}`)
    return 1
  }
  const { instead } = options
  if (instead !== undefined) {
    if (instead.kind === 'help') proc.stdout.write(help(instead.section))
    else proc.stdout.write(instead.kind === 'list' ? listColumns() : `ps from ${PROCPS_VERSION}\n`)
    return 0
  }
  const self = readProcess(proc, proc.pid)
  if (self === undefined) {
    proc.stderr.write('error: can not access /proc\n')
    return 1
  }
  const everything = allProcesses(proc)
  const fields = chooseFields(options)
  const chosen = everything.filter(selector(options, self))
  const prefixes = new Map<number, string>()
  const ctx = context(proc, options, prefixes)
  sortProcesses(chosen, options, ctx)
  const shown = options.forest || options.hierarchy ? arrange(chosen, options.forest, prefixes) : chosen
  const terminal = proc.isatty(1) ? proc.winsize(1).columns : UNLIMITED
  const limit =
    options.columns ?? (options.wide > 1 ? UNLIMITED : options.wide === 1 ? Math.max(132, terminal) : terminal)
  proc.stdout.write(formatTable(shown, fields, ctx, { header: options.header, limit }))
  return shown.length === 0 ? 1 : 0
}
