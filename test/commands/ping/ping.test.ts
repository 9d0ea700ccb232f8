/** ping against a scripted network; the texts are those of the reference machine. */
import { describe, expect, it } from 'vitest'
import { main } from '../../../commands/ping/main.ts'
import { Errno, SysError } from '../../../src/uapi/errno.ts'
import { Signal } from '../../../src/uapi/signal.ts'
import {
  AF_INET,
  AF_INET6,
  IP_OPTIONS,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_IP,
  type SockaddrIn6,
} from '../../../src/uapi/socket.ts'
import { address, FakeNet, link, MS, type Outcome, type Script } from '../fake_net.ts'
import { readTranscript } from '../recorded.ts'

const GATEWAY = { family: AF_INET, addr: 0x0a000001, port: 0 } as const
const LINKS = [link(1, 'lo', { hatype: 772 }), link(2, 'v0')]
const ADDRESSES = [
  address(1, AF_INET, [127, 0, 0, 1], 'lo'),
  address(2, AF_INET, [10, 0, 0, 1], 'v0'),
  address(2, AF_INET6, [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
]

/** Ping sockets are refused, as for root with the default group range. */
function onlyRaw(_domain: number, type: number, protocol: number): void {
  if (type === SOCK_DGRAM && (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6))
    throw new SysError(Errno.EACCES)
}

function sum(bytes: Uint8Array): number {
  let total = 0
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0)
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16)
  return ~total & 0xffff
}

/** @returns an echo reply to a request, in its IP header for IPv4 */
function reply(data: Uint8Array, options: readonly number[] = []): Uint8Array {
  const icmp = data.slice()
  icmp[0] = 0
  icmp[2] = icmp[3] = 0
  const check = sum(icmp)
  icmp[2] = check >> 8
  icmp[3] = check & 255
  const header = new Uint8Array(20 + options.length)
  header[0] = 0x45 + options.length / 4
  header[8] = 64
  header.set(options, 20)
  return Uint8Array.from([...header, ...icmp])
}

/** Answers every packet after a round-trip time. @param skip sequence numbers that are lost */
function answering(rtt: number, skip: readonly number[] = []): Script['send'] {
  return (net, sock, data, to) => {
    const seq = (data[6]! << 8) | data[7]!
    if (skip.includes(seq)) return
    if (sock.domain === AF_INET) net.deliver(sock, rtt, { data: reply(data), from: { ...(to as typeof GATEWAY) } })
    else {
      const icmp = data.slice()
      icmp[0] = 129
      net.deliver(sock, rtt, {
        data: icmp,
        from: { ...(to as SockaddrIn6), port: 0 },
        control: { hoplimit: 64 },
      })
    }
  }
}

/** Every packet is unreachable: an ICMP error comes back after a while. */
function unreachable(delay: number, type = 3, code = 1, errno: number = Errno.EHOSTUNREACH): Script['send'] {
  return (net, sock, data, to) =>
    net.fail(sock, delay, { errno, origin: 'icmp', type, code, info: 0, offender: GATEWAY }, data.slice(0, 64), to!)
}

async function ping(line: string, script: Script = {}, prepare?: (net: FakeNet) => void): Promise<Outcome> {
  const argv = line.split(' ').map(word => (word === "''" ? '' : word))
  const net = new FakeNet(argv, { socket: onlyRaw, links: LINKS, addresses: ADDRESSES, ...script })
  prepare?.(net)
  return net.run(main)
}

const stats = (name: string, text: string): string => `\n--- ${name} ping statistics ---\n${text}`

