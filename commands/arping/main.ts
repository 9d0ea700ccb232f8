/** arping of iputils 20221126: asks for link-layer addresses by ARP (RFC 826). */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import { POLLIN } from '../../src/uapi/fs.ts'
import { ETH_P_ARP, ETH_P_IP, IFF_LOOPBACK, IFF_NOARP, IFF_UP } from '../../src/uapi/if.ts'
import { NETLINK_ROUTE } from '../../src/uapi/netlink.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import { type RouteMessage, RTM_NEWROUTE } from '../../src/uapi/rtnetlink.ts'
import { Signal } from '../../src/uapi/signal.ts'
import {
  AF_INET,
  AF_PACKET,
  SO_BINDTODEVICE,
  SO_DONTROUTE,
  SOCK_DGRAM,
  SOL_SOCKET,
  type SockaddrLl,
} from '../../src/uapi/socket.ts'
import { ToolExit } from '../lib/errors.ts'
import { getaddrinfo, inetAton, ipv4Number, ipv4Text } from '../lib/getaddrinfo.ts'
import { type Interface, interfaceByIndex, interfaces } from '../lib/interfaces.ts'
import { type Console, errnoOf, iputilsProgram } from '../lib/iputils.ts'
import { routeMessage } from '../lib/rtnl.ts'
import { type ArpingOptions, parseOptions } from './options.ts'

const ARPOP_REQUEST = 1
const ARPOP_REPLY = 2
const ARPHRD_ETHER = 1
const ARPHRD_FDDI = 774
const ARP_HEADER = 8
/** Whom a received frame was for: packet(7). */
const PACKET_HOST = 0
const PACKET_MULTICAST = 2
const PROBE_PORT = 1025
const SECOND = 1e9

/** A received ARP message for IPv4. */
interface ArpMessage {
  readonly op: number
  readonly senderHw: Uint8Array
  readonly sender: number
  readonly targetHw: Uint8Array
  readonly target: number
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map(byte => byte.toString(16).toUpperCase().padStart(2, '0')).join(':')
}

/** Reads an ARP message whose addresses are as long as the link's. */
function readArp(data: Uint8Array, hatype: number, hlen: number): ArpMessage | undefined {
  if (data.length < ARP_HEADER + 2 * (4 + hlen)) return undefined
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  const hrd = view.getUint16(0)
  if (hrd !== hatype && (hatype !== ARPHRD_FDDI || hrd !== ARPHRD_ETHER)) return undefined
  if (view.getUint16(2) !== ETH_P_IP || data[4] !== hlen || data[5] !== 4) return undefined
  const op = view.getUint16(6)
  if (op !== ARPOP_REQUEST && op !== ARPOP_REPLY) return undefined
  const senderIp = ARP_HEADER + hlen
  return {
    op,
    senderHw: data.slice(ARP_HEADER, senderIp),
    sender: view.getUint32(senderIp),
    targetHw: data.slice(senderIp + 4, senderIp + 4 + hlen),
    target: view.getUint32(senderIp + 4 + hlen),
  }
}

/** A run, from the first question to the summary. */
class Arping {
  private readonly proc: Process
  private readonly console: Console
  private readonly opts: ArpingOptions
  private readonly fd: number
  private readonly target: number
  private source = 0
  private device: Interface | undefined
  private me: SockaddrLl
  private he: SockaddrLl
  private sent = 0
  private broadcasts = 0
  private received = 0
  private receivedBroadcasts = 0
  private receivedRequests = 0
  private unicasting = false
  /** when the last question was sent, monotonic ns */
  private last = 0
  private done = false

  constructor(proc: Process, console: Console, opts: ArpingOptions, fd: number, target: number) {
    this.proc = proc
    this.console = console
    this.opts = opts
    this.fd = fd
    this.target = target
    this.me = { family: AF_PACKET, protocol: ETH_P_ARP, ifindex: 0 }
    this.he = this.me
  }

