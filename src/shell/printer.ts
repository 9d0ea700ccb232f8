/** Commands as text, laid out as bash lays them out in `declare -f`, `jobs` and its messages. */
import { hasMeta, needsAnsi, singleQuote } from './quote.ts'
import {
  type AssignmentNode,
  arithmeticSource,
  type CommandNode,
  type CompoundNode,
  type ConditionalNode,
  type ForNode,
  type FunctionDefNode,
  type HereDocNode,
  NESTED_PREFIX,
  type ParameterPart,
  type PipelineNode,
  type RedirectionNode,
  type ScriptNode,
  type SimpleNode,
  type StatementNode,
  type WordNode,
  type WordPart,
} from './syntax.ts'

const STEP = 4

/** @returns a function's definition as `declare -f` shows it, without a newline at the end */
export function functionText(name: string, definition: FunctionDefNode): string {
  return new Printer(true).definition(name, definition, false)
}

/** @returns a pipeline as jobs shows it */
export function pipelineText(pipeline: PipelineNode): string {
  return new Printer(false).pipeline(pipeline)
}

/** @returns one command as jobs and messages show it */
export function commandText(command: CommandNode): string {
  return new Printer(false).command(command)
}

/** @returns an and-or list as jobs shows it, without the & */
export function statementText(statement: StatementNode): string {
  return new Printer(false).andOr(statement)
}

/** @returns a word as written, as far as the tree remembers it */
export function wordText(word: WordNode): string {
  return word.parts.map(part => partText(part, false)).join('')
}

/** @returns the words of a conditional expression as `set -x` shows it need expansion; this is its text as written */
export function conditionText(node: ConditionalNode): string {
  switch (node.type) {
    case 'CondBinary':
      return `${wordText(node.left)} ${node.operator} ${wordText(node.right)}`
    case 'CondUnary':
      return `${node.operator} ${wordText(node.operand)}`
    case 'CondNot':
      return `! ${conditionText(node.operand)}`
    case 'CondAnd':
      return `${conditionText(node.left)} && ${conditionText(node.right)}`
    case 'CondOr':
      return `${conditionText(node.left)} || ${conditionText(node.right)}`
    case 'CondGroup':
      return `( ${conditionText(node.expression)} )`
    case 'CondWord':
      return `-n ${wordText(node.word)}`
  }
}

/** @returns a redirection as written */
export function redirectionText(redirection: RedirectionNode): string {
  const { operator, fd, target } = redirection
  const number = redirection.fdVariable !== undefined ? `{${redirection.fdVariable}}` : fd === null ? '' : String(fd)
  if (target.type === 'HereDoc')
    return `${number}${operator}${target.quoted ? `'${target.delimiter}'` : target.delimiter}`
  const word = wordText(target)
  if (operator === '>&' || operator === '<&') {
    const shown = number === '' && /^(?:\d+|-)$/.test(word) ? (operator === '>&' ? '1' : '0') : number
    return /^(?:\d+-?|-)$/.test(word)
      ? `${shown}${operator}${word}`
      : `${operator === '>&' && fd === null ? '&> ' : `${shown}${operator}`}${word}`
  }
  return `${number}${operator} ${word}`
}

function scriptText(script: ScriptNode): string {
  return script.statements
    .map((statement, i) => {
      const text = new Printer(false).andOr(statement)
      return statement.background ? `${text} &` : i < script.statements.length - 1 ? `${text};` : text
    })
    .join(' ')
}

