import { beforeEach, describe, expect, it } from 'vitest'
import {
  ICMP_FILTER,
  IP_HDRINCL,
  IP_OPTIONS,
  IP_RECVERR,
  MSG_ERRQUEUE,
  SOL_IP,
  SOL_RAW,
} from '../../../src/uapi/socket.ts'
import { IpLab, icmp, outcome, packet, sin, text, USER } from './ip_lab.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'

describe('raw sockets', () => {
  let lab: IpLab
  let peer: IpLab['net']

  beforeEach(() => {
    lab = new IpLab()
    peer = lab.createNet()
    lab.wire(lab.net, 'a0', A, peer, 'b0', B)
    lab.up('lo')
    lab.sleep(2)
  })

  it('are for root, and name their protocol', () => {
    expect(lab.kernel.socket(lab.net, 2, 3, 1, USER)).toBe(-1)
    expect(lab.kernel.socket(lab.net, 2, 3, 0, { ...USER, uid: 0 })).toBe(-93)
    expect(lab.kernel.socket(lab.net, 2, 3, 263, { ...USER, uid: 0 })).toBe(-22)
    expect(lab.kernel.socket(lab.net, 2, 2, 6, USER)).toBe(-93)
    expect(lab.kernel.socket(lab.net, 2, 4, 0, USER)).toBe(-94)
  })

  it('see whole packets, header and all', () => {
    const sk = lab.raw()
    sk.sendmsg(icmp(8, 0, 0x00070001, text('ping')), 0, sin(B, 0), undefined)
    const message = sk.recvmsg(2000, 0)
    if (typeof message === 'number') throw new Error(`nothing: ${message}`)
    expect([message.data[0], message.data[9], message.data[20]]).toEqual([0x45, 1, 0])
    expect(new TextDecoder().decode(message.data.subarray(28))).toBe('ping')
    expect(message.from).toEqual(sin(B, 0))
    expect(lab.counter('IcmpOutEchos')).toBe(1)
    expect(lab.counter('IcmpInEchoReps')).toBe(1)
  })

  it('see only what they are bound and connected to, and what the filter lets through', () => {
    const bound = lab.raw()
    expect(outcome(bound.bind(sin('127.0.0.1', 0)))).toBe(0)
    expect(outcome(bound.bind(sin('10.9.9.9', 0)))).toBe('EADDRNOTAVAIL')
    const filtered = lab.raw()
    filtered.setsockopt(SOL_RAW, ICMP_FILTER, ~(1 << 8))
    expect(filtered.getsockopt(SOL_RAW, ICMP_FILTER)).toBe(~(1 << 8))
    lab.raw(peer).sendmsg(icmp(8, 0, 0x00070001, text('ping')), 0, sin(A, 0), undefined)
    expect(bound.receiveQueue.qlen).toBe(0)
    expect(filtered.receiveQueue.qlen).toBe(1)
  })

  it('send a header of their own, with what is 0 in it filled in', () => {
    const seen = lab.tap(lab.dev('a0'))
    const sk = lab.raw(lab.net, 255)
    expect(sk.getsockopt(SOL_IP, IP_HDRINCL)).toBe(1)
    const bytes = packet({ src: '0.0.0.0', dst: B, proto: 99, id: 0, payload: text('body') })
    bytes[10] = 0x12
    expect(sk.sendmsg(bytes, 0, sin(B, 0), undefined)).toBe(24)
    const frame = seen.map(each => each.bytes).find(each => each[23] === 99)!
    expect([...frame.subarray(26, 30)]).toEqual([10, 0, 0, 1])
    expect((frame[18]! << 8) | frame[19]!).not.toBe(0)
    expect(outcome(sk.sendmsg(new Uint8Array(19), 0, sin(B, 0), undefined))).toBe('EINVAL')
    expect(outcome(sk.sendmsg(new Uint8Array(1501), 0, sin(B, 0), undefined))).toBe('EMSGSIZE')
    expect(outcome(sk.sendmsg(new Uint8Array(30).fill(0x4f), 0, sin(B, 0), undefined))).toBe('EINVAL')
    expect(lab.counter('IpOutDiscards')).toBe(1)
  })

  it('say what is wrong with a message', () => {
    const sk = lab.raw()
    const send = (size: number, to?: ReturnType<typeof sin>): unknown =>
      outcome(sk.sendmsg(new Uint8Array(size), 0, to, undefined))
    expect(send(8, sin('10.0.0.255', 0))).toBe('EACCES')
    expect(send(8)).toBe('EDESTADDRREQ')
    expect(outcome(sk.connect(sin(B, 0)))).toBe(0)
    expect(outcome(sk.getpeername())).toBe('ENOTCONN')
    expect(send(70000)).toBe('EMSGSIZE')
    expect(send(65530)).toBe('EMSGSIZE')
    expect(outcome(sk.bind(sin(A, 0)))).toBe('EINVAL')
  })

  it('get ICMP errors about what they have sent', () => {
    const sk = lab.raw()
    sk.setsockopt(SOL_IP, IP_RECVERR, 1)
    sk.setsockopt(SOL_IP, IP_HDRINCL, 0)
    lab.kernel.socket(lab.net, 2, 3, 1, { uid: 0, gid: 0, pid: 1, comm: '' })
    const other = lab.raw(lab.net, 200)
    other.setsockopt(SOL_IP, IP_RECVERR, 1)
    other.sendmsg(text('whatever'), 0, sin(B, 0), undefined)
    const error = other.recvmsg(100, MSG_ERRQUEUE)
    if (typeof error === 'number') throw new Error(`no error: ${error}`)
    expect(error.control.err).toMatchObject({ errno: 92, type: 3, code: 2 })
    expect(new TextDecoder().decode(error.data)).toBe('whatever')
    expect(sk.errorQueue).toHaveLength(0)
  })

  it('put options into the header and read them back', () => {
    const sk = lab.raw()
    const route = Uint8Array.of(7, 15, 4, ...new Array(12).fill(0))
    expect(outcome(sk.setsockopt(SOL_IP, IP_OPTIONS, route))).toBe(0)
    expect([...(sk.getsockopt(SOL_IP, IP_OPTIONS) as Uint8Array)].slice(0, 3)).toEqual([7, 15, 4])
    sk.sendmsg(icmp(8, 0, 0x00070001, text('ping')), 0, sin(B, 0), undefined)
    const message = sk.recvmsg(2000, 0)
    if (typeof message === 'number') throw new Error(`nothing: ${message}`)
    expect(message.data[0]! & 15).toBe(9)
    const addresses = [23, 27, 31].map(at => [...message.data.subarray(at, at + 4)].join('.'))
    expect(addresses).toEqual([A, B, B].map((_, i) => [A, B, B][i]))
    expect(outcome(sk.setsockopt(SOL_IP, IP_OPTIONS, Uint8Array.of(7, 1, 4)))).toBe('EINVAL')
    expect(outcome(sk.setsockopt(SOL_IP, IP_OPTIONS, new Uint8Array(41)))).toBe('EINVAL')
  })
})

