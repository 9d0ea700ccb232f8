/** The frame of the utilities that read files, or standard input, line by line and write lines. */
import type { Process } from '../../../src/uapi/process.ts'
import { closeInput, complain, LineReader, openInput, reason, type Writer } from './io.ts'

/**
 * Calls `line` for each line of the files.
 * @param names none: standard input  @param line gets the line without newline and whether it had one
 * @returns 0, or 1 where a file could not be read
 */
export async function eachLine(
  proc: Process,
  names: readonly string[],
  writer: Writer,
  line: (text: string, terminated: boolean) => void,
  delimiter = '\n',
): Promise<number> {
  let status = 0
  for (const name of names.length === 0 ? ['-'] : names) {
    try {
      const fd = openInput(proc, name)
      try {
        const reader = new LineReader(proc, fd, delimiter)
        for (let text = await reader.next(); text !== undefined; text = await reader.next()) {
          line(text, reader.terminated)
          await writer.relax()
        }
      } finally {
        closeInput(proc, fd)
      }
    } catch (error) {
      status = complain(proc, `${name}: ${reason(error)}`)
    }
  }
  return status
}
