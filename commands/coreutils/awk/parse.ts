/** awk programs, read: POSIX's grammar, with what mawk adds. */
import type { AwkProgram, Expr, FunctionDefinition, Redirect, Rule, Stmt } from './ast.ts'

/** What is wrong with a program. */
export class AwkSyntaxError extends Error {}

interface Token {
  readonly kind: 'number' | 'string' | 'regex' | 'name' | 'call' | 'builtin' | 'keyword' | 'op' | 'newline' | 'end'
  readonly text: string
  readonly value: number
  readonly line: number
  readonly start: number
}

const KEYWORDS = new Set(
  'BEGIN END function func if else while for do break continue next nextfile exit return delete in getline print printf'.split(
    ' ',
  ),
)

/** Functions that are part of the language. */
export const BUILTINS = new Set(
  'length substr index split sub gsub match sprintf sin cos atan2 exp log sqrt int rand srand tolower toupper system close fflush mktime strftime systime'.split(
    ' ',
  ),
)

const OPERATORS = [
  '**=',
  '&&',
  '||',
  '++',
  '--',
  '+=',
  '-=',
  '*=',
  '/=',
  '%=',
  '^=',
  '**',
  '==',
  '<=',
  '>=',
  '!=',
  '!~',
  '>>',
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ';',
  ',',
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  '!',
  '>',
  '<',
  '|',
  '?',
  ':',
  '~',
  '$',
  '=',
  '&',
]

/** Parses a program. @throws AwkSyntaxError with mawk's words */
export function parseAwk(text: string): AwkProgram {
  return new Parser(text).program()
}

class Parser {
  private readonly text: string
  private pos = 0
  private line = 1
  private token: Token
  private readonly functions = new Map<string, FunctionDefinition>()
  private readonly called = new Map<string, number>()
  /** > is a redirection here, not a comparison */
  private noGreater = 0
  /** `in` belongs to the for around it */
  private noIn = 0

  constructor(text: string) {
    this.text = text
    this.token = this.scan(true)
  }

  program(): AwkProgram {
    const rules: Rule[] = []
    this.terminators()
    while (this.token.kind !== 'end') {
      const rule = this.item()
      if (rule !== undefined) rules.push(rule)
      this.terminators()
    }
    for (const [name, line] of this.called) {
      if (!this.functions.has(name))
        throw new AwkSyntaxError(`line ${Math.max(line, this.line)}: function ${name} never defined`)
    }
    return { rules, functions: this.functions }
  }

  private fail(token = this.token): never {
    if (token.kind === 'end')
      throw new AwkSyntaxError(
        `line ${token.line + (this.text.endsWith('\n') ? 0 : 1)}: ${this.depth > 0 ? 'missing } near end of file' : 'syntax error at or near end of file'}`,
      )
    const shown =
      token.kind === 'newline'
        ? 'end of line'
        : token.kind === 'string'
          ? `"${token.text}"`
          : token.kind === 'regex'
            ? `/${token.text}/`
            : token.text
    throw new AwkSyntaxError(`line ${token.line}: syntax error at or near ${shown}`)
  }

  private depth = 0

  // tokens

  private scan(regexAllowed: boolean): Token {
    const { text } = this
    for (;;) {
      const c = text[this.pos]
      if (c === ' ' || c === '\t' || c === '\r') this.pos++
      else if (c === '\\' && text[this.pos + 1] === '\n') {
        this.pos += 2
        this.line++
      } else if (c === '\\' && text.startsWith('\\\r\n', this.pos)) {
        this.pos += 3
        this.line++
      } else if (c === '#') {
        const end = text.indexOf('\n', this.pos)
        this.pos = end < 0 ? text.length : end
      } else break
    }
    const start = this.pos
    const { line } = this
    const make = (kind: Token['kind'], value: string, number = 0): Token => ({
      kind,
      text: value,
      value: number,
      line,
      start,
    })
    const c = text[start]
    if (c === undefined) return make('end', '')
    if (c === '\n') {
      this.pos++
      this.line++
      return make('newline', '\n')
    }
    if (c === '"') return make('string', this.string())
    if (c === '/' && regexAllowed) return make('regex', this.regex())
    const number = /^(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/.exec(text.slice(start, start + 60))
    if (number !== null) {
      let word = number[0]
      // mawk knows no hexadecimal
      if (/^0[xX]/.test(word)) word = '0'
      this.pos += word.length
      return make('number', word, Number(word))
    }
    const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(start))?.[0]
    if (name !== undefined) {
      this.pos += name.length
      if (KEYWORDS.has(name)) return make('keyword', name === 'func' ? 'function' : name)
      if (BUILTINS.has(name)) return make('builtin', name)
      return make(text[this.pos] === '(' ? 'call' : 'name', name)
    }
    for (const op of OPERATORS) {
      if (text.startsWith(op, start)) {
        this.pos += op.length
        return make('op', op)
      }
    }
    throw new AwkSyntaxError(`line ${line}: unexpected character '${c}'`)
  }

