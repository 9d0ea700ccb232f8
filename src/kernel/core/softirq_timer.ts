/** Timers of the network stack run as softirqs do: what they send is received by others only after they have ended. */
import type { Kernel } from '../kernel.ts'
import { Timer } from './clock.ts'

/** @returns a timer whose function runs with softirqs off (TIMER_SOFTIRQ) */
export function softirqTimer(kernel: Kernel, fn: () => void): Timer {
  const { softirq } = kernel
  return new Timer(() => {
    softirq.disable()
    try {
      fn()
    } finally {
      softirq.enable()
    }
  })
}
