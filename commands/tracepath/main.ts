/** tracepath of iputils 20221126: finds the way and the MTU to a host by UDP probes and the errors they cause. */
import { Errno, isSysError } from '../../src/uapi/errno.ts'
import { POLLIN } from '../../src/uapi/fs.ts'
import type { Process, Program } from '../../src/uapi/process.ts'
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_PROBE,
  IP_RECVERR,
  IP_RECVTTL,
  IP_TTL,
  IPPROTO_UDP,
  IPV6_MTU_DISCOVER,
  IPV6_RECVERR,
  IPV6_RECVHOPLIMIT,
  IPV6_UNICAST_HOPS,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  type ReceivedMessage,
  SOCK_DGRAM,
  SOL_IP,
  SOL_IPV6,
  type Sockaddr,
  type SockExtendedErr,
} from '../../src/uapi/socket.ts'
import { ToolExit } from '../lib/errors.ts'
import { getaddrinfo, type HostAddress, ipv4Text, socketAddress } from '../lib/getaddrinfo.ts'
import { formatIpv6 } from '../lib/inet.ts'
import { type Console, errnoOf, INT_MAX, iputilsProgram, versionText } from '../lib/iputils.ts'
import { HostNames } from '../lib/resolve.ts'
import { shortOptions } from '../lib/shortopt.ts'
import { USAGE } from './help.ts'

const MAX_PROBES = 10
const MAX_HOPS = 30
const MAX_HOPS_LIMIT = 255
const HOST_COLUMN = 52
/** How many probes are remembered, by their destination ports. */
const HISTORY = 64
const BASE_PORT = 44_444
/** Bytes that a probe's data begin with: its TTL and when it was sent. */
const PROBE_HEADER = 24

/** What differs between the families. */
interface Family {
  /** bytes of the IP and UDP headers */
  readonly overhead: number
  /** packet length to begin with, bytes */
  readonly mtu: number
  readonly level: number
  readonly ttlOption: number
}

const FAMILIES: Readonly<Record<number, Family>> = {
  [AF_INET]: { overhead: 28, mtu: 65_535, level: SOL_IP, ttlOption: IP_TTL },
  [AF_INET6]: { overhead: 48, mtu: 128_000, level: SOL_IPV6, ttlOption: IPV6_UNICAST_HOPS },
}

/** What the command line asks for. */
interface TracepathOptions {
  family: number
  numeric: boolean
  both: boolean
  /** bytes, 0: not given */
  mtu: number
  maxHops: number
  /** 0: not given */
  port: number
  target: string
}

function usage(): never {
  throw new ToolExit(USAGE, 255)
}

/** What an option does to the request. */
type Action = (opts: TracepathOptions, value: string, console: Console, proc: Process) => void

function chooseFamily(opts: TracepathOptions, family: number, console: Console): void {
  if (opts.family !== AF_UNSPEC && opts.family !== family) console.fail(2, 'Only one -4 or -6 option may be specified')
  opts.family = family
}

const ACTIONS: Readonly<Record<string, Action>> = {
  '4': (opts, _value, console) => chooseFamily(opts, AF_INET, console),
  '6': (opts, _value, console) => chooseFamily(opts, AF_INET6, console),
  n: opts => void (opts.numeric = true),
  b: opts => void (opts.both = true),
  l: (opts, value, console) => void (opts.mtu = console.number(value, 0, INT_MAX)),
  m: (opts, value, console) => void (opts.maxHops = console.number(value, 0, MAX_HOPS_LIMIT)),
  p: (opts, value, console) => void (opts.port = console.number(value, 0, 0xffff)),
  V: (_opts, _value, _console, proc) => {
    proc.stdout.write(versionText('tracepath'))
    throw new ToolExit('', 0)
  },
}

