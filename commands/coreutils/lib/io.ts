/** Reading and writing as the text utilities do it: byte strings, by lines or in blocks, never more held than needed. */
import { isSysError, strerror } from '../../../src/uapi/errno.ts'
import { O_RDONLY } from '../../../src/uapi/fs.ts'
import type { Process } from '../../../src/uapi/process.ts'
import { fromBytes, toBytes } from './bytes.ts'

/** Bytes read at a time. */
const BLOCK = 65_536
/** Bytes of output that may wait before the writer waits for its reader. */
const HIGH_WATER = 4096

/** @returns what is wrong with a failed system call; rethrows anything else */
export function reason(error: unknown): string {
  if (isSysError(error)) return strerror(error.errno)
  throw error
}

/** Opens a file for reading; `-` is standard input. @throws SysError */
export function openInput(proc: Process, name: string): number {
  return name === '-' ? 0 : proc.open(name, O_RDONLY)
}

/** Closes what `openInput` opened. */
export function closeInput(proc: Process, fd: number): void {
  if (fd !== 0) proc.close(fd)
}

/** Reads lines from a descriptor. */
export class LineReader {
  private readonly proc: Process
  private readonly fd: number
  private readonly delimiter: string
  private buffer = ''
  private at = 0
  private ended = false
  /** whether the line given last had its newline */
  terminated = true

  constructor(proc: Process, fd: number, delimiter = '\n') {
    this.proc = proc
    this.fd = fd
    this.delimiter = delimiter
  }

  /** @returns the next line without its newline, undefined at the end @throws SysError */
  async next(): Promise<string | undefined> {
    let searched = this.at
    for (;;) {
      const end = this.buffer.indexOf(this.delimiter, searched)
      if (end >= 0) {
        const line = this.buffer.slice(this.at, end)
        this.at = end + 1
        this.terminated = true
        return line
      }
      if (this.ended) {
        if (this.at >= this.buffer.length) return undefined
        const line = this.buffer.slice(this.at)
        this.at = this.buffer.length
        this.terminated = false
        return line
      }
      this.buffer = this.buffer.slice(this.at)
      searched = this.buffer.length
      this.at = 0
      const data = await this.proc.read(this.fd, BLOCK)
      if (data.length === 0) this.ended = true
      else this.buffer += fromBytes(data)
    }
  }

  /** whether what was read so far is used up, so that the next line has to be waited for */
  get drained(): boolean {
    return this.at >= this.buffer.length
  }
}

/** @returns the whole contents of a descriptor @throws SysError */
export async function readAll(proc: Process, fd: number): Promise<string> {
  const chunks: string[] = []
  for (;;) {
    const data = await proc.read(fd, BLOCK)
    if (data.length === 0) return chunks.join('')
    chunks.push(fromBytes(data))
  }
}

/** @returns the whole contents of a named file or standard input @throws SysError */
export async function readInput(proc: Process, name: string): Promise<string> {
  const fd = openInput(proc, name)
  try {
    return await readAll(proc, fd)
  } finally {
    closeInput(proc, fd)
  }
}

/** Standard output for byte strings. */
export class Writer {
  private readonly proc: Process
  private pending = 0

  constructor(proc: Process) {
    this.proc = proc
  }

  write(bytes: string): void {
    if (bytes === '') return
    this.proc.stdout.write(toBytes(bytes))
    this.pending += bytes.length
  }

  /** Waits for the reader, where much has been written. Loops over input call it. */
  async relax(): Promise<void> {
    if (this.pending < HIGH_WATER) return
    this.pending = 0
    await this.proc.stdout.flush()
  }
}

/** Prints a message with the program's name before it. @returns 1 */
export function complain(proc: Process, message: string): number {
  proc.stderr.write(`${proc.argv[0] ?? ''}: ${message}\n`)
  return 1
}

/** @returns a name as it is where it can be read, else in quotes: `quoteaf`'s shell-escape style is for names with blanks */
export function quoteName(name: string): string {
  if (!/[^A-Za-z0-9_./:@%+,=-]/.test(name) && name !== '') return name
  if (!/[\x00-\x1f\x7f-\uffff]/.test(name))
    return name.includes("'") ? `"${name.replace(/["$`\\]/g, '\\$&')}"` : `'${name}'`
  return `'${name}'`
}
