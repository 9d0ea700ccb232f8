/** Where on a command line the cursor stands: the words of its simple command, and the word that is being typed. */

/** A line up to the cursor. */
export interface Cursor {
  /** the words of the command before the one being typed, quotes taken off */
  readonly words: readonly string[]
  /** the word being typed, quotes taken off */
  readonly word: string
  /** the same as it stands on the line */
  readonly raw: string
  /** the quote that is still open, or '' */
  readonly quote: string
  /** the word is the file of a redirection */
  readonly redirected: boolean
}

/** Characters that end a word and a command. */
const ENDS_COMMAND = /[;&|()`\n]/
/** Reserved words and the like, after which a command begins. */
const BEFORE_COMMAND = new Set(['!', '{', 'if', 'then', 'elif', 'else', 'while', 'until', 'do', 'time'])

/** Reads a line from its beginning to the cursor. */
export function readCursor(line: string): Cursor {
  let words: string[] = []
  let word = ''
  let start = 0
  let quote = ''
  let open = false
  let redirected = false
  let nextRedirected = false
  const endWord = (): void => {
    if (!open) return
    if (!redirected) {
      if (words.length > 0 || (!BEFORE_COMMAND.has(word) && !/^[A-Za-z_]\w*=/.test(word))) words.push(word)
    }
    redirected = false
    open = false
    word = ''
  }
  const begin = (at: number): void => {
    if (open) return
    open = true
    start = at
    redirected = nextRedirected
    nextRedirected = false
  }
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!
    if (quote !== '') {
      if (c === quote) quote = ''
      else if (c === '\\' && quote === '"' && /["\\$`]/.test(line[i + 1] ?? '')) word += line[++i]
      else word += c
      continue
    }
    if (c === "'" || c === '"') {
      begin(i)
      quote = c
    } else if (c === '\\') {
      begin(i)
      if (i + 1 < line.length) word += line[++i]
    } else if (c === ' ' || c === '\t') endWord()
    else if (c === '<' || c === '>') {
      // a number right before is the descriptor
      if (/^\d+$/.test(word)) {
        open = false
        word = ''
      } else endWord()
      nextRedirected = true
    } else if (c === '&' && nextRedirected && !open) {
      // `>&1`: a descriptor, nothing to complete
    } else if (c === '#' && !open) {
      return { words: [], word: '', raw: '', quote: '#', redirected: false }
    } else if (ENDS_COMMAND.test(c)) {
      endWord()
      words = []
      nextRedirected = false
    } else {
      begin(i)
      word += c
    }
  }
  return {
    words,
    word: open ? word : '',
    raw: open ? line.slice(start) : '',
    quote,
    redirected: open ? redirected : nextRedirected,
  }
}
