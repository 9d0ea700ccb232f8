/** The words of `mount -o`: flags of mount(2), words for mount itself, and the file system's own. See mount(8). */
import {
  MS_BIND,
  MS_DIRSYNC,
  MS_LAZYTIME,
  MS_MOVE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_REMOUNT,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
  MS_UNBINDABLE,
} from '../../src/uapi/mount.ts'

/** Words that set a flag, and those that clear it again. */
const FLAGS: readonly (readonly [on: string, off: string, flag: number])[] = [
  ['ro', 'rw', MS_RDONLY],
  ['nosuid', 'suid', MS_NOSUID],
  ['nodev', 'dev', MS_NODEV],
  ['noexec', 'exec', MS_NOEXEC],
  ['sync', 'async', MS_SYNCHRONOUS],
  ['dirsync', '', MS_DIRSYNC],
  ['remount', '', MS_REMOUNT],
  ['bind', '', MS_BIND],
  ['rbind', '', MS_BIND | MS_REC],
  ['move', '', MS_MOVE],
  ['noatime', 'atime', MS_NOATIME],
  ['nodiratime', 'diratime', MS_NODIRATIME],
  ['relatime', 'norelatime', MS_RELATIME],
  ['strictatime', 'nostrictatime', MS_STRICTATIME],
  ['lazytime', 'nolazytime', MS_LAZYTIME],
  ['silent', 'loud', MS_SILENT],
]

/** How mounts below a mount reach others, by the word after `make-` and in -o. */
export const PROPAGATIONS: ReadonlyMap<string, number> = new Map(
  (
    [
      ['shared', MS_SHARED],
      ['slave', MS_SLAVE],
      ['private', MS_PRIVATE],
      ['unbindable', MS_UNBINDABLE],
    ] as const
  ).flatMap(([word, flag]) => [[word, flag] as const, [`r${word}`, flag | MS_REC] as const]),
)

/** Words that are for mount(8), or that nothing here depends on. */
const IGNORED =
  /^(?:defaults|auto|noauto|user|nouser|users|owner|group|nofail|_netdev|mand|nomand|iversion|noiversion|comment=.*|[xX]-.*)$/

/** What a list of options means. */
export interface MountOptions {
  flags: number
  /** propagation changes, one call of mount(2) each */
  readonly propagation: number[]
  /** the file system's own options */
  readonly data: string[]
}

/** @returns options without any word */
export function noOptions(): MountOptions {
  return { flags: 0, propagation: [], data: [] }
}

/** Adds words to options; later ones win. */
export function addOptions(options: MountOptions, words: readonly string[]): void {
  for (const word of words) {
    const on = FLAGS.find(([name]) => name === word)
    const off = FLAGS.find(([, name]) => name === word)
    const propagation = PROPAGATIONS.get(word)
    if (on !== undefined) options.flags |= on[2]
    else if (off !== undefined && word !== '') options.flags &= ~off[2]
    else if (propagation !== undefined) options.propagation.push(propagation)
    else if (word !== '' && !IGNORED.test(word)) {
      const key = word.split('=', 1)[0]
      const before = options.data.findIndex(each => each.split('=', 1)[0] === key)
      if (before >= 0) options.data.splice(before, 1)
      options.data.push(word)
    }
  }
}
