/** Brace expansion: one word becomes several, before anything else is expanded. */
import type { BraceItem, WordNode, WordPart } from './syntax.ts'

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

function expandItem(item: BraceItem): WordPart[][] {
  if (item.type === 'Word') return expandBraces(item.word).map(word => word.parts)
  return range(item).map(value => [{ type: 'Literal', value }])
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
