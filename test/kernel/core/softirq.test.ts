import { describe, expect, it } from 'vitest'
import { Clock } from '../../../src/kernel/core/clock.ts'
import { NET_RX_SOFTIRQ, NET_TX_SOFTIRQ, Softirq } from '../../../src/kernel/core/softirq.ts'

describe('softirq', () => {
  it('runs what is pending when the outermost section ends, and what that raises', () => {
    const softirq = new Softirq(new Clock())
    const ran: string[] = []
    softirq.open(NET_TX_SOFTIRQ, () => ran.push('tx'))
    softirq.open(NET_RX_SOFTIRQ, () => {
      ran.push('rx')
      if (ran.length < 4) softirq.raise(NET_RX_SOFTIRQ)
      softirq.flush()
    })
    softirq.disable()
    softirq.disable()
    softirq.raise(NET_RX_SOFTIRQ)
    softirq.raise(NET_TX_SOFTIRQ)
    softirq.enable()
    expect(ran).toEqual([])
    softirq.enable()
    expect(ran).toEqual(['tx', 'rx', 'rx', 'rx'])
    expect(softirq.threaded).toBe(false)
  })

  it('leaves work without end to ksoftirqd, whose time passes beside that of others', () => {
    const clock = new Clock()
    const softirq = new Softirq(clock)
    let passes = 0
    let endless = true
    softirq.open(NET_RX_SOFTIRQ, () => {
      passes++
      softirq.elapse(passes > 10 ? 25_000 : 100_000)
      if (endless) softirq.raise(NET_RX_SOFTIRQ)
    })
    const timers: number[] = []
    const again = (): void => {
      timers.push(clock.now)
      clock.after(1e6, again)
    }
    clock.after(1e6, again)
    softirq.raise(NET_RX_SOFTIRQ)
    softirq.flush()
    expect(passes).toBe(10)
    expect(clock.now).toBe(1e6)
    expect(softirq.threaded).toBe(true)
    softirq.flush()
    expect(passes).toBe(10)
    clock.runUntil(21e6)
    expect(passes).toBe(10 + 201)
    expect(timers.length).toBe(21)
    endless = false
    clock.runUntil(22e6)
    expect(softirq.threaded).toBe(false)
    expect(clock.pending).toBe(1)
    softirq.raise(NET_RX_SOFTIRQ)
    softirq.flush()
    expect(passes).toBe(10 + 203)
  })

  it('gives up earlier where its time is used up', () => {
    const clock = new Clock()
    const softirq = new Softirq(clock)
    let passes = 0
    softirq.open(NET_RX_SOFTIRQ, () => {
      passes++
      softirq.elapse(1e6)
      softirq.raise(NET_RX_SOFTIRQ)
    })
    softirq.raise(NET_RX_SOFTIRQ)
    softirq.flush()
    expect(passes).toBe(2)
  })
})
