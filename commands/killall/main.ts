/** killall(1) of psmisc: signals processes by name. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import type { Program } from '../../src/uapi/process.ts'
import { Signal } from '../../src/uapi/signal.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { allProcesses, procpsSignalName, procpsSignalNumber } from '../lib/procps.ts'

const OPTIONS: readonly Option[] = [
  { key: 'exact', short: 'e', long: 'exact' },
  { key: 'ignoreCase', short: 'I', long: 'ignore-case' },
  { key: 'list', short: 'l', long: 'list' },
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'regexp', short: 'r', long: 'regexp' },
  { key: 'signal', short: 's', long: 'signal', arg: 'required' },
  { key: 'verbose', short: 'v', long: 'verbose' },
  { key: 'version', short: 'V', long: 'version' },
  { key: 'wait', short: 'w', long: 'wait' },
]

const USAGE = `Usage: killall [OPTION]... [--] NAME...
       killall -l, --list
       killall -V, --version

  -e,--exact          require exact match for very long names
  -I,--ignore-case    case insensitive process name match
  -g,--process-group  kill process group instead of process
  -y,--younger-than   kill processes younger than TIME
  -o,--older-than     kill processes older than TIME
  -i,--interactive    ask for confirmation before killing
  -l,--list           list all known signal names
  -q,--quiet          don't print complaints
  -r,--regexp         interpret NAME as an extended regular expression
  -s,--signal SIGNAL  send this signal instead of SIGTERM
  -u,--user USER      kill only process(es) running as USER
  -v,--verbose        report if the signal was successfully sent
  -V,--version        display version information
  -w,--wait           wait for processes to die
  -n,--ns PID         match processes that belong to the same namespaces
                      as PID

`

/** How often --wait looks whether a process still lives, ns. */
const WAIT_INTERVAL = 1e9

export const main: Program = async proc => {
  const words = [...proc.argv]
  let signal: number = Signal.SIGTERM
  const option = words.findIndex(
    (word, i) => i > 0 && /^-[A-Z0-9]/.test(word) && procpsSignalNumber(word.slice(1)) !== undefined,
  )
  if (option > 0) signal = procpsSignalNumber(words.splice(option, 1)[0]!.slice(1))!
  const flags = new Set<string>()
  const opts = new Getopt(words, OPTIONS)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) {
      proc.stderr.write(`${found.error}\n${USAGE}`)
      return 1
    }
    flags.add(found.key)
    if (found.key === 'signal') {
      const number = procpsSignalNumber(found.value!)
      if (number === undefined) {
        proc.stderr.write(`${found.value}: unknown signal; killall -l lists signals.\n`)
        return 1
      }
      signal = number
    }
  }
  if (flags.has('version')) {
    proc.stderr.write('killall (PSmisc) 23.6\n')
    return 0
  }
  if (flags.has('list')) {
    const names = Array.from({ length: 31 }, (_, i) => procpsSignalName(i + 1) ?? '')
    proc.stdout.write(`${names.slice(0, 16).join(' ')}\n${names.slice(16).join(' ')}\n`)
    return 0
  }
  const names = opts.operands
  if (names.length === 0) {
    proc.stderr.write(USAGE)
    return 1
  }
  let status = 0
  const killed: number[] = []
  for (const name of names) {
    const expression = flags.has('regexp') ? new RegExp(name, flags.has('ignoreCase') ? 'i' : '') : undefined
    const same = (comm: string): boolean => {
      if (expression !== undefined) return expression.test(comm)
      const wanted = name.replace(/^.*\//, '').slice(0, 15)
      return flags.has('ignoreCase') ? comm.toLowerCase() === wanted.toLowerCase() : comm === wanted
    }
    const found = allProcesses(proc).filter(info => info.pid !== proc.pid && info.args.length > 0 && same(info.comm))
    if (found.length === 0) {
      if (!flags.has('quiet')) proc.stderr.write(`${name}: no process found\n`)
      status = 1
    }
    for (const info of found)
      try {
        proc.kill(info.pid, signal)
        killed.push(info.pid)
        if (flags.has('verbose')) proc.stderr.write(`Killed ${info.comm}(${info.pid}) with signal ${signal}\n`)
      } catch (error) {
        if (!isSysError(error)) throw error
        proc.stderr.write(`${info.comm}(${info.pid}): ${strerror(error.errno)}\n`)
        status = 1
      }
  }
  if (flags.has('wait')) while (killed.some(pid => proc.access(`/proc/${pid}`, 0))) await proc.nanosleep(WAIT_INTERVAL)
  return status
}
