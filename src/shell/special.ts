/** The variables that the shell sets itself, bash(1) "Shell Variables". */

import { decode, encode } from '../../commands/coreutils/lib/bytes.ts'
import { isSysError } from '../uapi/errno.ts'
import type { Shell } from './shell.ts'
import { Attr, isIdentifier } from './variables.ts'

const VERSION = '5.2.15(1)-release'
const MACHTYPE = 'x86_64-pc-linux-gnu'
const DEFAULT_PATH = '/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin:.'

/** Takes over the environment and sets the variables a new shell begins with. */
export function importEnvironment(sh: Shell): void {
  const { proc, vars } = sh
  for (const [name, value] of proc.env) {
    if (!isIdentifier(name)) continue
    vars.assign(name, encode(value))
    vars.setAttributes(name, Attr.Export, 0)
  }
  const initial = (name: string, value: string, attrs = 0): void => {
    vars.assign(name, value)
    if (attrs !== 0) vars.setAttributes(name, attrs, 0)
  }
  const preset = (name: string, value: string, attrs = 0): void => {
    if (vars.lookup(name) === undefined) initial(name, value, attrs)
  }
  initial('BASH', '/usr/bin/bash')
  initial('BASH_VERSION', VERSION)
  vars.assign('BASH_VERSINFO', ['5', '2', '15', '1', 'release', MACHTYPE])
  vars.setAttributes('BASH_VERSINFO', Attr.Readonly, 0)
  initial('EUID', String(proc.uid), Attr.Integer | Attr.Readonly)
  initial('UID', String(proc.uid), Attr.Integer | Attr.Readonly)
  initial('PPID', String(proc.ppid), Attr.Integer | Attr.Readonly)
  vars.assign('GROUPS', [String(proc.gid)])
  preset('HOSTNAME', encode(proc.gethostname()))
  preset('HOSTTYPE', 'x86_64')
  preset('MACHTYPE', MACHTYPE)
  preset('OSTYPE', 'linux-gnu')
  initial('IFS', ' \t\n')
  initial('OPTERR', '1')
  initial('OPTIND', '1', Attr.Integer)
  preset('PATH', DEFAULT_PATH)
  preset('TERM', 'dumb')
  preset('SHELL', encode(sh.passwd().find(entry => entry[2] === String(proc.uid))?.[6] ?? '/bin/bash'))
  initial('PS4', vars.get('PS4') ?? '+ ')
  const level = Number(vars.get('SHLVL') ?? '0')
  initial('SHLVL', String(Number.isInteger(level) && level >= 0 && level < 999 ? level + 1 : 1), Attr.Export)
  sh.pwd = startDirectory(sh)
  initial('PWD', sh.pwd, Attr.Export)
  if (vars.lookup('OLDPWD') === undefined) vars.setAttributes('OLDPWD', Attr.Export, 0)
  vars.assign('PIPESTATUS', ['0'])
  initial('_', vars.get('_') ?? encode(proc.argv[0] ?? 'bash'))
  initial('COMP_WORDBREAKS', ' \t\n"\'@><=;|&(:')
}

/** $PWD is believed where it leads to the working directory. */
function startDirectory(sh: Shell): string {
  const { proc, vars } = sh
  const inherited = vars.get('PWD')
  if (inherited?.startsWith('/') === true && !/(?:^|\/)\.\.?(?:\/|$)/.test(inherited)) {
    try {
      const there = proc.stat(decode(inherited))
      const here = proc.stat('.')
      if (there.ino === here.ino && there.dev === here.dev) return inherited
    } catch (error) {
      if (!isSysError(error)) throw error
    }
  }
  return encode(proc.cwd)
}

