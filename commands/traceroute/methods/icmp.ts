/** Probes by ICMP echo, -I: one socket, raw or, failing that, a ping socket. */
import { isSysError } from '../../../src/uapi/errno.ts'
import { POLLERR, POLLIN } from '../../../src/uapi/fs.ts'
import { AF_INET, IPPROTO_ICMP, IPPROTO_ICMPV6, SOCK_DGRAM, SOCK_RAW } from '../../../src/uapi/socket.ts'
import type { Method, MethodEntry, MethodSettings, Probe } from '../method.ts'
import { checksum } from '../numbers.ts'
import { receiveReply, type Tracer } from '../tracer.ts'

const ICMP_HEADER = 8
const ECHO_REQUEST = 8
const ECHO_REPLY = 0
const ECHO_REQUEST6 = 128
const ECHO_REPLY6 = 129

/** Opens the socket. @returns it, and whether it is a ping socket */
async function openSocket(tracer: Tracer, settings: MethodSettings): Promise<{ fd: number; dgram: boolean }> {
  const { proc } = tracer
  const protocol = tracer.family === AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6
  const open = (type: number): { fd: number; errno: number } => {
    try {
      return { fd: proc.socket(tracer.family, type, protocol), errno: 0 }
    } catch (error) {
      if (!isSysError(error)) throw error
      return { fd: -1, errno: error.errno }
    }
  }
  if (settings.dgram) {
    const ping = open(SOCK_DGRAM)
    if (ping.fd < 0) tracer.fail('socket', ping.errno)
    return { fd: ping.fd, dgram: true }
  }
  const raw = open(SOCK_RAW)
  if (raw.fd >= 0) return { fd: raw.fd, dgram: false }
  const ping = settings.raw ? undefined : open(SOCK_DGRAM)
  if (ping === undefined || ping.fd < 0) tracer.failPrivileged('socket', raw.errno)
  return { fd: ping.fd, dgram: true }
}

/** ICMP echo at work. */
class IcmpMethod implements Method {
  private readonly tracer: Tracer
  private readonly fd: number
  private readonly ident: number
  private readonly data: Uint8Array
  private seq: number
  private lastTtl = 0

  constructor(tracer: Tracer, fd: number, ident: number) {
    this.tracer = tracer
    this.fd = fd
    this.ident = ident
    this.seq = tracer.opts.port || 1
    this.data = tracer.filler(tracer.dataLen)
  }

  async send(probe: Probe, ttl: number): Promise<void> {
    const { tracer, fd, ident } = this
    const seq = this.seq & 0xffff
    if (ttl !== this.lastTtl) await tracer.setTtl(fd, ttl)
    this.lastTtl = ttl
    const data = this.data.subarray(0, Math.max(tracer.dataLen, ICMP_HEADER))
    const type = tracer.family === AF_INET ? ECHO_REQUEST : ECHO_REQUEST6
    data.set([type, 0, 0, 0, ident >> 8, ident, seq >> 8, seq])
    if (tracer.family === AF_INET) {
      const sum = checksum(data)
      data.set([sum >> 8, sum], 2)
    }
    const time = tracer.now()
    if (!(await tracer.send(fd, data))) return
    probe.sendTime = time
    probe.seq = seq
    this.seq++
  }

  receive(fd: number, events: number): Promise<void> {
    return receiveReply(this.tracer, fd, events, (_fd, err, _from, data) => this.check(err, data))
  }

  private check(err: boolean, data: Uint8Array): Probe | undefined {
    if (data.length < ICMP_HEADER || ((data[4]! << 8) | data[5]!) !== this.ident) return undefined
    const probe = this.tracer.probeBySeq((data[6]! << 8) | data[7]!)
    if (probe === undefined || err) return probe
    if (data[0] !== (this.tracer.family === AF_INET ? ECHO_REPLY : ECHO_REPLY6)) return undefined
    probe.final = true
    return probe
  }
}

export const icmpMethod: MethodEntry = {
  headerLen: 0,
  options: [
    {
      long: 'raw',
      help: 'Use raw sockets way only. Default is try this way first (probably not allowed for unprivileged users), then try dgram',
      handle: settings => (settings.raw = true),
      exclusive: true,
    },
    {
      long: 'dgram',
      help: 'Use dgram sockets way only. May be not implemented by old kernels or restricted by sysadmins',
      handle: settings => (settings.dgram = true),
      exclusive: true,
    },
  ],
  start: async (tracer, settings) => {
    const { proc } = tracer
    tracer.dataLen = Math.max(tracer.dataLen, ICMP_HEADER)
    const { fd, dgram } = await openSocket(tracer, settings)
    await tracer.tune(fd)
    await tracer.must('connect', () => proc.connect(fd, tracer.target(0)))
    await tracer.wantErrors(fd)
    let ident = proc.pid & 0xffff
    if (dgram) {
      const name = proc.getsockname(fd)
      ident = 'port' in name ? name.port : ident
    }
    tracer.addPoll(fd, POLLIN | POLLERR)
    return new IcmpMethod(tracer, fd, ident)
  },
}