describe('ping sockets', () => {
  let lab: IpLab

  beforeEach(() => {
    lab = new IpLab()
    lab.wire(lab.net, 'a0', A, lab.createNet(), 'b0', B)
    lab.sleep(2)
  })

  it('are for the groups of ping_group_range', () => {
    expect(lab.kernel.socket(lab.net, 2, 2, 1, USER)).toBe(-13)
    lab.setting('ipv4/ping_group_range', '0 2000')
    const sk = lab.ping(lab.net, USER)
    expect(sk.protoName).toBe('PING')
  })

  it('send echo requests with their own identifier and get the replies', () => {
    lab.setting('ipv4/ping_group_range', '0 2000')
    const sk = lab.ping(lab.net, USER)
    expect(outcome(sk.bind(sin('0.0.0.0', 77)))).toBe(0)
    expect(outcome(sk.sendmsg(icmp(8, 0, 0x00050001, text('data')), 0, sin(B, 0), undefined))).toBe(12)
    const message = sk.recvmsg(100, 0)
    if (typeof message === 'number') throw new Error(`nothing: ${message}`)
    expect([...message.data.subarray(0, 2), ...message.data.subarray(4, 8)]).toEqual([0, 0, 0, 77, 0, 1])
    expect(outcome(sk.sendmsg(icmp(0, 0, 0x00050001), 0, sin(B, 0), undefined))).toBe('EINVAL')
    expect(outcome(sk.sendmsg(text('short'), 0, sin(B, 0), undefined))).toBe('EINVAL')
    const other = lab.ping(lab.net, USER)
    expect(outcome(other.bind(sin('0.0.0.0', 77)))).toBe('EADDRINUSE')
    expect(lab.procText('icmp')).toContain(' 00000000:004D 00000000:0000 07 ')
    expect(lab.counter('IcmpOutMsgs')).toBe(1)
  })
})
