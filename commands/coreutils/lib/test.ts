/** test(1): the expression language of `test` and `[`, for the builtin and the program, and the tests of files. */
import { isSysError } from '../../../src/uapi/errno.ts'
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  type Stat,
} from '../../../src/uapi/fs.ts'
import type { Process } from '../../../src/uapi/process.ts'

function statOf(proc: Process, path: string, follow: boolean): Stat | undefined {
  try {
    return follow ? proc.stat(path) : proc.lstat(path)
  } catch (error) {
    if (isSysError(error)) return undefined
    throw error
  }
}

/** @returns what a unary operator says of a file */
export function fileTest(proc: Process, operator: string, path: string): boolean {
  const type = (wanted: number): boolean => {
    const stat = statOf(proc, path, true)
    return stat !== undefined && (stat.mode & S_IFMT) === wanted
  }
  const bit = (mask: number): boolean => ((statOf(proc, path, true)?.mode ?? 0) & mask) !== 0
  switch (operator) {
    case '-a':
    case '-e':
      return statOf(proc, path, true) !== undefined
    case '-b':
      return type(S_IFBLK)
    case '-c':
      return type(S_IFCHR)
    case '-d':
      return type(S_IFDIR)
    case '-f':
      return type(S_IFREG)
    case '-p':
      return type(S_IFIFO)
    case '-S':
      return type(S_IFSOCK)
    case '-h':
    case '-L':
      return ((statOf(proc, path, false)?.mode ?? 0) & S_IFMT) === S_IFLNK
    case '-g':
      return bit(0o2000)
    case '-u':
      return bit(0o4000)
    case '-k':
      return bit(0o1000)
    case '-r':
      return path !== '' && proc.access(path, 4)
    case '-w':
      return path !== '' && proc.access(path, 2)
    case '-x':
      return path !== '' && proc.access(path, 1)
    case '-s':
      return (statOf(proc, path, true)?.size ?? 0) > 0
    case '-G':
      return statOf(proc, path, true)?.gid === proc.gid
    case '-O':
      return statOf(proc, path, true)?.uid === proc.uid
    case '-t':
      return /^\s*\d+\s*$/.test(path) && isTerminal(proc, Number(path))
    default:
      // -N: times of access are not kept
      return false
  }
}

