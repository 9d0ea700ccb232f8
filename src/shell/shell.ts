/**
 * The shell: its state, and what its parts share. One object is one shell process; a subshell is a copy in a process of
 * its own.
 */

import { decode, encode, fromBytes, toBytes } from '../../commands/coreutils/lib/bytes.ts'
import { isSysError, strerror } from '../uapi/errno.ts'
import { S_IFMT, S_IFREG } from '../uapi/fs.ts'
import type { Process, Program } from '../uapi/process.ts'
import { evaluate } from './arithmetic.ts'
import { DiscardJump, ExitJump, LoopJump, ReturnJump, ShellError } from './control.ts'
import { runStatements } from './execute.ts'
import { leaveJobControl } from './job_control.ts'
import { JobTable } from './jobs.ts'
import { ShellSyntaxError } from './lexer.ts'
import { Options } from './options.ts'
import { BadSubstitution, parseUnit } from './parser.ts'
import { declareQuote } from './quote.ts'
import { readUnit, type Unit } from './reader.ts'
import { runProgramWords, runSimple } from './simple.ts'
import { defineSpecials, importEnvironment } from './special.ts'
import type { FunctionDefNode, WordNode } from './syntax.ts'
import { Traps } from './traps.ts'
import { Attr, type Variable, Variables } from './variables.ts'

/** A function. */
export interface ShellFunction {
  readonly definition: FunctionDefNode
  /** file it was defined in, for messages and BASH_SOURCE */
  readonly source: string
  readonly line: number
  exported: boolean
  readonly: boolean
}

/** A function or sourced file that is being run. */
export interface Frame {
  /** name of the function; `source` for a file */
  readonly name: string
  readonly kind: 'function' | 'source'
  /** what BASH_SOURCE and messages show */
  readonly source: string
  /** line of the call */
  readonly callLine: number
  /** whether `return` ends it */
  readonly args: readonly string[]
  /** options to put back at its end, after `local -` */
  options?: readonly string[]
}

/** How a shell is set up. */
export interface ShellSetup {
  /** $0 */
  readonly name0: string
  /** name in messages, where it is not $0 */
  readonly messageName?: string
  /** whether messages give lines and which: a script, the argument of -c, standard input */
  readonly kind: 'script' | 'command' | 'stdin' | 'interactive'
  /** as sh: dash's messages, POSIX behaviour */
  readonly posix?: boolean
  readonly positional?: readonly string[]
  /** added to every line number */
  readonly lineBase?: number
}

/** Functions calling functions. */
const MAX_FRAMES = 5000
/** Commands run between two visits to the scheduler. */
const TICKS_PER_YIELD = 8

export class Shell {
  proc: Process
  readonly setup: ShellSetup
  readonly options: Options
  readonly vars: Variables
  functions: Map<string, ShellFunction>
  aliases: Map<string, string>
  /** remembered places of commands */
  hash: Map<string, { path: string; hits: number }>
  positional: readonly string[]
  name0: string
  readonly jobs: JobTable
  readonly traps: Traps
  frames: readonly Frame[] = []
  dirStack: string[] = []
  /** logical working directory, a byte string */
  pwd = '/'
  line = 0
  lastStatus = 0
  lastBackgroundPid: number | undefined
  /** status of the last command substitution, for assignments */
  substitutionStatus: number | undefined
  /** $$ */
  shellPid: number
  /** copies between the first shell and this one */
  level = 0
  interactive = false
  /** the terminal's descriptor, where job control has one */
  terminal: number | undefined
  /** loops around the command being run */
  loops = 0
  /** > 0: a failing command is being tested, so that errexit and ERR do not apply */
  tested = 0
  /** descriptors that hold what redirections will put back; children close them */
  savedFds = new Set<number>()
  /** commands run, for yielding */
  private ticks = 0
  /** $_ */
  lastArgument = ''
  /** the command being run, for BASH_COMMAND */
  commandText = ''
  /** state of the RANDOM generator */
  randomSeed = 1
  lastRandom = 0
  /** when SECONDS was 0, ns since boot */
  secondsStart = 0
  /** position within grouped options of getopts */
  getoptsOffset = 1
  /** OPTIND as getopts left it */
  getoptsIndex = 1
  history: string[] = []
  /** builtins switched off by enable -n */
  readonly disabledBuiltins = new Set<string>()
  /** names of the temporary descriptors of process substitutions of the command being run */
  substitutionFds: number[] = []
  /** `exit` has warned of stopped jobs */
  exitWarned = false
  /** what ulimit set */
  readonly limits = new Map<string, string>()
  /** completions that complete defined, as it lists them */
  readonly completions = new Map<string, string>()
  /** here-documents made, for their names */
  temporaryFiles = 0
  /** a command substitution is being run: no job messages */
  inSubstitution = false
  /** nesting of eval, source and traps, for the + of `set -x` */
  traceDepth = 1

