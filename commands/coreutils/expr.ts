/** expr(1) */
import type { Program } from '../../src/uapi/process.ts'
import { quote, usageError } from '../lib/coreutils.ts'
import { decode, encode } from './lib/bytes.ts'
import { compileRegex, RegexError } from './lib/regex.ts'

class ExprError extends Error {}

/** Exit statuses: null or 0; a wrong expression; an error while evaluating. */
const EXIT_NULL = 1
const EXIT_INVALID = 2

class Expression {
  private readonly args: readonly string[]
  private pos = 0
  /** values are not wanted: the side of | or & that does not count */
  private idle = 0

  constructor(args: readonly string[]) {
    this.args = args
  }

  run(): string {
    const value = this.or()
    if (this.pos < this.args.length)
      throw new ExprError(`syntax error: unexpected argument ${quote(decode(this.args[this.pos]!))}`)
    return value
  }

  private accept(...words: string[]): string | undefined {
    const word = this.args[this.pos]
    if (word === undefined || !words.includes(word)) return undefined
    this.pos++
    return word
  }

  private or(): string {
    let left = this.and()
    while (this.accept('|') !== undefined) {
      const taken = !isNull(left)
      if (taken) this.idle++
      const right = this.and()
      if (taken) this.idle--
      if (!taken) left = isNull(right) ? '0' : right
    }
    return left
  }

  private and(): string {
    let left = this.comparison()
    while (this.accept('&') !== undefined) {
      const dead = isNull(left)
      if (dead) this.idle++
      const right = this.comparison()
      if (dead) this.idle--
      left = dead || isNull(right) ? '0' : left
    }
    return left
  }

  private comparison(): string {
    let left = this.sum()
    for (;;) {
      const op = this.accept('<', '<=', '=', '==', '!=', '>=', '>')
      if (op === undefined) return left
      const right = this.sum()
      const a = integer(left)
      const b = integer(right)
      const order =
        a !== undefined && b !== undefined ? (a < b ? -1 : a > b ? 1 : 0) : left < right ? -1 : left > right ? 1 : 0
      const result =
        op === '<'
          ? order < 0
          : op === '<='
            ? order <= 0
            : op === '!='
              ? order !== 0
              : op === '>='
                ? order >= 0
                : op === '>'
                  ? order > 0
                  : order === 0
      left = result ? '1' : '0'
    }
  }

  private number(text: string): bigint {
    const value = integer(text)
    if (value === undefined) {
      if (this.idle > 0) return 0n
      throw new ExprError('non-integer argument')
    }
    return value
  }

  private sum(): string {
    let left = this.product()
    for (;;) {
      const op = this.accept('+', '-')
      if (op === undefined) return left
      const right = this.product()
      left = String(op === '+' ? this.number(left) + this.number(right) : this.number(left) - this.number(right))
    }
  }

  private product(): string {
    let left = this.match()
    for (;;) {
      const op = this.accept('*', '/', '%')
      if (op === undefined) return left
      const right = this.match()
      const a = this.number(left)
      const b = this.number(right)
      if (op === '*') left = String(a * b)
      else {
        if (b === 0n) {
          if (this.idle > 0) return '0'
          throw new ExprError('division by zero')
        }
        left = String(op === '/' ? a / b : a % b)
      }
    }
  }

  private match(): string {
    let left = this.unary()
    while (this.accept(':') !== undefined) left = matchRegex(left, this.unary())
    return left
  }

  private unary(): string {
    if (this.accept('+') !== undefined) return this.word()
    const more = this.args.length - this.pos
    if (more > 1) {
      if (this.accept('length') !== undefined) return String(this.unary().length)
      if (this.accept('match') !== undefined) {
        const text = this.unary()
        return matchRegex(text, this.unary())
      }
      if (this.accept('index') !== undefined) {
        const text = this.unary()
        const set = this.unary()
        const at = [...text].findIndex(c => set.includes(c))
        return String(at + 1)
      }
      if (this.accept('substr') !== undefined) {
        const text = this.unary()
        const from = integer(this.unary())
        const length = integer(this.unary())
        if (from === undefined || length === undefined || from <= 0n || length <= 0n) return ''
        return text.slice(Number(from) - 1, Number(from) - 1 + Number(length))
      }
    }
    return this.primary()
  }

  private word(): string {
    const word = this.args[this.pos]
    if (word === undefined)
      throw new ExprError(`syntax error: missing argument after ${quote(decode(this.args[this.pos - 1] ?? ''))}`)
    this.pos++
    return word
  }

  private primary(): string {
    if (this.accept('(') !== undefined) {
      const value = this.or()
      const close = this.args[this.pos]
      if (close === undefined)
        throw new ExprError(`syntax error: expecting ')' after ${quote(decode(this.args[this.pos - 1]!))}`)
      if (close !== ')') throw new ExprError(`syntax error: expecting ')' instead of ${quote(decode(close))}`)
      this.pos++
      return value
    }
    if (this.args[this.pos] === ')') throw new ExprError("syntax error: unexpected ')'")
    return this.word()
  }
}

function integer(text: string): bigint | undefined {
  return /^-?\d+$/.test(text) ? BigInt(text) : undefined
}

function isNull(text: string): boolean {
  return text === '' || /^-?0+$/.test(text)
}

function matchRegex(text: string, pattern: string): string {
  let source = pattern
  if (source.startsWith('^')) source = source.slice(1)
  try {
    const groups = /(?<!\\)(?:\\\\)*\\\(/.test(source)
    const match = compileRegex(`^\\(${source}\\)`, { extended: false, controls: true }).exec(text)
    if (match === undefined) return groups ? '' : '0'
    return groups ? (match.groups[2] ?? '') : String(match.end)
  } catch (error) {
    if (error instanceof RegexError) throw new ExprError(error.message)
    throw error
  }
}

export const main: Program = proc => {
  const args = proc.argv.slice(1)
  if (args.length === 0) return usageError(proc, `${proc.argv[0]}: missing operand`, EXIT_INVALID)
  if (args.length === 1 && args[0] === '--help') {
    proc.stdout.write(`Usage: ${proc.argv[0]} EXPRESSION\n  or:  ${proc.argv[0]} OPTION\n`)
    return 0
  }
  if (args[0] === '--') args.shift()
  try {
    const value = new Expression(args.map(encode)).run()
    proc.stdout.write(`${decode(value)}\n`)
    return isNull(value) ? EXIT_NULL : 0
  } catch (error) {
    if (!(error instanceof ExprError)) throw error
    proc.stderr.write(`${proc.argv[0]}: ${error.message}\n`)
    return EXIT_INVALID
  }
}
