/** arping against a scripted link; the texts are those of the reference machine. */
import { describe, expect, it } from 'vitest'
import { main } from '../../../commands/arping/main.ts'
import { Errno, SysError } from '../../../src/uapi/errno.ts'
import { Signal } from '../../../src/uapi/signal.ts'
import { AF_PACKET } from '../../../src/uapi/socket.ts'
import { FakeNet, link, MS, type Outcome, type Script } from '../fake_net.ts'

const LINKS = [link(1, 'lo', { hatype: 772, ifFlags: 0x49 }), link(2, 'v0'), link(3, 'down0', { ifFlags: 0x1002 })]
const PEER = [2, 0, 0, 0, 0, 0xb]

/** @returns an answer to a question, in the reverse direction */
function answer(question: Uint8Array, hw: readonly number[] = PEER): Uint8Array {
  const reply = question.slice()
  reply[7] = 2
  reply.set(hw, 8)
  reply.set(question.subarray(24, 28), 14)
  reply.set(question.subarray(8, 14), 18)
  reply.set(question.subarray(14, 18), 24)
  return reply
}

/** Answers after a delay, unicast unless told otherwise. */
function answering(delay: number, pkttype = 0): Script['send'] {
  return (net, sock, data) =>
    net.deliver(sock, delay, {
      data: answer(data),
      from: { family: AF_PACKET, protocol: 0x806, ifindex: 2, hatype: 1, pkttype, addr: Uint8Array.from(PEER) },
    })
}

async function arping(line: string, script: Script = {}, prepare?: (net: FakeNet) => void): Promise<Outcome> {
  const net = new FakeNet(line.split(' '), { links: LINKS, ...script })
  prepare?.(net)
  return net.run(main)
}

