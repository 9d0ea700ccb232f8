/** The builtin commands: a new one is a function in one of these files and a line here. */
import type { Shell } from '../shell.ts'
import type { SimpleNode } from '../syntax.ts'
import { compgen, complete, compopt } from './completion.ts'
import { declare, exportCommand, local, readonly, unset } from './declare.ts'
import { cd, dirs, popd, pushd, pwd } from './directory.ts'
import {
  breakCommand,
  builtin,
  command,
  continueCommand,
  evalCommand,
  exec,
  exit,
  letCommand,
  logout,
  returnCommand,
  shift,
  source,
  test,
} from './flow.ts'
import { bg, disown, fg, jobs, kill, suspend, wait } from './jobs.ts'
import { alias, hash, type as typeCommand, unalias } from './lookup.ts'
import { bind, caller, enable, fc, help, history, times, trap } from './misc.ts'
import { getopts, set, shopt, ulimit, umask } from './options.ts'
import { echo, printf } from './output.ts'
import { mapfile, read } from './read.ts'
import { UsageError } from './usage.ts'

/** A builtin command. */
export interface Builtin {
  /** @param words the name and the arguments  @param arrays array assignments among them, by index of the argument */
  readonly run: (sh: Shell, words: readonly string[], arrays: SimpleNode['declared']) => Promise<number>
  /** POSIX's special builtins are found before functions in sh */
  readonly special?: boolean
}

type Run = (sh: Shell, words: readonly string[], arrays: SimpleNode['declared']) => Promise<number> | number

function entry(name: string, run: Run, special = false): [string, Builtin] {
  const guarded: Builtin['run'] = async (sh, words, arrays) => {
    try {
      return await run(sh, words, arrays)
    } catch (error) {
      if (error instanceof UsageError) return error.status
      throw error
    }
  }
  return [name, special ? { run: guarded, special } : { run: guarded }]
}

/** Builtins by name, in alphabetical order. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map([
  entry('.', source, true),
  entry(':', () => 0, true),
  entry('[', test),
  entry('alias', alias),
  entry('bg', bg),
  entry('bind', bind),
  entry('break', breakCommand, true),
  entry('builtin', builtin),
  entry('caller', caller),
  entry('cd', cd),
  entry('command', command),
  entry('compgen', compgen),
  entry('complete', complete),
  entry('compopt', compopt),
  entry('continue', continueCommand, true),
  entry('declare', declare),
  entry('dirs', dirs),
  entry('disown', disown),
  entry('echo', echo),
  entry('enable', enable),
  entry('eval', evalCommand, true),
  entry('exec', exec, true),
  entry('exit', exit, true),
  entry('export', exportCommand, true),
  entry('false', () => 1),
  entry('fc', fc),
  entry('fg', fg),
  entry('getopts', getopts),
  entry('hash', hash),
  entry('help', help),
  entry('history', history),
  entry('jobs', jobs),
  entry('kill', kill),
  entry('let', letCommand),
  entry('local', local),
  entry('logout', logout),
  entry('mapfile', mapfile),
  entry('popd', popd),
  entry('printf', printf),
  entry('pushd', pushd),
  entry('pwd', pwd),
  entry('read', read),
  entry('readarray', mapfile),
  entry('readonly', readonly, true),
  entry('return', returnCommand, true),
  entry('set', set, true),
  entry('shift', shift, true),
  entry('shopt', shopt),
  entry('source', source),
  entry('suspend', suspend),
  entry('test', test),
  entry('times', times, true),
  entry('trap', trap, true),
  entry('true', () => 0),
  entry('type', typeCommand),
  entry('typeset', declare),
  entry('ulimit', ulimit),
  entry('umask', umask),
  entry('unalias', unalias),
  entry('unset', unset, true),
  entry('wait', wait),
])
