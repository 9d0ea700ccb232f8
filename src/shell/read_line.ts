/** Reading lines from a descriptor without taking more than the line. */
import { fromBytes } from '../../commands/coreutils/lib/bytes.ts'
import { Errno, isSysError } from '../uapi/errno.ts'
import { POLLHUP, POLLIN, S_IFMT, S_IFREG } from '../uapi/fs.ts'
import type { Shell } from './shell.ts'

/** Bytes read at a time from a file that can be sought in. */
const BLOCK = 4096

/** Why reading ended before its delimiter. */
export type ReadEnd = 'delimiter' | 'count' | 'eof' | 'timeout' | 'signal'

export interface ReadLimits {
  /** a byte; undefined: none, read on to the end */
  readonly delimiter: string | undefined
  /** characters to read at most */
  readonly count?: number
  /** ns; undefined: for ever */
  readonly timeout?: number
  /** a backslash quotes the next byte; a quoted delimiter does not end the line */
  readonly backslash?: boolean
}

/** Reads from a descriptor one byte after the other, but in blocks where what is too much can be given back. */
class ByteSource {
  private readonly sh: Shell
  private readonly fd: number
  private readonly seekable: boolean
  private readonly deadline: number | undefined
  private buffer = ''
  private at = 0

  constructor(sh: Shell, fd: number, timeout: number | undefined) {
    this.sh = sh
    this.fd = fd
    this.seekable = (sh.proc.fstat(fd).mode & S_IFMT) === S_IFREG
    this.deadline = timeout === undefined ? undefined : sh.proc.monotonic() + timeout
  }

  /** @returns a byte, '' at the end, or why there is none */
  async next(): Promise<string | 'timeout' | 'signal'> {
    if (this.at < this.buffer.length) return this.buffer[this.at++]!
    const { proc } = this.sh
    try {
      if (this.deadline !== undefined) {
        const left = this.deadline - proc.monotonic()
        const [events] = await proc.poll([{ fd: this.fd, events: POLLIN }], Math.max(0, left))
        if (events === 0 || ((events ?? 0) & (POLLIN | POLLHUP)) === 0) return 'timeout'
      }
      const data = await proc.read(this.fd, this.seekable ? BLOCK : 1)
      if (data.length === 0) return ''
      if (data.length === 1) return String.fromCharCode(data[0]!)
      this.buffer = fromBytes(data)
      this.at = 1
      return this.buffer[0]!
    } catch (error) {
      if (isSysError(error, Errno.EINTR)) return 'signal'
      throw error
    }
  }

  /** Gives back what was read too much. */
  done(): void {
    const extra = this.buffer.length - this.at
    if (extra > 0) this.sh.proc.lseek(this.fd, -extra, 'cur')
    this.buffer = ''
    this.at = 0
  }
}

/**
 * Reads up to a delimiter, a count or the end.
 * @returns the bytes, for each whether a backslash quoted it (`escaped[i]`), and why it ended
 */
export async function readUntil(
  sh: Shell,
  fd: number,
  limits: ReadLimits,
): Promise<{ text: string; escaped: boolean[]; end: ReadEnd }> {
  const source = new ByteSource(sh, fd, limits.timeout)
  let text = ''
  let characters = 0
  const escaped: boolean[] = []
  const utf8 = sh.utf8
  let end: ReadEnd = 'eof'
  let quoting = false
  let tail = 0
  for (;;) {
    if (limits.count !== undefined && tail === 0 && characters >= limits.count) {
      end = 'count'
      break
    }
    const c = await source.next()
    if (c === 'signal') {
      if (sh.traps.waiting || sh.traps.interrupted) {
        await sh.traps.runPending(sh)
        if (sh.traps.interrupted) {
          end = 'signal'
          break
        }
      }
      continue
    }
    if (c === 'timeout') {
      end = 'timeout'
      break
    }
    if (c === '') break
    if (quoting) {
      quoting = false
      if (c === '\n') continue
      text += c
      escaped.push(true)
      characters++
      continue
    }
    if (limits.backslash === true && c === '\\') {
      quoting = true
      continue
    }
    if (tail === 0 && limits.delimiter !== undefined && c === limits.delimiter) {
      end = 'delimiter'
      break
    }
    // bash keeps no null bytes
    if (c === '\0') continue
    text += c
    escaped.push(false)
    if (utf8 && tail > 0) {
      if (--tail === 0) characters++
    } else if (utf8 && c >= '\xc2') tail = c >= '\xf0' ? 3 : c >= '\xe0' ? 2 : 1
    else characters++
  }
  source.done()
  return { text, escaped, end }
}

/** @returns the next line without its newline, undefined at the end */
export async function readLine(sh: Shell, fd: number): Promise<string | undefined> {
  const { text, end } = await readUntil(sh, fd, { delimiter: '\n' })
  return end === 'eof' && text === '' ? undefined : text
}