/** Reads the command line; wrong words end the program. */
function parseOptions(proc: Process, console: Console): TracepathOptions {
  const name = proc.argv[0] ?? ''
  const opts: TracepathOptions = {
    family: name.endsWith('4') ? AF_INET : name.endsWith('6') ? AF_INET6 : AF_UNSPEC,
    numeric: false,
    both: false,
    mtu: 0,
    maxHops: MAX_HOPS,
    port: 0,
    target: '',
  }
  const { options, operands } = shortOptions(proc.argv, '46nbh?l:m:p:V')
  for (const found of options) {
    if (found.error !== undefined) {
      proc.stderr.write(`${found.error}\n`)
      usage()
    }
    ;(ACTIONS[found.letter] ?? usage)(opts, found.value, console, proc)
  }
  if (operands.length !== 1) usage()
  opts.target = operands[0]!
  const slash = opts.target.indexOf('/')
  if (opts.port === 0 && slash >= 0) {
    opts.port = console.number(opts.target.slice(slash + 1), 0, 0xffff)
    opts.target = opts.target.slice(0, slash)
  } else if (opts.port === 0) opts.port = BASE_PORT
  return opts
}

/** What reading the error queue came to: done, nothing new, or progress to go on with. */
type Progress = 'done' | 'none' | 'more'

/** A run, hop by hop. */
class Tracepath {
  private readonly proc: Process
  private readonly console: Console
  private readonly opts: TracepathOptions
  private readonly fd: number
  private readonly host: HostAddress
  private readonly family: Family
  private readonly names: HostNames
  /** by destination port: which TTL was sent, when (monotonic ns); undefined where answered */
  private readonly history: ({ readonly hops: number; readonly time: number } | undefined)[] = []
  private slot = 0
  private ttl = 1
  private mtu: number
  private hopsTo = -1
  private hopsFrom = -1

  constructor(proc: Process, console: Console, opts: TracepathOptions, fd: number, host: HostAddress, family: Family) {
    this.proc = proc
    this.console = console
    this.opts = opts
    this.fd = fd
    this.host = host
    this.family = family
    this.names = new HostNames(proc)
    this.mtu = opts.mtu === 0 ? family.mtu : opts.mtu
  }

  private async must(option: number, value: number, name: string): Promise<void> {
    const { level } = this.family
    const errno = await errnoOf(() => this.proc.setsockopt(this.fd, level, option, value))
    if (errno !== 0) this.console.fail(1, name, errno)
  }

  /** Asks the socket for errors and their TTLs; no fragments, no regard for a known MTU. */
  async prepare(): Promise<void> {
    const { family, console, proc, fd } = this
    if (this.mtu <= family.overhead) console.fail(1, `pktlen must be within: ${family.overhead} < value <= ${INT_MAX}`)
    if (this.host.family === AF_INET) {
      await this.must(IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, 'IP_MTU_DISCOVER')
      await this.must(IP_RECVERR, 1, 'IP_RECVERR')
      await this.must(IP_RECVTTL, 1, 'IP_RECVTTL')
      return
    }
    const probing = await errnoOf(() => proc.setsockopt(fd, SOL_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_PROBE))
    if (probing !== 0) await this.must(IPV6_MTU_DISCOVER, IP_PMTUDISC_DO, 'IPV6_MTU_DISCOVER')
    await this.must(IPV6_RECVERR, 1, 'IPV6_RECVERR')
    await this.must(IPV6_RECVHOPLIMIT, 1, 'IPV6_HOPLIMIT')
  }

  /** Goes from hop to hop and prints what it finds. */
  async walk(): Promise<void> {
    const { opts, console, family } = this
    let reached = false
    for (this.ttl = 1; this.ttl <= opts.maxHops && !reached; this.ttl++) {
      await this.must(family.ttlOption, this.ttl, this.host.family === AF_INET ? 'IP_TTL' : 'IPV6_UNICAST_HOPS')
      const progress = await this.hop()
      if (progress === 'done') reached = true
      else if (progress === 'none') await console.print(`${String(this.ttl).padStart(2)}:  no reply\n`)
    }
    if (!reached) await console.print(`     Too many hops: pmtu ${this.mtu}\n`)
    const to = this.hopsTo >= 0 ? `hops ${this.hopsTo} ` : ''
    const back = this.hopsFrom >= 0 ? `back ${this.hopsFrom} ` : ''
    await console.print(`     Resume: pmtu ${this.mtu} ${to}${back}\n`)
  }