describe('arping', () => {
  it('prints a line for each answer and a summary', async () => {
    const { stdout, status, net } = await arping('arping -c 2 -I v0 10.0.0.2', { send: answering(1.272 * MS) })
    expect(stdout).toBe(
      'ARPING 10.0.0.2 from 10.0.0.1 v0\n' +
        'Unicast reply from 10.0.0.2 [02:00:00:00:00:0B]  1.772ms\n' +
        'Unicast reply from 10.0.0.2 [02:00:00:00:00:0B]  1.772ms\n' +
        'Sent 2 probes (1 broadcast(s))\n' +
        'Received 2 response(s)\n',
    )
    expect(status).toBe(0)
    expect(net.sent.map(packet => packet.at)).toEqual([1e9, 2e9])
    expect(net.now).toBe(3e9)
    expect([...net.sent[0]!.data]).toEqual([
      0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 1, 255, 255, 255, 255, 255, 255, 10, 0, 0, 2,
    ])
    expect([...net.sent[1]!.data.subarray(18, 24)]).toEqual(PEER)
  })

  it('keeps broadcasting with -b', async () => {
    const { stdout } = await arping('arping -b -c 2 -I v0 10.0.0.2', { send: answering(MS) })
    expect(stdout).toContain('Sent 2 probes (2 broadcast(s))\n')
  })

  it('ends when the count is answered within -w, and at once with -f', async () => {
    const counted = await arping('arping -c 1 -w 5 -I v0 10.0.0.2', { send: answering(MS) })
    expect(counted.net.now).toBeCloseTo(1.001e9, -4)
    const first = await arping('arping -f -I v0 10.0.0.2', { send: answering(MS) })
    expect(first.net.now).toBeCloseTo(1.001e9, -4)
    expect(first.status).toBe(0)
  })

  it('fails without an answer', async () => {
    const counted = await arping('arping -c 1 -w 1 -I v0 10.0.0.77')
    expect(counted.stdout).toMatch(/Sent 1 probes \(1 broadcast\(s\)\)\nReceived 0 response\(s\)\n$/)
    expect(counted.status).toBe(1)
    const timed = await arping('arping -f -w 2 -I v0 10.0.0.77')
    expect(timed.stdout).toContain('Sent 3 probes (3 broadcast(s))')
  })

  it('detects duplicate addresses with -D', async () => {
    const taken = await arping('arping -D -c 1 -I v0 10.0.0.2', { send: answering(MS) })
    expect(taken.stdout).toContain('ARPING 10.0.0.2 from 0.0.0.0 v0\nUnicast reply from 10.0.0.2 [')
    expect(taken.status).toBe(1)
    const free = await arping('arping -D -c 2 -I v0 10.0.0.77')
    expect(free.stdout).toContain('Sent 2 probes (2 broadcast(s))\nReceived 0 response(s)\n')
    expect(free.status).toBe(0)
  })

  it('announces with -U and -A', async () => {
    const question = await arping('arping -U -c 1 -I v0 10.0.0.1')
    expect(question.status).toBe(0)
    expect([...question.net.sent[0]!.data.subarray(6, 8)]).toEqual([0, 1])
    const statement = await arping('arping -A -c 1 -I v0 10.0.0.1')
    expect([...statement.net.sent[0]!.data.subarray(6, 8)]).toEqual([0, 2])
    expect([...statement.net.sent[0]!.data.subarray(18, 24)]).toEqual([2, 0, 0, 0, 0, 2])
  })

  it('tells broadcast answers and requests', async () => {
    const { stdout } = await arping('arping -f -I v0 10.0.0.2', { send: answering(MS, 1) })
    expect(stdout).toContain('Broadcast reply from 10.0.0.2 [02:00:00:00:00:0B]  1.500ms\n')
    expect(stdout).toContain('Received 1 response(s) (1 broadcast(s))\n')
  })

  it('ends with a summary on SIGINT', async () => {
    const { stdout, status } = await arping('arping -I v0 10.0.0.2', { send: answering(MS) }, net =>
      net.signalAfter(2400 * MS, Signal.SIGINT),
    )
    expect(stdout).toContain('Sent 3 probes (1 broadcast(s))\nReceived 3 response(s)\n')
    expect(status).toBe(0)
  })

  it('is silent with -q', async () => {
    expect((await arping('arping -q -c 1 -I v0 10.0.0.2', { send: answering(MS) })).stdout).toBe('')
  })

  it('refuses devices it cannot ask on', async () => {
    const lo = await arping('arping -c 1 -I lo 127.0.0.1')
    expect(lo).toMatchObject({ stdout: 'Interface "lo" is not ARPable\n', stderr: '', status: 2 })
    const down = await arping('arping -c 1 -I down0 10.0.0.2')
    expect(down).toMatchObject({ stdout: 'Interface "down0" is down\n', status: 2 })
    const none = await arping('arping -c 1 -I nope 10.0.0.2')
    expect(none).toMatchObject({ stderr: 'arping: Device nope not available.\n', status: 2 })
  })

  it('needs a source address', async () => {
    const connect: Script['connect'] = () => {
      throw new SysError(Errno.EACCES)
    }
    const refused = await arping('arping -c 1 -I v0 10.0.0.255', { connect })
    expect(refused).toMatchObject({ stderr: 'arping: connect: Permission denied\n', status: 2 })
    const bind: Script['bind'] = sock => {
      if (sock.domain !== AF_PACKET) throw new SysError(Errno.EADDRNOTAVAIL)
    }
    const foreign = await arping('arping -s 10.0.0.5 -c 1 -I v0 10.0.0.2', { bind })
    expect(foreign).toMatchObject({ stderr: 'arping: bind: Cannot assign requested address\n', status: 2 })
    const wrong = await arping('arping -s x -c 1 -I v0 10.0.0.2')
    expect(wrong).toMatchObject({ stderr: 'arping: invalid source x\n', status: 2 })
  })

  it('complains about wrong words', async () => {
    expect((await arping('arping -c 3 -i 0.3 -I v0 10.0.0.2')).stderr).toBe("arping: invalid argument: '0.3'\n")
    expect((await arping('arping -c 0 -I v0 10.0.0.2')).stderr).toBe(
      "arping: invalid argument: '0': out of range: 1 <= value <= 2147483647\n",
    )
    expect((await arping('arping -z')).stderr).toMatch(/^arping: invalid option -- 'z'\n\nUsage:\n {2}arping/)
    expect((await arping('arping -c 1 -I v0 nosuch')).stderr).toBe(
      'arping: nosuch: Temporary failure in name resolution\n',
    )
    expect((await arping('arping -c 1 -I v0 fd00::2')).stderr).toBe(
      'arping: fd00::2: Address family for hostname not supported\n',
    )
  })
})
