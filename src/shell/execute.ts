/** Running commands: lists, pipelines, compound commands. Simple commands are in src/shell/simple.ts. */
import { isSysError } from '../uapi/errno.ts'
import { O_RDONLY } from '../uapi/fs.ts'
import { Signal } from '../uapi/signal.ts'
import { conditional } from './conditional.ts'
import { DiscardJump, ExitJump, LoopJump, ShellError } from './control.ts'
import { arithmetic, arithmeticText, expandPattern, expandString, expandWords } from './expand.ts'
import { Job, type JobProcess } from './jobs.ts'
import { matches } from './pattern.ts'
import { commandText, pipelineText, statementText, wordText } from './printer.ts'
import { promptString } from './prompt.ts'
import { traceQuote } from './quote.ts'
import { readLine } from './read_line.ts'
import { redirect, restore } from './redirect.ts'
import type { Shell } from './shell.ts'
import { runSimple } from './simple.ts'
import { closeSubstitutions } from './substitution.ts'
import type {
  CaseNode,
  CommandNode,
  CompoundNode,
  CStyleForNode,
  ForNode,
  FunctionDefNode,
  IfNode,
  PipelineNode,
  StatementNode,
  UntilNode,
  WhileNode,
} from './syntax.ts'
import { Attr, isIdentifier } from './variables.ts'
import { waitForeground } from './waiting.ts'

/**
 * Runs a list of statements.
 * @param last whether the shell ends after them, so that the last command may take its process
 */
export async function runStatements(sh: Shell, statements: readonly StatementNode[], last = false): Promise<number> {
  let status = 0
  for (let i = 0; i < statements.length; i++) {
    await sh.tick()
    if (sh.traps.waiting) await sh.traps.runPending(sh)
    if (sh.traps.interrupted) await interrupt(sh)
    status = await runStatement(sh, statements[i]!, last && i === statements.length - 1)
  }
  if (sh.traps.waiting) await sh.traps.runPending(sh)
  return status
}

/** Ctrl-C abandons what an interactive shell is doing. */
async function interrupt(sh: Shell): Promise<never> {
  sh.traps.interrupted = false
  if (sh.terminal !== undefined) await sh.errorText('\n')
  throw new DiscardJump(130)
}

async function runStatement(sh: Shell, statement: StatementNode, last: boolean): Promise<number> {
  if (statement.background) return runBackground(sh, statement)
  const { pipelines, operators } = statement
  const only = pipelines.length === 1
  let status = sh.lastStatus
  for (let i = 0; i < pipelines.length; i++) {
    if (i > 0) {
      const operator = operators[i - 1]
      if ((operator === '&&') !== (status === 0)) continue
    }
    const pipeline = pipelines[i]!
    const final = i === pipelines.length - 1
    const tested = !final || pipeline.negated
    if (tested) sh.tested++
    try {
      status = await runPipeline(sh, pipeline, last && only)
    } finally {
      if (tested) sh.tested--
    }
    sh.lastStatus = status
    if (status !== 0 && !tested && sh.tested === 0) await failedCommand(sh, pipeline, status)
  }
  return status
}

/** A command failed where nobody tests it: the ERR trap, errexit. */
async function failedCommand(sh: Shell, pipeline: PipelineNode, status: number): Promise<void> {
  const [command] = pipeline.commands
  if (pipeline.commands.length === 1) {
    const { type } = command!
    if (
      type !== 'SimpleCommand' &&
      type !== 'Subshell' &&
      type !== 'ArithmeticCommand' &&
      type !== 'ConditionalCommand'
    )
      return
    if (type === 'Subshell' && !sh.traps.active) sh.commandText = commandText(command!)
  }
  await sh.traps.runError(sh)
  sh.lastStatus = status
  if (sh.options.errexit) {
    throw new ExitJump(status)
  }
}

/** `… &` */
async function runBackground(sh: Shell, statement: StatementNode): Promise<number> {
  const simple = statement.pipelines.length === 1
  const pipeline = statement.pipelines[0]!
  const monitor = sh.options.on('monitor')
  if (simple && pipeline.commands.length > 1 && !pipeline.negated && pipeline.timed !== true) {
    const job = await startPipeline(sh, pipeline, true)
    return inBackground(sh, job)
  }
  const text = statementText(statement)
  const pid = sh.forkShell(
    async child => {
      await asBackground(child, monitor)
      if (simple && pipeline.commands.length === 1 && !pipeline.negated && pipeline.timed !== true) {
        return runCommand(child, pipeline.commands[0]!, true)
      }
      return runStatement(child, { ...statement, background: false }, false)
    },
    monitor ? { pgid: 0 } : {},
  )
  const process: JobProcess = { pid, text, state: 'running', status: undefined }
  return inBackground(sh, new Job([process], text, monitor ? pid : undefined, false, sh.pwd))
}

