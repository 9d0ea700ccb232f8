/** The options of `set` and `shopt`, with the names and defaults of bash 5.2. */

/** Options of `set -o`, with their letters, in the order in which bash lists them. */
export const SET_OPTIONS: readonly (readonly [string, string])[] = [
  ['allexport', 'a'],
  ['braceexpand', 'B'],
  ['emacs', ''],
  ['errexit', 'e'],
  ['errtrace', 'E'],
  ['functrace', 'T'],
  ['hashall', 'h'],
  ['histexpand', 'H'],
  ['history', ''],
  ['ignoreeof', ''],
  ['interactive-comments', ''],
  ['keyword', 'k'],
  ['monitor', 'm'],
  ['noclobber', 'C'],
  ['noexec', 'n'],
  ['noglob', 'f'],
  ['nolog', ''],
  ['notify', 'b'],
  ['nounset', 'u'],
  ['onecmd', 't'],
  ['physical', 'P'],
  ['pipefail', ''],
  ['posix', ''],
  ['privileged', 'p'],
  ['verbose', 'v'],
  ['vi', ''],
  ['xtrace', 'x'],
]

/** Order of the letters in $-. */
const FLAG_ORDER = 'abefhikmnpstuvxBCEHPT'

/** Options of shopt and their defaults, in order. */
export const SHOPT_OPTIONS: readonly (readonly [string, boolean])[] = [
  ['autocd', false],
  ['assoc_expand_once', false],
  ['cdable_vars', false],
  ['cdspell', false],
  ['checkhash', false],
  ['checkjobs', false],
  ['checkwinsize', true],
  ['cmdhist', true],
  ['compat31', false],
  ['compat32', false],
  ['compat40', false],
  ['compat41', false],
  ['compat42', false],
  ['compat43', false],
  ['compat44', false],
  ['complete_fullquote', true],
  ['direxpand', false],
  ['dirspell', false],
  ['dotglob', false],
  ['execfail', false],
  ['expand_aliases', false],
  ['extdebug', false],
  ['extglob', false],
  ['extquote', true],
  ['failglob', false],
  ['force_fignore', true],
  ['globasciiranges', true],
  ['globskipdots', true],
  ['globstar', false],
  ['gnu_errfmt', false],
  ['histappend', false],
  ['histreedit', false],
  ['histverify', false],
  ['hostcomplete', true],
  ['huponexit', false],
  ['inherit_errexit', false],
  ['interactive_comments', true],
  ['lastpipe', false],
  ['lithist', false],
  ['localvar_inherit', false],
  ['localvar_unset', false],
  ['login_shell', false],
  ['mailwarn', false],
  ['no_empty_cmd_completion', false],
  ['nocaseglob', false],
  ['nocasematch', false],
  ['noexpand_translation', false],
  ['nullglob', false],
  ['patsub_replacement', true],
  ['progcomp', true],
  ['progcomp_alias', false],
  ['promptvars', true],
  ['restricted_shell', false],
  ['shift_verbose', false],
  ['sourcepath', true],
  ['varredir_close', false],
  ['xpg_echo', false],
]

/** The options of one shell. */
export class Options {
  private readonly set = new Set<string>(['braceexpand', 'hashall', 'interactive-comments'])
  private readonly shopt = new Set<string>(SHOPT_OPTIONS.filter(([, on]) => on).map(([name]) => name))
  /** letters of $- that stand for how the shell was started: i, c, s */
  started = ''
  // asked for at every command
  errexit = false
  nounset = false
  xtrace = false
  pipefail = false
  extglob = false

  fork(): Options {
    const copy = new Options()
    copy.set.clear()
    copy.shopt.clear()
    for (const name of this.set) copy.set.add(name)
    for (const name of this.shopt) copy.shopt.add(name)
    copy.refresh()
    copy.started = this.started
    return copy
  }

  /** @returns names of the options of `set` that are on, for `restore` */
  snapshot(): readonly string[] {
    return [...this.set]
  }

  restore(names: readonly string[]): void {
    this.set.clear()
    for (const name of names) this.set.add(name)
    this.refresh()
  }

  /** @returns whether an option of `set -o` is on */
  on(name: string): boolean {
    return this.set.has(name)
  }

  /** @returns false for an unknown name */
  setOption(name: string, on: boolean): boolean {
    if (!SET_OPTIONS.some(([known]) => known === name)) return false
    if (on) this.set.add(name)
    else this.set.delete(name)
    if (name === 'vi' && on) this.set.delete('emacs')
    if (name === 'emacs' && on) this.set.delete('vi')
    this.refresh()
    return true
  }

  /** @returns whether an option of shopt is on */
  has(name: string): boolean {
    return this.shopt.has(name)
  }

  /** @returns false for an unknown name */
  setShopt(name: string, on: boolean): boolean {
    if (!SHOPT_OPTIONS.some(([known]) => known === name)) return false
    if (on) this.shopt.add(name)
    else this.shopt.delete(name)
    this.refresh()
    return true
  }

  private refresh(): void {
    this.errexit = this.set.has('errexit')
    this.nounset = this.set.has('nounset')
    this.xtrace = this.set.has('xtrace')
    this.pipefail = this.set.has('pipefail')
    this.extglob = this.shopt.has('extglob')
  }

  /** $- */
  get flags(): string {
    let letters = this.started
    for (const [name, letter] of SET_OPTIONS) if (letter !== '' && this.set.has(name)) letters += letter
    const order = (letter: string): number => {
      const i = FLAG_ORDER.indexOf(letter)
      return i < 0 ? FLAG_ORDER.length : i
    }
    // c and s come last, as bash appends them
    const tail = [...letters].filter(letter => letter === 'c' || letter === 's').join('')
    return (
      [...letters]
        .filter(letter => letter !== 'c' && letter !== 's')
        .sort((a, b) => order(a) - order(b))
        .join('') + tail
    )
  }

  /** $SHELLOPTS */
  get shellopts(): string {
    return SET_OPTIONS.filter(([name]) => this.set.has(name))
      .map(([name]) => name)
      .join(':')
  }

  /** $BASHOPTS */
  get bashopts(): string {
    return SHOPT_OPTIONS.filter(([name]) => this.shopt.has(name))
      .map(([name]) => name)
      .join(':')
  }
}
