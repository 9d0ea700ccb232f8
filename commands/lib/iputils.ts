/** What the tools of iputils 20221126 have in common: how they complain, number arguments, versions, their output. */
import { isSysError, strerror } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { ToolExit } from './errors.ts'
import { scanInteger } from './number.ts'

const EXIT_FAILURE = 1
const LONG_MAX = 0x7fffffffffffffffn
const LONG_MIN = -LONG_MAX - 1n
export const INT_MAX = 0x7fffffff

/** @returns what -V prints */
export function versionText(name: string): string {
  return `${name} from iputils 20221126
libcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes
`
}

/** Standard output and complaints of one program: output errors are remembered until the end, as stdio does. */
export class Console {
  readonly name: string
  private readonly proc: Process
  /** setbuf(stdout, NULL): each `print` is written at once */
  unbuffered = false
  private failed = false

  constructor(proc: Process) {
    this.proc = proc
    this.name = proc.argv[0] ?? ''
  }

  /** printf(3): stays in the buffer, unless there is none. */
  async print(text: string): Promise<void> {
    this.proc.stdout.write(text)
    if (this.unbuffered) await this.flush()
  }

  /** fflush(3) */
  async flush(): Promise<void> {
    try {
      await this.proc.stdout.flush()
    } catch (error) {
      if (!isSysError(error)) throw error
      this.failed = true
    }
  }

  /** error(3) with status 0: writes out standard output, then the complaint. @param errno appended as text, 0 for none */
  async warn(text: string, errno = 0): Promise<void> {
    await this.flush()
    this.proc.stderr.write(complaint(this.name, text, errno))
  }

  /** error(3) with a status: ends the program. */
  fail(status: number, text: string, errno = 0): never {
    throw new ToolExit(complaint(this.name, text, errno), status)
  }

  /** strtol(3) with limits: the whole word is a decimal number between `min` and `max`, or the program ends. */
  number(word: string, min: number, max: number | bigint): number {
    const { value, length } = scanInteger(word, 10)
    if (word === '' || length === 0) this.fail(EXIT_FAILURE, `invalid argument: '${word}'`)
    if (value > LONG_MAX || value < LONG_MIN)
      this.fail(EXIT_FAILURE, `invalid argument: '${word}': Numerical result out of range`)
    if (length !== word.length) this.fail(EXIT_FAILURE, `invalid argument: '${word}'`)
    if (value < BigInt(min) || value > BigInt(max))
      this.fail(EXIT_FAILURE, `invalid argument: '${word}': out of range: ${min} <= value <= ${max}`)
    return Number(value)
  }

  /** Runs a program to its end, whichever way that comes. @returns its status, 1 where output was lost */
  async conclude(run: () => Promise<number>): Promise<number> {
    let status: number
    try {
      status = await run()
    } catch (error) {
      if (!(error instanceof ToolExit)) throw error
      await this.flush()
      this.proc.stderr.write(error.text)
      status = error.status
    }
    await this.flush()
    if (!this.failed) return status
    this.proc.stderr.write(`${this.name}: write error\n`)
    return EXIT_FAILURE
  }
}

function complaint(name: string, text: string, errno: number): string {
  return errno === 0 ? `${name}: ${text}\n` : `${name}: ${text}: ${strerror(errno)}\n`
}

/** Makes a program of a function that is given its console. */
export function iputilsProgram(run: (proc: Process, console: Console) => Promise<number>): Program {
  return proc => {
    const console = new Console(proc)
    return console.conclude(() => run(proc, console))
  }
}

/** LONG_MAX, for `number`. */
export const MAX_LONG = LONG_MAX

/** Performs a system call. @returns its error number, 0 where it succeeds */
export async function errnoOf(call: () => unknown): Promise<number> {
  try {
    await call()
    return 0
  } catch (error) {
    if (!isSysError(error)) throw error
    return error.errno
  }
}