/** How much later than its parent goes on a command in the background begins, ns: what a new process takes to get a CPU. */
const START_DELAY = 100_000

/** Without job control, a command in the background is deaf to the keyboard's signals and reads nothing. */
async function asBackground(child: Shell, monitor: boolean): Promise<void> {
  await child.proc.nanosleep(START_DELAY)
  if (monitor) return
  child.proc.signal(Signal.SIGINT, 'ignore')
  child.proc.signal(Signal.SIGQUIT, 'ignore')
  try {
    const fd = child.proc.open('/dev/null', O_RDONLY)
    child.proc.dup2(fd, 0)
    if (fd !== 0) child.proc.close(fd)
  } catch (error) {
    if (!isSysError(error)) throw error
  }
}

async function inBackground(sh: Shell, job: Job): Promise<number> {
  sh.jobs.add(job)
  sh.lastBackgroundPid = job.last.pid
  if (sh.interactive) await sh.errorText(`[${job.number}] ${job.last.pid}\n`)
  sh.lastStatus = 0
  return 0
}

/** Runs a pipeline in the foreground. */
async function runPipeline(sh: Shell, pipeline: PipelineNode, last: boolean): Promise<number> {
  const timer = pipeline.timed === true ? startTimer(sh) : undefined
  let status: number
  if (pipeline.commands.length === 0) status = 0
  else if (pipeline.commands.length === 1) {
    const command = pipeline.commands[0]!
    status = await runCommand(sh, command, last && timer === undefined && !pipeline.negated)
    if (
      command.type === 'SimpleCommand' ||
      command.type === 'Subshell' ||
      command.type === 'ArithmeticCommand' ||
      command.type === 'ConditionalCommand'
    ) {
      sh.vars.assign('PIPESTATUS', [String(status)])
    }
  } else {
    const job = await startPipeline(sh, pipeline, false)
    await waitForeground(sh, job)
    const statuses = job.processes.map(process => statusOf(process))
    sh.vars.assign('PIPESTATUS', statuses.map(String))
    status = statuses[statuses.length - 1]!
    if (sh.options.pipefail) status = statuses.findLast(each => each !== 0) ?? 0
  }
  if (pipeline.negated) status = status === 0 ? 1 : 0
  if (timer !== undefined) await printTimes(sh, timer, pipeline.timePosix === true)
  sh.lastStatus = status
  return status
}

function statusOf(process: JobProcess): number {
  const { status } = process
  if (status === undefined) return 0
  return status.kind === 'exited' ? status.status : status.kind === 'continued' ? 0 : 128 + status.signal
}

/** Starts the members of a pipeline, each a process, connected by pipes. */
async function startPipeline(sh: Shell, pipeline: PipelineNode, background: boolean): Promise<Job> {
  const monitor = sh.options.on('monitor')
  const processes: JobProcess[] = []
  let input: number | undefined
  let pgid: number | undefined
  const { commands } = pipeline
  for (let i = 0; i < commands.length; i++) {
    const command = commands[i]!
    const final = i === commands.length - 1
    const [reader, writer] = final ? [undefined, undefined] : sh.proc.pipe()
    const stdin = input
    const stderr = pipeline.pipeStderr?.[i] === true
    if (command.type === 'SimpleCommand' && sh.traps.get('DEBUG') !== undefined) {
      await beforeCommand(sh, () => commandText({ ...command, redirections: [] }))
    }
    const pid: number = sh.forkShell(
      async child => {
        const { proc } = child
        if (background) await asBackground(child, monitor)
        if (reader !== undefined) proc.close(reader)
        if (stdin !== undefined) {
          proc.dup2(stdin, 0)
          if (stdin !== 0) proc.close(stdin)
        }
        if (writer !== undefined) {
          proc.dup2(writer, 1)
          if (writer !== 1) proc.close(writer)
          if (stderr) proc.dup2(1, 2)
        }
        return runCommand(child, command, true)
      },
      monitor ? { pgid: pgid ?? 0 } : {},
    )
    pgid ??= pid
    if (stdin !== undefined) sh.proc.close(stdin)
    if (writer !== undefined) sh.proc.close(writer)
    input = reader
    processes.push({ pid, text: commandText(command) + (stderr ? ' 2>&1' : ''), state: 'running', status: undefined })
  }
  return new Job(processes, pipelineText(pipeline), monitor ? pgid : undefined, !background, sh.pwd)
}

