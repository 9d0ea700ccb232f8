/** Builtins that steer what is run: loops, functions, eval, source, exec, test. */

import { decode, fromBytes } from '../../../commands/coreutils/lib/bytes.ts'
import { compareFiles, evaluateTest, fileTest, TestError } from '../../../commands/coreutils/lib/test.ts'
import { Errno, isSysError } from '../../uapi/errno.ts'
import { S_IFDIR, S_IFMT } from '../../uapi/fs.ts'
import { ExitJump, LoopJump, ReturnJump, ShellError } from '../control.ts'
import { arithmetic } from '../expand.ts'
import { sysMessage } from '../redirect.ts'
import type { Shell } from '../shell.ts'
import { execProgram, findProgram, searchPath } from '../simple.ts'
import { Attr, parsePlace } from '../variables.ts'
import { BUILTINS } from './index.ts'
import { describe } from './lookup.ts'
import { fail, integer, options, usage } from './usage.ts'

const EXIT_BAD_USAGE = 2

async function jump(sh: Shell, words: readonly string[], kind: 'break' | 'continue'): Promise<number> {
  const [name, argument] = words as [string, ...string[]]
  if (sh.loops === 0) {
    if (sh.setup.posix !== true) await fail(sh, name, "only meaningful in a `for', `while', or `until' loop")
    return 0
  }
  const count = argument === undefined ? 1 : integer(argument)
  if (count === undefined) {
    await fail(sh, name, `${argument}: numeric argument required`)
    throw new ExitJump(128)
  }
  if (words.length > 2) {
    await fail(sh, name, 'too many arguments')
    throw new LoopJump('break', sh.loops)
  }
  if (count < 1) {
    await fail(sh, name, `${argument}: loop count out of range`)
    throw new LoopJump('break', sh.loops, 1)
  }
  throw new LoopJump(kind, count)
}

/** break [n] */
export function breakCommand(sh: Shell, words: readonly string[]): Promise<number> {
  return jump(sh, words, 'break')
}

/** continue [n] */
export function continueCommand(sh: Shell, words: readonly string[]): Promise<number> {
  return jump(sh, words, 'continue')
}

/** @returns the status that an argument gives, or the last one */
async function statusArgument(sh: Shell, words: readonly string[]): Promise<number> {
  const argument = words[1] === '--' ? words[2] : words[1]
  if (argument === undefined) return sh.lastStatus
  const value = integer(argument)
  if (value === undefined) {
    await fail(sh, words[0]!, `${argument}: numeric argument required`)
    return EXIT_BAD_USAGE
  }
  return value & 0xff
}

/** return [n] */
export async function returnCommand(sh: Shell, words: readonly string[]): Promise<number> {
  const status = await statusArgument(sh, words)
  if (sh.frames.length === 0 && !sh.traps.active) {
    await fail(sh, 'return', "can only `return' from a function or sourced script")
    return sh.setup.posix === true ? status : 1
  }
  throw new ReturnJump(status)
}

/** exit [n] */
export async function exit(sh: Shell, words: readonly string[]): Promise<number> {
  if (sh.interactive && sh.level === 0) {
    await sh.errorText(sh.options.has('login_shell') ? 'logout\n' : 'exit\n')
    if (!sh.exitWarned && sh.jobs.jobs.some(job => job.state === 'stopped')) {
      sh.exitWarned = true
      await sh.errorText('There are stopped jobs.\n')
      return 1
    }
  }
  if (words.length > 2 && integer(words[1]!) !== undefined) return fail(sh, 'exit', 'too many arguments')
  throw new ExitJump(await statusArgument(sh, words))
}

/** logout [n] */
export async function logout(sh: Shell, words: readonly string[]): Promise<number> {
  if (!sh.options.has('login_shell')) return fail(sh, 'logout', "not login shell: use `exit'")
  return exit(sh, words)
}

/** eval [arg …] */
export async function evalCommand(sh: Shell, words: readonly string[]): Promise<number> {
  const args = words[1] === '--' ? words.slice(2) : words.slice(1)
  const text = args.join(' ')
  if (text.trim() === '') return 0
  sh.traceDepth++
  try {
    const { line } = sh
    return await sh.run(text, { line, label: 'eval' })
  } finally {
    sh.traceDepth--
  }
}

