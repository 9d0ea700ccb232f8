/** The mount table as /proc/self/mounts shows it. */
import type { Process } from '../../src/uapi/process.ts'

/** One line. */
export interface MountEntry {
  readonly source: string
  readonly target: string
  readonly type: string
  readonly options: string
}

/** Undoes the octal escapes of blanks and backslashes. */
function unescapeField(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** @returns the mounts, oldest first */
export function readMounts(proc: Process): MountEntry[] {
  return new TextDecoder()
    .decode(proc.readFile('/proc/self/mounts'))
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const [source = '', target = '', type = '', options = ''] = line.split(' ')
      return { source: unescapeField(source), target: unescapeField(target), type, options }
    })
}

/** @returns a path without `.`, `..` and double slashes, absolute */
export function absolutePath(proc: Process, path: string): string {
  const parts: string[] = []
  for (const part of (path.startsWith('/') ? path : `${proc.cwd}/${path}`).split('/'))
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  return `/${parts.join('/')}`
}
