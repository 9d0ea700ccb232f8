import { beforeEach, describe, expect, it } from 'vitest'
import { IPV4_DEVCONF_FORWARDING } from '../../../src/kernel/ipv4/devconf.ts'
import { inDevGet } from '../../../src/kernel/ipv4/in_device.ts'
import {
  type AddrAttrs,
  type AddrMessage,
  IFA_F_NOPREFIXROUTE,
  RTM_DELADDR,
  RTM_NEWADDR,
  RTM_NEWNETCONF,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_NETCONF,
} from '../../../src/uapi/rtnetlink.ts'
import { failure } from '../core/net_lab.ts'
import { ip4, num4, RouteLab } from './route_lab.ts'

let lab: RouteLab
beforeEach(() => {
  lab = new RouteLab()
  lab.dummy('d0')
})

const lifetimes = (valid: number, prefered: number): { attrs: AddrAttrs } => ({
  attrs: { cacheinfo: { prefered, valid, cstamp: 0, tstamp: 0 } },
})

describe('addresses of a device', () => {
  it('make the routes of their subnet and of themselves', () => {
    lab.addr('10.0.0.1/24', 'd0', { attrs: { broadcast: ip4('10.0.0.255') } })
    expect(lab.routes(0)).toEqual([
      '10.0.0.0/24 dev d0 proto kernel scope link src 10.0.0.1',
      'local 10.0.0.1 dev d0 proto kernel scope host src 10.0.0.1',
      'broadcast 10.0.0.255 dev d0 proto kernel scope link src 10.0.0.1',
    ])
    lab.delAddr('10.0.0.1/24', 'd0')
    expect(lab.routes(0)).toEqual([])
  })

  it('wait with the subnet until the device is up, but are local at once', () => {
    lab.add('d1', { kind: 'dummy' })
    lab.addr('10.0.1.1/24', 'd1')
    expect(lab.routes(0)).toEqual(['local 10.0.1.1 dev d1 proto kernel scope host src 10.0.1.1'])
    lab.up('d1')
    expect(lab.routes(254)).toEqual(['10.0.1.0/24 dev d1 proto kernel scope link src 10.0.1.1'])
  })

  it('can do without the route of the subnet, and with another metric', () => {
    lab.addr('10.0.0.1/24', 'd0', { attrs: { flags: IFA_F_NOPREFIXROUTE } })
    lab.addr('10.0.1.1/24', 'd0', { attrs: { rtPriority: 300 } })
    expect(lab.routes()).toEqual(['10.0.1.0/24 dev d0 proto kernel scope link src 10.0.1.1 metric 300'])
  })

  it('can have a peer: only that is on the link', () => {
    lab.addr('10.0.0.1/32', 'd0', { attrs: { address: ip4('10.0.0.2') } })
    expect(lab.routes()).toEqual(['10.0.0.2 dev d0 proto kernel scope link src 10.0.0.1'])
  })

  it('are there once', () => {
    lab.addr('10.0.0.1/24', 'd0')
    expect(failure(() => lab.addr('10.0.0.1/24', 'd0'))).toBe('EEXIST')
    lab.addr('10.0.0.1/25', 'd0')
    expect(lab.addrs('d0')).toEqual(['10.0.0.1/24', '10.0.0.1/25'])
    expect(failure(() => lab.delAddr('10.0.0.9/24', 'd0'))).toBe('EADDRNOTAVAIL')
  })

  it('stand with the narrowest scope first, primaries before secondaries', () => {
    lab.addr('10.0.0.1/24', 'd0')
    lab.addr('10.0.9.1/24', 'd0', { scope: 253 })
    lab.addr('10.0.0.2/24', 'd0')
    lab.addr('10.0.1.1/24', 'd0')
    expect(lab.addrs('d0')).toEqual(['10.0.9.1/24 scope link', '10.0.0.1/24', '10.0.1.1/24', '10.0.0.2/24 secondary'])
  })
})

describe('a primary address that is deleted', () => {
  beforeEach(() => {
    for (const last of [1, 2, 3]) lab.addr(`10.0.0.${last}/24`, 'd0')
  })

  it('takes its secondaries along', () => {
    const socket = lab.socket()
    socket.subscribe(RTNLGRP_IPV4_IFADDR)
    lab.delAddr('10.0.0.1/24', 'd0')
    expect(lab.addrs('d0')).toEqual([])
    const heard = lab.heard(socket).map(msg => [msg.type, (msg as AddrMessage).attrs.local!.at(-1)])
    expect(heard).toEqual([
      [RTM_DELADDR, 2],
      [RTM_DELADDR, 3],
      [RTM_DELADDR, 1],
    ])
  })

  it('leaves its place to the first of them where that is asked for', () => {
    lab.sysctl('net/ipv4/conf/d0/promote_secondaries', 1)
    const socket = lab.socket()
    socket.subscribe(RTNLGRP_IPV4_IFADDR)
    lab.delAddr('10.0.0.1/24', 'd0')
    expect(lab.addrs('d0')).toEqual(['10.0.0.2/24', '10.0.0.3/24 secondary'])
    expect(lab.routes(0)).toEqual([
      '10.0.0.0/24 dev d0 proto kernel scope link src 10.0.0.2',
      'local 10.0.0.2 dev d0 proto kernel scope host src 10.0.0.2',
      'local 10.0.0.3 dev d0 proto kernel scope host src 10.0.0.2',
      'broadcast 10.0.0.255 dev d0 proto kernel scope link src 10.0.0.2',
    ])
    const heard = lab.heard(socket).map(msg => [msg.type, (msg as AddrMessage).attrs.local!.at(-1)])
    expect(heard).toEqual([
      [RTM_DELADDR, 1],
      [RTM_NEWADDR, 2],
    ])
  })
})