describe('answers', () => {
  it('prints a line each and the summary', async () => {
    const { stdout, stderr, status } = await ping('ping -c 2 10.0.0.2', { send: answering(0.5 * MS) })
    expect(stdout).toBe(
      'PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.\n' +
        '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.500 ms\n' +
        '64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=0.500 ms\n' +
        stats(
          '10.0.0.2',
          '2 packets transmitted, 2 received, 0% packet loss, time 1001ms\n' +
            'rtt min/avg/max/mdev = 0.500/0.500/0.500/0.000 ms\n',
        ),
    )
    expect(stderr).toBe('')
    expect(status).toBe(0)
  })

  it('sends at the interval, in whole milliseconds after the last answer', async () => {
    const { net } = await ping('ping -c 3 -i 0.2 -q 10.0.0.2', { send: answering(0.5 * MS) })
    expect(net.sent.map(packet => Math.round((packet.at - 1e9) / MS))).toEqual([0, 201, 401])
  })

  it('writes times with three significant digits', async () => {
    for (const [rtt, text] of [
      [0.0001, '0.000'],
      [0.0123, '0.012'],
      [9.994, '9.99'],
      [9.995, '10.0'],
      [12.34, '12.3'],
      [99.96, '100'],
      [523.4, '523'],
    ] as const) {
      const { stdout } = await ping('ping -c 1 10.0.0.2', { send: answering(rtt * MS) })
      expect(stdout).toContain(`time=${text} ms`)
    }
  })

  it('are IPv6 too', async () => {
    const { stdout } = await ping('ping -c 1 fd00::2', { send: answering(1.5 * MS) })
    expect(stdout).toBe(
      'PING fd00::2(fd00::2) 56 data bytes\n' +
        '64 bytes from fd00::2: icmp_seq=1 ttl=64 time=1.50 ms\n' +
        stats(
          'fd00::2',
          '1 packets transmitted, 1 received, 0% packet loss, time 0ms\n' +
            'rtt min/avg/max/mdev = 1.500/1.500/1.500/0.000 ms\n',
        ),
    )
  })

  it('come with names from /etc/hosts unless an address was asked for', async () => {
    const files = { '/etc/hosts': '127.0.0.1 localhost\n10.0.0.2 web.example web\n' }
    const named = await ping('ping -c 1 web', { files, send: answering(MS) })
    expect(named.stdout).toMatch(/^PING web\.example \(10\.0\.0\.2\) 56/)
    expect(named.stdout).toContain('64 bytes from web.example (10.0.0.2): icmp_seq=1')
    const plain = await ping('ping -c 1 10.0.0.2', { files, send: answering(MS) })
    expect(plain.stdout).toContain('64 bytes from 10.0.0.2: icmp_seq=1')
    const numeric = await ping('ping -n -c 1 web', { files, send: answering(MS) })
    expect(numeric.stdout).toContain('64 bytes from 10.0.0.2: icmp_seq=1')
  })

  it('name the interface of link-local addresses', async () => {
    const { stdout } = await ping('ping -c 1 fe80::ff:fe00:2%v0', { send: answering(MS) })
    expect(stdout).toContain('PING fe80::ff:fe00:2%v0(fe80::ff:fe00:2%v0) 56 data bytes\n')
    expect(stdout).toContain('from fe80::ff:fe00:2%v0: icmp_seq=1')
  })

  it('that come twice are duplicates', async () => {
    const { stdout } = await ping('ping -c 1 -w 1 10.0.0.2', {
      send: (net, sock, data, to) => {
        if (((data[6]! << 8) | data[7]!) !== 1) return
        for (const delay of [1, 2]) net.deliver(sock, delay * MS, { data: reply(data), from: to! })
      },
    })
    expect(stdout).toContain('icmp_seq=1 ttl=64 time=1.00 ms\n')
    const both = await ping('ping -c 2 10.0.0.2', {
      send: (net, sock, data, to) => {
        for (const delay of [1, 2]) net.deliver(sock, delay * MS, { data: reply(data), from: to! })
      },
    })
    expect(both.stdout).toContain('icmp_seq=1 ttl=64 time=2.00 ms (DUP!)\n')
    expect(both.stdout).toContain('2 packets transmitted, 2 received, +1 duplicates, 0% packet loss')
  })

  it('of wrong content or from elsewhere are told so', async () => {
    const wrong = await ping('ping -c 1 10.0.0.2', {
      send: (net, sock, data, to) => {
        const bad = data.slice()
        bad[8 + 20] = 0xee
        net.deliver(sock, MS, { data: reply(bad), from: to! })
      },
    })
    expect(wrong.stdout).toContain(
      'time=1.00 ms\nwrong data byte #20 should be 0x14 but was 0xee\n#16\t10 11 12 13 ee 15 ',
    )
    const elsewhere = await ping('ping -c 1 10.0.0.2', {
      send: (net, sock, data) => net.deliver(sock, MS, { data: reply(data), from: GATEWAY }),
    })
    expect(elsewhere.stdout).toContain('64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=1.00 ms (DIFFERENT ADDRESS!)\n')
  })

  it('to another process are ignored', async () => {
    const { stdout } = await ping('ping -c 1 -W 1 10.0.0.2', {
      send: (net, sock, data, to) => {
        const other = data.slice()
        other[5]! ^= 1
        net.deliver(sock, MS, { data: reply(other), from: to! })
      },
    })
    expect(stdout).toContain('0 received, 100% packet loss')
  })
})

