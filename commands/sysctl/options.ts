/** The command line of sysctl(8). */
import { Getopt, type Option } from '../lib/getopt.ts'

/** What the command line asks for. */
export interface SysctlOptions {
  all: boolean
  deprecated: boolean
  dryRun: boolean
  ignoreError: boolean
  /** print names with values, without names, or names alone */
  printName: boolean
  printNewline: boolean
  nameOnly: boolean
  quiet: boolean
  write: boolean
  load: boolean
  /** the argument of --load=FILE */
  loadFile: string | undefined
  system: boolean
  pattern: string | undefined
  args: string[]
}

/** A command line that ends at once: help, version, or a mistake with its message. */
export type SysctlExit = { kind: 'help' } | { kind: 'version' } | { kind: 'misuse'; message: string }

type Key =
  | 'binary'
  | 'all'
  | 'deprecated'
  | 'dryRun'
  | 'ignore'
  | 'names'
  | 'values'
  | 'load'
  | 'nothing'
  | 'pattern'
  | 'quiet'
  | 'system'
  | 'write'
  | 'help'
  | 'version'

const OPTIONS: readonly Option<Key>[] = [
  { key: 'all', short: 'a', long: 'all' },
  { key: 'all', short: 'A' },
  { key: 'all', short: 'X' },
  { key: 'deprecated', long: 'deprecated' },
  { key: 'dryRun', long: 'dry-run' },
  { key: 'binary', short: 'b', long: 'binary' },
  { key: 'ignore', short: 'e', long: 'ignore' },
  { key: 'names', short: 'N', long: 'names' },
  { key: 'values', short: 'n', long: 'values' },
  { key: 'load', long: 'load', arg: 'optional' },
  { key: 'load', short: 'p', arg: 'optional' },
  { key: 'load', short: 'f' },
  { key: 'pattern', short: 'r', long: 'pattern', arg: 'required' },
  { key: 'quiet', short: 'q', long: 'quiet' },
  { key: 'system', long: 'system' },
  { key: 'write', short: 'w', long: 'write' },
  { key: 'nothing', short: 'o' },
  { key: 'nothing', short: 'x' },
  { key: 'help', short: 'h', long: 'help' },
  { key: 'help', short: 'd' },
  { key: 'version', short: 'V', long: 'version' },
]

/** @returns the options, or how the program ends without doing anything */
export function parseOptions(argv: readonly string[]): SysctlOptions | SysctlExit {
  const o: SysctlOptions = {
    all: false,
    deprecated: false,
    dryRun: false,
    ignoreError: false,
    printName: true,
    printNewline: true,
    nameOnly: false,
    quiet: false,
    write: false,
    load: false,
    loadFile: undefined,
    system: false,
    pattern: undefined,
    args: [],
  }
  const act: Readonly<Record<Exclude<Key, 'help' | 'version'>, (value: string | undefined) => void>> = {
    all: () => {
      o.all = true
    },
    deprecated: () => {
      o.deprecated = true
    },
    dryRun: () => {
      o.dryRun = true
    },
    binary: () => {
      o.printName = false
      o.printNewline = false
    },
    ignore: () => {
      o.ignoreError = true
    },
    names: () => {
      o.nameOnly = true
    },
    values: () => {
      o.printName = false
    },
    load: value => {
      o.load = true
      o.loadFile ??= value
    },
    pattern: value => {
      o.pattern = value
    },
    quiet: () => {
      o.quiet = true
    },
    system: () => {
      o.system = true
    },
    write: () => {
      o.write = true
    },
    nothing: () => {},
  }
  const getopt = new Getopt(argv, OPTIONS)
  for (let found = getopt.next(); found !== undefined; found = getopt.next()) {
    if (found.error !== undefined) return { kind: 'misuse', message: found.error }
    if (found.key === 'help' || found.key === 'version') return { kind: found.key }
    act[found.key](found.value)
  }
  o.args = getopt.operands
  return o
}
