/** Patterns in variable names and file names: glob(3) over the machine's files. */
import { isSysError } from '../../src/uapi/errno.ts'
import type { Process } from '../../src/uapi/process.ts'

/** @returns whether a name has a pattern character */
export function hasGlob(name: string): boolean {
  return /[*?[]/.test(name)
}

function component(pattern: string): RegExp {
  let source = ''
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!
    if (c === '*') source += '[^/]*'
    else if (c === '?') source += '[^/]'
    else if (c === '[') {
      const end = pattern.indexOf(']', i + 2)
      if (end < 0) source += '\\['
      else {
        source += `[${pattern
          .slice(i + 1, end)
          .replace(/^!/, '^')
          .replaceAll('\\', '\\\\')}]`
        i = end
      }
    } else source += c.replace(/[\\^$.|+(){}\]]/, '\\$&')
  }
  return new RegExp(`^${source}$`)
}

/** @returns the existing paths that match an absolute pattern, in byte order of the whole path */
export function globPaths(proc: Process, pattern: string): string[] {
  let found = [pattern.startsWith('/') ? '' : '.']
  for (const part of pattern.split('/').filter(word => word !== '')) {
    const next: string[] = []
    for (const dir of found) {
      if (!hasGlob(part)) {
        if (proc.access(`${dir}/${part}`, 0)) next.push(`${dir}/${part}`)
        continue
      }
      const regex = component(part)
      try {
        for (const { name } of proc.readdir(dir === '' ? '/' : dir))
          if (regex.test(name) && (!name.startsWith('.') || part.startsWith('.'))) next.push(`${dir}/${name}`)
      } catch (error) {
        // what is no directory has nothing that matches
        if (!isSysError(error)) throw error
      }
    }
    found = next
  }
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}
