import { beforeEach, describe, expect, it } from 'vitest'
import type { NetDevice } from '../../../src/kernel/core/net_device.ts'
import { put16, put32 } from '../../../src/kernel/ipv4/ip.ts'
import { mac } from '../core/net_lab.ts'
import { IpLab, num4, RoutedLab, type Seen, sin, text } from './ip_lab.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'

/** An ARP message without its link header. */
function arp(op: number, sha: Uint8Array, sip: string, tha: Uint8Array, tip: string): Uint8Array {
  const bytes = new Uint8Array(28)
  put16(bytes, 0, 1)
  put16(bytes, 2, 0x0800)
  bytes[4] = 6
  bytes[5] = 4
  put16(bytes, 6, op)
  bytes.set(sha, 8)
  put32(bytes, 14, num4(sip))
  bytes.set(tha, 18)
  put32(bytes, 24, num4(tip))
  return bytes
}

/** What a tap saw of ARP: `request 10.0.0.2 tell 10.0.0.1`, `reply 10.0.0.1 is-at 02:…`. */
function words(seen: readonly Seen[]): string[] {
  return seen
    .map(frame => frame.bytes)
    .filter(b => b[12] === 0x08 && b[13] === 0x06)
    .map(b => {
      const sip = [...b.subarray(28, 32)].join('.')
      const tip = [...b.subarray(38, 42)].join('.')
      return b[21] === 1 ? `request ${tip} tell ${sip}` : `reply ${sip} to ${tip}`
    })
}

const STRANGER = mac('02:00:00:00:00:77')
const NOBODY = new Uint8Array(6)

