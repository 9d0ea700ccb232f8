/** Rates, sizes and times with their units, as tc and ip read and write them. */
import { formatG, scanFloat } from './number.ts'

const RATE_UNITS: Readonly<Record<string, number>> = {
  bit: 1,
  kibit: 2 ** 10,
  kbit: 1e3,
  mibit: 2 ** 20,
  mbit: 1e6,
  gibit: 2 ** 30,
  gbit: 1e9,
  tibit: 2 ** 40,
  tbit: 1e12,
  bps: 8,
  kibps: 8 * 2 ** 10,
  kbps: 8e3,
  mibps: 8 * 2 ** 20,
  mbps: 8e6,
  gibps: 8 * 2 ** 30,
  gbps: 8e9,
  tibps: 8 * 2 ** 40,
  tbps: 8e12,
}

/** Reads a rate such as `10mbit` (plain numbers are bits per second). @returns whole bytes per second, or undefined */
export function parseRate64(word: string): number | undefined {
  const { value, length } = scanFloat(word)
  if (length === 0) return undefined
  const suffix = word.slice(length).toLowerCase()
  const scale = suffix === '' ? 1 : RATE_UNITS[suffix]
  if (scale === undefined) return undefined
  return Math.floor((value * scale) / 8)
}

/** The same, limited to 32 bits of bytes per second. */
export function parseRate(word: string): number | undefined {
  const rate = parseRate64(word)
  return rate === undefined || rate < 0 || rate > 0xffffffff ? undefined : rate
}

/** @param rate bytes per second  @param iec powers of 1024  @returns such as `10Mbit` */
export function formatRate(rate: number, iec = false): string {
  const kilo = iec ? 1024 : 1000
  const units = ['', 'K', 'M', 'G', 'T']
  let bits = rate * 8
  let unit = 0
  while (unit < 4 && bits >= kilo && (bits % kilo === 0 || bits >= 1000 * kilo)) {
    bits = Math.floor(bits / kilo)
    unit++
  }
  return `${bits}${units[unit]}${iec && unit > 0 ? 'i' : ''}bit`
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 2 ** 10,
  kb: 2 ** 10,
  m: 2 ** 20,
  mb: 2 ** 20,
  g: 2 ** 30,
  gb: 2 ** 30,
  kbit: 2 ** 10 / 8,
  mbit: 2 ** 20 / 8,
  gbit: 2 ** 30 / 8,
}

/** Reads a size such as `10kb`. @returns whole bytes, or undefined */
export function parseSize(word: string): number | undefined {
  const { value, length } = scanFloat(word)
  if (length === 0) return undefined
  const suffix = word.slice(length).toLowerCase()
  const scale = suffix === '' ? 1 : SIZE_UNITS[suffix]
  return scale === undefined ? undefined : Math.trunc(value * scale)
}

/** @param size bytes  @returns such as `10Kb`, `1500b` */
export function formatSize(size: number): string {
  const mega = 2 ** 20
  if (size >= mega && Math.abs(mega * Math.round(size / mega) - size) < 1024) {
    return `${formatG(Math.round(size / mega))}Mb`
  }
  if (size >= 1024 && Math.abs(1024 * Math.round(size / 1024) - size) < 16) {
    return `${formatG(Math.round(size / 1024))}Kb`
  }
  return `${size}b`
}

const TIME_UNITS: Readonly<Record<string, number>> = {
  s: 1e6,
  sec: 1e6,
  secs: 1e6,
  ms: 1e3,
  msec: 1e3,
  msecs: 1e3,
  us: 1,
  usec: 1,
  usecs: 1,
}

/** Reads a time such as `20ms` (plain numbers are microseconds). @returns microseconds, or undefined */
export function parseTime(word: string): number | undefined {
  const { value, length } = scanFloat(word)
  if (length === 0) return undefined
  const suffix = word.slice(length).toLowerCase()
  const scale = suffix === '' ? 1 : TIME_UNITS[suffix]
  return scale === undefined ? undefined : Math.trunc(value * scale)
}

/** @param time microseconds  @returns such as `20ms`, `1.5s`, `99us` */
export function formatTime(time: number): string {
  if (time >= 1e6) return `${formatG(time / 1e6, 3)}s`
  if (time >= 1e3) return `${formatG(time / 1e3, 3)}ms`
  return `${time}us`
}

/**
 * Reads a route metric's time: a plain number stays as it is (`raw`), `s`/`ms` suffixes are milliseconds (get_time_rtt).
 * @returns undefined where it is none
 */
export function parseTimeRtt(word: string): { readonly value: number; readonly raw: boolean } | undefined {
  const { value, length } = /^[^.]*$/.test(word) ? scanFloat(word) : scanFloat(word)
  if (length === 0) return undefined
  const suffix = word.slice(length).toLowerCase()
  if (suffix === '') return { value: Math.trunc(value), raw: true }
  if (suffix === 's' || suffix === 'sec' || suffix === 'secs') return { value: Math.ceil(value * 1000), raw: false }
  if (suffix === 'ms' || suffix === 'msec' || suffix === 'msecs') return { value: Math.ceil(value), raw: false }
  return undefined
}