  /** The device that the route to the target goes by. */
  private async guessDevice(): Promise<string> {
    const { proc, console } = this
    const nl = proc.netlink(NETLINK_ROUTE)
    const dst = Uint8Array.of(this.target >>> 24, this.target >>> 16, this.target >>> 8, this.target)
    try {
      const [answer] = nl.request(routeMessage({ family: AF_INET, dstLen: 32, attrs: { dst } }))
      if (answer?.type === RTM_NEWROUTE) {
        const entry = interfaceByIndex(proc, (answer as RouteMessage).attrs.oif ?? 0)
        if (entry !== undefined) return entry.name
      }
    } catch (error) {
      if (!isSysError(error)) throw error
    } finally {
      nl.close()
    }
    await console.warn('NETLINK_ROUTE unexpected iov element')
    throw new ToolExit('', 1)
  }

  /** Finds the device to ask on; ends the program where it cannot be asked on. */
  async findDevice(): Promise<void> {
    const { opts, proc, console } = this
    const name = opts.device ?? (await this.guessDevice())
    opts.device = name
    const unavailable = `Device ${name} not available.`
    const entry = interfaces(proc).find(candidate => candidate.name === name) ?? console.fail(2, unavailable)
    if ((entry.flags & IFF_UP) === 0) await this.refuse(`Interface "${name}" is down`, 2)
    if ((entry.flags & (IFF_NOARP | IFF_LOOPBACK)) !== 0)
      await this.refuse(`Interface "${name}" is not ARPable`, opts.dad ? 0 : 2)
    if (entry.address.length === 0) console.fail(2, unavailable)
    this.device = entry
  }

  /** Says on standard output why there will be no question. */
  private async refuse(text: string, status: number): Promise<never> {
    if (!this.opts.quiet) await this.console.print(`${text}\n`)
    throw new ToolExit('', status)
  }

  /** Finds the source address: given, the target itself when unsolicited, or as the kernel routes. */
  async findSource(): Promise<void> {
    const { opts, proc, console } = this
    if (opts.source !== undefined) {
      const given = inetAton(opts.source)
      this.source = given === undefined ? console.fail(2, `invalid source ${opts.source}`) : ipv4Number(given)
    } else if (!opts.dad && opts.unsolicited) this.source = this.target
    if (opts.dad && opts.source === undefined) return
    const probe = proc.socket(AF_INET, SOCK_DGRAM, 0)
    const bound = await errnoOf(() => proc.setsockopt(probe, SOL_SOCKET, SO_BINDTODEVICE, opts.device ?? ''))
    if (bound !== 0) await console.warn('WARNING: interface is ignored', bound)
    if (opts.source !== undefined || this.source !== 0) {
      const errno = await errnoOf(() => proc.bind(probe, { family: AF_INET, addr: this.source, port: 0 }))
      if (errno !== 0) console.fail(2, 'bind', errno)
    } else {
      const direct = await errnoOf(() => proc.setsockopt(probe, SOL_SOCKET, SO_DONTROUTE, 1))
      if (direct !== 0) await console.warn('WARNING: setsockopt(SO_DONTROUTE)', direct)
      const errno = await errnoOf(() => proc.connect(probe, { family: AF_INET, addr: this.target, port: PROBE_PORT }))
      if (errno !== 0) console.fail(2, 'connect', errno)
      const name = proc.getsockname(probe)
      if (name.family === AF_INET) this.source = name.addr
    }
    proc.close(probe)
  }

