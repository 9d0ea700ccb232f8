/** ping over IPv4: ICMP echo (RFC 792). */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import {
  AF_INET,
  ICMP_FILTER,
  IP_MTU_DISCOVER,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_OPTIONS,
  IP_PMTUDISC_DO,
  IP_RECVERR,
  IP_RECVTTL,
  IP_RETOPTS,
  IP_TOS,
  IP_TTL,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  type ReceivedMessage,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_IP,
  SOL_RAW,
  SOL_SOCKET,
  type SockaddrIn,
} from '../../src/uapi/socket.ts'
import { AddressWriter } from '../lib/address_writer.ts'
import { getaddrinfo, type HostAddress, inetAton, ipv4Number, ipv4Text } from '../lib/getaddrinfo.ts'
import { interfaceByName } from '../lib/interfaces.ts'
import { errnoOf } from '../lib/iputils.ts'
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_PARAMETERPROB,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  icmpText,
} from './icmp_text.ts'
import { ipHeaderText, OptionsPrinter, recordRouteOption, timestampOption } from './ip_options.ts'
import { TS_PRESPEC, usage } from './options.ts'
import { type ErrorRead, ICMP_HEADER, type PingFamily, type Session, TIMEVAL } from './session.ts'
import { deviceHasAddress } from './source.ts'

const IP_HEADER = 20
/** Any port will do to ask for a route. */
const PROBE_PORT = 1025
/** Shortest -i of an ordinary user who pings a group, ms. */
const MIN_GROUP_INTERVAL = 1000

/** @returns an ICMP filter that lets only these types through */
function filterFor(types: readonly number[]): number {
  return ~types.reduce((mask, type) => mask | (1 << type), 0)
}

/** @returns the internet checksum (RFC 1071) of a message */
function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

function isMulticast(address: number): boolean {
  return address >>> 28 === 14
}

function addressBytes(address: number): Uint8Array {
  return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address)
}

/** The IPv4 side of a run. */
class Ping4 implements PingFamily {
  private readonly session: Session
  private readonly names: AddressWriter
  private readonly options: OptionsPrinter
  private target = 0
  private readonly route: number[] = []
  private source: number

  constructor(session: Session) {
    this.session = session
    this.source = session.opts.source4
    this.names = new AddressWriter(session.proc)
    this.options = new OptionsPrinter(address => this.name(address))
  }

  private name(address: number): string {
    return this.names.text({ family: AF_INET, addr: address, port: 0 }, this.session.opts.numeric)
  }

  /** Looks the hosts up: the last is the target, those before it are the way there. */
  async findHosts(host: HostAddress): Promise<void> {
    const { session } = this
    const { opts, proc, console } = session
    const { hosts } = opts
    if (hosts.length > 1) {
      if (opts.recordRoute) usage()
      if (hosts.length > (opts.timestampType === undefined ? 10 : 5)) usage()
      if (opts.timestampType !== undefined && opts.timestampType !== TS_PRESPEC) usage()
    }
    for (const [i, word] of hosts.entries()) {
      const last = i === hosts.length - 1
      const literal = inetAton(word)
      let found = host
      if (literal !== undefined) {
        this.target = ipv4Number(literal)
        session.hostname = word
        if (last) opts.numeric = true
      } else {
        if (!last) {
          const addresses = await getaddrinfo(proc, word, AF_INET)
          found = typeof addresses === 'string' ? console.fail(2, `${word}: ${addresses}`) : addresses[0]!
        }
        this.target = ipv4Number(found.addr)
        session.hostname = found.canonname
      }
      if (!last) this.route.push(this.target)
    }
  }