  private string(): string {
    const { text, line } = this
    let out = ''
    for (this.pos++; this.pos < text.length; this.pos++) {
      const c = text[this.pos]!
      if (c === '"') {
        this.pos++
        return out
      }
      if (c === '\n') break
      if (c !== '\\') {
        out += c
        continue
      }
      const e = text[++this.pos]
      if (e === undefined) break
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
      if (named[e] !== undefined) out += named[e]
      else if (e === '\n') {
        this.line++
      } else if (/[0-7]/.test(e)) {
        const digits = /^[0-7]{1,3}/.exec(text.slice(this.pos))![0]
        out += String.fromCharCode(Number.parseInt(digits, 8) & 0xff)
        this.pos += digits.length - 1
      } else out += `\\${e}`
    }
    throw new AwkSyntaxError(`line ${line}: runaway string constant "${out.slice(0, 20)} ...`)
  }

  private regex(): string {
    const { text, line } = this
    let out = ''
    let bracket = false
    for (this.pos++; this.pos < text.length; this.pos++) {
      const c = text[this.pos]!
      if (c === '\n') break
      if (c === '\\') {
        const e = text[++this.pos]
        if (e === undefined) break
        out += e === '/' ? '/' : `\\${e}`
        continue
      }
      if (c === '/' && !bracket) {
        this.pos++
        return out
      }
      if (c === '[' && !bracket) {
        bracket = true
        out += c
        if (text[this.pos + 1] === '^') out += text[++this.pos]
        if (text[this.pos + 1] === ']') out += text[++this.pos]
        continue
      }
      if (c === '[' && bracket && text[this.pos + 1] === ':') {
        const end = text.indexOf(':]', this.pos)
        if (end > 0) {
          out += text.slice(this.pos, end + 2)
          this.pos = end + 1
          continue
        }
      }
      if (c === ']') bracket = false
      out += c
    }
    throw new AwkSyntaxError(`line ${line}: runaway regular expression /${out.slice(0, 20)} ...`)
  }

  /** Takes the token; what follows an operand is never a regular expression. */
  private next(): Token {
    const { token } = this
    const operand =
      token.kind === 'number' ||
      token.kind === 'string' ||
      token.kind === 'regex' ||
      token.kind === 'name' ||
      token.kind === 'builtin' ||
      (token.kind === 'op' &&
        (token.text === ')' || token.text === ']' || token.text === '$' || token.text === '++' || token.text === '--'))
    this.token = this.scan(!operand)
    return token
  }

  private is(...texts: string[]): boolean {
    return (this.token.kind === 'op' || this.token.kind === 'keyword') && texts.includes(this.token.text)
  }

  private accept(text: string): boolean {
    if (!this.is(text)) return false
    this.next()
    return true
  }

  private expect(text: string): void {
    if (!this.is(text)) this.fail()
    this.next()
  }

  private newlines(): void {
    while (this.token.kind === 'newline') this.next()
  }

  private terminators(): void {
    while (this.token.kind === 'newline' || this.is(';')) this.next()
  }

  // rules

  private item(): Rule | undefined {
    if (this.is('function')) {
      this.next()
      const name = this.token
      if (name.kind !== 'name' && name.kind !== 'call') this.fail()
      this.next()
      this.expect('(')
      const parameters: string[] = []
      this.newlines()
      while (!this.is(')')) {
        if (this.token.kind !== 'name') this.fail()
        parameters.push(this.next().text)
        this.newlines()
        if (!this.accept(',')) break
        this.newlines()
      }
      this.expect(')')
      this.newlines()
      const body = this.action()
      this.functions.set(name.text, { name: name.text, parameters, body })
      return undefined
    }
    if (this.is('BEGIN', 'END')) {
      const kind = this.next().text as 'BEGIN' | 'END'
      if (!this.is('{')) this.fail()
      return { kind, first: undefined, second: undefined, body: this.action() }
    }
    if (this.is('{')) return { kind: 'pattern', first: undefined, second: undefined, body: this.action() }
    const first = this.expression()
    let second: Expr | undefined
    if (this.accept(',')) {
      this.newlines()
      second = this.expression()
    }
    const body = this.is('{') ? this.action() : undefined
    if (body === undefined && this.token.kind !== 'newline' && this.token.kind !== 'end' && !this.is(';')) this.fail()
    return { kind: second === undefined ? 'pattern' : 'range', first, second, body }
  }