function partText(part: WordPart, quoted: boolean): string {
  switch (part.type) {
    case 'Literal':
      if (quoted) return part.value.replace(/["\\`]|\$(?=[A-Za-z_{(])/g, '\\$&')
      if (needsAnsi(part.value, true) || (/[ \t"'|&;()<>]/.test(part.value) && hasMeta(part.value)))
        return singleQuote(part.value)
      return part.value
    case 'SingleQuoted':
      return `'${part.value}'`
    case 'DoubleQuoted':
      return `"${part.parts.map(inner => partText(inner, true)).join('')}"`
    case 'Escaped':
      return `\\${part.value}`
    case 'ParameterExpansion':
      return parameterText(part, quoted)
    case 'CommandSubstitution':
      return part.legacy ? `\`${scriptText(part.body)}\`` : `$(${scriptText(part.body)})`
    case 'ArithmeticExpansion':
      return `$((${arithmeticSource(part.expression)}))`
    case 'ProcessSubstitution':
      return `${part.direction === 'input' ? '<' : '>'}(${scriptText(part.body)})`
    case 'BraceExpansion': {
      const items = part.items.map(item => {
        if (item.type === 'Word') return wordText(item.word)
        return `${item.startStr ?? item.start}..${item.endStr ?? item.end}${item.step === undefined ? '' : `..${item.step}`}`
      })
      return `{${items.join(',')}}`
    }
    case 'TildeExpansion':
      return `~${part.user ?? ''}`
    case 'Glob':
      return part.pattern
  }
}

function parameterText(part: ParameterPart, quoted: boolean): string {
  const { parameter, operation } = part
  const inner = (word: WordNode | null): string =>
    word === null
      ? ''
      : word.parts.map(each => (each.type === 'Literal' && !quoted ? each.value : partText(each, quoted))).join('')
  if (operation === null)
    return /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])$/.test(parameter) ? `$${parameter}` : `\${${parameter}}`
  const text = (op: NonNullable<ParameterPart['operation']>): string => {
    switch (op.type) {
      case 'DefaultValue':
        return `${op.checkEmpty ? ':' : ''}-${inner(op.word)}`
      case 'AssignDefault':
        return `${op.checkEmpty ? ':' : ''}=${inner(op.word)}`
      case 'ErrorIfUnset':
        return `${op.checkEmpty ? ':' : ''}?${inner(op.word)}`
      case 'UseAlternative':
        return `${op.checkEmpty ? ':' : ''}+${inner(op.word)}`
      case 'Substring':
        return `:${arithmeticSource(op.offset)}${op.length === null ? '' : `:${arithmeticSource(op.length)}`}`
      case 'PatternRemoval': {
        const sign = op.side === 'prefix' ? '#' : '%'
        return `${op.greedy ? sign + sign : sign}${inner(op.pattern)}`
      }
      case 'PatternReplacement': {
        const anchor = op.anchor === 'start' ? '#' : op.anchor === 'end' ? '%' : ''
        return `/${op.all ? '/' : ''}${anchor}${inner(op.pattern)}${op.replacement === null ? '' : `/${inner(op.replacement)}`}`
      }
      case 'CaseModification': {
        const sign = op.direction === 'upper' ? '^' : ','
        return `${op.all ? sign + sign : sign}${inner(op.pattern)}`
      }
      case 'Transform':
        return `@${op.operator}`
      default:
        return ''
    }
  }
  switch (operation.type) {
    case 'Length':
      return `\${#${parameter}}`
    case 'Indirection':
      return `\${!${parameter}${operation.innerOp === undefined ? '' : text(operation.innerOp)}}`
    case 'ArrayKeys':
      return `\${!${operation.array}[${operation.star ? '*' : '@'}]}`
    case 'VarNamePrefix':
      return `\${!${operation.prefix}${operation.star ? '*' : '@'}}`
    case 'BadSubstitution':
      return `\${${operation.text}}`
    default:
      return `\${${parameter.startsWith(NESTED_PREFIX) ? '' : parameter}${text(operation)}}`
  }
}

/** @returns an assignment as written */
export function assignmentText(assignment: AssignmentNode): string {
  const name = `${assignment.name}${assignment.append ? '+' : ''}=`
  if (assignment.array !== null) return `${name}(${assignment.array.map(wordText).join(' ')})`
  return name + (assignment.value === null ? '' : wordText(assignment.value))
}

class Printer {
  private out = ''
  private indent = 0
  private inFunction: boolean
  private hereDocs: HereDocNode[] = []
  /** bodies of here-documents put out so far */
  private flushed = 0

  constructor(inFunction: boolean) {
    this.inFunction = inFunction
  }

  command(command: CommandNode): string {
    this.print(command)
    this.flushHereDocs()
    return this.out
  }

  pipeline(pipeline: PipelineNode): string {
    this.printPipeline(pipeline)
    this.flushHereDocs()
    return this.out
  }

  andOr(statement: StatementNode): string {
    this.printAndOr(statement)
    this.flushHereDocs()
    return this.out
  }

  definition(name: string, definition: FunctionDefNode, nested: boolean): string {
    this.out += `${nested ? 'function ' : ''}${name} () \n`
    this.spaces()
    const { body } = definition
    const outer = this.inFunction
    this.inFunction = true
    if (body.type === 'Group') this.braces(body.body)
    else {
      this.out += '{ \n'
      this.indent += STEP
      this.spaces()
      this.print(body)
      this.newline()
      this.indent -= STEP
      this.spaces()
      this.out += '}'
    }
    const redirections = [...(body.type === 'Group' ? body.redirections : []), ...definition.redirections]
    this.inFunction = outer
    this.redirections(redirections)
    this.flushHereDocs()
    return this.out
  }

  private spaces(): void {
    this.out += ' '.repeat(this.indent)
  }

  private newline(): void {
    this.flushHereDocs()
    this.out += '\n'
  }

  /** Bodies of here-documents follow the command they belong to. */
  private flushHereDocs(): boolean {
    if (this.hereDocs.length === 0) return false
    const docs = this.hereDocs
    this.hereDocs = []
    this.flushed++
    for (const doc of docs) this.out += `\n${hereDocText(doc)}${doc.delimiter}`
    this.out += '\n'
    return true
  }

  private braces(body: readonly StatementNode[]): void {
    if (this.inFunction) {
      this.out += '{ \n'
      this.indent += STEP
      this.list(body)
      this.newline()
      this.indent -= STEP
      this.spaces()
      this.out += '}'
      return
    }
    this.out += '{ '
    this.inline(body)
    this.out += '; }'
  }

  /** A list on lines of its own, at the current indentation, without the last line's end. */
  private list(statements: readonly StatementNode[]): void {
    this.spaces()
    this.inline(statements)
  }

  private inline(statements: readonly StatementNode[]): void {
    statements.forEach((statement, i) => {
      const { flushed } = this
      this.printAndOr(statement)
      const last = i === statements.length - 1
      if (statement.background) {
        this.out += ' &'
        if (!last) this.out += ' '
        return
      }
      if (last) return
      if (this.flushHereDocs()) {
        if (this.inFunction) {
          this.out += '\n'
          this.spaces()
        }
        return
      }
      if (this.inFunction && this.flushed > flushed) {
        this.out += '\n'
        this.spaces()
      } else if (this.inFunction) {
        this.out += ';\n'
        this.spaces()
      } else this.out += '; '
    })
  }

  private printAndOr(statement: StatementNode): void {
    statement.pipelines.forEach((pipeline, i) => {
      if (i > 0) this.out += ` ${statement.operators[i - 1]!} `
      this.printPipeline(pipeline)
    })
  }

  private printPipeline(pipeline: PipelineNode): void {
    if (pipeline.timed === true) this.out += pipeline.timePosix === true ? 'time -p ' : 'time '
    if (pipeline.negated && this.inFunction) this.out += '! '
    pipeline.commands.forEach((command, i) => {
      if (i > 0) {
        const stderr = pipeline.pipeStderr?.[i - 1] === true
        this.out += `${stderr ? ' 2>&1' : ''} |`
        if (!this.flushHereDocs()) this.out += ' '
        else this.out += '  '
      }
      this.print(command)
    })
  }

  private redirections(redirections: readonly RedirectionNode[]): void {
    for (const redirection of redirections) {
      this.out += ` ${redirectionText(redirection)}`
      if (redirection.target.type === 'HereDoc') this.hereDocs.push(redirection.target)
    }
  }

  private print(command: CommandNode): void {
    switch (command.type) {
      case 'SimpleCommand':
        this.simple(command)
        return
      case 'FunctionDef':
        if ((command as FunctionDefNode).coproc === true) {
          this.out += `coproc ${command.name} `
          const [statement] = command.body.type === 'Group' ? command.body.body : []
          const only = statement?.pipelines[0]?.commands[0]
          if (command.name === 'COPROC' && only?.type === 'SimpleCommand' && statement?.pipelines.length === 1)
            this.print(only)
          else this.print(command.body)
        } else this.definition(command.name, command, true)
        return
      default:
        this.compound(command)
        this.redirections(command.redirections)
    }
  }

  private simple(command: SimpleNode): void {
    const words: string[] = command.assignments.map(assignmentText)
    if (command.name !== null) words.push(wordText(command.name))
    command.args.forEach((word, i) => {
      const declared = command.declared?.get(i)
      words.push(declared === undefined ? wordText(word) : assignmentText(declared))
    })
    this.out += words.join(' ')
    if (words.length === 0) {
      const before = this.out.length
      this.redirections(command.redirections)
      this.out = this.out.slice(0, before) + this.out.slice(before).replace(/^ /, '')
    } else this.redirections(command.redirections)
  }

  private compound(command: CompoundNode): void {
    switch (command.type) {
      case 'Group':
        this.braces(command.body)
        return
      case 'Subshell':
        this.out += '( '
        this.inline(command.body)
        this.out += ' )'
        return
      case 'If':
        this.ifClause(command, 0)
        return
      case 'While':
      case 'Until':
        this.out += `${command.type === 'While' ? 'while' : 'until'} `
        this.inline(command.condition)
        this.out += '; do\n'
        this.body(command.body)
        this.out += 'done'
        return
      case 'For':
        this.forLoop(command)
        return
      case 'CStyleFor': {
        this.out += `for ((${arithmeticSource(command.init)}; ${arithmeticSource(command.condition)}; ${arithmeticSource(command.update)}))\n`
        this.spaces()
        this.out += 'do\n'
        this.body(command.body)
        this.out += 'done'
        return
      }
      case 'Case':
        this.out += `case ${wordText(command.word)} in `
        this.indent += STEP
        for (const item of command.items) {
          this.newline()
          this.spaces()
          this.out += `${item.patterns.map(wordText).join(' | ')})\n`
          this.indent += STEP
          if (item.body.length > 0) this.list(item.body)
          this.newline()
          this.indent -= STEP
          this.spaces()
          this.out += item.terminator
        }
        this.indent -= STEP
        this.newline()
        this.spaces()
        this.out += 'esac'
        return
      case 'ArithmeticCommand':
        this.out += `((${arithmeticSource(command.expression)}))`
        return
      case 'ConditionalCommand':
        this.out += `[[ ${conditionText(command.expression)} ]]`
        return
    }
  }

  private ifClause(command: Extract<CompoundNode, { type: 'If' }>, index: number): void {
    const clause = command.clauses[index]!
    this.out += 'if '
    this.inline(clause.condition)
    this.out += '; then\n'
    this.body(clause.body)
    const more = index + 1 < command.clauses.length
    if (more || command.elseBody !== null) {
      this.out += 'else\n'
      if (more) {
        this.indent += STEP
        this.spaces()
        this.ifClause(command, index + 1)
        this.out += ';\n'
        this.indent -= STEP
        this.spaces()
      } else this.body(command.elseBody!)
    }
    this.out += 'fi'
  }

  private forLoop(command: ForNode): void {
    const words = command.words === null ? '"$@"' : command.words.map(wordText).join(' ')
    this.out += `${command.select === true ? 'select' : 'for'} ${command.variable} in ${words};\n`
    this.spaces()
    this.out += 'do\n'
    this.body(command.body)
    this.out += 'done'
  }

  /** A body between do and done: indented, and the closing word's indentation. */
  private body(statements: readonly StatementNode[]): void {
    this.indent += STEP
    this.list(statements)
    this.indent -= STEP
    if (!this.flushHereDocs()) this.out += statements[statements.length - 1]?.background === true ? '\n' : ';\n'
    this.spaces()
  }
}

function hereDocText(doc: HereDocNode): string {
  const text = doc.content.parts
    .map(part =>
      part.type === 'Literal'
        ? doc.quoted
          ? part.value
          : part.value.replace(/[\\`]|\$(?=[A-Za-z_{(])/g, '\\$&')
        : partText(part, true),
    )
    .join('')
  return doc.stripTabs ? text.replace(/^\t+/gm, '') : text
}
