/** Records: lines, paragraphs, or what a separator or an expression divides. */
import type { LineReader } from '../lib/io.ts'
import type { Regex } from '../lib/regex.ts'

export class RecordReader {
  private readonly lines: LineReader
  private readonly rest: () => Promise<string>
  private readonly regex: (pattern: string) => Regex
  /** input read as a whole, where the separator is not a newline */
  private text: string | undefined
  private at = 0

  constructor(lines: LineReader, rest: () => Promise<string>, regex: (pattern: string) => Regex) {
    this.lines = lines
    this.rest = rest
    this.regex = regex
  }

  /** @param separator value of RS @returns the next record, undefined at the end */
  async next(separator: string): Promise<string | undefined> {
    if (separator === '\n' && this.text === undefined) return this.lines.next()
    if (separator === '' && this.text === undefined) return this.paragraph()
    if (this.text === undefined) {
      // what the line reader already holds comes first
      const held: string[] = []
      while (!this.lines.drained) {
        const line = await this.lines.next()
        if (line === undefined) break
        held.push(this.lines.terminated ? `${line}\n` : line)
      }
      this.text = held.join('') + (await this.rest())
    }
    const { text } = this
    if (this.at >= text.length) return undefined
    const from = this.at
    if (separator.length === 1) {
      const end = text.indexOf(separator, from)
      return this.cut(from, end < 0 ? text.length : end, end < 0 ? text.length : end + 1)
    }
    const pattern = separator === '' ? '\n\n+' : separator
    const match = this.regex(pattern).exec(text, from)
    if (match === undefined || match.end === match.index) return this.cut(from, text.length, text.length)
    return this.cut(from, match.index, match.end)
  }

  private cut(from: number, end: number, next: number): string | undefined {
    this.at = next
    const record = this.text!.slice(from, end)
    // the newline at the end of the file is no record
    if (next >= this.text!.length && end === this.text!.length) {
      if (record === '\n') return undefined
      return record.replace(/\n$/, '')
    }
    return record
  }

  private async paragraph(): Promise<string | undefined> {
    let line = await this.lines.next()
    while (line === '') line = await this.lines.next()
    if (line === undefined) return undefined
    const out = [line]
    for (line = await this.lines.next(); line !== undefined && line !== ''; line = await this.lines.next())
      out.push(line)
    return out.join('\n')
  }
}
