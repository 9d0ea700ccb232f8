import { beforeEach, describe, expect, it } from 'vitest'
import { datagram, IpLab, icmp, packet, RoutedLab, type Seen, text } from './ip_lab.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'

/** ICMP messages that a tap saw: `3/1 to 10.0.0.2`. */
function words(seen: readonly Seen[]): string[] {
  return seen
    .map(frame => frame.bytes)
    .filter(b => b[12] === 8 && b[13] === 0 && b[23] === 1)
    .map(b => {
      const at = 14 + (b[14]! & 15) * 4
      return `${b[at]}/${b[at + 1]} to ${[...b.subarray(30, 34)].join('.')}`
    })
}

describe('ICMP', () => {
  let lab: IpLab
  let seen: Seen[]

  beforeEach(() => {
    lab = new IpLab()
    lab.wire(lab.net, 'a0', A, lab.createNet(), 'b0', B)
    lab.sleep(2)
    seen = lab.tap(lab.dev('a0'))
  })

  const give = (type: number, code: number, data = text('data'), dst = A, pktType = 0): void =>
    lab.inject(lab.dev('a0'), packet({ src: B, dst, proto: 1, payload: icmp(type, code, 0x00010001, data) }), {
      pktType,
    })
  const answers = (): string[] => words(seen).filter(line => !line.endsWith(`to ${A}`))

  it('echoes, and does not when told', () => {
    give(8, 0)
    expect(answers()).toEqual([`0/0 to ${B}`])
    lab.setting('ipv4/icmp_echo_ignore_all', 1)
    give(8, 0)
    expect(answers()).toHaveLength(1)
    expect(lab.counter('IcmpInEchos')).toBe(2)
    expect(lab.counter('IcmpOutEchoReps')).toBe(1)
  })

  it('answers timestamps', () => {
    give(13, 0, new Uint8Array(12))
    expect(answers()).toEqual([`14/0 to ${B}`])
    give(13, 0, new Uint8Array(2))
    expect(lab.counter('IcmpInErrors')).toBe(1)
  })

  it('ignores requests to everybody unless asked to answer', () => {
    give(8, 0, text('x'), '10.0.0.255', 1)
    expect(answers()).toEqual([])
    expect(lab.counter('IcmpInErrors')).toBe(1)
    lab.setting('ipv4/icmp_echo_ignore_broadcasts', 0)
    give(8, 0, text('x'), '10.0.0.255', 1)
    expect(answers()).toEqual([`0/0 to ${B}`])
  })

  it('counts messages with a wrong checksum and types it does not know', () => {
    const wrong = packet({ src: B, dst: A, proto: 1, payload: icmp(8, 0, 1) })
    wrong[23]! ^= 1
    lab.inject(lab.dev('a0'), wrong)
    give(99, 0)
    expect(['InMsgs', 'InErrors', 'InCsumErrors'].map(name => lab.counter(`Icmp${name}`))).toEqual([2, 2, 1])
  })

  it('never answers an error, a fragment that is not the first, or a packet to everybody, with an error', () => {
    const udp = datagram(B, 5, A, 9, text('x'))
    const quoted = packet({ src: A, dst: B, payload: datagram(A, 1, B, 2, text('x')) })
    lab.inject(lab.dev('a0'), packet({ src: B, dst: A, proto: 200, frag: 0x2005, payload: new Uint8Array(16) }))
    lab.inject(
      lab.dev('a0'),
      packet({ src: B, dst: '10.0.0.255', payload: datagram(B, 5, '10.0.0.255', 9, text('x')) }),
      {
        pktType: 1,
      },
    )
    give(3, 1, quoted)
    expect(answers()).toEqual([])
    lab.inject(lab.dev('a0'), packet({ src: B, dst: A, payload: udp }))
    expect(answers()).toEqual([`3/3 to ${B}`])
  })

  it('quotes as much of the packet as fits into 576 bytes', () => {
    lab.inject(lab.dev('a0'), packet({ src: B, dst: A, payload: datagram(B, 5, A, 9, new Uint8Array(1000)) }))
    const error = seen.map(frame => frame.bytes).find(b => b[23] === 1 && b[34] === 3)!
    expect(error.length).toBe(14 + 576)
  })

  it('answers an extended echo about its interfaces, where enabled', () => {
    const object = Uint8Array.of(0x20, 0, 0, 0, 0, 8, 3, 2, 0, 0, 0, lab.dev('a0').ifindex)
    give(42, 0, object)
    expect(answers()).toEqual([])
    lab.setting('ipv4/icmp_echo_enable_probe', 1)
    give(42, 0, object)
    expect(answers()).toEqual([`43/0 to ${B}`])
    const reply = seen.map(frame => frame.bytes).find(b => b[34] === 43)!
    expect(reply[41]! & 6).toBe(6)
    give(42, 0, Uint8Array.of(0x20, 0, 0, 0, 0, 8, 3, 2, 0, 0, 0, 99))
    expect(answers().at(-1)).toBe(`43/2 to ${B}`)
    give(42, 0, Uint8Array.of(0x20))
    expect(answers().at(-1)).toBe(`43/1 to ${B}`)
  })

  it('limits errors to each host, and those of all hosts together', () => {
    const closed = (src: string): void =>
      lab.inject(lab.dev('a0'), packet({ src, dst: A, payload: datagram(src, 5, A, 9, text('x')) }))
    for (let i = 0; i < 10; i++) closed(B)
    expect(answers()).toHaveLength(6)
    expect(lab.counter('IcmpOutRateLimitHost')).toBe(4)
    lab.sleep(2)
    closed(B)
    expect(answers()).toHaveLength(7)
    lab.setting('ipv4/icmp_ratelimit', 0)
    for (let i = 0; i < 10; i++) closed(B)
    expect(answers()).toHaveLength(17)
    lab.setting('ipv4/icmp_ratemask', 0)
    for (let i = 0; i < 10; i++) closed(B)
    expect(answers()).toHaveLength(27)
  })
})

