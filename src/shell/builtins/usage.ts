/** Synopses of the builtins, and the reading of their options. */
import { ShellError } from '../control.ts'
import type { Shell } from '../shell.ts'

/** Synopsis by name. */
export const SYNOPSES: Readonly<Record<string, string>> = {
  '.': '. filename [arguments]',
  ':': ':',
  '[': '[ arg... ]',
  alias: 'alias [-p] [name[=value] ... ]',
  bg: 'bg [job_spec ...]',
  break: 'break [n]',
  builtin: 'builtin [shell-builtin [arg ...]]',
  caller: 'caller [expr]',
  cd: 'cd [-L|[-P [-e]] [-@]] [dir]',
  command: 'command [-pVv] command [arg ...]',
  compgen:
    'compgen [-abcdefgjksuv] [-o option] [-A action] [-G globpat] [-W wordlist] [-F function] [-C command] [-X filterpat] [-P prefix] [-S suffix] [word]',
  complete:
    'complete [-abcdefgjksuv] [-pr] [-DEI] [-o option] [-A action] [-G globpat] [-W wordlist] [-F function] [-C command] [-X filterpat] [-P prefix] [-S suffix] [name ...]',
  continue: 'continue [n]',
  declare: 'declare [-aAfFgiIlnrtux] [name[=value] ...] or declare -p [-aAfFilnrtux] [name ...]',
  dirs: 'dirs [-clpv] [+N] [-N]',
  disown: 'disown [-h] [-ar] [jobspec ... | pid ...]',
  echo: 'echo [-neE] [arg ...]',
  enable: 'enable [-a] [-dnps] [-f filename] [name ...]',
  eval: 'eval [arg ...]',
  exec: 'exec [-cl] [-a name] [command [argument ...]] [redirection ...]',
  exit: 'exit [n]',
  export: 'export [-fn] [name[=value] ...] or export -p',
  false: 'false',
  fc: 'fc [-e ename] [-lnr] [first] [last] or fc -s [pat=rep] [command]',
  fg: 'fg [job_spec]',
  getopts: 'getopts optstring name [arg ...]',
  hash: 'hash [-lr] [-p pathname] [-dt] [name ...]',
  help: 'help [-dms] [pattern ...]',
  history: 'history [-c] [-d offset] [n] or history -anrw [filename] or history -ps arg [arg...]',
  jobs: 'jobs [-lnprs] [jobspec ...] or jobs -x command [args]',
  kill: 'kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]',
  let: 'let arg [arg ...]',
  local: 'local [option] name[=value] ...',
  logout: 'logout [n]',
  mapfile: 'mapfile [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array]',
  popd: 'popd [-n] [+N | -N]',
  printf: 'printf [-v var] format [arguments]',
  pushd: 'pushd [-n] [+N | -N | dir]',
  pwd: 'pwd [-LP]',
  read: 'read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-p prompt] [-t timeout] [-u fd] [name ...]',
  readarray: 'readarray [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C callback] [-c quantum] [array]',
  readonly: 'readonly [-aAf] [name[=value] ...] or readonly -p',
  return: 'return [n]',
  set: 'set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]',
  shift: 'shift [n]',
  shopt: 'shopt [-pqsu] [-o] [optname ...]',
  source: 'source filename [arguments]',
  suspend: 'suspend [-f]',
  test: 'test [expr]',
  times: 'times',
  trap: 'trap [-lp] [[arg] signal_spec ...]',
  true: 'true',
  type: 'type [-afptP] name [name ...]',
  typeset: 'typeset [-aAfFgiIlnrtux] name[=value] ... or typeset -p [-aAfFilnrtux] [name ...]',
  ulimit: 'ulimit [-SHabcdefiklmnpqrstuvxPRT] [limit]',
  umask: 'umask [-p] [-S] [mode]',
  unalias: 'unalias [-a] name [name ...]',
  unset: 'unset [-f] [-v] [-n] [name ...]',
  wait: 'wait [-fn] [-p var] [id ...]',
}

/** A mistake in a builtin's use, told already. */
export class UsageError extends Error {
  readonly status: number
  constructor(status: number) {
    super('usage')
    this.status = status
  }
}

/** Prints a builtin's synopsis. @returns 2 */
export async function usage(sh: Shell, name: string): Promise<number> {
  await sh.errorText(`${name}: usage: ${SYNOPSES[name] ?? name}\n`)
  return 2
}

/** Options found: letter to value (true for those without one), in order, and the words after them. */
export interface ParsedOptions {
  readonly options: readonly { readonly letter: string; readonly value: string | undefined; readonly plus: boolean }[]
  readonly rest: string[]
  has(letter: string): boolean
  value(letter: string): string | undefined
}

/**
 * Reads a builtin's options as bash does.
 * @param spec letters; one that takes a value has a colon after it  @param plus whether +x is an option too
 * @throws UsageError after telling of a mistake
 */
export async function options(sh: Shell, words: readonly string[], spec: string, plus = false): Promise<ParsedOptions> {
  const name = words[0]!
  const found: { letter: string; value: string | undefined; plus: boolean }[] = []
  let i = 1
  for (; i < words.length; i++) {
    const word = words[i]!
    if (word === '--') {
      i++
      break
    }
    const sign = word[0]
    if (word.length < 2 || !(sign === '-' || (plus && sign === '+'))) break
    for (let k = 1; k < word.length; k++) {
      const letter = word[k]!
      const at = letter === ':' ? -1 : spec.indexOf(letter)
      if (at < 0) {
        await sh.report(`${name}: ${sign}${letter}: invalid option`)
        await usage(sh, name)
        throw new UsageError(2)
      }
      if (spec[at + 1] === ':') {
        let value: string | undefined = word.slice(k + 1)
        if (value === '') value = words[++i]
        if (value === undefined) {
          await sh.report(`${name}: -${letter}: option requires an argument`)
          await usage(sh, name)
          throw new UsageError(2)
        }
        found.push({ letter, value, plus: sign === '+' })
        break
      }
      found.push({ letter, value: undefined, plus: sign === '+' })
    }
  }
  return {
    options: found,
    rest: words.slice(i),
    has: letter => found.some(option => option.letter === letter && !option.plus),
    value: letter => found.findLast(option => option.letter === letter)?.value,
  }
}

/** An error of a builtin: told, and its status. */
export async function fail(sh: Shell, name: string, message: string, status = 1): Promise<number> {
  await sh.report(`${name}: ${message}`)
  return status
}

/** @returns the number a text is, or undefined */
export function integer(text: string): number | undefined {
  return /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : undefined
}

/** Throws the error of a builtin, which is told with its name before it. */
export function refuse(message: string, status = 1): never {
  throw new ShellError(message, status, 'command')
}
