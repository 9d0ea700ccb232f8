/**
 * Arithmetic of bash(1) "ARITHMETIC EVALUATION": 64-bit integers, the operators of C, with variables by name.
 * The text comes with its expansions already done.
 */
import { ShellError } from './control.ts'

/** What an expression may read and change. */
export interface ArithmeticVariables {
  /** @returns the value of `name` or `name[subscript]`, undefined if unset */
  get(name: string, subscript: string | undefined): string | undefined
  set(name: string, subscript: string | undefined, value: string): void
  /** called for a variable without a value; throws under `set -u` */
  unset(name: string): void
}

/** Expressions within variables within expressions. */
const MAX_DEPTH = 1024

/** Evaluates an expression. @throws ShellError with bash's text; it does not say which command it was for */
export function evaluate(text: string, variables: ArithmeticVariables, depth = 0): bigint {
  const quick = /^\s*(\d{1,15})\s*$/.exec(text)
  if (quick !== null && (quick[1] === '0' || quick[1]![0] !== '0')) return BigInt(quick[1]!)
  return new Evaluator(text, variables, depth).run()
}

type Token =
  | { readonly kind: 'number'; readonly value: bigint; readonly start: number }
  | { readonly kind: 'name'; readonly name: string; readonly subscript: string | undefined; readonly start: number }
  | { readonly kind: 'op'; readonly op: string; readonly start: number }
  | { readonly kind: 'end'; readonly start: number }

