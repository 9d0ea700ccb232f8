/** Options as getopt_long(3) of the GNU C library reads them: clusters, abbreviations, permutation, its messages. */

/** One option. */
export interface Option<K extends string = string> {
  /** what the program knows it by */
  readonly key: K
  /** its letter */
  readonly short?: string
  /** its long name */
  readonly long?: string
  /** whether it takes a value; `none` where absent */
  readonly arg?: 'none' | 'required' | 'optional'
}

/** What `next` found: an option with its value, or what is wrong, in the C library's words. */
export type Found<K extends string> =
  | { readonly key: K; readonly value: string | undefined; readonly error?: undefined }
  | { readonly error: string; readonly letter: string | undefined }

/** A reading of one command line. */
export class Getopt<K extends string> {
  private readonly program: string
  private readonly words: readonly string[]
  private readonly options: readonly Option<K>[]
  private readonly stopEarly: boolean
  private index = 1
  private cluster = ''
  private readonly skipped: string[] = []
  private done = false

  /**
   * @param argv the words, argv[0] first: messages begin with it
   * @param stopEarly the first word that is no option ends them (`+` in the C library's option string)
   */
  constructor(argv: readonly string[], options: readonly Option<K>[], stopEarly = false) {
    this.program = argv[0] ?? ''
    this.words = argv
    this.options = options
    this.stopEarly = stopEarly
  }

  /** the words that are no options; complete once `next` has returned undefined */
  get operands(): string[] {
    return [...this.skipped, ...this.words.slice(this.index)]
  }

  /** @returns the next option or mistake, or undefined at the end */
  next(): Found<K> | undefined {
    if (this.cluster !== '') return this.shortOption()
    while (!this.done && this.index < this.words.length) {
      const word = this.words[this.index]!
      if (word === '--') {
        this.index++
        this.done = true
        break
      }
      if (word.startsWith('--')) {
        this.index++
        return this.longOption(word.slice(2))
      }
      if (word.startsWith('-') && word.length > 1) {
        this.index++
        this.cluster = word.slice(1)
        return this.shortOption()
      }
      if (this.stopEarly) break
      this.skipped.push(word)
      this.index++
    }
    this.done = true
    return undefined
  }

  private shortOption(): Found<K> {
    const letter = String.fromCodePoint(this.cluster.codePointAt(0)!)
    let rest = this.cluster.slice(letter.length)
    this.cluster = ''
    const option = this.options.find(candidate => candidate.short === letter)
    if (option === undefined) {
      this.cluster = rest
      return { error: `${this.program}: invalid option -- '${letter}'`, letter }
    }
    if ((option.arg ?? 'none') === 'none') {
      this.cluster = rest
      return { key: option.key, value: undefined }
    }
    if (rest === '' && option.arg === 'required') {
      if (this.index >= this.words.length)
        return { error: `${this.program}: option requires an argument -- '${letter}'`, letter }
      rest = this.words[this.index++]!
      return { key: option.key, value: rest }
    }
    return { key: option.key, value: rest === '' ? undefined : rest }
  }

  private longOption(text: string): Found<K> {
    const equals = text.indexOf('=')
    const name = equals < 0 ? text : text.slice(0, equals)
    let value = equals < 0 ? undefined : text.slice(equals + 1)
    const wrong = (error: string): Found<K> => ({ error: `${this.program}: ${error}`, letter: undefined })
    let matches = this.options.filter(option => option.long === name)
    if (matches.length === 0) matches = this.options.filter(option => option.long?.startsWith(name) === true)
    const option = matches[0]
    if (option === undefined) return wrong(`unrecognized option '--${name}'`)
    if (new Set(matches.map(match => match.key)).size > 1)
      return wrong(
        `option '--${name}' is ambiguous; possibilities:${matches.map(match => ` '--${match.long}'`).join('')}`,
      )
    const arg = option.arg ?? 'none'
    if (arg === 'none' && value !== undefined) return wrong(`option '--${option.long}' doesn't allow an argument`)
    if (arg === 'required' && value === undefined) {
      if (this.index >= this.words.length) return wrong(`option '--${option.long}' requires an argument`)
      value = this.words[this.index++]!
    }
    return { key: option.key, value }
  }
}
