/** File modes: symbolic changes of chmod and mkdir, and how ls shows them. */
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK } from '../../../src/uapi/fs.ts'

/** @returns the ten characters of `ls -l` */
export function modeText(mode: number): string {
  const type = mode & S_IFMT
  const letter =
    type === S_IFDIR
      ? 'd'
      : type === S_IFLNK
        ? 'l'
        : type === S_IFCHR
          ? 'c'
          : type === S_IFBLK
            ? 'b'
            : type === S_IFIFO
              ? 'p'
              : type === S_IFSOCK
                ? 's'
                : '-'
  const bits = (shift: number, special: boolean, on: string, off: string): string => {
    const rwx = (mode >> shift) & 7
    const x = rwx & 1
    return `${rwx & 4 ? 'r' : '-'}${rwx & 2 ? 'w' : '-'}${special ? (x ? on : off) : x ? 'x' : '-'}`
  }
  return (
    letter +
    bits(6, (mode & 0o4000) !== 0, 's', 'S') +
    bits(3, (mode & 0o2000) !== 0, 's', 'S') +
    bits(0, (mode & 0o1000) !== 0, 't', 'T')
  )
}

/**
 * Reads a mode: octal or symbolic.
 * @param umask what a clause without u, g, o or a leaves alone
 * @returns the new mode of a file with mode `old`; undefined where the text is no mode
 */
export function changeMode(text: string, old: number, directory: boolean, umask: number): number | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8)
    // setuid and setgid of a directory stay unless five digits say otherwise
    return directory && text.length < 5 ? mode | (old & 0o6000) : mode
  }
  let mode = old
  for (const clause of text.split(',')) {
    const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause)
    if (match === null) return undefined
    const who = match[1] === '' ? 'ugo' : match[1]!.includes('a') ? 'ugo' : match[1]!
    const masked = match[1] === '' ? umask : 0
    for (const action of match[2]!.match(/[-+=](?:[rwxXst]*|[ugo])/g) ?? []) {
      const operator = action[0]!
      const letters = action.slice(1)
      let change = 0
      for (const each of who) {
        const shift = each === 'u' ? 6 : each === 'g' ? 3 : 0
        let bits = 0
        if (/^[ugo]$/.test(letters)) bits = (mode >> (letters === 'u' ? 6 : letters === 'g' ? 3 : 0)) & 7
        else {
          if (letters.includes('r')) bits |= 4
          if (letters.includes('w')) bits |= 2
          if (letters.includes('x') || (letters.includes('X') && (directory || mode & 0o111))) bits |= 1
          if (letters.includes('s') && each === 'u') change |= 0o4000
          if (letters.includes('s') && each === 'g') change |= 0o2000
        }
        change |= bits << shift
      }
      if (letters.includes('t')) change |= 0o1000
      change &= ~masked
      if (operator === '+') mode |= change
      else if (operator === '-') mode &= ~change
      else {
        let clear = 0
        for (const each of who) clear |= each === 'u' ? 0o4700 : each === 'g' ? 0o2070 : 0o1007
        mode = (mode & ~(clear & ~masked & ~(directory ? 0o6000 : 0))) | change
      }
    }
  }
  return mode & 0o7777
}
