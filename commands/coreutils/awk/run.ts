/** The awk machine. */
import { isSysError } from '../../../src/uapi/errno.ts'
import { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } from '../../../src/uapi/fs.ts'
import type { Process } from '../../../src/uapi/process.ts'
import { decode, encode, toBytes } from '../lib/bytes.ts'
import { FormatError, format } from '../lib/format.ts'
import { closeInput, LineReader, openInput, readAll, reason, Writer } from '../lib/io.ts'
import { compileRegex, type Regex, RegexError } from '../lib/regex.ts'
import { strftime } from '../lib/strftime.ts'
import type { AwkProgram, Expr, FunctionDefinition, Redirect, Rule, Stmt } from './ast.ts'
import { Random } from './random.ts'
import { RecordReader } from './records.ts'
import { AwkArray, Input, numberText, toNumber, truth, type Value } from './values.ts'

/** What ends the program for its fault. */
export class AwkError extends Error {}

/** A variable: a value or an array. */
interface Cell {
  value: Value
  array: AwkArray | undefined
  /** a parameter that stands for a variable of the caller that was never used */
  origin?: Cell
}

class NextRecord {}
class NextFile {}
class LoopExit {
  readonly kind: 'break' | 'continue'
  constructor(kind: 'break' | 'continue') {
    this.kind = kind
  }
}
class Return {
  readonly value: Value
  constructor(value: Value) {
    this.value = value
  }
}
class Exit {}

/** Where output goes: a file or a command. */
interface Output {
  readonly fd: number
  buffer: string
  readonly pid: number | undefined
}

interface InputStream {
  readonly fd: number
  readonly reader: RecordReader
  readonly pid: number | undefined
}

/** Statements run between two visits to the scheduler. */
const STEPS_PER_YIELD = 4096
/** Calls of functions within functions. */
const MAX_CALLS = 5000
/** Bytes that may wait in an output's buffer. */
const OUTPUT_BUFFER = 4096

export class Awk {
  private readonly proc: Process
  private readonly program: AwkProgram
  private readonly writer: Writer
  private readonly globals = new Map<string, Cell>()
  private frames: Map<string, Cell>[] = []
  private readonly outputs = new Map<string, Output>()
  private readonly inputs = new Map<string, InputStream>()
  private readonly regexes = new Map<string, Regex>()
  private readonly ranges = new Map<Rule, boolean>()
  private random = new Random(1)
  private seed = 0
  private exitStatus = 0
  private steps = 0
  // the record and its fields
  private record: Value = new Input('')
  private fields: Value[] = []
  private split = true
  private nf = 0
  private joined = true
  // the main input
  private argument = 1
  private main: { fd: number; reader: RecordReader } | undefined
  private usedStdin = false
  private ended = false

  constructor(proc: Process, program: AwkProgram, args: readonly string[]) {
    this.proc = proc
    this.program = program
    this.writer = new Writer(proc)
    const set = (name: string, value: Value): void => {
      this.globals.set(name, { value, array: undefined })
    }
    for (const [name, value] of Object.entries({
      NF: 0,
      NR: 0,
      FNR: 0,
      FS: ' ',
      OFS: ' ',
      ORS: '\n',
      RS: '\n',
      FILENAME: '',
      SUBSEP: '\x1c',
      RSTART: 0,
      RLENGTH: -1,
      CONVFMT: '%.6g',
      OFMT: '%.6g',
    }))
      set(name, value)
    set('ARGC', args.length)
    const argv = this.arrayOf('ARGV')
    args.forEach((arg, i) => {
      argv.set(String(i), new Input(encode(arg)), true)
    })
    const environ = this.arrayOf('ENVIRON')
    for (const [name, value] of proc.env) environ.set(encode(name), new Input(encode(value)))
    this.seed = Math.floor(proc.realtime() / 1e9)
    this.random = new Random(this.seed)
  }

  /** -v name=value, and operands of that form. */
  assign(name: string, text: string): void {
    this.setVariable(name, new Input(unescapeText(text)))
  }

  /** Runs the program. @returns its exit status @throws AwkError */
  async run(): Promise<number> {
    const { rules } = this.program
    try {
      await this.begin(rules)
    } catch (error) {
      if (!(error instanceof Exit)) throw error
      this.ended = true
    }
    const ends = rules.filter(rule => rule.kind === 'END')
    try {
      for (const rule of ends) if (rule.body !== undefined) await this.execute(rule.body)
    } catch (error) {
      if (!(error instanceof Exit)) throw error
    }
    await this.closeAll()
    return this.exitStatus
  }

