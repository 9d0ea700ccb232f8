import { describe, expect, it } from 'vitest'
import {
  IF_OPER_DOWN,
  IF_OPER_LOWERLAYERDOWN,
  IF_OPER_UNKNOWN,
  IF_OPER_UP,
  IFF_LOWER_UP,
  IFF_PROMISC,
  IFF_RUNNING,
  IFF_UP,
} from '../../../src/uapi/if.ts'
import { RTM_DELLINK, RTM_NEWLINK, RTM_NEWLINKPROP, RTNLGRP_LINK } from '../../../src/uapi/rtnetlink.ts'
import { failure, Lab, mac, macText } from './net_lab.ts'

describe('loopback', () => {
  it('is index 1 of every namespace, down, without queue', () => {
    const lab = new Lab()
    const lo = lab.show('lo')
    expect([lo.index, lo.hatype, lo.ifFlags]).toEqual([1, 772, 8])
    expect(lo.attrs).toMatchObject({
      mtu: 65536,
      qdisc: 'noop',
      operstate: IF_OPER_DOWN,
      txqlen: 1000,
      tsoMaxSize: 524280,
    })
    lab.up('lo')
    expect(lab.show('lo').ifFlags).toBe(IFF_UP | 8 | IFF_RUNNING | IFF_LOWER_UP)
    expect(lab.show('lo').attrs).toMatchObject({ qdisc: 'noqueue', operstate: IF_OPER_UNKNOWN })
    expect(failure(() => lab.del('lo'))).toBe('EOPNOTSUPP')
  })
})

describe('creating links', () => {
  it('gives a veth peer the lower index and one queue per CPU', () => {
    const lab = new Lab()
    lab.veth('veth0', 'veth1')
    expect(lab.names()).toEqual(['lo', 'veth1', 'veth0'])
    const veth0 = lab.show('veth0').attrs
    expect(veth0).toMatchObject({
      link: 2,
      numTxQueues: 2,
      numRxQueues: 2,
      minMtu: 68,
      maxMtu: 65535,
      carrierChanges: 1,
    })
    expect(veth0.linkNetnsid).toBeUndefined()
  })

  it('names a device after its kind where the request names none', () => {
    const lab = new Lab()
    lab.add(undefined, { kind: 'dummy' })
    lab.add(undefined, { kind: 'veth' })
    lab.add('d%d', { kind: 'dummy' })
    expect(lab.names()).toEqual(['lo', 'dummy0', 'veth0', 'veth1', 'd0'])
  })

  it('refuses names and indexes that are taken, unknown kinds and bad names', () => {
    const lab = new Lab()
    lab.add('d0', { kind: 'dummy' }, {}, lab.net, 42)
    expect(lab.show('d0').index).toBe(42)
    expect(failure(() => lab.add('d0', { kind: 'dummy' }))).toBe('EEXIST')
    expect(failure(() => lab.add('d1', { kind: 'dummy' }, {}, lab.net, 42))).toBe('EEXIST')
    expect(failure(() => lab.add('d1', { kind: 'nosuch' }))).toBe('EOPNOTSUPP: Unknown device type')
    expect(failure(() => lab.add('a/b', { kind: 'dummy' }))).toBe('EINVAL')
    expect(failure(() => lab.veth('x', 'd0'))).toBe('EEXIST')
    expect(lab.names()).toEqual(['lo', 'd0'])
  })

  it('takes common attributes', () => {
    const lab = new Lab()
    lab.add(
      'd0',
      { kind: 'dummy' },
      { mtu: 900, numTxQueues: 4, address: mac('02:00:00:00:00:01'), txqlen: 7, group: 3 },
    )
    const { attrs } = lab.show('d0')
    expect(attrs).toMatchObject({ mtu: 900, numTxQueues: 4, txqlen: 7, group: 3, minMtu: 0, maxMtu: 0 })
    expect(macText(attrs.address)).toBe('02:00:00:00:00:01')
    expect(attrs.permAddress).toBeUndefined()
    expect(failure(() => lab.add('d1', { kind: 'dummy' }, { address: mac('01:00:00:00:00:01') }))).toBe('EADDRNOTAVAIL')
  })
})

