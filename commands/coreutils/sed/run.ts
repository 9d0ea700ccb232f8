/** The sed machine: pattern space, hold space, and the cycle. */
import { O_CREAT, O_TRUNC, O_WRONLY } from '../../../src/uapi/fs.ts'
import type { Process } from '../../../src/uapi/process.ts'
import { decode, fromBytes, toBytes } from '../lib/bytes.ts'
import { closeInput, LineReader, openInput, reason, Writer } from '../lib/io.ts'
import type { Regex } from '../lib/regex.ts'
import type { Address, Command, Piece, Substitution } from './parse.ts'

export interface RunOptions {
  readonly quiet: boolean
  readonly separate: boolean
  /** suffix of backups; undefined: files are not edited in place */
  readonly inPlace: string | undefined
  readonly end: string
  readonly unbuffered: boolean
  readonly lineLength: number
  /** messages begin with it */
  readonly program: string
}

/** Exit statuses: a file that could not be read, and trouble while running. */
const EXIT_BAD_INPUT = 2
const EXIT_PANIC = 4

/** Commands run between two visits to the scheduler. */
const STEPS_PER_YIELD = 4096

/** The files, as one stream of lines with one line seen ahead. */
class Input {
  private readonly proc: Process
  private readonly names: readonly string[]
  private readonly options: RunOptions
  private index = 0
  private reader: LineReader | undefined
  private fd = 0
  private ahead: { text: string; terminated: boolean; file: number } | undefined
  status = 0
  /** told when a file begins and ends, for -i */
  readonly onFile: (name: string, begins: boolean) => Promise<void>

  constructor(
    proc: Process,
    names: readonly string[],
    options: RunOptions,
    onFile: (name: string, begins: boolean) => Promise<void>,
  ) {
    this.proc = proc
    this.names = names
    this.options = options
    this.onFile = onFile
  }

  /** the file that the line given last is from */
  current = -1

  get name(): string {
    return this.names[this.current] ?? '-'
  }

  private async fetch(): Promise<{ text: string; terminated: boolean; file: number } | undefined> {
    for (;;) {
      if (this.reader === undefined) {
        if (this.index >= this.names.length) return undefined
        const name = this.names[this.index]!
        try {
          this.fd = openInput(this.proc, name)
          this.reader = new LineReader(this.proc, this.fd, this.options.end)
        } catch (error) {
          this.proc.stderr.write(`${this.options.program}: can't read ${name}: ${reason(error)}\n`)
          this.status = EXIT_BAD_INPUT
          this.index++
          continue
        }
      }
      try {
        const text = await this.reader.next()
        if (text !== undefined) return { text, terminated: this.reader.terminated, file: this.index }
      } catch (error) {
        this.proc.stderr.write(
          `${this.options.program}: couldn't ${reason(error) === 'Is a directory' ? `edit ${this.names[this.index]}: not a regular file` : `read ${this.names[this.index]}`}\n`,
        )
        this.status = EXIT_BAD_INPUT
      }
      closeInput(this.proc, this.fd)
      this.reader = undefined
      this.index++
    }
  }

  /** @returns the next line */
  async next(): Promise<{ text: string; terminated: boolean } | undefined> {
    const line = this.ahead ?? (await this.fetch())
    this.ahead = undefined
    if (line === undefined) {
      if (this.current >= 0) await this.onFile(this.name, false)
      return undefined
    }
    if (line.file !== this.current) {
      if (this.current >= 0) await this.onFile(this.name, false)
      this.current = line.file
      await this.onFile(this.name, true)
    }
    return line
  }

  /** @returns whether the line given last is the last: of all, or of its file where files are separate */
  async isLast(): Promise<boolean> {
    this.ahead ??= await this.fetch()
    if (this.ahead === undefined) return true
    return this.options.separate && this.ahead.file !== this.current
  }

  close(): void {
    if (this.reader !== undefined) closeInput(this.proc, this.fd)
  }
}

/** Where a -w file or standard output goes. */
interface Sink {
  write(text: string): Promise<void>
}

