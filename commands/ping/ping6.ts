/** ping over IPv6: ICMPv6 echo (RFC 4443) and node information queries. */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import {
  AF_INET6,
  ICMPV6_FILTER,
  IP_PMTUDISC_DO,
  IPPROTO_ICMPV6,
  IPV6_CHECKSUM,
  IPV6_FLOWINFO_SEND,
  IPV6_MTU_DISCOVER,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_LOOP,
  IPV6_RECVERR,
  IPV6_RECVHOPLIMIT,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  MSG_CONFIRM,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  type ReceivedMessage,
  SO_BINDTODEVICE,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_ICMPV6,
  SOL_IPV6,
  SOL_RAW,
  SOL_SOCKET,
  type SockaddrIn6,
} from '../../src/uapi/socket.ts'
import { AddressWriter } from '../lib/address_writer.ts'
import { type HostAddress, isLinkLocal } from '../lib/getaddrinfo.ts'
import { interfaceByName } from '../lib/interfaces.ts'
import { errnoOf } from '../lib/iputils.ts'
import { icmp6Text } from './icmp_text.ts'
import { ICMPV6_NI_REPLY } from './node_info.ts'
import { usage } from './options.ts'
import { type ErrorRead, ICMP_HEADER, type PingFamily, type Session, TIMEVAL } from './session.ts'
import { deviceHasAddress } from './source.ts'

/** Options of RFC 3542 and Linux that few programs use. */
const IPV6_FLOWLABEL_MGR = 32
const IPV6_PKTINFO = 50

const ICMPV6_ECHO_REQUEST = 128
const ICMPV6_ECHO_REPLY = 129
const IP6_HEADER = 40
const NEXTHDR_FRAGMENT = 44
const PROBE_PORT = 1025
const MIN_GROUP_INTERVAL = 1000

function sameAddress(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}

function isUnspecified(address: Uint8Array): boolean {
  return address.every(byte => byte === 0)
}

/** The IPv6 side of a run. */
class Ping6 implements PingFamily {
  private readonly session: Session
  private readonly names: AddressWriter
  private readonly target: SockaddrIn6
  private source: SockaddrIn6
  /** an answer may come from any of a link's routers: the target has no interface identifier */
  private readonly anycast: boolean
  /** index of the device to send by, 0: as routed */
  private sendIfindex = 0
  private confirm = 0
  private flowinfo = 0

  constructor(session: Session, host: HostAddress) {
    this.session = session
    this.names = new AddressWriter(session.proc)
    this.target = { family: AF_INET6, addr: host.addr, port: IPPROTO_ICMPV6, scopeId: host.scopeId }
    this.source = { family: AF_INET6, addr: session.opts.source6, port: 0 }
    this.anycast = host.addr.subarray(8).every(byte => byte === 0)
  }

  private name(address: SockaddrIn6): string {
    return this.names.text(address, this.session.opts.numeric)
  }

  /** @returns a device's index; ends the program where there is no such device */
  private ifindex(device: string): number {
    const { proc, console } = this.session
    return interfaceByName(proc, device)?.index ?? console.fail(2, `unknown iface: ${device}`)
  }

  private async must(
    fd: number,
    level: number,
    option: number,
    value: number | Uint8Array | string,
    complaint: string,
  ): Promise<void> {
    const { proc, console } = this.session
    const errno = await errnoOf(() => proc.setsockopt(fd, level, option, value))
    if (errno !== 0) console.fail(2, complaint, errno)
  }

