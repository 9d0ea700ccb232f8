import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { ipSendCheck, put16 } from '../../../src/kernel/ipv4/ip.ts'
import { datagram, IpLab, icmp, packet, RoutedLab, received, sin, text } from './ip_lab.ts'

const SRC = '10.0.0.2'
const DST = '10.0.0.1'

describe('receiving', () => {
  let lab: IpLab

  beforeEach(() => {
    lab = new IpLab()
    lab.wire(lab.net, 'a0', DST, lab.createNet(), 'b0', SRC)
    lab.sleep(2)
  })

  const give = (bytes: Uint8Array, words: { pktType?: number } = {}): void => lab.inject(lab.dev('a0'), bytes, words)
  const good = (): Uint8Array => packet({ src: SRC, dst: DST, payload: datagram(SRC, 5, DST, 9, text('hi')) })

  it('says why it drops a packet, and counts it', () => {
    const drops = lab.drops()
    const last = (): string => String(drops.at(-1))
    const wrong = good()
    wrong[10]! ^= 1
    give(wrong)
    expect(last()).toBe('ip_rcv_core,IP_CSUM')
    const version = good()
    version[0] = 0x65
    give(version)
    expect(last()).toBe('ip_rcv_core,IP_INHDR')
    give(good().subarray(0, 12))
    expect(last()).toBe('ip_rcv_core,IP_INHDR')
    const long = good()
    put16(long, 2, 1000)
    ipSendCheck(long, 0)
    give(long)
    expect(last()).toBe('ip_rcv_core,PKT_TOO_SMALL')
    give(good(), { pktType: 3 })
    expect(last()).toBe('ip_rcv_core,OTHERHOST')
    give(packet({ src: SRC, dst: DST, proto: 200 }))
    expect(last()).toBe('ip_protocol_deliver_rcu,IP_NOPROTO')
    give(good())
    expect(drops.map(String)).toContain('udp_rcv,NO_SOCKET')
    const bad = packet({ src: SRC, dst: DST, payload: datagram(SRC, 5, DST, 9, text('hi')) })
    bad[27]! ^= 1
    give(bad)
    expect(last()).toBe('udp_rcv,UDP_CSUM')
    expect(lab.counter('IpInHdrErrors')).toBe(3)
    expect(lab.counter('IpExtInCsumErrors')).toBe(1)
    expect(lab.counter('IpExtInTruncatedPkts')).toBe(1)
    expect(lab.counter('IpInUnknownProtos')).toBe(1)
    expect(lab.counter('UdpNoPorts')).toBe(1)
    expect(lab.counter('UdpInCsumErrors')).toBe(1)
    expect(lab.counter('UdpInErrors')).toBe(1)
    expect(lab.counter('IpInReceives')).toBe(7)
  })

  it('counts congestion marks', () => {
    for (const tos of [0, 1, 2, 2, 3]) give(packet({ src: SRC, dst: DST, tos, proto: 200 }))
    expect(['InNoECTPkts', 'InECT1Pkts', 'InECT0Pkts', 'InCEPkts'].map(name => lab.counter(`IpExt${name}`))).toEqual([
      1, 1, 2, 1,
    ])
  })

  it('takes off what the link has padded', () => {
    const sink = lab.udp()
    sink.bind(sin('0.0.0.0', 9))
    const padded = new Uint8Array(60)
    padded.set(good())
    give(padded)
    expect(received(sink)).toBe('hi from 10.0.0.2:5')
  })

  it('does not take a unicast address in a link-layer broadcast where that is asked for', () => {
    const drops = lab.drops()
    lab.setting('ipv4/conf/a0/drop_unicast_in_l2_multicast', 1)
    give(good(), { pktType: 1 })
    expect(drops.at(-1)).toEqual(['ip_rcv_finish_core', 'UNICAST_IN_L2_MULTICAST'])
  })

  it('drops a source that reverse path filtering does not allow', () => {
    const drops = lab.drops()
    lab.setting('ipv4/conf/a0/rp_filter', 1)
    give(packet({ src: '192.0.2.1', dst: DST, payload: datagram('192.0.2.1', 5, DST, 9, text('hi')) }))
    expect(drops.at(-1)).toEqual(['ip_rcv_finish_core', 'IP_RPFILTER'])
    expect(lab.counter('TcpExtIPReversePathFilter')).toBe(1)
  })

  it('never throws, whatever arrives', () => {
    lab.udp().bind(sin('0.0.0.0', 9))
    lab.raw()
    lab.setting('ipv4/icmp_echo_enable_probe', 1)
    const seeds = [
      good(),
      packet({ src: SRC, dst: DST, proto: 1, payload: icmp(8, 0, 0x10001, text('ping')) }),
      packet({ src: SRC, dst: DST, proto: 1, payload: icmp(13, 0, 0x10001, new Uint8Array(12)) }),
      packet({
        src: SRC,
        dst: DST,
        proto: 1,
        payload: icmp(42, 0, 0x10001, Uint8Array.of(0x20, 0, 0, 0, 0, 8, 3, 2, 0, 0, 0, 1)),
      }),
      packet({
        src: SRC,
        dst: DST,
        proto: 1,
        payload: icmp(3, 3, 0, packet({ src: DST, dst: SRC, payload: datagram(DST, 9, SRC, 9, text('x')) })),
      }),
      packet({
        src: SRC,
        dst: DST,
        proto: 1,
        payload: icmp(5, 1, 0x0a000003, packet({ src: DST, dst: SRC, payload: datagram(DST, 9, SRC, 9, text('x')) })),
      }),
      packet({ src: SRC, dst: DST, proto: 2, payload: Uint8Array.of(0x11, 100, 0xee, 0x9b, 0, 0, 0, 0) }),
      packet({
        src: SRC,
        dst: DST,
        options: [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0],
        payload: datagram(SRC, 5, DST, 9, text('hi')),
      }),
      packet({
        src: SRC,
        dst: DST,
        options: [68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        payload: datagram(SRC, 5, DST, 9, text('hi')),
      }),
      packet({ src: SRC, dst: DST, options: [131, 7, 4, 10, 0, 0, 3], payload: datagram(SRC, 5, DST, 9, text('hi')) }),
      packet({ src: SRC, dst: DST, frag: 0x2000, payload: new Uint8Array(64) }),
      packet({ src: SRC, dst: '10.0.0.255', payload: datagram(SRC, 5, '10.0.0.255', 9, text('hi')) }),
      packet({ src: SRC, dst: '224.0.0.1', payload: datagram(SRC, 5, '224.0.0.1', 9, text('hi')) }),
    ]
    const before = lab.kernel.skbs.inUse
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 6 }),
        fc.nat(130),
        fc.boolean(),
        fc.nat(2),
        (seed, changes, cut, repair, pktType) => {
          const bytes = seed.slice(0, Math.max(1, Math.min(seed.length, cut + 8)))
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
          // most mutations would die at the checksum: mend it, so that they get further
          if (repair && (bytes[0]! & 15) * 4 <= bytes.length && (bytes[0]! & 15) >= 5) {
            if (bytes.length < 0xffff) put16(bytes, 2, bytes.length)
            ipSendCheck(bytes, 0)
          }
          give(bytes, { pktType })
        },
      ),
      { numRuns: 1500 },
    )
    lab.sleep(60)
    // what is left are datagrams and messages that wait in sockets
    expect(lab.kernel.skbs.inUse - before).toBeLessThan(1500)
  })
})

