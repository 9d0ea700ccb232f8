/** Metrics of routes (RTAX_…): as netlink has them and as a route keeps them. See rtnetlink(7) and ip-route(8). */
import { Errno } from '../../uapi/errno.ts'
import type { RouteMetrics } from '../../uapi/rtnetlink.ts'
import type { NetlinkExtAck } from '../core/rtnetlink.ts'

export const RTAX_LOCK = 1
export const RTAX_MTU = 2
export const RTAX_WINDOW = 3
export const RTAX_RTT = 4
export const RTAX_RTTVAR = 5
export const RTAX_SSTHRESH = 6
export const RTAX_CWND = 7
export const RTAX_ADVMSS = 8
export const RTAX_REORDERING = 9
export const RTAX_HOPLIMIT = 10
export const RTAX_INITCWND = 11
export const RTAX_FEATURES = 12
export const RTAX_RTO_MIN = 13
export const RTAX_INITRWND = 14
export const RTAX_QUICKACK = 15
export const RTAX_CC_ALGO = 16
export const RTAX_FASTOPEN_NO_COOKIE = 17

/** Names of numeric metrics, by number. */
const NAMES = [
  undefined,
  'lock',
  'mtu',
  'window',
  'rtt',
  'rttvar',
  'ssthresh',
  'cwnd',
  'advmss',
  'reordering',
  'hoplimit',
  'initcwnd',
  'features',
  'rtoMin',
  'initrwnd',
  'quickack',
  undefined,
  'fastopenNoCookie',
] as const

/** Bits of RTAX_FEATURES that user space may set: ECN, SACK, TIMESTAMP, ALLFRAG. */
const FEATURE_MASK = 0xf
export const RTAX_FEATURE_ECN = 1

/** Largest values that make sense: an MTU and an MSS that still fit into a packet, bytes. */
const MAX_MTU = 65535 - 15
const MAX_ADVMSS = 65535 - 40

/** The metrics of a route. Routes that set none share one object. */
export class DstMetrics {
  private readonly values: Uint32Array
  /** congestion control for connections by this route; undefined: the default */
  readonly ccAlgo: string | undefined

  constructor(values: Uint32Array, ccAlgo: string | undefined) {
    this.values = values
    this.ccAlgo = ccAlgo
  }

  /** @returns a metric's number, 0 where it is not set */
  raw(rtax: number): number {
    return this.values[rtax]!
  }

  /** @returns whether a metric was locked */
  locked(rtax: number): boolean {
    return (this.values[RTAX_LOCK]! & (1 << rtax)) !== 0
  }

  /** @returns whether two routes have the same metrics */
  equals(other: DstMetrics): boolean {
    if (this === other) return true
    if (this.ccAlgo !== other.ccAlgo) return false
    for (let i = 1; i < this.values.length; i++) if (this.values[i] !== other.values[i]) return false
    return true
  }

  /** @returns the metrics that are set, as netlink shows them; undefined where there are none (rtnetlink_put_metrics) */
  toNetlink(): RouteMetrics | undefined {
    if (this === NO_METRICS) return undefined
    const out: RouteMetrics = {}
    let any = false
    for (let i = 1; i < NAMES.length; i++) {
      const name = NAMES[i]
      const value = this.values[i]!
      if (name === undefined || value === 0) continue
      out[name] = value
      any = true
    }
    if (this.ccAlgo !== undefined) {
      out.ccAlgo = this.ccAlgo
      any = true
    }
    return any ? out : undefined
  }
}

/** No metrics. */
export const NO_METRICS = new DstMetrics(new Uint32Array(18), undefined)

/**
 * Reads a request's metrics (ip_metrics_convert).
 * @param ccKnown whether a congestion control exists, loading it where it is a module
 * @returns the metrics or a negative error with its text
 */
export function metricsFromNetlink(
  mx: RouteMetrics | undefined,
  ccKnown: (name: string) => boolean,
  extack: NetlinkExtAck,
): DstMetrics | number {
  if (mx === undefined) return NO_METRICS
  const values = new Uint32Array(18)
  let ccAlgo: string | undefined
  for (let i = 1; i < NAMES.length; i++) {
    if (i === RTAX_CC_ALGO) {
      if (mx.ccAlgo === undefined) continue
      if (!ccKnown(mx.ccAlgo)) return extack.fail(-Errno.EINVAL, 'Unknown tcp congestion algorithm')
      ccAlgo = mx.ccAlgo
      continue
    }
    const value = mx[NAMES[i]!]
    if (value === undefined) continue
    if (i === RTAX_FEATURES && (value & ~FEATURE_MASK) !== 0)
      return extack.fail(-Errno.EINVAL, 'Unknown flag set in feature mask in metrics attribute')
    values[i] = clampMetric(i, value)
  }
  const metrics = new DstMetrics(values, ccAlgo)
  return metrics.equals(NO_METRICS) ? NO_METRICS : metrics
}

function clampMetric(rtax: number, value: number): number {
  if (rtax === RTAX_ADVMSS) return Math.min(value, MAX_ADVMSS)
  if (rtax === RTAX_MTU) return Math.min(value, MAX_MTU)
  if (rtax === RTAX_HOPLIMIT) return Math.min(value, 255)
  return value
}

/** @returns whether a route's metrics are those a request names (fib_metrics_match) */
export function metricsMatch(mx: RouteMetrics | undefined, metrics: DstMetrics): boolean {
  if (mx === undefined) return true
  for (let i = 1; i < NAMES.length; i++) {
    const name = NAMES[i]
    if (name === undefined) continue
    const value = mx[name]
    if (value !== undefined && value >>> 0 !== metrics.raw(i)) return false
  }
  return mx.ccAlgo === undefined || mx.ccAlgo === metrics.ccAlgo
}
