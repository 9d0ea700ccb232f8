/**
 * The command line of ps: options of the Unix kind (`-ef`), of the BSD kind (`aux`) and of the GNU kind (`--sort`), all
 * in one line. Where Unix options make no sense as such (`-aux`), they are read as BSD's.
 */

import type { Process } from '../../src/uapi/process.ts'
import { lookupGroup, userId } from '../lib/accounts.ts'
import type { ProcInfo } from '../lib/procps.ts'
import { AIX, COLUMNS } from './columns.ts'

/** A wrong command line; the text goes behind `error: `. */
export class PsError extends Error {}

/** A column of the output, with its own heading and width where given. */
export interface Field {
  readonly name: string
  readonly header?: string
  readonly width?: number
}

/** What the command line asks for. */
export interface PsOptions {
  /** a process is shown where one of these accepts it; none: the caller's own on its terminal */
  selectors: ((info: ProcInfo) => boolean)[]
  all: boolean
  /** -a: with a terminal, but no session leaders; -d: no session leaders */
  simple: 'a' | 'd' | undefined
  bsdAll: boolean
  bsdNoTty: boolean
  onlyRunning: boolean
  thisTty: boolean
  negate: boolean
  /** the letters of predefined formats */
  unixFormat: Set<string>
  bsdFormat: string | undefined
  bsd: boolean
  fields: Field[] | undefined
  /** -O: fields between the pid and the rest */
  extraFields: Field[]
  sort: { readonly name: string; readonly reverse: boolean }[]
  header: boolean
  forest: boolean
  hierarchy: boolean
  threads: 'L' | 'T' | 'm' | undefined
  security: boolean
  schedClass: boolean
  noFlags: boolean
  processorColumn: boolean
  trueName: boolean
  environment: boolean
  numeric: boolean
  wide: number
  columns: number | undefined
  /** --help, --version, L: what to do instead */
  instead:
    | { readonly kind: 'help'; readonly section: string | undefined }
    | { readonly kind: 'version' | 'list' }
    | undefined
}

function emptyOptions(): PsOptions {
  return {
    selectors: [],
    all: false,
    simple: undefined,
    bsdAll: false,
    bsdNoTty: false,
    onlyRunning: false,
    thisTty: false,
    negate: false,
    unixFormat: new Set(),
    bsdFormat: undefined,
    bsd: false,
    fields: undefined,
    extraFields: [],
    sort: [],
    header: true,
    forest: false,
    hierarchy: false,
    threads: undefined,
    security: false,
    schedClass: false,
    noFlags: false,
    processorColumn: false,
    trueName: false,
    environment: false,
    numeric: false,
    wide: 0,
    columns: undefined,
    instead: undefined,
  }
}

/** Reads a list of fields: names with `:width` and `=heading`, or `%x` descriptors. */
function fieldList(text: string): Field[] {
  if (/%[A-Za-z](?![A-Za-z])/.test(text)) return aixList(text)
  const fields: Field[] = []
  let rest = text
  while (rest !== '') {
    const match = /^([^,=\s]+)(?:=([^,]*))?(?:[,\s]+|$)/.exec(rest)
    if (match === null) throw new PsError('improper format list')
    rest = rest.slice(match[0].length)
    const [, spec = '', header] = match
    const [name = '', width] = spec.split(':')
    if (!COLUMNS.has(name)) throw new PsError(`unknown user-defined format specifier "${name}"`)
    fields.push({
      name,
      ...(header === undefined ? {} : { header }),
      ...(width === undefined ? {} : { width: Number(width) }),
    })
  }
  return fields
}

function aixList(text: string): Field[] {
  const fields: Field[] = []
  for (const word of text.split(/\s+/).filter(part => part !== '')) {
    const name = /^%[A-Za-z]$/.test(word) ? AIX.get(word[1]!) : undefined
    if (name === undefined) throw new PsError('improper AIX field descriptor')
    fields.push({ name })
  }
  return fields
}

function sortList(text: string): PsOptions['sort'] {
  return text.split(',').map(word => {
    const name = word.replace(/^[+-]/, '')
    if (!COLUMNS.has(name)) throw new PsError('unknown sort specifier')
    return { name, reverse: word.startsWith('-') }
  })
}

const PID_MAX = 0x7fffffff

/** Reads options into one object. */
class Parser {
  private readonly proc: Process
  private readonly words: readonly string[]
  private readonly options = emptyOptions()
  private readonly forceBsd: boolean
  private at = 0

  constructor(proc: Process, words: readonly string[], forceBsd: boolean) {
    this.proc = proc
    this.words = words
    this.forceBsd = forceBsd
  }