interface Times {
  readonly real: number
  readonly user: number
  readonly system: number
}

function startTimer(sh: Shell): Times {
  const times = sh.proc.times()
  return { real: sh.proc.monotonic(), user: times.user + times.childUser, system: times.system + times.childSystem }
}

/** What `time` prints: TIMEFORMAT, or bash's own. */
async function printTimes(sh: Shell, start: Times, posix: boolean): Promise<void> {
  const now = startTimer(sh)
  const values: Readonly<Record<string, number>> = {
    R: (now.real - start.real) / 1e9,
    U: (now.user - start.user) / 1e9,
    S: (now.system - start.system) / 1e9,
  }
  const format = posix
    ? 'real %2R\nuser %2U\nsys %2S'
    : (sh.vars.get('TIMEFORMAT') ?? '\nreal\t%3lR\nuser\t%3lU\nsys\t%3lS')
  if (format === '') return
  const text = format.replace(
    /%(?:(\d)?(l)?([RUS])|P|%)/g,
    (all, digits: string | undefined, long: string | undefined, which: string | undefined) => {
      if (all === '%%') return '%'
      if (which === undefined) {
        const busy = values['U']! + values['S']!
        return values['R'] === 0 ? '0.00' : ((busy / values['R']!) * 100).toFixed(2)
      }
      const places = Math.min(3, digits === undefined ? 3 : Number(digits))
      const seconds = values[which]!
      const shown = (n: number): string => (Math.floor(n * 10 ** places) / 10 ** places).toFixed(places)
      return long === undefined ? shown(seconds) : `${Math.floor(seconds / 60)}m${shown(seconds % 60)}s`
    },
  )
  await sh.errorText(`${text}\n`)
}

/**
 * Runs one command.
 * @param last whether the shell ends after it
 */
export async function runCommand(sh: Shell, command: CommandNode, last: boolean): Promise<number> {
  switch (command.type) {
    case 'SimpleCommand':
      return runSimple(sh, command, last)
    case 'FunctionDef':
      return (command as FunctionDefNode).coproc === true ? coprocess(sh, command) : defineFunction(sh, command)
    case 'Subshell':
      return subshell(sh, command, last)
    default:
      return compound(sh, command)
  }
}

async function defineFunction(sh: Shell, node: FunctionDefNode): Promise<number> {
  const old = sh.functions.get(node.name)
  if (old?.readonly === true) {
    await sh.report(`${node.name}: readonly function`)
    return 1
  }
  const frame = sh.frames[sh.frames.length - 1]
  const source =
    frame !== undefined
      ? frame.source
      : sh.setup.kind === 'script'
        ? (sh.setup.messageName ?? sh.name0)
        : sh.setup.kind === 'command'
          ? 'environment'
          : 'main'
  sh.functions.set(node.name, {
    definition: node,
    source,
    line: sh.line,
    exported: old?.exported === true,
    readonly: false,
  })
  return 0
}

/** ( … ): a process of its own. */
async function subshell(sh: Shell, node: Extract<CommandNode, { type: 'Subshell' }>, last: boolean): Promise<number> {
  sh.line = firstLine(node.body) ?? sh.line
  const run = async (child: Shell): Promise<number> => {
    try {
      await redirect(child, node.redirections, true)
    } catch (error) {
      return child.failed(error)
    }
    return runStatements(child, node.body, true)
  }
  if (last && sh.level > 0 && sh.traps.get('EXIT') === undefined) {
    sh.level++
    return run(sh)
  }
  const monitor = sh.options.on('monitor')
  const pid = sh.forkShell(run, monitor ? { pgid: 0 } : {})
  const text = commandText(node)
  const process: JobProcess = { pid, text, state: 'running', status: undefined }
  return waitForeground(sh, new Job([process], text, monitor ? pid : undefined, true, sh.pwd))
}