export class Sed {
  private readonly proc: Process
  private readonly commands: readonly Command[]
  private readonly options: RunOptions
  private readonly input: Input
  private readonly writer: Writer
  private output: Sink
  private readonly files = new Map<string, Sink>()
  private readonly readers = new Map<string, LineReader | undefined>()
  private pattern = ''
  private hold = ''
  private terminated = true
  private line = 0
  private substituted = false
  /** texts of a, r and R, put out at the end of the cycle */
  private appended: (() => Promise<void>)[] = []
  private lastRegex: Regex | undefined
  private edited: string[] | undefined
  private steps = 0
  /** the last output had no newline, so one must come before the next */
  private missingNewline = false

  constructor(proc: Process, commands: readonly Command[], names: readonly string[], options: RunOptions) {
    this.proc = proc
    this.commands = commands
    this.options = options
    this.writer = new Writer(proc)
    const { writer } = this
    this.output = {
      write: async text => {
        writer.write(text)
        if (options.unbuffered) await proc.stdout.flush()
        else await writer.relax()
      },
    }
    this.input = new Input(proc, names, options, (name, begins) => this.file(name, begins))
  }

  /** Runs the script. @returns the exit status */
  async run(): Promise<number> {
    for (const command of this.commands) {
      const file = command.name === 'w' || command.name === 'W' ? command.text : command.substitution?.file
      if (file !== undefined && !this.openOutput(file)) return EXIT_PANIC
    }
    let status: number | undefined
    let keep = false
    for (;;) {
      if (!keep && !(await this.read())) break
      keep = false
      const result = await this.cycle()
      if (result.kind === 'quit') {
        status = result.status
        if (result.print) await this.endCycle()
        else await this.flushAppended()
        break
      }
      if (result.kind === 'restart') {
        await this.flushAppended()
        keep = true
        continue
      }
      if (result.kind === 'delete') {
        await this.flushAppended()
        continue
      }
      await this.endCycle()
    }
    if (status !== undefined && this.options.inPlace !== undefined) await this.copyRest()
    this.input.close()
    await this.proc.stdout.flush()
    return status ?? this.input.status
  }

  private openOutput(name: string): boolean {
    if (this.files.has(name)) return true
    if (name === '/dev/stdout') {
      this.files.set(name, { write: text => this.output.write(text) })
      return true
    }
    if (name === '/dev/stderr') {
      this.files.set(name, {
        write: async text => {
          this.proc.stderr.write(toBytes(text))
        },
      })
      return true
    }
    try {
      const fd = this.proc.open(decode(name), O_WRONLY | O_CREAT | O_TRUNC, 0o666)
      this.files.set(name, {
        write: async text => {
          await this.proc.write(fd, toBytes(text))
        },
      })
      return true
    } catch (error) {
      this.proc.stderr.write(`${this.options.program}: couldn't open file ${decode(name)}: ${reason(error)}\n`)
      return false
    }
  }

  /** -i: what a file becomes is collected, and written at its end. */
  private async file(name: string, begins: boolean): Promise<void> {
    if (this.options.separate && begins) this.line = this.options.inPlace !== undefined ? 0 : this.line
    if (this.options.inPlace === undefined) return
    if (begins) {
      const lines: string[] = []
      this.edited = lines
      this.output = {
        write: async text => {
          lines.push(text)
        },
      }
      this.missingNewline = false
      return
    }
    const suffix = this.options.inPlace
    const { mode } = this.proc.stat(name)
    if (suffix !== '') {
      const base = name.slice(name.lastIndexOf('/') + 1)
      const backup = suffix.includes('*') ? suffix.replaceAll('*', base) : base + suffix
      const path = backup.includes('/') ? backup : name.slice(0, name.lastIndexOf('/') + 1) + backup
      this.proc.writeFile(path, this.proc.readFile(name))
    }
    // another file takes the name, as sed does it
    const temporary = `${name.slice(0, name.lastIndexOf('/') + 1)}sed${this.proc.pid}`
    this.proc.writeFile(temporary, toBytes((this.edited ?? []).join('')))
    this.proc.chmod(temporary, mode & 0o7777)
    this.proc.rename(temporary, name)
    this.edited = undefined
  }