describe('losses', () => {
  it('wait for ten seconds, or as long as -W says', async () => {
    const long = await ping('ping -c 1 10.0.0.9')
    expect(long.net.now).toBeCloseTo(11e9, -7)
    expect(long.status).toBe(1)
    expect(long.stdout).toBe(
      'PING 10.0.0.9 (10.0.0.9) 56(84) bytes of data.\n' +
        stats('10.0.0.9', '1 packets transmitted, 0 received, 100% packet loss, time 0ms\n\n'),
    )
    const short = await ping('ping -c 1 -W 0.2 10.0.0.9')
    expect(short.net.now).toBeCloseTo(1.2e9, -7)
  })

  it('are counted in percent', async () => {
    const { stdout, status } = await ping('ping -c 3 -i 0.1 -q 10.0.0.2', { send: answering(MS, [2]) })
    expect(stdout).toContain('3 packets transmitted, 2 received, 33.3333% packet loss, time 200ms\n')
    expect(status).toBe(0)
  })

  it('are reported one by one with -O', async () => {
    const { stdout } = await ping('ping -O -c 3 -i 0.3 -W 1 10.0.0.9')
    expect(stdout).toContain('bytes of data.\nno answer yet for icmp_seq=1\nno answer yet for icmp_seq=2\n\n---')
  })

  it('end at the deadline of -w', async () => {
    const { stdout, net, status } = await ping('ping -w 2 -i 0.5 10.0.0.9')
    expect(net.now).toBeCloseTo(3e9, -7)
    expect(stdout).toContain('4 packets transmitted, 0 received, 100% packet loss, time 1500ms')
    expect(status).toBe(1)
  })

  it('after an answer wait twice the longest time only', async () => {
    const { net } = await ping('ping -c 2 -i 0.1 10.0.0.2', { send: answering(MS, [2]) })
    expect(net.now).toBeCloseTo(1.2e9, -7)
  })
})