  /** Asks the kernel which source address it takes. @returns whether the next address of the name is to be tried */
  async findSource(more: boolean): Promise<boolean> {
    const { opts, proc, console, sock } = this.session
    const { device } = opts
    if (!isUnspecified(this.source.addr)) {
      if (device !== undefined && isLinkLocal(this.source.addr))
        this.source = { ...this.source, scopeId: this.ifindex(device) }
      return false
    }
    const hop: SockaddrIn6 = { ...this.target, port: PROBE_PORT }
    const probe = proc.socket(AF_INET6, SOCK_DGRAM, 0)
    if (device !== undefined) {
      const ifindex = this.ifindex(device)
      const pktinfo = new Uint8Array(20)
      new DataView(pktinfo.buffer).setInt32(16, ifindex, true)
      for (const fd of [probe, sock.fd])
        await this.must(fd, SOL_IPV6, IPV6_PKTINFO, pktinfo, 'setsockopt(IPV6_PKTINFO)')
      for (const fd of [probe, sock.fd])
        await this.must(fd, SOL_SOCKET, SO_BINDTODEVICE, device, `setsockopt(SO_BINDTODEVICE) ${device}`)
    }
    if (opts.tos !== 0) await this.must(probe, SOL_IPV6, IPV6_TCLASS, opts.tos, 'setsockopt(IPV6_TCLASS)')
    await this.session.setMark(probe)
    // a link-local target is connected to with no address family, which the kernel takes for disconnecting
    const errno = isLinkLocal(hop.addr) ? 0 : await errnoOf(() => proc.connect(probe, hop))
    if ((errno === Errno.EHOSTUNREACH || errno === Errno.ENETUNREACH) && more) {
      proc.close(probe)
      return true
    }
    if (errno !== 0) console.fail(2, 'connect', errno)
    const name = proc.getsockname(probe)
    if (name.family === AF_INET6 && !isLinkLocal(hop.addr)) this.source = { ...name, port: 0 }
    proc.close(probe)
    if (device !== undefined && !deviceHasAddress(proc, device, AF_INET6, this.source.addr))
      await console.warn(`Warning: source address might be selected on device other than: ${device}`)
    return false
  }

  /** Sets the socket up and prints the first line. */
  async prepare(): Promise<void> {
    const { session } = this
    const { opts, proc, console, sock } = session
    const { device } = opts
    if (device !== undefined) {
      this.sendIfindex = this.ifindex(device)
      if (opts.strictSource) await this.must(sock.fd, SOL_SOCKET, SO_BINDTODEVICE, device, `SO_BINDTODEVICE ${device}`)
    }
    if (this.target.addr[0] === 0xff) {
      session.multicast = true
      if (proc.uid !== 0) {
        if (session.interval < MIN_GROUP_INTERVAL)
          console.fail(2, 'minimal interval for multicast ping for user must be >= 1000 ms, use -i 1 (or higher)')
        if (opts.pmtudisc >= 0 && opts.pmtudisc !== IP_PMTUDISC_DO) console.fail(2, 'multicast ping does not fragment')
      }
      if (opts.pmtudisc < 0) opts.pmtudisc = IP_PMTUDISC_DO
    }
    if (opts.pmtudisc >= 0) await this.must(sock.fd, SOL_IPV6, IPV6_MTU_DISCOVER, opts.pmtudisc, 'IPV6_MTU_DISCOVER')
    const ownIdent = session.ident > 0 && sock.type === SOCK_DGRAM
    if (opts.strictSource || ownIdent) {
      const address = { ...this.source, port: ownIdent ? session.ident : 0 }
      const errno = await errnoOf(() => proc.bind(sock.fd, address))
      if (errno !== 0) console.fail(2, 'bind icmp socket', errno)
    }
    session.timing = session.datalen >= TIMEVAL && !opts.nodeInfo.enabled
    await this.must(sock.fd, SOL_IPV6, IPV6_RECVERR, 1, 'IPV6_RECVERR')
    const size = session.datalen + ICMP_HEADER
    await session.setBuffers(size + Math.floor((size + 511) / 512) * (40 + 16 + 64 + 160))
    await this.setFilter()
    if (opts.noLoop) await this.must(sock.fd, SOL_IPV6, IPV6_MULTICAST_LOOP, 0, "can't disable multicast loopback")
    if (opts.ttl !== undefined) {
      await this.must(sock.fd, SOL_IPV6, IPV6_MULTICAST_HOPS, opts.ttl, "can't set multicast hop limit")
      await this.must(sock.fd, SOL_IPV6, IPV6_UNICAST_HOPS, opts.ttl, "can't set unicast hop limit")
    }
    await this.must(sock.fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1, "can't receive hop limit")
    if (opts.flowlabel !== undefined) await this.setFlowLabel(opts.flowlabel)
    const flow = this.flowinfo === 0 ? '' : `, flow 0x${this.flowinfo.toString(16).padStart(5, '0')}, `
    const from =
      device !== undefined || opts.strictSource ? `from ${this.names.numeric(this.source)} ${device ?? ''}: ` : ''
    await console.print(
      `PING ${session.hostname}(${this.names.numeric(this.target)}) ${flow}${from}${session.datalen} data bytes\n`,
    )
    await session.setup()
  }

