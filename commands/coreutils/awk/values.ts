/** awk's values: numbers, strings, and strings that look like numbers; and its arrays. */
import { formatFloat } from '../lib/format.ts'

/** A string that came from input: a number where it looks like one. */
export class Input {
  readonly text: string
  private cached: number | null | undefined
  constructor(text: string) {
    this.text = text
  }

  /** its value, if it looks like a number */
  get number(): number | undefined {
    if (this.cached === undefined) {
      const match = /^[ \t\n\v\f\r]*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[ \t\n\v\f\r]*$/.exec(this.text)
      this.cached = match === null ? null : Number(match[1])
    }
    return this.cached ?? undefined
  }
}

/** undefined: a variable that was never set */
export type Value = number | string | Input | undefined

/** @returns the number that a string begins with */
export function parseNumber(text: string): number {
  const match = /^[ \t\n\v\f\r]*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf(?:inity)?|nan)\b)/i.exec(text)
  if (match === null) return 0
  const word = match[1]!.toLowerCase()
  if (word.includes('inf')) return word.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return word.includes('nan') ? Number.NaN : Number(word)
}

export function toNumber(value: Value): number {
  if (typeof value === 'number') return value
  if (value === undefined) return 0
  return typeof value === 'string' ? parseNumber(value) : (value.number ?? parseNumber(value.text))
}

/** @returns a number as text: integers as they are, others by CONVFMT or OFMT */
export function numberText(n: number, format: string): string {
  if (Number.isInteger(n)) {
    if (Math.abs(n) < 2 ** 31) return String(n === 0 ? 0 : n)
    if (Math.abs(n) <= Number.MAX_SAFE_INTEGER && format === '') return String(n)
  }
  if (Number.isNaN(n)) return 'nan'
  if (!Number.isFinite(n)) return n > 0 ? 'inf' : '-inf'
  const match = /^%([-+ #0]*)(\d*)(?:\.(\d*))?([efgEFGdi])$/.exec(format)
  if (match === null) return formatted(n, 'g', 6)
  return formatted(n, match[4]!, match[3] === undefined ? 6 : Number(match[3])).padStart(
    Number(match[2] === '' ? 0 : match[2]),
  )
}

function formatted(n: number, conversion: string, precision: number): string {
  const sign = n < 0 ? '-' : ''
  if (conversion === 'd' || conversion === 'i') return String(Math.trunc(n))
  const text = formatFloat(Math.abs(n), conversion.toLowerCase(), precision, false)
  return sign + (conversion === conversion.toUpperCase() ? text.toUpperCase() : text)
}

/** @returns whether a value is true */
export function truth(value: Value): boolean {
  if (typeof value === 'number') return value !== 0
  if (typeof value === 'string') return value !== ''
  if (value === undefined) return false
  const { number } = value
  return number === undefined ? value.text !== '' : number !== 0
}

/** An associative array, in whose loops keys come in mawk's order. */
export class AwkArray {
  private readonly map = new Map<string, Value>()
  /** keys that were given as numbers */
  private readonly numeric = new Set<string>()

  get size(): number {
    return this.map.size
  }

  has(key: string): boolean {
    return this.map.has(key)
  }

  get(key: string, byNumber = false): Value {
    if (!this.map.has(key)) this.set(key, undefined, byNumber)
    return this.map.get(key)
  }

  set(key: string, value: Value, byNumber = false): void {
    if (byNumber && !this.map.has(key)) this.numeric.add(key)
    this.map.set(key, value)
  }

  delete(key: string): void {
    this.map.delete(key)
    this.numeric.delete(key)
  }

  clear(): void {
    this.map.clear()
    this.numeric.clear()
  }

  /**
   * @returns the keys as mawk walks its hash table: by bucket, the newest string first; keys that were numbers had their
   * own table and moved over bucket by bucket
   */
  keys(): string[] {
    let buckets = 64
    while (this.map.size > buckets * 12) buckets *= 2
    const mask = buckets - 1
    const entries = [...this.map.keys()].map((key, age) => ({
      key,
      age,
      bucket: hash(key) & mask,
      numeric: this.numeric.has(key),
      slot: Number(key) & mask,
    }))
    entries.sort((a, b) => {
      if (a.bucket !== b.bucket) return a.bucket - b.bucket
      if (a.numeric !== b.numeric) return a.numeric ? 1 : -1
      if (!a.numeric) return b.age - a.age
      return b.slot - a.slot || a.age - b.age
    })
    return entries.map(entry => entry.key)
  }
}

/** FNV-1a. */
function hash(key: string): number {
  let h = 2166136261
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 16777619)
  return h >>> 0
}