  private async begin(rules: readonly Rule[]): Promise<void> {
    for (const rule of rules) if (rule.kind === 'BEGIN' && rule.body !== undefined) await this.execute(rule.body)
    if (!rules.some(rule => rule.kind !== 'BEGIN')) {
      // without rules for records there is nothing to read, and no END either
      if (!rules.some(rule => rule.kind === 'END')) return
    }
    const main = rules.filter(rule => rule.kind === 'pattern' || rule.kind === 'range')
    for (;;) {
      const record = await this.nextRecord()
      if (record === undefined) return
      this.setRecord(new Input(record))
      try {
        for (const rule of main) {
          if (!(await this.selects(rule))) continue
          if (rule.body === undefined) await this.print([], undefined)
          else await this.execute(rule.body)
        }
      } catch (error) {
        if (error instanceof NextFile) this.closeMain()
        else if (!(error instanceof NextRecord)) throw error
      }
      await this.writer.relax()
    }
  }

  private async selects(rule: Rule): Promise<boolean> {
    if (rule.kind === 'pattern') return rule.first === undefined || truth(await this.evaluate(rule.first))
    if (this.ranges.get(rule) !== true) {
      if (!truth(await this.evaluate(rule.first!))) return false
      this.ranges.set(rule, true)
    }
    if (truth(await this.evaluate(rule.second!))) this.ranges.set(rule, false)
    return true
  }

  // input

  /** @returns the next record of the files in ARGV */
  private async nextRecord(): Promise<string | undefined> {
    for (;;) {
      if (this.ended) return undefined
      if (this.main === undefined && !(await this.openNext())) {
        this.ended = true
        return undefined
      }
      const { main } = this
      let record: string | undefined
      try {
        record = await main!.reader.next(this.text('RS'))
      } catch (error) {
        if (!isSysError(error)) throw error
        record = undefined
      }
      if (record !== undefined) {
        this.setVariable('NR', this.number('NR') + 1)
        this.setVariable('FNR', this.number('FNR') + 1)
        return record
      }
      this.closeMain()
    }
  }

  private closeMain(): void {
    if (this.main === undefined) return
    closeInput(this.proc, this.main.fd)
    this.main = undefined
  }

  private async openNext(): Promise<boolean> {
    const argv = this.arrayOf('ARGV')
    while (this.argument < this.number('ARGC')) {
      const key = String(this.argument++)
      const name = argv.has(key) ? this.string(argv.get(key)) : ''
      if (name === '') continue
      const assignment = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(name)
      if (assignment !== null) {
        this.assign(assignment[1]!, assignment[2]!)
        continue
      }
      this.usedStdin = true
      let fd: number
      try {
        fd = openInput(this.proc, name === '/dev/stdin' ? '-' : decode(name))
      } catch (error) {
        throw new AwkError(`cannot open ${decode(name)} (${reason(error)})`)
      }
      this.start(fd, name)
      return true
    }
    if (this.usedStdin) return false
    this.usedStdin = true
    this.start(0, '')
    return true
  }

  private start(fd: number, name: string): void {
    this.main = {
      fd,
      reader: new RecordReader(
        new LineReader(this.proc, fd),
        () => readAll(this.proc, fd),
        pattern => this.regex(pattern),
      ),
    }
    this.setVariable('FILENAME', name)
    this.setVariable('FNR', 0)
  }

  // variables

  private cell(name: string): Cell {
    const frame = this.frames[this.frames.length - 1]
    const local = frame?.get(name)
    if (local !== undefined) return local
    let cell = this.globals.get(name)
    if (cell === undefined) {
      cell = { value: undefined, array: undefined }
      this.globals.set(name, cell)
    }
    return cell
  }

  private arrayOf(name: string): AwkArray {
    const cell = this.cell(name)
    if (cell.array === undefined) {
      cell.array = new AwkArray()
      for (let origin = cell.origin; origin !== undefined; origin = origin.origin) origin.array = cell.array
    }
    return cell.array
  }

  private variable(name: string): Value {
    if (name === 'NF' && !this.split) this.splitRecord()
    return this.cell(name).value
  }

  private text(name: string): string {
    return this.string(this.globals.get(name)?.value)
  }

  private number(name: string): number {
    return toNumber(this.globals.get(name)?.value)
  }

  private setVariable(name: string, value: Value): void {
    const cell = this.cell(name)
    cell.value = value
    if (name === 'NF' && this.globals.get('NF') === cell) {
      if (!this.split) this.splitRecord()
      this.setFieldCount(Math.max(0, Math.floor(toNumber(value))))
    }
  }

