/** Running another program in place of this one, as execvp(3) does. */
import { Errno, isSysError, type SysError, strerror } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'

/** Exit statuses of a program that runs others and cannot: it is not there, or it cannot be run. */
export const EXIT_ENOENT = 127
export const EXIT_CANNOT_INVOKE = 126

/**
 * Runs a command in this process. A file that is neither a program nor a script is given to the shell.
 * @param failed makes the message, with its newline, from the text of the error
 * @returns only where it fails: the status, after the message has been written
 */
export async function execCommand(
  proc: Process,
  words: readonly string[],
  failed: (reason: string) => string,
): Promise<number> {
  const name = words[0] ?? ''
  try {
    return await proc.exec(name, words)
  } catch (error) {
    if (!isSysError(error)) throw error
    if (error.errno === Errno.ENOEXEC) return proc.exec('/bin/sh', ['sh', proc.which(name) ?? name, ...words.slice(1)])
    proc.stderr.write(failed(strerror(error.errno)))
    return exitStatus(error)
  }
}

function exitStatus(error: SysError): number {
  return error.errno === Errno.ENOENT ? EXIT_ENOENT : EXIT_CANNOT_INVOKE
}
