/** Times as text, as strftime(3) has them in the C locale. Time zones: UTC, and offsets of the form `XXX[+-]h[:mm]`. */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const pad = (n: number, width: number, fill = '0'): string => String(n).padStart(width, fill)

/** @returns name and offset east of UTC, s, of a value of TZ */
export function timeZone(tz: string): { name: string; offset: number } {
  const match = /^([A-Za-z]{3,})([+-]?\d{1,2})?(?::(\d{2}))?/.exec(tz.replace(/^:/, ''))
  if (match === null || match[2] === undefined)
    return { name: match !== null && !tz.includes('/') ? match[1]! : 'UTC', offset: 0 }
  const hours = Number(match[2])
  const seconds = (Math.abs(hours) * 60 + Number(match[3] ?? 0)) * 60
  // POSIX counts west
  return { name: match[1]!, offset: hours < 0 || Object.is(hours, -0) || match[2].startsWith('-') ? seconds : -seconds }
}

/** @returns the ISO week and its year */
function isoWeek(date: Date): { week: number; year: number } {
  const day = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()))
  const weekday = (day.getUTCDay() + 6) % 7
  day.setUTCDate(day.getUTCDate() - weekday + 3)
  const year = day.getUTCFullYear()
  const first = new Date(Date.UTC(year, 0, 4))
  const week = 1 + Math.round(((day.getTime() - first.getTime()) / 86_400_000 - 3 + ((first.getUTCDay() + 6) % 7)) / 7)
  return { week, year }
}

/**
 * @param format with %-conversions and GNU's flags - _ 0 ^ #  @param ns since the epoch  @param tz value of TZ
 * @returns the time as text
 */
export function strftime(format: string, ns: number, tz = ''): string {
  const zone = timeZone(tz)
  const seconds = Math.floor(ns / 1e9)
  const date = new Date((seconds + zone.offset) * 1000)
  const nanos = ns - seconds * 1e9
  return format.replace(
    /%([-_0^#]*)(\d*)([EO]?)(:{0,3}[a-zA-Z%+])/g,
    (all, flags: string, width: string, _modifier: string, c: string) => {
      const number = (n: number, digits: number, fill = '0'): string => {
        if (flags.includes('-')) return String(n)
        const with_ = flags.includes('_') ? ' ' : flags.includes('0') ? '0' : fill
        return pad(n, width === '' ? digits : Number(width), with_)
      }
      const text = (s: string): string => {
        const cased = flags.includes('^')
          ? s.toUpperCase()
          : flags.includes('#')
            ? c === 'p' || c === 'Z'
              ? s.toLowerCase()
              : s.toUpperCase()
            : s
        return width === '' ? cased : cased.padStart(Number(width), flags.includes('0') ? '0' : ' ')
      }
      const recurse = (f: string): string => text(strftime(f, ns, tz))
      const hour12 = date.getUTCHours() % 12 === 0 ? 12 : date.getUTCHours() % 12
      const yday = Math.floor(
        (Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()) -
          Date.UTC(date.getUTCFullYear(), 0, 1)) /
          86_400_000,
      )
      switch (c) {
        case '%':
          return '%'
        case 'a':
          return text(DAYS[date.getUTCDay()]!.slice(0, 3))
        case 'A':
          return text(DAYS[date.getUTCDay()]!)
        case 'b':
        case 'h':
          return text(MONTHS[date.getUTCMonth()]!.slice(0, 3))
        case 'B':
          return text(MONTHS[date.getUTCMonth()]!)
        case 'c':
          return recurse('%a %b %e %H:%M:%S %Y')
        case 'C':
          return number(Math.floor(date.getUTCFullYear() / 100), 2)
        case 'd':
          return number(date.getUTCDate(), 2)
        case 'D':
          return recurse('%m/%d/%y')
        case 'e':
          return number(date.getUTCDate(), 2, ' ')
        case 'F':
          return recurse('%Y-%m-%d')
        case 'g':
          return number(isoWeek(date).year % 100, 2)
        case 'G':
          return number(isoWeek(date).year, 4)
        case 'H':
          return number(date.getUTCHours(), 2)
        case 'I':
          return number(hour12, 2)
        case 'j':
          return number(yday + 1, 3)
        case 'k':
          return number(date.getUTCHours(), 2, ' ')
        case 'l':
          return number(hour12, 2, ' ')
        case 'm':
          return number(date.getUTCMonth() + 1, 2)
        case 'M':
          return number(date.getUTCMinutes(), 2)
        case 'n':
          return '\n'
        case 'N': {
          const digits = pad(nanos, 9)
          if (flags.includes('-')) return digits.replace(/0+$/, '') || '0'
          return width === '' ? digits : digits.slice(0, Number(width)).padEnd(Number(width), '0')
        }
        case 'p':
          return text(date.getUTCHours() < 12 ? 'AM' : 'PM')
        case 'P':
          return text(date.getUTCHours() < 12 ? 'am' : 'pm')
        case 'q':
          return number(Math.floor(date.getUTCMonth() / 3) + 1, 1)
        case 'r':
          return recurse('%I:%M:%S %p')
        case 'R':
          return recurse('%H:%M')
        case 's':
          return number(seconds, 1)
        case 'S':
          return number(date.getUTCSeconds(), 2)
        case 't':
          return '\t'
        case 'T':
        case 'X':
          return recurse('%H:%M:%S')
        case 'u':
          return number(date.getUTCDay() === 0 ? 7 : date.getUTCDay(), 1)
        case 'U':
          return number(Math.floor((yday + 7 - date.getUTCDay()) / 7), 2)
        case 'V':
          return number(isoWeek(date).week, 2)
        case 'w':
          return number(date.getUTCDay(), 1)
        case 'W':
          return number(Math.floor((yday + 7 - ((date.getUTCDay() + 6) % 7)) / 7), 2)
        case 'x':
          return recurse('%m/%d/%y')
        case 'y':
          return number(date.getUTCFullYear() % 100, 2)
        case 'Y':
          return number(date.getUTCFullYear(), 1)
        case 'z':
        case ':z':
        case '::z': {
          const minutes = Math.abs(zone.offset) / 60
          const sign = zone.offset < 0 ? '-' : '+'
          const hm =
            c === 'z'
              ? `${pad(Math.floor(minutes / 60), 2)}${pad(minutes % 60, 2)}`
              : `${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}`
          return sign + hm + (c === '::z' ? ':00' : '')
        }
        case 'Z':
          return text(zone.name)
        case '+':
          return recurse('%a %b %e %H:%M:%S %Z %Y')
        default:
          return all
      }
    },
  )
}