  /** After q under -i the rest of the file stays as it is. */
  private async copyRest(): Promise<void> {
    const current = this.input.current
    for (;;) {
      const line = await this.input.next()
      if (line === undefined) return
      if (this.input.current !== current) return
      await this.print(line.text, line.terminated)
    }
  }

  private async read(): Promise<boolean> {
    const line = await this.input.next()
    if (line === undefined) return false
    this.pattern = line.text
    this.terminated = line.terminated
    this.line++
    return true
  }

  private async print(text: string, terminated = true, sink = this.output): Promise<void> {
    if (sink === this.output && this.missingNewline) {
      this.missingNewline = false
      await sink.write(this.options.end)
    }
    await sink.write(terminated ? text + this.options.end : text)
    if (sink === this.output && !terminated) this.missingNewline = true
  }

  private async endCycle(): Promise<void> {
    if (!this.options.quiet) await this.print(this.pattern, this.terminated)
    await this.flushAppended()
  }

  private async flushAppended(): Promise<void> {
    const list = this.appended
    this.appended = []
    for (const put of list) await put()
  }

  /** Text that is put out as it is. */
  private async raw(text: string): Promise<void> {
    if (text === '') return
    if (this.missingNewline) {
      this.missingNewline = false
      await this.output.write(this.options.end)
    }
    await this.output.write(text)
  }

  private async matchesAddress(address: Address): Promise<boolean> {
    switch (address.kind) {
      case 'line':
        return this.line === address.line
      case 'last':
        return this.input.isLast()
      case 'step':
        return address.step <= 0
          ? this.line === address.first
          : this.line >= address.first && (this.line - address.first) % address.step === 0
      case 'regex':
        return this.test(address.regex)
      default:
        return false
    }
  }

  private test(regex: Regex | undefined): boolean {
    return this.use(regex).exec(this.pattern) !== undefined
  }

  private use(regex: Regex | undefined): Regex {
    const used = regex ?? this.lastRegex
    if (used === undefined) throw new NoPreviousRegex()
    this.lastRegex = used
    return used
  }

  private async selects(command: Command): Promise<boolean> {
    const { first, second } = command
    if (first === undefined) return true
    if (second === undefined) return this.matchesAddress(first)
    if (first.kind === 'zero' && !command.active && command.endLine === 0) {
      command.active = true
      command.endLine = -1
    }
    if (!command.active) {
      if (!(await this.matchesAddress(first))) return false
      switch (second.kind) {
        case 'plus':
          command.endLine = this.line + second.count
          command.active = second.count > 0
          return true
        case 'multiple':
          command.endLine = second.of <= 0 ? this.line : Math.ceil(this.line / second.of) * second.of
          command.active = command.endLine > this.line
          return true
        case 'line':
          command.active = second.line > this.line
          return true
        default:
          command.active = !(second.kind === 'last' && (await this.input.isLast()))
          return true
      }
    }
    switch (second.kind) {
      case 'plus':
      case 'multiple':
        if (this.line >= command.endLine) command.active = false
        return true
      case 'line':
        if (this.line >= second.line) command.active = false
        return this.line <= second.line || (await this.matchesAddress(first))
      default:
        if (await this.matchesAddress(second)) command.active = false
        return true
    }
  }

