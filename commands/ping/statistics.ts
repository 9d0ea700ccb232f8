/** What ping counts, and its summaries. Times are in microseconds unless said otherwise. */
import { formatG } from '../lib/number.ts'
import { MAX_DUP_CHK } from './options.ts'

/** @returns the integer square root as the original computes it, by Newton's steps from above */
function integerSqrt(value: number): number {
  let previous = Number.POSITIVE_INFINITY
  let x = value
  if (x > 0)
    while (x < previous) {
      previous = x
      x = Math.trunc((x + Math.trunc(value / x)) / 2)
    }
  return x
}

function millis(us: number): string {
  return `${Math.trunc(us / 1000)}.${String(Math.trunc(us % 1000)).padStart(3, '0')}`
}

/** @returns a round-trip time with three significant digits, in milliseconds */
export function tripText(us: number): string {
  if (us >= 100_000 - 50) return `${Math.trunc((us + 500) / 1000)}`
  if (us >= 10_000 - 5) return `${Math.trunc((us + 50) / 1000)}.${Math.trunc(((us + 50) % 1000) / 100)}`
  if (us >= 1000) {
    const hundredths = Math.trunc(((us + 5) % 1000) / 10)
    return `${Math.trunc((us + 5) / 1000)}.${String(hundredths).padStart(2, '0')}`
  }
  return millis(us)
}

/** Counters of one run. Sequence numbers are compared in 16 bits, as on the wire. */
export class Statistics {
  transmitted = 0
  received = 0
  repeats = 0
  corrupted = 0
  errors = 0
  /** highest sequence number that was answered */
  acked = 0
  /** most packets in flight at once, -1 before the first answer */
  pipesize = -1
  tmin = Number.POSITIVE_INFINITY
  tmax = 0
  tsum = 0
  tsum2 = 0
  /** eightfold moving average of the round-trip time */
  rtt = 0
  private readonly seen = new Uint8Array(MAX_DUP_CHK / 8)

  /** Takes a round-trip time in. */
  addTrip(us: number): void {
    this.tsum += us
    this.tsum2 += us * us
    if (us < this.tmin) this.tmin = us
    if (us > this.tmax) this.tmax = us
    this.rtt = this.rtt === 0 ? us * 8 : this.rtt + us - Math.trunc(this.rtt / 8)
  }

  clearSeen(seq: number): void {
    this.seen[(seq & 0xffff) >> 3]! &= ~(1 << (seq & 7))
  }

  setSeen(seq: number): void {
    this.seen[(seq & 0xffff) >> 3]! |= 1 << (seq & 7)
  }

  hasSeen(seq: number): boolean {
    return (this.seen[(seq & 0xffff) >> 3]! & (1 << (seq & 7))) !== 0
  }

  /** One more packet is on its way. */
  advance(): void {
    this.transmitted++
    if ((this.transmitted & 0xffff) - this.acked > 0x7fff) this.acked = (this.transmitted + 1) & 0xffff
  }

  /** An answer to a sequence number has come. */
  acknowledge(seq: number): void {
    const behind = ((this.transmitted & 0xffff) - seq) & 0xffff
    if (behind > 0x7fff) return
    if (behind + 1 > this.pipesize) this.pipesize = behind + 1
    const ahead = ((seq - this.acked) << 16) >> 16
    if (ahead > 0 || (((this.transmitted & 0xffff) - this.acked) << 16) >> 16 > 0x7fff) this.acked = seq
  }

  /** @returns packets sent and neither answered nor reported lost */
  get inFlight(): number {
    const behind = ((this.transmitted & 0xffff) - this.acked) & 0xffff
    return behind <= 0x7fff ? behind : this.transmitted - this.received - this.errors
  }

  /** The part of the summary after its title line. @param elapsed ms @param timing round-trip times were measured */
  summary(elapsed: number, timing: boolean, showGap: boolean, elapsedUs: number): string {
    let text = `${this.transmitted} packets transmitted, ${this.received} received`
    if (this.repeats > 0) text += `, +${this.repeats} duplicates`
    if (this.corrupted > 0) text += `, +${this.corrupted} corrupted`
    if (this.errors > 0) text += `, +${this.errors} errors`
    if (this.transmitted > 0) {
      const loss = Math.fround(((this.transmitted - this.received) * 100) / this.transmitted)
      text += `, ${formatG(loss)}% packet loss, time ${elapsed}ms`
    }
    text += '\n'
    const tail: string[] = []
    if (this.received > 0 && timing) tail.push(`rtt min/avg/max/mdev = ${this.trips()} ms`)
    if (this.pipesize > 1) tail.push(`pipe ${this.pipesize}`)
    if (this.received > 0 && showGap && this.transmitted > 1) {
      const gap = Math.trunc(elapsedUs / (this.transmitted - 1))
      tail.push(`ipg/ewma ${millis(gap)}/${millis(Math.trunc(this.rtt / 8))} ms`)
    }
    return `${text}${tail.join(', ')}\n`
  }

  private trips(): string {
    const total = this.received + this.repeats
    const average = Math.trunc(this.tsum / total)
    const variance = Math.trunc(this.tsum2 / total - average * average)
    return [this.tmin, average, this.tmax, integerSqrt(variance)].map(millis).join('/')
  }

  /** The line that SIGQUIT asks for. */
  status(timing: boolean): string {
    const lost = this.transmitted - this.received
    const loss = this.transmitted > 0 ? Math.trunc((lost * 100) / this.transmitted) : 0
    let text = `\r${this.received}/${this.transmitted} packets, ${loss}% loss`
    if (this.received > 0 && timing) {
      const average = Math.trunc(this.tsum / (this.received + this.repeats))
      const figures = [this.tmin, average, Math.trunc(this.rtt / 8), this.tmax].map(millis)
      text += `, min/avg/ewma/max = ${figures.join('/')} ms`
    }
    return `${text}\n`
  }
}
