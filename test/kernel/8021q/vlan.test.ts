import { describe, expect, it } from 'vitest'
import { ethHeaderOps } from '../../../src/kernel/core/ethernet.ts'
import type { SkBuff } from '../../../src/kernel/core/skbuff.ts'
import { IF_OPER_DOWN, IF_OPER_LOWERLAYERDOWN, IF_OPER_UP } from '../../../src/uapi/if.ts'
import type { VlanData } from '../../../src/uapi/if_link.ts'
import { failure, Lab, mac, macText } from '../core/net_lab.ts'

function vlan(lab: Lab, name: string, link: string | undefined, data: VlanData | undefined, attrs = {}): void {
  const lower = link === undefined ? {} : { link: lab.dev(link).ifindex }
  lab.add(name, { kind: 'vlan', ...(data === undefined ? {} : { data }) }, { ...lower, ...attrs })
}

function dummy(): Lab {
  const lab = new Lab()
  lab.add('d0', { kind: 'dummy' }, { address: mac('02:00:00:00:00:01') })
  return lab
}

describe('creating VLANs', () => {
  it('takes address, flags and mtu of the lower device', () => {
    const lab = dummy()
    vlan(lab, 'd0.100', 'd0', { id: 100 })
    const link = lab.show('d0.100')
    expect(link.attrs).toMatchObject({ mtu: 1500, link: 2, minMtu: 0, maxMtu: 65535 })
    expect(macText(link.attrs.address)).toBe('02:00:00:00:00:01')
    expect(link.attrs.linkinfo).toMatchObject({
      kind: 'vlan',
      data: { id: 100, protocol: 0x8100, flags: { flags: 1 } },
    })
    expect(link.ifFlags).toBe(0x82)
  })

  it('refuses with the module’s texts', () => {
    const lab = dummy()
    vlan(lab, 'd0.100', 'd0', { id: 100 })
    const add = (link: string | undefined, data?: VlanData, attrs = {}): string =>
      failure(() => vlan(lab, 'v', link, data, attrs))
    expect(add('d0', { id: 100 })).toBe('EEXIST: 8021q: VLAN device already exists')
    expect(add('d0', { id: 4095 })).toBe('ERANGE: 8021q: Invalid VLAN id')
    expect(add('d0')).toBe('EINVAL: 8021q: VLAN properties not specified')
    expect(add(undefined, { id: 7 })).toBe('EINVAL: 8021q: link not specified')
    expect(add('d0', {})).toBe('EINVAL: 8021q: VLAN id not specified')
    expect(add('d0', { id: 4, protocol: 0x800 })).toBe('EPROTONOSUPPORT: 8021q: Invalid VLAN protocol')
    expect(add('lo', { id: 5 })).toBe('EOPNOTSUPP: 8021q: VLANs not supported on device')
    expect(add('d0', { id: 5 }, { mtu: 1501 })).toBe('EINVAL')
    expect(add('d0', { id: 100, protocol: 0x88a8 })).toBe('ok')
  })

  it('stacks at most eight devices', () => {
    const lab = dummy()
    vlan(lab, 'q1', 'd0', { id: 9 })
    for (let i = 2; i < 8; i++) vlan(lab, `q${i}`, `q${i - 1}`, { id: 9 })
    expect(failure(() => vlan(lab, 'q8', 'q7', { id: 9 }))).toBe('EMLINK')
  })
})

