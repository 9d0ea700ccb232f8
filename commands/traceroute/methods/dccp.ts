/** Probes by DCCP requests, -D: raw like TCP's, each with a socket of DCCP that holds its port. */
import { POLLERR, POLLIN } from '../../../src/uapi/fs.ts'
import { AF_INET, AF_INET6 } from '../../../src/uapi/socket.ts'
import type { Method, MethodEntry, Probe } from '../method.ts'
import { checksum, leadingUnsigned } from '../numbers.ts'
import { receiveReply, sameHost, type Tracer } from '../tracer.ts'

const SOCK_DCCP = 6
const IPPROTO_DCCP = 33
const DCCP_PORT = 33_434
/** Generic header with a 48-bit sequence number, and a request's service code. */
const REQUEST = 20
const DEFAULT_SERVICE_CODE = 1_885_957_735

/** DCCP at work. */
class DccpMethod implements Method {
  private readonly tracer: Tracer
  private readonly fd: number
  private readonly port: number
  private readonly packet: Uint8Array
  private lastTtl = 0

  constructor(tracer: Tracer, fd: number, port: number, packet: Uint8Array) {
    this.tracer = tracer
    this.fd = fd
    this.port = port
    this.packet = packet
  }

  async send(probe: Probe, ttl: number): Promise<void> {
    const { tracer, fd, packet } = this
    const { proc } = tracer
    const holder = await tracer.must('socket', () => proc.socket(tracer.family, SOCK_DCCP, IPPROTO_DCCP))
    await tracer.bind(holder)
    const name = await tracer.must('getsockname', () => proc.getsockname(holder))
    const source = 'port' in name ? name.port : 0
    const segment = packet.subarray(packet.length - REQUEST)
    const view = new DataView(segment.buffer, segment.byteOffset)
    view.setUint16(0, source)
    view.setUint32(12, proc.monotonic() & 0x7fffffff)
    view.setUint16(6, 0)
    view.setUint16(6, checksum(packet))
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
    return receiveReply(this.tracer, fd, events, (_fd, err, from, data): Probe | undefined => {
      if (data.length < 8) return undefined
      const [first, second] = [(data[0]! << 8) | data[1]!, (data[2]! << 8) | data[3]!]
      const [source, target] = err ? [first, second] : [second, first]
      if (target !== this.port || !sameHost(this.tracer.target(0), from)) return undefined
      const probe = this.tracer.probeBySeq(source)
      if (probe !== undefined && !err) probe.final = true
      return probe
    })
  }
}

export const dccpMethod: MethodEntry = {
  headerLen: 0,
  options: [
    {
      long: 'service',
      arg: 'NUM',
      help: `Set DCCP service code to %s (default is ${DEFAULT_SERVICE_CODE})`,
      handle: (settings, arg) => {
        const value = leadingUnsigned(arg)
        settings.coverage = value ?? 0
        return value !== undefined
      },
    },
  ],
  start: async (tracer, settings) => {
    const { proc } = tracer
    const port = tracer.opts.port || DCCP_PORT
    const fd = tracer.openRaw(IPPROTO_DCCP)
    await tracer.tune(fd)
    await tracer.must('connect', () => proc.connect(fd, tracer.target(0)))
    const name = await tracer.must('getsockname', () => proc.getsockname(fd))
    await tracer.wantErrors(fd)
    tracer.addPoll(fd, POLLIN | POLLERR)
    tracer.dataLen = REQUEST
    const own = new Uint8Array(tracer.host.addr.length)
    if (name.family === AF_INET6) own.set(name.addr)
    else if (name.family === AF_INET) new DataView(own.buffer).setUint32(0, name.addr)
    const packet = new Uint8Array(own.length * 2 + 4 + REQUEST)
    packet.set(own)
    packet.set(tracer.host.addr, own.length)
    const view = new DataView(packet.buffer)
    const at = own.length * 2 + 4
    view.setUint16(at - 4, REQUEST)
    view.setUint16(at - 2, IPPROTO_DCCP)
    view.setUint16(at + 2, port)
    packet.set([REQUEST / 4, 0, 0, 0, 1], at + 4)
    view.setUint32(at + 16, settings.coverage || DEFAULT_SERVICE_CODE)
    return new DccpMethod(tracer, fd, port, packet)
  },
}
