/** Simple commands: assignments, functions, builtins, programs. */

import { decode, encode, fromBytes } from '../../commands/coreutils/lib/bytes.ts'
import { Errno, isSysError, strerror } from '../uapi/errno.ts'
import { S_IFDIR, S_IFMT, S_IFREG } from '../uapi/fs.ts'
import { BUILTINS, type Builtin } from './builtins/index.ts'
import { ReturnJump, ShellError } from './control.ts'
import { beforeCommand, runCommand, trace, traceWords } from './execute.ts'
import { expandArray, expandString, expandWords } from './expand.ts'
import { Job, type JobProcess } from './jobs.ts'
import { toPlace } from './parameter.ts'
import { assignmentText, commandText, functionText } from './printer.ts'
import { redirect, restore, sysMessage } from './redirect.ts'
import type { Shell, ShellFunction } from './shell.ts'
import { closeSubstitutions } from './substitution.ts'
import type { AssignmentNode, SimpleNode, WordNode } from './syntax.ts'
import { waitForeground } from './waiting.ts'

/** Status of a command that is not there, and of one that cannot be run. */
const NOT_FOUND = 127
const NOT_EXECUTABLE = 126

/** Commands whose arguments may be assignments, expanded as such. */
const DECLARATIONS = new Set(['declare', 'typeset', 'local', 'export', 'readonly', 'alias'])

/** Runs a simple command. `last`: the shell ends after it. */
export async function runSimple(sh: Shell, node: SimpleNode, last: boolean): Promise<number> {
  if (node.line !== undefined) sh.line = node.line
  const substitutions = sh.substitutionFds.length
  sh.substitutionStatus = undefined
  try {
    await beforeCommand(sh, () => commandText({ ...node, redirections: [] }))
    return await run(sh, node, last)
  } catch (error) {
    if (node.line !== undefined && error instanceof ShellError) sh.line = node.line
    if (error instanceof Error && error.name !== 'ProcessGone' && !isSysError(error)) return sh.failed(error)
    throw error
  } finally {
    if (sh.substitutionFds.length > substitutions) closeSubstitutions(sh, substitutions)
    if (sh.warnings.length > 0) await sh.flushWarnings()
  }
}

async function run(sh: Shell, node: SimpleNode, last: boolean): Promise<number> {
  const words = node.name === null ? [] : await commandWords(sh, node)
  if (sh.warnings.length > 0) await sh.flushWarnings()
  if (words.length === 0) return withoutCommand(sh, node)
  const [name] = words as [string, ...string[]]
  const arrays = node.declared
  if (!name.includes('/')) {
    const fn = sh.functions.get(name)
    const builtin = BUILTINS.get(name)
    const special = sh.setup.posix === true && builtin?.special === true
    if (fn !== undefined && !special)
      return callWithin(sh, node, words, () => callFunction(sh, name, fn, words.slice(1)))
    if (builtin !== undefined && !sh.disabledBuiltins.has(name)) return runBuiltin(sh, node, words, builtin, arrays)
  }
  return runProgram(sh, node, words, last)
}

/** Expands the words of a command. Arguments of declarations that look like assignments are not split. */
async function commandWords(sh: Shell, node: SimpleNode): Promise<string[]> {
  const words = await expandWords(sh, [node.name!])
  const [name] = words
  let declaring = name !== undefined && DECLARATIONS.has(name)
  const only = node.name!.parts[0]
  if (node.name!.parts.length !== 1 || only?.type !== 'Literal') declaring = false
  if ((name === 'command' || name === 'builtin') && node.args.length > 0) {
    const first = node.args[0]!.parts[0]
    declaring = first?.type === 'Literal' && DECLARATIONS.has(first.value)
  }
  if (!declaring) {
    words.push(...(await expandWords(sh, node.args)))
    return words
  }
  for (const arg of node.args) {
    if (isAssignmentWord(arg)) words.push(await expandString(sh, arg))
    else words.push(...(await expandWords(sh, [arg])))
  }
  return words
}

function isAssignmentWord(word: WordNode): boolean {
  const [first, second] = word.parts
  if (first?.type !== 'Literal') return false
  if (/^[A-Za-z_][A-Za-z0-9_]*\+?=/.test(first.value)) return true
  // name[subscript]=value
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(first.value) && second?.type === 'Glob' && second.pattern.startsWith('[')
}

