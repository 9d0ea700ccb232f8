import { it, vi } from 'vitest'
import { RouteLab, num4 } from './route_lab.ts'
import { ipRouteInput } from '../../../src/kernel/ipv4/route_input.ts'
import { fibLookup } from '../../../src/kernel/ipv4/fib_lookup.ts'
import { FibResult } from '../../../src/kernel/ipv4/fib_info.ts'
import { Flowi4 } from '../../../src/kernel/ipv4/flow.ts'
import { SkBuff } from '../../../src/kernel/core/skbuff.ts'
vi.mock('../../../src/kernel/ipv4/af_inet.ts', async () => {
  const { ipRtInit } = await import('../../../src/kernel/ipv4/route.ts')
  return { inetInit: ipRtInit }
})
it('bench', () => {
  const lab = new RouteLab()
  lab.dummy('d0', '10.255.0.1/24')
  lab.dummy('d1', '10.255.1.1/24')
  lab.sysctl('net/ipv4/ip_forward', 1)
  let t = performance.now()
  const dsts: number[] = []
  let x = 12345
  const rnd = () => (x = (Math.imul(x, 1103515245) + 12345) >>> 0)
  while (dsts.length < 100000) {
    const len = 16 + (rnd() >>> 8) % 9
    const a = ((rnd() & 0xffff0000) | (rnd() >>> 16)) >>> 0
    const top = a >>> 24
    if (top === 0 || top === 10 || top === 127 || top >= 224) continue
    const m = len === 0 ? 0 : (-1 << (32 - len)) >>> 0
    const p = (a & m) >>> 0
    try {
      lab.route('add', `${p >>> 24}.${(p >>> 16) & 255}.${(p >>> 8) & 255}.${p & 255}/${len}`, { via: '10.255.1.2', dev: 'd1' })
    } catch (e) { continue }
    dsts.push((p | (rnd() >>> 8 & ~m)) >>> 0)
  }
  console.log('insert ms', performance.now() - t)
  const dev = lab.dev('d0')
  const skb = SkBuff.alloc !== undefined ? SkBuff.alloc(100) : new (SkBuff as any)(100)
  skb.protocol = 0x800
  skb.networkHeader = 0
  skb.dev = dev
  const src = num4('10.255.0.2')
  const fl = new Flowi4(), res = new FibResult()
  for (let round = 0; round < 6; round++) {
    t = performance.now()
    let n = 0
    for (let k = 0; k < 10; k++) for (let i = 0; i < dsts.length; i++) { fl.daddr = dsts[i]!; n += fibLookup(lab.net, fl, res, 0) }
    console.log('fibLookup ns', (performance.now() - t), n)
    const h0 = process.memoryUsage().heapUsed
    t = performance.now()
    for (let k = 0; k < 10; k++) for (let i = 0; i < dsts.length; i++) n += ipRouteInput(skb, dsts[i]!, src, 0, dev)
    console.log('ipRouteInput ns', (performance.now() - t), n, process.memoryUsage().heapUsed - h0, (skb.dst as any)?.input?.name)
    t = performance.now()
    for (let k = 0; k < 1000000; k++) n += ipRouteInput(skb, dsts[0]!, src, 0, dev)
    console.log('same dst ns', (performance.now() - t))
  }
}, 60000)
