/** bash itself, and sh: the command line, where commands come from, start-up files. */
import { decode, encode } from '../../commands/coreutils/lib/bytes.ts'
import { isSysError } from '../uapi/errno.ts'
import { S_IFDIR, S_IFMT } from '../uapi/fs.ts'
import type { Process, Program } from '../uapi/process.ts'
import { Signal } from '../uapi/signal.ts'
import { readWhole } from './builtins/flow.ts'
import { switchOption } from './builtins/options.ts'
import { runInteractive } from './interactive.ts'
import { startJobControl } from './job_control.ts'
import { Incomplete, ShellSyntaxError } from './lexer.ts'
import { SET_OPTIONS } from './options.ts'
import { readLine } from './read_line.ts'
import { readUnit } from './reader.ts'
import { sysMessage } from './redirect.ts'
import { Shell, type ShellSetup } from './shell.ts'
import { importedFunction } from './simple.ts'

const VERSION_TEXT = `GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)
Copyright (C) 2022 Free Software Foundation, Inc.
License GPLv3+: GNU GPL version 3 or later <http://gnu.org/licenses/gpl.html>

This is free software; you are free to change and redistribute it.
There is NO WARRANTY, to the extent permitted by law.
`

/** What the command line asks for. */
interface Invocation {
  command: boolean
  stdin: boolean
  interactive: boolean
  login: boolean
  norc: boolean
  noprofile: boolean
  rcfile: string | undefined
  posix: boolean
  /** options of set and shopt to switch */
  readonly set: [string, boolean][]
  readonly shopt: [string, boolean][]
  rest: string[]
}

/** The shell as a program: bash, or sh where it is called so. */
export const main: Program = proc => start(proc, /(?:^|[/-])sh$/.test(proc.argv[0] ?? ''))

/** The shell as sh. */
export const sh: Program = proc => start(proc, true)

async function start(proc: Process, posix: boolean): Promise<number> {
  const argv = proc.argv.map(encode)
  const name0 = argv[0] ?? (posix ? 'sh' : 'bash')
  const parsed = parseArguments(argv, posix)
  if (typeof parsed === 'string') {
    if (parsed === 'version') {
      proc.stdout.write(VERSION_TEXT)
      return 0
    }
    if (parsed === 'help') {
      proc.stdout.write(
        `${VERSION_TEXT.split('\n')[0]}\nUsage:\t${decode(name0)} [option] ...\n\t${decode(name0)} [option] script-file ...\n`,
      )
      return 0
    }
    proc.stderr.write(`${decode(name0)}: ${decode(parsed)}\n`)
    return 2
  }
  const from = source(proc, parsed)
  if (typeof from === 'string') {
    proc.stderr.write(`${decode(from)}\n`)
    return 2
  }
  const setup: ShellSetup = {
    name0: from.name0 ?? name0,
    kind: from.kind,
    ...(parsed.posix ? { posix: true } : {}),
    positional: from.positional,
  }
  const shell = new Shell(proc, setup)
  shell.interactive = from.interactive
  shell.options.started = `${from.interactive ? 'i' : ''}${from.kind === 'command' ? 'c' : ''}${from.kind === 'stdin' || (from.kind === 'interactive' && from.script === undefined) ? 's' : ''}`
  if (parsed.posix) shell.options.setOption('posix', true)
  if (parsed.login || name0.startsWith('-')) shell.options.setShopt('login_shell', true)
  if (from.kind === 'command') shell.vars.assign('BASH_EXECUTION_STRING', from.text ?? '')
  for (const [name, on] of parsed.shopt) shell.options.setShopt(name, on)
  await importFunctions(shell)
  let status: number
  try {
    if (from.interactive) setUpInteractive(shell)
    await startFiles(shell, parsed, from.interactive)
    for (const [name, on] of parsed.set) switchOption(shell, name, on)
    shell.lastStatus = 0
    status = await runSource(shell, from)
  } catch (error) {
    status = shell.endStatus(error)
  }
  status = await shell.finish(status)
  if (from.interactive) hangUp(shell)
  return status
}