/** Assignments and redirections alone. */
async function withoutCommand(sh: Shell, node: SimpleNode): Promise<number> {
  if (node.redirections.length > 0) {
    const saved = await redirect(sh, node.redirections)
    restore(sh, saved)
  }
  for (const assignment of node.assignments) await assign(sh, assignment)
  const status = sh.substitutionStatus ?? 0
  sh.lastStatus = status
  return status
}

/** Performs an assignment. @throws ShellError for a readonly variable or a bad subscript */
export async function assign(sh: Shell, assignment: AssignmentNode): Promise<void> {
  const { name, append } = assignment
  if (assignment.array !== null) {
    if (name.includes('[')) throw new ShellError(`${name}: cannot assign list to array member`, 1, 'command')
    const items = await expandArray(sh, assignment.array)
    if (sh.options.xtrace) await trace(sh, assignmentText(assignment))
    sh.vars.setArray(name, items, append)
    return
  }
  const value = assignment.value === null ? '' : await expandString(sh, assignment.value)
  const place = await toPlace(sh, name)
  if (place === undefined) throw new ShellError(`${name}: bad array subscript`, 1, 'line')
  if (sh.options.xtrace) await trace(sh, `${name}${append ? '+' : ''}=${value === '' ? '' : traceWords(sh, [value])}`)
  sh.vars.setAt(place, value, append)
  sh.lastArgument = ''
}

/** Assignments before a command, in a temporary scope. */
async function assignTemporarily(sh: Shell, node: SimpleNode): Promise<void> {
  for (const assignment of node.assignments) {
    const value =
      assignment.array !== null ? '' : assignment.value === null ? '' : await expandString(sh, assignment.value)
    if (sh.options.xtrace)
      await trace(sh, `${assignment.name}${assignment.append ? '+' : ''}=${traceWords(sh, [value])}`)
    try {
      sh.vars.setTemporary(assignment.name, value, assignment.append)
    } catch (error) {
      if (!(error instanceof ShellError)) throw error
      await sh.report(error.message)
    }
  }
}

/** Runs something in this process within the command's redirections and assignments. */
async function callWithin(
  sh: Shell,
  node: SimpleNode,
  words: readonly string[],
  call: () => Promise<number>,
): Promise<number> {
  const depth = sh.vars.depth
  const temporary = node.assignments.length > 0
  if (temporary) sh.vars.push('temporary')
  try {
    if (temporary) await assignTemporarily(sh, node)
    if (sh.options.xtrace) await traceCommand(sh, node, words)
    if (node.redirections.length === 0) return await call()
    const saved = await redirect(sh, node.redirections)
    try {
      return await call()
    } finally {
      restore(sh, saved)
    }
  } finally {
    sh.vars.unwind(depth)
    sh.lastArgument = words[words.length - 1]!
  }
}

async function traceCommand(sh: Shell, node: SimpleNode, words: readonly string[]): Promise<void> {
  let shown = words
  if (node.declared !== undefined) {
    const offset = words.length - node.args.length
    shown = words.map((word, i) => (node.declared!.has(i - offset) ? '' : word))
    const texts = words.map((_, i) => {
      const array = node.declared!.get(i - offset)
      return array === undefined ? undefined : assignmentText(array)
    })
    await trace(sh, shown.map((word, i) => texts[i] ?? traceWords(sh, [word])).join(' '))
    return
  }
  await trace(sh, traceWords(sh, shown))
}

/** Calls a function. */
export async function callFunction(
  sh: Shell,
  name: string,
  fn: ShellFunction,
  args: readonly string[],
): Promise<number> {
  const { positional, line, loops } = sh
  const depth = sh.vars.depth
  return sh.withFrame({ name, kind: 'function', source: fn.source, callLine: line, args }, async () => {
    sh.vars.push('function')
    sh.positional = args
    sh.loops = 0
    let status: number
    try {
      const { body, redirections } = fn.definition
      const node = redirections.length === 0 ? body : { ...body, redirections: [...body.redirections, ...redirections] }
      status = await runCommand(sh, node, false)
    } catch (error) {
      if (!(error instanceof ReturnJump)) throw error
      status = error.status
      sh.lastStatus = status
    } finally {
      sh.vars.unwind(depth)
      sh.positional = positional
      sh.loops = loops
    }
    await sh.traps.runReturn(sh, 'function')
    sh.line = line
    return status
  })
}