  parse(): PsOptions {
    while (this.at < this.words.length && this.options.instead === undefined) {
      const word = this.words[this.at++]!
      if (word.startsWith('--')) this.gnu(word.slice(2))
      else if (/^\d/.test(word)) this.select(pids(word), true)
      else if (/^-\d/.test(word))
        this.select(
          byNumbers(word.slice(1), info => info.sid),
          true,
        )
      else if (word.startsWith('-')) {
        if (word === '-') throw new PsError('garbage option')
        if (this.forceBsd) this.bsd(word.slice(1))
        else this.unix(word.slice(1))
      } else this.bsd(word)
    }
    return this.options
  }

  /** The value of an option: what follows its letter, or the next word. */
  private value(rest: string, missing: string): string {
    const text = rest !== '' ? rest : (this.words[this.at++] ?? '')
    if (text === '') throw new PsError(missing)
    return text
  }

  private select(accept: (info: ProcInfo) => boolean, bsd = false): void {
    this.options.selectors.push(accept)
    if (bsd) this.options.bsd = true
  }

  /** Selections by list, which all kinds of options share. @returns false where `letter` is none of them */
  private listed(kind: string, text: string): boolean {
    switch (kind) {
      case 'pid':
        this.select(pids(text))
        return true
      case 'ppid':
        this.select(byNumbers(text, info => info.ppid))
        return true
      case 'sid':
        this.select(byNumbers(text, info => info.sid))
        return true
      case 'group': {
        const names = split(text)
        this.select(info => names.includes(String(info.gid)) || names.includes(lookupGroup(this.proc, info.gid) ?? ''))
        return true
      }
      case 'user': {
        const ids = split(text).map(word => {
          const id = /^\d+$/.test(word) ? Number(word) : userId(this.proc, word)
          if (id === undefined) throw new PsError('user name does not exist')
          return id
        })
        this.select(info => ids.includes(info.uid))
        return true
      }
      case 'command': {
        const names = split(text)
        this.select(info => names.some(name => info.comm.slice(0, 15) === name.slice(0, 15)))
        return true
      }
      case 'tty': {
        const names = split(text).map(name => name.replace(/^\/dev\//, ''))
        this.select(info => {
          const tty = info.ttyNr === 0 ? '?' : ttyText(info.ttyNr)
          return names.some(name => name === tty || `tty${name}` === tty || (name === '-' && tty === '?'))
        })
        return true
      }
    }
    return false
  }

  private gnu(text: string): void {
    const equals = text.indexOf('=')
    const name = equals < 0 ? text : text.slice(0, equals)
    const { options } = this
    const value = (missing: string): string => {
      if (equals >= 0) return text.slice(equals + 1)
      return this.value('', missing)
    }
    const lists: Readonly<Record<string, readonly [string, string]>> = {
      Group: ['group', 'list of real groups must follow --Group'],
      User: ['user', 'list of real users must follow --User'],
      group: ['group', 'list of effective groups must follow --group'],
      pid: ['pid', 'list of process IDs must follow --pid'],
      ppid: ['ppid', 'list of process IDs must follow --ppid'],
      'quick-pid': ['pid', 'list of process IDs must follow --quick-pid'],
      sid: ['sid', 'some sid thing(s) must follow --sid'],
      tty: ['tty', 'list of ttys must follow --tty'],
      user: ['user', 'list of effective users must follow --user'],
    }
    const list = lists[name]
    if (list !== undefined) {
      this.listed(list[0], value(list[1]))
      return
    }
    switch (name) {
      case 'help':
        options.instead = { kind: 'help', section: equals >= 0 ? text.slice(equals + 1) : this.words[this.at] }
        break
      case 'version':
        options.instead = { kind: 'version' }
        break
      case 'format':
        options.fields = [...(options.fields ?? []), ...fieldList(value('format specification must follow --format'))]
        break
      case 'sort':
        options.sort.push(...sortList(value('long sort specification must follow --sort')))
        break
      case 'cols':
      case 'columns':
      case 'width':
        options.columns = Number(value('number of columns must follow --cols, --width, or --columns'))
        break
      case 'rows':
      case 'lines':
        value('number of rows must follow --rows or --lines')
        break
      case 'deselect':
        options.negate = true
        break
      case 'forest':
        options.forest = true
        break
      case 'headers':
      case 'heading':
      case 'headings':
      case 'cumulative':
        break
      case 'no-header':
      case 'no-headers':
      case 'no-heading':
      case 'noheaders':
        options.header = false
        break
      case 'context':
        options.security = true
        break
      default:
        throw new PsError('unknown gnu long option')
    }
  }

  private unix(cluster: string): void {
    const { options } = this
    for (let i = 0; i < cluster.length; i++) {
      const letter = cluster[i]!
      const rest = cluster.slice(i + 1)
      const list: Readonly<Record<string, readonly [string, string]>> = {
        C: ['command', 'list of command names must follow -C'],
        G: ['group', 'list of real groups must follow -G'],
        U: ['user', 'list of real users must follow -U'],
        g: ['sid', 'list of session leaders OR effective group IDs must follow -g'],
        p: ['pid', 'list of process IDs must follow -p'],
        q: ['pid', 'List of process IDs must follow -q.'],
        s: ['sid', 'list of session IDs must follow -s'],
        t: ['tty', 'list of terminals (pty, tty...) must follow -t'],
        u: ['user', 'list of users must follow -u'],
      }
      const selection = list[letter]
      if (selection !== undefined) {
        this.listed(selection[0], this.value(rest, selection[1]))
        return
      }
      switch (letter) {
        case 'A':
        case 'e':
          options.all = true
          break
        case 'a':
        case 'd':
          options.simple = letter
          break
        case 'N':
          options.negate = true
          break
        case 'f':
        case 'F':
        case 'l':
        case 'j':
          options.unixFormat.add(letter)
          break
        case 'o':
          options.fields = [
            ...(options.fields ?? []),
            ...fieldList(this.value(rest, 'format specification must follow -o')),
          ]
          return
        case 'O':
          options.extraFields = fieldList(this.value(rest, 'format or sort specification must follow -O'))
          return
        case 'H':
          options.hierarchy = true
          break
        case 'L':
        case 'T':
        case 'm':
          options.threads = letter
          break
        case 'M':
        case 'Z':
          options.security = true
          break
        case 'P':
          options.processorColumn = true
          break
        case 'V':
          options.instead = { kind: 'version' }
          return
        case 'c':
          options.schedClass = true
          break
        case 'n':
          this.value(rest, 'alternate System.map file must follow -n')
          return
        case 'w':
          options.wide++
          break
        case 'y':
          options.noFlags = true
          break
        default:
          throw new PsError('unsupported SysV option')
      }
    }
  }

  private bsd(cluster: string): void {
    const { options } = this
    options.bsd = true
    for (let i = 0; i < cluster.length; i++) {
      const letter = cluster[i]!
      const rest = cluster.slice(i + 1)
      switch (letter) {
        case 'a':
          options.bsdAll = true
          break
        case 'x':
          options.bsdNoTty = true
          break
        case 'r':
          options.onlyRunning = true
          break
        case 'T':
          options.thisTty = true
          break
        case 'u':
        case 'j':
        case 'l':
        case 's':
        case 'v':
        case 'X':
          options.bsdFormat = letter
          break
        case 'p':
        case 'q':
          this.listed('pid', this.value(rest, `list of process IDs must follow ${letter}`))
          return
        case 't':
          this.listed('tty', this.value(rest, 'list of terminals (pty, tty...) must follow t'))
          return
        case 'U':
          this.listed('user', this.value(rest, 'list of users must follow U'))
          return
        case 'o':
          options.fields = [
            ...(options.fields ?? []),
            ...fieldList(this.value(rest, 'format specification must follow o')),
          ]
          return
        case 'O':
          options.extraFields = fieldList(this.value(rest, 'format or sort specification must follow O'))
          return
        case 'k':
          options.sort.push(...sortList(this.value(rest, 'long sort specification must follow k')))
          return
        case 'c':
          options.trueName = true
          break
        case 'e':
          options.environment = true
          break
        case 'f':
          options.forest = true
          break
        case 'g':
        case 'S':
        case 'H':
          break
        case 'h':
          options.header = false
          break
        case 'L':
          options.instead = { kind: 'list' }
          return
        case 'm':
          options.threads = 'm'
          break
        case 'n':
          options.numeric = true
          break
        case 'V':
          options.instead = { kind: 'version' }
          return
        case 'w':
          options.wide++
          break
        case 'Z':
          options.security = true
          break
        default:
          throw new PsError('unsupported option (BSD syntax)')
      }
    }
  }
}

function split(text: string): string[] {
  return text.split(/[\s,]+/).filter(word => word !== '')
}

function byNumbers(text: string, get: (info: ProcInfo) => number): (info: ProcInfo) => boolean {
  const numbers = split(text).map(word => {
    if (!/^\d+$/.test(word)) throw new PsError('process ID list syntax error')
    if (Number(word) < 1 || Number(word) > PID_MAX) throw new PsError('process ID out of range')
    return Number(word)
  })
  return info => numbers.includes(get(info))
}

function pids(text: string): (info: ProcInfo) => boolean {
  return byNumbers(text, info => info.pid)
}

function ttyText(ttyNr: number): string {
  const major = ttyNr >> 8
  const minor = ttyNr & 0xff
  return major === 136 ? `pts/${minor}` : minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`
}

/** @returns what the command line asks for. Throws PsError: what is wrong with it as it stands, dashes meant */
export function parseOptions(proc: Process, words: readonly string[]): PsOptions {
  try {
    const options = new Parser(proc, words, false).parse()
    if (options.noFlags && !options.unixFormat.has('l'))
      throw new PsError('modifier -y without format -l makes no sense')
    return options
  } catch (error) {
    if (!(error instanceof PsError)) throw error
    try {
      return new Parser(proc, words, true).parse()
    } catch (second) {
      throw second instanceof PsError ? error : second
    }
  }
}