  /** Binds the packet socket and learns the own hardware address. */
  async bind(): Promise<void> {
    const { opts, proc, console } = this
    const { device } = this
    this.me = { family: AF_PACKET, protocol: ETH_P_ARP, ifindex: device?.index ?? 0 }
    const errno = await errnoOf(() => proc.bind(this.fd, this.me))
    if (errno !== 0) console.fail(2, 'bind', errno)
    const name = proc.getsockname(this.fd)
    if (name.family === AF_PACKET) this.me = name
    const hlen = this.me.addr?.length ?? 0
    if (hlen === 0) await this.refuse(`Interface "${opts.device}" is not ARPable (no ll address)`, opts.dad ? 0 : 2)
    let broadcast = device?.broadcast ?? new Uint8Array(0)
    if (broadcast.length !== hlen) {
      if (!opts.quiet) proc.stderr.write('WARNING: using default broadcast address.\n')
      broadcast = new Uint8Array(hlen).fill(0xff)
    }
    this.he = { ...this.me, addr: broadcast }
    if (!opts.quiet)
      await console.print(`ARPING ${ipv4Text(this.target)} from ${ipv4Text(this.source)} ${opts.device ?? ''}\n`)
    if (opts.source === undefined && this.source === 0 && !opts.dad)
      console.fail(2, 'no source address in not-DAD mode')
  }

  /** Sends one question, or one answer. */
  private async send(): Promise<void> {
    const { me, he, proc, opts } = this
    const own = me.addr ?? new Uint8Array(0)
    const hlen = own.length
    const packet = new Uint8Array(ARP_HEADER + 2 * (hlen + 4))
    const view = new DataView(packet.buffer)
    view.setUint16(0, me.hatype === ARPHRD_FDDI ? ARPHRD_ETHER : (me.hatype ?? ARPHRD_ETHER))
    view.setUint16(2, ETH_P_IP)
    packet[4] = hlen
    packet[5] = 4
    view.setUint16(6, opts.advert ? ARPOP_REPLY : ARPOP_REQUEST)
    packet.set(own, ARP_HEADER)
    view.setUint32(ARP_HEADER + hlen, this.source)
    packet.set(opts.advert ? own : (he.addr ?? own), ARP_HEADER + hlen + 4)
    view.setUint32(ARP_HEADER + 2 * hlen + 4, this.target)
    const now = proc.monotonic()
    if ((await errnoOf(() => proc.sendto(this.fd, packet, 0, he))) !== 0) return
    this.last = now
    this.sent++
    if (!this.unicasting) this.broadcasts++
  }

  /** Whether a message is about the target and for this process. */
  private isWanted(arp: ArpMessage): boolean {
    const own = this.me.addr ?? new Uint8Array(0)
    if (arp.sender !== this.target) return false
    if (!this.opts.dad) return arp.target === this.source && same(arp.targetHw, own)
    return !same(arp.senderHw, own) && (this.source === 0 || this.source === arp.target)
  }

  /** Takes a message in. */
  private async take(data: Uint8Array, from: SockaddrLl): Promise<void> {
    const { opts, console, proc } = this
    const now = proc.monotonic()
    const pkttype = from.pkttype ?? PACKET_HOST
    if (pkttype > PACKET_MULTICAST) return
    const own = this.me.addr ?? new Uint8Array(0)
    const arp = readArp(data, from.hatype ?? ARPHRD_ETHER, own.length)
    if (arp === undefined || !this.isWanted(arp)) return
    if (!opts.quiet) {
      let line = `${pkttype === PACKET_HOST ? 'Unicast' : 'Broadcast'} ${arp.op === ARPOP_REPLY ? 'reply' : 'request'}`
      line += ` from ${ipv4Text(arp.sender)} [${hex(arp.senderHw)}] `
      const forOther = arp.target !== this.source
      if (forOther) line += `for ${ipv4Text(arp.target)} `
      if (!same(arp.targetHw, own)) line += `${forOther ? '' : 'for '}[${hex(arp.targetHw)}]`
      await console.print(`${line} ${this.last === 0 ? 'UNSOLICITED?' : delayText(now - this.last)}\n`)
      await console.flush()
    }
    this.received++
    if (opts.timeout > 0 && this.received === opts.count) {
      this.done = true
      return
    }
    if (pkttype !== PACKET_HOST) this.receivedBroadcasts++
    if (arp.op === ARPOP_REQUEST) this.receivedRequests++
    if (opts.quitOnReply) {
      this.done = true
      return
    }
    if (opts.broadcastOnly) return
    this.he = { ...this.he, addr: arp.senderHw }
    this.unicasting = true
  }

