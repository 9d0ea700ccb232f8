/** Probes by TCP segments, -T: built here and sent raw, so that no connection is ever made. */
import { isSysError } from '../../../src/uapi/errno.ts'
import { POLLERR, POLLIN } from '../../../src/uapi/fs.ts'
import {
  AF_INET,
  AF_INET6,
  IP_MTU,
  IPPROTO_TCP,
  IPV6_MTU,
  SO_REUSEADDR,
  SOCK_STREAM,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  type Sockaddr,
} from '../../../src/uapi/socket.ts'
import type { ClifOption } from '../clif.ts'
import type { Method, MethodEntry, MethodSettings, Probe } from '../method.ts'
import { checksum, leadingUnsigned } from '../numbers.ts'
import { receiveReply, sameHost, type Tracer } from '../tracer.ts'

const TCP_PORT = 80
const TCP_HEADER = 20
const MIN_MTU = 576
const TH_SYN = 0x02
const TH_ACK = 0x10
const TH_ECE = 0x40
const TH_CWR = 0x80

const FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr'] as const

/** @returns the names of the flags of a segment */
function flagNames(flags: number): string {
  return FLAGS.filter((_, bit) => (flags & (1 << bit)) !== 0).join(',')
}

function flagOption(name: (typeof FLAGS)[number], help: string): ClifOption<MethodSettings> {
  const bit = 1 << FLAGS.indexOf(name)
  return {
    long: name,
    help,
    handle: settings => {
      settings.tcpFlags |= bit
      return true
    },
  }
}

/** @returns whether a switch of TCP is on */
function sysctl(tracer: Tracer, name: string): boolean {
  try {
    return new TextDecoder().decode(tracer.proc.readFile(`/proc/sys/net/ipv4/tcp_${name}`)).startsWith('1')
  } catch (error) {
    if (isSysError(error)) return false
    throw error
  }
}

/** A number that looks random: sequence numbers and timestamps. */
function random(tracer: Tracer): number {
  return Math.imul((tracer.proc.monotonic() & 0x7fffffff) ^ tracer.proc.pid, 0x9e3779b1) >>> 0
}

/** What TCP options the segments carry. */
function tcpOptions(tracer: Tracer, settings: MethodSettings, flags: number, segment: number): number[] {
  const long = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
  const bytes: number[] = []
  if ((flags & TH_SYN) !== 0) {
    const mss = settings.mss === 0 ? segment : settings.mss
    bytes.push(2, 4, (mss >> 8) & 255, mss & 255)
  }
  if (settings.timestamps) {
    bytes.push(...(settings.sack ? [4, 2] : [1, 1]), 8, 10)
    bytes.push(...long(random(tracer)), ...long((flags & TH_ACK) !== 0 ? random(tracer) : 0))
  } else if (settings.sack) bytes.push(1, 1, 4, 2)
  if (settings.windowScaling) bytes.push(1, 3, 3, 2)
  return bytes
}

/** TCP at work. */
class TcpMethod implements Method {
  private readonly tracer: Tracer
  private readonly settings: MethodSettings
  private readonly fd: number
  private readonly port: number
  /** pseudo header and segment */
  private readonly packet: Uint8Array
  private readonly segmentAt: number
  private lastTtl = 0

  constructor(
    tracer: Tracer,
    settings: MethodSettings,
    fd: number,
    port: number,
    packet: Uint8Array,
    segmentAt: number,
  ) {
    this.tracer = tracer
    this.settings = settings
    this.fd = fd
    this.port = port
    this.packet = packet
    this.segmentAt = segmentAt
  }

  async send(probe: Probe, ttl: number): Promise<void> {
    const { tracer, fd, packet, settings } = this
    const { proc } = tracer
    // a socket that holds a free source port, but does nothing with it: the kernel resets whatever answers
    const holder = await tracer.must('socket', () => proc.socket(tracer.family, SOCK_STREAM, 0))
    if (settings.reuse)
      await tracer.must('setsockopt SO_REUSEADDR', () => proc.setsockopt(holder, SOL_SOCKET, SO_REUSEADDR, 1))
    await tracer.bind(holder)
    const name = await tracer.must('getsockname', () => proc.getsockname(holder))
    const source = 'port' in name ? name.port : 0
    const segment = packet.subarray(this.segmentAt)
    const view = new DataView(segment.buffer, segment.byteOffset)
    view.setUint16(0, source)
    view.setUint32(4, random(tracer))
    view.setUint16(16, 0)
    view.setUint16(16, checksum(packet))
    if (ttl !== this.lastTtl) await tracer.setTtl(fd, ttl)
    this.lastTtl = ttl
    const time = tracer.now()
    if (!(await tracer.send(fd, segment))) {
      proc.close(holder)
      return
    }
    probe.sendTime = time
    probe.seq = source
    probe.fd = holder
  }

  receive(fd: number, events: number): Promise<void> {
    return receiveReply(this.tracer, fd, events, (_fd, err, from, data) => this.check(err, from, data))
  }

  private check(err: boolean, from: Sockaddr | undefined, data: Uint8Array): Probe | undefined {
    if (data.length < 8) return undefined
    const [first, second] = [(data[0]! << 8) | data[1]!, (data[2]! << 8) | data[3]!]
    const [source, target] = err ? [first, second] : [second, first]
    if (target !== this.port || !sameHost(this.tracer.target(0), from)) return undefined
    const probe = this.tracer.probeBySeq(source)
    if (probe === undefined || err) return probe
    probe.final = true
    if (this.settings.info) probe.ext = flagNames(data[13] ?? 0)
    return probe
  }
}