  private action(): Stmt {
    this.expect('{')
    this.depth++
    const body: Stmt[] = []
    this.terminators()
    while (!this.is('}')) {
      body.push(this.statement())
      this.terminators()
    }
    this.depth--
    this.next()
    return { type: 'block', body }
  }

  private atEnd(): boolean {
    return this.token.kind === 'newline' || this.is(';', '}')
  }

  /** What ends a simple statement. */
  private endOfStatement(): void {
    if (this.token.kind === 'newline' || this.is(';')) {
      this.next()
      return
    }
    if (this.is('}')) return
    this.fail()
  }

  private statement(): Stmt {
    if (this.is('{')) return this.action()
    if (this.is(';')) {
      this.next()
      return { type: 'block', body: [] }
    }
    if (this.token.kind === 'keyword') {
      switch (this.token.text) {
        case 'if': {
          this.next()
          this.expect('(')
          const test = this.expression()
          this.expect(')')
          this.newlines()
          const yes = this.statement()
          // an else may follow newlines and one semicolon
          const saved = { pos: this.pos, line: this.line, token: this.token }
          this.terminators()
          if (this.is('else')) {
            this.next()
            this.newlines()
            return { type: 'if', test, yes, no: this.statement() }
          }
          this.pos = saved.pos
          this.line = saved.line
          this.token = saved.token
          return { type: 'if', test, yes, no: undefined }
        }
        case 'while': {
          this.next()
          this.expect('(')
          const test = this.expression()
          this.expect(')')
          if (this.is(';')) {
            this.next()
            return { type: 'while', test, body: { type: 'block', body: [] } }
          }
          this.newlines()
          return { type: 'while', test, body: this.statement() }
        }
        case 'do': {
          this.next()
          this.newlines()
          const body = this.statement()
          this.terminators()
          this.expect('while')
          this.expect('(')
          const test = this.expression()
          this.expect(')')
          this.endOfStatement()
          return { type: 'do', body, test }
        }
        case 'for':
          return this.forStatement()
        case 'break':
        case 'continue':
        case 'next':
        case 'nextfile': {
          const type = this.next().text as 'break' | 'continue' | 'next' | 'nextfile'
          this.endOfStatement()
          return { type }
        }
        case 'exit':
        case 'return': {
          const type = this.next().text as 'exit' | 'return'
          const value = this.atEnd() ? undefined : this.expression()
          this.endOfStatement()
          return { type, value }
        }
      }
    }
    const simple = this.simple()
    this.endOfStatement()
    return simple
  }