  /** Up to three probes of one TTL; again where the MTU turned out smaller. */
  private async hop(): Promise<Progress> {
    let progress: Progress = 'none'
    for (let i = 0; i < 3; i++) {
      const before = this.mtu
      progress = await this.probe()
      if (this.mtu !== before) {
        i = -1
        continue
      }
      if (progress !== 'none') return progress
    }
    return progress
  }

  /** Sends a probe and reads what comes of it. */
  private async probe(): Promise<Progress> {
    const { proc, opts, console, family, fd } = this
    for (let i = 0; i < MAX_PROBES; i++) {
      const now = proc.monotonic()
      const data = new Uint8Array(this.mtu - family.overhead)
      if (data.length >= PROBE_HEADER) writeProbe(data, this.ttl, now)
      this.history[this.slot] = { hops: this.ttl, time: now }
      const to = socketAddress(this.host, (opts.port + this.slot) & 0xffff)
      if ((await errnoOf(() => proc.sendto(fd, data, 0, to))) === 0 && data.length > 0) {
        this.slot = (this.slot + 1) % HISTORY
        return this.listen()
      }
      const progress = await this.readErrors()
      this.history[this.slot] = undefined
      if (progress === 'done') return 'done'
      if (progress === 'more') i = -1
    }
    this.slot = (this.slot + 1) % HISTORY
    await console.print(`${String(this.ttl).padStart(2)}:  send failed\n`)
    return 'done'
  }

  /** Waits a second at most for an error, or even a reply. */
  private async listen(): Promise<Progress> {
    const { proc, console, fd } = this
    await errnoOf(() => proc.poll([{ fd, events: POLLIN }], 1e9))
    let reply: ReceivedMessage | undefined
    try {
      reply = await proc.recvmsg(fd, this.mtu, MSG_DONTWAIT)
    } catch (error) {
      if (!isSysError(error)) throw error
    }
    if (reply !== undefined && reply.data.length > 0) {
      await console.print(`${String(this.ttl).padStart(2)}?: reply received 8)\n`)
      return 'done'
    }
    return this.readErrors()
  }

  /** Reads and prints all waiting errors. */
  private async readErrors(): Promise<Progress> {
    const { proc, fd } = this
    let progress: Progress = 'none'
    for (;;) {
      let message: ReceivedMessage
      const now = proc.monotonic()
      try {
        message = await proc.recvmsg(fd, PROBE_HEADER, MSG_ERRQUEUE | MSG_DONTWAIT)
      } catch (error) {
        if (isSysError(error, Errno.EAGAIN)) return progress
        if (isSysError(error)) continue
        throw error
      }
      progress = 'more'
      if (await this.report(message, now)) return 'done'
    }
  }

  /** Prints one error. @param now when it was read, monotonic ns @returns whether the way ends here */
  private async report(message: ReceivedMessage, now: number): Promise<boolean> {
    const { console, opts } = this
    const { data, from, control } = message
    const { err } = control
    let sent: number | undefined
    let sentHops = -1
    let broken = false
    const port = from?.family === AF_INET || from?.family === AF_INET6 ? from.port : 0
    const slot = port - opts.port
    const entry = slot >= 0 && slot < HISTORY - 1 ? this.history[slot] : undefined
    if (entry !== undefined) {
      sentHops = entry.hops
      sent = entry.time
      this.history[slot] = undefined
    }
    if (data.length === PROBE_HEADER) {
      const probe = readProbe(data)
      if (probe.hops === 0 || probe.time === 0) broken = true
      else {
        sentHops = probe.hops
        sent = probe.time
      }
    }
    if (err === undefined) {
      await console.print('no info\n')
      return true
    }
    let text = ''
    if (err.origin === 'local') text = `${String(this.ttl).padStart(2)}?: ${'[LOCALHOST]'.padEnd(32)} `
    else if (err.origin === 'icmp' || err.origin === 'icmp6') {
      text = sentHops > 0 ? `${String(sentHops).padStart(2)}:  ` : `${String(this.ttl).padStart(2)}?: `
      text += this.hostColumn(err.offender)
    }
    if (sent !== undefined) {
      const us = Math.max(0, Math.floor((now - sent) / 1000))
      text += `${String(Math.floor(us / 1000)).padStart(3)}.${String(us % 1000).padStart(3, '0')}ms `
      if (broken) text += '(This broken router returned corrupted payload) '
    }
    await console.print(text)
    return this.verdict(err, sentHops, control.ttl ?? control.hoplimit ?? -1)
  }