describe('what lies behind a packet in its buffer', () => {
  it('never makes a difference', () => {
    /** What comes out when packets arrive in buffers filled with `garbage`. */
    const run = (packets: readonly Uint8Array[], garbage: number): string[] => {
      const lab = new IpLab()
      lab.wire(lab.net, 'a0', DST, lab.createNet(), 'b0', SRC)
      lab.sleep(2)
      lab.setting('ipv4/icmp_ratemask', 0)
      lab.setting('ipv4/icmp_echo_enable_probe', 1)
      const sinks = [lab.udp(), lab.raw(), lab.raw(lab.net, 17)]
      sinks[0]!.bind(sin('0.0.0.0', 9))
      const seen = lab.tap(lab.dev('a0'))
      for (const bytes of packets) {
        const skb = lab.kernel.skbs.alloc(2048)
        skb.buf.fill(garbage)
        skb.reserve(64)
        skb.buf.set(bytes, skb.put(bytes.length))
        skb.dev = lab.dev('a0')
        skb.protocol = 0x0800
        skb.macHeader = skb.data - 14
        lab.kernel.netcore.netifRx(skb)
      }
      lab.sleep(40)
      const out = seen.map(frame => frame.bytes.subarray(14).toString())
      for (const sk of sinks)
        for (let m = sk.recvmsg(9999, 0); typeof m !== 'number'; m = sk.recvmsg(9999, 0)) out.push(m.data.toString())
      return out
    }
    const seeds = [
      packet({ src: SRC, dst: DST, payload: datagram(SRC, 5, DST, 9, text('hello')) }),
      packet({ src: SRC, dst: DST, payload: datagram(SRC, 5, DST, 10, text('hello')) }),
      packet({ src: SRC, dst: DST, proto: 1, payload: icmp(8, 0, 0x10001, text('ping')) }),
      packet({ src: SRC, dst: DST, proto: 1, payload: icmp(13, 0, 0x10001, new Uint8Array(12)) }),
      packet({
        src: SRC,
        dst: DST,
        proto: 1,
        payload: icmp(42, 0, 1, Uint8Array.of(0x20, 0, 0, 0, 0, 8, 3, 2, 0, 0, 0, 1)),
      }),
      packet({ src: SRC, dst: DST, options: [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0], proto: 200 }),
    ]
    const mutated = fc.tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 3 }),
      fc.integer({ min: 20, max: 90 }),
    )
    fc.assert(
      fc.property(fc.array(mutated, { minLength: 20, maxLength: 20 }), list => {
        const packets = list.map(([seed, changes, cut]) => {
          const bytes = seed.slice(0, Math.min(cut, seed.length))
          for (const [at, value] of changes) if (at < bytes.length && (at < 10 || at > 19)) bytes[at] = value
          const ihl = (bytes[0]! & 15) * 4
          if (ihl >= 20 && ihl <= bytes.length) {
            put16(bytes, 2, bytes.length)
            ipSendCheck(bytes, 0)
          }
          return bytes
        })
        expect(run(packets, 0xff)).toEqual(run(packets, 0))
      }),
      { numRuns: 15 },
    )
  })
})