/** source filename [arguments] */
export async function source(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, '')
  const [file, ...args] = found.rest
  const name = words[0]!
  if (file === undefined) {
    await fail(sh, name, 'filename argument required', 2)
    return usage(sh, name)
  }
  let path = file
  if (!file.includes('/') && sh.options.has('sourcepath')) {
    const inPath = searchReadable(sh, file)
    if (inPath !== undefined) path = inPath
  }
  let text: string
  try {
    if ((sh.proc.stat(decode(path)).mode & S_IFMT) === S_IFDIR) return fail(sh, name, `${file}: is a directory`)
    text = await readWhole(sh, path)
  } catch (error) {
    if (!isSysError(error)) throw error
    if (sh.setup.posix === true) {
      await sh.report(`.: cannot open ${file}: ${error.errno === Errno.ENOENT ? 'No such file' : sysMessage(error)}`)
      throw new ExitJump(2)
    }
    await sh.report(`${file}: ${sysMessage(error)}`)
    return 1
  }
  const { positional, line, loops } = sh
  sh.traceDepth++
  try {
    return await sh.withFrame({ name: 'source', kind: 'source', source: path, callLine: line, args }, async () => {
      if (args.length > 0) sh.positional = args
      let status: number
      try {
        status = await sh.run(text)
      } catch (error) {
        if (!(error instanceof ReturnJump)) throw error
        status = error.status
      }
      sh.lastStatus = status
      await sh.traps.runReturn(sh, 'source')
      return status
    })
  } finally {
    sh.traceDepth--
    if (args.length > 0) sh.positional = positional
    sh.line = line
    sh.loops = loops
  }
}

/** Reads a file that may be a pipe, as `source <(…)` does. */
export async function readWhole(sh: Shell, path: string): Promise<string> {
  const fd = sh.proc.open(decode(path), 0)
  let text = ''
  try {
    for (;;) {
      const data = await sh.proc.read(fd, 65_536)
      if (data.length === 0) return text
      text += fromBytes(data)
    }
  } finally {
    sh.closeQuietly(fd)
  }
}

function searchReadable(sh: Shell, file: string): string | undefined {
  for (const dir of (sh.vars.get('PATH') ?? '').split(':')) {
    const path = dir === '' ? `./${file}` : `${dir.replace(/\/$/, '')}/${file}`
    try {
      if ((sh.proc.stat(decode(path)).mode & S_IFMT) !== S_IFDIR && sh.proc.access(decode(path), 4)) return path
    } catch (error) {
      if (!isSysError(error)) throw error
    }
  }
  return undefined
}

/** exec [-cl] [-a name] command [argument …]; redirections alone are done by the caller */
export async function exec(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'cla:')
  const [name] = found.rest
  if (name === undefined) return 0
  const argv0 = found.value('a') ?? name
  const inPath = name.includes('/') ? name : findProgram(sh, name, false)
  const file =
    inPath === undefined || inPath.startsWith('/')
      ? inPath
      : `${sh.pwd.replace(/\/$/, '')}/${inPath.replace(/^(?:\.\/+)+/, '')}`
  if (file === undefined) {
    await fail(sh, 'exec', `${name}: not found`, 127)
    if (!sh.interactive && !sh.options.has('execfail')) throw new ExitJump(127)
    return 127
  }
  sh.prepareExec()
  const status = await execProgram(sh, [file, ...found.rest.slice(1)], {
    argv0: found.has('l') ? `-${argv0}` : argv0,
    clean: found.has('c'),
  })
  // only a failure comes back
  if (!sh.interactive && !sh.options.has('execfail')) throw new ExitJump(status)
  return status
}

/** shift [n] */
export async function shift(sh: Shell, words: readonly string[]): Promise<number> {
  const argument = words[1]
  const count = argument === undefined ? 1 : integer(argument)
  if (count === undefined) {
    await fail(sh, 'shift', `${argument}: numeric argument required`)
    throw new ExitJump(1)
  }
  if (words.length > 2) return fail(sh, 'shift', 'too many arguments')
  if (count < 0) return fail(sh, 'shift', `${argument}: shift count out of range`)
  if (count > sh.positional.length) {
    if (sh.options.has('shift_verbose')) await fail(sh, 'shift', `${count}: shift count out of range`)
    return 1
  }
  sh.positional = sh.positional.slice(count)
  return 0
}

