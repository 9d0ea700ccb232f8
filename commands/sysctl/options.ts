/** The command line of sysctl(8): options in getopt's manner, then variables or files. */

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

const LONG: Readonly<Record<string, { short: string; argument?: 'required' | 'optional' }>> = {
  all: { short: 'a' },
  deprecated: { short: 'deprecated' },
  'dry-run': { short: 'dry-run' },
  binary: { short: 'b' },
  ignore: { short: 'e' },
  names: { short: 'N' },
  values: { short: 'n' },
  load: { short: 'p', argument: 'optional' },
  quiet: { short: 'q' },
  write: { short: 'w' },
  system: { short: 'system' },
  pattern: { short: 'r', argument: 'required' },
  help: { short: 'h' },
  version: { short: 'V' },
}

const SHORT = 'bneNwfp:qoxaAXr:Vdh'

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
  const rest = [...argv]
  let exit: SysctlExit | undefined
  const take = (option: string, argument: string | undefined): void => {
    switch (option) {
      case 'N':
        o.nameOnly = true
        break
      case 'n':
        o.printName = false
        break
      case 'e':
        o.ignoreError = true
        break
      case 'b':
        o.printName = false
        o.printNewline = false
        break
      case 'w':
        o.write = true
        break
      case 'p':
      case 'f':
        o.load = true
        if (argument !== undefined) o.loadFile = argument
        break
      case 'q':
        o.quiet = true
        break
      case 'a':
      case 'A':
      case 'X':
        o.all = true
        break
      case 'r':
        o.pattern = argument
        break
      case 'deprecated':
        o.deprecated = true
        break
      case 'dry-run':
        o.dryRun = true
        break
      case 'system':
        o.system = true
        break
      case 'd':
      case 'h':
        exit ??= { kind: 'help' }
        break
      case 'V':
        exit ??= { kind: 'version' }
        break
      default: // -o and -x do nothing
    }
  }
  while (rest.length > 0 && exit === undefined) {
    const word = rest.shift()!
    if (word === '--') {
      o.args.push(...rest)
      break
    }
    if (word.startsWith('--')) exit = takeLong(word.slice(2), rest, take)
    else if (word.length > 1 && word.startsWith('-')) exit = takeShort(word.slice(1), rest, take) ?? exit
    else o.args.push(word)
  }
  return exit ?? o
}

function takeLong(
  word: string,
  rest: string[],
  take: (option: string, argument: string | undefined) => void,
): SysctlExit | undefined {
  const [name = '', ...value] = word.split('=')
  const matches = Object.keys(LONG).filter(long => long === name || long.startsWith(name))
  const found = matches.includes(name) ? name : matches.length === 1 ? matches[0] : undefined
  if (found === undefined) {
    if (matches.length > 1)
      return {
        kind: 'misuse',
        message: `option '--${name}' is ambiguous; possibilities:${matches.map(match => ` '--${match}'`).join('')}`,
      }
    return { kind: 'misuse', message: `unrecognized option '--${word}'` }
  }
  const { short, argument } = LONG[found]!
  let text = value.length > 0 ? value.join('=') : undefined
  if (argument === undefined && text !== undefined)
    return { kind: 'misuse', message: `option '--${found}' doesn't allow an argument` }
  if (argument === 'required' && text === undefined) {
    text = rest.shift()
    if (text === undefined) return { kind: 'misuse', message: `option '--${found}' requires an argument` }
  }
  if (short === 'h') return { kind: 'help' }
  if (short === 'V') return { kind: 'version' }
  take(short, text)
  return undefined
}

function takeShort(
  letters: string,
  rest: string[],
  take: (option: string, argument: string | undefined) => void,
): SysctlExit | undefined {
  for (let i = 0; i < letters.length; i++) {
    const letter = letters[i]!
    if (letter === ':' || !SHORT.includes(letter)) return { kind: 'misuse', message: `invalid option -- '${letter}'` }
    if (letter === 'h' || letter === 'd') return { kind: 'help' }
    if (letter === 'V') return { kind: 'version' }
    if (letter === 'r') {
      const argument = letters.slice(i + 1) || rest.shift()
      if (argument === undefined) return { kind: 'misuse', message: "option requires an argument -- 'r'" }
      take('r', argument)
      return undefined
    }
    take(letter, undefined)
  }
  return undefined
}
