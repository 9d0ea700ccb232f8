/** The columns ps can show: names, headings, widths, and what they hold. */
import type { ProcInfo } from '../lib/procps.ts'

/** What the values of a column are made of, beside the process. */
export interface Context {
  /** clock ticks since boot */
  readonly now: number
  /** wall time at boot, ms since the epoch */
  readonly bootTime: number
  /** kB */
  readonly memTotal: number
  user(uid: number): string
  group(gid: number): string
  tty(info: ProcInfo): string
  /** a link or file of /proc/PID; undefined where it cannot be read */
  link(info: ProcInfo, name: string): string | undefined
  /** branches or blanks that a tree shows before a command */
  prefix(info: ProcInfo): string
  /** `CMD` as the flags want it: with arguments or not, with the environment; without the prefix */
  command(info: ProcInfo): string
  /** -n, -f's user column and the like show numbers for names */
  readonly numeric: boolean
}

/** A column. */
export interface Column {
  readonly header: string
  readonly width: number
  readonly right: boolean
  value(info: ProcInfo, ctx: Context): string
  /** what --sort compares; the value where absent */
  key?(info: ProcInfo, ctx: Context): number | string
  /** text that is cut to the width, where it is not the last column */
  readonly text?: boolean
}

const TICKS = 100

function two(n: number): string {
  return String(n).padStart(2, '0')
}

/** `[D-]HH:MM:SS` of seconds. */
function clock(seconds: number): string {
  const days = Math.floor(seconds / 86_400)
  const rest = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return days > 0 ? `${days}-${rest}` : rest
}

/** `[[D-]HH:]MM:SS` of seconds. */
function elapsed(seconds: number): string {
  const text = clock(seconds)
  return text.startsWith('00:') ? text.slice(3) : text
}

function cpuSeconds(info: ProcInfo): number {
  return Math.floor((info.utime + info.stime) / TICKS)
}

function age(info: ProcInfo, ctx: Context): number {
  return Math.max(0, ctx.now - info.startTime)
}

/** Share of one processor over the process's life, in tenths of a percent. */
function cpuShare(info: ProcInfo, ctx: Context): number {
  const ticks = Math.floor(age(info, ctx) / TICKS) * TICKS
  return ticks === 0 ? 0 : Math.floor(((info.utime + info.stime) * 1000) / ticks)
}

function percent(tenths: number): string {
  return tenths > 999 ? String(Math.floor(tenths / 10)) : `${Math.floor(tenths / 10)}.${tenths % 10}`
}

