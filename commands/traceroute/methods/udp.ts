/** Probes by UDP (the default: to rising ports; -U: to one port) and UDP-Lite (-UL): a socket for each. */
import { POLLERR, POLLIN } from '../../../src/uapi/fs.ts'
import { AF_INET, AF_INET6, IPPROTO_UDP, IPPROTO_UDPLITE, SOCK_DGRAM, type Sockaddr } from '../../../src/uapi/socket.ts'
import type { Method, MethodEntry, Probe } from '../method.ts'
import { leadingUnsigned } from '../numbers.ts'
import { receiveReply, type Tracer } from '../tracer.ts'

const START_PORT = 33_434
const UDP_PORT = 53
const UDPLITE_SEND_CSCOV = 10
const UDPLITE_RECV_CSCOV = 11
const MIN_COVERAGE = 8
const UDP_HEADER = 8

/** UDP and UDP-Lite at work. */
class UdpMethod implements Method {
  private readonly tracer: Tracer
  private readonly protocol: number
  private readonly rising: boolean
  private readonly coverage: number
  private readonly data: Uint8Array
  private port: number

  /** @param coverage bytes of UDP-Lite that are checksummed; 0: plain UDP */
  constructor(tracer: Tracer, port: number, rising: boolean, coverage: number) {
    this.tracer = tracer
    this.port = port
    this.rising = rising
    this.coverage = coverage
    this.protocol = coverage === 0 ? IPPROTO_UDP : IPPROTO_UDPLITE
    this.data = tracer.filler(tracer.dataLen)
  }

  async send(probe: Probe, ttl: number): Promise<void> {
    const { tracer } = this
    const { proc } = tracer
    const fd = await tracer.must('socket', () => proc.socket(tracer.family, SOCK_DGRAM, this.protocol))
    await tracer.tune(fd)
    if (this.coverage !== 0) await this.setCoverage(fd)
    await tracer.setTtl(fd, ttl)
    await tracer.must('connect', () => proc.connect(fd, tracer.target(this.port & 0xffff)))
    await tracer.wantErrors(fd)
    const time = tracer.now()
    if (!(await tracer.send(fd, this.data.subarray(0, tracer.dataLen)))) {
      proc.close(fd)
      return
    }
    probe.sendTime = time
    probe.fd = fd
    tracer.addPoll(fd, POLLIN | POLLERR)
    probe.seq = this.port & 0xffff
    if (this.rising) this.port++
  }

  private async setCoverage(fd: number): Promise<void> {
    const { tracer, coverage } = this
    const { proc } = tracer
    await tracer.must('UDPLITE_SEND_CSCOV', () => proc.setsockopt(fd, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, coverage))
    await tracer.must('UDPLITE_RECV_CSCOV', () =>
      proc.setsockopt(fd, IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV, MIN_COVERAGE),
    )
  }

  receive(fd: number, events: number): Promise<void> {
    return receiveReply(this.tracer, fd, events, (_fd, err, from) => this.check(fd, err, from))
  }

  private check(fd: number, err: boolean, from: Sockaddr | undefined): Probe | undefined {
    const probe = this.tracer.probeByFd(fd)
    const port = from?.family === AF_INET || from?.family === AF_INET6 ? from.port : 0
    if (probe === undefined || probe.seq !== port) return undefined
    if (!err) probe.final = true
    return probe
  }
}

export const defaultMethod: MethodEntry = {
  headerLen: UDP_HEADER,
  start: tracer => Promise.resolve(new UdpMethod(tracer, tracer.opts.port || START_PORT, true, 0)),
}

export const udpMethod: MethodEntry = {
  headerLen: UDP_HEADER,
  start: tracer => Promise.resolve(new UdpMethod(tracer, tracer.opts.port || UDP_PORT, false, 0)),
}

export const udpliteMethod: MethodEntry = {
  headerLen: UDP_HEADER,
  options: [
    {
      long: 'coverage',
      arg: 'NUM',
      help: 'Set udplite send coverage to %s (default is 8)',
      handle: (settings, arg) => {
        const value = leadingUnsigned(arg)
        settings.coverage = value ?? 0
        return value !== undefined
      },
      abbrev: true,
    },
  ],
  start: (tracer, settings) =>
    Promise.resolve(new UdpMethod(tracer, tracer.opts.port || UDP_PORT, false, settings.coverage || MIN_COVERAGE)),
}
