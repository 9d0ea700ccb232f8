/** Signal numbers of x86-64 Linux, see signal(7). */
export const Signal = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
} as const

/** A signal's name with `SIG`, such as `SIGINT`. */
export type SignalName = keyof typeof Signal

/** @returns a signal's name without `SIG`, or undefined for a number that has none */
export function signalName(number: number): string | undefined {
  for (const [name, n] of Object.entries(Signal)) if (n === number) return name.slice(3)
  return undefined
}

/** @returns a signal's number by its name with or without `SIG` in any case, or by its decimal number; else undefined */
export function signalNumber(word: string): number | undefined {
  if (/^\d+$/.test(word)) return Number(word) <= 64 ? Number(word) : undefined
  const name = word.toUpperCase()
  return Signal[(name.startsWith('SIG') ? name : `SIG${name}`) as SignalName]
}

/** What the kernel does with a signal nobody handles: see signal(7), "Standard signals". */
export function defaultAction(signal: number): 'terminate' | 'ignore' | 'stop' | 'continue' {
  switch (signal) {
    case Signal.SIGCHLD:
    case Signal.SIGURG:
    case Signal.SIGWINCH:
      return 'ignore'
    case Signal.SIGSTOP:
    case Signal.SIGTSTP:
    case Signal.SIGTTIN:
    case Signal.SIGTTOU:
      return 'stop'
    case Signal.SIGCONT:
      return 'continue'
    default:
      return 'terminate'
  }
}
