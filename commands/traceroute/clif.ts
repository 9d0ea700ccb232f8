/**
 * The command line as traceroute's own library reads it: short options that may be joined with their argument, long
 * ones with `=`, keywords, and help that is made of the same tables. All it says goes to standard error.
 */

/** An option; `handle` returns false where it cannot take its argument. */
export interface ClifOption<T> {
  readonly short?: string
  readonly long?: string
  /** name of its argument; absent: it takes none */
  readonly arg?: string
  /** `%s` stands for the argument's name */
  readonly help: string
  readonly handle: (state: T, arg: string) => boolean | Promise<boolean>
  /** not shown in the line of usage */
  readonly extra?: boolean
  /** the program ends after it */
  readonly exit?: boolean
  /** the long name may be abbreviated */
  readonly abbrev?: boolean
  /** its argument is a list, separated by commas or blanks */
  readonly several?: boolean
  /** the long name comes after one dash */
  readonly oneDash?: boolean
  /** only one of these may be given */
  readonly exclusive?: boolean
}

/** An argument that is no option. */
export interface ClifArgument<T> {
  readonly name: string
  readonly help: string
  readonly strict?: boolean
  readonly handle: (state: T, arg: string) => boolean | Promise<boolean>
}

/** Shortest abbreviation of a long name. */
const MIN_ABBREV = 2
const OPTION_COLUMN = 30
const ARGUMENT_COLUMN = 20
const SCREEN = 80

/** What reading a command line came to: all well, the program is to end well, or it is to end in failure. */
export type ClifResult = 'go on' | 'exit' | 'failed'

/** A command line with its tables. */
export class Clif<T> {
  private readonly argv: readonly string[]
  private readonly options: readonly ClifOption<T>[]
  private readonly args: readonly ClifArgument<T>[] | undefined
  /** long names come without dashes */
  private readonly keywords: boolean
  private readonly report: (line: string) => void

  /** @param report takes a complaint, without its newline */
  constructor(
    argv: readonly string[],
    options: readonly ClifOption<T>[],
    args: readonly ClifArgument<T>[] | undefined,
    keywords: boolean,
    report: (line: string) => void,
  ) {
    this.argv = argv
    this.options = options
    this.args = args
    this.keywords = keywords
    this.report = report
  }

  private showShort(option: ClifOption<T>, withArg: boolean): string {
    const arg = withArg && option.arg !== undefined ? ` ${option.arg}${option.several === true ? ',...' : ''}` : ''
    return `-${option.short}${arg}`
  }

  private showLong(option: ClifOption<T>, withArg: boolean): string {
    const dashes = this.keywords ? '' : option.oneDash === true ? '-' : '--'
    const arg = withArg && option.arg !== undefined ? `=${option.arg}${option.several === true ? ',...' : ''}` : ''
    return `${dashes}${option.long}${arg}`
  }

  private show(option: ClifOption<T>, letter: boolean, withArg: boolean): string {
    return letter ? this.showShort(option, withArg) : this.showLong(option, withArg)
  }

  private fail(line: string): 'failed' {
    this.report(line)
    return 'failed'
  }

  private findLong(word: string, oneDash: boolean): { option: ClifOption<T>; arg: string | undefined } | undefined {
    const equals = word.indexOf('=')
    let abbreviated: ClifOption<T> | undefined
    let count = 0
    for (const option of this.options) {
      if (option.long === undefined || (option.oneDash === true) !== oneDash) continue
      const name = equals >= 0 && option.arg !== undefined ? word.slice(0, equals) : word
      if (option.long === name) return { option, arg: name === word ? undefined : word.slice(equals + 1) }
      if (option.abbrev === true && name.length >= MIN_ABBREV && option.long.startsWith(name)) {
        abbreviated = option
        count++
      }
    }
    if (abbreviated === undefined || count > 1) return undefined
    return {
      option: abbreviated,
      arg: equals >= 0 && abbreviated.arg !== undefined ? word.slice(equals + 1) : undefined,
    }
  }

  /** Reads the command line into `state`. */
  async parse(state: T): Promise<ClifResult> {
    const { argv } = this
    const positions: number[] = []
    let options = true
    let exclusive = false
    const call = async (option: ClifOption<T>, letter: boolean, arg: string, at: number): Promise<ClifResult> => {
      if (option.exclusive === true && exclusive) return this.fail(this.exclusiveComplaint(option, letter, at))
      exclusive ||= option.exclusive === true
      const list = option.several === true && option.arg !== undefined
      const words = list ? arg.split(/[ \t,]+/).filter(word => word !== '') : [arg]
      for (const word of words)
        if (!(await option.handle(state, word))) {
          const kind = this.keywords && !letter ? 'keyword' : 'option'
          const tail = option.arg === undefined ? '' : ` with arg \`${arg}'`
          return this.fail(`Cannot handle \`${this.show(option, letter, false)}' ${kind}${tail} (argc ${at})`)
        }
      return option.exit === true ? 'exit' : 'go on'
    }
    for (let i = 1; i < argv.length; i++) {
      const word = argv[i]!
      let found: { option: ClifOption<T>; arg: string | undefined } | undefined
      if (options && this.keywords) {
        found = this.findLong(word, false)
        if (found === undefined) return this.fail(`\`${word}' (argc ${i}): arguments are not allowed`)
      } else if (options && word.startsWith('--') && word[2] !== '-') {
        if (word === '--') {
          options = false
          continue
        }
        found = this.findLong(word.slice(2), false)
        if (found === undefined) return this.fail(badOption(word, i))
      } else if (options && word.startsWith('-') && word.length > 1 && !word.startsWith('--'))
        found = this.findLong(word.slice(1), true)
      else {
        positions.push(i)
        continue
      }
      if (found !== undefined) {
        const { option, arg } = found
        if (option.arg !== undefined && arg === undefined) return this.fail(this.missing(option, false, i))
        const result = await call(option, false, arg ?? '', i)
        if (result !== 'go on') return result
        continue
      }
      for (let at = 1; at < word.length; at++) {
        const option = this.options.find(candidate => candidate.short === word[at])
        if (option === undefined) return this.fail(`Bad option \`-${word[at]}' (argc ${i})`)
        let arg: string | undefined
        if (option.arg !== undefined) {
          if (at === word.length - 1) arg = argv[i + 1]
          else if (at === 1) arg = word.slice(2)
          if (arg === undefined) return this.fail(this.missing(option, true, i))
          if (at === word.length - 1) i++
        }
        const result = await call(option, true, arg ?? '', i)
        if (result !== 'go on') return result
        if (arg !== undefined) break
      }
    }
    return this.handleArguments(state, positions)
  }