describe('ARP', () => {
  let lab: IpLab
  let peer: IpLab['net']
  let dev: NetDevice
  let seen: Seen[]

  beforeEach(() => {
    lab = new IpLab()
    peer = lab.createNet()
    lab.wire(lab.net, 'a0', A, peer, 'b0', B)
    lab.sleep(2)
    dev = lab.dev('a0')
    seen = lab.tap(dev)
  })

  const give = (bytes: Uint8Array, pktType = 1): void => {
    lab.inject(dev, bytes, { protocol: 0x0806, pktType })
  }
  const ask = (tip: string, sip = B): string[] => {
    seen.length = 0
    give(arp(1, STRANGER, sip, NOBODY, tip))
    lab.sleep(0.01)
    return words(seen).filter(line => line.startsWith('reply'))
  }

  it('answers requests for its addresses, on whichever device they are', () => {
    lab.add('d0', { kind: 'dummy' })
    lab.addr('192.0.2.1/24', 'd0')
    lab.up('d0')
    expect(ask(A)).toEqual([`reply ${A} to ${B}`])
    expect(ask('192.0.2.1')).toEqual([`reply 192.0.2.1 to ${B}`])
    expect(ask('10.0.0.9')).toEqual([])
    expect(ask('127.0.0.1')).toEqual([])
    expect(ask('224.0.0.1')).toEqual([])
  })

  it('restricts its answers by arp_ignore', () => {
    lab.add('d0', { kind: 'dummy' })
    lab.addr('192.0.2.1/24', 'd0')
    lab.up('d0')
    const mode = (value: number): unknown => lab.setting('ipv4/conf/a0/arp_ignore', value)
    mode(1)
    expect([ask(A).length, ask('192.0.2.1').length]).toEqual([1, 0])
    mode(2)
    expect([ask(A).length, ask(A, '10.9.9.9').length]).toEqual([1, 0])
    mode(8)
    expect(ask(A)).toEqual([])
  })

  it('chooses the address to ask with by arp_announce', () => {
    lab.add('d0', { kind: 'dummy' })
    lab.addr('192.0.2.1/24', 'd0')
    lab.up('d0')
    const from = (level: number): string[] => {
      lab.setting('ipv4/conf/a0/arp_announce', level)
      seen.length = 0
      const sk = lab.udp()
      sk.bind(sin('192.0.2.1', 0))
      sk.sendmsg(text('x'), 0, sin(`10.0.0.${20 + level}`, 9), undefined)
      return words(seen)
    }
    expect(from(0)).toEqual(['request 10.0.0.20 tell 192.0.2.1'])
    expect(from(1)).toEqual([`request 10.0.0.21 tell ${A}`])
    expect(from(2)).toEqual([`request 10.0.0.22 tell ${A}`])
  })

  it('does not learn from strangers unless arp_accept says so', () => {
    const gratuitous = arp(1, STRANGER, '10.0.0.77', NOBODY, '10.0.0.77')
    give(gratuitous)
    expect(lab.neighs()).toEqual([])
    lab.setting('ipv4/conf/a0/arp_accept', 1)
    give(gratuitous)
    expect(lab.neighs()).toEqual(['10.0.0.77 STALE'])
  })

  it('believes the first of several answers, and others only after locktime', () => {
    lab.ipNeigh('add', '10.0.0.77', 'a0', { state: 2, attrs: { lladdr: mac('02:00:00:00:00:01') } })
    const reply = arp(2, STRANGER, '10.0.0.77', dev.devAddr, A)
    give(reply, 0)
    expect(lab.neighDump()[0]!.attrs.lladdr!.at(-1)).toBe(1)
    lab.sleep(1.1)
    give(reply, 0)
    expect(lab.neighDump()[0]!.attrs.lladdr!.at(-1)).toBe(0x77)
  })

  it('answers who looks whether an address is free', () => {
    seen.length = 0
    give(arp(1, STRANGER, '0.0.0.0', NOBODY, A))
    expect(words(seen)).toContain(`reply ${A} to 0.0.0.0`)
    expect(lab.neighs()).toEqual([])
  })

  it('announces its addresses when it comes up with arp_notify', () => {
    lab.setting('ipv4/conf/a0/arp_notify', 1)
    lab.down('a0')
    seen.length = 0
    lab.up('a0')
    lab.sleep(0.1)
    expect(words(seen)).toEqual([`request ${A} tell ${A}`])
  })

  it('drops gratuitous messages where that is asked for', () => {
    lab.ipNeigh('add', '10.0.0.77', 'a0', { state: 4, attrs: { lladdr: mac('02:00:00:00:00:01') } })
    lab.setting('ipv4/conf/a0/drop_gratuitous_arp', 1)
    lab.sleep(2)
    give(arp(1, STRANGER, '10.0.0.77', NOBODY, '10.0.0.77'))
    expect(lab.neighDump()[0]!.attrs.lladdr!.at(-1)).toBe(1)
  })
})

describe('proxy ARP', () => {
  let lab: RoutedLab

  beforeEach(() => {
    lab = new RoutedLab()
    // the client believes that the server is on its own link
    lab.route('add', '10.2.0.0/24', { dev: 'c0' })
  })

  const reach = (): boolean => {
    const before = lab.counter('UdpNoPorts', lab.server)
    lab.udp().sendmsg(text('x'), 0, sin('10.2.0.2', 9), undefined)
    lab.sleep(2)
    return lab.counter('UdpNoPorts', lab.server) > before
  }

  it('answers for hosts behind another device with proxy_arp', () => {
    expect(reach()).toBe(false)
    lab.setting('ipv4/conf/r0/proxy_arp', 1, lab.router)
    lab.sleep(5)
    expect(reach()).toBe(true)
  })

  it('answers for single addresses made by hand, after a while', () => {
    lab.ipNeigh('add', '10.2.0.2', 'r0', { proxy: true, state: 0 }, lab.router)
    const seen = lab.tap(lab.dev('c0'))
    const start = lab.kernel.clock.now
    expect(reach()).toBe(true)
    const reply = seen.find(frame => frame.bytes[13] === 0x06 && frame.bytes[21] === 2)!
    expect(reply.at - start).toBeGreaterThan(1e6)
    expect(reply.at - start).toBeLessThan(0.8e9)
  })
})