  /** Asks and listens until all is done. @returns the exit status */
  async loop(): Promise<number> {
    const { opts, proc, console } = this
    let status = 0
    for (const signal of [Signal.SIGINT, Signal.SIGQUIT, Signal.SIGTERM])
      proc.signal(signal, () => {
        this.done = true
      })
    const start = proc.monotonic()
    const interval = opts.interval === 0 ? Number.POSITIVE_INFINITY : opts.interval * SECOND
    const timeout = opts.timeout === 0 ? Number.POSITIVE_INFINITY : start + opts.timeout * SECOND
    let tick = start + interval
    let ticks = 1
    await this.send()
    while (!this.done) {
      const events = await this.poll(Math.min(tick, timeout))
      const now = proc.monotonic()
      if (this.done) break
      if (now >= tick) {
        const passed = Math.floor((now - tick) / interval) + 1
        ticks += passed
        tick += passed * interval
        if (opts.count > 0 && opts.count < ticks) this.done = true
        else await this.send()
      }
      if (now >= timeout) this.done = true
      if (events === 0) continue
      try {
        const { data, from } = await proc.recvmsg(this.fd, 4096, 0)
        if (from?.family === AF_PACKET) await this.take(data, from)
      } catch (error) {
        if (!isSysError(error)) throw error
        await console.warn('recvfrom', error.errno)
        if (error.errno === Errno.ENETDOWN) status = 2
      }
    }
    return status | (await this.finish())
  }

  /** Waits for a message. @param deadline monotonic ns @returns the events */
  private async poll(deadline: number): Promise<number> {
    const { proc } = this
    try {
      const [events = 0] = await proc.poll([{ fd: this.fd, events: POLLIN }], Math.max(0, deadline - proc.monotonic()))
      return events
    } catch (error) {
      if (isSysError(error, Errno.EINTR)) return 0
      throw error
    }
  }

  /** Prints the summary. @returns the exit status */
  private async finish(): Promise<number> {
    const { opts, console, received } = this
    if (!opts.quiet) {
      const kinds: string[] = []
      if (this.receivedRequests > 0) kinds.push(`${this.receivedRequests} request(s)`)
      if (this.receivedBroadcasts > 0) kinds.push(`${this.receivedBroadcasts} broadcast(s)`)
      const which = kinds.length === 0 ? '' : ` (${kinds.join(', ')})`
      await console.print(
        `Sent ${this.sent} probes (${this.broadcasts} broadcast(s))\nReceived ${received} response(s)${which}\n`,
      )
      await console.flush()
    }
    if (opts.dad) return received > 0 || this.broadcasts === received ? 1 : 0
    if (opts.unsolicited) return 0
    if (received === 0) return 1
    return opts.timeout > 0 && opts.count <= 0 ? 0 : Number(this.sent !== received)
  }
}

/** @returns a delay as arping shows it: half a millisecond more than it is @param ns how long it was */
function delayText(ns: number): string {
  const us = Math.floor((ns + 500) / 1000)
  const ms = Math.floor((us + 500) / 1000)
  return `${ms}.${String(us - ms * 1000 + 500).padStart(3, '0')}ms`
}

async function run(proc: Process, console: Console): Promise<number> {
  const opts = parseOptions(proc, console)
  let fd = -1
  const errno = await errnoOf(() => {
    fd = proc.socket(AF_PACKET, SOCK_DGRAM, 0)
  })
  if (errno !== 0) console.fail(2, 'socket', errno)
  let address = inetAton(opts.target)
  if (address === undefined) {
    const found = await getaddrinfo(proc, opts.target, AF_INET)
    address = typeof found === 'string' ? console.fail(2, `${opts.target}: ${found}`) : found[0]!.addr
  }
  const arping = new Arping(proc, console, opts, fd, ipv4Number(address))
  await arping.findDevice()
  await arping.findSource()
  await arping.bind()
  return arping.loop()
}

export const main: Program = iputilsProgram(run)