  /** Only answers are wanted of the socket; errors come by their queue. */
  private async setFilter(): Promise<void> {
    const { session } = this
    const { console, sock, opts } = session
    if (sock.type !== SOCK_RAW) return
    const errno = await session.setsockopt(SOL_RAW, IPV6_CHECKSUM, 2)
    if (errno !== 0) await console.warn('setsockopt(RAW_CHECKSUM) failed - try to continue', errno)
    const filter = new Uint8Array(32).fill(0xff)
    const wanted = opts.nodeInfo.enabled ? ICMPV6_NI_REPLY : ICMPV6_ECHO_REPLY
    filter[wanted >> 3]! &= ~(1 << (wanted & 7))
    await this.must(sock.fd, SOL_ICMPV6, ICMPV6_FILTER, filter, 'setsockopt(ICMP6_FILTER)')
  }

  /** Obtains a flow label (`struct in6_flowlabel_req`) and sends with it. */
  private async setFlowLabel(label: number): Promise<void> {
    const { sock } = this.session
    const request = new Uint8Array(32)
    request.set(this.target.addr)
    const view = new DataView(request.buffer)
    view.setUint32(16, label)
    view.setUint8(20, 0) // IPV6_FL_A_GET
    view.setUint8(21, 1) // IPV6_FL_S_EXCL
    view.setUint16(22, 1, true) // IPV6_FL_F_CREATE
    await this.must(sock.fd, SOL_IPV6, IPV6_FLOWLABEL_MGR, request, "can't set flowlabel")
    this.flowinfo = label
    await this.must(sock.fd, SOL_IPV6, IPV6_FLOWINFO_SEND, 1, "can't send flowinfo")
  }

  async sendProbe(): Promise<number> {
    const { session } = this
    const { stats, proc, sock, opts } = session
    const seq = (stats.transmitted + 1) & 0xffff
    stats.clearSeen(seq)
    let { packet } = session
    if (opts.nodeInfo.enabled) {
      session.datalen = 0
      packet = opts.nodeInfo.build(seq, this.target.addr, this.nonce())
    } else {
      packet.set([ICMPV6_ECHO_REQUEST, 0, 0, 0, session.ident >> 8, session.ident, seq >> 8, seq])
      if (session.timing) session.stampPacket()
    }
    const to = this.flowinfo === 0 ? this.target : { ...this.target, flowinfo: this.flowinfo }
    const control = this.sendIfindex === 0 ? undefined : { pktinfo: { ifindex: this.sendIfindex } }
    const flags = this.confirm
    this.confirm = 0
    try {
      await proc.sendto(sock.fd, packet, flags, to, control)
      return 0
    } catch (error) {
      if (!isSysError(error)) throw error
      return error.errno
    }
  }

