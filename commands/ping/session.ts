/** One run of ping: what both address families share, from the first probe to the summary. */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import { POLLERR, POLLIN } from '../../src/uapi/fs.ts'
import type { Process } from '../../src/uapi/process.ts'
import { Signal } from '../../src/uapi/signal.ts'
import {
  MSG_DONTWAIT,
  type ReceivedMessage,
  SO_DONTROUTE,
  SO_MARK,
  SO_RCVBUF,
  SO_RCVTIMEO,
  SO_SNDBUF,
  SO_SNDTIMEO,
  SO_TIMESTAMP,
  SOCK_RAW,
  SOL_SOCKET,
} from '../../src/uapi/socket.ts'
import { type Console, errnoOf, INT_MAX } from '../lib/iputils.ts'
import type { PingOptions } from './options.ts'
import { Statistics, tripText } from './statistics.ts'

const SO_DEBUG = 1
/** Shortest wait between two packets, ms. */
const MIN_INTERVAL = 10
/** Shortest -i of an ordinary user, ms. */
const MIN_USER_INTERVAL = 2
/** Bytes of a struct timeval at the beginning of the data. */
export const TIMEVAL = 16
/** Bytes of the ICMP header, in both families. */
export const ICMP_HEADER = 8
const MS = 1e6

/** A socket, and whether it is a raw or a ping socket. */
export interface PingSocket {
  fd: number
  /** SOCK_RAW or SOCK_DGRAM, 0 where there is none */
  type: number
}

/** What reading the error queue gave. */
export interface ErrorRead {
  /** ICMP errors about this run's packets */
  readonly net: number
  /** errors found on this machine, or none waiting */
  readonly local: number
  /** the error was about something else: the failed call is to be repeated */
  readonly foreign: boolean
}

/** What differs between the families. */
export interface PingFamily {
  /** Sends the next probe. @returns 0 or the error number */
  sendProbe(): Promise<number>
  receiveError(): Promise<ErrorRead>
  /** Prints an answer. @returns whether it was another program's */
  parseReply(message: ReceivedMessage): Promise<boolean>
}

/** An echo reply as a family found it. */
export interface EchoReply {
  /** from the ICMP header on */
  readonly icmp: Uint8Array
  readonly seq: number
  /** TTL or hop limit, -1 unknown */
  readonly hops: number
  readonly badChecksum: boolean
  /** receive time, us since the epoch */
  readonly time: number
  readonly from: string
  readonly differentAddress: boolean
}

/** Time of day in us. */
function microseconds(ns: number): number {
  return Math.floor(ns / 1000)
}

/** Waits of at least MIN_INTERVAL. */
function atLeast(ms: number): number {
  return Math.max(MIN_INTERVAL, ms)
}

/** State of a run; the families add to it what they find out. */
export class Session {
  readonly proc: Process
  readonly console: Console
  readonly opts: PingOptions
  readonly sock: PingSocket
  readonly stats = new Statistics()
  hostname = ''
  /** echo identifier, host order; -1: the kernel's */
  ident: number
  /** the ICMP message, header first; the data area is filled once */
  readonly packet: Uint8Array
  datalen: number
  multicast = false
  /** round-trip times can be measured: the data has room for a time */
  timing = false
  /** lines that -D stamps, and -U's clock */
  private latency: boolean
  interval: number
  private rttAddend = 0
  /** monotonic ns */
  private startTime = 0
  private curTime = 0
  private tokens = 0
  private oomCount = 0
  private floodPoll = false
  private rcvtimeo = 0
  private screenWidth = INT_MAX
  private exiting = false
  private statusWanted = false
  /** when SIGALRM would come, monotonic ns */
  private alarm = Number.POSITIVE_INFINITY
  private exitScheduled = false

  constructor(proc: Process, console: Console, opts: PingOptions, sock: PingSocket, packet: Uint8Array) {
    this.proc = proc
    this.console = console
    this.opts = opts
    this.sock = sock
    this.ident = opts.ident
    this.packet = packet
    this.datalen = opts.datalen
    this.latency = opts.latency
    this.interval = opts.interval
  }

