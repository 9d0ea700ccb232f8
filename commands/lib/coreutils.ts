/** What the GNU coreutils have in common: --help and --version, how they complain, and durations. */
import type { Process } from '../../src/uapi/process.ts'
import type { Getopt, Option } from './getopt.ts'

/** The two options that all of them have. */
export const COMMON_OPTIONS: readonly Option<'help' | 'version'>[] = [
  { key: 'help', long: 'help' },
  { key: 'version', long: 'version' },
]

/** @returns the end of every --help text */
export function helpTail(name: string): string {
  return `
GNU coreutils online help: <https://www.gnu.org/software/coreutils/>
Report any translation bugs to <https://translationproject.org/team/>
Full documentation <https://www.gnu.org/software/coreutils/${name}>
or available locally via: info '(coreutils) ${name} invocation'
`
}

/** @returns what --version prints */
export function versionText(name: string, authors: string): string {
  return `${name} (GNU coreutils) 9.1
Copyright (C) 2022 Free Software Foundation, Inc.
License GPLv3+: GNU GPL version 3 or later <https://gnu.org/licenses/gpl.html>.
This is free software: you are free to change and redistribute it.
There is NO WARRANTY, to the extent permitted by law.

Written by ${authors}.
`
}

/** Complains and points to --help. @returns the status */
export function usageError(proc: Process, message: string | undefined, status: number): number {
  const name = proc.argv[0] ?? ''
  if (message !== undefined) proc.stderr.write(`${message}\n`)
  proc.stderr.write(`Try '${name} --help' for more information.\n`)
  return status
}

/** Complains, with the program's name before the message (error(3)). @returns the status */
export function complain(proc: Process, message: string, status: number): number {
  proc.stderr.write(`${proc.argv[0] ?? ''}: ${message}\n`)
  return status
}

/**
 * Reads the options of a tool that has only --help and --version.
 * @returns the status to end with, or undefined where there was none
 */
export function onlyCommonOptions(
  proc: Process,
  opts: Getopt<'help' | 'version'>,
  texts: { readonly help: string; readonly version: string },
  status: number,
): number | undefined {
  const found = opts.next()
  if (found === undefined) return undefined
  if (found.error !== undefined) return usageError(proc, found.error, status)
  proc.stdout.write(texts[found.key])
  return 0
}

/** @returns a text in the quotes of the C locale, with what would be misread escaped */
export function quote(text: string): string {
  return `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`
}

const NUMBER =
  /^[ \t\n\v\f\r]*([+-]?)(?:(inf(?:inity)?)|(nan)|(0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?\d+)?)|((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?))/i

/** Reads a floating-point number as strtod(3) does. @returns it and what follows it, or undefined where there is none */
export function strtod(text: string): { readonly value: number; readonly rest: string } | undefined {
  const match = NUMBER.exec(text)
  if (match === null) return undefined
  const [all, sign, infinity, nan, hex, decimal] = match
  const magnitude =
    infinity !== undefined
      ? Number.POSITIVE_INFINITY
      : nan !== undefined
        ? Number.NaN
        : hex !== undefined
          ? hexFloat(hex)
          : Number(decimal)
  return { value: sign === '-' ? -magnitude : magnitude, rest: text.slice(all.length) }
}

function hexFloat(text: string): number {
  const match = /^0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?$/i.exec(text)!
  const digits = Number.parseInt(`${match[1]}${match[2]}`, 16)
  return digits * 2 ** (Number(match[3] ?? 0) - 4 * match[2]!.length)
}

const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** Reads a duration such as `1.5m`. @returns ns, Infinity for ever, or undefined where it is none */
export function parseDuration(text: string): number | undefined {
  const number = strtod(text)
  if (number === undefined || !(number.value >= 0)) return undefined
  const unit = UNITS[number.rest]
  return unit === undefined ? undefined : number.value * unit * 1e9
}
