/** xargs(1) */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { O_RDONLY } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { decode } from './lib/bytes.ts'
import { complain, readAll, reason } from './lib/io.ts'
import { readOptions } from './lib/options.ts'

const OPTIONS = [
  { key: 'null', short: '0', long: 'null' },
  { key: 'file', short: 'a', long: 'arg-file', arg: 'required' },
  { key: 'delimiter', short: 'd', long: 'delimiter', arg: 'required' },
  { key: 'eof', short: 'E', arg: 'required' },
  { key: 'eof', short: 'e', long: 'eof', arg: 'optional' },
  { key: 'replace', short: 'I', arg: 'required' },
  { key: 'replaceDefault', short: 'i', long: 'replace', arg: 'optional' },
  { key: 'lines', short: 'L', arg: 'required' },
  { key: 'lines', short: 'l', long: 'max-lines', arg: 'optional' },
  { key: 'args', short: 'n', long: 'max-args', arg: 'required' },
  { key: 'procs', short: 'P', long: 'max-procs', arg: 'required' },
  { key: 'openTty', short: 'o', long: 'open-tty' },
  { key: 'interactive', short: 'p', long: 'interactive' },
  { key: 'noRunIfEmpty', short: 'r', long: 'no-run-if-empty' },
  { key: 'size', short: 's', long: 'max-chars', arg: 'required' },
  { key: 'verbose', short: 't', long: 'verbose' },
  { key: 'exit', short: 'x', long: 'exit' },
] as const

const ABOUT = {
  usage: '[OPTION]... COMMAND [INITIAL-ARGS]...',
  does: 'Run COMMAND with arguments INITIAL-ARGS and more arguments read from input.',
  authors: 'Mike Rendell, David MacKenzie, Jim Meyering, and others',
  stopEarly: true,
}

/** Exit statuses: of commands that failed, and of those that could not be run. */
const EXIT_FAILED = 123
const EXIT_255 = 124
const EXIT_KILLED = 125
/** Bytes of arguments that one command gets. */
const COMMAND_SIZE = 131_072

/** An argument, and whether it ends its line. */
interface Item {
  readonly text: string
  readonly endsLine: boolean
}

class QuoteError extends Error {}

/** Splits the input at blanks, with quotes and backslashes. @throws QuoteError */
function words(input: string): Item[] {
  const items: { text: string; endsLine: boolean }[] = []
  let current: string | undefined
  const finish = (endsLine: boolean): void => {
    if (current !== undefined) items.push({ text: current, endsLine })
    // a blank at the end of a line goes on to the next for -L
    current = undefined
  }
  for (let i = 0; i < input.length; i++) {
    const c = input[i]!
    if (c === '\n') {
      if (current === undefined && items.length > 0 && !/[ \t]/.test(input[i - 1] ?? ''))
        items[items.length - 1]!.endsLine = true
      finish(!/[ \t]/.test(input[i - 1] ?? ''))
    } else if (c === ' ' || c === '\t') finish(false)
    else if (c === "'" || c === '"') {
      const end = input.indexOf(c, i + 1)
      const line = input.indexOf('\n', i + 1)
      if (end < 0 || (line >= 0 && line < end)) {
        throw new QuoteError(
          `unmatched ${c === '"' ? 'double' : 'single'} quote; by default quotes are special to xargs unless you use the -0 option`,
        )
      }
      current = (current ?? '') + input.slice(i + 1, end)
      i = end
    } else if (c === '\\') current = (current ?? '') + (input[++i] ?? '')
    else current = (current ?? '') + c
  }
  finish(true)
  return items
}

