/**
 * JSON as the iproute2 tools write it: everything on one line without blanks, or, pretty, each name on its own line
 * indented by four blanks a level, with arrays on one line.
 */

/** A value of a JSON field. */
export type JsonValue = string | number | bigint | boolean | null

const ESCAPES: Readonly<Record<string, string>> = {
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\f': '\\f',
  '\b': '\\b',
  '\\': '\\\\',
  '"': '\\"',
}

/** @returns a quoted JSON string with the escapes these tools use */
export function jsonQuote(text: string): string {
  return `"${text.replace(/[\t\n\r\f\b\\"]/g, char => ESCAPES[char]!)}"`
}

/** Writes JSON piece by piece to a sink. */
export class JsonWriter {
  private readonly sink: (text: string) => void
  private readonly pretty: boolean
  private depth = 0
  /** whether a comma is due before the next item */
  private filled = false

  constructor(sink: (text: string) => void, pretty: boolean) {
    this.sink = sink
    this.pretty = pretty
  }

  private newline(): void {
    if (this.pretty) this.sink('\n' + '    '.repeat(this.depth))
  }

  private separate(): void {
    if (this.filled) this.sink(',')
    this.filled = true
  }

  /** Begins a field of an object. */
  name(key: string): void {
    this.separate()
    this.newline()
    this.filled = false
    this.sink(jsonQuote(key) + (this.pretty ? ': ' : ':'))
  }

  private begin(key: string | undefined, bracket: string): void {
    if (key !== undefined) this.name(key)
    this.separate()
    this.sink(bracket)
    this.depth++
    this.filled = false
  }

  startObject(key?: string): void {
    this.begin(key, '{')
  }

  endObject(): void {
    this.depth--
    if (this.filled) this.newline()
    this.sink('}')
    this.filled = true
  }

  startArray(key?: string): void {
    this.begin(key, this.pretty ? '[ ' : '[')
  }

  endArray(): void {
    this.depth--
    this.sink(this.pretty && this.filled ? ' ]' : ']')
    this.filled = true
  }

  /** Writes a field, or without a key an item of an array. */
  value(key: string | undefined, value: JsonValue): void {
    if (key !== undefined) this.name(key)
    this.separate()
    this.sink(typeof value === 'string' ? jsonQuote(value) : String(value))
  }
}