/** Defines the variables whose values are made when they are read. */
export function defineSpecials(sh: Shell, parent: Shell | undefined): void {
  const { vars } = sh
  /** what was unset, or never had its special meaning, stays ordinary in a copy */
  const define = (
    name: string,
    get: () => string | string[] | Map<string, string> | undefined,
    set?: (value: string) => void,
    attrs = 0,
  ): void => {
    if (parent !== undefined && parent.vars.lookup(name)?.dynamic === undefined) return
    vars.define(name, set === undefined ? { get } : { get, set }, attrs)
  }
  define(
    'RANDOM',
    () => String(random(sh)),
    value => {
      sh.randomSeed = Number(BigInt.asUintN(32, sh.evaluate(value)))
      sh.lastRandom = 0
    },
    Attr.Integer,
  )
  define(
    'SRANDOM',
    () => String((random(sh) * 131072 + random(sh) * 8 + (random(sh) & 7)) >>> 0),
    undefined,
    Attr.Integer,
  )
  define(
    'SECONDS',
    () => String(Math.floor((sh.proc.monotonic() - sh.secondsStart) / 1e9)),
    value => {
      sh.secondsStart = sh.proc.monotonic() - Number(value) * 1e9
    },
    Attr.Integer,
  )
  define('EPOCHSECONDS', () => String(Math.floor(sh.proc.realtime() / 1e9)))
  define('EPOCHREALTIME', () => {
    const us = Math.floor(sh.proc.realtime() / 1000)
    return `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`
  })
  define('LINENO', () => String(sh.line))
  define('BASHPID', () => String(sh.proc.pid), undefined, Attr.Integer)
  define('BASH_COMMAND', () => sh.commandText)
  define('BASH_SUBSHELL', () => String(sh.level))
  define(
    'BASH_ARGV0',
    () => sh.name0,
    value => {
      sh.name0 = value
    },
  )
  define(
    'FUNCNAME',
    () => (sh.frames.some(frame => frame.kind === 'function') ? frameList(sh, frame => frame.name, 'main') : undefined),
    () => {},
    Attr.Array,
  )
  define(
    'BASH_SOURCE',
    () => sources(sh),
    () => {},
    Attr.Array,
  )
  define(
    'BASH_LINENO',
    () => frameList(sh, frame => String(frame.callLine), '0'),
    () => {},
    Attr.Array,
  )
  define(
    'BASH_ARGC',
    () => argumentLists(sh).map(list => String(list.length)),
    () => {},
    Attr.Array,
  )
  define(
    'BASH_ARGV',
    () => argumentLists(sh).flatMap(list => [...list].reverse()),
    () => {},
    Attr.Array,
  )
  define(
    'BASH_ALIASES',
    () => sh.aliases,
    () => {},
    Attr.Assoc,
  )
  define(
    'BASH_CMDS',
    () => new Map([...sh.hash].map(([name, entry]) => [name, entry.path])),
    () => {},
    Attr.Assoc,
  )
  define(
    'DIRSTACK',
    () => [sh.pwd, ...sh.dirStack],
    () => {},
    Attr.Array,
  )
  define('HISTCMD', () => String(sh.history.length), undefined, Attr.Integer)
  define('SHELLOPTS', () => sh.options.shellopts, undefined, Attr.Readonly)
  define('BASHOPTS', () => sh.options.bashopts, undefined, Attr.Readonly)
  define(
    '_',
    () => sh.lastArgument,
    value => {
      sh.lastArgument = value
    },
  )
}

function frameList(sh: Shell, value: (frame: Shell['frames'][number]) => string, bottom: string): string[] {
  const list = sh.frames.map(value).reverse()
  if (sh.setup.kind === 'script') list.push(bottom)
  return list
}

/** Arguments of the running functions, the innermost first, and of the script. */
function argumentLists(sh: Shell): (readonly string[])[] {
  if (!sh.options.has('extdebug')) return sh.setup.kind === 'script' ? [sh.setup.positional ?? []] : []
  return [...sh.frames.map(frame => frame.args).reverse(), sh.setup.positional ?? []]
}

function sources(sh: Shell): string[] {
  const list = sh.frames.map(frame => frame.source).reverse()
  if (sh.setup.kind === 'script') list.push(sh.setup.messageName ?? sh.name0)
  return list
}

/** The generator of Park and Miller, mixed as bash 5.1 and later do; a number never follows itself. */
function random(sh: Shell): number {
  for (;;) {
    const last = sh.randomSeed === 0 ? 123459876 : sh.randomSeed
    const high = Math.trunc((last | 0) / 127773)
    const low = (last | 0) - 127773 * high
    const next = 16807 * low - 2836 * high
    sh.randomSeed = (next < 0 ? next + 0x7fffffff : next) >>> 0
    const value = ((sh.randomSeed >>> 16) ^ (sh.randomSeed & 0xffff)) & 0x7fff
    if (value === sh.lastRandom) continue
    sh.lastRandom = value
    return value
  }
}
