import { beforeEach, describe, expect, it } from 'vitest'
import { neighTables } from '../../../src/kernel/core/neighbour.ts'
import type { NeighMessage } from '../../../src/uapi/rtnetlink.ts'
import { RTM_DELNEIGH, RTNLGRP_NEIGH } from '../../../src/uapi/rtnetlink.ts'
import { AF_INET } from '../../../src/uapi/socket.ts'
import { IpLab, nud, outcome, received, sin, text } from '../ipv4/ip_lab.ts'
import { failure, mac } from './net_lab.ts'

const HERE = '10.0.0.1'
const THERE = '10.0.0.2'
const NOBODY = '10.0.0.9'

function states(lab: IpLab, net = lab.net): string[] {
  // the loopback's one entry comes with the first packet to an own address
  return lab.neighs(net).filter(line => !line.startsWith('0.0.0.0'))
}

describe('neighbours', () => {
  let lab: IpLab
  let peer: IpLab['net']

  beforeEach(() => {
    lab = new IpLab()
    peer = lab.createNet()
    lab.wire(lab.net, 'a0', HERE, peer, 'b0', THERE)
    // half the base time is the least a confirmation holds: enough for these tests to be certain
    lab.setting('ipv4/neigh/a0/base_reachable_time_ms', 60000)
    lab.sleep(2)
  })

  const send = (to: string, data = 'x'): unknown => outcome(lab.udp().sendmsg(text(data), 0, sin(to, 9), undefined))

  it('resolves an address with the first packet and delivers it', () => {
    const sink = lab.udp(peer)
    sink.bind(sin('0.0.0.0', 9))
    expect(send(THERE, 'hello')).toBe(5)
    expect(received(sink)).toMatch(/^hello from 10\.0\.0\.1:/)
    expect(states(lab)).toEqual(['10.0.0.2 REACHABLE'])
    expect(states(lab, peer)).toEqual(['10.0.0.1 STALE'])
  })

  it('goes from REACHABLE to STALE, by use to DELAY, and is confirmed by a unicast probe after five seconds', () => {
    send(THERE)
    const seen = lab.tap(lab.dev('a0'))
    lab.sleep(100)
    expect(states(lab)).toEqual(['10.0.0.2 STALE'])
    send(THERE)
    expect(states(lab)).toEqual(['10.0.0.2 DELAY'])
    lab.sleep(4.9)
    expect(states(lab)).toEqual(['10.0.0.2 DELAY'])
    seen.length = 0
    lab.sleep(0.2)
    expect(states(lab)).toEqual(['10.0.0.2 REACHABLE'])
    const request = seen.find(frame => frame.bytes[12] === 0x08 && frame.bytes[13] === 0x06)!
    expect([...request.bytes.subarray(0, 6)]).toEqual([...lab.dev('b0', peer).devAddr])
  })

  it('fails after three requests a second apart, and tells the sender', () => {
    const seen = lab.tap(lab.dev('a0'))
    const sk = lab.udp()
    sk.connect(sin(NOBODY, 9))
    expect(outcome(sk.sendmsg(text('x'), 0, undefined, undefined))).toBe(1)
    expect(states(lab)).toEqual(['10.0.0.9 INCOMPLETE'])
    const start = lab.kernel.clock.now
    lab.sleep(2.9)
    expect(states(lab)).toEqual(['10.0.0.9 INCOMPLETE'])
    lab.up('lo')
    lab.sleep(0.2)
    expect(states(lab)).toEqual(['10.0.0.9 FAILED'])
    expect(seen.map(frame => Math.abs(Math.round((frame.at - start) / 1e8)))).toEqual([0, 10, 20])
    // host unreachable is not a hard error: only a socket with IP_RECVERR would hear of it
    expect(received(sk)).toBe('EAGAIN')
    expect(lab.counter('IcmpOutDestUnreachs')).toBe(1)
    expect(lab.counter('IcmpMsgOutType3')).toBe(1)
  })

  it('keeps packets up to unres_qlen_bytes, the newest ones', () => {
    const drops = lab.drops()
    lab.setting('ipv4/neigh/a0/unres_qlen_bytes', 3 * 768)
    for (let i = 0; i < 5; i++) send(NOBODY)
    expect(drops.filter(([, reason]) => reason === 'NEIGH_QUEUEFULL')).toHaveLength(2)
    lab.sleep(4)
    expect(drops.filter(([, reason]) => reason === 'NEIGH_FAILED')).toHaveLength(3)
  })

  it('is asked for again by the next packet after it has failed', () => {
    send(NOBODY)
    lab.sleep(4)
    expect(states(lab)).toEqual(['10.0.0.9 FAILED'])
    send(NOBODY)
    expect(states(lab)).toEqual(['10.0.0.9 INCOMPLETE'])
  })

  it('does not change a permanent entry by what others say', () => {
    lab.ipNeigh('add', THERE, 'a0', { attrs: { lladdr: mac('02:00:00:00:00:99') } })
    const sink = lab.udp(peer)
    sink.bind(sin('0.0.0.0', 9))
    send(THERE)
    expect(received(sink)).toBe('EAGAIN')
    lab.udp(peer).sendmsg(text('x'), 0, sin(HERE, 9), undefined)
    expect(states(lab)).toEqual(['10.0.0.2 PERMANENT'])
  })

  it('loses its entries with the carrier, all but the permanent ones', () => {
    send(THERE)
    lab.ipNeigh('add', '10.0.0.50', 'a0', { attrs: { lladdr: mac('02:00:00:00:00:50') } })
    lab.down('b0', peer)
    lab.sleep(2)
    expect(states(lab)).toEqual(['10.0.0.50 PERMANENT'])
    lab.setting('ipv4/conf/a0/arp_evict_nocarrier', 0)
    lab.up('b0', peer)
    lab.sleep(2)
    send(THERE)
    lab.down('b0', peer)
    lab.sleep(2)
    expect(states(lab)).toEqual(['10.0.0.50 PERMANENT', '10.0.0.2 REACHABLE'])
  })

  it('loses all entries when the device goes down or changes its address', () => {
    send(THERE)
    lab.set('a0', { address: mac('02:00:00:00:00:11') })
    expect(states(lab)).toEqual([])
    send(THERE)
    expect(states(lab)).toEqual(['10.0.0.2 REACHABLE'])
    lab.down('a0')
    expect(states(lab)).toEqual([])
  })

  it('keeps packets and buffers from leaking', () => {
    const before = lab.kernel.skbs.inUse
    send(NOBODY)
    send(NOBODY)
    lab.sleep(10)
    send(THERE)
    lab.sleep(200)
    expect(lab.kernel.skbs.inUse).toBe(before)
  })
})