  private forStatement(): Stmt {
    this.next()
    this.expect('(')
    // for (name in array)
    if (this.token.kind === 'name') {
      const match = /^\s*in\s+([A-Za-z_][A-Za-z0-9_]*)\s*\)/.exec(this.text.slice(this.pos))
      if (match !== null) {
        const variable = this.next().text
        this.next()
        const array = this.next().text
        this.expect(')')
        this.newlines()
        return { type: 'forIn', variable, array, body: this.statement() }
      }
    }
    const init = this.is(';') ? undefined : this.simple()
    this.expect(';')
    this.newlines()
    const test = this.is(';') ? undefined : this.expression()
    this.expect(';')
    this.newlines()
    const step = this.is(')') ? undefined : this.simple()
    this.expect(')')
    if (this.is(';')) {
      this.next()
      return { type: 'for', init, test, step, body: { type: 'block', body: [] } }
    }
    this.newlines()
    return { type: 'for', init, test, step, body: this.statement() }
  }

  private simple(): Stmt {
    if (this.is('print', 'printf')) {
      const type = this.next().text as 'print' | 'printf'
      let args: Expr[] = []
      this.noGreater++
      if (!(this.token.kind === 'newline' || this.is(';', '}', '>', '>>', '|') || this.token.kind === 'end')) {
        args = this.list()
        // print (a, b) > "file"
        const [only] = args
        if (args.length === 1 && only?.type === 'group' && grouped.has(only)) args = grouped.get(only)!
      }
      this.noGreater--
      let redirect: Redirect | undefined
      if (this.is('>', '>>', '|')) {
        const kind = this.next().text as Redirect['kind']
        redirect = { kind, target: this.concatenation() }
      }
      return { type, args, redirect }
    }
    if (this.is('delete')) {
      this.next()
      const parenthesis = this.accept('(')
      if (this.token.kind !== 'name') this.fail()
      const array = this.next().text
      let subscript: Expr[] | undefined
      if (this.accept('[')) {
        subscript = this.list()
        this.expect(']')
      }
      if (parenthesis) this.expect(')')
      return { type: 'delete', array, subscript }
    }
    return { type: 'expression', expression: this.expression() }
  }

  private list(): Expr[] {
    const list = [this.expression()]
    while (this.is(',')) {
      this.next()
      this.newlines()
      list.push(this.expression())
    }
    return list
  }

  // expressions, loosest first

  private expression(): Expr {
    return this.assignment()
  }

  private assignment(): Expr {
    const left = this.conditional()
    if (
      this.token.kind === 'op' &&
      ['=', '+=', '-=', '*=', '/=', '%=', '^=', '**='].includes(this.token.text) &&
      isTarget(left)
    ) {
      const op = this.next().text
      this.newlines()
      return { type: 'assign', op: op === '**=' ? '^=' : op, target: left, value: this.assignment() }
    }
    return left
  }

  private conditional(): Expr {
    const test = this.or()
    if (!this.is('?')) return test
    this.next()
    this.newlines()
    const yes = this.assignment()
    this.newlines()
    this.expect(':')
    this.newlines()
    return { type: 'conditional', test, yes, no: this.assignment() }
  }

  private or(): Expr {
    let left = this.and()
    while (this.is('||')) {
      this.next()
      this.newlines()
      left = { type: 'binary', op: '||', left, right: this.and() }
    }
    return left
  }

  private and(): Expr {
    let left = this.membership()
    while (this.is('&&')) {
      this.next()
      this.newlines()
      left = { type: 'binary', op: '&&', left, right: this.membership() }
    }
    return left
  }

  private membership(): Expr {
    let left = this.matching()
    while (this.noIn === 0 && this.is('in')) {
      this.next()
      if (this.token.kind !== 'name') this.fail()
      const array = this.next().text
      const subscript = left.type === 'group' && grouped.has(left) ? grouped.get(left)! : [left]
      left = { type: 'in', subscript, array }
    }
    return left
  }

  private matching(): Expr {
    let left = this.comparison()
    while (this.is('~', '!~')) {
      const negated = this.next().text === '!~'
      left = { type: 'match', negated, left, right: this.comparison() }
    }
    return left
  }

  private comparison(): Expr {
    let left = this.concatenation()
    for (;;) {
      if (this.is('<', '<=', '==', '!=', '>=') || (this.is('>') && this.noGreater === 0)) {
        const op = this.next().text
        left = { type: 'binary', op, left, right: this.concatenation() }
      } else if (this.is('|') && this.peekGetline()) {
        this.next()
        this.next()
        left = { type: 'getline', from: 'command', source: left, target: this.optionalTarget() }
      } else return left
    }
  }

  private peekGetline(): boolean {
    return /^\s*getline\b/.test(this.text.slice(this.pos))
  }

  private optionalTarget(): Expr | undefined {
    if (this.token.kind === 'name' || this.is('$')) return this.primary()
    return undefined
  }

  private concatenation(): Expr {
    let left = this.additive()
    for (;;) {
      const { token } = this
      const begins =
        token.kind === 'number' ||
        token.kind === 'string' ||
        token.kind === 'name' ||
        token.kind === 'call' ||
        token.kind === 'builtin' ||
        (token.kind === 'op' && ['$', '!', '(', '-', '+', '++', '--'].includes(token.text))
      if (!begins) return left
      left = { type: 'binary', op: ' ', left, right: this.additive() }
    }
  }

  private additive(): Expr {
    let left = this.multiplicative()
    while (this.is('+', '-')) {
      const op = this.next().text
      left = { type: 'binary', op, left, right: this.multiplicative() }
    }
    return left
  }

  private multiplicative(): Expr {
    let left = this.unary()
    while (this.is('*', '/', '%')) {
      const op = this.next().text
      left = { type: 'binary', op, left, right: this.unary() }
    }
    return left
  }

  private unary(): Expr {
    if (this.is('!', '-', '+')) {
      const op = this.next().text as '!' | '-' | '+'
      return { type: 'unary', op, operand: this.unary() }
    }
    return this.power()
  }

  private power(): Expr {
    const base = this.postfix()
    if (!this.is('^', '**')) return base
    this.next()
    // right to left, and - may follow
    const exponent = this.is('-', '+', '!') ? this.unary() : this.power()
    return { type: 'binary', op: '^', left: base, right: exponent }
  }

  private postfix(): Expr {
    const operand = this.primary()
    if (this.is('++', '--') && isTarget(operand)) {
      const by = this.next().text === '++' ? 1 : -1
      return { type: 'increment', by, prefix: false, target: operand }
    }
    return operand
  }

  private primary(): Expr {
    const { token } = this
    switch (token.kind) {
      case 'number':
        this.next()
        return { type: 'number', value: token.value }
      case 'string':
        this.next()
        return { type: 'string', value: token.text }
      case 'regex':
        this.next()
        return { type: 'regex', source: token.text }
      case 'name':
        this.next()
        if (this.is('[')) {
          this.next()
          const subscript = this.inside(() => this.list())
          this.expect(']')
          return { type: 'element', array: token.text, subscript }
        }
        return { type: 'variable', name: token.text }
      case 'call': {
        this.next()
        this.expect('(')
        const args = this.arguments()
        if (!this.called.has(token.text)) this.called.set(token.text, token.line)
        return { type: 'call', name: token.text, args }
      }
      case 'builtin': {
        this.next()
        if (!this.is('(')) {
          if (token.text !== 'length') this.fail()
          return { type: 'builtin', name: 'length', args: [] }
        }
        this.next()
        return { type: 'builtin', name: token.text, args: this.arguments() }
      }
      case 'keyword':
        if (token.text === 'getline') {
          this.next()
          const target = this.optionalTarget()
          if (this.is('<')) {
            this.next()
            return { type: 'getline', from: 'file', source: this.primaryConcatenation(), target }
          }
          return { type: 'getline', from: 'input', source: undefined, target }
        }
        return this.fail()
      case 'op':
        switch (token.text) {
          case '(': {
            this.next()
            const list = this.inside(() => this.list())
            this.newlines()
            this.expect(')')
            if (list.length > 1) {
              const group: Expr = { type: 'group', inner: list[0]! }
              grouped.set(group, list)
              if (!this.is('in') && this.noGreater === 0) this.fail()
              return group
            }
            const group: Expr = { type: 'group', inner: list[0]! }
            return group
          }
          case '$':
            this.next()
            if (this.is('++', '--')) {
              const by = this.next().text === '++' ? 1 : -1
              return { type: 'field', index: { type: 'increment', by, prefix: true, target: this.primary() } }
            }
            if (this.is('-', '+')) {
              const op = this.next().text as '-' | '+'
              return { type: 'field', index: { type: 'unary', op, operand: this.primary() } }
            }
            return { type: 'field', index: this.primary() }
          case '++':
          case '--': {
            this.next()
            const target = this.primary()
            if (!isTarget(target)) this.fail()
            return { type: 'increment', by: token.text === '++' ? 1 : -1, prefix: true, target }
          }
          case '-':
          case '+':
          case '!':
            return this.unary()
        }
    }
    return this.fail()
  }

  /** The file of getline < file binds tighter than concatenation. */
  private primaryConcatenation(): Expr {
    return this.primary()
  }

  /** Within brackets and parentheses, > and `in` have their ordinary meaning. */
  private inside<T>(read: () => T): T {
    const { noGreater, noIn } = this
    this.noGreater = 0
    this.noIn = 0
    const result = read()
    this.noGreater = noGreater
    this.noIn = noIn
    return result
  }

  private arguments(): Expr[] {
    this.newlines()
    if (this.is(')')) {
      this.next()
      return []
    }
    const args = this.inside(() => this.list())
    this.newlines()
    this.expect(')')
    return args
  }
}

/** Lists in parentheses: `(i, j) in a`, `print (a, b)`. */
const grouped = new WeakMap<Expr, Expr[]>()

function isTarget(expression: Expr): boolean {
  return expression.type === 'variable' || expression.type === 'field' || expression.type === 'element'
}
