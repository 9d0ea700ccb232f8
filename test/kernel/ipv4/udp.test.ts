import { beforeEach, describe, expect, it } from 'vitest'
import { POLLERR, POLLIN, POLLOUT } from '../../../src/uapi/fs.ts'
import {
  IP_ADD_MEMBERSHIP,
  IP_DROP_MEMBERSHIP,
  IP_MULTICAST_LOOP,
  IP_PKTINFO,
  IP_RECVERR,
  IP_RECVTTL,
  MSG_ERRQUEUE,
  MSG_PEEK,
  MSG_TRUNC,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_TIMESTAMP,
  SOL_IP,
  SOL_SOCKET,
} from '../../../src/uapi/socket.ts'
import { IpLab, num4, outcome, received, sin, text, USER } from './ip_lab.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'

describe('UDP', () => {
  let lab: IpLab
  let peer: IpLab['net']

  beforeEach(() => {
    lab = new IpLab()
    peer = lab.createNet()
    lab.wire(lab.net, 'a0', A, peer, 'b0', B)
    lab.up('lo')
    lab.up('lo', peer)
    lab.sleep(2)
  })

  const bound = (addr: string, port: number, net = lab.net): ReturnType<IpLab['udp']> => {
    const sk = lab.udp(net)
    expect(outcome(sk.bind(sin(addr, port)))).toBe(0)
    return sk
  }

  it('carries datagrams both ways and names the sender', () => {
    const server = bound('0.0.0.0', 53, peer)
    const client = lab.udp()
    expect(outcome(client.connect(sin(B, 53)))).toBe(0)
    expect(client.getpeername()).toEqual(sin(B, 53))
    expect(client.sendmsg(text('question'), 0, undefined, undefined)).toBe(8)
    const message = server.recvmsg(100, 0)
    if (typeof message === 'number') throw new Error(`nothing: ${message}`)
    expect(server.sendmsg(text('answer'), 0, message.from, undefined)).toBe(6)
    expect(received(client)).toBe(`answer from ${B}:53`)
    expect(['InDatagrams', 'OutDatagrams', 'NoPorts'].map(name => lab.counter(`Udp${name}`))).toEqual([1, 1, 0])
  })

  it('leaves the checksum to the device: only the pseudo header is summed on a virtual cable', () => {
    const seen = lab.tap(lab.dev('a0'))
    lab.udp().sendmsg(text('x'), 0, sin(B, 9), undefined)
    const frame = seen.map(each => each.bytes).find(bytes => bytes[23] === 17)!
    const sport = (frame[34]! << 8) | frame[35]!
    expect(sport).toBeGreaterThanOrEqual(32768)
    // 10.0.0.1 + 10.0.0.2 + 17 + 9
    expect((frame[40]! << 8) | frame[41]!).toBe(0x0a00 + 1 + 0x0a00 + 2 + 17 + 9)
  })

  it('refuses what cannot be bound', () => {
    bound('0.0.0.0', 6000)
    const sk = lab.udp()
    expect(outcome(sk.bind(sin('127.0.0.1', 6000)))).toBe('EADDRINUSE')
    expect(outcome(sk.bind(sin('10.9.9.9', 1)))).toBe('EADDRNOTAVAIL')
    expect(outcome(lab.udp(lab.net, USER).bind(sin(A, 80)))).toBe('EACCES')
    expect(outcome(sk.bind(sin(A, 6001)))).toBe(0)
    expect(outcome(sk.bind(sin(A, 6002)))).toBe('EINVAL')
    expect(sk.getsockname()).toEqual(sin(A, 6001))
  })

  it('shares a port with SO_REUSEADDR, and with SO_REUSEPORT within one user', () => {
    const a = bound('0.0.0.0', 6000)
    const b = lab.udp()
    a.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    b.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    expect(outcome(b.bind(sin('127.0.0.1', 6000)))).toBe(0)
    const c = lab.udp()
    c.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    expect(outcome(c.bind(sin('0.0.0.0', 6000)))).toBe('EADDRINUSE')
    const group = [0, 1, 2].map(() => {
      const sk = lab.udp(lab.net, USER)
      sk.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
      expect(outcome(sk.bind(sin('0.0.0.0', 7000)))).toBe(0)
      return sk
    })
    const stranger = lab.udp()
    stranger.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    expect(outcome(stranger.bind(sin('0.0.0.0', 7000)))).toBe('EADDRINUSE')
    for (let i = 0; i < 60; i++) lab.udp(peer).sendmsg(text('x'), 0, sin(A, 7000), undefined)
    const counts = group.map(sk => sk.receiveQueue.qlen)
    expect(counts.reduce((all, n) => all + n)).toBe(60)
    expect(Math.min(...counts)).toBeGreaterThan(5)
  })

  it('gives automatic ports out of the range, none of the reserved ones, until there are no more', () => {
    lab.setting('ipv4/ip_local_port_range', '40000 40004')
    lab.setting('ipv4/ip_local_reserved_ports', '40001-40002')
    const ports = [0, 1, 2].map(() => {
      const sk = lab.udp()
      expect(outcome(sk.bind(sin('0.0.0.0', 0)))).toBe(0)
      return (sk.getsockname() as { port: number }).port
    })
    expect(ports.sort()).toEqual([40000, 40003, 40004])
    expect(outcome(lab.udp().bind(sin('0.0.0.0', 0)))).toBe('EADDRINUSE')
  })

  it('prefers the socket that fits best', () => {
    const any = bound('0.0.0.0', 6000)
    any.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    const open = (addr: string, set?: (sk: typeof any) => void): typeof any => {
      const sk = lab.udp()
      sk.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
      sk.bind(sin(addr, 6000))
      set?.(sk)
      return sk
    }
    const onAddress = open(A)
    const connected = open(A, sk => sk.connect(sin(B, 6000)))
    const sender = bound('0.0.0.0', 6000, peer)
    sender.sendmsg(text('1'), 0, sin(A, 6000), undefined)
    expect(received(connected)).toContain('1 from')
    const other = lab.udp(peer)
    other.sendmsg(text('2'), 0, sin(A, 6000), undefined)
    expect(received(onAddress)).toContain('2 from')
    onAddress.release()
    other.sendmsg(text('3'), 0, sin(A, 6000), undefined)
    expect(received(any)).toContain('3 from')
  })

  it('takes only what comes in by the device it is bound to', () => {
    const sk = bound('0.0.0.0', 6000)
    expect(outcome(sk.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, 'lo'))).toBe(0)
    lab.udp(peer).sendmsg(text('x'), 0, sin(A, 6000), undefined)
    expect(received(sk)).toBe('EAGAIN')
    lab.udp().sendmsg(text('y'), 0, sin(A, 6000), undefined)
    expect(received(sk)).toContain('y from')
    expect(sk.getsockopt(SOL_SOCKET, SO_BINDTODEVICE)).toBe('lo')
    expect(outcome(sk.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, 'nope'))).toBe('ENODEV')
  })

  it('hears of closed ports once, when it is connected', () => {
    const sk = lab.udp()
    sk.connect(sin('127.0.0.1', 5000))
    expect(sk.sendmsg(text('x'), 0, undefined, undefined)).toBe(1)
    expect(sk.poll() & POLLERR).toBe(POLLERR)
    expect(outcome(sk.sendmsg(text('x'), 0, undefined, undefined))).toBe('ECONNREFUSED')
    expect(outcome(sk.sendmsg(text('x'), 0, undefined, undefined))).toBe(1)
    expect(outcome(sk.shutdown(0))).toBe(0)
    expect(received(sk)).toBe('ECONNREFUSED')
    const end = sk.recvmsg(10, 0)
    expect(typeof end === 'object' && end.data.length).toBe(0)
    expect(lab.counter('IpOutDiscards')).toBe(1)
    // an unconnected one hears nothing
    const other = lab.udp()
    other.sendmsg(text('x'), 0, sin('127.0.0.1', 5000), undefined)
    expect(received(other)).toBe('EAGAIN')
  })

  it('queues errors with what they are about for a socket with IP_RECVERR', () => {
    const sk = lab.udp()
    sk.setsockopt(SOL_IP, IP_RECVERR, 1)
    sk.setsockopt(SOL_IP, IP_RECVTTL, 1)
    sk.sendmsg(text('lost'), 0, sin(B, 5000), undefined)
    expect(sk.err).toBe(111)
    const error = sk.recvmsg(100, MSG_ERRQUEUE)
    if (typeof error === 'number') throw new Error(`no error: ${error}`)
    expect(new TextDecoder().decode(error.data)).toBe('lost')
    expect(error.from).toEqual(sin(B, 5000))
    expect(error.control.ttl).toBe(64)
    expect(error.control.err).toMatchObject({ errno: 111, origin: 'icmp', type: 3, code: 3, offender: sin(B, 0) })
    expect(sk.err).toBe(0)
    expect(sk.rmemAlloc).toBe(0)
    expect(outcome(sk.recvmsg(100, MSG_ERRQUEUE))).toBe('EAGAIN')
  })

  it('says what is wrong with a message', () => {
    const sk = lab.udp()
    const send = (size: number, to?: ReturnType<typeof sin>): unknown =>
      outcome(sk.sendmsg(new Uint8Array(size), 0, to, undefined))
    expect(send(1)).toBe('EDESTADDRREQ')
    expect(send(1, sin(B, 0))).toBe('EINVAL')
    expect(send(65508, sin(B, 9))).toBe('EMSGSIZE')
    expect(send(65507, sin(B, 9))).toBe(65507)
    expect(send(1, sin('203.0.113.1', 9))).toBe('ENETUNREACH')
    expect(lab.counter('IpOutNoRoutes')).toBe(1)
    expect(send(1, sin('10.0.0.255', 9))).toBe('EACCES')
    sk.setsockopt(SOL_SOCKET, SO_BROADCAST, 1)
    expect(send(1, sin('10.0.0.255', 9))).toBe(1)
    expect(send(1, sin('255.255.255.255', 9))).toBe('ENETUNREACH')
    lab.route('add', '198.51.100.0/24', { type: 6 })
    expect(send(1, sin('198.51.100.1', 9))).toBe('EINVAL')
    lab.route('add', '192.0.2.0/24', { type: 7 })
    expect(send(1, sin('192.0.2.1', 9))).toBe('EHOSTUNREACH')
    lab.route('add', '192.0.3.0/24', { type: 8 })
    expect(send(1, sin('192.0.3.1', 9))).toBe('EACCES')
    expect(outcome(sk.shutdown(0))).toBe('ENOTCONN')
  })

  it('charges packets by their true size and drops what does not fit', () => {
    const sk = bound('0.0.0.0', 6000)
    const source = lab.udp()
    for (let i = 0; i < 400; i++) source.sendmsg(text('x'), 0, sin('127.0.0.1', 6000), undefined)
    expect(sk.receiveQueue.qlen).toBe(278)
    expect(sk.rmemAlloc).toBe(0x34200)
    expect(sk.drops).toBe(122)
    expect(['InErrors', 'RcvbufErrors'].map(name => lab.counter(`Udp${name}`))).toEqual([122, 122])
    expect(lab.procText('udp')).toMatch(
      /: 00000000:1770 00000000:0000 07 00000000:00034200 00:00000000 00000000 +0 +0 \d+ 2 [0-9a-f]{16} 122 +\n/,
    )
    while (received(sk) !== 'EAGAIN');
    expect(sk.rmemAlloc).toBe(0)
    for (let i = 0; i < 10; i++) source.sendmsg(new Uint8Array(9000), 0, sin('127.0.0.1', 6000), undefined)
    for (let i = 0; i < 10; i++) source.sendmsg(new Uint8Array(20000), 0, sin('127.0.0.1', 6000), undefined)
    expect(sk.rmemAlloc).toBe(0x37d60)
  })

  it('has buffers of twice what was asked for, within limits', () => {
    const sk = lab.udp()
    const size = (option: number, value: number): unknown => {
      sk.setsockopt(SOL_SOCKET, option, value)
      return sk.getsockopt(SOL_SOCKET, option === SO_SNDBUF ? SO_SNDBUF : SO_RCVBUF)
    }
    expect(sk.getsockopt(SOL_SOCKET, SO_RCVBUF)).toBe(212992)
    expect(size(SO_RCVBUF, 1)).toBe(2304)
    expect(size(SO_RCVBUF, 100000000)).toBe(425984)
    expect(size(SO_SNDBUF, 1)).toBe(4608)
    expect(size(SO_RCVBUFFORCE, 100000000)).toBe(200000000)
    expect(size(SO_RCVBUF, -5)).toBe(425984)
    expect(size(SO_RCVBUF, 65537)).toBe(131074)
    expect(outcome(lab.udp(lab.net, USER).setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, 1))).toBe('EPERM')
  })

  it('waits while its send buffer is full of packets that wait for an address', () => {
    const sk = lab.udp()
    sk.setsockopt(SOL_SOCKET, SO_SNDBUF, 2304)
    const results = []
    for (let i = 0; i < 8; i++) results.push(outcome(sk.sendmsg(text('x'), 0, sin('10.0.0.9', 9), undefined)))
    expect(results).toEqual([1, 1, 1, 1, 1, 1, 'EAGAIN', 'EAGAIN'])
    expect(sk.poll() & POLLOUT).toBe(0)
    let woken = 0
    sk.wq.add({ wake: () => woken++ })
    lab.sleep(4)
    expect(woken).toBeGreaterThan(0)
    expect(sk.poll() & POLLOUT).toBe(POLLOUT)
    expect(sk.wmemAlloc).toBe(0)
  })

  it('gives ancillary data to those who ask', () => {
    const sk = bound('0.0.0.0', 6000)
    sk.setsockopt(SOL_IP, IP_PKTINFO, 1)
    sk.setsockopt(SOL_IP, IP_RECVTTL, 1)
    sk.setsockopt(SOL_SOCKET, SO_TIMESTAMP, 1)
    lab.udp(peer).sendmsg(text('x'), 0, sin(A, 6000), { ttl: 17 })
    const message = sk.recvmsg(10, 0)
    if (typeof message === 'number') throw new Error(`nothing: ${message}`)
    expect(message.control.pktinfo).toEqual({ ifindex: lab.dev('a0').ifindex, specDst: num4(A), addr: num4(A) })
    expect(message.control.ttl).toBe(17)
    expect(message.control.timestamp).toBeGreaterThan(0)
    expect(outcome(lab.udp().sendmsg(text('x'), 0, sin(B, 9), { ttl: 300 }))).toBe('EINVAL')
  })

  it('peeks, and says where it cut', () => {
    const sk = bound('0.0.0.0', 6000)
    lab.udp(peer).sendmsg(text('abcdef'), 0, sin(A, 6000), undefined)
    expect(sk.poll() & POLLIN).toBe(POLLIN)
    const peeked = sk.recvmsg(3, MSG_PEEK)
    expect(peeked).toMatchObject({ length: 6, flags: MSG_TRUNC })
    expect(received(sk)).toContain('abcdef')
    expect(lab.counter('UdpInDatagrams')).toBe(1)
  })

  it('delivers broadcasts and groups to every socket that wants them', () => {
    const group = '239.1.2.3'
    const socks = [0, 1].map(() => {
      const sk = lab.udp(peer)
      sk.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
      sk.bind(sin('0.0.0.0', 6000))
      return sk
    })
    const member = { kind: 'mreqn', multiaddr: num4(group), address: 0, ifindex: lab.dev('b0', peer).ifindex } as const
    lab.route('add', '224.0.0.0/4', { dev: 'a0' })
    const source = lab.udp()
    source.sendmsg(text('0'), 0, sin(group, 6000), undefined)
    expect(received(socks[0]!)).toBe('EAGAIN')
    expect(outcome(socks[0]!.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, member))).toBe(0)
    expect(outcome(socks[0]!.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, member))).toBe('EADDRINUSE')
    source.sendmsg(text('1'), 0, sin(group, 6000), undefined)
    // the other one gets it too: IP_MULTICAST_ALL is on
    expect(socks.map(sk => received(sk).slice(0, 1))).toEqual(['1', '1'])
    expect(outcome(socks[0]!.setsockopt(SOL_IP, IP_DROP_MEMBERSHIP, member))).toBe(0)
    expect(outcome(socks[0]!.setsockopt(SOL_IP, IP_DROP_MEMBERSHIP, member))).toBe('EADDRNOTAVAIL')
    source.setsockopt(SOL_SOCKET, SO_BROADCAST, 1)
    source.sendmsg(text('2'), 0, sin('10.0.0.255', 6000), undefined)
    expect(socks.map(sk => received(sk).slice(0, 1))).toEqual(['2', '2'])
  })

  it('hears its own multicasts unless it does not want to', () => {
    const sk = bound('0.0.0.0', 6000)
    lab.route('add', '224.0.0.0/4', { dev: 'a0' })
    const member = { kind: 'mreqn', multiaddr: num4('239.1.2.3'), address: 0, ifindex: lab.dev('a0').ifindex } as const
    sk.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, member)
    sk.sendmsg(text('1'), 0, sin('239.1.2.3', 6000), undefined)
    expect(received(sk)).toBe(`1 from ${A}:6000`)
    sk.setsockopt(SOL_IP, IP_MULTICAST_LOOP, 0)
    sk.sendmsg(text('2'), 0, sin('239.1.2.3', 6000), undefined)
    expect(received(sk)).toBe('EAGAIN')
  })
})
