/** tracepath against a scripted path; the texts are those of the reference machine. */
import { describe, expect, it } from 'vitest'
import { main } from '../../../commands/tracepath/main.ts'
import { Errno, SysError } from '../../../src/uapi/errno.ts'
import {
  AF_INET,
  AF_INET6,
  IP_TTL,
  IPV6_UNICAST_HOPS,
  SOL_IP,
  SOL_IPV6,
  type SockaddrIn,
  type SockaddrIn6,
} from '../../../src/uapi/socket.ts'
import { FakeNet, type FakeSocket, MS, type Outcome, type Script } from '../fake_net.ts'

/** A link of the path: the router behind it, the link's MTU. */
interface Hop {
  readonly addr: number
  readonly mtu: number
}

const ROUTER = 0x0a000002
const HOST = 0x0a000102

function ttlOf(sock: FakeSocket): number {
  const key = sock.domain === AF_INET ? `${SOL_IP}/${IP_TTL}` : `${SOL_IPV6}/${IPV6_UNICAST_HOPS}`
  return sock.options.get(key) as number
}

/** A path of routers, the last hop being the host itself. */
function path(hops: readonly Hop[], delay = 0.5 * MS): Script['send'] {
  return (net, sock, data, to) => {
    const target = to as SockaddrIn
    const length = data.length + 28
    if (length > hops[0]!.mtu) {
      const err = { errno: Errno.EMSGSIZE, origin: 'local', type: 0, code: 0, info: hops[0]!.mtu } as const
      net.fail(sock, 0, err, new Uint8Array(0), { ...target, port: 0 }, false)
      throw new SysError(Errno.EMSGSIZE)
    }
    const ttl = ttlOf(sock)
    const quoted = data.slice(0, 24)
    const answer = (at: number, errno: number, type: number, code: number, info = 0): void => {
      const offender = { family: AF_INET, addr: hops[at]!.addr, port: 0 } as const
      net.fail(sock, delay, { errno, origin: 'icmp', type, code, info, offender }, quoted, target, true, {
        ttl: 64 - at,
      })
    }
    for (const [i, hop] of hops.entries()) {
      if (length > hop.mtu) return answer(i - 1, Errno.EMSGSIZE, 3, 4, hop.mtu)
      if (i === hops.length - 1) return answer(i, Errno.ECONNREFUSED, 3, 3)
      if (ttl === i + 1) return answer(i, Errno.EHOSTUNREACH, 11, 0)
    }
  }
}

async function tracepath(line: string, script: Script = {}): Promise<Outcome & { readonly shown: string }> {
  const outcome = await new FakeNet(line.split(' '), script).run(main)
  return { ...outcome, shown: outcome.stdout.replace(/ *[0-9]+\.[0-9]+ms/g, ' T') }
}