  constructor(proc: Process, setup: ShellSetup, parent?: Shell) {
    this.proc = proc
    this.setup = setup
    const hooks = {
      arithmetic: (text: string) => this.evaluate(text),
      key: (subscript: string) => subscript,
      changed: (name: string) => this.changed(name),
      warn: (message: string) => this.warnings.push(message),
    }
    if (parent === undefined) {
      this.options = new Options()
      this.vars = new Variables(hooks)
      this.functions = new Map()
      this.aliases = new Map()
      this.hash = new Map()
      this.positional = setup.positional ?? []
      this.name0 = setup.name0
      this.jobs = new JobTable()
      this.traps = new Traps()
      this.shellPid = proc.pid
      this.secondsStart = proc.monotonic()
      this.randomSeed = ((proc.realtime() / 1000) ^ proc.pid) >>> 0
      importEnvironment(this)
    } else {
      this.options = parent.options.fork()
      this.vars = parent.vars.fork(hooks)
      this.functions = new Map(parent.functions)
      this.aliases = new Map(parent.aliases)
      this.hash = new Map(parent.hash)
      this.positional = parent.positional
      this.name0 = parent.name0
      this.jobs = parent.jobs.fork()
      this.traps = parent.traps.fork()
      this.frames = parent.frames
      this.dirStack = [...parent.dirStack]
      this.pwd = parent.pwd
      this.line = parent.line
      this.lastStatus = parent.lastStatus
      this.lastBackgroundPid = parent.lastBackgroundPid
      this.shellPid = parent.shellPid
      this.level = parent.level + 1
      this.interactive = parent.interactive
      this.terminal = parent.terminal
      this.tested = parent.tested
      this.loops = parent.loops
      this.savedFds = new Set(parent.savedFds)
      this.lastArgument = parent.lastArgument
      this.commandText = parent.commandText
      this.randomSeed = (parent.randomSeed ^ (proc.pid * 7919)) >>> 0
      this.secondsStart = parent.secondsStart
      this.history = parent.history
      this.traceDepth = parent.traceDepth
      this.ifsCache = parent.ifsCache
      this.utf8Cache = parent.utf8Cache
    }
    defineSpecials(this, parent)
  }

  /** warnings of variables that have not been printed yet */
  readonly warnings: string[] = []

  /** @returns a copy for a child process */
  fork(proc: Process): Shell {
    return new Shell(proc, this.setup, this)
  }

  /**
   * Starts a child process that goes on with a copy of this shell.
   * @param body what it does; its result is the exit status
   */
  forkShell(body: (child: Shell) => Promise<number>, options: { pgid?: number; background?: boolean } = {}): number {
    let child: Shell | undefined
    const main: Program = async proc => {
      const shell = child!
      shell.proc = proc
      return shell.runAsChild(body)
    }
    const pid = this.proc.fork(main, options.pgid === undefined ? {} : { pgid: options.pgid })
    // the copy is made now, the process begins to run later
    child = this.fork(this.proc)
    child.randomSeed = (child.randomSeed ^ (pid * 7919)) >>> 0
    return pid
  }