describe('errors of a router', () => {
  let lab: RoutedLab
  let seen: Seen[]

  beforeEach(() => {
    lab = new RoutedLab()
    seen = lab.tap(lab.dev('c0'))
  })

  const errors = (dst: string, times = 1): string[] => {
    seen.length = 0
    for (let i = 0; i < times; i++)
      lab.inject(
        lab.dev('r0', lab.router),
        packet({ src: '10.1.0.2', dst, payload: datagram('10.1.0.2', 5, dst, 9, text('x')) }),
      )
    lab.sleep(0.1)
    return words(seen).map(line => line.split(' ')[0]!)
  }

  it('say which kind of route stopped the packet', () => {
    lab.route('add', '198.51.100.0/24', { type: 7 }, lab.router)
    lab.route('add', '192.0.2.0/24', { type: 8 }, lab.router)
    lab.route('add', '203.0.113.0/24', { type: 6 }, lab.router)
    expect(errors('172.16.0.1')).toEqual(['3/0'])
    lab.sleep(2)
    expect(errors('198.51.100.1')).toEqual(['3/1'])
    lab.sleep(2)
    expect(errors('192.0.2.1')).toEqual(['3/13'])
    lab.sleep(2)
    expect(errors('203.0.113.1')).toEqual([])
    expect(lab.counter('IpExtInNoRoutes', lab.router)).toBe(1)
  })

  it('pass a bucket of their own: five at once, then one a second', () => {
    lab.setting('ipv4/icmp_ratemask', 0, lab.router)
    expect(errors('172.16.0.1', 10)).toHaveLength(5)
    lab.sleep(1)
    expect(errors('172.16.0.1', 10)).toHaveLength(1)
  })

  it('share the bucket with icmp_ratelimit: 0 there leaves one a second', () => {
    lab.setting('ipv4/icmp_ratelimit', 0, lab.router)
    expect(errors('172.16.0.1', 10)).toHaveLength(1)
    lab.sleep(1)
    expect(errors('172.16.0.1', 10)).toHaveLength(1)
  })

  it('come from the device the packet came in by, where that is asked for', () => {
    lab.route('del', '10.1.0.0/24', { dev: 'r0' }, lab.router)
    lab.route('add', '10.1.0.0/24', { dev: 'r0', src: '10.2.0.1' }, lab.router)
    const source = (): string => {
      seen.length = 0
      lab.inject(
        lab.dev('r0', lab.router),
        packet({
          src: '10.1.0.2',
          dst: '10.2.0.2',
          ttl: 1,
          payload: datagram('10.1.0.2', 5, '10.2.0.2', 9, text('x')),
        }),
      )
      const error = seen.map(frame => frame.bytes).find(b => b[23] === 1 && b[12] === 8 && b[13] === 0)!
      return [...error.subarray(26, 30)].join('.')
    }
    expect(source()).toBe('10.2.0.1')
    lab.setting('ipv4/icmp_errors_use_inbound_ifaddr', 1, lab.router)
    expect(source()).toBe('10.1.0.1')
  })
})