describe('following the lower device', () => {
  it('comes up only with it, and goes down and up with it', () => {
    const lab = dummy()
    vlan(lab, 'd0.5', 'd0', { id: 5 })
    vlan(lab, 'd0.6', 'd0', { id: 6, flags: { flags: 4, mask: 4 } })
    expect(failure(() => lab.up('d0.5'))).toBe('ENETDOWN')
    lab.up('d0.6')
    lab.up('d0')
    lab.up('d0.5')
    lab.sleep(2)
    expect(lab.show('d0.5').attrs.operstate).toBe(IF_OPER_UP)
    lab.down('d0')
    lab.sleep(2)
    expect(lab.show('d0.5').attrs.operstate).toBe(IF_OPER_DOWN)
    expect([lab.show('d0.5').ifFlags & 1, lab.show('d0.6').ifFlags & 1]).toEqual([0, 1])
    lab.up('d0')
    lab.set('d0', { carrier: 0 })
    lab.sleep(2)
    expect(lab.show('d0.5').attrs.operstate).toBe(IF_OPER_LOWERLAYERDOWN)
  })

  it('follows mtu and address, and dies with it', () => {
    const lab = dummy()
    lab.up('d0')
    vlan(lab, 'd0.5', 'd0', { id: 5 })
    vlan(lab, 'd0.7', 'd0', { id: 7 })
    lab.up('d0.5')
    lab.set('d0', { mtu: 1450, address: mac('02:00:00:00:00:02') })
    expect([lab.show('d0.5').attrs.mtu, macText(lab.show('d0.5').attrs.address)]).toEqual([1450, '02:00:00:00:00:02'])
    expect(macText(lab.show('d0.7').attrs.address)).toBe('02:00:00:00:00:01')
    expect(failure(() => lab.set('d0.5', { mtu: 1500 }))).toBe('ERANGE')
    lab.set('d0.5', { address: mac('02:00:00:00:00:98') })
    expect(lab.show('d0').attrs.promiscuity).toBe(1)
    lab.del('d0')
    expect(lab.names()).toEqual(['lo'])
  })

  it('maps priorities both ways', () => {
    const lab = dummy()
    vlan(lab, 'v', 'd0', {
      id: 1,
      ingressQos: [{ from: 3, to: 4 }],
      egressQos: [
        { from: 1, to: 5 },
        { from: 2, to: 3 },
      ],
    })
    const data = (): VlanData => lab.show('v').attrs.linkinfo?.data as VlanData
    expect(data().egressQos).toEqual([
      { from: 1, to: 5 },
      { from: 2, to: 3 },
    ])
    lab.set('v', { linkinfo: { kind: 'vlan', data: { ingressQos: [{ from: 3, to: 0 }] } } })
    expect(data().ingressQos).toBeUndefined()
  })
})

describe('tagged frames', () => {
  it('pass a veth with the tag in the metadata and reach the VLAN of the other end', () => {
    const lab = new Lab()
    lab.veth('a', 'b')
    lab.up('a')
    lab.up('b')
    vlan(lab, 'a.5', 'a', { id: 5, egressQos: [{ from: 2, to: 6 }] })
    vlan(lab, 'b.5', 'b', { id: 5, ingressQos: [{ from: 6, to: 9 }] })
    lab.up('a.5')
    lab.up('b.5')
    lab.sleep(1)
    const seen: string[] = []
    lab.kernel.netcore.addPack({
      type: 0x1234,
      dev: undefined,
      net: undefined,
      func(skb: SkBuff, dev) {
        seen.push(`${dev.name} ${skb.len} ${skb.priority} ${skb.vlanProto}`)
        skb.consume()
        return 0
      },
    })
    const dev = lab.dev('a.5')
    const skb = lab.kernel.skbs.alloc(256)
    skb.reserve(64)
    skb.put(46)
    skb.dev = dev
    skb.priority = 2
    ethHeaderOps.create(skb, dev, 0x1234, lab.dev('b.5').devAddr, undefined, 46)
    lab.kernel.netcore.queueXmit(skb)
    expect(seen).toEqual(['b.5 46 9 0'])
    expect(lab.show('a.5').attrs.stats64).toMatchObject({ txPackets: 1, txBytes: 60 })
    expect(lab.show('b').attrs.stats64).toMatchObject({ rxPackets: 1, rxBytes: 60 })
    expect(lab.show('b.5').attrs.stats64).toMatchObject({ rxPackets: 1, rxBytes: 46 })
    expect(lab.kernel.skbs.inUse).toBe(0)
  })

  it('are listed in /proc/net/vlan', () => {
    const lab = dummy()
    vlan(lab, 'd0.100', 'd0', { id: 100 })
    const dir = lab.kernel.procNet(lab.net).lookup('vlan')
    const file = dir?.kind === 'dir' ? dir.lookup('config') : undefined
    expect(file?.kind === 'file' ? file.read?.() : '').toContain('d0.100         | 100  | d0\n')
    const own = dir?.kind === 'dir' ? dir.lookup('d0.100') : undefined
    expect(own?.kind === 'file' ? own.read?.() : '').toContain('REORDER_HDR: 1  dev->priv_flags: 81021\n')
  })
})
