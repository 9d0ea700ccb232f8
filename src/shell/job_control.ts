/** Job control: process groups and the terminal. */
import { isSysError } from '../uapi/errno.ts'
import { Signal } from '../uapi/signal.ts'
import type { Shell } from './shell.ts'

/** Begins job control: jobs get process groups of their own; with a terminal, the shell keeps the foreground. */
export function startJobControl(sh: Shell): void {
  const { proc } = sh
  for (const fd of [0, 1, 2]) {
    try {
      if (!proc.isatty(fd)) continue
      const terminal = proc.dup(fd, 250)
      if (proc.pgid !== proc.pid) proc.setpgid(0, 0)
      for (const signal of [Signal.SIGTSTP, Signal.SIGTTIN, Signal.SIGTTOU]) proc.signal(signal, 'ignore')
      proc.tcsetpgrp(terminal, proc.pgid)
      sh.terminal = terminal
      sh.savedFds.add(terminal)
      return
    } catch (error) {
      if (!isSysError(error)) throw error
    }
  }
}

/** Ends job control. */
export function stopJobControl(sh: Shell): void {
  if (sh.terminal === undefined) return
  for (const signal of [Signal.SIGTSTP, Signal.SIGTTIN, Signal.SIGTTOU]) sh.proc.signal(signal, 'default')
  sh.savedFds.delete(sh.terminal)
  sh.closeQuietly(sh.terminal)
  sh.terminal = undefined
}

/** In a child of a shell with job control: signals that such a shell ignores mean again what they mean to others. */
export function leaveJobControl(sh: Shell): void {
  for (const signal of [Signal.SIGTSTP, Signal.SIGTTIN, Signal.SIGTTOU]) sh.proc.signal(signal, 'default')
  for (const signal of [Signal.SIGTERM, Signal.SIGQUIT])
    if (sh.traps.get(signal) !== '') sh.proc.signal(signal, 'default')
}
