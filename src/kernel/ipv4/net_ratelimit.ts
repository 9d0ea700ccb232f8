/** net_ratelimit: how often the network code may write to the kernel's log (net.core.message_cost, message_burst). */
import { NSEC_PER_SEC } from '../core/clock.ts'
import { coreGlobals } from '../core/sysctl_net_core.ts'
import type { Kernel } from '../kernel.ts'

interface State {
  begin: number
  printed: number
  missed: number
}

const states = new WeakMap<Kernel, State>()

/** Prints a warning unless too many came lately. @param level 0 to 7 @returns whether it was printed */
export function rateLimitedWarn(kernel: Kernel, text: string, level = 4): boolean {
  const { now } = kernel.clock
  const { messageCost, messageBurst } = coreGlobals(kernel)
  let state = states.get(kernel)
  if (state === undefined) {
    state = { begin: now, printed: 0, missed: 0 }
    states.set(kernel, state)
  }
  if (now > state.begin + messageCost * NSEC_PER_SEC) {
    if (state.missed > 0) kernel.log.print(4, `net_ratelimit: ${state.missed} callbacks suppressed`)
    state.begin = now
    state.printed = 0
    state.missed = 0
  }
  if (messageCost !== 0 && state.printed >= messageBurst) {
    state.missed++
    return false
  }
  state.printed++
  kernel.log.print(level, text)
  return true
}