/** @returns the invocation, a message about what is wrong with it, 'version' or 'help' */
function parseArguments(argv: readonly string[], posix: boolean): Invocation | string {
  const invocation: Invocation = {
    command: false,
    stdin: false,
    interactive: false,
    login: false,
    norc: false,
    noprofile: false,
    rcfile: undefined,
    posix,
    set: [],
    shopt: [],
    rest: [],
  }
  let i = 1
  for (; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '-' || word === '--') {
      i++
      break
    }
    if (word.startsWith('--')) {
      switch (word) {
        case '--login':
          invocation.login = true
          continue
        case '--norc':
          invocation.norc = true
          continue
        case '--noprofile':
          invocation.noprofile = true
          continue
        case '--rcfile':
        case '--init-file':
          invocation.rcfile = argv[++i]
          if (invocation.rcfile === undefined) return `${word}: option requires an argument`
          continue
        case '--posix':
          invocation.set.push(['posix', true])
          continue
        case '--noediting':
        case '--restricted':
        case '--debugger':
          continue
        case '--verbose':
          invocation.set.push(['verbose', true])
          continue
        case '--version':
          return 'version'
        case '--help':
          return 'help'
        default:
          return `${word}: invalid option`
      }
    }
    const sign = word[0]
    if (word.length < 2 || (sign !== '-' && sign !== '+')) break
    const on = sign === '-'
    for (const letter of word.slice(1)) {
      switch (letter) {
        case 'c':
          invocation.command = true
          break
        case 's':
          invocation.stdin = true
          break
        case 'i':
          invocation.interactive = true
          break
        case 'l':
          invocation.login = true
          break
        case 'r':
        case 'D':
          break
        case 'o': {
          const name = argv[++i]
          if (name === undefined) break
          if (!SET_OPTIONS.some(([known]) => known === name)) return `${name}: invalid option name`
          invocation.set.push([name, on])
          break
        }
        case 'O': {
          const name = argv[++i]
          if (name === undefined) break
          invocation.shopt.push([name, on])
          break
        }
        default: {
          const entry = SET_OPTIONS.find(([, flag]) => flag === letter)
          if (entry === undefined) return posix ? `0: Illegal option -${letter}` : `${sign}${letter}: invalid option`
          invocation.set.push([entry[0], on])
        }
      }
    }
  }
  invocation.rest = argv.slice(i)
  return invocation
}

/** Where commands come from. */
interface Source {
  readonly kind: ShellSetup['kind']
  readonly interactive: boolean
  readonly name0?: string
  readonly positional: readonly string[]
  /** commands given in an argument or read from a file */
  readonly text?: string
  /** the script's file */
  readonly script?: string
}

function source(proc: Process, invocation: Invocation): Source | string {
  const { rest } = invocation
  const name = encode(proc.argv[0] ?? 'bash')
  if (invocation.command) {
    const [text, name0, ...positional] = rest
    if (text === undefined) return `${name}: -c: option requires an argument`
    return {
      kind: 'command',
      interactive: invocation.interactive,
      text,
      positional,
      ...(name0 === undefined ? {} : { name0 }),
    }
  }
  if (rest.length > 0 && !invocation.stdin) {
    const [script, ...positional] = rest as [string, ...string[]]
    return { kind: 'script', interactive: invocation.interactive, script, name0: script, positional }
  }
  const interactive = invocation.interactive || (isTerminal(proc, 0) && isTerminal(proc, 2))
  return { kind: interactive ? 'interactive' : 'stdin', interactive, positional: rest }
}