  /** Sets a socket option. @returns 0 or the error number */
  setsockopt(level: number, option: number, value: number | Uint8Array | string): Promise<number> {
    return errnoOf(() => this.proc.setsockopt(this.sock.fd, level, option, value))
  }

  /** @param alloc what one packet takes of the buffers, bytes, roughly */
  async setBuffers(alloc: number): Promise<void> {
    const { opts, console } = this
    await this.setsockopt(SOL_SOCKET, SO_SNDBUF, opts.sndbuf === 0 ? alloc : opts.sndbuf)
    let hold = alloc * opts.preload
    if (hold > INT_MAX) {
      await console.warn('WARNING: buffer size overflow, reduce packet size or preload')
      hold = INT_MAX
    }
    await this.setsockopt(SOL_SOCKET, SO_RCVBUF, Math.max(hold, 65_536))
    const got = this.proc.getsockopt(this.sock.fd, SOL_SOCKET, SO_RCVBUF)
    if (typeof got === 'number' && got < hold)
      await console.warn('WARNING: probably, rcvbuf is not enough to hold preload')
  }

  /** Marks a socket's packets where -m asks for it. */
  async setMark(fd: number): Promise<void> {
    const { opts, console } = this
    const { mark } = opts
    if (mark === undefined) return
    const errno = await errnoOf(() => this.proc.setsockopt(fd, SOL_SOCKET, SO_MARK, mark))
    if (errno === 0) return
    await console.warn(`WARNING: failed to set mark: ${mark}`, errno)
    if (errno === Errno.EPERM)
      await console.warn('=> missing cap_net_admin+p or cap_net_raw+p (since Linux 5.17) capability?')
    opts.mark = undefined
  }

  /** What is set up last, whatever the family. */
  async setup(): Promise<void> {
    const { opts, proc, console, sock } = this
    if (opts.flood && !opts.intervalGiven) this.interval = 0
    if (proc.uid !== 0 && this.interval < MIN_USER_INTERVAL)
      console.fail(
        2,
        `cannot flood, minimal interval for user must be >= ${MIN_USER_INTERVAL} ms, use -i 0.002 (or higher)`,
      )
    if (this.interval >= Math.trunc(INT_MAX / opts.preload))
      console.fail(2, `illegal preload and/or interval: ${this.interval}`)
    if (opts.debug) await this.setsockopt(SOL_SOCKET, SO_DEBUG, 1)
    if (opts.dontRoute) await this.setsockopt(SOL_SOCKET, SO_DONTROUTE, 1)
    if (!this.latency && (await this.setsockopt(SOL_SOCKET, SO_TIMESTAMP, 1)) !== 0)
      await console.warn('Warning: no SO_TIMESTAMP support, falling back to SIOCGSTAMP')
    await this.setMark(sock.fd)
    await this.setsockopt(SOL_SOCKET, SO_SNDTIMEO, (this.interval < 1000 ? atLeast(this.interval) : 1000) * MS)
    this.rcvtimeo = atLeast(this.interval) * MS
    if ((await this.setsockopt(SOL_SOCKET, SO_RCVTIMEO, this.rcvtimeo)) !== 0) this.floodPoll = true
    if (opts.pattern === undefined) for (let i = 0; i < this.datalen; i++) this.packet[ICMP_HEADER + i] = i
    if (sock.type === SOCK_RAW && this.ident === -1) this.ident = proc.pid & 0xffff
    proc.signal(Signal.SIGINT, () => {
      this.exiting = true
    })
    proc.signal(Signal.SIGQUIT, () => {
      this.statusWanted = true
    })
    this.startTime = proc.monotonic()
    if (opts.deadline > 0) this.alarm = this.startTime + opts.deadline * 1e9
    if (proc.isatty(1)) this.screenWidth = proc.winsize(1).columns || INT_MAX
  }

  /** The time that -D puts before a line. */
  stamp(): string {
    if (!this.opts.timestamps) return ''
    const now = microseconds(this.proc.realtime())
    return `[${Math.floor(now / 1e6)}.${String(now % 1e6).padStart(6, '0')}] `
  }