  private async cycle(): Promise<
    { kind: 'next' | 'delete' | 'restart' } | { kind: 'quit'; status: number; print: boolean }
  > {
    this.substituted = false
    const { commands } = this
    for (let i = 0; i < commands.length; i++) {
      const command = commands[i]!
      if (++this.steps % STEPS_PER_YIELD === 0) await this.proc.yield()
      if (command.name === '#n') continue
      if ((await this.selects(command)) === command.negated) {
        if (command.name === '{') i = command.target - 1
        continue
      }
      switch (command.name) {
        case '{':
        case ':':
          break
        case '=':
          await this.raw(`${this.line}\n`)
          break
        case 'a':
          this.appended.push(() => this.raw(command.text))
          break
        case 'i':
          await this.raw(command.text)
          break
        case 'c':
          if (command.second === undefined || command.negated || !command.active) await this.raw(command.text)
          return { kind: 'delete' }
        case 'b':
          i = command.target - 1
          break
        case 't':
          if (this.substituted) {
            this.substituted = false
            i = command.target - 1
          }
          break
        case 'T':
          if (!this.substituted) i = command.target - 1
          else this.substituted = false
          break
        case 'd':
          return { kind: 'delete' }
        case 'D': {
          const newline = this.pattern.indexOf('\n')
          if (newline < 0) return { kind: 'delete' }
          this.pattern = this.pattern.slice(newline + 1)
          return { kind: 'restart' }
        }
        case 'F':
          await this.raw(`${this.input.name}\n`)
          break
        case 'g':
          this.pattern = this.hold
          break
        case 'G':
          this.pattern += `\n${this.hold}`
          break
        case 'h':
          this.hold = this.pattern
          break
        case 'H':
          this.hold += `\n${this.pattern}`
          break
        case 'x':
          ;[this.pattern, this.hold] = [this.hold, this.pattern]
          break
        case 'l':
          await this.raw(visible(this.pattern, command.number ?? this.options.lineLength))
          break
        case 'n':
          if (await this.input.isLast()) {
            if (this.options.separate) break
            return { kind: 'quit', status: 0, print: true }
          }
          if (!this.options.quiet) await this.print(this.pattern, this.terminated)
          await this.flushAppended()
          await this.read()
          break
        case 'N': {
          if (await this.input.isLast()) return { kind: 'quit', status: 0, print: true }
          const before = this.pattern
          await this.flushAppended()
          await this.read()
          this.pattern = `${before}\n${this.pattern}`
          break
        }
        case 'p':
          await this.print(this.pattern, this.terminated)
          break
        case 'P':
          await this.print(this.pattern.split('\n')[0]!)
          break
        case 'q':
          return { kind: 'quit', status: command.number ?? 0, print: true }
        case 'Q':
          return { kind: 'quit', status: command.number ?? 0, print: false }
        case 'r':
          this.appended.push(() => this.appendFile(command.text))
          break
        case 'R':
          this.appended.push(() => this.appendLine(command.text))
          break
        case 's':
          await this.substitute(command.substitution!)
          break
        case 'w':
          await this.print(this.pattern, true, this.files.get(command.text)!)
          break
        case 'W':
          await this.print(this.pattern.split('\n')[0]!, true, this.files.get(command.text)!)
          break
        case 'y': {
          let out = ''
          for (const c of this.pattern) out += command.map!.get(c) ?? c
          this.pattern = out
          break
        }
        case 'z':
          this.pattern = ''
          break
        case 'e':
          await this.raw(await this.shell(command.text === '' ? this.pattern : command.text))
          break
      }
    }
    return { kind: 'next' }
  }

  private async appendFile(name: string): Promise<void> {
    try {
      const fd = openInput(this.proc, name === '/dev/stdin' ? '-' : decode(name))
      const reader = new LineReader(this.proc, fd)
      for (let line = await reader.next(); line !== undefined; line = await reader.next()) {
        await this.raw(reader.terminated ? `${line}\n` : line)
        if (!reader.terminated) this.missingNewline = true
      }
      closeInput(this.proc, fd)
    } catch (error) {
      // a file that is not there is an empty one
      reason(error)
    }
  }

  private async appendLine(name: string): Promise<void> {
    if (!this.readers.has(name)) {
      try {
        this.readers.set(name, new LineReader(this.proc, openInput(this.proc, decode(name))))
      } catch (error) {
        reason(error)
        this.readers.set(name, undefined)
      }
    }
    const line = await this.readers.get(name)?.next()
    if (line !== undefined) await this.raw(`${line}\n`)
  }

