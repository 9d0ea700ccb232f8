/** Counters of links in columns as wide as their largest number. */
import type { LinkMessage, LinkStats } from '../../src/uapi/rtnetlink.ts'
import type { Printer } from '../lib/printer.ts'
import type { IpOptions } from './context.ts'

type StatsOptions = Pick<IpOptions, 'human' | 'iec' | 'stats'>

const PREFIXES = 'kMGTPE'

/** @returns a count, with -human shortened such as `12.3k` */
export function formatCount(count: number, opts: Pick<StatsOptions, 'human' | 'iec'>): string {
  const base = opts.iec ? 1024 : 1000
  if (!opts.human || count < base) return String(count)
  let unit = base
  let prefix = 0
  while (Math.floor(count / base) >= unit && prefix < PREFIXES.length - 1) {
    unit *= base
    prefix++
  }
  let precision = 2
  for (let limit = 10; precision > 0 && Math.floor(count / unit) >= limit; limit *= 10) precision--
  return `${(count / unit).toFixed(precision)}${PREFIXES[prefix]}${opts.iec ? 'i' : ''}`
}

const HEADINGS = ['*X errors:', 'packets', 'errors', 'dropped', 'heartbt', 'overrun', 'compressed', 'otherhost']

/** @returns the widths of the columns: of the headings, or of the longest number */
function columnWidths(rows: readonly (readonly number[])[], human: boolean): number[] {
  const widths = HEADINGS.map(heading => heading.length)
  if (human) return widths
  for (const row of rows) {
    for (const [i, value] of row.entries()) widths[i] = Math.max(widths[i]!, String(value).length)
  }
  return widths
}

function printJson(out: Printer, stats: LinkStats, carrierChanges: number | undefined, errors: boolean): void {
  const fields = (list: readonly (readonly [string, number | undefined])[]): void => {
    for (const [key, value] of list) if (value !== undefined) out.json(key, value)
  }
  const nonzero = (value: number): number | undefined => (value === 0 ? undefined : value)
  out.openObject('stats64')
  out.openObject('rx')
  fields([
    ['bytes', stats.rxBytes],
    ['packets', stats.rxPackets],
    ['errors', stats.rxErrors],
    ['dropped', stats.rxDropped],
    ['over_errors', stats.rxOverErrors],
    ['multicast', stats.multicast],
    ['compressed', nonzero(stats.rxCompressed)],
  ])
  if (errors) {
    fields([
      ['length_errors', stats.rxLengthErrors],
      ['crc_errors', stats.rxCrcErrors],
      ['frame_errors', stats.rxFrameErrors],
      ['fifo_errors', stats.rxFifoErrors],
      ['missed_errors', stats.rxMissedErrors],
      ['nohandler', nonzero(stats.rxNohandler)],
      ['otherhost', nonzero(stats.rxOtherhostDropped)],
    ])
  }
  out.closeObject()
  out.openObject('tx')
  fields([
    ['bytes', stats.txBytes],
    ['packets', stats.txPackets],
    ['errors', stats.txErrors],
    ['dropped', stats.txDropped],
    ['carrier_errors', stats.txCarrierErrors],
    ['collisions', stats.collisions],
    ['compressed', nonzero(stats.txCompressed)],
  ])
  if (errors) {
    fields([
      ['aborted_errors', stats.txAbortedErrors],
      ['fifo_errors', stats.txFifoErrors],
      ['window_errors', stats.txWindowErrors],
      ['heartbeat_errors', stats.txHeartbeatErrors],
      ['carrier_changes', carrierChanges],
    ])
  }
  out.closeObject()
  out.closeObject()
}

function printTable(out: Printer, s: LinkStats, carrierChanges: number | undefined, opts: StatsOptions): void {
  const errors = opts.stats > 1
  const rx = [s.rxBytes, s.rxPackets, s.rxErrors, s.rxDropped, s.rxMissedErrors, s.multicast]
  const rxErrors = [s.rxLengthErrors, s.rxCrcErrors, s.rxFrameErrors, s.rxFifoErrors, s.rxOverErrors]
  const tx = [s.txBytes, s.txPackets, s.txErrors, s.txDropped, s.txCarrierErrors, s.collisions]
  const txErrors = [s.txAbortedErrors, s.txFifoErrors, s.txWindowErrors, s.txHeartbeatErrors]
  const rows = [
    [...rx, s.rxCompressed],
    [...tx, s.txCompressed],
  ]
  if (errors) {
    // the transmit error row is sized one column further right than it is printed
    rows.push([0, ...rxErrors, s.rxNohandler, s.rxOtherhostDropped], [0, 0, ...txErrors, carrierChanges ?? 0])
  }
  const w = columnWidths(rows, opts.human)
  const head = (name: string, words: readonly string[]): string =>
    `${name}${words.map((word, i) => word.padStart(i === 0 ? w[0]! - 4 : w[i]!)).join(' ')}`
  const numbers = (values: readonly number[], from = 0): string =>
    values.map((value, i) => `${formatCount(value, opts).padStart(w[from + i]!)} `).join('')
  const compressed = (count: number): string => (count === 0 ? '' : 'compressed').padStart(w[6]!)
  const errorHead = (name: string, words: readonly string[]): string =>
    `    ${name} errors:${' '.repeat(w[0]! - 10)} ${words.map((word, i) => word.padStart(w[i + 1]!)).join(' ')}`
  const indent = ' '.repeat(w[0]! + 5)

  const rxHead = head('    RX: ', ['bytes', 'packets', 'errors', 'dropped', 'missed', 'mcast'])
  out.text(`${rxHead} ${compressed(s.rxCompressed)}`)
  out.nl()
  out.text(`    ${numbers(rx)}${s.rxCompressed === 0 ? '' : numbers([s.rxCompressed], 6)}`)
  if (errors) {
    out.nl()
    const nohandler = s.rxNohandler === 0 ? '' : ' nohandler'.padStart(w[6]! + 1)
    const otherhost = s.rxOtherhostDropped === 0 ? '' : ' otherhost'.padStart(w[7]! + 1)
    out.text(errorHead('RX', ['length', 'crc', 'frame', 'fifo', 'overrun']) + nohandler + otherhost)
    out.nl()
    out.text(`${indent}${numbers(rxErrors, 1)}${s.rxNohandler === 0 ? '' : numbers([s.rxNohandler], 6)}`)
    if (s.rxOtherhostDropped !== 0) out.text(numbers([s.rxOtherhostDropped], 7))
  }
  out.nl()
  const txHead = head('    TX: ', ['bytes', 'packets', 'errors', 'dropped', 'carrier', 'collsns'])
  out.text(`${txHead} ${compressed(s.txCompressed)}`)
  out.nl()
  out.text(`    ${numbers(tx)}${s.txCompressed === 0 ? '' : numbers([s.txCompressed], 6)}`)
  if (errors) {
    out.nl()
    out.text(errorHead('TX', ['aborted', 'fifo', 'window', 'heartbt', carrierChanges === undefined ? '' : 'transns']))
    out.nl()
    out.text(indent + numbers(txErrors, 1) + (carrierChanges === undefined ? '' : numbers([carrierChanges], 5)))
  }
}

/** Prints the counters of a link; without -s nothing calls this, -s -s adds the kinds of errors. */
export function printLinkStats(out: Printer, message: LinkMessage, opts: StatsOptions): void {
  const { stats64, carrierChanges } = message.attrs
  if (stats64 === undefined) return
  if (out.isJson) printJson(out, stats64, carrierChanges, opts.stats > 1)
  else printTable(out, stats64, carrierChanges, opts)
}
