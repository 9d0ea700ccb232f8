/**
 * IPv4 routing: routes for received packets (route_input.ts) and for our own (route_output.ts), what is learned on the
 * way (route_learn.ts, route_exceptions.ts) and said about it (route_redirect.ts). Tables and rules are the FIB's, see
 * fib_frontend.ts. This file is the door: other parts of IPv4 import from here.
 */

export * from './fib_lookup.ts'
export * from './fib_metrics.ts'
export * from './flow.ts'
export { dstDiscard, ipRtBug, rtDstAlloc } from './route_cache.ts'
export { ipRouteInput } from './route_input.ts'
export { ipDoRedirect, ipRtGetSource, ipRtUpdatePmtu, ipv4Redirect, ipv4UpdatePmtu } from './route_learn.ts'
export { ipRouteOutputKey, RTO_ONLINK } from './route_output.ts'
export { ipRtSendRedirect } from './route_redirect.ts'
export * from './rtable.ts'
