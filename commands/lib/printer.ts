/**
 * One description of an object, two printers: a tool says each fact once, with its JSON field and its text, and the
 * printer it was given writes one of them. `TextPrinter` also knows colours.
 */
import type { OutputStream } from '../../src/uapi/process.ts'
import { type JsonValue, JsonWriter } from './json.ts'

/** What a piece of text is, for its colour. */
export type Color = 'ifname' | 'mac' | 'inet' | 'inet6' | 'operstate_up' | 'operstate_down' | 'none'

/** Where a tool's listing goes. Text arguments are complete, with their blanks. */
export interface Printer {
  readonly isJson: boolean
  /** A fact: its JSON field (no key: an item of an array) and its text. */
  put(key: string | undefined, value: JsonValue, text: string, color?: Color): void
  /** Only text. */
  text(text: string, color?: Color): void
  /** Only JSON. */
  json(key: string | undefined, value: JsonValue): void
  /** Opens and closes a JSON object; text is unaffected. */
  openObject(key?: string): void
  closeObject(): void
  /** Opens and closes a JSON array; the text printer writes `text` instead. */
  openArray(key: string | undefined, text?: string): void
  closeArray(text?: string): void
  /** Ends a line: a newline, with -oneline a backslash; nothing in JSON (print_nl). */
  nl(): void
}

/** Begins a listing: JSON listings are one array. @returns the printer; end with `endListing` */
export function startListing(printer: Printer): void {
  if (printer.isJson) printer.openArray(undefined)
}

/** Ends a listing: JSON closes its array and the line. */
export function endListing(printer: Printer): void {
  if (printer instanceof JsonPrinter) printer.finish()
}

const ESC = String.fromCharCode(27)
const LIGHT: Readonly<Record<Color, string>> = {
  ifname: `${ESC}[36m`,
  mac: `${ESC}[33m`,
  inet: `${ESC}[35m`,
  inet6: `${ESC}[34m`,
  operstate_up: `${ESC}[32m`,
  operstate_down: `${ESC}[31m`,
  none: '',
}
const DARK: Readonly<Record<Color, string>> = {
  ifname: `${ESC}[1;36m`,
  mac: `${ESC}[1;33m`,
  inet: `${ESC}[1;35m`,
  inet6: `${ESC}[1;34m`,
  operstate_up: `${ESC}[1;32m`,
  operstate_down: `${ESC}[1;31m`,
  none: '',
}
const CLEAR = `${ESC}[0m`

/** Colours of a text printer: none, or for a light or dark background. */
export type ColorScheme = 'off' | 'light' | 'dark'

/** Writes texts, in colour if asked. */
export class TextPrinter implements Printer {
  readonly isJson = false
  private readonly out: Pick<OutputStream, 'write'>
  private readonly oneline: boolean
  private readonly scheme: ColorScheme

  constructor(out: Pick<OutputStream, 'write'>, oneline: boolean, scheme: ColorScheme = 'off') {
    this.out = out
    this.oneline = oneline
    this.scheme = scheme
  }

  put(_key: string | undefined, _value: JsonValue, text: string, color: Color = 'none'): void {
    this.text(text, color)
  }

  text(text: string, color: Color = 'none'): void {
    if (this.scheme === 'off' || color === 'none') this.out.write(text)
    else this.out.write((this.scheme === 'dark' ? DARK : LIGHT)[color] + text + CLEAR)
  }

  json(): void {}
  openObject(): void {}
  closeObject(): void {}

  openArray(_key: string | undefined, text = ''): void {
    this.out.write(text)
  }

  closeArray(text = ''): void {
    this.out.write(text)
  }

  nl(): void {
    this.out.write(this.oneline ? '\\' : '\n')
  }
}

/** Writes JSON fields. */
export class JsonPrinter implements Printer {
  readonly isJson = true
  private readonly out: Pick<OutputStream, 'write'>
  private readonly writer: JsonWriter

  constructor(out: Pick<OutputStream, 'write'>, pretty: boolean) {
    this.out = out
    this.writer = new JsonWriter(text => out.write(text), pretty)
  }

  put(key: string | undefined, value: JsonValue): void {
    this.writer.value(key, value)
  }

  text(): void {}

  json(key: string | undefined, value: JsonValue): void {
    this.writer.value(key, value)
  }

  openObject(key?: string): void {
    this.writer.startObject(key)
  }

  closeObject(): void {
    this.writer.endObject()
  }

  openArray(key: string | undefined): void {
    this.writer.startArray(key)
  }

  closeArray(): void {
    this.writer.endArray()
  }

  nl(): void {}

  /** Closes the outermost array and ends the line. */
  finish(): void {
    this.writer.endArray()
    this.out.write('\n')
  }
}
