/** A run of traceroute: sends probes, some at a time, gathers what comes back, and prints it in order. */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import { POLLERR, POLLIN } from '../../src/uapi/fs.ts'
import type { Process } from '../../src/uapi/process.ts'
import {
  AF_INET,
  AF_INET6,
  IP_MTU_DISCOVER,
  IP_OPTIONS,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_PROBE,
  IP_RECVERR,
  IP_RECVTTL,
  IP_TOS,
  IP_TTL,
  IPV6_FLOWINFO_SEND,
  IPV6_MTU_DISCOVER,
  IPV6_RECVERR,
  IPV6_RECVHOPLIMIT,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  type ReceivedMessage,
  SO_BINDTODEVICE,
  SO_DONTROUTE,
  SO_MARK,
  SO_TIMESTAMP,
  SOCK_RAW,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  type Sockaddr,
} from '../../src/uapi/socket.ts'
import { AddressWriter } from '../lib/address_writer.ts'
import { ToolExit } from '../lib/errors.ts'
import { getaddrinfo, type HostAddress, socketAddress } from '../lib/getaddrinfo.ts'
import { errnoOf } from '../lib/iputils.ts'
import { icmpMark } from './icmp_result.ts'
import type { CheckReply, Method, Probe } from './method.ts'
import type { TracerouteOptions } from './options.ts'

const SO_DEBUG = 1
const IPV6_FLOWLABEL_MGR = 32
const IPV6_RTHDR = 57
/** Added to a round-trip time before it is multiplied, ns. */
const WAIT_PRECISION = 1e6
const SECOND = 1e9
const WHOIS = 'whois.radb.net'
const MAX_MESSAGE = 1280

/** @returns how many hops away a packet's sender is, judging by its TTL */
function backHops(ttl: number): number {
  return (ttl <= 64 ? 65 : ttl <= 128 ? 129 : 256) - ttl
}

/** @returns whether two addresses are known and the same; ports are not looked at */
export function sameHost(a: Sockaddr | undefined, b: Sockaddr | undefined): boolean {
  if (a?.family === AF_INET) return b?.family === AF_INET && a.addr === b.addr
  if (a?.family !== AF_INET6 || b?.family !== AF_INET6) return false
  return a.addr.every((byte, i) => byte === b.addr[i])
}

function emptyProbe(): Probe {
  return {
    done: false,
    final: false,
    from: undefined,
    sendTime: 0,
    recvTime: 0,
    recvTtl: 0,
    fd: -1,
    seq: 0,
    ext: undefined,
    error: '',
  }
}

/** State of a run, and what the methods have in common. */
export class Tracer {
  readonly proc: Process
  readonly opts: TracerouteOptions
  readonly host: HostAddress
  /** bytes after the IP header, without what the method puts before the data */
  dataLen: number
  readonly probes: Probe[]
  private readonly headerLen: number
  private readonly rawData: boolean
  private readonly names: AddressWriter
  private readonly routing: Uint8Array | undefined
  private readonly polls = new Map<number, number>()

  /**
   * @param headerLen bytes of all headers before the data
   * @param methodHeader bytes of the method's own header; 0: it sends raw packets
   * @param routing options that route by the gateways of -g
   */
  constructor(
    proc: Process,
    opts: TracerouteOptions,
    host: HostAddress,
    headerLen: number,
    methodHeader: number,
    dataLen: number,
    routing: Uint8Array | undefined,
  ) {
    this.proc = proc
    this.opts = opts
    this.host = host
    this.headerLen = headerLen
    this.rawData = methodHeader === 0
    this.dataLen = dataLen
    this.routing = routing
    this.names = new AddressWriter(proc)
    this.probes = Array.from({ length: opts.maxHops * opts.probesPerHop }, emptyProbe)
  }

  get family(): number {
    return this.host.family
  }

  /** Ends the program: a system call failed. */
  fail(what: string, errno: number): never {
    throw new ToolExit(`\n${what}: ${strerror(errno)}\n`, 1)
  }

  /** The same where it may be for want of privileges. */
  failPrivileged(what: string, errno: number): never {
    const hint = errno === Errno.EPERM ? 'You do not have enough privileges to use this traceroute method.' : ''
    throw new ToolExit(`${hint}\n${what}: ${strerror(errno)}\n`, 1)
  }