describe('changing links', () => {
  it('checks the mtu with the kernel’s texts', () => {
    const lab = new Lab()
    lab.veth('veth0', 'veth1')
    lab.set('veth0', { mtu: 1400 })
    expect(lab.show('veth0').attrs.mtu).toBe(1400)
    expect(failure(() => lab.set('veth0', { mtu: 60 }))).toBe('EINVAL: mtu less than device minimum')
    expect(failure(() => lab.set('veth0', { mtu: 65536 }))).toBe('EINVAL: mtu greater than device maximum')
    expect(failure(() => lab.set('veth0', { txqlen: 0xffffffff }))).toBe('ERANGE')
    expect(failure(() => lab.set('veth0', { address: mac('01:00:00:00:00:11') }))).toBe('EADDRNOTAVAIL')
    expect(failure(() => lab.set('veth0', { protoDown: 1 }))).toBe('EOPNOTSUPP: Protodown not supported by device')
    expect(failure(() => lab.set('veth0', { carrier: 0 }))).toBe('EOPNOTSUPP')
    expect(failure(() => lab.set('veth0', { master: lab.dev('veth1').ifindex }))).toBe('EOPNOTSUPP')
  })

  it('renames only what is down', () => {
    const lab = new Lab()
    lab.veth('veth0', 'veth1')
    lab.up('veth0')
    expect(failure(() => lab.set('veth0', { ifname: 'wan0' }, { ifFlags: 0, change: 1 }))).toBe('EBUSY')
    lab.down('veth0')
    lab.set('veth0', { ifname: 'wan0' })
    expect(lab.names()).toEqual(['lo', 'veth1', 'wan0'])
    expect(failure(() => lab.set('wan0', { ifname: 'veth1' }))).toBe('EEXIST')
  })

  it('counts promiscuity that user space and the kernel ask for', () => {
    const lab = new Lab()
    lab.add('d0', { kind: 'dummy' })
    lab.set('d0', {}, { ifFlags: IFF_PROMISC, change: IFF_PROMISC })
    expect(lab.show('d0').attrs.promiscuity).toBe(1)
    expect(lab.show('d0').ifFlags & IFF_PROMISC).toBe(IFF_PROMISC)
    lab.set('d0', {}, { ifFlags: 0, change: IFF_PROMISC })
    expect(lab.show('d0').attrs.promiscuity).toBe(0)
  })

  it('acts on groups', () => {
    const lab = new Lab()
    lab.add('d0', { kind: 'dummy' }, { group: 10 })
    lab.add('d1', { kind: 'dummy' }, { group: 10 })
    lab.request(lab.link(RTM_NEWLINK, { group: 10, mtu: 1300 }, { ifFlags: 1, change: 1 }))
    expect(lab.list().map(each => [each.attrs.mtu, each.ifFlags & 1])).toEqual([
      [65536, 0],
      [1300, 1],
      [1300, 1],
    ])
    expect(failure(() => lab.request(lab.link(RTM_DELLINK, { group: 0 })))).toBe('EPERM')
    lab.request(lab.link(RTM_DELLINK, { group: 10 }))
    expect(lab.names()).toEqual(['lo'])
    expect(failure(() => lab.request(lab.link(RTM_DELLINK, { group: 10 })))).toBe('ENODEV')
  })

  it('keeps alternative names, unique like names', () => {
    const lab = new Lab()
    lab.add('d0', { kind: 'dummy' })
    lab.add('d1', { kind: 'dummy' })
    const prop = (type: 108 | 109, index: number, ...propList: string[]): string =>
      failure(() => lab.request(lab.link(type, { propList }, { index })))
    expect(prop(RTM_NEWLINKPROP, 2, 'lan-port', 'averyveryverylongalternativename')).toBe('ok')
    expect(lab.show('lan-port').attrs.propList).toEqual(['lan-port', 'averyveryverylongalternativename'])
    expect(prop(RTM_NEWLINKPROP, 3, 'lan-port')).toBe('EEXIST')
    expect(prop(RTM_NEWLINKPROP, 3, 'd0')).toBe('EEXIST')
    expect(prop(109, 2, 'lan-port')).toBe('ok')
    expect(prop(109, 2, 'lan-port')).toBe('ENOENT')
  })
})

