/** traceroute against a scripted path; the texts are those of the reference machine. */
import { describe, expect, it } from 'vitest'
import { main } from '../../../commands/traceroute/main.ts'
import { Errno, SysError } from '../../../src/uapi/errno.ts'
import {
  AF_INET,
  AF_INET6,
  IP_TTL,
  IPPROTO_TCP,
  IPV6_UNICAST_HOPS,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_IP,
  SOL_IPV6,
  type SockaddrIn,
  type SockaddrIn6,
} from '../../../src/uapi/socket.ts'
import { FakeNet, type FakeSocket, link, MS, type Outcome, type Script } from '../fake_net.ts'
import { readTranscript } from '../recorded.ts'

const ROUTER = 0x0a000002
const LINKS = [link(1, 'lo'), link(2, 'v0')]

function ttlOf(sock: FakeSocket): number {
  const key = sock.domain === AF_INET ? `${SOL_IP}/${IP_TTL}` : `${SOL_IPV6}/${IPV6_UNICAST_HOPS}`
  return sock.options.get(key) as number
}

/** What the last hop says to a probe that reaches it; undefined: nothing. */
type Last = { readonly type: number; readonly code: number } | 'reply' | undefined

/** A path over routers 10.0.0.2, 10.0.0.3 …; the host is the last of `length` hops. */
function path(length: number, last: Last = { type: 3, code: 3 }, delay = 0.5 * MS): Script['send'] {
  return (net, sock, data, to) => {
    const ttl = ttlOf(sock)
    const quoted = data.slice(0, 64)
    const target = to as SockaddrIn
    const error = (addr: number, type: number, code: number): void => {
      const offender = { family: AF_INET, addr, port: 0 } as const
      const err = { errno: Errno.EHOSTUNREACH, origin: 'icmp', type, code, info: 0, offender } as const
      net.fail(sock, delay, err, quoted, target, sock.type === SOCK_RAW, { ttl: 65 - Math.min(ttl, length) })
    }
    if (ttl < length) error(ROUTER + ttl - 1, 11, 0)
    else if (last === 'reply') answer(net, sock, data, target, delay)
    else if (last !== undefined) error(last.code === 3 ? target.addr : ROUTER + length - 2, last.type, last.code)
  }
}

/** An echo reply or a reset, in an IP header. */
function answer(net: FakeNet, sock: FakeSocket, data: Uint8Array, target: SockaddrIn, delay: number): void {
  const reply = data.slice()
  if (sock.protocol === IPPROTO_TCP) {
    reply.set(data.subarray(2, 4), 0)
    reply.set(data.subarray(0, 2), 2)
    reply[13] = 0x14
  } else reply[0] = 0
  const header = new Uint8Array(20)
  header[0] = 0x45
  net.deliver(sock, delay, {
    data: Uint8Array.from([...header, ...reply]),
    from: { ...target, port: 0 },
    control: { ttl: 63 },
  })
}

async function traceroute(line: string, script: Script = {}): Promise<Outcome & { readonly shown: string }> {
  const argv = line.split(' ')
  const outcome = await new FakeNet(argv, { links: LINKS, ...script }).run(main)
  return { ...outcome, shown: outcome.stdout.replace(/[0-9]+\.[0-9]+ ms/g, 'T') }
}

const title = (host: string, hops = 30, bytes = 60): string =>
  `traceroute to ${host} (${host}), ${hops} hops max, ${bytes} byte packets\n`