/** @returns the line of the first command of a list: where a compound command begins, or nearly */
function firstLine(statements: CaseNode['items'][number]['body']): number | undefined {
  const command = statements[0]?.pipelines[0]?.commands[0]
  if (command === undefined) return undefined
  if ('line' in command && typeof command.line === 'number') return command.line
  return 'body' in command && Array.isArray(command.body) ? firstLine(command.body) : undefined
}

/** Runs a compound command within its redirections. */
async function compound(sh: Shell, node: Exclude<CompoundNode, { type: 'Subshell' }>): Promise<number> {
  const substitutions = sh.substitutionFds.length
  if (node.redirections.length === 0) {
    try {
      return await guarded(sh, () => body(sh, node))
    } finally {
      if (sh.substitutionFds.length > substitutions) closeSubstitutions(sh, substitutions)
    }
  }
  const line =
    'line' in node && typeof node.line === 'number' ? node.line : 'body' in node ? firstLine(node.body) : undefined
  if (line !== undefined) sh.line = line
  return guarded(sh, async () => {
    const saved = await redirect(sh, node.redirections)
    try {
      return await body(sh, node)
    } finally {
      restore(sh, saved)
      closeSubstitutions(sh, substitutions)
    }
  })
}

/** Prints what goes wrong in a command. */
async function guarded(sh: Shell, run: () => Promise<number>): Promise<number> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ShellError || (error instanceof Error && error.name !== 'ProcessGone' && !isSysError(error)))
      return sh.failed(error)
    throw error
  }
}

async function body(sh: Shell, node: Exclude<CompoundNode, { type: 'Subshell' }>): Promise<number> {
  switch (node.type) {
    case 'Group':
      return runStatements(sh, node.body)
    case 'If':
      return ifCommand(sh, node)
    case 'For':
      return (node as ForNode).select === true ? selectLoop(sh, node) : forLoop(sh, node)
    case 'CStyleFor':
      return cStyleFor(sh, node)
    case 'While':
    case 'Until':
      return whileLoop(sh, node)
    case 'Case':
      return caseCommand(sh, node)
    case 'ArithmeticCommand':
      return arithmeticCommand(sh, node)
    case 'ConditionalCommand':
      if (node.line !== undefined) sh.line = node.line
      await beforeCommand(sh, () => commandText({ ...node, redirections: [] }))
      return (await conditional(sh, node.expression)) ? 0 : 1
  }
}

/** What comes before every command that a DEBUG trap sees. */
export async function beforeCommand(sh: Shell, text: () => string): Promise<void> {
  if (!sh.traps.active) sh.commandText = text()
  if (sh.traps.get('DEBUG') !== undefined) await sh.traps.runDebug(sh)
}

/** Prints a line of `set -x`. */
export async function trace(sh: Shell, text: string): Promise<void> {
  const xtrace = sh.options.xtrace
  sh.options.setOption('xtrace', false)
  let prompt: string
  try {
    prompt = await promptString(sh, sh.vars.get('PS4') ?? '')
  } finally {
    sh.options.setOption('xtrace', xtrace)
  }
  const first = prompt.slice(0, 1)
  const fd = Number(sh.vars.get('BASH_XTRACEFD') ?? '2')
  const line = `${first.repeat(sh.traceDepth)}${prompt.slice(1)}${text}\n`
  try {
    await sh.write(Number.isInteger(fd) ? fd : 2, line)
  } catch (error) {
    if (!isSysError(error)) throw error
  }
}

/** Runs statements whose failure is tested. */
async function tested(sh: Shell, statements: readonly StatementNode[]): Promise<number> {
  sh.tested++
  try {
    return await runStatements(sh, statements)
  } finally {
    sh.tested--
  }
}

async function ifCommand(sh: Shell, node: IfNode): Promise<number> {
  for (const clause of node.clauses) {
    if ((await tested(sh, clause.condition)) === 0) return runStatements(sh, clause.body)
  }
  if (node.elseBody !== null) return runStatements(sh, node.elseBody)
  sh.lastStatus = 0
  return 0
}

/**
 * Runs the body of a loop once.
 * @returns its status, and whether the loop goes on; throws a jump that is for an outer loop
 */