  /** Six bytes that tell this process's queries from others'. */
  private nonce(): Uint8Array {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setUint32(0, this.session.proc.pid * 0x9e3779b1)
    return bytes
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
      else await console.warn(`local error: message too long, mtu: ${err.info}`)
      stats.errors++
      return { net: 0, local: 1, foreign: false }
    }
    if (err?.origin !== 'icmp6') return { net: 0, local: 0, foreign: false }
    const { data, from } = message
    if (
      data.length < ICMP_HEADER ||
      from?.family !== AF_INET6 ||
      !sameAddress(from.addr, this.target.addr) ||
      data[0] !== ICMPV6_ECHO_REQUEST ||
      !this.isOurs((data[4]! << 8) | data[5]!)
    )
      return { net: 0, local: 0, foreign: true }
    stats.errors++
    if (!opts.quiet) {
      if (opts.flood) await console.print('\bE')
      else {
        const who = err.offender?.family === AF_INET6 ? this.name(err.offender) : ''
        const seq = (data[6]! << 8) | data[7]!
        const text = icmp6Text(err.type, err.code, err.info)
        await console.print(`${session.stamp()}From ${who} icmp_seq=${seq} ${text}\n`)
        await console.flush()
      }
    }
    return { net: 1, local: 0, foreign: false }
  }

  async parseReply(message: ReceivedMessage): Promise<boolean> {
    const { session } = this
    const { opts, console } = session
    const { data: icmp, from } = message
    if (icmp.length < ICMP_HEADER || from?.family !== AF_INET6) {
      if (opts.verbose) await console.warn(`packet too short: ${icmp.length} bytes`)
      return true
    }
    if (icmp[0] !== ICMPV6_ECHO_REPLY) return this.otherMessage(icmp, from)
    if (!this.isOurs((icmp[4]! << 8) | icmp[5]!)) return true
    const reply = {
      icmp,
      seq: (icmp[6]! << 8) | icmp[7]!,
      hops: message.control.hoplimit ?? -1,
      badChecksum: false,
      time: session.receiveTime(message),
      from: this.name(from),
      differentAddress: !session.multicast && !this.anycast && !sameAddress(from.addr, this.target.addr),
    }
    this.confirm = MSG_CONFIRM
    if (await session.gather(reply)) await console.flush()
    else await session.endLine()
    return false
  }

  /** What the filter should have kept away. @returns whether it was another program's */
  private async otherMessage(icmp: Uint8Array, from: SockaddrIn6): Promise<boolean> {
    const { session } = this
    const { opts, console, stats, proc } = session
    if (icmp.length < ICMP_HEADER + IP6_HEADER + ICMP_HEADER) return true
    const view = new DataView(icmp.buffer, icmp.byteOffset, icmp.length)
    const inner = icmp.subarray(ICMP_HEADER)
    if (!sameAddress(inner.subarray(24, 40), this.target.addr)) return true
    let next = inner[6]!
    let at = ICMP_HEADER + IP6_HEADER
    if (next === NEXTHDR_FRAGMENT) {
      next = icmp[at]!
      at += 8
    }
    if (next === IPPROTO_ICMPV6 && icmp.length >= at + ICMP_HEADER) {
      if (icmp[at] !== ICMPV6_ECHO_REQUEST || !this.isOurs(view.getUint16(at + 4))) return true
      stats.acknowledge(view.getUint16(at + 6))
      return false
    }
    if (!opts.verbose || proc.uid !== 0) return true
    const text = icmp6Text(icmp[0]!, icmp[1]!, view.getUint32(4))
    await console.print(`${session.stamp()}From ${this.name(from)}: ${text}`)
    await session.endLine()
    return false
  }
}

/**
 * Pings over IPv6.
 * @param more there are further addresses of the name to try
 * @returns the exit status, or undefined where the next address is to be tried
 */
export async function ping6(session: Session, host: HostAddress, more: boolean): Promise<number | undefined> {
  const { opts } = session
  if (opts.hosts.length > 1) usage()
  const target = opts.hosts[0] ?? opts.nodeInfo.group ?? usage()
  if (target.includes(':')) opts.numeric = true
  session.hostname = target
  const family = new Ping6(session, host)
  if (await family.findSource(more)) return undefined
  await family.prepare()
  return session.loop(family)
}