  /** The end of a line: what the error means. @param ttl of the error's packet @returns whether the way ends here */
  private async verdict(err: SockExtendedErr, sentHops: number, ttl: number): Promise<boolean> {
    const { console } = this
    const back = ttl <= 64 ? 65 - ttl : ttl <= 128 ? 129 - ttl : 256 - ttl
    switch (err.errno) {
      case Errno.ETIMEDOUT:
        await console.print('\n')
        return false
      case Errno.EMSGSIZE:
        await console.print(`pmtu ${err.info}\n`)
        this.mtu = err.info
        return false
      case Errno.ECONNREFUSED:
        await console.print('reached\n')
        this.hopsTo = sentHops < 0 ? this.ttl : sentHops
        this.hopsFrom = back
        return true
      case Errno.EPROTO:
        await console.print('!P\n')
        return true
      case Errno.EHOSTUNREACH: {
        const exceeded = err.code === 0 && err.type === (err.origin === 'icmp' ? 11 : err.origin === 'icmp6' ? 3 : -1)
        if (!exceeded) {
          await console.print('!H\n')
          return true
        }
        const asymmetric = back >= 0 && back !== (sentHops >= 0 ? sentHops : this.ttl)
        await console.print(`${asymmetric ? `asymm ${String(back).padStart(2)} ` : ''}\n`)
        return false
      }
      case Errno.ENETUNREACH:
        await console.print('!N\n')
        return true
      case Errno.EACCES:
        await console.print('!A\n')
        return true
      default:
        await console.print('\n')
        await console.warn('NET ERROR', err.errno)
        return true
    }
  }

  /** A router's name or address, or both, in a column. */
  private hostColumn(offender: Sockaddr | undefined): string {
    const { opts } = this
    let address = '???'
    if (offender?.family === AF_INET) address = ipv4Text(offender.addr)
    else if (offender?.family === AF_INET6) address = formatIpv6(offender.addr)
    const name = !opts.numeric || opts.both ? (this.names.lookup(address) ?? '???') : ''
    const [first, second] = opts.numeric ? [address, name] : [name, address]
    const text = opts.both ? `${first} (${second})` : first
    return text + ' '.repeat(HOST_COLUMN - Math.min(text.length, HOST_COLUMN - 1))
  }
}

/** Writes a probe's header: TTL, then seconds and nanoseconds. */
function writeProbe(data: Uint8Array, ttl: number, time: number): void {
  const view = new DataView(data.buffer)
  view.setUint32(0, ttl, true)
  view.setBigInt64(8, BigInt(Math.floor(time / 1e9)), true)
  view.setBigInt64(16, BigInt(Math.floor(time % 1e9)), true)
}

function readProbe(data: Uint8Array): { readonly hops: number; readonly time: number } {
  const view = new DataView(data.buffer, data.byteOffset)
  const time = Number(view.getBigInt64(8, true)) * 1e9 + Number(view.getBigInt64(16, true))
  return { hops: view.getUint32(0, true), time }
}

async function run(proc: Process, console: Console): Promise<number> {
  const opts = parseOptions(proc, console)
  const found = await getaddrinfo(proc, opts.target, opts.family)
  const hosts = typeof found === 'string' ? console.fail(1, `${opts.target}: ${found}`) : found
  for (const [i, host] of hosts.entries()) {
    let fd = -1
    const errno = await errnoOf(() => {
      fd = proc.socket(host.family, SOCK_DGRAM, IPPROTO_UDP)
    })
    if (errno !== 0) {
      if (i === hosts.length - 1) console.fail(1, 'socket/connect', errno)
      continue
    }
    const tracepath = new Tracepath(proc, console, opts, fd, host, FAMILIES[host.family]!)
    await tracepath.prepare()
    await tracepath.walk()
    return 0
  }
  return 1
}

export const main: Program = iputilsProgram(run)
