import { describe, expect, it } from 'vitest'
import { ethHeaderOps } from '../../../src/kernel/core/ethernet.ts'
import { PACKET_BROADCAST, PACKET_HOST, type SkBuff } from '../../../src/kernel/core/skbuff.ts'
import {
  MACVLAN_MODE_BRIDGE,
  MACVLAN_MODE_PASSTHRU,
  MACVLAN_MODE_PRIVATE,
  MACVLAN_MODE_SOURCE,
  MACVLAN_MODE_VEPA,
} from '../../../src/kernel/drivers/macvlan/macvlan_port.ts'
import { IF_OPER_LOWERLAYERDOWN, IF_OPER_UP, IFF_LOWER_UP } from '../../../src/uapi/if.ts'
import type { LinkInfo, MacvlanData } from '../../../src/uapi/if_link.ts'
import { failure, Lab, mac, macText } from '../core/net_lab.ts'

const A = '02:00:00:00:01:0a'
const B = '02:00:00:00:01:0b'
const OUTSIDE = '02:00:00:00:00:99'

function kind(data: MacvlanData): LinkInfo {
  return { kind: 'macvlan', data }
}

function add(lab: Lab, name: string, data: MacvlanData, address?: string, lower = 'e0'): void {
  lab.add(name, kind(data), {
    link: lab.dev(lower).ifindex,
    ...(address === undefined ? {} : { address: mac(address) }),
  })
}

function send(lab: Lab, from: string, to: string): void {
  const dev = lab.dev(from)
  const skb: SkBuff = lab.kernel.skbs.alloc(200)
  skb.reserve(64)
  skb.put(46)
  skb.dev = dev
  skb.protocol = 0x1234
  ethHeaderOps.create(skb, dev, 0x1234, mac(to), undefined, 46)
  lab.kernel.netcore.queueXmit(skb)
}

/** A cable e0–e1 and two macvlans on e0; `seen` fills with `device type`. */
function lab(mode: number, modeB = mode): { lab: Lab; seen: string[] } {
  const it = new Lab()
  it.veth('e0', 'e1')
  it.set('e1', { address: mac(OUTSIDE) })
  it.up('e0')
  it.up('e1')
  add(it, 'ma', { mode }, A)
  add(it, 'mb', { mode: modeB }, B)
  it.up('ma')
  it.up('mb')
  it.sleep(2)
  const seen: string[] = []
  it.kernel.netcore.addPack({
    type: 0x1234,
    dev: undefined,
    net: undefined,
    func(skb, dev) {
      seen.push(`${dev.name} ${skb.pktType}`)
      skb.consume()
      return 0
    },
  })
  return { lab: it, seen }
}

