/** The primaries of `test` and [[: files, strings, variables. */
import { isSysError } from '../uapi/errno.ts'
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, type Stat } from '../uapi/fs.ts'
import type { Process } from '../uapi/process.ts'
import { decode } from './bytes.ts'
import { toPlace } from './parameter.ts'
import type { Shell } from './shell.ts'
import { Attr } from './variables.ts'

function statOf(proc: Process, path: string, follow: boolean): Stat | undefined {
  try {
    return follow ? proc.stat(decode(path)) : proc.lstat(decode(path))
  } catch (error) {
    if (isSysError(error)) return undefined
    throw error
  }
}

/** Tests a file. @param path a byte string */
export function fileTest(proc: Process, operator: string, path: string): boolean {
  const type = (wanted: number): boolean => {
    const stat = statOf(proc, path, true)
    return stat !== undefined && (stat.mode & S_IFMT) === wanted
  }
  const bit = (mask: number): boolean => ((statOf(proc, path, true)?.mode ?? 0) & mask) !== 0
  switch (operator) {
    case '-a':
    case '-e':
      return statOf(proc, path, true) !== undefined
    case '-b':
      return type(S_IFBLK)
    case '-c':
      return type(S_IFCHR)
    case '-d':
      return type(S_IFDIR)
    case '-f':
      return type(S_IFREG)
    case '-p':
      return type(S_IFIFO)
    case '-S':
      return type(S_IFSOCK)
    case '-h':
    case '-L':
      return ((statOf(proc, path, false)?.mode ?? 0) & S_IFMT) === S_IFLNK
    case '-g':
      return bit(0o2000)
    case '-u':
      return bit(0o4000)
    case '-k':
      return bit(0o1000)
    case '-r':
      return path !== '' && proc.access(decode(path), 4)
    case '-w':
      return path !== '' && proc.access(decode(path), 2)
    case '-x':
      return path !== '' && proc.access(decode(path), 1)
    case '-s':
      return (statOf(proc, path, true)?.size ?? 0) > 0
    case '-G':
      return statOf(proc, path, true)?.gid === proc.gid
    case '-O':
      return statOf(proc, path, true)?.uid === proc.uid
    case '-N':
      return false
    case '-t':
      return /^\s*\d+\s*$/.test(path) && isTerminal(proc, Number(path))
    default:
      return false
  }
}

function isTerminal(proc: Process, fd: number): boolean {
  try {
    return proc.isatty(fd)
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

/** Compares two files: -nt, -ot, -ef. */
export function compareFiles(proc: Process, left: string, operator: string, right: string): boolean {
  const a = statOf(proc, left, true)
  const b = statOf(proc, right, true)
  switch (operator) {
    case '-nt':
      return a !== undefined && (b === undefined || a.mtime > b.mtime)
    case '-ot':
      return b !== undefined && (a === undefined || a.mtime < b.mtime)
    default:
      return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino
  }
}

/** Any unary primary. */
export async function unaryTest(sh: Shell, operator: string, text: string): Promise<boolean> {
  switch (operator) {
    case '-n':
      return text !== ''
    case '-z':
      return text === ''
    case '-o':
      return sh.options.on(text)
    case '-v': {
      if (/^\d+$/.test(text)) return Number(text) === 0 || sh.positional[Number(text) - 1] !== undefined
      const place = await toPlace(sh, text)
      if (place === undefined) return false
      if (place.subscript === '@' || place.subscript === '*') return sh.vars.isSet(place.name, true)
      return sh.vars.at(place) !== undefined
    }
    case '-R': {
      const variable = sh.vars.lookup(text)
      return variable !== undefined && (variable.attrs & Attr.Nameref) !== 0 && variable.value !== undefined
    }
    default:
      return fileTest(sh.proc, operator, text)
  }
}
