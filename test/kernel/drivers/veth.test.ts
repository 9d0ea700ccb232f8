import { describe, expect, it } from 'vitest'
import { ethHeaderOps } from '../../../src/kernel/core/ethernet.ts'
import { PACKET_BROADCAST, PACKET_HOST, PACKET_OTHERHOST, type SkBuff } from '../../../src/kernel/core/skbuff.ts'
import { Lab, mac, SECOND } from '../core/net_lab.ts'

function frame(lab: Lab, from: string, to: Uint8Array, size: number, type = 0x0800): SkBuff {
  const dev = lab.dev(from)
  const skb = lab.kernel.skbs.alloc(64 + size)
  skb.reserve(64)
  skb.put(size)
  skb.dev = dev
  skb.protocol = type
  ethHeaderOps.create(skb, dev, type, to, undefined, size)
  return skb
}

function pair(): Lab {
  const lab = new Lab()
  lab.veth('veth0', 'veth1')
  lab.set('veth1', { address: mac('02:00:00:00:00:02') })
  return lab
}

describe('veth', () => {
  it('hands frames to the other end with the link header taken off', () => {
    const lab = pair()
    const seen: string[] = []
    lab.kernel.netcore.addPack({
      type: 0x1234,
      dev: undefined,
      net: undefined,
      func(skb, dev) {
        seen.push(`${dev.name} ${skb.pktType} ${skb.len} ${skb.data - skb.macHeader}`)
        skb.consume()
        return 0
      },
    })
    lab.up('veth0')
    lab.up('veth1')
    lab.sleep(0.1)
    const send = (to: string): number => lab.kernel.netcore.queueXmit(frame(lab, 'veth0', mac(to), 100, 0x1234))
    expect(send('02:00:00:00:00:02')).toBe(0)
    send('02:00:00:00:00:03')
    send('ff:ff:ff:ff:ff:ff')
    expect(seen).toEqual([
      `veth1 ${PACKET_HOST} 100 14`,
      `veth1 ${PACKET_OTHERHOST} 100 14`,
      `veth1 ${PACKET_BROADCAST} 100 14`,
    ])
    expect(lab.show('veth0').attrs.stats64).toMatchObject({ txPackets: 3, txBytes: 342, rxPackets: 0 })
    expect(lab.show('veth1').attrs.stats64).toMatchObject({ rxPackets: 3, rxBytes: 342, txPackets: 0 })
    expect(lab.kernel.skbs.inUse).toBe(0)
  })

  it('drops silently without carrier, and frames longer than the peer takes', () => {
    const lab = pair()
    lab.up('veth0')
    lab.sleep(2)
    expect(lab.kernel.netcore.queueXmit(frame(lab, 'veth0', mac('02:00:00:00:00:02'), 10))).toBe(2)
    lab.up('veth1')
    lab.sleep(1)
    lab.set('veth1', { mtu: 100 })
    lab.kernel.netcore.queueXmit(frame(lab, 'veth0', mac('02:00:00:00:00:02'), 200))
    expect(lab.show('veth0').attrs.stats64).toMatchObject({ txPackets: 0, txDropped: 1 })
    expect(lab.show('veth1').attrs.stats64).toMatchObject({ rxPackets: 0, rxDropped: 2 })
    expect(lab.kernel.skbs.inUse).toBe(0)
  })

  it('passes many frames without keeping any', () => {
    const lab = pair()
    lab.up('veth0')
    lab.up('veth1')
    lab.sleep(1)
    const to = mac('02:00:00:00:00:02')
    const start = process.hrtime.bigint()
    for (let i = 0; i < 20_000; i++) lab.kernel.netcore.queueXmit(frame(lab, 'veth0', to, 60, 0x9999))
    expect(Number(process.hrtime.bigint() - start)).toBeLessThan(5 * SECOND)
    expect(lab.kernel.skbs.inUse).toBe(0)
    expect(lab.show('veth1').attrs.stats64).toMatchObject({ rxPackets: 20_000, rxDropped: 20_000 })
  })
})