  private async runAsChild(body: (child: Shell) => Promise<number>): Promise<number> {
    this.interactive = false
    if (this.terminal !== undefined) leaveJobControl(this)
    this.terminal = undefined
    this.options.setOption('monitor', false)
    this.traps.resetInChild(this)
    for (const fd of this.savedFds) this.closeQuietly(fd)
    this.savedFds.clear()
    let status: number
    try {
      status = await body(this)
    } catch (error) {
      status = this.endStatus(error)
    }
    return this.finish(status)
  }

  /** @returns the exit status of a shell that something unwound; rethrows what is no jump */
  endStatus(error: unknown): number {
    if (error instanceof ExitJump || error instanceof ReturnJump || error instanceof DiscardJump) return error.status
    if (error instanceof LoopJump) return 0
    throw error
  }

  /** The end of the shell: the EXIT trap. @returns the exit status */
  async finish(status: number): Promise<number> {
    this.lastStatus = status
    try {
      await this.traps.runExit(this)
    } catch (error) {
      return this.endStatus(error)
    }
    return this.lastStatus
  }

  closeQuietly(fd: number): void {
    try {
      this.proc.close(fd)
    } catch (error) {
      if (!isSysError(error)) throw error
    }
  }

  /** Lets others run now and then; called for every command. */
  async tick(): Promise<void> {
    if (++this.ticks % TICKS_PER_YIELD === 0) await this.proc.yield()
  }

  // output and messages

  /** Writes a byte string to a descriptor. */
  async write(fd: number, bytes: string): Promise<void> {
    if (bytes === '') return
    const data = toBytes(bytes)
    let at = 0
    while (at < data.length) {
      try {
        at += await this.proc.write(fd, at === 0 ? data : data.subarray(at))
      } catch (error) {
        if (isSysError(error) && strerror(error.errno) === 'Interrupted system call') continue
        throw error
      }
    }
  }

  /** Writes to standard error; where there is none, nobody can be told. */
  async errorText(bytes: string): Promise<void> {
    try {
      await this.write(2, bytes)
    } catch (error) {
      if (!isSysError(error)) throw error
    }
  }

  /** The beginning of a message: who speaks, and of which line. */
  get prefix(): string {
    const { setup } = this
    if (setup.posix === true)
      return setup.kind === 'interactive' ? `${this.name0}: ${this.line}: ` : `${this.name0}: ${this.line}: `
    if (this.interactive || setup.kind === 'interactive') return 'bash: '
    return `${this.messageName}: line ${this.line}: `
  }

  /** The name in messages: the file that the command is from. */
  get messageName(): string {
    const frame = this.frames[this.frames.length - 1]
    if (frame !== undefined) return frame.source === '' ? this.name0 : frame.source
    return this.setup.messageName ?? this.name0
  }

  /** Prints a message of the shell. */
  async report(message: string): Promise<void> {
    await this.errorText(`${this.prefix}${message}\n`)
  }

  /** Prints warnings that came up where nothing could be printed. */
  async flushWarnings(): Promise<void> {
    while (this.warnings.length > 0) await this.report(this.warnings.shift()!)
  }

  /** A variable is used that is not set, under `set -u`. */
  unbound(name: string): never {
    throw new ShellError(
      `${name}: unbound variable`,
      this.setup.kind === 'command' && this.level === 0 ? 127 : 1,
      'shell',
    )
  }

  /**
   * Prints what went wrong in a command.
   * @returns its status; throws the jump that abandons the line or the shell; rethrows what is no error of a command
   */
  async failed(error: unknown): Promise<number> {
    if (error instanceof BadSubstitution) return this.failed(new ShellError(error.message))
    if (error instanceof RangeError && /call stack/.test(error.message))
      return this.failed(new ShellError('maximum recursion depth exceeded'))
    if (error instanceof ShellSyntaxError) return this.failed(new ShellError(error.message, error.status ?? 1))
    if (!(error instanceof ShellError)) throw error
    await this.report(error.message)
    const status = error.status === 127 && !(this.setup.kind === 'command' && this.level === 0) ? 1 : error.status
    this.lastStatus = status
    if (error.severity === 'command') return status
    if (error.severity === 'shell' && !this.interactive) throw new ExitJump(status)
    throw new DiscardJump(status)
  }

