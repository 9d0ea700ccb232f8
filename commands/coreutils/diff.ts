/** diff(1): normal, unified, context, brief and side-by-side output, directories. */
import type { Process, Program } from '../../src/uapi/process.ts'
import { usageError } from '../lib/coreutils.ts'
import { fnmatch } from '../lib/fnmatch.ts'
import { compare, type Hunk, script } from './diff/compare.ts'
import { context, ed, normal, sideBySide, unified } from './diff/print.ts'
import { encode } from './lib/bytes.ts'
import { baseName, isDirectory, statOf, within } from './lib/files.ts'
import { readInput, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'
import { compileRegex, type Regex } from './lib/regex.ts'
import { strftime } from './lib/strftime.ts'

const OPTIONS = [
  { key: 'normal', long: 'normal' },
  { key: 'brief', short: 'q', long: 'brief' },
  { key: 'same', short: 's', long: 'report-identical-files' },
  { key: 'c', short: 'c' },
  { key: 'contextLines', short: 'C', long: 'context', arg: 'optional' },
  { key: 'u', short: 'u' },
  { key: 'unifiedLines', short: 'U', arg: 'required' },
  { key: 'unifiedLines', long: 'unified', arg: 'optional' },
  { key: 'ed', short: 'e', long: 'ed' },
  { key: 'side', short: 'y', long: 'side-by-side' },
  { key: 'width', short: 'W', long: 'width', arg: 'required' },
  { key: 'suppress', long: 'suppress-common-lines' },
  { key: 'label', long: 'label', arg: 'required' },
  { key: 'recursive', short: 'r', long: 'recursive' },
  { key: 'newFile', short: 'N', long: 'new-file' },
  { key: 'ignoreCase', short: 'i', long: 'ignore-case' },
  { key: 'ignoreTabs', short: 'E', long: 'ignore-tab-expansion' },
  { key: 'ignoreTrailing', short: 'Z', long: 'ignore-trailing-space' },
  { key: 'ignoreChange', short: 'b', long: 'ignore-space-change' },
  { key: 'ignoreAll', short: 'w', long: 'ignore-all-space' },
  { key: 'ignoreBlank', short: 'B', long: 'ignore-blank-lines' },
  { key: 'ignoreMatching', short: 'I', long: 'ignore-matching-lines', arg: 'required' },
  { key: 'text', short: 'a', long: 'text' },
  { key: 'strip', long: 'strip-trailing-cr' },
  { key: 'minimal', short: 'd', long: 'minimal' },
  { key: 'showFunction', short: 'p', long: 'show-c-function' },
  { key: 'expandTabs', short: 't', long: 'expand-tabs' },
  { key: 'initialTab', short: 'T', long: 'initial-tab' },
  { key: 'color', long: 'color', arg: 'optional' },
  { key: 'exclude', short: 'x', long: 'exclude', arg: 'required' },
  { key: 'noDereference', long: 'no-dereference' },
  { key: 'speed', long: 'speed-large-files' },
] as const

const ABOUT = {
  usage: '[OPTION]... FILES',
  does: 'Compare FILES line by line.',
  authors: 'Paul Eggert, Mike Haertel, David Hayes,\nRichard Stallman, and Len Tower',
  status: 2,
}

/** Exit statuses. */
const DIFFERENT = 1
const TROUBLE = 2

type Options = Exclude<ReturnType<typeof readOptions<(typeof OPTIONS)[number]['key']>>, number>

export const main: Program = async proc => {
  const argv = proc.argv.map(word => (/^-\d+$/.test(word) ? `-U${word.slice(1)}` : word))
  const options = readOptions(proc, OPTIONS, ABOUT, argv)
  if (typeof options === 'number') return options
  const name = proc.argv[0]!
  const { operands } = options
  if (operands.length < 2) return usageError(proc, `${name}: missing operand after '${operands[0] ?? name}'`, TROUBLE)
  if (operands.length > 2) return usageError(proc, `${name}: extra operand '${operands[2]}'`, TROUBLE)
  return new Diff(proc, options).pair(operands[0]!, operands[1]!, true)
}

class Diff {
  private readonly proc: Process
  private readonly options: Options
  private readonly writer: Writer
  private readonly ignored: Regex[]

  constructor(proc: Process, options: Options) {
    this.proc = proc
    this.options = options
    this.writer = new Writer(proc)
    this.ignored = options.values('ignoreMatching').map(pattern => compileRegex(encode(pattern), { extended: false }))
  }

  private trouble(message: string): number {
    this.proc.stderr.write(`${this.proc.argv[0]}: ${message}\n`)
    return TROUBLE
  }

  async pair(left: string, right: string, top: boolean): Promise<number> {
    const { proc, options } = this
    let a = left
    let b = right
    const directoryA = a !== '-' && isDirectory(statOf(proc, a))
    const directoryB = b !== '-' && isDirectory(statOf(proc, b))
    if (directoryA && directoryB) return this.directories(a, b)
    if (top && directoryA && b !== '-') a = within(a, baseName(b))
    else if (top && directoryB && a !== '-') b = within(b, baseName(a))
    else if (directoryA !== directoryB) {
      const kind = (path: string, directory: boolean): string =>
        directory ? 'directory' : statOf(proc, path)?.size === 0 ? 'regular empty file' : 'regular file'
      this.writer.write(encode(`File ${a} is a ${kind(a, directoryA)} while file ${b} is a ${kind(b, directoryB)}\n`))
      return DIFFERENT
    }
    const texts: string[] = []
    let bad = false
    for (const file of [a, b]) {
      try {
        if (
          options.has('newFile') &&
          file !== '-' &&
          statOf(proc, file) === undefined &&
          statOf(proc, file === a ? b : a) !== undefined
        )
          texts.push('')
        else texts.push(await readInput(proc, file))
      } catch (error) {
        this.trouble(`${file}: ${reason(error)}`)
        bad = true
      }
    }
    if (bad) return TROUBLE
    return this.files(a, b, texts[0]!, texts[1]!, top)
  }

  private async files(a: string, b: string, textA: string, textB: string, top: boolean): Promise<number> {
    const { options, writer } = this
    if (textA === textB) {
      if (options.has('same')) writer.write(encode(`Files ${a} and ${b} are identical\n`))
      return 0
    }
    if (!options.has('text') && (textA.slice(0, 4096).includes('\0') || textB.slice(0, 4096).includes('\0'))) {
      writer.write(
        encode(options.has('brief') ? `Files ${a} and ${b} differ\n` : `Binary files ${a} and ${b} differ\n`),
      )
      return options.has('brief') ? DIFFERENT : TROUBLE
    }
    const linesA = split(options.has('strip') ? textA.replaceAll('\r\n', '\n') : textA)
    const linesB = split(options.has('strip') ? textB.replaceAll('\r\n', '\n') : textB)
    const keys = (lines: readonly string[]): string[] => lines.map(line => this.key(line))
    await this.proc.yield()
    let hunks: Hunk[] = script(compare(keys(linesA), keys(linesB)), linesA.length, linesB.length)
    if (options.has('ignoreBlank') || this.ignored.length > 0)
      hunks = hunks.filter(hunk => !this.ignorable(hunk, linesA, linesB))
    if (hunks.length === 0 && !options.has('side')) {
      if (options.has('same')) writer.write(encode(`Files ${a} and ${b} are identical\n`))
      return 0
    }
    if (options.has('brief')) {
      writer.write(encode(`Files ${a} and ${b} differ\n`))
      return DIFFERENT
    }
    if (!top) writer.write(encode(`diff${this.switches()} ${a} ${b}\n`))
    const input = { a: linesA, b: linesB, hunks }
    const [labelA, labelB] = options.values('label')
    if (options.has('u') || options.has('unifiedLines')) {
      const count = Number(options.value('unifiedLines') ?? '3')
      writer.write(
        encode(`--- ${labelA ?? this.heading(a)}\n+++ ${labelB ?? this.heading(b)}\n`) + unified(input, count),
      )
    } else if (options.has('c') || options.has('contextLines')) {
      const count = Number(options.value('contextLines') ?? '3')
      writer.write(
        encode(`*** ${labelA ?? this.heading(a)}\n--- ${labelB ?? this.heading(b)}\n`) + context(input, count),
      )
    } else if (options.has('ed')) writer.write(ed(input))
    else if (options.has('side'))
      writer.write(sideBySide(input, Number(options.value('width') ?? '130'), options.has('suppress')))
    else writer.write(normal(input))
    await writer.relax()
    return hunks.length > 0 ? DIFFERENT : 0
  }

  /** A file's name and time, for the headings. */
  private heading(file: string): string {
    const { proc } = this
    const mtime = file === '-' ? proc.realtime() : (statOf(proc, file)?.mtime ?? 0)
    return `${file}\t${strftime('%Y-%m-%d %H:%M:%S.%N %z', mtime, proc.env.get('TZ') ?? '')}`
  }

  /** The options as they are repeated in front of each pair of files of two directories. */
  private switches(): string {
    return this.proc.argv
      .slice(1)
      .filter(word => word.startsWith('-') && word !== '-')
      .map(word => ` ${word}`)
      .join('')
  }

  private key(line: string): string {
    const { options } = this
    let text = line
    if (options.has('ignoreAll')) text = text.replace(/[ \t\n\v\f\r]+/g, '')
    else if (options.has('ignoreChange')) text = text.replace(/[ \t\v\f\r]+/g, ' ').replace(/ \n?$/, '\n')
    else if (options.has('ignoreTrailing')) text = text.replace(/[ \t\v\f\r]+\n?$/, '\n')
    if (options.has('ignoreCase')) text = text.toLowerCase()
    return text
  }

  /** A change of blank lines only, or of lines that are to be ignored. */
  private ignorable(hunk: Hunk, a: readonly string[], b: readonly string[]): boolean {
    const lines = [...a.slice(hunk.a, hunk.a + hunk.deleted), ...b.slice(hunk.b, hunk.b + hunk.inserted)].map(line =>
      line.replace(/\n$/, ''),
    )
    return lines.every(
      line => (this.options.has('ignoreBlank') && line.trim() === '') || this.ignored.some(regex => regex.test(line)),
    )
  }

  private async directories(a: string, b: string): Promise<number> {
    const { proc, options, writer } = this
    const excluded = options.values('exclude')
    const names = (dir: string): Set<string> =>
      new Set(
        proc
          .readdir(dir)
          .map(entry => entry.name)
          .filter(name => !excluded.some(pattern => fnmatch(pattern, name))),
      )
    const left = names(a)
    const right = names(b)
    let status = 0
    for (const name of [...new Set([...left, ...right])].sort()) {
      const here = within(a, name)
      const there = within(b, name)
      if (!left.has(name) || !right.has(name)) {
        if (!options.has('newFile')) {
          writer.write(encode(`Only in ${left.has(name) ? a : b}: ${name}\n`))
          status = Math.max(status, DIFFERENT)
          continue
        }
      } else if (isDirectory(statOf(proc, here)) && isDirectory(statOf(proc, there))) {
        if (options.has('recursive')) status = Math.max(status, await this.pair(here, there, false))
        else writer.write(encode(`Common subdirectories: ${here} and ${there}\n`))
        continue
      }
      status = Math.max(status, await this.pair(here, there, false))
    }
    return status
  }
}

/** Lines with their newlines; the last may have none. */
function split(text: string): string[] {
  const lines = text.split('\n').map(line => `${line}\n`)
  const last = lines.pop()!
  if (last !== '\n') lines.push(last.slice(0, -1))
  return lines
}
