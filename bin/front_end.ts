/**
 * The host's terminal as the front end of a terminal of the machine: shows output, hands keys on, and where a shell asks
 * for a line lets the user edit it with Node's readline.
 */

import { createInterface, type Interface } from 'node:readline'
import { Readable } from 'node:stream'
import type { Tty, TtyFrontEnd } from '../src/machine/files/tty.ts'
import type { LineEditing } from '../src/uapi/process.ts'
import { HISTORY_SIZE, type History } from './history.ts'

/** Where keys come from: the host's terminal. */
export interface KeySource {
  setRawMode(on: boolean): unknown
  on(event: 'data', listener: (data: Buffer) => void): unknown
  off(event: 'data', listener: (data: Buffer) => void): unknown
  resume(): unknown
  pause(): unknown
}

/** Where output goes. */
export interface Screen extends NodeJS.WritableStream {
  readonly rows?: number
  readonly columns?: number
}

const CTRL_C = 3
const NEWLINE = 10
const RETURN = 13
const CTRL_Z = 26
const CTRL_BACKSLASH = 28
/** Escape sequences that move the cursor or clear: nothing before them is on the prompt's row. */
const MOVES = /\x1b\[[0-9;?]*[A-HJKSTfhl]/g
/** Escape sequences that take no room. */
const INVISIBLE = /\x1b\[[0-9;]*m|\x1b\][^\x07]*\x07|[\x00-\x1f\x7f]/g

/** What readline reads: keys are given to it a line at a time. */
class KeyStream extends Readable {
  override _read(): void {}

  /** Hands keys over at once. */
  feed(data: Buffer): void {
    this.emit('data', data)
  }
}

/** The front end. */
export class FrontEnd implements TtyFrontEnd {
  private readonly source: KeySource
  private readonly screen: Screen
  private readonly history: History
  private readonly complete: (line: string, editing: LineEditing) => [string[], string]
  private readonly decoder = new TextDecoder()
  private readonly stream = new KeyStream()
  /** keys that came with those of a line that is finished: nobody has read or shown them yet */
  private queue: Buffer = Buffer.alloc(0)
  /** what has been written since the last newline: the prompt, when a line is asked for */
  private partial = ''
  private editor: Interface | undefined
  private tty: Tty | undefined

  constructor(
    source: KeySource,
    screen: Screen,
    history: History,
    complete: (line: string, editing: LineEditing) => [string[], string],
  ) {
    this.source = source
    this.screen = screen
    this.history = history
    this.complete = complete
  }

  /** Output of the machine; the host's terminal makes carriage returns of its own, in raw mode too. */
  output(data: Uint8Array): void {
    const text = this.decoder.decode(data, { stream: true })
    this.screen.write(text)
    const last = text.lastIndexOf('\n')
    this.partial = last < 0 ? this.partial + text : text.slice(last + 1)
  }

  /** A process begins to wait for input: what is in the queue is for it, as soon as it waits. */
  waiting(): void {
    if (this.queue.length > 0) setImmediate(this.flush)
  }

  private readonly flush = (): void => {
    if (this.editor !== undefined || this.queue.length === 0) return
    const keys = this.queue
    this.queue = Buffer.alloc(0)
    this.tty?.input(keys)
  }

  /** Binds the front end to its terminal and takes the keyboard. */
  start(tty: Tty): void {
    this.tty = tty
    this.source.setRawMode(true)
    this.source.on('data', this.keys)
    this.source.resume()
    this.screen.on('resize', this.resized)
    this.resized()
  }

  /** Gives the keyboard back. */
  stop(): void {
    this.endEdit()
    this.source.off('data', this.keys)
    this.source.setRawMode(false)
    this.source.pause()
    this.screen.removeListener('resize', this.resized)
  }

  private readonly keys = (data: Buffer): void => {
    if (this.editor !== undefined) {
      this.queue = this.queue.length === 0 ? data : Buffer.concat([this.queue, data])
      this.feed()
    } else if (this.queue.length === 0) this.tty?.input(data)
    else if (data.some(byte => byte === CTRL_C || byte === CTRL_Z || byte === CTRL_BACKSLASH)) {
      // a signal from the keyboard throws away what has been typed ahead
      this.queue = Buffer.alloc(0)
      this.tty?.input(data)
    } else this.queue = Buffer.concat([this.queue, data])
  }

  /** Gives the editor the keys of one line at most. */
  private feed(): void {
    while (this.editor !== undefined && this.queue.length > 0) {
      const end = this.queue.findIndex(byte => byte === NEWLINE || byte === RETURN || byte === CTRL_C)
      const part = end < 0 ? this.queue : this.queue.subarray(0, end + 1)
      const both = end >= 0 && this.queue[end] === RETURN && this.queue[end + 1] === NEWLINE
      this.queue = this.queue.subarray(part.length + (both ? 1 : 0))
      this.stream.feed(part)
    }
  }

  private readonly resized = (): void => {
    const { tty, screen } = this
    if (tty === undefined || screen.rows === undefined || screen.columns === undefined) return
    if (tty.rows !== screen.rows || tty.columns !== screen.columns) tty.resize(screen.rows, screen.columns)
  }

  /** A shell wants a line: reads it with readline, then lets go. @param typed keys that came before */
  edit(typed: Uint8Array, editing: LineEditing): void {
    this.endEdit()
    this.queue = Buffer.concat([typed, this.queue])
    const editor = createInterface({
      input: this.stream,
      output: this.screen,
      terminal: true,
      prompt: lastRow(this.partial, this.screen.columns ?? 80),
      history: [...this.history.lines],
      historySize: HISTORY_SIZE,
      removeHistoryDuplicates: false,
      completer: (line: string) => this.complete(line, editing),
    })
    this.editor = editor
    const done = (finish: () => void): void => {
      if (this.editor !== editor) return
      this.editor = undefined
      editor.close()
      finish()
    }
    editor.on('line', line =>
      done(() => {
        this.partial = ''
        this.history.add(line)
        this.tty!.inputLine(line)
      }),
    )
    editor.on('SIGINT', () => {
      // the cursor goes behind the line, where ^C is shown
      editor.write(null, { ctrl: true, name: 'e' })
      done(() => {
        this.queue = Buffer.alloc(0)
        this.tty!.input(Uint8Array.of(CTRL_C))
      })
    })
    editor.on('SIGTSTP', () => {})
    editor.on('SIGCONT', () => {})
    editor.on('close', () => done(() => this.tty!.inputEnd()))
    // the prompt has been written already: readline only has to know it
    this.feed()
  }

  /** The shell reads no line any more. */
  endEdit(): void {
    const { editor } = this
    this.editor = undefined
    editor?.close()
  }
}

/** @returns what of an unfinished line stands on the row of the cursor */
function lastRow(text: string, columns: number): string {
  const row = text.slice(text.lastIndexOf('\r') + 1).replace(MOVES, '')
  const width = row.replace(INVISIBLE, '').length
  if (width < columns) return row
  return row.replace(INVISIBLE, '').slice(Math.floor(width / columns) * columns)
}