  /** Writes the present time into the data of the next packet, as two little-endian 64-bit numbers. */
  stampPacket(): void {
    const now = microseconds(this.proc.realtime())
    const view = new DataView(this.packet.buffer, ICMP_HEADER, TIMEVAL)
    view.setBigInt64(0, BigInt(Math.floor(now / 1e6)), true)
    view.setBigInt64(8, BigInt(now % 1e6), true)
  }

  /** @returns when a message was received, us since the epoch */
  receiveTime(message: ReceivedMessage): number {
    const { timestamp } = message.control
    return microseconds(this.latency || timestamp === undefined ? this.proc.realtime() : timestamp)
  }

  /** Notes that time is up, as SIGALRM would. */
  private checkAlarm(): void {
    if (this.proc.monotonic() >= this.alarm) this.exiting = true
  }

  /** Once all is sent, waits no longer than the slowest answer suggests. @returns when to act next, ms */
  private scheduleExit(next: number): number {
    const { opts, stats } = this
    if (opts.count === 0 || stats.transmitted < opts.count || opts.deadline > 0 || this.exitScheduled) return next
    let wait = stats.received > 0 ? Math.max(2 * stats.tmax, 1000 * this.interval) : 1000 * opts.linger
    wait = Math.trunc(wait)
    const waitMs = Math.trunc(wait / 1000)
    if (wait > 0) {
      this.exitScheduled = true
      this.alarm = this.proc.monotonic() + wait * 1000
    }
    return next < 0 || next < waitMs ? waitMs : next
  }

  private adaptInterval(): void {
    const estimate = this.stats.rtt > 0 ? Math.trunc(this.stats.rtt / 8) : this.interval * 1000
    this.interval = Math.trunc((estimate + this.rttAddend + 500) / 1000)
    if (this.proc.uid !== 0 && this.interval < MIN_USER_INTERVAL) this.interval = MIN_USER_INTERVAL
  }

  /** Sends a packet if it is time for one. @returns ms until the next */
  private async pinger(family: PingFamily): Promise<number> {
    const { opts, stats, console, proc } = this
    if (this.exiting || (opts.count > 0 && stats.transmitted >= opts.count && opts.deadline === 0)) return 1000
    if (this.curTime === 0) {
      this.curTime = proc.monotonic()
      this.tokens = this.interval * (opts.preload - 1)
    } else {
      const now = proc.monotonic()
      let tokens =
        (Math.floor(now / 1e9) - Math.floor(this.curTime / 1e9)) * 1000 +
        Math.trunc(((now % 1e9) - (this.curTime % 1e9)) / MS)
      if (this.interval === 0 && tokens < MIN_INTERVAL && stats.inFlight >= opts.preload) return MIN_INTERVAL - tokens
      tokens = Math.min(tokens + this.tokens, this.interval * opts.preload)
      if (tokens < this.interval) return this.interval - tokens
      this.curTime = now
      this.tokens = tokens - this.interval
    }
    if (opts.outstanding && stats.transmitted > 0 && !stats.hasSeen(stats.transmitted)) {
      await console.print(`${this.stamp()}no answer yet for icmp_seq=${stats.transmitted & 0xffff}\n`)
      await console.flush()
    }
    for (;;) {
      const errno = await family.sendProbe()
      if (errno === 0) {
        this.oomCount = 0
        stats.advance()
        if (
          !opts.quiet &&
          opts.flood &&
          ((opts.preload < this.screenWidth && stats.pipesize < this.screenWidth) || stats.inFlight < this.screenWidth)
        )
          await console.print('.')
        return this.interval - this.tokens
      }
      const wait = await this.sendFailed(family, errno)
      if (wait !== undefined) return wait
    }
  }