const OPERATORS = [
  '<<=',
  '>>=',
  '**',
  '++',
  '--',
  '<<',
  '>>',
  '<=',
  '>=',
  '==',
  '!=',
  '&&',
  '||',
  '+=',
  '-=',
  '*=',
  '/=',
  '%=',
  '&=',
  '^=',
  '|=',
]
const ASSIGNMENTS = new Set(['=', '+=', '-=', '*=', '/=', '%=', '&=', '^=', '|=', '<<=', '>>='])
/** Binary operators by level, loosest first, below the conditional one. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
]

class Evaluator {
  private readonly text: string
  private readonly variables: ArithmeticVariables
  private readonly depth: number
  private pos = 0
  private token: Token = { kind: 'end', start: 0 }
  /** start of the token before */
  private previous = 0
  /** values are not wanted: the branch not taken */
  private idle = 0
  private nesting = 0

  constructor(text: string, variables: ArithmeticVariables, depth: number) {
    this.text = text
    this.variables = variables
    this.depth = depth
    if (depth > MAX_DEPTH) this.fail('expression recursion level exceeded', 0)
  }

  run(): bigint {
    if (this.text.trim() === '') return 0n
    this.next()
    if (this.atEnd()) return 0n
    const value = this.comma()
    if (!this.atEnd()) {
      const known = this.token.kind !== 'op' || /^[-+*/%<>=!&|^~?:,()]/.test(this.token.op)
      this.fail(known ? 'syntax error in expression' : 'syntax error: invalid arithmetic operator', this.token.start)
    }
    return value
  }

  private fail(message: string, at: number, only?: string): never {
    const shown = only ?? this.text.replace(/^[ \t\n]+/, '')
    throw new ShellError(`${shown}: ${message} (error token is "${only ?? this.text.slice(at)}")`, 1, 'line')
  }

  private next(): void {
    const { text } = this
    this.previous = this.token.start
    while (this.pos < text.length && ' \t\n\r"'.includes(text[this.pos]!)) this.pos++
    const start = this.pos
    if (start >= text.length) {
      this.token = { kind: 'end', start }
      return
    }
    const rest = text.slice(start, start + 200)
    const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(start))?.[0]
    if (name !== undefined) {
      this.pos += name.length
      let subscript: string | undefined
      if (text[this.pos] === '[') {
        const close = this.closing(this.pos)
        if (close < 0) this.fail('bad array subscript', start)
        subscript = text.slice(this.pos + 1, close)
        this.pos = close + 1
      }
      this.token = { kind: 'name', name, subscript, start }
      return
    }
    if (/^\d/.test(rest)) {
      const word = /^\d[0-9A-Za-z_@#]*/.exec(text.slice(start))![0]
      this.pos += word.length
      this.token = { kind: 'number', value: this.number(word, start), start }
      return
    }
    const before = this.token
    for (const op of OPERATORS) {
      if (rest.startsWith(op)) {
        // what is no variable cannot be incremented: two signs
        if ((op === '++' || op === '--') && (before.kind === 'number' || (before.kind === 'op' && before.op === ')')))
          break
        this.pos += op.length
        this.token = { kind: 'op', op, start }
        return
      }
    }
    this.pos++
    this.token = { kind: 'op', op: rest[0]!, start }
  }

  private atEnd(): boolean {
    return this.token.kind === 'end'
  }

  private closing(open: number): number {
    let depth = 0
    for (let i = open; i < this.text.length; i++) {
      if (this.text[i] === '[') depth++
      else if (this.text[i] === ']' && --depth === 0) return i
    }
    return -1
  }

  private number(word: string, start: number): bigint {
    let base = 10
    let digits = word
    const hash = word.indexOf('#')
    if (hash >= 0) {
      base = Number(word.slice(0, hash))
      digits = word.slice(hash + 1)
      if (!(base >= 2 && base <= 64)) this.fail('invalid arithmetic base', start, word)
      if (digits === '') this.fail('invalid integer constant', start, word)
      if (digits.includes('#')) this.fail('invalid number', start, word)
    } else if (/^0[xX]/.test(word)) {
      base = 16
      digits = word.slice(2)
    } else if (word[0] === '0' && word.length > 1) {
      base = 8
      digits = word.slice(1)
    }
    let value = 0n
    for (const c of digits) {
      let digit: number
      if (c >= '0' && c <= '9') digit = Number(c)
      else if (c >= 'a' && c <= 'z') digit = c.charCodeAt(0) - 87
      else if (c >= 'A' && c <= 'Z') digit = c.charCodeAt(0) - (base <= 36 ? 55 : 29)
      else digit = c === '@' ? 62 : 63
      if (digit >= base) this.fail('value too great for base', start, word)
      value = BigInt.asIntN(64, value * BigInt(base) + BigInt(digit))
    }
    return value
  }

  private isOp(...ops: string[]): boolean {
    return this.token.kind === 'op' && ops.includes(this.token.op)
  }

  private comma(): bigint {
    let value = this.assignment()
    while (this.isOp(',')) {
      this.next()
      value = this.assignment()
    }
    return value
  }

  private assignment(): bigint {
    const { token } = this
    if (token.kind === 'name') {
      const saved = this.pos
      this.next()
      const operator: Token = this.token
      if (
        operator.kind === 'op' &&
        ASSIGNMENTS.has(operator.op) &&
        !(operator.op === '=' && this.text[this.pos] === '=')
      ) {
        this.next()
        if (this.atEnd()) this.fail('syntax error: operand expected', operator.start)
        let value = this.assignment()
        if (operator.op !== '=') {
          const op = operator.op.slice(0, -1)
          value = this.apply(op, this.value(token), value, this.previous)
        }
        if (this.idle === 0) this.variables.set(token.name, token.subscript, String(value))
        return value
      }
      this.pos = saved
      this.token = token
    }
    const value = this.conditional()
    if (this.token.kind === 'op' && ASSIGNMENTS.has(this.token.op)) {
      this.fail('attempted assignment to non-variable', this.token.start)
    }
    return value
  }

  private conditional(): bigint {
    const condition = this.binary(0)
    if (!this.isOp('?')) return condition
    const question = this.token.start
    this.next()
    if (this.atEnd() || this.isOp(':')) this.fail('expression expected', this.atEnd() ? question : this.token.start)
    const yes = this.skippedUnless(condition !== 0n, () => this.comma())
    if (!this.isOp(':'))
      this.fail("`:' expected for conditional expression", this.atEnd() ? this.previous : this.token.start)
    const colon = this.token.start
    this.next()
    if (this.atEnd()) this.fail('expression expected', colon)
    const no = this.skippedUnless(condition === 0n, () => this.assignment())
    return condition !== 0n ? yes : no
  }

  private skippedUnless(wanted: boolean, part: () => bigint): bigint {
    if (!wanted) this.idle++
    try {
      return part()
    } finally {
      if (!wanted) this.idle--
    }
  }

  private binary(level: number): bigint {
    if (level === LEVELS.length) return this.power()
    const operators = LEVELS[level]!
    let left = this.binary(level + 1)
    for (;;) {
      const { token } = this
      if (token.kind !== 'op' || !operators.includes(token.op)) return left
      this.next()
      if (token.op === '||' || token.op === '&&') {
        const decided = token.op === '||' ? left !== 0n : left === 0n
        const right = this.skippedUnless(!decided, () => this.binary(level + 1))
        left = token.op === '||' ? (left !== 0n || right !== 0n ? 1n : 0n) : left !== 0n && right !== 0n ? 1n : 0n
        continue
      }
      const right = this.binary(level + 1)
      left = this.apply(token.op, left, right, this.previous)
    }
  }

  private apply(op: string, left: bigint, right: bigint, at: number): bigint {
    switch (op) {
      case '+':
        return BigInt.asIntN(64, left + right)
      case '-':
        return BigInt.asIntN(64, left - right)
      case '*':
        return BigInt.asIntN(64, left * right)
      case '/':
      case '%':
        if (right === 0n) {
          if (this.idle > 0) return 0n
          this.fail('division by 0', at)
        }
        return BigInt.asIntN(64, op === '/' ? left / right : left % right)
      case '<<':
        return BigInt.asIntN(64, left << (right & 63n))
      case '>>':
        return left >> (right & 63n)
      case '&':
        return left & right
      case '|':
        return left | right
      case '^':
        return left ^ right
      case '==':
        return left === right ? 1n : 0n
      case '!=':
        return left !== right ? 1n : 0n
      case '<':
        return left < right ? 1n : 0n
      case '>':
        return left > right ? 1n : 0n
      case '<=':
        return left <= right ? 1n : 0n
      default:
        return left >= right ? 1n : 0n
    }
  }

  private power(): bigint {
    const base = this.unary()
    if (!this.isOp('**')) return base
    this.next()
    let exponent = this.power()
    if (exponent < 0n) {
      if (this.idle > 0) return 0n
      this.fail('exponent less than 0', this.previous)
    }
    let result = 1n
    let square = base
    while (exponent > 0n) {
      if (exponent & 1n) result = BigInt.asIntN(64, result * square)
      square = BigInt.asIntN(64, square * square)
      exponent >>= 1n
    }
    return result
  }

  private unary(): bigint {
    const { token } = this
    if (token.kind !== 'op') return this.primary()
    switch (token.op) {
      case '!':
        this.next()
        return this.unary() === 0n ? 1n : 0n
      case '~':
        this.next()
        return ~this.unary()
      case '-':
        this.next()
        return BigInt.asIntN(64, -this.unary())
      case '+':
        this.next()
        return this.unary()
      case '++':
      case '--': {
        this.next()
        const target = this.token
        if (target.kind !== 'name') {
          // two signs in a row
          if (this.atEnd()) this.fail('syntax error: operand expected', token.start + 1)
          return this.unary()
        }
        this.next()
        const value = BigInt.asIntN(64, this.value(target) + (token.op === '++' ? 1n : -1n))
        if (this.idle === 0) this.variables.set(target.name, target.subscript, String(value))
        return value
      }
      default:
        return this.primary()
    }
  }

  private primary(): bigint {
    const { token } = this
    switch (token.kind) {
      case 'number':
        this.next()
        return token.value
      case 'name': {
        this.next()
        const value = this.value(token)
        if (this.isOp('++', '--')) {
          const step = this.isOp('++') ? 1n : -1n
          this.next()
          if (this.idle === 0) this.variables.set(token.name, token.subscript, String(BigInt.asIntN(64, value + step)))
        }
        return value
      }
      case 'op':
        if (token.op === '(') {
          if (++this.nesting > MAX_DEPTH) this.fail('expression recursion level exceeded', token.start)
          this.next()
          const value = this.comma()
          if (!this.isOp(')')) this.fail("missing `)'", this.atEnd() ? this.previous : this.token.start)
          this.next()
          this.nesting--
          return value
        }
        return this.fail('syntax error: operand expected', token.start)
      default:
        return this.fail('syntax error: operand expected', this.previous)
    }
  }

  private value(token: Extract<Token, { kind: 'name' }>): bigint {
    if (this.idle > 0) return 0n
    const text = this.variables.get(token.name, token.subscript)
    if (text === undefined) {
      this.variables.unset(token.subscript === undefined ? token.name : `${token.name}[${token.subscript}]`)
      return 0n
    }
    if (text === '') return 0n
    return evaluate(text, this.variables, this.depth + 1)
  }
}