  /** Opens a raw socket; ends the program where that is not allowed. */
  openRaw(protocol: number): number {
    try {
      return this.proc.socket(this.family, SOCK_RAW, protocol)
    } catch (error) {
      if (!isSysError(error)) throw error
      return this.failPrivileged('socket', error.errno)
    }
  }

  /** Performs a system call; ends the program where it fails. */
  async must<T>(what: string, call: () => T | Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (!isSysError(error)) throw error
      return this.fail(what, error.errno)
    }
  }

  /** @returns the destination with a port @param port host order */
  target(port: number): Sockaddr {
    const { tos, flowLabel } = this.opts
    const address = socketAddress(this.host, port)
    if (address.family !== AF_INET6 || (tos === 0 && flowLabel === 0)) return address
    return { ...address, flowinfo: ((tos & 0xff) << 20) | (flowLabel & 0xfffff) }
  }

  /** The time of day as the probes' times are, ns. */
  now(): number {
    return Math.floor(this.proc.realtime() / 1000) * 1000
  }

  /** @returns data to send: all the same, of a length in bytes */
  filler(length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, i) => 0x40 + (i & 0x3f))
  }

  private async option(fd: number, level: number, option: number, value: number | Uint8Array | string, what: string) {
    await this.must(`setsockopt ${what}`, () => this.proc.setsockopt(fd, level, option, value))
  }

  /** Sets what all methods want of a socket. */
  async tune(fd: number): Promise<void> {
    const { opts } = this
    if (opts.debug) await this.option(fd, SOL_SOCKET, SO_DEBUG, 1, 'SO_DEBUG')
    if (opts.fwmark !== 0) await this.option(fd, SOL_SOCKET, SO_MARK, opts.fwmark, 'SO_MARK')
    if (this.routing !== undefined) {
      if (this.family === AF_INET) await this.option(fd, SOL_IP, IP_OPTIONS, this.routing, 'IP_OPTIONS')
      else await this.option(fd, SOL_IPV6, IPV6_RTHDR, this.routing, 'IPV6_RTHDR')
    }
    await this.bind(fd)
    if (this.family === AF_INET) await this.tune4(fd)
    else await this.tune6(fd)
    if (opts.dontRoute) await this.option(fd, SOL_SOCKET, SO_DONTROUTE, 1, 'SO_DONTROUTE')
    await this.wantTimes(fd)
  }

  private async pmtudisc(fd: number, level: number, option: number, what: string): Promise<void> {
    const { proc, opts } = this
    const wanted = opts.dontFragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT
    const errno = await errnoOf(() => proc.setsockopt(fd, level, option, wanted))
    if (errno !== 0 && opts.dontFragment) await this.option(fd, level, option, IP_PMTUDISC_DO, what)
  }

  private async tune4(fd: number): Promise<void> {
    const { opts } = this
    await this.pmtudisc(fd, SOL_IP, IP_MTU_DISCOVER, 'IP_MTU_DISCOVER')
    if (opts.tos !== 0) await this.option(fd, SOL_IP, IP_TOS, opts.tos, 'IP_TOS')
  }

  private async tune6(fd: number): Promise<void> {
    const { opts } = this
    await this.pmtudisc(fd, SOL_IPV6, IPV6_MTU_DISCOVER, 'IPV6_MTU_DISCOVER')
    if (opts.flowLabel !== 0) {
      const request = new Uint8Array(32)
      request.set(this.host.addr)
      const view = new DataView(request.buffer)
      view.setUint32(16, opts.flowLabel & 0xfffff)
      view.setUint8(21, 255) // IPV6_FL_S_ANY
      view.setUint16(22, 1, true) // IPV6_FL_F_CREATE
      await this.option(fd, SOL_IPV6, IPV6_FLOWLABEL_MGR, request, 'IPV6_FLOWLABEL_MGR')
    }
    if (opts.tos !== 0) await this.option(fd, SOL_IPV6, IPV6_TCLASS, opts.tos, 'IPV6_TCLASS')
    if (opts.tos !== 0 || opts.flowLabel !== 0)
      await this.option(fd, SOL_IPV6, IPV6_FLOWINFO_SEND, 1, 'IPV6_FLOWINFO_SEND')
  }

  /** Binds to the device of -i and the source of -s and --sport. */
  async bind(fd: number): Promise<void> {
    const { opts, proc } = this
    if (opts.device !== undefined) await this.option(fd, SOL_SOCKET, SO_BINDTODEVICE, opts.device, 'SO_BINDTODEVICE')
    const length = this.family === AF_INET ? 4 : 16
    const any: HostAddress = { ...this.host, addr: new Uint8Array(length), scopeId: 0 }
    await this.must('bind', () => proc.bind(fd, socketAddress(opts.source ?? any, opts.sourcePort)))
  }

  /** Asks for receive times and TTLs. */
  async wantTimes(fd: number): Promise<void> {
    const { proc } = this
    await errnoOf(() => proc.setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, 1))
    await errnoOf(() =>
      this.family === AF_INET
        ? proc.setsockopt(fd, SOL_IP, IP_RECVTTL, 1)
        : proc.setsockopt(fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1),
    )
  }

  /** Asks for ICMP errors. */
  async wantErrors(fd: number): Promise<void> {
    if (this.family === AF_INET) await this.option(fd, SOL_IP, IP_RECVERR, 1, 'IP_RECVERR')
    else await this.option(fd, SOL_IPV6, IPV6_RECVERR, 1, 'IPV6_RECVERR')
  }

  async setTtl(fd: number, ttl: number): Promise<void> {
    if (this.family === AF_INET) await this.option(fd, SOL_IP, IP_TTL, ttl, 'IP_TTL')
    else await this.option(fd, SOL_IPV6, IPV6_UNICAST_HOPS, ttl, 'IPV6_UNICAST_HOPS')
  }

  /**
   * Sends on a connected socket. An error that an earlier probe left pending fails one call and is gone; it says
   * nothing of this probe, which is sent again.
   * @returns whether it is on its way, or will be said to be too long
   */
  async send(fd: number, data: Uint8Array): Promise<boolean> {
    let errno = await errnoOf(() => this.proc.sendto(fd, data, 0))
    if (errno === Errno.EHOSTUNREACH) errno = await errnoOf(() => this.proc.sendto(fd, data, 0))
    if (errno === Errno.ENOBUFS || errno === Errno.EAGAIN) return false
    if (errno !== 0 && errno !== Errno.EMSGSIZE && errno !== Errno.EHOSTUNREACH) this.fail('send', errno)
    return true
  }

  addPoll(fd: number, events: number): void {
    this.polls.set(fd, events)
  }

  probeBySeq(seq: number): Probe | undefined {
    return seq <= 0 ? undefined : this.probes.find(probe => probe.seq === seq)
  }

  probeByFd(fd: number): Probe | undefined {
    return this.probes.find(probe => probe.fd === fd)
  }

  /** A probe is answered, or will not be. */
  finish(probe: Probe): void {
    if (probe.fd >= 0) {
      this.polls.delete(probe.fd)
      this.proc.close(probe.fd)
      probe.fd = -1
    }
    probe.seq = 0
    probe.done = true
  }

  /** Notes an ICMP error. */
  mark(probe: Probe, type: number, code: number, info: number): void {
    const mark = icmpMark(this.family, type, code, info)
    if (mark === undefined) return
    if (mark !== '') probe.error = mark
    probe.final = true
  }

  /** Reads one message, from the queue of errors if `err`, and finishes the probe it answers. */
  async receive(fd: number, err: boolean, check: CheckReply): Promise<void> {
    const { proc, opts } = this
    let message: ReceivedMessage
    try {
      message = await proc.recvmsg(fd, MAX_MESSAGE, (err ? MSG_ERRQUEUE : 0) | MSG_DONTWAIT)
    } catch (error) {
      if (isSysError(error)) return
      throw error
    }
    let { data } = message
    if (!err && this.family === AF_INET && this.rawData) {
      const length = ((data[0] ?? 0) & 15) * 4
      if (data.length < 20 || data.length < length) return
      data = data.subarray(length)
    }
    let probe = check(fd, err, message.from, data)
    if (probe === undefined) {
      if (data.length > 0 || !err || !opts.dontFragment) return
      probe = this.probes[(opts.firstHop - 1) * opts.probesPerHop]!
      if (probe.done) return
    }
    this.take(probe, message, err)
  }

  private take(probe: Probe, message: ReceivedMessage, err: boolean): void {
    const { opts } = this
    const { control } = message
    const ee = control.err
    if (ee !== undefined && ee.origin !== 'local') {
      if (ee.origin !== (this.family === AF_INET ? 'icmp' : 'icmp6')) return
      if (ee.origin === 'icmp' && (ee.type === 4 || ee.type === 5)) return
    }
    probe.recvTime = control.timestamp === undefined ? this.now() : Math.floor(control.timestamp / 1000) * 1000
    probe.recvTtl = control.ttl ?? control.hoplimit ?? 0
    if (!err) probe.from = message.from
    if (ee !== undefined && ee.origin !== 'local') {
      probe.from = ee.offender
      this.mark(probe, ee.type, ee.code, ee.info)
    } else if (ee !== undefined) {
      if (ee.errno !== Errno.EMSGSIZE || ee.info === 0) this.fail('local recverr', ee.errno)
      probe.error = `!F-${ee.info}`
      probe.final = true
    }
    if (ee !== undefined && opts.mtuDiscovery && ee.info >= this.headerLen && ee.info < this.headerLen + this.dataLen) {
      this.dataLen = ee.info - this.headerLen
      this.finish(probe)
      Object.assign(probe, emptyProbe(), { error: `F=${ee.info}` })
      return
    }
    this.finish(probe)
  }

  /** How long to wait for a probe at most, ns: less where a like one was answered sooner. */
  private timeout(index: number): number {
    const { opts, probes } = this
    const max = opts.waitMax * SECOND
    const bounded = (probe: Probe, factor: number): number | undefined => {
      const trip = probe.recvTime - probe.sendTime
      return probe.done && trip > 0 ? Math.min(max, (trip + WAIT_PRECISION) * factor) : undefined
    }
    if (opts.hereFactor !== 0) {
      const first = index - (index % opts.probesPerHop)
      for (let i = first; i < first + opts.probesPerHop; i++) {
        const limit = bounded(probes[i]!, opts.hereFactor)
        if (limit !== undefined) return limit
      }
    }
    if (opts.nearFactor !== 0)
      for (let i = index + 1; i < probes.length && probes[i]!.sendTime !== 0; i++) {
        const limit = bounded(probes[i]!, opts.nearFactor)
        if (limit !== undefined) return limit
      }
    return max
  }

  /**
   * A probe has expired. Where a later one brought an error that ends the way and belongs here — routers answer only
   * so many probes — it is moved to this place.
   */
  private expire(index: number): void {
    const { opts, probes } = this
    const probe = probes[index]!
    this.finish(probe)
    const first = index - (index % opts.probesPerHop)
    for (let i = first; i < index; i++) if (!probes[i]!.done || !probes[i]!.final) return
    let at = index + 1
    while (at < probes.length && probes[at]!.sendTime !== 0 && !probes[at]!.done) at++
    const found = probes[at]
    if (found === undefined || !found.done || !found.final || found.error === '') return
    if (index > first || (index % opts.probesPerHop) + (at - index) < opts.probesPerHop || this.belongs(index, found)) {
      Object.assign(probe, found)
      Object.assign(found, emptyProbe(), { sendTime: 1 })
    }
  }

  /** Whether the end of the way that a later probe met seems to be at this probe's hop, or before it. */
  private belongs(index: number, found: Probe): boolean {
    const { opts, probes } = this
    for (let i = index - 1; i >= 0; i--) if (sameHost(probes[i]!.from, found.from)) return true
    if (found.recvTtl === 0) return false
    let back = backHops(found.recvTtl)
    for (let i = index - 1; i >= 0; i--) {
      const probe = probes[i]!
      if (!probe.done || probe.final || probe.recvTtl === 0) continue
      const hops = backHops(probe.recvTtl)
      if (hops >= back) continue
      back = back - hops + Math.floor(i / opts.probesPerHop) + 1
      break
    }
    return back <= Math.floor(index / opts.probesPerHop) + 1
  }

  /** Traces the way and prints it. */
  async run(method: Method): Promise<void> {
    const { opts, probes, proc } = this
    proc.stdout.write(
      `traceroute to ${opts.hostName} (${this.hostText(this.target(0))}), ${opts.maxHops} hops max, ` +
        `${this.headerLen + this.dataLen} byte packets`,
    )
    await proc.stdout.flush()
    let start = (opts.firstHop - 1) * opts.probesPerHop
    let end = probes.length
    let lastSend = 0
    while (start < end) {
      let under = 0
      let next = 0
      const now = proc.realtime()
      for (let n = start; n < end; n++) {
        const probe = probes[n]!
        if (n === start && !probe.done && probe.sendTime !== 0) {
          const expires = probe.sendTime + this.timeout(n)
          if (expires > now) next = expires
          else this.expire(n)
        }
        if (probe.done) {
          if (n === start) {
            await this.print(n)
            start++
          }
          if (probe.final) end = (Math.floor(n / opts.probesPerHop) + 1) * opts.probesPerHop
          continue
        }
        if (probe.sendTime === 0) {
          const due = lastSend + opts.sendWait * SECOND
          if (opts.sendWait !== 0 && due > now) {
            next = due
            break
          }
          await method.send(probe, Math.floor(n / opts.probesPerHop) + 1)
          if (probe.sendTime === 0) {
            if (next !== 0) break
            this.fail('send probe', Errno.EAGAIN)
          }
          lastSend = probe.sendTime
        }
        if (next === 0) next = probe.sendTime + this.timeout(n)
        under++
        if (under >= opts.simProbes) break
      }
      if (next !== 0) await this.poll(Math.max(0, next - proc.realtime()), method)
    }
    proc.stdout.write('\n')
  }

  /** Waits for messages and reads all that have come. @param timeout ns */
  private async poll(timeout: number, method: Method): Promise<void> {
    const { proc } = this
    let wait = Math.ceil(timeout / 1e6) * 1e6
    for (;;) {
      const fds = [...this.polls].map(([fd, events]) => ({ fd, events }))
      let events: number[]
      try {
        events = await proc.poll(fds, wait)
      } catch (error) {
        if (isSysError(error, Errno.EINTR)) return
        throw error
      }
      if (events.every(found => found === 0)) return
      for (const [i, found] of events.entries())
        if (found !== 0 && this.polls.has(fds[i]!.fd)) await method.receive(fds[i]!.fd, found)
      wait = 0
    }
  }

  private hostText(address: Sockaddr | undefined): string {
    if (address?.family !== AF_INET && address?.family !== AF_INET6) return ''
    return this.names.numeric(address)
  }

  /** Prints one probe's outcome. */
  private async print(index: number): Promise<void> {
    const { opts, probes, proc } = this
    const probe = probes[index]!
    const ttl = Math.floor(index / opts.probesPerHop) + 1
    const first = index - (index % opts.probesPerHop)
    let text = index === first ? `\n${String(ttl).padStart(2)} ` : ''
    if (probe.from === undefined) text += ' *'
    else {
      let previous = index - 1
      while (previous >= first && probes[previous]!.from === undefined) previous--
      const before = previous < first ? undefined : probes[previous]!
      const changed =
        before === undefined ||
        !sameHost(before.from, probe.from) ||
        before.ext !== probe.ext ||
        (opts.backward && before.recvTtl !== probe.recvTtl)
      if (changed) {
        text += this.addressText(probe.from)
        if (opts.asLookups) {
          proc.stdout.write(text)
          await this.lookUpPath()
        }
        if (probe.ext !== undefined) text += ` <${probe.ext}>`
        const back = probe.recvTtl === 0 ? ttl : backHops(probe.recvTtl)
        if (opts.backward && back !== ttl) text += ` '-${back}'`
      }
    }
    if (probe.recvTime !== 0) text += `  ${((probe.recvTime - probe.sendTime) / 1e6).toFixed(3)} ms`
    if (probe.error !== '') text += ` ${probe.error}`
    proc.stdout.write(text)
    await proc.stdout.flush()
  }

  private addressText(address: Sockaddr): string {
    const text = this.hostText(address)
    if (this.opts.numeric || (address.family !== AF_INET && address.family !== AF_INET6)) return ` ${text}`
    const named = this.names.text(address, false)
    return named === text ? ` ${text} (${text})` : ` ${named}`
  }

  /** -A needs a registry, which is found by name. */
  private async lookUpPath(): Promise<never> {
    const found = await getaddrinfo(this.proc, WHOIS)
    const why = typeof found === 'string' ? found : strerror(Errno.ENETUNREACH)
    throw new ToolExit(`${WHOIS}/nicname: ${why}\n`, 2)
  }
}

/** Reads a reply, or an error where the socket has one. */
export async function receiveReply(tracer: Tracer, fd: number, events: number, check: CheckReply): Promise<void> {
  if ((events & (POLLIN | POLLERR)) !== 0) await tracer.receive(fd, (events & POLLERR) !== 0, check)
}
