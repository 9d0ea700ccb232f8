import { describe, expect, it } from 'vitest'
import { devChangeFlags } from '../../../src/kernel/core/dev_flags.ts'
import type { NetDevice } from '../../../src/kernel/core/net_device.ts'
import { e1000eOf, e1000eReceive } from '../../../src/kernel/drivers/e1000e.ts'
import { Kernel } from '../../../src/kernel/kernel.ts'
import { IF_OPER_DOWN, IF_OPER_UP, IFF_UP } from '../../../src/uapi/if.ts'
import { mac, SECOND } from '../core/net_lab.ts'

function boot(): { kernel: Kernel; eth0: NetDevice } {
  const kernel = new Kernel({
    seed: 1,
    bootTime: 0,
    cpus: 2,
    nics: [{ driver: 'e1000e', name: 'eth0', mac: mac('52:54:00:12:34:56') }],
  })
  return { kernel, eth0: kernel.initNet.devByName('eth0')! }
}

describe('e1000e', () => {
  it('is there from the start, in the first namespace only', () => {
    const { kernel, eth0 } = boot()
    expect(eth0.ifindex).toBe(2)
    expect(eth0.parentDevName).toBe('0000:00:05.0')
    expect(kernel.createNet().devByName('eth0')).toBeUndefined()
  })

  it('has a link some seconds after it goes up, and again after its mtu changes', () => {
    const { kernel, eth0 } = boot()
    const wait = (seconds: number): void => {
      kernel.clock.runUntil(kernel.clock.now + seconds * SECOND)
    }
    devChangeFlags(eth0, eth0.flags | IFF_UP)
    wait(1)
    expect([eth0.carrier, eth0.operstate]).toEqual([false, IF_OPER_DOWN])
    wait(3)
    expect([eth0.carrier, eth0.operstate]).toEqual([true, IF_OPER_UP])
    eth0.ops.changeMtu?.(eth0, 9000)
    expect(eth0.carrier).toBe(false)
    wait(4)
    expect(eth0.carrier).toBe(true)
  })

  it('sends to what it is plugged into, and receives only with a link', () => {
    const { kernel, eth0 } = boot()
    const sent: number[] = []
    e1000eOf(eth0)!.wire = {
      fromNic(skb) {
        sent.push(skb.len)
        skb.consume()
      },
    }
    const frame = (): ReturnType<typeof kernel.skbs.alloc> => {
      const skb = kernel.skbs.alloc(128)
      skb.reserve(32)
      skb.put(60)
      skb.dev = eth0
      return skb
    }
    e1000eReceive(eth0, frame())
    expect(eth0.stats.rxPackets).toBe(0)
    devChangeFlags(eth0, eth0.flags | IFF_UP)
    kernel.clock.runUntil(4 * SECOND)
    const before = sent.length
    kernel.netcore.queueXmit(frame())
    expect(sent.slice(before)).toEqual([60])
    e1000eReceive(eth0, frame())
    expect(eth0.stats).toMatchObject({ rxPackets: 1, rxBytes: 60 })
  })
})
