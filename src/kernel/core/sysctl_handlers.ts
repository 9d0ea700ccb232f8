/**
 * How sysctl values are written and shown: the kernel's `proc_dointvec` family. Text is parsed as the kernel does it:
 * blanks around numbers, base by prefix (0x, 0), several values in one write, what follows the last value ignored.
 */
import { Errno } from '../../uapi/errno.ts'
import { HZ, USER_HZ } from './clock.ts'
import type { CtlTable } from './sysctl.ts'

const INT_MAX = 0x7fffffff
const INT_MIN = -0x80000000
const UINT_MAX = 0xffffffff

/** Where the values are: one number or several, and what happens after a write. */
export interface CtlVar {
  /** how many numbers there are */
  readonly count: number
  get(i: number): number
  set(i: number, value: number): void
}

/** Keys of `T` whose value is a number. */
export type NumberKey<T> = { [K in keyof T]: T[K] extends number ? K : never }[keyof T] & string
/** Keys of `T` whose value is a list of numbers. */
export type VectorKey<T> = { [K in keyof T]: T[K] extends number[] ? K : never }[keyof T] & string

/** A variable that is a field of an object. */
export function field<T extends object>(object: T, key: NumberKey<T>): CtlVar {
  const values = object as Record<string, number>
  return {
    count: 1,
    get: () => values[key]!,
    set: (_, value) => {
      values[key] = value
    },
  }
}

/** A variable that is a list in a field of an object. */
export function vector<T extends object>(object: T, key: VectorKey<T>): CtlVar {
  const values = (object as Record<string, number[]>)[key]!
  return {
    count: values.length,
    get: i => values[i]!,
    set: (i, value) => {
      values[i] = value
    },
  }
}

const SPACE = /^[ \t\n\v\f\r]*/

/**
 * Reads numbers one after the other as `proc_get_long` does.
 * @param take gets each number's sign and magnitude; a negative result ends the write with that error
 * @returns 0 or a negative error
 */
function parseLongs(
  text: string,
  count: number,
  take: (negative: boolean, magnitude: number, i: number) => number,
): number {
  let rest = text.replace(SPACE, '')
  for (let i = 0; i < count; i++) {
    if (rest === '') return i === 0 ? -Errno.EINVAL : 0
    const match = /^(-?)(0[xX][0-9a-fA-F]+|\d+)/.exec(rest)
    if (match === null) return -Errno.EINVAL
    const digits = match[2]!
    let length = match[0].length
    let magnitude: number
    if (/^0[xX]/.test(digits)) magnitude = Number.parseInt(digits.slice(2), 16)
    else if (digits.length > 1 && digits.startsWith('0')) {
      // octal ends at the first other digit, which then is a bad separator
      const octal = /^0[0-7]*/.exec(digits)![0]
      magnitude = Number.parseInt(octal, 8)
      length = match[1]!.length + octal.length
    } else magnitude = Number(digits)
    const after = rest[length]
    if (after !== undefined && after !== ' ' && after !== '\t' && after !== '\n') return -Errno.EINVAL
    const rc = take(match[1] === '-', magnitude, i)
    if (rc < 0) return rc
    rest = rest.slice(length).replace(SPACE, '')
  }
  return 0
}

function show(v: CtlVar, convert: (value: number) => number = value => value): string {
  let text = ''
  for (let i = 0; i < v.count; i++) text += (i === 0 ? '' : '\t') + String(convert(v.get(i)))
  return `${text}\n`
}

/** What an entry may have beside its variable. */
export interface CtlOptions {
  readonly mode?: number
  readonly min?: number
  readonly max?: number
  /** runs after a successful write */
  readonly changed?: () => void
}

function entry(
  procname: string,
  v: CtlVar,
  options: CtlOptions,
  parse: (negative: boolean, magnitude: number, i: number) => number,
  convert?: (value: number) => number,
): CtlTable {
  const mode = options.mode ?? 0o644
  return {
    procname,
    mode,
    read: () => show(v, convert),
    ...((mode & 0o222) === 0
      ? {}
      : {
          write: text => {
            const rc = parseLongs(text, v.count, parse)
            if (rc === 0) options.changed?.()
            return rc
          },
        }),
  }
}

/** Signed 32-bit integers, with limits if given (proc_dointvec, proc_dointvec_minmax). */
export function procDointvec(procname: string, v: CtlVar, options: CtlOptions = {}): CtlTable {
  const { min = INT_MIN, max = INT_MAX } = options
  return entry(procname, v, options, (negative, magnitude, i) => {
    const value = negative ? -magnitude : magnitude
    if (value < INT_MIN || value > INT_MAX || value < min || value > max) return -Errno.EINVAL
    v.set(i, value)
    return 0
  })
}

/** Unsigned 32-bit integers (proc_douintvec, proc_douintvec_minmax). */
export function procDouintvec(procname: string, v: CtlVar, options: CtlOptions = {}): CtlTable {
  const { min = 0, max = UINT_MAX } = options
  return entry(procname, v, options, (negative, magnitude, i) => {
    if (negative || magnitude > UINT_MAX) return -Errno.EINVAL
    if (magnitude < min || magnitude > max) return -Errno.EINVAL
    v.set(i, magnitude)
    return 0
  })
}

