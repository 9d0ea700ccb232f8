import { describe, expect, it } from 'vitest'
import type { Net } from '../../../src/kernel/core/net_namespace.ts'
import { IPVLAN_MODE_L2, IPVLAN_MODE_L3 } from '../../../src/kernel/drivers/ipvlan/ipvlan_port.ts'
import { IFF_NOARP } from '../../../src/uapi/if.ts'
import type { IpvlanData, LinkInfo } from '../../../src/uapi/if_link.ts'
import { RTM_NEWADDR } from '../../../src/uapi/rtnetlink.ts'
import { AF_INET } from '../../../src/uapi/socket.ts'
import { failure, Lab, mac, macText } from '../core/net_lab.ts'
import { pingOnce } from './ping_once.ts'

function kind(data: IpvlanData = {}): LinkInfo {
  return { kind: 'ipvlan', data }
}

function add(lab: Lab, name: string, data: IpvlanData = {}, net: Net = lab.net): void {
  const netns = net === lab.net ? {} : { netNsFd: lab.fd(net) }
  lab.add(name, kind(data), { link: lab.dev('e0').ifindex, ...netns })
}

function address(lab: Lab, name: string, last: number, net: Net): void {
  const local = Uint8Array.of(10, 0, 0, last)
  lab.request(
    {
      type: RTM_NEWADDR,
      flags: 0x605,
      family: AF_INET,
      prefixlen: 24,
      ifaFlags: 0,
      scope: 0,
      index: lab.dev(name, net).ifindex,
      attrs: { local, address: local },
    },
    net,
  )
  lab.up(name, net)
}

function lab(mode: number): { lab: Lab; a: Net; b: Net; outside: Net } {
  const it = new Lab()
  const [a, b, outside] = [it.createNet(), it.createNet(), it.createNet()]
  it.veth('e0', 'e1')
  it.set('e1', { netNsFd: it.fd(outside) })
  it.up('e0')
  address(it, 'e1', 254, outside)
  add(it, 'ia', { mode }, a)
  add(it, 'ib', { mode }, b)
  address(it, 'ia', 1, a)
  address(it, 'ib', 2, b)
  it.sleep(2)
  return { lab: it, a, b, outside }
}

describe('ipvlan', () => {
  it('in l2 mode tells siblings and the outside apart by their addresses', () => {
    const { lab: it, a, b, outside } = lab(IPVLAN_MODE_L2)
    expect(macText(it.show('ia', a).attrs.address)).toBe(macText(it.show('e0').attrs.address))
    expect(pingOnce(it, a, '10.0.0.2')).toBe(true)
    expect(pingOnce(it, a, '10.0.0.254')).toBe(true)
    expect(pingOnce(it, outside, '10.0.0.2')).toBe(true)
    it.set('ib', { linkinfo: kind({ flags: 1 }) }, {}, b)
    expect(pingOnce(it, a, '10.0.0.2')).toBe(false)
  })

  it('in l3 mode speaks no ARP and goes by the routes below', () => {
    const { lab: it, a, b } = lab(IPVLAN_MODE_L3)
    expect(it.show('ia', a).ifFlags & IFF_NOARP).not.toBe(0)
    expect(pingOnce(it, a, '10.0.0.2')).toBe(true)
    it.set('ia', { linkinfo: kind({ mode: IPVLAN_MODE_L2 }) }, {}, a)
    expect(it.show('ib', b).attrs.linkinfo?.data).toMatchObject({ mode: IPVLAN_MODE_L2 })
    expect(it.show('ib', b).ifFlags & IFF_NOARP).toBe(0)
  })

  it('has no address of its own, and follows its lower device', () => {
    const it = new Lab()
    it.add('e0', { kind: 'dummy' }, { address: mac('02:00:00:00:00:15') })
    add(it, 'i')
    expect(failure(() => it.set('i', { address: mac('02:00:00:00:00:99') }))).toBe('EOPNOTSUPP')
    it.set('e0', { mtu: 1300, address: mac('02:00:00:00:00:25') })
    expect(it.show('i').attrs).toMatchObject({ mtu: 1300, address: mac('02:00:00:00:00:25') })
    expect(macText(it.show('i').attrs.permAddress)).toBe('02:00:00:00:00:15')
    it.del('e0')
    expect(it.names()).toEqual(['lo'])
  })

  it('refuses what cannot be', () => {
    const it = new Lab()
    it.add('e0', { kind: 'dummy' })
    expect(failure(() => it.add('i', kind()))).toBe('EINVAL')
    expect(failure(() => add(it, 'i', { mode: 3 }))).toBe('EINVAL')
    expect(failure(() => add(it, 'i', { flags: 3 }))).toBe('EINVAL')
    it.add('m', { kind: 'macvlan' }, { link: it.dev('e0').ifindex })
    expect(failure(() => add(it, 'i'))).toBe('EBUSY')
  })
})
