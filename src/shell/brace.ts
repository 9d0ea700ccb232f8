/** Brace expansion: one word becomes several, before anything else is expanded. */
import { type BraceItem, MARK_CLOSE, MARK_COMMA, MARK_OPEN, type WordNode, type WordPart } from './syntax.ts'

/** Words one brace expansion may make. */
const LIMIT = 1_000_000

/** @returns the words that a word's braces stand for; the word itself where it has none */
export function expandBraces(word: WordNode): WordNode[] {
  if (!word.parts.some(part => part.type === 'BraceExpansion')) return [word]
  let words: WordPart[][] = [[]]
  for (const part of word.parts) {
    if (part.type !== 'BraceExpansion') {
      for (const parts of words) parts.push(part)
      continue
    }
    const alternatives = part.items.flatMap(expandItem)
    if (words.length * alternatives.length > LIMIT) throw new RangeError('brace expansion: too many words')
    const product: WordPart[][] = []
    for (const parts of words) for (const alternative of alternatives) product.push([...parts, ...alternative])
    words = product
  }
  return words.map(parts => ({ type: 'Word', parts: joinTilde(parts) }))
}

/** A tilde that a brace left at the word's beginning counts as one. */
function joinTilde(parts: WordPart[]): WordPart[] {
  const [first, second] = parts
  if (first?.type === 'Literal' && second?.type === 'Literal') {
    return joinTilde([{ type: 'Literal', value: first.value + second.value }, ...parts.slice(2)])
  }
  return parts
}

/** The backslash among characters quotes the end of its word. */
function expandItem(item: BraceItem): WordPart[][] {
  if (item.type === 'Word') return expandBraces(item.word).map(word => word.parts)
  return range(item).map(value => [value === '\\' ? { type: 'SingleQuoted', value: '' } : { type: 'Literal', value }])
}

function range(item: Extract<BraceItem, { type: 'Range' }>): string[] {
  const out: string[] = []
  const from = item.startStr ?? String(item.start)
  const to = item.endStr ?? String(item.end)
  const numeric = /^[-+]?\d+$/.test(from) && /^[-+]?\d+$/.test(to)
  const start = numeric ? Number(from) : from.charCodeAt(0)
  const end = numeric ? Number(to) : to.charCodeAt(0)
  let step = Math.abs(item.step ?? 1)
  if (step === 0) step = 1
  const padded = numeric && (/^[-+]?0\d/.test(from) || /^[-+]?0\d/.test(to))
  const width = padded ? Math.max(from.replace('+', '').length, to.replace('+', '').length) : 0
  for (let n = start; start <= end ? n <= end : n >= end; n += start <= end ? step : -step) {
    if (out.length >= LIMIT) throw new RangeError('brace expansion: too many words')
    if (!numeric) out.push(String.fromCharCode(n))
    else if (n < 0) out.push(`-${String(-n).padStart(width - 1, '0')}`)
    else out.push(String(n).padStart(width, '0'))
  }
  return out
}

/** A word's parts, with the marks of its braces apart. */
type Token = WordPart | typeof MARK_OPEN | typeof MARK_COMMA | typeof MARK_CLOSE

/** @returns the parts of a word whose braces are marked, with its brace expansions found as bash finds them */
export function markedBraces(parts: readonly WordPart[]): WordPart[] {
  const tokens = parts.flatMap((part): Token[] => {
    if (part.type === 'Literal') return split(part.value, value => ({ type: 'Literal', value }))
    if (part.type === 'Glob') return split(part.pattern, pattern => ({ type: 'Glob', pattern }))
    return [part]
  })
  return find(tokens)
}

function split(text: string, make: (piece: string) => WordPart): Token[] {
  return text
    .split(MARKS)
    .filter(piece => piece !== '')
    .map(piece => (piece === MARK_OPEN || piece === MARK_COMMA || piece === MARK_CLOSE ? piece : make(piece)))
}

const MARKS = new RegExp(`([${MARK_OPEN}${MARK_COMMA}${MARK_CLOSE}])`)

function find(tokens: readonly Token[]): WordPart[] {
  const out: WordPart[] = []
  let at = 0
  for (; at < tokens.length; at++) {
    const token = tokens[at]!
    const close = token === MARK_OPEN ? partner(tokens, at) : -1
    if (close < 0) {
      out.push(typeof token === 'string' ? { type: 'Literal', value: CHARACTERS[token] } : token)
      continue
    }
    const inside = tokens.slice(at + 1, close)
    const item = inside.includes(MARK_COMMA) ? undefined : sequence(inside)
    if (inside.includes(MARK_COMMA)) out.push({ type: 'BraceExpansion', items: alternatives(inside) })
    else if (item !== undefined) out.push({ type: 'BraceExpansion', items: [item] })
    else {
      // no expansion, and none within it
      for (const other of tokens.slice(at, close + 1))
        out.push(typeof other === 'string' ? { type: 'Literal', value: CHARACTERS[other] } : other)
    }
    at = close
  }
  return out
}

const CHARACTERS = { [MARK_OPEN]: '{', [MARK_COMMA]: ',', [MARK_CLOSE]: '}' } as const

/** @returns the index of the brace that closes the one at `from`, after at least one comma or `..`; -1 for none */
function partner(tokens: readonly Token[], from: number): number {
  // {} at the beginning of a word stands for itself
  if (from === 0 && tokens[1] === MARK_CLOSE) return -1
  let level = 0
  let separated = false
  for (let i = from + 1; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token === MARK_OPEN) level++
    else if (token === MARK_CLOSE) {
      if (level > 0) level--
      else if (separated) return i
    } else if (level === 0) {
      if (token === MARK_COMMA) separated = true
      else if (
        token.type === 'Literal' &&
        token.value.includes('..') &&
        !(
          token.value.endsWith('..') &&
          token.value.indexOf('..') === token.value.length - 2 &&
          tokens[i + 1] === MARK_CLOSE
        )
      )
        separated = true
    }
  }
  return -1
}

function alternatives(tokens: readonly Token[]): BraceItem[] {
  const items: BraceItem[] = []
  let level = 0
  let start = 0
  for (let i = 0; i <= tokens.length; i++) {
    const token = tokens[i]
    if (token === MARK_OPEN) level++
    else if (token === MARK_CLOSE && level > 0) level--
    if (i < tokens.length && (token !== MARK_COMMA || level > 0)) continue
    items.push({ type: 'Word', word: { type: 'Word', parts: find(tokens.slice(start, i)) } })
    start = i + 1
  }
  return items
}

/** `1..5` or `a..e`, with or without increment. */
function sequence(tokens: readonly Token[]): BraceItem | undefined {
  let text = ''
  for (const token of tokens) {
    if (typeof token === 'string' || token.type !== 'Literal') return undefined
    text += token.value
  }
  const match = /^(?:([-+]?\d+)\.\.([-+]?\d+)|([A-Za-z])\.\.([A-Za-z]))(?:\.\.([-+]?\d+))?$/.exec(text)
  if (match === null) return undefined
  const from = (match[1] ?? match[3])!
  const to = (match[2] ?? match[4])!
  const item: BraceItem = { type: 'Range', start: from, end: to, startStr: from, endStr: to }
  if (match[5] !== undefined) item.step = Number(match[5])
  return item
}
