/** What the util-linux tools have in common: help, version, how they complain. */
import type { Process } from '../../src/uapi/process.ts'
import type { Option } from './getopt.ts'

/** The two options that all of them have. */
export const HELP_VERSION: readonly Option<'help' | 'version'>[] = [
  { key: 'help', short: 'h', long: 'help' },
  { key: 'version', short: 'V', long: 'version' },
]

/** @returns the short name the program was called by */
export function shortName(proc: Process): string {
  return (proc.argv[0] ?? '').replace(/^.*\//, '')
}

/** Complains, after the program's name (errx(3)). @returns the status */
export function errx(proc: Process, message: string, status = 1): number {
  proc.stderr.write(`${shortName(proc)}: ${message}\n`)
  return status
}

/** Complains about the command line and points to --help. @returns the status */
export function tryHelp(proc: Process, message: string | undefined, status = 1): number {
  if (message !== undefined) proc.stderr.write(`${message}\n`)
  proc.stderr.write(`Try '${shortName(proc)} --help' for more information.\n`)
  return status
}

/** @returns what --version prints */
export function utilVersion(name: string): string {
  return `${name} from util-linux 2.38.1\n`
}