describe('macvlan', () => {
  it('in bridge mode reaches its siblings and the outside, groups included', () => {
    const { lab: it, seen } = lab(MACVLAN_MODE_BRIDGE)
    send(it, 'ma', B)
    expect(seen).toEqual([`mb ${PACKET_HOST}`])
    seen.length = 0
    send(it, 'ma', OUTSIDE)
    expect(seen).toEqual([`e1 ${PACKET_HOST}`])
    seen.length = 0
    send(it, 'ma', 'ff:ff:ff:ff:ff:ff')
    expect(seen.sort()).toEqual([`e1 ${PACKET_BROADCAST}`, `mb ${PACKET_BROADCAST}`])
    expect(it.show('mb').attrs.stats64).toMatchObject({ rxPackets: 2, multicast: 1 })
    expect(it.kernel.skbs.inUse).toBe(0)
  })

  it('in vepa mode sends everything out, in private mode never hears its siblings', () => {
    const vepa = lab(MACVLAN_MODE_VEPA)
    send(vepa.lab, 'ma', B)
    expect(vepa.seen).toEqual(['e1 3'])
    const apart = lab(MACVLAN_MODE_BRIDGE, MACVLAN_MODE_PRIVATE)
    send(apart.lab, 'ma', 'ff:ff:ff:ff:ff:ff')
    expect(apart.seen).toEqual([`e1 ${PACKET_BROADCAST}`])
    apart.seen.length = 0
    send(apart.lab, 'e1', B)
    send(apart.lab, 'e1', 'ff:ff:ff:ff:ff:ff')
    expect(apart.seen.sort()).toEqual(['e0 1', 'ma 1', 'mb 0', 'mb 1'])
  })

  it('listens to senders in source mode', () => {
    const { lab: it, seen } = lab(MACVLAN_MODE_SOURCE, MACVLAN_MODE_SOURCE)
    it.set('ma', { linkinfo: kind({ macaddrMode: 0, macaddr: mac(OUTSIDE) }) })
    send(it, 'e1', '02:00:00:00:00:01')
    expect(seen).toContain('ma 0')
    expect(seen).not.toContain('mb 0')
    expect(it.show('ma').attrs.linkinfo?.data).toMatchObject({ macaddrCount: 1, macaddrData: [mac(OUTSIDE)] })
    expect(failure(() => it.set('ma', { linkinfo: kind({ mode: MACVLAN_MODE_PASSTHRU }) }))).toBe('EINVAL')
    it.set('ma', { linkinfo: kind({ mode: MACVLAN_MODE_BRIDGE }) })
    expect(it.show('ma').attrs.linkinfo?.data).toMatchObject({ mode: MACVLAN_MODE_BRIDGE, macaddrCount: 0 })
    expect(failure(() => it.set('ma', { linkinfo: kind({ macaddrMode: 0, macaddr: mac(OUTSIDE) }) }))).toBe('EINVAL')
  })

  it('alone in passthru mode has the address of its lower device, and changes it', () => {
    const it = new Lab()
    it.add('d0', { kind: 'dummy' }, { address: mac('02:00:00:00:00:02') })
    add(it, 'p', { mode: MACVLAN_MODE_PASSTHRU }, undefined, 'd0')
    expect(macText(it.show('p').attrs.address)).toBe('02:00:00:00:00:02')
    expect(failure(() => add(it, 'q', { mode: MACVLAN_MODE_BRIDGE }, undefined, 'd0'))).toBe('EINVAL')
    it.up('p')
    expect(it.show('d0').attrs.promiscuity).toBe(1)
    it.set('p', { address: mac('02:00:00:00:00:0a') })
    expect(macText(it.show('d0').attrs.address)).toBe('02:00:00:00:00:0a')
    it.del('p')
    expect(macText(it.show('d0').attrs.address)).toBe('02:00:00:00:00:02')
    expect(it.show('d0').attrs.promiscuity).toBe(0)
  })

  it('refuses lower devices that cannot carry it, and addresses in use', () => {
    const { lab: it } = lab(MACVLAN_MODE_BRIDGE)
    expect(failure(() => it.add('x', kind({})))).toBe('EINVAL')
    expect(failure(() => add(it, 'x', {}, undefined, 'lo'))).toBe('EINVAL')
    expect(failure(() => add(it, 'x', { mode: 3 }))).toBe('EINVAL')
    expect(failure(() => it.set('ma', { address: mac(B) }))).toBe('EADDRINUSE')
    expect(failure(() => it.set('ma', { mtu: 1501 }))).toBe('EINVAL')
    it.add('br0', { kind: 'bridge' })
    expect(failure(() => it.set('e0', { master: it.dev('br0').ifindex }))).toBe('EBUSY')
  })

  it('lies on the lowest device, and follows its mtu and carrier', () => {
    const { lab: it } = lab(MACVLAN_MODE_BRIDGE)
    add(it, 'mm', {}, undefined, 'ma')
    expect(it.show('mm').attrs.link).toBe(it.dev('e0').ifindex)
    it.set('e0', { mtu: 1400 })
    expect(it.show('ma').attrs.mtu).toBe(1400)
    expect(it.show('ma').attrs.operstate).toBe(IF_OPER_UP)
    it.down('e1')
    it.sleep(2)
    expect(it.show('ma').attrs.operstate).toBe(IF_OPER_LOWERLAYERDOWN)
    it.up('e1')
    it.sleep(2)
    it.down('e0')
    it.sleep(2)
    expect(it.show('ma').ifFlags & IFF_LOWER_UP).toBe(0)
    it.del('e0')
    expect(it.names()).toEqual(['lo'])
  })
})
