/** ICMP errors as traceroute marks them. */
import { AF_INET } from '../../src/uapi/socket.ts'

const UNREACHABLE: Readonly<Record<number, string>> = {
  0: '!N',
  1: '!H',
  2: '!P',
  3: '',
  5: '!S',
  6: '!N',
  7: '!H',
  8: '!N',
  9: '!X',
  10: '!X',
  11: '!N',
  12: '!H',
  13: '!X',
  14: '!V',
  15: '!C',
}

const UNREACHABLE6: Readonly<Record<number, string>> = { 0: '!N', 1: '!X', 2: '!H', 3: '!H', 4: '' }

/** @returns the mark of an ICMP error, empty for a port that was reached, undefined where the way goes on */
export function icmpMark(family: number, type: number, code: number, info: number): string | undefined {
  if (family === AF_INET) {
    if (type === 11 && code === 0) return undefined
    if (type === 3) return code === 4 ? `!F-${info}` : (UNREACHABLE[code] ?? `!<${code}>`)
  } else {
    if (type === 3 && code === 0) return undefined
    if (type === 1) return UNREACHABLE6[code] ?? `!<${code}>`
    if (type === 2) return `!F-${info}`
  }
  return `!<${type}-${code}>`
}
