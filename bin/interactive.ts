/**
 * The interactive shell on the host's terminal: line editing, history and completion from Node's readline, keys for
 * running programs, the window size, and virtual time in step with the wall.
 */
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { Tty } from '../src/machine/files/tty.ts'
import type { Machine, Running } from '../src/machine/machine.ts'
import { complete } from './complete.ts'
import type { BootOptions } from './options.ts'
import { boot } from './run.ts'

/** Lines of history that are kept. */
const HISTORY = 2000

/** The user's state folder (XDG Base Directory Specification). */
function stateFolder(): string {
  const base = process.env.XDG_STATE_HOME
  return join(base?.startsWith('/') ? base : join(homedir(), '.local', 'state'), 'linnet')
}

/** The history file, newest line last; a folder that cannot be written to only means no history. */
class History {
  private readonly file = join(stateFolder(), 'history')
  readonly lines: string[]

  constructor() {
    let text = ''
    try {
      text = readFileSync(this.file, 'utf8')
    } catch {
      // the first session has none
    }
    this.lines = text
      .split('\n')
      .filter(line => line !== '')
      .slice(-HISTORY)
      .reverse()
  }

  add(line: string): void {
    if (line.trim() === '' || line === this.lines[0]) return
    this.lines.unshift(line)
    try {
      mkdirSync(stateFolder(), { recursive: true, mode: 0o700 })
      appendFileSync(this.file, `${line}\n`, { mode: 0o600 })
    } catch {
      // a read-only home: the session still has its own history
    }
  }
}

/** The terminal's front end: hands keys to the machine, and reads whole lines with editing when somebody asks for one. */
class FrontEnd {
  private readonly decoder = new TextDecoder()
  private readonly history = new History()
  /** what has been written since the last newline: the prompt, when a line is asked for */
  private partial = ''
  private editor: Interface | undefined
  private tty: Tty | undefined
  private machine: Machine | undefined
  private shell: Running | undefined

  /** Output of the machine. */
  output(data: Uint8Array): void {
    const text = this.decoder.decode(data, { stream: true })
    process.stdout.write(text.replaceAll('\n', '\r\n'))
    const last = text.lastIndexOf('\n')
    this.partial = last < 0 ? this.partial + text : text.slice(last + 1)
  }

  /** A process waits for input. */
  waiting(): void {
    if (this.editor === undefined && this.tty?.termios.canonical === true && this.tty.termios.echo) this.edit()
  }

  /** Binds the front end to a started shell. */
  start(machine: Machine, tty: Tty, shell: Running): void {
    this.machine = machine
    this.tty = tty
    this.shell = shell
    process.stdin.setRawMode(true)
    process.stdin.on('data', this.keys).resume()
    process.stdout.on('resize', this.resized)
    this.resized()
  }

  /** Gives the terminal back. */
  stop(): void {
    this.editor?.close()
    process.stdin.off('data', this.keys).setRawMode(false)
    process.stdin.pause()
    process.stdout.off('resize', this.resized)
  }

  private readonly keys = (data: Buffer): void => {
    if (this.editor === undefined) this.tty?.input(data)
  }

  private readonly resized = (): void => {
    const { tty } = this
    if (tty === undefined || process.stdout.rows === undefined) return
    if (tty.rows !== process.stdout.rows || tty.columns !== process.stdout.columns)
      tty.resize(process.stdout.rows, process.stdout.columns)
  }

  /** Reads one line with readline, then lets go of the keyboard. */
  private edit(): void {
    const prompt = this.partial
    const editor = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      prompt,
      history: [...this.history.lines],
      historySize: HISTORY,
      completer: (line: string) => complete(this.machine!, this.tty!.foreground, line),
    })
    this.editor = editor
    let settled = false
    const done = (finish: () => void): void => {
      if (settled) return
      settled = true
      this.editor = undefined
      editor.close()
      process.stdin.setRawMode(true)
      process.stdin.resume()
      this.partial = ''
      finish()
    }
    editor.on('line', line =>
      done(() => {
        this.history.add(line)
        this.tty!.inputLine(line)
      }),
    )
    editor.on('SIGINT', () =>
      done(() => {
        process.stdout.write('^C\r\n')
        this.tty!.input(Uint8Array.of(3))
      }),
    )
    editor.on('SIGTSTP', () => {})
    editor.on('close', () => done(() => this.tty!.inputEnd()))
    editor.prompt(true)
  }
}

/** Runs the interactive shell. @param fast virtual time runs free @returns its exit status */
export async function interactive(options: BootOptions, fast: boolean): Promise<number> {
  if (!process.stdin.isTTY) {
    const { runStdin } = await import('./run.ts')
    return runStdin(options)
  }
  const machine = boot(options)
  const frontEnd = new FrontEnd()
  const { tty, open } = machine.createTty(frontEnd)
  tty.termios.crlf = false
  const shell = machine.spawn({
    argv: ['bash', '-i'],
    env: new Map([
      ['HOME', '/root'],
      ['LOGNAME', 'root'],
      ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      ['SHELL', '/bin/bash'],
      ['TERM', process.env.TERM ?? 'xterm'],
      ['TZ', 'UTC'],
      ['LC_ALL', 'C'],
      ['USER', 'root'],
    ]),
    cwd: '/root',
    stdin: open(),
    stdout: open(),
    stderr: open(),
    tty,
  })
  frontEnd.start(machine, tty, shell)
  if (!fast) machine.scheduler.setRealTime(true)
  try {
    const status = await machine.run(shell.exited)
    return status.kind === 'exited' ? status.status : status.kind === 'signaled' ? 128 + status.signal : 0
  } finally {
    frontEnd.stop()
  }
}
