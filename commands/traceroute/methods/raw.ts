/** Probes by packets of any protocol, -P: one at a time, for answers cannot be told apart. */
import { POLLERR, POLLIN } from '../../../src/uapi/fs.ts'
import { Protocols } from '../../lib/protocols.ts'
import type { Method, MethodEntry, Probe } from '../method.ts'
import { leadingUnsigned } from '../numbers.ts'
import { receiveReply, sameHost, type Tracer } from '../tracer.ts'

/** Raw packets at work. */
class RawMethod implements Method {
  private readonly tracer: Tracer
  private readonly fd: number
  private readonly data: Uint8Array
  private seq = 0
  private lastTtl = 0

  constructor(tracer: Tracer, fd: number) {
    this.tracer = tracer
    this.fd = fd
    this.data = tracer.filler(tracer.dataLen)
  }

  async send(probe: Probe, ttl: number): Promise<void> {
    const { tracer, fd } = this
    if (ttl !== this.lastTtl) await tracer.setTtl(fd, ttl)
    this.lastTtl = ttl
    const time = tracer.now()
    if (!(await tracer.send(fd, this.data.subarray(0, tracer.dataLen)))) return
    probe.sendTime = time
    probe.seq = ++this.seq
  }

  receive(fd: number, events: number): Promise<void> {
    return receiveReply(this.tracer, fd, events, (_fd, err, from) => {
      if (!sameHost(this.tracer.target(0), from)) return undefined
      const probe = this.tracer.probeBySeq(this.seq)
      if (probe !== undefined && !err) probe.final = true
      return probe
    })
  }
}

export const rawMethod: MethodEntry = {
  headerLen: 0,
  onePerTime: true,
  options: [
    {
      long: 'protocol',
      arg: 'PROT',
      help: 'Use protocol %s (default is 253)',
      handle: (settings, arg) => {
        const value = leadingUnsigned(arg) ?? new Protocols(settings.proc).number(arg)
        if (value !== undefined) settings.protocol = value
        return value !== undefined
      },
      abbrev: true,
    },
  ],
  start: async (tracer, settings) => {
    const { proc } = tracer
    const fd = tracer.openRaw(tracer.opts.port || settings.protocol)
    await tracer.tune(fd)
    await tracer.must('connect', () => proc.connect(fd, tracer.target(0)))
    await tracer.wantErrors(fd)
    tracer.addPoll(fd, POLLIN | POLLERR)
    return new RawMethod(tracer, fd)
  },
}
