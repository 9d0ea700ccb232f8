/** Probes by connections, -M tcpconn: each socket connects with its TTL; ICMP errors come by a raw socket. */
import { Errno } from '../../../src/uapi/errno.ts'
import { O_NONBLOCK, POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../../src/uapi/fs.ts'
import { AF_INET, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, SOCK_STREAM } from '../../../src/uapi/socket.ts'
import { errnoOf } from '../../lib/iputils.ts'
import type { Method, MethodEntry, Probe } from '../method.ts'
import { receiveReply, type Tracer } from '../tracer.ts'

const TCP_PORT = 80
const ICMP_HEADER = 8
const IP6_HEADER = 40

/** Connections at work. */
class TcpconnMethod implements Method {
  private readonly tracer: Tracer
  private readonly icmpFd: number
  private readonly port: number

  constructor(tracer: Tracer, icmpFd: number, port: number) {
    this.tracer = tracer
    this.icmpFd = icmpFd
    this.port = port
  }

  async send(probe: Probe, ttl: number): Promise<void> {
    const { tracer, port } = this
    const { proc } = tracer
    const fd = await tracer.must('socket', () => proc.socket(tracer.family, SOCK_STREAM | O_NONBLOCK, 0))
    await tracer.tune(fd)
    await tracer.setTtl(fd, ttl)
    probe.sendTime = tracer.now()
    const errno = await errnoOf(() => proc.connect(fd, tracer.target(port)))
    if (errno !== 0 && errno !== Errno.EINPROGRESS) tracer.fail('connect', errno)
    const name = await tracer.must('getsockname', () => proc.getsockname(fd))
    probe.seq = 'port' in name ? name.port : 0
    probe.fd = fd
    tracer.addPoll(fd, POLLERR | POLLHUP | POLLOUT)
  }

  async receive(fd: number, events: number): Promise<void> {
    const { tracer, port } = this
    if (fd === this.icmpFd) {
      if ((events & POLLIN) !== 0) await receiveReply(tracer, fd, POLLIN, (_fd, _err, _from, data) => this.check(data))
      return
    }
    const probe = tracer.probeByFd(fd)
    if (probe === undefined) return
    const errno = await errnoOf(() => tracer.proc.connect(fd, tracer.target(port)))
    if (errno !== 0 && errno !== Errno.EISCONN && errno !== Errno.ECONNREFUSED) return
    probe.from = tracer.target(port)
    probe.final = true
    probe.recvTime = tracer.now()
    tracer.finish(probe)
  }

  /** Finds the probe of an ICMP error by the segment it quotes. */
  private check(data: Uint8Array): Probe | undefined {
    const { tracer } = this
    const four = tracer.family === AF_INET
    const [type, code] = [data[0] ?? 0, data[1] ?? 0]
    if (four ? type !== 11 && type !== 3 : type < 1 || type > 3) return undefined
    const header = four ? ((data[ICMP_HEADER] ?? 0) & 15) * 4 : IP6_HEADER
    const at = ICMP_HEADER + header
    if (data.length < at + 8 || data[ICMP_HEADER + (four ? 9 : 6)] !== IPPROTO_TCP) return undefined
    const view = new DataView(data.buffer, data.byteOffset, data.length)
    if (view.getUint16(at + 2) !== this.port) return undefined
    const probe = tracer.probeBySeq(view.getUint16(at))
    if (probe !== undefined) tracer.mark(probe, type, code, view.getUint32(4))
    return probe
  }
}

export const tcpconnMethod: MethodEntry = {
  headerLen: 0,
  start: async tracer => {
    const fd = tracer.openRaw(tracer.family === AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6)
    await tracer.bind(fd)
    await tracer.wantTimes(fd)
    tracer.addPoll(fd, POLLIN)
    return new TcpconnMethod(tracer, fd, tracer.opts.port || TCP_PORT)
  },
}
