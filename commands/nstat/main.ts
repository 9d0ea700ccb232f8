/** nstat (iproute2 6.1.0): the kernel's SNMP counters, as they are or since the last call. */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { fnmatch } from '../lib/fnmatch.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { type Counter, readCounters } from './counters.ts'

const USAGE = `Usage: nstat [OPTION] [ PATTERN [ PATTERN ] ]
   -h, --help           this message
   -a, --ignore         ignore history
   -d, --scan=SECS      sample every statistics every SECS
   -j, --json           format output in JSON
   -n, --nooutput       do history only
   -p, --pretty         pretty print
   -r, --reset          reset history
   -s, --noupdate       don't update history
   -t, --interval=SECS  report average over the last SECS
   -V, --version        output version information
   -z, --zeros          show entries with zero activity
`

interface Options {
  ignoreHistory: boolean
  json: boolean
  noOutput: boolean
  pretty: boolean
  resetHistory: boolean
  noUpdate: boolean
  showZeros: boolean
  patterns: string[]
}

type Key = 'help' | 'ignore' | 'json' | 'nooutput' | 'pretty' | 'reset' | 'noupdate' | 'version' | 'zeros'

const OPTIONS: readonly Option<Key>[] = [
  { key: 'help', short: 'h', long: 'help' },
  { key: 'ignore', short: 'a', long: 'ignore' },
  { key: 'json', short: 'j', long: 'json' },
  { key: 'nooutput', short: 'n', long: 'nooutput' },
  { key: 'pretty', short: 'p', long: 'pretty' },
  { key: 'reset', short: 'r', long: 'reset' },
  { key: 'noupdate', short: 's', long: 'noupdate' },
  { key: 'version', short: 'V', long: 'version' },
  { key: 'zeros', short: 'z', long: 'zeros' },
]

/** @returns the options, or an exit status where the command line ends the program */
function parse(proc: Process): Options | number {
  const getopt = new Getopt(proc.argv, OPTIONS)
  const given = new Set<Key>()
  for (let found = getopt.next(); found !== undefined; found = getopt.next()) {
    if (found.error !== undefined || found.key === 'help') {
      proc.stderr.write(`${found.error === undefined ? '' : `${found.error}\n`}${USAGE}`)
      return 255
    }
    if (found.key === 'version') {
      proc.stdout.write('nstat utility, iproute2-6.1.0\n')
      return 0
    }
    given.add(found.key)
  }
  return {
    ignoreHistory: given.has('ignore'),
    json: given.has('json'),
    noOutput: given.has('nooutput'),
    pretty: given.has('pretty'),
    resetHistory: given.has('reset'),
    noUpdate: given.has('noupdate'),
    showZeros: given.has('zeros'),
    patterns: getopt.operands,
  }
}

/** Where the last call's values are: one file for all namespaces. */
function historyFile(proc: Process): string {
  return proc.env.get('NSTAT_HISTORY') ?? `/tmp/.nstat.u${proc.uid}`
}

/** @returns the last call's values by name */
function readHistory(proc: Process): Map<string, number> {
  const values = new Map<string, number>()
  let text: string
  try {
    text = new TextDecoder().decode(proc.readFile(historyFile(proc)))
  } catch (error) {
    if (isSysError(error)) return values
    throw error
  }
  for (const line of text.split('\n')) {
    const match = /^(\S+)\s+(\d+)\s/.exec(line)
    if (match !== null) values.set(match[1]!, Number(match[2]))
  }
  return values
}

function row(name: string, value: number): string {
  return `${name.padEnd(32)}${String(value).padEnd(16)}${'0.0'.padStart(6)}\n`
}

function text(shown: readonly Counter[]): string {
  return `#kernel\n${shown.map(({ name, value }) => row(name, value)).join('')}`
}

function json(shown: readonly Counter[], pretty: boolean): string {
  const fields = shown.map(({ name, value }) => `"${name}":${pretty ? ' ' : ''}${value}`)
  if (!pretty) return `{"kernel":{${fields.join(',')}}}\n`
  return `{\n    "kernel": {\n${fields.map(line => `        ${line}`).join(',\n')}\n    }\n}\n`
}

/** The program. */
export const main: Program = proc => {
  const o = parse(proc)
  if (typeof o === 'number') return o
  const history = o.resetHistory ? new Map<string, number>() : readHistory(proc)
  const counters = readCounters(proc)
  if (!o.noOutput) {
    const shown: Counter[] = []
    for (const { name, value } of counters) {
      if (o.patterns.length > 0 && !o.patterns.some(pattern => fnmatch(pattern, name))) continue
      const before = o.ignoreHistory ? 0 : (history.get(name) ?? 0)
      const change = value >= before ? value - before : value
      if (change !== 0 || o.showZeros) shown.push({ name, value: change })
    }
    proc.stdout.write(o.json ? json(shown, o.pretty) : text(shown))
  }
  if (!o.noUpdate)
    proc.writeFile(historyFile(proc), `#kernel\n${counters.map(({ name, value }) => row(name, value)).join('')}`)
  return 0
}
