/**
 * How the iproute2 tools fail. Parsers do not write: they throw one of two errors, and the tool's `main` writes the
 * text to standard error.
 *
 * - `ToolExit` leaves the whole program, even a batch with -force: what C code does with exit(). Wrong words on the
 *   command line are of this kind (status 255).
 * - `CommandFailure` ends one command: what C code does by returning an error. A batch with -force goes on.
 */

/** Ends the program with a status; `text` (with its newlines) goes to standard error first. */
export class ToolExit extends Error {
  readonly status: number
  readonly text: string

  constructor(text: string, status: number) {
    super(text)
    this.name = 'ToolExit'
    this.text = text
    this.status = status
  }
}

/** Ends the current command with a status; `text` (with its newlines) goes to standard error first. */
export class CommandFailure extends Error {
  readonly status: number
  readonly text: string

  constructor(text: string, status: number) {
    super(text)
    this.name = 'CommandFailure'
    this.text = text
    this.status = status
  }
}

/** Exit status of a wrong command line: C's exit(-1). */
export const EXIT_USAGE = 255

/** Throws the complaint about a wrong value, such as `Error: argument "x" is wrong: Invalid "mtu" value`. Some callers' messages end in a newline of their own. */
export function invarg(message: string, arg: string): never {
  throw new ToolExit(`Error: argument "${arg}" is wrong: ${message}\n`, EXIT_USAGE)
}

/** Throws the complaint about a keyword given twice. */
export function duparg(key: string, arg: string): never {
  throw new ToolExit(`Error: duplicate "${key}": "${arg}" is the second value.\n`, EXIT_USAGE)
}

/** Throws the complaint about a word that is neither a keyword nor a first value of `key`. */
export function duparg2(key: string, arg: string): never {
  throw new ToolExit(`Error: either "${key}" is duplicate, or "${arg}" is a garbage.\n`, EXIT_USAGE)
}

/** Throws the complaint about a missing argument. */
export function missarg(key: string): never {
  throw new ToolExit(`Error: argument "${key}" is required\n`, EXIT_USAGE)
}

/** Throws the complaint about a command line that ends after a keyword. */
export function incompleteCommand(): never {
  throw new ToolExit('Command line is not complete. Try option "help"\n', EXIT_USAGE)
}

/** @returns the failure `Cannot find device "x"`, status 1 */
export function nodev(dev: string): CommandFailure {
  return new CommandFailure(`Cannot find device "${dev}"\n`, 1)
}
