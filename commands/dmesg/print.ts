/** How dmesg shows records: time formats, decoded priorities, colours, JSON. */
import { FACILITIES, LEVELS, type LogRecord } from './records.ts'

export type TimeFormat = 'time' | 'delta' | 'reltime' | 'ctime' | 'notime' | 'iso'

/** What is to be shown beside the text. */
export interface Style {
  readonly time: TimeFormat
  readonly decode: boolean
  readonly raw: boolean
  readonly color: boolean
  readonly prefixAllLines: boolean
  /** wall time at boot, ms since the epoch */
  readonly bootTime: number
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
const GREEN = '\x1b[32m'
const BROWN = '\x1b[33m'
const RED = '\x1b[31m'
const BOLD = '\x1b[1m'
const RESET = '\x1b[0m'

function two(n: number): string {
  return String(n).padStart(2, '0')
}

/** `   15.019822` */
function seconds(us: number): string {
  return `${String(Math.floor(us / 1e6)).padStart(5)}.${String(Math.floor(us) % 1e6).padStart(6, '0')}`
}

/** Prints records one after the other: relative times refer to the one before. */
export class Printer {
  private readonly style: Style
  private previous: LogRecord | undefined

  constructor(style: Style) {
    this.style = style
  }

  /** @returns the record's lines */
  format(record: LogRecord): string {
    const prefix = this.prefix(record)
    const lines = record.text.split('\n')
    const text = lines
      .map((line, i) => {
        if (i === 0) return prefix + this.colored(record, line)
        return (this.style.prefixAllLines ? prefix : ' '.repeat(this.style.time === 'time' ? 15 : 0)) + line
      })
      .join('\n')
    this.previous = record
    return `${text}\n`
  }

  private prefix(record: LogRecord): string {
    const { style } = this
    const priority = style.raw
      ? `<${record.facility | record.level}>`
      : style.decode
        ? `${(FACILITIES[record.facility] ?? '').padEnd(6)}:${(LEVELS[record.level] ?? '').padEnd(6)}: `
        : ''
    const time = this.time(record)
    return priority + (style.color && time !== '' ? `${GREEN}${time}${RESET}` : time)
  }

  private time(record: LogRecord): string {
    const date = new Date(this.style.bootTime + record.time / 1000)
    const delta = this.previous === undefined ? 0 : record.time - this.previous.time
    switch (this.style.time) {
      case 'notime':
        return ''
      case 'time':
        return `[${seconds(record.time)}] `
      case 'delta':
        return `[${seconds(record.time)} <${String(Math.floor(delta / 1e6)).padStart(5)}.${String(delta % 1e6).padStart(6, '0')}>] `
      case 'ctime':
        return `[${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} ${date.getUTCFullYear()}] `
      case 'iso':
        return `${date.toISOString().slice(0, 19)},${String(Math.floor(record.time) % 1e6).padStart(6, '0')}+00:00 `
      case 'reltime': {
        const before = this.previous
        const minute = (r: LogRecord): number => Math.floor((this.style.bootTime + r.time / 1000) / 60_000)
        if (before === undefined || minute(before) !== minute(record))
          return `[${MONTHS[date.getUTCMonth()]}${String(date.getUTCDate()).padStart(2)} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}] `
        const text = `+${(delta / 1e6).toFixed(6)}`
        return `[${text.padStart(11)}] `
      }
    }
  }

  /** The part before the first colon is coloured, and the rest of what is serious. */
  private colored(record: LogRecord, line: string): string {
    if (!this.style.color) return line
    const end = line.indexOf(':')
    const head = end < 0 ? '' : `${BROWN}${line.slice(0, end + 1)}${RESET}`
    const rest = line.slice(end + 1)
    const tone = record.level <= 2 ? BOLD + RED : record.level === 3 ? RED : record.level === 4 ? BOLD : ''
    return head + (tone === '' ? rest : `${tone}${rest}${RESET}`)
  }
}

/** @returns all records as one JSON document */
export function formatJson(records: readonly LogRecord[]): string {
  const items = records.map(
    record => `      {
         "pri": ${record.facility | record.level},
         "time": ${seconds(record.time).padStart(12)},
         "msg": ${JSON.stringify(record.text)}
      }`,
  )
  return `{\n   "dmesg": [\n${items.join(',').replaceAll('},      {', '},{')}\n   ]\n}\n`
}
