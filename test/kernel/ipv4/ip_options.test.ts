import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { ipOptionsGet, ipOptionsUndo } from '../../../src/kernel/ipv4/ip_options.ts'
import { datagram, icmp, ip4, packet, RoutedLab, received, type Seen, sin, text } from './ip_lab.ts'

const CLIENT = '10.1.0.2'
const SERVER = '10.2.0.2'

/** Options of the IPv4 header of a frame. */
function options(frame: Uint8Array): number[] {
  return [...frame.subarray(34, 14 + (frame[14]! & 15) * 4)]
}

describe('IPv4 options', () => {
  let lab: RoutedLab
  let atClient: Seen[]
  let atServer: Seen[]

  beforeEach(() => {
    lab = new RoutedLab()
    // the first packet resolves addresses, which would be in the way
    lab.udp().sendmsg(text('x'), 0, sin(SERVER, 9), undefined)
    lab.sleep(1)
    atClient = lab.tap(lab.dev('c0'))
    atServer = lab.tap(lab.dev('s0', lab.server))
  })

  const forward = (opts: readonly number[], dst = SERVER, payload = datagram(CLIENT, 5, dst, 9, text('hi'))): void =>
    lab.inject(lab.dev('r0', lab.router), packet({ src: CLIENT, dst, options: opts, payload }))
  const udpAt = (seen: readonly Seen[]): Uint8Array | undefined =>
    seen.map(frame => frame.bytes).find(b => b[12] === 8 && b[13] === 0 && b[23] === 17)
  const errorsAt = (seen: readonly Seen[]): number[][] =>
    seen
      .map(frame => frame.bytes)
      .filter(b => b[12] === 8 && b[13] === 0 && b[23] === 1)
      .map(b => {
        const at = 14 + (b[14]! & 15) * 4
        return [b[at]!, b[at + 1]!, b[at + 4]!]
      })

  it('record the route: each router adds the address it sends from', () => {
    forward([7, 15, 4, ...new Array(12).fill(0), 0])
    expect(options(udpAt(atServer)!).slice(0, 7)).toEqual([7, 15, 8, 10, 2, 0, 1])
  })

  it('record times, alone or with addresses', () => {
    forward([68, 12, 5, 1, ...new Array(8).fill(0)])
    const [kind, len, pointer, flags, ...rest] = options(udpAt(atServer)!)
    expect([kind, len, pointer, flags]).toEqual([68, 12, 13, 1])
    expect(rest.slice(0, 4)).toEqual([10, 1, 0, 1])
    atServer.length = 0
    // no room left: the overflow is counted
    forward([68, 8, 9, 0, 1, 2, 3, 4])
    expect(options(udpAt(atServer)!)).toEqual([68, 8, 9, 0x10, 1, 2, 3, 4])
  })

  it('follow a loose source route through the router, if it may', () => {
    const sink = lab.udp(lab.server)
    sink.bind(sin('0.0.0.0', 9))
    lab.setting('ipv4/conf/all/accept_source_route', 1, lab.router)
    lab.setting('ipv4/conf/all/accept_source_route', 1, lab.server)
    const lsrr = [131, 7, 4, ...ip4(SERVER), 0]
    // the checksum is over the final destination
    forward(lsrr, '10.1.0.1', datagram(CLIENT, 5, SERVER, 9, text('by the way')))
    expect(received(sink)).toBe(`by the way from ${CLIENT}:5`)
    expect(options(udpAt(atServer)!).slice(0, 7)).toEqual([131, 7, 8, 10, 2, 0, 1])
    lab.setting('ipv4/conf/all/accept_source_route', 0, lab.router)
    forward(lsrr, '10.1.0.1', datagram(CLIENT, 5, SERVER, 9, text('no')))
    expect(received(sink)).toBe('EAGAIN')
  })

  it('are answered with a parameter problem that points at the fault', () => {
    forward([7, 2, 4, 0])
    forward([7, 7, 3, 0, 0, 0, 0, 0])
    forward([68, 12, 4, 0, ...new Array(8).fill(0)])
    forward([131, 7, 4, 1, 2, 3, 4, 131, 7, 4, 1, 2, 3, 4, 0, 0])
    forward([99, 1, 0, 0])
    // type, code, pointer
    expect(errorsAt(atClient)).toEqual([
      [12, 0, 21],
      [12, 0, 22],
      [12, 0, 22],
      [12, 0, 27],
      [12, 0, 20],
    ])
    expect(lab.counter('IpInHdrErrors', lab.router)).toBe(5)
  })

  it('go back with the answer to an echo', () => {
    lab.inject(
      lab.dev('r0', lab.router),
      packet({
        src: CLIENT,
        dst: '10.1.0.1',
        proto: 1,
        options: [7, 15, 4, ...new Array(12).fill(0), 0],
        payload: icmp(8, 0, 1),
      }),
    )
    const reply = atClient.map(frame => frame.bytes).find(b => b[23] === 1 && b[14 + (b[14]! & 15) * 4] === 0)!
    // the router as the echo's destination, then as the answer's source
    expect(options(reply).slice(0, 11)).toEqual([7, 15, 12, 10, 1, 0, 1, 10, 1, 0, 1])
  })

  it('come out of a socket as they went in', () => {
    const net = lab.net
    fc.assert(
      fc.property(
        fc.constantFrom(
          [7, 11, 4, ...new Array(8).fill(0)],
          [68, 12, 5, 0, ...new Array(8).fill(0)],
          [68, 20, 5, 1, ...new Array(16).fill(0)],
          [131, 11, 4, 10, 0, 0, 1, 10, 0, 0, 2],
          [137, 7, 4, 10, 0, 0, 1],
          [148, 4, 0, 0],
        ),
        fc.nat(3),
        (opts, nops) => {
          const given = Uint8Array.of(...new Array(nops).fill(1), ...opts)
          const opt = ipOptionsGet(net, given, true)
          if (typeof opt === 'number') throw new Error(`refused: ${opt}`)
          expect([...ipOptionsUndo(opt)].slice(0, given.length)).toEqual([...given])
        },
      ),
    )
  })

  it('of a program are refused or taken, but never make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 44 }), fc.boolean(), (bytes, capable) => {
        const opt = ipOptionsGet(lab.net, bytes, capable)
        if (typeof opt === 'number') expect(opt).toBe(-22)
        else expect(ipOptionsUndo(opt).length).toBe(opt.optlen)
      }),
      { numRuns: 2000 },
    )
  })
})