  /** A packet could not be sent. @returns ms until the next, or undefined to try again */
  private async sendFailed(family: PingFamily, errno: number): Promise<number | undefined> {
    const { opts, stats, console } = this
    let silent = false
    if (errno === Errno.ENOBUFS || errno === Errno.ENOMEM) {
      this.tokens = 0
      this.rttAddend += stats.rtt < 8 * 50_000 ? Math.trunc(stats.rtt / 8) : 50_000
      if (opts.adaptive) this.adaptInterval()
      const wait = Math.min(atLeast(Math.trunc(this.interval / 2)), 500)
      this.oomCount++
      if (this.oomCount * wait < opts.linger) return wait
    } else if (errno === Errno.EAGAIN) {
      this.tokens += this.interval
      return MIN_INTERVAL
    } else {
      const read = await family.receiveError()
      if (read.foreign) return undefined
      silent = read.net === 0 && read.local > 0
    }
    stats.advance()
    if (!silent && !opts.quiet) {
      if (opts.flood) await console.print('E')
      else await console.warn('sendmsg', errno)
    }
    this.tokens = 0
    return atLeast(this.interval)
  }

  /** Receives a message; waits no longer than the interval and the alarm allow. Throws SysError. */
  private receive(dontWait: boolean): Promise<ReceivedMessage> {
    const max = this.packet.length + 4096
    if (dontWait) return this.proc.recvmsg(this.sock.fd, max, MSG_DONTWAIT)
    const left = Math.max(this.alarm - this.proc.monotonic(), 1)
    const timeout = Math.min(atLeast(this.interval) * MS, left)
    if (timeout !== this.rcvtimeo) {
      this.rcvtimeo = timeout
      this.proc.setsockopt(this.sock.fd, SOL_SOCKET, SO_RCVTIMEO, timeout)
    }
    return this.proc.recvmsg(this.sock.fd, max, 0)
  }

  /** Waits for the socket. @param ms at most @returns the events */
  private async poll(ms: number): Promise<number> {
    const left = Math.max(this.alarm - this.proc.monotonic(), 0)
    try {
      const [events = 0] = await this.proc.poll([{ fd: this.sock.fd, events: POLLIN }], Math.min(ms * MS, left))
      return events
    } catch (error) {
      if (isSysError(error, Errno.EINTR)) return 0
      throw error
    }
  }

  /** Sends and receives until all is done. @returns the exit status */
  async loop(family: PingFamily): Promise<number> {
    const { opts, stats } = this
    for (;;) {
      this.checkAlarm()
      if (this.exiting) break
      if (opts.count > 0 && stats.received + stats.errors >= opts.count) break
      if (opts.deadline > 0 && stats.errors > 0) break
      if (this.statusWanted) {
        this.statusWanted = false
        this.proc.stderr.write(stats.status(this.timing))
      }
      let next: number
      do next = this.scheduleExit(await this.pinger(family))
      while (next <= 0)
      let dontWait = false
      let pollError = false
      if (opts.adaptive || this.floodPoll || next < atLeast(this.interval)) {
        if (next <= MIN_INTERVAL) {
          if (stats.inFlight > 0) next = MIN_INTERVAL
          else {
            next = 0
            dontWait = true
            await this.proc.yield()
          }
        }
        if (!dontWait && (opts.adaptive || this.floodPoll || this.interval !== 0)) {
          const events = await this.poll(next)
          if ((events & (POLLIN | POLLERR)) === 0) continue
          dontWait = true
          pollError = (events & POLLERR) !== 0
        }
      }
      await this.receiveAll(family, dontWait, pollError)
    }
    return this.finish()
  }

  /** Reads what has come, waiting for the first message unless `dontWait`. */
  private async receiveAll(family: PingFamily, dontWait: boolean, pollError: boolean): Promise<void> {
    for (;;) {
      let message: ReceivedMessage | undefined
      try {
        message = await this.receive(dontWait)
      } catch (error) {
        if (!isSysError(error)) throw error
        const { errno } = error
        if ((errno === Errno.EAGAIN && !pollError) || errno === Errno.EINTR) return
        pollError = false
        const read = await family.receiveError()
        if (read.net === 0 && read.local === 0 && !read.foreign) {
          await this.console.warn('recvmsg', errno)
          return
        }
      }
      dontWait = true
      if (message !== undefined) await family.parseReply(message)
      if (this.stats.inFlight === 0) return
    }
  }

