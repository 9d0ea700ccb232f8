/** Command files of -batch: lines with comments, continuations and quoted words, as ip, tc and bridge read them. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import { O_RDONLY } from '../../src/uapi/fs.ts'
import type { Process } from '../../src/uapi/process.ts'
import { ToolExit } from './errors.ts'

const MAX_ARGS = 512

/** @returns the words of a line: separated by blanks, or in single or double quotes; leaves where a quote is open */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let pos = 0
  while (pos < line.length) {
    while (' \t\r\n'.includes(line[pos] ?? '\0')) pos++
    if (pos >= line.length) break
    if (words.length >= MAX_ARGS - 1) throw new ToolExit('Too many arguments to command\n', 1)
    const quote = line[pos]
    if (quote === "'" || quote === '"') {
      const end = line.indexOf(quote, pos + 1)
      if (end < 0) throw new ToolExit('Unterminated quoted string\n', 1)
      words.push(line.slice(pos + 1, end))
      pos = end + 1
    } else {
      const end = line.slice(pos).search(/[ \t\r\n]/)
      const stop = end < 0 ? line.length : pos + end
      words.push(line.slice(pos, stop))
      pos = stop + 1
    }
  }
  return words
}

/** Where a batch's lines come from, without their newlines. */
export type LineReader = () => Promise<string | undefined>

/** The next bytes of a file; none at its end, and where it cannot be read (a directory). */
async function readChunk(proc: Process, fd: number): Promise<Uint8Array> {
  try {
    return await proc.read(fd, 65536)
  } catch (error) {
    if (!isSysError(error)) throw error
    return new Uint8Array(0)
  }
}

/** Lines of an open file, read as they come. */
function fileLines(proc: Process, fd: number): LineReader {
  const decoder = new TextDecoder()
  let buffered = ''
  let ended = false
  return async () => {
    for (;;) {
      const end = buffered.indexOf('\n')
      if (end >= 0) {
        const line = buffered.slice(0, end)
        buffered = buffered.slice(end + 1)
        return line
      }
      if (ended) {
        const rest = buffered
        buffered = ''
        return rest === '' ? undefined : rest
      }
      const chunk = await readChunk(proc, fd)
      ended = chunk.length === 0
      buffered += decoder.decode(chunk, { stream: !ended })
    }
  }
}

/**
 * Runs the commands of a file.
 * @param name the file, `-` for standard input
 * @param force go on after a command that failed
 * @param command runs one command; its status; only throws ToolExit
 * @returns the exit status: 1 where a command failed
 */
export async function runBatch(
  proc: Process,
  name: string,
  force: boolean,
  command: (words: readonly string[]) => Promise<number>,
): Promise<number> {
  let readLine: LineReader = () => proc.stdin.readLine()
  if (name !== '-') {
    try {
      readLine = fileLines(proc, proc.open(name, O_RDONLY))
    } catch (error) {
      if (!isSysError(error)) throw error
      proc.stderr.write(`Cannot open file "${name}" for reading: ${strerror(error.errno)}\n`)
      return 1
    }
  }
  let number = 0
  let status = 0
  for (;;) {
    const words: string[] = []
    let text = await readLine()
    if (text === undefined) return status
    number++
    text = withoutComment(text)
    while (text.endsWith('\\')) {
      const next = await readLine()
      if (next === undefined) {
        proc.stderr.write('Missing continuation line\n')
        return status
      }
      number++
      text = text.slice(0, -1) + withoutComment(next)
    }
    words.push(...splitWords(text))
    if (words.length === 0) continue
    if ((await command(words)) === 0) continue
    proc.stderr.write(`Command failed ${name}:${number}\n`)
    status = 1
    if (!force) return status
  }
}

function withoutComment(line: string): string {
  const hash = line.indexOf('#')
  return hash < 0 ? line : line.slice(0, hash)
}
