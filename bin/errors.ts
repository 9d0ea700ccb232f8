/** What a user of the command line is told when something is wrong: one line, never a stack trace. */

/** The command line was used wrongly. */
export class UsageError extends Error {}

/** Status of a fault of our own: EX_SOFTWARE of sysexits.h. */
const EX_SOFTWARE = 70

/**
 * Says what went wrong on standard error.
 * @param misuse the status of wrong use
 * @returns the exit status
 */
export function fail(error: unknown, misuse: number): number {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof UsageError) {
    process.stderr.write(`linnet: ${message}\n`)
    return misuse
  }
  process.stderr.write(`linnet: internal error: ${message}\n`)
  if (process.env.LINNET_DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`)
  return EX_SOFTWARE
}