function started(info: ProcInfo, ctx: Context): Date {
  return new Date(ctx.bootTime + (info.startTime * 1000) / TICKS)
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

function time(date: Date): string {
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
}

/** The time of day, the day for processes older than one, the year for those of another. */
function startTime(info: ProcInfo, ctx: Context): string {
  const date = started(info, ctx)
  const now = new Date(ctx.bootTime + (ctx.now * 1000) / TICKS)
  if (date.getUTCFullYear() !== now.getUTCFullYear()) return String(date.getUTCFullYear())
  if (date.toISOString().slice(0, 10) !== now.toISOString().slice(0, 10))
    return `${MONTHS[date.getUTCMonth()]}${two(date.getUTCDate())}`
  return time(date)
}

function stat(info: ProcInfo): string {
  return (
    info.state +
    (info.nice < 0 ? '<' : info.nice > 0 ? 'N' : '') +
    (info.sid === info.pid ? 's' : '') +
    (info.threads > 1 ? 'l' : '') +
    (info.tpgid === info.pgid && info.tpgid > 0 ? '+' : '')
  )
}

/** Name in brackets, as the kernel's threads and zombies have no command line. */
export function bracketed(info: ProcInfo): string {
  return `[${info.comm}]${info.state === 'Z' ? ' <defunct>' : ''}`
}

function commandName(info: ProcInfo, ctx: Context): string {
  return `${ctx.prefix(info)}${info.comm}${info.state === 'Z' ? ' <defunct>' : ''}`
}

function namespace(kind: string): Pick<Column, 'value'> {
  return { value: (info, ctx) => /\[(\d+)\]/.exec(ctx.link(info, `ns/${kind}`) ?? '')?.[1] ?? '-' }
}

/** A heading at the right over numbers. */
function number(header: string, width: number, get: (info: ProcInfo, ctx: Context) => number): Column {
  return { header, width, right: true, value: (info, ctx) => String(get(info, ctx)), key: get }
}

function text(header: string, width: number, get: (info: ProcInfo, ctx: Context) => string): Column {
  return { header, width, right: false, text: true, value: get }
}

function plain(header: string, width: number, right: boolean, get: (info: ProcInfo, ctx: Context) => string): Column {
  return { header, width, right, value: get }
}

const user = (header: string): Column => ({
  ...text(header, 8, (info, ctx) => (ctx.numeric ? String(info.uid) : ctx.user(info.uid))),
})
const group = (header: string): Column => text(header, 8, (info, ctx) => ctx.group(info.gid))
const uid = (header: string): Column => number(header, 5, info => info.uid)
const gid = (header: string): Column => number(header, 5, info => info.gid)
const args = (header: string): Column => text(header, 27, (info, ctx) => ctx.prefix(info) + ctx.command(info))
const comm = (header: string): Column => text(header, 15, commandName)
const signals = (header: string, kind: keyof ProcInfo['signals']): Column =>
  plain(header, 16, true, info => info.signals[kind])
const share = (header: string): Column => ({
  header,
  width: 4,
  right: true,
  value: (info, ctx) => percent(cpuShare(info, ctx)),
  key: cpuShare,
})
const memory = (header: string): Column => {
  const tenths = (info: ProcInfo, ctx: Context): number =>
    Math.min(999, Math.floor((info.rss * 4 * 1000) / ctx.memTotal))
  return { header, width: 4, right: true, value: (info, ctx) => percent(tenths(info, ctx)), key: tenths }
}
const cpuTime = (header: string): Column => ({
  header,
  width: 8,
  right: true,
  value: info => clock(cpuSeconds(info)),
  key: info => info.utime + info.stime,
})
const sizeKb = (info: ProcInfo): number => Math.floor(info.vsize / 1024)
const pages = (info: ProcInfo): number => Math.floor(info.vsize / 4096)
const startKey = (info: ProcInfo): number => info.startTime
const wchan = plain('WCHAN', 6, false, (info, ctx) => (ctx.link(info, 'wchan') ?? '-').slice(0, 6).replace(/^0$/, '-'))
const ADDRESS_SPACE = '0000000000000000'

/** The columns by the names that -o and --sort take. */
export const COLUMNS: ReadonlyMap<string, Column> = new Map<string, Column>([
  ['%cpu', share('%CPU')],
  ['%mem', memory('%MEM')],
  ['addr', plain('ADDR', 4, true, () => '-')],
  ['addr_1', plain('ADDR', 1, false, () => '-')],
  ['args', args('COMMAND')],
  ['atime', cpuTime('TIME')],
  ['blocked', signals('BLOCKED', 'blocked')],
  ['bsdstart', { ...plain('START', 6, true, (info, ctx) => startTime(info, ctx)), key: startKey }],
  [
    'bsdtime',
    {
      ...plain('TIME', 6, true, info => `${Math.floor(cpuSeconds(info) / 60)}:${two(cpuSeconds(info) % 60)}`),
      key: info => info.utime + info.stime,
    },
  ],
  ['c', number('C', 2, (info, ctx) => Math.min(99, Math.floor(cpuShare(info, ctx) / 10)))],
  ['caught', signals('CAUGHT', 'caught')],
  ['cgname', text('CGNAME', 27, () => '-')],
  ['cgroup', text('CGROUP', 27, () => '-')],
  ['cgroupns', { ...plain('CGROUPNS', 10, true, () => ''), ...namespace('cgroup') }],
  ['class', plain('CLS', 3, false, () => 'TS')],
  ['cls', plain('CLS', 3, true, () => 'TS')],
  ['cmd', args('CMD')],
  ['comm', comm('COMMAND')],
  ['command', args('COMMAND')],
  ['context', plain('CONTEXT', 31, false, () => 'unconfined')],
  ['cp', number('CP', 3, (info, ctx) => Math.min(999, cpuShare(info, ctx)))],
  ['cputime', cpuTime('TIME')],
  ['cputimes', number('TIME', 8, cpuSeconds)],
  ['drs', number('DRS', 5, info => Math.max(0, sizeKb(info) - 20))],
  ['egid', gid('EGID')],
  ['egroup', group('EGROUP')],
  ['environ', text('ENVIRONMENT', 27, () => '-')],
  ['eip', plain('EIP', 16, true, () => ADDRESS_SPACE)],
  ['esp', plain('ESP', 16, true, () => ADDRESS_SPACE)],
  ['etime', { ...plain('ELAPSED', 11, true, (info, ctx) => elapsed(Math.floor(age(info, ctx) / TICKS))), key: age }],
  ['etimes', number('ELAPSED', 7, (info, ctx) => Math.floor(age(info, ctx) / TICKS))],
  ['euid', uid('EUID')],
  ['euser', user('EUSER')],
  ['exe', text('EXE', 27, (info, ctx) => ctx.link(info, 'exe') ?? '-')],
  // a process that was started by another program's exec shows 4, a fork alone 1
  ['f', plain('F', 1, true, info => (info.args.length === 0 ? '1' : '4'))],
  ['flag', plain('F', 1, true, info => (info.args.length === 0 ? '1' : '4'))],
  ['flags', plain('F', 1, true, info => (info.args.length === 0 ? '1' : '4'))],
  ['fgid', gid('FGID')],
  ['fgroup', group('FGROUP')],
  ['fname', text('COMMAND', 8, info => info.comm)],
  ['fuid', uid('FUID')],
  ['fuser', user('FUSER')],
  ['gid', gid('GID')],
  ['group', group('GROUP')],
  ['ignored', signals('IGNORED', 'ignored')],
  ['ipcns', { ...plain('IPCNS', 10, true, () => ''), ...namespace('ipc') }],
  ['label', plain('LABEL', 31, false, () => 'unconfined')],
  [
    'lstart',
    {
      ...plain('STARTED', 24, true, (info, ctx) => {
        const date = started(info, ctx)
        return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)} ${time(date)}:${two(date.getUTCSeconds())} ${date.getUTCFullYear()}`
      }),
      key: startKey,
    },
  ],
  ['lwp', number('LWP', 5, info => info.pid)],
  ['maj_flt', number('MAJFL', 6, info => info.majFlt)],
  ['majflt', number('MAJFLT', 6, info => info.majFlt)],
  ['min_flt', number('MINFL', 6, info => info.minFlt)],
  ['minflt', number('MINFLT', 6, info => info.minFlt)],
  ['mntns', { ...plain('MNTNS', 10, true, () => ''), ...namespace('mnt') }],
  ['netns', { ...plain('NETNS', 10, true, () => ''), ...namespace('net') }],
  ['ni', number('NI', 3, info => info.nice)],
  ['nice', number('NI', 3, info => info.nice)],
  ['nlwp', number('NLWP', 4, info => info.threads)],
  ['nwchan', plain('WCHAN', 6, true, () => '-')],
  ['opri', number('PRI', 3, info => 60 + info.priority)],
  ['pcpu', share('%CPU')],
  ['pending', signals('PENDING', 'pending')],
  ['pgid', number('PGID', 5, info => info.pgid)],
  ['pgrp', number('PGRP', 5, info => info.pgid)],
  ['pid', number('PID', 5, info => info.pid)],
  ['pidns', { ...plain('PIDNS', 10, true, () => ''), ...namespace('pid') }],
  ['pmem', memory('%MEM')],
  ['policy', plain('POL', 3, false, () => 'TS')],
  ['ppid', number('PPID', 5, info => info.ppid)],
  ['pri', number('PRI', 3, info => 39 - info.priority)],
  ['priority', number('PRI', 3, info => info.priority)],
  ['psr', number('PSR', 3, () => 0)],
  ['rgid', gid('RGID')],
  ['rgroup', group('RGROUP')],
  ['rss', number('RSS', 5, info => info.rss * 4)],
  ['rssize', number('RSS', 5, info => info.rss * 4)],
  ['rsz', number('RSZ', 5, info => info.rss * 4)],
  ['rtprio', plain('RTPRIO', 6, true, () => '-')],
  ['ruid', uid('RUID')],
  ['ruser', user('RUSER')],
  ['s', plain('S', 1, false, info => info.state)],
  ['sched', number('SCH', 3, () => 0)],
  ['sess', number('SESS', 5, info => info.sid)],
  ['session', number('SESS', 5, info => info.sid)],
  ['sgid', gid('SGID')],
  ['sgroup', group('SGROUP')],
  ['sid', number('SID', 5, info => info.sid)],
  ['sig', signals('PENDING', 'pending')],
  ['sig_block', signals('BLOCKED', 'blocked')],
  ['sig_catch', signals('CATCHED', 'caught')],
  ['sig_ignore', signals('IGNORED', 'ignored')],
  ['sig_pend', signals('SIGNAL', 'pending')],
  ['sigcatch', signals('CAUGHT', 'caught')],
  ['sigignore', signals('IGNORED', 'ignored')],
  ['sigmask', signals('BLOCKED', 'blocked')],
  ['size', number('SIZE', 5, info => Math.floor(sizeKb(info) / 9))],
  ['spid', number('SPID', 5, info => info.pid)],
  ['stackp', plain('STACKP', 16, true, () => ADDRESS_SPACE)],
  [
    'start',
    {
      ...plain('STARTED', 8, true, (info, ctx) => {
        const date = started(info, ctx)
        return ctx.now - info.startTime > 86_400 * TICKS
          ? `  ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())}`
          : `${time(date)}:${two(date.getUTCSeconds())}`
      }),
      key: startKey,
    },
  ],
  ['start_time', { ...plain('START', 5, true, startTime), key: startKey }],
  ['stat', plain('STAT', 4, false, stat)],
  ['state', plain('S', 1, false, info => info.state)],
  ['stime', { ...plain('STIME', 5, true, startTime), key: startKey }],
  ['suid', uid('SUID')],
  ['suser', user('SUSER')],
  ['sz', number('SZ', 5, pages)],
  ['tgid', number('TGID', 5, info => info.pid)],
  ['thcount', number('THCNT', 5, info => info.threads)],
  ['tid', number('TID', 5, info => info.pid)],
  ['time', cpuTime('TIME')],
  ['timens', { ...plain('TIMENS', 10, true, () => ''), ...namespace('time') }],
  ['times', number('TIME', 8, cpuSeconds)],
  ['tname', plain('TTY', 8, false, (info, ctx) => ctx.tty(info))],
  ['tpgid', number('TPGID', 5, info => info.tpgid)],
  ['trs', number('TRS', 4, info => (info.vsize === 0 ? 0 : 20))],
  ['tt', plain('TT', 8, false, (info, ctx) => ctx.tty(info))],
  ['tty', plain('TT', 8, false, (info, ctx) => ctx.tty(info))],
  ['ucmd', comm('CMD')],
  ['ucomm', comm('COMMAND')],
  ['uid', uid('UID')],
  ['uid_hack', user('UID')],
  ['uname', user('USER')],
  ['user', user('USER')],
  ['userns', { ...plain('USERNS', 10, true, () => ''), ...namespace('user') }],
  ['utsns', { ...plain('UTSNS', 10, true, () => ''), ...namespace('uts') }],
  ['vsize', number('VSZ', 6, sizeKb)],
  ['vsz', number('VSZ', 6, sizeKb)],
  ['wchan', wchan],
  ['wname', wchan],
])

/** Columns by the letters of X/Open's `%x` descriptors. */
export const AIX: ReadonlyMap<string, string> = new Map([
  ['C', 'pcpu'],
  ['G', 'group'],
  ['P', 'ppid'],
  ['U', 'user'],
  ['a', 'args'],
  ['c', 'comm'],
  ['g', 'rgroup'],
  ['n', 'nice'],
  ['p', 'pid'],
  ['r', 'pgid'],
  ['t', 'etime'],
  ['u', 'ruser'],
  ['x', 'time'],
  ['y', 'tty'],
  ['z', 'vsz'],
])