  // variables

  private ifsCache: string | undefined
  private utf8Cache: boolean | undefined

  /** $IFS */
  get ifs(): string {
    this.ifsCache ??= this.vars.get('IFS') ?? ' \t\n'
    return this.ifsCache
  }

  /** What joins the elements of "$*". */
  get ifsJoin(): string {
    return this.ifs[0] ?? ''
  }

  /** Whether the locale has characters of several bytes. */
  get utf8(): boolean {
    if (this.utf8Cache === undefined) {
      const set = (name: string): string | undefined => {
        const value = this.vars.get(name)
        return value === '' ? undefined : value
      }
      this.utf8Cache = /utf-?8/i.test(set('LC_ALL') ?? set('LC_CTYPE') ?? set('LANG') ?? '')
    }
    return this.utf8Cache
  }

  private changed(name: string): void {
    switch (name) {
      case 'IFS':
        this.ifsCache = undefined
        break
      case 'LC_ALL':
      case 'LC_CTYPE':
      case 'LANG':
        this.utf8Cache = undefined
        break
      case 'PATH':
        this.hash.clear()
        break
      case 'OPTIND':
        if (this.vars.get('OPTIND') !== String(this.getoptsIndex)) this.getoptsOffset = 1
        break
    }
  }

  /** Evaluates an arithmetic expression whose expansions are done. */
  evaluate(text: string): bigint {
    const strip = (subscript: string | undefined): string | undefined => subscript?.replace(/^(["'])([\s\S]*)\1$/, '$2')
    return evaluate(text, {
      get: (name, subscript) => this.vars.at({ name, subscript: this.isAssoc(name) ? strip(subscript) : subscript }),
      set: (name, subscript, value) =>
        this.vars.setAt({ name, subscript: this.isAssoc(name) ? strip(subscript) : subscript }, value),
      unset: name => {
        if (this.options.nounset) this.unbound(name)
      },
    })
  }

  private isAssoc(name: string): boolean {
    const variable = this.vars.lookup(this.vars.resolve(name)?.name ?? name)
    return variable !== undefined && (variable.attrs & Attr.Assoc) !== 0
  }

  /** @returns the directory that ~user, ~, ~+ or ~- stands for; undefined for an unknown user */
  homeOf(user: string | null): string | undefined {
    if (user === null || user === '') {
      return this.vars.get('HOME') ?? this.passwd().find(entry => entry[2] === String(this.proc.uid))?.[5] ?? '/'
    }
    if (user === '+') return this.vars.get('PWD')
    if (user === '-') return this.vars.get('OLDPWD')
    if (/^[+-]?\d+$/.test(user)) {
      const stack = [this.pwd, ...this.dirStack]
      const n = Number(user.replace(/^[+-]/, ''))
      return user.startsWith('-') ? stack[stack.length - 1 - n] : stack[n]
    }
    return this.passwd().find(entry => entry[0] === user)?.[5]
  }

  /** @returns the fields of /etc/passwd, as byte strings */
  passwd(): string[][] {
    try {
      return fromBytes(this.proc.readFile('/etc/passwd'))
        .split('\n')
        .filter(line => line !== '')
        .map(line => line.split(':'))
    } catch (error) {
      if (isSysError(error)) return []
      throw error
    }
  }

  /** @returns the letters of `declare -p` for attributes */
  attributeLetters(attrs: number): string {
    let letters = ''
    if (attrs & Attr.Array) letters += 'a'
    if (attrs & Attr.Assoc) letters += 'A'
    if (attrs & Attr.Integer) letters += 'i'
    if (attrs & Attr.Nameref) letters += 'n'
    if (attrs & Attr.Readonly) letters += 'r'
    if (attrs & Attr.Trace) letters += 't'
    if (attrs & Attr.Export) letters += 'x'
    if (attrs & Attr.Capital) letters += 'c'
    if (attrs & Attr.Lower) letters += 'l'
    if (attrs & Attr.Upper) letters += 'u'
    return letters
  }

  /** @returns a variable as `declare -p` shows it, without a newline */
  declaration(name: string, variable: Variable): string {
    const letters = this.attributeLetters(variable.attrs)
    const head = `declare -${letters === '' ? '-' : letters} ${name}`
    const value = this.valueText(name, variable)
    return value === undefined ? head : `${head}=${value}`
  }

  /** @returns a variable's value as `declare -p` shows it; undefined if it has none */
  valueText(name: string, variable: Variable): string | undefined {
    if (variable.attrs & (Attr.Array | Attr.Assoc)) {
      const elements = variable.attrs & Attr.Nameref ? undefined : this.vars.elements(name)
      if (elements === undefined) return undefined
      const assoc = (variable.attrs & Attr.Assoc) !== 0
      const items = elements.keys.map((key, i) => {
        const shown =
          assoc && (!/^[^\s"'\\$`()[\]{}*?<>|&;!#~]+$/.test(key) || key === '@' || key === '*')
            ? declareQuote(key, this.utf8)
            : key
        return `[${shown}]=${declareQuote(elements.values[i]!, this.utf8)}`
      })
      return `(${items.join(' ')}${assoc && items.length > 0 ? ' ' : ''})`
    }
    const value = variable.dynamic === undefined ? variable.value : this.vars.get(name)
    return value === undefined ? undefined : declareQuote(value, this.utf8)
  }

  // running text

  /**
   * Runs commands from a text.
   * @param options.line line number of its first line  @param options.label what messages about its syntax call it
   * @returns the status of the last command; a text that is wrong gives 2
   */
  async run(
    text: string,
    options: { line?: number; label?: string; main?: boolean; afterUnit?: () => Promise<void> } = {},
  ): Promise<number> {
    let pos = 0
    let line = options.line ?? 1
    let status = 0
    const loops = this.loops
    for (;;) {
      let unit: Unit | undefined
      try {
        unit = readUnit(text, pos, {
          line,
          final: true,
          extglob: this.options.extglob,
          ...(this.options.has('expand_aliases') ? { aliases: this.aliases } : {}),
        })
      } catch (error) {
        if (!(error instanceof ShellSyntaxError)) throw error
        const source = text.split('\n')[error.line - (options.line ?? 1)] ?? ''
        await this.syntaxError(error, options.label, source)
        this.lastStatus = error.status ?? this.lastStatus
        return this.lastStatus
      }
      if (unit === undefined) return status
      pos = unit.end
      line = unit.endLine
      for (const warning of unit.warnings)
        await this.errorText(`${this.messageName}: line ${warning.line}: ${warning.text}\n`)
      status = await this.runUnit(unit, options.label)
      this.loops = loops
      await options.afterUnit?.()
    }
  }

  /** Runs one complete command. @returns its status */
  async runUnit(unit: Unit, label?: string): Promise<number> {
    if (this.options.on('verbose')) await this.errorText(unit.source.endsWith('\n') ? unit.source : `${unit.source}\n`)
    const { tested, frames, traceDepth } = this
    const depth = this.vars.depth
    const { positional } = this
    try {
      const statements = parseUnit(unit)
      if (this.options.on('noexec') && !this.interactive) return this.lastStatus
      return await runStatements(this, statements)
    } catch (error) {
      if (error instanceof DiscardJump) {
        this.unwound(tested, frames, depth, positional, traceDepth)
        this.lastStatus = error.status
        return error.status
      }
      if (error instanceof BadSubstitution) {
        this.line = unit.line
        await this.report(error.message)
        this.lastStatus = 1
        return 1
      }
      if (error instanceof ShellSyntaxError) {
        await this.syntaxError(error, label, unit.source.split('\n')[0] ?? '')
        this.lastStatus = 2
        return 2
      }
      throw error
    }
  }

  /** Puts back what an abandoned line left in the middle. */
  private unwound(
    tested: number,
    frames: readonly Frame[],
    depth: number,
    positional: readonly string[],
    traceDepth: number,
  ): void {
    this.tested = tested
    this.frames = frames
    this.vars.unwind(depth)
    this.positional = positional
    this.traceDepth = traceDepth
  }

  /** Prints a syntax error as bash does: with the line, where it shows one. */
  async syntaxError(error: ShellSyntaxError, label: string | undefined, source: string): Promise<void> {
    if (error.message === '') return
    if (this.setup.posix === true) {
      await this.errorText(`${this.name0}: ${error.line}: ${dashSyntax(error.message)}\n`)
      return
    }
    const head =
      this.interactive && this.frames.length === 0 && label === undefined
        ? 'bash: '
        : `${this.messageName}: ${label === undefined ? '' : `${label}: `}line ${error.line}: `
    await this.errorText(`${head}${error.message}\n${error.showLine ? `${head}\`${source}'\n` : ''}`)
  }

  /** Calls a function with a new frame around it. @throws ShellError when calls are nested too deep */
  async withFrame<T>(frame: Frame, body: () => Promise<T>): Promise<T> {
    if (this.frames.length >= MAX_FRAMES) {
      throw new ShellError(`${frame.name}: maximum function nesting level exceeded (${MAX_FRAMES})`, 1, 'line')
    }
    const { frames } = this
    this.frames = [...frames, frame]
    try {
      return await body()
    } finally {
      this.frames = frames
      if (frame.options !== undefined) this.options.restore(frame.options)
    }
  }

  /**
   * Evaluates one line in this shell, as a script's reader would.
   * @param text a byte string or ordinary text
   * @returns the status; throws ExitJump where the line ends the shell
   */
  async evalLine(text: string): Promise<number> {
    const status = await this.run(encode(decode(text)), { line: this.setup.lineBase ?? 1, label: 'eval' })
    this.lastStatus = status
    return status
  }

  /** Runs a command whose words are already expanded. */
  runWords(words: readonly string[]): Promise<number> {
    const parts = words.map((value): WordNode => ({ type: 'Word', parts: [{ type: 'SingleQuoted', value }] }))
    return runSimple(
      this,
      {
        type: 'SimpleCommand',
        assignments: [],
        name: parts[0]!,
        args: parts.slice(1),
        redirections: [],
        line: this.line,
      },
      false,
    )
  }

  /** Runs a program, never a function or a builtin. `file`: where it is, if that is known. */
  runExternal(words: readonly string[], file?: string): Promise<number> {
    return runProgramWords(this, words, file)
  }

  /** Gets ready to be replaced by a program. */
  prepareExec(): void {
    for (const fd of this.savedFds) this.closeQuietly(fd)
    this.savedFds.clear()
  }

  /** @returns whether a file can be run as a command */
  isProgram(file: string): boolean {
    try {
      return (this.proc.stat(decode(file)).mode & S_IFMT) === S_IFREG && this.proc.access(decode(file), 1)
    } catch (error) {
      if (isSysError(error)) return false
      throw error
    }
  }

  /** @returns whether a descriptor is a terminal */
  isTerminal(fd: number): boolean {
    try {
      return this.proc.isatty(fd)
    } catch (error) {
      if (isSysError(error)) return false
      throw error
    }
  }

  /** `local -`: options are put back when the function returns. */
  saveOptions(): void {
    const frame = this.frames[this.frames.length - 1]
    if (frame !== undefined) frame.options ??= this.options.snapshot()
  }
}

/** dash's words for a syntax error. */
function dashSyntax(message: string): string {
  const token = /near unexpected token `(.*)'$/s.exec(message)?.[1]
  if (token !== undefined) return `Syntax error: ${token === 'newline' ? 'newline' : `"${token}"`} unexpected`
  const quote = /looking for matching `(.)'/.exec(message)?.[1]
  if (quote === '"' || quote === "'") return 'Syntax error: Unterminated quoted string'
  if (quote === '`') return 'Syntax error: EOF in backquote substitution'
  if (quote === '}') return "Syntax error: Missing '}'"
  if (message.includes('unexpected end of file') || quote !== undefined) return 'Syntax error: end of file unexpected'
  return `Syntax error: ${message}`
}