async function iteration(sh: Shell, statements: readonly StatementNode[]): Promise<{ status: number; go: boolean }> {
  sh.loops++
  try {
    return { status: await runStatements(sh, statements), go: true }
  } catch (error) {
    if (!(error instanceof LoopJump)) throw error
    if (error.count > 1 && sh.loops > 1) throw new LoopJump(error.kind, error.count - 1, error.status)
    return { status: error.status, go: error.kind === 'continue' }
  } finally {
    sh.loops--
  }
}

async function whileLoop(sh: Shell, node: WhileNode | UntilNode): Promise<number> {
  let status = 0
  for (;;) {
    await sh.tick()
    sh.loops++
    let condition: number
    try {
      condition = await tested(sh, node.condition)
    } catch (error) {
      if (!(error instanceof LoopJump)) throw error
      if (error.count > 1 && sh.loops > 1) throw new LoopJump(error.kind, error.count - 1)
      if (error.kind === 'break') break
      continue
    } finally {
      sh.loops--
    }
    if ((condition === 0) !== (node.type === 'While')) break
    const result = await iteration(sh, node.body)
    status = result.status
    if (!result.go) break
  }
  sh.lastStatus = status
  return status
}

async function forLoop(sh: Shell, node: ForNode): Promise<number> {
  if ('line' in node && typeof node.line === 'number') sh.line = node.line
  if (!isIdentifier(node.variable)) throw new ShellError(`\`${node.variable}': not a valid identifier`, 1, 'command')
  const values = node.words === null ? sh.positional : await expandWords(sh, node.words)
  let status = 0
  for (const value of values) {
    await sh.tick()
    const shown = (): string =>
      `for ${node.variable} in ${node.words === null ? '"$@"' : node.words.map(wordText).join(' ')}`
    if (sh.options.xtrace) await trace(sh, shown())
    if (sh.traps.get('DEBUG') !== undefined) await beforeCommand(sh, shown)
    assignLoopVariable(sh, node.variable, value)
    const result = await iteration(sh, node.body)
    status = result.status
    if (!result.go) break
  }
  sh.lastStatus = status
  return status
}

/** A loop over a nameref gives it new targets. */
function assignLoopVariable(sh: Shell, name: string, value: string): void {
  const variable = sh.vars.lookup(name)
  if (variable !== undefined && variable.attrs & Attr.Readonly)
    throw new ShellError(`${name}: readonly variable`, 1, 'command')
  if (variable !== undefined && variable.attrs & Attr.Nameref) {
    variable.value = value
    return
  }
  sh.vars.set(name, value)
}

async function cStyleFor(sh: Shell, node: CStyleForNode): Promise<number> {
  if (node.line !== undefined) sh.line = node.line
  const evaluate = async (part: CStyleForNode['init']): Promise<bigint> => {
    const text = part === null ? '' : arithmeticText(part)
    if (text.trim() === '') return 1n
    if (sh.options.xtrace) await trace(sh, `(( ${text} ))`)
    try {
      return await arithmetic(sh, text)
    } catch (error) {
      if (error instanceof ShellError)
        throw new ShellError(error.whole ? error.message : `((: ${error.message}`, 1, 'command')
      throw error
    }
  }
  await evaluate(node.init)
  let status = 0
  while ((await evaluate(node.condition)) !== 0n) {
    await sh.tick()
    const result = await iteration(sh, node.body)
    status = result.status
    if (!result.go) break
    await evaluate(node.update)
  }
  sh.lastStatus = status
  return status
}

async function arithmeticCommand(
  sh: Shell,
  node: Extract<CompoundNode, { type: 'ArithmeticCommand' }>,
): Promise<number> {
  if (node.line !== undefined) sh.line = node.line
  const text = arithmeticText(node.expression)
  await beforeCommand(sh, () => `((${text}))`)
  if (sh.options.xtrace) await trace(sh, `(( ${text} ))`)
  try {
    return (await arithmetic(sh, text)) !== 0n ? 0 : 1
  } catch (error) {
    if (error instanceof ShellError && error.severity !== 'shell')
      throw new ShellError(error.whole ? error.message : `((: ${error.message}`, 1, 'command')
    throw error
  }
}