describe('the collector', () => {
  it('refuses entries above the third threshold while none can be taken, and says so', () => {
    const lab = new IpLab()
    lab.add('d0', { kind: 'dummy' })
    lab.addr('10.0.0.1/16', 'd0')
    lab.up('d0')
    const tbl = neighTables(lab.kernel).get(AF_INET)!
    tbl.gcThresh1 = 2
    tbl.gcThresh2 = 4
    tbl.gcThresh3 = 8
    const peer = lab.createNet()
    lab.wire(lab.net, 'a0', '10.9.0.1', peer, 'b0', '10.9.0.2')
    lab.sleep(1)
    const sk = lab.udp()
    const results = []
    for (let i = 10; i < 20; i++) results.push(outcome(sk.sendmsg(text('x'), 0, sin(`10.9.0.${i}`, 9), undefined)))
    expect(results.slice(0, 8)).toEqual(new Array(8).fill(1))
    expect(results.slice(8)).toEqual([1, 1])
    expect(lab.kernel.log.read().map(record => record.text)).toContain('neighbour: arp_cache: neighbor table overflow!')
    // failed entries give way at once
    lab.sleep(4)
    expect(outcome(sk.sendmsg(text('x'), 0, sin('10.9.0.30', 9), undefined))).toBe(1)
    const left = lab.neighs(lab.net, { ifindex: lab.dev('a0').ifindex })
    expect(left).toContain('10.9.0.30 INCOMPLETE')
    expect(left.length).toBeLessThan(6)
  })

  it('removes what was unused for gc_stale_time, once there are more entries than the first threshold', () => {
    const lab = new IpLab()
    const peer = lab.createNet()
    lab.wire(lab.net, 'a0', '10.9.0.1', peer, 'b0', '10.9.0.2')
    const tbl = neighTables(lab.kernel).get(AF_INET)!
    tbl.gcThresh1 = 3
    lab.ipNeigh('add', '10.9.0.50', 'a0', { state: 4, attrs: { lladdr: mac('02:00:00:00:00:50') } })
    lab.ipNeigh('add', '10.9.0.51', 'a0', { attrs: { lladdr: mac('02:00:00:00:00:51') } })
    lab.sleep(200)
    expect(lab.neighs()).toEqual(['10.9.0.50 STALE', '10.9.0.51 PERMANENT'])
    lab.ipNeigh('add', '10.9.0.52', 'a0', { attrs: { lladdr: mac('02:00:00:00:00:52') } })
    lab.sleep(20)
    expect(lab.neighs()).toEqual(['10.9.0.51 PERMANENT', '10.9.0.52 PERMANENT'])
  })
})

