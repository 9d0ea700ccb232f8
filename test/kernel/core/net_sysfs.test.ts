import { describe, expect, it } from 'vitest'
import type { KernfsDir } from '../../../src/kernel/core/kernfs.ts'
import { Errno } from '../../../src/uapi/errno.ts'
import { Lab, mac, readNode, writeNode } from './net_lab.ts'

function lab(): { lab: Lab; sys: KernfsDir } {
  const it = new Lab()
  it.add('d0', { kind: 'dummy' }, { address: mac('02:00:00:00:00:01') })
  it.veth('v0', 'v1')
  return { lab: it, sys: it.kernel.sysClassNet(it.net) }
}

describe('/sys/class/net', () => {
  it('shows what a device is', () => {
    const { sys } = lab()
    expect(readNode(sys, 'd0/address')).toBe('02:00:00:00:00:01\n')
    expect(readNode(sys, 'd0/broadcast')).toBe('ff:ff:ff:ff:ff:ff\n')
    expect(readNode(sys, 'd0/flags')).toBe('0x82\n')
    expect(readNode(sys, 'd0/type')).toBe('1\n')
    expect(readNode(sys, 'd0/addr_assign_type')).toBe('3\n')
    expect(readNode(sys, 'd0/operstate')).toBe('down\n')
    expect(readNode(sys, 'd0/subsystem')).toBe('-> ../../../../class/net')
    expect(readNode(sys, 'v0/iflink')).toBe(`3\n`)
    expect(readNode(sys, 'lo/type')).toBe('772\n')
    expect(readNode(sys, 'nosuch/type')).toBeUndefined()
    expect(readNode(sys, 'v0/queues')).toEqual(['rx-0', 'tx-0'])
  })

  it('knows carrier, speed and duplex only of a device that is up', () => {
    const { lab: it, sys } = lab()
    expect(readNode(sys, 'd0/carrier')).toBe(-Errno.EINVAL)
    expect(readNode(sys, 'v0/speed')).toBe(-Errno.EINVAL)
    it.up('d0')
    it.up('v0')
    it.up('v1')
    it.sleep(1)
    expect(readNode(sys, 'd0/carrier')).toBe('1\n')
    expect(readNode(sys, 'v0/speed')).toBe('10000\n')
    expect(readNode(sys, 'v0/duplex')).toBe('full\n')
    expect(readNode(sys, 'd0/speed')).toBe(-Errno.EINVAL)
    expect(readNode(sys, 'v0/operstate')).toBe('up\n')
  })

  it('changes what is written to it, with the errors of each file', () => {
    const { lab: it, sys } = lab()
    expect(writeNode(sys, 'd0/mtu', '1400\n')).toBe(5)
    expect(it.show('d0').attrs.mtu).toBe(1400)
    expect(writeNode(sys, 'v0/mtu', '60\n')).toBe(-Errno.EINVAL)
    expect(writeNode(sys, 'd0/mtu', 'x\n')).toBe(-Errno.EINVAL)
    expect(writeNode(sys, 'd0/ifalias', 'uplink\n')).toBe(7)
    expect(it.show('d0').attrs.ifalias).toBe('uplink')
    expect(writeNode(sys, 'd0/netdev_group', '7\n')).toBe(2)
    expect(it.show('d0').attrs.group).toBe(7)
    expect(writeNode(sys, 'v0/carrier', '0\n')).toBe(-Errno.EOPNOTSUPP)
    it.up('d0')
    expect(writeNode(sys, 'd0/carrier', '0\n')).toBe(2)
    expect(readNode(sys, 'd0/carrier')).toBe('0\n')
    expect(writeNode(sys, 'd0/flags', '0x1002\n')).toBe(7)
    expect(it.dev('d0').running).toBe(false)
  })

  it('links devices to what lies above and below them', () => {
    const { lab: it, sys } = lab()
    it.add('br0', { kind: 'bridge' })
    it.set('v0', { master: it.dev('br0').ifindex })
    it.add('d0.5', { kind: 'vlan', data: { id: 5 } }, { link: it.dev('d0').ifindex })
    expect(readNode(sys, 'v0/master')).toBe('-> ../br0')
    expect(readNode(sys, 'v0/upper_br0')).toBe('-> ../br0')
    expect(readNode(sys, 'br0/lower_v0')).toBe('-> ../v0')
    expect(readNode(sys, 'd0/upper_d0.5')).toBe('-> ../d0.5')
    expect(readNode(sys, 'd0.5/uevent')).toBe('DEVTYPE=vlan\nINTERFACE=d0.5\nIFINDEX=6\n')
  })

  it('has only the devices of its namespace', () => {
    const { lab: it } = lab()
    const other = it.createNet()
    expect(readNode(it.kernel.sysClassNet(other), 'lo/ifindex')).toBe('1\n')
    expect([...it.kernel.sysClassNet(other).list()]).toEqual(['lo'])
  })
})

describe('/proc/net', () => {
  it('lists devices with their counters in dev', () => {
    const { lab: it } = lab()
    const text = readNode(it.kernel.procNet(it.net), 'dev')
    expect(String(text).split('\n')[2]).toBe(
      '    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0',
    )
    expect(String(text)).toContain('\n    d0:       0')
  })

  it('lists groups in dev_mcast, and one line of counters per processor in softnet_stat', () => {
    const { lab: it } = lab()
    it.up('v0')
    expect(String(readNode(it.kernel.procNet(it.net), 'dev_mcast'))).toContain(
      'v0              1     0     01005e000001',
    )
    expect(
      String(readNode(it.kernel.procNet(it.net), 'softnet_stat'))
        .trim()
        .split('\n'),
    ).toHaveLength(2)
  })
})