describe('errors', () => {
  it('of the network are printed and counted', async () => {
    const { stdout, status } = await ping('ping -c 2 -W 1 10.0.0.99', { send: unreachable(1200 * MS) })
    expect(stdout).toBe(
      'PING 10.0.0.99 (10.0.0.99) 56(84) bytes of data.\n' +
        'From 10.0.0.1 icmp_seq=1 Destination Host Unreachable\n' +
        stats('10.0.0.99', '2 packets transmitted, 0 received, +1 errors, 100% packet loss, time 1000ms\npipe 2\n'),
    )
    expect(status).toBe(1)
  })

  it('have their own words', async () => {
    for (const [type, code, words] of [
      [3, 0, 'Destination Net Unreachable'],
      [3, 3, 'Destination Port Unreachable'],
      [3, 13, 'Packet filtered'],
      [3, 77, 'Dest Unreachable, Bad Code: 77'],
      [11, 0, 'Time to live exceeded'],
      [11, 1, 'Frag reassembly time exceeded'],
    ] as const) {
      const { stdout } = await ping('ping -c 1 10.0.0.99', { send: unreachable(MS, type, code) })
      expect(stdout).toContain(`From 10.0.0.1 icmp_seq=1 ${words}\n`)
    }
  })

  it('of sending count as sent packets', async () => {
    const { stdout, stderr } = await ping('ping -c 1 -W 1 10.0.0.2', {
      send: () => {
        throw new SysError(Errno.EPERM)
      },
    })
    expect(stderr).toBe('')
    expect(stdout).toContain('1 packets transmitted, 0 received')
  })

  it('of messages too long tell the MTU', async () => {
    const send: Script['send'] = (net, sock, _data, to) => {
      net.fail(
        sock,
        0,
        { errno: Errno.EMSGSIZE, origin: 'local', type: 0, code: 0, info: 1500 },
        new Uint8Array(0),
        to!,
        false,
      )
      throw new SysError(Errno.EMSGSIZE)
    }
    const four = await ping('ping -c 1 -s 1473 -M do 10.0.0.2', { send })
    expect(four.stderr).toBe('ping: local error: message too long, mtu=1500\n')
    expect(four.stdout).toContain('1 packets transmitted, 0 received, +1 errors, 100% packet loss')
    const six = await ping('ping -c 1 -s 1453 -M do fd00::2', { send })
    expect(six.stderr).toBe('ping: local error: message too long, mtu: 1500\n')
  })

  it('of a flood are letters', async () => {
    const { stdout } = await ping('ping -f -c 3 10.0.0.2', { send: answering(MS) })
    expect(stdout).toMatch(/bytes of data\.\n\.[\b] [\b]\.[\b] [\b]\.[\b] [\b]\n--- 10\.0\.0\.2 ping statistics/)
    expect(stdout).toMatch(/mdev = \S+ ms, ipg\/ewma \d\.\d{3}\/1\.000 ms\n$/)
  })

  it('of ICMPv6 have their own words', async () => {
    const offender = { family: AF_INET6, addr: new FakeNet([], {}).source6, port: 0 } as const
    for (const [type, code, info, words] of [
      [1, 3, 0, 'Destination unreachable: Address unreachable'],
      [1, 0, 0, 'Destination unreachable: No route'],
      [2, 0, 1280, 'Packet too big: mtu=1280'],
      [3, 0, 0, 'Time exceeded: Hop limit'],
      [4, 1, 6, 'Parameter problem: Unknown header at 6'],
    ] as const) {
      const { stdout } = await ping('ping -c 1 fd00::99', {
        send: (net, sock, data, to) =>
          net.fail(
            sock,
            MS,
            { errno: Errno.EHOSTUNREACH, origin: 'icmp6', type, code, info, offender },
            data.slice(0, 8),
            to!,
          ),
      })
      expect(stdout).toContain(`From fd00::1 icmp_seq=1 ${words}\n`)
      expect(stdout).toContain('0 received, +1 errors, 100% packet loss')
    }
  })
})

describe('signals', () => {
  it('SIGINT ends with the summary', async () => {
    const { stdout, status } = await ping('ping 10.0.0.2', { send: answering(MS) }, net =>
      net.signalAfter(2300 * MS, Signal.SIGINT),
    )
    expect(stdout).toContain('3 packets transmitted, 3 received, 0% packet loss, time 2000ms\n')
    expect(status).toBe(0)
  })

  it('SIGQUIT prints a line of figures', async () => {
    const { stderr } = await ping('ping -c 3 -i 0.5 10.0.0.2', { send: answering(MS) }, net =>
      net.signalAfter(700 * MS, Signal.SIGQUIT),
    )
    expect(stderr).toBe('\r2/2 packets, 0% loss, min/avg/ewma/max = 1.000/1.000/1.000/1.000 ms\n')
  })
})

