/** How commands end other than by finishing: what unwinds the interpreter. None of these is an error of the shell. */

/** `break N` or `continue N` on its way to its loop. */
export class LoopJump {
  readonly kind: 'break' | 'continue'
  /** loops still to leave, this one included */
  readonly count: number
  /** status of the loop that ends */
  readonly status: number
  constructor(kind: 'break' | 'continue', count: number, status = 0) {
    this.kind = kind
    this.count = count
    this.status = status
  }
}

/** `return` on its way to its function or sourced file. */
export class ReturnJump {
  readonly status: number
  constructor(status: number) {
    this.status = status
  }
}

/** The end of the shell, by `exit`, errexit or a fatal error. */
export class ExitJump {
  readonly status: number
  constructor(status: number) {
    this.status = status
  }
}

/** An error that abandons the whole command line being executed: the shell goes on with the next. */
export class DiscardJump {
  readonly status: number
  constructor(status: number) {
    this.status = status
  }
}

/** @returns whether a thrown value is one of the jumps above */
export function isJump(thrown: unknown): thrown is LoopJump | ReturnJump | ExitJump | DiscardJump {
  return (
    thrown instanceof LoopJump ||
    thrown instanceof ReturnJump ||
    thrown instanceof ExitJump ||
    thrown instanceof DiscardJump
  )
}

/** An error with a text for the user that has not been printed yet; the command it comes from fails. */
export class ShellError extends Error {
  /** the whole message: no builtin puts its name before it */
  whole = false

  /** exit status of the command */
  readonly status: number
  /** whether the rest of the command line is abandoned, or even the shell ends (where it is not interactive) */
  readonly severity: 'command' | 'line' | 'shell'
  constructor(message: string, status = 1, severity: 'command' | 'line' | 'shell' = 'line') {
    super(message)
    this.name = 'ShellError'
    this.status = status
    this.severity = severity
  }
}
