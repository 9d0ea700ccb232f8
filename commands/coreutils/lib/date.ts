/** Dates as people write them: what date -d and touch -d read. */
import { timeZone } from './strftime.ts'

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const UNITS: Readonly<Record<string, number>> = {
  sec: 1,
  second: 1,
  min: 60,
  minute: 60,
  hour: 3600,
  day: 86_400,
  week: 604_800,
  fortnight: 1_209_600,
}
const ORDINALS: Readonly<Record<string, number>> = {
  last: -1,
  this: 0,
  next: 1,
  first: 1,
  third: 3,
  fourth: 4,
  fifth: 5,
  sixth: 6,
  seventh: 7,
  eighth: 8,
  ninth: 9,
  tenth: 10,
}

/**
 * @param now ns since the epoch  @param tz value of TZ
 * @returns ns since the epoch; undefined for what is no date
 */
export function parseDate(text: string, now: number, tz: string): number | undefined {
  const zone = timeZone(tz).offset
  const local = new Date(Math.floor(now / 1e9 + zone) * 1000)
  let year = local.getUTCFullYear()
  let month = local.getUTCMonth()
  let day = local.getUTCDate()
  let seconds: number | undefined
  let offset = zone
  let shift = 0
  let months = 0
  let weekday: { day: number; ordinal: number } | undefined
  let dated = false
  let nanos = 0
  let rest = text.trim().toLowerCase()
  const epoch = /^@(-?\d+)(?:\.(\d{1,9}))?$/.exec(rest)
  if (epoch !== null) return Number(epoch[1]) * 1e9 + Number((epoch[2] ?? '').padEnd(9, '0'))
  const take = (pattern: RegExp): RegExpExecArray | null => {
    const match = pattern.exec(rest)
    if (match !== null) rest = rest.slice(match[0].length).replace(/^[\s,]+/, '')
    return match
  }
  while (rest !== '') {
    let match: RegExpExecArray | null
    if ((match = take(/^(\d{4})-(\d{1,2})-(\d{1,2})(?:t(?=\d))?(?=$|[\s,\d])/)) !== null) {
      year = Number(match[1])
      month = Number(match[2]) - 1
      day = Number(match[3])
      dated = true
    } else if ((match = take(/^(\d{1,2})\/(\d{1,2})(?:\/(\d{2,4}))?(?=$|[\s,])/)) !== null) {
      month = Number(match[1]) - 1
      day = Number(match[2])
      if (match[3] !== undefined)
        year = match[3].length > 2 ? Number(match[3]) : Number(match[3]) + (Number(match[3]) < 69 ? 2000 : 1900)
      dated = true
    } else if ((match = take(/^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(am|pm)?(?=$|[\s,z+-])/)) !== null) {
      let hour = Number(match[1])
      if (match[5] !== undefined) hour = (hour % 12) + (match[5] === 'pm' ? 12 : 0)
      seconds = hour * 3600 + Number(match[2]) * 60 + Number(match[3] ?? 0)
      nanos = Number((match[4] ?? '').padEnd(9, '0'))
      if (hour > 23 || Number(match[2]) > 59) return undefined
    } else if ((match = take(/^(\d{1,2})\s*(am|pm)(?=$|[\s,])/)) !== null) {
      seconds = ((Number(match[1]) % 12) + (match[2] === 'pm' ? 12 : 0)) * 3600
    } else if ((match = take(/^(?:utc|gmt|z)(?=$|[\s,])/)) !== null) offset = 0
    else if (seconds !== undefined && (match = take(/^([+-])(\d{2}):?(\d{2})(?=$|[\s,])/)) !== null) {
      offset = (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3]) * 60)
    } else if (
      (match = take(
        /^(?:(\d{1,2})\s+)?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(?:\s+(\d{1,2})(?=$|[\s,]))?(?:,?\s+(\d{4})(?=$|[\s,]))?/,
      )) !== null
    ) {
      month = MONTHS.indexOf(match[2]!)
      day = Number(match[1] ?? match[3] ?? 1)
      if (match[4] !== undefined) year = Number(match[4])
      dated = true
    } else if ((match = take(/^(now|today|tomorrow|yesterday|midnight|noon)(?=$|[\s,])/)) !== null) {
      if (match[1] === 'tomorrow') shift += 86_400
      if (match[1] === 'yesterday') shift -= 86_400
      if (match[1] === 'midnight') seconds = 0
      if (match[1] === 'noon') seconds = 43_200
    } else if ((match = take(/^(?:(last|this|next)\s+)?(sun|mon|tue|wed|thu|fri|sat)[a-z]*(?=$|[\s,])/)) !== null) {
      weekday = { day: DAYS.indexOf(match[2]!), ordinal: match[1] === undefined ? 0 : ORDINALS[match[1]]! }
    } else if (
      (match = take(
        /^([+-]?\s*\d+|last|this|next|first|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|an?)?\s*(sec|second|min|minute|hour|day|week|fortnight|month|year)s?(\s+ago)?(?=$|[\s,+-])/,
      )) !== null
    ) {
      const word = match[1]?.replace(/\s/g, '')
      const count =
        (word === undefined || /^an?$/.test(word) ? 1 : (ORDINALS[word] ?? Number(word))) *
        (match[3] === undefined ? 1 : -1)
      if (match[2] === 'month') months += count
      else if (match[2] === 'year') months += count * 12
      else shift += count * UNITS[match[2]!]!
    } else if ((match = take(/^(\d{8})(?=$|[\s,])/)) !== null) {
      year = Number(match[1]!.slice(0, 4))
      month = Number(match[1]!.slice(4, 6)) - 1
      day = Number(match[1]!.slice(6))
      dated = true
    } else return undefined
  }
  if (month > 11 || day > 31 || day < 1) return undefined
  if (weekday !== undefined) {
    const today = new Date(Date.UTC(year, month, day)).getUTCDay()
    let ahead = (weekday.day - today + 7) % 7
    if (weekday.ordinal > 0 && ahead === 0) ahead = 7
    if (weekday.ordinal < 0) ahead -= 7
    day += ahead
    seconds ??= 0
  }
  const clock = seconds ?? (dated ? 0 : local.getUTCHours() * 3600 + local.getUTCMinutes() * 60 + local.getUTCSeconds())
  const base = Date.UTC(year, month + months, day) / 1000 + clock - offset + shift
  if (!Number.isFinite(base)) return undefined
  if (seconds === undefined && !dated) nanos = now - Math.floor(now / 1e9) * 1e9
  return base * 1e9 + nanos
}