describe('traceroute', () => {
  it('prints each hop with three times', async () => {
    const { stdout, status } = await traceroute('traceroute -n 10.0.1.2', { send: path(2) })
    expect(stdout).toBe(
      `${title('10.0.1.2')} 1  10.0.0.2  0.500 ms  0.500 ms  0.500 ms\n 2  10.0.1.2  0.500 ms  0.500 ms  0.500 ms\n`,
    )
    expect(status).toBe(0)
  })

  it('sends sixteen probes at once, to rising ports', async () => {
    const { net } = await traceroute('traceroute -n 10.0.1.2', { send: path(2) })
    expect(net.sent.length).toBe(16)
    expect(net.sent.every(packet => packet.at === 1e9 && packet.data.length === 32)).toBe(true)
    expect(net.sent.map(packet => (packet.to as SockaddrIn).port)).toEqual(
      Array.from({ length: 16 }, (_, i) => 33_434 + i),
    )
  })

  it('takes numbers of probes, hops, and a first hop', async () => {
    expect((await traceroute('traceroute -n -q 1 -N 1 10.0.1.2', { send: path(2) })).shown).toBe(
      `${title('10.0.1.2')} 1  10.0.0.2  T\n 2  10.0.1.2  T\n`,
    )
    expect((await traceroute('traceroute -n -q1 -m1 10.0.1.2', { send: path(2) })).shown).toBe(
      `${title('10.0.1.2', 1)} 1  10.0.0.2  T\n`,
    )
    expect((await traceroute('traceroute -nf 2 10.0.1.2', { send: path(2) })).shown).toBe(
      `${title('10.0.1.2')} 2  10.0.1.2  T  T  T\n`,
    )
  })

  it('shows names unless told not to', async () => {
    const files = { '/etc/hosts': '127.0.0.1 localhost\n10.0.0.2 router\n' }
    const { shown } = await traceroute('traceroute -q 1 10.0.1.2', { files, send: path(2) })
    expect(shown).toBe(`${title('10.0.1.2')} 1  router (10.0.0.2)  T\n 2  10.0.1.2 (10.0.1.2)  T\n`)
  })

  it('marks what is unreachable', async () => {
    for (const [code, mark] of [
      [0, '!N'],
      [1, '!H'],
      [2, '!P'],
      [10, '!X'],
      [13, '!X'],
      [14, '!V'],
      [77, '!<77>'],
    ] as const) {
      const { shown } = await traceroute('traceroute -n -q 1 10.0.1.2', { send: path(2, { type: 3, code }) })
      expect(shown).toBe(`${title('10.0.1.2')} 1  10.0.0.2  T\n 2  10.0.0.2  T ${mark}\n`)
    }
  })

  it('prints stars for silence, after five seconds a hop', async () => {
    const { stdout, net } = await traceroute('traceroute -n -q 1 -m 2 -N 1 10.0.1.2')
    expect(stdout).toBe(`${title('10.0.1.2', 2)} 1  *\n 2  *\n`)
    expect(net.now).toBeCloseTo(11e9, -8)
  })

  it('waits no longer than the answered probes of a hop suggest', async () => {
    let count = 0
    const send: Script['send'] = (net, sock, data, to) => {
      if (count++ !== 1) path(2)!(net, sock, data, to)
    }
    const fast = await traceroute('traceroute -n -N 1 10.0.1.2', { send })
    expect(fast.shown).toContain(' 1  10.0.0.2  T *  T\n')
    expect(fast.net.now).toBeLessThan(1.1e9)
    count = 0
    const slow = await traceroute('traceroute -n -N 1 -w 2,0,0 10.0.1.2', { send })
    expect(slow.net.now).toBeGreaterThan(2.9e9)
  })

  it('moves late errors of a hop to where the hop begins', async () => {
    const send: Script['send'] = (net, sock, data, to) => {
      const port = (to as SockaddrIn).port
      if (port === 33_436 || port === 33_439) path(1, { type: 3, code: 1 })!(net, sock, data, to)
    }
    const { shown } = await traceroute('traceroute -n 10.0.1.2', { send })
    expect(shown).toBe(`${title('10.0.1.2')} 1  10.0.0.1  T !H  T !H *\n`)
  })

  it('traces by ICMP echo', async () => {
    const { shown, net } = await traceroute('traceroute -n -I 10.0.1.2', { send: path(2, 'reply') })
    expect(shown).toBe(`${title('10.0.1.2')} 1  10.0.0.2  T  T  T\n 2  10.0.1.2  T  T  T\n`)
    expect([...net.sent[0]!.data.subarray(0, 8)]).toMatchObject({ 0: 8, 4: 4321 >> 8, 5: 4321 & 255, 7: 1 })
  })

  it('traces by TCP, and shows the flags of the answer', async () => {
    const files = Object.fromEntries(
      ['ecn', 'sack', 'timestamps', 'window_scaling'].map(name => [
        `/proc/sys/net/ipv4/tcp_${name}`,
        name === 'ecn' ? '2\n' : '1\n',
      ]),
    )
    const script: Script = {
      files,
      send: path(2, 'reply'),
      getsockopt: (_sock, level, option) => (level === SOL_IP && option === 14 ? 1500 : undefined),
    }
    const { shown, net } = await traceroute('traceroute -n -T -q 1 10.0.1.2', script)
    expect(shown).toBe(`${title('10.0.1.2')} 1  10.0.0.2  T\n 2  10.0.1.2  T\n`)
    const segment = net.sent[0]!.data
    expect(segment.length).toBe(40)
    expect([...segment.subarray(2, 4), ...segment.subarray(12, 16)]).toEqual([0, 80, 0xa0, 0x02, 0x16, 0xd0])
    expect([...segment.subarray(20, 28)]).toEqual([2, 4, 0x05, 0xb4, 4, 2, 8, 10])
    const info = await traceroute('traceroute -n -T -O info -q 1 10.0.1.2', script)
    expect(info.shown).toContain(' 2  10.0.1.2 <rst,ack>  T\n')
    const ack = await traceroute('traceroute -n -T -O ack -q 1 10.0.1.2', script)
    expect(ack.shown).toContain('40 byte packets')
  })

  it('finds the MTU', async () => {
    const send: Script['send'] = (net, sock, data, to) => {
      const limit = ttlOf(sock) === 1 ? 1500 : 1400
      if (data.length + 28 <= limit) return path(2)!(net, sock, data, to)
      const local = limit === 1500
      const offender = { family: AF_INET, addr: ROUTER, port: 0 } as const
      const err = {
        errno: Errno.EMSGSIZE,
        origin: local ? 'local' : 'icmp',
        type: 3,
        code: 4,
        info: limit,
        offender,
      } as const
      net.fail(sock, local ? 0 : MS, err, local ? new Uint8Array(0) : data.slice(0, 64), to!, false)
      if (local) throw new SysError(Errno.EMSGSIZE)
    }
    const { shown } = await traceroute('traceroute -n --mtu -q 1 10.0.1.2', { send })
    expect(shown).toBe(`${title('10.0.1.2', 30, 65_000)} 1  10.0.0.2  T F=1500\n 2  10.0.1.2  T F=1400\n`)
  })

  it('traces over IPv6', async () => {
    const send: Script['send'] = (net, sock, data, to) => {
      const target = to as SockaddrIn6
      const last = ttlOf(sock) >= 2
      const router = Uint8Array.from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
      const offender = { family: AF_INET6, addr: last ? target.addr : router, port: 0 } as const
      const kind = last ? { type: 1, code: 4 } : { type: 3, code: 0 }
      net.fail(
        sock,
        MS,
        { errno: Errno.EHOSTUNREACH, origin: 'icmp6', info: 0, offender, ...kind },
        data,
        target,
        false,
      )
    }
    const { shown } = await traceroute('traceroute -n -q 1 fd01::2', { send })
    expect(shown).toBe(`${title('fd01::2', 30, 80)} 1  fd00::2  T\n 2  fd01::2  T\n`)
  })

  it('sends packets of any length, and says what it sends', async () => {
    expect((await traceroute('traceroute -n 10.0.1.2 1000', { send: path(1) })).shown).toContain('1000 byte packets')
    expect((await traceroute('traceroute -n 10.0.1.2 10', { send: path(1) })).shown).toContain('28 byte packets')
    expect((await traceroute('traceroute -n -g 10.0.0.2 -m 1 -q 1 10.0.1.2')).shown).toContain('72 byte packets')
  })

  it('ends where a system call fails', async () => {
    const bind: Script['bind'] = () => {
      throw new SysError(Errno.EADDRNOTAVAIL)
    }
    const source = await traceroute('traceroute -n -s 10.0.0.9 10.0.1.2', { bind })
    expect(source.stdout).toBe(title('10.0.1.2').trimEnd())
    expect(source).toMatchObject({ stderr: '\nbind: Cannot assign requested address\n', status: 1 })
    const device = await traceroute('traceroute -n -i nope 10.0.1.2')
    expect(device.stderr).toBe('\nsetsockopt SO_BINDTODEVICE: No such device\n')
    const connect: Script['connect'] = () => {
      throw new SysError(Errno.ENETUNREACH)
    }
    expect((await traceroute('traceroute -n 99.1.1.1', { connect })).stderr).toBe('\nconnect: Network is unreachable\n')
    const dccp = await traceroute('traceroute -n -D 10.0.0.2', {
      socket: (_domain, type) => {
        if (type !== SOCK_RAW && type !== SOCK_DGRAM) throw new SysError(Errno.ESOCKTNOSUPPORT)
      },
    })
    expect(dccp.stdout).toBe(title('10.0.0.2', 30, 40).trimEnd())
    expect(dccp.stderr).toBe('\nsocket: Socket type not supported\n')
  })
})

describe('words, as recorded', () => {
  it.each(readTranscript(new URL('recorded/wrong-words.transcript', import.meta.url)))(
    '$command',
    async ({ command, stdout, stderr, status }) => {
      const result = await traceroute(command, { files: { '/etc/hosts': '127.0.0.1 localhost\n' } })
      expect({ stdout: result.stdout, stderr: result.stderr, status: result.status }).toEqual({
        stdout,
        stderr,
        status,
      })
    },
  )
})
