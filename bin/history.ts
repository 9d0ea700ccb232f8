/** The history of the interactive shell, kept in the user's state folder (XDG Base Directory Specification). */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Lines that are kept; the file is cut when it has twice as many. */
export const HISTORY_SIZE = 2000

/** @returns the folder for what Linnet keeps between sessions */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.XDG_STATE_HOME
  return join(base?.startsWith('/') ? base : join(homedir(), '.local', 'state'), 'linnet')
}

/** The history. A folder that cannot be read or written only means that nothing is kept. */
export class History {
  /** newest first, as Node's readline wants them */
  readonly lines: string[]
  private readonly folder: string
  private readonly file: string

  constructor(folder = stateFolder()) {
    this.folder = folder
    this.file = join(folder, 'history')
    const kept = this.load()
    this.lines = kept.slice(-HISTORY_SIZE).reverse()
    if (kept.length > 2 * HISTORY_SIZE) this.cut()
  }

  private load(): string[] {
    try {
      return readFileSync(this.file, 'utf8')
        .split('\n')
        .filter(line => line !== '')
    } catch {
      return []
    }
  }

  /** Rewrites the file with what is kept, all at once. */
  private cut(): void {
    try {
      const unfinished = `${this.file}.${process.pid}`
      writeFileSync(unfinished, `${this.lines.toReversed().join('\n')}\n`, { mode: 0o600 })
      renameSync(unfinished, this.file)
    } catch {
      // it stays long
    }
  }

  /** Adds a line, unless it is blank or the same as the last. */
  add(line: string): void {
    if (line.trim() === '' || line === this.lines[0]) return
    this.lines.unshift(line)
    this.lines.length = Math.min(this.lines.length, HISTORY_SIZE)
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 })
      appendFileSync(this.file, `${line}\n`, { mode: 0o600 })
    } catch {
      // a read-only home: the session still has its own history
    }
  }
}