  /** Takes a reply in and prints its line but for the end. @returns whether the line is complete, or not wanted */
  async gather(reply: EchoReply): Promise<boolean> {
    const { opts, stats, console } = this
    const { icmp, seq } = reply
    stats.received++
    if (!reply.badChecksum) stats.acknowledge(seq)
    const trip = this.timing && icmp.length >= ICMP_HEADER + TIMEVAL ? await this.tripTime(reply) : 0
    let duplicate = false
    if (reply.badChecksum) {
      stats.corrupted++
      stats.received--
    } else if (stats.hasSeen(seq)) {
      stats.repeats++
      stats.received--
      duplicate = true
    } else stats.setSeen(seq)
    if (opts.quiet) return true
    if (opts.flood) {
      await console.print(reply.badChecksum ? '\bC' : '\b \b')
      return false
    }
    let line = `${this.stamp()}${icmp.length} bytes from ${reply.from}: icmp_seq=${seq}`
    if (opts.verbose && this.ident !== -1) line += ` ident=${this.ident}`
    if (reply.hops >= 0) line += ` ttl=${reply.hops}`
    if (icmp.length < this.datalen + ICMP_HEADER) {
      await console.print(`${line} (truncated)\n`)
      return true
    }
    if (this.timing) line += ` time=${tripText(trip)} ms`
    if (duplicate && (!this.multicast || opts.verbose)) line += ' (DUP!)'
    if (reply.badChecksum) line += ' (BAD CHECKSUM!)'
    if (reply.differentAddress) line += ' (DIFFERENT ADDRESS!)'
    await console.print(line + this.wrongData(icmp))
    return false
  }

  /** @returns how long a packet was under way, us; taken into the statistics */
  private async tripTime(reply: EchoReply): Promise<number> {
    const { icmp } = reply
    const view = new DataView(icmp.buffer, icmp.byteOffset + ICMP_HEADER, TIMEVAL)
    const sent = Number(view.getBigInt64(0, true)) * 1e6 + Number(view.getBigInt64(8, true))
    let trip = reply.time - sent
    if (trip < 0) {
      await this.console.warn(`Warning: time of day goes back (${Math.floor(trip)}us), taking countermeasures`)
      trip = 0
      if (!this.latency) {
        this.latency = true
        trip = Math.max(0, microseconds(this.proc.realtime()) - sent)
      }
    }
    if (!reply.badChecksum) {
      this.stats.addTrip(trip)
      if (this.opts.adaptive) this.adaptInterval()
    }
    return trip
  }

  /** @returns a dump where the data that came back is not what was sent */
  private wrongData(icmp: Uint8Array): string {
    for (let i = TIMEVAL; i < this.datalen; i++) {
      const sent = this.packet[ICMP_HEADER + i]!
      const got = icmp[ICMP_HEADER + i]!
      if (sent === got) continue
      let text = `\nwrong data byte #${i} should be 0x${sent.toString(16)} but was 0x${got.toString(16)}`
      for (let at = TIMEVAL; at < this.datalen; at++) {
        if (at % 32 === TIMEVAL) text += `\n#${at}\t`
        text += `${icmp[ICMP_HEADER + at]!.toString(16)} `
      }
      return text
    }
    return ''
  }

  /** Ends a line: the bell, what a family adds, the newline. */
  async endLine(addition = ''): Promise<void> {
    const { opts, console } = this
    let text = opts.audible ? '\x07' : ''
    if (!opts.flood) text += `${addition}\n`
    if (text === '') return
    await console.print(text)
    await console.flush()
  }

  /** Prints the summary. @returns the exit status */
  private async finish(): Promise<number> {
    const { opts, stats, console } = this
    const elapsed = Math.max(0, this.curTime - this.startTime)
    await console.print('\n')
    await console.flush()
    await console.print(`--- ${this.hostname} ping statistics ---\n`)
    const showGap = this.interval === 0 || opts.flood || opts.adaptive
    await console.print(
      stats.summary(Math.floor((elapsed + 500_000) / MS), this.timing, showGap, Math.floor(elapsed / 1000)),
    )
    return stats.received === 0 || (opts.deadline > 0 && stats.received < opts.count) ? 1 : 0
  }
}
