/** The -color option of the iproute2 tools. */
import type { Process } from '../../src/uapi/process.ts'
import { matches } from './args.ts'
import type { ColorScheme } from './printer.ts'

/** When to use colours. */
export type ColorWhen = 'never' | 'auto' | 'always'

/** @returns what a `-c[olor][={always|auto|never}]` option asks for, undefined where the word is another option */
export function colorOption(option: string): ColorWhen | undefined {
  const equals = option.indexOf('=')
  const name = equals < 0 ? option : option.slice(0, equals)
  if (!matches(name, '-color')) return undefined
  const when = equals < 0 ? 'always' : option.slice(equals + 1)
  return when === 'never' || when === 'auto' || when === 'always' ? when : undefined
}

/** @returns the colours to use: by the option, by whether standard output is a terminal, and by COLORFGBG */
export function colorScheme(when: ColorWhen | undefined, proc: Pick<Process, 'isatty' | 'env'>): ColorScheme {
  if (when === undefined || when === 'never' || (when === 'auto' && !proc.isatty(1))) return 'off'
  const background = /;([0-68])$/.exec(proc.env.get('COLORFGBG') ?? '')
  return background === null ? 'light' : 'dark'
}
