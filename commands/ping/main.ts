/** ping of iputils 20221126. */
import { Errno, isSysError, strerror } from '../../src/uapi/errno.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  IP_TOS,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPV6_TCLASS,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_IP,
  SOL_IPV6,
} from '../../src/uapi/socket.ts'
import { ToolExit } from '../lib/errors.ts'
import { EAI_ADDRFAMILY, getaddrinfo, isLinkLocal } from '../lib/getaddrinfo.ts'
import { parseIpv6 } from '../lib/inet.ts'
import { type Console, errnoOf, iputilsProgram } from '../lib/iputils.ts'
import { type PingOptions, parseOptions } from './options.ts'
import { ping4 } from './ping4.ts'
import { ping6 } from './ping6.ts'
import { ICMP_HEADER, type PingSocket, Session } from './session.ts'

const FAMILY_NAMES: Readonly<Record<number, string>> = {
  [AF_UNSPEC]: 'AF_UNSPEC',
  [AF_INET]: 'AF_INET',
  [AF_INET6]: 'AF_INET6',
}
const SOCKTYPE_NAMES: Readonly<Record<number, string>> = { 0: '0', [SOCK_DGRAM]: 'SOCK_DGRAM', [SOCK_RAW]: 'SOCK_RAW' }
/** Most bytes of a pattern. */
const PATTERN_MAX = 16

/** Errors of opening a ping socket after which a raw one is tried. */
const FALL_BACK = [Errno.EPROTONOSUPPORT, Errno.EACCES] as const

/** Opens a ping socket, or a raw one where that is refused. */
async function openSocket(
  proc: Process,
  console: Console,
  opts: PingOptions,
  family: number,
  protocol: number,
  required: boolean,
): Promise<PingSocket> {
  let type = opts.socktype
  let fd = -1
  let errno = 0
  const open = (): void => {
    try {
      fd = proc.socket(family, type, protocol)
    } catch (error) {
      if (!isSysError(error)) throw error
      errno = error.errno
    }
  }
  open()
  const fallBack =
    FALL_BACK.some(candidate => candidate === errno) || (errno === Errno.EAFNOSUPPORT && family === AF_INET)
  if (fd === -1 && type === SOCK_DGRAM && fallBack) {
    type = SOCK_RAW
    open()
  }
  if (fd !== -1) return { fd, type }
  if (required || opts.verbose) {
    await console.warn(`socktype: ${SOCKTYPE_NAMES[type]}`)
    await console.warn('socket', errno)
  }
  if (required) {
    if (type === SOCK_RAW && proc.uid !== 0) await console.warn('=> missing cap_net_raw+p capability or setuid?')
    throw new ToolExit('', 2)
  }
  return { fd, type }
}

/** @returns the ICMP message with its data as -p asks for, header empty */
async function makePacket(console: Console, opts: PingOptions): Promise<Uint8Array> {
  const packet = new Uint8Array(ICMP_HEADER + opts.datalen)
  const { pattern } = opts
  if (pattern === undefined) return packet
  const wrong = /[^0-9a-fA-F]/.exec(pattern)
  if (wrong !== null) console.fail(2, `patterns must be specified as hex digits: ${pattern.slice(wrong.index)}`)
  const bytes = (pattern.match(/.{1,2}/g) ?? []).slice(0, PATTERN_MAX).map(digits => Number.parseInt(digits, 16))
  if (bytes.length > 0) for (let i = 0; i < opts.datalen; i++) packet[ICMP_HEADER + i] = bytes[i % bytes.length]!
  if (!opts.quiet) {
    const hex = bytes.map(byte => byte.toString(16).padStart(2, '0')).join('')
    await console.print(`PATTERN: 0x${hex}\n`)
  }
  return packet
}

/** Sets an option of a socket, if there is that socket. */
async function setOption(
  proc: Process,
  console: Console,
  sock: PingSocket,
  level: number,
  option: number,
  value: number,
): Promise<void> {
  if (sock.fd === -1) return
  const errno = await errnoOf(() => proc.setsockopt(sock.fd, level, option, value))
  if (errno !== 0) console.fail(2, 'setsockopt', errno)
}

async function run(proc: Process, console: Console): Promise<number> {
  const opts = await parseOptions(proc, console)
  const target = opts.hosts.at(-1) ?? opts.nodeInfo.group
  if (target === undefined) console.fail(1, `usage error: ${strerror(Errno.EDESTADDRREQ)}`)
  const packet = await makePacket(console, opts)
  if (opts.ident === 0) {
    if (opts.verbose) await console.warn('WARNING: ident 0 => forcing raw socket')
    opts.socktype = SOCK_RAW
  }
  const none = { fd: -1, type: 0 }
  const sock4 =
    opts.family === AF_INET6
      ? none
      : await openSocket(proc, console, opts, AF_INET, IPPROTO_ICMP, opts.family === AF_INET)
  const sock6 =
    opts.family === AF_INET ? none : await openSocket(proc, console, opts, AF_INET6, IPPROTO_ICMPV6, sock4.fd === -1)
  if (opts.family === AF_UNSPEC) {
    if (sock4.fd === -1) opts.family = AF_INET6
    else if (sock6.fd === -1) opts.family = AF_INET
  }
  if (opts.verbose)
    await console.warn(
      `sock4.fd: ${sock4.fd} (socktype: ${SOCKTYPE_NAMES[sock4.type]}), ` +
        `sock6.fd: ${sock6.fd} (socktype: ${SOCKTYPE_NAMES[sock6.type]}), ` +
        `hints.ai_family: ${FAMILY_NAMES[opts.family]}\n`,
    )
  if (opts.tos !== 0) {
    await setOption(proc, console, sock4, SOL_IP, IP_TOS, opts.tos)
    await setOption(proc, console, sock6, SOL_IPV6, IPV6_TCLASS, opts.tos)
  }
  const literal = parseIpv6(target)
  if (sock6.type === SOCK_DGRAM && literal !== undefined && isLinkLocal(literal))
    await console.warn(
      'Warning: IPv6 link-local address on ICMP datagram socket may require ifname or scope-id => use: address%<ifname|scope-id>',
    )
  const found = await getaddrinfo(proc, target)
  if (typeof found === 'string') console.fail(2, `${target}: ${found}`)
  for (const [i, host] of found.entries()) {
    if (opts.verbose)
      await console.print(
        `ai->ai_family: ${FAMILY_NAMES[host.family]}, ai->ai_canonname: '${i === 0 ? host.canonname : ''}'\n`,
      )
    const more = i < found.length - 1
    if (opts.family !== AF_UNSPEC && opts.family !== host.family) {
      if (!more) console.fail(2, `${target}: ${EAI_ADDRFAMILY}`)
      continue
    }
    const session = new Session(proc, console, opts, host.family === AF_INET ? sock4 : sock6, packet)
    const status = host.family === AF_INET ? await ping4(session, host, more) : await ping6(session, host, more)
    if (status !== undefined) return status
  }
  return 2
}

export const main: Program = iputilsProgram(run)
