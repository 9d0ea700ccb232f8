/** kill(1) of procps; shells have one of their own. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { Signal } from '../../src/uapi/signal.ts'
import { PROCPS_VERSION, procpsSignalName, procpsSignalNumber } from '../lib/procps.ts'

const USAGE = `
Usage:
 kill [options] <pid> [...]

Options:
 <pid> [...]            send signal to every <pid> listed
 -<signal>, -s, --signal <signal>
                        specify the <signal> to be sent
 -q, --queue <value>    integer value to be sent with the signal
 -l, --list=[<signal>]  list all signal names, or convert one to a name
 -L, --table            list all signal names in a nice table

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see kill(1).
`

/** Standard signals, in order. */
const STANDARD = Array.from({ length: 31 }, (_, i) => i + 1)
const COLUMNS = 80

/** -l without a name: all names in lines of at most 80 columns. */
function listNames(): string {
  let text = ''
  let column = 0
  for (const number of STANDARD) {
    const name = procpsSignalName(number) ?? ''
    if (column + name.length + 1 > COLUMNS) {
      text += '\n'
      column = 0
    }
    text += column === 0 ? name : ` ${name}`
    column += name.length + 1
  }
  return `${text}\n`
}

/** -L: names with numbers, seven to a line. */
function table(): string {
  let text = ''
  for (const number of STANDARD) {
    const last = number % 7 === 0
    text += `${String(number).padStart(2)} ${(procpsSignalName(number) ?? '').padEnd(last ? 0 : 8)}${last ? '\n' : ''}`
  }
  return `${text}\n`
}

/** -l NAME: a name for a number or a number for a name. */
function convert(proc: Process, word: string): number {
  const number = procpsSignalNumber(word)
  const name = number === undefined ? undefined : procpsSignalName(number)
  if (number === undefined || name === undefined) proc.stderr.write(`${proc.argv[0]}: unknown signal name ${word}\n`)
  else proc.stdout.write(`${/^\d/.test(word) ? name : number}\n`)
  return 0
}

/** Takes a `-SIGNAL` out of the words. @returns its number */
function signalOption(words: string[]): number | undefined {
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === '--') return undefined
    if (!/^-[^-]/.test(word)) continue
    const number = procpsSignalNumber(word.slice(1))
    if (number === undefined) continue
    words.splice(i, 1)
    return number
  }
  return undefined
}

function usage(proc: Process, message?: string): number {
  if (message !== undefined) proc.stderr.write(`${proc.argv[0]}: ${message}\n`)
  proc.stderr.write(USAGE)
  return 1
}

export const main: Program = proc => {
  const words = proc.argv.slice(1)
  if (words.length === 0) return usage(proc)
  let signal: number | undefined = signalOption(words) ?? Signal.SIGTERM
  const targets: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === '--') {
      targets.push(...words.slice(i + 1))
      break
    }
    if (!/^-./.test(word)) {
      targets.push(word)
      continue
    }
    const [, long, longValue] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? []
    const letter =
      long === undefined
        ? word[1]!
        : ({ list: 'l', table: 'L', help: 'h', version: 'V', signal: 's', queue: 'q' }[long] ?? '')
    const attached = long === undefined ? word.slice(2) : longValue
    const value = (): string | undefined => (attached === undefined || attached === '' ? words[++i] : attached)
    switch (letter) {
      case 'l': {
        const name = value()
        if (name !== undefined) return convert(proc, name)
        proc.stdout.write(listNames())
        return 0
      }
      case 'L':
        proc.stdout.write(table())
        return 0
      case 'h':
        proc.stdout.write(USAGE)
        return 0
      case 'V':
        proc.stdout.write(`kill from ${PROCPS_VERSION}\n`)
        return 0
      case 's': {
        const name = value()
        if (name === undefined) return usage(proc, 'invalid argument s')
        signal = procpsSignalNumber(name)
        break
      }
      case 'q': {
        const number = value()
        if (number === undefined) return usage(proc, 'invalid argument q')
        if (!/^[+-]?\d+$/.test(number)) {
          proc.stderr.write(`${proc.argv[0]}: must be an integer value to be passed with the signal.: '${number}'\n`)
          return 1
        }
        break
      }
      default: {
        if (!/^\d$/.test(letter)) return usage(proc, `invalid argument ${letter}`)
        // a digit that is no signal: a group's number, as far as its first digit; success and failure are mixed up
        try {
          proc.kill(-Number(letter), signal ?? Signal.SIGTERM)
        } catch (error) {
          if (!isSysError(error)) throw error
          return 0
        }
        return 1
      }
    }
  }
  if (targets.length === 0) return usage(proc)
  let status = 0
  for (const target of targets) {
    if (!/^[+-]?\d+$/.test(target)) {
      proc.stderr.write(`${proc.argv[0]}: failed to parse argument: '${target}'\n`)
      return 1
    }
    try {
      proc.kill(Number(target), signal ?? -1)
    } catch (error) {
      if (!isSysError(error)) throw error
      proc.stderr.write(`${proc.argv[0]}: (${Number(target)}): ${strerror(error.errno)}\n`)
      status = 1
    }
  }
  return status
}