  private string(value: Value): string {
    if (typeof value === 'string') return value
    if (value === undefined) return ''
    if (typeof value === 'number') {
      if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) return String(value === 0 ? 0 : value)
      return numberText(value, this.string(this.globals.get('CONVFMT')?.value ?? '%.6g'))
    }
    return value.text
  }

  // fields

  private setRecord(value: Value): void {
    this.record = value
    this.split = false
    this.joined = true
  }

  private splitRecord(): void {
    this.split = true
    const text = this.string(this.record)
    const separator = this.text('FS')
    const parts = this.splitText(text, separator)
    this.fields = parts.map(part => new Input(part))
    this.nf = parts.length
    this.globals.get('NF')!.value = this.nf
  }

  /** Splits a text at FS: blanks, one character, or an expression; in paragraph mode newlines separate too. */
  private splitText(text: string, separator: string): string[] {
    if (text === '') return []
    const paragraph = this.text('RS') === ''
    if (separator === ' ') {
      const words = text.split(/[ \t\n]+/)
      if (words[0] === '') words.shift()
      if (words[words.length - 1] === '') words.pop()
      return words
    }
    if (separator === '') return [...text]
    // a single character stands for itself
    if (separator.length === 1 && !paragraph) return text.split(separator)
    const regex = this.regex(
      paragraph
        ? `(${separator.length === 1 ? separator.replace(/[.*+?()[\]{}^$|\\]/g, '\\$&') : separator})|\n`
        : separator,
    )
    const parts: string[] = []
    let at = 0
    let from = 0
    while (from <= text.length) {
      const match = regex.exec(text, from)
      if (match === undefined) break
      if (match.end === match.index) {
        from = match.end + 1
        continue
      }
      parts.push(text.slice(at, match.index))
      at = match.end
      from = match.end
    }
    parts.push(text.slice(at))
    return parts
  }

  private field(index: number): Value {
    if (index < 0) throw new AwkError(`run time error: negative field index $${index}`)
    if (index === 0) {
      if (!this.joined) this.joinRecord()
      return this.record
    }
    if (!this.split) this.splitRecord()
    return this.fields[index - 1]
  }

  private setField(index: number, value: Value): void {
    if (index < 0) throw new AwkError(`run time error: negative field index $${index}`)
    if (index === 0) {
      this.setRecord(value instanceof Input ? value : new Input(this.string(value)))
      return
    }
    if (!this.split) this.splitRecord()
    if (index > this.nf) {
      while (this.fields.length < index) this.fields.push('')
      this.nf = index
      this.globals.get('NF')!.value = index
    }
    this.fields[index - 1] = value
    this.joined = false
  }

  private setFieldCount(count: number): void {
    while (this.fields.length < count) this.fields.push('')
    this.fields.length = count
    this.nf = count
    this.joined = false
  }

  private joinRecord(): void {
    this.joined = true
    this.record = new Input(this.fields.map(field => this.string(field)).join(this.text('OFS')))
    this.split = true
  }

  // expressions

  private regex(source: string): Regex {
    let regex = this.regexes.get(source)
    if (regex === undefined) {
      try {
        regex = compileRegex(source, { extended: true, controls: true })
      } catch (error) {
        if (error instanceof RegexError)
          throw new AwkError(
            `regular expression compile failed (${error.message === 'Invalid preceding regular expression' ? 'missing operand' : error.message.toLowerCase()})\n${decode(source)}`,
          )
        throw error
      }
      if (this.regexes.size > 500) this.regexes.clear()
      this.regexes.set(source, regex)
    }
    return regex
  }

  /** The expression that a right-hand side of ~ means. */
  private async pattern(expression: Expr): Promise<Regex> {
    if (expression.type === 'regex') return this.regex(expression.source)
    return this.regex(this.string(await this.evaluate(expression)))
  }

  private async evaluate(expression: Expr): Promise<Value> {
    switch (expression.type) {
      case 'number':
        return expression.value
      case 'string':
        return expression.value
      case 'regex':
        return this.regex(expression.source).test(this.string(this.field(0))) ? 1 : 0
      case 'variable':
        return this.variable(expression.name)
      case 'field':
        return this.field(Math.trunc(toNumber(await this.evaluate(expression.index))))
      case 'element': {
        const { key, byNumber } = await this.subscript(expression.subscript)
        return this.arrayOf(expression.array).get(key, byNumber)
      }
      case 'in':
        return this.arrayOf(expression.array).has((await this.subscript(expression.subscript)).key) ? 1 : 0
      case 'group':
        return this.evaluate(expression.inner)
      case 'unary': {
        const value = await this.evaluate(expression.operand)
        if (expression.op === '!') return truth(value) ? 0 : 1
        return expression.op === '-' ? -toNumber(value) : toNumber(value)
      }
      case 'binary':
        return this.binary(expression)
      case 'conditional':
        return truth(await this.evaluate(expression.test))
          ? this.evaluate(expression.yes)
          : this.evaluate(expression.no)
      case 'match': {
        const text = this.string(await this.evaluate(expression.left))
        return (await this.pattern(expression.right)).test(text) !== expression.negated ? 1 : 0
      }
      case 'assign':
        return this.assignment(expression)
      case 'increment': {
        const place = await this.place(expression.target)
        const old = toNumber(place.get())
        place.set(old + expression.by)
        return expression.prefix ? old + expression.by : old
      }
      case 'call':
        return this.call(expression.name, expression.args)
      case 'builtin':
        return this.builtin(expression.name, expression.args)
      case 'getline':
        return this.getline(expression)
    }
  }

  private async subscript(list: readonly Expr[]): Promise<{ key: string; byNumber: boolean }> {
    if (list.length === 1) {
      const value = await this.evaluate(list[0]!)
      return { key: this.string(value), byNumber: typeof value === 'number' && Number.isInteger(value) }
    }
    const parts: string[] = []
    for (const part of list) parts.push(this.string(await this.evaluate(part)))
    return { key: parts.join(this.text('SUBSEP')), byNumber: false }
  }

  /** Something that can be assigned to, its subscript evaluated once. */
  private async place(target: Expr): Promise<{ get(): Value; set(value: Value): void }> {
    switch (target.type) {
      case 'variable':
        return { get: () => this.variable(target.name), set: value => this.setVariable(target.name, value) }
      case 'field': {
        const index = Math.trunc(toNumber(await this.evaluate(target.index)))
        return { get: () => this.field(index), set: value => this.setField(index, value) }
      }
      case 'element': {
        const { key, byNumber } = await this.subscript(target.subscript)
        const array = this.arrayOf(target.array)
        return { get: () => array.get(key, byNumber), set: value => array.set(key, value, byNumber) }
      }
      default:
        throw new AwkError('assignment to what is no variable')
    }
  }

  private async assignment(expression: Extract<Expr, { type: 'assign' }>): Promise<Value> {
    if (expression.op === '=') {
      const value = await this.evaluate(expression.value)
      const place = await this.place(expression.target)
      place.set(value)
      return value
    }
    const place = await this.place(expression.target)
    const right = toNumber(await this.evaluate(expression.value))
    const result = arithmetic(expression.op.slice(0, -1), toNumber(place.get()), right)
    place.set(result)
    return result
  }

  private async binary(expression: Extract<Expr, { type: 'binary' }>): Promise<Value> {
    const { op } = expression
    const left = await this.evaluate(expression.left)
    if (op === '&&') return truth(left) && truth(await this.evaluate(expression.right)) ? 1 : 0
    if (op === '||') return truth(left) || truth(await this.evaluate(expression.right)) ? 1 : 0
    const right = await this.evaluate(expression.right)
    switch (op) {
      case ' ':
        return this.string(left) + this.string(right)
      case '<':
      case '<=':
      case '==':
      case '!=':
      case '>':
      case '>=':
        return this.compare(op, left, right) ? 1 : 0
      default:
        return arithmetic(op, toNumber(left), toNumber(right))
    }
  }

  /** Numbers, and input that looks like them, compare as numbers; all else as text. */
  private compare(op: string, left: Value, right: Value): boolean {
    const a = numeric(left)
    const b = numeric(right)
    let order: number
    if (a !== undefined && b !== undefined) {
      if (Number.isNaN(a) || Number.isNaN(b)) return op === '!='
      order = a - b
    } else {
      const x = this.string(left)
      const y = this.string(right)
      order = x < y ? -1 : x > y ? 1 : 0
    }
    switch (op) {
      case '<':
        return order < 0
      case '<=':
        return order <= 0
      case '==':
        return order === 0
      case '!=':
        return order !== 0
      case '>':
        return order > 0
      default:
        return order >= 0
    }
  }

  private async call(name: string, args: readonly Expr[]): Promise<Value> {
    const definition: FunctionDefinition = this.program.functions.get(name)!
    if (this.frames.length >= MAX_CALLS) throw new AwkError('run time error: function call nesting too deep')
    if (args.length > definition.parameters.length)
      throw new AwkError(`run time error: too many arguments in call to ${name}`)
    const frame = new Map<string, Cell>()
    for (const [i, parameter] of definition.parameters.entries()) {
      const arg = args[i]
      if (arg === undefined) frame.set(parameter, { value: undefined, array: undefined })
      else if (arg.type === 'variable') {
        const cell = this.cell(arg.name)
        if (cell.array !== undefined) frame.set(parameter, { value: undefined, array: cell.array })
        else {
          const value = this.variable(arg.name)
          frame.set(
            parameter,
            value === undefined ? { value, array: undefined, origin: cell } : { value, array: undefined },
          )
        }
      } else frame.set(parameter, { value: await this.evaluate(arg), array: undefined })
    }
    this.frames.push(frame)
    try {
      await this.execute(definition.body)
      return undefined
    } catch (error) {
      if (error instanceof Return) return error.value
      throw error
    } finally {
      this.frames.pop()
    }
  }

  private async builtin(name: string, args: readonly Expr[]): Promise<Value> {
    const value = async (i: number): Promise<Value> => (args[i] === undefined ? undefined : this.evaluate(args[i]))
    const text = async (i: number): Promise<string> => this.string(await value(i))
    const number = async (i: number): Promise<number> => toNumber(await value(i))
    switch (name) {
      case 'length': {
        const [only] = args
        if (only === undefined) return this.string(this.field(0)).length
        if (only.type === 'variable' && this.cell(only.name).array !== undefined) return this.arrayOf(only.name).size
        return (await text(0)).length
      }
      case 'substr':
        return substring(await text(0), await number(1), args.length > 2 ? await number(2) : undefined)
      case 'index':
        return (await text(0)).indexOf(await text(1)) + 1
      case 'split': {
        const source = await text(0)
        const target = args[1]
        if (target?.type !== 'variable') throw new AwkError('run time error: split() needs an array')
        const separator = args[2] === undefined ? this.text('FS') : args[2].type === 'regex' ? undefined : await text(2)
        let parts: string[]
        if (separator === undefined) {
          const regex = this.regex((args[2] as Extract<Expr, { type: 'regex' }>).source)
          parts = source === '' ? [] : splitBy(source, regex)
        } else
          parts =
            separator.length > 1 && source !== ''
              ? splitBy(source, this.regex(separator))
              : this.splitText(source, separator)
        const array = this.arrayOf(target.name)
        array.clear()
        parts.forEach((part, i) => {
          array.set(String(i + 1), new Input(part), true)
        })
        return parts.length
      }
      case 'sub':
      case 'gsub':
        return this.substitute(args, name === 'gsub')
      case 'match': {
        const source = await text(0)
        const match = (await this.pattern(args[1]!)).exec(source)
        this.setVariable('RSTART', match === undefined ? 0 : match.index + 1)
        this.setVariable('RLENGTH', match === undefined ? -1 : match.end - match.index)
        return match === undefined ? 0 : match.index + 1
      }
      case 'sprintf': {
        const values: Value[] = []
        for (const arg of args) values.push(await this.evaluate(arg))
        return this.formatted(values, 'sprintf')
      }
      case 'sin':
        return Math.sin(await number(0))
      case 'cos':
        return Math.cos(await number(0))
      case 'atan2':
        return Math.atan2(await number(0), await number(1))
      case 'exp':
        return Math.exp(await number(0))
      case 'log':
        return Math.log(await number(0))
      case 'sqrt':
        return Math.sqrt(await number(0))
      case 'int':
        return Math.trunc(await number(0))
      case 'rand':
        return this.random.next() / 2147483647
      case 'srand': {
        const old = this.seed
        this.seed = args.length > 0 ? await number(0) : Math.floor(this.proc.realtime() / 1e9)
        this.random = new Random(this.seed)
        return old
      }
      case 'tolower':
        return (await text(0)).replace(/[A-Z]+/g, letters => letters.toLowerCase())
      case 'toupper':
        return (await text(0)).replace(/[a-z]+/g, letters => letters.toUpperCase())
      case 'system':
        return this.system(await text(0))
      case 'close':
        return this.close(await text(0))
      case 'fflush':
        await this.flush()
        return 0
      case 'systime':
        return Math.floor(this.proc.realtime() / 1e9)
      case 'strftime':
        return encode(
          strftime(
            decode(args.length > 0 ? await text(0) : '%c'),
            (args.length > 1 ? await number(1) : Math.floor(this.proc.realtime() / 1e9)) * 1e9,
            this.proc.env.get('TZ') ?? '',
          ),
        )
      case 'mktime': {
        const parts = (await text(0)).trim().split(/\s+/).map(Number)
        if (parts.length < 6 || parts.some(Number.isNaN)) return -1
        return Date.UTC(parts[0]!, parts[1]! - 1, parts[2]!, parts[3]!, parts[4]!, parts[5]!) / 1000
      }
      default:
        throw new AwkError(`run time error: unknown function ${name}`)
    }
  }

  private async substitute(args: readonly Expr[], global: boolean): Promise<Value> {
    const regex = await this.pattern(args[0]!)
    const replacement = this.string(await this.evaluate(args[1]!))
    const target: Expr = args[2] ?? { type: 'field', index: { type: 'number', value: 0 } }
    const assignable = target.type === 'variable' || target.type === 'field' || target.type === 'element'
    const place = assignable ? await this.place(target) : undefined
    const text = this.string(place === undefined ? await this.evaluate(target) : place.get())
    let out = ''
    let at = 0
    let from = 0
    let count = 0
    let lastEnd = -1
    while (from <= text.length) {
      const match = regex.exec(text, from)
      if (match === undefined) break
      const empty = match.end === match.index
      if (empty && match.index === lastEnd) {
        // right after another match an empty one does not count
        out += text.slice(at, match.index + 1)
        at = match.index + 1
        from = match.index + 1
        lastEnd = -1
        continue
      }
      count++
      out += text.slice(at, match.index) + expandReplacement(replacement, text.slice(match.index, match.end))
      at = match.end
      lastEnd = match.end
      if (!global) break
      if (empty) {
        if (match.end < text.length) out += text[match.end]
        at = match.end + 1
        from = match.end + 1
      } else from = match.end
    }
    if (count > 0) place?.set(out + text.slice(Math.min(at, text.length)))
    return count
  }

  private formatted(values: readonly Value[], what: string): string {
    const spec = this.string(values[0])
    let next = 1
    // %d and the like cut to what a C int holds; %c takes a number as a code
    let out = ''
    for (let i = 0; i < spec.length; ) {
      const c = spec[i]!
      if (c !== '%') {
        out += c
        i++
        continue
      }
      const match = /^%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?(?:hh|h|ll|l|L|q|j|z|t)?([a-zA-Z%])/.exec(spec.slice(i))
      if (match === null) throw new AwkError(`run time error: bad conversion in ${what}("${decode(spec)}")`)
      i += match[0].length
      if (match[4] === '%') {
        out += '%'
        continue
      }
      const take = (): Value => {
        if (next >= values.length)
          throw new AwkError(`run time error: not enough arguments passed to ${what}("${decode(spec)}")`)
        return values[next++]
      }
      const width = match[2] === '*' ? String(Math.trunc(toNumber(take()))) : (match[2] ?? '')
      const precision =
        match[3] === '*' ? `.${Math.trunc(toNumber(take()))}` : match[3] === undefined ? '' : `.${match[3]}`
      const value = take()
      const conversion = match[4]!
      let argument: string
      if (conversion === 'c') {
        const code = typeof value === 'number' ? value : value instanceof Input ? value.number : undefined
        argument = code !== undefined ? String.fromCharCode(Math.trunc(code) & 0xff) : this.string(value)
      } else if (conversion === 's') argument = this.string(value)
      else if ('dioxXu'.includes(conversion))
        argument = String(
          Math.max(
            -2147483647,
            Math.min('di'.includes(conversion) ? 2147483647 : 4294967295, Math.trunc(toNumber(value)) || 0),
          ),
        )
      else argument = String(toNumber(value))
      try {
        out += format(`%${match[1]}${width}${precision}${conversion === 'i' ? 'd' : conversion}`, [argument], {
          complain: () => {},
          quote: text => text,
          utf8: false,
          invalid: text => text,
          partial: text => text,
          range: text => text,
        }).text
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        throw new AwkError(`run time error: bad conversion in ${what}("${decode(spec)}")`)
      }
    }
    return out
  }

  // input and output of other kinds

  private async getline(expression: Extract<Expr, { type: 'getline' }>): Promise<Value> {
    let record: string | undefined
    if (expression.from === 'input') {
      record = await this.nextRecord()
      if (record === undefined) return 0
    } else {
      const name = this.string(await this.evaluate(expression.source!))
      let stream = this.inputs.get(name)
      if (stream === undefined) {
        try {
          stream = expression.from === 'file' ? this.openFile(name) : await this.openCommand(name)
        } catch (error) {
          if (!isSysError(error)) throw error
          return -1
        }
        this.inputs.set(name, stream)
      }
      record = await stream.reader.next(this.text('RS'))
      if (record === undefined) return 0
      if (expression.from === 'command') this.setVariable('NR', this.number('NR') + 1)
    }
    const value = new Input(record)
    if (expression.target === undefined) this.setRecord(value)
    else (await this.place(expression.target)).set(value)
    return 1
  }

  private openFile(name: string): InputStream {
    const fd = openInput(this.proc, name === '/dev/stdin' ? '-' : decode(name))
    return { fd, reader: this.reader(fd), pid: undefined }
  }

  private reader(fd: number): RecordReader {
    return new RecordReader(
      new LineReader(this.proc, fd),
      () => readAll(this.proc, fd),
      pattern => this.regex(pattern),
    )
  }

  private async openCommand(command: string): Promise<InputStream> {
    await this.flush()
    const { proc } = this
    const [reader, writer] = proc.pipe()
    const pid = proc.fork(async child => {
      child.close(reader)
      child.dup2(writer, 1)
      child.close(writer)
      return child.exec('/bin/sh', ['sh', '-c', decode(command)])
    })
    proc.close(writer)
    return { fd: reader, reader: this.reader(reader), pid }
  }

  private async print(args: readonly Value[], redirect: Redirect | undefined): Promise<void> {
    const line =
      args.length === 0 ? this.string(this.field(0)) : args.map(value => this.shown(value)).join(this.text('OFS'))
    await this.put(line + this.text('ORS'), redirect)
  }

  /** A value as print shows it: numbers by OFMT. */
  private shown(value: Value): string {
    if (typeof value !== 'number') return this.string(value)
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) return String(value === 0 ? 0 : value)
    return numberText(value, this.text('OFMT'))
  }

  private async put(text: string, redirect: Redirect | undefined): Promise<void> {
    if (redirect === undefined) {
      this.writer.write(text)
      return
    }
    const name = this.string(await this.evaluate(redirect.target))
    if (name === '/dev/stdout' || name === '-') {
      this.writer.write(text)
      return
    }
    if (name === '/dev/stderr') {
      await this.proc.stdout.flush()
      this.proc.stderr.write(toBytes(text))
      return
    }
    let output = this.outputs.get(name)
    if (output === undefined) {
      output = redirect.kind === '|' ? await this.openPipe(name) : this.openOutput(name, redirect.kind === '>>')
      this.outputs.set(name, output)
    }
    output.buffer += text
    if (output.buffer.length >= OUTPUT_BUFFER) await this.drain(output)
  }

  private openOutput(name: string, append: boolean): Output {
    try {
      return {
        fd: this.proc.open(decode(name), O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0o666),
        buffer: '',
        pid: undefined,
      }
    } catch (error) {
      throw new AwkError(`cannot open "${decode(name)}" for output`.concat(isSysError(error) ? '' : reason(error)))
    }
  }

  private async openPipe(command: string): Promise<Output> {
    await this.flush()
    const { proc } = this
    const [reader, writer] = proc.pipe()
    const others = [...this.outputs.values()].map(output => output.fd)
    const pid = proc.fork(async child => {
      child.close(writer)
      for (const fd of others) child.close(fd)
      child.dup2(reader, 0)
      child.close(reader)
      return child.exec('/bin/sh', ['sh', '-c', decode(command)])
    })
    proc.close(reader)
    return { fd: writer, buffer: '', pid }
  }

  private async drain(output: Output): Promise<void> {
    const { buffer } = output
    output.buffer = ''
    if (buffer === '') return
    try {
      await this.proc.write(output.fd, toBytes(buffer))
    } catch (error) {
      throw new AwkError(`write failure (${reason(error)})`)
    }
  }

  private async flush(): Promise<void> {
    await this.proc.stdout.flush()
    for (const output of this.outputs.values()) await this.drain(output)
  }

  private async close(name: string): Promise<number> {
    let status = -1
    const output = this.outputs.get(name)
    if (output !== undefined) {
      this.outputs.delete(name)
      await this.drain(output)
      this.proc.close(output.fd)
      status = output.pid === undefined ? 0 : await this.wait(output.pid)
    }
    const input = this.inputs.get(name)
    if (input !== undefined) {
      this.inputs.delete(name)
      closeInput(this.proc, input.fd)
      status = input.pid === undefined ? 0 : await this.wait(input.pid)
    }
    return status
  }

  private async wait(pid: number): Promise<number> {
    const status = await this.proc.waitpid(pid)
    if (status?.kind === 'exited') return status.status
    return status?.kind === 'signaled' ? 256 + status.signal : 0
  }

  private async system(command: string): Promise<number> {
    await this.flush()
    const pid = this.proc.fork(child => child.exec('/bin/sh', ['sh', '-c', decode(command)]))
    return this.wait(pid)
  }

  private async closeAll(): Promise<void> {
    await this.proc.stdout.flush()
    for (const name of [...this.outputs.keys()]) await this.close(name)
    for (const name of [...this.inputs.keys()]) {
      const input = this.inputs.get(name)!
      closeInput(this.proc, input.fd)
      if (input.pid !== undefined) await this.wait(input.pid)
    }
    this.closeMain()
  }

  // statements

  private async execute(statement: Stmt): Promise<void> {
    if (++this.steps % STEPS_PER_YIELD === 0) await this.proc.yield()
    switch (statement.type) {
      case 'block':
        for (const each of statement.body) await this.execute(each)
        return
      case 'expression':
        await this.evaluate(statement.expression)
        return
      case 'print': {
        const values: Value[] = []
        for (const arg of statement.args) values.push(await this.evaluate(arg))
        await this.print(values, statement.redirect)
        return
      }
      case 'printf': {
        const values: Value[] = []
        for (const arg of statement.args) values.push(await this.evaluate(arg))
        await this.put(this.formatted(values, 'printf'), statement.redirect)
        return
      }
      case 'if':
        if (truth(await this.evaluate(statement.test))) await this.execute(statement.yes)
        else if (statement.no !== undefined) await this.execute(statement.no)
        return
      case 'while':
        while (truth(await this.evaluate(statement.test))) if (!(await this.iterate(statement.body))) return
        return
      case 'do':
        do {
          if (!(await this.iterate(statement.body))) return
        } while (truth(await this.evaluate(statement.test)))
        return
      case 'for':
        if (statement.init !== undefined) await this.execute(statement.init)
        while (statement.test === undefined || truth(await this.evaluate(statement.test))) {
          if (!(await this.iterate(statement.body))) return
          if (statement.step !== undefined) await this.execute(statement.step)
        }
        return
      case 'forIn': {
        for (const key of this.arrayOf(statement.array).keys()) {
          this.setVariable(statement.variable, new Input(key))
          if (!(await this.iterate(statement.body))) return
        }
        return
      }
      case 'break':
      case 'continue':
        throw new LoopExit(statement.type)
      case 'next':
        throw new NextRecord()
      case 'nextfile':
        throw new NextFile()
      case 'exit':
        if (statement.value !== undefined)
          this.exitStatus = Math.trunc(toNumber(await this.evaluate(statement.value))) & 0xff
        throw new Exit()
      case 'return':
        throw new Return(statement.value === undefined ? undefined : await this.evaluate(statement.value))
      case 'delete': {
        const array = this.arrayOf(statement.array)
        if (statement.subscript === undefined) array.clear()
        else array.delete((await this.subscript(statement.subscript)).key)
        return
      }
    }
  }

  /** Runs a loop's body once. @returns whether the loop goes on */
  private async iterate(body: Stmt): Promise<boolean> {
    try {
      await this.execute(body)
      return true
    } catch (error) {
      if (error instanceof LoopExit) return error.kind === 'continue'
      throw error
    }
  }
}