  private missing(option: ClifOption<T>, letter: boolean, at: number): string {
    const kind = this.keywords && !letter ? 'Keyword' : 'Option'
    const [name, full] = [this.show(option, letter, false), this.show(option, letter, true)]
    return `${kind} \`${name}' (argc ${at}) requires an argument: \`${full}'`
  }

  private exclusiveComplaint(option: ClifOption<T>, letter: boolean, at: number): string {
    const kind = this.keywords && !letter ? 'Keyword' : 'Option'
    return `${kind} \`${this.show(option, letter, false)}' (argc ${at}): Only one of:\n    ${this.exclusives()}\nmay be specified.`
  }

  private exclusives(): string {
    return this.options
      .filter(option => option.exclusive === true)
      .map(option => this.show(option, option.short !== undefined, true))
      .join(' | ')
  }

  private async handleArguments(state: T, positions: readonly number[]): Promise<ClifResult> {
    const args = this.args ?? []
    const needed = args.filter(arg => arg.strict === true).length
    if (positions.length < needed) {
      const name = args[positions.length]!.name
      const others = positions.length === needed - 1 ? 'missing argument' : 'and other missing arguments'
      return this.fail(`Specify "${name}" ${others}.`)
    }
    if (positions.length > args.length) {
      const at = positions[args.length]!
      return this.fail(`Extra arg \`${this.argv[at]}' (position ${args.length + 1}, argc ${at})`)
    }
    for (const [i, at] of positions.entries()) {
      const word = this.argv[at]!
      if (!(await args[i]!.handle(state, word)))
        return this.fail(`Cannot handle "${args[i]!.name}" cmdline arg \`${word}' on position ${i + 1} (argc ${at})`)
    }
    return 'go on'
  }

  /** @returns the whole help, with its newlines */
  help(): string {
    const args = this.args ?? []
    return `Usage:\n  ${this.usageLine()}\nOptions:\n${this.optionsHelp()}${args.length === 0 ? '' : '\nArguments:\n'}${args
      .map(arg => {
        const head = `${arg.strict === true ? '+     ' : '      '}${arg.name}`
        return `${head}${box(head.length, ARGUMENT_COLUMN, arg.help)}\n`
      })
      .join('')}`
  }

  /** @returns the help on each option */
  optionsHelp(): string {
    let text = ''
    for (const option of this.options) {
      const names: string[] = []
      if (option.short !== undefined) names.push(this.showShort(option, true))
      if (option.long !== undefined) names.push(this.showLong(option, true))
      const head = `  ${names.join('  ')}`
      text += `${head}${box(head.length, OPTION_COLUMN, option.help.replaceAll('%s', option.arg ?? ''))}\n`
    }
    const exclusives = this.options.filter(option => option.exclusive === true)
    if (exclusives.length > 1) text += `Only one of these may be specified:\n    ${this.exclusives()}\n`
    return text
  }

  private usageLine(): string {
    const letters = this.options.filter(option => option.short !== undefined && option.arg === undefined)
    const parts = [this.argv[0] ?? '', `[ -${letters.map(option => option.short).join('')} ]`]
    for (const option of this.options) {
      if (option.extra === true || (option.short !== undefined && option.arg === undefined)) continue
      parts.push(`[ ${this.show(option, option.short !== undefined, true)} ]`)
    }
    for (const arg of this.args ?? []) parts.push(arg.strict === true ? arg.name : `[ ${arg.name} ]`)
    return parts.join(' ')
  }
}

function badOption(word: string, at: number): string {
  const equals = word.indexOf('=')
  const tail = equals < 0 ? '' : ` (with arg \`${word.slice(equals + 1)}')`
  return `Bad option \`${word}'${tail} (argc ${at})`
}

/** Text in a column that begins at `left`; `start` characters of the first line are taken. */
function box(start: number, left: number, text: string): string {
  const indent = `\n${' '.repeat(left)}`
  const width = SCREEN - left
  let out = left > start ? ' '.repeat(left - start) : indent
  let rest = text
  while (rest.length >= width) {
    const cut = rest.slice(0, width).lastIndexOf(' ')
    if (cut <= 0) return out
    out += rest.slice(0, cut) + indent
    rest = rest.slice(cut + 1)
  }
  return out + rest
}
