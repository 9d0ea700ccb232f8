import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Sock } from '../../../src/kernel/core/sock.ts'
import { datagram, IpLab, packet, received, sin, text } from './ip_lab.ts'

const SRC = '10.0.0.2'
const DST = '10.0.0.1'

/** Cuts a payload at multiples of eight bytes. */
function pieces(payload: Uint8Array, cuts: readonly number[]): { offset: number; data: Uint8Array; more: boolean }[] {
  const at = [...new Set(cuts.map(cut => (cut % payload.length) & ~7))].filter(cut => cut > 0).sort((a, b) => a - b)
  const bounds = [0, ...at, payload.length]
  return bounds.slice(0, -1).map((from, i) => ({
    offset: from,
    data: payload.subarray(from, bounds[i + 1]),
    more: bounds[i + 1]! < payload.length,
  }))
}

describe('reassembly', () => {
  let lab: IpLab
  let sink: Sock

  beforeEach(() => {
    lab = new IpLab()
    const peer = lab.createNet()
    lab.wire(lab.net, 'a0', DST, peer, 'b0', SRC)
    lab.sleep(2)
    sink = lab.udp()
    sink.bind(sin('0.0.0.0', 9))
  })

  const fragment = (offset: number, data: Uint8Array, more: boolean, words: { id?: number; tos?: number } = {}): void =>
    lab.inject(
      lab.dev('a0'),
      packet({ src: SRC, dst: DST, id: 7, frag: (offset >> 3) | (more ? 0x2000 : 0), payload: data, ...words }),
    )

  it('makes any payload whole again, cut anywhere, in any order, with repetitions', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 3000 }),
        fc.array(fc.nat(3000), { minLength: 1, maxLength: 8 }),
        fc.infiniteStream(fc.nat(0xffff)),
        (data, cuts, order) => {
          const before = lab.kernel.skbs.inUse
          const payload = datagram(SRC, 5, DST, 9, data)
          const parts = pieces(payload, cuts)
          const shuffled = parts
            .map(part => ({ part, key: order.next().value as number }))
            .sort((a, b) => a.key - b.key)
          for (const { part } of shuffled.slice(0, -1)) fragment(part.offset, part.data, part.more)
          if (shuffled.length > 1) {
            const { part } = shuffled[0]!
            fragment(part.offset, part.data, part.more)
          }
          const last = shuffled.at(-1)!.part
          fragment(last.offset, last.data, last.more)
          const message = sink.recvmsg(65535, 0)
          if (typeof message === 'number') throw new Error(`nothing arrived: ${message}`)
          expect([...message.data]).toEqual([...data])
          expect(lab.kernel.skbs.inUse).toBe(before)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('drops the whole packet when pieces overlap', () => {
    const payload = datagram(SRC, 5, DST, 9, new Uint8Array(100))
    fragment(0, payload.subarray(0, 48), true)
    fragment(40, payload.subarray(40, 80), true)
    fragment(80, payload.subarray(80), false)
    expect(received(sink)).toBe('EAGAIN')
    expect(lab.counter('IpExtReasmOverlaps')).toBe(1)
    expect(lab.counter('IpReasmFails')).toBe(1)
  })

  it('refuses an end that contradicts what has come', () => {
    const payload = datagram(SRC, 5, DST, 9, new Uint8Array(100))
    fragment(80, payload.subarray(80), false)
    fragment(96, payload.subarray(0, 16), true)
    fragment(0, payload.subarray(0, 80), true)
    expect(received(sink)).toBe('EAGAIN')
    expect(lab.counter('IpReasmFails')).toBe(1)
  })

  it('does not mix fragments that differ in congestion marks against the rules', () => {
    const payload = datagram(SRC, 5, DST, 9, text('some data that is long enough'))
    fragment(0, payload.subarray(0, 16), true, { tos: 0 })
    fragment(16, payload.subarray(16), false, { tos: 3 })
    expect(received(sink)).toBe('EAGAIN')
    fragment(0, payload.subarray(0, 16), true, { tos: 2, id: 8 })
    fragment(16, payload.subarray(16), false, { tos: 3, id: 8 })
    expect(received(sink)).toContain('some data')
  })

  it('gives up after thirty seconds and tells the sender, if the first piece is there', () => {
    const payload = datagram(SRC, 5, DST, 9, new Uint8Array(100))
    const seen = lab.tap(lab.dev('a0'))
    fragment(0, payload.subarray(0, 48), true, { id: 1 })
    fragment(48, payload.subarray(48), false, { id: 2 })
    lab.sleep(29)
    expect(lab.counter('IpReasmTimeout')).toBe(0)
    expect(lab.procText('sockstat')).toMatch(/FRAG: inuse 2 memory [1-9]/)
    lab.sleep(2)
    expect(lab.counter('IpReasmTimeout')).toBe(2)
    expect(lab.counter('IpReasmFails')).toBe(2)
    expect(lab.procText('sockstat')).toContain('FRAG: inuse 0 memory 0')
    const errors = seen.map(frame => frame.bytes).filter(b => b[12] === 8 && b[13] === 0 && b[23] === 1 && b[34] === 11)
    expect(errors.map(b => b[35])).toEqual([1])
  })

  it('stops taking fragments above ipfrag_high_thresh', () => {
    lab.setting('ipv4/ipfrag_low_thresh', 0)
    lab.setting('ipv4/ipfrag_high_thresh', 5000)
    for (let id = 1; id < 30; id++) fragment(0, new Uint8Array(64), true, { id })
    expect(lab.counter('IpReasmFails')).toBeGreaterThan(15)
  })
})

describe('fragmentation', () => {
  it('cuts what is longer than the path lets through, and the receiver puts it together', () => {
    const lab = new IpLab()
    const peer = lab.createNet()
    lab.wire(lab.net, 'a0', DST, peer, 'b0', SRC)
    lab.sleep(2)
    const sink = lab.udp(peer)
    sink.bind(sin('0.0.0.0', 9))
    const source = lab.udp()
    const seen = lab.tap(lab.dev('a0'))
    fc.assert(
      fc.property(fc.integer({ min: 1473, max: 65507 }), size => {
        const data = new Uint8Array(size).map((_, i) => i * 7)
        expect(source.sendmsg(data, 0, sin(SRC, 9), undefined)).toBe(size)
        const message = sink.recvmsg(65535, 0)
        if (typeof message === 'number') throw new Error(`nothing arrived: ${message}`)
        expect(message.data.length).toBe(size)
        expect(message.data).toEqual(data)
      }),
      { numRuns: 30 },
    )
    expect(Math.max(...seen.map(frame => frame.bytes.length))).toBe(1514)
    expect(lab.counter('IpFragOKs')).toBe(30)
    expect(lab.counter('IpReasmOKs', peer)).toBe(30)
  })
})
