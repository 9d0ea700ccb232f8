/** Pathname expansion: patterns to the names of files. */

import { decode, encode } from '../../commands/coreutils/lib/bytes.ts'
import { isSysError } from '../uapi/errno.ts'
import { S_IFDIR, S_IFMT } from '../uapi/fs.ts'
import type { Process } from '../uapi/process.ts'
import { hasGlob, matches, unescapePattern } from './pattern.ts'

export interface GlobOptions {
  readonly dotglob: boolean
  readonly extglob: boolean
  readonly globstar: boolean
  readonly nocaseglob: boolean
  /** patterns of names to leave out, $GLOBIGNORE */
  readonly ignore: readonly string[]
}

/** @returns the files a pattern (a byte string with backslashes before quoted characters) matches, sorted */
export function glob(proc: Process, pattern: string, options: GlobOptions): string[] {
  const parts = pattern.split('/')
  let found: string[] = ['']
  let first = true
  for (let i = 0; i < parts.length && found.length > 0; i++) {
    const part = parts[i]!
    const last = i === parts.length - 1
    if (part === '') {
      // a slash at the beginning, doubled, or at the end, where it asks for directories
      if (first) found = ['/']
      else if (last) found = found.filter(path => isDirectory(proc, path)).map(path => `${path}/`)
      first = false
      continue
    }
    const join = (base: string, name: string): string =>
      base === '' || base.endsWith('/') ? base + name : `${base}/${name}`
    if (!hasGlob(part, options.extglob)) {
      const name = unescapePattern(part)
      found = found.map(base => join(base, name))
      if (last || i === parts.length - 2) found = found.filter(path => exists(proc, path))
    } else if (part === '**' && options.globstar) {
      const out: string[] = []
      for (const base of found) walk(proc, base, join, options, last, out)
      found = out
    } else {
      const out: string[] = []
      for (const base of found) {
        for (const name of list(proc, base)) {
          if (!nameMatches(name, part, options)) continue
          const path = join(base, name)
          if (last || isDirectory(proc, path)) out.push(path)
        }
      }
      found = out
    }
    first = false
  }
  if (options.ignore.length > 0) {
    const how = { extglob: options.extglob }
    found = found.filter(path => {
      const name = path.slice(path.lastIndexOf('/') + 1)
      return name !== '.' && name !== '..' && !options.ignore.some(ignored => matches(ignored, path, how))
    })
  }
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}

function nameMatches(name: string, pattern: string, options: GlobOptions): boolean {
  if (name.startsWith('.') && !options.dotglob && options.ignore.length === 0) {
    if (!pattern.startsWith('.') && !pattern.startsWith('\\.')) return false
  }
  return matches(pattern, name, { extglob: options.extglob, ignoreCase: options.nocaseglob })
}

/** Adds a directory and all below it; only directories unless `files`. */
function walk(
  proc: Process,
  base: string,
  join: (base: string, name: string) => string,
  options: GlobOptions,
  files: boolean,
  out: string[],
): void {
  if (!files || base !== '') out.push(base)
  for (const name of list(proc, base)) {
    if (name.startsWith('.') && !options.dotglob) continue
    const path = join(base, name)
    if (isRealDirectory(proc, path)) walk(proc, path, join, options, files, out)
    else if (files) out.push(path)
  }
}

function list(proc: Process, path: string): string[] {
  try {
    return proc.readdir(path === '' ? '.' : decode(path)).map(entry => encode(entry.name))
  } catch (error) {
    if (isSysError(error)) return []
    throw error
  }
}

function exists(proc: Process, path: string): boolean {
  try {
    proc.lstat(decode(path))
    return true
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

function isDirectory(proc: Process, path: string): boolean {
  try {
    return (proc.stat(decode(path)).mode & S_IFMT) === S_IFDIR
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

function isRealDirectory(proc: Process, path: string): boolean {
  try {
    return (proc.lstat(decode(path)).mode & S_IFMT) === S_IFDIR
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}
