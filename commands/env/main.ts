/** env(1) */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Signal, signalNumber } from '../../src/uapi/signal.ts'
import { COMMON_OPTIONS, complain, helpTail, quote, usageError, versionText } from '../lib/coreutils.ts'
import { Getopt } from '../lib/getopt.ts'
import { execCommand } from '../lib/run.ts'
import { SplitError, splitString } from './split.ts'

const HELP = `Usage: env [OPTION]... [-] [NAME=VALUE]... [COMMAND [ARG]...]
Set each NAME to VALUE in the environment and run COMMAND.

Mandatory arguments to long options are mandatory for short options too.
  -i, --ignore-environment  start with an empty environment
  -0, --null           end each output line with NUL, not newline
  -u, --unset=NAME     remove variable from the environment
  -C, --chdir=DIR      change working directory to DIR
  -S, --split-string=S  process and split S into separate arguments;
                        used to pass multiple arguments on shebang lines
      --block-signal[=SIG]    block delivery of SIG signal(s) to COMMAND
      --default-signal[=SIG]  reset handling of SIG signal(s) to the default
      --ignore-signal[=SIG]   set handling of SIG signal(s) to do nothing
      --list-signal-handling  list non default signal handling to stderr
  -v, --debug          print verbose information for each processing step
      --help        display this help and exit
      --version     output version information and exit

A mere - implies -i.  If no COMMAND, print the resulting environment.

SIG may be a signal name like 'PIPE', or a signal number like '13'.
Without SIG, all known signals are included.  Multiple signals can be
comma-separated.
${helpTail('env')}`

const OPTIONS = [
  ...COMMON_OPTIONS,
  { key: 'ignore', short: 'i', long: 'ignore-environment' },
  { key: 'null', short: '0', long: 'null' },
  { key: 'unset', short: 'u', long: 'unset', arg: 'required' },
  { key: 'chdir', short: 'C', long: 'chdir', arg: 'required' },
  { key: 'split', short: 'S', long: 'split-string', arg: 'required' },
  { key: 'block', long: 'block-signal', arg: 'optional' },
  { key: 'default', long: 'default-signal', arg: 'optional' },
  { key: 'ignoreSignal', long: 'ignore-signal', arg: 'optional' },
  { key: 'list', long: 'list-signal-handling' },
  { key: 'debug', short: 'v', long: 'debug' },
] as const

/** Exit status of env's own failures. */
const EXIT_CANCELED = 125

/** What is to be done before the command runs. */
interface Plan {
  ignore: boolean
  end: string
  unset: string[]
  directory: string | undefined
  debug: boolean
  list: boolean
  ignoredSignals: number[]
}

/** Reads -S wherever it stands: its words take the place of the option. @returns the words, or a status after a message */
function expandSplit(proc: Process, argv: readonly string[], debug: string[]): string[] | number {
  const opts = new Getopt(argv, OPTIONS, true)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined || found.key !== 'split') continue
    const text = found.value ?? ''
    let words: string[]
    try {
      words = splitString(text, proc.env)
    } catch (error) {
      if (!(error instanceof SplitError)) throw error
      return complain(proc, error.message, EXIT_CANCELED)
    }
    const rest = opts.operands
    const before = argv.slice(1, argv.length - rest.length)
    debug.push(`split -S:  ${quote(text)}\n`)
    words.forEach((word, i) => {
      debug.push(`${i === 0 ? ' into:    ' : '     &    '}${quote(word)}\n`)
    })
    // the option itself is the last word before the rest, or the last two, or the end of a cluster
    const option = before.pop() ?? ''
    const cluster = /^-(?!-)([^S]*)S/.exec(option)
    if (cluster === null && !option.startsWith('--split')) {
      const flags = /^-([^S]*)S$/.exec(before.pop() ?? '')?.[1] ?? ''
      if (flags !== '') before.push(`-${flags}`)
    } else if (cluster !== null && cluster[1] !== '') before.push(`-${cluster[1]}`)
    return expandSplit(proc, [argv[0] ?? '', ...before, ...words, ...rest], debug)
  }
  return [...argv]
}

/** @returns the signals of a comma-separated list, or the word that is none */
function signalList(list: string | undefined): number[] | string {
  if (list === undefined) return Object.values(Signal).filter(n => n !== Signal.SIGKILL && n !== Signal.SIGSTOP)
  const numbers: number[] = []
  for (const word of list.split(',')) {
    const number = signalNumber(word)
    if (number === undefined || number === 0) return word
    numbers.push(number)
  }
  return numbers
}

