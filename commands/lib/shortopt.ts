/** Options as plain getopt(3) of the GNU C library reads them: letters only, permuted, with its messages. */

/** What was found: an option's letter with its value, or a mistake in the C library's words. */
export type ShortOption =
  | { readonly letter: string; readonly value: string; readonly error?: undefined }
  | { readonly error: string }

/** What a command line consists of. */
export interface ShortOptions {
  /** in the order given; a program that ends at the first mistake never comes to the later ones */
  readonly options: readonly ShortOption[]
  readonly operands: readonly string[]
}

/**
 * Reads a command line.
 * @param argv argv[0] first: messages begin with it
 * @param letters getopt's option string: a letter that takes a value is followed by `:`
 */
export function shortOptions(argv: readonly string[], letters: string): ShortOptions {
  const program = argv[0] ?? ''
  const options: ShortOption[] = []
  const operands: string[] = []
  for (let index = 1; index < argv.length; index++) {
    const word = argv[index]!
    if (word === '--') {
      operands.push(...argv.slice(index + 1))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word)
      continue
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!
      const known = letter === ':' ? -1 : letters.indexOf(letter)
      if (known < 0) {
        options.push({ error: `${program}: invalid option -- '${letter}'` })
        continue
      }
      if (letters[known + 1] !== ':') {
        options.push({ letter, value: '' })
        continue
      }
      const rest = word.slice(at + 1)
      const value = rest !== '' ? rest : argv[++index]
      if (value === undefined) options.push({ error: `${program}: option requires an argument -- '${letter}'` })
      else options.push({ letter, value })
      break
    }
  }
  return { options, operands }
}