async function runBuiltin(
  sh: Shell,
  node: SimpleNode,
  words: readonly string[],
  builtin: Builtin,
  arrays: SimpleNode['declared'],
): Promise<number> {
  const name = words[0]!
  const line = sh.line
  if (name === 'exec') return runExec(sh, node, words, builtin)
  const call = async (): Promise<number> => {
    try {
      return await builtin.run(sh, words, arrays)
    } catch (error) {
      if (isSysError(error)) {
        sh.line = line
        await sh.report(`${name}: write error: ${sysMessage(error)}`)
        return 1
      }
      if (error instanceof ShellError && error.severity === 'command') {
        sh.line = line
        await sh.report(`${name}: ${error.message}`)
        return error.status
      }
      if (error instanceof ShellError && error.severity === 'line') {
        sh.line = line
        await sh.report(error.message)
        return error.status
      }
      throw error
    }
  }
  // a special builtin keeps its assignments in POSIX mode
  if (sh.setup.posix === true && builtin.special === true && node.assignments.length > 0) {
    for (const assignment of node.assignments) await assign(sh, assignment)
    return callWithin(sh, { ...node, assignments: [] }, words, call)
  }
  return callWithin(sh, node, words, call)
}

/** `exec`: its redirections stay; a command replaces the shell. */
async function runExec(sh: Shell, node: SimpleNode, words: readonly string[], builtin: Builtin): Promise<number> {
  if (sh.options.xtrace) await traceCommand(sh, node, words)
  const depth = sh.vars.depth
  await redirect(sh, node.redirections, true)
  if (words.length === 1) {
    for (const assignment of node.assignments) await assign(sh, assignment)
    return 0
  }
  if (node.assignments.length > 0) sh.vars.push('temporary')
  try {
    await assignTemporarily(sh, node)
    return await builtin.run(sh, words, undefined)
  } finally {
    sh.vars.unwind(depth)
  }
}

/** Runs a program in a process of its own. */
async function runProgram(sh: Shell, node: SimpleNode, words: readonly string[], last: boolean): Promise<number> {
  const name = words[0]!
  const run = async (child: Shell): Promise<number> => {
    child.vars.push('temporary')
    try {
      if (node.assignments.length > 0) await assignTemporarily(child, node)
      if (child.options.xtrace) await traceCommand(child, node, words)
      if (node.redirections.length > 0) await redirect(child, node.redirections, true)
    } catch (error) {
      if (error instanceof Error && error.name !== 'ProcessGone' && !isSysError(error)) return child.failed(error)
      throw error
    }
    return execProgram(child, words)
  }
  // where the command is is looked up here, so that it is remembered
  if (!name.includes('/')) {
    if (node.assignments.some(assignment => assignment.name === 'PATH')) sh.hash.clear()
    else findProgram(sh, name, true)
  }
  if (last && sh.level > 0 && sh.traps.get('EXIT') === undefined) return run(sh)
  sh.lastArgument = words[words.length - 1]!
  const monitor = sh.options.on('monitor')
  const pid = sh.forkShell(run, monitor ? { pgid: 0 } : {})
  const text = commandText(node)
  const process: JobProcess = { pid, text, state: 'running', status: undefined }
  return waitForeground(sh, new Job([process], text, monitor ? pid : undefined, true, sh.pwd))
}

/** Runs a program whose words are already expanded. */
export async function runProgramWords(sh: Shell, words: readonly string[], file?: string): Promise<number> {
  const monitor = sh.options.on('monitor')
  if (file === undefined && !words[0]!.includes('/')) findProgram(sh, words[0]!, true)
  const pid = sh.forkShell(
    child => execProgram(child, file === undefined ? words : [file, ...words.slice(1)], { argv0: words[0]! }),
    monitor ? { pgid: 0 } : {},
  )
  const text = words.join(' ')
  const process: JobProcess = { pid, text, state: 'running', status: undefined }
  return waitForeground(sh, new Job([process], text, monitor ? pid : undefined, true, sh.pwd))
}

/** @returns the file that a command name without a slash means; undefined if there is none */
export function findProgram(sh: Shell, name: string, remember: boolean): string | undefined {
  const hashed = sh.hash.get(name)
  if (hashed !== undefined) {
    if (remember) hashed.hits++
    return hashed.path
  }
  const found = searchPath(sh, name)[0]
  if (found !== undefined && remember && sh.options.on('hashall')) sh.hash.set(name, { path: found, hits: 1 })
  return found
}