export const main: Program = async proc => {
  const options = readOptions(proc, OPTIONS, ABOUT)
  if (typeof options === 'number') return options
  const command = options.operands.length === 0 ? ['echo'] : options.operands
  const number = (key: 'lines' | 'args' | 'procs' | 'size', letter: string): number | undefined => {
    const text = options.list.some(option => option.key === key) ? (options.value(key) ?? '1') : undefined
    if (text === undefined) return undefined
    if (!/^\d+$/.test(text)) {
      complain(proc, `invalid number "${text}" for -${letter} option`)
      return Number.NaN
    }
    if (Number(text) < 1 && key !== 'procs') {
      complain(proc, `value ${text} for -${letter} option should be >= 1`)
      return Number.NaN
    }
    return Number(text)
  }
  const lines = number('lines', 'L')
  const perCommand = number('args', 'n')
  const procs = number('procs', 'P') ?? 1
  const size = number('size', 's') ?? COMMAND_SIZE
  if ([lines, perCommand, procs, size].some(Number.isNaN)) return 1
  const replace = options.list.findLast(option => option.key === 'replace' || option.key === 'replaceDefault')
  const token = replace === undefined ? undefined : (replace.value ?? '{}')
  let input: string
  const file = options.value('file')
  try {
    const fd = file === undefined || file === '-' ? 0 : proc.open(file, O_RDONLY)
    input = await readAll(proc, fd)
    if (fd !== 0) proc.close(fd)
  } catch (error) {
    return complain(proc, `Cannot open input file ${JSON.stringify(file).replaceAll('"', "'")}: ${reason(error)}`)
  }
  let items: Item[]
  const delimiter = options.has('null') ? '\0' : options.value('delimiter')
  try {
    if (delimiter !== undefined) {
      const named: Readonly<Record<string, string>> = {
        '\\n': '\n',
        '\\t': '\t',
        '\\0': '\0',
        '\\r': '\r',
        '\\\\': '\\',
      }
      const separator = named[delimiter] ?? delimiter[0] ?? '\0'
      const parts = input.split(separator)
      if (parts[parts.length - 1] === '') parts.pop()
      items = parts.map(text => ({ text, endsLine: true }))
    } else if (token !== undefined) {
      items = input
        .split('\n')
        .map(line => line.replace(/^[ \t]+/, ''))
        .filter(line => line !== '')
        .map(line => ({
          text: words(line)
            .map(item => item.text)
            .join(' '),
          endsLine: true,
        }))
      // blanks within a line stay as they are
      if (!/['"\\]/.test(input))
        items = input
          .split('\n')
          .map(line => ({ text: line.replace(/^[ \t]+/, ''), endsLine: true }))
          .filter(item => item.text !== '')
    } else items = words(input)
  } catch (error) {
    if (!(error instanceof QuoteError)) throw error
    return complain(proc, error.message)
  }
  const eof = options.value('eof')
  if (eof !== undefined && delimiter === undefined) {
    const at = items.findIndex(item => item.text === eof)
    if (at >= 0) items = items.slice(0, at)
  }
  const runner = new Runner(
    proc,
    procs === 0 ? Number.POSITIVE_INFINITY : procs,
    options.has('verbose') || options.has('interactive'),
  )
  if (token !== undefined) {
    for (const item of items) {
      const text = decode(item.text)
      if (!(await runner.start(command.map(word => word.replaceAll(token, text))))) break
    }
    return runner.finish()
  }
  const maxArgs = perCommand ?? Number.POSITIVE_INFINITY
  const maxLines = lines ?? Number.POSITIVE_INFINITY
  let batch: string[] = []
  let batchLines = 0
  let length = 0
  const base = command.reduce((sum, word) => sum + word.length + 1, 0)
  let ran = false
  const flush = async (): Promise<boolean> => {
    ran = true
    const args = batch
    batch = []
    batchLines = 0
    length = 0
    return runner.start([...command, ...args])
  }
  for (const item of items) {
    if (batch.length > 0 && base + length + item.text.length + 1 > size && !(await flush())) return runner.finish()
    batch.push(decode(item.text))
    length += item.text.length + 1
    if (item.endsLine) batchLines++
    if ((batch.length >= maxArgs || batchLines >= maxLines) && !(await flush())) return runner.finish()
  }
  if (
    batch.length > 0 ||
    (!ran && !options.has('noRunIfEmpty') && lines === undefined) ||
    (!ran && !options.has('noRunIfEmpty') && items.length === 0)
  )
    await flush()
  return runner.finish()
}

/** Runs commands, some at a time. */
class Runner {
  private readonly proc: Process
  private readonly limit: number
  private readonly verbose: boolean
  private running = 0
  private status = 0
  private stopped = false

  constructor(proc: Process, limit: number, verbose: boolean) {
    this.proc = proc
    this.limit = limit
    this.verbose = verbose
  }

  /** @returns false where nothing more is to be run */
  async start(words: readonly string[]): Promise<boolean> {
    while (this.running >= this.limit) await this.wait()
    if (this.stopped) return false
    const { proc } = this
    if (this.verbose)
      proc.stderr.write(`${words.map(word => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word}'`)).join(' ')}\n`)
    await proc.stdout.flush()
    proc.fork(async child => {
      child.dup2(child.open('/dev/null', O_RDONLY), 0)
      try {
        return await child.exec(words[0]!, words)
      } catch (error) {
        if (!isSysError(error)) throw error
        if (error.errno === Errno.ENOEXEC)
          return child.exec('/bin/sh', ['sh', child.which(words[0]!) ?? words[0]!, ...words.slice(1)])
        child.stderr.write(`${proc.argv[0]}: ${words[0]}: ${strerror(error.errno)}\n`)
        return error.errno === Errno.ENOENT ? 127 : 126
      }
    })
    this.running++
    if (this.limit === 1) await this.wait()
    return !this.stopped
  }

  private async wait(): Promise<void> {
    const ended = await this.proc.waitpid(-1)
    this.running--
    if (ended?.kind === 'signaled') {
      this.proc.stderr.write(`${this.proc.argv[0]}: command terminated by signal ${ended.signal}\n`)
      this.status = EXIT_KILLED
      this.stopped = true
    } else if (ended?.kind === 'exited' && ended.status !== 0) {
      if (ended.status === 255) {
        this.proc.stderr.write(`${this.proc.argv[0]}: command exited with status 255; aborting\n`)
        this.status = EXIT_255
        this.stopped = true
      } else if (ended.status === 126 || ended.status === 127) {
        this.status = ended.status
        this.stopped = true
      } else if (this.status === 0) this.status = EXIT_FAILED
    }
  }

  async finish(): Promise<number> {
    while (this.running > 0) await this.wait()
    return this.status
  }
}