  /** Binds a socket to the device of -I. */
  private async bindToDevice(fd: number, device: string): Promise<void> {
    const { proc, console } = this.session
    const errno = await errnoOf(() => proc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device))
    if (errno === 0) return
    if (!isMulticast(this.target)) console.fail(2, `SO_BINDTODEVICE ${device}`, errno)
    const ifindex = interfaceByName(proc, device)?.index ?? console.fail(2, `unknown iface: ${device}`)
    const value = { kind: 'mreqn', multiaddr: 0, address: 0, ifindex } as const
    const failed = await errnoOf(() => proc.setsockopt(fd, SOL_IP, IP_MULTICAST_IF, value))
    if (failed !== 0) console.fail(2, 'IP_MULTICAST_IF', failed)
  }

  /** Asks the kernel which source address it takes. @returns whether the next address of the name is to be tried */
  async findSource(more: boolean): Promise<boolean> {
    const { opts, proc, console, sock } = this.session
    const { device } = opts
    if (this.source !== 0) {
      if (device !== undefined) await this.bindToDevice(sock.fd, device)
      return false
    }
    const probe = proc.socket(AF_INET, SOCK_DGRAM, 0)
    if (device !== undefined) {
      await this.bindToDevice(probe, device)
      await this.bindToDevice(sock.fd, device)
    }
    if (opts.tos !== 0) {
      const errno = await errnoOf(() => proc.setsockopt(probe, SOL_IP, IP_TOS, opts.tos))
      if (errno !== 0) await console.warn('warning: QOS sockopts', errno)
    }
    await this.session.setMark(probe)
    const to: SockaddrIn = { family: AF_INET, addr: this.route[0] ?? this.target, port: PROBE_PORT }
    let errno = await errnoOf(() => proc.connect(probe, to))
    if (errno === Errno.EACCES) {
      if (!opts.broadcast)
        console.fail(2, 'Do you want to ping broadcast? Then -b. If not, check your local firewall rules')
      proc.stderr.write('WARNING: pinging broadcast address\n')
      const failed = await errnoOf(() => proc.setsockopt(probe, SOL_SOCKET, SO_BROADCAST, 1))
      if (failed !== 0) console.fail(2, 'cannot set broadcasting', failed)
      errno = await errnoOf(() => proc.connect(probe, to))
    } else if ((errno === Errno.EHOSTUNREACH || errno === Errno.ENETUNREACH) && more) {
      proc.close(probe)
      return true
    }
    if (errno !== 0) console.fail(2, 'connect', errno)
    const name = proc.getsockname(probe)
    if (name.family === AF_INET) this.source = name.addr
    if (device !== undefined) {
      if (!deviceHasAddress(proc, device, AF_INET, addressBytes(this.source)))
        await console.warn(`Warning: source address might be selected on device other than: ${device}`)
      else if (this.source === to.addr) await errnoOf(() => proc.setsockopt(sock.fd, SOL_SOCKET, SO_BINDTODEVICE, ''))
    }
    proc.close(probe)
    return false
  }

  /** Sets the socket up and prints the first line. */
  async prepare(): Promise<void> {
    const { session } = this
    const { opts, proc, console, sock } = session
    if (this.target === 0) this.target = this.source
    if (opts.broadcast || isMulticast(this.target)) {
      session.multicast = true
      if (proc.uid !== 0) {
        if (session.interval < MIN_GROUP_INTERVAL)
          console.fail(2, 'minimal interval for broadcast ping for user must be >= 1000 ms, use -i 1 (or higher)')
        if (opts.pmtudisc >= 0 && opts.pmtudisc !== IP_PMTUDISC_DO) console.fail(2, 'broadcast ping does not fragment')
      }
      if (opts.pmtudisc < 0) opts.pmtudisc = IP_PMTUDISC_DO
    }
    if (opts.pmtudisc >= 0) await this.must(SOL_IP, IP_MTU_DISCOVER, opts.pmtudisc, 'IP_MTU_DISCOVER')
    const ownIdent = session.ident > 0 && sock.type === SOCK_DGRAM
    if (opts.strictSource || ownIdent) {
      const address = { family: AF_INET, addr: this.source, port: ownIdent ? session.ident : 0 } as const
      const errno = await errnoOf(() => proc.bind(sock.fd, address))
      if (errno !== 0) console.fail(2, 'bind', errno)
    }
    await this.askForErrors()
    const optlen = await this.setOptions()
    const size = session.datalen + ICMP_HEADER
    await session.setBuffers(size + Math.floor((size + 511) / 512) * (optlen + IP_HEADER + 16 + 64 + 160))
    if (opts.broadcast) await this.must(SOL_SOCKET, SO_BROADCAST, 1, 'cannot set broadcasting')
    if (opts.noLoop) await this.must(SOL_IP, IP_MULTICAST_LOOP, 0, 'cannot disable multicast loopback')
    if (opts.ttl !== undefined) {
      await this.must(SOL_IP, IP_MULTICAST_TTL, opts.ttl, 'cannot set multicast time-to-live')
      await this.must(SOL_IP, IP_TTL, opts.ttl, 'cannot set unicast time-to-live')
    }
    session.timing = session.datalen >= TIMEVAL
    const from = opts.device !== undefined || opts.strictSource
    await console.print(
      `PING ${session.hostname} (${ipv4Text(this.target)}) ` +
        (from ? `from ${ipv4Text(this.source)} ${opts.device ?? ''}: ` : '') +
        `${session.datalen}(${size + optlen + IP_HEADER}) bytes of data.\n`,
    )
    await session.setup()
    if (!opts.connect) return
    const peer = { family: AF_INET, addr: this.route[0] ?? this.target, port: PROBE_PORT } as const
    const errno = await errnoOf(() => proc.connect(sock.fd, peer))
    if (errno !== 0) console.fail(2, 'connect failed', errno)
  }

  /** Sets an option that the program cannot do without. */
  private async must(level: number, option: number, value: number | Uint8Array, complaint: string): Promise<void> {
    const errno = await this.session.setsockopt(level, option, value)
    if (errno !== 0) this.session.console.fail(2, complaint, errno)
  }

  private async askForErrors(): Promise<void> {
    const { session } = this
    const { console, sock } = session
    const may = async (level: number, option: number, value: number, complaint: string): Promise<void> => {
      const errno = await session.setsockopt(level, option, value)
      if (errno !== 0) await console.warn(complaint, errno)
    }
    if (sock.type === SOCK_RAW) {
      const wanted = [
        ICMP_SOURCE_QUENCH,
        ICMP_DEST_UNREACH,
        ICMP_TIME_EXCEEDED,
        ICMP_PARAMETERPROB,
        ICMP_REDIRECT,
        ICMP_ECHOREPLY,
      ]
      await may(SOL_RAW, ICMP_FILTER, filterFor(wanted), 'WARNING: setsockopt(ICMP_FILTER)')
    }
    if ((await session.setsockopt(SOL_IP, IP_RECVERR, 1)) !== 0)
      await console.warn('WARNING: your kernel is veeery old. No problems.')
    if (sock.type !== SOCK_DGRAM) return
    await may(SOL_IP, IP_RECVTTL, 1, 'WARNING: setsockopt(IP_RECVTTL)')
    await may(SOL_IP, IP_RETOPTS, 1, 'WARNING: setsockopt(IP_RETOPTS)')
  }

  /** Sets IP options where they are asked for. @returns what they take of a packet, bytes */
  private async setOptions(): Promise<number> {
    const { opts } = this.session
    if (opts.recordRoute) await this.must(SOL_IP, IP_OPTIONS, recordRouteOption(), 'record route')
    if (opts.timestampType !== undefined)
      await this.must(SOL_IP, IP_OPTIONS, timestampOption(opts.timestampType, this.route), 'ts option')
    // ping has laid its capabilities down by now, and without CAP_NET_RAW no source route is taken
    else if (this.route.length > 0) this.session.console.fail(2, 'record route', Errno.EPERM)
    return opts.recordRoute || opts.timestampType !== undefined ? 40 : 0
  }

  async sendProbe(): Promise<number> {
    const { session } = this
    const { packet, stats, proc, sock } = session
    const seq = (stats.transmitted + 1) & 0xffff
    packet.set([ICMP_ECHO, 0, 0, 0, session.ident >> 8, session.ident, seq >> 8, seq])
    stats.clearSeen(seq)
    if (session.timing) session.stampPacket()
    const sum = checksum(packet)
    packet[2] = sum >> 8
    packet[3] = sum
    try {
      await proc.sendto(sock.fd, packet, 0, { family: AF_INET, addr: this.target, port: 0 })
      return 0
    } catch (error) {
      if (!isSysError(error)) throw error
      return error.errno
    }
  }

  private isOurs(ident: number): boolean {
    return this.session.sock.type === SOCK_DGRAM || ident === this.session.ident
  }

  async receiveError(): Promise<ErrorRead> {
    const { session } = this
    const { proc, sock, opts, stats, console } = session
    let message: ReceivedMessage
    try {
      message = await proc.recvmsg(sock.fd, ICMP_HEADER, MSG_ERRQUEUE | MSG_DONTWAIT)
    } catch (error) {
      if (!isSysError(error)) throw error
      const none = error.errno === Errno.EAGAIN || error.errno === Errno.EINTR
      return { net: 0, local: none ? 1 : 0, foreign: false }
    }
    const { err } = message.control
    if (err?.origin === 'local') {
      if (opts.quiet) return { net: 0, local: 1, foreign: false }
      if (opts.flood) await console.print('E')
      else if (err.errno !== Errno.EMSGSIZE) await console.warn('local error', err.errno)
      else await console.warn(`local error: message too long, mtu=${err.info}`)
      stats.errors++
      return { net: 0, local: 1, foreign: false }
    }
    if (err?.origin !== 'icmp') return { net: 0, local: 0, foreign: false }
    const { data, from } = message
    const target = from?.family === AF_INET ? from.addr : 0
    if (
      data.length < ICMP_HEADER ||
      target !== this.target ||
      data[0] !== ICMP_ECHO ||
      !this.isOurs((data[4]! << 8) | data[5]!)
    )
      return { net: 0, local: 0, foreign: true }
    const seq = (data[6]! << 8) | data[7]!
    stats.acknowledge(seq)
    if (sock.type === SOCK_RAW) {
      const filter = filterFor([ICMP_SOURCE_QUENCH, ICMP_REDIRECT, ICMP_ECHOREPLY])
      await this.must(SOL_RAW, ICMP_FILTER, filter, 'setsockopt(ICMP_FILTER)')
    }
    stats.errors++
    if (!opts.quiet) {
      const offender = err.offender?.family === AF_INET ? err.offender.addr : 0
      if (opts.flood) await console.print('\bE')
      else {
        const text = icmpText(err.type, err.code, err.info, () => this.name(err.info))
        await console.print(`${session.stamp()}From ${this.name(offender)} icmp_seq=${seq} ${text}\n`)
        await console.flush()
      }
    }
    return { net: 1, local: 0, foreign: false }
  }

  async parseReply(message: ReceivedMessage): Promise<boolean> {
    const { session } = this
    const { sock, opts, console } = session
    const { data } = message
    const from = message.from?.family === AF_INET ? message.from.addr : 0
    let icmp = data
    let hops = message.control.ttl ?? 0
    let options = message.control.options ?? new Uint8Array(0)
    if (sock.type === SOCK_RAW) {
      const length = ((data[0] ?? 0) & 15) * 4
      if (length < IP_HEADER || data.length < length + ICMP_HEADER) {
        if (opts.verbose) await console.warn(`packet too short (${data.length} bytes) from ${this.name(from)}`)
        return true
      }
      icmp = data.subarray(length)
      hops = data[8]!
      options = data.subarray(IP_HEADER, length)
    }
    const badChecksum = checksum(icmp) !== 0
    if (icmp[0] !== ICMP_ECHOREPLY) return this.otherMessage(icmp, from, badChecksum)
    if (!this.isOurs((icmp[4]! << 8) | icmp[5]!)) return true
    const reply = {
      icmp,
      seq: (icmp[6]! << 8) | icmp[7]!,
      hops,
      badChecksum,
      time: session.receiveTime(message),
      from: this.name(from),
      differentAddress: !opts.broadcast && !session.multicast && from !== this.target,
    }
    if (await session.gather(reply)) await console.flush()
    else await session.endLine(opts.flood ? '' : this.options.text(options))
    return false
  }

  /** Redirects and the like: what the error queue does not bring. @returns whether it was another program's */
  private async otherMessage(icmp: Uint8Array, from: number, badChecksum: boolean): Promise<boolean> {
    const { session } = this
    const { opts, console, stats, proc } = session
    const type = icmp[0]!
    const view = new DataView(icmp.buffer, icmp.byteOffset, icmp.length)
    const info = view.getUint32(4)
    const describe = (): string => {
      const text = icmpText(type, icmp[1]!, type === ICMP_PARAMETERPROB ? info >>> 24 : info, () => this.name(info))
      return opts.verbose ? `${text}\n${ipHeaderText(icmp.subarray(ICMP_HEADER), this.options)}` : `${text}\n`
    }
    switch (type) {
      case ICMP_ECHO:
        return true
      case ICMP_SOURCE_QUENCH:
      case ICMP_REDIRECT:
      case ICMP_DEST_UNREACH:
      case ICMP_TIME_EXCEEDED:
      case ICMP_PARAMETERPROB: {
        const inner = ICMP_HEADER + ((icmp[ICMP_HEADER] ?? 0) & 15) * 4
        if (icmp.length < ICMP_HEADER + IP_HEADER + ICMP_HEADER || icmp.length < inner + ICMP_HEADER) return true
        const target = view.getUint32(ICMP_HEADER + 16)
        if (icmp[inner] !== ICMP_ECHO || target !== this.target || !this.isOurs(view.getUint16(inner + 4))) return true
        const seq = view.getUint16(inner + 6)
        if (type !== ICMP_REDIRECT && type !== ICMP_SOURCE_QUENCH) {
          stats.acknowledge(seq)
          return false
        }
        if (opts.quiet || opts.flood) return true
        const sum = badChecksum ? '(BAD CHECKSUM)' : ''
        await console.print(`${session.stamp()}From ${this.name(from)}: icmp_seq=${seq} ${sum}${describe()}`)
        return true
      }
    }
    if (opts.flood && !opts.verbose && !opts.quiet) {
      await console.print(badChecksum ? '!EC' : '!E')
      return false
    }
    if (!opts.verbose || proc.uid !== 0) return false
    await console.print(`From ${this.name(from)}: ${badChecksum ? '(BAD CHECKSUM)\n' : describe()}`)
    return false
  }
}

/**
 * Pings over IPv4.
 * @param more there are further addresses of the name to try
 * @returns the exit status, or undefined where the next address is to be tried
 */
export async function ping4(session: Session, host: HostAddress, more: boolean): Promise<number | undefined> {
  const family = new Ping4(session)
  await family.findHosts(host)
  if (await family.findSource(more)) return undefined
  await family.prepare()
  return session.loop(family)
}