function isTerminal(proc: Process, fd: number): boolean {
  try {
    return proc.isatty(fd)
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

/** @returns what -nt, -ot or -ef says of two files */
export function compareFiles(proc: Process, left: string, operator: string, right: string): boolean {
  const a = statOf(proc, left, true)
  const b = statOf(proc, right, true)
  switch (operator) {
    case '-nt':
      return a !== undefined && (b === undefined || a.mtime > b.mtime)
    case '-ot':
      return b !== undefined && (a === undefined || a.mtime < b.mtime)
    default:
      return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino
  }
}

/** What is wrong with an expression, in the words of `test`. */
export class TestError extends Error {}

/** How the primaries are evaluated, and what messages look like. */
export interface TestEnvironment {
  unary(operator: string, operand: string): boolean
  files(left: string, operator: string, right: string): boolean
  /** @returns the number a text means; throws TestError */
  integer(text: string): bigint
  /** unary operators known */
  readonly unaries: string
  /** messages: a binary operator was expected before `word`; a unary before */
  binaryExpected(word: string): string
  unaryExpected(word: string): string
  argumentExpected(after: string): string
  extra(word: string): string
  closeExpected(found: string | undefined): string
}

const BINARY = new Set(['=', '==', '!=', '<', '>', '-eq', '-ne', '-lt', '-le', '-gt', '-ge', '-nt', '-ot', '-ef'])

/** @returns whether a word is a binary operator of test */
export function isBinary(word: string | undefined): boolean {
  return word !== undefined && BINARY.has(word)
}

/** Evaluates the arguments of test, by their number where that decides (POSIX), else by the grammar. @throws TestError */
export function evaluateTest(args: readonly string[], env: TestEnvironment): boolean {
  return new Expression(args, env).run()
}

class Expression {
  private readonly args: readonly string[]
  private readonly env: TestEnvironment
  private pos = 0

  constructor(args: readonly string[], env: TestEnvironment) {
    this.args = args
    this.env = env
  }

  run(): boolean {
    const { args } = this
    switch (args.length) {
      case 0:
        return false
      case 1:
        return args[0] !== ''
      case 2:
        return this.two(args[0]!, args[1]!)
      case 3:
        return this.three(args[0]!, args[1]!, args[2]!)
      case 4:
        if (args[0] === '!') return !this.three(args[1]!, args[2]!, args[3]!)
        if (args[0] === '(' && args[3] === ')') return this.two(args[1]!, args[2]!)
    }
    const value = this.or()
    if (this.pos < args.length) throw new TestError(this.env.extra(args[this.pos]!))
    return value
  }

  private isUnary(word: string | undefined): boolean {
    return word !== undefined && word.length === 2 && word[0] === '-' && this.env.unaries.includes(word[1]!)
  }

  private two(operator: string, operand: string): boolean {
    if (operator === '!') return operand === ''
    if (this.isUnary(operator)) return this.env.unary(operator, operand)
    throw new TestError(this.env.unaryExpected(operator))
  }

  private three(left: string, operator: string, right: string): boolean {
    if (isBinary(operator)) return this.binary(left, operator, right)
    if (operator === '-a') return left !== '' && right !== ''
    if (operator === '-o') return left !== '' || right !== ''
    if (left === '!') return !this.two(operator, right)
    if (left === '(' && right === ')') return operator !== ''
    throw new TestError(this.env.binaryExpected(operator))
  }

  private binary(left: string, operator: string, right: string): boolean {
    switch (operator) {
      case '=':
      case '==':
        return left === right
      case '!=':
        return left !== right
      case '<':
        return left < right
      case '>':
        return left > right
      case '-nt':
      case '-ot':
      case '-ef':
        return this.env.files(left, operator, right)
    }
    const a = this.env.integer(left)
    const b = this.env.integer(right)
    switch (operator) {
      case '-eq':
        return a === b
      case '-ne':
        return a !== b
      case '-lt':
        return a < b
      case '-le':
        return a <= b
      case '-gt':
        return a > b
      default:
        return a >= b
    }
  }

  private or(): boolean {
    let value = this.and()
    while (this.args[this.pos] === '-o') {
      this.pos++
      const right = this.and()
      value = value || right
    }
    return value
  }

  private and(): boolean {
    let value = this.term()
    while (this.args[this.pos] === '-a') {
      this.pos++
      const right = this.term()
      value = value && right
    }
    return value
  }

  private term(): boolean {
    const { args } = this
    const word = args[this.pos]
    if (word === undefined) throw new TestError(this.env.argumentExpected(args[this.pos - 1] ?? ''))
    if (word === '!') {
      this.pos++
      return !this.term()
    }
    if (word === '(' && !isBinary(args[this.pos + 1])) {
      this.pos++
      const value = this.or()
      if (args[this.pos] !== ')') throw new TestError(this.env.closeExpected(args[this.pos]))
      this.pos++
      return value
    }
    const operator = args[this.pos + 1]
    if (isBinary(operator) && this.pos + 2 < args.length) {
      this.pos += 3
      return this.binary(word, operator!, args[this.pos - 1]!)
    }
    if (this.isUnary(word) && this.pos + 1 < args.length) {
      this.pos += 2
      return this.env.unary(word, args[this.pos - 1]!)
    }
    if (
      operator !== undefined &&
      operator.startsWith('-') &&
      operator !== '-a' &&
      operator !== '-o' &&
      this.pos + 2 < args.length &&
      !this.isUnary(word)
    ) {
      throw new TestError(this.env.binaryExpected(operator))
    }
    this.pos++
    return word !== ''
  }
}
