/** The command line as the iproute2 tools read it: a cursor over words, and abbreviations. */
import { incompleteCommand } from './errors.ts'

/** @returns whether `word` is `full` or an abbreviation of it; the empty word abbreviates nothing */
export function matches(word: string, full: string): boolean {
  return word !== '' && full.startsWith(word)
}

/** A cursor over the words of a command line. */
export class Args {
  readonly words: readonly string[]
  pos: number

  constructor(words: readonly string[], pos = 0) {
    this.words = words
    this.pos = pos
  }

  /** whether a word is left */
  get more(): boolean {
    return this.pos < this.words.length
  }

  /** number of words left, the current one included */
  get left(): number {
    return this.words.length - this.pos
  }

  /** the current word; only where `more` */
  get word(): string {
    const word = this.words[this.pos]
    if (word === undefined) incompleteCommand()
    return word
  }

  /** Whether the current word is exactly one of `names`. */
  is(...names: string[]): boolean {
    const word = this.words[this.pos]
    return word !== undefined && names.includes(word)
  }

  /** Whether the current word abbreviates `full` (or is it). */
  matches(full: string): boolean {
    const word = this.words[this.pos]
    return word !== undefined && matches(word, full)
  }

  /** Moves to the next word and returns it; throws `Command line is not complete` at the end (NEXT_ARG). */
  next(): string {
    if (this.pos + 1 >= this.words.length) incompleteCommand()
    this.pos++
    return this.words[this.pos]!
  }

  /** Looks at the word after the current one. */
  peek(ahead = 1): string | undefined {
    return this.words[this.pos + ahead]
  }

  /** Moves past the current word. */
  skip(): void {
    this.pos++
  }

  /** Moves back by one word (PREV_ARG). */
  back(): void {
    this.pos--
  }

  /** The current word and those after it. */
  rest(): string[] {
    return this.words.slice(this.pos)
  }
}
