/** Lines of sysctl.conf(5) and `variable=value` arguments, and the two spellings of a variable's name. */

/** One setting that was asked for. */
export interface Setting {
  /** the name with dots, as it is shown */
  readonly key: string
  /** the file below /proc/sys, with slashes */
  readonly path: string
  readonly value: string
  /** `-name` without a value: keeps the name out of a pattern */
  readonly exclude: boolean
}

/** What became of a line: a setting, nothing to do, or a mistake. */
export type Line = { kind: 'setting'; setting: Setting } | { kind: 'nothing' } | { kind: 'invalid' }

/**
 * Swaps two separators where the first separator in the text is `from`: `a/b.c` becomes `a.b/c` for `/` and `.`.
 * A text whose first separator is already `to` stays as it is.
 */
export function swapSeparators(text: string, from: string, to: string): string {
  const first = /[./]/.exec(text)?.[0]
  if (first === undefined || first === to) return text
  return text.replace(/[./]/g, c => (c === from ? to : from))
}

/** @returns the shown name of a variable, separated by dots */
export function dotted(name: string): string {
  return swapSeparators(name, '/', '.')
}

/** @returns a variable's file, under /proc/sys */
export function procPath(name: string): string {
  return `/proc/sys/${swapSeparators(name, '.', '/')}`
}

const trim = (text: string): string => text.replace(/^[ \t\n\v\f\r]+/, '')
const trimEnd = (text: string): string => text.replace(/[ \t\n\v\f\r]+$/, '')

/** Reads one line. @param matches whether the line is wanted at all (`--pattern`) */
export function parseSettingLine(line: string, matches: (text: string) => boolean): Line {
  const text = trim(line)
  if (text.length < 2 || text.startsWith('#') || text.startsWith(';') || !matches(trimEnd(text)))
    return { kind: 'nothing' }
  const equals = text.indexOf('=')
  if (equals < 0) {
    if (!text.startsWith('-')) return { kind: 'invalid' }
    const name = trimEnd(text.slice(1))
    return { kind: 'setting', setting: { key: dotted(name), path: procPath(name), value: '', exclude: true } }
  }
  let name = trimEnd(text.slice(0, equals))
  if (name.startsWith('-')) name = name.slice(1)
  const value = trimEnd(trim(text.slice(equals + 1)))
  return { kind: 'setting', setting: { key: dotted(name), path: procPath(name), value, exclude: false } }
}