describe('carrier and operational state', () => {
  it('of a veth follows the other end', () => {
    const lab = new Lab()
    lab.veth('veth0', 'veth1')
    lab.up('veth0')
    lab.sleep(2)
    expect(lab.show('veth0').attrs).toMatchObject({ operstate: IF_OPER_LOWERLAYERDOWN, qdisc: 'noqueue', carrier: 0 })
    expect(lab.show('veth0').ifFlags & (IFF_RUNNING | IFF_LOWER_UP)).toBe(0)
    lab.up('veth1')
    lab.sleep(0.001)
    expect(lab.show('veth0').attrs.operstate).toBe(IF_OPER_UP)
    expect(lab.show('veth1').attrs.operstate).toBe(IF_OPER_UP)
    lab.down('veth1')
    lab.sleep(2)
    expect(lab.show('veth0').attrs).toMatchObject({ operstate: IF_OPER_LOWERLAYERDOWN, carrierChanges: 3 })
    expect(lab.show('veth1').attrs.operstate).toBe(IF_OPER_DOWN)
  })

  it('of a dummy is unknown until its carrier is touched', () => {
    const lab = new Lab()
    lab.add('d0', { kind: 'dummy' })
    lab.up('d0')
    lab.sleep(2)
    expect(lab.show('d0').attrs.operstate).toBe(IF_OPER_UNKNOWN)
    lab.set('d0', { carrier: 0 })
    lab.sleep(2)
    expect(lab.show('d0').attrs.operstate).toBe(IF_OPER_DOWN)
    lab.set('d0', { carrier: 1 })
    lab.sleep(2)
    expect(lab.show('d0').attrs.operstate).toBe(IF_OPER_UP)
  })
})

describe('namespaces', () => {
  it('a moved device keeps name and index where they are free', () => {
    const lab = new Lab()
    const h1 = lab.createNet()
    const h2 = lab.createNet()
    lab.veth('veth0', 'veth1')
    lab.set('veth1', { netNsFd: lab.fd(h1) })
    expect(lab.show('veth0').attrs).toMatchObject({ link: 2, linkNetnsid: 0 })
    expect(lab.show('veth1', h1).attrs).toMatchObject({ link: 3, linkNetnsid: 0, qdisc: 'noop' })
    lab.set('veth1', { ifname: 'eth0' }, {}, h1)
    lab.set('eth0', { netNsFd: lab.fd(h2) }, {}, h1)
    expect(lab.names(h1)).toEqual(['lo'])
    expect(lab.show('eth0', h2).attrs.link).toBe(3)
    expect(lab.show('veth0').attrs.linkNetnsid).toBe(1)
    expect(failure(() => lab.set('lo', { netNsFd: lab.fd(h1) }))).toBe('EINVAL')
    expect(failure(() => lab.set('veth0', { netNsPid: 99 }))).toBe('ESRCH')
    lab.add('veth0', { kind: 'dummy' }, {}, h1)
    expect(failure(() => lab.set('veth0', { netNsFd: lab.fd(h1) }))).toBe('EEXIST')
  })

  it('virtual devices die with their namespace, and their peers with them', () => {
    const lab = new Lab()
    const h1 = lab.createNet()
    const peer = lab.link(RTM_NEWLINK, { ifname: 'west', netNsFd: lab.fd(h1) })
    lab.add('east', { kind: 'veth', data: { peer } })
    expect(lab.names(h1)).toEqual(['lo', 'west'])
    h1.put()
    lab.sleep(1)
    expect(lab.names()).toEqual(['lo'])
    expect(lab.kernel.nets.has(h1)).toBe(false)
  })
})

describe('notifications', () => {
  it('tell of creation, changes and deletion', () => {
    const lab = new Lab()
    const socket = lab.socket()
    socket.subscribe(RTNLGRP_LINK)
    lab.add('d0', { kind: 'dummy' })
    lab.up('d0')
    lab.del('d0')
    const seen: string[] = []
    for (let msg = socket.next(); msg !== undefined; msg = socket.next())
      seen.push(`${msg.type === RTM_DELLINK ? 'del' : 'new'} ${'ifFlags' in msg ? msg.ifFlags & IFF_UP : ''}`)
    expect(seen).toEqual(['new 0', 'new 1', 'new 0', 'del 0'])
  })
})
