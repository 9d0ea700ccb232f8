/** grep(1), egrep and fgrep, in the C locale. */
import { isSysError } from '../../src/uapi/errno.ts'
import { S_IFDIR, S_IFMT } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { fnmatch } from '../lib/fnmatch.ts'
import { encode, fromBytes } from './lib/bytes.ts'
import { closeInput, LineReader, openInput, reason, Writer } from './lib/io.ts'
import { readOptions } from './lib/options.ts'
import { anyOf, quoteText, type Regex, RegexError, regexSource } from './lib/regex.ts'

const OPTIONS = [
  { key: 'extended', short: 'E', long: 'extended-regexp' },
  { key: 'fixed', short: 'F', long: 'fixed-strings' },
  { key: 'basic', short: 'G', long: 'basic-regexp' },
  { key: 'perl', short: 'P', long: 'perl-regexp' },
  { key: 'pattern', short: 'e', long: 'regexp', arg: 'required' },
  { key: 'file', short: 'f', long: 'file', arg: 'required' },
  { key: 'ignoreCase', short: 'i', long: 'ignore-case' },
  { key: 'ignoreCase', short: 'y' },
  { key: 'useCase', long: 'no-ignore-case' },
  { key: 'word', short: 'w', long: 'word-regexp' },
  { key: 'line', short: 'x', long: 'line-regexp' },
  { key: 'null', short: 'z', long: 'null-data' },
  { key: 'noMessages', short: 's', long: 'no-messages' },
  { key: 'invert', short: 'v', long: 'invert-match' },
  { key: 'max', short: 'm', long: 'max-count', arg: 'required' },
  { key: 'offset', short: 'b', long: 'byte-offset' },
  { key: 'number', short: 'n', long: 'line-number' },
  { key: 'lineBuffered', long: 'line-buffered' },
  { key: 'withName', short: 'H', long: 'with-filename' },
  { key: 'noName', short: 'h', long: 'no-filename' },
  { key: 'label', long: 'label', arg: 'required' },
  { key: 'only', short: 'o', long: 'only-matching' },
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'quiet', long: 'silent' },
  { key: 'binary', long: 'binary-files', arg: 'required' },
  { key: 'text', short: 'a', long: 'text' },
  { key: 'skipBinary', short: 'I' },
  { key: 'directories', short: 'd', long: 'directories', arg: 'required' },
  { key: 'devices', short: 'D', long: 'devices', arg: 'required' },
  { key: 'recursive', short: 'r', long: 'recursive' },
  { key: 'dereference', short: 'R', long: 'dereference-recursive' },
  { key: 'include', long: 'include', arg: 'required' },
  { key: 'exclude', long: 'exclude', arg: 'required' },
  { key: 'excludeFrom', long: 'exclude-from', arg: 'required' },
  { key: 'excludeDir', long: 'exclude-dir', arg: 'required' },
  { key: 'without', short: 'L', long: 'files-without-match' },
  { key: 'with', short: 'l', long: 'files-with-matches' },
  { key: 'count', short: 'c', long: 'count' },
  { key: 'initialTab', short: 'T', long: 'initial-tab' },
  { key: 'nullName', short: 'Z', long: 'null' },
  { key: 'after', short: 'A', long: 'after-context', arg: 'required' },
  { key: 'before', short: 'B', long: 'before-context', arg: 'required' },
  { key: 'context', short: 'C', long: 'context', arg: 'required' },
  { key: 'color', long: 'color', arg: 'optional' },
  { key: 'color', long: 'colour', arg: 'optional' },
  { key: 'groupSeparator', long: 'group-separator', arg: 'required' },
  { key: 'noGroupSeparator', long: 'no-group-separator' },
  { key: 'unix', short: 'U', long: 'binary' },
] as const

const ABOUT = {
  usage: '[OPTION]... PATTERNS [FILE]...',
  does: 'Search for PATTERNS in each FILE.',
  authors: 'Mike Haertel and others',
  status: 2,
}

/** Exit status of trouble. */
const TROUBLE = 2