/** @returns all files in PATH of a name that can be run, or else the first that cannot */
export function searchPath(sh: Shell, name: string, path = sh.vars.get('PATH') ?? ''): string[] {
  const found: string[] = []
  let denied: string | undefined
  for (const dir of path.split(':')) {
    const file = dir === '' || dir === '.' ? `./${name}` : dir.endsWith('/') ? dir + name : `${dir}/${name}`
    try {
      if ((sh.proc.stat(decode(file)).mode & S_IFMT) !== S_IFREG) continue
    } catch (error) {
      if (isSysError(error)) continue
      throw error
    }
    if (sh.proc.access(decode(file), 1)) found.push(file)
    else denied ??= file
  }
  return found.length === 0 && denied !== undefined ? [denied] : found
}

/** Replaces this process by a program. @returns the status to end with, where that fails, after saying why */
export async function execProgram(
  sh: Shell,
  words: readonly string[],
  options: { argv0?: string; clean?: boolean } = {},
): Promise<number> {
  const name = words[0]!
  const file = name.includes('/') ? name : name === '' ? undefined : findProgram(sh, name, false)
  if (file === undefined) return commandNotFound(sh, words)
  const environment = options.clean === true ? new Map<string, string>() : environmentOf(sh, file)
  const argv = [options.argv0 ?? name, ...words.slice(1)].map(decode)
  try {
    return await sh.proc.exec(decode(file), argv, environment)
  } catch (error) {
    if (!isSysError(error)) throw error
    return execFailed(sh, file, words, environment, error.errno)
  }
}

/** What a program gets as its environment. */
function environmentOf(sh: Shell, file: string): Map<string, string> {
  const environment = new Map<string, string>()
  for (const [name, value] of sh.vars.exported()) environment.set(name, decode(value))
  for (const [name, fn] of sh.functions) {
    if (fn.exported)
      environment.set(`BASH_FUNC_${name}%%`, decode(functionText(name, fn.definition).replace(/^[^(]*\(\) \n/, '() ')))
  }
  environment.set('_', decode(file))
  return environment
}

async function commandNotFound(sh: Shell, words: readonly string[]): Promise<number> {
  const handler = sh.functions.get('command_not_found_handle')
  if (handler !== undefined) return callFunction(sh, 'command_not_found_handle', handler, words)
  await sh.report(sh.setup.posix === true ? `${words[0]}: not found` : `${words[0]}: command not found`)
  return NOT_FOUND
}

async function execFailed(
  sh: Shell,
  file: string,
  words: readonly string[],
  environment: Map<string, string>,
  errno: number,
): Promise<number> {
  const posix = sh.setup.posix === true
  if (errno === Errno.ENOEXEC) {
    const head = fromBytes(sh.proc.readFile(decode(file)).subarray(0, 80))
    if (/\0/.test(head.split('\n')[0]!)) {
      await sh.report(posix ? `${file}: Exec format error` : `${file}: cannot execute binary file: Exec format error`)
      return NOT_EXECUTABLE
    }
    // a script that does not say what runs it
    const shell = posix ? '/bin/sh' : '/bin/bash'
    return sh.proc.exec(shell, [shell, file, ...words.slice(1)].map(decode), environment)
  }
  let directory = false
  let exists = true
  try {
    directory = (sh.proc.stat(decode(file)).mode & S_IFMT) === S_IFDIR
  } catch (error) {
    if (!isSysError(error)) throw error
    exists = false
  }
  if (posix) {
    await sh.report(`${file}: ${errno === Errno.ENOENT || !exists ? 'not found' : 'Permission denied'}`)
    return errno === Errno.ENOENT || !exists ? NOT_FOUND : NOT_EXECUTABLE
  }
  if (directory) {
    await sh.report(`${file}: Is a directory`)
    return NOT_EXECUTABLE
  }
  if (errno === Errno.ENOENT && exists) {
    await sh.report(`${file}: cannot execute: required file not found`)
    return NOT_FOUND
  }
  await sh.report(`${file}: ${strerror(errno)}`)
  return errno === Errno.ENOENT || errno === Errno.ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE
}

/** @returns a function's exported form taken back from the environment */
export function importedFunction(name: string, value: string): string | undefined {
  return value.startsWith('() ') ? `${name} ${encode(value)}` : undefined
}
