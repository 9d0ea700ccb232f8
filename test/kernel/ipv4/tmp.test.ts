import { expect, it, vi } from 'vitest'
import { RouteLab } from './route_lab.ts'
vi.mock('../../../src/kernel/ipv4/af_inet.ts', async () => {
  const { ipRtInit } = await import('../../../src/kernel/ipv4/route.ts')
  return { inetInit: ipRtInit }
})
it('x', () => {
  const lab = new RouteLab()
  lab.up('lo')
  lab.add('d0', { kind: 'dummy' })
  lab.addr('10.0.0.1/24', 'd0')
  lab.up('d0')
  console.log(lab.routes(0), lab.addrs('d0'), lab.proc('fib_trie'), lab.proc('fib_triestat'))
  expect(1).toBe(1)
})
