/** Shell patterns as fnmatch(3) with no flags reads them: `*`, `?`, `[…]`, and backslash quotes. */

/** @returns whether the whole text matches a pattern */
export function fnmatch(pattern: string, text: string): boolean {
  return new RegExp(`^${patternSource(pattern)}$`, 's').test(text)
}

function quoteChar(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}

function patternSource(pattern: string): string {
  let source = ''
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!
    if (char === '*') source += '.*'
    else if (char === '?') source += '.'
    else if (char === '\\' && i + 1 < pattern.length) source += quoteChar(pattern[++i]!)
    else if (char === '[') {
      const end = pattern.indexOf(']', i + (/^\[[!^]?\]/.test(pattern.slice(i)) ? 3 : 1))
      if (end < 0) {
        source += '\\['
        continue
      }
      const negated = pattern[i + 1] === '!' || pattern[i + 1] === '^'
      const body = pattern.slice(i + (negated ? 2 : 1), end).replace(/[\\\]^]/g, '\\$&')
      source += `[${negated ? '^' : ''}${body}]`
      i = end
    } else source += quoteChar(char)
  }
  return source
}