/** What was asked for. */
interface Search {
  readonly matcher: Matcher
  readonly invert: boolean
  readonly max: number
  readonly offset: boolean
  readonly number: boolean
  readonly names: boolean
  readonly only: boolean
  readonly quiet: boolean
  readonly count: boolean
  readonly list: 'with' | 'without' | undefined
  readonly before: number
  readonly after: number
  readonly separator: string | undefined
  readonly end: string
  readonly nameEnd: string | undefined
  readonly binary: 'text' | 'binary' | 'without-match'
  readonly lineBuffered: boolean
  readonly color: boolean
  readonly label: string
}

/** Finds matches in a line. */
class Matcher {
  private readonly regex: Regex | undefined
  private readonly word: boolean
  private readonly line: boolean

  constructor(regex: Regex | undefined, word: boolean, line: boolean) {
    this.regex = regex
    this.word = word && !line
    this.line = line
  }

  /** @returns the first match at or after `from` */
  find(text: string, from = 0): { start: number; end: number } | undefined {
    if (this.regex === undefined) return undefined
    for (let at = from; at <= text.length; ) {
      const match = this.regex.exec(text, at)
      if (match === undefined) return undefined
      const start = match.index
      let end = match.end
      if (this.line) {
        if (start === 0 && end === text.length) return { start, end }
        return undefined
      }
      if (!this.word) return { start, end }
      // a word: nothing of a word right before or after; a shorter match may be one
      if (start === 0 || !/\w/.test(text[start - 1]!)) {
        while (end > start || end === match.end) {
          if (end === text.length || !/\w/.test(text[end]!)) return end > start ? { start, end } : undefined
          const shorter: ReturnType<Regex['exec']> = this.regex.exec(text.slice(0, end - 1), start)
          if (shorter === undefined || shorter.index !== start) break
          end = shorter.end
        }
      }
      at = start + 1
    }
    return undefined
  }
}

