/** The command line of a utility: options by getopt_long, --help and --version. */
import type { Process } from '../../../src/uapi/process.ts'
import { usageError, versionText } from '../../lib/coreutils.ts'
import { Getopt, type Option } from '../../lib/getopt.ts'

/** What is told about a utility. */
export interface About {
  /** synopsis without the name */
  readonly usage: string
  /** what it does, one sentence */
  readonly does: string
  /** its authors, for --version */
  readonly authors: string
  /** options end at the first operand */
  readonly stopEarly?: boolean
  /** exit status of a wrong command line, 1 where absent */
  readonly status?: number
}

/** Options as given. */
export class Options<K extends string> {
  readonly list: readonly { readonly key: K; readonly value: string | undefined }[]
  readonly operands: string[]

  constructor(list: readonly { readonly key: K; readonly value: string | undefined }[], operands: string[]) {
    this.list = list
    this.operands = operands
  }

  has(key: K): boolean {
    return this.list.some(option => option.key === key)
  }

  /** @returns the last value of an option */
  value(key: K): string | undefined {
    return this.list.findLast(option => option.key === key)?.value
  }

  /** @returns all values of an option */
  values(key: K): string[] {
    return this.list.filter(option => option.key === key).map(option => option.value ?? '')
  }
}

/**
 * Reads the command line.
 * @returns the options, or the status to end with where it was wrong or asked for help
 */
export function readOptions<K extends string>(
  proc: Process,
  options: readonly Option<K>[],
  about: About,
  argv: readonly string[] = proc.argv,
): Options<K> | number {
  const all: Option<K | 'help' | 'version'>[] = [
    ...options,
    { key: 'help', long: 'help' },
    { key: 'version', long: 'version' },
  ]
  const opts = new Getopt<K | 'help' | 'version'>(argv, all, about.stopEarly === true)
  const list: { key: K; value: string | undefined }[] = []
  const name = (proc.argv[0] ?? '').replace(/^.*\//, '')
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) return usageError(proc, found.error, about.status ?? 1)
    if (found.key === 'help') {
      proc.stdout.write(`Usage: ${proc.argv[0] ?? ''} ${about.usage}\n${about.does}\n`)
      return 0
    }
    if (found.key === 'version') {
      proc.stdout.write(versionText(name, about.authors))
      return 0
    }
    list.push({ key: found.key as K, value: found.value })
  }
  return new Options(list, opts.operands)
}