/** Bytes (proc_dou8vec_minmax). */
export function procDou8vec(procname: string, v: CtlVar, options: CtlOptions = {}): CtlTable {
  return procDouintvec(procname, v, { ...options, min: options.min ?? 0, max: options.max ?? 255 })
}

/** Unsigned longs (proc_doulongvec_minmax): negative numbers are skipped. */
export function procDoulongvec(procname: string, v: CtlVar, options: CtlOptions = {}): CtlTable {
  const { min = 0, max = Number.POSITIVE_INFINITY } = options
  return entry(procname, v, options, (negative, magnitude, i) => {
    if (negative) return 0
    if (magnitude >= 2 ** 64 || magnitude < min || magnitude > max) return -Errno.EINVAL
    v.set(i, magnitude)
    return 0
  })
}

/** Seconds that the kernel keeps in jiffies (proc_dointvec_jiffies). */
export function procDointvecJiffies(procname: string, v: CtlVar, options: CtlOptions = {}): CtlTable {
  return entry(procname, v, options, (negative, magnitude, i) => {
    if (magnitude > Math.floor(INT_MAX / HZ)) return -Errno.EINVAL
    v.set(i, negative ? -magnitude : magnitude)
    return 0
  })
}

/** Hundredths of a second that the kernel keeps in jiffies (proc_dointvec_userhz_jiffies). */
export function procDointvecUserhzJiffies(procname: string, v: CtlVar, options: CtlOptions = {}): CtlTable {
  return entry(procname, v, options, (negative, magnitude, i) => {
    const jiffies = Math.floor((magnitude * HZ) / USER_HZ)
    if (USER_HZ < HZ && magnitude > Math.floor(INT_MAX / HZ) * USER_HZ) return -Errno.EINVAL
    const shown = Math.floor((jiffies * USER_HZ) / HZ)
    v.set(i, negative ? -shown : shown)
    return 0
  })
}

/** @returns milliseconds as they read back after a trip through jiffies (rounded up to a tick) */
export function msecsThroughJiffies(ms: number): number {
  const tick = 1000 / HZ
  return Math.ceil(ms / tick) * tick
}

/** Milliseconds that the kernel keeps in jiffies (proc_dointvec_ms_jiffies, …_minmax). */
export function procDointvecMsJiffies(procname: string, v: CtlVar, options: CtlOptions = {}): CtlTable {
  const { min = INT_MIN, max = INT_MAX } = options
  return entry(procname, v, options, (negative, magnitude, i) => {
    // a negative number of milliseconds means "as long as can be", which no int of jiffies holds
    if (negative && magnitude > 0) return -Errno.EINVAL
    if (magnitude > INT_MAX || magnitude < min || magnitude > max) return -Errno.EINVAL
    v.set(i, msecsThroughJiffies(magnitude))
    return 0
  })
}

/** Text up to `max` bytes without its line end (proc_dostring). */
export function procDostring(
  procname: string,
  get: () => string,
  set: ((text: string) => number) | undefined,
  options: { mode?: number; max?: number } = {},
): CtlTable {
  return {
    procname,
    mode: options.mode ?? (set === undefined ? 0o444 : 0o644),
    read: () => `${get()}\n`,
    ...(set === undefined
      ? {}
      : { write: (text: string) => set(text.replace(/\n[\s\S]*$/, '').slice(0, (options.max ?? 128) - 1)) }),
  }
}

/**
 * A set of numbers as comma-separated ranges, such as `8080,9000-9010` (proc_do_large_bitmap).
 * A write replaces the set; an empty one clears it.
 */
export function procDoLargeBitmap(procname: string, bits: Uint8Array, options: CtlOptions = {}): CtlTable {
  return {
    procname,
    mode: options.mode ?? 0o644,
    read: () => `${formatBitmap(bits)}\n`,
    write: text => {
      const fresh = new Uint8Array(bits.length)
      let rest = text.replace(/[ \t\n\0]+$/, '').replace(SPACE, '')
      while (rest !== '') {
        const match = /^(\d+|0[xX][0-9a-fA-F]+)(?:-(\d+|0[xX][0-9a-fA-F]+))?(,|$|(?=\n))/.exec(rest)
        if (match === null) return -Errno.EINVAL
        const first = Number(match[1])
        const last = match[2] === undefined ? first : Number(match[2])
        if (first >= bits.length || last >= bits.length || last < first) return -Errno.EINVAL
        fresh.fill(1, first, last + 1)
        rest = rest.slice(match[0].length)
      }
      bits.set(fresh)
      options.changed?.()
      return 0
    },
  }
}

/** @returns the set bits as comma-separated ranges */
export function formatBitmap(bits: Uint8Array): string {
  const ranges: string[] = []
  for (let i = 0; i < bits.length; i++) {
    if (bits[i] === 0) continue
    let last = i
    while (last + 1 < bits.length && bits[last + 1] !== 0) last++
    ranges.push(last === i ? String(i) : `${i}-${last}`)
    i = last
  }
  return ranges.join(',')
}