  private async substitute(sub: Substitution): Promise<void> {
    const regex = this.use(sub.regex)
    const text = this.pattern
    let out = ''
    let at = 0
    let count = 0
    let replaced = false
    let from = 0
    while (from <= text.length) {
      const match = regex.exec(text, from)
      if (match === undefined) break
      const empty = match.end === match.index
      // an empty match right after another one does not count
      if (empty && match.index === at && count > 0 && from === at && match.index !== 0 && this.afterMatch) {
        out += text.slice(at, match.end + 1)
        at = Math.min(text.length, match.end + 1)
        from = match.end + 1
        this.afterMatch = false
        continue
      }
      count++
      if (count >= (sub.nth === 0 ? 1 : sub.nth)) {
        out += text.slice(at, match.index) + build(sub.replacement, match.groups)
        replaced = true
        at = match.end
        if (!sub.global) {
          from = at
          break
        }
      } else {
        out += text.slice(at, match.end)
        at = match.end
      }
      this.afterMatch = !empty
      if (empty) {
        if (match.end < text.length) out += text[match.end]
        at = Math.min(text.length, match.end + 1)
        from = match.end + 1
      } else from = match.end
    }
    this.afterMatch = false
    if (!replaced) return
    this.pattern = out + text.slice(at)
    this.substituted = true
    if (sub.evaluate) this.pattern = (await this.shell(this.pattern)).replace(/\n$/, '')
    if (sub.print > 0) await this.print(this.pattern, this.terminated)
    if (sub.file !== undefined) await this.print(this.pattern, true, this.files.get(sub.file)!)
  }

  private afterMatch = false

  /** Runs a command and @returns what it prints */
  private async shell(command: string): Promise<string> {
    const { proc } = this
    await proc.stdout.flush()
    const [reader, writer] = proc.pipe()
    const pid = proc.fork(async child => {
      child.close(reader)
      child.dup2(writer, 1)
      child.close(writer)
      return child.exec('/bin/sh', ['sh', '-c', decode(command)])
    })
    proc.close(writer)
    const chunks: string[] = []
    for (;;) {
      const data = await proc.read(reader, 65_536)
      if (data.length === 0) break
      chunks.push(fromBytes(data))
    }
    proc.close(reader)
    await proc.waitpid(pid)
    return chunks.join('')
  }
}

/** An empty expression was used before any other. */
export class NoPreviousRegex extends Error {
  constructor() {
    super('no previous regular expression')
  }
}

function build(pieces: readonly Piece[], groups: readonly (string | undefined)[]): string {
  let out = ''
  let mode: 'L' | 'U' | undefined
  let once: 'l' | 'u' | undefined
  for (const piece of pieces) {
    if (piece.kind === 'case') {
      if (piece.mode === 'E') mode = undefined
      else if (piece.mode === 'l' || piece.mode === 'u') once = piece.mode
      else mode = piece.mode
      continue
    }
    let text = piece.kind === 'text' ? piece.text : (groups[piece.group] ?? '')
    if (text === '') continue
    if (mode === 'L') text = text.replace(/[A-Z]/g, c => c.toLowerCase())
    else if (mode === 'U') text = text.replace(/[a-z]/g, c => c.toUpperCase())
    if (once !== undefined) {
      text = (once === 'l' ? text[0]!.toLowerCase() : text[0]!.toUpperCase()) + text.slice(1)
      once = undefined
    }
    out += text
  }
  return out
}

/** The l command: what does not print as escapes, lines folded. */
function visible(text: string, width: number): string {
  const named: Readonly<Record<string, string>> = {
    '\\': '\\\\',
    '\x07': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
  }
  let out = ''
  let column = 0
  for (const c of text) {
    const shown = named[c] ?? (c >= ' ' && c <= '~' ? c : `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`)
    if (width > 1 && column + shown.length > width - 1) {
      out += '\\\n'
      column = 0
    }
    out += shown
    column += shown.length
  }
  return `${out}$\n`
}
