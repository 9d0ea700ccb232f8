import { beforeEach, describe, expect, it } from 'vitest'
import { ipComputeCsum } from '../../../src/kernel/ipv4/checksum.ts'
import { put16, put32 } from '../../../src/kernel/ipv4/ip.ts'
import { IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, SOL_IP } from '../../../src/uapi/socket.ts'
import { IpLab, num4, outcome, packet, type Seen } from './ip_lab.ts'

const GROUP = '239.1.2.3'

/** IGMP messages that a tap saw: `v3 [4 239.1.2.3]`, `v2 report 239.1.2.3`. */
function words(seen: readonly Seen[]): string[] {
  return seen
    .map(frame => frame.bytes)
    .filter(b => b[12] === 8 && b[13] === 0 && b[23] === 2)
    .map(b => {
      const at = 14 + (b[14]! & 15) * 4
      const addr = (i: number): string => [...b.subarray(i, i + 4)].join('.')
      if (b[at] !== 0x22) return `type ${b[at]!.toString(16)} ${addr(at + 4)} to ${addr(30)}`
      const records = Array.from({ length: b[at + 7]! }, (_, i) => `${b[at + 8 + 8 * i]} ${addr(at + 12 + 8 * i)}`)
      return `v3 ${records.join(', ')} ttl ${b[22]} to ${addr(30)}`
    })
}

describe('IGMP', () => {
  let lab: IpLab
  let seen: Seen[]
  const member = (): { kind: 'mreqn'; multiaddr: number; address: number; ifindex: number } => ({
    kind: 'mreqn',
    multiaddr: num4(GROUP),
    address: 0,
    ifindex: lab.dev('a0').ifindex,
  })

  beforeEach(() => {
    lab = new IpLab()
    lab.wire(lab.net, 'a0', '10.0.0.1', lab.createNet(), 'b0', '10.0.0.2')
    lab.sleep(2)
    seen = lab.tap(lab.dev('a0'))
  })

  const query = (code: number, group: string, v3 = false): void => {
    const bytes = new Uint8Array(v3 ? 12 : 8)
    bytes[0] = 0x11
    bytes[1] = code
    put32(bytes, 4, num4(group))
    if (v3) bytes[8] = 2
    put16(bytes, 2, ipComputeCsum(bytes, 0, bytes.length))
    lab.inject(lab.dev('a0'), packet({ src: '10.0.0.2', dst: '224.0.0.1', ttl: 1, proto: 2, payload: bytes }), {
      pktType: 2,
    })
  }

  it('listens to all hosts from the start and says nothing about it', () => {
    expect(words(seen)).toEqual([])
    expect(lab.procText('igmp')).toBe(
      'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n2\ta0        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n'.replace(
        '2\ta0',
        `${lab.dev('a0').ifindex}\ta0`,
      ),
    )
  })

  it('reports joining and leaving twice each, with version 3', () => {
    const sk = lab.udp()
    expect(outcome(sk.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, member()))).toBe(0)
    lab.sleep(3)
    expect(words(seen)).toEqual(new Array(2).fill(`v3 4 ${GROUP} ttl 1 to 224.0.0.22`))
    seen.length = 0
    sk.setsockopt(SOL_IP, IP_DROP_MEMBERSHIP, member())
    lab.sleep(3)
    expect(words(seen)).toEqual(new Array(2).fill(`v3 3 ${GROUP} ttl 1 to 224.0.0.22`))
  })

  it('answers queries of every version', () => {
    const sk = lab.udp()
    sk.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, member())
    lab.sleep(5)
    seen.length = 0
    query(20, '0.0.0.0', true)
    lab.sleep(3)
    expect(words(seen)).toEqual([`v3 2 ${GROUP} ttl 1 to 224.0.0.22`])
    seen.length = 0
    query(20, '0.0.0.0')
    lab.sleep(3)
    expect(words(seen)).toEqual([`type 16 ${GROUP} to ${GROUP}`])
    expect(lab.procText('igmp')).toContain('V2')
    seen.length = 0
    sk.release()
    lab.sleep(1)
    expect(words(seen)).toEqual([`type 17 ${GROUP} to 224.0.0.2`])
  })

  it('speaks the version it is told to', () => {
    lab.setting('ipv4/conf/a0/force_igmp_version', 2)
    lab.udp().setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, member())
    lab.sleep(12)
    expect(words(seen)).toEqual(new Array(2).fill(`type 16 ${GROUP} to ${GROUP}`))
  })

  it('lets the device take frames to the group', () => {
    const sk = lab.udp()
    sk.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, member())
    expect([...lab.dev('a0').mc.entries.keys()]).toContain('01005e010203')
    sk.release()
    expect([...lab.dev('a0').mc.entries.keys()]).not.toContain('01005e010203')
  })

  it('limits what a socket may be a member of', () => {
    lab.setting('ipv4/igmp_max_memberships', 1)
    const sk = lab.udp()
    expect(outcome(sk.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, member()))).toBe(0)
    expect(outcome(sk.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, { ...member(), multiaddr: num4('239.9.9.9') }))).toBe(
      'ENOBUFS',
    )
    expect(outcome(sk.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, { ...member(), multiaddr: num4('10.0.0.1') }))).toBe(
      'EINVAL',
    )
    expect(outcome(sk.setsockopt(SOL_IP, IP_ADD_MEMBERSHIP, { ...member(), ifindex: 99 }))).toBe('ENODEV')
  })
})
