/** uptime(1) of procps */
import type { Process, Program } from '../../src/uapi/process.ts'
import { Getopt } from '../lib/getopt.ts'
import { PROCPS_VERSION } from '../lib/procps.ts'

const USAGE = `
Usage:
 uptime [options]

Options:
 -p, --pretty   show uptime in pretty format
 -h, --help     display this help and exit
 -s, --since    system up since
 -V, --version  output version information and exit

For more details see uptime(1).
`

const OPTIONS = [
  { key: 'pretty', short: 'p', long: 'pretty' },
  { key: 'help', short: 'h', long: 'help' },
  { key: 'since', short: 's', long: 'since' },
  { key: 'version', short: 'V', long: 'version' },
] as const

const DAY = 86_400

function two(n: number): string {
  return String(n).padStart(2, '0')
}

/** Seconds the machine has been up. */
function upSeconds(proc: Process): number {
  return Number(new TextDecoder().decode(proc.readFile('/proc/uptime')).split(' ')[0])
}

/** `up 2 days, 3 hours, 1 minute` */
function pretty(seconds: number): string {
  const part = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? '' : 's'}`
  const minutes = Math.floor(seconds / 60)
  const parts = [
    [Math.floor(seconds / (365 * DAY * 10)), 'decade'],
    [Math.floor(seconds / (365 * DAY)) % 10, 'year'],
    [Math.floor(seconds / (7 * DAY)) % 52, 'week'],
    [Math.floor(seconds / DAY) % 7, 'day'],
    [Math.floor(seconds / 3600) % 24, 'hour'],
  ] as const
  const texts = parts.filter(([count]) => count > 0).map(([count, unit]) => part(count, unit))
  if (minutes % 60 > 0 || seconds < 60) texts.push(part(minutes % 60, 'minute'))
  return `up ${texts.join(', ')}\n`
}

/** ` 16:05:09 up 0 min,  0 user,  load average: 0.79, 0.22, 0.08` */
function line(proc: Process, seconds: number): string {
  const now = new Date(proc.realtime() / 1e6)
  const days = Math.floor(seconds / DAY)
  const hours = Math.floor(seconds / 3600) % 24
  const minutes = Math.floor(seconds / 60) % 60
  const up =
    (days > 0 ? `${days} day${days === 1 ? '' : 's'}, ` : '') +
    (hours > 0 ? `${String(hours).padStart(2)}:${two(minutes)}, ` : `${minutes} min, `)
  const load = new TextDecoder().decode(proc.readFile('/proc/loadavg')).split(' ').slice(0, 3).join(', ')
  const clock = `${two(now.getUTCHours())}:${two(now.getUTCMinutes())}:${two(now.getUTCSeconds())}`
  return ` ${clock} up ${up} 0 user,  load average: ${load}\n`
}

export const main: Program = proc => {
  const opts = new Getopt(proc.argv, OPTIONS)
  let short = false
  for (let found = opts.next(); found !== undefined; found = opts.next()) {
    if (found.error !== undefined) {
      proc.stderr.write(`${found.error}\n${USAGE}`)
      return 1
    }
    switch (found.key) {
      case 'pretty':
        short = true
        break
      case 'help':
        proc.stdout.write(USAGE)
        return 0
      case 'version':
        proc.stdout.write(`uptime from ${PROCPS_VERSION}\n`)
        return 0
      case 'since': {
        const start = new Date(Math.floor(proc.realtime() / 1e9 - upSeconds(proc)) * 1000)
        proc.stdout.write(`${start.toISOString().slice(0, 19).replace('T', ' ')}\n`)
        return 0
      }
    }
  }
  if (opts.operands.length > 0) {
    proc.stderr.write(USAGE)
    return 1
  }
  const seconds = upSeconds(proc)
  proc.stdout.write(short ? pretty(seconds) : line(proc, seconds))
  return 0
}