describe('tracepath', () => {
  const hops = [
    { addr: ROUTER, mtu: 1500 },
    { addr: HOST, mtu: 1500 },
  ]

  it('finds the MTU and the way', async () => {
    const { shown, stdout, status } = await tracepath('tracepath -n 10.0.1.2', { send: path(hops) })
    expect(shown).toBe(
      ' 1?: [LOCALHOST]                      pmtu 1500\n' +
        ' 1:  10.0.0.2 T \n' +
        ' 1:  10.0.0.2 T \n' +
        ' 2:  10.0.1.2 T reached\n' +
        '     Resume: pmtu 1500 hops 2 back 2 \n',
    )
    expect(stdout).toContain(` 1:  ${'10.0.0.2'.padEnd(52)}  0.500ms \n`)
    expect(status).toBe(0)
  })

  it('meets a smaller MTU on the way', async () => {
    const { shown } = await tracepath('tracepath -n 10.0.1.2', {
      send: path([
        { addr: ROUTER, mtu: 1500 },
        { addr: HOST, mtu: 1400 },
      ]),
    })
    expect(shown).toBe(
      ' 1?: [LOCALHOST]                      pmtu 1500\n' +
        ' 1:  10.0.0.2 T \n' +
        ' 1:  10.0.0.2 T \n' +
        ' 2:  10.0.0.2 T pmtu 1400\n' +
        ' 2:  10.0.1.2 T reached\n' +
        '     Resume: pmtu 1400 hops 2 back 2 \n',
    )
  })

  it('takes a length, a port, and a limit of hops', async () => {
    const short = await tracepath('tracepath -n -l 100 10.0.1.2', { send: path(hops) })
    expect(short.shown).toBe(' 1:  10.0.0.2 T \n 2:  10.0.1.2 T reached\n     Resume: pmtu 100 hops 2 back 2 \n')
    expect(short.net.sent[0]!.data.length).toBe(72)
    const port = await tracepath('tracepath -n -l 100 10.0.1.2/5000', { send: path(hops) })
    expect((port.net.sent[0]!.to as SockaddrIn).port).toBe(5000)
    const near = await tracepath('tracepath -n -m 1 10.0.1.2', { send: path(hops) })
    expect(near.shown).toMatch(/ 1: {2}10\.0\.0\.2 T \n {5}Too many hops: pmtu 1500\n {5}Resume: pmtu 1500 \n$/)
  })

  it('shows names, or both', async () => {
    const files = { '/etc/hosts': '10.0.0.2 router\n' }
    expect((await tracepath('tracepath -l 100 10.0.1.2', { files, send: path(hops) })).shown).toBe(
      ' 1:  router T \n 2:  ??? T reached\n     Resume: pmtu 100 hops 2 back 2 \n',
    )
    expect((await tracepath('tracepath -b -l 100 10.0.1.2', { send: path(hops) })).shown).toContain(
      ' 1:  ??? (10.0.0.2) T \n',
    )
  })

  it('says why the way ends', async () => {
    const failing =
      (errno: number, code: number): Script['send'] =>
      (net, sock, data, to) =>
        net.fail(
          sock,
          MS,
          { errno, origin: 'icmp', type: 3, code, info: 0, offender: { family: AF_INET, addr: ROUTER, port: 0 } },
          data.slice(0, 24),
          to!,
        )
    for (const [errno, code, mark] of [
      [Errno.EHOSTUNREACH, 1, '!H'],
      [Errno.ENETUNREACH, 0, '!N'],
      [Errno.EACCES, 13, '!A'],
    ] as const)
      expect((await tracepath('tracepath -n -l 100 10.0.1.2', { send: failing(errno, code) })).shown).toBe(
        ` 1:  10.0.0.2 T ${mark}\n     Resume: pmtu 100 \n`,
      )
  })

  it('waits three seconds for silent hops, and gives up when nothing can be sent', async () => {
    const silent = await tracepath('tracepath -n -m 2 -l 100 10.0.1.2')
    expect(silent.shown).toBe(' 1:  no reply\n 2:  no reply\n     Too many hops: pmtu 100\n     Resume: pmtu 100 \n')
    expect(silent.net.now).toBe(7e9)
    const stuck = await tracepath('tracepath -n 99.6.9.9', {
      send: () => {
        throw new SysError(Errno.EHOSTUNREACH)
      },
    })
    expect(stuck.stdout).toBe(' 1:  send failed\n     Resume: pmtu 65535 \n')
  })

  it('walks over IPv6', async () => {
    const routers = [2, 3].map(last => Uint8Array.from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]))
    const { shown } = await tracepath('tracepath -n fd01::2', {
      send: (net, sock, data, to) => {
        const target = to as SockaddrIn6
        if (data.length + 48 > 1500) {
          net.fail(
            sock,
            0,
            { errno: Errno.EMSGSIZE, origin: 'local', type: 0, code: 0, info: 1500 },
            new Uint8Array(0),
            target,
            false,
          )
          throw new SysError(Errno.EMSGSIZE)
        }
        const last = ttlOf(sock) === 2
        const offender = { family: AF_INET6, addr: last ? target.addr : routers[0]!, port: 0 } as const
        const kind = last
          ? { errno: Errno.ECONNREFUSED, type: 1, code: 4 }
          : { errno: Errno.EHOSTUNREACH, type: 3, code: 0 }
        net.fail(sock, MS, { ...kind, origin: 'icmp6', info: 0, offender }, data.slice(0, 24), target, true, {
          hoplimit: last ? 63 : 64,
        })
      },
    })
    expect(shown).toBe(
      ' 1?: [LOCALHOST] T pmtu 1500\n' +
        ' 1:  fd00::2 T \n' +
        ' 1:  fd00::2 T \n' +
        ' 2:  fd01::2 T reached\n' +
        '     Resume: pmtu 1500 hops 2 back 2 \n',
    )
  })

  it('complains about wrong words', async () => {
    const usage = await tracepath('tracepath')
    expect(usage.stderr).toMatch(/^\nUsage\n {2}tracepath \[options\] <destination>\n/)
    expect(usage.status).toBe(255)
    const cases: readonly [string, string][] = [
      ['tracepath -n -l 20 10.0.1.2', 'pktlen must be within: 28 < value <= 2147483647'],
      ['tracepath -n -l x 10.0.1.2', "invalid argument: 'x'"],
      ['tracepath -m 256 10.0.1.2', "invalid argument: '256': out of range: 0 <= value <= 255"],
      ['tracepath -4 -n fd01::2', 'fd01::2: Address family for hostname not supported'],
      ['tracepath nosuch', 'nosuch: Temporary failure in name resolution'],
    ]
    for (const [line, message] of cases)
      expect(await tracepath(line)).toMatchObject({ stderr: `tracepath: ${message}\n`, status: 1 })
  })
})