describe('RTM_NEWNEIGH and its kin', () => {
  let lab: IpLab
  const ll = (last: string): { lladdr: Uint8Array } => ({ lladdr: mac(`02:00:00:00:00:${last}`) })

  beforeEach(() => {
    lab = new IpLab()
    lab.wire(lab.net, 'a0', HERE, lab.createNet(), 'b0', THERE)
    lab.sleep(1)
  })

  it('adds, refuses to add twice, replaces, changes, removes', () => {
    lab.ipNeigh('add', '10.0.0.50', 'a0', { attrs: ll('50') })
    expect(failure(() => lab.ipNeigh('add', '10.0.0.50', 'a0', { attrs: ll('51') }))).toBe('EEXIST')
    lab.ipNeigh('replace', '10.0.0.50', 'a0', { state: 4, attrs: ll('51') })
    lab.ipNeigh('change', '10.0.0.50', 'a0', { state: 2, attrs: ll('52') })
    const [entry] = lab.ipNeigh('get', '10.0.0.50', 'a0')
    expect([nud(entry!.state), entry!.attrs.lladdr!.at(-1)]).toEqual(['REACHABLE', 0x52])
    expect(failure(() => lab.ipNeigh('change', '10.0.0.60', 'a0', { attrs: ll('60') }))).toBe('ENOENT')
    lab.ipNeigh('del', '10.0.0.50', 'a0')
    expect(failure(() => lab.ipNeigh('del', '10.0.0.50', 'a0'))).toBe('ENOENT')
  })

  it('explains what is wrong', () => {
    expect(failure(() => lab.ipNeigh('add', '10.0.0.64', 'a0'))).toBe('EINVAL: No link layer address given')
    expect(lab.neighs()).toEqual(['10.0.0.64 NONE'])
    expect(failure(() => lab.ipNeigh('add', '10.0.0.65', 'a0', { attrs: { lladdr: new Uint8Array(5) } }))).toBe(
      'EINVAL: Invalid link address',
    )
    expect(failure(() => lab.ipNeigh('add', '10.0.0.65', undefined, { attrs: ll('65') }))).toBe(
      'EINVAL: Device not specified',
    )
    expect(failure(() => lab.ipNeigh('get', '10.0.0.77', 'a0'))).toBe('ENOENT: Neighbour entry not found')
    expect(failure(() => lab.ipNeigh('get', '10.0.0.77', undefined))).toBe('EINVAL: No device specified')
    expect(failure(() => lab.ipNeigh('get', '10.0.0.77', 'a0', { proxy: true }))).toBe(
      'ENOENT: Proxy neighbour entry not found',
    )
    expect(failure(() => lab.ipNeigh('add', '10.0.0.1', 'a0', { flags: 8, attrs: { extFlags: 1 } }))).toBe(
      'EINVAL: Invalid NTF_* flag combination',
    )
    expect(failure(() => lab.ipNeigh('add', '10.0.0.1', 'a0', { attrs: { ...ll('1'), extFlags: 1 } }))).toBe(
      'EINVAL: Invalid NTF_* flag for permanent entry',
    )
  })

  it('keeps proxies apart from entries', () => {
    lab.ipNeigh('add', '10.0.0.200', 'a0', { proxy: true, state: 0 })
    lab.ipNeigh('add', '10.0.0.201', undefined, { proxy: true, state: 0 })
    expect(lab.neighs()).toEqual([])
    const proxies = lab.neighDump(lab.net, { ndmFlags: 8 })
    expect(proxies.map(m => [m.attrs.dst!.at(-1), m.ifindex !== 0])).toEqual([
      [200, true],
      [201, false],
    ])
    lab.ipNeigh('del', '10.0.0.200', 'a0', { proxy: true })
    expect(failure(() => lab.ipNeigh('del', '10.0.0.200', 'a0', { proxy: true }))).toBe('ENOENT')
  })

  it('has the kernel resolve used and managed entries', () => {
    lab.ipNeigh('add', THERE, 'a0', { flags: 1, state: 0 })
    expect(lab.neighs()).toEqual(['10.0.0.2 REACHABLE'])
    lab.ipNeigh('add', NOBODY, 'a0', { state: 0, attrs: { extFlags: 1 } })
    lab.sleep(4)
    expect(lab.neighs()).toContain('10.0.0.9 FAILED')
    lab.sleep(2)
    expect(lab.neighs()).toContain('10.0.0.9 INCOMPLETE')
  })

  it('tells listeners of changes and ends', () => {
    const socket = lab.socket()
    socket.subscribe(RTNLGRP_NEIGH)
    const next = (): string => {
      const m = socket.next() as NeighMessage | undefined
      return m === undefined ? '' : `${m.type === RTM_DELNEIGH ? 'Deleted ' : ''}${m.attrs.dst!.at(-1)} ${nud(m.state)}`
    }
    lab.ipNeigh('add', '10.0.0.50', 'a0', { attrs: ll('50') })
    lab.ipNeigh('del', '10.0.0.50', 'a0')
    expect([next(), next(), next(), next()]).toEqual(['50 PERMANENT', '50 FAILED', 'Deleted 50 FAILED', ''])
    lab.udp().sendmsg(text('x'), 0, sin(THERE, 9), undefined)
    expect([next(), next()]).toEqual(['2 REACHABLE', ''])
  })

  it('has one entry for every address on the loopback', () => {
    lab.up('lo')
    lab.ipNeigh('add', '10.0.0.61', 'lo', { attrs: ll('52') })
    expect(lab.neighs()).toEqual(['0.0.0.0 PERMANENT'])
  })

  it('shows /proc/net/arp', () => {
    lab.ipNeigh('add', '10.0.0.50', 'a0', { attrs: ll('50') })
    lab.ipNeigh('add', '10.0.0.200', 'a0', { proxy: true, state: 0 })
    expect(lab.procText('arp').split('\n')).toEqual([
      'IP address       HW type     Flags       HW address            Mask     Device',
      '10.0.0.50        0x1         0x6         02:00:00:00:00:50     *        a0',
      '10.0.0.200       0x1         0xc         00:00:00:00:00:00     *        a0',
      '',
    ])
  })
})
