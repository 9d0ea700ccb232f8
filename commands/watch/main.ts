/** watch(1): runs a command again and again, showing its output full-screen. */
import type { Process, Program } from '../../src/uapi/process.ts'
import { strtod } from '../lib/coreutils.ts'
import { Getopt, type Option } from '../lib/getopt.ts'
import { PROCPS_VERSION } from '../lib/procps.ts'
import { execCommand } from '../lib/run.ts'

const USAGE = `
Usage:
 watch [options] command

Options:
  -b, --beep             beep if command has a non-zero exit
  -c, --color            interpret ANSI color and style sequences
  -d, --differences[=<permanent>]
                         highlight changes between updates
  -e, --errexit          exit if command has a non-zero exit
  -g, --chgexit          exit when output from command changes
  -q, --equexit <cycles>
                         exit when output from command does not change
  -n, --interval <secs>  seconds to wait between updates
  -p, --precise          attempt run command in precise intervals
  -t, --no-title         turn off header
  -w, --no-wrap          turn off line wrapping
  -x, --exec             pass command to exec instead of "sh -c"

 -h, --help     display this help and exit
 -v, --version  output version information and exit

For more details see watch(1).
`

const OPTIONS: readonly Option[] = [
  { key: 'beep', short: 'b', long: 'beep' },
  { key: 'color', short: 'c', long: 'color' },
  { key: 'differences', short: 'd', long: 'differences', arg: 'optional' },
  { key: 'errexit', short: 'e', long: 'errexit' },
  { key: 'chgexit', short: 'g', long: 'chgexit' },
  { key: 'equexit', short: 'q', long: 'equexit', arg: 'required' },
  { key: 'interval', short: 'n', long: 'interval', arg: 'required' },
  { key: 'precise', short: 'p', long: 'precise' },
  { key: 'noTitle', short: 't', long: 'no-title' },
  { key: 'noWrap', short: 'w', long: 'no-wrap' },
  { key: 'exec', short: 'x', long: 'exec' },
  { key: 'help', short: 'h', long: 'help' },
  { key: 'version', short: 'v', long: 'version' },
]

const CLEAR = '\x1b[H\x1b[J'
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

function ctime(ns: number): string {
  const date = new Date(ns / 1e6)
  const clock = date.toISOString().slice(11, 19)
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)} ${clock} ${date.getUTCFullYear()}`
}

/** Runs the command once. @returns its output and exit status */
async function runOnce(
  proc: Process,
  words: readonly string[],
  direct: boolean,
): Promise<{ text: string; status: number }> {
  const [reader, writer] = proc.pipe()
  const child = proc.fork(async inner => {
    inner.dup2(writer, 1)
    inner.dup2(writer, 2)
    inner.close(reader)
    inner.close(writer)
    const command = direct ? words : ['sh', '-c', words.join(' ')]
    return execCommand(inner, command, reason => `watch: unable to execute '${command[0]}': ${reason}\n`)
  })
  proc.close(writer)
  const decoder = new TextDecoder()
  let text = ''
  for (let data = await proc.read(reader, 65_536); data.length > 0; data = await proc.read(reader, 65_536))
    text += decoder.decode(data, { stream: true })
  proc.close(reader)
  const ended = await proc.waitpid(child)
  return { text, status: ended?.kind === 'exited' ? ended.status : 1 }
}

/** Cuts text to a screen. */
function crop(text: string, rows: number, columns: number, wrap: boolean): string {
  const lines: string[] = []
  for (const line of text.replaceAll('\t', '        ').replace(/\n$/, '').split('\n')) {
    if (line.length <= columns || !wrap) lines.push(line.slice(0, columns))
    else for (let at = 0; at < line.length; at += columns) lines.push(line.slice(at, at + columns))
    if (lines.length >= rows) break
  }
  return lines.slice(0, rows).join('\n')
}

export const main: Program = async proc => {
  const flags = new Set<string>()
  let interval = 2
  let equalLimit = 0
  const opts = new Getopt(proc.argv, OPTIONS, true)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) {
      proc.stderr.write(`${found.error}\n${USAGE}`)
      return 1
    }
    const { key, value } = found
    flags.add(key)
    if (key === 'help' || key === 'version') {
      proc.stdout.write(key === 'help' ? USAGE : `watch from ${PROCPS_VERSION}\n`)
      return 0
    }
    if (key === 'interval' || key === 'equexit') {
      const number = strtod(value!)
      if (number === undefined || number.rest !== '') {
        proc.stderr.write(`watch: failed to parse argument: '${value}'\n`)
        return 1
      }
      if (key === 'interval') interval = Math.max(0.1, number.value)
      else equalLimit = Math.max(1, Math.floor(number.value))
    }
  }
  const words = opts.operands
  if (words.length === 0) {
    proc.stderr.write(USAGE)
    return 1
  }
  const terminal = proc.isatty(1)
  let previous: string | undefined
  let equal = 0
  for (;;) {
    const started = proc.monotonic()
    const { text, status } = await runOnce(proc, words, flags.has('exec'))
    const { rows, columns } = terminal ? proc.winsize(1) : { rows: 24, columns: 80 }
    const left = `Every ${interval.toFixed(1)}s: ${words.join(' ')}`
    const right = `${proc.gethostname()}: ${ctime(proc.realtime())}`
    const title = flags.has('noTitle')
      ? ''
      : `${left.slice(0, columns - right.length - 1).padEnd(columns - right.length)}${right}\n\n`
    const body = crop(text, rows - (title === '' ? 0 : 2), columns, !flags.has('noWrap'))
    proc.stdout.write(`${CLEAR}${title}${body}${flags.has('beep') && status !== 0 ? '\x07' : ''}`)
    await proc.stdout.flush()
    if (flags.has('errexit') && status !== 0) {
      proc.stdout.write('\n')
      return 8
    }
    equal = text === previous ? equal + 1 : 0
    if (flags.has('chgexit') && previous !== undefined && text !== previous) break
    if (equalLimit > 0 && equal >= equalLimit) break
    previous = text
    const spent = flags.has('precise') ? proc.monotonic() - started : 0
    await proc.nanosleep(Math.max(0, interval * 1e9 - spent))
  }
  proc.stdout.write('\n')
  return 0
}
