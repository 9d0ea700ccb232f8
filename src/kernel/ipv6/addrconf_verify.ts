/** Lifetimes of addresses: they are deprecated, replaced if temporary, and deleted when their time comes. */
import { IFA_F_DEPRECATED, IFA_F_PERMANENT, IFA_F_TEMPORARY, IFA_F_TENTATIVE } from '../../uapi/rtnetlink.ts'
import { NSEC_PER_SEC, Timer } from '../core/clock.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { ipv6DelAddr, ipv6IfaNotify } from './addrconf.ts'
import { FUZZ_MINUS, ipv6CreateTempaddr, regenAdvance } from './addrconf_temp.ts'
import { INFINITY_LIFE_TIME, type Inet6Ifaddr } from './if_inet6.ts'
import { inet6AddrsKey } from './inet6_addr.ts'

/** Looks are at whole seconds where that is at most this late. */
const FUZZ = NSEC_PER_SEC / 4

const key = pernetKey<Timer>('addr_chk')

/** Makes the timer of a namespace. */
export function addrconfVerifyInit(net: Net): void {
  net.set(key, new Timer(() => addrconfVerify(net)))
}

/** Stops it. */
export function addrconfVerifyExit(net: Net): void {
  net.kernel.clock.del(net.at(key))
}

function end(ifp: Inet6Ifaddr, lft: number): number {
  return lft === INFINITY_LIFE_TIME ? Number.POSITIVE_INFINITY : ifp.tstamp + lft * NSEC_PER_SEC
}

/** Looks at one address. @returns when to look again, ns since boot, Infinity for never; undefined: at once */
function verify(ifp: Inet6Ifaddr, now: number): number | undefined {
  if ((ifp.flags & IFA_F_PERMANENT) !== 0 && ifp.preferedLft === INFINITY_LIFE_TIME) return Number.POSITIVE_INFINITY
  let next = Number.POSITIVE_INFINITY
  const age = Math.floor((now - ifp.tstamp + FUZZ_MINUS) / NSEC_PER_SEC)
  const { ifpub } = ifp
  if (
    (ifp.flags & IFA_F_TEMPORARY) !== 0 &&
    (ifp.flags & IFA_F_TENTATIVE) === 0 &&
    ifp.preferedLft !== INFINITY_LIFE_TIME &&
    ifp.regenCount === 0 &&
    ifpub !== undefined
  ) {
    const advance = regenAdvance(ifp.idev)
    if (age + advance >= ifp.preferedLft) {
      ifp.regenCount++
      ifpub.regenCount = 0
      ipv6CreateTempaddr(ifpub)
      return undefined
    }
    next = end(ifp, ifp.preferedLft) - advance * NSEC_PER_SEC
  }
  if (ifp.validLft !== INFINITY_LIFE_TIME && age >= ifp.validLft) {
    ipv6DelAddr(ifp)
    return undefined
  }
  if (ifp.preferedLft === INFINITY_LIFE_TIME) return Math.min(next, end(ifp, ifp.validLft))
  if (age < ifp.preferedLft) return Math.min(next, end(ifp, ifp.preferedLft))
  if ((ifp.flags & IFA_F_DEPRECATED) === 0) {
    ifp.flags |= IFA_F_DEPRECATED
    ipv6IfaNotify(0, ifp)
    return undefined
  }
  return Math.min(next, end(ifp, ifp.validLft))
}

/** Looks at all addresses of a namespace, and sets the timer for the next time (addrconf_verify_rtnl). */
export function addrconfVerify(net: Net): void {
  const { clock } = net.kernel
  const timer = net.at(key)
  clock.del(timer)
  let next = Number.POSITIVE_INFINITY
  for (const ifp of [...net.at(inet6AddrsKey).all]) {
    // one address's end may be the end of others
    while (net.at(inet6AddrsKey).all.has(ifp)) {
      const again = verify(ifp, clock.now)
      if (again === undefined) continue
      next = Math.min(next, again)
      break
    }
  }
  if (next === Number.POSITIVE_INFINITY) return
  const whole = Math.ceil(next / NSEC_PER_SEC) * NSEC_PER_SEC
  const at = whole < next + FUZZ ? whole : next
  clock.mod(timer, Math.max(at, clock.now + NSEC_PER_SEC))
}