/** Decides flags and options: those given, or the system's own. @returns the flags */
function chooseFlags(tracer: Tracer, settings: MethodSettings): number {
  const given =
    settings.tcpFlags !== 0 ||
    settings.tcpExact ||
    settings.ecn ||
    settings.sack ||
    settings.timestamps ||
    settings.windowScaling
  if (settings.sysctl || !given) {
    settings.ecn ||= sysctl(tracer, 'ecn')
    settings.sack ||= sysctl(tracer, 'sack')
    settings.timestamps ||= sysctl(tracer, 'timestamps')
    settings.windowScaling ||= sysctl(tracer, 'window_scaling')
  }
  if (settings.tcpFlags !== 0 || settings.tcpExact) return settings.tcpFlags
  return settings.ecn ? TH_SYN | TH_ECE | TH_CWR : TH_SYN
}

function switchOption(
  long: string,
  help: string,
  set: (settings: MethodSettings) => void,
  abbrev = false,
): ClifOption<MethodSettings> {
  return {
    long,
    help,
    handle: settings => {
      set(settings)
      return true
    },
    abbrev,
  }
}

export const tcpMethod: MethodEntry = {
  headerLen: 0,
  options: [
    flagOption('syn', 'Set tcp flag SYN (default if no other tcp flags specified)'),
    flagOption('ack', 'Set tcp flag ACK,'),
    flagOption('fin', 'FIN,'),
    flagOption('rst', 'RST,'),
    flagOption('psh', 'PSH,'),
    flagOption('urg', 'URG,'),
    flagOption('ece', 'ECE,'),
    flagOption('cwr', 'CWR'),
    {
      long: 'flags',
      arg: 'NUM',
      help: 'Set tcp flags exactly to value %s',
      handle: (settings, arg) => {
        const value = leadingUnsigned(arg)
        if (value === undefined) return false
        settings.tcpFlags = value & 0xff
        settings.tcpExact = true
        return true
      },
      abbrev: true,
    },
    switchOption(
      'ecn',
      'Send syn packet with tcp flags ECE and CWR (for Explicit Congestion Notification, rfc3168)',
      settings => (settings.ecn = true),
    ),
    switchOption('sack', 'Use sack,', settings => (settings.sack = true)),
    switchOption('timestamps', 'timestamps,', settings => (settings.timestamps = true), true),
    switchOption('window_scaling', 'window_scaling option for tcp', settings => (settings.windowScaling = true), true),
    switchOption(
      'sysctl',
      'Use current sysctl (/proc/sys/net/*) setting for the tcp options and ecn. Always set by default (with "syn") if nothing else specified',
      settings => (settings.sysctl = true),
    ),
    switchOption(
      'reuse',
      'Allow to reuse local port numbers for the huge workloads (SO_REUSEADDR)',
      settings => (settings.reuse = true),
    ),
    {
      long: 'mss',
      arg: 'NUM',
      help: 'Use value of %s for maxseg tcp option (when syn)',
      handle: (settings, arg) => {
        const value = leadingUnsigned(arg)
        settings.mss = value ?? 0
        return value !== undefined
      },
    },
    switchOption(
      'info',
      'Print tcp flags of final tcp replies when target host is reached. Useful to determine whether an application listens the port etc.',
      settings => (settings.info = true),
    ),
  ],
  start: async (tracer, settings) => {
    const { proc } = tracer
    const port = tracer.opts.port || TCP_PORT
    const fd = tracer.openRaw(IPPROTO_TCP)
    await tracer.tune(fd)
    await tracer.must('connect', () => proc.connect(fd, tracer.target(0)))
    const name = await tracer.must('getsockname', () => proc.getsockname(fd))
    const segment = pathMtu(tracer, fd) - (tracer.family === AF_INET ? 20 : 40) - TCP_HEADER
    await tracer.wantErrors(fd)
    tracer.addPoll(fd, POLLIN | POLLERR)
    const flags = chooseFlags(tracer, settings)
    const options = tcpOptions(tracer, settings, flags, segment)
    const length = TCP_HEADER + options.length
    const source = name.family === AF_INET6 ? [...name.addr] : name.family === AF_INET ? addressBytes(name.addr) : []
    const pseudo = [...source, ...tracer.host.addr, length >> 8, length, 0, IPPROTO_TCP]
    const window = 4 * segment
    const header = new Array<number>(TCP_HEADER).fill(0)
    header.splice(2, 2, (port >> 8) & 255, port & 255)
    header.splice(12, 4, (length >> 2) << 4, flags & 0xff, (window >> 8) & 255, window & 255)
    tracer.dataLen = length
    return new TcpMethod(tracer, settings, fd, port, Uint8Array.from([...pseudo, ...header, ...options]), pseudo.length)
  },
}

function addressBytes(address: number): number[] {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255]
}

/** The MTU of the way, as far as it is known. */
function pathMtu(tracer: Tracer, fd: number): number {
  try {
    const value =
      tracer.family === AF_INET
        ? tracer.proc.getsockopt(fd, SOL_IP, IP_MTU)
        : tracer.proc.getsockopt(fd, SOL_IPV6, IPV6_MTU)
    return typeof value === 'number' && value >= MIN_MTU ? value : MIN_MTU
  } catch (error) {
    if (isSysError(error)) return MIN_MTU
    throw error
  }
}
