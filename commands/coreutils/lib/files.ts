/** What the utilities that move files about have in common. */
import { isSysError } from '../../../src/uapi/errno.ts'
import { S_IFDIR, S_IFLNK, S_IFMT, type Stat } from '../../../src/uapi/fs.ts'
import type { Process } from '../../../src/uapi/process.ts'

/** @returns what stat(2) or lstat(2) says, undefined where there is nothing */
export function statOf(proc: Process, path: string, follow = true): Stat | undefined {
  try {
    return follow ? proc.stat(path) : proc.lstat(path)
  } catch (error) {
    if (isSysError(error)) return undefined
    throw error
  }
}

export function isDirectory(stat: Stat | undefined): boolean {
  return stat !== undefined && (stat.mode & S_IFMT) === S_IFDIR
}

export function isLink(stat: Stat | undefined): boolean {
  return stat !== undefined && (stat.mode & S_IFMT) === S_IFLNK
}

/** @returns a path's last component */
export function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1)
}

/** @returns a name within a directory */
export function within(dir: string, name: string): string {
  return dir.endsWith('/') ? dir + name : `${dir}/${name}`
}

/** @returns the umask, which reading changes for a moment */
export function umaskOf(proc: Process): number {
  const mask = proc.umask(0)
  proc.umask(mask)
  return mask
}

/** @returns whether an answer on standard input is yes */
export async function confirm(proc: Process, question: string): Promise<boolean> {
  proc.stderr.write(`${proc.argv[0]}: ${question} `)
  const answer = await proc.stdin.readLine()
  return answer !== undefined && /^[yY]/.test(answer)
}

/** An absolute path without links, `.` and `..`. @returns undefined where a part is missing or links go in circles */
export function resolvePath(proc: Process, path: string, mode: 'existing' | 'last' | 'missing'): string | undefined {
  let todo = (path.startsWith('/') ? path : `${proc.cwd}/${path}`).split('/')
  let done: string[] = []
  for (let links = 0; todo.length > 0; ) {
    const part = todo.shift()!
    if (part === '' || part === '.') continue
    if (part === '..') {
      done.pop()
      continue
    }
    const here = `/${[...done, part].join('/')}`
    const stat = statOf(proc, here, false)
    if (stat === undefined) {
      const last = todo.every(rest => rest === '' || rest === '.')
      if (mode === 'existing' || (mode === 'last' && !last)) return undefined
      done.push(part)
      continue
    }
    if (isLink(stat)) {
      if (++links > 40) return undefined
      const target = proc.readlink(here)
      if (target.startsWith('/')) done = []
      todo = [...target.split('/'), ...todo]
      continue
    }
    if (!isDirectory(stat) && todo.some(rest => rest !== '') && mode !== 'missing') return undefined
    done.push(part)
  }
  return `/${done.join('/')}`
}