export const main: Program = async proc => {
  const called = (proc.argv[0] ?? '').replace(/^.*\//, '')
  // grep -3 is grep -C 3
  const argv = proc.argv.map((word, i) => (i > 0 && /^-\d+$/.test(word) ? `-C${word.slice(1)}` : word))
  const options = readOptions(proc, OPTIONS, ABOUT, argv)
  if (typeof options === 'number') {
    return options
  }
  const trouble = (message: string): number => {
    proc.stderr.write(`${proc.argv[0]}: ${message}\n`)
    return TROUBLE
  }
  const operands = [...options.operands]
  let patterns: string[] | undefined
  for (const { key, value } of options.list) {
    if (key === 'pattern') (patterns ??= []).push(...encode(value!).split('\n'))
    if (key === 'file') {
      try {
        const text = value === '-' ? fromBytes(await proc.stdin.readAll()) : fromBytes(proc.readFile(value!))
        patterns ??= []
        if (text !== '') patterns.push(...text.replace(/\n$/, '').split('\n'))
      } catch (error) {
        return trouble(`${value}: ${reason(error)}`)
      }
    }
  }
  if (patterns === undefined) {
    const pattern = operands.shift()
    if (pattern === undefined) {
      proc.stderr.write(`Usage: ${proc.argv[0]} ${ABOUT.usage}\nTry '${proc.argv[0]} --help' for more information.\n`)
      return TROUBLE
    }
    patterns = encode(pattern).split('\n')
  }
  let syntax: 'basic' | 'extended' | 'fixed' | 'perl' =
    called === 'egrep' ? 'extended' : called === 'fgrep' ? 'fixed' : 'basic'
  if (called === 'egrep' || called === 'fgrep')
    proc.stderr.write(`${called}: warning: ${called} is obsolescent; using grep -${called === 'egrep' ? 'E' : 'F'}\n`)
  for (const { key } of options.list)
    if (key === 'basic' || key === 'extended' || key === 'fixed' || key === 'perl') syntax = key
  const ignoreCase =
    (options.list.findLast(option => option.key === 'ignoreCase' || option.key === 'useCase')?.key ?? '') ===
    'ignoreCase'
  const number = (key: 'after' | 'before' | 'context'): number | undefined => {
    const text = options.value(key)
    return text === undefined ? undefined : /^\d+$/.test(text) ? Number(text) : Number.NaN
  }
  const context = number('context') ?? 0
  const after = number('after') ?? context
  const before = number('before') ?? context
  for (const [key, value] of [
    ['context', context],
    ['after', after],
    ['before', before],
  ] as const) {
    if (Number.isNaN(value)) return trouble(`${options.value(key)}: invalid context length argument`)
  }
  const maxText = options.value('max')
  if (maxText !== undefined && !/^-?\d+$/.test(maxText)) return trouble('invalid max count')
  const max = maxText === undefined || Number(maxText) < 0 ? Number.POSITIVE_INFINITY : Number(maxText)
  let regex: Regex | undefined
  try {
    const line = options.has('line')
    const sources = patterns.map(pattern => {
      const source =
        syntax === 'fixed'
          ? quoteText(pattern)
          : syntax === 'perl'
            ? perl(pattern)
            : regexSource(pattern, { extended: syntax === 'extended' })
      return line ? `^(?:${source})(?![^])` : source
    })
    regex = sources.length === 0 ? undefined : anyOf(sources, ignoreCase)
  } catch (error) {
    if (!(error instanceof RegexError)) throw error
    return trouble(error.message)
  }
  const recursive = options.has('recursive') || options.has('dereference') || options.value('directories') === 'recurse'
  const files = operands.length > 0 ? operands : [recursive ? '' : '-']
  const color = options.list.findLast(option => option.key === 'color')
  const search: Search = {
    matcher: new Matcher(regex, options.has('word'), options.has('line')),
    invert: options.has('invert'),
    max,
    offset: options.has('offset'),
    number: options.has('number'),
    names: options.has('noName')
      ? options.list.findLast(option => option.key === 'noName' || option.key === 'withName')?.key === 'withName'
      : options.has('withName') || files.length > 1 || recursive,
    only: options.has('only'),
    quiet: options.has('quiet'),
    count: options.has('count'),
    list: options.has('without') ? 'without' : options.has('with') ? 'with' : undefined,
    before: options.has('only') ? 0 : before,
    after: options.has('only') ? 0 : after,
    separator: options.has('noGroupSeparator') ? undefined : (options.value('groupSeparator') ?? '--'),
    end: options.has('null') ? '\0' : '\n',
    nameEnd: options.has('nullName') ? '\0' : undefined,
    binary:
      options.has('text') || options.value('binary') === 'text'
        ? 'text'
        : options.has('skipBinary') || options.value('binary') === 'without-match'
          ? 'without-match'
          : 'binary',
    lineBuffered: options.has('lineBuffered'),
    color:
      color !== undefined &&
      (color.value === 'always' || ((color.value === undefined || color.value === 'auto') && isTerminal(proc))),
    label: options.value('label') ?? '(standard input)',
  }
  const writer = new Writer(proc)
  const filter = nameFilter(options.list)
  let matched = false
  let failed = false
  for await (const name of walk(
    proc,
    files,
    recursive,
    options.has('dereference'),
    filter,
    message => {
      failed = true
      if (!options.has('noMessages')) trouble(message)
    },
    options.value('directories') === 'skip',
  )) {
    try {
      const found = await searchFile(proc, name, search, writer)
      if (found) {
        matched = true
        if (search.quiet) return 0
      }
    } catch (error) {
      const why = reason(error)
      if (!options.has('noMessages')) trouble(`${name === '-' ? search.label : name}: ${why}`)
      failed = why !== 'Is a directory' || failed
      if (why === 'Is a directory') failed = true
    }
  }
  if (failed && !(matched && search.quiet)) return TROUBLE
  return matched ? 0 : 1
}

function isTerminal(proc: Process): boolean {
  try {
    return proc.isatty(1) && (proc.env.get('TERM') ?? 'dumb') !== 'dumb'
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

/** A Perl expression is nearly one of JavaScript. @throws RegexError */
function perl(pattern: string): string {
  let flags = ''
  let text = pattern.replace(/^\(\?([imsx]+)\)/, (_all, letters: string) => {
    flags = letters
    return ''
  })
  text = text
    .replaceAll('\\K', '__KEEP__')
    .replaceAll('\\h', '[ \\t]')
    .replaceAll('\\H', '[^ \\t]')
    .replaceAll('\\A', '^')
    .replace(/\\[zZ]/g, '(?![^])')
    .replace(/\[\[:(\w+):\]\]/g, (all, name: string) => {
      const source = regexSource(`[[:${name}:]]`, { extended: true })
      return source === '' ? all : source
    })
    .replace(/\(\?P?<(\w+)>/g, '(?<$1>')
    .replace(/([*+?}])\+/g, '$1')
    .replace(/\(\?>/g, '(?:')
  // what \K keeps out of the match becomes a look behind
  const keep = text.indexOf('__KEEP__')
  if (keep >= 0) text = `(?<=${text.slice(0, keep)})${text.slice(keep + 8)}`
  if (flags.includes('i')) text = text.replace(/(?<!\\)[a-zA-Z]/g, c => `[${c.toLowerCase()}${c.toUpperCase()}]`)
  try {
    new RegExp(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw new RegexError(error.message.replace(/^.*: /, ''))
    throw error
  }
  return text
}

type Filter = (name: string, directory: boolean) => boolean

/** --include, --exclude and --exclude-dir. */
function nameFilter(list: readonly { readonly key: string; readonly value: string | undefined }[]): Filter {
  const of = (key: string): string[] => list.filter(option => option.key === key).map(option => option.value ?? '')
  const include = of('include')
  const exclude = of('exclude')
  const excludeDir = of('excludeDir')
  return (path, directory) => {
    const base = path.replace(/\/+$/, '').replace(/^.*\//, '')
    if (directory) return !excludeDir.some(pattern => fnmatch(pattern.replace(/\/+$/, ''), base))
    if (exclude.some(pattern => fnmatch(pattern, base))) return false
    return include.length === 0 || include.some(pattern => fnmatch(pattern, base))
  }
}

/** The files to search. */
async function* walk(
  proc: Process,
  names: readonly string[],
  recursive: boolean,
  follow: boolean,
  filter: Filter,
  complain: (message: string) => void,
  skipDirectories: boolean,
  top = true,
): AsyncGenerator<string> {
  for (const name of names) {
    if (name === '-') {
      yield name
      continue
    }
    let directory = false
    try {
      const stat = top || follow ? proc.stat(name === '' ? '.' : name) : proc.lstat(name)
      directory = (stat.mode & S_IFMT) === S_IFDIR
      // symbolic links met on the way are not followed, devices not read
      if (!top && !directory && (stat.mode & S_IFMT) !== 0o100000) continue
    } catch (error) {
      complain(`${name}: ${reason(error)}`)
      continue
    }
    if (!directory) {
      if (filter(name, false)) yield name
      continue
    }
    if (!recursive) {
      if (!skipDirectories) yield name
      continue
    }
    if (!top && !filter(name, true)) continue
    try {
      const base = name === '' ? '' : name.endsWith('/') ? name : `${name}/`
      const entries = proc.readdir(name === '' ? '.' : name).map(entry => base + entry.name)
      yield* walk(proc, entries, true, follow, filter, complain, false, false)
    } catch (error) {
      complain(`${name}: ${reason(error)}`)
    }
  }
}

/** Searches one file. @returns whether a line was selected @throws SysError */
async function searchFile(proc: Process, name: string, search: Search, writer: Writer): Promise<boolean> {
  const fd = openInput(proc, name)
  try {
    return await new FileSearch(proc, fd, name === '-' ? search.label : encode(name), search, writer).run()
  } finally {
    closeInput(proc, fd)
  }
}

class FileSearch {
  private readonly proc: Process
  private readonly reader: LineReader
  private readonly name: string
  private readonly search: Search
  private readonly writer: Writer
  private line = 0
  private offset = 0
  private selected = 0
  /** lines after the last selected one still to be shown */
  private trailing = 0
  private readonly held: { text: string; line: number; offset: number }[] = []
  /** the last line shown, for the separator between groups */
  private shown = 0
  private binary = false

  constructor(proc: Process, fd: number, name: string, search: Search, writer: Writer) {
    this.proc = proc
    this.reader = new LineReader(proc, fd, search.end)
    this.name = name
    this.search = search
    this.writer = writer
  }

  async run(): Promise<boolean> {
    const { search, writer } = this
    const quietly = search.quiet || search.list !== undefined || search.count
    for (;;) {
      if (this.selected >= search.max && this.trailing === 0) break
      const text = await this.reader.next()
      if (text === undefined) break
      this.line++
      const at = this.offset
      this.offset += text.length + 1
      if (search.binary !== 'text' && !this.binary && text.includes('\0')) {
        if (search.binary === 'without-match') return false
        this.binary = true
      }
      const match = this.selected >= search.max ? undefined : search.matcher.find(text)
      if ((match !== undefined) !== search.invert && this.selected < search.max) {
        this.selected++
        if (search.quiet || search.list !== undefined) break
        if (!quietly) {
          if (this.binary) {
            writer.write(`${this.proc.argv[0]}: ${this.name}: binary file matches\n`)
            return true
          }
          this.show(text, at)
        }
        if (search.lineBuffered) await this.proc.stdout.flush()
      } else if (!quietly) this.context(text, at)
      await writer.relax()
    }
    const found = this.selected > 0
    if (search.quiet) return found
    if (search.list !== undefined) {
      if (found === (search.list === 'with')) writer.write(this.name + (search.nameEnd ?? '\n'))
      return search.list === 'without' ? !found : found
    }
    if (search.count) writer.write(`${search.names ? this.name + (search.nameEnd ?? ':') : ''}${this.selected}\n`)
    return found
  }

  private prefix(mark: string, line: number, offset: number): string {
    const { search } = this
    let out = ''
    if (search.names)
      out += search.color
        ? `\x1b[35m\x1b[K${this.name}\x1b[m\x1b[K${search.nameEnd ?? `\x1b[36m\x1b[K${mark}\x1b[m\x1b[K`}`
        : this.name + (search.nameEnd ?? mark)
    const figure = (n: number): string =>
      search.color ? `\x1b[32m\x1b[K${n}\x1b[m\x1b[K\x1b[36m\x1b[K${mark}\x1b[m\x1b[K` : `${n}${mark}`
    if (search.number) out += figure(line)
    if (search.offset) out += figure(offset)
    return out
  }

  /** A line of context, shown now or later, if at all. */
  private context(text: string, offset: number): void {
    const { search } = this
    if (this.trailing > 0) {
      this.trailing--
      this.writer.write(`${this.prefix('-', this.line, offset)}${text}${search.end}`)
      this.shown = this.line
      return
    }
    if (search.before === 0) return
    this.held.push({ text, line: this.line, offset })
    if (this.held.length > search.before) this.held.shift()
  }

  private show(text: string, offset: number): void {
    const { search, writer } = this
    const first = this.held[0]?.line ?? this.line
    if (
      (search.before > 0 || search.after > 0) &&
      search.separator !== undefined &&
      this.shown > 0 &&
      first > this.shown + 1
    ) {
      writer.write(`${search.color ? `\x1b[36m\x1b[K${search.separator}\x1b[m\x1b[K` : search.separator}\n`)
    }
    for (const held of this.held.splice(0))
      writer.write(`${this.prefix('-', held.line, held.offset)}${held.text}${search.end}`)
    this.shown = this.line
    this.trailing = search.after
    if (search.only) {
      if (search.invert) return
      for (let at = 0; at <= text.length; ) {
        const match = search.matcher.find(text, at)
        if (match === undefined) break
        if (match.end > match.start)
          writer.write(
            `${this.prefix(':', this.line, offset + match.start)}${this.highlight(text.slice(match.start, match.end))}${search.end}`,
          )
        at = match.end > match.start ? match.end : match.end + 1
      }
      return
    }
    writer.write(
      `${this.prefix(':', this.line, offset)}${search.color && !search.invert ? this.colored(text) : text}${search.end}`,
    )
  }

  private highlight(text: string): string {
    return this.search.color ? `\x1b[01;31m\x1b[K${text}\x1b[m\x1b[K` : text
  }

  private colored(text: string): string {
    let out = ''
    let at = 0
    while (at <= text.length) {
      const match = this.search.matcher.find(text, at)
      if (match === undefined) break
      if (match.end === match.start) {
        out += text.slice(at, match.end + 1)
        at = match.end + 1
        continue
      }
      out += text.slice(at, match.start) + this.highlight(text.slice(match.start, match.end))
      at = match.end
    }
    return out + text.slice(at)
  }
}
