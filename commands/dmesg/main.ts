/** dmesg(1) */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { errx, HELP_VERSION, tryHelp, utilVersion } from '../lib/util_linux.ts'
import { HELP } from './help.ts'
import { formatJson, Printer, type TimeFormat } from './print.ts'
import { FACILITIES, KernelLog, LEVELS, type LogRecord, parseFile } from './records.ts'

const OPTIONS: readonly Option[] = [
  ...HELP_VERSION,
  { key: 'clear', short: 'C', long: 'clear' },
  { key: 'readClear', short: 'c', long: 'read-clear' },
  { key: 'consoleOff', short: 'D', long: 'console-off' },
  { key: 'consoleOn', short: 'E', long: 'console-on' },
  { key: 'file', short: 'F', long: 'file', arg: 'required' },
  { key: 'facility', short: 'f', long: 'facility', arg: 'required' },
  { key: 'human', short: 'H', long: 'human' },
  { key: 'json', short: 'J', long: 'json' },
  { key: 'kernel', short: 'k', long: 'kernel' },
  { key: 'color', short: 'L', long: 'color', arg: 'optional' },
  { key: 'level', short: 'l', long: 'level', arg: 'required' },
  { key: 'consoleLevel', short: 'n', long: 'console-level', arg: 'required' },
  { key: 'ignored', short: 'P', long: 'nopager' },
  { key: 'forcePrefix', short: 'p', long: 'force-prefix' },
  { key: 'raw', short: 'r', long: 'raw' },
  { key: 'ignored', long: 'noescape' },
  { key: 'ignored', short: 'S', long: 'syslog' },
  { key: 'ignoredValue', short: 's', long: 'buffer-size', arg: 'required' },
  { key: 'userspace', short: 'u', long: 'userspace' },
  { key: 'follow', short: 'w', long: 'follow' },
  { key: 'followNew', short: 'W', long: 'follow-new' },
  { key: 'decode', short: 'x', long: 'decode' },
  { key: 'delta', short: 'd', long: 'show-delta' },
  { key: 'reltime', short: 'e', long: 'reltime' },
  { key: 'ctime', short: 'T', long: 'ctime' },
  { key: 'notime', short: 't', long: 'notime' },
  { key: 'timeFormat', long: 'time-format', arg: 'required' },
  { key: 'ignoredValue', long: 'since', arg: 'required' },
  { key: 'ignoredValue', long: 'until', arg: 'required' },
]

/** Actions of which only one may be asked for. */
const EXCLUSIVE = ['clear', 'consoleOff', 'consoleOn', 'readClear', 'consoleLevel', 'raw']
const TIME_FORMATS: readonly TimeFormat[] = ['delta', 'reltime', 'ctime', 'notime', 'iso']
/** How often a following dmesg looks for new records, ns. */
const FOLLOW_INTERVAL = 1e8

/** What the command line asks for. */
interface Request {
  flags: Set<string>
  file: string | undefined
  levels: Set<number> | undefined
  facilities: Set<number> | undefined
  time: TimeFormat
  color: boolean
}

/** Reads a comma-separated list of names; a name may have a trailing `+` or leading `+` in later versions, not here. */
function nameList(text: string, names: readonly string[], into: Set<number>): string | undefined {
  for (const word of text.split(',')) {
    const index = names.indexOf(word)
    if (index < 0) return word
    into.add(index)
  }
  return undefined
}

function parse(proc: Process): Request | number {
  const request: Request = {
    flags: new Set(),
    file: undefined,
    levels: undefined,
    facilities: undefined,
    time: 'time',
    color: false,
  }
  const opts = new Getopt(proc.argv, OPTIONS)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return tryHelp(proc, found.error)
    const { key, value } = found
    if (EXCLUSIVE.includes(key)) {
      if (EXCLUSIVE.some(other => other !== key && request.flags.has(other)))
        return errx(
          proc,
          'mutually exclusive arguments: --clear --console-off --console-on --read-clear --console-level --raw',
        )
    }
    request.flags.add(key)
    switch (key) {
      case 'help':
      case 'version':
        proc.stdout.write(key === 'help' ? HELP : utilVersion('dmesg'))
        return 0
      case 'file':
        request.file = value
        break
      case 'facility':
      case 'level': {
        const [names, set] =
          key === 'level' ? [LEVELS, (request.levels ??= new Set())] : [FACILITIES, (request.facilities ??= new Set())]
        const wrong = nameList(value!, names, set)
        if (wrong !== undefined) return errx(proc, `unknown ${key} '${wrong}'`)
        break
      }
      case 'kernel':
        request.facilities = new Set([0])
        break
      case 'userspace':
        request.facilities = new Set(FACILITIES.keys())
        request.facilities.delete(0)
        break
      case 'consoleLevel':
        if (!/^[1-8]$/.test(value!) && !(LEVELS as readonly string[]).includes(value!))
          return errx(proc, `unknown level '${value}'`)
        break
      case 'human':
        request.time = 'reltime'
        request.color = proc.isatty(1)
        break
      case 'delta':
      case 'reltime':
      case 'ctime':
      case 'notime':
        request.time = key
        break
      case 'timeFormat': {
        const format = TIME_FORMATS.find(name => name === value)
        if (format === undefined) return errx(proc, `unknown time format: ${value}`)
        request.time = format
        break
      }
      case 'color':
        if (value !== undefined && !['auto', 'always', 'never'].includes(value.replace(/^=/, '')))
          return errx(proc, `unsupported color mode: '${value}'`)
        request.color = value?.replace(/^=/, '') === 'always' || (value === undefined && proc.isatty(1))
    }
  }
  if (opts.operands.length > 0) return tryHelp(proc, 'dmesg: bad usage')
  return request
}

export const main: Program = async proc => {
  const request = parse(proc)
  if (typeof request === 'number') return request
  const { flags } = request
  if (flags.has('consoleOn') || flags.has('consoleOff') || flags.has('consoleLevel')) return 0
  const wanted = (record: LogRecord): boolean =>
    request.levels?.has(record.level) !== false && request.facilities?.has(record.facility) !== false
  const printer = new Printer({
    time: request.time,
    decode: flags.has('decode'),
    raw: flags.has('raw'),
    color: request.color,
    prefixAllLines: flags.has('forcePrefix'),
    bootTime: (proc.realtime() - proc.monotonic()) / 1e6,
  })
  const show = (records: readonly LogRecord[]): void => {
    const shown = records.filter(wanted)
    if (flags.has('json')) proc.stdout.write(formatJson(shown))
    else for (const record of shown) proc.stdout.write(printer.format(record))
  }
  if (request.file !== undefined)
    try {
      show(parseFile(new TextDecoder().decode(proc.readFile(request.file))))
      return 0
    } catch (error) {
      if (!isSysError(error)) throw error
      return errx(proc, `cannot open ${request.file}: ${strerror(error.errno)}`)
    }
  let log: KernelLog
  try {
    log = new KernelLog(proc)
  } catch (error) {
    if (!isSysError(error)) throw error
    return errx(proc, `read kernel buffer failed: ${strerror(error.errno)}`)
  }
  if (flags.has('clear')) {
    log.clear()
    return 0
  }
  const present = await log.read()
  if (!flags.has('followNew')) show(present)
  if (flags.has('readClear')) log.clear()
  if (!flags.has('follow') && !flags.has('followNew')) return 0
  for (;;) {
    await proc.stdout.flush()
    await proc.nanosleep(FOLLOW_INTERVAL)
    show(await log.read())
  }
}