/** let arg [arg …] */
export async function letCommand(sh: Shell, words: readonly string[]): Promise<number> {
  const args = words[1] === '--' ? words.slice(2) : words.slice(1)
  if (args.length === 0) return fail(sh, 'let', 'expression expected')
  let value = 0n
  try {
    for (const arg of args) value = await arithmetic(sh, arg)
  } catch (error) {
    if (error instanceof ShellError && error.severity === 'line') {
      if (error.whole) throw new ShellError(error.message, 1, 'command')
      return fail(sh, 'let', error.message)
    }
    throw error
  }
  return value !== 0n ? 0 : 1
}

/** command [-pVv] command [arg …] */
export async function command(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, 'pvV')
  const { rest } = found
  if (rest.length === 0) return 0
  if (found.has('v') || found.has('V')) {
    let status = 1
    for (const name of rest) {
      const text = describe(sh, name, found.has('V') ? 'long' : 'command', false)
      if (text.length > 0) {
        status = 0
        await sh.write(1, `${text[0]}\n`)
      } else if (found.has('V')) await fail(sh, 'command', `${name}: not found`)
    }
    return status
  }
  const [name] = rest
  const builtin = BUILTINS.get(name!)
  if (builtin !== undefined && !sh.disabledBuiltins.has(name!)) {
    if (name === 'exec' || name === 'exit') return builtin.run(sh, rest, undefined)
    return builtin.run(sh, rest, undefined)
  }
  return sh.runExternal(
    rest,
    found.has('p')
      ? searchPath(sh, name!, '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')[0]
      : undefined,
  )
}

/** builtin [shell-builtin [arg …]] */
export async function builtin(sh: Shell, words: readonly string[]): Promise<number> {
  const found = await options(sh, words, '')
  const { rest } = found
  if (rest.length === 0) return 0
  const target = BUILTINS.get(rest[0]!)
  if (target === undefined) return fail(sh, 'builtin', `${rest[0]}: not a shell builtin`)
  return target.run(sh, rest, undefined)
}

/** test and [ */
export async function test(sh: Shell, words: readonly string[]): Promise<number> {
  const name = words[0]!
  let args = words.slice(1)
  if (name === '[') {
    if (args[args.length - 1] !== ']') return fail(sh, name, "missing `]'", 2)
    args = args.slice(0, -1)
  }
  try {
    const value = evaluateTest(args, {
      unaries: 'abcdefghknoprstuvwxzGLNORS',
      unary: (operator, operand) => testUnary(sh, operator, operand),
      files: (left, operator, right) => compareFiles(sh.proc, decode(left), operator, decode(right)),
      integer: text => {
        if (!/^[ \t\n\v\f\r]*[+-]?\d+[ \t\n\v\f\r]*$/.test(text)) {
          throw new TestError(
            sh.setup.posix === true ? `Illegal number: ${text}` : `${text}: integer expression expected`,
          )
        }
        return BigInt(text.trim().replace(/^\+/, ''))
      },
      binaryExpected: word =>
        sh.setup.posix === true ? `${word}: unexpected operator` : `${word}: binary operator expected`,
      unaryExpected: word =>
        sh.setup.posix === true ? `${word}: unexpected operator` : `${word}: unary operator expected`,
      argumentExpected: () => 'argument expected',
      extra: word => (/^-/.test(word) ? `syntax error: \`${word}' unexpected` : 'too many arguments'),
      closeExpected: found => (found === undefined ? "`)' expected" : `\`)' expected, found ${found}`),
    })
    return value ? 0 : 1
  } catch (error) {
    if (!(error instanceof TestError)) throw error
    return fail(sh, name, error.message, 2)
  }
}

function testUnary(sh: Shell, operator: string, operand: string): boolean {
  switch (operator) {
    case '-n':
      return operand !== ''
    case '-z':
      return operand === ''
    case '-o':
      return sh.options.on(operand)
    case '-v': {
      if (/^\d+$/.test(operand)) return Number(operand) === 0 || sh.positional[Number(operand) - 1] !== undefined
      const place = parsePlace(operand)
      if (place === undefined) return false
      if (place.subscript === '@' || place.subscript === '*') return sh.vars.isSet(place.name, true)
      return sh.vars.at(place) !== undefined
    }
    case '-R': {
      const variable = sh.vars.lookup(operand)
      return variable !== undefined && (variable.attrs & Attr.Nameref) !== 0 && variable.value !== undefined
    }
    case '-t':
      if (!/^\s*-?\d+\s*$/.test(operand)) throw new TestError(`${operand}: integer expression expected`)
      return fileTest(sh.proc, operator, operand)
    default:
      return fileTest(sh.proc, operator, decode(operand))
  }
}
