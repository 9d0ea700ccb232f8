/** Numbers in sysfs writes: strict, with at most one newline behind (kstrtoul and its kin). */
import { Errno } from '../../uapi/errno.ts'

/**
 * Reads an unsigned number.
 * @param base 0: `0x` is hexadecimal, a leading `0` octal @param max largest value of the type
 * @returns the number, -EINVAL, or -ERANGE where it does not fit
 */
export function kstrtoul(text: string, base: 0 | 10 | 16 = 0, max = Number.MAX_SAFE_INTEGER): number {
  const body = text.endsWith('\n') ? text.slice(0, -1) : text
  const match = /^\+?(0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)$/.exec(body)
  if (match === null) return -Errno.EINVAL
  let digits = match[2]!
  let radix: number = base === 0 ? 10 : base
  if (match[1] !== undefined) {
    if (base === 10) return -Errno.EINVAL
    radix = 16
  } else if (base === 0 && digits.length > 1 && digits.startsWith('0')) {
    radix = 8
    digits = digits.slice(1)
  }
  const allowed = radix === 16 ? /^[0-9a-fA-F]+$/ : radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/
  if (!allowed.test(digits)) return -Errno.EINVAL
  const value = Number.parseInt(digits, radix)
  return value > max ? -Errno.ERANGE : value
}

/** Reads a yes or no as the kernel does: its first letter, or `on`, `off` (kstrtobool). @returns the value or -EINVAL */
export function kstrtobool(text: string): boolean | number {
  const first = text[0] ?? ''
  if ('yYtT1'.includes(first) && first !== '') return true
  if ('nNfF0'.includes(first) && first !== '') return false
  if (first === 'o' || first === 'O') {
    const second = text[1] ?? ''
    if (second === 'n' || second === 'N') return true
    if (second === 'f' || second === 'F') return false
  }
  return -Errno.EINVAL
}

/**
 * Reads a bit mask of CPUs in hexadecimal, groups of 32 bits separated by commas (bitmap_parse).
 * @param bits how many there are @returns the mask, -EINVAL, or -EOVERFLOW for a bit there is none of
 */
export function parseCpumask(text: string, bits: number): number {
  const body = text.trim()
  if (!/^[0-9a-fA-F]{1,8}(,[0-9a-fA-F]{1,8})*$/.test(body)) return -Errno.EINVAL
  const digits = body
    .split(',')
    .map((group, i) => (i === 0 ? group : group.padStart(8, '0')))
    .join('')
  const mask = Number.parseInt(digits, 16)
  return mask >= 2 ** bits ? -Errno.EOVERFLOW : mask
}

/** @returns a bit mask as the kernel prints it: as many hexadecimal digits as `bits` need */
export function formatCpumask(mask: number, bits: number): string {
  return mask.toString(16).padStart(Math.ceil(bits / 4), '0')
}