export const main: Program = async proc => {
  const debug: string[] = []
  const argv = expandSplit(proc, proc.argv, debug)
  if (typeof argv === 'number') return argv
  const plan: Plan = {
    ignore: false,
    end: '\n',
    unset: [],
    directory: undefined,
    debug: false,
    list: false,
    ignoredSignals: [],
  }
  const opts = new Getopt(argv, OPTIONS, true)
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return usageError(proc, found.error, EXIT_CANCELED)
    switch (found.key) {
      case 'help':
      case 'version':
        proc.stdout.write(
          found.key === 'help' ? HELP : versionText('env', 'Richard Mlynarik, David MacKenzie, and Assaf Gordon'),
        )
        return 0
      case 'ignore':
        plan.ignore = true
        break
      case 'null':
        plan.end = '\0'
        break
      case 'unset':
        plan.unset.push(found.value!)
        break
      case 'chdir':
        plan.directory = found.value
        break
      case 'debug':
        plan.debug = true
        break
      case 'list':
        plan.list = true
        break
      case 'block':
      case 'default':
      case 'ignoreSignal': {
        const signals = signalList(found.value)
        if (typeof signals === 'string')
          return usageError(proc, `${argv[0]}: ${quote(signals)}: invalid signal`, EXIT_CANCELED)
        if (found.key === 'ignoreSignal') plan.ignoredSignals.push(...signals)
        if (found.key === 'default') for (const signal of signals) proc.signal(signal, 'default')
      }
    }
  }
  return runPlan(proc, plan, opts.operands, debug)
}

/** Sets the environment up and runs the command, or prints the environment. */
async function runPlan(proc: Process, plan: Plan, operands: string[], debug: string[]): Promise<number> {
  const say = (text: string): void => {
    if (plan.debug) proc.stderr.write(text)
  }
  say(debug.join(''))
  if (operands[0] === '-') {
    plan.ignore = true
    operands.shift()
  }
  const { env } = proc
  if (plan.ignore) {
    say('cleaning environ\n')
    env.clear()
  } else
    for (const name of plan.unset) {
      say(`unset:    ${name}\n`)
      if (name === '' || name.includes('='))
        return complain(proc, `cannot unset ${quote(name)}: Invalid argument`, EXIT_CANCELED)
      env.delete(name)
    }
  while (operands[0]?.includes('=') === true) {
    const word = operands.shift()!
    say(`setenv:   ${word}\n`)
    const equals = word.indexOf('=')
    env.set(word.slice(0, equals), word.slice(equals + 1))
  }
  if (operands.length > 0 && plan.end === '\0')
    return usageError(proc, `${proc.argv[0]}: cannot specify --null (-0) with command`, EXIT_CANCELED)
  if (operands.length === 0) {
    if (plan.directory !== undefined)
      return usageError(proc, `${proc.argv[0]}: must specify command with --chdir (-C)`, EXIT_CANCELED)
    for (const [name, value] of env) proc.stdout.write(`${name}=${value}${plan.end}`)
    return 0
  }
  for (const signal of plan.ignoredSignals)
    if (signal !== Signal.SIGKILL && signal !== Signal.SIGSTOP) proc.signal(signal, 'ignore')
  if (plan.list) listSignals(proc)
  if (plan.directory !== undefined) {
    say(`chdir:    ${quote(plan.directory)}\n`)
    try {
      proc.chdir(plan.directory)
    } catch (error) {
      if (!isSysError(error)) throw error
      return complain(
        proc,
        `cannot change directory to ${quote(plan.directory)}: ${strerror(error.errno)}`,
        EXIT_CANCELED,
      )
    }
  }
  say(`executing: ${operands[0]}\n`)
  operands.forEach((word, i) => {
    say(`   arg[${i}]= ${quote(word)}\n`)
  })
  return execCommand(proc, operands, reason => `${proc.argv[0]}: ${quote(operands[0]!)}: ${reason}\n`)
}

/** Tells on standard error which signals are ignored, as /proc knows it. */
function listSignals(proc: Process): void {
  const status = new TextDecoder().decode(proc.readFile('/proc/self/status'))
  const ignored = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`)
  for (const [name, number] of Object.entries(Signal))
    if (((ignored >> BigInt(number - 1)) & 1n) === 1n)
      proc.stderr.write(`${name.slice(3).padEnd(10)} (${String(number).padStart(2)}): IGNORE\n`)
}