describe('an address for a time', () => {
  it('is deprecated, and then deleted', () => {
    lab.addr('10.0.0.1/24', 'd0', lifetimes(20, 10))
    expect(lab.addrs('d0')).toEqual(['10.0.0.1/24 valid 20 preferred 10'])
    lab.sleep(9)
    expect(lab.addrs('d0')).toEqual(['10.0.0.1/24 valid 11 preferred 1'])
    lab.sleep(2)
    expect(lab.addrs('d0')).toEqual(['10.0.0.1/24 deprecated valid 9 preferred 0'])
    lab.sleep(10)
    expect(lab.addrs('d0')).toEqual([])
    expect(lab.routes(0)).toEqual([])
  })

  it('starts anew when it is replaced, and stays for ever when that is asked for', () => {
    lab.addr('10.0.0.1/24', 'd0', lifetimes(20, 10))
    lab.sleep(12)
    lab.addr('10.0.0.1/24', 'd0', { verb: 'replace', ...lifetimes(30, 30) })
    expect(lab.addrs('d0')).toEqual(['10.0.0.1/24 valid 30 preferred 30'])
    lab.addr('10.0.0.1/24', 'd0', { verb: 'replace' })
    lab.sleep(60)
    expect(lab.addrs('d0')).toEqual(['10.0.0.1/24'])
  })

  it('must be valid at least as long as it is preferred', () => {
    const text = 'EINVAL'
    expect(failure(() => lab.addr('10.0.0.1/24', 'd0', lifetimes(0, 0)))).toBe(text)
    expect(failure(() => lab.addr('10.0.0.1/24', 'd0', lifetimes(10, 20)))).toBe(text)
  })
})

describe('labels', () => {
  it('follow the name of the device', () => {
    lab.addr('10.0.0.1/24', 'd0')
    lab.addr('10.0.1.1/24', 'd0', { attrs: { label: 'd0:x' } })
    lab.addr('10.0.2.1/24', 'd0')
    lab.down('d0')
    lab.set('d0', { ifname: 'longer' })
    expect(lab.addrs('longer')).toEqual(['10.0.0.1/24', '10.0.1.1/24 label longer:x', '10.0.2.1/24 label longer:3'])
  })
})

describe('the loopback device', () => {
  it('gets 127.0.0.1/8 when it comes up, every time', () => {
    lab.up('lo')
    expect(lab.addrs('lo')).toEqual(['127.0.0.1/8 scope host'])
    expect(lab.routes(255)).toEqual([
      'local 127.0.0.0/8 dev lo proto kernel scope host src 127.0.0.1',
      'local 127.0.0.1 dev lo proto kernel scope host src 127.0.0.1',
      'broadcast 127.255.255.255 dev lo proto kernel scope link src 127.0.0.1',
    ])
    lab.delAddr('127.0.0.1/8', 'lo')
    lab.down('lo')
    lab.up('lo')
    expect(lab.addrs('lo')).toEqual(['127.0.0.1/8 scope host'])
  })
})

describe('a device whose MTU is below 68', () => {
  it('loses IPv4, and gets it back without its addresses', () => {
    lab.addr('10.0.0.1/24', 'd0')
    lab.set('d0', { mtu: 67 })
    expect(inDevGet(lab.dev('d0'))).toBeUndefined()
    expect(lab.addrs('d0')).toEqual([])
    expect(failure(() => lab.addr('10.0.0.1/24', 'd0'))).toBe('ENOBUFS')
    lab.set('d0', { mtu: 68 })
    expect(inDevGet(lab.dev('d0'))).toBeDefined()
    expect(lab.addrs('d0')).toEqual([])
  })
})

describe('forwarding', () => {
  it('is set for all devices and those to come, and said to listeners', () => {
    const socket = lab.socket()
    socket.subscribe(RTNLGRP_IPV4_NETCONF)
    lab.sysctl('net/ipv4/ip_forward', 1)
    expect(inDevGet(lab.dev('d0'))!.cnf.data[IPV4_DEVCONF_FORWARDING]).toBe(1)
    lab.add('d1', { kind: 'dummy' })
    expect(inDevGet(lab.dev('d1'))!.cnf.data[IPV4_DEVCONF_FORWARDING]).toBe(1)
    const heard = lab.heard(socket)
    expect(heard.every(msg => msg.type === RTM_NEWNETCONF)).toBe(true)
    expect(heard.map(msg => (msg as { attrs: { ifindex?: number } }).attrs.ifindex)).toEqual(
      [0xffffffff, 0xfffffffe, 1, lab.dev('d0').ifindex, lab.dev('d1').ifindex].map(index => index | 0),
    )
  })
})

describe('the source address for a destination', () => {
  it('is the first of the subnet, else the first of the device, else of another', async () => {
    const { inetSelectAddr } = await import('../../../src/kernel/ipv4/devinet_select.ts')
    lab.dummy('d1', '10.9.0.1/24')
    lab.addr('10.0.0.1/24', 'd0')
    lab.addr('10.0.1.1/24', 'd0')
    const [d0, lo] = [lab.dev('d0'), lab.net.loopback]
    expect(inetSelectAddr(d0, num4('10.0.1.77'), 0)).toBe(num4('10.0.1.1'))
    expect(inetSelectAddr(d0, num4('99.0.0.1'), 0)).toBe(num4('10.0.0.1'))
    expect([num4('10.0.0.1'), num4('10.9.0.1')]).toContain(inetSelectAddr(lo, 0, 0))
  })
})