function isTerminal(proc: Process, fd: number): boolean {
  try {
    return proc.isatty(fd)
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

/** Functions that a parent exported. */
async function importFunctions(shell: Shell): Promise<void> {
  for (const [name, value] of shell.proc.env) {
    const fn = /^BASH_FUNC_(.+)%%$/.exec(name)?.[1]
    const text = fn === undefined ? undefined : importedFunction(fn, value)
    if (text === undefined || fn === undefined) continue
    await shell.run(text)
    const defined = shell.functions.get(fn)
    if (defined !== undefined) shell.functions.set(fn, { ...defined, exported: true })
  }
}

function setUpInteractive(shell: Shell): void {
  shell.vars.assign('PS1', '\\s-\\v\\$ ')
  shell.vars.assign('PS2', '> ')
  shell.options.setShopt('expand_aliases', true)
  for (const name of ['history', 'histexpand', 'emacs']) shell.options.setOption(name, true)
  shell.proc.signal(Signal.SIGINT, () => {
    shell.traps.interrupted = true
  })
  for (const signal of [Signal.SIGTERM, Signal.SIGQUIT]) shell.proc.signal(signal, 'ignore')
  shell.options.setOption('monitor', true)
  startJobControl(shell)
}

/** Start-up files, bash(1) "INVOCATION". */
async function startFiles(shell: Shell, invocation: Invocation, interactive: boolean): Promise<void> {
  const home = shell.vars.get('HOME') ?? ''
  if (shell.options.has('login_shell') && !invocation.noprofile) {
    await sourceIfThere(shell, '/etc/profile')
    for (const file of shell.setup.posix === true ? ['.profile'] : ['.bash_profile', '.bash_login', '.profile']) {
      if (await sourceIfThere(shell, `${home}/${file}`)) break
    }
    return
  }
  if (shell.setup.posix === true) {
    if (interactive) {
      shell.vars.assign('PS1', shell.proc.uid === 0 ? '# ' : '$ ')
      const env = shell.vars.get('ENV')
      if (env !== undefined) await sourceIfThere(shell, env)
    }
    return
  }
  if (interactive) {
    if (invocation.norc) return
    if (invocation.rcfile !== undefined) {
      await sourceIfThere(shell, invocation.rcfile)
      return
    }
    await sourceIfThere(shell, '/etc/bash.bashrc')
    await sourceIfThere(shell, `${home}/.bashrc`)
    return
  }
  const env = shell.vars.get('BASH_ENV')
  if (env !== undefined && env !== '') await sourceIfThere(shell, env)
}

async function sourceIfThere(shell: Shell, file: string): Promise<boolean> {
  if (!shell.proc.access(decode(file), 4)) return false
  await shell.runWords(['.', file])
  return true
}

async function runSource(shell: Shell, from: Source): Promise<number> {
  switch (from.kind) {
    case 'command':
      return shell.run(from.text!, { label: '-c' })
    case 'script':
      return runScript(shell, from.script!)
    case 'interactive':
      return runInteractive(shell)
    case 'stdin':
      return runInput(shell)
  }
}

/** Runs a script file. */
async function runScript(shell: Shell, script: string): Promise<number> {
  const complain = async (message: string, status: number): Promise<number> => {
    const name = encode(shell.proc.argv[0] ?? 'bash')
    await shell.errorText(shell.setup.posix === true ? `${name}: 0: ${message}\n` : `${name}: ${message}\n`)
    return status
  }
  let path = script
  try {
    if (!script.includes('/') && !exists(shell, script)) {
      const found = (shell.vars.get('PATH') ?? '').split(':').find(dir => exists(shell, `${dir}/${script}`))
      if (found !== undefined) path = `${found}/${script}`
    }
    if ((shell.proc.stat(decode(path)).mode & S_IFMT) === S_IFDIR) return complain(`${script}: Is a directory`, 126)
    const text = await readWhole(shell, path)
    const head = text.slice(0, 80)
    if (head.split('\n')[0]!.includes('\0')) return complain(`${script}: cannot execute binary file`, 126)
    return await shell.run(text)
  } catch (error) {
    if (!isSysError(error)) throw error
    if (shell.setup.posix === true)
      return complain(
        `cannot open ${script}: ${sysMessage(error) === 'No such file or directory' ? 'No such file' : sysMessage(error)}`,
        2,
      )
    return complain(`${script}: ${sysMessage(error)}`, sysMessage(error) === 'No such file or directory' ? 127 : 126)
  }
}

function exists(shell: Shell, path: string): boolean {
  try {
    shell.proc.stat(decode(path))
    return true
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

/** Runs commands from standard input, line by line: the commands may read from it too. */
async function runInput(shell: Shell): Promise<number> {
  let text = ''
  let line = 1
  let status = 0
  for (;;) {
    const next = await readLine(shell, 0)
    const final = next === undefined
    if (next !== undefined) text += `${next}\n`
    if (final && text === '') return status
    try {
      const unit = readUnit(text, 0, {
        line,
        final,
        extglob: shell.options.extglob,
        ...(shell.options.has('expand_aliases') ? { aliases: shell.aliases } : {}),
      })
      const lines = text.split('\n').length - 1
      text = ''
      if (unit !== undefined) {
        for (const warning of unit.warnings)
          await shell.errorText(`${shell.messageName}: line ${warning.line}: ${warning.text}\n`)
        status = await shell.runUnit(unit)
      }
      line += lines
      if (final) return status
    } catch (error) {
      if (error instanceof Incomplete) continue
      if (!(error instanceof ShellSyntaxError)) throw error
      await shell.syntaxError(error, undefined, text.split('\n')[error.line - line] ?? '')
      shell.lastStatus = error.status ?? shell.lastStatus
      return shell.lastStatus
    }
  }
}

/** An interactive shell that ends takes its stopped jobs along. */
function hangUp(shell: Shell): void {
  for (const job of shell.jobs.jobs) {
    if (job.state !== 'stopped' || job.nohup || job.pgid === undefined) continue
    try {
      shell.proc.kill(-job.pgid, Signal.SIGHUP)
      shell.proc.kill(-job.pgid, Signal.SIGCONT)
    } catch (error) {
      if (!isSysError(error)) throw error
    }
  }
}
