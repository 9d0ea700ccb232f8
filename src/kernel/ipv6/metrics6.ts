/** Changing single metrics of a route, as router advertisements do. */
import { DstMetrics } from '../ipv4/fib_metrics.ts'

/** How many metrics there are, the one without a number included. */
const METRICS = 18

/** @returns metrics with one of them changed */
export function metricsWith(metrics: DstMetrics, rtax: number, value: number): DstMetrics {
  const values = new Uint32Array(METRICS)
  for (let i = 1; i < METRICS; i++) values[i] = metrics.raw(i)
  values[rtax] = value
  return new DstMetrics(values, metrics.ccAlgo)
}