describe('forwarding', () => {
  let lab: RoutedLab

  beforeEach(() => {
    lab = new RoutedLab()
  })

  it('takes one from the TTL and delivers', () => {
    const sink = lab.udp(lab.server)
    sink.bind(sin('0.0.0.0', 9))
    sink.setsockopt(0, 12, 1)
    lab.udp().sendmsg(text('hi'), 0, sin('10.2.0.2', 9), undefined)
    const message = sink.recvmsg(100, 0)
    if (typeof message === 'number') throw new Error(`nothing arrived: ${message}`)
    expect(message.control.ttl).toBe(63)
    expect(lab.counter('IpForwDatagrams', lab.router)).toBe(1)
  })

  it('reports a TTL that has run out, from the address of its own device', () => {
    const sk = lab.udp()
    sk.setsockopt(0, 2, 1)
    sk.setsockopt(0, 11, 1)
    sk.sendmsg(text('hi'), 0, sin('10.2.0.2', 9), undefined)
    const error = sk.recvmsg(100, 0x2000)
    if (typeof error === 'number') throw new Error(`no error: ${error}`)
    expect(error.control.err).toMatchObject({ errno: 113, origin: 'icmp', type: 11, code: 0 })
    expect(error.control.err!.offender).toEqual(sin('10.1.0.1', 0))
    expect(error.from).toEqual(sin('10.2.0.2', 9))
    expect(new TextDecoder().decode(error.data)).toBe('hi')
    expect(lab.counter('IpInHdrErrors', lab.router)).toBe(1)
  })

  it('asks the sender for smaller packets, and it obeys', () => {
    lab.set('r1', { mtu: 1300 }, {}, lab.router)
    const sink = lab.udp(lab.server)
    sink.bind(sin('0.0.0.0', 9))
    const sk = lab.udp()
    sk.connect(sin('10.2.0.2', 9))
    sk.setsockopt(0, 10, 2)
    expect(sk.sendmsg(new Uint8Array(1400), 0, undefined, undefined)).toBe(1400)
    expect(sk.getsockopt(1, 4)).toBe(90)
    expect(sk.sendmsg(new Uint8Array(1400), 0, undefined, undefined)).toBe(-90)
    expect(sk.getsockopt(0, 14)).toBe(1300)
    expect(sk.sendmsg(new Uint8Array(1272), 0, undefined, undefined)).toBe(1272)
    expect(lab.counter('IpFragFails', lab.router)).toBe(1)
    expect(sink.receiveQueue.qlen).toBe(1)
    // without DF the sender cuts at the learned size itself
    const other = lab.udp()
    other.setsockopt(0, 10, 0)
    other.sendmsg(new Uint8Array(1400), 0, sin('10.2.0.2', 9), undefined)
    expect(lab.counter('IpFragCreates')).toBe(2)
    expect(sink.receiveQueue.qlen).toBe(2)
  })

  it('stops when it is switched off on the device', () => {
    lab.setting('ipv4/conf/r0/forwarding', 0, lab.router)
    const sink = lab.udp(lab.server)
    sink.bind(sin('0.0.0.0', 9))
    lab.udp().sendmsg(text('hi'), 0, sin('10.2.0.2', 9), undefined)
    expect(received(sink)).toBe('EAGAIN')
    expect(lab.counter('IpInAddrErrors', lab.router)).toBe(1)
  })

  it('never throws on mutated packets and gives back every buffer', () => {
    const before = lab.kernel.skbs.inUse
    const seed = packet({
      src: '10.1.0.2',
      dst: '10.2.0.9',
      options: [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      payload: datagram('10.1.0.2', 5, '10.2.0.9', 9, new Uint8Array(40)),
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(50), fc.nat(255)), { maxLength: 4 }), changes => {
        const bytes = seed.slice()
        for (const [at, value] of changes) if (at < 12 || at >= 20) bytes[at] = value
        if ((bytes[0]! & 15) >= 5) ipSendCheck(bytes, 0)
        lab.inject(lab.dev('r0', lab.router), bytes)
      }),
      { numRuns: 500 },
    )
    lab.sleep(100)
    expect(lab.kernel.skbs.inUse).toBe(before)
  })
})