describe('the source', () => {
  it('is shown with -I and -B', async () => {
    const lines = async (line: string): Promise<string> =>
      (await ping(line, { send: answering(MS) })).stdout.split('\n')[0]!
    expect(await lines('ping -c 1 -I v0 10.0.0.2')).toBe(
      'PING 10.0.0.2 (10.0.0.2) from 10.0.0.1 v0: 56(84) bytes of data.',
    )
    expect(await lines('ping -c 1 -I 10.0.0.1 10.0.0.2')).toBe(
      'PING 10.0.0.2 (10.0.0.2) from 10.0.0.1 : 56(84) bytes of data.',
    )
    expect(await lines('ping -c 1 -B fd00::2')).toBe('PING fd00::2(fd00::2) from fd00::1 : 56 data bytes')
    expect(await lines('ping -c 1 -I v0 fd00::2')).toBe('PING fd00::2(fd00::2) from fd00::1 v0: 56 data bytes')
  })

  it('of another device is warned about', async () => {
    const { stderr } = await ping('ping -c 1 -W 1 -I lo 10.0.0.2')
    expect(stderr).toBe('ping: Warning: source address might be selected on device other than: lo\n')
  })

  it('must exist', async () => {
    const noDevice = await ping('ping -c 1 -I nope 10.0.0.2')
    expect(noDevice).toMatchObject({ stderr: 'ping: SO_BINDTODEVICE nope: No such device\n', status: 2 })
    const bind: Script['bind'] = () => {
      throw new SysError(Errno.EADDRNOTAVAIL)
    }
    expect((await ping('ping -c 1 -I 10.0.0.9 10.0.0.2', { bind })).stderr).toBe(
      'ping: bind: Cannot assign requested address\n',
    )
    expect((await ping('ping -c 1 -I fd00::9 fd00::2', { bind })).stderr).toBe(
      'ping: bind icmp socket: Cannot assign requested address\n',
    )
  })

  it('needs a route', async () => {
    const connect: Script['connect'] = () => {
      throw new SysError(Errno.ENETUNREACH)
    }
    const four = await ping('ping -c 1 99.1.1.1', { connect })
    expect(four).toMatchObject({ stdout: '', stderr: 'ping: connect: Network is unreachable\n', status: 2 })
    const six = await ping('ping -c 1 fd99::1', { connect })
    expect(six).toMatchObject({ stdout: '', stderr: 'ping: connect: Network is unreachable\n', status: 2 })
  })

  it('asks before it pings a broadcast address', async () => {
    let refused = 0
    const connect: Script['connect'] = (_net, sock) => {
      if (sock.options.get('1/6') === 1) return
      refused++
      throw new SysError(Errno.EACCES)
    }
    const asked = await ping('ping -c 1 10.0.0.255', { connect })
    expect(asked.stderr).toBe('ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n')
    expect(asked.status).toBe(2)
    const done = await ping('ping -b -c 1 -W 1 10.0.0.255', { connect })
    expect(done.stderr).toBe('WARNING: pinging broadcast address\n')
    expect(refused).toBe(2)
  })
})

describe('sockets', () => {
  it('are ping sockets where the group may have them', async () => {
    const { net } = await ping('ping -c 1 10.0.0.2', {
      socket: () => {},
      send: (fake, sock, data, to) => {
        const icmp = reply(data).subarray(20)
        fake.deliver(sock, MS, { data: icmp, from: to!, control: { ttl: 63 } })
      },
    })
    const kinds = [...net.sockets.values()].map(sock => sock.type)
    expect(kinds).toEqual([SOCK_DGRAM, SOCK_DGRAM])
  })

  it('are shown with -v', async () => {
    const { stdout, stderr } = await ping('ping -v -c 1 10.0.0.2', { send: answering(MS) })
    expect(stderr).toBe(
      'ping: sock4.fd: 3 (socktype: SOCK_RAW), sock6.fd: 4 (socktype: SOCK_RAW), hints.ai_family: AF_UNSPEC\n\n',
    )
    expect(stdout).toContain("ai->ai_family: AF_INET, ai->ai_canonname: '10.0.0.2'\nPING ")
    expect(stdout).toContain('icmp_seq=1 ident=4321 ttl=64')
  })

  it('that cannot be had end the program', async () => {
    const { stderr, status } = await ping('ping -4 -c 1 10.0.0.2', {
      uid: 1000,
      socket: (_domain, type) => {
        throw new SysError(type === SOCK_RAW ? Errno.EPERM : Errno.EACCES)
      },
    })
    expect(stderr).toBe(
      'ping: socktype: SOCK_RAW\nping: socket: Operation not permitted\nping: => missing cap_net_raw+p capability or setuid?\n',
    )
    expect(status).toBe(2)
  })
})

