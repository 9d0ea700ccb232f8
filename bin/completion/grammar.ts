/**
 * What may stand on a command line, written down as short texts: completion reads them, and nothing else.
 *
 * A text lists words. `word` stands alone; `word:SOURCE` is followed by one of a source's names; `word:a|b` by `a` or `b`;
 * `word:` by something only the user knows. A source in capitals without a word before it is an operand, in the order
 * given. `CMD` is a command line of its own.
 */

/** Where names come from; see World. */
export const SOURCES = [
  'DEV',
  'NETNS',
  'FILE',
  'DIR',
  'CMD',
  'PROGRAM',
  'SYSCTL',
  'SIGNAL',
  'PID',
  'USER',
  'HOST',
  'VARIABLE',
  'ANY',
] as const
export type Source = (typeof SOURCES)[number]

/** What follows a word: nothing, a source's names, or certain words. */
export type Argument = Source | readonly string[] | undefined

/** The words of one place, read from its text. */
export interface Words {
  readonly keywords: ReadonlyMap<string, Argument>
  readonly operands: readonly Source[]
}

/** How a tool's command line is built. */
export interface Tool {
  /** words that begin with a dash, and may come first */
  readonly options?: string
  /** the tool's objects, in the order that abbreviations are tried, with their verbs and what may follow each */
  readonly objects?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** words after `type KIND` of certain kinds */
  readonly kinds?: Readonly<Record<string, string>>
  /** what a tool without objects takes */
  readonly words?: string
}

const parsed = new Map<string, Words>()

function isSource(text: string): text is Source {
  return (SOURCES as readonly string[]).includes(text)
}

/** Reads a text of words. */
export function wordsOf(text: string): Words {
  let words = parsed.get(text)
  if (words === undefined) {
    const keywords = new Map<string, Argument>()
    const operands: Source[] = []
    for (const item of text.split(/\s+/).filter(part => part !== '')) {
      const colon = item.indexOf(':')
      if (colon < 0) {
        if (isSource(item)) operands.push(item)
        else keywords.set(item, undefined)
        continue
      }
      const after = item.slice(colon + 1)
      keywords.set(item.slice(0, colon), after === '' ? 'ANY' : isSource(after) ? after : after.split('|'))
    }
    words = { keywords, operands }
    parsed.set(text, words)
  }
  return words
}