async function caseCommand(sh: Shell, node: CaseNode): Promise<number> {
  if ('line' in node && typeof node.line === 'number') sh.line = node.line
  const shown = (): string => `case ${wordText(node.word)} in `
  if (sh.traps.get('DEBUG') !== undefined) await beforeCommand(sh, shown)
  if (sh.options.xtrace) await trace(sh, shown().trimEnd())
  const value = await expandString(sh, node.word)
  const options = { extglob: sh.options.extglob, ignoreCase: sh.options.has('nocasematch') }
  let status = 0
  let through = false
  for (const item of node.items) {
    if (!through) {
      let found = false
      for (const pattern of item.patterns) {
        if (matches(await expandPattern(sh, pattern), value, options)) {
          found = true
          break
        }
      }
      if (!found) continue
    }
    status = item.body.length > 0 ? await runStatements(sh, item.body) : 0
    if (item.terminator === ';;') break
    through = item.terminator === ';&'
  }
  sh.lastStatus = status
  return status
}

/** `select`: a menu on standard error, answers from standard input. */
async function selectLoop(sh: Shell, node: ForNode): Promise<number> {
  const values = node.words === null ? sh.positional : await expandWords(sh, node.words)
  if (values.length === 0) return 0
  if (sh.options.xtrace)
    await trace(sh, `select ${node.variable} in ${node.words === null ? '"$@"' : node.words.map(wordText).join(' ')}`)
  let status = 0
  let show = true
  for (;;) {
    if (show) await sh.errorText(menu(values, Number(sh.vars.get('COLUMNS') ?? '80') || 80))
    await sh.errorText(await promptString(sh, sh.vars.get('PS3') ?? '#? '))
    const answer = await readLine(sh, 0)
    if (answer === undefined) {
      await sh.errorText('\n')
      sh.lastStatus = 1
      return 1
    }
    const reply = answer.replace(/^[ \t]+|[ \t]+$/g, '')
    sh.vars.set('REPLY', reply)
    if (reply === '') {
      show = true
      continue
    }
    const index = /^\d+$/.test(reply) ? Number(reply) : 0
    assignLoopVariable(sh, node.variable, values[index - 1] ?? '')
    const result = await iteration(sh, node.body)
    status = result.status
    if (!result.go) break
    show = sh.vars.get('REPLY') === ''
  }
  sh.lastStatus = status
  return status
}

/** The menu of `select`, in columns. */
function menu(values: readonly string[], columns: number): string {
  const digits = String(values.length).length
  const widest = Math.max(...values.map(value => value.length)) + digits + 2
  let across = Math.max(1, Math.floor(columns / (widest + 2)))
  let rows = Math.ceil(values.length / across)
  across = Math.ceil(values.length / rows)
  if (rows === 1) {
    rows = across
    across = 1
  }
  let out = ''
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < across; column++) {
      const index = column * rows + row
      if (index >= values.length) break
      const text = `${String(index + 1).padStart(column === 0 ? digits : digits)}) ${values[index]!}`
      out += index + rows < values.length ? text.padEnd(widest + 2) : text
    }
    out += '\n'
  }
  return out
}

/** `coproc`: a command in the background, its standard streams at the other end of two pipes. */
async function coprocess(sh: Shell, node: FunctionDefNode): Promise<number> {
  const [childIn, ourOut] = sh.proc.pipe()
  const [ourIn, childOut] = sh.proc.pipe()
  const monitor = sh.options.on('monitor')
  const pid = sh.forkShell(
    async child => {
      const { proc } = child
      proc.close(ourOut)
      proc.close(ourIn)
      proc.dup2(childIn, 0)
      proc.dup2(childOut, 1)
      proc.close(childIn)
      proc.close(childOut)
      return runCommand(child, node.body, true)
    },
    monitor ? { pgid: 0 } : {},
  )
  sh.proc.close(childIn)
  sh.proc.close(childOut)
  const reader = sh.proc.dup(ourIn, 60)
  const writer = sh.proc.dup(ourOut, 60)
  sh.proc.close(ourIn)
  sh.proc.close(ourOut)
  sh.vars.assign(node.name, [String(reader), String(writer)])
  sh.vars.assign(`${node.name}_PID`, String(pid))
  const text = commandText(node)
  const job = new Job(
    [{ pid, text, state: 'running', status: undefined }],
    text,
    monitor ? pid : undefined,
    false,
    sh.pwd,
  )
  return inBackground(sh, job)
}

/** @returns words as `set -x` shows them */
export function traceWords(sh: Shell, words: readonly string[]): string {
  return words.map(word => traceQuote(word, sh.utf8)).join(' ')
}