describe('IP options', () => {
  const optionsOf = (net: FakeNet): unknown => [...net.sockets.values()][0]!.options.get(`${SOL_IP}/${IP_OPTIONS}`)

  it('record the route with -R, and say when it is the same', async () => {
    const hops = [1, 7, 11, 12, 10, 0, 0, 1, 10, 0, 0, 2]
    const { stdout, net } = await ping('ping -R -c 2 -i 0.2 10.0.0.2', {
      send: (fake, sock, data, to) => fake.deliver(sock, MS, { data: reply(data, hops.slice(1).concat(0)), from: to! }),
    })
    expect(stdout).toContain('56(124) bytes of data.\n')
    expect(stdout).toContain('time=1.00 ms\nRR: \t10.0.0.1\n\t10.0.0.2\n\n64 bytes')
    expect(stdout).toContain('icmp_seq=2 ttl=64 time=1.00 ms\t(same route)\n')
    expect(optionsOf(net)).toEqual(Uint8Array.from([1, 7, 39, 4, ...new Array<number>(36).fill(0)]))
  })

  it('stamp times with -T', async () => {
    const { net } = await ping('ping -T tsonly -c 1 -W 1 10.0.0.2')
    expect(optionsOf(net)).toEqual(Uint8Array.from([68, 40, 5, 0, ...new Array<number>(36).fill(0)]))
    const stamped = await ping('ping -T tsandaddr -c 1 10.0.0.2', {
      send: (fake, sock, data, to) => {
        const option = [68, 20, 21, 1, 10, 0, 0, 1, 0, 0, 3, 232, 10, 0, 0, 2, 0, 0, 3, 240]
        fake.deliver(sock, MS, { data: reply(data, option), from: to! })
      },
    })
    expect(stamped.stdout).toContain('TS: \t10.0.0.1\t1000 absolute\n\t10.0.0.2\t8\n\n\n---')
  })

  it('are a source route with several hosts', async () => {
    const setsockopt: Script['setsockopt'] = (_sock, level, option) => {
      if (level === SOL_IP && option === IP_OPTIONS) throw new SysError(Errno.EPERM)
    }
    const { stderr, status } = await ping('ping -c 1 10.0.0.1 10.0.0.2', { setsockopt })
    expect(stderr).toBe('ping: record route: Operation not permitted\n')
    expect(status).toBe(2)
  })
})

describe('packets', () => {
  it('carry the pattern of -p', async () => {
    const { stdout, net } = await ping('ping -c 1 -p ff00 10.0.0.2', { send: answering(MS) })
    expect(stdout).toMatch(/^PATTERN: 0xff00\nPING /)
    expect([...net.sent[0]!.data.subarray(24, 28)]).toEqual([0xff, 0, 0xff, 0])
  })

  it('without room for a time have none', async () => {
    const { stdout } = await ping('ping -c 1 -s 8 10.0.0.2', { send: answering(MS) })
    expect(stdout).toContain('16 bytes from 10.0.0.2: icmp_seq=1 ttl=64\n')
    expect(stdout).toMatch(/time 0ms\n\n$/)
  })

  it('count on without -l, and go out at once with it', async () => {
    const { net, stdout } = await ping('ping -l 3 -c 3 10.0.0.2', { send: answering(MS) })
    expect(net.sent.map(packet => packet.at)).toEqual([1e9, 1e9, 1e9])
    expect(stdout).toMatch(/mdev = 1\.000\/1\.000\/1\.000\/0\.000 ms, pipe 3\n$/)
  })
})

describe('wrong words, as recorded', () => {
  it.each(readTranscript(new URL('recorded/wrong-words.transcript', import.meta.url)))(
    '$command',
    async ({ command, stdout, stderr, status }) => {
      const files = { '/etc/hosts': '127.0.0.1 localhost\n' }
      const result = await ping(command, { files, send: answering(MS) })
      expect({ stdout: result.stdout, stderr: result.stderr, status: result.status }).toEqual({
        stdout,
        stderr,
        status,
      })
    },
  )
})