function numeric(value: Value): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'string') return undefined
  // what was never set is both 0 and ""
  return value === undefined ? 0 : value.number
}

function arithmetic(op: string, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '%':
      return a % b
    default:
      return a ** b
  }
}

/** substr, with its roundings. */
function substring(text: string, start: number, length: number | undefined): string {
  const from = Math.round(start)
  const to = length === undefined ? Number.POSITIVE_INFINITY : Math.round(start + length)
  if (Number.isNaN(from) || Number.isNaN(to)) return ''
  return text.slice(Math.max(0, from - 1), Math.max(0, to - 1))
}

function splitBy(text: string, regex: Regex): string[] {
  const parts: string[] = []
  let at = 0
  let from = 0
  while (from < text.length) {
    const match = regex.exec(text, from)
    if (match === undefined) break
    if (match.end === match.index) {
      from = match.end + 1
      continue
    }
    parts.push(text.slice(at, match.index))
    at = match.end
    from = match.end
  }
  parts.push(text.slice(at))
  return parts
}

/** & stands for the match, \& for itself. */
function expandReplacement(text: string, match: string): string {
  if (!/[&\\]/.test(text)) return text
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (c === '\\' && (text[i + 1] === '&' || text[i + 1] === '\\')) out += text[++i]
    else out += c === '&' ? match : c
  }
  return out
}

/** Escapes in the value of -v and of operands that assign. */
function unescapeText(text: string): string {
  if (!text.includes('\\')) return text
  const named: Readonly<Record<string, string>> = {
    '"': '"',
    '\\': '\\',
    '/': '/',
    a: '\x07',
    b: '\b',
    f: '\f',
    n: '\n',
    r: '\r',
    t: '\t',
    v: '\v',
  }
  return text.replace(/\\([0-7]{1,3}|[\s\S])/g, (all, e: string) =>
    /^[0-7]/.test(e) ? String.fromCharCode(Number.parseInt(e, 8) & 0xff) : (named[e] ?? all),
  )
}
