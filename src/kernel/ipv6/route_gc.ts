/** Routes and learned destinations that have run out are collected now and then (fib6_run_gc). */
import { NTF_ROUTER } from '../../uapi/rtnetlink.ts'
import { NSEC_PER_SEC, Timer } from '../core/clock.ts'
import { type Net, pernetKey } from '../core/net_namespace.ts'
import { fib6Key, RTF_EXPIRES } from './ip6_fib.ts'
import { ndTblLookup } from './ndisc.ts'
import { ipv6Key } from './netns_ipv6.ts'
import { nexthopLegs } from './nexthop6.ts'
import type { Rt6Info } from './rt6_info.ts'

const key = pernetKey<Timer>('ip6_fib_timer')

/** Makes a namespace's timer and wires its tables to it. */
export function fib6GcInit(net: Net): void {
  const timer = new Timer(() => fib6RunGc(net, net.at(ipv6Key).routeGcTimeout * NSEC_PER_SEC))
  net.set(key, timer)
  const start = (): void => {
    const { clock } = net.kernel
    if (!timer.pending) clock.mod(timer, clock.now + net.at(ipv6Key).routeGcInterval * NSEC_PER_SEC)
  }
  const fib = net.at(fib6Key)
  fib.startGc = start
  fib.forceGc = start
}

/** Stops it. */
export function fib6GcExit(net: Net): void {
  net.kernel.clock.del(net.at(key))
}

function routerGone(rt: Rt6Info): boolean {
  if (rt.gateway === undefined) return false
  const neigh = ndTblLookup(rt.dev, rt.gateway)
  return neigh === undefined || (neigh.flags & NTF_ROUTER) === 0
}

/** Collects. @param timeout how long redirects stay unused, ns; 0 lets none stay */
export function fib6RunGc(net: Net, timeout: number): void {
  const { clock } = net.kernel
  const fib = net.at(fib6Key)
  const { now } = clock
  let more = false
  for (const rt of fib.allRoutes()) {
    if ((rt.flags & RTF_EXPIRES) !== 0) {
      if (now > rt.expires) {
        fib.del(rt)
        continue
      }
      more = true
    }
    const legs = rt.nhObject === undefined ? [rt.nh!] : nexthopLegs(rt.nhObject)
    for (const { exceptions } of legs) {
      if (exceptions === undefined || exceptions.size === 0) continue
      fib.stats.rtCache -= exceptions.age(now, timeout, routerGone)
      if (exceptions.size > 0) more = true
    }
  }
  const timer = net.at(key)
  if (!more) {
    clock.del(timer)
    return
  }
  const interval = net.at(ipv6Key).routeGcInterval * NSEC_PER_SEC
  clock.mod(timer, Math.round((now + interval) / NSEC_PER_SEC) * NSEC_PER_SEC)
}
